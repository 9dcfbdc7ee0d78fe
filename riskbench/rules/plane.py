"""What do all settings of two parameters do to each event, given the live rules around them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.engine.bits import Words, pack, union, unpack
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or
from riskbench.errors import ParameterError, RuleError
from riskbench.rules.axis import TRUE, UNKNOWN, Axis, axis, named_param, plain
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import apply, deciding_order, resolve
from riskbench.rules.param import Param
from riskbench.rules.rule import Rule

Small = npt.NDArray[np.int8]
Corners = tuple[Small, Small, Small, Small]
Rows = npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice

#: Truth of the first and the second condition at each corner.
CORNERS = ((False, False), (False, True), (True, False), (True, True))


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """What every setting of one or two parameters decides about each event, given the live rules.

    Attributes
    ----------
    dataset : Dataset
        The events.
    axes : tuple of Axis
        Two; with one parameter the second has one setting, which changes nothing.
    corners : tuple of ndarray of int8, shape (rows,)
        The ladder level where both conditions are false, the second alone is true, the first alone, and both. A
        region that has a value of its own keeps it.
    free : tuple of ndarray of int8
        The same without the regions' own values, so that a setting holds everywhere.
    now : ndarray of int8, shape (rows,)
        The level that the book decides today.
    ids : tuple of str
        The rules that are swept.
    """

    dataset: Dataset
    axes: tuple[Axis, Axis]
    corners: Corners
    free: Corners
    now: Small
    ids: tuple[str, ...]

    @property
    def params(self) -> tuple[str, ...]:
        """The names of the swept parameters."""
        return tuple(axis.name for axis in self.axes if axis.name)

    @property
    def shape(self) -> tuple[int, int]:
        """How many settings each parameter has."""
        return len(self.axes[0].values), len(self.axes[1].values)

    def levels(self, first: int, second: int, *, everywhere: bool = False, rows: Rows = slice(None)) -> Small:
        """Return each event's level at a setting, by its places on the two axes."""
        corners = self.free if everywhere else self.corners
        a = self.axes[0].truth[:, first][self.axes[0].code[rows]]
        b = self.axes[1].truth[:, second][self.axes[1].code[rows]]
        ff, ft, tf, tt = (corner[rows] for corner in corners)
        return np.where(a, np.where(b, tt, tf), np.where(b, ft, ff)).astype(np.int8)


def plane(
    book: RuleBook,
    events: Dataset,
    params: Sequence[str],
    *,
    grid: Sequence[Sequence[float]] | None = None,
    size: int = 50,
    sample: npt.NDArray[np.bool_] | None = None,
    frauds: npt.NDArray[np.bool_] | None = None,
) -> Plane:
    """Return what every setting of one or two parameters decides.

    Shannon's expansion: each rule with its swept condition false, true and unknown says all about every setting, so
    the rules are evaluated a handful of times whatever the number of settings. The swept rules count as live.

    Parameters
    ----------
    book : RuleBook
        The rules.
    events : Dataset
        The prepared events.
    params : sequence of str
        One or two `RULE.parameter`, of one rule or of two.
    grid : sequence of sequences of float, optional
        The settings of each; by default readable quantiles. Today's value is added.
    size : int
        How many settings each has by default.
    sample, frauds : ndarray of bool, optional
        The events whose quantiles count, and which events are known frauds.

    Raises
    ------
    ParameterError
        When a parameter does not exist, is no number, or a setting is out of its bounds.
    RuleError
        When both parameters stand in one condition, or one stands in several.
    """
    named = [named_param(book, param) for param in params]
    if len({(rule.id, param) for rule, param, _ in named}) != len(named) or len(named) not in (1, 2):
        raise ParameterError("A surface has one parameter or two different ones", got=repr(tuple(params)))
    ids = tuple(dict.fromkeys(rule.id for rule, _, _ in named))
    rows = np.ones(events.rows, dtype=bool) if sample is None else sample
    known = np.zeros(events.rows, dtype=bool) if frauds is None else frauds
    given = [None] * len(named) if grid is None else list(grid)
    if len(given) != len(named):
        raise ParameterError("The grid has one list of settings for each parameter", got=f"{len(given)} lists")
    axes = [
        axis(
            rule,
            param,
            events,
            values=values,
            size=size,
            sample=rows,
            frauds=known,
            alone=sum(other.id == rule.id for other, _, _ in named) == 1,
        )
        for (rule, param, _), values in zip(named, given, strict=True)
    ]
    pad = axes if len(axes) == 2 else [*axes, _nothing(events)]
    swept = {
        rule.id: {place: param for place, (one, param, _) in enumerate(named) if one.id == rule.id}
        for rule, _, _ in named
    }
    free = {
        rule_id: _hits(plain(book.rule(rule_id), list(held.values())), held, pad, events)
        for rule_id, held in swept.items()
    }
    own = any(param in held for rule, param, _ in named for held in rule.regions.values())
    kept = {rule_id: _hits(book.rule(rule_id), held, pad, events) for rule_id, held in swept.items()} if own else free
    moving = np.zeros_like(next(iter(free.values()))[0])
    for lines in (*free.values(), *kept.values()):
        for line in lines[1:]:
            moving |= line ^ lines[0]
    for one in pad:
        if one.fill is not None:
            one.fill(moving)
    decide = _Decide(book, events, ids)
    corners = decide.corners(kept)
    return Plane(
        events,
        (_settled(pad[0]), _settled(pad[1])),
        corners,
        decide.corners(free) if own else corners,
        decide.now(),
        ids,
    )


