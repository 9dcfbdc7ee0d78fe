"""Which stopped events may pass at random, how often, at what risk, and when is it known what they hide?"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.display import Fact, Grounds, Result, number, result
from riskbench.display.chart import BLUE, style
from riskbench.display.fact import Unit
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.costs import Costs
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import listed_names, mapping, seeded, wanted
from riskbench.rules.hits import Hits, hits
from riskbench.rules.selection.evidence import Evidence
from riskbench.rules.selection.never import banned, never_of
from riskbench.rules.selection.strata import (
    LONGEST,
    by_rule,
    planned,
    stated_chances,
    stopped_by,
    stratified,
    value_of,
    weeks_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.simulation import Simulation

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Hexadecimal digits of the hash that make the draw, and how many values they have.
_DIGITS = 13
_WHOLE = 16**_DIGITS
#: A one-sided 95 % quantile of the normal law.
_Z_HIGH = 1.6448536269514722


@result
class LetThroughPlan(Result):
    """Which stopped events may pass at random, how often, and what that costs and teaches.

    Attributes
    ----------
    rules : DataFrame
        One row a stopping rule: rule, stopped (events a week that it decides), never (of them, never let through),
        let_through (expected a week), at_risk (money a week, if all let through were fraud), loss with `_lower`,
        `_upper` (expected a week, 95 %), known_within (half width of the precision after the planned weeks; missing
        where too few rows come), known_after (weeks until it is known as well as asked; missing beyond two years),
        reading.
    strata : DataFrame
        One row a rule and value band: rule, band, above, up_to (major units), events (a week), expected_share (of
        frauds), chance, let_through, at_risk.
    book : RuleBook
        The book that decides what is stopped.
    never : tuple of str
        Rules and conditions of which nothing is ever let through.
    cap : float or None
        No event above this value is let through.
    seed : int
        The key of the draw.
    day : str or None
        The day whose lists and deviations act.
    """

    kind: ClassVar[str] = "let_through_plan"
    title: ClassVar[str] = "Let-through plan"
    main: ClassVar[str] = "rules"
    next_step: ClassVar[str] = ".chance(events) gives each event's probability, .draw(events) who passes"
    repr_tables: ClassVar[tuple[str, ...]] = ("strata",)
    repr_rows: ClassVar[int] = 24

    rules: pd.DataFrame
    strata: pd.DataFrame
    book: RuleBook
    never: tuple[str, ...]
    cap: float | None
    seed: int
    day: str | None
    currency: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return what the plan lets through, costs and teaches."""
        return self.facts

    def chance(self, events: Dataset) -> Floats:
        """Return each event's probability to pass: 1 where the book stops nothing, 0 where never.

        Parameters
        ----------
        events : Dataset
            Events with the columns that the book and the conditions name; store the result as the role `let_through`.

        Returns
        -------
        ndarray of float64, shape (rows,)
        """
        wanted(events, "Dataset", name="events")
        found = hits(self.book, events, on=self.day) if self.day else hits(self.book, events)
        stopped, value = stopped_by(found), value_of(found)
        open_ = stopped & ~banned(found, self.never, self.cap, value)
        places = {rule.id: place for place, rule in enumerate(found.book.rules)}
        out = np.where(stopped, 0.0, 1.0)
        for row in self.strata.to_dict("records"):
            most = np.inf if pd.isna(row["up_to"]) else float(row["up_to"])
            own = open_ & (found.resolution.rule == places[row["rule"]]) & (value >= row["above"]) & (value < most)
            out[own] = float(row["chance"])
        return out

    def draw(self, events: Dataset) -> Mask:
        """Return which events pass: all that the book does not stop, and those that win the draw.

        The draw is the first 13 hexadecimal digits of SHA-256 over `let-through:<seed>:<event id>`, as a share of
        16^13, held against the chance: whoever knows the plan draws the same, at any time and in any order.

        Parameters
        ----------
        events : Dataset
            As in `chance`.

        Returns
        -------
        ndarray of bool, shape (rows,)
        """
        chance = self.chance(events)
        passes = chance >= 1.0
        ids = events.column("id")
        if ids.missing:
            raise DataError("An event without an id cannot be drawn", got=f"{int(ids.missing)} without")
        codes, names = events.segment(events.roles.id)
        for place in np.flatnonzero((chance > 0) & (chance < 1)):
            passes[place] = drawn_share(names[codes[place]], self.seed) < chance[place]
        return passes

    @property
    def drawable(self) -> bool:
        """Whether anything is let through."""
        return bool(len(self.strata)) and bool((self.strata["chance"] > 0).any())

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of strata."""
        return 1.2 + 0.28 * min(20, max(1, len(self.strata)))

    def _draw(self, ax: Axes) -> None:
        shown = self.strata.head(20).iloc[::-1]
        place = np.arange(len(shown))
        ax.barh(place, 100 * shown["chance"], height=0.6, color=BLUE)
        ax.set_yticks(place, [f"{row.rule}, {row.band}" for row in shown.itertuples(index=False)], fontsize=8)
        ax.margins(y=0.03)
        ax.set_xlim(left=0)
        style(ax, title="Chance to pass, by rule and value", x="stopped events that are let through (%)", y="")


def drawn_share(event: str, seed: int) -> float:
    """Return the number in 0..1 that an event draws.

    >>> round(drawn_share("E-1", 0), 4), round(drawn_share("E-1", 1), 4)
    (0.0933, 0.1147)
    """
    return int(hashlib.sha256(f"let-through:{seed}:{event}".encode()).hexdigest()[:_DIGITS], 16) / _WHOLE


def plan_let_through(
    book: RuleBook | Simulation,
    events: Dataset | None = None,
    *,
    budget: float | None = None,
    cap: float | None = None,
    never: Iterable[str] | str = (),
    weeks: int = 8,
    precision: float = 0.1,
    chances: Mapping[str, float] | None = None,
    costs: Costs | Mapping[str, float] | None = None,
    seed: int = 0,
) -> LetThroughPlan:
    """Return with which chance each stopped event may pass at random, what it costs, and when it pays off.

    Use it so that a rule that stops events can be judged at all. Small orders pass more often than large ones, and
    each rule gets what it needs to be known. Failed identity checks, sanctions and confirmed stolen cards belong in
    `never`: nothing of them passes, and their precision stays bounded. Read `at_risk` as the most that an average
    week can cost: every event let through being fraud.

    Parameters
    ----------
    book : RuleBook or Simulation
        What stops events.
    events : Dataset, optional
        The events to plan on, with times; those of the simulation where one is handed in.
    budget : float above 0, optional
        Money at risk a week, major units, at most; without it the plan takes what the precision needs.
    cap : float above 0, optional
        No event above this value is let through.
    never : str or iterable of str
        Rules, by id, and conditions in the rule language, of which nothing is ever let through, nor of what may be
        such for all that a missing value tells; case, blanks and width of a text do not matter. Rules that name
        sanctions, stolen cards or failed identity checks are always among them.
    weeks : int, 1 to 104
        How long the let-through shall run.
    precision : float, above 0, at most 0.5
        How well each rule's precision shall then be known: plus or minus so much.
    chances : mapping of str to float, optional
        A chance by rule that is stated instead of planned, above 0 and at most 0.5; never that of a `never` rule.
    costs : Costs or mapping, optional
        The stated costs: what a fraud loses.
    seed : int, 0 or more
        The key of the draw.

    Returns
    -------
    LetThroughPlan
        Tables `rules` and `strata`.

    Raises
    ------
    ParameterError
        When a number is out of range, or a chance is stated for a rule of which nothing may pass.
    DataError
        When the events bear no time, so that there are no weeks.
    RuleError
        When a condition cannot be read, or no rule bears a name that is not one.

    Examples
    --------
    >>> import riskbench as rb
    >>> events = rb.sample("transactions", region="ID", orders=20_000)
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "model_score >= 0.5", outcome: block, status: live}
    ... ''')
    >>> plan = rb.plan_let_through(book, events, budget=2_000_000, never="payment_method = 'card'")
    >>> bool(plan.frame()["at_risk"].sum() <= 2_000_000)
    True
    >>> passes = plan.draw(events)
    >>> bool((plan.chance(events)[passes] > 0).all())
    True
    """
    begun = time.perf_counter()
    held = _held(book, events)
    _checked(held, budget=budget, cap=cap, weeks=weeks, precision=precision)
    seeded(seed)
    mapping(chances, name="chances", allowed="a chance by rule")
    fixed = stated_chances(held, chances)
    names = never_of(held, listed_names(never, name="never"), fixed)
    stated = Costs.from_mapping(costs)
    held = held.at(stated)
    score = held.dataset.roles.score
    evidence = Evidence.of(held, stated, score=score) if held.dataset.has("label") else None
    span = weeks_of(held.dataset)
    found = planned(
        stratified(held, evidence, names, cap),
        span=span,
        weeks=weeks,
        precision=precision,
        budget=budget,
        chances=fixed,
    )
    rules = by_rule(held, found, names, cap, span=span, weeks=weeks, precision=precision)
    shown = ["rule", "band", "above", "up_to", "events", "expected_share", "chance", "let_through", "at_risk"]
    return LetThroughPlan(
        rules=rules,
        strata=found[shown],
        book=held.written,
        never=names,
        cap=cap,
        seed=int(seed),
        day=held.day,
        currency=held.dataset.currency.code if held.worth.money else "",
        facts=_facts(held, rules, found, weeks=weeks, precision=precision),
        grounds=_grounds(rules, evidence),
        notes=_notes(held, names, cap, budget=budget, span=span),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": held.book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {
                "budget": budget,
                "cap": cap,
                "never": list(names),
                "weeks": weeks,
                "precision": precision,
                "chances": fixed,
                "costs": stated.to_dict(),
            },
            "seed": int(seed),
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _held(book: RuleBook | Simulation, events: Dataset | None) -> Hits:
    if isinstance(book, RuleBook):
        wanted(events, "Dataset", name="events")
        assert events is not None
        return hits(book, events)
    wanted(book, "Simulation", name="book", hint="a RuleBook with events, or a Simulation")
    if events is None:
        return book.hits
    wanted(events, "Dataset", name="events")
    return hits(book.book, events)


def _checked(held: Hits, *, budget: float | None, cap: float | None, weeks: int, precision: float) -> None:
    for name, value in (("budget", budget), ("cap", cap)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e18:
            raise ParameterError(f"`{name}` is money above 0", got=repr(value)[:80], allowed="a number above 0")
        if not held.dataset.has("amount"):
            raise ParameterError(f"`{name}` needs the events' amounts", hint="name the role 'amount'")
    if isinstance(weeks, bool) or not isinstance(weeks, int) or not 1 <= weeks <= LONGEST:
        raise ParameterError("`weeks` is a whole number", got=repr(weeks)[:80], allowed=f"1 to {LONGEST}")
    if isinstance(precision, bool) or not isinstance(precision, int | float) or not 0 < precision <= 0.5:
        raise ParameterError("`precision` is a share", got=repr(precision)[:80], allowed="above 0, at most 0.5")


def _facts(held: Hits, rules: pd.DataFrame, strata: pd.DataFrame, *, weeks: int, precision: float) -> tuple[Fact, ...]:
    money = held.worth.money
    currency = held.dataset.currency.code if money else ""
    unit: Unit = "money" if money else "average"
    risk = float(rules["at_risk"].sum())
    high = risk + _Z_HIGH * float(np.sqrt(strata["spread"].sum()))
    soon = rules[rules["known_after"] <= weeks]
    return (
        Fact("Let through a week", float(rules["let_through"].sum()), "average", note=f"of {_few(rules['stopped'])}"),
        Fact(
            "Expected loss a week",
            float(rules["loss"].sum()),
            unit,
            lower=float(rules["loss_lower"].sum()),
            upper=float(rules["loss_upper"].sum()),
            currency=currency,
        ),
        Fact("At risk a week, if all were fraud", risk, unit, currency=currency, note="on average"),
        Fact("At risk in a bad week", high, unit, currency=currency, note="19 of 20 weeks lie below"),
        Fact(
            f"Rules known within {weeks} weeks",
            len(soon),
            "count",
            n=len(rules),
            note=f"to plus or minus {number(precision, 'share')}",
        ),
        Fact("Never let through a week", float(rules["never"].sum()), "average", note="stays bounded"),
    )


def _few(stopped: pd.Series[float]) -> str:
    return f"{number(float(stopped.sum()), 'average')} stopped"


def _grounds(rules: pd.DataFrame, evidence: Evidence | None) -> Grounds:
    never = float(rules["never"].sum())
    return Grounds(
        measured="Stopped events a week, and their value.",
        estimated="Their share of frauds, from events with a verdict that the same rule hits."
        if evidence is not None
        else "",
        bounded=f"{number(never, 'average')} stopped events a week that never pass." if never else "",
        not_measurable="" if evidence is not None else "The expected loss: there is no label.",
    )


def _notes(
    held: Hits, never: tuple[str, ...], cap: float | None, *, budget: float | None, span: float
) -> tuple[str, ...]:
    notes = [f"Planned on {number(span, 'average')} weeks of events; stopped by the live rules as they stand."]
    if never:
        notes.append(f"Never let through, nor where a missing value leaves it open: {'; '.join(never)}.")
    else:
        notes.append("No rule is named in never=: failed identity checks, sanctions and stolen cards belong there.")
    if cap is not None:
        notes.append(f"No event above {number(cap)} is let through, and none whose value is missing.")
    if budget is None:
        notes.append("No budget was given: the plan takes what the precision needs.")
    notes.append("The draw depends on the seed and the event's id alone. Store each event's chance with it.")
    notes.append("A verdict comes late: add the labels' delay to the weeks.")
    return (*notes, *held.lapsed, *held.dataset.notes)
