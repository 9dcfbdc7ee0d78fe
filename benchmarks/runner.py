"""What does a guarded run cost over a bare kernel, and does a grid that is killed again and again end the same?

    python benchmarks/runner.py [overhead] [kills]

A bare kernel is started with the interpreter at hand, given the playbook's parameters and code cells one by one, and
shut down: no check, no page, no result written. Both are timed in turn from a process that has loaded its libraries.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TRIVIAL_CELLS = (
    "x: int = 1  # a number",
    "import riskbench as rb",
    'run = rb.start("trivial", globals())',
    "run.finish(run)",
)


def main() -> None:
    """Print one table."""
    wanted = set(sys.argv[1:]) or {"overhead", "kills"}
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if "overhead" in wanted:
            rows += overhead(Path(folder))
    wide = max(len(row[0]) for row in rows)
    for what, figure, note in rows:
        print(f"{what:<{wide}}  {figure:>16}  {note}")


def overhead(folder: Path) -> list[tuple[str, str, str]]:
    """Return what a run costs over a bare kernel, of a real playbook and of a trivial one."""
    from riskbench.runner import find

    trivial = folder / "trivial.ipynb"
    trivial.write_text(json.dumps(_notebook("trivial", TRIVIAL_CELLS)), encoding="utf-8")
    rows = []
    for name, path, times in (
        ("threshold_calibration", find("threshold_calibration").path, 3),
        ("trivial", trivial, 5),
    ):
        ours, bare = [], []
        for turn in range(times):
            first, second = (_run, _bare) if turn % 2 else (_bare, _run)
            for kind in (first, second):
                (ours if kind is _run else bare).append(_timed(kind, path))
        for place, unit in ((0, "wall"), (1, "CPU")):
            a, b = (statistics.median(one[place] for one in held) for held in (ours, bare))
            rows.append((f"{name}: run / bare kernel, {unit}", f"{a:.2f} / {b:.2f} s", f"{100 * (a / b - 1):+.0f} %"))
    return rows


def _timed(what: Any, path: Path) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    mine = time.process_time()
    what(path)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    children = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, children + time.process_time() - mine


def _run(path: Path) -> None:
    import riskbench as rb

    ended = rb.run(path)
    assert ended.status == "done", ended.message


def _bare(path: Path) -> None:
    from jupyter_client import KernelManager

    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "RISKBENCH_RUN_NOTEBOOK": str(path)}, stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    for cell in cells:
        reply = client.execute_interactive("".join(cell["source"]), output_hook=lambda _: None, timeout=300)
        assert reply["content"]["status"] == "ok", reply["content"]
    client.stop_channels()
    manager.shutdown_kernel()


def _notebook(name: str, cells: tuple[str, ...]) -> dict[str, Any]:
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "riskbench": {"id": name}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"c{place}",
                "source": source,
                "metadata": {"tags": ["parameters"] if place == 0 else []},
                "outputs": [],
                "execution_count": None,
            }
            for place, source in enumerate(cells)
        ],
    }


if __name__ == "__main__":
    main()
