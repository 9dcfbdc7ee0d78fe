"""What tells some events from others? A small model learnt for that alone, never the fraud model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.inputs import Inputs
from riskbench.calibration.learning import FEWEST_FRAUDS, learn
from riskbench.data.dataset import Dataset
from riskbench.display import number
from riskbench.explanation.explanation import Explanation, explain
from riskbench.metrics.intervals import Z95
from riskbench.metrics.ranking import auc

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Into so many parts the entities are split; the values of each come from a model that saw none of its entities.
FOLDS = 3
#: Fewer events than this give no interval.
FEWEST = 5


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """What tells two cohorts apart, by a model that had not seen the events it is asked about.

    Attributes
    ----------
    auc : tuple of float, or None
        The area under the ROC curve with its ends.
    features : tuple of str
        The columns that were learnt from.
    values : ndarray of float64, shape (rows, features)
        What each feature adds to each event's log-odds of being in the cluster.
    inside : ndarray of bool, shape (rows,)
        Which of the events are in the cluster.
    explained : Explanation
        The events of the first part that holds some of the cluster, for reasons by case.
    """

    auc: tuple[float, float, float] | None
    features: tuple[str, ...]
    values: Floats
    inside: Mask
    explained: Explanation


def told_apart(
    known: Inputs, rows: Rows, inside: Mask, group: npt.NDArray[np.int32], *, names: tuple[str, ...],
    reference: Rows, reference_name: str, events: npt.NDArray[np.object_], seed: int,
) -> Apart | None:  # fmt: skip
    """Return what tells the events inside from the others; None where there is too little to learn from.

    Parameters
    ----------
    known : Inputs
        The columns that are known when the decision is taken.
    rows : ndarray of intp
        The events of both cohorts.
    inside : ndarray of bool, shape (len(rows),)
        Which of them are in the cluster.
    group : ndarray of int32, shape (len(rows),)
        Who acted: events of one entity are in one part.
    names : tuple of str
        The columns that are learnt from.
    reference : ndarray of intp
        Whom every event is compared with.
    """
    frame, others = known.frame(rows)[list(names)], known.frame(reference)[list(names)]
    distinct, place = np.unique(group, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(distinct)) % FOLDS)[place]
    enough = [int(np.count_nonzero(inside & (fold != part))) for part in range(FOLDS)]
    if len(distinct) < FOLDS or min(enough) < FEWEST_FRAUDS or not names or inside.all():
        return None
    values, score = np.zeros((len(rows), len(names))), np.zeros(len(rows))
    explained: Explanation | None = None
    for part in range(FOLDS):
        held = np.flatnonzero(fold == part)
        rest = np.flatnonzero(fold != part)
        if not len(held) or inside[rest].all():
            return None
        model = learn(frame.iloc[rest], inside[rest], seed=seed)
        asked = frame.iloc[held].set_axis(events[held], axis="index")
        found = explain(model, asked, reference=others, reference_name=reference_name, seed=seed)
        values[held], score[held] = found.values, found.scores
        if explained is None and inside[held].any():
            explained = found.where(inside[held])
    assert explained is not None
    return Apart(auc(score, inside), names, values, inside, explained)


def apart_by(values: Floats, inside: Mask) -> tuple[Floats, Floats]:
    """Return how much higher each column's mean is inside, and half its 95 % interval; NaN with too few events."""
    a, b = values[inside], values[~inside]
    if not len(a) or not len(b):
        return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    half = np.full(values.shape[1], np.nan)
    if min(len(a), len(b)) >= FEWEST:
        half = Z95 * np.sqrt(a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b))
    return a.mean(axis=0) - b.mean(axis=0), half


def usual(column: pd.Series, inside: Mask, *, of: str = "a value") -> tuple[str, str, str]:
    """Return what a column is inside, what it is outside, and the difference in words; `of` is what it may lack."""
    absent = column.isna().to_numpy()
    gone = [float(absent[part].mean()) for part in (inside, ~inside)]
    if abs(gone[0] - gone[1]) > 0.25 or gone[0] == 1.0 or gone[1] == 1.0:
        there = [number(1 - share, "share") for share in gone]
        shown = [f"has {of} in {share}" for share in there]
        return shown[0], shown[1], f"{shown[0]} (baseline: {there[1]})"
    parts = [column[part & ~absent] for part in (inside, ~inside)]
    if pd.api.types.is_numeric_dtype(column.dtype) and not set(column[~absent].unique()) <= {0, 1}:
        middle = [float(np.median(part.to_numpy(np.float64))) for part in parts]
        mean = [float(part.mean()) for part in parts]
        if middle[0] == middle[1]:
            return (*(f"mean {number(m)}" for m in mean), _moved(mean, "mean"))  # type: ignore[return-value]
        return (*(f"median {number(m)}" for m in middle), _moved(middle, "median"))  # type: ignore[return-value]
    if pd.api.types.is_numeric_dtype(column.dtype):
        parts = [part.map({0: "no", 1: "yes"}) for part in parts]
    shares = [
        {str(word): float(share) for word, share in part.astype(str).value_counts(normalize=True).items()}
        for part in parts
    ]
    word = max(sorted({**shares[0], **shares[1]}), key=lambda held: shares[0].get(held, 0.0) - shares[1].get(held, 0.0))
    inner, outer = (share.get(word, 0.0) for share in shares)
    told = f"{word[:60]} in {number(inner, 'share')}"
    return told, f"{word[:60]} in {number(outer, 'share')}", f"{told} (baseline: {number(outer, 'share')})"


def _moved(pair: list[float], what: str) -> str:
    way = "higher" if pair[0] > pair[1] else "lower" if pair[0] < pair[1] else "no other"
    return f"{way}: {what} {number(pair[0])} (baseline: {number(pair[1])})"


def drawn(dataset: Dataset, rows: Rows, most: int, *, seed: int) -> Rows:
    """Return at most so many of some rows, by lot of their ids: the order of rows does not matter."""
    if len(rows) <= most:
        return rows
    ids = dataset.table.column(dataset.roles.id).take(rows).to_arrow().to_pandas().astype(str).to_numpy(dtype=object)
    lot = pd.util.hash_array(ids, hash_key=f"{seed:016d}"[-16:])
    return np.sort(rows[np.argsort(lot, kind="stable")[:most]])
