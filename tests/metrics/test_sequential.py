"""Does an interval that is looked at after every event keep its promise at all looks together?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.metrics.sequential import (
    SHARE_SPREAD,
    beyond,
    bounded_sequence,
    difference_sequence,
    drifting_share_sequence,
    events_needed,
    mean_sequence,
    share_events_needed,
    share_sequence,
    spread_for,
)

ALPHA = 0.05
#: Two standard errors of a rate of 5 % over the fewest paths of a study: what chance adds to a promise that is kept.
SLACK = 2 * math.sqrt(0.05 * 0.95 / 400)
#: How far a plan may miss the events that simulation needs; measured: 16 % too many, 8 % too few at most.
PLANNING = 0.2

steps = st.lists(st.booleans(), min_size=1, max_size=60)


def looks(hits: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    return np.cumsum(np.array(hits, dtype=float)), np.arange(1, len(hits) + 1, dtype=float)


def evidence(k: float, n: float, share: float) -> float:
    """Return the log of the mixture's likelihood ratio against one share, in plain Python."""
    mixture = math.lgamma(0.5 + k) + math.lgamma(0.5 + n - k) - math.lgamma(n + 1) - math.log(math.pi)
    if (share <= 0 and k > 0) or (share >= 1 and n > k):
        return math.inf
    return mixture - (k * math.log(share) if k else 0.0) - ((n - k) * math.log1p(-share) if n > k else 0.0)


@settings(max_examples=30, deadline=None)
@given(steps)
def test_a_share_equals_the_scan_of_all_shares(hits):
    k, n = looks(hits)
    held = share_sequence(k, n, alpha=ALPHA)
    inside = [p / 2000 for p in range(2001) if evidence(k[-1], n[-1], p / 2000) < math.log(1 / ALPHA)]
    assert held.lower[-1] == pytest.approx(inside[0], abs=1 / 1500)
    assert held.upper[-1] == pytest.approx(inside[-1], abs=1 / 1500)
    assert held.lower[-1] <= held.value[-1] <= held.upper[-1]


@settings(max_examples=40, deadline=None)
@given(steps)
def test_what_is_known_never_widens_and_evidence_never_goes_away(hits):
    held = share_sequence(*looks(hits), bound=0.3)
    lower, upper = held.running()
    assert (np.diff(lower) >= 0).all()
    assert (np.diff(upper) <= 0).all()
    assert (np.diff(held.p) <= 0).all()
    assert ((held.p >= 0) & (held.p <= 1)).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 12), st.integers(0, 30), st.integers(0, 12), st.integers(0, 30))
def test_a_difference_equals_the_scan_of_all_pairs(k1, more1, k0, more0):
    n1, n0 = k1 + more1, k0 + more0
    held = difference_sequence([k1], [n1], [k0], [n0], alpha=ALPHA)
    grid = np.linspace(0, 1, 201)
    one = np.array([evidence(k1, n1, p) for p in grid])
    none = np.array([evidence(k0, n0, p) for p in grid])
    total = one[:, None] + none[None, :]
    apart = (grid[:, None] - grid[None, :])[total < math.log(1 / ALPHA)]
    assert held.lower[0] <= apart.min() + 1e-9
    assert held.upper[0] >= apart.max() - 1e-9
    assert held.lower[0] >= apart.min() - 0.02
    assert held.upper[0] <= apart.max() + 0.02


@pytest.mark.parametrize("share", [0.005, 0.05, 0.4])
def test_looking_after_every_event_keeps_the_false_alarm(share):
    rng = np.random.default_rng(11)
    paths, length = 400, 700
    k = np.cumsum(rng.random((paths, length)) < share, axis=1)
    n = np.tile(np.arange(1, length + 1), (paths, 1))
    two = share_sequence(k.ravel(), n.ravel(), bound=share)
    missed = ((two.lower > share) | (two.upper < share)).reshape(paths, length).any(axis=1)
    assert missed.mean() <= ALPHA + SLACK, "coverage at all times together"
    one = (beyond(k.ravel(), n.ravel(), bound=share) >= 1 / ALPHA).reshape(paths, length).any(axis=1)
    assert one.mean() <= ALPHA + SLACK
    ordinary = np.abs(k / n - share) > 1.96 * np.sqrt(share * (1 - share) / n)
    assert ordinary[:, 100:].any(axis=1).mean() > 3 * ALPHA, "the study would show a test that does not keep it"


