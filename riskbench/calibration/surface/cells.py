"""The cells of a surface: its events with their labels, money and windows, and where the book stands today."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.study import Study
from riskbench.calibration.surface.measures import Measures, measured
from riskbench.data.dataset import Dataset
from riskbench.data.windows import Span
from riskbench.metrics.costs import Costs
from riskbench.metrics.lattice import NOW, Lattice, States, apart, covariance, lattice
from riskbench.rules.plane import Plane
from riskbench.rules.sweep import Sweep

Floats = npt.NDArray[np.float64]

#: The windows of a surface, as groups of its cells.
CHOOSE, REPORT = 0, 1


def grounded(
    events: Dataset,
    name: str,
    costs: Costs,
    *,
    choose_on: Span | None = None,
    report_on: Span | None = None,
    asof: str | pd.Timestamp | None = None,
    seed: int = 0,
) -> Study:
    """Return what prices any setting: labels, money, windows and costs of events of which all can be judged."""
    still, nobody = np.zeros(events.rows, dtype=np.int8), np.zeros(events.rows, dtype=bool)
    sweep = Sweep(events, np.zeros(events.rows), ">=", still, still, nobody, nobody, None, None, None, name, "")
    return Study.of(sweep, costs, choose_on=choose_on, report_on=report_on, asof=asof, seed=seed)


def cells_of(swept: Plane, ground: Study) -> Lattice:
    """Return the cells of both windows: group 0 is the one that is chosen on, 1 the later one; they may overlap."""
    first, second = (window.mask.view(np.int8) for window in (ground.windows.choose, ground.windows.report))
    group = (first + 2 * second - 1).astype(np.int16)
    found = built(swept, ground, group, groups=3)
    return replace(
        found,
        counts=found.counts[:2] + found.counts[2:],
        money=found.money[:2] + found.money[2:],
        squares=found.squares[:2] + found.squares[2:],
        value=found.value[:2] + found.value[2:],
    )


def built(
    swept: Plane, ground: Study, group: npt.NDArray[np.int16], *, groups: int, everywhere: bool = False
) -> Lattice:
    """Return the cells of a plane for events in groups."""
    worth = ground.worth
    return lattice(
        (swept.axes[0].code, swept.axes[1].code),
        (swept.axes[0].truth, swept.axes[1].truth),
        corners=swept.free if everywhere else swept.corners,
        now=swept.now,
        kinds=ground.kinds,
        money=ground.money,
        rungs=len(ground.steps.rungs),
        group=group,
        groups=groups,
        value=None if worth.value is worth.loss else ground.value,
    )


def measure(held: States, ground: Study) -> Measures:
    """Return what every setting does under the stated costs."""
    return measured(held, ground.price(), ground.steps, scale=ground.scale, money=ground.worth.money)


@dataclass(frozen=True, slots=True, eq=False)
class Against:
    """Where the book stands today on one window, and how far each setting is from it.

    Attributes
    ----------
    net : float
        Net value today, in major units.
    apart : ndarray of float64, shape (settings, settings)
        The variance of each setting's net value less today's.
    """

    net: float
    apart: Floats


def against_today(cells: Lattice, ground: Study, group: int) -> Against:
    """Return where the book stands today."""
    price = ground.price()
    levels = cells.levels[:, NOW]
    counts, money = (part[group].sum(axis=(-2, -1)) for part in (cells.counts, cells.money))
    net = float((price.slope[cells.kinds, levels] * money - price.handling[levels] * counts).sum())
    products = covariance(cells, price, [group])
    everywhere = np.full(products.shape[:2], NOW)
    return Against(net, apart(products, cells.truth, everywhere))
