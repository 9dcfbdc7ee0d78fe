"""Does the segment search find what changed, and nothing where nothing did?"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.errors import ParameterError
from riskbench.metrics.segment_null import Adder, chance
from riskbench.metrics.segment_scan import scan
from riskbench.metrics.segment_score import Board, State
from riskbench.metrics.segment_space import cuboids, leaves

#: Sums of floats in another order differ in the last places.
CLOSE = 1e-9

rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 1), st.integers(0, 30), st.integers(0, 60)),
    min_size=1,
    max_size=40,
)


def columns(cells):
    table = np.array(cells, dtype=np.int64)
    return [table[:, place].astype(np.int32) for place in range(3)], [3, 4, 2], table[:, 3], table[:, 4]


def oracle(codes, now, then, *, depth, least):
    """Return every segment's log likelihood ratio less its price, one segment and one row after the other."""
    count = len(now)
    all_now, all_then = sum(map(int, now)), sum(map(int, then))
    odds = all_now / all_then
    found = {}
    for size in range(1, depth + 1):
        for dims in combinations(range(len(codes)), size):
            groups = {}
            for row in range(count):
                key = tuple((dim, int(codes[dim][row])) for dim in dims)
                observed, past = groups.get(key, (0, 0))
                groups[key] = (observed + int(now[row]), past + int(then[row]))
            groups = {key: sums for key, sums in groups.items() if sum(sums) >= least}
            for key, (b, p) in groups.items():
                t = b + p
                e = t * odds / (1 + odds)
                score = term(b, e) + term(t - b, t - e)
                rest, rest_total = all_now - b, all_now + all_then - t
                score += term(rest, all_now - e) + term(rest_total - rest, rest_total - (all_now - e))
                found[key] = (score - math.log(len(groups)), 1 if b > e else -1)
    return found


def term(observed, expected):
    return observed * math.log(observed / expected) if observed > 0 else 0.0


@given(rows)
@settings(max_examples=60, deadline=None)
def test_every_score_equals_the_oracle(cells):
    codes, sizes, now, then = columns(cells)
    if now.sum() == 0 or then.sum() == 0:
        return
    constant = {dim for dim in range(3) if len(set(codes[dim].tolist())) == 1}
    wanted = {
        key: value
        for key, value in oracle(codes, now, then, depth=3, least=5).items()
        if not {dim for dim, _ in key} & constant
        and all(sum(int(now[r]) + int(then[r]) for r in range(len(now)) if codes[d][r] == v) >= 5 for d, v in key)
    }
    held = leaves(codes, sizes, now + then, least=5, most=100)
    ones = np.ones(len(held))
    state = State("sum", held.sums(now), held.sums(then), ones, ones, ones.copy(), ones > 0, ones)
    state.refit()
    space = cuboids(held, held.sums(now + then), depth=3, least=5)
    price = np.concatenate([np.full(len(one.values), np.log(len(one.values))) for one in space] or [np.zeros(0)])
    if not len(price):
        assert not wanted
        return
    scores = Board(state, Adder(space, len(held)), price, None, 0, None).scores()
    keys = [tuple(zip(one.dims, (int(code) for code in values), strict=True)) for one in space for values in one.values]
    assert set(keys) == set(wanted)
    for key, score in zip(keys, scores.score, strict=True):
        assert score == pytest.approx(wanted[key][0], rel=1e-7, abs=1e-7)


def seen(found):
    return [
        (tuple(sorted(one.terms)), round(one.observed, 6), round(one.expected, 6), round(one.score, 6), one.p_value)
        for one in found
    ]


def planted(seed=1, n=6000):
    rng = np.random.default_rng(seed)
    device, land, kind = rng.integers(0, 4, n), rng.integers(0, 6, n), rng.integers(0, 3, n)
    now = rng.random(n) < 0.3
    fraud = rng.random(n) < np.where(now & (device == 2) & (land == 3), 0.25, 0.02)
    return [device, land, kind], [4, 6, 3], fraud, now


