"""What a simulation says as of T, held against what is known in the end.

Run: python benchmarks/late_labels.py [--seeds 1000]

Each seed draws 150 days of orders: one rule hits a twelfth of them, and a fifth of its hits are fraud; elsewhere 6 of
1,000. Amounts are lognormal (sigma 1), a loss is nine tenths of a fraud's amount. Two thirds of the frauds are told by
a chargeback, 38 days later on average, the others by a complaint within about 12; nothing comes after 110 days. The
good ones are silent. In the second half of the lines history stopped a third of the rule's hits, and a random fifth of
those was let through. The orders go through `rb.read` and `rb.simulate(asof=T)`, T being the last day.

The truth is the realised figure of the very events that are old enough, once all is told and, where history stopped
events, as if it had not: the intervals are prediction intervals. The headline's interval holds the chance of the
events too, so it is held against the chance that made them. "Counted" is what the table of rules says as of T.

1,000 seeds; errors are mean relative ones. All lines lie within 93 to 97 % but recall with stopped events (97.1 %).

    what                                        coverage   ours  counted
    late labels          frauds, precision        0.967   0.002   -0.108, 0.256
                         recall                   0.954   0.000   -0.000
                         value caught, loss       0.970   0.001   -0.110
                         headline: precision      0.946   0.007    0.261
                         headline: recall         0.957   0.000    0.000
    and stopped events   frauds, precision        0.953   0.005   -0.345, 0.259
                         recall                   0.971  -0.002   -0.083
                         value caught, loss       0.956   0.003   -0.347
                         headline: precision      0.935   0.010    0.264
                         headline: recall         0.961  -0.002   -0.082
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

import riskbench as rb

DAYS, ROWS, LATEST = 150, 6_000, 110.0
HIT, FRAUD_OF_HITS, FRAUD_ELSEWHERE = 1 / 12, 0.2, 0.006
STOPPED, LET_THROUGH = 1 / 3, 0.2
START = pd.Timestamp("2026-01-05")
MEASURES = ("frauds", "precision", "recall", "value caught", "loss")
BOOK = rb.RuleBook.from_yaml("""
book: one
domain: transactions
rules:
  - {id: R, when: risky = 1, outcome: review, status: live}
