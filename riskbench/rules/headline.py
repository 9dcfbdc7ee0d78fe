"""How a simulation tells itself: the headline with late labels in, what it rests on, remarks, and a short table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from riskbench.data.labels import REASONS, STATES, unheard
from riskbench.display import Fact, Grounds, number
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import sum_interval, wilson
from riskbench.metrics.selection import few_drawn_words
from riskbench.rules.hits import Hits
from riskbench.rules.maturing import Maturing, Told
from riskbench.rules.tally import Tally

#: A smaller share is not worth a remark.
_TELLING = 0.005


def facts(maturing: Maturing, whole: Tally, both: pd.DataFrame, told: Told | None) -> tuple[Fact, ...]:
    """Return what the live rules together do; matured where `told` says what the alerts will turn out to be."""
    held = maturing.held
    row, hard = (dict(zip(both.columns, line, strict=True)) for line in both.itertuples(index=False, name=None))
    labelled = int(whole.frauds[0] + whole.good[0])
    events, hits = int(whole.hits[0]), int(row["hits"])
    found = [_rate("Alert rate", row, "alert_rate", events, note=f"{hits:,} of {events:,} events")]
    if told is None:
        found += [
            _rate("Precision", row, "precision", hits - int(row["unlabelled"]), note="of labelled alerts"),
            _rate("Recall", row, "recall", int(whole.frauds[0]), note=f"of {int(whole.frauds[0]):,} known frauds"),
        ]
    else:
        found += [_precision(told, row, hits), _recall(told, whole)]
    found.append(_rate("Insult rate", hard, "insult_rate", int(whole.good[0]), note="good events reviewed or stopped"))
    if held.worth.money:
        found.append(_value(held, row, labelled) if told is None else _matured_value(maturing, told))
    found.append(Fact("Alerts without a verdict", int(row["unlabelled"]), "count", n=hits, note=reasons(row)))
    return tuple(found)


def _rate(name: str, row: Mapping[str, Any], column: str, n: int, *, note: str) -> Fact:
    value = float(row[column])
    if n == 0 or np.isnan(value):
        return Fact(name, None, "share", n=n, note="no events to measure it on")
    lower, upper = float(row[f"{column}_lower"]), float(row[f"{column}_upper"])
    return Fact(name, value, "share", lower=lower, upper=upper, n=n, note=note)


def _value(held: Hits, row: Mapping[str, Any], labelled: int) -> Fact:
    return Fact(
        "Value caught",
        float(row["value_caught"]) if labelled else None,
        "money",
        lower=float(row["value_caught_lower"]),
        upper=float(row["value_caught_upper"]),
        n=int(row["frauds"]),
        currency=held.dataset.currency.code,
        note="" if labelled else "no labels",
    )


def _precision(told: Told, row: Mapping[str, Any], hits: int) -> Fact:
    if told.precision.value is None and told.matured.measurable:
        said = "of alerts told of; silence is no verdict here"
        return _rate("Precision", row, "precision", hits - int(row["unlabelled"]), note=said)
    return _share("Precision", told.precision, told.base, told.n, note=f"of alerts old enough{_rests(told)}")


def _recall(told: Told, whole: Tally) -> Fact:
    base = 0.0 if not told.recall.value or told.matured.value is None else told.matured.value / told.recall.value
    frauds = f"{base:,.0f}" if base else f"{int(whole.frauds[0]):,} known"
    return _share("Recall", told.recall, base, told.recall.n, note=f"of {frauds} frauds{_rests(told)}")


def _share(name: str, found: Estimate, base: float, n: int, *, note: str) -> Fact:
    """Return a matured share: its interval holds what is still to come, and the chance of the events themselves."""
    if found.value is None or found.lower is None or found.upper is None:
        return Fact(name, None, "share", n=n, note=found.why)
    _, low, high = (float(x) for x in wilson(found.value * base, base)) if base > 0 else (0.0, 0.0, 1.0)
    lower = found.value - float(np.hypot(found.value - found.lower, found.value - low))
    upper = found.value + float(np.hypot(found.upper - found.value, high - found.value))
    return Fact(name, found.value, "share", lower=max(0.0, lower), upper=min(1.0, upper), n=n, note=note)


def _matured_value(maturing: Maturing, told: Told) -> Fact:
    held, found, code = maturing.held, told.value, maturing.held.dataset.currency.code
    if found.value is None or found.lower is None or found.upper is None:
        return Fact("Value caught", None, "money", n=told.n, currency=code, note=found.why)
    value = found.value / held.scale
    each = maturing.typical_square / held.scale**2
    low, high = (float(x) for x in sum_interval(value, (told.matured.value or 0.0) * each))
    lower = value - float(np.hypot(value - found.lower / held.scale, value - low))
    upper = value + float(np.hypot(found.upper / held.scale - value, high - value))
    rests = found.corrected
    note = f"{number(rests, 'share')} of it rests on correction" if rests >= _TELLING else ""
    return Fact(
        "Value caught", value, "money", lower=max(0.0, lower), upper=upper, n=told.frauds, currency=code, note=note
    )


def _rests(told: Told) -> str:
    """Return what share of the frauds stands for others, in words."""
    if told.let_through >= _TELLING and told.late >= _TELLING:
        return (
            f"; {number(told.late + told.let_through, 'share')} rests on correction for late labels and stopped events"
        )
    if told.let_through >= _TELLING:
        return f"; {number(told.let_through, 'share')} rests on events let through at random"
    return f"; {number(told.late, 'share')} rests on correction for late labels" if told.late >= _TELLING else ""


def reasons(row: Mapping[str, Any]) -> str:
    """Return why hits are unlabelled, in a few words."""
    counts = [(int(row[name]), name.removeprefix("unlabelled_").replace("_", " ")) for name in REASONS]
    return ", ".join(f"{count:,} {word}" for count, word in counts if count)


def page(rules: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return a table as a reader wants it: what is unlabelled, and why, in one column."""
    shown = rules[list(columns)].copy()
    counts = rules[["unlabelled", *REASONS]]
    lines = (dict(zip(counts.columns, line, strict=True)) for line in counts.itertuples(index=False, name=None))
    shown["unlabelled"] = [f"{line['unlabelled']:,}: {reasons(line)}" if line["unlabelled"] else "0" for line in lines]
    return shown


