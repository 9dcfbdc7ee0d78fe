"""What do events sum to by the bins of two columns at once? Compiled: bins by comparison, and one pass of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.compiled import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint16]
Words = npt.NDArray[np.uint64]


def bins_of(values: npt.NDArray[Any], cuts: npt.NDArray[Any], *, strict: bool, rows: Words, out: Codes) -> None:
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
    rows : ndarray of uint64, shape (ceil(rows / 64),)
        Packed bits of the rows that are asked about; the others of `out` stay as they are.
    out : ndarray of uint16, shape (rows,)
        The answer.

    Examples
    --------
    >>> out, everyone = np.zeros(3, dtype=np.uint16), np.full(1, 7, dtype=np.uint64)
    >>> bins_of(np.array([0.5, 1.0, 9.0]), np.array([1.0, 2.0]), strict=False, rows=everyone, out=out)
    >>> out.tolist()
    [0, 1, 2]
    """
    real = values.dtype.kind == "f"
    cuts = cuts + cuts.dtype.type(0)  # no cut is -0.0
    keys = _keys(cuts) if real else cuts.astype(np.int64)
    shift = int(not real and any(abs(int(key)) >= _FAR for key in keys[[0, -1][: len(keys)]]))
    while len(cuts) and (int(keys[-1]) - int(keys[0])) >> shift >= _BUCKETS:
        shift += 1
    low = int(keys[0]) >> shift if len(cuts) else 0
    buckets = (keys >> shift) - low
    start = np.zeros(int(buckets[-1]) + 2 if len(cuts) else 1, dtype=np.int64)
    np.cumsum(np.bincount(buckets, minlength=len(start) - 1), out=start[1:])
    if not real and shift == 0:  # one bucket a whole number: nothing is left to compare
        _look_up(values, start, low - (0 if strict else 1), rows, out)
        return
    bits = values.view(np.int64) if real else values
    _bins((values, bits, cuts), start, (low, shift, real, strict), rows, out)


#: Buckets of the first look; the comparisons after it decide.
_BUCKETS = 8_192
#: Whole numbers from here on are halved first, so that no sum of theirs runs over.
_FAR = 2**62


def _keys(values: Floats) -> Ints:
    """Return whole numbers in the order of the doubles: their bits, turned round where they are negative."""
    bits = np.ascontiguousarray(values).view(np.int64)
    return bits ^ ((bits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))


@compiled
def _bins(
    numbers: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]],
    start: Ints,
    how: tuple[int, int, bool, bool],
    rows: Words,
    out: Codes,
) -> None:
    values, bits, cuts = numbers
    low, shift, real, strict = how
    last, size = len(start) - 1, len(cuts)
    for word in range(len(rows)):
        if rows[word] == 0:
            continue
        first = word * 64
        for row in range(first, min(first + 64, len(values))):
            value = values[row]
            key = np.int64(bits[row])
            if real:
                key ^= (key >> 63) & 0x7FFFFFFFFFFFFFFF
            at = key >> shift
            place = start[0] if at < low else start[last] if at > low + last else start[at - low]
            if strict:
                while place < size and cuts[place] < value:
                    place += 1
            else:
                while place < size and cuts[place] <= value:
                    place += 1
            out[row] = place


@compiled
def _look_up(values: npt.NDArray[Any], start: Ints, low: int, rows: Words, out: Codes) -> None:
    last = len(start) - 1
    for word in range(len(rows)):
        if rows[word] == 0:
            continue
        first = word * 64
        for row in range(first, min(first + 64, len(values))):
            at = np.int64(values[row])
            out[row] = start[0] if at < low else start[last] if at > low + last else start[at - low]


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
    money: Ints,
    out: tuple[Ints, Ints, Floats],
) -> None:
    """Add each event to its cell: group, form, first bin, second bin; a negative group is left out.

    Parameters
    ----------
    keys : (group, form, first, second), each of shape (rows,)
        What the events are told apart by.
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
        f, a, b = form[row], first[row], second[row]
        amount = money[row]
        counts[g, f, a, b] += 1
        sums[g, f, a, b] += amount
        squares[g, f, a, b] += np.float64(amount) * np.float64(amount)
