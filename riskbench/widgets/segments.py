"""Where did it change? Columns, window and measure by hand, with every segment's exact part in the change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import traitlets

from riskbench.data.dataset import Dataset
from riskbench.display import html, number
from riskbench.display.chart import BLUE, GREY, ORANGE
from riskbench.display.fact import Unit
from riskbench.display.steps import MOST_STEPS, Steps
from riskbench.errors import DataError, ParameterError, listed, nearest
from riskbench.incidents.breakdown import Breakdown, Breaker, page, top
from riskbench.incidents.dimensions import Dimension, dimensions
from riskbench.incidents.incident import Incident
from riskbench.incidents.investigation import Investigation
from riskbench.incidents.measure import measures
from riskbench.incidents.scope import Scope, matching, scope_of
from riskbench.widgets.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A column of more values than this is offered only when it is named.
MOST_VALUES = 1_000
#: The most columns that join into segments, and the segments on the screen.
MOST_COLUMNS, SHOWN = 3, 10
_NONE, _ALL, _WEEK = "(none)", "(all segments)", pd.Timedelta(days=7)


class SegmentExplorer(Panel):
    """A change of a measure, broken down by columns that are chosen by hand.

    Attributes
    ----------
    value : dict
        The chosen segment as column to value, such as `{"city": "SUB"}`; empty when none is chosen. Set it to choose.
    result : Breakdown
        The segments, with the chosen one.
    where : str or None
        The chosen segment as rule text, for `rb.Incident(where=...)`.
    mask : ndarray of bool
        Its events, for `panel.events.where(panel.mask)`.
    """

    title: ClassVar[str] = "Segments"

    value: Any = traitlets.TraitType({})

    def __init__(
        self,
        source: Investigation | Dataset,
        *,
        by: Sequence[str] | str | None = None,
        window: tuple[str, str] | None = None,
        measure: str | None = None,
        columns: Iterable[str] | None = None,
    ) -> None:
        super().__init__()
        import ipywidgets

        self._quiet = False
        scope, self._found, usual = _opened(source, window)
        self._named = None if columns is None else tuple(columns)
        self._load(scope)
        first = _several(by, self._dims) or self._told() or tuple(self._dims)[:1]
        usual = usual if usual in self._measures else next(iter(self._measures))
        name = usual if measure is None else _known(measure, self._measures, "measure")
        row, wide = ipywidgets.Layout(flex_flow="row wrap"), ipywidgets.Layout(width="98%", max_width="720px")
        self.columns = [
            ipywidgets.Dropdown(description="and" if place else "by", layout=ipywidgets.Layout(width="270px"))
            for place in range(MOST_COLUMNS)
        ]
        self.measure = ipywidgets.Dropdown(description="measure", layout=ipywidgets.Layout(width="400px"))
        self._offer(first, name)
        days = _days(scope)
        self.window = ipywidgets.SelectionRangeSlider(
            options=days,
            index=_nearest(days, scope.incident),
            description="window",
            continuous_update=False,
            layout=wide,
        )
        self.segment = ipywidgets.Dropdown(options=[(_ALL, None)], description="segment", layout=wide)
        self.found = ipywidgets.Dropdown(
            options=[("(found by the investigation)", None), *((words, words) for words in self._found)],
            description="found", layout=wide,
        )  # fmt: skip
        # The slider's own readout is too narrow for two days.
        self.window.readout, self._days = False, ipywidgets.HTML()
        self._numbers, self._bars = ipywidgets.HTML(), ipywidgets.HTML()
        for control in (*self.columns, self.measure):
            control.observe(self._guard(self._turned), names="value")
        self.window.observe(self._guard(self._slid), names="index")
        self.segment.observe(self._guard(self._picked), names="value")
        self.found.observe(self._guard(self._went), names="value")
        self._compose(
            ipywidgets.HTML(html.heading(self.title)),
            ipywidgets.HBox([*self.columns, self.measure], layout=row),
            self.window,
            self._days,
            *([self.found] if self._found else []),
            self.segment,
            self._numbers,
            self._bars,
        )
        self._break({})

    @property
    def by(self) -> tuple[str, ...]:
        """The columns that segments are told apart by."""
        return tuple(dict.fromkeys(held.value for held in self.columns if held.value in self._dims))

    @property
    def events(self) -> Dataset:
        """The events that are looked at, in every window."""
        return self._scope.dataset

    @property
    def result(self) -> Breakdown:
        """The breakdown, with the chosen segment."""
        return self._result

    @property
    def where(self) -> str | None:
        """The chosen segment as rule text; None when none is chosen."""
        return self._result.chosen

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which of the events lie in the chosen segment; all of them when none is chosen."""
        held = self.events
        return np.ones(held.rows, dtype=bool) if self.where is None else matching(held, self.where)

    @traitlets.validate("value")  # type: ignore[untyped-decorator]
    def _check(self, proposal: Any) -> dict[str, Any]:
        given = proposal["value"]
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise ParameterError("A segment is a mapping of column to value", got=repr(given)[:80])
        if len(given) > MOST_COLUMNS:
            raise ParameterError("A segment joins at most three columns", got=listed(list(given)))
        for name, value in given.items():
            self._code(_known(name, self._dims, "column"), value)
        return dict(given)

    @traitlets.observe("value")  # type: ignore[untyped-decorator]
    def _changed(self, change: Any) -> None:
        if self._quiet:
            return
        chosen = change["new"]
        if chosen and set(chosen) != set(self.by):
            with self._silence():
                self._turn(tuple(chosen))
        self._break(chosen)

    def _told(self) -> tuple[str, ...]:
        """Return the columns of the first segment that was found and can be shown; none where nothing was."""
        names = next(iter(self._found.values()), ((), ""))[0]
        return names if names and len(names) <= MOST_COLUMNS and all(name in self._dims for name in names) else ()

    def _code(self, column: str, value: object) -> int:
        """Return the code of a column's value.

        Raises
        ------
        ParameterError
            When the column has no such value.
        """
        dim = self._dims[column]
        if column not in self._plain:
            self._plain[column] = {_key(dim.plain(code)): code for code in reversed(range(dim.size))}
        if _key(value) in self._plain[column]:
            return self._plain[column][_key(value)]
        allowed = [str(plain) for _, plain in reversed(self._plain[column])]
        close = nearest(str(value)[:80], allowed)
        raise ParameterError(
            f"{column!r} has no value {str(value)[:80]!r}",
            allowed=listed(allowed, most=12),
            hint=f"did you mean {close!r}?" if close else None,
        )

    def _condition(self, chosen: Mapping[str, object]) -> str | None:
        order = [name for name in self.by if name in chosen]
        return " AND ".join(self._dims[name].condition(self._code(name, chosen[name])) for name in order) or None

    def _load(self, scope: Scope) -> None:
        """Take a scope's columns, told apart by all that its events hold, and its measures."""
        held, _ = dimensions(replace(scope, current=_every(scope)), columns=self._named)
        entities = set(scope.dataset.roles.entities)
        asked = {name for names, _ in self._found.values() for name in names} | set(self._named or ())
        kept = [dim for dim in held if dim.name in asked or (dim.name not in entities and dim.size <= MOST_VALUES)]
        if not kept:
            raise DataError("No column tells these events apart", hint="name some: columns=[...]")
        self._dims = {dim.name: dim for dim in kept}
        self._plain: dict[str, dict[Any, int]] = {}
        self._look(scope)

    def _look(self, scope: Scope) -> None:
        """Look at other windows of the same events."""
        self._scope = scope
        self._measures = {one.name: one for one in measures(scope) if one.unit != "score"}
        self._breakers: dict[str, Breaker] = {}
        self._made: dict[tuple[object, ...], Breakdown] = {}

    @contextmanager
    def _silence(self) -> Iterator[None]:
        """Move controls without answering."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def _offer(self, by: Sequence[str], measure: str) -> None:
        """Offer the columns and measures that there are."""
        for place, control in enumerate(self.columns):
            control.options = [*([_NONE] if place else []), *self._dims]
        self._turn(by)
        self.measure.options = [(held.title, held.name) for held in self._measures.values()]
        self.measure.value = measure

    def _turn(self, by: Sequence[str]) -> None:
        for place, control in enumerate(self.columns):
            control.value = by[place] if place < len(by) else control.options[0]

    def _break(self, chosen: Mapping[str, object]) -> None:
        """Break the measure down, and show it."""
        name, by = self.measure.value, self.by
        if (name, by) not in self._made:
            breaker = self._breakers.setdefault(name, Breaker(self._scope, self._measures[name]))
            self._made[name, by] = breaker([self._dims[column] for column in by])
        made, text = self._made[name, by], self._condition(chosen)
        self._result = replace(made, chosen=text, _cache={})
        rows = [
            (str(words), str(held))
            for words, held in zip(made.segments["segment"], made.segments["condition"], strict=True)
            if held is not None
        ]
        if text is not None and text not in {held for _, held in rows}:
            rows.append((f"{text} (among the small ones)", text))
        with self._silence():
            self.segment.options = [(_ALL, None), *rows]
            self.segment.value = text
        caption, told = made.pages["segments"]
        self._numbers.value = html.facts(self._result.headline()) + html.table(told, caption=caption, rows=SHOWN)
        self._bars.value = bars(self._result)
        first, last = self.window.value
        self._days.value = f'<span style="{html.INK}">from {escape(first)} to {escape(last)}, both included</span>'

    def _turned(self, _: object) -> None:
        if not self._quiet:
            with self._silence():
                self.value = {}
            self._break({})

    def _picked(self, change: Any) -> None:
        if not self._quiet:
            self.value = self._mapping(change["new"])

    def _mapping(self, text: str | None) -> dict[str, object]:
        """Return a condition of the breakdown as a mapping of column to value."""
        rows = zip(self._result.segments["condition"], self._result.values, strict=True)
        return next((dict(held) for told, held in rows if held is not None and told == text), {})

    def _went(self, change: Any) -> None:
        """Go to a segment that the investigation found."""
        if self._quiet or change["new"] is None:
            return
        names, text = self._found[change["new"]]
        missing = [name for name in names if name not in self._dims]
        if missing:
            raise ParameterError(f"{listed(missing)} tells nothing apart in this window")
        with self._silence():
            self._turn(names)
            self.value = {}
        self._break({})
        self.value = self._mapping(text)

    def _slid(self, change: Any) -> None:
        if self._quiet:
            return
        start, end = (self.window.options[at] for at in change["new"])
        self._look(_moved(self._scope, start, str((pd.Timestamp(end) + pd.Timedelta(days=1)).date())))
        name = self.measure.value
        with self._silence():
            self.measure.options = [(held.title, held.name) for held in self._measures.values()]
            self.measure.value = name if name in self._measures else next(iter(self._measures))
        self._break(self.value)

    def _steps(self) -> Steps:
        breaker = self._breakers[self.measure.value]
        every = [breaker([dim]) for dim in self._dims.values()]
        return steps_of([self._result, *(made for made in every if made.by != self._result.by)], breaker)


def _opened(source: object, window: object) -> tuple[Scope, dict[str, tuple[tuple[str, ...], str]], str]:
    """Return the scope to start from, the segments that an investigation found, and its measure."""
    if isinstance(source, Investigation):
        if window is not None:
            raise ParameterError("An investigation has its window", got=repr(window)[:80], hint="move it in the panel")
        found = source.segments.frame()
        rows = zip(found["segment"], found["columns"], found["condition"], strict=True)
        held = {str(words): (tuple(str(names).split(", ")), str(text)) for words, names, text in rows}
        return source.scope, held, source.measure.name
    if not isinstance(source, Dataset):
        raise ParameterError(
            "A segment explorer takes an investigation or a dataset",
            got=type(source).__name__,
            hint="rb.investigate(...) or rb.read(...)",
        )
    if window is not None:
        if isinstance(window, str) or not isinstance(window, Sequence) or len(window) != 2:
            raise ParameterError("A window is a pair of moments", got=repr(window)[:80])
        return scope_of(Incident(*window), source), {}, ""
    span = source.span
    if span is None:
        raise DataError("Segments are compared over time, and these events bear none", hint="name the role 'time'")
    last = span[1].floor("D") + pd.Timedelta(days=1)
    length = min(_WEEK, max(pd.Timedelta(days=1), ((last - span[0]) / 2).floor("D")))
    return scope_of(Incident(str((last - length).date()), str(last.date())), source), {}, ""


def _moved(past: Scope, start: str, end: str) -> Scope:
    """Return the same events with another window, compared with the time before it.

    Raises
    ------
    DataError
        When there are no events in it.
    """
    inside = _every(past)
    incident = replace(past.incident, start=start, end=end, baseline=None)
    first, last = incident.window
    current = inside & (past.times >= first) & (past.times < last)
    if not current.any():
        raise DataError("There are no events in this window", got=f"{start} to before {end}")
    baseline, after = inside & (past.times < first), inside & (past.times >= last)
    notes = tuple(note for note in past.notes if not note.startswith("There are no events"))
    return replace(past, incident=incident, current=current, baseline=baseline, after=after, notes=notes)


def _every(scope: Scope) -> npt.NDArray[np.bool_]:
    """Return the events that bear a time and meet the incident's condition, in every window."""
    there, where = scope.dataset.column("time").present.copy(), scope.incident.where
    return there if where is None else there & matching(scope.dataset, where)


