"""Does an investigation say where the change is, in words and in rule text?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, ParameterError
from riskbench.incidents.dimensions import dimensions
from riskbench.incidents.incident import Incident
from riskbench.incidents.measure import Measure, measure_of
from riskbench.incidents.scope import matching, scope_of
from riskbench.incidents.segments import rows_of, where

ODD = 'it\'s <b>"x"</b>'


def events(*, n=6000, seed=4, struck=True):
    rng = np.random.default_rng(seed)
    placed = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 30 * 86_400, n)), unit="s")
    land, device = rng.choice([ODD, "NO", "ID"], n), rng.choice(["ios", "web", "android"], n)
    late = placed >= pd.Timestamp("2026-01-25")
    fraud = rng.random(n) < np.where(struck & late & (land == ODD) & (device == "web"), 0.4, 0.03)
    frame = pd.DataFrame(
        {
            "order": np.arange(n), "placed": placed, "fraud": fraud.astype(int), "land": land, 'my "device"': device,
            "buyer": [f"b{code}" for code in rng.integers(0, 900, n)], "nothing": [None] * n, "same": "x",
            "price": rng.integers(1, 9000, n) / 100, "is_new": rng.random(n) < 0.5,
        }
    )  # fmt: skip
    roles = rb.Roles(
        id="order", time="placed", label="fraud", region="land", amount="price", entities=("buyer",),
        segments=('my "device"',),
    )  # fmt: skip
    return rb.read(frame, roles=roles)


def asked(dataset, **incident):
    scope = scope_of(Incident("2026-01-25", "2026-02-01", **incident), dataset)
    struck = (dataset.column("fraud").values == 1).astype(np.int64)
    return scope, Measure("fraud", "fraud told", "share", struck, np.ones(dataset.rows))


def test_the_segment_is_told_in_words_and_in_rule_text():
    scope, measure = asked(events())
    found = where(scope, measure, draws=59)
    row = found.frame().iloc[0]
    assert len(found.frame()) == 1
    assert "web" in row["segment"]
    assert ODD in row["segment"]
    dataset = scope.dataset
    frame = dataset.frame()
    inside = ((frame["land"] == ODD) & (frame['my "device"'] == "web")).to_numpy()
    assert np.array_equal(matching(dataset, row["condition"]), inside)
    assert np.array_equal(rows_of(scope, found), np.flatnonzero(inside))
    assert row["observed"] == (inside & scope.current & (frame["fraud"] == 1)).sum()
    assert row["current_lower"] < row["current"] < row["current_upper"]
    assert row["baseline"] < row["current_lower"]
    assert row["share_explained_lower"] < row["share_explained"] < row["share_explained_upper"]
    assert found.headline()[0].value == row["segment"]
    assert 0 < row["p_value"] <= 0.05


def test_nothing_found_is_said():
    scope, measure = asked(events(struck=False))
    found = where(scope, measure, draws=59)
    assert found.frame().empty
    assert "nothing stands out" in found.headline()[0].text
    assert not len(rows_of(scope, found))
    assert found._repr_html_()


def test_columns_that_tell_nothing_are_named():
    scope, measure = asked(events())
    left = where(scope, measure, draws=19, columns=["land", "nothing", "same", "placed"]).frame("left_out")
    assert set(left["column"]) == {"nothing", "same", "placed"}
    usual = where(scope, measure, draws=19).frame("left_out").set_index("column")
    assert {"order", "fraud", "nothing", "same"} <= set(usual.index)


def test_every_value_stands_in_a_rule_as_the_events_it_means():
    scope, _ = asked(events())
    usual, left = dimensions(scope)
    assert [one.name for one in usual] == ["land", 'my "device"', "buyer", "is_new"]
    assert "columns=" in left["price"]
    held, _ = dimensions(scope, columns=["price", "is_new", 'my "device"', "buyer", "land"])
    assert [one.name for one in held] == ["land", 'my "device"', "buyer", "is_new", "price"]
    for one in held:
        for code in np.unique(one.codes)[:6]:
            assert np.array_equal(matching(scope.dataset, one.condition(int(code))), one.codes == code), one.name


def test_a_missing_value_is_a_segment():
    frame = events().frame()
    rng = np.random.default_rng(2)
    late = frame["placed"] >= pd.Timestamp("2026-01-25")
    frame["source"] = np.where(rng.random(len(frame)) < 0.3, None, "ad")
    frame["fraud"] = (rng.random(len(frame)) < np.where(late & frame["source"].isna(), 0.3, 0.03)).astype(int)
    dataset = rb.read(frame, roles=rb.Roles(id="order", time="placed", label="fraud"))
    scope, measure = asked(dataset)
    row = where(scope, measure, draws=59, columns=["source", "land"]).frame().iloc[0]
    assert row["segment"] == "source (missing)"
    assert row["condition"] == "source IS NULL"


def test_no_baseline_is_not_measurable():
    dataset = events()
    scope = scope_of(Incident("2025-12-01", "2026-03-01"), dataset)
    found = where(scope, asked(dataset)[1])
    assert any("Not measurable" in note for note in found.notes)
    assert found.frame().empty


def test_money_and_counts():
    dataset = events()
    scope, _ = asked(dataset)
    inside = (dataset.frame()["land"] == "NO").to_numpy() & scope.current
    amount = Measure("amount", "amount", "money", np.where(inside, 5, 1) * dataset.minor("price"))
    row = where(scope, amount, draws=59, columns=["land", "is_new"]).frame().iloc[0]
    assert row["segment"] == "land NO"
    assert row["observed"] == pytest.approx(5 * dataset.frame()["price"][inside].sum())
    assert row["ratio_lower"] < 5 < row["ratio_upper"]
    by_unit = where(scope, amount, draws=59, columns=["land", "is_new"], unit="buyer").frame()
    assert by_unit["segment"].tolist() == ["land NO"]


def test_bad_input():
    scope, measure = asked(events())
    with pytest.raises(ColumnNotFoundError):
        where(scope, measure, columns=["lnad"])
    with pytest.raises(ParameterError):
        where(scope, measure, columns="land")
    with pytest.raises(ParameterError):
        where(scope, measure, most=0)


def test_the_order_of_columns_does_not_matter():
    scope, measure = asked(events())
    names = ["is_new", "land", 'my "device"', "price", "buyer"]
    one = where(scope, measure, columns=names, draws=39).frame()
    pd.testing.assert_frame_equal(one, where(scope, measure, columns=names[::-1], draws=39).frame())
    assert len(one)


def test_events_of_both_windows_are_told_apart():
    scope, measure = asked(events())
    found = where(scope, measure, draws=39)
    row = found.frame().iloc[0]
    inside = matching(scope.dataset, row["condition"])
    assert (row["n"], row["baseline_n"]) == ((inside & scope.current).sum(), (inside & scope.baseline).sum())
    told = found.pages["segments"][1]
    assert len(told.columns) <= 8
    assert told["events in window"].iloc[0] == f"{row['n']:,}"
    assert found.drawable
    assert not where(*asked(events(struck=False)), draws=39).drawable


def test_a_raid_of_the_marketplace_is_found_by_its_true_condition():
    market = rb.marketplace(region="ID")
    truth = market.incidents.iloc[0]
    scope = scope_of(Incident(str(truth["starts_at"]), str(truth["ends_at"])), market.datasets["transactions"])
    found = where(scope, measure_of(scope, "fraud"))
    assert any(name in found.frame()["columns"].iloc[0] for name in truth["segments"])
    assert found.outside < 8


def few(*, count, seed=4):
    """Return events in which one buyer's few frauds are all that changed."""
    frame = events(struck=False, seed=seed).frame()
    late = (frame["placed"] >= pd.Timestamp("2026-01-25")).to_numpy()
    frame["fraud"] = np.where(np.random.default_rng(1).random(len(frame)) < 0.002, 1, 0)
    frame["door"] = "front"
    before, struck = np.flatnonzero(~late)[:400], np.flatnonzero(late)[:count]
    frame.loc[before, ["door", "fraud"]] = ["back", 0]
    frame.loc[before[-1], "fraud"] = 1
    frame.loc[struck, ["door", "fraud"]] = ["back", 1]
    return rb.read(frame, roles=rb.Roles(id="order", time="placed", label="fraud", region="land", amount="price"))


