"""What does a notebook say of the run that made it? Read with care: anybody may have written it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, get_args

from riskbench.display.fact import Unit
from riskbench.runner.failure import MARKER, Failure, describe

#: Where in a notebook's own metadata it stands.
PAGE = "page"
_UNITS = frozenset(get_args(Unit))
_FINISHED = "application/vnd.riskbench.finished.v1+json"
_OF_RUN = ("id", "playbook", "title", "question", "started", "code")
_OF_DATA = ("name", "first", "last", "fingerprint", "label_recipe")
_LONGEST, _MOST = 2_000, 400


def told(run: Mapping[str, Any], session: Mapping[str, Any], failure: Failure | None) -> dict[str, Any]:
    """Return what a notebook keeps, so that its pages can be made again from it alone."""
    data, book = session.get("data") or {}, session.get("book") or {}
    return {
        "run": {**{name: run.get(name) for name in _OF_RUN}, "passed": list(run.get("passed", ()))},
        "session": {
            "headline": list(session.get("headline", ())),
            "notes": list(session.get("notes", ())),
            "data_errors": session.get("data_errors") or 0,
            "data": {name: data[name] for name in (*_OF_DATA, "rows") if name in data},
            "book": {name: book[name] for name in ("name", "hash", "rules") if name in book},
            "score": session.get("score"),
            "personal": dict(session.get("personal") or {}),
        },
        "failure": None if failure is None else failure.to_dict(),
    }


def story_of(notebook: Mapping[str, Any], *, name: str) -> tuple[dict[str, Any], dict[str, Any], Failure | None]:
    """Return run, session and failure as a notebook tells them, each value of the type that a page needs.

    A notebook of a run folder tells all of it. Of any other, from papermill or from a Lab, the outputs tell whether a
    cell failed, and whether the call that finishes a run was reached.
    """
    own = _mapping(_mapping(notebook.get("metadata")).get("riskbench"))
    page = _mapping(own.get(PAGE))
    if page:
        run = _run({**_mapping(page.get("run")), "parameters": own.get("parameters")}, name)
        return run, _session(_mapping(page.get("session"))), _failure(page.get("failure"), notebook)
    passed = _mapping(_mapping(_mapping(notebook.get("metadata")).get("papermill")).get("parameters"))
    run = _run({**own, "playbook": own.get("id"), "id": "", "parameters": passed, "passed": list(passed)}, name)
    run["title"] = run["title"] if own.get("title") else _title(notebook) or name
    return run, _session({"headline": _headline(notebook)}), _found(notebook)


def _run(held: Mapping[str, Any], name: str) -> dict[str, Any]:
    texts = {part: _text(held.get(part)) for part in _OF_RUN}
    passed = held.get("passed")
    return {
        **texts,
        "playbook": texts["playbook"] or name,
        "title": texts["title"] or name,
        "parameters": {_text(key): value for key, value in list(_mapping(held.get("parameters")).items())[:_MOST]},
        "passed": [_text(one) for one in passed[:_MOST] if isinstance(one, str)] if isinstance(passed, list) else [],
    }


def _session(held: Mapping[str, Any]) -> dict[str, Any]:
    data, book = _mapping(held.get("data")), _mapping(held.get("book"))
    notes, facts = held.get("notes"), held.get("headline")
    personal = _mapping(held.get("personal"))
    told: dict[str, Any] = {
        "headline": [fact for one in facts[:12] if (fact := _fact(one))] if isinstance(facts, list) else [],
        "notes": [_text(note) for note in notes[:_MOST] if isinstance(note, str)] if isinstance(notes, list) else [],
        "data_errors": _count(held.get("data_errors")),
        "score": _text(held.get("score")) or None,
        "personal": {_text(key): _text(kind) or "id" for key, kind in list(personal.items())[:_MOST]},
    }
    if data:
        texts = {name: _text(data.get(name)) for name in _OF_DATA}
        told["data"] = {**texts, "name": texts["name"] or "data", "rows": _count(data.get("rows"))}
    if book:
        texts = {name: _text(book.get(name)) for name in ("name", "hash")}
        told["book"] = {**texts, "name": texts["name"] or "book", "rules": _count(book.get("rules"))}
    return told


def _failure(held: Any, notebook: Mapping[str, Any]) -> Failure | None:
    if not isinstance(held, Mapping):
        return None
    cell = held.get("cell")
    inside = isinstance(cell, int) and not isinstance(cell, bool) and 0 <= cell < len(notebook["cells"])
    return Failure(
        **{name: _text(held.get(name)) for name in ("title", "what", "where", "about", "hint", "error")},
        status="infeasible" if held.get("status") == "infeasible" else "failed",
        cell=cell if inside else None,
    )


def _found(notebook: Mapping[str, Any]) -> Failure | None:
    """Return the failure that the outputs tell of: the first cell that ended with an error."""
    cells = [cell for cell in notebook["cells"] if MARKER not in (_mapping(cell.get("metadata")).get("tags") or ())]
    for place, cell in enumerate(cells):
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error":
                error = RuntimeError()
                error.ename, error.evalue = _text(output.get("ename")), _text(output.get("evalue"))  # type: ignore[attr-defined]
                plain = [_plain_cell(held) for held in cells]
                executed = SimpleNamespace(cell=place, notebook=SimpleNamespace(cells=plain))
                return describe(error, executed, session={})
    return None


def _plain_cell(cell: Mapping[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(cell_type=cell.get("cell_type"), metadata={}, source=_joined(cell.get("source", "")))


def _headline(notebook: Mapping[str, Any]) -> list[Any]:
    """Return the facts of the call that finishes a run, from the last output that holds them."""
    for cell in reversed(notebook["cells"]):
        for output in cell.get("outputs", ()):
            held = _mapping(_mapping(output.get("data")).get(_FINISHED)).get("headline")
            if isinstance(held, list):
                return held
    return []


def _title(notebook: Mapping[str, Any]) -> str:
    first = next((cell for cell in notebook["cells"] if cell.get("cell_type") == "markdown"), None)
    line = _joined(first.get("source", "")).lstrip().partition("\n")[0] if first else ""
    return _text(line.removeprefix("# ").strip()) if line.startswith("# ") else ""


def _fact(held: Any) -> dict[str, Any] | None:
    """Return a fact whose every part has its type, or None."""
    if not isinstance(held, Mapping) or not isinstance(held.get("name"), str):
        return None
    value = held.get("value")
    if value is not None and not isinstance(value, str) and not _number(value):
        return None
    return {
        "name": held["name"][:_LONGEST],
        "value": value[:_LONGEST] if isinstance(value, str) else value,
        "unit": held["unit"] if isinstance(held.get("unit"), str) and held["unit"] in _UNITS else "number",
        **{end: held[end] if _number(held.get(end)) else None for end in ("lower", "upper", "n")},
        "currency": _text(held.get("currency"))[:8],
        "note": _text(held.get("note")),
        "signed": held.get("signed") is True,
    }


def _number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15 else 0


def _text(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _joined(text: object) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
