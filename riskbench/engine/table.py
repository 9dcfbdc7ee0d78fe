"""What a set of events is to the engine: named columns, loaded when first asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskbench.engine.columns import Column, Kind, from_arrow
from riskbench.errors import ColumnNotFoundError, DataError

Loader = Callable[[list[str]], Mapping[str, Column]]


class Table:
    """Named columns of one length; immutable to its users, filled as columns are asked for.

    Parameters
    ----------
    rows : int
        The number of rows.
    kinds : mapping of str to kind
        Each column's name and kind, in order.
    load : callable, optional
        Takes a list of names and returns their columns; called at most once a column.
    columns : mapping of str to Column, optional
        The columns that are in memory already.
    digest : callable, optional
        Returns the content hash of what `load` reads (a hash of the files).
    """

    def __init__(
        self,
        rows: int,
        kinds: Mapping[str, Kind],
        *,
        load: Loader | None = None,
        columns: Mapping[str, Column] | None = None,
        digest: Callable[[], str] | None = None,
    ) -> None:
        self.rows = rows
        self.kinds: dict[str, Kind] = dict(kinds)
        self._load, self._digest = load, digest
        self._columns: dict[str, Column] = dict(columns or {})
        self._narrow: dict[str, npt.NDArray[Any]] = {}

    @classmethod
    def from_columns(cls, columns: Mapping[str, Column]) -> Table:
        """Return a table of columns that are in memory.

        Raises
        ------
        DataError
            When the columns differ in length.
        """
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError("The columns differ in length.", got=lengths)
        rows = next(iter(lengths.values()), 0)
        return cls(rows, {name: column.kind for name, column in columns.items()}, columns=columns)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Table:
        """Return an Arrow table as a table in memory."""
        doubled = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        if doubled:
            raise DataError("Two columns bear one name.", got=", ".join(doubled))
        return cls.from_columns({name: from_arrow(table.column(name), name=name) for name in table.column_names})

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.kinds)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self.kinds

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        return f"Table({self.rows:,} rows: {', '.join(self.names)})"

    def column(self, name: str) -> Column:
        """Return one column, loading it if need be.

        Raises
        ------
        ColumnNotFoundError
            When there is none of that name.
        """
        return self.columns([name])[name]

    def columns(self, names: Iterable[str]) -> dict[str, Column]:
        """Return several columns, loading those that are not in memory in one go."""
        wanted = list(names)
        for name in wanted:
            if not isinstance(name, str) or name not in self.kinds:
                raise ColumnNotFoundError.among(name if isinstance(name, str) else repr(name)[:80], self.kinds)
        absent = [name for name in dict.fromkeys(wanted) if name not in self._columns]
        if absent:
            assert self._load is not None
            self._columns.update(self._load(absent))
        return {name: self._columns[name] for name in wanted}

    def narrow(self, name: str) -> npt.NDArray[Any]:
        """Return a column's values in the smallest whole-number type that holds them; comparing those costs less."""
        if name not in self._narrow:
            values = self.column(name).values
            if values.dtype.kind == "i" and len(values):
                low, high = int(values.min()), int(values.max())
                fits = (kind for kind in (np.uint8, np.int16, np.int32) if _holds(kind, low, high))
                values = values.astype(next(fits, values.dtype), copy=False)
            self._narrow[name] = values
        return self._narrow[name]

    def with_columns(self, columns: Mapping[str, Column]) -> Table:
        """Return the table with columns added or replaced."""
        wrong = {name: len(column) for name, column in columns.items() if len(column) != self.rows}
        if wrong:
            raise DataError(f"A new column needs {self.rows} rows.", got=wrong)
        base = self
        new = Table(
            self.rows,
            {**self.kinds, **{name: column.kind for name, column in columns.items()}},
            load=base.columns,
            digest=lambda: _joined(base.fingerprint, columns),
        )
        new._columns.update(columns)
        return new

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Table:
        """Return the table at some rows: positions in order, or a mask."""
        count = int(np.count_nonzero(rows)) if rows.dtype == bool else len(rows)
        base = self
        return Table(
            count,
            self.kinds,
            load=lambda names: {name: col.take(rows) for name, col in base.columns(names).items()},
            digest=lambda: hashlib.sha256(base.fingerprint.encode() + np.ascontiguousarray(rows).tobytes()).hexdigest(),
        )

    def to_arrow(self, names: Iterable[str] | None = None) -> pa.Table:
        """Return some or all columns as an Arrow table."""
        columns = self.columns(self.names if names is None else names)
        return pa.table({name: column.to_arrow() for name, column in columns.items()})

    def frame(self, names: Iterable[str] | None = None) -> pd.DataFrame:
        """Return some or all columns as a pandas DataFrame."""
        return self.to_arrow(names).to_pandas()

    def to_pandas(self) -> pd.DataFrame:
        """Return all columns as a pandas DataFrame, under the name that other libraries use."""
        return self.frame()

    @cached_property
    def fingerprint(self) -> str:
        """The content hash, as hexadecimal text: equal content, equal fingerprint."""
        if self._digest is not None:
            return self._digest()
        return _joined("", self.columns(self.names))


def _holds(kind: type[np.integer], low: int, high: int) -> bool:
    return bool(np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)


def _joined(start: str, columns: Mapping[str, Column]) -> str:
    text = hashlib.sha256(start.encode())
    for name, column in columns.items():
        text.update(f"{len(name)}:{name}".encode("utf-8", "surrogatepass"))
        text.update(column.digest())
    return text.hexdigest()
