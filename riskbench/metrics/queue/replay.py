"""What happens to the cases of some weeks, drawn many times from the weeks that were seen?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.errors import ParameterError
from riskbench.metrics.queue.cases import Cases
from riskbench.metrics.queue.doubt import Histories, interval
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
#: No simulation takes more memory than this.
MOST_BYTES = 2_000_000_000
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


def drawn(plan: Plan, rng: np.random.Generator, *, histories: Histories | None = None, turn: int = 0) -> Drawn:
    """Return the cases of one replication.

    First the history is drawn anew from its own weeks (or cases), as another history might have been; then the
    path from that. With `histories` the path is drawn from the weeks seen, each brought to the level of that history.
    """
    cases = plan.cases
    length = plan.weeks + 1  # one week more, so that the last cases are overtaken as all others are
    if plan.arrivals == "weeks":
        history = rng.integers(cases.blocks, size=cases.blocks) if histories is None else np.arange(cases.blocks)
        path = history[rng.integers(cases.blocks, size=length)]
        edges = np.searchsorted(cases.block, np.arange(cases.blocks + 1))
        picked = np.concatenate([np.arange(edges[block], edges[block + 1]) for block in path])
        counts = (edges[1:] - edges[:-1])[path]
        slot = np.repeat(np.arange(length), counts)
        arrive = cases.moment[picked] % WEEK + slot * WEEK
        if histories is not None:
            picked, arrive = _relevelled(histories.times(turn, path)[slot, cases.queue[picked]], picked, arrive, rng)
    else:
        if histories is None:
            weight = rng.poisson(1.0, len(cases.moment)).astype(np.float64)
        else:
            weight = np.exp(histories.shift[turn])[cases.queue]
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


def _relevelled(
    times: Floats, picked: npt.NDArray[np.intp], arrive: Floats, rng: np.random.Generator
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return cases so many times as often: some left out, or doubled at another moment of the same hour."""
    often = (times + rng.random(len(times))).astype(np.intp)
    first = np.cumsum(often) - often
    again = np.ones(int(often.sum()), dtype=bool)
    again[first[often > 0]] = False
    moved = np.repeat(arrive, often)
    moved[again] = moved[again] // HOUR * HOUR + rng.random(int(again.sum())) * HOUR
    return np.repeat(picked, often), moved


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
    kept = np.nan  # also of no case: what nobody knows is not 0
    if plan.cases.valued:
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
        worth.sum() if plan.cases.valued else np.nan,
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
class Told:
    """What every replication measured.

    Attributes
    ----------
    measures : ndarray of float64, shape (replications, queues, teams, measures)
        See `MEASURES`.
    waits : ndarray of float64, shape (replications, 2)
        The median and the ninetieth percentile of the hours that all cases of several queues wait with the first
        teams.
    """

    measures: Floats
    waits: Floats

    def of(self, name: str) -> Floats:
        """Return one measure: replications x queues x teams."""
        return self.measures[..., MEASURES.index(name)]


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """What every replication measured, from the weeks seen and from other histories.

    Attributes
    ----------
    seen, other : Told
        The replications from the weeks seen, and those from other histories that agree with them.
    histories : Histories
        Those others.
    backlog : ndarray of int32, shape (replications, queues, hours + 1)
        The backlog with the first of the teams; of no queue where it was not asked for.
    arrivals : ndarray of float64, shape (queues, 168)
        Mean arrivals by hour of the week.
    """

    seen: Told
    other: Told
    histories: Histories
    backlog: npt.NDArray[np.int32]
    arrivals: Floats

    def of(self, name: str) -> Floats:
        """Return one measure from the weeks seen: replications x queues x teams."""
        return self.seen.of(name)

    def interval(self, plan: Plan, seen: Floats, other: Floats, queue: int | None = None) -> tuple[float, float, float]:
        """Return the mean and the 95 % interval of a figure of one queue, or of all together."""
        cases = self.other.of("cases")[..., 0]
        part = cases.mean(axis=0) if queue is None else np.eye(cases.shape[1])[queue]
        part = part / max(float(part.sum()), 1e-12)
        share = plan.weeks / (plan.weeks + plan.cases.blocks)
        return interval(
            seen,
            other,
            shift=self.histories.shift @ part,
            spread=self.histories.spread,
            share=share,
        )


