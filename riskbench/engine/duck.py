"""The one place that opens DuckDB: no files, no network, no extensions, and a deadline on every query."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from riskbench.engine.columns import SQL_TYPES, Kind
from riskbench.errors import EngineError

Parameters = Sequence[object] | Mapping[str, object]

_LOCK = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}


def quoted(name: str) -> str:
    """Return a name as an SQL identifier.

    >>> print(quoted('a "b" c'))
    "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'


class Session:
    """A locked-down connection; make one with `session`."""

    def __init__(self, connection: Any, *, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline

    def register(self, name: str, table: pa.Table) -> None:
        """Give an Arrow table a name that queries can read from."""
        self._connection.register(name, table)

    def empty(self, name: str, kinds: Mapping[str, Kind]) -> None:
        """Create a table without rows whose columns have the kinds given, to bind rule texts on."""
        columns = ", ".join(f"{quoted(column)} {SQL_TYPES[kind]}" for column, kind in kinds.items())
        self.table(f"CREATE TABLE {quoted(name)} ({columns})")

    def table(self, sql: str, params: Parameters | None = None) -> pa.Table:
        """Run one query and return its rows as an Arrow table.

        Raises
        ------
        EngineError
            When the query fails or takes longer than the deadline.
        """
        import duckdb

        late, over, turn = threading.Event(), threading.Event(), threading.Lock()

        def stop() -> None:
            with turn:
                if not over.is_set():
                    late.set()
                    self._connection.interrupt()

        timer = threading.Timer(self._deadline, stop)
        timer.daemon = True
        timer.start()
        try:
            relation = self._connection.sql(sql, params=params)
            return pa.table({}) if relation is None else relation.to_arrow_table()
        except duckdb.Error as error:
            if late.is_set():
                raise EngineError(
                    f"A query took longer than {self._deadline:g} seconds and was stopped",
                    hint="take fewer events or rules, or raise the deadline",
                ) from None
            raise EngineError(f"A query failed: {_first_line(error)}") from error
        finally:
            with turn:
                over.set()
            timer.cancel()

    def row(self, sql: str, params: Parameters | None = None) -> tuple[Any, ...]:
        """Run one query and return its first row."""
        found = self.table(sql, params).slice(0, 1).to_pydict()
        return tuple(values[0] for values in found.values())


@contextmanager
def session(
    *, deadline: float = 60.0, memory_limit: str | None = None, threads: int | None = None, files: Sequence[str] = ()
) -> Iterator[Session]:
    """Open a locked-down connection in memory and close it at the end.

    Parameters
    ----------
    deadline : float
        Seconds after which a query is stopped.
    memory_limit : str, optional
        Such as `"2GB"`.
    threads : int, optional
        How many threads a query may use.
    files : sequence of str
        The only files that queries may read.
    """
    import duckdb

    settings: dict[str, Any] = {**_LOCK, "lock_configuration": False}
    if memory_limit is not None:
        settings["memory_limit"] = memory_limit
    if threads is not None:
        settings["threads"] = threads
    if files:
        settings["enable_external_access"] = True
    connection = duckdb.connect(":memory:", config=settings)
    try:
        if files:
            listing = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
            connection.sql(f"SET allowed_paths = [{listing}]")
            connection.sql("SET enable_external_access = false")
        connection.sql("SET lock_configuration = true")
        yield Session(connection, deadline=deadline)
    finally:
        connection.close()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
