"""Regional deviations: read with every mistake found, in force until they end, priced as two simulations differ."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import RuleError
from riskbench.rules.book import RuleBook
from riskbench.rules.deviation import Deviation
from riskbench.rules.force import day_of, in_force
from riskbench.rules.rule import Rule

BOOK = """
book: demo
domain: transactions
locked: [priority]
rules:
  - id: TX-1
    when: amount > :limit AND device <> :device
    params: {limit: {default: 600, min: 1, max: 9000}, device: d9}
    regions: {SBY: {limit: 300}}
    outcome: review
    status: live
  - {id: TX-2, when: amount > :limit, params: {limit: 800}, outcome: block, priority: 10, status: live}
  - {id: TX-3, when: amount > :limit, params: {limit: 500}, outcome: challenge, priority: 200, status: live,
     locked: [limit, status]}
deviations:
  # the payday of the capital
  - {rule: TX-1, region: JKT, params: {limit: 200}, reason: payday, approver: ana, expires: 2027-01-31}
  - {rule: TX-2, region: "NO", off: true, reason: trial, approver: ben, expires: 2026-12-31}
  - {rule: TX-2, region: SBY, params: {limit: 100}, reason: old, approver: ben, expires: 2026-02-01}  # over
  - {rule: TX-1, region: BDG, params: {limit: 5}, reason: none there, approver: ana, expires: 2027-01-31}
"""


def events(rows: int = 900, seed: int = 5) -> rb.Dataset:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 70 * 86_400, rows)), unit="s"),
            "amount": rng.integers(1, 1000, rows).astype(float),
            "device": rng.choice(["d1", "d9", None], rows),
            "land": rng.choice(["JKT", "SBY", "NO", "MES", None], rows),
            "fraud": rng.choice([0, 1, None], rows, p=[0.6, 0.3, 0.1]),
        }
    )
    roles = rb.Roles(id="id", time="at", amount="amount", label="fraud", region="land")
    return rb.read(frame, roles=roles)


def worth(book: RuleBook, dataset: rb.Dataset) -> np.ndarray:
    """Return each event's worth at default costs, in plain Python."""
    costs, held = rb.Costs(), rb.simulate(book, dataset).hits
    told = []
    for level, state, amount in zip(
        held.resolution.level.tolist(), held.labels.state.tolist(), dataset.frame(["amount"])["amount"], strict=True
    ):
        effect = ("none", "friction", "review", "stop")[level]
        each = -costs.handling(effect)
        if state == 1:
            each += amount * costs.loss_share * costs.fraud_gain(effect)
        elif state == 0:
            each -= amount * costs.margin * costs.good_cost(effect)
        told.append(each)
    return np.array(told)


def without(book: RuleBook, row: dict[str, object]) -> RuleBook:
    """Return the book without one row of the table."""
    if row["source"] == "deviation":
        return book.without_deviation(row["rule"], row["region"])
    rule = book.rule(row["rule"])
    return book.with_rule(replace(rule, regions={k: v for k, v in rule.regions.items() if k != row["region"]}))


def test_the_price_is_what_two_simulations_differ_by():
    book, dataset = RuleBook.from_yaml(BOOK), events()
    priced = rb.price_deviations(book, dataset)
    found = priced.frame()
    assert found[["rule", "region", "source", "own_value", "book_value", "state", "acts"]].values.tolist() == [
        ["TX-1", "JKT", "deviation", "limit 200", "limit 600", "in force", True],
        ["TX-2", "NO", "deviation", "off", "on", "in force", True],
        ["TX-2", "SBY", "deviation", "limit 100", "limit 800", "expired", False],
        ["TX-1", "BDG", "deviation", "limit 5", "limit 600", "in force", True],
        ["TX-1", "SBY", "regions", "limit 300", "limit 600", "no expiry", True],
    ]
    still = replace(book, deviations=tuple(replace(d, expires="2027-12-31") for d in book.deviations))
    weeks = (dataset.span[1] - dataset.span[0]).total_seconds() / 604_800
    for row in found.to_dict("records"):
        own = book if row["acts"] else still
        less = without(own, row)
        was, now = (rb.simulate(held, dataset).hits.resolution.level for held in (less, own))
        differ = worth(own, dataset) - worth(less, dataset)
        assert row["flips"] == (was != now).sum()
        if row["flips"]:
            compared = rb.compare(rb.simulate(less, dataset), rb.simulate(own, dataset)).frame("changes")
            ends = compared.set_index("measure").loc["net value"]
            assert row["net_value"] == pytest.approx(differ.sum())
            assert row["net_value_lower"] == pytest.approx(ends["lower"])
            assert row["net_per_week_upper"] == pytest.approx(ends["upper"] / weeks)
        else:
            assert np.isnan(row["net_value"])
    assert found["reading"].tolist()[3] == "no event of this region"
    assert any("expired on 2026-02-01" in note for note in priced.notes)


