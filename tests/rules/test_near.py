"""A near miss is what flipping one part of a condition, event by event, says it is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import KINDS, Row, atom_truth, conditions, rows, table_of, truth

import riskbench as rb
from riskbench.data.dataset import Dataset
from riskbench.engine.tree import And, Atom, Node, Not, Or, atoms
from riskbench.errors import RuleError
from riskbench.rules.hits import apply
from riskbench.rules.near import loosened, near_misses


def flipped(node: Node, part: Atom, row: Row, *, to: bool) -> bool | None:
    """Return what a condition would say of a row with one part settled, slowly."""
    if isinstance(node, Atom):
        return to if node.sql == part.sql else atom_truth(node, row)
    if isinstance(node, Not):
        inner = flipped(node.part, part, row, to=to)
        return None if inner is None else not inner
    if isinstance(node, And | Or):
        told = [flipped(inner, part, row, to=to) for inner in node.parts]
        first, rest = (False, True) if isinstance(node, And) else (True, False)
        return first if first in told else None if None in told else rest
    return truth(node, row)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conditions(), rows(most=8))
def test_near_misses_equal_flipping_one_part_at_a_time(condition, found):
    assume(found)
    dataset = Dataset(table=table_of(found), roles=rb.Roles(id="country"))
    rule = rb.Rule("R", condition.text, "review")
    try:
        node = rule.bind(KINDS)
    except RuleError:
        assume(False)
    parts = {atom.sql: atom for atom in atoms(node)}
    assume(all(atom.shape is not None for atom in parts.values()))
    wanted: dict[str, tuple[list[bool], list[bool]]] = {}
    for sql, part in parts.items():
        for to, name in ((True, sql), (False, f"NOT {sql}")):
            missed, unknown = [], []
            for row in found:
                kept_off = truth(node, row) is not True and flipped(node, part, row, to=to) is True
                is_now = atom_truth(part, row)
                missed.append(kept_off and is_now is (not to))
                unknown.append(kept_off and is_now is None)
            if any(missed) or any(unknown):
                wanted[name] = (missed, unknown)
    told = {miss.part: (miss.missed.tolist(), miss.unknown.tolist()) for miss in near_misses(rule, dataset)}
    assert told == wanted


values = st.lists(st.none() | st.floats(-1e6, 1e6) | st.integers(-50, 50).map(float), min_size=1, max_size=30)


@settings(max_examples=200, deadline=None)
@given(values, st.sampled_from([">", ">=", "<", "<="]), st.booleans(), st.sampled_from([0.5, 0.9, 1.0]))
def test_the_cut_told_catches_as_many_as_it_says(found, op, whole, wanted):
    kind = "Int64" if whole else "Float64"
    held = [None if v is None else int(v) if whole else v for v in found]
    frame = pd.DataFrame({"id": range(len(held)), "amount": pd.array(held, dtype=kind), "pay": "cod"})
    dataset = rb.read(frame, roles=rb.Roles(id="id"))
    limit = 2e6 if op in (">", ">=") else -2e6
    rule = rb.Rule("R", f"amount {op} :limit AND pay = 'cod'", "review", params={"limit": limit})
    told = {miss.param: miss for miss in near_misses(rule, dataset)}
    missed = int(sum(v is not None for v in held))
    assert int(told["limit"].missed.sum()) == missed
    assert int(told["limit"].unknown.sum()) == len(held) - missed
    cut = told["limit"].cut_for(wanted)
    if not missed:
        assert cut is None
        return
    moved = rule.with_params({"limit": cut})
    assert int(apply([moved], dataset).count()[0]) >= math.ceil(wanted * missed)
    exact = sorted((v for v in held if v is not None), reverse=op in (">", ">="))[math.ceil(wanted * missed) - 1]
    gap = abs(cut - exact)
    assert gap <= max(1.0 if whole else 1e-6, 0.011 * abs(exact)), "no looser than three digits need"


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([">=", "<="]))
def test_a_loosened_cut_is_met(value, op):
    cut = loosened(value, op, whole=False)
    assert value >= cut if op == ">=" else value <= cut


def test_a_region_is_held_against_its_own_parameter():
    frame = pd.DataFrame({"id": range(4), "amount": [90.0, 90.0, 40.0, 140.0], "land": ["ID", "SG", "SG", "SG"]})
    dataset = rb.read(frame, roles=rb.Roles(id="id", region="land"))
    rule = rb.Rule("R", "amount > :limit", "review", params={"limit": 50}, regions={"SG": {"limit": 150}})
    (miss,) = near_misses(rule, dataset)
    assert miss.missed.tolist() == [False, True, True, True]
    assert miss.gap[1:].tolist() == [60.0, 110.0, 10.0]
    assert miss.share[1:] == pytest.approx([0.4, 110 / 150, 1 / 15])
    assert miss.cut == 50.0
    assert np.isnan(miss.gap[0])


def test_what_must_be_false_is_told_the_other_way_round():
    frame = pd.DataFrame({"id": range(3), "amount": [10.0, 60.0, None], "pay": ["cod", "cod", "cod"]})
    dataset = rb.read(frame, roles=rb.Roles(id="id"))
    rule = rb.Rule("R", "NOT (amount >= :limit OR pay = 'card')", "review", params={"limit": 50})
    (miss,) = near_misses(rule, dataset)
    assert miss.op == "<"
    assert miss.missed.tolist() == [False, True, False]
    assert miss.unknown.tolist() == [False, False, True]
    assert miss.cut_for(1.0) > 60
