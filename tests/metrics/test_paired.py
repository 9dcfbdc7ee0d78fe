"""Paired tests and intervals against slow plain Python, SciPy, and the laws that any difference keeps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from riskbench.metrics.intervals import Z95
from riskbench.metrics.paired import mcnemar, share_difference

#: Rounding of float64 in sums of a few terms.
CLOSE = 1e-9

counts = st.integers(0, 300)
cells = st.tuples(counts, counts)


@given(counts, counts)
def test_mcnemar_equals_the_binomial_test(b: int, c: int) -> None:
    statistic, mid, exact = mcnemar(b, c)
    if b + c == 0:
        assert (statistic, mid, exact) == (None, None, None)
        return
    assert statistic == pytest.approx((b - c) ** 2 / (b + c))
    assert exact == pytest.approx(binomtest(b, b + c, 0.5).pvalue, rel=1e-6)
    by_hand = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) * 2 / 2 ** (b + c)
    point = math.comb(b + c, b) / 2 ** (b + c)
    assert mid == pytest.approx(1.0 if b == c else min(1.0, by_hand - point), rel=1e-9)
    assert mid <= exact
    assert mcnemar(c, b) == (statistic, mid, exact)


def test_many_pairs_come_near_to_chi_square() -> None:
    statistic, mid, _ = mcnemar(5_200, 4_800)
    assert mid == pytest.approx(chi2.sf(statistic, 1), rel=0.01)


def _slow(kept, lost, gained) -> tuple[float, float, float]:
    """Each event one by one, with what it adds to the difference."""
    n1, n2 = sum(kept) + sum(lost), sum(kept) + sum(gained)
    if not n1 or not n2:
        return (math.nan,) * 3
    p1, p2 = (kept[1] + lost[1]) / n1, (kept[1] + gained[1]) / n2
    made = 0.25 if sum(lost) + sum(gained) else 0.0
    q1, q2 = (kept[1] + lost[1] + made) / (n1 + 2 * made), (kept[1] + gained[1] + made) / (n2 + 2 * made)
    variance = 0.0
    for told, first, second in ((kept, 1, 1), (lost, 1, 0), (gained, 0, 1)):
        for fraud in (0, 1):
            weight = told[fraud] + (made if first != second else 0.0)
            variance += weight * (second * (fraud - q2) / n2 - first * (fraud - q1) / n1) ** 2
    half = Z95 * math.sqrt(variance) if made else 0.0
    return p2 - p1, max(-1.0, p2 - p1 - half), min(1.0, p2 - p1 + half)


@given(cells, cells, cells)
def test_share_difference_equals_plain_python(kept, lost, gained) -> None:
    found = [float(end) for end in share_difference(kept, lost, gained)]
    assert found == pytest.approx(list(_slow(kept, lost, gained)), abs=CLOSE, nan_ok=True)


@given(cells, cells, cells)
def test_the_other_way_round_is_minus_the_same(kept, lost, gained) -> None:
    value, low, high = (float(end) for end in share_difference(kept, lost, gained))
    back = [float(end) for end in share_difference(kept, gained, lost)]
    assert back == pytest.approx([-value, -high, -low], abs=CLOSE, nan_ok=True)


@given(cells)
def test_the_same_choice_differs_by_nothing(kept) -> None:
    found = [float(end) for end in share_difference(kept, (0, 0), (0, 0))]
    assert found == ([0.0] * 3 if sum(kept) else pytest.approx([math.nan] * 3, nan_ok=True))


def test_groups_are_taken_at_once() -> None:
    rng = np.random.default_rng(5)
    drawn = rng.integers(0, 40, (3, 7, 2))
    together = np.stack(share_difference(*drawn))
    for place in range(7):
        alone = [float(end) for end in share_difference(*drawn[:, place])]
        assert together[:, place].tolist() == pytest.approx(alone, abs=CLOSE)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    runs, shares, sizes = 4_000, (0.3, 0.1, 0.2), (120, 25, 30)
    drawn = [
        np.stack([rng.poisson(size * (1 - share), runs), rng.poisson(size * share, runs)], axis=-1)
        for size, share in zip(sizes, shares, strict=True)
    ]
    kept, lost, gained = (
        np.array([size * (1 - share), size * share]) for size, share in zip(sizes, shares, strict=True)
    )
    truth = (kept + gained)[1] / (kept + gained).sum() - (kept + lost)[1] / (kept + lost).sum()
    _, low, high = share_difference(*drawn)
    assert 0.94 <= float(((low <= truth) & (truth <= high)).mean()) <= 0.975
