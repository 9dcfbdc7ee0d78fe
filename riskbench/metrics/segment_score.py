"""How much more likely are the counts of a segment if it changed on its own? The scores of the segment search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.metrics.segment_null import Adder, Clumps, at_a_time, dealt, flipped, scattered, swapped
from riskbench.metrics.segment_space import Floats, Leaves

Kind = Literal["sum", "rate", "measured"]

#: Events at the model's rate that a segment is taken to have had before, so that a new value has a past.
PRIOR = 1.0
#: The least relative noise of a measured leaf: forecasts are never exact.
NOISE_FLOOR = 0.01
#: Sweeps over the dimensions when the rates of leaves are fitted.
_SWEEPS = 3
_TINY = 1e-12
#: No measured leaf counts as further off than so many units of its scatter, and in draws of chance than so many.
FAR, TAME = 8.0, 3.0
#: A leaf with this much variance by chance tells how much leaves scatter, and so many leaves are needed.
ENOUGH, _LEAVES, _SEGMENTS = 5.0, 10, 20
#: The median of chi-square with one degree of freedom.
_CHI_MEDIAN = 0.4549


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
    trust : ndarray
        Each leaf's weight: 1 where all its movement is chance.
    noise : ndarray
        For measurements: the variance of each leaf.
    scatter : float
        By what share of its size a leaf moves on its own, beyond chance.
    slack : ndarray or 1
        By how much more the leaves of a found segment scatter.
    """

    kind: Kind
    current: Floats
    baseline: Floats
    current_weight: Floats
    baseline_weight: Floats
    lift: Floats
    free: npt.NDArray[np.bool_]
    trust: Floats
    outside: float = 1.0
    noise: Floats = field(default_factory=lambda: np.zeros(0))
    scatter: float = 0.0
    slack: Floats | float = 1.0

    def settle(self) -> None:
        """Set the scatter of leaves beyond chance, and weigh each leaf by how much of its movement is chance.

        A leaf's variance is taken as v + (scatter x v)^2, v the variance by chance alone; its weight is the share of
        v. The scatter is such that the median leaf lies where it should.
        """
        both = self.current + self.baseline
        weight = self.baseline_weight + PRIOR if self.kind == "rate" else self.baseline_weight
        odds = self.outside * self.lift * self.current_weight / np.maximum(weight, _TINY)
        chance = both * odds / (1 + odds) ** 2
        gap = (self.current - both * odds / (1 + odds)) ** 2
        usable = self.free & (chance >= ENOUGH)
        if np.count_nonzero(usable) < _LEAVES:
            return
        self.scatter = _scatter(gap[usable], chance[usable], _CHI_MEDIAN)
        self.trust = 1 / (1 + self.scatter**2 * chance)

    def refit(self) -> None:
        """Set the outside factor from the leaves that no found segment lifts."""
        free = self.free
        if not len(free):
            return
        if self.kind == "measured":
            usable = free & (self.noise < np.inf)
            if usable.any():
                forecast, width = self.baseline[usable], np.sqrt(self.noise[usable])
                self.outside = float(np.median(self.current[usable] / forecast))
                for _ in range(3):
                    gap = np.clip((self.current[usable] - self.outside * forecast) / width, -FAR, FAR)
                    self.outside += float((forecast / width) @ gap) / float(((forecast / width) ** 2).sum())
            return
        trust = np.where(free, self.trust, 0.0)
        current, baseline = float(trust @ self.current), float(trust @ self.baseline)
        now, then = float(trust @ self.current_weight), float(trust @ self.baseline_weight)
        if self.kind == "sum":
            now, then = float(self.current_weight[0]), 1.0
        if current > 0 and baseline > 0 and now > 0 and then > 0:
            self.outside = (current / now) / (baseline / then)

    def gaps(self) -> tuple[Floats, Floats]:
        """Return each measured leaf's distance from what is expected, in units of its scatter, and its weight.

        No leaf counts as further off than a few units, and leaves of a found segment scatter as that segment does.
        """
        known = self.noise < np.inf
        width = np.sqrt(np.where(known, self.noise, 1.0))
        raw = (self.current - self.outside * self.baseline * self.lift) / (width * np.maximum(self.lift, 1.0))
        gap = np.where(known, np.clip(raw / self.slack, -FAR, FAR), 0.0)
        return gap, np.where(known, self.baseline / (width * self.slack), 0.0)

    def leaf_expected(self) -> Floats:
        """Return each leaf's share of its numerators that is expected now (sums), or its lifted weight (rates)."""
        if self.kind == "sum":
            odds = self.outside * self.current_weight * self.lift
            return self.trust * (self.current + self.baseline) * odds / (1 + odds)
        return self.trust * self.current_weight * self.lift


