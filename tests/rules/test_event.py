"""One event, rule by rule: what a slow reading of every condition says, and what `simulate` decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from oracle import LADDER, PlainRule, decision
from strategies import conditions, rows, table_of

import riskbench as rb
from riskbench.data.dataset import Dataset
from riskbench.errors import ParameterError, RuleError

WORD = {True: "yes", False: "no", None: "unknown"}


@st.composite
def books(draw):
    held = draw(st.lists(conditions(most=5), min_size=1, max_size=4))
    return [
        (
            condition,
            PlainRule(
                f"R{place}",
                condition.meaning,
                draw(st.sampled_from(list(LADDER))),
                draw(st.integers(1, 3)),
                draw(st.sampled_from(["live", "live", "shadow"])),
            ),
        )
        for place, condition in enumerate(held)
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books(), rows(most=4))
def test_every_rule_and_the_decision_equal_a_slow_reading(held, found):
    assume(found)
    table = table_of(found).with_columns({"id": _numbers(len(found))})
    dataset = Dataset(table=table, roles=rb.Roles(id="id"))
    plain = [rule for _, rule in held]
    rules = tuple(
        rb.Rule(rule.id, condition.text, rule.outcome, priority=rule.priority, status=rule.status)
        for condition, rule in held
    )
    book = rb.RuleBook(name="b", domain="transactions", rules=rules)
    try:
        simulated = rb.simulate(book, dataset)
    except RuleError:
        assume(False)
    for place, event in enumerate(found):
        told = rb.explain_event(book, dataset, id=place)
        outcome, decider = decision(plain, event)
        assert (told.outcome, told.decided_by) == (outcome, decider)
        at = int(simulated.hits.resolution.rule[place])
        assert told.decided_by == (book.rules[at].id if at >= 0 else None)
        lines = told.frame().set_index("rule")
        for rule in plain:
            answer = rule.test(event)
            assert lines.loc[rule.id, "hits"] == WORD[answer], "three-valued, under AND, OR and NOT"
            own = told.frame("conditions").query("rule == @rule.id")["answer"]
            if answer is True:
                assert lines.loc[rule.id, "failing"] == ""
            else:
                assert lines.loc[rule.id, "failing_conditions"] >= 1
                assert (own != "pass").sum() >= lines.loc[rule.id, "failing_conditions"]
        without = rb.explain_event(book.without(decider), dataset, id=place) if decider else None
        if without is not None:
            assert (told.next_outcome, told.next_rule) == (without.outcome, without.decided_by)


def _numbers(count):
    from riskbench.engine.columns import from_numpy

    return from_numpy(np.arange(count))


@pytest.fixture(scope="module")
def events():
    frame = pd.DataFrame(
        {
            "order": ["a", "b", "c", "c"],
            "at": pd.to_datetime(["2026-01-01 00:00", "2026-01-01 00:30", "2026-01-02 00:00", "2026-01-03 00:00"]),
            "amount": [450.0, 900.0, None, 1.0],
            "fee": [10.0, 0.0, 5.0, 1.0],
            "pay": ["cod", "it's", "card", "cod"],
            "land": ["ID", "SG", None, "SG"],
            "device_id": ["d-secret-1", "d-secret-1", "d2", "d2"],
        }
    )
    return rb.read(frame, roles=rb.Roles(id="order", time="at", region="land", entities=("device_id",)))


def book(*rules, features="{}"):
    lines = "\n".join(f"  - {rule}" for rule in rules)
    return rb.RuleBook.from_yaml(f"book: b\ndomain: transactions\nfeatures: {features}\nrules:\n{lines}\n")


LIMIT = (
    "{id: A, when: 'amount > :limit', params: {limit: 500}, regions: {SG: {limit: 1000}}, "
    "outcome: review, status: live}"
)


def test_a_region_has_its_own_values(events):
    told = rb.explain_event(book(LIMIT), events, id="b").frame("conditions").iloc[0]
    assert (told["condition"], told["expected"]) == ("amount > :limit", "amount > 1000")
    assert (told["answer"], told["distance"], told["share"]) == ("fail", 100.0, 0.1)
    told = rb.explain_event(book(LIMIT), events, id="a").frame("conditions").iloc[0]
    assert (told["expected"], told["distance"], told["told"]) == ("amount > 500", 50.0, "50 below")


@pytest.mark.parametrize(
    ("when", "distance", "told"),
    [
        ("amount BETWEEN 460 AND 470", 10.0, "10 below"),
        ("amount NOT BETWEEN 400 AND 460", 10.0, "10 inside"),
        ("NOT (amount > 400 OR fee > 5)", 50.0, "50 above"),
        ("amount IN (448, 500)", 2.0, "2 from the nearest value"),
        ("amount = 455", 5.0, "5 below"),
        ("amount > 450", 0.0, "exactly at the cut"),
        ("amount / fee > 50", 5.0, "5 below"),
        ("amount < fee", 440.0, "440 above"),
        ("500 < amount", 50.0, "50 below"),
        ("at > '2026-01-02 02:03'", 93_780.0, "1 d 2 h below"),
        ("pay = 'card'", None, "not equal"),
        ("pay IN ('card', 'wallet')", None, "not in the list"),
        ("pay <> 'cod'", None, "equal"),
        ("pay NOT IN ('cod')", None, "in the list"),
        ("pay IS NULL", None, "is not so"),
        ("amount <> 450", None, "equal"),
        ("starts_with(pay, 'x')", None, "is not so"),
    ],
)
def test_how_far_off_a_condition_is(events, when, distance, told):
    rule = rb.Rule("A", when, "review", status="live")
    made = rb.explain_event(rb.RuleBook(name="b", domain="transactions", rules=(rule,)), events, id="a")
    line = made.frame("conditions").iloc[0]
    assert line["answer"] == "fail"
    assert line["told"] == told
    assert line["distance"] == distance if distance is not None else np.isnan(line["distance"])


def test_of_several_ways_the_easiest_is_named(events):
    rule = rb.Rule("A", "(amount > 5000 AND fee > 500) OR amount > 460 OR pay = 'card'", "block", status="live")
    told = rb.explain_event(rb.RuleBook(name="b", domain="transactions", rules=(rule,)), events, id="a").frame()
    assert told["failing"].tolist() == ["amount > 460"]
    both = rb.Rule("A", "amount > 5000 AND fee > 50", "block", status="live")
    told = rb.explain_event(rb.RuleBook(name="b", domain="transactions", rules=(both,)), events, id="a").frame()
    assert told["failing"].tolist() == ["amount > 5000; fee > 50"]
    assert np.isnan(told["nearest_distance"].iloc[0])
    assert told["nearest_share"].iloc[0] == pytest.approx(0.91)


def test_pre_empted_rules_and_what_would_decide_without(events):
    held = book(
        "{id: A, when: 'amount > 1', outcome: review, priority: 20, status: live}",
        "{id: B, when: 'amount > 2', outcome: block, priority: 10, status: live}",
        "{id: C, when: 'amount > 3', outcome: block, priority: 1, status: shadow}",
    )
    told = rb.explain_event(held, events, id="a")
    assert (told.outcome, told.decided_by, told.next_outcome, told.next_rule) == ("block", "B", "review", "A")
    frame = told.frame().set_index("rule")
    assert frame["pre_empted"].to_dict() == {"A": True, "B": False, "C": False}
    assert frame.index[0] == "B"


def test_a_missing_value_is_unknown_and_no_hit(events):
    with pytest.raises(ParameterError, match="2 events bear the id 'c'"):
        rb.explain_event(book(LIMIT), events, id="c")
    alone = events.take(np.array([2]))
    told = rb.explain_event(book(LIMIT), alone, id="c")
    assert told.frame()["hits"].tolist() == ["unknown"]
    assert told.frame("conditions")["actual"].tolist() == ["(missing)"]
    assert told.decided_by is None


def test_ids_and_entities_are_not_shown(events):
    held = book(
        "{id: A, outcome: block, status: live, "
        "when: \"device_id IN ('d-secret-1', 'd-secret-9') AND left(device_id, 3) = 'd-s'\"}",
        "{id: B, when: \"order = 'secret-order'\", outcome: block, status: live}",
        "{id: C, when: 'seen > 0', outcome: review, status: live}",
        features="{seen: {count: '*', by: device_id, window: 1h}}",
    )
    told = rb.explain_event(held, events, id="b")
    text = told._repr_html_() + str(told.to_dict())
    assert "secret" not in text
    frame = told.frame("conditions")
    assert frame["actual"].tolist()[:3] == ["(hidden, matches)"] * 2 + ["(hidden, does not match)"]
    assert frame["actual"].tolist()[3] == "1", "velocity features are computed on the way, from all events"


def test_a_wrong_id_is_answered_with_the_nearest(events):
    frame = pd.DataFrame({"id": ["ORD-1001", "ORD-1002"], "x": [1, 2]})
    held = rb.RuleBook(name="b", domain="transactions", rules=(rb.Rule("A", "x > 1", "review"),))
    dataset = rb.read(frame, roles=rb.Roles(id="id"))
    with pytest.raises(ParameterError, match="did you mean 'ORD-1001'"):
        rb.explain_event(held, dataset, id="ORD-1O01")
    with pytest.raises(ParameterError, match="later than the as-of moment"):
        rb.explain_event(book(LIMIT), events.take(np.array([0, 1])), id="b", asof="2026-01-01 00:10")
    numbers = rb.read(pd.DataFrame({"id": [7, 2**62], "x": [1, 2]}), roles=rb.Roles(id="id"))
    assert rb.explain_event(held, numbers, id=str(2**62)).event == str(2**62)
    for odd in (None, float("nan"), 7.5, "7.0", True, "", b"7", 10**30):
        with pytest.raises(ParameterError, match="There is no event"):
            rb.explain_event(held, numbers, id=odd)


def test_a_book_without_rules_decides_nothing(events):
    told = rb.explain_event(rb.RuleBook(name="b", domain="transactions"), events, id="a")
    assert (told.outcome, told.decided_by, len(told.frame()), len(told.frame("conditions"))) == ("approve", None, 0, 0)


def test_columns_that_differ_in_capitals_are_two():
    frame = pd.DataFrame({"id": [1, 2], "Amount": [1.0, 5.0], "amount": [2.0, 2.0]})
    held = rb.RuleBook(
        name="b", domain="transactions", rules=(rb.Rule("A", "Amount > amount", "review", status="live"),)
    )
    dataset = rb.read(frame, roles=rb.Roles(id="id"))
    assert rb.simulate(held, dataset).hits.bits.mask(0).tolist() == [False, True]
    assert rb.explain_event(held, dataset, id=1).frame("conditions")["distance"].tolist() == [1.0]
