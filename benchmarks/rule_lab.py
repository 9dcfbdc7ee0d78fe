"""What every rule of a book is worth given all others, beside applying the rules and beside SQL; answers checked equal.

Run: python benchmarks/rule_lab.py [--events 5000000] [--rules 100] [--many 500] [--rounds 3] [--pairs 40]

CPU seconds of the whole process (all threads), the median of the rounds; the ways take turns. Events and rules are
those of `rules.py`; outcomes, priorities and statuses are drawn. The SQL way asks DuckDB for a number of drawn pairs
of rules with one CASE each for hits, frauds and fraud money in one pass, and the cost is scaled to all pairs. Steps:

- apply: bits of all rules, with counts and money of each, as `ours` in rules.py does.
- questions: the signature table, then overlap in counts and money, and leave-one-out with priorities in counts,
  money and net value with intervals.
- edit: one threshold is moved; every rule's totals, every leave-one-out and marginal, and every overlap anew.
- what-if: rules off and on, another outcome and priority, on a million events; wall time, since somebody waits.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from rules import as_text, conditions, events, ours

import riskbench as rb
from riskbench.engine.duck import session
from riskbench.engine.pairs import pairs_of_line
from riskbench.engine.sums import cell_counts, cell_sums
from riskbench.rules.appraisal.leave_one_out import leave_one_out, marginal
from riskbench.rules.appraisal.overlap import overlap, pairs_by_bits, pairs_by_table
from riskbench.rules.decisions import Setting
from riskbench.rules.edited import edited
from riskbench.rules.hits import Hits, apply
from riskbench.rules.signature import signatures
from riskbench.rules.standing import Standing


def drawn_book(rules: list, seed: int = 5) -> rb.RuleBook:
    rng = np.random.default_rng(seed)
    text = ["book: lab", "domain: transactions", "rules:"]
    for k, rule in enumerate(rules):
        outcome, status = rng.choice(["challenge", "review", "block"]), rng.choice(["live"] * 9 + ["draft"])
        text.append(
            f'  - {{id: R{k}, when: "{as_text(rule, "sql")}", outcome: {outcome},'
            f" priority: {rng.integers(1, 40)}, status: {status}}}"
        )
    return rb.RuleBook.from_yaml("\n".join(text))


def prepared(frame: pd.DataFrame, rules: list) -> rb.Dataset:
    dataset = rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud", currency="EUR"))
    dataset.minor("amount")
    for name in dict.fromkeys(column for rule in rules for column, _, _ in rule):
        dataset.table.narrow(name)
    return dataset


def fresh(held: Hits) -> Hits:
    """Return the hits without what was made of them, but with labels and money ready."""
    again = Hits(held.book, held.dataset, held.bits)
    vars(again).update(labels=held.labels, worth=held.worth)
    return again


def questions(held: Hits) -> tuple[pd.DataFrame, pd.DataFrame]:
    again = fresh(held)
    vars(again)["signatures"] = signatures(again)
    return overlap(again), leave_one_out(Standing(again, rb.Costs()))


def edit(held: Hits, rule: rb.Rule, place: int, sums: tuple[np.ndarray, np.ndarray]) -> dict[str, object]:
    """Return all answers after one rule has changed, from those before."""
    line = apply((rule,), held.dataset).words[0]
    table = edited(held.signatures, held, place, line)
    after = Hits(held.book.with_rule(rule), held.dataset, held.bits)
    vars(after).update(labels=held.labels, worth=held.worth, signatures=table)
    own = pairs_of_line(table.starts, table.rules, table.cells.count, table.cells.value, table.size, line=place)
    both = [part.copy() for part in sums]
    for part, row in zip(both, own, strict=True):
        part[place, place:], part[: place + 1, place] = row[place:], row[: place + 1]
    standing = Standing(after, rb.Costs())
    vars(standing)["hits"] = both[0].sum(axis=2).diagonal()
    return {"pairs": both, "loo": leave_one_out(standing), "marginal": marginal(standing)}


def by_numpy(held: Hits) -> pd.DataFrame:
    """Return each live rule's leave-one-out money and flips, rule by rule on the events: a slow second way."""
    setting = Setting.of(held.book)
    order, rows = setting.order, []
    level = np.zeros((2, held.bits.rows), dtype=np.int8)
    winner = np.full(held.bits.rows, -1, dtype=np.int16)
    second = np.full(held.bits.rows, -1, dtype=np.int16)
    for place in order:
        hit = held.bits.positions(int(place))
        free, next_free = hit[winner[hit] < 0], hit[(winner[hit] >= 0) & (second[hit] < 0)]
        second[next_free], winner[free] = place, place
    levels = np.append(setting.level, 0)
    level[0], level[1] = levels[winner], levels[second]
    for place in np.flatnonzero(setting.live):
        own = np.flatnonzero((winner == place) & (level[0] != level[1]))
        state = held.labels.state[own]
        lost = own[(state == 1) & (level[1][own] == 0)]
        rows.append((held.book.rules[place].id, len(own), -int(held.worth.value[lost].sum()) / held.scale))
    return pd.DataFrame(rows, columns=["rule", "flips", "value_caught"])


