"""What may be stated about an incident, in which form, and which moments and places does it name?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from numbers import Real
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from riskbench.data.dataset import micros
from riskbench.data.marketplace.region import CODES, region
from riskbench.data.money import Currency
from riskbench.data.times import zone_of
from riskbench.display.wording import LINE, clean
from riskbench.errors import ParameterError, listed, nearest

#: Facts that are short texts: where and what it is, and how it was seen.
WORDS = ("region", "domain", "scheme", "measure", "decision_point", "currency", "time_zone", "source")
#: Facts that are moments, ISO; without a zone they are UTC.
MOMENTS = ("window_start", "window_end", "started", "detected")
#: Facts that are money in major units.
MONEY = ("exposed", "lost", "exposed_per_day", "freezable", "prevented", "weekly_value", "weekly_appetite")
#: Facts that are counts.
COUNTS = ("people", "buyers", "sellers", "creators", "events", "alerted")
#: Facts that are yes or no.
FLAGS = ("running", "regulator", "legal")
#: Everything that may be stated; `loss_appetite` is a share of the order value.
FACTS = (*WORDS, *MOMENTS, *MONEY, "loss_appetite", *COUNTS, *FLAGS)
#: What is linked rather than stated; `open` takes both in one mapping.
LINKS = ("runs", "rules", "book", "segments", "rings", "columns", "deadlines")

#: The most members that one ring may name, and the most things of one kind in one call.
MOST_MEMBERS, MOST_LINKS = 20_000, 500


def checked(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return stated facts as they are kept.

    Raises
    ------
    ParameterError
        When one is unknown, or has a wrong form.
    """
    if not isinstance(facts, Mapping):
        raise ParameterError("Facts are a mapping", got=type(facts).__name__, allowed=listed(FACTS, most=30))
    held: dict[str, Any] = {}
    for name, value in facts.items():
        if name not in FACTS:
            close = nearest(str(name), (*FACTS, *LINKS))
            raise ParameterError(
                f"There is no fact {str(name)[:40]!r}",
                allowed=listed((*FACTS, *LINKS), most=40),
                hint=f"did you mean {close!r}?" if close else None,
            )
        if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
            continue
        held[name] = _fact(name, value)
    return held


def _fact(name: str, value: object) -> object:
    if name in MOMENTS:
        return moment(value, name)
    if name in FLAGS:
        if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
            raise ParameterError(f"{name!r} is True or False", got=repr(value)[:40])
        return bool(value)
    if name in WORDS:
        text = clean(value, f"The fact {name!r}", most=LINE)
        if name == "currency":
            return Currency.of(text).code
        return zone_of(text) if name == "time_zone" else text
    if (
        isinstance(value, bool)
        or not isinstance(value, Real)
        or not math.isfinite(number := float(value))
        or number < 0
    ):
        raise ParameterError(f"{name!r} is a number, 0 or more", got=repr(value)[:40])
    if name in COUNTS:
        if number != int(number):
            raise ParameterError(f"{name!r} is a whole number", got=repr(value)[:40])
        return int(number)
    if name == "loss_appetite" and number > 1:
        raise ParameterError("'loss_appetite' is a share of the order value", got=value, allowed="0 to 1")
    return number


def completed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with what follows from them: the region's zone, currency and accepted loss, people in all."""
    held = dict(facts)
    if held.get("region") in CODES:
        place = region(held["region"])
        held.setdefault("time_zone", place.time_zone)
        held.setdefault("currency", place.currency)
        held.setdefault("loss_appetite", float(place.loss_appetite))
    if "weekly_appetite" not in held and held.get("weekly_value") and held.get("loss_appetite"):
        held["weekly_appetite"] = held["weekly_value"] * held["loss_appetite"]
    kinds = [held[name] for name in ("buyers", "sellers", "creators") if name in held]
    if "people" not in held and kinds:
        held["people"] = sum(kinds)
    return held


