"""Is what lies between two figures told with the right interval, and not told where there is none?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.display import Fact
from riskbench.runner.deltas import SAME, deltas, in_words, lead, margins, table

#: Sums of squares are rounded: so much of the larger value may be lost.
RELATIVE = 1e-9
figure = st.floats(-1e12, 1e12)
margin = st.floats(0, 1e9)


def fact(value, below=1.0, above=1.0, **more) -> Fact:
    return Fact("F", value, "money", lower=value - below, upper=value + above, currency="IDR", **more)


@given(figure, margin, margin, figure, margin, margin)
def test_margins_hold_the_change_and_turn_with_the_runs(a, a_low, a_up, b, b_low, b_up):
    was, came = fact(a, a_low, a_up), fact(b, b_low, b_up)
    lower, upper = margins(was, came)
    slack = RELATIVE * max(abs(a), abs(b), 1.0)
    assert lower <= b - a + slack
    assert upper >= b - a - slack
    back = margins(came, was)
    assert back == pytest.approx((-upper, -lower), abs=slack)


@given(st.floats(-1e6, 1e6), margin, st.floats(-1e6, 1e6), margin)
def test_even_margins_add_as_squares(a, wide, b, broad):
    lower, upper = margins(fact(a, wide, wide), fact(b, broad, broad))
    assert (upper - lower) / 2 == pytest.approx(math.hypot(wide, broad), rel=1e-6, abs=1e-6)


@given(figure, margin)
def test_a_figure_and_itself(a, wide):
    (one,) = deltas([fact(a, wide, wide)], [fact(a, wide, wide)], same_events=True)
    assert (one.change, one.lower, one.upper, one.how) == (0.0, 0.0, 0.0, SAME)


@pytest.mark.parametrize(
    ("was", "came", "how"),
    [
        (Fact("F", 1.0, "share"), Fact("F", 1.0, "money", currency="IDR"), "not comparable: share, then money IDR"),
        (
            fact(1.0),
            Fact("F", 2.0, "money", lower=1, upper=3, currency="BRL"),
            "not comparable: money IDR, then money BRL",
        ),
        (fact(1.0), Fact("F", None, "money", currency="IDR", note="too few"), "not measurable after: too few"),
        (Fact("F", None, "money", currency="IDR"), fact(1.0), "not measurable before"),
        (fact(1.0), Fact("G", 1.0), "only in the run before"),
        (Fact("F", "keep", "text"), Fact("F", "ship", "text"), "another answer"),
        (Fact("F", 3, "count"), Fact("F", 5, "count"), "no interval: not both are estimates"),
    ],
)
def test_what_is_no_difference_of_estimates_says_so(was, came, how):
    found = [one for one in deltas([was], [came], same_events=False) if one.fact == "F"]
    assert [one.how for one in found] == [how]
    assert found[0].lower is None
    assert found[0].upper is None
    assert found[0].change == (2.0 if "no interval" in how else None)


def test_the_interval_says_what_it_is():
    (apart,) = deltas([fact(1.0)], [fact(3.0)], same_events=False)
    (same,) = deltas([fact(1.0)], [fact(3.0)], same_events=True)
    assert apart.how == "independent estimates"
    assert same.how == "as if independent, on the same events"
    assert (apart.lower, apart.upper) == pytest.approx((2 - math.sqrt(2), 2 + math.sqrt(2)))
    assert apart.text == "IDR +2 (+0.59 to +3.41)"


def test_the_first_figure_that_moved_leads():
    held = deltas(
        [Fact("Said", "a", "text"), Fact("A", 1, "count"), Fact("B", 1, "count")],
        [Fact("Said", "b", "text"), Fact("A", 1, "count"), Fact("B", 4, "count")],
        same_events=False,
    )
    assert lead(held).fact == "B"
    assert lead(held[:2]).fact == "A"
    assert lead(held[:1]) is None
    assert table(held)["change"].tolist()[1:] == [0.0, 3.0]
    assert in_words(held)["change"].tolist() == ["–", "0", "+3"]
