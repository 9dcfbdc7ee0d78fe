"""What does each line of a set add to those before it, on average over all orders? In one pass over the sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.compiled import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def credits_of_lines(
    sets: tuple[Ints, npt.NDArray[np.int32]],
    rank: Ints,
    gains: Floats,
    base: Floats,
    *,
    idle: int,
    cells: tuple[Ints, Ints, Floats],
) -> Floats:
    """Return each line's Shapley credit where the line of the least rank decides a set.

    Of the k lines of a set in the order of their ranks, the i-th is credited with g_i / i - sum over j > i of
    g_j / (j (j - 1)) - g_0 / k, g being what a set is worth when a line decides it, and g_0 when none does.

    Parameters
    ----------
    sets : tuple of (starts, lines)
        Set p holds `lines[starts[p]:starts[p + 1]]`.
    rank : ndarray of int64, shape (lines,)
        The order of deciding; `idle` or more for lines that decide nothing.
    gains, base : ndarray of float64, shapes (lines, kinds + 3) and (kinds + 3,)
        What deciding is worth: by kind, per unit of money; then the cost of handling an event, and how many frauds
        and events it counts as (such as alerted, reviewed). `base` is that of no line.
    cells : tuple of (count, money, squares), each of shape (sets, kinds)
        How many events each set has, their money and its squares.

    Returns
    -------
    ndarray of float64, shape (lines, 6)
        Worth, counted frauds (kind 1), counted events; then the sums of the squares of each event's share.
    """
    out = np.zeros((len(rank), 6))
    starts, lines = sets
    size = int(np.diff(starts).max(initial=0))
    order, later = np.zeros(size, dtype=np.int64), np.zeros(len(base))
    _credits(starts, lines, rank, gains, base, idle, *cells, order, later, out)
    return out


@compiled
def _credits(
    starts: Any,
    lines: Any,
    rank: Any,
    gains: Any,
    base: Any,
    idle: Any,
    count: Any,
    money: Any,
    squares: Any,
    order: Any,
    later: Any,
    out: Any,
) -> None:
    kinds = count.shape[1]
    for group in range(len(starts) - 1):
        size = 0
        for at in range(starts[group], starts[group + 1]):
            line = lines[at]
            if rank[line] >= idle:
                continue
            place = size
            while place > 0 and rank[order[place - 1]] > rank[line]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = line
            size += 1
        later[:] = 0.0
        for k in range(size, 0, -1):
            line = order[k - 1]
            work = gains[line, kinds] / k - later[kinds] - base[kinds] / size
            for kind in range(kinds):
                slope = gains[line, kind] / k - later[kind] - base[kind] / size
                n, own, square = float(count[group, kind]), float(money[group, kind]), squares[group, kind]
                out[line, 0] += slope * own - work * n
                out[line, 3] += slope * slope * square - 2 * slope * work * own + work * work * n
            frauds = gains[line, kinds + 1] / k - later[kinds + 1] - base[kinds + 1] / size
            events = gains[line, kinds + 2] / k - later[kinds + 2] - base[kinds + 2] / size
            known = float(count[group, 1])
            every = 0.0
            for kind in range(kinds):
                every += float(count[group, kind])
            out[line, 1] += frauds * known
            out[line, 4] += frauds * frauds * known
            out[line, 2] += events * every
            out[line, 5] += events * events * every
            if k > 1:
                for part in range(len(base)):
                    later[part] += gains[line, part] / (k * (k - 1.0))
