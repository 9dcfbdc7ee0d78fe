"""Events with all that goes wrong in trees: missing values, words, ties at thresholds, money in cents."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest


def _events(rows: int = 2_400, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": rng.choice([0.07, 0.1, 9.99, 19.99, 20.0, 20.01, 149.95, 1999.99], rows)
            + rng.integers(0, 40, rows) / 100,
            "age": rng.integers(0, 30, rows).astype(float),
            "land": pd.Categorical(rng.choice(list("abcdefghij"), rows)),
            "share": rng.normal(size=rows).round(1),
            "flat": np.zeros(rows),
        }
    )
    odds = -2 + 1.5 * frame["land"].isin(list("aei")) + 1.2 * (frame["amount"] >= 20) * (frame["age"] < 9)
    odds += 0.8 * (frame["share"] > 0.5)
    for name, part in (("amount", 0.1), ("land", 0.08), ("share", 0.2)):
        frame.loc[rng.random(rows) < part, name] = np.nan
    odds += 0.9 * frame["share"].isna()
    fraud = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    return frame, fraud.to_numpy() if hasattr(fraud, "to_numpy") else fraud


@pytest.fixture(scope="session")
def mixed() -> tuple[pd.DataFrame, np.ndarray]:
    """Words and missing values among numbers."""
    return _events()


@pytest.fixture(scope="session")
def numbers() -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers with missing values only."""
    frame, fraud = _events()
    return frame.drop(columns="land"), fraud


@pytest.fixture(scope="session")
def whole() -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers without missing values."""
    frame, fraud = _events()
    return frame.drop(columns="land").fillna(-1.0), fraud


@pytest.fixture(scope="session")
def shap():
    """The library, whose import warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap as library
    return library
