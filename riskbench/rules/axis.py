"""Which settings of a parameter are looked at, and at which of them does its condition hold for each event?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.engine.bits import Bits, Words, pack
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or, atoms
from riskbench.errors import ParameterError, RuleError, listed, nearest
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import apply
from riskbench.rules.param import Param
from riskbench.rules.rule import Rule
from riskbench.rules.settings import spaced_settings, spread_settings

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint16]

#: Truth of a condition.
FALSE, TRUE, UNKNOWN = range(3)
#: How many different answers to all settings events may give.
MOST_CODES = 4_096
#: How many settings of one parameter may be looked at.
MOST_SETTINGS = 200
_PASSED = {">=": (False, True), "<": (False, False), ">": (True, True), "<=": (True, False)}


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One parameter's settings, and where its condition holds.

    Attributes
    ----------
    name : str
        `RULE.parameter`.
    values : ndarray of float64, shape (settings,)
        The settings, ascending; today's is among them.
    today : int
        The place of today's value.
    code : ndarray of uint16, shape (rows,)
        Events of one code answer alike to every setting.
    truth : ndarray of int8, shape (codes, settings)
        The answer: 0 false, 1 true, 2 unknown.
    spec : Param
        The parameter.
    whole : bool
        Whether it is compared with whole numbers.
    by_rule : bool
        Whether the answers are those of the whole rule, because the parameter stands in several conditions.
    unknown : ndarray of uint64, or None
        Packed bits of the events for which the condition is unknown at every setting.
    fill : function of packed bits, or None
        Writes the codes of some events; before it is called they are 0.
    """

    name: str
    values: Floats
    today: int
    code: Codes
    truth: npt.NDArray[Any]
    spec: Param
    whole: bool
    by_rule: bool = False
    unknown: Words | None = None
    fill: Callable[[Words], None] | None = None

    @property
    def label(self) -> str:
        """The name with its unit."""
        return f"{self.name} ({self.spec.unit})" if self.spec.unit else self.name


def axis(
    rule: Rule,
    param: str,
    events: Dataset,
    *,
    values: Sequence[float] | None,
    size: int,
    sample: Mask,
    frauds: Mask,
    alone: bool,
) -> Axis:
    """Return a parameter's settings and where its condition holds at each.

    Where the parameter is the only swept one of its rule, it may stand in several conditions: the whole rule is
    then evaluated at every setting.

    Raises
    ------
    ParameterError
        When a given setting is no number, or lies outside the parameter's bounds.
    RuleError
        When the parameter stands in no condition or in several.
    """
    spec = rule.params[param]
    node = rule.bind(events.kinds, aliases=events.roles.named())
    if alone and len({atom.sql for atom in atoms(node) if param in atom.params}) > 1:
        return _by_rule(rule, param, events, values=values, size=size)
    atom = swept_atom(rule, param, events)
    today = float(spec.default)  # type: ignore[arg-type]
    column = events.table.column(atom.column) if atom.column is not None else None
    whole = column is not None and column.kind == "int"
    if values is not None:
        settings = np.union1d(checked(values, spec, name=f"{rule.id}.{param}"), [today])
    elif column is not None and column.kind in ("int", "float") and atom.shape in _PASSED:
        seen = column.values[sample].astype(np.float64)
        seen[~column.present[sample]] = np.nan
        settings = spread_settings(seen, frauds[sample], spec, size=size, whole=whole)
    else:
        settings = spaced_settings(spec, size=size)
    place, conditions = int(np.searchsorted(settings, today)), at_settings(rule, param, settings, events)
    made = Axis(f"{rule.id}.{param}", settings, place, _nobody(events), np.zeros((1, 1), np.int8), spec, whole)
    return _by_rank(made, conditions, events) or _by_pattern(made, conditions, events)


def _nobody(events: Dataset) -> Codes:
    return np.zeros(events.rows, dtype=np.uint16)


