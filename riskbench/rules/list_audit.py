"""Who answers for a book's lists, until when, and what do they cost: let through, stopped, never used?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.engine.bits import Words, positions
from riskbench.metrics.costs import Costs
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import book_and_events
from riskbench.rules.force import checked_day, day_of, in_force
from riskbench.rules.hits import Hits, apply, prepared
from riskbench.rules.list_entries import (
    LOOK_AGAIN,
    SOON,
    Measured,
    entries_frame,
    entry_of,
    named_by,
    plain_state,
    state_of,
    touched_by,
)
from riskbench.rules.lists import PREFIX, NamedList
from riskbench.rules.weighing import FEWEST, Scale, Weighed, readings

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@result
class ListAudit(Result):
    """What each list of a book costs and gives, and who answers for it until when.

    Attributes
    ----------
    lists : DataFrame
        One row a list: list, kind, column, acts (through which rules; empty when through none), owner, expires,
        state, entries, lapsed_entries (expired), stale_entries (in force, without an event), events (that it
        names), flips (events whose outcome it changes), frauds, good, unlabelled (of the flips), fraud_value,
        insults and reviews (by how many good events held or stopped, and reviews, there are more with the list),
        net_value with `_lower` and `_upper` (95 %, paired: with the list less without it; major units), n (flips
        with a verdict), q_value (among all lists of the book), reading.
    exemptions, blocks : Weighed
        What all allow and VIP lists together change, and all block lists.
    days : float or None
        The time that the events span.
    """

    kind: ClassVar[str] = "list_audit"
    title: ClassVar[str] = "Lists and exemptions"
    main: ClassVar[str] = "lists"
    next_step: ClassVar[str] = '.frame("entries") has one row an entry, ids masked'
    repr_rows: ClassVar[int] = 20
    repr_columns: ClassVar[tuple[str, ...]] = (
        "list",
        "kind",
        "owner",
        "state",
        "entries",
        "stale_entries",
        "events",
        "flips",
        "frauds",
        "good",
        "fraud_value",
        "net_value",
        "net_value_lower",
        "net_value_upper",
        "reading",
    )

    lists: pd.DataFrame
    exemptions: Weighed
    blocks: Weighed
    days: float | None
    currency: str
    money: bool

    def headline(self) -> tuple[Fact, ...]:
        """Return what the exemptions let through, what the block lists still catch, and what is not in order."""
        free, shut, unit = self.exemptions, self.blocks, "money" if self.money else "number"
        facts = []
        for name, held, held_kinds in (
            ("Net value of the exemptions", free, ("allow", "vip")),
            ("Net value of the block lists", shut, ("block",)),
        ):
            if self.lists["kind"].isin(held_kinds).any():
                note = "" if held.net_value is not None else f"{held.n:,} with a verdict, {FEWEST} needed"
                facts.append(
                    Fact(
                        name,
                        held.net_value,
                        unit,  # type: ignore[arg-type]
                        lower=held.lower,
                        upper=held.upper,
                        n=held.n,
                        currency=self.currency if self.money else "",
                        note=note or f"{held.flips:,} events decided otherwise",
                        signed=True,
                    )
                )
        if self.lists["kind"].isin(("allow", "vip")).any():
            facts.append(Fact("Frauds that exemptions let through", free.frauds, "count", n=free.flips))
        if self.lists["kind"].isin(("block",)).any():
            facts.append(Fact("Frauds that only block lists catch", shut.frauds, "count", n=shut.flips))
        facts.append(Fact("Lists not in order", _disorder(self.lists), "text"))
        stale = int(self.lists["stale_entries"].fillna(0).sum())
        facts.append(Fact("Entries without an event", stale, "count", n=int(self.lists["entries"].sum())))
        return tuple(facts[:6])

    @property
    def drawable(self) -> bool:
        """Whether any list's net value is measured."""
        return bool(self.lists["net_value"].notna().any())

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of lists."""
        return 1.4 + 0.36 * min(12, max(1, int(self.lists["net_value"].notna().sum())))

    def _draw(self, ax: Axes) -> None:
        shown = self.lists[self.lists["net_value"].notna()].head(12).iloc[::-1]
        place = np.arange(len(shown))
        low, high = shown["net_value_lower"].to_numpy(), shown["net_value_upper"].to_numpy()
        colours = [_COLOURS.get(said, GREY) for said in shown["reading"]]
        ax.hlines(place, low, high, color=colours, linewidth=2)
        ax.scatter(shown["net_value"], place, color=colours, zorder=3)
        ax.axvline(0, color="#444444", linewidth=0.8)
        rows = zip(shown["list"], shown["kind"], shown["flips"], strict=True)
        ax.set_yticks(place, [f"{str(n)[:28]} ({k or 'plain'}, {f:,} flips)" for n, k, f in rows])
        ax.margins(y=0.15)
        unit = self.currency if self.money else "events, frauds less good"
        style(ax, title="Net value with the list less without it, 95 % interval", x=f"net value ({unit})", y="")


def audit_lists(
    book: RuleBook,
    dataset: Dataset,
    *,
    asof: str | pd.Timestamp | None = None,
    on: str | None = None,
    costs: Mapping[str, float] | Costs | None = None,
) -> ListAudit:
    """Measure what each list of a book lets through or stops, given all live rules, and say who answers for it.

    Use it when exemptions are reviewed. An exemption is measured by what the live rules would have reviewed or
    stopped without it, a block list by what no live rule would catch without it. Read a negative net value of an
    exemption as its price, and look at `unlabelled` before trusting a small one: what is let through may get its
    verdict late, and what is blocked may never get one. A list of entities (its column is one of the role `entities`)
    names whom it judges: 20 frauds of 20 orders of one buyer are 20 draws of what this buyer does, not one draw of a
    buyer, so the interval is that of orders, and only what ties different entries together (a shared device, weeks
    that differ) makes it wider. A list of anything else, and a comparison of two books, asks what other buyers will
    do: there the orders of one buyer come together.

    Parameters
    ----------
    book : RuleBook
        The rules and lists.
    dataset : Dataset
        The events.
    asof : str or Timestamp, optional
        Only events and verdicts up to then count (UTC).
    on : str, optional
        The ISO date by which expiry is judged; by default that of `asof`, else of the last event.
    costs : mapping or Costs, optional
        The stated costs.

    Returns
    -------
    ListAudit
        Table `lists`; on request `entries`: list, place, entry (ids masked), owner, expires, reason, state,
        events, flips, frauds, good, unlabelled, fraud_value, net_value with interval, n, last_seen.

    Raises
    ------
    RuleError
        When a rule or list does not fit the events' columns.
    ParameterError
        When `on` is no date, or a cost is out of its range.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(
    ...     pd.DataFrame({"id": range(40), "buyer": [*"abcdefghij"] * 4, "amount": [900.0] * 40, "fraud": [1, 0] * 20}),
    ...     roles=rb.Roles(id="id", amount="amount", label="fraud", entities=["buyer"]),
    ... )
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... lists:
    ...   friends: {values: [a, c, e, g, i, gone], kind: vip, column: buyer, owner: ana}
    ... rules:
    ...   - {id: TX-1, when: "amount > 500", outcome: block, status: live}
    ... ''')
    >>> audit = rb.audit_lists(book, events)
    >>> audit.frame()[["list", "state", "stale_entries", "flips", "frauds", "net_value", "reading"]]
          list      state  stale_entries  flips  frauds  net_value       reading
    0  friends  no expiry              1     20      20   -18000.0  surely costs
    """
    book_and_events(book, dataset)
    begun = time.perf_counter()
    stated = Costs.from_mapping(costs)
    events = prepared(book, dataset, asof=asof)
    day = checked_day(on) if on is not None else day_of(events, asof)
    stands = in_force(book, day)
    held = Hits(stands.book, events, apply(stands.book.rules, events), asof, stands.lapsed, day, book).at(stated)
    scale = Scale(held, stated)
    measured = [_measure(name, entry, scale) for name, entry in book.lists.items()]
    q, said = readings([one.told for one in measured])
    rows = [
        [*_row(one, scale, day), *ends] for one, *ends in zip(measured, q, map(_reading, measured, said), strict=True)
    ]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    frame = frame.astype(
        {name: "float64" for name in _COLUMNS if name.endswith("_value") or name.startswith("net_value")}
    )
    frame = frame.astype({"events": "Int64", "stale_entries": "Int64"})
    groups = {kinds: _together(measured, kinds, scale) for kinds in (("allow", "vip"), ("block",))}
    span = events.span
    return ListAudit(
        lists=frame,
        exemptions=groups["allow", "vip"],
        blocks=groups["block",],
        days=None if span is None else (span[1] - span[0]).total_seconds() / 86_400,
        currency=events.currency.code,
        money=held.worth.money,
        lazy={"entries": partial(entries_frame, measured, scale, day)},
        notes=_notes(held, measured, day),
        provenance={
            "dataset": events.fingerprint,
            "book": book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {"asof": None if asof is None else str(asof), "on": day, "costs": stated.to_dict()},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


_COLUMNS = (
    "list kind column acts owner expires state entries lapsed_entries stale_entries events flips frauds good "
    "unlabelled fraud_value insults reviews net_value net_value_lower net_value_upper n q_value reading"
).split()


def _measure(name: str, named: NamedList, scale: Scale) -> Measured:
    held = scale.held
    lines = _without(held, [name])
    without = scale.levels(lines)
    through = tuple(held.book.rules[place].id for place in lines)
    column = touched_by(name, named, held)
    entry = entry_of(named.values, held.dataset, column) if column is not None else None
    told = scale.weigh(without, held.resolution.level, named=named_by(column, entry, held))
    return Measured(name, named, through, without, told, column, entry)


def _together(measured: list[Measured], kinds: tuple[str, ...], scale: Scale) -> Weighed:
    """Return what all lists of some kinds change."""
    held, own = scale.held, [one for one in measured if one.held.kind in kinds]
    named, first = np.full(held.bits.rows, -1, dtype=np.int64), 0
    for one in own:
        entry = named_by(one.column, one.entry, held)
        if entry is not None:
            named = np.where((named < 0) & (entry >= 0), entry + first, named)
            first += len(one.held.values)
    without = scale.levels(_without(held, [one.name for one in own]))
    return scale.weigh(without, held.resolution.level, named=named)


def _without(held: Hits, names: list[str]) -> dict[int, Words]:
    """Return the hits of those rules that some lists act through, as they are without these lists."""
    gone = set(names)
    lines: dict[int, Words] = {}
    asked = []
    for place, rule in enumerate(held.book.rules):
        if rule.id.startswith(PREFIX) and rule.id.removeprefix(PREFIX) in gone and rule.lists:
            lines[place] = np.zeros_like(held.bits.words[place])
        elif gone & set(rule.lists):
            asked.append((place, replace(rule, lists={k: () if k in gone else v for k, v in rule.lists.items()})))
    bits = apply([rule for _, rule in asked], held.dataset)
    return lines | {place: bits.words[line] for line, (place, _) in enumerate(asked)}


def _row(one: Measured, scale: Scale, day: str | None) -> list[Any]:
    held, told = one.held, one.told
    live = set(held.on(day))
    stale, events = None, None
    if one.entry is not None:
        counts = np.bincount(one.entry + 1, minlength=len(held.values) + 1)[1:]
        first = {value: place for place, value in reversed(list(enumerate(held.values)))}
        stale = sum(1 for value in live if not counts[first[value]])
        events = int(sum(counts[first[value]] for value in live))
    elif one.through:
        events = len(positions(np.bitwise_or.reduce([_line(scale.held, rule) for rule in one.through])))
    return [
        one.name,
        held.kind or "",
        one.column or "",
        ", ".join(one.through),
        held.owner or "",
        held.expires or "",
        state_of(held.expires, held.owner, day) if held.kind is not None else plain_state(held.expires, day),
        len(set(held.values)),
        len(set(held.values)) - len(live),
        stale,
        events,
        told.flips,
        told.frauds,
        told.good,
        told.unlabelled,
        told.fraud_value,
        told.insults,
        told.reviews,
        told.net_value,
        told.lower,
        told.upper,
        told.n,
    ]


def _reading(one: Measured, said: str) -> str:
    """Return what is said of a list, or why it does nothing."""
    if one.through:
        return said
    return "expired: it no longer acts" if one.held.acts and one.held.values else "acts through no rule"


def _line(held: Hits, rule: str) -> Words:
    return held.bits.words[[own.id for own in held.book.rules].index(rule)]


def _disorder(lists: pd.DataFrame) -> str:
    """Return in words how many lists are expired, soon will be, or lack an owner or an end."""
    states = lists["state"]
    told = [(say, int(states.str.contains(word, regex=False).sum())) for word, say in _STATES.items()]
    return ", ".join(f"{count:,} {say}" for say, count in told if count) or "none"


_COLOURS = {"surely earns": BLUE, "surely costs": ORANGE}
_STATES = {
    "expired": "expired",
    f"expires within {SOON} days": f"expiring within {SOON} days",
    LOOK_AGAIN: LOOK_AGAIN,
    "no expiry": "without expiry",
    "no owner": "without owner",
}


def _notes(held: Hits, measured: list[Measured], day: str | None) -> tuple[str, ...]:
    notes = [f"Labels: {held.labels.recipe}.", *held.lapsed]
    if not measured:
        notes.append("The book has no lists.")
    notes.append(
        f"Expiry is judged by {day}." if day is not None else "No time and no day given: nothing counts as expired."
    )
    silent = sum(one.told.unlabelled for one in measured)
    if silent:
        notes.append(
            f"{silent:,} events that a list decides otherwise have no verdict; they are in no figure of fraud or good. "
            "What a block list stops seldom gets a verdict, so its frauds are a lower bound."
        )
    if not held.worth.money:
        notes.append("No amount: every event counts as one, and net value is frauds less good events.")
    shut = [one.name for one in measured if not one.through and one.held.plain]
    if shut:
        notes.append(f"No rule asks for {', '.join(shut)}, and without kind and column a list does not act by itself.")
    unknown = [one.name for one in measured if one.entry is None and one.through]
    if unknown:
        notes.append(f"Which events {', '.join(unknown)} names is not told: the rules compare no one column with it.")
    return tuple(notes)
