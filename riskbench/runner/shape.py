"""What a parameter's type is, and how a value from any door becomes one of it."""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from riskbench.errors import ParameterError, PlaybookError, listed, nearest

Base = Literal["str", "int", "float", "bool", "list", "dict", "literal", "any"]

#: Words that stand for "no value" where a parameter may have none.
NOTHING = frozenset({"", "none", "null", "~"})
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_LONGEST = 200_000


@dataclass(frozen=True, slots=True)
class Shape:
    """A parameter's type, as its annotation says it.

    Attributes
    ----------
    base : str
        str, int, float, bool, list, dict, literal or any.
    optional : bool
        Whether None is allowed.
    items : Shape or None
        The type of a list's items or a dict's values.
    choices : tuple
        The values of a `Literal[...]`.
    """

    base: Base
    optional: bool = False
    items: Shape | None = None
    choices: tuple[object, ...] = ()

    @property
    def text(self) -> str:
        """The type in words."""
        names = {
            "str": "text",
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "list": f"a list of {self.items.text}" if self.items and self.items.base != "any" else "a list",
            "dict": f"a mapping to {self.items.text}" if self.items and self.items.base != "any" else "a mapping",
            "literal": f"one of {listed([repr(choice) for choice in self.choices])}",
            "any": "any value",
        }
        return names[self.base] + (" or none" if self.optional else "")


_PLAIN: dict[str, Base] = {
    "str": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "list": "list",
    "dict": "dict",
    "Any": "any",
    "object": "any",
}


def shape_of(node: ast.expr, source: str) -> Shape:
    """Return the type that an annotation declares.

    Raises
    ------
    PlaybookError
        For an annotation that parameters cannot have.
    """
    match node:
        case ast.Constant(value=str(text)):
            return shape_of(_parsed(text, source), source)
        case ast.Name(id=plain) if plain in _PLAIN:
            return Shape(_PLAIN[plain])
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union([left, right], source)
        case ast.Attribute(value=ast.Name(id="typing" | "t"), attr=attr):
            return shape_of(ast.Name(id=attr), source)
        case ast.Subscript(value=value, slice=inner):
            name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
            parts = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
            match name:
                case "Optional":
                    return _union([inner, ast.Constant(value=None)], source)
                case "Union":
                    return _union(parts, source)
                case "Annotated":
                    return shape_of(parts[0], source)
                case "Literal":
                    choices = tuple(part.value for part in parts if isinstance(part, ast.Constant))
                    if len(choices) == len(parts):
                        return Shape(
                            "literal", optional=None in choices, choices=tuple(c for c in choices if c is not None)
                        )
                case "list" | "List":
                    return Shape("list", items=shape_of(parts[0], source))
                case "dict" | "Dict" | "Mapping" if len(parts) == 2:
                    return Shape("dict", items=shape_of(parts[1], source))
    raise PlaybookError(
        f"The type of a parameter is not one that a playbook can have: {source}",
        allowed="str, int, float, bool, list[...], dict[...], Literal[...], each also with `| None`",
    )


def _parsed(text: str, source: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        raise PlaybookError(f"The type of a parameter cannot be read: {source}") from None


def _union(parts: list[ast.expr], source: str) -> Shape:
    flat: list[ast.expr] = []
    while parts:
        part = parts.pop(0)
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr):
            parts[:0] = [part.left, part.right]
        else:
            flat.append(part)
    real = [part for part in flat if not (isinstance(part, ast.Constant) and part.value is None)]
    shapes = [shape_of(part, source) for part in real]
    if {shape.base for shape in shapes} == {"int", "float"}:
        shapes = [Shape("float")]
    if len(shapes) != 1:
        raise PlaybookError(f"A parameter has one type, or one and None: {source}")
    found = shapes[0]
    return Shape(found.base, found.optional or len(real) < len(flat), found.items, found.choices)


def coerce(value: object, shape: Shape, *, name: str) -> Any:
    """Return a value as the declared type, whichever door it came through.

    Text is understood for every type, so that the command line, YAML, Python and schedulers that hand over raw
    text give the same value. Nothing is guessed: what does not fit is refused.

    Raises
    ------
    ParameterError
        When the value is not of the type.
    """
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()  # a numpy scalar
    if shape.optional and (value is None or (isinstance(value, str) and value.strip().casefold() in NOTHING)):
        return None
    if value is None:
        raise _wrong(name, shape, value)
    return _MAKERS[shape.base](value, shape, name)


