"""How is a whole rule book said as one SQL query? Outcome, deciding rule and every rule's hits, an event a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from riskbench.data.outcomes import ladder
from riskbench.engine.columns import Kind
from riskbench.engine.duck import quoted
from riskbench.engine.literals import moment, of_float, of_int
from riskbench.engine.literals import quoted as literal
from riskbench.engine.tree import Node, atoms, to_sql
from riskbench.errors import EngineError, ParameterError, listed
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import column_kinds, mapping
from riskbench.rules.force import checked_day, day_told, in_force
from riskbench.rules.hits import deciding_order
from riskbench.rules.rule import Rule

#: The two columns of the answer beside the rules.
OUTCOME, DECIDER = "outcome", "rule"
#: Engines without a type for true and false: a hit is 1 there.
_NO_BOOLEANS = frozenset({"tsql", "fabric", "oracle"})
_MISSING = "(missing)"


def book_sql(
    book: RuleBook,
    dialect: str = "duckdb",
    *,
    table: str = "events",
    kinds: Mapping[str, Kind] | None = None,
    aliases: Mapping[str, str] | None = None,
    on: str | None = None,
) -> str:
    r"""Return a rule book as one query: an event a row, with its outcome, the deciding rule and every rule's hit.

    Use it to carry a whole book into a warehouse; `prove` shows that it says there what it says here. A missing
    value is no hit, as in the rule language. Velocity features and scores are columns of that name there.

    Parameters
    ----------
    book : RuleBook
        The rules; those that are not live get a column and decide nothing.
    dialect : str
        duckdb, spark, bigquery, trino, snowflake (their spellings are tested), or another that sqlglot knows.
    table : str
        The table of events; a dot parts schema and table.
    kinds : mapping of str to kind, optional
        The columns of the events; guessed from the rules when not given.
    aliases : mapping of str to str, optional
        Role name to column name. `id` names the events' id and `region` the column of regional values; without
        them the columns are called `id` and `region`.
    on : str, optional
        The ISO date whose lists and regional deviations are written; today (UTC) when not given. The head of the
        query says the day, what has lapsed by then, and what lapses next.

    Raises
    ------
    RuleError
        When a rule does not fit the columns.
    EngineError
        When a rule cannot be said in that dialect with the same meaning; names the rule.
    ParameterError
        When `on` is no date, or the table has no name.

    Examples
    --------
    >>> book = RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
    ... ''')
    >>> print("\n".join(line for line in book_sql(book).splitlines() if not line.startswith("--")))
    WITH "hits" AS (
      SELECT
        "id" AS "id",
        CASE WHEN "amount" > 500e0 THEN TRUE ELSE FALSE END AS "TX-1"
      FROM "events"
    )
    SELECT
      "id",
      CASE
        WHEN "TX-1" THEN 'review'
        ELSE 'approve'
      END AS "outcome",
      CASE
        WHEN "TX-1" THEN 'TX-1'
      END AS "rule",
      "TX-1"
    FROM "hits"
    """
    day = checked_day(on) if on is not None else datetime.now(UTC).date().isoformat()
    told = (f"Rule book {book.name} ({book.domain}, {book.hash[:12]})", *day_told(book, day))
    return query_of(in_force(book, day).book, dialect, table=table, kinds=kinds, aliases=aliases, told=told)


def query_of(
    book: RuleBook,
    dialect: str,
    *,
    table: str,
    kinds: Mapping[str, Kind] | None,
    aliases: Mapping[str, str] | None,
    told: Sequence[str],
) -> str:
    """Return the query of a book in force; `told` heads it: which book it is, and of which day."""
    from riskbench.engine.transpile import check_dialect, print_query

    check_dialect(dialect)
    column_kinds(kinds, optional=True)
    mapping(aliases, name="aliases", allowed='{"id": "order_id"}')
    known, named = known_kinds(book, kinds), dict(aliases or {})
    identity = named.get("id", "id")
    region = named.get("region", "region") if any(rule.apart for rule in book.rules) else None
    if kinds is not None and region is not None and region not in known:
        raise ParameterError(
            "The book has regional values and the events no column of regions",
            got=region,
            allowed=listed(kinds),
            hint='aliases={"region": "COLUMN"}',
        )
    names = hit_names(book, identity)
    conditions = [_condition(rule, known, named, region=region, dialect=dialect) for rule in book.rules]
    read = columns_read(book, known, named)
    tell_apart([identity, *read])
    text = _query(book, conditions, names, table=_table(table), identity=identity, dialect=dialect)
    head = _header(book, dialect, table=table, columns=[identity, *read], names=names, told=told)
    return f"{head}\n{print_query(text, dialect)}\n"


def known_kinds(book: RuleBook, kinds: Mapping[str, Kind] | None) -> dict[str, Kind]:
    """Return each column's kind, those of the book's velocity features with them; guessed where none are given."""
    from riskbench.data.velocity import Feature
    from riskbench.engine.guess import guess_kinds

    if kinds is None:
        kinds = guess_kinds((rule.predicate, {**rule.lists, **rule.values()}) for rule in book.rules)
    known = dict(kinds)
    for name, entry in book.features.items():
        counted = Feature.from_mapping(name, entry).kind in ("count", "count_distinct")
        known.setdefault(name, "int" if counted else "float")
    return known


def hit_names(book: RuleBook, identity: str) -> dict[str, str]:
    """Return each rule's column: its id, told apart where an engine that ignores capitals would mix two up."""
    taken = {identity.casefold(), OUTCOME, DECIDER}
    names = {}
    for rule in book.rules:
        name, more = rule.id, 2
        while name.casefold() in taken:
            name, more = f"{rule.id}_{more}", more + 1
        taken.add(name.casefold())
        names[rule.id] = name
    return names


def _condition(
    rule: Rule, kinds: Mapping[str, Kind], aliases: Mapping[str, str], *, region: str | None, dialect: str
) -> str:
    """Return when a rule hits, with each region's own values."""
    from riskbench.engine.transpile import print_sql

    parts = {name: rule.bind(kinds, region=name, aliases=aliases) for name in (None, *rule.apart)}
    for node in parts.values():
        try:
            print_sql(node, dialect)
        except EngineError as wrong:
            raise EngineError(f"Rule {rule.id}: {wrong.what}", got=wrong.got, hint=wrong.hint) from None
    if len(parts) == 1:
        return to_sql(parts[None])
    assert region is not None
    column, kind = quoted(region), kinds.get(region, "string")
    told = {name: at for name in rule.apart if (at := region_test(column, kind, name)) is not None}
    if not told:
        return to_sql(parts[None])
    ways = [f"({at} AND {to_sql(parts[name])})" for name, at in told.items()]
    return f"({' OR '.join(ways)} OR ({_elsewhere(column, told)} AND {to_sql(parts[None])}))"


def _elsewhere(column: str, told: Mapping[str, str]) -> str:
    """Return where an event is in none of some regions; a missing region is in none but the one of that name."""
    outside = f"NOT ({' OR '.join(told.values())})"
    return outside if _MISSING in told else f"({column} IS NULL OR {outside})"


def region_test(column: str, kind: Kind, name: str) -> str | None:
    """Return where an event is in a region; None where no value of the column reads so."""
    if name == _MISSING:
        return f"({column} IS NULL OR {column} = {literal(name)})" if kind == "string" else f"({column} IS NULL)"
    try:
        if kind == "string":
            return f"({column} = {literal(name)})"
        if kind == "bool":
            return {"True": column, "False": f"(NOT {column})"}.get(name)
        if kind == "int":
            return f"({column} = {of_int(int(name)).sql})" if str(int(name)) == name else None
        if kind == "float":
            return f"({column} = {of_float(float(name)).sql})" if str(float(name)) == name else None
        return f"({column} = {moment(name).sql})"
    except ValueError:
        return None


def _query(
    book: RuleBook, conditions: Sequence[str], names: Mapping[str, str], *, table: str, identity: str, dialect: str
) -> str:
    yes, no = ("1", "0") if dialect in _NO_BOOLEANS else ("TRUE", "FALSE")
    test = {rule.id: quoted(names[rule.id]) + (" = 1" if yes == "1" else "") for rule in book.rules}
    flags = [
        f"    CASE WHEN {condition} THEN {yes} ELSE {no} END AS {quoted(names[rule.id])}"
        for rule, condition in zip(book.rules, conditions, strict=True)
    ]
    order = [book.rules[place] for place in deciding_order(book)]
    mildest = literal(ladder(book.domain).names[0])
    outcome, decider = mildest, "CAST(NULL AS VARCHAR)"
    if order:
        whens = "\n".join(f"    WHEN {test[rule.id]} THEN {literal(rule.outcome)}" for rule in order)
        outcome = f"CASE\n{whens}\n    ELSE {mildest}\n  END"
        whens = "\n".join(f"    WHEN {test[rule.id]} THEN {literal(rule.id)}" for rule in order)
        decider = f"CASE\n{whens}\n  END"
    inner = ",\n".join([f"    {quoted(identity)} AS {quoted(identity)}", *flags])
    told = [
        f"  {quoted(identity)}",
        f"  {outcome} AS {quoted(OUTCOME)}",
        f"  {decider} AS {quoted(DECIDER)}",
        *(f"  {quoted(names[rule.id])}" for rule in book.rules),
    ]
    body = ",\n".join(told)
    return f'WITH "hits" AS (\n  SELECT\n{inner}\n  FROM {table}\n)\nSELECT\n{body}\nFROM "hits"'


def columns_read(book: RuleBook, kinds: Mapping[str, Kind], aliases: Mapping[str, str]) -> list[str]:
    """Return the columns that a book's query reads, beside the events' id."""
    nodes: list[Node] = [
        rule.bind(kinds, region=name, aliases=aliases) for rule in book.rules for name in (None, *rule.apart)
    ]
    read = [column for node in nodes for atom in atoms(node) for column in atom.columns]
    regional = [aliases.get("region", "region")] if any(rule.apart for rule in book.rules) else []
    return list(dict.fromkeys([*read, *regional]))


def tell_apart(columns: Sequence[str]) -> None:
    """Raise when two columns differ in capitals only: most engines take them for one."""
    held: dict[str, str] = {}
    for name in columns:
        other = held.setdefault(name.casefold(), name)
        if other != name:
            raise EngineError(
                "Two columns differ in capitals only, and SQL engines take them for one",
                got=f"{other!r} and {name!r}",
                hint="rename one of them",
            )


def _table(name: str) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ParameterError("The table needs a name", got=repr(name)[:200], allowed="events, or schema.events")
    parts = name.split(".")
    if not all(parts):
        raise ParameterError("The table's name is not complete", got=repr(name)[:200], allowed="schema.events")
    return ".".join(quoted(part) for part in parts)


def _header(
    book: RuleBook,
    dialect: str,
    *,
    table: str,
    columns: Sequence[str],
    names: Mapping[str, str],
    told: Sequence[str],
) -> str:
    from riskbench import __version__
    from riskbench.engine.transpile import DIALECTS

    lines = [
        f"{told[0]}, written by riskbench {__version__} for {dialect}.",
        *told[1:],
        "One row an event: its outcome, the rule that decides, and whether each rule hits. Nothing missing is a hit.",
        f"Needs: {table} with {listed(dict.fromkeys(columns), most=200)}.",
    ]
    own = [name for name in book.features if name in columns]
    if own:
        spelled = listed([f"{name} = {_feature(name, book.features[name])}" for name in own], most=200)
        lines.append(f"Velocity features are columns here, computed before: {spelled}.")
    idle = [f"{rule.id} ({rule.status})" for rule in book.rules if rule.status != "live"]
    if idle:
        lines.append(f"Not live, so told and never deciding: {listed(idle, most=200)}.")
    renamed = [f"{rule} as {name}" for rule, name in names.items() if rule != name]
    if renamed:
        lines.append(f"Renamed, as another column bears the name: {listed(renamed, most=200)}.")
    if dialect not in DIALECTS:
        lines.append(f"The spelling for {dialect} is not tested: try it on known events first.")
    return "\n".join(f"-- {_one_line(line)}" for line in lines)


def _feature(name: str, entry: Mapping[str, Any]) -> str:
    from riskbench.data.velocity import Feature

    held = Feature.from_mapping(name, entry)
    return f"{held.kind}({held.column or '*'}) by {' and '.join(held.by)} over the {held.window} before"


def _one_line(text: str) -> str:
    """Return a text that cannot end a comment."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
