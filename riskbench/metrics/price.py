"""What is one event worth at each outcome? Stated costs as a slope on its money, less its handling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.outcomes import Effect
from riskbench.metrics.costs import Costs, Worth

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Price:
    """What an event is worth at each ladder level: `slope` times its money, less `handling`.

    Attributes
    ----------
    slope : ndarray of float64, shape (3, levels)
        Money gained per minor unit of the event's money, in major units: good, fraud, unlabelled.
    handling : ndarray of float64, shape (levels,)
        Cost of handling one event, in major units.
    saved : ndarray of float64, shape (levels,)
        Share of a fraud's money that is saved, per minor unit, in major units.
    """

    slope: Floats
    handling: Floats
    saved: Floats

    @classmethod
    def of(
        cls,
        costs: Costs,
        effects: Sequence[Effect],
        *,
        loss_weight: float,
        margin_weight: float,
        scale: int,
        money: bool,
        account: str = "",
    ) -> Price:
        """Return the price of each level under stated costs; without money each event counts as one.

        With `account` a good event's money is the value of the account that it is about; see `Costs.good_cost`.
        """
        saved = np.array([costs.fraud_gain(effect) for effect in effects]) * loss_weight / scale
        spoiled = np.array([costs.good_cost(effect, account=account) for effect in effects]) * margin_weight / scale
        handling = np.array([costs.handling(effect) if money else 0.0 for effect in effects])
        return cls(np.stack([-spoiled, saved, np.zeros(len(saved))]), handling, saved)

    def worth(self, counts: Ints, money: Ints) -> Floats:
        """Return the summed worth of cells of shape (..., 3, levels)."""
        return (self.slope * money - self.handling * counts).sum(axis=(-2, -1))

    def each(self, kinds: Small, money: Ints, levels: Small) -> Floats:
        """Return the worth of each event at its level."""
        return np.asarray(self.slope[kinds, levels] * money - self.handling[levels])

    def gain(self, kinds: Small, money: Ints, *, before: Small, after: Small) -> Floats:
        """Return what each event is worth more at its level after than at its level before."""
        return self.each(kinds, money, after) - self.each(kinds, money, before)

    def second(self, counts: Ints, money: Ints, squares: Floats) -> Floats:
        """Return the sum of squared worths of cells of shape (..., 3, levels)."""
        a, h = self.slope, self.handling
        return (a * a * squares - 2 * a * h * money + h * h * counts).sum(axis=(-2, -1))


def price(held: Worth, costs: Costs, effects: Sequence[Effect], *, scale: float) -> Price:
    """Return what each ladder level is worth under stated costs, for events of this worth.

    Parameters
    ----------
    held : Worth
        The events' money; says which stated shares apply.
    costs : Costs
        The stated costs.
    effects : sequence of str
        The effect of each level.
    scale : float
        Minor units in one major unit; not used where there is no money, since each event then counts as one.
    """
    return Price.of(
        costs,
        effects,
        loss_weight=held.loss_weight(costs),
        margin_weight=held.margin_weight(costs),
        scale=int(scale) if held.money else 1,
        money=held.money,
        account=held.account,
    )
