"""The tables of what equal rates cost: ways, groups and the frontier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.capacity.mixed import limits_at
from riskbench.calibration.curve import Curve, Rated, violation
from riskbench.calibration.fairness.equal import (
    FEW,
    PARTS,
    Common,
    Equal,
    Rate,
    equalised,
    gap,
    rate_ends,
    rates_at,
)
from riskbench.calibration.pooled.choice import together
from riskbench.calibration.pooled.curves import Rows
from riskbench.calibration.pooled.prices import Prices, prices
from riskbench.calibration.study import Study
from riskbench.data.windows import Window
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Everything that a price of equal rates is read off.

    Attributes
    ----------
    study : Study
        The events, priced.
    names : tuple of str
        The groups.
    drawn, after : list of Curve
        Each group's curve on the window to choose on, and on the one that is judged on.
    later, earlier : list of ndarray of int
        Each group's events of the judged window, and of the one before where that is another.
    told : ndarray of bool, shape (groups,)
        Groups with enough events on both.
    cut, target, tolerance : float
        The common cut, the rate of all events at it, and how far from it is near enough.
    rate : str
        Which rate.
    judged : Window
        The window that is judged on.
    """

    study: Study
    names: tuple[str, ...]
    drawn: list[Curve]
    after: list[Curve]
    later: list[Rows]
    earlier: list[Rows]
    told: Mask
    cut: float
    target: float
    tolerance: float
    rate: Rate
    judged: Window

    def equal(self, bounds: tuple[float, float], *, share: float = 1.0) -> Equal:
        """Return the cuts that bring groups to the target, or a share of the way; unmeasured ones keep the common."""
        made = equalised(
            self.drawn, self.cut, self.target, self.rate, tolerance=self.tolerance, bounds=bounds, share=share
        )
        readings = [word if told else FEW for word, told in zip(made.readings, self.told, strict=True)]
        return Equal(np.where(self.told, made.cuts, self.cut), tuple(readings), made.target)

    def gap(self, drawn: Sequence[Curve], cuts: Floats) -> float:
        """Return the gap at some cuts."""
        return gap(rates_at(drawn, cuts, self.rate), self.told)

    def lost(self, cuts: Floats) -> Prices:
        """Return what each group loses on the judged window if it leaves the common cut."""
        pairs = [(self.cut, float(own)) for own in cuts]
        return prices(self.study, self.later, self.earlier, pairs, self.judged)

    @property
    def chosen(self) -> list[Rows]:
        """Each group's events of the window that cuts were chosen on."""
        return self.earlier if any(len(part) for part in self.earlier) else self.later

    @property
    def weeks(self) -> float:
        """The length of the judged window, by which sums are divided."""
        return max(self.judged.length, 1e-9)


def options_frame(case: Case, equal: Equal, narrowed: float | None, constraints: Sequence[Constraint]) -> pd.DataFrame:
    """Return today's cut, cuts by group, and the cheapest common cut with half the gap."""
    size = len(case.drawn)
    ways: list[tuple[str, float, Floats | None]] = [
        ("today's common cut", case.cut, np.full(size, case.cut)),
        ("equal rates: cuts by group", math.nan, equal.cuts),
        ("one common cut with half the gap", math.nan, None),
    ]
    if narrowed is not None:
        ways[2] = (ways[2][0], narrowed, np.full(size, narrowed))
    lines: list[tuple[object, ...]] = []
    for word, single, cuts in ways:
        if cuts is None:
            lines.append((word, single, *([math.nan] * 5), None))
            continue
        cost = [part / case.weeks for part in case.lost(cuts).total()]
        own = [float(cut) for cut in cuts]
        held: Rated = together(case.drawn, own, limits=limits_at(case.study, case.chosen, own))
        keeps = bool(violation(held, constraints)[0] <= 0)
        lines.append((word, single, case.gap(case.drawn, cuts), case.gap(case.after, cuts), *cost, keeps))
    return pd.DataFrame(lines, columns="option cut gap gap_later cost lower upper keeps".split())


def groups_frame(case: Case, equal: Equal) -> pd.DataFrame:
    """Return each group's rate before and after on the judged window, and what its cut costs."""
    lost = case.lost(equal.cuts)
    lines = []
    for place, name in enumerate(case.names):
        known = bool(case.told[place])
        one, cut = case.after[place], float(equal.cuts[place])
        ends = [rate_ends(one, at, case.rate) if known else (math.nan,) * 3 for at in (case.cut, cut)]
        value, half = float(lost.gain[place]) / case.weeks, Z95 * math.sqrt(float(lost.variance[place])) / case.weeks
        counts = (float(one.total), float(one.total_goods))
        lines.append(
            (name, *(count if count >= 5 else math.nan for count in counts), *ends[0], cut if known else math.nan,
             *ends[1], value, value - half, value + half, equal.readings[place])
        )  # fmt: skip
    names = (
        "group events good_events before before_lower before_upper equal_cut after after_lower after_upper cost "
        "cost_lower cost_upper reading"
    )
    return pd.DataFrame(lines, columns=names.split())


def frontier_frame(case: Case, common: Common, bounds: tuple[float, float], *, length: float) -> pd.DataFrame:
    """Return what can be had: for common cuts the most net value at each gap, for cuts by group a step at a time."""
    weeks = max(length, 1e-9)
    lines = [("one cut for all", common.gaps[at], common.net[at] / weeks, common.cuts[at]) for at in outer(common)]
    for part in range(PARTS + 1):
        cuts = case.equal(bounds, share=part / PARTS).cuts
        net = float(together(case.drawn, [float(cut) for cut in cuts]).net[0])
        lines.append(("cuts by group", case.gap(case.drawn, cuts), net / weeks, math.nan))
    return pd.DataFrame(lines, columns=["way", "gap", "net", "cut"])


def outer(common: Common) -> npt.NDArray[np.intp]:
    """Return the cuts than which no other has both a smaller gap and more net value, the smallest gap first."""
    order = np.lexsort((-common.net, common.gaps))
    top = np.maximum.accumulate(common.net[order])
    new = np.concatenate([[True], top[1:] > top[:-1]]) if len(order) else np.zeros(0, dtype=bool)
    return np.asarray(order[new])
