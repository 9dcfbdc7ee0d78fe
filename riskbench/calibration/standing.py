"""What does each verdict stand for? Late verdicts for those to come, a let-through event for those stopped like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD, LabelState, has_verdict
from riskbench.engine.columns import DAY
from riskbench.metrics.maturity import Matured, matured
from riskbench.metrics.selection import Inclusion, inclusion

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What each event with a verdict stands for.

    Attributes
    ----------
    told : Matured
        What each known fraud stands for, since some like it are told later.
    let : Inclusion
        What each event that passed stands for, since some like it were stopped.
    ripe : ndarray of bool, shape (rows,)
        Events old enough that their silence counts as good; all where labels bear no time.
    silence : bool
        Whether silence means good at all.
    weight : ndarray of float64, shape (rows,), or None
        How many events of its class each event of an age that can be judged stands for; None where each stands for
        itself. A known fraud younger than that counts as one, since its window is not corrected.
    bears : ndarray of bool, shape (rows,)
        Events that bear a verdict, or get one by waiting, and are old enough.
    every : Inclusion
        The chance of each event before windows with too few let-through events left theirs out.
    """

    told: Matured
    let: Inclusion
    ripe: Mask
    silence: bool
    weight: Floats | None
    bears: Mask
    every: Inclusion

    @classmethod
    def of(cls, dataset: Dataset, labels: LabelState) -> Standing:
        """Return what each event stands for at the moment of the labels."""
        told, let = matured(dataset, labels), inclusion(dataset, labels)
        ripe, silence = np.ones(dataset.rows, dtype=bool), True
        if labels.asof is not None and dataset.has("label_time"):
            time, said = dataset.column("time"), dataset.column("label_time")
            if labels.mature_after is not None:
                ripe = time.present & (time.values + int(labels.mature_after * DAY) <= labels.asof.value // 1000)
            silence = bool(((labels.state == GOOD) & ~said.present).any())
        bears = has_verdict(dataset, labels)[0] & told.measurable
        return cls(told, let, ripe, silence, _weight(told, let, labels, ripe), bears, let)

    def within(self, windows: Sequence[Mask], labels: LabelState) -> Standing:
        """Return the same where the stopped events of each window are told by its own let-through ones, or by none.

        Parameters
        ----------
        windows : sequence of ndarray of bool, shape (rows,)
            The windows; what lies in none of them is one more.
        labels : LabelState
            What is known about each event.
        """
        let, rest = self.let, np.ones(len(self.ripe), dtype=bool)
        for window in windows:
            rest &= ~window
        for rows in (*windows, rest):
            let = let.within(rows, self.bears)
        if let is self.let:
            return self
        return replace(self, let=let, weight=_weight(self.told, let, labels, self.ripe))


def _weight(told: Matured, let: Inclusion, labels: LabelState, ripe: Mask) -> Floats | None:
    """Return how many events of its class each stands for; None where each stands for itself."""
    weight = np.where(labels.state <= FRAUD, let.weight, 1.0)
    weight = np.where((labels.state == FRAUD) & ripe, weight * np.maximum(told.weight, 1.0), weight)
    return None if bool((np.abs(weight - 1.0) < 1e-9).all()) else weight
