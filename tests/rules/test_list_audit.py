"""Lists that act by themselves, until they expire: what they cost is what two simulations differ by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, ParameterError, RuleError
from riskbench.rules.book import RuleBook
from riskbench.rules.force import in_force, list_rule
from riskbench.rules.lists import Mark, NamedList

COSTS = rb.Costs()
LEVELS = ("approve", "challenge", "review", "block")

BOOK = """
book: demo
domain: transactions
lists:
  vips: {kind: vip, column: buyer, values: [b1, {value: b2, expires: 2026-02-15, reason: trial}, gone], owner: ana,
         expires: 2026-12-31}
  bad: {kind: block, column: device, values: [d1, d2, "NO"], owner: ben}
  old: {kind: allow, column: buyer, values: [b9], owner: ben, expires: 2025-01-01}
  soft: {kind: block, column: device, values: [d3], outcome: review, priority: 30, expires: 2026-04-10}
  plain: [d4, d5]
rules:
  - {id: TX-1, when: "amount > :limit", params: {limit: 600}, outcome: review, priority: 20, status: live}
  - {id: TX-2, when: "amount > 800", outcome: block, priority: 10, status: live}
  - {id: TX-3, when: "device IN :plain AND amount > 300", outcome: challenge, priority: 40, status: live}
