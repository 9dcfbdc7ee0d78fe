"""Do the playbook and the notebook of a new workspace run as they stand?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import riskbench as rb
from riskbench.runner import from_command
from riskbench.runner.workspace import new_workspace


@pytest.fixture
def bench(tmp_path, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith("RISKBENCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(new_workspace(tmp_path / "bench").folder)
    return tmp_path / "bench"


def test_its_playbook_runs_with_its_book_and_data(bench):
    ended = rb.run("my_calibration", from_command(["region=ID"], "data/transactions.yaml"))
    assert ended.status == "done", ended.message
    assert ended.folder.parent.resolve() == bench / "runs"
    assert ended.parameters["book"] == "rules/transactions.yaml"
    found = {fact.name: fact for fact in ended.headline}
    assert "no cut" not in str(found["Best cut found"].value), "the sample is large enough for a cut that pays"
    assert ended.parameters["costs"] == {"minute_cost": 700.0}, "in rupiahs"
    assert Path("data/transactions.parquet").stat().st_size < 2_000_000
    assert ended.stamp["book"]["hash"] == rb.RuleBook.read("rules/transactions.yaml").hash


def test_its_notebook_runs_from_top_to_bottom(bench):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read("notebooks/start.ipynb", 4)
    nbformat.validate(notebook)
    manager = _encrypted()
    NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": "notebooks"}}, kernel_manager_class=manager
    ).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert {output.output_type for output in shown} == {"execute_result"}, shown
    text = "\n".join(output.data["text/plain"] for output in shown)
    assert "Errors: 0" in text
    assert "Catalogue(Playbooks: " in text
    assert sum("image/png" in output.data for output in shown) >= 2


def _encrypted():
    from jupyter_client.manager import AsyncKernelManager

    return type("Manager", (AsyncKernelManager,), {"transport_encryption": "required"})
