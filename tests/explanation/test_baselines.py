"""Are baselines and models from files explained as they are, on datasets that lack the columns they made?"""

from __future__ import annotations

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier

import riskbench as rb
from riskbench.calibration.model import read_model


def _events(*, timed: bool) -> rb.Dataset:
    rng = np.random.default_rng(0)
    rows = 2_000
    frame = pd.DataFrame(
        {
            "order": [f"o{i}" for i in range(rows)],
            "amount": rng.lognormal(3, 1, rows).round(2),
            "land": rng.choice(["NO", "ID", "BR"], rows),
            "device": rng.integers(0, 300, rows),
            "at": pd.Timestamp("2026-03-01") + pd.to_timedelta(np.sort(rng.integers(0, 60 * 86_400, rows)), unit="s"),
        }
    )
    frame["opened"] = frame["at"] - pd.to_timedelta(rng.integers(1, 900, rows), unit="h")
    frame["fraud"] = rng.random(rows) < np.where(frame["land"] == "NO", 0.4, 0.02)
    frame.loc[rng.random(rows) < 0.1, "amount"] = np.nan
    roles = {"id": "order", "amount": "amount", "label": "fraud", "entities": ["device"]}
    return rb.read(
        frame if timed else frame.drop(columns=["at", "opened"]), roles=roles | ({"time": "at"} if timed else {})
    )


@pytest.fixture(scope="module")
def baseline() -> rb.Baseline:
    return rb.score_baseline(_events(timed=True))


def _logit(score):
    return np.log(score / (1 - score))


def test_a_baseline_is_explained_on_its_own_events(baseline):
    events = baseline.dataset
    scored = events.column("score").present
    incident = events.where(scored & (events.column("amount").values > 40))
    found = rb.explain(baseline, incident, reference=events.where(scored), reference_name="all scored")
    assert set(found.features) == set(baseline.features["feature"])
    assert {"event_hour", "device_events_1d", "opened_hours_before"} <= set(found.features)
    assert np.allclose(found.scores, _logit(incident.column("score").values), atol=1e-4)
    assert found.events[0].startswith("o")
    assert found.reference.start is not None
    told = found.reasons(k=2)
    assert "all scored" in told.loc[0, "text"]


def test_other_events_get_the_same_columns_made_anew(baseline):
    own = baseline.dataset
    names = [name for name in own.names if name != "baseline_score"]
    whole = rb.read(
        own.frame(names).assign(order=[f"x{i}" for i in range(own.rows)]), roles=own.roles.with_roles(score=None)
    )
    pd.testing.assert_frame_equal(baseline.inputs(whole), baseline.inputs(own))
    assert np.array_equal(
        rb.explain(baseline, whole.take(np.arange(50)), reference=whole).features,
        rb.explain(baseline, own.take(np.arange(50)), reference=own).features,
    )


def test_equal_ids_alone_do_not_make_equal_events(baseline):
    own = baseline.dataset
    doubled = own.with_columns({"amount": own.column("amount").values * 2.0})
    assert baseline.inputs(doubled)["amount"].iloc[0] == 2 * own.column("amount").values[0]


def test_a_missing_column_of_a_baseline_is_named(baseline):
    own = baseline.dataset
    frame = own.frame().drop(columns=["land"]).assign(lnd="NO")
    with pytest.raises(rb.ColumnNotFoundError, match="land"):
        rb.explain(baseline, rb.read(frame, roles=own.roles))


def test_cross_fitted_scores_are_told_apart():
    held = rb.score_baseline(_events(timed=False))
    found = rb.explain(held, held.dataset.take(np.arange(30)), reference=held.dataset)
    assert any("cross-fitted" in note for note in found.notes)


def test_a_baselines_cut_alerts_as_its_score_does(baseline):
    events = baseline.dataset
    scored = np.flatnonzero(events.column("score").present)
    then, now = events.take(scored[:500]), events.take(scored[500:])
    cut = float(np.median(now.column("score").values))
    found = rb.explain_alerts(baseline, now, reference=then, cut=cut, pairs=300)
    assert found.cohorts["alerts"].tolist() == [int((part.column("score").values >= cut).sum()) for part in (now, then)]


def test_models_from_files(tmp_path):
    events = _events(timed=True)
    frame = events.frame(["amount", "device"]).astype(float)
    fraud = events.column("label").values.astype(int)
    model = HistGradientBoostingClassifier(max_iter=5, early_stopping=False).fit(frame, fraud)
    skops.io.dump(model, tmp_path / "held.skops")
    lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(frame, fraud).booster_.save_model(tmp_path / "held.txt")
    xgboost.XGBClassifier(n_estimators=5).fit(frame, fraud).save_model(tmp_path / "held.json")
    few = events.take(np.arange(40))
    for name in ("held.skops", "held.txt", "held.json"):
        held = read_model(tmp_path / name)
        found = rb.explain(held, few, reference=events, reference_name="all")
        assert np.allclose(found.probabilities, held.predict(few.frame(held.features)), atol=1e-6)
        shift = rb.explain_alerts(held, few, reference=events, cut=0.3, pairs=200)
        assert shift.change == pytest.approx((held.predict(few.frame(held.features)) >= 0.3).mean()
                                             - (held.predict(events.frame(held.features)) >= 0.3).mean())  # fmt: skip
