"""What each entity did in the time just before an event: sums, counts and extremes over windows, all at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from riskbench.engine.totals import running, spans

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Clock:
    """The rows that have a time, in order of time.

    Attributes
    ----------
    rows : ndarray of int64
        The rows' positions in the table, earliest first.
    times : ndarray of int64
        Their times in microseconds.
    size : int
        The number of rows of the table.
    """

    rows: Ints
    times: Ints
    size: int
    _reaches: dict[int, Ints] = field(default_factory=dict)

    @classmethod
    def of(cls, times: Ints, valid: Mask | None) -> Clock:
        """Return the clock of a time column."""
        rows = np.arange(len(times)) if valid is None else np.flatnonzero(valid)
        held = times if valid is None else times[rows]
        if len(held) > 1 and bool((held[1:] < held[:-1]).any()):
            order = np.argsort(held)
            rows, held = rows[order], held[order]
        return cls(rows, held, len(times))

    def reach(self, window: int) -> Ints:
        """Return, for each place on the clock, the first place at or after its time less the window."""
        if window not in self._reaches:
            floor = np.iinfo(np.int64).min + window
            self._reaches[window] = np.searchsorted(self.times, np.maximum(self.times, floor) - window)
        return self._reaches[window]


@dataclass(frozen=True, eq=False)
class History:
    """Each entity's events in order of time, entity after entity; an event's window is `[lower, upper)` in it.

    Attributes
    ----------
    clock : Clock
        The order of time.
    keys : ndarray of int64
        Entity code and place on the clock in one sorted number.
    bits : int
        How many low bits hold the place.
    """

    clock: Clock
    keys: Ints
    bits: int
    _lowers: dict[int, Ints] = field(default_factory=dict)
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, clock: Clock, codes: Ints) -> History:
        """Return the histories of entities given as a code a row (below 0: no entity).

        Codes must stay below 2 to the power of 62 less the bits of the row count: see `compact`.
        """
        bits = max(1, len(clock.rows).bit_length())
        code = codes[clock.rows]
        keys = (code << bits) | np.arange(len(code))
        keys = keys[code >= 0]
        keys.sort()
        return cls(clock, keys, bits)

    @cached_property
    def place(self) -> Ints:
        """Each event's place on the clock."""
        return self.keys & ((1 << self.bits) - 1)

    @cached_property
    def rows(self) -> Ints:
        """Each event's row in the table."""
        return self.clock.rows[self.place]

    @cached_property
    def times(self) -> Ints:
        """Each event's time in microseconds."""
        return self.clock.times[self.place]

    @cached_property
    def fresh(self) -> Mask:
        """True where another entity begins."""
        entity = self.keys >> self.bits
        return _changes(entity)

    @cached_property
    def upper(self) -> Ints:
        """One past each window's last event: the first event of the same entity at the same time."""
        return _starts(self.fresh | _changes(self.times))

    @cached_property
    def tie_end(self) -> Ints:
        """The first event after those of the same entity at the same time."""
        return _ends(self.fresh | _changes(self.times))

    @cached_property
    def entity_end(self) -> Ints:
        """The first event of the next entity."""
        return _ends(self.fresh)

    def lower(self, window: int) -> Ints:
        """Return each window's first event: the first of the entity at or after the time less the window."""
        if window not in self._lowers:
            first = (self.keys - self.place) | self.clock.reach(window)[self.place]
            lower = self.upper.copy()
            # Windows without an event need no search.
            open_ = np.flatnonzero(self.keys[np.maximum(self.upper - 1, 0)] >= first) if len(first) else lower
            lower[open_] = np.searchsorted(self.keys, first[open_])
            self._lowers[window] = lower
        return self._lowers[window]

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` makes, made once for each key."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def scatter(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return values of the history in order of the table's rows; zero where a row has no history."""
        out = np.zeros(self.clock.size, dtype=values.dtype)
        out[self.rows] = values
        return out

    @cached_property
    def covered(self) -> Mask | None:
        """True for the rows that have a history; None when all have."""
        if len(self.keys) == self.clock.size:
            return None
        out = np.zeros(self.clock.size, dtype=bool)
        out[self.rows] = True
        return out


def _changes(values: npt.NDArray[Any]) -> Mask:
    out = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=out[1:])
    return out


def _starts(begins: Mask) -> Ints:
    return np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0)) if len(begins) else np.zeros(0, np.int64)


def _ends(begins: Mask) -> Ints:
    edges = np.append(np.flatnonzero(begins), len(begins))
    return np.repeat(edges[1:], np.diff(edges))


def compact(codes: Ints, *, limit: int) -> Ints:
    """Return codes (below 0: missing) that tell the same rows apart and stay below `limit`."""
    if not len(codes) or int(codes.max()) < limit:
        return codes
    _, inverse = np.unique(codes, return_inverse=True)
    missing = codes < 0
    return np.where(missing, np.int64(-1), inverse.astype(np.int64))


def counts(present: Mask | None, history: History, lower: Ints) -> Ints:
    """Return how many events (with a value, where `present` is given) each window holds."""
    if present is None:
        return history.upper - lower
    return spans(running(present[history.rows]), history.upper, lower)


@dataclass(frozen=True, eq=False)
class Words:
    """Where each value of one column comes again, from which each window's distinct count follows.

    An event counts in the windows in which it is the last one with its value. Those are neighbours in the
    history, so each event adds one at the first of them and takes it away after the last.

    Attributes
    ----------
    at : ndarray of int64
        The events that have a value.
    until : ndarray of int64
        For each, the first later window that holds the same value again, or the end of its entity.
    begun : ndarray of int64, shape (events + 1,)
        How many events begin to count at each window.
    """

    at: Ints
    until: Ints
    begun: Ints

    @classmethod
    def of(cls, codes: Ints, history: History) -> Words:
        """Return the words of codes given in order of the table's rows (below 0: missing)."""
        value = codes[history.rows]
        here = np.flatnonzero(value >= 0)
        keys = (value[here] << history.bits) | here
        keys.sort()
        at, code = keys & ((1 << history.bits) - 1), keys >> history.bits
        end = history.entity_end[at]
        again = (code[1:] == code[:-1]) & (end[1:] == end[:-1])
        until = end.copy()
        until[:-1] = np.where(again, history.tie_end[at[1:]], end[:-1])
        return cls(at, until, np.bincount(history.tie_end[at], minlength=len(value) + 1))

    def over(self, lower: Ints) -> Ints:
        """Return how many different values each window holds."""
        count = len(lower)
        reached = np.cumsum(np.bincount(lower, minlength=count))  # the first window that begins after an event
        ended = np.bincount(np.minimum(self.until, reached[self.at]), minlength=count + 1)
        return np.cumsum(self.begun - ended)[:count]


def extremes(values: npt.NDArray[Any], upper: Ints, lower: Ints, *, side: Literal["min", "max"]) -> npt.NDArray[Any]:
    """Return the smallest or largest of `values[lower:upper]`; zero where that is empty."""
    pick = np.minimum if side == "min" else np.maximum
    length = upper - lower
    out = np.zeros(len(length), dtype=values.dtype)
    if not len(length) or int(length.max()) <= 0:
        return out
    level = np.where(length > 0, np.frexp(np.maximum(length, 1).astype(np.float64))[1] - 1, -1)
    table, width = values, 1
    for step in range(int(level.max()) + 1):
        rows = np.flatnonzero(level == step)
        out[rows] = pick(table[lower[rows]], table[upper[rows] - width])
        table = pick(table[:-width], table[width:]) if len(table) > width else table
        width *= 2
    return out
