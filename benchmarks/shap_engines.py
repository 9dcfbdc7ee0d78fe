"""Exact tree explanations against shap.TreeExplainer, on the same models and rows, in one run.

Rows a second of wall-clock time, interleaved, the median of the rounds; both sides may use the same threads.
shap's slow side explains fewer rows, and its rate is what counts. Before a time is printed the answers are
compared three times: with shap as it is; with shap when the engine is made to read the trees as shap does (its
interventional side keeps thresholds in single precision, and leaves reference rows in double precision also where
the model rounds them), which has to be equal; and with the plain oracle on the rows where shap is furthest off.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from riskbench.explanation.engine import margin, share_out
from riskbench.explanation.fitted import fitted
from riskbench.explanation.oracle import plain

COLUMNS = 30
REFERENCE = 10_000
BARS = {"RandomForest": (8.0, 12.0)}
BAR = (8.0, 30.0)
#: What may differ where both read the trees alike, and from the oracle.
CLOSE, CLOSE_XGBOOST, EXACT = 1e-6, 1e-5, 1e-9
MOST_MB, MOST_COMPILING = 500, 15.0
COMPILE = """
import time
import numpy as np
from riskbench.explanation.engine import share_out
from riskbench.explanation.ensemble import Tree, assemble
i = lambda *v: np.array(v, np.int32)
tree = Tree(i(0, 1, -1, -1, -1), np.array([.5, .2, 0, 0, 0]), i(1, 2, -1, -1, -1), i(4, 3, -1, -1, -1),
            np.zeros(5, np.uint8), np.array([0, 0, 1., 2., 3.]), np.array([4, 3, 1, 2, 1.]), np.zeros(5, np.uint8), {})
held, X = assemble([tree] * 3, columns=2, scale="log-odds"), np.random.default_rng(0).random((50, 2))
begun = time.process_time()
share_out(held, X, reference=X, player=np.arange(2))
usual = time.process_time() - begun
share_out(held, X, reference=X, player=np.arange(2), limit=1)
print(usual, time.process_time() - begun)
"""


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


def extra_mb(way: Callable[[], object]) -> float:
    """Return by how much the process grew at most; 0 where the system does not tell."""
    marks, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")

    def peak(name: str) -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))

    try:
        marks.write_text("5")
        before = peak("VmRSS")
        way()
        return (peak("VmHWM") - before) / 1024
    except OSError:
        return 0.0


def compiling() -> tuple[float, float, float]:
    """Return the processor seconds of the first call of all: for usual trees, with deep ones, and from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        told = []
        for _ in range(2):
            held = subprocess.run(
                [sys.executable, "-c", COMPILE],
                env={**os.environ, "NUMBA_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                check=True,
            )
            told.append([float(part) for part in held.stdout.split()])
    return told[0][0], told[0][1], told[1][1]


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
    usual, deep, cached = compiling()
    print(
        f"first call of all, processor time: {usual:.1f} s, with deep trees {deep:.1f} s; from the cache {cached:.1f} s"
    )
    print(f"{'':<22}{'':<34}{'':>10}{'':>9}{'':>8}{'':>6}  largest difference to")
    print(
        f"{'model':<22}{'way':<34}{'rows/s':>10}{'shap':>9}{'ratio':>8}{'bar':>6}  shap     read alike  oracle  more MB"
    )
    for name, model in made.items():
        if asked.only and asked.only.lower() not in name.lower():
            continue
        score = fitted(model)
        trees = score.trees
        assert trees is not None
        player = np.arange(COLUMNS)
        cells, reference = trees.cells(score.encode(rows)), trees.cells(score.encode(others))
        share_out(trees, cells[:64], reference=reference[:64], player=player)  # compiled before it is timed
        # Before the timed rounds: what they free would be used again and not be seen as growth.
        grown = [
            extra_mb(lambda given=given: share_out(trees, cells, reference=given, player=player))
            for given in (None, reference)
        ]
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
        at_most = CLOSE_XGBOOST if name == "XGBoost" else CLOSE
        apart = float(np.abs(mine.values[: len(theirs)] - theirs).max())  # type: ignore[attr-defined, arg-type]
        assert apart < at_most, (name, apart)
        seen = shaps(against, rows.iloc[:200])
        ours = share_out(trees, cells[:200], reference=hundred, player=player).values
        single = replace(trees, threshold=trees.threshold.astype(np.float32).astype(np.float64))
        unrounded = np.asarray(score.encode(others.iloc[:100]), dtype=np.float64)
        alike = share_out(single, cells[:200], reference=unrounded, player=player).values
        beside, read_alike = float(np.abs(ours - seen).max()), float(np.abs(alike - seen).max())
        assert read_alike < at_most, (name, read_alike)
        worst = np.abs(ours - seen).max(axis=1).argsort()[-2:]
        exact = max(float(np.abs(plain(trees, cells[i], hundred, player) - ours[i]).max()) for i in worst)
        assert exact < EXACT, (name, exact)
        added = float(np.abs(versus.base + versus.values.sum(axis=1) - margin(trees, cells)).max())  # type: ignore[attr-defined]
        assert added < 1e-9
        assert max(grown) < MOST_MB, (name, grown)
        bars = BARS.get(name, BAR)
        rate = {way: statistics.median(held) for way, held in times.items()}
        for way, peer, bar, told, more in (
            ("path", "shap path", bars[0], f"{apart:.1e}", grown[0]),
            ("reference", "shap reference", bars[1], f"{beside:.1e}  {read_alike:.1e}     {exact:.0e}", grown[1]),
        ):
            label = "path-dependent" if way == "path" else f"{REFERENCE:,} rows (shap: 100)"
            ratio = rate[way] / rate[peer]
            rates = f"{rate[way]:>10,.0f}{rate[peer]:>9,.0f}{ratio:>7.1f}x{bar:>5.0f}x"
            print(f"{name:<22}{label:<34}{rates}  {told:<27}{more:>9.0f}", flush=True)
    if asked.many:
        score = fitted(made["LightGBM"])
        assert score.trees is not None
        many = score.trees.cells(score.encode(pd.concat([X] * (asked.many // len(X) + 1)).iloc[: asked.many]))
        took = 0.0

        def whole() -> None:
            nonlocal took
            took, _ = timed(
                lambda: share_out(score.trees, many, reference=many[-REFERENCE:], player=np.arange(COLUMNS))  # type: ignore[arg-type]
            )

        grown_by = extra_mb(whole)
        print(
            f"{asked.many:,} rows, LightGBM, {REFERENCE:,} reference rows: {took:.1f} s, {grown_by:.0f} MB more "
            "(the answer among it)"
        )


if __name__ == "__main__":
    main()
