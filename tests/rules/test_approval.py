"""Who is approved? Parts add up, a slow oracle, bounds that only labels narrow, and the intervals' coverage."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, ParameterError
from riskbench.rules.growth.cells import gaps, shares

ROLES = rb.Roles(id="id", time="at", label="fraud", amount="amount", outcome="done", entities=("buyer",))


def made(rows: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "buyer": rng.integers(0, 150, rows),
            "at": pd.date_range("2026-01-01", periods=rows, freq="h"),
            "amount": rng.lognormal(3, 1, rows).round(2),
            "fraud": np.where(rng.random(rows) < 0.05, 1.0, 0.0),
            "done": rng.choice(["approve", "challenge", "review", "block"], rows, p=[0.8, 0.05, 0.05, 0.1]),
            "land": rng.choice(["ID", "BR", "NO"], rows),
        }
    )


cells = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans(), st.integers(0, 4)), max_size=40)


@settings(deadline=None)
@given(cells)
def test_shares_equal_the_oracle(rows):
    cell, who, done, weight = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(4))
    held = shares(cell, who, done.astype(float), weight.astype(float), size=3)
    for k in range(3):
        whole = sum(w for c, _, _, w in rows if c == k)
        part = sum(w for c, _, d, w in rows if c == k and d)
        if not whole:
            assert np.isnan(held.value[k])
            continue
        assert held.value[k] == pytest.approx(part / whole)
        assert -1e-12 <= held.lower[k] <= held.value[k] <= held.upper[k] <= 1 + 1e-12


def test_new_and_returning_add_up_and_row_order_does_not_matter():
    frame = made()
    held = rb.approval_rates(rb.read(frame, roles=ROLES), by=["land"])
    rates = held.rates
    for _, part in rates.groupby(["by", "segment"]):
        row = part.set_index("customers")
        assert row.loc["all", "events"] == row.loc["new", "events"] + row.loc["returning", "events"]
    whole = rates[(rates["by"] == "land") & (rates["customers"] == "all")]
    approved = frame["done"].isin(["approve", "challenge"])
    assert (whole["events"] * whole["approval_rate"]).sum() == pytest.approx(approved.sum())
    assert rates.loc[0, "value_approval_rate"] == pytest.approx(frame["amount"][approved].sum() / frame["amount"].sum())
    assert rates.loc[1, "events"] == frame["buyer"].nunique()
    again = rb.approval_rates(rb.read(frame.sample(frac=1, random_state=2), roles=ROLES), by=["land"])
    pd.testing.assert_frame_equal(rates, again.rates)


def test_a_book_is_told_beside_history():
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules:\n  - {id: A, when: amount > 40, outcome: block, status: live}\n"
    )
    frame = made()
    held = rb.approval_rates(rb.simulate(book, rb.read(frame, roles=ROLES)))
    rows = held.rates[held.rates["customers"] == "all"].set_index("decided_by")
    assert rows.loc["this book", "approval_rate"] == pytest.approx((frame["amount"] <= 40).mean())
    assert held.headline()[0].value == rows.loc["this book", "approval_rate"]


def test_good_events_are_bounded_where_history_stopped_some_and_measured_where_none_is_mute():
    frame = made()
    frame.loc[frame["done"] == "block", "fraud"] = np.nan
    bounded = rb.approval_rates(rb.read(frame, roles=ROLES), by=()).rates.iloc[0]
    assert np.isnan(bounded["good_approval_rate"])
    assert bounded["good_approval_rate_lower"] < bounded["good_approval_rate_upper"]
    assert "nobody let through" in bounded["why"]
    frame["done"] = frame["done"].where(frame["done"] != "block", "review")
    frame["fraud"] = frame["fraud"].fillna(0.0)
    told = rb.approval_rates(rb.read(frame, roles=ROLES), by=()).rates.iloc[0]
    good = frame["fraud"] == 0
    assert told["good_approval_rate"] == pytest.approx((good & (frame["done"] != "review")).sum() / good.sum())


def test_q_values_are_no_smaller_than_p():
    apart = rb.approval_rates(rb.read(made(), roles=ROLES), by=["land"]).differences
    assert (apart["q"] >= apart["p"] - 1e-12).all()
    assert (apart["lower"] <= apart["change"]).all()


def test_bad_input():
    with pytest.raises(ParameterError, match="is a Dataset"):
        rb.approval_rates("events.parquet")
    with pytest.raises(DataError, match="outcome"):
        rb.approval_rates(rb.read(made(20), roles=ROLES.with_roles(outcome=None)))
    with pytest.raises(DataError, match="too many"):
        rb.approval_rates(rb.read(made(), roles=ROLES), by="amount")
    alone = rb.approval_rates(rb.read(made(20).drop(columns="at"), roles=ROLES.with_roles(time=None, entities=())))
    assert set(alone.rates["customers"]) == {"all"}
    assert not len(alone.differences)


def test_intervals_hold_the_true_shares_though_orders_of_a_customer_go_together():
    seeds, right, apart, plain = 400, 0, 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 5])
        chance = rng.beta(6, 1.2, 150)  # a customer's own approval rate
        who = np.repeat(np.arange(150), 6)
        done = (rng.random(900) < chance[who]).astype(float)
        truth = 6 / 7.2
        held = shares(np.zeros(900, int), who, done, np.ones(900), size=1)
        right += held.lower[0] <= truth <= held.upper[0]
        plain += abs(done.mean() - truth) <= 1.96 * np.sqrt(truth * (1 - truth) / 900)
        first = np.tile(np.arange(6) < 2, 150)
        gap = gaps(np.zeros(900, int), who, done, first, size=1)
        apart += gap.lower[0] <= 0 <= gap.upper[0]
    assert 0.91 <= right / seeds <= 0.985
    assert apart / seeds >= 0.91
    assert plain / seeds < 0.9, "customers taken as one order each hold it too rarely"


def test_no_event_at_all_is_a_page_too():
    frame = made(40).iloc[:0]
    found = rb.approval_rates(rb.read(frame, roles=rb.Roles(id="id", time="at", outcome="done", entities="buyer")))
    assert found.headline()[0].value is None
    assert "nan" not in found._repr_html_().split("<img")[0]


@pytest.mark.parametrize("name", ["by", "new", "entity"])
def test_what_is_no_column_is_answered(name):
    events = rb.read(made(40), roles=rb.Roles(id="id", time="at", outcome="done", entities="buyer"))
    with pytest.raises((DataError, ParameterError)):
        rb.approval_rates(events, **{name: [[1]]})


def test_a_name_with_signs_of_money_is_drawn_as_it_stands():
    frame = made(90).assign(land=["$a_$", "$\\x{$", "\U0001f642"] * 30)
    events = rb.read(frame, roles=rb.Roles(id="id", time="at", outcome="done", entities="buyer", region="land"))
    assert "<img" in rb.approval_rates(events)._repr_html_()


@pytest.mark.parametrize("passed", [0, 9, 10, 40])
def test_stopped_events_are_told_by_enough_let_through_ones_of_their_own_segment_or_bounded(passed):
    frame = made(1200).assign(land=lambda held: np.where(held["id"] % 2, "ID", "BR"))
    halted = frame["amount"] > frame["amount"].quantile(0.8)
    drawn = halted & (frame["id"] % 5 == 0)
    thin = frame.index[drawn & (frame["land"] == "BR")]
    drawn.loc[thin[passed:]] = False
    frame["done"] = np.where(halted & ~drawn, "block", "approve")
    frame["p"] = np.where(halted, 0.2, 1.0)
    frame.loc[halted & ~drawn, "fraud"] = np.nan
    dataset = rb.read(frame, roles=dataclasses.replace(ROLES, let_through="p"))
    rates = rb.approval_rates(dataset, by=["land"]).rates
    rows = rates[(rates["by"] == "land") & (rates["customers"] == "all")].set_index("segment")
    assert rows.loc["ID", "why"] == ""
    told = rows.loc["BR"]
    assert (told["why"] == "") == (passed >= 10)
    good = frame[(frame["land"] == "BR") & (frame["fraud"] == 0)]
    if passed >= 10:
        lost = 5.0 * drawn[good.index].sum()
        assert told["good_approval_rate"] == pytest.approx(1 - lost / (lost + (~halted)[good.index].sum()))
    else:
        mute = int((halted & ~drawn & (frame["land"] == "BR")).sum())
        assert f"{mute} events were stopped, and too few like them ({passed})" in told["why"]
        assert np.isnan(told["good_approval_rate"])
        sure = int((~halted)[good.index].sum())
        assert told["good_approval_rate_lower"] < sure / (len(good) + mute)
        assert told["good_approval_rate_upper"] >= sure / len(good)


@pytest.mark.parametrize(("yes", "no"), [("Y", "N"), ("NEW", "returning"), ("first", "repeat"), ("true", "false")])
def test_who_is_new_is_told_by_the_words_of_a_column(yes, no):
    frame = pd.DataFrame({"id": range(100), "done": ["block"] * 10 + ["approve"] * 90})
    frame["who"] = [yes] * 40 + [no] * 50 + [None] * 10
    found = rb.approval_rates(rb.read(frame, roles=rb.Roles(id="id", outcome="done")), new="who")
    rows = found.rates.set_index("customers")
    assert rows["events"].to_dict() == {"all": 100, "new": 40, "returning": 60}
    assert rows.loc["new", "approval_rate"] == pytest.approx(0.75)
    assert any("10 events where it says nothing" in note for note in found.notes)


def test_a_column_that_does_not_say_who_is_new_is_refused():
    frame = pd.DataFrame({"id": range(4), "done": "approve", "who": ["ja", "en", "ja", None]})
    with pytest.raises(ParameterError, match="does not say who is new"):
        rb.approval_rates(rb.read(frame, roles=rb.Roles(id="id", outcome="done")), new="who")
