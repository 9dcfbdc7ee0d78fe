"""Does each event that flips name the rule and the condition that flipped it?"""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.outcomes import ladder
from riskbench.rules.comparison import flips

BOOK = """
book: b
domain: transactions
lists: {blocked: [a, b, c, d, e, f, g]}
rules:
  - {id: A, when: "amount > :cut AND land = :home", params: {cut: 5, home: ID}, outcome: review, priority: 10,
     status: live, regions: {BR: {cut: 2, home: BR}}}
  - {id: B, when: "buyer IN :blocked", outcome: block, priority: 20, status: live}
  - {id: C, when: amount > 8, outcome: challenge, priority: 30, status: live}
  - {id: D, when: amount > 7, outcome: block, priority: 40, status: shadow}
"""
EVENTS = pd.DataFrame(
    {
        "id": ["e0", "e1", "e2", "e3", "e4", "e5"],
        "amount": [4.0, 9.0, 3.0, 7.5, 9.5, None],
        "land": ["ID", "ID", "BR", "日本", "日本", "ID"],
        "buyer": ["z", "a", "z", "z", "g", "ü"],
    }
)


@pytest.fixture(scope="module")
def data() -> rb.Dataset:
    return rb.read(EVENTS, roles=rb.Roles(id="id", amount="amount", region="land"))


@pytest.fixture(scope="module")
def book() -> rb.RuleBook:
    return rb.RuleBook.from_yaml(BOOK)


def _told(old: rb.RuleBook, new: rb.RuleBook, data: rb.Dataset) -> dict[str, tuple[str, str, str]]:
    table = rb.compare(rb.simulate(old, data), rb.simulate(new, data)).frame("events")
    return {row.id: (f"{row.before} {row.after}", row.rule, row.condition) for row in table.itertuples()}


def test_a_parameter_names_the_part_that_changed_only(book, data):
    told = _told(book, book.with_params({"A": {"cut": 3}}), data)
    assert told == {"e0": ("approve review", "A", "amount > 5 → amount > 3")}


def test_a_regions_own_value_is_told_where_it_holds(book, data):
    told = _told(book, book.with_region_params("A", {"BR": {"cut": 6}}), data)
    assert told == {"e2": ("review approve", "A", "amount > 2 → amount > 6")}


def test_a_word_of_any_script_is_told(book, data):
    told = _told(book, book.with_params({"A": {"home": "日本"}}), data)
    assert told["e4"] == ("block review", "A", "land = 'ID' → land = '日本'")
    assert told["e3"] == ("approve review", "A", "land = 'ID' → land = '日本'")
    assert told["e1"] == ("review block", "A", "land = 'ID' → land = '日本'")


def test_status_priority_and_outcome_are_told(book, data):
    told = _told(book, book.with_status("D", "live"), data)
    assert told == {"e3": ("approve block", "D", "status shadow → live")}
    told = _told(book, book.with_status("A", "draft"), data)
    assert told["e1"] == ("review block", "A", "status live → draft")
    rule = book.rule("B")
    told = _told(book, book.with_rule(rb.Rule(rule.id, rule.when, "block", priority=5, status="live")), data)
    assert told == {"e1": ("review block", "B", "priority 20 → 5 (now before A)")}
    told = _told(book, book.with_rule(rb.Rule(rule.id, rule.when, "challenge", priority=20, status="live")), data)
    assert told == {"e4": ("block challenge", "B", "outcome block → challenge")}


def test_added_and_removed_rules_are_told_with_their_condition(book, data):
    told = _told(book, book.without("B"), data)
    assert told == {"e4": ("block challenge", "B", "rule removed: buyer IN :blocked")}
    more = book.with_rule(rb.Rule("N", "amount IS NULL", "review", priority=1, status="live"))
    assert _told(book, more, data) == {"e5": ("approve review", "N", "rule added: amount IS NULL")}
    assert _told(more, book, data) == {"e5": ("review approve", "N", "rule removed: amount IS NULL")}


def test_a_list_is_told_by_its_name_and_never_by_its_values(data):
    old = rb.RuleBook.from_yaml(BOOK)
    new = rb.RuleBook.from_yaml(BOOK.replace("[a, b, c, d, e, f, g]", "[a, b, c, d, e, f, z]"))
    told = _told(old, new, data)
    assert told["e4"] == ("block challenge", "B", "buyer IN :blocked (other values)")
    assert told["e0"] == ("approve block", "B", "buyer IN :blocked (other values)")


def test_parts_that_come_go_and_change_places_are_told(data):
    def book(when: str) -> rb.RuleBook:
        rule = rb.Rule("A", when, "review", status="live")
        return rb.RuleBook(name="b", domain="transactions", rules=(rule,))

    one, two = book("amount > 3"), book("land = 'ID' AND amount > 3")
    assert _told(one, two, data)["e3"] == ("review approve", "A", "now also asks land = 'ID'")
    assert _told(two, one, data)["e3"] == ("approve review", "A", "no longer asks land = 'ID'")
    assert _told(two, book("amount > 8 AND land = 'ID'"), data) == {
        "e0": ("review approve", "A", "amount > 3 → amount > 8")
    }


def test_a_rule_that_takes_over_by_two_changes_tells_both(book, data):
    new = book.with_status("A", "draft").with_rule(rb.Rule("B", "buyer = 'a'", "block", priority=50, status="live"))
    new = new.without("C")
    old = book.with_rule(rb.Rule("B", "buyer = 'q'", "block", priority=50, status="live")).without("C")
    told = _told(old, new, data)
    assert told["e1"] == ("review block", "B", "buyer = 'q' → buyer = 'a'; A: status live → draft")


