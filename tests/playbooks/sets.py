"""The parameter sets that every playbook is run with by papermill: defaults, another domain, data of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import papermill
from clients.outside import errors, headline

import riskbench as rb
from riskbench.runner.catalogue import find
from riskbench.runner.kernel import OwnKernelManager

#: Names that no sample has.
OTHER = {
    "order_id": "ref",
    "placed_at": "quand",
    "city": "filiale",
    "amount": "somme",
    "model_score": "risque",
    "fraud": "verdict",
    "label_time": "verdict_du",
    "buyer_id": "client",
    "device_id": "appareil",
    "payment_method": "moyen",
}
ROLES = {
    "id": "ref",
    "time": "quand",
    "amount": "somme",
    "currency": "IDR",
    "label": "verdict",
    "fraud_values": ["fraude"],
    "good_values": ["bon"],
    "label_time": "verdict_du",
    "score": "risque",
    "region": "filiale",
    "entities": ["client", "appareil"],
    "segments": ["moyen"],
}
BOOK = """
book: maison
domain: transactions
rules:
  - {id: M-1, when: "somme > :limite", params: {limite: 700000}, outcome: review, status: live}
  - {id: M-2, when: "risque > :cut AND moyen = 'card'", params: {cut: 0.5}, outcome: block, status: live}
  - {id: M-3, when: "risque > :cut", params: {cut: 0.6}, outcome: review, status: draft}
"""
#: Small samples: what is asked is whether every step ends, and in what.
ELSEWHERE: dict[str, dict[str, Any]] = {
    "threshold_calibration": {"domain": "kyc", "region": "BR", "orders": 12_000, "max_review_rate": 0.2},
    "rule_health": {"domain": "affiliation", "region": "BR", "orders": 12_000, "weeks": 6},
    "rule_launch": {"domain": "onboarding", "region": "ID", "orders": 12_000, "steps": ["shadow", 0.2, "live"]},
    "incident_scan": {"domain": "onboarding", "region": "BR", "orders": 8_000, "most": 3},
    "incident_deep_dive": {"domain": "kyc", "orders": 8_000, "start": "2026-10-05", "end": "2026-10-19"},
}
OWN: dict[str, dict[str, Any]] = {
    "threshold_calibration": {"max_review_rate": 0.05, "costs": {"review_minutes": 3}},
    "rule_health": {"weeks": 3},
    "rule_launch": {"rule": "M-3"},
    "incident_scan": {"since": "2026-11-01"},
    "incident_deep_dive": {"start": "2026-11-10", "end": "2026-11-14", "links": ["appareil"]},
}
SETS = ("defaults", "another domain", "data of one's own")


def asked(playbook: str, chosen: str, folder: Path, *, ending: str = "csv") -> dict[str, Any]:
    """Return a set's parameters; data of one's own are written into the folder."""
    if chosen == "defaults":
        return {}
    if chosen == "another domain":
        return ELSEWHERE[playbook]
    own = rb.sample(orders=8_000).frame(list(OTHER)).rename(columns=OTHER)
    own["verdict"] = own["verdict"].map({1.0: "fraude", 0.0: "bon"})
    write: Callable[..., object] = own.to_csv if ending == "csv" else own.to_parquet
    write(folder / f"commandes.{ending}", index=False)
    (folder / "maison.yaml").write_text(BOOK, encoding="utf-8")
    common = {"source": str(folder / f"commandes.{ending}"), "roles": ROLES, "book": str(folder / "maison.yaml")}
    return {**common, **OWN[playbook]}


#: What a playbook's headline is the headline of.
ANSWERS = {
    "threshold_calibration": "Decision",
    "rule_health": "RuleHealth",
    "rule_launch": "LaunchVerdict",
    "incident_scan": "Scan",
    "incident_deep_dive": "Findings",
}


def ends_well(playbook: str, chosen: str, folder: Path, *, ending: str = "csv") -> None:
    """Run a playbook by papermill alone and look at the notebook that it writes."""
    parameters, out = asked(playbook, chosen, folder, ending=ending), folder / "out.ipynb"
    there = {path.name for path in folder.iterdir()}
    papermill.execute_notebook(
        str(find(playbook).path),
        str(out),
        parameters=parameters,
        cwd=str(folder),
        progress_bar=False,
        kernel_manager_class=OwnKernelManager,
    )
    assert errors(out) == []
    cells = [cell for cell in json.loads(out.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    shown = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in shown} == {"execute_result"}, "no warnings, nothing printed"
    facts = "; ".join(headline(out))
    assert facts
    said = ["".join(output["data"]["text/plain"]) for output in shown]
    assert f"{ANSWERS[playbook]}({facts})" in said
    assert said[-1] == f"Finished({facts})"
    events = next(text for text in said if text.startswith("Dataset("))
    name = "commandes" if "source" in parameters else f"synthetic {parameters.get('domain', 'transactions')}"
    assert events.startswith(f"Dataset({name}")
    injected = [cell for cell in cells if "injected-parameters" in cell["metadata"].get("tags", [])]
    assert len(injected) == bool(parameters)
    assert {path.name for path in folder.iterdir()} == {*there, "out.ipynb"}, "nothing is left beside it"
