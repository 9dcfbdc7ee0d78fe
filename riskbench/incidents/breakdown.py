"""How does a measure break down by these columns? Every segment's exact counts, rates and part in the change."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import Fact, Result, number, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.display.fact import Unit
from riskbench.errors import ParameterError
from riskbench.incidents.dimensions import Dimension
from riskbench.incidents.measure import Measure
from riskbench.incidents.scope import Scope
from riskbench.incidents.segment_page import label
from riskbench.metrics.intervals import Z95, sum_interval, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

COLUMNS = (
    "segment", "condition", "n", "baseline_n", "observed", "expected", "contribution", "contribution_lower",
    "contribution_upper", "current", "current_lower", "current_upper", "baseline", "baseline_lower", "baseline_upper",
    "share_of_change", "compared_with",
)  # fmt: skip
#: Segments with fewer events than this, seen and to be expected, are told together.
FEWEST_EVENTS = 5
#: The most segments that are told one by one, and the most that columns may join into.
MOST_TOLD, MOST_CELLS = 200, 2_000_000
#: Segments in a picture and on a page.
_SHOWN = 10
_READ = (
    "Window {} to before {}, compared with the baseline. Expected is what the segment's own baseline {} gives. The "
    "largest of many segments looks larger than it is: riskbench.investigate holds them against chance."
)
OWN, ALL, NOTHING = "its own baseline", "the baseline of all", "nothing"


@result
class Breakdown(Result):
    """A measure, segment by segment: what the window holds, what the baseline gave to expect, and the difference.

    Attributes
    ----------
    segments : DataFrame
        One row a segment, the largest rise first: segment (in words), condition (rule text; None for the segments
        that are told together), n and baseline_n (events), observed and expected (the measure in the window, and
        what the segment's own baseline rate or pace would give), contribution (observed less expected, 95 %), current
        and baseline (the rate, or the sum a day, 95 %; None where not measurable), share_of_change (of all
        contributions; None where the whole change is within chance), compared_with (a segment that is new has no
        baseline of its own).
    by : tuple of str
        The columns.
    measure, unit : str
        What is measured, and how to read it.
    change, change_lower, change_upper : float
        The sum of all contributions, with its 95 % interval: the change at the window's own mix of segments.
    values : tuple of dict or None
        Each row's segment as a mapping of column to value; None for the segments that are told together.
    chosen : str or None
        The condition of the segment that is looked at.
    """

    kind: ClassVar[str] = "breakdown"
    title: ClassVar[str] = "Segment by segment"
    main: ClassVar[str] = "segments"
    repr_rows: ClassVar[int] = _SHOWN
    next_step: ClassVar[str] = "a row's condition is rule text: rb.Incident(start, end, where=condition)"

    segments: pd.DataFrame
    by: tuple[str, ...]
    measure: str
    unit: str
    change: float | None
    change_lower: float | None
    change_upper: float | None
    currency: str
    window: str
    values: tuple[dict[str, object] | None, ...]
    chosen: str | None = None

    def headline(self) -> tuple[Fact, ...]:
        """Return the whole change, and the part that the chosen or the first segment has in it."""
        made = [
            _fact(f"Change of {self.measure}", self.change, self.change_lower, self.change_upper, self, signed=True)
        ]
        named = self.segments[self.segments["condition"].notna()]
        if not len(named):
            return (*made, Fact("Segments", "none is large enough to be told", "text"))
        picked = named[named["condition"] == self.chosen] if self.chosen is not None else named.iloc[:1]
        row = (picked if len(picked) else named.iloc[:1]).to_dict("records")[0]
        ends = row["contribution"], row["contribution_lower"], row["contribution_upper"]
        made += [
            Fact(
                "Segment", str(row["segment"]), "text", n=int(row["n"]), note=f"{int(row['n']):,} events in the window"
            ),
            _fact("Its part", *ends, self, signed=True, n=int(row["n"])),
        ]
        for word, days in (("current", "now"), ("baseline", "before")):
            name = f"Rate {days}" if self.unit == "share" else f"A day {days}"
            held = row[word], row[f"{word}_lower"], row[f"{word}_upper"]
            told = word == "current" and row["observed"] > 0
            why = "more is told than the usual delays allow" if told else "too few events"
            made.append(_fact(name, *held, self, rate=True, why=why))
        return tuple(made)

    @property
    def height(self) -> float:
        """The picture's height in inches."""
        return max(3.6, 1.4 + 0.42 * min(_SHOWN, len(self.segments)))

    @property
    def drawable(self) -> bool:
        """Whether there is a segment to draw."""
        return bool(len(self.segments))

    def _draw(self, ax: Axes) -> None:
        frame = top(self.segments, _SHOWN)
        at = np.arange(len(frame))[::-1]
        middle = frame["contribution"].to_numpy(np.float64)
        ends = np.abs(frame[["contribution_lower", "contribution_upper"]].to_numpy(np.float64).T - middle)
        colours = [ORANGE if row == self.chosen and row is not None else BLUE for row in frame["condition"]]
        ax.barh(at, middle, 0.6, color=colours)
        ax.errorbar(middle, at, xerr=ends, fmt="none", ecolor=GREY, elinewidth=1.2, capsize=3)
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set_yticks(at, [label(str(name)) for name in frame["segment"]], fontsize=8, parse_math=False)
        ax.xaxis.set_major_formatter(lambda value, _: number(float(value), _unit(self.unit)))
        unit = self.currency if self.unit == "money" else "events"
        style(ax, title=f"{self.title}: {self.measure}", x=f"observed less expected ({unit}), 95 % interval", y="")
        ax.set_ylim(-0.8 - max(0.0, 3 - len(frame)) / 2, len(frame) - 0.2 + max(0.0, 3 - len(frame)) / 2)


def _fact(
    name: str,
    value: float | None,
    lower: float | None,
    upper: float | None,
    held: Breakdown,
    *,
    signed: bool = False,
    rate: bool = False,
    n: int | None = None,
    why: str = "nothing to compare with",
) -> Fact:
    unit: Unit = "share" if rate and held.unit == "share" else _unit(held.unit)
    if value is None or pd.isna(value):
        return Fact(name, None, unit, note=why)
    return Fact(name, value, unit, lower=lower, upper=upper, n=n, currency=held.currency, signed=signed)


def _unit(unit: str) -> Unit:
    return "money" if unit == "money" else "average"


def top(segments: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the segments with the largest part in the change, up or down, in their order."""
    size = segments["contribution"].abs().fillna(-1.0).to_numpy(np.float64)
    return segments.iloc[np.sort(np.argsort(-size, kind="stable")[:most])]


@dataclass(frozen=True, eq=False)
class Breaker:
    """What breaks one measure of one scope down by any columns.

    Attributes
    ----------
    scope : Scope
        The events of the window and of the baseline.
    measure : Measure
        What is measured: a count, money or a rate.
    """

    scope: Scope
    measure: Measure

    @cached_property
    def _sides(self) -> tuple[tuple[npt.NDArray[np.intp], Floats, Floats | None], ...]:
        """The rows of the window and of the baseline, with what each counts and may count."""
        amount = np.asarray(self.measure.amount, dtype=np.float64)
        exposure = self.measure.exposure
        sides = (np.flatnonzero(self.scope.current), np.flatnonzero(self.scope.baseline))
        return tuple((rows, amount[rows], None if exposure is None else exposure[rows]) for rows in sides)

    def __call__(self, dims: Sequence[Dimension], *, chosen: str | None = None) -> Breakdown:
        """Return the breakdown by one column, or by the values of several together.

        Raises
        ------
        ParameterError
            When there are too many segments to count.
        """
        started = time.perf_counter()
        sizes = [dim.size + 1 for dim in dims]  # the last code: no rule can name it
        if not dims or prod(sizes) > MOST_CELLS:
            raise ParameterError(
                "These columns together have too many values to be told apart",
                got=" x ".join(f"{dim.name} ({dim.size:,})" for dim in dims) or "no column",
                allowed=f"1 column or more, up to {MOST_CELLS:,} segments",
            )
        now, before = (_summed(dims, sizes, *side) for side in self._sides)
        rate = self.measure.exposure is not None
        days, past = self.scope.days
        pace = days / past if past > 0 else 0.0
        cells = _cells(now, before, rate=rate, pace=pace)
        frame, whole, values = self._told(dims, sizes, cells, rate=rate)
        money = self.measure.unit == "money"
        held = self.scope.incident
        return Breakdown(
            segments=frame, by=tuple(dim.name for dim in dims), measure=self.measure.title, unit=self.measure.unit,
            change=whole[0], change_lower=whole[1], change_upper=whole[2],
            currency=self.scope.dataset.currency.code if money else "", window=f"{held.start} to before {held.end}",
            values=values, chosen=chosen,
            pages={"segments": page(frame, self.measure, self.scope.dataset.currency.code if money else "")},
            notes=_remarks(self.scope, self.measure, frame),
            provenance={
                **self.scope.provenance,
                "parameters": {
                    **self.scope.provenance["parameters"],  # type: ignore[dict-item]
                    "measure": self.measure.name, "by": [dim.name for dim in dims],
                },
                "seconds": round(time.perf_counter() - started, 3),
            },
        )  # fmt: skip

    def _told(
        self, dims: Sequence[Dimension], sizes: Sequence[int], cells: dict[str, Floats], *, rate: bool
    ) -> tuple[pd.DataFrame, tuple[float | None, ...], tuple[dict[str, object] | None, ...]]:
        scale = self.scope.dataset.currency.scale if self.measure.unit == "money" else 1
        codes = np.array(np.unravel_index(cells["cell"].astype(np.intp), sizes))
        named = (codes < np.array([[dim.size] for dim in dims])).all(axis=0)
        big = named & (np.maximum(cells["n"], cells["due"]) >= FEWEST_EVENTS)
        size = np.where(big, np.abs(np.nan_to_num(cells["part"])) + 1e-9 * cells["n"], -1.0)
        keep = np.sort(np.argsort(-size, kind="stable")[: min(MOST_TOLD, int(big.sum()))])
        rest = np.setdiff1d(np.arange(len(size)), keep)
        words = [
            " and ".join(f"{dim.name} {dim.word(int(c))}" for dim, c in zip(dims, codes[:, k], strict=True))
            for k in keep
        ]
        texts: list[str | None] = [
            " AND ".join(dim.condition(int(c)) for dim, c in zip(dims, codes[:, k], strict=True)) for k in keep
        ]
        picked = {name: values[keep] for name, values in cells.items()}
        if len(rest):
            small = len(rest)
            words.append(f"({small:,} further segment{'s' if small > 1 else ''}, small ones together)")
            texts.append(None)
            picked = {name: np.append(values, np.nansum(cells[name][rest])) for name, values in picked.items()}
        whole_part, whole_spread = float(np.nansum(cells["part"])), float(cells["spread"].sum())
        half = Z95 * np.sqrt(whole_spread)
        known = self.scope.baseline.any()
        measured = not known or abs(whole_part) <= half or whole_part == 0
        part, ends = picked["part"], Z95 * np.sqrt(picked["spread"])
        days, past = self.scope.days
        current = _levels(picked, "", self.measure.unit, rate=rate, days=days, scale=scale)
        baseline = _levels(picked, "b_", self.measure.unit, rate=rate, days=past, scale=scale)
        against = np.where(picked["own"] > 0, OWN, ALL if rate else OWN)
        frame = pd.DataFrame(
            {
                "segment": words,
                "condition": pd.Series(texts, dtype=object),
                "n": picked["n"].astype(np.int64),
                "baseline_n": picked["b_n"].astype(np.int64),
                "observed": picked["amount"] / scale,
                "expected": (picked["amount"] - part) / scale if known else np.nan,
                "contribution": part / scale if known else np.nan,
                "contribution_lower": (part - ends) / scale if known else np.nan,
                "contribution_upper": (part + ends) / scale if known else np.nan,
                "current": current[0], "current_lower": current[1], "current_upper": current[2],
                "baseline": baseline[0], "baseline_lower": baseline[1], "baseline_upper": baseline[2],
                "share_of_change": np.nan if measured else part / whole_part,
                "compared_with": against if known else NOTHING,
            }
        )[list(COLUMNS)]  # fmt: skip
        order = np.argsort(-frame["contribution"].fillna(0.0).to_numpy(np.float64), kind="stable")
        order = np.concatenate([order[order < len(keep)], order[order >= len(keep)]])
        ends_of = (whole_part / scale, (whole_part - half) / scale, (whole_part + half) / scale)
        plain = [{dim.name: dim.plain(int(c)) for dim, c in zip(dims, codes[:, k], strict=True)} for k in keep]
        values = tuple(plain[k] if k < len(keep) else None for k in order)
        return frame.iloc[order].reset_index(drop=True), ends_of if known else (None, None, None), values


def _summed(
    dims: Sequence[Dimension], sizes: Sequence[int], rows: npt.NDArray[np.intp], amount: Floats, exposure: Floats | None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return events, what they count, its squares, and what they may count, by cell."""
    cell = np.zeros(len(rows), dtype=np.int64)
    for dim, size in zip(dims, sizes, strict=True):
        codes = dim.codes[rows]
        cell = cell * size + np.where(codes < 0, size - 1, codes)
    most = prod(sizes)
    sums, squares = (np.bincount(cell, weights=part, minlength=most) for part in (amount, amount * amount))
    count = np.bincount(cell, minlength=most).astype(np.float64)
    able = count if exposure is None else np.bincount(cell, weights=exposure, minlength=most).astype(np.float64)
    return count, sums.astype(np.float64), squares.astype(np.float64), able


def _cells(
    now: tuple[Floats, Floats, Floats, Floats],
    before: tuple[Floats, Floats, Floats, Floats],
    *,
    rate: bool,
    pace: float,
) -> dict[str, Floats]:
    """Return the cells that hold events, with the part of each in the change and its variance."""
    at = np.flatnonzero((now[0] > 0) | (before[0] > 0))
    n, amount, squares, able = (np.asarray(part[at], dtype=np.float64) for part in now)
    b_n, b_amount, b_squares, b_able = (np.asarray(part[at], dtype=np.float64) for part in before)
    if rate:
        own = b_able >= FEWEST_EVENTS
        whole, whole_able = b_amount.sum(), b_able.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.where(own, able / b_able, able / whole_able if whole_able > 0 else 0.0)
        expected = times * np.where(own, b_amount, whole)
        # Where nothing was told one might have been: a count's variance is never zero.
        spread = np.maximum(squares, (able > 0) * 1.0) + times**2 * np.maximum(np.where(own, b_squares, whole), 1.0)
        due = b_n * pace
    else:
        own = np.ones(len(at), dtype=bool)
        expected, due = pace * b_amount, pace * b_n
        spread = squares + pace**2 * b_squares
    return {
        "cell": at.astype(np.float64), "n": n, "amount": amount, "squares": squares, "able": able, "b_n": b_n,
        "b_amount": b_amount, "b_squares": b_squares, "b_able": b_able, "due": due, "own": own.astype(np.float64),
        "part": amount - expected, "spread": spread,
    }  # fmt: skip


def _levels(
    cells: dict[str, Floats], side: str, unit: str, *, rate: bool, days: float, scale: int
) -> tuple[Floats, Floats, Floats]:
    """Return the rate, or the sum a day, with its interval; NaN where it is not measurable."""
    amount, able, count = cells[f"{side}amount"], cells[f"{side}able"], cells[f"{side}n"]
    if rate:
        told = (able > 0) & (amount <= able)  # told faster than the usual delays allow: no rate can be said
        whole = np.where(told, able, 0.0)
        return wilson(np.minimum(amount, whole), whole)
    if days <= 0:
        nothing = np.full(len(amount), np.nan)
        return nothing, nothing, nothing
    low, high = sum_interval(amount, np.maximum(cells[f"{side}squares"], (count == 0) * (unit == "count") * 1.0))
    per = days * scale
    return amount / per, (np.maximum(low, 0.0) if unit == "count" else low) / per, high / per


def _remarks(scope: Scope, measure: Measure, frame: pd.DataFrame) -> tuple[str, ...]:
    held = scope.incident
    kind = "rate" if measure.exposure is not None else "pace"
    notes = [_READ.format(held.start, held.end, kind)]
    if measure.unmeasurable:
        notes.append(f"{measure.title.capitalize()}: {measure.unmeasurable}.")
    if not scope.baseline.any():
        notes.append("There is no baseline: nothing is expected, and no change is measurable.")
    if (frame["compared_with"] == ALL).any():
        notes.append("Segments without events to compare with in the baseline are held against the baseline of all.")
    return (*notes, *scope.notes)


def page(frame: pd.DataFrame, measure: Measure, currency: str, *, most: int = _SHOWN) -> tuple[str, pd.DataFrame]:
    """Return the segments as a reader's table."""
    unit: Unit = "money" if measure.unit == "money" else "average"
    level: Unit = "share" if measure.unit == "share" else unit
    name = "rate" if measure.unit == "share" else "a day"
    rows = [
        {
            "segment": row["segment"],
            "events": number(row["n"], "count"),
            "observed": number(row["observed"], unit),
            "expected": number(row["expected"], unit),
            "difference": _span(row, "contribution", unit, signed=True),
            f"{name} now": _span(row, "current", level),
            f"{name} before": _span(row, "baseline", level),
        }
        for row in top(frame, most).to_dict("records")
    ]
    told = f" ({currency})" if currency else ""
    return f"{measure.title.capitalize()}{told}: the segments with the largest part, with 95 % ranges", pd.DataFrame(
        rows
    )


def _span(row: Mapping[Hashable, Any], name: str, unit: Unit, *, signed: bool = False) -> str:
    value, low, high = (row[name], row[f"{name}_lower"], row[f"{name}_upper"])
    if pd.isna(value):
        return "not measurable"
    shown, lower, upper = (number(float(end), unit, signed=signed) for end in (value, low, high))
    return f"{shown} ({lower.removesuffix(' %')} to {upper})"
