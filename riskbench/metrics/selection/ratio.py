"""Which share of a whole is one part of it, where both are estimated?"""

from __future__ import annotations

from riskbench.metrics.estimate import Estimate

_STEPS = 60


def share_of(part: Estimate, other: Estimate) -> Estimate:
    """Return part / (part + other) of two estimates from different events, neither below 0.

    Use it for recall: frauds among the hits, and frauds among all other events. An end is where the difference
    part x (1 - r) - other x r leaves 0 by the distances that both ends leave.

    Examples
    --------
    >>> found = share_of(Estimate(50.0, 40.0, 60.0, 100), Estimate(50.0, 50.0, 50.0, 300))
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3), found.n
    (0.5, 0.444, 0.545, 400)

    Source: Donner, A. and Zou, G. Y. (2012), Closed-form confidence intervals for functions of the normal mean and
    standard deviation, Statistical Methods in Medical Research 21, 347-359.
    """
    n = part.n + other.n
    for held in (part, other):
        if held.value is None or held.lower is None or held.upper is None:
            return Estimate.none(held.why, n=n)
    a, low_a, high_a = _known(part)
    b, low_b, high_b = _known(other)
    if a + b <= 0:
        return Estimate.none("nothing to take a share of", n=n)
    value = a / (a + b)
    lower = _end(a, a - max(low_a, 0.0), b, high_b - b, -1.0)
    upper = _end(a, high_a - a, b, b - max(low_b, 0.0), 1.0)
    inferred = (abs(a) * part.corrected + abs(b) * other.corrected) / (abs(a) + abs(b))
    return Estimate(value, min(lower, value), max(upper, value), n, inferred)


def _known(held: Estimate) -> tuple[float, float, float]:
    return max(held.value or 0.0, 0.0), held.lower or 0.0, held.upper or 0.0


def _end(a: float, far_a: float, b: float, far_b: float, side: float) -> float:
    """Return the share at which the difference is as far from 0 as both ends are."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        r = (low + high) / 2
        half = float(((1 - r) ** 2 * far_a**2 + r**2 * far_b**2) ** 0.5)
        if a * (1 - r) - b * r + side * half > 0:
            low = r
        else:
            high = r
    return (low + high) / 2
