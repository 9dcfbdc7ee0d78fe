"""What a checked rule text becomes: conditions joined by and, or, not, under three-valued logic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Value = bool | int | float | str
#: How an atom compares its one column with its literals; None when it has another shape.
Shape = Literal["<", "<=", ">", ">=", "=", "<>", "between", "in", "is_null", "is_true"]


@dataclass(frozen=True, slots=True)
class Atom:
    """One condition, with its parameters put in.

    Attributes
    ----------
    sql : str
        Its canonical DuckDB text: columns quoted, literals inlined. Equal text, equal meaning.
    columns : tuple of str
        The columns it reads, sorted.
    column : str or None
        The one column, when the atom has a simple shape.
    shape : str or None
        The simple shape: `column shape values`.
    values : tuple
        The literals: one for a comparison, two for between, any number for in, none otherwise. A numeric
        literal is an int or float; a moment is int microseconds; text is text.
    params : tuple of str
        The names of the parameters that stood in it.
    against : (str, str, number), optional
        Where it is no simple shape but still compares one expression with one number: the expression's DuckDB
        text, the sign, and the number.
    """

    sql: str
    columns: tuple[str, ...]
    column: str | None = None
    shape: Shape | None = None
    values: tuple[Value, ...] = ()
    params: tuple[str, ...] = ()
    against: tuple[str, Shape, float] | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A condition that is the same for every event: true, false, or unknown."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Not:
    """True where its part is false; unknown stays unknown."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """True where all parts are true; false where any is false; else unknown."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where any part is true; false where all are false; else unknown."""

    parts: tuple[Node, ...]


Node = Atom | Constant | Not | And | Or


def atoms(node: Node) -> Iterator[Atom]:
    """Yield every atom of a tree, left to right."""
    if isinstance(node, Atom):
        yield node
    elif isinstance(node, Not):
        yield from atoms(node.part)
    elif isinstance(node, And | Or):
        for part in node.parts:
            yield from atoms(part)


def to_sql(node: Node) -> str:
    """Return a tree as DuckDB SQL, fully parenthesised."""
    if isinstance(node, Atom):
        return node.sql
    if isinstance(node, Constant):
        return "NULL::BOOLEAN" if node.value is None else str(node.value).upper()
    if isinstance(node, Not):
        return f"(NOT {to_sql(node.part)})"
    word = " AND " if isinstance(node, And) else " OR "
    return "(" + word.join(to_sql(part) for part in node.parts) + ")"
