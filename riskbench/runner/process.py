"""How is one run kept apart? In a process of its own that is followed, stopped and cleaned up after."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from riskbench.config import redact, redact_all, secrets_in
from riskbench.errors import ParameterError
from riskbench.runner import bundle
from riskbench.runner.catalogue import Playbook
from riskbench.runner.session import FOLDER, NOTEBOOK, RUN, STORE
from riskbench.store import Status

SECRET = "RISKBENCH_SECRET_"  # noqa: S105 the beginning of a variable's name
#: Seconds beyond the timeout after which a worker that should have ended itself is ended.
_BACKSTOP = 60.0

#: What the run's processes say on their error channel.
LOG = "worker.log"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be run: the values passed without secrets, those apart, and every value as it may be shown."""

    playbook: Playbook
    passed: Mapping[str, Any]
    variables: Mapping[str, str] = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    shown: Mapping[str, Any]
    secrets: tuple[str, ...] = field(repr=False)
    timeout: float | None
    store: str


def work(
    job: Job,
    folder: Path,
    record: Mapping[str, Any],
    progress: Progress | None,
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """Start the worker, follow it, and return its outcome; `stop` ends it as Ctrl-C would."""
    (folder / ".kernel").mkdir()
    environment = {
        **os.environ,
        **job.variables,
        FOLDER: str(folder.resolve()),
        NOTEBOOK: str(job.playbook.path),
        RUN: str(record["id"]),
        STORE: job.store,
        "IPYTHONDIR": str((folder / ".kernel" / "ipython").resolve()),
        "JUPYTER_RUNTIME_DIR": str((folder / ".kernel" / "runtime").resolve()),
        "PYTHONHASHSEED": "0",
    }
    order = {
        "folder": str(folder.resolve()),
        "notebook": str(job.playbook.path),
        "parameters": dict(job.passed),
        "cwd": str(Path.cwd()),
        "timeout": job.timeout,
        "secrets": job.secrets,
        "run": {**record, "code": job.playbook.code_hash},
    }
    follower = _Follower(progress)
    with (folder / LOG).open("wb") as log:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "riskbench.runner.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            return _crash("failed", "Python cannot be started", f"{sys.executable}: {error.strerror}")
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            reader = threading.Thread(target=follower.follow, args=(process.stdout,), daemon=True)
            reader.start()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
            code = _wait(process, None if job.timeout is None else job.timeout + _BACKSTOP, stop)
        finally:
            _end(process, follower)
    outcome = bundle.read_json(folder / "outcome.json")
    if isinstance(outcome, dict):
        return {**outcome, "whole": True}
    if follower.trouble is not None:
        return {"status": "failed", "failure": redact_all(follower.trouble, job.secrets), "whole": False}
    if code < 0:
        return _crash("interrupted", "The run was killed", f"Its process was ended by signal {-code}.")
    return _crash("failed", "The runner itself failed", redact(last_words(folder) or f"exit code {code}", job.secrets))


def last_words(folder: Path, lines: int = 5) -> str:
    """Return the end of what a run's processes have said on their error channel."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 10_000))
            return "\n".join(log.read().decode("utf-8", errors="replace").strip().splitlines()[-lines:])
    except OSError:
        return ""


def _crash(status: Status, title: str, what: str) -> dict[str, Any]:
    return {"status": status, "failure": {"status": status, "title": title, "what": what}, "whole": False}


class _Follower:
    """What the worker says while it works."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.kernel: int | None = None
        self.trouble: dict[str, Any] | None = None

    def follow(self, lines: IO[bytes]) -> None:
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # a library printed something
            if not isinstance(said, dict):
                continue
            self.kernel = said.get("kernel", self.kernel)
            if said.get("step") == "cell":
                if self.progress is not None:
                    self.progress(said["number"], said["cells"])
            elif said.get("step") == "trouble":
                self.trouble = said["failure"]


def _wait(process: subprocess.Popen[bytes], seconds: float | None, stop: threading.Event | None) -> int:
    """Wait in short steps, so that a signal is seen."""
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        try:
            return process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            if stop is not None and stop.is_set():
                raise KeyboardInterrupt from None
            if until is not None and time.monotonic() > until:
                process.kill()


def _end(process: subprocess.Popen[bytes], follower: _Follower) -> None:
    """Leave no process behind: the worker ends its kernel; what is left is ended here."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    if process.returncode != 0 and follower.kernel is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(follower.kernel, signal.SIGKILL)
    assert process.stdout is not None
    with contextlib.suppress(OSError, ValueError):
        process.stdout.close()


def hide(passed: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parameters with every text that holds a secret moved into an environment variable."""
    hidden, variables = dict(passed), {}
    for name, value in passed.items():
        if isinstance(value, str) and secrets_in(value):
            variables[f"{SECRET}{name.upper()}"] = value
            hidden[name] = f"env:{SECRET}{name.upper()}"
        elif secrets_in(value):
            raise ParameterError(
                f"The parameter {name!r} holds a password", hint="only `source` may, and best as env:NAME"
            )
    return hidden, variables


def secrets_named(passed: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secrets of the environment variables that are named as `env:NAME`."""
    for value in passed.values():
        if isinstance(value, str) and value.startswith("env:"):
            yield from secrets_in(os.environ.get(value.removeprefix("env:").strip(), ""))
