"""How is an earlier run found and read, though its folder may have been changed by anybody?"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from riskbench.display import Fact
from riskbench.display.fact import Unit
from riskbench.errors import PlaybookError, RiskbenchError, StoreError
from riskbench.runner import seal
from riskbench.runner.bundle import RESULTS
from riskbench.runner.folder import RECORD
from riskbench.runner.run import Run
from riskbench.store import Entry, Ledger

if TYPE_CHECKING:
    import pandas as pd

    from riskbench.rules.book import RuleBook

#: What a run's id looks like.
ID = re.compile(r"\b\d{8}-[0-9a-f]{8}\b")
_MOST_RECORD, _MOST_RESULTS, _MOST_PAGE = 5_000_000, 50_000_000, 100_000_000
_MOST_TABLE, _MOST_CELLS, _MOST_FACTS = 200_000_000, 20_000_000, 50
_NAME, _TEXT = 200, 2_000
_LEDGER = "riskbench.db"
#: What of the stamp stands in the ledger alone, and what else stands in both places.
LEDGERS, _BOTH = ("seal", "at"), ("playbook", "status", "parameters", "headline")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An earlier run: what its folder says of it, and what the ledger says.

    Where the ledger knows the run, it is believed, and so is the run.json that it vouches for; a folder can be changed
    by anybody.

    Attributes
    ----------
    id : str
        The run.
    folder : Path or None
        Its folder; None when there is none any more.
    record : mapping
        What run.json says; empty when it cannot be read.
    entry : Entry or None
        What the ledger says; None when no ledger knows the run.
    problem : str
        Why the folder or run.json cannot be read; empty when it can.
    ledger : str
        Which ledger was asked, or why none.
    handed : Path or None
        The page or notebook that was handed over by itself.
    """

    id: str
    folder: Path | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    entry: Entry | None = None
    problem: str = ""
    ledger: str = ""
    handed: Path | None = None

    @property
    def name(self) -> str:
        """The run's folder, or its id where it has none."""
        return self.folder.name if self.folder is not None else self.id

    @property
    def playbook(self) -> str:
        """The playbook's id."""
        return _text(self._told("playbook"))

    @property
    def status(self) -> str:
        """How the run ended."""
        return _text(self._told("status"))

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter's value, secrets masked."""
        held = self._told("parameters")
        return dict(held) if isinstance(held, Mapping) else {}

    @property
    def stamp(self) -> dict[str, Any]:
        """What the run rests on."""
        held = self._told("stamp")
        own = {name: self.entry.stamp.get(name) for name in LEDGERS if name in self.entry.stamp} if self.entry else {}
        return {**held, **own} if isinstance(held, Mapping) else own

    def _told(self, name: str) -> Any:
        """Return what run.json says where the ledger vouches for it or there is none, else what the ledger says."""
        return self.record.get(name) if self.entry is None or self.vouched else getattr(self.entry, name)

    def mark(self, name: str) -> dict[str, Any]:
        """Return one part of the stamp; empty when there is none."""
        held = self.stamp.get(name)
        return dict(held) if isinstance(held, Mapping) else {}

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """The headline."""
        return facts_of(self._told("headline"))

    @property
    def sealed(self) -> dict[str, str]:
        """The hash of each file of the folder, as run.json says; empty for a run of before there were seals."""
        held = self.record.get("seal")
        whole = held.items() if isinstance(held, Mapping) and len(held) <= seal.MOST_FILES else ()
        return {name: mark for name, mark in whole if isinstance(name, str) and isinstance(mark, str)}

    @cached_property
    def vouched(self) -> bool:
        """Whether the ledger vouches for run.json as it lies there."""
        if self.entry is None or self.folder is None or not self.record or self.record.get("id") != self.entry.id:
            return False
        told = self.entry.stamp.get("seal")
        try:
            return isinstance(told, Mapping) and seal.digest(self.folder, RECORD) == told.get(RECORD)
        except PlaybookError:
            return False

    @property
    def contradicted(self) -> list[str]:
        """What the ledger's row says otherwise than the run.json that it vouches for."""
        return contradictions(self.entry, self.record) if self.entry is not None and self.vouched else []

    @cached_property
    def book(self) -> RuleBook | None:
        """The rule book as it was used, read from the text that the run kept; None when it is not there or changed.

        Its hash tells that it is the one: a book's hash is that of what it means.
        """
        from riskbench.rules.book import RuleBook

        if self.folder is None:
            return None
        try:
            text = seal.content(self.folder, seal.BOOK, most=1_000_001).decode("utf-8")
            book = RuleBook.from_yaml(text)
        except (RiskbenchError, UnicodeDecodeError, RecursionError):
            return None
        return book if book.hash == self.mark("book").get("hash") else None

    @cached_property
    def results(self) -> tuple[dict[str, Any], ...]:
        """What results.json holds: name, kind, title, main, facts, and each table's file; none when unreadable."""
        return () if self.folder is None else _results(self.folder)

    def table(self, result: Mapping[str, Any], name: str) -> pd.DataFrame | None:
        """Return one table of a result; None when there is none that can be read safely."""
        file = result["tables"].get(name)
        return None if file is None or self.folder is None else _table(self.folder, file)


