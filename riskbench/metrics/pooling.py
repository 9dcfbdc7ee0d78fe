"""What does a small group's own curve say, once it leans on all others? Empirical Bayes on the steps of a curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Standard deviations between groups that are weighed against each other, as shares of the common steps.
SPREADS = np.array([0.0, 0.07, 0.15, 0.3, 0.6, 1.2])
#: The spread that is as likely as not before any data: larger ones weigh less, by a half Cauchy.
USUAL = 0.3
#: Over this share of the curve a group's difference from the others keeps its direction.
REACH = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """What each group's steps are, after all groups have been heard.

    Attributes
    ----------
    mean : ndarray of float64, shape (groups, steps)
        The expected steps of each group.
    cov : ndarray of float64, shape (groups, steps, steps)
        Their covariance; it knows that the common steps and the spread between groups are estimates too.
    common : ndarray of float64, shape (steps,)
        The steps that groups vary about.
    between : ndarray of float64, shape (steps, steps)
        The covariance of groups about the common steps.
    level, local : float
        The standard deviation between groups, as a share of the common steps: of what is the same over the whole
        curve, and of what changes along it.
    """

    mean: Floats
    cov: Floats
    common: Floats
    between: Floats
    level: float
    local: float


def pooled(steps: Floats, variance: Floats, *, scale: Floats, about_cov: Floats | None = None) -> Pooled:
    """Return each group's steps leant on those of all groups, by how much groups are seen to differ.

    Use it where groups are too unequal for one answer and too small for their own. A step's own evidence counts by
    the variance between groups over that plus its own: groups that are alike end at the common steps, large ones that
    differ keep their own. How much groups differ is not one number: it follows the size of each step, is the same in
    part over the whole curve, and in part changes along it. Both parts are weighed over a grid of values by their
    likelihood, so that with few groups nothing is taken for certain.

    Parameters
    ----------
    steps : ndarray of float64, shape (groups, steps)
        What each group shows, step by step along its curve; independent of each other.
    variance : ndarray of float64, shape (groups, steps)
        The sampling variance of each.
    scale : ndarray of float64, shape (steps,)
        The size of the common steps, 0 or more: groups differ by shares of it.
    about_cov : ndarray, optional
        The covariance of what the groups vary about, one matrix a group, where that is known from wider groups and
        already taken off the steps; by default the common steps are estimated from these groups.

    Source: Morris, C. N. (1983), Parametric empirical Bayes inference, JASA 78, 47-55; Kass, R. E. and Steffey, D.
    (1989), Approximate Bayesian inference in conditionally independent hierarchical models, JASA 84, 717-726;
    Gelman, A. (2006), Prior distributions for variance parameters, Bayesian Analysis 1, 515-534 (the half Cauchy).

    Examples
    --------
    >>> alike = pooled(np.array([[1.0], [1.1], [0.9], [5.0]]), np.array([[0.1], [0.1], [0.1], [25.0]]),
    ...     scale=np.array([1.0]))
    >>> alike.mean.round(1).ravel().tolist()  # the last one is too unsure to be believed
    [1.0, 1.0, 1.0, 1.0]
    """
    noise = variance + 1e-9 * float(np.max(variance, initial=0.0)) + 1e-30
    told = [_fit(steps, noise, between, free=about_cov is None) for _, _, between in _betweens(scale)]
    heard = np.array([part for part, _, _ in told]) + np.log(_beforehand())
    weight = np.exp(heard - heard.max())
    weight = np.where(weight < weight.sum() * 1e-4, 0.0, weight)
    weight /= weight.sum()
    groups, size = steps.shape
    mean, cov, common = np.zeros((groups, size)), np.zeros((groups, size, size)), np.zeros(size)
    square, between_all = np.zeros((groups, size, size)), np.zeros((size, size))
    level = local = 0.0
    for share, (first, second, between), (_, centre, inverse) in zip(weight, _betweens(scale), told, strict=True):
        if not share:
            continue
        pull = between @ inverse
        at = centre + np.einsum("jkl,jl->jk", pull, steps - centre)
        free = np.eye(size) - pull  # the share of what is common
        unsure = np.linalg.inv(inverse.sum(axis=0)) if about_cov is None else about_cov
        held = between - pull @ between + free @ unsure @ np.swapaxes(free, 1, 2)
        mean += share * at
        cov += share * held
        square += share * at[:, :, None] * at[:, None, :]
        common += share * centre
        between_all += share * between
        level, local = level + share * first, local + share * second
    cov += square - mean[:, :, None] * mean[:, None, :]
    return Pooled(mean, cov, common, between_all, float(level), float(local))


def _betweens(scale: Floats) -> Iterator[tuple[float, float, Floats]]:
    """Yield every pair of spreads that is weighed, with the covariance between groups that it makes."""
    place = np.arange(len(scale)) / max(1, len(scale))
    alike = np.exp(-np.abs(place[:, None] - place[None, :]) / REACH)
    both = scale[:, None] * scale[None, :]
    for level in SPREADS:
        for local in SPREADS:
            yield float(level), float(local), both * (level**2 + local**2 * alike)


def _beforehand() -> Floats:
    """Return the weight of each pair of spreads before any data."""
    ends = np.concatenate([[0.0], np.sqrt(np.maximum(SPREADS[1:], 1e-9) * np.maximum(SPREADS[:-1], 0.03)), [2.4]])
    mass = np.diff(np.arctan(ends / USUAL))
    return np.asarray(np.outer(mass, mass).ravel())


def _fit(steps: Floats, noise: Floats, between: Floats, *, free: bool) -> tuple[float, Floats, Floats]:
    """Return the log likelihood of one covariance between groups, the centre, and each group's inverse covariance."""
    size = steps.shape[1]
    whole = between[None] + noise[:, :, None] * np.eye(size)
    root = np.linalg.cholesky(whole)
    half = np.linalg.inv(root)
    inverse = np.swapaxes(half, 1, 2) @ half
    logdet = 2 * float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum())
    centre = np.zeros(size)
    if free:
        total = inverse.sum(axis=0)
        centre = np.linalg.solve(total, np.einsum("jkl,jl->k", inverse, steps))
        logdet += float(np.linalg.slogdet(total)[1])
    far = np.einsum("jkl,jl->jk", half, steps - centre)
    return -0.5 * (logdet + float((far**2).sum())), centre, inverse
