"""What does each region's curve show, step by step, and how sure is each step?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.calibration.curve import Curve
from riskbench.calibration.study import Study
from riskbench.metrics.curve import FRAUD

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Steps that the pooled curve has, about.
STEPS = 24
#: A region's variance counts as much as this many frauds of all regions do.
STEADY = 20.0
#: Steps over which the size of a step and its variance are smoothed.
SMOOTH = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """What each region gains on frauds and gives up on all other events, per event and step of the cut.

    Attributes
    ----------
    cuts : ndarray of float64, shape (steps + 1,)
        The cuts between the steps, the strictest first.
    steps : ndarray of float64, shape (2, regions, steps)
        Value per event that each step adds: of frauds, of all other events.
    squares : ndarray of float64, shape (2, regions, steps)
        The variance of one event's part in it.
    events : ndarray of float64, shape (regions,)
        Events of each region.
    """

    cuts: Floats
    steps: Floats
    squares: Floats
    events: Floats

    def joined(self, codes: npt.NDArray[np.intp], size: int) -> Flows:
        """Return the flows of groups of regions."""
        member = (np.arange(size)[:, None] == codes[None, :]) * self.events
        events = member.sum(axis=1)
        share = member / np.maximum(events, 1.0)[:, None]
        return Flows(self.cuts, share @ self.steps, share @ self.squares, events)


def grid(study: Study, mask: Mask, keep: Sequence[float], bounds: tuple[float, float]) -> Floats:
    """Return the cuts at which curves are compared, the strictest first, so that each step matters.

    Half of them share the frauds' value evenly; half the cost of all other events, in even factors, up to three times
    what all frauds are worth: beyond that no region would cut.
    """
    rows = np.flatnonzero(mask)
    whole = study.curve(rows)
    cuts = whole.table.cuts
    within = (cuts >= bounds[0]) & (cuts <= bounds[1]) & np.isfinite(cuts)
    if not within.any():
        return np.asarray([cut for cut in keep if np.isfinite(cut)], dtype=np.float64)
    places = [_gross(study, part, cuts) for part in split(study, rows)]
    gained, given = places
    few = STEPS // 2
    top = min(given[-1], 3 * gained[-1]) if gained[-1] > 0 else given[-1]
    picked = [np.searchsorted(gained, gained[-1] * np.arange(1, few + 1) / few)]
    if top > 0:
        picked.append(np.searchsorted(given, np.geomspace(top / 2**few, top, few)))
    at = np.unique(np.minimum(np.concatenate(picked), len(cuts) - 1))
    kept = [cut for cut in keep if np.isfinite(cut) and bounds[0] <= cut <= bounds[1]]
    chosen = np.unique(np.concatenate([cuts[at[within[at]]], cuts[np.flatnonzero(within)[:1]], kept]))
    return np.asarray(chosen[::-1] if study.sweep.op in (">=", ">") else chosen)


def split(study: Study, rows: Rows) -> tuple[Rows, Rows]:
    """Return the frauds among some events, and all others."""
    fraud = study.kinds[rows] == FRAUD
    return rows[fraud], rows[~fraud]


def _gross(study: Study, rows: Rows, cuts: Floats) -> Floats:
    drawn = study.curve(rows)
    net = drawn.net[points(drawn, cuts)]
    return np.concatenate([[0.0], np.cumsum(np.abs(np.diff(net)))])


def points(drawn: Curve, cuts: Floats) -> npt.NDArray[np.intp]:
    """Return the point of a curve at which each cut stands."""
    table = drawn.table
    sign = -1.0 if table.op in (">=", ">") else 1.0
    side: Literal["left", "right"] = "right" if table.op in (">=", "<=") else "left"
    return np.asarray(np.searchsorted(sign * table.values, sign * cuts, side=side), dtype=np.intp)


def flows(study: Study, by_region: Sequence[Rows], cuts: Floats) -> Flows:
    """Return what each region gains and gives up at each step of the cut, per event."""
    size, steps = len(by_region), max(len(cuts) - 1, 0)
    value, square = np.zeros((2, size, steps)), np.zeros((2, size, steps))
    events = np.array([len(rows) for rows in by_region], dtype=np.float64)
    for place, rows in enumerate(by_region):
        if not len(rows):
            continue
        for flow, part in enumerate(split(study, rows)):
            if len(part):
                drawn = study.curve(part)
                at = points(drawn, cuts)
                value[flow, place] = np.diff(drawn.net[at]) / len(rows)
                square[flow, place] = np.abs(np.diff(drawn.moved[at])) / len(rows)
    return Flows(cuts, value, square, events)


def steadied(held: Flows, frauds: float) -> tuple[Floats, Floats]:
    """Return the sampling variance of each region's steps, and the size of all regions' steps together.

    Their course along the curve is that of all regions, smoothed: where few frauds fall, a step that happens to show
    little would else look sure of it. A region's own squares tell only how large its variance is as a whole.
    """
    total = max(float(held.events.sum()), 1.0)
    own = held.events[None, :, None]
    common, size = ((part * own).sum(axis=1, keepdims=True) / total for part in (held.squares, np.abs(held.steps)))
    width = common.shape[2]
    place = np.arange(width)
    near = np.exp(-0.5 * ((place[:, None] - place[None, :]) / SMOOTH) ** 2)
    common, size = (part @ near / near.sum(axis=0) for part in (common, size))
    leant = STEADY * total / max(frauds, 1.0)
    whole = np.maximum(common.sum(axis=2), 1e-300)
    level = (held.squares.sum(axis=2) * own[..., 0] + whole * leant) / (whole * (own[..., 0] + leant))
    return np.asarray(common * level[:, :, None] / np.maximum(own, 1.0)), np.asarray(size[:, 0])
