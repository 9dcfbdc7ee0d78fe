"""Where is it concentrated? The few segments that explain the change, each as a rule condition, held against chance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import comb
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, style
from riskbench.errors import ParameterError
from riskbench.incidents.dimensions import Dimension, dimensions
from riskbench.incidents.measure import Measure
from riskbench.incidents.scope import Scope, matching
from riskbench.incidents.segment_page import label, page
from riskbench.metrics.intervals import sum_interval, wilson
from riskbench.metrics.segment_scan import Found, Scan, Way, scan
from riskbench.metrics.segment_usual import Usual, usual_sway

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = (
    "segment", "condition", "columns", "n", "baseline_n", "observed", "expected",
    "excess", "excess_lower", "excess_upper", "current", "current_lower", "current_upper",
    "baseline", "baseline_lower", "baseline_upper", "ratio", "ratio_lower", "ratio_upper",
    "share_explained", "share_explained_lower", "share_explained_upper", "p_value", "same_events_as",
)  # fmt: skip
#: A segment of fewer events than this is not told, and no pace over fewer expected ones.
FEWEST_EVENTS = 5
#: The most stretches into which the baseline is cut.
_STRETCHES = 200
#: Events times sets of columns, above which segments join two columns and not three.
_WIDE = 20_000_000


@result
class Segments(Result):
    """The smallest set of segments that explains a change of a measure.

    Attributes
    ----------
    segments : DataFrame
        One row a segment, the strongest first; may be empty: segment (in words), condition (rule text), columns,
        n and baseline_n (its events in the window and in the baseline), observed and expected (the measure in the
        window, and what it would be had the segment moved as the rest did), excess with its interval, current and
        baseline (the rate, or the sum a day; None where more was told than the usual delays allow), ratio (the
        segment's change over the rest's), share_explained (of the whole change), p_value (the chance of so strong a
        segment anywhere, had nothing changed), same_events_as (other conditions with the same events).
    left_out : DataFrame
        column, values, searched, reason: columns of which not every value was searched.
    measure, unit : str
        What changed, and how to read it.
    observed, expected : float
        The measure in the window, and what the baseline's level would have given.
    outside : float
        By how much everything else moved, as a factor.
    explained : float or None
        The share of the whole change that all segments together explain.
    searched : int
        How many segments were searched.
    best_p_value : float or None
        The p value of the strongest segment, found or not.
    """

    kind: ClassVar[str] = "segments"
    title: ClassVar[str] = "Where it changed"
    main: ClassVar[str] = "segments"
    repr_columns: ClassVar[tuple[str, ...]] = (
        "segment", "n", "observed", "expected", "current", "baseline", "share_explained", "p_value",
    )  # fmt: skip
    next_step: ClassVar[str] = "a row's condition is rule text: hand it to rb.simulate in a rule"

    segments: pd.DataFrame
    left_out: pd.DataFrame
    measure: str
    unit: str
    observed: float | None
    expected: float | None
    outside: float
    explained: float | None
    searched: int
    best_p_value: float | None
    currency: str = ""

    def headline(self) -> tuple[Fact, ...]:
        """Return where, what share of the change it explains, how sure it is, and how much changed in all."""
        unit = "money" if self.unit == "money" else "number"
        told = Fact("Observed", self.observed, unit, currency=self.currency, note=self.measure)  # type: ignore[arg-type]
        usual = Fact("At the baseline's level", self.expected, unit, currency=self.currency)  # type: ignore[arg-type]
        if self.segments.empty:
            why = "nothing stands out" if self.searched else "nothing could be searched"
            chance = Fact("Chance of the strongest", self.best_p_value, "number", note="no segment to test")
            return (Fact("Where", why, "text"), chance, told, usual)
        first = self.segments.iloc[0]
        share = Fact(
            "Share explained", first["share_explained"], "share", n=int(first["n"]),
            lower=_within(first["share_explained_lower"]), upper=_within(first["share_explained_upper"]),
            note="of the whole change" if first["share_explained"] is not None else "the whole did not rise",
        )  # fmt: skip
        times = Fact(
            "Times", first["ratio"], "average", lower=first["ratio_lower"], upper=first["ratio_upper"],
            note="what everything else did" if first["ratio"] is not None else "nothing of it in the baseline",
        )  # fmt: skip
        together = Fact(f"All {len(self.segments)} together", self.explained, "share", note="of the whole change")
        return (
            Fact("Where", str(first["segment"]), "text", n=int(first["n"])),
            _sure(share),
            times,
            Fact("Chance", float(first["p_value"]), "number", note="of so strong a segment, had nothing changed"),
            told,
            together if len(self.segments) > 1 else usual,
        )

    @property
    def height(self) -> float:
        """The picture's height in inches: half an inch a segment, and the frame."""
        return max(3.6, 1.6 + 0.55 * len(self.segments))

    @property
    def drawable(self) -> bool:
        """Whether there is a segment to draw."""
        return not self.segments.empty

    def _draw(self, ax: Axes) -> None:
        frame = self.segments
        unit = self.currency if self.unit == "money" else "events"
        at = np.arange(len(frame))[::-1]
        ax.barh(at + 0.2, frame["observed"].astype(float), 0.36, color=BLUE, label="observed")
        ax.barh(at - 0.2, frame["expected"].astype(float), 0.36, color=GREY, label="expected")
        for place, share, observed in zip(at, frame["share_explained"], frame["observed"], strict=True):
            if share is not None and not pd.isna(share):
                ax.annotate(
                    f"explains {share:.0%}", (float(observed), place + 0.2), xytext=(4, 0),
                    textcoords="offset points", va="center", fontsize=8,
                )  # fmt: skip
        ax.margins(x=0.18)
        ax.set_yticks(at, [label(str(name)) for name in frame["segment"]], fontsize=8, parse_math=False)
        style(ax, title=self.title, x=f"{self.measure} in the window ({unit})", y="")
        pad = max(0.0, 3 - len(frame)) / 2  # one or two segments do not fill the page with their bars
        ax.set_ylim(-0.6 - pad, len(frame) - 0.4 + pad)
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=8, frameon=False)


