"""AUC and average precision against plain Python and a peer library, and their intervals' coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.metrics.intervals import Z95
from riskbench.metrics.ranking import auc, average_precision

EVENTS = st.lists(
    st.tuples(st.one_of(st.integers(-3, 3).map(float), st.floats(-1e300, 1e300)), st.booleans()),
    min_size=10,
    max_size=60,
).filter(lambda rows: 5 <= sum(f for _, f in rows) <= len(rows) - 5)


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_auc_and_its_variance_equal_plain_python(rows):
    above, below = [s for s, f in rows if f], [s for s, f in rows if not f]
    win = [[(a > b) + 0.5 * (a == b) for b in below] for a in above]
    by_fraud = [sum(line) / len(below) for line in win]
    by_good = [sum(line[j] for line in win) / len(above) for j in range(len(below))]
    area = sum(by_fraud) / len(above)
    spread = sum((x - area) ** 2 for x in by_fraud) / (len(above) - 1) / len(above)
    spread += sum((x - area) ** 2 for x in by_good) / (len(below) - 1) / len(below)
    found = auc([s for s, _ in rows], [f for _, f in rows])
    assert found is not None
    assert found[0] == pytest.approx(area)
    assert 0.0 <= found[1] <= found[0] <= found[2] <= 1.0
    if 0.01 < area < 0.99 and spread > 1e-9:
        ends = np.log(found[1] / (1 - found[1])), np.log(found[2] / (1 - found[2]))
        assert (ends[1] - ends[0]) / 2 == pytest.approx(Z95 * spread**0.5 / (area * (1 - area)), rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_average_precision_equals_a_peer_library(rows):
    from sklearn.metrics import average_precision_score, roc_auc_score

    score, fraud = np.array([s for s, _ in rows]), np.array([f for _, f in rows])
    found = average_precision(score, fraud)
    assert found is not None
    assert found[0] == pytest.approx(average_precision_score(fraud, score))
    assert 0.0 <= found[1] <= found[0] <= found[2] <= 1.0
    assert auc(score, fraud)[0] == pytest.approx(roc_auc_score(fraud, score))


@settings(max_examples=50, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_a_rising_change_of_the_score_do_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    ranks = {s: float(i) for i, s in enumerate(sorted({s for s, _ in rows}))}
    for measure in (auc, average_precision):
        one = measure([s for s, _ in rows], [f for _, f in rows])
        assert measure([s for s, _ in shuffled], [f for _, f in shuffled]) == pytest.approx(one)
        assert measure([ranks[s] for s, _ in rows], [f for _, f in rows]) == pytest.approx(one)


def test_too_few_of_a_kind_is_not_measurable():
    score = np.arange(20.0)
    for frauds in (0, 4, 16, 20):
        fraud = np.arange(20) < frauds
        assert auc(score, fraud) is None
        assert average_precision(score, fraud) is None
    assert auc([], []) is None
    assert average_precision([], []) is None


def test_a_perfect_ranking_of_few_events_is_not_called_certain():
    found = auc(np.arange(40.0), np.arange(40) >= 30)
    assert found[0] == found[2] == 1.0
    assert found[1] < 0.999
    assert average_precision(np.arange(40.0), np.arange(40) >= 30)[1] < 0.999


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    """Two normal distributions a standard deviation apart: the true AUC is known, the true AP by a large sample."""
    rng = np.random.default_rng(0)
    truth = 0.7602499389  # the standard normal distribution at 1 / sqrt(2)
    big = np.concatenate([rng.normal(1, 1, 100_000), rng.normal(0, 1, 900_000)])
    mean = average_precision(big, np.arange(1_000_000) < 100_000)[0]
    held = np.zeros(2)
    for _ in range(600):
        score = np.concatenate([rng.normal(1, 1, 60), rng.normal(0, 1, 540)])
        fraud = np.arange(600) < 60
        for i, (found, true) in enumerate(((auc(score, fraud), truth), (average_precision(score, fraud), mean))):
            held[i] += found[1] <= true <= found[2]
    assert 0.925 < held[0] / 600 < 0.975
    assert 0.90 < held[1] / 600 <= 1.0
