"""How is a LightGBM model read? Its own text form, with its three ways to treat a missing value."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from riskbench.errors import DataError
from riskbench.explanation.ensemble import NUMBER, SET, ZERO_MISSING, Ensemble, Floats, Tree, assemble
from riskbench.explanation.from_sklearn import Encoder


def boosted(booster: Any) -> tuple[Ensemble, Encoder, tuple[str, ...]]:
    """Return a LightGBM booster as an ensemble of log-odds, what codes its frames, and its columns.

    Raises
    ------
    DataError
        For linear trees, more than two classes, averaged output, or another objective than binary.
    """
    text = booster.model_to_string()
    head, *parts = text.split("\nTree=")
    top = _pairs(head)
    objective = top.get("objective", "")
    if top.get("num_tree_per_iteration", "1") != "1":
        raise DataError("Only models of two classes are explained.", got=objective)
    if not objective.startswith(("binary", "cross_entropy")):
        raise DataError("Only LightGBM models of two classes are explained.", got=objective or "no objective")
    if "average_output" in head.splitlines():
        raise DataError("A LightGBM random forest has no log-odds, and is not explained.", got="boosting_type='rf'")
    trees = [_tree(_pairs(part.split("\n\n")[0])) for part in parts]
    # The model multiplies by its sigmoid's slope only when it turns margins into probabilities.
    slope = float(dict(p.split(":") for p in objective.split()[1:] if ":" in p).get("sigmoid", 1.0))
    names = tuple(top["feature_names"].split(" "))
    words = json.loads(text.rsplit("pandas_categorical:", 1)[1]) if "pandas_categorical:" in text else None
    ensemble = assemble(trees, columns=len(names), scale="log-odds", factor=slope)
    return ensemble, lambda frame: _cells(frame, words or []), names


def _pairs(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _numbers(text: str, dtype: type) -> Any:
    return np.array(text.split(), dtype=np.float64).astype(dtype) if text else np.zeros(0, dtype)


def _tree(held: dict[str, str]) -> Tree:
    if held.get("is_linear", "0") != "0":
        raise DataError("A LightGBM model with linear trees cannot be explained", hint="fit it without linear_tree")
    leaves = int(held["num_leaves"])
    value = np.array(held["leaf_value"].split(), dtype=np.float64)
    if leaves == 1:
        one = np.zeros(1)
        none = np.full(1, -1, np.int32)
        return Tree(none, one, none, none, one.astype(np.uint8), value[:1], one + 1, one.astype(np.uint8), {})
    inner = leaves - 1
    choice = _numbers(held["decision_type"], np.int64)
    threshold = np.array(held["threshold"].split(), dtype=np.float64)
    missing, sets_at = choice >> 2 & 3, (choice & 1).astype(bool)
    left, right = (_child(_numbers(held[side], np.int64), inner) for side in ("left_child", "right_child"))
    # Without missing values in training a missing one is compared as zero.
    default = np.where(missing == 0, threshold >= 0, choice & 2).astype(bool) & ~sets_at
    kind = np.where(sets_at, SET, np.where(missing == 1, ZERO_MISSING, NUMBER))
    sets = {}
    if sets_at.any():
        bounds, words = _numbers(held["cat_boundaries"], np.int64), _numbers(held["cat_threshold"], np.uint32)
        for node in np.flatnonzero(sets_at):
            own = words[bounds[int(threshold[node])] : bounds[int(threshold[node]) + 1]]
            sets[int(node)] = [32 * w + b for w, word in enumerate(own) for b in range(32) if int(word) >> b & 1]

    def padded(array: Any, fill: float) -> Any:
        return np.concatenate([array, np.full(leaves, fill, dtype=array.dtype)])

    return Tree(
        feature=padded(_numbers(held["split_feature"], np.int32), -1),
        threshold=padded(threshold, 0.0),
        left=padded(left, -1),
        right=padded(right, -1),
        missing_left=padded(default.astype(np.uint8), 0),
        value=np.concatenate([np.zeros(inner), value]),
        cover=np.concatenate([_numbers(held["internal_count"], np.float64), _numbers(held["leaf_count"], np.float64)]),
        kind=padded(kind.astype(np.uint8), 0),
        sets=sets,
    )


def _child(child: Any, inner: int) -> Any:
    """Return positions: nodes first, then leaves (the text counts a leaf as -1 - its number)."""
    return np.where(child >= 0, child, inner - 1 - child).astype(np.int32)


def _cells(frame: pd.DataFrame, words: list[list[Any]]) -> Floats:
    """Return a frame as numbers: categories by the words that the model was fitted on."""
    chosen = [name for name in frame.columns if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    if len(chosen) != len(words):
        raise DataError(
            f"The model was fitted on {len(words)} columns of categories.",
            got=f"{len(chosen)} columns of the type category",
            hint="give the columns the types that the model was fitted on",
        )
    out = np.empty(frame.shape, dtype=np.float64)
    known = dict(zip(chosen, words, strict=True))
    for place, name in enumerate(frame.columns):
        column = frame[name]
        if name in known:
            codes = column.cat.set_categories(known[name]).cat.codes.to_numpy(np.float64)
            out[:, place] = np.where(codes < 0, np.nan, codes)
        else:
            out[:, place] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return out
