"""Is the start of a change found, is its interval honest, and is chance not taken for a change?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.errors import ParameterError
from riskbench.metrics.change_point import change_point

bins = st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0.2, 1.0, 1.0, 2.5, 4.0])), min_size=1, max_size=24)


def departure(observed: float, expected: float) -> float:
    return (observed * math.log(observed / expected) if observed else 0.0) - (observed - expected)


def oracle(rows: list[tuple[float, float]]) -> tuple[float, set[tuple[int, int]]]:
    """Try every stretch, one after the other: the largest departure, and the stretches that have it."""
    tried = {
        (start, end): departure(sum(row[0] for row in rows[start:end]), sum(row[1] for row in rows[start:end]))
        for start in range(len(rows))
        for end in range(start + 1, len(rows) + 1)
    }
    most = max(tried.values())
    return most, {stretch for stretch, found in tried.items() if found > most - 1e-9}


def found_in(rows: list[tuple[float, float]], **options):
    return change_point([row[0] for row in rows], [row[1] for row in rows], **{"resamples": 20, **options})


@settings(max_examples=100, deadline=None)
@given(bins)
def test_equals_the_oracle(rows):
    found = found_in(rows)
    most, stretches = oracle(rows)
    assert found.evidence == pytest.approx(most, abs=1e-9)
    if found.end is not None and found.p_value > 0.2:
        assert (found.start, found.end) in stretches
    assert found.start_lower <= found.start <= found.start_upper
    assert 0 <= found.start < (found.end or len(rows)) <= len(rows)
    assert found.end_lower <= (found.end or len(rows)) <= found.end_upper
    assert 0 < found.p_value <= 1
    assert found.ratio_lower <= found.ratio <= found.ratio_upper
    assert np.isfinite([found.ratio_lower, found.ratio, found.ratio_upper, found.evidence]).all()


@settings(max_examples=50, deadline=None)
@given(bins, st.integers(1, 20))
def test_a_shift_in_time_moves_the_answer(rows, by):
    one, other = found_in(rows), found_in([(1.0, 1.0)] * by + rows)
    assert other.evidence == pytest.approx(one.evidence, abs=1e-9)
    if len(oracle(rows)[1]) == 1 and one.evidence > 1:
        assert other.start - one.start == by


@settings(max_examples=50, deadline=None)
@given(bins, st.sampled_from([0.01, 3.0, 1000.0]))
def test_another_unit_changes_nothing(rows, unit):
    one = found_in(rows)
    other = found_in([(y * unit, e * unit) for y, e in rows], dispersion=unit)
    assert (one.start, one.end, one.start_lower, one.start_upper) == (
        other.start, other.end, other.start_lower, other.start_upper,
    )  # fmt: skip
    assert other.p_value == one.p_value
    assert other.ratio == pytest.approx(one.ratio)
    assert other.observed == pytest.approx(one.observed * unit)


def test_more_clumps_or_a_less_sure_level_make_a_change_less_clear():
    rng = np.random.default_rng(0)
    e = np.full(96, 4.0)
    y = rng.poisson(np.where(np.arange(96) >= 48, 6.0, 4.0))
    day = np.arange(96) // 24
    p = [
        change_point(y, e, dispersion=phi, groups=day, group_spread=np.full(4, spread), level_spread=level).p_value
        for phi, spread, level in ((1, 0, 0), (4, 0, 0), (1, 0.4, 0), (1, 0, 0.4))
    ]
    assert p[0] <= 0.001
    assert min(p[1:]) > 2 * p[0]


@pytest.mark.parametrize(("phi", "spread", "level"), [(1.0, 0.0, 0.0), (4.0, 0.0, 0.0), (1.0, 0.15, 0.1)])
def test_chance_is_taken_for_a_change_about_as_often_as_said(phi, spread, level):
    rng = np.random.default_rng(8)
    e, day = np.full(120, 3.0), np.arange(120) // 30
    alarms = []
    for seed in range(200):
        factor = rng.gamma(1 / spread**2, spread**2, 4)[day] if spread else 1.0
        whole = rng.gamma(1 / level**2, level**2) if level else 1.0
        y = phi * rng.poisson(e / phi * factor * whole)
        found = change_point(
            y, e, dispersion=phi, groups=day, group_spread=np.full(4, spread), level_spread=level, seed=seed,
            resamples=199,
        )  # fmt: skip
        alarms.append(found is not None and found.p_value <= 0.05)
    assert 0.02 <= np.mean(alarms) <= 0.09


@pytest.mark.parametrize(
    ("mean", "ratio", "start", "end"),
    [(0.05, 3.0, 1000, 2000), (0.01, 10.0, 1000, 2880), (0.5, 1.5, 1000, 2000), (0.05, 0.1, 1000, 2000)],
)
def test_the_interval_of_the_start_covers_it(mean, ratio, start, end):
    rng = np.random.default_rng(4)
    due = np.full(2880, mean)
    covered, running, ratios = [], [], []
    for seed in range(150):
        rate = due.copy()
        within = rng.random()
        rate[start:end] *= ratio
        rate[start] = mean * (within + (1 - within) * ratio)
        found = change_point(rng.poisson(rate), due, seed=seed, resamples=100)
        covered.append(found.start_lower - 1 <= start + within <= found.start_upper + 1)
        running.append(found.end is None)
        ratios.append(found.ratio_lower <= ratio <= found.ratio_upper)
    assert 0.90 <= np.mean(covered) <= 0.995
    assert np.mean(running) >= 0.9 if end == 2880 else np.mean(running) <= 0.1
    assert np.mean(ratios) >= 0.88


def test_bins_of_many_days_are_searched_as_well_as_few():
    rng = np.random.default_rng(2)
    e = np.full(20_000, 0.05)
    y = rng.poisson(np.where((np.arange(20_000) >= 12_345) & (np.arange(20_000) < 12_465), 2.0, 0.05))
    found = change_point(y, e)
    assert abs(found.start - 12_345) <= 3
    assert abs(found.end - 12_465) <= 3


def test_waves_are_one_change_that_ends_with_the_last():
    y = np.full(60, 2)
    y[10:16] = y[30:34] = 30
    found = change_point(y, np.full(60, 2.0))
    assert (found.start, found.end) == (10, 34)


def test_what_nothing_speaks_against_is_still_running():
    y = np.r_[np.full(30, 2), np.full(10, 20)]
    assert change_point(y, np.full(40, 2.0)).end is None
    assert change_point(np.r_[y, np.full(5, 2)], np.full(45, 2.0)).end == 40


def test_the_same_seed_gives_the_same_answer():
    y, e = np.random.default_rng(1).poisson(3, 80), np.full(80, 3.0)
    assert change_point(y, e, seed=5).p_value == change_point(y, e, seed=5).p_value


def test_where_nothing_can_be_compared_there_is_no_answer():
    assert change_point([], []) is None
    assert change_point([0, 0], [0.0, 0.0]) is None
    found = change_point([0, 3], [0.0, 0.0])
    assert found.p_value < 0.01
    assert change_point([0], [4.0]).ratio == 0


@pytest.mark.parametrize(
    ("observed", "expected", "options"),
    [
        ([1], [1.0, 2.0], {}),
        ([-1], [1.0], {}),
        ([1], [math.nan], {}),
        ([1], [1.0], {"dispersion": 0}),
        ([1, 1], [1.0, 1.0], {"groups": [1, 0]}),
        ([1, 1], [1.0, 1.0], {"groups": [0, 1], "group_spread": [0.1]}),
    ],
)
def test_arrays_that_do_not_fit_are_refused(observed, expected, options):
    with pytest.raises(ParameterError):
        change_point(observed, expected, **options)
