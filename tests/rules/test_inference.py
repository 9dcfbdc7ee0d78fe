"""How much of a comparison is inference: what history stopped, what is told late, and how often the truth is held."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import riskbench as rb

SPOILED = 0.16
START = pd.Timestamp("2026-01-05")
BOOK = rb.RuleBook.from_yaml("""
book: two
domain: transactions
rules:
  - {id: R, when: "risky = 1", outcome: block, status: live}
""")


def _orders(rng, *, flips: int, fraud: float, passed: float = 1.0, sigma: float = 1.0, rest: int = 800, known=True):
    """Orders of which the rule stops some; history stopped all of these but a random part, or none."""
    rows = flips + rest
    risky = np.arange(rows) < flips
    frauds = np.where(risky, rng.random(rows) < fraud, rng.random(rows) < 0.05)
    stopped = risky & (rng.random(rows) >= passed)
    frame = pd.DataFrame(
        {
            "order": np.arange(rows),
            "amount": np.round(rng.lognormal(4.0, sigma, rows), 2) + 0.01,
            "risky": risky.astype(int),
            "did": np.where(stopped, "block", "approve"),
            "p": np.where(risky, passed, 1.0),
            "fraud": np.where(stopped, np.nan, frauds.astype(float)),
        }
    )
    roles = {"id": "order", "amount": "amount", "label": "fraud", "outcome": "did"}
    return rb.read(frame, roles=rb.Roles(**roles, **({"let_through": "p"} if known else {})))


def _compared(data, *, loosens: bool) -> rb.Comparison:
    off, on = (rb.simulate(book, data) for book in (BOOK.with_status("R", "shadow"), BOOK))
    return rb.compare(on, off) if loosens else rb.compare(off, on)


def test_without_anything_to_infer_all_ways_say_the_same():
    held = _compared(_orders(np.random.default_rng(1), flips=60, fraud=0.3), loosens=False)
    assert held.told == "counted"
    assert held.inferred_share == 0.0
    row = held.changes.iloc[0]
    for line in held.ways.to_dict("records"):
        assert [line[f"net_value{end}"] for end in ("", "_lower", "_upper")] == pytest.approx(
            [row["difference"], row["lower"], row["upper"]]
        )
    assert held.inference["events"].sum() == held.flips
    assert set(held.inference["direction"]) == {"newly stopped"}


def test_flips_add_up_by_direction_and_reason():
    held = _compared(_orders(np.random.default_rng(2), flips=300, fraud=0.2, passed=0.2), loosens=True)
    table = held.inference
    assert table["events"].sum() == held.flips == 300
    assert set(table["direction"]) == {"newly let pass"}
    blocked = int(table.loc[table["label"] == "unlabelled: blocked", "events"].sum())
    assert blocked == int(held.swaps["unlabelled_blocked"].sum()) == int(held.swaps["unlabelled"].sum())
    reasons = [name for name in held.swaps.columns if name.startswith("unlabelled_")]
    assert held.swaps[reasons].sum(axis=1).tolist() == held.swaps["unlabelled"].tolist()
    counted = held.ways.set_index("way").loc["counted", "net_value"]
    assert table["net_value"].sum() == pytest.approx(counted)


def test_what_history_stopped_is_estimated_where_some_was_let_through():
    held = _compared(_orders(np.random.default_rng(3), flips=600, fraud=0.5, passed=0.2), loosens=True)
    assert held.told == "estimated"
    assert 0.7 < held.inferred_share < 0.9
    assert held.answer == "surely worse"
    assert "let through at random stand for" in held.grounds.estimated
    assert held.grounds is not None
    assert "inference" in held.grounds.estimated
    assert "of it inference" in held.headline()[1].note
    asked = held.request(reason="less friction")
    assert asked.told == "estimated"
    assert "What it rests on" in asked.page
    assert rb.ChangeRequest.from_dict(asked.to_dict()).checksum == asked.checksum


def test_without_let_through_the_answer_is_bounded_and_never_surely_better():
    rng = np.random.default_rng(4)
    data = _orders(rng, flips=200, fraud=0.02, passed=0.6, known=False)
    held = _compared(data, loosens=True)
    counted = held.changes.iloc[0]
    assert counted["lower"] > 0
    assert held.told == "bounded"
    assert held.net[1] < 0 < held.net[2]
    assert held.answer == "not shown"
    assert "stopped by history" in held.why
    assert held.headline()[1].note == "bounded"
    assert held.grounds is not None
    assert "worst" in held.grounds.bounded


def test_more_let_through_never_widens_the_bounds():
    wide = []
    for passed in (0.1, 0.4, 0.9):
        held = _compared(_orders(np.random.default_rng(6), flips=400, fraud=0.2, passed=passed), loosens=True)
        row = held.ways.set_index("way").loc["bounded"]
        wide.append(row["net_value_upper"] - row["net_value_lower"])
    assert wide == sorted(wide, reverse=True)


def test_late_frauds_stand_for_later_ones():
    rng = np.random.default_rng(7)
    rows = 3_000
    risky = np.arange(rows) < 600
    fraud = rng.random(rows) < np.where(risky, 0.4, 0.05)
    at = START + pd.to_timedelta(rng.uniform(0, 120 * 86_400, rows).astype(int), unit="s")
    frame = pd.DataFrame(
        {"order": np.arange(rows), "at": at, "amount": 100.0, "risky": risky.astype(int), "fraud": fraud.astype(float)}
    )
    frame["told"] = pd.Series(at + pd.to_timedelta(rng.gamma(2.6, 15.0, rows), unit="D").round("s")).where(fraud)
    roles = rb.Roles(id="order", amount="amount", label="fraud", time="at", label_time="told")
    data = rb.read(frame, roles=roles, mature_after=100.0)
    moment = START + pd.Timedelta(days=120)
    off, on = (rb.simulate(book, data, asof=moment) for book in (BOOK.with_status("R", "shadow"), BOOK))
    held = rb.compare(off, on)
    assert held.told == "estimated"
    assert held.until is not None
    old = risky & (at < held.until)
    truth = 100.0 * float((old & fraud).sum()) - 16.0 * float((old & ~fraud).sum())
    counted = float(held.changes.iloc[0]["difference"])
    assert held.net[1] < truth < held.net[2]
    assert abs(held.net[0] - truth) < abs(counted - truth)
    assert 0 < held.inferred_share < 1


def test_what_if_tells_the_same_interval_as_a_comparison():
    data = _orders(np.random.default_rng(8), flips=80, fraud=0.3)
    today = rb.simulate(BOOK, data)
    tried = today.what_if(off=["R"]).changes.set_index("measure").loc["net value"]
    told = rb.compare(today, rb.simulate(BOOK.with_status("R", "retired"), data)).changes.iloc[0]
    for name in ("difference", "lower", "upper"):
        assert tried[name] == pytest.approx(told[name], rel=1e-9)


@pytest.mark.parametrize(
    ("flips", "fraud", "sigma", "passed", "rest"),
    # A heavy tail needs events beside the flips to be seen: with 600 of them nine of ten intervals hold the truth.
    [(60, 0.2, 1.5, 1.0, 2_500), (25, 0.2, 1.0, 1.0, 600), (500, 0.3, 1.0, 0.1, 600)],
)
def test_the_told_interval_holds_the_truth(flips, fraud, sigma, passed, rest):
    mean = math.exp(4.0 + sigma**2 / 2)
    truth = flips * mean * (fraud - SPOILED * (1 - fraud)) * (1.0 if passed == 1.0 else -1.0)
    held = naive = inside = 0
    seeds = 100
    for seed in range(seeds):
        rng = np.random.default_rng(1_000 + seed)
        data = _orders(rng, flips=int(rng.poisson(flips)), fraud=fraud, sigma=sigma, passed=passed, rest=rest)
        found = _compared(data, loosens=passed < 1.0)
        held += found.net[1] <= truth <= found.net[2]
        row = found.ways.set_index("way").loc[["counted", "bounded"]]
        naive += row.loc["counted", "net_value_lower"] <= truth <= row.loc["counted", "net_value_upper"]
        inside += row.loc["bounded", "net_value_lower"] <= truth <= row.loc["bounded", "net_value_upper"]
    assert held / seeds >= 0.86
    if passed < 1.0:
        assert naive / seeds < 0.5
        assert inside / seeds >= 0.95
