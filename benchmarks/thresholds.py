"""Every distinct threshold of 5M scores in 10 regions, with money, beside its peers; answers checked equal.

Run: python benchmarks/thresholds.py [--events 5000000] [--rounds 3]

CPU seconds of the whole process (all threads), median over rounds. Slow peers run on a part and are scaled, by rows or
by resamples; the table says so.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

from riskbench.calibration.curve import curve
from riskbench.data.outcomes import ladder
from riskbench.metrics.costs import Costs
from riskbench.metrics.curve import TruthTable, truth_table
from riskbench.metrics.price import Price
from riskbench.metrics.resample import resample

REGIONS, RESAMPLES = 10, 1_000
TUNED_PART, LOOP_PART = 500_000, 2
COSTS, STEPS = Costs(), ladder("transactions")
PRICE = Price.of(
    COSTS, [rung.effect for rung in STEPS.rungs], loss_weight=1.0, margin_weight=COSTS.margin, scale=100, money=True
)


class Events:
    def __init__(self, count: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.fraud = (rng.random(count) < 0.004).astype(np.int8)
        self.score = np.round(rng.beta(np.where(self.fraud == 1, 4.0, 1.2), 5.0), 6)
        self.money = (rng.lognormal(8, 1.2, count)).astype(np.int64) + 1
        share = 0.6 ** np.arange(REGIONS)
        self.region = rng.choice(REGIONS, count, p=share / share.sum()).astype(np.int8)

    def rows(self) -> list[np.ndarray]:
        order = np.argsort(self.region, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.region, minlength=REGIONS))[:-1])


def tables(events: Events) -> list[TruthTable]:
    made = []
    for rows in events.rows():
        base = np.zeros(len(rows), np.int8)
        made.append(
            truth_table(
                events.score[rows],
                op=">=",
                base=base,
                hit=np.full(len(rows), 2, np.int8),
                kinds=events.fraud[rows],
                money=events.money[rows],
                levels=len(STEPS.rungs),
            )
        )
    return made


def ours(events: Events) -> list[tuple[TruthTable, object]]:
    """Counts, exact money, net value and its interval's variance at every cut, and the best cut of each region."""
    out = []
    for table in tables(events):
        drawn = curve(table, PRICE, STEPS)
        out.append((table, float(table.cuts[int(np.argmax(drawn.net))])))
    return out


def peers_curves(events: Events) -> list[tuple[np.ndarray, ...]]:
    from sklearn.metrics import precision_recall_curve

    out = []
    for rows in events.rows():
        truth, score = events.fraud[rows], events.score[rows]
        plain = precision_recall_curve(truth, score)
        money = precision_recall_curve(truth, score, sample_weight=events.money[rows].astype(np.float64))
        out.append((plain[1], plain[2], money[1]))
    return out


def check_curves(mine: list[tuple[TruthTable, object]], theirs: list[tuple[np.ndarray, ...]]) -> None:
    for (table, _), (recall, cuts, recall_money) in zip(mine, theirs, strict=True):
        row = table.moves.index((1, 0, 2))
        assert np.array_equal(table.cuts[1:][::-1], cuts)
        assert np.allclose(table.counts[row, 1:][::-1] / table.counts[row, -1], recall[:-1], rtol=1e-12)
        assert np.allclose(table.money[row, 1:][::-1] / table.money[row, -1], recall_money[:-1], rtol=1e-9)