def test_no_difference_is_told_from_none_however_often_one_looks():
    rng = np.random.default_rng(12)
    found = 0
    for _ in range(50):
        arm, hit = rng.random(1200) < 0.2, rng.random(1200) < 0.1
        at = np.arange(59, 1200, 60)
        counts = [np.cumsum(x)[at] for x in (hit & arm, arm, hit & ~arm, ~arm)]
        found += difference_sequence(*counts).p[-1] <= ALPHA
    assert found / 50 <= ALPHA


def test_a_true_difference_is_told():
    held = difference_sequence([60], [200], [60], [600])
    assert held.lower[0] > 0
    assert held.p[0] < ALPHA


def test_a_bounded_mean_is_kept_at_all_times_whatever_its_shape():
    rng = np.random.default_rng(13)
    missed = 0
    for _ in range(300):
        x = np.where(rng.random(800) < 0.1, rng.random(800), 0.0)
        held = bounded_sequence(x)
        missed += bool(((held.lower > 0.05) | (held.upper < 0.05)).any())
    assert missed / 300 <= ALPHA
    told = bounded_sequence(5 + 10 * rng.random(4000), low=5, high=15, null=8)
    assert told.p[-1] <= ALPHA
    assert told.lower[-1] < 10 < told.upper[-1]


def test_a_mean_is_kept_once_there_are_enough_events():
    rng = np.random.default_rng(14)
    x = rng.exponential(1, (600, 2000))
    n = np.arange(1, 2001, dtype=float)
    missed = 0
    for row in x:
        held = mean_sequence(n[200:], np.cumsum(row)[200:], np.cumsum(row * row)[200:], best_at=500, null=1.0)
        missed += held.p[-1] <= ALPHA
    assert missed / 600 <= ALPHA + SLACK


@pytest.mark.parametrize(("share", "bound"), [(0.25, 0.05), (0.1, 0.05), (0.2, 0.4), (0.02, 0.05)])
def test_the_plan_for_a_share_is_what_simulation_needs(share, bound):
    planned = share_events_needed(share, bound)
    length, paths = int(planned * 2.5) + 10, 300
    k = np.cumsum(np.random.default_rng(15).random((paths, length)) < share, axis=1)
    n = np.arange(1, length + 1)
    told = np.array([share_sequence(row, n, bound=bound).p <= ALPHA for row in k])
    first = np.where(told.any(axis=1), told.argmax(axis=1) + 1, length)
    assert planned == pytest.approx(np.quantile(first, 0.8), rel=PLANNING)


def test_the_plan_for_a_mean_is_what_simulation_needs():
    effect, spread = 0.2, spread_for(400)
    planned = events_needed(effect, spread=spread)
    x = np.cumsum(np.random.default_rng(16).normal(effect, 1, (600, int(planned * 3))), axis=1)
    n = np.arange(1, x.shape[1] + 1)
    edge = np.sqrt(2 * (n + 1 / spread**2) * (0.5 * np.log1p(n * spread**2) + math.log(1 / ALPHA)))
    told = np.abs(x) >= edge
    first = np.where(told.any(axis=1), told.argmax(axis=1) + 1, x.shape[1])
    assert planned == pytest.approx(np.quantile(first, 0.8), rel=PLANNING)


def test_a_plan_asks_more_for_less():
    assert events_needed(0.1) > events_needed(0.2) > events_needed(0.4)
    assert events_needed(0.2, power=0.9) > events_needed(0.2, power=0.8)
    assert events_needed(0.2, alpha=0.01) > events_needed(0.2)
    assert events_needed(0.0) == math.inf
    assert share_events_needed(0.3, 0.3) == math.inf
    assert 0 < SHARE_SPREAD < 2


def test_nothing_seen_says_nothing():
    held = share_sequence([0.0], [0.0])
    assert np.isnan(held.value[0])
    assert (held.lower[0], held.upper[0]) == (0.0, 1.0)
    assert share_sequence([], []).running()[0].size == 0
    apart = difference_sequence([0], [0], [3], [9])
    assert (apart.lower[0], apart.upper[0]) == (pytest.approx(-1.0, abs=0.3), pytest.approx(1.0, abs=0.2))
    assert not share_sequence([0.0, 5], [5.0, 10]).moved


def test_a_share_that_moves_is_called_so():
    hits = np.concatenate([np.zeros(400), np.ones(400)])
    assert share_sequence(np.cumsum(hits), np.arange(1, 801)).moved


# -- a share that moves --------------------------------------------------------------------------------------------