def contradictions(entry: Entry, record: Mapping[str, Any]) -> list[str]:
    """Return what a ledger's row says otherwise than the run.json of its run: playbook, status, parameters and such."""
    said = [name for name in _BOTH if _json(getattr(entry, name)) != _json(record.get(name))]
    stamp = {name: mark for name, mark in entry.stamp.items() if name not in LEDGERS}
    return [*said, *(["stamp"] if _json(stamp) != _json(record.get("stamp")) else [])]


def _json(held: object) -> str:
    """Return one text for equal values; `true` and 1 are not equal."""
    return json.dumps(held, sort_keys=True, default=str)


def recall(run: Run | str | Path, *, out: str | Path = "runs", store: str | None = None) -> Kept:
    """Return an earlier run by its id, the beginning of it, its folder, a page of it, or itself.

    Raises
    ------
    RiskbenchError
        When there is no such run.
    """
    if isinstance(run, Run):
        return _of_folder(run.folder, out, store) if run.folder is not None else _of_id(run.id, Path(out), store)
    if not isinstance(run, str | Path) or not str(run).strip():
        raise PlaybookError("A run is named by its id, its folder, or a page of it", got=type(run).__name__)
    text = str(run)
    try:
        path = Path(run)
        if path.is_dir():
            return _of_folder(path, out, store)
        if path.is_file():
            return _of_folder(path.parent, out, store) if path.name == RECORD else _of_page(path, out, store)
        inside = Path(out) / text
        if path.name == text and inside.is_dir():
            return _of_folder(inside, out, store)
    except (OSError, ValueError):
        raise PlaybookError("A run is named by its id, its folder, or a page of it", got=repr(text)[:120]) from None
    return _of_id(text, Path(out), store)


def _of_folder(folder: Path, out: str | Path, store: str | None) -> Kept:
    folder = folder.resolve()
    record, problem = record_of(folder)
    found = ID.fullmatch(_text(record.get("id")))
    entry, ledger = None, ""
    places = (folder.parent, Path(out))
    if found is not None:
        entry, ledger = _entry(found[0], places, store)
    elif problem:  # the ledger still knows which run lies here
        entry, ledger = _entry(folder.name, places, store)
    if not record and entry is None:
        raise PlaybookError(
            f"{folder.name!r} is no run folder that can be read",
            got=problem,
            allowed="a folder that `riskbench run` has made",
        )
    number = entry.id if entry is not None else found[0] if found is not None else folder.name
    return Kept(id=number, folder=folder, record=record, entry=entry, problem=problem, ledger=ledger)


def _of_id(text: str, out: Path, store: str | None) -> Kept:
    entry, ledger = _entry(text, (out,), store, strict=True)
    if entry is None:
        raise StoreError(
            f"There is no run {text[:80]!r}: {ledger}", hint="name the folder with --out, or the store with --store"
        )
    return _of_entry(entry, (out,), ledger)


def _of_entry(entry: Entry, places: Sequence[Path], ledger: str) -> Kept:
    """Return a run that the ledger knows, with its folder where that still lies there or was moved along."""
    known = Path(entry.folder) if entry.folder else None
    candidates = [] if known is None else [*(place / known.name for place in places), known]
    for folder in candidates:
        if folder.is_dir():
            record, problem = record_of(folder)
            if not problem and record.get("id") != entry.id:
                continue  # a later run with the same parameters has taken its place
            return Kept(
                id=entry.id, folder=folder.resolve(), record=record, entry=entry, problem=problem, ledger=ledger
            )
    why = entry.error or "its folder is gone, or a later run has taken its place"
    return Kept(id=entry.id, entry=entry, problem=why, ledger=ledger)


def _of_page(path: Path, out: str | Path, store: str | None) -> Kept:
    """Return the run that a page or notebook says it is of."""
    path = path.resolve()
    try:
        text = seal.content(path.parent, path.name, most=_MOST_PAGE).decode("utf-8", "replace")
    except PlaybookError as error:
        raise PlaybookError("The page cannot be read", got=str(path), hint=error.what) from None
    number = _id_of_notebook(text) if path.suffix == ".ipynb" else _id_of_page(text)
    if number is None:
        raise PlaybookError(
            f"{path.name!r} does not say which run it is of",
            allowed="a page or notebook that `riskbench run` has made",
        )
    beside, _ = record_of(path.parent)
    if beside.get("id") == number:
        held = _of_folder(path.parent, out, store)
    else:
        places = (path.parent, path.parent.parent, Path(out))
        entry, ledger = _entry(number, places, store)
        held = Kept(id=number, ledger=ledger) if entry is None else _of_entry(entry, places, ledger)
    return Kept(**{**{name: getattr(held, name) for name in _FIELDS}, "handed": path})


