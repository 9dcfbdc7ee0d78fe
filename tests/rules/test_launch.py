"""Is a launch planned on what will come of it, split fairly, and judged without a false alarm?"""

from __future__ import annotations

import math
from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.rules.hits import hits
from riskbench.rules.launch.effect import Trial, design_effect
from riskbench.rules.launch.stage import BUCKETS, bucket, stage_of

DAYS, PER_DAY = 120, 100
BOOK = """
book: launch
domain: transactions
rules:
  - {id: TX-1, when: "amount > 900", outcome: block, priority: 10, status: live}
  - {id: TX-2, when: "risk > 0.9 AND amount > :limit", params: {limit: 0}, outcome: review, priority: 20, status: draft}
  - {id: TX-3, when: "risk > 0.9", outcome: block, priority: 30, status: shadow}
  - {id: TX-4, when: "amount > 999", outcome: block, priority: 40, status: retired}
"""


def table(seed: int = 1, *, good: float = 0.3, late: float = 5.0, days: int = DAYS) -> pd.DataFrame:
    """Return events of which a tenth is risky, and of those `good` frauds; verdicts come within ten days."""
    rng = np.random.default_rng(seed)
    rows = days * PER_DAY
    risk = rng.random(rows)
    fraud = rng.random(rows) < np.where(risk > 0.9, good, 0.002)
    placed = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.random(rows)) * days, unit="D")
    told = placed + pd.to_timedelta(np.where(fraud, rng.uniform(0, 2 * late, rows), np.nan), unit="D")
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "placed": placed,
            "amount": rng.integers(1, 1000, rows).astype(float),
            "risk": risk,
            "fraud": fraud.astype(int),
            "told": told,
            "buyer": [f"b{n}" for n in rng.integers(0, rows, rows)],
        }
    )


ROLES = rb.Roles(
    id="id", time="placed", amount="amount", label="fraud", label_time="told", entities=("buyer",), currency="BRL"
)


def read(frame: pd.DataFrame, **changes: object) -> rb.Dataset:
    return rb.read(frame, roles=ROLES.with_roles(**changes))


@pytest.fixture(scope="module")
def book() -> rb.RuleBook:
    return rb.RuleBook.from_yaml(BOOK)


@pytest.fixture(scope="module")
def events() -> rb.Dataset:
    return read(table())


@pytest.fixture(scope="module")
def plan(book, events):
    return rb.plan_launch(book, events, rule="TX-2", unit="buyer")


# -- stages and arms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["TX-2", "ü'; --", ""])
def test_a_bucket_is_what_another_system_computes(key):
    units = [f"b{n}" for n in range(300)] + ["", "ü", "a'b", "用户"]
    sql = "SELECT ('0x' || left(sha256(? || ':' || ?), 8))::BIGINT % 10000"
    told = [duckdb.execute(sql, [key, unit]).fetchone()[0] for unit in units]
    assert [bucket(unit, key) for unit in units] == told


def test_arms_are_fair_and_independent_between_launches():
    one = np.array([bucket(f"b{n}", "TX-1") for n in range(20_000)])
    two = np.array([bucket(f"b{n}", "TX-2") for n in range(20_000)])
    for share in (0.01, 0.1, 0.5):
        apart = 4 * math.sqrt(share * (1 - share) / 20_000)
        assert abs((one < share * BUCKETS).mean() - share) < apart
    both = ((one < 5000) & (two < 5000)).mean()
    assert abs(both - 0.25) < 0.02


def test_a_unit_stays_in_its_arm_and_a_larger_share_holds_the_smaller(book, events, plan):
    ready = plan.with_buckets(events)
    frame = ready.frame(["buyer", "launch_bucket"])
    assert (frame.groupby("buyer")["launch_bucket"].nunique() == 1).all()
    hit = {}
    for stage in (0.1, 0.5, "live"):
        held = hits(plan.book(stage), ready)
        place = [rule.id for rule in held.book.rules].index("TX-2")
        hit[stage] = held.bits.mask(place)
        assert held.book.rule("TX-2").status == "live"
    assert not (hit[0.1] & ~hit[0.5]).any()
    assert not (hit[0.5] & ~hit["live"]).any()
    assert hit[0.1].sum() / hit["live"].sum() == pytest.approx(0.1, abs=0.04)
    assert plan.book("shadow").rule("TX-2").status == "shadow"
    assert rb.RuleBook.from_yaml(plan.book(0.1).to_yaml()).hash == plan.book(0.1).hash
    assert plan.book("10%") == plan.book("0.1") == plan.book(0.1)


