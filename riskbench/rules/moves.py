"""What does it change when events move from one outcome to another? Counts, money and net value, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import Effect
from riskbench.metrics.intervals import sum_interval
from riskbench.metrics.money import Parts, clumping, money_interval
from riskbench.metrics.price import Price
from riskbench.rules.hits import Hits
from riskbench.rules.signature import KINDS, Cells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: A kind of which no flip was seen is moved as the others were: by so small a share each weighs beside its own.
_TRACE = 1e-6
#: How far events of one entity come together is itself seen on few large clumps: by so much it is more.
_CLUMPS = 0.3
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


@dataclass(frozen=True, slots=True)
class Usual:
    """What is at stake in the events of each kind, all events of the data together: good, fraud, unlabelled.

    Attributes
    ----------
    count, stake, squares : tuple of three floats
        Events, what is at stake in them, and its square, summed, in minor units.
    """

    count: tuple[float, ...]
    stake: tuple[float, ...]
    squares: tuple[float, ...]

    @classmethod
    def of(cls, cells: Cells) -> Usual:
        """Return it from disjoint groups that hold all events."""
        parts = (cells.count, cells.stake, cells.stake_squares)
        return cls(*(tuple(part.sum(axis=0).astype(np.float64).tolist()) for part in parts))


def changes_of(
    held: Moves,
    price: Price,
    effects: Sequence[Effect],
    *,
    scale: float,
    usual: Usual,
    together: npt.ArrayLike = 1.0,
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
    usual : Usual
        What is at stake in all events: what flips that are few do not show of their spread.
    together : array of float
        How many times the variance of net value grows because events come together: a number, or one a group.
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
    net, lower, upper = net_change(held, price, usual, together=together)
    return columns | {"net_value": net, "net_value_lower": lower, "net_value_upper": upper}


def net_change(
    held: Moves, price: Price, usual: Usual, *, together: npt.ArrayLike = 1.0
) -> tuple[Floats, Floats, Floats]:
    """Return the change in net value of each group, in major units, with its 95 % interval."""
    net = net_by_pair(held, price).sum(axis=(1, 2))
    swell = np.asarray(together, dtype=np.float64).reshape(-1, 1)
    return net, *money_interval(net, parts_of(held, price, usual), together=swell)


def parts_of(held: Moves, price: Price, usual: Usual) -> Parts:
    """Return what the change in net value of each group is made of: a part a kind of event and a sign.

    A kind of which no flip was seen stands there with what is usual for it, moved as the labelled flips were: the
    next of the kind may be a large one.
    """
    count, stake, squares = (
        held.shaped(part).astype(np.float64) for part in (held.cells.count, held.cells.stake, held.cells.stake_squares)
    )
    slope, work = _steps(price)
    # What neither gains nor costs anything is no part of the sum, whichever way round the books stand.
    moved = (1.0 - np.eye(held.levels))[None, :, :, None] * ((slope != 0) | (work != 0))
    seen = np.array([np.array(part, dtype=np.float64) for part in (usual.stake, usual.squares)])
    stake_mean, square_mean = np.divide(seen, np.array(usual.count), out=np.zeros_like(seen), where=seen > 0)
    usual_size = np.abs(slope) * stake_mean + np.abs(work)
    usual_square = slope**2 * square_mean - 2 * slope * work * stake_mean + work**2
    adds = (np.sign(slope * stake_mean - work) + 1) / 2
    known = np.array(usual.count) > 0
    size = (np.abs(slope) * stake + np.abs(work) * count) * moved
    own = np.maximum(slope**2 * squares - 2 * slope * work * stake + work**2 * count, 0.0) * moved
    n = count * moved
    labelled = n[..., : FRAUD + 1].sum(axis=-1, keepdims=True)
    weight = (n + _TRACE * labelled) * known
    weight[..., KINDS - 1] = n[..., KINDS - 1]
    found = []
    for picked in (adds, 1.0 - adds):
        of_all = (weight * picked).sum(axis=(1, 2))
        safe = np.where(of_all > 0, of_all, 1.0)
        usually = [(weight * picked * part).sum(axis=(1, 2)) / safe for part in (usual_size, usual_square)]
        found.append([*((part * picked).sum(axis=(1, 2)) for part in (n, size, own)), *usually])
    count_, size_, squares_, mean_, square_ = (np.concatenate(both, axis=-1) for both in zip(*found, strict=True))
    return Parts(count_, size_, squares_, mean_, square_, np.repeat([1.0, -1.0], KINDS))


def swell(
    held: Hits, rows: npt.NDArray[np.intp], value: Floats, *, named: npt.NDArray[np.integer] | None = None
) -> tuple[float, str]:
    """Return how many times a sum over events varies because those of one entity come together, and by whom.

    It is the largest of the roles of entities; 1 and no name where there is none above 1. `named` as `clumping` takes
    it: an entry of a list an event of the rows, where the entries are themselves entities.
    """
    worst, name = 1.0, ""
    for column in held.dataset.roles.entities if len(rows) else ():
        told = held.dataset.column(column).take(rows)
        codes = np.full(len(rows), -1, dtype=np.int64)
        codes[told.present] = pd.factorize(told.values[told.present])[0]
        ratio = 1.0 + (1.0 + _CLUMPS) * (clumping(value, codes, named=named) - 1.0)
        if ratio > worst:
            worst, name = ratio, column
    return worst, name


def net_by_pair(held: Moves, price: Price) -> Floats:
    """Return the change in net value of each group and pair of outcomes, in major units."""
    count, stake = (held.shaped(part).astype(np.float64) for part in (held.cells.count, held.cells.stake))
    slope, work = _steps(price)
    return (slope * stake - work * count).sum(axis=-1) + 0.0


def _steps(price: Price) -> tuple[Floats, Floats]:
    """Return by how much slope and handling grow from each level to each: (before, after, kinds) and the same."""
    slope = price.slope.T[None, :, :] - price.slope.T[:, None, :]
    return slope, (price.handling[None, :] - price.handling[:, None])[..., None]


def _sign(counted: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return +1 where a move begins to be counted, -1 where it ceases, by (1, before, after, 1)."""
    own = counted.astype(np.int64)
    return (own[None, :] - own[:, None])[None, :, :, None]
