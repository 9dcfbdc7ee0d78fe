"""What does troubling a good customer cost? Laws, a slow oracle, bad input, and the intervals' coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.growth.activity import Activity
from riskbench.metrics.growth.matched import changes, match
from riskbench.metrics.growth.survival import still_without

ROLES = rb.Roles(id="id", time="at", label="fraud", amount="amount", outcome="done", entities=("buyer_id",))


def made(rows: int = 3_000, *, seed: int = 1, held: float = 0.08) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "buyer_id": [f"b{n}" for n in rng.integers(0, 300, rows)],
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 200 * 86_400, rows), unit="s"),
            "amount": rng.lognormal(3, 1, rows).round(2),
            "fraud": 0,
            "done": np.where(rng.random(rows) < held, "review", "approve"),
            "land": rng.choice(["ID", "BR"], rows),
        }
    )


moments = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(0, 5)), max_size=25)


@given(moments, st.integers(1, 10))
def test_activity_equals_the_oracle(rows, span):
    entity, time, money = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(3))
    count, paid, gap = Activity.of(entity, time, money.astype(float)).later(entity, time, span)
    for k, (who, when, _) in enumerate(rows):
        after = sorted((t, m) for e, t, m in rows if e == who and when < t <= when + span)
        assert count[k] == len(after)
        assert paid[k] == sum(m for _, m in after)
        assert gap[k] == (after[0][0] - when if after else -1)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=20))
def test_survival_equals_the_oracle(rows):
    days, came = np.array([d for d, _ in rows], dtype=float), np.array([c for _, c in rows])
    grid = np.arange(0.0, 10.0)
    share, low, high, _ = still_without(days, came, grid)
    for day, value in zip(grid, share, strict=True):
        if np.isnan(value):
            assert day > days.max()  # nobody is watched so long
            continue
        left = 1.0
        for moment in sorted({d for d, _ in rows if d <= day}):
            risk = sum(d >= moment for d, _ in rows)
            left *= 1 - sum(d == moment and c for d, c in rows) / risk
        assert value == pytest.approx(left)
    known = ~np.isnan(share)
    assert (low[known] <= share[known] + 1e-12).all()
    assert (share[known] <= high[known] + 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 5)), min_size=4, max_size=40))
def test_the_change_is_the_mean_over_strata_and_no_order_matters(rows):
    treated = np.array([t for t, _, _ in rows])
    codes = np.array([s for _, s, _ in rows], dtype=np.int64)
    value = np.array([v for _, _, v in rows], dtype=float)
    alike, who = np.zeros((len(rows), 1)), np.arange(len(rows))
    found = match(treated, ~treated, [codes])
    (change,) = changes(found, [value], alike=alike, cluster=who, least=1)
    pairs = [(v, [w for u, r, w in rows if not u and r == s]) for t, s, v in rows if t]
    used = [v - sum(others) / len(others) for v, others in pairs if len(others) >= 2]
    assert found.left_over == sum(len(others) < 2 for _, others in pairs)
    if not used:
        assert change.change is None
        return
    assert change.change == pytest.approx(sum(used) / len(used))
    turned = slice(None, None, -1)
    again = match(treated[turned], ~treated[turned], [codes[turned]])
    (other,) = changes(again, [value[turned]], alike=alike, cluster=who, least=1)
    assert other.change == pytest.approx(change.change)
    assert other.upper == pytest.approx(change.upper)


def test_row_order_changes_nothing_and_the_costs_name_their_source():
    frame = made()
    first = rb.insult_price(rb.read(frame, roles=ROLES, name="shop"), days=40)
    again = rb.insult_price(rb.read(frame.sample(frac=1, random_state=1), roles=ROLES, name="shop"), days=40)
    pd.testing.assert_frame_equal(first.steps, again.steps, rtol=1e-9)
    costs = first.costs(rb.Costs(margin=0.2))
    assert costs.margin == 0.2
    assert costs.origins["insult_share"] == costs.origins["future_orders"] == "measured over 40 days on shop"
    assert costs.challenge_drop == rb.Costs().challenge_drop, "nobody was challenged"
    assert "challenge_drop" not in costs.origins
    assert set(first.costs(per_step=True).friction) == {"review"}


def test_too_few_is_not_measurable():
    found = rb.insult_price(rb.read(made(held=0.005), roles=ROLES), days=40)
    row = found.row("held or stopped", "left")
    assert row["change"] is None
    assert "can be compared" in row["why"]
    assert found.costs() == rb.Costs()


def test_the_let_through_answer_where_there_are_enough():
    frame = made(6_000, held=0.3)
    drawn = np.random.default_rng(3).random(len(frame)) < 0.5
    frame["p"] = np.where(frame["done"] == "review", 0.5, 1.0)
    frame.loc[drawn & (frame["done"] == "review"), "done"] = "approve"
    found = rb.insult_price(rb.read(frame, roles=ROLES.with_roles(let_through="p")), days=10)
    assert found.answer == "held or stopped, against let through"


def test_known_frauds_and_their_buyers_are_left_out():
    frame = made()
    frame.loc[frame["buyer_id"].isin([f"b{n}" for n in range(290)]), "fraud"] = 1
    found = rb.insult_price(rb.read(frame, roles=ROLES), days=40)
    assert found.row("held or stopped", "left")["customers"] <= 10


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"days": 0}, ParameterError),
        ({"days": True}, ParameterError),
        ({"days": 400}, DataError),
        ({"tiers": 0}, ParameterError),
        ({"by": "id"}, ParameterError),
        ({"entity": "nobody"}, rb.RiskbenchError),
        ({"entity": ["buyer_id"]}, rb.RiskbenchError),
        ({"by": ["land"]}, ParameterError),
        ({"by": np.ones(2)}, ParameterError),
        ({"costs": 7}, ParameterError),
    ],
)
def test_bad_input(asked, error):
    with pytest.raises(error):
        rb.insult_price(rb.read(made(400), roles=ROLES), **asked)


def test_without_time_outcome_or_entity_it_says_what_is_missing():
    for role in ("time", "outcome", "entities"):
        with pytest.raises(DataError, match=role):
            rb.insult_price(rb.read(made(50), roles=ROLES.with_roles(**{role: () if role == "entities" else None})))


def test_sellers_first_sale_and_margin_by_tier():
    rng = np.random.default_rng(5)
    day = rng.integers(0, 100, 400)
    base = pd.Timestamp("2026-01-01")
    applied = pd.DataFrame({"id": range(400), "at": base + pd.to_timedelta(day, unit="D")})
    applied["seller_id"] = [f"s{n}" for n in range(400)]
    applied["done"] = np.where(applied["id"] % 4 == 0, "review", "approve")
    applied["size"] = np.where(applied["id"] < 200, "a", "b")
    sold = applied.loc[applied.index < 300, ["seller_id", "at"]].copy()
    sold["at"] += pd.to_timedelta(10, unit="D")
    sold["id"], sold["amount"] = range(len(sold)), 50.0
    sold.loc[len(sold)] = ["nobody", base + pd.Timedelta(days=300), 999, 1.0]
    apply = rb.read(
        applied, roles=rb.Roles(id="id", time="at", outcome="done", entities="seller_id"), domain="onboarding"
    )
    orders = rb.read(sold, roles=rb.Roles(id="id", time="at", amount="amount", entities="seller_id"))
    found = rb.insult_price(apply, activity=orders, tiers="size", days=60)
    tiers = found.tiers.set_index("tier")
    assert tiers.loc["a", "first_sale_days"] == 10
    assert tiers.loc["a", "margin"] == pytest.approx(5.0)
    assert tiers.loc["b", "sold_share"] == pytest.approx(0.5)
    assert found.row("review", "left")["change"] == pytest.approx(0.0, abs=0.15)


def test_costs_take_measured_steps_and_stay_as_they_were_without():
    assert rb.Costs(friction={"review": 0.3}).good_cost("review") == 0.3
    assert rb.Costs(friction={"review": 0.3}).good_cost("stop") == rb.Costs().good_cost("stop")
    assert rb.Costs(friction={"review": 0.3}).scaled("friction.review", 2).friction == {"review": 0.6}
    assert "seller_value" not in rb.Costs().to_dict()
    assert rb.Costs(seller_value=7.0).to_dict()["seller_value"] == 7.0
    assert hash(rb.Costs()) == hash(rb.Costs())
    for wrong in ({"friction": {"reviw": 1.0}}, {"friction": {"review": -1.0}}, {"friction": {"approve": 1.0}},
                  {"friction": {"challenge": 0.1, "hold": 0.1}}, {"friction": 3}, {"seller_value": -1.0}):  # fmt: skip
        with pytest.raises(ParameterError):
            rb.Costs(**wrong)


def test_intervals_hold_the_true_change_and_the_plain_difference_does_not():
    """Newer customers are held more and leave more; a held one leaves for it with a chance of 0.3."""
    seeds, right, plain = 300, 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 9])
        rows = 900
        band = rng.integers(0, 3, rows)
        treated = rng.random(rows) < np.array([0.3, 0.15, 0.05])[band]
        stays = rng.random(rows) < np.array([0.45, 0.7, 0.9])[band]
        effect = treated & (rng.random(rows) < 0.3)
        left = 1.0 - (stays & ~effect)
        found = match(treated, ~treated, [band])
        (change,) = changes(found, [left], alike=np.zeros((rows, 1)), cluster=np.arange(rows))
        share = np.array([0.3, 0.15, 0.05])
        truth = 0.3 * float((share * [0.45, 0.7, 0.9]).sum() / share.sum())
        right += change.lower <= truth <= change.upper
        plain += abs(change.naive - truth) < change.upper - change.change
    # 300 draws at 0.95: below 0.905 with p < 1e-3 each side of what a right interval does, and never by a wrong one.
    assert 0.90 <= right / seeds <= 0.99
    assert plain / seeds < 0.7


def test_refunds_below_zero_bend_no_comparison():
    frame = made(1_500)
    frame.loc[::9, "amount"] = -frame["amount"]
    row = rb.insult_price(rb.read(frame, roles=ROLES), days=30).row("held or stopped", "left")
    assert row["change"] is not None
    assert row["lower"] < row["change"] < row["upper"]


def test_a_row_with_stopped_events_says_that_it_is_an_upper_end():
    frame = made()
    held = np.flatnonzero(frame["done"] == "review")
    frame.loc[held[::2], "done"] = "block"
    found = rb.insult_price(rb.read(frame, roles=ROLES), days=20)
    said = found.row("block", "left")["reading"]
    assert said.startswith("upper end of the loss: ")
    assert said.endswith(" stopped events have no verdict")
    assert found.row("held or stopped", "left")["reading"] == said
    assert found.row("review", "left")["reading"] == ""
    assert [fact.note for fact in found.headline()[:3]] == [said] * 3
    plain = rb.insult_price(rb.read(made(), roles=ROLES), days=20)
    assert not plain.steps["reading"].any()
