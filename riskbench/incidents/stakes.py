"""What is at stake at each event, and what would a changed decision about it be worth?"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import ladder
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.scope import Scope, matching
from riskbench.metrics.intervals import wilson

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]

DAY = 86_400_000_000
#: The loss of a fraud not told yet is taken from so many told ones.
ENOUGH = 5
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
        The cluster's events, and after the window those that meet its condition or were told fraud.
    fraud, told, good : ndarray of bool
        Taken for fraud (told, or suspected and not told good); told fraud; told good. All others are presumed good.
    loss, margin : ndarray of float64
        Money lost when a fraud is let through, and money earned when a good event is; major units.
    gain, spoil, work : ndarray of float64, shape (levels,)
        By ladder level: share of a loss prevented, margins lost, cost of handling.
    harsh, alert, review : ndarray of bool, shape (levels,)
        By ladder level: reviewed or stopped; above the mildest; reviewed.
    said : str
        How the loss of frauds not told yet was taken.
    """

    base: Levels
    suspected: Mask
    fraud: Mask
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
    said: str

    def change(self, level: npt.NDArray[np.integer] | int, rows: npt.NDArray[np.intp], *, told: bool = False) -> Floats:
        """Return what each event's change to a level is worth; with `told` only verdicts count as fraud.

        Then a suspected event without a verdict is neither fraud nor good, and only its handling counts.
        """
        before = self.base[rows]
        fraud = self.told[rows] if told else self.fraud[rows]
        good = ~self.fraud[rows]
        worth = np.where(fraud, self.loss[rows] * (self.gain[level] - self.gain[before]), 0.0)
        worth -= np.where(good, self.margin[rows] * (self.spoil[level] - self.spoil[before]), 0.0)
        return np.asarray(worth - (self.work[level] - self.work[before]))


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
    later = told.copy()
    if cluster.condition is not None:
        later |= matching(scope.dataset, cluster.condition)
    suspected |= scope.after & later & ~good
    rungs = ladder(scope.dataset.domain).rungs
    effects = [rung.effect for rung in rungs]
    costs, held = scope.costs, scope.worth
    scale = scope.dataset.currency.scale if held.money else 1
    loss, said = _losses(scope, suspected, told)
    return Stakes(
        base=scope.hits.resolution.level,
        suspected=suspected,
        fraud=(told | suspected) & ~good,
        told=told,
        good=good,
        loss=loss / scale,
        margin=held.margin * held.margin_weight(costs) / scale,
        gain=np.array([costs.fraud_gain(effect) for effect in effects]),
        spoil=np.array([costs.good_cost(effect) for effect in effects]),
        work=np.array([costs.handling(effect) if held.money else 0.0 for effect in effects]),
        harsh=np.array([effect in ("review", "stop") for effect in effects]),
        alert=np.array([effect != "none" for effect in effects]),
        review=np.array([effect == "review" for effect in effects]),
        said=said,
    )


def _losses(scope: Scope, suspected: Mask, told: Mask) -> tuple[Floats, str]:
    """Return what each event loses if it is fraud, in minor units; those not told are taken to lose as the told do."""
    held, costs = scope.worth, scope.costs
    if not held.loss_measured:
        said = f"A fraud loses {costs.loss_share:.0%} of its amount." if held.money else "Every event counts as one."
        return held.loss.astype(np.float64) * costs.loss_share, said
    column = scope.dataset.table.column(scope.dataset.roles.measures["loss"])
    measured = told & column.present
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
        net_value_day_told.
    """
    days = max(period.days, 1e-9)
    moved = np.flatnonzero(period.mask & (level != stakes.base))
    now, before = level[moved], stakes.base[moved]
    raised = now > before
    n = int((period.mask & stakes.suspected & stakes.fraud).sum())
    caught = int((raised & stakes.suspected[moved] & stakes.fraud[moved]).sum())
    presumed = ~stakes.fraud[moved]
    hit = presumed & raised & stakes.alert[now]
    harmed = presumed & stakes.harsh[now] & ~stakes.harsh[before]
    relieved = presumed & ~stakes.harsh[now] & stakes.harsh[before]
    goods = int((period.mask & ~stakes.fraud).sum())
    value = stakes.change(now, moved)
    prevented = float((stakes.loss[moved] * (stakes.gain[now] - stakes.gain[before]))[stakes.fraud[moved]].sum())
    share = tuple(_plain(x) for x in wilson(caught, n))
    insult = tuple(_plain(x) for x in wilson(max(0, int(harmed.sum()) - int(relieved.sum())), goods))
    sure = NormalDist().inv_cdf(1 - 0.025 / max(1, candidates))
    # A day brings no more gain than a period shorter than a day did; its harm is scaled up.
    per = np.where(stakes.fraud[moved], max(1.0, days), days)
    value = value / per
    net, spread = float(value.sum()), _spread(scope, moved, value, period)
    count, wide = float(hit.sum()), _spread(scope, moved[hit], np.ones(int(hit.sum())), period)
    return {
        "n": n,
        "caught": caught,
        "caught_share": share[0],
        "caught_share_lower": share[1],
        "caught_share_upper": share[2],
        "value_prevented": prevented,
        "good_hit": int(count),
        "good_told_hit": int((hit & stakes.good[moved]).sum()),
        "good_hit_per_day": count / days,
        "good_hit_per_day_lower": max(0.0, count - 1.96 * wide) / days,
        # Where none was hit, up to three may have been, nineteen times of twenty.
        "good_hit_per_day_upper": max(3.0, count + 1.96 * wide) / days,
        "insult_rate": insult[0],
        "insult_rate_lower": insult[1],
        "insult_rate_upper": insult[2],
        "alerts_per_day": float((stakes.alert[now] & ~stakes.alert[before]).sum()) / days,
        "reviews_per_day": float(stakes.review[now].sum() - stakes.review[before].sum()) / days,
        "net_value_day": net,
        "net_value_day_lower": net - sure * spread,
        "net_value_day_upper": net + sure * spread,
        "net_value_day_told": float((stakes.change(now, moved, told=True) / per).sum()),
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
