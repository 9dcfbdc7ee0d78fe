"""Does the interval of the change in net value between two books hold the truth, whoever tells it and on what ground?

Each seed draws orders whose truth is known: amounts are lognormal (sigma 1, or as told), a fraud loses its amount and a
good order that is stopped costs 16 % of its own. The orders go through `rb.read`, `rb.simulate` twice and `rb.compare`;
the challenger stops a slice of orders that the champion lets pass, or lets pass a slice that champion and history
stopped. "Stopped in history" blocks nine of ten of those orders and lets the tenth pass at random; "late" verdicts come
38 days after the order on average and are read 150 days after the first order. "Weeks differ" draws each week's rate of
flips (gamma); "clumps by buyer" draws frauds in runs of three on average within three days, good orders alone.

The truth is the expectation: what the two books differ by on orders drawn so, in as many days as are old enough. So the
interval holds the chance that draws the orders, and what is inferred. "naive" is the sum over the flips with a verdict,
as if it were all, with the plain sum of squares. An error is the mean absolute error over the mean absolute size of
what changes. "above" is the share of seeds whose truth lies above the interval, "false better" of those that are
called surely better though the truth is no gain, and
"false worse" the other way; where the truth is worth nothing either word is false.

Run: python benchmarks/books.py [--seeds 1000] [--first 0]

what | seeds | coverage | above | naive | error | naive error | bounds | false better | false worse | inference
many flips | 1000 | 0.943 | 0.045 | 0.923 | 16% | 16% |  | 0.000 | 0.000 | 0%
few flips | 1000 | 0.975 | 0.008 | 0.847 | 70% | 70% |  | 0.000 | 0.000 | 0%
few flips, few frauds | 1000 | 0.956 | 0.004 | 0.968 | 34% | 34% |  | 0.002 | 0.000 | 0%
heavy tail (1.5), 60 flips | 1000 | 0.944 | 0.029 | 0.819 | 71% | 71% |  | 0.000 | 0.001 | 0%
large orders only | 1000 | 0.966 | 0.027 | 0.906 | 81% | 81% |  | 0.000 | 0.002 | 0%
bursts of one device | 1000 | 0.940 | 0.046 | 0.722 | 44% | 44% |  | 0.000 | 0.005 | 0%
frauds in clumps by buyer | 1000 | 0.959 | 0.034 | 0.760 | 30% | 30% |  | 0.000 | 0.005 | 0%
weeks differ (CV 0.3) | 1000 | 0.944 | 0.041 | 0.922 | 17% | 17% |  | 0.000 | 0.000 | 0%
weeks differ (CV 0.3), 7 weeks | 1000 | 0.953 | 0.035 | 0.921 | 9% | 9% |  | 0.000 | 0.000 | 0%
worth nothing | 1000 | 0.952 | 0.033 | 0.868 | 40% | 40% |  | 0.015 | 0.033 | 0%
worth nothing, heavy tail | 1000 | 0.954 | 0.023 | 0.840 | 57% | 57% |  | 0.023 | 0.023 | 0%
stopped in history | 1000 | 0.957 | 0.023 | 0.000 | 39% | 90% | 1.000 | 0.000 | 0.000 | 90%
stopped in history, worth nothing | 1000 | 0.979 | 0.020 | 0.902 | 33% | 3% | 1.000 | 0.001 | 0.020 | 90%
late verdicts | 1000 | 0.959 | 0.037 | 0.672 | 17% | 32% | 1.000 | 0.000 | 0.000 | 39%
late, stopped in history | 1000 | 0.942 | 0.048 | 0.000 | 46% | 89% | 1.000 | 0.000 | 0.000 | 91%

None was not measurable or bounded. Out of the bar of 93 to 97 %, on the safe side: "few flips", and "stopped in
history, worth nothing", which rests on a dozen let-through frauds. Where nothing is gained "false worse" is above
2.5 % in one line: the rare large frauds are missing from few flips more often than they are met. Weeks are taken one
by one: what carries over from one to the next is not drawn, nor allowed for.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd

import riskbench as rb

START, DAYS = pd.Timestamp("2026-01-05"), 150.0
SPOILED = 0.16
EVEN = SPOILED / (1 + SPOILED)
BOOK = rb.RuleBook.from_yaml("""
book: two
domain: transactions
rules:
  - {id: R, when: "risky = 1", outcome: block, status: live}
