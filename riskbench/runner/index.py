"""What can be run here, and what came of it last? One page with a picture of each playbook's result."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape, unescape
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

from riskbench.config import redact, secrets_in
from riskbench.display.page import save_page
from riskbench.display.thumbnail import thumbnail
from riskbench.display.wording import private
from riskbench.errors import listed
from riskbench.runner import bundle
from riskbench.runner.catalogue import Catalogue, Playbook
from riskbench.runner.gate import passed
from riskbench.store import Entry, Ledger

_TEMPLATES = Path(__file__).parent / "templates"
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_IMAGE = re.compile(r"<img\b[^>]*>")
_SOURCE = re.compile(r'\bsrc="data:image/png;base64,([A-Za-z0-9+/=\s]+)"')
_CODE = re.compile(r"`([^`]+)`")
_ALT = re.compile(r'\balt="([^"]*)"')
#: All pictures together weigh no more, so that the page stays under a megabyte.
_PICTURES = 560_000
_LARGEST = 20_000_000
_FACTS = 4
#: Of what a run was asked: so many parameters, each cut after so many letters.
_ASKED, _LONG = 6, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a result: PNG, what it shows in words, and where it comes from."""

    png: bytes
    alt: str
    origin: str


def write_index(found: Catalogue, path: str | Path, *, out: str | Path = "runs", store: str | None = None) -> Path:
    """Write a page of playbooks with the last result of each, and return it.

    Parameters
    ----------
    found : Catalogue
        The playbooks.
    path : str or Path
        The page: a name that ends in .html. Links to runs are relative to it.
    out : str or Path
        The folder of the run folders; without a ledger in it no runs are shown.
    store : str, optional
        The store of the ledger; `riskbench.db` in `out` when not given.

    Raises
    ------
    ParameterError
        When the file ends otherwise or cannot be written.
    RefusedError
        When personal details would stand on it.
    StoreError
        When the store cannot be opened.
    """
    ids = [book.id for book in found.held]
    runs = _runs(ids, out=Path(out), store=store)
    return save_page(path, {".html": lambda: passed(index_page(found, runs, beside=Path(path).parent))})


def _runs(ids: Iterable[str], *, out: Path, store: str | None) -> dict[str, tuple[Entry, ...]]:
    """Return of each playbook its newest run, and the newest that ended well."""
    if store is None and not (out / "riskbench.db").is_file():
        return {}
    found = {}
    with Ledger(store or str(out / "riskbench.db")) as ledger:
        for name in ids:
            entries = ledger.entries(playbook=name, limit=50)
            done = next((entry for entry in entries[1:] if entry.status == "done"), None)
            older = () if done is None or entries[0].status == "done" else (done,)
            found[name] = (*entries[:1], *older)
    return found


def index_page(found: Catalogue, runs: Mapping[str, tuple[Entry, ...]], *, beside: Path) -> str:
    """Return the page: self-contained, without script, for screens in light and dark and for paper.

    Parameters
    ----------
    found : Catalogue
        The playbooks.
    runs : mapping of str to tuple of Entry
        By playbook its newest run, and the newest that ended well.
    beside : Path
        The folder that the page lies in, to which links are relative.
    """
    css = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("riskbench/page.css", "index.css"))
    cards, weight = [], 0
    anchors = {book.id: f"p{number}" for number, book in enumerate(found.held, start=1)}
    for book, origin in zip(found.held, found.playbooks["origin"], strict=True):
        entries = runs.get(book.id, ())
        drawn = picture_of(book, entries)
        heavy = drawn is not None and weight + len(drawn.png) > _PICTURES
        weight += 0 if drawn is None or heavy else len(drawn.png)
        figure = (
            '<p class="none">The picture is left out: the page would be too heavy.</p>' if heavy else _figure(drawn)
        )
        cards.append(_card(book, str(origin), entries, name=anchors[book.id], figure=figure, beside=beside))
    links = "".join(f'<li><a href="#{anchors[book.id]}">{_safe(book.title)}</a></li>' for book in found.held)
    told = f"for “{found.asked}”" if found.asked else "that can be run here"
    many = len(found.held)
    nav = f'<nav aria-label="Playbooks"><ul>{links}</ul></nav>' if many > 1 else ""
    notes = "".join(f"<p>{_safe(note)}</p>" for note in found.notes) if not many else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>Playbooks</title>\n<style>{css}</style>\n</head>\n<body>\n"
        f'<header><p class="kind">catalogue</p><h1>Playbooks</h1>'
        f'<p class="question">{many} {"playbook" if many == 1 else "playbooks"} {_safe(told)}.</p></header>\n'
        f"<main>{nav}{notes}\n{''.join(cards)}{_rest(found)}</main>\n"
        f"<footer><p>riskbench {escape(metadata.version('riskbench'))}. "
        "A picture shows the newest run that ended well, else the embedded sample.</p></footer>\n</body>\n</html>\n"
    )


def _card(book: Playbook, origin: str, entries: tuple[Entry, ...], *, name: str, figure: str, beside: Path) -> str:
    facts = [
        ("Covers", ", ".join(book.domain)),
        ("Owner", book.owner),
        ("When", book.cadence),
        ("Reads", ", ".join(book.inputs)),
        ("Ends in", ", ".join(book.produces)),
        ("From", origin),
    ]
    listed = "".join(f"<dt>{label}</dt><dd>{_told(text)}</dd>" for label, text in facts if text)
    return (
        f'<article class="playbook" id="{name}" aria-labelledby="{name}-title"><div>'
        f'<h2 id="{name}-title">{_safe(book.title)}</h2><p class="question">{_safe(book.question)}</p>'
        f"<dl>{listed}</dl><p><code>riskbench run {_safe(book.id)}</code></p>"
        f"{_last(book, entries[0], beside) if entries else ''}</div>{figure}"
        f'<details class="wide"><summary>{len(book.parameters)} parameters of {_safe(book.id)}</summary>'
        f"{_parameters(book)}</details></article>\n"
    )