def _key(value: object) -> tuple[bool, object]:
    """Return what a value is found by: true is not 1."""
    return isinstance(value, bool | np.bool_), value if isinstance(value, str | int | float | bool | None) else str(
        value
    )


def _known(name: object, allowed: Mapping[str, object], what: str) -> str:
    if isinstance(name, str) and name in allowed:
        return name
    close = nearest(str(name), allowed)
    raise ParameterError(
        f"{str(name)[:80]!r} is no {what} here",
        allowed=listed(list(allowed), most=20),
        hint=f"did you mean {close!r}?" if close else None,
    )


def _several(by: Sequence[str] | str | None, dims: Mapping[str, Dimension]) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else tuple(by or ())
    if len(set(names)) != len(names) or len(names) > MOST_COLUMNS:
        raise ParameterError("Segments join one to three columns", got=listed(list(map(str, names))))
    return tuple(_known(name, dims, "column") for name in names)


def _days(scope: Scope) -> list[str]:
    span = scope.dataset.span
    assert span is not None  # a scope has a window with events
    return [f"{day:%Y-%m-%d}" for day in pd.date_range(span[0].floor("D"), span[1].floor("D"))]


def _nearest(days: Sequence[str], incident: Incident) -> tuple[int, int]:
    start, end = (pd.Timestamp(moment, unit="us") for moment in incident.window)
    at = np.searchsorted(days, [f"{start:%Y-%m-%d}", f"{end - pd.Timedelta(1, 'us'):%Y-%m-%d}"])
    first, last = (int(min(place, len(days) - 1)) for place in at)
    return first, max(first, last)


