"""Velocity features of 1M events, 3 entities and 3 windows: this library beside its peers, answers checked equal.

Run: python benchmarks/velocity.py [--events 1000000] [--rounds 3] [--dense]

CPU seconds of the whole process (all threads), medians of the rounds, the ways interleaved round by round. Every way
starts from columns in memory, entities as integers, and ends with one new column a feature. pandas does one entity
and one window, one round, and is scaled to nine: the table says so; its bar is for the default
data, where entities are many. Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

import riskbench as rb

ENTITIES = ("device", "buyer", "ip")
WINDOWS = {"1h": 3_600, "24h": 86_400, "7d": 604_800}
#: The column whose distinct values are counted for each entity.
OTHER = {"device": "buyer", "buyer": "device", "ip": "buyer"}
Answer = dict[str, np.ndarray]


def events(count: int, *, dense: bool, seed: int = 7) -> pa.Table:
    """Return events of 90 days: entities of unequal size, times to the second, money in cents."""
    rng = np.random.default_rng(seed)
    sizes = (200, 200, 200) if dense else (count // 4, count // 5, count // 10)
    columns: dict[str, object] = {"id": np.arange(count)}
    seconds = np.sort(rng.integers(0, 90 * 86_400, count))
    columns["t"] = seconds
    columns["at"] = pa.array(seconds * 1_000_000, pa.timestamp("us"))
    for name, size in zip(ENTITIES, sizes, strict=True):
        columns[name] = (size * rng.random(count) ** 1.5).astype(np.int64)  # the first are the busiest
    columns["cents"] = np.rint(rng.lognormal(8, 1.2, count)).astype(np.int64)
    table = pa.table(columns)
    return table.append_column("amount", pa.array(table["cents"].to_numpy() / 100))


def ours(dataset: rb.Dataset, kinds: tuple[str, ...]) -> Answer:
    features = [
        rb.Feature(
            f"{entity}_{window}_{kind}",
            kind,
            by=(entity,),
            window=window,
            column={"count": None, "sum": "amount", "count_distinct": OTHER[entity]}[kind],
        )
        for entity in ENTITIES
        for window in WINDOWS
        for kind in kinds
    ]
    made = rb.velocity(dataset, features)
    return {feature.name: made.table.column(feature.name).values for feature in features}


def by_duckdb(connection: duckdb.DuckDBPyConnection, kinds: tuple[str, ...]) -> Answer:
    form = {"count": "count(*)", "sum": "sum(cents)", "count_distinct": "count(DISTINCT {other})"}
    told, named = [], []
    for entity in ENTITIES:
        for window, seconds in WINDOWS.items():
            named.append(
                f"{entity}{window} AS (PARTITION BY {entity} ORDER BY t RANGE BETWEEN {seconds} PRECEDING"
                " AND 1 PRECEDING)"
            )
            told += [
                f"coalesce({form[kind].format(other=OTHER[entity])} OVER {entity}{window}, 0)::BIGINT"
                f' AS "{entity}_{window}_{kind}"'
                for kind in kinds
            ]
    table = connection.sql(f"SELECT id, {', '.join(told)} FROM events WINDOW {', '.join(named)}").to_arrow_table()
    order = np.argsort(table["id"].to_numpy())
    found = {name: table[name].to_numpy()[order] for name in table.column_names[1:]}
    return {name: values / 100 if name.endswith("_sum") else values for name, values in found.items()}


def by_polars(frame: object, kinds: tuple[str, ...]) -> Answer:
    import polars as pl

    assert isinstance(frame, pl.DataFrame)
    found: Answer = {}
    for entity in ENTITIES:
        other = OTHER[entity]
        form = {"count": pl.len(), "sum": pl.col("cents").sum(), "count_distinct": pl.col(other).n_unique()}
        for window in WINDOWS:
            made = frame.rolling("at", period=window, closed="left", group_by=entity).agg(
                *(form[kind].alias(kind) for kind in kinds)
            )
            # It answers entity by entity, in the order of the rows within each.
            order = np.argsort(frame[entity].to_numpy(), kind="stable")
            back = np.argsort(made[entity].to_numpy(), kind="stable")
            for kind in kinds:
                values = np.empty(len(frame), dtype=np.int64)
                values[order] = made[kind].to_numpy()[back]
                found[f"{entity}_{window}_{kind}"] = values / 100 if kind == "sum" else values
    return found


def by_pandas(frame: pd.DataFrame, entity: str, window: str) -> Answer:
    rolled = frame.groupby(entity).rolling(window, on="at", closed="left")["cents"].agg(["count", "sum"])
    place = np.argsort(frame[entity].to_numpy(), kind="stable")  # entity by entity, in order of time
    found: Answer = {}
    for kind in ("count", "sum"):
        values = np.empty(len(frame))
        values[place] = rolled[kind].fillna(0).to_numpy()
        found[f"{entity}_{window}_{kind}"] = np.rint(values) / 100 if kind == "sum" else values
    return found


def timed(way: Callable[[], Answer]) -> tuple[float, Answer]:
    begun = time.process_time()
    answer = way()
    return time.process_time() - begun, answer


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--events", type=int, default=1_000_000)
    given.add_argument("--rounds", type=int, default=3)
    given.add_argument("--dense", action="store_true", help="200 entities of each sort: thousands of events a window")
    options = given.parse_args()
    table = events(options.events, dense=options.dense)
    dataset = rb.read(table.drop_columns(["cents", "t"]), roles=rb.Roles(id="id", time="at", amount="amount"))
    dataset.table.columns(dataset.names)
    connection = duckdb.connect()
    connection.register("given", table)
    connection.sql("CREATE TABLE events AS SELECT * FROM given")
    totals, distinct = ("count", "sum"), ("count_distinct",)
    ways: dict[tuple[str, str], Callable[[], Answer]] = {
        ("count and sum", "riskbench"): lambda: ours(dataset, totals),
        ("count and sum", "DuckDB range windows"): lambda: by_duckdb(connection, totals),
        ("distinct", "riskbench"): lambda: ours(dataset, distinct),
        ("distinct", "DuckDB range windows"): lambda: by_duckdb(connection, distinct),
    }
    try:
        import polars as pl

        frame = pl.from_arrow(table)
        ways["count and sum", "polars rolling"] = lambda: by_polars(frame, totals)
        if not options.dense:
            ways["distinct", "polars rolling"] = lambda: by_polars(frame, distinct)
    except ImportError:
        print("polars is not installed: left out")
    spent: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    answers: dict[str, Answer] = {}
    for _ in range(options.rounds):
        for (task, way), run in ways.items():
            seconds, answer = timed(run)
            spent[task, way].append(seconds)
            if way == "riskbench":
                answers[task] = answer
                continue
            for name, values in answer.items():
                assert np.array_equal(values, answers[task][name]), f"{way} differs in {name}"
    in_pandas = table.select(["device", "at", "cents"]).to_pandas()
    seconds, answer = timed(lambda: by_pandas(in_pandas, "device", "24h"))
    for name, values in answer.items():
        assert np.array_equal(values, answers["count and sum"][name]), f"pandas differs in {name}"
    spent["count and sum", "pandas rolling (one of nine, x 9)"] = [9 * seconds]

    bars = {
        ("count and sum", "DuckDB range windows"): 2.0,
        ("distinct", "DuckDB range windows"): 2.0,
    }
    if not options.dense:  # pandas pays for each entity: with 200 of them it is far nearer, and the table shows it
        bars["count and sum", "pandas rolling (one of nine, x 9)"] = 20.0
    missed = 0
    cells = len(ENTITIES) * len(WINDOWS)
    print(f"{options.events:,} events x {cells} windows; CPU seconds, median of {options.rounds}; all answers equal")
    print(f"{'task':<15}{'way':<36}{'CPU s':>8}{'ratio':>8}{'bar':>7}")
    for task, way in sorted(spent, key=lambda pair: (pair[0], pair[1] != "riskbench", pair[1])):
        took = statistics.median(spent[task, way])
        ratio = took / statistics.median(spent[task, "riskbench"])
        bar = bars.get((task, way))
        told = "" if bar is None else f">={bar:.0f}x"
        if bar is not None and ratio < bar:
            told, missed = f"{told} MISSED", missed + 1
        print(f"{task:<15}{way:<36}{took:>8.2f}{ratio:>7.1f}x{told:>8}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