def _figure(drawn: Picture | None) -> str:
    if drawn is None:
        return '<p class="none">No picture yet: run it once.</p>'
    data = base64.b64encode(drawn.png).decode("ascii")
    return (
        f'<figure><img alt="{_safe(drawn.alt)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_safe(drawn.origin)}</figcaption></figure>"
    )


def _last(book: Playbook, entry: Entry, beside: Path) -> str:
    """Return how the newest run ended, its first facts, and the way to its pages."""
    when = _safe(entry.started[:16].replace("T", " "))
    asked = _asked(book, entry)
    lines = [f'<p>Last run <span class="status">{_safe(entry.status)}</span> {when} UTC{asked}</p>']
    if entry.status == "done":
        shown = [str(bundle.fact(held)) for held in entry.headline[:_FACTS]]
        lines.append("<ul>" + "".join(f"<li>{_safe(text)}</li>" for text in shown) + "</ul>" if shown else "")
    elif entry.error:
        lines.append(f"<p>{_safe(entry.error.strip().splitlines()[0][:300])}</p>")
    links = [
        f'<a href="{escape(where)}">{text}<span class="of"> of {_safe(book.title)}</span></a>'
        for page, text in (("lead.html", "Summary"), ("full.html", "Everything, for reviewers"))
        if (where := _link(entry.folder, page, beside)) is not None
    ]
    lines.append(f"<p>{' · '.join(links)}</p>" if links else "")
    return f'<div class="last {_safe(entry.status)}">{"".join(lines)}</div>'


def _asked(book: Playbook, entry: Entry) -> str:
    """Return the region of a run and what else was asked unlike the default, as they were shown then."""
    told = []
    for held in book.parameters:
        value = entry.parameters.get(held.name)
        unlike = held.name in entry.parameters and value != held.default and not (value is None and held.sample_only)
        if unlike or (held.name == "region" and value is not None):
            text = redact("none" if value is None else str(value), secrets_in(value))
            told.append(f"{held.name} {text if len(text) <= _LONG else text[: _LONG - 1] + '…'}")
    return f", with {_safe(listed(told, most=_ASKED))}" if told else ""


def _link(folder: str | None, page: str, beside: Path) -> str | None:
    """Return the relative address of a run's page; None when it is not there."""
    try:
        if folder is None or not Path(folder, page).is_file():
            return None
        return quote(Path(os.path.relpath(Path(folder, page).resolve(), beside.resolve())).as_posix())
    except (OSError, ValueError):
        return None


def _parameters(book: Playbook) -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{_safe(held.name)}</code></th><td>{_safe(held.limits)}</td>'
        f"<td>{_safe('none' if held.default is None else str(held.default)[:120])}"
        f"{' (sample only)' if held.sample_only else ''}</td><td>{_safe(held.help)}</td></tr>"
        for held in book.parameters
    )
    heads = "".join(f'<th scope="col">{text}</th>' for text in ("parameter", "takes", "unless given", "what for"))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Parameters of {_safe(book.id)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _rest(found: Catalogue) -> str:
    """Return what stands in the way: notebooks that cannot be read, and playbooks behind others."""
    lines = [f"{row.id} ({row.origin}): {row.problem}" for row in found.unreadable.itertuples(index=False)]
    lines += [note for note in found.notes if found.held]
    listed = "".join(f"<li>{_safe(' '.join(text.split())[:400])}</li>" for text in lines)
    return f'<h2 class="other">Not in the catalogue</h2><ul>{listed}</ul>' if lines else ""


def picture_of(book: Playbook, entries: tuple[Entry, ...]) -> Picture | None:
    """Return the picture of the newest good run's answer, else the first on its page, else the shipped one."""
    done = next((entry for entry in entries if entry.status == "done" and entry.folder), None)
    if done is not None:
        drawn = list(_drawn(Path(str(done.folder), "lead.html")))
        for png, alt in sorted(drawn, key=lambda held: _far(held[1], book, done)):
            small = thumbnail(png)
            if small is not None:
                return Picture(png=small, alt=alt, origin=f"The run of {done.started[:10]}")
    shipped = _TEMPLATES / "pictures" / f"{book.id}.png"
    if shipped.is_file() and book.id.isidentifier():
        alt = f"{book.title}: a picture of its result on the embedded sample"
        return Picture(png=shipped.read_bytes(), alt=alt, origin="On the embedded sample")
    return None


def _far(alt: str, book: Playbook, run: Entry) -> int:
    """Return how far a picture is from the answer: it bears the playbook's title, says the headline, or neither."""
    if alt.startswith(book.title):
        return 0
    first = str(run.headline[0].get("name", "")) if run.headline else ""
    return 1 if first and f"{first}:" in alt else 2


def _drawn(page: Path) -> Iterator[tuple[bytes, str]]:
    """Yield the pictures of a page with their texts."""
    try:
        if page.stat().st_size > _LARGEST:
            return
        text = page.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return
    for image in _IMAGE.findall(text):
        source, alt = _SOURCE.search(image), _ALT.search(image)
        if source is not None:
            try:
                yield base64.b64decode(source[1], validate=False), unescape(alt[1]) if alt else "A result"
            except (binascii.Error, ValueError):
                continue


def _told(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", _safe(text))


def _safe(text: str) -> str:
    return escape(private(text), quote=True)
