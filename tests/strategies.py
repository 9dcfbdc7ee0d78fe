"""Random conditions with their meaning in plain Python, and small tables full of traps, for the property tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
from hypothesis import strategies as st

from riskbench.engine.columns import Kind
from riskbench.engine.table import Table
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or

Cell = bool | int | float | str | None
Row = Mapping[str, Cell]

#: A column of every kind, one of them with a name that needs quotes. A time is int microseconds.
KINDS: dict[str, Kind] = {
    "amount": "float",
    "items": "int",
    "country": "string",
    "placed_at": "time",
    "is_new": "bool",
    'odd "näme"': "float",
}
_ARROW = {
    "float": pa.float64(),
    "int": pa.int64(),
    "string": pa.string(),
    "time": pa.timestamp("us"),
    "bool": pa.bool_(),
}

FLOATS = (
    0.0,
    -0.0,
    0.1,
    0.30000000000000004,
    1.5,
    -1.5,
    100.0,
    2.0**53,
    2.0**53 + 2,
    -(2.0**53),
    2.0**63,
    -(2.0**63),
    2.0**52 + 0.5,
    1e300,
    -1e300,
    5e-324,
)
INTS = (0, 1, -1, 5, 100, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63))
WORDS = ("", " ", "a", "A", "b", "it's", '"', "ID", "Ä", "日本", "é", "a%", "a\\b", "NULL", "true", "1", "\U0001f389")
MOMENTS = (0, 1, -1, 1_767_225_600_000_000, 1_767_225_600_000_001, 1_767_225_599_999_999, -62_000_000_000_000_000)
POOLS: dict[Kind, tuple[Cell, ...]] = {
    "float": FLOATS,
    "int": INTS,
    "string": WORDS,
    "time": MOMENTS,
    "bool": (True, False),
}


@dataclass(frozen=True)
class Condition:
    """A rule text and what it means: true, false, or None for unknown."""

    text: str
    meaning: Callable[[Row], bool | None]

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"


def rows(*, most: int = 12) -> st.SearchStrategy[list[dict[str, Cell]]]:
    """Rows of a table with every kind of column: missing values, ties, extremes."""
    cells = {name: st.one_of(st.none(), st.sampled_from(POOLS[kind])) for name, kind in KINDS.items()}
    return st.lists(st.fixed_dictionaries(cells), max_size=most)


def table_of(found: list[dict[str, Cell]]) -> Table:
    """Return rows as a table of the engine."""
    arrays = {
        name: pa.array([row[name] for row in found], type=pa.int64()).cast(_ARROW[kind])
        if kind == "time"
        else pa.array([row[name] for row in found], type=_ARROW[kind])
        for name, kind in KINDS.items()
    }
    return Table.from_arrow(pa.table(arrays))


def quoted(name: str) -> str:
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'


def spelled(value: Cell) -> str:
    """Return a value as a rule text holds it; times are spelled by `moment`."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, int) and value == -(2**63):
        return "(-9223372036854775807 - 1)"
    return repr(value)


def moment(micros: int) -> str:
    when = dt.datetime.fromisoformat("1970-01-01") + dt.timedelta(microseconds=micros)
    return f"'{when.isoformat(sep=' ', timespec='microseconds')}'"


_COMPARE: dict[str, Callable[[object, object], bool]] = {
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}
_FLIP = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


