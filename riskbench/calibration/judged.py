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
from riskbench.rules.comparison.better import BETTER, NOT_SHOWN, WORSE
from riskbench.rules.comparison.comparison import Comparison, compare
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
    change = compare(*(_again(held, side, window) for side in (before, after)))
    told, widened = _with_weeks(held, change.changes, window)
    answer, why = change.answer, change.why
    low, high = (float(told[end].iloc[0]) for end in ("lower", "upper"))
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
        weeks=window.length if window.start is not None else change.weeks,
        pages=pages,
        notes=(*remarks, *change.notes),
        _cache={},
    )


def _window(held: Calibration) -> tuple[Window, str]:
    """Return the window that a cut is judged on, and which it is in words."""
    choose, report = held.reader.study.windows.choose, held.reader.study.windows.report
    window = report if report.mask.any() else choose
    seen = bool((window.mask & choose.mask).any())
    which = "including the events that the cut was chosen on" if seen else "which the choice of the cut did not see"
    return window, f"on {window.words}, {which}"


def _again(held: Calibration, side: Simulation, window: Window) -> Simulation:
    """Return a simulation of the window's events alone, on the day and under the costs of the whole one."""
    hits = side.hits
    return simulate(
        hits.written,
        _part(held, hits.dataset, window),
        asof=hits.asof,
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


def _with_weeks(held: Calibration, changes: pd.DataFrame, window: Window) -> tuple[pd.DataFrame, bool]:
    """Return the changes with net value as uncertain as differing weeks make it, and whether that is more."""
    for weekly in (held.weekly_own, held.weekly):
        if not len(weekly):
            continue
        row = weekly.iloc[0]
        value, low, high = (float(row[end]) * window.length for end in ("change", "lower", "upper"))
        first = changes.index[0]
        if not np.isclose(value, float(changes.loc[first, "difference"]), rtol=1e-6, atol=0.01):
            continue
        told = changes.copy()
        wider = low < float(told.loc[first, "lower"]) - abs(low) * 1e-6
        told.loc[first, ["lower", "upper"]] = (
            min(low, float(told.loc[first, "lower"])),
            max(high, float(told.loc[first, "upper"])),
        )
        return told, wider
    return changes, False
