"""One number as a reader meets it: a name, a value, a unit, and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from riskbench.display.wording import private

Unit = Literal["share", "money", "count", "average", "score", "number", "text", "days"]

#: What stands where a number would be flattering or meaningless.
NOT_MEASURABLE = "not measurable"

#: What stands for a number that is not 0 and smaller than any that matters.
SMALL = "about 0"
#: Numbers from here on are whole; below, few digits count; below that, they are not told from 0.
_WHOLE, _TINY, _LEAST = 1e4, 1e-4, 1e-6


@dataclass(frozen=True, slots=True)
class Fact:
    """One headline number with its interval.

    Attributes
    ----------
    name : str
        What it is, as a reader would say it.
    value : float, int, str or None
        The number; None when it is not measurable (then `note` says why).
    unit : {"share", "money", "count", "average", "score", "number", "text", "days"}
        How to read and print it; a share lies in 0..1, an average is a count per something.
    lower, upper : float or None
        The ends of the 95 % interval.
    n : int or None
        How many events the number rests on.
    currency : str
        The ISO code, for money.
    note : str
        One short remark.
    signed : bool
        Whether it is a change: what is above 0 is shown with a plus.

    Examples
    --------
    >>> print(Fact("Recall", 0.6123, "share", lower=0.58, upper=0.64))
    Recall: 61.2 % (58.0 to 64.0 %)
    >>> print(Fact("Loss prevented", 1234567.0, "money", currency="IDR"))
    Loss prevented: IDR 1.23 M
    """

    name: str
    value: float | int | str | None
    unit: Unit = "number"
    lower: float | None = None
    upper: float | None = None
    n: int | None = None
    currency: str = ""
    note: str = ""
    signed: bool = False

    @property
    def text(self) -> str:
        """The value and its interval as text."""
        if self.value is None:
            return f"{NOT_MEASURABLE}: {private(self.note)}" if self.note else NOT_MEASURABLE
        if isinstance(self.value, str):
            return private(self.value)
        shown = number(self.value, self.unit, currency=self.currency, signed=self.signed)
        if self.lower is None or self.upper is None:
            return shown
        lower, upper = (number(end, self.unit, signed=self.signed) for end in (self.lower, self.upper))
        return f"{shown} ({lower.removesuffix(' %')} to {upper})"

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"

    def to_dict(self) -> dict[str, object]:
        """Return the fact as JSON-safe values."""
        return {
            "name": self.name,
            "value": _safe(self.value),
            "unit": self.unit,
            "lower": _safe(self.lower),
            "upper": _safe(self.upper),
            "n": self.n,
            "currency": self.currency,
            "note": self.note,
            "signed": self.signed,
            "text": self.text,
        }


def _safe(value: float | str | None) -> float | int | str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if math.isfinite(value) else None


def number(value: float, unit: Unit = "number", *, currency: str = "", signed: bool = False) -> str:
    """Return a number as short text in its unit; `signed` puts a plus before what is above 0.

    >>> number(0.0213, "share"), number(81234, "count"), number(-2.5e9, "money", currency="IDR")
    ('2.13 %', '81,234', 'IDR -2.50 B')
    >>> number(2.5e9, "money", currency="IDR", signed=True), number(0.0, "average", signed=True)
    ('IDR +2.50 B', '0')
    >>> number(-0.04, "average"), number(-0.00008321), number(1e-9)
    ('0.0', '-0.000083', 'about 0')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if signed and value > 0:
        shown = number(value, unit)
        nothing = shown == SMALL or not any(digit in shown for digit in "123456789")
        return f"{currency} {'' if nothing else '+'}{shown}".strip()
    if unit == "share":
        percent = 100 * value
        digits = 1 if abs(percent) >= 10 else 2 if abs(percent) >= 0.1 or percent == 0 else 3
        return f"{percent:z.{digits}f} %"
    if unit == "count":
        return f"{round(value):,}"
    if unit == "average":
        return f"{value:z,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:z,.1f}"
    if unit == "money":
        return f"{currency} {_short(value)}".strip()
    if unit == "days":
        return f"{value:z.1f} days"
    if isinstance(value, int):
        return f"{value:,}"
    return _plain(value)


def _plain(value: float) -> str:
    """Return a number by four digits that count, by two where it is tiny, and never by a power of ten."""
    size = abs(value)
    if size == 0 or size >= _WHOLE:
        return f"{value:z,.0f}"
    if size < _LEAST:
        return SMALL
    digits = (3 if size >= _TINY else 1) - math.floor(math.log10(size))
    shown = f"{value:z,.{max(digits, 0)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _short(value: float) -> str:
    size = abs(value)
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            scaled = value / limit if letter != "k" else value / 1e3
            digits = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0
            return f"{scaled:,.{digits}f} {letter}"
    return f"{value:z,.2f}" if size < 100 and value != round(value) else f"{value:z,.0f}"
