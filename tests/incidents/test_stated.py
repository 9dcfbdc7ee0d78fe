"""The money and the people that a record takes from an investigation, against the events themselves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.entities import who
from riskbench.incidents.exposure import cost
from riskbench.incidents.links import Links
from riskbench.incidents.opening import _money, to_put_right
from riskbench.incidents.scope import scope_of
from tests.incidents import crafted


@pytest.mark.parametrize("where", [None, "land = 'SG'", "land = 'SG' AND pay = 'cod'"])
@pytest.mark.parametrize("baseline", [None, ("2026-10-05", "2026-10-20"), ("2025-10-05", "2026-10-20")])
def test_the_weekly_value_is_that_of_all_events_whatever_part_is_investigated(where, baseline):
    """Else an incident of a small segment would be held against the accepted loss of that segment alone."""
    frame = crafted.frame_of()
    events = rb.read(frame.drop(columns="attack"), roles=crafted.roles())
    scope = scope_of(rb.Incident(crafted.START, crafted.END, baseline=baseline, where=where), events, asof="2026-12-01")
    exposure = cost(scope, Cluster(np.flatnonzero(scope.current), "all", None, "segments"))
    first = max(frame["at"].min(), pd.Timestamp((baseline or ("2025-01-01",))[0]))
    usual = frame[(frame["at"] >= first) & (frame["at"] < crafted.START)]
    days = (pd.Timestamp(crafted.START) - first) / pd.Timedelta("1D")
    found = _money(SimpleNamespace(scope=scope, exposure=exposure))
    assert found["weekly_value"] == pytest.approx(usual["amount"].sum() * 7 / days)


def test_who_shares_a_home_with_others_and_is_a_victim_gets_the_money_back():
    """Only members of suspicious rings are no victims."""
    frame = crafted.frame_of().astype({"device": "string"})
    late = frame.index[(frame["at"] >= crafted.START) & ~frame["attack"]]
    frame.loc[frame.index[~frame["attack"]][::4], "fraud"] = 1.0
    frame.loc[late[:3], "device"] = "home"
    frame.loc[late[:3], "buyer"] = ["mother", "father", "child"]
    frame.loc[late[:3], "fraud"] = pd.array([1.0, 0.0, 0.0], dtype="Float64")
    frame.loc[late[:3], "outcome"] = "approve"
    frame["source"] = pd.array(["complaint"] * len(frame), dtype="string")
    events = rb.read(frame.drop(columns="attack"), roles=crafted.roles(label_source="source"))
    scope = scope_of(rb.Incident(crafted.START, crafted.END), events, asof="2026-12-01")
    entities = who(scope, links=Links(("device",), account="buyer"))
    members, rings = entities.frame("members"), entities.frame("rings").set_index("ring")
    home = members.loc[members["entity"] == "mother", "ring"].iloc[0]
    assert not rings.loc[home, "suspicious"]
    assert rings["suspicious"].any()
    refunds = {row["subject"] for row in to_put_right(SimpleNamespace(scope=scope, entities=entities))
               if row["remedy"] == "refund"}  # fmt: skip
    assert "mother" in refunds
    worst = members[members["ring"].map(rings["suspicious"]) & (members["role"] == "account")]["entity"]
    assert not refunds & set(worst)


def test_frauds_of_a_meeting_place_are_those_of_its_events():
    frame = crafted.frame_of()
    rng = np.random.default_rng(3)
    frame["shop"] = pd.array(
        np.where(rng.random(len(frame)) < 0.5, None, rng.choice(["s1", "s2", "s3"], len(frame))), dtype="string"
    )
    events = rb.read(frame.drop(columns="attack"), roles=crafted.roles(entities=("buyer", "device", "shop")))
    scope = scope_of(rb.Incident(crafted.START, crafted.END), events, asof="2026-12-01")
    row = who(scope).frame("hubs").set_index("column").loc["shop"]
    inside = frame[(frame["at"] >= crafted.START) & (frame["at"] < crafted.END) & frame["shop"].notna()]
    fraud = (inside["fraud"] == 1).sum()
    blocked_good = (inside["fraud"] == 0).sum()
    assert row["value"] == "(all values)"
    assert (row["events"], row["frauds"], row["labelled"]) == (len(inside), fraud, fraud + blocked_good)
