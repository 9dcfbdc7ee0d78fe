"""How numbers are drawn: one palette for every eye, labelled axes, the same bytes each time."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture, and where its axes lie on it: a mark can be laid over it without drawing it again.

    Attributes
    ----------
    png : bytes
        The picture.
    width, height : int
        Its size in pixels as it is meant to be shown.
    left, right, top, bottom : float
        The ends of the axes as shares of the picture, from its left and from its top.
    start, stop : float
        What the left and the right end of the horizontal axis stand for.
    log : bool
        Whether that axis is logarithmic.
    """

    png: bytes
    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    start: float
    stop: float
    log: bool

    def across(self, value: float) -> float | None:
        """Return where a value stands, as a share of the picture from its left; None where it is not on the axis."""
        ends = (self.start, self.stop, value)
        if not math.isfinite(value) or self.start == self.stop or (self.log and min(ends) <= 0):
            return None
        start, stop, at = (math.log(end) for end in ends) if self.log else ends
        share = (at - start) / (stop - start)
        return self.left + share * (self.right - self.left) if 0 <= share <= 1 else None


def drawn(draw: Callable[[Axes], object], *, width: float = 7.2, height: float = 3.6) -> Drawn:
    """Return what `draw` draws, with the place of its axes."""
    held, axes = _drawn(draw, width=width, height=height)
    box, (start, stop) = axes.get_position(), axes.get_xlim()
    size, log = (round(100 * width), round(100 * height)), axes.get_xscale() == "log"
    return Drawn(held, *size, box.x0, box.x1, 1 - box.y1, 1 - box.y0, float(start), float(stop), log)


def png(draw: Callable[[Axes], object], *, width: float = 7.2, height: float = 3.6) -> bytes:
    """Return what `draw` draws as PNG bytes, without touching any figure of the user's."""
    return _drawn(draw, width=width, height=height)[0]


def _drawn(draw: Callable[[Axes], object], *, width: float, height: float) -> tuple[bytes, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    out = io.BytesIO()
    with warnings.catch_warnings():  # a name in a script that the font lacks is drawn as boxes; the table spells it
        warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
        draw(axes)
        figure.savefig(out, format="png", dpi=110, metadata={"Software": None, "Creation Time": None})
    return out.getvalue(), axes


def style(ax: Axes, *, title: str, x: str, y: str) -> None:
    """Give axes their title, labels with units, a light grid and no box."""
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
