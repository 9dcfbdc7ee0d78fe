"""What changes between two books is told by rule, and nothing is told only when nothing changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.engine.parse import conjuncts
from riskbench.rules.book import RuleBook
from riskbench.rules.changes import grouped, told
from riskbench.rules.deviation import Deviation
from riskbench.rules.lists import Mark, NamedList
from riskbench.rules.rule import Rule

BOOK = """
book: demo
domain: transactions
lists:
  bad: {values: [d1, d2, d3], kind: block, column: device_id}
features:
  f: {count: "*", by: device_id, window: 1h}
rules:
  - id: TX-1
    title: Big
    when: amount > :limit AND age < 2 AND f > 3
    params: {limit: {default: 500, min: 1}}
    outcome: review
    status: live
  - {id: TX-2, when: a > 1, outcome: block, status: live, references: [INC-1]}
  - {id: TX-3, when: a > 1 OR b, outcome: block, status: live}
  - {id: TX-4, when: b, outcome: block, status: live}
deviations:
  - {rule: TX-1, region: JKT, params: {limit: 9}, reason: payday, approver: ana, expires: 2027-01-01}
"""

CHANGES = [
    ("age < 2", "age < 3", ["TX-1: condition age < 2 -> age < 3"]),
    ("age < 2 AND f > 3", "f > 3 AND d AND c", ["condition removed: age < 2", "condition added: d", "added: c"]),
    ("age < 2 AND f > 3", "f > 3 AND age   <  2", ["TX-1: when amount > :limit AND age < 2 AND f > 3 -> amount"]),
    ("a > 1 OR b", "a > 1 OR c", ["TX-3: when a > 1 OR b -> a > 1 OR c"]),
    ("default: 500", "default: 800", ["TX-1: limit 500 -> 800"]),
    ("id: TX-2", "id: TX-9", ["TX-9: renamed, was TX-2"]),
    ("[INC-1]", "[INC-2]", ["TX-2: references added INC-2; removed INC-1"]),
    ("window: 1h", "window: 2h", ["feature f: window 1h -> 2h"]),
    ("d3]", "d4, d5]", ["list bad: 2 added", "list bad: 1 removed"]),
    ("[d1, d2", "[d2, d1", ["list bad: the order of the values changed"]),
    ("d3]", "{value: d3, owner: eva}]", ["list bad: 1 entry with another owner"]),
    ("column: device_id", "column: device_id, owner: ana, expires: 2026-12-31", ["owner none -> ana", "expires none"]),
    ("limit: 9}", "limit: 10}", ["TX-1: deviation of JKT: limit in JKT 9 -> 10"]),
    ("expires: 2027-01-01", "expires: 2027-02-01", ["TX-1: deviation of JKT: expires 2027-01-01 -> 2027-02-01"]),
    ("params: {limit: 9}", "off: true", ["JKT no longer deviates (limit 9)", "JKT deviates: off, until 2027-01-01"]),
    ("domain: transactions", "domain: transactions\nlocked: [status]", ["locked status"]),
    (
        "amount > :limit AND age < 2 AND f > 3\n",
        "amount > :limit AND age < 2 AND f > 3\n    off: [NO]\n",
        ["off in NO"],
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), CHANGES)
def test_each_change_is_told(old, new, said):
    assert old in BOOK
    before, after = RuleBook.from_yaml(BOOK), RuleBook.from_yaml(BOOK.replace(old, new, 1))
    found = before.diff(after)
    assert len(found) == len(said)
    for part, sentence in zip(said, found, strict=True):
        assert part in sentence
    assert after.diff(before)
    assert after.diff(after) == []


def test_values_of_lists_are_named_only_when_asked_for():
    before = RuleBook.from_yaml(BOOK)
    after = RuleBook.from_yaml(BOOK.replace("d3]", "d4, d5, d6, d7, d8, d9, {value: d1, owner: x}]"))
    assert not any("d4" in sentence for sentence in before.diff(after))
    assert "6 added (d4, d5, d6, d7, d8, and 1 more)" in grouped(
        told(before.to_mapping(), after.to_mapping(), values=True)
    )


def test_which_rules_moved():
    rules = RuleBook.from_yaml(BOOK)
    first = replace(rules, rules=(*rules.rules[1:], rules.rules[0]))
    assert rules.diff(first) == ["the order of the rules changed: TX-1 now after TX-4"]
    assert rules.diff(replace(rules, rules=tuple(reversed(rules.rules)))) == ["the order of the rules changed"]


def test_changes_stand_under_their_rule():
    before = RuleBook.from_yaml(BOOK)
    after = before.with_params({"TX-1": {"limit": 7}}).with_status("TX-1", "shadow").without("TX-4")
    text = grouped(told(before.to_mapping(), after.to_mapping()))
    assert text == "TX-4\n  removed\nTX-1  Big\n  status live -> shadow\n  limit 500 -> 7"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("a AND b", ["a", "b"]),
        ("a and (b OR c) And d", ["a", "(b OR c)", "d"]),
        ("a BETWEEN 1 AND 2 AND b NOT BETWEEN c AND d AND e", ["a BETWEEN 1 AND 2", "b NOT BETWEEN c AND d", "e"]),
        ("CASE WHEN a AND b THEN c ELSE d END AND e", ["CASE WHEN a AND b THEN c ELSE d END", "e"]),
        ("x = ' AND ' AND y = 'OR'", ["x = ' AND '", "y = 'OR'"]),
        ("a AND b OR c", ["a AND b OR c"]),
        ('"and" > 1 AND "OR"', ['"and" > 1', '"OR"']),
    ],
)
def test_what_and_joins(text, parts):
    assert conjuncts(text) == parts


rules = st.builds(
    Rule,
    st.sampled_from(["A", "B", "C"]),
    st.sampled_from(["a > :x AND b", "b AND a > :x", "a > :x", "a > :x OR b"]),
    st.sampled_from(["review", "block"]),
    params=st.fixed_dictionaries({"x": st.integers(1, 3)}),
    priority=st.integers(1, 2),
    regions=st.dictionaries(
        st.sampled_from(["JKT", "NO"]), st.fixed_dictionaries({"x": st.integers(1, 2)}), max_size=1
    ),
    title=st.sampled_from([None, "t"]),
    off=st.sampled_from([(), ("MES",)]),
    locked=st.sampled_from([(), ("when",)]),
)
lists = st.builds(
    NamedList,
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(tuple),
    kind=st.sampled_from([None, "allow", "block"]),
    owner=st.sampled_from([None, "ana"]),
    marks=st.sampled_from([(), (("a", Mark(owner="eva")),), (("a", Mark(expires="2026-01-01")),)]),
)
deviations = st.builds(
    lambda rule, limit, until: Deviation(
        rule,
        "SBY",
        params={"x": limit} if limit else {},
        off=not limit,
        reason="r",
        approver="a",
        expires=until,
    ),
    st.sampled_from(["A", "B"]),
    st.integers(0, 2),
    st.sampled_from(["2026-01-01", "2026-02-01"]),
)
books = st.builds(
    lambda held, named, own, locked: RuleBook(
        name="d", domain="transactions", rules=tuple(held), lists=named, deviations=tuple(own), locked=locked
    ),
    st.lists(rules, max_size=3, unique_by=lambda rule: rule.id),
    st.dictionaries(st.sampled_from(["l", "m"]), lists, max_size=2),
    st.lists(deviations, max_size=2, unique_by=lambda held: held.rule),
    st.sampled_from([(), ("outcome",)]),
)


@settings(max_examples=200, deadline=None)
@given(books, books)
def test_nothing_is_told_only_when_nothing_changes(before, after):
    assert (before.diff(after) == []) is (before == after)
    assert before.diff(before) == []
    if before == after:
        assert before.hash == after.hash


@settings(max_examples=60, deadline=None)
@given(books)
def test_a_book_reads_back_without_a_change(book):
    assert book.diff(RuleBook.from_yaml(book.to_yaml())) == []