def test_so_many_flips_are_listed_and_all_are_counted(book, data, monkeypatch):
    monkeypatch.setattr(flips, "MOST", 1)
    monkeypatch.setattr("riskbench.rules.comparison.page.MOST", 1)
    found = rb.compare(rb.simulate(book, data), rb.simulate(book.without("A").without("B"), data))
    assert found.flips == found.frame("swaps")["events"].sum() == 3
    assert len(found.frame("events")) == 1
    assert any("lists the first 1 of 3 flips" in note for note in found.notes)


OUTCOMES = ("approve", "challenge", "review", "block")
one_rule = st.tuples(
    st.sampled_from(["x > {}", "x < {}", "x = {} OR x IS NULL", "x >= {} AND y = 1", "NOT x > {}"]),
    st.integers(0, 5),
    st.sampled_from(OUTCOMES),
    st.integers(1, 3),
    st.sampled_from(["live", "live", "shadow"]),
)


def _rule(place: int, drawn) -> rb.Rule:
    text, number, outcome, priority, status = drawn
    return rb.Rule(f"R{place}", text.format(number), outcome, priority=priority, status=status)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(one_rule, min_size=1, max_size=5), one_rule, st.data())
def test_where_one_rule_changes_every_flip_names_it(drawn, other, draw):
    place = draw.draw(st.integers(0, len(drawn) - 1))
    old = [_rule(k, rule) for k, rule in enumerate(drawn)]
    new = list(old)
    if draw.draw(st.booleans()):
        new[place] = _rule(place, other)
    else:
        del new[place]
    frame = pd.DataFrame({"id": range(14), "x": pd.array([None, *range(6)] * 2, dtype="Int64"), "y": [0] * 7 + [1] * 7})
    data = rb.read(frame, roles=rb.Roles(id="id"))
    sides = [rb.RuleBook(name="b", domain="transactions", rules=tuple(rules)) for rules in (old, new)]
    for first, last in (sides, sides[::-1]):
        table = rb.compare(rb.simulate(first, data), rb.simulate(last, data)).frame("events")
        assert set(table["rule"]) <= {f"R{place}"}
        assert (table["condition"] != "").all()


def test_a_rival_that_stepped_back_is_the_cause_and_not_the_rule_that_decides_now():
    old = rb.RuleBook.from_yaml("""
book: b
domain: transactions
rules:
  - {id: X, when: "TRUE", outcome: challenge, priority: 5, status: live}
  - {id: R, when: "amount > :l", params: {l: 1168}, outcome: approve, priority: 10, status: live}
""")
    data = rb.read(pd.DataFrame({"id": ["a", "b"], "amount": [139.0, 500.0]}), roles=rb.Roles(id="id", amount="amount"))
    new = old.with_rule(rb.Rule("X", "TRUE", "approve", priority=20, status="live")).with_params({"R": {"l": 97}})
    why = ("challenge approve", "X", "priority 5 → 20, outcome challenge → approve (now after R)")
    assert _told(old, new, data) == {"a": why, "b": why}
    # Where the rival's step back alone would not make the flip, both are told.
    new = old.with_rule(rb.Rule("X", "TRUE", "challenge", priority=20, status="live")).with_params({"R": {"l": 97}})
    why = ("challenge approve", "R", "amount > 1168 → amount > 97; X: priority 5 → 20 (now after R)")
    assert _told(old, new, data) == {"a": why, "b": why}


def _outcomes(rules: list[rb.Rule | None], data: rb.Dataset) -> dict[int, str]:
    """The outcome of each event under the rules of some slots."""
    book = rb.RuleBook(name="b", domain="transactions", rules=tuple(rule for rule in rules if rule is not None))
    names, held = ladder("transactions").names, rb.simulate(book, data).hits
    return dict(enumerate(names[level] for level in held.resolution.level))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.none() | one_rule, st.none() | one_rule), min_size=1, max_size=4))
def test_the_rules_told_made_the_flip_or_were_needed_for_it(drawn):
    old, new = ([None if rule[k] is None else _rule(n, rule[k]) for n, rule in enumerate(drawn)] for k in (0, 1))
    frame = pd.DataFrame({"id": range(14), "x": pd.array([None, *range(6)] * 2, dtype="Int64"), "y": [0] * 7 + [1] * 7})
    data = rb.read(frame, roles=rb.Roles(id="id"))
    was, now = _outcomes(old, data), _outcomes(new, data)
    sides = [rb.RuleBook(name="b", domain="transactions", rules=tuple(filter(None, rules))) for rules in (old, new)]
    table = rb.compare(*(rb.simulate(book, data) for book in sides)).frame("events")
    assert set(table["id"]) == {k for k in was if was[k] != now[k]}
    for (rule, text), own in table.groupby(["rule", "condition"]):
        told = {int(rule[1:])} | {k for k in range(len(drawn)) if f"; R{k}: " in text}
        assert text, rule
        assert all(old[k] != new[k] for k in told), "only a rule that changes is told"
        only = _outcomes([new[k] if k in told else old[k] for k in range(len(drawn))], data)
        without = _outcomes([old[k] if k in told else new[k] for k in range(len(drawn))], data)
        for k in own["id"]:
            assert only[k] == now[k] or without[k] == was[k], (rule, text)
