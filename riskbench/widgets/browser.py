"""Which runs were there? The ledger as a table to look through, one run picked to read, or two to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from riskbench.config import redact, secrets_in
from riskbench.display import Fact, Result, html, result
from riskbench.errors import ParameterError, RiskbenchError, StoreError
from riskbench.store import STATUSES, Entry, Ledger
from riskbench.widgets.panel import Panel
from riskbench.widgets.runs import RunsApart, RunSummary

#: The most runs that are shown at once.
MOST = 500
_ALL = "all"


@result
class RunList(Result):
    """The runs that a browser shows, the newest first.

    Attributes
    ----------
    runs : DataFrame
        run, started (UTC), status, playbook, region, seconds, answer.
    of : int
        How many there are before filtering.
    """

    kind: ClassVar[str] = "run_list"
    title: ClassVar[str] = "Runs"
    main: ClassVar[str] = "runs"
    repr_rows: ClassVar[int] = 20

    runs: pd.DataFrame
    of: int = 0

    def headline(self) -> tuple[Fact, ...]:
        """Return how many runs, and how many did not end well."""
        bad = int((~self.runs["status"].isin(["done", "running"])).sum())
        return (
            Fact("Runs", len(self.runs), "count", note=f"of {self.of:,}" if self.of != len(self.runs) else ""),
            Fact("Not well ended", bad, "count"),
        )


class RunBrowser(Panel):
    """The runs of a folder as a table that is filtered and picked from.

    Attributes
    ----------
    value : str or None
        The id of the run that is picked; None when none or two are.
    picked : tuple of str
        The ids picked, the earlier first.
    result : Result
        The list; with one run picked its summary, with two what lies between them.
    """

    title: ClassVar[str] = "Runs"

    def __init__(self, *, out: str | Path = "runs", store: str | None = None) -> None:
        super().__init__()
        import ipywidgets

        self._out, self._store = _folder(out), _store(store)
        self._entries: tuple[Entry, ...] = ()
        self._shown: tuple[Entry, ...] = ()
        self._answer: Result | None = None
        wide = {"layout": {"width": "22em"}}
        self.search = ipywidgets.Text(placeholder="id, region, value, error", description="search", **wide)
        self.playbook = ipywidgets.Dropdown(options=[_ALL], description="playbook", **wide)
        self.status = ipywidgets.Dropdown(options=[_ALL, *STATUSES], description="status", **wide)
        self.pick = ipywidgets.SelectMultiple(
            options=[],
            rows=10,
            layout={"width": "98%"},
            tooltip="one to read, two to compare",
        )
        self.refresh_button = ipywidgets.Button(description="Refresh", icon="refresh")
        self._count = ipywidgets.HTML()
        self._detail = ipywidgets.HTML()
        for control in (self.search, self.playbook, self.status):
            control.observe(self._guard(lambda _: self._filter()), names="value")
        self.pick.observe(self._guard(lambda _: self._picked()), names="value")
        self.refresh_button.on_click(self._guard(lambda _: self.refresh()))
        row = {"flex_flow": "row wrap"}
        self._compose(
            ipywidgets.HTML(html.heading(self.title)),
            ipywidgets.HBox([self.search, self.playbook, self.status, self.refresh_button], layout=row),
            self._count,
            self.pick,
            self._detail,
        )
        self.refresh()

    @property
    def picked(self) -> tuple[str, ...]:
        """The ids of the runs that are picked, the earlier first."""
        return tuple(entry.id for entry in self._chosen())

    @property
    def result(self) -> Result:
        """The list of runs; with one picked its summary, with two what lies between them."""
        return self._answer or self._list()

    def refresh(self) -> None:
        """Read the ledger again; what is picked stays so."""
        self._entries = self._read()
        known = sorted({entry.playbook for entry in self._entries})
        kept = self.playbook.value
        self.playbook.options = [_ALL, *known]
        self.playbook.value = kept if kept in known else _ALL
        self._filter()

    def select(self, *runs: str) -> None:
        """Pick one run, or two, by id or how it begins.

        Raises
        ------
        ParameterError
            When no run shown, or more than one, has that id.
        """
        found = []
        for run in runs:
            held = [entry.id for entry in self._shown if entry.id.startswith(run)]
            if not run or len(held) != 1:
                raise ParameterError(
                    f"{'More than one run begins' if held else 'No run shown begins'} with {run[:40]!r}",
                    hint="clear the filters, or give the whole id",
                )
            found += held
        self.pick.value = tuple(found)

    def _read(self) -> tuple[Entry, ...]:
        named = self._store or str(self._out / "riskbench.db")
        file = _file(named)
        if file is not None and not file.is_file():
            return ()
        with Ledger(named) as ledger:
            return ledger.entries(limit=MOST)

    def _filter(self) -> None:
        words = self.search.value.casefold().split()
        self._shown = tuple(
            entry
            for entry in self._entries
            if self.playbook.value in (_ALL, entry.playbook)
            and self.status.value in (_ALL, entry.status)
            and all(word in _haystack(entry) for word in words)
        )
        ids = {entry.id for entry in self._shown}
        kept = tuple(run for run in self.pick.value if run in ids)
        self.pick.options = [(_line(entry), entry.id) for entry in self._shown]
        self.pick.value = kept
        many = len(self._entries)
        some = f"{len(self._shown)} of {many} runs, started as told in UTC" if many else self._none
        self._count.value = html.notes([some + (f"; only the newest {MOST}" if many >= MOST else "")])
        self._picked()

    def _chosen(self) -> list[Entry]:
        held = {entry.id: entry for entry in self._shown}
        return sorted((held[run] for run in self.pick.value if run in held), key=lambda entry: entry.started)

    def _picked(self) -> None:
        chosen = self._chosen()
        self._answer = None
        if len(chosen) == 1:
            summary = RunSummary.of_entry(chosen[0])
            self._answer = summary
        elif len(chosen) == 2:
            self._answer = self._between(*chosen)
        self._detail.value = "" if self._answer is None else self._answer._repr_html_()
        self.value = chosen[0].id if len(chosen) == 1 else None
        if len(chosen) > 2:
            raise ParameterError("Pick one run to read, or two to compare", got=f"{len(chosen)} runs")

    def _between(self, before: Entry, after: Entry) -> Result:
        """Return what lies between two runs: of two good ones their figures too, without running anything again."""
        if before.playbook != after.playbook or {before.status, after.status} != {"done"}:
            return RunsApart.of(before, after)
        from riskbench.runner import difference

        try:
            return difference.diff_runs(before.id, after.id, explain=False, out=self._out, store=self._store)
        except RiskbenchError as error:
            return RunsApart.of(before, after, error.what)

    def _list(self) -> RunList:
        rows = [
            (
                entry.id,
                entry.started[:16].replace("T", " "),
                entry.status,
                entry.playbook,
                str(entry.parameters.get("region") or "–"),
                entry.seconds,
                _first(entry),
            )
            for entry in self._shown
        ]
        columns = ["run", "started", "status", "playbook", "region", "seconds", "answer"]
        return RunList(
            runs=pd.DataFrame(rows, columns=columns),
            of=len(self._entries),
            notes=() if self._entries else (self._none,),
        )

    @property
    def _none(self) -> str:
        """Where no runs are: the folder, or the store that was named."""
        return f"No runs yet in {redact(self._store or repr(str(self._out)), secrets_in(self._store))}"


def _folder(out: object) -> Path:
    if not isinstance(out, str | Path):
        raise ParameterError("The folder of the runs is a path", got=repr(out)[:80], allowed="text or Path")
    return Path(out)


def _store(store: object) -> str | None:
    """Return the store as named, where there can be one: looking into it makes no file and no folder."""
    if store is None:
        return None
    if not isinstance(store, str) or not store.strip():
        raise ParameterError("A store is named by its URL", got=repr(store)[:80], allowed="text")
    file = _file(store)
    if file is not None and not file.parent.is_dir():
        raise StoreError(
            "The store cannot be opened: its folder is not there",
            got=redact(store, secrets_in(store)),
            hint="the ledger is riskbench.db in the folder of the runs, unless another store was named",
        )
    return store


def _file(store: str) -> Path | None:
    """Return the file of a store; None where it is none."""
    text = store.removeprefix("sqlite:///").partition("?")[0]
    return None if "://" in text or text in ("", ":memory:") else Path(text)


def _first(entry: Entry) -> str:
    """Return the first fact of a run's answer, or why there is none."""
    for held in entry.headline:
        return f"{held.get('name')}: {held.get('text')}"
    return next(iter(redact(entry.error or "").splitlines()), "")


