"""Every measure's change in one table: as numbers, and as a reader has it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskbench.display import number
from riskbench.incidents.reading import NONE, moment, plain
from riskbench.incidents.scope import Scope
from riskbench.incidents.signals import LEVEL, Signal, local_times

_CHANGE = ("change", "change_lower", "change_upper")


def table(
    scope: Scope, found: Sequence[Signal], fair: dict[str, float], given: dict[str, float | None]
) -> pd.DataFrame:
    """Return one row a measure, the clearest change first."""
    rows = []
    for each in found:
        name, change = each.measure.name, each.change
        p_value = given.get(name, fair.get(name))
        clear = change is not None and p_value is not None and p_value <= LEVEL
        scale = _scale(scope, each)
        per_event = 10.0**-scope.dataset.currency.decimals if each.measure.unit == "money" else 1.0
        moment = _local_moments(scope, each) if clear else {}
        rows.append(
            {
                "measure": name,
                "title": each.measure.title,
                "baseline": None if each.baseline is None else each.baseline * per_event,
                "observed": each.observed * scale if change else None,
                "expected": each.expected * scale if change else None,
                "change": change.ratio if change else None,
                "change_lower": change.ratio_lower if change else None,
                "change_upper": change.ratio_upper if change else None,
                "start": moment.get("start"),
                "start_lower": moment.get("start_lower"),
                "start_upper": moment.get("start_upper"),
                "end": moment.get("end"),
                "still_running": change.end is None if clear and change else None,
                "p_value": change.p_value if change else None,
                "p_adjusted": fair.get(name),
                "n": each.n,
                "said": each.said,
            }
        )
    frame = pd.DataFrame(rows)
    for column in ("start", "start_lower", "start_upper", "end"):
        frame[column] = pd.to_datetime(frame[column])
    for column in (
        "baseline",
        "observed",
        "expected",
        "change",
        "change_lower",
        "change_upper",
        "p_value",
        "p_adjusted",
    ):
        frame[column] = frame[column].astype("float64")
    strength = np.array([each.change.evidence if each.change else -1.0 for each in found])
    order = np.lexsort((-strength, frame["p_adjusted"].fillna(2.0).to_numpy()))
    return frame.iloc[order].reset_index(drop=True)


def page(scope: Scope, frame: pd.DataFrame, found: Sequence[Signal], main: str) -> tuple[str, pd.DataFrame]:
    """Return the signals as a reader's table: the main measure first, those that cannot be measured left out."""
    money = {each.measure.name: scope.dataset.currency.code for each in found if each.measure.unit == "money"}
    told = frame["change"].notna() | (frame["measure"] == main)
    order = [*frame.index[frame["measure"] == main], *frame.index[told & (frame["measure"] != main)]]
    rows = []
    for row in frame.loc[order].to_dict("records"):
        code, there, began = money.get(row["measure"]), not pd.isna(row["change"]), not pd.isna(row["start"])
        missing = NONE if there else "not measurable"
        rows.append(
            {
                "measure": row["title"],
                "observed": _unbroken(amount(row["observed"], code)) if there else missing,
                "expected": _unbroken(amount(row["expected"], code)) if there else missing,
                "times the expected": plain(*(row[name] for name in _CHANGE)) if began else "no change",
                "start": moment(row["start"]),
                "95 % between": _between(row) if began else NONE,
                "stop": "still running" if began and row["still_running"] else moment(row["end"]),
                "chance alone": chance(row["p_adjusted"]) if there else NONE,
            }
        )
        if not there:
            rows[-1]["times the expected"] = missing
    left = int((~told).sum())
    more = f"; {left} more cannot be measured yet" if left else ""
    return f"Each measure in the window, local times{more}", pd.DataFrame(rows)


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _between(row: dict[Hashable, Any]) -> str:
    lower, upper = row["start_lower"], row["start_upper"]
    return f"{moment(lower)} and {moment(upper, beside=lower)}"


def amount(value: float, currency: str | None) -> str:
    """Return a sum as text: money in its currency, or a count."""
    if currency is not None:
        return number(value, "money", currency=currency)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def chance(p_value: float) -> str:
    """Return a p value as text."""
    return f"{p_value:.3f}" if p_value > 0.001 else "1 in 1,000 or fewer"


def _scale(scope: Scope, each: Signal) -> float:
    """Return what a signal's sums are multiplied by: money in major units, scores as means."""
    if each.measure.unit == "money":
        return 10.0**-scope.dataset.currency.decimals
    return 1.0 / max(each.n, 1) if each.measure.unit == "score" else 1.0


def _local_moments(scope: Scope, each: Signal) -> dict[str, pd.Timestamp]:
    assert each.change is not None
    change, first = each.change, scope.incident.window[0]
    places = {
        "start": change.start, "start_lower": max(change.start_lower - 1, 0), "start_upper": change.start_upper,
    }  # fmt: skip
    if change.end is not None:
        places["end"] = change.end
    moments = np.array([max(first, each.moment(place)) for place in places.values()], dtype=np.int64)
    local = local_times(moments, scope.dataset.time_zone)
    return {name: pd.Timestamp(int(at), unit="us") for name, at in zip(places, local, strict=True)}
