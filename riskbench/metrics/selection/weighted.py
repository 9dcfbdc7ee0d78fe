"""What do events that were let through at random stand for? Totals over all events, those that were stopped included.

For the difference of two books, call `weighted_total(size * fraud, labelled, chance, size=size)` with `size` what an
event's fraud changes in the figure (of any sign), and add what does not depend on the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import Z95
from riskbench.metrics.selection.draw import Draw, Ends, mirrored

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Without sizes, an interval needs so many let-through rows with a value that is not 0.
LEAST_VALUES = 10
#: Halvings by which an end of an interval is found, and how far the odds are searched (natural logarithm).
_STEPS, _FAR = 45, 40.0
#: The skewness of what is seen is allowed for up to here.
_MOST_LEAN = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One stratum told by cells in which all events are expected to be fraud with one chance.

    Attributes
    ----------
    expected : ndarray of float64, shape (cells,)
        The expected share of frauds, before it is fitted to the let-through rows.
    held : ndarray of float64, shape (3, cells)
        Sum of weight x size of the rows with a verdict, of its square and cube; the weight is (1 - p) / p.
    rest : ndarray of float64, shape (3, cells)
        Sum of size of the rows without, of its square and cube.
    seen : float
        Sum of weight x size of the frauds among the rows with a verdict.
    late : float, 1 or more
        What a fraud seen stands for because labels are late, on average.
    missed : float, 1 or more
        By how much a poor expectation widens the variance.
    """

    expected: Floats
    held: Floats
    rest: Floats
    seen: float
    late: float = 1.0
    missed: float = 1.0


def predicted(cells: Cells, *, z: float = Z95) -> tuple[float, float, float]:
    """Return what the rows without a verdict sum to, with its interval: value, lower, upper.

    The odds of fraud are those expected, times one factor for the stratum. The factor is where the frauds seen are
    as many as expected; an end of the interval is where they are z standard errors away. The standard error takes
    the variance that holds at that end, of the rows seen and of those to be predicted, so that the interval is wide
    on the side where rare large events may hide.

    Source: Wilson, E. B. (1927), Probable inference, JASA 22, 209-212, carried over to odds and unequal sizes; the
    fitted factor is the targeting step of van der Laan, M. J. and Rubin, D. (2006), Targeted maximum likelihood
    learning, The International Journal of Biostatistics 2.
    """
    with np.errstate(divide="ignore"):
        start = np.log(np.clip(cells.expected, 1e-9, 1 - 1e-9))
    start -= np.log1p(-np.exp(start))

    whole = float(cells.rest[0].sum())
    if not whole:
        return 0.0, 0.0, 0.0
    if not cells.held[0].sum():
        return whole / 2, 0.0, whole
    side = np.array([0.0, 1.0, -1.0])
    low, high = np.full(3, -_FAR), np.full(3, _FAR)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        share = _logistic(start + middle[:, None])
        slope = share * (1 - share)
        turned, grown = slope @ cells.held[0], slope @ cells.rest[0]
        ratio = np.divide(grown, turned, out=np.zeros(3), where=turned > 0)
        spread = np.maximum(share * cells.late - share**2, 0.0) * cells.missed
        error = np.sqrt(ratio**2 * (spread @ cells.held[1]) + spread @ cells.rest[1])
        third = slope * (1 - 2 * share)
        lean = ratio**3 * (third @ cells.held[2]) - third @ cells.rest[2]
        # Counts of rare events lean to one side: there the quantile of the normal law is too near.
        skew = np.divide(lean, error**3, out=np.zeros(3), where=error > 0).clip(-_MOST_LEAN, _MOST_LEAN)
        beyond = side * (z + np.maximum(side * skew, 0.0) * (z * z - 1) / 6)
        below = ratio * (cells.seen - share @ cells.held[0]) > beyond * error
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    value, lower, upper = (float(end) for end in _logistic(start + ((low + high) / 2)[:, None]) @ cells.rest[0])
    return value, min(lower, value), max(upper, value)


def _logistic(odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500))))


