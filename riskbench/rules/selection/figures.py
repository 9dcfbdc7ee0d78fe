"""How many frauds, how much money, which precision: a set's figures as counted, estimated and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.outcomes import ladder
from riskbench.metrics.costs import Costs
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.selection import FEWEST_DRAWN, enough_drawn, sensitivity, share_of
from riskbench.rules.hits import Hits
from riskbench.rules.selection.evidence import Evidence

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: What all live rules together are called.
ALL = "all alerts"
#: The figures of a set, and whether a high one is good.
MEASURES: Mapping[str, bool] = {
    "frauds": True,
    "fraud_value": True,
    "precision": True,
    "recall": True,
    "insult_rate": False,
    "good_value_hit": False,
    "net_value": True,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a set: as counted, as estimated, and its ends.

    Attributes
    ----------
    naive : float or None
        From the events with a verdict alone, as if the others were not there.
    ipw, robust : Estimate
        From what was let through, without and with a model: of the events that could pass.
    worst, best : float or None
        Between which ends it lies over all events of the set; None where it has no meaning.
    """

    naive: float | None
    ipw: Estimate
    robust: Estimate
    worst: float | None
    best: float | None

    @property
    def told(self) -> Estimate:
        """The estimate to read: always the one with a model, so that nobody picks the nicer of the two."""
        return self.robust


@dataclass(frozen=True, eq=False)
class Part:
    """A set of events that is looked at, and what its outcome does to each.

    Attributes
    ----------
    name, outcome, status : str
        The rule's; all alerts have a name only.
    rows : ndarray of bool, shape (rows,)
        The events.
    change, most : ndarray of float64
        By how much net value is higher if the event is fraud: a known fraud, and any event at most.
    cost : ndarray of float64
        What the outcome costs if the event is good.
    """

    name: str
    outcome: str
    status: str
    rows: Mask
    change: Floats
    most: Floats
    cost: Floats

    def within(self, rows: Mask) -> Part:
        """Return the part of it that lies in some events."""
        return replace(self, rows=self.rows & rows)


def parts(held: Hits, evidence: Evidence, costs: Costs) -> list[Part]:
    """Return all alerts together, then each rule's hits."""
    steps = ladder(held.book.domain)
    effects = [rung.effect for rung in steps.rungs]
    gains = np.array([costs.fraud_gain(effect) for effect in effects])
    goods = np.array([costs.good_cost(effect, account=held.worth.account) for effect in effects])
    handling = np.array([costs.handling(effect) if evidence.money else 0.0 for effect in effects])

    def part(rows: Mask, level: npt.NDArray[np.integer], name: str, outcome: str = "", status: str = "") -> Part:
        good = goods[level] * evidence.margin
        change, most = (gains[level] * held + good for held in (evidence.loss, evidence.stake))
        return Part(name, outcome, status, rows, change, most, good + handling[level])

    level = held.resolution.level
    found = [part(np.array([effect != "none" for effect in effects])[level], level, ALL)]
    for place, rule in enumerate(held.book.rules):
        rows = np.zeros(held.bits.rows, dtype=bool)
        rows[held.bits.positions(place)] = True
        own = np.full(held.bits.rows, steps.level(rule.outcome))
        found.append(part(rows, own, rule.id, rule.outcome, rule.status))
    return found


def figures(evidence: Evidence, part: Part) -> dict[str, Figure]:
    """Return the figures of a set of events, by name."""
    rows = part.rows
    ones = np.ones(len(rows))
    found = {"frauds": _sum(evidence, rows, ones, ones)}
    if evidence.money:
        found["fraud_value"] = _sum(evidence, rows, evidence.stake, evidence.loss)
        value = evidence.value
        found["good_value_hit"] = _sum(evidence, rows, -value, -value, constant=value, good_is_high=False)
    found["net_value"] = _sum(evidence, rows, part.most, part.change, constant=-part.cost)
    inside, outside = found["frauds"], _sum(evidence, ~rows, ones, ones)
    found["precision"] = _scaled(inside, evidence, rows)
    found["recall"] = _share(inside, outside, good_is_high=True)
    good = [_good(figure, evidence, where) for figure, where in ((inside, rows), (outside, ~rows))]
    found["insult_rate"] = _share(good[0], good[1], good_is_high=False)
    return {name: found[name] for name in MEASURES if name in found}


