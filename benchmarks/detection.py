"""How many alarms are false, and what is found of what is known: generated shops, terminals and cards, an attack.

Run: python benchmarks/detection.py [--shops 300] [--data FOLDER]

Constants of the scan were chosen on the generated shops alone (tests/unchanged.py); the public sets are the check,
and the column that names a fraud's scenario is read only after the scan. CPU seconds of the whole process.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import riskbench as rb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import unchanged  # the generator that the tests use


def false_alarms(shops: int) -> None:
    print("no change: share of shops with any alarm at a level of 5 %")
    for rows, days in ((3_000, 45), (12_000, 90), (40_000, 180)):
        many = max(20, shops * 12_000 // max(rows, 12_000))
        began, held = time.process_time(), np.zeros(3)
        for seed in range(many):
            scan = rb.scan(unchanged.read(unchanged.frame_of(5_000 + seed, rows=rows, days=days)))
            held += (scan.found > 0, scan.found_entities > 0, scan.found + scan.found_entities > 0)
        segments, entities, either = 100 * held / many
        seconds = (time.process_time() - began) / many
        print(
            f"  {rows:>6,} orders, {days} days, {many} seeds: segments {segments:.1f} %, entities {entities:.1f} %, "
            f"either {either:.1f} %; {seconds:.2f} s each with the drawing"
        )


def planted(shops: int) -> None:
    print("planted: 120 orders in one city by cash within 30 hours, among 6,000 in 60 days")
    first, error = 0, []
    for seed in range(shops):
        frame = unchanged.plant(
            unchanged.frame_of(seed, rows=6_000, days=60), seed, start="2026-04-20 07:20", hours=30, orders=120,
            where={"city": "port", "payment": "cash"},
        )  # fmt: skip
        table = rb.scan(unchanged.read(frame)).frame()
        if len(table) and table.iloc[0]["segment"] in ("city port", "payment cash"):
            first += 1
            error.append(abs((table.iloc[0]["start"] - pd.Timestamp("2026-04-20 07:20")).total_seconds()) / 3600)
    print(f"  true segment first in {first} of {shops}; start off by {np.median(error):.1f} hours (median)")


def marketplace(seeds: int) -> None:
    print("synthetic marketplace: the raid of 11.11, looked for since 2026-11-09 as known on 2026-11-15")
    first, hours, share = 0, [], []
    for seed in range(seeds):
        market = rb.marketplace(orders=50_000, region="ID", seed=seed)
        truth = market.incidents.iloc[0]
        scan = rb.scan(market.datasets["transactions"], since="2026-11-09", asof="2026-11-15")
        if not len(scan.frame()):
            continue
        top = scan.frame().iloc[0]
        creators = {name for name in truth["creators"] if name in str(top["condition"])}
        bursts = scan.frame("entities")
        creators |= set(truth["creators"]) & set(bursts.loc[bursts["column"] == "creator_id", "value"])
        first += any(name in str(top["condition"]) for name in truth["creators"])
        hours.append(abs((top["start"] - truth["starts_at"]).total_seconds()) / 3600)
        share.append(len(creators) / len(truth["creators"]))
    print(
        f"  its creators first in {first} of {seeds}; start off by {np.median(hours):.1f} hours (median); "
        f"{100 * np.mean(share):.0f} % of its creators named"
    )


def terminals(folder: Path) -> None:
    frame = pd.read_parquet(folder / "txn_fdh_2018q2.parquet")
    roles = rb.Roles(
        id="TRANSACTION_ID", time="TX_DATETIME", label="TX_FRAUD", amount="TX_AMOUNT", currency="EUR",
        entities=("CUSTOMER_ID", "TERMINAL_ID"),
    )  # fmt: skip
    events = rb.read(frame.drop(columns="TX_FRAUD_SCENARIO"), roles=roles)
    began = time.process_time()
    table = rb.scan(events).frame("entities")
    print(f"card payments: {len(frame):,} events in {time.process_time() - began:.1f} s")
    for column, scenario in (("TERMINAL_ID", 2), ("CUSTOMER_ID", 3)):
        rows = frame[frame["TX_FRAUD_SCENARIO"] == scenario]
        told, begins = rows.groupby(column).size(), rows.groupby(column)["TX_DATETIME"].min()
        own = table[table["column"] == column]
        who = own["value"].astype(int)
        true = who.isin(told.index)
        strongest = own[true.to_numpy()].drop_duplicates("value")
        off = (strongest["start"] - strongest["value"].astype(int).map(begins)).abs().dt.total_seconds() / 86_400
        several = set(told.index[told >= 3])
        print(
            f"  scenario {scenario}, {column}: {len(set(who[true]))} of {len(told)} found "
            f"({len(set(who) & several)} of {len(several)} with three frauds or more), purity "
            f"{100 * len(set(who[true])) / len(set(who)):.1f} %, start off by {off.median():.1f} days "
            f"(median), {off.mean():.1f} (mean)"
        )


def attack(folder: Path) -> None:
    roles = rb.Roles(
        id="user_id", time="purchase_time", label="class", amount="purchase_value", region="country", currency="USD",
        entities=("device_id", "ip_address"),
    )  # fmt: skip
    events = rb.read(folder / "accounts_fraud_ecommerce.parquet", roles=roles)
    began = time.process_time()
    scan = rb.scan(events)
    top = scan.frame().iloc[0]
    print(
        f"new accounts: {top['measure']}, {top['segment']}, {top['start']} to {top['end']}, {top['observed']:.0f} for "
        f"{top['expected']:.0f}; {scan.found} findings, {scan.found_entities} entities; "
        f"{time.process_time() - began:.1f} s"
    )


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--shops", type=int, default=300)
    asked.add_argument("--data", default=os.environ.get("RISKBENCH_PUBLIC_DATA"))
    given = asked.parse_args()
    sample = rb.sample("transactions", "ID", orders=50_000, seed=7)
    rb.scan(sample, measures=["events"], entities=[])
    began = time.process_time()
    rb.scan(sample)
    print(f"sample: 50,000 orders in {time.process_time() - began:.1f} s")
    if given.data:
        terminals(Path(given.data))
        attack(Path(given.data))
    marketplace(max(3, given.shops // 30))
    planted(max(10, given.shops // 10))
    false_alarms(given.shops)
