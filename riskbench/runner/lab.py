"""How is JupyterLab opened on a workspace, so that it calls nobody and leaves nothing elsewhere?"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from riskbench.config import workspace
from riskbench.errors import ConfigError, ParameterError
from riskbench.runner.workspace import lab_settings

#: What a server keeps about its user; in a folder of its own that ends with it, unless the user has named one.
_OWN = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
#: Seconds that a server gets to end its kernels.
_GRACE = 15.0


def open_lab(
    folder: str | Path = ".", *, port: int | None = None, browser: bool = True, more: Sequence[str] = ()
) -> int:
    """Run JupyterLab on a workspace until it is ended, and return its exit code; 0 where the user ended it.

    It runs in riskbench's own environment. Settings and layout are kept in the workspace's `.jupyter`; only data is
    read from there, never a program. Everything else that a server writes ends with it.

    Parameters
    ----------
    folder : str or Path
        The workspace, or a folder in it.
    port : int, optional
        The port; another one is not tried. Jupyter's own choice when not given.
    browser : bool
        Whether a browser is opened.
    more : sequence of str
        Further arguments for JupyterLab.

    Raises
    ------
    ParameterError
        When there is no such folder, its settings cannot be written, or the user is root and `more` does not allow it.
    ConfigError
        When it is no workspace.
    """
    try:
        there = Path(folder).is_dir()
    except (OSError, ValueError):
        there = False
    if not there:
        raise ParameterError(f"There is no folder {str(folder)[:200]!r}", hint="`riskbench new DIR` makes a workspace")
    root = _root(Path(folder))
    _may_begin(more)
    kept = root / ".jupyter" / "lab"
    try:
        if not kept.resolve().is_relative_to(root):
            raise ParameterError(f"{str(kept)!r} leads out of the workspace", hint="remove that link")
        settings = lab_settings(root)
        (kept / "workspaces").mkdir(exist_ok=True)
    except OSError as error:
        raise ParameterError(f"The workspace {str(root)!r} cannot be written: {error.strerror}") from None
    command = [
        *(sys.executable, "-P", "-m", "jupyterlab", f"--ServerApp.root_dir={root}"),
        *("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
        *([] if port is None else [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]),
        *([] if browser else ["--no-browser"]),
        *more,
    ]
    with tempfile.TemporaryDirectory(prefix="riskbench-lab-", ignore_cleanup_errors=True) as aside:
        own = {name: os.environ.get(name) or str(Path(aside, name.lower())) for name in _OWN}
        for path in own.values():
            Path(path).mkdir(parents=True, exist_ok=True, mode=0o700)
        environment = {
            **os.environ,
            **own,
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(kept / "workspaces"),
            "RISKBENCH_WORKSPACE": str(root),
            "npm_config_logs_max": "0",  # an extension asks npm what it has, which would leave a log at home
        }
        return _serve(command, root, environment)


def _may_begin(more: Sequence[str]) -> None:
    """Refuse what JupyterLab refuses: to run as root unasked; a configuration that the user has named may ask."""
    asked = any("allow-root" in text or "allow_root" in text for text in more)
    if getattr(os, "geteuid", lambda: 1)() == 0 and not asked and not os.environ.get("JUPYTER_CONFIG_DIR"):
        raise ParameterError(
            "JupyterLab does not run as root unless it is told to",
            hint="as root JupyterLab wants: riskbench lab -- --allow-root",
        )


def _root(folder: Path) -> Path:
    from riskbench.config.settings import FILE

    here = folder.resolve()
    named = here if (here / FILE).is_file() else workspace(here)
    if named is None or not here.is_relative_to(named):
        raise ConfigError(
            f"{str(here)!r} is no workspace: it holds no {FILE}",
            hint="`riskbench new DIR` makes one; --fill adds to a folder that holds something",
        )
    return named


def _serve(command: Sequence[str], root: Path, environment: dict[str, str]) -> int:
    """Run the server in a session of its own, so that one Ctrl-C ends it in order and without a question."""
    with _hangup():
        process = subprocess.Popen(command, cwd=root, env=environment, start_new_session=True)  # noqa: S603 the user's own words
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=_GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def _hangup() -> Iterator[None]:
    """Take a closed terminal for Ctrl-C."""
    try:
        before = signal.signal(signal.SIGHUP, signal.default_int_handler)
    except (ValueError, AttributeError):  # not the main thread, or no such signal here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
