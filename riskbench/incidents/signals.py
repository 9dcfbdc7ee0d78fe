"""Did a measure change? Its bins in the window, what the baseline leads to expect, and the stretch that departs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.engine.columns import DAY, HOUR, MINUTE
from riskbench.incidents.campaigns import campaigns
from riskbench.incidents.measure import Measure
from riskbench.incidents.scope import Mask, Scope
from riskbench.metrics.change_point import ChangePoint, change_point
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity import DelayCurve
from riskbench.metrics.seasonality import Profile, fit_profile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


#: The widths that bins may have, in minutes; the narrowest that makes no more than `MOST_BINS`.
WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
MOST_BINS = 20_000
#: A change is told when chance makes one as clear in fewer cases than this.
LEVEL = 0.05
#: A window with fewer events that bear a measure dates no change.
FEWEST_EVENTS = 5


@dataclass(frozen=True, eq=False)
class Signal:
    """What one measure did in the window.

    Attributes
    ----------
    measure : Measure
        What is looked at.
    said : str
        Whether it is measurable, and if not why.
    profile : Profile or None
        What the baseline leads to expect; None where there is none.
    change : ChangePoint or None
        The stretch that departs most; None where it is not measurable.
    start, width : int
        The first bin's first microsecond and the bins' width, UTC.
    observed, expected : float
        The sums over the window.
    baseline : float or None
        The baseline's level: a share or mean, or a sum a day.
    n : int
        How many events of the window bear the measure.
    notes : tuple of str
        What a reader must know of it.
    """

    measure: Measure
    said: str
    profile: Profile | None = None
    change: ChangePoint | None = None
    start: int = 0
    width: int = MINUTE
    observed: float = 0.0
    expected: float = 0.0
    baseline: float | None = None
    n: int = 0
    notes: tuple[str, ...] = ()

    def moment(self, place: int) -> int:
        """Return a bin's first microsecond, UTC."""
        return self.start + place * self.width


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of time, and what each is like.

    Attributes
    ----------
    start, width, count : int
        The first bin's first microsecond, the width, and how many there are.
    first, last : int
        The part of time that is looked at: a bin may stick out of it.
    hour, weekday, day, campaign : ndarray of int64, shape (bins,)
        The local hour, weekday (0 Monday) and day of each bin's middle, and the day's campaign.
    names : tuple of str
        The campaigns' names.
    """

    start: int
    width: int
    count: int
    first: int
    last: int
    hour: Ints
    weekday: Ints
    day: Ints
    campaign: Ints
    names: tuple[str, ...]

    def hours(self) -> Floats:
        """Return how many hours of each bin are looked at."""
        edges = self.start + self.width * np.arange(self.count + 1)
        inside = np.minimum(edges[1:], self.last) - np.maximum(edges[:-1], self.first)
        return np.maximum(inside, 0) / HOUR

    def sums(self, times: Ints, values: npt.NDArray[np.generic]) -> Floats:
        """Return the sum of some events' values in each bin."""
        place = (times - self.start) // self.width
        return np.bincount(place, values.astype(np.float64), self.count).astype(np.float64)


