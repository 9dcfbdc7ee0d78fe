"""Where rows come from: a source before its columns are given parts to play."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from riskbench.errors import DataError, listed, nearest

#: The endings that tell a file's format.
FORMATS: Mapping[str, str] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Rows whose columns are known by name and type, and loaded when asked for.

    Attributes
    ----------
    name : str
        What pages call it: never a password, never a whole path.
    rows : int
        The number of rows.
    types : mapping of str to DataType
        The columns that can be used, in order.
    load : callable
        Takes names and returns their Arrow columns.
    digest : callable or None
        Returns the hash of the files; None: the content itself is hashed.
    left_out : mapping of str to str
        Columns that cannot be used, and why.
    notes : tuple of str
        What was found or assumed.
    """

    name: str
    rows: int
    types: Mapping[str, pa.DataType]
    load: Callable[[list[str]], Mapping[str, pa.ChunkedArray]]
    digest: Callable[[], str] | None = None
    left_out: Mapping[str, str]
    notes: tuple[str, ...] = ()


def sort_out(names: Iterable[str], types: Iterable[pa.DataType]) -> tuple[dict[str, pa.DataType], dict[str, str]]:
    """Return the columns that can be used with their types, and those that cannot with the reason."""
    usable: dict[str, pa.DataType] = {}
    left_out: dict[str, str] = {}
    for name, kind in zip(names, types, strict=True):
        if name in usable or name in left_out:
            usable.pop(name, None)
            left_out[name] = "two columns bear this name"
        elif not comparable(kind):
            left_out[name] = f"of type {_brief(kind)}, which no rule can compare"
        else:
            usable[name] = kind
    return usable, left_out


def comparable(kind: pa.DataType) -> bool:
    """Tell whether rules can compare values of a type."""
    tests = (
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_timestamp,
        pa.types.is_date,
        pa.types.is_null,
        is_text,
        is_uuid,
    )
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(inner) for test in tests)


def is_uuid(kind: pa.DataType) -> bool:
    """Tell whether a type is Arrow's own for UUIDs, which are read as text."""
    return getattr(kind, "extension_name", "") == "arrow.uuid"


def as_words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of UUIDs as text."""
    texts = [None if one is None else str(one) for one in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type is text, plain or coded."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner))


def note_left_out(left_out: Mapping[str, str]) -> tuple[str, ...]:
    """Return one remark for each column that was left out."""
    return tuple(f"column {name!r} was left out: {why}" for name, why in left_out.items())


def _brief(kind: pa.DataType) -> str:
    text = str(kind)
    return text if len(text) <= 40 else f"{text[:37]}..."


def files_of(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[list[Path], str]:
    """Return the files that a path, a glob or a list of either names, and their format.

    Raises
    ------
    DataError
        When there is no such file, or the files are not of one known format.
    """
    wanted = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not wanted:
        raise DataError("The list of files is empty")
    paths: dict[Path, None] = {}
    for one in wanted:
        paths.update(dict.fromkeys(_expand(os.fspath(one))))
    formats = {path: format_of(path) for path in paths}
    kinds = sorted(set(formats.values()))
    if len(kinds) > 1:
        raise DataError("The files are of more than one format", got=listed(kinds), allowed="one format")
    return list(paths), kinds[0]


def format_of(path: Path) -> str:
    """Return the format that a file's ending names.

    Raises
    ------
    DataError
        For an ending that names none.
    """
    name = path.name.casefold()
    for ending in sorted(FORMATS, key=len, reverse=True):
        if name.endswith(ending):
            return FORMATS[ending]
    raise DataError(
        f"{path.name!r} is not a kind of file that can be read",
        allowed=listed(FORMATS),
        hint="name a file by one of these endings, or read it yourself and hand over the table",
    )


def _expand(text: str) -> list[Path]:
    path = Path(text)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as error:
        raise DataError(f"There is no file {_shown(text)!r}", hint=error.strerror) from None
    if is_file:
        return [path]
    if is_folder:
        raise DataError(f"{path.name!r} is a folder", hint=f"name its files: {path.name}/*.parquet")
    if any(mark in text for mark in "*?["):
        found = [Path(one) for one in sorted(glob.glob(text, recursive=True)) if Path(one).is_file()]  # noqa: PTH207
        if not found:
            raise DataError(f"No file matches {_shown(text)!r}", hint="a glob is read from the current folder")
        return found
    raise DataError(f"There is no file {_shown(text)!r}", hint=_near(path))


def _shown(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:197]}..."


def _near(path: Path) -> str | None:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {str(folder)!r} is not there either"
    close = nearest(path.name, (one.name for one in folder.iterdir() if one.is_file()))
    return f"did you mean {close!r}, in the same folder?" if close else None