def where(
    scope: Scope,
    measure: Measure,
    *,
    columns: Sequence[str] | None = None,
    depth: int | None = None,
    level: float = 0.05,
    most: int = 5,
    way: Way = "rise",
    unit: str | None = None,
    draws: int = 199,
) -> Segments:
    """Return the smallest set of segments that explains how a measure changed, or say that none does.

    Use it once the window is settled. A segment is compared with its own baseline and with how all the rest moved:
    what grew with everything, or only holds more of the traffic, is no finding of a rate. Read a segment as a place
    to look, and its interval as optimistic: the strongest of many was chosen.

    Parameters
    ----------
    scope : Scope
        The events of the window and of the baseline.
    measure : Measure
        What changed: a sum or a rate.
    columns : sequence of str, optional
        Where to look, numbers in bands; by default the region, segments, entities, and every other column known at the
        decision that is yes or no, or holds a few kinds. Their order does not matter.
    depth : int, 1 or more, optional
        The most columns that a segment joins: by default 3, and 2 where many columns meet many events.
    level : float, 0..1
        The chance of any finding where nothing changed.
    most : int, 1 or more
        The most segments.
    way : {"rise", "fall", "both"}
        What is looked for.
    unit : str, optional
        A column of those who act: the events of one of them within the length of the window come together, and are
        one draw of chance. By default each event is on its own, and who acts is searched as a segment.
    draws : int
        How many times chance is played.

    Raises
    ------
    ColumnNotFoundError
        When a column is not there.
    ParameterError
        When a number is out of range.
    """
    started = time.perf_counter()
    if most < 1 or (depth is not None and depth < 1) or not 0 < level < 1:
        raise ParameterError("A search finds 1 or more segments of 1 or more columns, at a level between 0 and 1")
    dataset = scope.dataset
    rate = measure.exposure is not None
    held, out = dimensions(scope, columns=columns, apart=[measure.name, *_own(scope, measure)], counts=not rate)
    rows = np.flatnonzero(scope.current | scope.baseline)
    now = scope.current[rows]
    amount = np.asarray(measure.amount, dtype=np.float64)[rows]
    notes: list[str] = []
    if (amount < 0).any():
        notes.append(f"{int((amount < 0).sum()):,} events with an amount below 0 count as 0.")
        amount = np.maximum(amount, 0.0)
    exposure = None if measure.exposure is None else np.asarray(measure.exposure, dtype=np.float64)[rows]
    why = getattr(measure, "unmeasurable", None) or _why_not(scope, amount, now, held)
    wide = sum(comb(len(held), size) for size in (1, 2, 3)) * len(rows) > _WIDE
    if depth is None and wide:
        notes.append(f"{len(held)} columns are joined by two, not three; name fewer in columns= to join three.")
    deep = depth if depth is not None else 2 if wide else 3
    current_days, baseline_days = scope.days
    search = usual = None
    if why is None:
        single = measure.unit in ("count", "share") and unit is None
        usual = usual_sway(
            [one.codes[rows] for one in held], [one.size for one in held], amount, _stretches(scope, rows),
            exposure=exposure, counts=single,
        )  # fmt: skip
        search = scan(
            [one.codes[rows] for one in held],
            [one.size for one in held],
            current=np.where(now, amount, 0.0),
            baseline=np.where(now, 0.0, amount),
            current_exposure=None if exposure is None else np.where(now, exposure, 0.0),
            baseline_exposure=None if exposure is None else np.where(now, 0.0, exposure),
            scale=current_days / baseline_days if not rate and current_days > 0 and baseline_days > 0 else None,
            usual=usual,
            clumps=None if single else _clumps(scope, rows, unit),
            way=way, depth=deep, level=level, most=most, draws=draws, seed=scope.seed,
        )  # fmt: skip
    told = _Told(scope, measure, held, rows, amount, exposure)
    found = search.found if search else ()
    kept = [one for one in found if told.enough(one)]
    frame = told.frame(kept)
    notes += _notes(search, usual, why, way, unit, measure, kept, told.outside_due(found))
    money = measure.unit == "money"
    scale = dataset.currency.scale if money else 1
    return Segments(
        segments=frame,
        left_out=_left_out(held, out, search),
        measure=measure.title,
        unit=measure.unit,
        observed=search.observed / scale if search else None,
        expected=search.expected / scale if search else None,
        outside=search.outside if search else 1.0,
        explained=_explained(search, kept) if search else None,
        searched=search.searched if search else 0,
        best_p_value=search.best_p_value if search else None,
        currency=dataset.currency.code if money else "",
        notes=tuple(notes),
        pages={"segments": page(frame, dataset.currency.code if money else "")} if len(frame) else {},
        provenance={
            **scope.provenance,
            "parameters": {
                **scope.provenance["parameters"],  # type: ignore[dict-item]
                "measure": measure.name, "columns": [one.name for one in held], "depth": deep, "level": level,
                "most": most, "way": way, "unit": unit, "draws": draws,
            },
            "seconds": round(time.perf_counter() - started, 3),
        },
    )  # fmt: skip


