"""Which events is something chosen on, and which is it judged on? The first two thirds of the span, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.lot import hashes
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Span = tuple[str | pd.Timestamp | None, str | pd.Timestamp | None]

_WEEK = 7 * DAY

#: Without time, entities are gathered into at most so many groups.
GROUPS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One window of events.

    Attributes
    ----------
    mask : ndarray of bool, shape (rows,)
        The events in it.
    start, end : str or None
        Its first moment, and the first after it (ISO, UTC); None without time.
    length : float
        Weeks; thousands of events without time.
    blocks : ndarray of int64, shape (events in the window,)
        The 7-day block of each event, counted from the start; a last broken block has a number too. Without time,
        the group of entities it belongs to.
    whole : int
        How many blocks are whole weeks; 0 without time.
    """

    mask: Mask
    start: str | None
    end: str | None
    length: float
    blocks: Ints
    whole: int

    @property
    def words(self) -> str:
        """The window as a reader would say it."""
        if self.start is None:
            return f"{int(np.count_nonzero(self.mask)):,} events"
        return f"{self.start} to before {self.end}"


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The window that something is chosen on, and the later one that it is judged on.

    Attributes
    ----------
    choose, report : Window
        The two windows.
    out_of_time : bool
        Whether the second lies wholly after the first.
    per : str
        What sums are given for: "week", or "1,000 events" without time.
    clustered : bool
        Whether blocks are entities, whose events come together: they are what chance draws.
    notes : tuple of str
        What a reader must know about the split.
    """

    choose: Window
    report: Window
    out_of_time: bool
    per: Literal["week", "1,000 events"]
    clustered: bool
    notes: tuple[str, ...]


def split(
    dataset: Dataset,
    usable: Mask,
    *,
    choose_on: Span | None = None,
    report_on: Span | None = None,
    mature_until: pd.Timestamp | None = None,
    seed: int = 0,
    what: str = "the cut",
) -> Windows:
    """Return the windows: by default the first two thirds of the span, and the rest.

    Without time, entities (the first entity column, else ids) are split two to one by a seeded hash of their
    values, so that neither row order nor other rows matter.

    Parameters
    ----------
    dataset : Dataset
        The events.
    usable : ndarray of bool
        Events with a value to cut by; the span is theirs.
    choose_on, report_on : (start, end), optional
        start <= time < end, UTC; an open end is None.
    mature_until : Timestamp, optional
        Events from then on are too young for a verdict: the default windows end there.
    seed : int
        Of the split without time.
    what : str
        What is chosen, for the notes.

    Raises
    ------
    ParameterError
        When windows are named for events without time.
    DataError
        When no usable event lies in the first window.
    """
    if not dataset.has("time"):
        if choose_on is not None or report_on is not None:
            raise ParameterError("Windows need times", hint="name the role 'time'")
        return _by_hash(dataset, usable, seed)
    for name, span in (("choose_on", choose_on), ("report_on", report_on)):
        if span is not None and (not isinstance(span, tuple | list) or len(span) != 2):
            raise ParameterError(
                f"{name} takes a start and an end", got=repr(span), allowed='("2026-01-01", "2026-03-01")'
            )
    column = dataset.column("time")
    times, present = column.values.astype(np.int64), column.present
    timed = times[present & usable]
    if not len(timed):
        raise DataError("No event has both a time and a value to cut by")
    first, last = _rounded(int(timed.min()), int(timed.max()) + 1)
    notes = []
    ripe = last if mature_until is None else micros(mature_until)
    if first < ripe < last:
        if choose_on is None or report_on is None:
            notes.append(f"Events from {_iso(ripe)} on lie in no window: their silence does not mean good yet.")
        elif max(micros(span[1]) if span[1] is not None else last for span in (choose_on, report_on)) > ripe:
            notes.append(f"The windows reach past {_iso(ripe)}: the silence of later events does not mean good yet.")
        last = ripe
    spans = _spans(first, last, choose_on, report_on)
    choose, report = (_window(times, present, *span) for span in spans)
    if not (choose.mask & usable).any():
        if choose_on is None and len(timed) and timed.min() == timed.max():
            raise _one_moment(int(timed[0]), len(timed))
        raise DataError(f"No event to choose on lies in {choose.words}.", got=f"{_iso(first)} to {_iso(last)}")
    gone = column.missing
    if gone:
        notes.append(f"{gone:,} events have no time and are in neither window.")
    later = spans[1][0] >= spans[0][1]
    if not later:
        notes.append("The windows overlap or run backwards: the reported values are not out of time.")
    if not (report.mask & usable).any():
        notes.append(f"No event lies in the later window: whether {what} keeps its promise is not measurable.")
    return Windows(choose, report, later, "week", clustered=False, notes=tuple(notes))


def _one_moment(moment: int, count: int) -> DataError:
    events = "The only event happens" if count == 1 else f"All {count:,} events happen"
    return DataError(
        f"{events} at one moment ({pd.Timestamp(moment, unit='us')}): there is no earlier window to choose on and no "
        "later one to judge by.",
        hint="hand over events of a longer span, or leave out the role 'time' to split them by entity",
    )


def _spans(
    first: int, last: int, choose_on: Span | None, report_on: Span | None
) -> tuple[tuple[int, int], tuple[int, int]]:
    if choose_on is None and report_on is None:
        cut = first + (last - first) * 2 // 3
        if last - first > 14 * DAY:
            cut = (cut + DAY // 2) // DAY * DAY
        return (first, cut), (cut, last)
    if choose_on is None:
        later = _ends(report_on, first, last, "report_on")
        return (first, later[0]), later
    chosen = _ends(choose_on, first, last, "choose_on")
    return chosen, (
        (chosen[1], max(last, chosen[1])) if report_on is None else _ends(report_on, first, last, "report_on")
    )


def _rounded(first: int, last: int) -> tuple[int, int]:
    """Return a span's ends moved outwards to midnight, where that is less than an hour away."""
    hour = DAY // 24
    floor, ceiling = first // DAY * DAY, -(-last // DAY) * DAY
    return (floor if first - floor < hour else first), (ceiling if ceiling - last < hour else last)


