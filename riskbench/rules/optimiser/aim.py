"""What is a search after in money, and what must it keep to? Both from the totals of each outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import Effect
from riskbench.metrics.constraints import Constraint, Rate
from riskbench.metrics.price import Price
from riskbench.rules.signature import Cells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: What each set of hits weighs: events by what is known of them, what is at stake in the good and the frauds.
GOODS, FRAUDS, UNKNOWNS, GOOD_STAKE, FRAUD_STAKE = range(5)
#: Rates are ratios of counts: a last-bit difference is not a breach.
_HAIR = 1e-12


def weights(cells: Cells) -> Ints:
    """Return what each group of events weighs, in the columns that an `Aim` reads."""
    return np.ascontiguousarray(np.concatenate([cells.count, cells.stake[:, [GOOD, FRAUD]]], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """Net value under stated costs, within limits.

    Attributes
    ----------
    price : Price
        What each ladder level is worth.
    effects : tuple of str
        The effect of each level.
    limits : tuple of Constraint
        What must be kept to.
    """

    price: Price
    effects: tuple[Effect, ...]
    limits: tuple[Constraint, ...] = ()

    @property
    def _worth(self) -> Floats:
        """What one of each column is worth at each level, shape (levels, columns)."""
        slope, handling = self.price.slope, self.price.handling
        return np.stack([-handling, -handling, -handling, slope[GOOD], slope[FRAUD]], axis=1)

    def value(self, totals: Ints, live: Ints) -> Floats:  # noqa: ARG002
        """Return the net value of totals of shape (..., levels, columns), in major units."""
        return np.asarray((totals * self._worth).sum(axis=(-2, -1)))

    def broken(self, totals: Ints, live: Ints) -> Floats:  # noqa: ARG002
        """Return by how much totals break the limits together; 0 where they keep them all."""
        out = np.zeros(totals.shape[:-2])
        for limit in self.limits:
            out += self.breach(totals, limit)
        return out

    def breach(self, totals: Ints, limit: Constraint) -> Floats:
        """Return by how much totals break one limit; a rate that cannot be measured does not keep an `at_least`."""
        rate = self.rate(totals, limit.rate)
        over = rate - limit.bound if limit.side == "at_most" else limit.bound - rate
        over = np.where(over <= _HAIR, 0.0, over)
        return np.where(np.isnan(rate), 0.0 if limit.side == "at_most" else limit.bound, over)

    def rate(self, totals: Ints, name: Rate) -> Floats:
        """Return one rate of totals; NaN where there is nothing to measure it on."""
        alert, hard, review = (np.isin(self.effects, kinds) for kinds in _COUNTED)
        counts = totals[..., :, :3]
        if name in ("alert_rate", "review_rate", "approval_rate"):
            levels = {"alert_rate": alert, "review_rate": review, "approval_rate": ~hard}[name]
            part, whole = counts[..., levels, :].sum(axis=(-2, -1)), counts.sum(axis=(-2, -1))
        elif name == "insult_rate":
            part, whole = counts[..., hard, GOODS].sum(axis=-1), counts[..., GOODS].sum(axis=-1)
        else:
            part = counts[..., alert, FRAUDS].sum(axis=-1)
            good = counts[..., alert, GOODS].sum(axis=-1)
            whole = part + good if name == "precision" else counts[..., FRAUDS].sum(axis=-1)
        return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)

    def three(self, totals: Ints) -> Floats:
        """Return loss (fraud money let through, in major units), insults and reviews, shape (..., 3)."""
        _, hard, review = (np.isin(self.effects, kinds) for kinds in _COUNTED)
        left = self.price.saved.max() - self.price.saved
        loss = (totals[..., FRAUD_STAKE] * left).sum(axis=-1)
        insults = totals[..., hard, GOODS].sum(axis=-1)
        reviews = totals[..., review, :3].sum(axis=(-2, -1))
        return np.stack([loss, insults, reviews], axis=-1).astype(np.float64)

    def three_within(self, totals: Ints) -> Floats:
        """Return the same, infinite where a limit is broken."""
        broken = self.broken(totals, np.zeros(1, dtype=np.int64)) > 0
        return np.where(broken[..., None], np.inf, self.three(totals))


_COUNTED: Sequence[tuple[str, ...]] = (("friction", "review", "stop"), ("review", "stop"), ("review",))
