"""Does the queue serve as a plain discrete-event loop does, and do its intervals hold the truth?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import queue_oracle
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError
from riskbench.metrics.queue.cases import Cases
from riskbench.metrics.queue.hours import WEEK, minutes_ahead, open_minutes
from riskbench.metrics.queue.loops import by_rank, first_come
from riskbench.metrics.queue.replay import Plan, replay, scattered
from riskbench.metrics.queue.staff import teams

#: A mean of a long simulation of M/M/c at 70 % load lies within 5 % of Erlang's; the seed is fixed.
ERLANG = 0.05

HOURS = (
    "24x7",
    "mon-fri 09:00-18:00",
    "mon-sun 22:00-06:00",
    "tue 10:00-10:30, fri 12:00-20:00",
    "sat-mon 08:00-12:00",
)
moments = st.lists(st.floats(0, 3 * WEEK, allow_nan=False), max_size=40)


@st.composite
def queues(draw):
    arrive = sorted(draw(moments))
    if draw(st.booleans()):  # ties, on the minute
        arrive = [float(round(moment / 60) * 60) for moment in arrive]
    size = len(arrive)
    return {
        "arrive": arrive,
        "work": draw(st.lists(st.floats(0.01, 3_000), min_size=size, max_size=size)),
        "rank": draw(st.lists(st.integers(0, 3).map(float), min_size=size, max_size=size)),
        "patience": draw(st.sampled_from([math.inf, 60.0, 1_500.0])),
        "calendars": [open_minutes(draw(st.sampled_from(HOURS))) for _ in range(draw(st.integers(0, 4)))],
        "absent": draw(st.lists(st.booleans(), min_size=7, max_size=7)),
    }


def ours(held, *, ranked):
    count = len(held["calendars"])
    lines = [minutes_ahead(line) for line in held["calendars"]]
    ahead = np.stack(lines) if lines else np.zeros((0, WEEK), np.int32)
    absent = np.array([np.roll(held["absent"], turn) for turn in range(count)], dtype=bool).reshape(count, 7)
    arrive, work = np.array(held["arrive"]), np.array(held["work"])
    expire = arrive + held["patience"]
    if ranked:
        return by_rank(arrive, work, expire, np.array(held["rank"]), ahead, absent).tolist()
    return first_come(arrive, work, expire, ahead, absent).tolist()


def oracle(held, *, ranked, until):
    absent = [np.roll(held["absent"], turn).tolist() for turn in range(len(held["calendars"]))]
    return queue_oracle.serve(
        held["arrive"],
        held["work"],
        expire=[moment + held["patience"] for moment in held["arrive"]],
        calendars=held["calendars"],
        absent=absent,
        rank=held["rank"] if ranked else None,
        until=until,
    )


@settings(max_examples=60, deadline=None)
@given(queues(), st.booleans())
def test_every_case_begins_when_the_plain_loop_begins_it(held, ranked):
    found = ours(held, ranked=ranked)
    finite = [begin for begin in found if math.isfinite(begin)]
    until = max([*finite, *held["arrive"], 0.0]) + 2 * WEEK
    theirs = oracle(held, ranked=ranked, until=until)
    assert found == pytest.approx(theirs, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(queues())
def test_no_reviewer_idles_while_a_case_waits(held):
    begin = np.array(ours(held, ranked=False))
    arrive, work = np.array(held["arrive"]), np.array(held["work"])
    ends = begin + work
    for case in np.flatnonzero(np.isfinite(begin) & (begin > arrive + 1e-9)):
        moment = (arrive[case] + begin[case]) / 2
        busy = int(((begin <= moment) & (ends > moment)).sum())
        absent = [np.roll(held["absent"], turn).tolist() for turn in range(len(held["calendars"]))]
        idle = [
            place
            for place, calendar in enumerate(held["calendars"])
            if queue_oracle.there(calendar, absent[place], moment)
        ]
        assert len(idle) <= busy, "somebody is there, and not at work"


@settings(max_examples=60, deadline=None)
@given(queues())
def test_one_more_reviewer_delays_nobody_and_equal_ranks_are_first_come(held):
    held = {**held, "patience": math.inf, "absent": [False] * 7}
    if not held["calendars"]:
        return
    more = {**held, "calendars": [*held["calendars"], held["calendars"][0]]}
    same = [held["calendars"][0]] * len(held["calendars"])
    fewer = ours({**held, "calendars": same}, ranked=False)
    assert all(
        b <= a + 1e-6 for a, b in zip(fewer, ours({**more, "calendars": [*same, same[0]]}, ranked=False), strict=True)
    )
    even = {**held, "rank": [0.0] * len(held["arrive"])}
    assert ours(even, ranked=True) == pytest.approx(ours(held, ranked=False))


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (3, 0.7), (8, 0.85)])
def test_waits_are_those_of_erlang(servers, load):
    rng = np.random.default_rng(5)
    size, minutes = 600_000, 5.0
    rate = load * servers / minutes
    arrive = np.cumsum(rng.exponential(1 / rate, size))
    ahead = np.zeros((servers, WEEK), dtype=np.int32)
    begin = first_come(
        arrive, rng.exponential(minutes, size), np.full(size, np.inf), ahead, np.zeros((servers, 1), dtype=bool)
    )
    assert (begin - arrive).mean() == pytest.approx(queue_oracle.erlang_c(rate, minutes, servers), rel=ERLANG)


# -- the verbs ---------------------------------------------------------------------------------------------


def history(seed, *, weeks=8, a_week=300.0, spread=0.0, columns=None):
    """Return a dataset of cases: a Poisson stream, busier by day, whose weeks differ by a lognormal factor."""
    rng = np.random.default_rng(seed)
    level = np.exp(spread * rng.standard_normal(weeks) - spread**2 / 2)
    counts = rng.poisson(a_week * level)
    week = np.repeat(np.arange(weeks), counts)
    day = rng.choice(7, len(week), p=[0.16, 0.16, 0.16, 0.16, 0.16, 0.1, 0.1])
    hour = np.clip(rng.normal(14, 5, len(week)), 0, 23.99)
    at = pd.Timestamp("2026-03-02") + pd.to_timedelta(week * 7 * 24 + day * 24 + hour, unit="h")
    fraud = rng.random(len(week)) < 0.2
    frame = pd.DataFrame(
        {
            "id": np.arange(len(week)),
            "at": at,
            "amount": rng.lognormal(4, 1, len(week)).round(2),
            "fraud": fraud.astype(int),
        }
    )
    for name, values in (columns or {}).items():
        frame[name] = rng.choice(values, len(frame))
    edges = pd.DataFrame(
        {
            "id": [-1, -2],
            "at": [pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-02") + pd.Timedelta(weeks=weeks, seconds=-1)],
        }
    )
    return rb.read(
        pd.concat([frame, edges], ignore_index=True), roles=rb.Roles(id="id", time="at", amount="amount", label="fraud")
    )


def test_the_answer_stands_and_its_parts_add_up():
    cases = history(1, columns={"kind": ["cards", "payouts"], "tongue": ["id", "en"]})
    found = rb.simulate_queue(
        cases, reviewers=1, minutes=12, queue="kind", language="tongue", breach_cost=1.0, replications=40
    )
    table = found.frame()
    named = ["cards / en", "cards / id", "payouts / en", "payouts / id", "(missing) / (missing)"]
    assert table["queue"].tolist() == [*named, "(all queues)"]
    for name in ("cases", "breaches", "expired", "backlog_end"):
        assert table[name].iloc[:-1].sum() == pytest.approx(table[name].iloc[-1])
    assert found.frame("hours").groupby("queue")["hour"].count().eq(168).all()
    assert (found.frame("hours")["backlog"] >= 0).all()
    assert found.frame("staffing")["change"].isin(["one more", "one fewer"]).all()
    assert found.grounds is not None
    assert "not measured" in " ".join(found.notes)


def test_row_order_does_not_matter():
    cases = history(2)
    turned = cases.take(np.random.default_rng(0).permutation(cases.rows))
    one, other = (rb.simulate_queue(held, reviewers=1, minutes=9, replications=30) for held in (cases, turned))
    pd.testing.assert_frame_equal(one.frame(), other.frame())


def test_value_first_saves_more_where_value_ages():
    kwargs = {"reviewers": 1, "minutes": 11, "expires_after": "24h", "replications": 60, "hours": "mon-fri 09:00-18:00"}
    cases = history(3)
    first, value = (rb.simulate_queue(cases, order=order, **kwargs) for order in ("first come", "value"))
    assert first.frame()["expired"].iloc[0] > 5
    assert value.frame()["value_per_hour"].iloc[0] > first.frame()["value_per_hour"].iloc[0]


def test_the_worth_of_one_more_is_what_it_saves_less_what_it_costs():
    found = rb.simulate_queue(
        history(4), reviewers=1, minutes=11, breach_cost=2.0, expires_after="48h", lost_per_hour=0.01, replications=40
    )
    for row in found.frame("staffing").to_dict("records"):
        assert row["worth"] == pytest.approx(row["saved_value"] - 2.0 * row["breaches"] - row["cost"])
    more = found.frame("staffing").set_index("change").loc["one more"]
    assert more["cost"] == pytest.approx(45 * 60 * 0.5)
    assert more["breaches"] < 0 < more["saved_value"]


def test_staffing_names_the_smallest_number_that_is_enough():
    found = rb.staffing(
        history(5), minutes=10, hours="24x7", verify_within="1h", reviewers=range(1, 6), replications=60
    )
    levels = found.frame()
    assert levels["within_share"].is_monotonic_increasing
    wanted = levels[levels["within_share_lower"] >= 0.95]["reviewers"].min()
    assert found.frame("enough")["reviewers"].iloc[0] == wanted
    short = rb.staffing(history(5), minutes=500, reviewers=[0, 1], replications=30)
    assert short.headline()[0].value is None
    assert "short of" in short.frame("enough")["reason"].iloc[0]


def test_measured_minutes_are_used_and_holes_are_filled_from_the_others():
    cases = history(6, columns={"took": [5.0, 7.0]})
    found = rb.simulate_queue(cases, reviewers=2, minutes="took", hours="24x7", replications=30)
    row = found.frame().iloc[0]
    assert row["utilisation"] * 2 * WEEK == pytest.approx(row["cases"] * 6.0, rel=0.02)


def test_shifts_are_told_apart_from_queues():
    night = teams({"mon-fri 06:00-14:00": 2, "mon-fri 14:00-22:00": 1}, "24x7", ["a"])[0]
    assert night.size == 3
    assert night.calendars().sum(axis=0)[7 * 60] == 2
    assert night.calendars().sum(axis=0)[15 * 60] == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reviewers": 1.5}, "whole number"),
        ({"reviewers": {"nobody": 2}}, "no such queue"),
        ({"reviewers": -1}, "whole number"),
        ({"hours": "mon-fri 9-18"}, "not understood"),
        ({"hours": "mon-fry 09:00-18:00"}, "no day"),
        ({"verify_within": "soon"}, "period"),
        ({"verify_within": "0h"}, "period"),
        ({"minutes": -3}, "minutes"),
        ({"minutes": True}, "minutes"),
        ({"order": "values"}, "did you mean 'value'"),
        ({"arrivals": "week"}, "did you mean 'weeks'"),
        ({"spread": "normal"}, "no spread"),
        ({"lost_per_hour": 2}, "share"),
        ({"absence": 1.0}, "share"),
        ({"weeks": 0}, "whole number"),
        ({"replications": 5}, "whole number"),
        ({"breach_cost": -1.0}, "amount of money"),
        ({"breach_cost": float("nan")}, "amount of money"),
        ({"seed": -1}, "whole number"),
    ],
)
def test_bad_input_is_answered(changes, words):
    with pytest.raises(ParameterError, match=words):
        rb.simulate_queue(history(7), **{"reviewers": 1, **changes})


def test_what_is_no_queue_is_answered():
    cases = history(8)
    with pytest.raises(ParameterError, match="Simulation, or of a Dataset"):
        rb.simulate_queue([1, 2], reviewers=1)
    with pytest.raises(ColumnNotFoundError, match="did you mean 'amount'"):
        rb.simulate_queue(cases, reviewers=1, queue="amuont")
    with pytest.raises(DataError, match="too few"):
        rb.simulate_queue(cases.between("2026-03-02", "2026-03-08"), reviewers=1)
    with pytest.raises(DataError, match="when its cases came"):
        rb.simulate_queue(rb.read(pd.DataFrame({"id": [1]}), roles=rb.Roles(id="id")), reviewers=1)
    with pytest.raises(ParameterError, match="numbers to try"):
        rb.staffing(cases, reviewers=3)
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules:\n  - {id: A, when: amount < 0, outcome: review, status: live}\n"
    )
    with pytest.raises(DataError, match="no case to review"):
        rb.simulate_queue(rb.simulate(book, cases), reviewers=1)


def test_nobody_and_no_money_are_said_and_not_made_up():
    frame = history(9).frame(["id", "at"])
    found = rb.simulate_queue(rb.read(frame, roles=rb.Roles(id="id", time="at")), reviewers=0, replications=20)
    row = found.frame().iloc[0]
    assert row["within_share"] == 0
    assert np.isnan(row["utilisation"])
    facts = {fact.name: fact for fact in found.headline()}
    assert facts["One more reviewer is worth, a week"].value is None
    assert facts["Utilisation"].value is None
    assert "What a review saves" in found.grounds.not_measurable


# -- a light version of benchmarks/review_queue.py ----------------------------------------------------------------


def arrivals(rng, weeks):
    level = np.exp(0.15 * rng.standard_normal(weeks) - 0.15**2 / 2)
    week = np.repeat(np.arange(weeks), rng.poisson(150 * level))
    day = rng.choice(7, len(week), p=[0.16, 0.16, 0.16, 0.16, 0.16, 0.1, 0.1])
    return np.sort(week * WEEK + day * 1440 + np.clip(rng.normal(14, 5, len(week)), 0, 23.99) * 60)


def plan_for(moment, weeks, *, seed):
    nothing = np.zeros(len(moment))
    cases = Cases(
        moment, (moment // WEEK).astype(np.int64), weeks, nothing.astype(np.int64), ("a",), None, nothing, nothing,
        money=False, currency="", span="", notes=(), inferred=0.0, fingerprint="",
    )  # fmt: skip
    return Plan(
        cases=cases, weeks=weeks, minutes=(16.0,), spread="lognormal", within=24.0, expires=math.inf, lost=0.0,
        absence=0.0, order="first come", arrivals="weeks", replications=60, seed=seed,
    )  # fmt: skip


def test_intervals_hold_the_expectation():
    """Breaches a week are an expectation over other histories; the Poisson interval of one path's count misses it."""
    rng, weeks, team = np.random.default_rng(7), 8, teams(1, "mon-fri 09:00-18:00", ["a"])[0]
    told = []
    for _ in range(1_500):
        moment = arrivals(rng, weeks)
        begin = first_come(
            moment, work := 16.0 * scattered(rng, len(moment), "lognormal"), np.full(len(moment), np.inf), team.ahead(),
            np.zeros((1, 1), dtype=bool),
        )  # fmt: skip
        told.append((begin + work - moment > 1_440).sum() / weeks)
    truth, held, naive, runs = np.mean(told), 0, 0, 150
    for seed in range(runs):
        plan = plan_for(arrivals(np.random.default_rng(seed), weeks), weeks, seed=seed)
        told = replay(plan, [[team]], whole=False)
        seen, other = (held_.of("late")[:, 0, 0] / weeks for held_ in (told.seen, told.other))
        mean, low, high = told.interval(plan, seen, other, 0)
        held += low <= truth <= high
        naive += abs(mean - truth) <= 1.96 * math.sqrt(mean / weeks)
    # With 95 %, fewer than 130 of 150 come about with p < 1e-4.
    assert held >= 130
    assert naive < 130