def _scatter(gap: Floats, chance: Floats, median: float) -> float:
    """Return the relative scatter at which the median of squared gaps over their variances is what it should be."""
    low, high = 0.0, 2.0
    for _ in range(24):
        middle = (low + high) / 2
        too_small = np.median(gap / (chance + (middle * chance) ** 2)) > median
        low, high = (middle, high) if too_small else (low, middle)
    return high if high > 0.005 else 0.0


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


@dataclass
class Scores:
    """All segments' numbers at one stage of the search.

    Attributes
    ----------
    observed, expected, total : ndarray, shape (segments,)
        Current numerators, those expected from the rest, and those of both periods.
    score : ndarray
        The log likelihood ratio, less what sway makes of it and the price of the segment's kind; -inf where it moves
        the other way.
    plain : ndarray
        By what the segments that are no chance are ordered: the same with nothing taken off for sway; where sway is
        known, the evidence inside alone, held against the pace of the rest.
    ratio : ndarray
        The score without the price.
    """

    observed: Floats
    expected: Floats
    total: Floats
    score: Floats
    plain: Floats
    ratio: Floats


class Board:
    """Scores every segment against a state, and against draws in which nothing changed."""

    def __init__(  # noqa: PLR0917
        self, state: State, adder: Adder, price: Floats, squares: Floats | None, sign: int, clumps: Clumps | None
    ) -> None:
        self.state, self.adder, self.price, self.sign, self.clumps = state, adder, price, sign, clumps
        self.sway, self.seen = 0.0, np.inf
        self.squares = squares
        self.grain: Floats | float = 1.0
        self.whole_grain = 1.0
        self.weigh()

    def weigh(self) -> None:
        """Add up by segment what does not change while segments are set aside."""
        state, adder, squares = self.state, self.adder, self.squares
        if state.kind == "measured":
            return
        trust = state.trust
        self.now, self.then = adder.one(trust * state.current), adder.one(trust * state.baseline)
        self.then_weight = adder.one(trust * state.baseline_weight)
        self.all_weight = float(trust @ state.baseline_weight)
        self.all_now, self.all_then = float(trust @ state.current), float(trust @ state.baseline)
        both = self.now + self.then
        if squares is not None:
            self.grain = np.divide(adder.one(squares), both, out=np.ones_like(both), where=both > 0)
            self.whole_grain = float(squares.sum() / max(self.all_now + self.all_then, _TINY))

    def scores(self) -> Scores:
        """Return the scores under the present state."""
        state = self.state
        if state.kind == "measured":
            gaps, weight = state.gaps()
            gap, information = self.adder.one(weight * gaps), self.adder.one(weight**2)
            ratio = np.divide(gap**2, 2 * information, out=np.zeros_like(gap), where=information > 0)
            observed = self.adder.one(state.current)
            expected = self.adder.one(state.outside * state.baseline * state.lift)
            way = np.sign(gap)
            return self._made(observed, expected, expected, ratio, way)
        observed, total, expected, whole = self._expected()
        ratio = self._ratio(observed, expected, total, whole, self.grain, self.whole_grain)
        plain = ratio
        if self.sway:
            ratio = ratio / (1 + self.sway**2 * self._information(observed, expected, total, whole))
            if self.seen < np.inf:
                apart = self._apart(observed, expected, total, whole)
                plain = observed / self.grain * (apart - 1 + np.exp(-apart))
        return self._made(observed, expected, total, ratio, np.sign(observed - expected), plain)

    def _made(  # noqa: PLR0917
        self, observed: Floats, expected: Floats, total: Floats, ratio: Floats, way: Floats,
        plain: Floats | None = None,
    ) -> Scores:  # fmt: skip
        score = ratio - self.price
        if self.sign:
            score = np.where(way == self.sign, score, -np.inf)
        lead = score if plain is None else np.where(np.isfinite(score), plain - self.price, -np.inf)
        return Scores(observed, expected, total, score, lead, ratio)

    def _expected(self) -> tuple[Floats, Floats, Floats, tuple[float, float, float]]:
        state = self.state
        whole = self.all_now + self.all_then
        if state.kind == "sum":
            leaf = state.leaf_expected()
            return self.now, self.now + self.then, self.adder.one(leaf), (self.all_now, float(leaf.sum()), whole)
        lifted = state.leaf_expected()
        odds = state.outside * self.adder.one(lifted) / (self.then_weight + PRIOR)
        total = self.now + self.then + PRIOR
        everywhere = state.outside * float(lifted.sum()) / max(self.all_weight, _TINY)
        return self.now, total, total * odds / (1 + odds), (self.all_now, whole * everywhere / (1 + everywhere), whole)

    def _information(
        self, observed: Floats, expected: Floats, total: Floats, whole: tuple[float, float, float]
    ) -> Floats:
        """Return how many events of each segment sway: those expected, those there are, or those ever seen.

        A change of nearly everything lifts what is expected of every segment; but the rest then holds few events, and
        the history tells nothing of how so many more than usual would sway.
        """
        usual = expected * (total - expected) / np.maximum(total, _TINY)
        rest, rest_total = whole[0] - observed, whole[2] - total
        parts = (observed, total - observed, rest, rest_total - rest)
        there = 1 / sum(1 / np.maximum(part, 0.5) for part in parts)
        return np.minimum(np.minimum(usual, there) / self.grain, self.seen)

    @staticmethod
    def _apart(observed: Floats, expected: Floats, total: Floats, whole: tuple[float, float, float]) -> Floats:
        """Return the log of how much more each segment moved than the rest."""

        def moved(now: Floats, usual: Floats, both: Floats) -> Floats:
            rise = np.log(np.maximum(now, 0.5) / np.maximum(usual, _TINY))
            return np.asarray(rise - np.log(np.maximum(both - now, 0.5) / np.maximum(both - usual, _TINY)))

        inside, rest = moved(observed, expected, total), whole[1] - expected
        return inside - moved(whole[0] - observed, rest, whole[2] - total)

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

    def usual_sway(self) -> float:
        """Return by what share of its size a segment moves on its own beyond chance: from the values of each dimension.

        It is such that the median segment lies where it should, less the doubt about a median of so few.
        """
        observed, total, expected, _ = self._expected()
        chance = expected * (total - expected) / np.maximum(total, _TINY) / self.grain
        gap = ((observed - expected) / self.grain) ** 2
        wide = np.concatenate([np.full(len(one.values), len(one.dims)) for one in self.adder.cuboids])
        usable = (chance >= ENOUGH) & (wide == 1)
        if np.count_nonzero(usable) < _SEGMENTS:
            usable = (chance >= ENOUGH) & (wide <= 2)
        count = int(np.count_nonzero(usable))
        if count < _LEAVES:
            return 0.0
        return _scatter(gap[usable], chance[usable], _CHI_MEDIAN / max(0.05, 1 - 2.33 / np.sqrt(count)))

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
            gaps, weight = state.gaps()
            held = self.adder.one(weight**2)
            best = np.full(draws, -np.inf)
            for part, sums in self.adder.many(flipped(rng, weight * np.clip(gaps, -TAME, TAME), draws)):
                information = np.maximum(held[part], _TINY)[:, None]
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
        odds = float(state.current.sum()) / max(float(state.baseline.sum()), _TINY)
        moved = odds * scattered(rng, state.scatter, len(both), draws)
        drawn = swapped(rng, both, moved / (1 + moved), draws, self.clumps) * state.trust[:, None]
        whole = self.all_now + self.all_then
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
        everything = float(state.current.sum() + state.baseline.sum())
        lifted = rise * state.current_weight[:, None] * scattered(rng, state.scatter, len(state.current), draws)
        current, baseline, squares = dealt(rng, lifted, state.baseline_weight, everything, draws, self.clumps)
        current, baseline = current * state.trust[:, None], baseline * state.trust[:, None]
        now, then = current.sum(axis=0), baseline.sum(axis=0)
        weight_now, weight_then = float(state.trust @ state.current_weight), self.all_weight
        with np.errstate(divide="ignore", invalid="ignore"):
            outside = np.where((now > 0) & (then > 0), (now / weight_now) / (then / weight_then), rise)
        slope = self.adder.one(state.trust * state.current_weight) / (self.then_weight + PRIOR)
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
