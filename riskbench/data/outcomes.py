"""What can be decided about an event: each domain's ladder of outcomes, mildest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from riskbench.data.roles import DOMAINS, Domain
from riskbench.errors import ParameterError, listed, nearest

#: What an outcome does to the event: nothing, some friction, a person looks, it is stopped.
Effect = Literal["none", "friction", "review", "stop"]


@dataclass(frozen=True, slots=True)
class Rung:
    """One outcome of a ladder.

    Attributes
    ----------
    name : str
        The outcome's word in rule books and data.
    effect : {"none", "friction", "review", "stop"}
        What it does to the event.
    also : tuple of str
        Other words for it in history columns.
    """

    name: str
    effect: Effect
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ladder:
    """A domain's outcomes in order, mildest first.

    Examples
    --------
    >>> ladder("transactions").names
    ('approve', 'challenge', 'review', 'block')
    """

    domain: Domain
    rungs: tuple[Rung, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The outcomes' words, mildest first."""
        return tuple(rung.name for rung in self.rungs)

    def level(self, outcome: str) -> int:
        """Return an outcome's place on the ladder, 0 for the mildest.

        Raises
        ------
        ParameterError
            When the ladder has no such outcome.
        """
        word = str(outcome).strip().casefold()
        for place, rung in enumerate(self.rungs):
            if word == rung.name or word in rung.also:
                return place
        close = nearest(word, self.names)
        raise ParameterError(
            f"{outcome!r} is not an outcome of the domain {self.domain}",
            allowed=listed(self.names),
            hint=f"did you mean {close!r}?" if close else None,
        )

    def effect(self, outcome: str) -> Effect:
        """Return what an outcome does."""
        return self.rungs[self.level(outcome)].effect

    def first(self, effect: Effect) -> str:
        """Return the mildest outcome with an effect."""
        return next(rung.name for rung in self.rungs if rung.effect == effect)


_STOPPED = ("blocked", "block", "decline", "declined", "reject", "rejected", "refused", "denied", "ban", "banned")
_PASSED = ("approved", "approve", "accept", "accepted", "pass", "passed", "allow", "allowed", "ok")

LADDERS: Mapping[Domain, Ladder] = MappingProxyType(
    {
        "transactions": Ladder(
            "transactions",
            (
                Rung("approve", "none", _PASSED),
                Rung("challenge", "friction", ("challenged", "otp", "3ds", "step_up", "prepay")),
                Rung("review", "review", ("reviewed", "manual_review", "hold", "held")),
                Rung("block", "stop", (*_STOPPED, "cancelled", "canceled")),
            ),
        ),
        "kyc": Ladder(
            "kyc",
            (
                Rung("approve", "none", _PASSED),
                Rung("step_up", "friction", ("liveness", "challenge", "retry")),
                Rung("review", "review", ("reviewed", "manual_review")),
                Rung("reject", "stop", _STOPPED),
            ),
        ),
        "onboarding": Ladder(
            "onboarding",
            (
                Rung("approve", "none", _PASSED),
                Rung("limit", "friction", ("order_cap", "limited", "reserve")),
                Rung("review", "review", ("reviewed", "manual_review")),
                Rung("reject", "stop", _STOPPED),
            ),
        ),
        "affiliation": Ladder(
            "affiliation",
            (
                Rung("pay", "none", (*_PASSED, "paid")),
                Rung("hold", "friction", ("held", "delayed")),
                Rung("review", "review", ("reviewed", "manual_review")),
                Rung("clawback", "stop", (*_STOPPED, "clawed_back")),
            ),
        ),
    }
)
assert set(LADDERS) == set(DOMAINS)


def ladder(domain: Domain) -> Ladder:
    """Return a domain's ladder of outcomes."""
    return LADDERS[domain]
