"""Rule sets with priorities: this library's search beside greedy expansion and a random search of 300,000 settings.

Run: python benchmarks/optimise.py [--seeds 5] [--draws 300000]

The data has the form of the one public benchmark for the task (Aparicio et al. 2020, "ARMS: Automated rules management
system for fraud detection", submitted to KDD; generator and loss as published with it), made anew here from a seed: 98
rules (one that accepts everything, 7 that accept, 30 that send to review, 30 that decline, and 30 that decline nine
tenths of what a review rule hits), 10 priorities each of one outcome (the largest decides), 225,000 events with
5 % fraud in three equal parts. The loss to minimise is

    0.1 x share of rules that are on + 0.4 x share of events sent to review - 0.5 x recall,

where recall is the share of frauds declined or reviewed.

Every way searches on the first part, is chosen among its own candidates on the second, and is told on the third; two
also search on the first two parts as one. All of
them read one table of distinct hit patterns, so that an evaluation costs each the same; those of the random search run
in one compiled loop. Greedy expansion adds the rule that lowers the loss most until none does, with the rules' own
priorities and from the pool of every rule at every priority; its trials are incremental like ours. Every
answer is scored again by a plain evaluator that looks at each event. CPU seconds of the whole process, table included.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from riskbench.engine.bits import pack
from riskbench.engine.compiled import compiled
from riskbench.engine.patterns import patterns
from riskbench.rules.optimiser.search import Field, Options, Search, Stand, descend

ACCEPT, REVIEW, DECLINE = range(3)
PRIORITIES = {ACCEPT: (1, 5, 6, 10), REVIEW: (2, 4, 7, 9), DECLINE: (3, 8)}
ROWS, FRAUD_SHARE = 225_000, 0.05
#: The chances of a rule being on that the random search goes through.
CHANCES = np.linspace(0.06, 0.96, 16)
#: Starts of the descent, and kicks of the best setting after each.
STARTS, KICKS, KICKED = 4, 60, 5
Candidates = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Part:
    """A third of the events."""

    hits: np.ndarray  # (events, rules) bool
    fraud: np.ndarray


@dataclass(frozen=True)
class Data:
    parts: tuple[Part, Part, Part]
    outcome: np.ndarray  # (rules,)
    priority: np.ndarray


def cut_normal(rng: np.random.Generator, mean: float, spread: float, top: float) -> float:
    """Draw from a normal that is cut at 0 and at the top."""
    while True:
        drawn = rng.normal(mean, spread)
        if 0 <= drawn <= top:
            return float(drawn)


def make(seed: int) -> Data:
    """Return events and rules of the published form."""
    rng = np.random.default_rng(seed)
    fraud = np.arange(ROWS) < ROWS * FRAUD_SHARE
    frauds, goods = np.flatnonzero(fraud), np.flatnonzero(~fraud)
    columns, outcome, priority = [np.ones(ROWS, dtype=bool)], [ACCEPT], [1]

    def column(outcome_: int) -> np.ndarray:
        accepts = outcome_ == ACCEPT
        while True:
            size = int(
                cut_normal(rng, ROWS / 5, ROWS / 10, ROWS) if accepts else cut_normal(rng, ROWS / 1e4, ROWS / 1e3, ROWS)
            )
            good = int(size * (cut_normal(rng, 3 / 4, 1 / 5, 1) if accepts else cut_normal(rng, 1 / 6, 1 / 20, 1)))
            if size - good <= len(frauds) and good <= len(goods):
                break
        hit = np.zeros(ROWS, dtype=bool)
        hit[rng.choice(frauds, size - good)] = True
        hit[rng.choice(goods, good)] = True
        return hit

    for kind, count, chances in (
        (ACCEPT, 7, (0.3, 0.3, 0.2, 0.2)),
        (DECLINE, 30, (1.0, 0.0)),
        (REVIEW, 30, (0.3, 0.3, 0.2, 0.2)),
    ):
        for _ in range(count):
            columns.append(column(kind))
            outcome.append(kind)
            priority.append(int(rng.choice(PRIORITIES[kind], p=chances)))
    for hit in columns[-30:]:
        rows = rng.permutation(np.flatnonzero(hit))
        part = np.zeros(ROWS, dtype=bool)
        part[rows[: int(0.9 * len(rows))]] = True
        columns.append(part)
        outcome.append(DECLINE)
        priority.append(3)
    order = rng.permutation(ROWS)
    hits, third = np.stack(columns, axis=1)[order], ROWS // 3
    parts = tuple(Part(hits[k * third : (k + 1) * third], fraud[order][k * third : (k + 1) * third]) for k in range(3))
    return Data(parts, np.array(outcome), np.array(priority))  # type: ignore[arg-type]


def plain_loss(part: Part, on: np.ndarray, priority: np.ndarray) -> float:
    """Score a setting by looking at each event: the largest priority among the rules that are on decides."""
    ranks = np.where(part.hits[:, on], priority[on][None], 0)
    top = ranks.max(axis=1, initial=0)
    of = {number: kind for kind, numbers in PRIORITIES.items() for number in numbers}
    kind = np.array([of.get(number, ACCEPT) for number in range(11)])[top]
    recall = (part.fraud & (kind != ACCEPT)).sum() / part.fraud.sum()
    return float(0.1 * on.sum() / len(on) + 0.4 * (kind == REVIEW).mean() - 0.5 * recall)


@dataclass(frozen=True)
class Loss:
    """The loss, by the totals of each outcome: columns events, frauds."""

    rules: int
    events: int
    frauds: int

    def value(self, totals: np.ndarray, live: np.ndarray) -> np.ndarray:
        share, reviews = live / self.rules, totals[..., REVIEW, 0] / self.events
        return -(0.1 * share + 0.4 * reviews - 0.5 * totals[..., [REVIEW, DECLINE], 1].sum(axis=-1) / self.frauds)

    def broken(self, totals: np.ndarray, live: np.ndarray) -> np.ndarray:  # noqa: ARG002
        return np.zeros(totals.shape[:-2])


def field_of(part: Part) -> Field:
    rules = part.hits.shape[1]
    words = np.stack([pack(np.ascontiguousarray(part.hits[:, k])) for k in range(rules)])
    marks = np.random.default_rng(1).integers(1, 2**63, size=rules, dtype=np.uint64)
    pattern, starts, lines = patterns(words, len(part.fraud), marks)
    weights = np.stack(
        [np.bincount(pattern, minlength=len(starts) - 1), np.bincount(pattern, part.fraud, len(starts) - 1)]
    )
    return Field.of(starts, lines, weights.T.astype(np.int64), slot=np.arange(rules), levels=3)


def stand_of(on: np.ndarray, priority: np.ndarray) -> Stand:
    level = np.zeros(11, dtype=np.int64)
    for kind, numbers in PRIORITIES.items():
        level[list(numbers)] = kind
    return Stand(np.where(on, np.arange(len(on)), -1), -priority.astype(np.int64), level[priority])


def options_of(data: Data, *, moves: bool) -> list[Options]:
    """Return how each rule may stand: off, or on at its own priority or at another of its outcome."""
    found = []
    for rule, own in enumerate(data.priority):
        kind = int(data.outcome[rule])
        numbers = np.array([own, *sorted(set(PRIORITIES[kind]) - {int(own)})] if moves and rule else [own])
        off = [] if not rule else [-1]
        column = np.array([*off, *[rule] * len(numbers)])
        number = np.array([*[own] * len(off), *numbers])
        found.append(Options(column, -number, np.full(len(column), kind), np.ones(len(column), dtype=np.int64)))
    return found


def both(data: Data) -> Part:
    """Return the first two parts as one."""
    one, two = data.parts[:2]
    return Part(np.concatenate([one.hits, two.hits]), np.concatenate([one.fraud, two.fraud]))


def search_on(part: Part, on: np.ndarray, priority: np.ndarray) -> Search:
    loss = Loss(part.hits.shape[1], len(part.fraud), int(part.fraud.sum()))
    return Search(field_of(part), loss, stand_of(on, priority))


def ours(data: Data, part: Part, seed: int) -> tuple[Candidates, int]:
    """Descend from several starts, then kick the best setting a little and descend again; return the candidates."""
    rng = np.random.default_rng(seed)
    rules = len(data.outcome)
    options = options_of(data, moves=True)
    search = search_on(part, np.ones(rules, dtype=bool), data.priority)
    order, used = np.arange(rules), np.zeros(rules, dtype=np.int64)
    found: list[tuple[tuple[float, float], Stand]] = []
    for start in range(STARTS):
        on = rng.random(rules) < (1.0, 0.0, *rng.random(STARTS))[start]
        on[0] = True
        search.go(stand_of(on, data.priority))
        if not start:
            search.go(stand_of(order == 0, data.priority))
            steepest(search, options)
        descend(search, options, used=used, budget=None, order=rng.permutation(order))
        found.append((search.score(), search.stand))
    best = min(found, key=lambda one: one[0])
    for _ in range(KICKS):
        search.go(best[1])
        for rule in rng.choice(np.arange(1, rules), KICKED, replace=False):
            own = options[rule]
            pick = int(rng.integers(len(own)))
            search.take(int(rule), int(own.column[pick]), int(own.priority[pick]), int(own.level[pick]))
        descend(search, options, used=used, budget=None, order=rng.permutation(order))
        found.append((search.score(), search.stand))
        best = min(best, found[-1], key=lambda one: one[0])
    found.sort(key=lambda one: one[0])
    return [(stand.column >= 0, -stand.priority) for _, stand in found[:10]], search.tried


def steepest(search: Search, options: list[Options]) -> None:
    """Add the rule that lowers the loss most until none does."""
    while True:
        score, best = search.score(), None
        for rule in np.flatnonzero(search.stand.column < 0):
            own = options[rule]
            _, value = search.judged(int(rule), own)
            k = int(np.argmax(value))
            if own.column[k] >= 0 and (0.0, -float(value[k])) < score:
                score = (0.0, -float(value[k]))
                best = int(rule), int(own.column[k]), int(own.priority[k]), int(own.level[k])
        if best is None:
            return
        search.take(*best)


def greedy(data: Data, part: Part, *, pool: bool) -> tuple[Candidates, int]:
    search = search_on(part, np.arange(len(data.outcome)) == 0, data.priority)
    steepest(search, options_of(data, moves=pool))
    return [(search.stand.column >= 0, -search.stand.priority)], search.tried


@compiled
def _many(starts, lines, rank, outcome, weights, on, out):  # type: ignore[no-untyped-def]
    for k in range(on.shape[0]):
        for p in range(len(starts) - 1):
            best, winner = 1 << 30, -1
            for entry in range(starts[p], starts[p + 1]):
                line = lines[entry]
                if on[k, line] and rank[line] < best:
                    best, winner = rank[line], line
            kind = 0 if winner < 0 else outcome[winner]
            for column in range(weights.shape[1]):
                out[k, kind, column] += weights[p, column]


def random(data: Data, part: Part, seed: int, draws: int) -> tuple[Candidates, int]:
    """Draw settings at each chance of a rule being on; keep each chance's best, as the published search does."""
    rng = np.random.default_rng(seed)
    rules = len(data.outcome)
    loss, field = Loss(rules, len(part.fraud), int(part.fraud.sum())), field_of(part)
    order = np.lexsort((np.arange(rules), -data.outcome, -data.priority))
    rank = np.empty(rules, dtype=np.int64)
    rank[order] = np.arange(rules)
    kept = []
    for chance in CHANCES:
        best = (np.inf, np.zeros(rules, dtype=bool))
        for size in [1_000] * (draws // len(CHANCES) // 1_000) + [draws // len(CHANCES) % 1_000]:
            on = rng.random((size, rules)) < chance
            on[:, 0] = True
            totals = np.zeros((size, 3, 2), dtype=np.int64)
            _many(field.starts, field.lines, rank, data.outcome, field.weights, on, totals)
            lost = -loss.value(totals, on.sum(axis=1))
            place = int(np.argmin(lost)) if size else 0
            if size and lost[place] < best[0]:
                best = (float(lost[place]), on[place].copy())
        kept.append((best[1], data.priority))
    return kept, draws


def judged(part: Part, candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Return the candidate of least loss on a part, each scored by its table and by looking at each event."""
    search, scores = search_on(part, *candidates[0]), []
    for on, priority in candidates:
        search.go(stand_of(on, priority))
        scores.append(search.score()[1])
        assert abs(scores[-1] - plain_loss(part, on, priority)) < 1e-12, "the two evaluators differ"
    return candidates[int(np.argmin(scores))]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=300_000)
    asked = parser.parse_args()
    warm = make(99)
    few = Part(warm.parts[0].hits[:500], warm.parts[0].fraud[:500])
    for way in (lambda: ours(warm, few, 0), lambda: random(warm, few, 0, 32)):
        way()  # compiled once, outside the clock
    print(
        f"{'seed':>4}  {'way':<36}{'train':>9}{'validation':>12}{'test':>9}{'rules on':>10}{'trials':>10}{'CPU s':>8}"
    )
    tests: dict[str, list[float]] = {}
    for seed in range(asked.seeds):
        data = make(seed)
        everything, first, pooled = np.ones(len(data.outcome), dtype=bool), data.parts[0], both(data)
        ways = (
            ("all rules on", lambda: ([(everything, data.priority)], 1)),
            ("random search", lambda: random(data, first, seed, asked.draws)),
            ("greedy expansion", lambda: greedy(data, first, pool=False)),
            ("greedy, pool", lambda: greedy(data, first, pool=True)),
            ("this library", lambda: ours(data, first, seed)),
            ("greedy, pool, on both parts", lambda: greedy(data, pooled, pool=True)),
            ("this library, on both parts", lambda: ours(data, pooled, seed)),
        )
        for name, way in ways:
            begun = time.process_time()
            candidates, trials = way()
            spent = time.process_time() - begun
            on, priority = judged(pooled if "both" in name else data.parts[1], candidates)
            losses = [plain_loss(part, on, priority) for part in data.parts]
            tests.setdefault(name, []).append(losses[2])
            lost = f"{losses[0]:>9.4f}{losses[1]:>12.4f}{losses[2]:>9.4f}"
            print(f"{seed:>4}  {name:<36}{lost}{int(on.sum()):>10}{trials:>10,}{spent:>8.2f}")
    for name, losses in tests.items():
        apart = np.array(losses) - np.array(tests["this library"])
        more = f"above this library by {apart.mean():+.4f}: {apart.round(4).tolist()}"
        print(f"mean  {name:<36}{np.mean(losses):>27.4f}  {more}")


if __name__ == "__main__":
    main()
