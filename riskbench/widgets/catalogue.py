"""Which playbook answers my question? The catalogue to search, with a form behind each entry."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import ClassVar

import pandas as pd

from riskbench.display import Fact, Result, html, result
from riskbench.errors import ParameterError, listed, nearest
from riskbench.runner.catalogue import Playbook, find_playbooks
from riskbench.widgets.form import PlaybookForm
from riskbench.widgets.panel import Panel


@result
class PlaybookCard(Result):
    """One playbook: what it answers, what it takes, and what it ends in.

    Attributes
    ----------
    parameters : DataFrame
        name, allowed, default, help.
    """

    kind: ClassVar[str] = "playbook_card"
    title: ClassVar[str] = "Playbook"
    main: ClassVar[str] = "parameters"
    repr_rows: ClassVar[int] = 40

    playbook: str
    name: str
    question: str
    parameters: pd.DataFrame

    @classmethod
    def of(cls, book: Playbook) -> PlaybookCard:
        """Return a playbook's card."""
        rows = [
            (held.name, held.limits, "none" if held.default is None else str(held.default), held.help)
            for held in book.parameters
        ]
        told = (("Reads", book.inputs), ("Ends in", book.produces), ("Domains", book.domain))
        return cls(
            playbook=book.id,
            name=book.title,
            question=book.question,
            parameters=pd.DataFrame(rows, columns=["name", "allowed", "default", "help"]),
            notes=(
                *(f"{label}: {listed(texts)}." for label, texts in told if texts),
                *([f"Owner: {book.owner}."] if book.owner else []),
                *([f"Meant to run: {book.cadence}."] if book.cadence else []),
            ),
        )

    def headline(self) -> tuple[Fact, ...]:
        """Return which playbook, its question, and how much can be asked."""
        return (
            Fact("Playbook", self.name, "text", note=self.playbook),
            Fact("Question", self.question or "–", "text"),
            Fact("Parameters", len(self.parameters), "count"),
        )


class PlaybookBrowser(Panel):
    """The catalogue of playbooks, with a search box; one picked is shown with its parameters, and opened as a form.

    Attributes
    ----------
    value : str or None
        The id of the playbook that is picked.
    result : Result
        The catalogue as filtered; with one picked its card.
    form : PlaybookForm or None
        The form, once it was asked for.
    """

    title: ClassVar[str] = "Playbooks"

    def __init__(self, *, out: str | Path = "runs", store: str | None = None) -> None:
        super().__init__()
        import ipywidgets

        self._out, self._store = out, store
        self._all = self._found = find_playbooks()
        self.form: PlaybookForm | None = None
        self.search = ipywidgets.Text(
            placeholder="what do you want to know?", description="search", layout={"width": "30em"}
        )
        self.pick = ipywidgets.Select(options=[], rows=8, layout={"width": "98%"})
        self.form_button = ipywidgets.Button(
            description="Form", icon="edit", disabled=True, tooltip="fill it in and run it"
        )
        self._said, self._card, self._place = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.VBox([])
        self.search.observe(self._guard(lambda _: self._filter()), names="value")
        self.pick.observe(self._guard(lambda _: self._picked()), names="value")
        self.form_button.on_click(self._guard(lambda _: self.open()))
        self._compose(
            ipywidgets.HTML(html.heading(self.title)),
            self.search,
            self._said,
            self.pick,
            self.form_button,
            self._place,
            self._card,
        )
        self._guard(self._filter)()

    @property
    def result(self) -> Result:
        """The catalogue as filtered; with one picked its card."""
        return self._found if self.value is None else PlaybookCard.of(self._all.playbook(self.value))

    def select(self, name: str) -> None:
        """Pick a playbook by its id.

        Raises
        ------
        ParameterError
            When no playbook that is shown has it.
        """
        known = [book.id for book in self._found.held]
        if name not in known:
            close = nearest(name, known)
            raise ParameterError(
                f"No playbook shown is called {name[:80]!r}",
                allowed=listed(known),
                hint=f"did you mean {close!r}?" if close else None,
            )
        self.pick.value = name

    def open(self) -> PlaybookForm:
        """Show the picked playbook's form below, and return it.

        Raises
        ------
        ParameterError
            When none is picked.
        """
        if self.value is None:
            raise ParameterError("No playbook is picked", hint="pick one in the list")
        self.form = PlaybookForm(self._all.playbook(self.value), {}, out=self._out, store=self._store)
        self._place.children, self._card.value = (self.form.box,), ""
        return self.form

    def _filter(self) -> None:
        words = self.search.value
        self._found = self._all.search(words) if words.strip() else self._all
        held = self._found.held
        kept = self.pick.value
        self.pick.options = [(f"{book.title}: {book.question}"[:160], book.id) for book in held]
        self.pick.value = kept if kept in {book.id for book in held} else None
        some = f"{len(held)} of {len(self._all.held)} playbooks"
        near = f"; did you mean {self._found.near!r}?" if not held and self._found.near else ""
        self._said.value = f"<div>{escape(some + near)}</div>"
        self._picked()

    def _picked(self) -> None:
        chosen = self.pick.value
        if chosen != self.value:
            self.form, self._place.children = None, ()
        self.value = chosen
        self.form_button.disabled = chosen is None
        self._card.value = "" if chosen is None else PlaybookCard.of(self._all.playbook(chosen))._repr_html_()


def playbook_browser(*, out: str | Path = "runs", store: str | None = None) -> PlaybookBrowser:
    """Return the catalogue to look through: search it, pick a playbook to see what it takes, and open its form.

    Use it when you know the question and not the name. The search looks into titles, questions, what is read and
    produced, and the parameters with their help.

    Parameters
    ----------
    out : str or Path
        The folder that the forms' run folders are made in.
    store : str, optional
        The URL of the store that keeps the ledger.

    Returns
    -------
    PlaybookBrowser
        `.value`, `.result`, `.select(id)`, `.open()`, `.form`.

    Raises
    ------
    RiskbenchError
        When the settings of the workspace are wrong.

    Examples
    --------
    >>> import riskbench as rb
    >>> browser = rb.playbook_browser()
    >>> browser.search.value = "which rules slipped"
    >>> browser.select("rule_health")
    >>> browser.open()
    PlaybookForm(PlannedRun(Playbook: Rule health; Unlike the default: 0; Ready to run: yes))
    """
    return PlaybookBrowser(out=out, store=store)
