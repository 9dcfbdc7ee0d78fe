"""The two pages of a run: one for leaders without code, one for reviewers with everything."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import metadata
from pathlib import Path
from typing import Any

from riskbench.config import redact_all
from riskbench.display.fact import Fact
from riskbench.display.wording import private
from riskbench.privacy import Key, current_key
from riskbench.runner.bundle import fact
from riskbench.runner.clean import base64_only, clean
from riskbench.runner.failure import MARKER, Failure
from riskbench.runner.story import PAGE, told
from riskbench.runner.tidy import Tidy, with_script
from riskbench.runner.veil import hide_all, veiled_notebook

_TEMPLATES = Path(__file__).parent / "templates"
_PRIORITY = ["text/html", "text/markdown", "image/png", "image/jpeg", "text/latex", "text/plain"]
_OWN = "application/vnd.riskbench."
_QUESTION = re.compile(r"\*\*Question\.\*\*.*?(?=\n\s*\n|\Z)", re.DOTALL)
_LIST, _ITEM = re.compile(r"<ul[^>]*>(?:<li>[^<]*</li>)+</ul>"), re.compile(r"<li>[^<]*</li>")
#: What a result tells an analyst to do next; leaders have no use for it.
_NEXT = re.compile(r"<ul[^>]*><li>Next: [^<]*</li></ul>")
#: A control of ipywidgets, which only a kernel can move; and what may stand in its place.
_VIEW = "application/vnd.jupyter.widget-view+json"
_TWINS = ("text/html", "text/markdown", "image/png", "image/jpeg")
_STOOD = "An interactive control stood here; it works where the notebook runs."
_OTHER = "An output of a kind that a page does not show stood here."
#: Cells with this tag are for reviewers only.
REVIEWERS = "reviewers-only"


def settle(
    notebook: Any,
    failure: Failure | None,
    *,
    secrets: tuple[str, ...],
    run: Mapping[str, Any],
    session: Mapping[str, Any] | None = None,
    key: Key | None = None,
) -> dict[str, Any]:
    """Return an executed notebook as what really happened: secrets masked, nobody named, unrun cells told as such.

    It keeps what its pages need, so that they can be made again from it alone; no control without its kernel.
    """
    session = session or {}
    held = redact_all(json.loads(json.dumps(notebook)), secrets)
    cells = [cell for cell in held["cells"] if MARKER not in cell["metadata"].get("tags", [])]
    for place, cell in enumerate(cells):
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
        for output in cell.get("outputs", ()):
            _without_control(output)
            for kind in [kind for kind in output.get("data", {}) if kind.startswith(_OWN)]:
                del output["data"][kind]  # the same stands in results.json and the tables
            if "data" in output and not any(kind in _PRIORITY for kind in output["data"]):
                output["data"]["text/plain"] = _OTHER
        if failure is not None and failure.cell is not None:
            if place == failure.cell:
                cell["metadata"]["riskbench_failed"] = True
            elif place > failure.cell and cell["cell_type"] == "code":
                cell["execution_count"], cell["outputs"] = None, []
    held["cells"] = cells
    own = held["metadata"].get("riskbench")
    page = {"parameters": run["parameters"], PAGE: told(run, session, failure)}
    page |= {"run": run["id"], "status": "done" if failure is None else failure.status} if run.get("id") else {}
    hidden = hide_all(redact_all(page, secrets), key=key)
    held["metadata"] = {
        **{name: value for name, value in held["metadata"].items() if name in ("kernelspec", "language_info")},
        "riskbench": {**hide_all(own if isinstance(own, dict) else {}, key=key), **hidden},
    }
    return veiled_notebook(held, personal=session.get("personal") or {}, key=key)


def _without_control(output: dict[str, Any]) -> None:
    """Take a live control out of an output: its picture or table stays, or a sentence says that one stood here."""
    data = output.get("data", {})
    if data.pop(_VIEW, None) is None:
        return
    output.get("metadata", {}).pop(_VIEW, None)
    if not any(kind in data for kind in _TWINS):
        output["data"] = {"text/plain": _STOOD}


def render(
    notebook: Mapping[str, Any], *, run: Mapping[str, Any], session: Mapping[str, Any], failure: Failure | None
) -> dict[str, str]:
    """Return the pages by file name."""
    return {
        "lead.html": _page(notebook, run, session, failure, lead=True),
        "full.html": _page(notebook, run, session, failure, lead=False),
    }


def clean_ahead(cells: list[dict[str, Any]], seen: Mapping[str, set[str]]) -> None:
    """Clean the outputs of settled cells as `render` will: what is clean is remembered.

    Parameters
    ----------
    cells : list
        The next cells; they are changed.
    seen : mapping
        The remarks that each page has made, by its name; the cells' are added.
    """
    for name, remarks in seen.items():
        shown = [_shown(copy.deepcopy(cell), lead=name == "lead.html") for cell in cells]
        for cell in _without_repeats([cell for cell in shown if cell is not None], remarks):
            for output in cell.get("outputs", ()):
                if "text/html" in output.get("data", {}):
                    clean(output["data"]["text/html"])


def _page(
    notebook: Mapping[str, Any],
    run: Mapping[str, Any],
    session: Mapping[str, Any],
    failure: Failure | None,
    *,
    lead: bool,
) -> str:
    import nbformat

    held = copy.deepcopy(dict(notebook))
    cells, unrun = held["cells"], 0
    if failure is not None and failure.cell is not None:
        rest = cells[failure.cell + 1 :]
        cells, unrun = cells[: failure.cell + 1], sum(cell["cell_type"] == "code" for cell in rest)
    held["cells"] = _without_title([shown for cell in cells if (shown := _shown(cell, lead=lead)) is not None])
    held["cells"] = _without_repeats(_without_bare_headings(held["cells"]) if lead else held["cells"])
    page = {
        "audience": "lead" if lead else "full",
        "kind": _kind(run, lead=lead),
        "title": run.get("title") or run["playbook"],
        "region": run["parameters"].get("region") or "",
        "question": run.get("question") or "",
        "css": (_TEMPLATES / "riskbench" / "page.css").read_text(encoding="utf-8"),
        "summary": _summary(run, session, failure),
        "unrun": f'<p class="unrun">{unrun} more steps were not run.</p>' if unrun else "",
        "stamp": _stamp(run, session),
    }
    exporter = _exporter()
    exporter.exclude_input = lead
    body = _written(exporter, nbformat.from_dict(held), {"riskbench": page})
    return with_script(Tidy(session.get("personal") or {}, current_key()).rewritten(body))


def _shown(cell: dict[str, Any], *, lead: bool) -> dict[str, Any] | None:
    """Return a cell as a page's readers see it, or None when it is not for them."""
    tags = cell["metadata"].get("tags", [])
    if cell["cell_type"] == "raw":
        return None
    if not lead:
        return cell
    if REVIEWERS in tags or "injected-parameters" in tags or "parameters" in tags:
        return None
    if cell["cell_type"] == "code":
        cell["outputs"] = [out for out in cell["outputs"] if out["output_type"] not in ("stream", "error")]
        for output in cell["outputs"]:
            if "text/html" in output.get("data", {}):
                output["data"]["text/html"] = _NEXT.sub("", _joined(output["data"]["text/html"]))
        return cell if cell["outputs"] else None
    return cell


