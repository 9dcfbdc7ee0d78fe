"""Exact sums by cell: counts, money and squares of money, in one pass over the rows of a rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

#: float64 holds every whole number up to here.
_EXACT = 2**53


def cell_counts(cells: npt.NDArray[np.integer], size: int) -> Ints:
    """Return how many rows lie in each cell."""
    return np.bincount(cells, minlength=size).astype(np.int64)


def cell_sums(cells: npt.NDArray[np.integer], values: Ints, size: int) -> Ints:
    """Return the exact sum of whole numbers in each cell, up to 2**62.

    >>> cell_sums(np.array([0, 1, 0]), np.array([2**53, 1, 1]), 2).tolist()
    [9007199254740993, 1]
    """
    if not len(values):
        return np.zeros(size, dtype=np.int64)
    largest = max(abs(int(values.max())), abs(int(values.min())))
    if largest * len(values) < _EXACT:
        return np.bincount(cells, weights=values, minlength=size).astype(np.int64)
    low = values & 0x3FFFFFF
    high = values >> 26
    total = np.zeros(size, dtype=np.int64)
    step = max(1, _EXACT // max(1, largest >> 26, 0x3FFFFFF))
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        total += np.bincount(cells[part], weights=low[part], minlength=size).astype(np.int64)
        total += np.bincount(cells[part], weights=high[part], minlength=size).astype(np.int64) << 26
    return total


def cell_squares(cells: npt.NDArray[np.integer], values: Ints, size: int) -> npt.NDArray[np.float64]:
    """Return the sum of squares in each cell; for intervals, so float64 is enough."""
    squares = values.astype(np.float64) ** 2
    return np.bincount(cells, weights=squares, minlength=size).astype(np.float64)
