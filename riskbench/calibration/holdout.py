"""Does the cut keep its promise? Intervals for what the later window should show."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]

#: Fewer whole weeks than this say nothing about how weeks differ.
FEWEST_WEEKS = 4


def promise_sum(
    weeks: Floats, total: float, variance: float, *, length: float, later: float, optimism: float = 0.0
) -> tuple[float, float, float]:
    """Return the value per week that a sum promises, and the 95 % interval that its later weekly mean should fall into.

    Two sources of chance are weighed and the wider one counts: events come by chance (`variance`, Poisson), and
    weeks differ (Student's t over whole weeks; weeks that resemble their neighbours count for fewer). With
    fewer than four whole weeks only the first is known.

    Parameters
    ----------
    weeks : ndarray of float64, shape (whole weeks,)
        The weekly sums on the choose window.
    total, variance : float
        The sum over the whole window and its Poisson variance.
    length, later : float
        Weeks in the choose window and in the later one.
    optimism : float
        How much of the total is luck of having chosen on it; the value and its interval are moved down by it.

    Examples
    --------
    >>> [round(x, 1) for x in promise_sum(np.array([9.0, 11, 10, 10]), 40.0, 40.0, length=4, later=4)]
    [10.0, 5.6, 14.4]
    """
    rate = total / length
    half = Z95 * math.sqrt(max(variance, 0.0) / length * (1 / length + 1 / later))
    half = max(half, _between(weeks, later))
    middle = rate - optimism / length
    return middle, middle - half, middle + half


def promise_ratio(
    parts: Floats,
    wholes: Floats,
    *,
    part: float,
    whole: float,
    later_whole: float,
    later: float,
    clustered: float | None = None,
) -> tuple[float, float, float] | None:
    """Return a share and the 95 % interval that its later value should fall into; None where it has no base.

    As `promise_sum`, by the linearised ratio: residuals part - share x whole per week. `clustered` is the sum of
    squared residuals over entities, where their events come together.

    Examples
    --------
    >>> weeks = np.array([5.0, 4, 6, 5])
    >>> [round(x, 2) for x in promise_ratio(weeks, weeks * 2, part=20, whole=40, later_whole=40, later=4)]
    [0.5, 0.28, 0.72]
    """
    if whole <= 0:
        return None
    share = part / whole
    # Two more of each kind keep the variance above zero at 0 and at 1.
    steady = (part + 2) / (whole + 4)
    half = Z95 * math.sqrt(steady * (1 - steady) * (1 / whole + 1 / max(later_whole, 1.0)))
    if clustered is not None:
        half = max(half, Z95 * math.sqrt(clustered * (1 + whole / max(later_whole, 1.0))) / whole)
    if len(parts) >= FEWEST_WEEKS and wholes.sum() > 0:
        half = max(half, _between((parts - share * wholes) / wholes.mean(), later))
    return share, max(0.0, share - half), min(1.0, share + half)


def _between(weeks: Floats, later: float) -> float:
    """Return the half width that differing weeks call for."""
    from scipy.special import stdtrit  # Student's quantile, without all of scipy.stats

    count = len(weeks)
    if count < FEWEST_WEEKS:
        return 0.0
    spread = float(np.var(weeks, ddof=1))
    if spread <= 0:
        return 0.0
    apart = weeks - weeks.mean()
    alike = float((apart[1:] * apart[:-1]).sum() / (apart * apart).sum())
    alike = min(max(alike, 0.0), 0.6)
    swell = (1 + alike) / (1 - alike)
    return float(stdtrit(count - 1, 0.975)) * math.sqrt(spread * swell * (1 / count + 1 / later))


def mean_interval(weeks: Floats, total: float, variance: float, *, length: float) -> tuple[float, float, float]:
    """Return a sum's value per week with the 95 % interval of its mean; the wider of chance and differing weeks.

    >>> [round(x, 1) for x in mean_interval(np.array([9.0, 11, 10, 10]), 40.0, 40.0, length=4)]
    [10.0, 6.9, 13.1]
    """
    half = max(Z95 * math.sqrt(max(variance, 0.0)) / length, _between(weeks, math.inf))
    return total / length, total / length - half, total / length + half
