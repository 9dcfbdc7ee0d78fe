"""How many of the alarms are false? Multiple tests held to one rate of false discoveries."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def q_values(p: npt.ArrayLike, *, tests: float | None = None, dependent: bool = False) -> Floats:
    """Return each test's q-value: the least rate of false discoveries at which it is called a finding.

    Use it on all tests of a sweep at once, and call a finding what lies at or below the level. Read a level of
    0.05 as: of a hundred findings about five are chance; where there is nothing, a sweep of a hundred finds
    anything at all in at most five.

    Parameters
    ----------
    p : array of float, 0..1
        The tests' p-values.
    tests : int, optional
        How many tests were made, where not all are handed in; or fewer than are handed in, where small counts keep
        some from ever being a false finding (Gilbert 2005, JRSS C 54, 143-158).
    dependent : bool
        Whether the tests may depend on each other in any way (dearer, by the logarithm of their number);
        without it they are taken as independent or moving together.

    Source: Benjamini and Hochberg (1995), JRSS B 57, 289-300; Benjamini and Yekutieli (2001), Annals of
    Statistics 29, 1165-1188.

    >>> q_values([0.01, 0.02, 0.03, 0.5]).round(3).tolist()
    [0.04, 0.04, 0.04, 0.5]
    """
    values = np.asarray(p, dtype=np.float64)
    many = float(len(values) if tests is None else max(tests, 1.0))
    if not len(values):
        return values
    order = np.argsort(values, kind="stable")
    price = many * (float(np.sum(1.0 / np.arange(1, int(many) + 1))) if dependent else 1.0)
    raw = values[order] * price / np.arange(1, len(values) + 1)
    out = np.empty(len(values))
    out[order] = np.minimum(1.0, np.minimum.accumulate(raw[::-1])[::-1])
    return out
