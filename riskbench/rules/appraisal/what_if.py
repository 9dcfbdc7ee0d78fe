"""What if rules were off or on, or had other outcomes or priorities? Answered at once, exactly."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import ladder
from riskbench.data.roles import Domain
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, style
from riskbench.display.fact import Unit
from riskbench.errors import RuleError
from riskbench.rules.appraisal.tried import Tried, decisions
from riskbench.rules.book import RuleBook
from riskbench.rules.decisions import Decided, Setting, decide_all
from riskbench.rules.doors import listed_names, mapping
from riskbench.rules.edited import edited_many
from riskbench.rules.lists import PREFIX, NamedList
from riskbench.rules.moves import Moves, moves
from riskbench.rules.signature import Cells, Signatures, events_by
from riskbench.rules.standing import Columns, Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What the quick interval leaves out, and where it is found.
TOGETHER = (
    "The interval of net value does not allow for events that come together, by entity or in weeks that differ: "
    '.frame("measures") does, as a comparison of the two books.'
)
#: A measure as pages say it, its name among the columns of a change, and its unit.
MEASURES = (
    ("alerts", "alerts"),
    ("frauds alerted", "frauds"),
    ("good events held or stopped", "insults"),
    ("reviews", "reviews"),
    ("fraud value alerted", "value_caught"),
    ("net value", "net_value"),
)


@result
class WhatIf(Result):
    """What a change of statuses, outcomes, priorities or values would do.

    Attributes
    ----------
    changes : DataFrame
        One row a measure: measure, before, after, difference, lower, upper (95 %, paired: only events whose outcome
        changes count), n (those events).
    rules : DataFrame
        One row a rule that gains or loses decisions: rule, before, after, difference (events that it decides).
    flips : int
        Events whose outcome changes.
    unlabelled : int
        Those of them without a verdict: in no figure of fraud, good or value.

    On request: `measures` and `swaps`, as a comparison of two simulations tells them; `hits`: rule, hits_before,
    hits_after, decides_before, decides_after; `regions`.
    """

    kind: ClassVar[str] = "what_if"
    title: ClassVar[str] = "What if"
    main: ClassVar[str] = "changes"
    repr_tables: ClassVar[tuple[str, ...]] = ("rules",)
    next_step: ClassVar[str] = (
        '.book is the changed book; .frame("measures") tells rates too, "swaps", "hits" and "regions" the rest'
    )

    changes: pd.DataFrame
    rules: pd.DataFrame
    events: int
    flips: int
    unlabelled: int
    currency: str
    money: bool
    today: RuleBook
    acting: tuple[str, ...]
    setting: Setting

    def headline(self) -> tuple[Fact, ...]:
        """Return the difference in net value first, then what else changes."""
        told = {row["measure"]: row for row in self.changes.to_dict("records")}
        facts = [_fact(told["net value"], currency=self.currency, money=self.money)]
        facts.append(Fact("Events that flip", self.flips, "count", n=self.events))
        facts += [
            _fact(told[name], currency=self.currency, money=self.money)
            for name in ("alerts", "frauds alerted", "good events held or stopped", "reviews")
        ]
        return tuple(facts)

    @cached_property
    def book(self) -> RuleBook:
        """The written book with the changes asked for: a live rule that is off is retired.

        Lists and deviations stay as they are written. A list that is off keeps its values and loses its column, so
        that it no longer acts by itself.
        """
        return changed_book(self.today, self.setting, acting=self.acting)

    @property
    def drawable(self) -> bool:
        """Whether any rule gains or loses decisions."""
        return len(self.rules) > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of rules."""
        return 1.3 + 0.32 * min(12, max(1, len(self.rules)))

    def _draw(self, ax: Axes) -> None:
        shown = self.rules.head(12).iloc[::-1]
        place = np.arange(len(shown))
        more = shown["difference"].to_numpy()
        ax.barh(place, more, height=0.6, color=[BLUE if step > 0 else GREY for step in more])
        ax.set_yticks(place, shown["rule"].tolist())
        ax.axvline(0, color="black", linewidth=0.8)
        ax.margins(x=0.08, y=0.04)
        style(ax, title="Decisions that each rule gains or loses", x="events decided, after less before", y="")


