"""What a parameter's value must be beyond its type, checked before a kernel starts."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from riskbench.config import redact, resolve, secrets_in
from riskbench.errors import ParameterError, nearest

_GLOB = "*?["
_CODE = re.compile("[A-Z]{3}")


def _moment(name: str, value: Any) -> None:
    from riskbench.data.dataset import micros

    try:
        micros(value)
    except ParameterError as error:
        raise ParameterError(
            f"The parameter {name!r} is not a date or time", got=repr(value), allowed="ISO text: 2026-11-11"
        ) from error


def moment(value: str) -> str:
    """Return a moment in the one form that it is kept in: a day alone, or a day and a time.

    >>> moment(" 2026-11-11 00:00:00 "), moment("2026-11-11 14:30+07:00")
    ('2026-11-11', '2026-11-11T14:30:00+07:00')
    """
    import pandas as pd

    stamp = pd.Timestamp(value.strip())
    return f"{stamp:%Y-%m-%d}" if stamp.tzinfo is None and stamp == stamp.normalize() else stamp.isoformat()


def _roles(name: str, value: Any) -> None:
    from riskbench.data.roles import Roles

    if value:
        _told(name, lambda: Roles.from_mapping(value))


def _costs(name: str, value: Any) -> None:
    from riskbench.metrics.costs import Costs

    _told(name, lambda: Costs.from_mapping(value))


def _currency(name: str, value: Any) -> None:
    """Three capitals are an ISO code; anything else may be the column that holds it."""
    from riskbench.data.money import Currency

    if _CODE.fullmatch(value):
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
    if not _is_file(value):
        raise ParameterError(
            f"The parameter {name!r} names no rule book",
            got=repr(value[:80]),
            allowed="a YAML file, or 'sample' for the domain's shipped book",
            hint=f"paths are looked up from {Path.cwd()}",
        )


def _model(name: str, value: Any) -> None:
    if not _is_file(value):
        raise ParameterError(f"The parameter {name!r} names no model file", got=repr(value[:80]))


def _is_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):  # too long for a path, or not to be looked at
        return False


def _told(name: str, make: Callable[[], object]) -> None:
    try:
        make()
    except ParameterError as error:
        raise ParameterError(
            f"The parameter {name!r}: {error.what}", got=error.got, allowed=error.allowed, hint=error.hint
        ) from error


def check_together(formats: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Check what no value can be wrong in alone: a source needs roles, and a currency a code or a column.

    Parameters
    ----------
    formats : mapping of str to str
        The parameters' formats, by parameter.
    values : mapping
        Every parameter's value.

    Raises
    ------
    ParameterError
        For a source without roles, or a currency that is neither a code nor a column of the source.
    """
    source = next((values[name] for name, held in formats.items() if held == "source"), None)
    for name, held in formats.items():
        if held == "roles" and source is not None and not values[name]:
            raise ParameterError(
                f"A source needs {name}: which column is the id, the time, the label?",
                hint=f"-p {name}.id=order_id -p {name}.time=placed_at -p {name}.label=fraud -p {name}.amount=amount",
            )
        if held == "currency" and values[name] is not None and not _CODE.fullmatch(values[name]):
            known = _columns(source)
            if known is None or values[name] in known:
                continue
            close = nearest(values[name], known)
            raise ParameterError(
                f"The parameter {name!r} is neither an ISO 4217 code nor a column of the data",
                got=repr(values[name][:80]),
                allowed="three capitals: EUR, IDR, BRL",
                hint=f"did you mean {close!r}?" if close else None,
            )


def _columns(source: str | None) -> tuple[str, ...] | None:
    """Return the columns of a source where they can be known at once: none for the sample, Parquet's schema."""
    if source is None:
        return ()
    where = resolve(source)
    if "://" in where or not where.casefold().endswith((".parquet", ".pq")):
        return None
    from riskbench.data.read import kinds_of

    return tuple(kinds_of(where))


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
