"""Which events make a condition true: each distinct atom once, in packed bits, with unknown kept apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.bits import Bits, Words
from riskbench.engine.columns import Column
from riskbench.engine.table import Table
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or, atoms

#: Events a block: its atoms' bits stay in the processor's cache while the rules are joined from them.
BLOCK = 65_536
_WORDS = BLOCK // 64
_BYTES = BLOCK // 8

Mask = npt.NDArray[np.bool_]
#: True words and unknown words; None where nothing is unknown.
Truth = tuple[Words, Words | None]
#: Fills a buffer with the truth of one block, from its first row to one past its last.
Fill = Callable[[int, int, Mask], object]

_COMPARE = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
    "<>": np.not_equal,
}


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """How one atom is answered: by a fill over blocks, or by the same answer for every present event."""

    fill: Fill | None
    same: bool
    column: str | None
    unknown: Mask | None


def evaluate(nodes: Sequence[Node], table: Table) -> Bits:
    """Return which events make each condition true (unknown counts as not true).

    Use it for a whole rule book at once: equal atoms are evaluated once.

    Parameters
    ----------
    nodes : sequence of Node
        Bound conditions.
    table : Table
        The events.

    Raises
    ------
    EngineError
        When DuckDB fails on an atom that needs it.
    """
    rows = table.rows
    out = np.zeros((len(nodes), -(-rows // 64)), dtype=np.uint64)
    if not rows or not nodes:
        return Bits(out, rows)
    distinct = {atom.sql: atom for node in nodes for atom in atoms(node)}
    table.columns(dict.fromkeys(name for atom in distinct.values() for name in atom.columns))
    tests = _tests(list(distinct.values()), table)
    valid = {test.column: table.column(test.column).valid for test in tests.values() if test.column is not None}
    buffer = np.zeros(BLOCK, dtype=bool)
    for start in range(0, rows, BLOCK):
        stop = min(start + BLOCK, rows)
        live = _live(stop - start)
        absent = {name: None if mask is None else _packed(~mask[start:stop]) for name, mask in valid.items()}
        known = {sql: _block(test, absent, start, stop, live=live, buffer=buffer) for sql, test in tests.items()}
        place = slice(start // 64, start // 64 + len(live))
        for line, node in enumerate(nodes):
            out[line, place] = _join(node, known, live)[0] & live
    return Bits(out, rows)


def _live(count: int) -> Words:
    """Return words whose first `count` bits are set."""
    words = np.full(-(-count // 64), ~np.uint64(0), dtype=np.uint64)
    if count % 64:
        words[-1] = np.uint64((1 << (count % 64)) - 1)
    return words


def _packed(mask: Mask) -> Words:
    packed = np.packbits(mask, bitorder="little")
    if len(packed) % 8:
        packed = np.concatenate([packed, np.zeros(8 - len(packed) % 8, dtype=np.uint8)])
    return packed.view(np.uint64)


def _block(test: _Test, absent: dict[str, Words | None], start: int, stop: int, *, live: Words, buffer: Mask) -> Truth:
    unknown = absent[test.column] if test.column is not None else None
    if test.unknown is not None:
        unknown = _packed(test.unknown[start:stop])
    if test.fill is None:
        true = live.copy() if test.same else np.zeros_like(live)
    else:
        part = buffer[: stop - start]
        test.fill(start, stop, part)
        true = _packed(part)
    return (true if unknown is None else true & ~unknown), unknown


def _join(node: Node, known: dict[str, Truth], live: Words) -> Truth:
    if isinstance(node, Atom):
        return known[node.sql]
    if isinstance(node, Constant):
        none = np.zeros_like(live)
        return (none, live) if node.value is None else (live if node.value else none, None)
    if isinstance(node, Not):
        true, unknown = _join(node.part, known, live)
        return (~true if unknown is None else ~(true | unknown)), unknown
    parts = [_join(part, known, live) for part in node.parts]
    if isinstance(node, And):
        true = parts[0][0].copy()
        for part, _ in parts[1:]:
            true &= part
        if all(unknown is None for _, unknown in parts):
            return true, None
        possible = _either(parts[0])
        for pair in parts[1:]:
            possible = possible & _either(pair)
        return true, possible & ~true
    assert isinstance(node, Or)
    true = parts[0][0].copy()
    for part, _ in parts[1:]:
        true |= part
    unknowns = [unknown for _, unknown in parts if unknown is not None]
    if not unknowns:
        return true, None
    return true, np.bitwise_or.reduce(np.stack(unknowns), axis=0) & ~true


def _either(pair: Truth) -> Words:
    return pair[0] if pair[1] is None else pair[0] | pair[1]


def _tests(wanted: list[Atom], table: Table) -> dict[str, _Test]:
    """Return how each atom is answered; those that numpy cannot answer go to DuckDB in one query."""
    tests: dict[str, _Test] = {}
    opaque: list[Atom] = []
    worded: dict[str, list[Atom]] = {}
    for atom in wanted:
        test = _simple(atom, table)
        if test is not None:
            tests[atom.sql] = test
        elif len(atom.columns) == 1 and table.kinds[atom.columns[0]] == "string":
            worded.setdefault(atom.columns[0], []).append(atom)
        else:
            opaque.append(atom)
    for name, group in worded.items():
        tests.update(_by_words(group, name, table.column(name)))
    tests.update(_by_duckdb(opaque, table))
    return tests


def _simple(atom: Atom, table: Table) -> _Test | None:
    """Return the test of an atom with a simple shape, or None."""
    name, shape = atom.column, atom.shape
    if name is None or shape is None:
        return None
    column = replace(table.column(name), values=table.narrow(name))
    if shape == "is_null":
        valid = column.valid
        if valid is None:
            return _Test(None, same=False, column=None, unknown=None)
        return _Test(lambda a, b, out: np.logical_not(valid[a:b], out=out), same=False, column=None, unknown=None)
    if column.kind == "string":
        return _worded(atom, column)
    values = column.values
    if shape == "is_true":
        if column.kind != "bool":
            return None
        return _Test(lambda a, b, out: np.copyto(out, values[a:b]), same=False, column=name, unknown=None)
    if column.kind == "bool" and not all(isinstance(value, bool) for value in atom.values):
        return None
    if shape in _COMPARE:
        return _compared(shape, column, atom.values[0], name)
    if shape == "between":
        low = _compared(">=", column, atom.values[0], name)
        high = _compared("<=", column, atom.values[1], name)
        return None if low is None or high is None else _both(low, high, name)
    if shape == "in":
        return _listed(column, atom.values, name)
    return None


def _both(low: _Test, high: _Test, name: str) -> _Test:
    if low.fill is None or high.fill is None:
        plain, other = (low, high) if low.fill is None else (high, low)
        return other if plain.same else _Test(None, same=False, column=name, unknown=None)
    first, second = low.fill, high.fill

    def fill(a: int, b: int, out: Mask) -> None:
        first(a, b, out)
        upper = np.empty_like(out)
        second(a, b, upper)
        np.logical_and(out, upper, out=out)

    return _Test(fill, same=False, column=name, unknown=None)


def _compared(op: str, column: Column, literal: object, name: str) -> _Test | None:
    """Return the test `column op literal`; whole columns meet fractional literals exactly."""
    values = column.values
    bound: bool | int | float
    if column.kind in ("int", "time"):
        if isinstance(literal, bool) or not isinstance(literal, int | float):
            return None
        settled = _whole(op, literal)
        if isinstance(settled, bool):
            return _Test(None, same=settled, column=name, unknown=None)
        op, bound = settled
    elif column.kind == "float":
        if isinstance(literal, bool) or not isinstance(literal, int | float):
            return None
        bound = float(literal)
    elif isinstance(literal, bool):
        bound = literal
    else:
        return None
    compare = _COMPARE[op]
    return _Test(lambda a, b, out: compare(values[a:b], bound, out=out), same=False, column=name, unknown=None)


_LEAST, _MOST = -(2**63), 2**63 - 1


def _whole(op: str, literal: float) -> bool | tuple[str, int]:
    """Return `int64 column op literal` as an equal comparison with a whole number, or its constant answer."""
    if isinstance(literal, float) and math.isinf(literal):
        return (op in ("<", "<=", "<>")) if literal > 0 else (op in (">", ">=", "<>"))
    floor = math.floor(literal)
    if floor != literal:
        if op in ("=", "<>"):
            return op == "<>"
        op, whole = (">=", floor + 1) if op in (">", ">=") else ("<=", floor)
    else:
        whole = int(literal)
    if whole > _MOST:
        return op in ("<", "<=", "<>")
    if whole < _LEAST:
        return op in (">", ">=", "<>")
    return op, whole


def _listed(column: Column, literals: tuple[object, ...], name: str) -> _Test | None:
    tests = [_compared("=", column, literal, name) for literal in literals]
    if any(test is None for test in tests):
        return None
    fills = [test.fill for test in tests if test is not None and test.fill is not None]
    if not fills:
        return _Test(None, same=False, column=name, unknown=None)
    if len(fills) > 8:
        values = column.values
        wanted = np.array(
            [v for v in literals if _fits(v, column)],
            dtype=np.float64 if column.kind == "float" else np.int64,
        )
        return _Test(
            lambda a, b, out: np.copyto(out, np.isin(values[a:b], wanted)), same=False, column=name, unknown=None
        )

    def fill(a: int, b: int, out: Mask) -> None:
        fills[0](a, b, out)
        other = np.empty_like(out)
        for test in fills[1:]:
            test(a, b, other)
            np.logical_or(out, other, out=out)

    return _Test(fill, same=False, column=name, unknown=None)


def _fits(literal: object, column: Column) -> bool:
    if column.kind == "float":
        return True
    settled = _whole("=", literal)  # type: ignore[arg-type]
    return not isinstance(settled, bool)


def _worded(atom: Atom, column: Column) -> _Test | None:
    """Return the test of a text column against whole words, by their codes."""
    if atom.shape not in ("=", "<>", "in") or column.words is None:
        return None
    if not all(isinstance(value, str) for value in atom.values):
        return None
    wanted = set(atom.values)
    found = [code for code, word in enumerate(column.words.to_pylist()) if word in wanted]
    if atom.shape == "<>":
        codes, values = found, column.values
        if not codes:
            return _Test(None, same=True, column=atom.column, unknown=None)
        code = codes[0]
        return _Test(
            lambda a, b, out: np.not_equal(values[a:b], code, out=out), same=False, column=atom.column, unknown=None
        )
    return _coded(found, column, str(atom.column))


def _coded(found: list[int], column: Column, name: str) -> _Test:
    """Return the test whether a code is one of some."""
    codes = column.values
    if not found:
        return _Test(None, same=False, column=name, unknown=None)
    if len(found) == 1:
        code = found[0]
        return _Test(lambda a, b, out: np.equal(codes[a:b], code, out=out), same=False, column=name, unknown=None)
    assert column.words is not None
    table = np.zeros(len(column.words), dtype=np.bool_)
    table[found] = True
    return _Test(
        lambda a, b, out: np.take(table, codes[a:b], out=out, mode="clip"), same=False, column=name, unknown=None
    )


def _by_words(group: list[Atom], name: str, column: Column) -> dict[str, _Test]:
    """Answer atoms of one text column on its dictionary, and on one missing value, then look them up."""
    import pyarrow as pa

    from riskbench.engine.project import booleans

    assert column.words is not None
    lines = pa.table({name: pa.concat_arrays([column.words, pa.array([None], type=column.words.type)])})
    answers = booleans([atom.sql for atom in group], lines)
    codes = column.values if column.valid is None else np.where(column.valid, column.values, len(column.words))
    tests: dict[str, _Test] = {}
    for atom, (true, known) in zip(group, answers, strict=True):
        unknown = None if known.all() else ~known[codes]
        tests[atom.sql] = _Test(_looked_up(true & known, codes), same=False, column=None, unknown=unknown)
    return tests


def _looked_up(answers: Mask, codes: npt.NDArray[Any]) -> Fill:
    return lambda a, b, out: np.take(answers, codes[a:b], out=out, mode="clip")


def _by_duckdb(group: list[Atom], table: Table) -> dict[str, _Test]:
    """Answer atoms of any shape by letting DuckDB project them as boolean columns."""
    if not group:
        return {}
    from riskbench.engine.project import booleans

    names = dict.fromkeys(name for atom in group for name in atom.columns)
    answers = booleans([atom.sql for atom in group], table.to_arrow(names) if names else None, rows=table.rows)
    tests: dict[str, _Test] = {}
    for atom, (true, known) in zip(group, answers, strict=True):
        tests[atom.sql] = _Test(_copied(true & known), same=False, column=None, unknown=None if known.all() else ~known)
    return tests


def _copied(answers: Mask) -> Fill:
    return lambda a, b, out: np.copyto(out, answers[a:b])
