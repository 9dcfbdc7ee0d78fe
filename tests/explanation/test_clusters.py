"""Are cases that score for the same reasons found together, and do drafted rules hit them?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

import riskbench as rb
from riskbench.explanation.candidates import crossing, shortest
from riskbench.explanation.clusters import nearest_centre, silhouette, sought, stability

ROWS = 3_000


def _planted() -> tuple[pd.DataFrame, np.ndarray]:
    """Two schemes: large amounts on young devices, and a city at night with no phone known."""
    rng = np.random.default_rng(0)
    scheme = rng.choice([0, 1, 2], ROWS, p=[0.8, 0.1, 0.1])
    frame = pd.DataFrame(
        {
            "order total": np.where(scheme == 1, rng.integers(200, 400, ROWS), rng.integers(1, 150, ROWS)) + 0.99,
            "age": np.where(scheme == 1, rng.integers(0, 5, ROWS), rng.integers(10, 300, ROWS)).astype(float),
            "city": np.where(scheme == 2, "it's", rng.choice(["JKT", "SUB", "it's"], ROWS, p=[0.4, 0.4, 0.2])),
            "night": np.where(scheme == 2, True, rng.random(ROWS) < 0.3),
            "phone_age": np.where((scheme == 2) | (rng.random(ROWS) < 0.2), np.nan, rng.integers(1, 99, ROWS)),
            "noise": rng.normal(size=ROWS),
        }
    )
    return frame, scheme


@pytest.fixture(scope="module")
def planted():
    frame, scheme = _planted()
    data = rb.read(frame.assign(order=range(ROWS)), roles={"id": "order"}, domain="affiliation")
    typed = data.frame(list(frame.columns)).astype({"city": "category"})
    model = HistGradientBoostingClassifier(max_iter=40, early_stopping=False, categorical_features="from_dtype")
    model.fit(typed, scheme > 0)
    found = rb.explain(model, data, reference=data.where(scheme == 0), reference_name="good")
    return found, scheme, data, model


def test_planted_schemes_are_the_clusters(planted):
    found, scheme, _, _ = planted
    held = found.where(scheme > 0).clusters()
    assert len(held.clusters) == 2
    same = pd.crosstab(held.members, scheme[scheme > 0]).to_numpy()
    assert same.max(axis=1).sum() / same.sum() > 0.97
    assert (held.clusters["stability"] > 0.9).all()
    assert held.clusters["events"].sum() == (scheme > 0).sum()
    words = " / ".join(held.clusters["signature"])
    assert "order total raises the score (median" in words
    assert "city raises the score (it's in" in words
    means = held.features.groupby("cluster")["mean"].sum() + found.base
    assert np.allclose(means, held.clusters["score_mean"])


def test_row_order_and_repetition_do_not_matter(planted):
    found, scheme, data, model = planted
    rows = np.flatnonzero(scheme > 0)
    turned = np.random.default_rng(1).permutation(len(rows))
    other = rb.explain(model, data.take(rows[turned]), reference=data.where(scheme == 0), reference_name="good")
    first, again = found.where(scheme > 0).clusters(seed=5), other.clusters(seed=5)
    assert np.array_equal(first.members[turned], again.members)
    pd.testing.assert_frame_equal(first.clusters, again.clusters, rtol=1e-9)
    assert found.where(scheme > 0).clusters(seed=5).clusters.equals(first.clusters)


def test_what_is_alike_is_one_cluster(planted):
    found, scheme, _, _ = planted
    one = found.where(scheme == 1)
    held = one.clusters(k=1)
    assert (len(held.clusters), held.silhouette, held.members.max()) == (1, None, 1)
    rng = np.random.default_rng(0)
    from dataclasses import replace

    flat = replace(one, values=rng.normal(size=one.values.shape), _cache={})
    assert len(flat.clusters().clusters) == 1
    assert any("No split is clear" in note for note in flat.clusters().notes)
    same = replace(one, values=np.ones_like(one.values), _cache={})
    assert len(same.clusters().clusters) == 1
    with pytest.raises(rb.ParameterError, match="fewer different"):
        same.clusters(k=3)
    with pytest.raises(rb.DataError, match="too few"):
        found.where(np.arange(ROWS) < 5).clusters()
    for wrong in ({"k": 0}, {"most": 1}, {"k": True}):
        with pytest.raises(rb.ParameterError, match="number of clusters"):
            found.clusters(**wrong)


@given(st.integers(0, 99), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_centres_are_means_and_silhouettes_are_the_definition(seed, k):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(40, 3)).round(1)
    centres = sought(values, k, rng=rng)
    label = nearest_centre(values, centres)
    for own in range(k):
        if (label == own).any():
            assert np.allclose(centres[own], values[label == own].mean(axis=0))
    if k > 1:
        told = []
        for i, row in enumerate(values):
            apart = {
                c: [np.linalg.norm(row - values[j]) for j in range(40) if label[j] == c and j != i] for c in set(label)
            }
            a = np.mean(apart[label[i]]) if apart[label[i]] else None
            b = min((np.mean(held) for c, held in apart.items() if c != label[i] and held), default=None)
            told.append(0.0 if a is None or b is None or max(a, b) == 0 else (b - a) / max(a, b))
        if len(set(label)) > 1:
            assert silhouette(values, centres, rng=rng) == pytest.approx(np.mean(told))
        assert ((stability(values, centres, rng=rng) >= 0) & (stability(values, centres, rng=rng) <= 1)).all()


def test_rules_from_clusters_hit_their_scheme(planted):
    found, scheme, data, _ = planted
    alerts = found.where(scheme > 0)
    held = alerts.candidate_rules(alerts.clusters().members, most=4)
    assert set(held.candidates["cohort"]) == {"cluster 1", "cluster 2"}
    assert held.candidates["terms"].max() <= 3
    assert held.book.domain == "affiliation"
    assert all(rule.status == "draft" for rule in held.book.rules)
    told = rb.simulate(held.book, data).frame().set_index("rule")["hits"]
    first = held.candidates.drop_duplicates("cohort")
    assert (first["cohort_share"] > 0.8).all()
    assert (first["outside_share_upper"] < 0.05).all()
    assert (told[first["rule"]] > 200).all()
    text = " ".join(held.candidates["condition"])
    assert '"order total" >' in text or "age <=" in text
    assert rb.RuleBook.from_yaml(held.book.to_yaml()).hash == held.book.hash


def test_shares_are_what_the_engine_counts(planted):
    """The masks that rank candidates and the engine's own hits are two ways to one number."""
    found, scheme, data, _ = planted
    held = found.candidate_rules(scheme == 2, most=5)
    hits = rb.simulate(held.book, data.where(scheme == 2)).frame()["hits"]
    assert len(held.candidates) >= 1
    assert np.allclose(hits, held.candidates["cohort_share"] * (scheme == 2).sum())
    outside = rb.simulate(held.book, data.where(scheme == 0)).frame()["hits"]
    assert np.allclose(outside, held.candidates["outside_share"] * (scheme == 0).sum())


