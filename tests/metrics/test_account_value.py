"""What an insulted seller or creator costs: the value of the account, in every verb that prices outcomes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.outcomes import ladder
from riskbench.metrics import worth

SHARE, DROP, CATCH, REVIEW = 0.2, 0.05, 0.9, 2.5
BOOK = """
book: demo
domain: {domain}
rules:
  - {{id: A-1, when: "score > 0.9", outcome: {stop}, status: live, priority: 10}}
  - {{id: A-2, when: "score > 0.6", outcome: review, status: live, priority: 20}}
  - {{id: A-3, when: "score > 0.4", outcome: {mild}, status: live, priority: 30}}
"""


def read(frame, domain, *, margin=False):
    measures = {"loss": "loss"} | ({"margin": "margin"} if margin else {})
    amount = {"amount": "amount"} if domain in ("affiliation", "transactions") else {}
    roles = rb.Roles(id="id", time="at", label="fraud", score="score", measures=measures, entities=("who",),
                     currency="USD", **amount)  # fmt: skip
    return rb.read(frame, roles=roles, domain=domain)


def drawn(rows=400, seed=3):
    rng = np.random.default_rng(seed)
    fraud = (rng.random(rows) < 0.2).astype(int)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "who": rng.integers(0, rows // 2, rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.uniform(0, 80, rows), unit="D"),
            "fraud": fraud,
            "score": np.round(np.clip(rng.normal(0.4 + 0.3 * fraud, 0.2), 0, 1), 3),
            "loss": np.where(fraud, np.round(rng.lognormal(4, 1, rows), 2), 0.0),
            "margin": np.round(rng.lognormal(3, 1, rows), 2),
            "amount": np.round(rng.lognormal(3, 1, rows), 2),
        }
    )


def told(domain):
    names = ladder(domain).names
    return rb.RuleBook.from_yaml(BOOK.format(domain=domain, stop=names[3], mild=names[1]))


def oracle(frame, domain, *, value=None, days=0.0):
    """What the book is worth, event by event."""
    seller, net = domain != "affiliation", 0.0
    late = min(1.0, days / 90) if seller else 0.0
    for row in frame.to_dict("records"):
        level = 3 if row["score"] > 0.9 else 2 if row["score"] > 0.6 else 1 if row["score"] > 0.4 else 0
        own = row["margin"] if value is None else value
        if row["fraud"]:
            net += row["loss"] * [0.0, 0.6, CATCH, 1.0][level]
        else:
            net -= own * [0.0, DROP, SHARE + (1 - SHARE) * late, 1.0 if seller else SHARE][level]
        net -= REVIEW if level == 2 else 0.0
    return net


@pytest.mark.parametrize(
    ("domain", "costs", "margin"),
    [
        ("onboarding", {"seller_value": 120.0}, False),
        ("onboarding", {"seller_value": 120.0, "first_sale_days": 18.0}, False),
        ("onboarding", {"first_sale_days": 400.0}, True),
        ("kyc", {"seller_value": 40.0, "first_sale_days": 5.0}, True),
        ("affiliation", {"creator_value": 75.5}, False),
        ("affiliation", {"creator_value": 75.5, "first_sale_days": 30.0}, True),
    ],
)
def test_a_simulation_prices_an_insulted_account_by_its_value(domain, costs, margin):
    frame, book = drawn(), told(domain)
    found = rb.simulate(book, read(frame, domain, margin=margin), costs=costs)
    own = None if margin and domain != "affiliation" else costs.get("seller_value", costs.get("creator_value"))
    want = oracle(frame, domain, value=own, days=costs.get("first_sale_days", 0.0))
    assert rb.appraise(found).net_value == pytest.approx(want, abs=0.01)
    assert any("what an account earns is" in note for note in found.notes)


def test_costs_stated_after_the_simulation_count_the_same():
    frame, book = drawn(), told("onboarding")
    events, costs = read(frame, "onboarding"), {"seller_value": 120.0, "first_sale_days": 18.0}
    late, early = (
        rb.appraise(rb.simulate(book, events), costs=costs),
        rb.appraise(rb.simulate(book, events, costs=costs)),
    )
    assert late.net_value == early.net_value
    first, second = rb.simulate(book, events), rb.simulate(book.without("A-1"), events)
    net = rb.compare(first, second, costs=costs).frame("changes").set_index("measure").loc["net value", "difference"]
    want = oracle(frame.assign(score=frame["score"].clip(upper=0.9)), "onboarding", value=120.0, days=18.0)
    assert net == pytest.approx(want - oracle(frame, "onboarding", value=120.0, days=18.0), abs=0.01)


def test_a_calibration_is_moved_by_the_value_of_an_account():
    frame = drawn(3_000)
    events = read(frame, "onboarding")
    low, high = (
        rb.calibrate(events, score="score", costs={"seller_value": value}, by=None) for value in (2.0, 4_000.0)
    )
    assert low.threshold < high.threshold
    assert "USD 4,000.00, stated and not measured" in high.grounds.estimated
    curve = high.frame("curve_exact").set_index("threshold")
    first = frame.sort_values("at").iloc[: len(frame)]
    window = first[first["at"] < first["at"].min() + (first["at"].max() - first["at"].min()) * 2 / 3]
    cut = float(curve.index[len(curve) // 2])
    hit = window[window["score"] >= cut]
    want = CATCH * hit["loss"].sum() - SHARE * 4_000.0 * (hit["fraud"] == 0).sum() - REVIEW * len(hit)
    assert curve.loc[cut, "net_value"] == pytest.approx(want, rel=0.02)
    doubled = high.costs.query("cost == 'seller_value' and change == 'doubled'").iloc[0]
    again = rb.calibrate(events, score="score", costs={"seller_value": 8_000.0}, by=None)
    assert doubled["threshold"] == pytest.approx(again.threshold)


def test_a_measured_value_by_tier_stands_before_a_stated_one():
    frame = drawn().assign(margin=lambda one: np.where(one["who"] % 2, 300.0, 10.0))
    events, book = read(frame, "onboarding", margin=True), told("onboarding")
    found = rb.appraise(rb.simulate(book, events, costs={"seller_value": 5.0}))
    assert found.net_value == pytest.approx(oracle(frame, "onboarding"), abs=0.01)


def test_where_nothing_is_stated_or_events_are_orders_nothing_changes():
    frame = drawn()
    for domain, costs in (("transactions", {"seller_value": 9.0, "creator_value": 9.0, "first_sale_days": 9.0}),
                          ("onboarding", {"creator_value": 9.0}), ("affiliation", {"seller_value": 9.0})):  # fmt: skip
        book, events = told(domain), read(frame, domain, margin=domain == "onboarding")
        plain, stated = rb.appraise(rb.simulate(book, events)), rb.appraise(rb.simulate(book, events, costs=costs))
        pd.testing.assert_frame_equal(plain.frame(), stated.frame())
        assert plain.net_value == stated.net_value


def test_the_sample_of_commissions_is_priced_by_the_creator():
    events = rb.sample("affiliation", region="BR", orders=5_000, seed=3)
    book = told("affiliation").to_yaml().replace("score > 0.9", "click_to_order_s < 60").replace(
        "score > 0.6", "click_to_order_s < 120").replace("score > 0.4", "click_to_order_s < 150")  # fmt: skip
    held = rb.simulate(rb.RuleBook.from_yaml(book), events)
    nets = [rb.appraise(held, costs={"creator_value": value}).net_value for value in (0.0, 10.0, 20.0)]
    assert nets[0] - nets[1] == pytest.approx(nets[1] - nets[2])
    assert nets[0] > nets[1]


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1e6), st.floats(0, 1e4), st.floats(0, 1), st.floats(0, 1))
def test_an_account_is_never_lost_more_than_once(value, days, share, drop):
    costs = rb.Costs(seller_value=value, creator_value=value, first_sale_days=days, insult_share=share,
                     challenge_drop=drop)  # fmt: skip
    for account in ("seller_value", "creator_value"):
        lost = [costs.good_cost(effect, account=account) for effect in ("none", "friction", "review", "stop")]
        assert lost[0] == 0
        assert all(0 <= part <= 1 for part in lost)
        assert lost[3] >= min(lost[2], share)


def test_the_worth_of_events_knows_what_it_was_stated_from():
    events = read(drawn(), "onboarding")
    held = worth(events, rb.Costs(seller_value=12.34))
    assert (held.account, held.stated, set(held.margin.tolist())) == ("seller_value", 12.34, {1234})
    assert held.margin_weight(rb.Costs(seller_value=24.68)) == pytest.approx(2)
    assert worth(events, rb.Costs()).account == worth(events).account == ""
