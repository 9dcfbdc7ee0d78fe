"""How is an XGBoost model read? Its own JSON form; values are compared in single precision, strictly below."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from riskbench.errors import DataError, listed
from riskbench.explanation.ensemble import NUMBER, SET, Ensemble, Floats, Tree, assemble
from riskbench.explanation.from_sklearn import Encoder

_OBJECTIVES = ("binary:logistic", "binary:logitraw", "reg:logistic")


def boosted(booster: Any, *, rounds: int | None = None, missing: float = np.nan) -> tuple[Ensemble, Encoder, int]:
    """Return an XGBoost booster as an ensemble of log-odds, what codes its frames, and its count of columns.

    Parameters
    ----------
    booster : xgboost.Booster
        The fitted booster.
    rounds : int, optional
        Use the first rounds only (early stopping).
    missing : float
        The value that stands for a missing one beside NaN.

    Raises
    ------
    DataError
        For another booster than plain trees, or another objective than a binary one.
    """
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective, name = learner["objective"]["name"], learner["gradient_booster"]["name"]
    if name != "gbtree":
        raise DataError("Only plain boosted trees of XGBoost are explained.", got=name, allowed="gbtree")
    if objective not in _OBJECTIVES:
        raise DataError("Only XGBoost models of two classes are explained.", got=objective, allowed=listed(_OBJECTIVES))
    model = learner["gradient_booster"]["model"]
    held = model["trees"]
    if rounds is not None:
        held = held[: model["iteration_indptr"][rounds]]
    start = np.float32(np.ravel(json.loads(learner["learner_model_param"]["base_score"]))[0])
    share = float(start)
    offset = share if objective == "binary:logitraw" else float(np.log(share) - np.log1p(-share))
    columns = int(learner["learner_model_param"]["num_feature"])
    ensemble = assemble([_tree(tree) for tree in held], columns=columns, scale="log-odds", offset=offset, single=True)
    words = [_words(entry) for entry in model.get("cats", {}).get("enc", [])] or [None] * columns
    return ensemble, lambda frame: _cells(frame, words, missing=missing), columns


def _tree(held: dict[str, Any]) -> Tree:
    left = np.asarray(held["left_children"], np.int32)
    leaf = left < 0
    cut = np.asarray(held["split_conditions"], np.float32)
    starts, sizes = held.get("categories_segments", []), held.get("categories_sizes", [])
    sets = {
        int(node): held["categories"][start : start + size]
        for node, start, size in zip(held.get("categories_nodes", []), starts, sizes, strict=True)
    }
    # x < t in single precision is x <= the number just below t.
    below = np.nextafter(cut, np.float32(-np.inf)).astype(np.float64)
    return Tree(
        feature=np.where(leaf, -1, np.asarray(held["split_indices"])).astype(np.int32),
        threshold=below,
        left=left,
        right=np.asarray(held["right_children"], np.int32),
        missing_left=np.asarray(held["default_left"], np.uint8),
        value=np.where(leaf, cut, 0).astype(np.float64),
        cover=np.asarray(held["sum_hessian"], np.float64),
        kind=np.where(np.asarray(held["split_type"]) == 1, SET, NUMBER).astype(np.uint8),
        sets=sets,
        set_right=True,
    )


def _words(entry: dict[str, Any]) -> list[Any] | None:
    """Return the words of one column's categories in the order of their codes; None for a column of numbers."""
    values = entry.get("values", [])
    offsets = entry.get("offsets")
    if not values:
        return None
    if offsets is None:
        return list(values)
    text = bytes(value & 0xFF for value in values)
    return [text[a:b].decode() for a, b in pairwise(offsets)]


def _cells(frame: pd.DataFrame, words: list[list[Any] | None], *, missing: float) -> Floats:
    out = np.empty(frame.shape, dtype=np.float64)
    for place, name in enumerate(frame.columns):
        column, known = frame[name], words[place]
        if isinstance(column.dtype, pd.CategoricalDtype):
            out[:, place] = _codes(column, known, str(name))
        else:
            numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
            out[:, place] = numbers if np.isnan(missing) else np.where(numbers == missing, np.nan, numbers)
    return out


def _codes(column: pd.Series, known: list[Any] | None, name: str) -> Floats:
    """Return each value's code in the model; its own code where the model keeps no words."""
    own = column.cat.codes.to_numpy(np.int64)
    if known is None:
        return np.where(own < 0, np.nan, own)
    place = {word: code for code, word in enumerate(known)}
    mapped = np.array([place.get(word, -2) for word in column.cat.categories] + [-1])
    codes = mapped[own]
    if (codes == -2).any():
        strange = sorted({str(word) for word in column[codes == -2].unique()})
        raise DataError(f"Column {name!r} holds categories that the model has not seen.", got=listed(strange))
    return np.where(codes < 0, np.nan, codes)
