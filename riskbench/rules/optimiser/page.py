"""How are suggested edits shown? Tables in a reader's words, and the front as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskbench.display import NOT_MEASURABLE, number
from riskbench.display.chart import BLUE, GREY, RED, style
from riskbench.display.fact import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: From so many insults on the axis runs by ratio: settings span from a few to very many.
_STRAIGHT = 10


def edits_page(frame: pd.DataFrame, *, money: bool) -> pd.DataFrame:
    """Return the single edits in a reader's words."""
    unit: Unit = "money" if money else "number"
    shown = pd.DataFrame(
        {
            "rank": frame["rank"],
            "edit": frame["edit"],
            "net value where chosen": _each(frame["chosen_net_value"], unit),
            "net value later (95 %)": _spans(frame, "net_value", unit),
            "outcomes changed": frame["n"],
            **{name: _each(frame[name], "count") for name in ("frauds", "insults", "reviews")},
            "q": ["–" if np.isnan(q) else f"{q:.2g}" for q in frame["q"]],
            "verdict": frame["verdict"],
        }
    )
    if (frame["limits"] != "").any():
        shown.insert(len(shown.columns) - 2, "limits", frame["limits"])
    return shown


def set_page(frame: pd.DataFrame, *, money: bool) -> pd.DataFrame:
    """Return the best set in a reader's words."""
    unit: Unit = "money" if money else "number"
    return pd.DataFrame(
        {
            "step": [str(step) for step in frame["step"][:-1]] + [""] * bool(len(frame)),
            "edit": frame["edit"],
            "adds where chosen": _each(frame["chosen_added_value"], unit),
            "adds later (95 %)": _spans(frame, "added_value", unit),
            "alone, later": _each(frame["alone_value"], unit),
            "outcomes changed": frame["n"],
            **{name: _each(frame[name], "count") for name in ("frauds", "insults", "reviews")},
        }
    )


def limits_page(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the limits in a reader's words: today and proposed, where chosen and later."""
    names = {
        "today": "today, where chosen",
        "proposed": "proposed, where chosen",
        "today_later": "today, later",
        "observed": "proposed, later",
    }
    told = {
        words: [NOT_MEASURABLE if np.isnan(rate) else number(float(rate), "share") for rate in frame[name]]
        for name, words in names.items()
    }
    return pd.DataFrame({"measure": frame["measure"], "limit": frame["limit"], **told, "later": frame["kept"]})


def _each(column: pd.Series, unit: Unit) -> list[str]:
    return ["–" if np.isnan(value) else number(float(value), unit, signed=True) for value in column]


def _spans(frame: pd.DataFrame, name: str, unit: Unit) -> list[str]:
    found = []
    for value, low, high in zip(*(frame[f"{name}{tail}"] for tail in ("", "_lower", "_upper")), strict=True):
        if np.isnan(value):
            found.append("not measurable")
        else:
            ends = " to ".join(number(float(end), unit, signed=True) for end in (low, high))
            found.append(f"{number(float(value), unit, signed=True)} ({ends})")
    return found


def draw_front(ax: Axes, front: pd.DataFrame, *, best: int | None, unit: str) -> None:
    """Draw loss over insults of each setting, in colours by its reviews; `best` is the row of the best set."""
    later = bool(front["loss_later"].notna().all()) and bool((front["loss_later"] > 0).any())
    tail = "_later" if later else ""
    x, y, reviews = (front[f"{name}{tail}"].to_numpy(dtype=float) for name in ("insults", "loss", "reviews"))
    on, keeps, now = (front[name].to_numpy(dtype=bool) for name in ("on_front", "keeps_limits", "present"))
    ends = {"vmin": float(reviews.min()), "vmax": max(float(reviews.max()), float(reviews.min()) + 1)}
    if (on & ~keeps).any():
        ax.scatter(x[on & ~keeps], y[on & ~keeps], s=22, facecolor="none", edgecolor=GREY, label="breaks a limit")
    inside = on & keeps
    shown = ax.scatter(x[inside], y[inside], c=reviews[inside], cmap="viridis", s=36, edgecolor="white", lw=0.5, **ends)  # type: ignore[arg-type]
    if best is not None:
        ax.scatter(x[best], y[best], marker="D", s=95, facecolor="none", edgecolor=BLUE, lw=1.8, label="best set")
    ax.scatter(x[now], y[now], marker="X", s=95, color=RED, edgecolor="white", label="present book", zorder=4)
    bar = ax.figure.colorbar(shown, ax=ax, pad=0.02)
    bar.set_label("reviews (events)")
    ax.set_xscale("symlog", linthresh=_STRAIGHT)
    ax.set_xlim(left=-1)
    ax.set_ylim(bottom=0, top=max(float(y.max()) * 1.3, 1.0))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.yaxis.set_major_formatter(lambda value, _: number(float(value), "money"))
    ax.legend(frameon=False, loc="upper right", ncols=3, fontsize=9)
    where = "later events" if later else "events it was chosen on"
    style(
        ax,
        title="Settings that none beats (lower left is better)",
        x=f"insults: good events held or stopped ({where})",
        y=f"loss ({unit})",
    )
