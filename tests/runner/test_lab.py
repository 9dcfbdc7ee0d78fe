"""Does JupyterLab really open on a workspace, call nobody, and leave nothing behind?"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from riskbench.errors import ConfigError, ParameterError
from riskbench.runner import lab
from riskbench.runner.workspace import LAB, LAB_SETTINGS, lab_settings

TOKEN = "0123456789abcdef"


@pytest.fixture
def bench(tmp_path, monkeypatch) -> Path:
    """A folder that counts as a workspace, which is the working folder."""
    for name in [name for name in os.environ if name.startswith(("RISKBENCH_", "JUPYTER"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "riskbench.toml").touch()
    (folder / "notes.md").write_text("mine")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def asked(monkeypatch) -> dict:
    """What would be started, which is not."""
    held = {}

    def serve(command, root, environment):
        held.update(command=command, root=root, environment=environment, there=Path(environment["IPYTHONDIR"]).is_dir())
        return 0

    monkeypatch.setattr(lab, "_serve", serve)
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    return held


def _free() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def _get(port: int, path: str) -> bytes:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.read()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGHUP])
def test_lab_opens_on_the_workspace_and_one_signal_ends_it(bench, tmp_path, end):
    home, port = tmp_path / "home", _free()
    home.mkdir()
    more = ["--IdentityProvider.token", TOKEN, *(["--allow-root"] if os.getuid() == 0 else [])]
    process = subprocess.Popen(
        [sys.executable, "-m", "riskbench", "lab", "--port", str(port), "--no-browser", "--", *more],
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for _ in range(240):
            if process.poll() is not None:
                break
            try:
                assert "started" in json.loads(_get(port, "/api/status"))
                break
            except OSError:
                time.sleep(0.25)
        told = re.search(
            r'id="jupyter-config-data" type="application/json">(.+?)</script>', _get(port, "/lab").decode(), re.DOTALL
        )
        assert json.loads(told[1])["news"] == {"disabled": True}
        names = [entry["name"] for entry in json.loads(_get(port, "/api/contents/"))["content"]]
        assert sorted(names) == ["notes.md", "riskbench.toml"]
        widgets = json.loads(_get(port, "/lab/api/settings/@jupyter-widgets/jupyterlab-manager:plugin"))
        assert json.loads(widgets["raw"]) == {"saveState": True}
        news = json.loads(_get(port, "/lab/api/settings/@jupyterlab/apputils-extension:notification"))
        assert json.loads(news["raw"])["fetchNews"] == "false"
        process.send_signal(end)
        told, _ = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in told) == (0, False), told
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    with pytest.raises(OSError):
        _get(port, "/api/status")
    assert not [path for path in home.rglob("*") if path.is_file()], "nothing is left at home"
    assert {path.name for path in bench.iterdir()} == {".jupyter", "notes.md", "riskbench.toml"}
    assert {path.suffix for path in (bench / ".jupyter").rglob("*") if path.is_file()} <= {
        ".jupyterlab-settings",
        ".jupyterlab-workspace",
    }


def test_arguments_are_handed_on_and_programs_are_not_taken_from_the_workspace(bench, asked, monkeypatch):
    (bench / "notebooks").mkdir()
    (bench / ".jupyter").mkdir()
    (bench / ".jupyter" / "jupyter_server_config.py").write_text("raise RuntimeError")
    (bench / "jupyterlab.py").write_text("raise RuntimeError")
    assert lab.open_lab("notebooks", port=9999, browser=False, more=["--debug", "a b"]) == 0
    assert asked["root"] == bench
    assert asked["command"][:4] == [sys.executable, "-P", "-m", "jupyterlab"]
    assert asked["command"][-3:] == ["--no-browser", "--debug", "a b"]
    assert {"--ServerApp.port=9999", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={bench}"} <= set(
        asked["command"]
    )
    environment = asked["environment"]
    assert environment["RISKBENCH_WORKSPACE"] == str(bench)
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        assert not Path(environment[name]).is_relative_to(bench)
        assert not Path(environment[name]).exists(), "it ends with the server"
    assert asked["there"]
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(bench / "own"))
    lab.open_lab()
    assert asked["environment"]["JUPYTER_CONFIG_DIR"] == str(bench / "own"), "what the user has named is kept"
    assert "--no-browser" not in asked["command"]


def test_settings_that_are_there_are_the_users_own(bench):
    place = bench / LAB_SETTINGS / next(iter(LAB))
    lab_settings(bench)
    place.write_text("{}")
    lab_settings(bench)
    assert place.read_text() == "{}"


def test_what_is_no_workspace_is_not_opened(bench, asked, tmp_path, monkeypatch):
    for name in ("nowhere", "notes.md", "a\x00b", "x" * 300):
        with pytest.raises(ParameterError, match="no folder"):
            lab.open_lab(name)
    with pytest.raises(ConfigError, match="is no workspace"):
        lab.open_lab(tmp_path)
    monkeypatch.setenv("RISKBENCH_WORKSPACE", str(bench))
    with pytest.raises(ConfigError, match="is no workspace"):
        lab.open_lab(tmp_path)
    (bench / ".jupyter").symlink_to(tmp_path)
    with pytest.raises(ParameterError, match="leads out"):
        lab.open_lab()
    assert not asked
    assert {path.name for path in tmp_path.iterdir()} == {"bench"}


def test_a_server_that_fails_gives_its_own_exit_code(bench):
    assert lab._serve([sys.executable, "-c", "raise SystemExit(7)"], bench, dict(os.environ)) == 7


def test_root_is_told_what_to_add_before_anything_is_started(bench, asked, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    with pytest.raises(ParameterError, match="riskbench lab -- --allow-root") as error:
        lab.open_lab()
    assert error.value.exit_code == 2
    assert not asked
    assert not (bench / ".jupyter").exists()
    assert lab.open_lab(more=["--allow-root"]) == 0
    assert asked["command"][-1] == "--allow-root"
