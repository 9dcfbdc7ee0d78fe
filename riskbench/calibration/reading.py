"""What does this cut do? One cut of a calibration beside the proposed one and today's: exact rates, money, limits."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.calibration.applied import applied
from riskbench.calibration.capacity.levels import unit_of
from riskbench.calibration.pages import Page, a_week, money_name, told_apart
from riskbench.calibration.picture import draw_curve
from riskbench.calibration.reader import Counts, Reader
from riskbench.display import NOT_MEASURABLE, Fact, Result, number, result
from riskbench.display.chart import Drawn
from riskbench.display.fact import Unit
from riskbench.metrics.constraints import RATES, CapacityLimit, Constraint
from riskbench.metrics.intervals import Z95, sum_interval, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.calibration.calibration import Calibration
    from riskbench.rules.book import RuleBook

#: Sums over the window, by their column in a curve, and what a reader calls them.
SUMS = {
    "net_value": "net value",
    "value_caught": "value caught",
    "alerts": "alerts",
    "frauds": "frauds alerted",
    "reviews": "reviews",
}
#: What each rate is a part of, by the names of `Counts`.
WHOLES = {
    "precision": ("frauds", "labelled"),
    "recall": ("frauds", "total_frauds"),
    "alert_rate": ("alerts", "total"),
    "review_rate": ("reviews", "total"),
    "insult_rate": ("insults", "total_goods"),
    "approval_rate": ("approved", "total"),
}
_CHOSEN = (
    "Read off the exact curve on {}, the window that the proposed cut was chosen on: a cut that was picked because it "
    "looks best here promises less than it shows."
)
#: What tells these figures from the promise and from what came later.
WHERE = "where the cut was chosen"
#: More segments than these do not stand on a page.
_SHOWN = 12


@result
class CutReading(Result):
    """One cut of a calibration, read exactly off its curve, on the window that the proposed cut was chosen on.

    Attributes
    ----------
    threshold : float
        The cut; infinite where nobody is hit.
    proposed : float
        The calibration's own cut.
    today : float or None
        Today's cut; None where none is live.
    row : DataFrame
        The row of the calibration's curve at this cut, sums over the whole window; see `Calibration.curve`.
    measures : DataFrame
        measure, per, value with lower and upper (95 %), n (events behind it), proposed (the same at the proposed cut),
        today (the same as the book stands): sums by the week, rates of the whole system.
    limits : DataFrame
        rate, side, bound, value (at this cut), kept, words: each limit that the calibration was subject to.
    segments : DataFrame
        One row a segment: segment, n, frauds_known, alerts, frauds, each rate (precision and recall with interval),
        net_value with lower and upper, sums over the window; empty where the calibration has no segments.
    """

    kind: ClassVar[str] = "cut_reading"
    title: ClassVar[str] = "What this cut does"
    main: ClassVar[str] = "measures"
    repr_tables: ClassVar[tuple[str, ...]] = ("segments",)
    repr_rows: ClassVar[int] = _SHOWN
    next_step: ClassVar[str] = '.apply(book); .frame("row"), "limits", "segments"'

    name: str
    op: str
    threshold: float
    proposed: float
    block: float | None
    today: float | None
    row: pd.DataFrame
    measures: pd.DataFrame
    limits: pd.DataFrame
    segments: pd.DataFrame
    currency: str
    counted: str
    per: str
    window: str
    window_weeks: float
    of: Calibration

    def headline(self) -> tuple[Fact, ...]:
        """Return the cut, what it is worth a week, against today, what it finds, whom it hits, and its limits."""
        unit: Unit = "money" if self.currency else "number"
        row, week, weeks = self.row.to_dict("records")[0], a_week(self.per), self.window_weeks
        rates = {held["measure"]: held for held in self.measures.to_dict("records")}
        made = [
            Fact(
                f"Cut of {self.name}", told_apart([self.threshold])[0], "text",
                note="; ".join(part for part in (_beside(self), f"{WHERE}: {self.window}") if part),
            ),
            Fact(
                money_name(f"Net value {week}, {WHERE}", self.currency, self.counted),
                row["net_value"] / weeks, unit, lower=row["lower"] / weeks, upper=row["upper"] / weeks,
                n=int(row["alerts"]), currency=self.currency,
            ),
            Fact(
                money_name(f"Change against today {week}, {WHERE}", self.currency, self.counted),
                row["added_net_value"] / weeks, unit, lower=row["added_lower"] / weeks,
                upper=row["added_upper"] / weeks, currency=self.currency, signed=True,
            ),
        ]  # fmt: skip
        for name in ("recall", "insult rate"):
            held = rates[name]
            known = not math.isnan(held["value"])
            made.append(
                Fact(
                    f"{name.capitalize()}, {WHERE}",
                    held["value"] if known else None,
                    "share",
                    lower=held["lower"] if known else None,
                    upper=held["upper"] if known else None,
                    n=int(held["n"]),
                    note="" if known else "no labelled events",
                )
            )
        if len(self.limits):
            broken = [
                str(words) for words, kept in zip(self.limits["words"], self.limits["kept"], strict=True) if not kept
            ]
            made.append(Fact("Limits", "broken" if broken else "kept", "text", note="; ".join(broken)))
        return tuple(made)

    def apply(self, book: RuleBook | None = None) -> RuleBook:
        """Return a rule book with this cut in place, as `Calibration.apply` does with the proposed one.

        Parameters
        ----------
        book : RuleBook, optional
            The book to change; by default the one that the calibration was given.

        Raises
        ------
        ParameterError
            When there is no book to change.
        """
        return applied(self.of, self.of.given if book is None else book, cut=self.threshold)

    def picture(self) -> Drawn | None:
        """Return the picture with the place of its axes: the calibration's own where this cut is marked on it."""
        return self.of.picture() if self.threshold in (self.proposed, self.today) else super().picture()

    def _draw(self, ax: Axes) -> None:
        held = self.of
        here = {} if self.threshold in (held.threshold, self.today) else {"this cut": self.threshold}
        draw_curve(
            ax, held.curve, name=self.name, unit=f"{self.counted} {a_week(self.per)}", scale=self.window_weeks,
            plateau=held.plateau,
            cuts={"chosen": held.threshold, "block from": self.block, "today": self.today, **here},
        )  # fmt: skip


