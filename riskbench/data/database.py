"""A query on a database as a source: one read-only statement, Arrow all the way, no password ever shown."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from riskbench.config import redact, secrets_in
from riskbench.data.frames import arrow_source
from riskbench.data.infer import INT
from riskbench.data.sources import Source, is_uuid
from riskbench.errors import DataError, EngineError, MissingDependencyError

_SCHEMES = ("postgresql", "postgres")
_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
#: What a user name and a password must not hold as it is: a driver reads them otherwise, and would say so aloud.
_UNENCODED = re.compile(r"[/@\s]|%(?![0-9A-Fa-f]{2})")


def is_url(source: object) -> bool:
    """Tell whether a source is written as a URL.

    >>> is_url("postgresql://risk@db/orders"), is_url("orders.parquet")
    (True, False)
    """
    return isinstance(source, str) and _URL.match(source) is not None


def database_source(url: str, query: str | None, *, deadline: float) -> Source:
    """Return the rows of one query as a source.

    The query runs inside `SELECT * FROM (...)`, as one prepared statement, in a read-only transaction with a
    time limit: text that holds two statements, or that would change anything, is refused.

    Raises
    ------
    DataError
        When the URL is of another kind, there is no query, or the database refuses it.
    EngineError
        When the query takes longer than `deadline` seconds.
    MissingDependencyError
        When the driver is not installed.
    """
    found = _URL.match(url)
    scheme = found[1].casefold() if found else ""
    if scheme not in _SCHEMES:
        raise DataError(
            f"A source of the kind {scheme}:// cannot be read", allowed="postgresql://", hint="copy files to disk first"
        )
    if query is None or not query.strip().rstrip(";").strip():
        raise DataError("A database needs a query", hint='query="SELECT ... FROM ... WHERE ..."')
    if "\0" in query:
        raise DataError("The query holds a zero byte")
    if _UNENCODED.search(url.partition("://")[2].rpartition("@")[0]):
        raise DataError(
            "The user name or the password in the database URL holds a character that must be encoded",
            got=redact(url, secrets_in(url)),
            allowed="@ as %40, / as %2F, : as %3A, % as %25, a blank as %20",
        )
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise MissingDependencyError.extra("adbc-driver-postgresql", "postgres") from None  # noqa: S610
    table = _fetched(dbapi, url, query.strip().rstrip(";"), deadline)
    columns: list[pa.ChunkedArray] = []
    strange: dict[str, str] = {}
    notes: list[str] = []
    for place, field in enumerate(table.schema):
        made, why = _plain(table.column(place), field, notes)
        if why:
            strange[field.name] = why
        columns.append(made)
    plain = pa.Table.from_arrays(columns, names=table.column_names)
    return arrow_source(plain, name=_database(url), notes=notes, strange=strange)


def _fetched(dbapi: Any, url: str, query: str, deadline: float) -> pa.Table:
    try:
        connection = dbapi.connect(_with_timeout(url))
    except dbapi.Error as error:
        raise DataError(f"The database cannot be reached: {_hidden(_reason(error), url)}") from None
    with closing(connection), closing(connection.cursor()) as cursor:
        try:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(f"SET LOCAL statement_timeout = {max(1, round(deadline * 1000))}")
            cursor.execute(f"SELECT * FROM (\n{query}\n) AS rows_of_query")
            return cursor.fetch_arrow_table()
        except dbapi.Error as error:
            raise _refusal(error, url, deadline) from None
        finally:
            connection.rollback()


def _with_timeout(url: str) -> str:
    if "connect_timeout" in url:
        return url
    return f"{url}{'&' if '?' in url.rpartition('@')[2] else '?'}connect_timeout=15"


def _refusal(error: Exception, url: str, deadline: float) -> DataError | EngineError:
    """Return the error for a query that failed; values of the data are kept out of it."""
    state = getattr(error, "sqlstate", None) or ""
    if state == "57014":
        return EngineError(f"The query took longer than {deadline:g} seconds and was stopped", hint="read fewer rows")
    if state.startswith("42") or (not state and "prepare" in str(error)):
        return DataError(
            f"The database refused the query: {_hidden(_reason(error), url)}",
            allowed="one SELECT statement",
            hint="a query may only read",
        )
    what = {"22": "a value does not fit its type", "25": "the transaction only reads", "28": "the user may not"}
    return DataError(f"The database refused the query: {what.get(state[:2], 'it failed')} (SQLSTATE {state or 'none'})")


def _reason(error: Exception) -> str:
    text = str(error)
    found = re.search(r"(?:ERROR|FATAL):\s+(.+)", text) or re.search(r"connect: (.+)", text)
    return (found[1] if found else text.partition("\n")[0]).partition("\n")[0].strip()


def _hidden(text: str, url: str) -> str:
    """Return a message with everything that may be the password taken out."""
    words = set(re.findall(r"(?:password|passwd)=([^&\s]+)", url))
    authority = url.partition("://")[2]
    if "@" in authority:
        words.add(authority.rpartition("@")[0].partition(":")[2])
    for word in sorted({*words, *map(unquote, words)} - {""}, key=len, reverse=True):
        text = text.replace(word, "***")
    return redact(text, secrets_in(url))


def _database(url: str) -> str:
    name = url.partition("://")[2].rpartition("@")[2].partition("/")[2].partition("?")[0]
    return unquote(name) or "database"


def _plain(column: pa.ChunkedArray, field: pa.Field, notes: list[str]) -> tuple[pa.ChunkedArray, str]:
    """Return a column in a type of Arrow's own, and why it cannot be used where it cannot."""
    meta = field.metadata or {}
    theirs = (meta.get(b"ADBC:postgresql:typname") or meta.get(b"POSTGRESQL:type") or b"").decode()
    kind = field.type
    if theirs == "money":
        return column, "of the PostgreSQL type money; cast it to numeric in the query"
    if isinstance(kind, pa.BaseExtensionType):
        if is_uuid(kind):
            return column, ""
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = kind.storage_type
        if theirs != "numeric":
            return column, f"of the PostgreSQL type {theirs or 'unknown'}, which no rule can compare"
    if theirs == "numeric" and pa.types.is_string(kind):
        return _numbers(column, field.name, notes), ""
    return column, ""


def _numbers(column: pa.ChunkedArray, name: str, notes: list[str]) -> pa.ChunkedArray:
    """Return PostgreSQL numerics as whole numbers where all are, else as floating-point numbers."""
    whole = pc.match_substring_regex(column, INT)
    if pc.all(whole).as_py() and column.null_count < len(column):
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            notes.append(f"{name!r} holds whole numbers past 64 bits and was left as text")
            return column
    digits = pc.utf8_length(pc.replace_substring_regex(column, r"^-?0*\.?0*|\.", ""))
    long = pc.sum(pc.greater(digits, 15)).as_py() or 0
    if long:
        notes.append(f"{long} values of {name!r} have more than 15 digits and were rounded to them")
    return column.cast(pa.float64())
