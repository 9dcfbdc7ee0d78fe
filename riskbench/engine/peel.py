"""What does a walk over all edges of a graph need? Compiled loops: joining nodes, and peeling off the loosest."""

from __future__ import annotations

from typing import Any

from riskbench.engine.compiled import compiled, inner


@compiled
def join(a: Any, b: Any, parent: Any) -> None:
    """Join the two ends of every edge in `parent`, where each node starts as its own; roots are smallest nodes."""
    for i in range(len(a)):
        x, y = a[i], b[i]
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        while parent[y] != y:
            parent[y] = parent[parent[y]]
            y = parent[y]
        if x < y:
            parent[y] = x
        elif y < x:
            parent[x] = y
    for node in range(len(parent)):  # a root is smaller than its nodes: one pass flattens
        parent[node] = parent[parent[node]]


@inner
def before(key: Any, x: Any, y: Any) -> bool:
    """Tell whether node x is taken before node y: the looser first, of equals the smaller number."""
    return key[x] < key[y] or (key[x] == key[y] and x < y)


@inner
def rise(heap: Any, place: Any, key: Any, at: Any) -> None:
    """Move the node at a place of the heap up to where it belongs."""
    node = heap[at]
    while at > 0:
        above = (at - 1) // 4
        if not before(key, node, heap[above]):
            break
        heap[at] = heap[above]
        place[heap[at]] = at
        at = above
    heap[at] = node
    place[node] = at


@inner
def sink(heap: Any, place: Any, key: Any, size: Any) -> None:
    """Move the node at the heap's top down to where it belongs."""
    at, node = 0, heap[0]
    while True:
        first = 4 * at + 1
        if first >= size:
            break
        best = first
        for child in range(first + 1, min(first + 4, size)):
            if before(key, heap[child], heap[best]):
                best = child
        if not before(key, heap[best], node):
            break
        heap[at] = heap[best]
        place[heap[at]] = at
        at = best
    heap[at] = node
    place[node] = at


@compiled
def peel(start: Any, other: Any, weight: Any, key: Any, order: Any) -> Any:
    """Take off the loosest node again and again; write the order, return the best moment and what bounds it.

    Parameters
    ----------
    start, other, weight : ndarray of int64
        The edges of each node, both ways: `other[start[i]:start[i + 1]]` are its neighbours.
    key : ndarray of int64
        Each node's own weight and that of its edges; changed.
    order : ndarray of int64
        Filled with the nodes in the order in which they went.

    Returns
    -------
    tuple of (int, int, int)
        How many nodes had gone when the rest was densest, that rest's weight, and the largest key of a node taken.
    """
    nodes = len(key)
    heap, place = order.copy(), order.copy()
    for node in range(nodes):
        heap[node], place[node] = node, node
    for node in range(nodes):
        rise(heap, place, key, node)
    total, edges = 0, 0
    for node in range(nodes):
        total += key[node]
        for at in range(start[node], start[node + 1]):
            edges += weight[at]
    total -= edges // 2  # an edge stands at both of its ends
    best, best_total, bound = 0, total, 0
    density = total / max(nodes, 1)
    for gone in range(nodes):
        left = nodes - gone
        if total / left > density:
            best, best_total, density = gone, total, total / left
        node = heap[0]
        bound = max(bound, key[node])
        heap[0] = heap[left - 1]
        place[heap[0]] = 0
        if left > 1:
            sink(heap, place, key, left - 1)
        place[node] = -1
        order[gone] = node
        total -= key[node]
        for at in range(start[node], start[node + 1]):
            near = other[at]
            if place[near] >= 0:
                key[near] -= weight[at]
                rise(heap, place, key, place[near])
    return best, best_total, bound
