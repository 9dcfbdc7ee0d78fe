"""Do the sweep, the burst search and the control of false discoveries keep their laws?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.metrics.anomaly import excess, located, sweep, tail
from riskbench.metrics.burst import FEWEST, bursts
from riskbench.metrics.discovery import q_values

#: A ratio of two sums in floating point.
CLOSE = 1e-9
shares = st.lists(st.floats(0, 1), max_size=30)


# -- false discoveries --------------------------------------------------------------------------------------


def plain_q(p: list[float]) -> list[float]:
    """Say Benjamini and Hochberg's rule one test after the other."""
    ordered = sorted(p)
    at = [len(p) * value / (place + 1) for place, value in enumerate(ordered)]
    return [min(1.0, *at[ordered.index(value) :]) for value in p] if p else []


@given(shares)
def test_q_values_equal_the_plain_rule(p):
    assert q_values(p).tolist() == pytest.approx(plain_q(p), abs=CLOSE)


@given(shares.filter(bool))
def test_dependence_costs_and_order_keeps(p):
    q, dear = q_values(p), q_values(p, dependent=True)
    assert (dear >= q - CLOSE).all()
    assert (q >= np.asarray(p) - CLOSE).all()
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= -CLOSE).all()


# -- tails ----------------------------------------------------------------------------------------------------


def plain_tail(y: int, mean: float, variance: float) -> float:
    """Add up a negative binomial or Poisson law, one count after the other."""
    if variance > mean * (1 + 1e-6):
        size, part = mean**2 / (variance - mean), mean / variance
        chance = [
            math.exp(
                math.lgamma(k + size) - math.lgamma(size) - math.lgamma(k + 1)
                + size * math.log(part) + k * math.log1p(-part)
            )
            for k in range(y + 1)
        ]  # fmt: skip
    else:
        chance = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(y + 1)]
    return 1.0 - sum(chance) + chance[-1] / 2


@settings(deadline=None)
@given(st.integers(1, 40), st.floats(0.2, 30), st.sampled_from([1.0, 1.3, 4.0]))
def test_tail_equals_the_sum_of_the_law(y, mean, over):
    found = tail(np.array([float(y)]), np.array([mean]), np.array([mean * over]))
    assert found[0] == pytest.approx(plain_tail(y, mean, mean * over), abs=1e-7)


def test_the_tail_of_money_is_that_of_drawn_sums():
    """A sum of lognormal orders has a longer tail than a count of their usual size: the law follows it."""
    rng = np.random.default_rng(0)
    orders = np.minimum(np.exp(rng.normal(0, 0.9, 200_000)), 10.0)
    unit = (orders**2).sum() / orders.sum()
    jumps = (orders**3).sum() / (orders**2).sum() / unit
    count = rng.poisson(20.0, 40_000)
    sums = np.bincount(np.repeat(np.arange(40_000), count), rng.choice(orders, count.sum()), 40_000) / unit
    mean = np.array([sums.mean()])
    for share in (0.05, 0.01, 0.001):
        cut = np.array([np.quantile(sums, 1 - share)])
        assert tail(cut, mean, mean, np.array([jumps]))[0] == pytest.approx(share, rel=0.3)


@given(st.integers(0, 500), st.floats(0.1, 100))
def test_excess_is_never_negative_and_only_for_rises(y, mean):
    found = float(excess(float(y), mean))
    assert found >= 0
    assert (found > 0) == (y > mean)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 40), st.integers(1, 20), st.integers(0, 3))
def test_the_stretch_is_that_of_all_pairs(start, length, seed):
    rng = np.random.default_rng(seed)
    y = rng.poisson(2.0, 70).astype(float)
    y[start : start + length] += 8
    mu = np.full(70, 2.0)
    pairs = [(a, b) for a in range(70) for b in range(a + 1, 71)]
    best = max(float(excess(y[a:b].sum(), mu[a:b].sum())) for a, b in pairs)
    a, b = located(y, mu, 0, 70)
    assert float(excess(y[a:b].sum(), mu[a:b].sum())) == pytest.approx(best)


# -- the sweep ----------------------------------------------------------------------------------------------


def quiet(seed: int, *, series: int = 6, days: int = 60, mean: float = 1.5) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean, (series, days * 24)).astype(float)


def test_a_burst_is_found_where_it_is():
    y = quiet(1)
    y[2, 700:712] += 6
    found = sweep(y, np.full((1, y.shape[1]), 10.0))
    assert np.flatnonzero(found.p < 1e-4).tolist() == [2]
    mine = (found.series == 2) & (found.window_p < 1e-4)
    assert found.start[mine].min() <= 700
    assert found.stop[mine].max() >= 712
    assert located(y[2], found.expected[2], 640, 800) == (700, 712)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 5))
def test_series_may_stand_in_any_order(order, seed):
    y = quiet(seed)
    y[0, 100:110] += 5
    exposure = np.full(y.shape, 10.0)
    one, other = sweep(y, exposure), sweep(y[list(order)], exposure)
    assert other.p == pytest.approx(one.p[list(order)], rel=1e-6)


def test_more_exposure_everywhere_is_no_rise():
    """A campaign and growth lift a segment as they lift all: its share stays."""
    rng = np.random.default_rng(3)
    level = np.repeat(np.linspace(20, 60, 80), 24)
    level[30 * 24 : 31 * 24] *= 4
    total = rng.poisson(level).astype(float)
    y = np.stack([rng.binomial(total.astype(int), share) for share in (0.1, 0.3, 0.5)]).astype(float)
    assert (sweep(y, total[None, :]).p > 0.01).all()


