"""Real public data: the same verbs and the same playbook, told apart by parameters alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import riskbench as rb

HERE = Path(__file__).parent
FILES = {
    "fdh": "txn_fdh_2018q2.parquet",
    "accounts": "accounts_fraud_ecommerce.parquet",
    "auctions": "auctions_shill_bidding.parquet",
}
pytestmark = pytest.mark.public


def parameters(name: str, folder: Path) -> dict:
    from ruamel.yaml import YAML

    held = YAML(typ="safe").load((HERE / f"{name}.yaml").read_text("utf-8"))
    return {**held, "source": str(folder / FILES[name]), "book": str(HERE / f"{name}.book.yaml")}


def events(name: str, folder: Path) -> rb.Dataset:
    held = parameters(name, folder)
    return rb.read(held["source"], roles=held["roles"], domain=held.get("domain", "transactions"))


def book(name: str) -> rb.RuleBook:
    return rb.RuleBook.read(HERE / f"{name}.book.yaml")


def test_fdh_simulation_equals_pandas(public_data):
    dataset, rules = events("fdh", public_data), book("fdh")
    frame = pd.read_parquet(public_data / FILES["fdh"])
    row = rb.simulate(rules, dataset).frame().set_index("rule").loc["FD-001"]
    hit = frame[frame["TX_AMOUNT"] > 250]
    assert row["hits"] == len(hit)
    assert row["frauds"] == hit["TX_FRAUD"].sum()
    assert row["value_caught"] == pytest.approx(hit.loc[hit["TX_FRAUD"] == 1, "TX_AMOUNT"].sum(), abs=0.005)
    counts = rb.velocity(dataset, {"n": rules.features["terminal_count_1d"]}).column("n").values
    ordered = frame.sort_values("TX_DATETIME", kind="stable")
    sample = np.random.default_rng(0).choice(len(frame), 50, replace=False)
    for place in sample:
        when, terminal = frame.loc[place, "TX_DATETIME"], frame.loc[place, "TERMINAL_ID"]
        same = ordered[ordered["TERMINAL_ID"] == terminal]["TX_DATETIME"]
        assert counts[place] == ((same < when) & (same >= when - pd.Timedelta("1D"))).sum()


def test_fdh_cut_of_april_and_may_keeps_its_promise_in_june(public_data):
    calibration = rb.calibrate(
        events("fdh", public_data),
        rule_param="FD-001.limit",
        given=book("fdh"),
        choose_on=("2018-04-01", "2018-06-01"),
        report_on=("2018-06-01", "2018-07-01"),
    )
    promise = calibration.frame("holdout").set_index("measure")
    for measure in ("net value", "loss prevented", "frauds alerted", "precision"):
        row = promise.loc[measure]
        assert row["lower"] <= row["observed"] <= row["upper"], measure
        assert row["kept"], measure
        assert row["upper"] - row["lower"] < 3 * abs(row["value"]), "an interval that wide promises nothing"


def test_fdh_the_scenario_column_is_found_as_a_leak(public_data):
    checks = rb.check(events("fdh", public_data))
    assert "TX_FRAUD_SCENARIO" in checks.leaks
    assert set(checks.leaks) == {"TX_FRAUD_SCENARIO"}


@pytest.mark.parametrize("name", ["accounts", "auctions"])
def test_books_written_from_the_columns_alone_apply(name, public_data):
    found = rb.simulate(book(name), events(name, public_data))
    assert (found.frame()["hits"] > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("fdh", {"rule_param": "FD-001.limit", "report_from": "2018-06-01"}),
        ("accounts", {}),
        ("auctions", {}),
    ],
)
def test_the_playbook_runs_by_parameters_alone(name, more, public_data, tmp_path):
    run = rb.run("threshold_calibration", {**parameters(name, public_data), **more}, out=tmp_path)
    assert run.status == "done", run.message
    for page in ("lead.html", "full.html", "notebook.ipynb", "results.json", "run.json"):
        assert (run.folder / page).stat().st_size > 0
    told = json.loads((run.folder / "run.json").read_text("utf-8"))
    assert told["status"] == "done"
    lead = (run.folder / "lead.html").read_text("utf-8")
    assert "import riskbench" not in lead
    if name == "auctions":
        assert "not out of time" in lead
        assert "No amount" in lead


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fdh", "accounts"])
def test_the_scan_runs_by_parameters_alone(name, public_data, tmp_path):
    run = rb.run("incident_scan", parameters(name, public_data), out=tmp_path)
    assert run.status == "done", run.message
    scan = run.results()["scan"]
    assert len(scan.frame("entities" if name == "fdh" else "anomalies"))


@pytest.mark.slow
def test_the_attack_on_the_accounts_comes_out_of_one_deep_dive(public_data, tmp_path):
    run = rb.run("incident_deep_dive", parameters("accounts", public_data), out=tmp_path)
    assert run.status == "done", run.message
    held, frame = run.results(), pd.read_parquet(public_data / FILES["accounts"])
    attack = frame.loc[frame["signup_time"] == frame["purchase_time"], "purchase_time"]
    fraud = held["timeline"].frame("signals").set_index("measure").loc["fraud"]
    assert abs(pd.Timestamp(fraud["start"]) - attack.min()) < pd.Timedelta("1h")
    assert abs(pd.Timestamp(fraud["end"]) - attack.max()) < pd.Timedelta("1h")
    assert held["segments"].frame()["condition"].iloc[0] == "since_signup_time = 'under 1 minute'"
    rings = held["entities"].frame("rings")
    assert (rings["suspicious"] & rings["evidence"].str.contains("device")).sum() > 200
    assert "signup_time" in held["causes"].frame()["feature"].iloc[0]


@pytest.mark.slow
def test_the_deep_dive_of_fdh_follows_the_scan_to_compromised_terminals(public_data, tmp_path):
    run = rb.run("incident_deep_dive", parameters("fdh", public_data), out=tmp_path)
    assert run.status == "done", run.message
    held, frame = run.results(), pd.read_parquet(public_data / FILES["fdh"])
    for name in ("segments", "causes", "containment"):
        assert "SCENARIO" not in held[name].frame().astype(str).to_csv()
    rules = held["containment"].frame()["condition"]
    terminals = {int(number) for number in rules.iloc[0].partition("IN (")[2].partition(")")[0].split(",")}
    assert len(terminals) > 5
    assert terminals <= set(frame.loc[frame["TX_FRAUD_SCENARIO"] == 2, "TERMINAL_ID"])


def test_fdh_a_scan_finds_terminals_and_cards_and_their_events_are_the_cluster(public_data):
    dataset = events("fdh", public_data)
    frame = pd.read_parquet(public_data / FILES["fdh"])
    leaks = rb.check(dataset).leaks
    scan = rb.scan(dataset, exclude=leaks, most=40)
    found = scan.frame("entities").assign(value=lambda held: held["value"].astype(int))
    for column, scenario, purity in (("TERMINAL_ID", 2, 0.95), ("CUSTOMER_ID", 3, 0.85)):
        truth = set(frame.loc[frame["TX_FRAUD_SCENARIO"] == scenario, column])
        named = set(found.loc[found["column"] == column, "value"])
        assert len(named & truth) >= purity * len(named)
        assert len(named & truth) >= 0.8 * len(truth)
        draft = next(incident for incident in scan.drafts if str(incident.where).startswith(column))
        asked = rb.investigate(draft, dataset, book=book("fdh"), exclude=leaks)
        ids = asked.scope.dataset.frame(["TRANSACTION_ID"])["TRANSACTION_ID"].to_numpy()[asked.cluster.rows]
        inside = frame["TRANSACTION_ID"].isin(ids)
        assert (frame.loc[inside, "TX_FRAUD_SCENARIO"] == scenario).mean() >= 0.9
        assert "TX_FRAUD_SCENARIO" not in " ".join(asked.segments.frame()["condition"])
