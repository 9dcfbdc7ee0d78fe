"""What does every pair of settings do? Exact counts and money of all of them from one pass over the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.data.money import LARGEST_SUM
from riskbench.errors import DataError
from riskbench.metrics.price import Price

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint16]

#: The classes of an event: good, fraud, unlabelled.
CLASSES = 3
#: float64 holds every whole number up to here.
_EXACT = 2**53
#: The corner at which a decision of today stands beside the four of the settings.
NOW = 4


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Events in cells: group, form, code of the first axis, code of the second.

    A form is a class with the level at each of four corners (both conditions false, the second true, the first
    true, both true) and the level today. Events of one code answer alike to all settings of an axis.

    Attributes
    ----------
    truth : (ndarray of bool, ndarray of bool), each of shape (codes, settings)
        Whether the axis's condition holds for each code at each setting.
    kinds : ndarray of int64, shape (forms,)
        0 good, 1 fraud, 2 unlabelled.
    levels : ndarray of int64, shape (forms, 5)
        The ladder level at the four corners and today.
    rungs : int
        The length of the ladder.
    counts, money : ndarray of int64, shape (groups, forms, codes, codes)
        Events, and their money in minor units.
    squares : ndarray of float64, shape as counts
        The sum of squared money.
    value : ndarray of int64, shape as counts
        The value of frauds, where it is another money than their loss; else `money`.
    """

    truth: tuple[Mask, Mask]
    kinds: Ints
    levels: Ints
    rungs: int
    counts: Ints
    money: Ints
    squares: Floats
    value: Ints

    @property
    def shape(self) -> tuple[int, int]:
        """How many settings each axis has."""
        return self.truth[0].shape[1], self.truth[1].shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What each setting leaves behind, in groups.

    Attributes
    ----------
    counts, money : ndarray of int64, shape (groups, settings, settings, 3, rungs)
        Events and money by class and level.
    squares : ndarray of float64, shape as counts
        The sum of squared money.
    caught : ndarray of int64, shape (groups, settings, settings)
        The value of alerted frauds, in minor units.
    """

    counts: Ints
    money: Ints
    squares: Floats
    caught: Ints

    def of(self, group: int) -> States:
        """Return one group's states."""
        return States(*(held[group] for held in (self.counts, self.money, self.squares, self.caught)))


def lattice(
    codes: tuple[Codes, Codes],
    truth: tuple[Mask, Mask],
    *,
    corners: Sequence[Small],
    now: Small,
    kinds: Small,
    money: Ints,
    rungs: int,
    group: npt.NDArray[np.int16],
    groups: int = 1,
    value: Ints | None = None,
) -> Lattice:
    """Return the cells of all events, in one compiled pass.

    Parameters
    ----------
    codes : (ndarray of uint16, ndarray of uint16), each of shape (rows,)
        Each event's code on the two axes.
    truth : (ndarray of bool, ndarray of bool), each of shape (codes, settings)
        Whether the condition holds for each code at each setting.
    corners : four ndarrays of int8, shape (rows,)
        The level where neither condition holds, the second, the first, and both.
    now : ndarray of int8, shape (rows,)
        The level today.
    kinds : ndarray of int8, shape (rows,)
        0 good, 1 fraud, 2 unlabelled.
    money : ndarray of int64, shape (rows,)
        Each event's money in minor units.
    rungs : int
        The length of the ladder.
    group : ndarray of int16, shape (rows,)
        Each event's group; a negative one is left out.
    groups : int
        How many groups there are.
    value : ndarray of int64, shape (rows,), optional
        The value of frauds, where it is another money.

    Raises
    ------
    DataError
        When the money sums past what stays exact.
    """
    from riskbench.engine.lattice import forms_of, lattice_sums

    if len(money) and float(np.abs(money).sum(dtype=np.float64)) > LARGEST_SUM:
        raise DataError("The money sums past what stays exact in minor units")
    size = max(rungs, CLASSES)
    form = np.zeros(len(kinds), dtype=np.uint16)
    seen = np.full(size**6, -1, dtype=np.int32)
    count = int(forms_of((kinds, *corners, now), size, seen, form))
    used = np.flatnonzero(seen >= 0)
    digits = np.zeros((max(count, 1), 6), dtype=np.int64)
    for place in range(6):
        digits[seen[used], place] = used // size ** (5 - place) % size
    levels = digits[:, 1:]
    shape = (groups, len(digits), len(truth[0]), len(truth[1]))
    counts, sums, squares = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape)
    lattice_sums((group, form, *codes), money, (counts, sums, squares))
    worths = sums
    if value is not None:
        known = np.flatnonzero(kinds == 1)
        worths = np.zeros(shape, np.int64)
        keys = (group[known], form[known], codes[0][known], codes[1][known])
        lattice_sums(keys, value[known], (np.zeros(shape, np.int64), worths, np.zeros(shape)))
    return Lattice(truth, digits[:, 0], levels, rungs, counts, sums, squares, worths)


