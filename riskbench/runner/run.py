"""Run a playbook: checked before a kernel starts, in a process of its own, with an honest end."""

from __future__ import annotations

import contextlib
import importlib.util
import secrets as token
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from riskbench.config import redact_all, secrets_in
from riskbench.display import Fact
from riskbench.errors import MissingDependencyError, ParameterError, PlaybookError
from riskbench.runner import bundle, seal
from riskbench.runner.catalogue import Playbook, find
from riskbench.runner.failure import Failure, unkept
from riskbench.runner.folder import RECORD, folder_name, place, remove, sweep
from riskbench.runner.inputs import inputs_of, settled
from riskbench.runner.parameters import given, settle
from riskbench.runner.process import Job, Progress, hide, secrets_named, work
from riskbench.runner.workspace import with_defaults
from riskbench.store import Ledger, Owner, Status, now

PAGES = ("lead.html", "full.html")
EXIT: Mapping[str, int] = {"done": 0, "failed": 1, "infeasible": 3, "interrupted": 130}

_PACKAGES = ("riskbench", "numpy", "pandas", "pyarrow", "duckdb", "sqlglot", "scikit-learn", "scipy", "papermill")
#: What a run that is not done must not leave: the results of a playbook that failed after it wrote them.
_ANSWER = (bundle.RESULTS, bundle.TABLES)
#: What the run's process leaves for its parent only.
_SCRATCH = ("session.json", "outcome.json", "worker.log", ".kernel")


@dataclass(frozen=True, kw_only=True)
class Run:
    r"""A run that has ended.

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
    >>> from riskbench import Run
    >>> Run(id="a1", playbook="threshold_calibration", status="infeasible").exit_code
    3
    >>> Run(id="a2", playbook="rule_health", status="failed", message="DataError: no rows\nWhere: step 2, Data")
    Run(rule_health: failed, 0.0 s, DataError: no rows; Where: step 2, Data)
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
        told = [str(fact) for fact in self.headline]
        if self.status != "done":
            lines = [" ".join(line.split())[:200] for line in self.message.splitlines() if line.strip()]
            told += lines[:1] + [line for line in lines[1:] if line.startswith("Where: ")][:1]
        return f"Run({self.playbook}: {self.status}, {self.seconds:.1f} s{', ' + '; '.join(told) if told else ''})"


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
    job = prepare(find(name), parameters or {}, out=out, store=store, timeout=timeout)
    runnable()
    out = writable(out)
    with Ledger(job.store) as ledger:
        return carry_out(job, out, ledger, progress)


def prepare(
    playbook: Playbook,
    parameters: Mapping[str, object],
    *,
    out: str | Path,
    store: str | None = None,
    timeout: float | None = None,
) -> Job:
    """Return what is to be run, every parameter checked; nothing is written.

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type or a value out of range.
    """
    if timeout is not None and not 0 < timeout < 1e9:
        raise ParameterError("The timeout is a number of seconds above 0", got=timeout)
    passed = given(playbook.parameters, with_defaults(playbook, parameters))
    values = settle(playbook.parameters, passed)
    known = tuple(dict.fromkeys((*secrets_in(passed), *secrets_named(passed))))
    hidden, variables = hide(passed)
    return Job(
        playbook=playbook,
        passed=hidden,
        variables=variables,
        values=values,
        shown=redact_all(values, known),
        secrets=(*known, *secrets_in(store or "")),
        timeout=timeout,
        store=store or str(_place(out) / "riskbench.db"),
    )


def _place(out: str | Path) -> Path:
    try:
        return Path(out).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ParameterError("The folder of the runs is no path", got=repr(str(out))[:120], hint=str(error)) from None


def runnable() -> None:
    """Refuse to start where no kernel can be had.

    Raises
    ------
    MissingDependencyError
        When ipykernel is not installed.
    """
    if importlib.util.find_spec("ipykernel") is None:
        raise MissingDependencyError(
            "No kernel can be started: ipykernel is not installed.",
            got=sys.executable,
            hint="pip install ipykernel, into the environment that riskbench runs in",
        )


def writable(out: str | Path) -> Path:
    """Return the folder of the run folders, made where it is not there yet.

    Raises
    ------
    ParameterError
        When it cannot be made or written.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"The folder {str(out)!r} cannot be made: {error.strerror}") from None
    try:
        with tempfile.NamedTemporaryFile(dir=out, prefix=".run-"):
            pass
    except OSError as error:
        raise ParameterError(
            f"The folder {str(out)!r} cannot be written: {error.strerror}", hint="name another folder with --out"
        ) from None
    return out


def carry_out(
    job: Job, out: Path, ledger: Ledger, progress: Progress | None = None, *, stop: threading.Event | None = None
) -> Run:
    """Run a job to its end and return how it ended.

    Raises
    ------
    KeyboardInterrupt
        When it was stopped: by a signal, or because `stop` was set.
    """
    playbook, shown = job.playbook, job.shown
    before = inputs_of(job.values)
    target = out / folder_name(playbook.id, shown)
    sweep(out)
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
        "owner": asdict(Owner.here()),
    }
    status: Status = "interrupted"
    ended: dict[str, Any] = {"error": "It was interrupted."}
    told: dict[str, Any] = {"id": number, "playbook": playbook.id, "parameters": shown}
    try:
        folder.mkdir(mode=0o700)
        bundle.write_json(folder / RECORD, record)
        outcome = work(job, folder, record, progress, stop)
        session = bundle.read_json(folder / "session.json") or {}
        ending: Status = outcome["status"]
        seconds = round(time.monotonic() - began, 3)
        stamp = stamp_of(playbook, session, inputs=settled(before, inputs_of(job.values)))
        message = "" if outcome.get("failure") is None else Failure(**outcome["failure"]).text
        headline = session.get("headline", []) if ending == "done" else []
        record |= {
            "status": ending,
            "ended": now(),
            "seconds": seconds,
            "headline": headline,
            "stamp": stamp,
            "failure": outcome.get("failure"),
        }
        del record["owner"]
        placed = None
        if outcome["whole"]:
            for scratch in _SCRATCH if ending == "done" else (*_SCRATCH, *_ANSWER):
                remove(folder / scratch)
            record["seal"] = seal.seal(folder, job.secrets)
            bundle.write_json(folder / RECORD, record)
            stamp = {**stamp, **seal.marks(folder, record["seal"], notebook=playbook.path)}
            placed = place(folder, target, ending)
        status = ending
        ended = {
            "folder": str(placed.resolve()) if placed else None,
            "seconds": seconds,
            "headline": headline,
            "stamp": stamp,
            "error": message or None,
        }
        facts = tuple(bundle.fact(held) for held in headline)
        return Run(status=status, folder=placed, headline=facts, seconds=seconds, message=message, stamp=stamp, **told)
    except (OSError, PlaybookError) as error:
        status, message = "failed", unkept(error).text
        ended = {"error": message, "seconds": round(time.monotonic() - began, 3)}
        return Run(status=status, seconds=ended["seconds"], message=message, **told)
    finally:
        remove(folder)
        ledger.end(number, status, **ended)


def stamp_of(
    playbook: Playbook, session: Mapping[str, Any], *, inputs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what a conclusion rests on: data, rule book, files read, code and package versions."""
    return {
        "data": session.get("data"),
        "book": session.get("book"),
        "score": session.get("score"),
        "inputs": dict(inputs or {}),
        "code": playbook.code_hash,
        "modules": session.get("modules") or {},
        "sources": seal.sources(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the version of Python and of each package that numbers may depend on."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
