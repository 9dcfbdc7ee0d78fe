"""A bound condition means what its text says: plain Python, the tree, and DuckDB agree on every row."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.engine.bind import bind
from riskbench.engine.parse import parse
from riskbench.engine.tree import atoms, to_sql
from tests.strategies import KINDS, conditions, rows, table_of, truth


@settings(max_examples=150, deadline=None)
@given(found=rows(), held=st.lists(conditions(), min_size=1, max_size=4))
def test_python_tree_and_duckdb_agree(duck, found, held):
    nodes = [bind(parse(condition.text), KINDS) for condition in held]
    duck.register("events", table_of(found).to_arrow())
    chosen = ", ".join(f"({to_sql(node)}) AS c{place}" for place, node in enumerate(nodes))
    answer = duck.table(f"SELECT {chosen} FROM events")
    for place, (condition, node) in enumerate(zip(held, nodes, strict=True)):
        expected = [condition.meaning(row) for row in found]
        assert answer.column(place).to_pylist() == expected, condition.text
        if all(atom.shape is not None for atom in atoms(node)):
            assert [truth(node, row) for row in found] == expected, condition.text


@settings(max_examples=60, deadline=None)
@given(condition=conditions())
def test_equal_meaning_has_equal_text_whatever_the_blanks(condition):
    first = bind(parse(condition.text), KINDS)
    assert bind(parse("\n  " + condition.text.replace(" AND ", "\n AND  ") + " "), KINDS) == first
