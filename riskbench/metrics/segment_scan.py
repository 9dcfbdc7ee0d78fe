"""Where did it change? The few segments that explain a change of a sum or a rate, and whether chance could do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError
from riskbench.metrics.intervals import Z95, wilson
from riskbench.metrics.segment_null import Adder, Clumps, affordable, chance
from riskbench.metrics.segment_score import FAR, PRIOR, Board, Kind, State, relative_noise, usual_rates
from riskbench.metrics.segment_space import Codes, Floats, Leaves, Pruned, added, cuboids, leaves

Way = Literal["rise", "fall", "both"]

#: The most segments that are looked for before the search is told to stop.
MOST = 10
#: Draws in which nothing changed, against which the best score is held.
DRAWS = 199
#: The fewest events of both periods that a segment is searched with.
LEAST = 5
#: The most values of one dimension that are searched.
MOST_VALUES = 2_000
#: A segment whose score is below this share of the first one's is no part of the explanation: for counts, which also
#: sway for reasons that no model of chance holds, and for measurements, whose scatter is seen leaf by leaf.
FAINT, FAINT_MEASURED = 0.25, 0.01
#: Segments set aside while it is learned how much all others vary anyway.
SUSPECTS = 3
#: A shorter condition is told where what the longer one leaves of it moved at least this share of its log ratio,
#: with a chi-square of at least so much.
HALF, SURE = 0.35, 4.0


@dataclass(frozen=True)
class Found:
    """One segment that changed on its own.

    Attributes
    ----------
    terms : tuple of (int, int)
        Dimension and value, joined by "and".
    observed, expected : float
        Numerators of the current period, and those expected had the segment moved as the rest did.
    excess : float
        Observed less expected.
    excess_lower, excess_upper : float
        The ends of its 95 % interval.
    share, share_lower, share_upper : float or None
        The excess as a share of the whole change; None where nothing changed in all.
    ratio, ratio_lower, ratio_upper : float or None
        Current against baseline in the segment, over the same in the rest; None without a baseline.
    score : float
        The log likelihood ratio, in units of chance.
    p_value : float
        The chance of a best score as high anywhere, had nothing changed.
    n : int
        Rows of both periods in the segment.
    same : tuple of terms
        Longer conditions that hold the very same events.
    """

    terms: tuple[tuple[int, int], ...]
    observed: float
    expected: float
    excess: float
    excess_lower: float
    excess_upper: float
    share: float | None
    share_lower: float | None
    share_upper: float | None
    ratio: float | None
    ratio_lower: float | None
    ratio_upper: float | None
    score: float
    p_value: float
    n: int
    same: tuple[tuple[tuple[int, int], ...], ...] = ()


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
    search = _Search(board, held, most, level)
    if not measured:
        search.settle()
    draws = affordable(len(space), len(held), draws)
    search.run(board.maxima(np.random.default_rng(seed), draws))
    usual = _usual(state, 1.0 if measured else scale)
    rows = np.bincount(held.row_leaf, minlength=len(held))
    found = tuple(search.told(place, p, rows, usual) for place, p in search.kept)
    return Scan(
        found=found, searched=adder.segments, observed=float(now.sum()), expected=usual,
        explained=search.explained(usual), outside=state.outside,
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


class _Search:
    """The greedy search: the best segment is set aside, and the search begins again."""

    def __init__(self, board: Board, held: Leaves, most: int, level: float) -> None:
        self.board, self.held, self.most, self.level = board, held, most, level
        self.maxima = np.zeros(0)
        self.starts = np.cumsum([0, *(len(one.values) for one in board.adder.cuboids)])
        self.kept: list[tuple[int, float]] = []
        self.factors: dict[int, float] = {}
        self.best: float | None = None

    def settle(self) -> None:
        """Learn how much leaves and segments vary anyway, the strongest suspects set aside."""
        if not self.board.adder.segments:
            return
        if self.board.clumps is None:
            self._suspect()
            self.board.state.settle()
            self.board.weigh()
        self._suspect()
        self.board.sway = self.board.usual_sway()
        self._lift([])

    def _suspect(self) -> None:
        self._lift([])
        chosen: list[int] = []
        for _ in range(SUSPECTS):
            scores = self.board.scores()
            place = int(scores.score.argmax())
            if scores.score[place] <= 0 or place in chosen:
                break
            chosen.append(place)
            self._lift(chosen)

    def run(self, maxima: Floats) -> None:
        """Find segments one by one, then let each be replaced by a better one given the others."""
        self.maxima = maxima
        if not self.board.adder.segments:
            return
        chosen: list[int] = []
        first, faint = 0.0, FAINT_MEASURED if self.board.state.kind == "measured" else FAINT
        while len(chosen) < self.most:
            scores = self.board.scores()
            place = int(scores.score.argmax())
            p = chance(float(scores.score[place]), self.maxima)
            if self.best is None:
                self.best, first = p, float(scores.score[place])
            if p > self.level or scores.score[place] < faint * first or place in chosen:
                break
            place = self._shortest(self._plain(place, chosen))
            if place in chosen:
                break
            chosen.append(place)
            self._lift(chosen)
        if len(chosen) > 1:
            chosen = self._improved(chosen)
        self.kept = [(place, self._p_without(chosen, place)) for place in chosen]
        self.kept = [(place, p) for place, p in self.kept if p <= self.level]
        self._lift([place for place, _ in self.kept])

    def _improved(self, chosen: list[int]) -> list[int]:
        for turn in range(len(chosen)):
            others = chosen[:turn] + chosen[turn + 1 :]
            self._lift(others)
            scores = self.board.scores()
            place = self._shortest(self._plain(int(scores.score.argmax()), others))
            if place not in others:
                chosen = [*chosen[:turn], place, *chosen[turn + 1 :]]
        self._lift(chosen)
        return chosen

    def _p_without(self, chosen: list[int], place: int) -> float:
        self._lift([other for other in chosen if other != place])
        return chance(float(self.board.scores().score[place]), self.maxima)

    def explained(self, usual: float) -> float | None:
        """Return the share of the whole change that lies in the chosen segments together."""
        if not self.kept:
            return None
        state = self.board.state
        self._lift([place for place, _ in self.kept])
        state.lift = np.ones(len(self.held))
        inside = ~state.free
        now, then = float(state.current[inside].sum()), float(state.baseline[inside].sum())
        if state.kind == "rate":
            before = float(state.baseline_weight[inside].sum())
            weight = float(state.current_weight[inside].sum()) / (before + PRIOR)
            expected = state.outside * weight * (then + PRIOR)
        elif state.kind == "sum":
            expected = state.outside * float((state.baseline * state.current_weight)[inside].sum())
        else:
            expected = state.outside * then
        change = float(state.current.sum()) - usual
        return (now - expected) / change if change * (now - expected) > 0 else None

    def _mask(self, place: int) -> npt.NDArray[np.bool_]:
        at = int(np.searchsorted(self.starts, place, side="right")) - 1
        return np.asarray(self.board.adder.cuboids[at].slot == place - self.starts[at])

    def _terms(self, place: int) -> tuple[tuple[int, int], ...]:
        at = int(np.searchsorted(self.starts, place, side="right")) - 1
        one = self.board.adder.cuboids[at]
        return tuple((dim, int(code)) for dim, code in zip(one.dims, one.values[place - self.starts[at]], strict=True))

    def _lift(self, chosen: list[int], *, apart: int | None = None) -> None:
        """Let each chosen segment have a factor of its own; `apart` has none, but counts as inside too."""
        state = self.board.state
        masks = [self._mask(place) for place in chosen]
        state.lift = np.ones(len(self.held))
        state.free = ~np.logical_or.reduce(
            [*masks, np.zeros(len(self.held), bool)] + ([] if apart is None else [self._mask(apart)])
        )
        state.refit()
        for _ in range(3 if len(masks) > 1 else 1):
            for mask in masks:
                state.lift[mask] *= self._factor(mask)
        if state.kind == "measured":
            self._slacken(masks)

    def _slacken(self, masks: list[npt.NDArray[np.bool_]]) -> None:
        state = self.board.state
        slack = np.ones(len(self.held))
        state.slack = 1.0
        gaps, weight = state.gaps()
        for mask in masks:
            known = mask & (weight > 0)
            if known.any():
                scatter = 1.4826 * float(np.median(np.abs(gaps[known])))
                slack[mask] = np.maximum(slack[mask], scatter)
        state.slack = slack

    def _factor(self, mask: npt.NDArray[np.bool_]) -> float:
        state = self.board.state
        if state.kind == "measured":
            known = mask & (state.noise < np.inf)
            if not known.any():
                return 1.0
            ratio = state.current[known] / (state.outside * state.baseline[known] * state.lift[known])
            middle = float(np.median(ratio))
            width = max(1.4826 * float(np.median(np.abs(ratio - middle))), 1e-6)
            return max(float(np.clip(ratio, middle - FAR * width, middle + FAR * width).mean()), 1e-6)
        trust = state.trust[mask]
        now, then = float(trust @ state.current[mask]), float(trust @ state.baseline[mask])
        if state.kind == "rate":
            here = float(trust @ (state.current_weight[mask] * state.lift[mask])) * state.outside
            before = float(trust @ state.baseline_weight[mask]) + PRIOR
            return max(now, 0.5) / max(here * (then + PRIOR) / before, 1e-12)
        odds = state.outside * state.current_weight[mask] * state.lift[mask]
        both = trust * (state.current[mask] + state.baseline[mask])
        factor = 1.0
        for _ in range(8):
            expected = float((both * factor * odds / (1 + factor * odds)).sum())
            whole = float(both.sum())
            factor *= (max(now, 0.5) / max(whole - now, 0.5)) / max(expected / max(whole - expected, 1e-12), 1e-12)
        return factor

    def _plain(self, place: int, others: list[int]) -> int:
        """Return the shorter segment where what the longer one leaves of it has risen too, at least half as much."""
        while len(terms := self._terms(place)) > 1:
            wider = []
            for out in range(len(terms)):
                parent = self._place(terms[:out] + terms[out + 1 :])
                if parent is not None and self._half(parent, place, others):
                    wider.append(parent)
            if not wider:
                break
            scores = self.board.scores()
            place = max(wider, key=lambda one: float(scores.score[one]))
        self._lift(others)
        return place

    def _half(self, parent: int, child: int, others: list[int]) -> bool:
        self._lift(others, apart=parent)
        scores = self.board.scores()
        observed, expected, total = (
            float(one[parent] - one[child]) for one in (scores.observed, scores.expected, scores.total)
        )
        past = total - observed
        if min(observed, expected, past, total - expected) <= 0:
            return False
        change = np.log(observed / expected * (total - expected) / past)
        whole = np.log(
            scores.observed[child] / scores.expected[child]
            * (scores.total[child] - scores.expected[child])
            / max(scores.total[child] - scores.observed[child], 0.5)
        )  # fmt: skip
        chance = expected * (total - expected) / total
        evidence = (observed - expected) ** 2 / (chance + (self.board.sway * chance) ** 2)
        return bool(change / whole >= HALF and evidence >= SURE)

    def _place(self, terms: tuple[tuple[int, int], ...]) -> int | None:
        dims, values = tuple(dim for dim, _ in terms), np.array([code for _, code in terms])
        for start, one in zip(self.starts, self.board.adder.cuboids, strict=False):
            if one.dims == dims:
                at = np.flatnonzero((one.values == values).all(axis=1))
                return int(start + at[0]) if len(at) else None
        return None

    def _shortest(self, place: int) -> int:
        """Return the segment of the fewest values that holds the same events as this one."""
        same = self._same(place)
        return min([place, *same], key=lambda other: (len(self._terms(other)), other))

    def _same(self, place: int) -> list[int]:
        board = self.board
        if not hasattr(self, "_leaf_counts"):
            self._marks = board.adder.one(np.random.default_rng(0).random(len(self.held)))
            self._leaf_counts = board.adder.one(np.ones(len(self.held)))
        alike = np.flatnonzero(
            (self._leaf_counts == self._leaf_counts[place])
            & np.isclose(self._marks, self._marks[place], rtol=1e-12, atol=0)
        )
        mask = self._mask(place)
        return [int(other) for other in alike[:200] if other != place and np.array_equal(self._mask(int(other)), mask)]

    def told(self, place: int, p: float, rows: npt.NDArray[np.int64], usual: float) -> Found:
        """Return what is told of a chosen segment, the other ones set aside."""
        self._lift([other for other, _ in self.kept if other != place], apart=place)
        board, state = self.board, self.board.state
        score = float(board.scores().ratio[place])
        mask = self._mask(place)
        observed, past = float(state.current[mask].sum()), float(state.baseline[mask].sum())
        ratio: tuple[float | None, float | None, float | None] = (None, None, None)
        if state.kind == "measured":
            variance = np.where(np.isfinite(state.noise[mask]), state.noise[mask], 0.0)
            expected = float((state.outside * state.baseline * state.lift)[mask].sum())
            deviation = float(np.sqrt(variance.sum()))
            if expected > 0:
                ends = [(observed + sign * Z95 * deviation) / expected for sign in (-1, 1)]
                ratio = (observed / expected, max(0.0, ends[0]), ends[1])
        else:
            grain = float(np.broadcast_to(np.asarray(board.grain), len(board.now))[place])
            if state.kind == "rate":
                past += PRIOR
                weight = float((state.current_weight * state.lift)[mask].sum())
                odds = state.outside * weight / (float(state.baseline_weight[mask].sum()) + PRIOR)
            else:
                weights = (state.current_weight * state.lift)[mask]
                held = float(state.baseline[mask] @ weights) / past if past > 0 else float(weights.mean())
                odds = state.outside * held
            expected = past * odds
            total = observed + past
            chance = grain * (observed + past * odds**2)
            scattered = state.scatter**2 * float((state.current[mask] ** 2).sum()) + (board.sway * observed) ** 2
            deviation = float(np.sqrt(chance + scattered))
            grain *= deviation**2 / chance if chance > 0 else 1.0
            _, low, high = (float(end) for end in wilson(observed / grain, total / grain))
            if past > 0 and odds > 0:
                top = high / (1 - high) / odds if high < 1 else None
                ratio = (observed / past / odds, low / max(1 - low, 1e-12) / odds, top)
        excess = observed - expected
        change = float(state.current.sum()) - usual
        span = (excess - Z95 * deviation, excess + Z95 * deviation)
        share: tuple[float | None, float | None, float | None] = (None, None, None)
        if change * excess > 0:
            low, high = sorted((span[0] / change, span[1] / change))
            share = (excess / change, low, high)
        same = sorted(self._same(place), key=lambda other: (len(self._terms(other)), other))
        return Found(
            terms=self._terms(place), observed=observed, expected=expected, excess=excess,
            excess_lower=span[0], excess_upper=span[1], share=share[0], share_lower=share[1], share_upper=share[2],
            ratio=ratio[0], ratio_lower=ratio[1], ratio_upper=ratio[2], score=score, p_value=p,
            n=int(rows[mask].sum()), same=tuple(self._terms(other) for other in same[:5]),
        )  # fmt: skip


__all__ = ["Codes", "Found", "Scan", "scan"]