def grounds(maturing: Maturing, row: Mapping[str, Any], told: Told) -> Grounds:
    """Return what the figures of all alerts rest on."""
    asof, hits = maturing.held.labels.asof, int(row["hits"])
    if not hits:
        return Grounds(not_measurable="No alert, so no precision.")
    when = "" if asof is None else f" as of {asof:%Y-%m-%d}"
    labelled = hits - int(row["unlabelled"])
    return Grounds(
        measured=f"{labelled:,} of {hits:,} alerts have a verdict{when}.",
        estimated=_estimated(told),
        bounded=_bounded(told),
        not_measurable=_dark(maturing, row, told),
    )


def _estimated(told: Told) -> str:
    parts = [
        f"{number(share, 'share')} {words}"
        for share, words in (
            (told.late, "stands for verdicts still to come"),
            (told.let_through, "stands for stopped events, by those let through at random"),
        )
        if share >= _TELLING
    ]
    return f"Of the frauds among the alerts {', '.join(parts)}." if parts else ""


def _bounded(told: Told) -> str:
    if not told.hidden:
        return ""
    said = few_drawn_words(told.hidden, told.drawn)
    if told.let_through:
        said = f"{told.hidden:,} alerts were stopped for which no let-through one stands (young, never let through, "
        said += "or without dispute channel)"
    if told.precision.value is None or told.matured.value is None:
        return f"{said}: each may be fraud or good."
    whole = told.base + told.hidden
    low, high = told.matured.value / whole, (told.matured.value + told.hidden) / whole
    return f"{said}: precision lies between {number(low, 'share')} and {number(high, 'share')}, whatever they were."


def _dark(maturing: Maturing, row: Mapping[str, Any], told: Told) -> str:
    parts = []
    if told.too_young and told.last is not None and maturing.matured.until is not None:
        parts.append(f"{told.too_young:,} alerts {maturing.matured.too_young(told.last)}.")
    if mute := int(row["unlabelled_no_channel"]):
        parts.append(f"{mute:,} alerts have no dispute channel.")
    if none := int(row["unlabelled_no_verdict"]):
        parts.append(f"{none:,} alerts have no source that would tell.")
    if said := unheard(maturing.held.dataset, maturing.held.labels):
        parts.append(said)
    return " ".join(parts)


def notes(held: Hits, whole: Tally) -> tuple[str, ...]:
    """Return the assumptions, and what is not measurable and why."""
    dataset, said = held.dataset, [f"Labels: {held.labels.recipe}."]
    said += held.lapsed
    if not held.book.rules:
        said.append("No book given: no rule hits anything.")
    elif not held.live:
        said.append("No rule of the book is live: nothing is decided.")
    for state in range(2, len(STATES)):
        count = int(whole.count[0, state])
        if count:
            said.append(
                f"{count:,} events are {STATES[state]}; they are in no counted precision, recall or insult rate."
            )
    if not held.worth.money:
        said.append("No amount: value is not measurable, so value columns are empty.")
    if not dataset.has("time"):
        said.append("No time: there are no weeks and no velocity.")
    return (*said, *dataset.notes)