def read(held: Calibration, reader: Reader, cut: object) -> CutReading:
    """Return what a cut does, beside the proposed one and today's. See `Calibration.at`."""
    threshold = reader.checked(cut)
    study = reader.study
    row = reader.row(threshold)
    measures = _measures(reader, threshold, row, held)
    point = reader.drawn.table.point(threshold)
    limits = limits_frame({limit: float(reader.drawn.at_limit(limit)[point]) for limit in reader.constraints})
    segments = _segments(reader, threshold)
    return CutReading(
        name=held.name, op=held.op, threshold=threshold, proposed=held.threshold, block=held.threshold_block,
        today=held.today, row=pd.DataFrame([row]), measures=measures, limits=limits, segments=segments,
        currency=held.currency, counted=held.counted, per=held.per, window=held.window,
        window_weeks=held.window_weeks, of=held,
        pages={
            "measures": measures_page(measures, held=held, cut=threshold),
            "segments": segments_page(segments, held=held, cut=threshold),
        },
        notes=(
            _CHOSEN.format(held.window),
            *(str(words) for words in limits["words"]),
            *study.windows.notes,
        ),
        provenance={**held.provenance, "parameters": {**_parameters(held), "threshold": threshold}},
    )  # fmt: skip


def _parameters(held: Calibration) -> dict[str, object]:
    told = held.provenance.get("parameters")
    return dict(told) if isinstance(told, dict) else {}


def _beside(held: CutReading) -> str:
    """Return how a cut lies to the proposed one and today's, in words."""
    today = math.nan if held.today is None else held.today
    if held.threshold == held.proposed:
        return "the proposed cut" + (", and today's" if held.threshold == today else "")
    told = f"proposed: {told_apart([held.proposed])[0]}"
    return f"today's; {told}" if held.threshold == today else told


def limits_frame(levels: dict[Constraint, float]) -> pd.DataFrame:
    """Return which limits are kept by what each comes to: rate, side, bound, value, kept, words."""
    rows = []
    for limit, value in levels.items():
        over = value - limit.bound if limit.side == "at_most" else limit.bound - value
        pardoned = limit.side == "at_most" and not isinstance(limit, CapacityLimit)
        kept = pardoned if math.isnan(value) else over <= 1e-12
        name = limit.rate.replace("_", " ").capitalize()
        bound = f"{limit.side.replace('_', ' ')} {number(limit.bound, unit_of(limit))}"
        shown = NOT_MEASURABLE if math.isnan(value) else number(value, unit_of(limit))
        words = f"{name} {bound}: {'kept' if kept else 'BROKEN'} ({shown})"
        rows.append((limit.rate, limit.side, limit.bound, value, kept, words))
    return pd.DataFrame(rows, columns=["rate", "side", "bound", "value", "kept", "words"])


def _measures(reader: Reader, cut: float, row: dict[str, float], held: Calibration) -> pd.DataFrame:
    weeks = held.window_weeks
    here, (there, other), (now, now_caught) = reader.counts(cut), reader.proposed, reader.now
    rows: list[tuple[object, ...]] = []
    for name, words in SUMS.items():
        if name == "net_value":
            ends = row["lower"], row["upper"]
            value, proposed, today, n = row[name], other[name], reader.today.net, int(row["alerts"])
        elif name == "value_caught":
            if math.isnan(row[name]):
                continue
            ends = math.nan, math.nan
            value, proposed, today, n = row[name], other[name], now_caught, int(row["frauds"])
        else:
            value, proposed, today = (float(getattr(counts, name)[0]) for counts in (here, there, now))
            less, more = sum_interval(value, max(value, 1.0))
            ends, n = (max(0.0, float(less)), float(more)), int(value)
        rows.append(
            (words, held.per, value / weeks, ends[0] / weeks, ends[1] / weeks, n, proposed / weeks, today / weeks)
        )
    for rate in RATES:
        part, whole = (_part(here, name) for name in WHOLES[rate])
        borne = here.bearing(rate)
        with np.errstate(divide="ignore", invalid="ignore"):
            value, low, high = (float(end[0]) for end in wilson(np.nan_to_num(part / whole) * borne, borne))
        beside = (float(counts.rate(rate)[0]) for counts in (there, now))
        rows.append((rate.replace("_", " "), "", value, low, high, int(whole[0]), *beside))
    return pd.DataFrame(rows, columns=["measure", "per", "value", "lower", "upper", "n", "proposed", "today"])


