"""What was fitted? A model of any supported library as trees or weights, with its columns and its own score."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from riskbench.errors import DataError, MissingDependencyError, ParameterError, listed
from riskbench.explanation import from_lightgbm, from_sklearn, from_xgboost
from riskbench.explanation.ensemble import Ensemble, Floats
from riskbench.explanation.owners import Owners, called, owners

_FORESTS = {"RandomForestClassifier", "ExtraTreesClassifier", "DecisionTreeClassifier", "ExtraTreeClassifier"}
_LINEAR = {
    "LogisticRegression": "log-odds",
    "SGDClassifier": "margin",
    "LinearSVC": "margin",
    "RidgeClassifier": "margin",
}
_SUPPORTED = (
    "HistGradientBoostingClassifier, GradientBoostingClassifier, forests, trees and linear models of scikit-learn, "
    "LightGBM and XGBoost, alone or at the end of a pipeline"
)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fitted two-class model, ready to be explained.

    Attributes
    ----------
    name : str
        The model's class.
    features : tuple of str or None
        The columns that it was fitted on; None where it was fitted without names.
    width : int
        How many columns it takes.
    trees : Ensemble or None
        Its trees.
    weights : ndarray of float64 or None
        A linear model's weights.
    offset : float
        A linear model's constant.
    scale : {"log-odds", "probability", "margin"}
        What is shared out.
    encode : callable
        Turns a frame of the model's columns into the matrix that its trees or weights look at.
    raw : callable
        The model's own score of a frame, on `scale`, by its own library.
    owners : list of frozenset of int
        The input columns that each column of the matrix depends on.
    notes : tuple of str
        What a reader must know.
    probability : callable or None
        The probability of a frame that the model reports, where it is not the one of the sum (calibration).
    """

    name: str
    features: tuple[str, ...] | None
    width: int
    trees: Ensemble | None
    weights: Floats | None
    offset: float
    scale: Literal["log-odds", "probability", "margin"]
    encode: Callable[[pd.DataFrame], Floats]
    raw: Callable[[pd.DataFrame], Floats]
    owners: Owners
    notes: tuple[str, ...] = ()
    probability: Callable[[pd.DataFrame], Floats] | None = None


def fitted(model: Any, *, fraud: object = None) -> Fitted:
    """Return a fitted model as trees or weights of the fraud class.

    Parameters
    ----------
    model : object
        A fitted classifier of two classes.
    fraud : object, optional
        The label of the fraud class, where classes are not 0 and 1.

    Raises
    ------
    DataError
        When the model is of a kind that is not explained, or not fitted.
    ParameterError
        When it cannot be known which class is fraud.
    """
    kinds = {cls.__name__ for cls in type(model).__mro__}
    home = type(model).__module__.split(".")[0]
    if "Pipeline" in kinds:
        return _pipeline(model, fraud)
    if "CalibratedClassifierCV" in kinds:
        return _calibrated(model, fraud)
    if "FrozenEstimator" in kinds:
        return fitted(model.estimator, fraud=fraud)
    if not hasattr(model, "classes_") and home == "sklearn":
        raise DataError("The model is not fitted", got=type(model).__name__, hint="call fit first")
    if home == "lightgbm":
        made = _lightgbm(model)
    elif home == "xgboost":
        made = _xgboost(model)
    elif "HistGradientBoostingClassifier" in kinds:
        trees, encode = from_sklearn.histogram(model)
        made = _of_sklearn(model, trees, encode)
    elif "GradientBoostingClassifier" in kinds:
        _two_classes(model)
        made = _of_sklearn(model, from_sklearn.gradient_boosting(model), _plain)
    elif kinds & _FORESTS:
        place = _place(model, fraud)
        return _of_sklearn(model, from_sklearn.forest(model, place), _plain, place=place)
    elif kinds & set(_LINEAR):
        made = _linear(model, kinds)
    else:
        raise DataError("This kind of model is not explained.", got=type(model).__name__, allowed=_SUPPORTED)
    return made if _place(model, fraud) == 1 else _flipped(made)


