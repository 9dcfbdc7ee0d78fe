"""What is at stake at each event, and what would a changed decision about it be worth?"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import ladder
from riskbench.engine.columns import DAY
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.measure import ages
from riskbench.incidents.pending import chances
from riskbench.incidents.scope import Scope, matching
from riskbench.metrics.intervals import wilson
from riskbench.metrics.maturity import delay_curve

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]

#: The loss of a fraud not told yet is taken from so many told ones.
ENOUGH = 5
#: With fewer suspected events a containment cannot be found on one part of the window and checked on another.
FEWEST = 15
#: The first part of the window holds this share of the suspected events.
FIRST = 0.6
#: Where so many verdicts are expected and none has come, none will: that is chance once in twenty times.
SURELY = 3.0
#: From so many days on an interval a day rests on the days' own spread.
DAYS = 7


@dataclass(frozen=True, eq=False)
class Stakes:
    """Each event as containment judges it.

    Attributes
    ----------
    base : ndarray of int8
        The ladder level that the book decides now.
    suspected : ndarray of bool
        The cluster's events, and after the window those that meet its condition or were told fraud; none told good.
    chance, chance_lower, chance_upper : ndarray of float64
        How likely each event is fraud: 1 where told, 0 where told good and for all that is not suspected.
    told, good : ndarray of bool
        Told fraud; told good.
    loss, margin : ndarray of float64
        Money lost when a fraud is let through, and money earned when a good event is; major units.
    gain, spoil, work : ndarray of float64, shape (levels,)
        By ladder level: share of a loss prevented, margins lost, cost of handling.
    harsh, alert, review : ndarray of bool, shape (levels,)
        By ladder level: reviewed or stopped; above the mildest; reviewed.
    said : tuple of str
        What chances and losses rest on.
    """

    base: Levels
    suspected: Mask
    chance: Floats
    chance_lower: Floats
    chance_upper: Floats
    told: Mask
    good: Mask
    loss: Floats
    margin: Floats
    gain: Floats
    spoil: Floats
    work: Floats
    harsh: Mask
    alert: Mask
    review: Mask
    said: tuple[str, ...]

    def change(
        self, level: npt.NDArray[np.integer], rows: npt.NDArray[np.intp], *, chance: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Return what each event's change to a level gains, and what it costs, given each event's chance of fraud."""
        before = self.base[rows]
        fraud = (self.chance if chance is None else chance)[rows]
        gain = fraud * self.loss[rows] * (self.gain[level] - self.gain[before])
        harm = (1.0 - fraud) * self.margin[rows] * (self.spoil[level] - self.spoil[before])
        return gain, harm + self.work[level] - self.work[before]

    def value(self, level: npt.NDArray[np.integer], rows: npt.NDArray[np.intp]) -> Floats:
        """Return what each event's change to a level is worth."""
        gain, harm = self.change(level, rows)
        return gain - harm


@dataclass(frozen=True, eq=False)
class Period:
    """A span of time in which a candidate is measured.

    Attributes
    ----------
    mask : ndarray of bool
        Its events.
    days : float
        Its length.
    """

    mask: Mask
    days: float


def stakes_of(scope: Scope, cluster: Cluster) -> Stakes:
    """Return what is at stake at each event of a scope."""
    state = scope.state.state
    told, good = state == FRAUD, state == GOOD
    suspected = np.zeros(scope.dataset.rows, dtype=bool)
    suspected[cluster.rows] = True
    alike = matching(scope.dataset, cluster.condition) if cluster.condition is not None else np.zeros_like(told)
    suspected |= scope.after & (told | alike)
    suspected &= ~good
    rungs = ladder(scope.dataset.domain).rungs
    effects = [rung.effect for rung in rungs]
    costs, held = scope.costs, scope.worth
    scale = scope.dataset.currency.scale if held.money else 1
    loss, lost = _losses(scope, suspected, told)
    chance, lower, upper, likely = _chances(scope, cluster, suspected, alike)
    return Stakes(
        base=scope.hits.resolution.level,
        suspected=suspected,
        chance=chance,
        chance_lower=lower,
        chance_upper=upper,
        told=told,
        good=good,
        loss=loss / scale,
        margin=held.margin * held.margin_weight(costs) / scale,
        gain=np.array([costs.fraud_gain(effect) for effect in effects]),
        spoil=np.array([costs.good_cost(effect, account=held.account) for effect in effects]),
        work=np.array([costs.handling(effect) if held.money else 0.0 for effect in effects]),
        harsh=np.array([effect in ("review", "stop") for effect in effects]),
        alert=np.array([effect != "none" for effect in effects]),
        review=np.array([effect == "review" for effect in effects]),
        said=(*likely, lost),
    )


