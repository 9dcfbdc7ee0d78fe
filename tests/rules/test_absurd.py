"""Is whatever a verb of rules is handed answered by it, or by one clear error: every verb, every keyword?"""

import inspect

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import RiskbenchError

BOOK = rb.RuleBook.from_yaml("""
book: demo
domain: transactions
lists:
  vip: {kind: vip, column: buyer, values: [b1, b2], reason: known, owner: ana}
rules:
  - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: block, status: live}
  - {id: TX-2, when: "age < 3", outcome: review, status: live}
  - {id: TX-3, when: "age > 6", outcome: review, status: draft}
""")
ROWS = 120
EVENTS = rb.read(
    pd.DataFrame(
        {
            "id": [f"e{n}" for n in range(ROWS)],
            "amount": [10.0 * n for n in range(ROWS)],
            "age": [float(n % 9) for n in range(ROWS)],
            "buyer": [f"b{n % 31}" for n in range(ROWS)],
            "country": [("ID", "SG", "VN")[n % 3] for n in range(ROWS)],
            "score": [n % 10 / 10 for n in range(ROWS)],
            "fraud": [n % 4 == 0 for n in range(ROWS)],
            "time": pd.date_range("2026-01-01", periods=ROWS, freq="12h", tz="UTC"),
        }
    ).assign(fraud=lambda held: held["fraud"].astype(float).where(held["amount"] <= 900)),
    roles=rb.Roles(
        id="id", amount="amount", label="fraud", time="time", region="country", score="score",
        entities=["buyer"], groups=["country"], currency="USD",
    ),
)  # fmt: skip
HELD = rb.simulate(BOOK, EVENTS)
OTHER = rb.simulate(BOOK.with_params({"TX-1": {"limit": 700}}), EVENTS)
EVENT_ID, LIVE, DRAFT = "e3", "TX-1", "TX-3"

#: A call of each verb and method that works; each argument in turn is replaced by something absurd.
GOOD = {
    "simulate": (rb.simulate, {"book": BOOK, "dataset": EVENTS}),
    "what_if": (HELD.what_if, {}),
    "frame": (HELD.frame, {"name": "rules"}),
    "appraise": (rb.appraise, {"simulation": HELD}),
    "approval_rates": (rb.approval_rates, {"decided": HELD}),
    "audit_lists": (rb.audit_lists, {"book": BOOK, "dataset": EVENTS}),
    "compare": (rb.compare, {"before": HELD, "after": OTHER}),
    "diagnose_rules": (rb.diagnose_rules, {"drift": rb.watch_rules(HELD)}),
    "explain_event": (rb.explain_event, {"book": BOOK, "dataset": EVENTS, "id": EVENT_ID}),
    "fairness": (rb.fairness, {"simulation": HELD, "by": "country"}),
    "import_rules": (rb.import_rules, {"source": "CASE WHEN amount > 5 THEN 'review' END"}),
    "mine_exceptions": (rb.mine_exceptions, {"book": BOOK, "dataset": EVENTS, "rule": LIVE}),
    "mine_rules": (rb.mine_rules, {"book": BOOK, "dataset": EVENTS}),
    "optimise": (rb.optimise, {"book": BOOK, "dataset": EVENTS}),
    "plan_launch": (rb.plan_launch, {"book": BOOK, "dataset": EVENTS, "rule": DRAFT}),
    "plan_let_through": (rb.plan_let_through, {"book": BOOK, "events": EVENTS}),
    "price_deviations": (rb.price_deviations, {"book": BOOK, "dataset": EVENTS}),
    "prove": (rb.prove, {"book": BOOK, "dataset": EVENTS}),
    "request_change": (rb.request_change, {"before": HELD, "after": OTHER, "reason": "why"}),
    "selective_labels": (rb.selective_labels, {"simulation": HELD}),
    "watch_rules": (rb.watch_rules, {"simulation": HELD}),
}
PLAN = rb.plan_launch(BOOK, EVENTS, rule=DRAFT)
LET = rb.plan_let_through(BOOK, EVENTS)
ASKED = rb.request_change(HELD, OTHER, reason="why")
GOOD |= {
    "judge_launch": (rb.judge_launch, {"plan": PLAN, "dataset": EVENTS, "since": "2026-01-01"}),
    "LaunchPlan.book": (PLAN.book, {"stage": 0.1}),
    "LaunchPlan.request": (PLAN.request, {"dataset": EVENTS}),
    "LaunchPlan.with_buckets": (PLAN.with_buckets, {"dataset": EVENTS}),
    "LetThroughPlan.chance": (LET.chance, {"events": EVENTS}),
    "LetThroughPlan.draw": (LET.draw, {"events": EVENTS}),
    "ChangeRequest.sign": (ASKED.sign, {"reviewer": "bo", "decision": "approve"}),
    "ChangeRequest.from_dict": (rb.ChangeRequest.from_dict, {"told": {}}),
    "SignedChange.from_dict": (rb.SignedChange.from_dict, {"told": {}}),
    "Comparison.request": (rb.compare(HELD, OTHER).request, {"reason": "why"}),
    "RuleBook.read": (rb.RuleBook.read, {"path": "absent.yaml"}),
    "RuleBook.from_yaml": (rb.RuleBook.from_yaml, {"text": BOOK.to_yaml()}),
    "RuleBook.rule": (BOOK.rule, {"rule_id": LIVE}),
    "RuleBook.to_sql": (BOOK.to_sql, {}),
    "RuleBook.with_params": (BOOK.with_params, {"values": {LIVE: {"limit": 3}}}),
    "RuleBook.with_region_params": (BOOK.with_region_params, {"rule_id": LIVE, "values": {"ID": {"limit": 3}}}),
    "RuleBook.with_rule": (BOOK.with_rule, {"rule": BOOK.rules[0]}),
    "RuleBook.with_status": (BOOK.with_status, {"rule_id": LIVE, "status": "draft"}),
    "RuleBook.without": (BOOK.without, {"rule_id": LIVE}),
    "RuleBook.with_list": (BOOK.with_list, {"name": "vip", "entry": {"kind": "vip", "column": "buyer"}}),
    "RuleBook.with_deviation": (BOOK.with_deviation, {"deviation": None}),
    "RuleBook.without_deviation": (BOOK.without_deviation, {"rule_id": LIVE, "region": "ID"}),
    "RuleBook.diff": (BOOK.diff, {"other": OTHER.hits.book}),
    "Rule.in_english": (BOOK.rules[0].in_english, {}),
    "Rule.bind": (BOOK.rules[0].bind, {"kinds": {"amount": "float"}}),
    "Rule.values": (BOOK.rules[0].values, {}),
    "Rule.with_params": (BOOK.rules[0].with_params, {"values": {"limit": 3}}),
    "Deviation.of": (rb.Deviation.of, {"entry": {}}),
    "Deviation.holds": (rb.Deviation.of({
        "rule": LIVE, "region": "ID", "params": {"limit": 9}, "reason": "why", "approver": "bo",
        "expires": "2026-12-01"}).holds, {"day": None}),
}  # fmt: skip


