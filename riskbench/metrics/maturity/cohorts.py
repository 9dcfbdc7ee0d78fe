"""What does each cohort show so far, and what will it show in the end?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.engine.columns import DAY
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.maturity.calendar import Pace, pace
from riskbench.metrics.maturity.curve import DelayCurve
from riskbench.metrics.maturity.groups import LEAST_OF_SOURCE, MATTERS
from riskbench.metrics.maturity.ladder import chain_ladder
from riskbench.metrics.maturity.parametric import DelayFit, delay_fit
from riskbench.metrics.maturity.weights import Matured

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MEASURED, ESTIMATED, NOT_BEFORE = "measured", "estimated", "not measurable before"
#: Of a whole cohort so small a share told bears a figure; its interval says how well.
LEAST_OF_COHORT = 0.15
#: From so large a share told on, nothing worth saying is added.
_DONE = 0.995
#: Ages at which a curve is told.
_AGES = (1, 2, 3, 5, 7, 10, 14, 21, 28, 35, 42, 49, 56, 70, 84, 98, 112, 140, 168, 196, 224, 280, 364)


@dataclass(frozen=True, slots=True, eq=False)
class Money:
    """Each event's loss in major units were it fraud; None where there is no money."""

    loss: Floats | None
    currency: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """A group's curve with what was found of it."""

    name: str
    curve: DelayCurve
    fit: DelayFit | None
    pace: Pace


