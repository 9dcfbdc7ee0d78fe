"""With which chance should each stratum of stopped events pass? The most knowledge for the value put at risk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: No stopped event passes more often than this; where no budget asks for it, none that may pass does so less often.
MOST, LEAST = 0.5, 0.005
#: Nobody knows beforehand that all events of a stratum are alike: a smaller variance is not believed.
_VARIANCE = 0.05


def spread_of(share: Floats) -> Floats:
    """Return the variance of one event's verdict, not below what is believed beforehand."""
    return np.maximum(share * (1 - share), _VARIANCE)


def half_width(events: Floats, share: Floats, chance: Floats, *, rule: Ints, rules: int) -> Floats:
    """Return how far each rule's precision is known after one week: half of its 95 % interval; infinite without rows.

    Parameters
    ----------
    events, share, chance : ndarray of float64, shape (strata,)
        Events a week, their expected share of frauds, and the chance to pass.
    rule : ndarray of int64
        Which rule a stratum belongs to.
    rules : int
        How many there are.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(events > 0, events * spread_of(share) * (1 - chance) / chance, 0.0)
        whole = np.bincount(rule, events, rules)
        return np.where(whole > 0, Z95 * np.sqrt(np.bincount(rule, each, rules)) / whole, np.inf)


def allotted(
    events: Floats, risk: Floats, share: Floats, *, rule: Ints, rules: int, within: float, budget: float | None
) -> Floats:
    """Return each stratum's chance to pass.

    Within a rule the chance goes with the root of the variance over the value put at risk by one event (Neyman's
    allocation with costs): small orders teach as much as large ones and cost less. Each rule gets what it needs to
    be known as well as asked; where the budget does not bear that, the rules share it so that the sum of their
    variances is least.

    Parameters
    ----------
    events, risk, share : ndarray of float64, shape (strata,)
        Events a week, the sum of their value a week, and their expected share of frauds.
    rule : ndarray of int64
        Which rule a stratum belongs to.
    rules : int
        How many there are.
    within : float
        The half width asked for, of one week's events.
    budget : float or None
        The value put at risk a week, at most.

    Examples
    --------
    >>> ends = dict(rule=np.array([0, 0]), rules=1, within=0.2)
    >>> events, risk, share = np.array([100.0, 100.0]), np.array([1000.0, 16_000.0]), np.array([0.3, 0.3])
    >>> found = allotted(events, risk, share, budget=None, **ends)
    >>> bool(np.isclose(found[0], 4 * found[1]))
    True
    >>> tight = allotted(events, risk, share, budget=100.0, **ends)
    >>> round(float(tight @ risk), 6)
    100.0

    Source: Neyman, J. (1934), On the two different aspects of the representative method, Journal of the Royal
    Statistical Society 97, 558-625; with costs, Cochran, W. G. (1977), Sampling Techniques, 3rd ed., section 5.5.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.where(events > 0, np.sqrt(spread_of(share) * events / np.maximum(risk, 1e-12)), 0.0)
    whole = np.bincount(rule, events, rules)
    out = np.zeros(len(events))
    for one in range(rules):
        own = (rule == one) & (events > 0)
        if own.any():
            alone = np.zeros(int(own.sum()), dtype=np.int64)

            def reached(scale: float, own: npt.NDArray[np.bool_] = own, alone: Ints = alone) -> bool:
                chance = _clipped(scale * shape[own])
                return float(half_width(events[own], share[own], chance, rule=alone, rules=1)[0]) <= within

            out[own] = _clipped(_least(reached) * shape[own])
    if budget is not None and float(out @ risk) > budget:
        alike = np.where(events > 0, shape / np.maximum(whole[rule], 1e-12), 0.0)
        scale = _least(lambda scale: float(np.minimum(scale * alike, MOST) @ risk) >= budget)
        out = np.minimum(scale * alike, MOST)
        spent = float(out @ risk)
        out = out * min(1.0, budget / spent) if spent > 0 else out
    return out


def _clipped(chance: Floats) -> Floats:
    return np.clip(chance, LEAST, MOST)


def _least(holds: Callable[[float], bool]) -> float:
    """Return the smallest scale at which something holds that stays true as the scale grows."""
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        if holds(float(np.exp(middle))):
            high = middle
        else:
            low = middle
    return float(np.exp(high))