def test_a_missing_unit_is_never_treated(book):
    frame = table()
    frame.loc[frame.index % 3 == 0, "buyer"] = None
    held = read(frame)
    plan = rb.plan_launch(book, held, rule="TX-2")
    column = plan.with_buckets(held).column("launch_bucket")
    assert (column.present == frame["buyer"].notna().to_numpy()).all()
    found = rb.judge_launch(plan, held, since="2026-03-15", stage=0.5).frame("arms").set_index("arm")
    known = frame["buyer"].notna() & (frame["placed"] >= "2026-03-15")
    assert found.loc["treated", "events"] == pytest.approx(known.sum() / 2, rel=0.1)
    assert found["events"].sum() == (frame["placed"] >= "2026-03-15").sum()


@pytest.mark.parametrize("step", ["shadowy", 0, 1.0, -0.1, True, None, "0 %", "nan", 0.00001, [0.1]])
def test_what_is_no_stage_is_refused(step):
    with pytest.raises(rb.ParameterError, match="not a stage"):
        stage_of(step)


@pytest.mark.parametrize("steps", [(), (0.5, 0.1), ("live", "shadow"), (0.1, 0.1), "live"])
def test_steps_grow(book, events, steps):
    with pytest.raises(rb.ParameterError):
        rb.plan_launch(book, events, rule="TX-2", steps=steps)


# -- the plan ------------------------------------------------------------------------------------------------


def test_the_expected_effect_is_that_of_the_events_one_by_one(book, plan):
    """Plain Python over the window: what is new with the rule live, and nothing that the live book does anyway."""
    frame = table()
    low, high = plan.window
    weeks = (high - low) / pd.Timedelta(days=7)
    alerts = frauds = good = value = 0
    for row in frame.itertuples():
        if not low <= row.placed < high or row.amount > 900 or row.risk <= 0.9:
            continue
        alerts += 1
        known = row.fraud and row.told <= frame[["placed", "told"]].max().max()
        frauds += bool(known)
        good += not row.fraud
        value += row.amount if known else 0
    effects = plan.frame("effects").set_index("measure")
    # Some frauds stand for others that are told later: a small share, which is said.
    assert (effects["inferred_share"] < 0.05).all()
    change = effects["change"] * (1 - effects["inferred_share"])
    assert change["alerts"] == pytest.approx(alerts / weeks)
    assert change["reviews"] == pytest.approx(alerts / weeks)
    assert change["frauds that nothing else catches"] == pytest.approx(frauds / weeks)
    assert effects["change"]["good customers hit"] == pytest.approx(good / weeks, rel=0.05)
    assert change["fraud value that nothing else catches"] == pytest.approx(value / weeks)


def test_the_net_value_is_that_of_two_simulations(book, events, plan):
    inside = events.between(*plan.window)
    before = rb.simulate(book, inside, asof=plan.asof)
    after = rb.simulate(book.with_status("TX-2", "live"), inside, asof=plan.asof)
    weeks = (plan.window[1] - plan.window[0]) / pd.Timedelta(days=7)
    rows = rb.compare(before, after, costs=plan.costs).frame("changes").set_index("measure")
    change = plan.frame("effects").set_index("measure")
    assert change.loc["net value", "change"] == pytest.approx(
        rows.loc["net value", "difference"] / weeks, rel=1e-2
    )  # silence means good a little sooner on the window alone


def test_the_window_is_the_last_third_of_what_is_old_enough(events, plan):
    first, _ = events.span
    ripe = plan.asof - pd.Timedelta(days=plan.matures)
    assert abs(plan.window[1] - ripe) < pd.Timedelta(minutes=1)
    assert abs(plan.window[0] - (first + (ripe - first) * 2 / 3)) < pd.Timedelta(minutes=1)


