"""A real JupyterLab and a real Chromium, each in folders of its own, for the tests that drive them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: With these a plain JupyterLab asks nobody for news; `riskbench lab` gives them itself.
QUIET = ("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
#: What a test needs of either.
DRIVEN = (
    "--ServerApp.port_retries=0",
    "--no-browser",
    "--allow-root",
    "--LabApp.expose_app_in_browser=True",
)
READY_SECONDS = 60


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: where it listens, and whom it lets in."""

    url: str
    token: str

    def page(self, notebook: str) -> str:
        return f"{self.url}/lab/tree/{notebook}?token={self.token}&reset"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}?token={self.token}", timeout=5) as answer:
            return json.load(answer)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@contextlib.contextmanager
def jupyterlab(root: Path, home: Path, *, ours: bool = False) -> Iterator[Lab]:
    """Start a JupyterLab on `root`: a plain one, whose `home` keeps its settings and trust, or `riskbench lab`."""
    port, token = free_port(), secrets.token_hex(16)
    kept = root / ".jupyter" / "lab" / "user-settings" if ours else home / "settings"
    settings = kept / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')  # every cell is in the page
    folders = {
        "HOME": home,
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
        **({} if ours else {"JUPYTERLAB_SETTINGS_DIR": kept, "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces"}),
    }
    start = ["riskbench", "lab", str(root), "--"] if ours else ["jupyterlab", f"--ServerApp.root_dir={root}", *QUIET]
    environment = {**os.environ, **{name: str(path) for name, path in folders.items()}, "MPLBACKEND": "agg"}
    log = (home / "lab.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", *start, *DRIVEN, f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"],
        cwd=root,
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    lab = Lab(f"http://127.0.0.1:{port}", token)
    try:
        _until_ready(lab, process, home / "lab.log")
        yield lab
    finally:
        request = urllib.request.Request(f"{lab.url}/api/shutdown?token={token}", method="POST")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=5)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def _until_ready(lab: Lab, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, ValueError):
            lab.get("/api/status")
            return
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


class Screen:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: Any, shots: Path, name: str) -> None:
        self.page, self.shots, self.name = page, shots, name
        self.asked: list[str] = []
        self.broken: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.broken.append(str(error)))

    def open(self, lab: Lab, notebook: str, *, kernel: bool = True) -> None:
        """Open a notebook, and wait until it stands there and, where asked, its kernel listens."""
        self.page.goto(lab.page(notebook))
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=READY_SECONDS * 1000)
        if kernel:
            self.page.wait_for_function(
                "() => { const w = window.jupyterapp && window.jupyterapp.shell.currentWidget;"
                " return w && w.sessionContext && w.sessionContext.session"
                " && w.sessionContext.session.kernel && w.sessionContext.session.kernel.status === 'idle'; }",
                timeout=READY_SECONDS * 1000,
            )

    def run_all(self, *, seconds: float = 120) -> None:
        """Run every cell, and wait until each has run."""
        self.do("notebook:run-all-cells")
        self.page.wait_for_function(
            "() => { const w = window.jupyterapp && window.jupyterapp.shell.currentWidget;"
            " const cells = w.content.widgets.filter(c => c.model.type === 'code');"
            " return cells.every(c => c.model.executionCount)"
            " && w.sessionContext.session.kernel.status === 'idle'; }",
            timeout=seconds * 1000,
        )

    def save(self, path: Path) -> str:
        """Save the notebook, and return the file once it is written."""
        before = path.stat().st_mtime_ns
        self.do("docmanager:save")
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if path.stat().st_mtime_ns != before:
                time.sleep(0.3)
                return path.read_text(encoding="utf-8")
            time.sleep(0.1)
        raise AssertionError(f"{path.name} was not saved")

    def do(self, command: str) -> None:
        """Do what a menu's entry does."""
        self.do_with(command, {})

    def do_with(self, command: str, given: dict[str, Any]) -> None:
        """Do what a menu's entry does, with what it takes."""
        self.page.evaluate("([command, given]) => window.jupyterapp.commands.execute(command, given)", [command, given])

    def errors(self) -> list[str]:
        """The errors that stand below the cells."""
        return self.page.locator(
            ".jp-OutputArea-output[data-mime-type*=error], .jp-RenderedText[data-mime-type*=stderr]"
        ).all_inner_texts()

    def text(self) -> str:
        """The whole notebook as a reader sees it."""
        return self.page.inner_text(".jp-Notebook")

    def shot(self, what: str) -> Path:
        """Keep a picture of what there is to see."""
        path = self.shots / f"{self.name}-{what}.png"
        self.page.screenshot(path=path, full_page=True)
        return path

    def outside(self, lab: Lab) -> list[str]:
        """What was asked of anybody but this JupyterLab."""
        own = (lab.url, lab.url.replace("http", "ws", 1), "data:", "blob:", "about:")
        return [url for url in self.asked if not url.startswith(own)]