def _nothing(events: Dataset) -> Axis:
    """Return an axis of one setting that changes nothing."""
    return Axis(
        "",
        np.zeros(1),
        0,
        np.zeros(events.rows, dtype=np.uint16),
        np.zeros((1, 1), dtype=np.int8),
        Param(0),
        whole=False,
    )


def _settled(held: Axis) -> Axis:
    """Return an axis whose answers are true or not."""
    return replace(held, truth=held.truth == TRUE)


def _hits(rule: Rule, params: Mapping[int, str], axes: Sequence[Axis], events: Dataset) -> tuple[Words, ...]:
    """Return which events a rule hits at each corner; a region's own value of a parameter stays.

    Parameters
    ----------
    rule : Rule
        The rule.
    params : mapping of int to str
        Its swept parameters by their axis.
    axes : sequence of Axis
        Both axes.
    events : Dataset
        The events.
    """
    by_rule = [place for place in params if axes[place].by_rule]
    if by_rule:
        nobody, everybody = (pack(np.full(events.rows, hit)) for hit in (False, True))
        return tuple(everybody if pair[by_rule[0]] else nobody for pair in CORNERS)
    codes, names = events.regions
    regions: list[str | None] = [None, *(region for region in rule.apart if region in set(names))]
    unknown = [place in params and bool((axes[place].truth == UNKNOWN).any()) for place in range(2)]
    truths: list[list[bool | None]] = [
        ([False, True, None] if unknown[place] else [False, True]) if place in params else [False] for place in range(2)
    ]
    pairs = [(a, b) for a in truths[0] for b in truths[1]]
    nodes = []
    for region in regions:
        node = rule.bind(events.kinds, region=region, aliases=events.roles.named())
        own = rule.regions.get(region, {}) if region is not None else {}
        moving = {param: place for place, param in params.items() if param not in own}
        nodes += [settle(node, {param: pair[place] for param, place in moving.items()}, rule=rule) for pair in pairs]
    lines = evaluate(nodes, events.table)
    words = {pair: lines.words[line].copy() for line, pair in enumerate(pairs)}
    for at, region in enumerate(regions[1:], start=1):
        within = pack(codes == names.index(str(region)))
        for line, pair in enumerate(pairs):
            words[pair] = (words[pair] & ~within) | (lines.words[at * len(pairs) + line] & within)
    for place in range(2):
        if unknown[place]:
            words = _folded(words, axes[place], place, rule=rule)
    return tuple(words[(a and 0 in params, b and 1 in params)] for a, b in CORNERS)


