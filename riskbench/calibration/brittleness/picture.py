"""How the events around a cut look: a bar a window, hit and not, and the usual number just under the cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskbench.display import number
from riskbench.display.chart import BLUE, GREY, ORANGE, RED, SKY, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_density(
    ax: Axes, density: pd.DataFrame, *, label: str, cut: float | None, expected: tuple[float, float, float] | None
) -> None:
    """Draw events by windows around a cut.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    density : DataFrame
        low, high, hit, events, frauds.
    label : str
        The quantity with its unit.
    cut : float or None
        The cut.
    expected : (low, high, number), optional
        The window in which crowding is looked for, and the usual number in it.
    """
    low, high = density["low"].to_numpy(np.float64), density["high"].to_numpy(np.float64)
    events, frauds = density["events"].to_numpy(np.float64), density["frauds"].to_numpy(np.float64)
    hit = density["hit"].to_numpy(bool)
    wide = high - low
    for mask, colour, name in ((~hit, SKY, "passes"), (hit, BLUE, "hit")):
        ax.bar(low[mask], events[mask], wide[mask], align="edge", color=colour, edgecolor="white", label=name)
    ax.bar(low, frauds, wide, align="edge", color=ORANGE, edgecolor="white", hatch="//", label="known frauds")
    if cut is not None:
        ax.axvline(cut, color=RED, linewidth=1.6, label=f"cut: {number(cut)}")
    if expected is not None:
        start, end, usual = expected
        level = usual * float(wide[0]) / (end - start)
        ax.plot([start, end], [level, level], color=GREY, linewidth=3, label="usual just under it")
    style(ax, title="Events around the cut", x=label, y="events")
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=5)