def by_sql(open_, rules: list, asked: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return hits, frauds and fraud money of drawn pairs, in one pass of DuckDB."""
    used = sorted({k for pair in asked for k in pair})
    flags = ", ".join(f"({as_text(rules[k], 'sql')}) AS r{k}" for k in used)
    told = ", ".join(
        f"sum((r{a} AND r{b})::INT)::BIGINT, sum((r{a} AND r{b} AND fraud = 1)::INT)::BIGINT,"
        f" sum(CASE WHEN r{a} AND r{b} AND fraud = 1 THEN amount_cents ELSE 0 END)::BIGINT"
        for a, b in asked
    )
    row = open_.table(f"SELECT {told} FROM (SELECT fraud, amount_cents, {flags} FROM e)").to_pandas().iloc[0].tolist()
    return [tuple(int(v) for v in row[3 * k : 3 * k + 3]) for k in range(len(asked))]


def spent(work):
    begun = time.process_time()
    answer = work()
    return time.process_time() - begun, answer


def row(name: str, seconds: float, told: str, bar: str = "", *, kept: bool | None = None) -> None:
    verdict = "" if kept is None else "kept" if kept else "MISSED"
    print(f"{name:<58} {seconds:8.3f}  {told:<34} {bar:<12} {verdict}")


def hundred(count: int, size: int, *, rounds: int, pairs: int) -> None:
    frame, rules = events(count), conditions(size)
    book, dataset = drawn_book(rules), prepared(frame, rules)
    held = Hits(book, dataset, apply(book.rules, dataset))
    assert held.labels is not None
    assert held.worth is not None
    warm = dataset.take(np.arange(2_000))
    questions(Hits(book, warm, apply(book.rules, warm)))
    times: dict[str, list[float]] = {"apply": [], "bits": [], "questions": [], "sql": [], "edit": []}
    rng = np.random.default_rng(7)
    every = [(a, b) for a in range(size) for b in range(a + 1, size)]
    asked = [every[k] for k in sorted(rng.choice(len(every), min(pairs, len(every)), replace=False))]
    place = next(k for k, rule in enumerate(rules) if book.rules[k].status == "live" and rule[0][0].startswith("n"))
    vars(held)["signatures"] = signatures(held)
    sums = pairs_by_table(held)

    def moved(step: int) -> rb.Rule:
        told = [(column, op, value + step if column.startswith("n") else value) for column, op, value in rules[place]]
        return replace(book.rules[place], when=as_text(told, "sql"))

    edit(held, moved(5), place, sums)
    arrow = pa.Table.from_pandas(frame)
    with session(deadline=600) as open_:
        open_.register("events", arrow)
        open_.table("CREATE TABLE e AS SELECT * FROM events")
        for turn in range(rounds):
            for name, work in (
                ("apply", lambda: ours(dataset, book)),
                ("bits", lambda: apply(book.rules, dataset)),
                ("questions", lambda: questions(held)),
                ("edit", lambda turn=turn: edit(held, moved(10 * (turn + 1)), place, sums)),
                *([("sql", lambda: by_sql(open_, rules, asked))] if turn == 0 else []),
            ):
                seconds, answer = spent(work)
                times[name].append(seconds)
                if name == "questions":
                    shared, alone = answer
                elif name == "sql":
                    told = answer
                elif name == "edit":
                    changed = answer
    # Equal answers: SQL pairs, leave-one-out on the events, the bits, and the edit against a start from nothing.
    found = {(one, two): (hits, frauds, money) for one, two, hits, frauds, money in zip(
        shared["rule"], shared["other"], shared["hits"], shared["frauds"], shared["fraud_value"], strict=True
    )}  # fmt: skip
    for (a, b), (hits, frauds, cents) in zip(asked, told, strict=True):
        own = found.get((f"R{a}", f"R{b}"), (0, 0, 0.0))
        assert (own[0], own[1], round(own[2] * 100)) == (hits, frauds, cents), (a, b)
    slow = by_numpy(held)
    assert slow["rule"].tolist() == alone["rule"].tolist()
    assert slow["flips"].tolist() == alone["flips"].tolist()
    assert np.allclose(slow["value_caught"], alone["value_caught"], rtol=1e-12)
    for one, two in zip(pairs_by_bits(held), sums, strict=True):
        assert (one == two).all()
    final = book.with_rule(moved(10 * rounds))
    anew = Hits(final, dataset, apply(final.rules, dataset))
    for one, two in zip(changed["pairs"], pairs_by_table(anew), strict=True):
        assert (one == two).all()
    standing = Standing(anew, rb.Costs())
    for name, frame_of in (("loo", leave_one_out), ("marginal", marginal)):
        pd.testing.assert_frame_equal(changed[name], frame_of(standing), rtol=1e-9)
    # The bits and per-rule sums again, for the ratio by which the issue measures.
    base, asked_for, one_edit = (statistics.median(times[name]) for name in ("apply", "questions", "edit"))
    sql = times["sql"][0] * len(every) / len(asked)
    table = held.signatures
    print(f"{size} rules x {count:,} events: {len(table):,} signatures, {len(table.rules):,} entries; CPU seconds")
    row("apply: bits, counts and money of each rule", base, "1.0x")
    row("  of which the bits alone", statistics.median(times["bits"]), "")
    ratio = asked_for / base
    row(
        "signatures + overlap + leave-one-out with money",
        asked_for,
        f"{ratio:.2f}x applying",
        "<= 1.5x",
        kept=ratio <= 1.5,
    )
    print(f"{'':<58} least {min(times['questions']):.3f}, most {max(times['questions']):.3f}")
    row(
        f"SQL pairs in DuckDB, {len(asked)} of {len(every):,} pairs, scaled", sql,
        f"{sql / asked_for:,.0f}x ours, measured {times['sql'][0]:.2f} s", ">= 100x", kept=sql / asked_for >= 100,
    )  # fmt: skip
    row(
        "one threshold edited: totals, marginals, overlaps", one_edit,
        f"{1000 * one_edit:.0f} ms, least {1000 * min(times['edit']):.0f}", "<= 60 ms", kept=one_edit <= 0.060,
    )  # fmt: skip


def waited(count: int, size: int, *, rounds: int = 15) -> None:
    frame, rules = events(count), conditions(size)
    held = rb.simulate(drawn_book(rules), prepared(frame, rules))
    change = {"off": ["R3", "R5"], "on": ["R7"], "outcomes": {"R9": "block"}, "priorities": {"R11": 0}}
    held.what_if(**change)
    walls = []
    for _ in range(rounds):
        begun = time.perf_counter()
        found = held.what_if(**change)
        walls.append(time.perf_counter() - begun)
    after = rb.simulate(found.book, held.hits.dataset)
    assert found.frame().set_index("measure").loc["alerts", "after"] == after.alerts
    assert found.flips == int((held.hits.resolution.level != after.hits.resolution.level).sum())
    middle = statistics.median(walls)
    row(
        f"what-if at {count:,} x {size}, wall time of the whole result", middle,
        f"{1000 * middle:.1f} ms, most {1000 * max(walls):.1f}", "< 20 ms", kept=middle < 0.020,
    )  # fmt: skip


def many(count: int, size: int) -> None:
    frame, rules = events(count), conditions(size)
    dataset = prepared(frame, rules)
    book = drawn_book(rules)
    bits, held = spent(lambda: Hits(book, dataset, apply(book.rules, dataset)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent(lambda: (held.labels, held.worth))
    built, table = spent(lambda: held.signatures)
    standing = Standing(held, rb.Costs())
    alone, _ = spent(lambda: leave_one_out(standing))
    shared, _ = spent(lambda: overlap(held))
    fair, credit = spent(lambda: standing_credit(standing))
    retired, _ = spent(lambda: standing_retirement(standing))
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    totals = standing.price.worth(standing.levels.count.T, standing.levels.stake.T)
    assert np.isclose(credit["shapley_net_value"].sum(), totals, rtol=1e-9)
    assert np.isclose(credit["first_net_value"].sum(), totals, rtol=1e-9)
    print(
        f"{size} rules x {count:,} events: {len(table):,} signatures, {len(table.rules):,} entries,"
        f" {'they compress' if table.compresses else 'they do not compress'}; CPU seconds"
    )
    for name, seconds in (
        ("bits", bits), ("signatures", built), ("leave-one-out", alone), ("overlap", shared),
        ("credit", fair), ("retirement list", retired),
    ):  # fmt: skip
        row(f"  {name}", seconds, "")
    row("  most memory of the process, MB", whole, f"{before:,.0f} MB with events and bits alone")
    counted = [cell_counts(held.labels.state[held.bits.positions(k)], 2) for k in range(5)]
    money = [cell_sums(held.labels.state[hit], held.worth.value[hit], 2) for hit in map(held.bits.positions, range(5))]
    counts, values = pairs_by_table(held)
    assert [row_.tolist() for row_ in counted] == [counts[k, k, :2].tolist() for k in range(5)]
    assert [row_.tolist() for row_ in money] == [values[k, k, :2].tolist() for k in range(5)]


def standing_credit(standing: Standing) -> pd.DataFrame:
    from riskbench.rules.appraisal.credit import credit

    return credit(standing)


def standing_retirement(standing: Standing) -> pd.DataFrame:
    from riskbench.rules.appraisal.retirement import retirement

    return retirement(standing)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--many", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=40)
    options = parser.parse_args()
    print(f"{'step':<58} {'seconds':>8}  {'':<34} {'bar':<12}")
    hundred(options.events, options.rules, rounds=options.rounds, pairs=options.pairs)
    waited(min(options.events, 1_000_000), options.rules)
    if options.many:
        many(options.events, options.many)


if __name__ == "__main__":
    main()
