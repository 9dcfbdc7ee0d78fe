"""How long the import and the demo take, and the most memory that any of the demo's processes holds.

Run: python benchmarks/startup.py [--rounds 5]

Bars: import under 0.3 s; the demo under 60 s of wall time and 2 GB.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time

GIGABYTE = 1024**2  # ru_maxrss counts kilobytes on Linux


def seconds(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    empty = statistics.median(seconds("-c", "pass") for _ in range(rounds))
    loaded = statistics.median(seconds("-c", "import riskbench") for _ in range(rounds))
    print(f"import riskbench        {loaded - empty:6.3f} s over an empty Python ({empty:.3f} s); bar 0.3 s")
    with tempfile.TemporaryDirectory() as folder:
        demo = seconds("-m", "riskbench", "demo", "--out", folder)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / GIGABYTE
    print(f"riskbench demo          {demo:6.1f} s wall; bar 60 s")
    print(f"largest process of it   {peak:6.2f} GB; bar 2 GB")


if __name__ == "__main__":
    main()
