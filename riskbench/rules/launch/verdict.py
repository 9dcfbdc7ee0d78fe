"""Does a launch go on? Its guardrails and its benefit since it began, looked at every day."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.display import Fact, Result, number, result
from riskbench.display.chart import BLUE, ORANGE, style
from riskbench.errors import DataError
from riskbench.rules.doors import moment, wanted
from riskbench.rules.hits import hits
from riskbench.rules.launch.effect import Trial
from riskbench.rules.launch.ground import verdict_grounds
from riskbench.rules.launch.launch import LaunchPlan, arms
from riskbench.rules.launch.page import verdict_pages
from riskbench.rules.launch.stage import Stage, stage_among
from riskbench.rules.launch.watch import BENEFIT, Watched, against, history_levels, telling, watch, worth_so_far

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Verdict = Literal["not launched", "too early", "stop", "go on", "continue"]
#: With fewer labelled events of what the rule adds, nothing is said of its benefit.
FEWEST = 5


@result
class LaunchVerdict(Result):
    """Whether a launch stops, continues, or goes on to its next stage.

    Attributes
    ----------
    verdict : {"not launched", "too early", "stop", "go on", "continue"}
        What to do.
    reason : str
        Why, in one sentence.
    guardrails : DataFrame
        One row a guardrail, and one for the benefit: measure, side, bound, on, n, value, lower, upper (of the rate
        of all events so far, also where it moved; 95 % at all times and for all guardrails together), p (were it one
        rate throughout), difference with interval (treated less control), status.
    sequence : DataFrame
        One row a measure and day: measure, date, n, hits, value, lower, upper, bound.
    against : DataFrame
        In a share of traffic, treated against control by the stage's book and by history: source, measure, treated,
        control, difference with lower and upper (95 % at all times), n.
    worth : DataFrame
        What the labelled events that the rule changes would bring, or brought, so far: events, frauds, net_value, each
        (per event) with lower and upper, reading. For information: no launch is judged by it.
    arms : DataFrame
        One row an arm since the launch: arm, events, hits, changed, labelled, frauds, good, young, blocked.
    """

    kind: ClassVar[str] = "launch_verdict"
    title: ClassVar[str] = "Launch so far"
    main: ClassVar[str] = "guardrails"
    repr_tables: ClassVar[tuple[str, ...]] = ("against", "worth", "arms")
    next_step: ClassVar[str] = '.frame("sequence") holds every day'

    verdict: Verdict
    reason: str
    stage: str
    since: str | None
    guardrails: pd.DataFrame
    sequence: pd.DataFrame
    against: pd.DataFrame
    worth: pd.DataFrame
    arms: pd.DataFrame
    shown: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the verdict first, then what it rests on."""
        return self.facts

    @property
    def drawable(self) -> bool:
        """Whether there is a day to draw."""
        return bool(len(self._drawn) > 1)

    @property
    def _drawn(self) -> pd.DataFrame:
        own = self.sequence[self.sequence["measure"] == self.shown]
        return own[own["n"] > 0]

    def _draw(self, ax: Axes) -> None:
        own = self._drawn
        at = np.arange(len(own))
        value, low, high = (100 * own[name].to_numpy(dtype=np.float64) for name in ("value", "lower", "upper"))
        bound = 100 * float(own["bound"].iloc[0])
        ax.fill_between(at, low, high, color=BLUE, alpha=0.18, step="post", label="95 % at all times")
        ax.step(at, value, color=BLUE, where="post", linewidth=1.8, label="so far")
        word = "break-even" if self.shown == BENEFIT else "bound"
        ax.axhline(bound, color=ORANGE, linewidth=1.6, linestyle="--", label=word)
        # The first days hold everything open: the picture is cut where the later days lie.
        late = high[len(high) // 4 :]
        ax.set_ylim(0, min(104.0, 1.25 * max(float(late.max()), bound, float(value[len(value) // 4 :].max()))))
        ax.margins(x=0.01)
        shown = at[:: max(1, -(-len(own) // 6))]
        ax.set_xticks(shown, [own["date"].iloc[day] for day in shown])
        ax.legend(frameon=False, ncols=3, loc="upper right", fontsize=9)
        style(ax, title=f"{self.shown.replace('_', ' ').capitalize()} since the launch", x="day", y="share (%)")


def judge_launch(
    plan: LaunchPlan,
    dataset: Dataset,
    *,
    since: str | pd.Timestamp | None,
    stage: str | float = "shadow",
    asof: str | pd.Timestamp | None = None,
) -> LaunchVerdict:
    """Judge a launch on the events since it began: stop, continue, or go on to the next stage.

    Use it every day if you like: the intervals hold at all looks together, so that a rule that does no harm is
    stopped in at most 5 % of launches, however often one looks. Read `stop` with the guardrail that it names; read
    `too early` as: the verdicts are still to come.

    Parameters
    ----------
    plan : LaunchPlan
        The plan, made on events before the launch.
    dataset : Dataset
        Events, those since the launch among them.
    since : str, Timestamp or None
        When the stage began (UTC); None says that nothing was launched.
    stage : str or float
        The stage that runs: "shadow", a share of traffic of the plan, or "live".
    asof : str or Timestamp, optional
        Only events and verdicts known by then count.

    Returns
    -------
    LaunchVerdict
        Tables guardrails, sequence, arms.

    Raises
    ------
    ParameterError
        When the plan has no such stage.
    DataError
        When there is no event since the launch.

    Examples
    --------
    >>> import riskbench as rb
    >>> events = rb.sample("transactions", region="ID", orders=20_000)
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "model_score >= 0.5", outcome: review, status: draft}
    ... ''')
    >>> plan = rb.plan_launch(book, events, asof="2026-08-15")
    >>> print(rb.judge_launch(plan, events, since="2026-08-15", stage=0.1).verdict)
    continue

    Source: metrics/sequential.py names the papers.
    """
    wanted(plan, "LaunchPlan", name="plan")
    wanted(dataset, "Dataset", name="dataset")
    moment(since, name="since")
    begun = time.perf_counter()
    if since is None:
        return _nothing(plan)
    where = stage_among(stage, plan.steps)
    first = micros(since)
    held = hits(plan.before, dataset, asof=asof)
    trial = Trial(plan.rule, held)
    launched = trial.times >= first
    if not launched.any():
        raise DataError(
            "No event lies after the launch.", got=f"launched {pd.Timestamp(first, unit='us')}", hint="check since="
        )
    treated = arms(plan, held.dataset, where)
    swells = dict(zip(plan.guardrails["measure"], plan.guardrails["design_effect"], strict=True))
    rails, benefit = watch(
        trial,
        since=first,
        treated=treated,
        share=where.share,
        limits=tuple((limit, float(swells.get(limit.measure, 1.0))) for limit in plan.limits),
        break_even=plan.evidence.break_even,
        swell=plan.evidence.design_effect,
    )
    verdict, reason, shown = _verdict(rails, benefit, trial, where)
    watched = [*rails, *([benefit] if benefit is not None else [])]
    table, rules = _arms(trial, launched, treated, where), _guardrails(watched)
    compared = _AGAINST.copy()
    if 0 < where.share < 1:
        compared = against(trial, launched=launched, treated=treated, swell=max([1.0, *swells.values()]))
    speaking = telling(trial, launched=launched, treated=treated, share=where.share)
    worth = worth_so_far(trial, speaking, plan.costs)
    return LaunchVerdict(
        verdict=verdict,
        reason=reason,
        stage=where.name,
        since=f"{pd.Timestamp(first, unit='us'):%Y-%m-%d %H:%M}",
        guardrails=rules,
        sequence=pd.concat([one.frame() for one in watched], ignore_index=True) if watched else _EMPTY.copy(),
        against=compared,
        pages=verdict_pages(rules, compared, worth, currency=plan.currency),
        worth=worth,
        arms=table,
        shown=shown,
        facts=(
            Fact("Verdict", f"{verdict}: {reason}", "text"),
            *_facts(benefit, rails),
            Fact("Events under the rule", int(table["events"].iloc[0]), "count"),
            replace(plan.headline()[1], name="Net value, a week, as planned"),
        )[:6],
        grounds=verdict_grounds(trial, launched & treated, plan.grounds),
        notes=(
            *_notes(plan, trial, where, launched),
            *_history(trial, plan, where, launched & treated),
            *_drift(watched),
        ),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": plan.before.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {
                "rule": plan.rule,
                "since": str(since),
                "stage": where.name,
                "unit": plan.unit,
                "key": plan.key,
                "asof": str(asof) if asof is not None else None,
                "on": held.day,
            },
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


_AGAINST = pd.DataFrame(columns=["source", "measure", "treated", "control", "difference", "lower", "upper", "n"])
_EMPTY = pd.DataFrame(columns=["measure", "date", "n", "hits", "value", "lower", "upper", "bound"])


def _nothing(plan: LaunchPlan) -> LaunchVerdict:
    """Return the verdict on a launch that has not begun: its plan."""
    return LaunchVerdict(
        verdict="not launched",
        reason="nothing was launched yet",
        stage="",
        since=None,
        guardrails=_guardrails([]),
        sequence=_EMPTY.copy(),
        against=_AGAINST.copy(),
        worth=pd.DataFrame(columns=["events", "frauds", "net_value", "each", "lower", "upper", "reading"]),
        arms=pd.DataFrame(
            columns=["arm", "events", "hits", "changed", "labelled", "frauds", "good", "young", "blocked"]
        ),
        shown=BENEFIT,
        facts=plan.headline(),
        grounds=plan.grounds,
        notes=(f"{plan.rule} is not launched yet: what is expected of it stands above.", *plan.notes),
        provenance={**plan.provenance},
    )


def _verdict(rails: list[Watched], benefit: Watched | None, trial: Trial, stage: Stage) -> tuple[Verdict, str, str]:
    """Return what to do, why, and which figure shows it."""
    for rail in rails:
        if rail.broken:
            so_far = f"{number(float(rail.seen.value[-1]), 'share')} so far, {rail.on}"
            return "stop", f"{rail.measure.replace('_', ' ')} {_beyond(rail)} ({so_far})", rail.measure
    if benefit is None:
        return "continue", "no guardrail is broken; what the rule is worth is not measurable", _first(rails)
    if benefit.broken:
        return "stop", f"it does not pay: its precision {_beyond(benefit)}", BENEFIT
    if benefit.kept:
        last = " It is live." if stage.share == 1 else ""
        return (
            "go on",
            f"its precision is surely above {number(benefit.bound, 'share')} and no guardrail is broken.{last}",
            BENEFIT,
        )
    if benefit.n < FEWEST:
        if stage.share == 1 and trial.effect != "review":
            return "continue", "no guardrail is broken; once live nothing tells the benefit", _first(rails)
        return (
            "too early",
            f"{benefit.n} labelled events so far of what the rule adds; verdicts take up to {trial.matures:.0f} days",
            _first(rails) if benefit.n == 0 else BENEFIT,
        )
    return "continue", "no guardrail is broken, and its precision is not told from its break-even yet", BENEFIT


def _beyond(one: Watched) -> str:
    """Return how a bound is left: now, or on the day when it was first sure."""
    left = f"surely {'above' if one.side == 'at_most' else 'below'} {number(one.bound, 'share')}"
    return f"is {left}" if one.still_broken or one.broken_at is None else f"was {left} on {one.date(one.broken_at)}"


def _first(rails: list[Watched]) -> str:
    return rails[0].measure if rails else BENEFIT


def _guardrails(watched: list[Watched]) -> pd.DataFrame:
    found = []
    for one in watched:
        last = one.frame().iloc[-1] if one.n else None
        apart = one.difference or (None, None, None)
        status = "no events" if last is None else "broken" if one.broken else "surely kept" if one.kept else "open"
        found.append(
            (
                one.measure,
                one.side,
                one.bound,
                one.on,
                one.n,
                None if last is None else float(last["value"]),
                None if last is None else float(last["lower"]),
                None if last is None else float(last["upper"]),
                None if last is None else float(one.seen.p[-1]),
                *apart,
                status,
            )
        )
    names = ["measure", "side", "bound", "on", "n", "value", "lower", "upper", "p"]
    return pd.DataFrame(found, columns=[*names, "difference", "difference_lower", "difference_upper", "status"])


def _arms(trial: Trial, launched: npt.NDArray[np.bool_], treated: npt.NDArray[np.bool_], stage: Stage) -> pd.DataFrame:
    """Return the events of each arm since the launch, and what is known of those whose outcome the rule changes."""
    place = [rule.id for rule in trial.book.rules].index(trial.rule)
    hit = trial.held.bits.mask(place)
    young, blocked = ~trial.mature, trial.held.labels.state == 2
    named = [("all, as if live", launched)] if stage.share == 0 else [("treated", launched & treated)]
    if stage.share < 1 and stage.share > 0:
        named.append(("control", launched & ~treated))
    found = []
    for name, rows in named:
        moved = rows & trial.changed
        counts = [rows, rows & hit, moved, moved & (trial.kinds != 2), moved & (trial.kinds == 1)]
        counts += [moved & (trial.kinds == 0), moved & young, moved & blocked & ~young]
        found.append((name, *(int(np.count_nonzero(mask)) for mask in counts)))
    names = ["arm", "events", "hits", "changed", "labelled", "frauds", "good", "young", "blocked"]
    return pd.DataFrame(found, columns=names)


def _facts(benefit: Watched | None, rails: list[Watched]) -> tuple[Fact, ...]:
    facts = []
    if benefit is not None and benefit.n:
        last = benefit.frame().iloc[-1]
        facts.append(
            Fact(
                "Precision of what it adds",
                float(last["value"]),
                "share",
                lower=float(last["lower"]),
                upper=float(last["upper"]),
                n=benefit.n,
                note=f"pays above {number(benefit.bound, 'share')}",
            )
        )
    else:
        facts.append(Fact("Precision of what it adds", None, "share", note="no labelled event yet"))
    for rail in rails[:2]:
        name = rail.measure.replace("_", " ").capitalize()
        if not rail.n:
            facts.append(Fact(name, None, "share", note="no events yet"))
            continue
        last = rail.frame().iloc[-1]
        word = "at most" if rail.side == "at_most" else "at least"
        facts.append(
            Fact(
                name,
                float(last["value"]),
                "share",
                lower=float(last["lower"]),
                upper=float(last["upper"]),
                n=rail.n,
                note=f"{word} {number(rail.bound, 'share')}, {rail.on}",
            )
        )
    return tuple(facts)


def _notes(plan: LaunchPlan, trial: Trial, stage: Stage, launched: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    notes = ["Intervals hold at all looks together (95 %) for the rate of all events so far: looking daily is allowed."]
    moved = launched & trial.changed
    young = int(np.count_nonzero(moved & ~trial.mature))
    notes.append(
        f"An event's verdict counts from {trial.matures:.0f} days on: {young:,} of {int(moved.sum()):,} events whose "
        "outcome the rule changes are too young yet."
    )
    spoilt = trial.effect != "review"
    if stage.share == 0:
        notes.append("In shadow the rule decides nothing: all figures are as if it were live.")
    elif stage.share < 1:
        where = "on the control group, where the rule hides no verdict" if spoilt else "on both arms: a review keeps it"
        notes.append(f"{plan.unit} splits the arms. What needs a verdict is read {where}.")
    elif spoilt:
        notes.append("Once live, what the rule stops or challenges has no verdict, and there is no control group left.")
    return tuple(notes)


def _drift(watched: list[Watched]) -> tuple[str, ...]:
    """Return which figures moved with time, or left their bound without the rule too."""
    moved = [told for one in watched if (told := one.moved()) is not None]
    apart = [
        f"{one.measure.replace('_', ' ')}: treated and control do not differ surely, so the rule alone may not be the "
        "cause."
        for one in watched
        if one.broken and one.difference is not None and one.difference[1] <= 0 <= one.difference[2]
    ]
    return (*moved, *apart)


def _history(trial: Trial, plan: LaunchPlan, stage: Stage, rows: npt.NDArray[np.bool_]) -> list[str]:
    """Return whether history shows what the rule should have decided in its arm."""
    levels = history_levels(trial)
    if stage.share == 0 or levels is None:
        return []
    moved = rows & trial.changed
    done = int(np.count_nonzero(moved & (levels == trial.after)))
    total = int(moved.sum())
    if done == total:
        return []
    said = f"History shows the outcome of {plan.rule} on {done:,} of {total:,} events that it should have decided"
    return [f"{said}: was it deployed? All figures are of what the stage's book decides."]
