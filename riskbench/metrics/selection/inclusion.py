"""With which chance could each event have had a verdict? The let-through that skipped the rules at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import BLOCKED, LabelState

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Inclusion:
    """The chance with which history let each event pass, so that it could have a verdict.

    Attributes
    ----------
    chance : ndarray of float64, shape (rows,)
        1 where history stopped nothing of its kind; below 1 where it let a random part pass; 0 where never.
    weight : ndarray of float64, shape (rows,)
        1 / chance of the events that passed; 0 of those that history stopped.
    never : ndarray of bool, shape (rows,)
        Stopped events of which nothing was let pass: only bounds can be told.
    drawn : ndarray of bool, shape (rows,)
        Events that would have been stopped and were let pass at random.
    known : bool
        Whether the events bear the chance; without it every stopped event is `never`.
    """

    chance: Floats
    weight: Floats
    never: Mask
    drawn: Mask
    known: bool


def inclusion(dataset: Dataset, labels: LabelState) -> Inclusion:
    """Return the chance with which each event could have had a verdict, from the role `let_through`."""
    blocked = labels.state == BLOCKED
    if not dataset.has("let_through"):
        chance = np.where(blocked, 0.0, 1.0)
        return Inclusion(chance, chance.copy(), blocked, np.zeros(dataset.rows, dtype=bool), known=False)
    column = dataset.column("let_through")
    chance = np.where(column.present, column.values.astype(np.float64), np.where(blocked, 0.0, 1.0))
    chance = np.clip(chance, 0.0, 1.0)
    passed = ~blocked
    chance = np.where(passed & (chance <= 0.0), 1.0, chance)
    weight = np.where(passed, 1.0 / np.where(passed, chance, 1.0), 0.0)
    return Inclusion(chance, weight, blocked & (chance <= 0.0), passed & (chance < 1.0), known=True)
