"""How approval rates are told: facts, a table in a reader's words, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskbench.data.labels import LabelState
from riskbench.display import Fact, Grounds
from riskbench.display.fact import number
from riskbench.metrics.selection.inclusion import Inclusion

_SHOWN = (("approved", "approval_rate"), ("of the money", "value_approval_rate"), ("of the good", "good_approval_rate"))


def rate_fact(name: str, row: Mapping[Any, Any], column: str, counted: str, note: str = "") -> Fact:
    """Return one rate as a fact; its bounds where it is only bounded."""
    value, lower, upper = (row[f"{column}{end}"] for end in ("", "_lower", "_upper"))
    if value != value:  # noqa: PLR0124
        ends = f"between {number(lower, 'share')} and {number(upper, 'share')}: " if lower == lower else ""  # noqa: PLR0124
        return Fact(name, None, "share", note=f"{ends}{note or 'nothing to measure it on'}")
    return Fact(name, value, "share", lower=lower, upper=upper, n=int(row[counted]))


def rates_page(frame: pd.DataFrame, decider: str) -> tuple[str, pd.DataFrame]:
    """Return the rates of one decider in a reader's words."""
    rows = []
    for row in frame[(frame["decided_by"] == decider)].to_dict("records"):
        shown = {
            "by": row["by"], "segment": row["segment"], "customers": row["customers"], "events": f"{row['events']:,}",
        }  # fmt: skip
        for name, column in _SHOWN:
            value, low, high = (row[f"{column}{end}"] for end in ("", "_lower", "_upper"))
            if low != low:  # noqa: PLR0124
                shown[name] = "not measurable"
                continue
            ends = f"{100 * low:.1f} to {100 * high:.1f} %"
            shown[name] = f"{number(value, 'share')} ({ends})" if value == value else f"between {ends}"  # noqa: PLR0124
        rows.append(shown)
    return f"Approved by {decider}, with 95 % intervals", pd.DataFrame(rows)


def drawn_note(chosen: Inclusion | None) -> str:
    """Return how many events were only let through at random."""
    if chosen is None or not chosen.drawn.any():
        return ""
    return f"{int(chosen.drawn.sum()):,} events that were only let through at random count as not approved by history."


def grounds_of(frame: pd.DataFrame, chosen: Inclusion | None, labels: LabelState | None, decider: str) -> Grounds:
    """Return what the rates rest on."""
    top = frame[(frame["by"] == "all") & (frame["customers"] == "all") & (frame["decided_by"] == decider)].iloc[0]
    measured = f"What was decided about {int(top['events']):,} events, in count and in money."
    if labels is None:
        return Grounds(measured=measured, not_measurable="Whether good events are approved: there is no label.")
    if top["why"]:
        return Grounds(
            measured=measured,
            bounded=f"The share of good events that is approved: {top['why']}.",
        )
    drawn = 0 if chosen is None else int(chosen.drawn.sum())
    return Grounds(
        measured=measured,
        estimated=f"Good events that history stopped, from {drawn:,} that were let through at random." if drawn else "",
    )


def short(text: str) -> str:
    """Return a name that fits beside a picture."""
    return text if len(text) <= 34 else f"{text[:33]}…"
