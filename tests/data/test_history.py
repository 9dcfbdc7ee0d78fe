"""Frauds known about an entity before an event, against plain Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.data import Dataset, Roles
from riskbench.data.history import known_frauds
from riskbench.data.velocity import Feature
from riskbench.engine.table import Table
from riskbench.errors import DataError

EVENTS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 12)),
        st.one_of(st.none(), st.sampled_from(["a", "b", "漢"])),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.integers(-2, 15)),
    ),
    max_size=30,
)


def events(rows: list[tuple], *, told: bool) -> Dataset:
    at, who, fraud, when = zip(*rows, strict=True) if rows else ((),) * 4
    day = 86_400_000_000
    table = pa.table(
        {
            "id": pa.array(range(len(rows)), pa.int64()),
            "at": pa.array([None if t is None else t * day for t in at], pa.int64()).cast(pa.timestamp("us")),
            "who": pa.array(who, pa.string()),
            "fraud": pa.array(fraud, pa.bool_()),
            "told": pa.array([None if t is None else t * day for t in when], pa.int64()).cast(pa.timestamp("us")),
        }
    )
    roles = Roles(id="id", time="at", label="fraud", label_time="told" if told else None, entities=("who",))
    return Dataset(table=Table.from_arrow(table), roles=roles)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.booleans(), st.sampled_from([1, 3, 100]), st.sampled_from([0.0, 0.5, 2.0]))
def test_known_frauds_equal_plain_python(rows, told, days, delay):
    expected = []
    for t, who, _, _ in rows:
        if t is None or who is None:
            expected.append(None)
            continue
        known = [
            max(when, at) if told else at + delay
            for at, other, fraud, when in rows
            if fraud and at is not None and other == who and not (told and when is None)
        ]
        expected.append(sum(t - days <= moment < t for moment in known))
    feature = Feature("f", "count", by=("who",), window=f"{days}d")
    column = known_frauds(events(rows, told=told), feature, delay=delay)
    assert column.to_arrow().to_pylist() == expected


def test_it_needs_a_time_and_a_label():
    feature = Feature("f", "count", by=("who",), window="1d")
    rows = [(1, "a", True, 2)]
    with pytest.raises(DataError, match="no time"):
        known_frauds(events(rows, told=False).with_roles(time=None), feature, delay=1.0)
    with pytest.raises(DataError, match="no label"):
        known_frauds(events(rows, told=False).with_roles(label=None), feature, delay=1.0)


def test_a_large_history_keeps_its_codes_apart():
    rng = np.random.default_rng(0)
    n = 2_000
    rows = list(
        zip(
            rng.integers(0, 30, n).tolist(),
            [f"e{i}" for i in rng.integers(0, 50, n)],
            (rng.random(n) < 0.2).tolist(),
            [None] * n,
            strict=True,
        )
    )
    column = known_frauds(events(rows, told=False), Feature("f", "count", by=("who",), window="5d"), delay=1.0)
    for i in rng.integers(0, n, 100):
        t, who = rows[i][:2]
        assert column.values[i] == sum(f and o == who and t - 5 <= at + 1 < t for at, o, f, _ in rows)
