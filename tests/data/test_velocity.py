"""Velocity features against slow plain Python, and the laws that they keep."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.data import Dataset, Roles
from riskbench.data.velocity import KINDS, Feature, velocity
from riskbench.engine.table import Table
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WINDOWS = ("1s", "1m", "1h", "7d", "5000w")
NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([0.0, 0.1, 0.2, -0.1, 19.99, -5.0, 1e-9, 1 / 3, 1e15 + 0.5, -1e300, 1e300, 5e-324, math.inf]),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 2)),
    st.floats(allow_nan=False, allow_infinity=False),
)
WHOLE = st.one_of(st.none(), st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1))
MOMENTS = st.one_of(
    st.none(),
    st.integers(0, 8),
    st.integers(0, 8).map(lambda s: s * 60),
    st.integers(-(10**9), 10**9),
    st.integers(-(10**6), 10**6).map(lambda us: us / 1e6),
)
EVENTS = st.lists(
    st.tuples(
        MOMENTS,
        st.one_of(st.none(), st.sampled_from(["a", "b", "ünï", "漢字", "", "👾"])),
        st.one_of(st.none(), st.integers(-2, 2), st.sampled_from([-(2**63), 2**63 - 1])),
        NUMBERS,
        WHOLE,
        st.one_of(st.none(), st.booleans()),
    ),
    max_size=24,
)


def events(rows: list[tuple]) -> Dataset:
    at, who, card, amount, whole, flag = zip(*rows, strict=True) if rows else ((),) * 6
    micro = [None if t is None else round(t * 1e6) for t in at]
    table = pa.table(
        {
            "id": pa.array(range(len(rows)), pa.int64()),
            "at": pa.array(micro, pa.int64()).cast(pa.timestamp("us")),
            "who": pa.array(who, pa.string()),
            "card": pa.array(card, pa.int64()),
            "amount": pa.array(amount, pa.float64()),
            "whole": pa.array(whole, pa.int64()),
            "flag": pa.array(flag, pa.bool_()),
        }
    )
    return Dataset(table=Table.from_arrow(table), roles=Roles(id="id", time="at", amount="amount"))


def exact(values: list[float | int]) -> float | None:
    """Return a sum by the rule that the docstring states, in exact arithmetic."""
    if math.inf in values or -math.inf in values:
        return None if math.inf in values and -math.inf in values else (math.inf if math.inf in values else -math.inf)
    parts = [
        Fraction(str(round(v, 6))) if abs(v) < 9e9 and round(v, 6) == v else Fraction(v)  # as written, or as held
        for v in values
    ]
    total = sum(parts, Fraction(0))
    try:
        return float(total)
    except OverflowError:
        return math.copysign(math.inf, total)


def naive(rows: list[tuple], feature: Feature) -> list:
    """Return a feature the slow way."""
    place = {"who": 1, "card": 2, "amount": 3, "whole": 4, "flag": 5}
    out: list = []
    for row in rows:
        entity = tuple(row[place[b]] for b in feature.by)
        if row[0] is None or None in entity:
            out.append(None)
            continue
        t = round(row[0] * 1e6)
        seen = sorted(
            (
                (round(other[0] * 1e6), other)
                for other in rows
                if other[0] is not None
                and tuple(other[place[b]] for b in feature.by) == entity
                and t - feature.seconds * 10**6 <= round(other[0] * 1e6) < t
            ),
            key=lambda pair: pair[0],
        )
        times = [when for when, _ in seen]
        values = [v for _, other in seen if (v := other[place[feature.column]]) is not None] if feature.column else seen
        steps = [b - a for a, b in itertools.pairwise(times)]
        match feature.kind:
            case "count":
                out.append(len(values))
            case "count_distinct":
                out.append(len(set(values)))
            case "sum":
                out.append(exact(values))
            case "mean":
                total = exact(values) if values else None
                out.append(None if total is None else total / len(values))
            case "min" | "max":
                out.append({"min": min, "max": max}[feature.kind](values, default=None))
            case "gap":
                out.append((t - times[-1]) / 1e6 if times else None)
            case "min_gap" | "max_gap":
                out.append({"min_gap": min, "max_gap": max}[feature.kind](steps) / 1e6 if steps else None)
    return out


def same(found: list, expected: list) -> None:
    for got, want in zip(found, expected, strict=True):
        if want is None or got is None:
            assert got is want, (found, expected)
        elif isinstance(want, float) and math.isfinite(want):
            assert got == pytest.approx(want, rel=1e-15, abs=5e-324), (found, expected)
        else:
            assert got == want, (found, expected)


def values(dataset: Dataset, name: str) -> list:
    return dataset.table.to_arrow([name]).column(0).to_pylist()


ENTITIES = (("who",), ("card",), ("who", "card"), ("flag",), ("amount",), ("card", "whole", "who"))


def features() -> list[Feature]:
    made = []
    for by in ENTITIES:
        for window in WINDOWS:
            for kind in KINDS:
                columns = (None,) if kind in ("gap", "min_gap", "max_gap") else ("amount", "whole", "flag")
                columns = (*columns, None) if kind == "count" else columns
                columns = (*columns, "who") if kind == "count_distinct" else columns
                made += [
                    Feature(f"{kind}_{column}_{'_'.join(by)}_{window}", kind, by=by, window=window, column=column)
                    for column in columns
                ]
    return made


FEATURES = features()


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.data())
def test_every_kind_equals_plain_python(rows, data):
    rows = rows + data.draw(st.lists(st.sampled_from(rows), max_size=6)) if rows else rows
    chosen = data.draw(st.lists(st.sampled_from(FEATURES), min_size=1, max_size=40, unique_by=lambda f: f.name))
    made = velocity(events(rows), chosen)
    for feature in chosen:
        same(values(made, feature.name), naive(rows, feature))


def test_every_feature_equals_plain_python_once():
    rng = np.random.default_rng(5)
    rows = [
        (
            float(rng.integers(0, 200)) if rng.random() > 0.05 else None,
            None if rng.random() < 0.05 else str(rng.choice(["a", "b", "漢字"])),
            int(rng.integers(0, 3)),
            None if rng.random() < 0.1 else round(float(rng.normal(50, 40)), 2),
            int(rng.integers(-9, 9)),
            bool(rng.random() < 0.5),
        )
        for _ in range(120)
    ]
    made = velocity(events(rows), FEATURES)
    for feature in FEATURES:
        same(values(made, feature.name), naive(rows, feature))


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.data())
def test_the_order_of_rows_does_not_matter(rows, data):
    order = data.draw(st.permutations(range(len(rows))))
    chosen = data.draw(st.lists(st.sampled_from(FEATURES), min_size=1, max_size=20, unique_by=lambda f: f.name))
    first = velocity(events(rows), chosen)
    second = velocity(events([rows[i] for i in order]), chosen)
    for feature in chosen:
        there = values(first, feature.name)
        assert [there[i] for i in order] == values(second, feature.name)


@settings(max_examples=60, deadline=None)
@given(EVENTS, EVENTS, st.data())
def test_the_future_changes_nothing(rows, later, data):
    """Whatever happens from a moment on, the values up to that moment stay as they are, bit for bit."""
    past = [row for row in rows if row[0] is not None]
    cut = max((row[0] for row in past), default=0)
    future = [(cut + abs(row[0]), *row[1:]) for row in later if row[0] is not None]
    # A sum past 64 bits turns an integer column into floats; the rest of the law is about values.
    chosen = [f for f in FEATURES if not (f.kind in ("sum", "mean") and f.column == "whole")]
    chosen = data.draw(st.lists(st.sampled_from(chosen), min_size=1, max_size=30, unique_by=lambda f: f.name))
    alone, whole = velocity(events(past), chosen), velocity(events(past + future), chosen)
    for feature in chosen:
        assert values(alone, feature.name) == values(whole, feature.name)[: len(past)]


def test_shuffling_what_comes_later_leaves_earlier_values_alone():
    rng = np.random.default_rng(11)
    n = 3_000
    at = np.sort(rng.integers(0, 30 * 86_400, n))
    rows = [(int(t), f"e{rng.integers(40)}", int(rng.integers(9)), float(rng.integers(999)) / 100, 1, True) for t in at]
    cut = n // 2
    at_cut = rows[cut][0]
    shuffled = [
        *rows[:cut],
        *((t, *rows[i][1:]) for (t, *_), i in zip(rows[cut:], rng.permutation(range(cut, n)), strict=False)),
    ]
    made = [velocity(events(r), FEATURES[:120]) for r in (rows, shuffled)]
    early = [i for i, row in enumerate(rows) if row[0] <= at_cut and i < cut]
    changed = 0
    for feature in FEATURES[:120]:
        a, b = (values(m, feature.name) for m in made)
        assert [a[i] for i in early] == [b[i] for i in early]
        changed += a != b
    assert changed > 60  # the shuffle did change what comes after


def test_ties_and_the_event_itself_are_left_out():
    rows = [(10, "a", 1, 5.0, 1, True), (10, "a", 1, 7.0, 1, True), (11, "a", 1, 1.0, 1, True)]
    made = velocity(events(rows), {"n": {"count": "*", "by": "who", "window": "1h"}})
    assert values(made, "n") == [0, 0, 2]


def test_the_window_is_closed_at_its_start():
    rows = [(0, "a", 1, 5.0, 1, True), (60, "a", 1, 7.0, 1, True), (121, "a", 1, 1.0, 1, True)]
    made = velocity(events(rows), {"n": {"count": "*", "by": "who", "window": "60s"}})
    assert values(made, "n") == [0, 1, 0]


def test_sums_are_decimal_and_exact():
    rows = [(i, "a", 1, 0.1, 1, True) for i in range(11)]
    made = velocity(events(rows), {"s": {"sum": "amount", "by": "who", "window": "1h"}})
    assert values(made, "s") == [i / 10 for i in range(11)]


def test_wide_integers_add_up_past_64_bits():
    rows = [(i, "a", 1, 0.1, 2**63 - 1, True) for i in range(4)]
    made = velocity(events(rows), {"s": {"sum": "whole", "by": "who", "window": "1h"}})
    assert values(made, "s") == [0.0, 2.0**63, 2.0**64, 3 * 2.0**63]


def test_no_events():
    made = velocity(events([]), FEATURES)
    assert made.rows == 0
    assert {f.name for f in FEATURES} <= set(made.names)


def test_all_entities_missing_gives_missing_everywhere():
    rows = [(i, None, None, 0.1, 1, None) for i in range(3)]
    made = velocity(events(rows), [f for f in FEATURES if f.by in {("who",), ("who", "card"), ("flag",)}])
    assert all(values(made, name) == [None] * 3 for name in made.names[7:])


def test_the_input_is_left_as_it_was():
    dataset = events([(1, "a", 1, 1.0, 1, True)])
    before = dataset.fingerprint
    made = velocity(dataset, FEATURES[:1])
    assert dataset.fingerprint == before
    assert made.fingerprint != before
    assert FEATURES[0].name not in dataset.names
    assert velocity(dataset, {}) is dataset


def test_roles_name_columns_too():
    rows = [(1, "a", 1, 2.5, 1, True), (2, "a", 1, 1.0, 1, True)]
    dataset = events(rows).with_roles(region="who", amount="amount")
    made = velocity(dataset, {"s": {"sum": "amount", "by": ["region"], "window": "1h"}})
    assert values(made, "s") == [0.0, 2.5]


@pytest.mark.parametrize(
    ("window", "seconds"), [("30s", 30), ("15m", 900), ("1h", 3600), ("24h", 86400), ("7 d", 604800)]
)
def test_windows_are_read(window, seconds):
    assert Feature("f", "count", by="a", window=window).seconds == seconds
    assert timedelta(seconds=seconds) == timedelta(seconds=Feature("f", "gap", by=("a",), window=window).seconds)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"count": "*", "by": "who", "window": "1y"}, "the window was not understood"),
        ({"count": "*", "by": "who", "window": 3600}, "the window was not understood"),
        ({"count": "*", "by": "who", "window": "0h"}, "the window was not understood"),
        ({"count": "*", "by": "who", "window": "-1h"}, "the window was not understood"),
        ({"count": "*", "by": "who", "window": "٣h"}, "the window was not understood"),
        ({"count": "*", "by": "who", "window": "9999999w"}, "too long"),
        ({"count": "*", "window": "1h"}, "has no 'by'"),
        ({"count": "*", "by": "who"}, "has no 'window'"),
        ({"count": "*", "by": [], "window": "1h"}, "'by' names"),
        ({"count": "*", "by": 3, "window": "1h"}, "'by' names"),
        ({"count": "*", "by": False, "window": "1h"}, "'by' names"),
        ({"cuont": "*", "by": "who", "window": "1h"}, "did you mean 'count'"),
        ({"count": "*", "sum": "amount", "by": "who", "window": "1h"}, "needs one kind"),
        ({"by": "who", "window": "1h"}, "needs one kind"),
        ({"sum": "*", "by": "who", "window": "1h"}, "sum needs a column"),
        ({"sum": None, "by": "who", "window": "1h"}, "sum needs a column"),
        ({"gap": "amount", "by": "who", "window": "1h"}, "measures the time between events"),
        ("count", "is no mapping"),
    ],
)
def test_a_wrong_entry_says_what_is_wrong(spec, says):
    with pytest.raises(ParameterError, match="'f'") as error:
        velocity(events([(1, "a", 1, 1.0, 1, True)]), {"f": spec})
    assert says in str(error.value)


def test_wrong_columns_say_so():
    dataset = events([(1, "a", 1, 1.0, 1, True)])
    with pytest.raises(ColumnNotFoundError, match="did you mean 'who'"):
        velocity(dataset, {"f": {"count": "*", "by": "wo", "window": "1h"}})
    with pytest.raises(DataError, match="holds no numbers"):
        velocity(dataset, {"f": {"sum": "who", "by": "card", "window": "1h"}})
    with pytest.raises(ParameterError, match="bears the name of a column"):
        velocity(dataset, {"amount": {"count": "*", "by": "who", "window": "1h"}})
    with pytest.raises(DataError, match="no time"):
        velocity(dataset.with_roles(time=None), {"f": {"count": "*", "by": "who", "window": "1h"}})
    two = Feature("f", "count", by="who", window="1h")
    with pytest.raises(ParameterError, match="Two velocity features"):
        velocity(dataset, [two, two])


def test_entries_survive_the_way_out_and_in():
    for feature in FEATURES:
        assert Feature.from_mapping(feature.name, feature.to_mapping()) == feature
