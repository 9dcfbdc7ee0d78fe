"""Why was this event scored so? One event after the other: what moved its score, who is like it, and all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import traitlets

from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_dataset
from riskbench.display import html, number
from riskbench.display.mask import masked
from riskbench.display.steps import MOST_STEPS, Steps
from riskbench.errors import ParameterError
from riskbench.explanation.event_score import EventScore, event_score, row_of
from riskbench.explanation.explanation import Explanation
from riskbench.widgets.panel import Panel

#: The share of events over the cut that the browser begins with.
_OVER = 0.05
_REASONS = 3
#: A cut that is a probability lies so far inside 0 and 1 at least.
_LEAST = 1e-6
#: So many pictures are kept while an analyst goes back and forth.
_KEPT = 64


class ExplanationBrowser(Panel):
    """The events of an explanation, one at a time: the score from the reference's mean, feature by feature.

    Attributes
    ----------
    value : int or None
        The row that is shown, from 0; None where no event is explained.
    cut : float
        The cut that "next over the cut" goes by: a probability, or a margin where there is none.
    result : EventScore
        Why this event has its score.
    """

    title: ClassVar[str] = "Explanation browser"

    #: None is checked like any other value; `traitlets.Any` would let it through.
    value: Any = traitlets.TraitType(None)

    def __init__(
        self,
        explanation: Explanation,
        *,
        dataset: Dataset | None = None,
        ids: Sequence[object] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(explanation, Explanation):
            raise ParameterError(
                "An explanation browser takes an explanation",
                got=type(explanation).__name__,
                hint="rb.explain(model, events) makes one",
            )
        self._held = _named(explanation, dataset, ids)
        self._shown = explanation.scores if explanation.scale == "margin" else explanation.probabilities
        self._order = np.argsort(-self._shown, kind="stable")
        self._rank = np.argsort(self._order, kind="stable")
        self._known: dict[tuple[int, str], tuple[EventScore, str]] = {}
        self._quiet = False
        rows = len(explanation.values)
        self.cut = float(np.quantile(self._shown, 1 - _OVER)) if rows else 0.5
        if explanation.scale != "margin":
            self.cut = min(max(self.cut, _LEAST), 1 - _LEAST)
        self._make()
        self.set_trait("value", int(self._order[0]) if rows else None)
        self._show()

    # What it answers

    @property
    def result(self) -> EventScore:
        """Why this event has its score.

        Raises
        ------
        ParameterError
            When no event is explained.
        """
        return self._at()[0]

    def find(self, name: object) -> int:
        """Go to an event by its id, and return its row; the first where several bear it.

        Raises
        ------
        ParameterError
            When none of the explained events is called so.
        """
        text = str(name).strip()
        at = np.flatnonzero(np.array([str(held) == text for held in self._held.events], dtype=bool))
        if not len(at):
            raise ParameterError("No explained event is called so", hint="ids are those of the explained events")
        self.value = int(at[0])
        return int(at[0])

    @traitlets.validate("value")  # type: ignore[untyped-decorator]
    def _checked(self, proposal: Any) -> int | None:
        row = proposal["value"]
        return None if row is None and not len(self._held.values) else row_of(self._held, row)

    @traitlets.observe("value")  # type: ignore[untyped-decorator]
    def _changed(self, _: object) -> None:
        self._tell("")
        self._show()

    # What moves

    def _make(self) -> None:
        import ipywidgets

        tight, rows = {"description_width": "initial"}, len(self._held.values)
        self.row = ipywidgets.IntText(description="row", style=tight, layout={"width": "9em"})
        self.id = ipywidgets.Text(
            description="id",
            placeholder="an event's id",
            continuous_update=False,
            style=tight,
            layout={"width": "18em"},
        )
        self.over = ipywidgets.FloatText(
            value=self.cut, description="cut", style=tight, layout={"width": "12em"},
            tooltip="a margin" if self._held.scale == "margin" else "a probability",
        )  # fmt: skip
        self.higher = ipywidgets.Button(description="◀ higher score", tooltip="the next higher score over the cut")
        self.lower = ipywidgets.Button(description="next over the cut ▶", tooltip="the next lower score over the cut")
        self.features = ipywidgets.Text(
            description="features", placeholder="part of a name", continuous_update=False, style=tight
        )
        self._view, self._whole = ipywidgets.HTML(), ipywidgets.HTML()
        self.row.observe(self._guard(self._typed), names="value")
        self.id.observe(self._guard(self._asked), names="value")
        self.over.observe(self._guard(self._cut), names="value")
        self.features.observe(self._guard(self._filtered), names="value")
        self.higher.on_click(self._guard(lambda _: self._step(-1)))
        self.lower.on_click(self._guard(lambda _: self._step(1)))
        for control in (self.row, self.id, self.over, self.higher, self.lower, self.features):
            control.disabled = not rows
        wrap = {"flex_flow": "row wrap", "align_items": "center"}
        self._compose(
            ipywidgets.HTML(html.heading(self.title) + html.facts(self._held.headline())),
            ipywidgets.HBox([self.row, self.id, self.over, self.higher, self.lower, self.features], layout=wrap),
            self._view,
            self._whole,
        )
        self._global()

    def _typed(self, change: Any) -> None:
        if self._quiet:
            return
        try:
            self.value = change["new"]
        finally:
            self._settle()

    def _asked(self, change: Any) -> None:
        if change["new"].strip():
            self.find(change["new"])

    def _cut(self, change: Any) -> None:
        if self._quiet:
            return
        cut, low, high = float(change["new"]), 0.0, 1.0
        good = np.isfinite(cut) and (self._held.scale == "margin" or low < cut < high)
        if not good:
            self._settle()
            raise ParameterError("A cut is a probability between 0 and 1, or a margin", got=number(cut))
        self.cut = cut
        self._global()
        self._show()

    def _filtered(self, _: Any) -> None:
        try:
            self._show()
        except ParameterError:
            self.features.value = ""
            raise

    def _step(self, by: int) -> None:
        """Go to the event with the next lower or higher score, among those over the cut."""
        at, over = int(self._rank[self.value]), int((self._shown >= self.cut).sum())
        if not over:
            raise ParameterError("No event is over the cut", got=number(self.cut), hint="lower the cut, or type a row")
        to = at + by if at < over else 0 if by > 0 else over - 1
        if not 0 <= to < over:
            end = "last" if by > 0 else "first"
            raise ParameterError(f"This is the {end} event over the cut", hint="lower the cut, or type a row")
        self.value = int(self._order[to])

    # What is seen

    def _settle(self) -> None:
        """Set the controls to what is shown, without telling anybody."""
        self._quiet = True
        try:
            self.row.value, self.over.value = self.value or 0, self.cut
        finally:
            self._quiet = False

    def _at(self) -> tuple[EventScore, str]:
        """Return the answer of this row and filter, and its HTML."""
        if self.value is None:
            raise ParameterError("No event is explained")
        word = self.features.value.strip().casefold()
        key = (self.value, word)
        if key not in self._known:
            names = None if not word else [name for name in self._held.features if word in name.casefold()]
            if names is not None and not names:
                raise ParameterError("No feature's name holds this", got=word[:80])
            found = event_score(self._held, self.value, features=names)
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = (found, found._repr_html_())
        return self._known[key]

    def _show(self) -> None:
        self._settle()
        self._view.value = "" if self.value is None else self._brought() + self._at()[1]

    def _brought(self) -> str:
        """Return where the event stands at the cut, and what brings it under."""
        row, shown = self.value, float(self._shown[self.value])
        over = int((self._shown >= self.cut).sum())
        said = (
            f"Rank {int(self._rank[row]) + 1:,} of {len(self._order):,}; {over:,} are over the cut {number(self.cut)}."
        )
        game = self._held.game
        if shown >= self.cut and game is not None and game.reference is not None:
            one = self._held.where(np.arange(len(self._order)) == row).over_cut(self.cut)
            said = f"{said} {one['text'].iloc[0]}" if len(one) else said
        return f'<p style="{html.INK};margin:4px 0">{escape(said)}</p>'

    def _global(self) -> None:
        """Show all events together: what matters on the whole, and what sets those over the cut apart."""
        held = self._held
        parts = [html.table(held.importance, caption="What moves the score on the whole", rows=20)]
        over = self._shown >= self.cut
        if over.any() and not over.all():
            apart = held.cohort(over, name="over the cut", rest="under it")
            caption = "Events over the cut against those under it: mean contributions"
            parts.append(html.table(apart.contributions, caption=caption, rows=20))
        parts.append(html.notes(held.notes))
        self._whole.value = (
            f'<details style="{html.INK}"><summary style="cursor:pointer">All {len(over):,} events together</summary>'
            f"{''.join(parts)}</details>"
        )

    # What stays of it

    def _steps(self) -> Steps | None:
        rows = self._order[:MOST_STEPS]
        if len(rows) < 2:
            return None
        held = self._held
        order = np.argsort(-np.abs(held.values[rows]), axis=1, kind="stable")[:, :_REASONS]
        scale = "score" if held.scale == "margin" else "probability_share"
        table = pd.DataFrame(
            {"rank": np.arange(1, len(rows) + 1), "row": rows, "event": [masked(str(held.events[row])) for row in rows],
             scale: self._shown[rows]}
        )  # fmt: skip
        for place in range(order.shape[1]):
            table[f"reason_{place + 1}"] = [
                f"{held.features[f]} {held.values[row, f]:+.3g}" for row, f in zip(rows, order[:, place], strict=True)
            ]
        at = int(self._rank[self.value])
        return Steps(label="Event, the highest score first", table=table, at=at if at < len(table) else 0)

    def _repr_mimebundle_(self, **given: object) -> dict[str, Any]:
        if self.value is not None:
            return super()._repr_mimebundle_(**given)
        twin = self._held._repr_mimebundle_()
        return {"text/plain": repr(self), "text/html": twin["text/html"]}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._held!r})" if self.value is None else super().__repr__()


def explanation_browser(
    explanation: Explanation, *, dataset: Dataset | None = None, ids: Sequence[object] | None = None
) -> ExplanationBrowser:
    """Return a panel that shows why events were scored so, one at a time and all together.

    Use it to answer for a decision, or to look through what a cut would stop. The mean of the reference and the
    contributions sum exactly to the score. Pages show ids masked.

    Parameters
    ----------
    explanation : Explanation
        What `rb.explain` gave.
    dataset : Dataset, optional
        The explained events, in the same order: their ids name the events.
    ids : sequence, optional
        What each event is called, where that is not in the explanation.

    Returns
    -------
    ExplanationBrowser
        `.value` the row, `.result` the `EventScore`, `.find(id)` goes to an event, `.observe(handler, names="value")`
        tells of each change.

    Raises
    ------
    ParameterError
        When it is no explanation, or there are not as many ids as events.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> import riskbench as rb
    >>> events = pd.DataFrame({"amount": [1.0, 2.0, 8.0, 9.0], "age": [5.0, 1.0, 4.0, 2.0]})
    >>> found = rb.explain(LogisticRegression().fit(events, [0, 0, 1, 1]), events)
    >>> browser = rb.explanation_browser(found, ids=["e1", "e2", "e3", "e4"])
    >>> browser.value, browser.find("e1"), browser.result.contributions["feature"].tolist()
    (3, 0, ['amount', 'age'])
    """
    return ExplanationBrowser(explanation, dataset=dataset, ids=ids)


def _named(held: Explanation, dataset: Dataset | None, ids: Sequence[object] | None) -> Explanation:
    """Return the explanation with other names of its events."""
    if dataset is None and ids is None:
        return held
    if dataset is not None:
        a_dataset(dataset)
    if ids is None:
        assert dataset is not None
        ids = dataset.frame([dataset.roles.id])[dataset.roles.id].tolist()
    if isinstance(ids, str) or len(ids) != len(held.values):
        raise ParameterError(
            "Each explained event has one id", got=f"{len(ids):,}", allowed=f"{len(held.values):,}, in the same order"
        )
    return replace(held, events=np.array(list(ids), dtype=object), _cache={})
