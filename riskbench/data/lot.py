"""How are events drawn by lot? By a seeded hash of a column's values, so that the order of rows never matters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset


def hashes(dataset: Dataset, column: str, seed: int) -> npt.NDArray[np.uint64]:
    """Return a seeded 64-bit hash of each event's value in a column: equal values, equal hash."""
    from pandas.util import hash_array

    held = dataset.column(column)
    if held.words is not None:
        words = np.array(held.words.to_pylist(), dtype=object)
        plain = hash_array(words, categorize=False) if len(words) else np.zeros(1, dtype=np.uint64)
        bits = plain[held.values]
    else:
        bits = hash_array(held.values)
    bits = np.where(held.present, bits, np.uint64(0)) + np.uint64((seed * 0x9E3779B97F4A7C15 + 1) % 2**64)
    # The finisher of splitmix64: every bit of the input reaches every bit of the output.
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