def bins_of(scope: Scope, first: int, last: int, width: int, calendar: pd.DataFrame | None) -> Bins:
    """Return bins of a width that cover a part of time, beginning at full widths of UTC."""
    start = first // width * width
    count = max(1, -(-(last - start) // width))
    middle = start + width * np.arange(count) + width // 2
    local = local_times(middle, scope.dataset.time_zone)
    day = local // DAY
    known, inverse = np.unique(day, return_inverse=True)
    codes, names = campaigns(known, calendar)
    return Bins(start, width, count, first, last, local % DAY // HOUR, (day + 3) % 7, day, codes[inverse], names)


def local_times(moments: Ints, zone: str) -> Ints:
    """Return moments (microseconds since 1970, UTC) on the wall clock of a zone."""
    if zone == "UTC":
        return moments
    stamps = pd.DatetimeIndex(moments.astype("datetime64[us]"), tz="UTC").tz_convert(zone).tz_localize(None)
    return np.asarray(stamps.as_unit("us").astype("int64"), dtype=np.int64)


def window_end(scope: Scope) -> int:
    """Return where the window ends: at its end, at the as-of moment, or where the events end."""
    present = scope.dataset.column("time").present
    return min(scope.incident.window[1], scope.asof + 1, int(scope.times[present].max()) + 1)


def reference(scope: Scope) -> tuple[int, int]:
    """Return the part of time that the baseline covers with events, whether or not the incident's condition holds."""
    present = scope.dataset.column("time").present
    first, last = int(scope.times[present].min()), min(int(scope.times[present].max()), scope.asof) + 1
    start, end = scope.incident.window
    given = scope.reference
    if scope.incident.baseline is not None:
        return max(given[0], first), min(given[1], last)
    return (end, last) if given[0] >= end else (first, start)


def signal(scope: Scope, measure: Measure, *, calendar: pd.DataFrame | None = None) -> Signal:
    """Return what a measure did in the window, against what the baseline leads to expect."""
    if measure.unmeasurable is not None:
        return Signal(measure, measure.unmeasurable)
    if not scope.baseline.any():
        return Signal(measure, "there is no baseline to compare with")
    bears = scope.current if measure.exposure is None else scope.current & (measure.exposure > 0)
    n = int(np.count_nonzero(bears))
    if n < FEWEST_EVENTS:
        return Signal(measure, f"too few events in the window bear it: {n}", n=n)
    past = bins_of(scope, *reference(scope), HOUR, calendar)
    profile = _profile(scope, measure, past)
    if profile is None:
        return Signal(measure, "no event of the baseline bears it")
    first, last = scope.incident.window[0], window_end(scope)
    width = next((each for each in WIDTHS if (last - first) / MINUTE / each <= MOST_BINS), WIDTHS[-1]) * MINUTE
    bins = bins_of(scope, first, last, width, calendar)
    y, x = binned(scope, measure, scope.current, bins)
    due = expected(profile, bins, x)
    notes: tuple[str, ...] = ()
    if measure.exposure is None:
        known = np.isin(bins.campaign, [0, *profile.campaigns])
        strange = sorted({bins.names[code] for code in np.unique(bins.campaign[~known])})
        if strange:
            what = f"The baseline has no {' and no '.join(strange)}: there {measure.name} is not comparable, rates are."
            if not known.any():
                return Signal(measure, what, profile)
            y, due, notes = np.where(known, y, 0.0), np.where(known, due, 0.0), (what,)
    groups = np.unique(bins.day, return_inverse=True)[1]
    change = change_point(
        y,
        due,
        dispersion=profile.dispersion,
        groups=groups,
        group_spread=_day_spreads(scope, measure, profile, bins, groups),
        level_spread=min(profile.level_spread, 3.0),
        seed=scope.seed,
    )
    level = profile.level if measure.exposure is not None else _a_day(scope, measure)
    said = "measurable" if change is not None else "nothing is observed, and nothing was to be expected"
    return Signal(
        measure, said, profile, change, bins.start, width, float(y.sum()), float(due.sum()), level,
        n, notes,
    )  # fmt: skip


def binned(scope: Scope, measure: Measure, rows: Mask, bins: Bins) -> tuple[Floats, Floats]:
    """Return the measure's sum in each bin, and its exposure: events for a rate, hours for a sum."""
    rows = rows & (scope.times >= bins.first) & (scope.times < bins.last)
    times = scope.times[rows]
    y = bins.sums(times, np.maximum(measure.amount[rows], 0))
    return y, bins.hours() if measure.exposure is None else bins.sums(times, measure.exposure[rows])


def expected(profile: Profile, bins: Bins, exposure: Floats) -> Floats:
    """Return what the baseline leads to expect in each bin."""
    return profile.expected(exposure, hour=bins.hour, weekday=bins.weekday, campaign=bins.campaign)


def band(profile: Profile, bins: Bins, due: Floats) -> tuple[Floats, Floats]:
    """Return where 95 of 100 bins lie without a change, about what is expected in them."""
    spread = np.maximum(profile.day_spread, profile.campaign_spread(bins.campaign)) ** 2 + profile.level_spread**2
    half = Z95 * np.sqrt(profile.dispersion * due + spread * due**2)
    return np.maximum(0.0, due - half), due + half


def adjusted(p_values: list[float]) -> list[float]:
    """Return p values adjusted for how many there are.

    Source: Benjamini, Y. and Hochberg, Y. (1995), Controlling the false discovery rate, JRSS B 57, 289-300.

    >>> adjusted([0.01, 0.04, 0.5])
    [0.03, 0.06, 0.5]
    """
    if not p_values:
        return []
    p = np.array(p_values)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    out = np.empty(len(p))
    out[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return [float(value) for value in out]


def maturity(curve: DelayCurve, ages: Floats) -> tuple[Floats, Floats]:
    """Return the share of verdicts told by some ages, and its relative standard error."""
    share = curve.at(ages)
    lower, upper = curve.interval(ages)
    error = np.where(share > 0, (upper - lower) / (2 * Z95 * np.maximum(share, 1e-12)), 0.0)
    return share, np.minimum(error, 2.0)


def _profile(scope: Scope, measure: Measure, bins: Bins) -> Profile | None:
    y, x = binned(scope, measure, scope.baseline, bins)
    return fit_profile(
        y,
        x,
        hour=bins.hour,
        weekday=bins.weekday,
        day=bins.day,
        campaign=bins.campaign,
        floor=_single(scope, measure),
        later=bins.first >= scope.incident.window[1],
    )


def _single(scope: Scope, measure: Measure) -> float:
    """Return variance over mean where each event comes alone; of the window too where the baseline has none."""
    for rows in (scope.baseline, scope.baseline | scope.current):
        amount = np.maximum(measure.amount[rows], 0).astype(np.float64)
        total = float(amount.sum())
        if total <= 0:
            continue
        if measure.exposure is None:
            return float((amount**2).sum()) / total
        exposure = measure.exposure[rows]
        level = total / float(exposure.sum())
        return max(float(((amount - level * exposure) ** 2).sum()) / total, 1.0 / len(amount))
    return 1.0


def _day_spreads(scope: Scope, measure: Measure, profile: Profile, bins: Bins, groups: npt.NDArray[np.intp]) -> Floats:
    """Return how uncertain each day's expectation is: the usual spread, the campaign's, and that of late labels."""
    days = int(groups[-1]) + 1
    first = np.searchsorted(groups, np.arange(days))
    spread = np.maximum(profile.day_spread, profile.campaign_spread(bins.campaign[first])) ** 2
    if measure.delays is not None:
        middle = bins.start + bins.width * np.bincount(groups, np.arange(len(groups)) + 0.5) / np.bincount(groups)
        spread += maturity(measure.delays, (scope.asof - middle) / DAY)[1] ** 2
    return np.sqrt(spread)


def _a_day(scope: Scope, measure: Measure) -> float:
    first, last = reference(scope)
    return float(np.maximum(measure.amount[scope.baseline], 0).sum()) / max((last - first) / DAY, 1e-9)
