"""Is the start found in local time and late labels allowed for, and is what cannot be said not said?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.incidents.campaigns import campaigns
from riskbench.incidents.incident import Incident
from riskbench.incidents.measure import measure_of, measures
from riskbench.incidents.scope import Scope, scope_of
from riskbench.incidents.signals import adjusted
from riskbench.incidents.timeline import Timeline, settled_window, when

HOUR = pd.Timedelta(hours=1)


def frame(
    *, days: int = 40, per_day: int = 400, start: str = "2026-03-01", rate: float = 0.02, seed: int = 0
) -> pd.DataFrame:
    """Return quiet events: as many at any hour, a share of them frauds that are told after some days."""
    rng = np.random.default_rng(seed)
    rows = days * per_day
    seconds = np.sort(rng.integers(0, days * 86_400, rows))
    at = pd.Timestamp(start) + pd.to_timedelta(seconds, unit="s")
    fraud = rng.random(rows) < rate
    source = rng.choice(["chargeback", "refused_delivery"], rows)
    wait = np.where(source == "chargeback", rng.lognormal(np.log(12), 0.4, rows), rng.lognormal(np.log(2), 0.4, rows))
    told = at + pd.to_timedelta(wait * 86_400, unit="s")
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": at,
            "amount": rng.integers(10, 200, rows).astype(float),
            "score": rng.random(rows) + fraud,
            "fraud": fraud.astype(int),
            "told": told.where(fraud),
            "source": np.where(fraud, source, None),
            "outcome": "approve",
        }
    )


ROLES = {
    "id": "id", "time": "at", "amount": "amount", "score": "score", "label": "fraud", "label_time": "told",
    "label_source": "source", "outcome": "outcome",
}  # fmt: skip


def attacked(
    held: pd.DataFrame, start: str, hours: float, count: int, source: str = "refused_delivery"
) -> pd.DataFrame:
    """Return the events with an attack on top: frauds of high scores, told as that source tells."""
    rng = np.random.default_rng(9)
    at = pd.Timestamp(start) + pd.to_timedelta(np.sort(rng.uniform(0, hours * 3600, count)).round(), unit="s")
    days = 2 if source == "refused_delivery" else 12
    more = pd.DataFrame(
        {
            "id": np.arange(count) + 1_000_000,
            "at": at,
            "amount": 100.0,
            "score": 1.5,
            "fraud": 1,
            "told": at + pd.to_timedelta(rng.lognormal(np.log(days), 0.4, count) * 86_400, unit="s"),
            "source": source,
            "outcome": "approve",
        }
    )
    return pd.concat([held, more]).sort_values("at", kind="stable", ignore_index=True)


def data(held: pd.DataFrame, *, zone: str = "UTC", without: tuple[str, ...] = ()) -> rb.Dataset:
    from dataclasses import replace

    roles = {role: column for role, column in ROLES.items() if role not in without}
    return replace(rb.read(held, roles=rb.Roles(**roles)), time_zone=zone)


def scope(held: pd.DataFrame, start: str, end: str, **options) -> Scope:
    given = {name: options.pop(name) for name in ("baseline", "measure", "where") if name in options}
    asof = options.pop("asof", None)
    return scope_of(Incident(start, end, **given), data(held, **options), asof=asof)


def row(timeline: Timeline, measure: str) -> pd.Series:
    return timeline.signals.set_index("measure").loc[measure]


@pytest.fixture(scope="module")
def attack() -> pd.DataFrame:
    return attacked(frame(), "2026-04-03 17:20", 9, 60)


def test_the_start_and_the_stop_are_found_in_local_time(attack):
    found = when(scope(attack, "2026-04-02", "2026-04-06", asof="2026-04-09", zone="Asia/Jakarta"))
    assert found.measure == "fraud"
    assert abs(pd.Timestamp(found.start) - pd.Timestamp("2026-04-03 17:20")) < HOUR
    assert pd.Timestamp(found.start_lower) <= pd.Timestamp("2026-04-03 17:20") <= pd.Timestamp(found.start_upper)
    assert abs(pd.Timestamp(found.end) - pd.Timestamp("2026-04-04 02:20")) < 2 * HOUR
    assert found.still_running is False
    assert found.change_lower > 3
    assert found.p_value <= 0.01
    assert "2026-04-04 00:" in str(found.headline()[0])
    assert "Asia/Jakarta" in str(found.headline()[0])
    assert row(found, "fraud")["start"] == pd.Timestamp(found.start) + 7 * HOUR
    begin, stop = settled_window(scope(attack, "2026-04-02", "2026-04-06"), found)
    assert pd.Timestamp(begin, unit="us") == pd.Timestamp(found.start)
    assert pd.Timestamp(stop, unit="us") == pd.Timestamp(found.end)


def test_an_attack_until_the_windows_end_is_still_running(attack):
    found = when(scope(attack, "2026-04-02", "2026-04-04", asof="2026-04-09"))
    assert found.still_running
    assert found.end is None
    assert "still running" in str(found.headline()[1])
    assert (
        settled_window(scope(attack, "2026-04-02", "2026-04-04"), found)[1] == pd.Timestamp("2026-04-04").value // 1000
    )


def test_each_label_source_is_told_by_its_own_clock(attack):
    early = when(scope(attack, "2026-04-03", "2026-04-05", asof="2026-04-05"))
    refused = measure_of(scope(attack, "2026-04-03", "2026-04-05", asof="2026-04-05"), "fraud:refused_delivery")
    assert refused.delays.at([2.0])[0] == pytest.approx(0.5, abs=0.12)
    assert pd.notna(row(early, "fraud:refused_delivery")["start"])
    said = row(early, "fraud:chargeback")["said"]
    assert said.startswith("not measurable before 2026-04-")
    later = measure_of(scope(attack, "2026-04-03", "2026-04-05", asof=said.split()[3].rstrip(":")), "fraud:chargeback")
    assert later.unmeasurable is None


def test_young_events_are_no_fall_of_fraud():
    held = frame(days=60, per_day=600, rate=0.05)
    found = when(scope(held, "2026-04-22", "2026-04-30", asof="2026-04-30", measure="fraud"))
    assert found.start is None
    seen = row(found, "fraud")
    assert seen["observed"] == pytest.approx(seen["expected"], rel=0.3)
    assert seen["expected"] < 0.6 * 8 * 600 * 0.05, "most is not told yet"


def test_before_any_verdict_scores_and_volumes_still_tell(attack):
    found = when(scope(attack, "2026-04-03", "2026-04-05", asof="2026-04-03 23:00"))
    assert "not measurable before" in row(found, "fraud")["said"]
    assert found.measure in ("flagged", "score")
    assert "not measurable yet" in found.why
    assert abs(pd.Timestamp(found.start) - pd.Timestamp("2026-04-03 17:20")) < HOUR


def test_nothing_that_changed_is_said_to_have():
    found = when(scope(frame(seed=5), "2026-04-02", "2026-04-05"))
    assert found.start is found.end is found.still_running is None
    assert "no change found" in str(found.headline()[0])
    assert found.signals["start"].isna().all()
    window = settled_window(scope(frame(seed=5), "2026-04-02", "2026-04-05"), found)
    assert window == (pd.Timestamp("2026-04-02").value // 1000, pd.Timestamp("2026-04-05").value // 1000)


def test_chance_seldom_makes_a_change_of_the_named_measure():
    alarms = []
    for seed in range(40):
        held = frame(days=30, per_day=120, rate=0.06, seed=seed)
        found = when(scope(held, "2026-03-27", "2026-03-30", measure="fraud", asof="2026-05-30"))
        alarms.append(found.start is not None)
    assert np.mean(alarms) <= 0.15


def test_the_order_of_rows_does_not_matter(attack):
    mixed = attack.sample(frac=1, random_state=3)
    one, other = (when(scope(held, "2026-04-02", "2026-04-06", asof="2026-04-09")) for held in (attack, mixed))
    pd.testing.assert_frame_equal(one.signals, other.signals)
    pd.testing.assert_frame_equal(one.series, other.series)


def test_a_later_as_of_never_hides_what_was_told(attack):
    told = [
        row(when(scope(attack, "2026-04-03", "2026-04-05", asof=asof)), "fraud")["observed"]
        for asof in ("2026-04-08", "2026-04-15", "2026-05-15")
    ]
    assert told == sorted(told)


def test_without_labels_the_volume_is_the_measure():
    without = ("label", "label_time", "label_source", "score", "outcome", "amount")
    many = attacked(frame(), "2026-04-03 17:20", 9, 200)
    found = when(scope(many, "2026-04-02", "2026-04-06", without=without))
    assert found.measure == "events"
    assert abs(pd.Timestamp(found.start) - pd.Timestamp("2026-04-03 17:20")) < 2 * HOUR


def test_labels_without_a_time_count_as_told(attack):
    found = when(scope(attack, "2026-04-02", "2026-04-06", without=("label_time", "label_source")))
    assert found.measure == "fraud"
    assert (found.series["told"] == 1).all()


def test_what_history_stopped_tells_nothing(attack):
    held = attack.assign(outcome="block")
    found = when(scope(held, "2026-04-02", "2026-04-06"))
    assert "history stopped every event" in row(found, "fraud")["said"]
    assert found.measure != "fraud"
    half = attack.assign(outcome=np.where(attack["id"] % 2 == 0, "block", "approve"))
    fraud = measure_of(scope(half, "2026-04-02", "2026-04-06"), "fraud")
    stopped = (half["id"] % 2 == 0).to_numpy()
    assert not fraud.exposure[stopped].any()
    assert not fraud.amount[stopped].any()


def test_without_a_baseline_nothing_is_compared(attack):
    found = when(scope(attack, "2026-01-01", "2026-12-31"))
    assert found.start is None
    assert found.p_value is None
    assert "no baseline" in str(found.headline()[0]) or "not measurable" in str(found.headline()[0])
    assert "no events outside the window" in " ".join(found.notes)
    assert found._repr_html_()


def test_a_baseline_may_lie_after_the_window():
    held = attacked(frame(), "2026-03-01 00:00", 30, 150)
    found = when(scope(held, "2026-03-01", "2026-03-04", asof="2026-06-01"))
    assert pd.Timestamp(found.start) < pd.Timestamp("2026-03-01 02:00")
    assert abs(pd.Timestamp(found.end) - pd.Timestamp("2026-03-02 06:00")) < 3 * HOUR
    assert "the time after" in " ".join(found.notes)
    assert "The events begin with it" in " ".join(found.notes)


def test_a_baseline_wider_than_the_events_or_a_rare_condition_changes_no_level():
    held = frame(per_day=100)
    one = when(scope(held, "2026-04-02", "2026-04-05", measure="events"))
    wide = when(scope(held, "2026-04-02", "2026-04-05", measure="events", baseline=("2020-01-01", "2026-04-02")))
    assert row(wide, "events")["expected"] == pytest.approx(row(one, "events")["expected"], rel=1e-3)
    rare = held.assign(amount=np.where(held["at"] < "2026-03-25", 1.0, held["amount"]))
    few = when(scope(rare, "2026-04-02", "2026-04-05", measure="events", where="amount > 5"))
    assert row(few, "events")["baseline"] < 0.4 * row(one, "events")["baseline"]


def test_a_window_of_one_event_or_of_one_moment():
    held = frame(days=20)
    first = held["at"].iloc[-50]
    one = when(scope(held, str(first), str(first + pd.Timedelta(seconds=1))))
    assert one.start is None
    assert row(one, "events")["n"] == 1
    assert "too few" in row(one, "events")["said"]
    same = held.assign(at=held["at"].where(held["at"] < "2026-03-18", pd.Timestamp("2026-03-18 12:00:00")))
    found = when(scope(same, "2026-03-18", "2026-03-20", measure="events"))
    assert pd.Timestamp(found.start) == pd.Timestamp("2026-03-18 12:00")
    assert found._repr_html_()


@pytest.mark.parametrize(("zone", "change"), [("America/New_York", "2026-03-08"), ("Europe/Berlin", "2026-10-25")])
def test_the_night_when_clocks_change_is_no_change(zone, change):
    middle = pd.Timestamp(change)
    rng = np.random.default_rng(2)
    utc = pd.date_range(middle - pd.Timedelta("40D"), middle + pd.Timedelta("3D"), freq="1h", inclusive="left")
    night = utc.tz_localize("UTC").tz_convert(zone).hour.isin(range(6))
    counts = rng.poisson(np.where(night, 2, 20))
    at = np.repeat(utc.to_numpy(), counts) + pd.to_timedelta(rng.integers(0, 3600, counts.sum()), unit="s").to_numpy()
    held = pd.DataFrame({"id": np.arange(len(at)), "at": at})
    events = rb.read(held, roles=rb.Roles(id="id", time="at"))
    from dataclasses import replace

    shown = when(
        scope_of(
            Incident(str(middle.date()), str((middle + pd.Timedelta("3D")).date())), replace(events, time_zone=zone)
        )
    )
    assert shown.start is None
    assert row(shown, "events")["observed"] == pytest.approx(row(shown, "events")["expected"], rel=0.1)


def test_a_campaign_day_is_compared_with_campaign_days():
    held = frame(days=150, per_day=120, start="2026-06-20")
    more = frame(days=150, per_day=120, start="2026-06-20", seed=3)
    more = more[more["at"].dt.month == more["at"].dt.day].assign(id=lambda part: part["id"] + 10_000_000)
    busy = pd.concat([held, more]).sort_values("at", ignore_index=True)
    found = when(scope(busy, "2026-11-10", "2026-11-13", measure="events"))
    assert found.start is None, "as busy as on 7.7 to 10.10"
    alone = when(scope(busy[busy["at"] > "2026-10-11"], "2026-11-11", "2026-11-12"))
    assert "no double day" in row(alone, "events")["said"]
    assert row(alone, "fraud")["said"] == "measurable"
    mild = pd.DataFrame(
        {"name": ["11.11", "10.10"], "first": ["2026-11-11", "2026-10-10"], "last": ["2026-11-11", "2026-10-10"]}
    )
    told = when(scope(busy, "2026-11-10", "2026-11-13"), calendar=mild)
    assert "assumed" not in " ".join(told.notes)
    assert "assumed" in " ".join(found.notes)


def test_a_calendar_that_cannot_be_read_is_refused(attack):
    held = scope(attack, "2026-04-02", "2026-04-06")
    for calendar in (
        pd.DataFrame({"name": ["x"]}),
        pd.DataFrame({"name": ["x"], "first": ["soon"], "last": ["later"]}),
        pd.DataFrame({"name": ["x"], "first": [None], "last": ["2026-01-01"]}),
    ):
        with pytest.raises(ParameterError):
            when(held, calendar=calendar)


def test_days_have_their_kinds():
    days = np.array(["2026-12-12", "2026-11-30", "2026-12-01", "2027-11-26", "2026-11-09"], dtype="datetime64[D]")
    codes, names = campaigns(days.astype(np.int64))
    assert [names[code] for code in codes] == ["double day", "Black Friday", "payday", "Black Friday", "ordinary"]
    first = pd.DataFrame({"name": ["Lebaran", "3.3"], "first": ["2026-03-01"] * 2, "last": ["2026-03-03"] * 2})
    codes, names = campaigns(np.array(["2026-03-03"], dtype="datetime64[D]").astype(np.int64), first)
    assert [names[code] for code in codes] == ["Lebaran"]


def test_an_unknown_measure_is_answered_with_the_nearest(attack):
    with pytest.raises(ParameterError, match="refused_delivery"):
        when(scope(attack, "2026-04-02", "2026-04-06", measure="fraud:refuseddelivery"))


def test_measures_keep_their_names(attack):
    held = scope(attack, "2026-04-02", "2026-04-06")
    names = [measure.name for measure in measures(held)]
    assert names == [
        "fraud", "fraud:chargeback", "fraud:refused_delivery", "events", "amount", "alerts", "score", "flagged",
    ]  # fmt: skip
    for measure in measures(held):
        assert np.isfinite(measure.amount).all()
        if measure.exposure is not None:
            assert ((measure.exposure >= 0) & (measure.exposure <= 1)).all()
            assert not measure.amount[measure.exposure == 0].any()
    flagged = measure_of(held, "flagged")
    assert 0.005 < flagged.amount[held.baseline].mean() <= 0.011
    assert measure_of(held, "score").amount[held.baseline].mean() == pytest.approx(0.5)


def test_scores_that_miss_or_tie_or_are_log_odds(attack):
    rng = np.random.default_rng(1)
    missing = attack.assign(score=np.where(rng.random(len(attack)) < 0.3, np.nan, attack["score"] * 9 - 5))
    found = measure_of(scope(missing, "2026-04-02", "2026-04-06"), "score")
    assert (found.amount >= 0).all()
    assert not found.exposure[missing["score"].isna().to_numpy()].any()
    same = measure_of(scope(attack.assign(score=1.0), "2026-04-02", "2026-04-06"), "flagged")
    assert np.isfinite(same.amount).all()
    none = when(scope(attack.assign(score=np.nan), "2026-04-02", "2026-04-06"))
    assert "no score" in row(none, "flagged")["said"]


def test_several_measures_are_adjusted_for():
    rng = np.random.default_rng(0)
    p = rng.random(12)
    order = np.argsort(p)
    wanted = [min(p[later] * 12 / (place + 1) for place, later in enumerate(order) if p[later] >= each) for each in p]
    np.testing.assert_allclose(adjusted(list(p)), np.minimum(wanted, 1.0))
    assert adjusted([]) == []


@pytest.mark.parametrize(("seed", "asof"), [(3, None), (5, None), (7, "2026-11-11T00:00")])
def test_the_raid_of_the_sample_is_dated_within_the_hour(seed, asof):
    began = pd.Timestamp("2026-11-10T17:20")  # 00:20 in Jakarta
    calendar = pd.DataFrame(
        {
            "name": ["7.7", "8.8", "9.9", "10.10", "11.11"],
            "first": ["2026-07-07", "2026-08-08", "2026-09-09", "2026-10-10", "2026-11-10"],
            "last": ["2026-07-07", "2026-08-08", "2026-09-09", "2026-10-10", "2026-11-11"],
        }
    )
    held = scope_of(Incident("2026-11-10T05:00", "2026-11-13T17:00"), rb.sample(orders=50_000, seed=seed), asof=asof)
    found = when(held, calendar=calendar)
    assert abs(pd.Timestamp(found.start) - began) < HOUR
    assert pd.Timestamp(found.start_lower) <= began <= pd.Timestamp(found.start_upper)
    assert found.measure == ("fraud" if asof is None else "commission")


def test_a_named_measure_that_cannot_be_said_yet_is_not_replaced(attack):
    found = when(scope(attack, "2026-04-03", "2026-04-05", asof="2026-04-03 19:00", measure="fraud"))
    assert found.measure == "fraud"
    assert found.start is found.p_value is found.still_running is None
    assert "not measurable before 2026-04-0" in str(found.headline()[0])
    assert found._repr_html_()


@pytest.mark.public
def test_the_january_attack_on_new_accounts_is_dated(public_data):
    held = rb.read(
        public_data / "accounts_fraud_ecommerce.parquet",
        roles=rb.Roles(id="user_id", time="purchase_time", label="class", amount="purchase_value", currency="USD"),
    )
    found = when(scope_of(Incident("2015-01-01", "2015-01-20"), held))
    assert pd.Timestamp(found.start) < pd.Timestamp("2015-01-01 06:00")
    assert pd.Timestamp("2015-01-12") <= pd.Timestamp(found.end) < pd.Timestamp("2015-01-14")
    assert "the time after" in " ".join(found.notes)


def few(*, count=4, seed=1):
    """Return quiet events with a few frauds in a month that hardly had any, and orders in number beside them."""
    held = frame(rate=0.0005, seed=seed)
    rng = np.random.default_rng(3)
    at = pd.Timestamp("2026-04-05 06:00") + pd.to_timedelta(np.sort(rng.integers(0, 7200, 600)), unit="s")
    held.loc[held["at"] >= pd.Timestamp("2026-04-05"), ["fraud", "told", "source"]] = [0, pd.NaT, None]
    more = pd.DataFrame(
        {"id": np.arange(600) + 10_000_000, "at": at, "amount": 100.0, "score": rng.random(600), "fraud": 0}
    )
    more["outcome"] = "approve"
    held = pd.concat([held, more]).sort_values("at", kind="stable", ignore_index=True)
    struck = np.flatnonzero(held["at"] >= pd.Timestamp("2026-04-05 06:10"))[: count * 4 : 4]
    held.loc[struck, "fraud"] = 1
    held.loc[struck, "told"] = held.loc[struck, "at"] + HOUR
    held.loc[struck, "source"] = "chargeback"
    return held


def test_a_few_frauds_do_not_bear_an_investigation_unless_they_are_named():
    told = when(scope(few(count=4), "2026-04-05", "2026-04-07"))
    assert row(told, "fraud")["observed"] == 4
    assert row(told, "fraud")["p_adjusted"] <= 0.05
    assert not told.measure.startswith("fraud")
    assert told.start is not None
    assert "the fraud told" not in told.why
    assert when(scope(few(count=4), "2026-04-05", "2026-04-07"), measure="fraud").measure == "fraud"
    assert when(scope(few(count=12), "2026-04-05", "2026-04-07")).measure == "fraud"
