"""Which edits of a rule book would pay? Ranked one by one, and the best set of a few, certified on later events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.windows import Span, Windows, split
from riskbench.display import Fact, Result, number, result
from riskbench.errors import DataError, InfeasibleError, ParameterError
from riskbench.metrics.constraints import RATES, Constraint, plain
from riskbench.metrics.costs import Costs
from riskbench.rules.book import RuleBook
from riskbench.rules.comparison.comparison import compare
from riskbench.rules.doors import book_and_events, each_limit, seeded, span, yes_or_no
from riskbench.rules.fairness.reads import group_notes
from riskbench.rules.hits import Hits, hits
from riskbench.rules.optimiser.aim import Aim, weights
from riskbench.rules.optimiser.case import Ground, check_events
from riskbench.rules.optimiser.edit import forms, options_of
from riskbench.rules.optimiser.front import front_of
from riskbench.rules.optimiser.page import draw_front, edits_page, limits_page, set_page
from riskbench.rules.optimiser.search import Field, Found, Search, Stand, best_sets
from riskbench.rules.optimiser.tables import LISTED, edits_frame, front_frame, limits_frame, set_frame, singles
from riskbench.rules.optimiser.values import values_to_try
from riskbench.rules.optimiser.words import facts, judged_on, remarks
from riskbench.rules.simulation import Simulation, simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.comparison.request import ChangeRequest

#: More edits at once than this are no edit of a book but another book.
MOST_EDITS = 200
#: A reason that the search writes itself is cut here.
LONGEST = 400


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What books and later simulations are made of; it is no result.

    Attributes
    ----------
    ground : Ground
        The events of both windows.
    costs : Costs
        The stated costs.
    edits, front : tuple of Stand
        The settings of the tables' rows.
    best : Stand
        The best set's.
    """

    ground: Ground
    costs: Costs
    edits: tuple[Stand, ...]
    front: tuple[Stand, ...]
    best: Stand

    def book(self, stand: Stand) -> RuleBook:
        """Return the book that stands so."""
        return self.ground.forms.book_of(stand)

    def later(self, book: RuleBook) -> Simulation:
        """Return what a book would have done on the later window, with the verdicts and lists that the search knew."""
        held = self.ground.held
        labels, events = held.labels, held.dataset.where(self.ground.later)
        if labels.mature_after is not None:
            events = replace(events, mature_after=labels.mature_after)
        known = labels.asof if held.asof is None else held.asof
        return simulate(book, events, asof=known, on=held.day)


