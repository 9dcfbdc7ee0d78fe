"""What is a value inside a condition? Its DuckDB text, its kind, and the columns and parameters in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from sqlglot import exp

from riskbench.engine.literals import Literal
from riskbench.errors import RuleError

NONE: frozenset[str] = frozenset()
KIND_WORDS = {
    "bool": "true/false",
    "int": "a number",
    "float": "a number",
    "string": "text",
    "time": "a time",
    "null": "NULL",
}


@dataclass(frozen=True, slots=True)
class Term:
    """One value in a condition.

    Attributes
    ----------
    sql : str
        Its DuckDB text, safe to stand anywhere.
    kind : str
        bool, int, float, string, time or null.
    columns, params : frozenset of str
        The columns and parameters in it.
    column : str or None
        The column, when it is a bare one.
    literal : Literal or None
        The value, when it is the same for every event.
    """

    sql: str
    kind: str
    columns: frozenset[str] = NONE
    params: frozenset[str] = NONE
    column: str | None = None
    literal: Literal | None = None

    @property
    def number(self) -> bool:
        """Whether it is a number."""
        return self.kind in ("int", "float")

    def as_float(self) -> Term:
        """Return a whole number as a double; anything else as it is."""
        if self.kind != "int":
            return self
        if self.literal is not None:
            value = self.literal.as_float()
            return replace(self, sql=value.sql, kind="float", literal=value)
        return replace(self, sql=f"CAST({self.sql} AS DOUBLE)", kind="float", column=None)


class Binder(Protocol):
    """What the value functions need of the binder."""

    def term(self, tree: exp.Expr) -> Term:
        """Return the value of a tree."""

    def boolean(self, tree: exp.Expr) -> Term:
        """Return a condition as a value."""

    def numeric(self, tree: exp.Expr) -> Term:
        """Return a value that must be a number."""

    def textual(self, tree: exp.Expr) -> Term:
        """Return a value that must be text."""

    def temporal(self, tree: exp.Expr) -> Term:
        """Return a value that must be a time."""

    def pair(self, left: exp.Expr, right: exp.Expr) -> tuple[Term, Term]:
        """Return two values that may be compared."""

    def fit(self, left: Term, right: Term, left_tree: exp.Expr, right_tree: exp.Expr) -> tuple[Term, Term]:
        """Return two values that may be compared, a quoted moment turned into a time."""

    def wrong(self, what: str, node: exp.Expr, *, allowed: object = None, hint: str | None = None) -> RuleError:
        """Return an error that points at a tree."""


def made(sql: str, kind: str, parts: Iterable[Term]) -> Term:
    """Return a term that is computed from others."""
    held = list(parts)
    return Term(sql, kind, NONE.union(*(t.columns for t in held)), NONE.union(*(t.params for t in held)))


def even(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Return terms with whole numbers as doubles where a double is among them."""
    held = tuple(terms)
    return tuple(term.as_float() for term in held) if any(term.kind == "float" for term in held) else held


def constant(value: Literal, parts: Iterable[Term] = ()) -> Term:
    """Return a term with one value for every event."""
    return Term(value.sql, value.kind, literal=value, params=NONE.union(*(t.params for t in parts)))
