"""Does the incident deep-dive end in findings, a record and a post-mortem, from its defaults and in every domain?"""

from __future__ import annotations

import json

import pytest

import riskbench as rb
from riskbench.incidents.findings import QUESTIONS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> rb.Run:
    return rb.run("incident_deep_dive", {}, out=tmp_path_factory.mktemp("runs"))


def test_the_default_finds_the_raid(run):
    assert run.status == "done", run.message
    assert "2026-11-11" in run.headline[0].text
    held = run.results()
    assert list(held["findings"].frame()["question"]) == [question for _, question in QUESTIONS]
    for name in ("timeline", "segments", "entities", "coverage", "causes", "containment", "exposure"):
        assert name in held


def test_it_leaves_pages_a_post_mortem_and_an_incident_in_the_store(run):
    assert len(run.pages) == 2
    for name in ("postmortem.html", "postmortem.md"):
        assert "Root causes" in (run.folder / name).read_text("utf-8")
    with rb.open_casebook(str(run.folder.parent / "riskbench.db")) as casebook:
        listed = casebook.incidents().frame()
        assert len(listed) == 1
        links = casebook.record(str(listed["incident"].iloc[0])).frame("links")
        assert run.id in set(links.astype(str).to_numpy().ravel())
        assert casebook.verify().holds
    told = json.loads((run.folder / "run.json").read_text("utf-8"))
    assert told["stamp"]["data"]["fingerprint"]
    lead = (run.folder / "lead.html").read_text("utf-8")
    assert "What would contain it?" in lead
    assert "highlight hl-" not in lead
    assert len(lead) < 2_000_000


@pytest.mark.parametrize("domain", ["kyc", "onboarding", "affiliation"])
def test_every_domain_ends_in_findings(domain, tmp_path):
    asked = {"domain": domain, "orders": 10_000, "start": "2026-10-05", "end": "2026-10-19"}
    run = rb.run("incident_deep_dive", asked, out=tmp_path)
    assert run.status == "done", run.message
    assert run.headline


def test_one_end_of_a_window_is_not_enough(tmp_path):
    run = rb.run("incident_deep_dive", {"start": "2026-11-10", "end": None, "orders": 2000}, out=tmp_path)
    assert run.status == "failed"
    assert "end" in run.message
