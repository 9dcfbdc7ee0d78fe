"""When did it change? The stretch of bins that departs most from what was expected, and how sure its start is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

#: All stretches are looked at on so many coarse bins; the ends are then moved on the bins that were given.
COARSE = 64
#: So many simulated exceedances settle a p value that is not small.
_SETTLED = 20
_BATCH = 200
#: A later stretch prolongs the change when chance alone seldom makes one like it.
_AGAIN = 0.01
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ChangePoint:
    """The stretch of bins at another level than expected.

    It begins where the stretch that departs most begins. It ends where that one ends, or where the last one ends
    that follows it in the window and departs to the same side more than chance makes any: pauses are part of it.

    Attributes
    ----------
    start : int
        The first bin that is wholly in the stretch: the change may lie within the bin before.
    start_lower, start_upper : int
        The 95 % interval of the first bin, both ends included.
    end : int or None
        The first bin after the stretch; None when nothing speaks for an end before the last bin.
    end_lower, end_upper : int
        The 95 % interval of the first bin after it; the number of bins stands for "not within them".
    observed, expected : float
        The sums over the stretch.
    ratio, ratio_lower, ratio_upper : float
        Observed over expected, with its 95 % interval. The stretch was chosen because it departs, so that the ratio
        of a weak change is too far from 1.
    p_value : float
        How often chance alone, clumps and uncertain levels included, makes a stretch that departs as much.
    evidence : float
        The log-likelihood ratio against no change.
    resamples : int
        How many simulations the p value rests on.
    """

    start: int
    start_lower: int
    start_upper: int
    end: int | None
    end_lower: int
    end_upper: int
    observed: float
    expected: float
    ratio: float
    ratio_lower: float
    ratio_upper: float
    p_value: float
    evidence: float
    resamples: int


class _Level(NamedTuple):
    """How uncertain the expected level is: one spread for all bins, one a group of bins, relative."""

    group: Ints
    spread: Floats
    shared: float


class _Bins(NamedTuple):
    """Cumulated sums in units of the dispersion, and the edges of the coarse bins."""

    total: Floats
    mean: Floats
    level: _Level
    edges: Ints


def change_point(
    observed: npt.ArrayLike,
    expected: npt.ArrayLike,
    *,
    dispersion: float = 1.0,
    groups: npt.ArrayLike | None = None,
    group_spread: npt.ArrayLike | None = None,
    level_spread: float = 0.0,
    resamples: int = 999,
    seed: int = 0,
) -> ChangePoint | None:
    """Return the stretch of bins that departs most from what was expected.

    Use it on counts or sums over time, fine bins being welcome: a minute each. Read a small p value as: chance
    alone seldom makes such a stretch anywhere in these bins; then the start's interval says where it began.

    Parameters
    ----------
    observed : array, shape (bins,)
        The count or sum in each bin, in order of time, 0 or more.
    expected : array, shape (bins,)
        What the time before leads to expect there, 0 or more.
    dispersion : float
        Variance over mean of what is observed: 1 for single events, more where they come in clumps; for money in its
        unit.
    groups, group_spread : array, optional
        Which group (a day) each bin belongs to, ascending from 0; and each group's relative standard deviation: how
        much a whole day varies about what is expected of it.
    level_spread : float
        Relative standard error of the expected level as a whole.
    resamples : int
        Simulations for the p value.
    seed : int
        Of the simulations.

    Returns
    -------
    ChangePoint or None
        None where there is nothing to compare: no bins, or nothing expected and nothing observed.

    Raises
    ------
    ParameterError
        When the arrays do not fit each other, or a value is negative or not finite.

    Examples
    --------
    >>> found = change_point([2, 1, 2, 9, 8, 11, 2, 1], [2.0] * 8)
    >>> found.start, found.end, round(found.ratio, 1), found.p_value < 0.01
    (3, 6, 4.7, True)

    Source: Kulldorff, M. (1997), A spatial scan statistic, Communications in Statistics 26, 1481-1496, in one
    dimension and against a known level; Siegmund, D. (1988), Confidence sets in change-point problems, International
    Statistical Review 56, 31-48, for the interval of the start.
    """
    y, e = _checked(observed, expected)
    if not dispersion > 0:
        raise ParameterError("The dispersion is a ratio", got=dispersion, allowed="above 0")
    if not len(y) or not (y.sum() > 0 or e.sum() > 0):
        return None
    y, e = y / dispersion, np.maximum(e / dispersion, _LEAST / len(e))
    level = _level(len(y), groups, group_spread, level_spread)
    total, mean = _cumulated(y), _cumulated(e)
    bins = _Bins(total, mean, level, _coarse(mean, level.group))
    first, last = (bins.edges[place] for place in np.triu_indices(len(bins.edges), 1))
    weight = _weight(bins, first, last)
    strength = weight * _departure(total[last] - total[first], mean[last] - mean[first])
    best = int(np.argmax(strength))
    start, end, running = _settled(bins, int(first[best]), int(last[best]))
    chance = _chance(bins, weight, float(strength[best]), resamples=resamples, seed=seed)
    p_value = float(np.count_nonzero(chance >= strength[best] - 1e-12) + 1) / (len(chance) + 1)
    lower, upper = _around(_starts(bins, end), start, _margin(bins, start, end))
    fits, wave = _ends(bins, start), start
    while not running:
        on = 1.0 if total[end] - total[start] > mean[end] - mean[start] else -1.0
        more = strength * (first >= end) * (on * (total[last] - total[first]) > on * (mean[last] - mean[first]))
        again = int(np.argmax(more))
        if not more[again] > np.quantile(chance, 1 - _AGAIN):
            break
        rest = _later(bins, end)
        since, until, running = _settled(rest, int(first[again]) - end, int(last[again]) - end)
        fits, wave, end = _ends(rest, since), since + end, until + end
    end_lower, end_upper = _around(fits, end - wave - 1, _margin(bins, wave, end))
    inside, due = float(total[end] - total[start]), float(mean[end] - mean[start])
    spread = float(1 / _weight(bins, np.array([start]), np.array([end]))[0] - 1) / due
    ratio_lower, ratio_upper = _ratio_interval(inside, due, spread)
    return ChangePoint(
        start,
        lower,
        upper,
        None if running else end,
        wave + 1 + end_lower,
        wave + 1 + end_upper,
        inside * dispersion,
        due * dispersion,
        inside / due,
        ratio_lower,
        ratio_upper,
        p_value,
        float(strength[best]),
        len(chance),
    )


def _checked(observed: npt.ArrayLike, expected: npt.ArrayLike) -> tuple[Floats, Floats]:
    y, e = np.asarray(observed, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if y.shape != e.shape or y.ndim != 1:
        raise ParameterError("Observed and expected are one number a bin each", got=f"{y.shape} and {e.shape}")
    if not (np.isfinite(y).all() and np.isfinite(e).all() and (y >= 0).all() and (e >= 0).all()):
        raise ParameterError("Observed and expected are finite numbers", allowed="0 or more")
    return y, e


def _level(bins: int, groups: npt.ArrayLike | None, spread: npt.ArrayLike | None, shared: float) -> _Level:
    group = np.zeros(bins, dtype=np.intp) if groups is None else np.asarray(groups, dtype=np.intp)
    several = np.zeros(int(group[-1]) + 1) if spread is None else np.asarray(spread, dtype=np.float64)
    if len(group) != bins or (np.diff(group) < 0).any() or int(group[0]) < 0 or len(several) <= int(group[-1]):
        raise ParameterError("Groups are one ascending number a bin, and the spread one number a group")
    return _Level(group, several, float(shared))


def _cumulated(values: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(values)))


def _coarse(mean: Floats, group: Ints) -> Ints:
    """Return edges of coarse bins: half by time, half by what is expected, and where a group begins."""
    bins = len(group)
    if bins <= COARSE:
        return np.arange(bins + 1)
    pace = (mean / mean[-1] + np.arange(bins + 1) / bins) / 2
    edges = np.searchsorted(pace, np.linspace(0, 1, COARSE + 1)).clip(0, bins)
    begins = np.flatnonzero(np.diff(group)) + 1
    if len(begins) >= COARSE:
        begins = begins[:0]
    return np.unique(np.concatenate((edges, begins, np.array([0, bins])))).astype(np.intp)


def _departure(y: Floats, e: Floats) -> Floats:
    """Return the log-likelihood ratio of a sum against its expectation."""
    e = np.maximum(e, _LEAST)
    return np.where(y > 0, y * np.log(np.maximum(y, _LEAST) / e), 0.0) - (y - e)


def _weight(bins: _Bins, first: Ints, last: Ints) -> Floats:
    """Return the share of a stretch's variance that is the events' own, the rest being its uncertain level."""
    due = bins.mean[last] - bins.mean[first]
    whole = due + _variance(bins, first, last)
    return np.divide(due, whole, out=np.ones(len(due)), where=whole > 0)


def _variance(bins: _Bins, first: Ints, last: Ints) -> Floats:
    """Return the variance of a stretch's sum that its uncertain level makes."""
    mean, level = bins.mean, bins.level
    groups = int(level.group[-1]) + 1
    begin = np.searchsorted(level.group, np.arange(groups), "left")
    stop = np.searchsorted(level.group, np.arange(groups), "right")
    square = level.spread[:groups] ** 2
    whole = np.concatenate(([0.0], np.cumsum(square * (mean[stop] - mean[begin]) ** 2)))
    one, other = level.group[np.minimum(first, len(level.group) - 1)], level.group[np.maximum(last, 1) - 1]
    due = mean[last] - mean[first]
    apart = (
        square[one] * (mean[stop[one]] - mean[first]) ** 2
        + square[other] * (mean[last] - mean[begin[other]]) ** 2
        + whole[other]
        - whole[np.minimum(one + 1, other)]
    )
    return np.where(one == other, square[one] * due**2, apart) + level.shared**2 * due**2


