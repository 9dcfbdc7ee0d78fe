"""Which settings are beaten by no other in loss, insults and reviews at once?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.rules.optimiser.search import Options, Search, Stand

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Settings from which each further edit is tried.
FOLLOWED = 10
#: Settings that are kept while edits are added, and those that are shown.
KEPT, SHOWN = 120, 30


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One setting on the front.

    Attributes
    ----------
    stand : Stand
        How every rule stands.
    used : ndarray of int64
        The edits that each rule takes.
    three : ndarray of float64, shape (3,)
        Loss, insults and reviews on the events that it was found on.
    """

    stand: Stand
    used: Ints
    three: Floats


def front_of(
    search: Search,
    options: Sequence[Options],
    three: Callable[[Ints], Floats],
    *,
    most: int,
    also: Sequence[tuple[Stand, Ints]] = (),
) -> list[Point]:
    """Return settings of at most so many edits that no other one found beats: a local search along the front.

    Every single edit is looked at, and each further edit from settings spread along the front so far.

    Parameters
    ----------
    search : Search
        At the present setting.
    options : sequence of Options
        How each rule could stand.
    three : callable
        Loss, insults and reviews of totals; infinite for a setting that is not allowed.
    most : int
        The most edits.
    also : sequence of (Stand, edits of each rule)
        Settings found otherwise.
    """
    present = search.stand
    points = [Point(present, np.zeros(len(present.column), dtype=np.int64), three(search.totals))]
    followed: set[bytes] = set()
    for budget in range(1, most + 1):
        open_ = [one for one in points if one.used.sum() < budget and one.stand.key not in followed]
        for held in _spread(open_, FOLLOWED):
            followed.add(held.stand.key)
            search.go(held.stand)
            points += _around(
                search, options, held, three=three, budget=budget, known=np.stack([one.three for one in points])
            )
        points = _thinned(points, KEPT)
    for stand, used in also:
        search.go(stand)
        points.append(Point(stand, used, three(search.totals)))
    search.go(present)
    return _thinned([one for one in points if np.isfinite(one.three).all()], SHOWN)


def _around(
    search: Search,
    options: Sequence[Options],
    held: Point,
    *,
    three: Callable[[Ints], Floats],
    budget: int,
    known: Floats,
) -> list[Point]:
    """Return the settings one rule away that nothing known beats."""
    places, found = [], []
    for slot, all_of_it in enumerate(options):
        free = budget - (int(held.used.sum()) - int(held.used[slot]))
        own = all_of_it.take(all_of_it.edits <= free)
        if not len(own):
            continue
        totals, _ = search.trials(slot, own)
        reached = three(totals)
        kept = np.flatnonzero(np.isfinite(reached).all(axis=1) & ~_beaten(reached, known))
        kept = kept[undominated(reached[kept])]
        places += [(slot, own, int(place)) for place in kept]
        found.append(reached[kept])
    if not places:
        return []
    reached = np.concatenate(found)
    made = []
    for place in np.flatnonzero(undominated(reached)):
        slot, own, at = places[place]
        used = held.used.copy()
        used[slot] = own.edits[at]
        stand = held.stand.moved(slot, int(own.column[at]), int(own.priority[at]), int(own.level[at]))
        made.append(Point(stand, used, reached[place]))
    return made


def undominated(points: Floats) -> Mask:
    """Return which points no other one equals or beats in all three and beats in one; of equal points the first.

    >>> undominated(np.array([[1.0, 2, 3], [1, 2, 3], [2, 1, 3], [2, 3, 3]]))
    array([ True, False,  True, False])
    """
    kept = np.zeros(len(points), dtype=bool)
    order = np.lexsort((np.arange(len(points)), points[:, 2], points[:, 1], points[:, 0]))
    front = np.zeros((0, 2))
    for place in order:
        own = points[place, 1:]
        if not ((front[:, 0] <= own[0]) & (front[:, 1] <= own[1])).any():
            kept[place] = True
            front = np.concatenate([front[~((front >= own).all(axis=1))], own[None]])
    return kept


def _beaten(points: Floats, known: Floats) -> Mask:
    """Return which points a known one equals or beats in all three."""
    within = np.asarray(known[None] <= points[:, None])
    return np.asarray(np.any(np.all(within, axis=2), axis=1))


def _thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Return the points that none beats, the fewest edits of equals, spread along the loss when they are too many."""
    ordered = sorted(points, key=lambda one: int(one.used.sum()))
    if not ordered:
        return []
    front = [ordered[k] for k in np.flatnonzero(undominated(np.stack([one.three for one in ordered])))]
    return _spread(front, most)


def _spread(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most so many points, evenly along the loss; the least of each of the three is always among them."""
    ordered = sorted(points, key=lambda one: tuple(one.three))
    if len(ordered) <= most:
        return ordered
    values = np.stack([one.three for one in ordered])
    evenly = np.linspace(0, len(ordered) - 1, most - 2).round().astype(np.intp)
    return [ordered[k] for k in np.unique([*evenly, *values[:, 1:].argmin(axis=0)])]
