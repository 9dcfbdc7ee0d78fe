"""Simulation against slow plain Python, and the laws that any simulation keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import PlainRule, decision, simulated

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, ParameterError

OUTCOMES = ["approve", "challenge", "review", "block"]
STATUSES = ["live", "live", "live", "shadow", "draft", "retired"]


def over(limit: float):
    return lambda e: None if e["amount"] is None else e["amount"] > limit


def country_is(word: str):
    return lambda e: None if e["country"] is None else e["country"] == word


def both(a, b):
    def test(e):
        left, right = a(e), b(e)
        if left is False or right is False:
            return False
        return None if left is None or right is None else True

    return test


def negated(a):
    def test(e):
        inner = a(e)
        return None if inner is None else not inner

    return test


texts = st.one_of(
    st.integers(0, 9).map(lambda k: (f"amount > {k}", over(k))),
    st.sampled_from(["ID", "日本"]).map(lambda w: (f"country = '{w}'", country_is(w))),
    st.tuples(st.integers(0, 9), st.sampled_from(["ID", "BR"])).map(
        lambda p: (f"amount > {p[0]} AND country = '{p[1]}'", both(over(p[0]), country_is(p[1])))
    ),
    st.integers(0, 9).map(lambda k: (f"NOT amount > {k}", negated(over(k)))),
)
rule_sets = st.lists(
    st.tuples(texts, st.sampled_from(OUTCOMES), st.integers(1, 3), st.sampled_from(STATUSES)), max_size=6
)
event_sets = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.none() | st.integers(0, 1000).map(lambda c: c / 100),
            "country": st.sampled_from([None, "ID", "BR", "日本"]),
            "label": st.sampled_from([None, 0, 0, 1]),
            "seller": st.sampled_from([None, "a", "b"]),
            "day": st.integers(0, 20),
        }
    ),
    min_size=1,
    max_size=40,
)


def made(rules, events) -> tuple[rb.RuleBook, rb.Dataset, list[PlainRule]]:
    plain, authored = [], []
    for k, ((text, test), outcome, priority, status) in enumerate(rules):
        plain.append(PlainRule(f"R{k}", test, outcome, priority, status))
        authored.append(rb.Rule(id=f"R{k}", when=text, outcome=outcome, priority=priority, status=status))
    book = rb.RuleBook(name="drawn", domain="transactions", rules=tuple(authored))
    for k, event in enumerate(events):
        event["id"] = k
        event["cents"] = round(event["amount"] * 100) if event["amount"] is not None else 0
    frame = pd.DataFrame(
        {
            "id": [e["id"] for e in events],
            "amount": pd.array([e["amount"] for e in events], dtype="Float64"),
            "country": pd.array([e["country"] for e in events], dtype="string"),
            "label": pd.array([e["label"] for e in events], dtype="Int64"),
            "seller": pd.array([e["seller"] for e in events], dtype="string"),
            "at": [pd.Timestamp("2026-01-01") + pd.Timedelta(days=e["day"], hours=5) for e in events],
        }
    )
    roles = rb.Roles(id="id", time="at", amount="amount", label="label", region="country", currency="EUR")
    return book, rb.read(frame, roles=roles), plain


slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(rule_sets, event_sets)
def test_rules_table_equals_plain_python(rules, events):
    book, dataset, plain = made(rules, events)
    found = rb.simulate(book, dataset, unit="seller", per="1d")
    frame = found.frame().set_index("rule")
    for name, expected in simulated(plain, events).items():
        row = frame.loc[name]
        for column in ("hits", "frauds", "unlabelled", "unique_hits", "first_hits", "cases"):
            assert row[column] == expected[column], column
        for column in ("value_hit", "value_caught", "good_value_hit", "unique_value", "first_value"):
            assert round(row[column] * 100) == expected[column], column
        labelled = expected["frauds"] + expected["good"]
        assert np.isnan(row["precision"]) if labelled == 0 else row["precision"] == expected["frauds"] / labelled
        if labelled:
            assert 0 <= row["precision_lower"] <= row["precision"] <= row["precision_upper"] <= 1
    outcomes = found.frame("outcomes").set_index("outcome")["events"]
    decided = [decision(plain, e)[0] for e in events]
    assert outcomes.to_dict() == {name: decided.count(name) for name in OUTCOMES}


@slow
@given(rule_sets, event_sets)
def test_parts_add_up_to_the_whole(rules, events):
    book, dataset, _ = made(rules, events)
    found = rb.simulate(book, dataset)
    total = found.frame().set_index("rule")["hits"]
    for axis in ("regions", "weeks"):
        split = found.frame(axis)
        assert split.groupby("rule")["hits"].sum().reindex(total.index, fill_value=0).tolist() == total.tolist()
        assert split[split["rule"] == "(live rules)"]["hits"].sum() == found.alerts
        assert split[split["rule"] == "(live rules)"]["events"].sum() == found.events
    marks = found.frame("signatures")
    assert marks["n"].sum() == found.events
    for rule, hits in total.items():
        assert marks[marks["rules"].str.split().map(lambda ids, r=rule: r in ids)]["n"].sum() == hits
    pairs = found.frame("overlap")
    for row in pairs.itertuples():
        both_hit = marks["rules"].str.split().map(lambda ids, r=row: r.rule in ids and r.other in ids)
        assert marks[both_hit]["n"].sum() == row.hits
    assert found.frame("matrix")["events"].sum() == found.events


@slow
@given(rule_sets, event_sets, st.randoms())
def test_row_order_does_not_matter(rules, events, random):
    book, dataset, _ = made(rules, events)
    order = list(range(len(events)))
    random.shuffle(order)
    shuffled = dataset.take(np.array(order))
    for name in ("rules", "outcomes", "weeks", "regions"):
        pd.testing.assert_frame_equal(
            rb.simulate(book, dataset).frame(name), rb.simulate(book, shuffled).frame(name), rtol=1e-9
        )


@slow
@given(rule_sets, event_sets)
def test_every_row_twice_keeps_rates_and_doubles_counts(rules, events):
    book, dataset, _ = made(rules, events)
    twice = dataset.take(np.tile(np.arange(len(events)), 2))
    one, two = rb.simulate(book, dataset).frame(), rb.simulate(book, twice).frame()
    assert (two["hits"] == 2 * one["hits"]).all()
    pd.testing.assert_series_equal(one["precision"], two["precision"])
    pd.testing.assert_series_equal(one["recall"], two["recall"])


@slow
@given(rule_sets, event_sets)
def test_a_further_rule_never_loses_hits(rules, events):
    book, dataset, _ = made(rules, events)
    more = book.with_rule(rb.Rule(id="EXTRA", when="amount >= 0", outcome="review"))
    before, after = rb.simulate(book, dataset), rb.simulate(more, dataset)
    assert (
        after.frame().set_index("rule")["hits"].loc[before.frame()["rule"]].tolist() == before.frame()["hits"].tolist()
    )


@slow
@given(rule_sets, rule_sets, event_sets)
def test_compare_names_exactly_the_flips(old_rules, new_rules, events):
    old_book, dataset, old_plain = made(old_rules, events)
    new_book, _, new_plain = made(new_rules, events)
    change = rb.compare(rb.simulate(old_book, dataset), rb.simulate(new_book, dataset))
    flips = {
        e["id"]: (decision(old_plain, e)[0], decision(new_plain, e)[0])
        for e in events
        if decision(old_plain, e)[0] != decision(new_plain, e)[0]
    }
    told = change.frame("events")
    assert {row.id: (row.before, row.after) for row in told.itertuples()} == flips
    assert (told["rule"] != "").all()
    assert (told["condition"] != "").all()
    assert change.flips == change.frame("swaps")["events"].sum() == len(flips)
    table = change.frame("changes").set_index("measure")
    alerts = [sum(decision(p, e)[0] != "approve" for e in events) for p in (old_plain, new_plain)]
    assert table.loc["alerts", ["before", "after", "difference"]].tolist() == [*alerts, alerts[1] - alerts[0]]


def test_compare_with_itself_is_empty():
    book, dataset, _ = made([(("amount > 1", over(1)), "review", 1, "live")], [_event(2.0), _event(0.5)])
    same = rb.compare(rb.simulate(book, dataset), rb.simulate(book, dataset))
    assert same.flips == 0
    assert same.frame("swaps").empty
    assert same.frame("events").empty
    assert "No event" in same._repr_html_()


def _event(amount: float, label: int | None = 0) -> dict:
    return {"amount": amount, "country": "ID", "label": label, "seller": "a", "day": 1}


def test_regional_parameters_hold_in_their_region_only():
    book = rb.RuleBook.from_yaml(
        """
        book: regional
        domain: transactions
        rules:
          - id: R
            when: amount > :limit
            params: {limit: {default: 5}}
            regions: {"NO": {limit: 1}, "BR": {limit: 9}, "XX": {limit: 0}}
            outcome: review
            status: live
        """
    )
    frame = pd.DataFrame({"id": range(6), "amount": [3.0, 3.0, 3.0, 7.0, 7.0, 7.0], "country": ["NO", "BR", "ID"] * 2})
    dataset = rb.read(frame, roles=rb.Roles(id="id", amount="amount", region="country"))
    hits = rb.simulate(book, dataset).hits.bits.mask(0)
    assert hits.tolist() == [True, False, False, True, False, True]


def test_no_label_measures_hits_and_says_so():
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules: [{id: R, when: amount > 1, outcome: block, status: live}]"
    )
    dataset = rb.read(pd.DataFrame({"id": [1, 2], "amount": [1.0, 2.0]}), roles=rb.Roles(id="id", amount="amount"))
    found = rb.simulate(book, dataset)
    assert found.frame()["hits"].tolist() == [1]
    assert found.frame()["unlabelled"].tolist() == [1]
    assert "not measurable" in {f.name: f.text for f in found.headline()}["Precision"]


def test_empty_book_and_empty_data():
    book = rb.RuleBook(name="none", domain="transactions")
    dataset = rb.read(pd.DataFrame({"id": [1], "fraud": [1]}), roles=rb.Roles(id="id", label="fraud"))
    found = rb.simulate(book, dataset)
    assert found.frame().empty
    assert any("No book given" in note for note in found.notes)
    none = dataset.where(np.array([False]))
    rule = rb.Rule(id="R", when="fraud = 1", outcome="review", status="live")
    empty = rb.simulate(book.with_rule(rule), none)
    assert empty.frame()["hits"].tolist() == [0]
    assert empty._repr_html_()
    for name in ("regions", "weeks", "overlap", "matrix", "signatures"):
        empty.frame(name)


def test_asof_hides_later_events_and_verdicts():
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules: [{id: R, when: amount > 0, outcome: review, status: live}]"
    )
    frame = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "amount": [5.0, 5.0, 5.0],
            "at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-03-01"]),
            "fraud": [1, 1, 1],
            "told": pd.to_datetime(["2026-01-10", "2026-02-20", "2026-03-02"]),
        }
    )
    dataset = rb.read(frame, roles=rb.Roles(id="id", amount="amount", time="at", label="fraud", label_time="told"))
    row = rb.simulate(book, dataset, asof="2026-01-31").frame().iloc[0]
    assert (row["hits"], row["frauds"], row["unlabelled"]) == (2, 1, 1)
    assert rb.simulate(book, dataset).frame()["frauds"].tolist() == [3]


def test_bad_options_say_what_is_allowed():
    book, dataset, _ = made([(("amount > 1", over(1)), "review", 1, "live")], [_event(2.0)])
    with pytest.raises(ColumnNotFoundError, match="seller"):
        rb.simulate(book, dataset, unit="seler")
    with pytest.raises(ParameterError, match="12h"):
        rb.simulate(book, dataset, unit="seller", per="a day")
    with pytest.raises(ParameterError, match="overlap"):
        rb.simulate(book, dataset).frame("overlaps")


@pytest.mark.parametrize(
    ("zone", "per", "times", "cases"),
    [
        # 00:30 and 23:30 of one day in Jakarta lie on two days of UTC.
        ("Asia/Jakarta", "1d", ["2026-03-01 17:30", "2026-03-02 16:30"], 1),
        ("UTC", "1d", ["2026-03-01 17:30", "2026-03-02 16:30"], 2),
        # 23:30 and 00:30 in New York, across two days, lie on one day of UTC; on the day the clocks change too.
        ("America/New_York", "1d", ["2026-03-02 04:30", "2026-03-02 05:30"], 2),
        ("America/New_York", "1d", ["2026-03-08 05:30", "2026-03-09 03:30"], 1),
        # Weeks begin on Mondays: Wednesday and Thursday are one, Sunday and Monday two.
        ("UTC", "1w", ["2026-03-04 12:00", "2026-03-05 12:00"], 1),
        ("UTC", "1w", ["2026-03-08 12:00", "2026-03-09 12:00"], 2),
        ("UTC", "1d", ["2026-03-04 12:00", None], 2),
        ("UTC", "1d", [None, None], 1),
    ],
)
def test_cases_are_of_the_local_day_and_week(zone, per, times, cases):
    frame = pd.DataFrame({"id": [1, 2], "label": [1, 0], "amount": [9.0, 9.0], "seller": "s", "at": times})
    frame["at"] = pd.to_datetime(frame["at"])
    events = rb.read(frame, roles=rb.Roles(id="id", time="at", amount="amount", label="label"), time_zone=zone)
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules:\n  - {id: R, when: amount > 1, outcome: review, status: live}\n"
    )
    found = rb.simulate(book, events, unit="seller", per=per)
    assert found.frame().loc[0, "cases"] == cases


def test_the_day_whose_lists_and_deviations_act_can_be_named() -> None:
    frame = pd.DataFrame(
        {"id": range(4), "at": pd.date_range("2026-03-01", periods=4), "amount": [1.0, 9.0, 9.0, 1.0]}
    ).assign(buyer=["a", "a", "b", "b"])
    events = rb.read(frame, roles=rb.Roles(id="id", time="at", amount="amount", region="buyer"))
    book = rb.RuleBook.from_yaml("""
