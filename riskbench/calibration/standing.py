"""What does each verdict stand for? Late verdicts for those to come, a let-through event for those stopped like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD, LabelState
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
    """

    told: Matured
    let: Inclusion
    ripe: Mask
    silence: bool
    weight: Floats | None

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
        weight = np.where(labels.state <= FRAUD, let.weight, 1.0)
        weight = np.where((labels.state == FRAUD) & ripe, weight * np.maximum(told.weight, 1.0), weight)
        alone = bool((np.abs(weight - 1.0) < 1e-9).all())
        return cls(told, let, ripe, silence, None if alone else weight)
