"""How is a bound condition written for another engine? The same meaning, in that engine's own spelling."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, get_args

from riskbench.engine.tree import Node, to_sql
from riskbench.errors import EngineError, ParameterError, listed, nearest

Dialect = Literal["duckdb", "spark", "bigquery", "trino", "snowflake"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
#: What the printer knows by name and what is no SQL engine.
_NO_SQL = frozenset({"", "dax", "prql", "solr", "tableau"})


def print_sql(node: Node, dialect: str = "duckdb") -> str:
    """Return a bound condition as SQL of one engine, fully parenthesised, names quoted.

    Use it to put a rule into a warehouse. DuckDB and Spark give the same answers; the other spellings are
    checked as text only.

    Parameters
    ----------
    node : Node
        What `bind` returned.
    dialect : {"duckdb", "spark", "bigquery", "trino", "snowflake"}
        The engine.

    Raises
    ------
    EngineError
        When the condition cannot be said there with the same meaning.

    Examples
    --------
    >>> from riskbench.engine.bind import bind
    >>> from riskbench.engine.parse import parse
    >>> node = bind(parse("amount / items > :limit"), {"amount": "float", "items": "int"}, params={"limit": 5})
    >>> print(print_sql(node, "spark"))
    ((`amount` / NULLIF(CAST(`items` AS DOUBLE), 0e0)) > 5e0)
    """
    check_dialect(dialect)
    text = to_sql(node)
    return text if dialect == "duckdb" else _printed(text, dialect)


def print_query(text: str, dialect: str) -> str:
    """Return a whole query, given in DuckDB's spelling, as SQL of another engine.

    Raises
    ------
    EngineError
        When it cannot be said there with the same meaning.
    """
    check_dialect(dialect)
    return text if dialect == "duckdb" else _printed(text, dialect, whole=True)


@lru_cache(maxsize=1)
def dialects() -> tuple[str, ...]:
    """Return every dialect that can be printed, those whose spellings are tested first."""
    from sqlglot.dialects.dialect import Dialects

    return (*DIALECTS, *sorted({held.value for held in Dialects} - {*DIALECTS, *_NO_SQL}))


def check_dialect(dialect: str) -> None:
    """Raise when there is no dialect of that name.

    Raises
    ------
    ParameterError
        Names the nearest one.
    """
    if not isinstance(dialect, str) or dialect not in dialects():
        close = nearest(str(dialect), dialects())
        raise ParameterError(
            f"There is no dialect {str(dialect)[:60]!r}",
            allowed=listed(dialects(), most=40),
            hint=f"did you mean {close!r}?" if close else None,
        )


def _printed(text: str, dialect: str, *, whole: bool = False) -> str:
    from sqlglot import ErrorLevel, exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree: Any = parse_one(text, into=None if whole else exp.Condition, dialect="duckdb")
        tree = tree.transform(lambda part: _spelled(part, dialect))
        return tree.sql(
            dialect=dialect, identify=True, comments=False, pretty=whole, unsupported_level=ErrorLevel.RAISE
        )
    except SqlglotError as wrong:
        raise EngineError(
            f"The condition cannot be written for {dialect}: {str(wrong)[:200]}", got=text[:500]
        ) from None
    except RecursionError:
        raise EngineError(f"The condition is nested too deeply to be written for {dialect}") from None


def _spelled(part: Any, dialect: str) -> Any:
    """Return one node as the engine means it, where the printer alone would change the meaning."""
    from sqlglot import exp

    kind = type(part)
    if kind is exp.Contains and dialect in ("bigquery", "trino"):
        place = exp.StrPosition(this=part.this, substr=part.expression)
        return exp.paren(exp.GT(this=place, expression=exp.Literal.number(0)), copy=False)
    if kind is exp.EndsWith and dialect == "trino":
        return _ends_with(part)
    if kind is exp.Right and dialect == "trino":
        raise EngineError("The condition cannot be written for trino: it has no right()", hint="use ends_with()")
    if kind is exp.IntDiv and dialect in ("trino", "snowflake"):
        whole = exp.Sub(this=part.this.copy(), expression=exp.Mod(this=part.this, expression=part.expression.copy()))
        return exp.Div(this=exp.paren(whole, copy=False), expression=part.expression)
    if kind in (exp.Greatest, exp.Least) and dialect in ("bigquery", "trino", "snowflake"):
        return _widest(part)
    if kind is exp.Second and dialect == "bigquery":
        return exp.Extract(this=exp.var("SECOND"), expression=part.this)
    if kind is exp.TryCast and dialect == "snowflake":
        part.this.type = exp.DataType.build("text")  # the rule language casts text only
    if kind is exp.DataType and dialect == "trino" and part.this.name.startswith("TIMESTAMP"):
        return exp.DataType.build("timestamp(6)", dialect="trino")
    return part


def _ends_with(part: Any) -> Any:
    from sqlglot import exp

    whole, tail = exp.Length(this=part.this.copy()), exp.Length(this=part.expression.copy())
    start = exp.Add(this=exp.Sub(this=whole.copy(), expression=tail.copy()), expression=exp.Literal.number(1))
    same = exp.EQ(this=exp.Substring(this=part.this.copy(), start=start), expression=part.expression)
    return exp.paren(exp.And(this=exp.GTE(this=whole, expression=tail), expression=same), copy=False)


def _widest(part: Any) -> Any:
    """GREATEST and LEAST that skip missing values, from those that do not: each value falls back on the others."""
    from sqlglot import exp

    values = [part.this, *part.expressions]
    filled = [
        exp.Coalesce(this=value.copy(), expressions=[other.copy() for other in values if other is not value])
        for value in values
    ]
    return type(part)(this=filled[0], expressions=filled[1:])