def _fit(bins: _Bins, first: Ints, last: Ints) -> Floats:
    """Return the log-likelihood with a stretch at its own level, and what is before and after it about the expected.

    How far these two may lie from what is expected is as much as their level is uncertain: a gamma prior.
    """
    total, mean = bins.total, bins.mean
    count = np.full(1, len(total) - 1)
    return (
        _departure(total[last] - total[first], mean[last] - mean[first])
        + _about(bins, np.zeros(1, dtype=np.intp), first)
        + _about(bins, last, count)
    )


def _about(bins: _Bins, first: Ints, last: Ints) -> Floats:
    """Return the log-likelihood ratio of a sum whose level is drawn towards 1, the more the surer the level is."""
    y, due = bins.total[last] - bins.total[first], bins.mean[last] - bins.mean[first]
    variance = np.maximum(_variance(bins, first, last), due**2 * _LEAST)
    held = np.divide(due**2, variance, out=np.full(len(due), 1 / _LEAST), where=due > 0)
    shift = (y - due) / (due + held)
    # y log(y/e) written about its expectation, so that nothing large cancels
    return (y + held) * np.log1p(shift) - (due + held) * shift


def _starts(bins: _Bins, end: int) -> Floats:
    return _fit(bins, np.arange(end), np.full(end, end))


