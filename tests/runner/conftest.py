"""A small playbook that can end in every way there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from light import ANSWER, light_notebook, written

from riskbench.runner import seal

PARAMETERS = """
source: str | None = None  # a file, a URL or env:NAME; none = the sample (x = 1)
region: str | None = "ID"  # one region
share: float | None = 0.03  # at most
names: list[str] = []  # some names
mode: str = "done"  # how to end
seconds: float = 0.0  # how long to work
"""

RESULT = """
import pandas as pd
from riskbench.display import Fact, Result, result


@result
class Count(Result):
    kind = "count"
    title = "Count"
    main = "rows"
    rows: pd.DataFrame
    text: str = ""

    def headline(self):
        share = Fact("Share", 0.25, "share", lower=0.2, upper=0.3, note="of all")
        return (Fact("Events", len(self.rows), "count"), share)


count = Count(rows=pd.DataFrame({"name": ["a", "<b>b</b>", None], "value": [1.0, 2.5, None]}), notes=("a remark",))
count
"""

WORK = r"""
import os, pathlib, signal, sys, time
from IPython.display import HTML, Markdown, display
from riskbench.errors import DataError, InfeasibleError

here = os.environ.get("RISKBENCH_RUN_FOLDER")
if mode == "infeasible":
    raise InfeasibleError("No cut keeps review_rate at most 0.01", got="'share' 0.01", hint="the nearest is 0.02")
if mode == "data":
    raise DataError("Column 'amuont' is empty", got=run.values["source"])
if mode == "crash":
    raise KeyError("internal")
if mode == "exit":
    sys.exit(0)
if mode == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "hostile":
    display(HTML('<p>kept</p><script>window.bad=1</script><img src=x onerror="bad()"><iframe src="https://evil.invalid"></iframe>'
                 '<b style="color:red;background:url(https://evil.invalid/x)">b</b><a href="javascript:bad()">j</a>'))
    display(Markdown('<script>bad()</script> [x](javascript:bad())'))
    display({"application/javascript": "bad()", "text/plain": "plain <script>bad()</script>"}, raw=True)
    print("<script>bad()</script>")
if mode == "sleep":
    pathlib.Path("started.txt").write_text(str(os.getpid()))
    time.sleep(seconds)
"""


def notebook(*, parameters: str = PARAMETERS, name: str = "tiny", metadata: dict | None = None, cells=None) -> dict:
    held = cells or [
        ("markdown", "# Tiny\n\nHow many events are there?", ()),
        ("code", parameters.strip(), ("parameters",)),
        ("markdown", "## Begin", ()),
        ("code", f'import riskbench as rb\n\nrun = rb.start("{name}", globals())\nrun', ("reviewers-only",)),
        ("markdown", "## Count the events", ()),
        ("code", RESULT.strip(), ()),
        ("markdown", "## Work on them", ()),
        ("code", WORK.strip(), ()),
        ("markdown", "## Finish", ()),
        ("code", 'run.finish(count, count) if mode != "unfinished" else None', ("reviewers-only",)),
    ]
    told = {
        "id": name,
        "title": "Tiny count",
        "question": "How many events are there?",
        "parameters": {
            "share": {"min": 0, "max": 1, "sample_only": True},
            "region": {"sample_only": True},
            "mode": {
                "choices": [
                    "done",
                    "infeasible",
                    "data",
                    "crash",
                    "exit",
                    "die",
                    "hostile",
                    "sleep",
                    "unfinished",
                ]
            },
        },
        **(metadata or {}),
    }
    return written(held, told)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the small playbook, which the catalogue finds by its name; the working folder is fresh."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    path = folder / "tiny.ipynb"
    path.write_text(json.dumps(notebook()), encoding="utf-8")
    monkeypatch.setenv("RISKBENCH_PLAYBOOKS", str(folder))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return path


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a playbook that does next to nothing; the working folder is fresh."""
    path = tmp_path / "light.ipynb"
    path.write_text(json.dumps(light_notebook()), encoding="utf-8")
    monkeypatch.setattr(seal, "sources", dict)  # somebody may be editing the library while this runs
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return path


@pytest.fixture
def light_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that writes a playbook whose one cell is this code; the working folder is fresh."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def write(answer: str = ANSWER, *, name: str = "light.ipynb", **more: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**light_notebook(answer), **more}), encoding="utf-8")
        return path

    return write
