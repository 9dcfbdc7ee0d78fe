"""Does a grid that is killed at random moments, and resumed, end with the same results?"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

from riskbench.store import Ledger

DRIVER = """
import sys
from riskbench.runner import seal
seal.sources = dict  # somebody may be editing the library while this runs
from riskbench.cli import main
main()
"""


def family(pid: int) -> list[int]:
    """Return all processes below one."""
    found, waiting = [], [pid]
    while waiting:
        at = waiting.pop()
        for task in Path(f"/proc/{at}/task").glob("*/children"):
            try:
                below = [int(child) for child in task.read_text().split()]
            except OSError:
                continue
            found += below
            waiting += below
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_grid_killed_at_random_moments_ends_with_the_same_results(light):
    random_ = random.Random(20261123)
    regions, seeds = ["ID", "VN", "TH"], [1, 2]
    command = [sys.executable, "-c", DRIVER, "run", str(light), "--grid", f"region={','.join(regions)}"]
    command += ["--grid", "seed=1,2", "--jobs", "2", "--resume", "--out", "out"]
    seen: set[int] = set()
    for kill in ("group", "worker", "kernel", "interrupt", ""):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        until = time.monotonic() + random_.uniform(4, 7)
        while kill and time.monotonic() < until and process.poll() is None:
            seen.update(family(process.pid))
            time.sleep(0.1)
        below = family(process.pid)
        if kill == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif kill == "interrupt":
            process.send_signal(signal.SIGINT)
        elif kill and below:
            at = below[0] if kill == "worker" else below[-1]
            os.kill(at, signal.SIGKILL)
        out, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors
        seen.update(below)
        if kill == "interrupt" and process.returncode == -signal.SIGINT:
            assert "grid-" in out, "the interpreter was leaving: the answer had been given"
        elif kill == "interrupt" and process.returncode:
            assert (process.returncode, "--resume goes on" in errors) == (130, True)
        if kill in ("worker", "kernel") and below:
            assert process.returncode in {0, 1, 130}, errors
    assert process.returncode == 0, out + errors
    for _ in range(100):
        left = [pid for pid in seen if alive(pid)]
        if not left:
            break
        time.sleep(0.1)
    assert not left
    with Ledger("out/riskbench.db") as ledger:
        entries = ledger.entries(limit=1000)
    assert "running" not in {entry.status for entry in entries}
    done = [(entry.parameters["region"], entry.parameters["seed"]) for entry in entries if entry.status == "done"]
    assert sorted(done) == sorted((region, seed) for region in regions for seed in seeds), "each done once"
    held = json.loads(next(Path("out").glob("grid-*.json")).read_text("utf-8"))
    assert {(row["region"], row["seed"]): row["value"] for row in held["runs"]} == {
        (region, seed): zlib.crc32(f"{region}{seed}".encode()) % 1000 for region in regions for seed in seeds
    }
    folders = [path for path in Path("out").iterdir() if path.is_dir()]
    assert sorted(json.loads((path / "run.json").read_text("utf-8"))["status"] for path in folders) == ["done"] * 6
    assert not [path for mark in (".run-*", ".old-*", ".*.part") for path in Path("out").glob(mark)]
