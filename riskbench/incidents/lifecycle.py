"""Which way does an incident go, and how long did each step take?"""

from __future__ import annotations

from typing import Literal, get_args

from riskbench.errors import ParameterError, listed, nearest

State = Literal["detected", "triaged", "contained", "eradicated", "resolved", "reviewed", "dismissed", "merged"]
STATES: tuple[State, ...] = get_args(State)
#: The way from the first alarm to the lessons; each step is a moment of its own.
STAGES: tuple[State, ...] = STATES[:6]
#: Nothing is left to be done in these.
CLOSED: frozenset[State] = frozenset({"resolved", "reviewed", "dismissed", "merged"})

#: What each step means, in words that stand beside it.
MEANING: dict[State, str] = {
    "detected": "somebody or something saw it",
    "triaged": "a person has judged it real and has taken it on",
    "contained": "it takes no more victims, or the loss no longer grows",
    "eradicated": "its cause is gone: members stopped, gap closed",
    "resolved": "customers are made whole, wrong actions reversed",
    "reviewed": "the post-mortem was held and its actions have owners",
    "dismissed": "it was no incident",
    "merged": "it is the same as another incident",
}
#: Where an incident may go from each state by itself.
_ONWARD: dict[State, tuple[State, ...]] = {
    "detected": ("triaged", "dismissed"),
    "triaged": ("contained", "dismissed"),
    "contained": ("eradicated",),
    "eradicated": ("resolved",),
    "resolved": ("reviewed",),
    "reviewed": (),
    "dismissed": (),
    "merged": (),
}
#: From these it may be opened again: it goes back to `triaged`, with a reason.
_REOPENED: frozenset[State] = frozenset({"contained", "eradicated", "resolved", "reviewed", "dismissed"})


def allowed(state: State) -> tuple[State, ...]:
    """Return the states that an incident may move to.

    >>> allowed("contained")
    ('eradicated', 'triaged')
    """
    return (*_ONWARD[state], *(("triaged",) if state in _REOPENED else ()))


def reopens(state: State, to: State) -> bool:
    """Return whether a move opens an incident again."""
    return to == "triaged" and state in _REOPENED


def needs_reason(state: State, to: State) -> bool:
    """Return whether a move is only made with a reason: opening again, and dismissing."""
    return to == "dismissed" or reopens(state, to)


def check_move(state: State, to: str, *, reason: str = "") -> State:
    """Return the state that an incident moves to.

    Raises
    ------
    ParameterError
        When there is no such state, it cannot be reached from here, or a reason is missing.
    """
    if to not in STATES:
        close = nearest(str(to), STATES)
        raise ParameterError(
            f"There is no state {str(to)[:40]!r}",
            allowed=listed(STATES),
            hint=f"did you mean {close!r}?" if close else None,
        )
    target = STATES[STATES.index(to)]
    ways = allowed(state)
    if target not in ways:
        raise ParameterError(
            f"An incident that is {state} does not become {target}",
            got=f"{state} -> {target}",
            allowed=f"{state} -> {' or '.join(ways)}" if ways else f"nothing: {state} is the end",
            hint="merge(duplicate, survivor)" if target == "merged" else None,
        )
    if needs_reason(state, target) and not reason:
        what = "Dismissing an incident" if target == "dismissed" else "Opening an incident again"
        raise ParameterError(f"{what} needs a reason", hint="reason='...'")
    return target


def span_words(seconds: float) -> str:
    """Return a length of time as a reader says it.

    >>> span_words(12_345), span_words(59), span_words(200_000)
    ('3 h 25 min', 'under 1 min', '2 d 7 h')
    """
    minutes = int(seconds // 60)
    if minutes < 1:
        return "under 1 min"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
