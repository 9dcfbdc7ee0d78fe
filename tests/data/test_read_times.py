# ruff: noqa: DTZ001 -- moments without a zone are what is tested
"""Times: UTC inside, zones and epochs only where they are named, nothing shifted in silence."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, ParameterError

ROLES = {"id": "id", "time": "t"}


def times(column: object, **options: object) -> list[dt.datetime | None]:
    size = len(column)  # type: ignore[arg-type]
    table = pa.table({"id": list(range(size)), "t": column})
    return rb.read(table, roles=ROLES, **options).table.to_arrow(["t"]).column(0).to_pylist()


def test_a_time_with_a_zone_is_an_instant() -> None:
    stamps = pd.Series(pd.to_datetime(["2026-01-01 07:00"])).dt.tz_localize("Asia/Jakarta")
    assert times(pa.Array.from_pandas(stamps)) == [dt.datetime(2026, 1, 1)]
    assert times(pa.Array.from_pandas(stamps), time_zone="America/Sao_Paulo", local_times=True) == [
        dt.datetime(2026, 1, 1)
    ]


def test_a_time_without_a_zone_is_utc_unless_it_is_local() -> None:
    column = pa.array([dt.datetime(2026, 1, 1, 7), None])
    assert times(column) == [dt.datetime(2026, 1, 1, 7), None]
    assert times(column, time_zone="Asia/Jakarta") == [dt.datetime(2026, 1, 1, 7), None]
    assert times(column, time_zone="Asia/Jakarta", local_times=True) == [dt.datetime(2026, 1, 1), None]
    assert times(["2026-01-01 07:00"], time_zone="Asia/Jakarta", local_times=True) == [dt.datetime(2026, 1, 1)]
    assert times(["2026-01-01T07:00+07:00"], time_zone="Asia/Jakarta", local_times=True) == [dt.datetime(2026, 1, 1)]
    assert times(pa.array([dt.date(2026, 1, 1)]), time_zone="Asia/Jakarta", local_times=True) == [
        dt.datetime(2025, 12, 31, 17)
    ]


def test_a_local_time_that_the_clocks_skipped_is_an_error() -> None:
    with pytest.raises(DataError, match="1 times that the clocks of America/New_York skipped"):
        times(pa.array([dt.datetime(2026, 3, 8, 2, 30)]), time_zone="America/New_York", local_times=True)


def test_a_local_time_shown_twice_is_the_first_and_noted() -> None:
    table = pa.table({"id": [1, 2], "t": [dt.datetime(2026, 11, 1, 1, 30), dt.datetime(2026, 6, 1)]})
    dataset = rb.read(table, roles=ROLES, time_zone="America/New_York", local_times=True)
    assert dataset.table.to_arrow(["t"]).column(0).to_pylist()[0] == dt.datetime(2026, 11, 1, 5, 30)
    assert any("1 times in 't' were shown twice" in note for note in dataset.notes)


@given(
    st.lists(st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2035, 1, 1)), min_size=1, max_size=8),
    st.sampled_from(["Asia/Jakarta", "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo"]),
)
def test_local_times_are_what_the_standard_library_says(moments: list[dt.datetime], zone: str) -> None:
    place = ZoneInfo(zone)
    utc = [moment.replace(tzinfo=place).astimezone(dt.UTC) for moment in moments]
    skipped = [one.astimezone(place).replace(tzinfo=None) != moment for one, moment in zip(utc, moments, strict=True)]
    column = pa.array(moments, pa.timestamp("us"))
    if any(skipped):
        with pytest.raises(DataError, match="skipped"):
            times(column, time_zone=zone, local_times=True)
    else:
        assert times(column, time_zone=zone, local_times=True) == [one.replace(tzinfo=None) for one in utc]


@pytest.mark.parametrize("text", ["01/02/2026", "2026-1-2", "2026-02-30", "2026-01-01 25:00", "soon", "20260101"])
def test_text_that_is_no_iso_time_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"not ISO times|does not exist"):
        times(["2026-01-01", text])


def test_zones_named_by_some_texts_only_are_refused() -> None:
    with pytest.raises(DataError, match="names a zone in some times"):
        times(["2026-01-01T00:00Z", "2026-01-01T00:00"])


def test_numbers_are_times_only_where_a_unit_is_named() -> None:
    seconds = 1_767_225_600
    with pytest.raises(DataError, match="epoch="):
        times([seconds])
    whole = [dt.datetime(2026, 1, 1)]
    assert times([seconds], epoch={"t": "s"}) == whole
    assert times([seconds * 1000], epoch={"t": "ms"}) == whole
    assert times([seconds * 10**6], epoch={"t": "us"}) == whole
    assert times([seconds * 10**9], epoch={"t": "ns"}) == whole
    assert times([seconds + 0.5, float("nan")], epoch={"t": "s"}) == [dt.datetime(2026, 1, 1, 0, 0, 0, 500_000), None]
    with pytest.raises(DataError, match="did you mean 'ms'"):
        times([seconds * 1000], epoch={"t": "s"})
    with pytest.raises(ParameterError, match="not a unit"):
        times([seconds], epoch={"t": "minutes"})
    with pytest.raises(DataError, match="did you mean 't'"):
        times([seconds], epoch={"tt": "s"})
    with pytest.raises(DataError, match="holds no numbers"):
        times(["x"], epoch={"t": "s"})


def test_epoch_columns_beside_the_time_are_times_too() -> None:
    dataset = rb.read(
        pd.DataFrame({"id": [1], "t": ["2026-01-01"], "seen": [1_767_225_600], "other": [5]}),
        roles=ROLES,
        epoch={"seen": "s"},
    )
    assert dataset.kinds["seen"] == "time"
    assert dataset.kinds["other"] == "int"


def test_times_too_far_away_are_refused() -> None:
    with pytest.raises(DataError, match="too far away"):
        times(pa.array([2**60], pa.timestamp("s")))


def test_a_zone_that_is_none_is_refused() -> None:
    for zone in ("Asia/Jakata", "../etc/passwd", "", "GMT+25"):
        with pytest.raises(ParameterError, match="is not a time zone"):
            times(["2026-01-01"], time_zone=zone)


def test_weeks_are_cut_in_the_local_zone() -> None:
    table = pa.table({"id": [1], "t": [dt.datetime(2026, 1, 4, 20)]})  # a Sunday evening in UTC
    assert rb.read(table, roles=ROLES).weeks[1] == ("2025-12-29",)
    assert rb.read(table, roles=ROLES, time_zone="Asia/Jakarta").weeks[1] == ("2026-01-05",)


def test_an_all_missing_time_is_still_a_time() -> None:
    assert times(pa.nulls(2)) == [None, None]
    assert times(pa.array([None, None], pa.string())) == [None, None]
    assert times(np.array(["NaT", "2026-01-01"], dtype="datetime64[ns]")) == [None, dt.datetime(2026, 1, 1)]
