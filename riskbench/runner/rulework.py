"""What a run needs beyond data and rules when it launches a rule: its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskbench.metrics.constraints import Constraint, Rate, at_least, at_most


def guardrails(values: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """Return the limits that a launch must keep to, as the parameters say; none where none is given."""
    rates: tuple[Rate, ...] = ("review_rate", "insult_rate")
    found = [at_most(rate, values[f"max_{rate}"]) for rate in rates if values.get(f"max_{rate}") is not None]
    if values.get("min_approval_rate") is not None:
        found.append(at_least("approval_rate", values["min_approval_rate"]))
    return tuple(found)
