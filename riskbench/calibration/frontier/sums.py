"""What does every cut lose, and how much does it let through? Exact running sums with intervals on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.calibration.study import Study
from riskbench.metrics.curve import reached
from riskbench.metrics.growth.matched import spread
from riskbench.metrics.intervals import Z95
from riskbench.metrics.money import Parts, money_reach

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Basis points in a whole.
BPS = 1e4
#: The slope of the frontier is read over so much of the volume to either side.
_NEAR = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """One point: what it loses and lets through, each with a 95 % interval, and how far it lies above the frontier.

    Attributes
    ----------
    loss_bps, loss_lower, loss_upper : float or None
        Loss in basis points of the volume.
    approved, approved_lower, approved_upper : float
        Volume let through, in minor units.
    share : float
        The same as a share of the volume.
    gap, gap_lower, gap_upper : float or None
        Basis points lost more than the frontier loses at the same approved volume.
    frauds : int
        Known frauds of which some is lost.
    """

    loss_bps: float | None
    loss_lower: float | None
    loss_upper: float | None
    approved: float
    approved_lower: float
    approved_upper: float
    share: float
    gap: float | None = None
    gap_lower: float | None = None
    gap_upper: float | None = None
    frauds: int = 0


class Ground:
    """The sums of some events at every cut.

    Parameters
    ----------
    study : Study
        What is cut.
    rows : ndarray of int64
        The events.
    loss : ndarray of float64, shape (all events,)
        What each event loses when it passes, in minor units, weighted for late labels and stopped events.
    volume : ndarray of float64, shape (all events,)
        What each event adds to the volume, in minor units.
    customer : ndarray of int64, shape (all events,)
        Whose it is.
    late : float
        How many times more the loss varies since the verdicts to come are only estimated.
    """

    def __init__(
        self, study: Study, rows: Ints, *, loss: Floats, volume: Floats, customer: Ints, late: float = 1.0
    ) -> None:
        self.late = late
        rungs, sweep = study.steps.rungs, study.sweep
        self.keep = np.array([1.0 - study.costs.fraud_gain(rung.effect) for rung in rungs])
        self.lets = np.array([rung.effect in ("none", "friction") for rung in rungs], dtype=np.float64)
        self.rows, self.loss, self.volume = rows, loss[rows], volume[rows]
        self.customer = np.unique(customer[rows], return_inverse=True)[1].astype(np.int64)
        self.total = float(self.volume.sum())
        self.base, self.hit = sweep.base[rows], sweep.hit[rows]
        table = study.table(rows)
        self.cuts = table.cuts
        place = reached(table, sweep.value[rows])
        place[sweep.never[rows]] = table.points
        place[sweep.always[rows]] = 0
        self.place, self.points = place, table.points
        self.fraud = np.flatnonzero(self.loss > 0)
        let = None if study.standing is None else study.standing.let
        self.drawn = np.zeros(len(rows), dtype=bool) if let is None else (let.drawn & (let.weight > 1))[rows]
        stands = np.ones(len(rows)) if study.weight is None else np.maximum(study.weight[rows], 1.0)
        self.usual = _usual(self.loss, stands, self.drawn)
        own, bulk = self.loss, self.volume
        self.lost = self._running(own[:, None] * self.keep)
        self.approved = self._running(bulk[:, None] * self.lets)
        self.crossed = self._running((own * bulk)[:, None] * self.keep)
        self.approved_squares = self._running(bulk[:, None] ** 2 * self.lets)
        self.squares = float((bulk**2).sum())

    def _running(self, by_level: Floats) -> Floats:
        """Return the sum over events at every point, each event at the level that the point gives it."""
        each = np.arange(len(by_level))
        before, after = by_level[each, self.base], by_level[each, self.hit]
        steps = np.bincount(self.place, weights=after - before, minlength=self.points + 1)
        return before.sum() + np.cumsum(steps[: self.points])

    def levels(self, point: int) -> npt.NDArray[np.int8]:
        """Return each event's ladder level at a point."""
        return np.where(self.place <= point, self.hit, self.base).astype(np.int8)

    def beaten(self) -> Mask:
        """Return the points that another one beats: it loses no more and lets no less through, one of them better."""
        order = np.lexsort((self.lost, -self.approved))
        lost, approved = self.lost[order], self.approved[order]
        start = np.searchsorted(-approved, -approved, side="left")
        best = np.concatenate([[np.inf], np.minimum.accumulate(lost)])
        out = np.zeros(self.points, dtype=bool)
        out[order] = (best[start] <= lost) | (lost[start] < lost)
        return out

    def ends(self, design: float = 1.0) -> tuple[Floats, Floats, Floats]:
        """Return the loss in basis points at every point with its interval; `design` is how customers clump."""
        own, rungs = self.loss[self.fraud], len(self.keep)
        codes = 2 * np.arange(rungs)[None, :] + self.drawn[self.fraud][:, None]
        before, after = (codes[np.arange(len(own)), levels[self.fraud]] for levels in (self.base, self.hit))
        place, width = self.place[self.fraud], 2 * rungs
        held: list[Floats] = []
        for power in range(3):
            value = own**power
            start = np.bincount(before, weights=value, minlength=width).astype(np.float64)
            moves = np.zeros((self.points + 1) * width)
            for code, sign in ((before, -1.0), (after, 1.0)):
                moves += sign * np.bincount(place * width + code, weights=value, minlength=len(moves))
            held.append(start + np.cumsum(moves.reshape(-1, width)[: self.points], axis=0))
        return self._told(self.lost, self.crossed, held, max(1.0, design))

    def _told(
        self, lost: Floats, crossed: Floats, held: Sequence[Floats], design: float
    ) -> tuple[Floats, Floats, Floats]:
        """Return losses in basis points with their intervals, from how many frauds, of which size, pass at each level.

        Few large frauds decide what is lost, most of all where each stands for some that were stopped.
        """
        keep, (one, two) = np.repeat(self.keep, 2), self.usual
        usual, usual_square = np.tile(one, len(self.keep)), np.tile(two, len(self.keep))
        open_ = (keep > 0) & (usual > 0)
        count, size, squares = (np.maximum(part, 0.0) * open_ for part in held)
        parts = Parts(
            count,
            size * keep,
            squares * keep**2,
            usual * keep * open_,
            usual_square * keep**2 * open_,
            np.ones(len(keep)),
        )
        down, up = money_reach(parts, together=design * self.late)
        rate = lost / self.total
        # The volume comes by chance too; that the frauds are part of it takes off more than it adds.
        rest = Z95**2 * np.maximum(rate**2 * self.squares - 2 * rate * crossed, 0.0)
        low = np.maximum(rate - np.sqrt(down**2 + rest) / self.total, 0.0)
        high = np.minimum(rate + np.sqrt(up**2 + rest) / self.total, 1e6 / BPS)
        nothing = lost <= 0
        return BPS * rate, BPS * np.where(nothing, 0.0, low), BPS * np.where(nothing, np.nan, high)

    def design(self, levels: npt.NDArray[np.int8]) -> float:
        """Return how many times more the loss varies by customers than by single events."""
        own = self.loss * self.keep[levels]
        rate = own.sum() / self.total
        rest = own - rate * self.volume
        plain = float((rest**2).sum())
        clumped = float((np.bincount(self.customer, weights=rest) ** 2).sum())
        return clumped / plain if plain > 0 else 1.0

    def at(self, levels: npt.NDArray[np.int8], *, against: bool = True) -> Place:
        """Return what some decisions lose and let through, and how far they lie above the frontier."""
        own, bulk = self.loss * self.keep[levels], self.volume * self.lets[levels]
        lost, approved = float(own.sum()), float(bulk.sum())
        paid = np.bincount(self.customer, weights=bulk)
        code = 2 * levels[self.fraud].astype(np.intp) + self.drawn[self.fraud]
        held = [
            np.bincount(code, weights=self.loss[self.fraud] ** power, minlength=2 * len(self.keep)).astype(np.float64)
            for power in range(3)
        ]
        crossed = np.array([float((own * self.volume).sum())])
        value, low, high = self._told(np.array([lost]), crossed, held, max(1.0, self.design(levels)))
        half = Z95 * float(np.sqrt((paid**2).sum()))
        frauds = int(np.count_nonzero(own > 0))
        if not frauds:
            known = self.loss[self.loss > 0]
            # Where no fraud is known at all, nobody knows how large one would be.
            value = low = np.zeros(1) if len(known) else np.full(1, np.nan)
            high = np.array([3.0 * known.mean() / self.total * BPS if len(known) else np.nan])
        gap = self._gap(levels, lost, approved) if against and len(self.fraud) else (None, None, None)
        ends = [None if np.isnan(end[0]) else float(end[0]) for end in (value, low, high)]
        return Place(
            ends[0], ends[1], ends[2],
            approved, max(0.0, approved - half), approved + half, approved / self.total, *gap, frauds,
        )  # fmt: skip

    def _gap(
        self, levels: npt.NDArray[np.int8], lost: float, approved: float
    ) -> tuple[float | None, float | None, float | None]:
        """Return the basis points lost more than the frontier loses at the same approved volume, with its interval.

        Between two cuts the frontier is what a lot between them loses. Only events that are decided otherwise count;
        what the approved volume owes to chance is taken along the frontier's slope.
        """
        firm = np.lexsort((self.lost, self.approved))
        firm = firm[np.unique(self.approved[firm], return_index=True)[1]]
        bulk, losses = self.approved[firm], self.lost[firm]
        slack = 1e-9 * max(1.0, self.total)
        if approved > bulk[-1] + slack or not self.total:
            return None, None, None
        right = min(int(np.searchsorted(bulk, approved - slack, side="left")), len(firm) - 1)
        left = max(right - 1, 0) if bulk[right] > approved + slack else right
        width = bulk[right] - bulk[left]
        part = float(np.clip((approved - bulk[left]) / width, 0.0, 1.0)) if width > 0 else 1.0
        best = losses[left] + part * (losses[right] - losses[left])
        near = np.flatnonzero(np.abs(bulk - approved) <= _NEAR * self.total)
        far = np.union1d(near, [max(left - 1, 0), min(right + 1, len(firm) - 1)])
        run = bulk[far[-1]] - bulk[far[0]]
        slope = float((losses[far[-1]] - losses[far[0]]) / run) if run > 0 else 0.0
        two = [self.levels(int(firm[place])) for place in (left, right)]
        kept = (1 - part) * self.keep[two[0]] + part * self.keep[two[1]]
        let = (1 - part) * self.lets[two[0]] + part * self.lets[two[1]]
        more = self.loss * (self.keep[levels] - kept)
        moved = more - slope * self.volume * (self.lets[levels] - let)
        gap = (lost - best) / self.total
        pull = moved - gap * self.volume
        half = spread(np.bincount(self.customer, weights=pull).astype(np.float64)) * np.sqrt(self.late) / self.total
        if not moved.any():
            return 0.0, 0.0, 0.0
        return gap * BPS, (gap - half) * BPS, (gap + half) * BPS


