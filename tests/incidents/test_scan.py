"""Does a scan find what was planted, where and when, and nothing where nothing is?"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import unchanged

import riskbench as rb
from riskbench.errors import DataError, ParameterError
from riskbench.incidents.scope import scope_of

#: The start of the planted raid, on the full hour of the zone.
RAID = "2026-04-20 07:00"


@pytest.fixture(scope="module")
def quiet() -> pd.DataFrame:
    return unchanged.frame_of(11, rows=6000, days=60)


@pytest.fixture(scope="module")
def raided(quiet) -> pd.DataFrame:
    return unchanged.plant(quiet, 3, start=RAID, hours=30, orders=120, where={"city": "port", "payment": "cash"})


@pytest.fixture(scope="module")
def found(raided) -> rb.Scan:
    return rb.scan(unchanged.read(raided))


def test_the_raid_is_found_with_its_segment_and_hour(found):
    top = found.frame().iloc[0]
    assert top["segment"] in ("city port", "payment cash")
    assert abs(top["start"] - pd.Timestamp(RAID)) <= pd.Timedelta(hours=2)
    assert abs(top["end"] - pd.Timestamp(RAID) - pd.Timedelta(hours=30)) <= pd.Timedelta(hours=3)
    assert top["effect_lower"] > 1
    assert top["q_value"] < 0.001
    assert not top["still_running"]
    assert top["observed"] - top["expected"] == pytest.approx(top["excess"])


def test_one_thing_is_one_alarm(found):
    """The raid lifts frauds, events, amounts and two columns: it is not told five times."""
    during = found.frame()["start"].between(
        pd.Timestamp(RAID) - pd.Timedelta("1D"), pd.Timestamp(RAID) + pd.Timedelta("2D")
    )
    assert during.sum() <= 2
    assert "events" in found.frame().iloc[0][["measure", "also"]].str.cat(sep=" ")


def test_the_condition_is_rule_text_that_picks_the_segment(found, raided):
    top = found.frame().iloc[0]
    column, value = top["segment"].split(" ", 1)
    assert top["condition"] == f"{column} = '{value}'"
    rule = f'{{id: A, when: "{top["condition"]}", outcome: review, status: live}}'
    book = rb.RuleBook.from_yaml(f"book: b\ndomain: transactions\nrules:\n  - {rule}\n")
    hits = rb.simulate(book, unchanged.read(raided)).frame()["hits"].iloc[0]
    assert hits == (raided[column] == value).sum()


def test_a_draft_is_an_incident_to_investigate(found):
    draft = found.strongest
    assert isinstance(draft, rb.Incident)
    assert draft == found.drafts[0]
    assert pd.Timestamp(draft.start) < pd.Timestamp(draft.end)
    assert found.frame().iloc[0]["segment"] in draft.name
    assert draft.measure == "fraud"


def test_a_burst_of_one_buyer_is_found_among_many(quiet):
    frame = quiet.copy()
    rows = frame.index[1000:1012]
    frame.loc[rows, "buyer"] = 999_999
    frame.loc[rows, "fraud"] = 1
    frame.loc[rows, "told"] = frame.loc[rows, "placed"] + pd.Timedelta("1D")
    table = rb.scan(unchanged.read(frame), measures=["fraud"], segments=[]).frame("entities")
    assert (table.iloc[0]["column"], table.iloc[0]["value"], table.iloc[0]["frauds"]) == ("buyer", "999999", 12)
    assert table.iloc[0]["start"] == frame.loc[rows[0], "placed"]


def test_no_page_of_a_scan_holds_a_whole_id(raided):
    frame = raided.copy()
    frame["city"] = "SHOP" + frame["city"] + "77KX"
    rows = frame.index[1000:1012]
    frame["buyer"] = "BUYER" + frame["buyer"].astype(str)
    frame.loc[rows, "buyer"] = "BUYER999999"
    frame.loc[rows, "fraud"] = 1
    frame.loc[rows, "told"] = frame.loc[rows, "placed"] + pd.Timedelta("1D")
    events = unchanged.read(frame, entities=("buyer", "city"), segments=("goods",))
    scan = rb.scan(events, measures=["fraud"], segments=["city"], entities=["buyer"])
    assert scan.frame().iloc[0]["segment"] == "city SHOPport77KX"
    assert "BUYER999999" in set(scan.frame("entities")["value"])
    page = scan._repr_html_() + repr(scan) + scan.alt + " ".join(draft.name for draft in scan.drafts)
    page += " ".join(bar[0] for bar in scan._bars())
    assert "city SHO…KX" in page
    assert "BUY…99" in page
    assert not re.search(r"SHOP\w+77KX|BUYER\d", page)
    assert {"city = 'SHOPport77KX'", "buyer = 'BUYER999999'"} <= {draft.where for draft in scan.drafts}
    notes = " ".join(scope_of(scan.strongest, events).notes)
    assert "that meet the incident's condition" in notes
    assert "SHOPport" not in notes


def test_neither_the_order_of_rows_nor_names_matter(raided, found):
    frame = raided.sample(frac=1, random_state=1)
    frame["city"] = frame["city"].map(lambda name: "x" + name)
    other = rb.scan(unchanged.read(frame))
    same = [name for name in found.frame().columns if name not in ("segment", "condition")]
    pd.testing.assert_frame_equal(other.frame()[same], found.frame()[same])
    assert other.frame()["segment"].str.replace("city x", "city ").tolist() == found.frame()["segment"].tolist()
    pd.testing.assert_frame_equal(other.frame("entities"), found.frame("entities"))


def test_growth_and_a_campaign_are_no_alarm():
    frame = unchanged.frame_of(5, rows=8000, days=60, growth=3.0, campaign=6.0)
    scan = rb.scan(unchanged.read(frame), measures=["events", "amount", "subsidy"])
    assert scan.found == 0
    assert len(scan.frame()) == 0


def test_where_nothing_changed_seldom_anything_is_found():
    """At a level of 5 %: of 40 quiet shops at most five, which chance exceeds once in a hundred times."""
    scans = [rb.scan(unchanged.read(unchanged.frame_of(seed, rows=3000, days=45))) for seed in range(40)]
    assert sum(scan.found + scan.found_entities > 0 for scan in scans) <= 5


def test_only_what_came_since_is_looked_for(raided):
    events = unchanged.read(raided)
    assert rb.scan(events, since="2026-04-20").found
    later = rb.scan(events, since="2026-04-25")
    assert (later.frame()["start"] >= pd.Timestamp("2026-04-24 17:00")).all()
    assert "port" not in " ".join(later.frame()["segment"])


def test_young_events_do_not_look_good_or_bad(raided):
    """Days after the raid few of its frauds are told: they are held against what would be told by now."""
    scan = rb.scan(unchanged.read(raided), asof="2026-04-26", measures=["fraud"], entities=[])
    assert scan.found
    assert scan.frame().iloc[0]["segment"] in ("city port", "payment cash", "all events")


def test_without_labels_the_rest_is_swept(raided):
    scan = rb.scan(unchanged.read(raided, label=None, label_time=None))
    assert scan.frame().iloc[0]["measure"] in (
        "events",
        "amount",
        "subsidy",
        "flagged: score above 99 % of the baseline",
    )
    bare = rb.scan(unchanged.read(raided, label=None, label_time=None, score=None, outcome=None))
    assert any("Entities are not swept" in note for note in bare.notes)


@pytest.mark.parametrize("rows", [0, 1, 30])
def test_too_little_is_not_measurable(quiet, rows):
    scan = rb.scan(unchanged.read(quiet.iloc[:rows]))
    assert scan.why_not
    assert scan.headline()[0].value is None
    assert scan.strongest is None
    assert "not measurable" in repr(scan)
    assert scan.png()


def test_a_part_without_events_is_not_measurable(quiet):
    assert "no events" in rb.scan(unchanged.read(quiet), since="2030-01-01").why_not
    assert "no events" in rb.scan(unchanged.read(quiet), since="2000-01-01").why_not


def test_odd_columns_do_no_harm(raided):
    frame = raided.copy()
    frame["empty"] = None
    frame["empty"] = frame["empty"].astype("string")
    frame["each"] = [f"id {row}" for row in range(len(frame))]
    frame['o\'clock "x" <b>'] = np.where(frame["city"] == "port", 'it\'s "<b>"\n', None)
    events = unchanged.read(frame)
    scan = rb.scan(events, segments=["empty", "each", 'o\'clock "x" <b>'], entities=["each", "empty"])
    assert any("not swept" in note for note in scan.notes)
    assert "<b>" not in scan._repr_html_()


def test_wrong_asks_are_answered(quiet):
    events = unchanged.read(quiet)
    with pytest.raises(ParameterError, match="did you mean 'fraud'"):
        rb.scan(events, measures=["frauds"])
    with pytest.raises(ParameterError):
        rb.scan(events, level=0)
    with pytest.raises(ParameterError):
        rb.scan(events, most=0)
    with pytest.raises(rb.errors.RiskbenchError):
        rb.scan(events, segments=["citty"])
    with pytest.raises(DataError, match="time"):
        rb.scan(unchanged.read(quiet, time=None, label_time=None))


@pytest.mark.public
def test_public_terminals_and_cards_are_found_without_the_scenario(public_data):
    """Compromised terminals and leaked cards, by their frauds alone; what they were is looked up afterwards."""
    frame = pd.read_parquet(public_data / "txn_fdh_2018q2.parquet")
    roles = rb.Roles(
        id="TRANSACTION_ID", time="TX_DATETIME", label="TX_FRAUD", amount="TX_AMOUNT", currency="EUR",
        entities=("CUSTOMER_ID", "TERMINAL_ID"),
    )  # fmt: skip
    table = rb.scan(rb.read(frame.drop(columns="TX_FRAUD_SCENARIO"), roles=roles)).frame("entities")
    for column, scenario in (("TERMINAL_ID", 2), ("CUSTOMER_ID", 3)):
        held = set(table.loc[table["column"] == column, "value"].astype(int))
        rows = frame[frame["TX_FRAUD_SCENARIO"] == scenario]
        true, told = set(rows[column]), rows.groupby(column).size()
        assert len(held & true) / len(held) >= 0.9
        assert len(held & true) / len(told[told >= 3]) >= 0.95


@pytest.mark.public
def test_public_attack_of_january_is_found_with_its_start_and_end(public_data):
    roles = rb.Roles(id="user_id", time="purchase_time", label="class", amount="purchase_value", region="country",
        entities=("device_id", "ip_address"), currency="USD")  # fmt: skip
    top = rb.scan(rb.read(public_data / "accounts_fraud_ecommerce.parquet", roles=roles)).frame().iloc[0]
    assert (top["measure"], top["segment"]) == ("fraud told", "all events")
    assert top["start"] == pd.Timestamp("2015-01-01")
    assert pd.Timestamp("2015-01-12") <= top["end"] <= pd.Timestamp("2015-01-15")
