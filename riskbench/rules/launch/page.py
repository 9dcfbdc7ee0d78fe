"""How does a launch plan read? Its headline, its tables in a reader's words, and its picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from riskbench.display import Fact, number
from riskbench.display.chart import BLUE, GREEN, GREY, SKY, style
from riskbench.display.fact import Unit
from riskbench.metrics.intervals import wilson
from riskbench.rules.launch.pace import HORIZON, Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NOT = f"not within {HORIZON} weeks"


def plan_facts(
    rule: str, effects: pd.DataFrame, stages: pd.DataFrame, evidence: Evidence, *, currency: str
) -> tuple[Fact, ...]:
    """Return what to do, the expected effect a week, and when it is measurable."""
    change = {row["measure"]: row for row in effects.to_dict("records")}
    when = next((row for row in stages.to_dict("records") if not pd.isna(row["benefit_weeks"])), None)
    precision = Fact("Precision of what it adds", None, "share", note="no labelled event whose outcome changes")
    if evidence.precision is not None:
        k, n = evidence.precision * evidence.n / evidence.design_effect, evidence.n / evidence.design_effect
        _, low, high = (float(x) for x in wilson(k, n))
        pays = "" if evidence.break_even is None else f"pays above {number(evidence.break_even, 'share')}"
        precision = Fact(
            "Precision of what it adds", evidence.precision, "share", lower=low, upper=high, n=evidence.n, note=pays
        )
    told = f"not within {HORIZON} weeks in any stage"
    if when is not None:
        day = pd.Timestamp(when["starts"]) + pd.Timedelta(days=7 * when["benefit_weeks"]) if when["starts"] else None
        since = "" if day is None else f"from {day:%Y-%m-%d}, "
        told = f"{since}after {_weeks(when['benefit_weeks'])} of {when['stage']}"
    return (
        Fact(f"Launch {rule}?", advice(change["net value"], evidence), "text"),
        _fact("Net value, a week, if live", change["net value"], "money", currency=currency),
        _fact("Frauds that nothing else catches, a week", change["frauds that nothing else catches"], "average"),
        _fact("Good customers hit, a week", change["good customers hit"], "average"),
        precision,
        Fact("Benefit measurable", told, "text"),
    )


def advice(net: Mapping[Any, Any], evidence: Evidence) -> str:
    """Return what to do with a draft, from its expected net value and precision."""
    if net["change"] is None or pd.isna(net["change"]) or evidence.break_even is None or evidence.precision is None:
        return "in shadow only: what it is worth is not measurable yet"
    if net["upper"] < 0:
        return "not as it stands: it does not pay"
    if evidence.precision <= evidence.break_even:
        return "not as it stands: it is not expected to pay"
    return "yes: it pays" if net["lower"] > 0 else "in shadow first: what it is worth lies within chance"


def _fact(name: str, row: Mapping[Any, Any], unit: Unit, *, currency: str = "") -> Fact:
    if row["change"] is None or pd.isna(row["change"]):
        return Fact(name, None, unit, note="no labelled event whose outcome changes", currency=currency)
    return Fact(
        name,
        float(row["change"]),
        unit,
        lower=float(row["lower"]),
        upper=float(row["upper"]),
        n=int(row["n"]),
        currency=currency,
        signed=True,
    )


def plan_pages(
    effects: pd.DataFrame, stages: pd.DataFrame, guardrails: pd.DataFrame, *, currency: str
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the plan's tables in a reader's words."""
    money = f" ({currency})" if currency else ""
    staged = pd.DataFrame(
        {
            "stage": stages["stage"],
            "traffic": [number(share, "share") if share else "none" for share in stages["share"]],
            "alerts a week": _each(stages["alerts"], "average"),
            "frauds caught": _each(stages["frauds"], "average"),
            "good customers hit": _each(stages["good_hit"], "average"),
            f"net value a week{money}": _ranges(stages, "net", "net_lower", "net_upper", unit="money"),
            "frauds told by its end": _each(stages["labels_told"], "share"),
            "benefit told after": [_weeks(weeks) for weeks in stages["benefit_weeks"]],
            "clear breach told after": [_weeks(weeks) for weeks in stages["harm_weeks"]],
            "from": [day or "when decided" for day in stages["starts"]],
            "to": [day or "open" for day in stages["ends"]],
        }
    )
    units: list[Unit] = ["money" if unit == "money" else "average" for unit in effects["unit"]]
    rows = effects.to_dict("records")
    week = pd.DataFrame(
        {
            "a week, if live": effects["measure"],
            "today": [_one(row["today"], unit) for row, unit in zip(rows, units, strict=True)],
            "change": [_one(row["change"], unit, signed=True) for row, unit in zip(rows, units, strict=True)],
            "95 % interval": [_range(row["lower"], row["upper"], unit) for row, unit in zip(rows, units, strict=True)],
            "events": effects["n"],
        }
    )
    rails = pd.DataFrame(
        {
            "guardrail": [
                f"{str(row['measure']).replace('_', ' ')} {'at most' if row['side'] == 'at_most' else 'at least'} "
                f"{number(row['bound'], 'share')}"
                for row in guardrails.to_dict("records")
            ],
            "today": [_one(value, "share") for value in guardrails["today"]],
            "expected if live": [_one(value, "share") for value in guardrails["expected"]],
            "events until a clear breach is told": [_one(value, "count") for value in guardrails["needed"]],
            "why": guardrails["source"],
        }
    )
    return {
        "stages": ("Stages", staged),
        "effects": (f"Expected effect a week, if live{money}", week),
        "guardrails": ("Guardrails", rails),
    }


