"""Do two decisions on the same events differ beyond chance? McNemar's test, and the difference of two shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]

#: One made-up flip, a quarter in each of the four kinds of flip, keeps an interval from width 0 where a kind of
#: flip was not seen; by the coverage study in `benchmarks/paired.py`.
_UNSEEN = 0.25


def mcnemar(before_only: int, after_only: int) -> tuple[float | None, float | None, float | None]:
    """Return McNemar's statistic, its mid-p value and its exact p-value; None where no event is treated differently.

    Use it to ask whether two decisions on the same events differ at all: only events that exactly one of the two
    picks can tell. Read a small p-value as: were the two alike, so uneven a split of those events would be rare. The
    mid-p value is the one to quote; the exact one is never too small, and a little too large.

    Parameters
    ----------
    before_only, after_only : int, 0 or more
        Events that only the first decision picks, and only the second.

    Source: Fagerland, Lydersen and Laake (2013), The McNemar test for binary matched-pairs data, BMC Medical Research
    Methodology 13, 91.

    >>> tuple(round(x, 4) for x in mcnemar(1, 9))
    (6.4, 0.0117, 0.0215)
    """
    from scipy.special import bdtr
    from scipy.stats import binom

    both = before_only + after_only
    if not both:
        return None, None, None
    least = min(before_only, after_only)
    statistic = (before_only - after_only) ** 2 / both
    if before_only == after_only:
        return statistic, 1.0, 1.0
    tail, point = float(bdtr(least, both, 0.5)), float(binom.pmf(least, both, 0.5))
    return statistic, min(1.0, 2 * tail - point), min(1.0, 2 * tail)


def share_difference(kept: npt.ArrayLike, lost: npt.ArrayLike, gained: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the difference of two shares on overlapping events, such as two precisions, with its 95 % interval.

    Use it where both the part and the whole change: the share among what the second decision picks less that among
    what the first picks. What both pick counts in both shares, so the two are not independent. The variance is the
    linearised one, the sum over events of the square of what each adds to the difference; NaN where either decision
    picks nothing; exactly 0 where both pick the same.

    Parameters
    ----------
    kept, lost, gained : array of int, shape (..., 2)
        Events that both pick, only the first, and only the second: how many do not count in the share's part, and
        how many do (good and fraud, for a precision).

    Source: Leisenring, Alonzo and Pepe (2000), Comparisons of predictive values of binary medical diagnostic tests
    for paired designs, Biometrics 56, 345-351; Moskowitz and Pepe (2006), Clinical Trials 3, 272-279.

    >>> [round(float(x), 3) for x in share_difference([60, 40], [20, 0], [5, 15])]
    [0.125, 0.075, 0.175]
    """
    both, old, new = (np.asarray(counts, dtype=np.float64) for counts in (kept, lost, gained))
    first, second = both + old, both + new
    n1, n2 = first.sum(axis=-1, keepdims=True), second.sum(axis=-1, keepdims=True)
    made = _UNSEEN * ((old.sum(axis=-1) + new.sum(axis=-1)) > 0)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = (second[..., 1:] / n2 - first[..., 1:] / n1)[..., 0]
        one, two = ((counts[..., 1:] + made) / (n + 2 * made) for counts, n in ((first, n1), (second, n2)))
        add1, add2 = (np.concatenate([-share, 1 - share], axis=-1) / n for share, n in ((one, n1), (two, n2)))
        variance = (both * (add2 - add1) ** 2 + (old + made) * add1**2 + (new + made) * add2**2).sum(axis=-1)
    half = Z95 * np.sqrt(np.where(made[..., 0] > 0, variance, 0.0))
    empty = (n1[..., 0] == 0) | (n2[..., 0] == 0)
    return tuple(  # type: ignore[return-value]
        np.where(empty, np.nan, ends)
        for ends in (difference, np.maximum(-1.0, difference - half), np.minimum(1.0, difference + half))
    )
