"""What does each player add, tree by tree? Compiled: a tree is cut into small units, each a table over patterns."""

from __future__ import annotations

import numpy as np

from riskbench.engine.compiled import inner
from riskbench.explanation.kernels import decide, path_table, reference_table

#: Rows that are taken through a tree together.
BLOCK = 512
#: The most players that one path may have.
MOST_PLAYERS = 62


@inner
def shape(nodes, begin, end):
    """Return a tree's parents, sides, counts of inner nodes below, and its levels; positions count from `begin`."""
    _, feature, _, left, right, _, _, _, _, _, _, _, _ = nodes
    size = end - begin
    parent, side = np.empty(size, np.int64), np.empty(size, np.uint8)
    depth, inner = np.empty(size, np.int64), np.empty(size, np.int64)
    order, stack = np.empty(size, np.int64), np.empty(size, np.int64)
    found, top, levels = 0, 1, 1
    stack[0], parent[0], side[0], depth[0] = 0, -1, 0, 0
    while top > 0:
        top -= 1
        at = stack[top]
        order[found], inner[at] = at, 0
        found += 1
        levels = max(levels, depth[at] + 1)
        if feature[begin + at] >= 0:
            for way in range(2):
                child = (left[begin + at] if way == 1 else right[begin + at]) - begin
                parent[child], side[child], depth[child] = at, way, depth[at] + 1
                stack[top] = child
                top += 1
    for i in range(found - 1, -1, -1):
        at = order[i]
        if feature[begin + at] >= 0:
            inner[at] = 1 + inner[left[begin + at] - begin] + inner[right[begin + at] - begin]
    return parent, side, inner, levels


@inner
def above(at, parent, begin, feature, player, slots):
    """Write the distinct players on the path to a node, the nearest first, into `slots`; return how many."""
    count = 0
    up = parent[at]
    while up >= 0:
        own, known = player[feature[begin + up]], False
        for j in range(count):
            if slots[j] == own:
                known = True
                break
        if not known:
            if count < len(slots):
                slots[count] = own
            count += 1
        up = parent[up]
    return count


@inner
def cut_units(nodes, begin, tree, player, limit):
    """Return the roots of the units, dense ones first, and how many are dense.

    A unit is a part of the tree below one node. A row's index into its table has a bit for each player on the
    path to the unit (all conditions met) and a bit for each inner node of the unit (goes left).
    """
    _, feature, _, left, right, _, _, _, _, _, _, _, _ = nodes
    parent, _, inner, _ = tree
    size = len(parent)
    roots, deep, stack = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    slots = np.empty(64, np.int64)
    n_dense, n_deep, top = 0, 0, 1
    stack[0] = 0
    while top > 0:
        top -= 1
        at = stack[top]
        bits = above(at, parent, begin, feature, player, slots) + inner[at]
        if bits <= limit:
            roots[n_dense] = at
            n_dense += 1
        elif inner[at] <= 1:
            deep[n_deep] = at
            n_deep += 1
        else:
            stack[top] = left[begin + at] - begin
            stack[top + 1] = right[begin + at] - begin
            top += 2
    for u in range(n_deep):
        roots[n_dense + u] = deep[u]
    return roots[: n_dense + n_deep], n_dense


@inner
def unit_at(nodes, begin, tree, player, root, room):
    """Write a unit's path, inner nodes, leaves and players into `room`; return how many of each.

    room : (path node, path side, path bit, inner node, leaf, player slots)
    """
    _, feature, _, left, right, _, _, _, _, _, _, _, _ = nodes
    parent, side, _, _ = tree
    path, sides, bits, inside, leaves, slots = room
    k = above(root, parent, begin, feature, player, slots)
    n_path, at = 0, root
    while parent[at] >= 0:
        up = parent[at]
        path[n_path], sides[n_path] = up, side[at]
        for j in range(k):
            if slots[j] == player[feature[begin + up]]:
                bits[n_path] = j
        n_path += 1
        at = up
    n_inner, n_leaves, m, waiting = 0, 0, k, 1
    stack = np.empty(128, np.int64)
    stack[0] = root
    while waiting > 0:
        waiting -= 1
        at = stack[waiting]
        if feature[begin + at] < 0:
            leaves[n_leaves] = at
            n_leaves += 1
            continue
        inside[n_inner] = at
        n_inner += 1
        own, known = player[feature[begin + at]], False
        for j in range(m):
            if slots[j] == own:
                known = True
        if not known:
            slots[m] = own
            m += 1
        stack[waiting] = left[begin + at] - begin
        stack[waiting + 1] = right[begin + at] - begin
        waiting += 2
    return k, m, n_path, n_inner, n_leaves


