"""Crowding under a cut is told where it was planted, and seldom where it was not, also among round numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.metrics.bunching import bunching, local_ratio, step_of

#: At a level of 5 % over 200 seeds: 5 % and three standard errors.
MOST_FALSE = 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def smooth(seed: int) -> tuple[np.ndarray, float]:
    return np.random.default_rng(seed).lognormal(4.5, 1, 5_000), 100.0


def cents(seed: int) -> tuple[np.ndarray, float]:
    return np.round(np.random.default_rng(seed).gamma(2, 40, 8_000), 2), 90.0


def days(seed: int) -> tuple[np.ndarray, float]:
    return np.random.default_rng(seed).geometric(0.02, 8_000).astype(float), 30.0


def heaped(seed: int) -> tuple[np.ndarray, float]:
    rng = np.random.default_rng(seed)
    held, part = rng.lognormal(4.5, 1, 20_000), rng.random(20_000)
    rounded = [np.round(held / to) * to for to in (10, 50, 100)]
    held = np.select([part < 0.1, part < 0.2, part < 0.25, part < 0.45], [*rounded, np.floor(held) + 0.99], held)
    return np.maximum(np.round(held, 2), 0.01), 150.0


def planted(values: np.ndarray, cut: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed + 10_000)
    moved = (values > cut) & (values < 1.08 * cut) & (rng.random(len(values)) < 0.7)
    under = np.round(cut * (1 - 0.01 * rng.random(len(values))), 2)
    whole = (np.rint(values) == values).all()
    return np.where(moved, cut - 1 if whole else under, values)


@pytest.mark.parametrize("made", [smooth, cents, days, heaped])
def test_false_alarms_keep_to_their_level(made):
    told = [bunching(*made(seed), ">=").p_value for seed in range(200)]
    known = np.array([p for p in told if p is not None])
    assert len(known) > 150
    assert (known <= 0.05).mean() <= MOST_FALSE


@pytest.mark.parametrize(("made", "least"), [(smooth, 0.95), (cents, 0.95), (days, 0.95), (heaped, 0.4)])
def test_a_planted_crowd_is_found(made, least):
    found, over = 0, []
    for seed in range(40):
        values, cut = made(seed)
        told = bunching(planted(values, cut, seed), cut, ">=")
        found += told.p_value is not None and told.p_value <= 0.05
        over += [told.excess] if told.excess is not None else []
    assert found >= least * 40
    assert np.median(over) > 0


def test_the_events_before_the_launch_tell_round_numbers_apart():
    found = false = 0
    for seed in range(60):
        values, cut = heaped(seed)
        before, _ = heaped(seed + 500)
        false += (bunching(values, cut, ">=", before=before).p_value or 1) <= 0.05
        found += (bunching(planted(values, cut, seed), cut, ">=", before=before).p_value or 1) <= 0.05
    assert false <= 60 * MOST_FALSE + 3
    assert found >= 54


def test_few_values_are_measurable_only_against_the_time_before():
    rng = np.random.default_rng(0)
    now, before = 1.0 + rng.geometric(0.4, 4_000), 1.0 + rng.geometric(0.4, 4_000)
    assert bunching(now, 4.0, ">=").p_value is None
    assert "one side" in str(bunching(now, 4.0, ">=").why)
    crowd = np.where((now >= 4) & (rng.random(4_000) < 0.3), 3.0, now)
    assert (bunching(crowd, 4.0, ">=", before=before).p_value or 1) < 0.01


@pytest.mark.parametrize("values", [[], [1.0], [np.nan] * 500, [7.0] * 500, [np.inf] * 300, list(range(50))])
def test_too_little_is_not_measurable(values):
    told = bunching(np.array(values, dtype=float), 7.0, ">")
    assert told.p_value is None
    assert told.why


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e9, 1e9) | st.integers(-5, 40).map(float), max_size=400),
    st.floats(-100, 100) | st.integers(-3, 30).map(float),
    st.sampled_from([">", ">=", "<", "<="]),
)
def test_any_numbers_give_an_answer_or_a_reason(values, cut, op):
    told = bunching(np.array(values * 3), cut, op)
    assert (told.p_value is None) == (told.why is not None)
    assert told.p_value is None or 0 <= told.p_value <= 1
    assert told.excess is None or (told.lower <= told.excess <= told.upper)


def test_the_cut_itself_lies_on_its_side():
    rng = np.random.default_rng(0)
    values = np.concatenate([np.round(rng.uniform(50, 150, 20_000), 2), np.full(60, 97.13)])
    assert bunching(values, 97.13, ">").p_value < 0.05  # not hit: it stands just under
    assert bunching(values, 97.13, ">=").p_value > 0.05  # hit


def test_a_flat_density_has_no_ratio():
    ratio, spread, usual = local_ratio(np.full((1, 12), 50))
    assert abs(ratio[0]) < 0.01
    assert 0.02 < spread[0] < 0.1
    assert usual[0] == pytest.approx(50, rel=0.01)


def test_steps_are_seen_through_the_noise_of_doubles():
    assert step_of(np.array([0.1 + 0.2, 0.7])) == 0.1
    assert step_of(np.array([1e-9])) is None
