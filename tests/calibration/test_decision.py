"""The decision record says what the evidence says, no more."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.calibration.words import promise_words
from riskbench.display import number
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


def test_a_wide_promise_is_never_called_kept():
    holdout = pd.DataFrame(
        {
            "measure": ["net value"],
            "per": ["week"],
            "value": [320.0],
            "lower": [-199.0],
            "upper": [830.0],
            "observed": [16.84],
            "kept": pd.array([True], dtype="boolean"),
        }
    )
    row = promise_words(holdout, "USD").iloc[0]
    assert "kept" not in row.index
    assert (row["within_range"], row["came_out"], row["per"]) == ("yes", "16.84", "USD per week")
    found = rb.calibrate(dataset(made()))
    came = next(fact for fact in found.headline() if fact.name == "Came out later")
    kept = bool(found.holdout["kept"].iloc[0])
    assert came.note == ("within the promised range" if kept else "outside the promised range")


def test_what_is_not_recommended_is_told_as_if_it_shipped(book):
    best = rb.calibrate(dataset(made()), given=book).apply()
    near = best.with_params({"CUT-risk": {"cut": float(best.rule("CUT-risk").values()["cut"]) + 0.02}})
    record = rb.decide(rb.calibrate(dataset(made()), given=near))
    assert not record.adopt
    first, cut, *others = record.headline()
    assert first.note.startswith("the gain is within chance: EUR ")
    assert cut.name == "Best cut found"
    assert all(fact.name.endswith("if shipped") and fact.signed for fact in others)
    page = record._repr_html_()
    assert "Rules, if the cut shipped (not recommended)" in page
    shipped = rb.decide(rb.calibrate(dataset(made()), given=book))
    assert shipped.adopt
    assert "above chance" in shipped.headline()[0].note
    assert "if the cut shipped" not in shipped._repr_html_()


def test_the_promise_and_a_lone_segment_are_told_once():
    found = rb.calibrate(dataset(made(regions=1)))
    record = rb.decide(found)
    assert found._repr_html_().count("within range") == 1
    assert "within range" not in record._repr_html_()
    assert "Segments" not in found._repr_html_()
    assert "Segments" in rb.calibrate(dataset(made()))._repr_html_()
    assert len(found.frame("segments")) == len(record.frame("cuts")) == 1


def test_costs_say_whether_they_were_given_and_regret_is_by_the_week():
    found = rb.calibrate(dataset(made()), by=None, costs={"margin": 0.1, "insult_share": 0.4})
    record = rb.decide(found)
    rows = record.assumptions.set_index("cost")
    assert set(rows.index[rows["source"] == "given"]) == {"margin", "insult_share"}
    assert rb.calibrate(dataset(made()), by=None, costs=rb.Costs(margin=0.2)).given_costs == ("margin",)
    caption, page = record.pages["assumptions"]
    assert "EUR a week" in caption
    told = page.set_index("cost")
    assert told.loc["margin", "value"] == "10 %"
    assert told.loc["minute_cost", "value"] == "EUR 0.50"
    weekly = rows.loc["margin", "regret_halved"] / found.window_weeks
    assert told.loc["margin", "regret a week if halved"] == number(weekly, "money")


def test_without_money_the_unit_is_said():
    found = rb.calibrate(dataset(made().drop(columns="amount")), by=None)
    record = rb.decide(found)
    assert found.headline()[1].name == "Promised net value a week, in weighted events"
    assert any(fact.name.endswith(", in weighted events") for fact in record.headline())
    assert record.pages["weekly"][1]["in"].iloc[0] == "weighted events"


def test_unmeasured_rows_are_sentences_and_nothing_is_cut_short():
    frame = made(4000)
    frame.loc[::7, "fraud"] = None
    record = rb.decide(rb.calibrate(dataset(frame, label_time=None)))
    assert len(record.unmeasured) >= 2
    assert "as noted" not in set(record.unmeasured["what"])
    assert record.unmeasured["why"].str.endswith(".").all()
    assert "..." not in record._repr_html_()


def test_near_cuts_can_be_told_apart_on_a_page():
    frame = made()
    frame["risk"] = frame["risk"] / 10 + 0.4 + np.arange(len(frame)) * 1e-9
    found = rb.calibrate(dataset(frame), by=None)
    cuts = found.pages["plateau"][1].set_index("point")["cut"]
    exact = found.plateau.set_index("point")["threshold"]
    assert len(set(cuts)) == exact.nunique()
    record = rb.decide(found)
    assert record.book is not None
    assert record.book.rule("CUT-risk").values()["cut"] == found.threshold
    short = number(found.threshold)
    assert record.recommendation.startswith(f"Set a cut of risk at {short} ")
    assert record.pages["rules"][1]["change"].iloc[0].endswith(f">= {short}")
    assert str(found.threshold) in record.rules["change"].iloc[0]


def test_own_cuts_count_only_where_there_is_a_common_cut():
    frame = made(12_000, seed=8)
    ranks = frame["region"] == "R0"
    rng = np.random.default_rng(1)
    # Scores rank in R0; in all other regions good events alone score high, so that no common cut pays.
    frame["risk"] = np.where(ranks, frame["risk"].clip(upper=0.89), np.round(0.9 + 0.1 * rng.random(len(frame)), 3))
    frame.loc[~ranks, "fraud"] = 0
    found = rb.calibrate(dataset(frame))
    paying = found.segments.set_index("segment")["status"]
    assert np.isinf(found.threshold)
    assert paying["R0"] == "own cut pays"
    assert not len(found.weekly_own)
    assert not found.apply(per_segment=True).rules
    record = rb.decide(found)
    assert np.isinf(record.cuts["proposed"]).all()
    assert any("would pay in R0" in note for note in found.notes)