def _by_rule(rule: Rule, param: str, events: Dataset, *, values: Sequence[float] | None, size: int) -> Axis:
    spec, name = rule.params[param], f"{rule.id}.{param}"
    today = float(spec.default)  # type: ignore[arg-type]
    settings = spaced_settings(spec, size=size) if values is None else checked(values, spec, name=name)
    settings = np.union1d(settings, [today])
    lines = apply([rule.with_params({param: stated(value)}) for value in settings], events)
    everything = np.broadcast_to(pack(np.ones(events.rows, dtype=bool)), lines.words.shape)
    code, truth = grouped(Bits(np.concatenate([lines.words, everything]), events.rows), events.rows)
    place = int(np.searchsorted(settings, today))
    return Axis(name, settings, place, code, truth, spec, whole=False, by_rule=True)


def checked(values: Sequence[float], spec: Param, *, name: str) -> Floats:
    """Return given settings as ascending numbers.

    Raises
    ------
    ParameterError
        When one is no finite number, or lies outside the bounds.
    """
    try:
        found = np.unique(np.asarray(list(values), dtype=np.float64))
    except (TypeError, ValueError):
        raise ParameterError(f"The settings of {name} are numbers", got=repr(values)[:200]) from None
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all() or len(found) > MOST_SETTINGS:
        raise ParameterError(
            f"The settings of {name} are a list of finite numbers",
            got=repr(values)[:200],
            allowed=f"1 to {MOST_SETTINGS}",
        )
    low = -np.inf if spec.min is None else spec.min
    high = np.inf if spec.max is None else spec.max
    if found[0] < low or found[-1] > high:
        raise ParameterError(
            f"A setting of {name} lies outside what the rule book allows",
            got=f"{found[0]:g} to {found[-1]:g}",
            allowed=spec.range,
        )
    return found


def named_param(book: RuleBook, rule_param: str) -> tuple[Rule, str, Param]:
    """Return the rule, the parameter's name and the parameter that `RULE.parameter` names.

    Raises
    ------
    ParameterError
        When there is no such rule or parameter, or it is no number.
    """
    rule_id, _, param = str(rule_param).partition(".")
    held = {rule.id: rule for rule in book.rules}
    if rule_id not in held or not param:
        options = [f"{rule.id}.{name}" for rule in book.rules for name in rule.params]
        close = nearest(str(rule_param), options)
        raise ParameterError(
            f"{rule_param!r} names no parameter of a rule",
            allowed=listed(options),
            hint=f"did you mean {close!r}?" if close else 'write "RULE.parameter"',
        )
    rule = held[rule_id]
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
    return rule, param, spec


def plain(rule: Rule, params: Sequence[str]) -> Rule:
    """Return a rule without the regions' own values of some parameters."""
    own = {region: {k: v for k, v in held.items() if k not in params} for region, held in rule.regions.items()}
    return replace(rule, regions={region: held for region, held in own.items() if held})


def swept_atom(rule: Rule, param: str, events: Dataset) -> Atom:
    """Return the one condition in which a parameter stands, at its default.

    Raises
    ------
    RuleError
        When it stands in several conditions, in none, or together with a parameter that differs by region.
    """
    node = rule.bind(events.kinds, aliases=events.roles.named())
    found = {atom.sql: atom for atom in atoms(node) if param in atom.params}
    beside = {other for atom in found.values() for other in atom.params if other != param}
    local = {other for held in rule.regions.values() for other in held} & beside
    if len(found) != 1 or local:
        raise RuleError(
            f"the parameter {param!r} can be swept only where it stands in one condition"
            + (f", not beside {listed(sorted(local))} that differs by region" if local else ""),
            rule=rule.id,
            text=rule.when,
            got=listed(found) if found else "it stands in none",
        )
    return next(iter(found.values()))


def at_settings(rule: Rule, param: str, values: Floats, events: Dataset) -> list[Atom | Constant]:
    """Return the condition with each setting put in."""
    place = _places(rule.bind(events.kinds, aliases=events.roles.named()), param)
    found: list[Atom | Constant] = []
    for value in values:
        node = rule.bind(events.kinds, aliases=events.roles.named(), values={param: stated(value)})
        for step in place:
            node = node.part if isinstance(node, Not) else node.parts[step]  # type: ignore[union-attr]
        assert isinstance(node, Atom | Constant)
        found.append(node)
    return found


