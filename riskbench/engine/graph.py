"""Who hangs together? Components, densest blocks and shortest paths of a graph given as arrays of edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Weights are whole parts of this, so that no sum depends on the order of the edges.
ONE = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A set of rows and columns that are tied more densely than any other set can be, by a factor of two at most.

    Attributes
    ----------
    rows, columns : ndarray of int64
        The nodes on either side, ascending.
    density : float
        The weight inside, of nodes and edges, over the number of nodes.
    bound : float
        No set of rows and columns is denser than this; it is at most twice the density.
    """

    rows: Ints
    columns: Ints
    density: float
    bound: float


def components(a: npt.NDArray[np.integer], b: npt.NDArray[np.integer], *, nodes: int) -> Ints:
    """Return which component each node belongs to, numbered by their smallest nodes.

    Parameters
    ----------
    a, b : ndarray of int, shape (edges,)
        The two ends of each edge, 0 to nodes - 1; in any order, and as often as wished.
    nodes : int
        How many nodes there are; one without an edge is a component of its own.

    Examples
    --------
    >>> components(np.array([0, 3]), np.array([2, 4]), nodes=5).tolist()
    [0, 1, 0, 2, 2]
    """
    from riskbench.engine.peel import join

    kind = np.int32 if nodes < 2**31 else np.int64
    parent = np.arange(nodes, dtype=kind)
    join(np.ascontiguousarray(a, dtype=kind), np.ascontiguousarray(b, dtype=kind), parent)
    number = np.cumsum(parent == np.arange(nodes, dtype=kind)) - 1
    return number[parent].astype(np.int64)


def distinct(rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer]) -> tuple[Ints, Ints]:
    """Return each pair once, by row and then by column."""
    if not len(rows):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    width = np.int64(int(columns.max()) + 1)
    keys = np.unique(rows.astype(np.int64) * width + columns)
    return keys // width, keys % width


def camouflage_weights(columns: Ints, *, of: int, soft: float = 5.0) -> Ints:
    """Return each edge's weight in parts of `ONE`: 1 / log(degree of its column + soft).

    A column that everybody is tied to tells little, so adding edges to popular columns hides nobody.

    Source: Hooi, B. et al. (2016), FRAUDAR: bounding graph fraud in the face of camouflage, KDD, section 4.
    """
    degree = np.bincount(columns, minlength=of)
    return np.rint(ONE / np.log(degree + soft)).astype(np.int64)[columns]


def densest(
    rows: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    *,
    sizes: tuple[int, int],
    prior: Floats | None = None,
    soft: float = 5.0,
) -> Block:
    """Return a block of rows and columns whose density is at least half that of the densest one.

    The density of a set is the weight of its nodes and of the edges inside it, over the number of its nodes. The
    loosest node is taken off again and again, and the densest rest is kept.

    Parameters
    ----------
    rows, columns : ndarray of int, shape (edges,)
        The two ends of each edge; an edge given twice counts once.
    sizes : (int, int)
        How many rows and how many columns there are.
    prior : ndarray of float, shape (rows + columns,), optional
        What is known against each node beforehand, 0 or more, on the scale of an edge's weight (at most 0.6).
    soft : float, above 1
        Edge weights are 1 / log(degree of the column + soft).

    Source: Hooi, B. et al. (2016), FRAUDAR: bounding graph fraud in the face of camouflage, KDD, theorem 1;
    Charikar, M. (2000), Greedy approximation algorithms for finding dense components in a graph, APPROX.

    Examples
    --------
    >>> left, right = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 0, 1, 2, 2])
    >>> found = densest(left, right, sizes=(4, 3))
    >>> found.rows.tolist(), found.columns.tolist()
    ([0, 1], [0, 1])
    """
    r, c = distinct(rows, columns)
    return _peeled(r, c, camouflage_weights(c, of=sizes[1], soft=soft), sizes=sizes, prior=prior)


