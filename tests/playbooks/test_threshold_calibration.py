"""Does the threshold calibration end in a decision, for every domain, from its defaults alone?"""

from __future__ import annotations

import json

import pytest

import riskbench as rb
from riskbench.data.roles import DOMAINS
from riskbench.runner import find, sample_book

ORDERS = 20_000


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_book_is_shipped_for_every_domain(domain):
    book = rb.RuleBook.read(sample_book(domain))
    assert book.domain == domain
    assert book.live
    assert not set(book.columns) - set(rb.sample(domain, "ID", orders=2000).names) - {"amount", "score", "region"}


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_playbook_ends_in_a_decision(domain, tmp_path):
    run = rb.run("threshold_calibration", {"domain": domain, "orders": ORDERS}, out=tmp_path)
    assert run.status == "done", run.message
    held = run.results()
    decision = held["decision"]
    assert [fact.name for fact in run.headline] == [fact.name for fact in decision.headline()]
    for table in ("cuts", "weekly", "promise", "assumptions", "rules"):
        assert len(decision.frame(table)), table
    assert {"lower", "upper"} <= set(decision.frame("weekly").columns)
    assert {"checks", "simulation", "calibration", "comparison"} <= set(held)
    told = json.loads((run.folder / "run.json").read_text("utf-8"))
    assert told["stamp"]["data"]["fingerprint"]
    assert told["stamp"]["book"]["hash"] == rb.RuleBook.read(sample_book(domain)).hash
    lead, full = ((run.folder / name).read_text("utf-8") for name in ("lead.html", "full.html"))
    for words in ("Decision record", "Assumptions", "Cuts"):
        assert words in lead
    assert "highlight hl-" in full
    assert "highlight hl-" not in lead
    assert len(lead) < 2_000_000


@pytest.mark.slow
def test_constraints_that_cannot_be_met_name_the_nearest_point(tmp_path):
    asked = {"max_review_rate": "0", "min_approval_rate": "1", "orders": "2000"}
    run = rb.run("threshold_calibration", asked, out=tmp_path)
    assert (run.status, run.exit_code) == ("infeasible", 3)
    assert "nearest" in run.message
    assert "max_review_rate" in run.message
    assert len(run.pages) == 2


def test_every_default_is_off_or_neutral_with_own_data():
    off = {parameter.name for parameter in find("threshold_calibration").parameters if parameter.sample_only}
    assert off == {"region", "book", "score", "start", "end", "max_review_rate", "min_approval_rate"}
