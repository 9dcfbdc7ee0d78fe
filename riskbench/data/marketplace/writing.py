"""How a marketplace lies on disk: Parquet files, and beside each domain its roles in JSON and a short README."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.data.roles import Roles
from riskbench.engine.table import Table
from riskbench.errors import DataError


def write(
    folder: str | Path,
    *,
    datasets: Mapping[str, Dataset],
    tables: Mapping[str, Table],
    truth: Mapping[str, Table],
    made_from: str,
) -> tuple[Path, ...]:
    """Write datasets, tables and truth into a folder and return the files.

    Raises
    ------
    DataError
        When the folder holds something already, or cannot be written.
    """
    root = Path(folder)
    refuse_taken(root)
    done: list[Path] = []
    try:
        for name, dataset in datasets.items():
            done.append(write_parquet(root / name / "events.parquet", dataset.table))
            done.append(_text(root / name / "roles.json", json.dumps(declared(dataset), indent=2, ensure_ascii=False)))
            done.append(_text(root / name / "README.md", _readme(dataset, made_from)))
        done += [write_parquet(root / "tables" / f"{name}.parquet", table) for name, table in tables.items()]
        done += [write_parquet(root / "truth" / f"{name}.parquet", table) for name, table in truth.items()]
        done.append(_text(root / "README.md", _front(datasets, tables, made_from)))
    except OSError as error:
        raise DataError(
            "The marketplace could not be written.", got=f"{root}: {error.strerror or error}", allowed="a folder"
        ) from error
    return tuple(done)


def refuse_taken(folder: Path) -> None:
    """Refuse a folder that holds something: a sample never replaces what somebody else has put there.

    Raises
    ------
    DataError
        When it holds a file or folder, or is no folder.
    """
    try:
        taken = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise DataError(
            "The marketplace could not be written.", got=f"{folder}: {error.strerror or error}", allowed="a folder"
        ) from None
    if taken:
        raise DataError(
            f"The folder {str(folder)[:200]!r} is not empty, and nothing in it is overwritten",
            hint="name a new folder, or clear this one first",
        )


def declared(dataset: Dataset) -> dict[str, Any]:
    """Return what `riskbench.read` needs to know of a dataset beside its file, as plain JSON values."""
    roles: dict[str, Any] = {}
    for spec in fields(Roles):
        value = getattr(dataset.roles, spec.name)
        if value is None or value == ():
            continue
        roles[spec.name] = (
            dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
        )
    return {
        "domain": dataset.domain,
        "name": dataset.name,
        "time_zone": dataset.time_zone,
        "label_recipe": dataset.label_recipe,
        "mature_after": dataset.mature_after,
        "known_at": dict(dataset.known_at),
        "caused_by": dataset.caused_by,
        "notes": list(dataset.notes),
        "roles": roles,
    }


def write_parquet(path: Path, table: Table) -> Path:
    """Write a table as Parquet, in one step, and return the file."""
    from pyarrow import parquet

    arrow = table.to_arrow()
    plain = [column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in arrow.columns]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    parquet.write_table(pa.table(plain, names=arrow.column_names), part, compression="zstd")
    part.replace(path)
    return path


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text.rstrip() + "\n", encoding="utf-8")
    part.replace(path)
    return path


def _readme(dataset: Dataset, made_from: str) -> str:
    roles = dataset.roles.columns()
    rows = "\n".join(
        f"| {name} | {kind} | {roles.get(name, '')} | {dataset.known_at.get(name, '')} |"
        for name, kind in dataset.kinds.items()
    )
    notes = "\n".join(f"- {note}" for note in dataset.notes)
    return f"""# {dataset.name}

Synthetic: {dataset.rows:,} events made from {made_from}. Times are UTC; money is in major units.

- Label: {dataset.label_recipe}.
{notes}

Read it with `riskbench.read("events.parquet", roles=..., domain="{dataset.domain}")`, roles from `roles.json`.

| column | kind | role | known with |
|---|---|---|---|
{rows}
"""


def _front(datasets: Mapping[str, Dataset], tables: Mapping[str, Table], made_from: str) -> str:
    domains = "\n".join(f"- `{name}/`: {held.rows:,} events" for name, held in datasets.items())
    rows = "\n".join(f"- `tables/{name}.parquet`: {table.rows:,} rows" for name, table in tables.items())
    return f"""# Synthetic marketplace

Made from {made_from}. No row describes a real person, company or order.

{domains}
{rows}
- `truth/`: what really happened. Keep it away from whoever is to find it.
"""
