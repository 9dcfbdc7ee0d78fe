"""What does a launch rest on: which verdicts are in, which stand for later ones, and what history stopped?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import BLOCKED, FRAUD
from riskbench.display import Grounds, number
from riskbench.rules.launch.effect import Trial

Rows = npt.NDArray[np.intp]


def plan_grounds(trial: Trial, rows: Rows, effects: pd.DataFrame) -> Grounds:
    """Return what a plan's expected effect rests on, in one line each."""
    changed = rows[trial.changed[rows]]
    known = int(np.count_nonzero(trial.kinds[changed] < 2))
    asof = trial.held.labels.asof
    until = f", as of {asof:%Y-%m-%d}" if asof is not None else ""
    net = effects[effects["measure"] == "net value"].iloc[0]
    share = float(net["inferred_share"])
    late = f"{number(share, 'share')} of the net value stands for verdicts told later." if share > 0 else ""
    blocked = stopped(trial, changed)
    gone = len(changed) - known - blocked
    parts = [
        f"{count:,} {'event' if count == 1 else 'events'} {why}"
        for count, why in (
            (blocked, "that history stopped"),
            (gone, "without a verdict"),
        )
        if count > 0
    ]
    return Grounds(
        measured=f"{known:,} of {len(changed):,} events whose outcome would change have a verdict{until}.",
        estimated=late,
        not_measurable=f"What the rule does to {' and to '.join(parts)}." if parts else "",
    )


def verdict_grounds(trial: Trial, launched: npt.NDArray[np.bool_], plan: Grounds | None) -> Grounds:
    """Return what a verdict rests on; what was expected keeps the plan's own lines."""
    rows = np.flatnonzero(launched & trial.changed)
    known = int(np.count_nonzero(trial.kinds[rows] < 2))
    young = int(np.count_nonzero(~trial.mature[rows]))
    late = "What was expected: " + plan.estimated if plan is not None and plan.estimated else ""
    return Grounds(
        measured=f"{known:,} of {len(rows):,} events whose outcome the rule changes since the launch have a verdict.",
        estimated=late,
        not_measurable=(
            f"What {young:,} of them are: younger than the {trial.matures:.0f} days that verdicts take."
            if young
            else ""
        ),
    )


def stopped(trial: Trial, rows: Rows) -> int:
    """Return how many of some events history stopped, so that they have no verdict."""
    return int(np.count_nonzero(trial.held.labels.state[rows] == BLOCKED))


def passed_on(trial: Trial, changed: Rows) -> list[str]:
    """Return what a reader must know of events that history stopped among those whose outcome would change."""
    count = stopped(trial, changed)
    if not count:
        return []
    stop = trial.effects == "stop"
    state = trial.held.labels.state[changed]
    freed = stop[trial.before[changed]] & ~stop[trial.after[changed]]
    let = int(np.count_nonzero(freed & (state == BLOCKED)))
    known = int(np.count_nonzero(freed & (state <= FRAUD)))
    said = [f"History stopped {count:,} of {len(changed):,} events whose outcome would change: they have no label."]
    if let:
        said.append(
            f"It would let pass {let:,} events that history stopped; {known:,} of its kind have a verdict. "
            "What that lets through is not in the net value; rb.compare bounds it."
        )
    return said
