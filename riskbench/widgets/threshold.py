"""What does another cut do? A cut that is dragged, with its exact numbers, its limits and the book that it makes."""

from __future__ import annotations

import math
import re
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import traitlets

from riskbench.calibration.calibration import Calibration
from riskbench.calibration.pages import a_week, told_apart
from riskbench.calibration.reading import WHERE, CutReading
from riskbench.display import chart, html, number
from riskbench.display.steps import MOST_STEPS, Steps
from riskbench.errors import ParameterError
from riskbench.rules.book import RuleBook
from riskbench.widgets.panel import Panel
from riskbench.widgets.writing import BookWriter

#: A number with its thousands set apart: "0,7" is none, and is never read as 7.
_GROUPED = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
#: Stops of the slider: more than these cannot be told apart with a mouse.
STOPS = 600


class ThresholdPanel(Panel):
    """A calibration whose cut can be moved: exact numbers at once, beside the proposed cut and today's.

    `value` is the cut; set it, or drag, or press the arrow keys, or type any number. `result` is the reading of the
    cut, `book` the rule book with it.
    """

    title: ClassVar[str] = "Move the cut"

    value: Any = traitlets.TraitType(math.nan)

    def __init__(
        self, calibration: Calibration, *, book: RuleBook | None = None, folder: str | Path | None = None
    ) -> None:
        if not isinstance(calibration, Calibration):
            raise ParameterError(
                "A threshold panel takes a calibration", got=type(calibration).__name__, hint="rb.calibrate(...)"
            )
        if book is not None and not isinstance(book, RuleBook):
            raise ParameterError("A threshold panel takes a rule book", got=type(book).__name__)
        super().__init__()
        import ipywidgets

        self._held, self._book, self._reading = calibration, book, calibration.at(calibration.threshold)
        self._stops = calibration.reader.stops(STOPS, keep=self._marks())
        self._base = calibration.picture()
        self._moving, self._remark = False, _other_book(calibration, book)
        wide = ipywidgets.Layout(width="98%", max_width="720px")
        self.slider = ipywidgets.IntSlider(
            value=0, min=0, max=len(self._stops) - 1, readout=False, description="cut", layout=wide
        )
        self.exact = ipywidgets.Text(
            description="exactly", continuous_update=False, layout=ipywidgets.Layout(width="260px")
        )
        button = {"layout": ipywidgets.Layout(width="auto")}
        self.lower = ipywidgets.Button(description="one lower", tooltip="the next lower cut that differs", **button)
        self.higher = ipywidgets.Button(description="one higher", tooltip="the next higher cut that differs", **button)
        self.proposed = ipywidgets.Button(description="proposed", tooltip="back to the proposed cut", **button)
        self.today = ipywidgets.Button(description="today's", tooltip="today's cut", **button)
        self.today.disabled = calibration.today is None
        self._numbers, self._mark, self._segments = (ipywidgets.HTML() for _ in range(3))
        self.writer = BookWriter(self, folder=folder)
        self.slider.observe(self._guard(self._dragged), names="value")
        self.exact.observe(self._guard(self._typed), names="value")
        for step, held in ((-1, self.lower), (1, self.higher)):
            held.on_click(self._guard(lambda _, step=step: self._step(step)))
        for held, cut in ((self.proposed, calibration.threshold), (self.today, calibration.today)):
            held.on_click(self._guard(lambda _, cut=cut: self._move(cut)))
        row = ipywidgets.Layout(flex_flow="row wrap")
        self._compose(
            ipywidgets.HTML(html.heading(f"{self.title}: {calibration.name}")),
            self.slider,
            ipywidgets.HBox([self.exact, self.lower, self.higher, self.proposed, self.today], layout=row),
            self._numbers,
            self._overlaid(),
            self._segments,
            self.writer.box,
        )
        self.set_trait("value", calibration.threshold)

    @traitlets.validate("value")  # type: ignore[untyped-decorator]
    def _check(self, proposal: Any) -> float:
        return self._held.reader.checked(proposal["value"])

    @traitlets.observe("value")  # type: ignore[untyped-decorator]
    def _changed(self, change: Any) -> None:
        self._reading = self._held.at(change["new"])
        self._show()

    @property
    def result(self) -> CutReading:
        """The reading at this cut."""
        return self._reading

    @property
    def book(self) -> RuleBook:
        """The rule book with this cut in place.

        Raises
        ------
        ParameterError
            When there is no book to change.
        """
        return self.apply()

    def apply(self, book: RuleBook | None = None) -> RuleBook:
        """Return a rule book with this cut in place: the given one, else the panel's, else the calibration's."""
        return self._reading.apply(self._book if book is None else book)

    def _marks(self) -> list[float]:
        held = [self._held.threshold, self._held.today]
        return [cut for cut in held if cut is not None]

    def _move(self, cut: float) -> None:
        self.value = cut

    def _dragged(self, change: Any) -> None:
        if not self._moving:
            self.value = float(self._stops[change["new"]])

    def _typed(self, change: Any) -> None:
        if self._moving:
            return
        text = str(change["new"]).strip().lower()
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        nobody = float(self._held.reader.drawn.table.cuts[0])
        try:
            cut = nobody if text in ("no cut", "none", "inf", "-inf") else float(text)
        except ValueError:
            raise ParameterError(
                f"A cut of {self._held.name} is a number",
                got=repr(text[:40]),
                hint='decimals after a point; "no cut" hits nobody',
            ) from None
        self.value = cut

    def _step(self, way: int) -> None:
        """Move to the next observed cut below or above."""
        cuts, (low, high) = np.sort(self._held.reader.drawn.table.cuts), self._held.reader.bounds
        at = (
            int(np.searchsorted(cuts, self.value, "left")) - 1
            if way < 0
            else int(np.searchsorted(cuts, self.value, "right"))
        )
        if 0 <= at < len(cuts) and (low <= cuts[at] <= high or math.isinf(cuts[at])):
            self.value = float(cuts[at])

    def _overlaid(self) -> Any:
        """Return the picture, drawn once, and the mark that moves over it: both lie in one cell of a grid."""
        import ipywidgets

        picture, same = self._base, "1 / 1 / 2 / 2"
        assert picture is not None  # every calibration has a curve to draw
        image = ipywidgets.HTML(
            f'<div style="width:{picture.width}px">{html.picture(picture.png, alt=self._held.alt)}</div>'
        )
        for part in (image, self._mark):
            part.layout.grid_area, part.layout.margin = same, "0"
        return ipywidgets.GridBox([image, self._mark], layout=ipywidgets.Layout(width="100%", overflow="auto"))

    def _show(self) -> None:
        reading, cut = self._reading, self.value
        self._moving = True
        try:
            with np.errstate(over="ignore"):
                self.slider.value = int(np.argmin(np.abs(np.nan_to_num(self._stops) - np.nan_to_num(cut))))
            whole = cut.is_integer() and abs(cut) < 2**53
            self.exact.value = "no cut" if math.isinf(cut) else repr(int(cut) if whole else cut)
        finally:
            self._moving = False
        self._numbers.value = self._remark + _numbers(reading)
        self._mark.value = _mark(self._base, cut)
        caption, page = reading.pages["segments"]
        self._segments.value = _folded(caption, html.table(page, rows=reading.repr_rows)) if len(page) else ""
        self.writer.show()

    def _steps(self) -> Steps:
        return steps_of(self._held, self.value)


