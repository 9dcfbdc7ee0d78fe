"""What happens to the cases of some weeks, drawn many times from the weeks that were seen?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.metrics.queue.cases import Cases
from riskbench.metrics.queue.hours import DAY, HOUR, WEEK
from riskbench.metrics.queue.staff import Steps, Team

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

Order = Literal["first come", "value"]
Arrivals = Literal["weeks", "poisson"]
Spread = Literal["lognormal", "exponential", "none"]

#: The standard deviation of the logarithm of a review's minutes, where only their mean is stated.
LOG_SPREAD = 0.75
#: No quantile further out than so many standard deviations is read off the replications; ends beyond it are stretched.
FURTHEST = 2.0
#: What is measured of each queue in each replication.
MEASURES = ("cases", "late", "expired", "begun", "busy", "kept", "at_stake", "wait_p50", "wait_p90", "backlog_end")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """What is simulated.

    Attributes
    ----------
    cases : Cases
        The cases that were seen.
    weeks : int
        How many weeks each replication lasts; it begins with empty queues on a Monday.
    minutes : tuple of float, or None
        The mean minutes of a review by queue; None where they were measured.
    spread : str
        How the minutes scatter about the mean.
    within : float
        The service level: verified within so many hours.
    expires : float
        Hours after which a case that nobody began is gone; infinity where none goes.
    lost : float, 0..1
        The share of what a review saves that each hour until the verdict takes away.
    absence : float, 0..1
        The chance that a reviewer does not come on a day.
    order : str
        Who is served first.
    arrivals : str
        Whole weeks drawn again, or a Poisson stream by hour of the week.
    replications : int
        How often.
    seed : int
        Of all draws.
    """

    cases: Cases
    weeks: int
    minutes: tuple[float, ...] | None
    spread: Spread
    within: float
    expires: float
    lost: float
    absence: float
    order: Order
    arrivals: Arrivals
    replications: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The cases of one replication, in the order in which they come.

    Attributes
    ----------
    arrive, work, rank, worth : ndarray of float64, shape (cases,)
        Minutes from the first Monday on, minutes of review, what "value" goes by, what a review in time saves.
    queue : ndarray of int64, shape (cases,)
        The queue of each.
    """

    arrive: Floats
    work: Floats
    rank: Floats
    worth: Floats
    queue: Ints


def drawn(plan: Plan, rng: np.random.Generator) -> Drawn:
    """Return the cases of one replication.

    First the history is drawn anew from its own weeks (or cases), as another history might have been; then the
    path from that. So replications differ by what is not known about the arrivals, and by their chance.
    """
    cases = plan.cases
    length = plan.weeks + 1  # one week more, so that the last cases are overtaken as all others are
    if plan.arrivals == "weeks":
        history = rng.integers(cases.blocks, size=cases.blocks)
        path = history[rng.integers(cases.blocks, size=length)]
        edges = np.searchsorted(cases.block, np.arange(cases.blocks + 1))
        picked = np.concatenate([np.arange(edges[block], edges[block + 1]) for block in path])
        counts = (edges[1:] - edges[:-1])[path]
        arrive = cases.moment[picked] % WEEK + np.repeat(np.arange(length), counts) * WEEK
    else:
        weight = rng.poisson(1.0, len(cases.moment)).astype(np.float64)
        total = float(weight.sum())
        count = int(rng.poisson(total / cases.blocks * length)) if total else 0
        ladder = np.cumsum(weight)
        picked = np.searchsorted(ladder, rng.random(count) * total, side="right").astype(np.intp)
        hour = cases.moment[picked] % WEEK // HOUR * HOUR
        arrive = hour + rng.random(count) * HOUR + rng.integers(length, size=count) * WEEK
    order = np.argsort(arrive, kind="stable")
    picked, arrive = picked[order], arrive[order]
    queue = cases.queue[picked]
    return Drawn(arrive, _work(plan, picked, queue, rng), cases.rank[picked], cases.worth[picked], queue)


def _work(plan: Plan, picked: npt.NDArray[np.intp], queue: Ints, rng: np.random.Generator) -> Floats:
    measured = plan.cases.minutes
    if measured is not None:
        work = measured[picked]
        absent = np.isnan(work)
        known = measured[~np.isnan(measured)]
        return np.where(absent, known[rng.integers(len(known), size=len(work))], work) if absent.any() else work
    assert plan.minutes is not None
    return np.array(plan.minutes)[queue] * scattered(rng, len(picked), plan.spread)


