"""New rules by this library, iguanas 1.5, a depth-3 tree and by chance: net value later at equal review rates.

Run: python benchmarks/miners.py [--orders 60000] [--seeds 101 102 103] [--regions ID BR] [--fdh FILE]

Every way reads the same columns (velocity features among them, nothing that leaks), learns on the first two thirds of
the span from the events that the live book lets through, may send the same share of events to review, is priced by the
same costs, and is judged on the last third, which no way has seen. The peers' candidates (iguanas' rules, the tree's
leaves, random conjunctions) are chosen by money on the learning events, one after the other by net value a review,
which is kinder to them than their own measures; iguanas is also shown with its own budget. CPU seconds of the whole
process (all threads) from prepared columns to chosen rules.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import riskbench as rb
from riskbench.data.labels import FRAUD
from riskbench.data.velocity import velocity
from riskbench.rules.hits import apply
from riskbench.rules.mining.cover import Cover, picked
from riskbench.rules.mining.field import Field
from riskbench.rules.mining.figures import change, with_rules
from riskbench.rules.mining.words import drafted

BUDGETS = (0.005, 0.01, 0.02)
MOST = 10
RANDOM = 2_000
FDH_FEATURES = {
    **{f"terminal_n_{w}": {"count": "*", "by": "TERMINAL_ID", "window": w} for w in ("1d", "7d", "28d")},
    **{f"customer_n_{w}": {"count": "*", "by": "CUSTOMER_ID", "window": w} for w in ("1d", "7d", "28d")},
    **{f"customer_mean_{w}": {"mean": "TX_AMOUNT", "by": "CUSTOMER_ID", "window": w} for w in ("1d", "7d", "28d")},
    **{f"told_{w}": {"sum": "TX_FRAUD", "by": "TERMINAL_ID", "window": w} for w in ("7d", "35d")},
}

Mask = np.ndarray
Found = list[tuple[Mask, int]]


@dataclass
class Task:
    """One data set, its windows, and the columns as numbers."""

    name: str
    field: Field
    train: Mask
    test: Mask
    matrix: np.ndarray
    names: list[str]
    level: int

    @property
    def open_(self) -> Mask:
        return self.field.raised(self.level)

    def learn(self) -> np.ndarray:
        """Rows to learn from: known verdicts that the live book lets through."""
        return np.flatnonzero(self.train & self.open_ & (self.field.kinds <= FRAUD))

    def room(self, budget: float) -> int:
        return int(budget * self.train.sum())


def task(name: str, dataset: rb.Dataset, book: rb.RuleBook, *, exclude: tuple[str, ...] = ()) -> Task:
    field = Field.of(book, dataset, costs=None, asof=None, exclude=exclude, share=True, seed=0)
    columns, names = [], []
    for column, held in field.columns.items():
        if held.words is None:
            columns.append(np.where(held.present, held.values.astype(np.float64), -1.0))
            names.append(column)
            continue
        codes, words = field.events.segment(column)
        for code, word in enumerate(words):
            columns.append((codes == code).astype(np.float64))
            names.append(f"{column} is {word}")
    matrix = np.stack(columns, axis=1).astype(np.float32)
    return Task(name, field, field.parts.earlier, field.parts.later, matrix, names, field.steps.level("review"))


# -- ways ----------------------------------------------------------------------------------------------------


def ours_searched(task: Task, budget: float) -> Found:
    """The search alone on all learning events: no test, no verdict."""
    limit = (rb.at_most("alert_rate", _now(task) + budget),)
    cover = Cover(task.field, [task.level], terms=3, monotone={}, fewest=5, seed=0)
    rules = [drafted(pick.pieces, "R", "review", task.field) for pick in picked(task.field, cover, MOST, limit)]
    kept = [rule for rule in rules if rule is not None]
    bits = apply(kept, task.field.events) if kept else None
    return [(bits.mask(k), rule.when.count(" AND ") + 1) for k, rule in enumerate(kept)] if bits else []


def ours_shipped(task: Task, budget: float) -> Found:
    """`mine_rules` on the learning events alone: found on two thirds of them, judged on the rest, the paying kept."""
    events = task.field.held.dataset
    limit = rb.at_most("alert_rate", _now(task) + budget)
    given = events.where(task.train)
    mined = rb.mine_rules(
        task.field.held.book, given, outcome="review", subject_to=limit, most=MOST, exclude=_unread(task, given)
    )
    rules = [rule for rule in mined.book.rules if rule.id.startswith("MINED-")]
    bits = apply(rules, task.field.events) if rules else None
    return [(bits.mask(k), rule.when.count(" AND ") + 1) for k, rule in enumerate(rules)] if bits else []


def _now(task: Task) -> float:
    own = task.field.level[task.train]
    return float((np.array(task.field.effects)[own] != "none").mean())


def _unread(task: Task, given: rb.Dataset) -> tuple[str, ...]:
    return tuple(name for name in task.field.left_out if name in given.table)


def tree(task: Task, budget: float) -> Found:
    """The leaves of a tree of depth 3, grown with fraud and good weighing the same."""
    from sklearn.tree import DecisionTreeClassifier

    rows = task.learn()
    fraud = (task.field.kinds[rows] == FRAUD).astype(int)
    grown = DecisionTreeClassifier(max_depth=3, min_samples_leaf=20, class_weight="balanced", random_state=0)
    grown.fit(task.matrix[rows], fraud)
    leaves = grown.apply(task.matrix)
    depth = dict(_leaves(grown.tree_))
    return by_money(task, [(leaves == leaf, terms) for leaf, terms in depth.items()], budget)


def _leaves(held, node: int = 0, path: tuple = ()) -> list[tuple[int, int]]:
    if held.children_left[node] < 0:
        return [(node, len(path))]
    step = (held.feature[node],)
    return _leaves(held, held.children_left[node], (*path, step)) + _leaves(
        held, held.children_right[node], (*path, step)
    )


#: iguanas' candidates do not depend on the budget: found once a task, their time told with every budget.
_KEPT: dict[str, tuple] = {}


def iguanas_rules(task: Task) -> tuple[object, object, list[str], object]:
    import polars as pl
    from iguanas.rule_evaluation import apply_rules
    from iguanas.rule_generation import rule_grid_search_parallel_weights
    from iguanas.weight_transformations import generate_weights
    from xgboost import XGBClassifier

    if task.name in _KEPT:
        return _KEPT[task.name][0]
    begun, rows = time.process_time(), task.learn()
    names = [f"c{k}" for k in range(len(task.names))]
    train = pl.DataFrame(task.matrix[rows], schema=names)
    fraud = pl.Series("fraud", (task.field.kinds[rows] == FRAUD).astype(np.int64))
    stake = pl.Series("amount", task.field.held.worth.value[rows].astype(np.float64) / task.field.scale)
    model = XGBClassifier(max_depth=3, n_estimators=10, random_state=0, n_jobs=1)
    found = rule_grid_search_parallel_weights(
        model, train, fraud, scale_pos_weights=np.logspace(0, 2, 5), sample_weights_df=generate_weights(stake), n_jobs=1
    )
    rules = found["rule"].unique(maintain_order=True).to_list()
    whole = pl.DataFrame(task.matrix, schema=names)
    _KEPT[task.name] = (apply_rules(whole, rules), fraud, rules, rows), time.process_time() - begun
    return _KEPT[task.name][0]


def iguanas(task: Task, budget: float) -> Found:
    """iguanas' rules, chosen by money."""
    hit, _, _, _ = iguanas_rules(task)
    return by_money(task, [(hit[name].to_numpy(), _length(name)) for name in hit.columns], budget)


