"""Does a rule fit the columns? Resolves names, puts parameters in, checks kinds, and builds the tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from riskbench.engine.columns import Kind
from riskbench.engine.literals import Literal, exact
from riskbench.engine.parse import Predicate, refuse, span
from riskbench.engine.terms import KIND_WORDS, NONE, Term, even
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or, Shape, Value, atoms, to_sql
from riskbench.engine.values import Values
from riskbench.errors import EngineError, RuleError

SIGNS: dict[type[exp.Expr], Shape] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
FLIPPED: dict[str, Shape] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
#: A list parameter may hold this many values.
MAX_LIST = 10_000


def bind(
    predicate: Predicate,
    kinds: Mapping[str, Kind],
    *,
    params: Mapping[str, object] | None = None,
    rule: str | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Node:
    """Check a condition against the columns and return it as a tree with its parameters put in.

    Parameters
    ----------
    predicate : Predicate
        What `parse` returned.
    kinds : mapping of str to kind
        Each column's kind.
    params : mapping, optional
        Each parameter's value: a number, text, a boolean, an ISO moment, or a list of them for IN.
    rule : str, optional
        The rule's id, for the message.
    aliases : mapping of str to str, optional
        Role name to column name; a real column of that name wins.

    Raises
    ------
    RuleError
        For an unknown column or parameter, a missing parameter, or kinds that do not fit; points at the place.

    Examples
    --------
    >>> from riskbench.engine.parse import parse
    >>> bind(parse("amount > :limit"), {"amount": "float"}, params={"limit": 100}).sql
    '"amount" > 100e0'
    """
    try:
        return Binding(predicate, kinds, params or {}, aliases or {}).node(predicate.tree)
    except RecursionError:
        wrong = refuse("The condition is nested too deeply", predicate.text, (0, 1))
    except RuleError as error:
        wrong = error
    raise wrong.of(rule) from None


class Binding(Values):
    """One predicate on its way to a tree."""

    def boolean(self, tree: exp.Expr) -> Term:
        """Return a condition as a value."""
        return _of_node(self.node(tree))

    def node(self, tree: exp.Expr) -> Node:
        """Return a condition as a tree."""
        kind = type(tree)
        if kind is exp.Paren:
            return self.node(tree.this)
        if kind is exp.And or kind is exp.Or:
            parts: list[Node] = []
            for side in _chain(tree, kind):
                part = self.node(side)
                if isinstance(part, And if kind is exp.And else Or):
                    parts.extend(part.parts)
                else:
                    parts.append(part)
            return And(tuple(parts)) if kind is exp.And else Or(tuple(parts))
        if kind is exp.Not:
            return Not(self.node(tree.this))
        if kind is exp.Boolean:
            return Constant(bool(tree.this))
        if kind is exp.Null:
            return Constant(None)
        if kind in SIGNS:
            return self.comparison(tree, SIGNS[kind])
        if kind is exp.Between:
            return self.between(tree)
        if kind is exp.In:
            return self.membership(tree)
        if kind is exp.Is:
            return self.identity(tree)
        if kind is exp.NullSafeEQ or kind is exp.NullSafeNEQ:
            left, right = even(self.pair(tree.this, tree.expression))
            word = "IS NOT DISTINCT FROM" if kind is exp.NullSafeEQ else "IS DISTINCT FROM"
            return self.opaque(f"({left.sql} {word} {right.sql})", [left, right], tree)
        term = self.term(tree)
        if term.kind == "null":
            return Constant(None)
        if term.kind != "bool":
            said = self.text[slice(*span(tree))]
            raise self.wrong(
                f"This is {KIND_WORDS[term.kind]}, not a condition",
                tree,
                hint=f"compare it: {said} > 0" if term.number and len(said) < 40 else "compare it with something",
            )
        if term.literal is not None:
            return Constant(bool(term.literal.value))
        if term.column is not None:
            return Atom(term.sql, (term.column,), term.column, "is_true", (), _names(term.params))
        return self.opaque(term.sql, [term], tree)

    def opaque(self, sql: str, terms: list[Term], tree: exp.Expr) -> Node:
        """Return a condition that DuckDB evaluates, after DuckDB itself has checked it."""
        from riskbench.engine import fence

        columns = _names(NONE.union(*(t.columns for t in terms)))
        params = _names(NONE.union(*(t.params for t in terms)))
        if not columns:
            try:
                return Constant(fence.settle(sql))
            except EngineError as error:
                raise self.wrong(f"This cannot be computed: {error.what}", tree) from None
        said = fence.check(sql, tuple((name, self.kinds[name]) for name in columns))
        if said is not None:
            raise self.wrong(f"This does not fit: {said}", tree)
        return Atom(sql, columns, params=params)

    def comparison(self, tree: exp.Expr, sign: Shape) -> Node:
        """Return `a < b` and the like."""
        left, right = self.pair(tree.this, tree.expression)
        if left.kind == "bool" or right.kind == "bool":
            return self.truth(tree, sign, left, right)
        if left.literal is not None and right.literal is not None:
            return Constant(_compare(left.literal.value, sign, right.literal.value))
        if left.literal is not None and right.column is not None:
            left, right, sign = right, left, FLIPPED[sign]
        if left.column is not None and right.literal is not None:
            return self.shaped(left, sign, (right,))
        left, right = even((left, right))
        node = self.opaque(f"({left.sql} {sign} {right.sql})", [left, right], tree)
        return replace(node, against=_against(left, sign, right)) if isinstance(node, Atom) else node

    def truth(self, tree: exp.Expr, sign: Shape, left: Term, right: Term) -> Node:
        """Return a comparison of true and false."""
        if sign not in ("=", "<>"):
            raise self.wrong("True and false have no order", tree, allowed="=, <>, or the column alone")
        if left.literal is not None:
            left, right = right, left
        if right.literal is None or left.literal is not None:
            return self.opaque(f"({left.sql} {sign} {right.sql})", [left, right], tree)
        base: Node = (
            Atom(left.sql, (left.column,), left.column, "is_true", (), _names(left.params | right.params))
            if left.column is not None
            else self.opaque(left.sql, [left, right], tree)
        )
        return base if right.literal.value is (sign == "=") else Not(base)

    def shaped(self, column: Term, shape: Shape, literals: tuple[Term, ...]) -> Atom:
        """Return `column shape literals` as an atom, its numbers of one type."""
        values = [t.literal for t in literals if t.literal is not None]
        if column.kind == "int":
            shape, values = exact(shape, values)
        elif column.kind == "float":
            values = [v.as_float() for v in values]
        if shape == "in":
            values = sorted({v.value: v for v in values}.values(), key=lambda v: v.value)
        texts = [v.sql for v in values]
        if shape == "between":
            sql = f"{column.sql} BETWEEN {texts[0]} AND {texts[1]}"
        elif shape == "in":
            sql = f"{column.sql} IN ({', '.join(texts)})"
        else:
            sql = f"{column.sql} {shape} {texts[0]}"
        params = NONE.union(*(t.params for t in literals))
        assert column.column is not None
        return Atom(sql, (column.column,), column.column, shape, tuple(v.value for v in values), _names(params))

    def between(self, tree: exp.Expr) -> Node:
        """Return `a BETWEEN low AND high`."""
        low_tree, high_tree = tree.args["low"], tree.args["high"]
        this, low = self.pair(tree.this, low_tree)
        this, high = self.pair(tree.this, high_tree)
        if this.kind == "bool":
            raise self.wrong("True and false have no order", tree)
        if this.column is not None and low.literal is not None and high.literal is not None:
            return self.shaped(this, "between", (low, high))
        if this.literal is not None and low.literal is not None and high.literal is not None:
            return Constant(
                _compare(this.literal.value, ">=", low.literal.value)
                and _compare(this.literal.value, "<=", high.literal.value)
            )
        this, low, high = even((this, low, high))
        return self.opaque(f"({this.sql} BETWEEN {low.sql} AND {high.sql})", [this, low, high], tree)

    def membership(self, tree: exp.Expr) -> Node:
        """Return `a IN (...)`."""
        field = tree.args.get("field")
        items = tree.expressions or ([field] if field is not None else [])
        if field is not None and not _is_param(field):
            raise self.wrong("IN needs a list", field, allowed="IN (1, 2) or IN :list")
        this, terms = self.term(tree.this), list[Term]()
        if this.kind == "bool":
            raise self.wrong("IN compares numbers, text or times", tree, hint="use the column alone, or NOT it")
        nulls = False
        for item in items:
            for term in self.listed(item):
                if term.kind == "null":
                    nulls = True
                    continue
                this, fitted = self.fit(this, term, tree, item)
                terms.append(fitted)
        if not terms and not nulls:
            return self.empty_list(this, tree)
        if this.column is not None and not nulls and all(t.literal is not None for t in terms):
            return self.shaped(this, "in", tuple(terms))
        this, *terms = even((this, *terms))
        texts = [t.sql for t in terms] + ["NULL"] * nulls
        return self.opaque(f"({this.sql} IN ({', '.join(texts)}))", [this, *terms], tree)

    def empty_list(self, this: Term, tree: exp.Expr) -> Node:
        """`x IN :empty` is false for every event, whether x is missing or not."""
        del this
        if not any(_is_param(item) for item in [tree.args.get("field"), *tree.expressions] if item is not None):
            raise self.wrong("IN needs a list", tree, allowed="IN (1, 2) or IN :list")
        return Constant(value=False)

    def listed(self, item: exp.Expr) -> list[Term]:
        """Return the values that one entry of a list stands for."""
        if not _is_param(item):
            return [self.term(item)]
        name, value = self.value(item)
        if not isinstance(value, list | tuple | set | frozenset):
            return [self.term(item)]
        if len(value) > MAX_LIST:
            raise self.wrong(
                f"The list :{name} is too long", item, allowed=f"at most {MAX_LIST:,} values, got {len(value):,}"
            )
        ordered = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [self.literal(self.param(entry, item, name), name) for entry in ordered]

    def identity(self, tree: exp.Expr) -> Node:
        """Return `a IS NULL` and the like."""
        what = tree.expression
        if type(what) is exp.Null:
            term = self.term(tree.this)
            if term.kind == "null":
                return Constant(value=True)
            if term.column is not None:
                return Atom(f"{term.sql} IS NULL", (term.column,), term.column, "is_null", (), _names(term.params))
            if term.literal is not None:
                return Constant(value=False)
            return self.opaque(f"({term.sql} IS NULL)", [term], tree)
        if type(what) is not exp.Boolean:
            raise self.wrong("IS compares with NULL, TRUE or FALSE only", what, hint="use =")
        term = self.boolean(tree.this)
        inner = term.sql if what.this else f"(NOT {term.sql})"
        return self.opaque(f"COALESCE({inner}, FALSE)", [term], tree)


def _chain(tree: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """Return the parts of a left-deep chain of ANDs or ORs, in order, without recursion."""
    parts = []
    while type(tree) is kind:
        parts.append(tree.expression)
        tree = tree.this
    return [tree, *reversed(parts)]


def _against(left: Term, sign: Shape, right: Term) -> tuple[str, Shape, float] | None:
    """Return an expression, the sign and the number that it is compared with, where a comparison is that."""
    if right.literal is None:
        left, right, sign = right, left, FLIPPED[sign]
    held = None if right.literal is None else right.literal.value
    if not left.number or isinstance(held, bool) or not isinstance(held, int | float):
        return None
    return left.sql, sign, float(held)


def _names(found: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(found))


def _is_param(tree: exp.Expr) -> bool:
    while type(tree) is exp.Paren:
        tree = tree.this
    return type(tree) is exp.Placeholder


def _of_node(node: Node) -> Term:
    if isinstance(node, Constant):
        if node.value is None:
            return Term("NULL", "null")
        text = "TRUE" if node.value else "FALSE"
        return Term(text, "bool", literal=Literal("bool", node.value, text))
    found = list(atoms(node))
    columns = frozenset(name for atom in found for name in atom.columns)
    params = frozenset(name for atom in found for name in atom.params)
    if isinstance(node, Atom) and node.shape == "is_true":
        return Term(node.sql, "bool", columns, params, column=node.column)
    text = to_sql(node)
    return Term(text if text.startswith("(") else f"({text})", "bool", columns, params)


def _compare(left: Value, sign: str, right: Value) -> bool:
    if sign == "=":
        return left == right
    if sign == "<>":
        return left != right
    if sign == "<":
        return left < right  # type: ignore[operator]
    if sign == "<=":
        return left <= right  # type: ignore[operator]
    if sign == ">":
        return left > right  # type: ignore[operator]
    return left >= right  # type: ignore[operator]
