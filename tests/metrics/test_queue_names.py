"""Does each key of reviewers, hours and minutes speak of one queue, and does no queue lend its name to another?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.metrics.queue.names import TOGETHER, named
from riskbench.metrics.queue.staff import teams

DAY_AND_NIGHT = "mon-fri 09:00-18:00"


def cases(*queues, tongues=None, rows=400):
    """Return cases of four weeks, one queue after the other in turn; the first queue has twice as many."""
    turn = [queues[0], *queues]
    held = {
        "id": np.arange(rows),
        "at": pd.Timestamp("2026-03-02") + pd.to_timedelta(np.arange(rows) * 28 * 24 * 60 // rows, unit="m"),
        "kind": [turn[n % len(turn)] for n in range(rows)],
    }
    if tongues is not None:
        second = [tongues[0], *tongues]
        held["tongue"] = [second[n % len(turn)] for n in range(rows)]
    frame = pd.DataFrame(held)
    frame.loc[rows - 1, "at"] = pd.Timestamp("2026-03-29 23:59")
    return rb.read(frame, roles=rb.Roles(id="id", time="at"))


def simulate(events, **given):
    return rb.simulate_queue(events, **{"minutes": 5, "queue": "kind", "replications": 20, "weeks": 2, **given})


def test_a_queue_that_reads_as_shifts_is_a_queue_where_the_data_says_so():
    found = simulate(cases("24x7", "office"), reviewers={"24x7": 1, "office": 3}, hours=DAY_AND_NIGHT)
    assert found.frame()["team"].tolist()[:2] == [f"1 {DAY_AND_NIGHT}", f"3 {DAY_AND_NIGHT}"]
    alone = simulate(cases("24x7"), reviewers={"24x7": 2}, hours=DAY_AND_NIGHT)
    assert alone.frame()["team"].tolist() == [f"2 {DAY_AND_NIGHT}"]
    shared = simulate(cases("cards", "payouts"), reviewers={"24x7": 2})
    assert shared.frame()["team"].tolist()[:2] == ["2 24x7", "2 24x7"]


@pytest.mark.parametrize(
    ("reviewers", "words"),
    [
        ({"24x7": 1, DAY_AND_NIGHT: 2}, "mixes queues and shifts"),
        ({"office": 1, DAY_AND_NIGHT: 2}, "mixes queues and shifts"),
        ({"nobody": 1, DAY_AND_NIGHT: 2}, "mixes queues and shifts"),
        ({"24x7": 1}, "leaves out a queue"),
        ({"24x7": 1, "offices": 2}, "did you mean 'office'"),
    ],
)
def test_what_reads_both_ways_is_refused(reviewers, words):
    with pytest.raises(ParameterError, match=words):
        simulate(cases("24x7", "office"), reviewers=reviewers)


def test_a_missing_queue_and_one_called_missing_stay_apart():
    found = simulate(cases("(missing)", None), reviewers={"'(missing)'": 1, None: 2})
    table = found.frame().set_index("queue")
    assert table.loc["'(missing)'", "team"].startswith("1 ")
    assert table.loc["(missing)", "team"].startswith("2 ")
    assert table.loc["'(missing)'", "cases"] > 1.5 * table.loc["(missing)", "cases"]
    assert found.frame("hours").groupby("queue")["hour"].count().eq(168).all()


def test_joined_names_stay_apart():
    events = cases("a / b", "a", tongues=["c", "b / c"])
    found = simulate(events, language="tongue", reviewers={("a / b", "c"): 1, ("a", "b / c"): 2})
    table = found.frame().set_index("queue")["team"]
    assert table["'a / b' / 'c'"].startswith("1 ")
    assert table["'a' / 'b / c'"].startswith("2 ")


def test_a_queue_is_never_called_as_the_total_is():
    found = simulate(cases(TOGETHER, "b"), reviewers=1)
    assert found.frame()["queue"].tolist() == ["'(all queues)'", "b", TOGETHER]
    staffed = rb.staffing(cases(TOGETHER, "b"), queue="kind", minutes=5, reviewers=[1], replications=20)
    assert staffed.frame("enough")["queue"].is_unique


part = st.none() | st.sampled_from(["a", "a / b", "b", "(missing)", "'a'", "'(missing)'", TOGETHER, "a (2)", "' / '"])


@settings(max_examples=200, deadline=None)
@given(st.sets(st.tuples(part) | st.tuples(part, part), min_size=1, max_size=12))
def test_no_two_queues_bear_one_name(parts):
    held = named(sorted(parts, key=repr))
    assert len({*held, TOGETHER}) == len(parts) + 1


@pytest.mark.parametrize("what", ["reviewers", "minutes"])
def test_reviewers_and_minutes_read_their_keys_in_one_way(what):
    given = {"reviewers": 1, "minutes": 5.0}
    for events, keys in (
        (cases(0, 1), (0, np.int64(1))),
        (cases("x", None), ("x", None)),
        (cases("x", None), ("x", float("nan"))),
        (cases("x", "y", tongues=["p", "q"]), (("x", "p"), ("y", "q"))),
    ):
        named_too = {"language": "tongue"} if isinstance(keys[0], tuple) else {}
        simulate(events, **{**given, what: dict.fromkeys(keys, 2)}, **named_too)
    with pytest.raises(ParameterError, match="twice"):
        simulate(cases(0, 1), **{**given, what: {0: 2, "0": 3, 1: 2}})
    with pytest.raises(ParameterError, match="no such queue"):
        simulate(cases(0, 1), **{**given, what: {0: 2, 1: 2, ("0", "1"): 2}})


def test_shifts_within_a_queue_are_shifts():
    night = teams({"24x7": {"24x7": 2, DAY_AND_NIGHT: 1}}, "24x7", ["24x7"])[0]
    assert night.told() == f"2 24x7, 1 {DAY_AND_NIGHT}"
