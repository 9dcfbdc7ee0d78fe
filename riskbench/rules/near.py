"""Which events did a rule just miss, by which part of its condition, and by how much?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import And, Atom, Constant, Node, Not, Or, atoms
from riskbench.rules.hits import variants
from riskbench.rules.param import Param, is_number
from riskbench.rules.rule import Rule

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_FLIP = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
#: Digits to which a loosened cut is rounded, always to the side that catches more.
_DIGITS = 3
#: A value is near a cut within so large a share of it; a whole number also where it is one step away.
NEAR = 0.25
#: The same in words.
NEAR_WORDS = f"within {100 * NEAR:.0f} % of the cut, or one step from it for whole numbers"
#: Beyond it a rounded cut may be no number any more.
_LARGEST = 1e300


@dataclass(frozen=True, eq=False)
class NearMiss:
    """Events that a rule would have hit, had one part of its condition come out otherwise.

    Attributes
    ----------
    rule : str
        The rule.
    part : str
        The part of the condition, as DuckDB text.
    param : str or None
        The numeric parameter that stands in it.
    column, op : str or None
        For a comparison of a column with a number: `column op cut` is what was asked.
    cut : float or None
        The number; regions may have their own, then the default.
    missed : ndarray of bool, shape (events,)
        The events that it alone kept from being hit, the value being there.
    unknown : ndarray of bool, shape (events,)
        The events that it alone kept from being hit because the value is missing.
    gap, share : ndarray of float64, shape (events,)
        How far the value lies from the cut, and that as a share of the cut; NaN elsewhere.
    value : ndarray of float64, shape (events,)
        The value; NaN where it is missing or there is no comparison.
    whole : bool
        Whether the column holds whole numbers.
    """

    rule: str
    part: str
    param: str | None
    column: str | None
    op: str | None
    cut: float | None
    missed: Mask
    unknown: Mask
    gap: Floats
    share: Floats
    value: Floats
    whole: bool

    @property
    def near(self) -> Mask:
        """The events missed by little: the value lies within `NEAR` of the cut, or one whole step from it."""
        with np.errstate(invalid="ignore"):
            close = self.share <= NEAR
            if self.whole:
                close |= self.gap <= 1
        return self.missed & close

    def cut_for(self, wanted: float, *, among: Mask | None = None) -> float | None:
        """Return the cut that catches a share of the events just missed; None where it is no comparison.

        It is rounded to three digits, to the side that catches more.
        """
        chosen = self.missed if among is None else self.missed & among
        values = np.sort(self.value[chosen & ~np.isnan(self.value)])
        if self.op is None or not len(values):
            return None
        place = int(np.ceil(wanted * len(values) - 1e-9)) - 1
        place = min(max(0, place), len(values) - 1)
        rising = self.op in (">=", ">")
        value = float(values[::-1][place] if rising else values[place])
        return loosened(value, self.op, whole=self.whole)


def near_misses(rule: Rule, dataset: Dataset) -> tuple[NearMiss, ...]:
    """Return the parts of a rule's condition that alone kept it from hitting events.

    Use it on the few events that a rule ought to have hit. A part alone kept the rule from an event when the rule
    does not hit it, and would with that part, and nothing else, true in place of false (or false in place of true
    under NOT). Each region's events are held against the region's own parameters.

    Parameters
    ----------
    rule : Rule
        The rule, whatever its status.
    dataset : Dataset
        The events.

    Raises
    ------
    RuleError
        When the rule does not fit the events' columns.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> frame = pd.DataFrame({"id": [1, 2, 3], "amount": [90.0, 40.0, None], "pay": ["cod", "cod", "cod"]})
    >>> rule = rb.Rule("R", "amount > :limit AND pay = 'cod'", "review", params={"limit": 100})
    >>> (found,) = near_misses(rule, rb.read(frame, roles=rb.Roles(id="id")))
    >>> found.param, found.missed.tolist(), found.unknown.tolist(), found.cut_for(0.5)
    ('limit', [True, True, False], [False, False, True], 89.9)
    """
    codes, names = dataset.regions
    nodes = variants(rule, dataset)
    elsewhere = np.ones(dataset.rows, dtype=bool)
    found: dict[tuple[str, ...], list[tuple[Atom, bool, Mask, Mask, Floats]]] = {}
    for region in sorted(nodes, key=lambda name: name is None):  # the rest last
        inside = elsewhere if region is None else codes == names.index(region)
        elsewhere = elsewhere & ~inside
        for atom, flipped, missed, unknown in _kept_off(nodes[region], dataset):
            gap = _gap(atom, dataset, flipped=flipped)
            named = (*atom.params, str(atom.column), str(atom.shape)) if atom.params else (atom.sql,)
            key = (*named, str(flipped))
            found.setdefault(key, []).append((atom, flipped, missed & inside, unknown & inside, gap))
    return tuple(_joined(rule, parts, dataset) for parts in found.values())


def _kept_off(node: Node, dataset: Dataset) -> list[tuple[Atom, bool, Mask, Mask]]:
    """Return each part that alone keeps a condition from events, and whether it would have to be false."""
    distinct = list({atom.sql: atom for atom in atoms(node)}.values())
    asked: list[Node] = [node]
    for atom in distinct:
        asked += [settled(node, atom, truth=True), settled(node, atom, truth=False), atom, Not(atom)]
    lines = evaluate(asked, dataset.table)
    hit = lines.mask(0)
    made = []
    for place, atom in enumerate(distinct):
        if_true, if_false, true, false = (lines.mask(1 + 4 * place + k) for k in range(4))
        unknown = ~true & ~false
        for flipped, would, other in ((False, if_true, false), (True, if_false, true)):
            missed, absent = ~hit & would & other, ~hit & would & unknown
            if missed.any() or absent.any():
                made.append((atom, flipped, missed, absent))
    return made


def settled(node: Node, atom: Atom, *, truth: bool) -> Node:
    """Return a condition with one of its parts settled."""
    if isinstance(node, Atom):
        return Constant(truth) if node.sql == atom.sql else node
    if isinstance(node, Not):
        return Not(settled(node.part, atom, truth=truth))
    if isinstance(node, And | Or):
        return type(node)(tuple(settled(part, atom, truth=truth) for part in node.parts))
    return node


def _number(atom: Atom) -> float | None:
    """Return the number that an atom compares a column with."""
    value = atom.values[0] if atom.column is not None and atom.shape in _FLIP and atom.values else None
    return float(value) if is_number(value) else None  # type: ignore[arg-type]


def _gap(atom: Atom, dataset: Dataset, *, flipped: bool) -> Floats:
    """Return how far each value lies on the wrong side of the cut; NaN where it is no comparison of numbers."""
    cut = _number(atom)
    if cut is None or dataset.kinds[str(atom.column)] not in ("int", "float"):
        return np.full(dataset.rows, np.nan)
    column = dataset.table.column(str(atom.column))
    value = np.where(column.present, column.values, np.nan).astype(np.float64)
    rising = (atom.shape in (">=", ">")) != flipped
    with np.errstate(over="ignore", invalid="ignore"):
        return cut - value if rising else value - cut


def _joined(rule: Rule, parts: list[tuple[Atom, bool, Mask, Mask, Floats]], dataset: Dataset) -> NearMiss:
    """Return what the variants of one part say together; the last is the one without a region's own values."""
    atom, flipped, *_ = parts[-1]
    numeric = _number(atom) is not None and dataset.kinds[str(atom.column)] in ("int", "float")
    nobody = np.zeros(dataset.rows, dtype=bool)
    missed, unknown = nobody.copy(), nobody.copy()
    gap, share = np.full(dataset.rows, np.nan), np.full(dataset.rows, np.nan)
    for held, _, own, absent, far in parts:
        missed |= own
        unknown |= absent
        gap = np.where(own, far, gap)
        cut = _number(held)
        if cut:
            with np.errstate(over="ignore", invalid="ignore"):  # a cut so small that the share is beyond any number
                share = np.where(own, far / abs(cut), share)
    value, whole = np.full(dataset.rows, np.nan), False
    if numeric:
        column = dataset.table.column(str(atom.column))
        value = np.where(column.present, column.values, np.nan).astype(np.float64)
        whole = column.kind == "int"
    shape = str(atom.shape)
    return NearMiss(
        rule.id,
        atom.sql if not flipped else f"NOT {atom.sql}",
        _param(rule.params, atom),
        atom.column if numeric else None,
        (_FLIP[shape] if flipped else shape) if numeric else None,
        _number(atom) if numeric else None,
        missed,
        unknown,
        gap,
        share,
        value,
        whole,
    )


