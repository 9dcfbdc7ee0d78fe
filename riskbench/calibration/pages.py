"""How a page tells a calibration's tables: per week, in the currency, with a caption that says what is counted."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from riskbench.display import NOT_MEASURABLE, number
from riskbench.display.fact import Unit

Page = tuple[str, pd.DataFrame]

#: What a page tells of the cuts once all verdicts are told; the table `matured` tells more.
SHORT = ("net value", "frauds alerted", "precision", "recall")

#: Where a cost comes from, as a page says it.
_SOURCES = {"given": "given", "default": "a default"}
#: How a cost is printed where it is no share.
_COUNTED = {"future_orders": "orders", "review_minutes": "minutes"}


def told_apart(cuts: Sequence[float]) -> list[str]:
    """Return cuts as short text, with more digits only where two would look the same.

    >>> told_apart([0.49391, 0.49394, 0.6266])
    ['0.49391', '0.49394', '0.6266']
    >>> told_apart([0.5, 0.5, math.inf])
    ['0.5', '0.5', 'no cut']
    """
    texts = [_digits(cut, 4) for cut in cuts]
    for digits in range(5, 18):
        clash = {text for text in texts if len({cut for cut, own in zip(cuts, texts, strict=True) if own == text}) > 1}
        if not clash:
            break
        texts = [_digits(cut, digits) if own in clash else own for cut, own in zip(cuts, texts, strict=True)]
    return texts


def _digits(cut: float, digits: int) -> str:
    if not math.isfinite(cut):
        return "no cut"
    if digits == 4 or cut == 0:
        return number(float(cut))
    whole = len(str(int(abs(cut)))) if abs(cut) >= 1 else 0
    return f"{cut:,.{digits}g}" if whole < 5 else f"{cut:,.{min(digits - 4, 17)}f}"


def a_week(per: str) -> str:
    """Return what sums are given for, as it follows a name.

    >>> a_week("week"), a_week("1,000 events")
    ('a week', 'per 1,000 events')
    """
    return "a week" if per == "week" else f"per {per}"


def money_name(name: str, currency: str, counted: str) -> str:
    """Return the name of a sum of money; without money, with what it counts instead.

    >>> money_name("Net value a week", "IDR", "IDR"), money_name("Net value a week", "", "events")
    ('Net value a week', 'Net value a week, in events')
    """
    return name if currency else f"{name}, in {counted}"


def spread(value: float, lower: float, upper: float, unit: Unit, *, over: float = 1.0) -> str:
    """Return a change with its interval, or "–" where there is none.

    >>> spread(-300000.0, -900000.0, 300000.0, "money", over=2)
    '-150 k (-450 k to +150 k)'
    """
    if any(pd.isna(part) for part in (value, lower, upper)):
        return "–"
    shown, low, high = (number(float(part) / over, unit, signed=True) for part in (value, lower, upper))
    return shown if shown == low == high else f"{shown} ({low} to {high})"


def promise_page(promise: pd.DataFrame, *, chosen: str, judged: str | None) -> Page:
    """Return the promise in words with what it rests on."""
    came = "there is no later window" if judged is None else f"what came is of {judged}"
    return f"Promise, from {chosen}, with its 95 % prediction range; {came}", promise


def matured_page(matured: pd.DataFrame, counted: str) -> Page:
    """Return what the cuts come to once all verdicts are told; nothing where all is told already, or nothing can be."""
    told = [column for column in matured.columns if column in ("cut", "measure")]
    stretches = {str(name): held for name, held in matured.groupby("window", sort=False) if held["value"].notna().any()}
    first = next(iter(stretches.values()), matured.iloc[:0])
    later = next(iter(list(stretches.values())[1:]), matured.iloc[:0])
    if not (matured["corrected"].fillna(0.0) > 0).any():
        first = first.iloc[:0]
    beside = {tuple(row[name] for name in told): row for row in later.to_dict("records")}
    rows = []
    for measure in SHORT:
        for row in first[first["measure"] == measure].to_dict("records"):
            unit: Unit = "money" if measure == "net value" else "average" if row["per"] else "share"
            sum_of = counted if measure == "net value" else ""
            per = " ".join(part for part in (sum_of, a_week(row["per"]) if row["per"] else "") if part)
            now = NOT_MEASURABLE if pd.isna(row["counted"]) else number(float(row["counted"]), unit)
            rest = "–" if pd.isna(row["corrected"]) else number(float(row["corrected"]), "share")
            young = beside.get(tuple(row[name] for name in told))
            ends = (_in_the_end(row, unit), rest, *([] if not beside else [_in_the_end(young, unit)]))
            rows.append((f"{measure}, {per}" if per else measure, row["cut"], now, *ends))
    columns = ["measure", "cut", "as counted now", "in the end", "rests on correction"]
    spans = [
        f"{name}, {held['start'].iloc[0]} to {held['end'].iloc[0]}{_without(held)}" for name, held in stretches.items()
    ]
    columns += [f"{name}, in the end" for name in list(stretches)[1:2]]
    caption = "Once all verdicts are told, with 95 % interval"
    return f"{caption}: {'; '.join(spans)}" if spans else caption, pd.DataFrame(rows, columns=columns)


def _without(held: pd.DataFrame) -> str:
    """Return how many stopped events a window's figures leave out, as its rows' status says it."""
    outs = {str(status).partition("; ")[2] for status in held["status"]} - {""}
    return f" ({outs.pop()})" if outs else ""


def _in_the_end(row: Mapping[Hashable, Any] | None, unit: Unit) -> str:
    if row is None or pd.isna(row["value"]):
        return "–"
    value, low, high = (number(float(row[name]), unit) for name in ("value", "lower", "upper"))
    return f"{value} ({low.removesuffix(' %')} to {high})"


def untold(matured: pd.DataFrame) -> list[str]:
    """Return the one sentence that stands for the table where nothing can be told of any window."""
    if not len(matured) or matured["value"].notna().any():
        return []
    why = str(matured["status"].iloc[0]).removeprefix(NOT_MEASURABLE).removeprefix(": ")
    return [f"What the cuts come to once all verdicts are told is not measurable{': ' + why if why else ''}."]


def plateau_page(plateau: pd.DataFrame, *, counted: str, per: str, window: str, length: float) -> Page:
    """Return the cuts beside the chosen one, sums per week."""
    week = a_week(per)
    rows = [
        (
            row["point"],
            cut,
            number(row["alerts"] / length, "average"),
            number(row["alert_rate"], "share"),
            number(row["net_value"] / length, "money"),
            spread(row["change"], row["change_lower"], row["change_upper"], "money", over=length),
            number(row["n"], "count"),
            number(row["frauds_between"], "count"),
        )
        for row, cut in zip(plateau.to_dict("records"), told_apart(list(plateau["threshold"])), strict=True)
    ]
    columns = ["point", "cut", f"alerts {week}", "alert rate", f"net value {week}", f"change {week}"]
    caption = (
        f"Plateau: cuts beside the chosen one, from {window}. Net value in {counted} {week}; its change against the "
        "chosen cut with the joint 95 % interval; events and frauds between the two cuts as counted in the window"
    )
    return caption, pd.DataFrame(rows, columns=[*columns, "events between", "frauds between"])


def segments_page(segments: pd.DataFrame, *, counted: str, per: str, window: str, length: float) -> Page:
    """Return what one cut for all costs each segment, per week; nothing where there is one segment only."""
    week = a_week(per)
    rows = [
        (
            row["segment"],
            number(row["n"], "count"),
            number(row["frauds"], "count"),
            NOT_MEASURABLE if pd.isna(row["own_threshold"]) else told_apart([row["own_threshold"]])[0],
            told_apart([row["uniform_threshold"]])[0],
            number(row["net_own"] / length, "money"),
            number(row["net_uniform"] / length, "money"),
            spread(row["uniform_cost"], row["lower"], row["upper"], "money", over=length),
            row["status"],
        )
        for row in segments.to_dict("records")
    ]
    columns = ["segment", "events", "frauds", "own best cut", "common cut", f"net value {week}, own"]
    columns += [f"net value {week}, common", f"own cut would add {week}", "status"]
    caption = (
        f"Segments: net value in {counted} {week}, on {window}, with 95 % interval; "
        "events and known frauds of the window that the cuts were chosen on"
    )
    return caption, pd.DataFrame(rows if len(rows) > 1 else [], columns=columns)


def weekly_page(weekly: pd.DataFrame, *, counted: str, per: str, judged: str, proposed: str, shipped: str) -> Page:
    """Return what changes a week, with signs and units."""
    rows = []
    for row in weekly.to_dict("records"):
        money = row["measure"] in ("net value", "loss prevented")
        unit: Unit = "money" if money else "average"
        ends = (number(row[name], unit) for name in ("today", "proposed"))
        change = spread(row["change"], row["lower"], row["upper"], unit)
        rows.append((row["measure"], counted if money else "events", *ends, change, number(row["n"], "count")))
    columns = ["measure", "in", "today", proposed, "change", "events treated differently"]
    return f"Change {a_week(per)} on {judged}{shipped}; 95 % interval", pd.DataFrame(rows, columns=columns)


def cuts_page(cuts: pd.DataFrame, *, counted: str, per: str, length: float, proposed: str, shipped: str) -> Page:
    """Return today's and the proposed cut of each segment; what own cuts would add only where there are several."""
    week = a_week(per)
    rows = []
    for row in cuts.to_dict("records"):
        today, cut = told_apart([math.inf if pd.isna(row["today"]) else row["today"], row["proposed"]])
        own = NOT_MEASURABLE if pd.isna(row["own_cut"]) else told_apart([row["own_cut"]])[0]
        gain = spread(row["uniform_cost"], row["lower"], row["upper"], "money", over=length)
        rows.append((row["segment"], today, cut, own, gain, row["status"]))
    columns = ["segment", "today", proposed, "own best cut", f"own cut would add {week} ({counted})", "status"]
    return f"Cuts{shipped}", pd.DataFrame(rows, columns=columns)[columns if len(rows) > 1 else columns[:3]]


