"""Does the answer to why find what was planted, say what the score saw, and stay silent where nothing can be said?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import riskbench as rb
from riskbench.data.dataset import Dataset
from riskbench.incidents.apart import apart_by, drawn, usual
from riskbench.incidents.causes import why
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.incident import Incident
from riskbench.incidents.scope import Scope, scope_of

ROWS = 3_000


def events(seed: int = 0, *, labels: bool = True, score: bool = True) -> tuple[Dataset, np.ndarray]:
    """Events of 60 days; in the last five an attack: young devices and large amounts that the score does not see."""
    rng = np.random.default_rng(seed)
    at = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.sort(rng.integers(0, 60 * 86_400, ROWS)), unit="s")
    attack = (at >= pd.Timestamp("2026-04-25")) & (rng.random(ROWS) < 0.4)
    frame = pd.DataFrame(
        {
            "order": [f"o{i}" for i in range(ROWS)],
            "at": at,
            "amount": (rng.lognormal(3, 0.6, ROWS) * np.where(attack, 2.5, 1)).round(2),
            "device_age": np.where(attack, rng.integers(0, 5, ROWS), rng.integers(0, 400, ROWS)),
            "city": np.where(attack & (rng.random(ROWS) < 0.7), "SUB", rng.choice(["JKT", "SUB", "BDG", "MES"], ROWS)),
            "noise": rng.normal(size=ROWS),
            "buyer": rng.integers(0, 900, ROWS),
            "fraud": (attack & (rng.random(ROWS) < 0.9)).astype(float),
        }
    )
    frame["risk"] = 1 / (1 + np.exp(-(frame["amount"] - 40) / 20))
    frame.loc[rng.random(ROWS) < 0.05, "amount"] = np.nan
    roles = {"id": "order", "time": "at", "amount": "amount", "entities": ["buyer"]}
    roles |= {"label": "fraud"} if labels else {}
    roles |= {"score": "risk"} if score else {}
    return rb.read(frame if labels else frame.drop(columns="fraud"), roles=roles), np.asarray(attack)


def scoped(data: Dataset, mask: np.ndarray, condition: str | None = None) -> tuple[Scope, Cluster]:
    scope = scope_of(Incident("2026-04-25", "2026-04-30"), data)
    return scope, Cluster(np.flatnonzero(mask & scope.current), "planted", condition, "labels")


@pytest.fixture(scope="module")
def planted():
    data, attack = events()
    return (*scoped(data, attack), data)


@pytest.fixture(scope="module")
def blind(planted):
    """A fraud model that knows the amount and nothing else that matters."""
    data = planted[2]
    rng = np.random.default_rng(1)
    frame = data.frame(["amount", "noise", "city"]).astype({"city": "category"})
    fraud = (frame["amount"].fillna(0) > 45) | (rng.random(ROWS) < 0.02)
    model = HistGradientBoostingClassifier(max_iter=20, early_stopping=False, categorical_features="from_dtype")
    return model.fit(frame.assign(city="JKT").astype({"city": frame["city"].dtype}), fraud)


@pytest.fixture(scope="module")
def found(planted, blind):
    return why(planted[0], planted[1], model=blind, reference_name="good, March and April")


def test_what_was_planted_comes_first(found):
    table = found.frame()
    assert set(table["feature"].head(3)) == {"device_age", "amount", "city"}
    assert (table["apart_lower"].head(3) > 0).all()
    assert table.set_index("feature").loc["noise", "apart_lower"] < 0.2
    assert found.told_apart_lower > 0.9
    assert "lower: median" in table.set_index("feature").loc["device_age", "said"]
    assert table.set_index("feature").loc["city", "said"].startswith("SUB in ")


def test_what_the_score_saw_and_did_not(found):
    status = found.frame().set_index("feature")["seen_as"]
    assert status["amount"] == "seen by the score"
    assert status["device_age"] == "no input of the score"
    assert status["city"] == "not seen"
    assert found.score_difference_lower > 0
    assert "it rose" in found.missed
    assert found.reference.name == "good, March and April"
    assert found.reference.start.startswith("2026-03-01")
    assert len(found.reference.hash) == 16
    assert found.provenance["parameters"]["reference"]["size"] == found.others


def test_cases_have_reasons_in_words(found, planted):
    cases = found.frame("cases")
    ids = set(planted[2].frame(["order"])["order"].iloc[planted[1].rows])
    assert 1 <= cases["event"].nunique() <= 5
    assert set(cases["event"]) <= ids
    assert cases["text"].str.contains("good, March and April").all()


def test_without_a_model_nothing_is_said_of_what_it_saw(planted):
    scope, cluster, _ = planted
    found = why(scope, cluster)
    table = found.frame()
    assert set(table["seen_as"]) == {"no model given", "found by"}
    assert table["seen"].isna().all()
    assert set(table["feature"].head(3)) == {"device_age", "amount", "city"}
    assert any("not measurable" in note for note in found.notes)
    assert not found.frame("cases")["text"].str.contains("raises the score").any()


def test_row_order_does_not_matter(planted):
    scope, cluster, data = planted
    order = np.random.default_rng(3).permutation(ROWS)
    place = np.argsort(order)
    other = scope_of(Incident("2026-04-25", "2026-04-30"), data.take(order))
    again = why(other, Cluster(np.sort(place[cluster.rows]), "planted", None, "labels"))
    first = why(scope, cluster)
    assert again.told_apart == pytest.approx(first.told_apart, abs=1e-9)
    assert list(again.frame()["feature"]) == list(first.frame()["feature"])
    assert np.allclose(again.frame()["apart"], first.frame()["apart"], equal_nan=True)


def test_what_the_cluster_was_picked_by_is_not_news(planted):
    data = planted[2]
    scope, cluster = scoped(data, (data.column("city").to_arrow().to_pandas() == "SUB").to_numpy(), "city = 'SUB'")
    found = why(scope, cluster)
    row = found.frame().set_index("feature").loc["city"]
    assert row["seen_as"] == "found by"
    assert np.isnan(row["apart"])
    assert any("picked by city" in note for note in found.notes)
    assert "city" not in str(found.headline()[0].value)


def test_nothing_sets_random_events_apart(planted):
    data = planted[2]
    scope, _ = scoped(data, np.ones(ROWS, dtype=bool))
    quiet = np.flatnonzero(scope.baseline)
    times = scope.times[quiet]
    late = quiet[times >= np.quantile(times, 0.8)]
    rng = np.random.default_rng(0)
    picked = np.sort(rng.choice(late, 150, replace=False))
    found = why(scope, Cluster(picked, "by lot", None, "labels"))
    assert found.told_apart_lower < 0.62


def test_too_few_events_are_not_measurable(planted):
    scope, cluster, _ = planted
    few = why(scope, Cluster(cluster.rows[:3], "three", None, "labels"))
    assert few.told_apart is None
    assert few.score_difference is None
    assert few.frame().empty
    assert not few.drawable
    assert "not measurable" in few.missed
    some = why(scope, Cluster(cluster.rows[:12], "twelve", None, "labels"))
    assert some.told_apart is None
    assert some.score_difference is not None
    assert some.frame()["apart"].isna().all()
    assert (some.frame()["said"] != "").all()
    none = why(scope, Cluster(np.zeros(0, dtype=np.intp), "nothing", None, "window"))
    assert none.events == 0
    for held in (few, some, none):
        assert "nan" not in held._repr_html_().lower().split()


def test_no_labels_no_score_and_no_baseline():
    data, attack = events(labels=False, score=False)
    scope, cluster = scoped(data, attack)
    found = why(scope, cluster)
    assert found.score_difference is None
    assert found.reference.name == "events of the baseline"
    assert found.told_apart_lower > 0.9
    whole = scope_of(Incident("2026-03-01", "2026-05-30"), data)
    alone = why(whole, Cluster(np.flatnonzero(attack), "planted", None, "labels"))
    assert alone.told_apart is None
    assert alone.reference is None


def test_a_model_that_does_not_fit_is_refused(planted, blind):
    scope, cluster, data = planted
    short = scope_of(
        Incident("2026-04-25", "2026-04-30"), rb.read(data.frame().drop(columns=["noise"]), roles=data.roles)
    )
    with pytest.raises(rb.ColumnNotFoundError, match="noise"):
        why(short, cluster, model=blind)
    found = why(scope, cluster, model=object())
    assert any("not explained" in note for note in found.notes)


def test_values_in_words():
    inside = np.array([True, True, True, False, False, False])
    assert usual(pd.Series([9.0, 8, 7, 1, 2, 3]), inside)[2] == "higher: median 8 (baseline: 2)"
    assert usual(pd.Series([0, 0, 9, 0, 0, 0.0]), inside)[2] == "higher: mean 3 (baseline: 0)"
    assert usual(pd.Series([1, 1, 1, 0, 0, 1]), inside)[2] == "yes in 100.0 % (baseline: 33.3 %)"
    assert usual(pd.Series(list("aabbbb")), inside)[2] == "a in 66.7 % (baseline: 0.00 %)"
    assert usual(pd.Series([None, None, None, 1.0, 2.0, None]), inside)[2] == "has a value in 0.00 % (baseline: 66.7 %)"
    assert usual(pd.Series([None] * 6, dtype=float), inside)[0] == "has a value in 0.00 %"


def test_differences_and_draws():
    inside = np.arange(20) < 10
    value, half = apart_by(np.where(inside, 3.0, 1.0)[:, None] + np.tile([0, 1], 10)[:, None], inside)
    assert value[0] == pytest.approx(2.0)
    assert half[0] == pytest.approx(1.96 * np.sqrt(2 * 0.2777777 / 10), rel=1e-3)
    assert np.isnan(apart_by(np.ones((4, 1)), np.arange(4) < 2)[1][0])
    data, _ = events()
    rows = drawn(data, np.arange(ROWS), 100, seed=0)
    turned = data.take(np.arange(ROWS)[::-1])
    again = drawn(turned, np.arange(ROWS), 100, seed=0)
    assert sorted(ROWS - 1 - again) == sorted(rows)
    assert len(drawn(data, np.arange(50), 100, seed=0)) == 50


def test_what_only_tells_the_time_sets_nothing_apart(planted):
    data = planted[2]
    frame = data.frame().copy()
    at = pd.to_datetime(frame[data.roles.time])
    frame["local_hour"] = at.dt.hour
    frame["late"] = at.dt.hour >= 20
    told = rb.read(frame, roles=data.roles)
    night = (at >= "2026-04-25") & (at < "2026-04-30") & (at.dt.hour >= 20)
    scope, cluster = scoped(told, night.to_numpy())
    found = why(scope, cluster)
    rows = found.frame().set_index("feature")
    for name in ("local_hour", "late"):
        assert rows.loc[name, "seen_as"] == "found by"
        assert np.isnan(rows.loc[name, "apart"])
    shown = found.pages["features"][1]
    assert not {"local_hour", "late"} & set(shown["feature"])


def test_a_missing_entity_is_said_as_one():
    column = pd.Series([1.0, 2.0, 3.0, np.nan, np.nan, np.nan])
    inside = np.array([True, True, True, False, False, False])
    assert usual(column, inside, of="a creator")[2] == "has a creator in 100.0 % (baseline: 0.00 %)"
