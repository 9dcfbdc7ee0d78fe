"""How sure is a number that is looked at every day? Intervals that hold at all times together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Halvings of an interval: to 12 digits on 0..1.
_HALVINGS = 40
#: The mixture over all shares: half a hit and half a miss, seen before the first event.
_PRIOR = (0.5, 0.5)
#: The spread of a normal mixture that weighs small differences as that prior does: sqrt(pi / 2).
SHARE_SPREAD = math.sqrt(math.pi / 2)
#: The bets of a share that may drift: log odds against it, either way. Small ones tell many events, large ones few.
_BETS = 0.001 * 1.5 ** np.arange(23)
#: No plan looks further than so many events.
_FURTHEST = 1e12


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """An estimate at each look, with an interval that holds at all looks together and always holds its estimate.

    Attributes
    ----------
    value : ndarray of float64, shape (looks,)
        The estimate; NaN before the first event.
    lower, upper : ndarray of float64, shape (looks,)
        The ends.
    p : ndarray of float64, shape (looks,)
        The always-valid p value of the null so far, 1 where none was named; it never rises.
    """

    value: Floats
    lower: Floats
    upper: Floats
    p: Floats

    @property
    def moved(self) -> bool:
        """Whether what was known before contradicts what is seen now: the value has moved with time."""
        return bool(len(self.lower) and np.any(self.running()[0] > self.running()[1]))

    def running(self) -> tuple[Floats, Floats]:
        """Return the ends as narrowed by every look so far, for a value that never moves: they never widen.

        Decide by them; do not show them beside the estimate: they leave it behind when the value moves.
        """
        return np.maximum.accumulate(self.lower), np.minimum.accumulate(self.upper)


def share_sequence(
    hits: npt.ArrayLike, total: npt.ArrayLike, *, alpha: float = 0.05, bound: float | None = None
) -> Sequence:
    """Return a share after each look, with an interval that may be looked at after every event.

    Use it for a rate that is watched while it grows, such as the insult rate since a launch. Read it as: with 95 %
    confidence the true share lies inside at every look, however often one looks and whenever one stops; an ordinary
    interval looked at daily is wrong far more often than it says. It is exact for events that come independently
    with one share, also for a handful of events; for a share that may move take `drifting_share_sequence`.

    Parameters
    ----------
    hits, total : array of float, shape (looks,)
        The counts so far: neither falls. They may be fractions, where events that come in clusters count for fewer.
    alpha : float, 0..1
        The chance of ever being wrong.
    bound : float, 0..1, optional
        The share that `p` is the two-sided always-valid p value against.

    Examples
    --------
    >>> held = share_sequence([1, 3, 30], [10, 30, 300])
    >>> held.lower.round(3).tolist(), held.upper.round(3).tolist()
    ([0.0, 0.008, 0.05], [0.544, 0.347, 0.171])

    Source: Robbins, H. (1970), Statistical methods related to the law of the iterated logarithm, Annals of
    Mathematical Statistics 41, 1397-1409; Howard, Ramdas, McAuliffe and Sekhon (2021), Time-uniform,
    nonparametric, nonasymptotic confidence sequences, Annals of Statistics 49, 1055-1080.
    """
    k, n = _counts(hits, total)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(n > 0, k / n, np.nan)
    best = np.where(n > 0, value, 0.5)
    far = math.log(1.0 / alpha)
    weight = _weight(k, n)

    def outside(share: Floats) -> npt.NDArray[np.bool_]:
        return np.asarray(weight - _likelihood(k, n, share) >= far)

    lower = _edge(np.zeros_like(best), best, outside)
    upper = _edge(np.ones_like(best), best, outside)
    against = np.zeros_like(best) if bound is None else weight - _likelihood(k, n, np.full_like(best, bound))
    return Sequence(value, lower, upper, _always_valid(against))


def drifting_share_sequence(hits: npt.ArrayLike, total: npt.ArrayLike, *, alpha: float = 0.05) -> Sequence:
    """Return a share after each look, with an interval that holds at all looks also when the share moves.

    Use it to show a rate while it grows: the estimate is the share of all events so far, and so is what the interval
    is for, the mean of the events' own chances up to that look. Read it as: with 95 % confidence it holds that mean
    at every look, whatever the chance of a hit did in between, and also when it answers what was seen before. Do not
    narrow it by earlier looks: the mean of then is not the mean of now.

    Parameters
    ----------
    hits, total : array of float, shape (looks,)
        The counts so far: neither falls. They may be fractions, where events that come in clusters count for fewer.
    alpha : float, 0..1
        The chance of ever being wrong.

    Examples
    --------
    >>> held = drifting_share_sequence([1, 3, 30], [10, 30, 300])
    >>> held.lower.round(3).tolist(), held.upper.round(3).tolist()
    ([0.0, 0.007, 0.051], [0.569, 0.357, 0.17])

    Source: each bet exp(b x) / (1 + p (exp(b) - 1)) is fair for an event of chance p whatever came before, and the
    log of its denominator is concave in p, so that one mean chance never wins more than the chances it is the mean
    of; a mixture of bets as in Howard, Ramdas, McAuliffe and Sekhon (2020), Time-uniform Chernoff bounds via
    nonnegative supermartingales, Probability Surveys 17, 257-317.
    """
    from scipy.special import logsumexp

    k, n = _counts(hits, total)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(n > 0, k / n, np.nan)
    best = np.where(n > 0, value, 0.5)
    bets, weights = np.concatenate([_BETS, -_BETS]), np.tile(np.sqrt(_BETS) / (2 * np.sqrt(_BETS).sum()), 2)
    odds = np.expm1(bets)

    def outside(share: Floats) -> npt.NDArray[np.bool_]:
        won = k[:, None] * bets - n[:, None] * np.log1p(share[:, None] * odds)
        return np.asarray(logsumexp(won, b=weights, axis=1) >= math.log(1.0 / alpha))

    lower, upper = _edge(np.zeros_like(best), best, outside), _edge(np.ones_like(best), best, outside)
    return Sequence(value, lower, upper, np.ones_like(best))


def beyond(hits: npt.ArrayLike, total: npt.ArrayLike, *, bound: float) -> Floats:
    """Return the evidence so far that a share lies above a bound: an e value at each look.

    Use it to stop on one side only. Read an e value of 20 as: were the share at or under the bound, so much evidence
    would ever be seen in at most 1 of 20 launches; its inverse is an always-valid p value.

    Parameters
    ----------
    hits, total : array of float, shape (looks,)
        The counts so far.
    bound : float, above 0 and below 1

    Source: Howard, Ramdas, McAuliffe and Sekhon (2021), section 3.3 (one-sided beta-binomial mixture); Ramdas,
    Grünwald, Vovk and Shafer (2023), Game-theoretic statistics and safe anytime-valid inference, Statistical
    Science 38, 576-601.

    >>> beyond([0, 5, 30], [10, 50, 100], bound=0.05).round(2).tolist()
    [0.1, 0.34, 10684905563207.65]
    """
    from scipy.special import betaincc

    k, n = _counts(hits, total)
    a, b = _PRIOR
    with np.errstate(divide="ignore"):
        tail = np.log(betaincc(a + k, b + n - k, bound)) - math.log(float(betaincc(a, b, bound)))
    return np.exp(np.minimum(_weight(k, n) + tail - _likelihood(k, n, np.full_like(k, bound)), 700.0))


def difference_sequence(
    hits: npt.ArrayLike,
    total: npt.ArrayLike,
    other_hits: npt.ArrayLike,
    other_total: npt.ArrayLike,
    *,
    alpha: float = 0.05,
) -> Sequence:
    """Return the difference of two shares after each look, with an interval that holds at all looks together.

    Use it for treated against control. Each arm bets against its own share; a difference is ruled out when no pair
    of shares that far apart is left. `p` is against no difference. Exact for independent events with one share an
    arm, and narrower than two intervals set against each other.

    Parameters
    ----------
    hits, total : array of float, shape (looks,)
        The counts so far in one arm.
    other_hits, other_total : array of float, shape (looks,)
        The counts so far in the arm that is taken off.
    alpha : float, 0..1
        The chance of ever being wrong.

    Examples
    --------
    >>> held = difference_sequence([30], [100], [100], [1000])
    >>> [round(float(x[0]), 3) for x in (held.value, held.lower, held.upper)]
    [0.2, 0.028, 0.416]

    Source: Turner, R. J. and Grünwald, P. D. (2023), Exact anytime-valid confidence intervals for contingency tables
    and beyond, Statistics and Probability Letters 198, 109835; here with the mixture of Robbins (1970) in each arm.
    """
    k1, n1 = _counts(hits, total)
    k0, n0 = _counts(other_hits, other_total)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = k1 / n1 - k0 / n0
    best = np.where(np.isfinite(value), value, 0.0)
    far = math.log(1.0 / alpha)
    weight = _weight(k1, n1) + _weight(k0, n0)

    def evidence(apart: Floats) -> Floats:
        share = _nearest_share(k1, n1, k0, n0, apart)
        found = weight - _likelihood(k1, n1, share + apart) - _likelihood(k0, n0, share)
        return np.where(np.isfinite(found), found, np.inf)

    def outside(apart: Floats) -> npt.NDArray[np.bool_]:
        return np.asarray(evidence(apart) >= far)

    lower, upper = _edge(np.full_like(best, -1.0), best, outside), _edge(np.ones_like(best), best, outside)
    return Sequence(value, lower, upper, _always_valid(evidence(np.zeros_like(best))))


def bounded_sequence(
    values: npt.ArrayLike, *, low: float = 0.0, high: float = 1.0, alpha: float = 0.05, null: float | None = None
) -> Sequence:
    """Return the mean of bounded values after each of them, with an interval that holds at all times together.

    Use it for a mean whose values have known ends, such as the share of an order that is discounted. It supposes
    nothing but the ends, and adapts to the spread that it sees. The estimate weighs early values more than late ones.

    Parameters
    ----------
    values : array of float, shape (events,)
        In order of time, all within low..high.
    low, high : float
        The ends that no value can leave.
    alpha : float, 0..1
        The chance of ever being wrong.
    null : float, optional
        The mean that `p` is against: 1 until the interval leaves it, then `alpha`.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> held = bounded_sequence(rng.random(2000))
    >>> bool(held.lower[-1] < 0.5 < held.upper[-1]), round(float(held.upper[-1] - held.lower[-1]), 2)
    (True, 0.05)

    Source: Waudby-Smith, I. and Ramdas, A. (2024), Estimating means of bounded random variables by betting, JRSS B
    86, 1-27, theorem 2 (predictable plug-in empirical Bernstein).
    """
    x = (np.asarray(values, dtype=np.float64) - low) / (high - low)
    count = np.arange(1, len(x) + 1, dtype=np.float64)
    mean = (0.5 + np.cumsum(x)) / (count + 1)
    spread = (0.25 + np.cumsum((x - mean) ** 2)) / (count + 1)
    before = np.concatenate(([0.5], mean[:-1])) if len(x) else mean
    known = np.concatenate(([0.25], spread[:-1])) if len(x) else spread
    stake = np.minimum(np.sqrt(2 * math.log(2 / alpha) / (known * count * np.log1p(count))), 0.5)
    staked = np.cumsum(stake)
    middle = np.cumsum(stake * x) / staked
    half = (math.log(2 / alpha) + np.cumsum((x - before) ** 2 * (-np.log1p(-stake) - stake))) / staked
    lower, upper = np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
    scale = high - low
    away = np.zeros(len(x)) if null is None else np.where(
        (low + scale * lower > null) | (low + scale * upper < null), -math.log(alpha) + 1e-12, 0.0
    )  # fmt: skip
    return Sequence(low + scale * middle, low + scale * lower, low + scale * upper, _always_valid(away))


def mean_sequence(
    count: npt.ArrayLike,
    total: npt.ArrayLike,
    squares: npt.ArrayLike,
    *,
    best_at: float,
    alpha: float = 0.05,
    null: float = 0.0,
) -> Sequence:
    """Return a mean without known ends, such as money an event, with an interval for looking at all times.

    Use it where `bounded_sequence` has no ends to work with. It holds in the long run only: read from the thirtieth
    event on, on values of which seven in ten are 0, it is wrong three times as often as it says. Decide by shares.

    Parameters
    ----------
    count, total, squares : array of float, shape (looks,)
        Events, sum of their values and of their squares so far.
    best_at : float
        The number of events at which the interval shall be narrowest.
    alpha : float, 0..1
        The chance of ever being wrong.
    null : float
        The mean that `p` is against.

    Examples
    --------
    >>> held = mean_sequence([100.0], [500.0], [3500.0], best_at=100)
    >>> [round(float(x[0]), 2) for x in (held.value, held.lower, held.upper)]
    [5.0, 4.04, 5.96]

    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Time-uniform central limit theory and asymptotic
    confidence sequences, Annals of Statistics 52, 2613-2640, theorem 2.2.
    """
    n, s, q = (np.asarray(x, dtype=np.float64) for x in (count, total, squares))
    rho = spread_for(best_at, alpha=alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = s / n
        deviation = np.sqrt(np.maximum(q / n - value**2, 0.0))
        half = deviation * np.asarray(_boundary(n, rho, alpha)) / n
        away = (value - null) ** 2 / np.where(deviation > 0, deviation, np.inf) ** 2
    known = n > 1
    lower, upper = np.where(known, value - half, -np.inf), np.where(known, value + half, np.inf)
    grown = n * rho**2 + 1
    evidence = np.where(known, n**2 * away * rho**2 / (2 * grown) - 0.5 * np.log(grown), 0.0)
    return Sequence(value, lower, upper, _always_valid(evidence))


def spread_for(best_at: float, *, alpha: float = 0.05) -> float:
    """Return the spread of the normal mixture whose interval is narrowest after so many events."""
    room = -2 * math.log(alpha)
    return math.sqrt((room + math.log(room + 1)) / max(best_at, 1.0))


def events_needed(effect: float, *, spread: float = SHARE_SPREAD, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return how many events it takes until an effect is told, looked at all along.

    Use it to plan. Read it as: in `power` of all launches with such an effect the interval has left the null by then.

    Parameters
    ----------
    effect : float
        The effect in standard deviations of one event; its sign does not matter.
    spread : float
        The spread of the mixture, in standard deviations: `spread_for` of a mean; as it stands for a share.
    alpha, power : float, 0..1
        The chance of a false alarm, and of telling a true effect in time.

    Returns
    -------
    float
        Events; infinite for no effect.

    Examples
    --------
    >>> round(events_needed(0.5)), round(events_needed(0.25))
    (58, 261)

    Source: the chance that a Brownian motion with drift crosses the tangent of the boundary (Siegmund 1985,
    Sequential Analysis, 3.13): the boundary is concave, so the tangent lies above it and the plan is no
    promise too much.
    """
    drift = abs(effect)
    if drift <= 0 or not math.isfinite(drift):
        return math.inf
    low, high = 1.0, 2.0
    while _crossed(high, drift, spread, alpha) < power:
        low, high = high, high * 2
        if high > _FURTHEST:
            return math.inf
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _crossed(middle, drift, spread, alpha) < power else (low, middle)
    return high


