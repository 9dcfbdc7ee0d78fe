"""How does one condition of a rule engine's JSON read as rule text? A function for each engine's grammar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from riskbench.errors import RuleError, listed
from riskbench.rules.exchange.drafted import spelled, value_text
from riskbench.rules.mining.pieces import column_text

_ENGINE = {
    "equal": "=",
    "notEqual": "<>",
    "lessThan": "<",
    "lessThanInclusive": "<=",
    "greaterThan": ">",
    "greaterThanInclusive": ">=",
    "in": "in",
    "notIn": "not in",
}
_QUERY = {
    "equal": "=",
    "not_equal": "<>",
    "less": "<",
    "less_or_equal": "<=",
    "greater": ">",
    "greater_or_equal": ">=",
    "in": "in",
    "not_in": "not in",
    "between": "between",
    "not_between": "not between",
    "begins_with": "starts with",
    "not_begins_with": "not starts with",
    "contains": "contains",
    "not_contains": "not contains",
    "ends_with": "ends with",
    "not_ends_with": "not ends with",
    "is_empty": "is empty",
    "is_not_empty": "is not empty",
    "is_null": "is null",
    "is_not_null": "is not null",
}
_COMPARE = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=", "===": "=", "!=": "<>", "!==": "<>"}
_FLIP = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%"})
#: What its own engine takes for true where a value is missing, and a rule takes for unknown.
_MISSING = "a missing value may be a hit where it comes from; here it is none"


@dataclass(slots=True)
class Shape:
    """What is to be said of a condition that was put into rule text."""

    told: list[str] = field(default_factory=list)


def engine_text(held: Any, shape: Shape) -> str:
    """Return a condition of json-rules-engine as rule text.

    Raises
    ------
    RuleError
        For what rule text cannot say.

    Examples
    --------
    >>> engine_text({"all": [{"fact": "amount", "operator": "greaterThan", "value": 5},
    ...     {"not": {"fact": "pay", "operator": "in", "value": ["cod"]}}]}, Shape())
    "amount > 5 AND NOT (pay IN ('cod'))"
    """
    if not isinstance(held, Mapping):
        raise RuleError("a condition is no object")
    joins = [key for key in ("all", "any", "not") if key in held]
    if joins:
        rest = set(held) - {*joins, "name", "priority"}
        if len(joins) > 1 or rest:
            raise RuleError(f"a group holds more than one thing: {listed(held)}")
        if joins[0] == "not":
            shape.told.append(_MISSING)
            return f"NOT ({engine_text(held['not'], shape)})"
        return _join(held[joins[0]], "AND" if joins[0] == "all" else "OR", lambda part: engine_text(part, shape))
    extra = set(held) - {"fact", "operator", "value", "name", "priority"}
    if extra:
        raise RuleError(f"{listed(sorted(extra))} cannot be said in rule text")
    fact, operator = held.get("fact"), held.get("operator")
    if not isinstance(fact, str) or not fact:
        raise RuleError("a condition names no fact")
    if operator not in _ENGINE:
        raise RuleError(
            f"the operator {str(operator)[:40]!r} cannot be said in rule text", allowed=listed(_ENGINE, most=20)
        )
    if "value" not in held:
        raise RuleError("a condition has no value")
    sign, value = _ENGINE[operator], held["value"]
    if sign in ("<>", "not in"):
        shape.told.append(_MISSING)
    if isinstance(value, Mapping):
        other = value.get("fact")
        if set(value) != {"fact"} or not isinstance(other, str) or sign in ("in", "not in"):
            raise RuleError("the value is no plain value")
        return f"{column_text(fact)} {sign} {column_text(other)}"
    return spelled(fact, sign, _plain(value))


def query_text(held: Any, shape: Shape) -> str:
    """Return a group of jQuery QueryBuilder as rule text.

    Raises
    ------
    RuleError
        For what rule text cannot say.

    Examples
    --------
    >>> query_text({"condition": "OR", "rules": [{"field": "x", "type": "double", "operator": "less", "value": "1.5"},
    ...     {"field": "s", "type": "string", "operator": "is_null", "value": None}]}, Shape())
    'x < 1.5 OR s IS NULL'
    """
    if not isinstance(held, Mapping):
        raise RuleError("a condition is no object")
    if "rules" in held:
        word = str(held.get("condition", "")).upper()
        if word not in ("AND", "OR"):
            raise RuleError(f"a group is joined by {word[:40]!r}", allowed="AND, OR")
        text = _join(held["rules"], word, lambda part: query_text(part, shape))
        if held.get("not") not in (None, False, True):
            raise RuleError("'not' of a group is neither true nor false")
        return f"NOT ({text})" if held.get("not") else text
    column = held.get("field", held.get("id"))
    operator = held.get("operator")
    if not isinstance(column, str) or not column:
        raise RuleError("a condition names no field")
    if operator not in _QUERY:
        raise RuleError(
            f"the operator {str(operator)[:40]!r} cannot be said in rule text", allowed=listed(_QUERY, most=30)
        )
    value = held.get("value")
    kind = str(held.get("type", "")).casefold()
    if isinstance(value, list):
        value = [_of_kind(entry, kind) for entry in value]
    elif value is not None and not _QUERY[operator].startswith("is "):
        value = _of_kind(value, kind)
        if _QUERY[operator] in ("in", "not in"):
            value = [value]
    if value is None and not _QUERY[operator].startswith("is "):
        raise RuleError("a condition has no value")
    return spelled(column, _QUERY[operator], value)


def _of_kind(value: Any, kind: str) -> Any:
    """Return a value as the field's type has it: forms hand numbers over as text."""
    if kind in ("integer", "double") and isinstance(value, str):
        try:
            return int(value) if kind == "integer" else float(value)
        except ValueError:
            raise RuleError(f"the value {value[:40]!r} is no number, and the field's type is {kind}") from None
    if kind == "boolean" and str(value).casefold() in ("true", "false", "1", "0"):
        return str(value).casefold() in ("true", "1")
    return _plain(value)


