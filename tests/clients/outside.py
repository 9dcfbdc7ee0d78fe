"""Programs of other people, started as their users start them, and what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

#: The mark of a run that came to its end.
FINISHED = "application/vnd.riskbench.finished.v1+json"


def outputs(notebook: Path) -> list[dict[str, Any]]:
    """Return a notebook's outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", ())]


def headline(notebook: Path) -> list[str]:
    """Return the headline of a run that came to its end; nothing where it did not."""
    ends = [output["data"][FINISHED] for output in outputs(notebook) if FINISHED in output.get("data", {})]
    return [f"{fact['name']}: {fact['text']}" for held in ends for fact in held["headline"]]


def errors(notebook: Path) -> list[str]:
    """Return the errors that stand in a notebook."""
    return [f"{held['ename']}: {held['evalue']}" for held in outputs(notebook) if held["output_type"] == "error"]


def plain_environment() -> dict[str, str]:
    """Return the environment without what a run of ours would set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RISKBENCH_")}


def start(*words: str, folder: Path) -> subprocess.Popen[str]:
    """Start a program of this environment in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(program: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a program; return its exit code and all that it said."""
    try:
        said, _ = program.communicate(timeout=300)
    finally:
        program.kill()
    return program.returncode, said
