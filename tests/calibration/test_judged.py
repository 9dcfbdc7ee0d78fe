"""Does a calibration's page hold one answer: the comparison and the recommendation, on events that did not choose?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.display import number
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.costs import Costs
from tests.calibration.conftest import BOOK, dataset, made

COSTS = [None, {"margin": 0.3, "minute_cost": 5.0}, {"loss_share": 0.1}]


def shown(costs=None, seed=7, **wanted):
    events, book = dataset(made(seed=seed)), rb.RuleBook.from_yaml(BOOK)
    held = rb.calibrate(events, given=book, costs=costs, **wanted)
    sides = [rb.simulate(one, events, costs=costs) for one in (book, held.apply(book, per_segment=True))]
    return held, sides, held.compare(*sides), rb.decide(held)


@pytest.mark.parametrize("costs", COSTS)
@pytest.mark.parametrize("seed", range(3))
def test_the_comparison_and_the_record_give_one_answer(seed, costs):
    held, _, change, record = shown(costs, seed)
    row, net = record.weekly.iloc[0], change.changes.iloc[0]
    assert net["difference"] / held.judged_weeks == pytest.approx(row["change"], abs=1e-6)
    assert net["lower"] / held.judged_weeks <= row["lower"] + 1e-6
    assert net["upper"] / held.judged_weeks >= row["upper"] - 1e-6
    assert record.adopt or change.answer != "surely better"
    text = f"{change._repr_html_()}{record._repr_html_()}"
    assert record.adopt or "Keep" in text
    assert held.reader.study.windows.report.words in change.pages["crossed"][0]
    assert change.events_compared == int(held.reader.study.windows.report.mask.sum())
    assert change.weeks == held.judged_weeks
    assert any(held.assumptions.told("EUR") in note for note in change.notes)


def test_without_a_later_window_it_says_that_the_events_chose_the_cut():
    _, sides, change, record = shown(report_on=("2030-01-01", "2031-01-01"))
    assert "including the events that the cut was chosen on" in change.pages["crossed"][0]
    assert not record.adopt
    assert rb.compare(*sides).answer == "surely better", "all events flatter the cut"
    assert change.answer == "not shown"
    assert change.why


def test_without_time_the_rest_that_did_not_choose_is_compared():
    events, book = dataset(made().drop(columns=["at"])), rb.RuleBook.from_yaml(BOOK)
    held = rb.calibrate(events, given=book)
    change = held.compare(rb.simulate(book, events), rb.simulate(held.apply(book), events))
    assert "did not see" in change.notes[0]
    assert change.events_compared == int(held.reader.study.windows.report.mask.sum())


def test_other_events_are_refused():
    held, sides, _, _ = shown()
    fewer = dataset(made().iloc[:-1])
    with pytest.raises(DataError, match="other events"):
        held.compare(*(rb.simulate(side.book, fewer) for side in sides))
    with pytest.raises(ParameterError, match="two simulations"):
        held.compare(sides[0], pd.DataFrame())


def test_the_promise_is_the_curve_less_what_the_choice_owes_to_luck():
    held, *_ = shown()
    row = held.holdout.iloc[0]
    assert row["lower"] < row["value"] < row["upper"]  # not in the middle: rare large frauds pull one end
    here = held.at(held.threshold).row["net_value"].iloc[0] / held.window_weeks
    note = [note for note in held.notes if "owes to luck" in note]
    assert bool(note) == (here - row["value"] > 1e-9)
    if note:
        assert number(here - row["value"], "money", currency="EUR") in note[0]


def test_no_figure_of_another_cut_bears_the_promise_s_words():
    held, *_ = shown()
    names = {fact.name for fact in held.headline()[1:]} & {fact.name for fact in held.at(held.threshold).headline()}
    assert not names


def test_a_cost_says_where_it_comes_from():
    costs = Costs.from_mapping({"margin": 0.1})
    assert costs.origins == {"margin": "given"}
    held = Costs(minute_cost=700.0, origins={"minute_cost": "the sample region's"})
    assert held.told("IDR").endswith("5 minutes at IDR 700, the sample region's")
    assert held == Costs(minute_cost=700.0)
    rows = rb.decide(shown(held)[0]).assumptions.set_index("cost")["source"]
    assert rows["minute_cost"] == "the sample region's"
    assert rows["margin"] == "default"


def test_what_is_known_of_the_later_window_is_what_is_known_of_all_events():
    rng = np.random.default_rng(4)
    size = 20_000
    frame = pd.DataFrame({"id": np.arange(size), "amount": rng.lognormal(3, 1, size).round(3)})
    frame["at"] = pd.Timestamp("2026-01-05") + pd.to_timedelta(np.arange(size) * 13, unit="min")
    bad = rng.random(size) < 0.03
    frame["risk"] = np.clip(rng.normal(0.3 + 0.3 * bad, 0.12), 0, 1).round(2)
    told = frame["at"] + pd.to_timedelta(rng.gamma(2.5, 14, size), unit="D")
    known = bad & (told <= frame["at"].max())
    frame["bad"], frame["told"] = known.astype(int), told.where(known)
    roles = rb.Roles(id="id", time="at", label="bad", label_time="told", amount="amount", score="risk")
    events = rb.read(frame, roles=roles)
    book = rb.RuleBook.from_yaml(
        "book: own\ndomain: transactions\nrules:\n  - {id: TX-1, when: risk > 0.75, outcome: block, status: live}\n"
    )
    held = rb.calibrate(events, given=book)
    change = held.compare(rb.simulate(book, events), rb.simulate(held.apply(book), events))
    assert f"{change.flips:,} of {change.flips:,} flips have a verdict, as of 2026-07-04" in change.grounds.measured
    row = held.weekly.iloc[0]
    net = [end / held.judged_weeks for end in change.net]
    assert net[0] == pytest.approx(row["change"], rel=0.05)
    assert net[1] <= net[0] - (row["change"] - row["lower"]) + 1e-6
    assert net[2] >= net[0] + (row["upper"] - row["change"]) - 1e-6


def test_each_way_of_telling_the_change_is_at_least_as_uncertain_as_differing_weeks_make_it() -> None:
    _, _, change, _ = shown()
    ways, counted = change.frame("ways"), change.frame("changes").iloc[0]
    told = ways.set_index("way").loc[change.told]
    assert tuple(told[["net_value", "net_value_lower", "net_value_upper"]]) == pytest.approx(change.net)
    others = ways[ways["way"] != change.told]
    assert (others["net_value_lower"] <= counted["lower"] + 1e-9).all()
    assert (others["net_value_upper"] >= counted["upper"] - 1e-9).all()
