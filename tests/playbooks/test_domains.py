"""The threshold calibration playbook runs on the embedded sample of each domain, with the book shipped for it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import riskbench as rb
from riskbench.data.outcomes import ladder
from riskbench.data.roles import DOMAINS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_ends_in_a_decision(domain, tmp_path):
    run = rb.run("threshold_calibration", {"domain": domain}, out=tmp_path)
    assert run.status == "done", run.message
    told = json.loads((run.folder / "run.json").read_text("utf-8"))
    assert told["parameters"]["domain"] == domain
    assert run.headline
    tables = {path.stem: pd.read_parquet(path) for path in (run.folder / "tables").glob("*.parquet")}
    outcomes = next(frame for name, frame in tables.items() if name.endswith("outcomes"))
    assert tuple(outcomes["outcome"]) == ladder(domain).names
    curve = next(frame for name, frame in tables.items() if "calibration" in name and name.endswith("curve"))
    assert (curve["alerts"].diff().dropna() >= 0).all() or (curve["alerts"].diff().dropna() <= 0).all()
    lead = (run.folder / "lead.html").read_text("utf-8")
    for word in ("Decision", "week"):
        assert word in lead


def test_shipped_books_name_only_columns_of_their_domain():
    from riskbench.runner import sample_book

    for domain in DOMAINS:
        book = rb.RuleBook.read(sample_book(domain))
        assert book.domain == domain
        found = rb.simulate(book, rb.sample(domain))
        live = found.frame()[found.frame()["status"] == "live"]
        assert (live["hits"] > 0).all()
        assert found.frame("whole")["precision"].iloc[0] > found.frauds / found.events
