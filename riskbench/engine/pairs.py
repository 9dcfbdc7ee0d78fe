"""How often do two lines hit together, and which line comes first? Summed over sets of lines, or over bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.bits import Words
from riskbench.engine.compiled import compiled
from riskbench.engine.patterns import _PLACE, _SEQUENCE

Ints = npt.NDArray[np.int64]

#: Words a block: 100 lines of a block stay in the processor's cache.
_BLOCK = 256


def pairs_of_sets(
    starts: Ints, lines: npt.NDArray[np.int32], count: Ints, value: Ints, size: int
) -> tuple[Ints, Ints]:  # fmt: skip
    """Return the count and value, by kind, of what each two lines hit together.

    Parameters
    ----------
    starts, lines : ndarray
        Set p holds `lines[starts[p]:starts[p + 1]]`, ascending.
    count, value : ndarray of int64, shape (sets, kinds)
        How many events each set has, and their summed value.
    size : int
        How many lines there are.

    Returns
    -------
    tuple of ndarray of int64, shape (size, size, kinds)
        Count and value; the second line is never before the first, and a line with itself is what it hits.
    """
    # Side by side, so that a pair is one line of the processor's cache.
    both = np.ascontiguousarray(np.concatenate([count, value], axis=1))
    out = np.zeros((size, size, both.shape[1]), dtype=np.int64)
    _of_sets(starts, lines, both, out)
    return out[..., : count.shape[1]], out[..., count.shape[1] :]


def pairs_of_bits(words: Words, kinds: npt.NDArray[np.int8], value: Ints, *, states: int) -> tuple[Ints, Ints]:
    """Return what `pairs_of_sets` does, from packed bits: one line an entry, the kind and value of each event."""
    shape = (len(words), len(words), states)
    counts, values = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    _of_bits(words, kinds, value, counts, values, _PLACE)
    return counts, values


def pairs_of_line(
    starts: Ints, lines: npt.NDArray[np.int32], count: Ints, value: Ints, size: int, *, line: int
) -> tuple[Ints, Ints]:  # fmt: skip
    """Return the count and value, by kind, of what one line hits together with each other: shape (size, kinds)."""
    shape = (size, count.shape[1])
    counts, values = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    _of_line(starts, lines, count, value, line, counts, values)
    return counts, values


def two_first(starts: Ints, lines: npt.NDArray[np.int32], rank: Ints, *, idle: int) -> tuple[Ints, Ints]:
    """Return the least and the second least rank of each set's lines; `idle` where there is none."""
    first, second = np.full(len(starts) - 1, idle, dtype=np.int64), np.full(len(starts) - 1, idle, dtype=np.int64)
    _two_first(starts, lines, rank, first, second)
    return first, second


@compiled
def _of_sets(starts: Any, lines: Any, both: Any, out: Any) -> None:
    for group in range(len(starts) - 1):
        for one in range(starts[group], starts[group + 1]):
            for two in range(one, starts[group + 1]):
                for part in range(both.shape[1]):
                    out[lines[one], lines[two], part] += both[group, part]


@compiled
def _of_line(starts: Any, lines: Any, count: Any, value: Any, line: Any, counts: Any, values: Any) -> None:
    kinds = count.shape[1]
    for group in range(len(starts) - 1):
        held = False
        for one in range(starts[group], starts[group + 1]):
            held |= lines[one] == line
        if held:
            for one in range(starts[group], starts[group + 1]):
                for kind in range(kinds):
                    counts[lines[one], kind] += count[group, kind]
                    values[lines[one], kind] += value[group, kind]


@compiled
def _of_bits(words: Any, kinds: Any, value: Any, counts: Any, values: Any, place: Any) -> None:
    size, width = words.shape
    for begin in range(0, width, _BLOCK):
        end = min(begin + _BLOCK, width)
        for one in range(size):
            for two in range(one, size):
                for word in range(begin, end):
                    rest = words[one, word] & words[two, word]
                    while rest != np.uint64(0):
                        low = rest & (~rest + np.uint64(1))
                        row = word * 64 + place[(low * _SEQUENCE) >> np.uint64(58)]
                        rest ^= low
                        counts[one, two, kinds[row]] += 1
                        values[one, two, kinds[row]] += value[row]


@compiled
def _two_first(starts: Any, lines: Any, rank: Any, first: Any, second: Any) -> None:
    for group in range(len(starts) - 1):
        for at in range(starts[group], starts[group + 1]):
            own = rank[lines[at]]
            if own < first[group]:
                second[group] = first[group]
                first[group] = own
            elif own < second[group]:
                second[group] = own
