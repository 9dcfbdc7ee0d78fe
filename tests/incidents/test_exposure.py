"""What an incident cost: the figures against plain Python, and the laws that money keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.marketplace import runs
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError
from riskbench.incidents.balance import OTHERS, balances, paid_by, summed
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.exposure import PER_DAY, cost
from riskbench.incidents.losses import recent_rate
from riskbench.incidents.pending import fraud_chances, pace
from riskbench.incidents.scope import scope_of
from riskbench.metrics.maturity import delay_curve

START, END, ASOF = "2026-03-10", "2026-03-12", "2026-03-14"
HOUR = pd.Timedelta("1h")
RUNS = ["2026-03-11T09:00", "2026-03-13T09:00", "2026-03-15T09:00", "2026-03-17T09:00"]
PAYOUTS = {"payee": "creator", "money": "commission", "runs": RUNS}


def events(rows, *, roles=None, **kw):
    """Return a dataset of rows: hours since the start, verdict, delay in hours, outcome, money, payee."""
    frame = pd.DataFrame(
        rows, columns=["hour", "fraud", "delay", "outcome", "amount", "commission", "creator", "caused_by"]
    )
    frame["id"] = [f"e{place}" for place in range(len(frame))]
    frame["at"] = pd.Timestamp(START) + pd.to_timedelta(frame["hour"], unit="h")
    frame["told"] = frame["at"] + pd.to_timedelta(frame["delay"], unit="h")
    frame["fraud"] = frame["fraud"].astype("Int64")
    for name in ("creator", "caused_by", "outcome"):
        frame[name] = frame[name].astype("string")
    held = {
        "id": "id", "time": "at", "label": "fraud", "label_time": "told", "amount": "amount", "outcome": "outcome",
        "currency": "EUR", "measures": {"commission": "commission"}, **(roles or {}),
    }  # fmt: skip
    held = {name: value for name, value in held.items() if value is not None}
    dataset = rb.read(frame.drop(columns=["hour", "delay"]), roles=rb.Roles(**held))
    from dataclasses import replace

    return replace(dataset, mature_after=20.0, caused_by="caused_by", **kw)


def baseline(n=40):
    """Return old events: half of the frauds told after a day, half after four."""
    return [
        (-24.0 * 20 - place / 7, place % 2, 24.0 if place % 4 == 1 else 96.0, "approve", 10.0, 1.0, "old", None)
        for place in range(n)
    ]


def asked(rows, *, by="segments", payouts=None, roles=None, asof=ASOF, scope_only=False, **kw):
    dataset = events([*baseline(), *rows], roles=roles, **kw)
    scope = scope_of(rb.Incident(START, END), dataset, asof=asof)
    cluster = Cluster(np.flatnonzero(scope.current), "all of the window", None, by)
    return scope if scope_only else cost(scope, cluster, payouts=payouts)


def part(found, name):
    return found.frame().set_index("part").loc[name]


# Balances


accrued = st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 2**40)), max_size=40)
schedules = st.lists(st.integers(0, 50), min_size=1, max_size=6).map(lambda held: sorted(set(held)))


@given(accrued, schedules)
@example([(5, 10), (6, 7)], [5])
def test_what_is_paid_before_and_what_is_frozen_is_all(rows, moments):
    at, money = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    run = paid_by(at, np.array(moments, dtype=np.int64))
    held = balances(run, money, len(moments))
    total = sum(amount for _, amount in rows)
    assert held.total == total
    assert int(held.due.sum()) == total
    assert int(held.events.sum()) == len(rows)
    for place, moment in enumerate(moments):
        earlier = moments[place - 1] if place else -(10**9)
        assert held.due[place] == sum(m for t, m in rows if earlier < t <= moment)
        assert held.before[place] == sum(m for t, m in rows if t <= earlier)
        assert held.frozen[place] == sum(m for t, m in rows if t > earlier)
        assert held.before[place] + held.frozen[place] == total
    assert held.due[-1] == sum(m for t, m in rows if t > moments[-1])
    assert (np.diff(held.frozen) <= 0).all(), "waiting never freezes more"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**55)), max_size=30))
def test_sums_of_money_are_exact(rows):
    code, money = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    assert summed(code, money, 5).tolist() == [sum(m for c, m in rows if c == code) for code in range(5)]


# Chances


def slow_chances(rows, curves):
    """Say in plain Python how likely each event is fraud; rows are (told source or -1, good, mute)."""
    count = sum(told >= 0 for told, _, _ in rows)
    if not count:
        return None
    shares = {}
    for source, known in curves.items():
        n = sum(told == source for told, _, _ in rows)
        if n:
            could = sum(known[place] for place, (told, _, mute) in enumerate(rows) if told >= 0 or not mute)
            shares[source] = min(1.0, n / max(could, n))
    total = sum(shares.values())
    shares = {source: share / max(1.0, total) for source, share in shares.items()}
    found = []
    for place, (told, good, mute) in enumerate(rows):
        by_now = sum(share * curves[source][place] for source, share in shares.items())
        all_ = sum(shares.values())
        if told >= 0:
            found.append(1.0)
        elif good:
            found.append(0.0)
        elif mute:
            found.append(all_)
        else:
            found.append((all_ - by_now) / (1 - by_now) if 1 - by_now > 1e-12 else 0.0)
    return min(1.0, total), found


chance = st.floats(0.0, 1.0)
told_rows = st.lists(st.tuples(st.integers(-1, 1), st.booleans(), st.booleans(), chance, chance), max_size=25)


@given(told_rows)
def test_chances_agree_with_slow_python(rows):
    kept = [(told, good and told < 0, mute and told < 0 and not good) for told, good, mute, _, _ in rows]
    curves = {source: np.array([row[3 + source] for row in rows], dtype=float) for source in (0, 1)}
    told = np.array([row[0] for row in kept], dtype=np.int64)
    good, mute = (np.array([row[place] for row in kept], dtype=bool) for place in (1, 2))
    held = fraud_chances(told, good, mute, curves)
    slow = slow_chances(kept, curves)
    if slow is None:
        assert held.share is None
        assert held.why
        assert not held.expected.any()
        return
    assert held.share == pytest.approx(slow[0])
    assert held.expected.tolist() == pytest.approx(slow[1], abs=1e-9)
    assert held.lower <= held.share + 1e-12
    assert held.share <= held.upper + 1e-12
    assert (held.expected_lower <= held.expected + 1e-9).all()
    assert (held.expected <= held.expected_upper + 1e-9).all()
    assert ((held.expected >= 0) & (held.expected <= 1 + 1e-12)).all()


def test_the_older_the_silence_the_less_likely_is_fraud():
    known = np.array([0.9, 0.0, 0.3, 0.6, 0.9])
    held = fraud_chances(np.array([0, -1, -1, -1, -1]), np.zeros(5, bool), np.zeros(5, bool), {0: known})
    assert (np.diff(held.expected[1:]) < 0).all()


def test_all_told_and_mature_leaves_nothing_pending():
    none = np.zeros(4, bool)
    held = fraud_chances(np.array([0, 0, -1, -1]), none, none, {0: np.ones(4)})
    assert held.share == 0.5
    assert held.expected.tolist() == [1.0, 1.0, 0.0, 0.0]


# The pace of verdicts


def drawn(rng, size, *, times):
    """Return delays of a lognormal divided by a factor, as far as events of two to six days can show them."""
    age = 2 + 4 * rng.random(size * 6)
    delay = 5 * np.exp(rng.normal(0, 0.5, size * 6)) / times
    seen = delay <= age
    return delay[seen][:size], age[seen][:size]


@pytest.mark.parametrize("times", [0.6, 1.7, 2.5])
def test_the_pace_of_verdicts_is_found_though_only_the_early_ones_are_seen(times):
    rng = np.random.default_rng(11)
    curve = delay_curve(5 * np.exp(rng.normal(0, 0.5, 2_000)), np.full(2_000, 100.0))
    inside = 0
    for _ in range(20):
        delay, age = drawn(rng, 150, times=times)
        held = pace(delay, age, np.zeros(len(delay), dtype=np.int64), {0: curve})
        assert held.lower <= held.factor <= held.upper
        inside += held.lower <= times <= held.upper
    assert inside >= (17 if times > 1 else 12), "0.6 is near to 1, where the interval is given up"


def test_the_pace_stays_that_of_the_baseline_unless_the_delays_speak_against_it():
    rng = np.random.default_rng(12)
    curve = delay_curve(5 * np.exp(rng.normal(0, 0.5, 2_000)), np.full(2_000, 100.0))
    ones = 0
    for _ in range(40):
        delay, age = drawn(rng, 60, times=1.0)
        ones += pace(delay, age, np.zeros(60, dtype=np.int64), {0: curve}).factor == 1.0
    assert ones >= 34
    few = pace(np.ones(5), np.full(5, 9.0), np.zeros(5, dtype=np.int64), {0: curve})
    assert few.factor == 1.0
    assert not few.told
    nothing = delay_curve([], [])
    assert pace(np.ones(50), np.full(50, 9.0), np.zeros(50, dtype=np.int64), {0: nothing}).factor == 1.0


# The rate


@given(st.lists(st.tuples(st.floats(0, 23.9), st.integers(1, 500)), min_size=1, max_size=60), st.integers(0, 3))
def test_the_rate_per_day_is_the_sum_over_the_hours(rows, seed):
    at, value = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=float)
    held = recent_rate(at, value, value, value, hours=24.0, draws=200, seed=seed)
    assert held.per_day == pytest.approx(sum(amount for _, amount in rows))
    assert held.lower <= held.per_day <= held.upper
    assert held == recent_rate(at, value, value, value, hours=24.0, draws=200, seed=seed)
    half = recent_rate(at / 2, value, value, value, hours=12.0, draws=200, seed=seed)
    assert half.per_day == pytest.approx(2 * held.per_day)
    assert half.upper == pytest.approx(2 * held.upper)


def test_events_that_come_together_make_the_interval_wider():
    ones = np.ones(96)
    spread = recent_rate(np.arange(96) / 4, ones, ones, ones, hours=24.0)
    clumped = recent_rate(np.repeat(np.arange(4.0) * 6, 24), ones, ones, ones, hours=24.0)
    assert clumped.upper - clumped.lower > 3 * (spread.upper - spread.lower) + 10


# The whole against plain Python


row = st.tuples(
    st.integers(0, 47).map(float),
    st.sampled_from([0, 1, None]),
    st.sampled_from([1.0, 30.0, 60.0, 200.0]),
    st.sampled_from(["approve", "review", "block", None]),
    st.integers(0, 10**6).map(lambda cents: cents / 100),
    st.integers(0, 10**5).map(lambda cents: cents / 100),
    st.sampled_from(["anna", "bölé", "<b>", "anna", None]),
    st.sampled_from(["R1", None]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(row, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_the_figures_agree_with_slow_python(rows, random):
    # Without a verdict there is no moment at which it was told.
    rows = [(h, f, d if f is not None else None, *rest) for h, f, d, *rest in rows]
    found = asked(rows, payouts=PAYOUTS)
    start, asof = pd.Timestamp(START), pd.Timestamp(ASOF)
    lost = pending = 0
    counts = dict.fromkeys(("lost so far", "still pending", "stopped", "caught in review", "told good"), 0)
    due: dict[tuple[str, str], int] = {}
    for hour, fraud, delay, outcome, amount, commission, creator, caused in rows:
        at = start + hour * HOUR
        told = fraud is not None and at + delay * HOUR <= asof
        cents = round(amount * 100)
        if outcome == "block":
            kind = "stopped"
        elif told and fraud == 1:
            kind = "caught in review" if outcome == "review" and caused else "lost so far"
        else:
            kind = "told good" if told else "still pending"
        counts[kind] += 1
        lost += cents * (kind == "lost so far")
        pending += cents * (kind == "still pending")
        if creator is not None and kind in ("lost so far", "still pending"):
            run = next(moment for moment in RUNS if at <= pd.Timestamp(moment))
            due[run, creator] = due.get((run, creator), 0) + round(commission * 100)
    parts = found.frame().set_index("part")
    for name, count in counts.items():
        assert parts.loc[name, "events"] == count, name
    assert parts.loc["lost so far", "loss"] == pytest.approx(lost / 100)
    assert parts.loc["still pending", "upper"] == pytest.approx(pending / 100)
    assert parts.loc["still pending", "lower"] == 0
    assert parts.loc["lost and pending", "upper"] == pytest.approx((lost + pending) / 100)
    expected = parts.loc["still pending", "loss"]
    assert expected is pd.NA or -1e-6 <= expected <= pending / 100 + 1e-6
    # Days add up to the whole.
    days = found.frame("pending")
    assert days["so_far"].sum() == pytest.approx(lost / 100)
    assert days["upper"].sum() == pytest.approx(pending / 100)
    assert days["events"].sum() == len(rows)
    if expected is not pd.NA:
        assert days["expected"].sum() == pytest.approx(expected)
        assert part(found, "lost and pending")["loss"] == pytest.approx(expected + lost / 100)
        ends = parts.loc["still pending", ["likely_lower", "loss", "likely_upper"]].astype(float).to_numpy()
        assert (np.diff(ends) >= -1e-6).all()
    # Runs and payees.
    table, payees = found.frame("runs"), found.frame("payees")
    total = sum(due.values()) / 100
    for line in table.itertuples():
        mine = {payee: cents for (run, payee), cents in due.items() if pd.Timestamp(run) == line.run}
        assert line.due == pytest.approx(sum(mine.values()) / 100)
        assert line.payees == len(mine)
        assert line.paid_before + line.frozen == pytest.approx(total)
        shown = payees[payees["run"] == line.run].set_index("payee")["due"]
        assert shown.to_dict() == pytest.approx({payee: cents / 100 for payee, cents in mine.items()})
    assert table["due"].sum() == pytest.approx(total)
    # The order of the events does not matter.
    mixed = list(rows)
    random.shuffle(mixed)
    again = asked(mixed, payouts=PAYOUTS)
    for name in ("parts", "sources", "pending", "runs", "payees"):
        pd.testing.assert_frame_equal(again.frame(name), found.frame(name), check_dtype=False)


FRAUD = (1.0, 1, 2.0, "approve", 100.0, 8.0, "anna", None)
OPEN = (36.0, None, None, "approve", 50.0, 4.0, "boris", None)


def test_the_sources_of_loss_stand_apart():
    sources = asked([FRAUD, FRAUD, OPEN]).frame("sources").set_index("source")
    assert sources.loc["commission", "so_far"] == 16
    assert sources.loc["commission", "pending"] == 4
    assert sources.loc["amount", "so_far"] == 200
    assert sources.loc["loss", "so_far"] == 200
    assert 0 <= sources.loc["loss", "expected"] <= 50


def test_only_what_was_known_by_then_counts():
    late = (1.0, 1, 80.0, "approve", 100.0, 8.0, "anna", None)
    now, then = asked([FRAUD, late]), asked([FRAUD, late], asof="2026-03-12")
    assert part(then, "lost so far")["loss"] == 100
    assert part(then, "still pending")["events"] == 1
    assert part(now, "lost so far")["loss"] == 200


def test_the_stated_share_of_the_amount_is_lost_and_what_came_back_is_not():
    from riskbench.metrics.costs import Costs

    rows = [*baseline(), FRAUD, OPEN]
    dataset = events(rows)
    column = np.where(dataset.column("amount").values == 100.0, 30.0, 0.0)
    dataset = dataset.with_columns({"back": column}).with_roles(
        measures={"commission": "commission", "recovered": "back"}
    )
    scope = scope_of(rb.Incident(START, END), dataset, asof=ASOF, costs=Costs(loss_share=0.5))
    found = cost(scope, Cluster(np.flatnonzero(scope.current), "all", None, "segments"))
    assert part(found, "lost so far")["loss"] == 100 * 0.5 - 30
    assert part(found, "still pending")["upper"] == 25


def test_a_measured_loss_stands_and_tells_that_of_the_others():
    rows = [*baseline(), *[FRAUD] * 6, OPEN]
    dataset = events(rows)
    loss = np.where(dataset.column("fraud").values == 1, 20.0, np.nan)
    dataset = dataset.with_columns({"lost": loss}).with_roles(measures={"loss": "lost", "commission": "commission"})
    scope = scope_of(rb.Incident(START, END), dataset, asof=ASOF)
    found = cost(scope, Cluster(np.flatnonzero(scope.current), "all", None, "segments"))
    assert part(found, "lost so far")["loss"] == 120
    assert part(found, "still pending")["upper"] == pytest.approx(10), "20 of 100, of an amount of 50"
    assert any("20.0 % of the amount" in note for note in found.notes)


def test_a_loss_that_is_a_sum_of_other_money_is_known_of_every_event():
    frauds = [(float(place), 1, 2.0, "approve", 100.0 + place, 8.0 + place % 3, "anna", None) for place in range(8)]
    dataset = events([*baseline(), *frauds, OPEN])
    amount, commission = (dataset.column(name).values for name in ("amount", "commission"))
    shipping = np.full(dataset.rows, 3.0)
    loss = np.where(dataset.column("fraud").values == 1, commission + shipping, np.nan)
    measures = {"loss": "lost", "commission": "commission", "shipping": "sent"}
    dataset = dataset.with_columns({"lost": loss, "sent": shipping}).with_roles(measures=measures)
    scope = scope_of(rb.Incident(START, END), dataset, asof=ASOF)
    found = cost(scope, Cluster(np.flatnonzero(scope.current), "all", None, "segments"))
    assert part(found, "still pending")["upper"] == 4.0 + 3.0
    assert any("it is the event's commission and shipping" in note for note in found.notes)
    assert (amount > loss)[dataset.column("fraud").values == 1].any()


def test_past_runs_are_paid_and_the_next_one_is_named():
    found = asked([FRAUD, OPEN], payouts=PAYOUTS)
    table = found.frame("runs")
    assert table["status"].tolist() == ["paid", "paid", "next", "later"]
    assert table["due"].tolist() == [8.0, 4.0, 0.0, 0.0]
    assert table["hours"].tolist() == [-63.0, -15.0, 33.0, 81.0]
    early = asked([FRAUD, OPEN], payouts=PAYOUTS, asof="2026-03-11T08:00")
    facts = {fact.name: fact for fact in early.headline()}
    assert facts["Freezable before the next run"].value == 12.0 - 4.0, "the second is not yet there"
    assert facts["Next payout run in"].value == "1.0 hours"
    assert facts["Next payout run in"].note.startswith("2026-03-11 09:00")
    assert facts["Paid out already"].value == 0


def test_local_times_are_those_of_the_zone():
    found = asked([FRAUD, OPEN], payouts=PAYOUTS, time_zone="Asia/Jakarta")
    assert found.frame("runs")["run_local"].iloc[0] == "2026-03-11 16:00"
    assert found.zone == "Asia/Jakarta"
    assert found.frame("curve")["at"].iloc[0] == pd.Timestamp("2026-03-10T08:00")
    assert "Asia/Jakarta" in found.plot().get_xlabel()


def test_payees_past_fifty_stand_in_one_line():
    rows = [(1.0, 1, 2.0, "approve", 10.0, float(place), f"p{place:03d}", None) for place in range(1, 61)]
    found = asked(rows, payouts=PAYOUTS)
    payees = found.frame("payees")
    assert len(payees) == 51
    assert payees["payee"].iloc[-1] == OTHERS
    assert payees["payee"].iloc[0] == "p060"
    assert payees["due"].sum() == found.frame("runs")["due"].sum() == sum(range(1, 61))
    assert payees["due_share"].sum() == pytest.approx(1)
    assert found.frame("runs")["payees"].iloc[0] == 60


def test_a_mixed_cluster_is_not_taken_for_fraud_as_a_whole(market):
    """Half of the live or cash-on-delivery orders of the raid's days are honest, and their frauds are told early."""
    held = market.incidents.loc[0]
    window = rb.Incident(str(held["starts_at"]), str(held["ends_at"]))
    scope = scope_of(window, market.datasets["transactions"], asof="2026-11-15T17:00")
    frame = scope.dataset.frame(["order_id", "is_live_session", "payment_method", "outcome"])
    wide = (frame["is_live_session"] | (frame["payment_method"] == "cod")).to_numpy()
    rows = np.flatnonzero(scope.current & wide & (scope.state.state != 0))
    found = cost(scope, Cluster(rows, "live or cash on delivery", None, "segments"))
    loss = market.truth.set_index("event_id")["loss"].reindex(frame["order_id"].iloc[rows]).fillna(0.0).to_numpy()
    real = loss[(frame["outcome"] != "block").to_numpy()[rows]].sum()
    both = part(found, "lost and pending")
    assert both["likely_lower"] < real < both["upper"]
    assert both["loss"] < 0.75 * both["upper"]
    assert any("times as fast as in the baseline" in note for note in found.notes)


