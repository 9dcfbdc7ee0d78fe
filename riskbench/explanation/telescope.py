"""How is a change of a rate shared out among players? By pairs of events, turned into each other player by player."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
#: Tells which mixed events are alerted: (player from the current event, current row, reference row) -> bool.
Alerted = Callable[[Mask, Rows, Rows], Mask]

#: At most this many mixed events are made at once: bounds the memory.
CHUNK = 100_000
#: At least this many pairs in each stratum.
FEWEST = 50


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of a current and a reference event, drawn by stratum: whether each of the two is alerted.

    Attributes
    ----------
    current, reference : ndarray of int64, shape (pairs,)
        The rows.
    stratum : ndarray of int64, shape (pairs,)
        Twice whether the current event is alerted, plus whether the reference event is.
    weight : ndarray of float64, shape (4,)
        The share of all possible pairs in each stratum.
    now, then : float
        The two alert rates.
    sizes : tuple of int
        How many current and reference events there are.
    """

    current: Rows
    reference: Rows
    stratum: Rows
    weight: Floats
    now: float
    then: float
    sizes: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """What each player moved.

    Attributes
    ----------
    value : ndarray of float64, shape (players,)
        Its part of the change; together they are the change.
    error : ndarray of float64, shape (players,)
        The standard error; NaN where it cannot be measured.
    """

    value: Floats
    error: Floats


def draw_pairs(now: Mask, then: Mask, keys: tuple[Keys, Keys], *, pairs: int, rng: np.random.Generator) -> Pairs:
    """Return pairs of rows, the strata in proportion to the root of their share, each event as seldom as can be.

    The strata's shares are known, not drawn, so that what is estimated sums to the change whatever is drawn.
    Rows are drawn in the order of `keys`, numbers for what they hold, so that their own order does not matter.
    """
    share = float(now.mean()), float(then.mean())
    weight = np.array([(1 - share[0]) * (1 - share[1]), (1 - share[0]) * share[1],
                       share[0] * (1 - share[1]), share[0] * share[1]])  # fmt: skip
    root = np.sqrt(weight)
    counts = np.where(weight > 0, np.maximum(FEWEST, np.round(pairs * root / root.sum())), 0).astype(np.int64)
    held = [[_rows(own == side, key) for side in (False, True)] for own, key in zip((now, then), keys, strict=True)]
    parts = [
        (_cycled(held[0][s >> 1], n, rng), _cycled(held[1][s & 1], n, rng), np.full(n, s))
        for s, n in enumerate(counts.tolist())
        if n
    ]
    current, reference, stratum = (np.concatenate(part).astype(np.int64) for part in zip(*parts, strict=True))
    return Pairs(current, reference, stratum, weight, *share, (len(now), len(then)))


def _rows(mask: Mask, key: Keys) -> npt.NDArray[np.intp]:
    rows = np.flatnonzero(mask)
    return rows[np.argsort(key[rows], kind="stable")]


def _cycled(rows: npt.NDArray[np.intp], count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return `count` rows by lot, none drawn again before all have been."""
    rounds = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:count]


def telescoped(alerted: Alerted, pairs: Pairs, players: int, *, rng: np.random.Generator) -> Floats:
    """Return what each player adds in each pair: an order by lot and the same order backwards.

    The reference event takes over the current event's values player by player; each step is credited to its
    player, so that the steps of a pair sum to the difference of its two ends.
    """
    rank = rng.random((len(pairs.current), players)).argsort(axis=1).argsort(axis=1)
    return 0.5 * (walked(alerted, pairs, rank) + walked(alerted, pairs, players - 1 - rank))


def walked(alerted: Alerted, pairs: Pairs, rank: Rows) -> Floats:
    """Return what each player adds when the players of each pair take their turn by rank."""
    count, players = rank.shape
    out = np.zeros((count, players))
    each = max(1, CHUNK // max(1, players - 1))
    for low in range(0, count, each):
        part = slice(low, min(low + each, count))
        own, current, reference = rank[part], pairs.current[part], pairs.reference[part]
        steps = np.zeros((players + 1, len(own)))
        steps[0], steps[-1] = pairs.stratum[part] & 1, pairs.stratum[part] >> 1
        if players > 1:
            turns = np.arange(1, players)
            member = (own[None, :, :] < turns[:, None, None]).reshape(-1, players)
            found = alerted(member, np.tile(current, players - 1), np.tile(reference, players - 1))
            steps[1:-1] = found.reshape(players - 1, -1)
        gain = np.diff(steps, axis=0).T
        out[part] = np.take_along_axis(gain, own, axis=1)
    return out


def estimated(pairs: Pairs, gains: Floats) -> Moved:
    """Return each player's part of the change with its standard error.

    The error counts the draw of pairs and orders, and the chance in both cohorts: events that come in several
    pairs are one cluster, in both directions, and the two alert rates are themselves estimates.

    Source: Shapley, L. S. (1953), A value for n-person games; orders by lot after Castro, J., Gomez, D. and
    Tejada, J. (2009), Computers and Operations Research 36, 1726-1730; errors clustered in two directions after
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2011), J. Business and Economic Statistics 29, 238-249.
    """
    counts = np.bincount(pairs.stratum, minlength=4).astype(np.float64)
    sums = np.zeros((4, gains.shape[1]))
    np.add.at(sums, pairs.stratum, gains)
    mean = np.divide(sums, counts[:, None], out=np.zeros_like(sums), where=counts[:, None] > 0)
    value = pairs.weight @ mean
    each = np.divide(pairs.weight, counts, out=np.zeros(4), where=counts > 0)
    rest = each[pairs.stratum][:, None] * (gains - mean[pairs.stratum])
    variance = (
        _clustered(rest, pairs.current, pairs.stratum >> 1)
        + _clustered(rest, pairs.reference, pairs.stratum & 1)
        - _clustered(rest, pairs.current * pairs.sizes[1] + pairs.reference, pairs.stratum * 0)
    )
    variance = np.maximum(variance, (rest**2).sum(axis=0))
    for rate, size, slope in (
        (pairs.now, pairs.sizes[0], (1 - pairs.then) * (mean[2] - mean[0]) + pairs.then * (mean[3] - mean[1])),
        (pairs.then, pairs.sizes[1], (1 - pairs.now) * (mean[1] - mean[0]) + pairs.now * (mean[3] - mean[2])),
    ):
        variance = variance + slope**2 * rate * (1 - rate) / size
    return Moved(value, np.sqrt(variance))


def _clustered(rest: Floats, cluster: Rows, side: Rows) -> Floats:
    """Return the sum of squares of the clusters' sums, put right for few clusters; NaN where a side has one only."""
    distinct, place = np.unique(cluster, return_inverse=True)
    sums = np.zeros((len(distinct), rest.shape[1]))
    np.add.at(sums, place, rest)
    own = np.zeros(len(distinct), dtype=np.int64)
    own[place] = side
    out = np.zeros(rest.shape[1])
    for value in np.unique(own):
        inside = own == value
        many = int(np.count_nonzero(inside))
        out = out + (sums[inside] ** 2).sum(axis=0) * (many / (many - 1) if many > 1 else np.nan)
    return out