@pytest.mark.parametrize("name", ["queue", "language", "value", "order", "spread", "arrivals", "costs"])
@pytest.mark.parametrize("odd", [[1], np.array([1, 2]), 7])
def test_what_is_no_name_is_answered(name, odd):
    with pytest.raises((ParameterError, ColumnNotFoundError)):
        rb.simulate_queue(history(1), reviewers=1, replications=20, **{name: odd})


def test_weeks_without_a_case_reach_no_level():
    at = pd.to_datetime(["1975-01-01", "2026-01-05", "2026-01-06"])
    cases = rb.read(pd.DataFrame({"id": range(3), "at": at}), roles=rb.Roles(id="id", time="at"))
    found = rb.staffing(cases, reviewers=[1], replications=20)
    assert found.enough["reason"].tolist() == ["too few cases in the weeks that were drawn"]
    assert "nan" not in found._repr_html_()


def without_money():
    return rb.read(history(9).frame(["id", "at"]), roles=rb.Roles(id="id", time="at"))


def test_money_that_nobody_knows_is_never_nought():
    at = pd.to_datetime(["1975-01-01", "2026-01-05", "2026-01-06"])
    rare = rb.read(pd.DataFrame({"id": range(3), "at": at}), roles=rb.Roles(id="id", time="at"))
    for cases in (rare, without_money()):
        for reviewers in (0, 1):
            row = rb.simulate_queue(cases, reviewers=reviewers, weeks=2, replications=20).frame().iloc[0]
            assert np.isnan(row[["value_per_hour", "value_per_hour_lower", "value_per_review"]].astype(float)).all()
        found = rb.staffing(cases, reviewers=[0, 1], weeks=2, replications=20)
        assert found.frame("enough")["best_reviewers"].isna().all()
        assert found.frame()["saved_value"].isna().all()
        assert "Worth most" not in repr(found)
        assert "What a review saves" in found.grounds.not_measurable


