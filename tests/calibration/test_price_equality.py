"""What do equal rates cost, and is a cut by group ever written without being asked for by name?"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import DataError, ParameterError
from riskbench.rules.fairness.groups import grouping


@cache
def _events(**more: object) -> rb.Dataset:
    rng = np.random.default_rng(7)
    rows = 6_000
    fraud, tongue = rng.random(rows) < 0.05, rng.choice(["i'd", "pt", None], rows, p=[0.5, 0.4, 0.1])
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "fraud": fraud.astype(int),
            "amount": rng.lognormal(4, 1, rows).round(2),
            "tongue": tongue,
            "age": rng.integers(0, 200, rows),
            "risk": np.round(np.clip(rng.normal(0.3 + 0.4 * fraud + 0.1 * (tongue == "pt"), 0.1), 0, 1), 2),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows) // 60, unit="D"),
        }
    )
    return rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk", **more))


@cache
def _found(by: str = "tongue", rate: str = "insult_rate") -> rb.EqualityPrice:
    return rb.price_equality(rb.calibrate(_events()), by=by, rate=rate)


@pytest.mark.parametrize("rate", ["insult_rate", "approval_rate"])
def test_cuts_by_group_bring_the_rates_together(rate):
    found = _found(rate=rate)
    gaps = found.options.set_index("option")["gap"]
    assert gaps["equal rates: cuts by group"] < 0.5 * gaps["today's common cut"]
    assert gaps["one common cut with half the gap"] <= 0.5 * gaps["today's common cut"] + 1e-12


def test_the_cost_is_what_the_later_window_shows():
    found = _found()
    events, calibration = _events(), found.calibration
    study = calibration.reader.study
    made, later = grouping("tongue", events), study.windows.report.mask
    cuts = dict(zip(found.groups["group"], found.groups["equal_cut"], strict=True))
    own = np.array([cuts[name] for name in made.names])[made.codes]
    hit = events.column("risk").values >= own
    levels = np.where(hit, study.sweep.hit, study.sweep.base).astype(np.int8)
    price = study.price()
    before, after = (
        price.each(study.kinds[later], study.money[later], held[later]).sum()
        for held in (study.levels(calibration.threshold), levels)
    )
    cost = float(found.options["cost"].iloc[1]) * study.windows.report.length
    assert cost == pytest.approx(float(before - after), abs=0.02)
    assert found.groups["cost"].sum() == pytest.approx(found.options["cost"].iloc[1])


@pytest.mark.parametrize("by", ["tongue", "age < 60 AND risk > 0.35"])
def test_a_cut_by_group_is_written_only_by_name_and_does_what_was_priced(by):
    found = _found(by)
    with pytest.raises(ParameterError, match="owns up"):
        found.apply()
    with pytest.raises(ParameterError):
        found.apply(acknowledge="yes")
    book = found.apply(acknowledge=by)
    decided = rb.simulate(book, _events()).hits.resolution.level > 0
    made = grouping(by, _events())
    cuts = dict(zip(found.groups["group"], found.groups["equal_cut"], strict=True))
    own = np.array([cuts[name] for name in made.names])[made.codes]
    assert np.array_equal(decided, _events().column("risk").values >= own)


def test_the_region_needs_no_name_since_books_have_regions():
    found = rb.price_equality(rb.calibrate(_events(region="tongue"), by=None), by="tongue")
    rule = found.apply().rules[-1]
    cuts = found.groups.set_index("group")["equal_cut"]
    assert rule.regions["pt"] == {"cut": cuts["pt"]}


def test_no_way_of_the_frontier_is_beaten_by_another_common_cut():
    held = _found().frontier
    common = held[held["way"] == "one cut for all"]
    assert common["gap"].is_monotonic_increasing
    assert common["net"].is_monotonic_increasing


def test_what_is_wrong_is_said():
    calibration = rb.calibrate(_events())
    with pytest.raises(ParameterError, match="no rate"):
        rb.price_equality(calibration, by="tongue", rate="recall")
    with pytest.raises(ParameterError, match="tolerance"):
        rb.price_equality(calibration, by="tongue", tolerance=3)
    with pytest.raises(DataError, match="two groups"):
        rb.price_equality(calibration, by="fraud")
    with pytest.raises(DataError, match="not named"):
        rb.price_equality(calibration)
    with pytest.raises(ParameterError, match="calibration"):
        rb.price_equality(_events(), by="tongue")


@pytest.mark.parametrize("odd", [{"by": 7}, {"by": np.ones(2)}, {"by": "tongue", "rate": np.ones(2)}])
def test_what_is_no_group_or_rate_is_answered(odd):
    with pytest.raises(ParameterError):
        rb.price_equality(rb.calibrate(_events()), **odd)


def test_the_line_on_what_is_estimated_is_true_of_few_groups():
    from riskbench.calibration.fairness.equal import MOVES, THERE
    from riskbench.calibration.fairness.page import grounds_of

    def told(*readings):
        return grounds_of(pd.DataFrame({"reading": readings}), rate="approval_rate", window="w").estimated

    assert not told(THERE, THERE)
    assert told(MOVES, THERE).startswith("The cut of 1 group was set")
    assert told(MOVES, MOVES).startswith("The cuts of 2 groups were set")
