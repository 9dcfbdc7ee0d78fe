"""Do the intervals of the growth side hold what is true?

Run: python benchmarks/growth.py [--seeds 1000] [--part insult|approval|frontier]

Insults: customers join and leave by themselves, new ones more often; new ones are also held more often, and a held one
leaves for it with a chance of 0.25. True is the change in the share without a further order, and in the orders, in 60
days, on average over those held. Naive is the plain difference. Approvals: customers differ in how often they are
stopped, new ones more; true are the rates of the population, of good events through a let-through of one in five.
Frontier: amounts are lognormal (sigma 1), one in fifty a fraud, verdicts come after a lognormal delay (median 15 days);
history reviewed by a worse score. True is the loss in basis points of the population at the cut that each seed chose,
on its later window, and by how much history lies above the frontier. Naive counts the verdicts in hand.

                        what  seeds  coverage    truth    error  naive_error  not_measurable
                  held: left   1000    0.9620   0.1981  -0.0029       0.0568          0.0000
                held: orders   1000    0.9590  -0.6250   0.0023      -0.3997          0.0000
               approved: all   1000    0.9520   0.8609  -0.0004          NaN          0.0000
             approved: money   1000    0.9510   0.8608  -0.0009          NaN          0.0000
              approved: good   1000    0.9490   0.8709  -0.0006       0.1291          0.0000
approved: new less returning   1000    0.9620  -0.1075  -0.0007          NaN          0.0000
   frontier: loss at the cut   1000    0.9560 121.9860   4.2236     -25.8940          0.0000
   frontier: loss of history   1000    0.9420 282.1147  -0.2316          NaN          0.0000
         frontier: gap to it   1000    0.9410 163.4354  -6.4404          NaN          0.0000
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

import riskbench as rb

DAYS, SPAN, LEAVES = 60, 240, 0.25
START = pd.Timestamp("2026-01-01")
#: One line a check: name, truth (or NaN: the mean over seeds of `own`), estimate, lower, upper, naive, own truth.
Line = tuple[str, float, float | None, float | None, float | None, float, float]


def buyers(rng: np.random.Generator, many: int = 700) -> tuple[pd.DataFrame, float, float]:
    """Return events of customers of whom some are held, and the true change in leaving and in orders over 60 days."""
    joined = rng.uniform(-150, SPAN - 20, many)
    pace = rng.lognormal(np.log(18.0), 0.5, many)
    rows, shares, orders = [], [], []
    for buyer in range(many):
        gaps = rng.exponential(pace[buyer], 80)
        at = joined[buyer] + np.concatenate([[0.0], np.cumsum(gaps)])
        fresh = at - joined[buyer] < 30
        stays = np.cumprod(rng.random(len(at)) >= np.where(fresh, 0.22, 0.04)) > 0
        at = at[: 1 + int(stays.sum())]
        fresh = at - joined[buyer] < 30
        held = rng.random(len(at)) < np.where(fresh, 0.16, 0.04)
        gone = held & (rng.random(len(at)) < LEAVES)
        end = int(np.argmax(gone)) + 1 if gone.any() else len(at)
        first = np.flatnonzero(gone)
        for k in range(len(at)):
            if not 0 <= at[k] <= SPAN or k >= end:
                continue
            rows.append((buyer, at[k], held[k], at[k] - joined[buyer]))
            quiet = not (held[:k] & (at[:k] > at[k] - DAYS) & (at[:k] >= 0)).any()
            if held[k] and quiet and at[k] + DAYS <= SPAN:
                later = first[first > k]
                until = int(later[0]) + 1 if len(later) else len(at)
                count = int(((at[k + 1 : until] > at[k]) & (at[k + 1 : until] <= at[k] + DAYS)).sum())
                shares.append(LEAVES * (count > 0))
                orders.append(-LEAVES * count)
    frame = pd.DataFrame(rows, columns=["buyer_id", "day", "held", "buyer_age_days"])
    frame["done"] = np.where(
        frame["held"], rng.choice(["review", "challenge"], len(frame), p=[0.999, 0.001]), "approve"
    )
    frame["amount"] = np.round(rng.lognormal(3.0, 1.0, len(frame)), 2)
    frame["fraud"] = (rng.random(many) < 0.02)[frame["buyer_id"]].astype(int)
    frame["at"] = START + pd.to_timedelta((frame["day"] * 86_400).astype(int), unit="s")
    frame["id"] = np.arange(len(frame))
    return frame, float(np.mean(shares)), float(np.mean(orders))


def insult(seed: int) -> Iterator[Line]:
    rng = np.random.default_rng([seed, 1])
    frame, share, orders = buyers(rng)
    last = pd.DataFrame({"buyer_id": [-1], "at": [START + pd.Timedelta(days=SPAN)], "done": "approve", "amount": 1.0,
                         "fraud": 0, "id": [len(frame)], "buyer_age_days": 1.0})  # fmt: skip
    frame = pd.concat([frame.drop(columns=["day", "held"]), last], ignore_index=True)
    roles = rb.Roles(id="id", time="at", label="fraud", amount="amount", outcome="done", entities=("buyer_id",))
    found = rb.insult_price(rb.read(frame, roles=roles), days=DAYS)
    for name, measure, own in (("held: left", "left", share), ("held: orders", "later_orders", orders)):
        row = found.row("review", measure)
        yield name, np.nan, row["change"], row["lower"], row["upper"], row.get("naive", np.nan), own


def decided(rng: np.random.Generator, many: int = 500) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return events that history decided, with a let-through of one in five, and the true rates of this draw."""
    count = 1 + rng.poisson(rng.gamma(2.0, 1.5, many))
    buyer = np.repeat(np.arange(many), count)
    order = np.concatenate([np.arange(k) for k in count])
    tilt = rng.normal(0.0, 0.8, many)[buyer]
    fraud = rng.random(len(buyer)) < 0.03
    risk = 1 / (1 + np.exp(-(-2.4 + 0.9 * (order == 0) + tilt + 2.0 * fraud)))
    stop = rng.random(len(buyer)) < risk
    drawn = stop & (rng.random(len(buyer)) < 0.2)
    amount = np.round(rng.lognormal(3.0, 1.0, len(buyer)), 2)
    good = ~fraud
    frame = pd.DataFrame(
        {
            "id": np.arange(len(buyer)), "buyer": buyer, "amount": amount, "fraud": fraud.astype(float),
            "at": START + pd.to_timedelta(3_600 * (order * 100 + rng.integers(0, 90, len(buyer))), unit="s"),
            "done": np.where(stop & ~drawn, "block", "approve"), "p": np.where(stop, 0.2, 1.0),
        }
    )  # fmt: skip
    frame.loc[stop & ~drawn, "fraud"] = np.nan
    sums = {
        "all": (float((~stop).sum()), float(len(stop))),
        "money": (float(amount[~stop].sum()), float(amount.sum())),
        "good": (float((good & ~stop).sum()), float(good.sum())),
        "new": (float((~stop & (order == 0)).sum()), float((order == 0).sum())),
        "returning": (float((~stop & (order > 0)).sum()), float((order > 0).sum())),
    }
    return frame, sums  # type: ignore[return-value]