def _ends(bins: _Bins, start: int) -> Floats:
    ends = np.arange(start + 1, len(bins.total))
    return _fit(bins, np.full(len(ends), start), ends)


def _later(bins: _Bins, place: int) -> _Bins:
    """Return the bins from a place on."""
    total, mean, level, edges = bins
    edges = np.unique(np.concatenate(([0], edges[edges > place] - place)))
    return _Bins(
        total[place:] - total[place], mean[place:] - mean[place], level._replace(group=level.group[place:]), edges
    )


def _settled(bins: _Bins, start: int, end: int) -> tuple[int, int, bool]:
    """Return the ends moved to their best bins near the coarse ones, and whether nothing speaks for an end."""
    count = len(bins.total) - 1
    for _ in range(8):
        before = start, end
        start = _best_start(bins, start, end)
        low, high = _near(bins.edges, end, count)
        low = max(low, start + 1)
        end = low + int(np.argmax(_ends(bins, start)[low - start - 1 : high - start]))
        if (start, end) == before:
            break
    if end < count:
        ends = _ends(bins, start)
        if ends[-1] >= ends[end - start - 1] - _margin(bins, start, end):
            return _best_start(bins, start, count), count, True
    return start, end, end == count


def _best_start(bins: _Bins, start: int, end: int) -> int:
    low, high = _near(bins.edges, start, len(bins.total) - 1)
    return low + int(np.argmax(_starts(bins, end)[low : high + 1]))