def _line(entry: Entry) -> str:
    started = entry.started[:16].replace("T", " ")
    region = str(entry.parameters.get("region") or "all")
    return f"{started}  {entry.status:<11}  {entry.playbook}  {region}  {_first(entry)}"[:160]


def _haystack(entry: Entry) -> str:
    values: Sequence[Any] = [value for value in entry.parameters.values() if value is not None]
    texts = [entry.id, entry.playbook, entry.status, entry.started, entry.error or "", _first(entry), *map(str, values)]
    return redact(" ".join(texts)).casefold()


def run_browser(*, out: str | Path = "runs", store: str | None = None) -> RunBrowser:
    """Return the runs of a folder to look through: filter them, pick one to read, or two to compare.

    Use it to find an earlier answer and its pages, or what was asked differently. Several runs are picked with Ctrl.

    Parameters
    ----------
    out : str or Path
        The folder of the run folders.
    store : str, optional
        The URL of the store that keeps the ledger; `riskbench.db` in `out` when not given.

    Returns
    -------
    RunBrowser
        `.value`, `.picked`, `.result`, `.select(run)`, `.refresh()`.

    Raises
    ------
    StoreError
        When the store that is named is not there or cannot be read.
    ParameterError
        When the folder is no path.

    Examples
    --------
    >>> import riskbench as rb
    >>> rb.run_browser(out="a folder without runs")
    RunBrowser(RunList(Runs: 0; Not well ended: 0))
    """
    return RunBrowser(out=out, store=store)
