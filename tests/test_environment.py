"""Do the three lists of dependencies (pyproject, conda, pins) say the same?"""

from __future__ import annotations

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