def iguanas_budget(task: Task, budget: float) -> Found:
    """iguanas' rules, chosen by its own budgeted cover."""
    from iguanas.metrics import compute_metrics
    from iguanas.rule_combination import combine_rules_budgeted
    from iguanas.rule_evaluation import select_diverse_top_rules

    hit, fraud, _, rows = iguanas_rules(task)
    own = hit[rows]
    rate = task.room(budget) / len(rows)
    _, _, names = select_diverse_top_rules(own, compute_metrics(own, fraud), top_n=200)
    both = combine_rules_budgeted(hit.select(names)[rows], fraud, max_alert_rate=rate, max_rules=MOST)
    text = both.columns[0] if both.width else ""
    chosen = [name for name in names if name in text]
    return [(hit[name].to_numpy(), _length(name)) for name in chosen]


def _length(rule: str) -> int:
    from iguanas.metrics import count_conditions

    return int(count_conditions(rule))


def by_chance(task: Task, budget: float, *, seed: int = 0) -> Found:
    """Random conjunctions of one to three cuts, chosen by money."""
    rng = np.random.default_rng(seed)
    made: Found = []
    rows = task.learn()
    for _ in range(RANDOM):
        mask, terms = np.ones(len(task.matrix), dtype=bool), int(rng.integers(1, 4))
        for _ in range(terms):
            column = task.matrix[:, int(rng.integers(0, task.matrix.shape[1]))]
            cut = column[rows[int(rng.integers(0, len(rows)))]]
            mask &= (column >= cut) if rng.random() < 0.5 else (column <= cut)
        made.append((mask, terms))
    return by_money(task, made, budget)