def _usual(loss: Floats, stands: Floats, drawn: Mask) -> tuple[Floats, Floats]:
    """Return the mean loss of a fraud and its mean square, of those that stand for themselves and of those let through.

    All frauds say how large one is, once what each stands for is taken off.
    """
    fraud = loss > 0
    if not fraud.any():
        return np.zeros(2), np.zeros(2)
    own, each = stands[fraud], loss[fraud] / stands[fraud]
    groups = (own[~drawn[fraud]], stands[drawn])
    one, two = (
        float((own * each**power).sum() / own.sum()) * np.array([_mean(group**power) for group in groups])
        for power in (1, 2)
    )
    return one, two


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def thinned(ground: Ground, keep: Sequence[int], *, most: int = 1_000) -> npt.NDArray[np.intp]:
    """Return at most so many points, spread evenly over the approved volume, and every point of `keep`."""
    if ground.points <= most:
        return np.arange(ground.points)
    aims = np.linspace(ground.approved.min(), ground.approved.max(), most)
    line = np.maximum.accumulate(-ground.approved)
    held = np.searchsorted(line, -aims[::-1], side="left")
    return np.unique(np.concatenate([np.clip(held, 0, ground.points - 1), [0, ground.points - 1, *keep]])).astype(
        np.intp
    )
