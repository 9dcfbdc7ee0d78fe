"""Does the code that a playbook imports from beside it count as its code?"""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest
from watched import Place

import riskbench as rb
from riskbench.runner import imported, resume


@pytest.fixture
def helped(place: Place):
    """A run of a playbook that imports a module beside it, and one of the working folder."""
    path = place.root / "playbooks" / "watch.ipynb"
    load = f"import sys; sys.path[:0] = [{str(path.parent)!r}, {str(place.root)!r}]; import helper, other"
    text = path.read_text("utf-8").replace("import pandas as pd", f"{load}\\nimport pandas as pd", 1)
    path.write_text(text, encoding="utf-8")
    (path.parent / "helper.py").write_text("LIMIT = 200", encoding="utf-8")
    (place.root / "other.py").write_text("LIMIT = 1", encoding="utf-8")
    return place.run(out=place.root / "helped")


def told(run) -> tuple[str, str]:
    found = rb.verify_run(run.folder)
    return found.verdict, found.answers.set_index("question").loc["playbook moved", "why"]


def test_a_module_beside_the_playbook_is_stamped_and_compared(place: Place, helped, monkeypatch):
    assert list(helped.stamp["modules"]) == ["cwd: other.py", "playbook: helper.py"]
    assert told(helped) == ("still true", "its code cells and the modules beside it are the same")
    folder = helped.folder.resolve()
    helper = place.root / "playbooks" / "helper.py"
    helper.write_text("LIMIT = 100", encoding="utf-8")
    assert told(helped) == ("code moved", "other code in playbook: helper.py")
    job = SimpleNamespace(playbook=SimpleNamespace(path=place.root / "playbooks" / "watch.ipynb"), values={})
    today = {name: helped.stamp[name] for name in ("code", "versions", "sources")}
    stamp = {**helped.stamp, "inputs": {}}
    assert resume.what_moved(stamp, job, today=today) == ["its own module 'playbook: helper.py' has changed"]
    helper.unlink()
    assert told(helped)[0] == "cannot be checked"
    assert "cannot be checked" in resume.what_moved(stamp, job, today=today)[0]
    helper.write_text("LIMIT = 200", encoding="utf-8")
    assert resume.what_moved(stamp, job, today=today) == []
    monkeypatch.chdir(place.root.parent)
    assert rb.verify_run(folder).verdict == "still true"


def test_what_is_installed_is_left_out_and_the_rest_is_bounded(tmp_path, monkeypatch):
    import json

    import numpy as np

    loaded = {"np": np, "json": json, "rb": rb, "os": os, "sys": sys, "odd": SimpleNamespace(__file__="<frozen>")}
    assert imported.imported(loaded) == {}
    monkeypatch.setattr(imported, "_MOST", 3)
    monkeypatch.setattr(imported, "_LARGEST", 5)
    monkeypatch.chdir(tmp_path)
    for letter in "abcd":
        (tmp_path / f"{letter}.py").write_text("x" * (4 + 2 * (letter == "b")), encoding="utf-8")
        loaded[letter] = SimpleNamespace(__file__=str(tmp_path / f"{letter}.py"))
    held = imported.imported(loaded)
    assert list(held) == ["cwd: a.py", "cwd: b.py", "cwd: c.py", "more modules"]
    assert held["cwd: b.py"] is held["more modules"] is None
    assert imported.moved(held, notebook=None, cwd=str(tmp_path)) == ([], ["cwd: b.py", "more modules"])
    assert imported.moved(None, notebook=None, cwd=str(tmp_path)) == ([], [])
