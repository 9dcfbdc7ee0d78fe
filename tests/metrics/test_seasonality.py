"""Is what is expected of an hour what such hours brought, recent days counting more?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.metrics.seasonality import HALF_LIFE, SHRINK, fit_profile


def hours(days: int) -> dict[str, np.ndarray]:
    """Return what hourly bins of some days are like, the first a Monday."""
    bins = np.arange(days * 24)
    day = bins // 24
    return {"hour": bins % 24, "weekday": day % 7, "day": day, "campaign": np.zeros(len(bins), dtype=np.int64)}


def told(profile, at: dict[str, np.ndarray], exposure: float = 1.0) -> np.ndarray:
    return profile.expected(
        np.full(len(at["hour"]), exposure), hour=at["hour"], weekday=at["weekday"], campaign=at["campaign"]
    )


def oracle(y, x, hour, weekday, floor):
    """Say a baseline of one dispersion in plain Python: level, then hours, weekdays, and both together."""
    level = (sum(y) + 0.5 * floor) / sum(x)
    due = [level * each for each in x]

    def drawn_in(keys):
        out = {}
        for key in set(keys):
            own = sum(v for v, k in zip(y, keys, strict=True) if k == key) / floor
            mean = sum(v for v, k in zip(due, keys, strict=True) if k == key) / floor
            out[key] = (own + SHRINK) / (mean + SHRINK)
        return out

    factor = [1.0] * len(y)
    for keys in (list(hour), list(weekday), list(zip(hour, weekday, strict=True))):
        table = drawn_in(keys)
        factor = [f * table[key] for f, key in zip(factor, keys, strict=True)]
        due = [d * table[key] for d, key in zip(due, keys, strict=True)]
    return level, factor


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=48, max_size=72), st.integers(0, 3))
def test_equals_the_oracle(counts, empty):
    at = {name: values[: len(counts)] for name, values in hours(3).items()}
    y, x = np.array(counts, dtype=float), np.ones(len(counts))
    x[:empty] = 0.0
    y[:empty] = 0.0
    profile = fit_profile(y, x, **at, floor=1e6)  # so large a floor that no estimate replaces it
    used = x > 0
    level, factor = oracle(y[used], x[used], at["hour"][used], at["weekday"][used], 1e6)
    np.testing.assert_allclose(profile.factor[at["weekday"], at["hour"]][used], factor, rtol=1e-9)
    recent = 0.5 ** ((at["day"].max() - at["day"]) / HALF_LIFE)
    due = level * x * profile.factor[at["weekday"], at["hour"]]
    ratio = ((recent * y).sum() + 5e5) / ((recent * due).sum() + 5e5)
    assert profile.level == pytest.approx(level * ratio)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_order_does_not_matter(seed, random):
    rng = np.random.default_rng(seed)
    at, y = hours(10), rng.poisson(3, 240).astype(float)
    order = list(range(240))
    random.shuffle(order)
    one = fit_profile(y, np.ones(240), **at)
    other = fit_profile(y[order], np.ones(240), **{name: values[order] for name, values in at.items()})
    np.testing.assert_allclose(one.factor, other.factor)
    assert one.level == pytest.approx(other.level)
    assert one.day_spread == pytest.approx(other.day_spread, abs=1e-9)


def test_nights_weekends_and_their_nights_are_expected():
    at = hours(8 * 7)
    truth = 20 * np.where(at["hour"] < 6, 0.1, 1.2) * np.where(at["weekday"] >= 5, 1.5, 0.9)
    truth = np.where((at["weekday"] == 4) & (at["hour"] >= 20), truth * 3, truth)
    profile = fit_profile(np.random.default_rng(0).poisson(truth).astype(float), np.ones(len(truth)), **at)
    week = {name: values[: 7 * 24] for name, values in at.items()}
    assert np.abs(told(profile, week) / truth[: 7 * 24] - 1).mean() < 0.08
    assert told(profile, week).sum() == pytest.approx(truth[: 7 * 24].sum(), rel=0.03)
    assert profile.dispersion < 1.1
    assert profile.day_spread < 0.05


def test_recent_days_count_more_and_the_first_days_of_a_later_baseline():
    at = hours(120)
    y = np.where(at["day"] < 60, 10.0, 20.0)
    recent = fit_profile(y, np.ones(len(y)), **at).level
    first = fit_profile(y, np.ones(len(y)), **at, later=True).level
    assert recent > 17
    assert first < 13


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_how_much_a_day_varies_is_told_apart_from_clumps_within_it(spread):
    rng = np.random.default_rng(4)
    at = hours(200)
    factor = rng.gamma(1 / spread**2, spread**2, 200) if spread else np.ones(200)
    y = 3.0 * rng.poisson(10 * factor[at["day"]] / 3.0 * 1.0)
    profile = fit_profile(y.astype(float), np.ones(len(y)), **at)
    assert profile.dispersion == pytest.approx(3.0, rel=0.12)
    assert profile.day_spread == pytest.approx(spread, abs=0.07)
    assert profile.level_spread < 0.12


def test_a_campaign_is_compared_with_campaigns():
    rng = np.random.default_rng(1)
    at = hours(150)
    sale = np.isin(at["day"], [20, 50, 80, 110])
    at["campaign"] = np.where(sale, 2, 0)
    lift = np.select([at["day"] == 20, at["day"] == 50, at["day"] == 80, at["day"] == 110], [1.6, 2.0, 2.4, 2.0], 1.0)
    profile = fit_profile(rng.poisson(10 * lift).astype(float), np.ones(len(lift)), **at)
    factor, spread, days = profile.campaigns[2]
    assert factor == pytest.approx(2.0, rel=0.08)
    assert 0.1 < spread < 0.3
    assert days == 4
    assert profile.level == pytest.approx(10, rel=0.05)
    day = {name: values[:24] for name, values in at.items()} | {"campaign": np.full(24, 2)}
    assert told(profile, day).sum() == pytest.approx(480, rel=0.1)
    unknown = day | {"campaign": np.full(24, 7)}
    assert told(profile, unknown).sum() == pytest.approx(240, rel=0.1)


def test_one_campaign_day_says_little():
    at = hours(30)
    at["campaign"] = np.where(at["day"] == 9, 1, 0)
    profile = fit_profile(np.where(at["day"] == 9, 30.0, 10.0), np.ones(720), **at)
    assert profile.campaigns[1][0] == pytest.approx(3.0, rel=0.03)
    assert profile.campaigns[1][1] > 0.3


def test_a_baseline_of_nothing_or_of_one_bin():
    at = {name: values[:1] for name, values in hours(1).items()}
    assert fit_profile(np.zeros(1), np.zeros(1), **at) is None
    one = fit_profile(np.array([4.0]), np.ones(1), **at)
    assert one.level == pytest.approx(4.5, rel=0.2)
    assert 0.3 < one.level_spread < 1
    never = fit_profile(np.zeros(240), np.ones(240), **hours(10))
    assert 0 < never.level < 0.01
    assert never.level_spread > 1
    assert np.isfinite([never.dispersion, never.day_spread, *never.factor.ravel()]).all()
    assert all(day["campaign"].any() for day in [at | {"campaign": np.ones(1, dtype=np.int64)}])
    assert fit_profile(np.array([4.0]), np.ones(1), **(at | {"campaign": np.ones(1, dtype=np.int64)})) is not None
