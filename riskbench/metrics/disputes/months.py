"""Which months do the events span, and in which do disputes of events from before them still come in?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_DAY = 86_400_000_000
#: A month lacks disputes of earlier events until this share of all disputes would have come in.
_IN = 0.95


@dataclass(frozen=True, slots=True)
class Seen:
    """What stretch of time the data hold, in microseconds since 1970.

    Attributes
    ----------
    zone : str
        The zone of the wall clock that months are cut on.
    first, until : int
        The first event and the last.
    last : int
        The last event or verdict, whichever is later.
    full : int
        From when on nearly all disputes that come in are of events in the data.
    """

    zone: str
    first: int
    until: int
    last: int
    full: int

    @classmethod
    def of(cls, events: Dataset, known: Mask, *, end: int | None, waits: Ints) -> Seen:
        """Return what some known events hold; `waits` are the microseconds until each dispute came in."""
        times, told = events.column("time").values[known], events.column("label_time")
        verdicts = told.values[told.present if end is None else told.present & (told.values <= end)]
        first, until = (int(times.min()), int(times.max())) if len(times) else (end or 0, end or 0)
        last = max(until, int(verdicts.max())) if len(verdicts) else until
        wait = max(0, int(np.quantile(waits, _IN))) if len(waits) else 0
        return cls(str(events.time_zone), first, until, last, first + wait)

    @property
    def months(self) -> tuple[int, int]:
        """The first month and the last, counted since 1970."""
        low, high = _months(np.array([self.first, self.last]), self.zone)
        return int(low), int(high)

    def whole(self, month: int, before: int) -> bool:
        """Tell whether verdicts span a month, and events the one whose transactions it is set against."""
        return (
            self.first < self._start(before) + _DAY
            and self.until >= self._start(before + 1) - _DAY
            and self.last >= self._start(month + 1) - _DAY
        )

    def lacks(self, month: int) -> bool:
        """Tell whether disputes that came in in a month are of events from before the data, which it does not hold."""
        return self._start(month) + _DAY < self.full

    def _start(self, month: int) -> int:
        stamp = pd.Timestamp(year=1970 + month // 12, month=month % 12 + 1, day=1, tz=self.zone)
        return int(stamp.tz_convert("UTC").value // 1000)


def months_of(events: Dataset, moments: Ints) -> Ints:
    """Return the months since 1970 of some moments, on the wall clock of the events' zone."""
    return _months(moments, str(events.time_zone))


def by_month(months: Ints, span: tuple[int, int]) -> Ints:
    """Return how many lie in each month of a span."""
    first, last = span
    inside = months[(months >= first) & (months <= last)] - first
    return np.bincount(inside, minlength=last - first + 1)


def _months(moments: Ints, zone: str) -> Ints:
    local = pd.to_datetime(moments, unit="us", utc=True).tz_convert(zone)
    return np.asarray((local.year - 1970) * 12 + local.month - 1, dtype=np.int64)