def test_missing_values_quotes_and_booleans_are_written_as_rules(planted):
    found, scheme, data, _ = planted
    held = found.candidate_rules(scheme == 2, most=20)
    from riskbench.explanation.candidates import _terms

    texts = [term.text for term in _terms(found, scheme == 2, _reference(found), dict(data.kinds), set())]
    assert "city = 'it''s'" in texts
    assert "night" in texts
    assert any("phone_age IS NULL" in text for text in texts)
    assert held.reference.startswith("good")


def _reference(found):
    return found.game.others, found.game.shares(found.game.reference, found.game.reference).values


def test_columns_that_are_not_the_datasets_stand_in_no_rule():
    rng = np.random.default_rng(0)
    rows = 1_200
    frame = pd.DataFrame(
        {
            "order": range(rows),
            "amount": rng.lognormal(3, 1, rows).round(2),
            "device": rng.integers(0, 60, rows),
            "at": pd.Timestamp("2026-03-01") + pd.to_timedelta(np.sort(rng.integers(0, 40 * 86_400, rows)), unit="s"),
        }
    )
    frame["fraud"] = (frame["at"].dt.hour < 6) & (rng.random(rows) < 0.9)
    data = rb.read(frame, roles={"id": "order", "time": "at", "label": "fraud", "entities": ["device"]})
    baseline = rb.score_baseline(data)
    events = baseline.dataset.where(baseline.dataset.column("score").present)
    found = rb.explain(baseline, events, reference=events)
    held = found.candidate_rules(events.column("label").values.astype(bool))
    assert not held.candidates["condition"].str.contains("event_hour").any()
    assert any("event_hour" in note for note in held.notes)


def test_wrong_calls_are_refused_in_words(planted):
    found, scheme, _, model = planted
    for chosen, told in ((np.zeros(3, bool), "one label an event"), (np.zeros(ROWS), "at most 50")):
        with pytest.raises(rb.ParameterError, match=told):
            found.candidate_rules(chosen)
    with pytest.raises(rb.ParameterError, match="number of rules"):
        found.candidate_rules(scheme > 0, most=0)
    with pytest.raises(rb.RuleError, match="outcome"):
        found.candidate_rules(scheme > 0, outcome="revew")
    few = found.candidate_rules(np.arange(ROWS) < 3)
    assert few.candidates.empty
    assert any("too few" in note for note in few.notes)
    assert "nan" not in few._repr_html_().lower().split()
    path = rb.explain(model, _planted()[0].iloc[:40].astype({"city": "category", "night": float}), perturbation="path")
    with pytest.raises(rb.DataError, match="reference"):
        path.candidate_rules(np.ones(40, bool))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-3, 3)), min_size=2, max_size=25))
@settings(deadline=None)
def test_the_crossing_is_the_best_split(pairs):
    x, y = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))

    def between(limit):
        a, b = y[x <= limit], y[x > limit]
        return len(a) * len(b) * (a.mean() - b.mean()) ** 2

    found = crossing(x, y)
    options = sorted(set(x))[:-1]
    best = max((between(limit) for limit in options), default=0.0)
    if found is None:
        assert best < 1e-9
    else:
        assert between(found[0]) == pytest.approx(best)
        assert found[0] < found[1]
        assert (y[x > found[0]].mean() > y[x <= found[0]].mean()) == found[2]


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e6))
def test_the_shortest_number_lies_between(low, step):
    high = low + step
    if low < high:
        assert low <= shortest(low, high) < high
