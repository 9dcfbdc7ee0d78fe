"""Which events is a change found on, and which is it judged on? The first two thirds of the span, and the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.labels import LabelState
from riskbench.data.lot import hashes
from riskbench.engine.columns import DAY
from riskbench.errors import DataError

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The events that something is found on, and those that it is judged on.

    Attributes
    ----------
    earlier, later : ndarray of bool, shape (rows,)
        The events of each.
    earlier_words, later_words : str
        What they are, as a reader would say it.
    out_of_time : bool
        Whether the second lie wholly after the first.
    notes : tuple of str
        What a reader must know about the split.
    """

    earlier: Mask
    later: Mask
    earlier_words: str
    later_words: str
    out_of_time: bool
    notes: tuple[str, ...]


def parts_of(dataset: Dataset, labels: LabelState, *, seed: int = 0) -> Parts:
    """Return the first two thirds of the span and the rest; without time, entities drawn two to one.

    Events too young for a verdict are in neither part: silence says nothing of them, and those that are told early
    are not like the others.

    Raises
    ------
    DataError
        When there are no events, or none with a time.
    """
    if not dataset.rows:
        raise DataError("There are no events to search")
    if not dataset.has("time"):
        by = dataset.roles.entities[0] if dataset.roles.entities else dataset.roles.id
        first = hashes(dataset, by, seed) < np.uint64(2**64 // 3 * 2)
        note = f"No time: two thirds of the events were drawn by {by} (seed {seed}); the rest is not out of time."
        words = [f"{int(part.sum()):,} events" for part in (first, ~first)]
        return Parts(first, ~first, words[0], words[1], out_of_time=False, notes=(note,))
    column = dataset.column("time")
    if not column.present.any():
        raise DataError("No event has a time", hint="leave out the role 'time' to split the events by entity")
    times, present, notes = column.values.astype(np.int64), column.present, []
    start, end = int(times[present].min()), int(times[present].max()) + 1
    if labels.asof is not None and labels.mature_after is not None:
        ripe = micros(labels.asof - pd.Timedelta(days=labels.mature_after))
        if start < ripe < end:
            notes.append(f"Events from {_iso(ripe)} on are too young for a verdict and are left out.")
            end = ripe
    cut = start + (end - start) * 2 // 3
    if end - start > 14 * DAY:
        cut = (cut + DAY // 2) // DAY * DAY
    if column.missing:
        notes.append(f"{column.missing:,} events have no time and are left out.")
    earlier, later = present & (times >= start) & (times < cut), present & (times >= cut) & (times < end)
    words = [f"{_iso(a)} to before {_iso(b)}" for a, b in ((start, cut), (cut, end))]
    return Parts(earlier, later, words[0], words[1], out_of_time=True, notes=tuple(notes))


def _iso(moment: int) -> str:
    stamp = pd.Timestamp(moment, unit="us")
    return f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}"
