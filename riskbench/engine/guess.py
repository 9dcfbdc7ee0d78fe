"""What must the columns be, for a rule to make sense? A guess from the rule text alone, for use without data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from riskbench.engine.columns import Kind
from riskbench.engine.literals import from_param
from riskbench.engine.parse import Predicate

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
#: Of two guesses the later one wins: text in quotes may be a moment, and a number may be whole.
_NUMBER: Kind = "float"
_RANK: Mapping[Kind, int] = {"string": 0, "float": 1, "int": 2, "bool": 3, "time": 4}


def guess_kinds(predicates: Iterable[tuple[Predicate, Mapping[str, object]]]) -> dict[str, Kind]:
    """Return the kind that each column of some conditions must have; a number where nothing tells.

    Parameters
    ----------
    predicates : iterable of (Predicate, mapping)
        Conditions, each with its parameters' values.

    Examples
    --------
    >>> from riskbench.engine.parse import parse
    >>> guess_kinds([(parse("amount > :limit AND country = 'ID' AND is_new AND hour(placed_at) < 5"), {"limit": 9})])
    {'amount': 'float', 'country': 'string', 'is_new': 'bool', 'placed_at': 'time'}
    """
    told: dict[str, set[Kind]] = {}
    linked: list[set[str]] = []
    for predicate, params in predicates:
        for name in predicate.columns:
            told.setdefault(name, set())
        _look(predicate.tree, params, told, linked)
    moved = True
    while moved:
        moved = False
        for group in linked:
            shared = set[Kind]().union(*(told[name] for name in group))
            for name in group:
                moved = moved or told[name] != shared
                told[name] |= shared
    return {name: max(found or {_NUMBER}, key=_RANK.__getitem__) for name, found in told.items()}


def _look(tree: exp.Expr, params: Mapping[str, object], told: dict[str, set[Kind]], linked: list[set[str]]) -> None:
    for node in tree.walk():
        if type(node) is exp.Column:
            parent = _above(node)
            if parent is None or type(parent) in (exp.And, exp.Or, exp.Not) or _is_condition(node, parent):
                told[str(node.this.this)].add("bool")
        if type(node) is exp.IntDiv:
            _tell(_operands(node), "int", told)
        elif type(node) in _ARITHMETIC:
            _tell(_operands(node), "float", told)
        elif type(node) in _TEXTUAL:
            _tell(_operands(node), "string", told)
        elif type(node) in _PARTS:
            _tell(_operands(node), "time", told)
        elif type(node) in _ALIKE:
            parts = _operands(node)
            names = {str(part.this.this) for part in parts if type(part) is exp.Column}
            kinds = {kind for part in parts if (kind := _kind(part, params)) is not None}
            for name in names:
                told[name] |= kinds
            if len(names) > 1:
                linked.append(names)
        elif type(node) is exp.Is and type(node.expression) is exp.Boolean:
            _tell([_bare(node.this)], "bool", told)


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


def _tell(parts: Iterable[exp.Expr], kind: Kind, told: dict[str, set[Kind]]) -> None:
    for part in parts:
        if type(part) is exp.Column:
            told[str(part.this.this)].add(kind)


def _kind(part: exp.Expr, params: Mapping[str, object]) -> Kind | None:
    """Return the kind of a part that is no column, as far as its own class tells."""
    if type(part) is exp.Literal:
        return "string" if part.is_string else "float"
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
            return "float" if from_param(value).kind == "int" else from_param(value).kind
        except ValueError:
            return None
    return None
