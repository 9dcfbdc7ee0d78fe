"""By how much does each fact of two headlines differ, and how sure is that?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from riskbench.display import Fact
from riskbench.display.fact import Unit
from riskbench.display.fact import number as as_text

Value = float | int | str | None
COLUMNS = ("fact", "unit", "currency", "before", "after", "change", "lower", "upper", "how")
SAME = "the same"
_FIGURES = ("value", "lower", "upper", "n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One fact of two headlines: both values, what lies between them, and what its interval is or why there is none."""

    fact: str
    unit: Unit
    currency: str
    before: Value
    after: Value
    change: float | None = None
    lower: float | None = None
    upper: float | None = None
    how: str

    @property
    def text(self) -> str:
        """The change with its interval."""
        if self.change is None:
            return "–"
        told = as_text(self.change, self.unit, currency=self.currency, signed=True)
        if self.lower is None or self.upper is None:
            return told
        low, high = (as_text(end, self.unit, signed=True) for end in (self.lower, self.upper))
        return f"{told} ({low.removesuffix(' %')} to {high})"

    def shown(self, value: Value) -> str:
        """Return one of its values as text."""
        if value is None:
            return "not measurable" if self.how.startswith(("not", SAME)) else "–"
        return value if isinstance(value, str) else as_text(value, self.unit, currency=self.currency)

    def as_fact(self) -> Fact:
        """Return the change as a fact."""
        told = {"currency": self.currency, "note": self.how, "signed": True}
        return Fact(f"{self.fact}: change", self.change, self.unit, lower=self.lower, upper=self.upper, **told)  # type: ignore[arg-type]


def deltas(before: Sequence[Fact], after: Sequence[Fact], *, same_events: bool) -> tuple[Delta, ...]:
    """Return what lies between two headlines, fact by fact, in the order of the later one."""
    return tuple(_deltas(before, after, same_events=same_events))


def _deltas(before: Sequence[Fact], after: Sequence[Fact], *, same_events: bool) -> Iterator[Delta]:
    old, new = ({fact.name: fact for fact in facts} for facts in (before, after))
    for name in dict.fromkeys([*new, *old]):
        was, came = old.get(name), new.get(name)
        held = came or was
        assert held is not None
        change, lower, upper, how = _between(was, came, same_events=same_events)
        yield Delta(
            fact=name,
            unit=held.unit,
            currency=held.currency,
            before=None if was is None else was.value,
            after=None if came is None else came.value,
            change=change,
            lower=lower,
            upper=upper,
            how=how,
        )


def _between(
    was: Fact | None, came: Fact | None, *, same_events: bool
) -> tuple[float | None, float | None, float | None, str]:
    if was is None or came is None:
        return None, None, None, f"only in the run {'after' if was is None else 'before'}"
    if (was.unit, was.currency) != (came.unit, came.currency):
        one, other = (f"{fact.unit} {fact.currency}".strip() for fact in (was, came))
        return None, None, None, f"not comparable: {one}, then {other}"
    if was.value is None or came.value is None:
        if was.value is came.value:
            return None, None, None, SAME if was.note == came.note else "not measurable in either"
        which = "before" if was.value is None else "after"
        return None, None, None, f"not measurable {which}: {was.note or came.note}".rstrip(" :")
    if not (numeric(was) and numeric(came)):
        return None, None, None, SAME if was.value == came.value else "another answer"
    change = float(exact(came) - exact(was))
    equal = all(getattr(was, name) == getattr(came, name) for name in _FIGURES)
    if equal and same_events:
        return change, 0.0, 0.0, SAME
    lower, upper = margins(was, came)
    if equal:
        return change, lower, upper, SAME
    if lower is None:
        return change, None, None, "no interval: not both are estimates"
    return change, lower, upper, "as if independent, on the same events" if same_events else "independent estimates"


def margins(was: Fact, came: Fact) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the difference of two independent estimates, from the interval of each.

    The margins are squared and added, each on its own side. Source: Zou and Donner (2008), Construction of confidence
    limits about effect measures: a general approach, Statistics in Medicine 27, 1693.

    >>> margins(Fact("a", 10.0, lower=7.0, upper=14.0), Fact("a", 20.0, lower=16.0, upper=23.0))
    (4.343145750507619, 14.242640687119284)
    """
    if was.lower is None or was.upper is None or came.lower is None or came.upper is None:
        return None, None
    first, last = float(exact(was)), float(exact(came))
    change = last - first
    lower = change - math.hypot(last - came.lower, was.upper - first)
    upper = change + math.hypot(came.upper - last, first - was.lower)
    return (lower, upper) if math.isfinite(lower) and math.isfinite(upper) else (None, None)


def numeric(fact: Fact) -> bool:
    """Whether a fact is a number."""
    return isinstance(fact.value, int | float) and not isinstance(fact.value, bool)


def exact(fact: Fact) -> Fraction:
    """Return a numeric fact's value, exactly."""
    assert isinstance(fact.value, int | float)
    return Fraction(fact.value)


def lead(found: Iterable[Delta]) -> Delta | None:
    """Return the first figure that moved, else the first figure; None where there is none."""
    figures = [one for one in found if one.change is not None]
    return next((one for one in figures if one.change), figures[0] if figures else None)


def table(found: Sequence[Delta]) -> pd.DataFrame:
    """Return the changes as they are: one row a fact."""
    made = pd.DataFrame([astuple(one) for one in found], columns=list(COLUMNS))
    numbers = dict.fromkeys(("change", "lower", "upper"), "float64")
    return made.astype({"before": "object", "after": "object", **numbers})


def in_words(found: Sequence[Delta]) -> pd.DataFrame:
    """Return the changes as a reader sees them, each in its own unit."""
    rows = [(one.fact, one.shown(one.before), one.shown(one.after), one.text, one.how) for one in found]
    return pd.DataFrame(rows, columns=["fact", "before", "after", "change", "how"])


def parts_in_words(found: Sequence[Delta], parts: Mapping[str, Mapping[Any, Fraction]]) -> pd.DataFrame:
    """Return what each part adds: one row a fact, one column a part."""
    columns = list(dict.fromkeys(part for held in parts.values() for part in held))
    rows = []
    for one in found:
        if one.fact in parts and one.change is not None:
            held = parts[one.fact]
            unit: Unit = "average" if one.unit == "count" else one.unit  # a part of a count need not be whole
            told = [as_text(float(held[part]), unit, signed=True) if part in held else "–" for part in columns]
            rows.append((one.fact, as_text(one.change, one.unit, currency=one.currency, signed=True), *told))
    return pd.DataFrame(rows, columns=["fact", "change", *columns])