def by_factor(evidence: Evidence, part: Part, factors: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return precision and net value of a set, if stopped events had so many times the odds of fraud expected."""
    rows = part.rows
    hidden, seen = rows & evidence.hidden, rows & evidence.told
    weight = evidence.fraud * evidence.weight * seen
    frauds = float(weight.sum()) + sensitivity(evidence.expected, np.ones(len(rows)), hidden, factors=factors)
    known = evidence.fraud & evidence.told
    at_most = float(evidence.stake[known].sum())
    lost = float(evidence.loss[known].sum()) / at_most if at_most > 0 else 1.0
    change = part.change + (part.most - part.change) * lost
    net = float((weight * part.change).sum()) - float(part.cost[hidden | seen].sum())
    count = int((hidden | seen).sum())
    share = frauds / count if count else np.full(len(factors), np.nan)
    return share, net + sensitivity(evidence.expected, change, hidden, factors=factors)


def enough(evidence: Evidence, rows: Mask) -> str:
    """Return why a set's figures are not estimated; empty where they are."""
    rest, drawn = evidence.rest & rows, evidence.sampled & rows
    if rest.any() and not enough_drawn(drawn, rest):
        return f"{int(drawn.sum())} let-through rows, {FEWEST_DRAWN} are needed"
    if not rest.any() and bool((evidence.included.never & rows).any()):
        return "history stopped a part of them and let none through"
    return "" if bool((evidence.labelled & rows).any()) or not bool(rows.any()) else "no event has a verdict"


def _sum(
    evidence: Evidence,
    rows: Mask,
    size: Floats,
    actual: Floats,
    *,
    constant: Floats | None = None,
    good_is_high: bool = True,
) -> Figure:
    """Return the sum of `constant` over events, plus that of `actual` (at most `size`) over those that are fraud."""
    held = np.zeros(len(rows)) if constant is None else constant
    naive = rows & evidence.verdict
    counted = float(held[naive].sum() + actual[naive & evidence.fraud].sum())
    why = enough(evidence, rows)
    if why:
        ipw = robust = Estimate.none(why, n=int((evidence.sampled & rows).sum()))
    else:
        base = float(held[rows & (evidence.labelled | evidence.rest)].sum())
        ipw = _moved(evidence.total(rows, size, actual, robust=False), base, counted)
        modelled = evidence.learnt and bool((evidence.rest & rows).any())
        robust = _moved(evidence.total(rows, size, actual, robust=True), base, counted) if modelled else ipw
    ends = evidence.ends(rows, size, actual)
    whole = float(held[rows].sum())
    low, high = ends.lower + whole, ends.upper + whole
    return Figure(counted, ipw, robust, *((low, high) if good_is_high else (high, low)))


def _good(frauds: Figure, evidence: Evidence, rows: Mask) -> Figure:
    """Return the number of good events of a set, from that of its frauds."""
    counted = int((rows & evidence.verdict & ~evidence.fraud).sum())
    open_, whole = int((rows & (evidence.labelled | evidence.rest)).sum()), int(rows.sum())

    def other(held: Estimate) -> Estimate:
        if held.value is None or held.lower is None or held.upper is None:
            return held
        turned = replace(held, value=-held.value, lower=-held.upper, upper=-held.lower)
        return _moved(turned, float(open_), float(counted))

    ends = [None if end is None else whole - end for end in (frauds.worst, frauds.best)]
    return Figure(float(counted), other(frauds.ipw), other(frauds.robust), ends[0], ends[1])


def _moved(held: Estimate, base: float, counted: float) -> Estimate:
    """Return an estimate with a constant added; what was not counted of it rests on correction."""
    if held.value is None or held.lower is None or held.upper is None:
        return held
    if not base:
        return held
    value = held.value + base
    rest = abs(value - counted)
    share = rest / (rest + abs(counted)) if rest > 1e-12 * abs(counted) else 0.0
    return replace(held, value=value, lower=held.lower + base, upper=held.upper + base, corrected=share)


def _scaled(frauds: Figure, evidence: Evidence, rows: Mask) -> Figure:
    """Return the share of frauds in a set whose number of events is known."""
    whole, labelled = int(rows.sum()), int((rows & evidence.verdict).sum())
    open_ = int((rows & (evidence.labelled | evidence.rest)).sum())

    def over(held: Estimate) -> Estimate:
        if held.value is None or held.lower is None or held.upper is None or not open_:
            return held if open_ else Estimate.none("no events to measure it on")
        value, lower, upper = (min(1.0, max(0.0, end / open_)) for end in (held.value, held.lower, held.upper))
        return replace(held, value=value, lower=lower, upper=upper)

    if not whole:
        nothing = Estimate.none("no event is hit")
        return Figure(None, nothing, nothing, None, None)
    naive = frauds.naive / labelled if labelled and frauds.naive is not None else None
    worst, best = (None if end is None else min(1.0, end / whole) for end in (frauds.worst, frauds.best))
    return Figure(naive, over(frauds.ipw), over(frauds.robust), worst, best)


def _share(inside: Figure, outside: Figure, *, good_is_high: bool) -> Figure:
    """Return inside / (inside + outside), figure by figure."""
    whole = (inside.naive or 0.0) + (outside.naive or 0.0)
    ends = []
    for mine, other in ((inside.worst, outside.best), (inside.best, outside.worst)):
        both = (mine or 0.0) + (other or 0.0)
        ends.append(None if mine is None or other is None or both <= 0 else mine / both)
    if not good_is_high and None in ends:
        ends = [None, None]
    return Figure(
        (inside.naive or 0.0) / whole if whole > 0 else None,
        share_of(inside.ipw, outside.ipw),
        share_of(inside.robust, outside.robust),
        ends[0],
        ends[1],
    )
