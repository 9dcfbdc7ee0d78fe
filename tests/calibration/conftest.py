"""Small events to calibrate on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb


def dataset(frame: pd.DataFrame, **roles):
    """Return a frame as events; roles are taken from the columns that are there."""
    named = {"id": "id", "time": "at", "label": "fraud", "amount": "amount", "score": "risk", "region": "region"}
    held = {role: column for role, column in named.items() if column in frame.columns}
    return rb.read(frame, roles=rb.Roles(**{**held, "currency": "EUR", **roles}))


def made(rows: int = 6000, *, seed: int = 3, days: int = 84, regions: int = 3) -> pd.DataFrame:
    """Return frauds with high scores and good events with low ones, evenly over time."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < 0.06
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.Timestamp("2026-01-05") + pd.to_timedelta(np.sort(rng.random(rows)) * days, unit="D"),
            "fraud": fraud.astype(int),
            "amount": np.round(rng.lognormal(4, 0.8, rows), 2),
            "risk": np.round(np.clip(rng.normal(0.3 + 0.35 * fraud, 0.15), 0, 1), 3),
            "region": rng.choice([f"R{i}" for i in range(regions)], rows),
        }
    )


BOOK = """
book: demo
domain: transactions
rules:
  - {id: TX-1, when: "amount > :limit", params: {limit: 200}, outcome: review, status: live, priority: 20}
  - {id: TX-2, when: "amount > 500", outcome: block, status: live, priority: 10}
  - {id: TX-3, when: "risk > 0.9 AND amount < 20", outcome: challenge, status: live, priority: 15}
  - {id: TX-4, when: "risk > 0.5", outcome: block, status: shadow, priority: 1}
"""


@pytest.fixture
def book():
    return rb.RuleBook.from_yaml(BOOK)
