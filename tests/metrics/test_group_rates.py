"""Do intervals of shares and of their differences hold the truth, with weights and with events that come together?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.metrics.group_rates import apart, share
from riskbench.metrics.intervals import wilson

#: Of 600 draws an interval of 95 % misses more than 8 % or fewer than 2.2 % with a chance below 1 in 1,000.
MISSED = (0.018, 0.083)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_equal_weights_are_wilson(parts):
    held = share(np.array(parts), np.ones(len(parts)))
    value, lower, upper = (float(end) for end in wilson(sum(parts), len(parts)))
    assert (held.value, held.lower, held.upper) == pytest.approx((value, lower, upper))


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 50)), min_size=1, max_size=60))
def test_a_share_lies_within_its_ends_and_scale_does_not_matter(rows):
    part, weight = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    held, scaled = share(part, weight), share(part, 7 * weight)
    assert 0 <= held.lower <= held.value <= held.upper <= 1
    assert held.bearing <= len(rows) + 1e-9
    assert scaled.value == pytest.approx(held.value)
    assert (scaled.lower, scaled.upper) == pytest.approx((held.lower, held.upper))


def test_nothing_is_not_measurable():
    held = share(np.zeros(0, dtype=bool), np.zeros(0))
    assert held.value is None
    assert apart(held, share(np.ones(5, dtype=bool), np.ones(5))).difference is None


def test_the_difference_turns_its_sign_with_the_groups():
    one, other = (share(np.arange(90) < hits, np.ones(90)) for hits in (5, 30))
    there, back = apart(one, other), apart(other, one)
    assert (there.difference, there.lower, there.upper) == pytest.approx((-back.difference, -back.upper, -back.lower))
    assert there.p == pytest.approx(back.p)


def _missed(draw) -> float:
    rng = np.random.default_rng(11)
    return float(np.mean([draw(rng) for _ in range(600)]))


def test_differences_of_rare_insults_hold_the_truth():
    def draw(rng):
        one, other = (share(rng.random(n) < p, np.ones(n)) for n, p in ((120, 0.05), (2_000, 0.03)))
        held = apart(one, other)
        return not held.lower <= 0.02 <= held.upper

    assert MISSED[0] < _missed(draw) < MISSED[1]


def test_weights_of_a_let_through_hold_the_truth_where_plain_counts_do_not():
    plain = []

    def draw(rng):
        stopped = rng.random(4_000) < 0.1  # history stopped a tenth of the good events and let 10 % of these pass
        seen = ~stopped | (rng.random(4_000) < 0.1)
        hit = stopped | (rng.random(4_000) < 0.02)
        weight = np.where(stopped, 10.0, 1.0)[seen]
        held, naive = share(hit[seen], weight), share(hit[seen], np.ones(int(seen.sum())))
        truth = 0.1 + 0.9 * 0.02
        plain.append(not naive.lower <= truth <= naive.upper)
        return not held.lower <= truth <= held.upper

    assert MISSED[0] < _missed(draw) < MISSED[1]
    assert np.mean(plain) > 0.9


def test_events_of_one_buyer_tell_less_than_separate_ones():
    plain = []

    def draw(rng):
        buyer = np.repeat(np.arange(150), 8)
        hit = (rng.random(150) < 0.1)[buyer]
        held, naive = share(hit, np.ones(1_200), buyer), share(hit, np.ones(1_200))
        plain.append(not naive.lower <= 0.1 <= naive.upper)
        return not held.lower <= 0.1 <= held.upper

    assert _missed(draw) < MISSED[1]
    assert np.mean(plain) > 0.3
