"""What changes when one book replaces another: outcome by outcome, in money, event by event."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD, STATES
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, ORANGE, style
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import And, Node, to_sql
from riskbench.errors import DataError
from riskbench.metrics.intervals import sum_interval
from riskbench.rules.hits import Hits, variants
from riskbench.rules.rule import Rule
from riskbench.rules.simulation import Simulation
from riskbench.rules.tally import crossed, tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_SHOWN = ("alerts", "frauds alerted", "good events held or stopped", "reviews", "fraud value alerted")


@result
class Comparison(Result):
    """What changes between two simulations of one dataset.

    Attributes
    ----------
    swaps : DataFrame
        One row a pair of outcomes that differ: before, after, events, frauds, good, unlabelled, fraud_value,
        good_value (major units).
    changes : DataFrame
        One row a measure: measure, before, after, difference, lower, upper (95 %, paired: only events whose
        outcome changes count), n (those events).
    events : int
        All events.
    flips : int
        Events whose outcome changes.
    """

    kind: ClassVar[str] = "comparison"
    title: ClassVar[str] = "What changes"
    main: ClassVar[str] = "swaps"
    next_step: ClassVar[str] = '.frame("changes"), "events" (each event that flips, and why), "regions"'

    swaps: pd.DataFrame
    changes: pd.DataFrame
    events_compared: int
    flips: int
    currency: str
    money: bool

    def headline(self) -> tuple[Fact, ...]:
        """Return how many events flip, and the differences that matter."""
        facts = [Fact("Events that flip", self.flips, "count", n=self.events_compared)]
        for row in self.changes.to_dict("records"):
            money = row["measure"] == "fraud value alerted"
            if row["measure"] not in _SHOWN or (money and not self.money):
                continue
            facts.append(
                Fact(
                    f"Change in {row['measure']}",
                    float(row["difference"]),
                    "money" if money else "count",
                    lower=float(row["lower"]),
                    upper=float(row["upper"]),
                    n=int(row["n"]),
                    currency=self.currency if money else "",
                    signed=True,
                )
            )
        return tuple(facts[:6])

    @property
    def drawable(self) -> bool:
        """Whether any event flips."""
        return self.flips > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of bars."""
        return 1.5 + 0.4 * min(8, max(1, len(self.swaps)))

    def _draw(self, ax: Axes) -> None:
        shown = self.swaps.nlargest(8, "events").iloc[::-1]
        place = np.arange(len(shown))
        left = np.zeros(len(shown))
        for name, colour, text in (
            ("good", BLUE, "good"),
            ("frauds", ORANGE, "fraud"),
            ("unlabelled", "#BBBBBB", "no verdict"),
        ):
            ax.barh(place, shown[name], left=left, height=0.6, color=colour, label=text)
            left += shown[name].to_numpy()
        ax.set_yticks(place, [f"{b} to {a}" for b, a in zip(shown["before"], shown["after"], strict=True)])
        ax.set_ylim(-0.6, len(shown) + 0.4)
        if len(shown):
            ax.legend(frameon=False, ncols=3, loc="upper right")
        style(ax, title="Events whose outcome changes", x="events", y="")


