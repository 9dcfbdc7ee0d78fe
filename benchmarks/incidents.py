"""How well is a planted incident found? Start, segment and members over many seeds of the synthetic marketplace.

Run: `python benchmarks/incidents.py [seeds] [region]`. The raid's moment is drawn anew for each seed, so that nothing
can be tuned to one day; the window handed over is wide: two days before the start to three days after it. A segment
counts as a true one when the strongest segment names a column's value that the raid was planted in.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

import riskbench as rb

#: The largest share of good events among those called members for which members count as found.
PURITY = 0.90


def drawn(seed: int) -> str:
    """Return a moment of the last eight weeks, local time, on the minute."""
    rng = np.random.default_rng([seed, 20])
    day = pd.Timestamp("2026-09-21") + pd.Timedelta(days=int(rng.integers(0, 50)))
    return f"{day + pd.Timedelta(minutes=int(rng.integers(0, 1440))):%Y-%m-%dT%H:%M}"


def one(seed: int, orders: int, region: str) -> dict[str, object]:
    """Return how one seed's raid was found."""
    market = rb.marketplace(orders=orders, region=region, seed=seed, raid=drawn(seed))
    truth = market.incidents[0] if isinstance(market.incidents, list) else market.incidents.iloc[0].to_dict()
    events = market.datasets["transactions"]
    start, end = pd.Timestamp(truth["starts_at"]), pd.Timestamp(truth["ends_at"])
    incident = rb.Incident(str(start.floor("D") - pd.Timedelta(days=2)), str(start.floor("D") + pd.Timedelta(days=4)))
    begun = time.process_time()
    asked = rb.investigate(incident, events, asof=str(end + pd.Timedelta(days=4)), seed=seed)
    found, held = asked.timeline, asked.segments.frame()
    late = None if found.start is None else abs((pd.Timestamp(found.start) - start).total_seconds()) / 3600
    ids = events.frame(["order_id", "buyer_id"])
    picked = ids.iloc[asked.cluster.rows]
    planted = set(truth["events"])
    hit = picked["order_id"].isin(planted)
    buyers, suspects = set(truth["buyers"]), set(picked["buyer_id"])
    top = str(held["condition"].iloc[0]) if len(held) else ""
    return {
        "seed": seed,
        "hours_off": late,
        "events": len(planted),
        "suspected": len(picked),
        "purity": float(hit.mean()) if len(picked) else None,
        "events_found": float(hit.sum() / len(planted)),
        "members_found": len(buyers & suspects) / len(buyers),
        "member_purity": len(buyers & suspects) / len(suspects) if suspects else None,
        "segment_right": bool(values_of(truth["segments"]) & set(top.split(" AND "))),
        "top": top,
        "seconds": time.process_time() - begun,
    }


def values_of(segments: dict[str, tuple[object, ...]]) -> set[str]:
    """Return each value that the raid was planted in as the rule text that picks it."""
    pairs = [(column, value) for column, values in segments.items() for value in values]
    return {column if value is True else f"{column} = '{value}'" for column, value in pairs}


def main(seeds: int, orders: int, region: str) -> None:
    """Print a line a seed, and the three figures."""
    rows = pd.DataFrame([one(seed, orders, region) for seed in range(seeds)])
    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.max_colwidth", 60):
        print(rows.round(2).to_string(index=False))
    pure = rows["member_purity"].fillna(0) >= PURITY
    print(f"\n{seeds} seeds of {orders:,} orders in {region}, moment of the raid drawn")
    print(
        f"start: median {rows['hours_off'].median():.2f} h off, found in {rows['hours_off'].notna().sum()} of {seeds}"
    )
    print(
        f"members: {(rows['members_found'] * pure).mean():.2f} found at {PURITY:.0%} purity "
        f"({pure.sum()} of {seeds} seeds reach it); {rows['members_found'].mean():.2f} at any"
    )
    print(f"segment: a true one ranked first in {rows['segment_right'].mean():.0%} of seeds")
    print(f"CPU a seed: {rows['seconds'].median():.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, 50_000, sys.argv[2] if len(sys.argv) > 2 else "ID")