def _chances(
    scope: Scope, cluster: Cluster, suspected: Mask, alike: Mask
) -> tuple[Floats, Floats, Floats, tuple[str, ...]]:
    """Return how likely each event is fraud, with both ends; each period of suspected events for itself.

    Where too little is told to estimate it, the excess over the baseline says how many of those that meet the
    cluster's condition are more than usual.
    """
    told = scope.state.state == FRAUD
    made = [np.where(told, 1.0, 0.0) for _ in range(3)]
    said: list[str] = []
    cut = split_at(scope, cluster)
    early = scope.current & (scope.times < cut) if cut is not None else scope.current
    periods = [("window", early), ("days after it", scope.after)]
    if cut is not None:
        periods = [("window's first part", early), ("window's later part", scope.current & ~early), *periods[1:]]
    likely = 0.0
    for name, period in periods:
        rows = np.flatnonzero(suspected & period)
        if not len(rows):
            continue
        found, _ = chances(scope, cluster, rows)
        ends: tuple[Floats, Floats, Floats] = (found.expected, found.expected_lower, found.expected_upper)
        share = found.share
        if period is not scope.after:
            likely = max(likely, share or 0.0)
        if share is None and period is scope.after and likely * _told_by_now(scope, rows) >= SURELY:
            share, ends = 0.0, (np.zeros(len(rows)),) * 3
            said.append("Nothing is told of the days after the window, and by now it would be: it is over.")
        elif share is None:
            share = _excess(scope, alike, period) if cluster.condition is not None else None
            if share is None:
                share = 0.0 if period is scope.after else 1.0
                said.append(
                    f"How many of the suspected events of the {name} are fraud is not measurable ({found.why}): "
                    f"{'all' if share else 'none'} of those not told are taken for it."
                )
            else:
                said.append(
                    f"Of the suspected events of the {name} {share:.0%} are more than usual, and taken for fraud: "
                    f"{found.why}."
                )
            ends = (np.full(len(rows), share), np.zeros(len(rows)), np.ones(len(rows)))
        else:
            said.append(
                f"{share:.0%} ({found.lower:.0%} to {found.upper:.0%}) of the suspected events of the {name} are taken "
                f"for fraud, from the verdicts told so far and how fast they come."
            )
        for held, end in zip(made, ends, strict=True):
            held[rows] = np.where(told[rows], 1.0, end)
    return made[0], made[1], made[2], tuple(said)


def _told_by_now(scope: Scope, rows: npt.NDArray[np.intp]) -> float:
    """Return how many verdicts some events would have by now, were all of them fraud."""
    if scope.dataset.roles.label_time is None:
        return 0.0
    told = scope.dataset.column("label_time")
    age = ages(scope)
    known = scope.baseline & (scope.state.state == FRAUD) & told.present
    curve = delay_curve((told.values[known].astype(np.int64) - scope.times[known]) / DAY, age[known])
    return float(curve.at(age[rows]).sum())


def split_at(scope: Scope, cluster: Cluster) -> int | None:
    """Return the moment by which so many of the cluster's events were seen; None with too few of them."""
    times = np.sort(scope.times[cluster.rows])
    if len(times) < FEWEST:
        return None
    cut = int(times[int(np.ceil(FIRST * len(times))) - 1]) + 1
    return cut if int((times >= cut).sum()) >= FEWEST // 3 else None


def _excess(scope: Scope, alike: Mask, period: Mask) -> float | None:
    """Return the share of a period's events meeting a condition that is more than the baseline's share of them."""
    seen, usual, every = int((alike & period).sum()), int(scope.baseline.sum()), int(period.sum())
    if not seen or not usual:
        return None
    expected = int((alike & scope.baseline).sum()) / usual * every
    return max(0.0, 1.0 - expected / seen)


def _losses(scope: Scope, suspected: Mask, told: Mask) -> tuple[Floats, str]:
    """Return what each event loses if it is fraud, in minor units; those not told are taken to lose as the told do."""
    held, costs = scope.worth, scope.costs
    if not held.loss_measured:
        said = f"A fraud loses {costs.loss_share:.0%} of its amount." if held.money else "Every event counts as one."
        return held.loss.astype(np.float64) * costs.loss_share, said
    column = scope.dataset.table.column(scope.dataset.roles.measures["loss"])
    measured = told & column.present
    if scope.dataset.roles.amount is None:  # the loss of a fraud not told yet may stand in the data already
        return _mean_losses(held.loss, measured, suspected, scope.current)
    amount = held.value.astype(np.float64)
    share, what = costs.loss_share, "as stated"
    for group, name in (
        (measured & suspected, "frauds told of the cluster"),
        (measured & scope.current, "frauds told of the window"),
        (measured, "frauds told"),
    ):
        n = int((group & (amount > 0)).sum())
        if n >= ENOUGH:
            share = float(held.loss[group].sum() / max(1.0, amount[group].sum()))
            what = f"as the {n:,} {name} do"
            break
    said = f"A suspected event whose loss is not told yet is taken to lose {share:.1%} of its amount, {what}."
    return np.where(measured, held.loss.astype(np.float64), amount * share), said


