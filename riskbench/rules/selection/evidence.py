"""What is known about a set of events, some of which history stopped: each figure counted, estimated and bounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import micros
from riskbench.data.labels import FRAUD, GOOD, YOUNG, without_channel
from riskbench.metrics.costs import Costs
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.maturity import Matured, matured
from riskbench.metrics.selection import (
    Bounds,
    Inclusion,
    bounds,
    expected_fraud,
    inclusion,
    robust_total,
    weighted_total,
)
from riskbench.rules.hits import Hits

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Frauds and good events whose verdict a model of the score needs at least; below, all events are expected alike.
LEARNT = 10


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known about each event, and what it counts; all arrays of shape (rows,).

    Attributes
    ----------
    included : Inclusion
        The chance of each event to pass.
    late : Matured
        Which events are old enough, and what a known fraud stands for because labels are late.
    chance : ndarray of float64
        The same; 1 of a stopped event whose verdict is known and for which no other stands.
    labelled : ndarray of bool
        Events that passed and have a verdict, or are old enough to be corrected for late ones.
    told : ndarray of bool
        The same, and stopped events whose verdict became known.
    verdict, fraud : ndarray of bool
        Events with a verdict of any kind, and known frauds.
    young : ndarray of bool
        Events of which silence does not mean good yet.
    weight : ndarray of float64
        What each known fraud stands for because labels are late.
    expected : ndarray of float64
        The chance of fraud expected of each event by its score.
    value, loss, stake, margin : ndarray of float64
        The event's value, what it costs as a known fraud, what at most as a fraud, and what it earns as a good one,
        in major units; 1 without money.
    learnt : bool
        Whether a score tells events apart.
    money : bool
        Whether there is money.
    """

    included: Inclusion
    late: Matured
    chance: Floats
    labelled: Mask
    told: Mask
    verdict: Mask
    fraud: Mask
    young: Mask
    weight: Floats
    expected: Floats
    value: Floats
    loss: Floats
    stake: Floats
    margin: Floats
    learnt: bool
    money: bool

    @classmethod
    def of(cls, held: Hits, costs: Costs, *, score: str | None) -> Evidence:
        """Return what is known about the events of some hits."""
        labels, dataset = held.labels, held.dataset
        included = inclusion(dataset, labels)
        late = matured(dataset, labels)
        state = labels.state
        mature = (state == GOOD) | (state == FRAUD)
        told = late.measurable & (mature if late.why else mature | (state == YOUNG))
        stands = told & (included.weight > 0)
        fraud = state == FRAUD
        chance = np.where(told & ~(stands & (included.chance > 0)) & (included.chance <= 0), 1.0, included.chance)
        # Where nobody can dispute, silence is no verdict: of those let through only frauds are told, and none stands.
        chance = np.where(without_channel(dataset) & (chance > 0), 1.0, chance)
        known = stands & mature & (late.share >= 0.9)
        frauds, good = int((known & fraud).sum()), int((known & ~fraud).sum())
        learnt = score is not None and min(frauds, good) >= LEARNT
        column = dataset.column(score) if learnt and score is not None else None
        seen = (
            np.where(column.present, column.values.astype(np.float64), np.nan)
            if column is not None
            else np.zeros(dataset.rows)
        )
        worth = held.worth
        scale = held.scale if worth.money else 1.0
        loss = np.asarray(worth.loss * worth.loss_weight(costs) / scale, dtype=np.float64)
        return cls(
            included=included,
            late=late,
            chance=chance,
            labelled=stands,
            told=told,
            verdict=mature,
            fraud=fraud,
            young=_young(held),
            weight=np.where(fraud & told, np.maximum(late.weight, 1.0), 1.0),
            expected=expected_fraud(seen, fraud, known),
            value=worth.value / scale,
            loss=loss,
            # What stopped events would have lost is in no column; it is at most what they are worth.
            stake=np.maximum(loss, worth.value / scale) if worth.loss_measured else loss,
            margin=np.asarray(worth.margin * worth.margin_weight(costs) / scale, dtype=np.float64),
            learnt=learnt,
            money=worth.money,
        )

    @property
    def rest(self) -> Mask:
        """Stopped events for which let-through ones stand."""
        return ~self.labelled & (self.chance > 0) & (self.chance < 1)

    @property
    def sampled(self) -> Mask:
        """Let-through events with a verdict."""
        return self.labelled & (self.chance > 0) & (self.chance < 1)

    @property
    def hidden(self) -> Mask:
        """Stopped events without any verdict."""
        return (self.rest | self.included.never) & ~self.told

    def total(self, rows: Mask, size: Floats, actual: Floats, *, robust: bool) -> Estimate:
        """Return what the frauds of some events sum to, of those that could pass.

        Parameters
        ----------
        rows : ndarray of bool
            The events.
        size, actual : ndarray of float64
            What a fraud counts at most, and what a known one does.
        robust : bool
            Whether the model is asked too.
        """
        at = np.flatnonzero(rows)
        labelled, chance, weight, held = self.labelled[at], self.chance[at], self.weight[at], size[at]
        values = actual[at] * (self.fraud[at] & labelled)
        if robust:
            return robust_total(values, labelled, chance, expected=self.expected[at], size=held, weight=weight)
        return weighted_total(values, labelled, chance, size=held, weight=weight)

    def ends(self, rows: Mask, size: Floats, actual: Floats) -> Bounds:
        """Return between which ends the frauds of all of some events sum, whatever those without a verdict are."""
        at = np.flatnonzero(rows)
        verdict = self.verdict[at]
        # Frauds told early are no random part of the young, and stopped ones whose verdict is known none of the rest.
        apart = self.young[at] | (verdict & ~self.labelled[at])
        chance = np.where(apart, 1.0, self.chance[at])
        return bounds(actual[at] * (self.fraud[at] & verdict), verdict, chance, size=size[at])


def _young(held: Hits) -> Mask:
    """Return the events too young for silence to mean good."""
    until, dataset = held.labels.mature_until, held.dataset
    if until is None or not dataset.has("time"):
        return np.zeros(dataset.rows, dtype=bool)
    time = dataset.column("time")
    return time.present & (time.values > micros(until))
