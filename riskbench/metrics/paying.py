"""Could a choice that pays nothing look as good as this? One p-value for a sum of gains and costs, kept honest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def chance_of_luck(
    value: npt.NDArray[np.float64], won: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_], *,
    loss: float, base: float, groups: tuple[npt.NDArray[np.integer], ...] = (),
) -> float:  # fmt: skip
    """Return the p-value of "these events are worth nothing in total, or no better than any others".

    Use it on events on which the choice was not made. It is the largest of two p-values, so that both readings of
    luck must be ruled out: the sum of worths is not above 0 (by its own spread), and the share of events that win
    is not above the share at which the choice breaks even, nor above the share among all events (exact, so that
    five hits without a miss are not called sure). Events of one entity come together: the largest spread by any
    of the groupings counts, and the numbers of events shrink by as much.

    Parameters
    ----------
    value : ndarray of float64, shape (events,)
        What each event is worth; work on events without a verdict counts as a cost.
    won : ndarray of bool, shape (events,)
        The events that speak for the choice: frauds for a rule, good events for an exception.
    known : ndarray of bool, shape (events,)
        The events with a verdict.
    loss : float, 0 or more
        What an event that does not win costs, where none of these events shows it.
    base : float, 0..1
        The share of winners among all events that could be chosen.
    groups : tuple of ndarray of int, shape (events,)
        Codes of entities; below 0 where there is none.

    Source: Berger, R. L. (1982), Multiparameter hypothesis testing, Technometrics 24, 295-300 (the largest p-value
    of several tests, each of which must reject).

    Examples
    --------
    >>> won = np.array([True] * 9 + [False])
    >>> round(chance_of_luck(np.where(won, 2.0, -1.0), won, won | True, loss=1.0, base=0.05), 4)
    0.0026
    """
    from scipy.special import betainc, ndtr

    total = float(np.sort(value).sum())
    spread = float((value**2).sum())
    wins, tries = float((won & known).sum()), float(known.sum())
    if total <= 0 or spread <= 0 or not wins:
        return 1.0
    widest = max([spread, *(clustered(value, codes) for codes in groups)])
    by_sum = float(ndtr(-total / np.sqrt(widest)))
    gain = float(value[won & known].mean())
    missed = value[known & ~won]
    cost = -float(missed.mean()) if len(missed) else loss
    work = -float(value[~known].sum())
    even = (cost * tries + work) / max(tries * (cost + gain), 1e-300)
    share = float(np.clip(max(even, base), 0.0, 1.0))
    if share >= 1.0:
        return 1.0
    wins, tries = wins * spread / widest, tries * spread / widest
    by_share = float(betainc(wins, tries - wins + 1.0, share))  # the chance of so many or more, by whole numbers or not
    return max(by_sum, by_share)


def clustered(value: Floats, codes: npt.NDArray[np.integer]) -> float:
    """Return the variance of a sum whose events come by entity: the squares of each entity's sum, added.

    >>> clustered(np.array([1.0, 1.0, 2.0]), np.array([7, 7, -1]))
    8.0
    """
    alone = codes < 0
    if not len(codes):
        return 0.0
    _, place = np.unique(codes[~alone], return_inverse=True)
    sums = np.bincount(place, weights=value[~alone]) if len(place) else np.zeros(0)
    return float((sums**2).sum() + (value[alone] ** 2).sum())
