"""Model files are scored as their own library scores them, and hostile ones are refused unread."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import riskbench as rb
from riskbench.calibration.model import SCORE, read_model, score_with
from riskbench.errors import ColumnNotFoundError, DataError


@pytest.fixture(scope="module")
def events() -> tuple[pd.DataFrame, rb.Dataset]:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "id": np.arange(600),
            "amount": rng.lognormal(3, 1, 600).round(2),
            "age": rng.integers(0, 90, 600).astype(float),
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame["fraud"] = ((frame["amount"] > 25) & (rng.random(600) < 0.5)).astype(int)
    return frame, rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud"))


FEATURES = ["amount", "age"]


def scored(path, dataset) -> np.ndarray:
    found = score_with(read_model(path), dataset)
    assert found.roles.score == SCORE
    return found.column("score").values


def test_scikit_learn_by_skops(events, tmp_path):
    import skops.io

    frame, dataset = events
    model = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(frame[FEATURES], frame["fraud"])
    skops.io.dump(model, tmp_path / "model.skops")
    np.testing.assert_allclose(
        scored(tmp_path / "model.skops", dataset), model.predict_proba(frame[FEATURES])[:, 1], rtol=1e-12
    )


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
def test_xgboost(events, tmp_path, name):
    import xgboost

    frame, dataset = events
    model = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(frame[FEATURES], frame["fraud"]), 10
    )
    model.save_model(tmp_path / name)
    expected = model.predict(xgboost.DMatrix(frame[FEATURES]))
    np.testing.assert_allclose(scored(tmp_path / name, dataset), expected, rtol=1e-6)


def test_lightgbm(events, tmp_path):
    import lightgbm

    frame, dataset = events
    model = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(frame[FEATURES], frame["fraud"]), 10
    )
    model.save_model(tmp_path / "model.txt")
    np.testing.assert_allclose(scored(tmp_path / "model.txt", dataset), model.predict(frame[FEATURES]), rtol=1e-9)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def test_hostile_files_are_refused(events, tmp_path):
    import skops.io

    frame, dataset = events
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Bomb()))
    for name in ("model.skops", "model.json", "model.txt", "model.ubj"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(DataError, match=name):
            read_model(tmp_path / name)
    with pytest.raises(DataError, match="never a pickle"):
        read_model(tmp_path / "model.pkl")
    with pytest.raises(DataError, match="no model file"):
        read_model(tmp_path / "none.skops")
    foreign = make_pipeline(FunctionTransformer(np.testing.assert_equal), StandardScaler(), LogisticRegression())
    skops.io.dump(foreign, tmp_path / "foreign.skops")
    with pytest.raises(DataError, match=r"not trusted|cannot be read"):
        read_model(tmp_path / "foreign.skops")
    model = LogisticRegression().fit(frame[["amount"]].rename(columns={"amount": "amuont"}), frame["fraud"])
    skops.io.dump(model, tmp_path / "other.skops")
    with pytest.raises(ColumnNotFoundError, match="amuont"):
        score_with(read_model(tmp_path / "other.skops"), dataset)
