"""What one column is once it is in memory: five kinds, missing values apart, words coded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from riskbench.errors import DataError

#: Times are whole microseconds: how many make a minute, an hour, a day.
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000

Kind = Literal["bool", "int", "float", "string", "time"]
Mask = npt.NDArray[np.bool_]

#: The SQL type under which a kind is bound and queried.
SQL_TYPES: dict[Kind, str] = {
    "bool": "BOOLEAN",
    "int": "BIGINT",
    "float": "DOUBLE",
    "string": "VARCHAR",
    "time": "TIMESTAMP",
}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column in memory.

    Attributes
    ----------
    kind : {"bool", "int", "float", "string", "time"}
        `int` is int64, `float` float64 without NaN among its valid values, `string` int32 codes into
        `words`, `time` int64 microseconds since 1970-01-01 UTC.
    values : ndarray, shape (rows,)
        The values; where `valid` is False the value means nothing.
    valid : ndarray of bool, shape (rows,), or None
        True where there is a value; None when there is one everywhere.
    words : pyarrow.Array or None
        The distinct words of a string column, without null.
    """

    kind: Kind
    values: npt.NDArray[Any]
    valid: Mask | None = None
    words: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def present(self) -> Mask:
        """True where there is a value."""
        return np.ones(len(self.values), dtype=bool) if self.valid is None else self.valid

    @property
    def missing(self) -> int:
        """How many values are missing."""
        return 0 if self.valid is None else int(len(self.valid) - np.count_nonzero(self.valid))

    def take(self, rows: npt.NDArray[np.intp] | Mask | slice) -> Column:
        """Return the column at some rows (positions, a mask, or a slice)."""
        valid = None if self.valid is None else self.valid[rows]
        return Column(self.kind, self.values[rows], valid, self.words)

    def to_arrow(self) -> pa.Array:
        """Return the column as an Arrow array (strings as a dictionary array)."""
        mask = None if self.valid is None else ~self.valid
        if self.kind == "string":
            return pa.DictionaryArray.from_arrays(pa.array(self.values, type=pa.int32(), mask=mask), self.words)
        if self.kind == "time":
            return pa.array(self.values, type=pa.int64(), mask=mask).cast(pa.timestamp("us"))
        return pa.array(self.values, mask=mask)

    def digest(self) -> bytes:
        """Return a hash of what the column says: equal values, equal hash, however they are coded."""
        text = hashlib.sha256(self.kind.encode())
        valid, values = self.valid, self.values
        if valid is not None and valid.all():
            valid = None
        if valid is not None:
            text.update(np.packbits(valid).tobytes())
            values = np.where(valid, values, np.zeros((), values.dtype))
        if self.words is not None:
            used = np.bincount(self.values if valid is None else self.values[valid], minlength=len(self.words))
            words = self.words.to_pylist()
            order = sorted((i for i in range(len(words)) if used[i]), key=words.__getitem__)
            place = np.zeros(max(1, len(words)), dtype=np.int32)
            place[order] = np.arange(len(order), dtype=np.int32)
            values = place[self.values] if valid is None else np.where(valid, place[values], np.int32(0))
            for i in order:
                text.update(f"{len(words[i])}:{words[i]}".encode("utf-8", "surrogatepass"))
        text.update(np.ascontiguousarray(values).data)
        return text.digest()


def from_numpy(values: npt.NDArray[np.generic]) -> Column:
    """Return a numpy array of numbers or booleans as a column; NaN becomes missing."""
    if values.dtype.kind in "iufb" and values.dtype != np.dtype("uint64"):
        if values.dtype.kind == "b":
            return Column("bool", values)
        if values.dtype.kind in "iu":
            return Column("int", values.astype(np.int64, copy=False))
        numbers = values.astype(np.float64, copy=False)
        absent = np.isnan(numbers)
        return Column("float", numbers, ~absent if absent.any() else None)
    return from_arrow(pa.array(values, from_pandas=True), name="column")


def from_arrow(array: pa.Array | pa.ChunkedArray, *, name: str) -> Column:
    """Return an Arrow array as a column; NaN becomes missing.

    Raises
    ------
    DataError
        For a type that no rule could compare: lists, structs, intervals, bytes.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=array.type)
    kind = array.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return from_arrow(array.cast(kind.value_type), name=name)
        return _from_dictionary(array)
    if _is_text(kind):
        return _from_dictionary(array.dictionary_encode())
    valid = None if array.null_count == 0 else np.asarray(array.is_valid())
    if pa.types.is_null(kind):
        return Column("float", np.zeros(len(array)), np.zeros(len(array), dtype=bool))
    if pa.types.is_boolean(kind):
        return Column("bool", np.asarray(array.fill_null(False)), valid)
    if pa.types.is_uint64(kind):
        top = pc.max(array).as_py()
        if top is not None and top > np.iinfo(np.int64).max:
            return Column("float", np.asarray(array.cast(pa.float64(), safe=False).fill_null(0.0)), valid)
    if pa.types.is_integer(kind):
        return Column("int", np.asarray(array.cast(pa.int64()).fill_null(0)), valid)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = np.asarray(array.cast(pa.float64(), safe=False).fill_null(np.nan))
        present = ~np.isnan(numbers)
        return Column("float", numbers, None if present.all() else present)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        stamps = array.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).cast(pa.int64())
        return Column("time", np.asarray(stamps.fill_null(0)), valid)
    raise DataError(
        f"Column {name!r} has a type that rules cannot compare.",
        got=str(kind),
        allowed="booleans, numbers, text, dates and timestamps",
    )


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _from_dictionary(array: pa.DictionaryArray) -> Column:
    words = array.dictionary.cast(pa.string())
    codes = np.asarray(array.indices.cast(pa.int32()).fill_null(0))
    valid = None if array.indices.null_count == 0 else np.asarray(array.indices.is_valid())
    if words.null_count or len(pc.unique(words)) != len(words):
        plain = words.dictionary_encode()
        inner = np.asarray(plain.indices.cast(pa.int32()).fill_null(-1))
        codes = inner[codes] if len(inner) else codes
        known = codes >= 0
        valid = known if valid is None else valid & known
        valid = None if valid.all() else valid
        codes, words = np.where(codes < 0, 0, codes).astype(np.int32), plain.dictionary
    return Column("string", codes.astype(np.int32, copy=False), valid, words)
