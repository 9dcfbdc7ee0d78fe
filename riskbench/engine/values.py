"""What is each value in a condition? Columns, parameters, literals and functions, and which may be compared."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from riskbench.engine.columns import Kind
from riskbench.engine.functions import HANDLERS
from riskbench.engine.literals import FAR, Literal, from_number, from_param, from_text, moment, quoted
from riskbench.engine.parse import Predicate, refuse, span
from riskbench.engine.terms import KIND_WORDS, Term
from riskbench.errors import RuleError, listed, nearest

_CONDITIONS = frozenset(
    {
        exp.EQ,
        exp.NEQ,
        exp.GT,
        exp.GTE,
        exp.LT,
        exp.LTE,
        exp.And,
        exp.Or,
        exp.Not,
        exp.Between,
        exp.In,
        exp.Is,
        exp.NullSafeEQ,
        exp.NullSafeNEQ,
    }
)


class Values(ABC):
    """The values of one predicate, checked against columns and parameters."""

    def __init__(
        self, predicate: Predicate, kinds: Mapping[str, Kind], params: Mapping[str, object], aliases: Mapping[str, str]
    ) -> None:
        self.text = predicate.text
        self.kinds, self.params, self.aliases = kinds, params, aliases

    def wrong(self, what: str, node: exp.Expr, *, allowed: object = None, hint: str | None = None) -> RuleError:
        """Return an error that points at a tree."""
        return refuse(what, self.text, span(node), allowed=allowed, hint=hint)

    def term(self, tree: exp.Expr) -> Term:
        """Return the value of a tree."""
        kind = type(tree)
        if kind is exp.Paren:
            return self.term(tree.this)
        if kind is exp.Column:
            return self.column(tree)
        if kind is exp.Literal:
            if tree.is_string:
                return self.literal(from_text(str(tree.this)))
            try:
                return self.literal(from_number(str(tree.this)))
            except ValueError as wrong:
                raise self.wrong(str(wrong), tree, allowed=FAR) from None
        if kind is exp.Placeholder:
            name, value = self.value(tree)
            if isinstance(value, list | tuple | set | frozenset):
                raise self.wrong(f"The parameter :{name} is a list", tree, allowed="a list stands only after IN")
            if value is None:
                raise self.wrong(f"The parameter :{name} has no value", tree)
            return self.literal(self.param(value, tree, name), name)
        if kind is exp.Boolean:
            return self.literal(Literal("bool", bool(tree.this), "TRUE" if tree.this else "FALSE"))
        if kind is exp.Null:
            return Term("NULL", "null")
        handler = HANDLERS.get(kind)
        if handler is not None:
            return handler(self, tree)
        if kind not in _CONDITIONS:
            raise self.wrong("This cannot stand here", tree)
        return self.boolean(tree)

    def literal(self, value: Literal, param: str | None = None) -> Term:
        """Return a literal as a value."""
        return Term(value.sql, value.kind, literal=value, params=frozenset({param} if param else ()))

    def value(self, tree: exp.Expr) -> tuple[str, object]:
        """Return a parameter's name and value."""
        name = str(tree.this)
        if name not in self.params:
            close = nearest(name, self.params)
            if close is None and name in self.kinds:
                raise self.wrong(f"There is no parameter :{name}", tree, hint=f"for the column, write {name} without :")
            raise self.wrong(
                f"There is no parameter :{name}",
                tree,
                allowed=listed(self.params) if self.params else "declare it under params",
                hint=f"did you mean :{close}?" if close else None,
            )
        return name, self.params[name]

    def param(self, value: object, tree: exp.Expr, name: str) -> Literal:
        """Return a parameter's value as a literal."""
        try:
            return from_param(value)
        except ValueError as wrong:
            raise self.wrong(f"The parameter :{name} cannot be used: {wrong}", tree) from None

    def column(self, tree: exp.Expr) -> Term:
        """Return a column, by its name or its role's."""
        name = str(tree.this.this)
        found = name if name in self.kinds else self.aliases.get(name)
        if found is None or found not in self.kinds:
            choices = [*self.kinds, *(role for role, target in self.aliases.items() if target in self.kinds)]
            close = nearest(name, choices)
            hint = f"did you mean {_written(close)}?" if close else None
            if close is None and name in self.params:
                hint = f"for the parameter, write :{name}"
            if close is None and tree.this.args.get("quoted"):
                hint = f"double quotes name a column; for text write {quoted(name)}"
            raise self.wrong(f"There is no column {name!r}", tree, allowed=listed(self.kinds), hint=hint)
        text = '"' + found.replace('"', '""') + '"'
        return Term(text, self.kinds[found], frozenset({found}), column=found)

    @abstractmethod
    def boolean(self, tree: exp.Expr) -> Term:
        """Return a condition as a value; the binder of conditions knows how."""

    def pair(self, left: exp.Expr, right: exp.Expr) -> tuple[Term, Term]:
        """Return two values that may be compared."""
        first, second = self.term(left), self.term(right)
        for term, place in ((first, left), (second, right)):
            if term.kind == "null":
                raise self.wrong("A comparison with NULL is never true", place, hint="write IS NULL or IS NOT NULL")
        return self.fit(first, second, left, right)

    def fit(self, left: Term, right: Term, left_tree: exp.Expr, right_tree: exp.Expr) -> tuple[Term, Term]:
        """Return two terms that may be compared, a quoted moment turned into a time."""
        if left.kind == "time" and right.kind == "string" and right.literal is not None:
            return left, self.as_time(right, right_tree)
        if right.kind == "time" and left.kind == "string" and left.literal is not None:
            return self.as_time(left, left_tree), right
        if left.kind == right.kind or (left.number and right.number):
            return left, right
        raise self.mismatch(left, right, left_tree, right_tree)

    def mismatch(self, left: Term, right: Term, left_tree: exp.Expr, right_tree: exp.Expr) -> RuleError:
        """Return the error for two values that cannot be compared."""
        hint = None
        for term, other in ((left, right), (right, left)):
            if term.literal is not None and term.kind == "string" and other.number:
                hint = "write the number without quotes" if _numeric(str(term.literal.value)) else None
            if term.literal is not None and term.number and other.kind == "string":
                hint = f"write {quoted(term.literal.text)} if the column holds text"
            if term.kind == "bool" and term.column is not None:
                hint = f"write {term.sql} alone, or NOT {term.sql}"
        place = right_tree if right.literal is not None or left.literal is None else left_tree
        named = next((t.column for t in (left, right) if t.column), None)
        lead = f"{named!r} holds {KIND_WORDS[self.kinds[named]]}; " if named else ""
        return self.wrong(
            f"{lead}{KIND_WORDS[left.kind]} and {KIND_WORDS[right.kind]} cannot be compared".capitalize()
            if not lead
            else f"Column {lead}{KIND_WORDS[left.kind]} and {KIND_WORDS[right.kind]} cannot be compared",
            place,
            hint=hint,
        )

    def as_time(self, term: Term, tree: exp.Expr) -> Term:
        """Return a quoted moment as a time."""
        assert term.literal is not None
        try:
            return replace(self.literal(moment(str(term.literal.value))), params=term.params)
        except ValueError:
            raise self.wrong(
                "This is not a moment", tree, allowed="'2026-01-31' or '2026-01-31 18:00:00', in UTC"
            ) from None

    def temporal(self, tree: exp.Expr) -> Term:
        """Return a value that must be a time."""
        term = self.term(tree)
        if term.kind == "string" and term.literal is not None:
            return self.as_time(term, tree)
        if term.kind != "time":
            raise self.wrong(f"This is {KIND_WORDS[term.kind]}, and a time is needed here", tree)
        return term

    def numeric(self, tree: exp.Expr) -> Term:
        """Return a value that must be a number."""
        term = self.term(tree)
        if not term.number:
            raise self.wrong(f"This is {KIND_WORDS[term.kind]}, and a number is needed here", tree)
        return term

    def textual(self, tree: exp.Expr) -> Term:
        """Return a value that must be text."""
        term = self.term(tree)
        if term.kind != "string":
            raise self.wrong(f"This is {KIND_WORDS[term.kind]}, and text is needed here", tree)
        return term


def _numeric(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _written(name: str | None) -> str:
    assert name is not None
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'