def _numbers(reading: CutReading) -> str:
    caption, page = reading.pages["measures"]
    limits = "".join(
        f'<div style="margin:2px 0 2px 10px;{html.INK};font-weight:{400 if kept else 700}">'
        f'<span aria-hidden="true">{"✓" if kept else "✗"}</span> {escape(str(words))}</div>'
        for words, kept in zip(reading.limits["words"], reading.limits["kept"], strict=True)
    )
    told = html.notes([f"Read on {reading.window}, {WHERE}; what it promises and what came later stand above."])
    return told + html.facts(reading.headline()) + limits + html.table(page, caption=caption, rows=20)


def _other_book(held: Calibration, book: RuleBook | None) -> str:
    """Return a remark where the cut goes into another book than the one that the numbers rest on."""
    if book is None or (held.given is not None and held.given.hash == book.hash):
        return ""
    rest = "no rule book" if held.given is None else f"{held.given.name!r} as it was then"
    return html.notes(
        [f"The cut goes into another rule book than the numbers rest on: they were worked out on {rest}."]
    )


def _folded(title: str, inside: str) -> str:
    return (
        f'<details open style="{html.INK}"><summary style="cursor:pointer">{escape(title)}</summary>{inside}</details>'
    )


def _mark(picture: chart.Drawn | None, cut: float) -> str:
    """Return a line over the picture where the cut stands."""
    across = None if picture is None else picture.across(cut)
    if picture is None or across is None:
        return ""
    size = f"position:relative;width:{picture.width}px;height:{picture.height}px"
    return (
        f'<div aria-hidden="true" style="{size};pointer-events:none;margin:6px 0"><div style="position:absolute;'
        f"left:{100 * across:.3f}%;top:{100 * picture.top:.2f}%;height:{100 * (picture.bottom - picture.top):.2f}%;"
        f'border-left:3px solid {chart.PURPLE};margin-left:-1.5px"></div></div>'
    )


