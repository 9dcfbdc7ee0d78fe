"""Is the share of frauds told by an age right, though the young have shown their short delays only?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.metrics.intervals import wilson
from riskbench.metrics.maturity import delay_curve, delay_curves

verdicts = st.lists(
    st.tuples(st.integers(0, 12).map(lambda x: x / 4), st.integers(0, 16).map(lambda x: x / 4)), max_size=60
)


def oracle(rows: list[tuple[float, float]], fewest: int) -> dict[float, float]:
    """Say the same in plain Python: go down the delays, and let each age keep those that were told earlier."""
    rows = [(delay, age) for delay, age in rows if delay <= age]

    def risk(day: float) -> int:
        return sum(delay <= day <= age for delay, age in rows)

    days = sorted({delay for delay, _ in rows})
    while days and risk(days[-1]) < min(fewest, len(rows)):
        if not any(risk(day) >= min(fewest, len(rows)) for day in days):
            break
        days.pop()
    rows = [row for row in rows if row[0] in days]
    share, known = {}, 1.0
    for day in reversed(days):
        share[day] = known
        told, at_risk = sum(delay == day for delay, _ in rows), risk(day)
        known *= (at_risk - told) / at_risk if at_risk > told else 0.5 / (at_risk + 0.5)
    return share


@given(verdicts, st.integers(1, 5))
def test_equals_the_oracle(rows, fewest):
    curve = delay_curve([row[0] for row in rows], [row[1] for row in rows], fewest=fewest)
    wanted = oracle(rows, fewest)
    assert list(curve.days) == sorted(wanted)
    np.testing.assert_allclose(curve.share, [wanted[day] for day in sorted(wanted)], atol=1e-12)


@given(verdicts)
def test_is_a_distribution_without_nan_within_its_interval(rows):
    curve = delay_curve([row[0] for row in rows], [row[1] for row in rows])
    ages = np.linspace(-1, 5, 25)
    told, (lower, upper) = curve.at(ages), curve.interval(ages)
    assert not np.isnan([told, lower, upper]).any()
    assert (np.diff(told) >= 0).all()
    assert ((lower <= told + 1e-12) & (told <= upper + 1e-12) & (lower >= 0) & (upper <= 1)).all()
    if rows and curve.n:
        assert told[-1] == 1
        assert curve.at(curve.age_of(0.5)) >= 0.5 - 1e-9


@given(st.lists(st.integers(0, 40).map(float), min_size=1, max_size=60))
def test_with_complete_data_it_is_the_plain_share_with_its_wilson_interval(delays):
    curve = delay_curve(delays, np.full(len(delays), 1e9), fewest=1)
    plain = [sum(delay <= day for delay in delays) for day in curve.days]
    np.testing.assert_allclose(curve.share, np.array(plain) / len(delays), atol=1e-12)
    inner = np.array(plain) < len(delays)
    _, lower, upper = wilson(np.array(plain)[inner], len(delays))
    np.testing.assert_allclose(curve.lower[inner], lower, atol=1e-9)
    np.testing.assert_allclose(curve.upper[inner], upper, atol=1e-9)


@given(verdicts, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = (delay_curve([r[0] for r in held], [r[1] for r in held]) for held in (rows, shuffled))
    np.testing.assert_array_equal(one.share, other.share)
    np.testing.assert_array_equal(one.lower, other.lower)
    assert one.drift_p == other.drift_p


def test_doubled_rows_give_the_same_curve_and_a_narrower_interval():
    rng = np.random.default_rng(3)
    age, delay = rng.uniform(0, 90, 200), rng.exponential(20, 200)
    seen = delay <= age
    one = delay_curve(delay[seen], age[seen], fewest=5)
    two = delay_curve(np.tile(delay[seen], 2), np.tile(age[seen], 2), fewest=10)
    np.testing.assert_allclose(one.share, two.share, atol=1e-12)
    middle = (one.share > 0.2) & (one.share < 0.8)
    assert (two.upper - two.lower < one.upper - one.lower)[middle].all()


def drawn(rng: np.random.Generator, rows: int, *, faster: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return delays and ages of what is told by the as-of moment; `faster`: of the last 56 days' delays."""
    age = rng.uniform(0, 180, rows)
    delay = rng.lognormal(math.log(30), 0.6, rows) / np.where(age < 56, faster, 1.0)
    return delay[delay <= age], age[delay <= age]


def true_share(days: np.ndarray, horizon: float) -> np.ndarray:
    def told(day: float) -> float:
        return 0.5 * math.erfc(-(math.log(day) - math.log(30)) / 0.6 / math.sqrt(2))

    return np.array([told(day) for day in days]) / told(horizon)


def test_truncated_delays_are_corrected_and_the_interval_covers():
    rng = np.random.default_rng(11)
    days = np.array([10.0, 20.0, 40.0, 80.0])
    covered, errors, naive = [], [], []
    for _ in range(150):
        delay, age = drawn(rng, 1_500)
        curve = delay_curve(delay, age)
        truth = true_share(days, curve.horizon)
        lower, upper = curve.interval(days)
        covered.append((lower <= truth) & (truth <= upper))
        errors.append(curve.at(days) - truth)
        naive.append((delay[:, None] <= days).mean(axis=0) - truth)
    assert (np.mean(covered, axis=0) > 0.90).all()
    assert (np.abs(np.mean(errors, axis=0)) < 0.01).all()
    assert np.mean(naive, axis=0)[2] > 0.04, "without the correction the shares are too large"


def test_a_change_of_pace_is_noticed_and_no_change_is_not():
    rng = np.random.default_rng(5)
    steady = [delay_curve(*drawn(rng, 1_500)).drift_p < 0.05 for _ in range(200)]
    quicker = [delay_curve(*drawn(rng, 6_000, faster=1.4)) for _ in range(20)]
    assert 0.01 <= np.mean(steady) <= 0.10
    assert np.mean([curve.drift_p < 0.05 and curve.faster for curve in quicker]) >= 0.8


def test_without_verdicts_nothing_is_expected_to_be_told():
    for curve in (delay_curve([], []), delay_curve([5.0], [1.0]), delay_curve([np.nan], [3.0])):
        assert curve.n == 0
        assert list(curve.at([0.0, 100.0])) == [0.0, 0.0]
        assert [list(end) for end in curve.interval([1.0])] == [[0.0], [1.0]]
        assert curve.age_of(0.5) is None
        assert curve.drift_p is None


def test_one_verdict_and_one_delay():
    assert delay_curve([3.0], [9.0]).at([2.9, 3.0]).tolist() == [0.0, 1.0]
    same = delay_curve([2.0] * 50, np.linspace(2, 90, 50))
    assert same.at([1.9, 2.0]).tolist() == [0.0, 1.0]


def test_a_verdict_before_its_event_counts_as_told_at_once():
    assert delay_curve([-4.0, 3.0], [90.0, 90.0], fewest=1).at(0.0) == pytest.approx(0.5)


@settings(max_examples=30)
@given(verdicts, st.lists(st.integers(0, 2), min_size=60, max_size=60))
def test_each_source_has_its_own_curve(rows, codes):
    delay, age = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    code = np.array(codes[: len(rows)], dtype=np.int32)
    found = delay_curves(delay, age, code, ["a", "b", "c"])
    assert sum(curve.n for curve in found.values()) <= int((delay <= age).sum())
    for place, name in enumerate(("a", "b", "c")):
        np.testing.assert_array_equal(found[name].share, delay_curve(delay[code == place], age[code == place]).share)