def states(held: Lattice) -> States:
    """Return what every setting leaves behind, exactly."""
    groups, (one, two) = len(held.counts), held.shape
    shape = (groups, one, two, CLASSES, held.rungs)
    made: list[npt.NDArray[Any]] = []
    for cells in (held.counts, held.money, held.squares):
        out = np.zeros(shape, dtype=cells.dtype)
        for form, parts in _by_form(cells, held):
            for corner, part in enumerate(parts):
                out[..., held.kinds[form], held.levels[form, corner]] += part
        made.append(out)
    caught = np.zeros(shape[:3], dtype=np.int64)
    frauds = np.flatnonzero(held.kinds == 1)
    for form, parts in _by_form(held.value, held, only=frauds):
        for corner, part in enumerate(parts):
            if held.levels[form, corner] > 0:
                caught += part
    return States(made[0], made[1], np.maximum(made[2], 0.0), caught)


def _by_form(
    cells: npt.NDArray[Any], held: Lattice, *, only: Ints | None = None
) -> list[tuple[int, tuple[npt.NDArray[Any], ...]]]:
    forms = np.arange(len(held.kinds)) if only is None else only
    return [(int(form), quadrants(cells[:, form], held.truth)) for form in forms]


def quadrants(cells: npt.NDArray[Any], truth: tuple[Mask, Mask]) -> tuple[npt.NDArray[Any], ...]:
    """Return the sum over the cells in each corner at every setting: neither true, second, first, both.

    Parameters
    ----------
    cells : ndarray, shape (..., codes, codes)
        What is summed; whole numbers stay exact.
    truth : (ndarray of bool, ndarray of bool), each of shape (codes, settings)
        Whether each axis's condition holds.

    Examples
    --------
    >>> below = np.array([[False], [True]])  # one setting that the second code passes
    >>> [part.tolist() for part in quadrants(np.array([[1, 2], [3, 4]]), (below, below))]
    [[[1]], [[2]], [[3]], [[4]]]
    """
    whole = cells.dtype.kind == "i"
    small = not whole or float(np.abs(cells).sum(dtype=np.float64)) < _EXACT
    kind = np.dtype(np.float64 if small else np.int64)
    first, second, own = truth[0].T.astype(kind), truth[1].astype(kind), cells.astype(kind, copy=False)
    along = first @ own
    both = along @ second
    one = np.broadcast_to(along.sum(axis=-1)[..., :, None], both.shape)
    two = np.broadcast_to((own.sum(axis=-2)[..., None, :] @ second), both.shape)
    everything = own.sum(axis=(-2, -1))[..., None, None]
    parts = (everything - one - two + both, two - both, one - both, both)
    return tuple(np.rint(part).astype(np.int64) if whole and small else part for part in parts)