"""


def events(rows: int = 600, seed: int = 1) -> rb.Dataset:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 90 * 86_400, rows)), unit="s"),
            "amount": rng.integers(1, 1000, rows).astype(float),
            "buyer": rng.choice(["b1", "b2", "b3", "b9", None], rows),
            "device": rng.choice(["d1", "d2", "d3", "d4", "d6", "NO"], rows),
            "fraud": rng.choice([0, 1, None], rows, p=[0.6, 0.3, 0.1]),
        }
    )
    roles = rb.Roles(id="id", time="at", amount="amount", label="fraud", entities=["buyer"], segments=["device"])
    return rb.read(frame, roles=roles)


def oracle(book: RuleBook, without: RuleBook, dataset: rb.Dataset) -> dict[str, float]:
    """Return what a list changes, event by event in plain Python; the interval is that of comparing the two books."""
    before, after = (rb.simulate(held, dataset).hits for held in (without, book))
    told = dict.fromkeys(("flips", "frauds", "good", "unlabelled", "insults", "reviews"), 0)
    net, value = 0.0, 0.0
    amounts = dataset.frame(["amount"])["amount"].tolist()
    for was, now, state, amount in zip(
        before.resolution.level.tolist(), after.resolution.level.tolist(), before.labels.state, amounts, strict=True
    ):
        if was == now:
            continue
        kind = {0: "good", 1: "frauds"}.get(int(state), "unlabelled")
        told["flips"] += 1
        told[kind] += 1
        value += amount if kind == "frauds" else 0.0
        told["insults"] += ((now >= 2) - (was >= 2)) if kind == "good" else 0
        told["reviews"] += (now == 2) - (was == 2)
        worth = []
        for level in (was, now):
            effect = ("none", "friction", "review", "stop")[level]
            each = -COSTS.handling(effect)
            each += amount * COSTS.loss_share * COSTS.fraud_gain(effect) if kind == "frauds" else 0.0
            each -= amount * COSTS.margin * COSTS.good_cost(effect) if kind == "good" else 0.0
            worth.append(each)
        net += worth[1] - worth[0]
    # Who is named by a list is not drawn: as a comparison tells it where nobody says that buyers come together.
    named = any(held.column == "buyer" for name, held in book.lists.items() if held != without.lists.get(name))
    drawn = dataset.with_roles(entities=()) if named else dataset
    compared = rb.compare(rb.simulate(without, drawn), rb.simulate(book, drawn)).frame("changes")
    ends = compared.set_index("measure").loc["net value"]
    return {
        **told,
        "fraud_value": value,
        "net_value": net,
        "net_value_lower": ends["lower"],
        "net_value_upper": ends["upper"],
    }


def row(audit: rb.ListAudit, name: str) -> dict[str, object]:
    return audit.frame().set_index("list").loc[name].to_dict()


@pytest.fixture(scope="module")
def audited() -> rb.ListAudit:
    return rb.audit_lists(RuleBook.from_yaml(BOOK), events())


@pytest.mark.parametrize("name", ["vips", "bad", "old", "soft", "plain"])
def test_the_cost_is_what_two_simulations_differ_by(audited, name):
    book = RuleBook.from_yaml(BOOK)
    emptied = [] if book.lists[name].plain else {**book.lists[name].to_entry(), "values": []}
    told = oracle(book, book.with_list(name, emptied), events())
    found = row(audited, name)
    for column, value in told.items():
        if told["flips"] or not column.startswith("net_value"):
            assert found[column] == pytest.approx(value), column
    if not told["flips"]:
        assert np.isnan(found["net_value"])
        assert "no" in found["reading"]


def test_who_answers_and_until_when(audited):
    states = audited.frame().set_index("list")["state"].to_dict()
    assert states == {
        "vips": "in force",
        "bad": "no expiry",
        "old": "expired",
        "soft": "expires within 30 days, no owner",
        "plain": "in force",
    }
    assert row(audited, "old")["reading"] == "expired: it no longer acts"
    assert row(audited, "vips")["entries"] == 3
    assert row(audited, "vips")["lapsed_entries"] == 1
    assert row(audited, "vips")["stale_entries"] == 1
    assert row(audited, "bad")["acts"] == "LIST-bad"
    assert row(audited, "plain")["acts"] == "TX-3"
    assert row(audited, "plain")["column"] == "device"
    assert row(audited, "plain")["stale_entries"] == 1


def test_entries_add_up_to_their_list(audited):
    entries = audited.frame("entries")
    for name in ("vips", "bad", "soft", "plain"):
        own = entries[entries["list"] == name]
        for column in ("flips", "frauds", "good", "unlabelled", "fraud_value"):
            assert own[column].sum() == pytest.approx(row(audited, name)[column])
    seen = events().frame(["buyer", "at"]).groupby("buyer")["at"].max()
    vips = entries[entries["list"] == "vips"]
    assert vips["last_seen"].tolist() == [str(seen["b1"])[:10], str(seen["b2"])[:10], ""]
    assert vips["state"].tolist() == ["in force", "expired", "in force"]
    assert vips["reason"].tolist() == ["", "trial", ""]
    assert vips["place"].tolist() == [1, 2, 3]


def test_ids_are_masked_and_segments_are_not(audited):
    entries = audited.frame("entries")
    assert set(entries.loc[entries["list"] == "vips", "entry"]) == {"…"}
    assert entries.loc[entries["list"] == "bad", "entry"].tolist() == ["d1", "d2", "NO"]


def test_lists_are_rules_like_any_other():
    book = RuleBook.from_yaml(BOOK)
    simulated = rb.simulate(book, events())
    rules = simulated.frame().set_index("rule")
    assert list(rules.index) == ["TX-1", "TX-2", "TX-3", "LIST-vips", "LIST-bad", "LIST-soft"]
    assert rules.loc["LIST-vips", "outcome"] == "approve"
    assert rules.loc["LIST-bad", "outcome"] == "block"
    assert rules.loc["LIST-soft", ["outcome", "priority"]].tolist() == ["review", 30]
    assert any("The list old expired on 2025-01-01" in note for note in simulated.notes)
    assert any("1 of 3 entries of the list vips" in note for note in simulated.notes)
    frame = events().frame(["buyer"])
    hit = simulated.hits.bits.mask(3)
    assert (hit == (frame["buyer"] == "b1")).all()
    first = rb.simulate(book, events(), asof="2026-02-15")
    assert first.frame().set_index("rule").loc["LIST-vips", "hits"] == (
        (frame["buyer"].isin(["b1", "b2"]) & (events().frame(["at"])["at"] <= "2026-02-15")).sum()
    )


def test_the_harsher_list_decides_first():
    book = RuleBook.from_yaml(
        "book: d\ndomain: transactions\nlists:\n  good: {values: [b1], kind: allow, column: buyer}\n"
        "  bad: {values: [d1], kind: block, column: device}\nrules: []\n"
    )
    simulated = rb.simulate(book, events())
    frame = events().frame(["buyer", "device"])
    both = (frame["buyer"] == "b1") & (frame["device"] == "d1")
    assert both.any()
    assert (simulated.hits.resolution.level[both] == 3).all()


def test_a_day_of_ones_own(audited):
    book = RuleBook.from_yaml(BOOK)
    later = rb.audit_lists(book, events(), on="2027-01-01")
    assert row(later, "vips")["state"] == "expired"
    assert row(later, "vips")["flips"] == 0
    with pytest.raises(ParameterError, match="not a date"):
        rb.audit_lists(book, events(), on="yesterday")
    untimed = events().with_roles(time=None)
    assert row(rb.audit_lists(book, untimed), "old")["flips"] > 0


def test_too_few_verdicts_are_not_measurable():
    audit = rb.audit_lists(RuleBook.from_yaml(BOOK), events(40))
    found = row(audit, "soft")
    assert found["n"] < 10
    assert np.isnan(found["net_value"])
    assert found["reading"] == "changes no outcome" or found["reading"].startswith("not measurable")


def test_without_lists_money_labels_or_time():
    bare = RuleBook.from_yaml("book: d\ndomain: transactions\nrules: []\n")
    assert len(rb.audit_lists(bare, events()).frame()) == 0
    assert len(rb.audit_lists(bare, events()).frame("entries")) == 0
    dataset = events().with_roles(amount=None)
    found = row(rb.audit_lists(RuleBook.from_yaml(BOOK), dataset), "bad")
    assert np.isnan(found["fraud_value"])
    assert found["n"] > 0
    unlabelled = rb.audit_lists(RuleBook.from_yaml(BOOK), events().with_roles(label=None))
    assert row(unlabelled, "bad")["unlabelled"] == row(unlabelled, "bad")["flips"] > 0


def test_numbers_missing_values_and_doubled_entries():
    frame = pd.DataFrame({"id": range(6), "code": [1.0, 2.0, None, 2.5, 7.0, 1.0]})
    dataset = rb.read(frame, roles=rb.Roles(id="id"))
    book = RuleBook.from_yaml(
        "book: d\ndomain: transactions\nlists:\n"
        "  codes: {values: [7, 1, 1, 99], kind: block, column: code}\nrules: []\n"
    )
    audit = rb.audit_lists(book, dataset)
    assert row(audit, "codes")["events"] == 3
    assert row(audit, "codes")["stale_entries"] == 1
    assert audit.frame("entries")["events"].tolist() == [1, 2, 0, 0]


def test_a_column_that_is_no_plain_word():
    frame = pd.DataFrame({"id": [1, 2], 'or "der': ["a", "b"], "select": ["x", "y"]})
    dataset = rb.read(frame, roles=rb.Roles(id="id"))
    for column, value in (('or "der', "a"), ("select", "x")):
        held = NamedList((value,), kind="block", column=column)
        rule = list_rule("l", held, "transactions")
        book = RuleBook(name="d", domain="transactions", lists={"l": held})
        assert rb.simulate(book, dataset).frame()["hits"].tolist() == [1], rule.when
    with pytest.raises((RuleError, ColumnNotFoundError)):
        rb.simulate(RuleBook(name="d", domain="transactions", lists={"l": replace(held, column="nowhere")}), dataset)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{values: [a], kind: vp}", "no kind 'vp'"),
        ("{values: [a], kind: vip, outcome: block}", "Only a block list has an outcome"),
        ("{values: [a], kind: block, column: x, outcome: blok}", "no outcome 'blok'"),
        ("{values: [a], priority: -1}", "whole number"),
        ("{values: [{value: a, expires: 2026-13-01}]}", "not a date"),
        ("{values: [{owner: ana}]}", "'value' is missing"),
        ("{values: [{value: a, ownr: ana}]}", "no key 'ownr'"),
        ("{values: [{value: [a]}]}", "not lists"),
        ("{values: [a, 1]}", "one type"),
        ("{values: [a], owner: ''}", "'owner' is not text"),
    ],
)
def test_a_wrong_list_is_told(entry, said):
    with pytest.raises(RuleError) as wrong:
        RuleBook.from_yaml(f"book: d\ndomain: transactions\nlists:\n  l: {entry}\nrules: []\n")
    assert said in str(wrong.value)
    assert "line 4" in str(wrong.value)


def test_a_list_cannot_take_a_rules_name():
    with pytest.raises(RuleError, match="taken"):
        RuleBook.from_yaml(
            "book: d\ndomain: transactions\nlists: {x: {values: [a], kind: block, column: c}}\n"
            "rules:\n  - {id: LIST-x, when: c, outcome: review}\n"
        )


def test_what_counts_for_the_hash():
    book = RuleBook.from_yaml(BOOK)
    for old, new, same in (
        ("owner: ana", "owner: eva", True),
        ("reason: trial", "reason: other", True),
        ("kind: vip", "kind: allow", False),
        ("expires: 2026-02-15", "expires: 2026-02-16", False),
        ("priority: 30", "priority: 31", False),
        ("outcome: review, priority: 30", "priority: 30", False),
        ("column: device, values: [d1", "column: buyer, values: [d1", False),
    ):
        assert (RuleBook.from_yaml(BOOK.replace(old, new)).hash == book.hash) is same, old


marks = st.builds(
    Mark,
    owner=st.sampled_from([None, "ana"]),
    expires=st.sampled_from([None, "2026-01-01", "2026-03-01"]),
    reason=st.sampled_from([None, "é\"'"]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "NO", "1", "", "x: y"]), marks, max_size=5),
    st.sampled_from([None, "allow", "vip", "block"]),
    st.sampled_from([None, "c"]),
    st.sampled_from([None, "2026-02-01"]),
    st.sampled_from([None, "2026-01-01", "2026-01-31", "2026-06-01"]),
)
def test_lists_read_back_and_act_only_until_they_end(entries, kind, column, expires, day):
    held = NamedList(tuple(entries), kind=kind, column=column, expires=expires, marks=tuple(entries.items()))
    book = RuleBook(name="d", domain="transactions", lists={"l": held})
    assert RuleBook.from_yaml(book.to_yaml()) == book
    assert NamedList.of("l", held.to_entry()) == held
    ended = day is not None and held.acts and expires is not None and expires < day
    for value, mark in entries.items():
        over = day is not None and mark.expires is not None and mark.expires < day
        assert (value in held.on(day)) is not (over or ended)
    stands = in_force(book, day).book
    assert bool(stands.rules) is bool(held.acts and held.on(day))
    assert in_force(stands, day).book is stands
    assert RuleBook.from_yaml(stands.to_yaml()) == stands


def test_a_list_of_one_buyer_is_judged_by_the_orders_of_this_buyer():
    frame = pd.DataFrame({"id": range(400), "buyer": "x", "device": "d", "amount": 900.0, "fraud": 0})
    frame["buyer"] = [f"b{n}" if n >= 20 else "friend" for n in range(400)]
    frame.loc[:19, "fraud"] = 1
    book = RuleBook.from_yaml(
        "book: b\ndomain: transactions\nlists:\n  vips: {kind: vip, column: buyer, values: [friend], owner: ana}\n"
        "rules:\n  - {id: A, when: amount > 500, outcome: block, status: live}\n"
    )
    for entities in (["buyer"], ["buyer", "device"]):
        roles = rb.Roles(id="id", amount="amount", label="fraud", entities=entities)
        audit = rb.audit_lists(book, rb.read(frame, roles=roles))
        found, entry = row(audit, "vips"), audit.frame("entries").iloc[0]
        assert found["reading"] == "surely costs"
        assert (entry["net_value_lower"], entry["net_value_upper"]) == (
            found["net_value_lower"],
            found["net_value_upper"],
        )
        assert (audit.exemptions.lower, audit.exemptions.upper) == (found["net_value_lower"], found["net_value_upper"])
    # Entries that a device ties together are no draws of their own.
    frame.loc[:19, "buyer"] = [f"f{n}" for n in range(20)]
    book = book.with_list("vips", {"kind": "vip", "column": "buyer", "values": [f"f{n}" for n in range(20)]})
    widths = []
    for device in ("d", None):
        frame.loc[:19, "device"] = device or [f"d{n}" for n in range(20)]
        audit = rb.audit_lists(book, rb.read(frame, roles=rb.Roles(
            id="id", amount="amount", label="fraud", entities=["buyer", "device"])))  # fmt: skip
        assert row(audit, "vips")["flips"] == 20
        widths.append(row(audit, "vips")["net_value_upper"] - row(audit, "vips")["net_value_lower"])
    assert widths[0] > 2 * widths[1]
