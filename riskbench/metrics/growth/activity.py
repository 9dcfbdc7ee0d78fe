"""What did a customer do before an event, and what after it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.engine.columns import DAY

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """Who was active when, in order, ready to be counted around any moment.

    Attributes
    ----------
    times : ndarray of int64
        The distinct moments, microseconds.
    keys : ndarray of int64
        Entity and moment of each activity as one number, sorted.
    total : ndarray of float64, shape (activities + 1,)
        Running sum of the money.
    at : ndarray of int64
        The moment of each activity, in the order of the keys.
    """

    times: Ints
    keys: Ints
    total: Floats
    at: Ints

    @classmethod
    def of(cls, entity: Ints, time: Ints, money: Floats | None = None) -> Activity:
        """Return the activities of some entities; negative entities are nobody."""
        held = entity >= 0
        entity, time = entity[held], time[held]
        times = np.unique(time)
        keys = entity * (len(times) + 1) + np.searchsorted(times, time)
        order = np.lexsort((np.zeros(len(keys)) if money is None else money[held], keys))
        paid = np.zeros(len(keys)) if money is None else money[held][order]
        return cls(times, keys[order], np.concatenate([[0.0], np.cumsum(paid)]), time[order])

    def place(self, entity: Ints, time: Ints, *, after: bool) -> Ints:
        """Return how many activities lie before each entity's moment; with `after`, also those at the moment."""
        side = "right" if after else "left"
        rank = np.searchsorted(self.times, time, side=side)  # type: ignore[call-overload]
        return np.searchsorted(self.keys, entity * (len(self.times) + 1) + rank, side="left")

    def count(self, entity: Ints, start: Ints, end: Ints) -> Ints:
        """Return the activities of each entity with start <= time < end."""
        return np.maximum(self.place(entity, end, after=False) - self.place(entity, start, after=False), 0)

    def later(self, entity: Ints, time: Ints, span: int) -> tuple[Ints, Floats, Ints]:
        """Return what comes after each moment within a span: how many, how much, and microseconds to the next.

        The event itself and ties stay out; without a next one within the span it is -1.

        >>> held = Activity.of(np.array([0, 0, 1]), np.array([10, 30, 10]), np.array([1.0, 2.0, 4.0]))
        >>> [part.tolist() for part in held.later(np.array([0, 0, 1]), np.array([10, 30, 5]), 20)]
        [[1, 0, 1], [2.0, 0.0, 4.0], [20, -1, 5]]
        """
        start, end = self.place(entity, time, after=True), self.place(entity, time + span, after=True)
        count = end - start
        padded = np.append(self.at, 0)
        gap = np.where(count > 0, padded[np.minimum(start, len(self.at))] - time, -1)
        return count, self.total[end] - self.total[start], gap


def shared_codes(first: Dataset, second: Dataset, column: str) -> tuple[Ints, Ints, int]:
    """Return a column's values in two datasets as one set of codes (-1 where missing), and how many there are."""
    one, words = first.segment(column)
    known = {word: place for place, word in enumerate(words)}
    mine = np.where(first.column(column).present, one, -1).astype(np.int64)
    if second is first:
        return mine, mine, len(words)
    two, others = second.segment(column)
    link = np.array([known.setdefault(word, len(known)) for word in others], dtype=np.int64)
    theirs = link[two] if len(link) else np.zeros(0, dtype=np.int64)
    return mine, np.where(second.column(column).present, theirs, -1).astype(np.int64), len(known)


def days_of(micros: Ints) -> Floats:
    """Return microseconds as days."""
    return micros / float(DAY)
