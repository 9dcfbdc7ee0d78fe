"""What is not known about the weeks to come, since only a few were seen? Levels of weeks, drawn as they might be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.queue.cases import Cases

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: No week is taken to hold more than so many times the cases that it did.
MOST_TIMES = 10.0
#: The share of the replications that one point of the smooth line is drawn through, and their smallest number.
_NEAR, _FEWEST_NEAR = 0.2, 15
#: With fewer replications that measure something, the ends are the least and the most that was seen.
_FEWEST = 20


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Other histories that agree with the weeks that were seen.

    The cases a week are taken as lognormal. Its mean and spread are drawn given the weeks seen: the spread by the
    chi-squared distribution, the mean by the normal one given the spread, together Student's t. Queues move together
    as far as their weeks did.

    Attributes
    ----------
    shift : ndarray of float64, shape (replications, queues)
        By how much the mean logarithm of a queue's cases a week lies from that of the weeks seen.
    spread : ndarray of float64, shape (replications,)
        The logarithm of how much more the weeks differ than those seen do.
    centred : ndarray of float64, shape (blocks, queues)
        The logarithm of each week's cases, less the mean.
    """

    shift: Floats
    spread: Floats
    centred: Floats

    @classmethod
    def of(cls, cases: Cases, replications: int, rng: np.random.Generator) -> Histories:
        """Return so many histories."""
        from scipy.special import chdtri

        blocks, queues = cases.blocks, len(cases.names)
        counts = np.zeros((blocks, queues))
        np.add.at(counts, (cases.block, cases.queue), 1.0)
        logs = np.log(counts + 0.5)
        centred = logs - logs.mean(axis=0)
        # Weeks of cases that come one by one differ by chance at least.
        floor = 1 / np.maximum(counts.mean(axis=0), 0.5)
        seen = (centred**2).sum(axis=0) / (blocks - 1)
        steps = (rng.permutation(replications) + 0.5) / replications
        times = np.sqrt((blocks - 1) / chdtri(blocks - 1, steps))
        loud = np.sqrt(np.maximum(floor / np.maximum(seen, 1e-12), 1.0))
        alike = np.where(seen > 1e-12, centred / np.sqrt(np.maximum(seen * (blocks - 1), 1e-12)), 0.0)
        together = rng.standard_normal((replications, blocks)) @ alike
        apart = rng.standard_normal((replications, queues))
        even = seen <= 1e-12
        drawn = np.where(even, apart, together) * np.where(even, np.sqrt(floor), np.sqrt(seen) * loud)
        return cls(drawn * times[:, None] / np.sqrt(blocks), np.log(times * np.sqrt(blocks / (blocks - 1))), centred)

    @classmethod
    def even(cls, cases: Cases, replications: int, rng: np.random.Generator) -> Histories:
        """Return so many histories whose cases come one by one, in weeks that differ by chance alone."""
        count = np.bincount(cases.queue, minlength=len(cases.names))
        shift = rng.standard_normal((replications, len(count))) / np.sqrt(np.maximum(count, 1))
        return cls(shift, np.zeros(replications), np.zeros((cases.blocks, len(count))))

    def times(self, turn: int, path: Ints) -> Floats:
        """Return how many times its own cases each week of a path holds, by queue, in one history."""
        more = np.exp(self.spread[turn]) - 1
        with np.errstate(over="ignore"):
            held = np.exp(self.shift[turn] + more * self.centred[path])
        return np.minimum(held, MOST_TIMES)


def interval(seen: Floats, drawn: Floats, *, shift: Floats, spread: Floats, share: float) -> tuple[float, float, float]:
    """Return the mean of what was simulated, and the 95 % interval of what is expected in such weeks.

    Each replication from another history is one path: its measure differs by the history and by the path's chance.
    A smooth line over the histories takes the chance away, so that its quantiles are those of the expectation, bend
    and all: a little more work near full load makes many more late. To both sides is added, as squares, what the line
    does not hold: its own error, and what the hours at which the cases came leave open.

    Parameters
    ----------
    seen : ndarray of float64, shape (replications,)
        What each replication from the weeks seen measured; NaN where it could not.
    drawn, shift, spread : ndarray of float64, shape (histories,)
        What each replication from another history measured, and that history's shift and spread.
    share : float, 0..1
        How much of what the line does not hold is doubt about the history: weeks / (weeks + blocks).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shift = rng.normal(0, 0.1, 400)
    >>> drawn = 100 * np.exp(shift) + rng.normal(0, 5, 400)
    >>> found = interval(drawn, drawn, shift=shift, spread=np.zeros(400), share=0.5)
    >>> [round(float(end)) for end in found]
    [100, 81, 122]
    """
    from riskbench.metrics.intervals import Z95

    nothing = float("nan")
    mean = float(seen[~np.isnan(seen)].mean()) if (~np.isnan(seen)).any() else nothing
    known = np.isfinite(drawn)
    held = drawn[known]
    if np.isnan(mean) or not len(held):
        return mean, nothing, nothing
    if len(held) < _FEWEST or np.ptp(held) == 0:
        return mean, min(mean, float(held.min())), max(mean, float(held.max()))
    line = smooth(held, [shift[known], spread[known]])
    half = Z95 * _scatter(held - line) * np.sqrt(share + 1 / _near(len(held)))
    low, high = np.percentile(line, [2.5, 97.5])
    low, high = max(mean - float(low), 0.0), max(float(high) - mean, 0.0)
    return mean, mean - float(np.hypot(low, half)), mean + float(np.hypot(high, half))


def smooth(values: Floats, along: list[Floats]) -> Floats:
    """Return what is expected of each value given some facts: a line drawn locally along the best curve of them.

    >>> x = np.linspace(-1, 1, 101)
    >>> bool(np.abs(smooth(np.exp(x), [x]) - np.exp(x)).max() < 0.02)
    True
    """
    from scipy.special import ndtri

    size = len(values)
    _, place, ties = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(ties) - ties / 2)[place] / size
    facts = [np.ones(size)]
    for first, one in enumerate(along):
        facts += [one, *(one * other for other in along[first:])]
    table = np.column_stack(facts)
    index = table @ np.linalg.lstsq(table, ndtri(rank), rcond=None)[0]
    order = np.argsort(index, kind="stable")
    at, held, near = index[order], values[order], _near(size)
    window = np.clip(np.arange(size) - near // 2, 0, size - near)[:, None] + np.arange(near)
    away, y = at[window] - at[:, None], held[window]
    reach = np.abs(away).max(axis=1, keepdims=True) + 1e-12
    weight = (1 - (np.abs(away) / reach) ** 3) ** 3 + 1e-3
    weight /= weight.sum(axis=1, keepdims=True)
    middle, level = (weight * away).sum(axis=1), (weight * y).sum(axis=1)
    off = away - middle[:, None]
    across = (weight * off * off).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(across > 1e-24, (weight * off * (y - level[:, None])).sum(axis=1) / across, 0.0)
    told = np.empty(size)
    told[order] = level - middle * slope
    return told


def _near(size: int) -> int:
    return min(size, max(int(_NEAR * size), _FEWEST_NEAR))


def _scatter(rest: Floats) -> float:
    """Return a standard deviation that the widest histories do not govern."""
    return 1.4826 * float(np.median(np.abs(rest)))
