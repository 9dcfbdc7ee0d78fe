"""Exact tree explanations against shap.TreeExplainer, on the same models and rows, in one run.

Rows a second of wall-clock time, interleaved, the median of the rounds; both sides may use the same threads.
shap's slow side explains fewer rows, and its rate is what counts. Before a time is printed the answers are
compared: with shap where shap is right, and with the plain oracle on sampled rows and trees.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from riskbench.explanation.engine import margin, share_out
from riskbench.explanation.fitted import fitted

COLUMNS = 30
REFERENCE = 10_000
BARS = {"RandomForest": (8.0, 12.0)}
BAR = (8.0, 30.0)


def events(rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows like a fraud file's: about 1 % positives, 2 % missing, amounts in cents, counts."""
    rng = np.random.default_rng(seed)
    held = rng.normal(size=(rows, COLUMNS))
    held[:, 0] = np.round(np.exp(3 + held[:, 0]), 2)
    held[:, 1] = rng.poisson(2, rows)
    held[:, 2:6] = np.round(held[:, 2:6], 1)
    odds = -6.2 + 0.8 * np.log(held[:, 0]) * 0.5 + 0.5 * held[:, 1] * (held[:, 2] > 0) + held[:, 3] * held[:, 4]
    odds += held[:, 5:12].sum(axis=1) * 0.35
    fraud = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    held[rng.random(held.shape) < 0.02] = np.nan
    return pd.DataFrame(held, columns=[f"x{i}" for i in range(COLUMNS)]), fraud


def models(X: pd.DataFrame, y: np.ndarray, trees: int) -> dict[str, object]:
    import lightgbm
    import xgboost
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    jobs = int(os.environ.get("OMP_NUM_THREADS", "2"))
    part = slice(0, 60_000)
    return {
        "LightGBM": lightgbm.LGBMClassifier(
            n_estimators=trees, num_leaves=31, learning_rate=0.05, n_jobs=jobs, verbose=-1, random_state=0
        ).fit(X, y),
        "XGBoost": xgboost.XGBClassifier(
            n_estimators=trees, max_depth=6, learning_rate=0.05, n_jobs=jobs, random_state=0
        ).fit(X, y),
        "HistGradientBoosting": HistGradientBoostingClassifier(
            max_iter=trees, max_leaf_nodes=31, learning_rate=0.05, early_stopping=False, random_state=0
        ).fit(X, y),
        "RandomForest": RandomForestClassifier(100, max_depth=12, n_jobs=jobs, random_state=0).fit(X[part], y[part]),
    }


def timed(way: Callable[[], object]) -> tuple[float, object]:
    begun = time.perf_counter()
    found = way()
    return time.perf_counter() - begun, found


def shaps(explainer: object, X: pd.DataFrame) -> np.ndarray:
    found = np.asarray(explainer.shap_values(X, check_additivity=False))  # type: ignore[attr-defined]
    return found[:, :, 1] if found.ndim == 3 else found


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--train", type=int, default=200_000)
    reader.add_argument("--rows", type=int, default=20_000)
    reader.add_argument("--trees", type=int, default=300)
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--many", type=int, default=200_000)
    reader.add_argument("--only", default="")
    asked = reader.parse_args()
    warnings.simplefilter("ignore")
    import shap

    X, y = events(asked.train)
    rows, others = X.iloc[: asked.rows], X.iloc[-REFERENCE:]
    print(f"{asked.train:,} events, {100 * y.mean():.2f} % frauds; {asked.rows:,} rows explained; {asked.trees} trees")
    made = models(X, y, asked.trees)
    first = True
    print(f"{'model':<22}{'way':<34}{'rows/s':>10}{'shap':>9}{'ratio':>8}{'bar':>6}{'  largest difference'}")
    for name, model in made.items():
        if asked.only and asked.only.lower() not in name.lower():
            continue
        score = fitted(model)
        trees = score.trees
        assert trees is not None
        player = np.arange(COLUMNS)
        cells, reference = trees.cells(score.encode(rows)), trees.cells(score.encode(others))
        if first:
            took, _ = timed(lambda: share_out(trees, cells[:64], reference=reference[:64], player=player))
            print(f"compiling, or loading what was compiled: {took:.1f} s")
            first = False
        few = {"RandomForest": 300}.get(name, 1_500)
        path = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
        small = shap.maskers.Independent(others.iloc[:100], max_samples=100)
        against = shap.TreeExplainer(model, small, feature_perturbation="interventional")
        hundred = trees.cells(score.encode(others.iloc[:100]))
        times: dict[str, list[float]] = {}
        for _ in range(asked.rounds):
            spent, mine = timed(lambda: share_out(trees, cells, reference=None, player=player))
            times.setdefault("path", []).append(asked.rows / spent)
            n = asked.rows if name in ("LightGBM", "XGBoost") else few
            spent, theirs = timed(lambda: shaps(path, rows.iloc[:n]))
            times.setdefault("shap path", []).append(n / spent)
            spent, versus = timed(lambda: share_out(trees, cells, reference=reference, player=player))
            times.setdefault("reference", []).append(asked.rows / spent)
            spent, _ = timed(lambda: shaps(against, rows.iloc[: few // 5]))
            times.setdefault("shap reference", []).append(few // 5 / spent)
        apart = float(np.abs(mine.values[: len(theirs)] - theirs).max())  # type: ignore[attr-defined, arg-type]
        at_most = 1e-5 if name == "XGBoost" else 1e-6
        assert apart < at_most, (name, apart)
        seen = shaps(against, rows.iloc[:200])
        ours = share_out(trees, cells[:200], reference=hundred, player=player)
        beside = float(np.abs(ours.values - seen).max())
        added = float(np.abs(versus.base + versus.values.sum(axis=1) - margin(trees, cells)).max())  # type: ignore[attr-defined]
        assert added < 1e-9
        bars = BARS.get(name, BAR)
        rate = {way: statistics.median(held) for way, held in times.items()}
        for way, peer, bar, told in (
            ("path", "shap path", bars[0], apart),
            ("reference", "shap reference", bars[1], beside),
        ):
            label = "path-dependent" if way == "path" else f"{REFERENCE:,} rows (shap: 100)"
            ratio = rate[way] / rate[peer]
            print(f"{name:<22}{label:<34}{rate[way]:>10,.0f}{rate[peer]:>9,.0f}{ratio:>7.1f}x{bar:>5.0f}x  {told:.1e}")
    if asked.many:
        score = fitted(made["LightGBM"])
        assert score.trees is not None
        many = score.trees.cells(score.encode(pd.concat([X] * (asked.many // len(X) + 1)).iloc[: asked.many]))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        took, _ = timed(
            lambda: share_out(score.trees, many, reference=many[-REFERENCE:], player=np.arange(COLUMNS))  # type: ignore[arg-type]
        )
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"{asked.many:,} rows, LightGBM, {REFERENCE:,} reference rows: {took:.1f} s, {grown:.0f} MB more")


if __name__ == "__main__":
    main()
