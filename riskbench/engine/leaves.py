"""Of which single conditions is a rule made, what does each compare with what, and how must it come out?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from riskbench.engine.bind import FLIPPED, SIGNS, Binding
from riskbench.engine.columns import Kind
from riskbench.engine.parse import Predicate
from riskbench.engine.terms import Term, even
from riskbench.engine.tree import Node, atoms
from riskbench.errors import RuleError

_JOINS = (exp.And, exp.Or)
#: Conditions that take their NOT inside: `x NOT IN (...)`.
_INNER_NOT = (exp.In, exp.Between, exp.Like, exp.ILike)
_OPPOSITE = {
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "=": "<>",
    "<>": "=",
    "in": "not in",
    "between": "not between",
}
#: So many values of a list are spelled out.
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition of a rule.

    Attributes
    ----------
    written : str
        The condition as written.
    text : str
        The same with the parameters' values put in.
    needed : bool
        Whether it has to be true for the rule to hit; False under an odd number of NOTs.
    node : Node
        It, bound.
    columns : tuple of str
        The columns that it reads.
    sign : str or None
        How it compares, as it has to come out: <, <=, >, >=, =, <>, in, "not in", between, "not between"; None for
        another shape.
    value : str or None
        What is compared, as DuckDB text.
    against : tuple of str
        What it is compared with, as DuckDB text.
    kind : str or None
        The kind of what is compared.
    """

    written: str
    text: str
    needed: bool
    node: Node
    columns: tuple[str, ...]
    sign: str | None = None
    value: str | None = None
    against: tuple[str, ...] = ()
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions of which all, or any, have to come out as needed; every NOT is carried to the leaves."""

    every: bool
    parts: tuple[Leaf | Joined, ...]


def leaves(shape: Leaf | Joined) -> Iterator[Leaf]:
    """Yield the conditions of a rule, left to right."""
    if isinstance(shape, Leaf):
        yield shape
    else:
        for part in shape.parts:
            yield from leaves(part)


def taken_apart(
    predicate: Predicate,
    kinds: Mapping[str, Kind],
    *,
    params: Mapping[str, object] | None = None,
    aliases: Mapping[str, str] | None = None,
    hidden: frozenset[str] = frozenset(),
    rule: str | None = None,
) -> Leaf | Joined:
    """Return a rule's single conditions, joined as the rule joins them.

    Parameters
    ----------
    predicate : Predicate
        What `parse` returned.
    kinds : mapping of str to kind
        Each column's kind.
    params, aliases : mapping, optional
        As for `bind`.
    hidden : frozenset of str
        Columns whose values are not told: what they are compared with is left out of the texts.
    rule : str, optional
        The rule's id, for messages.

    Raises
    ------
    RuleError
        As `bind` does.

    Examples
    --------
    >>> from riskbench.engine.parse import parse
    >>> kinds = {"amount": "float", "country": "string"}
    >>> shape = taken_apart(parse("NOT (amount > :limit OR country NOT IN ('ID'))"), kinds, params={"limit": 5})
    >>> [(leaf.text, leaf.needed, leaf.sign) for leaf in leaves(shape)]
    [('amount > 5', False, '<='), ("country NOT IN ('ID')", False, 'in')]
    """
    try:
        apart = _Apart(predicate, kinds, params or {}, aliases or {}, hidden)
        return apart.shape(predicate.tree, needed=True)
    except RuleError as wrong:
        raise wrong.of(rule) from None


class _Apart:
    """One predicate on its way to its conditions."""

    def __init__(
        self,
        predicate: Predicate,
        kinds: Mapping[str, Kind],
        params: Mapping[str, object],
        aliases: Mapping[str, str],
        hidden: frozenset[str],
    ) -> None:
        self.binding = Binding(predicate, kinds, params, aliases)
        self.params, self.hidden = params, hidden

    def shape(self, tree: exp.Expr, *, needed: bool) -> Leaf | Joined:
        tree = _bare(tree)
        if isinstance(tree, exp.Not) and isinstance(_bare(tree.this), (*_JOINS, exp.Not)):
            return self.shape(tree.this, needed=not needed)
        if isinstance(tree, _JOINS):
            every = isinstance(tree, exp.And) == needed
            return Joined(every, tuple(self.shape(part, needed=needed) for part in _chain(tree)))
        return self.leaf(tree, needed=needed)

    def leaf(self, tree: exp.Expr, *, needed: bool) -> Leaf:
        node = self.binding.node(tree)
        columns = tuple(sorted({name for atom in atoms(node) for name in atom.columns}))
        if not columns and isinstance(tree, exp.Expr):
            columns = tuple(sorted({self.binding.column(c).column or "" for c in tree.find_all(exp.Column)}))
        secret = bool(self.hidden.intersection(columns))
        inner, flipped = tree, not needed
        while isinstance(inner, exp.Not):
            inner, flipped = _bare(inner.this), not flipped
        sign, value, against = self.compared(inner)
        if sign is not None and flipped:
            sign = _OPPOSITE[sign]
        return Leaf(
            written=_spelled(tree, None, secret=secret),
            text=_spelled(tree, self.params, secret=secret),
            needed=needed,
            node=node,
            columns=columns,
            sign=sign,
            value=value.sql if value is not None else None,
            against=tuple(term.sql for term in against),
            kind=value.kind if value is not None else None,
        )

    def compared(self, tree: exp.Expr) -> tuple[str | None, Term | None, list[Term]]:
        """Return how a condition compares, what, and with what; nothing for another shape."""
        kind = type(tree)
        if kind in SIGNS:
            sign: str = SIGNS[kind]
            left, right = even(self.binding.pair(tree.this, tree.expression))
            if left.literal is not None and right.literal is None:
                left, right, sign = right, left, FLIPPED[sign]
            return (None, None, []) if left.kind == "bool" else (sign, left, [right])
        if kind is exp.Between:
            this, low = self.binding.pair(tree.this, tree.args["low"])
            this, high = self.binding.pair(tree.this, tree.args["high"])
            this, low, high = even((this, low, high))
            return "between", this, [low, high]
        if kind is exp.In:
            items = tree.expressions or [tree.args["field"]]
            this = self.binding.term(tree.this)
            terms: list[Term] = []
            for item in items:
                for term in self.binding.listed(item):
                    if term.kind != "null":
                        this, fitted = self.binding.fit(this, term, tree, item)
                        terms.append(fitted)
            this, *terms = even((this, *terms))
            return "in", this, terms
        return None, None, []


def _bare(tree: exp.Expr) -> exp.Expr:
    while type(tree) is exp.Paren:
        tree = tree.this
    return tree


def _chain(tree: exp.Expr) -> list[exp.Expr]:
    """Return the parts of a chain of ANDs or ORs, brackets of the same kind opened, without recursion on the left."""
    kind, parts, waiting = type(tree), list[exp.Expr](), [tree]
    while waiting:
        part = _bare(waiting.pop())
        if type(part) is kind:
            waiting += [part.expression, part.this]
        else:
            parts.append(part)
    return parts


def _spelled(tree: exp.Expr, params: Mapping[str, object] | None, *, secret: bool) -> str:
    """Return a condition as text, on request with the parameters put in and without what it is compared with."""

    def told(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Placeholder):
            name = str(part.this)
            if params is None:
                return exp.var(f":{name}")
            whole = isinstance(part.parent, exp.In) and part.arg_key == "field"
            return exp.var(_shown(params.get(name), secret=secret, whole=whole))
        if secret and isinstance(part, exp.Literal):
            return exp.var("(hidden)")
        return part

    def printed(part: exp.Expr) -> str:
        return str(part.copy().transform(told).sql(dialect="duckdb"))

    inner = _bare(tree.this) if isinstance(tree, exp.Not) else tree
    if isinstance(tree, exp.Not) and isinstance(inner, (*_INNER_NOT, exp.Is)):
        subject, whole = printed(inner.this), printed(inner)
        rest = whole[len(subject) :].lstrip()
        return f"{subject} IS NOT {rest[3:]}" if isinstance(inner, exp.Is) else f"{subject} NOT {rest}"
    return printed(tree)


def _shown(value: object, *, secret: bool, whole: bool) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        held = list(value)
        if secret:
            text = f"{len(held):,} values, hidden"
        else:
            text = ", ".join(_one(entry) for entry in held[:_SHOWN])
            text += f" and {len(held) - _SHOWN:,} more" if len(held) > _SHOWN else ""
        return f"({text})" if whole else text
    return "(hidden)" if secret else _one(value)


def _one(value: object) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
