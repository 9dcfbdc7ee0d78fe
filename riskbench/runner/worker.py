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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskbench.config import redact, redact_all
from riskbench.runner import bundle
from riskbench.runner.failure import Failure, describe

if TYPE_CHECKING:
    from riskbench.runner.kernel import Execution

OUTCOME, EXECUTED = "outcome.json", "notebook.ipynb"
#: Seconds between asking a kernel to stop and ending it.
_GRACE = 5.0


def main() -> int:
    """Run the job that stdin names."""
    job = json.loads(sys.stdin.readline())
    folder = Path(job["folder"])
    from riskbench.runner.kernel import Execution

    execution = Execution(_tell)
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
    session = bundle.read_json(folder / "session.json") or {}
    failure = describe(error, execution, session=session, timeout=job["timeout"] if late.is_set() else None)
    secrets = tuple(job["secrets"])
    status = "done" if failure is None else failure.status
    facts = {"status": status, "failure": None if failure is None else failure.to_dict()}
    if execution.notebook is not None:
        _write(execution.notebook, job, session, failure)
    bundle.write_json(folder / OUTCOME, redact_all(facts, secrets))
    return 0


def _write(notebook: Any, job: Mapping[str, Any], session: Mapping[str, Any], failure: Failure | None) -> None:
    from riskbench.runner.pages import render, settle

    folder, secrets = Path(job["folder"]), tuple(job["secrets"])
    settled = settle(notebook, failure, secrets=secrets, run=job["run"])
    (folder / EXECUTED).write_text(json.dumps(settled, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for name, text in render(settled, run=job["run"], session=session, failure=failure).items():
        (folder / name).write_text(redact(text, secrets), encoding="utf-8")


def _tell(execution: Execution, number: int, cells: int) -> None:
    _say({"step": "cell", "number": number + 1, "cells": cells, "kernel": execution.pid})


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
