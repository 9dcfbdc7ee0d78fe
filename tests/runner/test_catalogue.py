"""Is every playbook found, wherever riskbench is installed?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import riskbench as rb
from riskbench.errors import PlaybookError
from riskbench.runner.catalogue import catalogue, find, read_playbook, sample_book, shipped_folder


def test_the_shipped_playbooks_say_what_they_are():
    held = catalogue()
    assert "threshold_calibration" in [book.id for book in held]
    for book in held:
        assert book.id == book.path.stem
        assert all((book.title, book.question, book.owner, book.domain, book.inputs, book.produces, book.cadence))
        assert all(parameter.help for parameter in book.parameters)


def test_a_wheel_has_them_inside_and_a_checkout_beside(tmp_path):
    package = tmp_path / "site-packages" / "riskbench"
    package.mkdir(parents=True)
    assert shipped_folder(package) is None
    beside = tmp_path / "site-packages" / "playbooks"
    beside.mkdir()
    assert shipped_folder(package) is None, "a folder that merely lies in site-packages is not ours"
    (tmp_path / "site-packages" / "pyproject.toml").touch()
    assert shipped_folder(package) == beside
    inside = package / "playbooks"
    inside.mkdir()
    assert shipped_folder(package) == inside


def test_a_folder_of_ones_own_is_found_first(tiny):
    assert "tiny" in [book.id for book in catalogue()]
    assert find("tiny").path == tiny
    assert find(str(tiny)).title == "Tiny count"
    changed = json.loads(tiny.read_text("utf-8"))
    changed["cells"][3]["source"] += "\n"
    before = find("tiny").code_hash
    tiny.write_text(json.dumps(changed), encoding="utf-8")
    assert find("tiny").code_hash != before


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "threshold_calibration.ipynb", "\x00", "a" * 5000])
def test_a_name_is_looked_up_and_never_a_path(name):
    with pytest.raises(PlaybookError):
        find(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"nbformat": 4, "cells": [], "metadata": {}}',
        '{"nbformat": 4, "cells": [1], "metadata": {}}',
        '{"nbformat": 4, "cells": [{"cell_type": "code"}], "metadata": {}}',
        (
            '{"nbformat": 4, "metadata": {}, "cells": '
            '[{"cell_type": "code", "source": "x = 1", "metadata": {"tags": ["parameters"]}}]}'
        ),
        '{"nbformat": 4, "cells": ' + "[" * 100_000,
        "\x00\xff",
    ],
)
def test_what_is_no_playbook_is_refused(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlaybookError):
        read_playbook(path)


def test_a_book_that_is_not_shipped_is_named():
    with pytest.raises(PlaybookError, match="No rule book is shipped"):
        sample_book("nothing")


def test_two_parameters_cells_are_refused(tmp_path):
    cell = {"cell_type": "code", "source": "x: int = 1", "metadata": {"tags": ["parameters"]}}
    path = Path(tmp_path / "x.ipynb")
    path.write_text(json.dumps({"nbformat": 4, "cells": [cell, cell], "metadata": {}}), encoding="utf-8")
    with pytest.raises(PlaybookError, match="2 cells tagged"):
        read_playbook(path)


@pytest.mark.parametrize("word", ["nonsense", "kics", "kyx", "unicorn", "banana"])
def test_a_word_that_is_like_none_is_met_with_no_suggestion(word):
    found = rb.find_playbooks(word)
    assert found.near == ""
    assert found.notes[-1] == f"No playbook speaks of {word!r}."
    assert rb.find_playbooks("tresholds").near == "threshold"
    assert rb.find_playbooks("calibraton").near == "calibration"
