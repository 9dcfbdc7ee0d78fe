"""Which edits of a book are tried? Each rule off or on, at another value, place or outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.engine.bits import Bits
from riskbench.errors import RiskbenchError
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import apply
from riskbench.rules.optimiser.search import Options, Stand
from riskbench.rules.param import number
from riskbench.rules.rule import Rule

Ints = npt.NDArray[np.int64]
Kind = Literal["off", "on", "parameter", "priority", "outcome"]
#: In this order the edits of one rule are told where they add alike.
KINDS: tuple[Kind, ...] = ("on", "off", "parameter", "outcome", "priority")
#: At most so many changes of one rule's value, place and outcome are combined.
_TOGETHER = 2
#: The forms of rules are thinned until their hits are no more than this.
_MOST_HITS = 60_000_000


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one rule.

    Attributes
    ----------
    rule : str
        The rule's id.
    kind : {"off", "on", "parameter", "priority", "outcome"}
        What changes.
    before, after : str
        What it was and what it becomes.
    name : str
        The parameter, where one changes.
    """

    rule: str
    kind: Kind
    before: str
    after: str
    name: str = ""

    def __str__(self) -> str:
        if self.kind == "off":
            return f"{self.rule}: off"
        if self.kind == "on":
            return f"{self.rule}: live (was {self.before})"
        what = self.name if self.kind == "parameter" else self.kind
        return f"{self.rule}: {what} {self.before} → {self.after}"


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """Every form in which a rule of a book is tried.

    Attributes
    ----------
    book : RuleBook
        The present book, as it acts on the events: lists that act stand behind the written rules.
    written : RuleBook
        The book as it is written; only its rules are edited.
    slot : ndarray of int64, shape (columns,)
        The rule of each column; the first columns are the rules as they stand.
    name : tuple of str
        The parameter that a column changes; empty for a rule as it stands.
    value : tuple
        The parameter's value.
    bits : Bits
        The hits of each column.
    """

    book: RuleBook
    written: RuleBook
    slot: Ints
    name: tuple[str, ...]
    value: tuple[int | float | None, ...]
    bits: Bits

    @property
    def stand(self) -> Stand:
        """How the present book stands."""
        steps, rules = ladder(self.book.domain), self.book.rules
        return Stand(
            np.array([k if rule.status == "live" else -1 for k, rule in enumerate(rules)], dtype=np.int64),
            np.array([rule.priority for rule in rules], dtype=np.int64),
            np.array([steps.level(rule.outcome) for rule in rules], dtype=np.int64),
        )

    def rule(self, slot: int, column: int) -> Rule:
        """Return a written rule in one of its forms."""
        held = self.written.rules[slot]
        return held.with_params({self.name[column]: self.value[column]}) if column >= len(self.book.rules) else held

    def book_of(self, stand: Stand) -> RuleBook:
        """Return the book that stands so; a live rule that is off is retired."""
        names, made = ladder(self.book.domain).names, []
        for slot, held in enumerate(self.written.rules):
            column = int(stand.column[slot])
            if column < 0:
                made.append(replace(held, status="retired") if held.status == "live" else held)
                continue
            outcome = names[int(stand.level[slot])]
            rule = self.rule(slot, column)
            made.append(
                replace(
                    rule,
                    status="live",
                    priority=int(stand.priority[slot]),
                    outcome=held.outcome
                    if ladder(self.book.domain).level(held.outcome) == stand.level[slot]
                    else outcome,
                )
            )
        return self.written if tuple(made) == self.written.rules else replace(self.written, rules=tuple(made))

    def edits(self, stand: Stand) -> tuple[tuple[Edit, Callable[[Stand], Stand]], ...]:
        """Return the edits that lead from the present book to a stand, each with what makes it on another stand."""
        names, present = ladder(self.book.domain).names, self.stand
        found: list[tuple[Edit, Callable[[Stand], Stand]]] = []
        for slot, rule in enumerate(self.written.rules):
            column, was = int(stand.column[slot]), int(present.column[slot])
            if column < 0:
                if was >= 0:
                    found.append((Edit(rule.id, "off", "live", "retired"), _setter(slot, column=-1)))
                continue
            if was < 0:
                found.append((Edit(rule.id, "on", rule.status, "live"), _setter(slot, column=slot, only_off=True)))
            if column != slot:
                name, value = self.name[column], self.value[column]
                before, after = number(rule.params[name].default), number(value)
                edit = Edit(rule.id, "parameter", before, after, name)
                found.append((edit, _setter(slot, column=column, only_on=True)))
            level, priority = int(stand.level[slot]), int(stand.priority[slot])
            if level != present.level[slot]:
                edit = Edit(rule.id, "outcome", rule.outcome, names[level])
                found.append((edit, _setter(slot, level=level)))
            if priority != present.priority[slot]:
                edit = Edit(rule.id, "priority", str(rule.priority), str(priority))
                found.append((edit, _setter(slot, priority=priority)))
        return tuple(found)


def _setter(
    slot: int, *, column: int | None = None, level: int | None = None, priority: int | None = None,
    only_on: bool = False, only_off: bool = False,
) -> Callable[[Stand], Stand]:  # fmt: skip
    """Return what changes one thing of one rule."""

    def made(stand: Stand) -> Stand:
        now = int(stand.column[slot])
        keeps = column is None or (only_on and now < 0) or (only_off and now >= 0)
        return stand.moved(
            slot,
            now if keeps or column is None else column,
            int(stand.priority[slot]) if priority is None else priority,
            int(stand.level[slot]) if level is None else level,
        )

    return made