@pytest.mark.parametrize("unit", ["share", "count", "money"])
def test_a_segment_of_a_few_events_is_not_told(unit):
    for count, told in ((4, 0), (12, 1)):
        scope, share = asked(few(count=count))
        money = (share.amount * 10_000).astype(np.int64)
        made = {
            "share": share,
            "count": Measure("fraud", "frauds", "count", share.amount),
            "money": Measure("lost", "money lost", "money", money),
        }
        found = where(scope, made[unit], columns=["door", "land"], draws=59)
        assert len(found.frame()) == told
        if not told:
            assert "back" not in found._repr_html_()
            assert found.headline()[0].text == "nothing stands out"
            assert found.explained is None
            assert ("too small to tell" in " ".join(found.notes)) or unit != "share"


def test_a_pace_over_almost_nothing_is_not_said():
    scope, share = asked(few(count=4))
    for measure in (share, Measure("fraud", "frauds", "count", share.amount)):
        found = where(scope, measure, columns=["door", "land"], draws=39)
        assert not [note for note in found.notes if "verywhere else" in note or "verything else" in note]
    scope, share = asked(events())
    assert any("Everywhere else" in note for note in where(scope, share, columns=["land"], draws=39).notes)


def test_the_tile_has_the_ends_of_the_table():
    scope, measure = asked(events())
    found = where(scope, measure, draws=59)
    found.segments.loc[0, ["share_explained_lower", "share_explained_upper"]] = [-0.2, 1.7]
    tile = next(fact for fact in found.headline() if fact.name == "Share explained")
    assert (tile.lower, tile.upper) == (0, 1)
