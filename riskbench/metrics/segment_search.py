"""The greedy search: the strongest segment is set aside with a factor of its own, and the search begins again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95, wilson
from riskbench.metrics.segment_null import chance, least_score
from riskbench.metrics.segment_score import FAR, PRIOR, Board, Scores
from riskbench.metrics.segment_space import Floats, Leaves

#: A segment whose score is below this share of the first one's is no part of the explanation: for counts, which also
#: sway for reasons that no model of chance holds, and for measurements, whose scatter is seen leaf by leaf.
FAINT, FAINT_MEASURED = 0.5, 0.01
#: Of a further segment at least this share lies outside of what was found before, where sway is known.
FRESH = 0.5
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


class Search:
    """The greedy search: the best segment is set aside, and the search begins again."""

    def __init__(self, board: Board, held: Leaves, most: int, level: float) -> None:
        self.board, self.held, self.most, self.level = board, held, most, level
        self.maxima, self.enough = np.zeros(0), np.inf
        self.in_turn = bool(np.isfinite(board.seen))
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
        self.maxima, self.enough = maxima, least_score(self.level, maxima)
        if not self.board.adder.segments:
            return
        chosen: list[int] = []
        first, faint = 0.0, FAINT_MEASURED if self.board.state.kind == "measured" else FAINT
        while len(chosen) < self.most:
            scores = self.board.scores()
            place = self._lead(scores)
            if self.best is None:
                self.best = chance(float(scores.score.max()), self.maxima)
            if place is None or scores.plain[place] < faint * first or place in chosen:
                break
            first = first or float(scores.plain[place])
            place = self._shortest(self._plain(place, chosen))
            if place in chosen:
                break
            chosen.append(place)
            self._lift(chosen)
        if len(chosen) > 1 and not self.in_turn:
            chosen = self._improved(chosen)
        self.kept = [(place, self._p_without(self._aside(chosen, place), place)) for place in chosen]
        self.kept = [(place, p) for place, p in self.kept if p <= self.level]
        self._lift([place for place, _ in self.kept])

    def _lead(self, scores: Scores) -> int | None:
        """Return the segment that explains most, of those that chance and sway do not."""
        clear = scores.score >= self.enough
        if self.in_turn and not self.board.state.free.all():  # a slice of what is told already is no second cause
            state = self.board.state
            clear &= self.board.adder.one(state.current * state.free) >= FRESH * self.board.adder.one(state.current)
        return int(np.where(clear, scores.plain, -np.inf).argmax()) if clear.any() else None

    def _improved(self, chosen: list[int]) -> list[int]:
        for turn in range(len(chosen)):
            others = chosen[:turn] + chosen[turn + 1 :]
            self._lift(others)
            scores = self.board.scores()
            lead = self._lead(scores)
            place = self._shortest(self._plain(int(scores.score.argmax()) if lead is None else lead, others))
            if place not in others:
                chosen = [*chosen[:turn], place, *chosen[turn + 1 :]]
        self._lift(chosen)
        return chosen

    def _aside(self, chosen: list[int], place: int) -> list[int]:
        """Return what is set aside while one is judged: those found before it where sway is known, else all others."""
        return chosen[: chosen.index(place)] if self.in_turn else [other for other in chosen if other != place]

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
            place = max(wider, key=lambda one: float(scores.plain[one]))
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
        self._lift(self._aside([other for other, _ in self.kept], place), apart=place)
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
            scattered = state.scatter**2 * float((state.current[mask] ** 2).sum())
            deviation = float(np.sqrt(chance + scattered + (board.sway * expected) ** 2))
            grain *= (chance + scattered + (board.sway * observed) ** 2) / chance if chance > 0 else 1.0
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
