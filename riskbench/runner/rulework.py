"""Which limits must a cut or a launch keep to, as a run's parameters say?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskbench.metrics.constraints import Constraint, Rate, at_least, at_most
from riskbench.metrics.costs import Costs

#: The share of review cases that must be verified in time, where a run names its reviewers.
IN_TIME = 0.95


def guardrails(values: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """Return the limits on rates that a cut or a launch must keep to; none where none is given."""
    rates: tuple[Rate, ...] = ("review_rate", "insult_rate")
    found = [at_most(rate, values[f"max_{rate}"]) for rate in rates if values.get(f"max_{rate}") is not None]
    if values.get("min_approval_rate") is not None:
        found.append(at_least("approval_rate", values["min_approval_rate"]))
    return tuple(found)


def limits(values: Mapping[str, Any], costs: Costs) -> tuple[Constraint, ...]:
    """Return the limits that a cut must keep to, as the parameters say: rates, and what reviewers can do."""
    found = list(guardrails(values))
    shifts = values.get("shifts")
    if values.get("max_cases_per_hour") is not None:
        found.append(at_most("cases_per_hour", values["max_cases_per_hour"], staffed=shifts))
    if values.get("reviewers") is not None:
        found.append(
            at_least(
                "verify_within",
                IN_TIME,
                hours=values.get("verify_within_hours"),
                reviewers=values["reviewers"],
                minutes=costs.review_minutes,
                staffed=shifts,
            )
        )
    return tuple(found)
