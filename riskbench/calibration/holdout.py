"""Does the cut keep its promise? Windows to choose and to report on, and intervals for the later one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.lot import hashes
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Span = tuple[str | pd.Timestamp | None, str | pd.Timestamp | None]

_WEEK = 7 * DAY

#: Without time, entities are gathered into at most so many groups.
GROUPS = 20_000

#: Fewer whole weeks than this say nothing about how weeks differ.
FEWEST_WEEKS = 4


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
    """The window that the cut is chosen on, and the later one that it is judged on.

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
            notes.append(
                f"Events from {_iso(ripe)} on are too young for a verdict: what the cut does to them is not measurable."
            )
        elif max(micros(span[1]) if span[1] is not None else last for span in (choose_on, report_on)) > ripe:
            notes.append(f"The windows reach past {_iso(ripe)}: later events are too young for a verdict.")
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
        notes.append("No event lies in the later window: whether the cut keeps its promise is not measurable.")
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


def promise_sum(
    weeks: Floats, total: float, variance: float, *, length: float, later: float, optimism: float = 0.0
) -> tuple[float, float, float]:
    """Return a sum's value per week and the 95 % interval that its later weekly mean should fall into.

    Two sources of chance are weighed and the wider one counts: events come by chance (`variance`, Poisson), and
    weeks differ (Student's t over whole weeks; weeks that resemble their neighbours count for fewer). With
    fewer than four whole weeks only the first is known.

    Parameters
    ----------
    weeks : ndarray of float64, shape (whole weeks,)
        The weekly sums on the choose window.
    total, variance : float
        The sum over the whole window and its Poisson variance.
    length, later : float
        Weeks in the choose window and in the later one.
    optimism : float
        How much of the total is luck of having chosen on it; the interval is moved down by it.

    Examples
    --------
    >>> [round(x, 1) for x in promise_sum(np.array([9.0, 11, 10, 10]), 40.0, 40.0, length=4, later=4)]
    [10.0, 5.6, 14.4]
    """
    rate = total / length
    half = Z95 * math.sqrt(max(variance, 0.0) / length * (1 / length + 1 / later))
    half = max(half, _between(weeks, later))
    middle = rate - optimism / length
    return rate, middle - half, middle + half


def promise_ratio(
    parts: Floats,
    wholes: Floats,
    *,
    part: float,
    whole: float,
    later_whole: float,
    later: float,
    clustered: float | None = None,
) -> tuple[float, float, float] | None:
    """Return a share and the 95 % interval that its later value should fall into; None where it has no base.

    As `promise_sum`, by the linearised ratio: residuals part - share x whole per week. `clustered` is the sum of
    squared residuals over entities, where their events come together.

    Examples
    --------
    >>> weeks = np.array([5.0, 4, 6, 5])
    >>> [round(x, 2) for x in promise_ratio(weeks, weeks * 2, part=20, whole=40, later_whole=40, later=4)]
    [0.5, 0.28, 0.72]
    """
    if whole <= 0:
        return None
    share = part / whole
    # Two more of each kind keep the variance above zero at 0 and at 1.
    steady = (part + 2) / (whole + 4)
    half = Z95 * math.sqrt(steady * (1 - steady) * (1 / whole + 1 / max(later_whole, 1.0)))
    if clustered is not None:
        half = max(half, Z95 * math.sqrt(clustered * (1 + whole / max(later_whole, 1.0))) / whole)
    if len(parts) >= FEWEST_WEEKS and wholes.sum() > 0:
        half = max(half, _between((parts - share * wholes) / wholes.mean(), later))
    return share, max(0.0, share - half), min(1.0, share + half)


def _between(weeks: Floats, later: float) -> float:
    """Return the half width that differing weeks call for."""
    from scipy.special import stdtrit  # Student's quantile, without all of scipy.stats

    count = len(weeks)
    if count < FEWEST_WEEKS:
        return 0.0
    spread = float(np.var(weeks, ddof=1))
    if spread <= 0:
        return 0.0
    apart = weeks - weeks.mean()
    alike = float((apart[1:] * apart[:-1]).sum() / (apart * apart).sum())
    alike = min(max(alike, 0.0), 0.6)
    swell = (1 + alike) / (1 - alike)
    return float(stdtrit(count - 1, 0.975)) * math.sqrt(spread * swell * (1 / count + 1 / later))


def mean_interval(weeks: Floats, total: float, variance: float, *, length: float) -> tuple[float, float, float]:
    """Return a sum's value per week with the 95 % interval of its mean; the wider of chance and differing weeks.

    >>> [round(x, 1) for x in mean_interval(np.array([9.0, 11, 10, 10]), 40.0, 40.0, length=4)]
    [10.0, 6.9, 13.1]
    """
    half = max(Z95 * math.sqrt(max(variance, 0.0)) / length, _between(weeks, math.inf))
    return total / length, total / length - half, total / length + half
