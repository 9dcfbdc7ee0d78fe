"""What if stopped events are worse, or better, than events of the same score? From where on does a reading turn?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from riskbench.metrics.selection.draw import Floats, Mask

#: The factors on the odds of fraud at which a curve is told.
FACTORS = (0.0, 0.1, 0.2, 1 / 3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
#: No break-even is looked for beyond this factor, or below one over it.
_FARTHEST = 1e6


def shifted(expected: npt.ArrayLike, factor: float) -> Floats:
    """Return expected chances of fraud with their odds multiplied.

    >>> shifted([0.5, 0.1], 3.0).round(3)
    array([0.75, 0.25])
    """
    share = np.asarray(expected, dtype=np.float64)
    return factor * share / (1 - share + factor * share)


def sensitivity(
    expected: npt.ArrayLike, size: npt.ArrayLike, unlabelled: Mask, *, factors: tuple[float, ...] = FACTORS
) -> Floats:
    """Return what the events without a verdict add if their odds of fraud are so many times those expected.

    Use it where no let-through tells how wrong an expectation is: read at which factor the answer changes, and ask
    whether the policy could have picked events so much worse than others of their score.

    Parameters
    ----------
    expected : array of float in 0..1, shape (rows,)
        The chance of fraud expected of each event, from events of the same score with a verdict.
    size : array of float, shape (rows,)
        What each event counts if it is fraud.
    unlabelled : ndarray of bool, shape (rows,)
        Events without a verdict.
    factors : tuple of float, 0 or more
        Factors on the odds; 1 is the expectation.

    Returns
    -------
    ndarray of float64, shape (factors,)

    Examples
    --------
    >>> sensitivity([0.5, 0.2], [100.0, 10.0], np.array([True, False]), factors=(0.0, 1.0, 3.0))
    array([ 0., 50., 75.])

    Source: Rosenbaum, P. R. (2002), Observational Studies, 2nd ed., chapter 4, for odds that differ by a factor.
    """
    share, held = np.asarray(expected, dtype=np.float64)[unlabelled], np.asarray(size, dtype=np.float64)[unlabelled]
    return np.array([float(shifted(share, factor) @ held) for factor in factors])


def break_even(figure: Callable[[float], float]) -> float | None:
    """Return the factor on the odds at which a figure that rises or falls with it is 0; None where it never is.

    >>> round(break_even(lambda factor: float(shifted(0.2, factor)) - 0.5), 3)
    4.0
    """
    low, high = -np.log(_FARTHEST), np.log(_FARTHEST)
    first, last = figure(float(np.exp(low))), figure(float(np.exp(high)))
    if np.sign(first) == np.sign(last) or not np.isfinite([first, last]).all():
        return None
    for _ in range(80):
        middle = (low + high) / 2
        if np.sign(figure(float(np.exp(middle)))) == np.sign(first):
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))
