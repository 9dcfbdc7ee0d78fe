"""The curve and the chosen cut against plain Python, against `simulate`, and their laws."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, InfeasibleError, ParameterError
from tests.calibration.conftest import BOOK, dataset, made

EFFECT = {"approve": "none", "challenge": "friction", "review": "review", "block": "stop"}
ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, 0.0, 0.2, 0.5, 0.51, 0.95, 1.0, math.inf]),  # risk
        st.sampled_from([5.0, 19.99, 150.0, 200.0, 200.01, 501.0, 1e6]),  # amount
        st.sampled_from([0, 0, 1, None]),  # fraud
    ),
    min_size=1,
    max_size=30,
)


def outcome(risk, amount, cut):
    """Decide one event as BOOK and a review cut of risk would."""
    if amount > 500:
        return "block"
    if risk is not None and risk > 0.9 and amount < 20:
        return "challenge"
    if amount > 200:
        return "review"
    return "review" if cut is not None and risk is not None and risk >= cut else "approve"


def slow_row(rows, cut, costs):
    """Return the figures of one cut by plain Python."""
    alerts = frauds = goods = reviews = passed = unlabelled = insults = 0
    net = caught = saved = 0.0
    for risk, amount, fraud in rows:
        effect = EFFECT[outcome(risk, amount, cut)]
        alert = effect != "none"
        alerts += alert
        reviews += effect == "review"
        passed += effect in ("none", "friction")
        if fraud == 1:
            frauds += alert
            caught += amount * alert
            saved += amount * costs.loss_share * costs.fraud_gain(effect)
            net += amount * costs.loss_share * costs.fraud_gain(effect)
        elif fraud == 0:
            goods += alert
            insults += effect in ("review", "stop")
            net -= amount * costs.margin * costs.good_cost(effect)
        else:
            unlabelled += alert
        net -= costs.handling(effect)
    all_frauds, all_goods = (sum(1 for row in rows if row[2] == kind) for kind in (1, 0))

    def share(a, b):
        return a / b if b else math.nan

    return {
        "alerts": alerts,
        "frauds": frauds,
        "unlabelled": unlabelled,
        "precision": share(frauds, frauds + goods),
        "recall": share(frauds, all_frauds),
        "alert_rate": alerts / len(rows),
        "review_rate": reviews / len(rows),
        "insult_rate": share(insults, all_goods),
        "approval_rate": passed / len(rows),
        "value_caught": caught,
        "loss_prevented": saved,
        "net_value": net,
    }


def frame_of(rows) -> pd.DataFrame:
    risk, amount, fraud = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "id": np.arange(len(rows)),
            "risk": pd.Series(risk, dtype="float64"),
            "amount": np.array(amount),
            "fraud": pd.array(fraud, dtype="Int64"),
        }
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, margin=st.sampled_from([0.0, 0.1, 0.9]))
def test_every_row_of_the_curve_equals_plain_python(rows, margin):
    at = pd.date_range("2026-01-01", periods=len(rows), freq="D")
    frame = frame_of(rows).assign(at=at)
    costs = rb.Costs(margin=margin)
    window = ("2026-01-01", "2027-01-01")
    events, book = dataset(frame), rb.RuleBook.from_yaml(BOOK)
    if {0, 1} - {row[2] for row in rows} or not any(row[0] is not None for row in rows):
        with pytest.raises(DataError):
            rb.calibrate(events, given=book, costs=costs, choose_on=window, report_on=window)
        return
    found = rb.calibrate(events, given=book, costs=costs, choose_on=window, report_on=window, by=None)
    best = -math.inf
    for row in found.frame("curve_exact").to_dict("records"):
        cut = row["threshold"] if math.isfinite(row["threshold"]) else None
        for name, wanted in slow_row(rows, cut, costs).items():
            assert row[name] == pytest.approx(wanted, rel=1e-9, abs=1e-6, nan_ok=True), name
        best = max(best, row["net_value"])
    # No cut whatever, observed or not, is worth more than the chosen one.
    chosen = found.threshold if math.isfinite(found.threshold) else None
    reached = slow_row(rows, chosen, costs)["net_value"]
    assert reached == pytest.approx(best, rel=1e-9, abs=1e-6)
    for cut in (None, -1.0, 0.1, 0.2, 0.3, 0.505, 0.51, 0.97, 1.0, 2.0):
        assert slow_row(rows, cut, costs)["net_value"] <= reached + 1e-6


def simulated(book, events, mask=None):
    """Return totals of the whole system, as `simulate` counts them."""
    run = rb.simulate(book, events if mask is None else events.where(mask))
    rows = run.outcomes.set_index("outcome")
    alerts = rows.loc[["challenge", "review", "block"]]
    hard = rows.loc[["review", "block"]]
    return {
        "alerts": int(alerts["events"].sum()),
        "frauds": int(alerts["frauds"].sum()),
        "review_rate": rows.loc["review", "events"] / run.events,
        "insult_rate": hard["good"].sum() / run.good,
        "approval_rate": 1 - hard["events"].sum() / run.events,
    }


def test_the_curve_at_the_applied_cut_equals_simulate(book):
    frame = made()
    events = dataset(frame)
    found = rb.calibrate(events, given=book)
    inside = (frame["at"] < pd.Timestamp(found.provenance["windows"]["choose"].split()[-1])).to_numpy()
    now = simulated(found.apply(), events, inside)
    row = found.curve[found.curve["threshold"] == found.threshold].iloc[0]
    for name, value in now.items():
        assert row[name] == pytest.approx(value), name
    alone = simulated(book, events, inside)
    nobody = found.curve.iloc[0]
    assert nobody["alerts"] == alone["alerts"]
    assert row["added_alerts"] == now["alerts"] - alone["alerts"]


def test_a_rules_parameter_is_swept_as_if_re_run(book):
    frame = made()
    events = dataset(frame)
    found = rb.calibrate(events, rule_param="TX-1.limit", given=book)
    assert found.today == 200
    inside = (frame["at"] < pd.Timestamp(found.provenance["windows"]["choose"].split()[-1])).to_numpy()
    for row in found.curve.iloc[[1, 60, 400, -1]].to_dict("records"):
        moved = book.with_params({"TX-1": {"limit": row["threshold"]}})
        for name, value in simulated(moved, events, inside).items():
            assert row[name] == pytest.approx(value), name
    assert (
        rb.simulate(found.apply(), events).alerts
        == rb.simulate(book.with_params({"TX-1": {"limit": found.threshold}}), events).alerts
    )


def test_weekly_change_equals_compare(book):
    events = dataset(made())
    found = rb.calibrate(events, rule_param="TX-1.limit", given=book)
    later = events.between(found.provenance["windows"]["report"].split()[0], None)
    change = rb.compare(rb.simulate(book, later), rb.simulate(found.apply(), later)).changes.set_index("measure")
    weeks = 28 / 7
    mine = found.weekly.set_index("measure")
    for name, theirs in (("alerts", "alerts"), ("reviews", "reviews"), ("frauds alerted", "frauds alerted")):
        assert mine.loc[name, "change"] * weeks == pytest.approx(change.loc[theirs, "difference"], rel=0.01)


def test_row_order_does_not_matter(book):
    frame = made(3000)
    mixed = frame.sample(frac=1, random_state=4).reset_index(drop=True)
    one, two = (rb.calibrate(dataset(held), given=book, by="region") for held in (frame, mixed))
    assert one.threshold == two.threshold
    for name in ("curve", "holdout", "weekly", "plateau", "segments", "costs"):
        pd.testing.assert_frame_equal(one.frame(name), two.frame(name))


def test_row_order_does_not_matter_without_time(book):
    frame = made(3000).drop(columns="at")
    mixed = frame.sample(frac=1, random_state=4).reset_index(drop=True)
    one, two = (rb.calibrate(dataset(held), given=book) for held in (frame, mixed))
    assert not one.provenance["windows"]["out_of_time"]
    assert any("not out of time" in note for note in one.notes)
    assert one.threshold == two.threshold
    pd.testing.assert_frame_equal(one.frame("holdout"), two.frame("holdout"))


def test_doubling_every_row_keeps_rates_and_doubles_sums():
    frame = made(1500)
    double = pd.concat([frame, frame.assign(id=frame["id"] + 10**6)], ignore_index=True)
    one, two = (rb.calibrate(dataset(held), by=None).frame("curve_exact") for held in (frame, double))
    for name in ("precision", "recall", "alert_rate", "insult_rate"):
        assert np.allclose(one[name], two[name], equal_nan=True, rtol=1e-12)
    for name in ("alerts", "frauds", "net_value", "value_caught", "loss_prevented"):
        assert np.allclose(2 * one[name], two[name], rtol=1e-12)


def test_a_lower_cut_never_alerts_fewer():
    exact = rb.calibrate(dataset(made()), by=None).frame("curve_exact")
    assert (np.diff(exact["alerts"]) >= 0).all()
    assert (np.diff(exact["threshold"]) < 0).all()


def test_the_thinned_curve_keeps_what_matters():
    frame = made(9000).assign(risk=lambda f: f["risk"] + np.arange(len(f)) * 1e-9)
    found = rb.calibrate(dataset(frame), by=None)
    exact = found.frame("curve_exact")
    assert len(exact) > 5000
    assert len(found.curve) <= 2000
    assert set(found.curve["threshold"]) <= set(exact["threshold"])
    for wanted in (found.threshold, math.inf, exact["threshold"].iloc[-1]):
        assert wanted in set(found.curve["threshold"])


@pytest.mark.parametrize(
    "limit",
    [
        rb.at_most("review_rate", 0.03),
        rb.at_most("insult_rate", 0.01),
        rb.at_least("approval_rate", 0.97),
        rb.at_least("precision", 0.8),
        rb.at_least("recall", 0.9),
        rb.at_most("alert_rate", 0.02),
    ],
)
def test_a_constraint_is_met_when_simulated_again(limit):
    frame = made()
    events = dataset(frame)
    found = rb.calibrate(events, subject_to=limit, by=None)
    inside = (frame["at"] < pd.Timestamp(found.provenance["windows"]["choose"].split()[-1])).to_numpy()
    run = rb.simulate(found.apply(), events.where(inside))
    rows = run.outcomes.set_index("outcome")
    alerts = rows.loc["review"]
    rates = {
        "review_rate": alerts["events"] / run.events,
        "alert_rate": alerts["events"] / run.events,
        "insult_rate": alerts["good"] / run.good,
        "approval_rate": 1 - alerts["events"] / run.events,
        "precision": alerts["frauds"] / max(1, alerts["frauds"] + alerts["good"]),
        "recall": alerts["frauds"] / run.frauds,
    }
    held = rates[limit.rate]
    assert held <= limit.bound + 1e-12 if limit.side == "at_most" else held >= limit.bound - 1e-12
    free = rb.calibrate(events, by=None)
    net = found.curve.set_index("threshold")["net_value"]
    assert net[found.threshold] <= free.curve.set_index("threshold")["net_value"][free.threshold] + 1e-9


def test_infeasible_names_the_nearest_point(book):
    limits = (rb.at_most("review_rate", 0.001), rb.at_least("recall", 0.99))
    with pytest.raises(InfeasibleError, match="No cut keeps to") as caught:
        rb.calibrate(dataset(made()), given=book, subject_to=limits)
    point = caught.value.nearest_point
    assert {"threshold", "recall", "review_rate", "violation"} <= set(point)
    assert caught.value.exit_code == 3
    assert "live rules alone" in str(caught.value)


def test_the_reference_of_scikit_learn():
    from sklearn.metrics import precision_recall_curve

    frame = made()
    window = ("2026-01-01", "2027-01-01")
    exact = rb.calibrate(dataset(frame), choose_on=window, report_on=window, by=None).frame("curve_exact")
    precision, recall, cuts = precision_recall_curve(frame["fraud"], frame["risk"])
    mine = exact.iloc[1:].iloc[::-1]
    assert np.array_equal(mine["threshold"], cuts)
    assert np.allclose(mine["precision"], precision[:-1])
    assert np.allclose(mine["recall"], recall[:-1])


def test_the_interval_of_net_value_agrees_with_resampled_rows():
    frame = made(4000)
    window = ("2026-01-01", "2027-01-01")
    events = dataset(frame)
    found = rb.calibrate(events, choose_on=window, report_on=window, by=None)
    row = found.curve[found.curve["threshold"] == found.threshold].iloc[0]
    costs, rng = rb.Costs(), np.random.default_rng(9)
    hit = (frame["risk"] >= found.threshold).to_numpy()
    amount = frame["amount"].to_numpy()
    worth = np.where(
        frame["fraud"] == 1,
        amount * costs.fraud_gain("review"),
        -amount * costs.margin * costs.good_cost("review"),
    )
    worth = (worth - costs.handling("review"))[hit]
    sums = rng.poisson(1.0, (4000, len(worth))) @ worth
    low, high = np.quantile(sums, [0.025, 0.975])
    width = high - low
    assert row["lower"] == pytest.approx(low, abs=0.06 * width)  # 4,000 draws: the ends are known to about 3 %
    assert row["upper"] == pytest.approx(high, abs=0.06 * width)


def test_no_money_counts_events():
    found = rb.calibrate(dataset(made().drop(columns="amount")), by=None)
    assert found.currency == ""
    assert any("counts events" in note for note in found.notes)
    row = found.curve[found.curve["threshold"] == found.threshold].iloc[0]
    goods = row["alerts"] - row["frauds"]
    assert row["net_value"] == pytest.approx(0.9 * row["frauds"] - 0.1 * 0.8 * goods)


def test_scores_that_are_missing_or_infinite_are_never_lost(book):
    frame = made(2000)
    frame.loc[::7, "risk"] = np.nan
    frame.loc[::50, "risk"] = np.inf
    found = rb.calibrate(dataset(frame), given=book)
    assert any("no value of risk" in note for note in found.notes)
    assert any("infinite" in note for note in found.notes)
    assert math.isfinite(found.threshold)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fraud": 0}, "No known fraud"),
        ({"fraud": 1}, "No known good event"),
        ({"risk": np.nan}, "missing for every event"),
    ],
)
def test_nothing_to_calibrate_on_is_one_clear_error(change, message):
    with pytest.raises(DataError, match=message):
        rb.calibrate(dataset(made(300).assign(**change)))


def test_no_events_is_one_clear_error():
    events = dataset(made(300))
    with pytest.raises(DataError, match="no events"):
        rb.calibrate(events.where(np.zeros(300, dtype=bool)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "risk", "rule_param": "TX-1.limit"}, "not both"),
        ({"rule_param": "TX-1.limit"}, "given="),
        ({"outcome": "approve"}, "does nothing"),
        ({"outcome": "revue"}, "review"),
        ({"subject_to": "review_rate"}, "takes constraints"),
        ({"choose_on": "2026-01-01"}, "start and an end"),
        ({"choose_on": ("2026-03-01", "2026-02-01")}, "ends before"),
        ({"by": "id"}, "too many"),
        ({"costs": {"margn": 1}}, "margin"),
    ],
)
def test_wrong_use_is_one_clear_error(options, message):
    with pytest.raises(ParameterError, match=message):
        rb.calibrate(dataset(made(2000)), **options)


def test_no_score_at_all_says_what_to_name():
    with pytest.raises(ParameterError, match="nothing to cut"):
        rb.calibrate(dataset(made(100).drop(columns="risk")))


@pytest.mark.parametrize("held", [True, False])
def test_two_cuts_need_a_score(book, held):
    with pytest.raises(ParameterError, match="Two cuts need a score"):
        rb.calibrate(dataset(made(300)), rule_param="TX-1.limit", given=book if held else None, two_cuts=True)


def test_no_cut_pays_where_fraud_costs_nothing():
    found = rb.calibrate(dataset(made()), costs=rb.Costs(loss_share=0.0), by=None)
    assert found.threshold == math.inf
    assert found.apply().rules == ()
    assert "no cut pays" in repr(found)


def test_a_cut_from_before_is_taken_out_and_is_todays(book):
    events = dataset(made())
    first = rb.calibrate(events, given=book)
    again = rb.calibrate(events, given=first.apply())
    assert again.threshold == first.threshold
    assert again.today == first.threshold
    assert again.weekly["change"].abs().max() == pytest.approx(0.0)
    assert again.apply().hash == first.apply().hash


def test_a_score_with_an_odd_name_is_quoted():
    events = dataset(made().rename(columns={"risk": "risk score %"}), score="risk score %")
    found = rb.calibrate(events, by=None)
    book = found.apply()
    assert rb.simulate(book, events).alerts > 0
    assert rb.RuleBook.from_yaml(book.to_yaml()).hash == book.hash


def test_results_are_json_safe_and_draw(book):
    import json

    found = rb.calibrate(dataset(made()), given=book, two_cuts=True)
    assert json.loads(json.dumps(found.to_dict()))["kind"] == "calibration"
    assert found.png()[:4] == b"\x89PNG"
    assert "<script" not in found._repr_html_()
    assert len(found.headline()) <= 6


def test_the_books_bounds_hold_the_cut():
    text = BOOK.replace("limit: 200}", "limit: {default: 200, min: 150, max: 260}}")
    book = rb.RuleBook.from_yaml(text)
    found = rb.calibrate(dataset(made()), rule_param="TX-1.limit", given=book)
    assert 150 <= found.threshold <= 260
    narrow = rb.RuleBook.from_yaml(BOOK.replace("limit: 200}", "limit: {default: 200, min: 199.999, max: 200.0001}}"))
    with pytest.raises(InfeasibleError, match="bounds"):
        rb.calibrate(dataset(made(200)), rule_param="TX-1.limit", given=narrow)


def test_regions_with_values_of_their_own_are_said_and_counted():
    text = BOOK.replace("params: {limit: 200}", "params: {limit: 200}, regions: {R0: {limit: 80}}")
    book, events = rb.RuleBook.from_yaml(text), dataset(made())
    found = rb.calibrate(events, rule_param="TX-1.limit", given=book)
    assert any("R0 have values of their own" in note for note in found.notes)
    assert "R0" not in found.apply().rule("TX-1").regions
    later = events.between(found.provenance["windows"]["report"].split()[0], None)
    today = found.weekly.set_index("measure").loc["alerts", "today"]
    assert today * 4 == pytest.approx(rb.simulate(book, later).alerts, rel=0.01)


def test_a_rule_that_lets_events_through_is_swept_too():
    text = """
