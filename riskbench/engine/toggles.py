"""One line hits other events than before: which set of lines does each changed event now belong to?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.bits import Words
from riskbench.engine.compiled import compiled
from riskbench.engine.patterns import _PLACE, _SEQUENCE, _slot

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]


def toggled(
    starts: Ints, lines: Codes, marks: npt.NDArray[np.uint64], code: Codes, flipped: Words, *, line: int
) -> tuple[Ints, Ints, Codes]:
    """Return where each set goes when one line is put in, or taken out where it is in.

    Parameters
    ----------
    starts, lines : ndarray
        Set p holds `lines[starts[p]:starts[p + 1]]`, ascending; set 0 is empty.
    marks : ndarray of uint64, shape (lines,)
        A random number for each line; two sets that share their XOR are still told apart.
    code : ndarray of int32, shape (rows,)
        The set of each event.
    flipped : ndarray of uint64
        Packed bits: the events that the line hits now and did not, or did and does not.
    line : int
        The line.

    Returns
    -------
    tuple
        The set that each set's changed events go to (-1 where it has none), numbered on where there was no such set;
        and starts and lines of all sets, the old ones first.
    """
    touched = np.zeros(len(starts) - 1, dtype=np.bool_)
    _touched(flipped, code, touched, _PLACE)
    groups = np.flatnonzero(touched)
    to = np.full(len(starts) - 1, -1, dtype=np.int64)
    new = _found(starts, lines, marks, groups, line, to)
    if not new:
        return to, starts, lines
    source = groups[to[groups] >= len(starts) - 1]
    parts = [_with(lines[starts[p] : starts[p + 1]], line) for p in source]
    ends = starts[-1] + np.cumsum([len(part) for part in parts])
    return to, np.concatenate([starts, ends]), np.concatenate([lines, *parts]).astype(np.int32)


def moved(
    flipped: Words,
    to: Ints,
    code: Codes,
    *,
    kinds: npt.NDArray[np.int8],
    money: tuple[Ints, Ints, Ints],
    sums: tuple[Ints, Ints, Ints, Floats, Floats],
) -> None:
    """Move changed events to their new sets, in place: their code, and counts, money and squares of both sets.

    Parameters
    ----------
    flipped, to
        As in `toggled`.
    code : ndarray of int32, shape (rows,)
        Changed in place.
    kinds : ndarray of int8, shape (rows,)
        What is known of each event: good, fraud, or anything else for unlabelled.
    money : tuple of three ndarray of int64
        Each event's value, its loss if fraud, its margin if good.
    sums : tuple of five ndarray, shape (sets, 3)
        Count, value, stake, squares of value, squares of stake; changed in place.
    """
    _moved(flipped, to, code, kinds, *money, *sums, _PLACE)


def _with(held: Codes, line: int) -> Codes:
    """Return a set with a line put in, or taken out where it is in."""
    return held[held != line] if line in held else np.sort(np.append(held, np.int32(line)))


@compiled
def _touched(flipped: Any, code: Any, touched: Any, place: Any) -> None:
    for word in range(len(flipped)):
        rest = flipped[word]
        while rest != np.uint64(0):
            low = rest & (~rest + np.uint64(1))
            touched[code[word * 64 + place[(low * _SEQUENCE) >> np.uint64(58)]]] = True
            rest ^= low


@compiled
def _found(starts: Any, lines: Any, marks: Any, groups: Any, line: Any, to: Any) -> Any:
    size = len(starts) - 1
    room = 1 << 12
    while room < 2 * size + 2 * len(groups):
        room *= 2
    keys = np.zeros(room, dtype=np.uint64)
    numbers = np.zeros(room, dtype=np.int64)
    own = np.zeros(size, dtype=np.uint64)
    for group in range(size):
        for at in range(starts[group], starts[group + 1]):
            own[group] ^= marks[lines[at]]
        if own[group] != np.uint64(0):
            at = _slot(keys, own[group])
            keys[at] = own[group]
            numbers[at] = group
    new = 0
    for group in groups:
        mark = own[group] ^ marks[line]
        first, last = starts[group], starts[group + 1]
        inside = False
        for at in range(first, last):
            inside |= lines[at] == line
        wanted = last - first + (-1 if inside else 1)
        if wanted == 0:
            to[group] = 0
            continue
        found = -1
        at = _slot(keys, mark)
        if keys[at] == mark:
            other = numbers[at]
            begin, end = starts[other], starts[other + 1]
            same = end - begin == wanted
            one = first
            for two in range(begin, end):
                if not same:
                    break
                if lines[two] == line:
                    same = not inside
                    continue
                if inside and one < last and lines[one] == line:
                    one += 1
                same = one < last and lines[one] == lines[two]
                one += 1
            if same:
                found = other
        if found < 0:
            found = size + new
            new += 1
        to[group] = found
    return new


@compiled
def _moved(
    flipped: Any,
    to: Any,
    code: Any,
    kinds: Any,
    value: Any,
    loss: Any,
    margin: Any,
    count: Any,
    total: Any,
    stake: Any,
    squares: Any,
    stake_squares: Any,
    place: Any,
) -> None:
    for word in range(len(flipped)):
        rest = flipped[word]
        while rest != np.uint64(0):
            low = rest & (~rest + np.uint64(1))
            row = word * 64 + place[(low * _SEQUENCE) >> np.uint64(58)]
            rest ^= low
            kind = kinds[row]
            own = np.int64(0)
            if kind == 0:
                own = margin[row]
            elif kind == 1:
                own = loss[row]
            else:
                kind = 2
            old = code[row]
            new = to[old]
            for turn in range(2):
                group, step = (np.int64(old), -1) if turn == 0 else (new, 1)
                count[group, kind] += step
                total[group, kind] += step * value[row]
                stake[group, kind] += step * own
                squares[group, kind] += step * (float(value[row]) * float(value[row]))
                stake_squares[group, kind] += step * (float(own) * float(own))
            code[row] = new