def matrix(score: Fitted, frame: pd.DataFrame) -> Floats:
    """Return a frame as the model's trees or weights see it.

    Raises
    ------
    DataError
        When the model does not take the columns as they are.
    """
    try:
        held = np.asarray(score.encode(frame), dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"The model ({score.name}) does not take the events' columns.",
            got=str(error).splitlines()[0][:300],
            hint="the columns need the types that the model was fitted on",
        ) from error
    if score.trees is not None:
        return score.trees.cells(held)
    if not np.isfinite(held).all():
        raise DataError("A linear model takes no missing values", hint="put an imputer before it, in a pipeline")
    return held


def _two_classes(model: Any) -> None:
    classes = getattr(model, "classes_", (0, 1))
    if len(classes) != 2:
        raise DataError("Only models of two classes are explained.", got=f"{len(classes)} classes")


def _place(model: Any, fraud: object) -> int:
    """Return the place of the fraud class among the model's classes."""
    _two_classes(model)
    classes = [_bare(value) for value in getattr(model, "classes_", (0, 1))]
    if fraud is not None:
        if _bare(fraud) not in classes:
            raise ParameterError("'fraud' is none of the model's classes", got=repr(fraud), allowed=listed(classes))
        return classes.index(_bare(fraud))
    if all(isinstance(value, bool | int | float) for value in classes):
        return 1
    raise ParameterError(
        "Which class is fraud?", got=listed(classes), hint=f"say fraud={classes[0]!r} or fraud={classes[1]!r}"
    )