@inner
def leaf_at(nodes, begin, tree, player, leaf, root, k, m, room, own):
    """Write what a leaf asks of its unit's players; return how many it has.

    own : (slot of each of the leaf's players, chance of each, inner bits asked for, inner bits asked to be set)
    """
    _, feature, _, _, _, _, _, cover, _, _, _, _, _ = nodes
    parent, side, _, _ = tree
    _, _, _, inside, _, slots = room
    slot, chance, asked, told = own
    place = np.empty(m, np.int64)
    for j in range(m):
        place[j] = j if j < k else -1
        slot[j] = j
    count = k
    for j in range(64):
        chance[j], asked[j], told[j] = 1.0, 0, 0
    at, below = leaf, leaf != root
    while parent[at] >= 0:
        up = parent[at]
        j = 0
        while slots[j] != player[feature[begin + up]]:
            j += 1
        if place[j] < 0:
            place[j] = count
            slot[count] = j
            count += 1
        mine = place[j]
        whole = cover[begin + up]
        chance[mine] *= cover[begin + at] / whole if whole > 0 else 0.0
        if below:
            i = 0
            while inside[i] != up:
                i += 1
            asked[mine] |= np.uint64(1) << np.uint64(k + i)
            if side[at] == 1:
                told[mine] |= np.uint64(1) << np.uint64(k + i)
            below = up != root
        at = up
    return count


@inner
def leaf_pattern(index, k, count, own):
    """Return the leaf's pattern, a bit for each of its players, from a row's index in the unit."""
    slot, _, asked, told = own
    pattern = np.uint64(0)
    for j in range(count):
        met = (index & asked[j]) == told[j]
        if slot[j] < k:
            met = met and ((index >> np.uint64(slot[j])) & np.uint64(1)) == np.uint64(1)
        if met:
            pattern |= np.uint64(1) << np.uint64(j)
    return pattern


@inner
def fill_table(nodes, begin, tree, player, root, counts, room, own, rules, path, table):
    """Write a dense unit's table: player slot by index, the sum over its leaves."""
    _, _, _, _, _, _, value, _, _, _, _, _, _ = nodes
    points, weights, _ = rules
    k, m, _, n_inner, n_leaves = unit_at(nodes, begin, tree, player, root, room)
    size = 1 << (k + n_inner)
    patterns = np.empty(size, np.int64)
    shares, held = np.empty(size), np.empty(size)
    out = np.empty((m, size))
    for i in range(n_leaves):
        leaf = room[4][i]
        count = leaf_at(nodes, begin, tree, player, leaf, root, k, m, room, own)
        nq = (count + 1) // 2
        some = 1 << count
        for j in range(count):
            for index in range(some):
                out[j, index] = 0.0
        for index in range(size):
            patterns[index] = np.int64(leaf_pattern(np.uint64(index), k, count, own))
        if path:
            path_table(own[1], count, points[nq, :nq], weights[nq, :nq], held, out)
        else:
            for index in range(some):
                shares[index] = 0.0
            for index in range(size):
                shares[patterns[index]] += counts[index]
            reference_table(shares, count, points[nq, :nq], weights[nq, :nq], held, out)
        worth = value[begin + leaf]
        for j in range(count):
            row = table[own[0][j]]
            for index in range(size):
                row[index] += worth * out[j, patterns[index]]


@inner
def place_rows(rows, decided, unit, index):
    """Write each row's index in a dense unit."""
    k, n_path, n_inner, path, sides, bits, inside = unit
    full = np.uint16((1 << k) - 1)
    for i in range(rows):
        index[i] = full
    for e in range(n_path):
        taken, bit, flip = decided[path[e]], np.uint16(bits[e]), np.uint16(sides[e])
        for i in range(rows):
            index[i] &= np.uint16(~((np.uint16(taken[i]) ^ flip) << bit))
    for e in range(n_inner):
        taken, bit = decided[inside[e]], np.uint16(k + e)
        for i in range(rows):
            index[i] |= np.uint16(np.uint16(taken[i]) << bit)


@inner
def place_deep(X, nodes, begin, room, shape_of, buffer, index):
    """Write each row's index in a deep unit, 64 bits."""
    feature = nodes[1]
    k, n_path, n_inner = shape_of
    path, sides, bits, inside, _, _ = room
    full = (np.uint64(1) << np.uint64(k)) - np.uint64(1)
    for from_row in range(0, X.shape[1], BLOCK):
        to_row = min(from_row + BLOCK, X.shape[1])
        rows = to_row - from_row
        for i in range(rows):
            index[from_row + i] = full
        for e in range(n_path):
            node, bit, flip = begin + path[e], np.uint64(bits[e]), np.uint64(sides[e])
            decide(X[feature[node]], from_row, to_row, node, nodes, buffer)
            for i in range(rows):
                index[from_row + i] &= ~((np.uint64(buffer[i]) ^ flip) << bit)
        for e in range(n_inner):
            node, bit = begin + inside[e], np.uint64(k + e)
            decide(X[feature[node]], from_row, to_row, node, nodes, buffer)
            for i in range(rows):
                index[from_row + i] |= np.uint64(buffer[i]) << bit


@inner
def tell_apart(index, keys, places, used, distinct, slot):
    """Give the distinct values of `index` numbers in order of appearance; `places` holds -1 before and after."""
    mask = np.uint64(len(places) - 1)
    count = 0
    for i in range(len(index)):
        value = index[i]
        at = ((value * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(29)) & mask
        while places[at] >= 0 and keys[at] != value:
            at = (at + np.uint64(1)) & mask
        if places[at] < 0:
            places[at], keys[at], distinct[count], used[count] = count, value, value, np.int64(at)
            count += 1
        slot[i] = places[at]
    for c in range(count):
        places[used[c]] = -1
    return count
