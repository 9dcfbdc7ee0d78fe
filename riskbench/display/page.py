"""How does a document look that is read far from a notebook? Sections as one self-contained page, or as Markdown."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING

from riskbench.display import html
from riskbench.display.fact import Fact
from riskbench.display.wording import markdown, private
from riskbench.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

#: The most rows of a table on a page.
MOST_ROWS = 300
#: What is filled in by hand, in Markdown.
_BLANK = r"\_" * 30

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
.lines{display:grid;grid-template-columns:11rem 1fr;gap:.2rem 1rem;max-width:46rem}
.lines dt{color:var(--soft);padding-top:1.1rem}
.lines dd{margin:0;border-bottom:1px solid var(--ink);min-height:2.6rem;padding-top:1.1rem}
details{margin:.6rem 0}
summary{cursor:pointer}
pre{background:var(--wash);border:1px solid var(--line);border-radius:8px;padding:.8rem;overflow-x:auto;
font-size:.82rem;line-height:1.4}
footer{margin-top:3rem;padding-top:.9rem;border-top:1px solid var(--line);color:var(--soft);font-size:.82rem}
@page{size:A4;margin:16mm 14mm}
@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--wash:#fff;--line:#bbb}html{font-size:11pt}
body{max-width:none;padding:0}h2{break-after:avoid}table{font-size:8.5pt}tr,img,.facts,.lines{break-inside:avoid}
td,th{padding:2px 5px!important}div{overflow:visible!important}}
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
    picture, alt : bytes or None, and str
        A PNG, and what it shows in words.
    lines : tuple of (str, str)
        What is filled in by hand where the second is empty.
    folded : tuple of (str, str) or None
        A text to copy, under a heading that unfolds it.
    """

    name: str
    texts: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    missing: str = ""
    draft: bool = False
    picture: bytes | None = None
    alt: str = ""
    lines: tuple[tuple[str, str], ...] = ()
    folded: tuple[str, str] | None = None

    @property
    def filled(self) -> bool:
        """Whether there is anything in it."""
        held = any(self.texts) or self.points or self.picture or self.lines or self.folded
        return bool(held or (self.table is not None and len(self.table)))

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


def html_page(name: str, parts: Sequence[Section], *, about: str, facts: Sequence[Fact] = (), foot: str = "") -> str:
    """Return sections as self-contained HTML: no script, nothing from the network, for screens and for A4."""
    cards = f'<div class="facts">{html.facts(facts)}</div>' if facts else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{_safe(name)}</title><style>{_CSS}</style></head><body>"
        f'<header><p class="kind">{_safe(about)}</p><h1>{_safe(name)}</h1></header>'
        f"<main>{cards}{''.join(map(_section, parts))}</main><footer>{_safe(foot)}</footer></body></html>\n"
    )


def _section(part: Section) -> str:
    body = [f"<section><h2>{_safe(part.name)}</h2>"]
    body += [f"<p>{_safe(text)}</p>" for text in part.texts if text]
    if part.points:
        body.append(f"<ul>{''.join(f'<li>{_safe(point)}</li>' for point in part.points)}</ul>")
    if part.picture is not None:
        body.append(html.picture(part.picture, alt=part.alt))
    if part.table is not None and len(part.table):
        body.append(html.table(part.table, rows=MOST_ROWS))
    if part.lines:
        rows = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in part.lines)
        body.append(f'<dl class="lines">{rows}</dl>')
    if part.folded is not None:
        summary, text = part.folded
        body.append(f"<details><summary>{_safe(summary)}</summary><pre>{_safe(text)}</pre></details>")
    if part.gap:
        body.append(f'<p class="missing"><b>To be written:</b> {_safe(part.gap)}</p>')
    return "".join([*body, "</section>"])


def markdown_page(
    name: str, parts: Sequence[Section], *, about: str, facts: Sequence[Fact] = (), foot: str = ""
) -> str:
    """Return sections as Markdown; text that people wrote stays text, and pictures are left out."""
    lines = [f"# {_marked(name)}", "", f"*{_marked(about)}*", ""]
    lines += [f"- **{_marked(fact.name)}:** {_marked(_told(fact))}" for fact in facts]
    for part in parts:
        lines += ["", f"## {_marked(part.name)}", ""]
        for text in filter(None, part.texts):
            lines += [_marked(text), ""]
        lines += [f"- {_one_line(point)}" for point in part.points]
        if part.table is not None and len(part.table):
            lines += [*([""] if part.points else []), *_rows(part.table)]
        lines += [f"- {_one_line(key)}: {_one_line(value) or _BLANK}" for key, value in part.lines]
        if part.folded is not None:
            summary, text = part.folded
            lines += [_one_line(summary), "", *(f"    {line}" for line in private(text).splitlines())]
        if part.gap:
            lines += ["", f"> **To be written:** {_marked(part.gap)}"]
    return "\n".join([*lines, "", "---", "", _marked(foot), ""])


def save_page(path: str | Path, makes: Mapping[str, Callable[[], str]]) -> Path:
    """Write a page to a file, whole or not at all, and return its path; `makes` gives the text for each ending.

    Raises
    ------
    ParameterError
        When the file ends otherwise, or cannot be written.
    """
    target = Path(path)
    make = makes.get(target.suffix.lower())
    if make is None:
        raise ParameterError("A page is HTML or Markdown", got=target.name, allowed="a name that ends in .html or .md")
    text, spare = make(), None
    try:
        handle, spare = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(spare).chmod(0o644)
        Path(spare).replace(target)
    except (OSError, ValueError) as error:
        if spare is not None:
            with contextlib.suppress(OSError):
                Path(spare).unlink()
        hint = error.strerror if isinstance(error, OSError) else None
        raise ParameterError("The page cannot be written", got=str(target), hint=hint) from None
    return target


def _safe(text: str) -> str:
    return escape(private(text))


def _marked(text: str) -> str:
    return markdown(private(text))


def _told(fact: Fact) -> str:
    return f"{fact.text} ({fact.note})" if fact.note and fact.value is not None else fact.text


def _one_line(text: str) -> str:
    return _marked(" ".join(text.split()))


def _rows(table: pd.DataFrame) -> list[str]:
    """Return a table as Markdown."""
    names = [str(name) for name in table.columns]
    about = names.index("measure") if "measure" in names else None
    shown = table.head(MOST_ROWS)
    lines = [
        "| " + " | ".join(_marked(name.replace("_", " ")) for name in names) + " |",
        "|" + "---|" * len(names),
    ]
    for row in shown.itertuples(index=False, name=None):
        measure = None if about is None else str(row[about])
        cells = [
            _one_line(unescape(html.cell(value, name, measure=measure))) for name, value in zip(names, row, strict=True)
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if len(table) > len(shown):
        lines.append(f"\nand {len(table) - len(shown):,} more rows")
    return lines
