"""How often do the intervals of a comparison hold the truth, and what does comparing a million events cost?

Run: python benchmarks/paired.py [--runs 4000] [--rows 1_000_000]

Coverage is of 95 % intervals over seeded draws whose truth is known: events come by chance (Poisson), amounts are
lognormal, frauds lose their amount and good events a tenth of 1.6 margins. The last lines draw events in bursts of one
entity, with the interval as told and as the words "surely better" and "surely worse" use it. CPU seconds of the whole
process, best of three.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import riskbench as rb
from riskbench.metrics.intervals import sum_interval
from riskbench.metrics.paired import share_difference


def worths(rng, fraud, spread: float):
    amount = rng.lognormal(4.0, spread, len(fraud))
    return np.where(fraud, amount, -0.16 * amount)


def net_value(rng, runs: int, flips: float, share: float, spread: float, burst: float = 1.0):
    """Return the share of runs whose interval holds the truth: as told, widened for bursts; and false verdicts."""
    mean = np.exp(4.0 + spread**2 / 2)
    truth = flips * mean * (share - 0.16 * (1 - share))
    told = wide = wrong = 0
    square = np.exp(2 * 4.0 + 2 * spread**2)  # the mean square of an amount
    for _ in range(runs):
        groups = rng.poisson(flips / burst)
        size = rng.geometric(1 / burst, groups) if burst > 1 else np.ones(groups, dtype=np.int64)
        entity = np.repeat(np.arange(groups), size)
        fraud = rng.random(groups)[entity] < share if burst > 1 else rng.random(groups) < share
        value = worths(rng, fraud, spread)
        total, squares = value.sum(), (value**2).sum()
        low, high = sum_interval(total, squares)
        told += low <= truth <= high
        joint = max(squares, (np.bincount(entity, weights=value) ** 2).sum()) if groups else squares
        frauds = int(fraud.sum())
        least = ((frauds + 1) + 0.16**2 * (len(fraud) - frauds + 1)) * square
        low, high = sum_interval(total, max(squares, least) * joint / max(squares, 1e-300))
        wide += low <= truth <= high
        wrong += (low > 0 and truth <= 0) or (high < 0 and truth >= 0)
    return told / runs, wide / runs, wrong / runs


def precision(rng, runs: int, sizes, shares):
    means = [np.array([size * (1 - share), size * share]) for size, share in zip(sizes, shares, strict=True)]
    drawn = [rng.poisson(mean, (runs, 2)) for mean in means]
    kept, lost, gained = means
    truth = (kept + gained)[1] / (kept + gained).sum() - (kept + lost)[1] / (kept + lost).sum()
    _, low, high = share_difference(*drawn)
    known = ~np.isnan(low)
    return float(((low <= truth) & (truth <= high))[known].mean())


def events(rows: int) -> rb.Dataset:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "amount": rng.integers(1, 10**7, rows) / 100,
            "score": rng.random(rows),
            "fraud": (rng.random(rows) < 0.01).astype(int),
            "land": rng.choice(list("ABCDEFGH"), rows),
            "device": rng.integers(0, rows // 3, rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 90 * 86400, rows), unit="s"),
        }
    )
    roles = rb.Roles(id="id", amount="amount", label="fraud", region="land", time="at", entities=("device",))
    return rb.read(frame, roles=roles)


def best(work):
    spent = []
    for _ in range(3):
        begun = time.process_time()
        found = work()
        spent.append(time.process_time() - begun)
    return min(spent), found


def speed(rows: int) -> None:
    data = events(rows)
    rules = tuple(
        rb.Rule(
            f"R{k}",
            f"score > {0.5 + k / 250:.4f} AND amount > {k * 400}",
            ("review", "block", "challenge")[k % 3],
            priority=100 - k,
            status="live",
        )
        for k in range(100)
    )
    book = rb.RuleBook(name="b", domain="transactions", rules=rules)
    before = rb.simulate(book, data)
    for name, after in (
        (
            "one cut",
            book.with_rule(rb.Rule("R90", "score > 0.8 AND amount > 36000", "review", priority=10, status="live")),
        ),
        ("nearly all", book.with_rule(rb.Rule("R0", "score > 0.1", "block", priority=0, status="live"))),
    ):
        other = rb.simulate(after, data)
        spent, found = best(lambda other=other: rb.compare(before, other))
        regions, _ = best(lambda other=other: rb.compare(before, other).frame("regions"))
        asked, _ = best(lambda other=other: rb.request_change(before, other, reason="bench"))
        listed, table = best(lambda other=other: rb.compare(before, other).frame("events"))
        assert len(table) == found.flips == found.frame("swaps")["events"].sum()
        print(
            f"{rows:,} events x 100 rules, {name}: {found.flips:,} flips; compare {spent:.3f}, with regions "
            f"{regions:.3f}, request {asked:.3f}, with every flip named {listed:.3f} CPU-s"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=4_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    told = parser.parse_args()
    rng = np.random.default_rng(17)
    print(f"coverage of 95 % intervals, {told.runs:,} runs each")
    for flips in (12, 40, 150, 1_000):
        for share in (0.05, 0.3):
            for spread in (0.5, 1.0):
                held, wide, wrong = net_value(rng, told.runs, flips, share, spread)
                kind = f"net value, {flips} flips, {share:.0%} fraud, lognormal {spread}"
                print(f"{kind}: {held:.3f} as told, {wide:.3f} as the words use it; wrong words {wrong:.4f}")
    even = 0.16 / 1.16
    for flips in (12, 40, 150):
        held, _, wrong = net_value(rng, told.runs, flips, even, 1.0)
        print(f"net value, {flips} flips, worth nothing: {held:.3f} as told; called surely better or worse {wrong:.4f}")
    for sizes, shares in (
        ((1_000, 50, 100), (0.3, 0.1, 0.2)),
        ((100, 10, 20), (0.3, 0.1, 0.2)),
        ((200, 3, 3), (0.3, 0.5, 0.5)),
        ((10, 3, 5), (0.3, 0.1, 0.2)),
        ((300, 30, 30), (0.02, 0.01, 0.02)),
        ((30, 5, 5), (0.98, 0.98, 0.9)),
    ):
        print(
            f"precision, kept/lost/gained {sizes}, fraud {shares}: {precision(rng, told.runs * 5, sizes, shares):.3f}"
        )
    for burst in (2.0, 4.0):
        held, wide, _ = net_value(rng, told.runs, 150, 0.3, 0.5, burst)
        print(f"net value, 150 flips in bursts of {burst:g}: {held:.3f} as told, {wide:.3f} as the words use it")
    speed(told.rows)


if __name__ == "__main__":
    main()
