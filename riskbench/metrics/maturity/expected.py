"""How much fraud should be told by now? Chances from mature events, and what makes them uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import wilson
from riskbench.metrics.maturity.curve import DelayCurve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Bins in which the score's chance is fitted before it is made to rise, and bands in which it is checked.
_BINS, BANDS = 60, 5
#: A segment's own level counts half once so many of its frauds are told; below, that of all.
DRAWN = 20.0
#: Days back from the as-of moment since when an excess is looked for: each a quarter more than the one before.
LOOKS = (7, 9, 11, 14, 17, 21, 27, 34, 43, 56)
#: A week with fewer expected frauds says nothing about how weeks vary.
_CELL = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class ScoreFit:
    """The chance of being told as fraud in the end, by score, never falling.

    Attributes
    ----------
    cuts : ndarray of float64, shape (bins,)
        The least score of each bin, ascending.
    chance : ndarray of float64, shape (bins,)
        The chance in each bin.
    """

    cuts: Floats
    chance: Floats

    def at(self, score: Floats) -> Floats:
        """Return the chance of some scores; of a missing one the chance of the lowest bin that holds them."""
        place = np.searchsorted(self.cuts, score, side="right") - 1
        return self.chance[np.clip(place, 0, len(self.chance) - 1)]


def score_fit(score: Floats, fraud: Mask, share: Floats) -> ScoreFit:
    """Return the chance of fraud by score: frauds told over those that could have been told, in bins made to rise.

    Parameters
    ----------
    score : ndarray of float64, shape (events,)
        Higher is riskier.
    fraud : ndarray of bool
        Which are told as fraud.
    share : ndarray of float64, 0..1
        The share of frauds of each event's age that is told.

    Source: Ayer, M. and others (1955), Annals of Mathematical Statistics 26, 641-647 (pool adjacent violators).

    >>> fit = score_fit(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, True, True, True]), np.ones(4))
    >>> fit.at(np.array([0.1, 0.85])).round(2).tolist()
    [0.0, 1.0]
    """
    if not len(score):
        return ScoreFit(np.array([-np.inf]), np.zeros(1))
    cuts = np.unique(np.quantile(score, np.linspace(0, 1, _BINS + 1)[:-1], method="lower"))
    place = np.clip(np.searchsorted(cuts, score, side="right") - 1, 0, len(cuts) - 1)
    told = sums(place, fraud.astype(np.float64), len(cuts))
    could = sums(place, share, len(cuts))
    return ScoreFit(cuts, np.clip(_rising(told, could), 0.0, 1.0))


def sums(place: Ints, weights: Floats, size: int) -> Floats:
    """Return the sum of weights at each of some places."""
    return np.asarray(np.bincount(place, weights=weights, minlength=size), dtype=np.float64)


def _rising(told: Floats, could: Floats) -> Floats:
    blocks: list[list[float]] = []
    for part, whole in zip(told.tolist(), could.tolist(), strict=True):
        blocks.append([part, whole, 1.0])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [one + other for one, other in zip(blocks[-1], last, strict=True)]
    rates = [block[0] / block[1] if block[1] > 0 else 0.0 for block in blocks]
    return np.repeat(rates, [int(block[2]) for block in blocks])


def calibration_check(score: Floats, fraud: Mask, share: Floats, age: Floats) -> list[tuple[float, float, float]]:
    """Return, per band of score, its least score, frauds expected and told on the newer half of mature events.

    The chances are fitted on the older half, so that what is checked is how they hold later on.
    """
    if len(score) < 2 * BANDS:
        return []
    newer = age < np.median(age)
    if newer.all() or not newer.any():
        return []
    fit = score_fit(score[~newer], fraud[~newer], share[~newer])
    expected = fit.at(score[newer]) * share[newer]
    # Events of one chance share a band, else the order of the rows would say where the edge falls among them.
    values, place, counts = np.unique(expected, return_inverse=True, return_counts=True)
    middle = np.cumsum(values * counts) - values * (counts - 1) / 2
    edges = np.linspace(0, 1, BANDS + 1)[1:-1] * float((values * counts).sum())
    bands = np.searchsorted(edges, middle, side="right")[place]
    rows = []
    for number in range(BANDS):
        band = np.flatnonzero(bands == number)
        if len(band):
            held = np.flatnonzero(newer)[band]
            rows.append((float(score[held].min()), float(expected[band].sum()), float(fraud[held].sum())))
    return rows


def shared_variance(curve: DelayCurve, mass: Floats) -> Floats:
    """Return the variance that an uncertain curve makes in what is expected of all events younger than each day.

    Parameters
    ----------
    curve : DelayCurve
        The curve.
    mass : ndarray of float64, shape (segments, days)
        What is expected to be told by now of events of each age in whole days.

    Returns
    -------
    ndarray of float64, shape (segments, days)
        Up to and with each day.
    """
    days = mass.shape[1]
    if not curve.n or curve.wobble is None:
        return np.zeros(mass.shape)
    ahead = np.concatenate((np.cumsum(curve.wobble[::-1])[::-1], [0.0]))
    later = ahead[np.searchsorted(curve.days, np.arange(days) + 0.5, side="right")]
    total = np.cumsum(mass, axis=1)
    return np.cumsum(later * np.diff(total**2, axis=1, prepend=0.0), axis=1)


def tail(told: Floats, expected: Floats, variance: Floats) -> Floats:
    """Return the chance of so many told or more: a binomial or negative binomial of that variance, else Poisson.

    Known scores take some of the chance away: the variance is then below what is expected.

    >>> tail(np.array([0.0, 5.0]), np.array([1.0, 1.0]), np.array([1.0, 2.0])).round(3).tolist()
    [1.0, 0.031]
    >>> tail(np.array([2.0]), np.array([1.0]), np.array([0.5])).round(3).tolist()  # two of two, each at even odds
    [0.25]
    """
    from scipy.special import betainc, gammainc

    mean = np.maximum(expected, 1e-9)
    more = variance - mean
    over, under = more > 1e-9 * mean, more < -1e-9 * mean
    size = mean**2 / np.where(over | under, np.abs(more), 1.0)
    count = np.maximum(told, 1e-12)
    chance = np.where(over, betainc(count, size, mean / (mean + size)), gammainc(count, mean))
    left = size - count + 1.0
    fewer = np.where(left > 0, betainc(count, np.maximum(left, 1e-12), np.minimum(mean / size, 1.0)), 0.0)
    return np.where(told <= 0, 1.0, np.where(under, fewer, chance))


def together(p: Floats) -> Floats:
    """Return one p value for several looks at the same events, one row a segment.

    Looks that overlap are worth fewer than their number, which this allows for.

    Source: Liu, Y. and Xie, J. (2020), Cauchy combination test, JASA 115, 393-402.

    >>> together(np.array([[0.5, 0.5], [0.001, 0.002]])).round(4).tolist()
    [0.5, 0.0013]
    """
    held = np.clip(p, 1e-300, 0.99)
    # Near 0 the tangent is 1 / (pi p), and stays so where a sum with a half would lose it.
    small = held < 1e-8
    each = np.where(small, 1.0 / (np.pi * held), np.tan(np.pi * (0.5 - np.where(small, 0.5, held))))
    mean = each.mean(axis=1)
    joint = np.where(mean > 1e8, 1.0 / (np.pi * np.maximum(mean, 1.0)), 0.5 - np.arctan(mean) / np.pi)
    return np.minimum(1.0, joint)


def clumps(entities: Sequence[Ints], week: Ints, fraud: Mask, expected: Floats) -> float:
    """Return how many times more than chance alone counts vary, since frauds of one entity and week come together."""
    worst = 1.0
    whole = float(expected.sum())
    if whole < _CELL:
        return worst
    for codes in entities:
        named = codes >= 0
        pair = codes[named].astype(np.int64) * (int(week.max()) + 1) + week[named]
        _, place = np.unique(pair, return_inverse=True)
        off = np.bincount(place, weights=fraud[named] - expected[named])
        if float(expected[named].sum()) >= _CELL:
            by_chance = float((expected[named] * (1.0 - expected[named])).sum())
            worst = max(worst, float((off**2).sum()) / max(by_chance, 1e-9))
    return worst


def weekly_spread(told: Floats, expected: Floats, by_chance: Floats) -> float:
    """Return the relative variance between weeks beyond what chance alone makes, from mature weeks: 0 or more."""
    seen = expected >= _CELL
    if np.count_nonzero(seen) < 4:
        return 0.0
    o, e = told[seen], expected[seen]
    return max(0.0, float(((o - e) ** 2 - by_chance[seen]).sum()) / float((e**2).sum()))


def ratio_ends(told: float, expected: float, variance: float) -> tuple[float, float]:
    """Return the 95 % interval of told over expected."""
    swell = max(variance / expected, 1.0) if expected > 0 else 1.0
    # Counts divided by how much more than chance they vary; a share of a large whole is then nearly Poisson.
    size = 1e7
    _, lower, upper = wilson(told / swell, size)
    return float(lower) * size * swell / expected, float(upper) * size * swell / expected
