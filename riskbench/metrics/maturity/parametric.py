"""Which curve of a known shape do the delays follow, and how much is told later than any age seen so far?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.metrics.maturity.spread import share_interval

Floats = npt.NDArray[np.float64]
Shape = Literal["gamma", "lognormal", "weibull"]
SHAPES: tuple[Shape, ...] = ("gamma", "lognormal", "weibull")

#: Fewer verdicts bear no fit; of more than so many every so-manieth is used.
FEWEST, _MOST = 60, 5_000
#: A delay below this, in days, counts as this: the shapes have no mass at 0.
_SHORTEST = 0.02
_BINS, _STEP = 10, 1e-4
_LARGE = 1e300


@dataclass(frozen=True, slots=True, eq=False)
class DelayFit:
    """A delay distribution of a known shape, fitted to verdicts told so far.

    Attributes
    ----------
    shape : {"gamma", "lognormal", "weibull"}
        The shape with the best Akaike criterion.
    parameters : tuple of (float, float)
        The logarithms of shape and scale; of a lognormal the mean and the logarithm of the deviation of log delays.
    covariance : ndarray of float64, shape (2, 2)
        Their covariance.
    aic : float
        The Akaike criterion, lower is better.
    fits_p : float
        The p value of the test that the delays follow this shape: small, and the shape is wrong.
    n : int
        How many verdicts it rests on.
    """

    shape: Shape
    parameters: tuple[float, float]
    covariance: Floats
    aic: float
    fits_p: float
    n: int

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against the shape, at 1 %."""
        return self.fits_p >= 0.01

    def at(self, ages: npt.ArrayLike) -> Floats:
        """Return the share of all frauds ever told that is told by some ages in days."""
        return _told(self.shape, self.parameters, np.asarray(ages, dtype=np.float64))

    def interval(self, age: float) -> tuple[float, float]:
        """Return the 95 % interval of the share told by an age; the shape itself is taken as right."""
        here = float(self.at(age))
        if not 1e-12 < here < 1 - 1e-12:
            return here, here
        slope = np.zeros(2)
        for place in range(2):
            moved = list(self.parameters)
            moved[place] += _STEP
            slope[place] = (float(_told(self.shape, (moved[0], moved[1]), np.array(age))) - here) / _STEP
        return share_interval(here, float(slope @ self.covariance @ slope) ** 0.5)