def moment(value: object, what: str) -> str:
    """Return a moment as ISO text, UTC.

    >>> moment("2026-11-11T08:00+07:00", "start")
    '2026-11-11T01:00:00.000+00:00'

    Raises
    ------
    ParameterError
        When it is no moment.
    """
    if not isinstance(value, str | datetime):
        raise ParameterError(f"{what!r} is a moment", got=repr(value)[:60], allowed="ISO text: 2026-11-11T08:00+07:00")
    try:
        since = micros(value if isinstance(value, str) else pd.Timestamp(value))
        return datetime.fromtimestamp(since / 1e6, tz=UTC).isoformat(timespec="milliseconds")
    except (ParameterError, OverflowError, OSError, ValueError):
        raise ParameterError(
            f"{what!r} is no moment", got=repr(value)[:60], allowed="ISO text: 2026-11-11T08:00+07:00"
        ) from None


def local(at: str, zone: str) -> str:
    """Return a moment as the clocks of a zone show it, with how far they are from UTC.

    >>> local("2026-11-11T01:00:00.000+00:00", "Asia/Jakarta")
    '2026-11-11 08:00 (UTC+07:00)'
    """
    held = datetime.fromisoformat(at).astimezone(ZoneInfo(zone))
    return f"{held:%Y-%m-%d %H:%M} (UTC{held:%z})"[:-3] + f":{f'{held:%z}'[3:5]})"


def seconds_between(first: str, last: str) -> float:
    """Return the seconds from one moment to another."""
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def links(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an incident is linked to, as it is kept.

    Raises
    ------
    ParameterError
        When a link has a wrong form.
    """
    held: dict[str, Any] = {}
    for name in ("runs", "rules", "columns"):
        if given.get(name) is not None:
            held[name] = [clean(item, f"A name in {name!r}", most=200) for item in _items(given[name], name)]
    if given.get("book") is not None:
        held["book"] = clean(given["book"], "The rule book's hash", most=200)
    if given.get("segments") is not None:
        held["segments"] = [_segment(item) for item in _items(given["segments"], "segments")]
    if given.get("rings") is not None:
        held["rings"] = [_ring(item) for item in _items(given["rings"], "rings")]
    if given.get("deadlines") is not None:
        held["deadlines"] = [_deadline(item) for item in _items(given["deadlines"], "deadlines")]
    return {name: value for name, value in held.items() if value}


def _items(value: object, name: str) -> list[Any]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence | set | frozenset):
        raise ParameterError(f"{name!r} is a list", got=type(value).__name__)
    items = sorted(value) if isinstance(value, set | frozenset) else list(value)
    if len(items) > MOST_LINKS:
        raise ParameterError(f"{name!r} is too long", got=len(items), allowed=f"up to {MOST_LINKS}")
    return items


def _segment(item: object) -> str:
    """Return a segment as text: `column = value`, joined by `and`."""
    if isinstance(item, Mapping):
        if not item:
            raise ParameterError("A segment names a column at least", got="{}")
        parts = [f"{clean(str(name), 'A column')} = {clean(str(value), 'A value')}" for name, value in item.items()]
        return clean(" and ".join(sorted(parts)), "A segment")
    return clean(item, "A segment")


def _ring(item: object) -> dict[str, Any]:
    if isinstance(item, str):
        item = {"id": item}
    if not isinstance(item, Mapping) or "id" not in item:
        raise ParameterError("A ring is named", got=repr(item)[:80], allowed="{'id': 'R1', 'members': [...]}")
    unknown = set(item) - {"id", "members", "size", "evidence"}
    if unknown:
        raise ParameterError(
            "A ring has other parts", got=listed(sorted(map(str, unknown))), allowed="id, members, size, evidence"
        )
    members = item.get("members") or []
    if isinstance(members, str) or len(members) > MOST_MEMBERS:
        raise ParameterError("A ring's members are a list", allowed=f"up to {MOST_MEMBERS:,} ids")
    named = sorted({clean(str(member), "A member", most=200) for member in members})
    size = item.get("size", len(named))
    return {
        "id": clean(str(item["id"]), "A ring's id", most=200),
        "members": named,
        "size": int(size),
        "evidence": clean(str(item.get("evidence") or ""), "A ring's evidence", empty=True),
    }


def _deadline(item: object) -> dict[str, str]:
    if not isinstance(item, Mapping) or set(item) != {"what", "at"}:
        raise ParameterError(
            "A deadline has two parts", got=repr(item)[:80], allowed="{'what': 'payout run', 'at': '...'}"
        )
    return {"what": clean(item["what"], "A deadline", most=200), "at": moment(item["at"], "at")}