def _ends(span: Span | None, first: int, last: int, name: str) -> tuple[int, int]:
    assert span is not None
    start = first if span[0] is None else micros(span[0])
    end = last if span[1] is None else micros(span[1])
    if end <= start:
        raise ParameterError(f"{name} ends before it starts", got=f"{span[0]} to {span[1]}")
    return start, end


def _window(times: Ints, present: Mask, start: int, end: int) -> Window:
    mask = present & (times >= start) & (times < end)
    whole = max(0, (end - start + 1) // _WEEK)  # a span that ends with its last event is a moment short
    return Window(mask, _iso(start), _iso(end), max(1, end - start) / _WEEK, (times[mask] - start) // _WEEK, int(whole))


def _iso(moment: int) -> str:
    stamp = pd.Timestamp(moment, unit="us")
    return f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}"


def _by_hash(dataset: Dataset, usable: Mask, seed: int) -> Windows:
    by = dataset.roles.entities[0] if dataset.roles.entities else dataset.roles.id
    hashed = hashes(dataset, by, seed)
    first = hashed < np.uint64(2**64 // 3 * 2)
    made = []
    for mask in (first, ~first):
        count = int(np.count_nonzero(mask))
        blocks = np.zeros(count, dtype=np.int64)
        if dataset.roles.entities:
            blocks = np.unique(hashed[mask] % np.uint64(GROUPS), return_inverse=True)[1].astype(np.int64)
        made.append(Window(mask, None, None, max(1, count) / 1000, blocks, 0))
    if not (made[0].mask & usable).any():
        raise DataError("No event has a value to cut by")
    note = f"No time: two thirds were drawn by {by} (seed {seed}) to choose on; the rest is not out of time."
    clustered = bool(dataset.roles.entities)
    return Windows(made[0], made[1], out_of_time=False, per="1,000 events", clustered=clustered, notes=(note,))
