"""Is a number on a page plain to read: no signed zero, no power of ten?"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.display import number
from riskbench.display.html import cell

UNITS = ["share", "money", "count", "average", "score", "number", "days"]


@given(st.floats(-1e15, 1e15), st.sampled_from(UNITS), st.booleans())
def test_no_zero_has_a_sign_and_no_number_a_power_of_ten(value, unit, signed):
    shown = number(value, unit, signed=signed)
    assert not re.search(r"\de[+-]?\d", shown)
    if shown.startswith(("-", "+")):
        assert re.search("[1-9]", shown)


@given(st.floats(1e-6, 1e15), st.sampled_from([1, -1]))
def test_what_is_shown_is_the_number(value, sign):
    shown = float(number(sign * value).replace(",", ""))
    assert shown == pytest.approx(sign * value, rel=0.06 if value < 1e-4 else 6e-4)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (-0.04, "average", "0.0"),
        (-0.0, "average", "0"),
        (-0.001, "money", "0.00"),
        (-1e-9, "share", "0.000 %"),
        (-8.321e-05, "number", "-0.000083"),
        (-1e-12, "number", "about 0"),
        (9999.7, "number", "10,000"),
        (0.03412, "number", "0.03412"),
        (0.311, "score", "0.311"),
    ],
)
def test_a_small_number_reads_as_one(value, unit, shown):
    assert number(value, unit) == shown


def test_a_change_that_rounds_to_nothing_has_no_plus():
    assert number(0.03, "average", signed=True) == "0.0"
    assert number(1e-9, signed=True) == "about 0"
    assert number(0.25, signed=True) == "+0.25"


def test_a_cell_reads_so_too():
    assert cell(-8.321e-05, "mean_others") == "-0.000083"
    assert cell(-0.0, "mean_others") == "0"