""")


@dataclass(frozen=True, slots=True)
class Regime:
    """What is drawn: orders, flips, the share of frauds among them, and what makes the regime hard."""

    name: str
    orders: int
    flips: float
    fraud: float
    sigma: float = 1.0
    least: float = 0.0
    burst: float = 1.0
    clump: float = 1.0
    apart: float = 0.0
    days: float = DAYS
    stopped: bool = False
    late: bool = False

    @property
    def truth(self) -> float:
        """What all flips change in expectation, where the challenger stops them."""
        from scipy.special import ndtr

        z = (np.log(self.least) - 4.0) / self.sigma if self.least else -np.inf
        above = float(ndtr(-z))
        mean = float(np.exp(4.0 + self.sigma**2 / 2)) * float(ndtr(self.sigma - z)) / above
        return self.flips * mean * (self.fraud - SPOILED * (1 - self.fraud))


REGIMES = (
    Regime("many flips", 3_000, 600, 0.2),
    Regime("few flips", 2_000, 25, 0.2),
    Regime("few flips, few frauds", 2_000, 40, 0.05),
    Regime("heavy tail (1.5), 60 flips", 2_500, 60, 0.2, sigma=1.5),
    Regime("large orders only", 2_500, 60, 0.2, least=float(np.exp(5.0))),
    Regime("bursts of one device", 3_000, 200, 0.2, burst=3.0),
    Regime("frauds in clumps by buyer", 3_000, 400, 0.2, clump=3.0),
    Regime("weeks differ (CV 0.3)", 3_000, 600, 0.2, apart=0.3),
    Regime("weeks differ (CV 0.3), 7 weeks", 6_000, 2_000, 0.2, apart=0.3, days=49.0),
    Regime("worth nothing", 2_500, 60, EVEN),
    Regime("worth nothing, heavy tail", 2_500, 60, EVEN, sigma=1.5),
    Regime("stopped in history", 4_000, 900, 0.3, stopped=True),
    Regime("stopped in history, worth nothing", 4_000, 900, EVEN, stopped=True),
    Regime("late verdicts", 4_000, 600, 0.2, late=True),
    Regime("late, stopped in history", 4_000, 900, 0.3, stopped=True, late=True),
)


def drawn(regime: Regime, seed: int) -> rb.Dataset:
    """Return the orders of one seed as an analyst has them."""
    rng = np.random.default_rng(seed)
    if regime.clump > 1:
        frauds, good = (rng.poisson(regime.flips * part) for part in (regime.fraud / regime.clump, 1 - regime.fraud))
        groups, size = frauds + good, np.ones(frauds + good, dtype=np.int64)
        size[:frauds] = rng.geometric(1 / regime.clump, frauds)
        of_fraud = np.arange(groups) < frauds
    else:
        rate = 1.0
        if regime.apart:
            weeks = np.minimum(np.arange(1, np.ceil(regime.days / 7) + 1) * 7, regime.days)
            shares = np.diff(weeks, prepend=0) / regime.days
            busy = shares * rng.gamma(regime.apart**-2, regime.apart**2, len(shares))
            rate = float(busy.sum())
        groups = rng.poisson(regime.flips * rate / regime.burst)
        size = rng.geometric(1 / regime.burst, groups) if regime.burst > 1 else np.ones(groups, dtype=np.int64)
        of_fraud = rng.random(groups) < regime.fraud
    device = np.repeat(np.arange(groups), size)
    flips, rest = len(device), regime.orders - int(regime.flips)
    fraud = np.concatenate([of_fraud[device], rng.random(rest) < 0.03])
    amount = rng.lognormal(4.0, regime.sigma, flips + rest)
    while regime.least and bool((amount[:flips] < regime.least).any()):
        small = np.flatnonzero(amount[:flips] < regime.least)
        amount[small] = rng.lognormal(4.0, regime.sigma, len(small))
    risky = np.arange(flips + rest) < flips
    day = rng.uniform(0, regime.days, flips + rest)
    if regime.clump > 1:
        day[:flips] = np.minimum(rng.uniform(0, regime.days, groups)[device] + rng.uniform(0, 3, flips), regime.days)
    if regime.apart:
        week = rng.choice(len(shares), flips, p=busy / busy.sum())
        day[:flips] = np.minimum(7.0 * week + rng.uniform(0, 7, flips) * shares[week] / shares[0], regime.days)
    at = START + pd.to_timedelta((day * 86_400).astype(np.int64), unit="s")
    frame = pd.DataFrame(
        {
            "order": np.arange(flips + rest),
            "at": at,
            "amount": np.round(amount, 2) + 0.01,
            "risky": risky.astype(int),
            "device": np.concatenate([device, groups + np.arange(rest)]),
        }
    )
    roles = {"id": "order", "amount": "amount", "label": "fraud", "time": "at", "entities": ("device",)}
    told = fraud.astype(float)
    if regime.stopped:
        passed = ~risky | (rng.random(len(risky)) < 0.1)
        frame["did"], frame["p"] = np.where(passed, "approve", "block"), np.where(risky, 0.1, 1.0)
        told = np.where(passed, told, np.nan)
        roles |= {"outcome": "did", "let_through": "p"}
    if regime.late:
        spent = rng.gamma(2.6, 38 / 2.6, len(risky))
        frame["told"] = pd.Series(at + pd.to_timedelta(spent, unit="D").round("s")).where(told == 1)
        roles |= {"label_time": "told"}
    frame["fraud"] = told
    return rb.read(frame, roles=rb.Roles(**roles), **({"mature_after": 120.0} if regime.late else {}))


def tried(regime: Regime, seed: int) -> dict[str, float]:
    """Return how one seed's comparison stands beside the truth."""
    data = drawn(regime, seed)
    moment = {"asof": START + pd.Timedelta(days=DAYS)} if regime.late else {}
    off, on = (rb.simulate(book, data, **moment) for book in (BOOK.with_status("R", "shadow"), BOOK))
    held = rb.compare(on, off) if regime.stopped else rb.compare(off, on)
    truth = -regime.truth if regime.stopped else regime.truth
    ways = held.ways.set_index("way")
    old = 1.0
    if regime.late and held.until is not None:
        old = min(1.0, (held.until - START).total_seconds() / 86_400 / DAYS)
    value, low, high = held.net
    counted = ways.loc["counted"]
    gain = np.where(data.column("fraud").values == 1, 1.0, -SPOILED) * data.column("amount").values
    known = (data.column("risky").values == 1) & data.column("fraud").present
    half = 1.959964 * float(np.sqrt((gain[known] ** 2).sum()))
    even = abs(truth) < 1e-9
    return {
        "held": float(low <= truth * old <= high),
        "above": float(truth * old > high),
        "wide": (high - low) / 2,
        "bounds": float(ways.loc["bounded", "net_value_lower"] <= truth <= ways.loc["bounded", "net_value_upper"]),
        "error": abs(value - truth * old),
        "naive held": float(abs(counted["net_value"] - truth) <= half),
        "naive error": abs(float(counted["net_value"]) - truth),
        "false better": float(held.answer == "surely better" and (truth <= 0 or even)),
        "false worse": float(held.answer == "surely worse" and (truth >= 0 or even)),
        "missing": float(np.isnan(value)),
        "bounded": float(held.told == "bounded"),
        "inference": held.inferred_share,
    }


