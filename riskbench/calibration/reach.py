"""How far may a sum of money at a cut lie off? A few large events decide, and more so where each stands for others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.calibration.study import Study
from riskbench.data.windows import Window
from riskbench.metrics.curve import CLASSES, UNLABELLED
from riskbench.metrics.money import Parts, money_reach

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
#: How far an interval reaches below and above.
Reach = tuple[float, float]
#: Parts of a sum: by class, sign, and whether its events were let through at random.
_PARTS = 4 * CLASSES


def reaches(
    study: Study, rows: Rows, values: Floats, gross: Floats, *, window: Window, ahead: float = 1.0
) -> tuple[Reach, Reach] | None:
    """Return how far a sum of money, and the same sum over a later window, may lie below and above.

    None where events come together in entities, whose sums are what chance draws. Events that were let through at
    random are a part of their own: few that each stand for many tell less than as many that stand for themselves.

    Parameters
    ----------
    study : Study
        The events, priced.
    rows : ndarray of int
        The events of the sum.
    values : ndarray of float64, shape (events,)
        What each adds, in major units, times what it stands for.
    gross : ndarray of float64, shape (events,)
        The same before handling: its sign says whether an event more of the kind adds or takes away.
    window : Window
        The window that the sum is over: all its events say how large an event of their class usually is.
    ahead : float
        How long the later window is, in windows.
    """
    if study.windows.clustered:
        return None
    weight = _weight(study, rows)
    usual = _usual(study, window)
    drawn = _drawn(study)[rows]
    side = np.where(gross == 0, values, gross) < 0
    code = 4 * study.kinds[rows].astype(np.int64) + 2 * drawn + side
    inside = window.mask & _drawn(study)
    many = float(_weight(study, np.flatnonzero(inside)).mean()) if inside.any() else 0.0
    size = np.where(gross == 0, np.abs(values), np.abs(gross))
    once = np.ones(len(rows))
    first = money_reach(_parts(code, size, values, stands=weight, times=once, usual=usual, many=many))
    to_come = _parts(code - 2 * drawn, size / weight, values / weight, stands=once, times=weight * ahead, usual=usual)
    second = money_reach(to_come)
    return (float(first[0]), float(first[1])), (float(second[0]), float(second[1]))


def _weight(study: Study, rows: Rows) -> Floats:
    return np.ones(len(rows)) if study.weight is None else np.maximum(study.weight[rows], 1e-12)


def _drawn(study: Study) -> npt.NDArray[np.bool_]:
    """Return which events stand for others that were stopped."""
    if study.standing is None:
        return np.zeros(len(study.kinds), dtype=bool)
    return study.standing.let.drawn & (study.standing.let.weight > 1)


def _usual(study: Study, window: Window) -> tuple[Floats, Floats]:
    """Return the mean size and the mean square of the events of each class, as if the cut hit them all."""
    price = study.price()
    level = study.steps.level(study.sweep.outcome) if study.sweep.outcome else len(study.steps.rungs) - 1
    inside = np.flatnonzero(window.mask & (study.kinds != UNLABELLED))
    kinds = study.kinds[inside]
    weight = _weight(study, inside)
    size = np.abs(price.slope[kinds, level]) * study.money[inside]
    count, sums, squares = (
        np.bincount(kinds, weights=part, minlength=CLASSES) for part in (weight, size, size**2 / weight)
    )
    return sums / np.maximum(count, 1.0), squares / np.maximum(count, 1.0)


def _parts(
    code: Ints,
    size: Floats,
    values: Floats,
    *,
    stands: Floats,
    times: Floats,
    usual: tuple[Floats, Floats],
    many: float = 0.0,
) -> Parts:
    """Return values that come so many times each as parts of one class and sign, let-through ones apart.

    `many` is what a let-through event stands for on average; 0 where none is a part of its own.
    """
    count, sizes, squares, once, twice = (
        np.bincount(code, weights=part * times, minlength=_PARTS).astype(np.float64)
        for part in (np.ones(len(code)), size, values**2, stands, stands**2)
    )
    place = np.arange(_PARTS)
    kind, apart, takes = place // 4, place % 4 >= 2, place % 2 == 1
    # Nothing seen of a class that would add or take away: an event of the usual sign might have been.
    empty = (np.bincount(kind, weights=count, minlength=CLASSES)[kind] == 0) | (count == 0) & (takes == (kind == 0))
    held = (count > 0) | (empty & (~apart | (many > 0)))
    n = np.maximum(count, 1e-12)
    one, two = (
        np.where(count > 0, part / n, np.where(apart, many**power, 1.0)) for power, part in ((1, once), (2, twice))
    )
    known = held & (usual[0][kind] > 0)
    return Parts(
        count,
        sizes,
        squares,
        np.where(known, usual[0][kind] * one, sizes / n),
        np.where(known, usual[1][kind] * two, squares / n),
        np.where(takes, -1.0, 1.0),
    )
