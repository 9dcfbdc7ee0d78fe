"""Does Jupyter's own export write the runner's pages, whoever made the notebook and however?"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper import ATTACKS, RUN, Seen, harmless, notebook, shown

from riskbench.display import Fact
from riskbench.runner.exporters import FullExporter, LeadExporter, PageError
from riskbench.runner.failure import Failure
from riskbench.runner.gate import check_page
from riskbench.runner.publication import page_of, publish

VIEW = "application/vnd.jupyter.widget-view+json"
SESSION = {
    "headline": [Fact("Cut", 0.4, lower=0.3, upper=0.5).to_dict(), Fact("Who", "nobody", "text").to_dict()],
    "notes": ["nobody: a reason."],
    "data_errors": 2,
    "data": {"name": "mine", "rows": 1234, "first": "2026-01-01", "last": "2026-02-01", "fingerprint": "f" * 64},
    "book": {"name": "book", "rules": 3, "hash": "a" * 64},
    "score": "score: the column s",
    "personal": {"wallet": "wallet"},
}
CELLS = (
    ("markdown", "# Tiny\n\n**Question.** Q?\n\nIntro."),
    ("markdown", "## Step"),
    ("code", "SOURCE = 1", shown(html="<table><tr><th>wallet</th></tr><tr><td>W-77</td></tr></table>", plain="x")),
    ("code", "OTHER = 2", {"output_type": "stream", "name": "stdout", "text": "STREAM"}),
)


def exported(held, exporter=LeadExporter):
    return exporter().from_notebook_node(nbformat.from_dict(held), resources={"metadata": {"name": "mine"}})[0]


def test_both_are_found_by_their_entry_points():
    held = {
        point.name: point.load()
        for point in metadata.entry_points(group="nbconvert.exporters")
        if "riskbench" in point.value
    }
    assert held == {"riskbench-lead": LeadExporter, "riskbench-full": FullExporter}


@pytest.mark.parametrize(
    "failure", [None, Failure(status="failed", title="t", what="w", where="here", hint="h", cell=2)]
)
def test_a_runs_notebook_gives_the_runners_pages_to_the_letter(failure):
    run = {**RUN, "title": "Tiny", "parameters": {"region": "ID", "costs": {"a": 1}}}
    files, _ = publish(notebook(*CELLS), failure, secrets=(), run=run, session=SESSION)
    held = nbformat.reads(files["notebook.ipynb"], as_version=4)
    assert exported(held, LeadExporter) == files["lead.html"]
    assert exported(held, FullExporter) == files["full.html"]
    assert "W-77" not in files["full.html"]


def test_the_command_line_of_nbconvert_writes_it(tmp_path):
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps(notebook(*CELLS)))
    command = [sys.executable, "-m", "nbconvert", "--to", "riskbench-full", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "mine.html").read_text()
    assert "SOURCE" in page
    assert "no run of riskbench wrote" in page
    path.write_text(json.dumps(notebook(("code", "x", shown(html="<p>4111 <b>1111</b> 1111 1111</p>")))))
    (tmp_path / "mine.html").unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "card number" in done.stderr
    assert not (tmp_path / "mine.html").exists()


def test_a_page_that_would_tell_somebody_is_refused():
    with pytest.raises(PageError, match="card number"):
        exported(notebook(("code", "x", shown(html="<p>4111 <b>1111</b> 1111 1111</p>"))))


def test_a_notebook_of_bare_papermill_tells_how_it_ended():
    held = notebook(
        ("markdown", "# By hand"),
        ("markdown", "## Count them"),
        ("code", "a", shown(plain="1")),
        (
            "code",
            "b",
            {"output_type": "error", "ename": "DataError", "evalue": "Column 'x' is empty", "traceback": ["T"]},
        ),
        ("code", "c", shown(plain="stale")),
    )
    banner = {
        "cell_type": "markdown",
        "id": "e",
        "metadata": {"tags": ["papermill-error-cell-tag"]},
        "source": "BANNER",
    }
    held["cells"].insert(0, banner)
    held["metadata"]["papermill"] = {"parameters": {"region": "ID"}, "exception": True}
    for exporter in (LeadExporter, FullExporter):
        page = exported(held, exporter)
        assert "The data does not fit" in page
        assert "Count them" in page
        assert "BANNER" not in page
        assert "stale" not in page
        assert "region = ID" in page


def test_the_call_that_finishes_a_run_gives_the_headline():
    finished = {"application/vnd.riskbench.finished.v1+json": {"headline": SESSION["headline"]}, "text/plain": "x"}
    output = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": finished}
    page = exported(notebook(("markdown", "# By hand"), ("code", "x", output)))
    assert "0.3 to 0.5" in page
    assert "<h1>By hand</h1>" in page
    assert 'class="status"' not in page  # nobody vouches that it is done


@pytest.mark.parametrize("state", [{}, {"widgets": {VIEW: {"state": {"m": {"model_name": "Secret"}}}}}])
def test_a_control_leaves_its_twin_or_a_sentence(state):
    alone = {VIEW: {"model_id": "m", "version_major": 2}, "text/plain": "IntSlider(value=0)"}
    twin = {**alone, "text/html": "<p>the twin</p>"}
    outputs = [{"output_type": "display_data", "metadata": {}, "data": data} for data in (alone, twin)]
    held = notebook(("code", "x", *outputs))
    held["metadata"] |= state
    for exporter in (LeadExporter, FullExporter):
        page = exported(held, exporter)
        assert page.count("An interactive control stood here") == 1
        assert "the twin" in page
        assert "IntSlider" not in page
    files, _ = publish(held, None, secrets=(), run={**RUN, "parameters": {}, "passed": []}, session={})
    assert VIEW not in files["notebook.ipynb"]
    assert "Secret" not in files["notebook.ipynb"]


def test_a_key_beside_the_notebook_makes_its_pseudonyms(tmp_path):
    from riskbench.privacy import key_file, read_key

    key = read_key(key_file(tmp_path))
    (tmp_path / "run").mkdir()
    held = nbformat.from_dict(notebook(("code", "x", shown(plain="from 203.0.113.9"))))
    page, _ = FullExporter().from_notebook_node(held, resources={"metadata": {"path": str(tmp_path / "run")}})
    assert key.pseudonym("203.0.113.9", "ip") in page


# -- hostile notebooks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("exporter", [LeadExporter, FullExporter])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_gets_through_an_exporter(exporter, attack):
    outputs = [
        shown(html=attack, plain=attack),
        shown(plain=attack),
        {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": attack}},
        {"output_type": "display_data", "metadata": {"image/png": {"alt": attack}}, "data": {"image/png": attack}},
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"image/svg+xml": attack, "application/javascript": attack},
        },
        {"output_type": "display_data", "metadata": {}, "data": {"text/latex": attack}},
        {"output_type": "stream", "name": "stdout", "text": attack},
        {"output_type": "error", "ename": attack, "evalue": attack, "traceback": [attack]},
    ]
    held = notebook(("markdown", attack), ("code", attack, *outputs))
    held["metadata"]["riskbench"] = {
        "id": attack, "title": attack, "question": attack, "parameters": {attack: attack},
        "page": {
            "run": dict.fromkeys(RUN, attack) | {"passed": [attack]},
            "session": {
                "headline": [{"name": attack, "value": attack, "note": attack}], "notes": [attack], "score": attack,
                "data": dict.fromkeys(("name", "first", "last", "fingerprint", "label_recipe"), attack) | {"rows": 1},
                "book": {"name": attack, "hash": attack, "rules": 1},
            },
        },
    }  # fmt: skip
    page = exported(held, exporter)
    body = page.partition("</head>")[2]
    harmless(body.replace(' id="failed"', ""))
    assert Seen(page).tags.count("style") == 1


def test_a_notebook_cannot_bring_the_slider_its_own_script():
    steps = '<details class="riskbench-steps" data-label="x" data-at="0"><summary>s</summary><table></table></details>'
    page = exported(notebook(("code", "x", shown(html=f"{steps}<script>bad()</script>"))))
    assert Seen(page).tags.count("script") == 1
    assert "bad()" not in page
    assert "script-src 'sha256-" in page
    for other in (
        steps.replace("riskbench-steps", "riskbench-step"),
        steps.replace("details", "div"),
        "riskbench-steps",
        "x",
    ):
        page = exported(notebook(("code", "x", shown(html=f"{other}<script>bad()</script>"))))
        assert "script" not in Seen(page).tags
        assert "script-src" not in page


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from places(inner, (*path, place))


WHOLE = json.loads(
    publish(
        notebook(*CELLS, ("code", "z", shown(png="iVBO", plain="p"))),
        Failure(status="failed", title="t", what="w", cell=1),
        secrets=(),
        run={**RUN, "parameters": {"a": 1}, "passed": ["a"]},
        session=SESSION,
    )[0]["notebook.ipynb"]
)
WHOLE["metadata"] |= {"papermill": {"parameters": {}}, "widgets": {}}
PLACES = [path for path in places(WHOLE) if path]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3))
def test_a_notebook_of_wrong_types_is_a_page_all_the_same(changes):
    held = copy.deepcopy(WHOLE)
    for path, value in changes:
        at = held
        try:
            for part in path[:-1]:
                at = at[part]
            at[path[-1]] = value
        except (TypeError, KeyError, IndexError, AttributeError):
            continue
    for audience in ("lead", "full"):
        page = page_of(held, audience=audience)
        assert page.startswith("<!DOCTYPE html>")
        assert page.rstrip().endswith("</html>")
        assert not check_page(page)


@pytest.mark.parametrize(
    "held",
    [
        {},
        {"cells": []},
        {"cells": None, "metadata": []},
        {
            "cells": [
                {
                    "cell_type": "code",
                    "source": "x" * 1_000_000,
                    "outputs": [{"output_type": "stream", "text": "y" * 3_000_000}],
                }
            ]
        },
        {"cells": [{"cell_type": "code", "outputs": [shown(html="<b>" * 20_000)]}]},
        {"cells": [{"cell_type": "code", "outputs": [shown(html="z" * 21_000_000)]}]},
        {"cells": [{"cell_type": "code", "outputs": [shown(plain="\ud800 half a letter")]}]},
    ],
    ids=["nothing", "no cells", "no types", "long", "deep", "huge", "broken letter"],
)
def test_empty_huge_and_broken_notebooks_are_pages(held):
    for audience in ("lead", "full"):
        page = page_of(held, audience=audience)
        page.encode()
        assert page.rstrip().endswith("</html>")


def test_nothing_of_the_environment_is_in_a_page(tmp_path):
    page = exported(notebook(*CELLS), FullExporter)
    assert str(Path.home()) not in page
    assert os.environ.get("HOSTNAME", "no such name") not in page
