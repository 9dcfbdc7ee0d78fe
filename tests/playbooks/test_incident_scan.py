"""Does the incident scan end in findings and drafts, from its defaults and from parameters alone?"""

from __future__ import annotations

import json

import pandas as pd
import pytest

import riskbench as rb
from riskbench.data.roles import DOMAINS
from riskbench.runner import find

ORDERS = 8_000


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_playbook_ends_in_a_scan(domain, tmp_path):
    run = rb.run("incident_scan", {"domain": domain, "orders": ORDERS}, out=tmp_path)
    assert run.status == "done", run.message
    scan = run.results()["scan"]
    assert [fact.name for fact in run.headline] == [fact.name for fact in scan.headline()]
    assert {"anomalies", "entities"} <= set(scan.tables)
    told = json.loads((run.folder / "run.json").read_text("utf-8"))
    assert told["stamp"]["data"]["fingerprint"]
    assert "Scan for incidents" in (run.folder / "lead.html").read_text("utf-8")


@pytest.mark.slow
def test_the_raid_of_the_campaign_is_found_the_days_after(tmp_path):
    """The synthetic default holds a raid of some creators that begins in the first hour of the eleventh."""
    run = rb.run("incident_scan", {"since": "2026-11-09", "asof": "2026-11-15"}, out=tmp_path)
    assert run.status == "done", run.message
    top = run.results()["scan"].frame("anomalies").iloc[0]
    assert top["segment"].startswith("creator_id")
    assert pd.Timestamp(top["start"]) == pd.Timestamp("2026-11-10 17:00"), "midnight in Jakarta"


def test_every_default_is_off_or_neutral_with_own_data():
    off = {parameter.name for parameter in find("incident_scan").parameters if parameter.sample_only}
    assert off == {"region", "book", "start", "end"}
