"""Do the parts of a change of the alert rate sum to it, and are they the Shapley values they claim to be?"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from definition import enumerated
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator

import riskbench as rb
from riskbench.explanation.telescope import Pairs, draw_pairs, estimated, telescoped, walked

EXACT = 1e-12
BOOK = """
book: two rules
domain: transactions
rules:
  - {id: HIGH, when: "amount > :limit and land in ('a', 'b')", params: {limit: 60}, outcome: review, status: live}
  - {id: NEW, when: "age < 2", outcome: block, status: live}
  - {id: MILD, when: "age < 4", outcome: approve, priority: 1, status: live}
  - {id: TRIAL, when: "amount > 0", outcome: block, priority: 0, status: shadow}
"""


def cohort(rows: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(3 + shift, 1, rows).round(2),
            "age": rng.integers(0, 30, rows).astype(float),
            "land": rng.choice(list("abc"), rows),
        }
    )
    frame.loc[rng.random(rows) < 0.1, "amount"] = np.nan
    return frame


def data(rows: int, seed: int, *, shift: float = 0.0, **roles: str) -> rb.Dataset:
    frame = cohort(rows, seed, shift=shift).assign(order=[f"{seed}-{i}" for i in range(rows)])
    return rb.read(frame, roles={"id": "order", **roles}, name=f"events {seed}")


def decided(frame: pd.DataFrame) -> pd.Series:
    return (frame["amount"] > 60) & (frame["age"] < 12) | (frame["land"] == "a") & (frame["age"] > 25)


def exact(now: pd.DataFrame, then: pd.DataFrame, decide) -> np.ndarray:
    """Shapley values of the mean over all pairs, by enumeration."""
    mine, theirs = (part.reset_index(drop=True) for part in (now, then))
    i, k = (held.ravel() for held in np.meshgrid(np.arange(len(now)), np.arange(len(then)), indexing="ij"))
    names = list(now.columns)

    def worth(known):
        made = {
            n: mine[n].take(i).reset_index(drop=True) if j in known else theirs[n].take(k).reset_index(drop=True)
            for j, n in enumerate(names)
        }
        return float(np.mean(decide(pd.DataFrame(made))))

    return enumerated(worth, len(names))


def by_name(found: rb.AlertShift) -> pd.Series:
    return found.contributions.set_index("feature")["contribution"]


def test_all_pairs_and_all_orders_give_the_definition():
    now, then = cohort(9, 1, shift=1.0), cohort(7, 2)
    alerted_now, alerted_then = decided(now).to_numpy(), decided(then).to_numpy()
    i, k = (held.ravel() for held in np.meshgrid(np.arange(9), np.arange(7), indexing="ij"))
    stratum = 2 * alerted_now[i] + alerted_then[k]
    weight = np.bincount(stratum, minlength=4) / len(stratum)
    pairs = Pairs(i, k, stratum, weight, alerted_now.mean(), alerted_then.mean(), (9, 7))
    joint = pd.concat([now, then], ignore_index=True)

    def alerted(member, current, reference):
        made = {
            n: joint[n].take(np.where(member[:, j], current, 9 + reference)).to_numpy() for j, n in enumerate(joint)
        }
        return decided(pd.DataFrame(made)).to_numpy()

    gains = sum(
        walked(alerted, pairs, np.tile(np.argsort(order), (len(i), 1))) for order in itertools.permutations(range(3))
    )
    assert np.abs(estimated(pairs, gains / 6).value - exact(now, then, decided)).max() < EXACT


def test_draws_come_near_the_definition_within_their_errors():
    now, then = cohort(60, 1, shift=1.0), cohort(50, 2)
    told = exact(now, then, decided)
    found = rb.explain_alerts(decided, now, reference=then, pairs=20_000)
    apart = by_name(found)[list(now.columns)].to_numpy() - told
    assert np.abs(apart).max() < 0.01


@given(st.integers(20, 60), st.integers(20, 60), st.integers(0, 999), st.sampled_from([0.0, 0.5, 3.0, 9.0]))
@settings(max_examples=25, deadline=None)
def test_parts_sum_to_the_change_and_row_order_does_not_matter(rows, others, seed, shift):
    now, then = cohort(rows, seed, shift=shift), cohort(others, seed + 1)
    found = rb.explain_alerts(decided, now, reference=then, pairs=200, seed=seed)
    change = decided(now).mean() - decided(then).mean()
    assert abs(found.contributions["contribution"].sum() - change) < EXACT
    assert abs(found.change - change) < EXACT
    assert found.change_lower <= found.change <= found.change_upper
    mixed = rb.explain_alerts(
        decided, now.sample(frac=1, random_state=seed), reference=then.sample(frac=1, random_state=1), pairs=200,
        seed=seed,
    )  # fmt: skip
    pd.testing.assert_frame_equal(found.contributions, mixed.contributions)
    assert found.current.hash == mixed.current.hash


def test_a_feature_that_decides_nothing_moves_nothing():
    now, then = cohort(400, 1, shift=1.0), cohort(400, 2).assign(land="c")
    found = rb.explain_alerts(lambda frame: frame["amount"] > 60, now, reference=then)
    parts = by_name(found)
    assert parts["age"] == parts["land"] == 0.0
    assert parts["amount"] == pytest.approx(found.change, abs=EXACT)


def test_errors_hold_the_truth_about_as_often_as_they_say():
    """Two features of an additive decision: the truth is known from very many events."""

    def decide(frame):
        return (frame["a"] > 1.2) | (frame["b"] > 1.5)

    def drawn(rows, seed, shift):
        rng = np.random.default_rng(seed)
        return pd.DataFrame({"a": rng.normal(shift, 1, rows).round(2), "b": rng.normal(0, 1, rows).round(2)})

    many = rb.explain_alerts(decide, drawn(400_000, 1, 0.4), reference=drawn(400_000, 2, 0.0), pairs=100_000)
    truth = by_name(many)
    inside = []
    for seed in range(60):
        found = rb.explain_alerts(
            decide, drawn(300, 2 * seed + 9, 0.4), reference=drawn(300, 2 * seed + 10, 0.0), pairs=400, seed=seed
        ).contributions.set_index("feature")
        inside += [found.loc[n, "contribution_lower"] <= truth[n] <= found.loc[n, "contribution_upper"] for n in "ab"]
    assert 0.88 <= np.mean(inside) <= 0.99


def test_the_error_of_the_whole_is_that_of_two_rates():
    rng = np.random.default_rng(0)
    now, then = rng.random(400) < 0.2, rng.random(300) < 0.1
    keys = (np.arange(400, dtype=np.uint64), np.arange(300, dtype=np.uint64))
    pairs = draw_pairs(now, then, keys, pairs=500, rng=rng)
    gains = telescoped(lambda member, i, k: member[:, 0] & now[i], pairs, 1, rng=rng)
    p, q = now.mean(), then.mean()
    assert estimated(pairs, gains).error[0] == pytest.approx(np.sqrt(p * (1 - p) / 400 + q * (1 - q) / 300))


@pytest.fixture(scope="module")
def model():
    frame = cohort(3_000, 5)[["amount", "age"]]
    fraud = (frame["amount"].fillna(0) > 40) & (frame["age"] < 9)
    return HistGradientBoostingClassifier(max_iter=15, early_stopping=False).fit(frame, fraud)


def test_a_models_cut_is_the_decision(model):
    now, then = cohort(500, 1, shift=0.6), cohort(500, 2)
    found = rb.explain_alerts(model, now, reference=then, cut=0.3, pairs=4_000)

    def decide(frame):
        return model.predict_proba(frame)[:, 1] >= 0.3

    two = ["amount", "age"]
    assert found.change == pytest.approx(decide(now[two]).mean() - decide(then[two]).mean(), abs=EXACT)
    told = exact(now[two].iloc[:120], then[two].iloc[:120], decide)
    small = rb.explain_alerts(model, now.iloc[:120], reference=then.iloc[:120], cut=0.3, pairs=20_000)
    assert np.abs(by_name(small)[two].to_numpy() - told).max() < 0.01
    grouped = rb.explain_alerts(model, now, reference=then, cut=0.3, groups={"both": two})
    assert by_name(grouped)["both"] == pytest.approx(found.change, abs=EXACT)


def test_a_calibrated_model_is_asked_for_the_probability_it_reports(model):
    frame = cohort(2_000, 8)[["amount", "age"]]
    fraud = (frame["amount"].fillna(0) > 40) & (frame["age"] < 12)
    held = CalibratedClassifierCV(FrozenEstimator(model), method="isotonic", ensemble=False).fit(frame, fraud)
    now, then = cohort(300, 1, shift=0.6), cohort(300, 2)
    found = rb.explain_alerts(held, now, reference=then, cut=0.5, pairs=400)
    rates = [(held.predict_proba(part[["amount", "age"]])[:, 1] >= 0.5).mean() for part in (now, then)]
    assert found.change == pytest.approx(rates[0] - rates[1], abs=EXACT)


def test_rules_and_score_are_one_game(model):
    book = rb.RuleBook.from_yaml(BOOK)
    now, then = data(300, 1, shift=0.6), data(300, 2)
    found = rb.explain_alerts(model, now, reference=then, cut=0.3, book=book, pairs=20_000)

    def decide(frame):
        rules = (frame["amount"] > 60) & frame["land"].isin(["a", "b"]) | (frame["age"] < 2)
        return rules & (frame["age"] >= 4) | (model.predict_proba(frame[["amount", "age"]])[:, 1] >= 0.3)

    columns = ["amount", "age", "land"]
    frames = [part.frame(columns).astype({"land": object}) for part in (now, then)]
    assert found.change == pytest.approx(decide(frames[0]).mean() - decide(frames[1]).mean(), abs=EXACT)
    assert set(found.contributions["feature"]) == set(columns)
    assert np.abs(by_name(found)[columns].to_numpy() - exact(*frames, decide)).max() < 0.01
    alone = rb.explain_alerts(None, now, reference=then, book=book)
    assert alone.cohorts["by_score"].isna().all()
    assert found.cohorts["by_rules"].tolist() == alone.cohorts["by_rules"].tolist()
    simulated = [rb.simulate(book, part).alerts for part in (now, then)]
    assert alone.cohorts["alerts"].tolist() == simulated
    assert found.provenance["book"] == book.hash
    assert found.reference.name == "events 2"


def test_a_rule_on_the_score_is_scored_anew(model):
    book = rb.RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules:\n"
        "  - {id: CUT, when: risk >= 0.3 and land = 'a', outcome: review, status: live}\n"
    )
    parts = []
    for seed, shift in ((1, 0.6), (2, 0.0)):
        frame = cohort(300, seed, shift=shift)
        risk = model.predict_proba(frame[["amount", "age"]])[:, 1]
        parts.append(rb.read(frame.assign(order=range(300), risk=risk), roles={"id": "order", "score": "risk"}))
    found = rb.explain_alerts(model, parts[0], reference=parts[1], book=book)
    assert set(found.contributions["feature"]) == {"amount", "age", "land"}
    given_ = rb.explain_alerts(None, parts[0], reference=parts[1], book=book)
    assert set(given_.contributions["feature"]) == {"risk", "land"}
    assert found.change == pytest.approx(given_.change, abs=EXACT)


def test_regions_decide_by_their_own_limits():
    text = BOOK.replace("params: {limit: 60}", "params: {limit: 60}, regions: {c: {limit: 1}}").replace(
        "('a', 'b')", "('c')"
    )
    book = rb.RuleBook.from_yaml(text)
    now, then = data(200, 1, region="land"), data(200, 2, region="land")
    found = rb.explain_alerts(None, now, reference=then, book=book)
    assert found.cohorts["alerts"].tolist() == [rb.simulate(book, part).alerts for part in (now, then)]
    assert set(found.contributions["feature"]) == {"amount", "age", "land"}


def test_wrong_calls_are_refused_in_words(model):
    now, then = data(100, 1), data(100, 2)
    book = rb.RuleBook.from_yaml(BOOK)
    for wrong, told in (
        ({"model": None}, "Nothing decides"),
        ({"model": model}, "From which score"),
        ({"model": model, "cut": 4}, "probability"),
        ({"model": model, "cut": 0.3, "pairs": 10}, "number of pairs"),
        ({"model": model, "cut": 0.3, "groups": {"a": ["amuont"]}}, "did you mean 'amount'"),
        ({"model": decided}, "function takes frames"),
    ):
        with pytest.raises(rb.ParameterError, match=told):
            rb.explain_alerts(wrong.pop("model"), now, reference=then, **wrong)
    with pytest.raises(rb.ParameterError, match="another kind"):
        rb.explain_alerts(None, cohort(50, 1), reference=then, book=book)
    with pytest.raises(rb.DataError, match="too few"):
        rb.explain_alerts(None, now.where(np.arange(100) < 3), reference=then, book=book)
    features = {"orders": {"count": "*", "by": "land", "window": "1h"}}
    rules = (rb.Rule("A", "orders > 1", "review", status="live"),)
    counted = rb.RuleBook(name="v", domain="transactions", features=features, rules=rules)
    with pytest.raises(rb.DataError, match="velocity feature"):
        rb.explain_alerts(None, now, reference=then, book=counted)
    with pytest.raises(rb.DataError, match="no number an event"):
        rb.explain_alerts(lambda frame: [1], cohort(50, 1), reference=cohort(50, 2))


def test_only_one_alert_has_no_error_and_says_so():
    now = cohort(100, 1).assign(age=9.0, land="c")
    now.loc[0, "amount"] = 1e9
    found = rb.explain_alerts(lambda frame: frame["amount"] > 1e8, now, reference=cohort(100, 2))
    assert found.contributions["standard_error"].isna().all()
    assert any("not measurable" in note for note in found.notes)
    assert "nan" not in found._repr_html_().lower().split()