def _places(node: Node, param: str) -> tuple[int, ...]:
    """Return the way down a tree to the first condition with a parameter."""
    if isinstance(node, Not):
        return (0, *_places(node.part, param))
    if isinstance(node, And | Or):
        for step, part in enumerate(node.parts):
            if any(param in atom.params for atom in atoms(part)):
                return (step, *_places(part, param))
    return ()


def stated(value: float) -> int | float:
    """Return a setting as it stands in a book: whole numbers without a point."""
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _by_rank(made: Axis, conditions: Sequence[Atom | Constant], events: Dataset) -> Axis | None:
    """Return an axis of comparisons of one column with a literal, told by ranks alone; None where it is no such."""
    from riskbench.engine.lattice import bins_of

    held = [atom for atom in conditions if isinstance(atom, Atom) and atom.shape in _PASSED]
    kinds, columns = {_PASSED[str(atom.shape)] for atom in held}, {atom.column for atom in held}
    if len(held) < len(conditions) or len(columns) != 1 or len({strict for strict, _ in kinds}) != 1:
        return None
    column = events.table.column(str(held[0].column))
    literals = [atom.values[0] for atom in held]
    whole = column.kind == "int"
    if column.kind not in ("int", "float") or not all(type(literal) in (int, float) for literal in literals):
        return None
    if whole and not all(isinstance(literal, int) for literal in literals):
        return None
    values, numbers = column.values, np.array(literals, dtype=np.int64 if whole else np.float64)
    if whole:
        slim = events.table.narrow(str(held[0].column))
        info = np.iinfo(slim.dtype)
        values = slim if numbers.min() >= info.min and numbers.max() <= info.max else values
    cuts = np.unique(numbers)
    upwards = np.array([_PASSED[str(atom.shape)][1] for atom in held])
    passed = np.arange(len(cuts) + 1)[:, None] > np.searchsorted(cuts, numbers)[None, :]
    truth = np.where(passed == upwards, TRUE, FALSE).astype(np.int8)
    unknown = None
    if column.valid is not None and not column.valid.all():
        unknown = pack(~column.valid)
        truth = np.concatenate([truth, np.full((1, len(conditions)), UNKNOWN, dtype=np.int8)])

    def fill(rows: Words) -> None:
        strict = next(iter(kinds))[0]
        bins_of(values, cuts.astype(values.dtype), strict=strict, rows=rows, out=made.code)
        if unknown is not None and column.valid is not None:
            made.code[~column.valid] = len(cuts) + 1

    return replace(made, truth=truth, unknown=unknown, fill=fill)


def _by_pattern(made: Axis, conditions: Sequence[Atom | Constant], events: Dataset) -> Axis:
    """Return an axis of any other conditions, evaluated setting by setting; events that answer alike share a code."""
    nodes: list[Node] = [*conditions, *(Or((atom, Not(atom))) for atom in conditions)]
    code, truth = grouped(evaluate(nodes, events.table), events.rows)
    none = (truth == UNKNOWN).all(axis=1)
    return replace(made, code=code, truth=truth, unknown=pack(none[code]) if none.any() else None)


def grouped(lines: Bits, rows: int) -> tuple[Codes, npt.NDArray[np.int8]]:
    """Return codes of alike events, and their answers; the first half of the lines is truth, the second knowledge."""
    settings = len(lines) // 2
    key = np.zeros(rows, dtype=np.uint64)
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, len(lines), dtype=np.uint64)
    for line in range(len(lines)):  # events that answer alike get one sum of random words; others another
        key[lines.positions(line)] ^= words[line]
    _, lead, code = np.unique(key, return_index=True, return_inverse=True)
    if len(lead) > MOST_CODES:
        raise RuleError(
            "the events answer to the settings in too many ways to be told apart", got=f"{len(lead):,} ways"
        )
    truth = np.stack([lines.mask(line)[lead] for line in range(settings)], axis=1)
    known = np.stack([lines.mask(settings + line)[lead] for line in range(settings)], axis=1)
    return code.astype(np.uint16), np.where(known, truth, UNKNOWN).astype(np.int8)
