"""The exact truth table against a slow one in plain Python, an outside reference, and its laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.errors import DataError, ParameterError
from riskbench.metrics.curve import OPS, TruthTable, hit_at, truth_table

LEVELS = 4
VALUES = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 0.1, 0.5, 0.5000000001, 1.0, -3.0, 1e300, 7.0])
ROW = st.tuples(
    VALUES,
    st.integers(0, 3),  # base
    st.integers(0, 3),  # hit
    st.integers(0, 2),  # kind
    st.sampled_from([0, 1, 7, 250, 10**12, -5]),  # money
    st.booleans(),  # always
    st.booleans(),  # never
)


def table_of(rows, op) -> TruthTable:
    columns = list(zip(*rows, strict=True)) or [()] * 7
    small = [np.array(columns[i], dtype=np.int8) for i in (1, 2, 3)]
    always = np.array(columns[5], dtype=bool)
    return truth_table(
        np.array(columns[0], dtype=np.float64),
        op=op,
        base=small[0],
        hit=small[1],
        kinds=small[2],
        money=np.array(columns[4], dtype=np.int64),
        levels=LEVELS,
        always=always,
        never=np.array(columns[6], dtype=bool) & ~always,
    )


def slow(rows, op, cut):
    """Count one cut by plain Python: (class, level) -> [count, money]."""
    out = {(k, lv): [0, 0] for k in range(3) for lv in range(LEVELS)}
    for value, base, hit, kind, money, always, never in rows:
        compare = {
            ">=": value >= cut,
            ">": value > cut,
            "<=": value <= cut,
            "<": value < cut,
        }[op]
        is_hit = always or (compare and not never)
        cell = out[kind, hit if is_hit else base]
        cell[0] += 1
        cell[1] += money
    return out


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(ROW, max_size=25), op=st.sampled_from(OPS))
def test_every_cut_equals_a_plain_count(rows, op):
    table = table_of(rows, op)
    cuts = table.cuts
    assert len(cuts) == table.points
    for point, cut in enumerate(cuts):
        counts, money, squares = table.at(point)
        if point == 0:  # nobody: not even infinite values
            wanted = slow([(math.nan, *row[1:]) for row in rows], op, 0.0)
        else:
            assert math.isfinite(cut)
            wanted = slow(rows, op, float(cut))
            assert table.point(float(cut)) == point
        for (kind, level), (n, m) in wanted.items():
            assert counts[kind, level] == n
            assert money[kind, level] == m
            assert squares[kind, level] >= 0


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=25), op=st.sampled_from(OPS), cut=VALUES.filter(math.isfinite))
def test_any_finite_cut_stands_at_its_point(rows, op, cut):
    table = table_of(rows, op)
    counts, money, _ = table.at(table.point(cut))
    for (kind, level), (n, m) in slow(rows, op, cut).items():
        assert (counts[kind, level], money[kind, level]) == (n, m)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=20), op=st.sampled_from(OPS), seed=st.integers(0, 99))
def test_row_order_does_not_matter_and_parts_add_up(rows, op, seed):
    table = table_of(rows, op)
    mixed = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    other = table_of(mixed, op)
    assert np.array_equal(table.cuts, other.cuts)
    assert np.array_equal(table.counts, other.counts)
    assert np.array_equal(table.money, other.money)
    half = len(rows) // 2
    parts = [table_of(rows[:half], op), table_of(rows[half:], op)]
    for cut in table.cuts[1:]:
        whole = table.at(table.point(cut))
        split = [part.at(part.point(cut)) for part in parts]
        for measure in (0, 1):
            assert np.array_equal(whole[measure], split[0][measure] + split[1][measure])


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=15), op=st.sampled_from(OPS))
def test_doubling_every_row_doubles_every_sum(rows, op):
    once, twice = table_of(rows, op), table_of(rows * 2, op)
    assert np.array_equal(once.cuts, twice.cuts)
    assert np.array_equal(2 * once.counts, twice.counts)
    assert np.array_equal(2 * once.money, twice.money)


def test_a_looser_cut_never_hits_fewer():
    rng = np.random.default_rng(5)
    table = truth_table(
        rng.integers(0, 50, 1000) / 7,
        op=">=",
        base=np.zeros(1000, np.int8),
        hit=np.full(1000, 2, np.int8),
        kinds=rng.integers(0, 3, 1000).astype(np.int8),
        money=rng.integers(0, 10**6, 1000),
        levels=4,
    )
    assert (np.diff(table.counts, axis=1) >= 0).all()
    assert (np.diff(table.cuts) < 0).all()


def test_counts_agree_with_scikit_learn():
    from sklearn.metrics import precision_recall_curve

    rng = np.random.default_rng(11)
    score, fraud = np.round(rng.random(5000), 3), rng.random(5000) < 0.1
    table = truth_table(
        score,
        op=">=",
        base=np.zeros(5000, np.int8),
        hit=np.full(5000, 2, np.int8),
        kinds=fraud.astype(np.int8),
        money=np.ones(5000, np.int64),
        levels=4,
    )
    precision, recall, cuts = precision_recall_curve(fraud, score)
    caught = table.counts[table.moves.index((1, 0, 2))][1:][::-1]
    alerts = table.counts.sum(axis=0)[1:][::-1]
    assert np.array_equal(table.cuts[1:][::-1], cuts)
    assert np.allclose(caught / alerts, precision[:-1], rtol=1e-14)
    assert np.allclose(caught / fraud.sum(), recall[:-1], rtol=1e-14)


def test_money_stays_exact_beyond_what_floats_hold():
    money = np.array([2**60, 1, 1, 1], dtype=np.int64)
    table = truth_table(
        np.array([4.0, 3.0, 2.0, 1.0]),
        op=">=",
        base=np.zeros(4, np.int8),
        hit=np.ones(4, np.int8),
        kinds=np.ones(4, np.int8),
        money=money,
        levels=4,
    )
    assert table.money[0].tolist() == [0, 2**60, 2**60 + 1, 2**60 + 2, 2**60 + 3]


def test_money_past_the_exact_range_is_refused():
    with pytest.raises(DataError, match="exact"):
        truth_table(
            np.ones(4),
            op=">=",
            base=np.zeros(4, np.int8),
            hit=np.ones(4, np.int8),
            kinds=np.zeros(4, np.int8),
            money=np.full(4, 2**61, dtype=np.int64),
            levels=4,
        )


def test_an_unknown_comparison_is_refused():
    with pytest.raises(ParameterError, match="swept"):
        truth_table(
            np.ones(1),
            op="==",
            base=np.zeros(1, np.int8),
            hit=np.ones(1, np.int8),
            kinds=np.zeros(1, np.int8),
            money=np.ones(1, np.int64),
            levels=4,
        )


def test_hit_at_reads_every_comparison():
    value = np.array([1.0, 2.0, np.nan, np.inf])
    assert hit_at(value, ">=", 2.0).tolist() == [False, True, False, True]
    assert hit_at(value, ">", 2.0).tolist() == [False, False, False, True]
    assert hit_at(value, "<=", 2.0).tolist() == [True, True, False, False]
    assert hit_at(value, "<", 2.0).tolist() == [True, False, False, False]
    assert not hit_at(value, ">=", np.inf).any()
    assert not hit_at(value, "<=", -np.inf).any()


@pytest.mark.parametrize("scale", [1, 100, 10**6, 3])
@pytest.mark.parametrize("op", OPS)
def test_counting_by_step_equals_sorting(scale, op):
    """The same events with and without one value off the grid: all figures agree where both have a cut."""
    rng = np.random.default_rng(8)
    rows = 4000
    value = rng.integers(-500, 2000, rows) / scale
    kinds, base = rng.integers(0, 3, rows).astype(np.int8), rng.integers(0, 2, rows).astype(np.int8)
    money = rng.integers(0, 2**45, rows)

    def made(values):
        return truth_table(values, op=op, base=base, hit=np.full(rows, 2, np.int8), kinds=kinds, money=money, levels=4)

    on, off = made(value), made(np.append(value[:-1], math.pi / 7))
    order = np.unique(value)
    for cut in order[:: len(order) // 40]:
        mask = hit_at(value, op, cut)
        counts, sums, _ = on.at(on.point(cut))
        for kind in range(3):
            assert counts[kind, 2] == (mask & (kinds == kind)).sum()
            assert sums[kind, 2] == money[mask & (kinds == kind)].sum()
        moved = mask.copy()
        moved[-1] = hit_at(np.array([math.pi / 7]), op, cut)[0]
        assert off.at(off.point(cut))[0][:, 2].sum() == moved.sum()
