"""What does it change when events move from one outcome to another? Counts, money and net value, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import Effect
from riskbench.metrics.intervals import Z95, sum_interval
from riskbench.metrics.price import Price
from riskbench.rules.signature import KINDS, Cells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: The columns of a change, in the order in which pages show them.
COLUMNS = (
    "flips alerts alerts_lower alerts_upper frauds frauds_lower frauds_upper insults insults_lower insults_upper "
    "reviews reviews_lower reviews_upper unlabelled value_caught value_caught_lower value_caught_upper net_value "
    "net_value_lower net_value_upper"
).split()


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Events that go from one outcome to another, in groups.

    Attributes
    ----------
    cells : Cells
        Counts and money of every (group, level before, level after), in this order.
    groups, levels : int
        How many of each.
    """

    cells: Cells
    groups: int
    levels: int

    def shaped(self, held: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return counts or money as (groups, before, after, kinds)."""
        return held.reshape(self.groups, self.levels, self.levels, KINDS)


def moves(
    cells: Cells,
    before: npt.NDArray[np.integer],
    after: npt.NDArray[np.integer],
    *,
    levels: int,
    group: npt.NDArray[np.integer] | None = None,
    groups: int = 1,
    picked: npt.NDArray[np.intp] | None = None,
) -> Moves:
    """Return the moves of cells (patterns, mostly) between two decisions.

    Parameters
    ----------
    cells : Cells
        Counts and money of each pattern.
    before, after : ndarray of int, shape (patterns,) or that of `picked`
        The ladder levels.
    levels : int
        The length of the ladder.
    group : ndarray of int, optional
        The group that each belongs to, such as the rule that is taken away.
    groups : int
        How many groups there are.
    picked : ndarray of intp, optional
        The patterns meant, in the order of `before` and `after`; a pattern may come several times.
    """
    first = np.zeros(len(before), dtype=np.int64) if group is None else group.astype(np.int64)
    codes = (first * levels + before) * levels + after
    return Moves(cells.summed(codes, groups * levels * levels, picked=picked), groups, levels)


def changes_of(
    held: Moves, price: Price, effects: Sequence[Effect], *, scale: float
) -> dict[str, npt.NDArray[np.generic]]:
    """Return what each group's moves change: after less before, with 95 % intervals.

    Only events whose outcome changes count, so the intervals are those of the paired difference. `frauds` are
    alerted frauds, `insults` good events reviewed or stopped, `value_caught` the value of alerted frauds, and
    `unlabelled` flips that are in no figure of frauds, insults or value.

    Parameters
    ----------
    held : Moves
        The moves.
    price : Price
        What an event is worth at each level.
    effects : sequence of str
        The effect of each level.
    scale : float
        Minor units in one major unit; NaN without money, so that no value is told.
    """
    moved = 1 - np.eye(held.levels, dtype=np.int64)[None, :, :, None]
    count = held.shaped(held.cells.count).astype(np.int64) * moved
    value = held.shaped(held.cells.value).astype(np.float64) * moved
    squares = held.shaped(held.cells.value_squares).astype(np.float64) * moved
    alert = np.array([effect != "none" for effect in effects])
    hard = np.array([effect in ("review", "stop") for effect in effects])
    review = np.array([effect == "review" for effect in effects])
    columns: dict[str, npt.NDArray[np.generic]] = {"flips": count.sum(axis=(1, 2, 3))}
    asked = (
        ("alerts", alert, slice(None)),
        ("frauds", alert, slice(FRAUD, FRAUD + 1)),
        ("insults", hard, slice(GOOD, GOOD + 1)),
        ("reviews", review, slice(None)),
    )
    for name, counted, kinds in asked:
        sign = _sign(counted)
        change = (count * sign)[..., kinds].sum(axis=(1, 2, 3))
        variance = (count * np.abs(sign))[..., kinds].sum(axis=(1, 2, 3))
        lower, upper = sum_interval(change, variance)
        columns |= {name: change, f"{name}_lower": lower, f"{name}_upper": upper}
        if name == "reviews":
            columns["unlabelled"] = count[..., KINDS - 1].sum(axis=(1, 2))
    sign = _sign(alert)
    caught = (value * sign)[..., FRAUD].sum(axis=(1, 2)) / scale
    spread = (squares * np.abs(sign))[..., FRAUD].sum(axis=(1, 2)) / scale**2
    lower, upper = sum_interval(caught, spread)
    columns |= {"value_caught": caught, "value_caught_lower": lower, "value_caught_upper": upper}
    net, variance = net_change(held, price)
    half = Z95 * np.sqrt(variance)
    return columns | {"net_value": net, "net_value_lower": net - half, "net_value_upper": net + half}


def net_change(held: Moves, price: Price) -> tuple[Floats, Floats]:
    """Return the change in net value of each group, in major units, and its variance."""
    net, second = net_by_pair(held, price)
    return net.sum(axis=(1, 2)), second.sum(axis=(1, 2))


def net_by_pair(held: Moves, price: Price) -> tuple[Floats, Floats]:
    """Return the change in net value of each group and pair of outcomes, in major units, and its variance."""
    count, stake, squares = (
        held.shaped(part).astype(np.float64) for part in (held.cells.count, held.cells.stake, held.cells.stake_squares)
    )
    slope = price.slope.T[None, :, :] - price.slope.T[:, None, :]
    work = (price.handling[None, :] - price.handling[:, None])[..., None]
    net = (slope * stake - work * count).sum(axis=-1)
    second = (slope**2 * squares - 2 * slope * work * stake + work**2 * count).sum(axis=-1)
    return net + 0.0, np.maximum(second, 0.0)


def _sign(counted: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return +1 where a move begins to be counted, -1 where it ceases, by (1, before, after, 1)."""
    own = counted.astype(np.int64)
    return (own[None, :] - own[:, None])[None, :, :, None]
