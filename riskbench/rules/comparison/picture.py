"""How many events move from which outcome to which, and what is known of them? The picture of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskbench.display.chart import BLUE, ORANGE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: No more bars than this; the pairs with the fewest events are left out.
_BARS = 8


def picture_height(matrix: pd.DataFrame) -> float:
    """Return the picture's height in inches: by the number of bars."""
    return 1.5 + 0.4 * max(1, len(_shown(matrix)))


def draw_flips(ax: Axes, matrix: pd.DataFrame) -> None:
    """Draw the events of each pair of outcomes that differ: good, fraud, without a verdict."""
    shown = _shown(matrix).iloc[::-1]
    place, left = np.arange(len(shown)), np.zeros(len(shown))
    for name, colour, text in (
        ("good", BLUE, "good"),
        ("frauds", ORANGE, "fraud"),
        ("unlabelled", "#BBBBBB", "no verdict"),
    ):
        ax.barh(place, shown[name], left=left, height=0.6, color=colour, label=text)
        left += shown[name].to_numpy()
    ax.set_yticks(place, [f"{b} to {a}" for b, a in zip(shown["before"], shown["after"], strict=True)])
    ax.set_ylim(-0.6, len(shown) + 0.4)
    if len(shown):
        ax.legend(frameon=False, ncols=3, loc="upper right")
    style(ax, title="Events whose outcome changes", x="events", y="")


def _shown(matrix: pd.DataFrame) -> pd.DataFrame:
    moved = matrix[(matrix["before"] != matrix["after"]) & (matrix["events"] > 0)]
    return moved.nlargest(_BARS, "events")