book: day
domain: transactions
lists:
  bad: {kind: block, column: buyer, values: [a], expires: 2026-03-10}
rules:
  - {id: TX-1, when: "amount > :cut", params: {cut: 5}, outcome: review, status: live}
deviations:
  - {rule: TX-1, region: b, params: {cut: 10}, reason: r, approver: ada, expires: 2026-03-20}
""")
    for on, levels in (
        (None, [3, 3, 0, 0]),
        ("2026-03-10", [3, 3, 0, 0]),
        (pd.Timestamp("2026-03-11 12:00"), [0, 2, 0, 0]),
        ("2026-03-21", [0, 2, 2, 0]),
    ):
        held = rb.simulate(book, events, on=on)
        assert held.hits.resolution.level.tolist() == levels
        assert held.provenance["parameters"]["on"] == (held.hits.day if on is None else str(on)[:10])
    # The day changes no event and no verdict: those follow asof alone.
    assert rb.simulate(book, events, asof="2026-03-02 12:00", on="2026-03-21").events == 2
    apart = rb.compare(rb.simulate(book, events), rb.simulate(book, events, on="2026-03-21"))
    assert any("2026-03-04" in note and "2026-03-21" in note for note in apart.notes)
    for wrong in ("soon", 5, pd.NaT, "2026-13-01"):
        with pytest.raises(rb.ParameterError):
            rb.simulate(book, events, on=wrong)
