"""How well does a score put frauds before good events?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: With fewer frauds (or good events) an interval by large-sample theory flatters.
FEWEST = 5


def _midranks(values: Floats) -> Floats:
    """Return each value's rank from 1, ties sharing their mean rank."""
    order = np.argsort(values, kind="stable")
    held = values[order]
    begins = np.append(np.flatnonzero(np.append(True, held[1:] != held[:-1])), len(held))
    shared = (begins[:-1] + begins[1:] + 1) / 2
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(shared, np.diff(begins))
    return ranks


def auc(score: npt.ArrayLike, fraud: npt.ArrayLike) -> tuple[float, float, float] | None:
    """Return the area under the ROC curve with its 95 % interval; None with fewer than five of either kind.

    Read it as the share of pairs of a fraud and a good event in which the fraud has the higher score (ties
    count half): 0.5 is chance. The variance is DeLong's; the interval is made on the logit scale, so that
    it stays within 0 and 1. At an area of exactly 0 or 1, where that variance is zero, the far end comes
    from the larger variance of an area one pair away.

    Parameters
    ----------
    score : array of float
        Higher is riskier.
    fraud : array of bool
        True for frauds.

    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845; by ranks after Sun and Xu
    (2014), IEEE Signal Processing Letters 21, 1389-1393.

    >>> auc([0.1, 0.4, 0.35, 0.8] * 5, [0, 0, 1, 1] * 5)[0]
    0.75
    """
    values, bad = np.asarray(score, dtype=np.float64), np.asarray(fraud, dtype=bool)
    above, below = values[bad], values[~bad]
    m, n = len(above), len(below)
    if min(m, n) < FEWEST:
        return None
    ranks = _midranks(values)
    wins = (ranks[bad] - _midranks(above)) / n  # for each fraud, the share of good events below it
    losses = 1.0 - (ranks[~bad] - _midranks(below)) / m  # for each good event, the share of frauds above it
    area = float(wins.mean())
    variance = float(wins.var(ddof=1) / m + losses.var(ddof=1) / n)
    held = min(max(area, 0.5 / (m * n)), 1.0 - 0.5 / (m * n))
    if variance == 0.0:
        variance = held * (1.0 - held) / min(m, n)
    half = Z95 * np.sqrt(variance) / (held * (1.0 - held))
    return area, *_around(area, held, half)


def average_precision(score: npt.ArrayLike, fraud: npt.ArrayLike) -> tuple[float, float, float] | None:
    """Return the average precision with its 95 % interval; None with fewer than five of either kind.

    Read it as the precision met on the way down the ranking, averaged over the frauds: a score that knows
    nothing has the share of frauds. Ties are taken in one step. The interval is binomial on the logit scale.

    Parameters
    ----------
    score : array of float
        Higher is riskier.
    fraud : array of bool
        True for frauds.

    Source: Boyd, Eng and Page (2013), Area under the precision-recall curve, ECML PKDD, section 3.

    >>> round(average_precision([0.1, 0.4, 0.35, 0.8] * 5, [0, 0, 1, 1] * 5)[0], 4)
    0.8333
    """
    values, bad = np.asarray(score, dtype=np.float64), np.asarray(fraud, dtype=bool)
    m = int(np.count_nonzero(bad))
    if min(m, len(bad) - m) < FEWEST:
        return None
    order = np.argsort(-values, kind="stable")
    held, hits = values[order], np.cumsum(bad[order])
    ends = np.append(np.flatnonzero(held[1:] != held[:-1]), len(held) - 1)
    found = hits[ends]
    precision = found / (ends + 1)
    area = float(np.sum(np.diff(found, prepend=0) / m * precision))
    inner = min(max(area, 0.5 / m), 1.0 - 0.5 / m)
    return area, *_around(area, inner, Z95 / np.sqrt(m * inner * (1.0 - inner)))


def _around(area: float, held: float, half: float) -> tuple[float, float]:
    """Return the ends of an interval `half` wide on the logit scale, the estimate among them."""
    middle = np.log(held / (1.0 - held))
    lower, upper = (float(1.0 / (1.0 + np.exp(-x))) for x in (middle - half, middle + half))
    return min(lower, area), max(upper, area)
