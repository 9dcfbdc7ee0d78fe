"""What is known about each event at a moment: fraud, good, or no verdict and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.outcomes import ladder
from riskbench.engine.columns import DAY, Column
from riskbench.errors import DataError, listed

#: The states of `LabelState.state`.
GOOD, FRAUD, BLOCKED, YOUNG, UNKNOWN, NO_CHANNEL = range(6)
STATES = (
    "good",
    "fraud",
    "unlabelled: blocked",
    "unlabelled: young",
    "unlabelled: no verdict",
    "unlabelled: no dispute channel",
)
#: So many verdicts with a time say within how many days nine of ten are told; of fewer the longest is soon exceeded.
FEWEST_DELAYS = 20
#: With fewer, silence is good after so many days, or after the longest delay seen where that is longer.
STATED_DAYS = 60.0
#: The columns that say why events are unlabelled; together they are all of them.
REASONS: Mapping[str, int] = MappingProxyType(
    {
        "unlabelled_blocked": BLOCKED,
        "unlabelled_young": YOUNG,
        "unlabelled_no_channel": NO_CHANNEL,
        "unlabelled_no_verdict": UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class LabelState:
    """What is known about each event.

    Attributes
    ----------
    state : ndarray of int8, shape (rows,)
        0 good, 1 fraud, 2 unlabelled because blocked, 3 unlabelled because young, 4 no verdict, 5 unlabelled for
        want of a dispute channel.
    counts : tuple of int
        How many events are in each state.
    asof : Timestamp or None
        Only verdicts known by then count; None when labels bear no time.
    mature_after : float or None
        Days after which silence counts as good.
    recipe : str
        All of it in words, for the page.
    """

    state: npt.NDArray[np.int8]
    counts: tuple[int, ...]
    asof: pd.Timestamp | None
    mature_after: float | None
    recipe: str

    @property
    def mature_until(self) -> pd.Timestamp | None:
        """The moment from which on events are too young for a verdict; None where labels count as mature."""
        if self.asof is None or self.mature_after is None:
            return None
        return self.asof - pd.Timedelta(days=self.mature_after)


def verdicts(dataset: Dataset) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which events are called fraud and which good, whenever that became known.

    Raises
    ------
    DataError
        When there is no label, or its values cannot be read as fraud and good.
    """
    if dataset.roles.label is None:
        raise DataError("There is no label to measure with", hint="name the role 'label'")
    column = dataset.table.column(dataset.roles.label)
    fraud_values, good_values = dataset.roles.fraud_values, dataset.roles.good_values
    if column.kind == "string" or fraud_values:
        return _by_words(dataset, column, fraud_values, good_values)
    if column.kind not in ("bool", "int", "float"):
        raise DataError(f"The label {dataset.roles.label!r} cannot be read", got=column.kind, allowed="0/1 or words")
    values, present = column.values, column.present
    fraud, good = present & (values == 1), present & (values == 0)
    other = present & ~fraud & ~good
    if other.any():
        raise DataError(
            f"The label {dataset.roles.label!r} holds values beside 0 and 1.",
            got=listed(np.unique(values[other])[:5]),
            allowed="0, 1, missing; or name fraud_values= and good_values= in the roles",
        )
    return fraud, good


