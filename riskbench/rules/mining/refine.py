"""Where exactly should each cut of a conjunction lie? At the roundest number that is worth (nearly) as much as any."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from riskbench.engine.columns import Column
from riskbench.rules.mining.pieces import Binned, Piece

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: A rounder number may be worth less by so much of the standard error: cuts so near are not told apart.
_NEARLY = 0.5
#: Whole numbers below this are never rounded.
_SMALL = 100


def holds(piece: Piece, column: Column, binned: Binned, rows: Rows, places: Rows) -> Mask:
    """Return at which events a condition holds; `places` are the events' places in the bins, `rows` in the column."""
    if piece.shape not in (">=", "<"):
        return piece.meets(binned.codes[places])
    values, cut = column.values[rows], piece.values[0]
    return np.asarray(column.present[rows] & (values >= cut if piece.shape == ">=" else values < cut))


def refined(
    pieces: tuple[Piece, ...],
    columns: Mapping[str, Column],
    bins: Mapping[str, Binned],
    *,
    rows: Rows,
    places: Rows,
    worth: Floats,
) -> tuple[tuple[Piece, ...], Mask]:
    """Return conditions with each cut moved to where it is worth most given the others, and where they then hold.

    Parameters
    ----------
    pieces : tuple of Piece
        The conditions.
    columns, bins : mapping
        The columns, whole and as bins.
    rows, places : ndarray of intp
        The events, as positions in the columns and in the bins.
    worth : ndarray of float64, shape (len(rows),)
        What a hit of each event is worth.
    """
    made = list(pieces)
    hit = [holds(piece, columns[piece.column], bins[piece.column], rows, places) for piece in made]
    for place, piece in enumerate(made):
        if piece.shape not in (">=", "<"):
            continue
        column = columns[piece.column]
        others = np.logical_and.reduce([column.present[rows], *(h for k, h in enumerate(hit) if k != place)])
        inside = np.flatnonzero(others)
        cut = best_cut(
            column.values[rows[inside]], worth[inside], above=piece.shape == ">=", whole=column.kind == "int"
        )
        if cut is not None:
            made[place] = replace(piece, values=(cut,))
            hit[place] = holds(made[place], column, bins[piece.column], rows, places)
    return tuple(made), np.logical_and.reduce(hit)


def best_cut(values: npt.NDArray[np.generic], worth: Floats, *, above: bool, whole: bool) -> int | float | None:
    """Return the roundest cut that is worth nearly as much as the best one; None where no cut splits the events.

    Examples
    --------
    >>> amounts = np.array([10.0, 40.0, 196.0, 203.0, 250.0, 301.0])
    >>> best_cut(amounts, np.array([-1.0, -1, -1, 1, 1, 1]), above=True, whole=False)
    200.0
    """
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        return None
    size = float(np.abs(worth).max(initial=0.0))
    exact = np.rint(worth / size * 2.0**40).astype(np.int64) if size else np.zeros(len(worth), dtype=np.int64)
    each = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(each, place, exact)
    # A cut at the k-th distinct value, from the second on: what lies at or above it, or what lies below.
    total = each[::-1].cumsum()[::-1][1:] if above else each.cumsum()[:-1]
    best = int(np.argmax(total))
    if whole and max(abs(int(distinct[0])), abs(int(distinct[-1]))) < _SMALL:
        return int(distinct[best + 1])  # every small whole number reads as well as another
    inside = place > best if above else place <= best
    enough = total[best] - _NEARLY * math.sqrt(float((np.sort(exact[inside].astype(np.float64)) ** 2).sum()))
    low = high = best
    while low > 0 and total[low - 1] >= enough:
        low -= 1
    while high + 1 < len(total) and total[high + 1] >= enough:
        high += 1
    return roundest(distinct[low].item(), distinct[high + 1].item(), whole=whole)


def roundest(low: float, high: float, *, whole: bool) -> int | float:
    """Return the number above `low` and up to `high` that has the fewest digits.

    >>> roundest(196, 203, whole=True), roundest(0.1234, 0.1312, whole=False), roundest(-3, 4, whole=True)
    (200, 0.13, 0)
    """
    if low < 0 <= high:
        return 0 if whole else 0.0
    for digits in range(1, 17):
        step = 10.0 ** (math.floor(math.log10(abs(high))) - digits + 1)
        if whole and step < 1:
            break
        found = math.floor(high / step) * step
        near = int(found) if whole else float(f"{found:.{digits}e}")
        if low < near <= high:
            return near
    return high
