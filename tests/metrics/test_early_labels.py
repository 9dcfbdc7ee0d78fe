"""Is a new method seen while its labels are young, and is nothing cried where nothing is new?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.maturity import delay_curve
from riskbench.metrics.maturity.expected import (
    clumps,
    score_fit,
    shared_variance,
    tail,
    together,
    weekly_spread,
)

ASOF = pd.Timestamp("2026-06-01")
ROLES = rb.Roles(
    id="id", time="t", label="label", label_time="told", score="score", segments=["city"], entities=["buyer"]
)


def drawn(seed: int, *, more: int = 0, days: float = 21.0, ring: int = 1, goods: int = 9_000):
    """Return 30 weeks of frauds and good events; `more` good-looking ones of one city turn out to be fraud."""
    rng = np.random.default_rng(seed)
    usual, good = rng.poisson(6_000), goods
    age = np.concatenate([np.repeat(rng.uniform(0, 210, usual // ring + 1), ring)[:usual], rng.uniform(0, 210, good)])
    fraud = np.arange(len(age)) < usual
    score = rng.normal(np.where(fraud, 1.5, 0.0), 1.0)
    city = rng.integers(0, 6, len(age))
    open_ = np.flatnonzero(~fraud & (age < days) & (city == 2))
    fraud[open_[:more]] = True
    delay = rng.gamma(2.0, 19.0, len(age))
    buyer = np.arange(len(age))
    if ring > 1:
        group = np.arange(usual) // ring
        delay[:usual], buyer[:usual], city[:usual] = delay[group], -1 - group, city[group]
    known = fraud & (delay <= age)
    frame = pd.DataFrame({"id": np.arange(len(age)), "t": ASOF - pd.to_timedelta(age, unit="D"), "score": score})
    frame["told"] = ASOF + pd.to_timedelta(np.where(known, delay - age, np.nan), unit="D")
    frame["label"], frame["city"], frame["buyer"] = known.astype(float), np.char.add("city ", city.astype(str)), buyer
    return rb.read(frame, roles=ROLES)


def test_a_new_method_is_found_where_it_is():
    right, wrong = [], []
    for seed in range(15):
        table = rb.early_labels(drawn(seed, more=130), asof=ASOF).frame()
        more = set(table.loc[table["reading"].str.startswith("more"), "segment"])
        right.append("city 2" in more)
        wrong.append(bool(more - {"city 2", "all"}))
    assert np.mean(right) >= 0.6
    assert np.mean(wrong) <= 0.2


def test_nothing_new_is_seldom_called_new():
    found = [rb.early_labels(drawn(seed + 100), asof=ASOF, level=0.05).found > 0 for seed in range(30)]
    assert np.mean(found) <= 0.24


def test_frauds_that_come_in_rings_are_no_new_method():
    found = [rb.early_labels(drawn(seed + 300, ring=12, goods=60_000), asof=ASOF).found > 0 for seed in range(12)]
    assert np.mean(found) <= 0.34
    notes = rb.early_labels(drawn(300, ring=12, goods=60_000), asof=ASOF).notes
    assert any("come together" in note for note in notes)


def test_tables_agree_and_the_tested_weeks_have_no_part_in_what_is_usual():
    events = drawn(1)
    told = rb.early_labels(events, asof=ASOF)
    weeks = told.frame("cohorts")
    whole = weeks[weeks["column"] == "all"]
    for name in ("events", "told"):
        parts = weeks[weeks["column"] == "city"].groupby("cohort")[name].sum()
        np.testing.assert_array_equal(parts.to_numpy(), whole[name].to_numpy())
    assert (whole["lower"] <= whole["expected"]).all()
    assert told.tested == 7
    label = events.column("label").values.copy()
    age = (ASOF.value // 1000 - events.column("t").values) / 86_400_000_000
    silent = events.with_columns({"label": np.where(age < 56, 0.0, label)})
    other = rb.early_labels(silent, asof=ASOF).frame("cohorts")
    np.testing.assert_allclose(other[other["column"] == "all"]["expected"], whole["expected"])
    assert other["told"].sum() == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.floats(0.01, 1.0)), min_size=1, max_size=60))
def test_the_chance_never_falls_with_the_score_and_keeps_the_total(rows):
    score = np.array([float(row[0]) for row in rows])
    fraud, share = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    fit = score_fit(score, fraud, share)
    told = fit.at(np.sort(score))
    assert (np.diff(told) >= 0).all()
    assert ((told >= 0) & (told <= 1)).all()
    if (fit.chance < 1).all():
        assert (fit.at(score) * share).sum() == pytest.approx(fraud.sum())


def test_the_tail_is_that_of_a_poisson_and_wider_where_the_level_is_loose():
    from scipy import stats

    counts = np.arange(0, 12, dtype=np.float64)
    mean = np.full(12, 3.0)
    np.testing.assert_allclose(tail(counts, mean, mean), stats.poisson.sf(counts - 1, 3.0), rtol=1e-9)
    np.testing.assert_allclose(tail(counts, mean, 2 * mean), stats.nbinom.sf(counts - 1, 3.0, 0.5), rtol=1e-9)
    np.testing.assert_allclose(tail(counts, mean, 0.5 * mean), stats.binom.sf(counts - 1, 6, 0.5), rtol=1e-9)


def test_the_shared_variance_is_that_of_an_oracle():
    rng = np.random.default_rng(2)
    delay, age = rng.gamma(2.0, 10.0, 400), rng.uniform(0, 120, 400)
    curve = delay_curve(delay[delay <= age], age[delay <= age])
    mass = rng.uniform(0, 3, (1, 20))
    reach = {k: sum(w for d, w in zip(curve.days, curve.wobble, strict=True) if d > k + 0.5) for k in range(20)}
    for last in (0, 5, 19):
        oracle = sum(mass[0, i] * mass[0, j] * reach[max(i, j)] for i in range(last + 1) for j in range(last + 1))
        assert shared_variance(curve, mass)[0, last] == pytest.approx(oracle)


@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=10))
def test_looks_together_lie_between_the_best_and_its_price(p):
    joint = float(together(np.array([p]))[0])
    assert 0 <= joint <= 1
    assert joint >= min(p) * 0.999 or min(p) > 0.5
    if min(p) < 0.01 and max(p) <= 0.5:  # looks that speak against it weigh too
        assert joint <= min(1.0, 1.2 * len(p) * min(p)) + 1e-9


def test_swell_and_spread_are_one_and_nothing_by_chance():
    rng = np.random.default_rng(3)
    expected = np.full(4_000, 0.1)
    week = np.repeat(np.arange(20), 200)
    alone = np.arange(4_000)
    single = np.mean([clumps([alone], week, rng.random(4_000) < 0.1, expected) for _ in range(40)])
    groups = np.repeat(np.arange(400), 10)
    together_ = np.repeat(rng.random(400) < 0.1, 10)
    assert single < 1.1
    assert clumps([groups], week, together_, expected) > 5
    told = rng.poisson(100.0, 50).astype(np.float64)
    assert weekly_spread(told, np.full(50, 100.0), np.full(50, 100.0)) < 0.01
    assert weekly_spread(
        np.where(np.arange(50) % 2, 60.0, 140.0), np.full(50, 100.0), np.full(50, 100.0)
    ) == pytest.approx(0.15)


def test_too_little_to_say_what_is_usual_is_said():
    events = drawn(1)
    few = rb.early_labels(events, asof=ASOF - pd.Timedelta(days=156))
    assert few.found == 0
    assert few.headline()[0].value is None
    assert "older than 56 days" in few.notes[-1]
    assert "nan" not in few._repr_html_().split()


def test_what_does_not_fit_is_said():
    events = drawn(1)
    with pytest.raises(ParameterError, match="share"):
        rb.early_labels(events, level=5)
    with pytest.raises(DataError, match="label_time"):
        rb.early_labels(events.with_roles(label_time=None))
    with pytest.raises(DataError, match="no number"):
        rb.early_labels(events, score="city")
    unscored = rb.early_labels(events.with_roles(score=None), asof=ASOF)
    assert any("no score" in note for note in unscored.notes)
    assert len(unscored.frame("calibration")) == 0
