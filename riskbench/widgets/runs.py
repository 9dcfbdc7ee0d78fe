"""How did one run end, where are its pages, and in what were two asked differently?"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from riskbench.config import redact, secrets_in
from riskbench.display import Fact, Result, result
from riskbench.runner import bundle
from riskbench.runner.run import PAGES, Run
from riskbench.store import Entry


@result
class RunSummary(Result):
    """One run: how it ended, its headline, what it was asked, where its pages are.

    Attributes
    ----------
    run, playbook, status, error : str
        The run; `error` says why it did not end well.
    parameters : DataFrame
        name, value.
    files : DataFrame
        page, path: the run's pages, relative to the working folder where they lie below it.
    """

    kind: ClassVar[str] = "run_summary"
    title: ClassVar[str] = "Run"
    main: ClassVar[str] = "parameters"
    repr_rows: ClassVar[int] = 40
    repr_table: ClassVar[str] = "files"
    repr_tables: ClassVar[tuple[str, ...]] = ("parameters",)

    run: str
    playbook: str
    status: str
    parameters: pd.DataFrame
    files: pd.DataFrame
    answer: tuple[Fact, ...] = ()
    seconds: float | None = None
    error: str = ""

    @classmethod
    def of_run(cls, ended: Run) -> RunSummary:
        """Return the summary of a run that has just ended."""
        return _summary(ended, ended.folder, facts=ended.headline, error=ended.message)

    @classmethod
    def of_entry(cls, entry: Entry) -> RunSummary:
        """Return the summary of a run in the ledger."""
        facts = tuple(bundle.fact(held) for held in entry.headline)
        return _summary(entry, Path(entry.folder) if entry.folder else None, facts=facts, error=entry.error or "")

    def headline(self) -> tuple[Fact, ...]:
        """Return how it ended, and the answer's first facts or what went wrong."""
        why = self.error.splitlines()[:1]
        return (
            Fact("Run", f"{self.playbook}: {self.status}", "text", note=self.run),
            *(Fact("What went wrong", text[:200], "text") for text in why),
            *self.answer[: 5 - len(why)],
        )


def _summary(held: Run | Entry, folder: Path | None, *, facts: tuple[Fact, ...], error: str) -> RunSummary:
    rows = [(name, _said(held.parameters, name)) for name in held.parameters]
    files = [
        (name.removesuffix(".html"), _relative(folder / name))
        for name in (PAGES if folder is not None else ())
        if folder is not None and (folder / name).is_file()
    ]
    return RunSummary(
        run=held.id,
        playbook=held.playbook,
        status=held.status,
        parameters=pd.DataFrame(rows, columns=["name", "value"]),
        files=pd.DataFrame(files, columns=["page", "path"]),
        answer=facts,
        seconds=held.seconds,
        error=redact(error),
        notes=tuple(redact(line) for line in error.splitlines()[1:]),
    )


@result
class RunsApart(Result):
    """Two runs that were asked differently.

    Attributes
    ----------
    parameters : DataFrame
        name, before, after: the parameters that differ.
    """

    kind: ClassVar[str] = "runs_apart"
    title: ClassVar[str] = "Two runs"
    main: ClassVar[str] = "parameters"
    repr_rows: ClassVar[int] = 40

    before: str
    after: str
    parameters: pd.DataFrame

    @classmethod
    def of(cls, before: Entry, after: Entry, *notes: str) -> RunsApart:
        """Return how two runs of the ledger were asked differently, the earlier first."""
        names = dict.fromkeys([*before.parameters, *after.parameters])
        rows = [
            (name, *(_said(held.parameters, name) for held in (before, after)))
            for name in names
            if _said(before.parameters, name) != _said(after.parameters, name)
        ]
        return cls(
            before=f"{before.playbook} {before.id}: {before.status}",
            after=f"{after.playbook} {after.id}: {after.status}",
            parameters=pd.DataFrame(rows, columns=["name", "before", "after"]),
            notes=tuple(note for text in notes for note in text.splitlines()),
        )

    def headline(self) -> tuple[Fact, ...]:
        """Return which runs, and in how many parameters they differ."""
        return (
            Fact("Parameters that differ", len(self.parameters), "count"),
            Fact("Before", self.before, "text"),
            Fact("After", self.after, "text"),
        )


def _said(parameters: Mapping[str, Any], name: str) -> str:
    value = parameters.get(name)
    if value is None or value in ({}, []):
        return "–"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return redact(text, secrets_in(value))


def _relative(path: Path) -> str:
    """Return a path relative to the working folder where it lies below it."""
    try:
        found = os.path.relpath(path)
    except ValueError:
        return str(path)
    return str(path.resolve()) if found.startswith("..") else Path(found).as_posix()