def scattered(rng: np.random.Generator, size: int, spread: Spread) -> Floats:
    """Return factors of mean 1 by which minutes of review scatter."""
    if spread == "exponential":
        return rng.exponential(1.0, size)
    if spread == "lognormal":
        return rng.lognormal(-(LOG_SPREAD**2) / 2, LOG_SPREAD, size)
    return np.ones(size)


def begins(plan: Plan, held: Drawn, ahead: Steps, absent: Mask) -> Floats:
    """Return when each case's review begins; infinity where it never does."""
    from riskbench.metrics.queue.loops import by_rank, first_come

    expire = held.arrive + plan.expires * HOUR
    if plan.order == "value":
        return np.asarray(by_rank(held.arrive, held.work, expire, held.rank, ahead, absent[: len(ahead)]))
    return np.asarray(first_come(held.arrive, held.work, expire, ahead, absent[: len(ahead)]))


def measured(plan: Plan, held: Drawn, begin: Floats, *, whole: bool) -> Floats:
    """Return the measures of one queue in one replication; waits and the backlog only where all are asked for."""
    horizon = plan.weeks * WEEK
    mine = held.arrive < horizon
    arrive, begin, work, worth = held.arrive[mine], begin[mine], held.work[mine], held.worth[mine]
    done = np.isfinite(begin)
    hours = (begin + work - arrive) / HOUR
    late = int(np.count_nonzero(~(hours <= plan.within)))
    kept = (worth[done] * (1 - plan.lost) ** hours[done]).sum() if plan.lost else worth[done].sum()
    begun = int(np.count_nonzero(done))
    middle, high, left = np.nan, np.nan, np.nan
    if whole:
        middle, high = quantiles((begin[done] - arrive[done]) / HOUR)
        left = float(np.count_nonzero(np.minimum(begin, arrive + plan.expires * HOUR) > horizon))
    values = (
        len(arrive),
        late,
        len(arrive) - begun if np.isfinite(plan.expires) else 0,
        begun,
        float(work[begin < horizon].sum()),
        kept,
        worth.sum(),
        middle,
        high,
        left,
    )
    return np.array(values, dtype=np.float64)


def quantiles(waits: Floats) -> tuple[float, float]:
    """Return the median and the ninetieth percentile, NaN of nothing.

    >>> quantiles(np.array([4.0, 1.0, 2.0]))
    (2.0, 3.6)
    """
    if not len(waits):
        return float("nan"), float("nan")
    held = np.sort(waits)
    places = (len(held) - 1) * np.array([0.5, 0.9])
    below = places.astype(np.int64)
    ends = held[below], held[np.minimum(below + 1, len(held) - 1)]
    middle, high = ends[0] + (ends[1] - ends[0]) * (places - below)
    return float(middle), float(high)


def _backlog(plan: Plan, held: Drawn, begin: Floats, size: int) -> Ints:
    """Return how many cases wait at every full hour, and at the end."""
    mine = held.arrive < plan.weeks * WEEK
    arrive = held.arrive[mine]
    gone = np.minimum(begin[mine], arrive + plan.expires * HOUR)
    return np.cumsum(_at_hours(arrive, size) - _at_hours(gone, size))


def _at_hours(moments: Floats, size: int) -> Ints:
    """Return how many moments are first past at each full hour; later ones are left out."""
    inside = moments[moments <= (size - 1) * HOUR]
    return np.bincount(np.ceil(inside / HOUR).astype(np.int64), minlength=size)


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """What every replication measured.

    Attributes
    ----------
    measures : ndarray of float64, shape (replications, queues, teams, measures)
        See `MEASURES`.
    backlog : ndarray of int32, shape (replications, queues, hours + 1)
        The backlog with the first of the teams; of no queue where it was not asked for.
    waits : ndarray of float64, shape (replications, 2)
        The median and the ninetieth percentile of the hours that all cases of several queues wait with the first
        teams.
    arrivals : ndarray of float64, shape (queues, 168)
        Mean arrivals by hour of the week.
    """

    measures: Floats
    backlog: npt.NDArray[np.int32]
    waits: Floats
    arrivals: Floats

    def of(self, name: str) -> Floats:
        """Return one measure: replications x queues x teams."""
        return self.measures[..., MEASURES.index(name)]


