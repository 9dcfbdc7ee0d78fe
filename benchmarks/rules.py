"""100 rules on 5M events, counts and money per rule: this library beside its peers, answers checked equal.

Run: python benchmarks/rules.py [--events 5000000] [--rules 100] [--rounds 3]

CPU seconds of the whole process (all threads). Every way works on all events. What a way does once to the events
(minor units and narrow codes here, a table in DuckDB, a frame in polars) is timed apart as `prepare`; then the ways
take turns, round by round, and the median, least and most of the rounds are shown. `ratio` compares medians,
`with prepare` adds both sides' preparation to one round.
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


def duckdb_sql(rules: list) -> str:
    told = ", ".join(
        f"sum((r{k})::INT)::BIGINT AS n{k}, sum(CASE WHEN r{k} THEN amount_cents ELSE 0 END)::BIGINT AS v{k}"
        for k in range(len(rules))
    )
    flags = ", ".join(f"({as_text(rule, 'sql')}) AS r{k}" for k, rule in enumerate(rules))
    return f"SELECT fraud, {told} FROM (SELECT fraud, amount_cents, {flags} FROM e) GROUP BY fraud ORDER BY fraud"


def by_duckdb(open_, rules: list) -> np.ndarray:
    frame = open_.table(duckdb_sql(rules)).to_pandas()
    return np.array([(*frame[f"n{k}"], *frame[f"v{k}"]) for k in range(len(rules))])


def by_iguanas(frame, fraud, cents, rules: list):
    from iguanas.metrics import compute_metrics
    from iguanas.rule_evaluation import apply_rules

    hit = apply_rules(frame, [as_text(rule, "iguanas") for rule in rules])
    compute_metrics(hit, fraud)
    compute_metrics(hit, fraud, weights=cents)
    return hit


def spent(work):
    begun = time.process_time()
    answer = work()
    return time.process_time() - begun, answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    import polars as pl

    frame, rules = events(options.events), conditions(options.rules)
    book = rb.RuleBook.from_yaml(
        "book: bench\ndomain: transactions\nrules:\n"
        + "\n".join(
            f'  - {{id: R{k}, when: "{as_text(rule, "sql")}", outcome: review, status: live}}'
            for k, rule in enumerate(rules)
        )
    )
    dataset = rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud", currency="EUR"))

    def prepare() -> None:
        dataset.minor("amount")
        for name in dict.fromkeys(column for rule in rules for column, _, _ in rule):
            dataset.table.narrow(name)

    arrow = pa.Table.from_pandas(frame)
    with session(deadline=600) as open_:
        open_.register("events", arrow)
        ready = {"riskbench": spent(prepare)[0]}
        ready["DuckDB, one pass, in-memory table"] = spent(
            lambda: open_.table("CREATE TABLE e AS SELECT * FROM events")
        )[0]
        ready["iguanas 1.5 apply_rules + compute_metrics"], polars_frame = spent(lambda: pl.from_pandas(frame))
        fraud, cents = polars_frame["fraud"], polars_frame["amount_cents"]
        ways = {
            "riskbench": (lambda: ours(dataset, book), None),
            "DataFrame.query loop": (lambda: by_query(frame, rules), 10),
            "pandas.eval loop": (lambda: by_eval(frame, rules), 6),
            "DuckDB, one pass, in-memory table": (lambda: by_duckdb(open_, rules), 3),
            "iguanas 1.5 apply_rules + compute_metrics": (lambda: by_iguanas(polars_frame, fraud, cents, rules), 2),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        answers: dict[str, object] = {}
        for _ in range(options.rounds):
            for name, (work, _) in ways.items():
                seconds, answers[name] = spent(work)
                times[name].append(seconds)
    hit = answers.pop("iguanas 1.5 apply_rules + compute_metrics")
    frauds = np.array(hit.filter(fraud == 1).sum().row(0))  # type: ignore[attr-defined]
    both = np.stack([np.array(hit.sum().row(0)) - frauds, frauds], axis=1)  # type: ignore[attr-defined]
    own = answers["riskbench"]
    assert (both == own[:, :2]).all(), "iguanas"  # type: ignore[index]
    for name, answer in answers.items():
        assert (np.asarray(answer) == own).all(), name
    base, base_ready = statistics.median(times["riskbench"]), ready["riskbench"]
    print(f"{options.rules} rules x {options.events:,} events, counts and money per rule, CPU seconds")
    print(f"{'way':<44} {'prepare':>8} {'median':>8} {'least':>7} {'most':>7} {'ratio':>7} {'with prepare':>13}  bar")
    for name, (_, bar) in ways.items():
        middle, once = statistics.median(times[name]), ready.get(name, 0.0)
        whole = (middle + once) / (base + base_ready)
        print(
            f"{name:<44} {once:8.2f} {middle:8.2f} {min(times[name]):7.2f} {max(times[name]):7.2f}"
            f" {middle / base:6.1f}x {whole:12.1f}x  {f'>= {bar}x' if bar else ''}"
        )


if __name__ == "__main__":
    main()