def study(regime: Regime, seeds: range) -> dict[str, object]:
    """Return one line of the table."""
    frame = pd.DataFrame([tried(regime, seed) for seed in seeds])
    mean = frame.mean()
    size = max(abs(regime.truth), regime.flips * float(np.exp(4.0 + regime.sigma**2 / 2)) * SPOILED)
    bounded = regime.stopped or regime.late
    return {
        "what": regime.name,
        "seeds": len(frame),
        "coverage": f"{mean['held']:.3f}",
        "above": f"{mean['above']:.3f}",
        "naive": f"{mean['naive held']:.3f}",
        "error": f"{mean['error'] / size:.0%}",
        "naive error": f"{mean['naive error'] / size:.0%}",
        "bounds": f"{mean['bounds']:.3f}" if bounded else "",
        "false better": f"{mean['false better']:.3f}",
        "false worse": f"{mean['false worse']:.3f}",
        "inference": f"{mean['inference']:.0%}",
        "not measurable": f"{mean['missing'] + mean['bounded']:.1%}",
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="", help="lines whose name begins so")
    told = parser.parse_args()
    for place, regime in enumerate(one for one in REGIMES if one.name.startswith(told.only)):
        line = study(regime, range(told.first, told.first + told.seeds))
        if not place:
            print(" | ".join(line))
        print(" | ".join(str(part) for part in line.values()), flush=True)


if __name__ == "__main__":
    main()