# What is not measurable


def test_without_labels_only_bounds_are_told():
    found = asked([FRAUD, OPEN], roles={"label": None, "label_time": None}, payouts=PAYOUTS)
    held = part(found, "still pending")
    assert held["loss"] is pd.NA
    assert (held["lower"], held["upper"]) == (0, 150)
    assert any("no labels" in note for note in found.notes)
    facts = {fact.name: fact for fact in found.headline()}
    assert facts["Still pending"].value is None
    assert "up to EUR 150" in facts["Still pending"].note
    assert facts["Per day without containment"].value is None
    assert found.frame("runs")["due"].sum() == 12


def test_without_a_told_fraud_the_pending_is_not_measurable():
    held = asked([OPEN, OPEN])
    assert part(held, "still pending")["loss"] is pd.NA
    assert part(held, "still pending")["upper"] == 100
    assert any("no fraud of the suspected events is told yet" in note for note in held.notes)


def test_told_frauds_alone_say_nothing_of_the_pending():
    found = asked([FRAUD, FRAUD], by="labels")
    held = part(found, "still pending")
    assert held["loss"] is pd.NA
    assert held["upper"] is pd.NA
    assert any("lie outside" in note for note in found.notes)


def test_events_told_good_show_how_many_of_the_others_are_not_fraud():
    good = [(float(place), 0, 2.0, "approve", 100.0, 8.0, "anna", None) for place in range(30)]
    scope = asked([FRAUD, *[OPEN] * 5, *good], scope_only=True)
    rows, cleared = (np.flatnonzero(scope.current & ((scope.state.state == 0) == told)) for told in (False, True))
    assert (len(rows), len(cleared)) == (6, 30)
    alone = part(cost(scope, Cluster(rows, "all", None, "segments")), "still pending")
    held = part(cost(scope, Cluster(rows, "all", None, "segments", cleared)), "still pending")
    assert held["events"] == alone["events"] == 5
    assert held["upper"] == alone["upper"]
    assert held["loss"] < 0.3 * alone["loss"]