def share_events_needed(share: float, bound: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return how many events it takes until a share is told from a bound, looked at all along.

    Parameters
    ----------
    share, bound : float, 0..1
        What it is expected to be, and what it is held against.
    alpha, power : float, 0..1
        The chance of a false alarm, and of telling a true difference in time.

    >>> round(share_events_needed(0.25, 0.05)), share_events_needed(0.1, 0.1)
    (31, inf)
    """
    apart = _relative_entropy(share, bound)
    return events_needed(math.sqrt(2 * apart) if math.isfinite(apart) else 10.0, alpha=alpha, power=power)


def _relative_entropy(share: float, bound: float) -> float:
    """Return how far a share lies from a bound, as the likelihood of one event sees it."""
    far = 0.0
    for p, q in ((share, bound), (1 - share, 1 - bound)):
        if p > 0:
            far += p * math.log(p / q) if q > 0 else math.inf
    return max(far, 0.0)


def _crossed(n: float, drift: float, spread: float, alpha: float) -> float:
    """Return the chance that the tangent at n of the boundary is crossed by then."""
    from scipy.special import log_ndtr, ndtr

    step = n * 1e-5
    here = float(_boundary(n, spread, alpha))
    slope = (float(_boundary(n + step, spread, alpha)) - float(_boundary(n - step, spread, alpha))) / (2 * step)
    start, ahead, root = here - slope * n, drift - slope, math.sqrt(n)
    again = math.exp(min(2 * start * ahead + float(log_ndtr((-ahead * n - start) / root)), 0.0))
    return min(1.0, float(ndtr((ahead * n - start) / root)) + again)


def _boundary(n: npt.ArrayLike, spread: float, alpha: float) -> Floats:
    """Return how large a sum of n values of mean 0 and deviation 1 may get."""
    count = np.asarray(n, dtype=np.float64)
    return np.sqrt(2 * (count + 1 / spread**2) * (0.5 * np.log1p(count * spread**2) - math.log(alpha)))


def _counts(hits: npt.ArrayLike, total: npt.ArrayLike) -> tuple[Floats, Floats]:
    return np.atleast_1d(np.asarray(hits, dtype=np.float64)), np.atleast_1d(np.asarray(total, dtype=np.float64))


def _weight(k: Floats, n: Floats) -> Floats:
    """Return the log likelihood of the counts under the mixture over all shares."""
    from scipy.special import betaln

    a, b = _PRIOR
    return np.asarray(betaln(a + k, b + n - k) - betaln(a, b))


def _likelihood(k: Floats, n: Floats, share: Floats) -> Floats:
    """Return the log likelihood of the counts under one share."""
    from scipy.special import xlog1py, xlogy

    inside = np.clip(share, 0.0, 1.0)
    return np.asarray(xlogy(k, inside) + xlog1py(n - k, -inside))


def _edge(far: Floats, near: Floats, outside: object) -> Floats:
    """Return where a set around `near` ends on the way to `far`; `far` where it does not end."""
    assert callable(outside)
    edge, inside = far.copy(), near.copy()
    ends = outside(far)
    for _ in range(_HALVINGS):
        middle = 0.5 * (edge + inside)
        out = outside(middle)
        edge, inside = np.where(out, middle, edge), np.where(out, inside, middle)
    return np.where(ends, edge, far)


def _nearest_share(k1: Floats, n1: Floats, k0: Floats, n0: Floats, apart: Floats) -> Floats:
    """Return the second arm's share under which two arms so far apart are likeliest: where the slope is zero."""
    low, high = np.maximum(0.0, -apart), np.minimum(1.0, 1.0 - apart)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        with np.errstate(divide="ignore", invalid="ignore"):
            upper = middle + apart
            slope = _ratio(k1, upper) - _ratio(n1 - k1, 1 - upper) + _ratio(k0, middle) - _ratio(n0 - k0, 1 - middle)
        rising = slope > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return 0.5 * (low + high)


def _ratio(count: Floats, share: Floats) -> Floats:
    return np.where(count > 0, count / np.maximum(share, 1e-300), 0.0)


def _always_valid(evidence: Floats) -> Floats:
    """Return the always-valid p value of log evidence at each look."""
    return np.minimum.accumulate(np.exp(-np.maximum(evidence, 0.0))) if len(evidence) else evidence