def test_a_share_of_traffic_scales_the_effect_and_slows_the_evidence_of_a_stop(book, events):
    plan = rb.plan_launch(book, events, rule="TX-3", steps=["shadow", 0.25, 0.75, "live"])
    rows = plan.frame().set_index("stage")
    assert rows.loc["25 %", "alerts"] == pytest.approx(0.25 * rows.loc["live", "alerts"])
    assert rows.loc["25 %", "told_a_week"] == pytest.approx(0.75 * rows.loc["shadow", "told_a_week"])
    assert rows.loc["live", "told_a_week"] == 0
    assert np.isnan(rows.loc["live", "benefit_weeks"])
    review = rb.plan_launch(book, events, rule="TX-2").frame()
    assert review["told_a_week"].nunique() == 1, "a review keeps its verdict"


def test_when_it_is_measurable_is_what_simulation_needs(book):
    """Launches with the precision that the plan expects are told by the planned day in about 80 of 100."""
    plan = rb.plan_launch(book, read(table(good=0.12)), rule="TX-2", costs={"margin": 0.02})
    held = plan.evidence
    assert held.precision > held.break_even
    from riskbench.metrics.sequential import share_sequence

    rng, needed = np.random.default_rng(3), math.ceil(held.needed / held.design_effect)
    told = 0
    for _ in range(200):
        k = np.cumsum(rng.random(needed) < held.precision)
        told += share_sequence(k, np.arange(1, needed + 1), bound=held.break_even).p[-1] <= 0.05
    assert 0.65 <= told / 200 <= 0.95


def test_default_guardrails_allow_what_is_expected(plan):
    rows = plan.frame("guardrails")
    assert set(rows["measure"]) == {"added_review_rate", "added_insult_rate"}
    assert (rows["bound"] >= 1.9 * rows["expected"]).all()
    assert rows["source"].str.len().gt(0).all()
    assert plan.frame("stop_rule")["then"].str.contains("stop").sum() == 3


def test_a_guardrail_that_the_rule_would_break_is_told_with_the_share_that_would_not(book, events):
    with pytest.raises(rb.InfeasibleError, match=r"review_rate at most 0\.05") as held:
        rb.plan_launch(book, events, rule="TX-2", guardrails=rb.at_most("review_rate", 0.05))
    share = held.value.nearest_point["share"]
    assert share == pytest.approx(0.05 / 0.09, rel=0.1)
    fits = rb.plan_launch(
        book, events, rule="TX-2", guardrails=[rb.at_most("review_rate", 0.05)], steps=["shadow", 0.5]
    )
    assert list(fits.frame("guardrails")["measure"]) == ["review_rate"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [("TX-9", "'TX-9': there is no such rule"), ("TX-1", "is live"), ("TX-4", "is retired")],
)
def test_a_rule_that_cannot_be_launched_is_refused(book, events, rule, words):
    with pytest.raises(rb.errors.ParameterError, match=words):
        rb.plan_launch(book, events, rule=rule)


def test_a_book_without_a_draft_has_nothing_to_launch(book, events):
    with pytest.raises(rb.RuleError, match="no rule to launch"):
        rb.plan_launch(book.without("TX-2").without("TX-3"), events)
    assert rb.plan_launch(book, events).rule == "TX-2"
    assert rb.plan_launch(book.without("TX-2"), events).rule == "TX-3"


@pytest.mark.parametrize("power", [0.5, 1, True, "0.8", float("nan")])
def test_a_power_is_a_chance(book, events, power):
    with pytest.raises(rb.ParameterError, match="power"):
        rb.plan_launch(book, events, rule="TX-2", power=power)


def test_without_times_there_is_no_launch(book):
    with pytest.raises(rb.DataError, match="no time"):
        rb.plan_launch(book, read(table().head(500), time=None, label_time=None), rule="TX-2")


def test_without_verdicts_nothing_is_measurable_but_the_alerts(book):
    plan = rb.plan_launch(book, read(table(), label=None, label_time=None), rule="TX-2")
    rows = plan.frame("effects").set_index("measure")
    assert rows.loc["alerts", "change"] > 0
    assert pd.isna(rows.loc["frauds that nothing else catches", "change"])
    assert plan.frame()["benefit_weeks"].isna().all()
    assert "not measurable" in plan.headline()[0].text


