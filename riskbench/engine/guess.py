"""What must the columns be, for a rule to make sense? A guess from the rule text alone, for use without data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from riskbench.engine.columns import Kind
from riskbench.engine.literals import from_param, moment
from riskbench.engine.parse import Predicate, span

_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Abs, exp.Round, exp.Floor, exp.Ceil)
_TEXTUAL = (
    exp.Like,
    exp.ILike,
    exp.DPipe,
    exp.Lower,
    exp.Upper,
    exp.Trim,
    exp.Length,
    exp.Left,
    exp.Right,
    exp.Substring,
    exp.StartsWith,
    exp.EndsWith,
    exp.Contains,
)
_PARTS = (
    exp.Extract,
    exp.Year,
    exp.Month,
    exp.Day,
    exp.DayOfMonth,
    exp.Hour,
    exp.Minute,
    exp.Second,
    exp.DayOfWeekIso,
)
_ALIKE = (
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Between,
    exp.In,
    exp.Coalesce,
    exp.Nullif,
    exp.Greatest,
    exp.Least,
)
_ORDERS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
#: What one use of a column asks of it: a kind, a "moment" in quotes (text or a time), an "order" (it is compared
#: with another column), or "bare" (it is a condition alone).
_Need = Literal["string", "moment", "float", "int", "bool", "bare", "order", "time"]
#: A condition's place among the conditions, a column's name, and its first character there and one past its last.
Spot = tuple[int, str, tuple[int, int]]
#: Which needs a column of a kind meets.
_MEETS: Mapping[Kind, frozenset[_Need]] = {
    "string": frozenset({"string", "moment", "order"}),
    "float": frozenset({"float", "order"}),
    "int": frozenset({"float", "int", "order"}),
    "bool": frozenset({"bool", "bare"}),
    "time": frozenset({"time", "moment", "order"}),
}
#: Of two kinds that explain as much, the later one wins.
_RANK: tuple[Kind, ...] = ("string", "float", "int", "bool", "time")
_NUMBER: Kind = "float"


@dataclass(slots=True)
class _Uses:
    """What some conditions ask of their columns, each need with the place of its condition."""

    own: dict[str, set[tuple[int, _Need]]]
    linked: list[set[str]]

    def tell(self, parts: Iterable[exp.Expr], need: _Need, place: int) -> None:
        for part in parts:
            if type(part) is exp.Column:
                self.own[str(part.this.this)].add((place, need))

    def lent(self) -> dict[str, set[tuple[int, _Need]]]:
        """Return what is asked of the columns that a column is compared with, over any number of steps."""
        groups: list[set[str]] = []
        for names in self.linked:
            near = [group for group in groups if group & names]
            groups = [group for group in groups if not group & names]
            groups.append(names.union(*near))
        lent = {name: set[tuple[int, _Need]]() for name in self.own}
        for group in groups:
            for name in group:
                lent[name] = set().union(*(self.own[other] for other in group if other != name))
        return lent


def guess_kinds(predicates: Iterable[tuple[Predicate, Mapping[str, object]]]) -> dict[str, Kind]:
    """Return the kind that each column of some conditions must have; a number where nothing tells.

    The kind is the one that suits the most conditions. A comparison, a function or arithmetic tells more than a
    column that stands alone as a condition, and that tells more than what a column is compared with.

    Parameters
    ----------
    predicates : iterable of (Predicate, mapping)
        Conditions, each with its parameters' values.

    Examples
    --------
    >>> from riskbench.engine.parse import parse
    >>> guess_kinds([(parse("amount > :limit AND country = 'ID' AND is_new AND hour(placed_at) < 5"), {"limit": 9})])
    {'amount': 'float', 'country': 'string', 'is_new': 'bool', 'placed_at': 'time'}
    >>> guess_kinds([(parse("amount"), {}), (parse("amount > 5"), {})])
    {'amount': 'float'}
    """
    uses = _uses(predicates)
    lent = uses.lent()
    return {name: _kind_of(own, lent[name]) for name, own in uses.own.items()}


def only_alone(predicates: Iterable[tuple[Predicate, Mapping[str, object]]]) -> list[Spot]:
    """Return the places of the columns that only ever stand alone as a condition."""
    held = list(predicates)
    uses = _uses(held)
    lent = uses.lent()
    alone = {
        name for name, own in uses.own.items() if own and not lent[name] and all(need == "bare" for _, need in own)
    }
    return sorted(
        (place, str(node.this.this), span(node))
        for place, (predicate, _) in enumerate(held)
        for node in predicate.tree.find_all(exp.Column)
        if str(node.this.this) in alone
    )


def quoted_values(predicates: Iterable[Predicate]) -> list[Spot]:
    """Return what looks like text in double quotes: a quoted column compared with a column, and used nowhere else."""
    found: list[Spot] = []
    other: set[str] = set()
    for place, predicate in enumerate(predicates):
        for node in predicate.tree.find_all(exp.Column):
            name = str(node.this.this)
            if node.this.args.get("quoted") and _stands_as_value(node):
                found.append((place, name, span(node)))
            else:
                other.add(name)
    return sorted(spot for spot in found if spot[1] not in other)


def _stands_as_value(node: exp.Expr) -> bool:
    above = _above(node)
    if type(above) not in (*_ALIKE, exp.Like, exp.ILike):
        return False
    parts = _operands(above)  # type: ignore[arg-type]
    if parts[0] is not node:
        return parts[0].find(exp.Column) is not None
    plain = any(type(part) is exp.Column and not part.this.args.get("quoted") for part in parts[1:])
    return plain and str(node.this.this).isidentifier()


def _kind_of(own: set[tuple[int, _Need]], lent: set[tuple[int, _Need]]) -> Kind:
    candidates = [kind for kind in _RANK if any(_asks(need, kind) for _, need in own | lent)]
    by_place: dict[int, set[_Need]] = {}
    for place, need in own:
        by_place.setdefault(place, set()).add(need)

    def weight(kind: Kind) -> tuple[int, ...]:
        met = _MEETS[kind]
        suited = [needs for needs in by_place.values() if needs <= met]
        strong = sum(not needs <= {"bare", "order"} for needs in suited)
        return (
            strong + len(suited),
            strong,
            sum(need in met and need != "bare" for _, need in own),
            sum(need in met for _, need in own),
            sum(need in met for _, need in lent if need != "order"),
            _RANK.index(kind),
        )

    return max(candidates, key=weight) if candidates else _NUMBER


def _asks(need: _Need, kind: Kind) -> bool:
    """Whether a need is a reason to think of a kind."""
    return need == kind or (need, kind) in (("moment", "string"), ("bare", "bool"), ("order", "float"))


def _uses(predicates: Iterable[tuple[Predicate, Mapping[str, object]]]) -> _Uses:
    uses = _Uses({}, [])
    for place, (predicate, params) in enumerate(predicates):
        for name in predicate.columns:
            uses.own.setdefault(name, set())
        _look(predicate.tree, params, uses, place)
    return uses


def _look(tree: exp.Expr, params: Mapping[str, object], uses: _Uses, place: int) -> None:
    for node in tree.walk():
        if type(node) is exp.Column:
            parent = _above(node)
            if parent is None or type(parent) in (exp.And, exp.Or, exp.Not) or _is_condition(node, parent):
                uses.tell([node], "bare", place)
        if type(node) is exp.IntDiv:
            uses.tell(_operands(node), "int", place)
        elif type(node) in _ARITHMETIC:
            uses.tell(_operands(node), "float", place)
        elif type(node) in _TEXTUAL:
            uses.tell(_operands(node), "string", place)
        elif type(node) in _PARTS:
            uses.tell(_operands(node), "time", place)
        elif type(node) in _ALIKE:
            parts = _operands(node)
            names = {str(part.this.this) for part in parts if type(part) is exp.Column}
            for need in {need for part in parts if (need := _need(part, params)) is not None}:
                uses.tell(parts, need, place)
            if type(node) in _ORDERS:
                uses.tell(parts, "order", place)
            if len(names) > 1:
                uses.linked.append(names)
        elif type(node) is exp.Is and type(node.expression) is exp.Boolean:
            uses.tell([_bare(node.this)], "bool", place)


def _is_condition(node: exp.Expr, parent: exp.Expr) -> bool:
    return type(parent) is exp.If and _bare(parent.this) is node and not _has_subject(parent)


def _has_subject(branch: exp.Expr) -> bool:
    return isinstance(branch.parent, exp.Case) and branch.parent.this is not None


def _above(node: exp.Expr) -> exp.Expr | None:
    parent = node.parent
    while parent is not None and type(parent) is exp.Paren:
        parent = parent.parent
    return parent


def _bare(node: exp.Expr) -> exp.Expr:
    while type(node) is exp.Paren:
        node = node.this
    return node


def _operands(node: exp.Expr) -> list[exp.Expr]:
    held = [value for value in node.args.values() if value is not None]
    flat = [part for value in held for part in (value if isinstance(value, list) else [value])]
    return [_bare(part) for part in flat if isinstance(part, exp.Expr)]


def _need(part: exp.Expr, params: Mapping[str, object]) -> _Need | None:
    """Return what a part that is no column asks of what it is compared with, as far as its own class tells."""
    if type(part) is exp.Literal:
        return _text_need(str(part.this)) if part.is_string else "float"
    if type(part) is exp.Boolean:
        return "bool"
    if type(part) in _ARITHMETIC or type(part) in _PARTS or type(part) is exp.Length or type(part) is exp.IntDiv:
        return "float"
    if type(part) in (exp.Like, exp.ILike, exp.StartsWith, exp.EndsWith, exp.Contains):
        return "bool"
    if type(part) in _TEXTUAL:
        return "string"
    if type(part) in (exp.Cast, exp.TryCast):
        wanted = str(part.args["to"].this.name)
        return "time" if wanted.startswith(("DATE", "TIMESTAMP")) else "float" if wanted == "DOUBLE" else "string"
    if type(part) is exp.Placeholder:
        value = params.get(str(part.this))
        if isinstance(value, list | tuple):
            value = value[0] if value else None
        try:
            kind = from_param(value).kind
        except ValueError:
            return None
        if kind == "string":
            return _text_need(str(value))
        return "float" if kind == "int" else kind
    return None


def _text_need(text: str) -> _Need:
    try:
        moment(text)
    except ValueError:
        return "string"
    return "moment"
