"""How much more likely are the counts of a segment if it changed on its own? The scores of the segment search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.metrics.segment_null import Adder, Clumps, at_a_time, dealt, flipped, swapped
from riskbench.metrics.segment_space import Floats, Leaves

Kind = Literal["sum", "rate", "measured"]

#: Events at the model's rate that a segment is taken to have had before, so that a new value has a past.
PRIOR = 1.0
#: The least relative noise of a measured leaf: forecasts are never exact.
NOISE_FLOOR = 0.01
#: Sweeps over the dimensions when the rates of leaves are fitted.
_SWEEPS = 3
_TINY = 1e-12


@dataclass
class State:
    """What the search knows of the leaves, and which segments it has set aside.

    Attributes
    ----------
    kind : {"sum", "rate", "measured"}
        What is compared: sums over windows, rates, or measurements against a forecast.
    current, baseline : ndarray
        Numerators by leaf.
    current_weight, baseline_weight : ndarray
        What a leaf is expected to have, up to a factor for all: exposure times its usual rate.
    lift : ndarray
        The factor by which segments that were found lift each leaf.
    free : ndarray of bool
        The leaves outside of what was found.
    outside : float
        Current against baseline, outside of what was found.
    noise : ndarray
        For measurements: the variance of each leaf.
    """

    kind: Kind
    current: Floats
    baseline: Floats
    current_weight: Floats
    baseline_weight: Floats
    lift: Floats
    free: npt.NDArray[np.bool_]
    outside: float = 1.0
    noise: Floats = field(default_factory=lambda: np.zeros(0))

    def refit(self) -> None:
        """Set the outside factor from the leaves that no found segment lifts."""
        free = self.free
        if self.kind == "measured":
            usable = free & (self.noise < np.inf)
            if usable.any():
                self.outside = _weighted_median(
                    self.current[usable] / self.baseline[usable], 1 / np.sqrt(self.noise[usable])
                )
            return
        current, baseline = float(self.current[free].sum()), float(self.baseline[free].sum())
        now, then = float(self.current_weight[free].sum()), float(self.baseline_weight[free].sum())
        if self.kind == "sum":
            now, then = float(self.current_weight[0]), 1.0
        if current > 0 and baseline > 0 and now > 0 and then > 0:
            self.outside = (current / now) / (baseline / then)

    def leaf_expected(self) -> Floats:
        """Return each leaf's share of its numerators that is expected now (sums), or its lifted weight (rates)."""
        if self.kind == "sum":
            odds = self.outside * self.current_weight * self.lift
            return (self.current + self.baseline) * odds / (1 + odds)
        return self.current_weight * self.lift


def usual_rates(held: Leaves, events: Floats, exposure: Floats) -> Floats:
    """Return each leaf's usual rate: the overall rate times a factor for each value, near 1 where little is known.

    Use it to tell a change of the mix from a change of rates: a rare value's factor is (events + 1) / (expected + 1).

    Parameters
    ----------
    held : Leaves
        The leaves.
    events, exposure : ndarray, shape (leaves,)
        The baseline's numerators and exposures.
    """
    total = float(exposure.sum())
    overall = (float(events.sum()) + 0.5) / (total + 1.0) if total > 0 else 1.0
    rates = np.full(len(held), overall)
    for _ in range(_SWEEPS):
        for codes in held.codes:
            if codes.max(initial=-1) < 0:
                continue
            place = codes + 1
            seen = np.bincount(place, events)
            expected = np.bincount(place, exposure * rates)
            rates *= ((seen + PRIOR) / (expected + PRIOR))[place]
    return rates


def relative_noise(current: Floats, baseline: Floats) -> Floats:
    """Return each leaf's variance around its forecast, from the spread of current / forecast among leaves of its size.

    The spread is the median absolute deviation, so that up to half of the leaves may have changed; a leaf without a
    forecast has an infinite variance.
    """
    usable = baseline > 0
    out = np.full(len(baseline), np.inf)
    if not usable.any():
        return out
    order = np.flatnonzero(usable)[np.argsort(baseline[usable], kind="stable")]
    ratios = current[order] / baseline[order]
    spread = np.empty(len(order))
    bins = max(1, min(20, len(order) // 50))
    for part in np.array_split(np.arange(len(order)), bins):
        near = ratios[part]
        spread[part] = 1.4826 * np.median(np.abs(near - np.median(near)))
    out[order] = (np.maximum(spread, NOISE_FLOOR) * baseline[order]) ** 2
    return out


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(running, running[-1] / 2)])


@dataclass
class Scores:
    """All segments' numbers at one stage of the search.

    Attributes
    ----------
    observed, expected, total : ndarray, shape (segments,)
        Current numerators, those expected from the rest, and those of both periods.
    score : ndarray
        The log likelihood ratio less the price of the segment's kind; -inf where it moves the other way.
    ratio : ndarray
        The same without the price.
    """

    observed: Floats
    expected: Floats
    total: Floats
    score: Floats
    ratio: Floats


