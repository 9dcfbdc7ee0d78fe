"""Does what we ship work where there is no checkout?"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import house
import pytest


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(house.ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("riskbench-*.whl")
    return made


def _tracked(folder: str, *suffixes: str) -> set[str]:
    """Return the files of a folder of the checkout that a wheel must carry."""
    return {
        str(path.relative_to(house.ROOT))
        for path in (house.ROOT / folder).rglob("*")
        if path.is_file()
        and (not suffixes or path.suffix in suffixes)
        and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }


def test_wheel_carries_code_regions_playbooks_and_licence(wheel):
    with zipfile.ZipFile(wheel) as packed:
        held = set(packed.namelist())
    playbooks = {f"riskbench/{name}" for name in _tracked("playbooks", ".ipynb", ".yaml", ".yml")}
    assert any(name.endswith(".ipynb") for name in playbooks)
    assert any(name.startswith("riskbench/playbooks/books/") for name in playbooks)
    code = _tracked("riskbench")
    assert "riskbench/py.typed" in code
    assert any("regions/" in name for name in code)
    assert not (code | playbooks) - held
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_wheel_carries_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as packed:
        held = set(packed.namelist())
    assert not [
        name
        for name in held
        if name.split("/")[0] not in ("riskbench", f"{'-'.join(wheel.name.split('-')[:2])}.dist-info")
    ]
    assert not [
        name for name in held if "checkpoint" in name or "__pycache__" in name or name.endswith((".db", ".parquet"))
    ]


@pytest.mark.slow
def test_demo_runs_from_the_wheel_in_an_empty_environment(wheel, tmp_path):
    """The new environment borrows the libraries of this one by a path file, but not the checkout."""
    home = tmp_path / "env"
    venv.create(home, with_pip=False, symlinks=True)
    python, program = home / "bin" / "python", home / "bin" / "riskbench"
    ours = ("PYTHON", "RISKBENCH", "JUPYTER", "VIRTUAL_ENV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    clean |= {"PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}", "MPLBACKEND": "Agg"}

    def run(*command: str | Path, at: Path = tmp_path) -> str:
        done = subprocess.run([*map(str, command)], cwd=at, env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # A plain path entry does not read the .pth files of the place it names, so the editable checkout stays out.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert Path(run(python, "-c", "import riskbench; print(riskbench.__file__)").strip()).is_relative_to(site)
    share = home / "share" / "jupyter"
    share.mkdir(parents=True)
    (share / "nbconvert").symlink_to(Path(sys.prefix) / "share" / "jupyter" / "nbconvert")
    run(python, "-m", "ipykernel", "install", "--prefix", home, "--name", "python3")

    run(program, "new", "bench")
    assert "My calibration  (workspace)" in run(program, "playbooks", "--domain", "kyc", at=tmp_path / "bench")
    run(program, "playbooks", "--html", "index.html")
    assert (tmp_path / "index.html").read_text(encoding="utf-8").count("<img ") >= 5

    told = run(program, "demo", "--out", tmp_path / "out")
    pages = sorted((tmp_path / "out").rglob("lead.html"))
    assert pages, told
    assert "lead.html" in told
    assert not [page for page in pages if str(house.ROOT) in page.read_text(encoding="utf-8")]
