"""Is whatever a queue's verbs are handed answered by them, or by one clear error: every verb, every keyword?"""

import inspect

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import RiskbenchError

ROWS = 60
CASES = rb.read(
    pd.DataFrame(
        {
            "id": range(ROWS),
            "at": pd.date_range("2026-03-02", periods=ROWS, freq="12h"),
            "amount": [10.0 + n for n in range(ROWS)],
            "fraud": [n % 4 == 0 for n in range(ROWS)],
            "kind": [("cards", "payouts")[n % 2] for n in range(ROWS)],
        }
    ),
    roles=rb.Roles(id="id", time="at", amount="amount", label="fraud"),
)


class Hostile:
    """What answers nothing that it is asked."""

    def __repr__(self):
        raise ValueError

    def __index__(self):
        raise TypeError

    def __iter__(self):
        raise TypeError


#: A call of each verb that works; each argument in turn is replaced by something absurd.
GOOD = {
    "simulate_queue": (rb.simulate_queue, {"cases": CASES, "reviewers": 1, "weeks": 1, "replications": 20}),
    "staffing": (rb.staffing, {"cases": CASES, "reviewers": [1], "weeks": 1, "replications": 20}),
    "verify_within": (rb.at_least, {"rate": "verify_within", "bound": 0.9, "reviewers": 3}),
}

ABSURD = {
    "nothing": None,
    "not a number": float("nan"),
    "endless": float("inf"),
    "below zero": -1,
    "huge": 10**30,
    "longer than can be told": 10**9_999,
    "bytes": b"\xff\x00",
    "a word": "no such thing",
    "an empty word": "",
    "digits of another script": "٢٤h",
    "a zero byte": "a\x00b",
    "true": True,
    "numpy's true": np.True_,
    "an array": np.arange(3.0),
    "an array of objects": np.array([None, {}], dtype=object),
    "an empty dict": {},
    "a dict": {"cards": 1},
    "a dict of a long number": {10**9_999: 10**9_999},
    "a dict of shifts": {"24x7": -1},
    "a dict of dicts": {"cards": {"24x7": {}}, "payouts": {None: 1}},
    "an odd dict": {1: object(), None: np.nan},
    "a list": [1, "a", None],
    "an empty list": [],
    "an endless range": range(10**9),
    "a set": {1, 2},
    "an object": object(),
    "a hostile object": Hostile(),
    "a class": int,
    "a frame": pd.DataFrame({"a": [1]}),
    "a moment": pd.Timestamp("2026-01-09"),
    "no moment": pd.NaT,
    "a complex": 1 + 2j,
    "a function": len,
}
#: What `rb.Costs` and `rb.at_least` answer for themselves is tested where they are.
ELSEWHERE = {"a hostile object", "longer than can be told", "a dict of a long number"}


def keywords():
    for verb, (call, _) in GOOD.items():
        for name in inspect.signature(call).parameters:
            yield verb, name


@pytest.mark.parametrize(("verb", "name"), list(keywords()))
def test_whatever_is_handed_in_is_answered_or_refused_in_one_way(verb, name):
    call, given = GOOD[verb]
    broken = {}
    for told, value in ABSURD.items():
        if told in ELSEWHERE and (verb == "verify_within" or name == "costs"):
            continue
        try:
            call(**{**given, name: value})
        except RiskbenchError:
            continue
        except Exception as wrong:
            broken[told] = f"{type(wrong).__name__}: {wrong}"[:120]
    assert not broken
