"""What a calibration works on: a sweep, what is known about its events, their money, and two windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.capacity.levels import levels_of
from riskbench.calibration.curve import REASONS, Curve, Today, curve
from riskbench.calibration.standing import Standing
from riskbench.data.labels import FRAUD, GOOD, STATES, LabelState, label_state
from riskbench.data.outcomes import Ladder, ladder
from riskbench.data.windows import Span, Window, Windows, split
from riskbench.engine.sums import cell_counts, cell_squares, cell_sums
from riskbench.errors import DataError
from riskbench.metrics.constraints import CapacityLimit
from riskbench.metrics.costs import Costs, Worth, worth
from riskbench.metrics.curve import (
    CLASSES,
    STEP,
    UNLABELLED,
    TruthTable,
    alerted_value,
    hit_at,
    in_steps,
    of_steps,
    reached,
    switched,
    truth_table,
)
from riskbench.metrics.curve import FRAUD as FRAUD_CLASS
from riskbench.metrics.price import Price
from riskbench.rules.sweep import Sweep

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.bool_] | npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A sweep with everything that prices it.

    Attributes
    ----------
    sweep : Sweep
        What the cut does to each event.
    kinds : ndarray of int8, shape (rows,)
        0 good, 1 fraud, 2 unlabelled.
    money : ndarray of int64, shape (rows,)
        The loss of frauds and the margin of good events, in minor units, times what the event stands for.
    labels : LabelState
        Why events are unlabelled, and the label recipe.
    worth : Worth
        How money was measured.
    windows : Windows
        The window to choose on and the later one.
    steps : Ladder
        The domain's outcomes.
    costs : Costs
        The stated costs.
    block : float or None
        The cut from which everything is blocked; the cut of a curve moves below it.
    standing : Standing or None
        What each verdict stands for: late labels, and events that history stopped. The money bears it.
    asked : tuple of CapacityLimit
        The limits on capacity that every curve must also tell.
    """

    sweep: Sweep
    kinds: Small
    money: Ints
    labels: LabelState
    worth: Worth
    windows: Windows
    steps: Ladder
    costs: Costs
    block: float | None = None
    standing: Standing | None = None
    asked: tuple[CapacityLimit, ...] = ()

    @classmethod
    def of(
        cls,
        sweep: Sweep,
        costs: Costs,
        *,
        choose_on: Span | None = None,
        report_on: Span | None = None,
        asof: str | pd.Timestamp | None = None,
        seed: int = 0,
    ) -> Study:
        """Return the study of a sweep.

        Raises
        ------
        DataError
            When nothing can be cut, or the first window lacks known frauds or known good events.
        """
        events = sweep.dataset
        if not events.rows:
            raise DataError("There are no events to calibrate on")
        usable = ~np.isnan(sweep.value)
        if not usable.any():
            raise DataError(f"{sweep.name!r} is missing for every event, so there is nothing to cut")
        labels = label_state(events, asof=asof)
        kinds = np.full(events.rows, UNLABELLED, dtype=np.int8)
        kinds[labels.state == GOOD] = 0
        kinds[labels.state == FRAUD] = 1
        held = worth(events, costs)
        money = np.where(kinds == 1, held.loss, np.where(kinds == 0, held.margin, 0))
        windows = split(
            events, usable, choose_on=choose_on, report_on=report_on, mature_until=labels.mature_until, seed=seed
        )
        standing = Standing.of(events, labels).within((windows.choose.mask, windows.report.mask), labels)
        if standing.weight is not None:
            money = np.rint(money * standing.weight / (1.0 if held.money else STEP)).astype(np.int64)
        if not (kinds[windows.choose.mask] == 1).any():
            raise DataError(
                f"No known fraud lies in the window to choose on ({windows.choose.words}): there is nothing to "
                "calibrate on, and the value of a cut is not measurable.",
                hint="choose on a longer window, or a later asof",
            )
        if not (kinds[windows.choose.mask] == 0).any():
            raise DataError(
                f"No known good event lies in the window to choose on ({windows.choose.words}): what a cut does to "
                "good customers is not measurable, and every cut would look right.",
                hint="label good events too, or say after how many days silence means good",
            )
        return cls(sweep, kinds, money, labels, held, windows, ladder(events.domain), costs, standing=standing)

    @property
    def weight(self) -> Floats | None:
        """How many events of its class each event stands for; None where each stands for itself."""
        return None if self.standing is None else self.standing.weight

    @property
    def scale(self) -> int:
        """Minor units in one major unit; without money the parts of an event, 1 where each stands for itself."""
        if self.worth.money:
            return self.sweep.dataset.currency.scale
        return 1 if self.weight is None else round(1 / STEP)

    @property
    def value(self) -> Ints:
        """Each event's value in minor units, times what it stands for."""
        if self.weight is None or not self.worth.money:
            return self.worth.value
        return np.rint(self.worth.value * self.weight).astype(np.int64)

    @property
    def currency(self) -> str:
        """The currency's code, or nothing where there is no money."""
        return self.sweep.dataset.currency.code if self.worth.money else ""

    @property
    def counted(self) -> str:
        """What net value is counted in: the currency, or events where there is no money."""
        return self.currency or ("events" if self.worth.margin_weight(self.costs) == 1 else "weighted events")

    def price(self, costs: Costs | None = None) -> Price:
        """Return what each level is worth, under the stated costs or others."""
        stated = self.costs if costs is None else costs
        return Price.of(
            stated,
            [rung.effect for rung in self.steps.rungs],
            loss_weight=self.worth.loss_weight(stated),
            margin_weight=self.worth.margin_weight(stated),
            scale=self.scale,
            money=self.worth.money,
            account=self.worth.account,
        )

    def table(self, rows: Rows) -> TruthTable:
        """Return the exact truth table of some events."""
        sweep = self.sweep
        kinds = self.kinds[rows]
        held = truth_table(
            sweep.value[rows],
            op=sweep.op,
            base=sweep.base[rows],
            hit=sweep.hit[rows],
            kinds=kinds,
            money=self.money[rows],
            levels=len(self.steps.rungs),
            always=sweep.always[rows],
            never=sweep.never[rows],
            weight=None if self.weight is None else self.weight[rows],
        )
        held = replace(held, first=self.block)
        if not self.worth.money:
            return replace(held, caught=np.full(held.points, np.nan))
        known = kinds == FRAUD_CLASS
        caught = alerted_value(
            held,
            sweep.value[rows][known],
            base=sweep.base[rows][known],
            hit=sweep.hit[rows][known],
            money=self.value[rows][known],
            always=sweep.always[rows][known],
            never=sweep.never[rows][known],
        )
        return replace(held, caught=caught / self.scale)

    def curve(self, rows: Rows) -> Curve:
        """Return the curve of some events under the stated costs."""
        table = self.table(rows)
        drawn = curve(replace(table, reasons=self.reasons(table, rows)), self.price(), self.steps)
        return replace(drawn, limits=levels_of(self, table, rows)) if self.asked else drawn

    def reasons(self, table: TruthTable, rows: Rows) -> Ints:
        """Return how many alerts of some events have no verdict at each point of their table, by why."""
        counts, sweep = np.zeros((len(REASONS), table.points), dtype=np.int64), self.sweep
        unknown = rows[self.kinds[rows] == UNLABELLED] if rows.dtype != np.bool_ else None
        if unknown is None:
            unknown = np.flatnonzero(rows & (self.kinds == UNLABELLED))
        states = self.labels.state[unknown]
        for place in np.unique(states):
            own = unknown[states == place]
            counts[place - 2] = alerted_value(
                table,
                sweep.value[own],
                base=sweep.base[own],
                hit=sweep.hit[own],
                money=np.ones(len(own), dtype=np.int64),
                always=sweep.always[own],
                never=sweep.never[own],
            )
        return counts

    def today(self, before: Small, table: TruthTable, rows: Rows) -> Today:
        """Return where the book stands on some events, as their curve sees it.

        Parameters
        ----------
        before : ndarray of int8, shape (all rows,)
            Each event's ladder level today, as `simulate` decides it.
        table : TruthTable
            What `table(rows)` returned.
        rows : ndarray
            The events.
        """
        sweep, price, high = self.sweep, self.price(), len(self.steps.rungs)
        now, kinds, money = before[rows], self.kinds[rows], self.money[rows]
        cells, shape = kinds.astype(np.int64) * high + now, (CLASSES, high)
        counts = cell_counts(cells, CLASSES * high).reshape(shape)
        net = price.worth(counts, cell_sums(cells, money, CLASSES * high).reshape(shape))
        value, base, hit = sweep.value[rows], sweep.base[rows], sweep.hit[rows]
        differ = np.flatnonzero((base != now) | (hit != now))
        place = reached(table, value[differ])
        place[sweep.never[rows][differ]] = table.points
        place[sweep.always[rows][differ]] = 0
        worths = [price.each(kinds[differ], money[differ], levels[differ]) for levels in (now, base, hit)]
        without, with_hit = ((worth - worths[0]) ** 2 for worth in worths[1:])
        frauds: float = int(counts[FRAUD_CLASS, 1:].sum())
        if self.weight is not None:
            stands = cell_sums(cells, in_steps(self.weight[rows]), CLASSES * high).reshape(shape)
            frauds = float(stands[FRAUD_CLASS, 1:].sum()) * STEP
        return Today(
            int(counts[:, 1:].sum()),
            frauds,
            float(net),
            switched(place, without, with_hit, points=table.points),
        )

    def levels(self, cut: float) -> Small:
        """Return each event's ladder level at a cut."""
        sweep = self.sweep
        hit = (hit_at(sweep.value, sweep.op, cut) & ~sweep.never) | sweep.always
        return np.where(hit, sweep.hit, sweep.base).astype(np.int8)

    def weekly(self, levels: Small, window: Window) -> tuple[Ints, Ints, Floats]:
        """Return count, money and squared money by 7-day block, class and level: (blocks, 3, levels) each."""
        rows, high = window.mask, len(self.steps.rungs)
        blocks = int(window.blocks.max()) + 1 if len(window.blocks) else 1
        cells = (window.blocks * CLASSES + self.kinds[rows]) * high + levels[rows]
        size, shape = blocks * CLASSES * high, (blocks, CLASSES, high)
        money = self.money[rows]
        return (
            cell_counts(cells, size).reshape(shape),
            cell_sums(cells, money, size).reshape(shape),
            cell_squares(cells, money, size).reshape(shape),
        )

    def weekly_weights(self, levels: Small, window: Window) -> tuple[Floats, Floats] | None:
        """Return what the events stand for, and its squares, by 7-day block, class and level; None where one each."""
        if self.weight is None:
            return None
        rows, high = window.mask, len(self.steps.rungs)
        blocks = int(window.blocks.max()) + 1 if len(window.blocks) else 1
        cells = (window.blocks * CLASSES + self.kinds[rows]) * high + levels[rows]
        size, shape, steps = blocks * CLASSES * high, (blocks, CLASSES, high), in_steps(self.weight[rows])
        return (
            of_steps(cell_sums(cells, steps, size).reshape(shape)),
            of_steps(cell_squares(cells, steps, size).reshape(shape), power=2),
        )

    def with_block(self, cut: float) -> Study:
        """Return the study with everything from a cut on blocked: what is left to choose is where review starts."""
        sweep = self.sweep
        level = np.int8(self.steps.level(self.steps.first("stop")))
        free = (sweep.base != sweep.hit) & ~sweep.never
        above = hit_at(sweep.value, sweep.op, cut) & free
        hit = np.where(above, level, sweep.hit).astype(np.int8)
        return replace(self, sweep=replace(sweep, hit=hit, always=sweep.always | above), block=cut)

    def unlabelled(self, rows: Mask) -> Sequence[str]:
        """Return a remark for each reason why some of these events have no verdict."""
        counts = np.bincount(self.labels.state[rows], minlength=len(STATES))
        reasons = [state.removeprefix("unlabelled: ") for state in STATES]
        return [
            f"{int(counts[state]):,} of {int(counts.sum()):,} events are unlabelled ({reasons[state]}): they cost "
            "handling only, and are in no precision, recall or insult rate."
            for state in range(2, len(STATES))
            if counts[state]
        ]
