"""Two cuts, the plateau, segments and sensitivity: brute force, planted truths and laws."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.calibration.segments import INHERITS, OWN, SAME, discoveries
from tests.calibration.conftest import dataset, made

WINDOW = ("2026-01-01", "2027-01-01")
EVENTS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.sampled_from([10.0, 80.0, 900.0]), st.integers(0, 1)),
    min_size=1,
    max_size=14,
)


def brute(rows, limit=None):
    """Return the best net value over every pair of cuts, by plain Python."""
    costs, best = rb.Costs(), -math.inf
    cuts = [math.inf, *sorted({row[0] for row in rows})]
    for low, high in itertools.product(cuts, cuts):
        if high < low:
            continue
        net = reviews = 0.0
        for risk, amount, fraud in rows:
            effect = "stop" if risk >= high else "review" if risk >= low else "none"
            reviews += effect == "review"
            net += amount * costs.fraud_gain(effect) if fraud else -amount * costs.margin * costs.good_cost(effect)
            net -= costs.handling(effect)
        if limit is None or reviews / len(rows) <= limit + 1e-12:
            best = max(best, net)
    return best


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=EVENTS, limit=st.sampled_from([None, 0.0, 0.2, 0.5]))
def test_two_cuts_are_the_best_of_all_pairs(rows, limit):
    assume({row[2] for row in rows} == {0, 1})
    frame = pd.DataFrame(rows, columns=["risk", "amount", "fraud"])
    frame["id"], frame["at"] = np.arange(len(frame)), pd.date_range("2026-01-01", periods=len(frame), freq="D")
    limits = () if limit is None else rb.at_most("review_rate", limit)
    found = rb.calibrate(dataset(frame), choose_on=WINDOW, report_on=WINDOW, two_cuts=True, subject_to=limits, by=None)
    row = found.pair[(found.pair["form"] == "two cuts") & (found.pair["window"] == "choose")].iloc[0]
    assert row["net_value"] == pytest.approx(brute(rows, limit), abs=1e-6)
    assert found.threshold_review <= found.threshold_block


def test_two_cuts_simulated_again_give_the_same():
    frame = made()
    events = dataset(frame)
    found = rb.calibrate(events, choose_on=WINDOW, report_on=WINDOW, two_cuts=True, by=None)
    run = rb.simulate(found.apply(), events).outcomes.set_index("outcome")
    row = found.pair[(found.pair["form"] == "two cuts") & (found.pair["window"] == "choose")].iloc[0]
    assert run.loc[["review", "block"], "events"].sum() == row["alerts"]
    assert run.loc["review", "events"] / len(frame) == pytest.approx(row["review_rate"])
    assert row["added_alerts"] == row["alerts"]
    assert row["net_value"] >= found.pair[found.pair["form"] == "one cut"]["net_value"].iloc[0]


@pytest.mark.parametrize(("minutes", "collapsed"), [(60.0, True), (2.0, False)])
def test_a_pair_with_nothing_left_to_review_is_one_cut_in_every_table(minutes, collapsed):
    events = dataset(made(4000))
    found = rb.calibrate(events, two_cuts=True, costs=rb.Costs(review_minutes=minutes), by=None)
    assert (found.threshold == found.threshold_block) is collapsed
    assert math.isfinite(found.threshold)
    for name in ("curve", "curve_exact"):
        rows = found.frame(name)
        assert found.threshold in set(rows["threshold"])
        assert rows["threshold"].iloc[0] == found.threshold_block
        assert rows["threshold"].is_monotonic_decreasing
        window = events.between(*found.window.split(" to before "))
        at = rows[rows["threshold"] == found.threshold].iloc[0]
        assert at["alerts"] == rb.simulate(found.apply(), window).alerts
    points = found.plateau.set_index("point")
    assert points.loc["chosen", "threshold"] == found.threshold
    assert np.isfinite(points["threshold"]).all()
    assert math.isfinite(found.threshold_lower)
    assert found.threshold_lower <= found.threshold <= found.threshold_upper <= found.threshold_block
    assert np.isfinite(found.costs["threshold"]).all()
    assert not any("No cut is worth more than none" in note for note in found.notes)


def test_a_region_reviews_below_a_pair_with_nothing_left_to_review():
    events = dataset(made(4000))
    found = rb.calibrate(events, two_cuts=True, costs=rb.Costs(review_minutes=60.0))
    assert found.threshold == found.threshold_block
    own = found.segments.assign(status=SAME, own_threshold=found.threshold)
    own.loc[0, ["status", "own_threshold"]] = (OWN, 0.3)
    book = replace(found, segments=own).apply(per_segment=True)
    inside = events.where((events.frame(["region"])["region"] == own["segment"][0]).to_numpy())
    reviewed = rb.simulate(book, inside).outcomes.set_index("outcome").loc["review", "events"]
    risk = inside.frame(["risk"])["risk"]
    assert reviewed == ((risk >= 0.3) & (risk < found.threshold)).sum() > 0
    assert rb.simulate(book, events).outcomes.set_index("outcome").loc["review", "events"] == reviewed


def test_the_plateau_holds_the_chosen_cut_and_its_interval_tells_the_truth():
    rng, inside, trials = np.random.default_rng(0), 0, 60
    for seed in range(trials):
        fraud = rng.random(3000) < 0.2
        risk = np.round(np.clip(rng.normal(0.35 + 0.25 * fraud, 0.15), 0, 1), 3)
        frame = made(3000, seed=seed).assign(fraud=fraud.astype(int), risk=risk, amount=100.0)
        found = rb.calibrate(dataset(frame), choose_on=WINDOW, report_on=WINDOW, by=None)
        ends = found.plateau.set_index("point")["threshold"]
        assert ends["plateau, loosest"] <= found.threshold <= ends["plateau, strictest"]
        # Net gain of a hit: 90 - 2.5 for fraud, -8 - 2.5 for good; the best cut is where the odds cross.
        grid = np.linspace(0.2, 0.8, 6001)
        odds = 0.25 * np.exp(-((grid - 0.6) ** 2 - (grid - 0.35) ** 2) / (2 * 0.15**2))
        truth = grid[np.argmax(odds >= 10.5 / 87.5)]
        inside += ends["plateau, loosest"] <= truth <= ends["plateau, strictest"]
    assert inside / trials >= 0.9


def test_the_plateau_says_what_lies_beside_the_cut():
    found = rb.calibrate(dataset(made()), by=None)
    rows = found.plateau.set_index("point")
    assert rows.loc["chosen", "change"] == 0
    assert (found.plateau["change"] <= 1e-9).all()
    assert rows.loc["5% more alerts", "alerts"] >= 1.05 * rows.loc["chosen", "alerts"] - 1
    assert rows.loc["5% more alerts", "n"] > 0


def uneven() -> pd.DataFrame:
    """Return three regions: one whose scores run lower, one like the rest, one with hardly any fraud."""
    frame = made(12_000, seed=8)
    shift = frame["region"] == "R1"
    frame["risk"] = np.round(np.clip(frame["risk"] - 0.25 * shift, 0, 1), 3)
    few = (frame["region"] == "R2") & (frame["fraud"] == 1)
    frame.loc[few[few].index[10:], "fraud"] = 0
    return frame


def test_segments_find_the_region_that_needs_its_own_cut():
    found = rb.calibrate(dataset(uneven()))
    rows = found.segments.set_index("segment")
    assert rows.loc["R1", "status"] == OWN
    assert rows.loc["R1", "own_threshold"] < found.threshold - 0.1
    assert rows.loc["R1", "lower"] > 0
    assert rows.loc["R2", "status"] == INHERITS
    assert pd.isna(rows.loc["R2", "own_threshold"])
    book = found.apply(per_segment=True)
    assert set(book.rule("CUT-risk").regions) == set(rows.index[rows["status"] == OWN])
    assert book.rule("CUT-risk").values("R1")["cut"] == rows.loc["R1", "own_threshold"]


def test_segments_add_up_to_the_whole():
    found = rb.calibrate(dataset(uneven()))
    later = found.frame("curve_later").set_index("threshold")
    at = (
        later[later.index <= found.threshold].iloc[0]
        if found.threshold not in later.index
        else later.loc[found.threshold]
    )
    assert found.segments["net_uniform"].sum() == pytest.approx(at["net_value"])
    choose = found.provenance["windows"]["choose_events"]
    assert found.segments["n"].sum() == choose


def test_like_regions_get_no_cuts_of_their_own():
    own = 0
    for seed in range(12):
        found = rb.calibrate(dataset(made(5000, seed=seed, regions=6)))
        own += int((found.segments["status"] == OWN).any())
    assert own <= 3


def test_a_missing_region_is_a_segment_of_its_own():
    frame = made(3000)
    frame["region"] = frame["region"].where(frame["region"] != "R1")
    found = rb.calibrate(dataset(frame))
    assert "(missing)" in set(found.segments["segment"])
    assert set(found.segments["status"]) <= {OWN, SAME, INHERITS}


def test_segments_by_any_column_or_none():
    frame = made(3000).assign(device=lambda f: np.where(f["id"] % 2, "new", "old"))
    assert set(rb.calibrate(dataset(frame), by="device").segments["segment"]) == {"new", "old"}
    assert len(rb.calibrate(dataset(frame), by=None).segments) == 0


def test_discoveries_follow_benjamini_and_hochberg():
    rng = np.random.default_rng(1)
    for _ in range(200):
        p = np.round(rng.random(rng.integers(1, 9)) ** 3, 3)
        order = sorted(range(len(p)), key=lambda i: p[i])
        passed = [rank for rank, i in enumerate(order, 1) if p[i] <= 0.05 * rank / len(p)]
        wanted = {order[rank] for rank in range(max(passed, default=0))}
        assert set(np.flatnonzero(discoveries(p)).tolist()) == wanted


def test_dearer_insults_never_loosen_the_cut():
    events = dataset(made())
    found = rb.calibrate(events, by=None)
    rows = found.costs.set_index(["cost", "change"])
    for name in ("margin", "insult_share", "future_orders", "review_minutes", "minute_cost"):
        assert rows.loc[(name, "halved"), "threshold"] <= found.threshold <= rows.loc[(name, "doubled"), "threshold"]
    assert (found.costs["regret"] >= 0).all()
    again = rb.calibrate(events, costs=rb.Costs().scaled("margin", 2.0), by=None)
    assert again.threshold == rows.loc[("margin", "doubled"), "threshold"]


def test_the_cuts_interval_is_repeatable_and_holds_the_cut():
    events = dataset(made())
    one, two = (rb.calibrate(events, by=None, seed=4) for _ in range(2))
    assert (one.threshold_lower, one.threshold_upper) == (two.threshold_lower, two.threshold_upper)
    assert one.threshold_lower <= one.threshold <= one.threshold_upper


def test_where_the_limits_leave_no_cut_the_page_does_not_blame_the_costs():
    events = dataset(made())
    free = rb.calibrate(events)
    assert np.isfinite(free.threshold)
    held = rb.calibrate(events, subject_to=rb.at_most("review_rate", 0.0))
    assert not np.isfinite(held.threshold)
    assert "No cut that keeps to the limits is worth more than none under these costs." in held.notes
    assert "that keeps to the limits" in rb.decide(held).headline()[0].note
