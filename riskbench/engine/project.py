"""What DuckDB says about conditions and expressions that numpy does not answer, unknown apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from riskbench.engine.duck import session

Mask = npt.NDArray[np.bool_]


def booleans(conditions: Sequence[str], events: pa.Table | None, *, rows: int | None = None) -> list[tuple[Mask, Mask]]:
    """Return, for each condition, where it is true and where it is known.

    Parameters
    ----------
    conditions : sequence of str
        Canonical DuckDB text of bound atoms.
    events : pyarrow.Table or None
        The columns that they read; None when they read none.
    rows : int, optional
        The number of events, for conditions that read no column.

    Raises
    ------
    EngineError
        When DuckDB fails or takes too long.
    """
    answer = _asked([f"({text})::BOOLEAN" for text in conditions], events, rows=rows)
    found = []
    for place in range(len(conditions)):
        column = answer.column(place).combine_chunks()
        known = np.asarray(column.is_valid())
        found.append((np.asarray(column.fill_null(False)), known))
    return found


def values(terms: Sequence[str], events: pa.Table | None, *, rows: int | None = None) -> list[list[object]]:
    """Return, for each value given as canonical DuckDB text, what it is for each event; None where it is missing.

    Raises
    ------
    EngineError
        When DuckDB fails or takes too long.
    """
    answer = _asked([f"({text})" for text in terms], events, rows=rows)
    return [answer.column(place).to_pylist() for place in range(len(terms))]


def _asked(terms: Sequence[str], events: pa.Table | None, *, rows: int | None) -> pa.Table:
    count = events.num_rows if events is not None else int(rows or 0)
    source = events if events is not None else pa.table({"row": pa.array(np.arange(count))})
    source, texts = _told_apart(source, terms)
    chosen = ", ".join(f"{text} AS a{place}" for place, text in enumerate(texts))
    with session() as open_:
        open_.register("events", source)
        return open_.table(f"SELECT {chosen} FROM events")


def _told_apart(events: pa.Table, terms: Sequence[str]) -> tuple[pa.Table, Sequence[str]]:
    """Return columns that differ in more than capitals, and the texts with their names: DuckDB ignores capitals."""
    names = events.column_names
    if len({name.casefold() for name in names}) == len(names):
        return events, terms
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

    renamed = {name: f"c{place}" for place, name in enumerate(names)}
    texts = []
    for term in terms:
        text = term
        for token in reversed(Dialect.get_or_raise("duckdb").tokenize(term)):
            if token.token_type is TokenType.IDENTIFIER:
                text = f'{text[: token.start]}"{renamed[token.text]}"{text[token.end + 1 :]}'
        texts.append(text)
    return events.rename_columns(list(renamed.values())), texts


def numbers(expression: str, events: pa.Table) -> npt.NDArray[np.float64]:
    """Return an expression of numbers for each event; NaN where it is unknown.

    Parameters
    ----------
    expression : str
        Canonical DuckDB text, as an atom holds it.
    events : pyarrow.Table
        The columns that it reads.

    Raises
    ------
    EngineError
        When DuckDB fails or takes too long.
    """
    with session() as open_:
        open_.register("events", events)
        answer = open_.table(f"SELECT ({expression})::DOUBLE AS number FROM events")
    return np.asarray(answer.column(0).combine_chunks().fill_null(float("nan")))
