"""A small playbook over a CSV file and a rule book: data, rules, parameters and code can be moved one by one."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from light import written

import riskbench as rb
from riskbench.runner import seal

PARAMETERS = """
source: str | None = None  # the events
roles: dict = {}  # which column plays which part
region: str | None = None  # one region
asof: str | None = None  # only verdicts known by then
book: str | None = None  # the rule book
weight: float = 1.0  # what an alert weighs
extra: str | None = None  # a file with a number more
seed: int = 7  # of draws
orders: int = 3000  # of the sample
"""

COUNT = """
import pandas as pd
from riskbench.display import Fact, Result, result


@result
class Watch(Result):
    kind = "watch"
    title = "Watch"
    main = "rules"
    rules: pd.DataFrame
    members: pd.DataFrame
    alerts: int = 0
    weight: float = 1.0
    spread: float = 0.0

    def headline(self):
        weighted = self.alerts * self.weight
        margin = 1.96 * self.weight * self.alerts**0.5
        said = "many" if self.alerts > 120 else "few"
        return (
            Fact("Said", said, "text"),
            Fact("Weighted", weighted, "money", lower=weighted - margin, upper=weighted + margin, currency="IDR"),
            Fact("Alerts", self.alerts, "count"),
            Fact("Per event", self.alerts / self.spread, "share", lower=0.0, upper=1.0, n=int(self.spread)),
            Fact("Fraud told", None, note="nobody looked"),
        )
"""

WORK = """
held = rb.simulate(book, events, asof=run.asof)
frame = held.frame("rules")[["rule", "hits"]]
big = events.frame(["buyer", "amount"]).query("amount > 300")
members = big.groupby("buyer", as_index=False).agg(events=("amount", "size"))
members = members.assign(buyer=members["buyer"].map(str))
alerts = int(frame["hits"].sum()) + (int(open(extra).read()) if extra else 0)
watch = Watch(rules=frame, members=members, alerts=alerts, weight=run.weight, spread=float(events.rows))
watch
"""

BOOK = """
book: watch
domain: transactions
rules:
  - {id: W-1, title: High, when: "amount > :limit", params: {limit: 400}, outcome: review, status: live}
  - {id: W-2, title: Odd, when: "buyer = 3", outcome: block, priority: 5, status: live}
"""
MOVED_BOOK = BOOK.replace("limit: 400", "limit: 250") + (
    '  - {id: W-3, title: New, when: "amount < 20", outcome: review, status: live}\n'
)
ROLES = {"id": "order", "time": "placed", "label": "fraud", "amount": "amount", "region": "land"}


def events(rows: int, *, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    placed = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 60 * 86_400, rows)), unit="s")
    return pd.DataFrame(
        {
            "order": [f"o{row}" for row in range(rows)],
            "placed": placed.astype(str),
            "amount": rng.integers(1, 500, rows),
            "buyer": rng.integers(0, 40, rows),
            "fraud": (rng.random(rows) < 0.1).astype(int),
            "land": rng.choice(["ID", "NO"], rows),
        }
    )


def notebook() -> dict:
    cells = [
        ("markdown", "# Watch\n\nHow many alerts are there?", ()),
        ("code", PARAMETERS.strip(), ("parameters",)),
        ("markdown", "## Begin", ()),
        ("code", 'import riskbench as rb\n\nrun = rb.start("watch", globals())\nrun', ("reviewers-only",)),
        ("markdown", "## Read", ()),
        ("code", "events = run.dataset()\nevents", ()),
        ("code", "book = run.rule_book()\nbook", ()),
        ("code", COUNT.strip(), ()),
        ("markdown", "## Count", ()),
        ("code", WORK.strip(), ()),
        ("code", "run.finish(watch)", ("reviewers-only",)),
    ]
    told = {
        "id": "watch",
        "title": "Watch",
        "question": "How many alerts are there?",
        "parameters": {
            "source": {"format": "source"},
            "roles": {"format": "roles"},
            "book": {"format": "book"},
        },
    }
    return written(cells, told)


@dataclass(frozen=True)
class Place:
    """A working folder with events, books and a playbook."""

    root: Path
    name: str = ""

    @property
    def out(self) -> Path:
        return self.root / "runs"

    def run(self, **more: object) -> rb.Run:
        """Run the playbook with some parameters changed; `out` names another folder."""
        out = more.pop("out", self.out)
        asked = {"source": "data/events.csv", "roles": ROLES, "book": "book.yaml", **more}
        ended = rb.run(self.root / "playbooks" / "watch.ipynb", asked, out=out)
        assert ended.status == "done", ended.message
        return ended

    @property
    def first(self) -> Path:
        """The folder of the run that was made beforehand."""
        return self.out / self.name

    def record(self) -> dict:
        return json.loads((self.first / "run.json").read_text("utf-8"))


def edit_ledger(place: Place, change, headline=lambda facts: None) -> None:
    """Make the run another one: in its run.json, and in the ledger that vouches for that."""
    record = place.record()
    with sqlite3.connect(place.out / "riskbench.db") as held:
        (text,) = held.execute("SELECT stamp FROM riskbench_runs").fetchone()
        stamp, values = json.loads(text), record["parameters"]
        change(stamp, values)
        headline(record["headline"])
        record["stamp"] = {name: mark for name, mark in stamp.items() if name not in ("seal", "at")}
        (place.first / "run.json").write_text(json.dumps(record), encoding="utf-8")
        if "seal" in stamp:
            stamp["seal"]["run.json"] = seal.digest(place.first, "run.json")
        row = [json.dumps(part) for part in (stamp, values, record["headline"])]
        held.execute("UPDATE riskbench_runs SET stamp = ?, parameters = ?, headline = ?", row)
    held.close()