def bars(made: Breakdown) -> str:
    """Return each segment's part in the change as bars with their intervals, drawn by style alone."""
    frame = top(made.segments[made.segments["contribution"].notna()], SHOWN)
    if not len(frame):
        return ""
    ends = frame[["contribution_lower", "contribution_upper"]].to_numpy(np.float64)
    low, high = min(0.0, float(ends.min())), max(0.0, float(ends.max()))
    width = (high - low) or 1.0
    unit: Unit = "money" if made.unit == "money" else "average"

    def at(value: float) -> float:
        return 100 * (value - low) / width

    rows = ""
    for row in frame.to_dict("records"):
        value, less, more = (float(row[f"contribution{end}"]) for end in ("", "_lower", "_upper"))
        left, size = min(at(0.0), at(value)), abs(at(value) - at(0.0))
        colour = ORANGE if row["condition"] is not None and row["condition"] == made.chosen else BLUE
        spot = "position:absolute"
        rows += (
            f'<div style="display:flex;align-items:center;margin:3px 0;{html.INK}">'
            f'<div style="width:210px;padding-right:8px;font-size:90%;overflow-wrap:anywhere">'
            f"{escape(str(row['segment'])[:120])}</div>"
            f'<div style="position:relative;width:400px;height:18px" aria-hidden="true">'
            f'<div style="{spot};left:{left:.2f}%;width:{size:.2f}%;top:3px;height:12px;background:{colour}"></div>'
            f'<div style="{spot};left:{at(less):.2f}%;width:{at(more) - at(less):.2f}%;top:8px;height:2px;'
            f'background:{GREY}"></div>'
            f'<div style="{spot};left:{at(0.0):.2f}%;top:0;height:18px;border-left:1px solid {GREY}"></div></div>'
            f'<div style="padding-left:8px;font-size:90%">{number(value, unit, signed=True)}</div></div>'
        )
    said = f"observed less expected, {made.currency or 'events'}; the thin line is the 95 % interval"
    return f'<div><div style="{html.SOFT};font-size:90%">{said}</div>{rows}</div>'


