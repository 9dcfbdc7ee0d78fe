"""The decision record says what the evidence says, no more."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import ParameterError
from tests.calibration.conftest import dataset, made


def test_a_clear_gain_is_recommended(book):
    events = dataset(made())
    found = rb.calibrate(events, given=book)
    record = rb.decide(found, title="Cut of June")
    assert record.adopt
    assert record.recommendation.startswith(f"Set a cut of risk at {found.threshold}")
    row = record.weekly.iloc[0]
    assert row["lower"] > 0
    assert record.provenance["book_today"] == book.hash
    assert record.provenance["book_proposed"] == found.apply(per_segment=True).hash
    assert any("CUT-risk" in line for line in record.rules["change"])
    assert record.provenance["title"] == "Cut of June"


def test_a_score_of_noise_is_not_shipped():
    frame = made(4000).assign(risk=lambda f: np.random.default_rng(0).random(len(f)).round(3))
    record = rb.decide(rb.calibrate(dataset(frame), by=None))
    assert not record.adopt
    assert record.recommendation.startswith("Keep the live rules as they are")


def test_todays_cut_stays_where_the_difference_is_chance(book):
    events = dataset(made())
    best = rb.calibrate(events, given=book).apply()
    again = rb.decide(rb.calibrate(events, given=best))
    assert not again.adopt
    assert again.recommendation.endswith("it is the best one.")
    near = best.with_params({"CUT-risk": {"cut": float(best.rule("CUT-risk").values()["cut"]) + 0.02}})
    record = rb.decide(rb.calibrate(events, given=near))
    assert not record.adopt
    assert "within chance" in record.recommendation


def test_without_a_later_window_nothing_is_shown():
    events = dataset(made())
    found = rb.calibrate(events, choose_on=("2026-01-01", "2026-12-31"))
    record = rb.decide(found)
    assert not record.adopt
    assert "not shown" in record.recommendation
    assert any("later window" in what for what in record.unmeasured["what"])


def test_a_rules_parameter_is_raised_or_lowered_in_words(book):
    record = rb.decide(rb.calibrate(dataset(made()), rule_param="TX-1.limit", given=book))
    today = record.cuts["today"].iloc[0]
    assert today == 200
    assert "TX-1" in record.recommendation or "Keep today's cut of 200" in record.recommendation


def test_assumptions_name_every_cost_and_what_it_would_change():
    found = rb.calibrate(dataset(made()), by=None)
    rows = rb.decide(found).assumptions.set_index("cost")
    assert list(rows.index) == list(rb.Costs().to_dict())
    assert rows.loc["challenge_drop", "reading"] == "the cut stays"
    moved = rows[(rows["cut_halved"] != found.threshold) | (rows["cut_doubled"] != found.threshold)]
    assert moved["reading"].str.startswith("the cut moves").all()


def test_a_doubled_share_that_stops_at_one_says_so():
    found = rb.calibrate(dataset(made(2000)), by=None)
    costs = found.costs.set_index(["cost", "change"])
    shares = {name for name, value in rb.Costs().to_dict().items() if value * 2 > 1 and value <= 1}
    capped = {cost for (cost, change), held in costs["capped"].items() if held and change == "doubled"}
    assert capped == shares - {"minute_cost"} == {"loss_share", "review_catch", "challenge_catch"}
    assert not costs.xs("halved", level="change")["capped"].any()
    rows = rb.decide(found).assumptions.set_index("cost")["reading"]
    assert rows["loss_share"].endswith("doubling changes nothing: it is 1 already")
    assert rows["review_catch"].endswith("doubled, it is capped at 1")
    assert not rows.drop(list(capped)).str.contains("capped|already").any()


def test_the_new_rule_is_told_with_its_value():
    frame = made(12_000, seed=8)
    frame["risk"] = np.round(np.clip(frame["risk"] - 0.25 * (frame["region"] == "R1"), 0, 1), 3)
    found = rb.calibrate(dataset(frame))
    line = rb.decide(found).rules["change"].iloc[0]
    own = found.segments.set_index("segment").loc["R1", "own_threshold"]
    assert line == f'CUT-risk: added (review, live): "risk" >= {found.threshold}; cut in R1 {own}'


def test_cuts_are_own_only_where_they_pay():
    frame = made(12_000, seed=8)
    frame["risk"] = np.round(np.clip(frame["risk"] - 0.25 * (frame["region"] == "R1"), 0, 1), 3)
    found = rb.calibrate(dataset(frame))
    rows = rb.decide(found).cuts.set_index("segment")
    assert rows.loc["R1", "proposed"] == rows.loc["R1", "own_cut"]
    for name, row in rows.iterrows():
        if row["status"] != "own cut pays":
            assert row["proposed"] == found.threshold, name


def test_today_change_and_checks_are_read(book):
    events = dataset(made())
    found = rb.calibrate(events, given=book)
    before, after = rb.simulate(book, events), rb.simulate(found.apply(), events)
    record = rb.decide(found, today=before, change=rb.compare(before, after))
    assert record.provenance["book_today"] == book.hash
    assert set(record.swaps["measure"]) >= {"alerts", "reviews"}


def test_the_record_is_json_safe_and_draws(book):
    record = rb.decide(rb.calibrate(dataset(made()), given=book, two_cuts=True))
    text = json.dumps(record.to_dict())
    assert "NaN" not in text
    assert record.png()[:4] == b"\x89PNG"
    assert len(record.headline()) <= 6
    assert isinstance(record.frame(), pd.DataFrame)


def test_a_record_without_money_still_reads():
    record = rb.decide(rb.calibrate(dataset(made().drop(columns="amount")), by=None))
    assert any("No money" in why for why in record.unmeasured["why"])


def test_hostile_names_are_escaped():
    frame = made(2000)
    frame["region"] = frame["region"].str.replace("R0", "<script>alert(1)</script>")
    record = rb.decide(rb.calibrate(dataset(frame)))
    assert "<script>" not in record._repr_html_()


def test_only_a_calibration_can_be_decided():
    with pytest.raises(ParameterError, match="takes a calibration"):
        rb.decide("risk")


def test_a_handful_of_events_is_no_evidence():
    frame = made(3000)
    score = np.zeros(len(frame))
    frauds = np.flatnonzero(frame["fraud"].to_numpy())
    score[frauds[::25]] = 1.0  # a perfect score that hardly ever speaks
    record = rb.decide(rb.calibrate(dataset(frame.assign(risk=score)), by=None))
    assert not record.adopt
    assert "too few to tell" in record.recommendation


def test_noise_is_hardly_ever_adopted():
    adopted = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        frame = made(2500, seed=seed).assign(risk=rng.random(2500).round(3))
        adopted += rb.decide(rb.calibrate(dataset(frame), by=None)).adopt
    assert adopted <= 4  # one in forty would be luck at 2.5 %


def test_a_cut_on_a_leak_is_not_recommended():
    frame = made(4000)
    frame["scenario"] = frame["fraud"] * 3
    events = dataset(frame)
    checks = rb.check(events)
    assert "scenario" in checks.why
    found = rb.calibrate(events, score="scenario", by=None)
    assert rb.decide(found).adopt
    record = rb.decide(found, checks=checks)
    assert not record.adopt
    assert "leakage" in record.recommendation
    honest = rb.decide(rb.calibrate(events, by=None), checks=checks)
    assert honest.adopt
    assert any("RB" in note for note in honest.notes)
