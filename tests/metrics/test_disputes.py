"""Dispute programmes and appeals: counted again by hand, at the door, and against the sample's own truth."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError

ROLES = {"id": "id", "time": "at", "label": "fraud", "label_time": "told", "label_source": "source", "amount": "amount"}
PAYS = ("card", "cod", "wallet")


def events(size: int, seed: int, *, zone: str | None = None) -> tuple[pd.DataFrame, rb.Dataset]:
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2026-01-10")
    frame = pd.DataFrame(
        {
            "id": [f"e{row}" for row in range(size)],
            "at": start + pd.to_timedelta(rng.integers(0, 150 * 86_400, size), unit="s"),
            "pay": rng.choice(PAYS, size),
            "amount": np.round(rng.lognormal(3, 1, size), 2),
            "outcome": rng.choice(["approve", "review", "block"], size, p=[0.8, 0.1, 0.1]),
            "fraud": (rng.random(size) < 0.2).astype(int),
            "market": rng.choice(["A", "B", "é", None], size),
        }
    )
    frame["told"] = (frame["at"] + pd.to_timedelta(rng.exponential(20, size), unit="D")).where(frame["fraud"] == 1)
    frame["source"] = np.where(frame["fraud"] == 1, rng.choice(["chargeback", "complaint"], size), None)
    frame.loc[frame["outcome"] == "block", ["fraud", "told", "source"]] = [0, pd.NaT, None]
    roles = rb.Roles(**ROLES, outcome="outcome", currency="USD", region="market")
    held = rb.read(frame, roles=roles)
    return frame, held


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 400), seed=st.integers(0, 10_000))
def test_a_month_is_what_a_plain_count_says(size: int, seed: int) -> None:
    frame, held = events(size, seed)
    if not (frame["pay"] == "card").any() or not (frame["fraud"] == 1).any():
        return
    found = rb.dispute_programmes(held, card={"pay": "card"}, programmes="mastercard-ecm").frame()
    for line in found.to_dict("records"):
        year, month = map(int, line["month"].split("-"))
        before = (year, month - 1) if month > 1 else (year - 1, 12)
        disputes = transactions = 0
        for row in frame.to_dict("records"):
            if row["pay"] != "card" or row["outcome"] == "block":
                continue
            transactions += (row["at"].year, row["at"].month) == before
            told = row["told"]
            disputes += row["source"] == "chargeback" and (told.year, told.month) == (year, month)
        assert (line["disputes"], line["transactions"]) == (disputes, transactions)
        if transactions:
            assert line["ratio_bps"] == pytest.approx(disputes / transactions * 1e4)
            assert line["lower"] <= min(line["ratio_bps"], 1e4) <= line["upper"] + 1e-9


def test_the_programme_acts_from_its_limit_and_its_floor() -> None:
    at = pd.date_range("2026-01-01", "2026-03-31 23:00", freq="10min")
    frame = pd.DataFrame({"id": range(len(at)), "at": at, "pay": "card", "fraud": 0, "source": None, "amount": 5.0})
    frame["told"] = pd.NaT
    march = np.flatnonzero(at.month == 2)[:150]
    frame.loc[march, "fraud"], frame.loc[march, "source"] = 1, "chargeback"
    frame.loc[march, "told"] = pd.Timestamp("2026-03-05")
    held = rb.read(frame, roles=rb.Roles(**ROLES))
    found = rb.dispute_programmes(held, card={"pay": "card"}, programmes="mastercard-ecm")
    line = found.frame().set_index("month").loc["2026-03"]
    assert (line["disputes"], line["transactions"], line["status"]) == (150, 28 * 144, "over the limit")
    assert line["room"] == 0
    assert line["distance_bps"] < 0
    fewer = rb.dispute_programmes(
        held.where(~np.isin(np.arange(len(frame)), march[:60])), card={"pay": "card"}, programmes="mastercard-ecm"
    )
    assert fewer.frame().set_index("month").loc["2026-03", "status"] == "over, but under the floor of 100"


def test_a_limit_holds_from_its_day_and_in_its_region() -> None:
    vamp = rb.read_programmes()["visa-vamp-merchant"]
    assert vamp.on(dt.date(2025, 9, 30)) is None
    assert vamp.on(dt.date(2026, 3, 31)).bps == 220
    assert vamp.on(dt.date(2026, 4, 1)).bps == 150
    assert all(p.source and p.checked for p in rb.read_programmes().values())


def test_what_only_the_acquirer_sees_is_told_so() -> None:
    _, held = events(400, 3)
    found = rb.dispute_programmes(held, card={"pay": "card"}, programmes="visa-vamp-merchant")
    assert "ask your acquirer" in " ".join(found.notes)
    assert "under the limit" not in set(found.frame()["status"])
    assert "fraud_report" in found.grounds.bounded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense = [", "is not TOML"),
        ("x = 1", "holds no programme"),
        ('[[programme]]\nid = "a"\ncolour = "red"', "is not a key"),
        ('[[programme]]\nid = "a"', "missing or wrong"),
    ],
)
def test_a_wrong_file_of_programmes_is_told(tmp_path, text: str, said: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError, match=said):
        rb.read_programmes(path)


def test_own_programmes_are_read_and_checked(tmp_path) -> None:
    path = tmp_path / "own.toml"
    text = """