@result
class Optimisation(Result):
    """Which edits of a rule book would pay.

    Attributes
    ----------
    edits : DataFrame
        One row an edit, the best where it was chosen first: rank, rule, kind (off, on, parameter, priority, outcome),
        edit, chosen_net_value; then on the later window net_value, frauds, insults, reviews, each with interval (95 %,
        paired), value_caught, unlabelled, n (events whose outcome changes); limits (which one it helps or breaks),
        p, q and verdict (surely pays, not shown, costs, not measurable).
    best_set : DataFrame
        The edits of the best set in order: step, rule, kind, edit, chosen_added_value, alone_value, added_value with
        interval, and the same measures; what each adds given those before, and all of them together.
    limits : DataFrame
        One row a limit: measure, limit, today and proposed (where it was chosen), today_later and observed (later),
        kept.
    front : DataFrame
        One row a setting within the limits that none beats in loss, insults and reviews at once, and the present book:
        point, present,
        on_front, edits, setting, loss, insults, reviews, net_value, the same on the later window, keeps_limits.
    book : RuleBook
        The present book.
    best : RuleBook
        The book with the best set of edits; the present one where no edit gains.
    """

    kind: ClassVar[str] = "optimisation"
    title: ClassVar[str] = "Edits that would pay"
    main: ClassVar[str] = "edits"
    next_step: ClassVar[str] = '.request(k) asks for the k-th edit; .best, .frame("front"), .front_book(k)'
    repr_tables: ClassVar[tuple[str, ...]] = ("best_set", "limits")

    edits: pd.DataFrame
    best_set: pd.DataFrame
    limits: pd.DataFrame
    front: pd.DataFrame
    book: RuleBook
    best: RuleBook
    verdict: str
    max_edits: int
    tried: int
    currency: str
    money: bool
    bench: Bench

    def headline(self) -> tuple[Fact, ...]:
        """Return what to change, and what that does on events that it was not chosen on."""
        return facts(
            self.best_set, self.edits, self.limits,
            told=self.verdict, most=self.max_edits, tried=self.tried, currency=self.currency,
        )  # fmt: skip

    def edit_book(self, k: int) -> RuleBook:
        """Return the book with the k-th suggested edit alone.

        Raises
        ------
        ParameterError
            When there is no such row.
        """
        return self.bench.book(_row(self.bench.edits, k, "edits"))

    def front_book(self, k: int) -> RuleBook:
        """Return the book of the k-th point of the front.

        Raises
        ------
        ParameterError
            When there is no such row.
        """
        return self.bench.book(_row(self.bench.front, k, "front"))

    def request(
        self, k: int | None = None, *, reason: str | None = None, requested_by: str | None = None,
        title: str | None = None,
    ) -> ChangeRequest:  # fmt: skip
        """Return the page on which a reviewer signs the k-th edit, or the best set, told on the later window.

        Parameters
        ----------
        k : int, optional
            The row of `edits`, from 1; without it the best set.
        reason : str, optional
            Why it is asked for; by default what was searched for and found.
        requested_by, title : str, optional
            Who asks, and what the request is called.

        Raises
        ------
        ParameterError
            When there is no such row, or a text is too long.
        DataError
            When the later window has no events to tell the effect on.
        """
        bench = self.bench
        stand = bench.best if k is None else _row(bench.edits, k, "edits")
        if not bench.ground.later.any():
            raise DataError("The later window has no events, so there is no effect to sign")
        told = self.provenance["parameters"]
        windows = told if isinstance(told, Mapping) else {}
        edits = "; ".join(str(edit) for edit, _ in bench.ground.forms.edits(stand)) or "nothing"
        before, after = bench.later(self.book), bench.later(bench.book(stand))
        return compare(before, after, costs=bench.costs).request(
            reason=reason or f"Suggested by a search of {self.tried:,} settings: {edits}"[:LONGEST],
            chosen_on=str(windows["choose_on"]),
            reported_on=str(windows["report_on"]),
            requested_by=requested_by,
            title=title,
        )

    @property
    def alt(self) -> str:
        """The picture in words."""
        return f"{super().alt}. Loss over insults of the settings that none beats: lower left is better"

    def _draw(self, ax: Axes) -> None:
        places = [k for k, stand in enumerate(self.bench.front) if stand.key == self.bench.best.key]
        best = places[0] if places and not self.best_set.empty else None
        draw_front(ax, self.front, best=best, unit=self.currency if self.money else "frauds, weighted")


def _row(held: Sequence[Stand], k: int, name: str) -> Stand:
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(held):
        raise ParameterError(f"There is no row {k!r} in {name}", allowed=f"1..{len(held)}" if held else "(none)")
    return held[k - 1]


