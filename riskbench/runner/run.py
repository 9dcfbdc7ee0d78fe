"""Run a playbook: checked before a kernel starts, in a process of its own, with an honest end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets as token
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from riskbench.config import redact, redact_all, secrets_in
from riskbench.display import Fact
from riskbench.errors import ParameterError, PlaybookError
from riskbench.runner import bundle
from riskbench.runner.catalogue import Playbook, find
from riskbench.runner.parameters import given, settle
from riskbench.runner.session import FOLDER, NOTEBOOK
from riskbench.store import Ledger, Status, now

PAGES = ("lead.html", "full.html")
RECORD = "run.json"
SECRET = "RISKBENCH_SECRET_"  # noqa: S105 the beginning of a variable's name
EXIT: Mapping[str, int] = {"done": 0, "failed": 1, "infeasible": 3, "interrupted": 130}

_PACKAGES = ("riskbench", "numpy", "pandas", "pyarrow", "duckdb", "sqlglot", "scikit-learn", "scipy", "papermill")
#: What the run's process leaves for its parent only.
_SCRATCH = ("session.json", "outcome.json", "worker.log", ".kernel")
#: Seconds beyond the timeout after which a worker that should have ended itself is ended.
_BACKSTOP = 60.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that has ended.

    Attributes
    ----------
    id, playbook : str
        The run, and what was run.
    status : {"done", "failed", "infeasible", "interrupted"}
        How it ended.
    folder : Path or None
        The run folder with run.json, notebook.ipynb, lead.html, full.html, results.json and tables.
    headline : tuple of Fact
        The answer's facts.
    seconds : float
        How long it took.
    message : str
        Why it did not end well, for a reader; empty when it is done.
    parameters, stamp : mapping
        The parameters (secrets masked); what the conclusion rests on.

    Examples
    --------
    >>> Run(id="a1", playbook="threshold_calibration", status="infeasible").exit_code
    3
    """

    id: str
    playbook: str
    status: Status
    folder: Path | None = None
    headline: tuple[Fact, ...] = ()
    seconds: float = 0.0
    message: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stamp: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """What a command that ran it exits with."""
        return EXIT.get(self.status, 1)

    @property
    def pages(self) -> tuple[Path, ...]:
        """The pages written: for leaders, for reviewers."""
        if self.folder is None:
            return ()
        return tuple(path for name in PAGES if (path := self.folder / name).is_file())

    def results(self) -> dict[str, bundle.Stored]:
        """Return the run's results by name.

        Raises
        ------
        PlaybookError
            When the run left none.
        """
        if self.folder is None:
            raise PlaybookError(f"The run {self.id} left no folder", hint=self.message or None)
        return bundle.read(self.folder)

    def __repr__(self) -> str:
        facts = "; ".join(str(fact) for fact in self.headline)
        return f"Run({self.playbook}: {self.status}, {self.seconds:.1f} s{', ' + facts if facts else ''})"


