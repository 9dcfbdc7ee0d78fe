"""What does a reader of a comparison see, in which words: the matrix, the tables and the remarks?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from riskbench.data.labels import BLOCKED, STATES, YOUNG
from riskbench.display import number
from riskbench.metrics.costs import Costs
from riskbench.rules.comparison.differences import Pair, measured
from riskbench.rules.comparison.flips import MOST

#: That events come together is told from this factor of the variance on.
_TELLING = 1.2


def pages(
    pair: Pair, full: pd.DataFrame, changed: pd.DataFrame, tested: pd.DataFrame, limits: pd.DataFrame
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the matrix as a reader meets it: before down, after across."""
    names, money = pair.names, pair.new.worth.money
    counts, gains = [], []
    for first in names:
        rows = full[full["before"] == first].to_dict("records")
        counts.append({"before \\ after": first, **{row["after"]: counted(row) for row in rows}})
        told = {row["after"]: _gained(row) if money else "" for row in rows}
        gains.append({"before \\ after": first, **told})
    code = pair.new.dataset.currency.code
    caption = f"What these moves change in net value, {code} (95 % interval)"
    return {
        "crossed": (f"Before down, after across; {COUNTED}", pd.DataFrame(counts)),
        "gains": (caption, pd.DataFrame(gains if money and len(pair.rows) else [])),
        "changes": ("Every measure, on the events compared; 95 % interval of the difference", changed),
        "mcnemar": ("McNemar's test: events that only one of the two books picks", tested),
        "bounds": (
            "What changes if the flips without a verdict were all good, left out, or all fraud",
            limits if int(limits["unlabelled"].iloc[0]) else limits.iloc[:0],
        ),
    }


#: How a cell of the matrix is read.
COUNTED = "events: fraud / good / without a verdict"


def counted(row: Mapping[Hashable, Any]) -> str:
    """Return a pair of outcomes as a cell of the matrix."""
    if not row["events"]:
        return "·"
    return f"{row['events']:,}: {row['frauds']:,} / {row['good']:,} / {row['unlabelled']:,}"


def _gained(row: Mapping[Hashable, Any]) -> str:
    if row["before"] == row["after"] or not row["events"]:
        return "·"
    value, lower, upper = (number(row[f"net_value{end}"], "money", signed=True) for end in ("", "_lower", "_upper"))
    return f"{value} ({lower} to {upper})"


def remarks(pair: Pair, costs: Costs, limits: pd.DataFrame) -> tuple[str, ...]:
    """Return the assumptions, and what is not measurable and why."""
    new, flips = pair.new, len(pair.rows)
    notes = [f"Labels: {new.labels.recipe}."]
    if not flips:
        notes.append("No event's outcome changes.")
    stated = costs.told(new.dataset.currency.code)
    if not new.worth.money:
        notes.append("No amount: net value and values are not measurable.")
    else:
        notes.append(f"Costs assumed: {stated}.")
    if not measured(pair) and new.worth.money:
        notes.append("No event has a verdict: net value is not measurable.")
    state = new.labels.state[pair.rows]
    unlabelled = int(limits["unlabelled"].iloc[0])
    if unlabelled:
        why = {BLOCKED: "history blocked the event", YOUNG: "the event is too young"}
        parts = [
            f"{int((state == code).sum()):,} because {why.get(code, 'no source said anything')}"
            for code in range(BLOCKED, len(STATES))
            if (state == code).any()
        ]
        notes.append(
            f"{unlabelled:,} of {flips:,} flips have no verdict and are in no fraud or good figure: {', '.join(parts)}."
        )
        notes.append(_bounded(limits, new.dataset.currency.code))
    if pair.together > _TELLING:
        wide = f"net value spreads {np.sqrt(pair.together):.1f} times as wide as if each came alone"
        notes.append(f"Flips come together by {pair.whose}: {wide}. The interval allows for it.")
    if flips > MOST:
        notes.append(f"The table of events lists the first {MOST:,} of {flips:,} flips.")
    return (*notes, *new.dataset.notes)


def _bounded(limits: pd.DataFrame, code: str) -> str:
    """Return what the flips without a verdict could change, in words."""
    none, _, all_ = limits.to_dict("records")
    few, many = (f"{row['frauds_alerted']:+,.0f}" for row in (none, all_))
    frauds = f"{few} frauds alerted if none of them is fraud, {many} if all are"
    if np.isnan(none["net_value"]):
        return f"At their bounds: {frauds}."
    low = number(none["net_value"], "money", currency=code, signed=True)
    if np.isnan(all_["net_value"]):
        return f"At their bounds: {frauds}; net value {low} if all are good; what they lose if fraud is not measured."
    high = number(all_["net_value"], "money", currency=code, signed=True)
    return f"At their bounds: {frauds}; net value {low} if all are good, {high} if all are fraud."
