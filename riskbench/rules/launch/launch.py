"""How does a rule go live? Stage by stage, with what to expect, when it is measurable, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.display import Fact, Result, number, result
from riskbench.errors import InfeasibleError, ParameterError
from riskbench.metrics.constraints import Constraint, plain
from riskbench.metrics.costs import Costs
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import book_and_events, each_limit, moment, span, wanted
from riskbench.rules.hits import hits
from riskbench.rules.launch.effect import Limit, Trial, break_even, effect_table, window_of
from riskbench.rules.launch.ground import passed_on, plan_grounds
from riskbench.rules.launch.pace import (
    Evidence,
    delays,
    evidence_of,
    guardrail_table,
    guardrails_of,
    stage_table,
)
from riskbench.rules.launch.page import draw_stages, plan_facts, plan_pages
from riskbench.rules.launch.stage import (
    BUCKET,
    BUCKETS,
    Stage,
    candidate,
    decided,
    stage_among,
    staged,
    stages_of,
    with_buckets,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.comparison.request import ChangeRequest


@result
class LaunchPlan(Result):
    """How one rule goes live: stages, expected effect, guardrails, and when to stop.

    Attributes
    ----------
    effects : DataFrame
        What the rule would change a week if it were live: measure, unit, today, change, lower, upper (95 %), n,
        inferred_share (how much of it stands for verdicts told later).
    stages : DataFrame
        One row a stage: stage, share; alerts, reviews, frauds, good_hit, net with `_lower` and `_upper` (expected
        change a week); told_a_week (events that tell the benefit), gather_weeks (until there are enough of them),
        benefit_weeks (until their verdicts are in too: the benefit is told from this stage alone), harm_weeks (until
        every guardrail would tell a clear breach), lasts (weeks), labels_told (the share of a stage's frauds that is
        told by its end), starts, ends. Weeks beyond 26 are empty.
    guardrails : DataFrame
        measure, side, bound, source, today, expected, design_effect, week_events, needed.
    stop_rule : DataFrame
        when, then: what to do, in words and numbers.
    before : RuleBook
        The book today.
    rule : str
        The rule that is launched.
    unit : str
        The column whose values are split between the arms.
    key : str
        The word that the split is made with.
    window : tuple of Timestamp
        The window that all is measured on.
    day : str or None
        The day whose lists and deviations act in all figures.
    evidence : Evidence
        What tells the benefit.
    """

    kind: ClassVar[str] = "launch_plan"
    title: ClassVar[str] = "Launch plan"
    main: ClassVar[str] = "stages"
    repr_tables: ClassVar[tuple[str, ...]] = ("effects", "guardrails", "stop_rule")
    next_step: ClassVar[str] = '.book("shadow").to_yaml(); then rb.judge_launch(plan, events, since=..., stage=...)'

    effects: pd.DataFrame
    stages: pd.DataFrame
    guardrails: pd.DataFrame
    stop_rule: pd.DataFrame
    before: RuleBook
    rule: str
    unit: str
    key: str
    matures: float
    evidence: Evidence
    window: tuple[pd.Timestamp, pd.Timestamp]
    asof: str | pd.Timestamp | None
    day: str | None
    costs: Costs
    limits: tuple[Limit, ...]
    steps: tuple[Stage, ...]
    currency: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the expected effect a week, and when it is measurable."""
        return self.facts

    def book(self, stage: str | float) -> RuleBook:
        """Return the rule book of a stage.

        In a share of traffic the rule's condition gets `AND launch_bucket < N`: a column that `with_buckets` makes.

        Raises
        ------
        ParameterError
            When the plan has no such stage.
        """
        return staged(self.before, self.rule, stage_among(stage, self.steps))

    def with_buckets(self, dataset: Dataset) -> Dataset:
        """Return events with the column `launch_bucket`, 0 to 9,999, by which a stage's share of traffic is cut.

        It is the first eight hexadecimal digits of SHA-256 over the plan's key, a colon and the unit, modulo 10,000,
        so that any system can compute it; a unit stays in its arm. Missing where the unit is missing: never treated.
        """
        wanted(dataset, "Dataset", name="dataset")
        return with_buckets(dataset, unit=self.unit, key=self.key)

    def request(
        self,
        dataset: Dataset,
        *,
        stage: str | float | None = None,
        reason: str | None = None,
        requested_by: str | None = None,
    ) -> ChangeRequest:
        """Return the page on which a reviewer signs the launch, measured on the plan's own window.

        Parameters
        ----------
        dataset : Dataset
            The events that the plan was made on.
        stage : str or float, optional
            The stage to sign; by default the last.
        reason, requested_by : str, optional
            Why, and who asks; by default what the plan says.

        Raises
        ------
        ParameterError
            When the plan has no such stage.
        """
        from riskbench.rules.launch.request import launch_request

        wanted(dataset, "Dataset", name="dataset")
        asked = self.steps[-1] if stage is None else stage_among(stage, self.steps)
        return launch_request(self, dataset, stage=asked, reason=reason, requested_by=requested_by)

    @property
    def drawable(self) -> bool:
        """Whether the benefit is measurable in any stage."""
        return bool(self.stages["lasts"].notna().any())

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of stages."""
        return 1.7 + 0.42 * len(self.stages)

    def _draw(self, ax: Axes) -> None:
        draw_stages(ax, self.stages)


def plan_launch(
    book: RuleBook,
    dataset: Dataset,
    *,
    rule: str | None = None,
    steps: Iterable[object] = ("shadow", 0.1, 0.5, "live"),
    costs: Costs | Mapping[str, float] | None = None,
    guardrails: Constraint | Iterable[Constraint] = (),
    measure_on: tuple[str | pd.Timestamp | None, str | pd.Timestamp | None] | None = None,
    unit: str | None = None,
    start: str | pd.Timestamp | None = None,
    power: float = 0.8,
    asof: str | pd.Timestamp | None = None,
) -> LaunchPlan:
    """Plan how a draft goes live: what to expect, how long until it is measurable, and when to stop.

    Use it before a rule decides anything. Read `effects` as the change a week given all live rules, measured on the
    last third of the events old enough for their verdict, so later than what a rule is usually tuned on; read `stages`
    for the day from which the benefit can be told. Looking every day is allowed: `judge_launch` keeps its 5 % anyhow.

    Parameters
    ----------
    book : RuleBook
        The live book with the draft in it.
    dataset : Dataset
        Past events.
    rule : str, optional
        The draft or shadow rule; by default the book's first draft, else its first rule in shadow.
    steps : sequence
        The stages: "shadow", shares of traffic, "live".
    costs : Costs or mapping, optional
        What fraud, insults and reviews cost.
    guardrails : Constraint or sequence of Constraint
        Limits that traffic under the rule must keep to, such as a review capacity. By default on what the rule itself
        adds (reviews or alerts, good customers held or stopped; approvals lost): twice what is expected.
    measure_on : (start, end), optional
        The window that the effect is measured on, UTC.
    unit : str, optional
        The column whose values stay in one arm; by default the first entity, else the event's id.
    start : str or Timestamp, optional
        The first day of the first stage; by default the day after the last event.
    power : float, above 0.5 and below 1
        The chance to tell a true benefit by the day that is named.
    asof : str or Timestamp, optional
        Only events and verdicts known by then count.

    Returns
    -------
    LaunchPlan
        Tables stages, effects, guardrails, stop_rule; `.book(stage)`, `.with_buckets(dataset)`.

    Raises
    ------
    RuleError
        When none is named and the book has neither a draft nor a rule in shadow.
    ParameterError
        When there is no such rule, or it is live or retired already; when the steps do not grow, or the power is no
        chance.
    DataError
        Without times, or without events old enough for a verdict.
    InfeasibleError
        When the rule would break a guardrail that was given; `nearest_point` holds the largest share that would not.

    Examples
    --------
    >>> import riskbench as rb
    >>> events = rb.sample("transactions", region="ID", orders=5_000)
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "model_score >= 0.5", outcome: review, status: draft}
    ... ''')
    >>> plan = rb.plan_launch(book, events, steps=["shadow", 0.2, "live"])
    >>> plan.frame()[["stage", "share"]].to_numpy().tolist()
    [['shadow', 0.0], ['20 %', 0.2], ['live', 1.0]]
    >>> plan.book(0.2).rule("TX-1").when
    '(model_score >= 0.5) AND launch_bucket < 2000'

    Source: the intervals of `metrics.sequential`; the break-even precision follows docs/decisions/0006.
    """
    book_and_events(book, dataset)
    moment(start, name="start")
    span(measure_on, name="measure_on")
    begun = time.perf_counter()
    named, stages, stated = candidate(book, rule), stages_of(steps), Costs.from_mapping(costs)
    given = each_limit(guardrails, name="guardrails")
    _check(given, power)
    held = hits(book, dataset, asof=asof).at(stated)
    column = held.dataset.resolve(unit) if unit is not None else (*dataset.roles.entities, dataset.roles.id)[0]
    trial = Trial(named, held)
    low, high = window_of(trial, measure_on)
    rows = np.flatnonzero((trial.times >= low) & (trial.times < high))
    weeks = max((high - low) / (7 * 86_400_000_000), 1 / 7)
    units = held.dataset.segment(column)[0]
    limits = guardrails_of(trial, rows, given)
    if given:
        _feasible(trial, rows, limits, stages)
    effects = effect_table(trial, rows, stated, units=units[rows], start=low, weeks=weeks)
    evidence = evidence_of(trial, rows, units, break_even=break_even(trial, rows, stated), weeks=weeks, power=power)
    rails = guardrail_table(trial, rows, units, limits, weeks=weeks, power=power)
    opens = (
        pd.Timestamp(start)
        if start is not None
        else pd.Timestamp(trial.asof, unit="us").normalize() + pd.Timedelta(days=1)
    )
    table = stage_table(trial, stages, evidence, rails, effects, start=opens)
    currency = held.dataset.currency.code if held.worth.money else ""
    window = (pd.Timestamp(low, unit="us"), pd.Timestamp(high, unit="us"))
    return LaunchPlan(
        effects=effects,
        stages=table,
        guardrails=rails,
        stop_rule=_stop_rule(trial, evidence, limits),
        before=book,
        rule=named,
        unit=column,
        key=named,
        matures=trial.matures,
        evidence=evidence,
        window=window,
        asof=held.labels.asof if held.labels.asof is not None else asof,
        day=held.day,
        costs=stated,
        limits=limits,
        steps=stages,
        currency=currency,
        grounds=plan_grounds(trial, rows, effects),
        facts=plan_facts(named, effects, table, evidence, currency=currency),
        pages=plan_pages(effects, table, rails, currency=currency),
        notes=_notes(trial, rows, evidence, stated, window=window, weeks=weeks, unit=column, named=rule is not None),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {
                "rule": named,
                "steps": [stage.name for stage in stages],
                "unit": column,
                "key": named,
                "measured_on": [f"{end:%Y-%m-%d %H:%M}" for end in window],
                "power": power,
                "costs": stated.to_dict(),
                "asof": str(asof) if asof is not None else None,
                "on": held.day,
            },
            "sql": {named: book.rule(named).when},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _check(given: tuple[Constraint, ...], power: float) -> None:
    plain(given, what="the guardrails of a launch")
    if isinstance(power, bool) or not isinstance(power, int | float) or not 0.5 < power < 1:
        raise ParameterError("The power is a chance", got=repr(power)[:40], allowed="above 0.5 and below 1")


def _feasible(trial: Trial, rows: Any, limits: tuple[Limit, ...], stages: tuple[Stage, ...]) -> None:
    """Refuse a launch whose last stage is expected to break a limit."""
    most, reach = 1.0, max(stage.share for stage in stages)
    broken = None
    for limit in limits:
        today, live = limit.share(trial, rows, live=False), limit.share(trial, rows)
        if today is None or live is None:
            continue
        sign = 1.0 if limit.side == "at_most" else -1.0
        over, start = sign * (live - limit.bound), sign * (today - limit.bound)
        allowed = 1.0 if over <= 0 else max(0.0, start / (start - over)) if start < 0 else 0.0
        if allowed < most:
            most, broken = allowed, (limit, today, live)
    if broken is None or reach <= most:
        return
    limit, today, live = broken
    raise InfeasibleError(
        f"The launch would break its guardrail: {Constraint(limit.rate, limit.bound, limit.side)}.",
        got=f"{number(today, 'share')} today, {number(live, 'share')} expected with {trial.rule} live",
        allowed=(
            f"a launch on at most {number(most, 'share')} of the traffic"
            if most > 0
            else "no launch: it is broken today"
        ),
        hint="stop at a smaller share, tighten the rule, or widen the guardrail",
        nearest_point={"share": most, limit.rate: live},
    )


def _stop_rule(trial: Trial, evidence: Evidence, limits: tuple[Limit, ...]) -> pd.DataFrame:
    """Return what to do when: the stop rule and the way back."""
    pays = "-" if evidence.break_even is None else number(evidence.break_even, "share")
    rows = []
    for limit in limits:
        word = "above" if limit.side == "at_most" else "below"
        name = limit.measure.replace("_", " ")
        rows.append((f"{name} is surely {word} {number(limit.bound, 'share')}", "stop: roll back"))
    if evidence.break_even is not None:
        rows += [
            (f"the precision of what it adds is surely below {pays}", "stop: it does not pay"),
            (f"the precision of what it adds is surely above {pays}, no guardrail broken", "go on to the next stage"),
        ]
    rows += [
        ("none of these", "continue, and look again tomorrow: the intervals hold for looking daily"),
        ("to roll back", f"set {trial.rule} to shadow: what it held is released by review, and its hits still count"),
    ]
    return pd.DataFrame(rows, columns=["when", "then"])


def _notes(
    trial: Trial,
    rows: Any,
    evidence: Evidence,
    costs: Costs,
    *,
    window: tuple[pd.Timestamp, pd.Timestamp],
    weeks: float,
    unit: str,
    named: bool,
) -> tuple[str, ...]:
    rule = trial.book.rule(trial.rule)
    changed = rows[trial.changed[rows]]
    mute = int(np.count_nonzero(trial.kinds[changed] == 2))
    curve = delays(trial)
    name = f"{rule.id} ({rule.title})" if rule.title else rule.id
    span = f"from {window[0]:%Y-%m-%d} to before {window[1]:%Y-%m-%d}"
    notes = [
        f"{name}, {rule.status} today, would {rule.outcome}{'' if named else '; taken because no rule was named'}.",
        f"Measured on the events {span} ({weeks:.1f} weeks), the last ones old enough for a verdict.",
    ]
    notes += passed_on(trial, changed)
    notes.append(
        f"{mute:,} of {len(changed):,} events whose outcome would change have no verdict: they are in no fraud, good "
        "or precision figure; their reviews are paid for in the net value."
    )
    if curve is None:
        notes.append(
            "Verdicts bear no time: how long they take is not measurable, and every plan is too quick by that."
        )
    elif curve.n:
        notes.append(
            f"Half of the frauds are told within {curve.age_of(0.5):.0f} days, nine of ten within "
            f"{curve.age_of(0.9):.0f}; an event counts from {trial.matures:.0f} days on."
        )
    if evidence.break_even is None:
        notes.append("Above which precision it pays is not measurable: no known fraud and good event to price.")
    elif evidence.precision is not None and evidence.precision <= evidence.break_even:
        notes.append(
            "It is not expected to pay: its precision does not lie above its break-even. Do not launch it as it stands."
        )
    if trial.effect != "review":
        notes.append(
            f"What it decides ({rule.outcome}) hides verdicts: in a share of traffic only the control group tells the "
            "benefit, and once live nothing does."
        )
    notes.append(
        f"The share of traffic is cut by {unit}: {BUCKET} is the first 8 hexadecimal digits of SHA-256 over "
        f"'{trial.rule}:' and the value, modulo {BUCKETS:,}. A {unit} stays in its arm."
    )
    worth, code = trial.held.worth, trial.held.dataset.currency.code
    stated = costs.told(code if worth.money else "", account=worth.told(costs, code))
    notes.append(f"Costs assumed: {stated}.")
    return (*notes, *trial.held.dataset.notes)


def arms(plan: LaunchPlan, dataset: Dataset, stage: Stage) -> Any:
    """Return which events the rule decides at a stage of a plan."""
    return decided(dataset, stage, unit=plan.unit, key=plan.key)
