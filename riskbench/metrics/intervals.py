"""How sure a number is: 95 % intervals for shares, sums and ratios of sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: The normal quantile of a two-sided 95 % interval.
Z95 = 1.959963984540054


def wilson(hits: npt.ArrayLike, total: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return a share with its 95 % interval: hits / total, lower, upper; NaN where total is 0.

    Use it for any share of counts. Read it as: intervals made so hold the true share in 95 of 100 samples.

    Source: Wilson, E. B. (1927), Probable inference, JASA 22, 209-212.

    >>> [round(float(x), 4) for x in wilson(3, 10)]
    [0.3, 0.1078, 0.6032]
    """
    k, n = np.asarray(hits, dtype=np.float64), np.asarray(total, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = k / n
        z2 = Z95**2
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
        lower = np.where(k == 0, 0.0, np.maximum(0.0, middle - half))
        upper = np.where(k == n, 1.0, np.minimum(1.0, middle + half))
    empty = n == 0
    return tuple(np.where(empty, np.nan, x) for x in (p, lower, upper))  # type: ignore[return-value]


def sum_interval(total: npt.ArrayLike, squares: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the 95 % interval of a sum over events that come by chance.

    The number of events is taken as Poisson, so the variance of the sum of v is the sum of v squared.

    Parameters
    ----------
    total : array
        Sum of v over the events.
    squares : array
        Sum of v squared over the same events.

    >>> [round(float(x), 1) for x in sum_interval(100.0, 100.0)]
    [80.4, 119.6]
    """
    s, q = np.asarray(total, dtype=np.float64), np.asarray(squares, dtype=np.float64)
    half = Z95 * np.sqrt(np.maximum(q, 0.0))
    return s - half, s + half


def ratio_interval(
    part: npt.ArrayLike, part_squares: npt.ArrayLike, whole: npt.ArrayLike, whole_squares: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Return part / whole of money with its 95 % interval, where part is a subset of whole.

    The linearised variance of a ratio under Poisson counts: with r = P/W it is
    ((1 - r)^2 SUM_in v^2 + r^2 SUM_out v^2) / W^2; NaN where the whole is 0; ends are cut to 0..1.

    Source: Cochran, W. G. (1977), Sampling Techniques, 3rd ed., section 6.4.

    >>> [round(float(x), 3) for x in ratio_interval(50.0, 50.0, 100.0, 100.0)]
    [0.5, 0.402, 0.598]
    """
    p, p2, w, w2 = (np.asarray(x, dtype=np.float64) for x in (part, part_squares, whole, whole_squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        r = p / w
        variance = ((1 - r) ** 2 * p2 + r**2 * np.maximum(w2 - p2, 0.0)) / w**2
        half = Z95 * np.sqrt(variance)
    empty = w == 0
    return tuple(  # type: ignore[return-value]
        np.where(empty, np.nan, x) for x in (r, np.maximum(0.0, r - half), np.minimum(1.0, r + half))
    )


def share_at_most(hits: int, total: int) -> float:
    """Return the largest share that so few hits of so many do not rule out: one-sided, 95 %, exact.

    Use it where nothing or little was seen and that is the good news. Without any hit it is close to 3 / total.

    Source: Clopper, C. J. and Pearson, E. S. (1934), The use of confidence or fiducial limits, Biometrika 26, 404-413.

    >>> round(share_at_most(0, 100), 4), share_at_most(0, 0)
    (0.0295, 1.0)
    """
    from scipy.special import betaincinv

    return 1.0 if hits >= total else float(betaincinv(hits + 1.0, float(total - hits), 0.95))
