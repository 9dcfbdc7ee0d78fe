"""Who is linked: time and memory on large graphs beside scipy, and rings planted in the synthetic marketplace.

Run: python benchmarks/links.py [--edges 10000000] [--seeds 3] [--orders 50000] [--part speed|rings]

Speed. CPU seconds and peak memory of a fresh process each: components of 10M edges (whole numbers in memory)
beside scipy.sparse.csgraph, the partitions checked equal; densest-block search on 1M edges with a ring of 300
accounts and 60 objects at density .5, 30 edges a member to popular objects beside: precision and recall of it.

Rings. Week after week of each seed's marketplace is a window; nothing of the truth is seen. A planted ring counts
with at least three accounts active in the week. recall: its accounts in the found ring that holds most of them;
purity: that ring's accounts which are its own (cover trade of the same ring is its own), and of its own scheme
(several planted rings may work for one creator); called: shares of
its found rings that are called suspicious, with labels as known two days after the week (live) and at the end of the
data (told). Honest look-alikes are counted apart. Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

BARS = {"components": (20.0, 4.0), "block": 15.0, "precision": 0.95, "recall": 0.85}


def bipartite(edges: int, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Accounts and objects: each edge ties one of the first to one of the second."""
    rng = np.random.default_rng(seed)
    accounts, objects = int(edges * 0.4), int(edges * 0.6)
    a = rng.integers(0, accounts, edges, dtype=np.int32)
    return a, rng.integers(0, objects, edges, dtype=np.int32) + np.int32(accounts), accounts + objects


def ours(edges: int) -> dict[str, float]:
    from riskbench.engine.graph import components

    components(np.array([0]), np.array([1]), nodes=2)  # loads what was compiled
    a, b, nodes = bipartite(edges, 1)
    begun = time.process_time()
    label = components(a, b, nodes=nodes)
    return {"seconds": time.process_time() - begun, "answer": float(label.max()), "check": checksum(label)}


def scipys(edges: int) -> dict[str, float]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b, nodes = bipartite(edges, 1)
    begun = time.process_time()
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(nodes, nodes)).tocsr()
    count, label = connected_components(graph, directed=False)
    return {"seconds": time.process_time() - begun, "answer": float(count - 1), "check": checksum(label)}


def checksum(label: np.ndarray) -> float:
    """A number that is the same for equal partitions, whatever their components are called."""
    first = np.full(int(label.max()) + 1, len(label), dtype=np.int64)
    np.minimum.at(first, label, np.arange(len(label)))
    return float((first[label] % 1_000_003 * (np.arange(len(label)) % 10_007)).sum() % (1 << 50))


def block(edges: int) -> dict[str, float]:
    from riskbench.engine.graph import densest

    densest(np.array([0]), np.array([0]), sizes=(1, 1))
    rng = np.random.default_rng(2)
    n, m = int(edges * 0.3), int(edges * 0.2)
    rows, columns = rng.integers(0, n, edges), (rng.pareto(1.2, edges) * 50).astype(np.int64) % m
    members, objects = rng.choice(n, 300, replace=False), rng.choice(m, 60, replace=False)
    r, c = np.nonzero(rng.random((300, 60)) < 0.5)
    rows = np.concatenate([rows, members[r], np.repeat(members, 30)])
    columns = np.concatenate([columns, objects[c], rng.choice(columns, 9_000)])
    begun = time.process_time()
    found = densest(rows, columns, sizes=(n, m))
    spent = time.process_time() - begun
    hit = int(np.isin(found.rows, members).sum())
    return {"seconds": spent, "precision": hit / len(found.rows), "recall": hit / 300,
            "density": found.density, "bound": found.bound}  # fmt: skip


WAYS = {"ours": ours, "scipy": scipys, "block": block}


def fresh(way: str, edges: int) -> dict[str, float]:
    """Run one way in a process of its own."""
    told = subprocess.run(
        [sys.executable, __file__, "--way", way, "--edges", str(edges)], check=True, capture_output=True, text=True
    )
    return json.loads(told.stdout.splitlines()[-1])


