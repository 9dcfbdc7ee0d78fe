"""How is a containment tried? Found on one part of the events, checked on another, always beside the live book."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.outcomes import ladder
from riskbench.data.velocity import velocity
from riskbench.display import Result
from riskbench.engine.bits import Bits, positions
from riskbench.engine.columns import DAY
from riskbench.errors import DataError
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.proposals import (
    Proposal,
    added,
    listed_members,
    moved_cuts,
    promoted,
    with_outcome,
    within,
)
from riskbench.incidents.scope import Scope
from riskbench.incidents.stakes import Period, Stakes, split_at
from riskbench.rules.hits import apply, resolve
from riskbench.rules.mining.mine import mine
from riskbench.rules.placing import raisable
from riskbench.rules.rule import Rule

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]

#: The days after the window serve as the check when so many frauds are expected in them.
AFTER = 10
#: The order in which equal proposals are kept.
_SOURCES = ("incident", "segment", "attribution", "parameter", "promoted", "mined", "list")


@dataclass(frozen=True, eq=False)
class Plan:
    """Which events a containment is found on, and which it is checked on; the two never share one.

    Attributes
    ----------
    window, learn : Period
        The whole window, and the part of it that rules are found on.
    learn_baseline, baseline : Period
        The days of the baseline that rules are found on, and those that their collateral is measured on.
    after : Period
        The days after the window.
    check : Period or None
        The events that rules are checked on; None where there are too few suspected ones.
    said : str
        What the check is, in words.
    whole : bool
        Whether the rules are found on the whole window.
    """

    window: Period
    learn: Period
    learn_baseline: Period
    baseline: Period
    after: Period
    check: Period | None
    said: str
    whole: bool


@dataclass(frozen=True, eq=False)
class Trial:
    """A proposal with what the book decides once it is in it.

    Attributes
    ----------
    proposal : Proposal
        The change, with its outcome.
    level : ndarray of int8, shape (rows,)
        The ladder level of every event under the changed book.
    found : float
        Its net value a day where it was found; flattered.
    """

    proposal: Proposal
    level: Levels
    found: float


def plan_of(scope: Scope, stakes: Stakes, cluster: Cluster) -> Plan:
    """Return which events rules are found on and which they are checked on."""
    start, end = scope.incident.window
    end = min(end, max(start + 1, scope.asof))
    window = Period(scope.current, (end - start) / DAY)
    odd = (scope.times // DAY) % 2 == 1
    learnt, kept = (
        Period(scope.baseline & ~odd, _parity_days(scope, 0)),
        Period(scope.baseline & odd, _parity_days(scope, 1)),
    )
    if not kept.mask.any() or not learnt.mask.any():
        learnt = kept = Period(scope.baseline, max(scope.days[1], 0.0))
    last = int(scope.times[scope.after].max(initial=scope.incident.window[1])) + 1
    after = Period(scope.after, (last - scope.incident.window[1]) / DAY)
    if float(stakes.chance[scope.after].sum()) >= AFTER:
        return Plan(window, window, learnt, kept, after, after, "the days after the window", whole=True)
    cut = split_at(scope, cluster)
    if cut is not None:
        early = scope.current & (scope.times < cut)
        late = Period(scope.current & ~early, (end - cut) / DAY)
        if (early & stakes.suspected).any() and (late.mask & stakes.suspected).any():
            learn = Period(early, (cut - start) / DAY)
            return Plan(window, learn, learnt, kept, after, late, "the later part of the window", whole=False)
    return Plan(window, window, learnt, kept, after, None, "nothing: too few suspected events", whole=True)


def _parity_days(scope: Scope, parity: int) -> float:
    """Return how much of the baseline lies on even or odd days, in days."""
    first, last = scope.reference
    if last <= first:
        return 0.0
    days = np.arange(first // DAY, (last - 1) // DAY + 1)
    length = np.minimum(last, (days + 1) * DAY) - np.maximum(first, days * DAY)
    return float(length[days % 2 == parity].sum() / DAY)


def weights(scope: Scope, stakes: Stakes, plan: Plan) -> Floats:
    """Return what each event counts where a rule is found; 0 where it does not.

    A day of the incident brings the gain of the window and a collateral that is judged half on the window and
    half on the baseline. Where the window is shorter than a day, a day brings no more gain than the window did.
    """
    made = np.zeros(scope.dataset.rows)
    day, usual = max(plan.learn.days, 1e-9), plan.learn_baseline.days
    both = bool(plan.learn_baseline.mask.any()) and usual > 0
    made[plan.learn.mask] = (0.5 if both else 1.0) / day
    made[plan.learn.mask & stakes.suspected] = 1.0 / max(1.0, day)
    if both:
        made[plan.learn_baseline.mask] = 0.5 / usual
    return made


def proposals_of(
    scope: Scope,
    stakes: Stakes,
    plan: Plan,
    cluster: Cluster,
    *,
    causes: object | None,
    segments: Result | None,
    entities: Result | None,
    outcome: str | None,
    weight: Floats,
) -> tuple[list[Proposal], list[str]]:
    """Return every change that is worth a trial, and what could not be tried."""
    book, dataset, notes = scope.book, scope.dataset, list[str]()
    held: list[Proposal] = []
    conditions: list[str] = []
    if segments is not None and "condition" in segments.frame().columns:
        conditions = [str(text) for text in segments.frame()["condition"]]
    if cluster.condition is not None:
        conditions.append(cluster.condition)
    made, said = added(book, dataset, dict.fromkeys(conditions), "segment", blind=plan.whole)
    held += made
    notes += said
    rules = [rule for rule in getattr(causes, "rules", ()) if isinstance(rule, Rule)]
    made, said = added(book, dataset, rules, "attribution", blind=plan.whole)
    held += made
    notes += said
    sought = np.flatnonzero(plan.learn.mask & stakes.suspected)
    held += moved_cuts(book, dataset, sought)
    held += promoted(book)
    try:
        held += _mined(scope, stakes, plan, sought, outcome=outcome, weight=weight)
    except DataError as nothing:
        notes.append(f"No rules were mined: {nothing.what}")
    members = _members(entities) if entities is not None else pd.DataFrame()
    if {"entity", "column"} <= set(members.columns):
        every = np.flatnonzero(plan.window.mask & stakes.suspected)
        held += listed_members(scope, members, every, known=sought, blind=plan.whole)
    if scope.incident.where is None:
        return held, notes
    made, said = added(book, dataset, [scope.incident.where], "incident", blind=plan.whole)
    notes.append("New rules are tried within the incident's condition alone; what changes rules in force is not tried.")
    return [*made, *within(held, scope.incident.where)], notes + said


def _members(entities: Result) -> pd.DataFrame:
    """Return the members of the rings that are suspicious; of all where that is not told."""
    if "members" not in entities.tables:
        return pd.DataFrame()
    members = entities.frame("members")
    if "rings" in entities.tables and "ring" in members.columns:
        rings = entities.frame("rings")
        if {"ring", "suspicious"} <= set(rings.columns):
            members = members[members["ring"].isin(rings.loc[rings["suspicious"].astype(bool), "ring"])]
    return members


def _mined(
    scope: Scope, stakes: Stakes, plan: Plan, sought: Rows, *, outcome: str | None, weight: Floats
) -> list[Proposal]:
    steps = ladder(scope.dataset.domain)
    everything = np.arange(scope.dataset.rows)
    worth = {}
    for name in (outcome,) if outcome is not None else steps.names[1:]:
        level = steps.level(name)
        own = np.where(raisable(scope.hits, level), np.int8(level), stakes.base)
        worth[steps.names[level]] = stakes.value(own, everything) * weight
    rest = (plan.learn.mask | plan.learn_baseline.mask) & ~(plan.learn.mask & stakes.suspected)
    found = mine(
        scope.dataset,
        sought,
        against=np.flatnonzero(rest),
        worth=worth,
        state=np.where(plan.learn.mask | plan.learn_baseline.mask, scope.state.state, np.int8(-1)),
        features=scope.book.features,
        prefix="CONTAIN-MINED",
    )
    taken = {rule.id for rule in scope.book.rules}
    return [
        Proposal(one.rule.id, "mined", one.rule, features=one.features) for one in found if one.rule.id not in taken
    ]


def trials_of(
    scope: Scope, stakes: Stakes, proposals: Iterable[Proposal], weight: Floats, *, outcome: str | None
) -> list[Trial]:
    """Return each proposal that changes anything, with the decisions under it; those worth most first.

    An added rule gets the outcome that is worth most where it was found, unless one is given.
    """
    held = list(proposals)
    features = {name: feature for one in held for name, feature in one.features.items()}
    dataset = scope.dataset
    absent = {name: feature for name, feature in features.items() if name not in dataset.table}
    if absent:
        dataset = velocity(dataset, absent.values())
    bits = apply([one.rule for one in held], dataset)
    steps = ladder(dataset.domain)
    names = (outcome,) if outcome is not None else steps.names[1:]
    free = {name: raisable(scope.hits, steps.level(name)) for name in dict.fromkeys(names)}
    made: list[Trial] = []
    seen: set[bytes] = set()
    for line, one in sorted(enumerate(held), key=lambda pair: (_SOURCES.index(pair[1].source), pair[0])):
        tried = [
            Trial(
                one if one.replaces is not None else with_outcome(one, scope.book, name),
                level,
                _found(stakes, level, weight),
            )
            for name, level in _decided(scope, bits, line, one, free)
        ]
        best = max(tried, key=lambda trial: trial.found)
        changed = np.flatnonzero(best.level != stakes.base)
        key = changed.tobytes() + best.level[changed].tobytes()
        if len(changed) and key not in seen:
            seen.add(key)
            made.append(best)
    return sorted(made, key=lambda trial: -trial.found)


def _decided(scope: Scope, bits: Bits, line: int, one: Proposal, free: dict[str, Mask]) -> list[tuple[str, Levels]]:
    """Return the decisions under a proposal, one for each outcome that it may have."""
    if one.replaces is not None:
        places = [place for place, rule in enumerate(scope.book.rules) if rule.id == one.replaces]
        words = scope.hits.bits.words.copy()
        words[places] = bits.words[line]
        return [(one.rule.outcome, resolve(one.in_book(scope.book), Bits(words, bits.rows)).level)]
    steps = ladder(scope.dataset.domain)
    hit = positions(bits.words[line])
    made = []
    for name, open_ in free.items():
        level = scope.hits.resolution.level.copy()
        level[hit[open_[hit]]] = steps.level(name)
        made.append((name, level))
    return made


def _found(stakes: Stakes, level: Levels, weight: Floats) -> float:
    moved = np.flatnonzero((level != stakes.base) & (weight > 0))
    return float((stakes.value(level[moved], moved) * weight[moved]).sum())


def shortlist(trials: list[Trial], most: int) -> list[Trial]:
    """Return the best trial of each source, and then the best of the rest."""
    firsts = {trial.proposal.source: trial for trial in reversed(trials)}
    chosen = [trial for trial in trials if trial is firsts[trial.proposal.source]]
    chosen += [trial for trial in trials if trial is not firsts[trial.proposal.source]]
    return chosen[:most]
