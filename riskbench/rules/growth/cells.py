"""What share is approved in each cell, where customers come with several orders? Counts, money and weights alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import wilson

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """A share by cell with its 95 % interval.

    Attributes
    ----------
    value, lower, upper : ndarray of float64, shape (cells,)
        NaN where a cell is empty.
    n : ndarray of int64
        Events that bear it.
    """

    value: Floats
    lower: Floats
    upper: Floats
    n: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """The difference of two shares by cell, with its 95 % interval and the p value of none."""

    value: Floats
    lower: Floats
    upper: Floats
    p: Floats


def shares(cell: Ints, customer: Ints, approved: Floats, weight: Floats, *, size: int) -> Shares:
    """Return the weighted share that is approved in each cell, its interval clustered by customer.

    The number of events is put down to so many independent ones as would vary alike: by how much orders of one
    customer go together, and by how unequal the weights are. Then it is Wilson's interval.

    Source: Korn, E. and Graubard, B. (1998), Survey Methodology 24, 193-201 (effective sample size).

    >>> held = shares(np.zeros(4, int), np.arange(4), np.array([1.0, 1, 1, 0]), np.ones(4), size=1)
    >>> round(float(held.value[0]), 2), int(held.n[0])
    (0.75, 4)
    """
    used = weight > 0
    cell, customer, approved, weight = cell[used], customer[used], approved[used], weight[used]
    whole = np.bincount(cell, weights=weight, minlength=size)
    part = np.bincount(cell, weights=weight * approved, minlength=size)
    n = np.bincount(cell, minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = part / whole
    owner, pairs = _pairs(cell, customer)
    rest = np.bincount(pairs, weights=weight * (approved - value[cell]), minlength=len(owner))
    held = np.bincount(pairs, weights=weight, minlength=len(owner))
    spread = np.bincount(owner, weights=rest**2, minlength=size)
    squares = np.bincount(owner, weights=held**2, minlength=size)
    groups = np.bincount(owner, minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = spread / whole**2 * groups / np.maximum(groups - 1, 1)
        alike = value * (1 - value) / variance
        # A cluster counts at most as its weights allow, also where all of a cell are approved.
        most = np.where(squares > 0, whole**2 / squares, 0.0)
        flat = np.minimum(n, np.where((variance > 0) & (groups > 1), alike, most))
    _, low, high = wilson(np.where(whole > 0, value, 0) * flat, flat)
    return Shares(value, np.minimum(low, value), np.maximum(high, value), n.astype(np.int64))


def gaps(cell: Ints, customer: Ints, approved: Floats, first: npt.NDArray[np.bool_], *, size: int) -> Gaps:
    """Return the share approved of the first kind less that of the others, by cell; a customer may be of both.

    Source: Newcombe, R. G. (1998), Statistics in Medicine 17, 873-890, method 10, widened by the clusters' spread.

    >>> held = gaps(np.zeros(400, int), np.arange(400), np.r_[np.ones(150), np.zeros(50), np.ones(200)],
    ...     np.arange(400) < 200, size=1)
    >>> round(float(held.value[0]), 2), bool(held.p[0] < 0.001)
    (-0.25, True)
    """
    one = np.bincount(cell[first], minlength=size)
    two = np.bincount(cell[~first], minlength=size)
    hits = np.bincount(cell[first], weights=approved[first], minlength=size)
    others = np.bincount(cell[~first], weights=approved[~first], minlength=size)
    a, low_a, high_a = wilson(hits, one)
    b, low_b, high_b = wilson(others, two)
    owner, pairs = _pairs(cell, customer)
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.where(first, (approved - a[cell]) / one[cell], -(approved - b[cell]) / two[cell])
        rest = np.bincount(pairs, weights=pull, minlength=len(owner))
        clustered = np.bincount(owner, weights=rest**2, minlength=size)
        plain = a * (1 - a) / one + b * (1 - b) / two
        wide = np.maximum(1.0, np.where(plain > 0, clustered / plain, 1.0))
        value = a - b
        lower = value - np.sqrt(wide * ((a - low_a) ** 2 + (high_b - b) ** 2))
        upper = value + np.sqrt(wide * ((high_a - a) ** 2 + (b - low_b) ** 2))
        both = (hits + others) / (one + two)
        null = both * (1 - both) * (1 / one + 1 / two) * wide
        score = np.where(null > 0, np.abs(value) / np.sqrt(null), 0.0)
    from scipy.special import ndtr

    p = np.where(np.isnan(value), np.nan, 2 * ndtr(-score))
    return Gaps(value, np.maximum(lower, -1.0), np.minimum(upper, 1.0), p)


def _pairs(cell: Ints, customer: Ints) -> tuple[Ints, Ints]:
    """Return the cell of each pair of cell and customer, and the pair of each event."""
    width = int(customer.max()) + 1 if len(customer) else 1
    distinct, pairs = np.unique(cell * width + customer, return_inverse=True)
    return (distinct // width).astype(np.int64), pairs.astype(np.int64)