def replay(plan: Plan, variants: Sequence[Sequence[Team]], *, whole: bool = True) -> Replayed:
    """Return what each team of each queue makes of the same draws, in every replication.

    Parameters
    ----------
    plan : Plan
        What is simulated.
    variants : sequence of sequences of Team
        By queue, the teams to try, which differ by the last reviewers alone (`Team.changed`). Every queue tries as
        many.
    whole : bool
        Whether waits, backlog and arrivals of the first teams are kept; the rest is of all teams.
    """
    rng = np.random.default_rng(plan.seed)
    queues, tried = len(variants), len(variants[0])
    size = plan.weeks * 168 + 1
    values = np.full((plan.replications, queues, tried, len(MEASURES)), np.nan)
    backlog = np.zeros((plan.replications, queues if whole else 0, size), dtype=np.int32)
    arrivals, waits = np.zeros((queues, 168)), np.full((plan.replications, 2), np.nan)
    most = max(team.size for teams in variants for team in teams)
    days = (plan.weeks + 1) * WEEK // DAY
    calendars = _calendars(variants)
    for turn in range(plan.replications):
        held = drawn(plan, rng)
        absent = rng.random((queues, most, days)) < plan.absence if plan.absence else np.zeros((queues, most, 1), bool)
        waited = []
        for queue, teams in enumerate(variants):
            own = held
            if queues > 1:
                picked = held.queue == queue
                own = Drawn(*(part[picked] for part in (held.arrive, held.work, held.rank, held.worth, held.queue)))
            for place, team in enumerate(teams):
                begin = begins(plan, own, calendars[queue][: team.size], absent[queue, : team.size])
                shown = whole and place == 0
                values[turn, queue, place] = measured(plan, own, begin, whole=shown)
                if shown:
                    mine = own.arrive < plan.weeks * WEEK
                    hour = (own.arrive[mine] % WEEK // HOUR).astype(np.int64)
                    arrivals[queue] += np.bincount(hour, minlength=168)
                    backlog[turn, queue] = _backlog(plan, own, begin, size)
                    begun = np.isfinite(begin) & mine
                    waited.append((begin[begun] - own.arrive[begun]) / HOUR)
        if queues > 1 and whole:
            waits[turn] = quantiles(np.concatenate(waited))
    return Replayed(values, backlog, waits, arrivals / (plan.replications * plan.weeks))


def _calendars(variants: Sequence[Sequence[Team]]) -> list[Steps]:
    """Return each queue's largest team, minutes ahead by reviewer: a smaller team is its first so many."""
    known: dict[tuple[tuple[str, int], ...], Steps] = {}
    largest = [max(teams, key=lambda team: team.size) for teams in variants]
    for team in largest:
        if team.shifts not in known:
            known[team.shifts] = team.ahead()
    return [known[team.shifts] for team in largest]


def interval(values: Floats, *, weeks: int, blocks: int) -> tuple[float, float, float]:
    """Return the mean over replications, and the 95 % interval of what is expected in such weeks.

    Replications differ twice: the history was drawn anew, as `blocks` weeks, and the path from it, as `weeks`
    weeks. Only the first is doubt about the expectation, so the ends are quantiles drawn in by its share, and widened
    for the few weeks that it is known from (Student's t). Quantiles follow the bend of a queue: a little more work
    near full load makes many more late.

    Parameters
    ----------
    values : ndarray of float64, shape (replications,)
        What each replication measured; NaN where it could not.
    weeks, blocks : int
        The length of a replication, and of the history, in weeks.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> [round(end, 1) for end in interval(rng.normal(100, 10, 4000), weeks=20, blocks=20)]
    [99.8, np.float64(84.9), 117.4]
    """
    from scipy.special import ndtr, stdtrit

    from riskbench.metrics.intervals import Z95

    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan"), float("nan")
    mean = float(known.mean())
    few = float(stdtrit(blocks - 1, 0.975)) / Z95 * np.sqrt(blocks / (blocks - 1))
    wide = few * np.sqrt(weeks / (weeks + blocks))
    taken = min(Z95 * wide, FURTHEST)
    low, high = (float(end) for end in np.percentile(known, 100 * ndtr([-taken, taken])))
    low, high, further = min(low, mean), max(high, mean), Z95 * wide / taken
    if low > 0 or high < 0:
        # Near full load a history with few cases shows too little of the bend: the far end is at least as far, as a
        # ratio, as the near one, and as the replications' spread on the logarithm.
        bend = Z95 * wide * float(np.sqrt(np.log1p((known.std() / mean) ** 2)))
        near, far = sorted((abs(low), abs(high)))
        top = max(np.log(far / abs(mean)) * further, np.log(abs(mean) / near) * further, bend)
        ends = abs(mean) * (near / abs(mean)) ** further, abs(mean) * float(np.exp(top))
        return (mean, *ends) if mean > 0 else (mean, -ends[1], -ends[0])
    return mean, mean - further * (mean - low), mean + further * (high - mean)
