"""How does the chosen cut stand to its limits: what each comes to, which one binds, what loosening it is worth?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.capacity.levels import levels_of, parts_of, per_of, unit_of
from riskbench.calibration.capacity.verify import confirmed
from riskbench.calibration.curve import violation
from riskbench.display import number
from riskbench.metrics.constraints import CapacityLimit, Constraint
from riskbench.metrics.intervals import Z95

if TYPE_CHECKING:
    from riskbench.calibration.choose import Choice
    from riskbench.calibration.study import Study
    from riskbench.data.windows import Window

Floats = npt.NDArray[np.float64]

COLUMNS = (
    "limit side bound unit value lower upper n observed kept binds one_unit loosened_threshold worth worth_lower "
    "worth_upper"
).split()
#: By how much a limit is loosened to say what that is worth: a hundredth of a share, a case, a hundredth of the money.
_POINT = 0.01


def limits_frame(study: Study, picked: Choice, cut: float, constraints: Sequence[Constraint]) -> pd.DataFrame:
    """Return how the chosen cut stands to each limit.

    Returns
    -------
    DataFrame
        limit, side, bound, unit ("share", "number" for cases an hour, "money" a week); value on the window that was
        chosen on, lower, upper (95 %, of the later window; for verify_within of what is expected), n (events behind
        it), observed (on the later window), kept (whether the limit holds there); binds (whether a better cut is
        lost to it alone), one_unit (how much looser), loosened_threshold (the best cut then), worth (of that, per week
        or 1,000 events), worth_lower, worth_upper (95 %, paired).
    """
    windows = study.windows
    later = study.curve(windows.report.mask) if windows.report.mask.any() else None
    rows = []
    for limit in constraints:
        row: dict[str, object] = {"limit": str(limit.rate) if str(limit).count("(") == 0 else _named(limit)}
        value, low, high, n = _ends(study, limit, picked, cut)
        observed = math.nan if later is None else float(later.at_limit(limit)[later.table.point(cut)])
        broken = math.nan if later is None else float(violation(later, [limit])[later.table.point(cut)])
        row |= {"side": limit.side.replace("_", " "), "bound": limit.bound, "unit": unit_of(limit)}
        row |= {"value": value, "lower": low, "upper": high, "n": n, "observed": observed}
        row["kept"] = None if math.isnan(broken) else broken <= 0
        rows.append({**row, **_loosened(study, picked, limit, constraints)})
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame["kept"] = frame["kept"].astype("boolean")
    return frame


def _named(limit: Constraint) -> str:
    return f"{limit.rate} ({str(limit).partition('(')[2]}"


def one_unit(limit: Constraint) -> float:
    """Return how much looser "one unit looser" is.

    >>> from riskbench import at_most
    >>> one_unit(at_most("review_rate", 0.02)), one_unit(at_most("cases_per_hour", 40))
    (0.01, 1.0)
    """
    unit = limit.unit if isinstance(limit, CapacityLimit) else "share"
    return {"share": _POINT, "cases": 1.0, "money": _POINT * limit.bound}[unit]


def _loosened(study: Study, picked: Choice, limit: Constraint, constraints: Sequence[Constraint]) -> dict[str, object]:
    """Return whether a limit binds, and what one unit more of it would be worth."""
    drawn, low, high = picked.drawn, study.sweep.minimum, study.sweep.maximum
    cuts = drawn.table.cuts
    within = (cuts >= (-np.inf if low is None else low)) & (cuts <= (np.inf if high is None else high))
    others = within & (violation(drawn, [other for other in constraints if other is not limit]) <= 0)
    level = drawn.at_limit(limit)
    sign = 1.0 if limit.side == "at_most" else -1.0
    with np.errstate(invalid="ignore"):
        looser = others & (sign * (level - limit.bound) <= one_unit(limit) + 1e-12)
    free, better = _best(drawn.net, others), _best(drawn.net, looser | picked.feasible)
    length = study.windows.choose.length
    gain = (float(drawn.net[better]) - float(drawn.net[picked.point])) / length
    half = Z95 * math.sqrt(abs(float(drawn.moved[better] - drawn.moved[picked.point]))) / length
    return {
        "binds": bool(drawn.net[free] > drawn.net[picked.point] + 1e-9 * max(1.0, abs(float(drawn.net[free])))),
        "one_unit": one_unit(limit),
        "loosened_threshold": float(cuts[better]),
        "worth": gain,
        "worth_lower": gain - half,
        "worth_upper": gain + half,
    }


def _best(net: Floats, allowed: npt.NDArray[np.bool_]) -> int:
    return int(np.argmax(np.where(allowed, net, -np.inf)))


def _ends(study: Study, limit: Constraint, picked: Choice, cut: float) -> tuple[float, float, float, int]:
    """Return what a limit comes to at the chosen cut, with its 95 % interval and how many events bear it."""
    value = float(picked.drawn.at_limit(limit)[picked.point])
    window = study.windows.choose
    if not isinstance(limit, CapacityLimit):
        bearing = float(picked.drawn.bearing(limit.rate)[picked.point])
        half = Z95 * math.sqrt(max(value * (1 - value), 0.0) / bearing) if bearing > 0 else math.nan
        return value, max(value - half, 0.0), min(value + half, 1.0), int(bearing)
    rows = np.flatnonzero(window.mask)
    parts = parts_of(study, limit, rows)
    now = study.levels(cut)[parts.rows] != study.sweep.base[parts.rows]
    part, whole = np.where(now, parts.after, parts.before), np.where(now, parts.whole_after, parts.whole_before)
    n = int(np.count_nonzero(part if limit.unit != "share" or limit.name == "verify_within" else whole))
    if limit.name == "verify_within":
        ends = confirmed(study, limit, cut, window, parts.rows)
        return (value, math.nan, math.nan, n) if ends is None else (value, ends[1], ends[2], n)
    block = _blocks(study, window, parts.rows)
    later = study.windows.report.length if study.windows.report.mask.any() else window.length
    if limit.unit != "share":
        scale = per_of(limit, window.length)
        half = _half_sum(part, block, window, later) * window.length / scale
        factor = value / max(part.sum() / scale, 1e-300) if limit.option("peak") and part.sum() else 1.0
        return value, max(0.0, value - half * factor), value + half * factor, n
    half = _half_ratio(part, whole, block, window, later)
    return value, max(0.0, value - half), min(1.0, value + half), n


def _blocks(study: Study, window: Window, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    held = np.zeros(len(window.mask), dtype=np.int64)
    held[window.mask] = window.blocks
    del study
    return held[rows]


def _half_sum(part: Floats, block: npt.NDArray[np.int64], window: Window, later: float) -> float:
    """Return the half width of a weekly sum's interval for a later window: the wider of chance and differing weeks."""
    squares = max(float((part * part).sum()), 1.0)
    half = Z95 * math.sqrt(squares / window.length * (1 / window.length + 1 / later))
    return max(half, _between(np.bincount(block, part, minlength=window.whole)[: window.whole], later))


