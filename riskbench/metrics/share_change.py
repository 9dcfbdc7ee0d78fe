"""Has a share changed? One period against another, where weeks differ by more than chance and counts are small."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95, wilson

Floats = npt.NDArray[np.float64]

#: Fewer reference weeks with events than this say nothing about how weeks differ.
FEWEST_WEEKS = 4
#: Above so many hits the exact test and its normal limit are the same.
_EXACT = 20_000


@dataclass(frozen=True, slots=True)
class ShareChange:
    """A share in two periods.

    Attributes
    ----------
    reference, current : float or None
        The shares; None without events.
    change, lower, upper : float or None
        Current less reference, with its 95 % interval.
    p : float
        The two-sided p value of no change; 1 without events.
    swell : float
        How many times more than chance alone the reference's weeks differ; counts are divided by it.
    """

    reference: float | None
    current: float | None
    change: float | None
    lower: float | None
    upper: float | None
    p: float
    swell: float


def share_change(
    hits: npt.ArrayLike, total: npt.ArrayLike, *, current_hits: float, current_total: float
) -> ShareChange:
    """Return how a share changed from a reference of several weeks to a current period.

    Use it for a rule's precision or alert rate. Weeks of one rule differ by more than chance, since frauds come in
    bursts: by how much is taken from the reference, and all counts weigh that much less. Read `change` with its
    interval before its p value.

    Parameters
    ----------
    hits, total : array, shape (weeks,)
        The reference, week by week.
    current_hits, current_total : float
        The current period as a whole.

    Examples
    --------
    >>> held = share_change([30, 28, 33, 29], [100, 100, 100, 100], current_hits=12, current_total=100)
    >>> round(held.change, 2), round(held.lower, 2), round(held.upper, 2), round(held.p, 4)
    (-0.18, -0.25, -0.09, 0.0002)

    Source: Fisher's exact test; Newcombe, R. G. (1998), Interval estimation for the difference between independent
    proportions, Statistics in Medicine 17, 873-890, method 10; the swelling as in McCullagh and Nelder (1989),
    Generalized Linear Models, 4.5, with each week one unit; then the p value is Student's over the weeks.
    """
    k, n = np.asarray(hits, dtype=np.float64), np.asarray(total, dtype=np.float64)
    k0, n0 = float(k.sum()), float(n.sum())
    k1, n1 = float(current_hits), float(current_total)
    if not n0 or not n1:
        return ShareChange(k0 / n0 if n0 else None, k1 / n1 if n1 else None, None, None, None, 1.0, 1.0)
    swell = weekly_swell(k, n)
    p0, p1 = k0 / n0, k1 / n1
    wide = swell if swell == 1.0 else swell * _student_width(int(np.count_nonzero(n)) - 1) ** 2
    _, low0, high0 = (float(x) for x in wilson(k0 / wide, n0 / wide))
    _, low1, high1 = (float(x) for x in wilson(k1 / wide, n1 / wide))
    lower = p1 - p0 - math.hypot(p1 - low1, high0 - p0)
    upper = p1 - p0 + math.hypot(high1 - p1, p0 - low0)
    whole0, whole1 = max(1, math.floor(n0 / swell)), max(1, math.floor(n1 / swell))
    p = exact_p(round(p0 * whole0), whole0, round(p1 * whole1), whole1)
    if swell > 1.0:
        p = _as_student(p, int(np.count_nonzero(n)) - 1)
    return ShareChange(p0, p1, p1 - p0, lower, upper, p, swell)


def _as_student(p: float, freedom: int) -> float:
    """Return a p value whose spread was estimated from a few weeks: the same distance, in Student's t."""
    from scipy.special import ndtri, stdtr

    return float(2 * stdtr(freedom, ndtri(max(p, 1e-300) / 2)))


def _student_width(freedom: int) -> float:
    """Return how many times wider Student's 95 % interval is than the normal one."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975)) / Z95


def weekly_swell(hits: Floats, total: Floats) -> float:
    """Return how many times more than chance a share differs from week to week; 1 at least.

    >>> round(weekly_swell(np.array([0.0, 50, 0, 50]), np.array([100.0, 100, 100, 100])), 1)
    44.4
    """
    used = total > 0
    k, n = hits[used], total[used]
    if len(n) < FEWEST_WEEKS:
        return 1.0
    share = float(k.sum() / n.sum())
    if share <= 0 or share >= 1:
        return 1.0
    far = float(((k - share * n) ** 2 / n).sum()) / (share * (1 - share))
    return max(1.0, far / (len(n) - 1))


def exact_p(k0: int, n0: int, k1: int, n1: int) -> float:
    """Return the two-sided p value of Fisher's exact test that two shares are one.

    >>> round(exact_p(3, 10, 9, 10), 4)
    0.0198
    """
    hits = k0 + k1
    if not hits or hits == n0 + n1:
        return 1.0
    if min(hits, n0 + n1 - hits) > _EXACT:
        from scipy.special import erfc

        share = hits / (n0 + n1)
        z = (k1 / n1 - k0 / n0) / math.sqrt(share * (1 - share) * (1 / n0 + 1 / n1))
        return float(erfc(abs(z) / math.sqrt(2)))
    from scipy.special import gammaln

    low, high = max(0, hits - n0), min(hits, n1)
    place = np.arange(low, high + 1, dtype=np.float64)

    def choose(top: float, below: Floats) -> Floats:
        return np.asarray(gammaln(top + 1) - gammaln(below + 1) - gammaln(top - below + 1))

    log = choose(float(n1), place) + choose(float(n0), hits - place)
    chance = np.exp(log - log.max())
    chance /= chance.sum()
    return min(1.0, float(chance[chance <= chance[k1 - low] * (1 + 1e-7)].sum()))
