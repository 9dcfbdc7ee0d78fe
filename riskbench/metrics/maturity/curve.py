"""How late are labels told? The share of frauds that are known by an age, estimated from those told so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.intervals import wilson

Floats = npt.NDArray[np.float64]

#: The largest age at which the curve stands must be borne by so many verdicts that could have been told so late.
FEWEST = 20


@dataclass(frozen=True, slots=True, eq=False)
class DelayCurve:
    """The share of frauds that are told by an age, of those that are told within the horizon.

    Attributes
    ----------
    days : ndarray of float64, shape (steps,)
        The distinct delays at which the share rises, ascending.
    share, lower, upper : ndarray of float64, shape (steps,)
        The share told by then, with its 95 % interval.
    n : int
        How many verdicts the curve rests on.
    horizon : float
        The largest delay that could be seen often enough; what comes later is not in the curve. 0 without verdicts.
    drift_p : float or None
        The p value of the test that younger events are told as fast as older ones; None with too few verdicts.
    faster : bool or None
        Whether younger events are told faster (which makes a correction too large) rather than slower.
    wobble : ndarray of float64, shape (steps,), or None
        What each step adds to the variance of the logarithm of the share at any younger age: ages share these steps.
    """

    days: Floats
    share: Floats
    lower: Floats
    upper: Floats
    n: int
    horizon: float
    drift_p: float | None = None
    faster: bool | None = None
    wobble: Floats | None = None

    def at(self, ages: npt.ArrayLike) -> Floats:
        """Return the share of frauds that are told by some ages in days: 0 below the first delay, 1 from the last."""
        return self._read(self.share, ages, 0.0)

    def interval(self, ages: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return the 95 % interval of the share told by some ages; 0 to 1 where no verdict bears it."""
        lower = self._read(self.lower, ages, 0.0)
        first = float(wilson(0, max(self.n, 1))[2]) if self.n else 1.0
        return lower, np.maximum(self._read(self.upper, ages, first), lower)

    def age_of(self, share: float) -> float | None:
        """Return the age in days by which a share of the frauds is told; None without verdicts."""
        if not self.n:
            return None
        return float(self.days[min(int(np.searchsorted(self.share, share - 1e-12)), len(self.days) - 1)])

    def _read(self, values: Floats, ages: npt.ArrayLike, before: float) -> Floats:
        held = np.concatenate(([before], values))
        return held[np.searchsorted(self.days, np.asarray(ages, dtype=np.float64), side="right")]