def rows_of(scope: Scope, segments: Segments) -> npt.NDArray[np.intp]:
    """Return the positions of all events that lie in a found segment, in any window, ascending."""
    found = np.zeros(scope.dataset.rows, dtype=bool)
    for condition in segments.segments["condition"]:
        found |= matching(scope.dataset, str(condition))
    return np.flatnonzero(found)


class _Told:
    """Puts found segments into words and numbers."""

    def __init__(  # noqa: PLR0917
        self, scope: Scope, measure: Measure, held: list[Dimension], rows: npt.NDArray[np.intp],
        amount: npt.NDArray[np.float64], exposure: npt.NDArray[np.float64] | None,
    ) -> None:  # fmt: skip
        self.scope, self.measure, self.held, self.rows = scope, measure, held, rows
        self.amount, self.exposure = amount, exposure
        self.scale = scope.dataset.currency.scale if measure.unit == "money" else 1

    def frame(self, found: Sequence[Found]) -> pd.DataFrame:
        """Return the table of segments."""
        frame = pd.DataFrame([self._row(one) for one in found], columns=list(COLUMNS))
        return frame.astype(object).where(frame.notna(), None) if len(frame) else frame

    def enough(self, one: Found) -> bool:
        """Return whether a segment rests on enough events to be told: on fewer it points at one person."""
        if self.measure.unit in ("count", "share"):
            return max(one.observed, one.expected) >= FEWEST_EVENTS
        rows = self._inside(one) & (self.amount > 0)
        now = self.scope.current[self.rows]
        return int((rows & (now if one.observed >= one.expected else ~now)).sum()) >= FEWEST_EVENTS

    def outside_due(self, found: Sequence[Found]) -> float:
        """Return how many events, or how large a count, the baseline leads to expect outside of all segments."""
        rest = np.ones(len(self.rows), dtype=bool)
        for one in found:
            rest &= ~self._inside(one)
        now = self.scope.current[self.rows]
        counted = (self.amount > 0).astype(np.float64) if self.measure.unit == "money" else self.amount
        then = float(counted[rest & ~now].sum())
        if self.exposure is not None:
            before = float(self.exposure[rest & ~now].sum())
            return then * float(self.exposure[rest & now].sum()) / before if before > 0 else 0.0
        days, baseline_days = self.scope.days
        return then * days / baseline_days if baseline_days > 0 else 0.0

    def _inside(self, one: Found) -> npt.NDArray[np.bool_]:
        """Return which of the rows lie in a segment."""
        inside = np.ones(len(self.rows), dtype=bool)
        for dim, code in one.terms:
            inside &= self.held[dim].codes[self.rows] == code
        return inside

    def _row(self, one: Found) -> tuple[object, ...]:
        inside = self._inside(one)
        now = self.scope.current[self.rows]
        scale = self.scale
        return (
            self._words(one.terms),
            self._condition(one.terms),
            ", ".join(self.held[dim].name for dim, _ in one.terms),
            int((inside & now).sum()),
            int((inside & ~now).sum()),
            _whole(one.observed / scale),
            one.expected / scale,
            one.excess / scale,
            one.excess_lower / scale,
            one.excess_upper / scale,
            *self._level(inside & now, 0),
            *self._level(inside & ~now, 1),
            one.ratio,
            one.ratio_lower,
            one.ratio_upper,
            one.share,
            one.share_lower,
            one.share_upper,
            one.p_value,
            "; ".join(self._words(terms) for terms in one.same) or None,
        )

    def _level(self, inside: npt.NDArray[np.bool_], window: int) -> tuple[float | None, ...]:
        """Return the rate, or the sum a day, of some events of one window, with its interval."""
        amount = self.amount[inside]
        if self.exposure is not None:
            whole = float(self.exposure[inside].sum())
            if whole <= 0:
                return (None, None, None)
            if self.measure.unit == "share":
                if amount.sum() > whole:  # told faster than the usual delays allow: no rate can be said
                    return (None, None, None)
                return tuple(float(end) for end in wilson(min(float(amount.sum()), whole), whole))
            middle = float(amount.sum()) / whole
            low, high = sum_interval(amount.sum(), (amount**2).sum() - whole * middle**2)
            return (middle, float(low) / whole, float(high) / whole)
        days = self.scope.days[window]
        if days <= 0:
            return (None, None, None)
        low, high = sum_interval(amount.sum(), (amount**2).sum())
        return tuple(float(end) / days / self.scale for end in (amount.sum(), max(0.0, float(low)), high))

    def _words(self, terms: Sequence[tuple[int, int]]) -> str:
        return " and ".join(f"{self.held[dim].name} {self.held[dim].word(code)}" for dim, code in terms)

    def _condition(self, terms: Sequence[tuple[int, int]]) -> str:
        return " AND ".join(self.held[dim].condition(code) for dim, code in terms)