def speed(edges: int) -> bool:
    mine, peer, dense = fresh("ours", edges), fresh("scipy", edges), fresh("block", edges // 10)
    same = mine["check"] == peer["check"] and mine["answer"] == peer["answer"]
    print(f"components of {edges:,} edges, the same partition: {same}")
    for name, held in (("riskbench", mine), ("scipy.csgraph", peer)):
        print(f"  {name:<16}{held['seconds']:>7.2f} CPU s{held['peak']:>7.2f} GB at peak")
    print(f"densest block of {edges // 10:,} edges: {dense['seconds']:.2f} CPU s, {dense['peak']:.2f} GB at peak, "
          f"precision {dense['precision']:.3f}, recall {dense['recall']:.3f}, "
          f"density {dense['density']:.2f} of at most {dense['bound']:.2f}")  # fmt: skip
    seconds, memory = BARS["components"]
    return bool(
        same and mine["seconds"] < seconds and mine["peak"] < memory and dense["seconds"] < BARS["block"]
        and dense["precision"] >= BARS["precision"] and dense["recall"] >= BARS["recall"]
    )  # fmt: skip


def planted(orders: int, seed: int, region: str, domain: str) -> pd.DataFrame:
    """One row a planted ring and week: how it was found."""
    import riskbench as rb
    from riskbench.incidents.entities import who
    from riskbench.incidents.scope import scope_of

    market = rb.marketplace(region=region, orders=orders, seed=seed)
    events = market.datasets[domain]
    truth = market.truth[market.truth["domain"] == domain].astype({"event_id": str, "scheme": str, "ring": str})
    ids = events.frame([events.roles.id])[events.roles.id].astype(str).to_numpy()
    at = pd.Series(np.arange(len(ids)), index=ids)[truth["event_id"]].to_numpy()
    scheme, ring = np.full(len(ids), "", dtype=object), np.full(len(ids), "", dtype=object)
    honest = np.ones(len(ids), dtype=bool)
    scheme[at], ring[at], honest[at] = truth["scheme"], truth["ring"], truth["look_alike"]
    times = events.column("time").values.astype(np.int64)
    days = pd.date_range(pd.Timestamp(times.min(), unit="us").normalize() + pd.Timedelta(days=28),
                         pd.Timestamp(times.max(), unit="us"), freq="7D")  # fmt: skip
    rows = []
    for day in days[:-1]:
        incident = rb.Incident(str(day), str(day + pd.Timedelta(days=7)))
        live = who(scope_of(incident, events, asof=str(day + pd.Timedelta(days=9))))
        told = who(scope_of(incident, events))
        accounts = told.found.web.account.codes
        groups = {"live": live.found.groups.ring, "told": told.found.groups.ring}
        flagged = {"live": live.found.suspicious, "told": told.found.suspicious}
        now = (times >= day.value // 1000) & (times < (day + pd.Timedelta(days=7)).value // 1000) & (accounts >= 0)
        frame = pd.DataFrame(
            {"account": accounts[now], "ring": ring[now], "scheme": scheme[now], "honest": honest[now]}
        )
        for how, group in groups.items():
            frame[how] = group[frame["account"]]
        frame["found"] = frame["told"]
        own = frame[frame["ring"] != ""].groupby("ring")["account"].agg(set)
        like = frame[frame["scheme"] != ""].groupby("scheme")["account"].agg(set)
        of_found = frame[frame["found"] >= 0].groupby("found")["account"].agg(set)
        real = frame[frame["scheme"].isin(["", "cover_trade"]) == 0]
        for (name, which), part in real.groupby(["ring", "scheme"]):
            members = set(part["account"])
            if len(members) < 3:
                continue
            once = part.drop_duplicates("account")
            held = once["found"].value_counts()
            held = held[held.index >= 0]
            best = int(held.index[0]) if len(held) else -1
            inside = of_found[best] if best >= 0 else set()
            rows.append(
                {
                    "scheme": which, "look_alike": bool(part["honest"].iloc[0]), "accounts": len(members),
                    "recall": len(members & inside) / len(members),
                    "purity": len(inside & own[name]) / len(inside) if inside else np.nan,
                    "purity_scheme": len(inside & (like[which] | own[name])) / len(inside) if inside else np.nan,
                    "found": len(members & inside) >= 3,
                    **{f"called_{how}": called(once[how], flag) for how, flag in flagged.items()},
                }
            )  # fmt: skip
        for how, flag in flagged.items():
            mine = frame[frame[how] >= 0]
            mine = mine[flag[mine[how].to_numpy()]]
            kinds = [mine["scheme"] == "", mine["scheme"] == "cover_trade", mine["honest"]]
            said = np.select(kinds, ["plain honest", "cover trade", "look-alike"], "scheme")
            rows += [{"scheme": f"({how}) {what}", "accounts": int((said == what).sum()), "look_alike": False}
                     for what in ("scheme", "cover trade", "look-alike", "plain honest")]  # fmt: skip
    return pd.DataFrame(rows)


def called(found: pd.Series, flag: np.ndarray) -> bool:
    """Whether the found ring that holds most of these accounts is called suspicious."""
    held = found[found >= 0].value_counts()
    return bool(len(held)) and bool(flag[int(held.index[0])])


def rings(orders: int, seeds: int, region: str, domain: str) -> None:
    begun = time.process_time()
    whole = pd.concat([planted(orders, 100 + seed, region, domain) for seed in range(seeds)])
    asides = whole["scheme"].str.startswith("(")
    held = whole[~asides]
    print(f"\n{domain}, {region}: {seeds} seeds of {orders:,} orders, {time.process_time() - begun:.0f} CPU s")
    for title, part in (
        ("schemes", held[~held["look_alike"].astype(bool)]),
        ("honest look-alikes", held[held["look_alike"].astype(bool)]),
    ):
        table = part.groupby("scheme").agg(
            rings=("recall", "size"), recall=("recall", "mean"), purity=("purity", "mean"),
            purity_scheme=("purity_scheme", "mean"), found=("found", "mean"),
            called_live=("called_live", "mean"), called_told=("called_told", "mean"),
        )  # fmt: skip
        print(f"{title}\n{table.round(2).to_string()}")
    called = whole[asides].groupby("scheme", sort=False)["accounts"].sum()
    print("events of rings called suspicious: " + "; ".join(f"{name} {int(n):,}" for name, n in called.items()))


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--edges", type=int, default=10_000_000)
    reader.add_argument("--orders", type=int, default=50_000)
    reader.add_argument("--seeds", type=int, default=3)
    reader.add_argument("--region", default="ID")
    reader.add_argument("--part", choices=("speed", "rings", "all"), default="all")
    reader.add_argument("--way", choices=list(WAYS), default=None)
    asked = reader.parse_args()
    if asked.way:
        held = WAYS[asked.way](asked.edges)
        held["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps(held))
        return 0
    kept = speed(asked.edges) if asked.part in ("speed", "all") else True
    if asked.part in ("rings", "all"):
        for domain in ("transactions", "kyc", "onboarding", "affiliation"):
            rings(asked.orders, asked.seeds, asked.region, domain)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
