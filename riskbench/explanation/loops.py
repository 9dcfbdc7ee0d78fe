"""What does each player add to each row? Compiled: all trees of a slice, all rows, against one reference."""

from __future__ import annotations

import numpy as np

from riskbench.engine.compiled import compiled, merged
from riskbench.explanation.kernels import decide, path_pattern, reference_pairs, reference_table
from riskbench.explanation.trees import (
    BLOCK,
    cut_units,
    fill_table,
    leaf_at,
    leaf_pattern,
    place_deep,
    place_rows,
    shape,
    tell_apart,
    unit_at,
)


@compiled
def explain_dense(nodes, first, last, player, X, R, rules, path, limit, out):
    """Add the Shapley values of the dense units of trees first..last-1 to `out`; return how many units are deep.

    Parameters
    ----------
    nodes : tuple of ndarray
        `Ensemble.nodes`.
    player : ndarray of int64, shape (columns,)
        Which player a column belongs to.
    X, R : ndarray of float64, columns x rows
        The rows to explain, and the reference (no rows when `path`).
    rules : (points, weights, weights of pairs)
        Gauss and Legendre's rules on (0, 1) by their number of points; (a-1)! b! / (a+b)! by a, b.
    path : bool
        Path-dependent instead of against the reference.
    limit : int
        The most bits of a dense unit.
    out : ndarray of float64, players x rows
        Added to.
    """
    roots, feature = nodes[0], nodes[1]
    own = (np.empty(64, np.int64), np.empty(64), np.empty(64, np.uint64), np.empty(64, np.uint64))
    deep = 0
    for t in range(first, last):
        begin, end = span_of(roots, feature, t)
        if feature[begin] < 0:
            continue
        tree = shape(nodes, begin, end)
        units, n_dense = cut_units(nodes, begin, tree, player, limit)
        deep += len(units) - n_dense
        if n_dense > 0:
            add_dense(nodes, begin, tree, player, units[:n_dense], X, R, own, rules, path, limit, out)
    return deep


@compiled
def explain_deep(nodes, first, last, player, X, R, rules, path, limit, out):
    """Add the Shapley values of the deep units of trees first..last-1 to `out`; see `explain_dense`."""
    roots, feature = nodes[0], nodes[1]
    own = (np.empty(64, np.int64), np.empty(64), np.empty(64, np.uint64), np.empty(64, np.uint64))
    scratch = scratch_for(max(X.shape[1], R.shape[1]))
    for t in range(first, last):
        begin, end = span_of(roots, feature, t)
        if feature[begin] < 0:
            continue
        tree = shape(nodes, begin, end)
        units, n_dense = cut_units(nodes, begin, tree, player, limit)
        if n_dense < len(units):
            add_deep(nodes, begin, tree, player, units[n_dense:], X, R, own, rules, path, scratch, out)


@merged
def span_of(roots, feature, t):
    """Return a tree's first node, and one past its last."""
    return np.int64(roots[t]), np.int64(roots[t + 1]) if t + 1 < len(roots) else np.int64(len(feature))


@merged
def add_dense(nodes, begin, tree, player, units, X, R, own, rules, path, limit, out):
    """Add a tree's dense units: tables over all patterns, then a look into each for every row."""
    feature = nodes[1]
    rows, others, size, n_units = X.shape[1], R.shape[1], len(tree[0]), len(units)
    widest = tree[3]
    paths, sides = np.empty((n_units, widest), np.int64), np.empty((n_units, widest), np.uint8)
    bits, inside = np.empty((n_units, widest), np.int64), np.empty((n_units, limit + 1), np.int64)
    slots, sizes = np.empty((n_units, 64), np.int64), np.empty((n_units, 4), np.int64)
    starts = np.zeros((n_units + 1, 2), np.int64)
    leaves = np.empty(limit + 2, np.int64)
    needed = np.zeros(size, np.uint8)
    for u in range(n_units):
        room = (paths[u], sides[u], bits[u], inside[u], leaves, slots[u])
        k, m, n_path, n_inner, _ = unit_at(nodes, begin, tree, player, units[u], room)
        sizes[u, 0], sizes[u, 1], sizes[u, 2], sizes[u, 3] = k, m, n_path, n_inner
        width = 1 << (k + n_inner)
        starts[u + 1, 0], starts[u + 1, 1] = starts[u, 0] + width, starts[u, 1] + width * m
        for e in range(n_path):
            needed[paths[u, e]] = 1
        for e in range(n_inner):
            needed[inside[u, e]] = 1
    counts, tables = np.zeros(starts[n_units, 0]), np.zeros(starts[n_units, 1])
    decided, index = np.empty((size, BLOCK), np.uint8), np.empty(BLOCK, np.uint16)
    # The reference first, counted by pattern; then the tables made of the counts; then the rows.
    for turn in range(2):
        held, count = (R, others) if turn == 0 else (X, rows)
        if turn == 1:
            for u in range(n_units):
                width = starts[u + 1, 0] - starts[u, 0]
                table = tables[starts[u, 1] : starts[u + 1, 1]].reshape((sizes[u, 1], width))
                room = (paths[u], sides[u], bits[u], inside[u], leaves, slots[u])
                seen = counts[starts[u, 0] : starts[u + 1, 0]]
                fill_table(nodes, begin, tree, player, units[u], seen, room, own, rules, path, table)
        for low in range(0, count, BLOCK):
            high = min(low + BLOCK, count)
            for at in range(size):
                if needed[at]:
                    decide(held[feature[begin + at]], low, high, begin + at, nodes, decided[at])
            for u in range(n_units):
                unit = (sizes[u, 0], sizes[u, 2], sizes[u, 3], paths[u], sides[u], bits[u], inside[u])
                place_rows(high - low, decided, unit, index)
                if turn == 0:
                    seen = counts[starts[u, 0] : starts[u + 1, 0]]
                    for i in range(high - low):
                        seen[np.uint64(index[i])] += 1.0 / others
                    continue
                width = starts[u + 1, 0] - starts[u, 0]
                for s in range(sizes[u, 1]):
                    line = out[slots[u, s]]
                    at = starts[u, 1] + s * width
                    table_row = tables[at : at + width]
                    for i in range(high - low):
                        line[np.uint64(low + i)] += table_row[np.uint64(index[i])]


