"""How a page tells what equal rates cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from riskbench.calibration.fairness.equal import FEW, MOVES
from riskbench.calibration.pages import Page, a_week, spread, told_apart
from riskbench.display import Grounds, number
from riskbench.display.chart import BLUE, ORANGE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def options_page(options: pd.DataFrame, *, counted: str, per: str, rate: str) -> Page:
    """Return the ways as a reader meets them."""
    name = rate.replace("_", " ")
    rows = [
        {
            "way": row["option"],
            "cut": "–" if pd.isna(row["cut"]) else told_apart([row["cut"]])[0],
            f"gap in {name}": _share(row["gap"]),
            "on later events": _share(row["gap_later"]),
            f"lost {a_week(per)}": spread(row["cost"], row["lower"], row["upper"], "money"),
            "limits": {True: "kept", False: "broken"}.get(row["keeps"], "–"),
        }
        for row in options.to_dict("records")
    ]
    return f"What narrows the gap, and what it costs in {counted} on later events (paired, 95 %)", pd.DataFrame(rows)


def groups_page(groups: pd.DataFrame, *, counted: str, per: str, rate: str, by: str) -> Page:
    """Return the groups as a reader meets them."""
    cuts = [float(cut) for cut in groups["equal_cut"].dropna()]
    words = dict(zip(cuts, told_apart(cuts), strict=True))
    rows = [
        {
            by: row["group"],
            "events": "below 5" if pd.isna(row["events"]) else number(int(row["events"]), "count"),
            f"{rate.replace('_', ' ')} today": _ends(row, "before"),
            "its cut": "–" if pd.isna(row["equal_cut"]) else words[float(row["equal_cut"])],
            "then": _ends(row, "after"),
            f"lost {a_week(per)}": spread(row["cost"], row["cost_lower"], row["cost_upper"], "money")
            if row["cost"]
            else "–",
            "reading": row["reading"],
        }
        for row in groups.to_dict("records")
    ]
    return f"Each group on later events, today and with a cut of its own; lost in {counted}", pd.DataFrame(rows)


def grounds_of(groups: pd.DataFrame, *, rate: str, window: str) -> Grounds:
    """Return what the price rests on."""
    few = int((groups["reading"] == FEW).sum())
    moved = int((groups["reading"] == MOVES).sum())
    whose = "The cut of 1 group was" if moved == 1 else f"The cuts of {moved} groups were"
    return Grounds(
        measured=f"Rates and costs are counted on {window}.",
        estimated=f"{whose} set on earlier events, so later rates are near each other, not equal." if moved else "",
        bounded="The insult rate knows only good events with a verdict." if rate == "insult_rate" else "",
        not_measurable=f"{few} of {len(groups)} groups have too few events and keep the common cut." if few else "",
    )


def draw_frontier(ax: Axes, frontier: pd.DataFrame, *, rate: str, unit: str) -> None:
    """Draw net value against the gap, for common cuts and for cuts by group."""
    today = frontier[frontier["way"] == "cuts by group"].iloc[0]
    for way, colour, marker in (("one cut for all", BLUE, "."), ("cuts by group", ORANGE, "o")):
        held = frontier[frontier["way"] == way]
        held = held[held["gap"] <= 1.5 * max(float(today["gap"]), 1e-9)].sort_values("gap")
        ax.plot(100 * held["gap"], held["net"], color=colour, marker=marker, markersize=5, linewidth=1.4, label=way)
    ax.scatter([100 * today["gap"]], [today["net"]], color="black", zorder=4, label="today")
    ax.yaxis.set_major_formatter(lambda value, _: number(float(value), "money"))
    style(
        ax,
        title="What a narrower gap costs",
        x=f"gap in {rate.replace('_', ' ')}: highest group less lowest (% points)",
        y=f"net value, {unit}",
    )
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)


def _share(value: float) -> str:
    return "–" if pd.isna(value) else number(float(value), "share")


def _ends(row: Mapping[Any, Any], name: str) -> str:
    if pd.isna(row[name]):
        return "not measurable"
    value, low, high = (number(float(row[f"{name}{end}"]), "share") for end in ("", "_lower", "_upper"))
    return f"{value} ({low.removesuffix(' %')} to {high})"