def test_without_an_amount_events_count(book):
    frame = table().rename(columns={"amount": "size"})
    text = BOOK.replace("amount", "size")
    roles = ROLES.with_roles(amount=None)
    plan = rb.plan_launch(rb.RuleBook.from_yaml(text), rb.read(frame, roles=roles), rule="TX-2")
    rows = plan.frame("effects").set_index("measure")
    assert pd.isna(rows.loc["fraud value that nothing else catches", "change"])
    assert rows.loc["net value", "change"] > 0
    assert plan.currency == ""


def test_a_rule_that_hits_nothing_has_no_effect_and_says_so(book, events):
    idle = rb.plan_launch(book.with_params({"TX-2": {"limit": 5000}}), events, rule="TX-2")
    assert idle.frame("effects").set_index("measure").loc["alerts", "change"] == 0
    assert idle.headline()[1].value is None
    assert idle.frame()["benefit_weeks"].isna().all()


def test_events_of_one_unit_count_for_fewer():
    units = np.repeat(np.arange(50), 10)
    same = np.repeat(np.arange(50) % 2 == 0, 10)
    everyone = np.ones(500, dtype=bool)
    assert design_effect(same, everyone, units) == pytest.approx(10)
    assert design_effect(same, everyone, np.arange(500)) == pytest.approx(1)
    assert design_effect(everyone, everyone, units) == 1


# -- the verdict ---------------------------------------------------------------------------------------------


def test_not_launched_is_the_plan(plan, events):
    held = rb.judge_launch(plan, events, since=None)
    assert held.verdict == "not launched"
    assert held.headline() == plan.headline()
    assert not len(held.frame())


@pytest.mark.parametrize("stage", ["shadow", 0.1, 0.5, "live"])
def test_a_rule_that_pays_goes_on(book, events, stage):
    plan = rb.plan_launch(book, events, rule="TX-2", asof="2026-02-20")
    held = rb.judge_launch(plan, events, since="2026-02-20", stage=stage)
    assert held.verdict == "go on", held.reason
    assert set(held.frame("sequence")["measure"]) == {*held.frame()["measure"]}


def holds_its_estimates(held) -> None:
    for page in ("sequence", "guardrails"):
        rows = held.frame(page)
        rows = rows[rows["n"] > 0].astype({"value": float, "lower": float, "upper": float})
        assert len(rows)
        assert (rows["lower"] <= rows["value"]).all()
        assert (rows["value"] <= rows["upper"]).all()
    for fact in held.headline():
        if fact.lower is not None:
            assert fact.lower <= fact.value <= fact.upper, str(fact)
    worth = held.frame("worth").iloc[0]
    if worth["lower"] is not None:
        assert worth["lower"] <= worth["each"] <= worth["upper"]


def test_every_estimate_lies_in_its_interval_and_rows_in_any_order_say_the_same(book, events):
    plan = rb.plan_launch(book, events, rule="TX-2", asof="2026-02-20")
    held = rb.judge_launch(plan, events, since="2026-02-20", stage=0.5)
    holds_its_estimates(held)
    for _, own in held.frame("sequence").groupby("measure"):
        assert (own["n"].diff().dropna() >= 0).all()
    shuffled = read(table().sample(frac=1, random_state=4))
    again = rb.judge_launch(plan, shuffled, since="2026-02-20", stage=0.5)
    pd.testing.assert_frame_equal(held.frame("sequence"), again.frame("sequence"))


def drifting(seed: int, *, before: float, after: float, turn: str) -> pd.DataFrame:
    """Return events of which risky ones are frauds in a share that changes on a day."""
    frame, rng = table(seed), np.random.default_rng(100 + seed)
    share = np.where(frame["placed"] < turn, before, after)
    fraud = (frame["risk"] > 0.9) & (rng.random(len(frame)) < share)
    told = frame["placed"] + pd.to_timedelta(rng.uniform(0, 10, len(frame)), unit="D")
    return frame.assign(fraud=fraud.astype(int), told=told.where(fraud))


