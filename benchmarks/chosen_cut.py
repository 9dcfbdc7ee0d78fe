"""Does a chosen cut keep its promise once all verdicts are told? Many small histories whose truth is known.

Run: python benchmarks/chosen_cut.py [--seeds 1000]

Each seed draws 26 weeks of about 8,000 events: 3 % frauds, whose rate differs from week to week (coefficient of
variation 0.2), heavy-tailed amounts (lognormal, sigma 1), verdicts after 38 days on average (gamma), and a rule that
blocks events with a high burst in history but lets 20 % of them through at random. Half of the seeds choose the cut of
a score whose hits are reviewed beside that rule, half choose that rule's own limit: above it history has no labels but
those of the let-through. The events are read with `riskbench.read` and calibrated with `riskbench.calibrate` as of
their last day, silence being good after 60 days.

Truth is what will be known in the end, of all events, the stopped ones included: what the chosen cut's net value comes
to on the later window (the promise foretells it from the window before), and what the cut's figures on the later
window and on the young weeks after it come to (the table `matured` estimates them). So intervals are prediction
intervals. Naive is the same counted: verdicts known by then, stopped events left out. The error is the mean absolute
one, over the mean absolute truth. Regret is what the chosen cut gives away on the later window, in truth, against the
best one of the curve; naive chooses on counted labels.

what                             seeds  covered   error   naive  not measurable
promise: net value                1000    94.0%   41.7%   54.7%            0.0%
promise: loss prevented           1000    94.4%   35.1%   49.1%            0.0%
promise: frauds alerted           1000    97.0%   23.2%   49.0%            0.0%
promise: precision                1000    96.9%   16.8%   23.5%            0.0%
promise: recall                   1000    96.9%   10.5%   21.8%            0.0%
later window: net value           1000    94.3%   27.1%   65.8%            0.0%
later window: loss prevented      1000    94.3%   19.4%   57.9%            0.0%
later window: frauds alerted      1000    94.8%   15.8%   56.1%            0.0%
later window: precision           1000    94.8%   17.1%   32.2%            0.0%
later window: recall              1000    95.8%    5.6%   25.4%            0.0%
young weeks: net value            1000    90.7%   43.3%   85.1%            0.2%
young weeks: loss prevented       1000    90.6%   31.0%   72.0%            0.2%
young weeks: frauds alerted       1000    92.8%   25.7%   70.8%            0.2%
young weeks: precision            1000    92.8%   27.6%   54.3%            0.2%
young weeks: recall               1000    91.4%   10.8%   25.7%            0.2%
regret of the cut, EUR a week     1000             79.2    74.7            0.0%

All rows lie in 93-97 % but those of the young weeks (90.6-92.8 %), whose intervals are too narrow. The regret is no
smaller than on counted labels: weights are alike on both sides of the cut, so they change its value, not its place.

The table is from before windows with fewer than ten let-through events leave the stopped ones out of the curve. Since
then 300 seeds gave 93.3-95.3 % for the promise, and 100 seeds 94-96 % for the later window, 90-93 % for young weeks.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

import riskbench as rb
from riskbench.calibration.calibration import Calibration
from riskbench.calibration.choose import choose
from riskbench.calibration.ripe import LATER, YOUNG_WEEKS, stretches
from riskbench.calibration.study import Study
from riskbench.metrics.costs import worth

DAYS, SILENCE, LET, LIMIT = 182, 60, 0.2, 3.0
BOOK = rb.RuleBook.from_yaml(f"""
book: demo
domain: transactions
rules:
  - {{id: B, when: "burst > :limit", params: {{limit: {{default: {LIMIT:g}, min: 0, max: 30}}}}, outcome: block,
     status: live, priority: 20}}