def test_they_act_like_a_rules_own_regions():
    book, dataset = RuleBook.from_yaml(BOOK), events()
    rules = list(book.rules)
    rules[0] = replace(rules[0], regions={"SBY": {"limit": 300}, "JKT": {"limit": 200}, "BDG": {"limit": 5}})
    rules[1] = replace(rules[1], off=("NO",))
    plain = replace(book, rules=tuple(rules), deviations=(), source=None)
    held, same = rb.simulate(book, dataset).hits, rb.simulate(plain, dataset).hits
    assert (held.bits.words == same.bits.words).all()
    frame = dataset.frame(["amount", "land"])
    expected = (frame["amount"] > 800) & (frame["land"] != "NO")
    assert (held.bits.mask(1) == expected.to_numpy()).all()
    early = rb.simulate(book, dataset, asof="2026-02-01").hits
    assert early.bits.mask(1).sum() > (expected & (events().frame(["at"])["at"] <= "2026-02-01")).sum()


def test_in_force_by_the_day_of_the_zone():
    dataset = events()
    assert day_of(dataset, "2026-01-31T23:30") == "2026-01-31"
    assert day_of(replace(dataset, time_zone="Asia/Jakarta"), "2026-01-31T23:30") == "2026-02-01"
    assert day_of(dataset.with_roles(time=None)) is None
    book = RuleBook.from_yaml(BOOK)
    assert in_force(book, "2026-02-01").book.rule("TX-2").regions == {"SBY": {"limit": 100}}
    assert in_force(book, "2026-02-02").book.rule("TX-2").regions == {}
    assert in_force(book, None).lapsed == ()


MISTAKES = [
    ("region: JKT, params: {limit: 200}", "region: JKT, params: {limit: 20000}", "outside what is allowed", 17),
    ("region: JKT, params: {limit: 200}", "region: JKT, params: {limit: many}", "The value is text", 17),
    ("region: JKT, params: {limit: 200}", "region: JKT, params: {limt: 200}", "did you mean 'limit'", 17),
    ("region: JKT, params: {limit: 200}", "region: SBY, params: {limit: 200}", "sets 'limit' in 'SBY' too", 17),
    ("region: JKT, params: {limit: 200}", "region: JKT, params: {}", "changes something", 17),
    ("region: JKT, params: {limit: 200}", "region: JKT, off: true, params: {limit: 200}", "no values", 17),
    ("{rule: TX-1, region: JKT", "{rule: TX-9, region: JKT", "no rule 'TX-9'", 17),
    ("{rule: TX-1, region: JKT", "{rule: TX-3, region: JKT", "'limit' is locked", 17),
    ("reason: payday, ", "", "lacks 'reason'", 17),
    ("approver: ana, expires: 2027-01-31}\n  - {rule: TX-2", "expires: 2027-01-31}\n  - {rule: TX-2", "'approver'", 17),
    (", expires: 2026-12-31", "", "lacks 'expires'", 18),
    ("expires: 2026-12-31", "expires: soon", "not a date", 18),
    ('{rule: TX-2, region: "NO", off: true', '{rule: TX-3, region: "NO", off: true', "its status is locked", 18),
    ("off: true", "off: maybe", "'off' is true", 18),
    ('region: "NO", off: true', "region: SBY, off: true", "Two deviations of 'SBY' are about the whole rule", 19),
    ("region: BDG", "region: JKT", "about 'limit'", 20),
    ("region: BDG", "region: BDG, outcome: block", "no key 'outcome'", 20),
    ("locked: [priority]", "locked: [limit]", "Region 'SBY' sets 'limit', which is locked", 9),
    ("locked: [priority]", "locked: [prioritty]", "did you mean 'priority'", 4),
    ("locked: [limit, status]", "locked: [limt]", "no field to lock 'limt'", 13),
    ("deviations:\n", "deviations: none\nother:\n", "'deviations' is a list", 15),
]