_FIELDS = ("id", "folder", "record", "entry", "problem", "ledger")


def _id_of_page(text: str) -> str | None:
    """Return the run's id that a page's last lines tell."""
    foot = text[text.rfind("<footer") :] if "<footer" in text else text[-5_000:]
    found = re.search(rf"\bRun ({ID.pattern})", foot) or ID.search(foot)
    return None if found is None else ID.search(found[0])[0]  # type: ignore[index]


def _id_of_notebook(text: str) -> str | None:
    try:
        told = json.loads(text)["metadata"]["riskbench"]["run"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return told if isinstance(told, str) and ID.fullmatch(told) else None


def _entry(text: str, places: Sequence[Path], store: str | None, *, strict: bool = False) -> tuple[Entry | None, str]:
    """Return what a ledger says of a run, and which ledger that was or why none."""
    found = [place / _LEDGER for place in places if (place / _LEDGER).is_file()]
    urls = [store] if store is not None else list(dict.fromkeys(str(path.resolve()) for path in found))
    why = "there is no ledger here"
    for url in urls:
        try:
            with Ledger(url) as held:
                return held.entry(text), repr(held)
        except StoreError as error:
            if strict:
                raise
            why = error.what
        except (ValueError, TypeError, AttributeError, RecursionError):
            why = "the ledger's row cannot be read"
    return None, why


def record_of(folder: Path) -> tuple[dict[str, Any], str]:
    """Return what run.json of a folder holds, and why it cannot be read."""
    try:
        held = json.loads(seal.content(folder, RECORD, most=_MOST_RECORD))
    except PlaybookError as error:
        return {}, error.what
    except (ValueError, RecursionError):
        return {}, "run.json is no JSON"
    return (held, "") if isinstance(held, dict) else ({}, "run.json is no record of a run")


def facts_of(held: object) -> tuple[Fact, ...]:
    """Return facts from what may be anything: those that are no facts are left out.

    >>> facts_of([{"name": "Alerts", "value": 3, "unit": "count"}, {"name": "Odd", "value": [1]}, 7])
    (Fact(name='Alerts', value=3, unit='count', lower=None, upper=None, n=None, currency='', note='', signed=False),)
    """
    made = []
    for one in held[:_MOST_FACTS] if isinstance(held, Sequence) and not isinstance(held, str) else ():
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            continue
        value, unit, n = one.get("value"), one.get("unit"), one.get("n")
        text = isinstance(value, str)
        if not (value is None or text or number(value) is not None) or unit not in get_args(Unit):
            continue
        made.append(
            Fact(
                one["name"][:_NAME],
                _text(value) if text else number(value),
                cast("Unit", unit),
                lower=number(one.get("lower")),
                upper=number(one.get("upper")),
                n=n if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 10**15 else None,
                currency=_text(one.get("currency"))[:8],
                note=_text(one.get("note")),
                signed=one.get("signed") is True,
            )
        )
    return tuple(made)


def number(value: object) -> float | int | None:
    """Return a finite number as it is, anything else as None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**300 else None
    return value if math.isfinite(value) else None


def _text(value: object) -> str:
    return value[:_TEXT] if isinstance(value, str) else ""


def _results(folder: Path) -> tuple[dict[str, Any], ...]:
    try:
        held = json.loads(seal.content(folder, RESULTS, most=_MOST_RESULTS))
        listed = held["results"]
    except (PlaybookError, ValueError, KeyError, TypeError, RecursionError):
        return ()
    found = []
    for one in listed[:_NAME] if isinstance(listed, list) else ():
        if not isinstance(one, Mapping) or not _text(one.get("name")):
            continue
        tables = one.get("tables")
        files = tables.items() if isinstance(tables, Mapping) else ()
        found.append(
            {
                **{name: _text(one.get(name)) for name in ("name", "kind", "title", "main")},
                "facts": facts_of(one.get("headline")),
                "tables": {str(name): file for name, file in files if isinstance(file, str)},
            }
        )
    return tuple(found)


def _table(folder: Path, file: str) -> pd.DataFrame | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with seal.opened(folder, file, most=_MOST_TABLE) as stream:
            held = pq.ParquetFile(stream)
            told = held.metadata
            size = sum(told.row_group(group).total_byte_size for group in range(told.num_row_groups))
            if told.num_rows * told.num_columns > _MOST_CELLS or size > 10 * _MOST_TABLE:
                return None
            return held.read().to_pandas()
    except (PlaybookError, OSError, ValueError, TypeError, KeyError, pa.ArrowException, MemoryError):
        return None
