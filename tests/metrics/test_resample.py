"""The band of a whole curve against resampling rows one by one."""

from __future__ import annotations

import numpy as np
import pytest

from riskbench.metrics.curve import truth_table
from riskbench.metrics.resample import resample


def table_of(score, fraud):
    rows = len(score)
    return truth_table(
        score,
        op=">=",
        base=np.zeros(rows, np.int8),
        hit=np.ones(rows, np.int8),
        kinds=fraud.astype(np.int8),
        money=np.ones(rows, np.int64),
        levels=2,
    )


@pytest.mark.parametrize("bins", [1_000, 256])
def test_the_band_agrees_with_resampled_rows_at_any_cut(bins):
    rng = np.random.default_rng(21)
    fraud = rng.random(20_000) < 0.1
    score = rng.normal(1.2 * fraud, 1.0)
    table = table_of(score, fraud)
    band = resample(table, bins=bins, seed=3)
    for cut in (-1.0, 0.5, 1.5, 2.5):
        point = table.point(cut)
        hit = score >= cut
        caught = rng.poisson(1.0, (2000, int((hit & fraud).sum()))).sum(axis=1)
        good = rng.poisson(np.full(2000, float((hit & ~fraud).sum())))
        missed = rng.poisson(np.full(2000, float((~hit & fraud).sum())))
        for values, low, high in (
            (caught / (caught + good), band.precision_lower, band.precision_upper),
            (caught / (caught + missed), band.recall_lower, band.recall_upper),
        ):
            ends = np.quantile(values, [0.025, 0.975])
            width = ends[1] - ends[0]
            # 1,000 draws know each end to about 4 % of the width, either side.
            assert low[point] == pytest.approx(ends[0], abs=0.12 * width)
            assert high[point] == pytest.approx(ends[1], abs=0.12 * width)


def test_the_band_holds_the_curve_and_is_repeatable():
    rng = np.random.default_rng(2)
    fraud = rng.random(3000) < 0.2
    table = table_of(np.round(rng.normal(fraud, 1.0), 2), fraud)
    one, two = resample(table, seed=5), resample(table, seed=5)
    assert np.array_equal(one.recall_lower, two.recall_lower)
    frauds = table.counts[table.moves.index((1, 0, 1))]
    recall = frauds / frauds[-1]
    assert (one.recall_lower <= recall + 1e-12).all()
    assert (recall <= one.recall_upper + 1e-12).all()
    assert (one.precision_lower[1:] <= one.precision_upper[1:]).all()


@pytest.mark.parametrize("fraud", [[0, 0, 0], [1, 1, 1], [1]])
def test_one_class_is_no_crash(fraud):
    fraud = np.array(fraud, dtype=bool)
    band = resample(table_of(np.arange(len(fraud), dtype=float), fraud), resamples=50)
    assert len(band.recall_lower) == len(fraud) + 1
