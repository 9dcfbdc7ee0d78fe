"""How are found rules and exceptions shown? Tables in a reader's words, and intervals as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import number
from riskbench.display.chart import BLUE, GREY, style
from riskbench.display.fact import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def rules_page(frame: pd.DataFrame, *, counted: str, money: bool) -> pd.DataFrame:
    """Return the candidates in a reader's words: few columns, so that a condition has room."""
    rows = zip(frame["precision"], frame["frauds"], frame["frauds"] + frame["good"], strict=True)
    return pd.DataFrame(
        {
            "rule": frame["rule"],
            "condition": frame["condition"],
            "decides": frame["outcome"],
            "verdict": frame["verdict"],
            "frauds": [
                f"{int(part):,} of {int(whole):,}" + (f" ({number(float(share), 'share')})" if whole else "")
                for share, part, whole in rows
            ],
            "unlabelled": [f"{count:,}" for count in frame["unlabelled"]],
            f"net value, {counted} (95 %)": _spans(frame, money=money),
            "q": _q(frame["q"]),
        }
    )


def exceptions_page(frame: pd.DataFrame, *, counted: str, money: bool, good: int, frauds: int) -> pd.DataFrame:
    """Return the carve-outs in a reader's words; `good` and `frauds` are the rule's on the later events."""
    return pd.DataFrame(
        {
            "exception": frame["exception"],
            "condition": frame["condition"],
            "verdict": frame["verdict"],
            f"freed of {good:,} good": [f"{count:,}" for count in frame["freed"]],
            f"lost of {frauds:,} frauds": [
                f"{count:,}" + ("" if np.isnan(most) else f" (at most {number(float(most), 'share')})")
                for count, most in zip(frame["lost"], frame["lost_share_upper"].astype(float), strict=True)
            ],
            "unlabelled": [f"{count:,}" for count in frame["unlabelled"]],
            f"net value, {counted} (95 %)": _spans(frame, money=money),
            "q": _q(frame["q"]),
        }
    )


def _spans(frame: pd.DataFrame, *, money: bool) -> list[str]:
    unit: Unit = "money" if money else "number"
    parts = (frame[f"net_value{tail}"] for tail in ("", "_lower", "_upper"))
    told = [[number(float(one), unit, signed=True) for one in row] for row in zip(*parts, strict=True)]
    return [f"{value} ({low} to {high})" for value, low, high in told]


def _q(values: pd.Series) -> list[str]:
    return ["–" if np.isnan(q) else "< 0.001" if q < 0.001 else f"{q:.2g}" for q in values]


def draw_intervals(
    ax: Axes,
    frame: pd.DataFrame,
    *,
    names: Sequence[str],
    sure: npt.NDArray[np.bool_],
    counted: str,
    money: bool,
    title: str,
) -> None:
    """Draw each row's net value with its interval, the first on top; those not sure in grey."""
    place = np.arange(len(frame))[::-1]
    colours = [BLUE if one else GREY for one in sure]
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.hlines(place, frame["net_value_lower"], frame["net_value_upper"], color=colours, linewidth=2)
    ax.scatter(frame["net_value"], place, color=colours, zorder=3)
    ax.set_yticks(place, list(names))
    ax.set_ylim(-0.6, len(frame) - 0.4)
    if money:
        ax.xaxis.set_major_formatter(lambda value, _: number(float(value), "money"))
    style(ax, title=title, x=f"net value ({counted})", y="")
