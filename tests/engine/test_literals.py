"""Values in rules: exact where whole numbers meet fractions, one spelling, nothing that is no value."""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.engine.literals import exact, from_number, from_param, moment, of_float, of_int, quoted

WHOLE = (0, 1, -1, 5, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63))
FRACTIONS = (0.0, 0.5, -0.5, 2.0**53, 2.0**52 + 0.5, 2.0**63, -(2.0**63), 1e300, -1e300, -(2.0**63) - 4096)
SIGNS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}


def literal(value):
    return of_float(value) if isinstance(value, float) else of_int(value)


def holds(shape, values, cell):
    if any(isinstance(value, float) for value in values):
        cell = float(cell)  # what every engine does with a whole number beside a double
    if shape == "between":
        return values[0] <= cell <= values[1]
    return cell in values if shape == "in" else SIGNS[shape](cell, values[0])


@pytest.mark.parametrize("cell", WHOLE)
def test_whole_numbers_are_compared_exactly_with_any_number(cell):
    for value, shape in itertools.product((*WHOLE, *FRACTIONS), SIGNS):
        became, held = exact(shape, [literal(value)])
        assert holds(became, [one.value for one in held], cell) == SIGNS[shape](cell, value), (shape, value)
    for low, high in itertools.product((*WHOLE, *FRACTIONS), repeat=2):
        became, held = exact("between", [literal(low), literal(high)])
        assert holds(became, [one.value for one in held], cell) == (low <= cell <= high), (low, high)
        became, held = exact("in", [literal(low), literal(high)])
        assert holds(became, [one.value for one in held], cell) == (cell in (low, high)), (low, high)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_spelled_so_that_it_is_read_back(value):
    text = of_float(value).sql
    assert float(text.strip("()")) == value
    assert "e" in text


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20))
def test_text_is_read_back_by_duckdb(duck, value):
    assert duck.row(f"SELECT {quoted(value)}")[0] == value


@given(st.datetimes())
def test_a_moment_is_read_back_by_duckdb(duck, value):
    found = moment(value.isoformat())
    assert duck.row(f"SELECT epoch_us({found.sql})")[0] == found.value


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01", 0),
        ("1970-01-01 00:00:01", 1_000_000),
        ("1970-01-01T07:00:00+07:00", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31 23:59:59.999999", -1),
    ],
)
def test_moments_are_utc(text, micros):
    assert moment(text).value == micros


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-02-30", "20260101", "2026-W01-1", "12:00", "2026-01-01 25:00", "0001-01-01T00:00:00+07:00"],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        moment(text)


@pytest.mark.parametrize(
    ("value", "kind", "held"),
    [
        (True, "bool", True),
        (np.bool_(False), "bool", False),
        (np.int32(5), "int", 5),
        (np.float64(0.5), "float", 0.5),
        (Decimal("1.5"), "float", 1.5),
        (Decimal(7), "int", 7),
        ("x", "string", "x"),
        (dt.date(1970, 1, 2), "time", 86_400_000_000),
        (dt.datetime(1970, 1, 1, 7, tzinfo=dt.timezone(dt.timedelta(hours=7))), "time", 0),
    ],
)
def test_parameters_become_literals(value, kind, held):
    found = from_param(value)
    assert (found.kind, found.value) == (kind, held)


@pytest.mark.parametrize(
    "value", [None, float("nan"), float("inf"), 2**63, -(2**63) - 1, "a\x00b", "\ud800", object(), [1], Decimal("NaN")]
)
def test_what_is_no_value_is_refused(value):
    with pytest.raises(ValueError, match=r".*"):
        from_param(value)


@pytest.mark.parametrize("text", ["9223372036854775808", "1e400"])
def test_numbers_that_no_column_holds_are_refused(text):
    with pytest.raises(ValueError, match=r"larger|finite"):
        from_number(text)
