"""One cut, read exactly: the same numbers as the curve at that cut, and as the book run again with it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ParameterError
from tests.calibration.conftest import BOOK, dataset, made

BOOK_OF = rb.RuleBook.from_yaml(BOOK)
EVENTS = dataset(made())
FOUND = {
    "score": rb.calibrate(EVENTS, given=BOOK_OF, subject_to=rb.at_most("review_rate", 0.2)),
    "two cuts": rb.calibrate(EVENTS, given=BOOK_OF, two_cuts=True),
    "parameter": rb.calibrate(EVENTS, rule_param="TX-1.limit", given=BOOK_OF),
    "no book, no time": rb.calibrate(dataset(made().drop(columns=["at", "amount", "region"]))),
}


@pytest.mark.parametrize("name", FOUND)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_reading_is_the_row_of_the_exact_curve(name, data):
    found = FOUND[name]
    exact = found.frame("curve_exact")
    wanted = exact.iloc[data.draw(st.integers(0, len(exact) - 1))]
    row = found.at(float(wanted["threshold"])).row
    pd.testing.assert_frame_equal(row, wanted.to_frame().T.reset_index(drop=True), check_dtype=False, check_exact=True)


@pytest.mark.parametrize("name", ["score", "two cuts", "parameter"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.71])
def test_a_reading_is_what_the_book_does_when_it_is_run_again(name, share):
    """Between two observed cuts too: the book is run with the very cut that was asked for."""
    found = FOUND[name]
    cuts = np.sort(found.reader.drawn.table.cuts[1:])
    at = int(share * (len(cuts) - 1))
    reading = found.at(float(cuts[at] + cuts[at + 1]) / 2)
    run = rb.simulate(reading.apply(), EVENTS.between(*found.window.split(" to before ")))
    outcomes, row = run.outcomes.set_index("outcome"), reading.row.iloc[0]
    alerts, hard = outcomes.loc[["challenge", "review", "block"]], outcomes.loc[["review", "block"]]
    assert row["alerts"] == alerts["events"].sum()
    assert row["frauds"] == alerts["frauds"].sum()
    within = EVENTS.between(*found.window.split(" to before ")).frame(["amount", "fraud"])
    caught = within["amount"][(run.hits.resolution.level > 0) & (within["fraud"] == 1).to_numpy()].sum()
    assert row["value_caught"] == pytest.approx(caught)
    assert row["precision"] == pytest.approx(alerts["frauds"].sum() / alerts[["frauds", "good"]].sum().sum())
    assert row["recall"] == pytest.approx(alerts["frauds"].sum() / run.frauds)
    assert row["review_rate"] == pytest.approx(outcomes.loc["review", "events"] / run.events)
    assert row["insult_rate"] == pytest.approx(hard["good"].sum() / run.good)
    assert row["approval_rate"] == pytest.approx(1 - hard["events"].sum() / run.events)


@pytest.mark.parametrize("name", FOUND)
def test_segments_add_up_and_todays_numbers_are_those_of_today(name):
    found = FOUND[name]
    reading = found.at(float(np.median(found.reader.drawn.table.cuts[1:])))
    parts, row = reading.segments, reading.row.iloc[0]
    assert parts["alerts"].sum() == row["alerts"]
    assert parts["frauds"].sum() == row["frauds"]
    assert parts["net_value"].sum() == pytest.approx(row["net_value"])
    assert ((parts["upper"] - parts["lower"]) ** 2).sum() == pytest.approx((row["upper"] - row["lower"]) ** 2)
    today = reading.measures.set_index("measure")["today"] * found.window_weeks
    assert today["alerts"] == pytest.approx(row["alerts"] - row["added_alerts"])
    assert today["frauds alerted"] == pytest.approx(row["frauds"] - row["added_frauds"])
    if found.today is not None:
        own = found.at(found.today)
        held = own.measures[own.measures["measure"] != "net value"]
        assert held["value"].to_numpy() == pytest.approx(held["today"].to_numpy(), nan_ok=True)
        assert own.row["added_net_value"].iloc[0] == 0


def test_the_proposed_cut_reads_as_it_was_proposed():
    for found in FOUND.values():
        reading = found.at(found.threshold)
        assert reading.measures["value"].tolist() == pytest.approx(reading.measures["proposed"].tolist(), nan_ok=True)
        if found.name != "risk" or found.given is not None:
            assert reading.apply().hash == found.apply().hash


def test_limits_are_kept_or_broken_in_words():
    found = FOUND["score"]
    loose = found.at(float(found.reader.drawn.table.cuts[-1]))
    assert loose.limits["kept"].tolist() == [False]
    assert "BROKEN" in loose.limits["words"].iloc[0]
    assert "Limits: broken" in repr(loose)
    assert found.at(found.threshold).limits["kept"].tolist() == [True]


@pytest.mark.parametrize("cut", [math.nan, -math.inf, "0.5", None, True, 1j, np.array([1.0])])
def test_a_cut_is_a_number(cut):
    with pytest.raises(ParameterError):
        FOUND["score"].at(cut)


def test_no_cut_hits_nobody_and_leaves_no_rule():
    reading = FOUND["score"].at(math.inf)
    assert reading.row["added_alerts"].iloc[0] == 0
    assert [rule.id for rule in reading.apply().rules] == [rule.id for rule in BOOK_OF.rules]
    assert "no cut" in repr(reading)


def test_a_cut_keeps_to_the_books_bounds_and_below_the_block_cut():
    text = BOOK.replace("params: {limit: 200}", "params: {limit: {default: 200, min: 100, max: 400}}")
    found = rb.calibrate(EVENTS, rule_param="TX-1.limit", given=rb.RuleBook.from_yaml(text))
    with pytest.raises(ParameterError, match="bounds"):
        found.at(99.0)
    assert found.at(150.0).apply().rule("TX-1").params["limit"].default == 150
    two = FOUND["two cuts"]
    with pytest.raises(ParameterError, match="block"):
        two.at(two.threshold_block + 0.01)


def test_a_cut_between_two_settings_of_a_grid_is_refused_with_the_nearest():
    text = BOOK.replace('when: "amount > :limit"', 'when: "amount > :limit AND risk * 1000 > :limit"')
    book = rb.RuleBook.from_yaml(text.replace("limit: 200}", "limit: {default: 200, min: 0, max: 400}}"))
    found = rb.calibrate(EVENTS, rule_param="TX-1.limit", given=book)
    cuts = np.sort(found.reader.drawn.table.cuts[np.isfinite(found.reader.drawn.table.cuts)])
    with pytest.raises(ParameterError, match="nearest setting"):
        found.at(float(cuts[3] + cuts[4]) / 2)
    assert found.at(float(cuts[3])).threshold == cuts[3]


@given(most=st.integers(4, 300), keep=st.lists(st.floats(-1, 2), max_size=3))
@settings(max_examples=50, deadline=None)
def test_stops_are_few_rising_and_hold_what_is_kept(most, keep):
    stops = FOUND["score"].reader.stops(most, keep=keep)
    assert len(stops) <= max(most, 2 + len(keep))
    assert (np.diff(stops) > 0).all()
    assert set(keep) <= set(stops.tolist())


def test_missing_scores_are_never_hit():
    frame = made(2000)
    frame.loc[frame.index % 5 == 0, "risk"] = np.nan
    found = rb.calibrate(dataset(frame))
    assert found.at(-1e300).row["alerts"].iloc[0] == found.curve["alerts"].max() < found.at(0.5).measures["n"].max()
