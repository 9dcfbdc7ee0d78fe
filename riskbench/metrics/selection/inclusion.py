"""With which chance could each event have had a verdict? The let-through that skipped the rules at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD, LabelState, stopped

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
        1 / chance of the events that passed; 0 of those that history stopped, for which the ones let pass stand. A
        stopped event for which none stands, but whose verdict became known, stands for itself: 1.
    never : ndarray of bool, shape (rows,)
        Stopped events without verdict of which nothing was let pass: only bounds can be told.
    drawn : ndarray of bool, shape (rows,)
        Events that would have been stopped and were let pass at random.
    known : bool
        Whether the events bear the chance; without it every stopped event is `never`.
    told : tuple of str
        What is odd about the chances, and how it is read.
    """

    chance: Floats
    weight: Floats
    never: Mask
    drawn: Mask
    known: bool
    told: tuple[str, ...] = ()


def inclusion(dataset: Dataset, labels: LabelState) -> Inclusion:
    """Return the chance with which each event could have had a verdict, from the role `let_through`.

    A stopped event with a chance above 0 lost the draw, and those that won it stand for it. A policy that changed
    over time shows in other chances: each chance is a stratum of its own. Where the chance is missing, no number in
    0..1, or contradicts what happened, an event that passed stands for itself and a stopped one is `never`.

    Parameters
    ----------
    dataset : Dataset
        The events.
    labels : LabelState
        What is known about each.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> from riskbench.data.labels import label_state
    >>> events = rb.read(
    ...     pd.DataFrame({"id": [1, 2, 3, 4], "fraud": [0, 1, None, None], "p": [1, 0.05, 0.05, 0],
    ...                   "did": ["approve", "approve", "block", "block"]}),
    ...     roles=rb.Roles(id="id", label="fraud", outcome="did", let_through="p"))
    >>> found = inclusion(events, label_state(events))
    >>> found.weight, found.never
    (array([ 1., 20.,  0.,  0.]), array([False, False, False,  True]))
    """
    halted = stopped(dataset)
    silent = halted & (labels.state != FRAUD) & (labels.state != GOOD)
    if not dataset.has("let_through"):
        chance = np.where(halted, 0.0, 1.0)
        weight = np.where(silent, 0.0, 1.0)
        return Inclusion(chance, weight, silent, np.zeros(dataset.rows, dtype=bool), known=False)
    column = dataset.column("let_through")
    said = np.where(column.present, column.values.astype(np.float64), np.nan)
    missing, outside = np.isnan(said), (said < 0) | (said > 1)
    broken = (~halted & (said == 0), halted & (said == 1))
    usable = ~(missing | outside | broken[0] | broken[1])
    chance = np.where(usable, said, np.where(halted, 0.0, 1.0))
    weight = np.where(halted, np.where((chance <= 0) & ~silent, 1.0, 0.0), 1.0 / np.where(halted, 1.0, chance))
    told = tuple(
        f"{int(rows.sum()):,} {words}"
        for rows, words in (
            (missing & halted, "stopped events bear no chance of being let through: they count as never let through."),
            (outside, "events bear a chance of being let through outside 0..1: it is not used."),
            (broken[0], "events passed with a chance of 0: each stands for itself."),
            (broken[1], "events were stopped with a chance of 1 to pass: they count as never let through."),
        )
        if rows.any()
    )
    return Inclusion(chance, weight, silent & (chance <= 0), ~halted & (chance < 1), known=True, told=told)