class OddLength:
    """A list whose length lies."""

    def __len__(self):
        return 10**6

    def __getitem__(self, place):
        raise IndexError(place)


ABSURD = {
    "None": None,
    "nan": float("nan"),
    "inf": float("inf"),
    "minus": -1,
    "nil": 0,
    "half": 0.5,
    "huge": 10**400,
    "large": 2**63,
    "true": True,
    "bytes": b"x\x00\xff",
    "empty text": "",
    "text": "no such thing",
    "control": "\x00\ud800",
    "complex": 1j,
    "array": np.array([1, 2, 3]),
    "array of one": np.array([3]),
    "array of none": np.array(7),
    "numpy nan": np.float64("nan"),
    "empty": [],
    "list of nan": [float("nan")],
    "list of None": [None, None],
    "nested": [[[]]],
    "tuple": (1, "a"),
    "set": {1, "a"},
    "dict": {"a": 1},
    "dict of keys": {None: None, 3: [], "TX-1": object()},
    "dict of dicts": {"TX-1": {"limit": {}}},
    "dict of nan": {"TX-1": float("nan"), "amount": float("nan"), "cost_review": float("nan")},
    "dict of huge": {"TX-1": 10**400, "amount": 10**400, "review": 10**400},
    "frame": pd.DataFrame({"a": [1]}),
    "series": pd.Series(["TX-1"]),
    "timestamp": pd.Timestamp("2026-01-05"),
    "NaT": pd.NaT,
    "NA": pd.NA,
    "object": object(),
    "class": int,
    "function": len,
    "odd length": OddLength(),
    "dataset": EVENTS,
    "book": BOOK,
    "simulation": HELD,
    "slice": slice(1),
    "far": "99999-99-99",
    "late": "2999-01-01",
}
CASES = [
    (verb, name) for verb, (call, _) in GOOD.items() for name in inspect.signature(call).parameters if name != "self"
]


@pytest.mark.parametrize(("verb", "name"), CASES, ids=lambda held: held)
def test_whatever_is_handed_in_is_answered(verb, name):
    call, good = GOOD[verb]
    broken = {}
    for told, absurd in ABSURD.items():
        try:
            call(**(good | {name: absurd}))
        except RiskbenchError:
            continue
        except Exception as wrong:
            broken[told] = f"{type(wrong).__name__}: {wrong}"[:120]
    assert not broken


def test_every_verb_of_rules_is_tried():
    verbs = {
        name
        for name in rb.__all__
        if inspect.isfunction(getattr(rb, name)) and getattr(rb, name).__module__.startswith("riskbench.rules")
    }
    assert verbs <= set(GOOD)