def searched(codes, sizes, fraud, now, **more):
    return scan(
        codes, sizes, current=fraud & now, baseline=fraud & ~now, current_exposure=now.astype(float),
        baseline_exposure=(~now).astype(float), draws=59, **more,
    )  # fmt: skip


def test_a_planted_segment_is_found_with_its_size():
    codes, sizes, fraud, now = planted()
    (one,) = searched(codes, sizes, fraud, now).found
    assert one.terms == ((0, 2), (1, 3))
    inside = (codes[0] == 2) & (codes[1] == 3)
    assert one.observed == (fraud & now & inside).sum()
    assert one.n == inside.sum()
    assert one.ratio_lower < one.ratio < one.ratio_upper
    assert one.ratio_lower > 2
    assert one.share_lower < one.share < one.share_upper
    assert one.excess == pytest.approx(one.observed - one.expected)


def test_the_order_of_rows_and_the_names_of_values_do_not_matter():
    codes, sizes, fraud, now = planted()
    base = searched(codes, sizes, fraud, now).found
    order = np.random.default_rng(5).permutation(len(now))
    other = searched([part[order] for part in codes], sizes, fraud[order], now[order]).found
    assert [one.terms for one in other] == [one.terms for one in base]
    assert other[0].score == pytest.approx(base[0].score, rel=CLOSE)
    name = np.array([3, 1, 0, 2])
    renamed = searched([name[codes[0]], *codes[1:]], sizes, fraud, now).found
    assert [one.terms for one in renamed] == [((0, 0), (1, 3))]
    assert renamed[0].score == pytest.approx(base[0].score, rel=CLOSE)


@given(rows)
@settings(max_examples=25, deadline=None)
def test_merging_and_splitting_rows_does_not_matter(cells):
    codes, sizes, now, then = columns(cells)
    doubled = [np.concatenate([part, part]) for part in codes]
    nothing = np.zeros_like(now)
    one = scan(codes, sizes, current=now, baseline=then, draws=19)
    two = scan(
        doubled, sizes, current=np.concatenate([now, nothing]), baseline=np.concatenate([nothing, then]), draws=19
    )
    assert seen(one.found) == seen(two.found)
    assert one.best_p_value == two.best_p_value


def test_growth_of_everything_and_of_a_segment_is_no_change_of_a_rate():
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(20):
        land, kind = rng.integers(0, 5, 20_000), rng.integers(0, 4, 20_000)
        now = rng.random(20_000) < np.where(land == 1, 0.6, 0.15)  # the segment has four times the traffic
        fraud = rng.random(20_000) < np.where(land == 1, 0.08, 0.02)  # and the higher rate, as ever
        alarms += bool(searched([land, kind], [5, 4], fraud, now).found)
    assert alarms <= 4


def test_a_season_that_lifts_everything_is_no_segment():
    rng = np.random.default_rng(9)
    codes = [rng.integers(0, 5, 30_000), rng.integers(0, 8, 30_000)]
    now = rng.random(30_000) < 0.2
    found = searched(codes, [5, 8], rng.random(30_000) < np.where(now, 0.06, 0.02), now)
    assert found.found == ()
    assert found.outside > 2


def test_false_alarms_keep_to_the_level():
    rng = np.random.default_rng(10)
    alarms = 0
    for turn in range(60):
        codes = [rng.integers(0, size, 4000) for size in (3, 12, 30)]
        now = rng.random(4000) < 0.25
        fraud = rng.random(4000) < 0.03
        alarms += bool(searched(codes, [3, 12, 30], fraud, now, seed=turn).found)
    assert alarms <= 9  # 99.8 % of binomial(60, 0.05)