@merged
def scratch_for(most):
    """Return what deep units need, for at most so many rows: indices, slots, a hash table and distinct values."""
    width = 16
    while width < 2 * most:
        width *= 2
    places = np.empty(width, np.int32)
    for i in range(width):
        places[i] = -1
    return (
        np.empty(most, np.uint64), np.empty(most, np.int32), places, np.empty(width, np.uint64),
        np.empty(most, np.int64), np.empty(most, np.uint64), np.empty(most, np.uint64), np.empty(most),
    )  # fmt: skip


@merged
def add_deep(nodes, begin, tree, player, units, X, R, own, rules, path, scratch, out):
    """Add a tree's deep units: tables over the patterns that occur."""
    rows, others = X.shape[1], R.shape[1]
    long, slot, places, keys, used, row_codes, other_codes, other_counts = scratch
    widest = tree[3]
    buffer = np.empty(BLOCK, np.uint8)
    room = (
        np.empty(widest, np.int64), np.empty(widest, np.uint8), np.empty(widest, np.int64),
        np.empty(2, np.int64), np.empty(4, np.int64), np.empty(64, np.int64),
    )  # fmt: skip
    for u in range(len(units)):
        k, m, n_path, n_inner, n_leaves = unit_at(nodes, begin, tree, player, units[u], room)
        n_others, n_codes = 0, 0
        for turn in range(2):
            held = R if turn == 0 else X
            count = held.shape[1]
            place_deep(held, nodes, begin, room, (k, n_path, n_inner), buffer, long)
            codes = other_codes if turn == 0 else row_codes
            found = tell_apart(long[:count], keys, places, used, codes, slot)
            if turn == 0:
                n_others = found
                for c in range(n_others):
                    other_counts[c] = 0.0
                for i in range(others):
                    other_counts[slot[i]] += 1.0 / others
            else:
                n_codes = found
        table = np.zeros((m, n_codes))
        fill_deep(nodes, begin, tree, player, units[u], (k, m, n_leaves), room, own, rules, path,
                  row_codes[:n_codes], other_codes[:n_others], other_counts[:n_others], table)  # fmt: skip
        for s in range(m):
            line, table_row = out[room[5][s]], table[s]
            for i in range(rows):
                line[np.uint64(i)] += table_row[np.uint64(slot[i])]


@merged
def fill_deep(nodes, begin, tree, player, root, counts, room, own, rules, path, codes, seen, shares, table):
    """Write a deep unit's table: player slot by distinct index, for the indices that occur only."""
    value = nodes[6]
    points, weights, pairs = rules
    k, m, n_leaves = counts
    one = np.empty(64)
    for i in range(n_leaves):
        leaf = room[4][i]
        count = leaf_at(nodes, begin, tree, player, leaf, root, k, m, room, own)
        nq = (count + 1) // 2
        worth = value[begin + leaf]
        some = 1 << min(count, 40)
        # Either every pattern at once, or each pair of patterns that occur: whichever is less work.
        whole = (not path) and count <= 16 and float(some) * count * nq * 2.0 < float(len(codes)) * len(seen)
        patterns = np.empty(len(seen), np.uint64)
        for c in range(len(seen)):
            patterns[c] = leaf_pattern(seen[c], k, count, own)
        if whole:
            held, all_shares = np.empty(some), np.zeros(some)
            out = np.zeros((count, some))
            for c in range(len(seen)):
                all_shares[np.int64(patterns[c])] += shares[c]
            reference_table(all_shares, count, points[nq, :nq], weights[nq, :nq], held, out)
            for c in range(len(codes)):
                pattern = np.int64(leaf_pattern(codes[c], k, count, own))
                for j in range(count):
                    table[own[0][j], c] += worth * out[j, pattern]
            continue
        for c in range(len(codes)):
            pattern = leaf_pattern(codes[c], k, count, own)
            for j in range(count):
                one[j] = 0.0
            if path:
                path_pattern(pattern, count, own[1], points[nq, :nq], weights[nq, :nq], one)
            else:
                reference_pairs(pattern, count, patterns, shares, pairs, one)
            for j in range(count):
                table[own[0][j], c] += worth * one[j]