def steps_of(held: Calibration, cut: float) -> Steps:
    """Return what at most 101 cuts do, with the proposed one, today's and the one that is shown among them."""
    reader, week, weeks = held.reader, a_week(held.per), held.window_weeks
    today = math.nan if held.today is None else held.today
    cuts = reader.stops(MOST_STEPS, keep=[held.threshold, today, cut])
    rows = []
    for one, shown in zip(cuts, told_apart(list(cuts)), strict=True):
        row = reader.row(float(one))
        names = [word for word, at in (("proposed", held.threshold), ("today's", today)) if one == at]
        spans = (
            f"{number(row[part] / weeks, 'money', currency=held.currency, signed=part == 'added_net_value')} "
            f"({' to '.join(number(row[end] / weeks, 'money', signed=part[0] == 'a') for end in (low, high))})"
            for part, low, high in (("net_value", "lower", "upper"), ("added_net_value", "added_lower", "added_upper"))
        )
        rates = (
            "not measurable" if math.isnan(row[rate]) else number(row[rate], "share")
            for rate in ("precision", "recall", "alert_rate", "review_rate", "insult_rate", "approval_rate")
        )
        caught = [] if not held.currency else [number(row["value_caught"] / weeks, "money", currency=held.currency)]
        counts = (number(row[part] / weeks, "average") for part in ("alerts", "frauds"))
        rows.append((f"{shown} ({', '.join(names)})" if names else shown, *spans, *counts, *rates, *caught))
    columns = [
        f"cut of {held.name}, read {WHERE}", f"net value {week}, {WHERE}",
        f"change against today {week}, {WHERE}", f"alerts {week}",
        f"frauds alerted {week}", "precision", f"recall, {WHERE}", "alert rate", "review rate",
        f"insult rate, {WHERE}", "approval rate",
        *([f"value caught {week}"] if held.currency else []),
    ]  # fmt: skip
    return Steps(
        label=f"Cut of {held.name}, read on {held.window}, {WHERE}",
        table=pd.DataFrame(rows, columns=columns),
        at=int(np.flatnonzero(cuts == cut)[0]),
    )


def threshold_panel(
    calibration: Calibration, *, book: RuleBook | None = None, folder: str | Path | None = None
) -> ThresholdPanel:
    """Return a panel that moves the cut of a calibration and shows what each cut does, exactly and at once.

    Use it to answer "and at 0.7?" in a meeting. The numbers are those of the calibration's curve, on the window that
    the cut was chosen on: a cut picked here because it looks best promises less than it shows. On a page without a
    kernel the panel is its picture, its table and up to 101 precomputed cuts.

    Parameters
    ----------
    calibration : Calibration
        What `rb.calibrate` returned.
    book : RuleBook, optional
        The rule book to put the cut into; by default the one that the calibration was given.
    folder : path, optional
        Where rule books are written, by the panel's button; by default the working folder.

    Returns
    -------
    ThresholdPanel
        `value` is the cut, `result` the `CutReading` at it, `book` the rule book with it.

    Raises
    ------
    ParameterError
        When it is handed something else.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(7)
    >>> fraud = rng.random(4000) < 0.05
    >>> frame = pd.DataFrame({"id": np.arange(4000), "fraud": fraud.astype(int), "amount": 100.0,
    ...     "risk": np.round(np.clip(rng.normal(0.3 + 0.4 * fraud, 0.15), 0, 1), 2),
    ...     "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(4000) // 40, unit="D")})
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk"))
    >>> panel = rb.threshold_panel(rb.calibrate(events))
    >>> panel.value = 0.7
    >>> panel.result.headline()[0].text, panel.book.rule("CUT-risk").params["cut"].default
    ('0.7', 0.7)
    """
    return ThresholdPanel(calibration, book=book, folder=folder)