def covariance(held: Lattice, price: Price, groups: Sequence[int]) -> Floats:
    """Return the sums of products of an event's worth at every two corners, cell by cell: (codes, codes, 5, 5).

    The variance of what two settings differ by is read off it exactly: only events that they treat differently
    count, events taken to come by chance (Poisson).
    """
    n, m, q = (cells[list(groups)].sum(axis=0).astype(np.float64) for cells in (held.counts, held.money, held.squares))
    out = np.zeros((*n.shape[1:], NOW + 1, NOW + 1))
    for form, kind in enumerate(held.kinds):
        slope, hand = price.slope[kind, held.levels[form]], price.handling[held.levels[form]]
        if np.ptp(slope) == 0 and np.ptp(hand) == 0:
            continue  # worth the same whatever is decided: in no difference
        cross = np.outer(slope, hand)
        out += np.outer(slope, slope) * q[form][..., None, None] - (cross + cross.T) * m[form][..., None, None]
        out += np.outer(hand, hand) * n[form][..., None, None]
    return out


def differing(held: Lattice, groups: Sequence[int], against: Ints, *, kind: int | None = None) -> Ints:
    """Return how many events every setting treats otherwise than one decision does; of one class, or of all."""
    counts = held.counts[list(groups)].sum(axis=0)
    forms = np.arange(len(held.kinds)) if kind is None else np.flatnonzero(held.kinds == kind)
    out = np.zeros(held.shape, dtype=np.int64)
    for corner in range(NOW):
        moved = np.zeros(counts.shape[1:], dtype=np.int64)
        for form in forms:
            levels = held.levels[form]
            if (levels != levels[corner]).any():
                moved += np.where(levels[against] != levels[corner], counts[form], 0)
        out += quadrants(moved, held.truth)[corner]
    return out


def corner_at(truth: tuple[Mask, Mask], first: int, second: int) -> Ints:
    """Return the corner that each cell stands in at one setting: (codes, codes)."""
    return 2 * truth[0][:, first].astype(np.int64)[:, None] + truth[1][:, second].astype(np.int64)[None, :]


def apart(products: Floats, truth: tuple[Mask, Mask], against: Ints) -> Floats:
    """Return the variance of the difference in worth between every setting and one decision.

    Parameters
    ----------
    products : ndarray, shape (codes, codes, 5, 5)
        What `covariance` returned.
    truth : (ndarray of bool, ndarray of bool)
        Whether each axis's condition holds.
    against : ndarray of int64, shape (codes, codes)
        The corner that each cell stands in: `corner_at` a setting, or `NOW` everywhere.
    """
    rows, columns = np.indices(against.shape)
    own = products[rows, columns, against, against]
    out = np.zeros((truth[0].shape[1], truth[1].shape[1]))
    for corner in range(NOW):
        differ = products[..., corner, corner] + own - 2 * products[rows, columns, corner, against]
        differ = np.where(against == corner, 0.0, np.maximum(differ, 0.0))
        out += quadrants(differ, truth)[corner]
    # Quadrants are differences of sums: a hair below zero is zero.
    return np.where(out > 1e-12 * max(float(np.abs(own).sum()), 1e-300), out, 0.0)


def chance(products: Floats, truth: tuple[Mask, Mask], *, draws: int, seed: int) -> Floats:
    """Return how much chance alone moves the worth of every setting: (draws, settings, settings).

    Each cell's worths at the four corners are drawn jointly, with the variance of events that come by chance, so
    neighbouring settings move together as they would on other events.
    """
    values, vectors = np.linalg.eigh(products[..., :NOW, :NOW])
    root = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    rng = np.random.default_rng(seed)
    out = np.zeros((draws, truth[0].shape[1], truth[1].shape[1]))
    for draw in range(draws):
        noise = (root @ rng.standard_normal((*root.shape[:2], NOW, 1)))[..., 0]
        for corner in range(NOW):
            out[draw] += quadrants(noise[..., corner], truth)[corner]
    return out