def test_labels_without_a_time_cannot_be_corrected():
    found = asked([FRAUD, OPEN], roles={"label_time": None})
    assert part(found, "still pending")["loss"] is pd.NA
    assert any("bear no time" in note for note in found.notes)


def test_without_money_events_are_counted():
    found = asked([FRAUD, FRAUD, OPEN], roles={"amount": None, "measures": {}}, payouts=None)
    assert found.currency == ""
    assert part(found, "lost so far")["loss"] == 2
    assert part(found, "still pending")["upper"] == 1
    assert found.frame("sources").empty
    assert any("money is not measurable" in note for note in found.notes)
    assert "events" in found.plot().get_ylabel()
    assert {fact.unit for fact in found.headline()[:3]} == {"count"}


def test_without_payouts_nothing_is_said_of_freezing():
    found = asked([FRAUD, OPEN])
    assert found.frame("runs").empty
    assert found.headline()[3].value is None
    assert any("No payout runs given" in note for note in found.notes)


def test_runs_that_all_lie_in_the_past_leave_the_rest_unpaid():
    late = (47.0, 1, 2.0, "approve", 100.0, 8.0, "anna", None)
    found = asked([FRAUD, late], payouts={**PAYOUTS, "runs": RUNS[:1]})
    assert found.frame("runs")["due"].tolist() == [8.0]
    assert found.frame("runs")["frozen"].tolist() == [16.0]
    facts = {fact.name: fact for fact in found.headline()}
    assert facts["Still freezable"].value == 8.0
    assert any("lies ahead" in note for note in found.notes)