""")


def delays(rng: np.random.Generator, slow: np.ndarray) -> np.ndarray:
    """Return days until each fraud is told: none later than the latest."""
    days = np.where(slow, rng.gamma(2.6, 38 / 2.6, len(slow)), rng.gamma(2.0, 6.0, len(slow)))
    late = days > LATEST
    return np.where(late, rng.uniform(0, LATEST, len(slow)), days)


def drawn(seed: int, *, stops: bool, rows: int = ROWS) -> tuple[rb.Dataset, pd.DataFrame]:
    """Return events as an analyst has them, and the truth about each."""
    rng = np.random.default_rng(seed)
    risky = rng.random(rows) < HIT
    fraud = rng.random(rows) < np.where(risky, FRAUD_OF_HITS, FRAUD_ELSEWHERE)
    at = START + pd.to_timedelta(np.sort(rng.uniform(0, DAYS * 86_400, rows)).astype(np.int64), unit="s")
    amount = np.round(rng.lognormal(4.0 + 0.5 * fraud, 1.0), 2)
    slow = rng.random(rows) < 2 / 3
    told = at + pd.to_timedelta(delays(rng, slow), unit="D").round("s")
    wanted = stops & risky & (rng.random(rows) < STOPPED)
    passed = rng.random(rows) < LET_THROUGH
    blocked = wanted & ~passed
    frame = pd.DataFrame(
        {
            "order": np.arange(rows),
            "at": at,
            "risky": risky.astype(int),
            "amount": amount,
            "fraud": pd.array(np.where(blocked, None, fraud.astype(int)), dtype="Int64"),
            "told": pd.Series(told).where(fraud & ~blocked),
            "source": np.where(slow, "chargeback", "complaint"),
            "did": np.where(blocked, "block", "approve"),
            "chance": np.where(wanted, LET_THROUGH, 1.0),
            "loss": np.round(0.9 * amount, 2),
        }
    )
    roles = rb.Roles(
        id="order",
        time="at",
        label="fraud",
        label_time="told",
        label_source="source",
        amount="amount",
        measures={"loss": "loss"},
        outcome="did",
        let_through="chance" if stops else None,
    )
    truth = frame[["risky", "amount", "loss"]].assign(fraud=fraud)
    return rb.read(frame, roles=roles, mature_after=60), truth


def one(seed: int, *, stops: bool, rows: int = ROWS) -> list[dict[str, object]]:
    """Return each measure's estimate, ends, truth and counted figure for one seed."""
    events, truth = drawn(seed, stops=stops, rows=rows)
    found = rb.simulate(BOOK, events, asof=START + pd.Timedelta(days=DAYS))
    old = found.maturing.matured.measurable
    hit, fraud = (truth["risky"] == 1).to_numpy() & old, truth["fraud"].to_numpy() & old
    caught = hit & fraud
    said, counted = found.frame("matured").iloc[0], found.frame().iloc[0]
    pairs = {
        "frauds": (caught.sum(), "frauds_matured", counted["frauds"]),
        "precision": (caught.sum() / hit.sum(), "precision", counted["precision"]),
        "recall": (caught.sum() / fraud.sum(), "recall", counted["recall"]),
        "value caught": (truth["amount"][caught].sum(), "value_caught", counted["value_caught"]),
        "loss": (truth["loss"][caught].sum(), "loss", 0.9 * counted["value_caught"]),
    }
    lines: list[dict[str, object]] = [
        {
            "what": name,
            "truth": real,
            "value": said[column],
            "lower": said[f"{column}_lower"],
            "upper": said[f"{column}_upper"],
            "counted": plain,
        }
        for name, (real, column, plain) in pairs.items()
    ]
    facts = {fact.name: fact for fact in found.headline()}
    expected = HIT * FRAUD_OF_HITS / (HIT * FRAUD_OF_HITS + (1 - HIT) * FRAUD_ELSEWHERE)
    for name, real in (("Precision", FRAUD_OF_HITS), ("Recall", expected)):
        fact = facts[name]
        plain = counted[name.lower()]
        line = {"truth": real, "value": fact.value, "lower": fact.lower, "upper": fact.upper, "counted": plain}
        lines.append({"what": f"headline: {name.lower()}", **line})
    return lines


def study(seeds: range, *, stops: bool, rows: int = ROWS) -> pd.DataFrame:
    """Return coverage and mean errors over the seeds, one row a measure."""
    held = pd.DataFrame([line for seed in seeds for line in one(seed, stops=stops, rows=rows)])
    known = held["value"].notna()
    held["covered"] = (held["lower"] <= held["truth"]) & (held["truth"] <= held["upper"])
    held["ours"], held["naive"] = held["value"] / held["truth"] - 1, held["counted"] / held["truth"] - 1
    held["off"] = held["ours"].abs()
    held["naive_off"] = held["naive"].abs()
    by = held[known].groupby("what", sort=False)
    return pd.DataFrame(
        {
            "seeds": len(seeds),
            "coverage": by["covered"].mean(),
            "ours": by["ours"].mean(),
            "ours_off": by["off"].mean(),
            "counted": by["naive"].mean(),
            "counted_off": by["naive_off"].mean(),
            "not_measurable": 1 - known.groupby(held["what"], sort=False).mean(),
        }
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1_000)
    seeds = range(parser.parse_args().seeds)
    parts = {"late labels": study(seeds, stops=False), "and stopped events": study(seeds, stops=True)}
    table = pd.concat(parts).rename_axis(["", "what"]).reset_index()
    print(table.to_string(index=False, float_format=lambda value: f"{value:+.3f}" if value < 0 else f"{value:.3f}"))


if __name__ == "__main__":
    main()
