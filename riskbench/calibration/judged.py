"""What would a cut change on the events that its choice did not see? One change, one answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.windows import Window
from riskbench.display import Result
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.maturity import matured
from riskbench.rules.comparison.better import BETTER, NOT_SHOWN, WORSE
from riskbench.rules.comparison.comparison import Comparison, compare_with
from riskbench.rules.comparison.inference import BOUNDED
from riskbench.rules.simulation import Simulation, simulate

if TYPE_CHECKING:
    from riskbench.calibration.calibration import Calibration


def compared(held: Calibration, before: Simulation, after: Simulation, *, checks: Result | None = None) -> Comparison:
    """Return what changes on the later window, with the recommendation's own answer. See `Calibration.compare`."""
    from riskbench.calibration.decision import recommended

    for side in (before, after):
        if not isinstance(side, Simulation):
            raise ParameterError("compare takes two simulations", got=type(side).__name__, hint="rb.simulate(...)")
    window, words = _window(held)
    sides = [_again(held, side, window) for side in (before, after)]
    known = matured(after.hits.dataset, after.hits.labels).taken(np.flatnonzero(window.mask))
    change = compare_with(*sides, told=known)
    told, net, widened = _with_weeks(held, change, window)
    answer, why = change.answer, change.why
    _, low, high = net
    if answer in (BETTER, WORSE) and low <= 0 <= high:
        answer, why = NOT_SHOWN, "as weeks differ, the interval holds 0"
    adopt, short = recommended(held, checks)
    if answer == BETTER and not adopt:
        answer, why = NOT_SHOWN, short
    pages = {
        name: (f"{words[0].upper()}{words[1:]}. {caption}" if name in ("crossed", "changes") else caption, frame)
        for name, (caption, frame) in change.pages.items()
    }
    pages["changes"] = (pages["changes"][0], told)
    ways = _ways(change, told, net)
    if len(pages["ways"][1]):
        pages["ways"] = (pages["ways"][0], ways)
    remarks = [f"Compared {words}."]
    if widened:
        remarks.append(
            "The interval of all net value also knows how weeks differ; those of single moves know the chance of "
            "events only."
        )
    return replace(
        change,
        answer=answer,
        why=why,
        changes=told,
        ways=ways,
        net=net,
        weeks=window.length if window.start is not None else change.weeks,
        pages=pages,
        notes=(*remarks, *change.notes),
        _cache={},
    )


def _ways(change: Comparison, told: pd.DataFrame, net: tuple[float, float, float]) -> pd.DataFrame:
    """Return the change in net value told thrice, each way at least as uncertain as differing weeks make it."""
    ways = change.ways.copy()
    low, high = ways["net_value_lower"], ways["net_value_upper"]
    ends = told.iloc[0]
    ways["net_value_lower"], ways["net_value_upper"] = low.clip(upper=ends["lower"]), high.clip(lower=ends["upper"])
    ways.loc[ways["way"] == change.told, ["net_value", "net_value_lower", "net_value_upper"]] = net
    return ways


def _window(held: Calibration) -> tuple[Window, str]:
    """Return the window that a cut is judged on, and which it is in words."""
    choose, report = held.reader.study.windows.choose, held.reader.study.windows.report
    window = report if report.mask.any() else choose
    seen = bool((window.mask & choose.mask).any())
    which = "including the events that the cut was chosen on" if seen else "which the choice of the cut did not see"
    return window, f"on {window.words}, {which}"


def _again(held: Calibration, side: Simulation, window: Window) -> Simulation:
    """Return a simulation of the window's events alone, on the day and under the costs of the whole one.

    What is known of them is what is known of all events: the window's own last verdict would be another moment, at
    which some would be too young again.
    """
    hits = side.hits
    moment, ripe = hits.labels.asof, hits.labels.mature_after
    part = _part(held, hits.dataset, window)
    return simulate(
        hits.written,
        part if ripe is None else replace(part, mature_after=ripe),
        asof=moment if hits.asof is None else hits.asof,
        costs=side.standing.costs,
        on=hits.day,
    )


def _part(held: Calibration, dataset: Dataset, window: Window) -> Dataset:
    """Return the window's events of a dataset that the cut was calibrated on."""
    known = held.reader.study.sweep.dataset
    same = known.rows == dataset.rows and known.column("id").digest() == dataset.column("id").digest()
    if not same:
        raise DataError(
            "The simulations are of other events than the calibration.",
            got=f"{dataset.rows:,} events",
            allowed=f"the {known.rows:,} events that it was made of, with the same as-of moment",
        )
    return dataset.where(window.mask)


def _with_weeks(
    held: Calibration, change: Comparison, window: Window
) -> tuple[pd.DataFrame, tuple[float, float, float], bool]:
    """Return the changes and the answer with net value as uncertain as differing weeks make it, and whether more."""
    changes, answer = change.changes, change.net
    for weekly in (held.weekly_own, held.weekly):
        if not len(weekly):
            continue
        row = weekly.iloc[0]
        value, low, high = (float(row[end]) * window.length for end in ("change", "lower", "upper"))
        first = changes.index[0]
        counted = float(changes.loc[first, "difference"])
        # The same change: late verdicts stand in one and not in the other.
        if int(row["n"]) != change.flips or np.isnan(value + answer[0]):
            continue
        below, above = value - low, high - value
        ends = (float(changes.loc[first, "lower"]), float(changes.loc[first, "upper"]))
        wider = (min(ends[0], counted - below), max(ends[1], counted + above))
        told = changes.copy()
        told.loc[first, ["lower", "upper"]] = wider
        answer = (value, low, high) if change.told != BOUNDED else (value, min(answer[1], low), max(answer[2], high))
        return told, answer, wider[0] < ends[0] - abs(wider[0]) * 1e-6
    return changes, answer, False