""")
START = pd.Timestamp("2026-01-05")
ASOF = str(START + pd.Timedelta(days=DAYS))


def history(seed: int, *, rows: int = 8_000, rate: float = 0.03, differ: float = 0.2) -> tuple[rb.Dataset, np.ndarray]:
    """Return events as they are known at the end, and which of them are fraud."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(rows)
    at = np.sort(rng.random(count)) * DAYS
    weeks = rng.gamma(1 / differ**2, differ**2, DAYS // 7 + 1)
    fraud = rng.random(count) < rate * weeks[(at // 7).astype(int)]
    burst = np.round(rng.gamma(2.0, np.where(fraud, 1.6, 0.45)), 2)
    stopped = burst > LIMIT
    passed = ~stopped | (rng.random(count) < LET)
    time = START + pd.to_timedelta(at, unit="D")
    told = time + pd.to_timedelta(rng.gamma(1.8, 38 / 1.8, count), unit="D")
    frame = pd.DataFrame(
        {
            "id": np.arange(count),
            "at": time,
            "fraud": np.where(passed, fraud.astype(float), np.nan),
            "told": told.where(fraud & passed),
            "amount": np.round(rng.lognormal(4, 1, count) * np.where(fraud, 1.5, 1.0), 2),
            "risk": np.round(np.clip(rng.normal(0.3 + 0.3 * fraud, 0.13), 0, 1), 3),
            "burst": burst,
            "did": np.where(passed, "approve", "block"),
            "chance": np.where(stopped, LET, 1.0),
        }
    )
    roles = rb.Roles(
        id="id", time="at", label="fraud", label_time="told", amount="amount", score="risk", outcome="did",
        let_through="chance", currency="EUR",
    )  # fmt: skip
    return rb.read(frame, roles=roles, mature_after=SILENCE), fraud


def end_of(study: Study, fraud: np.ndarray) -> Study:
    """Return the study as all verdicts will be known in the end."""
    held = worth(study.sweep.dataset)
    money = np.where(fraud, held.loss, held.margin)
    return replace(study, kinds=fraud.astype(np.int8), money=money, standing=None)


def counted_of(study: Study) -> Study:
    """Return the study on the labels as they are counted."""
    held = worth(study.sweep.dataset)
    money = np.where(study.kinds == 1, held.loss, np.where(study.kinds == 0, held.margin, 0))
    return replace(study, money=money, standing=None)


def figures(study: Study, levels: np.ndarray, mask: np.ndarray, length: float) -> dict[str, float]:
    """Return the figures of a cut on some events."""
    price, alert, fraud = study.price(), mask & (levels > 0), study.kinds == 1
    good = study.kinds == 0
    rows = np.flatnonzero(mask)
    saved = price.saved[levels[alert & fraud]] * study.money[alert & fraud]
    caught = int((alert & fraud).sum())
    return {
        "net value": float(price.each(study.kinds[rows], study.money[rows], levels[rows]).sum()) / length,
        "loss prevented": float(saved.sum()) / length,
        "frauds alerted": caught / length,
        "precision": caught / max(int((alert & (fraud | good)).sum()), 1),
        "recall": caught / max(int((mask & fraud).sum()), 1),
    }


@dataclass(frozen=True, slots=True)
class Row:
    """One answer beside its truth: what, value, lower, upper, naive, truth."""

    what: str
    value: float
    lower: float
    upper: float
    naive: float
    truth: float


def one(seed: int) -> list[Row]:
    """Return the answers of one seed beside their truth."""
    events, fraud = history(seed)
    score = seed % 2 == 0
    found = rb.calibrate(
        events, score="risk" if score else None, rule_param=None if score else "B.limit", given=BOOK, asof=ASOF,
        by=None, seed=seed,
    )  # fmt: skip
    return [*_promises(found, fraud), *_matured(found, fraud), *_regret(found, fraud)]


def _promises(found: Calibration, fraud: np.ndarray) -> Iterable[Row]:
    study = found.reader.study
    end, counted, windows = end_of(study, fraud), counted_of(study), study.windows
    levels = study.levels(found.threshold)
    truth = figures(end, levels, windows.report.mask, windows.report.length)
    naive = figures(counted, levels, windows.choose.mask, windows.choose.length)
    rows = found.holdout.set_index("measure")
    for what in truth:
        value, lower, upper = (float(rows.loc[what, name]) for name in ("value", "lower", "upper"))
        yield Row(f"promise: {what}", value, lower, upper, naive[what], truth[what])


def _matured(found: Calibration, fraud: np.ndarray) -> Iterable[Row]:
    study = found.reader.study
    end = end_of(study, fraud)
    levels = study.levels(found.threshold)
    rows = found.matured[found.matured["cut"] == "chosen"]
    for stretch in stretches(study):
        truth = figures(end, levels, stretch.mask, stretch.length)
        for row in rows[rows["window"] == stretch.name].to_dict("records"):
            ends = (float(row[name]) for name in ("value", "lower", "upper", "counted"))
            yield Row(f"{stretch.name}: {row['measure']}", *ends, truth[row["measure"]])


def _regret(found: Calibration, fraud: np.ndarray) -> Iterable[Row]:
    study = found.reader.study
    windows = study.windows
    later = end_of(study, fraud).curve(windows.report.mask)
    naive = choose(counted_of(study), ()).cut
    best, ours, theirs = (
        float(later.net[point]) / windows.report.length
        for point in (int(np.argmax(later.net)), later.table.point(found.threshold), later.table.point(naive))
    )
    yield Row("regret of the cut, EUR a week", best - ours, math.nan, math.nan, best - theirs, 0.0)


def table(rows: list[Row]) -> str:
    """Return one line a figure: coverage, errors and what was not measurable."""
    frame = pd.DataFrame(rows)
    lines = [f"{'what':32} {'seeds':>5} {'covered':>8} {'error':>7} {'naive':>7} {'not measurable':>15}"]
    for what, group in frame.groupby("what", sort=False):
        known = group[group["value"].notna()]
        missing = 1 - len(known) / len(group)
        if what.startswith("regret"):
            cells = f"{'':>8} {known['value'].mean():7.1f} {known['naive'].mean():7.1f}"
        else:
            size = known["truth"].abs().mean()
            held = ((known["lower"] <= known["truth"] + 1e-9) & (known["truth"] <= known["upper"] + 1e-9)).mean()
            ours, naive = ((known[name] - known["truth"]).abs().mean() / size for name in ("value", "naive"))
            cells = f"{held:8.1%} {ours:7.1%} {naive:7.1%}"
        lines.append(f"{what:32} {len(group):5} {cells} {missing:15.1%}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=1_000)
    seeds = parser.parse_args().seeds
    rows = [row for seed in range(seeds) for row in one(seed)]
    print(table(rows))
    print(f"\nwindows: {LATER}, {YOUNG_WEEKS}")


if __name__ == "__main__":
    main()
