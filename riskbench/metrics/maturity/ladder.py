"""What will young cohorts come to? The chain ladder, cohort by cohort, with Mack's standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Cohorts of so few steps borrow the level of older ones: their own figure would be all correction.
BORROW = 2
#: A cohort shows the level once so much of it is told.
_HALF = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """The cohorts, youngest first, and what they will come to.

    Attributes
    ----------
    known, ultimate : ndarray of float64, shape (cohorts,)
        The sum known so far, and the sum expected once all is told.
    error : ndarray of float64, shape (cohorts,)
        The standard error of prediction.
    lower, upper : ndarray of float64, shape (cohorts,)
        The 95 % interval, lognormal.
    share : ndarray of float64, shape (cohorts,)
        The share told by each cohort's age.
    factors, scatter : ndarray of float64, shape (cohorts - 1,)
        By which the sum grows from one age to the next, and how much cohorts scatter about that.
    borrowed : ndarray of bool, shape (cohorts,)
        Where the level of older cohorts was used: the way of Bornhuetter and Ferguson.
    """

    known: Floats
    ultimate: Floats
    error: Floats
    lower: Floats
    upper: Floats
    share: Floats
    factors: Floats
    scatter: Floats
    borrowed: npt.NDArray[np.bool_]


def triangle(delays: npt.ArrayLike, ages: npt.ArrayLike, values: npt.ArrayLike, *, grain: float = 7.0) -> Floats:
    """Return cumulated sums by cohort (rows, youngest first) and age in steps (columns); NaN where not seen yet.

    >>> triangle([1.0, 9.0, 2.0], [13.0, 13.0, 3.0], [1.0, 1.0, 1.0])
    array([[ 1., nan],
           [ 1.,  2.]])
    """
    age, value = np.asarray(ages, dtype=np.float64), np.asarray(values, dtype=np.float64)
    delay = np.maximum(np.asarray(delays, dtype=np.float64), 0.0)
    held = np.isfinite(delay) & np.isfinite(age) & (delay <= age)
    delay, age, value = delay[held], age[held], value[held]
    cohort = (age / grain).astype(np.int64)
    size = int(cohort.max()) + 1 if len(cohort) else 0
    step = np.minimum(((grain * (cohort + 1) - age + delay) / grain).astype(np.int64), cohort)
    table = np.bincount(cohort * size + step, weights=value, minlength=size * size).reshape(size, size)
    return np.where(np.tri(size, dtype=bool), np.cumsum(table, axis=1), np.nan)


def chain_ladder(
    delays: npt.ArrayLike,
    ages: npt.ArrayLike,
    *,
    values: npt.ArrayLike | None = None,
    exposure: npt.ArrayLike | None = None,
    grain: float = 7.0,
) -> Ladder:
    """Return what cohorts of a week will come to, from how older ones grew.

    Use it as a second opinion on `matured`, which is the same estimate at the finest grain: this one takes its
    scatter from how cohorts differed from each other. Read `error` as the standard error of what will be known.

    Parameters
    ----------
    delays, ages : array of float, shape (verdicts,)
        Days to the verdict, and to the as-of moment; see `delay_curve`.
    values : array of float, optional
        What each verdict counts for, such as its loss; by default 1.
    exposure : array of float, shape (cohorts,), optional
        Events by cohort, youngest first. With it the two youngest cohorts take their level from older ones.
    grain : float
        Days of a cohort, and of a step of age.

    Examples
    --------
    >>> ladder = chain_ladder([1.0, 9.0, 2.0, 1.0, 8.0], [13.0, 13.0, 3.0, 20.0, 20.0])
    >>> ladder.ultimate.tolist()
    [2.0, 2.0, 2.0]

    Source: Mack, T. (1993), Distribution-free calculation of the standard error of chain ladder reserve estimates,
    ASTIN Bulletin 23, 213-225; Bornhuetter, R. L. and Ferguson, R. E. (1972), The actuary and IBNR, PCAS 59, 181-195.
    """
    value = np.ones(len(np.asarray(delays))) if values is None else np.asarray(values, dtype=np.float64)
    table = triangle(delays, ages, value, grain=grain)
    size = len(table)
    known = table[np.arange(size), np.arange(size)] if size else np.zeros(0)
    factors, scatter, bases = _growth(table)
    ultimate, error = known.copy(), np.zeros(size)
    for cohort in range(size - 1):
        reached, spread = float(known[cohort]), 0.0
        for step in range(cohort, size - 1):
            if reached > 0 and bases[step] > 0:
                spread += scatter[step] / factors[step] ** 2 * (1 / reached + 1 / bases[step])
            reached *= factors[step]
        ultimate[cohort], error[cohort] = reached, reached * spread**0.5
    share = np.ones(size)
    share[: max(size - 1, 0)] = 1 / np.cumprod(factors[::-1])[::-1]
    borrowed = np.zeros(size, dtype=bool)
    if exposure is not None:
        young, error_young = _borrowed(known, ultimate, share, _fitted(exposure, size), value)
        borrowed[: len(young)] = True
        ultimate[: len(young)], error[: len(young)] = young, error_young
    spread = np.sqrt(np.log1p(np.divide(error, ultimate, out=np.zeros(size), where=ultimate > 0) ** 2))
    lower = np.maximum(ultimate * np.exp(-Z95 * spread - spread**2 / 2), np.minimum(known, ultimate))
    return Ladder(known, ultimate, error, lower, ultimate * np.exp(Z95 * spread), share, factors, scatter, borrowed)


def _growth(table: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the factor of each step, how cohorts scatter about it, and the sum it rests on."""
    steps = max(len(table) - 1, 0)
    factors, scatter, bases = np.ones(steps), np.zeros(steps), np.zeros(steps)
    for step in range(steps):
        before, after = table[step + 1 :, step], table[step + 1 :, step + 1]
        bases[step] = before.sum()
        if bases[step] <= 0:
            continue
        factors[step] = after.sum() / bases[step]
        some = before > 0
        if np.count_nonzero(some) > 1:
            off = after[some] / before[some] - factors[step]
            scatter[step] = float((before[some] * off**2).sum()) / (np.count_nonzero(some) - 1)
        elif step > 1:  # one cohort shows no scatter: Mack's rule continues that of the steps before
            one, two = scatter[step - 1], scatter[step - 2]
            scatter[step] = min(one**2 / two, one, two) if two > 0 else 0.0
    return factors, scatter, bases


def _fitted(exposure: npt.ArrayLike, size: int) -> Floats:
    held = np.asarray(exposure, dtype=np.float64)[:size]
    return np.concatenate((held, np.zeros(size - len(held))))


def _borrowed(known: Floats, ultimate: Floats, share: Floats, exposure: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Return the youngest cohorts' known sum plus the untold share of the level of older ones, and the error."""
    older = np.arange(len(known)) >= BORROW
    base = float((exposure * share)[older].sum())
    if base <= 0 or float(known[older].sum()) <= 0:
        return np.zeros(0), np.zeros(0)
    level = float(known[older].sum()) / base
    seen = older & (exposure * share > 0) & (share >= _HALF)
    rates = ultimate[seen] / exposure[seen]
    apart = float(rates.var(ddof=1)) if len(rates) > 2 else level**2
    size = float((value**2).sum() / value.sum()) if value.sum() > 0 else 1.0
    rest = ((1 - share) * exposure)[~older]
    return known[~older] + rest * level, np.sqrt(rest * level * size + rest**2 * apart)
