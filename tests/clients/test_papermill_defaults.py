"""Does bare papermill, as a library, run a playbook with its defaults?"""

from __future__ import annotations

import papermill
from clients.outside import errors, headline

import riskbench as rb


def test_defaults_through_papermills_library_give_our_own_headline(elsewhere, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RISKBENCH_RUN_FOLDER", "RISKBENCH_RUN_NOTEBOOK"):
        monkeypatch.delenv(name, raising=False)
    papermill.execute_notebook(
        str(elsewhere / "rule_health.ipynb"), str(tmp_path / "out.ipynb"), cwd=str(tmp_path), progress_bar=False
    )
    assert errors(tmp_path / "out.ipynb") == []
    ended = rb.run("rule_health", out=tmp_path / "runs")
    assert ended.status == "done", ended.message
    assert headline(tmp_path / "out.ipynb") == [str(fact) for fact in ended.headline]