@pytest.mark.parametrize("stage", ["shadow", 0.5, "live"])
@pytest.mark.parametrize(("before", "after"), [(0.1, 0.7), (0.7, 0.1), (0.3, 0.35)])
def test_every_estimate_lies_in_its_interval_when_the_rate_moves(book, stage, before, after):
    held = read(drifting(3, before=before, after=after, turn="2026-03-15"))
    plan = rb.plan_launch(book, held, rule="TX-2", asof="2026-02-20")
    verdict = rb.judge_launch(plan, held, since="2026-02-01", stage=stage)
    holds_its_estimates(verdict)
    told = [note for note in verdict.notes if note.startswith("precision of what it adds: it surely moved")]
    assert len(told) == (abs(before - after) > 0.5)


def test_what_was_surely_kept_and_is_no_more_is_not_called_so(book):
    """At first nearly all that it holds is fraud, then nothing is: the mean of all falls below what pays."""
    frame = drifting(5, before=0.95, after=0.0, turn="2026-02-20")
    held = read(frame)
    costs = {"margin": 0.9, "insult_share": 1.0, "loss_share": 1.0}
    plan = rb.plan_launch(book, held, rule="TX-2", costs=costs, measure_on=("2026-01-01", "2026-02-10"))
    late = rb.judge_launch(plan, held, since="2026-02-01")
    row, pays = late.frame().set_index("measure").loc["precision of what it adds"], plan.evidence.break_even
    days = late.frame("sequence").set_index("measure").loc["precision of what it adds"]
    assert (days["lower"] > pays).any(), "it was surely kept once"
    assert row["value"] < pays
    assert row["status"] != "surely kept"
    assert late.verdict != "go on"


def test_a_guardrail_that_was_broken_for_a_while_says_on_which_day(book):
    """The rule holds three times as many in the first days only: it is stopped, and the words are not of today."""
    frame = table(7)
    rng = np.random.default_rng(8)
    flood = (frame["placed"] >= "2026-02-20") & (frame["placed"] < "2026-02-25") & (rng.random(len(frame)) < 0.6)
    frame.loc[flood, "risk"] = 0.95
    held = read(frame)
    plan = rb.plan_launch(book, held, rule="TX-2", measure_on=("2026-01-01", "2026-02-10"))
    verdict = rb.judge_launch(plan, held, since="2026-02-20", stage="live")
    holds_its_estimates(verdict)
    assert verdict.verdict == "stop"
    assert "added review rate was surely above" in verdict.reason
    assert "on 2026-02-2" in verdict.reason


def test_a_rule_that_turns_bad_is_stopped(book):
    """After the launch the risky events are good: the precision falls, and the rule holds three times as many."""
    frame = table()
    after = frame["placed"] >= "2026-02-20"
    rng = np.random.default_rng(8)
    frame.loc[after & (frame["risk"] > 0.9), ["fraud", "told"]] = [0, pd.NaT]
    worse = after & (rng.random(len(frame)) < 0.25)
    frame.loc[worse, ["risk", "fraud", "told"]] = [0.95, 0, pd.NaT]
    held = read(frame)
    plan = rb.plan_launch(book, held, rule="TX-2", asof="2026-02-20")
    verdict = rb.judge_launch(plan, held, since="2026-02-20", stage=0.5)
    assert verdict.verdict == "stop"
    assert "added review rate" in verdict.reason
    assert verdict.frame().set_index("measure").loc["precision of what it adds", "status"] == "broken"


@pytest.mark.slow
def test_a_launch_that_does_no_harm_is_rarely_stopped(book):
    """Seeded study: 40 launches of the same world as the plan's, each looked at on each of 40 days."""
    plan = rb.plan_launch(book, read(table(100)), rule="TX-2", asof="2026-03-20")
    stopped = 0
    for seed in range(40):
        held = rb.judge_launch(plan, read(table(200 + seed, days=40)), since="2026-01-01", stage=0.5)
        stopped += held.verdict == "stop"
    assert stopped / 40 <= 0.05


