"""What a parameter's value must be beyond its type, checked before a kernel starts."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from riskbench.config import redact, resolve, secrets_in
from riskbench.errors import ParameterError

_GLOB = "*?["


def _moment(name: str, value: Any) -> None:
    from riskbench.data.dataset import micros

    try:
        micros(value)
    except ParameterError as error:
        raise ParameterError(
            f"The parameter {name!r} is not a date or time", got=repr(value), allowed="ISO text: 2026-11-11"
        ) from error


def _roles(name: str, value: Any) -> None:
    from riskbench.data.roles import Roles

    if value:
        _told(name, lambda: Roles.from_mapping(value))


def _costs(name: str, value: Any) -> None:
    from riskbench.metrics.costs import Costs

    _told(name, lambda: Costs.from_mapping(value))


def _currency(name: str, value: Any) -> None:
    from riskbench.data.money import Currency

    _told(name, lambda: Currency.of(value))


def _source(name: str, value: Any) -> None:
    where = resolve(value)
    if "://" in where:
        return
    known = secrets_in(where)
    try:
        found = glob.glob(where, recursive=True) if any(mark in where for mark in _GLOB) else []  # noqa: PTH207
        if found or Path(where).exists():
            return
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"The parameter {name!r} is no path: {getattr(error, 'strerror', None) or 'it cannot be read as one'}",
            got=redact(repr(where[:80]), known) + ("..." if len(where) > 80 else ""),
        ) from None
    raise ParameterError(
        f"The parameter {name!r} names no file",
        got=redact(repr(where), known),
        allowed="a Parquet, CSV or JSONL path, a glob, a database URL, or env:NAME",
        hint="a URL has a colon: postgresql://" if known else f"paths are looked up from {Path.cwd()}",
    )


def _book(name: str, value: Any) -> None:
    if value == "sample":
        return
    if not Path(value).is_file():
        raise ParameterError(
            f"The parameter {name!r} names no rule book",
            got=repr(value),
            allowed="a YAML file, or 'sample' for the domain's shipped book",
            hint=f"paths are looked up from {Path.cwd()}",
        )


def _model(name: str, value: Any) -> None:
    if not Path(value).is_file():
        raise ParameterError(f"The parameter {name!r} names no model file", got=repr(value))


def _told(name: str, make: Callable[[], object]) -> None:
    try:
        make()
    except ParameterError as error:
        raise ParameterError(
            f"The parameter {name!r}: {error.what}", got=error.got, allowed=error.allowed, hint=error.hint
        ) from error


#: The checks by the names that a playbook's metadata uses.
FORMATS: Mapping[str, Callable[[str, Any], None]] = MappingProxyType(
    {
        "moment": _moment,
        "roles": _roles,
        "costs": _costs,
        "currency": _currency,
        "source": _source,
        "book": _book,
        "model": _model,
    }
)