def weighted_total(
    values: npt.ArrayLike,
    labelled: Mask,
    chance: npt.ArrayLike,
    *,
    strata: npt.NDArray[np.integer] | None = None,
    weight: npt.ArrayLike | None = None,
    size: npt.ArrayLike | None = None,
) -> Estimate:
    """Return the total of a value over all events that could pass, from those that did.

    Use it for the number or the money of frauds among events some of which history stopped. What has a verdict and
    could not have been stopped is counted; the rest of a stratum is told by its events that were let through, by
    their share of the stratum's size (Hajek's estimator, stratified). Events with a chance of 0 and events that passed
    and have no verdict are in no part of it: `bounds` tells what they could add.

    Parameters
    ----------
    values : array of float, shape (rows,)
        What each event counts by its verdict, such as the loss of a fraud and 0 of a good event; may be negative.
        Read only where `labelled`.
    labelled : ndarray of bool, shape (rows,)
        Events that passed and have a verdict.
    chance : array of float in 0..1, shape (rows,)
        The chance with which the policy let the event pass.
    strata : ndarray of int, optional
        Groups within which events are alike; they are crossed with the chance.
    weight : array of float, optional
        What each known fraud stands for because labels are late; multiplied with what the let-through makes of it.
    size : array of float, optional
        What each event counts if it is fraud, or at most counts then; known for stopped ones too. A good event counts
        0. With it the interval knows how large the stopped events are; without it, that is guessed from those seen.

    Returns
    -------
    Estimate
        `n` counts the let-through rows it rests on (all labelled rows where nothing had to be estimated), `corrected`
        the share of the value that was not counted.

    Raises
    ------
    ParameterError
        When the arrays differ in length, or a chance lies outside 0..1.

    Examples
    --------
    >>> fraud, labelled = np.r_[np.ones(5), np.zeros(395)], np.r_[np.ones(20, bool), np.zeros(380, bool)]
    >>> found = weighted_total(fraud, labelled, np.full(400, 0.05), size=np.ones(400))
    >>> round(found.value), found.n
    (100, 20)

    Source: Horvitz, D. G. and Thompson, D. J. (1952), A generalization of sampling without replacement from a finite
    universe, JASA 47, 663-685; Hajek, J. (1971), comment in Foundations of Statistical Inference.
    """
    draw = Draw.of(values, labelled, chance, weight=weight, size=size)
    groups = draw.groups(strata)
    if draw.rest.any() and not draw.sampled.any():
        return Estimate.none("no event was let through")
    if draw.size is not None:
        return draw.total(sized(draw, rows) for rows in groups)
    valued = int((draw.sampled & (draw.values != 0)).sum())
    if draw.rest.any() and valued < LEAST_VALUES:
        return Estimate.none(
            f"{valued} let-through frauds bear a value, {LEAST_VALUES} are needed", n=int(draw.sampled.sum())
        )
    return draw.total(_unsized(draw, rows) for rows in groups)


def sized(draw: Draw, rows: Ints, expected: Floats | None = None, *, missed: float = 1.0) -> Ends:
    """Return what the stopped events of a stratum sum to, of known size: value, lower, upper.

    Parameters
    ----------
    draw : Draw
        The let-through.
    rows : ndarray of int
        The rows of the stratum.
    expected : ndarray of float, shape (all rows,), optional
        A share of frauds expected of each event; without it all of the stratum are alike.
    missed : float
        By how much the variance is widened for a poor expectation.
    """
    if draw.size is None:
        raise AssertionError("a draw with sizes")
    sampled, rest = rows[draw.sampled[rows]], rows[draw.rest[rows]]
    sign = float(np.sign(draw.size[rest[0]])) if len(rest) else 1.0
    size, chance = np.abs(draw.size), draw.chance[sampled]
    weight = size[sampled] * (1 - chance) / chance
    # A part of the size counts as a part of a fraud: that varies less than a whole one, never more.
    late = draw.weight[sampled] * np.abs(draw.values[sampled]) / np.where(size[sampled] > 0, size[sampled], 1.0)
    heavy = float((weight**2 * late).sum())
    own = float((weight**2 * late * draw.weight[sampled]).sum()) / heavy if heavy > 0 else 1.0
    if len(sampled):  # few frauds told make the interval narrow just where many are still to come: all ages say it too
        own = max(own, float((weight**2 * draw.weight[sampled]).sum()) / max(float((weight**2).sum()), 1e-300))
    if expected is None:
        levels, of_sampled, of_rest = np.array([0.5]), np.zeros(len(sampled), np.intp), np.zeros(len(rest), np.intp)
    else:
        levels, codes = np.unique(np.round(expected[np.concatenate((sampled, rest))], 6), return_inverse=True)
        of_sampled, of_rest = codes[: len(sampled)], codes[len(sampled) :]
    count = len(levels)
    cells = Cells(
        levels,
        _powers(of_sampled, weight, count),
        _powers(of_rest, size[rest], count),
        float((weight * late).sum()),
        max(own, 1.0),
        missed,
    )
    return mirrored(predicted(cells), sign)


def _powers(codes: npt.NDArray[np.intp], values: Floats, count: int) -> Floats:
    return np.stack([np.bincount(codes, values**power, count) for power in (1, 2, 3)]).astype(np.float64)


def _unsized(draw: Draw, rows: Ints) -> Ends:
    """Return what the stopped events of a stratum sum to, where only the values seen tell of their size.

    Source: Hall, P. (1992), On the removal of skewness by transformation, Journal of the Royal Statistical Society B
    54, 221-228.
    """
    from scipy.stats import t

    sampled, rest = rows[draw.sampled[rows]], int(draw.rest[rows].sum())
    value = draw.values[sampled] * draw.weight[sampled]
    weight = (1 - draw.chance[sampled]) / draw.chance[sampled]
    if len(value) < 2:
        return 0.0, -np.inf, np.inf
    share = weight / weight.sum()
    mean = float(share @ value)
    variance = float(share @ (value - mean) ** 2) * len(value) / (len(value) - 1)
    if variance <= 0:
        return rest * mean, rest * mean, rest * mean
    skew = float(share @ (value - mean) ** 3) / variance**1.5 * float(np.sqrt((share**2).sum()))
    error = float(np.sqrt(rest**2 * variance * (share**2).sum() + rest * variance))
    far = float(t.ppf(0.975, len(value) - 1))
    low, high = (_unskewed(x, skew) for x in (far, -far))
    middle = rest * mean
    return middle, min(middle, middle - error * low), max(middle, middle - error * high)


def _unskewed(x: float, skew: float) -> float:
    """Return the quantile of a studentised mean whose skewness is taken out by a cubic transformation."""
    if abs(skew) < 1e-6:
        return x
    inner = 1 + skew * (x - skew / 6)
    return float(3 / skew * (np.cbrt(inner) - 1))
