"""What do events sum to by the bins of two columns at once? Compiled: bins by comparison, and one pass of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.compiled import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint16]


@compiled
def bins_of(values: npt.NDArray[Any], cuts: npt.NDArray[Any], strict: bool, out: Codes) -> None:  # noqa: FBT001
    """Write into `out` how many cuts each value has passed: those at or below it, or with `strict` those below it.

    Never by division: a bin is found by comparisons alone, so that a value on a cut lies on the right side of it.

    Parameters
    ----------
    values : ndarray, shape (rows,)
        Numbers.
    cuts : ndarray, shape (cuts,)
        Ascending, of the same type.
    strict : bool
        Whether a value on a cut has not passed it.
    out : ndarray of uint16, shape (rows,)
        The answer.

    Examples
    --------
    >>> out = np.zeros(3, dtype=np.uint16)
    >>> bins_of(np.array([0.5, 1.0, 9.0]), np.array([1.0, 2.0]), False, out)
    >>> out.tolist()
    [0, 1, 2]
    """
    size = len(cuts)
    for row in range(len(values)):
        value = values[row]
        low, length = 0, size
        while length > 0:
            half = length >> 1
            passed = cuts[low + half] < value if strict else cuts[low + half] <= value
            low = low + half + 1 if passed else low
            length = length - half - 1 if passed else half
        out[row] = low


@compiled
def forms_of(columns: tuple[npt.NDArray[np.int8], ...], size: int, seen: npt.NDArray[np.int32], out: Codes) -> int:
    """Write each event's form into `out`, numbered as they come, and return how many there are.

    Parameters
    ----------
    columns : tuple of ndarray of int8, shape (rows,)
        What makes a form: events alike in all of them have one.
    size : int
        One more than the largest value.
    seen : ndarray of int32, shape (size ** columns,)
        -1 everywhere; afterwards the number of each form, by its digits.
    out : ndarray of uint16, shape (rows,)
        The answer.
    """
    found = 0
    for row in range(len(out)):
        code = 0
        for column in columns:
            code = code * size + column[row]
        if seen[code] < 0:
            seen[code] = found
            found += 1
        out[row] = seen[code]
    return found


@compiled
def lattice_sums(
    keys: tuple[npt.NDArray[np.int16], Codes, Codes, Codes],
    still: npt.NDArray[np.bool_],
    money: Ints,
    out: tuple[Ints, Ints, Floats],
) -> None:
    """Add each event to its cell: group, form, first bin, second bin; a negative group is left out.

    Parameters
    ----------
    keys : (group, form, first, second), each of shape (rows,)
        What the events are told apart by.
    still : ndarray of bool, shape (forms,)
        Forms that no bin changes: they stand in bin 0, and their bins are not read.
    money : ndarray of int64, shape (rows,)
        What is summed.
    out : (counts, sums, squares), each of shape (groups, forms, first bins, second bins)
        The sums that are added to.
    """
    group, form, first, second = keys
    counts, sums, squares = out
    for row in range(len(form)):
        g = group[row]
        if g < 0:
            continue
        f = form[row]
        a, b = 0, 0
        if not still[f]:
            a, b = first[row], second[row]
        amount = money[row]
        counts[g, f, a, b] += 1
        sums[g, f, a, b] += amount
        squares[g, f, a, b] += np.float64(amount) * np.float64(amount)
