"""What the replications say, as tables: by hour, by queue, and what one reviewer more or fewer changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.metrics.queue.hours import HOUR
from riskbench.metrics.queue.names import TOGETHER
from riskbench.metrics.queue.replay import Plan, Replayed, Told
from riskbench.metrics.queue.staff import Team

Floats = npt.NDArray[np.float64]

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
    names, paid = list(plan.cases.names), [team.paid() for team in staff]
    rows = [
        {"queue": name, "team": team.told(), **measures_of(plan, held, place, paid[place])}
        for place, (name, team) in enumerate(zip(names, staff, strict=True))
    ]
    if len(names) > 1:
        rows.append({"queue": TOGETHER, "team": "all", **measures_of(plan, held, None, sum(paid))})
    return pd.DataFrame(rows)


#: What a page calls a column, so that it is printed in its unit.
_PAGE = {"worth": "worth_value", "cost": "reviewers_cost", "utilisation": "utilisation_share"}


def money_page(frame: pd.DataFrame, currency: str) -> tuple[str, pd.DataFrame]:
    """Return a table for a page: what changes are worth as rounded money; without it where nobody knows."""
    ends = ("", "_lower", "_upper")
    if frame["worth"].isna().all():
        return "", frame.drop(columns=[f"worth{end}" for end in ends])
    page = frame.rename(columns={f"{name}{end}": f"{told}{end}" for name, told in _PAGE.items() for end in ends})
    return f"Money in {currency}, a week" if currency else "Money a week", page


_SUMS = ("cases", "late", "expired", "begun", "busy", "kept", "at_stake", "backlog_end")


def _shown(plan: Plan, told: Told, queue: int | None, paid: float) -> dict[str, Floats]:
    """Return a queue's measures in every replication, or those of all queues together."""
    weeks = plan.weeks
    if queue is None:
        part = {name: told.of(name)[:, :, 0].sum(axis=1) for name in _SUMS}
        part |= {"wait_p50": told.waits[:, 0], "wait_p90": told.waits[:, 1]}
    else:
        part = {name: told.of(name)[:, queue, 0] for name in (*_SUMS, "wait_p50", "wait_p90")}
    nobody = np.full(len(part["cases"]), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "cases": part["cases"] / weeks,
            "late_share": part["late"] / part["cases"],
            "breaches": part["late"] / weeks,
            "expired": part["expired"] / weeks,
            "wait_p50": part["wait_p50"],
            "wait_p90": part["wait_p90"],
            "utilisation": part["busy"] / (paid * weeks) if paid else nobody,
            "value_per_review": part["kept"] / part["begun"],
            "value_per_hour": part["kept"] / (paid * weeks / HOUR) if paid else nobody,
            "backlog_end": part["backlog_end"],
        }


def measures_of(plan: Plan, held: Replayed, queue: int | None, paid: float) -> dict[str, float]:
    """Return the measures of a queue, or of all together, with their intervals."""
    seen, other = (_shown(plan, told, queue, paid) for told in (held.seen, held.other))
    ended = seen.pop("backlog_end")
    row: dict[str, float] = {}
    for name, values in seen.items():
        mean, low, high = held.interval(plan, values, other[name], queue)
        top = 1.0 if name == "late_share" else np.inf
        row |= {name: mean, f"{name}_lower": float(np.maximum(low, 0.0)), f"{name}_upper": float(np.minimum(high, top))}
    late = [row.pop(f"late_share{end}") for end in ("", "_upper", "_lower")]
    row |= {f"within_share{end}": 1 - value for end, value in zip(("", "_lower", "_upper"), late, strict=True)}
    low, high = np.percentile(ended, [2.5, 97.5])
    return row | {"backlog_end": float(ended.mean()), "backlog_end_lower": low, "backlog_end_upper": high}


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
            cost = (tried[place][other].paid() - tried[place][0].paid()) * minute_cost
            seen, apart = (_changes(plan, told, place, other, breach_cost) for told in (held.seen, held.other))
            ends: dict[str, float] = {}
            for part, values in seen.items():
                mean, low, high = held.interval(plan, values, apart[part], place)
                less = cost if part == "worth" else 0.0
                ends |= {part: mean - less, f"{part}_lower": low - less, f"{part}_upper": high - less}
            rows.append(
                {
                    **row,
                    **{name: ends[name] for name in ends if not name.startswith("worth")},
                    "cost": cost,
                    **{name: ends[name] for name in ends if name.startswith("worth")},
                }
            )
    return pd.DataFrame(rows)


def _changes(plan: Plan, told: Told, queue: int, other: int, breach_cost: float) -> dict[str, Floats]:
    """Return what another team changes a week, in every replication; its worth before what it costs."""
    change = {
        name: (told.of(part)[:, queue, other] - told.of(part)[:, queue, 0]) / plan.weeks
        for name, part in (("breaches", "late"), ("expired", "expired"), ("saved_value", "kept"))
    }
    return change | {"worth": change["saved_value"] - breach_cost * change["breaches"]}