def assumptions_page(
    assumptions: pd.DataFrame, *, currency: str, counted: str, per: str, window: str, length: float
) -> Page:
    """Return each cost, where it comes from, and what another value would do."""
    week = a_week(per)
    rows = []
    for row in assumptions.to_dict("records"):
        name = str(row["cost"])
        if name in _COUNTED:
            shown = f"{row['value']:g} {_COUNTED[name]}"
        elif name == "minute_cost":
            shown = number(row["value"], "money", currency=currency)
        else:
            shown = f"{100 * row['value']:g} %"
        cuts = (told_apart([row[column]])[0] for column in ("cut_halved", "cut_doubled"))
        regrets = (number(row[column] / length, "money") for column in ("regret_halved", "regret_doubled"))
        rows.append((name, shown, _SOURCES.get(row["source"], row["source"]), *cuts, *regrets, row["reading"]))
    columns = ["cost", "value", "comes from", "best cut if halved", "best cut if doubled"]
    columns += [f"regret {week} if halved", f"regret {week} if doubled", "reading"]
    caption = (
        f"Assumptions: the costs. Regret is what keeping the cut would then give away, in {counted} {week}, on {window}"
    )
    return caption, pd.DataFrame(rows, columns=columns)


def rules_page(rules: pd.DataFrame, cuts: Iterable[float], *, shipped: str) -> Page:
    """Return what changes in the rule book, with cuts as short as elsewhere on the page."""
    held = [cut for cut in cuts if math.isfinite(cut)]
    short = {text: told_apart([cut])[0] for cut in held for text in (str(cut), f"{cut:,}")}
    exact = re.compile(r"(?<![\w.,])(?:" + "|".join(map(re.escape, short)) + r")(?![\w.])") if short else None
    lines = [exact.sub(lambda found: short[found[0]], str(line)) if exact else str(line) for line in rules["change"]]
    return f"Rules{shipped}", pd.DataFrame({"change": lines})
