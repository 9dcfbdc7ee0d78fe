"""Who reviews, and when? Reviewers by queue and shift, checked, as the minutes at which each is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError, listed
from riskbench.metrics.queue.hours import looks_like_hours, minutes_ahead, open_minutes, said, whole
from riskbench.metrics.queue.names import keyed, queue_named

Mask = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.int32]

#: More reviewers in one queue than this are a slip of the pen.
MOST = 2_000

Shifts = Mapping[str, int]
Reviewers = int | Mapping[str, "int | Shifts"]
Hours = str | Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Team:
    """The reviewers of one queue.

    Attributes
    ----------
    shifts : tuple of (str, int)
        Opening hours and how many come then.
    at : int
        The shift in which one more or one fewer counts: the largest, of equals the first.
    """

    shifts: tuple[tuple[str, int], ...]
    at: int

    @property
    def size(self) -> int:
        """How many reviewers there are."""
        return sum(count for _, count in self.shifts)

    def changed(self, by: int) -> Team:
        """Return the team with so many more reviewers in its largest shift."""
        held = [(hours, count + by if place == self.at else count) for place, (hours, count) in enumerate(self.shifts)]
        return Team(tuple(held), self.at)

    def calendars(self) -> Mask:
        """Return the open minutes of each reviewer, those of the largest shift last: one more is the last of all."""
        return np.concatenate([np.tile(open_minutes(hours), (count, 1)) for hours, count in self._ordered()])

    def _ordered(self) -> list[tuple[str, int]]:
        return [shift for place, shift in enumerate(self.shifts) if place != self.at] + [self.shifts[self.at]]

    def ahead(self) -> Steps:
        """Return each reviewer's minutes to the next one at which they are there."""
        lines = [(minutes_ahead(open_minutes(hours)), count) for hours, count in self._ordered()]
        return np.concatenate([np.tile(line, (count, 1)) for line, count in lines])

    def paid(self) -> float:
        """Return the minutes a week that are paid."""
        return float(sum(count * int(open_minutes(hours).sum()) for hours, count in self.shifts))

    def told(self) -> str:
        """Return the team in words."""
        return ", ".join(f"{count} {hours}" for hours, count in self.shifts)


def teams(reviewers: object, hours: object, names: Sequence[str]) -> tuple[Team, ...]:
    """Return the team of each queue.

    Parameters
    ----------
    reviewers : int, or mapping
        A number for every queue; or a number or shifts by queue; or shifts, hours to a number, for every queue.
        Where a key is a queue's name, keys are queues.
    hours : str, or mapping of str to str
        When they are there, for every queue or by queue.
    names : sequence of str
        The queues.

    Raises
    ------
    ParameterError
        For a queue that is not there or is left out, hours that are none, or a number that is none.

    Examples
    --------
    >>> [team.told() for team in teams({"a": 2, "b": {"24x7": 1, "sat 09:00-12:00": 3}}, "mon 08:00-12:00", ["a", "b"])]
    ['2 mon 08:00-12:00', '1 24x7, 3 sat 09:00-12:00']
    """
    if isinstance(reviewers, Mapping) and _are_shifts(reviewers, names):
        return tuple(_team(reviewers, None, name) for name in names)
    own = _by_queue(reviewers, names, "reviewers")
    when = _by_queue(hours, names, "hours")
    return tuple(_team(own[name], when[name], name) for name in names)


def _are_shifts(given: Mapping[object, object], names: Sequence[str]) -> bool:
    """Tell whether the keys are shifts for every queue; where one is a queue's name, keys are queues."""
    shifts = [key for key in given if queue_named(key, names) is None and looks_like_hours(key)]
    if shifts and len(shifts) < len(given):
        raise ParameterError(
            "reviewers mixes queues and shifts",
            got=listed(said(key) for key in given),
            allowed='shifts for every queue, or each queue by name: {"payments": {"mon-fri 09:00-18:00": 3}}',
            hint=f"the queues are {listed(names)}",
        )
    return bool(shifts)


def _by_queue(given: object, names: Sequence[str], what: str) -> dict[str, object]:
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, given)
    held = keyed(given, names, what)
    absent = [name for name in names if name not in held]
    if absent:
        raise ParameterError(
            f"{what} leaves out a queue", got=listed(held), allowed=listed(names), hint=f"add {absent[0]!r}"
        )
    return held


def _team(given: object, hours: object, name: str) -> Team:
    if isinstance(given, Mapping):
        if not given:
            raise ParameterError(f"The shifts of {name!r} are empty", allowed='{"mon-fri 09:00-18:00": 3}')
        shifts = tuple((_hours(when), _count(count, name)) for when, count in given.items())
    else:
        shifts = ((_hours(hours), _count(given, name)),)
    return Team(shifts, max(range(len(shifts)), key=lambda place: (shifts[place][1], -place)))


def _hours(given: object) -> str:
    open_minutes(given)
    return str(given)


def _count(given: object, name: str) -> int:
    count = whole(given)
    if count is None or not 0 <= count <= MOST:
        raise ParameterError(f"The reviewers of {name!r} are a whole number", got=said(given), allowed=f"0 to {MOST:,}")
    return count
