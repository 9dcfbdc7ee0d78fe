"""What does one moving cut do? Exact counts and money at every distinct place where anything changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.data.money import LARGEST_SUM
from riskbench.engine.sums import cell_counts, cell_squares, cell_sums
from riskbench.errors import DataError, ParameterError, listed

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Op = Literal[">=", ">", "<=", "<"]

#: The classes of an event in a truth table.
GOOD, FRAUD, UNLABELLED = range(3)
CLASSES = 3
#: Weights are summed as whole steps of this size, so that their sums are exact and no order of rows matters.
STEP = 2.0**-20
OPS: tuple[Op, ...] = (">=", ">", "<=", "<")


@dataclass(frozen=True, slots=True, eq=False)
class TruthTable:
    """Exact counts and money of what a moving cut does, from nobody hit to everybody hit.

    Point 0 is the cut that hits nobody; point k hits the k most extreme distinct values. Events move from one
    ladder level to another when the cut reaches them; a *move* is (class, from, to). What no cut moves is fixed.

    Attributes
    ----------
    op : str
        An event is hit when value op cut.
    values : ndarray of float64, shape (points - 1,)
        The distinct values at which something changes, in the order in which the cut reaches them.
    moves : tuple of (class, from, to)
        The kinds of move there are.
    counts, money : ndarray of int64, shape (moves, points)
        How many events have moved, and their money in minor units, up to each point.
    squares : ndarray of float64, shape (moves, points)
        The sum of their squared money, for intervals.
    fixed_counts, fixed_money : ndarray of int64, shape (3, levels)
        The state at point 0, by class and ladder level.
    fixed_squares : ndarray of float64, shape (3, levels)
        The same for squared money.
    caught : ndarray of float64, shape (points,), or None
        The value of the alerted frauds at each point, in major units, where it was asked for; NaN without money.
    first : float, optional
        The cut of point 0 where more than nobody is hit there, because everything from that cut on always is.
    weights, weight_squares : ndarray of float64, shape (moves, points), or None
        What the moved events stand for in total, and the sum of the squares of that; None where each stands for itself.
    fixed_weights, fixed_weight_squares : ndarray of float64, shape (3, levels), or None
        The same at point 0.
    reasons : ndarray of int64, shape (reasons, points), or None
        The alerted events without a verdict at each point, by why, where it was asked for.
    """

    op: Op
    values: Floats
    moves: tuple[tuple[int, int, int], ...]
    counts: Ints
    money: Ints
    squares: Floats
    fixed_counts: Ints
    fixed_money: Ints
    fixed_squares: Floats
    caught: Floats | None = None
    first: float | None = None
    weights: Floats | None = None
    weight_squares: Floats | None = None
    fixed_weights: Floats | None = None
    fixed_weight_squares: Floats | None = None
    reasons: Ints | None = None

    @property
    def points(self) -> int:
        """How many points there are: one more than distinct values."""
        return len(self.values) + 1

    @property
    def cuts(self) -> Floats:
        """The cut of each point.

        For `>=` and `<=` it is the last value that is hit; for `>` and `<` the first that is not.
        """
        nobody = np.inf if self.op in (">=", ">") else -np.inf
        first = nobody if self.first is None else self.first
        if self.op in (">=", "<=") or not len(self.values):
            return np.concatenate([[first], self.values])
        beyond = np.nextafter(self.values[-1], -nobody)
        return np.concatenate([[first], self.values[1:], [beyond]])

    def point(self, cut: float) -> int:
        """Return the point that a cut stands at: how many distinct values it hits."""
        sign = -1.0 if self.op in (">=", ">") else 1.0
        side: Literal["left", "right"] = "right" if self.op in (">=", "<=") else "left"
        return int(np.searchsorted(sign * self.values, sign * cut, side=side))

    def at(self, point: int) -> tuple[Ints, Ints, Floats]:
        """Return counts, money and squared money at one point, each of shape (3, levels)."""
        counts, money, squares = self.fixed_counts.copy(), self.fixed_money.copy(), self.fixed_squares.copy()
        for row, (kind, before, after) in enumerate(self.moves):
            for held, moved in ((counts, self.counts), (money, self.money), (squares, self.squares)):
                held[kind, before] -= moved[row, point]
                held[kind, after] += moved[row, point]
        # Cumulative sums of squares may cancel to a hair below zero when one amount dwarfs the rest.
        return counts, money, np.maximum(squares, 0.0)


def truth_table(
    value: Floats,
    *,
    op: Op,
    base: Small,
    hit: Small,
    kinds: Small,
    money: Ints,
    levels: int,
    always: Mask | None = None,
    never: Mask | None = None,
    weight: Floats | None = None,
) -> TruthTable:
    """Return the exact truth table of a cut at every distinct value where anything changes.

    Use it for the curve of a cut given what the other rules already do. One sort and integer cumulative sums;
    money never passes through a float. NaN is never hit. An infinite value is hit by every finite cut on its
    side, so that every cut can be written down in a rule.

    Parameters
    ----------
    value : ndarray of float64, shape (rows,)
        The quantity that is cut.
    op : {">=", ">", "<=", "<"}
        An event is hit when value op cut.
    base, hit : ndarray of int8, shape (rows,)
        The ladder level without and with the hit.
    kinds : ndarray of int8, shape (rows,)
        0 good, 1 fraud, 2 unlabelled.
    money : ndarray of int64, shape (rows,)
        Each event's money in minor units.
    levels : int
        The length of the ladder.
    always, never : ndarray of bool, shape (rows,), optional
        Events that are hit, or not hit, whatever the cut.
    weight : ndarray of float64, shape (rows,), optional
        How many events of its class each one stands for. The money must bear it already; the counts never do.

    Raises
    ------
    ParameterError
        For an unknown op.
    DataError
        When the money sums past what stays exact.

    Examples
    --------
    >>> table = truth_table(
    ...     np.array([0.9, 0.5, 0.9]), op=">=", base=np.zeros(3, np.int8), hit=np.full(3, 2, np.int8),
    ...     kinds=np.array([1, 0, 0], np.int8), money=np.array([700, 300, 200]), levels=4)
    >>> table.cuts, table.moves
    (array([inf, 0.9, 0.5]), ((0, 0, 2), (1, 0, 2)))
    >>> table.counts
    array([[0, 1, 2],
           [0, 1, 1]])
    """
    if op not in OPS:
        raise ParameterError(f"{op!r} is not a comparison that can be swept", allowed=listed(OPS))
    if len(money) and float(np.abs(money.astype(np.float64)).sum()) > LARGEST_SUM:
        raise DataError("The money sums past what stays exact in minor units")
    downwards = op in (">=", ">")
    fixed_hit = np.zeros(len(value), dtype=bool) if always is None else always
    start = np.where(fixed_hit, hit, base) if always is not None else base
    cells = kinds.astype(np.int64) * levels + start
    size = CLASSES * levels
    reached = value > -np.inf if downwards else value < np.inf  # NaN is neither
    active = reached & (hit != start)
    if never is not None:
        active &= ~never
    rows = np.flatnonzero(active)
    code = (kinds[rows].astype(np.int64) * levels + start[rows]) * levels + hit[rows]
    used = np.flatnonzero(np.bincount(code, minlength=CLASSES * levels * levels))
    values, counts, sums, squares = _cumulate(value[rows], downwards=downwards, code=code, money=money[rows], used=used)
    shape = (CLASSES, levels)
    made = TruthTable(
        op,
        values,
        tuple((int(c) // levels**2, int(c) // levels % levels, int(c) % levels) for c in used),
        counts,
        sums,
        squares,
        cell_counts(cells, size).reshape(shape),
        cell_sums(cells, money, size).reshape(shape),
        cell_squares(cells, money, size).reshape(shape),
    )
    if weight is None:
        return made
    steps = in_steps(weight)
    _, _, weights, doubled = _cumulate(value[rows], downwards=downwards, code=code, money=steps[rows], used=used)
    return replace(
        made,
        weights=of_steps(weights),
        weight_squares=of_steps(doubled, power=2),
        fixed_weights=of_steps(cell_sums(cells, steps, size).reshape(shape)),
        fixed_weight_squares=of_steps(cell_squares(cells, steps, size).reshape(shape), power=2),
    )


def in_steps(weight: Floats) -> Ints:
    """Return weights as whole steps, whose sums are exact.

    >>> in_steps(np.array([1.0, 2.5])) * STEP
    array([1. , 2.5])
    """
    return np.rint(weight / STEP).astype(np.int64)


def of_steps(sums: Ints | Floats, *, power: int = 1) -> Floats:
    """Return sums of whole steps, or of their squares, as the weights that they are."""
    return np.asarray(sums, dtype=np.float64) * STEP**power


def alerted_value(
    table: TruthTable, value: Floats, *, base: Small, hit: Small, money: Ints, always: Mask, never: Mask
) -> Ints:
    """Return the money of the events that are alerted at each point of their truth table, in minor units.

    Parameters
    ----------
    table : TruthTable
        The table that the events are part of.
    value, base, hit, money, always, never : ndarray, shape (rows,)
        As in `truth_table`, for the events that are asked about.

    Examples
    --------
    >>> table = truth_table(
    ...     np.array([0.9, 0.5]), op=">=", base=np.zeros(2, np.int8), hit=np.full(2, 2, np.int8),
    ...     kinds=np.ones(2, np.int8), money=np.array([700, 300]), levels=4)
    >>> none = np.zeros(2, dtype=bool)
    >>> alerted_value(table, np.array([0.9, 0.5]), base=np.zeros(2, np.int8), hit=np.full(2, 2, np.int8),
    ...     money=np.array([7, 3]), always=none, never=none)
    array([ 0,  7, 10])
    """
    start = np.where(always, hit, base)
    moved = np.flatnonzero(~never & ((start > 0) != (hit > 0)))
    steps = np.zeros(table.points + 1, dtype=np.int64)
    np.add.at(steps, reached(table, value[moved]), np.where(hit[moved] > 0, money[moved], -money[moved]))
    return int(money[start > 0].sum()) + np.cumsum(steps[:-1])


def reached(table: TruthTable, value: Floats) -> Ints:
    """Return the point from which on each value is hit; the number of points where it never is.

    Parameters
    ----------
    table : TruthTable
        The table that the events are part of.
    value : ndarray of float64, shape (rows,)
        The quantity that is cut.

    Examples
    --------
    >>> table = truth_table(
    ...     np.array([0.9, 0.5]), op=">=", base=np.zeros(2, np.int8), hit=np.full(2, 2, np.int8),
    ...     kinds=np.ones(2, np.int8), money=np.array([700, 300]), levels=4)
    >>> reached(table, np.array([np.inf, 0.9, 0.7, 0.5, 0.1, np.nan]))
    array([1, 1, 2, 2, 3, 3])
    """
    sign = -1.0 if table.op in (">=", ">") else 1.0
    largest = np.finfo(np.float64).max
    key = sign * value
    place = np.searchsorted(sign * table.values, np.clip(key, -largest, largest), side="left") + 1
    return np.where(key < np.inf, place, table.points).astype(np.int64)  # NaN is not below


def switched(place: Ints, before: Floats, after: Floats, *, points: int) -> Floats:
    """Return a sum over events at each point, where each counts `before` until it is reached and `after` from then.

    Nothing is ever taken away again, so the sum is exactly zero where all that counts is zero.

    Parameters
    ----------
    place : ndarray of int64, shape (rows,)
        The point at which each event is reached, 0 to points; at `points` it never is.
    before, after : ndarray of float64, shape (rows,)
        What each event counts.
    points : int
        How many points there are.

    Examples
    --------
    >>> switched(np.array([1, 2, 3]), np.array([1.0, 1.0, 1.0]), np.array([10.0, 20.0, 30.0]), points=3)
    array([ 3., 12., 31.])
    """
    gained = np.bincount(place, after, minlength=points + 1)[:points]
    left = np.bincount(place, before, minlength=points + 1)[1:]
    return np.asarray(np.cumsum(gained) + np.cumsum(left[::-1])[::-1])


def _cumulate(
    value: Floats, *, downwards: bool, code: Ints, money: Ints, used: npt.NDArray[np.intp]
) -> tuple[Floats, Ints, Ints, Floats]:
    """Return distinct values in the order reached, and the cumulative count, money and squares by code."""
    grid = _grid(value)
    if grid is not None:
        return _by_counting(*grid, downwards=downwards, code=code, money=money, used=used)
    largest = np.finfo(np.float64).max
    key = np.clip(-value if downwards else value, -largest, largest)
    order = np.argsort(key)
    key, code, money = key[order], code[order], money[order]
    last = np.flatnonzero(np.append(key[1:] != key[:-1], True)) if len(key) else np.zeros(0, dtype=np.intp)
    counts, sums, squares = _empty(len(used), len(last))
    for row, wanted in enumerate(used):
        places = np.flatnonzero(code == wanted)
        own = money[places]
        real = own.astype(np.float64)
        # How many of this code's events are reached by the end of each distinct value.
        reached = np.searchsorted(places, last, side="right")
        counts[row, 1:] = reached
        sums[row, 1:] = np.concatenate([[0], np.cumsum(own)])[reached]
        squares[row, 1:] = np.concatenate([[0.0], np.cumsum(real * real)])[reached]
    distinct = key[last]
    return (-distinct if downwards else distinct) + 0.0, counts, sums, squares


def _empty(moves: int, values: int) -> tuple[Ints, Ints, Floats]:
    shape = (moves, values + 1)
    return np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.float64)


def _grid(value: Floats) -> tuple[npt.NDArray[np.int64], int, float] | None:
    """Return values as whole steps from the smallest, where all of them are decimals that fill a short range.

    Rounded scores, cents and counts do; then counting by step takes the place of a sort.
    """
    if len(value) < 1_000:
        return None
    few = value[:: len(value) // 500]
    for scale in (1.0, 1e2, 1e3, 1e4, 1e6):
        with np.errstate(over="ignore", invalid="ignore"):
            if not (np.rint(few * scale) / scale == few).all():
                continue
            low, high = float(value.min()), float(value.max())
            if not (high - low) * scale < 6 * len(value) or max(abs(low), abs(high)) * scale > 2**52:
                continue
            steps = np.rint(value * scale)
            if (steps / scale == value).all():
                start = int(steps.min())
                return steps.astype(np.int64) - start, start, scale
    return None


def _by_counting(
    steps: npt.NDArray[np.int64],
    start: int,
    scale: float,
    *,
    downwards: bool,
    code: Ints,
    money: Ints,
    used: npt.NDArray[np.intp],
) -> tuple[Floats, Ints, Ints, Floats]:
    """Return what `_cumulate` returns, from one bin for each step of the grid."""
    size = int(steps.max()) + 1
    seen = np.flatnonzero(np.bincount(steps, minlength=size))
    if downwards:
        seen = seen[::-1]
    counts, sums, squares = _empty(len(used), len(seen))
    for row, wanted in enumerate(used):
        places = np.flatnonzero(code == wanted)
        own, amount = steps[places], money[places]
        for held, cells in (
            (counts, cell_counts(own, size)),
            (sums, cell_sums(own, amount, size)),
            (squares, cell_squares(own, amount, size)),
        ):
            np.cumsum(cells[seen], out=held[row, 1:])
    return (seen + start) / scale + 0.0, counts, sums, squares


def hit_at(value: Floats, op: Op, cut: float) -> Mask:
    """Return which values a cut hits; NaN is never hit.

    >>> hit_at(np.array([1.0, 2.0, np.nan]), ">=", 2.0)
    array([False,  True, False])
    """
    with np.errstate(invalid="ignore"):
        if op == ">=":
            return value >= cut if cut != np.inf else np.zeros(len(value), dtype=bool)
        if op == ">":
            return value > cut
        if op == "<=":
            return value <= cut if cut != -np.inf else np.zeros(len(value), dtype=bool)
        return value < cut
