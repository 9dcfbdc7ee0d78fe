"""Who is still there after so many days, when not everybody could be watched so long?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def still_without(
    days: Floats, came: Mask, grid: Floats, *, weight: Floats | None = None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the share to whom nothing has happened by each day, with its 95 % interval, and how many are watched.

    Kaplan and Meier's estimate: who was not watched to the end counts as long as he was watched. The interval is
    Greenwood's on the scale of log(-log), with the number that weights leave; NaN from where nobody is watched.

    Parameters
    ----------
    days : ndarray of float
        Days until it happened, or until watching ended.
    came : ndarray of bool
        Whether it happened.
    grid : ndarray of float
        The days that are asked for, in order.
    weight : ndarray of float, optional
        What each counts for.

    Source: Kaplan, E. and Meier, P. (1958), JASA 53, 457-481.

    >>> share, low, high, watched = still_without(
    ...     np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False]), np.array([0.0, 1.0, 3.0]))
    >>> share.tolist(), watched.tolist()
    ([1.0, 0.75, 0.375], [4.0, 4.0, 2.0])
    """
    each = np.ones(len(days)) if weight is None else np.asarray(weight, dtype=np.float64)
    used = each > 0
    days, came, each = days[used], came[used], each[used]
    if not len(days):
        nothing = np.full(len(grid), np.nan)
        return nothing, nothing.copy(), nothing.copy(), np.zeros(len(grid))
    moments, place = np.unique(days, return_inverse=True)
    happened = np.bincount(place, weights=each * came, minlength=len(moments))
    risk = np.cumsum(np.bincount(place, weights=each, minlength=len(moments))[::-1])[::-1]
    squares = np.cumsum(np.bincount(place, weights=each**2, minlength=len(moments))[::-1])[::-1]
    effective = risk**2 / np.maximum(squares, 1e-300)
    hazard = np.clip(happened / np.maximum(risk, 1e-300), 0.0, 1.0)
    alive = np.cumprod(1.0 - hazard)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(hazard < 1, hazard / ((1.0 - hazard) * effective), 0.0)
    noise = np.cumsum(step)
    at = np.searchsorted(moments, grid, side="right") - 1
    share = np.where(at < 0, 1.0, alive[np.maximum(at, 0)])
    error = np.where(at < 0, 0.0, noise[np.maximum(at, 0)])
    first = np.searchsorted(moments, grid, side="left")
    watched = np.where(first < len(moments), risk[np.minimum(first, len(moments) - 1)], 0.0)
    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    logs = np.log(safe)
    half = Z95 * np.sqrt(error) / np.abs(logs)
    lower, upper = safe ** np.exp(half), safe ** np.exp(-half)
    seen = (watched > 0) | (share <= 0)
    return (
        np.where(seen, share, np.nan),
        np.where(seen, np.where(inside, lower, share), np.nan),
        np.where(seen, np.where(inside, upper, share), np.nan),
        watched,
    )


def median_days(days: Floats, came: Mask, grid: Floats) -> tuple[float | None, float | None, float | None]:
    """Return the day by which it has happened to half, with its interval; None where that day was not watched.

    >>> median_days(np.arange(1.0, 9.0), np.ones(8, bool), np.arange(0.0, 9.0))[0]
    4.0
    """
    share, low, high, _ = still_without(days, came, grid)

    def first(line: Floats) -> float | None:
        under = np.flatnonzero(line <= 0.5 + 1e-12)
        return float(grid[under[0]]) if len(under) else None

    return first(share), first(low), first(high)
