"""Is whatever a verb of metrics is handed answered by it, or by one clear error: every verb, every keyword?"""

import inspect

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import RiskbenchError

ROWS = 240
FRAME = pd.DataFrame(
    {
        "id": [f"e{n}" for n in range(ROWS)],
        "amount": [10.0 * n for n in range(ROWS)],
        "buyer": [f"b{n % 31}" for n in range(ROWS)],
        "tier": [("gold", "new")[n % 2] for n in range(ROWS)],
        "score": [n % 10 / 10 for n in range(ROWS)],
        "fraud": [n % 4 == 0 for n in range(ROWS)],
        "done": [("approve", "approve", "review", "block")[n % 4] for n in range(ROWS)],
        "how": [("card", "wallet")[n % 2] for n in range(ROWS)],
        "caught": [n % 3 == 0 for n in range(ROWS)],
        "time": pd.date_range("2026-01-01", periods=ROWS, freq="12h", tz="UTC"),
    }
).assign(told=lambda held: (held["time"] + pd.Timedelta(days=5)).where(held["fraud"]))
ROLES = rb.Roles(
    id="id", amount="amount", label="fraud", label_time="told", time="time", score="score", outcome="done",
    entities=["buyer"], currency="USD",
)  # fmt: skip
EVENTS = rb.read(FRAME, roles=ROLES)
FILED = pd.DataFrame(
    {
        "id": ["e3", "e7"],
        "verdict": ["upheld", "overturned"],
        "filed_at": pd.to_datetime(["2026-01-05", "2026-01-09"], utc=True),
    }
)
SEEN = rb.Feature("seen", "count", by="buyer", window="1d")
PROGRAMMES = rb.read_programmes()

#: A call of each verb that works; each argument in turn is replaced by something absurd.
GOOD = {
    "Costs": (rb.Costs, {}),
    "Feature": (rb.Feature, {"name": "seen", "kind": "sum", "by": "buyer", "window": "1d", "column": "amount"}),
    "Costs.from_mapping": (rb.Costs.from_mapping, {"costs": {"margin": 0.2}}),
    "Roles": (rb.Roles, {"id": "id"}),
    "appeals": (rb.appeals, {"events": EVENTS, "filed": FILED}),
    "at_least": (rb.at_least, {"rate": "verify_within", "bound": 0.9, "reviewers": 3}),
    "at_most": (rb.at_most, {"rate": "cases_per_hour", "bound": 3}),
    "check": (rb.check, {"dataset": EVENTS}),
    "dispute_programmes": (rb.dispute_programmes, {"events": EVENTS}),
    "early_labels": (rb.early_labels, {"events": EVENTS}),
    "insult_price": (rb.insult_price, {"events": EVENTS, "days": 20}),
    "marketplace": (rb.marketplace, {"orders": 500}),
    "maturity": (rb.maturity, {"events": EVENTS}),
    "programme_limit": (rb.programme_limit, {"programme": next(iter(PROGRAMMES)), "on": "2026-06-01"}),
    "read": (rb.read, {"source": FRAME, "roles": ROLES}),
    "read_programmes": (rb.read_programmes, {}),
    "sample": (rb.sample, {"orders": 500}),
    "velocity": (rb.velocity, {"dataset": EVENTS, "features": [SEEN]}),
}

ABSURD = {
    "nothing": None,
    "an array": np.arange(3.0),
    "a dict": {"a": 1},
    "a dict of lists": {"margin": [1, 2]},
    "an odd dict": {1: object(), None: np.nan},
    "not a number": float("nan"),
    "endless": float("inf"),
    "below zero": -1,
    "huge": 10**30,
    "past all floats": 10**400,
    "bytes": b"\xff\x00",
    "a word": "no such thing",
    "an empty word": "",
    "a zero byte": "a\x00b",
    "true": True,
    "a list": [1, "a", None],
    "an empty list": [],
    "a list of lists": [["a"], {"b": 1}],
    "a set": {1, 2},
    "an object": object(),
    "a class": int,
    "a frame": pd.DataFrame({"a": [1]}),
    "a moment": pd.Timestamp("2026-01-09"),
    "no moment": pd.NaT,
    "missing": pd.NA,
    "one of an array": np.array(["ID"]),
    "nested": {"seen": {"count": np.arange(3.0), "by": {"a": 1}, "window": np.nan}},
    "unnamed": {None: {"count": "*", "by": "buyer", "window": "1d"}},
    "no fraction": np.float64("nan"),
    "a complex": 1 + 2j,
    "a function": len,
}


def keywords():
    for verb, (call, _) in GOOD.items():
        for name, spec in inspect.signature(call).parameters.items():
            if spec.kind not in (spec.VAR_KEYWORD, spec.VAR_POSITIONAL):
                yield verb, name


@pytest.mark.parametrize(("verb", "name"), list(keywords()))
def test_whatever_is_handed_in_is_answered_or_refused_in_one_way(verb, name):
    call, given = GOOD[verb]
    broken = {}
    for told, value in ABSURD.items():
        try:
            call(**{**given, name: value})
        except RiskbenchError:
            continue
        except Exception as wrong:
            broken[told] = f"{type(wrong).__name__}: {wrong}"[:120]
    assert not broken