def _own(scope: Scope, measure: Measure) -> list[str]:
    """Return the columns that the measure itself is made of."""
    roles = scope.dataset.roles
    own = {"amount": roles.amount, "alerts": roles.outcome, "score": roles.score, "flagged": roles.score}
    found = [own.get(measure.name), roles.measures.get(measure.name)]
    return [name for name in found if name]


def _why_not(
    scope: Scope, amount: npt.NDArray[np.float64], now: npt.NDArray[np.bool_], held: list[Dimension]
) -> str | None:
    if not scope.baseline.any():
        return "there is no baseline to compare with"
    if not amount[now].any() and not amount[~now].any():
        return "the measure is 0 in every event of both windows"
    return None if held else "no column tells these events apart"


def _clumps(scope: Scope, rows: npt.NDArray[np.intp], unit: str | None) -> npt.NDArray[np.int64]:
    """Return what comes together: an event alone, or all of one unit within the length of the window."""
    alone = np.arange(len(rows), dtype=np.int64)
    if unit is None:
        return alone
    column = scope.dataset.column(unit)
    start, end = scope.incident.window
    piece = (scope.times[rows] - start) // max(1, end - start)
    _, code = np.unique(column.values[rows], return_inverse=True)
    piece -= piece.min()
    together = code.reshape(-1).astype(np.int64) * (int(piece.max()) + 1) + piece
    return np.where(column.present[rows], together, alone + int(together.max(initial=0)) + 1)


