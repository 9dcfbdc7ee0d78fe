"""How long does it take from a moved control to new exact numbers on the screen? Every panel, on a million events.

Run: python benchmarks/panels.py [--events 1000000] [--moves 40]

CPU and wall milliseconds of one move in plain Python, the median and the slowest of the moves: from the control's new
value until the numbers' HTML stands. Opening a panel, and its static twin, are told beside, once each. Figure to
hold: new exact numbers in under 100 ms.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

import riskbench as rb

BOOK = """
book: bench
domain: transactions
rules:
  - {id: TX-1, when: "amount > :limit", params: {limit: 400}, outcome: review, status: live, priority: 20}
  - {id: TX-2, when: "amount > 900 AND kind = 'k3'", outcome: block, status: live, priority: 10}
"""


def events(rows: int, seed: int = 7) -> rb.Dataset:
    """Return events with a score of a million distinct values, twelve regions, and a fraud that grows in one city."""
    rng = np.random.default_rng(seed)
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.random(rows)) * 84, unit="D")
    city = rng.integers(0, 40, rows)
    rate = np.where((at >= "2026-03-19") & (city == 3), 0.12, 0.02)
    fraud = rng.random(rows) < rate
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": at,
            "fraud": fraud.astype(int),
            "amount": np.round(rng.lognormal(4.5, 0.9, rows), 2),
            "risk": np.clip(rng.normal(0.3 + 0.3 * fraud, 0.15), 0, 1),
            "region": np.char.add("R", rng.integers(0, 12, rows).astype(str)),
            "city": np.char.add("c", city.astype(str)),
            "kind": np.char.add("k", rng.integers(0, 9, rows).astype(str)),
        }
    )
    roles = rb.Roles(
        id="id", time="at", label="fraud", amount="amount", score="risk", region="region", segments=("city", "kind"),
        currency="EUR",
    )  # fmt: skip
    return rb.read(frame, roles=roles)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall milliseconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return 1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - wall)


def told(name: str, times: Iterable[tuple[float, float]]) -> None:
    """Print one line: the median and the slowest of some moves."""
    cpu, wall = zip(*times, strict=True)
    print(
        f"{name:<46} {statistics.median(cpu):8.1f} {max(cpu):8.1f} {statistics.median(wall):8.1f} {max(wall):8.1f}"
        f" {len(cpu):6}"
    )


def threshold(held: rb.Dataset, moves: int) -> None:
    book = rb.RuleBook.from_yaml(BOOK)
    for name, options in (("score", {}), ("two cuts", {"two_cuts": True}), ("parameter", {"rule_param": "TX-1.limit"})):
        found = rb.calibrate(held, given=book, subject_to=rb.at_most("review_rate", 0.2), **options)
        opened: list[rb.ThresholdPanel] = []
        told(f"threshold panel, {name}: open", [timed(lambda found=found: opened.append(rb.threshold_panel(found)))])
        panel = opened[0]
        stops = np.random.default_rng(1).integers(0, panel.slider.max, moves)
        told(
            f"threshold panel, {name}: drag", [timed(lambda at=at: panel.slider.set_trait("value", at)) for at in stops]
        )
        cut = panel.value
        row = found.frame("curve_exact").set_index("threshold").loc[cut]
        assert (panel.result.row.iloc[0].drop("threshold") == row).all(), "the panel's numbers are the exact curve's"
        told(f"threshold panel, {name}: static twin", [timed(panel._repr_mimebundle_)])
        panel.close()


def segments(held: rb.Dataset, moves: int) -> None:
    opened: list[rb.SegmentExplorer] = []
    told("segment explorer: open", [timed(lambda: opened.append(rb.segment_explorer(held, measure="fraud")))])
    panel = opened[0]
    # What was answered once is kept: each of these asks something new.
    told("segment explorer: another measure", [
        timed(lambda name=name: panel.measure.set_trait("value", name)) for name in ("amount", "events")
    ])  # fmt: skip
    told("segment explorer: another column", [
        timed(lambda name=name: panel.columns[0].set_trait("value", name)) for name in ("kind", "city")
    ])  # fmt: skip
    told("segment explorer: two columns", [timed(lambda: panel.columns[1].set_trait("value", "kind"))])
    words = [text for _, text in panel.segment.options if text]
    told(
        "segment explorer: another segment",
        [timed(lambda text=text: panel.segment.set_trait("value", text)) for text in words[:moves]],
    )
    told("segment explorer: another window", [
        timed(lambda at=at: panel.window.set_trait("index", (at, at + 6))) for at in (70, 60, 50)
    ])  # fmt: skip
    told("segment explorer: static twin", [timed(panel._repr_mimebundle_)])
    panel.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--moves", type=int, default=40)
    given = parser.parse_args()
    held = events(given.events)
    print(f"{given.events:,} events; milliseconds")
    print(f"{'':<46} {'CPU':>8} {'slowest':>8} {'wall':>8} {'slowest':>8} {'moves':>6}")
    threshold(held, given.moves)
    segments(held, given.moves)


if __name__ == "__main__":
    main()
