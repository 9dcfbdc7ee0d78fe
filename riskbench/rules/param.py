"""What is a value that an analyst may move? A default with bounds and a unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from riskbench.errors import RuleError, listed, nearest

Scalar = bool | int | float | str
ParamValue = Scalar | tuple[Scalar, ...]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Param:
    """One value of a rule that may be moved.

    Parameters
    ----------
    default : number, text, boolean, or a list of them for `IN :name`
        The value where no region has its own. Money is in major units; a moment is ISO text.
    min, max : number, optional
        The smallest and largest value that is allowed.
    unit : str, optional
        What the value is counted in, such as IDR or days.
    """

    default: ParamValue
    _: KW_ONLY
    min: int | float | None = None
    max: int | float | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "default", plain(self.default))
        for name in ("min", "max"):
            bound = getattr(self, name)
            if bound is None:
                continue
            bound = plain(bound)
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                raise RuleError(f"{name!r} is not a number", got=repr(bound))
            object.__setattr__(self, name, bound)
        if self.unit is not None and not isinstance(self.unit, str):
            raise RuleError("'unit' is not text", got=repr(self.unit))
        if (self.min is not None or self.max is not None) and not is_number(self.default):
            raise RuleError("Only a number has min and max", got=repr(self.default))
        if self.min is not None and self.max is not None and self.min > self.max:
            raise RuleError("min lies above max", got=f"min {number(self.min)}, max {number(self.max)}")
        self.check(self.default)

    def check(self, value: object) -> ParamValue:
        """Return a value as the parameter holds it.

        Raises
        ------
        RuleError
            When it is of another type than the default, or outside min and max.
        """
        held = plain(value)
        if _type(held) != _type(self.default):
            raise RuleError(f"The value is {_type(held)}, the default is {_type(self.default)}", got=repr(value))
        if is_number(held):
            low, high = self.min, self.max
            if (low is not None and held < low) or (high is not None and held > high):  # type: ignore[operator]
                raise RuleError("The value lies outside what is allowed", got=number(held), allowed=self.range)
        return held

    @property
    def range(self) -> str:
        """What is allowed, in words."""
        low = f"from {number(self.min)}" if self.min is not None else ""
        high = f"up to {number(self.max)}" if self.max is not None else ""
        return " ".join(part for part in (low, high, self.unit or "") if part) or "any value"


def plain(value: object) -> ParamValue:
    """Return a parameter's value as plain Python.

    Raises
    ------
    RuleError
        When it is not a finite number, text, a boolean, a moment, or a list of them.
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, list | tuple):
        entries = tuple(plain(entry) for entry in value)
        if any(isinstance(entry, tuple) for entry in entries):
            raise RuleError("A list holds numbers, text or booleans, not lists", got=repr(value)[:200])
        if len({_type(entry) for entry in entries}) > 1:
            raise RuleError("A list holds values of one type", got=repr(value)[:200])
        return entries  # type: ignore[return-value]
    if isinstance(value, bool | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise RuleError("A whole number must fit into 64 bits", got=f"{value:.3e}" if value < 10**300 else "more")
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    raise RuleError("A value is a number, text, a boolean, a moment, or a list of them", got=repr(value)[:200])


def is_number(value: object) -> bool:
    """Return whether a value is a number (a boolean is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: object) -> str:
    """Return a parameter's value as a person reads it.

    >>> number(1500000), number(0.25), number("ID"), number((1, 2))
    ('1,500,000', '0.25', "'ID'", '(1, 2)')
    """
    if isinstance(value, tuple):
        return f"({listed([number(entry) for entry in value])})"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{int(value):,}" if value.is_integer() and abs(value) < 1e15 else f"{value:,}"
    return "'" + str(value).replace("'", "''") + "'"


def _type(value: object) -> str:
    if isinstance(value, tuple):
        return f"a list of {_type(value[0]).removeprefix('a ')}s" if value else "a list"
    if isinstance(value, bool):
        return "true/false"
    return "a number" if isinstance(value, int | float) else "text"


def listed_value(value: ParamValue) -> Any:
    """Return a value as YAML holds it."""
    return list(value) if isinstance(value, tuple) else value


def param_entry(param: Param) -> Any:
    """Return a parameter as a book's entry: a plain value when it has no bounds."""
    rest = {name: value for name in ("min", "max", "unit") if (value := getattr(param, name)) is not None}
    return {"default": listed_value(param.default), **rest} if rest else listed_value(param.default)


def check_name(value: object, *, rule: str | None = None) -> str:
    """Return a parameter's name.

    Raises
    ------
    RuleError
        When it cannot stand after a colon.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value) or len(value) > 80:
        raise RuleError(
            "A parameter's name is a word", rule=rule, got=repr(value)[:200], allowed="letters, digits and _"
        )
    return value


def checked_params(params: object, *, rule: str) -> Mapping[str, Param]:
    """Return parameters, plain values turned into parameters without bounds."""
    if not isinstance(params, Mapping):
        raise RuleError("'params' maps a name to a value", rule=rule, got=repr(params)[:200])
    made = {}
    for name, value in params.items():
        check_name(name, rule=rule)
        try:
            made[name] = to_param(value)
        except RuleError as wrong:
            raise RuleError(
                f"Parameter {name!r}: {wrong.sentence}",
                rule=rule,
                got=wrong.got,
                allowed=wrong.allowed,
                hint=wrong.hint,
            ) from None
    return MappingProxyType(made)


def to_param(value: object) -> Param:
    """Return a book's entry, such as `{default: 5, min: 1}` or `5`, as a parameter."""
    if isinstance(value, Param):
        return value
    if not isinstance(value, Mapping):
        return Param(value)  # type: ignore[arg-type]
    known = ("default", "min", "max", "unit")
    for key in value:
        if key not in known:
            raise unknown("key", str(key), known)
    if "default" not in value:
        raise RuleError("'default' is missing", allowed="{default: 5, min: 1, max: 10, unit: days}")
    return Param(**value)


def checked_regions(
    regions: object, params: Mapping[str, Param], *, rule: str
) -> Mapping[str, Mapping[str, ParamValue]]:
    """Return each region's own values, checked against the parameters."""
    if not isinstance(regions, Mapping):
        raise RuleError("'regions' maps a region to its own values", rule=rule, got=repr(regions)[:200])
    made: dict[str, Mapping[str, ParamValue]] = {}
    for region, own in regions.items():
        if not isinstance(region, str):
            raise RuleError("A region is text", rule=rule, got=repr(region), hint=f'write it in quotes: "{region}"')
        if not region or not region.isprintable():
            raise RuleError("A region is one line of text", rule=rule, got=repr(region)[:200])
        if not isinstance(own, Mapping):
            raise RuleError(
                f"Region {region!r} needs its own values", rule=rule, got=repr(own)[:200], allowed="{limit: 200}"
            )
        held = {}
        for name, value in own.items():
            if name not in params:
                wrong = unknown("parameter", str(name), params)
                raise RuleError(
                    f"Region {region!r}: {wrong.sentence}", rule=rule, allowed=wrong.allowed, hint=wrong.hint
                )
            try:
                held[name] = params[name].check(value)
            except RuleError as wrong:
                raise RuleError(
                    f"Region {region!r}, parameter {name!r}: {wrong.sentence}",
                    rule=rule,
                    got=wrong.got,
                    allowed=wrong.allowed,
                ) from None
        made[region] = MappingProxyType(held)
    return MappingProxyType(made)


def unknown(what: str, name: str, choices: Iterable[str], *, rule: str | None = None) -> RuleError:
    """Return the error for a word that is not among those allowed, naming the nearest one."""
    options = list(choices)
    close = nearest(name, options)
    return RuleError(
        f"There is no {what} {name!r}",
        rule=rule,
        allowed=listed(options),
        hint=f"did you mean {close!r}?" if close else None,
    )
