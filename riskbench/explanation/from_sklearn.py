"""How are scikit-learn's trees read? Forests and boosting, with native categories, as one flat ensemble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.errors import DataError
from riskbench.explanation.ensemble import NUMBER, SET, Ensemble, Floats, Tree, assemble

Encoder = Callable[[pd.DataFrame], Floats]


def forest(model: Any, place: int) -> Ensemble:
    """Return a forest or a single tree as an ensemble of probabilities of the class at `place`."""
    members = list(getattr(model, "estimators_", [model]))
    trees = [_tree(member.tree_, _share(member.tree_.value[:, 0, :], place)) for member in members]
    return assemble(trees, columns=int(model.n_features_in_), scale="probability", single=True, factor=1.0 / len(trees))


def gradient_boosting(model: Any) -> Ensemble:
    """Return a GradientBoostingClassifier as an ensemble of log-odds.

    Raises
    ------
    DataError
        When it starts from another model or has another loss than log-loss.
    """
    if model.loss != "log_loss":
        raise DataError("Only boosting on log-loss gives log-odds.", got=model.loss, allowed="log_loss")
    start = model.init_
    if isinstance(start, str):
        offset = 0.0
    elif type(start).__name__ == "DummyClassifier" and start.strategy == "prior":
        share = float(np.clip(start.class_prior_[1], np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps))
        offset = float(np.log(share / (1 - share)))
    else:
        raise DataError("A boosting that starts from another model cannot be explained.", got=type(start).__name__)
    trees = [_tree(member.tree_, member.tree_.value[:, 0, 0]) for member in model.estimators_[:, 0]]
    return assemble(
        trees,
        columns=int(model.n_features_in_),
        scale="log-odds",
        offset=offset,
        single=True,
        factor=float(model.learning_rate),
    )


def _share(value: Floats, place: int) -> Floats:
    total = value.sum(axis=1)
    return np.divide(value[:, place], total, out=np.zeros(len(value)), where=total > 0)


def _tree(tree: Any, value: Floats) -> Tree:
    leaf = tree.children_left < 0
    missing = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count, np.uint8))
    return Tree(
        feature=np.where(leaf, -1, tree.feature).astype(np.int32),
        threshold=np.asarray(tree.threshold, np.float64),
        left=tree.children_left.astype(np.int32),
        right=tree.children_right.astype(np.int32),
        missing_left=np.asarray(missing, np.uint8),
        value=np.asarray(value, np.float64),
        cover=np.asarray(tree.weighted_n_node_samples, np.float64),
        kind=np.full(tree.node_count, NUMBER, np.uint8),
        sets={},
    )


def histogram(model: Any) -> tuple[Ensemble, Encoder]:
    """Return a HistGradientBoostingClassifier as an ensemble of log-odds, and what turns a frame into its codes.

    Its own preprocessing puts categories first and numbers them; the trees are mapped back to the columns as
    given. A code that it has not seen counts as missing, as it does in the model.

    Raises
    ------
    DataError
        When the model has more than two classes.
    """
    if model.n_trees_per_iteration_ != 1:
        raise DataError("Only models of two classes are explained.", got=f"{len(model.classes_)} classes")
    columns = int(model.n_features_in_)
    order = _order(model, columns)
    trees = []
    for (predictor,) in model._predictors:  # noqa: SLF001
        nodes = predictor.nodes
        leaf, sets = nodes["is_leaf"].astype(bool), {}
        for node in np.flatnonzero(~leaf & nodes["is_categorical"].astype(bool)):
            sets[int(node)] = _codes(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        trees.append(
            Tree(
                feature=np.where(leaf, -1, order[nodes["feature_idx"]]).astype(np.int32),
                threshold=nodes["num_threshold"].astype(np.float64),
                left=np.where(leaf, -1, nodes["left"].astype(np.int64)).astype(np.int32),
                right=np.where(leaf, -1, nodes["right"].astype(np.int64)).astype(np.int32),
                missing_left=nodes["missing_go_to_left"].astype(np.uint8),
                value=nodes["value"].astype(np.float64),
                cover=nodes["count"].astype(np.float64),
                kind=np.where(nodes["is_categorical"].astype(bool), SET, NUMBER).astype(np.uint8),
                sets=sets,
            )
        )
    offset = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001
    known = _known(model)

    def encode(frame: pd.DataFrame) -> Floats:
        given: Any = frame if hasattr(model, "feature_names_in_") else frame.to_numpy()
        cells = np.asarray(model._preprocess_X(given, reset=False), dtype=np.float64)  # noqa: SLF001
        out = np.empty_like(cells)
        out[:, order] = cells
        for place, codes in known.items():
            held = out[:, place]
            whole = np.where(np.isfinite(held) & (held >= 0) & (held < 256), np.trunc(held), -1).astype(np.int64)
            out[:, place] = np.where((whole >= 0) & codes[whole], whole, np.nan)
        return out

    return assemble(trees, columns=columns, scale="log-odds", offset=offset), encode


def _order(model: Any, columns: int) -> npt.NDArray[np.int64]:
    """Return which column, as given, stands at each place of the model's own matrix."""
    chosen = getattr(model, "is_categorical_", None)
    if chosen is None:
        return np.arange(columns)
    return np.concatenate([np.flatnonzero(chosen), np.flatnonzero(~np.asarray(chosen))])


def _known(model: Any) -> dict[int, npt.NDArray[np.bool_]]:
    """Return, for each column of categories, which of the codes 0..255 the model has seen."""
    if getattr(model, "is_categorical_", None) is None:
        return {}
    seen, places = model._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001
    order, out = _order(model, int(model.n_features_in_)), {}
    for own in np.flatnonzero(model._is_categorical_remapped):  # noqa: SLF001
        codes = np.zeros(256, dtype=bool)
        codes[_codes(seen[places[own]])] = True
        out[int(order[own])] = codes
    return out


def _codes(words: npt.NDArray[np.uint32]) -> list[int]:
    return [32 * word + bit for word, held in enumerate(words) for bit in range(32) if int(held) >> bit & 1]
