"""How does a measure run over time? Wide bins about the window, for the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import number
from riskbench.engine.columns import DAY, MINUTE
from riskbench.incidents.scope import Scope
from riskbench.incidents.signals import (
    WIDTHS,
    Signal,
    band,
    binned,
    bins_of,
    expected,
    local_times,
    maturity,
    window_end,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.incidents.timeline import Timeline

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: The picture has at most so many bins.
MOST = 120
#: Less than this share of the verdicts told is drawn as still maturing.
MATURE = 0.9
_COLUMNS = ("time", "observed", "expected", "lower", "upper", "told", "n", "in_window")


def series_of(scope: Scope, signal: Signal, calendar: pd.DataFrame | None) -> pd.DataFrame:
    """Return a measure over time, from a window's length before the window to as long after it.

    A rate is shown by its numerator: the frauds told so far, against those that would be told by now. A mean score is
    shown as a mean, and is empty in a bin without scores.
    """
    first, last = scope.incident.window[0], window_end(scope)
    reach = min(last - first, 7 * DAY)
    rows = scope.current | scope.baseline | scope.after
    held = scope.times[rows]
    low, high = max(first - reach, int(held.min())), min(last + reach, int(held.max()) + 1, scope.asof + 1)
    low, high = min(low, first), max(high, last)
    width = next((each for each in WIDTHS if (high - low) / MINUTE / each <= MOST), WIDTHS[-1]) * MINUTE
    bins = bins_of(scope, low, high, width, calendar)
    y, x = binned(scope, signal.measure, rows, bins)
    begins = bins.start + width * np.arange(bins.count)
    seen = scope.times[rows & (scope.times >= low) & (scope.times < high)]
    n = bins.sums(seen, np.ones(len(seen)))
    frame = {
        "time": pd.to_datetime(local_times(begins, scope.dataset.time_zone), unit="us"),
        "observed": y,
        "n": n.astype(np.int64),
        "in_window": (begins + width > first) & (begins < last),
        "told": _told(scope, signal, begins + width // 2),
    }
    if signal.profile is None:
        frame |= {"expected": np.full(bins.count, np.nan)}
        frame |= {"lower": frame["expected"], "upper": frame["expected"]}
    else:
        due = expected(signal.profile, bins, x)
        lower, upper = band(signal.profile, bins, due)
        frame |= {"expected": due, "lower": lower, "upper": upper}
    return _per_unit(scope, signal, x, pd.DataFrame(frame)[list(_COLUMNS)])


def _told(scope: Scope, signal: Signal, middle: Ints) -> Floats:
    if signal.measure.delays is None:
        return np.ones(len(middle))
    return maturity(signal.measure.delays, (scope.asof - middle) / DAY)[0]


def _per_unit(scope: Scope, signal: Signal, exposure: Floats, frame: pd.DataFrame) -> pd.DataFrame:
    """Return money in major units, and a mean score as a mean; a bin without scores is empty."""
    numbers = ["observed", "expected", "lower", "upper"]
    if signal.measure.unit == "money":
        frame[numbers] *= 10.0**-scope.dataset.currency.decimals
    if signal.measure.unit == "score":
        with np.errstate(divide="ignore", invalid="ignore"):
            frame[numbers] = frame[numbers].mul(np.where(exposure > 0, 1 / exposure, np.nan), axis=0)
        frame["upper"] = frame["upper"].clip(upper=1.0)
    return frame


def draw(ax: Axes, timeline: Timeline) -> None:
    """Draw the main measure with what was expected, the window, the start and what still matures."""
    from riskbench.display.chart import BLUE, GREY, ORANGE, PURPLE, RED, style

    frame = timeline.series
    title = str(timeline.signals.loc[timeline.signals["measure"] == timeline.measure, "title"].iloc[0])
    time: Any = frame["time"]
    ax.fill_between(time, frame["lower"], frame["upper"], color=GREY, alpha=0.22, step="post", lw=0,
                    label="expected, 95 of 100 bins")  # fmt: skip
    ax.step(time, frame["expected"], where="post", color=GREY, lw=1.2)
    ax.step(time, frame["observed"], where="post", color=BLUE, lw=1.6, label="observed")
    edges = [_local(moment, timeline.time_zone) for moment in timeline.window]
    ax.axvspan(edges[0], edges[1], color=ORANGE, alpha=0.10, lw=0, label="window")
    if timeline.start is not None:
        begin, low, high = (
            _local(moment, timeline.time_zone)
            for moment in (timeline.start, timeline.start_lower, timeline.start_upper)
        )
        ax.axvspan(low, high, color=RED, alpha=0.25, lw=0)
        ax.axvline(begin, color=RED, lw=1.4, label=f"start {begin:%d %b %H:%M}")
    if timeline.end is not None:
        ax.axvline(_local(timeline.end, timeline.time_zone), color=RED, lw=1.2, ls="--", label="stop")
    young = frame["told"] < MATURE
    if young.any():
        least, most = frame.loc[young, "told"].min(), frame.loc[young, "told"].max()
        told = f"verdicts still to come ({100 * least:.0f}-{100 * most:.0f} % told)"
        ax.axvspan(time[young].iloc[0], time.iloc[-1], ymin=0.98, ymax=1.0, color=PURPLE, alpha=0.75, lw=0, label=told)
    top = float(np.nanmax([frame["observed"].max(), frame["expected"].max() * 1.5, 0.0]))
    ax.set_ylim(0, top * 1.4 if top > 0 else 1.0)
    width = time.iloc[1] - time.iloc[0] if len(time) > 1 else pd.Timedelta("1h")
    y = timeline.unit if timeline.unit == "mean rank" else f"{timeline.unit} per {_width(width)}"
    style(ax, title=f"{title[:1].upper()}{title[1:]}", x=f"local time ({timeline.time_zone})", y=y)
    _ticks(ax, time.iloc[0], time.iloc[-1] + width)
    if top >= 10_000:
        ax.yaxis.set_major_formatter(lambda value, _: number(float(value), "money"))
    ax.legend(loc="upper left", fontsize=7.5, ncols=3, facecolor="white", framealpha=0.85, edgecolor="none")


def _width(width: pd.Timedelta) -> str:
    minutes = round(width.total_seconds() / 60)
    if minutes % 1440 == 0:
        return "day" if minutes == 1440 else f"{minutes // 1440} days"
    if minutes % 60 == 0:
        return "hour" if minutes == 60 else f"{minutes // 60} hours"
    return "minute" if minutes == 1 else f"{minutes} minutes"


def _ticks(ax: Axes, first: Any, last: Any) -> None:
    """Put at most nine ticks at round local times, the date where it is midnight."""
    steps = ("1min", "5min", "15min", "30min", "1h", "3h", "6h", "12h", "1D", "2D", "7D", "14D", "28D", "91D", "364D")
    step = next((each for each in steps if (last - first) / pd.Timedelta(each) <= 8), steps[-1])
    ticks = pd.date_range(first.floor("1D" if step.endswith("D") else step), last, freq=step)
    ticks = ticks[ticks >= first]
    ax.set_xlim(first, last)
    ax.set_xticks(ticks, [f"{at:%d %b}" if at == at.normalize() else f"{at:%H:%M}" for at in ticks], fontsize=8.5)


def _local(moment: Any, zone: str) -> Any:
    return pd.Timestamp(moment, tz="UTC").tz_convert(zone).tz_localize(None)
