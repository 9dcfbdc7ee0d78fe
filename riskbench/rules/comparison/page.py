"""What does a reader of a comparison see, in which words: the matrix, the tables and the remarks?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from riskbench.data.labels import BLOCKED, FRAUD, NO_CHANNEL, STATES, YOUNG, unheard
from riskbench.display import Grounds, number
from riskbench.metrics.costs import Costs
from riskbench.rules.comparison.differences import Pair, measured
from riskbench.rules.comparison.flips import MOST
from riskbench.rules.comparison.inference import COUNTED as AS_COUNTED
from riskbench.rules.comparison.inference import Inference

#: That events come together is told from this factor of the variance on.
_TELLING = 1.2


def pages(
    pair: Pair,
    *,
    full: pd.DataFrame,
    changed: pd.DataFrame,
    tested: pd.DataFrame,
    limits: pd.DataFrame,
    told: Inference,
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the matrix as a reader meets it: before down, after across."""
    names, money = pair.names, pair.new.worth.money
    counts, gains = [], []
    for first in names:
        rows = full[full["before"] == first].to_dict("records")
        counts.append({"before \\ after": first, **{row["after"]: counted(row) for row in rows}})
        worth = {row["after"]: _gained(row) if money else "" for row in rows}
        gains.append({"before \\ after": first, **worth})
    code = pair.new.dataset.currency.code
    caption = f"What these moves change in net value, {code} over the whole time (95 % interval)"
    return {
        "crossed": (f"Before down, after across; {COUNTED}", pd.DataFrame(counts)),
        "gains": (caption, pd.DataFrame(gains if money and len(pair.rows) else [])),
        "ways": (
            f"The change in net value told thrice, {code} over the whole time; the answer takes the {told.told} one",
            told.ways if told.told != AS_COUNTED or int(limits["unlabelled"].iloc[0]) else told.ways.iloc[:0],
        ),
        "inference": (
            "The flips by what the second book does with them, and what is known of them",
            told.flips if int(limits["unlabelled"].iloc[0]) else told.flips.iloc[:0],
        ),
        "changes": ("Every measure as counted, on the events compared; 95 % interval of the difference", changed),
        "mcnemar": ("McNemar's test: events that only one of the two books picks", tested),
        "bounds": (
            "What changes if the flips without a verdict were all good, left out, or all fraud: over the whole time",
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


def remarks(pair: Pair, costs: Costs, limits: pd.DataFrame, told: Inference) -> tuple[str, ...]:
    """Return the assumptions, and what is not measurable and why."""
    new, flips = pair.new, len(pair.rows)
    notes = [f"Labels: {new.labels.recipe}."]
    if not flips:
        notes.append("No event's outcome changes.")
    code = new.dataset.currency.code
    stated = costs.told(code, account=new.worth.told(costs, code))
    if not new.worth.money:
        notes.append("No amount: net value and values are not measurable.")
    else:
        notes.append(f"Costs assumed: {stated}.")
    if not measured(pair) and new.worth.money:
        notes.append("No event has a verdict: net value is not measurable.")
    state = new.labels.state[pair.rows]
    unlabelled = int(limits["unlabelled"].iloc[0])
    if unlabelled:
        why = {
            BLOCKED: "history blocked the event",
            YOUNG: "the event is too young",
            NO_CHANNEL: "nobody could dispute it",
        }
        parts = [
            f"{int((state == code).sum()):,} because {why.get(code, 'no source said anything')}"
            for code in range(BLOCKED, len(STATES))
            if (state == code).any()
        ]
        notes.append(
            f"{unlabelled:,} of {flips:,} flips have no verdict and are in no fraud or good figure: {', '.join(parts)}."
        )
        notes.append(_bounded(limits, new.dataset.currency.code))
    if told.told != AS_COUNTED and not told.share:  # else it stands in the grounds
        notes.append(inferred(told, flips))
    spread = pair.together
    if spread.entities > _TELLING:
        wide = f"net value spreads {np.sqrt(spread.entities):.1f} times as wide as if each came alone"
        notes.append(f"Flips come together by {spread.whose}: {wide}. The interval allows for it.")
    if spread.all > _TELLING * spread.entities:
        wide = f"net value spreads {np.sqrt(spread.all / spread.entities):.1f} times as wide as if they were alike"
        notes.append(f"The {spread.weeks} whole weeks differ: {wide}. The interval allows for it.")
    if flips > MOST:
        notes.append(f"The table of events lists the first {MOST:,} of {flips:,} flips.")
    return (*notes, *new.dataset.notes)


def inferred(told: Inference, flips: int) -> str:
    """Return in one line how much of the answer is inference."""
    parts = []
    if told.stands:
        parts.append(
            f"{told.stands:,} let through at random stand for {told.blocked - told.dark:,} that history stopped"
        )
    if told.late:
        many = "known fraud stands for a later one" if told.late == 1 else "known frauds stand for later ones"
        parts.append(f"{told.late:,} {many} too")
    said = f" ({'; '.join(parts)})" if parts else ""
    share = f"{number(told.share, 'share')} of the money in the answer is inference{said}." if told.share else ""
    if told.dark:
        share += (
            f" {told.dark:,} of {flips:,} flips were stopped by history and none stands for them: they are bounded."
        )
    return share.strip() or "Nothing in the answer is inference."


def grounds(pair: Pair, told: Inference) -> Grounds:
    """Return what the answer rests on, in one line each."""
    flips = len(pair.rows)
    if not flips or not measured(pair):
        return Grounds(not_measurable="" if not flips else "What the change is worth: no verdict, or no amount.")
    held, state = pair.new, pair.new.labels.state[pair.rows]
    known = int((state <= FRAUD).sum())
    asof = held.labels.asof
    until = f", as of {asof:%Y-%m-%d}" if asof is not None else ""
    silent = max(0, told.covered - known - (told.blocked - told.dark))
    young = f"{silent:,} young flips are silent: good, but for frauds that known ones stand for." if silent else ""
    dark = flips - known - told.young - told.blocked - silent
    gone = [
        f"{count:,} flips {why}"
        for count, why in (
            (told.young, f"from {told.until:%Y-%m-%d} on: too young" if told.until is not None else "are too young"),
            (max(0, dark), "have no verdict and none stands for them"),
        )
        if count > 0
    ]
    return Grounds(
        measured=f"{known:,} of {flips:,} flips have a verdict{until}.",
        estimated=" ".join(part for part in (inferred(told, flips) if told.share > 0 else "", young) if part),
        bounded=f"{told.dark:,} flips that history stopped, at worst and best." if told.dark else "",
        not_measurable=" ".join(
            part
            for part in ("; ".join(gone).capitalize() + "." if gone else "", unheard(held.dataset, held.labels))
            if part
        ),
    )


def _bounded(limits: pd.DataFrame, code: str) -> str:
    """Return what the flips without a verdict could change, in words."""
    none, _, all_ = limits.to_dict("records")
    few, many = (f"{row['frauds_alerted']:+,.0f}" for row in (none, all_))
    frauds = f"{few} frauds alerted if none of them is fraud, {many} if all are"
    said = f"At their bounds, over the whole time: {frauds}"
    if np.isnan(none["net_value"]):
        return f"{said}."
    low = number(none["net_value"], "money", currency=code, signed=True)
    if np.isnan(all_["net_value"]):
        return f"{said}; net value {low} if all are good; what they lose if fraud is not measured."
    high = number(all_["net_value"], "money", currency=code, signed=True)
    return f"{said}; net value {low} if all are good, {high} if all are fraud."
