"""How large the pages are, how soon the first of them is seen, and what making, hiding and checking them costs.

Run: python benchmarks/pages.py [--rounds 5] [--orders 50000]

Bars: a page under 1 MB; first paint under 1 s from disk. Paint is wall time of Chromium, offline, median of the rounds;
all else is processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from riskbench.privacy import find
from riskbench.runner.gate import check_page
from riskbench.runner.publication import page_of
from riskbench.runner.veil import veiled

MEGABYTE = 1_000_000
PLAYBOOKS = ("threshold_calibration", "incident_deep_dive")
PAINT = """() => new Promise((done) => {
  const told = () => performance.getEntriesByName("first-contentful-paint")[0];
  const wait = () => told() ? done(told().startTime) : setTimeout(wait, 10);
  wait();
})"""


def cpu(work, rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def paints(pages: list[Path], rounds: int) -> dict[Path, float]:
    from playwright.sync_api import sync_playwright

    program = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if program is None:
        return {}
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        told: dict[Path, list[float]] = {page: [] for page in pages}
        for _ in range(rounds):
            for page in pages:
                context = browser.new_context(offline=True)
                tab = context.new_page()
                tab.goto(page.as_uri(), wait_until="commit")
                told[page].append(tab.evaluate(PAINT) / 1000)
                context.close()
        browser.close()
    return {page: statistics.median(taken) for page, taken in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=50_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in PLAYBOOKS:
            subprocess.run(
                [sys.executable, "-m", "riskbench", "run", name, "-p", f"orders={given.orders}", "--out", folder],
                check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONWARNINGS": "ignore"},
            )  # fmt: skip
        pages = sorted(Path(folder).glob("*/lead.html")) + sorted(Path(folder).glob("*/full.html"))
        seen = paints(pages, given.rounds)
        print(f"{'page':<38}{'MB':>7}{'paint s':>9}{'make s':>9}{'hide s':>9}{'gate s':>9}")
        for page in pages:
            text = page.read_text("utf-8")
            notebook = json.loads(page.with_name("notebook.ipynb").read_text("utf-8"))
            row = (
                cpu(lambda: page_of(notebook, audience=page.stem), given.rounds),
                cpu(lambda: veiled(text, personal={}), given.rounds),
                cpu(lambda: check_page(text), given.rounds),
            )
            paint = f"{seen[page]:9.2f}" if page in seen else f"{'–':>9}"
            name = f"{page.parent.name.rpartition('-')[0]} {page.stem}"
            print(f"{name:<38}{len(text.encode()) / MEGABYTE:7.2f}{paint}" + "".join(f"{taken:9.2f}" for taken in row))
        print("bars: 1 MB, 1 s")
    hostile = {"4111 1111 1111 1111 ": 50_000, "1 ": 500_000, "a@b.": 250_000, "phone 1 ": 125_000}
    for unit, times in hostile.items():
        print(f"detectors on 1 MB of {unit!r:<24}{cpu(lambda: find(unit * times), 1):9.2f} s of processor time")


if __name__ == "__main__":
    main()
