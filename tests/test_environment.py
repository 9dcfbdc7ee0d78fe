"""Do the lists of dependencies say the same, and are the ways in (make, CI) in order?"""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [
    Requirement(text)
    for texts in PROJECT["optional-dependencies"].values()
    for text in texts
    if not text.startswith("riskbench")
]
#: What conda-forge calls a package, where its name differs.
CONDA_NAMES = {"duckdb": "python-duckdb", "tzdata": "python-tzdata", "matplotlib": "matplotlib-base"}


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def conda() -> list[object]:
    return YAML(typ="safe").load(ROOT / "environment.yml")["dependencies"]


def test_conda_names_the_same_packages_with_the_same_bounds():
    listed = {req.name: req.specifier for req in map(Requirement, (line for line in conda() if isinstance(line, str)))}
    assert listed.pop("python") == Requirement(f"python{PROJECT['requires-python']}").specifier
    listed.pop("pip")
    assert listed == {CONDA_NAMES.get(req.name, req.name): req.specifier for req in CORE}


def test_conda_installs_the_checkout_itself():
    assert {"pip": ["-e ."]} in conda()


@pytest.mark.parametrize("wanted", [*CORE, *EXTRAS], ids=lambda req: req.name)
def test_each_dependency_has_a_bound_and_a_pin_within_it(wanted):
    assert any(spec.operator == ">=" for spec in wanted.specifier), "name the lowest version that works"
    pinned = pins()
    assert canonicalize_name(wanted.name) in pinned, "run: make pins"
    assert pinned[canonicalize_name(wanted.name)] in wanted.specifier


def test_the_build_backend_is_pinned_too():
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert all(pins()[req.name] in req.specifier for req in map(Requirement, backend))


def test_pins_name_nothing_of_the_project_and_no_place():
    text = (ROOT / "constraints.txt").read_text()
    assert "riskbench" not in text
    assert not any(mark in text for mark in ("@", "file:", "-e ", "://"))
    names = [line.split("==")[0].lower() for line in text.splitlines()[1:]]
    assert len(names) == len(set(names))


def test_version_is_said_once_more_and_equal():
    import riskbench

    assert riskbench.__version__ == PROJECT["version"]


def test_ci_script_is_valid_and_lets_nothing_be_skipped():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert "export RISKBENCH_NO_SKIP=1" in text
    assert text.splitlines()[-1] == "exec make test"


def _planned(tmp_path, *words: str) -> str:
    """Return what make would run in a fresh clone, whatever the caller's shell has set."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    hostile = {**os.environ, "PYTHONPATH": "/nowhere", "VIRTUAL_ENV": "/nowhere", "MAKEFLAGS": "", "PIP_USER": "1"}
    done = subprocess.run(["make", "-n", *words], cwd=tmp_path, env=hostile, capture_output=True, text=True, check=True)
    return done.stdout


def test_demo_sets_itself_up(tmp_path):
    plan = _planned(tmp_path, "demo", "PYTHON=mine")
    steps = [
        plan.index(part) for part in ("mine -m venv .venv", "install --quiet -c constraints.txt -e .", "riskbench demo")
    ]
    assert steps == sorted(steps)


def test_test_ends_with_the_tests(tmp_path):
    plan = _planned(tmp_path, "test")
    parts = ("-e '.[test]'", "ruff check .", "ruff format --check .", "mypy riskbench", "lint-imports", "-m pytest")
    steps = [plan.index(part) for part in parts]
    assert steps == sorted(steps)
    assert "pytest" in plan.strip().splitlines()[-1]


def test_a_second_run_installs_nothing(tmp_path):
    _planned(tmp_path, "help")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("bin/python", ".demo", ".test"):
        (tmp_path / ".venv" / name).touch()
    assert "install" not in _planned_again(tmp_path, "demo")
    os.utime(tmp_path / "constraints.txt", (2**31, 2**31))
    assert "install" in _planned_again(tmp_path, "demo")


def _planned_again(folder, *words: str) -> str:
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    env = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", "-n", "--no-print-directory", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout
