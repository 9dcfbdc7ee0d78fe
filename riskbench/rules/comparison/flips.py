"""Which events change their outcome between two books, and which rule and condition made each of them change?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import STATES
from riskbench.data.outcomes import ladder
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import And, Atom, Node, Not, to_sql
from riskbench.rules.hits import Hits, variants
from riskbench.rules.rule import Rule

Places = npt.NDArray[np.intp]
Words = npt.NDArray[np.object_]

#: So many flips are listed at most; `flips` has their number, and every other table counts them all.
MOST = 1_000_000
#: A condition's text in a table is cut to this length.
_LONGEST = 240
#: A list of more values than this is told by its name or its length.
_SHORT_LIST = 5


def flip_events(old: Hits, new: Hits, rows: Places) -> pd.DataFrame:
    """Return one row an event whose outcome flips, with the rule and the condition that flipped it.

    Returns
    -------
    DataFrame
        id, before, after, rule, condition, label, amount (major units).
    """
    rows = rows[:MOST]
    names = np.array(ladder(old.book.domain).names, dtype=object)
    dataset = new.dataset
    name = dataset.resolve(dataset.roles.id)
    frame = pd.DataFrame({"id": dataset.column(name).take(rows).to_arrow().to_pandas()})
    frame["before"] = names[old.resolution.level[rows]]
    frame["after"] = names[new.resolution.level[rows]]
    frame["rule"], frame["condition"] = causes(old, new, rows)
    frame["label"] = np.array(STATES, dtype=object)[new.labels.state[rows]]
    frame["amount"] = new.worth.value[rows] / dataset.currency.scale if new.worth.money else np.nan
    return frame


def causes(old: Hits, new: Hits, rows: Places) -> tuple[Words, Words]:
    """Return, for each flipped event, the rule whose change made it or was needed for it, and what changed.

    The rule that decides now is named where it, as it is now, would decide in the old book too: it was added, hits,
    is live, or goes before the other by its own change. Else the one that decided before, as it was, would still
    decide in the new book, so its change was needed: it is named alone where that change alone gives the new
    outcome, and beside the rule that decides now where that one changed too.
    """
    rule, told = np.full(len(rows), "", dtype=object), np.full(len(rows), "", dtype=object)
    was, now = old.resolution.rule[rows].astype(np.int64), new.resolution.rule[rows].astype(np.int64)
    stand = _Stand(old, new, rows)
    keys, kind = np.unique(was * (len(new.book.rules) + 1) + now, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    ends = np.searchsorted(kind[order], np.arange(len(keys) + 1))
    for place in range(len(keys)):
        at = order[ends[place] : ends[place + 1]]
        first, last = int(was[at[0]]), int(now[at[0]])
        rule[at], told[at] = stand.cause(
            old.book.rules[first] if first >= 0 else None, new.book.rules[last] if last >= 0 else None, at
        )
    return rule, told


class _Stand:
    """How each rule stands in two books, on the events that flip.

    Parameters
    ----------
    old, new : Hits
        The hits of both books.
    rows : ndarray of intp
        The events that flip.
    """

    def __init__(self, old: Hits, new: Hits, rows: Places) -> None:
        self.held, self.rows = (old, new), rows
        self.place = tuple({rule.id: place for place, rule in enumerate(held.book.rules)} for held in self.held)
        self._texts: dict[tuple[str, bool], Words] = {}

    def cause(self, first: Rule | None, last: Rule | None, at: Places) -> tuple[Words, Words]:
        """Return the rule and what changed, for flips of one rule before and one after."""
        if first is not None and last is not None and first.id == last.id:
            text = f"outcome {first.outcome} → {last.outcome}"
            return np.full(len(at), last.id, dtype=object), np.full(len(at), text, dtype=object)
        if last is not None and self._overtakes(last, first):
            return np.full(len(at), last.id, dtype=object), self._gained(last, first, at)
        if first is None:
            return _nothing(len(at)), _nothing(len(at))
        rule: Words = np.full(len(at), first.id, dtype=object)
        told = self._lost(last, first, at)
        if last is not None:
            beside = self._gained(last, first, at)
            both = (beside != "") & ~self._falls(first, last, at)
            rule[both], told[both] = last.id, beside[both] + f"; {first.id}: " + told[both]
        return rule, told

    def _key(self, side: int, rule_id: str) -> tuple[int, int] | None:
        """Return by what a rule decides before others in a book, but for its place; None where it is not there."""
        place = self.place[side].get(rule_id)
        if place is None:
            return None
        rule = self.held[side].book.rules[place]
        return rule.priority, -ladder(self.held[side].book.domain).level(rule.outcome)

    def _overtakes(self, last: Rule, first: Rule | None) -> bool:
        """Return whether the rule that decides now, as it is now, would decide in the old book too.

        If so, what changed of it made the flip. If not, the one that decided before, as it was, would still decide in
        the new book: what changed of that one was needed. The two never tie: their outcomes differ.
        """
        mine, theirs = self._key(1, last.id), None if first is None else self._key(0, first.id)
        return mine is not None and (theirs is None or mine < theirs)

    def _gained(self, last: Rule, rival: Rule | None, at: Places) -> Words:
        """Return what changed of the rule that decides now: why it could not before, its outcome, its order."""
        told = self._change(last, at, forward=True)
        was, theirs = self._key(0, last.id), None if rival is None else self._key(0, rival.id)
        if rival is None or was is None or theirs is None or was < theirs:
            return _with(told, self._settings(last.id, ("outcome",), ""))
        return _with(told, self._settings(last.id, ("priority", "outcome"), f" (now before {rival.id})"))

    def _lost(self, last: Rule | None, first: Rule, at: Places) -> Words:
        """Return what changed of the rule that decided before: why it no longer can, or why it goes later."""
        told = self._change(first, at, forward=False)
        now = self._key(1, first.id)
        rival = None if last is None else self._key(1, last.id)
        late = now is not None and rival is not None and now >= rival
        suffix = "" if last is None else f" (now after {last.id})"
        return _with(told, self._settings(first.id, ("priority", "outcome"), suffix) if late else "")

    def _settings(self, rule_id: str, names: Sequence[str], suffix: str) -> str:
        """Return how a rule's priority and outcome changed; empty where they did not."""
        if any(rule_id not in place for place in self.place):
            return ""
        was, now = (held.book.rules[place[rule_id]] for held, place in zip(self.held, self.place, strict=True))
        parts = [
            f"{name} {getattr(was, name)} → {getattr(now, name)}"
            for name in names
            if getattr(was, name) != getattr(now, name)
        ]
        return ", ".join(parts) + suffix if parts else ""

    def _falls(self, first: Rule, last: Rule, at: Places) -> npt.NDArray[np.bool_]:
        """Return where the old book, with only `first` as it is now, would decide what the new one does."""
        old, new = self.held
        rows = self.rows[at]
        steps = ladder(old.book.domain)
        key, place = self._key(1, first.id), self.place[1].get(first.id)
        own = self.place[0][first.id]
        order = [(*(self._key(0, old.book.rules[k].id) or (0, 0)), k, _hit(old, k)) for k in old.live if k != own]
        if key is not None and place is not None and place in new.live:
            order.append((*key, own, _hit(new, place)))
        level, open_ = np.zeros(len(rows), dtype=np.int64), np.ones(len(rows), dtype=bool)
        for _, minus, _, hit in sorted(order, key=lambda entry: entry[:3]):
            taken = open_ & hit(rows)
            level[taken] = -minus
            open_ &= ~taken
            if not open_.any():
                break
        return level == steps.level(last.outcome)

    def _change(self, rule: Rule, at: Places, *, forward: bool) -> Words:
        """Return why a rule decides on one side and could not on the other; empty where it could."""
        there = 0 if forward else 1
        place = self.place[there].get(rule.id)
        if place is None:
            text = f"rule {'added' if forward else 'removed'}: {_cut(' '.join(rule.when.split()))}"
            return np.full(len(at), text, dtype=object)
        other = self.held[there].book.rules[place]
        told = _nothing(len(at))
        hit = self.held[there].bits.mask(place)[self.rows[at]]
        if other.status != "live":
            states = (other.status, rule.status) if forward else (rule.status, other.status)
            told[:] = f"status {states[0]} → {states[1]}"
        if not hit.all():
            if (rule.id, forward) not in self._texts:
                self._texts[rule.id, forward] = self._conditions(rule.id, forward=forward)
            asked = self._texts[rule.id, forward][at]
            told[~hit] = np.where(told[~hit] == "", asked[~hit], told[~hit] + "; " + asked[~hit])
        return told

    def _conditions(self, rule_id: str, *, forward: bool) -> Words:
        """Return which conditions of a rule changed their answer at each flip; a text a flip."""
        sides = [(held.book.rules[place[rule_id]], held) for held, place in zip(self.held, self.place, strict=True)]
        kinds = [variants(rule, held.dataset) for rule, held in sides]
        codes, names = self.held[1].dataset.regions
        own = codes[self.rows]
        special = [name for name in dict.fromkeys([*kinds[0], *kinds[1]]) if name is not None]
        told, rest = _nothing(len(self.rows)), np.ones(len(self.rows), dtype=bool)
        groups: list[tuple[str | None, npt.NDArray[np.bool_]]] = [(None, rest)]
        for name in special:
            inside = own == names.index(name)
            rest &= ~inside
            groups.append((name, inside))
        for region, inside in groups:
            at = np.flatnonzero(inside)
            if len(at):
                old, new = (_Parts.of(held.get(region, held[None])) for held in kinds)
                asked = old if forward else new
                answers = _answers(asked.nodes, self.held[0 if forward else 1], self.rows[at])
                told[at] = _texts(old, new, answers, forward=forward)
        return told


