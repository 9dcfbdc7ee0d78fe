"""The synthetic marketplace: the same bytes for the same seed, linked tables, and nothing out of place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import riskbench as rb
from riskbench.data.labels import label_state
from riskbench.data.marketplace.kyc import others_before
from riskbench.data.marketplace.orders import earlier, recent
from riskbench.data.marketplace.region import CODES, PAYMENTS, region
from riskbench.data.marketplace.schema import EMPTY, FILLED
from riskbench.data.marketplace.schemes import LOOKALIKES, RAID, SCHEMES
from riskbench.data.marketplace.words import id_words, national_numbers, shuffled
from riskbench.data.outcomes import ladder
from riskbench.data.roles import DOMAINS
from riskbench.errors import ParameterError


@pytest.fixture(scope="module")
def brazil():
    return rb.marketplace(orders=20_000, region="BR", seed=3)


@pytest.fixture(scope="module")
def twelve():
    return rb.marketplace(orders=60_000, seed=3)


def frame(table):
    return table.to_arrow().to_pandas()


# The same for the same seed


def test_equal_seeds_give_equal_bytes_on_disk(tmp_path: Path):
    lots = []
    for name in ("a", "b"):
        market = rb.marketplace(orders=1_500, region="PL", seed=11)
        lots.append({str(f.relative_to(tmp_path / name)): f.read_bytes() for f in market.write(tmp_path / name)})
    assert lots[0].keys() == lots[1].keys()
    assert [name for name in lots[0] if lots[0][name] != lots[1][name]] == []


def test_another_seed_gives_other_orders():
    assert (
        rb.sample(region="PL", orders=600, seed=1).fingerprint != rb.sample(region="PL", orders=600, seed=2).fingerprint
    )


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_sample_is_the_marketplace_seen_through_one_domain(domain):
    market = rb.marketplace(orders=40_000, region="PL", seed=4)
    alone = rb.sample(domain, "PL", orders=40_000, seed=4)
    assert alone.fingerprint == market.datasets[domain].fingerprint


def test_a_written_domain_reads_back_as_it_was(tmp_path: Path, brazil):
    brazil.write(tmp_path)
    for domain in DOMAINS:
        held = json.loads((tmp_path / domain / "roles.json").read_text())
        back = rb.read(tmp_path / domain / "events.parquet", roles=held["roles"], domain=held["domain"])
        first = brazil.datasets[domain]
        assert back.names == first.names
        assert back.rows == first.rows
        assert back.roles.columns() == first.roles.columns()
        for name in first.names:
            ours, theirs = first.column(name), back.column(name)
            assert np.array_equal(ours.present, theirs.present), name
            if ours.kind != "string":
                assert np.array_equal(ours.values[ours.present], theirs.values[theirs.present]), name
        assert (
            label_state(first).counts
            == label_state(back if back.mature_after is not None else _aged(back, held["mature_after"])).counts
        )


def _aged(dataset, days):
    from dataclasses import replace

    return replace(dataset, mature_after=days)


# Shape


def test_there_are_twelve_unequal_regions(twelve):
    shares = [region(code).share for code in CODES]
    assert len(CODES) == 12
    assert sum(shares) == pytest.approx(1)
    assert max(shares) == 0.45
    assert min(shares) == 0.002
    codes, names = twelve.datasets["transactions"].regions
    counts = dict(zip(names, np.bincount(codes), strict=True))
    assert counts["ID"] == pytest.approx(27_000, rel=0.02)
    assert counts["NO"] == pytest.approx(120, rel=0.15)


@pytest.mark.parametrize("code", CODES)
def test_a_region_file_is_whole(code):
    held = region(code)
    assert sum(held.payments.values()) == pytest.approx(1)
    assert sum(held.cities.values()) == pytest.approx(1)
    assert set(held.payments) <= set(PAYMENTS)
    assert held.as_of == "2026-05-01"
    assert len(held.midnights()) == 183
    assert (np.diff(held.midnights()) > 22 * 3_600_000_000).all()
    assert {name for name, *_ in held.calendar} >= {"9.9", "10.10", "11.11"}


def test_payment_methods_follow_the_region_file():
    orders = rb.sample(region="ID", orders=30_000)
    codes, names = orders.segment("payment_method")
    found = dict(zip(names, np.bincount(codes) / orders.rows, strict=True))
    for name, share in region("ID").payments.items():
        assert found[name] == pytest.approx(share, abs=0.03), name
    assert np.median(orders.column("amount").values) == pytest.approx(85_000, rel=0.06)


def test_weeks_are_whole_and_the_campaign_shows():
    orders = rb.sample(region="ID", orders=30_000)
    codes, names = orders.weeks
    counts = np.bincount(codes)
    assert len(names) == 26
    assert names[0] == "2026-05-18"
    assert counts.min() > 500
    assert names[int(counts.argmax())] == "2026-11-09"


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("code", ["ID", "BR", None])
def test_every_domain_has_enough_to_calibrate_on(domain, code):
    events = rb.sample(domain, code)
    state = label_state(events)
    assert events.rows >= 3_000
    assert state.counts[1] >= 150
    assert state.counts[3] > 0, "the tail is unmatured"
    assert events.currency.code == {"ID": "IDR", "BR": "BRL", None: "USD"}[code]
    rate = state.counts[1] / (state.counts[0] + state.counts[1])
    assert 0.005 < rate < 0.08


@pytest.mark.parametrize("domain", DOMAINS)
def test_columns_are_in_order(brazil, domain):
    events = brazil.datasets[domain]
    assert len(set(frame(events.table)[events.roles.id])) == events.rows
    assert (np.diff(events.column("time").values) >= 0).all()
    told, time = events.column("label_time"), events.column("time")
    assert (told.values >= time.values)[told.present].all(), "no verdict before its event"
    first, last = events.span
    assert str(first) >= "2026-05-17"
    assert str(last) <= "2026-11-17"
    for name in events.names:
        column = events.column(name)
        if column.kind == "float":
            assert np.isfinite(column.values[column.present]).all(), name
        if column.words is not None:
            words = column.words.to_pylist()
            assert len(set(words)) == len(words), name


@pytest.mark.parametrize("code", ["ID", "VN", "BR", "MX"])
def test_money_has_no_more_decimals_than_its_currency(code):
    from riskbench.data.money import to_minor

    for domain in DOMAINS:
        events = rb.sample(domain, code, orders=3_000)
        for name in {"amount", *events.roles.measures} & {
            "amount",
            "loss",
            "margin",
            "subsidy",
            "commission",
            "shipping",
        }:
            column = events.roles.measures.get(name, events.roles.amount)
            if column is not None:
                _, finer = to_minor(events.column(column), events.currency, name=column)
                assert finer == 0, (domain, column)


# Labels, outcomes and truth


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_stopped_event_has_no_label_and_no_loss(brazil, domain):
    events = frame(brazil.datasets[domain].table)
    stop = ladder(domain).names[3]
    stopped = events[events["outcome"] == stop]
    assert len(stopped) > 0
    assert stopped["fraud"].isna().all()
    assert stopped["loss"].isna().all()
    assert stopped["label_time"].isna().all()
    assert (events["loss"].notna() == (events["fraud"] == 1)).all()
    assert (events.loc[events["fraud"] == 1, "loss"] >= 0).all()


@pytest.mark.parametrize("domain", DOMAINS)
def test_let_through_is_the_chance_of_not_being_stopped(twelve, domain):
    events = frame(twelve.datasets[domain].table)
    stop = ladder(domain).names[3]
    assert set(events["let_through_p"]) <= {0.0, 0.05, 1.0}
    stopped = events["outcome"] == stop
    assert (events.loc[stopped, "let_through_p"] < 1).all()
    assert stopped[events["let_through_p"] == 0].all(), "never let through"
    candidates = events["let_through_p"] == 0.05
    assert 0 <= (~stopped[candidates]).mean() < 0.2
    rules = frame(twelve.tables["outcomes"])
    never = rules[(rules["domain"] == domain) & (rules["let_through_p"] == 0)]["rule"]
    assert set(never) <= {"TX-003", "KY-001", "KY-002", "OB-007"}


def test_verdicts_arrive_late_and_by_source(twelve):
    labels = twelve.labels
    assert set(labels["source"]) == {
        "chargeback",
        "instant_dispute",
        "complaint",
        "refused_delivery",
        "return_verdict",
        "investigation",
        "ban",
        "appeal_overturned",
    }
    assert (labels.loc[labels["source"] == "appeal_overturned", "verdict"] == "good").all()
    orders = frame(twelve.datasets["transactions"].table).set_index("order_id")
    told = labels[(labels["domain"] == "transactions") & (labels["verdict"] == "fraud") & labels["caused_by"].isna()]
    delay = (told["time"].to_numpy() - orders.loc[told["subject"], "placed_at"].to_numpy()) / np.timedelta64(1, "D")
    median = {source: float(np.median(delay[told["source"] == source])) for source in set(told["source"])}
    assert median["chargeback"] > 20 > median["complaint"] > 3
    assert labels["caused_by"].notna().any(), "reviews name their rule"


def test_the_latest_verdict_is_the_label(brazil):
    labels = brazil.labels
    orders = frame(brazil.datasets["transactions"].table).set_index("order_id")
    for subject, held in labels[labels["domain"] == "transactions"].groupby("subject", observed=True):
        overturned = held[held["source"] == "appeal_overturned"]
        frauds = held[held["verdict"] == "fraud"]
        wanted = 0 if len(overturned) or not len(frauds) else 1
        assert orders.loc[subject, "fraud"] == wanted


def test_the_truth_names_every_scheme_and_look_alike(twelve):
    truth = twelve.truth
    found = set(truth["scheme"])
    assert {s.name for s in SCHEMES} <= found
    assert {s.name for s in LOOKALIKES} <= found
    assert {"document_reuse", "mule_account", "helper_desk", "agency", "market_hall"} <= found
    assert len(SCHEMES) + 1 == 11  # document and face reuse lives in KYC
    assert (truth["fraud"] != truth["look_alike"]).all()
    assert (truth.loc[truth["look_alike"], "loss"] == 0).all()
    assert {s.name for s in RAID} <= found
    frauds = truth[(truth["domain"] == "transactions") & truth["fraud"]]
    raid = int((frauds["scheme"] == "creator_raid").sum())
    assert 0.005 < (len(frauds) - raid) / twelve.datasets["transactions"].rows < 0.03
    assert 0.002 < raid / twelve.datasets["transactions"].rows < 0.01


def test_the_truth_is_apart():
    for domain in DOMAINS:
        names = set(rb.sample(domain, "PL", orders=600).names)
        assert not names & {"scheme", "ring", "look_alike", "holdout", "moved", "adapted", "rule"}


def test_attackers_move_under_the_cut_within_days_of_its_launch(twelve):
    from riskbench.data.marketplace.scheme import LAUNCHES, LIMIT_AFTER

    story = twelve.story
    orders, day = story.orders, story.held.clock.day_of(story.orders["region"], story.orders["moment"])
    card = np.isin(
        orders["scheme"], [1 + [s.name for s in SCHEMES].index(n) for n in ("stolen_card", "paylater_bustout")]
    )
    above = card & (orders["index"] > LIMIT_AFTER)
    launch = LAUNCHES["amount_cut"]
    before, after = (card & (day < launch)), (card & (day > launch + 7))
    assert above[before].mean() > 0.3
    assert above[after].mean() < 0.1
    just_under = (orders["index"] > 0.85 * LIMIT_AFTER) & (orders["index"] <= LIMIT_AFTER)
    assert just_under[after].mean() > 2 * just_under[before].mean()
    rings = twelve.schemes
    assert rings.loc[rings["fraud"], "adapted"].any()
    assert (rings["region"].astype(str) != rings["home_region"].astype(str)).any(), "some leave for another region"


# Tables


def test_every_table_has_its_place(brazil):
    assert set(brazil.tables) == {*EMPTY, *FILLED}
    assert all(brazil.tables[name].rows > 0 for name in FILLED)
    assert all(brazil.tables[name].rows == 0 and brazil.tables[name].names for name in EMPTY)
    assert brazil.posts.empty
    assert "stars" in brazil.reviews


def test_tables_are_linked(brazil):
    tables = {name: frame(brazil.tables[name]) for name in FILLED}
    orders = tables["orders"]
    for column, table in (("buyer_id", "buyers"), ("seller_id", "sellers"), ("device_id", "devices")):
        assert set(orders[column]) <= set(tables[table][column]), column
    assert set(orders["creator_id"].dropna()) <= set(tables["creators"]["creator_id"])
    for table in ("payments", "vouchers", "returns", "commissions"):
        assert set(tables[table]["order_id"]) <= set(orders["order_id"]), table
    assert set(tables["kyc_attempts"]["application_id"].dropna()) <= set(tables["applications"]["application_id"])
    assert len(set(tables["applications"]["seller_id"]) & set(orders["seller_id"])) > 20
    assert not {"fraud", "loss", "label_time", "outcome"} & set(orders)


def test_national_numbers_have_wrong_check_digits():
    numbers = national_numbers(np.arange(300), brazil=np.arange(300) % 2 == 0)
    words = numbers.to_arrow().to_pylist()
    for row, text in enumerate(words):
        if row % 2:
            assert len(text) == 16
            assert text.startswith("00")
            continue
        digits = [int(d) for d in text]
        assert len(digits) == 11
        good = digits[:9]
        for _ in range(2):
            rest = sum(d * w for d, w in zip(good, range(len(good) + 1, 1, -1), strict=True)) % 11
            good.append(0 if rest < 2 else 11 - rest)
        assert good != digits


# Small parts against slow plain Python


def test_counts_of_the_past_agree_with_slow_python():
    rng = np.random.default_rng(5)
    entity = rng.integers(0, 6, 200)
    moment = np.sort(rng.integers(0, 40, 200)) * 900_000_000
    width = 2 * 3_600_000_000
    slow = [
        sum(entity[j] == entity[i] and moment[i] - width <= moment[j] < moment[i] for j in range(200))
        for i in range(200)
    ]
    assert recent(entity, moment, 2).tolist() == slow
    assert earlier(entity).tolist() == [int((entity[:i] == entity[i]).sum()) for i in range(200)]
    member = rng.integers(0, 4, 200)
    others = [len({int(member[j]) for j in range(i) if entity[j] == entity[i]} - {int(member[i])}) for i in range(200)]
    assert others_before(entity, member).tolist() == others


def test_ids_are_one_to_one():
    numbers = np.arange(200_000)
    assert len(np.unique(shuffled(numbers, 11))) == len(numbers)
    assert len(set(id_words(numbers, "B", 11).to_pylist())) == len(numbers)


# Wrong use


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"domain": "transaction"}, "did you mean 'transactions'"),
        ({"region": "XX"}, "not a region"),
        ({"orders": 10}, "500"),
        ({"orders": "many"}, "orders"),
        ({"orders": True}, "orders"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_use_is_told(asked, told):
    with pytest.raises(ParameterError, match=told):
        rb.sample(**asked)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(rb_data_error(), match="could not be written"):
        rb.marketplace(orders=500, region="NO").write(tmp_path / "taken")


def rb_data_error():
    from riskbench.errors import DataError

    return DataError


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(rb_data_error(), match="new folder"):
        rb.marketplace(orders=500, region="NO").write(tmp_path)
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]