def by_money(task: Task, candidates: Found, budget: float) -> Found:
    """Return the candidates taken one after the other by net value a review while the budget lasts."""
    rows = np.flatnonzero(task.train & task.open_)
    value, room = task.field.worth_of(task.level)[rows], task.room(budget)
    held = [(mask, np.flatnonzero(mask[rows]), terms) for mask, terms in candidates if mask[rows].any()]
    left, chosen = np.ones(len(rows), dtype=bool), []
    while len(chosen) < MOST:
        best = None
        for place, (_, own, _) in enumerate(held):
            fresh = own[left[own]]
            gain = float(value[fresh].sum())
            if 0 < len(fresh) <= room and gain > 0 and (best is None or gain / len(fresh) > best[0]):
                best = (gain / len(fresh), place, fresh)
        if best is None:
            break
        mask, _, terms = held.pop(best[1])
        chosen.append((mask, terms))
        room -= len(best[2])
        left[best[2]] = False
    return chosen


WAYS: dict[str, Callable[[Task, float], Found]] = {
    "riskbench search": ours_searched,
    "riskbench mine_rules": ours_shipped,
    "iguanas by money": iguanas,
    "iguanas own budget": iguanas_budget,
    "tree depth 3": tree,
    "random conjunctions": by_chance,
}


def judged(task: Task, found: Found, budget: float) -> dict[str, float]:
    """Return what rules do on the later events; where they hit more than the budget a lot decides who is reviewed."""
    let = task.test & task.open_ & (task.field.kinds == FRAUD)
    most = float(task.field.worth_of(task.level)[let].sum())
    level = with_rules(task.field, [(mask, task.level) for mask, _ in found])
    later = change(task.field, task.field.level, level, task.test)
    share = len(later.rows) / int(task.test.sum())
    return {
        "rules": len(found),
        "conditions": float(np.mean([terms for _, terms in found])) if found else 0.0,
        "review_share": share,
        "frauds": later.frauds,
        "precision": later.frauds / max(1, later.frauds + later.good),
        "net_value": later.net,
        "lower": later.lower,
        "upper": later.upper,
        "at_budget": later.net * min(1.0, budget / share if share else 1.0) / max(most, 1e-9),
    }


def run(tasks: Sequence[Task], ways: Sequence[str]) -> pd.DataFrame:
    lines = []
    for one in tasks:
        for budget in BUDGETS:
            for name in ways:
                begun = time.process_time()
                try:
                    found = WAYS[name](one, budget)
                except rb.errors.DataError as nothing:
                    print(f"{one.name} {budget:.1%} {name}: {nothing.what}")
                    found = []
                spent = time.process_time() - begun
                lines.append(
                    {"task": one.name, "budget": budget, "way": name, **judged(one, found, budget), "cpu_s": spent}
                )
    return pd.DataFrame(lines)


def marketplace(region: str, orders: int, seed: int) -> Task:
    book = rb.RuleBook.read(Path(__file__).parents[1] / "playbooks/books/transactions.yaml")
    return task(f"{region} seed {seed}", rb.sample("transactions", region=region, orders=orders, seed=seed), book)


def fdh(path: str) -> Task:
    roles = rb.Roles(
        id="TRANSACTION_ID", time="TX_DATETIME", amount="TX_AMOUNT", label="TX_FRAUD",
        entities=("CUSTOMER_ID", "TERMINAL_ID"),
    )  # fmt: skip
    events = rb.read(path, roles=roles)
    events = velocity(events, FDH_FEATURES)
    late = events.column("told_35d").values - events.column("told_7d").values
    mean = events.column("customer_mean_28d")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = events.column("TX_AMOUNT").values / np.where(mean.present, mean.values, np.nan)
    events = events.with_columns({"terminal_frauds_told": late, "amount_over_mean": ratio})
    empty = rb.RuleBook(name="none", domain="transactions")
    leaks = ("TX_FRAUD_SCENARIO", "TX_TIME_SECONDS", "TX_TIME_DAYS", "told_7d", "told_35d")
    return task("FDH", events, empty, exclude=leaks)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--orders", type=int, default=60_000)
    asked.add_argument("--seeds", type=int, nargs="*", default=[101, 102, 103])
    asked.add_argument("--regions", nargs="*", default=["ID", "BR"])
    asked.add_argument("--fdh", help="the public file txn_fdh_2018q2.parquet")
    asked.add_argument("--ways", nargs="*", default=list(WAYS))
    asked.add_argument("--out")
    told = asked.parse_args()
    warnings.simplefilter("ignore")
    tasks = [marketplace(region, told.orders, seed) for region in told.regions for seed in told.seeds]
    tasks += [fdh(told.fdh)] if told.fdh else []
    frame = run(tasks, told.ways)
    if told.out:
        frame.to_csv(told.out, index=False)
    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.max_rows", 500):
        print(frame.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
