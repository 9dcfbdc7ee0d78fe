"""Does DuckDB agree that a condition is one? The second check, for conditions that are more than a comparison."""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import pyarrow as pa

from riskbench.engine.columns import SQL_TYPES, Kind
from riskbench.engine.duck import Session, quoted, session
from riskbench.errors import EngineError

#: A check that takes longer is stopped: it reads no events.
_DEADLINE = 10.0
_GUARD = threading.Lock()
_OPEN: dict[int, tuple[Session, ExitStack]] = {}


def check(sql: str, kinds: tuple[tuple[str, Kind], ...]) -> str | None:
    """Return what DuckDB says against a condition; None when it takes it for a boolean."""
    return _checked(sql, kinds)[0]


def settle(sql: str) -> bool | None:
    """Return the value of a condition that reads no column.

    Raises
    ------
    EngineError
        When it cannot be computed.
    """
    said, value = _checked(sql, ())
    if said is not None:
        raise EngineError(said)
    return value


@lru_cache(maxsize=4096)
def _checked(sql: str, kinds: tuple[tuple[str, Kind], ...]) -> tuple[str | None, Any]:
    columns = ", ".join(f"CAST(NULL AS {SQL_TYPES[kind]}) AS {quoted(name)}" for name, kind in kinds)
    source = f" FROM (SELECT {columns}) WHERE false" if columns else ""
    try:
        with _GUARD:
            answer = _session().table(f"SELECT ({sql}) AS answer{source}")
    except EngineError as wrong:
        return wrong.what.removeprefix("A query failed: "), None
    column = answer.column(0)
    if not (pa.types.is_boolean(column.type) or pa.types.is_null(column.type) or _is_null(column)):
        return f"it makes {column.type}, not true or false", None
    return None, column[0].as_py() if len(column) else None


def _is_null(column: Any) -> bool:
    return len(column) > 0 and column.null_count == len(column)


def _session() -> Session:
    """Return this process's connection, opened when first needed: opening one costs fifty checks."""
    process = os.getpid()
    if process not in _OPEN:
        stack = ExitStack()
        _OPEN[process] = (stack.enter_context(session(deadline=_DEADLINE, threads=1)), stack)
    return _OPEN[process][0]


@atexit.register
def _close() -> None:
    """Close this process's connection."""
    held = _OPEN.pop(os.getpid(), None)
    if held is not None:
        held[1].close()
