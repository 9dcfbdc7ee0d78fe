"""Are playbooks of others found without running their code, and does the right one win?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ConfigError, ParameterError, PlaybookError
from riskbench.runner import find
from riskbench.runner.catalogue import catalogue

PLAIN = "seconds: float = 0.0  # how long\n"


def put(
    folder: Path, name: str, *, named: str | None = None, title: str = "A title", source: str = PLAIN, **more
) -> Path:
    """Write a small notebook into a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"title": title, "question": "Which one?", "domain": ["kyc"], "owner": "Ana Bell", **more}
    if named is not None:
        told["id"] = named
    cell = {"cell_type": "code", "source": source, "metadata": {"tags": ["parameters"]}, "outputs": []}
    step = {"cell_type": "markdown", "source": ["# Name\n", "\n", "## First step\n"], "metadata": {}}
    path = folder / f"{name}.ipynb"
    path.write_text(
        json.dumps({"nbformat": 4, "cells": [step, cell], "metadata": {"riskbench": told}}), encoding="utf-8"
    )
    return path


def package(site: Path, points: str, *, name: str = "Acme-Books") -> Path:
    """Write an installed package that declares playbooks; importing it would be noticed."""
    code = site / "acme_books"
    (code / "shelf").mkdir(parents=True, exist_ok=True)
    (code / "__init__.py").write_text("raise RuntimeError('this package was imported')\n")
    info = site / f"{name.replace('-', '_').lower()}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[riskbench.playbooks]\n{points}\n")
    return code


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A folder on the path that packages are installed in; the working folder is fresh and names no playbooks."""
    made = tmp_path / "site"
    made.mkdir()
    monkeypatch.syspath_prepend(str(made))
    monkeypatch.delenv("RISKBENCH_PLAYBOOKS", raising=False)
    monkeypatch.delenv("RISKBENCH_WORKSPACE", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return made


def origin(found: rb.Catalogue, name: str) -> str:
    return found.playbooks.set_index("id").at[name, "origin"]


def test_a_package_brings_its_playbooks_and_is_not_imported(site):
    code = package(site, "one = acme_books\ntwo = acme_books.shelf:anything")
    put(code, "first")
    put(code / "shelf", "second")
    found = rb.find_playbooks()
    assert (origin(found, "first"), origin(found, "second")) == ("package Acme-Books", "package Acme-Books")
    assert "acme_books" not in sys.modules
    assert found.playbook("second").path == code / "shelf" / "second.ipynb"


@pytest.mark.parametrize(
    "value", ["nowhere", "acme_books.nowhere", "acme_books.a.b", "os.path", "../../etc", "", "a b", ":x"]
)
def test_an_entry_point_that_names_nothing_is_listed_and_hides_nothing(site, value):
    put(package(site, f"good = acme_books\nbroken = {value}"), "first")
    found = rb.find_playbooks()
    assert {"first", "threshold_calibration"} <= set(found.playbooks["id"])
    (row,) = found.unreadable.to_dict("records")
    assert (row["id"], row["origin"]) == ("broken", "package Acme-Books")
    with pytest.raises(PlaybookError, match="not there"):
        find("broken")


def test_a_module_means_the_folder_that_it_lies_in(site):
    code = package(site, "one = acme_books.shelf.tools")
    (code / "shelf" / "tools.py").write_text("raise RuntimeError\n")
    put(code / "shelf", "second")
    assert origin(rb.find_playbooks(), "second") == "package Acme-Books"


def test_the_nearest_place_wins_and_the_other_is_named(site, tmp_path, monkeypatch):
    code = package(site, "one = acme_books")
    for held in ("theirs", "threshold_calibration", "ours"):
        put(code, held, title="package")
    assert origin(rb.find_playbooks(), "threshold_calibration") == "shipped", "a package adds, and replaces nothing"
    Path("riskbench.toml").touch()
    put(Path("playbooks"), "mine", named="ours", title="workspace")
    put(Path("playbooks"), "threshold_calibration", title="workspace")
    found = rb.find_playbooks()
    assert origin(found, "threshold_calibration") == origin(found, "ours") == "workspace"
    named = tmp_path / "named"
    put(named, "other", named="ours", title="named")
    monkeypatch.setenv("RISKBENCH_PLAYBOOKS", str(named))
    found = rb.find_playbooks()
    assert [find(held).title for held in ("ours", "threshold_calibration", "theirs")] == [
        "named",
        "workspace",
        "package",
    ]
    told = [tuple(row) for row in found.shadowed[["id", "origin", "shadowed_by"]].itertuples(index=False)]
    assert told == [
        ("ours", "workspace", "folder named: other.ipynb"),
        ("threshold_calibration", "shipped", "workspace: threshold_calibration.ipynb"),
        ("ours", "package Acme-Books", "folder named: other.ipynb"),
        ("threshold_calibration", "package Acme-Books", "workspace: threshold_calibration.ipynb"),
    ]
    assert len(found.notes) == 4
    assert find(str(code / "ours.ipynb")).title == "package", "one that is shadowed is still run by its path"
    assert {book.id: book.title for book in catalogue()}["ours"] == "named"


def test_of_two_in_one_folder_the_first_file_wins(site):
    Path("riskbench.toml").touch()
    put(Path("playbooks"), "b", named="same", title="second")
    put(Path("playbooks"), "a", named="same", title="first")
    assert find("same").title == "first"
    assert rb.find_playbooks().shadowed["file"].tolist() == ["b.ipynb"]


BROKEN = {
    "no notebook": "nonsense",
    "no parameters": '{"nbformat": 4, "cells": [], "metadata": {}}',
    "hostile metadata": '{"nbformat": 4, "cells": [], "metadata": {"riskbench": [1]}}',
    "deep": '{"nbformat": 4, "cells": ' + "[" * 50_000,
    "half a letter": '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x: str = \\"\\ud800\\"", "metadata": '
    '{"tags": ["parameters"]}}], "metadata": {}}',
    "choices that are none": '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x: int = 1", "metadata": '
    '{"tags": ["parameters"]}}], "metadata": {"riskbench": {"parameters": {"x": {"choices": 5}}}}}',
    "an id that is a path": '{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x: int = 1", "metadata": '
    '{"tags": ["parameters"]}}], "metadata": {"riskbench": {"id": "../../x"}}}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_notebook_hides_no_other(site, text):
    Path("riskbench.toml").touch()
    put(Path("playbooks"), "whole")
    Path("playbooks/broken.ipynb").write_text(text)
    found = rb.find_playbooks()
    assert {"whole", "threshold_calibration"} <= set(found.playbooks["id"])
    assert found.unreadable["file"].tolist() == ["broken.ipynb"]
    assert found.unreadable["problem"].str.len().min() > 20
    with pytest.raises(PlaybookError):
        find("broken")


def test_what_is_no_file_is_not_read(site):
    Path("riskbench.toml").touch()
    Path("playbooks/folder.ipynb").mkdir(parents=True)
    os.mkfifo("playbooks/pipe.ipynb")
    Path("playbooks/loop.ipynb").symlink_to("loop.ipynb")
    (Path("playbooks") / ".hidden.ipynb").write_text("x")
    assert sorted(rb.find_playbooks().unreadable["id"]) == ["folder", "loop", "pipe"]


def test_ones_own_broken_copy_is_told_and_the_shipped_one_is_not_run_in_its_stead(site):
    Path("riskbench.toml").touch()
    put(Path("playbooks"), "copy", named="threshold_calibration", source="nonsense(")
    with pytest.raises(PlaybookError, match="not Python"):
        find("threshold_calibration")
    assert "threshold_calibration" not in rb.find_playbooks().playbooks["id"].tolist()
    Path("playbooks/copy.ipynb").unlink()
    assert origin(rb.find_playbooks(), "threshold_calibration") == "shipped"


def test_a_named_folder_that_is_not_there_is_told(site, monkeypatch):
    monkeypatch.setenv("RISKBENCH_PLAYBOOKS", os.pathsep.join(["/nowhere", str(Path.cwd()), "\x01"]))
    found = rb.find_playbooks()
    assert found.unreadable["id"].tolist() == ["/nowhere", "\x01"]
    assert "threshold_calibration" in found.playbooks["id"].tolist()
    monkeypatch.delenv("RISKBENCH_PLAYBOOKS")
    Path("riskbench.toml").write_text('[run]\nplaybooks = ["nowhere"]\n')
    with pytest.raises(ConfigError, match="not there"):
        rb.find_playbooks()


def test_names_that_a_terminal_would_obey_are_made_plain(site):
    Path("riskbench.toml").touch()
    put(Path("playbooks"), "odd", title="\x1b[31mred\nline\u202e", question="a\tb" + "c" * 9000, owner=7, steps="x")
    held = find("odd")
    assert (held.title, held.question[:4], len(held.question), held.owner) == ("[31mred line", "a bc", 400, "7")
    assert held.steps == ("First step",)


def test_a_playbook_of_a_package_is_listed_described_and_run(tiny, tmp_path):
    """The whole way, in a process that finds the package on its path as if it were installed."""
    site = tmp_path / "site"
    code = package(site, "one = acme_books\nbroken = acme_books.nowhere")
    (code / "theirs.ipynb").write_text(tiny.read_text("utf-8").replace("tiny", "theirs"), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RISKBENCH")}
    environment["PYTHONPATH"] = str(site)

    def told(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "riskbench", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        return done.stdout + done.stderr

    listed = told("playbooks")
    assert "Tiny count  (package Acme-Books)" in listed
    assert "threshold_calibration" in listed
    assert "broken (package Acme-Books) cannot be read" in listed
    assert "how long to work" in told("describe", "theirs")
    assert "module that is not there" in told("describe", "broken", code=2)
    assert "theirs: done" in told("run", "theirs", "-p", "share=0.2")
    (record,) = Path("runs").glob("theirs-*/run.json")
    assert json.loads(record.read_text("utf-8"))["status"] == "done"


# -- search ------------------------------------------------------------------------------------------------


def test_search_finds_by_any_word_the_closest_first(site):
    Path("riskbench.toml").touch()
    put(Path("playbooks"), "far", source="cutlery: int = 1  # what to lay\n")
    put(Path("playbooks"), "near", title="A cut above")
    ids = rb.find_playbooks("CUT").playbooks["id"].tolist()
    assert ids[0] == "near"
    assert "far" in ids
    assert rb.find_playbooks("near a").playbooks["id"].tolist() == ["near"]
    assert rb.find_playbooks(domain="KYC", owner="ana b").playbooks["id"].tolist() == ["far", "near"]
    assert rb.find_playbooks().search(" ").playbooks.equals(rb.find_playbooks().playbooks)
    nothing = rb.find_playbooks("zzzz")
    assert (len(nothing.playbooks), nothing.near) == (0, "")
    assert "No playbook speaks of 'zzzz'" in nothing.notes[-1]
    with pytest.raises(ParameterError, match="did you mean 'kyc'"):
        rb.find_playbooks(domain="kycc")
    with pytest.raises(ParameterError, match="owner"):
        rb.find_playbooks(owner="")
    with pytest.raises(PlaybookError, match="did you mean 'near'"):
        rb.find_playbooks().playbook("neer")


@pytest.fixture(scope="module")
def whole() -> rb.Catalogue:
    return rb.find_playbooks()


@settings(deadline=None, max_examples=60)
@given(words=st.text(max_size=40) | st.sampled_from(["cut", "KYC rate", "review_rate", "_", "a b", "Ⅷ ß İ"]))
def test_a_search_never_fails_and_each_further_word_finds_no_more(whole, words):
    some = whole.search(words)
    assert set(some.playbooks["id"]) <= set(whole.playbooks["id"])
    assert set(whole.search(f"{words} cut").playbooks["id"]) <= set(some.playbooks["id"])
    assert [book.id for book in some.held] == some.playbooks["id"].tolist()
    assert len(some.playbooks) or not words.split() or some.notes
