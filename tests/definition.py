"""The definition of Shapley values, by enumeration over all sets."""

from __future__ import annotations

import itertools
import math

import numpy as np


def enumerated(value, players: int) -> np.ndarray:
    """The definition of Shapley values: over all sets."""
    worth = {s: value(set(s)) for size in range(players + 1) for s in itertools.combinations(range(players), size)}
    out = np.zeros(players)
    for s, held in worth.items():
        for p in set(range(players)) - set(s):
            weight = math.factorial(len(s)) * math.factorial(players - len(s) - 1) / math.factorial(players)
            out[p] += weight * (worth[tuple(sorted((*s, p)))] - held)
    return out