def cohort_codes(dataset: Dataset, days: int) -> tuple[Ints, list[int]]:
    """Return each event's cohort as a code, and the first moment of each in local microseconds.

    Cohorts of whole weeks begin on a Monday; those of other lengths are counted from the first Monday.
    """
    column = dataset.column("time")
    local = dataset.local_times
    span = days * DAY
    first = int(local[column.present].min()) if column.present.any() else 0
    anchor = (first // DAY + 3) // 7 * 7 * DAY - 3 * DAY
    number = np.where(column.present, (local - anchor) // span, -1)
    used, codes = np.unique(number, return_inverse=True)
    return codes.astype(np.int64), [int(anchor + code * span) if code >= 0 else -1 for code in used.tolist()]


def cohort_table(
    dataset: Dataset, held: Matured, eligible: Mask, *, days: int, money: Money, caught: Mask | None
) -> tuple[pd.DataFrame, Mask]:
    """Return one row a cohort: what is known, what it will come to, from when; and the events of those old enough."""
    if dataset.has("time"):
        codes, starts = cohort_codes(dataset, days)
    else:
        codes, starts = np.zeros(dataset.rows, dtype=np.int64), [-1] if dataset.rows else []
    offset = dataset.column("time").values.astype(np.int64) - dataset.local_times if dataset.has("time") else None
    rows = []
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(starts) + 1))
    frauds = np.flatnonzero(held.known)
    for number, start in enumerate(starts):
        own = order[ends[number] : ends[number + 1]]
        zone = int(offset[own[0]]) if offset is not None and len(own) else 0
        until = pd.Timestamp(start + days * DAY + zone, unit="us") if start >= 0 else None
        others = frauds[codes[frauds] != number]  # the spread of all sizes steadies that of a few
        rows.append(_cohort(held, np.concatenate((own, others)), len(own), _Kept(eligible, money, caught, until, days)))
        name = str(np.datetime64(start // DAY, "D")) if start >= 0 else "(no time)" if dataset.has("time") else "all"
        rows[-1] = {"cohort": name, **rows[-1]}
    columns = _COLUMNS if caught is None else (*_COLUMNS, "recall", "recall_lower", "recall_upper")
    frame = pd.DataFrame(rows, columns=[*columns])
    ready = frame["status"].isin([MEASURED, ESTIMATED]).to_numpy(dtype=bool)
    inside = ready[codes] if len(frame) else np.zeros(0, dtype=bool)
    return (frame if money.loss is not None else frame.drop(columns=[x for x in columns if "loss" in x])), inside


_COLUMNS = (
    "cohort",
    "events",
    "eligible",
    "frauds_known",
    "frauds_matured",
    "frauds_lower",
    "frauds_upper",
    "known_rate",
    "matured_rate",
    "matured_rate_lower",
    "matured_rate_upper",
    "loss_known",
    "loss_matured",
    "loss_lower",
    "loss_upper",
    "share_told",
    "corrected",
    "status",
)


class _Kept(NamedTuple):
    """What is known of all events, the first moment after the cohort, and the cohort's length."""

    eligible: Mask
    money: Money
    caught: Mask | None
    until: pd.Timestamp | None
    days: int


def _sources(held: Matured, rows: Mask) -> dict[str, list[tuple[float, DelayCurve, Floats, Floats]]]:
    """Return by source which curves speak for some events: what is due, ages, and their weights."""
    if held.ages is None or held.group is None or held.due is None:
        return {}
    curves, out = list(held.curves.values()), dict[str, list[tuple[float, DelayCurve, Floats, Floats]]]()
    group = held.group[rows]
    for code in np.unique(group).tolist():
        own = group == code
        ages, due = held.ages[rows][own], held.due[rows][own]
        for source, place, part in held.parts[code]:
            out.setdefault(source, []).append((part * float(due.sum()), curves[place], ages, due / due.sum()))
    return out


def _told_enough(sources: dict[str, list[tuple[float, DelayCurve, Floats, Floats]]]) -> bool:
    """Return whether enough is told of a cohort as a whole, and some of each source that matters."""
    whole, told = 0.0, 0.0
    parts = []
    for curves in sources.values():
        due = sum(one[0] for one in curves)
        seen = sum(one[0] * float((one[1].at(one[2]) * one[3]).sum()) for one in curves if one[1].n)
        parts.append((due, seen))
        whole, told = whole + due, told + seen
    if not whole or told < LEAST_OF_COHORT * whole:
        return not whole
    return all(seen >= LEAST_OF_SOURCE * due for due, seen in parts if due >= MATTERS * whole)


def _wait(sources: dict[str, list[tuple[float, DelayCurve, Floats, Floats]]], days: int) -> float:
    """Return the days from a cohort's end until enough of its frauds are told, were its events spread evenly."""
    spread = (np.arange(8 * days) + 0.5) / 8
    even = np.full(len(spread), 1 / len(spread))
    longest = max((one[1].horizon for curves in sources.values() for one in curves), default=0.0)
    low, high = 0, int(longest) + 2
    while low < high:
        middle = (low + high) // 2
        aged = {name: [(one[0], one[1], middle + spread, even) for one in sources[name]] for name in sources}
        low, high = (low, middle) if _told_enough(aged) else (middle + 1, high)
    return float(low)


def _cohort(whole: Matured, rows: npt.NDArray[np.intp], size: int, kept: _Kept) -> dict[str, object]:
    """Return a cohort's figures: its events are the first `size` rows, the others are frauds of other cohorts."""
    held, until, events = whole.taken(rows), kept.until, size
    eligible = kept.eligible[rows] & (np.arange(len(rows)) < size)
    known = held.known & eligible
    size = int(np.count_nonzero(eligible))
    told = held.told(eligible)
    sources = _sources(held, eligible)
    ready = told is not None and not held.why and (not sources or _told_enough(sources))
    if ready:  # a cohort is judged as a whole: the groups that are told late weigh in its interval
        held = replace(held, measurable=np.ones(len(rows), dtype=bool))
    elif sources:
        held = replace(held, edge=_wait(sources, kept.days))
    loss = None if kept.money.loss is None else kept.money.loss[rows]
    none = Estimate.none(held.why or "too young")
    count = held.total(rows=eligible) if ready and size else none
    lost = held.total(loss, rows=eligible) if ready and size and loss is not None else none
    recall = none
    if kept.caught is not None and ready and size:
        recall = held.ratio(kept.caught[rows].astype(np.float64), rows=eligible)
    row: dict[str, object] = {
        "events": events,
        "eligible": size,
        "frauds_known": int(np.count_nonzero(known)),
        "frauds_matured": count.value,
        "frauds_lower": count.lower,
        "frauds_upper": count.upper,
        "known_rate": int(np.count_nonzero(known)) / size if size else None,
        "matured_rate": _over(count.value, size),
        "matured_rate_lower": _over(count.lower, size),
        "matured_rate_upper": _over(None if count.upper is None else min(count.upper, size), size),
        "loss_known": None if loss is None else float(loss[known].sum()),
        "loss_matured": lost.value,
        "loss_lower": lost.lower,
        "loss_upper": lost.upper,
        "share_told": told,
        "corrected": count.corrected if count.measurable else None,
        "status": _status(held, told, ready=ready, until=until),
    }
    if kept.caught is not None:
        row |= {"recall": recall.value, "recall_lower": recall.lower, "recall_upper": recall.upper}
    return row


def _status(held: Matured, told: float | None, *, ready: bool, until: pd.Timestamp | None) -> str:
    if told is None:
        return "no event that could have a verdict"
    if held.why:
        return f"not measurable: {held.why}"
    if ready:
        return MEASURED if told >= _DONE else ESTIMATED
    return "not measurable" if until is None else held.not_before(until)


def _over(value: float | None, size: int) -> float | None:
    return None if value is None or not size else value / size


def grouped(held: Matured, delays: Floats, *, most: int) -> tuple[list[Grouped], int]:
    """Return the curves with the most verdicts, each with its fit and its pace, and how many were left out."""
    if held.ages is None or held.bearer is None:
        return [], 0
    names = list(held.curves)
    order = sorted(range(len(names)), key=lambda place: (place != 0, -held.curves[names[place]].n))
    out = []
    for place in order[:most]:
        curve = held.curves[names[place]]
        own = (held.bearer == place) if place else (held.bearer >= 0)
        delay, age = delays[own], held.ages[own]
        # A curve of a wider group also rests on verdicts that another curve corrects: its own are what it is told of.
        fit = delay_fit(delay, age)
        out.append(
            Grouped(names[place], curve, fit, pace(delay, age, clumped=held.clumped, youngest=max(held.edge, 1.0)))
        )
    return out, max(0, len(names) - most)


def group_table(groups: list[Grouped]) -> pd.DataFrame:
    """Return one row a curve: how late verdicts come, whether the pace is steady, and what is told later still."""
    rows = []
    for group in groups:
        fit = group.fit if group.fit is not None and group.fit.fits else None
        at = group.curve.horizon
        low, high = fit.interval(at) if fit is not None else (1.0, 1.0)
        rows.append(
            {
                "group": group.name,
                "verdicts": group.curve.n,
                "median_days": group.curve.age_of(0.5),
                "days_to_90": group.curve.age_of(0.9),
                "longest_days": at if group.curve.n else None,
                "later_share": None if fit is None else 1 - float(fit.at(at)),
                "later_lower": None if fit is None else 1 - high,
                "later_upper": None if fit is None else 1 - low,
                "shape": "none fits" if fit is None else fit.shape,
                "pace_p": group.pace.p,
                "overstated": group.pace.overstated,
                "reading": group.pace.reading,
            }
        )
    columns = [
        "group",
        "verdicts",
        "median_days",
        "days_to_90",
        "longest_days",
        "later_share",
        "later_lower",
        "later_upper",
        "shape",
        "pace_p",
        "overstated",
        "reading",
    ]
    return pd.DataFrame(rows, columns=columns)


def curve_table(groups: list[Grouped]) -> pd.DataFrame:
    """Return the share told by some ages, a group after the other; `fitted` is the fitted shape up to the horizon."""
    rows = []
    for group in groups:
        if not group.curve.n:
            continue
        ages = [float(age) for age in _AGES if age <= group.curve.horizon]
        share, (lower, upper) = group.curve.at(ages), group.curve.interval(ages)
        whole = None if group.fit is None else float(group.fit.at(group.curve.horizon))
        for place, age in enumerate(ages):
            fitted = float(group.fit.at(age)) / whole if group.fit is not None and whole else None
            rows.append((group.name, age, float(share[place]), float(lower[place]), float(upper[place]), fitted))
    return pd.DataFrame(rows, columns=["group", "age_days", "share", "lower", "upper", "fitted"])


def ladder_table(held: Matured, delays: Floats, eligible: Mask, *, days: int, money: Money) -> pd.DataFrame:
    """Return the chain ladder's second opinion: cohorts counted back from the as-of moment, youngest first."""
    columns = ["age_steps", "events", "frauds_known", "frauds_matured", "frauds_lower", "frauds_upper", "share_told"]
    columns += ["loss_matured", "loss_lower", "loss_upper", "way"]
    if held.ages is None or held.bearer is None:
        return pd.DataFrame(columns=columns)
    own = (held.bearer >= 0) & eligible
    whole = eligible & np.isfinite(held.ages) & (held.ages >= 0)
    exposure = np.bincount((held.ages[whole] / days).astype(np.int64))
    count = chain_ladder(delays[own], held.ages[own], exposure=exposure, grain=days)
    loss = None if money.loss is None else money.loss[own]
    lost = (
        None if loss is None else chain_ladder(delays[own], held.ages[own], values=loss, exposure=exposure, grain=days)
    )
    size = len(count.known)
    none = [None] * size
    return pd.DataFrame(
        {
            "age_steps": np.arange(size),
            "events": np.concatenate((exposure, np.zeros(size, dtype=np.int64)))[:size],
            "frauds_known": count.known,
            "frauds_matured": count.ultimate,
            "frauds_lower": count.lower,
            "frauds_upper": count.upper,
            "share_told": count.share,
            "loss_matured": none if lost is None else lost.ultimate,
            "loss_lower": none if lost is None else lost.lower,
            "loss_upper": none if lost is None else lost.upper,
            "way": np.where(count.borrowed, "Bornhuetter-Ferguson", "chain ladder"),
        },
        columns=columns,
    )