def delay_fit(delays: npt.ArrayLike, ages: npt.ArrayLike) -> DelayFit | None:
    """Return the shape that the delays follow best, each held against what its age could have shown.

    Use it for the tail past the longest age seen, which the free curve does not know, and to smooth a curve of few
    verdicts. Read `fits_p` first: a shape that does not fit says nothing about a tail.

    Parameters
    ----------
    delays, ages : array of float, shape (verdicts,)
        Days to the verdict, and to the as-of moment; see `delay_curve`.

    Returns
    -------
    DelayFit or None
        None with fewer than 60 verdicts, or where the likelihood has no peak.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> delay, age = rng.gamma(2.0, 10.0, 4000), rng.uniform(0, 200, 4000)
    >>> fit = delay_fit(delay[delay <= age], age[delay <= age])
    >>> fit.shape, bool(abs(fit.at(20.0) - 0.594) < 0.03)
    ('gamma', True)

    Source: Kalbfleisch, J. D. and Lawless, J. F. (1989), Inference based on retrospective ascertainment, JASA 84,
    360-372; Akaike, H. (1974), IEEE Transactions on Automatic Control 19, 716-723.
    """
    delay, age = np.asarray(delays, dtype=np.float64), np.asarray(ages, dtype=np.float64)
    held = np.isfinite(delay) & ~np.isnan(age) & (np.maximum(delay, 0.0) <= age)
    delay, age = np.maximum(delay[held], _SHORTEST), age[held]
    age = np.maximum(np.where(np.isinf(age), 1e6, age), delay)
    if len(delay) < FEWEST or float(np.ptp(delay)) == 0.0:
        return None
    thin = max(1, -(-len(delay) // _MOST))
    order = np.lexsort((age, delay))[::thin]
    d, a = delay[order], age[order]
    found = [fit for shape in SHAPES if (fit := _fitted(shape, d, a, len(delay))) is not None]
    return min(found, key=lambda fit: fit.aic) if found else None


def _fitted(shape: Shape, d: Floats, a: Floats, size: int) -> DelayFit | None:
    from scipy.optimize import minimize

    log = np.log(d)
    mean, deviation = float(log.mean()), max(float(log.std()), 0.05)
    start = {
        "lognormal": (mean, np.log(deviation)),
        "weibull": (np.log(1.2 / deviation), mean + 0.5),
        "gamma": (np.log(min(1.2 / deviation**2, 50.0)), float(np.log(d.mean() * deviation**2))),
    }[shape]

    def loss(theta: Floats) -> float:
        value = truncated_loss(shape, (float(theta[0]), float(theta[1])), d, a)
        return value if np.isfinite(value) else _LARGE

    with np.errstate(all="ignore"):
        best = minimize(loss, np.array(start), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-6})
        curved = _curved(loss, best.x)
        if not np.isfinite(curved).all() or best.fun >= _LARGE or np.linalg.det(curved) <= 0 or curved[0, 0] <= 0:
            return None
        parameters = (float(best.x[0]), float(best.x[1]))
        place = _told(shape, parameters, d) / _told(shape, parameters, a)
    part = len(d) / size
    return DelayFit(
        shape,
        parameters,
        np.asarray(np.linalg.inv(curved) * part, dtype=np.float64),
        2 * float(best.fun) / part + 4,
        _even(place),
        size,
    )


def truncated_loss(shape: Shape, theta: tuple[float, float], d: Floats, a: Floats) -> float:
    """Return minus the log-likelihood of delays, each given that it is at most its age."""
    from scipy import special

    log = np.log(d)
    if shape == "lognormal":
        z = (log - theta[0]) / np.exp(theta[1])
        density = -log - theta[1] - z**2 / 2 - 0.5 * np.log(2 * np.pi)
    elif shape == "weibull":
        form = np.exp(theta[0])
        z = log - theta[1]
        density = theta[0] - theta[1] + (form - 1) * z - np.exp(form * z)
    else:
        form = np.exp(theta[0])
        density = (form - 1) * log - d / np.exp(theta[1]) - form * theta[1] - special.gammaln(form)
    return float((np.log(np.maximum(_told(shape, theta, a), 1e-300)) - density).sum())


def _told(shape: Shape, theta: tuple[float, float], ages: Floats) -> Floats:
    from scipy import special

    age = np.maximum(ages, 0.0)
    with np.errstate(all="ignore"):
        if shape == "lognormal":
            return np.asarray(special.ndtr((np.log(age) - theta[0]) / np.exp(theta[1])))
        if shape == "weibull":
            return np.asarray(-np.expm1(-np.exp(np.exp(theta[0]) * (np.log(age) - theta[1]))))
        return np.asarray(special.gammainc(np.exp(theta[0]), age / np.exp(theta[1])))


def _curved(loss: Callable[[Floats], float], at: Floats) -> Floats:
    """Return the second derivatives of the loss by differences."""
    step = 1e-3
    out = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            one, two = np.eye(2)[i] * step, np.eye(2)[j] * step
            up, down = loss(at + one + two) - loss(at + one - two), loss(at - one + two) - loss(at - one - two)
            out[i, j] = (up - down) / (4 * step**2)
    return out


def _even(place: Floats) -> float:
    """Return the p value of the chi-square test that places are even on 0..1, two parameters having been fitted."""
    from scipy.special import chdtrc

    counts = np.bincount(np.clip((place * _BINS).astype(np.int64), 0, _BINS - 1), minlength=_BINS)
    expected = len(place) / _BINS
    return float(chdtrc(_BINS - 3, float(((counts - expected) ** 2 / expected).sum())))