def _str(value: object, shape: Shape, name: str) -> str:
    if isinstance(value, str):
        if "\x00" in value or len(value) > _LONGEST or not _writable(value):
            raise _wrong(name, shape, value)
        return value
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if hasattr(value, "__fspath__"):
        return str(value)
    if isinstance(value, bool):
        raise _wrong(name, shape, value, hint="YAML 1.1 reads NO, ON and YES as true or false: put quotes around it")
    if isinstance(value, int):
        return str(value)
    raise _wrong(name, shape, value, hint="put quotes around it")


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _int(value: object, shape: Shape, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return int(value)
    if isinstance(value, str):
        for read in (int, float):
            try:
                number = read(value.strip())
            except (ValueError, OverflowError):
                continue
            if math.isfinite(number) and number == int(number):
                return int(number)
    raise _wrong(name, shape, value)


def _float(value: object, shape: Shape, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    if isinstance(value, str):
        text = value.strip()
        try:
            number = float(text)
        except ValueError:
            share = text.removesuffix("%").strip() if text.endswith("%") else None
            hint = f"write it as a share: {_share(share)}" if share is not None else None
            raise _wrong(name, shape, value, hint=hint) from None
        if math.isfinite(number):
            return number
    raise _wrong(name, shape, value)


def _share(text: str) -> str:
    try:
        return f"{float(text) / 100:g}"
    except ValueError:
        return "0.03"


def _bool(value: object, shape: Shape, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise _wrong(name, shape, value)


def _list(value: object, shape: Shape, name: str) -> list[Any]:
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            value = structure(text, name=name)
        else:
            value = [part.strip() for part in text.split(",")] if text else []
    if not isinstance(value, list | tuple):
        raise _wrong(name, shape, value)
    items = shape.items or Shape("any")
    return [coerce(item, items, name=f"{name}[{place}]") for place, item in enumerate(value)]


def _dict(value: object, shape: Shape, name: str) -> dict[str, Any]:
    if isinstance(value, str):
        value = structure(value, name=name) if value.strip() else {}
    if not isinstance(value, Mapping):
        raise _wrong(name, shape, value, hint='write it as {"id": "order_id"}')
    items, made = shape.items or Shape("any"), {}
    for key, inner in value.items():
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise ParameterError(
                f"A name inside the parameter {name!r} is not text", got=repr(key), hint="put quotes around it"
            )
        made[_str(str(key), Shape("str"), name)] = coerce(inner, items, name=f"{name}.{key}")
    return made


def _literal(value: object, shape: Shape, name: str) -> object:
    for choice in shape.choices:
        if type(value) is type(choice) and value == choice:
            return choice
    if isinstance(value, str):
        for choice in shape.choices:
            if value.strip() == str(choice):
                return choice
    if isinstance(value, int) and not isinstance(value, bool) and str(value) in shape.choices:
        return str(value)
    close = nearest(str(value), [str(choice) for choice in shape.choices])
    raise _wrong(name, shape, value, hint=f"did you mean {close!r}?" if close else None)


def _any(value: object, _: Shape, name: str) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _any(inner, Shape("any"), name) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_any(inner, Shape("any"), name) for inner in value]
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return _str(value, Shape("str"), name)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ParameterError(f"The parameter {name!r} holds a value that a playbook cannot take", got=type(value).__name__)


_MAKERS: dict[Base, Callable[[Any, Shape, str], Any]] = {
    "str": _str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "list": _list,
    "dict": _dict,
    "literal": _literal,
    "any": _any,
}


def as_text(value: object, shape: Shape) -> str:
    """Return the text that stands for a value at a door that takes text; `coerce` gives the value back.

    >>> as_text(None, Shape("float", optional=True)), as_text(["a", "NO"], Shape("list"))
    ('', '["a", "NO"]')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        lines = [f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(inner)}" for key, inner in value.items()]
        return "\n".join(lines) or ("{}" if shape.optional else "")
    if isinstance(value, list | tuple):
        return json.dumps(list(value), ensure_ascii=False) if value or shape.optional else ""
    return str(value)


def structure(text: str, *, name: str) -> Any:
    """Return YAML 1.2 text (so also JSON) as plain values: NO, ON and 12:30 stay text.

    Raises
    ------
    ParameterError
        When it is not YAML, is too long, or uses anchors.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.events import AliasEvent

    if len(text) > _LONGEST:
        raise ParameterError(f"{name}: the text is too long", got=f"{len(text):,} characters", allowed=f"{_LONGEST:,}")
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text, parse_constant=_refused)
    try:
        if any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text)):
            raise ParameterError(f"{name}: YAML aliases (*name) are not read", hint="write the value out")
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        first = str(getattr(error, "problem", None) or error).splitlines()[0][:200]
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ParameterError(f"{name}: cannot be read as YAML: {first}{where}") from None


def _refused(word: str) -> object:
    raise ValueError(word)


def _wrong(name: str, shape: Shape, value: object, *, hint: str | None = None) -> ParameterError:
    from riskbench.config import redact, secrets_in

    shown = redact(repr(value), secrets_in(value))
    shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
    return ParameterError(
        f"The parameter {name!r} has a wrong type",
        got=f"{shown} ({type(value).__name__})",
        allowed=shape.text,
        hint=hint,
    )
