"""How is a baseline learnt, so that neither the order of rows nor the machine matters?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.inputs import Inputs
from riskbench.errors import DataError

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

#: With fewer frauds than this there is nothing to learn.
FEWEST_FRAUDS = 20
#: At most this many events are learnt from: all frauds, and good events by lot, weighted up again.
MOST_EVENTS = 200_000
_CHUNK = 500_000

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def learn(frame: pd.DataFrame, fraud: Mask, *, seed: int) -> HistGradientBoostingClassifier:
    """Return a boosted tree model; the order of rows does not matter."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    frauds = int(np.count_nonzero(fraud))
    if frauds < FEWEST_FRAUDS or frauds == len(fraud):
        raise DataError(
            "There is too little to learn a baseline score from.",
            got=f"{frauds} frauds and {len(fraud) - frauds} good events with a verdict",
            allowed=f"at least {FEWEST_FRAUDS} frauds and some good events",
            hint="learn from a longer time (train_until=), or bring a score of your own",
        )
    # A column that is empty among these events says nothing; the model refuses it, so it gets one value.
    empty = [name for name in frame.columns if frame[name].dtype.kind == "f" and frame[name].isna().all()]
    frame = frame.assign(**dict.fromkeys(empty, 0.0))
    order, weight = _drawn(_hashed(frame, seed=seed), fraud)
    model = HistGradientBoostingClassifier(
        learning_rate=0.08,
        max_iter=150,
        max_leaf_nodes=15,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features="from_dtype",
        random_state=seed,
    )
    # One thread: on a busy machine several spend most of their time waiting for each other.
    with threadpool_limits(1, user_api="openmp"):
        return model.fit(frame.iloc[order], fraud[order], sample_weight=weight)


def _drawn(key: npt.NDArray[np.uint64], fraud: Mask) -> tuple[Rows, npt.NDArray[np.float64] | None]:
    """Return the rows to learn from in an order of their own, and what each stands for; None where all stand for one.

    Weights of one tell the model nothing, and cost it most of its time where columns hold many values.
    """
    order = np.lexsort((fraud, key))
    good = order[~fraud[order]]
    room = max(MOST_EVENTS - int(np.count_nonzero(fraud)), MOST_EVENTS // 2)
    if len(good) <= room:
        return order, None
    kept = np.zeros(len(fraud), dtype=bool)
    kept[good[:room]] = True
    order = order[kept[order] | fraud[order]]
    return order, np.where(fraud[order], 1.0, len(good) / room)


def _hashed(frame: pd.DataFrame, *, seed: int) -> npt.NDArray[np.uint64]:
    """Return a number a row that depends on what the row holds alone."""
    out = np.full(len(frame), np.uint64(0x9E3779B97F4A7C15 ^ seed & 0xFFFFFFFF), dtype=np.uint64)
    for name in frame.columns:
        values = frame[name]
        numbers = values.cat.codes if isinstance(values.dtype, pd.CategoricalDtype) else values
        held = np.nan_to_num(numbers.to_numpy(np.float64), nan=-8.5e37) + 0.0
        out = (out ^ held.view(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        out ^= out >> np.uint64(29)
    return out


def predict(model: HistGradientBoostingClassifier, known: Inputs, rows: Rows) -> npt.NDArray[np.float64]:
    """Return the scores of some events, 0 to 1."""
    from threadpoolctl import threadpool_limits

    parts = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    with threadpool_limits(1, user_api="openmp"):
        scores = [model.predict_proba(known.frame(part))[:, 1] for part in parts]
    # Seven decimals hide what differs between machines in the last place.
    return np.round(np.concatenate(scores), 7) if scores else np.zeros(0)
