"""What lies beside a cut is counted as a plain loop counts it, and a crowd under it is told by name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.calibration.brittleness.beside import readable_step
from riskbench.errors import ParameterError

BOOK = rb.RuleBook.from_yaml(
    """
book: beside
domain: transactions
rules:
  - {id: A, when: "country = 'BR'", outcome: block, priority: 10, status: live}
  - {id: S, when: "amount >= :limit AND NOT items > 3", outcome: block, priority: 20, status: live,
     params: {limit: {default: 97, min: 10, max: 1000}}, regions: {SG: {limit: 50}}}
  - {id: R, when: "items >= :many", outcome: review, priority: 30, status: live, params: {many: 4}}
  - {id: X, when: "country IN :shops", outcome: review, priority: 40, status: live, params: {shops: [VN]}}
  - {id: D, when: "amount > :top", outcome: review, status: draft, params: {top: 5}}
"""
)


def dataset(rows: int = 8_000, seed: int = 0, crowd: float = 0.0) -> rb.Dataset:
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(4.3, 0.8, rows).round(2)
    moved = (amount >= 97) & (amount < 105) & (rng.random(rows) < crowd)
    amount = np.where(moved, (97 - rng.random(rows)).round(2), amount)
    frame = pd.DataFrame(
        {
            "id": range(rows),
            "amount": np.where(rng.random(rows) < 0.02, np.nan, amount),
            "items": rng.geometric(0.5, rows),
            "country": rng.choice(["ID", "BR", "SG"], rows, p=[0.8, 0.1, 0.1]),
            "fraud": (rng.random(rows) < 0.05 + 0.2 * (amount > 60)).astype(int),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="m"),
        }
    )
    return rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", region="country"))


def rows_of(events: rb.Dataset) -> list[dict]:
    return events.frame().to_dict("records")


@pytest.mark.parametrize(("region", "cut"), [(None, 97.0), ("SG", 50.0), ("ID", 97.0)])
def test_bands_and_steps_count_as_a_plain_loop_does(region, cut):
    events = dataset(3_000)
    found = rb.brittleness(BOOK, events, rule_param="S.limit", by="region")
    bands, steps = found.frame("bands"), found.frame("steps")
    bands = bands[bands["region"].isna() if region is None else bands["region"] == region].set_index("band")
    steps = steps[steps["region"].isna() if region is None else steps["region"] == region].set_index("step")
    near = {share: [0, 0] for share in (0.01, 0.02, 0.05, 0.1)}
    hits, between, gain = 0, 0, 0.0
    for row in rows_of(events):
        if pd.isna(row["amount"]) or row["items"] > 3 or row["country"] == "BR":
            continue
        if (row["country"] == "SG") if region is None else (row["country"] != region):
            continue
        fraud = row["fraud"] == 1
        hits += row["amount"] >= cut
        for share, held in near.items():
            if cut - share * cut - 1e-6 <= row["amount"] < cut:
                held[0] += 1
                held[1] += fraud
        if steps.loc["looser", "cut"] <= row["amount"] < cut:
            between += 1
            gain += row["amount"] if fraud else -row["amount"] * 0.1 * rb.Costs().good_cost("stop")
    assert bands.loc["hit by it alone", "events"] == hits
    for share, (count, frauds) in near.items():
        assert bands.loc[f"{100 * share:g} %", "events"] == count
        assert bands.loc[f"{100 * share:g} %", "frauds"] == frauds
    assert steps.loc["looser", "n"] == between
    assert steps.loc["looser", "net_value"] == pytest.approx(gain)


def test_a_step_is_what_two_simulations_differ_by():
    events = dataset(3_000).where(np.asarray(dataset(3_000).frame()["country"] != "SG"))
    steps = rb.brittleness(BOOK, events, rule_param="S.limit").frame("steps").set_index("step")
    before = rb.simulate(BOOK, events).hits.resolution.level
    for word in ("looser", "stricter"):
        moved = rb.simulate(BOOK.with_params({"S": {"limit": float(steps.loc[word, "cut"])}}), events)
        assert int((moved.hits.resolution.level != before).sum()) == steps.loc[word, "n"]


def test_a_planted_crowd_is_named_among_all_cuts_of_a_book():
    quiet = rb.brittleness(BOOK, dataset(20_000)).frame().set_index("rule")
    assert quiet.index.tolist() == ["S", "R"]
    assert "crowd" not in quiet.loc["S", "finding"]
    told = rb.brittleness(BOOK, dataset(20_000, crowd=0.7)).frame().set_index("rule")
    assert "events crowd under it" in told.loc["S", "finding"]
    assert told.loc["S", "crowd_q"] <= 0.05
    assert told.loc["S", "crowd_lower"] > 0
    assert "one side" in told.loc["R", "crowd_why"]


def test_the_launch_date_makes_few_values_measurable():
    rng = np.random.default_rng(1)
    rows = 9_000
    late = np.arange(rows) >= 4_000
    tries = 1 + rng.geometric(0.35, rows)
    tries = np.where(late & (tries >= 4) & (rng.random(rows) < 0.4), 3, tries)
    frame = pd.DataFrame(
        {
            "id": range(rows),
            "items": tries,
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="m"),
        }
    )
    events = rb.read(frame, roles=rb.Roles(id="id", time="at"))
    book = BOOK.without("A").without("S").without("X").without("D")
    row = rb.brittleness(book, events, rule_param="R.many", launch=frame["at"][4_000]).frame().iloc[0]
    assert row["crowd_against"] == "before the launch"
    assert row["crowd_p"] < 0.01
    plain = rb.brittleness(book, events, rule_param="R.many").frame().iloc[0]
    assert pd.isna(plain["crowd_p"])
    assert pd.isna(plain["near_fraud_share"])  # no labels at all
    assert pd.isna(plain["looser_net"])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "amount": st.none() | st.sampled_from([0.0, 99.99, 100.0, 100.01, 1e12]),
                "items": st.none() | st.integers(0, 6),
                "country": st.sampled_from([None, "ID", "BR", "SG"]),
                "fraud": st.sampled_from([None, 0, 1]),
            }
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_few_events_give_a_page(held):
    frame = pd.DataFrame(held)
    frame = frame.astype({"amount": "Float64", "items": "Int64", "country": "string", "fraud": "Int8"})
    frame["id"] = range(len(frame))
    events = rb.read(frame, roles=rb.Roles(id="id", label="fraud", amount="amount", region="country"))
    for name in (None, "S.limit", "R.many", "D.top"):
        page = rb.brittleness(BOOK, events, rule_param=name, by="region")._repr_html_()
        assert not re.search(r">[^<]*\bnan\b[^<]*<", page)


def test_wrong_use_is_answered():
    events = dataset(300)
    for options in ({"rule_param": "S.limt"}, {"band": 2.0}, {"band": []}, {"band": "wide"}, {"by": "items"}):
        with pytest.raises(ParameterError):
            rb.brittleness(BOOK, events, **options)
    with pytest.raises(ParameterError, match="time"):
        rb.brittleness(BOOK, events.with_roles(time=None), launch="2026-01-02")


def test_steps_are_readable():
    assert [readable_step(most) for most in (0.2, 0.0499, 5.0, 99.0)] == [0.2, 0.02, 5.0, 50.0]
