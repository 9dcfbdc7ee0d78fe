"""Names checked, always the fraud class, the reference on every answer, and contrasts that read well."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier

import riskbench as rb

NAME = "approved, June"


def _fitted(kind: str, frame: pd.DataFrame, fraud: np.ndarray):
    if kind == "lightgbm":
        return LGBMClassifier(n_estimators=8, verbose=-1).fit(frame, fraud)
    if kind == "xgboost":
        return XGBClassifier(n_estimators=8).fit(frame, fraud)
    made = {
        "histogram": HistGradientBoostingClassifier(max_iter=8, early_stopping=False),
        "boosting": GradientBoostingClassifier(n_estimators=8),
        "forest": RandomForestClassifier(8, max_depth=5, random_state=0),
        "pipeline": make_pipeline(SimpleImputer(), LogisticRegression(max_iter=500)),
    }[kind]
    return made.fit(frame, fraud)


KINDS = ("histogram", "boosting", "forest", "pipeline", "lightgbm", "xgboost")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_matched_by_name_and_a_missing_one_is_named(whole, kind):
    frame, fraud = whole
    model = _fitted(kind, frame, fraud)
    told = rb.explain(model, frame.iloc[:20], reference=frame.iloc[:200])
    turned = frame[frame.columns[::-1]].assign(unused="x")
    again = rb.explain(model, turned.iloc[:20], reference=turned.iloc[:200])
    assert again.features == told.features == tuple(frame.columns)
    assert np.array_equal(again.values, told.values)
    with pytest.raises(rb.ColumnNotFoundError, match="did you mean 'amuont'"):
        rb.explain(model, frame.rename(columns={"amount": "amuont"}).iloc[:20])
    with pytest.raises(rb.ColumnNotFoundError, match="share"):
        rb.explain(model, frame.iloc[:20], reference=frame.drop(columns="share"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "xgboost"])
@pytest.mark.parametrize("words", [("a good", "fraud"), ("fraud", "good")])
def test_it_is_the_fraud_class_whatever_is_predicted_and_wherever_it_stands(whole, kind, words):
    """Of rare frauds hardly a row is predicted fraud: the explained sum is the fraud's all the same."""
    frame, fraud = whole
    rare = (fraud == 1) & (np.arange(len(fraud)) % 5 == 0)
    good = next(word for word in words if word != "fraud")
    model = _fitted(kind, frame, np.where(rare, "fraud", good))
    found = rb.explain(model, frame.iloc[:60], reference=frame, fraud="fraud")
    place = list(model.classes_).index("fraud")
    chance = model.predict_proba(frame.iloc[:60])[:, place]
    assert (chance < 0.5).any()
    assert np.allclose(found.probabilities, chance, atol=1e-6)


@pytest.fixture(scope="module")
def judged(whole):
    """Explained events of two months with alerts, some of them false."""
    frame, fraud = whole
    at = pd.Timestamp("2026-06-01") + pd.to_timedelta(np.arange(len(frame)) % 61, unit="D")
    data = rb.read(frame.assign(order=np.arange(len(frame)), at=at), roles={"id": "order", "time": "at"})
    model = _fitted("histogram", frame, fraud)
    june = data.between(None, "2026-07-01")
    found = rb.explain(model, data, reference=june, reference_name=NAME)
    return found, fraud == 1, data


def test_false_alerts_against_true_ones_with_intervals(judged):
    found, fraud, _ = judged
    alert = found.probabilities >= 0.35
    held = found.cohort(alert & ~fraud, against=alert & fraud, name="false alerts", rest="true alerts")
    table = held.frame()
    assert (table["difference_lower"] <= table["difference"]).all()
    assert (table["difference"] <= table["difference_upper"]).all()
    assert table["difference"].sum() == pytest.approx(held.difference)
    assert (held.events, held.others) == (int((alert & ~fraud).sum()), int((alert & fraud).sum()))
    text = held._repr_html_()
    assert "Mean score of false alerts, less true alerts" in text
    assert NAME in text


def test_one_period_against_another_with_intervals(judged):
    found, _, data = judged
    july = data.column("time").values >= pd.Timestamp("2026-07-01").value // 1_000
    held = found.cohort(july, name="July", rest="June")
    assert held.difference_lower < held.difference < held.difference_upper
    assert held.difference_lower < 0 < held.difference_upper, "both months were drawn alike"
    turned = found.cohort(~july, name="June", rest="July")
    assert turned.difference == pytest.approx(-held.difference)


def test_intervals_of_a_contrast_hold_what_is_drawn_alike(judged):
    """Two random halves differ by nothing: about 95 of 100 intervals say so."""
    found, _, _ = judged
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(200):
        half = np.zeros(len(found.values), dtype=bool)
        half[rng.permutation(len(half))[: len(half) // 2]] = True
        held = found.cohort(half)
        inside.append(held.difference_lower <= 0 <= held.difference_upper)
    assert 0.9 <= np.mean(inside) <= 0.99


def test_name_size_hash_and_dates_travel_with_every_answer(judged):
    found, _, _ = judged
    held = found.reference
    assert (held.name, held.start[:10], held.end[:10]) == (NAME, "2026-06-01", "2026-06-30")
    mask = np.arange(len(found.values)) < 60
    few = found.where(mask)
    answers = (found, few, found.cohort(mask), few.clusters(k=1), found.candidate_rules(mask))
    for answer in answers:
        assert f"{NAME}, {held.size:,} events, 2026-06-01 to 2026-06-30" in answer._repr_html_().replace("&#x27;", "'")
    assert few.reasons(k=1)["text"].str.contains(NAME).all()
    assert few.over_cut(0.3, most=3, draws=20)["text"].str.contains(NAME).all()
    assert found.to_shap().riskbench["reference"] == {name: getattr(held, name) for name in held.__slots__}
    assert rb.Explanation.from_shap(found.to_shap()).reference == held


def test_where_keeps_what_is_asked_further(judged):
    found, _, _ = judged
    mask = np.zeros(len(found.values), dtype=bool)
    mask[[5, 9, 70]] = True
    few = found.where(mask)
    assert np.array_equal(few.scores, found.scores[mask])
    assert few.reasons(k=2)["event"].isin(found.events[mask]).all()
    assert few.importance["n"].eq(3).all()
    with pytest.raises(rb.ParameterError, match="A mask needs"):
        found.where(mask[:4])