@pytest.mark.parametrize(("old", "new", "said", "line"), MISTAKES)
def test_a_mistake_is_told_with_its_place(old, new, said, line):
    assert BOOK.count(old) == 1
    with pytest.raises(RuleError) as wrong:
        RuleBook.from_yaml(BOOK.replace(old, new))
    assert said in str(wrong.value)
    assert f"line {line}" in str(wrong.value)


def test_a_lock_holds_in_python_too():
    book = RuleBook.from_yaml(BOOK)
    with pytest.raises(RuleError, match="locked"):
        book.with_region_params("TX-3", {"JKT": {"limit": 5}})
    with pytest.raises(RuleError, match="locked"):
        book.with_deviation(
            Deviation("TX-3", "JKT", params={"limit": 5}, reason="r", approver="a", expires="2027-01-01")
        )
    with pytest.raises(RuleError, match="no rule 'TX-8'"):
        book.with_deviation(Deviation("TX-8", "JKT", off=True, reason="r", approver="a", expires="2027-01-01"))
    assert book.with_params({"TX-3": {"limit": 5}}).rule("TX-3").values() == {"limit": 5}


def test_they_change_in_the_text_they_were_read_from():
    book = RuleBook.from_yaml(BOOK)
    longer = book.with_deviation(replace(book.deviations[0], expires="2027-06-30"))
    assert longer.to_yaml() == BOOK.replace("ana, expires: 2027-01-31}", "ana, expires: 2027-06-30}", 1)
    less = book.without_deviation("TX-2", "SBY").to_yaml()
    assert less == BOOK.replace(BOOK.splitlines()[18] + "\n", "")
    more = book.with_deviation(
        Deviation("TX-2", "MES", params={"limit": 7}, reason="é: x", approver="ana", expires="2027-01-01")
    )
    assert more.to_yaml().startswith(BOOK)
    assert RuleBook.from_yaml(more.to_yaml()) == more
    assert "TX-1" not in [held.rule for held in book.without("TX-1").deviations]
    assert "the payday of the capital" not in book.without("TX-1").to_yaml()
    assert RuleBook.from_yaml(book.without("TX-1").to_yaml()) == book.without("TX-1")
    with pytest.raises(RuleError, match="no deviation"):
        book.without_deviation("TX-2", "MES")


def test_what_counts_for_the_hash():
    book = RuleBook.from_yaml(BOOK)
    assert pickle.loads(pickle.dumps(book)) == book
    assert RuleBook.from_yaml(BOOK.replace("reason: payday", "reason: x").replace("[priority]", "[]")).hash == book.hash
    for old, new in (("limit: 200}", "limit: 201}"), ("2026-12-31", "2026-12-30"), ("off: true", "params: {limit: 8}")):
        assert RuleBook.from_yaml(BOOK.replace(old, new)).hash != book.hash


def test_a_rule_that_is_off_reads_back():
    rule = Rule("A", "amount > 5", "review", status="live", off=("JKT", "NO"), locked=("outcome",))
    book = RuleBook(name="d", domain="transactions", rules=(rule,))
    assert RuleBook.from_yaml(book.to_yaml()) == book
    assert rule.apart == ("JKT", "NO")
    assert (
        not rb.simulate(book, events()).hits.bits.mask(0)[(events().frame(["land"])["land"] == "NO").to_numpy()].any()
    )
    priced = rb.price_deviations(book, events()).frame()
    assert priced["source"].tolist() == ["off", "off"]
    with pytest.raises(RuleError, match="status is locked"):
        replace(rule, locked=("status",))


def test_nothing_to_price():
    book = RuleBook.from_yaml(BOOK)
    bare = replace(book, deviations=(), rules=book.rules[1:], source=None)
    priced = rb.price_deviations(bare, events())
    assert len(priced.frame()) == 0
    assert any("No region deviates" in note for note in priced.notes)
    placeless = rb.price_deviations(book, events().with_roles(region=None))
    assert set(placeless.frame()["reading"]) == {"no event of this region"}
    few = rb.price_deviations(book, events(30)).frame()
    assert few["net_value"].isna().all()
    timeless = rb.price_deviations(book, events().with_roles(time=None))
    assert timeless.frame()["net_per_week"].isna().all()
    assert timeless.frame()["net_value"].notna().any()
    shadow = rb.price_deviations(book.with_status("TX-2", "shadow"), events()).frame()
    assert shadow.loc[shadow["rule"] == "TX-2", "reading"].unique().tolist() == [
        "the rule is shadow: it decides nothing"
    ]