@dataclass(frozen=True, slots=True)
class _Parts:
    """The conditions that a rule joins by AND, each with its text for people and its full text."""

    nodes: tuple[Node, ...]
    texts: tuple[str, ...]
    full: tuple[str, ...]

    @classmethod
    def of(cls, node: Node) -> _Parts:
        nodes: tuple[Node, ...] = node.parts if isinstance(node, And) else (node,)
        return cls(nodes, tuple(_cut(said(part)) for part in nodes), tuple(to_sql(part) for part in nodes))


def _answers(nodes: Sequence[Node], held: Hits, rows: Places) -> npt.NDArray[np.bool_]:
    """Return which conditions are true at which events: a line a condition."""
    bits = evaluate(nodes, held.dataset.table)
    return np.stack([bits.mask(line)[rows] for line in range(len(nodes))])


def _texts(old: _Parts, new: _Parts, answers: npt.NDArray[np.bool_], *, forward: bool) -> Words:
    """Return what changed, from the conditions that are not true on the side on which the rule does not hit."""
    asked, other = (old, new) if forward else (new, old)
    partner = _partners(asked, other)
    patterns, kind = np.unique(~answers, axis=1, return_inverse=True)
    said_of = []
    for column in range(patterns.shape[1]):
        pieces = []
        for line in np.flatnonzero(patterns[:, column]):
            mate = partner.get(int(line))
            mine, theirs = asked.texts[line], "" if mate is None else other.texts[mate]
            if mate is None:
                pieces.append(f"{'no longer asks' if forward else 'now also asks'} {mine}")
            elif theirs == mine:
                pieces.append(f"{mine} (other values)")
            else:
                pieces.append(f"{mine} → {theirs}" if forward else f"{theirs} → {mine}")
        said_of.append("; ".join(pieces))
    return np.array(said_of, dtype=object)[kind.ravel()]


