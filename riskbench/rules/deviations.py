"""What does each region's own value cost or earn, against the value that the whole book has?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.metrics.costs import Costs
from riskbench.rules.book import RuleBook
from riskbench.rules.deviation import Deviation
from riskbench.rules.doors import book_and_events
from riskbench.rules.force import day_of
from riskbench.rules.hits import Hits, apply, hits
from riskbench.rules.list_entries import state_of
from riskbench.rules.param import ParamValue, number
from riskbench.rules.rule import Rule
from riskbench.rules.weighing import Scale, Weighed, readings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WEEK = 7 * 86_400.0


@result
class Deviations(Result):
    """What each regional deviation is worth against the book's own value.

    Attributes
    ----------
    deviations : DataFrame
        One row a deviation or regional override: rule, region, source ("deviation", or "regions" or "off" of the
        rule), own_value, book_value, reason, approver, expires, state, acts, events (of the region), flips (events
        that are decided otherwise), frauds, good, unlabelled (of the flips), fraud_value, insults and reviews (by
        how many there are more), net_value with `_lower` and `_upper` (95 %, paired: with the region's own value
        less without it; major units), net_per_week with `_lower` and `_upper`, n (flips with a verdict), q_value
        (among all of the book), reading.
    weeks : float or None
        The time that the events span.
    """

    kind: ClassVar[str] = "deviations"
    title: ClassVar[str] = "Regional deviations"
    main: ClassVar[str] = "deviations"
    repr_rows: ClassVar[int] = 20
    repr_columns: ClassVar[tuple[str, ...]] = (
        "rule",
        "region",
        "own_value",
        "book_value",
        "state",
        "flips",
        "frauds",
        "good",
        "reviews",
        "net_per_week",
        "net_per_week_lower",
        "net_per_week_upper",
        "reading",
    )

    deviations: pd.DataFrame
    weeks: float | None
    currency: str
    money: bool

    def headline(self) -> tuple[Fact, ...]:
        """Return how many there are, what they say, and the dearest one."""
        held = self.deviations
        acting = held[held["acts"]]
        told = acting["reading"]
        facts = [
            Fact("Deviations in force", len(acting), "count", n=len(held)),
            Fact("Surely cost", int((told == "surely costs").sum()), "count", n=len(acting)),
            Fact("Surely earn", int((told == "surely earns").sum()), "count", n=len(acting)),
            Fact("Not measurable", int(told.str.startswith("not measurable").sum()), "count", n=len(acting)),
        ]
        column = "net_per_week" if self.weeks is not None else "net_value"
        measured = acting[acting[column].notna()]
        if len(measured):
            ranked = measured.sort_values(column, kind="stable")
            costs = ranked[column].iloc[0] < 0
            row = ranked.iloc[0 if costs else -1]
            per = "a week" if self.weeks is not None else "over all events"
            word = "Costs most" if costs else "Earns most" if row[column] > 0 else "Costs nothing"
            shown = row[f"{column}_upper"] < 0 or row[f"{column}_lower"] > 0
            facts.append(
                Fact(
                    f"{word}: {row['rule']} in {row['region']}",
                    float(row[column]),
                    "money" if self.money else "number",
                    lower=float(row[f"{column}_lower"]),
                    upper=float(row[f"{column}_upper"]),
                    n=int(row["n"]),
                    currency=self.currency if self.money else "",
                    note=per if shown else f"{per}; not shown: the interval holds 0",
                    signed=True,
                )
            )
        facts.append(Fact("Expired", int((held["state"] == "expired").sum()), "count", n=len(held)))
        return tuple(facts[:6])

    @property
    def drawable(self) -> bool:
        """Whether any price is measured."""
        return bool(self.deviations["net_value"].notna().any())

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of deviations."""
        return 1.4 + 0.36 * min(12, max(1, int(self.deviations["net_value"].notna().sum())))

    def _draw(self, ax: Axes) -> None:
        column = "net_per_week" if self.weeks is not None else "net_value"
        shown = self.deviations[self.deviations[column].notna()].head(12).iloc[::-1]
        place = np.arange(len(shown))
        low, high = shown[f"{column}_lower"].to_numpy(), shown[f"{column}_upper"].to_numpy()
        colours = [_COLOURS.get(said, GREY) for said in shown["reading"]]
        ax.hlines(place, low, high, color=colours, linewidth=2)
        ax.scatter(shown[column], place, color=colours, zorder=3)
        ax.axvline(0, color="#444444", linewidth=0.8)
        rows = zip(shown["rule"], shown["region"], shown["own_value"], strict=True)
        ax.set_yticks(place, [f"{rule[:20]} in {region[:14]}: {own[:24]}" for rule, region, own in rows])
        ax.margins(y=0.15)
        unit = self.currency if self.money else "events, frauds less good"
        per = " a week" if self.weeks is not None else ""
        style(ax, title="The region's own value less the book's, 95 % interval", x=f"net value{per} ({unit})", y="")


