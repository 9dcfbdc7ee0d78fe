"""Sums by bin equal a plain loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from riskbench.engine.bins import sums_by_bin


@given(st.integers(0, 30), st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.randoms(use_true_random=False))
def test_equals_the_oracle(events, columns, size, wide, random):
    codes = np.array([[random.randrange(size) for _ in range(columns)] for _ in range(events)], dtype=np.uint8)
    codes = codes.reshape(events, columns)
    numbers = np.array(
        [[random.randrange(-(2**40), 2**40) for _ in range(wide)] for _ in range(events)], dtype=np.int64
    )
    numbers = numbers.reshape(events, wide)
    rows = np.array([row for row in range(events) if random.random() < 0.7], dtype=np.intp)
    told = [[[0] * wide for _ in range(size)] for _ in range(columns)]
    for row in rows:
        for column in range(columns):
            for number in range(wide):
                told[column][codes[row, column]][number] += int(numbers[row, number])
    assert sums_by_bin(codes, rows, numbers, size).tolist() == told
