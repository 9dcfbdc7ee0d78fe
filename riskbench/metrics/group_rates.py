"""Is a group treated otherwise than all others? Shares with weights, their difference, and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import wilson
from riskbench.metrics.paying import clustered
from riskbench.metrics.share_change import exact_p

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of some events, each standing for as many as its weight says.

    Attributes
    ----------
    value : float or None
        The share; None without events.
    lower, upper : float or None
        Its 95 % interval.
    bearing : float
        How many events of weight one, each by itself, would tell it as surely.
    """

    value: float | None
    lower: float | None
    upper: float | None
    bearing: float


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two shares lie apart.

    Attributes
    ----------
    difference, lower, upper : float or None
        The first less the second, with its 95 % interval.
    ratio : float or None
        The first over the second; None where the second is 0.
    p : float
        The two-sided p value of no difference.
    """

    difference: float | None
    lower: float | None
    upper: float | None
    ratio: float | None
    p: float


def share(part: Mask, weight: Floats, entity: npt.NDArray[np.integer] | None = None) -> Share:
    """Return the share of events that are in a part, with its 95 % interval.

    Events of unequal weight, and events of one entity, tell less than as many equal and separate ones: Wilson's
    interval is taken with the number of events that would tell as much.

    Parameters
    ----------
    part : ndarray of bool, shape (rows,)
        Which events count.
    weight : ndarray of float64, shape (rows,)
        How many events each stands for.
    entity : ndarray of int, shape (rows,), optional
        Who acted; below 0 where nobody is known.

    Source: Kish, L. (1965), Survey Sampling, 8.2 (the design effect); Korn, E. L. and Graubard, B. I. (1998),
    Confidence intervals for proportions with small expected number of positive counts estimated from survey data,
    Survey Methodology 24, 193-201.

    Examples
    --------
    >>> held = share(np.array([True, False, False, False]), np.ones(4))
    >>> held.value, round(held.lower, 3), round(held.upper, 3), held.bearing
    (0.25, 0.046, 0.699, 4.0)
    """
    whole = float(weight.sum())
    if whole <= 0:
        return Share(None, None, None, 0.0)
    value = float(weight[part].sum()) / whole
    plain = whole**2 / float((weight**2).sum())
    bearing = plain
    if 0 < value < 1:
        apart = weight * (part - value)
        variance = max(float((apart**2).sum()), 0.0 if entity is None else clustered(apart, entity)) / whole**2
        bearing = min(value * (1 - value) / variance, float(len(part))) if variance > 0 else plain
    elif entity is not None:
        bearing = whole**2 / clustered(weight, entity)
    lower, upper = (float(end) for end in wilson(value * bearing, bearing)[1:])
    return Share(value, lower if value > 0 else 0.0, upper if value < 1 else 1.0, bearing)


def apart(first: Share, second: Share) -> Apart:
    """Return how far two shares of separate events lie apart.

    Source: Newcombe, R. G. (1998), Interval estimation for the difference between independent proportions, Statistics
    in Medicine 17, 873-890, method 10; the p value is Fisher's, on as many events as bear each share.

    Examples
    --------
    >>> one, other = (share(np.arange(100) < hits, np.ones(100)) for hits in (30, 10))
    >>> held = apart(one, other)
    >>> round(held.difference, 2), round(held.lower, 2), round(held.upper, 2), round(held.p, 4)
    (0.2, 0.09, 0.31, 0.0007)
    """
    ends = (first.value, first.lower, first.upper, second.value, second.lower, second.upper)
    if any(end is None for end in ends):
        return Apart(None, None, None, None, 1.0)
    p1, l1, u1, p2, l2, u2 = (float(end) for end in ends if end is not None)
    n1, n2 = max(1, round(first.bearing)), max(1, round(second.bearing))
    return Apart(
        p1 - p2,
        max(-1.0, p1 - p2 - math.hypot(p1 - l1, u2 - p2)),
        min(1.0, p1 - p2 + math.hypot(u1 - p1, p2 - l2)),
        p1 / p2 if p2 > 0 else None,
        exact_p(round(p1 * n1), n1, round(p2 * n2), n2),
    )
