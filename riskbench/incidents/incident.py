"""What is investigated: a window, what it is compared with, and the part of the events it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import pandas as pd

from riskbench.data.dataset import micros
from riskbench.errors import ParameterError


@dataclass(frozen=True)
class Incident:
    """A window of time in which something went wrong, and what it is compared with.

    Make one from an alarm, a complaint or a finding of `riskbench.scan`, and hand it to `riskbench.investigate`.
    A window a little wider than the suspicion is best: the investigation finds the start itself.

    Parameters
    ----------
    start, end : str
        The window, ISO, the end exclusive; without a zone they are UTC.
    baseline : pair of str, optional
        The window it is compared with; by default all that the data holds before `start`; where that is
        nothing, all that it holds after `end`.
    where : str, optional
        A condition in the rule language: only these events are investigated, in both windows.
    title : str, optional
        What pages call it.
    measure : str, optional
        What went wrong: `fraud`, `fraud:<label source>`, `events`, `amount`, `alerts`, `score`, `flagged`, or a money
        measure such as `commission`;
        by default the fraud told, and where none is told yet the measure that changed most.

    Examples
    --------
    >>> from riskbench import Incident
    >>> Incident("2026-11-11", "2026-11-13", title="Refused deliveries")
    Incident('Refused deliveries', 2026-11-11 00:00 to 2026-11-13 00:00 UTC)
    """

    start: str
    end: str
    _: KW_ONLY
    baseline: tuple[str, str] | None = None
    where: str | None = None
    title: str | None = None
    measure: str | None = None

    def __post_init__(self) -> None:
        _ordered(self.start, self.end, "the window")
        if self.baseline is not None:
            if isinstance(self.baseline, str) or not isinstance(self.baseline, Sequence) or len(self.baseline) != 2:
                raise ParameterError("The baseline is a pair of moments", got=repr(self.baseline)[:200])
            object.__setattr__(self, "baseline", tuple(self.baseline))
            _ordered(*self.baseline, "the baseline")
            if micros(self.baseline[1]) > micros(self.start) and micros(self.baseline[0]) < micros(self.end):
                raise ParameterError(
                    "The baseline and the window share events",
                    got=f"{self.baseline[0]} to {self.baseline[1]}, and {self.start} to {self.end}",
                    allowed="a baseline that ends before the window starts, or begins after it",
                )
        for name in ("where", "title", "measure"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise ParameterError(f"An incident's {name!r} is text", got=repr(value)[:200])

    @property
    def window(self) -> tuple[int, int]:
        """The window in microseconds since 1970, UTC."""
        return micros(self.start), micros(self.end)

    @property
    def name(self) -> str:
        """What pages call it."""
        return self.title or f"Incident of {_shown(self.start)[:10]}"

    def __repr__(self) -> str:
        return f"Incident({self.name!r}, {_shown(self.start)} to {_shown(self.end)} UTC)"


def _ordered(start: object, end: object, said: str) -> None:
    for moment in (start, end):
        if not isinstance(moment, str | pd.Timestamp):
            raise ParameterError(f"An end of {said} is no moment", got=repr(moment)[:200], allowed="ISO text")
    if micros(start) >= micros(end):  # type: ignore[arg-type]
        raise ParameterError(f"The end of {said} is not after its start", got=f"{start} to {end}")


def _shown(moment: str) -> str:
    return f"{pd.Timestamp(micros(moment), unit='us'):%Y-%m-%d %H:%M}"