def tuned(events: Events, part: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Run scikit-learn's threshold tuner at 100 thresholds with a money score, on the first rows of each region."""
    import sklearn
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import TunedThresholdClassifierCV

    class Identity(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):  # noqa: ARG002
            self.classes_ = np.array([0, 1])
            return self

        def predict_proba(self, X):
            return np.column_stack([1 - X[:, 0], X[:, 0]])

        def predict(self, X):
            return (X[:, 0] >= 0.5).astype(int)

    # The form of scikit-learn's own example of a money score (cost-sensitive learning): one mask for each cell.
    def net(y_true, y_pred, *, amount):
        caught, passed = (y_true == 1) & (y_pred == 1), (y_true == 0) & (y_pred == 0)
        insulted, missed = (y_true == 0) & (y_pred == 1), (y_true == 1) & (y_pred == 0)
        gain = COSTS.fraud_gain("review") * amount[caught].sum() - COSTS.fraud_gain("none") * amount[missed].sum()
        cost = COSTS.good_cost("review") * amount[insulted].sum() - COSTS.good_cost("none") * amount[passed].sum()
        handled = COSTS.handling("review") * (caught.sum() + insulted.sum())
        return (gain - COSTS.margin * cost) / 100 - handled

    out = []
    tuned.money = 0.0  # type: ignore[attr-defined]
    with sklearn.config_context(enable_metadata_routing=True):
        for own in events.rows():
            rows = own[: max(100, len(own) * part // len(events.score))]
            X, y = events.score[rows, None], events.fraud[rows].astype(int)
            for scoring in ("precision", "recall", make_scorer(net).set_score_request(amount=True)):
                money = scoring not in ("precision", "recall")
                begun = time.process_time()
                model = TunedThresholdClassifierCV(
                    Identity().fit(X, y),
                    scoring=scoring,
                    thresholds=100,
                    cv="prefit",
                    refit=False,
                    store_cv_results=True,
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # precision without alerts
                    model.fit(X, y, **({"amount": events.money[rows]} if money else {}))
                tuned.money += (time.process_time() - begun) if money else 0.0  # type: ignore[attr-defined]
            out.append((model.cv_results_["thresholds"], model.cv_results_["scores"]))
    return out


def check_tuned(events: Events, part: int, found: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for own, (cuts, scores) in zip(events.rows(), found, strict=True):
        rows = own[: max(100, len(own) * part // len(events.score))]
        table = truth_table(
            events.score[rows],
            op=">=",
            base=np.zeros(len(rows), np.int8),
            hit=np.full(len(rows), 2, np.int8),
            kinds=events.fraud[rows],
            money=events.money[rows],
            levels=len(STEPS.rungs),
        )
        drawn = curve(table, PRICE, STEPS)
        points = np.array([table.point(float(cut)) for cut in cuts])
        # The tuner compares with thresholds at the ends of the score's own rounding: a step either way is its own.
        near = np.minimum.reduce(
            [np.abs(drawn.net[np.clip(points + k, 0, table.points - 1)] - scores) for k in (-1, 0, 1)]
        )
        assert (near <= 1e-6 * np.maximum(1.0, np.abs(scores))).all()


def bands(made: list[TruthTable], resamples: int) -> list[object]:
    return [resample(table, resamples=resamples, seed=1) for table in made]


def loop(events: Events, resamples: int) -> None:
    """Resample rows: Poisson(1) weights on presorted rows, and cumulative sums, one resample after another."""
    rng = np.random.default_rng(2)
    held = []
    for rows in events.rows():
        order = rows[np.argsort(-events.score[rows])]
        score = events.score[order]
        ends = np.flatnonzero(np.append(score[1:] != score[:-1], True))
        held.append((np.flatnonzero(events.fraud[order]), len(order), ends))
    begun = time.process_time()
    for _ in range(resamples):
        for frauds, count, ends in held:
            weight = np.bincount(rng.integers(0, count, count, dtype=np.int32), minlength=count)
            alerts = np.cumsum(weight)[ends]
            caught = np.zeros(count, dtype=np.int64)
            caught[frauds] = weight[frauds]
            reached = np.cumsum(caught)[ends]
            with np.errstate(divide="ignore", invalid="ignore"):
                _ = reached / alerts, reached / reached[-1]
    loop.seconds = time.process_time() - begun  # type: ignore[attr-defined]


def check_bands(seed: int = 5) -> None:
    """Bands from bins against quantiles of resampled rows, on events few enough to resample."""
    events = Events(200_000, seed)
    rows = events.rows()[0]
    table = tables(events)[0]
    band = resample(table, seed=1)
    rng = np.random.default_rng(3)
    score, fraud = events.score[rows], events.fraud[rows] == 1
    for cut in (0.3, 0.5, 0.7):
        hit = score >= cut
        caught = rng.poisson(1.0, (2000, int((hit & fraud).sum()))).sum(axis=1)
        good = rng.poisson(float((hit & ~fraud).sum()), 2000)
        ends = np.quantile(caught / (caught + good), [0.025, 0.975])
        point, width = table.point(cut), ends[1] - ends[0]
        assert abs(band.precision_lower[point] - ends[0]) < 0.12 * width
        assert abs(band.precision_upper[point] - ends[1]) < 0.12 * width


def cpu(way: Callable[[], object]) -> tuple[float, object]:
    begun = time.process_time()
    out = way()
    return time.process_time() - begun, out


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--events", type=int, default=5_000_000)
    reader.add_argument("--rounds", type=int, default=3)
    asked = reader.parse_args()
    events = Events(asked.events)
    check_bands()
    times: dict[str, list[float]] = {}
    part = min(TUNED_PART, asked.events)
    for turn in range(asked.rounds):
        seconds, mine = cpu(lambda: ours(events))
        times.setdefault("every cut", []).append(seconds)
        seconds, theirs = cpu(lambda: peers_curves(events))
        times.setdefault("curves", []).append(seconds)
        if turn == 0:
            check_curves(mine, theirs)  # type: ignore[arg-type]
            points = sum(table.points for table, _ in mine)  # type: ignore[attr-defined]
            print(f"{asked.events:,} events, {points:,} (cut, region) points, {events.fraud.sum():,} frauds")
            seconds, found = cpu(lambda: tuned(events, part))
            times["tuned"] = [seconds * asked.events / part]
            times["tuned money"] = [tuned.money * asked.events / part]  # type: ignore[attr-defined]
            check_tuned(events, part, found)  # type: ignore[arg-type]
            loop(events, LOOP_PART)
            times["loop"] = [loop.seconds * RESAMPLES / LOOP_PART]  # type: ignore[attr-defined]
        made = [table for table, _ in mine]  # type: ignore[attr-defined]
        seconds, _ = cpu(lambda made=made: bands(made, RESAMPLES))
        times.setdefault("bands", []).append(seconds)
    took = {name: statistics.median(held) for name, held in times.items()}
    scaled = f"x{asked.events / part:g} rows"
    rows = [
        ("every cut, counts + money + net value", took["every cut"], "", ""),
        ("scikit-learn curves, plain + money", took["curves"], f"{took['curves'] / took['every cut']:.1f}x", ">= 1x"),
        (
            f"TunedThresholdClassifierCV, 100 cuts: precision, recall, money ({scaled})",
            took["tuned"],
            f"{took['tuned'] / took['every cut']:.0f}x",
            ">= 20x",
        ),
        (
            f"   of it money alone ({scaled})",
            took["tuned money"],
            f"{took['tuned money'] / took['every cut']:.0f}x",
            "",
        ),
        (f"{RESAMPLES:,} resamples at every cut", took["bands"], "", ""),
        (
            f"numpy loop over rows (x{RESAMPLES // LOOP_PART} resamples)",
            took["loop"],
            f"{took['loop'] / took['bands']:.0f}x",
            ">= 100x",
        ),
    ]
    print(f"{'way':<76}{'CPU s':>10}{'ratio':>9}  bar")
    for name, seconds, ratio, bar in rows:
        print(f"{name:<76}{seconds:>10.2f}{ratio:>9}  {bar}")


if __name__ == "__main__":
    main()
