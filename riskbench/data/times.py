"""What a moment is: microseconds since 1970 in UTC, read strictly and never shifted in silence."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import pyarrow as pa
import pyarrow.compute as pc

from riskbench.errors import DataError, ParameterError, nearest

EpochUnit = Literal["s", "ms", "us", "ns"]
_PER_UNIT: dict[str, int] = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}

#: ISO 8601 as it is accepted: a date, or a date with a time, with or without a zone.
ISO = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?$"
ZONED = r"\d{2}:\d{2}.*(?:Z|[+-]\d{2}(?::?\d{2})?)$"

_FIRST, _LAST = -2_208_988_800_000_000, 7_258_118_400_000_000  # the years 1900 and 2200


def zone_of(name: str) -> str:
    """Return the name of an IANA time zone that exists.

    Raises
    ------
    ParameterError
        When there is none of that name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        close = nearest(str(name), available_timezones())
        raise ParameterError(
            f"{name!r} is not a time zone",
            allowed="an IANA name: Asia/Jakarta, America/Sao_Paulo, UTC",
            hint=f"did you mean {close!r}?" if close else None,
        ) from None
    return name


def from_stamps(column: pa.ChunkedArray, *, name: str, zone: str | None) -> tuple[pa.ChunkedArray, tuple[str, ...]]:
    """Return dates and timestamps as moments in UTC, and what was found on the way.

    A timestamp with a zone is an instant. One without is UTC, or local to `zone` where one is given: then a
    time that the zone's clocks skipped is an error, and one that they showed twice is taken as the first.

    Raises
    ------
    DataError
        When a value lies outside what microseconds can hold, or a local time never was.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    try:
        stamps = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=getattr(kind, "unit", "") != "ns")
    except pa.ArrowInvalid as error:
        raise DataError(f"Column {name!r} holds times that are too far away", hint="drop or mend them first") from error
    if getattr(kind, "tz", None) is not None or zone is None:
        return stamps.cast(pa.int64()).cast(pa.timestamp("us")), ()
    return _localised(stamps, name=name, zone=zone)


def _localised(stamps: pa.ChunkedArray, *, name: str, zone: str) -> tuple[pa.ChunkedArray, tuple[str, ...]]:
    first, last = (
        pc.assume_timezone(stamps, zone, ambiguous=side, nonexistent=side).cast(pa.int64())
        for side in ("earliest", "latest")
    )
    unsure = pc.not_equal(first, last)
    if not pc.any(unsure).as_py():
        return first.cast(pa.timestamp("us")), ()
    # A skipped time comes back as two neighbours a microsecond apart; one shown twice as two an hour or so apart.
    gap = pc.and_(unsure, pc.less_equal(pc.subtract(last, first), 1_000_000))
    skipped = pc.sum(gap).as_py()
    if skipped:
        example = stamps.filter(gap)[0].as_py()
        raise DataError(
            f"Column {name!r} holds {skipped} times that the clocks of {zone} skipped.",
            got=f"{example:%Y-%m-%d %H:%M:%S}",
            hint="is this the right zone? leave local_times out where the times are UTC",
        )
    twice = pc.sum(unsure).as_py()
    note = f"{twice} times in {name!r} were shown twice by the clocks of {zone}; the first was taken"
    return first.cast(pa.timestamp("us")), (note,)


def from_numbers(column: pa.ChunkedArray, *, name: str, unit: EpochUnit) -> pa.ChunkedArray:
    """Return counts since 1970-01-01 UTC as moments.

    Raises
    ------
    DataError
        When the column holds no numbers, or lies outside the years 1900 to 2200 in that unit.
    ParameterError
        For another unit.
    """
    if unit not in _PER_UNIT:
        raise ParameterError(f"{unit!r} is not a unit of epoch=", allowed="s, ms, us, ns")
    kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.timestamp("us"))
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise DataError(f"Column {name!r}, named in epoch=, holds no numbers", got=str(kind))
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, kind))
    ends = pc.min_max(column).as_py()
    if ends["min"] is not None:
        low, high = (_micros(ends[end], unit) for end in ("min", "max"))
        if low < _FIRST or high > _LAST:
            raise DataError(
                f"Column {name!r}, read as {unit} since 1970, lies outside the years 1900 to 2200",
                hint=_better_unit(ends["max"], unit),
            )
    if pa.types.is_floating(kind):
        scaled = pc.multiply(column.cast(pa.float64()), pa.scalar(float(_PER_UNIT[unit])))
        whole = pc.round(pc.divide(scaled, 1000.0) if unit == "ns" else scaled)
        return whole.cast(pa.int64(), safe=False).cast(pa.timestamp("us"))
    whole = column.cast(pa.int64())
    if unit == "ns":
        return whole.cast(pa.timestamp("ns")).cast(pa.timestamp("us"), safe=False)
    return pc.multiply(whole, _PER_UNIT[unit]).cast(pa.timestamp("us"))


def _micros(value: float, unit: str) -> float:
    return value / 1000 if unit == "ns" else value * _PER_UNIT[unit]


def _better_unit(value: float, unit: str) -> str | None:
    for other in ("s", "ms", "us", "ns"):
        if other != unit and 631_152_000_000_000 <= _micros(value, other) <= _LAST:  # from 1990 on
            return f'did you mean {other!r}? epoch={{"...": "{other}"}}'
    return None


def from_text(
    column: pa.ChunkedArray | pa.Array, *, name: str, zone: str | None
) -> tuple[pa.ChunkedArray, tuple[str, ...]]:
    """Return ISO 8601 text as moments in UTC, and what was found on the way.

    Raises
    ------
    DataError
        When a value is not ISO text, is no date (the 30th of February), or zones are named by some only.
    """
    coded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    words = coded.dictionary.cast(pa.string())
    iso = pc.fill_null(pc.match_substring_regex(words, ISO), True)
    if not pc.all(iso).as_py() if len(words) else False:
        wrong = pc.sum(pc.equal(pc.fill_null(pc.take(iso, coded.indices), True), False)).as_py()
        raise DataError(
            f"Column {name!r} holds {wrong} texts that are not ISO times",
            allowed="2026-11-11, 2026-11-11 09:30:00, 2026-11-11T09:30:00+07:00",
            hint="other forms are ambiguous: convert them before reading",
        )
    zoned = pc.match_substring_regex(words, ZONED)
    if pc.any(zoned).as_py() and not pc.all(zoned).as_py():
        raise DataError(f"Column {name!r} names a zone in some times and none in others", hint="write all in UTC")
    stamps = _parsed(words, zoned=bool(pc.any(zoned).as_py()))
    if stamps is None:
        raise DataError(f"Column {name!r} holds a date or a time that does not exist", hint="such as 2026-02-30")
    return from_stamps(pa.chunked_array([stamps.take(coded.indices)]), name=name, zone=zone)


def parse_iso(words: pa.Array) -> pa.Array | None:
    """Return words as timestamps, with the zone UTC where they name one; None unless all are times that exist."""
    if not len(words) or not pc.all(pc.match_substring_regex(words, ISO)).as_py():
        return None
    zoned = pc.match_substring_regex(words, ZONED)
    if pc.any(zoned).as_py() != pc.all(zoned).as_py():
        return None
    return _parsed(words, zoned=bool(pc.any(zoned).as_py()))


def _parsed(words: pa.Array, *, zoned: bool) -> pa.Array | None:
    for unit in ("us", "ns"):
        try:
            return words.cast(pa.timestamp(unit, tz="UTC" if zoned else None))
        except pa.ArrowInvalid:
            continue
    return None
