"""How is an incident told to those who were not there? Sections as a page, as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import ClassVar

import pandas as pd

from riskbench.display import Fact, Result, html, result
from riskbench.errors import ParameterError
from riskbench.incidents.wording import markdown

#: The most rows of a table on a page.
MOST_ROWS = 300

_CSS = """
:root{--ink:#1b1f24;--soft:#57606a;--paper:#fff;--wash:#f6f8fa;--line:#d8dee4;--warn:#9a4b00;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#a3adb8;--paper:#14181d;--wash:#1c2229;--line:#343c46;
--warn:#f0a35e}}
:root{--jp-ui-font-color1:var(--ink);--jp-ui-font-color2:var(--soft);--jp-border-color2:var(--line)}
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
body{margin:0 auto;max-width:64rem;padding:2.2rem 1.4rem 3rem;overflow-wrap:break-word}
.kind{color:var(--soft);font-size:.85rem;letter-spacing:.04em;text-transform:uppercase;margin:0}
h1{font-size:1.8rem;line-height:1.2;margin:.1rem 0 1rem}
h2{font-size:1.25rem;margin:2rem 0 .4rem;padding-top:.8rem;border-top:1px solid var(--line)}
p,ul{max-width:46rem;margin:.5rem 0}
p{white-space:pre-line}
table{font-size:.92rem;width:100%}
th,td{vertical-align:top;text-align:left}
td:first-child{white-space:nowrap}
tbody tr:nth-child(even){background:var(--wash)}
.facts{border:1px solid var(--line);border-radius:10px;background:var(--wash);padding:1rem 1.3rem .4rem}
.missing{color:var(--warn);border-left:4px solid var(--warn);padding-left:.8rem}
footer{margin-top:3rem;padding-top:.9rem;border-top:1px solid var(--line);color:var(--soft);font-size:.82rem}
@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--wash:#fff;--line:#bbb}h2{break-after:avoid}
tr{break-inside:avoid}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: paragraphs, points and a table; or what is missing, where it has none of them.

    Attributes
    ----------
    name : str
        Its heading.
    texts, points : tuple of str
        Paragraphs, and a list.
    table : DataFrame or None
        A small table.
    missing : str
        What is to be written here; shown while it is empty, and below what there is where `draft` is set.
    draft : bool
        Whether something is still missing though there is content.
    """

    name: str
    texts: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    missing: str = ""
    draft: bool = False

    @property
    def filled(self) -> bool:
        """Whether there is anything in it."""
        return bool(any(self.texts) or self.points or (self.table is not None and len(self.table)))

    @property
    def gap(self) -> str:
        """What is missing; empty when nothing is."""
        return self.missing if self.draft or not self.filled else ""

    @property
    def plain(self) -> str:
        """Its content as plain text."""
        parts = [*self.texts, *self.points]
        if self.table is not None and len(self.table):
            parts.append(f"{len(self.table)} rows: {', '.join(map(str, self.table.columns))}")
        return " ".join(part for part in parts if part)


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
        lines = [f"# {markdown(self.name)}", "", f"*{markdown(self.about)}*", ""]
        lines += [f"- **{markdown(fact.name)}:** {markdown(_told(fact))}" for fact in self.facts]
        for part in self.parts:
            lines += ["", f"## {markdown(part.name)}", ""]
            for text in filter(None, part.texts):
                lines += [markdown(text), ""]
            lines += [f"- {_one_line(point)}" for point in part.points]
            if part.table is not None and len(part.table):
                lines += [*([""] if part.points else []), *_rows(part.table)]
            if part.gap:
                lines += ["", f"> **To be written:** {markdown(part.gap)}"]
        return "\n".join([*lines, "", "---", "", markdown(self.foot), ""])

    @property
    def page(self) -> str:
        """The page as self-contained HTML: no script, nothing from the network, for light and dark screens."""
        body = []
        for part in self.parts:
            body.append(f"<section><h2>{escape(part.name)}</h2>")
            body += [f"<p>{escape(text)}</p>" for text in part.texts if text]
            if part.points:
                body.append(f"<ul>{''.join(f'<li>{escape(point)}</li>' for point in part.points)}</ul>")
            if part.table is not None and len(part.table):
                body.append(html.table(part.table, rows=MOST_ROWS))
            if part.gap:
                body.append(f'<p class="missing"><b>To be written:</b> {escape(part.gap)}</p>')
            body.append("</section>")
        cards = f'<div class="facts">{html.facts(self.facts)}</div>' if self.facts else ""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            f"<title>{escape(self.name)}</title><style>{_CSS}</style></head><body>"
            f'<header><p class="kind">{escape(self.about)}</p><h1>{escape(self.name)}</h1></header>'
            f"<main>{cards}{''.join(body)}</main><footer>{escape(self.foot)}</footer></body></html>\n"
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file that ends in .html or .md, and return its path.

        Raises
        ------
        ParameterError
            When the file ends otherwise, or cannot be written.
        """
        target = Path(path)
        texts = {".html": lambda: self.page, ".htm": lambda: self.page, ".md": lambda: self.markdown}
        make = texts.get(target.suffix.lower())
        if make is None:
            raise ParameterError(
                "A page is HTML or Markdown", got=target.name, allowed="a name that ends in .html or .md"
            )
        try:
            target.write_text(make(), encoding="utf-8", newline="\n")
        except OSError as error:
            raise ParameterError("The page cannot be written", got=str(target), hint=error.strerror) from None
        return target


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


def _told(fact: Fact) -> str:
    return f"{fact.text} ({fact.note})" if fact.note and fact.value is not None else fact.text


def _one_line(text: str) -> str:
    return markdown(" ".join(text.split()))


def _rows(table: pd.DataFrame) -> list[str]:
    """Return a table as Markdown."""
    names = [str(name) for name in table.columns]
    shown = table.head(MOST_ROWS)
    lines = [
        "| " + " | ".join(markdown(name.replace("_", " ")) for name in names) + " |",
        "|" + "---|" * len(names),
    ]
    for row in shown.itertuples(index=False, name=None):
        cells = [_one_line(unescape(html.cell(value, name))) for name, value in zip(names, row, strict=True)]
        lines.append("| " + " | ".join(cells) + " |")
    if len(table) > len(shown):
        lines.append(f"\nand {len(table) - len(shown):,} more rows")
    return lines
