"""How much more does net value vary because flips come together: by one entity, or in weeks that differ?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import micros
from riskbench.data.labels import FRAUD, GOOD, YOUNG
from riskbench.engine.columns import DAY
from riskbench.metrics.money import FEWEST_WEEKS, weekly_clumping
from riskbench.metrics.price import Price
from riskbench.rules.maturing import Maturing
from riskbench.rules.moves import swell

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Together:
    """How many times the variance of a change in net value grows because flips come together.

    Attributes
    ----------
    entities : float, 1 or more
        Because flips of one entity come together.
    whose : str
        The role of entities by which they do; empty where they do not.
    all : float
        Because of that, or because weeks differ, whichever is more.
    weeks : int
        The whole weeks by which that was seen; 0 where they are too few, or there is no time.
    """

    entities: float = 1.0
    whose: str = ""
    all: float = 1.0
    weeks: int = 0


#: Each flip comes on its own.
ALONE = Together()


def together(
    maturing: Maturing,
    price: Price,
    rows: npt.NDArray[np.intp],
    *,
    was: npt.NDArray[np.integer],
    now: npt.NDArray[np.integer],
    week: tuple[Ints, int] | None = None,
    named: npt.NDArray[np.integer] | None = None,
) -> Together:
    """Return how flips come together.

    Weeks are blocks of seven days from the first event, flips or not; those too young to be told are left out, known
    frauds stand for the late ones, and young events for good ones.

    Parameters
    ----------
    maturing : Maturing
        What each event of the second book's hits stands for.
    price : Price
        What an event is worth at each level.
    rows : ndarray of intp
        The flips.
    was, now : ndarray of int64, shape (rows,)
        The ladder level of each event before and after.
    week : (ndarray of int64, int), optional
        What `weeks_of` returns, where it was counted already.
    named : ndarray of int, shape (flips,), optional
        Which of the entities that are named beforehand each flip belongs to, below 0 where to none.
    """
    held, first, last = maturing.held, was[rows], now[rows]
    value = price.gain(held.kinds[rows], held.stake[rows], before=first, after=last)  # type: ignore[arg-type]
    entities, whose = swell(held, rows, value, named=named)
    if not len(rows) or not held.dataset.has("time") or not held.worth.money:
        return Together(entities, whose, entities)
    found = maturing.matured
    own_week, weeks = weeks_of(maturing) if week is None else week
    if weeks < FEWEST_WEEKS:
        return Together(entities, whose, entities)
    state = held.labels.state[rows]
    step = price.slope[GOOD, last] - price.slope[GOOD, first]
    good = step * held.worth.margin[rows] - (price.handling[last] - price.handling[first])
    counts = (state <= FRAUD) | ((state == YOUNG) & maturing.due[rows])
    value = np.where(state == YOUNG, good, value)
    value = np.where(state == FRAUD, value + (value - good) * (found.weight[rows] - 1.0), value)
    own = np.where(counts & found.measurable[rows], own_week[rows], -1)
    return Together(entities, whose, weekly_clumping(value, own, weeks=weeks, together=entities), weeks)


def weeks_of(maturing: Maturing) -> tuple[Ints, int]:
    """Return the whole week of each event, from the first event on, -1 outside of these; and how many there are."""
    held, until = maturing.held, maturing.matured.until
    column = held.dataset.column("time")
    times, present = column.values.astype(np.int64), column.present
    if not present.any():
        return np.full(len(times), -1, dtype=np.int64), 0
    start, end = int(times[present].min()), int(times[present].max()) + 1
    if until is not None:
        end = min(end, micros(until))
    weeks = max(0, (end - start) // _WEEK)
    week = (times - start) // _WEEK
    return np.where(present & (week >= 0) & (week < weeks), week, -1), weeks