def what_if(
    standing: Standing,
    *,
    off: Iterable[str] = (),
    on: Iterable[str] = (),
    outcomes: Mapping[str, str] | None = None,
    priorities: Mapping[str, int] | None = None,
    params: Mapping[str, Mapping[str, object]] | None = None,
) -> WhatIf:
    """Return what a change of statuses, outcomes, priorities or values would do; see `Simulation.what_if`."""
    for name, value, allowed in (
        ("outcomes", outcomes, '{"TX-1": "block"}'),
        ("priorities", priorities, '{"TX-1": 5}'),
        ("params", params, '{"TX-1": {"limit": 400}}'),
    ):
        mapping(value, name=name, allowed=allowed)
    begun = time.perf_counter()
    off, on = listed_names(off, name="off"), listed_names(on, name="on")
    outcomes, priorities = dict(outcomes or {}), dict(priorities or {})
    held = standing.held
    setting = standing.setting.changed(held.book, off=off, on=on, outcomes=outcomes, priorities=priorities)
    acting = tuple(rule.id.removeprefix(PREFIX) for rule in held.book.rules[len(held.written.rules) :])
    written = held.written.with_params(params or {})
    for place, name in enumerate(acting, len(written.rules)):
        changed_list(name, written.lists[name], setting, place, written.domain)
    book = held.book.with_params(params or {})
    table = edited_many(held, book) if params else standing.table
    decided = decide_all(table, setting)
    before, after = standing.decided.level, decided.level
    if params:
        made = _by_event(standing, table, decided)
    else:
        picked = np.flatnonzero(before != after)
        made = moves(table.cells, before[picked], after[picked], levels=len(standing.effects), picked=picked)
    columns, tried = standing.changes(made), Tried(standing, table, decided, made if params else None)
    flips, unlabelled = int(columns["flips"][0]), int(columns["unlabelled"][0])
    return WhatIf(
        changes=_changes(standing, columns),
        rules=_rules(standing, table, decided),
        events=held.bits.rows,
        flips=flips,
        unlabelled=unlabelled,
        currency=held.dataset.currency.code,
        money=held.worth.money,
        today=written,
        acting=acting,
        setting=setting,
        lazy={
            "regions": partial(_regions, standing, table, decided),
            "measures": tried.measures,
            "swaps": tried.swaps,
            "hits": tried.hits,
        },
        notes=_notes(standing, flips, unlabelled),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": held.book.hash,
            "label_recipe": held.labels.recipe,
            "parameters": {
                "off": list(off), "on": list(on), "outcomes": outcomes, "priorities": priorities,
                "params": dict(params or {}),
                "costs": standing.costs.to_dict(), "asof": str(held.asof) if held.asof is not None else None,
            },
            "seconds": round(time.perf_counter() - begun, 4),
        },
    )  # fmt: skip


def changed_book(book: RuleBook, setting: Setting, *, acting: Sequence[str] = ()) -> RuleBook:
    """Return a written book with the statuses, outcomes and priorities of a setting.

    A rule that becomes live is live, one that ceases to be is retired; the other statuses stay.

    Parameters
    ----------
    book : RuleBook
        The written book.
    setting : Setting
        How its rules shall stand, and behind them those of the lists that act.
    acting : sequence of str
        The names of those lists.

    Raises
    ------
    RuleError
        When a list cannot decide what is asked.
    """
    names = ladder(book.domain).names
    rules = []
    for rule, live, priority, level in zip(book.rules, setting.live, setting.priority, setting.level, strict=False):
        status = rule.status if bool(live) == (rule.status == "live") else "live" if live else "retired"
        told = {"status": status, "priority": int(priority), "outcome": names[level]}
        changed = {name: value for name, value in told.items() if getattr(rule, name) != value}
        rules.append(replace(rule, **changed) if changed else rule)
    places = enumerate(acting, len(book.rules))
    lists = {name: changed_list(name, book.lists[name], setting, place, book.domain) for place, name in places}
    if tuple(rules) == book.rules and all(held is book.lists[name] for name, held in lists.items()):
        return book
    return replace(book, rules=tuple(rules), lists={**book.lists, **lists})


def changed_list(name: str, held: NamedList, setting: Setting, place: int, domain: Domain) -> NamedList:
    """Return a list that acts as its own rule stands in a setting; the same one where nothing is asked of it.

    Raises
    ------
    RuleError
        When an allow or VIP list shall stop, or a priority is out of range.
    """
    names = ladder(domain).names
    if not setting.live[place]:
        return replace(held, column=None)
    priority, outcome = int(setting.priority[place]), names[setting.level[place]]
    own = (held.outcome or names[-1]) if held.kind == "block" else names[0]
    if outcome != own and held.kind != "block":
        raise RuleError(
            "An allow list lets pass" if held.kind == "allow" else "A VIP list lets pass",
            rule=f"{PREFIX}{name}",
            got=outcome,
            hint=f'off=["{PREFIX}{name}"] takes it away; a block list stops',
        )
    try:
        held = held if outcome == own else replace(held, outcome=outcome)
        return held if priority == held.priority else replace(held, priority=priority)
    except RuleError as wrong:
        raise RuleError(wrong.sentence, rule=f"{PREFIX}{name}", got=wrong.got, allowed=wrong.allowed) from None


