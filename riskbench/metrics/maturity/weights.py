"""What does each fraud known so far stand for? Frauds of its age that are told later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, LabelState
from riskbench.engine.columns import DAY
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity.curve import DelayCurve, delay_curve

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Where a smaller share of the frauds is told by now, nothing is corrected: it is not measurable yet.
LEAST_SHARE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Matured:
    """What each known fraud stands for, and which events are old enough to say anything.

    Attributes
    ----------
    weight : ndarray of float64, shape (rows,)
        1 / (share told by its age) of a known fraud that is old enough; 0 of one that is not; 1 of every other event.
    share : ndarray of float64, shape (rows,)
        The share of an event's frauds that is told by its age; 1 where labels bear no time.
    measurable : ndarray of bool, shape (rows,)
        Whether the event is old enough.
    until : Timestamp or None
        The first moment from which on no event is old enough; None where all are.
    curves : mapping of str to DelayCurve
        The delay curve of each group.
    known : ndarray of bool, shape (rows,)
        The known frauds.
    """

    weight: Floats
    share: Floats
    measurable: Mask
    until: pd.Timestamp | None
    curves: dict[str, DelayCurve]
    known: Mask

    def total(self, values: npt.ArrayLike | None = None, *, rows: Mask | None = None) -> Estimate:
        """Return the sum of a value over the frauds that will have been told in the end, of the events old enough.

        Parameters
        ----------
        values : array of float, shape (rows,), optional
            What each fraud counts for, such as its loss; by default 1.
        rows : ndarray of bool, optional
            The events; by default all.
        """
        picked = np.flatnonzero(self.known & self.measurable & (True if rows is None else rows))
        value = np.ones(len(self.known)) if values is None else np.asarray(values, dtype=np.float64)
        held, share = value[picked], self.share[picked]
        if not len(picked):
            return Estimate.none("no known fraud is old enough")
        total, counted = float((held / share).sum()), float(held.sum())
        half = Z95 * float(np.sqrt((held**2 * (1 - share) / share**2).sum()))
        rest = 0.0 if total == 0 else 1.0 - counted / total
        return Estimate(total, max(counted, total - half), total + half, len(picked), rest)


def matured(dataset: Dataset, labels: LabelState) -> Matured:
    """Return what each known fraud stands for at the moment of the labels."""
    known = labels.state == FRAUD
    ones = np.ones(dataset.rows)
    if labels.asof is None or not (dataset.has("time") and dataset.has("label_time")):
        return Matured(ones, ones, np.ones(dataset.rows, dtype=bool), None, {}, known)
    time, told = dataset.column("time"), dataset.column("label_time")
    now = int(labels.asof.value // 1000)
    age = np.where(time.present, (now - time.values) / DAY, np.nan)
    timed = known & told.present & time.present
    curve = delay_curve((told.values[timed] - time.values[timed]) / DAY, age[timed])
    share = np.where(np.isnan(age), 1.0, curve.at(np.nan_to_num(age))) if curve.n else ones
    measurable = share >= LEAST_SHARE
    weight = np.where(known, np.where(measurable, 1.0 / np.maximum(share, 1e-12), 0.0), 1.0)
    edge = curve.age_of(LEAST_SHARE)
    until = None if edge is None or measurable.all() else labels.asof - pd.Timedelta(days=edge)
    return Matured(weight, share, measurable, until, {"all": curve}, known)