[[programme]]
id = "own"
scheme = "visa"
name = "Own contract"
applies_to = "merchant"
numerator = ["chargeback"]
numerator_words = "chargebacks"
denominator_month = "same"
denominator_words = "card orders"
source = "contract of 2026"
checked = 2026-01-01
[[programme.threshold]]
from = 2026-01-01
bps = {bps}
regions = ["A"]
"""
    path.write_text(text.format(bps=90), encoding="utf-8")
    own = rb.read_programmes(path)
    assert own["own"].on(dt.date(2026, 5, 1), region="A").bps == 90
    assert own["own"].on(dt.date(2026, 5, 1), region="B") is None
    _, held = events(300, 1)
    found = rb.dispute_programmes(held, card={"pay": "card"}, programmes=own)
    assert set(found.frame()["status"]) - {"no card transactions"} == {"no limit in force"}
    path.write_text(text.format(bps=-1), encoding="utf-8")
    with pytest.raises(ParameterError, match="out of range"):
        rb.read_programmes(path)
    with pytest.raises(ParameterError, match="cannot be read"):
        rb.read_programmes(tmp_path / "none.toml")


def test_the_door_of_the_programmes() -> None:
    _, held = events(50, 1)
    with pytest.raises(ParameterError, match="mastercard-ecm"):
        rb.dispute_programmes(held, card={"pay": "card"}, programmes="mastercard-ecn")
    with pytest.raises(DataError, match="paid by card"):
        rb.dispute_programmes(held, card={"pay": "gold"})
    with pytest.raises(DataError, match="paid by card"):
        rb.dispute_programmes(held)
    with pytest.raises(ColumnNotFoundError):
        rb.dispute_programmes(held, card={"payment": "card"})
    with pytest.raises(DataError, match="label_source"):
        rb.dispute_programmes(held.with_roles(label_source=None), card={"pay": "card"})


def filed_for(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    acted = frame[frame["outcome"] != "approve"]
    picked = acted[rng.random(len(acted)) < 0.6]
    made = pd.DataFrame({"id": picked["id"], "rule": rng.choice(["R1", "R2"], len(picked))})
    made["filed_at"] = picked["at"] + pd.to_timedelta(rng.exponential(2, len(picked)), unit="D")
    made["decided_at"] = made["filed_at"] + pd.to_timedelta(rng.exponential(6, len(picked)), unit="D")
    made["verdict"] = rng.choice(["overturned", "upheld"], len(picked))
    return made


@settings(max_examples=25, deadline=None)
@given(size=st.integers(30, 500), seed=st.integers(0, 10_000), late=st.integers(20, 160))
def test_appeals_are_what_a_plain_count_says(size: int, seed: int, late: int) -> None:
    frame, held = events(size, seed)
    filed = filed_for(frame, seed)
    asof = pd.Timestamp("2026-01-10") + pd.Timedelta(days=late)
    groups = rb.appeals(held, filed, by=("market", "rule"), asof=asof).frame()
    whole = groups.iloc[0]
    by_id = {row["id"]: row for row in filed.to_dict("records")}
    actions = appealed = decided = won = 0
    frozen = 0.0
    for row in frame.to_dict("records"):
        if row["outcome"] == "approve" or row["at"] > asof:
            continue
        actions += 1
        appeal = by_id.get(row["id"])
        if appeal is None or appeal["filed_at"] > asof:
            continue
        appealed += 1
        if appeal["decided_at"] <= asof:
            decided += 1
            if appeal["verdict"] == "overturned":
                won, frozen = won + 1, frozen + row["amount"]
    counts = tuple(whole[["actions", "appealed", "decided", "overturned"]])
    assert counts == (actions, appealed, decided, won)
    assert whole["wrongly_frozen_value"] == pytest.approx(frozen)
    if decided < 10:
        assert pd.isna(whole["overturn_rate"])
        assert appealed == 0 or "not measurable" in whole["status"]
    else:
        assert whole["overturn_rate"] == pytest.approx(won / decided)
    if actions:
        assert whole["insult_floor_rate"] <= whole["appeal_rate"]
    for name, part in groups[groups["by"] != "all"].groupby("by"):
        assert part["appealed"].sum() == appealed, name
    assert groups.loc[groups["by"] == "market", "actions"].sum() == actions
    turned = rb.appeals(
        held.take(np.arange(held.rows)[::-1]), filed.iloc[::-1], by=("market", "rule"), asof=asof
    ).frame()
    pd.testing.assert_frame_equal(groups, turned)


def test_pending_appeals_do_not_shorten_the_days() -> None:
    frame = pd.DataFrame({"id": range(40), "outcome": "block", "amount": 1.0})
    held = rb.read(frame, roles=rb.Roles(id="id", outcome="outcome", amount="amount"))
    filed = pd.DataFrame({"id": range(40), "filed_at": pd.Timestamp("2026-01-01")})
    days = np.where(np.arange(40) < 16, 2, 30)
    filed["decided_at"] = filed["filed_at"] + pd.to_timedelta(days, unit="D")
    filed["verdict"] = "upheld"
    early = rb.appeals(held, filed, asof="2026-01-11").frame().iloc[0]
    assert early["decided"] == 16
    assert pd.isna(early["days_median"])
    assert rb.appeals(held, filed).frame().iloc[0]["days_median"] == 30.0
    few = rb.appeals(held, filed.head(9)).frame().iloc[0]
    assert few[["days_median", "days_median_lower", "days_median_upper"]].isna().all()


def test_the_interval_of_the_median_days_holds_the_true_median() -> None:
    frame = pd.DataFrame({"id": range(80), "outcome": "block"})
    held = rb.read(frame, roles=rb.Roles(id="id", outcome="outcome"))
    start, true, inside, seeds = pd.Timestamp("2026-01-01"), 9 * np.log(2), 0, 200
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        filed = pd.DataFrame({"id": range(80), "filed_at": start + pd.to_timedelta(rng.uniform(0, 20, 80), unit="D")})
        filed["decided_at"] = filed["filed_at"] + pd.to_timedelta(rng.exponential(9, 80), unit="D")
        filed["verdict"] = "upheld"
        row = rb.appeals(held, filed, asof="2026-01-22").frame().iloc[0]
        assert row["pending"] > 0
        inside += bool(row["days_median_lower"] <= true <= row["days_median_upper"])
    assert 0.88 < inside / seeds < 0.995


def test_the_last_appeal_counts_and_strays_are_told() -> None:
    frame = pd.DataFrame(
        {"id": ["a", "a", "b", "c"], "outcome": ["block", "block", "approve", "review"], "amount": 2.0}
    )
    held = rb.read(frame, roles=rb.Roles(id="id", outcome="outcome", amount="amount"))
    filed = pd.DataFrame(
        {
            "event_id": ["a", "a", "b", "zz", None, "c"],
            "filed_at": pd.to_datetime(["2026-01-01", "2026-01-05", None, None, None, "2026-01-02"]),
            "verdict": ["upheld", "Overturned ", "upheld", "upheld", "upheld", None],
        }
    )
    found = rb.appeals(held, filed)
    assert (found.actions, found.appealed, found.overturned) == (3, 2, 1)
    assert "2 appeals are against no held or stopped event" in " ".join(found.notes)


def test_the_door_of_the_appeals() -> None:
    _, held = events(40, 2)
    good = pd.DataFrame({"id": ["e1"], "verdict": ["upheld"]})
    with pytest.raises(DataError, match="no action"):
        rb.appeals(held.with_roles(outcome=None), good)
    with pytest.raises(DataError, match="name no event"):
        rb.appeals(held, good.rename(columns={"id": "order"}))
    with pytest.raises(DataError, match="did you mean 'overturned'"):
        rb.appeals(held, good.assign(verdict="overturnd"))
    with pytest.raises(DataError, match="holds no times"):
        rb.appeals(held, good.assign(filed_at="yesterday"))
    with pytest.raises(ColumnNotFoundError):
        rb.appeals(held, good, by="rul")
    with pytest.raises(ParameterError, match="DataFrame"):
        rb.appeals(held, {"id": 1})


def test_the_insult_floor_lies_below_the_truth_of_the_sample() -> None:
    market = rb.marketplace(orders=50_000, seed=7)
    truth = set(market.truth.query("fraud")["event_id"])
    for domain, held in market.datasets.items():
        filed = market.appeals[market.appeals["domain"] == domain]
        whole = rb.appeals(held, filed).frame().iloc[0]
        outcome = held.frame(["id", "outcome"])
        words = ("block", "review", "reject", "clawback", "hold")
        acted = outcome[outcome["outcome"].isin(words)].iloc[:, 0]
        wrong = np.mean([event not in truth for event in acted])
        assert whole["actions"] == len(acted)
        assert 0 < whole["insult_floor_rate"] < wrong


@pytest.mark.parametrize("odd", [7, object(), {"own": 1}, b"x", dt.date(2026, 1, 1)])
def test_odd_doors_of_the_programmes_are_answered(odd) -> None:
    _, read = events(400, 1)
    with pytest.raises(ParameterError):
        rb.dispute_programmes(read, programmes=odd)
    with pytest.raises(ParameterError):
        rb.programme_limit(odd, on="2026-11-01")
    with pytest.raises(ParameterError):
        rb.read_programmes(odd)


@pytest.mark.parametrize("day", [None, 7, [1], pd.NaT])
def test_a_day_that_is_none_is_answered(day) -> None:
    with pytest.raises(ParameterError):
        rb.programme_limit("mastercard-ecm", on=day)


def test_a_moment_stands_for_its_day() -> None:
    said = rb.programme_limit("mastercard-ecm", on=pd.Timestamp("2026-11-01 10:00"))
    assert said == rb.programme_limit("mastercard-ecm", on="2026-11-01")


@pytest.mark.parametrize("by", [None, 7, [1], {"rule": 1}])
def test_odd_columns_of_appeals_are_answered(by) -> None:
    read = rb.read(pd.DataFrame({"id": range(20), "outcome": "block"}), roles=rb.Roles(id="id", outcome="outcome"))
    with pytest.raises(ParameterError):
        rb.appeals(read, pd.DataFrame({"id": range(9), "verdict": "upheld"}), by=by)


def test_names_of_any_script_and_with_signs_of_money_are_drawn() -> None:
    frame = pd.DataFrame({"id": range(60), "outcome": "block", "land": ["$a_$", "\U0001f642 <b>", "$\\x{$"] * 20})
    read = rb.read(frame, roles=rb.Roles(id="id", outcome="outcome", region="land"))
    found = rb.appeals(read, pd.DataFrame({"id": range(60), "verdict": "upheld"}))
    page = found._repr_html_()
    assert "<b>" not in page.split("<table", 1)[1].replace("<b>95", "")


def steady(*, until: str, wait: int = 60) -> rb.Dataset:
    at = pd.date_range("2026-01-01", until, freq="30min")
    frame = pd.DataFrame({"id": range(len(at)), "at": at, "pay": "card", "fraud": 0, "source": None, "amount": 5.0})
    frame["told"] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns]")
    frame.loc[::100, ["fraud", "source"]] = [1, "chargeback"]
    frame.loc[::100, "told"] = frame["at"] + pd.Timedelta(days=wait)
    return rb.read(frame, roles=rb.Roles(**ROLES))


def test_a_month_whose_transactions_break_off_is_not_whole() -> None:
    # Verdicts are told long after the last event: its month has all disputes and a third of the transactions.
    held = steady(until="2026-06-10 23:30")
    for programme, partial in (("visa-vamp-merchant", "2026-06"), ("mastercard-ecm", "2026-07")):
        found = rb.dispute_programmes(held, card={"pay": "card"}, programmes=programme)
        assert found.frame().set_index("month").loc[partial, "status"] == "the month is not whole"
        assert float(found.headline()[0].value or 0) < 110
    late = rb.dispute_programmes(held, card={"pay": "card"}, programmes="visa-vamp-merchant", asof="2026-06-30 23:59")
    assert late.frame().set_index("month").loc["2026-06", "status"] == "the month is not whole"


def test_months_that_lack_disputes_of_earlier_events_are_told_so() -> None:
    found = rb.dispute_programmes(steady(until="2026-06-30 23:30"), card={"pay": "card"}, programmes="mastercard-ecm")
    status = found.frame().set_index("month")["status"]
    assert status["2026-02"] == "at least this: the data begin too late"
    assert status["2026-03"] == "under the limit"  # it lacks one day
    assert "to 2026-02" in found.grounds.bounded
    prompt = rb.dispute_programmes(
        steady(until="2026-06-30 23:30", wait=0), card={"pay": "card"}, programmes="mastercard-ecm"
    )
    assert set(prompt.frame()["status"]) <= {"under the limit", "the month is not whole"}
