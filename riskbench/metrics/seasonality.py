"""What is expected at an hour? Level, hour, weekday and campaign of the time before, and how far they vary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: A factor needs evidence worth so many events to stand half on its own.
SHRINK = 10.0
#: Days after which an old day counts half for the level.
HALF_LIFE = 28.0
#: Relative spread assumed between days of a campaign of which only one is known.
ONE_DAY_SPREAD = 0.35
#: No baseline is trusted to know a day's level better than this: a relative spread.
LEAST_SPREAD = 0.02
#: Relative spread assumed between days where there are too few to see it.
ASSUMED_SPREAD = 0.15
#: Days of the baseline that come before the first one whose level is predicted, and the days needed for that at all.
_BURN_IN, _FEWEST_DAYS = 7, 5


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What a baseline leads to expect, per unit of exposure.

    Attributes
    ----------
    level : float
        Observed over exposure on an ordinary day, recent days counting more.
    factor : ndarray of float64, shape (7, 24)
        The factor of each weekday (0 Monday) and hour.
    campaigns : mapping of int to (float, float, int)
        For each campaign of the baseline: its factor, the factor's relative spread, and its days.
    dispersion : float
        Variance over mean within a day.
    day_spread : float
        How much a whole day varies about its expectation: a relative standard deviation, of 0.02 at least; 0.15 is
        assumed where there are fewer than five days.
    level_spread : float
        The level's relative standard error.
    days : int
        How many days with exposure it rests on.
    """

    level: float
    factor: Floats
    campaigns: Mapping[int, tuple[float, float, int]] = field(default_factory=dict)
    dispersion: float = 1.0
    day_spread: float = 0.0
    level_spread: float = 0.0
    days: int = 0

    def expected(self, exposure: Floats, *, hour: Ints, weekday: Ints, campaign: Ints) -> Floats:
        """Return what is expected in some bins; a campaign unknown to the baseline counts as an ordinary day."""
        return self.level * exposure * self.factor[weekday, hour] * self.campaign_factor(campaign)

    def campaign_factor(self, campaign: Ints) -> Floats:
        """Return each bin's factor for its campaign."""
        return self._looked_up(campaign, 0, 1.0)

    def campaign_spread(self, campaign: Ints) -> Floats:
        """Return the relative spread of each bin's campaign factor."""
        return self._looked_up(campaign, 1, 0.0)

    def _looked_up(self, campaign: Ints, part: int, other: float) -> Floats:
        out = np.full(len(campaign), other)
        for code, held in self.campaigns.items():
            out[campaign == code] = held[part]
        return out


def fit_profile(
    observed: Floats,
    exposure: Floats,
    *,
    hour: Ints,
    weekday: Ints,
    day: Ints,
    campaign: Ints,
    floor: float = 1.0,
    later: bool = False,
) -> Profile | None:
    """Return what hourly bins of a baseline lead to expect.

    Use it before a change is looked for, so that a usual Friday night is no change. Factors of hours, weekdays and
    campaigns are drawn towards 1 where they rest on little.

    Parameters
    ----------
    observed, exposure : ndarray of float64, shape (bins,)
        The sum in each bin, and what it is measured against: hours for a sum, events for a rate.
    hour, weekday, day : ndarray of int64, shape (bins,)
        The local hour 0..23, the weekday 0..6 (Monday first) and the number of the local day.
    campaign : ndarray of int64, shape (bins,)
        The campaign of the day; 0 on an ordinary day.
    floor : float
        Variance over mean of single events; bins may vary more, never less.
    later : bool
        Whether the baseline lies after what it is compared with, so that its first days count most.

    Returns
    -------
    Profile or None
        None without exposure.

    Examples
    --------
    >>> bins = np.arange(24 * 28)
    >>> night = (bins % 24 < 6).astype(float)
    >>> held = fit_profile(100 - 90 * night, np.ones(len(bins)), hour=bins % 24, weekday=bins // 24 % 7,
    ...     day=bins // 24, campaign=0 * bins)
    >>> bool(held.factor[0, 3] < 0.2), round(held.level, 1)
    (True, 77.5)
    """
    used = exposure > 0
    if not used.any():
        return None
    y, x = observed[used], exposure[used]
    hour, weekday, day, campaign = hour[used], weekday[used], day[used], campaign[used]
    ordinary = campaign == 0
    if not ordinary.any():
        ordinary = np.ones(len(y), dtype=bool)
    days, place = np.unique(-day if later else day, return_inverse=True)
    dispersion = floor
    for _ in range(2):
        level = (y[ordinary].sum() + 0.5 * dispersion) / x[ordinary].sum()
        factor = _factors(y[ordinary] / dispersion, level * x[ordinary] / dispersion, hour[ordinary], weekday[ordinary])
        due = level * x * factor[weekday, hour]
        dispersion = max(floor, _dispersion(y, due, place, len(days)))
    campaigns = _campaigns(y, due, place, campaign, dispersion)
    for code, held in campaigns.items():
        due[campaign == code] *= held[0]
    daily, daily_due = (np.bincount(place, held, len(days)).astype(np.float64) for held in (y, due))
    ratio, spread, error = _level(daily, daily_due, days - days[0], dispersion)
    return Profile(float(level) * ratio, factor, campaigns, dispersion, spread, error, len(days))


