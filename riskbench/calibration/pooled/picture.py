"""How regional cuts are drawn: one row a region, with the common cut as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskbench.display import number
from riskbench.display.chart import BLUE, GREY, ORANGE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: No more rows than this; the regions with the fewest events are left out.
_ROWS = 25


def draw_cuts(ax: Axes, regions: pd.DataFrame, *, name: str, threshold: float) -> None:
    """Draw each region's own cut, its pooled cut with interval, and the common cut."""
    shown = regions.head(_ROWS).iloc[::-1]
    place = np.arange(len(shown))
    moved = (shown["chosen_cut"] != shown["parent_cut"]).to_numpy()
    colours = np.where(moved, BLUE, GREY)
    ax.axvline(threshold, color=ORANGE, linewidth=1.6, label=f"common cut {number(threshold)}")
    ax.hlines(place, shown["pooled_cut_lower"], shown["pooled_cut_upper"], color=colours, linewidth=2)
    for mask, colour, word in ((moved, BLUE, "pooled cut, chosen"), (~moved, GREY, "pooled cut, parent's kept")):
        if mask.any():
            ax.scatter(shown["pooled_cut"][mask], place[mask], color=colour, zorder=3, label=word)
    own = shown["own_cut"].to_numpy(np.float64)
    low, high = float(shown["pooled_cut_lower"].min()), float(shown["pooled_cut_upper"].max())
    room = max(high - low, 1e-9)
    seen = np.isfinite(own) & (own >= low - room) & (own <= high + room)
    ax.scatter(own[seen], place[seen], marker="x", color="black", s=22, zorder=4, label="best of its own events alone")
    ax.set_yticks(
        place,
        [f"{str(row.region)[:40]} ({row.frauds:,} frauds)" for row in shown.itertuples()],
        fontsize=8,
        parse_math=False,
    )
    ax.set_ylim(-0.7, len(shown) - 0.3)
    below = -0.48 / max(0.28 * len(shown) + 0.3, 1.4)  # the axis's own words, in shares of its height
    style(ax, title="Each region's cut, 95 % interval", x=f"cut of {name}", y="")
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, below), ncols=2)
