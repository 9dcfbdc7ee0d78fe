"""The p-value of "this pays nothing" equals a plain binomial tail, and luck is rarely called a finding."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.metrics.intervals import share_at_most
from riskbench.metrics.paying import chance_of_luck, clustered

#: Two ways to one probability differ in the last digits only.
NEAR = 1e-9


def tail(wins: int, tries: int, share: float) -> float:
    return sum(comb(tries, k) * share**k * (1 - share) ** (tries - k) for k in range(wins, tries + 1))


@given(st.integers(1, 20), st.integers(0, 20), st.floats(0.01, 0.9))
def test_it_is_never_below_the_exact_chance_of_so_many_winners(wins, misses, base):
    won = np.array([True] * wins + [False] * misses)
    value = np.where(won, 5.0, -1.0)
    p = chance_of_luck(value, won, np.ones(len(won), dtype=bool), loss=1.0, base=base)
    if value.sum() <= 0:
        assert p == 1.0
    else:
        even = 1.0 / 6.0
        assert p >= tail(wins, wins + misses, max(even, base)) - NEAR


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(-1, 3)), max_size=30))
def test_clustered_equals_the_oracle(events):
    sums: dict[object, float] = {}
    for place, (value, entity) in enumerate(events):
        key = entity if entity >= 0 else ("alone", place)
        sums[key] = sums.get(key, 0.0) + value
    found = clustered(np.array([v for v, _ in events]), np.array([e for _, e in events], dtype=np.int64))
    assert found == pytest.approx(sum(total**2 for total in sums.values()), abs=NEAR)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=25), st.randoms())
def test_the_order_of_events_does_not_matter_and_clumps_never_help(events, random):
    def asked(rows, groups):
        won = np.array([row[0] for row in rows])
        known = np.array([row[1] for row in rows])
        value = np.where(known, np.where(won, 3.0, -1.0), -0.5)
        codes = (np.array([row[2] for row in rows]),) if groups else ()
        return chance_of_luck(value, won, known, loss=1.0, base=0.05, groups=codes)

    shuffled = list(events)
    random.shuffle(shuffled)
    assert asked(events, groups=True) == pytest.approx(asked(shuffled, groups=True), abs=NEAR)
    if asked(events, groups=True) < 0.4:
        assert asked(events, groups=True) >= asked(events, groups=False) - 0.02


def test_without_winners_or_without_worth_it_is_no_finding():
    none = np.zeros(3, dtype=bool)
    assert chance_of_luck(np.array([]), none[:0], none[:0], loss=1.0, base=0.1) == 1.0
    assert chance_of_luck(np.full(3, -1.0), none, ~none, loss=1.0, base=0.1) == 1.0
    assert chance_of_luck(np.full(3, 1.0), ~none, ~none, loss=1.0, base=1.0) == 1.0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_at_break_even_it_is_called_a_finding_at_most_as_often_as_said(share):
    rng = np.random.default_rng(3)
    gain, cost = 1.0 - share, share
    found = 0
    for _ in range(2_000):
        won = rng.random(40) < share
        value = np.where(won, gain, -cost)
        found += chance_of_luck(value, won, won | True, loss=cost, base=0.01) <= 0.05
    assert found <= 0.065 * 2_000  # three standard errors above one in twenty


@given(st.integers(0, 12), st.integers(1, 12))
def test_the_largest_share_not_ruled_out_is_where_so_few_become_unlikely(hits, more):
    total = hits + more
    upper = share_at_most(hits, total)
    fewer = sum(comb(total, k) * upper**k * (1 - upper) ** (total - k) for k in range(hits + 1))
    assert fewer == pytest.approx(0.05, abs=1e-6)
    assert share_at_most(total, total) == 1.0
