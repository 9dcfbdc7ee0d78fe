"""What one moving cut does to each event, given the live rules around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.engine.bits import Bits, union, unpack
from riskbench.engine.kernel import evaluate
from riskbench.engine.project import numbers
from riskbench.engine.tree import atoms
from riskbench.errors import DataError, RuleError
from riskbench.metrics.curve import hit_at
from riskbench.rules.axis import named_param, plain, stated
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import acting, apply, deciding_order, prepared, resolve, variants
from riskbench.rules.plane import settle
from riskbench.rules.rule import Rule
from riskbench.rules.settings import spaced_settings

Op = Literal[">=", ">", "<=", "<"]
#: Settings of the grid on which a parameter is swept that stands in no simple comparison.
GRID = 200
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
    gridded : bool
        Whether only the settings of a grid were looked at, so that cuts between them are not told apart.
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
    gridded: bool = False


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


def sweep_param(
    book: RuleBook,
    dataset: Dataset,
    *,
    rule_param: str,
    asof: str | pd.Timestamp | None = None,
    known: tuple[RuleBook, Bits] | None = None,
) -> Sweep:
    """Return what a rule's parameter does as it moves, all other rules as they are.

    Every regional value of the parameter is left out, so that one cut holds everywhere. The rule counts as live
    whatever its status. Where the parameter stands alone against a column, or against an expression of numbers,
    every cut is exact. Anywhere else the rule is evaluated at the settings of a grid, and those are exact.

    Parameters
    ----------
    book : RuleBook
        The rules.
    dataset : Dataset
        The events.
    rule_param : str
        `RULE.parameter`.
    asof : str or Timestamp, optional
        Only events up to then.
    known : (RuleBook, Bits), optional
        The book in force and its hits, where they are known already; the events are then prepared too.

    Raises
    ------
    ParameterError
        When there is no such rule or parameter.
    RuleError
        When the parameter works both ways: a higher value hits some events more and others less.
    """
    named_param(book, rule_param)
    rule_id, _, param = rule_param.partition(".")
    events = dataset if known is not None else prepared(book, dataset, asof=asof)
    book = acting(book, events, asof=asof) if known is None else known[0]
    bits = apply(book.rules, events) if known is None else known[1]
    rule, ids = book.rule(rule_id), [held.id for held in book.rules]
    spec, everywhere = rule.params[param], plain(rule, [param])
    value, op, gridded = _quantity(everywhere, param, events)
    if gridded:
        nobody = np.zeros(events.rows, dtype=bool)
        always, never, flipped = nobody, nobody, False
    else:
        always, never, flipped = _corners(everywhere, param, events, value)
    level = ladder(book.domain).level(rule.outcome)
    live = book.with_status(rule_id, "live")
    order, place = deciding_order(live), ids.index(rule_id)
    base = np.zeros(events.rows, dtype=np.int8)
    for other in reversed(order):
        if other != place:
            base[bits.positions(other)] = ladder(book.domain).level(book.rules[other].outcome)
    decided = unpack(union(bits.words[list(order[: order.index(place)])]), events.rows)
    hit = np.where(decided, base, np.int8(level)).astype(np.int8)
    low, high = (None if bound is None else float(bound) for bound in (spec.min, spec.max))
    return Sweep(
        events,
        value,
        _FLIP[op] if flipped else op,
        base,
        hit,
        always,
        never,
        float(spec.default),  # type: ignore[arg-type]
        low,
        high,
        rule_param,
        rule.outcome,
        gridded,
    )


def _quantity(rule: Rule, param: str, events: Dataset) -> tuple[npt.NDArray[np.float64], Op, bool]:
    """Return what a parameter is held against, how, and whether only the settings of a grid are exact."""
    spec, node = rule.params[param], rule.bind(events.kinds, aliases=events.roles.named())
    found = {atom.sql: atom for atom in atoms(node) if param in atom.params}
    atom = next(iter(found.values())) if len(found) == 1 else None
    if atom is not None and atom.params == (param,) and atom.shape in _FLIP and atom.values[0] == spec.default:
        column = events.table.column(str(atom.column))
        if column.kind in ("int", "float"):
            sign: Op = atom.shape  # type: ignore[assignment]
            return np.where(column.present, column.values, np.nan).astype(np.float64), sign, False
    if atom is not None and atom.params == (param,) and atom.against is not None:
        text, shape, number = atom.against
        if shape in _FLIP and number == spec.default:
            value = numbers(text, events.table.to_arrow(list(atom.columns)))
            told: Op = shape  # type: ignore[assignment]
            # What DuckDB answers is the truth: the numbers are believed where they say the same.
            if (hit_at(value, told, number) == evaluate([atom], events.table).mask(0)).all():
                return value, told, False
    return (*_by_grid(rule, param, events), True)


def _by_grid(rule: Rule, param: str, events: Dataset) -> tuple[npt.NDArray[np.float64], Op]:
    """Return for each event the last setting of a grid at which the rule hits it.

    Raises
    ------
    RuleError
        When the rule hits some events at higher settings, others at lower ones, or at some in between.
    """
    settings = spaced_settings(rule.params[param], size=GRID)
    lines = apply([rule.with_params({param: stated(value)}) for value in settings], events)
    low, high = lines.mask(0), lines.mask(len(settings) - 1)
    count = np.zeros(events.rows, dtype=np.int64)
    turns = np.zeros(events.rows, dtype=np.int64)
    before = low
    for line in range(len(settings)):
        hit = lines.mask(line)
        count += hit
        turns += hit != before
        before = hit
    rising, falling = bool((high & ~low).any()), bool((low & ~high).any())
    if (turns > 1).any() or (rising and falling):
        raise RuleError(
            f"the parameter {param!r} works both ways for different events, so it has no one curve",
            rule=rule.id,
            text=rule.when,
            hint=f'rb.surface(book, events, params="{rule.id}.{param}") shows every setting of a grid',
        )
    if rising:
        ends = np.concatenate([settings[::-1], [np.inf]])  # hit at the last `count` settings
        return np.where(count > 0, ends[np.maximum(count, 1) - 1], np.nan), "<="
    return np.where(count > 0, settings[np.maximum(count, 1) - 1], np.nan), ">="


def _corners(
    rule: Rule, param: str, events: Dataset, value: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], bool]:
    """Return which events the rule always and never hits, and whether it hits where the comparison fails.

    Shannon's expansion: the rule at the comparison false, true and unknown says all about every cut.
    """
    codes, names = events.regions
    nodes = variants(rule, events)
    own = {region: codes == names.index(region) for region in nodes if region is not None}
    elsewhere = np.ones(events.rows, dtype=bool)
    for mask in own.values():
        elsewhere &= ~mask
    at: dict[bool | None, npt.NDArray[np.bool_]] = {
        truth: np.zeros(events.rows, dtype=bool) for truth in (False, True, None)
    }
    for region, node in nodes.items():
        within = elsewhere if region is None else own[region]
        lines = evaluate([settle(node, {param: truth}, rule=rule) for truth in at], events.table)
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
            hint=f'rb.surface(book, events, params="{rule.id}.{param}") shows every setting of a grid',
        )
    return always, never, falling
