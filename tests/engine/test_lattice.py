"""Bins are found by comparisons alone, also at the limits of numbers; sums fall into their cells exactly."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.engine.lattice import bins_of, forms_of, lattice_sums

WHOLE = st.sampled_from(
    [-(2**63), -(2**63) + 1, -(2**53) - 1, -7, -1, 0, 1, 2, 7, 300, 2**53 + 1, 2**63 - 2, 2**63 - 1]
)
REAL = st.sampled_from([-np.inf, -1e300, -1.5, -5e-324, -0.0, 0.0, 5e-324, 0.1, 0.1 + 0.2, 0.3, 1e300, np.inf])


def bins(values: np.ndarray, cuts: np.ndarray, *, strict: bool) -> list[int]:
    rows = np.full(-(-len(values) // 64), 2**64 - 1, dtype=np.uint64)
    out = np.zeros(len(values), dtype=np.uint16)
    bins_of(values, cuts, strict=strict, rows=rows, out=out)
    return out.tolist()


@settings(max_examples=150, deadline=None)
@given(st.lists(WHOLE, min_size=1, max_size=80), st.lists(WHOLE, min_size=1, max_size=8), st.booleans())
def test_whole_numbers_find_their_bin(values, cuts, strict):
    held, steps = np.array(values, dtype=np.int64), np.unique(np.array(cuts, dtype=np.int64))
    told = [sum(cut < value if strict else cut <= value for cut in steps.tolist()) for value in held.tolist()]
    assert bins(held, steps, strict=strict) == told


@settings(max_examples=150, deadline=None)
@given(
    st.lists(REAL | st.floats(allow_nan=False), min_size=1, max_size=80),
    st.lists(REAL.filter(np.isfinite) | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60),
    st.booleans(),
)
def test_doubles_find_their_bin(values, cuts, strict):
    held, steps = np.array(values), np.unique(np.array(cuts))
    told = [sum(cut < value if strict else cut <= value for cut in steps.tolist()) for value in values]
    assert bins(held, steps, strict=strict) == told


def test_only_the_rows_that_are_asked_about_change():
    values, out = np.arange(200.0), np.full(200, 9, dtype=np.uint16)
    bins_of(values, np.array([100.0]), strict=False, rows=np.array([0, 2**64 - 1, 0, 0], dtype=np.uint64), out=out)
    assert out.tolist() == [9] * 64 + [0] * 36 + [1] * 28 + [9] * 72


def test_sums_fall_into_their_cells():
    seen, form = np.full(4, -1, dtype=np.int32), np.zeros(4, dtype=np.uint16)
    first, second = np.array([0, 1, 1, 0], dtype=np.int8), np.array([1, 0, 0, 1], dtype=np.int8)
    assert forms_of((first, second), 2, seen, form) == 2
    assert form.tolist() == [0, 1, 1, 0]
    assert seen.tolist() == [-1, 0, 1, -1]
    shape = (1, 2, 2, 1)
    counts, sums, squares = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape)
    group = np.array([0, 0, -1, 0], dtype=np.int16)
    codes = np.array([0, 1, 1, 1], dtype=np.uint16)
    money = np.array([2**60, 5, 7, 1], dtype=np.int64)
    lattice_sums((group, form, codes, np.zeros(4, dtype=np.uint16)), money, (counts, sums, squares))
    assert counts[0, :, :, 0].tolist() == [[1, 1], [0, 1]]
    assert sums[0, :, :, 0].tolist() == [[2**60, 1], [0, 5]]
