"""What answers for any cut of a calibration at once: the exact curve, and the events behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from riskbench.calibration.curve import COLUMNS, REASONS, Counted, Curve, Rated, Today, reasons
from riskbench.calibration.study import Study
from riskbench.engine.sums import cell_counts, cell_squares, cell_sums
from riskbench.errors import ParameterError
from riskbench.metrics.constraints import RATES, Constraint
from riskbench.metrics.curve import CLASSES, FRAUD, GOOD, in_steps, of_steps, reached
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Counts(Rated):
    """What some events come to at one cut, segment by segment; a whole window is one segment.

    Attributes
    ----------
    alerts, frauds, goods, insults, reviews, approved : ndarray of int64, shape (segments,)
        As in a curve.
    net, spread : ndarray of float64, shape (segments,)
        Net value in major units, and its variance.
    total, total_frauds, total_goods : ndarray of int64, shape (segments,)
        How many events there are, and how many are labelled fraud and good.
    """

    alerts: Ints
    frauds: Counted
    goods: Counted
    insults: Counted
    reviews: Ints
    approved: Ints
    net: Floats
    spread: Floats
    total: Ints  # type: ignore[assignment]
    total_frauds: Counted  # type: ignore[assignment]
    total_goods: Counted  # type: ignore[assignment]
    squared: dict[str, Floats] | None = None

    @classmethod
    def of_curve(cls, drawn: Curve, at: int) -> Counts:
        """Return one point of a curve."""
        counts = (drawn.alerts, drawn.frauds, drawn.goods, drawn.insults, drawn.reviews, drawn.approved)
        alerts, frauds, goods, insults, reviews, approved = (part[at : at + 1] for part in counts)
        totals = (drawn.total, drawn.total_frauds, drawn.total_goods)
        net, spread = drawn.net[at : at + 1], drawn.spread[at : at + 1]
        every, fraud, good = (np.array([total]) for total in totals)
        squared = None if drawn.squared is None else {name: part[at : at + 1] for name, part in drawn.squared.items()}
        return cls(alerts, frauds, goods, insults, reviews, approved, net, spread, every, fraud, good, squared)

    @classmethod
    def of_cells(
        cls, study: Study, counts: Ints, money: Ints, squares: Floats, stands: tuple[Floats, Floats] | None = None
    ) -> Counts:
        """Return what counts and money by segment, class and ladder level come to.

        `stands` is what the events of each cell stand for, and its squares; one each where there is none.
        """
        effects = [rung.effect for rung in study.steps.rungs]
        alert = np.arange(len(effects)) > 0
        review = np.array([effect == "review" for effect in effects])
        hard = np.array([effect in ("review", "stop") for effect in effects])
        price = study.price()
        told = counts if stands is None else stands[0]
        squared = None
        if stands is not None:
            own = stands[1]
            squared = {
                "frauds": own[:, FRAUD, alert].sum(axis=-1),
                "goods": own[:, GOOD, alert].sum(axis=-1),
                "missed": own[:, FRAUD, ~alert].sum(axis=-1),
                "insults": own[:, GOOD, hard].sum(axis=-1),
                "spared": own[:, GOOD, ~hard].sum(axis=-1),
            }
        return cls(
            counts[..., alert].sum(axis=(-2, -1)),
            told[:, FRAUD, alert].sum(axis=-1),
            told[:, GOOD, alert].sum(axis=-1),
            told[:, GOOD, hard].sum(axis=-1),
            counts[..., review].sum(axis=(-2, -1)),
            counts[..., ~hard].sum(axis=(-2, -1)),
            np.asarray(price.worth(counts, money), dtype=np.float64).reshape(len(counts)),
            np.asarray(price.second(counts, money, squares), dtype=np.float64).reshape(len(counts)),
            counts.sum(axis=(-2, -1)),
            told[:, FRAUD].sum(axis=-1),
            told[:, GOOD].sum(axis=-1),
            squared,
        )


@dataclass(frozen=True, eq=False)
class Reader:
    """What answers for any cut of a calibration.

    Attributes
    ----------
    study : Study
        The events, priced.
    drawn : Curve
        The exact curve on the window that the cut was chosen on.
    today : Today
        Where the book stands today on it.
    before : ndarray of int8, shape (rows,)
        Each event's ladder level today.
    constraints : tuple of Constraint
        What the proposed cut keeps to.
    codes : ndarray of int, shape (rows,), or None
        Each event's segment.
    names : sequence of str
        The segments' names.
    chosen : float
        The proposed cut.
    """

    study: Study
    drawn: Curve
    today: Today
    before: Small
    constraints: tuple[Constraint, ...]
    codes: npt.NDArray[np.int32] | None
    names: Sequence[str]
    chosen: float

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest cut that can be read: the rule book's bounds, and the block cut."""
        sweep, block = self.study.sweep, self.study.block
        low = -math.inf if sweep.minimum is None else sweep.minimum
        high = math.inf if sweep.maximum is None else sweep.maximum
        return low, high if block is None else min(high, block)

    def checked(self, cut: object) -> float:
        """Return a cut that can be read and applied.

        Raises
        ------
        ParameterError
            When it is no number, lies outside the rule book's bounds or beyond the block cut, or between two settings
            of a grid.
        """
        sweep, cuts = self.study.sweep, self.drawn.table.cuts
        if isinstance(cut, bool | np.bool_) or not isinstance(cut, int | float | np.integer | np.floating):
            raise ParameterError(f"A cut of {sweep.name} is a number", got=repr(cut)[:80])
        held, nobody = float(cut), float(cuts[0])
        if math.isnan(held) or (math.isinf(held) and held != nobody):
            end = f", or {nobody:g} to hit nobody" if math.isinf(nobody) else ""
            raise ParameterError(f"A cut of {sweep.name} is a number", got=f"{held:g}", allowed=f"a number{end}")
        if held == nobody:
            return held
        if self.study.block is not None and held > self.study.block:
            raise ParameterError(
                "Review starts at or below the block cut", got=f"{held:g}", allowed=f"at most {self.study.block:g}"
            )
        low, high = self.bounds
        if not low <= held <= high:
            raise ParameterError(
                f"A cut of {sweep.name} lies within the bounds that the rule book sets",
                got=f"{held:g}",
                allowed=f"{low:g} to {high:g}",
            )
        if sweep.gridded and held not in cuts:
            finite = cuts[np.isfinite(cuts)]
            raise ParameterError(
                f"{sweep.name} was evaluated at the settings of a grid: cuts between two of them are not told apart",
                got=f"{held:g}",
                hint=f"the nearest setting is {finite[np.argmin(np.abs(finite - held))]:g}" if len(finite) else None,
            )
        return held

    def stops(self, most: int, *, keep: Sequence[float] = ()) -> Floats:
        """Return at most `most` distinct cuts, lowest first, spread so that each step matters.

        Half are spread evenly over the points of the curve, half over their logarithm, so that the strict end, where
        cuts are chosen, stays fine. Every cut of `keep` that can be read is among them.
        """
        cuts, (low, high) = self.drawn.table.cuts, self.bounds
        within = (cuts >= low) & (cuts <= high)
        within[0] = True
        held = np.flatnonzero(within)
        own = [cut for cut in keep if not math.isnan(cut) and (low <= cut <= high or cut == cuts[0])]
        room = max(2, most - len(own))
        if len(held) > room:
            evenly = np.linspace(0, len(held) - 1, room - room // 2).astype(np.intp)
            fine = np.geomspace(1, len(held) - 1, room // 2).astype(np.intp)
            held = held[np.unique(np.concatenate([evenly, fine]))]
        return np.unique(np.concatenate([cuts[held], np.asarray(own, dtype=np.float64)]))

    def row(self, cut: float) -> dict[str, float]:
        """Return one row of the exact curve, without working out the others."""
        drawn, today = self.drawn, self.today
        at = drawn.table.point(cut)
        counts = Counts.of_curve(drawn, at)
        half, apart = Z95 * math.sqrt(drawn.spread[at]), float(today.apart[at])
        net = float(drawn.net[at])
        added, paired = (net - today.net if apart > 0 else 0.0), Z95 * math.sqrt(apart)
        held = {
            "threshold": cut,
            "alerts": int(drawn.alerts[at]),
            "frauds": drawn.frauds[at].item(),
            "unlabelled": int(drawn.unlabelled[at]),
            **{name: int(count[at]) for name, count in zip(REASONS, reasons(drawn.table), strict=True)},
            **{str(name): float(counts.rate(name)[0]) for name in RATES},
            "value_caught": float(drawn.caught[at]),
            "net_value": net,
            "lower": net - half,
            "upper": net + half,
            "loss_prevented": float(drawn.saved[at]),
            "added_alerts": int(drawn.alerts[at]) - today.alerts,
            "added_frauds": drawn.frauds[at].item() - today.frauds,
            "added_net_value": added,
            "added_lower": added - paired,
            "added_upper": added + paired,
        }
        return {name: held[name] for name in COLUMNS}

    def counts(self, cut: float) -> Counts:
        """Return what the whole window comes to at a cut."""
        return Counts.of_curve(self.drawn, self.drawn.table.point(cut))

    @cached_property
    def proposed(self) -> tuple[Counts, dict[str, float]]:
        """What the whole window comes to at the proposed cut, and its row of the curve."""
        return self.counts(self.chosen), self.row(self.chosen)

    @cached_property
    def now(self) -> tuple[Counts, float]:
        """Return what the whole window comes to today, and the value of the frauds that are alerted today."""
        study, window = self.study, self.study.windows.choose
        blocks = np.zeros(int(np.count_nonzero(window.mask)), dtype=np.int64)
        whole = replace(window, blocks=blocks)
        counts = Counts.of_cells(study, *study.weekly(self.before, whole), study.weekly_weights(self.before, whole))
        if not study.worth.money:
            return counts, math.nan
        known = window.mask & (study.kinds == FRAUD) & (self.before > 0)
        return counts, int(study.value[known].sum()) / study.scale

    def by_segment(self, cut: float) -> Counts | None:
        """Return what each segment comes to at a cut; None where the calibration has no segments."""
        if self.codes is None or not len(self.names):
            return None
        counts, money, squares, stands, (place, before, after, worths, steps) = self._moving
        reached_by = int(np.searchsorted(place, self.drawn.table.point(cut), side="right"))
        hit, shape = slice(0, reached_by), counts.shape
        own, size = worths[hit], counts.size
        cells = ((1, after[hit]), (-1, before[hit]))
        counts = counts + sum(sign * cell_counts(at, size).reshape(shape) for sign, at in cells)
        money = money + sum(sign * cell_sums(at, own, size).reshape(shape) for sign, at in cells)
        squares = squares + sum(sign * cell_squares(at, own, size).reshape(shape) for sign, at in cells)
        if stands is not None and steps is not None:
            weights, doubled = stands
            for sign, at in cells:
                weights = weights + sign * of_steps(cell_sums(at, steps[hit], size).reshape(shape))
                doubled = doubled + sign * of_steps(cell_squares(at, steps[hit], size).reshape(shape), power=2)
            stands = weights, np.maximum(doubled, 0.0)
        return Counts.of_cells(self.study, counts, money, np.maximum(squares, 0.0), stands)

    @cached_property
    def _moving(
        self,
    ) -> tuple[Ints, Ints, Floats, tuple[Floats, Floats] | None, tuple[Ints, Ints, Ints, Ints, Ints | None]]:
        """What each segment comes to before any cut, and the events that a cut moves, in the order it reaches them.

        Of each such event: the point that reaches it, its cell before and after, its money, and what it stands for.
        """
        study, window, table = self.study, self.study.windows.choose, self.drawn.table
        assert self.codes is not None
        sweep, rows, high = study.sweep, np.flatnonzero(window.mask), len(study.steps.rungs)
        kinds, money = study.kinds[rows], study.money[rows]
        base, hit = sweep.base[rows], sweep.hit[rows]
        first = (self.codes[rows].astype(np.int64) * CLASSES + kinds) * high
        size, shape = len(self.names) * CLASSES * high, (len(self.names), CLASSES, high)
        place = reached(table, sweep.value[rows])
        place[sweep.never[rows]] = table.points
        place[sweep.always[rows]] = 0
        moved = np.flatnonzero((base != hit) & (place < table.points))
        moved = moved[np.argsort(place[moved], kind="stable")]
        start = first + base
        held = (
            cell_counts(start, size).reshape(shape),
            cell_sums(start, money, size).reshape(shape),
            cell_squares(start, money, size).reshape(shape),
        )
        stands: tuple[Floats, Floats] | None = None
        steps: Ints | None = None
        if study.weight is not None:
            steps = in_steps(study.weight[rows])
            stands = (
                of_steps(cell_sums(start, steps, size).reshape(shape)),
                of_steps(cell_squares(start, steps, size).reshape(shape), power=2),
            )
            steps = steps[moved]
        return *held, stands, (place[moved], start[moved], (first + hit)[moved], money[moved], steps)
