"""Does the launch playbook end in a plan, a request to sign and, once launched, a verdict, in every domain?"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import riskbench as rb
from riskbench.data.roles import DOMAINS
from riskbench.runner import find

ORDERS = 20_000


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_ends_in_a_plan(domain, tmp_path):
    run = rb.run("rule_launch", {"domain": domain, "orders": ORDERS}, out=tmp_path)
    assert run.status == "done", run.message
    held = run.results()
    assert {"checks", "simulation", "launch_plan", "change_request", "launch_verdict"} <= set(held)
    plan = held["launch_plan"]
    assert [fact.name for fact in run.headline] == [fact.name for fact in plan.headline()]
    for table in ("stages", "effects", "guardrails", "stop_rule"):
        assert len(plan.frame(table)), table
    assert {"lower", "upper", "n"} <= set(plan.frame("effects").columns)
    lead, full = ((run.folder / name).read_text("utf-8") for name in ("lead.html", "full.html"))
    assert "Stop rule" in lead
    assert "Change request" in full
    assert "highlight hl-" not in lead
    assert "nan" not in lead.casefold().replace("finance", "").replace("nano", "")
    told = json.loads((run.folder / "run.json").read_text("utf-8"))
    assert told["stamp"]["data"]["fingerprint"]


@pytest.mark.slow
def test_a_launch_that_runs_ends_in_a_verdict(tmp_path):
    asked = {"orders": str(ORDERS), "launched": "2026-08-01", "stage": "0.1", "steps": '["shadow", 0.1, "live"]'}
    run = rb.run("rule_launch", asked, out=tmp_path)
    assert run.status == "done", run.message
    assert run.headline[0].name == "Verdict"
    verdict = run.results()["launch_verdict"]
    assert set(verdict.frame("arms")["arm"]) == {"treated", "control"}
    first = verdict.frame("sequence")["date"].min()
    assert first >= "2026-08-01"
    assert run.results()["launch_plan"].provenance["parameters"]["asof"].startswith("2026-08-01")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"rule": "TX-99"}, 1, ["there is no such rule in the book", "did you mean", "The plan"]),
        ({"rule": "TX-001"}, 1, ["is live", "a draft or a shadow rule"]),
        ({"max_review_rate": "0.0001"}, 3, ["would break its guardrail", "review_rate at most 0.0001"]),
        ({"steps": '["live", "shadow"]'}, 1, ["reaches further"]),
        ({"launched": "2026-08-01", "stage": "0.3"}, 1, ["no stage '0.3'", "shadow, 10 %, 50 %, live"]),
        ({"book": None}, 1, ["no rule to launch"]),
    ],
)
def test_what_cannot_be_is_told_plainly(asked, code, words, tmp_path):
    run = rb.run("rule_launch", {"orders": "3000", **asked}, out=tmp_path)
    assert run.exit_code == code
    for word in words:
        assert word in run.message
    assert len(run.pages) == 2


@pytest.mark.parametrize("asked", [{"launched": "yesterday"}, {"max_insult_rate": "2"}, {"rules": "TX-010"}])
def test_a_wrong_parameter_is_refused_before_anything_runs(asked, tmp_path):
    with pytest.raises(rb.ParameterError) as held:
        rb.run("rule_launch", asked, out=tmp_path)
    assert held.value.exit_code == 2


@pytest.fixture
def foreign(tmp_path):
    """A file of another shape: no entities, no region, no times of verdicts, its own book."""
    rng = np.random.default_rng(4)
    rows = 6000
    risk = rng.random(rows)
    frame = pd.DataFrame(
        {
            "ref": [f"r{n}" for n in range(rows)],
            "quand": pd.Timestamp("2025-03-01") + pd.to_timedelta(np.arange(rows) // 60, unit="D"),
            "somme": rng.integers(1, 500, rows).astype(float),
            "risque": risk,
            "fraude": np.where(rng.random(rows) < 0.4 * risk**4, "oui", "non"),
        }
    )
    frame.to_csv(tmp_path / "events.csv", index=False)
    book = """
    book: étranger
    domain: transactions
    rules:
      - {id: E-1, when: "somme > 480", outcome: block, status: live}
      - {id: E-2, when: "risque > :cut", params: {cut: 0.9}, outcome: review, status: draft}
    """
    (tmp_path / "book.yaml").write_text(book, "utf-8")
    roles = {"id": "ref", "time": "quand", "label": "fraude", "fraud_values": ["oui"], "amount": "somme"}
    return {"source": str(tmp_path / "events.csv"), "roles": roles, "book": str(tmp_path / "book.yaml")}


@pytest.mark.slow
@pytest.mark.parametrize("playbook", ["rule_launch", "rule_health"])
def test_any_source_runs_by_parameters_alone(playbook, foreign, tmp_path):
    run = rb.run(playbook, foreign, out=tmp_path / "runs")
    assert run.status == "done", run.message
    if playbook == "rule_launch":
        plan = run.results()["launch_plan"]
        assert plan.frame("effects").set_index("measure").loc["alerts", "change"] > 0
        assert any("Verdicts bear no time" in note for note in plan.notes)


def test_every_default_is_off_or_neutral_with_own_data():
    off = {parameter.name for parameter in find("rule_launch").parameters if parameter.sample_only}
    assert off == {"region", "book", "start", "end", "max_review_rate", "min_approval_rate"}
