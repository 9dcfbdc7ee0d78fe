"""The interval of a sum of money: against plain Python, by its laws, and by how often it holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaincinv
from scipy.stats import norm, t

from riskbench.metrics.money import Parts, clumping, money_chance, money_interval, money_reach, weekly_clumping

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
        level = (math.fsum(own) + 3 * tail * first) / ((len(own) + 3 * tail) * first)
        weight = 5 * tail
        square = (math.fsum(v * v for v in own) + weight * second * level**2) / (len(own) + weight)
        mean = (math.fsum(own) + weight * first * level) / (len(own) + weight)
        even, uneven = square / mean, max(1.0, square / mean**2)
        away, towards = even * uneven**0.15, even * uneven**0.25
        fewer, jumps = math.fsum(own) * even / towards**2, math.fsum(own) * even / away**2
        less = away * (jumps - (gammaincinv(jumps, 0.025) if jumps > 0 else 0.0))
        more = towards * (gammaincinv(fewer + 0.4, 0.975) - fewer)
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


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3), st.integers(-1, 7)), max_size=40),
    st.integers(0, 8),
    st.floats(1.0, 9.0),
)
def test_weeks_that_differ_never_narrow(events, weeks, together):
    value, week = np.array([v for v, _ in events]), np.array([min(w, weeks - 1) for _, w in events], dtype=np.int64)
    found = weekly_clumping(value, week, weeks=weeks, together=together)
    assert found >= together
    inside = [(v, w) for v, w in zip(value, week, strict=True) if w >= 0]
    if weeks < 4 or not inside:
        assert found == together
        return
    sums = [math.fsum(v for v, w in inside if w == one) for one in range(weeks)]
    mean, alone = math.fsum(sums) / weeks, math.fsum(v * v for v, _ in inside)
    apart = math.fsum((one - mean) ** 2 for one in sums) * weeks / (weeks - 1) / alone
    mixed = ((weeks - 1) * apart + together) / weeks
    even = math.fsum(abs(v) for v, _ in inside) ** 2 / alone / weeks
    wider = (t.ppf(0.975, weeks) / norm.ppf(0.975)) ** 2
    assert found == pytest.approx(together + even / (even + 0.5) * wider * max(0.0, mixed - together), rel=1e-6)
    turned = weekly_clumping(-value[::-1], weeks - 1 - week[::-1] + 9 * (week[::-1] < 0) * -1, weeks=weeks)
    assert turned == pytest.approx(weekly_clumping(value, week, weeks=weeks), rel=1e-9)


def test_a_sum_over_weeks_that_differ_is_held_only_where_that_is_allowed_for():
    rng = np.random.default_rng(11)
    held = plain = 0
    runs, weeks, size = 600, 8, 60.0
    for _ in range(runs):
        week = np.repeat(np.arange(weeks), rng.poisson(size * rng.gamma(4.0, 0.25, weeks)))
        value = rng.lognormal(0.0, 0.5, len(week))
        truth, parts = weeks * size * math.exp(0.125), Parts.alone(value)
        for wide in (1.0, weekly_clumping(value, week, weeks=weeks)):
            low, high = money_interval(value.sum(), parts, together=wide)
            inside = bool(low <= truth <= high)
            plain, held = (plain + inside, held) if wide == 1.0 else (plain, held + inside)
    assert held / runs >= 0.90
    assert plain / runs < 0.70


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
