"""What history did to each event: a simple rule policy that grew over the months, and a random holdout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.marketplace.people import Floats, Ints, Rng
from riskbench.data.outcomes import ladder
from riskbench.data.roles import Domain

Mask = npt.NDArray[np.bool_]

#: The chance that an event which a rule would stop is let through to learn from it.
HOLDOUT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class PastRule:
    """A rule of the past with the events that it hit.

    Attributes
    ----------
    id : str
        As in the shipped book, where it lives on.
    outcome : str
        A word of the domain's ladder.
    priority : int
        The smallest decides.
    hit : ndarray of bool
        The events that met its condition.
    since : ndarray of bool or None
        Where it was live already; None: from the start.
    never_let_through : bool
        True for failed KYC, sanctions and confirmed stolen cards.
    """

    id: str
    outcome: str
    priority: int
    hit: Mask
    since: Mask | None = None
    never_let_through: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What history decided.

    Attributes
    ----------
    outcome : ndarray of int8
        Place on the domain's ladder.
    rule : ndarray of int8
        Number of the deciding rule, -1 for none.
    rules : tuple of str
        The ids of the rules.
    let_through : ndarray of float
        Chance that the event was not stopped.
    holdout : ndarray of bool
        Would have been stopped, and was let through.
    """

    outcome: npt.NDArray[np.int8]
    rule: npt.NDArray[np.int8]
    rules: tuple[str, ...]
    let_through: Floats
    holdout: Mask


def decide(rng: Rng, domain: Domain, rules: Sequence[PastRule], rows: int) -> Decided:
    """Return what a policy decided about each event.

    Parameters
    ----------
    rng : Generator
        The source of chance, for the holdout.
    domain : str
        Whose ladder of outcomes holds.
    rules : sequence of PastRule
        The policy.
    rows : int
        The number of events.
    """
    steps = ladder(domain)
    outcome, rule = np.zeros(rows, dtype=np.int8), np.full(rows, -1, dtype=np.int8)
    chance = np.ones(rows)
    # Last come the smallest priorities, the harshest among equals: they overwrite the others.
    for place, past in sorted(
        enumerate(rules), key=lambda pair: (-pair[1].priority, steps.level(pair[1].outcome), -pair[0])
    ):
        hit = past.hit if past.since is None else past.hit & past.since
        outcome[hit], rule[hit] = steps.level(past.outcome), place
        stops = steps.effect(past.outcome) == "stop"
        chance[hit] = (0.0 if past.never_let_through else HOLDOUT) if stops else 1.0
    holdout = (chance < 1.0) & (rng.random(rows) < chance)
    outcome[holdout] = 0
    return Decided(outcome, rule, tuple(past.id for past in rules), chance, holdout)


def score(rng: Rng, shift: Floats, evidence: Floats, *, base: float = -2.6, slope: float = 1.15) -> Floats:
    """Return a model's score in 0..1: noise, what it sees in the columns, and how far frauds stand out to it."""
    drawn = rng.normal(0.0, 1.0, len(shift)) + shift + evidence
    return np.round(1.0 / (1.0 + np.exp(-(base + slope * drawn))), 5)


def since(moment: Ints, launch: Ints) -> Mask:
    """Return where a rule was live: at or after its launch."""
    return moment >= launch