def _folded(
    words: Mapping[tuple[bool | None, bool | None], Words], held: Axis, place: int, *, rule: Rule
) -> dict[tuple[bool | None, bool | None], Words]:
    """Return the hits by false and true alone: where a condition is unknown, its two corners are as it is then."""
    none = held.truth == UNKNOWN
    missing = pack(np.zeros(len(held.code), dtype=bool)) if held.unknown is None else held.unknown
    at_times = (none.any(axis=1) & ~none.all(axis=1))[held.code]
    made = {}
    for pair, line in words.items():
        if pair[place] is None:
            continue
        lost = words[(None, pair[1]) if place == 0 else (pair[0], None)]
        if pair[place] is False and at_times.any() and (pack(at_times) & (line ^ lost)).any():
            raise RuleError(
                f"{held.name} makes its condition unknown at some settings only, which changes what the rule hits",
                rule=rule.id,
                text=rule.when,
            )
        made[pair] = (line & ~missing) | (lost & missing)
    return made


def settle(node: Node, truths: Mapping[str, bool | None], *, rule: Rule) -> Node:
    """Return a condition with the parts in which some parameters stand settled.

    Raises
    ------
    RuleError
        When two of the parameters stand in one part.
    """
    if isinstance(node, Atom):
        held = [param for param in node.params if param in truths]
        if len(held) > 1:
            raise RuleError(
                "both parameters stand in one condition",
                rule=rule.id,
                text=rule.when,
                got=node.sql,
                hint="write BETWEEN as two comparisons",
            )
        return Constant(truths[held[0]]) if held else node
    if isinstance(node, Not):
        return Not(settle(node.part, truths, rule=rule))
    if isinstance(node, And | Or):
        return type(node)(tuple(settle(part, truths, rule=rule) for part in node.parts))
    return node


class _Decide:
    """What the live rules and the swept ones decide together."""

    def __init__(self, book: RuleBook, events: Dataset, ids: tuple[str, ...]) -> None:
        self.book, self.events, self.ids = book, events, ids
        live = book
        for rule_id in ids:
            live = live.with_status(rule_id, "live")
        order = [live.rules[place].id for place in deciding_order(live)]
        others = replace(live, rules=tuple(rule for rule in live.live if rule.id not in ids))
        bits = apply(others.rules, events)
        place = {rule.id: line for line, rule in enumerate(others.rules)}
        steps = ladder(book.domain)
        self.base = resolve(others, bits).level
        self.order = [rule_id for rule_id in order if rule_id in ids]
        self.hit: dict[str, Small] = {}
        for rule_id in ids:
            before = [place[other] for other in order[: order.index(rule_id)] if other not in ids]
            decided = unpack(union(bits.words[before]), events.rows)
            level = np.int8(steps.level(book.rule(rule_id).outcome))
            self.hit[rule_id] = np.where(decided, self.base, level) if before else np.full(events.rows, level)

    def level(self, hits: Mapping[str, Words | None]) -> Small:
        """Return the level where each swept rule hits or not."""
        found = self.base
        for rule_id in reversed(self.order):
            words = hits[rule_id]
            if words is not None and words.any():
                found = np.where(unpack(words, self.events.rows), self.hit[rule_id], found)
        return found

    def corners(self, hits: Mapping[str, Sequence[Words]]) -> Corners:
        """Return the levels at the four corners."""
        made: list[Small] = []
        for corner in range(4):
            same = [one for one in range(corner) if all((x[one] == x[corner]).all() for x in hits.values())]
            words = {rule_id: lines[corner] for rule_id, lines in hits.items()}
            made.append(made[same[0]] if same else self.level(words))
        return made[0], made[1], made[2], made[3]

    def now(self) -> Small:
        """Return the level today."""
        today = apply([self.book.rule(rule_id) for rule_id in self.ids], self.events)
        return self.level(
            {
                rule_id: today.words[line] if self.book.rule(rule_id).status == "live" else None
                for line, rule_id in enumerate(self.ids)
            }
        )