def test_the_first_minutes_say_nothing_per_day():
    found = asked([(0.0, 1, 0.1, "approve", 100.0, 8.0, "anna", None)], asof="2026-03-10T00:30")
    assert PER_DAY not in set(found.frame()["part"])
    assert found.headline()[2].value is None


def test_a_quiet_end_of_the_window_is_not_certain_to_stay_quiet():
    found = asked([FRAUD], asof="2026-03-13")
    held = part(found, PER_DAY)
    assert held["loss"] == 0
    assert held["upper"] == 300, "three events, by the rule of three"


def test_no_suspected_events_cost_nothing():
    scope = asked([FRAUD, OPEN], scope_only=True)
    found = cost(scope, Cluster(np.zeros(0, dtype=np.intp), "none", None, "segments"), payouts=PAYOUTS)
    assert part(found, "lost so far")["loss"] == 0
    assert not found.drawable
    assert found.frame("payees").empty
    assert repr(found)
    assert found._repr_html_()


# Wrong use


@pytest.mark.parametrize(
    ("payouts", "told"),
    [
        ({"payee": "creator", "money": "commission"}, "lack"),
        ({**PAYOUTS, "run": []}, "did you mean 'runs'"),
        ({**PAYOUTS, "runs": []}, "list of moments"),
        ({**PAYOUTS, "runs": "2026-03-11"}, "list of moments"),
        ({**PAYOUTS, "runs": ["soon"]}, "not understood"),
        ({**PAYOUTS, "payee": 3}, "column's name"),
        ([1], "mapping"),
    ],
)
def test_wrong_payouts_are_told(payouts, told):
    with pytest.raises(ParameterError, match=told):
        asked([FRAUD], payouts=payouts)


