"""A small market with an attack in it, for the questions of an incident."""

from __future__ import annotations

import numpy as np
import pandas as pd

import riskbench as rb
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.scope import Scope, scope_of

START, END = "2026-10-20", "2026-10-22"
BOOK = rb.RuleBook.from_yaml(
    """
    book: crafted
    domain: transactions
    lists: {trusted: [b1, b2]}
    rules:
      - {id: TX-1, when: "amount > :limit AND pay = 'cod'", params: {limit: {default: 900, min: 100}},
         outcome: review, priority: 20, status: live}
      - {id: TX-2, when: "age_days < :days", params: {days: 2}, outcome: challenge, priority: 30, status: live,
         regions: {SG: {days: 4}}}
      - {id: TX-3, when: "amount / items > :each", params: {each: 800}, outcome: block, priority: 10, status: live}
      - {id: TX-4, when: "pay = 'cod' AND age_days < :days", params: {days: 20}, outcome: review, priority: 40,
         status: shadow}
      - {id: TX-5, when: "buyer IN :trusted", outcome: approve, priority: 1, status: live}
      - {id: TX-6, when: "note LIKE 'x%'", outcome: review, priority: 50, status: draft}
    """
)


def frame_of(rows: int = 2_400, *, seed: int = 0, until: str = END, attackers: int = 80) -> pd.DataFrame:
    """Events of twenty quiet days and an attack of young accounts on cash orders from the 20th on."""
    rng = np.random.default_rng(seed)
    first, last = pd.Timestamp("2026-10-01"), pd.Timestamp(until)
    seconds = int((last - first).total_seconds())
    at = first + pd.to_timedelta(np.sort(rng.integers(0, seconds, rows)), unit="s")
    late = np.flatnonzero(at >= pd.Timestamp(START))
    attack = np.zeros(rows, dtype=bool)
    attack[rng.choice(late, min(attackers, len(late)), replace=False)] = True
    age = np.where(attack, rng.integers(3, 12, rows), rng.integers(0, 900, rows)).astype(float)
    age[rng.random(rows) < 0.03] = np.nan
    frame = pd.DataFrame(
        {
            "id": [f"o{n}" for n in range(rows)],
            "at": at,
            "amount": np.where(attack, rng.uniform(300, 1_000, rows), rng.lognormal(5, 1, rows)).round(2),
            "items": rng.integers(0, 4, rows),
            "pay": np.where(attack, "cod", rng.choice(["cod", "card", "wallet"], rows)),
            "land": rng.choice(["ID", "SG"], rows),
            "age_days": pd.array(np.where(np.isnan(age), None, age), dtype="Float64"),
            "buyer": [f"b{n}" for n in rng.integers(0, 500, rows)],
            "device": np.where(attack, [f"r{n}" for n in rng.integers(0, 6, rows)], [f"d{n}" for n in range(rows)]),
            "note": None,
            "score": np.clip(rng.random(rows) + 0.2 * attack, 0, 1).round(4),
            "outcome": rng.choice(["approve", "approve", "approve", "review", "block"], rows),
            "attack": attack,
        }
    )
    known = rng.random(rows) < 0.5
    frame["fraud"] = pd.array(np.where(attack & known, 1.0, np.where(~attack & known, 0.0, np.nan)), dtype="Float64")
    frame.loc[frame["fraud"].isna(), "fraud"] = pd.NA
    frame["told"] = frame["at"] + pd.Timedelta(days=1)
    return frame.astype({"note": "string"})


def roles(**changes: object) -> rb.Roles:
    held = rb.Roles(
        id="id", time="at", amount="amount", label="fraud", label_time="told", score="score", outcome="outcome",
        region="land", entities=("buyer", "device"), segments=("pay",), currency="IDR",
    )  # fmt: skip
    return held.with_roles(**changes)


def scope(frame: pd.DataFrame, *, book: rb.RuleBook | None = BOOK, end: str = END, **changes: object) -> Scope:
    """Return the scope of the attack; the truth is no column of it."""
    events = rb.read(frame.drop(columns="attack"), roles=roles(**changes))
    return scope_of(rb.Incident(START, end), events, book=book, asof="2026-12-01")


def suspected(held: Scope, frame: pd.DataFrame, condition: str | None = None) -> Cluster:
    """Return the attack's events in the window as the cluster."""
    rows = np.flatnonzero(frame["attack"].to_numpy() & held.current)
    return Cluster(rows, "the truth", condition, "segments")