def delay_curve(delays: npt.ArrayLike, ages: npt.ArrayLike, *, fewest: int = FEWEST) -> DelayCurve:
    """Return how fast frauds are told, from those told so far.

    Use it to correct what is counted while verdicts still come in. A fraud that is told late is missing as long as
    it is young, so the delays seen are too short; the curve corrects that by asking, at each delay, only the frauds
    old enough to have been told so late. Read `at(30)` as: of the frauds told in the end, so many are known by the
    age of 30 days. A fraud that is never told is in no curve.

    Parameters
    ----------
    delays : array of float, shape (verdicts,)
        Days from the event to its verdict; below 0 counts as 0.
    ages : array of float, shape (verdicts,)
        Days from the event to the as-of moment. Verdicts later than that are not known and are left out, as are
        those whose delay or age is not finite.
    fewest : int
        So many verdicts must bear the largest delay of the curve.

    Returns
    -------
    DelayCurve
        The curve; with `n` 0 when there is no verdict.

    Examples
    --------
    >>> curve = delay_curve([1.0, 2.0, 4.0, 9.0], [90.0, 90.0, 90.0, 90.0], fewest=1)
    >>> curve.at([0.5, 2.0, 30.0])
    array([0. , 0.5, 1. ])

    Young events have shown their short delays only, and the plain share among those told would say 3 of 4.

    >>> curve = delay_curve([1.0, 1.0, 1.0, 5.0], [90.0, 2.0, 2.0, 90.0], fewest=1)
    >>> curve.at([2.0])
    array([0.5])

    Source: Lagakos, S. W., Barraj, L. M. and De Gruttola, V. (1988), Nonparametric analysis of truncated survival
    data, with application to AIDS, Biometrika 75, 515-523; the same as the chain ladder at the finest grain.
    """
    delay = np.maximum(np.asarray(delays, dtype=np.float64), 0.0)
    age = np.asarray(ages, dtype=np.float64)
    known = np.isfinite(delay) & ~np.isnan(age) & (delay <= age)
    delay, age = delay[known], age[known]
    delay, age = _borne(delay, age, fewest)
    if not len(delay):
        nothing = np.zeros(0)
        return DelayCurve(nothing, nothing, nothing, nothing, 0, 0.0)
    days, told = np.unique(delay, return_counts=True)
    risk = _at_risk(days, delay, age)
    # Where all at risk have the very same delay nothing speaks for a shorter one: half a verdict stands in for none.
    rest = np.where(risk > told, risk - told, 0.5)
    kept = rest[1:] / np.maximum(risk, told + rest)[1:]
    share = np.minimum(np.cumprod(np.concatenate((kept, [1.0]))[::-1])[::-1], 1.0)
    wobble = told / (risk * rest)
    wobble[0] = 0.0
    later = np.concatenate((np.cumsum(wobble[1:][::-1])[::-1], [0.0]))
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(later > 0, (1.0 - share) / (share * later), float(risk[-1]))
    weight = np.where(share >= 1.0, float(risk[-1]), weight)
    _, lower, upper = wilson(share * weight, weight)
    p, faster = _drift(days, delay, age)
    return DelayCurve(days, share, lower, upper, len(delay), float(days[-1]), p, faster, wobble)


def delay_curves(
    delays: npt.ArrayLike, ages: npt.ArrayLike, sources: npt.NDArray[np.integer], names: Sequence[str]
) -> Mapping[str, DelayCurve]:
    """Return one curve a label source, by its name; the sources are codes into the names."""
    delay, age = np.asarray(delays, dtype=np.float64), np.asarray(ages, dtype=np.float64)
    return {name: delay_curve(delay[sources == code], age[sources == code]) for code, name in enumerate(names)}


def _at_risk(days: Floats, delay: Floats, age: Floats) -> Floats:
    """Return, for each delay, how many verdicts came by it on events old enough to have shown it."""
    by_then = np.searchsorted(np.sort(delay), days, side="right")
    too_young = np.searchsorted(np.sort(age), days, side="left")
    return (by_then - too_young).astype(np.float64)


def _borne(delay: Floats, age: Floats, fewest: int) -> tuple[Floats, Floats]:
    """Return the verdicts up to the largest delay that enough of them bear."""
    if not len(delay):
        return delay, age
    days = np.unique(delay)
    borne = np.flatnonzero(_at_risk(days, delay, age) >= min(fewest, len(delay)))
    keep = delay <= days[int(borne[-1]) if len(borne) else -1]
    return delay[keep], age[keep]


def _drift(days: Floats, delay: Floats, age: Floats) -> tuple[float | None, bool | None]:
    """Return the two-sided p value of the log-rank test in reverse time, younger half against older half."""
    if len(delay) < 2 * FEWEST:
        return None, None
    young = age <= np.median(age)
    if young.all() or not young.any():
        return None, None
    told = np.unique(delay, return_counts=True)[1].astype(np.float64)
    own = np.bincount(np.searchsorted(days, delay[young]), minlength=len(days))
    risk, risk_own = _at_risk(days, delay, age), _at_risk(days, delay[young], age[young])
    expected = told * risk_own / risk
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(risk > 1, expected * (1 - risk_own / risk) * (risk - told) / (risk - 1), 0.0)
    total = float(variance.sum())
    if total <= 0:
        return None, None
    from scipy.special import erfc

    z = float((own - expected).sum()) / total**0.5
    return float(erfc(abs(z) / 2**0.5)), z < 0