def _mean_losses(loss: npt.NDArray[np.int64], measured: Mask, suspected: Mask, current: Mask) -> tuple[Floats, str]:
    """Return the losses told, and for the other events the mean of those told."""
    usual, what = 0.0, "nothing, as no fraud is told that tells what one loses"
    for group, name, fewest in (
        (measured & suspected, "frauds told of the cluster", ENOUGH),
        (measured & current, "frauds told of the window", ENOUGH),
        (measured, "frauds told", 1),
    ):
        n = int(group.sum())
        if n >= fewest:
            usual, what = float(loss[group].mean()), f"as much as the {n:,} {name} do on average"
            break
    said = f"A suspected event whose loss is not told yet is taken to lose {what}."
    return np.where(measured, loss.astype(np.float64), usual), said


def measured(scope: Scope, stakes: Stakes, level: Levels, period: Period, *, candidates: int = 1) -> dict[str, Any]:
    """Return what a changed decision does in a period, beyond what the book does now.

    Parameters
    ----------
    level : ndarray of int8, shape (rows,)
        The ladder level under the changed book.
    period : Period
        The events and days that count.
    candidates : int
        How many changes are looked at: the interval of the net value is widened so that it holds for all of them.

    Returns
    -------
    dict
        n, caught, caught_share with interval, value_prevented, good_hit, good_told_hit, good_hit_per_day with
        interval, insult_rate with interval, alerts_per_day, reviews_per_day, net_value_day with interval,
        net_value_day_told, net_value_day_all.
    """
    days = max(period.days, 1e-9)
    moved = np.flatnonzero(period.mask & (level != stakes.base))
    now, before = level[moved], stakes.base[moved]
    raised = now > before
    n, caught = int((period.mask & stakes.suspected).sum()), int((raised & stakes.suspected[moved]).sum())
    presumed = 1.0 - stakes.chance[moved]
    hit = np.where(raised & stakes.alert[now], presumed, 0.0)
    harmed = presumed * (stakes.harsh[now].astype(float) - stakes.harsh[before])
    goods = float((1.0 - stakes.chance[period.mask]).sum())
    share = tuple(_plain(x) for x in wilson(caught, n))
    insult = tuple(_plain(x) for x in wilson(min(max(0.0, float(harmed.sum())), goods), goods))
    sure = NormalDist().inv_cdf(1 - 0.025 / max(1, candidates))

    def net(chance: Floats) -> Floats:
        # A day brings no more gain than a period shorter than a day did; its harm is scaled up.
        gain, harm = stakes.change(now, moved, chance=chance)
        return gain / max(1.0, days) - harm / days

    value, low, high = (net(chance) for chance in (stakes.chance, stakes.chance_lower, stakes.chance_upper))
    half = sure * _spread(scope, moved, value, period)
    told = np.where(stakes.told, 1.0, 0.0)
    count, wide = float(hit.sum()), 1.96 * _spread(scope, moved, hit, period)
    return {
        "n": n,
        "caught": caught,
        "caught_share": share[0],
        "caught_share_lower": share[1],
        "caught_share_upper": share[2],
        "value_prevented": float(stakes.change(now, moved)[0].sum()),
        "good_hit": count,
        "good_told_hit": int((raised & stakes.alert[now] & stakes.good[moved]).sum()),
        "good_hit_per_day": count / days,
        "good_hit_per_day_lower": max(0.0, count - wide) / days,
        # Where none was hit, up to three may have been, nineteen times of twenty.
        "good_hit_per_day_upper": max(3.0, count + wide) / days,
        "insult_rate": insult[0],
        "insult_rate_lower": insult[1],
        "insult_rate_upper": insult[2],
        "alerts_per_day": float(stakes.alert[now].sum() - stakes.alert[before].sum()) / days,
        "reviews_per_day": float(stakes.review[now].sum() - stakes.review[before].sum()) / days,
        "net_value_day": float(value.sum()),
        "net_value_day_lower": float(min(low.sum(), value.sum())) - half,
        "net_value_day_upper": float(max(high.sum(), value.sum())) + half,
        "net_value_day_told": float(net(told).sum()),
        "net_value_day_all": float(net(np.where(stakes.suspected, 1.0, told)).sum()),
    }


def _spread(scope: Scope, rows: npt.NDArray[np.intp], value: Floats, period: Period) -> float:
    """Return the standard error of a sum: of events that come by chance, or by the days' own spread if that is more."""
    chance = float((value**2).sum())
    if period.days >= DAYS and len(rows):
        day = scope.times // DAY
        seen = np.unique(day[period.mask])
        sums = np.bincount(np.searchsorted(seen, day[rows]), value, minlength=len(seen))
        chance = max(chance, len(seen) * float(sums.var(ddof=1)) if len(seen) > 1 else 0.0)
    return float(np.sqrt(chance))


def _plain(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return number if np.isfinite(number) else None
