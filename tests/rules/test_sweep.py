"""A sweep says, for every cut at once, what simulating that cut would say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.outcomes import ladder
from riskbench.errors import ParameterError, RiskbenchError, RuleError
from riskbench.metrics.curve import hit_at
from riskbench.rules.settings import spaced_settings
from riskbench.rules.sweep import GRID, sweep_param, sweep_score

OPS = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}
SHAPES = [
    "amount > :limit",
    "amount >= :limit AND country = 'ID'",
    "NOT amount < :limit",
    "country = 'BR' OR amount > :limit",
    "NOT (country = 'ID' AND amount > :limit)",
    "amount <= :limit AND (country IS NULL OR score > 0.5)",
    ":limit < amount",
    "amount > :limit OR amount IS NULL",
]
event_sets = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.none() | st.integers(0, 12).map(float),
            "country": st.sampled_from([None, "ID", "BR"]),
            "score": st.none() | st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.9]),
        }
    ),
    min_size=1,
    max_size=30,
)


def dataset_of(events: list[dict]) -> rb.Dataset:
    frame = pd.DataFrame(
        {
            "id": range(len(events)),
            "amount": pd.array([e["amount"] for e in events], dtype="Float64"),
            "country": pd.array([e["country"] for e in events], dtype="string"),
            "score": pd.array([e["score"] for e in events], dtype="Float64"),
        }
    )
    return rb.read(frame, roles=rb.Roles(id="id", amount="amount", region="country", score="score"))


def book_of(shape: str, *, priority: int, outcome: str, regions: dict | None = None) -> rb.RuleBook:
    return (
        rb.RuleBook(
            name="swept",
            domain="transactions",
            rules=(
                rb.Rule(id="A", when="score > 0.4", outcome="challenge", priority=10),
                rb.Rule(
                    id="S", when=shape, outcome=outcome, priority=priority, params={"limit": 5.0}, regions=regions or {}
                ),
                rb.Rule(id="B", when="country = 'BR'", outcome="block", priority=30),
                rb.Rule(id="W", when="amount = 7", outcome="approve", priority=5),
                rb.Rule(id="D", when="amount > 0", outcome="block", priority=1, status="draft"),
            ),
        )
        .with_status("A", "live")
        .with_status("S", "live")
        .with_status("B", "live")
        .with_status("W", "live")
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    event_sets, st.sampled_from(SHAPES), st.sampled_from([1, 20, 40]), st.sampled_from(["review", "approve", "block"])
)
def test_every_cut_of_a_parameter_equals_its_simulation(events, shape, priority, outcome):
    dataset = dataset_of(events)
    book = book_of(shape, priority=priority, outcome=outcome, regions={"ID": {"limit": 2.0}})
    swept = sweep_param(book, dataset, rule_param="S.limit")
    plain = book_of(shape, priority=priority, outcome=outcome)
    for cut in [-1.0, 0.0, 3.0, 5.0, 7.0, 12.0, 13.0]:
        found = rb.simulate(plain.with_params({"S": {"limit": cut}}), dataset)
        with np.errstate(invalid="ignore"):
            hit = swept.always | (~swept.never & OPS[swept.op](swept.value, cut))
        assert found.hits.bits.mask(1).tolist() == hit.tolist()
        assert found.hits.resolution.level.tolist() == np.where(hit, swept.hit, swept.base).tolist()
    assert swept.default == 5.0


EXPRESSIONS = ["amount * 2 >= :limit", "NOT (amount / score < :limit) OR country = 'BR'", ":limit > amount + score"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event_sets, st.sampled_from(EXPRESSIONS))
def test_every_cut_of_an_expression_equals_its_simulation(events, shape):
    dataset, book = dataset_of(events), book_of(shape, priority=20, outcome="review")
    swept = sweep_param(book, dataset, rule_param="S.limit")
    assert not swept.gridded
    for cut in [-1.0, 0.0, 0.4, 5.0, 7.5, 24.0]:
        found = rb.simulate(book.with_params({"S": {"limit": cut}}), dataset)
        hit = swept.always | (~swept.never & hit_at(swept.value, swept.op, cut))
        assert np.where(hit, swept.hit, swept.base).tolist() == found.hits.resolution.level.tolist()


GRIDDED = [
    "amount > 2 * :limit",
    "amount > :limit AND score * 10 > :limit",
    "amount * :limit < 30 AND country = 'ID'",
    "NOT amount < score * :limit",
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event_sets, st.sampled_from(GRIDDED))
def test_every_setting_of_a_grid_equals_its_simulation(events, shape):
    dataset, book = dataset_of(events), book_of(shape, priority=20, outcome="review")
    swept = sweep_param(book, dataset, rule_param="S.limit")
    assert swept.gridded
    for cut in spaced_settings(book.rule("S").params["limit"], size=GRID)[::37]:
        found = rb.simulate(book.with_params({"S": {"limit": float(cut)}}), dataset)
        hit = swept.always | (~swept.never & hit_at(swept.value, swept.op, cut))
        assert np.where(hit, swept.hit, swept.base).tolist() == found.hits.resolution.level.tolist()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event_sets)
def test_a_score_cut_acts_where_no_live_rule_decides(events):
    dataset = dataset_of(events)
    book = book_of("amount > :limit", priority=20, outcome="review")
    swept = sweep_score(book, dataset, score="score", outcome="block")
    level = ladder("transactions").level("block")
    for cut in (0.0, 0.2, 0.5, 1.0):
        rule = rb.Rule(
            id="CUT", when="score >= :cut", params={"cut": cut}, outcome="block", priority=10_000, status="live"
        )
        found = rb.simulate(book.with_rule(rule), dataset)
        with np.errstate(invalid="ignore"):
            hit = ~swept.never & (swept.value >= cut)
        assert found.hits.resolution.level.tolist() == np.where(hit, swept.hit, swept.base).tolist()
    assert set(swept.hit[swept.base != swept.hit]) <= {level}


def test_what_cannot_be_swept_says_why():
    dataset = dataset_of([{"amount": 1.0, "country": "ID", "score": 0.5}])
    book = book_of("amount > :limit", priority=1, outcome="review")
    both_ways = book_of(
        "(country = 'ID' AND amount > :limit) OR (country = 'BR' AND NOT amount > :limit)", priority=1, outcome="review"
    )
    wide = dataset_of([{"amount": 1.0, "country": c, "score": 0.5} for c in ("ID", "BR")])
    with pytest.raises(RuleError, match="both ways") as wrong:
        sweep_param(both_ways, wide, rule_param="S.limit")
    assert 'rb.surface(book, events, params="S.limit")' in str(wrong.value)
    with pytest.raises(RuleError, match="both ways"):
        sweep_param(
            book_of("abs(amount - :limit) < 2", priority=1, outcome="review"),
            dataset_of([{"amount": 5.0, "country": None, "score": 0.5}]),
            rule_param="S.limit",
        )
    for wrong in ("S.limt", "X.limit", "S"):
        with pytest.raises(ParameterError, match=r"S\.limit|limit"):
            sweep_param(book, dataset, rule_param=wrong)
    with pytest.raises(RiskbenchError, match="holds no numbers"):
        sweep_score(book, dataset, score="country")
