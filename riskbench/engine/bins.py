"""What do events sum to by the bins of many columns at once? One pass over the events, in whole numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.engine.compiled import compiled

Ints = npt.NDArray[np.int64]


@compiled
def sums_by_bin(codes: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp], numbers: Ints, size: int) -> Ints:
    """Return the sums of some events' numbers for each bin of each column.

    Parameters
    ----------
    codes : ndarray of uint8, shape (events, columns)
        Each event's bin in each column.
    rows : ndarray of intp
        The events to sum.
    numbers : ndarray of int64, shape (events, numbers)
        What is summed.
    size : int
        One more than the largest bin.

    Returns
    -------
    ndarray of int64, shape (columns, size, numbers)

    Examples
    --------
    >>> codes = np.array([[0], [1], [1]], dtype=np.uint8)
    >>> sums_by_bin(codes, np.array([0, 1, 2]), np.array([[5], [6], [7]]), 2).tolist()
    [[[5], [13]]]
    """
    columns, wide = codes.shape[1], numbers.shape[1]
    out = np.zeros((columns, size, wide), dtype=np.int64)
    for place in range(len(rows)):
        row = rows[place]
        for column in range(columns):
            code = codes[row, column]
            for number in range(wide):
                out[column, code, number] += numbers[row, number]
    return out
