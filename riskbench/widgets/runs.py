"""Which runs were there, how did each end, and where are its pages? The ledger as a table that can be searched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

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
    repr_tables: ClassVar[tuple[str, ...]] = ("files",)

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
        """Return how it ended, and the answer's first facts."""
        return (Fact("Run", f"{self.playbook}: {self.status}", "text", note=self.run), *self.answer[:5])

    def links(self) -> str:
        """Return the run's pages as links."""
        held = [
            f'<a href="{quote(path)}" target="_blank" rel="noopener">{page}</a>'
            for page, path in self.files.itertuples(index=False, name=None)
        ]
        return f"<p>{' · '.join(held)}</p>" if held else ""


def _summary(held: Run | Entry, folder: Path | None, *, facts: tuple[Fact, ...], error: str) -> RunSummary:
    rows = [
        (name, "–" if value is None else redact(str(value), secrets_in(value)))
        for name, value in held.parameters.items()
    ]
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
        error=error,
        notes=tuple(redact(line) for line in error.splitlines()),
    )


def _relative(path: Path) -> str:
    """Return a path relative to the working folder where it lies below it."""
    try:
        found = os.path.relpath(path)
    except ValueError:
        return str(path)
    return str(path.resolve()) if found.startswith("..") else Path(found).as_posix()
