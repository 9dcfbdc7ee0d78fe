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
    """Return, for each flipped event, the rule whose decision changed and what changed it.

    The rule that decides now is named where it did not stand ready before: it was added, did not hit, or was not
    live. Else that which decided before is named: it was removed, no longer hits, or is no longer live. Else the two
    changed places. Where both the first and the second are true, and the second was needed too, both are told.
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
        gained = self._change(last, at, forward=True) if last is not None else _nothing(len(at))
        lost = self._change(first, at, forward=False) if first is not None else _nothing(len(at))
        came, went = gained != "", lost != ""
        rule: Words = np.full(len(at), last.id if last is not None else "", dtype=object)
        told: Words = gained.copy()
        if first is not None:
            rule[~came], told[~came] = first.id, lost[~came]
            if last is not None:
                both = came & went & (not self._before(last, first))
                told[both] = gained[both] + f"; {first.id}: " + lost[both]
                neither = ~came & ~went
                if neither.any():
                    rule[neither], told[neither] = self._order(first, last)
        return rule, told

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

    def _before(self, last: Rule, first: Rule) -> bool:
        """Return whether the rule that decides now would do so even beside the one that decided before."""
        place = self.place[1].get(first.id)
        rival = first if place is None else self.held[1].book.rules[place]
        steps = ladder(self.held[1].book.domain)
        mine, theirs = ((rule.priority, -steps.level(rule.outcome)) for rule in (last, rival))
        if mine != theirs or place is None:
            return mine < theirs
        return self.place[1][last.id] < place

    def _order(self, first: Rule, last: Rule) -> tuple[str, str]:
        """Return what changed the order of two rules that both stood ready on both sides."""
        parts = []
        for rule in (last, first):
            was, now = (held.book.rules[place[rule.id]] for held, place in zip(self.held, self.place, strict=True))
            parts += [
                (rule.id, f"{name} {getattr(was, name)} → {getattr(now, name)}")
                for name in ("priority", "outcome")
                if getattr(was, name) != getattr(now, name)
            ]
        if not parts:
            return last.id, f"goes before {first.id} in the book"
        rule_id, text = parts[0]
        others = [f"; {other}: {more}" if other != rule_id else f", {more}" for other, more in parts[1:]]
        rival = first.id if rule_id == last.id else last.id
        return rule_id, f"{text}{''.join(others)} (now {'before' if rule_id == last.id else 'after'} {rival})"

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


def _nothing(size: int) -> Words:
    return np.full(size, "", dtype=object)
