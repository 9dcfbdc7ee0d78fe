"""How numbers are drawn: one palette for every eye, labelled axes, the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's palette, told apart by every common kind of colour vision.
BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#6E6E6E",
)


def axes(*, width: float = 7.2, height: float = 3.6) -> Axes:
    """Return new axes on a pyplot figure, so that a notebook shows it at the end of the cell."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def png(draw: Callable[[Axes], object], *, width: float = 7.2, height: float = 3.6) -> bytes:
    """Return what `draw` draws as PNG bytes, without touching any figure of the user's."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    draw(figure.subplots())
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None, "Creation Time": None})
    return out.getvalue()


def style(ax: Axes, *, title: str, x: str, y: str) -> None:
    """Give axes their title, labels with units, a light grid and no box."""
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
