"""Where did it change? The segment search beside Adtributor, on real and generated incidents and on none at all.

    python benchmarks/root_cause.py [--cases 60] [--empty 1000]

The public cases need RISKBENCH_PUBLIC_DATA. The method sees codes, counts and the minute; names and causes it does not.
A cause is found only when the set of conditions is exactly right; precision and recall count conditions over all cases.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from riskbench.metrics.segment_scan import scan

Terms = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Case:
    """One search: codes by dimension, numerators and exposures of both periods, and the true causes."""

    codes: list[np.ndarray]
    sizes: list[int]
    current: np.ndarray
    baseline: np.ndarray
    current_exposure: np.ndarray | None
    baseline_exposure: np.ndarray | None
    causes: frozenset[Terms]


# --- generated cases -------------------------------------------------------------------------------------------------


def additive(rng: np.random.Generator, sizes: tuple[int, ...] = (10, 12, 10, 8, 5)) -> Case:
    """Make an additive case: every leaf of five dimensions with a forecast, 1-3 causes of 1-3 elements each.

    After the description of the data set S of the RiskLoc paper (arXiv 2205.10004, section 5.1): leaf values are
    Weibull, up to a quarter of them zero, forecasts err by up to 25 %, a cause takes 20-100 % (and the forecasts'
    error) off all leaves of its elements, and causes share no value of a dimension.
    """
    codes = [part.ravel() for part in np.meshgrid(*(np.arange(n) for n in sizes), indexing="ij")]
    leaves = len(codes[0])
    noise = rng.uniform(0, 0.25)
    one = 100 * rng.weibull(rng.uniform(0.5, 1.0), leaves) * (rng.random(leaves) > rng.uniform(0, 0.25))
    other = np.maximum(one * (1 + rng.normal(0, noise, leaves)), 0)
    turn = rng.random(leaves) < 0.5
    now, forecast = np.where(turn, one, other), np.where(turn, other, one)
    down = now.sum() <= forecast.sum()
    used: dict[int, set[int]] = {}
    causes: set[Terms] = set()
    for _ in range(rng.integers(1, 4)):
        dims = sorted(rng.choice(len(sizes), rng.integers(1, len(sizes) + 1), replace=False).tolist())
        count = int(rng.integers(1, 4))
        free = [sorted(set(range(sizes[dim])) - used.get(dim, set())) for dim in dims]
        if any(not values for values in free) or np.prod([len(values) for values in free]) < count:
            continue
        elements: set[Terms] = set()
        while len(elements) < count:
            elements.add(frozenset((dim, int(rng.choice(values))) for dim, values in zip(dims, free, strict=True)))
        severity, deviation = rng.uniform(0.2, 1.0) + noise, rng.uniform(0, 0.1)
        for element in elements:
            inside = np.logical_and.reduce([codes[dim] == value for dim, value in element])
            factor = np.maximum(1 - rng.normal(severity, deviation, int(inside.sum())), 0)
            if down:
                now[inside] = forecast[inside] * factor
            else:
                forecast[inside] = now[inside] * factor
            for dim, value in element:
                used.setdefault(dim, set()).add(value)
        causes |= elements
    return Case([part.astype(np.int32) for part in codes], list(sizes), now, forecast, None, None, frozenset(causes))


def rates(rng: np.random.Generator, *, change: bool = True) -> Case:
    """Make a rate case: counts of one minute by leaf, few in most leaves, and mostly one segment whose rate rises.

    Of 100 cases 75 have one cause, 20 two, 5 three. Leaves differ in their usual rate; minutes, leaves and values of a
    dimension waver on their own, so that counts scatter more than chance has it; and all drift together.
    """
    sizes = rng.integers(2, 25, rng.integers(4, 8)).tolist()
    wanted = int(np.exp(rng.uniform(np.log(30), np.log(600))))
    weights = [rng.dirichlet(np.full(n, 0.5)) for n in sizes]
    cells = np.unique(
        np.column_stack([rng.choice(n, wanted, p=w) for n, w in zip(sizes, weights, strict=True)]), axis=0
    )
    leaves, minutes = len(cells), int(rng.integers(4, 20))
    volume = np.exp(rng.normal(0, 1.5, leaves))
    volume *= np.exp(rng.uniform(np.log(1e3), np.log(3e4))) / volume.sum()
    usual = np.log(rng.uniform(0.005, 0.2)) + rng.normal(0, 0.4, leaves)
    for dim, n in enumerate(sizes):
        usual += rng.normal(0, 0.3, n)[cells[:, dim]]
    waver, own = rng.uniform(0, 0.2), rng.uniform(0, 0.5)

    def rate() -> np.ndarray:
        moved = usual + rng.normal(0, 0.1) + rng.normal(0, own, leaves)
        for dim, n in enumerate(sizes):
            moved = moved + rng.normal(0, waver, n)[cells[:, dim]]
        return np.exp(moved)

    causes: set[Terms] = set()
    lift = np.zeros(leaves)
    if change:
        depth = int(rng.choice([1, 2, 3], p=[0.55, 0.35, 0.1]))
        dims = rng.choice(len(sizes), depth, replace=False)
        for _ in range(int(rng.choice([1, 2, 3], p=[0.75, 0.2, 0.05]))):
            for _ in range(200):
                seed = cells[rng.choice(leaves, p=volume / volume.sum())]
                inside = np.logical_and.reduce([cells[:, dim] == seed[dim] for dim in dims])
                share = volume[inside].sum() / volume.sum()
                plain = True  # no shorter condition holds nearly the same events
                for out in dims:
                    rest = [cells[:, dim] == seed[dim] for dim in dims if dim != out]
                    wide = np.logical_and.reduce(rest) if rest else np.ones(leaves, bool)
                    plain &= bool(wide.sum() >= inside.sum() + 2 and volume[wide].sum() > 1.3 * volume[inside].sum())
                if 0.02 <= share <= 0.6 and inside.sum() >= 3 and plain:
                    causes.add(frozenset((int(dim), int(seed[dim])) for dim in dims))
                    lift[inside] = np.log(rng.uniform(1.5, 6)) + rng.normal(0, 0.2, int(inside.sum()))
                    break
    before = rng.poisson(volume * rng.uniform(0.8, 1.2, (minutes, 1)))
    then = np.array([rng.binomial(row, np.minimum(rate(), 0.95)) for row in before])
    after = rng.poisson(volume * rng.uniform(0.8, 1.2))
    now = rng.binomial(after, np.minimum(rate() * np.exp(lift), 0.95))
    return Case(
        [cells[:, dim].astype(np.int32) for dim in range(len(sizes))], sizes, now, then.sum(axis=0),
        after.astype(float), before.sum(axis=0).astype(float), frozenset(causes),
    )  # fmt: skip


def empty(rng: np.random.Generator) -> tuple[Case, np.ndarray | None]:
    """Make events in which no rate changed of itself: the whole drifts, and one value has less traffic than before.

    By turns a rate, a count, and amounts of money with a heavy tail, each event a clump.
    """
    rows = int(rng.integers(5_000, 60_000))
    sizes = rng.integers(2, 40, rng.integers(3, 6)).tolist()
    codes = [rng.choice(n, rows, p=rng.dirichlet(np.full(n, 0.7))).astype(np.int32) for n in sizes]
    usual = np.log(rng.uniform(0.003, 0.05)) + sum(rng.normal(0, 0.5, n)[c] for n, c in zip(sizes, codes, strict=True))
    now = rng.random(rows) < rng.uniform(0.1, 0.5)
    fraud = rng.random(rows) < np.minimum(np.exp(usual + now * rng.normal(0, 0.3)), 0.9)
    turn = int(rng.integers(3))
    if turn == 0:
        kept = ~(now & (codes[0] != 0) & (rng.random(rows) < 0.4))
        parts = [part[kept] for part in (fraud & now, fraud & ~now, now.astype(float), (~now).astype(float))]
        return Case([c[kept] for c in codes], sizes, *parts, frozenset()), None
    amount = fraud * (1.0 if turn == 1 else np.rint(100 * np.exp(rng.normal(3, 1.2, rows))))
    case = Case(codes, sizes, amount * now, amount * ~now, None, None, frozenset())
    return case, np.arange(rows) if turn == 2 else None


def public() -> Iterator[Case]:
    """Yield the public cases: one minute against the minutes before it (all others where there is none)."""
    import pyarrow.parquet as pq

    table = pq.read_table(Path(os.environ["RISKBENCH_PUBLIC_DATA"]) / "rootcause_robustspot.parquet").to_pandas()
    names = ["cdn", "bitrate", "p2p", "device", "isp", "platform", "gameid"]
    for _, rows in table.groupby("case"):
        used = [name for name in names if rows[name].notna().any()]
        words = {name: sorted(rows[name].astype(str).unique()) for name in used}
        codes = [np.searchsorted(words[name], rows[name].astype(str)).astype(np.int32) for name in used]
        now = (rows["min"] == rows["anomaly_timestamp"]).to_numpy()
        then = (rows["min"] < rows["anomaly_timestamp"]).to_numpy()
        then = then if then.any() else ~now
        value, count = rows["value"].to_numpy(float), rows["cnt"].to_numpy(float)
        causes = frozenset(
            frozenset((used.index(name), words[name].index(str(word))) for name, word in cause.items())
            for cause in json.loads(rows["root_cause"].iloc[0])
        )
        yield Case(
            codes, [len(words[name]) for name in used], value * now, value * then, count * now, count * then, causes
        )  # fmt: skip


# --- the methods -----------------------------------------------------------------------------------------------------


def ours(case: Case) -> set[Terms]:
    """Return the conditions that the segment search finds, all options at their defaults."""
    measured = case.current_exposure is None
    found = scan(
        case.codes, case.sizes, current=case.current, baseline=case.baseline,
        current_exposure=case.current_exposure, baseline_exposure=case.baseline_exposure, draws=99,
        **({"measured": True, "way": "both", "depth": len(case.sizes), "least": 1} if measured else {}),
    ).found  # fmt: skip
    return {frozenset(one.terms) for one in found}


def adtributor(case: Case, *, total: float = 0.67, single: float = 0.1) -> set[Terms]:
    """Return the best dimension's values by explanatory power and surprise: the paper's formulas and thresholds.

    Source: Bhagwan, R. et al. (2014), Adtributor: Revenue debugging in advertising systems, NSDI 14.
    """
    best: tuple[float, set[Terms]] = (-np.inf, set())
    for dim, (codes, size) in enumerate(zip(case.codes, case.sizes, strict=True)):
        a1, f1 = (np.bincount(codes, part, size) for part in (case.current, case.baseline))
        if case.current_exposure is None:
            power = (a1 - f1) / max(a1.sum() - f1.sum(), 1e-9, key=abs)
            surprise = _surprise(f1, a1)
        else:
            a2, f2 = (np.bincount(codes, part, size) for part in (case.current_exposure, case.baseline_exposure))
            scale = a2.sum() / f2.sum()
            f1, f2 = f1 * scale, f2 * scale
            power = ((a1 - f1) * f2.sum() - (a2 - f2) * f1.sum()) / (f2.sum() * (f2.sum() + a2 - f2))
            power /= max(power.sum(), 1e-9, key=abs)
            surprise = _surprise(f1, a1) + _surprise(f2, a2)
        chosen: set[Terms] = set()
        explained = surprised = 0.0
        for value in np.argsort(-surprise, kind="stable"):
            if power[value] > single:
                chosen.add(frozenset({(dim, int(value))}))
                explained, surprised = explained + power[value], surprised + surprise[value]
            if explained > total:
                break
        if explained > total and surprised > best[0]:
            best = (surprised, chosen)
    return best[1]


def _surprise(forecast: np.ndarray, actual: np.ndarray) -> np.ndarray:
    p, q = forecast / max(forecast.sum(), 1e-9), actual / max(actual.sum(), 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(p > 0, p * np.log(2 * p / (p + q)), 0) + np.where(q > 0, q * np.log(2 * q / (p + q)), 0)
    return 0.5 * parts


def judge(name: str, method: Callable[[Case], set[Terms]], cases: list[Case]) -> None:
    """Print a method's exact-match precision, recall, F1 and processor time."""
    right = told = true = whole = 0
    started = time.process_time()
    for case in cases:
        found = method(case)
        right, told, true = right + len(found & case.causes), told + len(found), true + len(case.causes)
        whole += found == case.causes
    spent = (time.process_time() - started) / max(1, len(cases))
    f1 = 2 * right / max(1, told + true)
    print(
        f"  {name:<16} F1 {f1:.3f}   precision {right / max(1, told):.2f}   recall {right / max(1, true):.2f}"
        f"   whole cases {whole / max(1, len(cases)):.2f}   {1000 * spent:8.1f} ms of processor time a case"
    )


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=60, help="generated cases of each kind")
    parser.add_argument("--empty", type=int, default=1000, help="data sets in which nothing changed")
    parser.add_argument("--seed", type=int, default=2026, help="of the generated cases; 1 and 2 chose the constants")
    given = parser.parse_args()
    methods = (("segment search", ours), ("Adtributor", adtributor))
    ours(rates(np.random.default_rng(0)))  # what is loaded once is loaded now
    sets: list[tuple[str, list[Case]]] = []
    if "RISKBENCH_PUBLIC_DATA" in os.environ:
        sets.append(("public rate incidents", list(public())))
    for name, make in (("generated rate incidents", rates), ("generated additive incidents, 48,000 leaves", additive)):
        sets.append((name, [make(np.random.default_rng([given.seed, i])) for i in range(given.cases)]))
    for name, cases in sets:
        print(f"{name} ({len(cases)})")
        for method, function in methods:
            judge(method, function, cases)
    false = 0
    for place in range(given.empty):
        case, clumps = empty(np.random.default_rng([given.seed, 9, place]))
        found = scan(
            case.codes, case.sizes, current=case.current, baseline=case.baseline, clumps=clumps,
            current_exposure=case.current_exposure, baseline_exposure=case.baseline_exposure, draws=99, seed=place,
        ).found  # fmt: skip
        false += bool(found)
    print(f"nothing changed ({given.empty}): {false / max(1, given.empty):.1%} false alarms at a level of 5 %")


if __name__ == "__main__":
    main()
