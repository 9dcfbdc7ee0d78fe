"""What a parameter's type is, and how a value from any door becomes one of it."""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from riskbench.errors import ParameterError, PlaybookError, listed, nearest
from riskbench.runner.written import LONGEST, Written, structure, too_long

Base = Literal["str", "int", "float", "bool", "list", "dict", "literal", "any"]

#: Words that stand for "no value" where a parameter may have none.
NOTHING = frozenset({"", "none", "null", "~"})
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
#: A number is shorter than this as text, and whole numbers are smaller.
_LONGEST_NUMBER, _HUGE = 400, 10**300


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
                    return _choices(parts, source)
                case "list" | "List":
                    return Shape("list", items=shape_of(parts[0], source))
                case "dict" | "Dict" | "Mapping" if len(parts) == 2:
                    return Shape("dict", items=shape_of(parts[1], source))
    raise PlaybookError(
        f"The type of a parameter is not one that a playbook can have: {source}",
        allowed="str, int, float, bool, list[...], dict[...], Literal[...], each also with `| None`",
    )


def _choices(parts: list[ast.expr], source: str) -> Shape:
    """Return the type of a `Literal[...]`: texts, whole numbers, true and false, each of which text can name."""
    try:
        held = [ast.literal_eval(part) for part in parts]
    except ValueError:
        held = [()]
    choices = tuple(choice for choice in held if choice is not None)
    named = {str(choice).casefold() if isinstance(choice, bool) else str(choice).strip() for choice in choices}
    if not all(isinstance(choice, str | int) for choice in choices) or len(named) < len(choices) or not choices:
        raise PlaybookError(
            f"The choices of a parameter cannot be told apart as text: {source}",
            allowed="different texts, whole numbers, True, False, None",
        )
    return Shape("literal", optional=None in held, choices=choices)


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

    Text is understood for every type, so that the command line, YAML, Python, a form, and schedulers that hand
    over raw text give the same value. Nothing is guessed: what does not fit is refused.

    Raises
    ------
    ParameterError
        When the value is not of the type.
    """
    value = _simple(value, shape)
    if shape.optional and (value is None or (isinstance(value, str) and value.strip().casefold() in NOTHING)):
        return None
    if value is None and shape.base != "any":
        raise _wrong(name, shape, value)
    return _MAKERS[shape.base](value, shape, name)


#: Scalars whose `item()` may be a bare count of nanoseconds.
_NO_NUMBERS = frozenset({"datetime64", "timedelta64"})


def _simple(value: object, shape: Shape) -> object:
    """Return what stands behind the types of other libraries: scalars, paths, moments, words of YAML."""
    if isinstance(value, Written):
        return value.value if shape.base == "any" else str(value)
    if type(value).__name__ == "datetime64" and shape.base in {"str", "any"}:
        return None if str(value) == "NaT" else str(value)
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 and type(value).__name__ not in _NO_NUMBERS:
        value = value.item()  # a numpy scalar
    if type(value).__name__ in {"NaTType", "NAType"}:
        return None
    if shape.base in {"str", "any"}:
        if isinstance(value, dt.datetime | dt.date):
            return value.isoformat()
        if hasattr(value, "__fspath__"):
            return str(value)
    return value


def _str(value: object, shape: Shape, name: str) -> str:
    if isinstance(value, str):
        if len(value) > LONGEST:
            raise too_long(name, len(value))
        if "\x00" in value or not _writable(value):
            raise _wrong(name, shape, value)
        return str.__str__(value)
    if isinstance(value, bool):
        raise _wrong(name, shape, value, hint="YAML 1.1 reads NO, ON and YES as true or false: put quotes around it")
    if isinstance(value, int) and abs(value) < _HUGE:
        return str(int(value))
    raise _wrong(name, shape, value, hint="put quotes around it")


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _int(value: object, shape: Shape, name: str) -> int:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number: Any = value
    elif isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            number = Decimal(value.strip())
        except InvalidOperation:
            raise _wrong(name, shape, value) from None
    else:
        raise _wrong(name, shape, value)
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) < _HUGE:
        return int(number)
    if not isinstance(number, int) and _finite(number) and abs(number) < _HUGE and number == int(number):
        return int(number)
    raise _wrong(name, shape, value)


def _finite(number: float | Decimal) -> bool:
    return number.is_finite() if isinstance(number, Decimal) else math.isfinite(number)


def _float(value: object, shape: Shape, name: str) -> float:
    number: float | None = None
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            number = float(value)
        except (OverflowError, ValueError):
            number = math.inf
    elif isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        text = value.strip()
        try:
            number = float(text)
        except ValueError:
            share = text.removesuffix("%").strip() if text.endswith("%") else None
            hint = f"write it as a share: {_share(share)}" if share is not None else None
            raise _wrong(name, shape, value, hint=hint) from None
    if number is None or not math.isfinite(number):
        raise _wrong(name, shape, value)
    return number


def _share(text: str) -> str:
    try:
        return f"{float(text) / 100:g}"
    except ValueError:
        return "0.03"


def _bool(value: object, shape: Shape, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise _wrong(name, shape, value)


def _list(value: object, shape: Shape, name: str) -> list[Any]:
    items = shape.items or Shape("any")
    if isinstance(value, str):
        value = _items(value.strip(), items, name)
    if not isinstance(value, list | tuple):
        raise _wrong(name, shape, value)
    return [coerce(item, items, name=f"{name}[{place}]") for place, item in enumerate(value)]


def _items(text: str, items: Shape, name: str) -> object:
    """Return the items of a list written as YAML, as words with commas, or as Python writes a tuple."""
    if text.startswith(("[", "- ")):
        return structure(text, name=name)
    if text.startswith("(") and text.endswith(")"):
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return text
    parts = [part.strip() for part in text.split(",")] if text else []
    if items.base != "any":
        return parts
    return [_word(part, name) for part in parts]


def _word(text: str, name: str) -> object:
    """Return a bare word as YAML reads it; any other text as it stands."""
    try:
        found = structure(text, name=name)
    except ParameterError:
        return text
    return found if isinstance(found, Written) and text else text


def _dict(value: object, shape: Shape, name: str) -> dict[str, Any]:
    if isinstance(value, str):
        value = structure(value, name=name) if value.strip() else {}
    if not isinstance(value, Mapping):
        raise _wrong(name, shape, value, hint='write it as {"id": "order_id"}')
    items = shape.items or Shape("any")
    made: dict[str, Any] = {}
    for key, inner in value.items():
        made[_key(key, made, name)] = coerce(inner, items, name=f"{name}.{_head(key)}")
    return made


def _key(key: object, made: Mapping[str, object], name: str) -> str:
    """Return a name inside a mapping, which stands there once."""
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise ParameterError(
            f"A name inside the parameter {name!r} is not text", got=_shown(key), hint="put quotes around it"
        )
    text = _str(key, Shape("str"), name)
    if text in made:
        raise ParameterError(f"A name stands twice inside the parameter {name!r}", got=_shown(text))
    return text


def _head(key: object) -> str:
    return str(key)[:80]


def _literal(value: object, shape: Shape, name: str) -> object:
    for choice in shape.choices:
        if type(value) is type(choice) and value == choice:
            return choice
    for choice in shape.choices:
        with contextlib.suppress(ParameterError):
            if isinstance(choice, bool):
                same = _bool(value, shape, name) is choice
            elif isinstance(choice, int):
                same = _int(value, shape, name) == choice
            else:
                same = _str(value, shape, name).strip() == choice
            if same:
                return choice
    close = nearest(str(value)[:80], [str(choice) for choice in shape.choices]) if isinstance(value, str) else None
    raise _wrong(name, shape, value, hint=f"did you mean {close!r}?" if close else None)


def _any(value: object, _: Shape, name: str) -> Any:
    value = _simple(value, Shape("any"))
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for key, inner in value.items():
            made[_key(key, made, name)] = _any(inner, _, f"{name}.{_head(key)}")
        return made
    if isinstance(value, list | tuple):
        return [_any(inner, _, f"{name}[{place}]") for place, inner in enumerate(value)]
    if isinstance(value, str):
        return _str(value, Shape("str"), name)
    if isinstance(value, Decimal):
        value = float(value) if value.is_finite() else None
        return _any(value, _, name)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < _HUGE:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
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


def _wrong(name: str, shape: Shape, value: object, *, hint: str | None = None) -> ParameterError:
    return ParameterError(
        f"The parameter {name!r} has a wrong type",
        got=f"{_shown(value)} ({type(value).__name__})",
        allowed=shape.text,
        hint=hint,
    )


def _shown(value: object) -> str:
    """Return what was got, cut short and without secrets; a value that cannot be shown is not."""
    from riskbench.config import redact, secrets_in

    if isinstance(value, str | bytes | list | tuple | Mapping) and len(value) > LONGEST:
        return f"{len(value):,} characters or items"
    try:
        shown = redact(repr(value), secrets_in(value))
    except Exception:  # noqa: BLE001 a foreign object's own words may fail in any way
        return "a value"
    return shown if len(shown) <= 120 else f"{shown[:117]}..."
