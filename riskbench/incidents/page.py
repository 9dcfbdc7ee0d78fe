"""How is an incident told to those who were not there? Sections as a page, as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.display.page import Section, html_page, markdown_page, save_page


@result
class IncidentPage(Result):
    """A page on one incident or a shift: a post-mortem, a hand-over note, an update for an audience.

    `.page` is the page as self-contained HTML without scripts, `.markdown` the same as Markdown; `.save(path)` writes
    either, by the file's ending.

    Attributes
    ----------
    sections : DataFrame
        section, text, missing: what is still to be written there, empty when nothing is.
    name : str
        The heading.
    about : str
        What kind of page it is.
    """

    kind: ClassVar[str] = "incident_page"
    title: ClassVar[str] = "Page on an incident"
    main: ClassVar[str] = "sections"
    repr_rows: ClassVar[int] = 30
    next_step: ClassVar[str] = '.save("page.html") or .save("page.md")'

    name: str
    about: str
    sections: pd.DataFrame
    parts: tuple[Section, ...]
    facts: tuple[Fact, ...]
    foot: str

    def headline(self) -> tuple[Fact, ...]:
        """Return what the page is about, and how much of it is still to be written."""
        open_ = sum(bool(part.gap) for part in self.parts)
        left = Fact("Sections to be written", open_, "count", note=f"of {len(self.parts)}")
        return (Fact("Page", self.about, "text", note=self.name), left, *self.facts)[:6]

    @property
    def markdown(self) -> str:
        """The page as Markdown; text that people wrote stays text."""
        return markdown_page(self.name, self.parts, about=self.about, facts=self.facts, foot=self.foot)

    @property
    def page(self) -> str:
        """The page as self-contained HTML: no script, nothing from the network, for light and dark screens."""
        return html_page(self.name, self.parts, about=self.about, facts=self.facts, foot=self.foot)

    def save(self, path: str | Path) -> Path:
        """Write the page to a file that ends in .html or .md, and return its path.

        Raises
        ------
        ParameterError
            When the file ends otherwise, or cannot be written.
        """
        return save_page(path, {".html": lambda: self.page, ".htm": lambda: self.page, ".md": lambda: self.markdown})


def make_page(
    name: str, parts: Sequence[Section], *, about: str, facts: Sequence[Fact] = (), foot: str, notes: Sequence[str] = ()
) -> IncidentPage:
    """Return sections as a page."""
    rows = [(part.name, part.plain, part.gap) for part in parts]
    return IncidentPage(
        name=name,
        about=about,
        sections=pd.DataFrame(rows, columns=["section", "text", "missing"]),
        parts=tuple(parts),
        facts=tuple(facts),
        foot=foot,
        notes=tuple(notes),
    )
