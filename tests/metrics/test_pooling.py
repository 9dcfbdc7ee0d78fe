"""Does pooling lean small groups on all, by how much groups are seen to differ?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.metrics.pooling import REACH, SPREADS, _beforehand, pooled

#: Sums in another order differ in their last digits.
SAME = 1e-7


def oracle(steps: np.ndarray, variance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Say the same one pair of spreads and one group at a time, by the textbook's conditional normal."""
    groups, size = steps.shape
    place = np.arange(size) / size
    logs, means = [], []
    for level in SPREADS:
        for local in SPREADS:
            between = np.array(
                [
                    [
                        scale[i] * scale[j] * (level**2 + local**2 * np.exp(-abs(place[i] - place[j]) / REACH))
                        for j in range(size)
                    ]
                    for i in range(size)
                ]
            )
            whole = [between + np.diag(variance[j] + 1e-9 * variance.max() + 1e-30) for j in range(groups)]
            total = sum(np.linalg.inv(one) for one in whole)
            centre = np.linalg.solve(total, sum(np.linalg.solve(one, steps[j]) for j, one in enumerate(whole)))
            log = -0.5 * np.linalg.slogdet(total)[1]
            for j, one in enumerate(whole):
                far = steps[j] - centre
                log -= 0.5 * (np.linalg.slogdet(one)[1] + far @ np.linalg.solve(one, far))
            logs.append(log)
            means.append([centre + between @ np.linalg.solve(one, steps[j] - centre) for j, one in enumerate(whole)])
    weight = np.exp(np.array(logs) - max(logs)) * _beforehand()
    weight = np.where(weight < weight.sum() * 1e-4, 0, weight)
    return np.tensordot(weight / weight.sum(), np.array(means), axes=1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 4))
def test_equals_the_oracle(seed, groups, size):
    rng = np.random.default_rng(seed)
    steps, variance = rng.normal(1, 0.5, (groups, size)), rng.uniform(0.01, 2, (groups, size))
    scale = rng.uniform(0.1, 2, size)
    got = pooled(steps, variance, scale=scale).mean
    assert got == pytest.approx(oracle(steps, variance, scale), rel=1e-4, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_order_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    steps, variance, scale = rng.normal(0, 1, (5, 3)), rng.uniform(0.01, 2, (5, 3)), np.ones(3)
    order = rng.permutation(5)
    one, other = pooled(steps, variance, scale=scale), pooled(steps[order], variance[order], scale=scale)
    assert other.mean == pytest.approx(one.mean[order], rel=SAME, abs=SAME)
    assert other.cov == pytest.approx(one.cov[order], rel=SAME, abs=SAME)


def test_alike_groups_end_together_and_sure_ones_that_differ_keep_their_own():
    alike = pooled(np.array([[1.0], [1.2], [0.8], [3.0]]), np.array([[0.1], [0.1], [0.1], [50.0]]), scale=np.ones(1))
    assert abs(alike.mean[3, 0] - 1.0) < 0.25
    steps = np.array([[1.0], [3.0], [-1.0], [0.2]])
    apart = pooled(steps, np.full((4, 1), 1e-4), scale=np.ones(1))
    assert apart.mean == pytest.approx(steps, abs=0.01)
    assert apart.level + apart.local > alike.level + alike.local


def test_less_evidence_leans_more_and_covariance_is_one():
    rng = np.random.default_rng(1)
    steps, noise = rng.normal(1, 0.5, (6, 4)), np.full((6, 4), 0.1)
    more = noise.copy()
    more[0] *= 50
    sure, unsure = pooled(steps, noise, scale=np.ones(4)), pooled(steps, more, scale=np.ones(4))
    assert np.abs(unsure.mean[0] - unsure.common).sum() < np.abs(sure.mean[0] - sure.common).sum()
    for held in (sure, unsure):
        assert np.linalg.eigvalsh(held.cov).min() > -1e-9
    assert np.trace(unsure.cov[0]) > np.trace(sure.cov[0])


def test_a_known_wider_group_is_leant_on():
    steps, noise = np.array([[0.5], [-0.4]]), np.full((2, 1), 0.5)
    sure = pooled(steps, noise, scale=np.ones(1), about_cov=np.zeros((2, 1, 1)))
    unsure = pooled(steps, noise, scale=np.ones(1), about_cov=np.ones((2, 1, 1)))
    assert np.all(np.abs(sure.mean) < np.abs(steps))
    assert np.all(unsure.cov > sure.cov)
