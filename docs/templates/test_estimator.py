"""An estimator lands with a slow oracle or a law, and with the shapes of data that break things."""

from __future__ import annotations

import numpy as np
from estimator import insult_share
from hypothesis import given
from hypothesis import strategies as st

rows = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=50)


def oracle(events: list[tuple[bool, bool]]) -> float | None:
    """Say the same in plain Python, one event after the other."""
    good = [hit for hit, is_good in events if is_good]
    return sum(good) / len(good) if good else None


def arrays(events: list[tuple[bool, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([hit for hit, _ in events], dtype=bool), np.array([good for _, good in events], dtype=bool)


@given(rows)
def test_equals_the_oracle(events):
    assert insult_share(*arrays(events))[0] == oracle(events)


@given(rows, st.randoms(use_true_random=False))
def test_order_does_not_matter(events, random):
    shuffled = list(events)
    random.shuffle(shuffled)
    assert insult_share(*arrays(events)) == insult_share(*arrays(shuffled))


@given(rows)
def test_hitting_more_never_insults_less(events):
    hit, good = arrays(events)
    less, more = insult_share(hit, good)[0], insult_share(hit | True, good)[0]
    assert less is None or less <= more


def test_without_good_events_it_is_not_measurable():
    assert insult_share(*arrays([])) == (None, 0)
    assert insult_share(*arrays([(True, False)])) == (None, 0)
