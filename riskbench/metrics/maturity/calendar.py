"""Do verdicts come faster or slower of late? A test on the last weeks, and what it does to a corrected figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.maturity.curve import delay_curve
from riskbench.metrics.maturity.parametric import DelayFit, delay_fit, truncated_loss

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: The change is looked for since so many days, in events since then and in verdicts since then.
LOOKS = (28, 56)
#: Those looks are worth so many that know nothing of each other: measured on steady delays, see benchmarks/maturity.py.
_TESTS = 4.5
FEWEST = 80
_LONGEST = 400
#: A change of pace is flagged below this p value.
FLAG = 0.05


@dataclass(frozen=True, slots=True)
class Pace:
    """Whether verdicts come at a steady pace.

    Attributes
    ----------
    p : float or None
        The p value of a steady pace, all looks counted; None with too few verdicts.
    faster : bool or None
        Whether verdicts of the last weeks come faster than before.
    since : int or None
        Days before the as-of moment since when the change shows most.
    of : str
        Whether it shows most in "events" or in "verdicts" since then.
    overstated : float or None
        By what share a corrected figure of the youngest weeks is too large, where the pace changed; below 0: too
        small. None where steady, or where the size of the change cannot be told.
    """

    p: float | None
    faster: bool | None = None
    since: int | None = None
    of: str = ""
    overstated: float | None = None

    @property
    def flagged(self) -> bool:
        """Whether the pace changed."""
        return self.p is not None and self.p < FLAG

    @property
    def reading(self) -> str:
        """The answer in words."""
        if self.p is None:
            return "not measurable: too few verdicts"
        if not self.flagged:
            return "steady"
        way = "faster" if self.faster else "slower"
        if self.overstated is None:
            return f"{way} of late"
        size = f"{abs(self.overstated):.0%}".replace("%", " %")
        return f"{way} of late: young figures {'over' if self.overstated > 0 else 'under'}stated by about {size}"


def pace(delays: npt.ArrayLike, ages: npt.ArrayLike, *, clumped: float = 1.0, youngest: float = 7.0) -> Pace:
    """Return whether verdicts of the last weeks come faster or slower than before.

    Use it beside every corrected figure: a correction takes the delays of the past for those of today, and is a
    third too large where they shortened from 38 to 30 days. Read `overstated` as: of the events since then, a
    figure corrected with the usual curve is that much too large.

    Parameters
    ----------
    delays, ages : array of float, shape (verdicts,)
        Days to the verdict, and to the as-of moment; see `delay_curve`.
    clumped : float, 1 or more
        How many times more than chance alone delays vary within a cohort.
    youngest : float
        The age in days from which on figures are corrected; `overstated` speaks of the four weeks before that.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> age = rng.uniform(0, 160, 5000)
    >>> delay = rng.gamma(2.0, np.where(age < 56, 13.0, 19.0))
    >>> found = pace(delay[delay <= age], age[delay <= age], youngest=21.0)
    >>> found.flagged, found.faster, bool(0.2 < found.overstated < 0.6)
    (True, True, True)
    >>> pace([1.0], [2.0]).reading
    'not measurable: too few verdicts'

    Source: the log-rank test in reverse time, of events or verdicts since a day against those before; see
    `delay_curve`, and Mack, T. (1994), Measuring the variability of chain ladder reserve estimates, CAS Forum, on
    calendar year effects.
    """
    delay, age = np.maximum(np.asarray(delays, dtype=np.float64), 0.0), np.asarray(ages, dtype=np.float64)
    held = np.isfinite(delay) & np.isfinite(age) & (delay <= age)
    delay, age = delay[held], age[held]
    if len(delay) < FEWEST:
        return Pace(None)
    table = _table(delay, age)
    best: tuple[float, int, str] | None = None
    for since in LOOKS:
        for of in ("events", "verdicts"):
            z = _reverse_log_rank(table, since, of)
            if z is not None and (best is None or abs(z) > abs(best[0])):
                best = (z, since, of)
    if best is None:
        return Pace(None)
    from scipy.special import erfc

    z, since, of = best[0] / clumped**0.5, best[1], best[2]
    p = min(1.0, _TESTS * float(erfc(abs(z) / 2**0.5)))
    over = _overstated(delay, age, since, youngest) if p < FLAG else None
    return Pace(p, z < 0, since, of, over)


def _table(delay: Floats, age: Floats) -> npt.NDArray[np.int64]:
    """Return how many verdicts have each delay and each age, in whole days; what is older than all looks is one age."""
    size = min(_LONGEST, int(delay.max()) + 1)
    d, a = (np.minimum(values.astype(np.int64), limit) for values, limit in ((delay, size - 1), (age, 2 * size + 60)))
    width = 2 * size + 61
    return np.bincount(d * width + a, minlength=size * width).reshape(size, width)


def _reverse_log_rank(table: npt.NDArray[np.int64], since: int, of: str) -> float | None:
    days, ages = np.arange(table.shape[0])[:, None], np.arange(table.shape[1])[None, :]
    old_enough = ages > days  # the whole day must lie behind: an event of that very age could show a part of it only
    late = old_enough & (ages < (since if of == "events" else since + days))
    ahead = np.cumsum(table, axis=0)
    told, risk = (table * old_enough).sum(axis=1), (ahead * old_enough).sum(axis=1)
    own, risk_own = (table * late).sum(axis=1), (ahead * late).sum(axis=1)
    some = risk > 1
    told, risk, own, risk_own = (values[some].astype(np.float64) for values in (told, risk, own, risk_own))
    expected = told * risk_own / risk
    variance = float((expected * (1 - risk_own / risk) * (risk - told) / (risk - 1)).sum())
    return float((own - expected).sum()) / variance**0.5 if variance > 0 else None


def _overstated(delay: Floats, age: Floats, since: int, youngest: float) -> float | None:
    """Return how far a figure of the young weeks corrected with all delays is too large."""
    old = age >= since
    before = delay_curve(delay[old], age[old])
    usual = delay_curve(delay, age)
    speed = _speed(delay_fit(delay[old], age[old]), delay[~old], age[~old])
    if speed is None or not before.n or not usual.n:
        return None
    at = np.linspace(youngest, min(youngest + 28.0, max(float(since), youngest + 1.0)), 29)
    told = usual.at(at)
    seen = told > 0
    return float((before.at(at * speed)[seen] / told[seen]).mean()) - 1.0 if seen.any() else None


def _speed(fit: DelayFit | None, delay: Floats, age: Floats) -> float | None:
    """Return how many times as fast some verdicts come as a fit says."""
    if fit is None or len(delay) < FEWEST // 4:
        return None
    from scipy.optimize import minimize_scalar

    d, a = np.maximum(delay, 0.02), np.maximum(age, 0.02)

    def loss(log: float) -> float:
        speed = float(np.exp(log))
        return truncated_loss(fit.shape, fit.parameters, d * speed, a * speed) - len(d) * log

    found = minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded")
    return float(np.exp(found.x)) if abs(found.x) < 1.45 else None
