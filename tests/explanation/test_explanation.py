"""Does an explanation tell what it compares with, in views that add up, and refuse what it cannot say?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from definition import enumerated
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import riskbench as rb
from riskbench.explanation import oracle
from riskbench.explanation.fitted import fitted


@pytest.fixture(scope="module")
def fit(mixed):
    frame, fraud = mixed
    model = HistGradientBoostingClassifier(max_iter=25, categorical_features="from_dtype", early_stopping=False)
    return model.fit(frame, fraud), frame, fraud


@pytest.fixture(scope="module")
def found(fit):
    model, frame, fraud = fit
    return rb.explain(model, frame.iloc[:400], reference=frame[fraud == 0], reference_name="approved, June")


def _encoded(*, forest):
    columns = ColumnTransformer(
        [
            (
                "words",
                make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
                ["land"],
            ),
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["amount", "age", "share"]),
        ],
        remainder="passthrough",
    )
    last = RandomForestClassifier(6, max_depth=6, random_state=0) if forest else LogisticRegression(max_iter=500)
    return make_pipeline(columns, last)


@pytest.mark.parametrize("forest", [True, False])
def test_a_pipelines_input_columns_are_the_players(mixed, forest):
    frame, fraud = mixed
    frame = frame.astype({"land": object})
    model = _encoded(forest=forest).fit(frame, fraud)
    score, reference = fitted(model), frame.iloc[100:130].reset_index(drop=True)
    names = list(frame.columns)
    found = rb.explain(model, frame.iloc[:2], reference=reference)
    assert found.features == tuple(names)
    for i in range(2):
        row = frame.iloc[[i] * len(reference)].reset_index(drop=True)

        def worth(known, row=row):
            made = {n: row[n] if j in known else reference[n] for j, n in enumerate(names)}
            return float(score.raw(pd.DataFrame(made)).mean())

        assert np.abs(found.values[i] - enumerated(worth, len(names))).max() < 1e-9


def test_a_pipeline_that_mixes_columns_needs_a_group(whole):
    frame, fraud = whole
    model = make_pipeline(StandardScaler(), PCA(2), RandomForestClassifier(3, max_depth=4, random_state=0)).fit(
        frame, fraud
    )
    with pytest.raises(rb.ParameterError, match="mixes columns"):
        rb.explain(model, frame.iloc[:3])
    found = rb.explain(model, frame.iloc[:3], reference=frame, groups={"all": list(frame.columns)})
    assert np.allclose(found.values[:, 0], model.predict_proba(frame.iloc[:3])[:, 1] - found.base)


def test_the_reference_travels(found, fit):
    _, frame, fraud = fit
    held = found.reference
    assert (held.name, held.size, len(held.hash)) == ("approved, June", int((fraud == 0).sum()), 16)
    assert found.provenance["parameters"]["reference"]["hash"] == held.hash
    assert found.to_shap().riskbench["reference"]["name"] == "approved, June"
    again = rb.explain(fit[0], frame.iloc[:5], reference=frame[fraud == 0])
    other = rb.explain(fit[0], frame.iloc[:5], reference=frame[fraud == 1])
    assert again.reference.hash == held.hash != other.reference.hash
    assert "themselves" in rb.explain(fit[0], frame.iloc[:5]).reference.name


def test_a_dataset_gives_its_columns_ids_and_dates(fit):
    model, frame, _ = fit
    rows = frame.assign(
        order=[f"o{i}" for i in range(len(frame))], at=pd.Timestamp("2026-06-01"), land=frame["land"].astype(object)
    )
    data = rb.read(rows, roles={"id": "order", "time": "at"}, name="orders")
    found = rb.explain(model, data.where(np.arange(len(frame)) < 9), reference=data)
    assert list(found.events[:2]) == ["o0", "o1"]
    assert (found.reference.name, found.reference.start[:10]) == ("orders", "2026-06-01")
    assert np.abs(found.scores - model.decision_function(frame.iloc[:9])).max() < 1e-9
    assert found.provenance["dataset"] == data.where(np.arange(len(frame)) < 9).fingerprint


def test_to_shap_and_back(found):
    held = found.to_shap()
    assert held.values.shape == found.values.shape
    back = rb.Explanation.from_shap(held)
    assert np.array_equal(back.values, found.values)
    assert (back.base, back.features, back.reference, back.scale) == (
        found.base, found.features, found.reference, found.scale,
    )  # fmt: skip
    assert back.importance.equals(found.importance)
    three = type(held)(np.stack([-found.values, found.values], axis=2), base_values=np.array([[-1.0, 1.0]] * 400))
    assert rb.Explanation.from_shap(three, reference_name="ours").base == 1.0
    with pytest.raises(rb.DataError, match="rows by features"):
        rb.Explanation.from_shap(held[0])


@pytest.mark.filterwarnings("ignore")
def test_shap_draws_it(found, shap):
    import matplotlib.pyplot as plt

    held = found.to_shap()
    shap.plots.waterfall(held[0], show=False)
    shap.plots.bar(held, show=False)
    shap.plots.beeswarm(held, show=False)
    plt.close("all")


def test_probabilities_are_a_view_that_adds_up(found, fit):
    model, frame, _ = fit
    assert np.allclose(found.probabilities, model.predict_proba(frame.iloc[:400])[:, 1])
    base = 1 / (1 + np.exp(-found.base))
    assert np.allclose(base + found.probability_values.sum(axis=1), found.probabilities)
    assert any("probability_values" in note for note in found.notes)


def test_reasons_are_the_strongest_in_plain_words(found):
    told = found.reasons(k=3, codes={"land": "R01"})
    assert told.groupby("event").size().max() <= 3
    first = told[told["event"] == found.events[0]]
    order = np.argsort(-found.values[0])[: len(first)]
    assert list(first["feature"]) == [found.features[j] for j in order]
    assert (told["contribution"] > 0).all()
    assert told["flips"].between(0, 1).all()
    assert set(told[told["feature"] == "land"]["code"]) == {"R01"}
    assert told["text"].str.contains("approved, June").all()
    assert told["share"].between(0, 1).all()
    assert "missing" in set(told["value"])
    assert told.equals(found.reasons(k=3, codes={"land": "R01"}))
    with pytest.raises(rb.ParameterError, match="number of reasons"):
        found.reasons(0)


def test_over_cut_is_what_redrawing_says(found, fit):
    model, frame, fraud = fit
    told = found.over_cut(0.4, share=0.8, draws=100)
    over = model.predict_proba(frame.iloc[:400])[:, 1] >= 0.4
    assert set(told["event"]) == set(found.events[over])
    row = told[told["enough"] & (told["count"] > 0)].iloc[0]
    drawn = frame[fraud == 0].sample(2_000, replace=True, random_state=1).reset_index(drop=True)
    mixed = frame.loc[[row["event"]] * 2_000].reset_index(drop=True)
    for name in row["features"].split("; "):
        mixed[name] = drawn[name]
    under = (model.predict_proba(mixed)[:, 1] < 0.4).mean()
    assert row["under_share"] >= 0.8
    assert abs(under - row["under_share"]) < 0.15
    assert found.over_cut(0.999999).empty
    for wrong in ({"cut": 1.5}, {"cut": 0.5, "share": 0}, {"cut": 0.5, "draws": 1}):
        with pytest.raises(rb.ParameterError):
            found.over_cut(**wrong)


def test_a_cohorts_differences_add_up(found, fit):
    flagged = fit[2][:400] == 1
    held = found.cohort(flagged, name="frauds", rest="good")
    assert held.frame()["difference"].sum() == pytest.approx(held.difference)
    assert held.difference == pytest.approx(found.scores[flagged].mean() - found.scores[~flagged].mean())
    assert held.difference_lower < held.difference < held.difference_upper
    frame = held.frame().set_index("feature")
    assert frame.loc["flat", "difference"] == 0.0
    few = np.zeros(400, bool)
    few[:2] = True
    assert found.cohort(few).difference_lower is None
    for mask, told in ((few[:3], "booleans"), (np.zeros(400), "booleans")):
        with pytest.raises(rb.ParameterError, match=told):
            found.cohort(mask)
    with pytest.raises(rb.DataError, match="empty"):
        found.cohort(np.zeros(400, bool))
    with pytest.raises(rb.ParameterError, match="both parts"):
        found.cohort(few, against=few)


def test_segments_and_importance_agree_with_the_values(found, fit):
    land = fit[1]["land"].iloc[:400]
    told = found.by_segment(land)
    one = told[(told["segment"] == "a") & (told["feature"] == "amount")].iloc[0]
    rows = (land == "a").to_numpy()
    assert one["mean"] == pytest.approx(found.values[rows, 0].mean())
    assert one["n"] == rows.sum()
    assert "(missing)" in set(told["segment"])
    top = found.importance
    assert top["share"].sum() == pytest.approx(1.0)
    assert top["mean_abs"].is_monotonic_decreasing
    with pytest.raises(rb.ParameterError, match="A segment needs"):
        found.by_segment(land[:3])


def test_groups_play_together(fit):
    model, frame, fraud = fit
    groups = {"where and when": ["land", "age"]}
    found = rb.explain(model, frame.iloc[:50], reference=frame[fraud == 0], groups=groups)
    assert found.features == ("where and when", "amount", "share", "flat")
    assert np.abs(found.scores - model.decision_function(frame.iloc[:50])).max() < 1e-9
    assert found.reasons().loc[0, "text"]
    for wrong, told in (
        ({"a": ["lnd"]}, "did you mean 'land'"),
        ({"a": ["land"], "b": ["land"]}, "two groups"),
        ({"age": ["land"]}, "bears the name"),
    ):
        with pytest.raises(rb.ParameterError, match=told):
            rb.explain(model, frame.iloc[:5], groups=wrong)


def test_wrong_calls_are_refused_in_words(fit, whole):
    model, frame, _ = fit
    few = frame.iloc[:5]
    with pytest.raises(rb.ColumnNotFoundError, match="amount"):
        rb.explain(model, few.rename(columns={"amount": "amuont"}))
    with pytest.raises(rb.DataError, match="There are no events"):
        rb.explain(model, frame.iloc[:0], reference=frame)
    with pytest.raises(rb.DataError, match="no reference rows"):
        rb.explain(model, few, reference=frame.iloc[:0])
    with pytest.raises(rb.DataError, match="do not fit"):
        rb.explain(model, np.zeros((3, 2)))
    with pytest.raises(rb.ParameterError, match="unknown"):
        rb.explain(model, few, perturbation="paths")
    with pytest.raises(rb.ParameterError, match="takes no reference"):
        rb.explain(model, few, perturbation="path", reference=frame)
    with pytest.raises(rb.DataError, match="another type"):
        rb.explain(model, few.assign(age="x"), reference=frame)
    linear = LogisticRegression().fit(*whole)
    with pytest.raises(rb.ParameterError, match="no paths"):
        rb.explain(linear, whole[0], perturbation="path")
    with pytest.raises(rb.DataError, match="no missing values"):
        rb.explain(linear, whole[0].assign(age=np.nan))


def test_column_order_nullable_types_and_inputs_do_not_matter(numbers):
    frame, fraud = numbers
    model = HistGradientBoostingClassifier(max_iter=10).fit(frame, fraud)
    plain = rb.explain(model, frame.iloc[:40], reference=frame)
    odd = frame.astype({"age": "Int64", "amount": "Float64"})[["share", "flat", "age", "amount"]].assign(more="x")
    held = odd.copy()
    found = rb.explain(model, odd.iloc[:40], reference=odd)
    assert np.array_equal(found.values, plain.values)
    assert found.reference.hash == plain.reference.hash
    pd.testing.assert_frame_equal(odd, held)


@pytest.mark.parametrize("budget", [oracle._BUDGET, 20_000])
def test_a_wrong_engine_is_noticed(fit, monkeypatch, budget):
    """A swap between two features keeps every sum right: only the oracle can see it."""
    model, frame, fraud = fit
    from riskbench.explanation import game

    honest = game.share_out

    def swapped(*args, **options):
        made = honest(*args, **options)
        return type(made)(made.values[:, [1, 0, *range(2, made.values.shape[1])]], made.base)

    monkeypatch.setattr(oracle, "_BUDGET", budget)
    monkeypatch.setattr(game, "share_out", swapped)
    with pytest.raises(rb.EngineError, match="oracle differ"):
        rb.explain(model, frame.iloc[:50], reference=frame[fraud == 0])


def test_a_wrong_reading_is_noticed_off_the_rows_paths(fit, monkeypatch):
    """A threshold moved where no explained row goes keeps scores and sums right; mixed rows find it."""
    model, frame, _ = fit
    from dataclasses import replace

    from riskbench.explanation import explanation

    def misread(held, **options):
        made = fitted(held, **options)
        trees = made.trees
        return replace(
            made, trees=replace(trees, threshold=np.where(trees.feature == 1, trees.threshold + 3, trees.threshold))
        )

    monkeypatch.setattr(explanation, "fitted", misread)
    with pytest.raises(rb.EngineError, match="own score differ"):
        rb.explain(model, frame.iloc[:50], reference=frame)


def test_a_large_reference_is_checked_on_a_part(fit, monkeypatch):
    model, frame, _ = fit
    monkeypatch.setattr(oracle, "_BUDGET", 200_000)
    checked = rb.explain(model, frame.iloc[:20], reference=frame).checked
    assert 0 < checked.trees < 25
    assert checked.apart < 1e-9
    assert rb.explain(model, frame.iloc[:20], perturbation="path").checked.apart < 1e-9


def test_a_linear_model_says_how_it_is_checked():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    model = LogisticRegression().fit(frame, rng.random(200) < 0.5)
    told = next(str(fact) for fact in rb.explain(model, frame).headline() if str(fact).startswith("Checked"))
    assert "trees" not in told
    assert "base and values against the score of every event" in told
