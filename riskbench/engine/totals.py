"""What do the events before each event sum to? Differences of running totals that are exact in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
            prefix = running(values)
            return cls(lambda lower: spans(prefix, upper, lower))
        highs, lows = running(values >> 32), running(values & 0xFFFFFFFF)

        def over(lower: Ints) -> Ints | Floats:
            low = spans(lows, upper, lower)
            high, low = spans(highs, upper, lower) + (low >> 32), low & 0xFFFFFFFF
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
        above, below = running(values == np.inf), running(values == -np.inf)

        def over(lower: Ints) -> Floats:
            total = sum(part(lower) for part in parts)
            up, down = spans(above, upper, lower) > 0, spans(below, upper, lower) > 0
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
        prefix = running(whole)
        return lambda lower: spans(prefix, upper, lower) / scale
    if size < _SAFE:
        prefix = running(whole)

        def split(lower: Ints) -> tuple[Ints, Ints]:
            return np.divmod(spans(prefix, upper, lower), scale)

    else:
        majors, rests = (running(part) for part in np.divmod(whole, scale))

        def split(lower: Ints) -> tuple[Ints, Ints]:
            carry, rest = np.divmod(spans(rests, upper, lower), scale)
            return spans(majors, upper, lower) + carry, rest

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
            limbs.append((place, running(piece.astype(np.int64))))
        place -= 1

    def over(lower: Ints) -> Floats:
        total = np.zeros(len(upper))
        with np.errstate(over="ignore", under="ignore"):
            for at, prefix in reversed(limbs):
                total = total + np.ldexp(spans(prefix, upper, lower).astype(np.float64), _LIMB * at)
        return total

    return over


def running(values: Ints | Mask) -> Ints:
    """Return running totals that begin with zero."""
    out = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=out[1:])
    return out


def spans(prefix: Ints, upper: Ints, lower: Ints) -> Ints:
    """Return the totals of `[lower, upper)`."""
    return prefix[upper] - prefix[lower]
