"""What limits does a dispute programme set, from which day, and who says so?"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from riskbench.errors import ParameterError, listed, nearest

Month = Literal["same", "previous"]
_KEYS = (
    "id scheme name applies_to numerator numerator_words denominator_month denominator_words floor_counts source "
    "checked note threshold"
).split()
_LIMIT_KEYS = ("from", "bps", "floor", "consequence", "regions")
_MOST_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One limit, from a day on.

    Attributes
    ----------
    since : date
        The first day on which it holds.
    bps : float, 0..10,000
        The limit of the ratio, in basis points.
    floor : int
        The programme acts only from so many disputes in the month.
    consequence : str
        What being over it costs, in words.
    regions : tuple of str
        The regions it holds in; empty: everywhere.
    """

    since: date
    bps: float
    floor: int
    consequence: str = ""
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """A dispute programme: what is counted over what, the limits, and the source.

    Attributes
    ----------
    id, scheme, name, applies_to : str
        Its name, the card scheme, the full name, and who is judged.
    numerator : tuple of str
        The label sources that count, by the month in which they came in.
    numerator_words, denominator_words : str
        What is counted, in the programme's own terms.
    denominator_month : {"same", "previous"}
        Whose month's card transactions they are set against.
    thresholds : tuple of Threshold
        The limits, oldest first.
    source : str
        Who says so.
    checked : date
        When that was looked up.
    note : str
        What is uncertain.
    """

    id: str
    scheme: str
    name: str
    applies_to: str
    numerator: tuple[str, ...]
    numerator_words: str
    denominator_month: Month
    denominator_words: str
    thresholds: tuple[Threshold, ...]
    source: str
    checked: date
    note: str = ""

    def on(self, day: date, *, region: str | None = None) -> Threshold | None:
        """Return the limit that holds on a day in a region; None before the first."""
        held = [
            limit for limit in self.thresholds if limit.since <= day and (not limit.regions or region in limit.regions)
        ]
        own = [limit for limit in held if limit.regions]
        return max(own or held, key=lambda limit: limit.since, default=None)


def read_programmes(path: str | Path | None = None) -> dict[str, Programme]:
    """Return the dispute programmes by their id, from a TOML file or those that are shipped.

    Use it to hold one's own contract's limits against what is shipped: the rule books of the schemes are not public,
    and each shipped line names its secondary source and the day it was looked up.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file of `[[programme]]` tables; by default the shipped one.

    Returns
    -------
    dict of str to Programme
        Sorted as in the file.

    Raises
    ------
    ParameterError
        When the file cannot be read, or a programme lacks a key, has one that does not exist, or a wrong value.

    Examples
    --------
    >>> import datetime, riskbench as rb
    >>> limit = rb.read_programmes()["visa-vamp-merchant"].on(datetime.date(2026, 11, 1))
    >>> limit.bps, limit.floor
    (150, 1500)
    """
    if path is None:
        return dict(_shipped())
    if not isinstance(path, str | Path):
        raise ParameterError("The path of the programmes is none", got=repr(path)[:80], allowed="a path")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ParameterError(f"The programmes {str(path)!r} cannot be read", got=type(error).__name__) from error
    return _parsed(text, str(path))


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Programme]:
    home = resources.files("riskbench.data.programmes").joinpath("programmes.toml")
    return _parsed(home.read_text(encoding="utf-8"), "the shipped programmes")


def _parsed(text: str, where: str) -> dict[str, Programme]:
    try:
        held = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ParameterError(f"{where} is not TOML", got=str(error)) from error
    entries = held.get("programme")
    if not isinstance(entries, list) or not entries:
        raise ParameterError(f"{where} holds no programme", allowed="[[programme]] tables")
    found: dict[str, Programme] = {}
    for entry in entries:
        made = _programme(entry, where)
        if made.id in found:
            raise ParameterError(f"{where} holds the programme {made.id!r} twice")
        found[made.id] = made
    return found


def _programme(entry: Mapping[str, Any], where: str) -> Programme:
    if not isinstance(entry, Mapping):
        raise ParameterError(f"{where}: a programme is a table", got=repr(entry)[:80])
    known = dict(entry)
    name = str(known.get("id", "(without id)"))
    _keys(known, _KEYS, f"{where}: programme {name!r}")
    month = _of(known, "denominator_month", str, name)
    if month not in get_args(Month):
        raise ParameterError(f"{name}: denominator_month is wrong", got=repr(month), allowed=listed(get_args(Month)))
    numerator = _of(known, "numerator", list, name)
    if not numerator or not all(isinstance(word, str) for word in numerator):
        raise ParameterError(f"{name}: numerator names label sources", got=repr(numerator))
    limits = sorted((_threshold(one, name) for one in _of(known, "threshold", list, name)), key=lambda x: x.since)
    if not limits:
        raise ParameterError(f"{name} has no threshold")
    texts = {key: _of(known, key, str, name) for key in _KEYS if key in _TEXTS}
    return Programme(
        **texts,
        numerator=tuple(numerator),
        denominator_month=month,
        thresholds=tuple(limits),
        checked=_of(known, "checked", date, name),
        note=str(known.get("note", "")),
    )


_TEXTS = ("id", "scheme", "name", "applies_to", "numerator_words", "denominator_words", "source")


def _threshold(entry: object, name: str) -> Threshold:
    if not isinstance(entry, Mapping):
        raise ParameterError(f"{name}: a threshold is a table", got=repr(entry))
    _keys(entry, _LIMIT_KEYS, f"{name}: threshold")
    bps, floor = entry.get("bps"), entry.get("floor", 0)
    if isinstance(bps, bool) or not isinstance(bps, int | float) or not 0 < bps <= _MOST_BPS:
        raise ParameterError(f"{name}: bps is out of range", got=repr(bps), allowed="basis points, above 0, to 10,000")
    if isinstance(floor, bool) or not isinstance(floor, int) or floor < 0:
        raise ParameterError(f"{name}: floor is out of range", got=repr(floor), allowed="a whole number, 0 or more")
    regions = entry.get("regions", [])
    if not isinstance(regions, list) or not all(isinstance(word, str) for word in regions):
        raise ParameterError(f"{name}: regions is a list of words", got=repr(regions))
    return Threshold(
        since=_of(entry, "from", date, name),
        bps=bps,
        floor=floor,
        consequence=str(entry.get("consequence", "")),
        regions=tuple(regions),
    )


def _of(entry: Mapping[str, Any], key: str, kind: type, name: str) -> Any:
    value = entry.get(key)
    if not isinstance(value, kind):
        raise ParameterError(f"{name}: {key} is missing or wrong", got=repr(value), allowed=kind.__name__)
    return value


def _keys(entry: Mapping[str, Any], known: list[str] | tuple[str, ...], where: str) -> None:
    for key in entry:
        if key not in known:
            close = nearest(str(key), known)
            raise ParameterError(
                f"{where}: {key!r} is not a key",
                allowed=listed(known, most=20),
                hint=f"did you mean {close!r}?" if close else None,
            )
