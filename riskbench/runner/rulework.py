"""What a run needs beyond data and rules when it launches a rule or looks after a book: its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskbench.metrics.constraints import Constraint, at_least, at_most


def guardrails(values: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """Return the limits that a launch must keep to, as the parameters say; none where none is given."""
    found: list[Constraint] = []
    for name in ("review_rate", "insult_rate"):
        if values.get(f"max_{name}") is not None:
            found.append(at_most(name, values[f"max_{name}"]))  # type: ignore[arg-type]
    if values.get("min_approval_rate") is not None:
        found.append(at_least("approval_rate", values["min_approval_rate"]))
    return tuple(found)
