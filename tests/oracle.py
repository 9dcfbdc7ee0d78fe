"""Slow, plain Python: what a rule book does, one event after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

LADDER = {"approve": 0, "challenge": 1, "review": 2, "block": 3}
Test = Callable[[dict], "bool | None"]


@dataclass
class PlainRule:
    id: str
    test: Test
    outcome: str
    priority: int = 100
    status: str = "live"


def deciding(rules: Sequence[PlainRule]) -> list[PlainRule]:
    live = [(r.priority, -LADDER[r.outcome], k, r) for k, r in enumerate(rules) if r.status == "live"]
    return [r for *_, r in sorted(live, key=lambda item: item[:3])]


def decision(rules: Sequence[PlainRule], event: dict) -> tuple[str, str | None]:
    for rule in deciding(rules):
        if rule.test(event) is True:
            return rule.outcome, rule.id
    return "approve", None


def simulated(rules: Sequence[PlainRule], events: Sequence[dict]) -> dict[str, dict[str, int]]:
    """Each rule's counts and money (cents): label None = no verdict."""
    answer = {}
    for rule in rules:
        hit = [e for e in events if rule.test(e) is True]
        others = [r for r in rules if r.status == "live" and r.id != rule.id]
        unique = [e for e in hit if not any(r.test(e) is True for r in others)]
        first = [e for e in hit if decision(rules, e)[1] == rule.id]
        answer[rule.id] = {
            "hits": len(hit),
            "frauds": sum(e["label"] == 1 for e in hit),
            "good": sum(e["label"] == 0 for e in hit),
            "unlabelled": sum(e["label"] is None for e in hit),
            "value_hit": sum(e["cents"] for e in hit),
            "value_caught": sum(e["cents"] for e in hit if e["label"] == 1),
            "good_value_hit": sum(e["cents"] for e in hit if e["label"] == 0),
            "unique_hits": len(unique),
            "unique_value": sum(e["cents"] for e in unique if e["label"] == 1),
            "first_hits": len(first),
            "first_value": sum(e["cents"] for e in first if e["label"] == 1),
            "cases": len({(e["seller"], e["day"]) if e["seller"] is not None else ("own", e["id"]) for e in hit}),
        }
    return answer
