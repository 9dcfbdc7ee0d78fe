"""The raid of the synthetic marketplace: on top of all else, abrupt, told late, and partly paid out by the next run."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.data.marketplace import runs
from riskbench.data.marketplace.region import CODES, END_DAY, FIRST_DAY, region
from riskbench.data.roles import DOMAINS
from riskbench.errors import ParameterError
from riskbench.rules.book import RuleBook

BOOKS = Path(__file__).parents[2] / "playbooks" / "books"
HOUR = pd.Timedelta("1h")


@pytest.fixture(scope="module")
def market():
    return rb.marketplace(orders=50_000, region="ID", seed=7)


@pytest.fixture(scope="module")
def raid(market):
    return orders_of(market, "creator_raid")


def orders_of(market, scheme, domain="transactions"):
    """Return the events of a scheme as a frame."""
    events, truth = market.datasets[domain], market.truth
    inside = set(truth.loc[(truth["domain"] == domain) & (truth["scheme"] == scheme), "event_id"])
    held = events.frame()
    return held[held[events.roles.id].astype(str).isin(inside)]


# On top of everything else


@pytest.mark.parametrize("kw", [{"region": "TH", "orders": 3_000, "seed": 5}, {"orders": 6_000, "seed": 6}])
def test_every_other_event_is_the_same_with_a_raid_and_without(kw):
    without, held = rb.marketplace(**kw, raid=None), rb.marketplace(**kw)
    for domain in DOMAINS:
        old, new = without.datasets[domain], held.datasets[domain]
        key = old.roles.id
        first, rest = old.frame().astype(object), new.frame().astype(object)
        rest = rest[rest[key].isin(set(first[key]))].reset_index(drop=True)
        pd.testing.assert_frame_equal(rest, first)
        more = new.rows - old.rows
        assert (more > 10) == (domain in ("transactions", "affiliation"))
    extra = set(held.truth["event_id"]) - set(without.truth["event_id"])
    schemes = held.truth[held.truth["event_id"].isin(extra)]["scheme"]
    assert set(schemes) == {"creator_raid", "campaign_fans"}
    for table, key in (("payments", "payment_id"), ("vouchers", "voucher_id"), ("labels", "subject")):
        assert set(without.tables[table].frame()[key]) <= set(held.tables[table].frame()[key]), table


def test_without_a_raid_there_is_no_incident():
    market = rb.marketplace(orders=600, region="PL", raid=None)
    assert market.incidents.empty
    assert "segments" in market.incidents
    assert not {"creator_raid", "campaign_fans"} & set(market.truth["scheme"])
    assert market.datasets["transactions"].rows == 600


def test_its_accounts_and_devices_are_its_own(market, raid):
    events = market.datasets["transactions"].frame()
    rest = events[~events["order_id"].isin(set(raid["order_id"]))]
    for name in ("buyer_id", "device_id", "address_id"):
        assert not set(raid[name].dropna()) & set(rest[name].dropna()), name
    for name in ("seller_id", "creator_id"):
        assert set(raid[name].dropna()) <= set(rest[name].dropna()), name


# What it is


def test_it_starts_at_once_and_lasts_a_day_and_a_half(market, raid):
    start, end = market.incidents.loc[0, ["starts_at", "ends_at"]]
    assert start == pd.Timestamp("2026-11-10T17:20")  # 00:20 in Jakarta
    assert end - start == 36 * HOUR
    assert raid["placed_at"].min() - start < pd.Timedelta("5min")
    assert raid["placed_at"].max() < end
    assert ((raid["placed_at"] - start) < 3 * HOUR).mean() > 0.35, "a strong first burst"
    assert ((raid["placed_at"] - start) > 12 * HOUR).mean() > 0.2


def test_it_starts_at_the_same_local_time_in_every_region():
    market = rb.marketplace(orders=20_000, seed=2, raid="2026-09-01T08:00:00")
    assert list(market.incidents["region"]) == list(CODES)
    for row in market.incidents.itertuples():
        local = datetime(2026, 9, 1, 8, tzinfo=ZoneInfo(region(row.region).time_zone))
        assert row.starts_at.tz_localize("UTC") == local
        assert 3 <= row.orders <= 70


@pytest.mark.parametrize(("orders", "low", "high"), [(50_000, 160, 190), (6_000, 34, 46), (2_500, 34, 46)])
def test_its_size_follows_the_market(orders, low, high):
    assert low <= rb.marketplace(orders=orders, region="ID", seed=4).incidents.loc[0, "orders"] <= high


def test_its_truth_says_what_is_true_of_it(market, raid):
    held = market.incidents.loc[0]
    assert held["scheme"] == "creator_raid"
    assert set(held["events"]) == set(raid["order_id"])
    assert held["orders"] == len(raid)
    assert set(held["buyers"]) == set(raid["buyer_id"])
    assert set(held["creators"]) == set(raid["creator_id"].dropna())
    assert set(held["sellers"]) == set(raid["seller_id"])
    assert 3 <= len(held["creators"]) <= 5
    assert len(held["creators"]) <= len(held["sellers"]) + 2
    assert set(held["segments"]) == {"creator_id", "is_live_session", "payment_method"}
    for name, values in held["segments"].items():
        assert raid[name].isin(values).mean() == pytest.approx(held["share"][name], abs=1e-4)
    events = market.datasets["transactions"].frame()
    window = events[(events["placed_at"] >= held["starts_at"]) & (events["placed_at"] < held["ends_at"])]
    for name, values in held["segments"].items():
        window = window[window[name].isin(values)]
    assert window["order_id"].isin(set(held["events"])).mean() > 0.9
    truth = market.truth[market.truth["event_id"].isin(set(held["events"]))]
    assert held["loss"] == pytest.approx(truth["loss"].sum())
    named = raid["commission"] + raid["voucher"] + raid["shipping"]
    assert truth["loss"].sum() == pytest.approx(named.sum(), rel=1e-6)
    assert truth["ring"].nunique() >= 5


def test_its_members_share_devices_and_addresses(raid):
    accounts = raid.groupby("device_id", observed=True)["buyer_id"].nunique()
    assert accounts.mean() > 1.7
    assert raid.groupby("address_id", observed=True)["buyer_id"].nunique().max() >= 3
    young = raid["buyer_age_days"] < 7
    assert 0.2 < young.mean() < 0.8, "fresh and old accounts are mixed"


def test_the_live_book_catches_only_a_part(market, raid):
    held = rb.simulate(RuleBook.read(BOOKS / "transactions.yaml"), market.datasets["transactions"])
    assert held.rules["hits"].sum() > 0
    assert 0.1 < (raid["outcome"] != "approve").mean() < 0.5


def test_its_verdicts_come_late_and_some_not_yet(market, raid):
    told = raid[raid["label_time"].notna() & (raid["fraud"] == 1)]
    assert 0.35 < len(told) / len(raid) < 0.8
    assert set(told["label_source"].dropna()) == {"refused_delivery", "complaint", "investigation"}
    days = (told["label_time"] - told["placed_at"]) / pd.Timedelta("1D")
    refused = told["label_source"] == "refused_delivery"
    assert (told.loc[refused, "payment_method"] == "cod").all()
    assert 2 < days[refused].median() < 5
    assert (days > 0).all()
    later = rb.marketplace(orders=50_000, region="ID", seed=7, raid="2026-08-05T00:20")
    then = orders_of(later, "creator_raid")
    assert (then["fraud"] == 1).sum() > 1.15 * len(told), "with more days, more is told"


def test_an_honest_crowd_looks_like_it(market, raid):
    crowd = orders_of(market, "campaign_fans")
    assert 60 < len(crowd) < len(raid)
    truth = market.truth[market.truth["event_id"].isin(set(crowd["order_id"]))]
    assert truth["look_alike"].all()
    assert not set(crowd["creator_id"].dropna()) & set(market.incidents.loc[0, "creators"])
    assert crowd["is_live_session"].mean() > 0.7
    assert (crowd["placed_at"] >= pd.Timestamp("2026-11-10T17:00")).all()


def test_its_commissions_are_earned_within_hours(market, raid):
    earned = orders_of(market, "creator_raid", "affiliation").set_index("order_id")
    assert len(earned) > 80
    wait = earned["accrued_at"] - raid.set_index("order_id").loc[earned.index, "placed_at"]
    assert wait.max() < 24 * HOUR
    assert (earned["accrued_at"] < pd.Timestamp("2026-11-11T02:20")).sum() > 30
    assert set(earned["creator_id"]) <= set(market.incidents.loc[0, "creators"])
    followers = market.datasets["affiliation"].frame().groupby("creator_id", observed=True)["creator_followers"]
    assert followers.nunique().max() == 1, "a creator has the same followers in and out of a raid"


# Payouts


@pytest.mark.parametrize("code", CODES)
def test_every_region_is_paid_on_wednesday_morning(code):
    zone = ZoneInfo(region(code).time_zone)
    local = [datetime.fromisoformat(moment).astimezone(zone) for moment in runs(code)]
    assert {(at.weekday(), at.hour, at.minute) for at in local} == {(2, 9, 20)}
    assert datetime(2026, 11, 11, 9, 20, tzinfo=zone) in local
    assert {b.date() - a.date() for a, b in pairwise(local)} == {timedelta(days=7)}
    assert local[0].date() >= FIRST_DAY
    assert sum(at.date() >= END_DAY for at in local) == 3


def test_payouts_pay_what_was_earned_and_not_stopped_by_then(market):
    payouts, earned = market.tables["payouts"].frame(), market.datasets["affiliation"].frame()
    moments = pd.to_datetime(list(runs("ID"))).tz_localize(None)
    wanted: dict[tuple[str, pd.Timestamp], tuple[int, int]] = {}
    for row in earned.itertuples():
        run = moments[moments >= row.accrued_at][0]
        called = row.fraud == 1 and row.label_time <= run
        if run >= pd.Timestamp("2026-11-15T17:00") or row.outcome == "clawback" or called:
            continue
        count, money = wanted.get((row.creator_id, run), (0, 0))
        wanted[row.creator_id, run] = (count + 1, money + round(row.amount))
    found = {(row.creator_id, row.run_at): (row.commissions, row.amount) for row in payouts.itertuples()}
    assert found == wanted
    assert payouts["payout_id"].is_unique
    assert set(payouts["status"]) == {"paid", "held"}
    assert (payouts["run_at"] == payouts["period_end"]).all()
    assert payouts["run_at"].is_monotonic_increasing


def test_the_raid_is_partly_paid_by_the_run_nine_hours_later(market):
    payouts = market.tables["payouts"].frame()
    last = payouts[payouts["run_at"] == pd.Timestamp("2026-11-11T02:20")]
    theirs = last[last["creator_id"].isin(set(market.incidents.loc[0, "creators"]))]
    assert len(theirs) >= 3
    assert theirs["amount"].median() > 3 * last["amount"].median()


def test_settlements_add_up(market):
    held = market.tables["settlements"].frame()
    assert held["settlement_id"].is_unique
    assert np.allclose(held["gross"] - held["fees"], held["net"])
    assert (held["net"] > 0).all()
    assert (held["fees"] > 0).all()
    paid = market.tables["payments"].frame()
    assert 0.75 < held["orders"].sum() / (paid["status"] != "cancelled").sum() < 1
    assert set(held["seller_id"]) <= set(market.tables["sellers"].frame()["seller_id"])
    assert set(held["paid_at"]) <= set(pd.to_datetime(list(runs("ID"))).tz_localize(None))


# Wrong use


@pytest.mark.parametrize(
    "raid", ["soon", "2026-11-11T00:20+07:00", "2027-01-01T00:00", "2026-11-15T00:00", 20261111, "", "2026-13-01"]
)
def test_a_raid_that_cannot_be_is_told(raid):
    for verb in (rb.sample, rb.marketplace):
        with pytest.raises(ParameterError, match="raid's start") as error:
            verb(orders=600, region="PL", raid=raid)
        assert "2026-05-18" in str(error.value)


def test_an_unknown_region_has_no_runs():
    with pytest.raises(ParameterError, match="not a region"):
        runs("XX")
