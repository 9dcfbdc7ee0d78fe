"""The numpy kernel says what DuckDB says, for every kind of column, shape and missing value."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskbench.engine.bits import Bits, first_hits, hit_by_one, pack, positions, unpack
from riskbench.engine.columns import from_arrow
from riskbench.engine.duck import session
from riskbench.engine.kernel import BLOCK, evaluate
from riskbench.engine.sums import cell_sums
from riskbench.engine.table import Table
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or, to_sql

INTS = [None, 0, 1, -1, 7, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]
FLOATS = [None, 0.0, -0.0, 0.1, 0.3, 1.0, 2.5, -7.25, 1e300, math.inf, -math.inf, math.nan]
WORDS = [None, "", "a", "A", "b", "é", "e\u0301", "O'Brien", 'q"q', "NO", "日本"]
BOOLS = [None, True, False]
TIMES = [None, 0, 1, -1, 1_790_000_000_000_000]


def text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value!r}::DOUBLE" if math.isfinite(value) else f"'{value}'::DOUBLE"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def simple(column: str, shape: str, values: tuple) -> Atom:
    told = [f"make_timestamp({v})" if column == "t" else text(v) for v in values]
    if shape == "between":
        sql = f'("{column}" BETWEEN {told[0]} AND {told[1]})'
    elif shape == "in":
        sql = f'("{column}" IN ({", ".join(told)}))'
    elif shape == "is_null":
        sql = f'("{column}" IS NULL)'
    elif shape == "is_true":
        sql = f'"{column}"'
    else:
        sql = f'("{column}" {shape} {told[0]})'
    return Atom(sql, (column,), column, shape, values)  # type: ignore[arg-type]


@st.composite
def leaf(draw) -> Node:
    column = draw(st.sampled_from(["i", "f", "s", "b", "t"]))
    if column == "b":
        return simple("b", "is_true", ())
    pools = {"i": INTS[1:], "f": FLOATS[1:-1], "s": WORDS[1:], "t": TIMES[1:]}
    literal = st.sampled_from(pools[column])
    shape = draw(st.sampled_from(["<", "<=", ">", ">=", "=", "<>", "between", "in", "is_null"]))
    if column == "i" and shape not in ("in", "between", "is_null"):
        literal = literal | st.sampled_from([0.5, -0.5, 1.0])
    if shape == "is_null":
        return simple(column, shape, ())
    count = {"between": 2, "in": draw(st.integers(1, 10))}.get(shape, 1)
    return simple(column, shape, tuple(draw(literal) for _ in range(count)))


opaque = st.sampled_from(
    [
        Atom("(lower(\"s\") = 'a')", ("s",)),
        Atom('(length("s") > 1)', ("s",)),
        Atom('("i" > "f")', ("f", "i")),
        Atom("(\"s\" IN ('a', NULL))", ("s",)),
        Constant(True),
        Constant(False),
        Constant(None),
    ]
)
trees = st.recursive(
    leaf() | opaque,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda p: And(tuple(p))),
        st.lists(inner, min_size=1, max_size=3).map(lambda p: Or(tuple(p))),
    ),
    max_leaves=8,
)
rows = st.lists(
    st.tuples(*(st.sampled_from(pool) for pool in (INTS, FLOATS, WORDS, BOOLS, TIMES))), min_size=0, max_size=140
)


def made(lines: list[tuple]) -> Table:
    columns = list(zip(*lines, strict=True)) if lines else [[]] * 5
    kinds = [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us")]
    return Table.from_columns(
        {
            name: from_arrow(pa.array(list(values), type=kind), name=name)
            for name, values, kind in zip("ifsbt", columns, kinds, strict=True)
        }
    )


def by_duckdb(node: Node, table: Table) -> list[bool]:
    with session() as open_:
        open_.register("events", table.to_arrow())
        answer = open_.table(f"SELECT ({to_sql(node)}) AS hit FROM events")
    return [value is True for value in answer.column(0).to_pylist()]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, st.lists(trees, min_size=1, max_size=3))
def test_kernel_equals_duckdb(lines, nodes):
    table = made(lines)
    bits = evaluate(nodes, table)
    for place, node in enumerate(nodes):
        assert bits.mask(place).tolist() == by_duckdb(node, table), to_sql(node)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 77])
def test_block_edges(count):
    rng = np.random.default_rng(count)
    values = rng.integers(0, 10, count)
    table = Table.from_columns({"i": from_arrow(pa.array(values), name="i")})
    node = Not(simple("i", ">", (4,)))
    bits = evaluate([node, simple("i", "in", (1, 2))], table)
    assert bits.mask(0).tolist() == (values <= 4).tolist()
    assert bits.count().tolist() == [int((values <= 4).sum()), int(np.isin(values, [1, 2]).sum())]
    assert bits.positions(1).tolist() == np.flatnonzero(np.isin(values, [1, 2])).tolist()


@given(st.lists(st.lists(st.booleans(), min_size=70, max_size=70), min_size=1, max_size=6), st.randoms())
def test_bit_questions_equal_sets(masks, random):
    lines = np.stack([pack(np.array(mask)) for mask in masks])
    sets = [set(np.flatnonzero(mask)) for mask in masks]
    assert [set(positions(line)) for line in lines] == sets
    ones = {row for row in range(70) if sum(row in s for s in sets) == 1}
    assert set(positions(hit_by_one(lines))) == ones
    order = list(range(len(sets)))
    random.shuffle(order)
    seen: set[int] = set()
    credit = first_hits(lines, order)
    for place in order:
        assert set(positions(credit[place])) == sets[place] - seen
        seen |= sets[place]
    assert unpack(lines[0], 70).tolist() == masks[0]
    assert Bits(lines, 70).count().tolist() == [len(s) for s in sets]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**58), 2**58)), max_size=15))
def test_cell_sums_are_exact(pairs):
    cells = np.array([cell for cell, _ in pairs], dtype=np.intp)
    values = np.array([value for _, value in pairs], dtype=np.int64)
    expected = [sum(value for cell, value in pairs if cell == k) for k in range(4)]
    assert cell_sums(cells, values, 4).tolist() == expected
