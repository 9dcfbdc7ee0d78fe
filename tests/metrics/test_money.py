"""The interval of a sum of money: against plain Python, by its laws, and by how often it holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaincinv

from riskbench.metrics.money import Parts, clumping, money_chance, money_interval, money_reach

amounts = st.lists(st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=12)


def _plain(values, usual) -> tuple[float, float]:
    """One kind: each sign's events as equal jumps, drawn towards what is usual of that sign."""
    down = up = 0.0
    for sign in (1, -1):
        own = [abs(v) for v in values if v * sign > 0]
        every = [abs(v) for v in usual if v * sign > 0]
        if not every:
            continue
        first, second = math.fsum(every) / len(every), math.fsum(v * v for v in every) / len(every)
        tail = second / first**2
        level = (math.fsum(own) + 2 * tail * first) / ((len(own) + 2 * tail) * first)
        weight = 5 * tail
        square = (math.fsum(v * v for v in own) + weight * second * level**2) / (len(own) + weight)
        mean = (math.fsum(own) + weight * first * level) / (len(own) + weight)
        jump = square / mean
        jumps = math.fsum(own) / jump
        less = jump * (jumps - (gammaincinv(jumps, 0.025) if jumps > 0 else 0.0))
        more = jump * (gammaincinv(jumps + 0.5, 0.975) - jumps)
        down, up = (down + less**2, up + more**2) if sign > 0 else (down + more**2, up + less**2)
    return math.sqrt(down), math.sqrt(up)


@settings(deadline=None)
@given(amounts, amounts)
def test_the_reach_equals_plain_python(values, others):
    parts = Parts.alone(values, usual=(values + others, [0] * len(values + others)))
    found, told = money_reach(parts), _plain(values, values + others)
    assert found[0] == pytest.approx(told[0], rel=1e-6, abs=1e-9)
    assert found[1] == pytest.approx(told[1], rel=1e-6, abs=1e-9)


@settings(deadline=None)
@given(amounts, st.floats(1.0, 50.0), st.floats(1e-3, 1e3))
def test_laws(values, together, unit):
    parts = Parts.alone(values)
    down, up = money_reach(parts)
    assert down >= 0
    assert up > 0 or down > 0
    wide = money_reach(parts, together=together)
    assert wide[0] + wide[1] >= (down + up) * (1 - 1e-9)
    scaled = money_reach(Parts.alone(np.array(values) * unit))
    assert scaled[0] == pytest.approx(down * unit, rel=1e-6)
    turned = money_reach(Parts.alone(-np.array(values)))
    assert turned == (pytest.approx(up, rel=1e-9), pytest.approx(down, rel=1e-9))
    mixed = money_reach(Parts.alone(values[::-1]))
    assert mixed[0] == pytest.approx(down, rel=1e-9)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_p_value_says_what_the_interval_says(total, down, up):
    low, high = total - down, total + up
    outside = low > 0 or high < 0
    if down or up:
        assert (float(money_chance(total, low, high)) <= 0.05) == outside or (outside and (down == 0 or up == 0))


def test_nothing_moved_has_no_width():
    parts = Parts.alone(np.zeros(0))
    low, high = money_interval(0.0, parts)
    assert float(low) == float(high) == 0.0


def test_entities_that_come_together():
    assert clumping([1.0, 1.0, 1.0, 1.0], np.array([0, 0, 0, 0])) == 4.0
    assert clumping([1.0, -1.0], np.array([0, 0])) == 1.0
    assert clumping(np.zeros(0), np.zeros(0, dtype=int)) == 1.0


@pytest.mark.parametrize(
    ("flips", "share", "sigma"), [(12, 0.3, 1.0), (40, 0.05, 1.0), (60, 0.2, 1.5), (150, 0.3, 1.5), (600, 0.2, 1.0)]
)
def test_it_holds_the_truth_where_the_plain_sum_of_squares_does_not(flips, share, sigma):
    rng = np.random.default_rng(5)
    mean = math.exp(sigma**2 / 2)
    truth = flips * mean * (share - 0.16 * (1 - share))
    held = plain = 0
    runs = 600
    for _ in range(runs):
        kinds = np.concatenate([np.ones(rng.poisson(flips * share)), np.zeros(rng.poisson(flips * (1 - share)))])
        every = np.concatenate([kinds, np.ones(300), np.zeros(3_000)]).astype(int)
        value = rng.lognormal(0.0, sigma, len(every)) * np.where(every == 1, 1.0, -0.16)
        own = value[: len(kinds)]
        low, high = money_interval(own.sum(), Parts.alone(own, kinds.astype(int), usual=(value, every)))
        held += low <= truth <= high
        plain += abs(own.sum() - truth) <= 1.96 * math.sqrt((own**2).sum())
    assert 0.915 <= held / runs <= 0.998
    if sigma > 1.2:
        assert plain / runs < 0.915
