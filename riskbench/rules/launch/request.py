"""What does a reviewer sign for a launch? The change that it ends in, on the window that its plan was measured on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from riskbench.data.dataset import Dataset, micros
from riskbench.display import number
from riskbench.rules.comparison.comparison import compare
from riskbench.rules.comparison.request import ChangeRequest
from riskbench.rules.hits import prepared
from riskbench.rules.launch.stage import Stage, staged
from riskbench.rules.simulation import simulate

if TYPE_CHECKING:
    from riskbench.rules.launch.launch import LaunchPlan


def launch_request(
    plan: LaunchPlan, dataset: Dataset, *, stage: Stage, reason: str | None, requested_by: str | None
) -> ChangeRequest:
    """Return the request to put a stage's book in force."""
    ready = prepared(plan.before, dataset, asof=plan.asof)
    if 0 < stage.share < 1:
        ready = plan.with_buckets(ready)
    column = ready.column("time")
    low, high = (micros(end) for end in plan.window)
    inside = np.asarray(column.present & (column.values >= low) & (column.values < high))
    # The window alone would know other delays: what is silent for how long means good is taken from the plan.
    known = plan.matures if ready.roles.label_time is not None else ready.mature_after
    events = replace(ready.where(inside), mature_after=known)
    before = simulate(plan.before, events, asof=plan.asof, on=plan.day)
    after = simulate(staged(plan.before, plan.rule, stage), events, asof=plan.asof, on=plan.day)
    first, last = (f"{end:%Y-%m-%d}" for end in plan.window)
    return compare(before, after, costs=plan.costs).request(
        reason=told(plan) if reason is None else reason,
        requested_by=requested_by,
        title=f"Launch of {plan.rule}: {stage.name}",
        chosen_on="the draft as it stands in the book; on which events it was tuned is not known here",
        reported_on=f"{first} to before {last}, the last events old enough for a verdict",
    )


def told(plan: LaunchPlan) -> str:
    """Return why a launch is asked for, and how it would go, in one paragraph."""
    advice = str(plan.facts[0].value)
    way = ", ".join(stage.name for stage in plan.steps)
    rails = "; ".join(
        f"{limit.measure.replace('_', ' ')} {limit.side.replace('_', ' ')} {number(limit.bound, 'share')}"
        for limit in plan.limits
    )
    return f"Launch {plan.rule}? {advice}. By stages: {way}. It stops where a guardrail is surely broken: {rails}."
