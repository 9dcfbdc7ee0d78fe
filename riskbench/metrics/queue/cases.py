"""Which cases come, when, and what is at stake in each: read from a simulation's reviews or a dataset of cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_dataset
from riskbench.data.labels import FRAUD, LabelState, label_state
from riskbench.data.outcomes import ladder
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.costs import Costs, worth
from riskbench.metrics.queue.hours import DAY, WEEK, said
from riskbench.metrics.queue.names import named

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Fewer whole weeks of cases than this say nothing about how weeks differ.
FEWEST_WEEKS = 2
#: What all queues are called where no column names any.
ALL = "all cases"
#: More queues than this are no queues.
MOST_QUEUES = 100


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """The cases of some whole weeks, in the order in which they came.

    Attributes
    ----------
    moment : ndarray of float64, shape (cases,)
        Minutes on the wall clock since the Monday before the first case's week.
    block : ndarray of int64, shape (cases,)
        The seven-day block each came in, counted from the first day on.
    blocks : int
        How many whole blocks there are.
    queue : ndarray of int64, shape (cases,)
        Which of `names` each belongs to.
    names : tuple of str
        The queues.
    minutes : ndarray of float64, shape (cases,) or None
        Measured minutes of review, NaN where none were; None where no column holds them.
    rank : ndarray of float64, shape (cases,)
        What the order "value" goes by: the money in the case, which is known when it comes.
    worth : ndarray of float64, shape (cases,)
        What a review in time saves, in major units; NaN where that is not known.
    money : bool
        Whether there is money in the cases at all.
    currency : str
        Its code.
    span : str
        The days that the cases come from, in words.
    notes : tuple of str
        What was found or assumed on the way.
    inferred : float, 0..1
        The share of all worth that stands for cases without a verdict.
    fingerprint : str
        The content hash of the events.
    """

    moment: Floats
    block: Ints
    blocks: int
    queue: Ints
    names: tuple[str, ...]
    minutes: Floats | None
    rank: Floats
    worth: Floats
    money: bool
    currency: str
    span: str
    notes: tuple[str, ...]
    inferred: float
    fingerprint: str

    @property
    def valued(self) -> bool:
        """Whether it is known what a review in time saves."""
        return bool(len(self.worth)) and not np.isnan(self.worth[0])


def cases_of(
    source: object,
    *,
    minutes: str | None,
    value: str | None,
    queue: str | None,
    language: str | None,
    costs: Costs,
) -> Cases:
    """Return the review cases of a simulation, or all events of a dataset as cases.

    Raises
    ------
    ParameterError
        When the source is neither.
    DataError
        When there is no time, no case, or less than two whole weeks.
    """
    for name, given in (("queue", queue), ("language", language), ("value", value)):
        if given is not None and not isinstance(given, str):
            raise ParameterError(f"{name} names a column", got=said(given), allowed="text")
    events, picked, labels = _opened(source)
    if not events.has("time"):
        raise DataError("A queue needs to know when its cases came", hint="name the role 'time'")
    present = events.column("time").present
    local = events.local_times
    if not present.any():
        raise DataError("No event has a time, so no case has one")
    day = int(local[present].min()) // (DAY * 60_000_000)
    last = int(local[present].max()) // (DAY * 60_000_000) + 1
    blocks = (last - day) // 7
    if blocks < FEWEST_WEEKS:
        raise DataError(
            "A queue is drawn from the weeks that were seen, and there are too few of them.",
            got=f"{last - day} days",
            allowed=f"at least {FEWEST_WEEKS} whole weeks",
        )
    offset = (local - day * DAY * 60_000_000) / 60_000_000.0
    rows = np.flatnonzero(picked & present & (offset < blocks * WEEK))
    if not len(rows):
        raise DataError(
            "There is no case to review",
            hint="no live rule sends anything to review; simulate a book that does, or hand over a dataset of cases",
        )
    monday = (day + 3) % 7  # 1970-01-01 was a Thursday
    codes, names = _queues(events, rows, [column for column in (queue, language) if column is not None])
    notes = list(events.notes)
    saved, rank, money, inferred = _stakes(events, rows, labels, costs=costs, value=value, notes=notes)
    took = None if minutes is None else _measured(events, rows, minutes)
    # Cases of one moment stand by what they are, so that the order of the rows does not matter.
    order = np.lexsort((np.zeros(len(rows)) if took is None else took, saved, rank, codes, local[rows]))
    offset = offset[rows][order]
    return Cases(
        moment=offset + monday * DAY,
        block=(offset // WEEK).astype(np.int64),
        blocks=int(blocks),
        queue=codes[order],
        names=names,
        minutes=None if took is None else took[order],
        rank=rank[order],
        worth=saved[order],
        money=money,
        currency=events.currency.code if money else "",
        span=f"{_iso(day)} to {_iso(day + 7 * blocks)}",
        notes=tuple(dict.fromkeys(notes)),
        inferred=inferred,
        fingerprint=events.fingerprint,
    )


def _opened(source: Any) -> tuple[Dataset, Mask, LabelState | None]:
    """Return the events, which of them are cases, and what is known about them."""
    held = getattr(source, "hits", None)
    if held is not None and hasattr(held, "resolution"):
        effects = np.array([rung.effect for rung in ladder(held.dataset.domain).rungs])
        known = held.labels if held.dataset.roles.label is not None else None
        return held.dataset, (effects == "review")[held.resolution.level], known
    if not isinstance(source, Dataset):
        if isinstance(source, pd.DataFrame):
            a_dataset(source, name="cases")
        raise ParameterError(
            "A queue is made of a Simulation, or of a Dataset of cases",
            got=type(source).__name__,
            hint="rb.simulate(book, events) gives the first, rb.read(...) the second",
        )
    every = np.ones(source.rows, dtype=bool)
    return source, every, label_state(source) if source.roles.label is not None else None


def _queues(events: Dataset, rows: npt.NDArray[np.intp], columns: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    if not columns:
        return np.zeros(len(rows), dtype=np.int64), (ALL,)
    parts = [events.segment(column) for column in columns]
    joined = np.zeros(len(rows), dtype=np.int64)
    for codes, names in parts:
        joined = joined * len(names) + codes[rows]
    used, place = np.unique(joined, return_inverse=True)
    if len(used) > MOST_QUEUES:
        raise ParameterError(
            f"{' and '.join(columns)} make {len(used):,} queues", allowed=f"at most {MOST_QUEUES}", hint="name fewer"
        )
    told = []
    for code in used:
        words: list[str | None] = []
        rest = int(code)
        for column, (_, names) in zip(reversed(columns), reversed(parts), strict=True):
            rest, inner = divmod(rest, len(names))
            missing = events.column(column).missing and inner == len(names) - 1
            words.append(None if missing else names[inner])
        told.append(tuple(reversed(words)))
    return place.astype(np.int64), named(told)


def _measured(events: Dataset, rows: npt.NDArray[np.intp], name: str) -> Floats:
    held = events.column(name)
    if held.kind not in ("int", "float"):
        raise ParameterError(f"Column {name!r}, named in minutes=, holds no numbers", got=held.kind)
    values = np.where(held.present, held.values.astype(np.float64), np.nan)[rows]
    known = values[~np.isnan(values)]
    if not len(known):
        raise DataError(f"Column {name!r}, named in minutes=, is empty for every case")
    if (known < 0).any() or not np.isfinite(known).all():
        raise DataError(f"Column {name!r}, named in minutes=, holds minutes below 0 or without end")
    return np.asarray(values)


def _stakes(
    events: Dataset,
    rows: npt.NDArray[np.intp],
    labels: LabelState | None,
    *,
    costs: Costs,
    value: str | None,
    notes: list[str],
) -> tuple[Floats, Floats, bool, float]:
    """Return what a review in time saves, what "value" goes by, whether there is money, and the inferred share."""
    held = worth(events)
    scale = events.currency.scale if held.money else 1
    rank = held.value[rows] / scale
    if value is not None:
        column = events.column(value)
        if column.kind not in ("int", "float"):
            raise ParameterError(f"Column {value!r}, named in value=, holds no numbers", got=column.kind)
        told = np.where(column.present, column.values.astype(np.float64), 0.0)[rows]
        return told, told, True, 0.0
    if not held.money:
        return np.full(len(rows), np.nan), np.ones(len(rows)), False, 0.0
    if labels is None:
        notes.append("No label: what a review saves is not measurable; name value= for a column that says it.")
        return np.full(len(rows), np.nan), rank, True, 0.0
    state = labels.state[rows]
    loss = held.loss[rows] / scale * held.loss_weight(costs) * costs.review_catch
    saved = np.where(state == FRAUD, loss, 0.0)
    silent = state >= 2
    if not silent.any():
        return saved, rank, True, 0.0
    old = np.ones(len(rows), dtype=bool)
    if labels.mature_until is not None:
        from riskbench.data.dataset import micros

        old = events.column("time").values[rows] < micros(labels.mature_until)
    sure = old & ~silent
    base = float(rank[sure].sum())
    if base <= 0:
        notes.append("No case is old enough to be judged and has a verdict: what a review saves is not measurable.")
        return np.full(len(rows), np.nan), rank, True, 0.0
    share = float(saved[sure].sum()) / base
    saved = np.where(silent, rank * share, saved)
    total = float(saved.sum())
    part = float(saved[silent].sum()) / total if total > 0 else 0.0
    notes.append(
        f"{int(silent.sum()):,} of {len(rows):,} cases have no verdict: each is given the share of its money that a "
        f"review saved among mature cases with one ({100 * share:.1f} %)."
    )
    return saved, rank, True, part


def _iso(day: int) -> str:
    return str(np.datetime64(day, "D"))
