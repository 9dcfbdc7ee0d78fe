"""How far off may a matured figure be? The verdicts not yet seen, the uncertain delay curve, and clumps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity.curve import DelayCurve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Frauds of which nothing was seen that are allowed for where counts are small: half a fraud.
UNSEEN = 0.5
#: Below so small a shape a gamma distribution has nearly all of its mass at 0.
_LEAST_SHAPE = 0.2
#: Cells of the table that looks for clumps: at least so many frauds are expected in each.
_CELL = 5.0
_COHORTS, _STEPS = 12, 8
#: A table that chance makes in so few of a hundred cases speaks for clumps.
_CLUMPED = 0.05


def curve_variance(curves: Sequence[DelayCurve], bearer: Ints, ages: Floats, weights: Floats) -> float:
    """Return the variance of a sum of weights over shares that the uncertain curves make.

    Two events of one curve share the steps at all delays beyond the older one's age, so that their errors go the
    same way; events of different curves do not.

    Parameters
    ----------
    curves : sequence of DelayCurve
        The curves.
    bearer : ndarray of int64, shape (frauds,)
        Which curve corrects each fraud.
    ages : ndarray of float64, shape (frauds,)
        Its age in days.
    weights : ndarray of float64, shape (frauds,)
        What it adds to the corrected sum: its value over the share told by its age.

    Source: the delta method on the reverse-time product (Greenwood's formula in reverse); see `delay_curve`.

    >>> from riskbench.metrics.maturity import delay_curve
    >>> curve = delay_curve([1.0, 2.0, 3.0, 4.0], [90.0] * 4, fewest=1)
    >>> one = curve_variance([curve], np.array([0]), np.array([2.5]), np.array([1.0]))
    >>> two = curve_variance([curve], np.array([0, 0]), np.array([2.5, 2.5]), np.array([1.0, 1.0]))
    >>> round(one, 3), round(two / one, 3)
    (0.25, 4.0)
    """
    total = 0.0
    for place, curve in enumerate(curves):
        own = bearer == place
        if not curve.n or curve.wobble is None or not own.any():
            continue
        first = np.searchsorted(curve.days, ages[own], side="right")
        reach = np.bincount(first, weights=weights[own], minlength=len(curve.days) + 1)
        total += float((curve.wobble * np.cumsum(reach)[: len(curve.days)] ** 2).sum())
    return total


def unseen_interval(mean: float, variance: float) -> tuple[float, float]:
    """Return the 95 % interval of a sum not yet seen, 0 or more, from its mean and variance.

    A gamma distribution: skewed where little is expected, near the normal one where much is. Where its deviation is
    large beside the mean its upper end would fall to 0; it stays at that of a mean of nearly half the deviation.

    >>> [round(x, 2) for x in unseen_interval(1.0, 2.0)], unseen_interval(0.0, 0.0)
    ([0.0, 5.02], (0.0, 0.0))
    """
    if mean <= 0 or variance <= 0:
        return max(mean, 0.0), max(mean, 0.0)
    from scipy.special import gammaincinv

    shape = mean**2 / variance
    least = max(mean, (_LEAST_SHAPE * variance) ** 0.5)
    lower = float(gammaincinv(shape, 0.025)) * variance / mean
    return lower, float(gammaincinv(least**2 / variance, 0.975)) * variance / least


def share_interval(share: float, deviation: float) -> tuple[float, float]:
    """Return the 95 % interval of a share strictly between 0 and 1, on the scale of its odds."""
    if deviation <= 0:
        return share, share
    centre, half = np.log(share / (1 - share)), Z95 * deviation / (share * (1 - share))
    low, high = 1 / (1 + np.exp(-np.array([centre - half, centre + half])))
    return float(low), float(high)


def one_more(part: float, whole: float, share: float, open_: float, size: float) -> tuple[float, float]:
    """Return how low and high whole frauds still to be told may move a share; (1, 0) where they may well be none.

    One of a few moves it more than a normal law says; beyond a few the normal law is left to speak.

    Parameters
    ----------
    part, whole : float
        The sums above and below the line of what is told.
    share : float
        The share in the end.
    open_ : float
        What is still to be told, below the line.
    size : float
        What one fraud counts for, below the line.

    >>> [round(end, 3) for end in one_more(4.0, 15.0, 0.3, 0.2, 1.0)], one_more(4.0, 15.0, 0.3, 0.0, 1.0)
    ([0.25, 0.312], (1.0, 0.0))
    """
    if whole <= 0 or size <= 0 or not 0 <= share <= 1:
        return 1.0, 0.0
    from scipy.special import gammaincc

    def most(expected: float) -> float:
        """Return the fewest frauds that are exceeded in less than 1 of 40 cases; a normal law serves beyond a few."""
        return next((n for n in range(12) if gammaincc(n + 1, expected) >= 0.975), 0) if expected > 0 else 0

    above, beside = open_ * share / size, open_ * (1 - share) / size
    up, down = most(above) * size, most(beside) * size
    high = (part + up) / (whole + up + int(beside) * size) if up else 0.0
    low = (part + int(above) * size) / (whole + down + int(above) * size)
    return low if down else 1.0, high


def clumping(curves: Sequence[DelayCurve], bearer: Ints, ages: Floats, delays: Floats) -> float:
    """Return how many times more than chance alone the delays within cohorts vary: 1, or more where told in clumps.

    Cohorts of neighbouring ages are held against the curve: of those told so far, how many were told by each of
    some shares. Pearson's chi-square over its degrees of freedom is the ratio; it counts only where chance would
    seldom make it, since a ratio always taken as it comes would widen every interval.

    Parameters
    ----------
    curves, bearer, ages
        As in `curve_variance`.
    delays : ndarray of float64, shape (frauds,)
        Days until each fraud was told.
    """
    place = np.full(len(ages), np.nan)
    for number, curve in enumerate(curves):
        own = bearer == number
        if curve.n and own.any():
            told, whole, rises = curve.at(delays[own]), curve.at(ages[own]), np.diff(curve.share, prepend=0.0)
            jump = rises[np.clip(np.searchsorted(curve.days, delays[own], side="right") - 1, 0, None)]
            inside = whole > 0
            place[own] = np.where(inside, (told - jump / 2) / np.where(inside, whole, 1.0), np.nan)
    held = np.isfinite(place)
    size = int(np.count_nonzero(held))
    steps = min(_STEPS, int((size / _CELL) ** 0.5))
    cohorts = min(_COHORTS, int(size / (_CELL * max(steps, 1))))
    if steps < 2 or cohorts < 3:
        return 1.0
    # Where each fraud's delay lies among those it could have shown by its age: even on 0..1, whatever the age.
    rank = np.empty(size, dtype=np.int64)
    rank[np.argsort(ages[held], kind="stable")] = np.arange(size)
    row = rank * cohorts // size
    column = np.clip((place[held] * steps).astype(np.int64), 0, steps - 1)
    table = np.bincount(row * steps + column, minlength=cohorts * steps).reshape(cohorts, steps)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / size
    freedom = (cohorts - 1) * (steps - 1)
    chi = float((np.divide((table - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0)).sum())
    from scipy.special import chdtrc

    return chi / freedom if chdtrc(freedom, chi) < _CLUMPED else 1.0
