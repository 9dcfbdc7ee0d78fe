"""What the suspected events cost: which are lost, stopped or still without verdict, and the money of each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD, stopped
from riskbench.data.outcomes import ladder
from riskbench.engine.columns import HOUR
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.pending import Chances, chances
from riskbench.incidents.scope import Scope
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: From so many told frauds on, the loss of others is taken from theirs.
ENOUGH = 5
#: A loss is a sum of other money where both differ by at most this share, for at least this share of told frauds.
ALIKE, NEARLY_ALL = 0.01, 0.9
#: The money that a loss may be the sum of, beside the amount.
_PARTS = ("subsidy", "commission", "shipping", "refund")
#: The recent rate is that of so many hours at the end of the window, cut into so many blocks.
RECENT_HOURS, BLOCKS = 24.0, 24
#: With no event at all, fewer than this many are expected in 95 of 100 windows.
RULE_OF_THREE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """The suspected events up to the as-of moment and what each costs.

    Attributes
    ----------
    rows : ndarray of intp
        Their positions in the scope's dataset, in order of time.
    lost, good, stopped, caught, open : ndarray of bool, shape (rows,)
        Told fraud and let through; told good; stopped by history; told fraud by the reviewer who held it; and
        without verdict.
    loss : ndarray of float64 or None
        What each costs if it is fraud and let through, minor units; None without money.
    chances : Chances
        How likely each is fraud.
    known : bool
        Whether what is pending can be estimated.
    notes : tuple of str
        What the figures rest on.
    """

    rows: npt.NDArray[np.intp]
    lost: Mask
    good: Mask
    stopped: Mask
    caught: Mask
    open: Mask
    loss: Floats | None
    chances: Chances
    known: bool
    notes: tuple[str, ...]

    @property
    def value(self) -> Floats:
        """What each costs, or 1 for each where there is no money."""
        return np.ones(len(self.rows)) if self.loss is None else self.loss

    def expected(self, end: str = "expected") -> Floats:
        """Return the expected loss of each: that told, and of those without verdict the chance times the loss."""
        held: Floats = getattr(self.chances, end)
        return np.where(self.lost, 1.0, np.where(self.open, held, 0.0)) * self.value


def losses(scope: Scope, cluster: Cluster) -> Losses:
    """Return what each suspected event costs."""
    dataset, rows = scope.dataset, cluster.rows[scope.times[cluster.rows] <= scope.asof]
    rows = rows[np.argsort(scope.times[rows], kind="stable")]
    state = scope.state.state[rows]
    halted = stopped(dataset)[rows]
    fraud, good = (state == FRAUD) & ~halted, (state == GOOD) & ~halted
    caught = fraud & _caught(scope)[rows]
    notes = []
    if dataset.roles.outcome is None:
        notes.append("No history of outcomes: every suspected event counts as let through.")
    elif dataset.caused_by is None and dataset.roles.label is not None:
        notes.append("Nobody says which verdict a reviewer caused: frauds caught in review count as lost.")
    loss, said = _loss(scope, rows, fraud & ~caught)
    running = np.flatnonzero(~halted)
    part, basis = chances(scope, cluster, rows[running])
    open_ = ~halted & ~fraud & ~good
    known = part.share is not None or not (open_.any() or cluster.by == "labels")
    return Losses(
        rows, fraud & ~caught, good, halted, caught, open_, loss, _spread(part, running, len(rows)), known,
        (*notes, *said, *basis),
    )  # fmt: skip


def _spread(part: Chances, running: npt.NDArray[np.intp], size: int) -> Chances:
    """Return chances of the events that were not stopped as those of all, 0 for the others."""

    def held(values: Floats) -> Floats:
        full = np.zeros(size)
        full[running] = values
        return full

    return Chances(
        part.share, part.lower, part.upper, held(part.expected), held(part.expected_lower), held(part.expected_upper),
        held(part.told_by_now), part.faster, part.why,
    )  # fmt: skip


def _caught(scope: Scope) -> Mask:
    """Return which events history held for review and whose verdict the review itself caused."""
    dataset = scope.dataset
    if dataset.roles.outcome is None or dataset.caused_by is None or dataset.caused_by not in dataset.table:
        return np.zeros(dataset.rows, dtype=bool)
    steps = ladder(dataset.domain)
    codes, names = dataset.segment(dataset.roles.outcome)
    review = np.array([name != "(missing)" and steps.effect(name) == "review" for name in names], dtype=bool)
    return review[codes] & dataset.table.column(dataset.caused_by).present


def _loss(scope: Scope, rows: npt.NDArray[np.intp], lost: Mask) -> tuple[Floats | None, tuple[str, ...]]:
    """Return what each event costs if it is fraud, in minor units, and what that rests on."""
    roles, held = scope.dataset.roles, scope.worth
    if roles.amount is None and "loss" not in roles.measures:
        return None, ("There is no amount and no loss: money is not measurable, events are counted instead.",)
    amount = None if roles.amount is None else scope.dataset.minor(roles.amount)
    if not held.loss_measured:
        assert amount is not None
        found: Floats = amount[rows].astype(np.float64) * scope.costs.loss_share
        said = f"Loss is {100 * scope.costs.loss_share:g} % of the amount, as stated"
        if "recovered" in roles.measures:
            back = scope.dataset.minor(roles.measures["recovered"])[rows]
            net: Floats = np.where(lost, np.maximum(found - back, 0.0), found)
            return net, (f"{said}, less what was recovered.",)
        return found, (f"{said}.",)
    composed = _composed(scope, rows, lost)
    if composed is not None:
        sums, parts = composed
        return np.where(lost, held.loss[rows], sums), (
            f"A told fraud's loss is measured; it is the event's {' and '.join(parts)}, and so is that of others.",
        )
    fraud = scope.state.state == FRAUD
    inside, before = rows[fraud[rows]], np.flatnonzero(fraud & scope.baseline)
    some = inside if len(inside) >= ENOUGH or not len(before) else before
    whose = "the suspected events" if some is inside else "the baseline"
    total = float(held.loss[some].astype(np.float64).sum())
    if amount is not None:
        whole = float(amount[some].astype(np.float64).sum())
        ratio = total / whole if whole > 0 else None
        found = amount[rows].astype(np.float64) * (scope.costs.loss_share if ratio is None else ratio)
        if ratio is None:
            said = f"no fraud is told, so {100 * scope.costs.loss_share:g} % of the amount, as stated"
        else:
            said = f"{100 * ratio:.1f} % of the amount, as of {len(some):,} told frauds of {whose}"
    elif len(some):
        found = np.full(len(rows), total / len(some))
        said = f"the mean loss of {len(some):,} told frauds of {whose}"
    else:
        return None, ("No fraud is told, so what one costs is not known: events are counted instead.",)
    return np.where(lost, held.loss[rows], found), (f"A told fraud's loss is measured; that of others is {said}.",)


def _composed(scope: Scope, rows: npt.NDArray[np.intp], lost: Mask) -> tuple[Floats, list[str]] | None:
    """Return the sum of the fewest kinds of money that is the loss of nearly all told frauds, and which; or None."""
    if int(lost.sum()) < ENOUGH:
        return None
    roles, target = scope.dataset.roles, scope.worth.loss[rows].astype(np.float64)
    kinds = {"amount": roles.amount, **{name: column for name, column in roles.measures.items() if name in _PARTS}}
    money = {name: scope.dataset.minor(column)[rows].astype(np.float64) for name, column in kinds.items() if column}
    for size in range(1, len(money) + 1):
        for names in combinations(money, size):
            whole = np.sum([money[name] for name in names], axis=0)
            near = np.abs(whole[lost] - target[lost]) <= ALIKE * np.maximum(target[lost], 1.0)
            if near.mean() >= NEARLY_ALL and bool((target[lost] > 0).any()):
                return whole, list(names)
    return None


@dataclass(frozen=True, slots=True)
class Rate:
    """What a day costs, as of the recent part of the window: per_day with its interval, hours looked at, events."""

    per_day: float
    lower: float
    upper: float
    hours: float
    events: int


def recent_rate(
    at: Floats, value: Floats, low: Floats, high: Floats, *, hours: float, draws: int = 2_000, seed: int = 0
) -> Rate:
    """Return the loss per day of a stretch of hours with its 95 % interval.

    The stretch is cut into blocks that are drawn anew, so that events that come together do not make the interval
    too small. The lower end is drawn from the low values of the events, the upper end from the high ones.

    Parameters
    ----------
    at : ndarray of float64
        Hours of each event since the stretch began, 0 or more and below `hours`.
    value, low, high : ndarray of float64
        Each event's loss, and its two ends.
    hours : float
        The stretch's length.
    draws, seed : int
        How many draws, and of which chance.

    Examples
    --------
    >>> ones = np.ones(48)
    >>> rate = recent_rate(np.arange(48) / 2, ones, ones, ones, hours=24.0)
    >>> rate.per_day, rate.lower, rate.upper
    (48.0, 48.0, 48.0)
    """
    block = np.minimum((at / hours * BLOCKS).astype(np.int64), BLOCKS - 1)
    sums = [np.bincount(block, weights=held, minlength=BLOCKS) for held in (value, low, high)]
    drawn = np.random.default_rng(seed).integers(0, BLOCKS, (draws, BLOCKS))
    lower = float(np.quantile(sums[1][drawn].sum(axis=1), 0.025))
    upper = float(np.quantile(sums[2][drawn].sum(axis=1), 0.975))
    total, per = float(sums[0].sum()), 24.0 / hours
    if len(at) < BLOCKS:  # with few events the draws are too sure of the blocks that stayed empty
        most = float(high.max(initial=0.0))
        upper = max(upper, float(sums[2].sum()) + Z95 * float(np.sqrt((high**2).sum())), RULE_OF_THREE * most)
    return Rate(total * per, min(lower, total) * per, max(upper, total) * per, hours, len(at))


def rate_of(scope: Scope, held: Losses) -> Rate | None:
    """Return what a day costs without containment; None when less than an hour of the window has passed."""
    start, end = scope.incident.window
    last = min(end, scope.asof)
    hours = min(RECENT_HOURS, (last - start) / HOUR)
    if hours < 1.0:
        return None
    at = (scope.times[held.rows] - (last - int(hours * HOUR))) / HOUR
    inside = (at >= 0) & (at < hours)
    ends = [held.expected(end)[inside] for end in ("expected", "expected_lower", "expected_upper")]
    if not held.known:
        ends[2] = np.where(held.lost | held.open, held.value, 0.0)[inside]
    if not inside.any():
        some = held.value[held.lost | held.open]
        most = RULE_OF_THREE * (float(some.mean()) if len(some) else 0.0) * 24.0 / hours
        return Rate(0.0, 0.0, most, hours, 0)
    return recent_rate(at[inside], *ends, hours=hours, seed=scope.seed)
