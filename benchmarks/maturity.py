"""How well is the fraud that will be known in the end told from what is known by now?

Run: python benchmarks/maturity.py [--seeds 1000]

Drawn: 26 weeks of 300 frauds each (50,000 payments a week at 60 basis points, of which 2,000 good ones are drawn in
all, since nothing here rests on their number), verdicts after a gamma delay of 38 days on average, losses lognormal
with sigma 1, scores normal. Everything goes through `rb.read` and `rb.maturity`. The truth is what will have been told
in the end of the drawn events, so that an interval is one for a number not yet known. "2 per week" and "20 per week"
draw as many frauds. A cohort is as many weeks old as its middle is. `naive` takes what is known for what will be.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

import riskbench as rb

ASOF = pd.Timestamp("2026-06-04 12:00")  # the middle of a week: the last whole cohort is one week old in its middle
WEEKS, MEAN, SHAPE = 26, 38.0, 2.0
AGES = (1, 2, 3, 4, 6, 8, 12)
ROLES = rb.Roles(id="id", time="t", label="label", label_time="told", amount="amount")


def drawn(seed: int, *, per_week: float = 300.0, faster: float = MEAN, goods: int = 2_000):
    """Return the events as known at the as-of moment, and the truth of each."""
    rng = np.random.default_rng(seed)
    size = rng.poisson(per_week * WEEKS)
    age = np.concatenate([rng.uniform(0, 7 * WEEKS, size), rng.uniform(0, 7 * WEEKS, goods)])
    fraud = np.arange(size + goods) < size
    delay = rng.gamma(SHAPE, np.where(age < 56, faster, MEAN) / SHAPE)
    known = fraud & (delay <= age)
    amount = np.round(np.exp(rng.normal(4, 1, size + goods)), 2) + 0.01
    caught = rng.normal(np.where(fraud, 1.0, -1.0), 1.0) > 0.5
    frame = pd.DataFrame({"id": np.arange(size + goods), "t": ASOF - pd.to_timedelta(age, unit="D")})
    frame["told"] = ASOF + pd.to_timedelta(np.where(known, delay - age, np.nan), unit="D")
    frame["label"] = known.astype(float)
    frame["amount"] = amount
    return rb.read(frame, roles=ROLES), {
        "age": age,
        "fraud": fraud,
        "known": known,
        "amount": amount,
        "caught": caught,
        "delay": delay,
    }


class Tally:
    """Coverage and errors, line by line."""

    def __init__(self) -> None:
        self.held: dict[str, list[tuple[float, float, float]]] = {}

    def add(self, what: str, told, truth: float, naive: float) -> None:
        """Add one seed: the value with its ends, the truth, the naive figure."""
        value, lower, upper = (float("nan") if x is None else float(x) for x in told)
        if truth <= 0:
            return
        missed = float("nan") if np.isnan(value) else float(lower - 1e-9 <= truth <= upper + 1e-9)
        self.held.setdefault(what, []).append((missed, abs(value - truth) / truth, abs(naive - truth) / truth))

    def lines(self) -> list[str]:
        """Return the table."""
        head = f"{'what':<34}{'seeds':>6}{'cover':>8}{'error':>8}{'naive':>8}{'not measurable':>16}"
        out = [head]
        for what, rows in self.held.items():
            table = np.array(rows)
            some = ~np.isnan(table[:, 0])
            cover, error = table[some, :2].mean(axis=0) if some.any() else (np.nan, np.nan)
            out.append(
                f"{what:<34}{len(table):>6}{cover:>8.3f}{error:>8.3f}{table[:, 2].mean():>8.3f}{1 - some.mean():>16.2f}"
            )
        return out


def study(tally: Tally, seed: int, per_week: float, *, named: str = "") -> None:
    """Add one seed of one size."""
    events, truth = drawn(seed, per_week=per_week)
    told = rb.maturity(events, caught=truth["caught"])
    cohorts = told.cohorts
    start = (ASOF - pd.to_datetime(cohorts["cohort"])).dt.total_seconds().to_numpy() / 86_400
    fraud, known, amount = truth["fraud"], truth["known"], truth["amount"]
    caught = truth["caught"]
    inside = np.zeros(len(fraud), dtype=bool)
    for place, row in enumerate(cohorts.itertuples()):
        own = (truth["age"] > start[place] - 7) & (truth["age"] <= start[place])
        inside |= own & (row.status in {"measured", "estimated"})
        weeks = round((start[place] - 3.5) / 7)
        if weeks not in AGES:
            continue
        end, now = own & fraud, own & known
        told_ = (row.frauds_matured, row.frauds_lower, row.frauds_upper)
        tally.add(f"{named}count at {weeks} weeks", told_, end.sum(), now.sum())
        if weeks in {3, 6}:
            lost = (row.loss_matured, row.loss_lower, row.loss_upper)
            tally.add(f"{named}loss at {weeks} weeks", lost, amount[end].sum(), amount[now].sum())
            share, seen = (caught & end).sum() / max(end.sum(), 1), (caught & now).sum() / max(now.sum(), 1)
            tally.add(f"{named}recall at {weeks} weeks", (row.recall, row.recall_lower, row.recall_upper), share, seen)
    end, now = inside & fraud, inside & known
    count, loss = told.frauds, told.loss
    tally.add(f"{named}all frauds", (count.value, count.lower, count.upper), end.sum(), now.sum())
    tally.add(f"{named}all loss", (loss.value, loss.lower, loss.upper), amount[end].sum(), amount[now].sum())
    events_caught = caught & inside
    if per_week >= 20:
        held = precision(events, caught, inside)
        size = events_caught.sum()
        tally.add(f"{named}precision of hits", held, (end & caught).sum() / size, (now & caught).sum() / size)
    for row in told.ladder.itertuples():
        own = (truth["age"] >= 7 * row.age_steps) & (truth["age"] < 7 * row.age_steps + 7)
        if row.age_steps in {0, 1, 2, 3, 5, 8} and per_week >= 300:
            ends = (row.frauds_matured, row.frauds_lower, row.frauds_upper)
            what = f"ladder count at {row.age_steps + 0.5} weeks"
            tally.add(what, ends, (own & fraud).sum(), (own & known).sum())


def precision(events, caught, inside):
    """Return the precision of the hits in cohorts old enough, as known in the end."""
    from dataclasses import replace

    from riskbench.data.labels import label_state
    from riskbench.metrics.maturity import matured

    held = replace(matured(events, label_state(events, asof=ASOF)), measurable=np.ones(events.rows, dtype=bool))
    told = held.rate(None, np.ones(events.rows), rows=caught & inside)
    return told.value, told.lower, told.upper


def paces(seeds: int) -> list[str]:
    """Return how often a change of pace is flagged, and what is said of its size."""
    from riskbench.metrics.maturity import pace

    out = [f"{'pace':<34}{'seeds':>6}{'flagged':>9}{'said':>8}{'is':>8}"]
    for what, faster in (("steady", MEAN), ("38 -> 30 days in 8 weeks", 30.0), ("38 -> 46 days in 8 weeks", 46.0)):
        flagged, said, true = [], [], []
        for seed in range(seeds):
            _, truth = drawn(seed, faster=faster, goods=0)
            known, age, delay = truth["known"], truth["age"], truth["delay"]
            found = pace(delay[known], age[known], youngest=21.0)
            flagged.append(found.flagged)
            if found.flagged and found.overstated is not None:
                said.append(found.overstated)
                true.append(overstated(age, delay, known))
        is_, says = (float(np.median(x)) if x else float("nan") for x in (true, said))
        out.append(f"{what:<34}{seeds:>6}{np.mean(flagged):>9.3f}{says:>8.2f}{is_:>8.2f}")
    return out


def overstated(age, delay, known):
    """Return how far the corrected count of events three to seven weeks old is too large."""
    from riskbench.metrics.maturity import delay_curve

    curve = delay_curve(delay[known], age[known])
    own = (age >= 21) & (age < 49)
    return float((1 / curve.at(age[own & known])).sum()) / own.sum() - 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1_000)
    seeds = parser.parse_args().seeds
    tally = Tally()
    for seed in range(seeds):
        study(tally, seed, 300.0)
        study(tally, seed + 10_000, 20.0, named="20 per week: ")
        study(tally, seed + 20_000, 2.0, named="2 per week: ")
    print("\n".join(tally.lines()))
    print("\n".join(paces(seeds)))


if __name__ == "__main__":
    main()
