"""What a cut must keep to: limits on the rates that a region cares for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from riskbench.errors import ParameterError, listed, nearest

Rate = Literal["alert_rate", "review_rate", "insult_rate", "approval_rate", "precision", "recall"]
RATES: tuple[Rate, ...] = get_args(Rate)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on one rate.

    Attributes
    ----------
    rate : str
        alert_rate, review_rate, insult_rate, approval_rate, precision or recall.
    bound : float, 0..1
        The limit.
    side : {"at_most", "at_least"}
        Which side of the limit is allowed.
    """

    rate: Rate
    bound: float
    side: Literal["at_most", "at_least"]

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            close = nearest(str(self.rate), RATES)
            raise ParameterError(
                f"{self.rate!r} cannot be constrained",
                allowed=listed(RATES),
                hint=f"did you mean {close!r}?" if close else None,
            )
        if isinstance(self.bound, bool) or not isinstance(self.bound, int | float) or not 0 <= self.bound <= 1:
            raise ParameterError(f"The limit on {self.rate} is a share", got=repr(self.bound), allowed="0..1")

    def __str__(self) -> str:
        return f"{self.rate} {'at most' if self.side == 'at_most' else 'at least'} {self.bound:g}"


def at_most(rate: Rate, bound: float) -> Constraint:
    """Return the constraint that a rate stays at or under a limit.

    >>> from riskbench import at_most
    >>> print(at_most("review_rate", 0.02))
    review_rate at most 0.02
    """
    return Constraint(rate, bound, "at_most")


def at_least(rate: Rate, bound: float) -> Constraint:
    """Return the constraint that a rate stays at or over a limit.

    >>> from riskbench import at_least
    >>> print(at_least("approval_rate", 0.97))
    approval_rate at least 0.97
    """
    return Constraint(rate, bound, "at_least")
