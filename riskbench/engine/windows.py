"""What each entity did in the time just before an event: sums, counts and extremes over windows, all at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

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


def whole_sums(values: Ints, history: History, lower: Ints) -> Ints | Floats:
    """Return each window's sum of integers (missing ones are zero); floats only where 64 bits cannot hold them."""
    held = values[history.rows]
    if not len(held) or float(np.abs(held.astype(np.float64)).sum()) < _SAFE:
        return _span(_prefix(held), history.upper, lower)
    high = _span(_prefix(held >> 32), history.upper, lower)
    low = _span(_prefix(held & 0xFFFFFFFF), history.upper, lower)
    high, low = high + (low >> 32), low & 0xFFFFFFFF
    if int(np.abs(high).max()) < 2**31 - 1:
        return (high << 32) + low
    return high.astype(np.float64) * 2.0**32 + low.astype(np.float64)


def float_sums(values: Floats, history: History, lower: Ints) -> Floats:
    """Return each window's sum of floats (missing ones are zero), the same in any order of rows.

    Values of at most six decimals below nine thousand million are added as decimals, so that three times
    0.1 is 0.3; others are added in binary without rounding before the end. A window with infinity of one
    sign sums to it, one with both signs to NaN.
    """
    held = values[history.rows]
    upper = history.upper
    finite = np.isfinite(held)
    tame = held if bool(finite.all()) else np.where(finite, held, 0.0)
    whole, decimals, fine = _as_decimals(tame)
    total = _decimal_sums(whole, decimals, upper, lower)
    if fine is not None:
        total = total + _binary_sums(np.where(fine, tame, 0.0), upper, lower)
    if tame is not held:
        above = _span(_prefix((held == np.inf).astype(np.int64)), upper, lower) > 0
        below = _span(_prefix((held == -np.inf).astype(np.int64)), upper, lower) > 0
        total = np.where(above & below, np.nan, np.where(above, np.inf, np.where(below, -np.inf, total)))
    return total


def _as_decimals(values: Floats) -> tuple[Ints, int, Mask | None]:
    """Return values as integers over a power of ten, its exponent, and which values are none (they count zero)."""
    small = np.abs(values) < _DECIMAL_LIMIT
    fine = ~small
    for decimals in (0, 2, 3, _DECIMALS):
        scale = 10.0**decimals
        scaled = np.rint(np.where(small, values, 0.0) * scale)
        same = small & (scaled / scale == values)
        if bool(same.all()):
            return scaled.astype(np.int64), decimals, None
        fine = ~same
    return np.where(fine, 0.0, scaled).astype(np.int64), _DECIMALS, fine


def _decimal_sums(whole: Ints, decimals: int, upper: Ints, lower: Ints) -> Floats:
    scale = 10**decimals
    if not len(whole):
        return np.zeros(0)
    if float(np.abs(whole.astype(np.float64)).sum()) < _SAFE:
        major, rest = np.divmod(_span(_prefix(whole), upper, lower), scale)
    else:
        big, small = np.divmod(whole, scale)
        carry, rest = np.divmod(_span(_prefix(small), upper, lower), scale)
        major = _span(_prefix(big), upper, lower) + carry
    # One correctly rounded division while the quotient is exact; beyond, major units plus the rest. The
    # bound does not depend on `decimals`, so finer values elsewhere in the column change nothing here.
    close = np.abs(major) < _DECIMAL_LIMIT
    exact = (np.where(close, major, 0) * scale + rest).astype(np.float64) / scale
    return exact if bool(close.all()) else np.where(close, exact, major.astype(np.float64) + rest / scale)


def _binary_sums(values: Floats, upper: Ints, lower: Ints) -> Floats:
    """Return window sums by limbs of 28 bits, each added as an integer, the smallest put together first."""
    sizes = np.abs(values[values != 0.0])
    top = int(np.frexp(sizes.max())[1]) // _LIMB
    limbs: list[tuple[int, Ints]] = []
    rest, place = values, top
    while place >= -39 and bool(rest.any()):  # 2 to the power of -39 * 28 lies below the smallest float
        piece = np.trunc(np.ldexp(rest, -_LIMB * place))
        if piece.any():
            rest = rest - np.ldexp(piece, _LIMB * place)
            limbs.append((place, _span(_prefix(piece.astype(np.int64)), upper, lower)))
        place -= 1
    total = np.zeros(len(upper))
    with np.errstate(over="ignore", under="ignore"):
        for place, sums in reversed(limbs):
            total = total + np.ldexp(sums.astype(np.float64), _LIMB * place)
    return total


def distinct(codes: Ints, history: History, lower: Ints) -> Ints:
    """Return how many different codes (below 0: missing) each window holds.

    An event counts in the windows in which it is the last one with its code: those are neighbours in the
    history, so each event adds one at the first of them and takes it away after the last.
    """
    value = codes[history.rows]
    count = len(value)
    here = np.flatnonzero(value >= 0)
    keys = (value[here] << history.bits) | here
    keys.sort()
    at, code = keys & ((1 << history.bits) - 1), keys >> history.bits
    end = history.entity_end[at]
    again = (code[1:] == code[:-1]) & (end[1:] == end[:-1])
    until = end
    until[:-1] = np.where(again, history.tie_end[at[1:]], end[:-1])
    reached = np.cumsum(np.bincount(lower, minlength=count))  # the first window that begins after an event
    until = np.minimum(until, reached[at])
    steps = np.bincount(history.tie_end[at], minlength=count + 1) - np.bincount(until, minlength=count + 1)
    return np.cumsum(steps)[:count]


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


def _prefix(values: Ints) -> Ints:
    out = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=out[1:])
    return out


def _span(prefix: Ints, upper: Ints, lower: Ints) -> Ints:
    return prefix[upper] - prefix[lower]