def _near(edges: Ints, place: int, bins: int) -> tuple[int, int]:
    """Return the bins within two coarse edges of a place, the last included."""
    at = int(np.searchsorted(edges, place))
    return int(edges[max(0, at - 2)]), int(min(bins, edges[min(len(edges) - 1, at + 2)]))


def _margin(bins: _Bins, start: int, end: int) -> float:
    """Return how much less likely than the best a start may be to lie in its 95 % interval.

    The likelihood on the side of the lower level is a walk whose highest point exceeds x with chance near C exp(-x),
    and on the side of the higher level with chance exp(-x); C is the Cramer-Lundberg constant of the ratio.
    """
    total, mean = bins.total, bins.mean
    inside = (total[end] - total[start] + 0.5) / (mean[end] - mean[start] + 0.5)
    ratio = max(inside, 1 / inside)
    share = 1.0 if ratio < 1.001 else ((ratio - 1) - np.log(ratio)) / (ratio * np.log(ratio) - ratio + 1)
    chance = 0.1 / ((1 + share) + np.sqrt((1 + share) ** 2 - 0.2 * share))
    return float(-np.log(chance))


def _around(fits: Floats, best: int, margin: float) -> tuple[int, int]:
    """Return the first and last place that is about as likely as the best."""
    kept = np.flatnonzero(fits >= fits[best] - margin)
    return int(kept[0]), int(kept[-1])


def _chance(bins: _Bins, weight: Floats, strength: float, *, resamples: int, seed: int) -> Floats:
    """Return how much simulated bins without a change depart at most; fewer simulations where many depart as much."""
    rng = np.random.default_rng(seed)
    _, mean, level, edges = bins
    due = np.diff(mean[edges])
    group = level.group[edges[:-1]]
    one, other = np.triu_indices(len(edges), 1)
    stretch = mean[edges[other]] - mean[edges[one]]
    most: list[Floats] = []
    above, made = 0, 0
    while made < resamples and above < _SETTLED:
        size = min(_BATCH, resamples - made)
        factor = _factors(rng, level.spread[: int(level.group[-1]) + 1], size)[:, group]
        factor *= _factors(rng, np.array([level.shared]), size)
        drawn = np.cumsum(rng.poisson(due * factor), axis=1, dtype=np.float64)
        drawn = np.concatenate((np.zeros((size, 1)), drawn), axis=1)
        most.append((weight * _departure(drawn[:, other] - drawn[:, one], stretch)).max(axis=1))
        above += int(np.count_nonzero(most[-1] >= strength - 1e-12))
        made += size
    return np.concatenate(most) if most else np.zeros(0)


def _factors(rng: np.random.Generator, spread: Floats, size: int) -> Floats:
    """Return gamma factors of mean 1 and the relative standard deviations given; 1 where that is 0."""
    out = np.ones((size, len(spread)))
    varies = np.flatnonzero(spread > 1e-6)
    shape = 1.0 / spread[varies] ** 2
    out[:, varies] = rng.gamma(shape, 1.0 / shape, (size, len(varies)))
    return out


def _ratio_interval(observed: float, expected: float, spread: float) -> tuple[float, float]:
    """Return the 95 % interval of observed over expected: exact for the count, with the level's own variance."""
    from scipy.stats import chi2

    ratio = observed / expected
    lower = float(chi2.ppf(0.025, 2 * observed)) / 2 / expected if observed > 0 else 0.0
    upper = float(chi2.ppf(0.975, 2 * observed + 2)) / 2 / expected
    more = Z95 * float(np.log1p(max(spread, 0.0))) ** 0.5
    low = ratio * float(np.exp(-np.hypot(np.log(ratio / lower), more))) if lower > 0 else 0.0
    middle = max(ratio, 0.5 / expected)
    return low, middle * float(np.exp(np.hypot(np.log(upper / middle), more)))