def _by_words(
    dataset: Dataset, column: Column, fraud_values: tuple[object, ...], good_values: tuple[object, ...]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    codes, names = dataset.segment(str(dataset.roles.label))
    if not fraud_values:
        raise DataError(
            f"The label {dataset.roles.label!r} holds words.",
            got=listed(names, most=6),
            hint="name fraud_values= (and good_values=) in the roles",
        )
    said = [_said(name, column.kind) for name in names]
    wanted, good = ({_said(value, column.kind) for value in values} for values in (fraud_values, good_values))
    known = np.array([name != "(missing)" for name in names], dtype=bool)
    is_fraud = np.array([word in wanted for word in said], dtype=bool) & known
    if dataset.rows and not is_fraud.any():
        raise DataError(
            f"No event's label is one of the fraud values {listed(sorted(map(str, fraud_values)))}.",
            got=listed(names, most=6),
        )
    is_good = np.array([word in good for word in said], dtype=bool) & known if good_values else ~is_fraud & known
    if good_values and not is_good.any() and bool((known & ~is_fraud).any()):
        raise DataError(
            f"No event's label is one of the good values {listed(sorted(map(str, good_values)))}.",
            got=listed(names, most=6),
        )
    return is_fraud[codes] & column.present, is_good[codes] & column.present


def _said(value: object, kind: str) -> str:
    """Return a label's value as a word: a number in one form, so that 1 is also found where a column holds 1.0."""
    text = str(value)
    if kind not in ("int", "float"):
        return text
    try:
        return repr(float(text))
    except ValueError:
        return text


def stopped(dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Return which events history stopped, so that their silence says nothing."""
    if dataset.roles.outcome is None:
        return np.zeros(dataset.rows, dtype=bool)
    steps = ladder(dataset.domain)
    codes, names = dataset.segment(dataset.roles.outcome)
    stops = np.array([name != "(missing)" and steps.effect(name) == "stop" for name in names], dtype=bool)
    return stops[codes]


def without_channel(dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Return which events nobody could dispute, so that their silence says nothing; a missing value has a channel."""
    roles = dataset.roles
    if roles.dispute_channel is None:
        return np.zeros(dataset.rows, dtype=bool)
    codes, names = dataset.segment(roles.dispute_channel)
    kind = dataset.kinds[roles.dispute_channel]
    mute = {_said(value, kind) for value in roles.no_dispute}
    found = np.array([_said(name, kind) in mute for name in names], dtype=bool)
    return found[codes] & dataset.table.column(roles.dispute_channel).present


def lost_methods(dataset: Dataset) -> tuple[str, ...]:
    """Return the values named as without dispute channel that no event has."""
    if dataset.roles.dispute_channel is None:
        return ()
    kind = dataset.kinds[dataset.roles.dispute_channel]
    held = {_said(name, kind) for name in dataset.segment(dataset.roles.dispute_channel)[1]}
    return tuple(str(value) for value in dataset.roles.no_dispute if _said(value, kind) not in held)


#: What no figure made from labels holds, where silence counts as good.
UNHEARD = "Frauds that nobody ever reports are in no figure."


def unheard(dataset: Dataset, labels: LabelState) -> str:
    """Return what is in no figure since silence counts as good, as one sentence; empty where good is told."""
    return UNHEARD if dataset.roles.label is not None and has_verdict(dataset, labels)[1] else ""


def has_verdict(dataset: Dataset, labels: LabelState) -> tuple[npt.NDArray[np.bool_], bool]:
    """Return which events have a verdict or will have one by waiting, and whether silence is a verdict in this data.

    Where silence means good, a young event will have one, but for those that no source would ever tell of (their
    label is missing). Where it does not, only what was told counts.
    """
    known = (labels.state == FRAUD) | (labels.state == GOOD)
    if labels.asof is None or dataset.roles.label is None or dataset.roles.label_time is None:
        return known, True
    fraud, good = verdicts(dataset)
    silence = bool((good & ~dataset.column("label_time").present).any())
    return (known | ((labels.state == YOUNG) & (fraud | good)) if silence else known), silence


def label_state(dataset: Dataset, *, asof: str | pd.Timestamp | None = None) -> LabelState:
    """Return what is known about each event at a moment.

    A verdict counts when it was known by `asof`. An event without one is, in this order: unlabelled because
    history blocked it; unlabelled because nobody could dispute it, which no waiting changes; unlabelled because it
    is younger than the maturity window; otherwise good where the source means silence as good (it has good labels
    that bear no time), else without verdict. Where labels bear no time all of them count, but for good ones of
    events that were blocked or that nobody could dispute.

    Parameters
    ----------
    dataset : Dataset
        The events.
    asof : str or Timestamp, optional
        UTC; by default the last moment the data knows of.

    Raises
    ------
    DataError
        When there is no label, or its values cannot be read.
    """
    fraud, good = verdicts(dataset)
    blocked, mute = stopped(dataset), without_channel(dataset)
    state = np.full(dataset.rows, UNKNOWN, dtype=np.int8)
    moment: pd.Timestamp | None = None
    window: float | None = None
    words = [dataset.label_recipe]
    if dataset.roles.label_time is None or dataset.roles.time is None:
        state[good & ~blocked] = GOOD
        state[fraud] = FRAUD
        state[mute & ~fraud] = NO_CHANNEL
        state[blocked & ~fraud] = BLOCKED
        words.append("labels bear no time and count as mature")
    else:
        time, told = dataset.column("time"), dataset.column("label_time")
        cut = micros(asof) if asof is not None else _last(time, told)
        moment = pd.Timestamp(cut, unit="us")
        known = told.present & (told.values <= cut)
        window, why = dataset.mature_after, ""
        if window is None:
            window, why = _usual_delay(time, told, fraud & known)
        old = time.present & (time.values + int(window * DAY) <= cut)
        state[good & known] = GOOD
        state[fraud & known] = FRAUD
        open_ = state == UNKNOWN
        # A good label without its own time is silence. A verdict not yet told is silence too at that moment: it
        # counts as good where the others' silence does, else what is told later would show among the unknown.
        silent = open_ & good & ~told.present
        if bool(silent.any()):
            silent |= open_ & (fraud | good) & told.present & ~known
        state[silent & old] = GOOD
        state[open_ & ~old & time.present] = YOUNG
        state[fraud & ~told.present] = FRAUD
        told_nothing = (state == YOUNG) | (state == UNKNOWN) | ((state == GOOD) & silent)
        state[mute & told_nothing] = NO_CHANNEL
        state[blocked & told_nothing] = BLOCKED
        words.append(f"verdicts known by {moment:%Y-%m-%d %H:%M} UTC")
        silence = f"silence is good after {window:.0f} days"
        words += [silence + why] if silence not in dataset.label_recipe else []
    if dataset.roles.dispute_channel is not None:
        values = ", ".join(str(one) for one in dataset.roles.no_dispute)
        words.append(f"silence is no verdict where {dataset.roles.dispute_channel} is {values}")
    counts = tuple(int(count) for count in np.bincount(state, minlength=len(STATES)))
    return LabelState(state, counts, moment, window, "; ".join(words))


def _last(time: Column, told: Column) -> int:
    ends = [int(col.values[col.present].max()) for col in (time, told) if col.present.any()]
    return max(ends, default=0)


def _usual_delay(time: Column, told: Column, fraud: npt.NDArray[np.bool_]) -> tuple[float, str]:
    """Return the days within which nine of ten of some frauds were told, and why they are not measured if not."""
    both = fraud & time.present & told.present
    count = int(np.count_nonzero(both))
    days = (told.values[both] - time.values[both]) / DAY
    if count >= FEWEST_DELAYS:
        return max(0.0, float(np.quantile(days, 0.9))), ""
    seen = "only 1 verdict bears a time" if count == 1 else f"only {count} verdicts bear a time" if count else ""
    why = f" (stated, not measured: {seen or 'no verdict bears a time'}; mature_after= sets it)"
    return max(STATED_DAYS, float(days.max(initial=0.0))), why