@st.composite
def comparisons(draw: st.DrawFn) -> Condition:
    """One condition on one column, in every spelling of the language."""
    name, kind = draw(st.sampled_from(list(KINDS.items())))
    column = quoted(name)
    if kind == "bool":
        return draw(_booleans(name, column))
    numbers: tuple[Cell, ...] = (*INTS, *FLOATS) if kind == "int" else FLOATS
    pool = st.sampled_from(numbers if kind in ("int", "float") else POOLS[kind])
    if kind in ("int", "float"):
        pool = st.one_of(pool, st.integers(-10, 10))
    write = moment if kind == "time" else spelled
    form = draw(st.sampled_from(("compare", "flipped", "between", "in", "null", "list with null")))
    negate = draw(st.booleans())
    if form in ("compare", "flipped"):
        sign, value = draw(st.sampled_from(list(_COMPARE))), draw(pool)
        text = f"{column} {sign} {write(value)}" if form == "compare" else f"{write(value)} {_FLIP[sign]} {column}"
        return Condition(text, _guarded(name, lambda cell: _COMPARE[sign](cell, value)))
    if form == "between":
        low, high = draw(pool), draw(pool)
        return Condition(
            f"{column} {'NOT ' * negate}BETWEEN {write(low)} AND {write(high)}",
            _guarded(name, lambda cell: (low <= cell <= high) != negate),
        )
    if form == "null":
        return Condition(f"{column} IS {'NOT ' * negate}NULL", lambda row: (row[name] is None) != negate)
    values = draw(st.lists(pool, min_size=1, max_size=4))
    inside = ", ".join(write(value) for value in values)
    if form == "in":
        return Condition(
            f"{column} {'NOT ' * negate}IN ({inside})", _guarded(name, lambda cell: (cell in values) != negate)
        )
    return Condition(
        f"{column} {'NOT ' * negate}IN ({inside}, NULL)",
        _guarded(name, lambda cell: (not negate) if cell in values else None),
    )


def _booleans(name: str, column: str) -> st.SearchStrategy[Condition]:
    return st.sampled_from(
        [
            Condition(column, lambda row: row[name]),
            Condition(f"{column} = TRUE", lambda row: row[name]),
            Condition(f"FALSE = {column}", lambda row: None if row[name] is None else not row[name]),
            Condition(f"{column} <> TRUE", lambda row: None if row[name] is None else not row[name]),
            Condition(f"{column} IS TRUE", lambda row: row[name] is True),
            Condition(f"{column} IS NOT FALSE", lambda row: row[name] is not False),
            Condition(f"{column} IS NULL", lambda row: row[name] is None),
            Condition("TRUE", lambda _: True),
            Condition("NULL", lambda _: None),
        ]
    )


def _guarded(name: str, test: Callable[[Cell], bool | None]) -> Callable[[Row], bool | None]:
    return lambda row: None if row[name] is None else test(row[name])


def conditions(*, most: int = 8) -> st.SearchStrategy[Condition]:
    """Conditions joined by AND, OR and NOT."""
    return st.recursive(
        comparisons(),
        lambda inner: st.one_of(
            inner.map(lambda part: Condition(f"NOT ({part.text})", lambda row: _not(part.meaning(row)))),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: _joined(parts, "AND")),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: _joined(parts, "OR")),
        ),
        max_leaves=most,
    )


def _joined(parts: list[Condition], word: str) -> Condition:
    text = f" {word} ".join(f"({part.text})" for part in parts)
    combine = _all if word == "AND" else _any
    return Condition(text, lambda row: combine([part.meaning(row) for part in parts]))


def _not(value: bool | None) -> bool | None:  # noqa: FBT001
    return None if value is None else not value


def _all(values: list[bool | None]) -> bool | None:
    return False if False in values else None if None in values else True


def _any(values: list[bool | None]) -> bool | None:
    return True if True in values else None if None in values else False


def truth(node: Node, row: Row) -> bool | None:
    """Return what a bound tree says about one row, slowly; its atoms must have simple shapes."""
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, Not):
        return _not(truth(node.part, row))
    if isinstance(node, And):
        return _all([truth(part, row) for part in node.parts])
    if isinstance(node, Or):
        return _any([truth(part, row) for part in node.parts])
    return atom_truth(node, row)


def atom_truth(atom: Atom, row: Row) -> bool | None:
    """Return what one simple atom says about one row."""
    assert atom.column is not None
    cell = row[atom.column]
    if atom.shape == "is_null":
        return cell is None
    if cell is None:
        return None
    if atom.shape == "is_true":
        return bool(cell)
    if atom.shape == "in":
        return cell in atom.values
    if atom.shape == "between":
        return atom.values[0] <= cell <= atom.values[1]  # type: ignore[operator]
    return _COMPARE[str(atom.shape)](cell, atom.values[0])
