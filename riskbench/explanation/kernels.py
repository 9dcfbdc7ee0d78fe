"""The compiled loops on one leaf and one block of rows: decisions, margins, tables of Shapley weights."""

from __future__ import annotations

import numpy as np

from riskbench.engine.compiled import compiled, inner


@inner
def goes_left(x, kind, threshold, missing_left, start, words, set_right, bits):
    """Tell whether one value goes left at a node."""
    if x != x:  # noqa: PLR0124
        return missing_left == 1
    if kind == 2:
        held = False
        if x > -1.0 and x < words * 32.0:
            code = np.int64(x)
            held = (bits[start + (code >> 5)] >> np.uint32(code & 31)) & np.uint32(1) == np.uint32(1)
        return held != (set_right == 1)
    if kind == 1 and abs(x) <= 1.0000000180025095e-35:
        return missing_left == 1
    return x <= threshold


@inner
def decide(row, begin, end, node, nodes, out):
    """Write 1 where the values row[begin:end] of a node's column go left, else 0."""
    _, _, threshold, _, _, missing_left, _, _, kind, start, words, set_right, bits = nodes
    cut, default = threshold[node], missing_left[node]
    if kind[node] == 0:
        if default == 1:
            for i in range(end - begin):
                out[i] = np.uint8(not (row[begin + i] > cut))
        else:
            for i in range(end - begin):
                out[i] = np.uint8(row[begin + i] <= cut)
        return
    for i in range(end - begin):
        out[i] = np.uint8(
            goes_left(row[begin + i], kind[node], cut, default, start[node], words[node], set_right[node], bits)
        )


@compiled
def margins(nodes, X, out):
    """Add every tree's value to `out`, one a row; X is columns x rows."""
    roots, feature, threshold, left, right, missing_left, value, _, kind, start, words, set_right, bits = nodes
    for i in range(X.shape[1]):
        total = 0.0
        for root in roots:
            node = root
            while feature[node] >= 0:
                at = node
                if goes_left(
                    X[feature[at], i],
                    kind[at],
                    threshold[at],
                    missing_left[at],
                    start[at],
                    words[at],
                    set_right[at],
                    bits,
                ):
                    node = left[at]
                else:
                    node = right[at]
            total += value[node]
        out[i] += total


@inner
def ones(word):
    """Return how many bits of a 64-bit number are set."""
    x = np.uint64(word)
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@inner
def reference_table(shares, k, points, weights, held, out):
    """Write every pattern's Shapley values of a leaf of value 1 against a reference.

    A pattern has a bit for each of the leaf's k players: 1 where the row meets all of the player's conditions.
    With t in (0, 1), (a-1)! b! / (a+b)! is the integral of t^(a-1) (1-t)^b, a polynomial that Gauss and
    Legendre's rule integrates exactly; for each t one pass a player sums over all reference patterns at once.

    Parameters
    ----------
    shares : ndarray of float64, shape (2**k,)
        The share of the reference with each pattern.
    points, weights : ndarray
        The rule on (0, 1) for polynomials of degree k - 1.
    held : ndarray of float64
        Room for 2**k numbers.
    out : ndarray of float64, shape (k, at least 2**k)
        Player by pattern.
    """
    size = 1 << k
    powers = np.empty(k + 1)
    for q in range(len(points)):
        t, w = points[q], weights[q]
        powers[0] = w
        for b in range(k):
            powers[b + 1] = powers[b] * (1.0 - t)
        for a in range(size):
            held[a] = shares[a]
        for j in range(k):
            bit = 1 << j
            for high in range(0, size, bit << 1):
                for a in range(high, high + bit):
                    without, with_it = held[a], held[a + bit]
                    held[a] = with_it
                    held[a + bit] = t * without + with_it
        inverse = 1.0 / t
        for a in range(size):
            b = k - ones(a)
            gain = powers[b] * inverse
            loss = powers[b - 1] if b > 0 else 0.0
            full = held[a]
            for j in range(k):
                bit = 1 << j
                if a & bit:
                    out[j, a] += gain * (full - held[a ^ bit])
                else:
                    out[j, a] -= loss * full


@inner
def path_table(chance, k, points, weights, held, out):
    """Write every pattern's path-dependent Shapley values of a leaf of value 1.

    The value of a set S of players is the product of the pattern's bits in S and the chances outside it; the
    same integral over t gives the Shapley values: (bit - chance) times the other players' t bit + (1-t) chance.

    Parameters
    ----------
    chance : ndarray of float64, shape (k,)
        The product of the shares of training weight that take the path at the player's nodes.
    """
    size = 1 << k
    for q in range(len(points)):
        t, w = points[q], weights[q]
        held[0] = w
        for j in range(k):
            bit = 1 << j
            low = (1.0 - t) * chance[j]
            for a in range(bit):
                held[a + bit] = held[a] * (t + low)
                held[a] = held[a] * low
        for j in range(k):
            bit = 1 << j
            inverse = 1.0 / (t + (1.0 - t) * chance[j])
            for a in range(size):
                own = 1.0 if a & bit else 0.0
                out[j, a] += (own - chance[j]) * held[a | bit] * inverse


@inner
def reference_pairs(pattern, k, seen, counts, weights, out):
    """Write one pattern's Shapley values of a leaf of value 1, going through the reference patterns seen.

    Parameters
    ----------
    pattern : uint64
        The row's pattern.
    seen : ndarray of uint64
        The reference's patterns.
    counts : ndarray of float64
        The share of the reference with each.
    weights : ndarray of float64, shape (64, 64)
        (a-1)! b! / (a+b)! at [a, b].
    out : ndarray of float64, shape (k,)
        The values.
    """
    everything = (np.uint64(1) << np.uint64(k)) - np.uint64(1)
    against = k - ones(pattern)
    lost = 0.0
    for s in range(len(seen)):
        other = seen[s]
        if (pattern | other) != everything:
            continue
        alone = pattern & ~other
        for_it = ones(alone)
        if against > 0:
            lost += counts[s] * weights[against, for_it]
        if for_it > 0:
            gain = counts[s] * weights[for_it, against]
            for j in range(k):
                if (alone >> np.uint64(j)) & np.uint64(1) == np.uint64(1):
                    out[j] += gain
    for j in range(k):
        if (pattern >> np.uint64(j)) & np.uint64(1) == np.uint64(0):
            out[j] -= lost


@inner
def path_pattern(pattern, k, chance, points, weights, out):
    """Write one pattern's path-dependent Shapley values of a leaf of value 1."""
    for q in range(len(points)):
        t = points[q]
        zeros, product = 0, weights[q]
        for j in range(k):
            own = t if (pattern >> np.uint64(j)) & np.uint64(1) == np.uint64(1) else 0.0
            factor = own + (1.0 - t) * chance[j]
            if factor == 0.0:
                zeros += 1
            else:
                product *= factor
        if zeros > 1:
            continue
        for j in range(k):
            bit = 1.0 if (pattern >> np.uint64(j)) & np.uint64(1) == np.uint64(1) else 0.0
            factor = t * bit + (1.0 - t) * chance[j]
            if factor == 0.0:
                out[j] += (bit - chance[j]) * product
            elif zeros == 0:
                out[j] += (bit - chance[j]) * product / factor
