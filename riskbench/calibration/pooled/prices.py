"""What did the later window pay for a region's own cut? Paired, with an interval for few and heavy events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.calibration.pooled.curves import Rows, split
from riskbench.calibration.study import Study
from riskbench.data.windows import Window
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]

#: All regions' events between two cuts count as much as this many frauds of a region's own.
LEANT = 5.0
#: Fewer whole weeks than this say nothing about how weeks differ.
FEWEST_WEEKS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """What some regions' cuts gain over others on a window, as sums over it.

    Attributes
    ----------
    gain, variance : ndarray of float64, shape (regions,)
        Net value at the first cut less that at the second, and its variance.
    swell : float
        How many times more than chance alone the weeks differ.
    """

    gain: Floats
    variance: Floats
    swell: float

    def total(self) -> tuple[float, float, float]:
        """Return the sum over regions with its 95 % interval."""
        value, half = float(self.gain.sum()), Z95 * math.sqrt(float(self.variance.sum()))
        return value, value - half, value + half


def prices(
    study: Study,
    by_region: Sequence[Rows],
    earlier: Sequence[Rows],
    cuts: Sequence[tuple[float, float]],
    window: Window,
    *,
    swell: float | None = None,
) -> Prices:
    """Return what each region's first cut gains over its second on a window.

    Only events that the two cuts treat otherwise count. Their variance is that of the region's own events between
    the cuts in both windows, leant on all regions' where it has few: a region that happened to see no fraud there
    would else look sure of it.

    Parameters
    ----------
    study : Study
        The events, priced.
    by_region, earlier : sequence of ndarray of int
        Each region's events of the window, and of the one that the cuts were chosen on.
    cuts : sequence of (float, float)
        Each region's two cuts.
    window : Window
        The window; its weeks tell by how much more than chance they differ.
    swell : float, optional
        By how much they do, where it is known.
    """
    levels: dict[float, npt.NDArray[np.int8]] = {}
    for cut in {cut for pair in cuts for cut in pair}:
        levels[cut] = study.levels(cut)
    all_rows = [np.concatenate([late, early]) for late, early in zip(by_region, earlier, strict=True)]
    events = float(sum(len(rows) for rows in all_rows))
    common: dict[tuple[float, float], tuple[Floats, float]] = {}
    gain, variance = np.zeros(len(cuts)), np.zeros(len(cuts))
    blocks = np.full(len(study.kinds), -1, dtype=np.int64)
    blocks[window.mask] = np.where(window.blocks < window.whole, window.blocks, -1)
    far = 0.0
    freedom = 0
    for code, (first, second) in enumerate(cuts):
        if first == second or not len(by_region[code]):
            continue
        moved = levels[first] != levels[second]
        key = (min(first, second), max(first, second))
        if key not in common:
            rows = np.concatenate([rows[moved[rows]] for rows in all_rows])
            parts = split(study, rows)
            common[key] = np.array([_paired(study, part, first, second)[1] for part in parts]), float(len(parts[0]))
        squares, frauds = common[key]
        late = by_region[code][moved[by_region[code]]]
        both = all_rows[code][moved[all_rows[code]]]
        gain[code] = _paired(study, late, first, second)[0]
        own = np.array([_paired(study, part, first, second)[1] for part in split(study, both)])
        # So many events of all regions show as many frauds between the cuts as are leant on.
        leant = LEANT * events / max(frauds, 1.0)
        size = len(by_region[code])
        rate = (own + squares / events * leant) / (len(all_rows[code]) + leant)
        variance[code] = float(rate.sum()) * size
        if swell is None and window.whole >= FEWEST_WEEKS:
            weeks = np.array(
                [_paired(study, late[blocks[late] == week], first, second)[0] for week in range(window.whole)]
            )
            far += float(((weeks - weeks.mean()) ** 2).sum()) / max(variance[code] / max(window.length, 1e-9), 1e-300)
            freedom += window.whole - 1
    wider = _swell(far, freedom) if swell is None else swell
    return Prices(gain, variance * wider, wider)


def _swell(far: float, freedom: int) -> float:
    """Return by how much weeks differ more than chance; 1 unless chance is ruled out (1 %).

    >>> _swell(40.0, 30), _swell(90.0, 30)
    (1.0, 3.0)
    """
    from scipy.special import gammaincc

    return far / freedom if freedom and float(gammaincc(freedom / 2, far / 2)) < 0.01 else 1.0


def _paired(study: Study, rows: Rows, first: float, second: float) -> tuple[float, float]:
    """Return the net value of some events at one cut less that at another, and its variance."""
    if not len(rows):
        return 0.0, 0.0
    drawn = study.curve(rows)
    a, b = drawn.table.point(first), drawn.table.point(second)
    return float(drawn.net[a] - drawn.net[b]), abs(float(drawn.moved[a] - drawn.moved[b]))
