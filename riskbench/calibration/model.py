"""What does a model file say about each event? Reads the formats that cannot run code, and scores with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.errors import ColumnNotFoundError, DataError, MissingDependencyError, listed

#: What fitted scikit-learn models hold beside the types that skops trusts by itself.
TRUSTED = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)
#: The column that `score_with` adds.
SCORE = "file_score"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model read from a file.

    Attributes
    ----------
    name : str
        The file's name.
    features : tuple of str
        The columns that it was fitted on, in its order.
    predict : callable
        Takes a DataFrame of those columns and returns the probability of fraud, one a row.
    model : object
        The fitted model of its library.
    """

    name: str
    features: tuple[str, ...]
    predict: Callable[[pd.DataFrame], Floats]
    model: Any = None


def read_model(path: str | Path) -> Model:
    """Read a fitted two-class model: XGBoost JSON or UBJ, LightGBM text, or scikit-learn by skops.

    Never reads a pickle. A skops file may hold scikit-learn's own types only.

    Raises
    ------
    DataError
        When the file is missing, of another format, broken, or holds a type that is not trusted.
    MissingDependencyError
        When the library that reads it is not installed.
    """
    file = Path(path)
    readers = {".skops": _skops, ".json": _xgboost, ".ubj": _xgboost, ".txt": _lightgbm}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise DataError(
            f"The model file {file.name!r} has a format that is not read.",
            got=file.suffix or "no suffix",
            allowed=".skops, .json and .ubj of XGBoost, .txt of LightGBM; never a pickle",
        )
    if not file.is_file():
        raise DataError(f"There is no model file {file.name!r}", hint="give its path from where you run")
    return reader(file)


def score_with(model: Model, dataset: Dataset) -> Dataset:
    """Return the dataset with the column `file_score`, which also takes the role `score`.

    Raises
    ------
    ColumnNotFoundError
        When the events lack a column that the model was fitted on.
    DataError
        When the model does not take the columns as they are.
    """
    for name in model.features:
        if name not in dataset.table:
            raise ColumnNotFoundError.among(name, dataset.table.names, role="a feature of the model")
    try:
        values = np.asarray(model.predict(dataset.frame(model.features)), dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"The model {model.name!r} does not take the events' columns.",
            got=str(error).splitlines()[0][:300],
            hint="the columns need the types that the model was fitted on",
        ) from error
    if values.shape != (dataset.rows,):
        raise DataError(f"The model {model.name!r} does not give one probability an event", got=str(values.shape))
    return dataset.with_columns({SCORE: values}).with_roles(score=SCORE)


def _skops(file: Path) -> Model:
    import skops.io

    try:
        unknown = sorted(set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED))
        model = None if unknown else skops.io.load(file, trusted=list(TRUSTED))
    except Exception as error:
        raise DataError(f"The model file {file.name!r} cannot be read", got=type(error).__name__) from error
    if unknown:
        raise DataError(
            f"The model file {file.name!r} holds types that are not trusted.",
            got=listed(unknown),
            allowed="scikit-learn's own estimators",
        )
    assert model is not None
    classes = getattr(model, "classes_", None)
    if classes is None or len(classes) != 2 or not hasattr(model, "predict_proba"):
        raise DataError(f"The model in {file.name!r} is no fitted two-class classifier", got=type(model).__name__)
    features = getattr(model, "feature_names_in_", None)
    if features is None:
        raise DataError(
            f"The model in {file.name!r} was fitted without column names", hint="fit it on a DataFrame, then save it"
        )
    return Model(
        file.name, tuple(str(name) for name in features), lambda frame: model.predict_proba(frame)[:, 1], model
    )


def _xgboost(file: Path) -> Model:
    try:
        import xgboost
    except ImportError:
        raise MissingDependencyError.extra("xgboost", "boost") from None  # noqa: S610
    model = xgboost.Booster()
    try:
        model.load_model(file)
    except (xgboost.core.XGBoostError, UnicodeDecodeError) as error:
        raise DataError(f"The model file {file.name!r} cannot be read", got="no XGBoost model") from error
    if not model.feature_names:
        raise DataError(f"The model in {file.name!r} holds no column names", hint="fit it on a DataFrame")
    features = tuple(model.feature_names)

    def predict(frame: pd.DataFrame) -> Floats:
        found: Floats = model.predict(xgboost.DMatrix(frame, enable_categorical=True))
        return found

    return Model(file.name, features, predict, model)


def _lightgbm(file: Path) -> Model:
    try:
        import lightgbm
    except ImportError:
        raise MissingDependencyError.extra("lightgbm", "boost") from None  # noqa: S610
    try:
        model = lightgbm.Booster(model_file=str(file))
    except lightgbm.basic.LightGBMError as error:
        raise DataError(f"The model file {file.name!r} cannot be read", got="no LightGBM model") from error
    return Model(file.name, tuple(model.feature_name()), lambda frame: np.asarray(model.predict(frame)), model)