def _joined(text: object) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def _without_title(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop the notebook's own title and question: the page has them on top."""
    if cells and cells[0]["cell_type"] == "markdown":
        first, _, rest = str(cells[0]["source"]).lstrip().partition("\n")
        if first.startswith("# "):
            cells[0]["source"] = _QUESTION.sub("", rest).strip()
            return cells if cells[0]["source"] else cells[1:]
    return cells


def _without_bare_headings(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop each step's text whose outputs are not for this page's readers; an introduction stays."""
    kept = []
    for place, cell in enumerate(cells):
        after = cells[place + 1] if place + 1 < len(cells) else None
        alone = after is None or after["cell_type"] == "markdown"
        if cell["cell_type"] == "markdown" and place > 0 and alone and str(cell["source"]).lstrip().startswith("#"):
            continue
        kept.append(cell)
    return kept


def _without_repeats(cells: list[dict[str, Any]], seen: set[str] | None = None) -> list[dict[str, Any]]:
    """Say each remark once: results that rest on the same data remark the same."""
    seen = set() if seen is None else seen

    def once(found: re.Match[str]) -> str:
        new = [item for item in _ITEM.findall(found[0]) if item not in seen]
        seen.update(new)
        return f"{found[0][: found[0].index('<li>')]}{''.join(new)}</ul>" if new else ""

    for cell in cells:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output["data"]["text/html"] = _LIST.sub(once, output["data"]["text/html"])
    return cells


def _kind(run: Mapping[str, Any], *, lead: bool) -> str:
    return f"{run['playbook'].replace('_', ' ')} · {'summary' if lead else 'for reviewers'}"


def _summary(run: Mapping[str, Any], session: Mapping[str, Any], failure: Failure | None) -> str:
    if failure is not None:
        return _failed(failure, run, session)
    facts = [fact(held) for held in session.get("headline", ())]
    if not facts and not run.get("id"):
        return ""  # no run of ours stands behind the notebook
    cards = "".join(map(_card, facts))
    pill = ' <span class="status">done</span>' if run.get("id") else ""
    return (
        f'<section class="summary done" aria-label="Headline"><h2>In short{pill}</h2>'
        f"<dl>{cards}</dl>{_reason(facts, session)}{_basis(run, session)}</section>"
    )


def _reason(facts: list[Fact], session: Mapping[str, Any]) -> str:
    """Return why the answer is what it is, where its card does not say so, and whether the data has errors."""
    told, found = [], session.get("data_errors") or 0
    if facts and not facts[0].note:
        before = f"{facts[0].text}: "
        why = next((str(note) for note in session.get("notes", ()) if str(note).startswith(before)), None)
        told += [] if why is None else [f"Why: {why.removeprefix(before)}"]
    if found:
        errors = "1 error" if found == 1 else f"{found:,} errors"
        told.append(f"Data: {errors} found, see “Can the data be trusted?”.")
    return "".join(f'<p class="hint">{escape(text)}</p>' for text in told)


def _card(held: Fact) -> str:
    main, small = held.text, []
    if held.value is not None and not isinstance(held.value, str) and held.lower is not None and held.upper is not None:
        main, _, span = held.text.partition(" (")
        small.append(span.rstrip(")"))
    elif held.value is None:
        main = "not measurable"
    if held.note:
        small.append(held.note)
    below = f"<small>{_safe(' · '.join(small))}</small>" if small else ""
    return f"<div><dt>{_safe(held.name)}</dt><dd><b>{_safe(main)}</b>{below}</dd></div>"


def _failed(failure: Failure, run: Mapping[str, Any], session: Mapping[str, Any]) -> str:
    rows = [("Where", failure.where), ("About", failure.about), ("Earlier runs", failure.earlier)]
    lines = "".join(f"<p><b>{name}:</b> {_safe(text)}</p>" for name, text in rows if text)
    hint = f'<p class="hint">What to try: {_safe(failure.hint)}</p>' if failure.hint else ""
    return (
        f'<section class="summary {_safe(failure.status)}" aria-label="What went wrong">'
        f'<h2>{_safe(failure.title)} <span class="status">{_safe(failure.status)}</span></h2>'
        f"<pre>{_safe(failure.what)}</pre>{lines}{hint}{_basis(run, session)}</section>"
    )


def _basis(run: Mapping[str, Any], session: Mapping[str, Any]) -> str:
    data, parts = session.get("data") or {}, []
    if data:
        parts.append(f"{data['name']}: {data['rows']:,} events")
        if data.get("first"):
            parts.append(f"{data['first'][:10]} to {data['last'][:10]}")
    book = session.get("book") or {}
    if book:
        parts.append(f"rule book {book['name']} ({book['rules']} rules)")
    if session.get("score"):
        parts.append(str(session["score"]))
    line = f'<p class="facts">{_safe(" · ".join(parts))}</p>' if parts else ""
    given = ", ".join(f"{name} = {_short(run['parameters'].get(name))}" for name in run.get("passed", ()))
    return f'{line}<p class="facts">Parameters: {_safe(given or "all as declared")}</p>'


def _safe(text: str) -> str:
    return escape(private(text))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _stamp(run: Mapping[str, Any], session: Mapping[str, Any]) -> str:
    data, book = session.get("data") or {}, session.get("book") or {}
    rest = [("Data", data.get("fingerprint")), ("Rule book", book.get("hash")), ("Playbook code", run.get("code"))]
    marks = " · ".join(f"{name} <code>{escape(str(mark)[:16])}</code>" for name, mark in rest if mark)
    label = f"<p>Label: {escape(data['label_recipe'])}</p>" if data.get("label_recipe") else ""
    made = f"riskbench {escape(metadata.version('riskbench'))}"
    if not run.get("id"):
        return f"<p>Made from a notebook that no run of riskbench wrote: nothing vouches for its order. · {made}</p>"
    return (
        f"{label}<p>{marks}</p><p>Run {escape(run['id'])} · started "
        f"{escape(run['started'][:19].replace('T', ' '))} UTC · {made}</p>"
    )


def _alt(output: Mapping[str, Any], kind: str) -> str:
    held = output.get("metadata", {}).get(kind, {})
    said = held.get("alt") if isinstance(held, Mapping) else None
    plain = output.get("data", {}).get("text/plain", "")
    return str(said or ("Figure" if str(plain).startswith("<") else plain) or "Figure")[:400]


def _written(exporter: Any, notebook: Any, resources: dict[str, Any]) -> str:
    """Return a notebook as HTML, without the last step of nbconvert: it reads it all again to give pictures words."""
    from nbconvert.exporters.templateexporter import TemplateExporter
    from nbconvert.filters import Highlight2HTML

    told = notebook.metadata.get("language_info", {})
    lexer = told.get("pygments_lexer", told.get("name", None))
    exporter.register_filter("highlight_code", Highlight2HTML(pygments_lexer=lexer, parent=exporter))
    body, _ = TemplateExporter.from_notebook_node(exporter, notebook, resources=resources)
    return str(body)


@cache
def _exporter() -> Any:
    from nbconvert.exporters import HTMLExporter

    exporter = HTMLExporter(
        extra_template_basedirs=[str(_TEMPLATES)],
        template_name="riskbench",
        filters={"clean": clean, "alt": _alt, "base64_only": base64_only},
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        mathjax_url="",
        require_js_url="",
        mermaid_js_url="",
        jquery_url="",
        widget_renderer_url="",
        embed_images=False,
        language_code="en",
    )
    for held in exporter._preprocessors:  # noqa: SLF001
        held.enabled = type(held).__name__ == "NbConvertPreprocessor"
    exporter.config.NbConvertBase.display_data_priority = _PRIORITY
    return exporter