def test_the_money_so_far_is_told_without_an_interval_while_it_is_little(book, events):
    plan = rb.plan_launch(book, events, rule="TX-2", asof="2026-02-20")
    much = rb.judge_launch(plan, events, since="2026-02-20", stage=0.5).frame("worth").iloc[0]
    assert much["lower"] < much["each"] < much["upper"]
    assert much["net_value"] == pytest.approx(much["each"] * much["events"])
    little = rb.judge_launch(plan, events, since="2026-02-20", stage=0.5, asof="2026-03-10").frame("worth").iloc[0]
    assert little["events"] < 200
    assert pd.isna(little["lower"])


def test_young_events_are_not_judged(book, events):
    plan = rb.plan_launch(book, events, rule="TX-2", asof="2026-03-01")
    held = rb.judge_launch(plan, events, since="2026-03-01", stage="shadow", asof="2026-03-04")
    assert held.verdict == "too early"
    arm = held.frame("arms").iloc[0]
    assert arm["changed"] == arm["young"]
    assert arm["labelled"] == 0


def test_what_a_block_hides_is_read_on_the_control_group(book, events):
    plan = rb.plan_launch(book, events, rule="TX-3", asof="2026-02-20")
    held = rb.judge_launch(plan, events, since="2026-02-20", stage=0.1).frame().set_index("measure")
    assert held.loc["precision of what it adds", "on"].startswith("control")
    live = rb.judge_launch(plan, events, since="2026-02-20", stage="live")
    assert live.frame().set_index("measure").loc["precision of what it adds", "n"] == 0
    assert live.verdict == "continue"


def test_treated_stands_against_control(book, events):
    given = [rb.at_most("review_rate", 0.2)]
    plan = rb.plan_launch(book, events, rule="TX-2", asof="2026-02-20", guardrails=given)
    held = rb.judge_launch(plan, events, since="2026-02-20", stage=0.5)
    row = held.frame().set_index("measure").loc["review_rate"]
    assert row["difference_lower"] > 0
    assert row["difference"] == pytest.approx(0.09, abs=0.02)
    assert list(held.frame("against")["source"].unique()) == ["stage's book"]


def test_history_tells_whether_it_was_deployed(book):
    frame = table().assign(done="approve")
    held = read(frame, outcome="done")
    plan = rb.plan_launch(book, held, rule="TX-2", asof="2026-02-20")
    verdict = rb.judge_launch(plan, held, since="2026-02-20", stage=0.5)
    assert any("was it deployed?" in note for note in verdict.notes)
    assert set(verdict.frame("against")["source"]) == {"stage's book", "history"}


def test_a_stage_that_is_not_planned_and_a_launch_without_events_are_refused(plan, events):
    with pytest.raises(rb.ParameterError, match="no stage"):
        rb.judge_launch(plan, events, since="2026-02-20", stage=0.3)
    with pytest.raises(rb.DataError, match="No event lies after"):
        rb.judge_launch(plan, events, since="2030-01-01")


def test_the_request_is_measured_on_the_window_of_the_plan(plan, events):
    request = plan.request(events)
    assert request.events == events.between(*plan.window).rows
    net = plan.frame("effects").set_index("measure").loc["net value", "change"]
    told = request.frame().set_index("measure").loc["net value, estimated", "change"]  # late verdicts in both
    assert told == pytest.approx(net, rel=2e-3)  # weeks from the first event to the last, not of the window
    assert plan.request(events, stage=0.1).flips < request.flips


def test_input_is_not_changed(book, events, plan):
    assert "launch_bucket" not in events.names
    assert plan.before is book
    assert Trial("TX-2", hits(book, events)).effect == "review"


# -- lists that act -----------------------------------------------------------------------------------------------


LISTED = """
book: listed
domain: transactions
lists:
  bad: {kind: block, column: buyer, values: [b1]}
  good: {kind: allow, column: buyer, values: [b2], priority: 5}
  vips: {kind: vip, column: buyer, values: [b4], priority: 30}
rules:
  - {id: TX-1, when: "amount > 990", outcome: block, priority: 20, status: live}
  - {id: TX-2, when: "amount > 50", outcome: review, priority: 10, status: draft}
"""