@dataclass(frozen=True, slots=True)
class _Own:
    """What one region does otherwise in one rule."""

    rule: str
    region: str
    params: Mapping[str, ParamValue]
    off: bool
    source: str
    deviation: Deviation | None = None

    @property
    def what(self) -> str:
        return "off" if self.off else ", ".join(f"{name} {number(value)}" for name, value in self.params.items())

    def put(self, rule: Rule, *, acts: bool) -> Rule:
        """Return the rule with what the region does otherwise, or without."""
        if self.off:
            rest = tuple(region for region in rule.off if region != self.region)
            return replace(rule, off=(*rest, self.region) if acts else rest)
        own = {name: value for name, value in rule.regions.get(self.region, {}).items() if name not in self.params}
        return replace(rule, regions={**rule.regions, self.region: {**own, **(self.params if acts else {})}})


def price_deviations(
    book: RuleBook,
    dataset: Dataset,
    *,
    asof: str | pd.Timestamp | None = None,
    costs: Mapping[str, float] | Costs | None = None,
) -> Deviations:
    """Measure what each region's own value, or a rule that is off there, earns or costs given all live rules.

    Use it when deviations are renewed. Each is taken away alone, all others staying: the difference is what the
    region's own value is worth. Read a negative net value as the price that the region pays for it. One that has
    expired is priced as if it still held, so that its renewal can be judged.

    Parameters
    ----------
    book : RuleBook
        The rules, with their deviations; also a rule's own `regions` and `off` are priced.
    dataset : Dataset
        The events, with the role `region`.
    asof : str or Timestamp, optional
        Only events and verdicts up to then count (UTC), and expiry is judged by its date; without it by that of
        the last event.
    costs : mapping or Costs, optional
        The stated costs.

    Returns
    -------
    Deviations
        Table `deviations`: rule, region, source, own_value, book_value, reason, approver, expires, state, acts,
        events, flips, frauds, good, unlabelled, fraud_value, insults, reviews, net_value and net_per_week with
        intervals, n, reading.

    Raises
    ------
    RuleError
        When a rule does not fit the events' columns.
    ParameterError
        When a cost is out of its range.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(
    ...     pd.DataFrame({"id": range(40), "land": ["JKT"] * 40, "amount": [900.0] * 40, "fraud": [1, 0] * 20}),
    ...     roles=rb.Roles(id="id", amount="amount", label="fraud", region="land"),
    ... )
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: block, status: live}
    ... deviations:
    ...   - {rule: TX-1, region: JKT, params: {limit: 1000}, reason: payday, approver: ana, expires: 2027-01-31}
    ... ''')
    >>> rb.price_deviations(book, events).frame()[["rule", "region", "own_value", "book_value", "flips", "net_value"]]
       rule region    own_value book_value  flips  net_value
    0  TX-1    JKT  limit 1,000  limit 500     40   -15120.0
    """
    book_and_events(book, dataset)
    begun = time.perf_counter()
    stated = Costs.from_mapping(costs)
    held = hits(book, dataset, asof=asof).at(stated)
    day = day_of(held.dataset, asof)
    scale = Scale(held, stated)
    codes, names = held.dataset.regions
    counts = dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True))
    span = held.dataset.span
    weeks = None if span is None else (span[1] - span[0]).total_seconds() / WEEK
    weeks = weeks if weeks is not None and weeks >= 1 / 7 else None
    owns = list(_owns(book))
    weighed = [_weighed(own, scale) for own in owns]
    q, said = readings(weighed)
    rows = [
        [*_row(own, told, book, counts, weeks=weeks, day=day), q[place], _reading(own, said[place], book, counts)]
        for place, (own, told) in enumerate(zip(owns, weighed, strict=True))
    ]
    numbers = ("q_value", "fraud_value", *(name for name in _COLUMNS if name.startswith("net")))
    frame = pd.DataFrame(rows, columns=_COLUMNS).astype({**dict.fromkeys(numbers, "float64"), "acts": bool})
    return Deviations(
        deviations=frame,
        weeks=weeks,
        currency=held.dataset.currency.code,
        money=held.worth.money,
        notes=_notes(held, book, frame, weeks),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {"asof": None if asof is None else str(asof), "on": day, "costs": stated.to_dict()},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


_COLUMNS = (
    "rule region source own_value book_value reason approver expires state acts events flips frauds good unlabelled "
    "fraud_value insults reviews net_value net_value_lower net_value_upper net_per_week net_per_week_lower "
    "net_per_week_upper n q_value reading"
).split()


def _owns(book: RuleBook) -> Iterator[_Own]:
    for held in book.deviations:
        yield _Own(held.rule, held.region, held.params, held.off, "deviation", held)
    for rule in book.rules:
        for region, values in rule.regions.items():
            if values:
                yield _Own(rule.id, region, values, off=False, source="regions")
        for region in rule.off:
            yield _Own(rule.id, region, {}, off=True, source="off")


_COLOURS = {"surely earns": BLUE, "surely costs": ORANGE}


def _row(
    own: _Own, weighed: Weighed, book: RuleBook, counts: Mapping[str, int], *, weeks: float | None, day: str | None
) -> list[Any]:
    told = own.deviation
    written = book.rule(own.rule)
    whole = "on" if own.off else ", ".join(f"{name} {number(written.params[name].default)}" for name in own.params)
    net = [weighed.net_value, weighed.lower, weighed.upper]
    return [
        own.rule,
        own.region,
        own.source,
        own.what,
        whole,
        told.reason if told is not None else "",
        told.approver if told is not None else "",
        told.expires if told is not None else "",
        "no expiry" if told is None else state_of(told.expires, told.approver, day),
        told is None or told.holds(day),
        counts.get(own.region, 0),
        weighed.flips,
        weighed.frauds,
        weighed.good,
        weighed.unlabelled,
        weighed.fraud_value,
        weighed.insults,
        weighed.reviews,
        *net,
        *(None if part is None or weeks is None else part / weeks for part in net),
        weighed.n,
    ]


def _reading(own: _Own, said: str, book: RuleBook, counts: Mapping[str, int]) -> str:
    """Return what is said of a deviation, or why it does nothing."""
    status = book.rule(own.rule).status
    if status != "live":
        return f"the rule is {status}: it decides nothing"
    return said if own.region in counts else "no event of this region"


def _weighed(own: _Own, scale: Scale) -> Weighed:
    """Return what changes when the region does otherwise, all else staying."""
    held = scale.held
    place = [rule.id for rule in held.book.rules].index(own.rule)
    rule = held.book.rules[place]
    lines = apply([own.put(rule, acts=False), own.put(rule, acts=True)], held.dataset)
    was, now = (scale.levels({place: lines.words[line]}) for line in (0, 1))
    return scale.weigh(was, now)


def _notes(held: Hits, book: RuleBook, frame: pd.DataFrame, weeks: float | None) -> tuple[str, ...]:
    notes = [f"Labels: {held.labels.recipe}.", *held.lapsed]
    if not len(frame):
        notes.append("No region deviates from the book.")
    if held.dataset.roles.region is None and len(frame):
        notes.append("The events name no region: no deviation acts on them.")
    bare = int((frame["source"] != "deviation").sum())
    if bare:
        notes.append(f"{bare:,} stand in the rules themselves: nobody is named who agreed, and they have no end.")
    silent = int(frame["unlabelled"].sum())
    if silent:
        notes.append(f"{silent:,} flips have no verdict; they are in no figure of fraud or good.")
    if weeks is None:
        notes.append("The events bear no time, or span less than a day: nothing is told by the week.")
    if not held.worth.money:
        notes.append("No amount: every event counts as one, and net value is frauds less good events.")
    if (frame["state"] == "expired").any():
        notes.append("What has expired does not act; its price is what it would be worth if it still held.")
    if book.scope == "region" and book.deviations:
        notes.append("The book is one region's own; deviations belong to a global book.")
    return tuple(notes)
