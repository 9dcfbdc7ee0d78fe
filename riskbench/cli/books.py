"""Check and compare rule books, and show them as SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskbench.cli.app import app, fail
from riskbench.errors import RiskbenchError

if TYPE_CHECKING:
    from riskbench.engine.columns import Kind

rules = typer.Typer(help="Check and compare rule books, and show them as SQL.", no_args_is_help=True)
app.add_typer(rules, name="rules")


@rules.command()
def check(
    book: Annotated[Path, typer.Argument(metavar="BOOK.yaml", help="The rule book.")],
    data: Annotated[str | None, typer.Option("--data", help="Events that it must fit: a path, glob or URL.")] = None,
    roles: Annotated[str | None, typer.Option("--roles", help="Role names it may use: '{amount: TX_AMOUNT}'.")] = None,
) -> int:
    """Explain every mistake in a rule book, with a caret under the place; exit 1 when there is one."""
    from riskbench.rules.files import read_text
    from riskbench.rules.inspection import inspect

    held = inspect(read_text(book), _kinds(data), aliases=_aliases(roles))
    typer.echo(held.text())
    return 0 if held.ok else 1


@rules.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A.yaml", help="The book as it was.")],
    after: Annotated[Path, typer.Argument(metavar="B.yaml", help="The book as it shall be.")],
) -> int:
    """Tell what changes between two books, rule by rule; exit 0 when they say the same, 1 when not, 2 on wrong use.

    Comments, blank lines and the order of keys do not count. Of a list at most five values a change are named.
    """
    from riskbench.rules.book import RuleBook
    from riskbench.rules.changes import grouped, told

    try:
        first, last = RuleBook.read(before), RuleBook.read(after)
    except RiskbenchError as error:
        fail(str(error), 2)
    found = told(first.to_mapping(), last.to_mapping(), values=True)
    if not found:
        only = "" if first.source == last.source else "; only comments or the form differ"
        typer.echo(f"same rules{only}")
        return 0
    typer.echo(grouped(found))
    return 1


@rules.command()
def sql(
    book: Annotated[Path, typer.Argument(metavar="BOOK.yaml", help="The rule book.")],
    dialect: Annotated[str, typer.Option("--dialect", help="duckdb, spark, bigquery, trino or snowflake.")] = "duckdb",
    data: Annotated[str | None, typer.Option("--data", help="Events that it must fit: a path, glob or URL.")] = None,
    roles: Annotated[str | None, typer.Option("--roles", help="Role names it may use: '{amount: TX_AMOUNT}'.")] = None,
) -> None:
    """Show each rule as SQL of an engine."""
    from riskbench.rules.book import RuleBook
    from riskbench.rules.exchange.printed import as_sql

    held = RuleBook.read(book)
    for rule, region, text in as_sql(held, dialect, kinds=_kinds(data), aliases=_aliases(roles)):
        typer.echo(f"-- {rule.id}{f' in {region}' if region else ''}: {rule.title or rule.outcome}\n{text}\n")


def _kinds(data: str | None) -> dict[str, Kind] | None:
    from riskbench.config import resolve
    from riskbench.data.read import kinds_of

    return None if data is None else kinds_of(resolve(data))


def _aliases(roles: str | None) -> dict[str, str] | None:
    from riskbench.data.roles import Roles
    from riskbench.runner.shape import Shape, coerce

    if roles is None:
        return None
    held = coerce(roles, Shape("dict"), name="roles")
    return Roles.from_mapping({"id": "id", **held}).named()
