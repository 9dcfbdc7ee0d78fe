"""Does the comparison of stored answers fail when a figure is another, and pass when it is not?"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys

import house
import pytest

CHECKED = "nbval-check-output"
FLAGS = re.findall(r"--nbval\S+(?: tests/\S+)?", (house.ROOT / "Makefile").read_text("utf-8"))


def _until_the_first_held_answer() -> dict:
    held = json.loads((house.ROOT / "notebooks" / "01_first_hour.ipynb").read_text("utf-8"))
    last = next(n for n, cell in enumerate(held["cells"]) if CHECKED in cell["metadata"].get("tags", []))
    return {**held, "cells": held["cells"][: last + 1]}


@pytest.mark.slow
def test_a_stored_figure_that_is_another_is_a_failure_and_the_right_one_is_not(tmp_path):
    right = _until_the_first_held_answer()
    wrong = copy.deepcopy(right)
    answer = wrong["cells"][-1]["outputs"][0]
    told = "".join(answer["text"])
    answer["text"] = re.sub(r"\d(?=\.)", lambda digit: str((int(digit[0]) + 1) % 10), told, count=1)
    assert answer["text"] != told
    for name, held in {"right": right, "wrong": wrong}.items():
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(held), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(house.ROOT)]
    command += [word for flag in FLAGS for word in flag.split()]
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=house.ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    failed = re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    assert len(failed) == 1, done.stdout
    assert "wrong.ipynb" in failed[0]
    number = sum(cell["cell_type"] == "code" for cell in right["cells"]) - 1
    assert failed[0].endswith(f"Cell {number}") or f"Cell {number}" in done.stdout
    assert "Traceback" in done.stdout or "disagrees" in done.stdout or "mismatch" in done.stdout


def test_the_notebooks_are_run_by_make_test_as_they_are_here():
    assert "--nbval-lax" in FLAGS
    assert any("tests/notebooks/sanitize.cfg" in flag for flag in FLAGS)
    assert "--nbval-current-env" in FLAGS
