"""What of a run is published? Its notebook and its two pages, when no detector fires on any of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from riskbench.config import redact
from riskbench.privacy import Key, find, hide, seen
from riskbench.runner.failure import Failure
from riskbench.runner.gate import Place, check_notebook, check_page, passed, told
from riskbench.runner.pages import render, settle
from riskbench.runner.sound import sound
from riskbench.runner.story import story_of

NOTEBOOK = "notebook.ipynb"


def publish(
    notebook: Any,
    failure: Failure | None,
    *,
    secrets: Iterable[str],
    run: Mapping[str, Any],
    session: Mapping[str, Any],
) -> tuple[dict[str, str], Failure | None]:
    """Return the files of a run by name, and how it ended: failed where personal details would stand on a page."""
    secrets = tuple(secrets)
    settled = settle(notebook, failure, secrets=secrets, run=run, session=session)
    files = _files(settled, failure, secrets=secrets, run=run, session=session)
    places = _fired(settled, files)
    if not places:
        return files, failure
    failure = refused(places)
    bare = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    plain = {**run, "parameters": {}, "passed": []}
    plain |= {name: _sure(str(run.get(name) or ""), f"a {name}") for name in ("title", "question", "playbook")}
    settled = settle(bare, failure, secrets=secrets, run=plain, session={})
    return _files(settled, failure, secrets=secrets, run=plain, session={}), failure


def _files(
    settled: dict[str, Any],
    failure: Failure | None,
    *,
    secrets: tuple[str, ...],
    run: Mapping[str, Any],
    session: Mapping[str, Any],
) -> dict[str, str]:
    pages = render(settled, run=run, session=session, failure=failure)
    return {
        NOTEBOOK: json.dumps(settled, ensure_ascii=False, indent=1) + "\n",
        **{name: redact(text, secrets) for name, text in pages.items()},
    }


def _fired(settled: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Place, ...]:
    found = list(check_notebook(settled))  # names the cell; a page says the same once more
    if not found:
        for name, text in files.items():
            found += [] if name == NOTEBOOK else check_page(text)
    return tuple(dict.fromkeys(found))


def _sure(text: str, instead: str) -> str:
    held = hide(text)
    return instead if find(seen(held)) else held


def refused(places: Iterable[Place]) -> Failure:
    """Return the failure of a run whose pages may not be published."""
    return Failure(
        status="failed",
        title="Personal details would stand on a page",
        what=f"Nothing of this run is published, as a detector still fires on it.\nFound: {told(places)}",
        hint="Leave the column or the sentence out of the cell that is named, or print fewer columns, and run again. "
        "`riskbench check-page FILE` says where a detector fires in a page or notebook.",
        error="Refused",
    )


def page_of(notebook: Mapping[str, Any], *, audience: str, name: str = "notebook", key: Key | None = None) -> str:
    """Return the page of a notebook, whoever ran it: of a run folder, from papermill, or saved from a Lab.

    Parameters
    ----------
    notebook : mapping
        The notebook as JSON.
    audience : {"lead", "full"}
        For leaders without code, or for reviewers.
    name : str
        What it is called, where it has no title.
    key : Key, optional
        What makes pseudonyms; the one in force when not given.

    Raises
    ------
    RefusedError
        When a detector still fires on the page.
    """
    held = sound(notebook)
    run, session, failure = story_of(held, name=name)
    settled = settle(held, failure, secrets=(), run=run, session=session, key=key)
    return passed(redact(render(settled, run=run, session=session, failure=failure)[f"{audience}.html"]))


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a run folder."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
