"""How does a value stand in a rule? Numbers, text, booleans and moments as typed SQL literals."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from riskbench.engine.columns import Kind
from riskbench.engine.tree import Shape, Value

FAR = "whole numbers up to 9,223,372,036,854,775,807, other numbers up to 1.7e308"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - times inside are naive and mean UTC
_TOP, _FAR = 2**63 - 1, 2.0**63
_CONTROL = re.compile("[\x00\ud800-\udfff]")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Literal:
    """One value as it stands in SQL.

    Attributes
    ----------
    kind : str
        bool, int, float, string or time.
    value : bool, int, float or str
        The value; a time is int microseconds since 1970 in UTC.
    sql : str
        Its DuckDB text.
    """

    kind: Kind
    value: Value
    sql: str

    @property
    def text(self) -> str:
        """The value as a person writes it."""
        return str(self.value)

    def as_float(self) -> Literal:
        """Return a whole number as a double; anything else as it is."""
        return of_float(float(self.value)) if self.kind == "int" else self

    def as_int(self) -> Literal:
        """Return 5.0 as 5, so that a whole-number column is compared exactly; anything else as it is."""
        if isinstance(self.value, float) and self.value.is_integer() and -_FAR <= self.value < _FAR:
            return of_int(int(self.value))
        return self


def of_int(value: int) -> Literal:
    """Return a whole number.

    Raises
    ------
    ValueError
        When 64 bits cannot hold it.
    """
    if not -_TOP - 1 <= value <= _TOP:
        raise ValueError("This whole number is larger than a column can hold")
    return Literal("int", value, str(value) if value >= 0 else f"({value})")


def of_float(value: float) -> Literal:
    """Return a number as a double, spelled so that every engine reads a double.

    Raises
    ------
    ValueError
        When it is not finite.
    """
    if not math.isfinite(value):
        raise ValueError("This number is not finite")
    value = value + 0.0 if value else 0.0
    text = repr(value)
    if "e" not in text:
        text = text.removesuffix(".0") + "e0"
    return Literal("float", value, text if value >= 0 else f"({text})")


def exact(shape: Shape, values: list[Literal]) -> tuple[Shape, list[Literal]]:
    """Return a comparison of whole numbers so that no engine needs a double for it, where that can be.

    A double cannot tell 2^53 from 2^53 + 1; whole numbers can. One fraction alone is compared as a double,
    which is exact: no whole number lies on it.
    """
    held = [value.as_int() for value in values]
    if all(value.kind == "int" for value in held):
        return shape, held
    numbers, nothing = [float(value.value) for value in held], [of_int(1), of_int(0)]
    if shape == "in":
        whole = [value for value in held if value.kind == "int"]
        near = [value for value, number in zip(held, numbers, strict=True) if abs(number) < _FAR]
        return (shape, whole or near) if whole or near else ("between", nothing)
    if shape == "between":
        low, high = (
            value.value if isinstance(value.value, int) else _clamped(number, up=place == 0)
            for place, (value, number) in enumerate(zip(held, numbers, strict=True))
        )
        below, above = held[0].kind == "float", held[1].kind == "float"
        outside = (below and numbers[0] >= _FAR) or (above and numbers[1] < -_FAR)
        return shape, nothing if outside else [of_int(low), of_int(high)]
    if abs(numbers[0]) < _FAR:
        return shape, held
    above = numbers[0] > 0
    always = shape == "<>" or (shape != "=" and (shape in ("<", "<=")) == above)
    if above:
        return ("<=" if always else ">"), [of_int(_TOP)]
    return (">=" if always else "<"), [of_int(-_TOP - 1)]


def _clamped(number: float, *, up: bool) -> int:
    """Return the next whole number in a direction, within 64 bits."""
    return max(-_TOP - 1, min(_TOP, math.ceil(number) if up else math.floor(number)))


def from_number(text: str) -> Literal:
    """Return a number as it was written in a rule."""
    if re.fullmatch(r"[0-9]+", text):
        return of_int(int(text))
    return of_float(float(text))


def from_text(text: str) -> Literal:
    """Return text."""
    return Literal("string", text, quoted(text))


def quoted(text: str) -> str:
    """Return text as an SQL quotation.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def moment(text: str) -> Literal:
    """Return an ISO date or moment as microseconds in UTC; one without a zone is UTC already.

    Raises
    ------
    ValueError
        When the text is not one.
    """
    stripped = text.strip()
    if not _ISO.fullmatch(stripped):
        raise ValueError("this is not an ISO moment")
    return of_moment(datetime.fromisoformat(stripped))


def of_moment(value: datetime) -> Literal:
    """Return a moment as microseconds in UTC."""
    try:
        plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    except OverflowError:
        raise ValueError("this moment is out of range") from None
    gap = plain - _EPOCH
    micros = (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds
    return Literal("time", micros, f"TIMESTAMP '{plain.isoformat(sep=' ', timespec='microseconds')}'")


def from_param(value: object) -> Literal:
    """Return a parameter's value as a literal.

    Raises
    ------
    ValueError
        When it is not a number, text, boolean or moment.
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is None:
        raise ValueError("it has no value")
    if isinstance(value, bool):
        return Literal("bool", value, "TRUE" if value else "FALSE")
    if isinstance(value, int):
        return of_int(value)
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() and abs(value) <= _TOP else float(value)
        return from_param(value)
    if isinstance(value, float):
        return of_float(value)
    if isinstance(value, str):
        if _CONTROL.search(value):
            raise ValueError("its text holds a character that no column can hold")
        return from_text(value)
    if isinstance(value, datetime):
        return of_moment(value)
    if isinstance(value, date):
        return of_moment(datetime(value.year, value.month, value.day))  # noqa: DTZ001 - means UTC
    raise ValueError(f"it is {type(value).__name__}, not a number, text, boolean or moment")
