"""The signature table equals a slow recount, and what it decides equals the book's own decisions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riskbench as rb
from riskbench.engine.bits import Bits, pack
from riskbench.engine.patterns import patterns
from riskbench.rules.decisions import Setting, decide_all
from riskbench.rules.signature import signatures
from riskbench.rules.simulation import Simulation

# Compiled once here, so that no drawn example waits for it.
patterns(np.ones((1, 1), dtype=np.uint64), 1, np.ones(1, dtype=np.uint64))

OUTCOMES = ("approve", "challenge", "review", "block")


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    rows = draw(st.integers(0, 40))
    numbers = st.integers(0, 6)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "x": draw(st.lists(st.one_of(st.none(), numbers), min_size=rows, max_size=rows)),
            "amount": [float(v) for v in draw(st.lists(st.integers(0, 10**9), min_size=rows, max_size=rows))],
            "fraud": draw(st.lists(st.one_of(st.none(), st.integers(0, 1)), min_size=rows, max_size=rows)),
        }
    ).astype({"x": "Int64", "fraud": "Int64"})
    ops = st.sampled_from(["x >= {}", "x < {}", "x = {}", "NOT x > {}", "x IS NULL OR x > {}"])
    rules = tuple(
        rb.Rule(
            f"R{k}",
            draw(ops).format(draw(numbers)),
            draw(st.sampled_from(OUTCOMES)),
            priority=draw(st.integers(0, 3)),
            status=draw(st.sampled_from(["live", "live", "draft", "shadow"])),
        )
        for k in range(draw(st.integers(0, 6)))
    )
    book = rb.RuleBook(name="b", domain="transactions", rules=rules)
    data = rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud"))
    return rb.simulate(book, data)


@given(simulations())
def test_each_event_lies_in_the_pattern_of_exactly_the_rules_that_hit_it(held: Simulation) -> None:
    table = signatures(held.hits)
    masks = [held.hits.bits.mask(place) for place in range(len(held.book.rules))]
    for row in range(held.events):
        assert table.members(int(table.pattern[row])).tolist() == [k for k, mask in enumerate(masks) if mask[row]]
    seen = {tuple(table.members(p).tolist()) for p in range(len(table))}
    assert len(seen) == len(table)


@given(simulations())
def test_cells_are_exact(held: Simulation) -> None:
    table = signatures(held.hits)
    kinds = np.minimum(held.hits.labels.state, 2)
    for p in range(len(table)):
        for kind in range(3):
            rows = np.flatnonzero((table.pattern == p) & (kinds == kind))
            assert table.cells.count[p, kind] == len(rows)
            assert table.cells.value[p, kind] == sum(int(v) for v in held.hits.worth.value[rows])


@given(simulations())
def test_a_books_own_setting_decides_what_the_book_decides(held: Simulation) -> None:
    table = signatures(held.hits)
    decided = decide_all(table, Setting.of(held.book))
    assert (decided.rule[table.pattern] == held.hits.resolution.rule).all()
    assert (decided.level[table.pattern] == held.hits.resolution.level).all()


@given(simulations())
def test_the_next_rule_is_the_one_that_decides_without_the_first(held: Simulation) -> None:
    table = signatures(held.hits)
    decided = decide_all(table, Setting.of(held.book))
    for place, rule in enumerate(held.book.rules):
        rest = rb.simulate(held.book.without(rule.id), held.hits.dataset).hits.resolution
        own = decided.rule[table.pattern] == place
        assert (decided.next_level[table.pattern][own] == rest.level[own]).all()


def test_many_lines_and_events_are_told_apart_as_by_a_dictionary() -> None:
    rng = np.random.default_rng(3)
    for lines, rows, share in ((70, 20_000, 0.02), (5, 9_000, 0.5), (300, 3_000, 0.3), (1, 65, 0.0)):
        hit = rng.random((lines, rows)) < share
        bits = Bits(np.stack([pack(line) for line in hit]), rows)
        code, starts, held = patterns(bits.words, rows, rng.integers(1, 2**63, lines, dtype=np.uint64))
        known: dict[bytes, int] = {bytes(lines): 0}
        for row in range(rows):
            assert code[row] == known.setdefault(hit[:, row].tobytes(), len(known))
        assert len(starts) == len(known) + 1
        for told, number in known.items():
            assert (
                held[starts[number] : starts[number + 1]].tolist() == np.flatnonzero(np.frombuffer(told, bool)).tolist()
            )


def test_a_setting_refuses_a_rule_that_is_not_there_or_both_on_and_off() -> None:
    book = rb.RuleBook(name="b", domain="transactions", rules=(rb.Rule("TX-1", "x > 1", "review", status="live"),))
    with pytest.raises(rb.RuleError, match="TX-1"):
        Setting.of(book).changed(book, off=["TX-2"])
    with pytest.raises(rb.RuleError, match="both on and off"):
        Setting.of(book).changed(book, off=["TX-1"], on=["TX-1"])
