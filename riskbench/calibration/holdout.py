"""Does the cut keep its promise? Intervals for what the later window should show."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
#: How far an interval reaches below and above.
Reach = tuple[float, float]

#: Fewer whole weeks than this say nothing about how weeks differ.
FEWEST_WEEKS = 4
#: So many weeks as chance alone would make them stand beside those seen; by the study in `benchmarks/chosen_cut.py`.
CHANCE_WEEKS = 1


def promise_sum(
    weeks: Floats,
    total: float,
    variance: float,
    *,
    length: float,
    later: float,
    optimism: float = 0.0,
    realised: float | None = None,
    reach: tuple[Reach, Reach] | None = None,
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
        The sum over the whole window and the variance with which it is known.
    length, later : float
        Weeks in the choose window and in the later one.
    optimism : float
        How much of the total is luck of having chosen on it; the value and its interval are moved down by it.
    realised : float, optional
        The variance of the sum that comes true over a window of the same length; that of `total` is more where events
        stand for others. By default the same.
    reach : ((below, above), (below, above)), optional
        How far the sum of the window, and the sum of the later one, may lie below and above, where a few large events
        make that lopsided. By default the variances say so.

    Examples
    --------
    >>> [round(x, 1) for x in promise_sum(np.array([9.0, 11, 10, 10]), 40.0, 40.0, length=4, later=4)]
    [10.0, 5.6, 14.4]
    """
    comes = variance if realised is None else realised
    known = math.sqrt(max(variance, 0.0))
    ahead = math.sqrt(max(comes, 0.0) * later / length)
    ends = ((Z95 * known, Z95 * known), (Z95 * ahead, Z95 * ahead)) if reach is None else reach
    share = min(1.0, comes / variance) if variance > 0 else 1.0
    between = _between(weeks, later, chance=variance / length, share=share)
    # Weeks that differ by more than chance come on top of the few large events that chance makes lopsided.
    more = max(between**2 - Z95**2 * ((known / length) ** 2 + (ahead / later) ** 2), 0.0)
    below, above = (
        math.hypot(first / length, second / later, math.sqrt(more)) for first, second in zip(*ends, strict=True)
    )
    middle = total / length - optimism / length
    return middle, middle - below, middle + above


def promise_ratio(
    parts: Floats,
    wholes: Floats,
    *,
    part: float,
    whole: float,
    later_whole: float,
    later: float,
    clustered: float | None = None,
    borne: float | None = None,
) -> tuple[float, float, float] | None:
    """Return a share and the 95 % interval that its later value should fall into; None where it has no base.

    As `promise_sum`, by the linearised ratio: residuals part - share x whole per week. `clustered` is the sum of
    squared residuals over entities, where their events come together; `borne` is how many events of equal weight would
    tell the share as surely, where events stand for others.

    Examples
    --------
    >>> weeks = np.array([5.0, 4, 6, 5])
    >>> [round(x, 2) for x in promise_ratio(weeks, weeks * 2, part=20, whole=40, later_whole=40, later=4)]
    [0.5, 0.28, 0.72]
    """
    if whole <= 0:
        return None
    share = part / whole
    seen = whole if borne is None else borne
    # Two more of each kind keep the variance above zero at 0 and at 1.
    steady = (share * seen + 2) / (seen + 4)
    half = Z95 * math.sqrt(steady * (1 - steady) * (1 / max(seen, 1e-9) + 1 / max(later_whole, 1.0)))
    if clustered is not None:
        half = max(half, Z95 * math.sqrt(clustered * (1 + whole / max(later_whole, 1.0))) / whole)
    if len(parts) >= FEWEST_WEEKS and wholes.sum() > 0:
        chance = steady * (1 - steady) * whole / seen * whole / len(parts) / wholes.mean() ** 2
        apart = (parts - share * wholes) / wholes.mean()
        half = max(half, _between(apart, later, chance=chance, share=min(1.0, seen / whole)))
    return share, max(0.0, share - half), min(1.0, share + half)


def _between(weeks: Floats, later: float, *, chance: float | None = None, share: float = 1.0) -> float:
    """Return the half width that differing weeks call for.

    `chance` is the variance of a week's sum by chance alone, where it is known; `share` that part of it that events to
    come will show.
    """
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
    beside = 0 if chance is None else CHANCE_WEEKS
    mixed = ((count - 1) * spread * swell + beside * (chance or 0.0)) / (count - 1 + beside)
    t = float(stdtrit(count - 1 + beside, 0.975))
    return t * math.sqrt(mixed * (1 / count + share / later))


def mean_interval(
    weeks: Floats, total: float, variance: float, *, length: float, reach: Reach | None = None
) -> tuple[float, float, float]:
    """Return a sum's value per week with the 95 % interval of its mean; the wider of chance and differing weeks.

    >>> [round(x, 1) for x in mean_interval(np.array([9.0, 11, 10, 10]), 40.0, 40.0, length=4)]
    [10.0, 6.9, 13.1]
    """
    half = Z95 * math.sqrt(max(variance, 0.0))
    between = _between(weeks, math.inf, chance=max(variance, 0.0) / length)
    below, above = (max(end / length, between) for end in ((half, half) if reach is None else reach))
    return total / length, total / length - below, total / length + above
