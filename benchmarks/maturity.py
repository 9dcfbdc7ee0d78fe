"""How well is the fraud that will be known in the end told from what is known by now?

Run: python benchmarks/maturity.py [--seeds 1000]

Drawn: 26 weeks of 300 frauds each (50,000 payments a week at 60 basis points, of which 2,000 good ones are drawn in
all, since nothing here rests on their number), verdicts after a gamma delay of 38 days on average, losses lognormal
with sigma 1, scores normal. Everything goes through `rb.read` and `rb.maturity`. The truth is what will have been told
in the end of the drawn events, so that an interval is one for a number not yet known. "2 per week" and "20 per week"
draw as many frauds. A cohort is as many weeks old as its middle is. `naive` takes what is known for what will be. Seeds
in which nothing is fraud in the end of a cohort have no relative error and are left out of its line. `ladder` is the
weekly chain ladder with Mack's error, for its two youngest cohorts with the level of older ones.

The last table printed (--seeds 1000). Outside 93 to 97 %: with two frauds a week, single weeks of 8 weeks (0.928,
0.938 with the seeds of no fraud), and above it small cohorts whose counts are whole numbers, their recall, and the
loss of twenty frauds a week at three weeks.

what                               seeds   cover   error   naive  not measurable
count at 12 weeks                   1000   0.960   0.013   0.065            0.00
count at 8 weeks                    1000   0.963   0.024   0.206            0.00
count at 6 weeks                    1000   0.958   0.035   0.353            0.00
loss at 6 weeks                     1000   0.948   0.057   0.353            0.00
recall at 6 weeks                   1000   0.956   0.023   0.024            0.00
count at 4 weeks                    1000   0.954   0.053   0.568            0.00
count at 3 weeks                    1000   0.949   0.072   0.696            0.00
loss at 3 weeks                     1000   0.954   0.112   0.697            0.00
recall at 3 weeks                   1000   0.951   0.048   0.047            0.00
count at 2 weeks                    1000   0.942   0.110   0.830            0.00
count at 1 weeks                    1000     nan     nan   0.944            1.00
all frauds                          1000   0.950   0.007   0.163            0.00
all loss                            1000   0.968   0.011   0.163            0.00
precision of hits                   1000   0.958   0.008   0.162            0.00
ladder count at 0.5 weeks           1000   1.000   0.023   0.981            0.00
ladder count at 1.5 weeks           1000   1.000   0.025   0.891            0.00
ladder count at 2.5 weeks           1000   0.945   0.083   0.764            0.00
ladder count at 3.5 weeks           1000   0.954   0.062   0.631            0.00
ladder count at 5.5 weeks           1000   0.960   0.038   0.399            0.00
ladder count at 8.5 weeks           1000   0.948   0.022   0.180            0.00
20 per week: count at 12 weeks      1000   0.972   0.050   0.067            0.00
20 per week: count at 8 weeks       1000   0.948   0.098   0.209            0.00
20 per week: count at 6 weeks       1000   0.956   0.138   0.351            0.00
20 per week: loss at 6 weeks        1000   0.960   0.206   0.341            0.00
20 per week: recall at 6 weeks      1000   0.970   0.092   0.092            0.00
20 per week: count at 4 weeks       1000   0.960   0.208   0.566            0.00
20 per week: count at 3 weeks       1000   0.955   0.293   0.699            0.00
20 per week: loss at 3 weeks        1000   0.985   0.415   0.701            0.00
20 per week: recall at 3 weeks      1000   0.991   0.207   0.206            0.00
20 per week: count at 2 weeks       1000   0.931   0.421   0.831            0.13
20 per week: count at 1 weeks       1000     nan     nan   0.945            1.00
20 per week: all frauds             1000   0.952   0.028   0.159            0.00
20 per week: all loss               1000   0.965   0.041   0.159            0.00
20 per week: precision of hits      1000   0.961   0.032   0.159            0.00
2 per week: count at 12 weeks        849   0.932   0.124   0.065            0.00
2 per week: count at 6 weeks         885   0.954   0.477   0.339            0.00
2 per week: loss at 6 weeks          885   0.976   0.534   0.329            0.00
2 per week: recall at 6 weeks        760   0.997   0.206   0.302            0.12
2 per week: count at 4 weeks         868   0.965   0.770   0.562            0.00
2 per week: count at 3 weeks         862   0.965   1.043   0.686            0.00
2 per week: loss at 3 weeks          862   0.964   1.134   0.696            0.00
2 per week: recall at 3 weeks        744   1.000   0.376   0.641            0.43
2 per week: count at 2 weeks         883   0.979   1.245   0.837            0.36
2 per week: count at 1 weeks         882   1.000   1.000   0.945            1.00
2 per week: all frauds              1000   0.972   0.082   0.151            0.00
2 per week: all loss                1000   0.969   0.113   0.151            0.00
2 per week: count at 8 weeks         860   0.928   0.339   0.212            0.00
pace                               seeds  flagged    said      is
steady                              1000    0.051   -0.00   -0.00
38 -> 30 days in 8 weeks            1000    0.891    0.23    0.22
38 -> 46 days in 8 weeks            1000    0.407   -0.25   -0.18
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
