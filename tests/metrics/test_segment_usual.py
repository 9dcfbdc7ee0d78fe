"""Is it learned how much segments usually sway, and does it keep false alarms down without hiding a raid?"""

from __future__ import annotations

import numpy as np
import pytest

from riskbench.errors import ParameterError
from riskbench.metrics.segment_scan import scan
from riskbench.metrics.segment_usual import usual_sway

STRETCHES = 40


def swaying(rng, *, sway, rows=12_000, sizes=(6, 12)):
    """Return codes, stretches and frauds of events whose values move on their own from stretch to stretch."""
    codes = [rng.integers(0, size, rows) for size in sizes]
    piece = rng.integers(0, STRETCHES, rows)
    rate = np.full(rows, 0.06)
    for part, size in zip(codes, sizes, strict=True):
        rate *= np.exp(rng.normal(0, sway, (size, STRETCHES)))[part, piece]
    return codes, list(sizes), piece, rng.random(rows) < np.minimum(rate, 0.9)


def asked(codes, sizes, piece, fraud, *, seed=0):
    now = piece == STRETCHES - 1
    usual = usual_sway(codes, sizes, fraud, np.where(now, -1, piece), exposure=np.ones(len(now)))
    return scan(
        codes, sizes, current=fraud & now, baseline=fraud & ~now, current_exposure=now, baseline_exposure=~now,
        usual=usual, draws=59, seed=seed,
    )  # fmt: skip


def test_the_sway_of_segments_is_learned():
    rng = np.random.default_rng(1)
    found = []
    for sway in (0.0, 0.3, 0.6):
        codes, sizes, piece, fraud = swaying(rng, sway=sway, rows=60_000)
        found.append(usual_sway(codes, sizes, fraud, piece).sway)
    assert found[0] < 0.2 < found[1] < 0.5 < found[2] < 1.2


def test_an_old_incident_teaches_little():
    rng = np.random.default_rng(2)
    codes, sizes, piece, fraud = swaying(rng, sway=0.1, rows=60_000)
    plain = usual_sway(codes, sizes, fraud, piece).sway
    struck = fraud | ((piece == 7) & (codes[0] == 3))
    assert usual_sway(codes, sizes, struck, piece).sway < plain + 0.25


def test_false_alarms_keep_to_the_level_though_segments_sway():
    rng = np.random.default_rng(3)
    alarms = sum(bool(asked(*swaying(rng, sway=0.3), seed=turn).found) for turn in range(60))
    assert alarms <= 9  # 99.8 % of binomial(60, 0.05)


def test_a_raid_of_nearly_everything_is_no_sway():
    rng = np.random.default_rng(4)
    codes, sizes, piece, fraud = swaying(rng, sway=0.3)
    struck = (piece == STRETCHES - 1) & (codes[0] == 2) & (rng.random(len(piece)) < 0.9)
    found = asked(codes, sizes, piece, fraud | struck)
    assert found.found[0].terms == ((0, 2),)
    assert 0.5 < found.outside < 2
    assert found.explained > 0.8


def test_too_little_history_tells_nothing():
    few = np.arange(100) % 5
    assert usual_sway([few], [5], np.ones(100), few) is None
    assert usual_sway([few], [5], np.ones(100), np.full(100, -1)) is None
    assert usual_sway([few], [5], np.zeros(100), np.arange(100) % 20) is None


def test_money_counts_as_many_events_as_it_is_worth():
    rng = np.random.default_rng(5)
    codes, sizes, piece, fraud = swaying(rng, sway=0.0, rows=60_000)
    amount = fraud * np.rint(100 * np.exp(rng.normal(3, 1, len(fraud))))
    assert usual_sway(codes, sizes, amount, piece, counts=False).sway < 0.3
    assert usual_sway(codes, sizes, amount, piece).sway > 0.4


def test_bad_input_is_refused():
    with pytest.raises(ParameterError):
        usual_sway([[0, 1]], [2], [1.0], [0, 1])
    with pytest.raises(ParameterError):
        scan([[0, 1]], [2], current=[1, 1], baseline=[1, 1], measured=True, usual=usual_sway(
            [np.arange(400) % 2], [2], np.ones(400), np.arange(400) // 40))  # fmt: skip
