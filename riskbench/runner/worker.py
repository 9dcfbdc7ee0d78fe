"""The process of one run: executes the notebook, writes the pages, says how it ended.

Started by `riskbench.runner.run`. It reads one JSON line, the job, from stdin and keeps listening: when that line
closes, its parent has died, and it ends itself and the kernel. It prints one JSON line a step. How it ended stands
in outcome.json in the run folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskbench.config import redact_all
from riskbench.privacy import KEY, KEY_FILE, key_file
from riskbench.runner import bundle
from riskbench.runner.ahead import Ahead
from riskbench.runner.failure import Failure, describe, unkept
from riskbench.runner.process import last_words
from riskbench.runner.session import STORE

if TYPE_CHECKING:
    from riskbench.runner.kernel import Execution

OUTCOME = "outcome.json"
#: What is shown of a notebook that was never opened.
_NOTHING: Mapping[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
#: Seconds between asking a kernel to stop and ending it.
_GRACE = 5.0


def main() -> int:
    """Run the job that stdin names."""
    job = json.loads(sys.stdin.readline())
    folder = Path(job["folder"])
    _lighten()
    from riskbench.runner.kernel import Execution

    if not os.environ.get(KEY):
        os.environ.setdefault(KEY_FILE, str(key_file(folder.parent)))  # the kernel's pages need the same one
    secrets = tuple(job["secrets"])
    ahead = Ahead(folder, job["run"], secrets)
    execution = Execution(partial(_tell, ahead))
    threading.Thread(target=_until_parent_dies, args=(folder, execution), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: _leave(folder, execution, keep=True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides; a terminal sends Ctrl-C to all
    late = threading.Event()
    done = threading.Event()
    if job["timeout"] is not None:
        threading.Thread(target=_until_late, args=(job["timeout"], execution, late, done), daemon=True).start()
    error: BaseException | None = None
    try:
        execution.run(Path(job["notebook"]), job["parameters"], Path(job["cwd"]))
    except Exception as caught:  # noqa: BLE001 whatever happened, it is told below
        error = caught
    done.set()
    ahead.rest()
    session = bundle.read_json(folder / "session.json") or {}
    failure = describe(
        error, execution, session=session, timeout=job["timeout"] if late.is_set() else None, log=last_words(folder)
    )
    if failure is not None:
        failure = replace(failure, earlier=_earlier(job["run"], session))
    try:
        try:
            failure = _write(execution.notebook or _NOTHING, job, session, failure)
        finally:
            execution.see_off()
        status = "done" if failure is None else failure.status
        facts = {"status": status, "failure": None if failure is None else failure.to_dict()}
        bundle.write_json(folder / OUTCOME, redact_all(facts, secrets))
    except OSError as full:
        _say({"step": "trouble", "failure": redact_all(unkept(full).to_dict(), secrets)})
    return 0


def _write(
    notebook: Any, job: Mapping[str, Any], session: Mapping[str, Any], failure: Failure | None
) -> Failure | None:
    """Write notebook and pages; return how the run ended, which a page that may not be published changes."""
    from riskbench.runner.publication import publish, write

    files, failure = publish(notebook, failure, secrets=job["secrets"], run=job["run"], session=session)
    write(Path(job["folder"]), files)
    return failure


def _earlier(run: Mapping[str, Any], session: Mapping[str, Any]) -> str:
    """Return what the ledger knows that helps; a run that failed is not lost when the ledger cannot be asked."""
    from riskbench.runner.earlier import MOST, earlier
    from riskbench.runner.run import versions
    from riskbench.store import Ledger

    with contextlib.suppress(Exception), Ledger(os.environ[STORE]) as ledger:
        entries = [held for held in ledger.entries(playbook=run["playbook"], limit=MOST) if held.id != run["id"]]
        stamp = {"data": session.get("data"), "book": session.get("book"), "code": run["code"], "versions": versions()}
        return " ".join(earlier(entries, run["parameters"], stamp))
    return ""


def _tell(ahead: Ahead, execution: Execution, number: int, cells: int) -> None:
    if not cells:
        _say({"step": "kernel", "kernel": execution.pid})
        return
    ahead.reached(execution.notebook.cells, number)
    _say({"step": "cell", "number": number + 1, "cells": cells, "kernel": execution.pid})


def _lighten() -> None:
    """Leave out a check of addresses that no notebook needs, and whose grammar takes longer to load than papermill."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def _say(what: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.__stdout__.write(json.dumps(what) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


def _until_parent_dies(folder: Path, execution: Execution) -> None:
    with contextlib.suppress(OSError, ValueError):
        while sys.stdin.readline():
            pass
    _leave(folder, execution, keep=False)


def _until_late(seconds: float, execution: Execution, late: threading.Event, done: threading.Event) -> None:
    if done.wait(seconds):
        return
    late.set()
    execution.interrupt()
    while not done.wait(_GRACE):  # a kernel that does not listen, or that has only just started
        execution.kill()


def _leave(folder: Path, execution: Execution, *, keep: bool) -> None:
    """End the kernel and this process; the folder goes too when nobody is left to look after it."""
    execution.kill()
    if not keep:
        time.sleep(0.05)
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(143)


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    os._exit(ended)  # a thread still listens on stdin, which an orderly end would wait for
