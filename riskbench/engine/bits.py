"""What a set of rules hits: one packed bit an event and rule, and the cheap questions on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Bits:
    """Packed truth: one line of 64-bit words a rule, bit `i % 64` of word `i // 64` is event `i`.

    Attributes
    ----------
    words : ndarray of uint64, shape (rules, ceil(rows / 64))
        The bits; those past the last event are zero.
    rows : int
        The number of events.
    """

    words: Words
    rows: int

    def __len__(self) -> int:
        return len(self.words)

    def count(self) -> npt.NDArray[np.int64]:
        """Return how many events each rule hits."""
        return np.bitwise_count(self.words).sum(axis=1, dtype=np.int64)

    def positions(self, rule: int) -> Rows:
        """Return the events that a rule hits, in order."""
        return positions(self.words[rule])

    def mask(self, rule: int) -> npt.NDArray[np.bool_]:
        """Return a rule's hits as one boolean an event."""
        return unpack(self.words[rule], self.rows)


def pack(mask: npt.NDArray[np.bool_]) -> Words:
    """Return booleans as packed words."""
    packed = np.packbits(mask, bitorder="little")
    full = np.zeros(-(-len(mask) // 64) * 8, dtype=np.uint8)
    full[: len(packed)] = packed
    return full.view(np.uint64)


def unpack(words: Words, rows: int) -> npt.NDArray[np.bool_]:
    """Return packed words as one boolean an event.

    >>> unpack(pack(np.array([True, False, True])), 3).tolist()
    [True, False, True]
    """
    return np.unpackbits(words.view(np.uint8), count=rows, bitorder="little").view(bool)


def positions(words: Words) -> Rows:
    """Return the events whose bit is set, in order; empty words cost nothing."""
    filled = np.flatnonzero(words)
    if len(filled) * 2 > len(words):
        return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little").view(bool))
    bits = np.flatnonzero(np.unpackbits(words[filled].view(np.uint8), bitorder="little").view(bool))
    return filled[bits >> 6] * 64 + (bits & 63)


def union(lines: Words) -> Words:
    """Return the events that any line hits."""
    return np.bitwise_or.reduce(lines, axis=0) if len(lines) else np.zeros(lines.shape[1], dtype=np.uint64)


def hit_by_one(lines: Words) -> Words:
    """Return the events that exactly one line hits."""
    once, twice = np.zeros(lines.shape[1], dtype=np.uint64), np.zeros(lines.shape[1], dtype=np.uint64)
    for line in lines:
        twice |= once & line
        once |= line
    return once & ~twice


def first_hits(lines: Words, order: Sequence[int]) -> Words:
    """Return, for each line, the events that it hits and no line before it in `order` does."""
    credit = np.zeros_like(lines)
    seen = np.zeros(lines.shape[1], dtype=np.uint64)
    for place in order:
        credit[place] = lines[place] & ~seen
        seen |= lines[place]
    return credit