def rates(big: int = 400_000) -> dict[str, float]:
    """Return the rates of the population."""
    _, sums = decided(np.random.default_rng(99), big)
    return {name: part / whole for name, (part, whole) in sums.items()}  # type: ignore[misc]


def approval(seed: int, truth: dict[str, float]) -> Iterator[Line]:
    rng = np.random.default_rng([seed, 2])
    frame, _ = decided(rng)
    roles = rb.Roles(id="id", time="at", label="fraud", amount="amount", outcome="done", entities=("buyer",),
                     let_through="p")  # fmt: skip
    found = rb.approval_rates(rb.read(frame, roles=roles), by=())
    top = found.rates.iloc[0]
    labelled = frame[frame["fraud"] == 0]
    naive = {"all": np.nan, "money": np.nan, "good": float((labelled["done"] == "approve").mean())}
    for name, column in (("all", "approval_rate"), ("money", "value_approval_rate"), ("good", "good_approval_rate")):
        value, low, high = (top[f"{column}{end}"] for end in ("", "_lower", "_upper"))
        kept = None if np.isnan(value) else value
        yield f"approved: {name}", truth[name], kept, low, high, naive[name], np.nan
    gap = found.differences.iloc[0]
    apart = truth["new"] - truth["returning"]
    yield "approved: new less returning", apart, gap["change"], gap["lower"], gap["upper"], np.nan, np.nan


def orders(rng: np.random.Generator, many: int) -> pd.DataFrame:
    """Return scored events with a worse score by which history reviewed."""
    fraud = rng.random(many) < 0.03
    amount = np.round(rng.lognormal(3.0 + 0.5 * fraud, 1.0), 2)
    score = 1 / (1 + np.exp(-rng.normal(-2.0 + 2.5 * fraud, 1.0)))
    worse = 1 / (1 + np.exp(-rng.normal(-2.0 + 1.3 * fraud, 1.0)))
    return pd.DataFrame({"fraud": fraud.astype(int), "amount": amount, "score": score.round(4), "worse": worse})


