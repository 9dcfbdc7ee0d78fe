"""How do the rules of a book read as SQL of an engine?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from riskbench.engine.columns import Kind
from riskbench.rules.book import RuleBook
from riskbench.rules.rule import Rule


def as_sql(
    book: RuleBook,
    dialect: str = "duckdb",
    *,
    kinds: Mapping[str, Kind] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Iterator[tuple[Rule, str | None, str]]:
    """Yield each rule, the region whose own values hold (or None), and its condition as SQL.

    Use it to carry a book into a warehouse. Velocity features are columns there.

    Parameters
    ----------
    book : RuleBook
        The rules.
    dialect : {"duckdb", "spark", "bigquery", "trino", "snowflake"}
        The engine.
    kinds : mapping of str to kind, optional
        The columns of the events; guessed from the rules when not given.
    aliases : mapping of str to str, optional
        Role name to column name.

    Raises
    ------
    RuleError
        When a rule does not fit the columns.
    EngineError
        When a condition cannot be said there with the same meaning.

    Examples
    --------
    >>> book = RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review}
    ... ''')
    >>> [text for _, _, text in as_sql(book, "spark")]
    ['`amount` > 500e0']
    """
    from riskbench.data.velocity import Feature
    from riskbench.engine.guess import guess_kinds
    from riskbench.engine.transpile import print_sql

    if kinds is None:
        kinds = guess_kinds((rule.predicate, {**rule.lists, **rule.values()}) for rule in book.rules)
    known = dict(kinds)
    for name, entry in book.features.items():
        counted = Feature.from_mapping(name, entry).kind in ("count", "count_distinct")
        known[name] = "int" if counted else "float"
    for rule in book.rules:
        for region in (None, *rule.apart):
            yield rule, region, print_sql(rule.bind(known, region=region, aliases=aliases), dialect)
