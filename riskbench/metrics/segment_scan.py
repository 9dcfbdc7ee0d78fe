"""Where did it change? The few segments that explain a change of a sum or a rate, and whether chance could do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError
from riskbench.metrics.segment_null import Adder, Clumps, affordable
from riskbench.metrics.segment_score import Board, Kind, State, relative_noise, usual_rates
from riskbench.metrics.segment_search import Found, Search
from riskbench.metrics.segment_space import Codes, Floats, Leaves, Pruned, added, cuboids, leaves
from riskbench.metrics.segment_usual import Usual

Way = Literal["rise", "fall", "both"]

#: The most segments that are looked for before the search is told to stop.
MOST = 10
#: Draws in which nothing changed, against which the best score is held.
DRAWS = 199
#: The fewest events of both periods that a segment is searched with.
LEAST = 5
#: The most values of one dimension that are searched.
MOST_VALUES = 2_000


@dataclass(frozen=True, eq=False)
class Scan:
    """What a search found, and what it did not look at.

    Attributes
    ----------
    found : tuple of Found
        The segments, the strongest first; may be empty.
    searched : int
        How many segments were searched.
    observed, expected : float
        Numerators of the current period in all, and those expected at the baseline's level.
    explained : float or None
        The share of the whole change that lies in the found segments; None where nothing was found or changed.
    outside : float
        Current against baseline outside of what was found: how much everything moved.
    sway : float
        By what share of its size a segment moves on its own, beyond chance; taken into every score.
    best_p_value : float or None
        The p value of the best segment, found or not; None where there was nothing to search.
    pruned : tuple of Pruned
        Dimensions of which something was not searched.
    draws : int
        How many draws the p values rest on.
    """

    found: tuple[Found, ...]
    searched: int
    observed: float
    expected: float
    explained: float | None
    outside: float
    sway: float
    best_p_value: float | None
    pruned: tuple[Pruned, ...]
    draws: int


def scan(
    codes: Sequence[npt.ArrayLike],
    sizes: Sequence[int],
    *,
    current: npt.ArrayLike,
    baseline: npt.ArrayLike,
    current_exposure: npt.ArrayLike | None = None,
    baseline_exposure: npt.ArrayLike | None = None,
    scale: float | None = None,
    measured: bool = False,
    usual: Usual | None = None,
    clumps: npt.ArrayLike | None = None,
    way: Way = "rise",
    depth: int = 3,
    level: float = 0.05,
    most: int = MOST,
    least: float = LEAST,
    most_values: int = MOST_VALUES,
    draws: int = DRAWS,
    seed: int = 0,
) -> Scan:
    """Return the smallest set of segments that explains a change, or nothing where chance explains it.

    Use it on rows of any grain: events, or cells that are added up already. A segment is a value of one dimension, or
    values of several joined by "and". Each is compared with its own baseline and with how all the rest moved, so
    neither growth of the whole, nor a season, nor a shift of the mix between segments is a finding. The strongest
    segment is set aside and the search begins again, until what is left could be chance.

    Parameters
    ----------
    codes, sizes : sequence of array, sequence of int
        For each dimension the rows' values as codes 0..size-1.
    current, baseline : array, shape (rows,)
        Each row's numerator in the current period and in the baseline; 0 where it is not of that period.
    current_exposure, baseline_exposure : array, shape (rows,), optional
        Each row's denominator in either period, for a rate; may be fractional.
    scale : float, optional
        For a sum: current over baseline where nothing changed, as the lengths of the windows have it. By default,
        and for rates, it is what the rest of the events say.
    measured : bool
        The baseline is a forecast in the unit of the current period, and rows scatter around it by a share of their
        size, as amounts do, not as counts do.
    usual : Usual, optional
        How much segments usually sway, where a longer history tells it (see `usual_sway`). Without it, sway and
        scatter are fitted on these very rows, which hides a change of nearly everything.
    clumps : array of int, shape (rows,), optional
        Rows with the same number come together (one seller's orders of a day). Without it each count is on its own;
        amounts of money need it, `numpy.arange(rows)` at least.
    way : {"rise", "fall", "both"}
        What is looked for.
    depth : int
        The most values that are joined.
    level : float, 0..1
        The chance of any finding where nothing changed.
    most : int
        The most segments.
    least : float
        The fewest events a segment has, of both periods.
    most_values : int
        The most values of a dimension that are searched, those with the most events.
    draws : int
        How many draws the p values rest on.
    seed : int
        Of the draws.

    Raises
    ------
    ParameterError
        When the arrays do not fit together, or a number is negative or missing.

    Source: Kulldorff, M. (1997), A spatial scan statistic, Communications in Statistics 26, 1481-1496.

    Examples
    --------
    >>> device = np.array([0, 1, 2, 0, 1, 2])
    >>> land = np.array([0, 0, 0, 1, 1, 1])
    >>> found = scan([device, land], [3, 2], current=[9, 60, 11, 10, 12, 9], baseline=[70, 75, 80, 72, 69, 77]).found
    >>> [(one.terms, round(one.observed), round(one.expected)) for one in found]
    [(((0, 1), (1, 0)), 60, 10)]
    """
    now, then = _numbers(current, "current"), _numbers(baseline, "baseline")
    if len(now) != len(then):
        raise ParameterError("Both periods need one number a row", got=f"{len(now)} and {len(then)}")
    rate = current_exposure is not None or baseline_exposure is not None
    if rate and (current_exposure is None or baseline_exposure is None or measured or scale is not None):
        raise ParameterError("A rate needs the exposure of both periods, and neither a scale nor a forecast")
    if way not in ("rise", "fall", "both"):
        raise ParameterError("A search is for a rise, a fall or both", got=repr(way))
    if not 0 < level < 1 or depth < 1 or draws < 1:
        raise ParameterError("The level lies between 0 and 1, depth and draws are 1 or more")
    if usual is not None and measured:
        raise ParameterError("Measurements tell their scatter themselves, so they take no usual sway")
    kind: Kind = "rate" if rate else "measured" if measured else "sum"
    group = None if clumps is None else np.asarray(clumps)
    weight = now + then if group is None and not measured else (now > 0).astype(np.float64) + (then > 0)
    held = leaves(codes, sizes, weight, least=least, most=most_values)
    state = _state(held, kind, now, then, current_exposure, baseline_exposure, scale)
    space = cuboids(held, held.sums(weight), depth=depth, least=least)
    adder = Adder(space, len(held))
    price = np.concatenate([np.full(len(one.values), np.log(len(one.values))) for one in space] or [np.zeros(0)])
    squares, moved = _clumped(held, now, then, group) if group is not None else (None, None)
    state.refit()
    board = Board(state, adder, price, squares, {"rise": 1, "fall": -1, "both": 0}[way], moved)
    if usual is not None:
        board.sway, board.seen = usual.sway, usual.seen
    search = Search(board, held, most, level)
    if usual is None and not measured:
        search.settle()
    draws = affordable(len(space), len(held), draws)
    search.run(board.maxima(np.random.default_rng(seed), draws))
    level_now = _usual(state, 1.0 if measured else scale)
    rows = np.bincount(held.row_leaf, minlength=len(held))
    found = tuple(search.told(place, p, rows, level_now) for place, p in search.kept)
    return Scan(
        found=found, searched=adder.segments, observed=float(now.sum()), expected=level_now,
        explained=search.explained(level_now), outside=state.outside,
        sway=board.sway, best_p_value=search.best, pruned=held.pruned, draws=draws,
    )  # fmt: skip


def _state(  # noqa: PLR0917
    held: Leaves, kind: Kind, now: Floats, then: Floats,
    now_exposure: npt.ArrayLike | None, then_exposure: npt.ArrayLike | None, scale: float | None,
) -> State:  # fmt: skip
    current, baseline = held.sums(now), held.sums(then)
    lift, ones, free = np.ones(len(held)), np.ones(len(held)), np.ones(len(held), dtype=bool)
    if kind == "rate":
        exposures = [_numbers(now_exposure, "current_exposure"), _numbers(then_exposure, "baseline_exposure")]
        if any(len(part) != len(now) for part in exposures):
            raise ParameterError("An exposure needs one number a row")
        here, before = (held.sums(part) for part in exposures)
        rates = usual_rates(held, baseline, before)
        return State(kind, current, baseline, here * rates, before * rates, lift, free, ones)
    if scale is not None and not (np.isfinite(scale) and scale > 0):
        raise ParameterError("The scale between the periods is above 0", got=scale)
    noise = relative_noise(current, baseline * (scale or 1.0)) if kind == "measured" else np.zeros(0)
    reference = baseline * (scale or 1.0) if kind == "measured" else baseline
    weight = ones * (scale or 1.0) if kind == "sum" else ones
    return State(kind, current, reference, weight, ones, lift, free, ones, 1.0, noise)


def _usual(state: State, scale: float | None) -> float:
    """Return the numerators expected of the current period at the baseline's level."""
    if state.kind == "rate":
        then = float(state.baseline_weight.sum())
        return float(state.current_weight.sum() * state.baseline.sum() / then) if then > 0 else 0.0
    return float(state.baseline.sum()) * (scale if scale is not None else state.outside)


def _clumped(held: Leaves, now: Floats, then: Floats, group: npt.NDArray[np.generic]) -> tuple[Floats, Clumps]:
    if group.shape != now.shape:
        raise ParameterError("Clumps need one number a row", got=f"{len(group)} for {len(now)} rows")
    row = np.concatenate([np.flatnonzero(now > 0), np.flatnonzero(then > 0)])
    late = np.concatenate([np.zeros(np.count_nonzero(now > 0), bool), np.ones(np.count_nonzero(then > 0), bool)])
    amount = np.concatenate([now[now > 0], then[then > 0]])
    _, place = np.unique(group, return_inverse=True)  # one clump of one period and leaf is one piece of the variance
    keys, clump = np.unique(place.reshape(-1)[row].astype(np.int64) * 2 + late, return_inverse=True)
    clump, count = clump.reshape(-1), max(1, len(keys))
    leaf = held.row_leaf[row]
    pairs, place = np.unique(leaf * count + clump, return_inverse=True)
    sums = added(place.reshape(-1), amount, len(pairs))
    squares = added(pairs // count, sums**2, len(held))
    sizes = added(clump, amount, count)
    return squares, Clumps(pairs // count, sums, pairs % count, sizes)


def _numbers(given: npt.ArrayLike | None, name: str) -> Floats:
    numbers = np.asarray(given, dtype=np.float64)
    if numbers.ndim != 1 or not np.isfinite(numbers).all() or (numbers < 0).any():
        raise ParameterError(f"{name!r} is one finite number a row, 0 or more")
    return numbers


__all__ = ["Codes", "Found", "Scan", "scan"]