def bets(k: float, n: float, share: float) -> float:
    """Return what the mixture of bets has won against a mean share, in plain Python."""
    sizes = [0.001 * 1.5**step for step in range(23)]
    whole = 2 * sum(math.sqrt(size) for size in sizes)
    return sum(
        math.sqrt(size) / whole * math.exp(way * size * k - n * math.log1p(share * math.expm1(way * size)))
        for size in sizes
        for way in (1, -1)
    )


@settings(max_examples=15, deadline=None)
@given(steps, st.floats(1, 4))
def test_a_drifting_share_equals_the_scan_of_all_shares(hits, swell):
    k, n = (x / swell for x in looks(hits))
    held = drifting_share_sequence(k, n, alpha=ALPHA)
    inside = [p / 500 for p in range(501) if bets(k[-1], n[-1], p / 500) < 1 / ALPHA]
    assert held.lower[-1] == pytest.approx(inside[0], abs=1 / 400)
    assert held.upper[-1] == pytest.approx(inside[-1], abs=1 / 400)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 1)), min_size=1, max_size=12),
    st.floats(1, 20),
    st.sampled_from([0.05, 0.01, 0.3]),
)
def test_what_is_printed_holds_its_estimate_at_every_look_however_the_share_moves(days, swell, alpha):
    n = np.cumsum([count for count, _ in days]).astype(float)
    k = np.cumsum([round(count * share) for count, share in days]).astype(float)
    held = drifting_share_sequence(k / swell, n / swell, alpha=alpha)
    assert (held.lower <= held.value).all()
    assert (held.value <= held.upper).all()
    assert ((held.lower >= 0) & (held.upper <= 1)).all()
    np.testing.assert_allclose(held.value, k / n)


def chances(kind: str, length: int, rng: np.random.Generator) -> np.ndarray:
    at = np.linspace(0, 1, length)
    return {
        "one": np.full(length, 0.05),
        "leaps": np.where(at < 0.4, 0.02, 0.25),
        "falls": 0.3 * (1 - at) ** 3,
        "swings": 0.2 + 0.2 * np.sin(20 * at),
        "chance": rng.random(length) ** 4,
    }[kind]


@pytest.mark.parametrize("kind", ["one", "leaps", "falls", "swings", "chance"])
def test_the_mean_of_all_events_so_far_is_held_at_all_looks_however_it_moves(kind):
    rng = np.random.default_rng(17)
    paths, length = 400, 2000
    at = np.unique(np.geomspace(5, length, 20).astype(int)) - 1
    share = chances(kind, length, rng)
    k = np.cumsum(rng.random((paths, length)) < share, axis=1)[:, at]
    mean, n = (np.cumsum(share) / np.arange(1, length + 1))[at], np.tile(at + 1, (paths, 1))
    held = drifting_share_sequence(k.ravel(), n.ravel())
    lower, upper = held.lower.reshape(k.shape), held.upper.reshape(k.shape)
    assert ((lower > mean) | (upper < mean)).any(axis=1).mean() <= ALPHA + SLACK
    if kind == "leaps":
        one = share_sequence(k[0], n[0])
        low, high = one.running()
        assert ((low > one.value) | (high < one.value)).any(), "the study would show what loses its estimate"


def test_the_mean_is_held_also_when_what_was_seen_moves_the_share():
    """After a day above 10 % the next is quiet, after one below it is not: chances answer the past."""
    rng = np.random.default_rng(18)
    paths, days, each = 400, 20, 50
    k, chance = np.zeros((paths, days)), np.zeros((paths, days))
    for day in range(days):
        seen = k[:, :day].sum(axis=1) / max(day * each, 1)
        chance[:, day] = np.where(seen > 0.1, 0.02, 0.3)
        k[:, day] = rng.binomial(each, chance[:, day])
    n = np.tile(each * np.arange(1, days + 1), (paths, 1))
    held = drifting_share_sequence(np.cumsum(k, axis=1).ravel(), n.ravel())
    mean = (np.cumsum(chance, axis=1) / np.arange(1, days + 1)).ravel()
    missed = ((held.lower > mean) | (held.upper < mean)).reshape(paths, days).any(axis=1)
    assert missed.mean() <= ALPHA + SLACK


def test_a_drifting_share_of_nothing_is_open():
    held = drifting_share_sequence([0.0], [0.0])
    assert np.isnan(held.value[0])
    assert (held.lower[0], held.upper[0]) == (0.0, 1.0)
    assert drifting_share_sequence([], []).value.size == 0
