"""What can go wrong: each event's share in a sum or a rate that an incident may move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import BLOCKED, FRAUD
from riskbench.data.outcomes import ladder
from riskbench.errors import ParameterError, listed, nearest
from riskbench.incidents.scope import Scope

Unit = Literal["share", "count", "money", "score"]


@dataclass(frozen=True, eq=False)
class Measure:
    """One quantity that an incident may move.

    Attributes
    ----------
    name : str
        What parameters call it: `fraud`, `events`, `amount`, `alerts`, `score`, or a money measure.
    title : str
        What pages call it.
    unit : {"share", "count", "money", "score"}
        How to read it; a share is a rate, the others are sums, except the score, which is a mean.
    amount : ndarray of int64, shape (rows,)
        Each event's share in the numerator: a count, or minor units of money.
    exposure : ndarray of float64, shape (rows,) or None
        Each event's share in the denominator of a rate; 0 where it is not measurable. None: a sum.
    """

    name: str
    title: str
    unit: Unit
    amount: npt.NDArray[np.int64]
    exposure: npt.NDArray[np.float64] | None = None


def measures(scope: Scope) -> tuple[Measure, ...]:
    """Return every measure that the events allow, the fraud told first."""
    dataset = scope.dataset
    found: list[Measure] = []
    if dataset.roles.label is not None:
        state = scope.state.state
        can = (state != BLOCKED).astype(np.float64)
        found.append(Measure("fraud", "fraud told", "share", (state == FRAUD).astype(np.int64), can))
    found.append(Measure("events", "events", "count", np.ones(dataset.rows, dtype=np.int64)))
    if dataset.has("amount"):
        found.append(Measure("amount", "amount", "money", dataset.minor("amount")))
    for meaning, column in dataset.roles.measures.items():
        if meaning not in ("loss", "margin"):
            found.append(Measure(meaning, meaning, "money", dataset.minor(column)))
    if dataset.roles.outcome is not None:
        codes, names = dataset.segment(dataset.roles.outcome)
        steps = ladder(dataset.domain)
        alerted = np.array([name != "(missing)" and steps.effect(name) != "none" for name in names], dtype=bool)
        found.append(
            Measure(
                "alerts", "events not waved through", "share", alerted[codes].astype(np.int64), np.ones(dataset.rows)
            )
        )
    return tuple(found)


def measure_of(scope: Scope, name: str) -> Measure:
    """Return a measure by its name.

    Raises
    ------
    ParameterError
        When the events do not allow a measure of that name.
    """
    held = {measure.name: measure for measure in measures(scope)}
    if name not in held:
        close = nearest(name, held)
        raise ParameterError(
            f"{name!r} is not a measure of these events",
            allowed=listed(held),
            hint=f"did you mean {close!r}?" if close else None,
        )
    return held[name]
