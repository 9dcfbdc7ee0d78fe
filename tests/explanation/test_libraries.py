"""Is every library's model read right? Its own score, on and off its paths, and enumeration through its own score."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import riskbench as rb
from riskbench.explanation.fitted import fitted

EXACT = 1e-9
SINGLE = 2e-5


def _lightgbm(**options):
    from lightgbm import LGBMClassifier

    small = {"n_estimators": 12, "num_leaves": 12, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}
    return LGBMClassifier(**{**small, **options})


def _xgboost(**options):
    from xgboost import XGBClassifier

    return XGBClassifier(**{"n_estimators": 12, "max_depth": 4, "n_jobs": 1, **options})


def _histogram(**options):
    return HistGradientBoostingClassifier(**{"max_iter": 12, "max_leaf_nodes": 12, "early_stopping": False, **options})


SPLITS = {"min_data_per_group": 1, "cat_smooth": 1, "max_cat_to_onehot": 1}
MIXED = {
    "lightgbm": lambda: _lightgbm(**SPLITS),
    "lightgbm one-hot": lambda: _lightgbm(max_cat_to_onehot=40),
    "xgboost": lambda: _xgboost(enable_categorical=True, max_cat_to_onehot=1),
    "xgboost one-hot": lambda: _xgboost(enable_categorical=True, max_cat_to_onehot=40),
    "histogram": lambda: _histogram(categorical_features="from_dtype"),
    "histogram named": lambda: _histogram(categorical_features=["land"]),
}
NUMBERS = {
    "lightgbm": _lightgbm,
    "lightgbm zero as missing": lambda: _lightgbm(zero_as_missing=True),
    "lightgbm sigmoid": lambda: _lightgbm(sigmoid=2.0),
    "xgboost": _xgboost,
    "xgboost missing": lambda: _xgboost(missing=20.0),
    "xgboost lossguide": lambda: _xgboost(grow_policy="lossguide", max_leaves=9, base_score=0.2),
    "histogram": _histogram,
    "forest": lambda: RandomForestClassifier(6, max_depth=6, random_state=0),
    "extra trees": lambda: ExtraTreesClassifier(6, max_depth=6, random_state=0),
    "tree": lambda: DecisionTreeClassifier(max_depth=5, random_state=0),
}
WHOLE = {
    "boosting": lambda: GradientBoostingClassifier(n_estimators=12, random_state=0),
    "boosting from zero": lambda: GradientBoostingClassifier(n_estimators=5, init="zero", random_state=0),
    "logistic": lambda: LogisticRegression(max_iter=500),
    "lightgbm": _lightgbm,
}


def _cases():
    for data, models in (("mixed", MIXED), ("numbers", NUMBERS), ("whole", WHOLE)):
        for name in models:
            yield pytest.param((data, models[name]), id=f"{data}-{name}")


@pytest.fixture(params=list(_cases()))
def case(request):
    data, make = request.param
    frame, fraud = request.getfixturevalue(data)
    return make().fit(frame, fraud), frame


def test_values_are_those_of_the_definition_through_the_models_own_score(case):
    """Every set of features is scored by the model itself: a wrong threshold or direction cannot hide."""
    from definition import enumerated

    model, frame = case
    score = fitted(model)
    reference = frame.iloc[100:140].reset_index(drop=True)
    found = rb.explain(model, frame.iloc[:2], reference=reference, reference_name="good")
    close = SINGLE if score.trees is not None and score.trees.single and score.scale == "log-odds" else EXACT
    names = list(frame.columns)
    for i in range(2):
        row = frame.iloc[[i] * len(reference)].reset_index(drop=True)

        def worth(known, row=row):
            made = {n: row[n] if j in known else reference[n] for j, n in enumerate(names)}
            return float(score.raw(pd.DataFrame(made)).mean())

        assert np.abs(found.values[i] - enumerated(worth, len(names))).max() < close


def test_the_check_saw_no_difference(case):
    model, frame = case
    for options in ({"reference": frame.iloc[500:900]}, {"perturbation": "path"}):
        if fitted(model).trees is None and "perturbation" in options:
            continue
        checked = rb.explain(model, frame.iloc[:50], **options).checked
        assert checked.apart < EXACT
        assert checked.added_apart < EXACT
        assert checked.score_apart < SINGLE
        assert checked.mixed == 200


@pytest.mark.parametrize("make", [lambda: _lightgbm(**SPLITS), lambda: _xgboost(enable_categorical=True)])
def test_path_dependent_values_are_the_librarys_own(mixed, make):
    frame, fraud = mixed
    model = make().fit(frame, fraud)
    found = rb.explain(model, frame.iloc[:100], perturbation="path")
    if hasattr(model, "booster_"):
        own = model.predict(frame.iloc[:100], pred_contrib=True)
        close = EXACT
    else:
        import xgboost

        data = xgboost.DMatrix(frame.iloc[:100], enable_categorical=True)
        own, close = model.get_booster().predict(data, pred_contribs=True), SINGLE
    assert np.abs(found.values - own[:, :-1]).max() < close
    assert found.base == pytest.approx(own[0, -1], abs=close)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "forest"])
def test_path_dependent_values_are_shaps(numbers, name, shap):
    frame, fraud = numbers
    frame = frame.astype(np.float32).astype(float)
    model = NUMBERS[name]().fit(frame, fraud)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = np.asarray(shap.TreeExplainer(model).shap_values(frame.iloc[:60]))
    own = own[:, :, 1] if own.ndim == 3 else own
    found = rb.explain(model, frame.iloc[:60], perturbation="path")
    assert np.abs(found.values - own).max() < (1e-5 if name == "xgboost" else 1e-6)


def test_the_fraud_class_is_explained_whatever_it_is_called(numbers):
    frame, fraud = numbers
    part = frame.iloc[:20]
    plain = rb.explain(NUMBERS["histogram"]().fit(frame, fraud), part, reference=frame)
    words = _histogram().fit(frame, np.where(fraud == 1, "fraud", "good"))
    named = rb.explain(words, part, reference=frame, fraud="fraud")
    assert np.allclose(named.values, plain.values, atol=1e-9)
    trees = RandomForestClassifier(4, max_depth=4, random_state=0).fit(frame, np.where(fraud == 1, "fraud", "good"))
    found = rb.explain(trees, part, reference=frame, fraud="fraud")
    assert np.allclose(found.scores, trees.predict_proba(part)[:, 0])
    with pytest.raises(rb.ParameterError, match="Which class is fraud"):
        rb.explain(words, part)
    with pytest.raises(rb.ParameterError, match="none of the model's classes"):
        rb.explain(words, part, fraud="Fraud")


def test_early_stopping_is_followed(numbers):
    frame, fraud = numbers
    model = _xgboost(n_estimators=200, early_stopping_rounds=3, learning_rate=0.8)
    model.fit(frame[:1200], fraud[:1200], eval_set=[(frame[1200:], fraud[1200:])], verbose=False)
    assert model.best_iteration < 199
    found = rb.explain(model, frame.iloc[:30], reference=frame.iloc[:200])
    assert np.abs(found.scores - model.predict(frame.iloc[:30], output_margin=True)).max() < SINGLE


def test_bare_boosters_and_models_without_names(numbers):
    frame, fraud = numbers
    bare = _lightgbm().fit(frame, fraud).booster_
    assert rb.explain(bare, frame.iloc[:5], reference=frame).features == tuple(frame.columns)
    unnamed = _xgboost().fit(frame.to_numpy(), fraud)
    found = rb.explain(unnamed.get_booster(), frame.to_numpy()[:5], reference=frame.to_numpy())
    assert found.features == ("x0", "x1", "x2", "x3")
    forest = RandomForestClassifier(3, random_state=0).fit(frame.to_numpy(), fraud)
    assert rb.explain(forest, frame.iloc[:5], reference=frame.iloc[:99]).features == tuple(frame.columns)


def test_a_calibrated_model_is_explained_underneath(numbers):
    frame, fraud = numbers
    held = CalibratedClassifierCV(_histogram(), cv=3, ensemble=False).fit(frame, fraud)
    found = rb.explain(held, frame.iloc[:10], reference=frame)
    assert any("calibration" in note for note in found.notes)
    several = CalibratedClassifierCV(_histogram(), cv=3).fit(frame, fraud)
    with pytest.raises(rb.DataError, match="several fits"):
        rb.explain(several, frame.iloc[:10])


def test_models_that_cannot_be_explained_say_so(numbers, whole):
    from sklearn.ensemble import AdaBoostClassifier, IsolationForest

    frame, fraud = numbers
    three = np.where(frame["age"] > 20, 2, fraud)
    for model, told in (
        (AdaBoostClassifier(n_estimators=2).fit(whole[0], fraud), "not explained"),
        (IsolationForest(n_estimators=2).fit(whole[0]), "not"),
        (_histogram(), "not fitted"),
        (_histogram().fit(frame, three), "two classes"),
        (_lightgbm().fit(frame, three), "two classes"),
        (_xgboost().fit(frame, three), "two classes"),
        (RandomForestClassifier(2).fit(frame, three), "two classes"),
        (_xgboost(booster="dart").fit(frame, fraud), "plain boosted trees"),
        (_lightgbm(boosting_type="rf", subsample=0.7, subsample_freq=1).fit(frame, fraud), "random forest"),
        (_lightgbm(linear_tree=True).fit(whole[0], fraud), "linear trees"),
        (GradientBoostingClassifier(loss="exponential").fit(whole[0], fraud), "log-loss"),
        (object(), "not explained"),
    ):
        with pytest.raises(rb.RiskbenchError, match=told):
            rb.explain(model, frame.iloc[:5])