def test_what_comes_together_is_one_draw_of_chance():
    rng = np.random.default_rng(11)
    alone = together = 0
    for turn in range(15):
        seller = rng.integers(0, 400, 6000)
        land = rng.integers(0, 10, 400)[seller]
        bad = rng.random((400, 2)) < 0.02  # a seller's whole month is bad, or none of it
        now = rng.random(6000) < 0.5
        fraud = bad[seller, now.astype(int)]
        given = {"seed": turn, "draws": 59}
        parts = {"current": fraud & now, "baseline": fraud & ~now}
        alone += bool(scan([land], [10], **parts, **given).found)
        together += bool(scan([land], [10], **parts, clumps=seller, **given).found)
    assert together <= 3
    assert alone > together


def test_equal_conditions_are_told_as_the_shortest():
    codes, sizes, fraud, now = planted()
    twin = codes[0] * 6 + codes[1]  # one value of it is the planted pair
    (one,) = searched([*codes, twin], [*sizes, 24], fraud, now).found
    assert one.terms == ((3, 15),)
    assert ((0, 2), (1, 3)) in one.same


def test_a_wide_column_is_cut_and_said_to_be():
    rng = np.random.default_rng(12)
    n = 60_000
    ids, land = rng.integers(0, 1_000_000, n), rng.integers(0, 4, n)
    now = rng.random(n) < 0.3
    ids[:300] = 77
    now[:300] = np.arange(300) < 290
    found = scan([ids, land], [1_000_000, 4], current=now, baseline=~now, draws=19)
    assert found.found[0].terms == ((0, 77),)
    (pruned,) = found.pruned
    assert pruned.dim == 0
    assert pruned.searched < 100
    assert 0.9 < pruned.events <= 1


def test_falls_and_forecasts():
    rng = np.random.default_rng(13)
    grid = [part.ravel() for part in np.meshgrid(np.arange(6), np.arange(8), np.arange(10), indexing="ij")]
    forecast = 100 * rng.weibull(0.7, 480)
    now = forecast * (1 + rng.normal(0, 0.1, 480))
    inside = (grid[0] == 2) & (grid[2] == 4)
    now[inside] = forecast[inside] * 0.4
    given = {"current": now, "baseline": forecast, "measured": True, "least": 1, "draws": 39}
    (one,) = scan(grid, [6, 8, 10], **given, way="fall").found
    assert one.terms == ((0, 2), (2, 4))
    assert one.excess < 0
    assert scan(grid, [6, 8, 10], **given, way="rise").found == ()


@pytest.mark.parametrize(
    "given",
    [
        {"current": [1.0], "baseline": [1.0, 2.0]},
        {"current": [-1.0, 1.0], "baseline": [1.0, 1.0]},
        {"current": [np.nan, 1.0], "baseline": [1.0, 1.0]},
        {"current": [1, 1], "baseline": [1, 1], "current_exposure": [1, 1]},
        {"current": [1, 1], "baseline": [1, 1], "way": "up"},
        {"current": [1, 1], "baseline": [1, 1], "level": 0},
        {"current": [1, 1], "baseline": [1, 1], "scale": 0},
        {"current": [1, 1], "baseline": [1, 1], "clumps": [1]},
    ],
)
def test_bad_input_is_refused(given):
    with pytest.raises(ParameterError):
        scan([[0, 1]], [2], **given)


def test_nothing_to_search():
    empty = scan([[]], [1], current=[], baseline=[])
    assert (empty.found, empty.best_p_value, empty.searched) == ((), None, 0)
    one = scan([[0, 0, 0]], [1], current=[9, 9, 9], baseline=[1, 1, 1])
    assert one.found == ()
    assert one.pruned[0].searched == 0
    assert scan([[0, 1]], [2], current=[0, 0], baseline=[0, 0]).found == ()


def test_chance_of_few_draws_follows_gumbel():
    rng = np.random.default_rng(14)
    drawn = rng.gumbel(5, 1, 60)
    assert chance(9.0, drawn) == pytest.approx(1 - math.exp(-math.exp(-4)), rel=0.5)
    assert chance(-np.inf, drawn) == 1.0
