"""What does each player add to each row? Compiled: all trees of a slice, all rows, against one reference."""

from __future__ import annotations

import numpy as np

from riskbench.explanation.kernels import compiled, decide, path_pattern, reference_pairs, reference_table
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
def explain_trees(nodes, first, last, player, X, R, rules, path, limit, out):
    """Add the Shapley values of trees first..last-1 to `out`.

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
    rows, others = X.shape[1], R.shape[1]
    buffer = np.empty(BLOCK, np.uint8)
    short = np.empty(BLOCK, np.uint16)
    own = (np.empty(64, np.int64), np.empty(64), np.empty(64, np.uint64), np.empty(64, np.uint64))
    most = max(rows, others)
    long, deep_ready = np.empty(0, np.uint64), False
    places, keys = np.empty(0, np.int32), np.empty(0, np.uint64)
    used, slot = np.empty(0, np.int64), np.empty(0, np.int32)
    row_codes, other_codes, other_counts = np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0)
    for t in range(first, last):
        begin = np.int64(roots[t])
        end = np.int64(roots[t + 1]) if t + 1 < len(roots) else np.int64(len(feature))
        if feature[begin] < 0:
            continue
        tree = shape(nodes, begin, end)
        units, n_dense = cut_units(nodes, begin, tree, player, limit)
        widest = tree[2].max() + 1
        paths, sides = np.empty((n_dense, widest), np.int64), np.empty((n_dense, widest), np.uint8)
        bits, inside = np.empty((n_dense, widest), np.int64), np.empty((n_dense, limit + 1), np.int64)
        slots, sizes = np.empty((n_dense, 64), np.int64), np.empty((n_dense, 5), np.int64)
        starts = np.zeros((n_dense + 1, 2), np.int64)
        leaves = np.empty(1 << 12 if limit >= 12 else (1 << limit) + 2, np.int64)
        for u in range(n_dense):
            k, m, n_path, n_inner, n_leaves = unit_at(
                nodes, begin, tree, player, units[u], (paths[u], sides[u], bits[u], inside[u], leaves, slots[u])
            )
            sizes[u, 0], sizes[u, 1], sizes[u, 2], sizes[u, 3] = k, m, n_path, n_inner
            size = 1 << (k + n_inner)
            starts[u + 1, 0], starts[u + 1, 1] = starts[u, 0] + size, starts[u, 1] + size * m
        decided = np.empty((end - begin, BLOCK), np.uint8)
        counts, tables = np.zeros(starts[n_dense, 0]), np.zeros(starts[n_dense, 1])
        needed = np.zeros(end - begin, np.uint8)
        for u in range(n_dense):
            for e in range(sizes[u, 2]):
                needed[paths[u, e]] = 1
            for e in range(sizes[u, 3]):
                needed[inside[u, e]] = 1
        if not path:
            share = 1.0 / others
            for low in range(0, others, BLOCK):
                high = min(low + BLOCK, others)
                for at in range(end - begin):
                    if needed[at]:
                        decide(R[feature[begin + at]], low, high, begin + at, nodes, decided[at])
                for u in range(n_dense):
                    unit = (sizes[u, 0], sizes[u, 2], sizes[u, 3], paths[u], sides[u], bits[u], inside[u])
                    place_rows(high - low, decided, unit, short)
                    held = counts[starts[u, 0] : starts[u + 1, 0]]
                    for i in range(high - low):
                        held[short[i]] += share
        for u in range(n_dense):
            size = starts[u + 1, 0] - starts[u, 0]
            table = tables[starts[u, 1] : starts[u + 1, 1]].reshape((sizes[u, 1], size))
            room = (paths[u], sides[u], bits[u], inside[u], leaves, slots[u])
            held = counts[starts[u, 0] : starts[u + 1, 0]]
            fill_table(nodes, begin, tree, player, units[u], held, room, own, rules, path, table)
        for low in range(0, rows, BLOCK):
            high = min(low + BLOCK, rows)
            for at in range(end - begin):
                if needed[at]:
                    decide(X[feature[begin + at]], low, high, begin + at, nodes, decided[at])
            for u in range(n_dense):
                unit = (sizes[u, 0], sizes[u, 2], sizes[u, 3], paths[u], sides[u], bits[u], inside[u])
                place_rows(high - low, decided, unit, short)
                size = starts[u + 1, 0] - starts[u, 0]
                for s in range(sizes[u, 1]):
                    line = out[slots[u, s]]
                    table_row = tables[starts[u, 1] + s * size : starts[u, 1] + (s + 1) * size]
                    for i in range(high - low):
                        line[np.uint64(low + i)] += table_row[np.uint64(short[i])]
        if len(units) == n_dense:
            continue
        if not deep_ready:
            deep_ready = True
            width = 16
            while width < 2 * most:
                width *= 2
            long, slot = np.empty(most, np.uint64), np.empty(most, np.int32)
            places, keys, used = np.full(width, -1, np.int32), np.empty(width, np.uint64), np.empty(most, np.int64)
            row_codes, other_codes, other_counts = (
                np.empty(rows, np.uint64),
                np.empty(others, np.uint64),
                np.empty(others),
            )
        deep_room = (
            np.empty(widest, np.int64), np.empty(widest, np.uint8), np.empty(widest, np.int64),
            np.empty(2, np.int64), np.empty(4, np.int64), np.empty(64, np.int64),
        )  # fmt: skip
        for u in range(n_dense, len(units)):
            k, m, n_path, n_inner, n_leaves = unit_at(nodes, begin, tree, player, units[u], deep_room)
            n_others = 0
            if not path:
                place_deep(R, nodes, begin, deep_room, (k, n_path, n_inner), buffer, long)
                n_others = tell_apart(long[:others], keys, places, used, other_codes, slot)
                other_counts[:n_others] = 0.0
                for i in range(others):
                    other_counts[slot[i]] += 1.0 / others
            place_deep(X, nodes, begin, deep_room, (k, n_path, n_inner), buffer, long)
            n_codes = tell_apart(long[:rows], keys, places, used, row_codes, slot)
            table = np.zeros((m, n_codes))
            codes = row_codes[:n_codes]
            seen, counts_seen = other_codes[:n_others], other_counts[:n_others]
            fill_deep(nodes, begin, tree, player, units[u], (k, m, n_leaves), deep_room, own, rules, path,
                      codes, seen, counts_seen, table)  # fmt: skip
            for s in range(m):
                line, table_row = out[deep_room[5][s]], table[s]
                for i in range(rows):
                    line[np.uint64(i)] += table_row[np.uint64(slot[i])]


@compiled
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
            one[:count] = 0.0
            if path:
                path_pattern(pattern, count, own[1], points[nq, :nq], weights[nq, :nq], one)
            else:
                reference_pairs(pattern, count, patterns, shares, pairs, one)
            for j in range(count):
                table[own[0][j], c] += worth * one[j]
