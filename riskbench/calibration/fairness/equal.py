"""Which cuts bring every group to one rate, and which common cut narrows the gap most cheaply?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.calibration.curve import Curve, Rated, best, thin, violation
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.intervals import wilson

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rate = Literal["insult_rate", "approval_rate"]

#: A rate of fewer events than this is not measurable.
FEWEST = 20
#: Points of the common curve that are looked at for a cheaper way.
LOOKED_AT = 300
#: Steps from today's cuts to equal rates.
PARTS = 8

MOVES, THERE, NEARER = "a cut of its own", "already there", "as near as its events allow"
FEW = "not measurable: too few events"


@dataclass(frozen=True, slots=True, eq=False)
class Equal:
    """Cuts that bring groups to one rate.

    Attributes
    ----------
    cuts : ndarray of float64, shape (groups,)
        Each group's cut; the common one where it is not measurable.
    readings : tuple of str
        What became of each group.
    target : float
        The rate of all events at the common cut.
    """

    cuts: Floats
    readings: tuple[str, ...]
    target: float


def bearing(rated: Rated, rate: Rate) -> float:
    """Return how many events a rate is a share of."""
    return float(rated.total_goods) if rate == "insult_rate" else float(rated.total)


def measurable(drawn: Sequence[Curve], rate: Rate) -> Mask:
    """Return which groups have enough events to tell a rate."""
    return np.array([bearing(one, rate) >= FEWEST for one in drawn], dtype=bool)


def rates_at(drawn: Sequence[Curve], cuts: Sequence[float] | Floats, rate: Rate) -> Floats:
    """Return each group's rate at its cut; NaN without events."""
    return np.array([float(one.rate(rate)[one.table.point(float(cut))]) for one, cut in zip(drawn, cuts, strict=True)])


def rate_ends(drawn: Curve, cut: float, rate: Rate) -> tuple[float, float, float]:
    """Return a group's rate at a cut with its 95 % interval."""
    at = drawn.table.point(cut)
    value, n = float(drawn.rate(rate)[at]), float(np.asarray(drawn.bearing(rate))[at])
    if math.isnan(value) or n <= 0:
        return math.nan, math.nan, math.nan
    lower, upper = (float(end) for end in wilson(value * n, n)[1:])
    return value, min(lower, value), max(upper, value)


def gap(rates: Floats, told: Mask) -> float:
    """Return how far the highest rate lies above the lowest.

    >>> round(gap(np.array([0.1, 0.4, 0.9]), np.array([True, True, False])), 2)
    0.3
    """
    held = rates[told & ~np.isnan(rates)]
    return float(held.max() - held.min()) if len(held) > 1 else math.nan


def equalised(
    drawn: Sequence[Curve], cut: float, target: float, rate: Rate, *, tolerance: float, bounds: tuple[float, float],
    share: float = 1.0,
) -> Equal:  # fmt: skip
    """Return each group's cheapest cut whose rate lies within a tolerance of one rate.

    Parameters
    ----------
    drawn : sequence of Curve
        Each group's curve.
    cut : float
        The common cut.
    target : float
        The rate to bring them to.
    rate : str
        Which rate.
    tolerance : float
        How far from it is near enough.
    bounds : (float, float)
        The rule book's bounds.
    share : float, 0..1
        How much of the way from today's rate to that one each group goes.
    """
    told = measurable(drawn, rate)
    cuts, readings = np.full(len(drawn), cut), []
    for place, one in enumerate(drawn):
        if not told[place]:
            readings.append(FEW)
            continue
        every, values = one.table.cuts, one.rate(rate)
        start = one.table.point(cut)
        aim = float(values[start]) + share * (target - float(values[start]))
        far = np.abs(values - aim)
        if far[start] <= tolerance:
            readings.append(THERE)
            continue
        allowed = (every >= bounds[0]) & (every <= bounds[1]) & np.isfinite(every)
        near = allowed & (far <= tolerance)
        if not near.any():
            least = float(np.min(np.where(allowed, far, np.inf)))
            near = allowed & (far <= least + 1e-12) & (far < far[start])
        if not near.any():
            readings.append(NEARER)
            continue
        point = best(one.net, near)
        cuts[place] = float(every[point])
        readings.append(MOVES if far[point] <= tolerance else NEARER)
    return Equal(cuts, tuple(readings), target)


@dataclass(frozen=True, slots=True, eq=False)
class Common:
    """What common cuts do to the gap.

    Attributes
    ----------
    cuts, gaps, net : ndarray of float64, shape (cuts,)
        Cuts that can be had, the gap at each, and net value on the window.
    """

    cuts: Floats
    gaps: Floats
    net: Floats

    def cheapest(self, most: float) -> float | None:
        """Return the cut worth most whose gap is at most so wide; None where there is none."""
        near = np.flatnonzero(self.gaps <= most + 1e-12)
        return float(self.cuts[near[np.argmax(self.net[near])]]) if len(near) else None


def common_cuts(
    drawn: Sequence[Curve], whole: Curve, constraints: Sequence[Constraint], rate: Rate, *,
    cut: float, told: Mask, bounds: tuple[float, float],
) -> Common:  # fmt: skip
    """Return the gap and the net value at common cuts that keep to limits and bounds."""
    at = thin(whole, [whole.table.point(cut)], most=LOOKED_AT)
    every = whole.table.cuts[at]
    kept = (violation(whole, constraints)[at] <= 0) & (every >= bounds[0]) & (every <= bounds[1]) & np.isfinite(every)
    held = at[kept]
    cuts = whole.table.cuts[held]
    gaps = np.array([gap(rates_at(drawn, np.full(len(drawn), one), rate), told) for one in cuts])
    return Common(cuts, gaps, whole.net[held])
