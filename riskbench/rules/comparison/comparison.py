"""What changes when one book replaces another: outcome by outcome, in money, event by event."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Result, number, result
from riskbench.errors import DataError, ParameterError, listed
from riskbench.metrics.costs import Costs
from riskbench.metrics.maturity import Matured
from riskbench.rules.comparison.better import answer, bounds, split
from riskbench.rules.comparison.differences import Pair, changes, matrix, mcnemar_frame
from riskbench.rules.comparison.flips import flip_events
from riskbench.rules.comparison.inference import inference
from riskbench.rules.comparison.page import grounds, pages, remarks
from riskbench.rules.comparison.picture import draw_flips, picture_height
from riskbench.rules.hits import Hits
from riskbench.rules.simulation import Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.comparison.request import ChangeRequest


#: What the page shows of the differences, after net value.
_SHOWN = ("frauds alerted", "good events held or stopped", "reviews")


@result
class Comparison(Result):
    """What changes between two simulations of one dataset.

    Attributes
    ----------
    swaps : DataFrame
        One row a pair of outcomes that differ: before, after, events, frauds, good, unlabelled and why (a column a
        reason), fraud_value, good_value (major units), net_value (what moving there changes) with interval.
    matrix : DataFrame
        The same of all pairs of outcomes, those that stay too.
    changes : DataFrame
        One row a measure: measure, before, after, difference, lower, upper (95 %, paired: only events whose
        outcome changes count), n (those events). Sums are over the events compared; rates are shares.
    mcnemar : DataFrame
        McNemar's test: measure, before_only, after_only, both, neither, statistic, p_value (mid-p), p_exact, n.
    bounds : DataFrame
        What changes if the flips without a verdict were all good, left out (as everywhere else), or all fraud:
        assumed, unlabelled, frauds_alerted, insults, net_value.
    inference : DataFrame
        The flips by what the second book does with them and by what is known: direction ("newly let pass", "newly
        stopped", "other"), label, events, value, net_value (counted). What is newly let pass and was blocked in
        history has no label.
    ways : DataFrame
        The change in net value told thrice: way ("counted": flips with a verdict; "estimated": with late verdicts and
        with the flips let through at random standing for those that history stopped; "bounded": the others at
        worst and best), net_value with interval, n, inferred_share, why (where it is not measurable).
    told : str
        Which of them the answer and the headline take: "bounded" where history stopped flips for which none stands.
    inferred_share : float, 0..1
        How much of the money in that answer is inference and was not counted.
    net : tuple of three floats
        That answer with the ends of its interval, over the events compared.
    until : Timestamp or None
        From when on events are too young for anything to be told of them.
    events_compared, flips : int
        All events, and those whose outcome changes.
    answer, why : str
        "surely better", "surely worse", "not shown" or "not measurable", by the interval of net value; and why.
    weeks : float or None
        How many weeks the events span; None without time, or under a day.
    costs : Costs
        The stated costs of net value.
    old, new : Hits
        What each book hits.
    """

    kind: ClassVar[str] = "comparison"
    title: ClassVar[str] = "What changes"
    main: ClassVar[str] = "swaps"
    repr_table: ClassVar[str] = "crossed"
    repr_tables: ClassVar[tuple[str, ...]] = ("gains", "ways", "inference", "changes", "mcnemar", "bounds")
    repr_rows: ClassVar[int] = 14
    next_step: ClassVar[str] = (
        '.frame("events") (each event that flips, and why), "regions", "weeks"; .request(reason=...) for a reviewer'
    )

    swaps: pd.DataFrame
    matrix: pd.DataFrame
    changes: pd.DataFrame
    mcnemar: pd.DataFrame
    bounds: pd.DataFrame
    inference: pd.DataFrame
    ways: pd.DataFrame
    told: str
    net: tuple[float, float, float]
    inferred_share: float
    until: pd.Timestamp | None
    events_compared: int
    flips: int
    answer: str
    why: str
    currency: str
    money: bool
    weeks: float | None
    costs: Costs
    old: Hits
    new: Hits

    def headline(self) -> tuple[Fact, ...]:
        """Return whether the second book is better, by how much a week, and what flips."""
        rows = {row["measure"]: row for row in self.changes.to_dict("records")}
        facts = [Fact("Is the second book better?", self.answer, "text", note=self.why), self._gain()]
        facts.append(Fact("Events that flip", self.flips, "count", n=self.events_compared))
        for measure in _SHOWN:
            row = rows[measure]
            low, high, n = float(row["lower"]), float(row["upper"]), int(row["n"])
            value = float(row["difference"])
            facts.append(Fact(f"Change in {measure}", value, "count", lower=low, upper=high, n=n, signed=True))
        return tuple(facts)

    def _gain(self) -> Fact:
        """Return the difference in net value as it is told, a week where there are weeks."""
        name, span = ("Net value a week", self.weeks) if self.weeks else ("Net value", 1.0)
        value, lower, upper = (end / float(span or 1.0) for end in self.net)
        moved = self.swaps[self.swaps["before"] != self.swaps["after"]]
        if np.isnan(value) or (self.flips and not int(moved["frauds"].sum() + moved["good"].sum())):
            ends = (
                f"between {number(lower, 'money')} and {number(upper, 'money')}" if np.isfinite(lower + upper) else ""
            )
            return Fact(f"Change in {name.lower()}", None, "money", note=ends or self.why, n=0)
        said = {"estimated": f"{number(self.inferred_share, 'share')} of it inference", "bounded": "bounded"}
        return Fact(
            f"Change in {name.lower()}",
            value,
            "money",
            lower=lower,
            upper=upper,
            n=self.flips,
            currency=self.currency,
            signed=True,
            note=said.get(self.told, ""),
        )

    def request(
        self,
        *,
        reason: str,
        requested_by: str | None = None,
        title: str | None = None,
        chosen_on: str | None = None,
        reported_on: str | None = None,
    ) -> ChangeRequest:
        """Return the page on which a reviewer signs that the second book replaces the first.

        Use it when a change is to go live. Every figure on it is of the events compared here; say in `chosen_on`
        on which others the change was chosen.

        Parameters
        ----------
        reason : str
            Why the change is asked for.
        requested_by, title : str, optional
            Who asks, and what the request is called.
        chosen_on, reported_on : str, optional
            The window on which the change was chosen, and what the events compared here are, in words.

        Raises
        ------
        ParameterError
            When a text is empty, too long or no text.
        """
        from riskbench.rules.comparison.request import make_request

        return make_request(
            self,
            reason=reason,
            requested_by=requested_by,
            title=title,
            chosen_on=chosen_on,
            reported_on=reported_on,
        )

    @property
    def drawable(self) -> bool:
        """Whether any event flips."""
        return self.flips > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of bars."""
        return picture_height(self.matrix)

    def _draw(self, ax: Axes) -> None:
        draw_flips(ax, self.matrix)


def compare(before: Simulation, after: Simulation, *, costs: Costs | Mapping[str, float] | None = None) -> Comparison:
    """Return what changes when the book of `after` replaces that of `before`.

    Use it before a change goes live: the two books are champion and challenger. Intervals are on the paired
    difference, so they are tight where most events keep their outcome; two intervals side by side would say less.
    The interval of net value allows for rare large events that the flips may lack, and for events of one entity that
    come together. The second book is called surely better where it lies above 0, and only where at least ten flips,
    and half of them, have a verdict or others that stand for them.

    What the second book lets pass and history stopped has no label. Where history let some of its kind pass at random
    (the role `let_through`), these stand for it; where it did not, the answer is bounded. Late verdicts are allowed for
    by how long they take. `inferred_share` says how much of the answer is such inference; regions, weeks and the table
    of measures are as counted.

    Parameters
    ----------
    before, after : Simulation
        Simulations of one dataset, with the same as-of moment.
    costs : Costs or mapping, optional
        The stated costs of net value; those of both simulations without it. They are printed as assumptions.

    Returns
    -------
    Comparison
        Tables `swaps`, `matrix`, `changes`, `mcnemar`, `bounds`, `inference`, `ways`; on request `events`: id, before,
        after, rule, condition, label, amount; and `regions` and `weeks`: flips, and frauds_alerted, insults, reviews
        and net_value as paired differences with intervals, which add up to the whole.

    Raises
    ------
    ParameterError
        When either is no simulation, for a cost that does not exist, or when the two state different costs and none
        is given here.
    DataError
        When the two are of different events, or read their labels or days differently.

    Source: Newcombe (1998), Improved confidence intervals for the difference between binomial proportions based on
    paired data, Statistics in Medicine 17, 2635-2650, on why pairs are kept; decision 6 for net value.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(
    ...     pd.DataFrame({"id": [1, 2, 3], "amount": [10.0, 700.0, 900.0], "fraud": [0, 0, 1]}),
    ...     roles=rb.Roles(id="id", amount="amount", label="fraud"),
    ... )
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
    ... ''')
    >>> change = rb.compare(rb.simulate(book, events), rb.simulate(book.with_params({"TX-1": {"limit": 800}}), events))
    >>> change.frame("events")[["id", "before", "after", "rule", "condition"]]
       id  before    after  rule                   condition
    0   2  review  approve  TX-1  amount > 500 → amount > 800
    >>> change.frame("changes").query("measure == 'net value'")["difference"].round(1).item()  # margin and a review
    58.5
    """
    return compare_with(before, after, costs=costs)


def compare_with(
    before: Simulation,
    after: Simulation,
    *,
    costs: Costs | Mapping[str, float] | None = None,
    told: Matured | None = None,
) -> Comparison:
    """Return what `compare` does, with what is known of late verdicts from more events than are compared.

    Parameters
    ----------
    before, after, costs
        As in `compare`.
    told : Matured, optional
        What each known fraud among the compared events stands for; by default as these events alone tell it.
    """
    begun = time.perf_counter()
    for held in (before, after):
        if not isinstance(held, Simulation):
            raise ParameterError("compare takes two simulations", got=type(held).__name__, hint="rb.simulate(...)")
    stated = _stated(before, after) if costs is None else Costs.from_mapping(costs)
    old, new = before.hits.at(stated), after.hits.at(stated)
    _same_events(old, new)
    pair = Pair.of(old, new, stated, told=told)
    full, table, ways = matrix(pair), changes(pair), inference(pair)
    word, why = answer(pair, ways)
    limits, tested = bounds(pair), mcnemar_frame(pair)
    return Comparison(
        swaps=full[(full["before"] != full["after"]) & (full["events"] > 0)].reset_index(drop=True),
        matrix=full,
        changes=table,
        mcnemar=tested,
        bounds=limits,
        inference=ways.flips,
        ways=ways.ways,
        told=ways.told,
        net=ways.net,
        inferred_share=ways.share,
        until=ways.until,
        grounds=grounds(pair, ways),
        events_compared=new.bits.rows,
        flips=len(pair.rows),
        answer=word,
        why=why,
        currency=new.dataset.currency.code,
        money=new.worth.money,
        weeks=_weeks(new),
        costs=stated,
        old=old,
        new=new,
        pages=pages(pair, full=full, changed=table, tested=tested, limits=limits, told=ways),
        lazy={
            "events": partial(flip_events, old, new, pair.rows),
            "regions": partial(split, pair, "region"),
            "weeks": partial(split, pair, "week"),
        },
        notes=(*remarks(pair, stated, limits, ways), *_days(old, new)),
        provenance={
            "dataset": new.dataset.fingerprint,
            "book": new.book.hash,
            "book_before": old.book.hash,
            "book_after": new.book.hash,
            "label_recipe": new.labels.recipe,
            "parameters": {
                "asof": str(new.asof) if new.asof is not None else None,
                "on": new.day if new.day == old.day else [old.day, new.day],
                "costs": stated.to_dict(),
            },
            "sql": {rule.id: rule.when for rule in new.book.rules},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _stated(before: Simulation, after: Simulation) -> Costs:
    """Return the costs that both simulations state."""
    first, last = before.standing.costs, after.standing.costs
    if first == last:
        return first
    ends = (first.to_dict(), last.to_dict())
    apart = [f"{name} {value:g} and {ends[1][name]:g}" for name, value in ends[0].items() if value != ends[1][name]]
    raise ParameterError(
        "The two simulations state different costs", got=listed(apart), hint="say which count: costs=... here"
    )


def _same_events(old: Hits, new: Hits) -> None:
    """Refuse two simulations of different events, of another reading of them, or of another domain."""
    mine, theirs = old.dataset, new.dataset
    same = old.bits.rows == new.bits.rows and mine.roles == theirs.roles and str(old.asof) == str(new.asof)
    if same and mine.table is not theirs.table:
        same = all(mine.column(name).digest() == theirs.column(name).digest() for name in mine.roles.columns())
    if not same:
        raise DataError(
            "The two simulations are of different events.",
            got=f"{old.bits.rows:,} events as of {old.asof}, {new.bits.rows:,} as of {new.asof}",
            allowed="two books on one dataset, read alike, with one as-of moment",
        )
    _same_columns(old, new)
    _same_reading(old, new)
    if old.book.domain != new.book.domain:
        raise DataError(
            "The two books are of different domains, with different outcomes.",
            got=f"{old.book.domain} and {new.book.domain}",
        )


def _days(old: Hits, new: Hits) -> tuple[str, ...]:
    """Return whether the two books act as of different days, so that what lapses between them is in the figures."""
    if old.day == new.day:
        return ()
    return (f"Lists and deviations act as of {old.day} before, and as of {new.day} after.",)


def _same_columns(old: Hits, new: Hits) -> None:
    """Refuse a column that a rule of either book reads and that says different things in the two datasets.

    A velocity feature that both books define in ways of their own may differ: each book computes its own.
    """
    mine, theirs = old.dataset, new.dataset
    features = (old.book.features, new.book.features)
    own = {name for name in features[0] if name in features[1] and features[0][name] != features[1][name]}
    named = dict.fromkeys([*old.book.columns, *features[0], *new.book.columns, *features[1]])
    aliases = mine.roles.named()
    for name in dict.fromkeys(aliases.get(name, name) if name not in mine.table else name for name in named):
        if name in own or name not in mine.table or name not in theirs.table:
            continue
        first, last = mine.table.column(name), theirs.table.column(name)
        if first is not last and first.digest() != last.digest():
            raise DataError(
                f"The two simulations are of different events: the column {name!r}, which a rule reads, differs.",
                got=f"{first.kind} and {last.kind}" if first.kind != last.kind else "other values",
                allowed="two books on one dataset",
            )


def _same_reading(old: Hits, new: Hits) -> None:
    """Refuse two readings of one dataset: days cut in another zone, or labels that say something else."""
    zones = (old.dataset.time_zone, new.dataset.time_zone)
    if zones[0] != zones[1]:
        raise DataError("The two simulations cut days and weeks in different time zones.", got=" and ".join(zones))
    first, last = old.labels, new.labels
    if first is last or (
        first.mature_after == last.mature_after
        and first.recipe == last.recipe
        and np.array_equal(first.state, last.state)
    ):
        return
    apart = int((first.state != last.state).sum())
    windows = [
        f"mature_after {'none' if held.mature_after is None else f'{held.mature_after:g}'}" for held in (first, last)
    ]
    told = windows if windows[0] != windows[1] else [first.recipe, last.recipe]
    raise DataError(
        "The two simulations read the labels differently.",
        got=f"{' and '.join(told)}; {apart:,} events have another label",
        allowed="one reading of the labels (mature_after, label sources and recipe) for both",
    )


def _weeks(held: Hits) -> float | None:
    span = held.dataset.span
    days = (span[1] - span[0]).total_seconds() / 86_400 if span else 0.0
    return days / 7 if days >= 1 else None
