"""Which short conditions would catch these events, and few others? Candidate rules, the most valuable first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.velocity import Feature, velocity
from riskbench.errors import DataError, ParameterError, RuleError
from riskbench.rules.mining.pieces import Binned, binned, spelled
from riskbench.rules.mining.search import Ground, State, searched
from riskbench.rules.param import Param
from riskbench.rules.rule import Rule
from riskbench.rules.usable import sharing, usable

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

#: Two rules whose target hits overlap by more than this are one.
_ALIKE = 0.9


@dataclass(frozen=True, eq=False)
class Mined:
    """One candidate rule and what it does on the events that it was found on.

    Attributes
    ----------
    rule : Rule
        A draft; its numeric cuts are parameters.
    rows : ndarray of intp
        The target and other events that it hits.
    target, others : int
        How many of them are target events, and how many are not.
    worth : float
        The summed worth of the events that it hits. It is flattered: the rule was chosen by it.
    features : mapping of str to Feature
        Velocity features that it reads and the events did not have.
    """

    rule: Rule
    rows: Rows
    target: int
    others: int
    worth: float
    features: Mapping[str, Feature] = field(default_factory=dict)


def mine(
    dataset: Dataset,
    target: Rows,
    *,
    against: Rows,
    worth: npt.NDArray[np.float64] | Mapping[str, npt.NDArray[np.float64]] | None = None,
    outcome: str = "review",
    exclude: Iterable[str] = (),
    score: bool = False,
    state: npt.NDArray[np.int8] | None = None,
    features: Mapping[str, Mapping[str, object]] | None = None,
    share: bool = True,
    terms: int = 3,
    most: int = 8,
    at_least: int | None = None,
    prefix: str = "MINED",
) -> tuple[Mined, ...]:
    """Return candidate rules of a few conditions each that hit the target events and few others.

    Use it to turn a suspicion into rules; then simulate them on events that they were not found on, because what
    they do here is flattered by the choice. Only columns known when the decision is taken are read, and counts of
    who shares a device or an address just before. Conditions are joined by AND; each is a cut at a readable
    number, some words, yes or no, missing or not.

    Parameters
    ----------
    dataset : Dataset
        The events.
    target, against : ndarray of intp
        Positions of the events to catch, and of those to leave alone. Others are not looked at.
    worth : ndarray of float64, shape (rows,), optional
        What a hit of each event gains, negative where it costs; by default target events gain 1 each and the
        others cost as much in total. By outcome, where it depends on what is decided: each outcome is mined for.
    outcome : str
        What the rules decide, where `worth` does not say it.
    exclude : iterable of str
        Columns that must not be read.
    score : bool
        Whether the score may be read.
    state : ndarray of int8, optional
        What is known of each event: columns that give the label away are not read.
    features : mapping, optional
        The book's velocity features.
    share : bool
        Whether counts of sharing are added.
    terms : int, 1 to 5
        The most conditions in a rule.
    most : int
        The most rules for an outcome.
    at_least : int, optional
        Target events that a rule must hit; by default 5 or one in fifty, whichever is more.
    prefix : str
        The rules' ids are `PREFIX-1`, `PREFIX-2` and so on.

    Returns
    -------
    tuple of Mined
        The most valuable first; none where no rule gains more than it costs. One condition comes once, with the
        outcome under which it is worth most.

    Raises
    ------
    ParameterError
        When target and other events overlap, or `terms` is out of range.
    DataError
        When no column can be read.

    Source: beam search over subgroup descriptions, as in Lavrac, N., Kavsek, B., Flach, P., Todorovski, L. (2004),
    Subgroup discovery with CN2-SD, JMLR 5, with money in place of their weighted accuracy.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> frame = pd.DataFrame({"id": range(200), "pay": ["cod", "card"] * 100, "items": [1, 1, 9, 1] * 50})
    >>> events = rb.read(frame, roles=rb.Roles(id="id"))
    >>> rows = np.arange(200)
    >>> found = mine(events, rows[rows % 4 == 2], against=rows[rows % 4 != 2])
    >>> found[0].rule.in_words(), found[0].target, found[0].others
    ('items >= 9', 50, 0)
    """
    target, against = np.unique(target).astype(np.intp), np.unique(against).astype(np.intp)
    if len(np.intersect1d(target, against)):
        raise ParameterError("An event is both target and other event", hint="leave target events out of 'against'")
    if not 1 <= terms <= 5 or most < 1:
        raise ParameterError("'terms' is 1 to 5, and 'most' at least 1", got=f"terms={terms}, most={most}")
    if not len(target):
        return ()
    added = sharing(dataset, features=features) if share else {}
    events = velocity(dataset, added.values()) if added else dataset
    looking_back = {*(features or {}), *added}
    columns, why = usable(events, exclude=exclude, score=score, state=state, own=looking_back)
    if not columns:
        raise DataError(
            "No column can be read by a new rule.",
            hint="; ".join(f"{name}: {reason}" for name, reason in list(why.items())[:5]),
        )
    rows = np.concatenate([target, against])
    places = np.arange(len(rows)) < len(target)
    parts = tuple(binned(name, column, rows, places) for name, column in columns.items())
    asked = worth if isinstance(worth, Mapping) else {outcome: worth}
    made: dict[str, Mined] = {}
    for decided, each in asked.items():
        ground = _ground(parts, places, None if each is None else each[rows], at_least=at_least)
        for held in _distinct(searched(ground, terms=terms), len(target), most=most):
            rule = _rule(held, decided, events)
            gained = (
                _plain(held, len(target), len(against)) if each is None else float(np.sort(each[rows[held.hit]]).sum())
            )
            if rule is None or (rule.in_words() in made and made[rule.in_words()].worth >= gained):
                continue
            frauds = int((held.hit < len(target)).sum())
            named = {piece.column for piece in held.pieces}
            own = {name: feature for name, feature in added.items() if name in named}
            made[rule.in_words()] = Mined(rule, np.sort(rows[held.hit]), frauds, len(held.hit) - frauds, gained, own)
    best = sorted(made.values(), key=lambda one: (-one.worth, len(one.rule.columns), one.rule.when))
    return tuple(replace(one, rule=replace(one.rule, id=f"{prefix}-{n}")) for n, one in enumerate(best, start=1))


def _plain(held: State, targets: int, others: int) -> float:
    frauds = int((held.hit < targets).sum())
    return frauds - (len(held.hit) - frauds) * targets / max(1, others)


def _ground(
    columns: tuple[Binned, ...], target: Mask, worth: npt.NDArray[np.float64] | None, *, at_least: int | None
) -> Ground:
    targets = int(target.sum())
    each = np.where(target, 1.0, -targets / max(1, len(target) - targets)) if worth is None else worth
    least = max(5, -(-targets // 50)) if at_least is None else at_least
    return Ground.of(columns, target, each, at_least=min(max(1, least), max(1, targets)))


def _distinct(states: list[State], targets: int, *, most: int) -> list[State]:
    """Return the most valuable conjunctions that catch different events."""
    chosen: list[State] = []
    caught: list[Mask] = []
    for state in sorted(states, key=lambda one: (-one.score(1.0), one.order)):
        own = np.zeros(targets, dtype=bool)
        own[state.hit[state.hit < targets]] = True
        alike = any(int((own & old).sum()) > _ALIKE * int((own | old).sum()) for old in caught)
        if not alike:
            chosen.append(state)
            caught.append(own)
        if len(chosen) == most:
            break
    return chosen


def _rule(held: State, outcome: str, events: Dataset) -> Rule | None:
    """Return a conjunction as a rule; None where its text cannot be read back."""
    pieces = sorted(held.pieces, key=lambda piece: (events.names.index(piece.column), piece.shape))
    text, values = spelled(pieces)
    try:
        rule = Rule("MINED", text, outcome, params={param: Param(value) for param, value in values.items()})
        rule.bind(events.kinds, aliases=events.roles.named())
    except RuleError:
        return None
    return rule