def _half_ratio(part: Floats, whole: Floats, block: npt.NDArray[np.int64], window: Window, later: float) -> float:
    base = float(whole.sum())
    if base <= 0:
        return math.nan
    bearing = base**2 / float((whole * whole).sum())
    steady = (float(part.sum()) / base * bearing + 2) / (bearing + 4)
    half = Z95 * math.sqrt(steady * (1 - steady) / bearing * (1 + window.length / later))
    rest = part - float(part.sum()) / base * whole
    weeks = np.bincount(block, rest, minlength=window.whole)[: window.whole]
    return max(half, _between(weeks * window.length / base, later))


def _between(weeks: npt.NDArray[Any], later: float) -> float:
    """Return the half width that differing weeks call for: Student's t; 0 with fewer than four of them."""
    from scipy.special import stdtrit

    if len(weeks) < 4 or not weeks.any():
        return 0.0
    return float(stdtrit(len(weeks) - 1, 0.975)) * math.sqrt(
        float(np.var(weeks, ddof=1)) * (1 / len(weeks) + 1 / later)
    )


def limits_words(study: Study, picked: Choice, cut: float, constraints: Sequence[Constraint]) -> list[str]:
    """Return what the chosen cut makes of each limit on capacity, and which limit binds, in words."""
    if not any(isinstance(limit, CapacityLimit) for limit in constraints):
        return []
    said, per = [], study.windows.per
    for row in limits_frame(study, picked, cut, constraints).to_dict("records"):
        shown = [number(row[name], row["unit"]) for name in ("value", "lower", "upper")]
        ends = "" if math.isnan(row["lower"]) else f" ({shown[1].removesuffix(' %')} to {shown[2]})"
        name = str(row["limit"]).replace("_", " ")
        text = f"{name.capitalize()}: {shown[0]}{ends}, limit {row['side']} {number(row['bound'], row['unit'])}."
        if row["binds"]:
            unit = number(row["one_unit"], row["unit"])
            low, high = (number(row[end], "money") for end in ("worth_lower", "worth_upper"))
            text += (
                f" It binds: {unit} looser is worth {number(row['worth'], 'money', currency=study.currency)} "
                f"({low} to {high}) {'' if study.currency else study.counted + ' '}a {per}."
            )
        said.append(text)
    return said


def without_capacity(study: Study, constraints: Sequence[Constraint]) -> tuple[Study, tuple[Constraint, ...]]:
    """Return a study and constraints for one segment alone: reviewers belong to all of them together."""
    held = tuple(limit for limit in constraints if not isinstance(limit, CapacityLimit))
    return (replace(study, asked=()) if study.asked else study), held


__all__ = ["levels_of", "limits_frame", "limits_words", "one_unit", "without_capacity"]
