"""100 rules on 5M events, counts and money per rule: this library beside its peers, answers checked equal.

Run: python benchmarks/rules.py [--events 5000000] [--rounds 3]

CPU seconds of the whole process (all threads). Ways slower than ten seconds run on a part of the events and are
scaled by rows; the table says so.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pandas as pd
import pyarrow as pa

import riskbench as rb
from riskbench.engine.duck import session
from riskbench.engine.sums import cell_counts, cell_sums
from riskbench.rules.hits import apply

SLOW_PART = 500_000


def events(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(count), "amount_cents": rng.lognormal(8, 1.2, count).astype(np.int64) + 1})
    frame["amount"] = frame["amount_cents"] / 100
    frame["fraud"] = (rng.random(count) < 0.004).astype(np.int64)
    for place in range(6):
        frame[f"x{place}"] = rng.normal(size=count).round(3)
    for place in range(4):
        frame[f"n{place}"] = rng.integers(0, 1000, count)
    for place, words in enumerate((5, 12, 40)):
        pool = pd.Index([f"w{k}" for k in range(words)])
        frame[f"s{place}"] = pd.Categorical.from_codes(rng.integers(0, words, count), pool)
    return frame


def conditions(count: int, seed: int = 1) -> list[list[tuple[str, str, object]]]:
    rng = np.random.default_rng(seed)
    rules = []
    for _ in range(count):
        rule: list[tuple[str, str, object]] = []
        for _ in range(int(rng.integers(2, 4))):
            kind = rng.integers(0, 3)
            if kind == 0:
                rule.append((f"x{rng.integers(0, 6)}", ">", float(np.round(rng.uniform(0.8, 2.2), 2))))
            elif kind == 1:
                rule.append((f"n{rng.integers(0, 4)}", ">=", int(rng.integers(600, 985) // 5 * 5)))
            else:
                rule.append((f"s{rng.integers(0, 3)}", "==", f"w{rng.integers(0, 5)}"))
        rules.append(rule)
    return rules


def as_text(rule: list[tuple[str, str, object]], way: str) -> str:
    parts = []
    for column, op, value in rule:
        if way == "sql":
            parts.append(
                f"{column} {'=' if op == '==' else op} " + (f"'{value}'" if isinstance(value, str) else str(value))
            )
        elif way == "iguanas":
            parts.append(f'(X["{column}"] {op} {value!r})')
        else:
            parts.append(f"({column} {op} {value!r})")
    return (" AND " if way == "sql" else " & ").join(parts)


def ours(dataset: rb.Dataset, book: rb.RuleBook) -> np.ndarray:
    bits = apply(book.rules, dataset)
    fraud = dataset.column("fraud").values
    cents = dataset.minor("amount")
    rows = []
    for place in range(len(book.rules)):
        hit = bits.positions(place)
        label = fraud[hit]
        rows.append((*cell_counts(label, 2), *cell_sums(label, cents[hit], 2)))
    return np.array(rows)


def by_query(frame: pd.DataFrame, rules: list) -> np.ndarray:
    rows = []
    for rule in rules:
        hit = frame.query(as_text(rule, "pandas"))
        sums = hit.groupby("fraud")["amount_cents"].agg(["size", "sum"]).reindex([0, 1], fill_value=0)
        rows.append((*sums["size"], *sums["sum"]))
    return np.array(rows)


def by_eval(frame: pd.DataFrame, rules: list) -> np.ndarray:
    fraud, cents = frame["fraud"].to_numpy(), frame["amount_cents"].to_numpy()
    rows = []
    for rule in rules:
        hit = frame.eval(as_text(rule, "pandas")).to_numpy()
        label = fraud[hit]
        rows.append((*np.bincount(label, minlength=2), *np.bincount(label, weights=cents[hit], minlength=2)))
    return np.array(rows).astype(np.int64)


def by_duckdb(table: pa.Table, rules: list) -> np.ndarray:
    told = ", ".join(
        f"sum((r{k})::INT)::BIGINT AS n{k}, sum(CASE WHEN r{k} THEN amount_cents ELSE 0 END)::BIGINT AS v{k}"
        for k in range(len(rules))
    )
    flags = ", ".join(f"({as_text(rule, 'sql')}) AS r{k}" for k, rule in enumerate(rules))
    with session(deadline=600) as open_:
        open_.register("events", table)
        open_.table("CREATE TABLE e AS SELECT * FROM events")
        begun = time.process_time()
        answer = open_.table(
            f"SELECT fraud, {told} FROM (SELECT fraud, amount_cents, {flags} FROM e) GROUP BY fraud ORDER BY fraud"
        )
        by_duckdb.spent = time.process_time() - begun  # type: ignore[attr-defined]
    frame = answer.to_pandas()
    return np.array([(*frame[f"n{k}"], *frame[f"v{k}"]) for k in range(len(rules))])


def by_iguanas(frame, fraud, cents, rules: list):
    from iguanas.metrics import compute_metrics
    from iguanas.rule_evaluation import apply_rules

    hit = apply_rules(frame, [as_text(rule, "iguanas") for rule in rules])
    compute_metrics(hit, fraud)
    compute_metrics(hit, fraud, weights=cents)
    return hit


def timed(work, rounds: int) -> tuple[float, np.ndarray]:
    spent, answer = [], None
    for _ in range(rounds):
        begun = time.process_time()
        answer = work()
        spent.append(time.process_time() - begun)
    return statistics.median(spent), answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    frame, rules = events(options.events), conditions(options.rules)
    book = rb.RuleBook.from_yaml(
        "book: bench\ndomain: transactions\nrules:\n"
        + "\n".join(
            f'  - {{id: R{k}, when: "{as_text(rule, "sql")}", outcome: review, status: live}}'
            for k, rule in enumerate(rules)
        )
    )
    dataset = rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud", currency="EUR"))
    ours_time, answer = timed(lambda: ours(dataset, book), options.rounds)
    part = min(SLOW_PART, options.events)
    scale = options.events / part
    small = frame.head(part)
    short = dataset.where(np.arange(options.events) < part)
    expected = ours(short, book)
    rows = [("riskbench", ours_time, 1.0, "", "")]
    for name, work, bar in (
        ("DataFrame.query loop", lambda: by_query(small, rules), 10),
        ("pandas.eval loop", lambda: by_eval(small, rules), 6),
    ):
        spent, got = timed(work, 1)
        assert (got == expected).all(), name
        rows.append((f"{name} (x{scale:g})", spent * scale, spent * scale / ours_time, f">= {bar}x", name))
    got = by_duckdb(pa.Table.from_pandas(frame), rules)
    assert (got == answer).all(), "duckdb"
    spent = by_duckdb.spent  # type: ignore[attr-defined]
    rows.append(("DuckDB, one pass, in-memory table", spent, spent / ours_time, ">= 3x", ""))
    import polars as pl

    polars_frame = pl.from_pandas(frame)
    fraud, cents = polars_frame["fraud"], polars_frame["amount_cents"]
    spent, hit = timed(lambda: by_iguanas(polars_frame, fraud, cents, rules), options.rounds)
    all_hits, frauds = np.array(hit.sum().row(0)), np.array(hit.filter(fraud == 1).sum().row(0))
    assert (np.stack([all_hits - frauds, frauds], axis=1) == answer[:, :2]).all(), "iguanas"
    rows.append(("iguanas 1.5 apply_rules + compute_metrics", spent, spent / ours_time, ">= 2x", ""))
    print(f"{options.rules} rules x {options.events:,} events, counts and money per rule, CPU seconds")
    for name, spent, ratio, bar, _ in rows:
        print(f"{name:<48} {spent:8.2f} s {ratio:7.1f}x {bar}")


if __name__ == "__main__":
    main()
