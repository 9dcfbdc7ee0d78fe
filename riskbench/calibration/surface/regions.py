"""Does a region deserve a setting of its own, and what does one setting for all cost?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.segments import FEWEST_FRAUDS, INHERITS, OWN, SAME, discoveries
from riskbench.calibration.study import Study
from riskbench.calibration.surface.cells import built, measure
from riskbench.calibration.surface.measures import feasible
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.intervals import Z95
from riskbench.metrics.lattice import states
from riskbench.metrics.price import Price
from riskbench.rules.plane import Plane

COLUMNS = (
    "region n frauds own_first own_second uniform_first uniform_second net_own net_uniform uniform_cost lower upper "
    "p_value status"
).split()


def regions_frame(
    swept: Plane, ground: Study, chosen: tuple[int, int], constraints: Sequence[Constraint]
) -> pd.DataFrame:
    """Return each region's own best setting, chosen on the first window, and what it gains on the later one.

    The gain is paired: only events that the two settings treat otherwise count. Over all regions with enough
    frauds the share of false "own cut pays" is held at 5 % (Benjamini and Hochberg). A region's own values of
    today are left out on both sides.
    """
    codes, names = swept.dataset.regions
    windows, price = ground.windows, ground.price()
    choose = windows.choose.mask
    judged = windows.report.mask if windows.report.mask.any() else choose
    frauds = np.bincount(codes[choose & (ground.kinds == 1)], minlength=len(names))
    events = np.bincount(codes[choose], minlength=len(names))
    able = np.flatnonzero(frauds >= FEWEST_FRAUDS)
    place = np.full(len(names), -1, dtype=np.int16)
    place[able] = np.arange(len(able))
    group = np.where(choose, place[codes], np.int16(-1)).astype(np.int16)
    held = states(built(swept, ground, group, groups=max(1, len(able)), everywhere=True))
    uniform = swept.levels(*chosen, everywhere=True)
    pooled = _Pooled(swept, ground, judged, uniform, price)
    rows: list[dict[str, object]] = []
    for code, name in enumerate(names):
        inside = np.flatnonzero(judged & (codes == code))
        net_uniform = _net(ground, price, inside, uniform[inside])
        row: dict[str, object] = {"region": name, "n": int(events[code]), "frauds": int(frauds[code])}
        row |= _setting("uniform", swept, chosen) | {"net_uniform": net_uniform, "status": INHERITS}
        rows.append(row)
        if place[code] < 0:
            continue
        measures = measure(held.of(int(place[code])), ground)
        fits = feasible(measures, constraints)
        if not fits.any():
            continue
        flat = int(np.argmax(np.where(fits, measures.net, -np.inf)))
        own = (flat // swept.shape[1], flat % swept.shape[1])
        levels = swept.levels(*own, everywhere=True, rows=inside)
        differ = levels != uniform[inside]
        at = inside[differ]
        gains = price.gain(ground.kinds[at], ground.money[at], before=uniform[at], after=levels[differ])
        gain = float(gains.sum())
        sd = math.sqrt(max(float((gains**2).sum()), pooled.variance(own) * len(at)))
        row |= _setting("own", swept, own) | {
            "net_own": net_uniform + gain,
            "uniform_cost": gain,
            "lower": gain - Z95 * sd,
            "upper": gain + Z95 * sd,
            "p_value": 0.5 * math.erfc(gain / sd / math.sqrt(2)) if sd > 0 else 1.0,
            "status": SAME,
        }
    frame = pd.DataFrame(rows, columns=COLUMNS)
    for column in COLUMNS[3:13]:
        frame[column] = frame[column].astype(np.float64)
    frame.loc[discoveries(frame["p_value"].to_numpy(np.float64)), "status"] = OWN
    return frame


class _Pooled:
    """What the events between two settings are worth in all regions together.

    A few lucky events look both better and steadier than they are; this keeps them from being believed.
    """

    def __init__(
        self, swept: Plane, ground: Study, judged: npt.NDArray[np.bool_], uniform: npt.NDArray[np.int8], price: Price
    ) -> None:
        self.swept, self.ground, self.price, self.uniform = swept, ground, price, uniform
        self.rows = np.flatnonzero(judged)
        self.known: dict[tuple[int, int], float] = {}

    def variance(self, own: tuple[int, int]) -> float:
        """Return the mean squared difference in worth of an event between a setting and the common one."""
        if own not in self.known:
            levels = self.swept.levels(*own, everywhere=True, rows=self.rows)
            differ = levels != self.uniform[self.rows]
            at = self.rows[differ]
            kinds, money = self.ground.kinds[at], self.ground.money[at]
            gains = self.price.gain(kinds, money, before=self.uniform[at], after=levels[differ])
            self.known[own] = float((gains**2).mean()) if len(at) else 0.0
        return self.known[own]


def _net(ground: Study, price: Price, rows: npt.NDArray[np.intp], levels: npt.NDArray[np.int8]) -> float:
    return float(price.each(ground.kinds[rows], ground.money[rows], levels).sum())


def _setting(word: str, swept: Plane, place: tuple[int, int]) -> dict[str, float]:
    return {
        f"{word}_{name}": float(axis.values[at])
        for name, axis, at in zip(("first", "second"), swept.axes, place, strict=True)
        if axis.name
    }
