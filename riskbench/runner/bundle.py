"""What does a run leave behind that a program can read? results.json and one Parquet file a table."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from riskbench.config import redact_all
from riskbench.display import Fact, Result, json_safe, result
from riskbench.errors import PlaybookError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
RESULTS, TABLES = "results.json", "tables"
_NAME = re.compile(r"[^a-z0-9_]+")


@result
class Stored(Result):
    """A result of a finished run, read back: its facts, notes and tables, without what made it.

    Attributes
    ----------
    name : str
        What it is called in the run.
    stored_kind, stored_title : str
        What it was.
    stored_main : str
        The table that `frame()` gives.
    facts : tuple of Fact
        Its headline.
    """

    kind: ClassVar[str] = "stored"
    title: ClassVar[str] = "Stored result"
    name: str
    stored_kind: str
    stored_title: str
    facts: tuple[Fact, ...] = ()
    stored_main: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "main", self.stored_main)

    def headline(self) -> tuple[Fact, ...]:
        """Return the facts."""
        return self.facts


def write(folder: Path, results: Iterable[Result]) -> dict[str, Any]:
    """Write results into a run folder and return what results.json holds."""
    entries: list[dict[str, Any]] = []
    used: set[str] = set()
    for held in results:
        name = _free(_slug(held.kind), used)
        tables = {}
        for table in held.tables:
            file = f"{name}-{_slug(table)}.parquet"
            _write_table(held.frame(table), folder / TABLES / file)
            tables[table] = f"{TABLES}/{file}"
        entries.append(
            {
                "name": name,
                "kind": held.kind,
                "title": held.title,
                "main": held.main,
                "headline": [fact.to_dict() for fact in held.headline()],
                "tables": tables,
                "notes": list(held.notes),
                "provenance": json_safe(held.provenance),
            }
        )
    whole = redact_all({"format": FORMAT, "results": entries})
    write_json(folder / RESULTS, whole)
    return whole


def read(folder: Path) -> dict[str, Stored]:
    """Return the results of a run folder by name.

    Raises
    ------
    PlaybookError
        When there are none, or they cannot be read.
    """
    held = read_json(folder / RESULTS)
    if not isinstance(held, Mapping) or held.get("format") != FORMAT:
        raise PlaybookError(f"{folder} holds no results that this riskbench can read", hint="the run did not finish")
    return {entry["name"]: _stored(folder, entry) for entry in held["results"]}


def fact(held: Mapping[str, Any]) -> Fact:
    """Return a fact from its JSON form."""
    names = ("name", "value", "unit", "lower", "upper", "n", "currency", "note", "signed")
    return Fact(**{name: held[name] for name in names if name in held})


def _stored(folder: Path, entry: Mapping[str, Any]) -> Stored:
    inside = (folder / TABLES).resolve()
    lazy = {}
    for table, place in entry["tables"].items():
        path = (folder / place).resolve()
        if path.parent != inside:
            raise PlaybookError(f"{folder / RESULTS} names a table outside of its folder", got=place)
        lazy[table] = _reader(path)
    return Stored(
        name=entry["name"],
        stored_kind=entry["kind"],
        stored_title=entry["title"],
        facts=tuple(fact(held) for held in entry["headline"]),
        notes=tuple(entry["notes"]),
        provenance=entry["provenance"],
        lazy=lazy,
        stored_main=entry.get("main", ""),
    )


def _reader(path: Path) -> Any:
    def read() -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(path)

    return read


def _write_table(frame: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa

    path.parent.mkdir(exist_ok=True)
    frame = frame.rename(columns=str)
    for name in frame.columns:
        if frame[name].dtype == object:
            try:
                pa.Array.from_pandas(frame[name])
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                frame[name] = frame[name].map(str)
    frame.to_parquet(path, index=False)


def _slug(text: str) -> str:
    return _NAME.sub("_", text.lower()).strip("_")[:60] or "result"


def _free(name: str, used: set[str]) -> str:
    free, number = name, 1
    while free in used:
        number += 1
        free = f"{name}_{number}"
    used.add(free)
    return free


def write_json(path: Path, value: object) -> None:
    """Write JSON in one step, so that a reader never meets half a file."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(json_safe(value), ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, or None when there is no readable one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
