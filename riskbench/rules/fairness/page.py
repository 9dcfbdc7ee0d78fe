"""How a page tells how groups are treated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from riskbench.display import Grounds, number
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.rules.fairness.rates import FEW, HIGHER, LOWER, Treated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Page = tuple[str, pd.DataFrame]
_WORDS = {"insult_rate": "insult rate", "approval_rate": "approval rate", "precision": "precision"}
_ROWS = 20


def groups_page(groups: pd.DataFrame) -> Page:
    """Return the groups as a reader meets them."""
    rows = [
        {
            "column": row["column"],
            "group": row["group"],
            "events": _count(row["events"]),
            "good events": _count(row["good_events"]),
            "insult rate": _rate(row, "insult_rate"),
            "whatever those without a verdict are": _ends(row["insult_rate_least"], row["insult_rate_most"]),
            "approval rate": _rate(row, "approval_rate"),
            "precision": _rate(row, "precision"),
            "reading": row["reading"],
        }
        for row in groups.to_dict("records")
    ]
    return "Each group, with 95 % intervals; the bounds hold whatever events without a verdict are", pd.DataFrame(rows)


def differences_page(differences: pd.DataFrame) -> Page:
    """Return the differences as a reader meets them: those that are shown, else the widest."""
    held = differences[differences["difference"].notna() & (differences["rate"] != "precision")]
    held = held.assign(shown=held["reading"].isin([HIGHER, LOWER]), size=held["difference"].abs())
    held = held.sort_values(["shown", "size"], ascending=False, kind="stable").head(_ROWS)
    rows = []
    for row in held.to_dict("records"):
        low, high = (number(float(row[f"difference_{end}"]), "share", signed=True) for end in ("lower", "upper"))
        rows.append(
            {
                "column": row["column"],
                "group": row["group"],
                "rate": _WORDS[row["rate"]],
                "less the rest's": f"{number(float(row['difference']), 'share', signed=True)} "
                f"({low.removesuffix(' %')} to {high})",
                "times": "–" if pd.isna(row["ratio"]) else f"{row['ratio']:.2f}",
                "q": "below 0.001" if row["q_value"] < 0.001 else f"{row['q_value']:.2g}",
                "reading": row["reading"],
                "mostly by": row["rule"] or "–",
            }
        )
    return "Differences from all others, shown ones first", pd.DataFrame(rows)


def rules_page(rules: pd.DataFrame) -> Page:
    """Return the rules that read a group's column as a reader meets them."""
    return "Rules that read a group's column", rules.rename(columns={"how": "how it reads it"})


def grounds_of(treated: Treated, groups: pd.DataFrame) -> Grounds:
    """Return what the rates rest on."""
    weight = treated.weight[treated.base("insult_rate")[0]]
    extra = float((weight - 1).clip(min=0).sum()) / max(float(weight.sum()), 1e-9)
    spread = float(np.nan_to_num((groups["insult_rate_most"] - groups["insult_rate_least"]).max()))
    few = int((groups["reading"] == FEW).sum())
    return Grounds(
        measured="Approval rates are counted on all events, insult rates on good events with a verdict.",
        estimated=f"{extra:.0%} of the good events are stood for by others that were let through at random."
        if extra > 0
        else "",
        bounded=f"Events that nobody speaks for move a group's insult rate by up to {number(spread, 'share')}."
        if spread > 0
        else "",
        not_measurable=f"{few} of {len(groups)} groups have too few events." if few else "",
    )


def draw_rates(ax: Axes, groups: pd.DataFrame) -> None:
    """Draw each group's insult rate with its interval."""
    shown = groups[groups["insult_rate"].notna()].head(_ROWS).iloc[::-1]
    place = np.arange(len(shown))
    rate, low, high = (100 * shown[f"insult_rate{end}"].to_numpy(np.float64) for end in ("", "_lower", "_upper"))
    apart = shown["reading"].str.contains("insults higher|insults lower").to_numpy()
    colours = np.where(apart, ORANGE, BLUE)
    ends = (100 * shown[f"insult_rate_{end}"].to_numpy(np.float64) for end in ("least", "most"))
    ax.hlines(place, *ends, color=GREY, linewidth=5, alpha=0.25, label="bounds")
    ax.hlines(place, low, high, color=colours, linewidth=2)
    for mask, colour, word in ((~apart, BLUE, "no difference shown"), (apart, ORANGE, "differs from the rest")):
        if mask.any():
            ax.scatter(rate[mask], place[mask], color=colour, zorder=3, label=word)
    several = len(set(shown["column"])) > 1
    names = [
        (f"{row.column}: {row.group}" if several else str(row.group))[:44] for row in shown.itertuples(index=False)
    ]
    ax.set_yticks(place, names, fontsize=8, parse_math=False)
    ax.set_ylim(-0.7, len(shown) - 0.3)
    ax.set_xlim(left=0)
    style(ax, title="Good events reviewed or stopped, 95 % interval", x="insult rate (%)", y="")
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)


def _count(value: float) -> str:
    return "below 5" if pd.isna(value) else number(int(value), "count")


def _rate(row: Mapping[Any, Any], name: str) -> str:
    if row[name] is None or pd.isna(row[name]):
        return "not measurable"
    value, low, high = (number(float(row[f"{name}{end}"]), "share") for end in ("", "_lower", "_upper"))
    return f"{value} ({low.removesuffix(' %')} to {high})"


def _ends(least: float | None, most: float | None) -> str:
    if least is None or most is None or pd.isna(least) or pd.isna(most):
        return "–"
    low, high = number(float(least), "share"), number(float(most), "share")
    return low if low == high else f"{low.removesuffix(' %')} to {high}"
