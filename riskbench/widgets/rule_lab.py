"""What if this rule were off, or that limit higher? Every rule moved by hand, answered at once and exactly."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import traitlets

from riskbench.data.outcomes import ladder
from riskbench.display import html
from riskbench.display.steps import MOST_STEPS, Steps
from riskbench.errors import ParameterError
from riskbench.metrics.costs import Costs
from riskbench.rules.appraisal.leave_one_out import leave_one_out
from riskbench.rules.appraisal.what_if import WhatIf, what_if
from riskbench.rules.book import RuleBook
from riskbench.rules.comparison.request import ChangeRequest, request_change
from riskbench.rules.doors import wanted
from riskbench.rules.rule import Rule
from riskbench.rules.simulation import Simulation, simulate
from riskbench.rules.standing import Standing
from riskbench.widgets.panel import Panel
from riskbench.widgets.rule_edits import Edits, edited, nothing, tidied, with_edit
from riskbench.widgets.rule_rows import RuleRow
from riskbench.widgets.writing import BookWriter

#: So many rules have their controls on the screen at once.
ON_A_PAGE = 8
_SHOWN = ("all rules", "live", "not live", "edited")
_MOST_RULES, _MOST_LINES = 8, 30
_STEPS = ("net_value", "net_value_lower", "net_value_upper", "flips", "alerts", "frauds", "insults", "reviews")


class RuleLab(Panel):
    """Every rule of a book under the hand: on or off, outcome, priority and values, with the exact what-if beside it.

    Attributes
    ----------
    value : dict
        The edits: off, on (rules), outcomes, priorities, params (by rule). Set it to anything
        `Simulation.what_if` takes; it is checked, and what changes nothing is left out.
    result : WhatIf
        What the edits change, with `measures`, `swaps`, `hits` and `regions` on request.
    book : RuleBook
        The book as written, with the edits; a live rule that is off is retired.
    """

    title: ClassVar[str] = "Rule lab"

    #: None is tidied like any other value; `traitlets.Any` would let it through unchecked.
    value: Any = traitlets.TraitType(None)

    def __init__(
        self,
        simulation: Simulation,
        *,
        costs: Costs | Mapping[str, float] | None = None,
        folder: str | Path | None = None,
    ) -> None:
        super().__init__()
        wanted(simulation, "Simulation", name="simulation")
        self._simulation = simulation
        self._standing = simulation.standing if costs is None else Standing(simulation.hits, Costs.from_mapping(costs))
        self._rules = self._standing.held.book.rules
        self._rows: dict[str, RuleRow] = {}
        self._page = 0
        self._found = self._next = self._try(nothing())
        self._make(folder)
        self.value = nothing()

    # What it answers

    @property
    def result(self) -> WhatIf:
        """What the edits change."""
        return self._found

    @property
    def book(self) -> RuleBook:
        """The written book with the edits; its text keeps comments, order and form."""
        return self._found.book

    def request(
        self,
        *,
        reason: str,
        requested_by: str | None = None,
        title: str | None = None,
        chosen_on: str | None = None,
        reported_on: str | None = None,
    ) -> ChangeRequest:
        """Return the page on which a reviewer signs that the edited book replaces today's.

        The edited book is simulated anew on the same events, so that the page rests on no shortcut. The edits were
        chosen on these events: say so in `chosen_on`, or simulate both books on later ones and use `request_change`.

        Parameters
        ----------
        reason : str
            Why the change is asked for.
        requested_by, title : str, optional
            Who asks, and what the request is called.
        chosen_on, reported_on : str, optional
            The window on which the edits were chosen, and what the events are, in words.

        Raises
        ------
        ParameterError
            When nothing is edited, or a text is empty, too long or no text.
        """
        if not edited(self.value):
            raise ParameterError("Nothing is edited", hint="switch a rule or move a value first")
        held, costs = self._standing.held, self._standing.costs
        after = simulate(self.book, held.dataset, asof=held.asof, on=held.day, costs=costs)
        return request_change(
            self._simulation, after, reason=reason, requested_by=requested_by, title=title,
            chosen_on=chosen_on, reported_on=reported_on, costs=costs,
        )  # fmt: skip

    def reset(self) -> None:
        """Take all edits back."""
        self.value = nothing()

    # What moves

    @traitlets.validate("value")  # type: ignore[untyped-decorator]
    def _checked(self, proposal: Any) -> Edits:
        made = tidied(proposal["value"], self._standing.held)
        if made != self.value:
            self._next = self._try(made)
        return made

    @traitlets.observe("value")  # type: ignore[untyped-decorator]
    def _answer(self, _: object) -> None:
        self._found = self._next
        self._tell("")
        self._show()

    def _try(self, edits: Edits) -> WhatIf:
        return what_if(self._standing, **edits)

    def _moved(self, rule: Rule, part: str, content: object) -> None:
        def move() -> None:
            try:
                self.value = with_edit(self.value, rule, part, content)
            finally:
                self._place(rule)

        self._guard(move)()

    # What is seen

    def _make(self, folder: str | Path | None) -> None:
        import ipywidgets

        tight = {"description_width": "initial"}
        self.filter = ipywidgets.Text(
            description="find", placeholder="id, title or condition", continuous_update=False, style=tight
        )
        self.shown = ipywidgets.Dropdown(options=_SHOWN, description="show", style=tight, layout={"width": "14em"})
        self.earlier = ipywidgets.Button(description="◀", tooltip="earlier rules", layout={"width": "3em"})
        self.further = ipywidgets.Button(description="▶", tooltip="further rules", layout={"width": "3em"})
        self.position = ipywidgets.HTML()
        self.again = ipywidgets.Button(description="Reset", tooltip="take all edits back")
        self.writer = BookWriter(self, folder=folder)
        self.writer.button.tooltip = "write the edited rule book to a YAML file"
        self._answer_line, self._view = ipywidgets.HTML(), ipywidgets.HTML()
        self._list = ipywidgets.VBox()
        for control in (self.filter, self.shown):
            control.observe(self._guard(lambda _: self._turn(-self._page)), names="value")
        self.earlier.on_click(self._guard(lambda _: self._turn(-1)))
        self.further.on_click(self._guard(lambda _: self._turn(1)))
        self.again.on_click(self._guard(lambda _: self.reset()))
        wrap = {"flex_flow": "row wrap", "align_items": "center"}
        self._compose(
            ipywidgets.HTML(html.heading(f"{self.title}: {self._simulation.book.name}")),
            ipywidgets.HBox(
                [self.filter, self.shown, self.earlier, self.position, self.further, self.again], layout=wrap
            ),
            self._answer_line,
            self._list,
            self._view,
            self.writer.box,
        )

    def _turn(self, by: int) -> None:
        """Show another page of rules."""
        most = max(0, (len(self._matching()) - 1) // ON_A_PAGE)
        self._page = min(max(0, self._page + by), most)
        self._rules_shown()

    def _matching(self) -> list[Rule]:
        word, wants, touched = self.filter.value.strip().casefold(), self.shown.value, edited(self.value or {})
        found = []
        for rule in self._rules:
            state = {"live": rule.status == "live", "not live": rule.status != "live", "edited": rule.id in touched}
            text = f"{rule.id} {rule.title or ''} {rule.when}".casefold()
            if word in text and state.get(wants, True):
                found.append(rule)
        return found

    def _rules_shown(self) -> None:
        matching = self._matching()
        first = self._page * ON_A_PAGE
        page = matching[first : first + ON_A_PAGE]
        names = ladder(self._simulation.book.domain).names
        for rule in page:
            if rule.id not in self._rows:
                self._rows[rule.id] = RuleRow(rule, names, self._moved)
            self._place(rule)
        boxes = tuple(self._rows[rule.id].box for rule in page)
        if boxes != self._list.children:
            self._list.children = boxes
        self.position.value = escape(
            f"{first + 1} to {first + len(page)} of {len(matching):,}" if page else "none found"
        )
        self.earlier.disabled, self.further.disabled = first == 0, first + ON_A_PAGE >= len(matching)

    def _place(self, rule: Rule) -> None:
        """Set one rule's controls to what the edits say."""
        if rule.id in self._rows:
            self._rows[rule.id].show(self.value, self._counts[rule.id])

    @property
    def _counts(self) -> dict[str, str]:
        """What each rule hits and decides, in words."""
        held = self._found._cache  # noqa: SLF001
        if "counts" not in held:
            rows = self._found.frame("hits").itertuples(index=False, name=None)
            held["counts"] = {rule: _counted(*counts) for rule, *counts in rows}
        return held["counts"]

    def _show(self) -> None:
        self._rules_shown()
        self._answer_line.value = html.facts(self._found.headline())
        self._view.value = self._seen()
        self.writer.show()

    def _seen(self) -> str:
        found = self._found
        told = found.frame("measures").rename(columns={"before": "today", "after": "proposed", "difference": "change"})
        parts = [html.table(told, caption="Beside today; 95 %, paired", rows=len(told))]
        swaps = found.frame("swaps")
        if len(swaps):
            caption = f"The {found.flips:,} events that flip"
            parts.append(
                html.table(swaps.drop(columns=["fraud_value", "good_value"]), caption=caption, rows=len(swaps))
            )
        if len(found.rules):
            parts.append(html.table(found.rules, caption="Events that each rule decides", rows=_MOST_RULES))
        parts.append(html.notes(found.notes))
        return "".join(parts)

    # What stays of it

    def _steps(self) -> Steps | None:
        frame = leave_one_out(self._standing)
        if not len(frame):
            return None
        size = frame["net_value"].abs().fillna(0.0).to_numpy()
        kept = np.sort(np.lexsort((-frame["flips"].to_numpy(), -size))[: MOST_STEPS - 1])
        own = frame.iloc[kept][["rule", *_STEPS]].rename(columns={"rule": "rule_off"})
        none = {"rule_off": "none", **dict.fromkeys(_STEPS, 0)}
        return Steps(
            label="Today's book with one rule off", table=pd.concat([pd.DataFrame([none]), own], ignore_index=True)
        )

    def _repr_mimebundle_(self, **given: object) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**given)
        lines = self._simulation.book.diff(self.book) or ["nothing is edited"]
        more = [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
        told = html.notes([f"Edited: {line}" for line in lines[:_MOST_LINES]] + more)
        bundle["text/html"] = html.heading(f"{self.title}: {self._simulation.book.name}") + told + bundle["text/html"]
        return bundle


def rule_lab(
    simulation: Simulation,
    *,
    costs: Costs | Mapping[str, float] | None = None,
    folder: str | Path | None = None,
) -> RuleLab:
    """Return a panel in which every rule of a simulated book is switched and moved, with the exact what-if at once.

    Use it to think with: what is this rule worth, what would a higher limit let through, who takes over? Every
    figure equals that of simulating the edited book. Intervals are on the paired difference. Edits that are looked
    for on some events flatter themselves there: try the book on later events before it is asked for.

    Parameters
    ----------
    simulation : Simulation
        What `rb.simulate` gave.
    costs : Costs or mapping, optional
        Other costs than those of the simulation.
    folder : path, optional
        The folder that books are written into; by default the working folder.

    Returns
    -------
    RuleLab
        `.value` the edits, `.result` what they change, `.book` the edited book, `.request(reason=...)` the page to
        sign, `.observe(handler, names="value")` tells of each change.

    Raises
    ------
    ParameterError
        When it is no simulation, or for a cost that does not exist.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(
    ...     pd.DataFrame({"id": [1, 2, 3], "amount": [10.0, 700.0, 900.0], "fraud": [0, 0, 1]}),
    ...     roles=rb.Roles(id="id", amount="amount", label="fraud"),
    ... )
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
    ... ''')
    >>> lab = rb.rule_lab(rb.simulate(book, events))
    >>> lab.value = {"params": {"TX-1": {"limit": 800}}}
    >>> lab.result.flips, lab.book.rule("TX-1").values()
    (1, {'limit': 800})
    """
    return RuleLab(simulation, costs=costs, folder=folder)


def _counted(hits: int, hits_now: int, decides: int, decides_now: int) -> str:
    now = f"{hits_now:,} hits, decides {decides_now:,}"
    return now if (hits, decides) == (hits_now, decides_now) else f"{now} (today {hits:,} and {decides:,})"