def of_few_buyers(rows: int = 3000) -> rb.Dataset:
    """Return events of four buyers; only the one on the block list is a fraudster."""
    rng = np.random.default_rng(5)
    placed = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.random(rows)) * 90, unit="D")
    buyer = rng.choice(["b1", "b2", "b3", "b4"], rows)
    fraud = ((buyer == "b1") & (rng.random(rows) < 0.9)) | (rng.random(rows) < 0.01)
    frame = pd.DataFrame(
        {"id": np.arange(rows), "placed": placed, "amount": rng.integers(1, 1000, rows).astype(float)}
    ).assign(fraud=fraud.astype(int), told=placed + pd.Timedelta(days=3), buyer=buyer, risk=0.0)
    return read(frame)


def test_a_plan_knows_what_lists_decide_already():
    book, events = rb.RuleBook.from_yaml(LISTED), of_few_buyers()
    plan = rb.plan_launch(book, events, unit="id")
    low, high = plan.window
    told = rb.simulate(book, events, asof=plan.asof).hits
    at = told.dataset.column("placed").values
    inside = (at >= low.value // 1000) & (at < high.value // 1000)
    known = replace(told.dataset.where(inside), mature_after=plan.matures)
    changes = rb.simulate(book, known, asof=plan.asof).what_if(on=["TX-2"]).frame().set_index("measure")["difference"]
    weeks = (high - low) / pd.Timedelta(days=7)
    effects = plan.frame("effects").set_index("measure")["change"] * weeks
    assert effects["alerts"] == pytest.approx(changes["alerts"])
    assert effects["reviews"] == pytest.approx(changes["reviews"])
    assert effects["net value"] == pytest.approx(changes["net value"])
    assert effects["net value"] < 0  # the block list catches the fraud: the rule costs
    asked = plan.request(events).frame().set_index("measure")["change"]
    assert asked["net value"] == pytest.approx(changes["net value"] / weeks, rel=1e-2)
    # What a guardrail expects is the rate of the book in force with the rule live.
    live = rb.simulate(book.with_status("TX-2", "live"), known, asof=plan.asof)
    fixed = rb.plan_launch(book, events, unit="id", guardrails=rb.at_most("review_rate", 0.99))
    shares = live.frame("outcomes").set_index("outcome")["event_share"]
    assert fixed.frame("guardrails")["expected"].iloc[0] == pytest.approx(shares["review"])


def test_a_verdict_on_a_launch_knows_what_lists_decide_already():
    book, events = rb.RuleBook.from_yaml(LISTED), of_few_buyers()
    plan = rb.plan_launch(book, events, unit="id", guardrails=rb.at_most("review_rate", 0.99))
    found = rb.judge_launch(plan, events, since="2026-01-01", stage="live")
    before, after = (
        rb.simulate(held, events).hits.resolution.level for held in (book, book.with_status("TX-2", "live"))
    )
    assert found.frame("arms")["changed"].iloc[0] == int((before != after).sum())
    share = float((after == 2).mean())
    assert found.frame("guardrails").set_index("measure").loc["review_rate", "value"] == pytest.approx(share)


@pytest.mark.parametrize("kind", ["list", "deviation"])
def test_the_request_of_a_launch_acts_on_the_day_of_its_plan(kind):
    """What lapses between the last event and the last verdict, or after the window, is told alike on both pages."""
    events = of_few_buyers().with_roles(region="buyer")
    last = events.span[1]
    book = rb.RuleBook.from_yaml(LISTED.replace('when: "amount > 50"', 'when: "amount > :cut", params: {cut: 50}'))
    for days in (1, -1, -20):
        day = f"{last + pd.Timedelta(days=days):%Y-%m-%d}"
        if kind == "list":
            held = book.with_list("bad", {"values": ["b1"], "kind": "block", "column": "buyer", "expires": day})
        else:
            own = rb.Deviation("TX-2", "b3", params={"cut": 900}, reason="payday", approver="ada", expires=day)
            held = book.with_deviation(own)
        plan = rb.plan_launch(held, events, unit="id", measure_on=("2026-02-01", "2026-03-01"))
        assert plan.day == f"{last:%Y-%m-%d}"
        effects, asked = (page.set_index("measure") for page in (plan.frame("effects"), plan.request(events).frame()))
        for measure in ("alerts", "net value"):
            if measure in asked.index:
                change = effects.loc[measure, "change"]
                assert asked.loc[measure, "change"] == pytest.approx(change, rel=2e-2), (days, measure)
