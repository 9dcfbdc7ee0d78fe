"""How a surface looks: net value by colour, the plateau outlined, today's and the chosen setting marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import number
from riskbench.display.chart import BLUE, GREEN, GREY, ORANGE, RED, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
#: How each point is marked: marker, size, face, edge.
_MARKS = {"today": ("s", 62, "white", "black"), "best": ("D", 44, ORANGE, "black"), "chosen": ("o", 80, RED, "white")}


def draw_map(
    ax: Axes,
    settings: pd.DataFrame,
    *,
    labels: Sequence[str],
    unit: str,
    scale: float,
    marks: Mapping[str, tuple[float, ...]],
) -> None:
    """Draw the net value of every pair of settings; the axes' steps are even, whatever their values.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    settings : DataFrame
        first, second, net_value, on_plateau.
    labels : sequence of str
        The axes' labels.
    unit : str
        What net value is counted in.
    scale : float
        What sums are divided by (weeks).
    marks : mapping
        The settings to mark: "today", "best", "chosen".
    """
    first, second = np.unique(settings["first"]), np.unique(settings["second"])
    shape = (len(first), len(second))
    net = settings["net_value"].to_numpy(np.float64).reshape(shape) / scale
    inside = settings["on_plateau"].to_numpy(bool).reshape(shape)
    low = max(float(net.min()), float(net.max()) - 3 * float(net.max() - np.median(net) or 1.0))
    drawn = ax.imshow(
        net.T, origin="lower", aspect="auto", cmap="cividis", vmin=low, vmax=float(net.max()), interpolation="nearest"
    )
    for x0, y0, x1, y1 in outline(inside):
        ax.plot([x0, x1], [y0, y1], color="white", linewidth=1.6, solid_capstyle="round")
    for word, values in marks.items():
        marker, size, face, edge = _MARKS[word]
        x, y = int(np.searchsorted(first, values[0])), int(np.searchsorted(second, values[1]))
        text = f"{word}: {number(values[0])}, {number(values[1])}"
        ax.scatter([x], [y], s=size, edgecolor=edge, marker=marker, facecolor=face, linewidth=1.4, zorder=4)
        ax.scatter([], [], s=40, edgecolor="black", marker=marker, facecolor=face, linewidth=1.4, label=text)
    ax.plot([], [], color=GREY, linewidth=1.6, label="outline: no worse (95 %)")
    style(ax, title="Net value of every setting", x=labels[0], y=labels[1])
    ax.grid(visible=False)
    for steps, axis in ((first, ax.xaxis), (second, ax.yaxis)):
        at = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), 7)).astype(int))
        axis.set_ticks(at, [number(float(steps[place])) for place in at])
    bar = ax.figure.colorbar(drawn, ax=ax, extend="min" if low > net.min() else "neither")
    bar.set_label(f"net value, {unit}")
    bar.ax.yaxis.set_major_formatter(lambda value, _: number(float(value), "money"))
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def outline(inside: npt.NDArray[np.bool_]) -> list[tuple[float, float, float, float]]:
    """Return the edges around the cells that are inside, as lines from (x0, y0) to (x1, y1).

    >>> len(outline(np.array([[True]])))
    4
    """
    framed = np.pad(inside, 1)
    lines = []
    for x, y in np.argwhere(framed[1:] != framed[:-1]):
        lines.append((x - 0.5, y - 1.5, x - 0.5, y - 0.5))
    for x, y in np.argwhere(framed[:, 1:] != framed[:, :-1]):
        lines.append((x - 1.5, y - 0.5, x - 0.5, y - 0.5))
    return [tuple(float(end) for end in line) for line in lines]  # type: ignore[misc]


def draw_line(
    ax: Axes,
    settings: pd.DataFrame,
    *,
    labels: Sequence[str],
    unit: str,
    scale: float,
    marks: Mapping[str, tuple[float, ...]],
) -> None:
    """Draw the net value of every setting of one parameter."""
    x, net, low, high = (
        settings[column].to_numpy(np.float64) / divisor
        for column, divisor in (("first", 1.0), ("net_value", scale), ("lower", scale), ("upper", scale))
    )
    style(ax, title="Net value of every setting", x=labels[0], y=f"net value, {unit}")
    ax.fill_between(x, low, high, color=BLUE, alpha=0.18, linewidth=0, label="95 % interval")
    ax.plot(x, net, color=BLUE, linewidth=1.6, marker=".", label="net value")
    inside = settings["on_plateau"].to_numpy(bool)
    ax.plot(x[inside], net[inside], linestyle="", marker="o", markersize=5, color=GREEN, label="no worse (95 %)")
    for word, values in marks.items():
        colour, line = {"today": (GREY, "--"), "best": (ORANGE, ":"), "chosen": (RED, "-")}[word]
        ax.axvline(values[0], color=colour, linestyle=line, linewidth=1.4, label=f"{word}: {number(values[0])}")
    if x[0] > 0 and x[-1] / x[0] > 200:
        ax.set_xscale("log")
    ax.yaxis.set_major_formatter(lambda value, _: number(float(value), "money"))
    ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3)
