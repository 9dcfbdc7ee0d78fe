"""How a curve is drawn: net value with its band, the chosen cut, the plateau, and the alert rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskbench.display import number
from riskbench.display.chart import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = {"chosen": (RED, "-"), "block from": (ORANGE, "-."), "today": (GREY, "--"), "this cut": (PURPLE, "-")}
#: Beyond this no axis can be drawn; an infinite score stands in a curve as the largest number.
_LARGEST = 1e100


def draw_curve(
    ax: Axes,
    curve: pd.DataFrame,
    *,
    name: str,
    unit: str,
    scale: float,
    plateau: pd.DataFrame,
    cuts: Mapping[str, float | None],
) -> None:
    """Draw a curve; the view is cut to where the value is not far below the best.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    curve : DataFrame
        threshold, net_value, lower, upper, alert_rate.
    name, unit : str
        The axes' labels.
    scale : float
        What sums are divided by (weeks).
    plateau : DataFrame
        Its first and last point are shaded.
    cuts : mapping
        The cuts to mark: "chosen", "block from", "today", "this cut".
    """
    frame = curve[curve["threshold"].abs() < _LARGEST].sort_values("threshold")
    style(ax, title=f"Net value of each cut of {name}", x=f"cut of {name}", y=unit)
    if not len(frame):
        ax.text(0.5, 0.5, "no cut changes anything", ha="center", va="center", transform=ax.transAxes)
        return
    x = frame["threshold"].to_numpy()
    net, low, high = (frame[column].to_numpy() / scale for column in ("net_value", "lower", "upper"))
    marks = {word: float(cut) for word, cut in cuts.items() if cut is not None and abs(cut) < _LARGEST}
    top = max(float(np.max(high)), 0.0)
    room = top if top > 0 else float(np.ptp(net)) / 4 or 1.0
    floor = max(float(np.min(low)), -0.35 * room)
    seen = x[net >= floor]
    ends = [*(seen if len(seen) else x), *(cut for cut in marks.values() if x[0] <= cut <= x[-1])]
    left, right = min(ends), max(ends)
    if left > 0 and right / left > 200:
        ax.set_xscale("log")
    ax.fill_between(x, low, high, color=BLUE, alpha=0.18, linewidth=0, label="95 % interval")
    ax.plot(x, net, color=BLUE, linewidth=1.8, label="net value")
    rows = plateau.set_index("point")["threshold"]
    edges = sorted(min(max(float(rows[key]), x[0]), x[-1]) for key in ("plateau, strictest", "plateau, loosest"))
    ax.axvspan(*edges, color=GREEN, alpha=0.16, linewidth=0, label="no worse (95 %)")
    for word, cut in marks.items():
        colour, line = _LINES[word]
        ax.axvline(cut, color=colour, linestyle=line, linewidth=1.4, label=f"{word}: {number(cut)}")
    ax.set_ylim(floor - 0.02 * room, top + 0.08 * room)
    ax.yaxis.set_major_formatter(lambda value, _: number(float(value), "money"))
    pad = 0.0 if ax.get_xscale() == "log" else 0.02 * (right - left)
    if right > left:
        ax.set_xlim(left - pad, right + pad)
    twin = ax.twinx()
    rate = 100 * frame["alert_rate"].to_numpy()
    twin.plot(x, rate, color=GREY, linewidth=1.2, linestyle=":", label="alert rate (right)")
    twin.set_ylabel("alert rate (%)")
    inside = rate[(x >= left) & (x <= right)]
    twin.set_ylim(0, 1.08 * float(inside.max()) if len(inside) and inside.max() > 0 else 1.0)
    twin.spines["top"].set_visible(False)
    lines, words = ax.get_legend_handles_labels()
    more, also = twin.get_legend_handles_labels()
    ax.legend(
        [*lines, *more],
        [*words, *also],
        fontsize=8,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.17),
        ncols=3,
    )