def test_payouts_by_unknown_columns_are_told():
    with pytest.raises(ColumnNotFoundError, match="creatr"):
        asked([FRAUD], payouts={**PAYOUTS, "payee": "creatr"})
    with pytest.raises(ColumnNotFoundError, match="commision"):
        asked([FRAUD], payouts={**PAYOUTS, "money": "commision"})
    with pytest.raises(DataError, match="holds no amounts"):
        asked([FRAUD], payouts={**PAYOUTS, "money": "creator"})


# Against the truth of the synthetic marketplace


@pytest.fixture(scope="module")
def market():
    return rb.marketplace(orders=50_000, region="ID", seed=7)


def of_truth(market, asof):
    """Return the scope, and as cluster the segment that is true of the raid."""
    held = market.incidents.loc[0]
    window = rb.Incident(str(held["starts_at"]), str(held["ends_at"]))
    scope = scope_of(window, market.datasets["transactions"], asof=asof)
    frame = scope.dataset.frame(list(held["segments"]))
    inside = scope.current & (scope.state.state != 0)
    for name, values in held["segments"].items():
        inside &= frame[name].isin(values).to_numpy()
    return scope, Cluster(np.flatnonzero(inside), "the true segment", None, "segments")


@pytest.mark.parametrize("asof", ["2026-11-14", "2026-11-15T17:00"])
def test_the_whole_loss_of_the_raid_is_found_while_half_of_it_is_untold(market, asof):
    scope, cluster = of_truth(market, asof)
    found = cost(scope, cluster)
    truth = market.truth.set_index("event_id")
    ids = scope.dataset.frame(["order_id"])["order_id"].astype(str).to_numpy()[cluster.rows]
    names = scope.dataset.frame(["outcome"])["outcome"].to_numpy()[cluster.rows]
    real = truth.reindex(ids)["loss"].fillna(0.0).to_numpy()[names != "block"].sum()
    held = part(found, "lost and pending")
    assert held["lower"] < 0.6 * real
    assert held["likely_lower"] <= real * 1.05
    assert held["loss"] == pytest.approx(real, rel=0.2)


def test_before_the_run_the_balance_of_the_raid_is_freezable(market):
    scope, cluster = of_truth(market, "2026-11-11T00:20")
    payouts = {"payee": "creator_id", "money": "commission", "runs": list(runs("ID"))}
    found = cost(scope, cluster, payouts=payouts)
    table = found.frame("runs").set_index("status")
    assert table.loc["next", "run_local"] == "2026-11-11 09:20"
    assert table.loc["next", "hours"] == pytest.approx(2.0)
    assert table.loc["next", "frozen"] == table.loc["next", "due"] > 0
    theirs = set(market.incidents.loc[0, "creators"])
    assert set(found.frame("payees")["payee"]) <= theirs
    orders = scope.dataset.frame().iloc[cluster.rows]
    called = (
        (orders["outcome"] == "review") & orders["caused_by"].notna() & (orders["label_time"] <= "2026-11-11T00:20")
    )
    earned = orders[(orders["outcome"] != "block") & ~(called & (orders["fraud"] == 1))]
    assert table.loc["next", "due"] == pytest.approx(earned["commission"].sum())
    real = orders["order_id"].isin(set(market.incidents.loc[0, "events"]))
    assert orders.loc[real, "commission"].sum() > 0.95 * orders["commission"].sum()
