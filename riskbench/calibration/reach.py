"""How far may a sum of money at a cut lie off? A few large events decide, and more so where each stands for others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.calibration.study import Study
from riskbench.data.windows import Window
from riskbench.metrics.curve import CLASSES, UNLABELLED
from riskbench.metrics.money import Parts, money_reach

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
#: How far an interval reaches below and above.
Reach = tuple[float, float]


def reaches(
    study: Study, rows: Rows, values: Floats, *, window: Window, ahead: float = 1.0
) -> tuple[Reach, Reach] | None:
    """Return how far a sum of money, and the same sum over a later window, may lie below and above.

    None where events come together in entities, whose sums are what chance draws.

    Parameters
    ----------
    study : Study
        The events, priced.
    rows : ndarray of int
        The events of the sum.
    values : ndarray of float64, shape (events,)
        What each adds, in major units, times what it stands for.
    window : Window
        The window that the sum is over: all its events say how large an event of their class usually is.
    ahead : float
        How long the later window is, in windows.
    """
    if study.windows.clustered:
        return None
    kinds = study.kinds[rows]
    weight = np.ones(len(rows)) if study.weight is None else np.maximum(study.weight[rows], 1e-12)
    usual = _usual(study, window)
    held = _parts(values, kinds, np.ones(len(rows)), usual)
    to_come = _parts(values / weight, kinds, weight * ahead, usual)
    first, second = money_reach(held), money_reach(to_come)
    return (float(first[0]), float(first[1])), (float(second[0]), float(second[1]))


def _usual(study: Study, window: Window) -> tuple[Floats, Floats]:
    """Return the mean size and the mean square of the events of each class, as if the cut hit them all."""
    price = study.price()
    level = study.steps.level(study.sweep.outcome) if study.sweep.outcome else len(study.steps.rungs) - 1
    inside = np.flatnonzero(window.mask & (study.kinds != UNLABELLED))
    kinds = study.kinds[inside]
    weight = np.ones(len(inside)) if study.weight is None else np.maximum(study.weight[inside], 1e-12)
    size = np.abs(price.slope[kinds, level]) * study.money[inside]
    count, sums, squares = (
        np.bincount(kinds, weights=part, minlength=CLASSES) for part in (weight, size, size**2 / weight)
    )
    return sums / np.maximum(count, 1.0), squares / np.maximum(count, 1.0)


def _parts(values: Floats, kinds: npt.NDArray[np.int8], times: Floats, usual: tuple[Floats, Floats]) -> Parts:
    """Return values that come so many times each as parts of one class and sign."""
    code, width = 2 * kinds.astype(np.int64) + (values < 0), 2 * CLASSES
    count, size, squares = (
        np.bincount(code, weights=part * times, minlength=width).astype(np.float64)
        for part in (np.ones(len(values)), np.abs(values), values**2)
    )
    known = np.repeat(usual[0], 2) > 0
    n = np.maximum(count, 1e-12)
    return Parts(
        count,
        size,
        squares,
        np.where(known, np.repeat(usual[0], 2), size / n),
        np.where(known, np.repeat(usual[1], 2), squares / n),
        np.where(np.arange(width) % 2 == 0, 1.0, -1.0),
    )
