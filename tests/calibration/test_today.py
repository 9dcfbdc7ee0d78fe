"""What a cut adds is counted from the book as it stands, whatever is swept: against `simulate` and plain Python."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.data.outcomes import ladder
from riskbench.rules.hits import apply, resolve
from tests.calibration.conftest import BOOK, dataset, made

#: A draft rule that hits without its parameter too, beside a live one.
SHADOWED = """
book: shadowed
domain: transactions
rules:
  - {id: S, when: "amount > :l OR risk > 0.8", params: {l: 300}, outcome: review, status: shadow, priority: 5}
  - {id: T, when: "amount > 900", outcome: block, status: live, priority: 9}
"""
REGIONAL = BOOK.replace("params: {limit: 200}", "params: {limit: 200}, regions: {R0: {limit: 80}, R1: {limit: 900}}")


def levels_of(book, events):
    """Return what a book decides on each event."""
    return resolve(book, apply(book.rules, events)).level


def worths(frame, levels):
    """Return what each event is worth at its level, by plain Python."""
    costs, effects = rb.Costs(), [rung.effect for rung in ladder("transactions").rungs]
    made_of = []
    for amount, fraud, level in zip(frame["amount"], frame["fraud"], levels, strict=True):
        effect = effects[level]
        money = amount * costs.fraud_gain(effect) if fraud else -amount * costs.margin * costs.good_cost(effect)
        made_of.append(money - costs.handling(effect))
    return np.array(made_of)


def moved(book, rule_id, param, cut):
    """Return a book whose rule is live, with one cut everywhere; without the rule where nobody is hit."""
    rule = book.rule(rule_id)
    spec = replace(rule.params[param], default=cut if math.isfinite(cut) else 1e12)
    return book.with_rule(replace(rule, params={param: spec}, regions={}, status="live"))


def situation(name, events):
    """Return a book, what is calibrated on it, and the book at any cut."""
    if name in ("shadow rule", "regional values"):
        book = rb.RuleBook.from_yaml(SHADOWED if name == "shadow rule" else REGIONAL)
        rule, param = ("S", "l") if name == "shadow rule" else ("TX-1", "limit")
        options = {"rule_param": f"{rule}.{param}"}
        return book, options, lambda found, cut: moved(book, rule, param, cut)
    first = rb.calibrate(events, two_cuts=name != "one cut, then two", given=rb.RuleBook.from_yaml(BOOK))
    options = {"two_cuts": name == "one cut, then two"}

    def at(found, cut):
        if found.threshold_block is None:
            return replace(found, threshold=cut).apply(first.apply())
        review = min(cut, found.threshold_block)
        return replace(found, threshold=review, threshold_review=review).apply(first.apply())

    return first.apply(), options, at


@pytest.mark.parametrize("name", ["shadow rule", "regional values", "two cuts, then one", "one cut, then two"])
def test_what_a_cut_adds_is_what_simulate_and_the_weekly_table_say(name):
    frame = made(2500)
    events = dataset(frame)
    book, options, at = situation(name, events)
    found = rb.calibrate(events, given=book, **options)
    for window, table in ((found.provenance["windows"]["choose"], "curve"), (None, "curve_later")):
        start, end = (window or found.provenance["windows"]["report"]).split(" to before ")
        seen, rows = events.between(start, end), found.frame(table)
        inside = ((frame["at"] >= pd.Timestamp(start)) & (frame["at"] < pd.Timestamp(end))).to_numpy()
        today = rb.simulate(book, seen)
        assert set(rows["alerts"] - rows["added_alerts"]) == {today.alerts}
        before = worths(frame[inside], levels_of(book, seen))
        some = [found.threshold, *rows["threshold"].iloc[[0, len(rows) // 3, len(rows) // 2, -1]]]
        for cut in some:
            row = rows[rows["threshold"] <= cut].iloc[0]
            proposed = at(found, float(row["threshold"]))
            change = rb.compare(today, rb.simulate(proposed, seen)).frame("changes").set_index("measure")["difference"]
            assert row["added_alerts"] == change["alerts"]
            apart = worths(frame[inside], levels_of(proposed, seen)) - before
            half = 1.959964 * math.sqrt((apart**2).sum())
            assert row["added_net_value"] == pytest.approx(apart.sum(), abs=0.01)
            assert row["added_lower"] == pytest.approx(apart.sum() - half, abs=0.02)
            assert row["added_upper"] == pytest.approx(apart.sum() + half, abs=0.02)
    weeks = (pd.Timestamp(end) - pd.Timestamp(start)) / pd.Timedelta(weeks=1)
    weekly = found.weekly.set_index("measure")
    row = rows[rows["threshold"] <= found.threshold].iloc[0]
    if row["threshold"] == found.threshold:
        assert row["added_net_value"] == pytest.approx(weekly.loc["net value", "change"] * weeks, rel=1e-6)
        assert row["added_frauds"] == pytest.approx(weekly.loc["frauds alerted", "change"] * weeks, rel=1e-6)


def test_keeping_todays_cut_adds_exactly_nothing():
    events = dataset(made(2000))
    found = rb.calibrate(events, rule_param="TX-1.limit", given=rb.RuleBook.from_yaml(BOOK), by=None)
    rows = found.frame("curve_exact")
    same = rows[rows["added_alerts"] == 0]
    assert len(same)
    assert (same[["added_net_value", "added_lower", "added_upper"]] == 0).all(axis=None)


def test_todays_pair_stands_in_the_table_of_the_pair_too():
    events = dataset(made(2500))
    book = rb.calibrate(events, two_cuts=True).apply()
    again = rb.calibrate(events, two_cuts=True, given=book)
    rows = again.pair[again.pair["form"] == "two cuts"]
    assert (rows["added_alerts"] == 0).all()
    assert (rows[["added_net_value", "added_lower", "added_upper"]] == 0).all(axis=None)