def verdict_pages(
    guardrails: pd.DataFrame, compared: pd.DataFrame, worth: pd.DataFrame, *, currency: str
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the tables of a launch so far in a reader's words."""
    rails = pd.DataFrame(
        [
            {
                "measure": str(row["measure"]).replace("_", " "),
                "must be": f"{'at most' if row['side'] == 'at_most' else 'at least'} {number(row['bound'], 'share')}",
                "so far": _one(row["value"], "share"),
                "95 % at all times": _between(row["lower"], row["upper"]),
                "events": row["n"],
                "measured on": row["on"],
                "status": row["status"],
            }
            for row in guardrails.to_dict("records")
        ]
    )
    arms = pd.DataFrame(
        [
            {
                "by": row["source"],
                "measure": str(row["measure"]).replace("_", " "),
                "treated": _one(row["treated"], "share"),
                "control": _one(row["control"], "share"),
                "difference": _one(row["difference"], "share", signed=True),
                "95 % at all times": _range(row["lower"], row["upper"], "share"),
                "events treated": row["n"],
            }
            for row in compared.to_dict("records")
        ]
    )
    row = worth.to_dict("records")[0]
    brought = pd.DataFrame(
        [
            {
                "labelled events it changes": row["events"],
                "frauds": row["frauds"],
                "net value so far": _one(row["net_value"], "money", signed=True),
                "an event": _one(row["each"], "money", signed=True),
                "95 % at all times": _range(row["lower"], row["upper"], "money") or row["reading"],
            }
        ]
    )
    money = f" ({currency})" if currency else ""
    return {
        "guardrails": ("Guardrails and benefit", rails),
        "against": ("Treated against control", arms),
        "worth": (f"What it brought, or would have{money}", brought),
    }


def _between(low: Any, high: Any) -> str:
    return "" if low is None or pd.isna(low) else f"{number(float(low), 'share')} to {number(float(high), 'share')}"


def _weeks(weeks: Any) -> str:
    if pd.isna(weeks):
        return _NOT
    return f"{weeks:.0f} weeks" if weeks >= 2 else f"{max(1, math.ceil(7 * weeks))} days"


def _one(value: Any, unit: Unit, *, signed: bool = False) -> str:
    known = value is not None and not pd.isna(value) and np.isfinite(value)
    return number(float(value), unit, signed=signed) if known else "not measurable"


def _range(low: Any, high: Any, unit: Unit) -> str:
    if low is None or pd.isna(low):
        return ""
    return f"{number(float(low), unit, signed=True)} to {number(float(high), unit, signed=True)}"


def _each(values: pd.Series[Any], unit: Unit) -> list[str]:
    return [_one(value, unit) for value in values]


def _ranges(frame: pd.DataFrame, value: str, low: str, high: str, *, unit: Unit) -> list[str]:
    return [
        f"{_one(row[value], unit, signed=True)}" + (f" ({_range(row[low], row[high], unit)})" if row[value] else "")
        for row in frame.fillna({value: 0.0}).to_dict("records")
    ]


def draw_stages(ax: Axes, stages: pd.DataFrame) -> None:
    """Draw when each stage begins and how long it lasts, and what it waits for."""
    begins, told, seen = 0.0, False, set()
    for place, row in enumerate(stages.to_dict("records")):
        at = len(stages) - 1 - place
        if pd.isna(row["lasts"]):
            text = "benefit not measurable" if not told else "a clear breach is not told"
            ax.text(begins, at, f" {text} within {HORIZON} weeks", va="center", color=GREY, fontsize=9)
            told = told or not pd.isna(row["benefit_weeks"])
            continue
        if told:
            parts = [(row["lasts"], GREEN, "guardrails are watched")]
        else:
            gather = min(row["gather_weeks"], row["lasts"])
            verdicts = row["benefit_weeks"] - gather
            parts = [(gather, BLUE, "events come in"), (verdicts, SKY, "verdicts come in")]
            parts.append((row["lasts"] - row["benefit_weeks"], GREEN, "guardrails are watched"))
            told = True
        for length, colour, label in parts:
            if length > 0:
                ax.barh(at, length, left=begins, height=0.55, color=colour, label=None if label in seen else label)
                seen.add(label)
                begins += length
    ax.set_yticks(range(len(stages)), list(stages["stage"])[::-1])
    ax.set_ylim(-0.6, len(stages) + 0.3)
    ax.set_xlim(0, max(begins * 1.05, 1.0))
    if seen:
        ax.legend(frameon=False, ncols=3, loc="upper right", fontsize=9)
    style(ax, title="How long each stage lasts", x="weeks from the start", y="")