def run(
    name: str | Path,
    parameters: Mapping[str, object] | None = None,
    *,
    out: str | Path = "runs",
    store: str | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run a playbook and return how it ended.

    Use it to run an analysis unattended. Parameters are checked before anything starts; a run that fails still
    has both pages, with what went wrong on top. A good run folder is replaced by a good run only.

    Parameters
    ----------
    name : str or Path
        The playbook's id, or the path of its notebook.
    parameters : mapping, optional
        Values by name; text is understood for every type. `source` may be `env:NAME`.
    out : str or Path
        The folder that the run folder is made in.
    store : str, optional
        The URL of the store that keeps the ledger; `riskbench.db` in `out` when not given.
    timeout : float, optional
        Seconds after which the run is stopped.
    progress : callable, optional
        Called with the number of the cell that starts, and the number of cells.

    Returns
    -------
    Run
        `.status`, `.folder`, `.headline`, `.results()`.

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type or a value out of range.
    PlaybookError
        When there is no such playbook.
    StoreError
        When the ledger cannot be opened.
    """
    playbook = find(name)
    if timeout is not None and not 0 < timeout < 1e9:
        raise ParameterError("The timeout is a number of seconds above 0", got=timeout)
    passed = given(playbook.parameters, dict(parameters or {}))
    values = settle(playbook.parameters, passed)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"The folder {str(out)!r} cannot be made: {error.strerror}") from None
    known = tuple(dict.fromkeys((*secrets_in(passed), *_secrets_of_environment(passed))))
    hidden, variables = _hide(passed)
    job = _Job(
        playbook=playbook,
        passed=hidden,
        variables=variables,
        shown=redact_all(values, known),
        secrets=known,
        timeout=timeout,
    )
    with Ledger(store or str(out / "riskbench.db")) as ledger:
        return _run(job, out, ledger, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is to be run: the values passed without secrets, those apart, and every value as it may be shown."""

    playbook: Playbook
    passed: Mapping[str, Any]
    variables: Mapping[str, str]
    shown: Mapping[str, Any]
    secrets: tuple[str, ...]
    timeout: float | None


def _run(job: _Job, out: Path, ledger: Ledger, progress: Progress | None) -> Run:
    playbook, shown = job.playbook, job.shown
    target = out / folder_name(playbook.id, shown)
    sweep(out, ledger)
    number = f"{time.strftime('%Y%m%d')}-{token.token_hex(4)}"
    folder = out / f".run-{number}"
    ledger.begin(number, playbook.id, shown)
    began, started = time.monotonic(), now()
    record: dict[str, Any] = {
        "id": number,
        "playbook": playbook.id,
        "title": playbook.title,
        "question": playbook.question,
        "status": "running",
        "parameters": shown,
        "passed": sorted(job.passed),
        "started": started,
    }
    status: Status = "interrupted"
    ended: dict[str, Any] = {"error": "It was interrupted."}
    try:
        folder.mkdir(mode=0o700)
        bundle.write_json(folder / RECORD, record)
        outcome = _work(job, folder, record, progress)
        session = bundle.read_json(folder / "session.json") or {}
        status = outcome["status"]
        seconds = round(time.monotonic() - began, 3)
        stamp = stamp_of(playbook, session)
        message = "" if outcome.get("failure") is None else _message(outcome["failure"])
        headline = session.get("headline", []) if status == "done" else []
        record |= {
            "status": status,
            "ended": now(),
            "seconds": seconds,
            "headline": headline,
            "stamp": stamp,
            "failure": outcome.get("failure"),
        }
        placed = None
        if status != "interrupted":
            for scratch in _SCRATCH:
                _remove(folder / scratch)
            bundle.write_json(folder / RECORD, record)
            placed = place(folder, target, status)
        ended = {
            "folder": str(placed.resolve()) if placed else None,
            "seconds": seconds,
            "headline": headline,
            "stamp": stamp,
            "error": message or None,
        }
        return Run(
            id=number,
            playbook=playbook.id,
            status=status,
            folder=placed,
            headline=tuple(bundle.fact(held) for held in headline),
            seconds=seconds,
            message=message,
            parameters=shown,
            stamp=stamp,
        )
    finally:
        _remove(folder)
        ledger.end(number, status, **ended)


def _work(job: _Job, folder: Path, record: Mapping[str, Any], progress: Progress | None) -> dict[str, Any]:
    """Start the worker, follow it, and return its outcome."""
    (folder / ".kernel").mkdir()
    environment = {
        **os.environ,
        **job.variables,
        FOLDER: str(folder.resolve()),
        NOTEBOOK: str(job.playbook.path),
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
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "riskbench.runner.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            reader = threading.Thread(target=follower.follow, args=(process.stdout,), daemon=True)
            reader.start()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
            code = _wait(process, None if job.timeout is None else job.timeout + _BACKSTOP)
        finally:
            _end(process, follower)
    outcome = bundle.read_json(folder / "outcome.json")
    if isinstance(outcome, dict):
        return outcome
    if code < 0:
        return _crash("interrupted", "The run was killed", f"Its process was ended by signal {-code}.")
    log_text = (folder / "worker.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return _crash(
        "failed", "The runner itself failed", redact("\n".join(log_text[-5:]) or f"exit code {code}", job.secrets)
    )


def _crash(status: Status, title: str, what: str) -> dict[str, Any]:
    return {"status": status, "failure": {"status": status, "title": title, "what": what}}


class _Follower:
    """What the worker says while it works."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.kernel: int | None = None

    def follow(self, lines: IO[bytes]) -> None:
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # a library printed something
            if not isinstance(said, dict):
                continue
            if said.get("step") == "cell":
                self.kernel = said["kernel"]
                if self.progress is not None:
                    self.progress(said["number"], said["cells"])


def _wait(process: subprocess.Popen[bytes], seconds: float | None) -> int:
    """Wait in short steps, so that a signal is seen."""
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        try:
            return process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
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


def _hide(passed: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
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


def _secrets_of_environment(passed: Mapping[str, Any]) -> Iterator[str]:
    for value in passed.values():
        if isinstance(value, str) and value.startswith("env:"):
            yield from secrets_in(os.environ.get(value.removeprefix("env:").strip(), ""))


def _message(failure: Mapping[str, Any]) -> str:
    from riskbench.runner.failure import Failure

    return Failure(**failure).text


def folder_name(playbook: str, values: Mapping[str, Any]) -> str:
    """Return the name of a run folder: playbook, region, and a short hash of the parameters.

    >>> folder_name("threshold_calibration", {"region": "../ID"})[:-9]
    'threshold_calibration-ID'
    """
    region = re.sub(r"[^A-Za-z0-9_]+", "_", str(values.get("region") or "all")).strip("_")[:40] or "region"
    whole = json.dumps([playbook, redact_all(dict(values))], sort_keys=True, ensure_ascii=False, default=str)
    return f"{re.sub(r'[^A-Za-z0-9_]+', '_', playbook)[:60]}-{region}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def place(folder: Path, target: Path, status: Status) -> Path:
    """Move a finished run folder to its place and return it; a good one makes way for a good one only."""
    held = bundle.read_json(target / RECORD) or {}
    if status != "done" and isinstance(held, dict) and held.get("status") == "done":
        target = target.with_name(f"{target.name}-{status}")
    folder.chmod(0o777 & ~_umask())
    old = target.with_name(f".old-{folder.name.removeprefix('.run-')}-{target.name}")
    for _ in range(20):
        with contextlib.suppress(FileNotFoundError):
            os.replace(target, old)  # noqa: PTH105
        try:
            os.replace(folder, target)  # noqa: PTH105
        except OSError:
            _remove(old)  # another run with the same parameters was faster; the newest stays
            time.sleep(0.05)
            continue
        _remove(old)
        return target
    raise PlaybookError(f"The run folder {target} cannot be replaced", hint="does another program hold it?")


def sweep(out: Path, ledger: Ledger) -> None:
    """Clear away what killed runs have left: half-done folders go, a good folder caught between goes back."""
    running = {entry.id for entry in ledger.entries(limit=1000) if entry.status == "running"}
    for folder in out.glob(".run-*"):
        if folder.name.removeprefix(".run-") not in running and time.time() - _age(folder) > 1:
            _remove(folder)
    for old in out.glob(".old-*"):
        held = re.fullmatch(r"\.old-(\d{8}-[0-9a-f]{8})-(.+)", old.name)
        if held is None or held[1] in running:
            continue
        name = held[2]
        if (out / name).exists():
            _remove(old)
        else:
            with contextlib.suppress(OSError):
                os.replace(old, out / name)  # noqa: PTH105


def stamp_of(playbook: Playbook, session: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a conclusion rests on: data, rule book, code and package versions."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "data": session.get("data"),
        "book": session.get("book"),
        "score": session.get("score"),
        "code": playbook.code_hash,
        "versions": versions,
    }


def _umask() -> int:
    held = os.umask(0o022)
    os.umask(held)
    return held


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
