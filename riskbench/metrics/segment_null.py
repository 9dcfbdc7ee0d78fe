"""How large would the largest change be if nothing had changed anywhere? The search, run on events dealt out anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from riskbench.metrics.segment_space import Cuboid, Floats, Ints

#: Numbers held at once while many draws are scored: 32 MB of float64.
_CELLS = 4_000_000
#: Drawing clump by clump costs about this many times as much as drawing a cell's count.
_PER_CLUMP = 5
#: Sums that all draws together may cost: some seconds.
_WORK = 1_000_000_000
#: Fewer draws than this say too little even of the spread of the best score.
_FEWEST = 39
#: From so many draws on the share of draws is the chance.
_RANKED = 99


@dataclass(frozen=True, eq=False)
class Clumps:
    """What comes together and is dealt out together.

    Attributes
    ----------
    leaf : ndarray of int64, shape (items,)
        Each item's leaf; an item is one row of one period with something in its numerator.
    amount : ndarray of float64, shape (items,)
        Its numerator.
    clump : ndarray of int64, shape (items,)
        Its clump, 0..clumps-1.
    sizes : ndarray of float64, shape (clumps,)
        The clumps' numerators.
    """

    leaf: Ints
    amount: Floats
    clump: Ints
    sizes: Floats


class Adder:
    """Adds leaf-wise numbers up by segment, for many draws at once.

    Parameters
    ----------
    cuboids : list of Cuboid
        The segments.
    leaves : int
        The number of leaves.
    """

    def __init__(self, cuboids: list[Cuboid], leaves: int) -> None:
        self.cuboids, self.leaves = cuboids, leaves
        self.segments = sum(len(cuboid.values) for cuboid in cuboids)

    def one(self, weights: Floats) -> Floats:
        """Return the sums of one quantity by segment."""
        if not self.cuboids:
            return np.zeros(0)
        return np.concatenate([cuboid.sums(weights) for cuboid in self.cuboids])

    def many(self, weights: Floats) -> Iterator[tuple[slice, Floats]]:
        """Return the sums of quantities of shape (leaves, draws), some segments at a time."""
        from scipy.sparse import csr_matrix

        start, width = 0, weights.shape[1]
        group: list[Cuboid] = []
        held = size = 0
        for place, cuboid in enumerate(self.cuboids):
            group.append(cuboid)
            held += len(cuboid.values)
            size += self.leaves
            last = place == len(self.cuboids) - 1
            if not last and (held + len(self.cuboids[place + 1].values)) * width <= _CELLS and size < _CELLS:
                continue
            at, leaf, base = [], [], 0
            for one in group:
                inside = np.flatnonzero(one.slot < len(one.values))
                leaf.append(inside)
                at.append(one.slot[inside] + base)
                base += len(one.values)
            ones = np.ones(sum(len(part) for part in leaf))
            matrix = csr_matrix((ones, (np.concatenate(at), np.concatenate(leaf))), shape=(base, self.leaves))
            yield slice(start, start + base), matrix @ weights
            start, group, held, size = start + base, [], 0, 0


def scattered(rng: np.random.Generator, scatter: float, leaves: int, draws: int) -> Floats:
    """Return factors of mean 1 by which leaves move on their own, of shape (leaves, draws); (leaves, 1) without any."""
    if scatter <= 0:
        return np.ones((leaves, 1))
    shape = 1 / scatter**2
    return rng.gamma(shape, 1 / shape, (leaves, draws))


def swapped(rng: np.random.Generator, total: Floats, share: Floats, draws: int, clumps: Clumps | None) -> Floats:
    """Return numerators of the current period by leaf and draw: every clump's period drawn anew.

    Parameters
    ----------
    rng : Generator
        The draws.
    total : ndarray, shape (leaves,)
        The numerators of both periods.
    share : ndarray, shape (leaves, draws) or (leaves, 1)
        The chance of falling into the current period; clumps take the first leaf's.
    draws : int
        How many.
    clumps : Clumps, optional
        What is drawn together; without it every one of the counts is on its own.
    """
    if clumps is None:
        return rng.binomial(np.rint(total).astype(np.int64)[:, None], share, (len(total), draws)).astype(np.float64)
    out = np.empty((len(total), draws))
    for draw in range(draws):
        current = rng.random(len(clumps.sizes)) < share[0, 0]
        out[:, draw] = np.bincount(clumps.leaf, clumps.amount * current[clumps.clump], minlength=len(total))
    return out


def dealt(  # noqa: PLR0917
    rng: np.random.Generator, current: Floats, baseline: Floats, total: float, draws: int, clumps: Clumps | None
) -> tuple[Floats, Floats, Floats | None]:
    """Return numerators of both periods by leaf and draw, dealt out by what is expected of each leaf and period.

    Parameters
    ----------
    rng : Generator
        The draws.
    current, baseline : ndarray, shape (leaves, draws) or (leaves, 1), and (leaves,)
        What is expected, up to a common factor.
    total : float
        The numerators of both periods together.
    draws : int
        How many.
    clumps : Clumps, optional
        What is dealt out together; without it every one of the counts is on its own.

    Returns
    -------
    tuple
        Of the current period, of the baseline, and the squares of both by leaf (None without clumps).
    """
    leaves = len(baseline)
    past = np.broadcast_to(baseline[:, None], (leaves, current.shape[1]))
    weight = np.concatenate([current, past])
    weight = weight / np.maximum(weight.sum(axis=0), 1e-300)
    pieces = len(clumps.sizes) if clumps is not None else round(total)
    if clumps is None and pieces * _PER_CLUMP > 2 * leaves:
        cells = rng.poisson(np.broadcast_to(weight * total, (2 * leaves, draws))).astype(np.float64)
        return cells[:leaves], cells[leaves:], None
    edges = np.cumsum(weight, axis=0)
    cells = np.empty((2 * leaves, draws))
    squares = np.empty((leaves, draws)) if clumps is not None else None
    for draw in range(draws):
        edge = edges[:, min(draw, edges.shape[1] - 1)]
        at = np.minimum(np.searchsorted(edge / edge[-1], rng.random(pieces), side="right"), 2 * leaves - 1)
        if clumps is None or squares is None:
            cells[:, draw] = np.bincount(at, minlength=2 * leaves)
        else:
            cells[:, draw] = np.bincount(at, clumps.sizes, minlength=2 * leaves)
            squares[:, draw] = np.bincount(at % leaves, clumps.sizes**2, minlength=leaves)
    return cells[:leaves], cells[leaves:], squares


def flipped(rng: np.random.Generator, residual: Floats, draws: int) -> Floats:
    """Return leaf-wise residuals with signs drawn anew: which period was the higher one is chance, leaf by leaf."""
    signs = rng.integers(0, 2, (len(residual), draws), dtype=np.int8) * 2 - 1
    return signs * residual[:, None]


def at_a_time(leaves: int, draws: int) -> int:
    """Return how many draws are held at once."""
    return int(max(1, min(draws, _CELLS * 4 // max(leaves, 1))))


def affordable(cuboids: int, leaves: int, draws: int) -> int:
    """Return how many of the draws asked for are played, so that a wide search of many leaves stays quick."""
    return int(min(draws, max(_FEWEST, _WORK // max(1, cuboids * leaves))))


def chance(score: float, maxima: Floats) -> float:
    """Return the chance of a best score as high as this one in draws in which nothing changed.

    From 99 draws on it is the share of draws, the observed counted as one. Of fewer draws the best scores are taken
    to follow Gumbel's distribution of maxima, with their mean and spread.

    Source: Abrams, A., Kleinman, K. and Kulldorff, M. (2010), Gumbel based p-value approximations for spatial scan
    statistics, International Journal of Health Geographics 9, 61.

    >>> chance(3.0, np.append(np.ones(98), 4.0))
    0.02
    """
    if not np.isfinite(score):
        return 1.0
    finite = maxima[np.isfinite(maxima)]
    if len(maxima) >= _RANKED or len(finite) < 2 or finite.std() == 0:
        return float((1 + np.count_nonzero(maxima >= score)) / (1 + len(maxima)))
    width = float(finite.std(ddof=1)) * np.sqrt(6) / np.pi
    place = float(finite.mean()) - np.euler_gamma * width
    return float(-np.expm1(-np.exp(-(score - place) / width)))


def least_score(level: float, maxima: Floats) -> float:
    """Return the least score whose chance is at most `level`; infinite where no score is unlikely enough.

    >>> least_score(0.05, np.arange(99.0)) > 93
    True
    """
    finite = maxima[np.isfinite(maxima)]
    low = float(finite.min()) - 1.0 if len(finite) else -1.0
    high = float(finite.max()) + 100.0 if len(finite) else 1.0
    if chance(high, maxima) > level:
        return np.inf
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if chance(middle, maxima) <= level else (middle, high)
    return high
