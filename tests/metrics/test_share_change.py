"""Does a changed share get told, and only then, where weeks differ by more than chance?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from riskbench.metrics.discovery import q_values
from riskbench.metrics.share_change import exact_p, share_change, weekly_swell

counts = st.tuples(st.integers(0, 40), st.integers(0, 40))


@settings(max_examples=80, deadline=None)
@given(counts, counts)
def test_the_exact_test_is_fishers(first, second):
    (k0, more0), (k1, more1) = first, second
    n0, n1 = k0 + more0, k1 + more1
    if n0 and n1:
        assert exact_p(k0, n0, k1, n1) == pytest.approx(fisher_exact([[k0, more0], [k1, more1]])[1], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8), counts, st.randoms(use_true_random=False))
def test_the_order_of_weeks_does_not_matter(weeks, now, random):
    shuffled = list(weeks)
    random.shuffle(shuffled)

    def told(rows):
        hits, total = [k for k, _ in rows], [k + more for k, more in rows]
        held = share_change(hits, total, current_hits=now[0], current_total=sum(now))
        return held.p, held.change

    assert told(weeks) == pytest.approx(told(shuffled), nan_ok=True) if told(weeks)[1] is not None else True
    assert 0 <= told(weeks)[0] <= 1


def test_large_counts_fall_back_on_the_normal_test():
    p = exact_p(30_000, 100_000, 30_900, 100_000)
    assert p == pytest.approx(1.17e-5, rel=0.05)


@pytest.mark.parametrize("sway", [0.0, 0.5, 1.0])
def test_a_book_that_does_not_change_is_left_alone(sway):
    """Twenty rules, sixteen weeks against four; weekly precisions sway on the logit scale."""
    rng = np.random.default_rng(21)
    alarms, books = 0, 150
    for _ in range(books):
        p = []
        for _ in range(20):
            share = rng.uniform(0.1, 0.6)
            weekly = 1 / (1 + np.exp(-np.log(share / (1 - share)) - rng.normal(0, sway, 20)))
            n = rng.poisson(20, 20)
            k = rng.binomial(n, weekly)
            p.append(share_change(k[:16], n[:16], current_hits=k[16:].sum(), current_total=n[16:].sum()).p)
        alarms += bool((q_values(np.array(p)) <= 0.05).any())
    assert alarms / books <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / books)


def test_a_planted_fall_is_found_among_twenty_rules():
    rng = np.random.default_rng(22)
    found = 0
    for _ in range(60):
        p = []
        for rule in range(20):
            n = rng.poisson(30, 20)
            k = rng.binomial(n, np.r_[np.full(16, 0.4), np.full(4, 0.15 if rule == 0 else 0.4)])
            p.append(share_change(k[:16], n[:16], current_hits=k[16:].sum(), current_total=n[16:].sum()).p)
        found += q_values(np.array(p))[0] <= 0.05
    assert found / 60 > 0.85


def test_differing_weeks_widen_the_interval():
    steady = share_change([20, 20, 20, 20], [40, 40, 40, 40], current_hits=10, current_total=40)
    bursts = share_change([40, 0, 40, 0], [40, 40, 40, 40], current_hits=10, current_total=40)
    assert steady.change == bursts.change
    assert bursts.lower < steady.lower
    assert bursts.upper > steady.upper
    assert bursts.p > steady.p


def test_nothing_in_a_period_is_no_change():
    held = share_change([], [], current_hits=3, current_total=9)
    assert (held.change, held.p) == (None, 1.0)
    assert weekly_swell(np.array([0.0, 0]), np.array([0.0, 5])) == 1.0