def totals(standing: Standing, levels: Cells) -> dict[str, float]:
    """Return each measure of all events, by the cells of each outcome."""
    effects = standing.effects
    alert = np.array([effect != "none" for effect in effects])
    hard = np.array([effect in ("review", "stop") for effect in effects])
    review = np.array([effect == "review" for effect in effects])
    return {
        "alerts": float(levels.count[alert].sum()),
        "frauds": float(levels.count[alert, FRAUD].sum()),
        "insults": float(levels.count[hard, GOOD].sum()),
        "reviews": float(levels.count[review].sum()),
        "value_caught": float(levels.value[alert, FRAUD].sum()) / standing.held.scale,
        "net_value": float(standing.price.worth(levels.count.T, levels.stake.T)),
    }


def _changes(standing: Standing, columns: Columns) -> pd.DataFrame:
    before = totals(standing, standing.levels)
    names = [name for _, name in MEASURES]
    today = np.array([before[name] for name in names])
    change, lower, upper = (
        np.array([columns[f"{n}{end}"][0] for n in names], float) for end in ("", "_lower", "_upper")
    )
    # A count of known frauds is no measure of a change without a verdict.
    change[np.isnan(lower)] = np.nan
    return pd.DataFrame(
        {
            "measure": [measure for measure, _ in MEASURES],
            "before": today,
            "after": today + change,
            "difference": change,
            "lower": lower,
            "upper": upper,
            "n": int(columns["flips"][0]),
        }
    )


def _rules(standing: Standing, table: Signatures, decided: Decided) -> pd.DataFrame:
    before, after = standing.decisions, decisions(table, decided)
    moved = np.flatnonzero(before != after)
    moved = moved[np.argsort(-np.abs(after - before)[moved], kind="stable")]
    return pd.DataFrame(
        {
            "rule": standing.ids[moved],
            "before": before[moved],
            "after": after[moved],
            "difference": (after - before)[moved],
        }
    )


def _by_event(
    standing: Standing,
    table: Signatures,
    decided: Decided,
    *,
    codes: npt.NDArray[np.integer] | None = None,
    size: int = 1,
) -> Moves:
    """Return the moves of all events, in groups by a code each: where a rule's condition changed, patterns differ."""
    levels = len(standing.effects)
    own = (standing.decided.level.astype(np.int32) * levels)[standing.table.pattern] + decided.level[table.pattern]
    if codes is not None:
        own = codes.astype(np.int32) * levels**2 + own
    return Moves(events_by(standing.held, own, size * levels**2), size, levels)


def _regions(standing: Standing, table: Signatures, decided: Decided) -> pd.DataFrame:
    """Return the change in each region: region, events, and the columns of a change."""
    codes, names = standing.held.dataset.regions
    made = _by_event(standing, table, decided, codes=codes, size=len(names))
    events = made.shaped(made.cells.count).astype(np.int64).sum(axis=(1, 2, 3))
    return pd.DataFrame({"region": list(names), "events": events, **standing.changes(made)})


def _notes(standing: Standing, flips: int, unlabelled: int) -> tuple[str, ...]:
    notes = [f"Labels: {standing.held.labels.recipe}."]
    if not flips:
        notes.append("No event's outcome changes.")
    if unlabelled:
        notes.append(f"{unlabelled:,} of {flips:,} flips have no verdict and are in no figure of fraud, good or value.")
    if flips and flips == unlabelled:
        notes.append(
            "What it does to fraud, good events and value is not measurable: no event that flips has a verdict."
        )
    if flips and (standing.held.dataset.roles.entities or standing.held.dataset.has("time")):
        notes.append(TOGETHER)
    notes.append(said(standing))
    return tuple(notes)


def said(standing: Standing) -> str:
    """Return the stated costs as one remark."""
    money, code = standing.held.worth.money, standing.held.dataset.currency.code
    told = standing.costs.told(code if money else "", account=standing.held.worth.told(standing.costs, code))
    unit = "" if money else " Without an amount each event counts as one."
    return f"Assumed costs: {told}.{unit}"


def _fact(row: Mapping[Any, Any], *, currency: str, money: bool) -> Fact:
    name, difference = str(row["measure"]), float(row["difference"])
    unit: Unit = "count" if name != "net value" else "money" if money else "number"
    if not np.isfinite(difference):
        return Fact(f"Change in {name}", None, note="no event that flips has a verdict")
    return Fact(
        f"Change in {name}",
        difference,
        unit,
        lower=float(row["lower"]),
        upper=float(row["upper"]),
        n=int(row["n"]),
        currency=currency if unit == "money" else "",
        signed=True,
    )