def _part(counts: Counts, name: str) -> np.ndarray:
    return counts.frauds + counts.goods if name == "labelled" else np.asarray(getattr(counts, name))


def _segments(reader: Reader, cut: float) -> pd.DataFrame:
    counts = reader.by_segment(cut)
    if counts is None:
        return pd.DataFrame()
    half = Z95 * np.sqrt(np.maximum(counts.spread, 0.0))
    precision, recall = (
        wilson(np.nan_to_num(counts.rate(rate)) * counts.bearing(rate), counts.bearing(rate))
        for rate in ("precision", "recall")
    )
    return pd.DataFrame(
        {
            "segment": list(reader.names),
            "n": counts.total,
            "frauds_known": counts.total_frauds,
            "alerts": counts.alerts,
            "frauds": counts.frauds,
            "precision": precision[0],
            "precision_lower": precision[1],
            "precision_upper": precision[2],
            "recall": recall[0],
            "recall_lower": recall[1],
            "recall_upper": recall[2],
            **{str(rate): counts.rate(rate) for rate in RATES if rate.endswith("_rate")},
            "net_value": counts.net,
            "lower": counts.net - half,
            "upper": counts.net + half,
        }
    )


def measure_unit(measure: str) -> Unit:
    """Return how a measure's numbers are printed."""
    if measure in ("net value", "value caught"):
        return "money"
    return "share" if measure.replace(" ", "_") in RATES else "average"


def measures_page(measures: pd.DataFrame, *, held: Calibration, cut: float) -> Page:
    """Return the measures as a reader meets them: this cut with its range, the proposed cut, today."""
    named = [cut, held.threshold, math.inf if held.today is None else held.today]
    here, proposed, today = told_apart(named)
    rows = []
    for row in measures.to_dict("records"):
        unit, money = measure_unit(str(row["measure"])), str(row["measure"]) in ("net value", "value caught")
        per = " ".join(part for part in (held.counted if money else "", a_week(held.per) if row["per"] else "") if part)
        value, low, high, other, now = (
            NOT_MEASURABLE if math.isnan(row[part]) else number(float(row[part]), unit)
            for part in ("value", "lower", "upper", "proposed", "today")
        )
        ends = "–" if math.isnan(row["lower"]) else f"{low.removesuffix(' %')} to {high}"
        rows.append((f"{row['measure']}, {per}" if per else row["measure"], value, ends, other, now))
    columns = ["measure", f"at {here}", "95 % range", f"proposed: {proposed}", f"today: {today}"]
    if columns[1] == columns[3]:
        columns[1] = f"at {here} "
    return f"On {held.window}, {WHERE}; sums {a_week(held.per)}", pd.DataFrame(rows, columns=columns)


def segments_page(segments: pd.DataFrame, *, held: Calibration, cut: float) -> Page:
    """Return what the cut does in each of the largest segments, sums per week."""
    week, weeks = a_week(held.per), held.window_weeks
    rows = []
    shown = segments.sort_values("n", ascending=False, kind="stable") if len(segments) > 1 else segments.iloc[:0]
    for row in shown.to_dict("records"):
        ends = (number(row[part] / weeks, "money") for part in ("lower", "upper"))
        rows.append(
            (
                row["segment"],
                number(row["n"] / weeks, "average"),
                number(row["alerts"] / weeks, "average"),
                *(_share(row, rate, ends=rate in ("precision", "recall")) for rate in RATES[-2:]),
                *(_share(row, rate) for rate in ("review_rate", "insult_rate", "approval_rate")),
                f"{number(row['net_value'] / weeks, 'money')} ({' to '.join(ends)})",
            )
        )
    columns = [
        held.by or "segment", f"events {week}", f"alerts {week}", "precision", "recall", "review rate", "insult rate",
        "approval rate", f"net value {week} ({held.counted})",
    ]  # fmt: skip
    return f"Each segment at {told_apart([cut])[0]}, {WHERE}, with 95 % ranges", pd.DataFrame(rows, columns=columns)


def _share(row: Mapping[Hashable, Any], rate: str, *, ends: bool = False) -> str:
    if math.isnan(row[rate]):
        return NOT_MEASURABLE
    shown = number(row[rate], "share")
    if not ends:
        return shown
    low, high = (number(row[f"{rate}_{end}"], "share") for end in ("lower", "upper"))
    return f"{shown} ({low.removesuffix(' %')} to {high})"
