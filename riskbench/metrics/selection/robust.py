"""What if the let-through events are told by a model too? An estimate that holds when the model is wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.metrics.estimate import Estimate
from riskbench.metrics.selection.draw import Draw, Floats, Ints, Mask
from riskbench.metrics.selection.sensitivity import shifted
from riskbench.metrics.selection.weighted import sized

#: The score is cut into at most so many bins, each with at least so many frauds and good events to learn from.
MOST_BINS, BIN_ROWS = 20, 25
#: How many let-through rows the average counts for in each bin: thin bins lean on it.
_LEAN = 4.0
#: A model is told how far it misses by at least so many let-through rows.
_JUDGED = 20
#: Folds in which the model never sees the rows that it is held against.
FOLDS = 5


def expected_fraud(
    score: npt.ArrayLike, fraud: npt.ArrayLike, known: Mask, *, folds: int = FOLDS, seed: int = 0
) -> Floats:
    """Return each event's expected chance of fraud by its score, from other events with a verdict.

    The score is cut into bins; the share of frauds in them is made to rise with the score (or fall, where it falls
    over all), and leans on the average where a bin is thin. An event with a verdict is told by the other folds, so
    that a fit by chance does not look like knowledge.

    Parameters
    ----------
    score : array of float, shape (rows,)
        A model score; missing (NaN) is a bin of its own.
    fraud : array of bool, shape (rows,)
        Known frauds; read where `known`.
    known : ndarray of bool, shape (rows,)
        Events with a verdict to learn from.
    folds : int, 2 or more
        How many folds.
    seed : int
        Of the folds.

    Returns
    -------
    ndarray of float64, shape (rows,)
        In 0..1, never 0 or 1.

    Examples
    --------
    >>> score = np.repeat([0.1, 0.9], 200)
    >>> found = expected_fraud(score, score > 0.5, np.ones(400, dtype=bool))
    >>> bool(found[0] < 0.05), bool(found[-1] > 0.95)
    (True, True)
    """
    value, truth = np.asarray(score, dtype=np.float64), np.asarray(fraud, dtype=bool)
    learn = np.flatnonzero(known)
    if not len(learn):
        return np.full(len(value), 0.5)
    bins, missing = _bins(value, value[learn])
    fold = np.random.default_rng(seed).integers(0, folds, len(learn))
    size = int(bins.max()) + 1
    cell = bins[learn] * folds + fold
    rows = np.bincount(cell, minlength=size * folds).reshape(size, folds).astype(np.float64)
    hits = np.bincount(cell, truth[learn], minlength=size * folds).reshape(size, folds)
    whole = _fitted(rows.sum(axis=1), hits.sum(axis=1), missing=missing)
    mass, out = rows.sum(axis=1), whole[bins]
    for one in range(folds):
        kept = np.arange(folds) != one
        fitted = _fitted(rows[:, kept].sum(axis=1), hits[:, kept].sum(axis=1), missing=missing)
        # Leaving out frauds lowers the average that they are held against: a fold tells order, the whole the level.
        level = float(mass @ (_log_odds(whole) - _log_odds(fitted))) / float(mass.sum())
        own = learn[fold == one]
        out[own] = shifted(fitted, float(np.exp(level)))[bins[own]]
    return np.clip(out, 1e-6, 1 - 1e-6)


def robust_total(
    values: npt.ArrayLike,
    labelled: Mask,
    chance: npt.ArrayLike,
    *,
    size: npt.ArrayLike,
    expected: npt.ArrayLike,
    strata: npt.NDArray[np.integer] | None = None,
    weight: npt.ArrayLike | None = None,
) -> Estimate:
    """Return the total of a value over all events that could pass, by a model that let-through events put right.

    Use it where a score says more than that an event was stopped: where the model is right the interval is
    narrower, and where it is wrong the let-through rows pull it back, stratum by stratum, so that the estimate stays
    right (doubly robust). Parameters are those of `weighted_total`, and:

    Parameters
    ----------
    values, labelled, chance, size, strata, weight
        As in `weighted_total`; the size must be known.
    expected : array of float in 0..1, shape (rows,)
        Each event's expected chance of fraud, from `expected_fraud` or any model that did not see its verdict.

    Returns
    -------
    Estimate
        As `weighted_total`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> score = rng.random(4000)
    >>> fraud, passed = rng.random(4000) < score**2, rng.random(4000) < 0.1
    >>> ones, chance = np.ones(4000), np.full(4000, 0.1)
    >>> plain = robust_total(fraud, passed, chance, size=ones, expected=np.full(4000, 0.5))
    >>> better = robust_total(fraud, passed, chance, size=ones, expected=expected_fraud(score, fraud, passed))
    >>> bool(better.lower < fraud.sum() < better.upper), better.upper - better.lower < plain.upper - plain.lower
    (True, True)

    Source: Robins, J. M., Rotnitzky, A. and Zhao, L. P. (1994), Estimation of regression coefficients when some
    regressors are not always observed, JASA 89, 846-866; in the targeted form named at `predicted`.
    """
    draw = Draw.of(values, labelled, chance, weight=weight, size=size)
    model = np.clip(np.asarray(expected, dtype=np.float64), 1e-6, 1 - 1e-6)
    if draw.rest.any() and not draw.sampled.any():
        return Estimate.none("no event was let through")
    return draw.total(sized(draw, rows, model, missed=_missed(draw, rows, model)) for rows in draw.groups(strata))


def _missed(draw: Draw, rows: Ints, expected: Floats) -> float:
    """Return by how much the squared misses of a model exceed what chance alone makes; 1 or more."""
    sampled = rows[draw.sampled[rows]]
    if len(sampled) < _JUDGED:
        return 1.0
    fraud, share = (draw.values[sampled] != 0).astype(np.float64), expected[sampled]
    # The level is put right anyway: only how the model tells events of one stratum apart is held against it.
    level = np.log(max(fraud.mean(), 0.5 / len(fraud)) / max(1 - fraud.mean(), 0.5 / len(fraud)))
    odds = np.log(share / (1 - share))
    share = 1 / (1 + np.exp(-(odds - np.average(odds) + level)))
    usual = float((share * (1 - share)).sum())
    return float(np.clip(((fraud - share) ** 2).sum() / usual, 1.0, 2.0)) if usual > 0 else 1.0


def _log_odds(share: Floats) -> Floats:
    return np.log(share / (1 - share))


def _bins(score: Floats, learn: Floats) -> tuple[Ints, bool]:
    """Return each event's bin of score, cut so that the events learnt from are evenly spread; missing comes last."""
    seen = learn[np.isfinite(learn)]
    count = int(np.clip(len(seen) // BIN_ROWS, 1, MOST_BINS))
    cuts = np.unique(np.quantile(seen, np.arange(1, count) / count)) if len(seen) and count > 1 else np.zeros(0)
    absent = ~np.isfinite(score)
    codes = np.searchsorted(cuts, np.where(absent, 0.0, score), side="right").astype(np.int64)
    codes[absent] = len(cuts) + 1
    return codes, bool(absent.any())


def _fitted(rows: Floats, hits: Floats, *, missing: bool) -> Floats:
    """Return each bin's share of frauds: leaning on the average, and monotone along the score."""
    total = rows.sum()
    mean = (hits.sum() + 0.5) / (total + 1.0)
    held, weight = (hits + _LEAN * mean) / (rows + _LEAN), rows + _LEAN
    last = len(held) - 1 if missing else len(held)
    if last > 1:
        place = np.arange(last) - np.average(np.arange(last), weights=weight[:last])
        rises = float((weight[:last] * place * held[:last]).sum()) >= 0
        step = 1 if rises else -1
        held[:last] = _rising(held[:last][::step], weight[:last][::step])[::step]
    return held


def _rising(values: Floats, weight: Floats) -> Floats:
    """Return the nearest values that never fall: neighbours that do are pooled.

    Source: Ayer, M. and others (1955), An empirical distribution function for sampling with incomplete information,
    Annals of Mathematical Statistics 26, 641-647.
    """
    blocks: list[list[float]] = []
    for value, mass in zip(values.tolist(), weight.tolist(), strict=True):
        blocks.append([value, mass, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            high, more, many = blocks.pop()
            low, less, few = blocks.pop()
            blocks.append([(high * more + low * less) / (more + less), more + less, few + many])
    return np.repeat([block[0] for block in blocks], [int(block[2]) for block in blocks])
