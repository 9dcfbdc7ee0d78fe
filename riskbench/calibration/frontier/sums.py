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
        own, bulk = self.loss, self.volume
        self.lost = self._running(own[:, None] * self.keep)
        self.approved = self._running(bulk[:, None] * self.lets)
        self.lost_squares = self._running(own[:, None] ** 2 * self.keep**2)
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
        rate = self.lost / self.total
        variance = self.lost_squares - 2 * rate * self.crossed + rate**2 * self.squares
        few = self.lost**2 / np.maximum(self.lost_squares, 1e-300)
        return _logged(rate, np.maximum(variance, 0.0) * max(1.0, design) * self.late / self.total**2, few)

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
        rate, rest = lost / self.total, own - lost / self.total * self.volume
        clumps = np.bincount(self.customer, weights=rest)
        paid = np.bincount(self.customer, weights=bulk)
        sums = np.bincount(self.customer, weights=own)
        few = sums.sum() ** 2 / max(float((sums**2).sum()), 1e-300)
        value, low, high = _logged(
            np.array([rate]), np.array([self.late * (clumps**2).sum() / self.total**2]), np.array([few])
        )
        half = Z95 * float(np.sqrt((paid**2).sum()))
        frauds = int(np.count_nonzero(own > 0))
        if not frauds:
            known = self.loss[self.loss > 0]
            value, low = np.zeros(1), np.zeros(1)
            high = np.array([3.0 * known.mean() / self.total * BPS if len(known) else np.nan])
        gap = self._gap(levels, lost, approved) if against else (None, None, None)
        return Place(
            float(value[0]), float(low[0]), None if np.isnan(high[0]) else float(high[0]),
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


def _logged(rate: Floats, variance: Floats, few: Floats) -> tuple[Floats, Floats, Floats]:
    """Return a rate in basis points with its interval on the scale of logarithms, Student's for few frauds."""
    from scipy.special import stdtrit

    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance) / rate
        width = stdtrit(np.maximum(few, 2.0), 0.975) * error
        low, high = rate * np.exp(-width), rate * np.exp(width)
    nothing = rate <= 0
    return (
        BPS * rate,
        BPS * np.where(nothing, 0.0, low),
        BPS * np.where(nothing, np.nan, np.minimum(high, 1e6)),
    )


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