held_deviations = st.lists(
    st.builds(
        lambda rule, region, limit, expires: Deviation(
            rule,
            region,
            params={"limit": limit} if limit else {},
            off=not limit,
            reason="r",
            approver="a",
            expires=expires,
        ),
        st.sampled_from(["A", "B"]),
        st.sampled_from(["JKT", "NO", "1", "on"]),
        st.integers(0, 9),
        st.sampled_from(["2026-01-01", "2026-06-01"]),
    ),
    max_size=6,
    unique_by=lambda held: (held.rule, held.region),
)


@settings(max_examples=60, deadline=None)
@given(held_deviations, st.sampled_from([None, "2026-01-01", "2026-01-02", "2027-01-01"]))
def test_what_is_in_force_is_a_book_like_any_other(deviations, day):
    rules = tuple(Rule(name, "amount > :limit", "review", params={"limit": 5}, status="live") for name in "AB")
    book = RuleBook(name="d", domain="transactions", rules=rules, deviations=tuple(deviations))
    again = RuleBook.from_yaml(book.to_yaml())
    assert again == book
    assert again.hash == book.hash
    stands = in_force(book, day).book
    assert in_force(stands, day).book is stands
    assert RuleBook.from_yaml(stands.to_yaml()) == stands
    for held in deviations:
        rule, acts = stands.rule(held.rule), day is None or day <= held.expires
        assert (held.region in rule.off) is (acts and held.off)
        assert rule.values(held.region)["limit"] == (held.params["limit"] if acts and not held.off else 5)


def test_the_exported_query_follows_them():
    book, dataset = RuleBook.from_yaml(BOOK), events()
    held = book.with_list("bad", {"values": ["d1", 'it\'s "x"'], "kind": "block", "column": "device"})
    proof = rb.prove(held, dataset)
    assert proof.headline()[0].value == "yes"
    assert len(proof.frame()) == 0
    assert '"LIST-bad"' in held.to_sql(on="2026-01-01")
    assert held.to_sql(on="2026-01-01") != held.to_sql(on="2027-06-01")


def test_one_sure_change_among_many_tried_is_not_believed():
    from riskbench.rules.weighing import Weighed, readings

    def weighed(net: float, n: int = 50) -> Weighed:
        return Weighed(
            flips=n, frauds=n, good=0, unlabelled=0, fraud_value=0.0, good_value=0.0, insults=0, reviews=0,
            net_value=net if n >= 10 else None, lower=net - 1.96 if n >= 10 else None,
            upper=net + 1.96 if n >= 10 else None,
        )  # fmt: skip

    assert readings([weighed(2.1)])[1] == ["surely earns"]
    assert readings([weighed(2.1), *[weighed(0.1)] * 9])[1] == ["not shown"] * 10
    assert readings([weighed(-9.0), *[weighed(0.1)] * 9])[1][0] == "surely costs"
    assert readings([weighed(9.0, n=3)])[1] == ["not measurable: 3 with a verdict, 10 needed"]
    assert readings([weighed(0.0, n=0)]) == ([None], ["changes no outcome"])
    assert readings([]) == ([], [])


def test_the_headline_words_agree_with_the_sign_and_the_interval():
    book = rb.RuleBook.from_yaml(BOOK)
    said = set()
    for seed in range(6):
        for flipped in (False, True):
            frame = events(seed=seed).frame()
            if flipped:
                frame["fraud"] = 1 - frame["fraud"]
            priced = rb.price_deviations(book, rb.read(frame, roles=events().roles))
            fact = next((one for one in priced.headline() if one.name.partition(":")[0] in WORDS), None)
            if fact is None:
                continue
            word = fact.name.partition(":")[0]
            assert word == ("Costs most" if fact.value < 0 else "Earns most" if fact.value > 0 else "Costs nothing")
            assert ("not shown" in fact.note) == (fact.lower <= 0 <= fact.upper)
            said.add(word)
    assert "Costs most" in said


WORDS = ("Costs most", "Earns most", "Costs nothing", "Dearest")
