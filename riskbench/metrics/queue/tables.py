"""What the replications say, as tables: by hour, by queue, and what one reviewer more or fewer changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.metrics.queue.hours import HOUR
from riskbench.metrics.queue.replay import Plan, Replayed, interval
from riskbench.metrics.queue.staff import Team

Floats = npt.NDArray[np.float64]

#: What the row of all queues together is called.
TOGETHER = "(all queues)"
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def hours_frame(plan: Plan, held: Replayed, staff: Sequence[Team]) -> pd.DataFrame:
    """Return arrivals, reviewers and backlog by queue and hour of the week, with 95 % of the simulated weeks."""
    frames = []
    clock = [f"{_WEEKDAYS[hour // 24]} {hour % 24:02d}:00" for hour in range(168)]
    for place, (name, team) in enumerate(zip(plan.cases.names, staff, strict=True)):
        weeks = held.backlog[:, place, :-1].reshape(-1, 168)
        low, high = np.percentile(weeks, [2.5, 97.5], axis=0)
        there = team.calendars().reshape(-1, 168, HOUR).mean(axis=2).sum(axis=0)
        frames.append(
            pd.DataFrame(
                {
                    "queue": name,
                    "hour": np.arange(168),
                    "clock": clock,
                    "arrivals": held.arrivals[place],
                    "reviewers": there,
                    "backlog": weeks.mean(axis=0),
                    "backlog_lower": low,
                    "backlog_upper": high,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def queues_frame(plan: Plan, held: Replayed, staff: Sequence[Team]) -> pd.DataFrame:
    """Return one row a queue, and behind several queues one of them all."""
    names, paid = list(plan.cases.names), np.array([team.paid() for team in staff])
    told = [team.told() for team in staff]
    parts = [{name: held.of(name)[:, [place], 0].sum(axis=1) for name in _SUMS} for place in range(len(names))]
    for place, part in enumerate(parts):
        part |= {name: held.of(name)[:, place, 0] for name in ("wait_p50", "wait_p90")}
    if len(names) > 1:
        whole = {name: held.of(name)[:, :, 0].sum(axis=1) for name in _SUMS}
        parts.append({**whole, "wait_p50": held.waits[:, 0], "wait_p90": held.waits[:, 1]})
        names.append(TOGETHER)
        paid, told = np.append(paid, paid.sum()), [*told, "all"]
    rows = [
        {"queue": name, "team": team, **measures_of(plan, part, float(minutes))}
        for name, team, part, minutes in zip(names, told, parts, paid, strict=True)
    ]
    return pd.DataFrame(rows)


_SUMS = ("cases", "late", "expired", "begun", "busy", "kept", "at_stake", "backlog_end")


def measures_of(plan: Plan, part: dict[str, Floats], paid: float) -> dict[str, float]:
    """Return a queue's measures with their intervals, from what each replication measured."""
    weeks = plan.weeks
    with np.errstate(divide="ignore", invalid="ignore"):
        shown: dict[str, tuple[Floats, float]] = {
            "cases": (part["cases"] / weeks, np.inf),
            "late_share": (part["late"] / part["cases"], 1.0),
            "breaches": (part["late"] / weeks, np.inf),
            "expired": (part["expired"] / weeks, np.inf),
            "wait_p50": (part["wait_p50"], np.inf),
            "wait_p90": (part["wait_p90"], np.inf),
            "utilisation": (part["busy"] / (paid * weeks) if paid else np.full(plan.replications, np.nan), np.inf),
            "value_per_review": (part["kept"] / part["begun"], np.inf),
            "value_per_hour": (
                part["kept"] / (paid * weeks / HOUR) if paid else np.full(plan.replications, np.nan),
                np.inf,
            ),
        }
    row: dict[str, float] = {}
    for name, (values, top) in shown.items():
        mean, low, high = interval(values, weeks=weeks, blocks=plan.cases.blocks)
        row |= {name: mean, f"{name}_lower": float(np.maximum(low, 0.0)), f"{name}_upper": float(np.minimum(high, top))}
    late = [row.pop(f"late_share{end}") for end in ("", "_upper", "_lower")]
    row |= {f"within_share{end}": 1 - value for end, value in zip(("", "_lower", "_upper"), late, strict=True)}
    low, high = np.percentile(part["backlog_end"], [2.5, 97.5])
    row |= {"backlog_end": float(part["backlog_end"].mean()), "backlog_end_lower": low, "backlog_end_upper": high}
    return row


def worth_frame(
    plan: Plan, held: Replayed, tried: Sequence[Sequence[Team]], *, minute_cost: float, breach_cost: float
) -> pd.DataFrame:
    """Return what one reviewer more or fewer changes a week, queue by queue: paired, on the same arrivals."""
    rows = []
    for place, name in enumerate(plan.cases.names):
        for other, words in ((1, "one more"), (2, "one fewer")):
            if words == "one fewer" and tried[place][2].size == tried[place][0].size:
                continue
            row: dict[str, object] = {"queue": name, "change": words, "reviewers": tried[place][other].size}
            change = {
                part: (held.of(part)[:, place, other] - held.of(part)[:, place, 0]) / plan.weeks
                for part in ("late", "expired", "kept")
            }
            cost = (tried[place][other].paid() - tried[place][0].paid()) * minute_cost
            worth = change["kept"] - breach_cost * change["late"] - cost
            for part, values in (
                ("breaches", change["late"]),
                ("expired", change["expired"]),
                ("saved_value", change["kept"]),
            ):
                row |= _ends(part, values, plan)
            ends = {key: value - cost for key, value in _ends("worth", worth + cost, plan).items()}
            rows.append({**row, "cost": cost, **ends})
    return pd.DataFrame(rows)


def _ends(name: str, values: Floats, plan: Plan) -> dict[str, float]:
    mean, low, high = interval(values, weeks=plan.weeks, blocks=plan.cases.blocks)
    return {name: mean, f"{name}_lower": low, f"{name}_upper": high}