def optimise(
    book: RuleBook,
    dataset: Dataset,
    *,
    costs: Costs | Mapping[str, float] | None = None,
    subject_to: Constraint | Iterable[Constraint] = (),
    max_edits: int = 1,
    asof: str | pd.Timestamp | None = None,
    choose_on: Span | None = None,
    report_on: Span | None = None,
    params: bool = True,
    seed: int = 0,
) -> Optimisation:
    """Return the edits of a rule book that would pay, ranked, and the best set of at most a few.

    Use it to find what to change next, then sign one edit at a time. Edits are chosen on the first two thirds of the
    span and judged on the rest, so choosing the best of many flatters no figure of the later window. Read
    `verdict`: only "surely pays" has been shown.

    Parameters
    ----------
    book : RuleBook
        The present book. Draft and shadow rules may be made live; retired ones stay off.
    dataset : Dataset
        The events.
    costs : Costs or mapping, optional
        The stated costs.
    subject_to : Constraint or sequence of Constraint
        What must hold where edits are chosen, such as `rb.at_most("review_rate", 0.02)`; reported on the later window.
    max_edits : int, 1 to 200
        The most edits of the best set.
    asof : str or Timestamp, optional
        Only verdicts known by then count.
    choose_on, report_on : (start, end), optional
        start <= time < end, UTC; an open end is None.
    params : bool
        Whether values of parameters are tried.
    seed : int
        Of the search's starts, and of the split without time.

    Returns
    -------
    Optimisation
        Tables `edits`, `best_set`, `limits`, `front`.

    Raises
    ------
    InfeasibleError
        When no set of at most so many edits keeps to the constraints; it names the nearest.
    DataError
        When the window to choose on has no known fraud or no known good event.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> hours = pd.date_range("2026-01-01", periods=900, freq="h")
    >>> frame = pd.DataFrame({"id": range(900), "time": hours, "amount": 100.0, "new": [k % 2 for k in range(900)]})
    >>> frame["fraud"] = [int(k % 6 == 1) for k in range(900)]
    >>> roles = rb.Roles(id="id", time="time", amount="amount", label="fraud")
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: OLD, when: "new = 0", outcome: block, status: live}
    ...   - {id: NEW, when: "new = 1", outcome: block, status: draft}
    ... ''')
    >>> rb.optimise(book, rb.read(frame, roles=roles)).frame()[["edit", "net_value", "verdict"]]
                                 edit  net_value      verdict
    0           NEW: live (was draft)     3400.0  surely pays
    1                        OLD: off     2400.0  surely pays
    2  OLD: outcome block → challenge     2325.0  surely pays
    """
    book_and_events(book, dataset)
    seeded(seed)
    span(choose_on, name="choose_on")
    span(report_on, name="report_on")
    begun = time.perf_counter()
    stated = Costs.from_mapping(costs)
    yes_or_no(params, name="params")
    limits = each_limit(subject_to, name="subject_to")
    plain(limits, what="a best set of edits")
    if isinstance(max_edits, bool) or not isinstance(max_edits, int) or not 1 <= max_edits <= MOST_EDITS:
        raise ParameterError("max_edits is a whole number", got=repr(max_edits), allowed=f"1..{MOST_EDITS}")
    if not any(rule.status != "retired" for rule in book.rules):
        raise ParameterError("There is no rule to edit", hint="add a rule, as a draft say")
    held = hits(book, dataset, asof=asof).at(stated)
    if held.dataset.roles.label is None:
        raise DataError("There is no label, so what an edit is worth is not measurable", hint="name the role 'label'")
    windows = _windows(held, choose_on, report_on, seed)
    check_events(held.kinds, windows.choose.mask, words=windows.choose.words)
    ground = _ground(book, held, stated, windows, params=params)
    made = ground.forms
    aim = Aim(ground.price, ground.effects, limits)
    table, width = ground.table, len(ground.effects)
    field = Field.of(table.starts, table.rules, weights(ground.choose), slot=made.slot, levels=width)
    search = Search(field, aim, made.stand)
    present = made.stand
    ranked = singles(search, options_of(made, most=1), ground, aim)
    options = options_of(made, most=max_edits)
    found = best_sets(search, options, most=max_edits, seed=seed)[-1]
    if found.score[0] > 0:
        raise _infeasible(ground, aim, found, max_edits)
    points = front_of(search, options, aim.three_within, most=max_edits, also=[(found.stand, found.used)])
    listed = ranked[:LISTED]
    edits = edits_frame(listed, ground, present)
    best_set, told = set_frame(ground, aim, present, found.stand)
    if len(best_set) == 2:
        same = edits.loc[edits["edit"] == best_set["edit"].iloc[0], "verdict"]
        told = str(same.iloc[0]) if len(same) else told
    stands = [one.stand for one in points]
    shown = {stand.key for stand in stands}
    stands += [stand for stand in {one.key: one for one in (found.stand, present)}.values() if stand.key not in shown]
    front = front_frame(stands, ground, aim, on_front=len(points), present=present)
    bench = Bench(ground, stated, tuple(one.stand for one in listed), tuple(stands), found.stand)
    money = held.worth.money
    limits_told = limits_frame(ground, aim, present, found.stand)
    pages = {
        "edits": ("Single edits, each alone, the best where they were chosen first", edits_page(edits, money=money)),
        "best_set": ("The best set: what each edit adds to those before", set_page(best_set, money=money)),
        "limits": ("Limits, where the edits were chosen and on later events", limits_page(limits_told)),
    }
    if max_edits == 1:
        pages["best_set"] = ("", set_page(best_set.iloc[:0], money=money))
    return Optimisation(
        edits=edits,
        best_set=best_set,
        limits=limits_told,
        front=front,
        book=book,
        best=made.book_of(found.stand),
        verdict=told,
        max_edits=max_edits,
        tried=search.tried,
        currency=held.dataset.currency.code if money else "",
        money=money,
        bench=bench,
        pages=pages,
        notes=(
            *remarks(windows, ground, edits, limits_told, ranked=len(ranked), tried=search.tried, told=told),
            *group_notes(held.dataset, book=held.book),
        ),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {
                "costs": stated.to_dict(),
                "subject_to": [str(limit) for limit in limits],
                "max_edits": max_edits,
                "asof": str(asof) if asof is not None else None,
                "on": held.day,
                "choose_on": windows.choose.words,
                "report_on": judged_on(windows, ground),
                "params": params,
            },
            "sql": {rule.id: rule.when for rule in book.rules},
            "seed": seed,
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _windows(held: Hits, choose_on: Span | None, report_on: Span | None, seed: int) -> Windows:
    events = held.dataset
    if not events.rows:
        raise DataError("There are no events to choose edits on")
    return split(
        events,
        np.ones(events.rows, dtype=bool),
        choose_on=choose_on,
        report_on=report_on,
        mature_until=held.labels.mature_until,
        seed=seed,
        what="an edit",
    )


def _ground(book: RuleBook, held: Hits, costs: Costs, windows: Windows, *, params: bool) -> Ground:
    """Return the events by the forms of rules that hit them, the forms tried included."""
    first, later = windows.choose.mask, windows.report.mask & ~windows.choose.mask
    plain = forms(held.book, book, held.dataset, held.bits, {})
    alone = Ground.of(held, plain, costs, first=first, later=later)
    if not params:
        return alone
    values = values_to_try(
        held.book,
        held.dataset,
        table=alone.table,
        stand=plain.stand,
        rows=first,
        kinds=held.kinds,
        stake=held.stake,
        price=alone.price,
    )
    made = forms(held.book, book, held.dataset, held.bits, values)
    return alone if len(made.slot) == len(plain.slot) else Ground.of(held, made, costs, first=first, later=later)


def _infeasible(ground: Ground, aim: Aim, found: Found, most: int) -> InfeasibleError:
    totals = weights(ground.totals(ground.choose, found.stand))
    rates = {name: float(aim.rate(totals, name)) for name in RATES}
    said = ", ".join(
        f"{limit.rate} {'not measurable' if np.isnan(rates[limit.rate]) else number(rates[limit.rate], 'share')}"
        for limit in aim.limits
    )
    edits = "; ".join(str(edit) for edit, _ in ground.forms.edits(found.stand)) or "the present book"
    return InfeasibleError(
        f"No set of at most {most} edits keeps to: {'; '.join(map(str, aim.limits))}.",
        got=f"nearest: {edits}, with {said}",
        hint="allow more edits, or loosen a limit",
        nearest_point={
            **{name: None if np.isnan(rate) else rate for name, rate in rates.items()},
            "violation": found.score[0],
        },
    )