def forms(
    book: RuleBook, written: RuleBook, events: Dataset, bits: Bits, values: Mapping[tuple[str, str], Sequence[float]]
) -> Forms:
    """Return a book's rules as they stand, and each at other values of its parameters.

    Parameters
    ----------
    book, written : RuleBook
        The book as it acts on the events, and as it is written.
    events : Dataset
        The events, with the book's velocity features.
    bits : Bits
        The hits of the rules as they stand.
    values : mapping of (rule, parameter) to values
        What each parameter is tried at; a value that the rule does not take is left out.
    """
    ids = {rule.id: place for place, rule in enumerate(book.rules)}
    slot, name, value = list(range(len(book.rules))), [""] * len(book.rules), [None] * len(book.rules)
    made: list[Rule] = []
    for (rule_id, param), own in values.items():
        rule = book.rules[ids[rule_id]]
        spec = rule.params[param]
        for wanted in own:
            told = int(wanted) if isinstance(spec.default, int) and float(wanted).is_integer() else float(wanted)
            if told == spec.default:
                continue
            try:
                other = rule.with_params({param: told})
            except RiskbenchError:
                continue
            made.append(other)
            slot.append(ids[rule_id])
            name.append(param)
            value.append(told)  # type: ignore[arg-type]
    if not made:
        return Forms(book, written, np.array(slot, dtype=np.int64), tuple(name), tuple(value), bits)
    tried = apply(made, events)
    # Of two forms with the same hits the earlier one stands for both: nothing tells them apart.
    words = np.concatenate([bits.words, tried.words])
    counts = np.concatenate([bits.count(), tried.count()])
    if counts.sum() > _MOST_HITS:
        thinned = {key: own[:: 1 + int(counts.sum() // _MOST_HITS)] for key, own in values.items()}
        if sum(map(len, thinned.values())) < sum(map(len, values.values())):
            return forms(book, written, events, bits, thinned)
    seen: set[tuple[int, bytes]] = set()
    kept = []
    for place in range(len(words)):
        key = (slot[place], words[place].tobytes())
        if place < len(book.rules) or key not in seen:
            kept.append(place)
        seen.add(key)
    return Forms(
        book,
        written,
        np.array(slot, dtype=np.int64)[kept],
        tuple(name[k] for k in kept),
        tuple(value[k] for k in kept),
        Bits(words[kept], bits.rows),
    )


def options_of(held: Forms, *, most: int) -> list[Options]:
    """Return how each rule could stand within so many edits, the least change first.

    A retired rule stays off. An outcome without effect, an exemption's, is neither given nor taken away. Of values,
    place and outcome at most two change together.
    """
    steps, rules, present = ladder(held.book.domain), held.book.rules, held.stand
    alerting = [level for level, rung in enumerate(steps.rungs) if rung.effect != "none"]
    places = priorities_of([rule.priority for rule in held.written.rules if rule.status == "live"])
    found = []
    for slot, rule in enumerate(rules):
        live, own = rule.status == "live", int(present.level[slot])
        off = np.array([[-1, rule.priority, own, int(live)]], dtype=np.int64)
        rows = [off]
        if slot >= len(held.written.rules):
            rows = [np.array([[slot, rule.priority, own, 0]], dtype=np.int64)]
        elif rule.status != "retired":
            columns = np.flatnonzero(held.slot == slot)
            columns = columns[np.argsort(columns != slot, kind="stable")]
            levels = np.array(sorted(alerting if own in alerting else [own], key=lambda one: (one != own, one)))
            numbers = sorted({*places, rule.priority}, key=lambda one: (abs(one - rule.priority), one))
            grid = np.stack(
                [
                    part.ravel()
                    for part in np.meshgrid(columns, np.array(numbers, dtype=np.int64), levels, indexing="ij")
                ],
                axis=1,
            )
            changed = (grid[:, 0] != slot).astype(np.int64) + (grid[:, 1] != rule.priority) + (grid[:, 2] != own)
            edits = changed + int(not live)
            kept = (changed <= _TOGETHER) & (edits <= most)
            rows.append(np.concatenate([grid, edits[:, None]], axis=1)[kept])
        table = np.concatenate(rows)
        table = table[np.argsort(table[:, 3], kind="stable")]
        found.append(Options(*(np.ascontiguousarray(table[:, k]) for k in range(4))))
    return found


def priorities_of(held: Sequence[int]) -> list[int]:
    """Return a priority for each distinct place in the order: those there are, between each two, and both ends.

    Before the first one lies a free number near it; none where that would be the first below 0.

    >>> priorities_of([10, 20, 21]), priorities_of([900]), priorities_of([0])
    ([5, 10, 15, 20, 21, 31], [890, 900, 910], [0, 10])
    """
    seen = sorted(set(held))
    if not seen:
        return []
    low, high = seen[0], seen[-1]
    between = [(a + b) // 2 for a, b in pairwise(seen) if b - a > 1]
    before = {low - min(10, max(1, low // 2))} if low else set()
    return sorted({*before, *seen, *between, high + 10})
