"""Tables in memory as a source: pandas, polars, Arrow, and whatever speaks Arrow's stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from riskbench.data.sources import Source, is_text, note_left_out, sort_out
from riskbench.errors import DataError

#: Polars types that Arrow lacks; they are read as text.
_ODD = frozenset({"Int128", "UInt128"})
#: The largest whole number up to which floating point holds each one.
_EXACT = 2**53


def is_table(source: object) -> bool:
    """Tell whether something is a table in memory."""
    return isinstance(source, pd.DataFrame | pa.Table | pa.RecordBatch | pa.RecordBatchReader) or (
        hasattr(source, "__arrow_c_stream__") or _is_polars(source)
    )


def _is_polars(source: object) -> bool:
    return type(source).__module__.partition(".")[0] == "polars" and type(source).__name__ in {"DataFrame", "LazyFrame"}


def frame_source(source: object, *, wanted: Sequence[str] = ()) -> Source:
    """Return a table in memory as a source.

    Parameters
    ----------
    source : DataFrame, Table or the like
        The table; it is not changed.
    wanted : sequence of str
        Columns that roles name: a pandas index of that name becomes a column.
    """
    if isinstance(source, pd.DataFrame):
        return _from_pandas(source, wanted)
    return arrow_source(_arrow(source), name="events")


def arrow_source(
    table: pa.Table, *, name: str, notes: Sequence[str] = (), strange: Mapping[str, str] | None = None
) -> Source:
    """Return an Arrow table as a source; `strange` columns stay out, for the reason given."""
    types, left_out = sort_out(table.column_names, table.schema.types)
    for column, why in (strange or {}).items():
        types.pop(column, None)
        left_out[column] = why
    places = {column: table.schema.get_field_index(column) for column in types}
    return Source(
        name=name,
        rows=table.num_rows,
        types=types,
        load=lambda names: {column: table.column(places[column]) for column in names},
        left_out=left_out,
        notes=(*note_left_out(left_out), *notes),
    )


def _arrow(source: Any) -> pa.Table:
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if isinstance(source, pa.RecordBatchReader):
        return source.read_all()
    if type(source).__name__ == "LazyFrame":
        source = source.collect()
    if _is_polars(source):
        odd = {name: kind for name, kind in zip(source.columns, source.dtypes, strict=True) if str(kind) in _ODD}
        return source.with_columns(source.get_column(name).cast(str) for name in odd).to_arrow()
    try:
        return pa.table(source)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError("This is not a table", got=type(source).__name__, allowed="a table of named columns") from error


def _from_pandas(frame: pd.DataFrame, wanted: Sequence[str]) -> Source:
    held = {str(name) for name in frame.columns}
    index = [name for name in frame.index.names if name is not None and str(name) in wanted and str(name) not in held]
    if index:
        frame = frame.reset_index(level=index)
    names = [str(name) for name in frame.columns]
    if not names:
        raise DataError("The table has no columns")
    columns: list[pa.Array | pa.ChunkedArray] = []
    notes: list[str] = []
    strange: dict[str, str] = {}
    for place, name in enumerate(names):
        made, found = _column(frame.iloc[:, place], name)
        if made is None:
            kind = frame.dtypes.iloc[place]
            what = "lists, objects or bytes" if kind == np.dtype("O") else f"values of type {kind}"
            strange[name] = f"it holds {what}, which no rule can compare"
            made = pa.nulls(len(frame), pa.binary())
        columns.append(made)
        notes.extend(found)
    return arrow_source(pa.Table.from_arrays(columns, names=names), name="events", notes=notes, strange=strange)


def _column(series: pd.Series, name: str) -> tuple[pa.Array | pa.ChunkedArray | None, tuple[str, ...]]:
    """Return a pandas column as Arrow, None where it cannot be; mixed kinds of values become text."""
    if series.dtype == object:
        return _objects(series, name)
    try:
        made = pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        made = None
    if made is None or isinstance(made.type, pa.BaseExtensionType):
        return None, ()
    if pa.types.is_dictionary(made.type) and not is_text(made.type):
        made = made.cast(made.type.value_type)
    return made, ()


def _objects(series: pd.Series, name: str) -> tuple[pa.Array | None, tuple[str, ...]]:
    cells = series.to_numpy()
    present = ~pd.isna(cells) if cells.ndim == 1 else np.ones(len(cells), dtype=bool)
    kinds = {type(cell) for cell in cells[present]}
    if any(issubclass(kind, dict | list | tuple | set | bytes | np.ndarray) for kind in kinds):
        return None, ()
    families = [{int, float, np.int64, np.float64, np.int32, np.float32}, {datetime, pd.Timestamp}, {bool, np.bool_}]
    mixed = len(kinds) > 1 and not any(kinds <= family for family in families)
    if not mixed:
        try:
            made = pa.Array.from_pandas(series)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            made = None
        if made is not None and _whole(made, kinds, cells[present]):
            return made, ()
    texts = [_worded(cell) if here else None for cell, here in zip(cells, present, strict=True)]
    what = "mixed kinds of values" if mixed else "values that fit no column"
    return pa.array(texts, pa.string()), (f"{name!r} holds {what} and was left as text",)


def _whole(made: pa.Array, kinds: set[type], cells: np.ndarray) -> bool:
    """Tell whether whole numbers beside fractions stayed what they were."""
    if not pa.types.is_floating(made.type) or not any(issubclass(kind, int | np.integer) for kind in kinds):
        return True
    return all(-_EXACT <= int(cell) <= _EXACT for cell in cells if isinstance(cell, int | np.integer))


def _worded(cell: object) -> str:
    if isinstance(cell, bool):
        return json.dumps(cell)
    if isinstance(cell, Decimal):
        return format(cell, "f")
    return str(cell).encode("utf-8", "replace").decode()