def blocks(
    rows: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    *,
    sizes: tuple[int, int],
    prior: Floats | None = None,
    soft: float = 5.0,
) -> Iterator[Block]:
    """Give one block after the other, the rows of each taken out before the next is looked for.

    Weights stay those of the whole graph. It ends when no edge is left.
    """
    r, c = distinct(rows, columns)
    weight = camouflage_weights(c, of=sizes[1], soft=soft)
    while len(r):
        found = _peeled(r, c, weight, sizes=sizes, prior=prior)
        yield found
        inside = np.zeros(sizes[0], dtype=bool)
        inside[found.rows] = True
        if not inside.any():
            return
        keep = ~inside[r]
        r, c, weight = r[keep], c[keep], weight[keep]


def _peeled(r: Ints, c: Ints, weight: Ints, *, sizes: tuple[int, int], prior: Floats | None) -> Block:
    """Return the densest rest of peeling; nodes with neither edge nor prior are left out from the start."""
    from riskbench.engine.peel import peel

    of = sum(sizes)
    a, b = r, c + sizes[0]
    key = np.bincount(a, weight, of).astype(np.int64) + np.bincount(b, weight, of).astype(np.int64)
    if prior is not None:
        key += np.rint(np.asarray(prior, dtype=np.float64) * ONE).astype(np.int64)
    held = np.flatnonzero(key)
    number = np.full(of, -1, dtype=np.int64)
    number[held] = np.arange(len(held))
    ends = np.concatenate([number[a], number[b]])
    by_node = np.argsort(ends, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=len(held)))]).astype(np.int64)
    other = np.concatenate([number[b], number[a]])[by_node]
    order = np.empty(len(held), dtype=np.int64)
    gone, total, bound = peel(start, other, np.concatenate([weight, weight])[by_node], key[held], order)
    left = np.sort(held[order[gone:]])
    density = total / ONE / max(1, len(left))
    return Block(left[left < sizes[0]], left[left >= sizes[0]] - sizes[0], density, max(bound / ONE, density))


def path(
    a: npt.NDArray[np.integer],
    b: npt.NDArray[np.integer],
    *,
    ends: tuple[int, int],
    nodes: int,
    cost: Floats | None = None,
) -> Ints:
    """Return the edges, in order, of the cheapest path between two nodes; none when they do not hang together.

    Parameters
    ----------
    a, b : ndarray of int, shape (edges,)
        The two ends of each edge.
    ends : (int, int)
        From where to where.
    nodes : int
        How many nodes there are.
    cost : ndarray of float, shape (edges,), optional
        What each edge costs, above 0; by default all the same.

    Examples
    --------
    >>> path(np.array([0, 1, 0]), np.array([1, 2, 3]), ends=(0, 2), nodes=4).tolist()
    [0, 1]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    first, last = ends
    if first == last or not len(a):
        return np.zeros(0, dtype=np.int64)
    price = np.ones(len(a)) if cost is None else np.asarray(cost, dtype=np.float64)
    x, y = np.minimum(a, b).astype(np.int64), np.maximum(a, b).astype(np.int64)
    cheapest = np.lexsort((np.arange(len(a)), price, y, x))
    x, y = x[cheapest], y[cheapest]
    once = np.concatenate([[True], (x[1:] != x[:-1]) | (y[1:] != y[:-1])]) & (x != y)
    x, y, edge = x[once], y[once], cheapest[once]
    graph = csr_array((price[edge], (x, y)), shape=(nodes, nodes))
    _, came = dijkstra(graph, directed=False, indices=first, return_predecessors=True)
    if came[last] < 0:
        return np.zeros(0, dtype=np.int64)
    walk = [int(last)]
    while walk[-1] != first:
        walk.append(int(came[walk[-1]]))
    steps = np.array(walk[::-1])
    low, high = np.minimum(steps[:-1], steps[1:]), np.maximum(steps[:-1], steps[1:])
    return edge[np.searchsorted(x * np.int64(nodes) + y, low * np.int64(nodes) + high)]
