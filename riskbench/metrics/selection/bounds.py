"""What could events without a verdict add at most and at least? No guess about them, only their own size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.selection.draw import LEAST_ROWS, Draw, Floats, Ints, Mask

#: What all tightened bounds together may get wrong: half a percent, on each side.
_RISK = 0.005
#: Each chance must be one to be counted by the exact law; more distinct ones are not tightened.
_MOST_EXACT = 12


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which ends a total lies, whatever the events without a verdict are.

    Attributes
    ----------
    lower, upper : float
        The ends; where a let-through binds a part of the events, in at least 99 of 100 samples.
    all_good, all_fraud : float
        The total if no event without a verdict is fraud, and if all are.
    unlabelled : int
        How many events have no verdict.
    tightened : bool
        Whether a let-through narrowed the ends.
    """

    lower: float
    upper: float
    all_good: float
    all_fraud: float
    unlabelled: int
    tightened: bool


def bounds(
    values: npt.ArrayLike,
    labelled: Mask,
    chance: npt.ArrayLike,
    *,
    size: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
) -> Bounds:
    """Return between which ends a total lies, whatever the events without a verdict are.

    Use it where nothing was let through, or too little to estimate from. An event without a verdict adds its own
    size if it is fraud and nothing if it is good. Where let-through events say that at least or at most so many of a
    stratum are fraud (by the exact law of a draw without replacement), the smallest and the largest ones are taken;
    where a fraud may count less than its size, at least none.

    Parameters
    ----------
    values, labelled, chance, size, weight
        As in `weighted_total`. An event without a verdict whose chance is 0 or 1 is never tightened.

    Examples
    --------
    >>> found = bounds([0, 9, 0], np.array([True, True, False]), [1, 1, 0], size=[5, 9, 70])
    >>> found.lower, found.upper
    (9.0, 79.0)

    Source: Manski, C. F. (1989), Anatomy of the selection problem, Journal of Human Resources 24, 343-360.
    """
    draw = Draw.of(values, labelled, chance, weight=weight, size=size)
    sizes = np.asarray(size, dtype=np.float64)
    counted = float((draw.values * draw.weight).sum())
    silent = ~draw.labelled
    low, high = float(np.minimum(sizes[silent], 0).sum()), float(np.maximum(sizes[silent], 0).sum())
    plain = (counted + low, counted + high)
    strata = _exact(draw)
    partly = not np.allclose(draw.values, np.where(draw.values != 0, sizes, 0.0), rtol=1e-6)
    for rows in strata:
        rest = np.sort(sizes[rows[draw.rest[rows]]])
        sampled = rows[draw.sampled[rows]]
        least, most = _frauds(int((draw.values[sampled] != 0).sum()), len(sampled), len(rest), _RISK / len(strata))
        least = 0 if partly else least
        low += _smallest(rest, least, most) - float(np.minimum(rest, 0).sum())
        high += -_smallest(-rest[::-1], least, most) - float(np.maximum(rest, 0).sum())
    return Bounds(counted + low, counted + high, *plain, int(silent.sum()), bool(strata))


def _exact(draw: Draw) -> list[Ints]:
    """Return the rows of each chance that bears enough let-through rows and was one and the same for all of them."""
    open_ = draw.rest & (True if draw.size is None else draw.size != 0)
    distinct = np.unique(draw.chance[open_])
    if len(distinct) > _MOST_EXACT or bool((draw.weight[draw.sampled] != 1).any()):
        return []
    # A row of size 0 does not show whether it is fraud.
    active = (draw.sampled | draw.rest) & (True if draw.size is None else draw.size != 0)
    found = [np.flatnonzero(active & (draw.chance == chance)) for chance in distinct]
    return [rows for rows in found if int(draw.sampled[rows].sum()) >= LEAST_ROWS]


def _frauds(seen: int, drawn: int, rest: int, risk: float) -> tuple[int, int]:
    """Return how many of the rest are fraud at least and at most, of which so many were seen among those drawn."""
    from scipy.stats import hypergeom

    whole = np.arange(seen, seen + rest + 1)
    few = hypergeom.cdf(seen, drawn + rest, whole, drawn) >= risk
    many = hypergeom.sf(seen - 1, drawn + rest, whole, drawn) >= risk
    return int(np.argmax(many)), int(len(few) - 1 - np.argmax(few[::-1]))


def _smallest(sorted_sizes: Floats, least: int, most: int) -> float:
    """Return the smallest sum of between `least` and `most` of some ascending sizes."""
    negative = int(np.searchsorted(sorted_sizes, 0.0))
    return float(sorted_sizes[: int(np.clip(negative, least, most))].sum())
