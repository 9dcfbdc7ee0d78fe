"""One run of the watched playbook, made once, and its folder put back for each test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from watched import BOOK, MOVED_BOOK, Place, events, notebook

from riskbench.runner import seal


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> tuple[Path, Path, str]:
    """A folder with one run in it, made once, and a copy to put it back from."""
    root = tmp_path_factory.mktemp("trust") / "work"
    (root / "data").mkdir(parents=True)
    (root / "playbooks").mkdir()
    events(400).to_csv(root / "data" / "events.csv", index=False)
    events(460, seed=6).to_csv(root / "data" / "later.csv", index=False)
    (root / "book.yaml").write_text(BOOK, encoding="utf-8")
    (root / "moved.yaml").write_text(MOVED_BOOK, encoding="utf-8")
    (root / "playbooks" / "watch.ipynb").write_text(json.dumps(notebook()), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(seal, "sources", lambda: {"runner": "as it was"})
        name = Place(root).run().folder.name
    spare = root.with_name("spare")
    shutil.copytree(root, spare)
    return root, spare, name


@pytest.fixture
def place(made, monkeypatch) -> Place:
    """The folder as it was made, at which we stand; riskbench's own code does not move while a test runs."""
    root, spare, name = made
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(spare, root)
    monkeypatch.chdir(root)
    monkeypatch.setattr(seal, "sources", lambda: {"runner": "as it was"})
    return Place(root, name)
