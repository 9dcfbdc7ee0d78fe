"""Is each way to go wrong one clear message, the right number, a true row in the ledger, and nothing half-written?"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from light import ANSWER

import riskbench as rb
from riskbench.errors import MissingDependencyError, ParameterError, PlaybookError, StoreError
from riskbench.runner import Run, find, settle
from riskbench.runner.folder import folder_name
from riskbench.store import Ledger


def ends() -> list[str]:
    with Ledger("out/riskbench.db") as ledger:
        return [entry.status for entry in ledger.entries()]


def nothing_but_the_ledger() -> bool:
    return {path.name for path in Path("out").iterdir()} <= {"riskbench.db", "riskbench.key"}


def whole(run: Run) -> bool:
    return {path.name for path in run.folder.iterdir()} == {"run.json", "notebook.ipynb", "lead.html", "full.html"}


# --- in a cell -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_a_cell_that_leaves_the_process_is_a_failed_run(light_of, code):
    run = rb.run(light_of(f"{ANSWER}\nos._exit({code})"), out="out")
    assert (run.status, run.exit_code, ends()) == ("failed", 1, ["failed"])
    assert "died" in run.message
    assert whole(run), "what it wrote before is no result"


def test_a_cell_that_takes_its_run_folder_away(light_of):
    run = rb.run(light_of(f"{ANSWER}\nimport shutil; shutil.rmtree(here)"), out="out")
    assert (run.status, run.exit_code, run.folder, ends()) == ("failed", 1, None, ["failed"])
    assert "could not be kept" in run.message
    assert nothing_but_the_ledger()


def test_a_cell_that_spoils_the_ledger_is_no_done_run(light_of):
    spoil = (
        "import sqlite3; c = sqlite3.connect('out/riskbench.db'); c.execute('drop table riskbench_runs'); c.commit()"
    )
    with pytest.raises(StoreError, match="does not answer"):
        rb.run(light_of(f"{ANSWER}\n{spoil}"), out="out")
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]


def test_no_line_between_the_processes_is_in_the_clear(light_of):
    run = rb.run(
        light_of(f"{ANSWER}\npathlib.Path('said.txt').write_text((here / 'worker.log').read_text())"), out="out"
    )
    assert run.status == "done", run.message
    assert Path("said.txt").read_text() == "", "neither ipykernel's warning nor anything else"


def test_files_that_bear_the_names_of_libraries_harm_nothing_and_own_modules_load(light_of):
    for name in ("papermill", "nbclient", "json", "random"):
        Path(f"{name}.py").write_text("raise SystemExit('a file of the user stands for a library')")
    Path("ours.py").write_text("mine = 7")
    run = rb.run(light_of(f"import sys; import ours; assert ours.mine == 7\n{ANSWER}"), out="out")
    assert run.status == "done", run.message


# --- the kernel ------------------------------------------------------------------------------------------------------


def test_without_ipykernel_nothing_starts(light_of, monkeypatch):
    found = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *a: None if name == "ipykernel" else found(name, *a))
    with pytest.raises(MissingDependencyError, match="ipykernel is not installed"):
        rb.run(light_of(), out="out")
    assert not Path("out").exists()


def test_a_kernel_that_does_not_start_is_told_with_its_last_words(light_of, tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ipykernel_launcher.py").write_text("raise ImportError('zmq is broken here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    run = rb.run(light_of(), out="out")
    assert (run.status, run.exit_code, ends()) == ("failed", 1, ["failed"])
    assert "The kernel did not start" in run.message
    assert "zmq is broken here" in run.message
    assert whole(run)


def test_an_interpreter_that_is_gone(light_of, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    run = rb.run(light_of(), out="out")
    assert (run.status, run.exit_code, ends()) == ("failed", 1, ["failed"])
    assert run.message == "Python cannot be started: /nowhere/python: No such file or directory"
    assert nothing_but_the_ledger()


# --- the notebook ----------------------------------------------------------------------------------------------------


def _twice(path: Path) -> None:
    held = json.loads(path.read_text())
    held["cells"].append(held["cells"][1])
    path.write_text(json.dumps(held))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_text("{"), "is not a notebook"),
        (lambda path: path.write_text("[]"), "is not a notebook"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is not a notebook"),
        (lambda path: path.write_text("[" * 100_000), "is not a notebook"),
        (lambda path: path.write_text(path.read_text().replace('"nbformat": 4', '"nbformat": 3')), "of format 3"),
        (lambda path: path.write_text(path.read_text().replace('"nbformat": 4', '"nbformat": 5')), "of format 5"),
        (lambda path: path.write_text(path.read_text().replace('"python"', '"R"')), "another language"),
        (lambda path: path.write_text(path.read_text().replace('["parameters"]', "[]")), "0 cells tagged"),
        (_twice, "2 cells tagged"),
        (lambda path: os.truncate(path, 30_000_000), "too large"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "not a file"),
        (lambda path: (path.unlink(), path.mkdir()), "not a file"),
        (lambda path: (path.unlink(), path.symlink_to(path)), "cannot be read"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "is not a notebook"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_what_is_no_playbook_is_refused_before_anything_starts(light_of, spoil, words):
    path = light_of()
    spoil(path)
    for verb in (lambda: rb.run(path, out="out"), lambda: rb.run_grid(path, grid={"seed": [1, 2]}, out="out")):
        with pytest.raises(PlaybookError, match=words) as caught:
            verb()
        assert caught.value.exit_code == 2
    assert not Path("out").exists()


def test_a_path_with_braces_blanks_and_quotes_is_a_path(light_of):
    run = rb.run(light_of(name='{region} it\'s; a $(x) & "name"/light {seed}.ipynb'), out="o {region}")
    assert run.status == "done", run.message
    assert run.headline[0].value == json.loads((run.folder / "run.json").read_text())["headline"][0]["value"]


def test_a_link_where_the_run_folder_belongs_is_replaced_and_not_followed(light_of, tmp_path):
    path, precious = light_of(), tmp_path / "precious"
    precious.mkdir()
    (precious / "kept.txt").write_text("kept")
    Path("out").mkdir()
    playbook = find(path)
    Path("out", folder_name(playbook.id, settle(playbook.parameters, {}))).symlink_to(precious)
    run = rb.run(path, out="out")
    assert run.status == "done"
    assert not run.folder.is_symlink()
    assert [held.name for held in precious.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("out", ["taken", "taken/below", "/proc/there", "/dev/null/x", "bad\0name", "x" * 300])
def test_a_folder_that_cannot_be_made_or_written_is_a_wrong_parameter(light_of, out):
    Path("taken").write_text("a file")
    with pytest.raises(ParameterError, match="folder"):
        rb.run(light_of(), out=out)
