"""With which chance could each event have had a verdict? The let-through that skipped the rules at random."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD, LabelState, stopped

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: With fewer let-through events of a set whose verdict is told, its stopped events are bounded and not estimated.
FEWEST_DRAWN = 10


def enough_drawn(drawn: Mask, stopped: Mask) -> bool:
    """Return whether the let-through events of a set can stand for its stopped ones: the one rule for all figures.

    Parameters
    ----------
    drawn : ndarray of bool
        Let-through events of the set that bear a verdict, or get one by waiting, and are old enough.
    stopped : ndarray of bool
        Events of the set that were stopped, though they might have been let through.

    Examples
    --------
    >>> enough_drawn(np.ones(9, bool), np.ones(99, bool)), enough_drawn(np.ones(10, bool), np.ones(99, bool))
    (False, True)
    """
    return bool(stopped.any()) and int(np.count_nonzero(drawn)) >= FEWEST_DRAWN


def few_drawn_words(stopped: int, drawn: int, *, what: str = "alerts") -> str:
    """Return what is said of stopped events that are only bounded, on every page in the same words.

    >>> few_drawn_words(168, 8)
    '168 alerts were stopped, and too few like them (8) were let through to judge them'
    """
    return f"{stopped:,} {what} were stopped, and too few like them ({drawn:,}) were let through to judge them"


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
    silent : ndarray of bool, shape (rows,)
        Stopped events without a verdict.
    told : tuple of str
        What is odd about the chances, and how it is read.
    """

    chance: Floats
    weight: Floats
    never: Mask
    drawn: Mask
    known: bool
    silent: Mask
    told: tuple[str, ...] = ()

    @property
    def open(self) -> Mask:
        """Stopped events without a verdict for which let-through ones may stand."""
        return self.silent & (self.chance > 0)

    def within(self, rows: Mask, bears: Mask) -> Inclusion:
        """Return the same where the stopped events of a set are told by its own let-through ones, or by none.

        Where these are too few, each let-through event of the set stands for itself, and the stopped ones are `never`.

        Parameters
        ----------
        rows : ndarray of bool, shape (rows,)
            The set, such as the events of a window.
        bears : ndarray of bool, shape (rows,)
            Events that bear a verdict, or get one by waiting, and are old enough.
        """
        return self.within_each(np.where(rows, 0, -1), bears)

    def within_each(self, cell: npt.NDArray[np.integer], bears: Mask) -> Inclusion:
        """Return the same for several sets at once, such as segments: each is told by its own let-through events.

        Parameters
        ----------
        cell : ndarray of int, shape (rows,)
            The set of each event; -1 for those of none.
        bears : ndarray of bool, shape (rows,)
            As in `within`.
        """
        chancy = (cell >= 0) & (self.chance > 0) & (self.chance < 1)
        size = int(cell.max(initial=-1)) + 1
        drawn, open_ = (np.bincount(cell[of & chancy], minlength=size) for of in (self.drawn & bears, self.open))
        few = ~((open_ > 0) & (drawn >= FEWEST_DRAWN))
        chancy &= few[cell] if size else False
        if not chancy.any():
            return self
        halted = chancy & ~self.drawn
        return replace(
            self,
            chance=np.where(chancy, np.where(halted, 0.0, 1.0), self.chance),
            weight=np.where(chancy, np.where(halted & self.silent, 0.0, 1.0), self.weight),
            never=self.never | (halted & self.silent),
        )


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
        return Inclusion(chance, weight, silent, np.zeros(dataset.rows, dtype=bool), known=False, silent=silent)
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
    never, drawn = silent & (chance <= 0), ~halted & (chance < 1)
    return Inclusion(chance, weight, never, drawn, known=True, silent=silent, told=told)