def test_the_first_weeks_may_be_the_incident():
    """The history is the median of weeks, so that a raid at the very start does not pass for it."""
    rng = np.random.default_rng(4)
    total = np.full(120 * 24, 4.0)
    rate = np.where(np.arange(120 * 24) < 12 * 24, 0.9, 0.05)
    y = rng.binomial(4, rate).astype(float)[None, :]
    found = sweep(y, total[None, :])
    assert found.p[0] < 1e-10
    start, stop = located(y[0], found.expected[0], 0, 40 * 24)
    assert start == 0
    assert abs(stop - 12 * 24) <= 24


def test_only_what_begins_later_is_looked_for():
    y = quiet(5, series=2)
    y[0, 300:310] += 9
    y[1, 1300:1310] += 9
    begin = 50 * 24
    found = sweep(y, np.full((1, y.shape[1]), 10.0), baseline=np.arange(y.shape[1]) < begin, begin=begin)
    assert found.p[0] == 1.0 or found.p[0] > 0.01
    assert found.p[1] < 1e-4
    assert found.start.min(initial=begin) >= begin


@pytest.mark.parametrize("days", [1, 2, 5, 9])
def test_short_and_empty_histories_find_nothing(days):
    empty = np.zeros((2, days * 24))
    found = sweep(empty, empty)
    assert (found.p == 1).all()
    assert not len(found.series)
    assert np.isfinite(sweep(quiet(0, days=days), np.ones((1, days * 24))).p).all()


def test_false_alarms_of_quiet_series_keep_to_their_chance():
    """Independent counts, where every length of window is a look of its own, are the worst that the chance meets."""
    p = np.concatenate([sweep(quiet(seed, series=12, mean=0.7), np.full((1, 1440), 5.0)).p for seed in range(100)])
    assert (p < 0.05).mean() < 0.25
    assert (p < 0.01).mean() < 0.05


# -- bursts of entities --------------------------------------------------------------------------------------


def shop(seed: int, *, rows: int = 6000, entities: int = 300, rate: float = 0.02):
    rng = np.random.default_rng(seed)
    return rng.integers(0, entities, rows), np.arange(rows), rng.random(rows) < rate


def test_a_planted_burst_is_found_with_its_ends():
    who, when, hit = shop(1, entities=60, rate=0.003)
    bad = (who == 11) & (when > 2500) & (when < 4500)
    found = bursts([who], when, hit | bad, np.ones(len(who)))
    assert found.entity[0] == 11
    assert found.hits[0] == bad.sum()
    assert (found.first[0], found.last[0]) == (when[bad].min(), when[bad].max())


def test_a_card_at_a_bad_terminal_is_no_burst_of_its_own():
    rng = np.random.default_rng(2)
    who, when, hit = shop(2)
    card = rng.integers(0, 400, len(who))
    bad = (who == 11) & (when > 2000) & (when < 5000)
    card[np.flatnonzero(bad)[::2]] = 7
    found = bursts([card, who], when, hit | bad, np.ones(len(who)))
    assert (found.column.tolist(), found.entity.tolist()) == ([1], [11])


def test_one_entity_may_have_two_bursts():
    who, when, hit = shop(3, rows=12_000, entities=60)
    bad = (who == 5) & (((when > 1000) & (when < 2500)) | ((when > 8000) & (when < 9500)))
    found = bursts([who], when, hit | bad, np.ones(len(who)))
    assert found.entity.tolist().count(5) == 2


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100))
def test_neither_the_order_of_rows_nor_the_codes_matter(seed):
    who, when, hit = shop(seed, rows=2000, entities=40)
    hit = hit | ((who == 3) & (when > 500) & (when < 1500))
    order = np.random.default_rng(seed + 1).permutation(len(who))
    code = np.random.default_rng(seed).permutation(40)
    one = bursts([who], when, hit, np.ones(len(who)))
    other = bursts([code[who][order]], when[order], hit[order], np.ones(len(who)))
    assert sorted(code[one.entity].tolist()) == sorted(other.entity.tolist())
    assert sorted(one.first.tolist()) == sorted(other.first.tolist())


@pytest.mark.parametrize("kind", ["no rows", "no hits", "all hits", "no entity", "one row"])
def test_nothing_to_find(kind):
    rows = {"no rows": 0, "one row": 1}.get(kind, 50)
    who = np.full(rows, -1) if kind == "no entity" else np.arange(rows) % 7
    hit = np.ones(rows, dtype=bool) if kind in ("all hits", "one row") else np.zeros(rows, dtype=bool)
    assert not len(bursts([who.astype(np.int64)], np.arange(rows), hit, np.ones(rows)).entity)


def test_a_burst_has_the_fewest_hits_at_least():
    who, when, hit = shop(6)
    hit[:] = False
    hit[np.flatnonzero(who == 4)[: FEWEST - 1]] = True
    assert not len(bursts([who], when, hit, np.ones(len(who))).entity)


def test_entities_without_bursts_are_seldom_called_one():
    """At a level of 5 %, of 120 quiet shops at most a handful has any burst."""
    found = [len(bursts([who], when, hit, np.ones(len(who))).entity) > 0 for who, when, hit in map(shop, range(120))]
    assert np.mean(found) <= 0.08


def test_a_tail_of_nothing_expected_is_a_number():
    none = np.zeros(2)
    assert np.isfinite(tail(np.array([0.0, 3.0]), none, none, np.array([2.0, 2.0]))).all()