book: allow
domain: transactions
rules:
  - {id: OK-1, when: "amount < :small", params: {small: 20}, outcome: approve, status: live, priority: 1}
  - {id: TX-1, when: "risk > 0.5", outcome: block, status: live, priority: 20}
"""
    book, frame = rb.RuleBook.from_yaml(text), made()
    events = dataset(frame)
    found = rb.calibrate(events, rule_param="OK-1.small", given=book)
    exact = found.frame("curve_exact")
    assert (np.diff(exact["alerts"]) <= 0).all()
    inside = (frame["at"] < pd.Timestamp(found.provenance["windows"]["choose"].split()[-1])).to_numpy()
    row = exact.iloc[len(exact) // 2]
    run = simulated(book.with_params({"OK-1": {"small": row["threshold"]}}), events, inside)
    assert row["alerts"] == run["alerts"]
    assert found.png()


def test_alerts_without_a_verdict_are_bounded():
    frame = made()
    frame["fraud"] = frame["fraud"].astype("Int64").where(frame["id"] % 5 != 0)
    found = rb.calibrate(dataset(frame), by=None)
    assert any("have no verdict" in note for note in found.notes)
    row = found.curve[found.curve["threshold"] == found.threshold].iloc[0]
    assert row["unlabelled"] > 0
    assert row["alerts"] == row["frauds"] + row["unlabelled"] + round(row["frauds"] / row["precision"] - row["frauds"])


def test_a_calibration_survives_pickling(book):
    import pickle

    found = rb.calibrate(dataset(made(2000)), given=book)
    back = pickle.loads(pickle.dumps(found))
    assert back.threshold == found.threshold
    pd.testing.assert_frame_equal(back.frame("curve_exact"), found.frame("curve_exact"))


@pytest.mark.parametrize(
    ("domain", "review", "stop"), [("kyc", "review", "reject"), ("affiliation", "review", "clawback")]
)
def test_every_domain_has_its_own_ladder(domain, review, stop):
    frame = made(3000)
    events = rb.read(
        frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk"), domain=domain
    )
    found = rb.calibrate(events, two_cuts=True)
    book = found.apply()
    assert book.domain == domain
    assert {rule.outcome for rule in book.rules} <= {review, stop}


def test_asof_keeps_later_verdicts_out(book):
    events = dataset(made())
    early = rb.calibrate(events, given=book, asof="2026-03-01")
    assert pd.Timestamp(early.provenance["windows"]["report"].split("before ")[-1]) <= pd.Timestamp("2026-03-01")


def test_a_shadow_rules_cut_is_a_proposal_to_switch_it_on():
    text = BOOK.replace('when: "risk > 0.5"', 'when: "risk > :cut", params: {cut: 0.5}')
    book, events = rb.RuleBook.from_yaml(text), dataset(made())
    found = rb.calibrate(events, rule_param="TX-4.cut", given=book)
    assert found.today is None
    assert found.apply().rule("TX-4").status == "live"
    assert found.weekly.set_index("measure").loc["alerts", "today"] * 4 == pytest.approx(
        rb.simulate(book, events.between(found.provenance["windows"]["report"].split()[0], None)).alerts, rel=0.01
    )
    assert "Switch on the rule of TX-4.cut" in rb.decide(found).recommendation


@pytest.mark.parametrize("how", [{"rule_param": "TX-1.limit"}, {"two_cuts": True}, {"score": "risk"}])
def test_what_a_cut_adds_is_counted_from_today_on_both_windows(book, how):
    events = dataset(made())
    found = rb.calibrate(events, given=book, **how)
    start, end = found.provenance["windows"]["report"].split(" to before ")
    today = rb.simulate(book, events.between(start, end))
    later = found.frame("curve_later")
    assert set(later["alerts"] - later["added_alerts"]) == {today.alerts}
    length = (pd.Timestamp(end) - pd.Timestamp(start)) / pd.Timedelta(weeks=1)
    value = found.weekly.set_index("measure").loc["net value", "today"] * length
    np.testing.assert_allclose(later["net_value"] - later["added_net_value"], value, rtol=1e-6)
    assert (
        (later["added_lower"] <= later["added_net_value"]) & (later["added_net_value"] <= later["added_upper"])
    ).all()


@pytest.mark.parametrize("odd", [np.inf, -np.inf, 1e300])
def test_scores_without_end_are_cut_and_drawn(odd):
    frame = made(600)
    frame.loc[::7, "risk"] = odd
    events = dataset(frame)
    found = rb.calibrate(events, by=None)
    assert "data:image/png" in found._repr_html_()
    window = events.between(*found.window.split(" to before "))
    row = found.curve[found.curve["threshold"] == found.threshold].iloc[0]
    assert rb.simulate(found.apply(), window).alerts == row["alerts"]
