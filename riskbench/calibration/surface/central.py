"""Which setting of a surface is worth most, which are no worse, and which of those is least brittle?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.curve import FRAUD
from riskbench.metrics.intervals import Z95
from riskbench.metrics.lattice import Lattice, apart, chance, corner_at, covariance, differing
from riskbench.metrics.price import Price

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Place = tuple[int, int]

#: How often the surface is drawn anew.
DRAWS = 400
#: Frauds over which the variance of near settings is smoothed.
STRETCH = 20


@dataclass(frozen=True, slots=True, eq=False)
class Central:
    """The best setting, its plateau, and the chosen setting.

    Attributes
    ----------
    best, chosen : (int, int)
        The places of the setting of highest net value, and of the one that is proposed.
    plateau : ndarray of bool
        The settings around the best that are statistically no worse (joint 95 %).
    depth : ndarray of int64
        How many grid steps each setting of the plateau lies from its edge; 0 off the plateau.
    behind : ndarray of float64
        The standard deviation of each setting's difference to the best.
    optimism : float
        By how much a best setting looks better on the draw that chose it.
    critical : float
        The joint 95 % quantile of the standardised differences.
    """

    best: Place
    chosen: Place
    plateau: Mask
    depth: Ints
    behind: Floats
    optimism: float
    critical: float


def central(
    held: Lattice, net: Floats, feasible: Mask, *, price: Price, groups: list[int], seed: int, alerts: Ints
) -> Central:
    """Return the best setting, the plateau around it, and the plateau's most central setting.

    The difference of two settings rests only on the events that they treat otherwise. The best is the best of
    many, so differences are held against the joint quantile of all. Of the settings within one standard error of
    the best, the one farthest from the plateau's edge is chosen, so that a small mistake costs nothing; of equals
    the one worth most, then the one with fewest alerts.

    Source: Hsu (1984), Annals of Statistics 12, 1136-1144, for comparisons with the best; Breiman, Friedman,
    Olshen and Stone (1984), Classification and Regression Trees, section 3.4.3, for the rule of one standard error.
    """
    top = np.where(feasible, net, -np.inf)
    tied = np.argwhere(top == top.max())
    fewest = int(np.argmin(alerts[tied[:, 0], tied[:, 1]]))
    best = (int(tied[fewest, 0]), int(tied[fewest, 1]))
    products = covariance(held, price, groups)
    against = corner_at(held.truth, *best)
    exact = apart(products, held.truth, against)
    spread = np.sqrt(np.maximum(exact, smoothed(held, exact, groups, against)))
    noise = chance(products, held.truth, draws=DRAWS, seed=seed)
    walks = np.where(feasible, net + noise, -np.inf).reshape(DRAWS, -1)
    winners = np.argmax(walks, axis=1)
    optimism = float(np.mean(noise.reshape(DRAWS, -1)[np.arange(DRAWS), winners]))
    others = feasible & (exact > 0)
    critical = Z95
    if others.any():
        gaps = (noise[:, others] - noise[:, best[0], best[1]][:, None]) / np.sqrt(exact[others])
        critical = max(Z95, float(np.quantile(gaps.max(axis=1), 0.95)))
    plateau = around(feasible & (net[best] - net <= critical * spread), best)
    depth = steps_inside(plateau)
    near = plateau & (net[best] - net <= spread)
    order = np.lexsort((alerts[near], -net[near], -depth[near]))
    chosen = np.argwhere(near)[order[0]]
    return Central(best, (int(chosen[0]), int(chosen[1])), plateau, depth, spread, max(0.0, optimism), critical)


def smoothed(held: Lattice, exact: Floats, groups: list[int], against: Ints) -> Floats:
    """Return the variance of differences if the events between two settings were as those a little farther off.

    Between two near settings often no fraud was seen, which does not mean that none could have been.
    """
    events = differing(held, groups, against)
    frauds = differing(held, groups, against, kind=FRAUD)
    enough = frauds >= min(STRETCH, int(frauds.max(initial=0)))
    nearest = np.sort(events[enough & (events > 0)])[:10]
    if not len(nearest):
        return np.zeros_like(exact)
    local = enough & (events > 0) & (events <= nearest[-1])
    return np.asarray(events * float(np.median(exact[local] / events[local])))


def around(inside: Mask, place: Place) -> Mask:
    """Return the settings that hang together with one, by steps along either axis."""
    from scipy.ndimage import label

    found, _ = label(inside)
    return np.asarray(found == found[place]) if inside[place] else np.zeros_like(inside)


def steps_inside(inside: Mask) -> Ints:
    """Return how many steps along either axis each setting lies from the edge; where the grid ends is an edge.

    An axis of one setting has no edge.

    >>> steps_inside(np.ones((3, 3), dtype=bool)).tolist()
    [[1, 1, 1], [1, 2, 1], [1, 1, 1]]
    """
    from scipy.ndimage import distance_transform_cdt

    pad = [(1, 1) if size > 1 else (0, 0) for size in inside.shape]
    if not any(size > 1 for size in inside.shape):
        return inside.astype(np.int64)
    framed = np.pad(inside, pad)
    depth = distance_transform_cdt(framed, metric="taxicab")
    cut = tuple(slice(low, low + size) for (low, _), size in zip(pad, inside.shape, strict=True))
    return np.asarray(depth[cut]).astype(np.int64)