def compare(before: Simulation, after: Simulation) -> Comparison:
    """Return what changes when the book of `after` replaces that of `before`.

    Use it before a change goes live: the two books are champion and challenger. Intervals are on the paired
    difference, so they are tight where most events keep their outcome.

    Parameters
    ----------
    before, after : Simulation
        Simulations of one dataset, with the same as-of moment.

    Returns
    -------
    Comparison
        Tables `swaps` and `changes`; on request `events`: id, before, after, rule, condition, label, amount,
        and `regions`.

    Raises
    ------
    DataError
        When the two are of different events.

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
    """
    begun = time.perf_counter()
    old, new = before.hits, after.hits
    _same_events(old, new)
    names = ladder(old.book.domain).names
    was, now = old.resolution.level.astype(np.int64), new.resolution.level.astype(np.int64)
    split = tally(new, codes=was * len(names) + now, size=len(names) ** 2)
    swaps = crossed(split, {"before": names, "after": names}, scale=new.scale)
    swaps = swaps[swaps["before"] != swaps["after"]].reset_index(drop=True)
    flips = int((was != now).sum())
    notes = [f"Labels: {new.labels.recipe}."]
    if flips and int(swaps["unlabelled"].sum()):
        notes.append(
            f"{int(swaps['unlabelled'].sum()):,} of {flips:,} flips have no verdict and are in no fraud or good figure."
        )
    if not flips:
        notes.append("No event's outcome changes.")
    changes = _changes(old, new, was, now)
    return Comparison(
        swaps=swaps,
        changes=changes,
        events_compared=new.bits.rows,
        flips=flips,
        currency=new.dataset.currency.code,
        money=new.worth.money,
        lazy={"events": partial(_events, old, new), "regions": partial(_regions, old, new)},
        notes=tuple(notes),
        provenance={
            "dataset": new.dataset.fingerprint,
            "book": new.book.hash,
            "book_before": old.book.hash,
            "book_after": new.book.hash,
            "label_recipe": new.labels.recipe,
            "parameters": {"asof": str(new.asof) if new.asof is not None else None},
            "sql": {rule.id: rule.when for rule in new.book.rules},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _same_events(old: Hits, new: Hits) -> None:
    same = old.bits.rows == new.bits.rows and old.dataset.roles.id == new.dataset.roles.id
    if same and old.dataset.table is not new.dataset.table:
        name = old.dataset.roles.id
        same = old.dataset.column(name).digest() == new.dataset.column(name).digest()
    if not same or str(old.asof) != str(new.asof):
        raise DataError(
            "The two simulations are of different events.",
            got=f"{old.bits.rows:,} events as of {old.asof}, {new.bits.rows:,} as of {new.asof}",
            allowed="two books on one dataset with one as-of moment",
        )


def _changes(old: Hits, new: Hits, was: npt.NDArray[np.int64], now: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return each measure before and after, and the paired difference with its interval."""
    effects = np.array([rung.effect for rung in ladder(old.book.domain).rungs])
    alert, hard, review = effects != "none", np.isin(effects, ["review", "stop"]), effects == "review"
    state, value = new.labels.state, new.worth.value
    fraud, good = state == FRAUD, state == GOOD
    scale = new.scale
    rows = [
        ("alerts", alert, np.ones_like(fraud), None),
        ("frauds alerted", alert, fraud, None),
        ("good events held or stopped", hard, good, None),
        ("reviews", review, np.ones_like(fraud), None),
        ("fraud value alerted", alert, fraud, value),
        ("good value held or stopped", hard, good, value),
    ]
    found = []
    for measure, counted, among, money in rows:
        first, last = counted[was] & among, counted[now] & among
        changed = np.flatnonzero(first != last)
        sign = last[changed].astype(np.int64) - first[changed].astype(np.int64)
        if money is None:
            old_sum, new_sum = float(first.sum()), float(last.sum())
            difference, squares = float(sign.sum()), float(len(changed))
        else:
            old_sum, new_sum = (float(money[mask].sum()) / scale for mask in (first, last))
            difference = float((sign * money[changed]).sum()) / scale
            squares = float((money[changed].astype(np.float64) ** 2).sum()) / scale**2
        low, high = sum_interval(difference, squares)
        found.append((measure, old_sum, new_sum, difference, float(low), float(high), len(changed)))
    return pd.DataFrame(found, columns=["measure", "before", "after", "difference", "lower", "upper", "n"])


def _regions(old: Hits, new: Hits) -> pd.DataFrame:
    """Return the flips of each region, in counts and money."""
    codes, names = new.dataset.regions
    rows = np.flatnonzero(old.resolution.level != new.resolution.level)
    whole, part = tally(new, codes=codes, size=len(names)), tally(new, rows, codes=codes, size=len(names))
    scale = new.scale
    return pd.DataFrame(
        {
            "region": list(names),
            "events": whole.hits,
            "flips": part.hits,
            "frauds": part.frauds,
            "good": part.good,
            "unlabelled": part.unlabelled,
            "fraud_value": part.value[:, FRAUD] / scale,
        }
    )


def _events(old: Hits, new: Hits) -> pd.DataFrame:
    """Return every event whose outcome flips, with the rule and the condition that flipped it."""
    rows = np.flatnonzero(old.resolution.level != new.resolution.level)
    names = ladder(old.book.domain).names
    dataset = new.dataset
    frame = dataset.take(rows).frame([dataset.roles.id])
    frame.columns = ["id"]
    frame["before"] = [names[level] for level in old.resolution.level[rows]]
    frame["after"] = [names[level] for level in new.resolution.level[rows]]
    rule, condition = _causes(old, new, rows)
    frame["rule"], frame["condition"] = rule, condition
    frame["label"] = [STATES[state] for state in new.labels.state[rows]]
    frame["amount"] = new.worth.value[rows] / dataset.currency.scale if new.worth.money else np.nan
    return frame


def _causes(old: Hits, new: Hits, rows: npt.NDArray[np.intp]) -> tuple[list[str], list[str]]:
    """Return, for each flipped event, the rule whose decision changed and the condition that did it."""
    rule = [""] * len(rows)
    condition = [""] * len(rows)
    was = [old.book.rules[k].id if k >= 0 else None for k in old.resolution.rule[rows]]
    now = [new.book.rules[k].id if k >= 0 else None for k in new.resolution.rule[rows]]
    told: dict[str, dict[int, str]] = {}
    for place, (first, last) in enumerate(zip(was, now, strict=True)):
        # The rule that decides now if it is new to the event, else the one that no longer decides.
        for candidate in (last, first):
            if candidate is None:
                continue
            if candidate not in told:
                told[candidate] = _conditions(candidate, old, new, rows)
            if place in told[candidate]:
                rule[place], condition[place] = candidate, told[candidate][place]
                break
        else:
            rule[place] = str(last or first or "")
            condition[place] = _settings(rule[place], old, new)
    return rule, condition


def _settings(rule: str, old: Hits, new: Hits) -> str:
    """Return what changed in a rule beside its condition."""
    first, last = (next((r for r in held.book.rules if r.id == rule), None) for held in (old, new))
    if first is None or last is None:
        return "rule added" if first is None else "rule removed"
    parts = [
        f"{name} {getattr(first, name)} → {getattr(last, name)}"
        for name in ("outcome", "priority", "status")
        if getattr(first, name) != getattr(last, name)
    ]
    return ", ".join(parts) or "another rule no longer decides first"


def _conditions(rule: str, old: Hits, new: Hits, rows: npt.NDArray[np.intp]) -> dict[int, str]:
    """Return, by place among `rows`, the conditions of a rule that changed their answer there."""
    first, last = (next((r for r in held.book.rules if r.id == rule), None) for held in (old, new))
    if first is None or last is None:
        one, held = (last, new) if first is None else (first, old)
        assert one is not None
        hit = held.bits.mask([r.id for r in held.book.rules].index(rule))[rows]
        word = "rule added" if first is None else "rule removed"
        return {int(place): f"{word}: {one.when}" for place in np.flatnonzero(hit)}
    before = old.bits.mask([r.id for r in old.book.rules].index(rule))[rows]
    after = new.bits.mask([r.id for r in new.book.rules].index(rule))[rows]
    changed = np.flatnonzero(before != after)
    if not len(changed):
        return {}
    found: dict[int, str] = {}
    at = rows[changed]
    olds, news = _parts(first, old, at), _parts(last, new, at)
    for place, k in enumerate(changed):
        pairs = []
        for (old_text, old_true), (new_text, new_true) in zip(olds[place], news[place], strict=False):
            if old_true != new_true or (old_text != new_text and old_true):
                pairs.append(f"{old_text} → {new_text}" if old_text != new_text else new_text)
        found[int(k)] = "; ".join(pairs) or f"{first.when} → {last.when}"
    return found


def _parts(rule: Rule, held: Hits, rows: npt.NDArray[np.intp]) -> list[list[tuple[str, bool]]]:
    """Return each event's conditions of a rule, in plain SQL, with whether they hold."""
    subset = held.dataset.take(rows)
    codes, names = held.dataset.regions
    kinds = variants(rule, held.dataset)
    answers: list[list[tuple[str, bool]]] = [[] for _ in rows]
    for region, node in kinds.items():
        parts: tuple[Node, ...] = node.parts if isinstance(node, And) else (node,)
        lines = evaluate(parts, subset.table)
        masks = [lines.mask(line) for line in range(len(parts))]
        texts = [_plain(to_sql(part)) for part in parts]
        for place, row in enumerate(rows):
            own = names[codes[row]]
            if (own in kinds and own == region) or (own not in kinds and region is None):
                answers[place] = [(text, bool(mask[place])) for text, mask in zip(texts, masks, strict=True)]
    return answers


def _plain(text: str) -> str:
    """Return canonical SQL as an analyst would write it: no quotes on plain names, no exponents of zero."""
    bare = re.sub(r'"([A-Za-z_][A-Za-z0-9_]*)"', r"\1", text)
    return re.sub(r"\b(\d+(?:\.\d+)?)e0\b", r"\1", bare)
