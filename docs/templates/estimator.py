"""How sure is the number? One function on arrays; a method elsewhere only calls it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def insult_share(hit: npt.NDArray[np.bool_], good: npt.NDArray[np.bool_]) -> tuple[float | None, int]:
    """Return the share of good events that are hit, and how many good events it rests on.

    Use it for one rule or one cut. Read it as: of a hundred honest customers, so many met this rule.

    Parameters
    ----------
    hit, good : ndarray of bool, shape (rows,)
        Which events are hit, and which are known to be good.

    Returns
    -------
    tuple of (float or None, int)
        The share in 0..1, None without good events; and their number.

    Examples
    --------
    >>> insult_share(np.array([True, True, False, False]), np.array([True, False, True, True]))
    (0.3333333333333333, 3)
    """
    n = int(np.count_nonzero(good))
    return (int(np.count_nonzero(hit & good)) / n if n else None), n