def _bare(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _flipped(made: Fitted) -> Fitted:
    trees = made.trees
    if trees is not None:
        trees = replace(trees, value=-trees.value, offset=-trees.offset)
    own = made.raw
    return replace(
        made,
        trees=trees,
        weights=None if made.weights is None else -made.weights,
        offset=-made.offset,
        raw=lambda frame: -own(frame),
    )


def _plain(frame: pd.DataFrame) -> Floats:
    """Return a frame of numbers as float64."""
    out = np.empty(frame.shape, dtype=np.float64)
    for place, name in enumerate(frame.columns):
        try:
            out[:, place] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise DataError(f"Column {name!r} holds no numbers", got=str(frame[name].dtype)) from error
    return out


def _of_sklearn(
    model: Any, trees: Ensemble, encode: Callable[[pd.DataFrame], Floats], *, place: int | None = None
) -> Fitted:
    names = getattr(model, "feature_names_in_", None)
    score = model.decision_function if place is None else (lambda X: model.predict_proba(X)[:, place])

    def raw(frame: pd.DataFrame) -> Floats:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        # One thread: on a busy machine several spend most of their time waiting for each other, tree by tree.
        with threadpool_limits(1, user_api="openmp"):
            return np.asarray(score(frame if names is not None else frame.to_numpy()), dtype=np.float64)

    return Fitted(
        name=type(model).__name__,
        features=None if names is None else tuple(str(name) for name in names),
        width=int(model.n_features_in_),
        trees=trees,
        weights=None,
        offset=trees.offset,
        scale=trees.scale,
        encode=encode,
        raw=raw,
        owners=[frozenset([i]) for i in range(int(model.n_features_in_))],
    )


def _linear(model: Any, kinds: set[str]) -> Fitted:
    _two_classes(model)
    names = getattr(model, "feature_names_in_", None)
    weights = np.ravel(model.coef_).astype(np.float64)
    scale: Any = next(_LINEAR[kind] for kind in _LINEAR if kind in kinds)
    if getattr(model, "loss", "") == "log_loss":
        scale = "log-odds"
    return Fitted(
        name=type(model).__name__,
        features=None if names is None else tuple(str(name) for name in names),
        width=len(weights),
        trees=None,
        weights=weights,
        offset=float(np.ravel(model.intercept_)[0]),
        scale=scale,
        encode=_plain,
        raw=lambda frame: np.asarray(model.decision_function(frame if names is not None else frame.to_numpy())),
        owners=[frozenset([i]) for i in range(len(weights))],
    )


def _lightgbm(model: Any) -> Fitted:
    try:
        booster = getattr(model, "booster_", model)
    except Exception as error:
        raise DataError("The model is not fitted", got=type(model).__name__, hint="call fit first") from error
    trees, encode, names = from_lightgbm.boosted(booster)
    given = tuple(str(name) for name in getattr(model, "feature_names_in_", names))
    unnamed = all(re.fullmatch(r"Column_\d+", name) for name in names)
    slope = float((re.search(r"sigmoid:([\d.eE+-]+)", booster.model_to_string(num_iteration=1)) or [0, 1.0])[1])

    def raw(frame: pd.DataFrame) -> Floats:
        return slope * np.asarray(booster.predict(frame.to_numpy() if unnamed else frame, raw_score=True))

    features = None if unnamed else given
    own = [frozenset([i]) for i in range(len(names))]
    return Fitted(type(model).__name__, features, len(names), trees, None, trees.offset, "log-odds", encode, raw, own)


def _xgboost(model: Any) -> Fitted:
    try:
        import xgboost
    except ImportError:
        raise MissingDependencyError.extra("xgboost", "boost") from None  # noqa: S610
    wrapped = hasattr(model, "get_booster")
    try:
        booster = model.get_booster() if wrapped else model
    except Exception as error:
        raise DataError("The model is not fitted", got=type(model).__name__, hint="call fit first") from error
    try:
        rounds = int(model.best_iteration) + 1 if wrapped else None
    except AttributeError:
        rounds = None
    missing = getattr(model, "missing", np.nan)
    missing = float("nan") if missing is None else float(missing)
    trees, encode, width = from_xgboost.boosted(booster, rounds=rounds, missing=missing)
    names = booster.feature_names
    span = (0, 0 if rounds is None else rounds)

    def raw(frame: pd.DataFrame) -> Floats:
        given: Any = frame if names is not None else frame.to_numpy(dtype=np.float64)
        matrix = xgboost.DMatrix(given, enable_categorical=True, missing=missing)
        return np.asarray(booster.predict(matrix, output_margin=True, iteration_range=span), dtype=np.float64)

    features = None if names is None else tuple(names)
    own = [frozenset([i]) for i in range(width)]
    return Fitted(type(model).__name__, features, width, trees, None, trees.offset, "log-odds", encode, raw, own)


def _calibrated(model: Any, fraud: object) -> Fitted:
    held = model.calibrated_classifiers_
    if len(held) != 1:
        raise DataError(
            "A calibrated model of several fits has no single margin.",
            got=f"{len(held)} fits",
            hint="calibrate with ensemble=False, or explain the model underneath",
        )
    inner = fitted(held[0].estimator, fraud=fraud)
    note = "The margin under the calibration is explained; calibration maps it to the reported probability."
    place = _place(model, fraud)

    def probability(frame: pd.DataFrame) -> Floats:
        given: Any = frame if inner.features is not None else frame.to_numpy()
        return np.asarray(model.predict_proba(given)[:, place], dtype=np.float64)

    return replace(inner, notes=(*inner.notes, note), probability=probability)


def _pipeline(model: Any, fraud: object) -> Fitted:
    steps = [step for _, step in model.steps[:-1] if step not in (None, "passthrough") and hasattr(step, "transform")]
    inner = fitted(model.steps[-1][1], fraud=fraud)
    if not steps:
        return inner
    names = getattr(steps[0], "feature_names_in_", None)
    width = int(steps[0].n_features_in_)
    given: Owners = [frozenset([i]) for i in range(width)]
    names_now: list[str] = [str(n) for n in names] if names is not None else [f"x{i}" for i in range(width)]
    for step in steps:
        given = owners(step, given, names_now)
        names_now = called(step, len(given))
    if len(given) != inner.width:
        raise DataError(
            "The columns of the pipeline could not be followed.",
            got=f"{len(given)} columns before the model",
            allowed=f"{inner.width}",
        )

    def transformed(frame: pd.DataFrame) -> pd.DataFrame:
        held: Any = frame if names is not None else frame.to_numpy()
        for step in steps:
            held = step.transform(held)
        if hasattr(held, "toarray"):
            held = held.toarray()
        if isinstance(held, pd.DataFrame):
            return held
        return pd.DataFrame(held, columns=list(inner.features or [f"x{i}" for i in range(inner.width)]))

    encode, raw, told = inner.encode, inner.raw, inner.probability
    after: list[frozenset[int]] = [
        frozenset().union(*(given[i] for i in own)) if own else frozenset() for own in inner.owners
    ]
    return replace(
        inner,
        name=f"{inner.name} in a pipeline",
        features=None if names is None else tuple(str(name) for name in names),
        width=width,
        encode=lambda frame: encode(transformed(frame)),
        raw=lambda frame: raw(transformed(frame)),
        owners=after,
        probability=None if told is None else lambda frame: told(transformed(frame)),
    )
