"""How does a checked condition run in DuckDB in its own words, and not in ours?"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from riskbench.engine.bind import bind
from riskbench.engine.columns import Kind
from riskbench.engine.literals import from_param
from riskbench.engine.parse import Predicate
from riskbench.engine.tree import atoms
from riskbench.errors import RuleError


def verbatim(
    predicate: Predicate,
    kinds: Mapping[str, Kind],
    *,
    params: Mapping[str, object] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> tuple[str, tuple[str, ...]]:
    """Return a condition as DuckDB text that computes what it says literally, and the columns that it reads.

    `bind` compiles a division to one that is missing where the divisor is 0, and more of the kind; production's own
    text does not. Use this to run production's text. It is printed from the tree that `parse` let through, and bound
    once, so that it names columns that there are.

    Raises
    ------
    RuleError
        As `bind` does.

    Examples
    --------
    >>> from riskbench.engine.parse import parse
    >>> verbatim(parse("a / b > 1"), {"a": "float", "b": "float"})
    ('"a" / "b" > 1', ('a', 'b'))
    """
    node = bind(predicate, kinds, params=params, aliases=aliases)
    read = dict.fromkeys(name for atom in atoms(node) for name in atom.columns)
    held = {**(params or {})}

    def told(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Column):
            name = str(part.this.this)
            found = name if name in kinds else (aliases or {}).get(name, name)
            read.setdefault(found)
            return exp.column(exp.to_identifier(found, quoted=True))
        if isinstance(part, exp.In) and isinstance(part.args.get("field"), exp.Placeholder):
            values = held[str(part.args["field"].this)]
            listed = values if isinstance(values, list | tuple) else [values]
            return exp.In(this=part.this, expressions=[exp.var(from_param(value).sql) for value in listed])
        if isinstance(part, exp.Placeholder):
            return exp.var(from_param(held[str(part.this)]).sql)
        return part

    try:
        text = predicate.tree.copy().transform(told).sql(dialect="duckdb", comments=False)
    except RecursionError:
        raise RuleError("The condition is nested too deeply") from None
    return str(text), tuple(read)