def _partners(asked: _Parts, other: _Parts) -> Mapping[int, int]:
    """Return which condition of one text stands for which of the other: equal ones, then same columns, then order."""
    from riskbench.engine.tree import atoms

    free, found = list(range(len(other.nodes))), {}

    def columns(node: Node) -> frozenset[str]:
        return frozenset(name for atom in atoms(node) for name in atom.columns)

    tests: tuple[Callable[[int, int], bool], ...] = (
        lambda i, j: asked.full[i] == other.full[j],
        lambda i, j: asked.texts[i] == other.texts[j],
        lambda i, j: columns(asked.nodes[i]) == columns(other.nodes[j]),
    )
    for same in tests:
        for i in range(len(asked.nodes)):
            mate = next((j for j in free if same(i, j)), None) if i not in found else None
            if mate is not None:
                found[i] = mate
                free.remove(mate)
    if len(asked.nodes) == len(other.nodes):
        waiting = [i for i in range(len(asked.nodes)) if i not in found]
        found |= dict(zip(waiting, free, strict=True))
    return found


def said(node: Node) -> str:
    """Return a condition as an analyst would write it: plain names without quotes, a long list by its name."""
    if isinstance(node, Atom):
        if node.shape == "in" and len(node.values) > _SHORT_LIST:
            named = f":{node.params[0]}" if len(node.params) == 1 else f"({len(node.values):,} values)"
            return f"{node.column} IN {named}"
        return _plain(node.sql)
    if isinstance(node, Not):
        return f"NOT ({said(node.part)})"
    if isinstance(node, And):
        return "(" + " AND ".join(map(said, node.parts)) + ")"
    if hasattr(node, "parts"):
        return "(" + " OR ".join(map(said, node.parts)) + ")"
    return to_sql(node)


def _plain(text: str) -> str:
    bare = re.sub(r'"([^\W\d]\w*)"', r"\1", text)
    return re.sub(r"\b(\d+(?:\.\d+)?)e0\b", r"\1", bare)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _hit(held: Hits, place: int) -> Callable[[Places], npt.NDArray[np.bool_]]:
    """Return a way to ask which of some events a rule hits."""
    line = held.bits.words[place]
    return lambda rows: (line[rows >> 6] >> (rows & 63).astype(np.uint64)) & np.uint64(1) == 1


def _with(told: Words, text: str) -> Words:
    """Return texts with one more piece each; as they are without one."""
    return np.where(told == "", text, told + f"; {text}").astype(object) if text else told


def _nothing(size: int) -> Words:
    return np.full(size, "", dtype=object)
