"""What does a grid of 2,500 settings cost, beside one pass of the rule, 2,500 passes of pandas, and DuckDB?

Run: python benchmarks/surface.py [--rows 5_000_000]

CPU seconds of the whole process, best of three; a pass is one evaluation of the rule by the kernel and its tally.
Answers are checked equal at random settings against the kernel's tally, and DuckDB's against those of pandas.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import riskbench as rb
from riskbench.calibration.surface.cells import cells_of, grounded
from riskbench.metrics.costs import Costs
from riskbench.metrics.lattice import states
from riskbench.rules.hits import Hits, apply, prepared
from riskbench.rules.plane import plane
from riskbench.rules.tally import tally

SHAPES = {
    "AND": "amount > :limit AND device_age < :days",
    "AND of three": "amount > :limit AND device_age < :days AND country = 3",
    "OR": "amount > :limit OR device_age < :days",
    "NOT, OR, nulls": "NOT (amount < :limit OR score > :days) AND (country = 3 OR gap IS NULL)",
    "nulls in a swept column": "gap > :limit OR NOT device_age >= :days",
}


def events(rows: int) -> rb.Dataset:
    rng = np.random.default_rng(3)
    gap = rng.exponential(50, rows)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "amount": np.round(rng.lognormal(3.5, 1.2, rows), 2),
            "device_age": rng.geometric(0.02, rows),
            "score": rng.random(rows) * 50,
            "gap": np.where(rng.random(rows) < 0.2, np.nan, gap),
            "country": rng.integers(0, 8, rows),
            "fraud": (rng.random(rows) < 0.02).astype(np.int8),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows) * 5, unit="s"),
        }
    )
    return rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount"))


def book_of(shape: str) -> rb.RuleBook:
    return rb.RuleBook(
        name="bench",
        domain="transactions",
        rules=(rb.Rule(id="S", when=shape, params={"limit": 60.0, "days": 20}, outcome="review", status="live"),),
    )


def best(work, many: int = 3):
    took, answer = [], None
    for _ in range(many):
        begun = time.process_time()
        answer = work()
        took.append(time.process_time() - begun)
    return min(took), answer


def main(rows: int) -> None:
    dataset = events(rows)
    ground = grounded(dataset, "x", Costs())
    ground.labels, ground.worth, dataset.table.columns(list(dataset.names))
    grid = [np.unique(np.round(np.geomspace(5, 800, 50), 1)), np.unique(np.linspace(1, 99, 50).round())]
    print(f"{rows:,} events, {len(grid[0])} x {len(grid[1])} settings")
    small = dataset.take(np.arange(1_000))
    for shape in SHAPES.values():  # compiled beforehand, once
        plane(book_of(shape), small, ("S.limit", "S.days"), grid=grid)
    cells_of(plane(book_of(SHAPES["OR"]), small, ("S.limit", "S.days"), grid=grid), grounded(small, "x", Costs()))
    for name, shape in SHAPES.items():
        book = book_of(shape)

        def one_pass(book=book):
            held = Hits(book, dataset, apply(book.rules, dataset))
            held.__dict__["labels"], held.__dict__["worth"] = ground.labels, ground.worth
            return tally(held, held.bits.positions(0))

        def whole_grid(book=book):
            swept = plane(book, prepared(book, dataset), ("S.limit", "S.days"), grid=grid)
            return swept, states(cells_of(swept, ground))

        one, _ = best(one_pass, 7)
        many, (swept, held) = best(whole_grid)
        rng = np.random.default_rng(0)
        for i, j in zip(rng.integers(0, swept.shape[0], 12), rng.integers(0, swept.shape[1], 12), strict=True):
            moved = book.with_params(
                {"S": {"limit": float(swept.axes[0].values[i]), "days": float(swept.axes[1].values[j])}}
            )
            hit = apply(moved.rules, dataset).mask(0)
            for group, window in ((0, ground.windows.choose), (1, ground.windows.report)):
                inside = hit & window.mask
                assert int(held.counts[group, i, j, :, 2].sum()) == int(inside.sum())
                frauds = inside & (ground.kinds == 1)
                assert int(held.money[group, i, j, 1, 2]) == int(ground.money[frauds].sum())
        print(f"  {name:24s} one pass {1000 * one:6.1f} ms, grid {1000 * many:7.1f} ms = {many / one:5.1f} passes")
    peers(dataset, grid)


def peers(dataset: rb.Dataset, grid: list[np.ndarray]) -> None:
    """The AND rule in pandas, setting by setting (scaled from 25), and in DuckDB by a histogram."""
    import duckdb

    frame = dataset.frame(["amount", "device_age", "fraud"])
    frame["cents"] = np.rint(frame["amount"] * 100).astype("int64")
    begun, picked = time.process_time(), [(i, j) for i in range(5, 50, 10) for j in range(5, 50, 10)]
    told = {}
    for i, j in picked:
        hit = frame[(frame["amount"] > grid[0][i]) & (frame["device_age"] < grid[1][j])]
        told[i, j] = (len(hit), int(hit["fraud"].sum()), int(hit.loc[hit["fraud"] == 1, "cents"].sum()))
    took = (time.process_time() - begun) / len(picked) * len(grid[0]) * len(grid[1])
    print(f"  pandas, AND, 2,500 passes (scaled from {len(picked)}): {took:.1f} s")
    con = duckdb.connect()
    con.sql("SET threads TO 1")
    con.register("events", dataset.table.to_arrow(["amount", "device_age", "fraud"]))
    steps = [" + ".join(f"(amount > {cut!r})::INT" for cut in grid[0].tolist())]
    steps.append(" + ".join(f"(device_age < {cut!r})::INT" for cut in grid[1].tolist()))
    begun = time.process_time()
    cells = con.sql(
        f"SELECT {steps[0]} AS a, {steps[1]} AS b, count(*) AS n, sum(fraud) AS f, "
        "sum(CASE WHEN fraud = 1 THEN round(amount * 100)::BIGINT ELSE 0 END)::BIGINT AS m FROM events GROUP BY ALL"
    ).fetchall()
    counts = np.zeros((3, len(grid[0]) + 1, len(grid[1]) + 1), dtype=np.int64)
    for a, b, *sums in cells:
        counts[:, a, b] = sums
    # amount > grid[i] where more than i cuts are passed; device_age < grid[j] where at least size - j are.
    up = counts[:, ::-1, :].cumsum(axis=1)[:, ::-1, :][:, 1:, :]
    both = up[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    took = time.process_time() - begun
    for (i, j), wanted in told.items():
        assert tuple(both[:, i, len(grid[1]) - j].tolist()) == wanted
    print(f"  DuckDB, AND, one histogram: {took:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    main(parser.parse_args().rows)
