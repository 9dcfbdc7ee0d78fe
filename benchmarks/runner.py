"""What does a guarded run cost over a bare kernel, and does a grid that is killed again and again end the same?

    python benchmarks/runner.py [overhead] [kills] [--pairs=5]

A bare kernel is started with the interpreter at hand, given the playbook's parameters and code cells one by one, and
shut down: no check, no page, no result written. Both are timed in turn from a process that has loaded its libraries;
each timing is printed as it comes, with the machine's load, and the table holds the medians.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

from riskbench.store import Ledger

#: The library is taken as it is: an edit while this runs would make every run again, as it should.
DRIVER = "from riskbench.runner import seal; seal.sources = dict; from riskbench.cli import main; main()"
#: So often are a run's process, a kernel and then the grid killed before it is left alone.
KILLS = 4
LIGHT_CELLS = (
    'region: str = "ID"  # one region\nseed: int = 1  # a seed',
    """import json, os, pathlib, zlib
value = zlib.crc32(f"{region}{seed}".encode()) % 1000
here = pathlib.Path(os.environ["RISKBENCH_RUN_FOLDER"])
fact = {"name": "Total", "value": value, "unit": "count", "lower": None, "upper": None}
(here / "session.json").write_text(json.dumps({"finished": True, "headline": [fact]}))""",
)
TRIVIAL_CELLS = (
    "x: int = 1  # a number",
    "import riskbench as rb",
    'run = rb.start("trivial", globals())',
    "run.finish(run)",
)


def main() -> None:
    """Print one table."""
    wanted = {word for word in sys.argv[1:] if not word.startswith("--")} or {"overhead", "kills"}
    pairs = next((int(word.removeprefix("--pairs=")) for word in sys.argv[1:] if word.startswith("--pairs=")), 5)
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if "overhead" in wanted:
            rows += overhead(Path(folder), pairs)
        if "kills" in wanted:
            rows += kills(Path(folder))
    wide = max(len(row[0]) for row in rows)
    for what, figure, note in rows:
        print(f"{what:<{wide}}  {figure:>16}  {note}")


def overhead(folder: Path, pairs: int) -> list[tuple[str, str, str]]:
    """Return what a run costs over a bare kernel, of a real playbook and of a trivial one."""
    from riskbench.runner import find

    trivial = folder / "trivial.ipynb"
    trivial.write_text(json.dumps(_notebook("trivial", TRIVIAL_CELLS)), encoding="utf-8")
    rows = []
    for name, path in (("threshold_calibration", find("threshold_calibration").path), ("trivial", trivial)):
        ours, bare = [], []
        for turn in range(pairs):
            first, second = (_run, _bare) if turn % 2 else (_bare, _run)
            for kind in (first, second):
                wall, cpu = _timed(kind, path)
                (ours if kind is _run else bare).append((wall, cpu))
                what = "run" if kind is _run else "bare kernel"
                print(f"{name}: {what} {wall:.2f} s, CPU {cpu:.2f} s, load {os.getloadavg()[0]:.1f}", flush=True)
        for place, unit in ((0, "wall"), (1, "CPU")):
            a, b = (statistics.median(one[place] for one in held) for held in (ours, bare))
            rows.append((f"{name}: run / bare kernel, {unit}", f"{a:.2f} / {b:.2f} s", f"{100 * (a / b - 1):+.0f} %"))
    return rows


def kills(folder: Path) -> list[tuple[str, str, str]]:
    """Return how a grid of 24 runs ends that is killed at random moments and resumed, beside what it must end in."""
    path = folder / "light.ipynb"
    path.write_text(json.dumps(_notebook("light", LIGHT_CELLS)), encoding="utf-8")
    regions = [f"R{number}" for number in range(8)]
    command = [sys.executable, "-c", DRIVER, "run", str(path), "--grid", f"region={','.join(regions)}"]
    command += ["--grid", "seed=1,2,3", "--jobs", "2", "--resume", "--out", "killed"]
    chance, killed, began, attempts = random.Random(7), {"grid": 0, "worker": 0, "kernel": 0}, time.perf_counter(), 0
    while True:
        attempts += 1
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if attempts <= KILLS:
            for what in ("worker", "kernel", "grid"):
                killed[what] += _kill(process, what, chance.uniform(0, 6))
        if process.wait() == 0 and attempts > KILLS:
            break
    held = json.loads(next(Path("killed").glob("grid-*.json")).read_text("utf-8"))["runs"]
    right = sum(row["value"] == zlib.crc32(f"{row['region']}{row['seed']}".encode()) % 1000 for row in held)
    with Ledger("killed/riskbench.db") as ledger:
        entries = ledger.entries(limit=10_000)
    ends = Counter(entry.status for entry in entries)
    told = ", ".join(f"{count} {what}s" for what, count in killed.items())
    return [
        ("grid of 24, killed and resumed: right results", f"{right} of {len(held)}", f"{told} killed by SIGKILL"),
        ("runs in its ledger", f"{ends.total()}", ", ".join(f"{count} {end}" for end, count in ends.items())),
        ("seconds, all attempts", f"{time.perf_counter() - began:.0f} s", f"{attempts} attempts, 2 jobs"),
    ]


def _kill(process: subprocess.Popen[bytes], what: str, after: float) -> bool:
    """Kill the grid, a run's process or a kernel, some seconds later and once a kernel is there."""
    until = time.perf_counter() + after
    while process.poll() is None:
        worker = _child(process.pid, "riskbench.runner.worker")
        kernel = _child(worker, "ipykernel_launcher")
        if kernel is not None and time.perf_counter() > until:
            with contextlib.suppress(ProcessLookupError):
                os.kill({"grid": process.pid, "worker": worker, "kernel": kernel}[what] or kernel, signal.SIGKILL)
                return True
        time.sleep(0.02)
    return False


def _child(pid: int | None, module: str) -> int | None:
    """Return a process below one that runs a module."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                if module in Path(f"/proc/{child}/cmdline").read_text():
                    return int(child)
    return None


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