def steps_of(every: Sequence[Breakdown], breaker: Breaker) -> Steps:
    """Return the largest segments of the shown breakdown, and then of each column alone, at most 101."""
    share = max(3, MOST_STEPS // max(1, len(every)))
    parts = [page(top(made.segments, share), breaker.measure, made.currency, most=share)[1] for made in every]
    table = pd.concat(parts, ignore_index=True).drop_duplicates("segment", ignore_index=True).head(MOST_STEPS)
    first = every[0]
    words = dict(zip(first.segments["condition"], first.segments["segment"], strict=True))
    at = table.index[table["segment"] == words.get(first.chosen, "")]
    return Steps(label=f"Segment: {first.measure}", table=table, at=int(at[0]) if len(at) else 0)


def segment_explorer(
    source: Investigation | Dataset,
    *,
    by: Sequence[str] | str | None = None,
    window: tuple[str, str] | None = None,
    measure: str | None = None,
    columns: Iterable[str] | None = None,
) -> SegmentExplorer:
    """Return a panel that breaks a change down by columns, window and measure that are chosen by hand.

    Use it to look around after `rb.investigate(...).segments` has said where a change is concentrated, or before a
    window is known. Each segment is held against its own baseline, exactly; nothing is held against chance, so the
    largest of many looks larger than it is. On a page without a kernel the panel is its picture and its tables.

    Parameters
    ----------
    source : Investigation or Dataset
        What to look into. Of an investigation its window, its measure and the segments that it found, on whose first
        columns it opens; of events the
        last week against all the time before.
    by : str or sequence of str, optional
        One to three columns to start from.
    window : (start, end), optional
        Of a dataset: start <= time < end, UTC.
    measure : str, optional
        `fraud`, `events`, `amount`, `alerts`, `flagged`, `fraud:<label source>` or a money measure.
    columns : iterable of str, optional
        The columns to offer; by default those that an investigation searches, without the entities.

    Returns
    -------
    SegmentExplorer
        `value` is the chosen segment, `where` the same as rule text, `result` the `Breakdown`.

    Raises
    ------
    ParameterError
        When it is handed something else, or there is no such column or measure.
    DataError
        When the events bear no time, or none lies in the window.

    Examples
    --------
    >>> import riskbench as rb
    >>> panel = rb.segment_explorer(rb.sample(orders=5_000), by="payment_method", measure="events")
    >>> panel.value = {"payment_method": "cod"}
    >>> panel.where
    "payment_method = 'cod'"
    """
    return SegmentExplorer(source, by=by, window=window, measure=measure, columns=columns)