def _param(params: Mapping[str, Param], atom: Atom) -> str | None:
    named = [name for name in atom.params if name in params and is_number(params[name].default)]
    return named[0] if len(named) == 1 else None


def loosened(value: float, op: str, *, whole: bool) -> float:
    """Return a readable cut that `value op cut` just meets.

    >>> loosened(0.43791, ">=", whole=False), loosened(0.43791, "<=", whole=False), loosened(7.0, ">", whole=True)
    (0.437, 0.438, 6)
    """
    if whole:
        near: int = int(value)
        return {">=": near, ">": near - 1, "<=": near, "<": near + 1}[op]
    if value == 0.0 or not np.isfinite(value):
        return {">=": 0.0, ">": -1e-6, "<=": 0.0, "<": 1e-6}[op] if value == 0.0 else value
    step = 10.0 ** float(np.floor(np.log10(abs(value))) - _DIGITS + 1)
    if step == 0.0 or abs(value) > _LARGEST:
        return value
    down = op in (">=", ">")
    steps = float(np.floor(value / step) if down else np.ceil(value / step))
    cut = _even(steps, step)
    meets: Any = {">=": value >= cut, ">": value > cut, "<=": value <= cut, "<": value < cut}
    while not meets[op]:
        steps += -1 if down else 1
        cut = _even(steps, step)
        meets = {">=": value >= cut, ">": value > cut, "<=": value <= cut, "<": value < cut}
    return cut


def _even(steps: float, step: float) -> float:
    return float(f"{steps * step:.{_DIGITS - 1}e}")