def logic_text(held: Any, shape: Shape) -> str:
    """Return a condition of JSONLogic as rule text.

    Raises
    ------
    RuleError
        For what rule text cannot say.

    Examples
    --------
    >>> logic_text({"and": [{">": [{"var": "amount"}, 5]}, {"in": [{"var": "pay"}, ["cod", "card"]]}]}, Shape())
    "amount > 5 AND pay IN ('cod', 'card')"
    """
    name, parts = _operation(held)
    if name in ("and", "or"):
        return _join(parts, name.upper(), lambda part: logic_text(part, shape))
    if name in ("!", "not") and len(parts) == 1:
        shape.told.append(_MISSING)
        return f"NOT ({logic_text(parts[0], shape)})"
    if name == "!!" and len(parts) == 1:
        return logic_text(parts[0], shape)
    if name == "var":
        return column_text(_variable(held, shape))
    if name == "missing":
        names = parts if all(isinstance(part, str) for part in parts) else []
        if not names:
            raise RuleError("missing names no columns")
        return " OR ".join(f"{column_text(str(part))} IS NULL" for part in names)
    if name in _COMPARE:
        return _compared(name, parts, shape)
    if name == "in" and len(parts) == 2:
        return _inside(parts, shape)
    raise RuleError(
        f"the operation {name[:40]!r} cannot be said in rule text",
        allowed=listed(
            ["and", "or", "!", "in", "var", "missing", *_COMPARE, *sorted(_ARITHMETIC), "max", "min", "cat"], most=30
        ),
    )


def _compared(name: str, parts: Sequence[Any], shape: Shape) -> str:
    sign = _COMPARE[name]
    if sign == "<>":
        shape.told.append(_MISSING)
    if len(parts) == 3 and sign in ("<", "<="):
        low, this, high = (_value(part, shape) for part in parts)
        return f"{low} {sign} {this} AND {this} {sign} {high}"
    if len(parts) != 2:
        raise RuleError(f"{name} takes two values, got {len(parts)}")
    left, right = parts
    for one, other, way in ((left, right, sign), (right, left, _FLIP[sign])):
        if isinstance(one, Mapping) and list(one) == ["var"] and not isinstance(other, Mapping | list):
            column = one["var"] if isinstance(one["var"], str) else None
            if column:
                return spelled(column, way, _plain(other) if other is not None else None)
    return f"{_value(left, shape)} {sign} {_value(right, shape)}"


def _inside(parts: Sequence[Any], shape: Shape) -> str:
    this, where = parts
    if isinstance(where, list):
        values = ", ".join(value_text(_plain(entry)) for entry in where)
        return f"{_value(this, shape)} IN ({values})" if where else "FALSE"
    return f"contains({_value(where, shape)}, {_value(this, shape)})"


def _value(held: Any, shape: Shape) -> str:
    """Return a value as rule text: a column, a plain value, or arithmetic."""
    if not isinstance(held, Mapping):
        return value_text(_plain(held))
    name, parts = _operation(held)
    if name == "var":
        raw = held["var"]
        if isinstance(raw, list) and len(raw) == 2:
            return f"coalesce({column_text(_variable(held, shape))}, {value_text(_plain(raw[1]))})"
        return column_text(_variable(held, shape))
    if name in _ARITHMETIC and parts:
        if name == "-" and len(parts) == 1:
            return f"(-{_value(parts[0], shape)})"
        if len(parts) < 2:
            raise RuleError(f"{name} takes two values")
        return "(" + f" {name} ".join(_value(part, shape) for part in parts) + ")"
    if name in ("max", "min") and parts:
        return f"{'greatest' if name == 'max' else 'least'}({', '.join(_value(part, shape) for part in parts)})"
    if name == "cat" and parts:
        return "(" + " || ".join(_value(part, shape) for part in parts) + ")"
    return f"({logic_text(held, shape)})"


def _operation(held: Any) -> tuple[str, list[Any]]:
    if not isinstance(held, Mapping):
        raise RuleError("this is a value, not a condition")
    if len(held) != 1:
        raise RuleError(f"an operation has one name, got {listed(held)}")
    ((name, parts),) = held.items()
    return str(name), parts if isinstance(parts, list) else [parts]


def _variable(held: Mapping[str, Any], shape: Shape) -> str:
    raw = held["var"]
    name = raw[0] if isinstance(raw, list) and raw else raw
    if not isinstance(name, str) or not name:
        raise RuleError("var names no column")
    if "." in name:
        shape.told.append(f"{name[:60]!r} is taken for one column's name")
    return name


def _join(parts: Any, word: str, spell: Callable[[Any], str]) -> str:
    if not isinstance(parts, list) or not parts:
        raise RuleError("a group holds no conditions: its own engine takes that for always true or never")
    if len(parts) == 1:
        return spell(parts[0])
    return f" {word} ".join(_bracketed(spell(part)) for part in parts)


def _bracketed(text: str) -> str:
    """Return a part in brackets where another word might join it otherwise."""
    folded = f" {text} "
    return f"({text})" if " AND " in folded or " OR " in folded else text


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, bool | int | float | str):
        return value
    raise RuleError("NULL is no value to compare with" if value is None else "a value is no plain value")