class Population:
    """What is true: loss and approved volume at any cut, and at history's."""

    def __init__(self, many: int = 2_000_000) -> None:
        held = orders(np.random.default_rng(98), many)
        order = np.argsort(-held["score"].to_numpy(), kind="stable")
        amount, fraud = held["amount"].to_numpy(), held["fraud"].to_numpy()
        left = 1 - rb.Costs().review_catch
        self.score = -held["score"].to_numpy()[order]
        lost = amount * fraud
        self.lost = lost.sum() - np.concatenate([[0], np.cumsum(lost[order] * (1 - left))])
        self.approved = amount.sum() - np.concatenate([[0], np.cumsum(amount[order])])
        self.total = amount.sum()
        reviewed = held["worse"].to_numpy() >= 0.35
        self.history = 1e4 * (lost * np.where(reviewed, left, 1)).sum() / self.total
        same = np.interp(-(amount * ~reviewed).sum(), -self.approved, self.lost)
        self.gap = self.history - 1e4 * same / self.total

    def at(self, cut: float) -> float:
        place = int(np.searchsorted(self.score, -cut, side="right"))
        return float(1e4 * self.lost[place] / self.total)


def frontier(seed: int, truth: Population) -> Iterator[Line]:
    rng = np.random.default_rng([seed, 3])
    frame = orders(rng, 6_000)
    frame["at"] = START + pd.to_timedelta(np.sort(rng.integers(0, 180 * 86_400, len(frame))), unit="s")
    told = frame["at"] + pd.to_timedelta(rng.lognormal(np.log(15), 0.6, len(frame)), unit="D")
    frame["told"] = told.where(frame["fraud"] == 1)
    frame["done"] = np.where(frame["worse"] >= 0.35, "review", "approve")
    frame["id"] = np.arange(len(frame))
    roles = rb.Roles(id="id", time="at", label="fraud", amount="amount", outcome="done", score="score")
    events = rb.read(frame.drop(columns="worse"), roles=roles.with_roles(label_time="told"))
    asof = (START + pd.Timedelta(days=180)).isoformat()
    chosen = rb.calibrate(
        events, by=None, costs=rb.Costs(minute_cost=0.02), choose_on=("2026-01-01", "2026-05-01"),
        report_on=("2026-05-01", "2026-06-25"), asof=asof,
    )  # fmt: skip
    found = rb.frontier(chosen, by=None)
    rows = {row["point"]: row for row in found.points.to_dict("records")}
    true = truth.at(chosen.threshold)
    inside = frame[(frame["at"] >= "2026-05-01") & (frame["at"] < "2026-06-25")]
    seen = inside[(inside["fraud"] == 1) & (inside["told"] <= asof)]
    kept = np.where(seen["score"] >= chosen.threshold, 0.1, 1.0)
    naive = float(1e4 * (seen["amount"] * kept).sum() / inside["amount"].sum())
    row = rows["proposed"]
    ends = row["loss_bps"], row["loss_bps_lower"], row["loss_bps_upper"]
    yield "frontier: loss at the cut", true, *ends, naive, np.nan
    row = rows["history"]
    ends = row["loss_bps"], row["loss_bps_lower"], row["loss_bps_upper"]
    yield "frontier: loss of history", truth.history, *ends, np.nan, np.nan
    gap = None if np.isnan(row["gap_bps"]) else row["gap_bps"]
    yield "frontier: gap to it", truth.gap, gap, row["gap_bps_lower"], row["gap_bps_upper"], np.nan, np.nan


def study(part: str, seeds: int) -> pd.DataFrame:
    """Return one row a check: coverage of the intervals, mean errors, share not measurable."""
    lines: dict[str, list[Line]] = defaultdict(list)
    known = rates() if part == "approval" else Population() if part == "frontier" else None
    for seed in range(seeds):
        if part == "insult":
            made = insult(seed)
        else:
            made = approval(seed, known) if part == "approval" else frontier(seed, known)  # type: ignore[arg-type]
        for line in made:
            lines[line[0]].append(line)
    rows = []
    for name, held in lines.items():
        own = float(np.mean([line[6] for line in held]))
        told = [line for line in held if line[2] is not None]
        truths = np.array([own if np.isnan(line[1]) else line[1] for line in told])
        value, low, high = (np.array([line[k] for line in told], dtype=float) for k in (2, 3, 4))
        naive = np.array([line[5] for line in told], dtype=float)
        rows.append(
            {
                "what": name, "seeds": len(held), "coverage": float(((low <= truths) & (truths <= high)).mean()),
                "truth": float(truths.mean()), "error": float((value - truths).mean()),
                "naive_error": float((naive - truths).mean()), "not_measurable": 1 - len(told) / len(held),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--part", choices=["insult", "approval", "frontier"])
    asked = parser.parse_args()
    parts = [asked.part] if asked.part else ["insult", "approval", "frontier"]
    table = pd.concat([study(part, asked.seeds) for part in parts], ignore_index=True)
    print(table.to_string(index=False, float_format=lambda number: f"{number:.4f}"))


if __name__ == "__main__":
    main()