def _factors(y: Floats, due: Floats, hour: Ints, weekday: Ints) -> Floats:
    """Return a factor for each weekday and hour: of the hour, of the weekday, then of both together."""
    hours = _drawn_in(y, due, hour, 24)
    due = due * hours[hour]
    weekdays = _drawn_in(y, due, weekday, 7)
    due = due * weekdays[weekday]
    both = _drawn_in(y, due, weekday * 24 + hour, 168).reshape(7, 24)
    return both * hours[None, :] * weekdays[:, None]


def _drawn_in(y: Floats, due: Floats, codes: Ints, size: int) -> Floats:
    return (np.bincount(codes, y, size) + SHRINK) / (np.bincount(codes, due, size) + SHRINK)


def _dispersion(y: Floats, due: Floats, place: Ints, days: int) -> float:
    """Return variance over mean about each day's own level."""
    own = np.bincount(place, y, days) / np.maximum(np.bincount(place, due, days), 1e-300)
    mean = due * own[place]
    free = len(y) - days
    if free <= 0 or mean.sum() <= 0:
        return 0.0
    return float(((y - mean) ** 2).sum() / mean.sum()) * len(y) / free


def _campaigns(
    y: Floats, due: Floats, place: Ints, campaign: Ints, dispersion: float
) -> dict[int, tuple[float, float, int]]:
    """Return each campaign's factor, its spread for another day of its kind, and how many days bear it."""
    found = {}
    for code in np.unique(campaign[campaign > 0]):
        rows = campaign == code
        days, inverse = np.unique(place[rows], return_inverse=True)
        own, mean = np.bincount(inverse, y[rows]), np.bincount(inverse, due[rows])
        factor = float((own.sum() / dispersion + SHRINK / 2) / (mean.sum() / dispersion + SHRINK / 2))
        if len(days) > 1:
            left = float(((own - factor * mean) ** 2).sum() - dispersion * factor * mean.sum())
            between = max(0.0, left / float(((factor * mean) ** 2).sum())) * len(days) / (len(days) - 1)
        else:
            between = ONE_DAY_SPREAD**2
        own_error = dispersion / (factor * mean.sum() + dispersion * SHRINK / 2)
        found[int(code)] = (factor, float(np.sqrt(between * (1 + 1 / len(days)) + own_error)), len(days))
    return found


def _level(y: Floats, due: Floats, number: Ints, dispersion: float) -> tuple[float, float, float]:
    """Return the level as a ratio, how much a day varies about what the days before lead to expect, and its error."""
    weight = 0.5 ** ((number[-1] - number) / HALF_LIFE)
    mean = float((weight * due).sum())
    ratio = float((weight * y).sum() + 0.5 * dispersion) / (mean + 0.5 * dispersion)
    spread = _day_spread(y, due, number, dispersion)
    error = dispersion * float((weight**2 * due).sum()) / mean**2 / max(ratio, 1e-12)
    error = min(error, 2.0) + spread**2 * float(((weight * due) ** 2).sum()) / mean**2
    return ratio, spread, float(np.sqrt(error))


def _day_spread(y: Floats, due: Floats, number: Ints, dispersion: float) -> float:
    if len(y) < _FEWEST_DAYS:
        return ASSUMED_SPREAD
    decay = 0.5 ** (np.diff(number) / HALF_LIFE)
    level, told, mean = np.ones(len(y)), float(y[0]), float(due[0])
    for place in range(1, len(y)):
        level[place] = (told + 0.5 * dispersion) / (mean + 0.5 * dispersion)
        told, mean = told * decay[place - 1] + y[place], mean * decay[place - 1] + due[place]
    first = min(_BURN_IN, len(y) // 2)
    expected = (level * due)[first:]
    left = float(((y[first:] - expected) ** 2 - dispersion * expected).sum())
    square = left / float((expected**2).sum()) if (expected > 0).any() else 0.0
    return max(LEAST_SPREAD, float(np.sqrt(max(0.0, square))))
