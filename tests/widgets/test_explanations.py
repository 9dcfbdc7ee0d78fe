"""Does the explanation browser show the event that is asked for, and do its contributions sum to the score?"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.explanation.event_score import EventScore

HOSTILE = "<img src=x onerror=alert(1)>"
#: Sums of at most a few dozen doubles in another order.
NEAR = 1e-9
ROWS = 80


def frame(rows: int = ROWS, *, features: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame({f"{HOSTILE}{n}" if n == 1 else f"f{n}": rng.normal(size=rows) for n in range(features)})


def explained(model=None, *, features: int = 4, rows: int = ROWS) -> rb.Explanation:
    held = frame(rows, features=features)
    fraud = (held.sum(axis=1) > 0.5).astype(int)
    made = HistGradientBoostingClassifier(max_iter=10, max_depth=3) if model is None else model
    made.fit(held, fraud)
    return rb.explain(made, held, reference=held, reference_name=HOSTILE)


@pytest.fixture(scope="module")
def found() -> rb.Explanation:
    return explained()


IDS = [f"order-{n:05}" for n in range(ROWS)]


@pytest.fixture
def browser(found):
    return rb.explanation_browser(found, ids=IDS)


@settings(max_examples=25, deadline=None)
@given(row=st.integers(0, ROWS - 1), kept=st.sets(st.sampled_from(range(4)), min_size=1))
def test_the_mean_and_the_contributions_sum_to_the_score(found, row, kept) -> None:
    one = found.event(row)
    assert one.base + one.contributions["contribution"].sum() == pytest.approx(one.score, abs=NEAR)
    assert one.score == pytest.approx(found.scores[row], abs=NEAR)
    assert one.base + sum(move for *_, move in one.bars(2)) == pytest.approx(one.score, abs=NEAR)
    told = one.contributions.set_index("feature")
    for place, name in enumerate(found.features):
        assert told.loc[name, "contribution"] == found.values[row, place]
        rest = np.delete(found.values[:, place], row)
        assert told.loc[name, "mean_others"] == pytest.approx(rest.mean())
        assert told.loc[name, "above_share"] == pytest.approx((rest < found.values[row, place]).mean())
    some = found.event(row, features=[found.features[f] for f in kept])
    assert set(some.contributions["feature"]) == {found.features[f] for f in kept}
    assert some.score == one.score
    assert one.higher == pytest.approx((np.delete(found.scores, row) < found.scores[row]).mean())


def test_neighbours_are_those_with_the_nearest_contributions(found) -> None:
    near = found.event(7).neighbours
    apart = {row: float(np.linalg.norm(found.values[row] - found.values[7])) for row in range(ROWS) if row != 7}
    wanted = sorted(apart, key=lambda row: (apart[row], row))[:5]
    assert near["row"].tolist() == wanted
    assert near["distance"].tolist() == pytest.approx([apart[row] for row in wanted])


def test_moving_the_controls_moves_the_row_and_tells_whoever_listens(browser, found) -> None:
    order = np.argsort(-found.probabilities, kind="stable").tolist()
    told: list = []
    browser.observe(lambda change: told.append((change["new"], browser.result.row)), names="value")
    assert browser.value == order[0]
    browser.lower.click()
    browser.row.value = order[-1]
    browser.lower.click()
    assert browser.value == order[0]
    browser.higher.click()
    assert "first event over the cut" in browser.errors
    browser.id.value = "order-00009"
    browser.value = np.int64(3)
    assert told == [(row, row) for row in (order[1], order[-1], order[0], 9, 3)]
    assert browser.row.value == 3
    assert browser.errors == ""
    assert isinstance(browser.result, EventScore)
    assert browser.result.event == "order-00003"


def test_the_cut_says_who_comes_next_and_what_sets_them_apart(browser, found) -> None:
    browser.over.value = 0.5
    over = np.flatnonzero(found.probabilities >= 0.5)
    seen = [browser.value]
    while not browser.errors:
        browser.lower.click()
        seen.append(browser.value)
    assert sorted(seen[:-1]) == over.tolist()
    assert f"{len(over)} are over the cut" in browser._view.value
    assert "mean contributions" in browser._whole.value
    browser.value = int(np.argmin(found.probabilities))
    assert "of draws fall under the cut" not in browser._view.value
    browser.value = seen[0]
    assert "of draws fall under the cut" in browser._view.value


@pytest.mark.parametrize("cut", [0.0, 1.0, -3.0, float("nan"), float("inf")])
def test_a_cut_that_is_no_probability_is_told_and_taken_back(browser, cut) -> None:
    before = browser.cut
    browser.over.value = cut
    assert "between 0 and 1" in browser.errors
    assert browser.cut == before == browser.over.value


@pytest.mark.parametrize("value", [-1, ROWS, True, 1.5, "3", None, [1]])
def test_a_row_that_is_none_is_refused_and_nothing_changes(browser, value) -> None:
    before = browser.value
    with pytest.raises(ParameterError, match="no such row"):
        browser.value = value
    assert browser.value == before


def test_what_is_typed_wrong_is_told_inside_and_taken_back(browser) -> None:
    before = browser.value
    browser.row.value = ROWS
    assert "no such row" in browser.errors
    assert browser.row.value == before
    browser.id.value = "<b>nobody</b>"
    assert "called so" in browser.errors
    assert "<b>" not in browser.box.children[-1].value
    browser.features.value = "no such feature"
    assert "No feature" in browser.errors
    assert browser.features.value == ""
    with pytest.raises(ParameterError):
        browser.find("nobody")
    assert browser.value == before


def test_features_are_filtered_and_the_others_are_summed(browser, found) -> None:
    browser.features.value = "F2"
    one = browser.result
    assert one.contributions["feature"].tolist() == [found.features[2]]
    assert any("3 features are filtered out" in note for note in one.notes)


def test_no_id_stands_on_the_page_in_full_and_names_are_text(browser) -> None:
    bundle = browser._repr_mimebundle_()
    text = bundle["text/html"] + browser._view.value + browser._whole.value
    text = re.sub(r'src="data:image/png;base64,[^"]*"', "", text)
    assert not [name for name in IDS if name in text]
    assert "<img src=x" not in text
    assert "<script" not in text
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()
    assert "image/png" in bundle
    assert " at 0x" not in bundle["text/plain"]


def test_the_twin_has_the_events_of_the_highest_scores(found) -> None:
    browser = rb.explanation_browser(found, ids=IDS)
    steps = browser._steps()
    assert steps.table["row"].tolist() == np.argsort(-found.probabilities, kind="stable").tolist()
    assert steps.at == 0
    top = int(steps.table["row"].iloc[0])
    strongest = found.features[int(np.argmax(np.abs(found.values[top])))]
    assert steps.table["reason_1"].iloc[0].startswith(strongest)
    browser.value = int(steps.table["row"].iloc[5])
    assert browser._steps().at == 5


@pytest.mark.parametrize(
    "model", [LogisticRegression(), RandomForestClassifier(n_estimators=5, max_depth=3, random_state=0)]
)
@pytest.mark.parametrize("features", [1, 3])
def test_other_models_and_one_feature_are_browsed(model, features) -> None:
    browser = rb.explanation_browser(explained(model, features=features))
    browser.lower.click()
    one = browser.result
    assert one.base + one.contributions["contribution"].sum() == pytest.approx(one.score, abs=NEAR)
    assert "image/png" in browser._repr_mimebundle_()


def test_one_event_and_no_event_are_answers_too(found) -> None:
    first = np.arange(ROWS) == 4
    one = rb.explanation_browser(found.where(first))
    assert one.value == 0
    assert one.result.higher is None
    assert one._steps() is None
    assert "text/html" in one._repr_mimebundle_()
    none = rb.explanation_browser(found.where(first & False))
    assert none.value is None
    assert none.row.disabled
    assert "text/html" in none._repr_mimebundle_()
    with pytest.raises(ParameterError, match="No event is explained"):
        none.result  # noqa: B018
    with pytest.raises(ParameterError, match="no event is explained"):
        none.value = 0


def test_ids_come_from_a_dataset_or_a_list_and_must_fit(found) -> None:
    data = rb.read(pd.DataFrame({"order": IDS}), roles=rb.Roles(id="order"))
    assert rb.explanation_browser(found, dataset=data).find("order-00011") == 11
    assert rb.explanation_browser(found).find(11) == 11
    for wrong in (IDS[:3], "x" * ROWS):
        with pytest.raises(ParameterError, match="one id"):
            rb.explanation_browser(found, ids=wrong)
    with pytest.raises(ParameterError, match="Dataset"):
        rb.explanation_browser(found, dataset=pd.DataFrame())  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="makes one"):
        rb.explanation_browser("x")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="no such feature"):
        found.event(0, features=["nothing"])
