"""What one moving cut does to each event, given the live rules around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.engine.bits import union, unpack
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or, atoms
from riskbench.errors import DataError, ParameterError, RuleError, listed, nearest
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import acting, apply, deciding_order, prepared, resolve, variants
from riskbench.rules.rule import Rule

Op = Literal[">=", ">", "<=", "<"]
_FLIP: dict[str, Op] = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


@dataclass(frozen=True, eq=False)
class Sweep:
    """What one moving cut does to each event, given the live rules.

    Attributes
    ----------
    dataset : Dataset
        The events, with the book's velocity features, up to the as-of moment.
    value : ndarray of float64, shape (rows,)
        The swept quantity; NaN = missing, never hit by the cut.
    op : {">=", ">", "<=", "<"}
        An event is hit when `value op cut`.
    base, hit : ndarray of int8, shape (rows,)
        The ladder level of the outcome when the swept rule does not hit, and when it does.
    always, never : ndarray of bool, shape (rows,)
        Hit, or not hit, whatever the cut.
    default : float or None
        Today's cut.
    minimum, maximum : float or None
        The bounds that the rule book sets.
    name : str
        The score, or `RULE.parameter`.
    outcome : str
        What the swept rule decides.
    """

    dataset: Dataset
    value: npt.NDArray[np.float64]
    op: Op
    base: npt.NDArray[np.int8]
    hit: npt.NDArray[np.int8]
    always: npt.NDArray[np.bool_]
    never: npt.NDArray[np.bool_]
    default: float | None
    minimum: float | None
    maximum: float | None
    name: str
    outcome: str


def sweep_score(
    book: RuleBook | None,
    dataset: Dataset,
    *,
    score: str,
    outcome: str = "review",
    asof: str | pd.Timestamp | None = None,
) -> Sweep:
    """Return what a cut of a score does where no live rule of the book decides.

    Raises
    ------
    DataError
        When the score holds no numbers.
    """
    events = dataset if book is None else prepared(book, dataset, asof=asof)
    events = events if book is not None else _until(events, asof)
    column = events.column(score)
    if column.kind not in ("int", "float"):
        raise DataError(f"The score {score!r} holds no numbers", got=column.kind, allowed="numbers; higher is riskier")
    value = np.where(column.present, column.values, np.nan).astype(np.float64)
    level = np.int8(ladder(events.domain).level(outcome))
    if book is None:
        base = np.zeros(events.rows, dtype=np.int8)
        free = np.ones(events.rows, dtype=bool)
    else:
        book = acting(book, events, asof=asof)
        decided = resolve(book, apply(book.rules, events))
        base, free = decided.level, decided.rule < 0
    nobody = np.zeros(events.rows, dtype=bool)
    hit = np.where(free, level, base).astype(np.int8)
    return Sweep(events, value, ">=", base, hit, nobody, np.isnan(value), None, None, None, score, outcome)


def _until(dataset: Dataset, asof: str | pd.Timestamp | None) -> Dataset:
    return dataset if asof is None else prepared(RuleBook(name="none", domain=dataset.domain), dataset, asof=asof)


def sweep_param(book: RuleBook, dataset: Dataset, *, rule_param: str, asof: str | pd.Timestamp | None = None) -> Sweep:
    """Return what a rule's parameter does as it moves, all other rules as they are.

    The parameter must stand in one comparison with one column; every regional value of it is left out, so that
    one cut holds everywhere. The rule counts as live whatever its status.

    Raises
    ------
    ParameterError
        When there is no such rule or parameter.
    RuleError
        When the parameter does not stand in one comparison with a column.
    """
    rule_id, _, param = rule_param.partition(".")
    ids = [rule.id for rule in book.rules]
    if rule_id not in ids or not param:
        options = [f"{rule.id}.{name}" for rule in book.rules for name in rule.params]
        close = nearest(rule_param, options)
        raise ParameterError(
            f"{rule_param!r} names no parameter of a rule",
            allowed=listed(options),
            hint=f"did you mean {close!r}?" if close else 'write "RULE.parameter"',
        )
    rule = book.rule(rule_id)
    if param not in rule.params:
        close = nearest(param, rule.params)
        raise ParameterError(
            f"Rule {rule_id} has no parameter {param!r}",
            allowed=listed(rule.params),
            hint=f"did you mean {close!r}?" if close else None,
        )
    spec = rule.params[param]
    if isinstance(spec.default, bool) or not isinstance(spec.default, int | float):
        raise ParameterError(
            f"The parameter {rule_param} is no number, so it has no cuts", got=repr(spec.default), allowed="a number"
        )
    events = prepared(book, dataset, asof=asof)
    book = acting(book, events, asof=asof)
    rule, ids = book.rule(rule_id), [held.id for held in book.rules]
    own = {region: {k: v for k, v in held.items() if k != param} for region, held in rule.regions.items()}
    plain = replace(rule, regions={region: held for region, held in own.items() if held})
    nodes = variants(plain, events)
    atom = _swept_atom(list(nodes.values()), param, rule=rule)
    column = events.table.column(str(atom.column))
    value = np.where(column.present, column.values, np.nan).astype(np.float64)
    always, never, flipped = _corners(nodes, atom, events, value, rule=rule, param=param)
    op: Op = _FLIP[str(atom.shape)] if flipped else atom.shape  # type: ignore[assignment]
    level = ladder(book.domain).level(rule.outcome)
    others = book.without(rule_id)
    bits = apply(others.rules, events)
    base = resolve(others, bits).level
    swept = (rule.priority, -level, ids.index(rule_id))
    ahead = [
        place
        for place in deciding_order(others)
        if (
            others.rules[place].priority,
            -ladder(book.domain).level(others.rules[place].outcome),
            ids.index(others.rules[place].id),
        )
        < swept
    ]
    decided = unpack(union(bits.words[ahead]), events.rows)
    hit = np.where(decided, base, np.int8(level)).astype(np.int8)
    low, high = (None if bound is None else float(bound) for bound in (spec.min, spec.max))
    return Sweep(events, value, op, base, hit, always, never, float(spec.default), low, high, rule_param, rule.outcome)


def _swept_atom(nodes: list[Node], param: str, *, rule: Rule) -> Atom:
    """Return the one comparison in which a parameter stands."""
    found = {atom.sql: atom for node in nodes for atom in atoms(node) if param in atom.params}
    atom = next(iter(found.values()), None)
    spec = rule.params[param]
    simple = (
        len(found) == 1
        and atom is not None
        and atom.shape in _FLIP
        and atom.params == (param,)
        and atom.values[0] == spec.default
    )
    if not simple or atom is None:
        raise RuleError(
            f"the parameter {param!r} can be swept only where it stands alone in one comparison with a column",
            rule=rule.id,
            text=rule.when,
            got=listed(found) if found else "it stands nowhere",
            allowed=f"amount > :{param}",
        )
    return atom


def _corners(
    nodes: dict[str | None, Node],
    atom: Atom,
    events: Dataset,
    value: npt.NDArray[np.float64],
    *,
    rule: Rule,
    param: str,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], bool]:
    """Return which events the rule always and never hits, and whether it hits where the comparison fails.

    Shannon's expansion: the rule at the comparison false, true and unknown says all about every cut.
    """
    codes, names = events.regions
    own = {region: codes == names.index(region) for region in nodes if region is not None}
    elsewhere = np.ones(events.rows, dtype=bool)
    for mask in own.values():
        elsewhere &= ~mask
    at: dict[bool | None, npt.NDArray[np.bool_]] = {
        truth: np.zeros(events.rows, dtype=bool) for truth in (False, True, None)
    }
    for region, node in nodes.items():
        within = elsewhere if region is None else own[region]
        lines = evaluate([_with(node, atom, truth) for truth in at], events.table)
        for line, truth in enumerate(at):
            at[truth] |= lines.mask(line) & within
    missing = np.isnan(value)
    always = np.where(missing, at[None], at[False] & at[True])
    never = np.where(missing, ~at[None], ~(at[False] | at[True]))
    moving = ~always & ~never
    rising, falling = bool((moving & at[True]).any()), bool((moving & at[False]).any())
    if rising and falling:
        raise RuleError(
            f"the parameter {param!r} works both ways for different events, so it has no one curve",
            rule=rule.id,
            text=rule.when,
        )
    return always, never, falling


def _with(node: Node, atom: Atom, truth: bool | None) -> Node:  # noqa: FBT001
    """Return a condition with one atom settled."""
    if isinstance(node, Atom):
        return Constant(truth) if node.sql == atom.sql else node
    if isinstance(node, Not):
        return Not(_with(node.part, atom, truth))
    if isinstance(node, And | Or):
        return type(node)(tuple(_with(part, atom, truth) for part in node.parts))
    return node
