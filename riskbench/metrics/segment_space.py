"""Which segments are there to search? Leaves, and every conjunction of values that holds enough events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: A key space at most this many times the number of leaves is counted in an array, a larger one by sorting.
_DENSE = 4


def added(place: npt.NDArray[np.integer], weights: npt.ArrayLike, size: int) -> Floats:
    """Return weights added up by place."""
    return np.asarray(np.bincount(place, weights=np.asarray(weights, np.float64), minlength=size), dtype=np.float64)


@dataclass(frozen=True)
class Pruned:
    """What of one dimension is not searched.

    Attributes
    ----------
    dim : int
        The dimension's place.
    values : int
        The distinct values that occur.
    searched : int
        Those that are searched as segments; 0 for a dimension with a single value.
    events : float
        Share of all events that bear a value not searched.
    """

    dim: int
    values: int
    searched: int
    events: float


@dataclass(frozen=True, eq=False)
class Leaves:
    """Rows that agree in all dimensions, as one.

    Attributes
    ----------
    codes : tuple of ndarray of int32
        Each leaf's value by dimension; -1 where the value is too rare to be searched.
    row_leaf : ndarray of int64
        Each row's leaf.
    pruned : tuple of Pruned
        One for each dimension of which something is not searched.
    """

    codes: tuple[Codes, ...]
    row_leaf: Ints
    pruned: tuple[Pruned, ...]

    def __len__(self) -> int:
        return len(self.codes[0]) if self.codes else 1

    def sums(self, values: npt.ArrayLike) -> Floats:
        """Return a row-wise quantity added up by leaf."""
        return added(self.row_leaf, np.asarray(values, np.float64), len(self))


@dataclass(frozen=True, eq=False)
class Cuboid:
    """All segments that fix the same dimensions.

    Attributes
    ----------
    dims : tuple of int
        The dimensions that are fixed.
    slot : ndarray of int32
        Each leaf's segment; `len(values)`, one past the last, where it has none.
    values : ndarray of int32, shape (segments, dims)
        Each segment's values.
    """

    dims: tuple[int, ...]
    slot: Codes
    values: Codes

    def sums(self, weights: Floats) -> Floats:
        """Return a leaf-wise quantity added up by segment."""
        return added(self.slot, weights, len(self.values) + 1)[: len(self.values)]


def leaves(
    codes: Sequence[npt.ArrayLike], sizes: Sequence[int], events: npt.ArrayLike, *, least: float, most: int
) -> Leaves:
    """Return the leaves of rows, values with fewer than `least` events set aside.

    Only the `most` values of a dimension with the most events are searched: a child segment never has more events
    than its parent, so no segment with enough events is lost by setting rare values aside.

    Raises
    ------
    ParameterError
        When the arrays do not fit together.
    """
    weights = np.asarray(events, np.float64)
    total = float(weights.sum())
    kept: list[Codes] = []
    pruned: list[Pruned] = []
    if len(codes) != len(sizes):
        raise ParameterError("Each dimension has codes and a size", got=f"{len(codes)} and {len(sizes)}")
    for dim, (given, size) in enumerate(zip(codes, sizes, strict=True)):
        values = np.asarray(given, dtype=np.int64 if not len(weights) else None)
        if values.dtype.kind not in "iu":
            raise ParameterError(f"Dimension {dim} needs codes", got=values.dtype, allowed="whole numbers")
        if values.shape != weights.shape or (len(values) and (values.min() < -1 or values.max() >= size)):
            raise ParameterError(f"Dimension {dim} needs one code in -1..{size - 1} for each of {len(weights)} rows")
        counts = np.bincount(values + 1, weights=weights, minlength=size + 1)[1:]
        present = int(np.count_nonzero(np.bincount(values + 1, minlength=size + 1)))
        searched = counts >= least
        if np.count_nonzero(searched) > most:
            order = np.argsort(-counts, kind="stable")[:most]
            searched = np.zeros(size, dtype=bool)
            searched[order] = True
        if present < 2:
            searched[:] = False
        if np.count_nonzero(searched) < present:
            outside = total - float(counts[searched].sum())
            pruned.append(Pruned(dim, present, int(np.count_nonzero(searched)), outside / total if total else 0.0))
        kept.append(np.append(np.where(searched, np.arange(size), -1), -1).astype(np.int32)[values])
    return _collapsed(kept, len(weights), tuple(pruned))


def _collapsed(codes: list[Codes], rows: int, pruned: tuple[Pruned, ...]) -> Leaves:
    """Return the leaves of codes that are pruned already."""
    place = np.zeros(rows, dtype=np.int64)
    count = 1
    for values in codes:
        size = int(values.max(initial=-1)) + 2
        place, first = _compact(place * size + values + 1, count * size)
        count = len(first)
    first = np.zeros(count, dtype=np.int64)
    first[place[::-1]] = np.arange(rows - 1, -1, -1)
    return Leaves(tuple(values[first] for values in codes), place, pruned)


def _compact(keys: Ints, space: int) -> tuple[Ints, Ints]:
    """Return keys as their ranks among those that occur, and those that occur, ascending."""
    if space <= max(_DENSE * len(keys), 65_536):
        seen = np.bincount(keys, minlength=1) > 0
        return (np.cumsum(seen) - 1)[keys], np.flatnonzero(seen)
    distinct, ranks = np.unique(keys, return_inverse=True)
    return ranks.reshape(-1), distinct


def cuboids(held: Leaves, events: Floats, *, depth: int, least: float) -> list[Cuboid]:
    """Return every cuboid up to `depth`, with the segments that hold at least `least` events.

    Parameters
    ----------
    held : Leaves
        The leaves.
    events : ndarray, shape (leaves,)
        Each leaf's events, of both periods.
    depth : int
        The most dimensions that a segment fixes.
    least : float
        The fewest events of a segment.
    """
    found: list[Cuboid] = []
    usable = [dim for dim, values in enumerate(held.codes) if values.max(initial=-1) >= 0]
    compact: dict[tuple[int, ...], Cuboid] = {}
    for size in range(1, min(depth, len(usable)) + 1):
        for dims in combinations(usable, size):
            parent = compact.get(dims[:-1])
            made = _cuboid(held, events, dims, parent, least)
            if made is not None:
                compact[dims] = made
                found.append(made)
    return found


def _cuboid(held: Leaves, events: Floats, dims: tuple[int, ...], parent: Cuboid | None, least: float) -> Cuboid | None:
    """Return one cuboid, built on the one without its last dimension; None when no segment has enough events."""
    last = held.codes[dims[-1]]
    if len(dims) == 1:
        inside = last >= 0
        keys, space = last[inside].astype(np.int64), int(last.max()) + 1
    elif parent is None:
        return None
    else:
        size = int(last.max()) + 1
        inside = (parent.slot < len(parent.values)) & (last >= 0)
        keys = parent.slot[inside].astype(np.int64) * size + last[inside]
        space = len(parent.values) * size
    ranks, distinct = _compact(keys, space)
    enough = np.bincount(ranks, weights=events[inside], minlength=len(distinct)) >= least
    count = int(np.count_nonzero(enough))
    if not count:
        return None
    place = np.where(enough, np.cumsum(enough) - 1, count).astype(np.int32)
    slot = np.full(len(last), count, dtype=np.int32)
    slot[inside] = place[ranks]
    kept = distinct[enough]
    if len(dims) == 1:
        values = kept[:, None]
    else:
        assert parent is not None
        size = int(last.max()) + 1
        values = np.column_stack([parent.values[kept // size], kept % size])
    return Cuboid(dims, slot, values.astype(np.int32))