def test_whole_numbers_of_any_kind_are_taken():
    cases = history(7)
    given = {"reviewers": np.int8(1), "seed": np.uint8(3), "weeks": np.int64(2), "replications": np.int32(20)}
    same = {name: int(value) for name, value in given.items()}
    one, other = (rb.simulate_queue(cases, **held) for held in (given, same))
    pd.testing.assert_frame_equal(one.frame(), other.frame())
    for name in given:
        for odd in (True, np.True_, 20.0, "20"):
            with pytest.raises(ParameterError, match="whole number"):
                rb.simulate_queue(cases, **{**given, name: odd})


def test_what_no_memory_holds_is_refused_with_what_would_be_held():
    cases = history(7, columns={"kind": [f"q{n}" for n in range(60)]})
    with pytest.raises(ParameterError, match=r"GB of memory(.|\n)*replications of so many weeks"):
        rb.simulate_queue(cases, reviewers=1, queue="kind", weeks=520, replications=10_000)
    with pytest.raises(ParameterError, match=r"GB of memory(.|\n)*fewer weeks, queues or reviewers"):
        rb.simulate_queue(cases, reviewers=2_000, queue="kind", weeks=520, replications=20, absence=0.1)
    with pytest.raises(ParameterError, match="GB of memory"):
        rb.staffing(cases, reviewers=range(50), queue="kind", replications=10_000)


def test_few_weeks_are_said_to_leave_out_that_weeks_differ():
    few, many = history(1, weeks=3), history(1, weeks=8)
    told = [rb.simulate_queue(cases, reviewers=1, replications=20) for cases in (few, many)]
    assert "only the chance of single cases" in " ".join(told[0].notes)
    assert "weeks differ" in told[0].grounds.not_measurable.lower()
    assert "only the chance of single cases" not in " ".join(told[1].notes)
    assert "weeks differ" not in told[1].grounds.not_measurable.lower()


def test_money_on_a_page_is_rounded():
    costs = {"review_minutes": 900, "minute_cost": 1_234.5678}
    page = rb.staffing(history(4), reviewers=[1, 2], costs=costs, replications=20)._repr_html_()
    assert "-3.33 M" in page
    assert "-3,33" not in page
