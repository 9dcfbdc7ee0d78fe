"""What each entity did in the time just before an event: sums, counts and extremes over windows, all at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T")

#: Decimals up to which floats are summed as decimals, and the size below which that is exact.
_DECIMALS = 6
_DECIMAL_LIMIT = 2**53 // 10**_DECIMALS
_SAFE = 2.0**62
_LIMB = 28


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
    return _span(_prefix(present[history.rows].astype(np.int64)), history.upper, lower)


Over = Callable[[Ints], Any]


@dataclass(frozen=True, eq=False)
class Totals:
    """Running totals of one column along the histories, from which each window's sum is a difference.

    Attributes
    ----------
    over : callable
        Takes `History.lower(window)` and returns each window's sum.
    """

    over: Callable[[Ints], Ints | Floats]

    @classmethod
    def of_integers(cls, values: Ints, upper: Ints) -> Totals:
        """Return totals of integers in the order of the history; floats only where 64 bits cannot hold them."""
        if not len(values) or float(np.abs(values.astype(np.float64)).sum()) < _SAFE:
            prefix = _prefix(values)
            return cls(lambda lower: _span(prefix, upper, lower))
        highs, lows = _prefix(values >> 32), _prefix(values & 0xFFFFFFFF)

        def over(lower: Ints) -> Ints | Floats:
            low = _span(lows, upper, lower)
            high, low = _span(highs, upper, lower) + (low >> 32), low & 0xFFFFFFFF
            if int(np.abs(high).max()) < 2**31 - 1:
                return (high << 32) + low
            return high.astype(np.float64) * 2.0**32 + low.astype(np.float64)

        return cls(over)

    @classmethod
    def of_floats(cls, values: Floats, upper: Ints) -> Totals:
        """Return totals of floats in the order of the history, the same in any order of ties.

        Values of at most six decimals below nine thousand million are added as decimals, so that three times
        0.1 is 0.3; others are added in binary without rounding before the end. A window with infinity of one
        sign sums to it, one with both signs to NaN.
        """
        finite = np.isfinite(values)
        tame = values if bool(finite.all()) else np.where(finite, values, 0.0)
        whole, decimals, fine = _as_decimals(tame)
        parts = [_decimal(whole, decimals, upper)]
        if fine is not None:
            parts.append(_binary(np.where(fine, tame, 0.0), upper))
        if tame is values:
            return cls(parts[0] if len(parts) == 1 else lambda lower: parts[0](lower) + parts[1](lower))
        above, below = _prefix(values == np.inf), _prefix(values == -np.inf)

        def over(lower: Ints) -> Floats:
            total = sum(part(lower) for part in parts)
            up, down = _span(above, upper, lower) > 0, _span(below, upper, lower) > 0
            return np.where(up & down, np.nan, np.where(up, np.inf, np.where(down, -np.inf, total)))

        return cls(over)


def _as_decimals(values: Floats) -> tuple[Ints, int, Mask | None]:
    """Return values as integers over a power of ten, its exponent, and which values are none (they count zero)."""
    small = np.abs(values) < _DECIMAL_LIMIT
    tame = values if bool(small.all()) else np.where(small, values, 0.0)
    for decimals in (0, 2, 3, _DECIMALS):
        scale = 10.0**decimals
        scaled = np.rint(tame * scale)
        same = scaled / scale == values
        if bool(same.all()):
            return scaled.astype(np.int64), decimals, None
    return np.where(same, scaled, 0.0).astype(np.int64), _DECIMALS, ~same


def _decimal(whole: Ints, decimals: int, upper: Ints) -> Over:
    """Return the window sums of integers over a power of ten.

    A sum is one correctly rounded division while its quotient is exact; beyond, major units plus the rest. The
    bound does not depend on `decimals`, so that finer values elsewhere in the column change nothing.
    """
    scale = 10**decimals
    size = float(np.abs(whole.astype(np.float64)).sum())
    if size < _DECIMAL_LIMIT * scale:
        prefix = _prefix(whole)
        return lambda lower: _span(prefix, upper, lower) / scale
    if size < _SAFE:
        prefix = _prefix(whole)

        def split(lower: Ints) -> tuple[Ints, Ints]:
            return np.divmod(_span(prefix, upper, lower), scale)

    else:
        majors, rests = (_prefix(part) for part in np.divmod(whole, scale))

        def split(lower: Ints) -> tuple[Ints, Ints]:
            carry, rest = np.divmod(_span(rests, upper, lower), scale)
            return _span(majors, upper, lower) + carry, rest

    def over(lower: Ints) -> Floats:
        major, rest = split(lower)
        close = np.abs(major) < _DECIMAL_LIMIT
        exact = (np.where(close, major, 0) * scale + rest).astype(np.float64) / scale
        return np.where(close, exact, major.astype(np.float64) + rest / scale)

    return over


def _binary(values: Floats, upper: Ints) -> Over:
    """Return the window sums of floats by limbs of 28 bits, each added as an integer, the smallest first."""
    top = int(np.frexp(np.abs(values).max())[1]) // _LIMB
    limbs: list[tuple[int, Ints]] = []
    rest, place = values, top
    while place >= -39 and bool(rest.any()):  # 2 to the power of -39 * 28 lies below the smallest float
        piece = np.trunc(np.ldexp(rest, -_LIMB * place))
        if piece.any():
            rest = rest - np.ldexp(piece, _LIMB * place)
            limbs.append((place, _prefix(piece.astype(np.int64))))
        place -= 1

    def over(lower: Ints) -> Floats:
        total = np.zeros(len(upper))
        with np.errstate(over="ignore", under="ignore"):
            for at, prefix in reversed(limbs):
                total = total + np.ldexp(_span(prefix, upper, lower).astype(np.float64), _LIMB * at)
        return total

    return over


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


def _prefix(values: Ints | Mask) -> Ints:
    out = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=out[1:])
    return out


def _span(prefix: Ints, upper: Ints, lower: Ints) -> Ints:
    return prefix[upper] - prefix[lower]
