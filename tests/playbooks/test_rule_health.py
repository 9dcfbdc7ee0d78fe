"""Does the weekly look at a book end in a list of work, in every domain and on an empty book?"""

from __future__ import annotations

import pytest

import riskbench as rb
from riskbench.data.roles import DOMAINS
from riskbench.rules.health import FINDINGS
from riskbench.runner import find

ORDERS = 20_000


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_ends_in_a_list_of_work(domain, tmp_path):
    run = rb.run("rule_health", {"domain": domain, "orders": ORDERS}, out=tmp_path)
    assert run.status == "done", run.message
    held = run.results()
    assert {"checks", "simulation", "appraisal", "rule_drift", "brittleness", "rule_health"} <= set(held)
    found = held["rule_health"].frame()
    assert set(found["finding"]) <= set(FINDINGS)
    assert set(found["rule"]) <= set(held["simulation"].frame()["rule"])
    lead = (run.folder / "lead.html").read_text("utf-8")
    for words in ("Which rules can go?", "Which rules have slipped?", "Which cuts are worked around?", "What to do"):
        assert words in lead
    assert "highlight hl-" not in lead
    assert len(lead) < 2_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "status"),
    [({"book": None}, "done"), ({"region": "SG", "orders": "2000"}, "done"), ({"asof": "2026-05-25"}, "failed")],
)
def test_little_to_look_at_is_said(asked, status, tmp_path):
    run = rb.run("rule_health", {"orders": "3000", **asked}, out=tmp_path)
    assert run.status == status, run.message
    if status == "failed":
        assert "too few weeks" in run.message


def test_weeks_out_of_range_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(rb.ParameterError, match="weeks"):
        rb.run("rule_health", {"weeks": "0"}, out=tmp_path)


def test_it_is_meant_for_every_week():
    assert find("rule_health").cadence == "weekly"
