"""Which share of cases is verified in time at every cut? The window's own arrivals, played through the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from riskbench.data.windows import Window
from riskbench.metrics.constraints import CapacityLimit
from riskbench.metrics.curve import TruthTable, switched
from riskbench.metrics.queue.cases import FEWEST_WEEKS, Cases
from riskbench.metrics.queue.hours import DAY, HOUR, WEEK
from riskbench.metrics.queue.replay import Plan, replay, scattered
from riskbench.metrics.queue.staff import Team

if TYPE_CHECKING:
    from riskbench.calibration.study import Study

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: How often minutes are drawn for every case, and how many cuts are played through at most.
DRAWS, MOST = 4, 400
#: How often the weeks are drawn to confirm the chosen cut.
REPLICATIONS = 200


def team_of(limit: CapacityLimit) -> Team:
    """Return the reviewers that a limit speaks of."""
    return Team(((str(limit.option("staffed")), int(limit.option("reviewers"))),), 0)


def share_in_time(
    study: Study, limit: CapacityLimit, table: TruthTable, *, rows: npt.NDArray[np.intp], place: Ints
) -> Floats:
    """Return the share of review cases verified in time at every point of a truth table.

    The window's arrivals are played through the queue, first come, first served, with the same minutes for the same
    case at every cut. More cases never make any case earlier, so the late ones only rise from cut to cut: between two
    cuts that were played, theirs lie between. Cuts are played until each is known to keep the limit or to break it;
    between them the late cases are drawn as a line. Where cases both enter and leave review that does not hold, and
    cuts are played on an even grid.
    """
    review = np.array([rung.effect == "review" for rung in study.steps.rungs])
    before, after = review[study.sweep.base[rows]], review[study.sweep.hit[rows]]
    own = np.flatnonzero(before | after)
    local = study.sweep.dataset.local_times[rows[own]]
    own = own[np.argsort(local, kind="stable")]
    rows, place, before, after = rows[own], place[own], before[own], after[own]
    count = switched(place, before.astype(np.float64), after.astype(np.float64), points=table.points)
    if not len(rows):
        return np.ones(table.points)
    line = _Line(study, limit, rows)

    def late(point: int) -> float:
        return line.late(np.where(place <= point, after, before))

    one_way = not (after & ~before).any() or not (before & ~after).any()
    return played(count, late, bound=limit.bound, one_way=one_way)


def played(count: Floats, late: object, *, bound: float, one_way: bool) -> Floats:
    """Return the share in time at every point, from as few points played through as tell whether each keeps the limit.

    Parameters
    ----------
    count : ndarray of float64, shape (points,)
        How many cases there are at each.
    late : callable
        How many of them are late at a point.
    bound : float, 0..1
        The limit.
    one_way : bool
        Whether cases only enter, or only leave, from point to point.

    Examples
    --------
    >>> played(np.array([0.0, 10, 20, 30]), [0.0, 0.0, 3.0, 30.0].__getitem__, bound=0.9, one_way=True).round(2)
    array([1.  , 1.  , 0.85, 0.  ])
    """
    assert callable(late)
    points = len(count)
    if points == 1:
        return _share(np.array([late(0)]), count)
    known: dict[int, float] = {0: late(0), points - 1: late(points - 1)}
    if not one_way:
        for point in np.unique(np.linspace(0, points - 1, min(points, MOST // 4)).astype(int)):
            known[int(point)] = late(int(point))
        places = np.array(sorted(known))
        return _share(np.interp(np.arange(points), places, [known[int(p)] for p in places]), count)
    waiting = [(0, points - 1)]
    unsure = np.zeros(points, dtype=bool)
    while waiting:
        first, last = waiting.pop()
        inner = np.arange(first + 1, last)
        if not len(inner):
            continue
        few, many = sorted((known[first], known[last]))
        worst, best = _share(np.full(len(inner), many), count[inner]), _share(np.full(len(inner), few), count[inner])
        if (few == many) or (worst >= bound).all() or (best < bound).all():
            continue
        if len(known) >= MOST:
            unsure[inner] = (worst < bound) & (best >= bound)
            continue
        middle = first + 1 + int(np.argmin(np.abs(count[inner] - (count[first] + count[last]) / 2)))
        known[middle] = late(middle)
        waiting += [(first, middle), (middle, last)]
    places = np.array(sorted(known))
    values = np.array([known[int(point)] for point in places])
    at = np.searchsorted(places, np.arange(points), side="right") - 1
    nearer = np.minimum(at + 1, len(places) - 1)
    span = count[places[nearer]] - count[places[at]]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(span != 0, (count - count[places[at]]) / span, 0.0)
    drawn = values[at] + part * (values[nearer] - values[at])
    share = _share(drawn, count)
    worst = _share(np.maximum(values[at], values[nearer]), count)
    return np.where(unsure, np.minimum(share, worst), share)


def _share(late: Floats, count: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, np.maximum(1 - late / count, 0.0), 1.0)


class _Line:
    """The arrivals of a window, and their minutes, drawn once."""

    def __init__(self, study: Study, limit: CapacityLimit, rows: npt.NDArray[np.intp]) -> None:
        self.arrive, _ = minutes_from_monday(study.sweep.dataset.local_times[rows])
        draws = DRAWS if len(rows) < 200_000 else 1
        rng = np.random.default_rng(0)
        mean = float(limit.option("minutes"))
        self.work = [mean * scattered(rng, len(rows), "lognormal") for _ in range(draws)]
        self.within = float(limit.option("hours")) * HOUR
        self.ahead = team_of(limit).ahead()
        self.absent = np.zeros((len(self.ahead), 1), dtype=bool)

    def late(self, under: Mask) -> float:
        """Return how many of the cases under review are late, on average over the draws."""
        from riskbench.metrics.queue.loops import first_come

        arrive = self.arrive[under]
        if not len(arrive):
            return 0.0
        never = np.full(len(arrive), np.inf)
        total = 0
        for work in self.work:
            mine = work[under]
            begin = first_come(arrive, mine, never, self.ahead, self.absent)
            total += int((~(begin + mine - arrive <= self.within)).sum())
        return total / len(self.work)


def minutes_from_monday(local: Ints) -> tuple[Floats, int]:
    """Return local times as minutes from the Monday before the first of them, and that day's number."""
    day = int(local.min()) // (DAY * 60_000_000)
    monday = day - (day + 3) % 7  # 1970-01-01 was a Thursday
    return (local - monday * DAY * 60_000_000) / 60_000_000.0, monday


