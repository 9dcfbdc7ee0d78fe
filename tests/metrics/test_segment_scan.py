"""Does the segment search find what changed, and nothing where nothing did?"""

from __future__ import annotations

import numpy as np

from riskbench.metrics.segment_scan import scan


def test_a_planted_segment_is_found():
    rng = np.random.default_rng(1)
    device, land = rng.integers(0, 4, 8000), rng.integers(0, 6, 8000)
    now = rng.random(8000) < 0.3
    fraud = rng.random(8000) < np.where(now & (device == 2) & (land == 3), 0.2, 0.02)
    found = scan(
        [device, land], [4, 6], current=fraud & now, baseline=fraud & ~now, current_exposure=now.astype(float),
        baseline_exposure=(~now).astype(float),
    ).found  # fmt: skip
    assert [one.terms for one in found] == [((0, 2), (1, 3))]
