"""What is usual? The events that could have a verdict, and how much of their fraud should be told by now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.labels import FRAUD, LabelState, stopped
from riskbench.engine.columns import DAY
from riskbench.errors import DataError
from riskbench.metrics.maturity.cohorts import cohort_codes
from riskbench.metrics.maturity.curve import DelayCurve
from riskbench.metrics.maturity.expected import LOOKS, clumps, score_fit, sums, weekly_spread
from riskbench.metrics.maturity.groups import cells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Events of the last so many days are tested; older ones say what is usual.
TESTED = LOOKS[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What is known of the events that could have a verdict."""

    dataset: Dataset
    age: Floats
    delay: Floats
    fraud: Mask
    score: Floats | None
    week: Ints
    weeks: tuple[str, ...]

    @property
    def young(self) -> Mask:
        """The events that are tested."""
        return self.age < TESTED


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What mature events lead to expect: each event's chance to be told by now, its share told, what is uncertain."""

    due: Floats
    share: Floats
    curve: Ints
    curves: tuple[DelayCurve, ...]
    frauds: int
    swell: float
    spread: float


def read_young(
    events: Dataset, labels: LabelState, score: str | None, asof: str | pd.Timestamp | None
) -> tuple[Read, int]:
    """Return the events that could have a verdict, and how many are left out."""
    time, told = events.column("time"), events.column("label_time")
    if labels.asof is None:
        raise DataError("Labels bear no time", hint="name the role 'label_time'")
    now = int(labels.asof.value // 1000)
    named = score if score is not None else ("score" if events.has("score") else None)
    kept = ~stopped(events) & time.present
    kept &= time.values <= (now if asof is None else micros(asof))
    values = None
    if named is not None:
        column = events.column(named)
        if column.kind not in ("int", "float", "bool"):
            raise DataError(f"The score {named!r} is no number", got=column.kind)
        values = np.where(column.present, column.values.astype(np.float64), -np.inf)[kept]
        values = np.where(np.isfinite(values), values, values[np.isfinite(values)].min(initial=0.0))
    codes, starts = cohort_codes(events, 7)
    weeks = tuple("" if start < 0 else str(np.datetime64(start // DAY, "D")) for start in starts)
    age = ((now - time.values) / DAY)[kept]
    both = told.present & (labels.state == FRAUD)
    delay = np.where(both, np.maximum((told.values - time.values) / DAY, 0.0), np.nan)[kept]
    fraud = (labels.state == FRAUD)[kept]
    return Read(events.where(kept), age, delay, fraud, values, codes[kept], weeks), int((~kept).sum())


def usual(read: Read, timed: Mask) -> Usual:
    """Return what mature events lead to expect: nothing of the tested weeks has a part in it."""
    old = ~read.young
    sourceless = read.dataset.with_roles(label_source=None) if read.dataset.has("label_source") else read.dataset
    ways = [name for name in ("payment_method",) if name in sourceless.table]
    held = cells(sourceless, timed & old, read.delay, read.age, ways)
    curves = tuple(held.curves.values())
    names = list(held.curves)
    which = np.array([names.index(name) if name in held.curves else 0 for name in held.names], dtype=np.int64)
    curve = which[held.group]
    share = np.zeros(len(read.age))
    for place, own in enumerate(curves):
        rows = curve == place
        share[rows] = own.at(read.age[rows])
    chance = _chances(read, old, share)
    due = np.minimum(chance * share, 1.0)
    entities = [_coded(read.dataset, name, old) for name in read.dataset.roles.entities]
    flat = np.full(int(old.sum()), float(read.fraud[old].mean())) if old.any() else due[old]
    # Against the score as well as without it: a score that knows the ring still does not know when it is told.
    swell = max(clumps(entities, read.week[old], read.fraud[old], base) for base in (due[old], flat))
    size = len(read.weeks)
    told = sums(read.week[old], read.fraud[old].astype(np.float64), size)
    expected = sums(read.week[old], due[old], size)
    by_chance = swell * sums(read.week[old], due[old] * (1.0 - due[old]), size)
    spread = weekly_spread(told, expected, by_chance)
    return Usual(due, share, curve, curves, int(read.fraud[old].sum()), swell, spread)


def _chances(read: Read, old: Mask, share: Floats) -> Floats:
    if read.score is None:
        return np.full(len(old), float(read.fraud[old].sum()) / max(float(share[old].sum()), 1e-9))
    return score_fit(read.score[old], read.fraud[old], share[old]).at(read.score)


def _coded(dataset: Dataset, column: str, rows: Mask) -> Ints:
    held = dataset.column(column)
    present = held.present[rows]
    _, codes = np.unique(held.values[rows], return_inverse=True)
    return np.where(present, codes, -1).astype(np.int64)
