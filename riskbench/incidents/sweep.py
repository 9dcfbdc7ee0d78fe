"""Which segments left their own history, in which measure, from when to when? One alarm for one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.engine.literals import of_float, quoted
from riskbench.incidents.measure import Measure
from riskbench.metrics.anomaly import FEWEST, excess, located, sweep, tail
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import Z95
from riskbench.rules.mining.pieces import column_text

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Of a column, so many values are swept, those with the most events; and none with fewer events than this.
MOST_VALUES, FEWEST_EVENTS = 250, 30
#: Money above this share of the amounts counts as that much: one large order is no incident.
_LARGEST = 0.995
#: Cells of hours and series that are held at a time.
_CELLS = 3_000_000
#: Alarms that are compared with each other, strongest first.
_COMPARED = 150


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """The hours of the wall clock into which the events fall.

    Attributes
    ----------
    place : ndarray of int64, shape (rows,)
        Each event's hour from the first midnight on; below 0 where it is left out.
    first : int
        The first midnight on the wall clock, in hours since 1970.
    count : int
        How many hours there are; whole days.
    begin : int
        The first hour that is swept.
    baseline : ndarray of bool, shape (hours,)
        Hours that serve as history.
    """

    place: Ints
    first: int
    count: int
    begin: int
    baseline: Mask

    @property
    def weekday(self) -> int:
        """The weekday of the first day, Monday 0."""
        return (self.first // 24 + 3) % 7


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A column whose values are swept.

    Attributes
    ----------
    column : str or None
        Its name; None: all events as one segment.
    codes : ndarray of int64, shape (rows,)
        Each event's value, below 0 where it is not swept.
    names : tuple of str
        The values.
    said : tuple of str
        Each value as rule text.
    left_out : int
        Values with too few events.
    """

    column: str | None
    codes: Ints
    names: tuple[str, ...]
    said: tuple[str | None, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Alarm:
    """One segment that left its own history for some hours, in one measure."""

    measure: Measure
    part: Part
    values: tuple[int, ...]
    start: int
    stop: int
    observed: float
    expected: float
    spread: float
    history: float
    unit: float
    p: float
    q: float
    strength: float
    also: tuple[str, ...] = field(default=())

    @property
    def interval(self) -> tuple[float, float, float]:
        """How many times what was expected, with its 95 % interval."""
        y, mu = self.observed, max(self.expected, 1e-9)
        half = Z95 * float(np.sqrt(self.spread * (1.0 / max(y, 1.0) + 1.0 / max(self.history, 0.5))))
        return y / mu, y / mu * float(np.exp(-half)), y / mu * float(np.exp(half))


def part_of(dataset: Dataset, column: str, inside: Mask) -> Part:
    """Return a column's values with the most events, as segments to sweep."""
    name = dataset.resolve(column)
    held = dataset.column(name)
    codes, names = dataset.segment(name)
    counts = np.bincount(codes[inside], minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    order = order[counts[order] >= FEWEST_EVENTS]
    place = np.full(len(names), -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    missing = held.missing > 0
    said = tuple(
        value_text(name, names[code], held.kind, missing=missing and code == len(names) - 1) for code in order.tolist()
    )
    used = int(np.count_nonzero(counts))
    return Part(name, place[codes], tuple(names[code] for code in order.tolist()), said, used - len(order))


def value_text(column: str, value: str, kind: str, *, missing: bool = False) -> str | None:
    """Return `column = value` as rule text; None where the value cannot stand in a rule.

    >>> value_text("city", "it's", "string"), value_text("is_live", "False", "bool")
    ("city = 'it''s'", 'NOT is_live')
    """
    name = column_text(column)
    if missing:
        return f"{name} IS NULL"
    if kind == "bool":
        return name if value == "True" else f"NOT {name}"
    if kind == "int":
        return f"{name} = {value}"
    if kind == "float":
        return f"{name} = {of_float(float(value)).sql}"
    if kind == "time" or not (value.isprintable() and len(value) <= 200):
        return None
    return f"{name} = {quoted(value)}"


def alarms(
    measures: Sequence[Measure], parts: Sequence[Part], hours: Hours, *, level: float
) -> tuple[list[Alarm], int, int]:
    """Return the alarms, one for one thing and the strongest first, and how many series and windows were swept.

    A sum is swept as a segment's share of the sum of all, so that growth and campaigns that lift everything are no
    alarm; a rate as the segment's own, and that of all events.
    """
    swept = [found for measure in measures for part in parts for found in _swept(measure, part, hours)]
    p = np.concatenate([found.p for found in swept]) if swept else np.zeros(0)
    q = q_values(p, tests=sum(float(found.size.sum()) for found in swept))
    bar = float(p[q <= level].max()) if (q <= level).any() else -1.0
    raw: list[Alarm] = []
    place = 0
    for found in swept:
        own_q = q[place : place + len(found.p)]
        place += len(found.p)
        for row in np.flatnonzero((found.p <= bar) & (own_q <= level)).tolist():
            raw += _of_series(found, row, bar, float(own_q[row]))
    raw.sort(key=_order)
    one = _one_for_one_thing([alarm for alarm in raw if _many(alarm, hours)][:_COMPARED], swept, hours)
    return one, len(p), sum(found.tests for found in swept)


def _many(alarm: Alarm, hours: Hours) -> bool:
    """Tell whether an alarm is about more than a handful of events."""
    return int(np.count_nonzero(covers(alarm, hours) & (np.asarray(alarm.measure.amount) > 0))) >= FEWEST


def _order(alarm: Alarm) -> tuple[object, ...]:
    names = tuple(alarm.part.names[value] for value in alarm.values)
    return (-alarm.strength, alarm.measure.name, alarm.part.column or "", names, alarm.start)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    measure: Measure
    part: Part
    first: int
    observed: Floats
    expected: Floats
    unit: Floats
    p: Floats
    series: Ints
    start: Ints
    stop: Ints
    window_p: Floats
    spread: Floats
    history: Floats
    tests: int
    size: Floats
    jumps: Floats


def _swept(measure: Measure, part: Part, hours: Hours) -> list[_Found]:
    """Return what the sweep of one measure over one column finds, some values at a time."""
    if part.column is None and measure.exposure is None:
        return []  # the whole as a share of itself
    amount, exposure = weights(measure)
    used = (hours.place >= 0) & (part.codes >= 0)
    everything = hours.place >= 0
    out = []
    chunk = max(1, _CELLS // hours.count)
    square = np.bincount(part.codes[used], weights=amount[used] ** 2, minlength=len(part.names))
    sums = np.bincount(part.codes[used], weights=amount[used], minlength=len(part.names))
    money = measure.unit in ("money", "score")
    usual = float((amount[everything] ** 2).sum() / max(float(amount[everything].sum()), 1e-12))
    unit = (
        np.where(sums > 0, np.maximum(square / np.where(sums > 0, sums, 1.0), usual), 1.0)
        if money
        else np.ones(len(sums))
    )
    cube = np.bincount(part.codes[used], weights=amount[used] ** 3, minlength=len(part.names))
    jumps = np.where(square > 0, cube / np.where(square > 0, square, 1.0) / unit, 1.0) if money else None
    for first in range(0, len(part.names), chunk):
        size = min(chunk, len(part.names) - first)
        mine = used & (part.codes >= first) & (part.codes < first + size)
        cell = (part.codes[mine] - first) * hours.count + hours.place[mine]
        shape = (size, hours.count)
        observed = np.bincount(cell, weights=amount[mine], minlength=size * hours.count).reshape(shape)
        if exposure is None:
            whole = np.bincount(hours.place[everything], weights=amount[everything], minlength=hours.count)[None, :]
        else:
            whole = np.bincount(cell, weights=exposure[mine], minlength=size * hours.count).reshape(shape)
        own = unit[first : first + size, None]
        found = sweep(
            observed / own,
            np.broadcast_to(whole, shape) / own,
            baseline=hours.baseline,
            begin=hours.begin,
            first_weekday=hours.weekday,
            jumps=None if jumps is None else np.maximum(jumps[first : first + size], 1.0),
        )
        out.append(
            _Found(
                measure, part, first, observed / own, found.expected, unit[first : first + size], found.p, found.series,
                found.start, found.stop, found.window_p, found.spread, found.history, found.tests, found.size,
                np.ones(size) if jumps is None else np.maximum(jumps[first : first + size], 1.0),
            )
        )  # fmt: skip
    return out


def weights(measure: Measure) -> tuple[Floats, Floats | None]:
    """Return what each event adds to a measure's sum and to its exposure; very large amounts are held back."""
    amount = np.maximum(np.asarray(measure.amount, dtype=np.float64), 0.0)
    if measure.unit == "money" and (amount > 0).any():
        amount = np.minimum(amount, np.quantile(amount[amount > 0], _LARGEST))
    return amount, measure.exposure


def _of_series(found: _Found, row: int, bar: float, q: float) -> list[Alarm]:
    """Return a series' alarms: its windows that stand out, joined, each cut to the hours that explain it best."""
    mine = (found.series == row) & (found.window_p <= bar)
    order = np.argsort(found.start[mine], kind="stable")
    spans: list[list[float]] = []
    for start, stop, p in zip(
        found.start[mine][order], found.stop[mine][order], found.window_p[mine][order], strict=True
    ):
        if spans and start <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], stop)
            spans[-1][2] = min(spans[-1][2], p)
        else:
            spans.append([start, stop, p])
    y, mu = found.observed[row], found.expected[row]
    out = []
    for start, stop, p in spans:
        low, high = located(y, mu, max(0, int(start) - 24), min(len(y), int(stop) + 24))
        held, meant = float(y[low:high].sum()), float(mu[low:high].sum())
        out.append(
            Alarm(
                found.measure, found.part, (found.first + row,), low, high, held, meant, float(found.spread[row]),
                float(found.history[row]), float(found.unit[row]), float(p), q,
                float(excess(held, meant, max(1.0, float(found.spread[row])) * float(found.jumps[row]))),
            )
        )  # fmt: skip
    return out


def covers(alarm: Alarm, hours: Hours) -> Mask:
    """Return which events an alarm is about."""
    inside = (hours.place >= alarm.start) & (hours.place < alarm.stop)
    return inside & segment_of(alarm)


def segment_of(alarm: Alarm) -> Mask:
    """Return which events lie in an alarm's segment, at any time."""
    wanted = np.zeros(len(alarm.part.names) + 1, dtype=bool)
    wanted[list(alarm.values)] = True
    wanted[-1] = False
    return wanted[alarm.part.codes]


def _one_for_one_thing(raw: list[Alarm], swept: Sequence[_Found], hours: Hours) -> list[Alarm]:
    """Return the alarms that no stronger one explains; what is explained is named by the one that explains it."""
    kept: list[Alarm] = []
    masks: list[tuple[Mask, Mask]] = []
    bar = max((alarm.p for alarm in raw), default=0.0)
    for alarm in raw:
        mine = segment_of(alarm)
        inside = (hours.place >= alarm.start) & (hours.place < alarm.stop)
        amount, _ = weights(alarm.measure)
        held = mine & inside
        left, meant = alarm.observed, alarm.expected
        by = None
        gone = np.zeros(len(held), dtype=bool)
        past = mine & ~inside & (hours.place >= 0)
        whole = float(amount[past].sum())
        for place, (other, (segment, cover)) in enumerate(zip(kept, masks, strict=True)):
            hours_both = min(alarm.stop, other.stop) - max(alarm.start, other.start)
            if hours_both <= 0:
                continue
            both = held & cover & ~gone
            if not both.any():
                continue
            gone |= both
            share = float(amount[past & segment].sum()) / whole if whole > 0 else 0.0
            left = float(amount[held & ~gone].sum()) / alarm.unit
            meant -= alarm.expected * share * hours_both / (alarm.stop - alarm.start)
            if by is None:
                by = place
        if by is not None:
            meant = max(meant, 0.02 * alarm.expected)
            variance = alarm.spread * (meant + meant**2 / alarm.history)
            before = alarm.spread * (alarm.expected + alarm.expected**2 / alarm.history)
            chance = tail(
                np.array([left, alarm.observed]), np.array([meant, alarm.expected]), np.array([variance, before])
            )
            p = min(1.0, float(chance[0]) * alarm.p / max(float(chance[1]), 1e-300)) if chance[1] > 0 else 1.0
            still = left - meant > 0.5 * (alarm.observed - alarm.expected) and p <= bar
            if not still:
                kept[by] = _joined(kept[by], alarm)
                continue
        twin = next((place for place, other in enumerate(kept) if _twin(other, alarm)), None)
        if twin is not None:
            kept[twin] = _merged(kept[twin], alarm, swept)
            masks[twin] = (segment_of(kept[twin]), covers(kept[twin], hours))
            continue
        kept.append(alarm)
        masks.append((mine, held))
    return sorted(kept, key=_order)


def _twin(one: Alarm, other: Alarm) -> bool:
    """Tell whether two values of a column rose in the same hours: one thing in several values."""
    if one.part is not other.part or one.part.column is None:
        return False
    if set(one.values) & set(other.values):
        return False
    both = min(one.stop, other.stop) - max(one.start, other.start)
    either = max(one.stop, other.stop) - min(one.start, other.start)
    return both >= 0.5 * either


def _merged(one: Alarm, other: Alarm, swept: Sequence[_Found]) -> Alarm:
    """Return one alarm about the values of both, in the measure of the first."""
    values = tuple(sorted({*one.values, *other.values}))
    start, stop = min(one.start, other.start), max(one.stop, other.stop)
    held, meant, history = np.zeros(stop), np.zeros(stop), 0.0
    for found in swept:
        if found.measure is one.measure and found.part is one.part:
            rows = [value - found.first for value in values if 0 <= value - found.first < len(found.p)]
            unit = (found.unit[rows] / one.unit)[:, None]
            held += (found.observed[rows, :stop] * unit).sum(0)
            meant += (found.expected[rows, :stop] * unit).sum(0)
            history += float(found.history[rows].sum())
    start, stop = located(held, meant, start, stop)
    observed, expected = float(held[start:stop].sum()), float(meant[start:stop].sum())
    merged = replace(
        one, values=values, start=start, stop=stop, observed=observed, expected=expected, history=history,
        spread=max(one.spread, other.spread), p=min(one.p, other.p), q=max(one.q, other.q),
        strength=one.strength + other.strength, also=tuple(dict.fromkeys((*one.also, *other.also))),
    )  # fmt: skip
    return _joined(merged, other)


def _joined(one: Alarm, other: Alarm) -> Alarm:
    """Return the alarm with the name of the measure that it explains too."""
    also = (*one.also, other.measure.title, *other.also)
    return replace(one, also=tuple(name for name in dict.fromkeys(also) if name != one.measure.title))
