"""Which distinct sets of rules hit an event? One pass over packed bits, each set numbered by its first event."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.bits import Words
from riskbench.engine.compiled import compiled, inner
from riskbench.errors import EngineError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]

#: Words a block: the marks of its events stay in the processor's cache.
_BLOCK = 64
#: The place of the lowest set bit, by the top bits of its product with a de Bruijn number.
_SEQUENCE = np.uint64(0x03F79D71B4CB0A89)
_PLACE = np.zeros(64, dtype=np.int64)
for _bit in range(64):
    _PLACE[((1 << _bit) * int(_SEQUENCE) & 0xFFFFFFFFFFFFFFFF) >> 58] = _bit
_PLACE.flags.writeable = False
#: What is kept of a set beside its lines, in four bytes: where it begins, and counts and money by kind.
_EACH = 32


def patterns(
    words: Words, rows: int, marks: npt.NDArray[np.uint64], *, most: int = 1 << 32
) -> tuple[Codes, Ints, Codes]:
    """Return each event's set of lines, and the lines of each set.

    Two sets are told apart by the XOR of their lines' marks, so the caller must check that none were mixed up.

    Parameters
    ----------
    words : ndarray of uint64, shape (lines, ceil(rows / 64))
        Packed bits; those past the last event are zero.
    rows : int
        The number of events.
    marks : ndarray of uint64, shape (lines,)
        A random number for each line.
    most : int
        Bytes that the sets, their lines and a caller's counts and money of each may take.

    Raises
    ------
    EngineError
        When there are more sets than that.

    Returns
    -------
    tuple
        The set of each event (int32; 0 is the empty set), and starts and lines: set p holds
        `lines[starts[p]:starts[p + 1]]`, ascending.
    """
    code = np.zeros(rows, dtype=np.int32)
    if not rows or not len(words):
        return code, np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32)
    starts, lines = _patterns(words, rows, marks, code, _PLACE, most // 4)
    if not len(starts):
        raise EngineError(
            "The events fall into too many distinct sets of rules to be held",
            got=f"{len(words):,} rules on {rows:,} events",
            allowed=f"sets of {most / 2**30:.1f} GiB",
            hint="simulate fewer rules, or fewer events, at once",
        )
    return code, starts, lines


def patterns_summed(
    code: Codes, kinds: npt.NDArray[np.int8], value: Ints, size: int, *, states: int
) -> tuple[Ints, Ints, Floats]:
    """Return how many events each (set, kind) has, the exact sum of their values, and the sum of squares."""
    shape = (size, states)
    count, total = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    squares = np.zeros(shape, dtype=np.float64)
    _summed(code, kinds, value, count, total, squares)
    return count, total, squares


def groups_summed(
    codes: npt.NDArray[np.integer],
    parts: tuple[npt.NDArray[Any], ...],
    size: int,
    *,
    picked: npt.NDArray[np.integer] | None = None,
) -> tuple[npt.NDArray[Any], ...]:
    """Return the sums of coarser groups: row k of each part, or of those picked, goes to `codes[k]`."""
    width = parts[0].shape[1]
    sums = tuple(np.zeros((size, width), dtype=part.dtype) for part in parts)
    own = np.arange(len(codes)) if picked is None else picked
    for part, total in zip(parts, sums, strict=True):
        _grouped(codes.astype(np.int64, copy=False), own.astype(np.int64, copy=False), part, total)
    return sums


@inner
def _slot(keys: Any, mark: Any) -> Any:
    """Return where a mark stands in an open table, or the free place where it would."""
    mask = np.uint64(len(keys) - 1)
    at = (mark * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20) & mask
    while keys[at] != np.uint64(0) and keys[at] != mark:
        at = (at + np.uint64(1)) & mask
    return at


@compiled
def _patterns(words: Any, rows: Any, marks: Any, code: Any, place: Any, most: Any) -> Any:
    size, width = words.shape
    keys = np.zeros(1 << 12, dtype=np.uint64)
    numbers = np.zeros(1 << 12, dtype=np.int32)
    starts = np.zeros(1 << 11, dtype=np.int64)
    lines = np.zeros(1 << 13, dtype=np.int32)
    known = 1
    filled = 0
    marked = np.zeros(_BLOCK * 64, dtype=np.uint64)
    new = np.zeros(_BLOCK * 64, dtype=np.int64)
    slots = np.zeros(_BLOCK * 64, dtype=np.int64)
    for begin in range(0, width, _BLOCK):
        end = min(begin + _BLOCK, width)
        marked[:] = np.uint64(0)
        hits = 0
        for line in range(size):
            mark = marks[line]
            for word in range(begin, end):
                rest = words[line, word]
                while rest != np.uint64(0):
                    low = rest & (~rest + np.uint64(1))
                    bit = place[(low * _SEQUENCE) >> np.uint64(58)]
                    marked[(word - begin) * 64 + bit] ^= mark
                    rest ^= low
                    hits += 1
        fresh = 0
        for k in range(min((end - begin) * 64, rows - begin * 64)):
            mark = marked[k]
            if mark == np.uint64(0):
                continue
            at = _slot(keys, mark)
            if keys[at] == np.uint64(0):
                if 2 * known >= len(keys):
                    keys, numbers = _larger(keys, numbers)
                    at = _slot(keys, mark)
                keys[at] = mark
                numbers[at] = known
                new[fresh] = k
                fresh += 1
                known += 1
            code[begin * 64 + k] = numbers[at]
        if not fresh:
            continue
        if filled + _EACH * known > most:
            return starts[:0].copy(), lines[:0].copy()
        starts = _room(starts, known + 1)
        lines = _room(lines, filled + hits)
        first = known - fresh
        if fresh * size < 2 * hits:
            for number in range(fresh):
                word, bit = begin + new[number] // 64, np.uint64(new[number] % 64)
                for line in range(size):
                    if (words[line, word] >> bit) & np.uint64(1):
                        lines[filled] = line
                        filled += 1
                starts[first + number + 1] = filled
        else:
            filled = _spread(words, begin, end, new[:fresh], first, starts, lines, filled, slots, place)
    return starts[: known + 1].copy(), lines[:filled].copy()


@inner
def _larger(keys: Any, numbers: Any) -> Any:
    """Return an open table of twice the size."""
    wider, told = np.zeros(2 * len(keys), dtype=np.uint64), np.zeros(2 * len(keys), dtype=np.int32)
    for at in range(len(keys)):
        if keys[at] != np.uint64(0):
            to = _slot(wider, keys[at])
            wider[to] = keys[at]
            told[to] = numbers[at]
    return wider, told


@inner
def _room(held: Any, size: Any) -> Any:
    """Return an array with room for so many, twice as large when it grows."""
    if size <= len(held):
        return held
    longer = np.zeros(max(size, 2 * len(held)), dtype=held.dtype)
    longer[: len(held)] = held
    return longer


@inner
def _spread(
    words: Any,
    begin: Any,
    end: Any,
    new: Any,
    first: Any,
    starts: Any,
    lines: Any,
    filled: Any,
    slots: Any,
    place: Any,
) -> Any:
    """Write the lines of a block's new sets by going through its bits once more; return how many are written."""
    slots[:] = -1
    for number in range(len(new)):
        slots[new[number]] = 0
    for write in range(2):
        for line in range(words.shape[0]):
            for word in range(begin, end):
                rest = words[line, word]
                while rest != np.uint64(0):
                    low = rest & (~rest + np.uint64(1))
                    k = (word - begin) * 64 + place[(low * _SEQUENCE) >> np.uint64(58)]
                    rest ^= low
                    if slots[k] >= 0:
                        if write:
                            lines[slots[k]] = line
                        slots[k] += 1
        if not write:
            for number in range(len(new)):
                own = slots[new[number]]
                slots[new[number]] = filled
                filled += own
                starts[first + number + 1] = filled
    return filled


@compiled
def _summed(code: Any, kinds: Any, value: Any, count: Any, total: Any, squares: Any) -> None:
    for row in range(len(code)):
        group, kind, own = code[row], kinds[row], value[row]
        count[group, kind] += 1
        total[group, kind] += own
        squares[group, kind] += float(own) * float(own)


@compiled
def _grouped(codes: Any, picked: Any, part: Any, total: Any) -> None:
    for at in range(len(codes)):
        for kind in range(part.shape[1]):
            total[codes[at], kind] += part[picked[at], kind]
