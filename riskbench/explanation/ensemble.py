"""What is a tree ensemble, whichever library fitted it? One flat form, its margin, and its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]

#: How a node decides: a number at or under a threshold, the same with zero counted as missing, a set of codes.
NUMBER, ZERO_MISSING, SET = 0, 1, 2
#: What LightGBM takes for zero.
TINY = 1.0000000180025095e-35


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """One tree as read: arrays over its nodes, the root first, children by position.

    Attributes
    ----------
    feature : ndarray of int32
        The column that a node looks at; -1 at a leaf.
    threshold : ndarray of float64
        A row goes left when its value is at most this.
    left, right : ndarray of int32
        The children; -1 at a leaf.
    missing_left : ndarray of uint8
        1 where a missing value goes left.
    value : ndarray of float64
        What a leaf adds to the margin.
    cover : ndarray of float64
        The weight of the training rows that reached the node.
    kind : ndarray of uint8
        NUMBER, ZERO_MISSING or SET.
    sets : mapping of int to sequence of int
        The codes of each SET node.
    set_right : bool
        Whether the codes of a set go right (and every other code left), as in XGBoost.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Bytes
    value: Floats
    cover: Floats
    kind: Bytes
    sets: Mapping[int, Sequence[int]]
    set_right: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """A sum of trees and a constant, flat.

    Attributes
    ----------
    roots : ndarray of int32, shape (trees,)
        Each tree's first node; children are positions in the same arrays.
    feature, threshold, left, right, missing_left, value, cover, kind : ndarray, shape (nodes,)
        As in `Tree`.
    set_start, set_words : ndarray of int32, shape (nodes,)
        Where a SET node's bits begin in `bits`, and how many words they take.
    set_right : ndarray of uint8, shape (nodes,)
        1 where the codes of the set go right.
    bits : ndarray of uint32
        The sets, one bit a code.
    offset : float
        What is added to the sum of the trees.
    columns : int
        How many columns the trees look at.
    single : bool
        Whether values are compared in single precision (XGBoost and scikit-learn's trees).
    scale : {"log-odds", "probability", "margin"}
        What the sum is.
    """

    roots: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Bytes
    value: Floats
    cover: Floats
    kind: Bytes
    set_start: Ints
    set_words: Ints
    set_right: Bytes
    bits: Words
    offset: float
    columns: int
    single: bool
    scale: Literal["log-odds", "probability", "margin"]

    @property
    def trees(self) -> int:
        """How many trees."""
        return len(self.roots)

    @property
    def nodes(self) -> tuple[npt.NDArray[np.generic], ...]:
        """The arrays that a kernel needs, in the order it takes them."""
        return (
            self.roots, self.feature, self.threshold, self.left, self.right, self.missing_left, self.value,
            self.cover, self.kind, self.set_start, self.set_words, self.set_right, self.bits,
        )  # fmt: skip

    def cells(self, values: npt.ArrayLike) -> Floats:
        """Return values as the trees see them: float64, rounded to single precision where the library does."""
        held = np.asarray(values, dtype=np.float64)
        if self.single:
            with np.errstate(over="ignore"):
                held = held.astype(np.float32).astype(np.float64)
        return held


def assemble(
    trees: Sequence[Tree],
    *,
    columns: int,
    scale: Literal["log-odds", "probability", "margin"],
    offset: float = 0.0,
    single: bool = False,
    factor: float = 1.0,
) -> Ensemble:
    """Return trees as one ensemble; each leaf's value is multiplied by `factor`."""
    sizes = np.array([len(tree.feature) for tree in trees], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    nodes = int(sizes.sum())
    set_start, set_words = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
    set_right = np.zeros(nodes, np.uint8)
    words: list[Words] = []
    used = 0
    for start, tree in zip(starts, trees, strict=True):
        for node, codes in tree.sets.items():
            held = _bits(codes)
            set_start[start + node], set_words[start + node], set_right[start + node] = used, len(held), tree.set_right
            words.append(held)
            used += len(held)

    def joined(name: str, dtype: type) -> npt.NDArray[np.generic]:
        return np.concatenate([np.asarray(getattr(tree, name), dtype) for tree in trees] or [np.zeros(0, dtype)])

    def shifted(name: str) -> Ints:
        parts = [np.where(getattr(t, name) >= 0, getattr(t, name) + s, -1) for s, t in zip(starts, trees, strict=True)]
        return np.concatenate(parts or [np.zeros(0)]).astype(np.int32)

    return Ensemble(
        roots=starts.astype(np.int32),
        feature=joined("feature", np.int32),  # type: ignore[arg-type]
        threshold=joined("threshold", np.float64),  # type: ignore[arg-type]
        left=shifted("left"),
        right=shifted("right"),
        missing_left=joined("missing_left", np.uint8),  # type: ignore[arg-type]
        value=joined("value", np.float64) * factor,  # type: ignore[operator]
        cover=joined("cover", np.float64),  # type: ignore[arg-type]
        kind=joined("kind", np.uint8),  # type: ignore[arg-type]
        set_start=set_start,
        set_words=set_words,
        set_right=set_right,
        bits=np.concatenate(words) if words else np.zeros(1, np.uint32),
        offset=float(offset),
        columns=columns,
        single=single,
        scale=scale,
    )


def _bits(codes: Sequence[int]) -> Words:
    """Return a set of codes as bits, 32 a word."""
    held = np.asarray(sorted(codes), dtype=np.int64)
    out = np.zeros(int(held.max(initial=0)) // 32 + 1, dtype=np.uint32)
    np.bitwise_or.at(out, held // 32, np.uint32(1) << (held % 32).astype(np.uint32))
    return out
