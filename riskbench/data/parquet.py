"""Parquet files as a source: the schema at once, columns when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from riskbench.data.sources import Source, is_text, note_left_out, sort_out
from riskbench.errors import DataError, listed

_Stamp = tuple[int, int]


def parquet_source(paths: Sequence[Path]) -> Source:
    """Return Parquet files of one schema as a source.

    Raises
    ------
    DataError
        When a file is empty, has no rows, is no Parquet file, is cut off, or has other columns than the first.
    """
    stamps = {path: _stamp(path) for path in paths}
    heads = [_head(path) for path in paths]
    if not sum(rows for _, rows in heads):
        raise DataError(f"The file {paths[0].name!r} has no rows")
    usable, left_out = sort_out(heads[0][0].names, heads[0][0].types)
    for path, (schema, _) in zip(paths[1:], heads[1:], strict=True):
        other, also_out = sort_out(schema.names, schema.types)
        _same_names({**usable, **left_out}, {**other, **also_out}, paths[0], path)
        left_out |= also_out
        usable = {
            name: common_type(kind, other[name], name=name, first=paths[0].name, second=path.name)
            for name, kind in usable.items()
            if name in other
        }

    def load(names: list[str]) -> dict[str, pa.ChunkedArray]:
        parts = [_columns(path, stamps[path], names, usable) for path in paths]
        return {name: _stacked([part[name] for part in parts], usable[name]) for name in names}

    def digest() -> str:
        _unchanged(stamps)
        return digest_of(paths)

    for name in [name for name, kind in usable.items() if pa.types.is_uint64(kind)]:
        usable[name] = _unsigned(load([name])[name])
    return Source(
        name=paths[0].stem if len(paths) == 1 else f"{paths[0].stem} and {len(paths) - 1} more",
        rows=sum(rows for _, rows in heads),
        types=usable,
        load=load,
        digest=digest,
        left_out=left_out,
        notes=note_left_out(left_out),
    )


def digest_of(paths: Sequence[Path]) -> str:
    """Return the hash of the bytes of files, in order."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def common_type(one: pa.DataType, two: pa.DataType, *, name: str, first: str, second: str) -> pa.DataType:
    """Return the type that holds a column of two files.

    Raises
    ------
    DataError
        When they are not of one kind.
    """
    if one.equals(two) or pa.types.is_null(two):
        return one
    if pa.types.is_null(one):
        return two
    if is_text(one) and is_text(two):
        return pa.string()
    if pa.types.is_integer(one) and pa.types.is_integer(two) and not {one, two} & {pa.uint64()}:
        return pa.int64()
    if pa.types.is_floating(one) and pa.types.is_floating(two):
        return pa.float64()
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(two) and (one.tz is None) == (two.tz is None):
        return pa.timestamp("us", tz=None if one.tz is None else "UTC")
    raise DataError(
        f"The column {name!r} is {one} in {first!r} and {two} in {second!r}", hint="read files of one schema together"
    )


def _same_names(one: dict[str, object], two: dict[str, object], first: Path, second: Path) -> None:
    missing, more = sorted(set(one) - set(two)), sorted(set(two) - set(one))
    if missing or more:
        raise DataError(
            f"The columns of {second.name!r} differ from those of {first.name!r}",
            got=f"missing: {listed(missing)}; more: {listed(more)}",
            hint="read files of one schema together",
        )


def _stamp(path: Path) -> _Stamp:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _head(path: Path) -> tuple[pa.Schema, int]:
    if path.stat().st_size == 0:
        raise DataError(f"The file {path.name!r} is empty")
    try:
        with pq.ParquetFile(path) as file:
            return file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        with path.open("rb") as file:
            begun = file.read(4) == b"PAR1"
        what = "is cut off or damaged" if begun else "is not a Parquet file"
        raise DataError(f"The file {path.name!r} {what}", hint="write or copy it again") from error


def _unchanged(stamps: Mapping[Path, _Stamp]) -> None:
    for path, stamp in stamps.items():
        if not path.is_file() or _stamp(path) != stamp:
            raise DataError(f"The file {path.name!r} has changed since it was opened", hint="read it again")


def _columns(path: Path, stamp: _Stamp, names: list[str], types: dict[str, pa.DataType]) -> dict[str, pa.ChunkedArray]:
    _unchanged({path: stamp})
    try:
        with pq.ParquetFile(path, read_dictionary=[name for name in names if is_text(types[name])]) as file:
            table = file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The file {path.name!r} is damaged", hint="write or copy it again") from error
    columns = {name: table.column(table.schema.get_field_index(name)) for name in names}
    as_is = {name for name in names if is_text(types[name]) or columns[name].type.equals(types[name])}
    return {name: columns[name] if name in as_is else columns[name].cast(types[name], safe=False) for name in names}


def _stacked(parts: list[pa.ChunkedArray], kind: pa.DataType) -> pa.ChunkedArray:
    kinds = {part.type for part in parts}
    if len(kinds) > 1:
        parts = [part.cast(pa.string() if is_text(kind) else kind) for part in parts]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)


def _unsigned(column: pa.ChunkedArray) -> pa.DataType:
    """Return the type under which unsigned integers are read: int64 where they fit."""
    import pyarrow.compute as pc

    top = pc.max(column).as_py()
    return pa.int64() if top is None or top < 2**63 else pa.float64()
