"""What an estimate is: a value with its interval, what it rests on, and why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value that is not simply counted.

    Attributes
    ----------
    value, lower, upper : float or None
        The estimate with its 95 % interval; None where it is not measurable.
    n : int
        How many events with a verdict bear it.
    corrected : float, 0..1
        The share of the value that rests on correction (for late labels, for events without one) and not on what
        was counted.
    why : str
        Why it is not measurable; empty where it is.
    """

    value: float | None
    lower: float | None
    upper: float | None
    n: int
    corrected: float = 0.0
    why: str = ""

    @classmethod
    def none(cls, why: str, *, n: int = 0) -> Estimate:
        """Return that there is no estimate, and why."""
        return cls(None, None, None, n, 0.0, why)

    @property
    def measurable(self) -> bool:
        """Whether there is a value."""
        return self.value is not None