class Board:
    """Scores every segment against a state, and against draws in which nothing changed."""

    def __init__(  # noqa: PLR0917
        self, state: State, adder: Adder, price: Floats, squares: Floats | None, sign: int, clumps: Clumps | None
    ) -> None:
        self.state, self.adder, self.price, self.sign, self.clumps = state, adder, price, sign, clumps
        self.spread = 1.0
        if state.kind == "measured":
            weight = np.where(np.isfinite(state.noise), state.baseline / state.noise, 0.0)
            self.weight = weight
            self.information = adder.one(weight * state.baseline)
            return
        self.now, self.then = adder.one(state.current), adder.one(state.baseline)
        self.then_weight = adder.one(state.baseline_weight)
        self.all_now, self.all_then = float(state.current.sum()), float(state.baseline.sum())
        both = self.now + self.then
        self.grain: Floats | float = 1.0
        self.whole_grain = 1.0
        if squares is not None:
            self.grain = np.divide(adder.one(squares), both, out=np.ones_like(both), where=both > 0)
            self.whole_grain = float(squares.sum() / max(self.all_now + self.all_then, _TINY))

    def scores(self) -> Scores:
        """Return the scores under the present state."""
        state = self.state
        if state.kind == "measured":
            residual = np.where(self.weight > 0, state.current - state.outside * state.baseline * state.lift, 0.0)
            gap = self.adder.one(self.weight * residual)
            ratio = np.divide(gap**2, 2 * self.information, out=np.zeros_like(gap), where=self.information > 0)
            observed = self.adder.one(state.current)
            expected = self.adder.one(state.outside * state.baseline * state.lift)
            way = np.sign(gap)
            return self._made(observed, expected, expected, ratio / self.spread, way)
        observed, total, expected, whole = self._expected()
        ratio = self._ratio(observed, expected, total, whole, self.grain, self.whole_grain) / self.spread
        return self._made(observed, expected, total, ratio, np.sign(observed - expected))

    def _made(self, observed: Floats, expected: Floats, total: Floats, ratio: Floats, way: Floats) -> Scores:
        score = ratio - self.price
        if self.sign:
            score = np.where(way == self.sign, score, -np.inf)
        return Scores(observed, expected, total, score, ratio)

    def _expected(self) -> tuple[Floats, Floats, Floats, tuple[float, float, float]]:
        state = self.state
        whole = self.all_now + self.all_then
        if state.kind == "sum":
            leaf = state.leaf_expected()
            return self.now, self.now + self.then, self.adder.one(leaf), (self.all_now, float(leaf.sum()), whole)
        lifted = state.leaf_expected()
        odds = state.outside * self.adder.one(lifted) / (self.then_weight + PRIOR)
        total = self.now + self.then + PRIOR
        everywhere = state.outside * float(lifted.sum()) / max(float(state.baseline_weight.sum()), _TINY)
        return self.now, total, total * odds / (1 + odds), (self.all_now, whole * everywhere / (1 + everywhere), whole)

    @staticmethod
    def _ratio(  # noqa: PLR0917
        observed: Floats, expected: Floats, total: Floats,
        whole: tuple[Floats | float, Floats | float, Floats | float], grain: Floats | float,
        whole_grain: Floats | float,
    ) -> Floats:  # fmt: skip
        """Return the log likelihood ratio of a factor of its own inside against none, in and out of the segment."""
        from scipy.special import rel_entr

        inside = rel_entr(observed, np.maximum(expected, _TINY))
        inside += rel_entr(np.maximum(total - observed, 0.0), np.maximum(total - expected, _TINY))
        all_now, all_expected, everything = whole
        rest = np.maximum(all_now - observed, 0.0)
        rest_expected = np.maximum(all_expected - expected, _TINY)
        rest_total = np.maximum(everything - total, rest + _TINY)
        outside = rel_entr(rest, rest_expected)
        outside += rel_entr(rest_total - rest, np.maximum(rest_total - rest_expected, _TINY))
        return np.asarray(inside / grain + np.maximum(outside, 0.0) / whole_grain)

    def overdispersion(self) -> float:
        """Return by how much segments vary more than chance alone: a median, cautious, at least 1."""
        if self.state.kind == "measured":
            return 1.0
        observed, total, expected, _ = self._expected()
        variance = expected * (total - expected) / np.maximum(total, _TINY) * self.grain
        usable = variance >= 4 * np.asarray(self.grain) ** 2
        count = int(np.count_nonzero(usable))
        if count < 20:
            return 1.0
        median = float(np.median((observed[usable] - expected[usable]) ** 2 / variance[usable])) / 0.4549
        return max(1.0, median * (1 - 2.33 * 1.645 / np.sqrt(count)))

    def maxima(self, rng: np.random.Generator, draws: int) -> Floats:
        """Return the best score of the whole search in each of the draws in which nothing changed."""
        best = np.full(draws, -np.inf)
        if not self.adder.segments:
            return best
        step = at_a_time(self.adder.leaves, draws)
        for start in range(0, draws, step):
            many = min(step, draws - start)
            best[start : start + many] = self._drawn(rng, many)
        return best

    def _drawn(self, rng: np.random.Generator, draws: int) -> Floats:
        state = self.state
        if state.kind == "measured":
            gap = np.where(self.weight > 0, state.current - state.outside * state.baseline * state.lift, 0.0)
            scaled = np.where(self.weight > 0, gap / np.sqrt(state.noise), 0.0)
            tame = np.clip(scaled, -3, 3) * np.where(self.weight > 0, np.sqrt(state.noise), 0.0)
            best = np.full(draws, -np.inf)
            for part, sums in self.adder.many(flipped(rng, self.weight * tame, draws)):
                information = np.maximum(self.information[part], _TINY)[:, None]
                score = sums**2 / (2 * information) - self.price[part, None]
                if self.sign:
                    score[np.sign(sums) != self.sign] = -np.inf
                np.maximum(best, score.max(axis=0), out=best)
            return best
        if state.kind == "sum":
            return self._drawn_sums(rng, draws)
        return self._drawn_rates(rng, draws)

    def _drawn_sums(self, rng: np.random.Generator, draws: int) -> Floats:
        state = self.state
        both = state.current + state.baseline
        share = self.all_now / max(self.all_now + self.all_then, _TINY)
        drawn = swapped(rng, both, share, draws, self.clumps)
        whole = float(both.sum())
        now = drawn.sum(axis=0)
        total = self.now + self.then
        best = np.full(draws, -np.inf)
        grain = np.broadcast_to(np.asarray(self.grain, np.float64), total.shape)
        for part, sums in self.adder.many(drawn):
            expected = total[part, None] * (now / whole)
            np.maximum(
                best,
                self._best(
                    sums, expected, np.broadcast_to(total[part, None], sums.shape), (now, now, np.full(draws, whole)),
                    np.broadcast_to(grain[part, None], sums.shape), self.whole_grain, self.price[part],
                ),
                out=best,
            )  # fmt: skip
        return best

    def _drawn_rates(self, rng: np.random.Generator, draws: int) -> Floats:
        state = self.state
        rise = self.state.outside
        current, baseline, squares = dealt(
            rng, rise * state.current_weight, state.baseline_weight, self.all_now + self.all_then, draws, self.clumps
        )
        now, then = current.sum(axis=0), baseline.sum(axis=0)
        weight_now, weight_then = float(state.current_weight.sum()), float(state.baseline_weight.sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            outside = np.where((now > 0) & (then > 0), (now / weight_now) / (then / weight_then), rise)
        slope = self.adder.one(state.current_weight) / (self.then_weight + PRIOR)
        best = np.full(draws, -np.inf)
        stacked = [current, baseline] + ([squares] if squares is not None else [])
        whole_grain = squares.sum(axis=0) / np.maximum(now + then, _TINY) if squares is not None else 1.0
        width = len(stacked)
        for part, sums in self.adder.many(np.concatenate(stacked, axis=1)):
            parts = [sums[:, place * draws : (place + 1) * draws] for place in range(width)]
            total = parts[0] + parts[1]
            grain: Floats = np.ones_like(total)
            if squares is not None:
                grain = np.divide(parts[2], total, out=grain, where=total > 0)
            total = total + PRIOR
            odds = outside * slope[part, None]
            expected = total * odds / (1 + odds)
            np.maximum(
                best,
                self._best(parts[0], expected, total, (now, now, now + then), grain, whole_grain, self.price[part]),
                out=best,
            )
        return best

    def _best(  # noqa: PLR0917
        self, observed: Floats, expected: Floats, total: Floats, whole: tuple[Floats, Floats, Floats],
        grain: Floats, whole_grain: Floats | float, price: Floats,
    ) -> Floats:  # fmt: skip
        """Return each draw's best score; only segments whose chi-square could beat the best so far are worked out."""
        gap = observed - expected
        rest, rest_total = whole[1] - expected, whole[2] - total
        inside = np.maximum(expected * (1 - expected / np.maximum(total, _TINY)), _TINY) * grain
        outside = np.maximum(rest * (1 - rest / np.maximum(rest_total, _TINY)), _TINY) * whole_grain
        bound = gap**2 * (1 / inside + 1 / outside) - price[:, None]
        if self.sign:
            bound[np.sign(gap) != self.sign] = -np.inf
        draws = observed.shape[1]
        first = bound.argmax(axis=0)
        every = np.arange(draws)
        grains = np.broadcast_to(np.asarray(whole_grain, np.float64), (draws,))

        def exact(row: npt.NDArray[np.intp], column: npt.NDArray[np.intp]) -> Floats:
            sides = (whole[0][column], whole[1][column], whole[2][column])
            at = (row, column)
            ratio = self._ratio(observed[at], expected[at], total[at], sides, grain[at], grains[column])
            return ratio - price[row]

        best = np.where(np.isfinite(bound[first, every]), exact(first, every), -np.inf)
        row, column = np.nonzero(bound > best)
        np.maximum.at(best, column, exact(row, column))
        return best