def _stretches(scope: Scope, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """Return the stretch of the baseline, as long as the window, that each event lies in; -1 where none is whole.

    A short window's stretches are made longer, so that there are not more of them than `_STRETCHES`.
    """
    first, last = scope.reference
    start, end = scope.incident.window
    length = max(1, min(end, scope.asof) - start, -(-(last - first) // _STRETCHES))
    count = (last - first) // length
    backwards = last - 1 - scope.times[rows]  # whole stretches end where the baseline ends
    piece = count - 1 - backwards // length
    return np.where(scope.baseline[rows] & (piece >= 0), piece, -1)


def _left_out(held: list[Dimension], out: dict[str, str], search: Scan | None) -> pd.DataFrame:
    rows: list[tuple[str, int | None, int, str]] = []
    for pruned in search.pruned if search else ():
        said = (
            f"values with few events, or beyond the most, are not searched alone ({pruned.events:.1%} of what counts)"
        )
        rows.append((held[pruned.dim].name, pruned.values, pruned.searched, said))
    rows += [(name, None, 0, reason) for name, reason in out.items()]
    return pd.DataFrame(rows, columns=["column", "values", "searched", "reason"])


def _notes(  # noqa: PLR0917
    search: Scan | None,
    usual: Usual | None,
    why: str | None,
    way: Way,
    unit: str | None,
    measure: Measure,
    kept: Sequence[Found],
    due: float,
) -> list[str]:
    if search is None:
        return [f"Not measurable: {why}."]
    said = {"rise": "Only rises are looked for.", "fall": "Only falls are looked for.", "both": ""}[way]
    together = f"Events of one {unit} come together." if unit else "Each event is taken to come on its own."
    notes = [
        f"{search.searched:,} segments were searched and held against {search.draws} draws in which nothing changed. "
        f"{together} {said}".strip()
    ]
    if search.sway > 0:
        how = f"In {usual.stretches} stretches of the baseline" if usual else "Within these very events"
        notes.append(f"{how} a segment sways by {search.sway:.0%} of its size beyond chance; that is allowed for.")
    dropped = len(search.found) - len(kept)
    if dropped:
        notes.append(
            f"Left out as too small to tell, for they may be one person's: {dropped} of {len(search.found)} segments "
            f"that stand out, on fewer than {FEWEST_EVENTS} events."
        )
    elif not kept:
        notes.append("No segment stands out: the change, if any, is spread over all of them, or too small to place.")
    if due < FEWEST_EVENTS:
        return notes  # a pace over almost nothing says nothing
    if measure.exposure is None:
        notes.append(f"Everything else is at {search.outside:.2f} times the baseline's pace.")
    else:
        notes.append(f"Everywhere else the rate is {search.outside:.2f} times the baseline's.")
    return notes


def _explained(search: Scan, kept: Sequence[Found]) -> float | None:
    """Return the share of the change in all segments that are told; the whole of the search's where none is dropped."""
    if len(kept) == len(search.found):
        return search.explained
    change = search.observed - search.expected
    return sum(one.excess for one in kept) / change if kept and change > 0 else None


def _within(end: float | None) -> float | None:
    """Return an end of a share's interval, not below nothing and not above the whole."""
    return None if end is None or pd.isna(end) else min(1.0, max(0.0, float(end)))


def _sure(fact: Fact) -> Fact:
    return fact if fact.value is not None else Fact(fact.name, None, "share", note=fact.note, n=fact.n)


def _whole(number: float) -> float | int:
    return int(number) if float(number).is_integer() else number