def affordable(plan: Plan, variants: Sequence[Sequence[Team]], *, whole: bool) -> None:
    """Refuse what would take more memory than `MOST_BYTES`.

    Raises
    ------
    ParameterError
        With the sizes that are allowed.
    """
    queues, tried, weeks = len(variants), len(variants[0]), plan.weeks
    most = max(team.size for teams in variants for team in teams)
    # Each replication: its measures twice, the backlog by hour, and that of one queue as numbers to sort.
    each = 2 * 8 * len(MEASURES) * queues * tried + (weeks * 168 * (4 * queues + 16) if whole else 0)
    # One replication at a time: its cases, which may be several times as many as were seen, and who is absent.
    once = 64 * len(plan.cases.moment) * (weeks + 1) / plan.cases.blocks
    once += 9 * queues * most * 7 * (weeks + 1) if plan.absence else 0
    once += 4 * WEEK * sum({team.shifts: team.size for teams in variants for team in teams[:1]}.values())
    need = plan.replications * each + once
    if need <= MOST_BYTES:
        return
    room = int((MOST_BYTES - once) / each)
    size = f"{plan.replications:,} replications of {weeks:,} weeks, {queues:,} queues with up to {most:,} reviewers"
    raise ParameterError(
        f"The simulation would take {need / 1e9:,.1f} GB of memory",
        got=f"{size}, {len(plan.cases.moment) / plan.cases.blocks:,.0f} cases a week",
        allowed=f"up to {MOST_BYTES / 1e9:g} GB" + (f": {room:,} replications of so many weeks" if room >= 20 else ""),
        hint="fewer replications or weeks" if room >= 20 else "fewer weeks, queues or reviewers",
    )


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

    Raises
    ------
    ParameterError
        When it would take more memory than there is room for.
    """
    affordable(plan, variants, whole=whole)
    rng = np.random.default_rng(plan.seed)
    size = plan.weeks * 168 + 1
    backlog = np.zeros((plan.replications, len(variants) if whole else 0, size), dtype=np.int32)
    arrivals = np.zeros((len(variants), 168))
    calendars = _calendars(variants)

    def keep(turn: int, queue: int, own: Drawn, begin: Floats) -> None:
        hour = (own.arrive[own.arrive < plan.weeks * WEEK] % WEEK // HOUR).astype(np.int64)
        arrivals[queue] += np.bincount(hour, minlength=168)
        backlog[turn, queue] = _backlog(plan, own, begin, size)

    seen = _told(plan, variants, calendars, rng, whole=whole, keep=keep)
    make = Histories.of if plan.arrivals == "weeks" else Histories.even
    histories = make(plan.cases, plan.replications, rng)
    other = _told(plan, variants, calendars, rng, whole=whole, histories=histories)
    return Replayed(seen, other, histories, backlog, arrivals / (plan.replications * plan.weeks))


def _told(
    plan: Plan,
    variants: Sequence[Sequence[Team]],
    calendars: Sequence[Steps],
    rng: np.random.Generator,
    *,
    whole: bool,
    keep: Callable[[int, int, Drawn, Floats], None] | None = None,
    histories: Histories | None = None,
) -> Told:
    queues, tried = len(variants), len(variants[0])
    values = np.full((plan.replications, queues, tried, len(MEASURES)), np.nan)
    waits = np.full((plan.replications, 2), np.nan)
    most = max(team.size for teams in variants for team in teams)
    days = (plan.weeks + 1) * WEEK // DAY
    for turn in range(plan.replications):
        held = drawn(plan, rng, histories=histories, turn=turn)
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
                    begun = np.isfinite(begin) & (own.arrive < plan.weeks * WEEK)
                    waited.append((begin[begun] - own.arrive[begun]) / HOUR)
                    if keep is not None:
                        keep(turn, queue, own, begin)
        if queues > 1 and whole:
            waits[turn] = quantiles(np.concatenate(waited))
    return Told(values, waits)


def _calendars(variants: Sequence[Sequence[Team]]) -> list[Steps]:
    """Return each queue's largest team, minutes ahead by reviewer: a smaller team is its first so many."""
    known: dict[tuple[tuple[str, int], ...], Steps] = {}
    largest = [max(teams, key=lambda team: team.size) for teams in variants]
    for team in largest:
        if team.shifts not in known:
            known[team.shifts] = team.ahead()
    return [known[team.shifts] for team in largest]