def confirmed(
    study: Study, limit: CapacityLimit, cut: float, window: Window, rows: npt.NDArray[np.intp], *, seed: int = 0
) -> tuple[float, float, float] | None:
    """Return the share in time at one cut with its 95 % interval, by simulation; None where too few weeks were seen.

    Parameters
    ----------
    rows : ndarray of intp
        The window's events that the limit speaks of.
    """
    events = study.sweep.dataset
    blocks = window.whole
    if blocks < FEWEST_WEEKS or not len(rows):
        return None
    review = np.array([rung.effect == "review" for rung in study.steps.rungs])
    local = events.local_times
    first = int(local[np.flatnonzero(window.mask)].min()) // (DAY * 60_000_000)
    under = rows[review[study.levels(cut)[rows]]]
    offset = (local[under] - first * DAY * 60_000_000) / 60_000_000.0
    under, offset = under[offset < blocks * WEEK], offset[offset < blocks * WEEK]
    if not len(under):
        return 1.0, 1.0, 1.0
    order = np.argsort(offset, kind="stable")
    offset = offset[order]
    nothing = np.zeros(len(under))
    cases = Cases(
        moment=offset + (first + 3) % 7 * DAY,
        block=(offset // WEEK).astype(np.int64),
        blocks=blocks,
        queue=np.zeros(len(under), dtype=np.int64),
        names=("all",),
        minutes=None,
        rank=nothing,
        worth=nothing,
        money=False,
        currency="",
        span="",
        notes=(),
        inferred=0.0,
        fingerprint="",
    )
    plan = Plan(
        cases=cases,
        weeks=min(blocks, 13),
        minutes=(float(limit.option("minutes")),),
        spread="lognormal",
        within=float(limit.option("hours")),
        expires=float("inf"),
        lost=0.0,
        absence=0.0,
        order="first come",
        arrivals="weeks" if blocks >= 4 else "poisson",
        replications=REPLICATIONS,
        seed=seed,
    )
    held = replay(plan, [[team_of(limit)]], whole=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        seen, other = (1 - told.of("late")[:, 0, 0] / told.of("cases")[:, 0, 0] for told in (held.seen, held.other))
    mean, low, high = held.interval(plan, seen, other, 0)
    return mean, max(low, 0.0), min(high, 1.0)
