"""The rule that a calibration puts into a book: its id is its own, and any column name can be cut."""

from __future__ import annotations

import numpy as np
import pytest

import riskbench as rb
from tests.calibration.conftest import dataset, made


@pytest.mark.parametrize(
    ("one", "other", "two_cuts"),
    [
        ("a b", "a.b", False),
        ("a b", "a_b", False),
        ("a_b", "a b", False),
        ("risk-block", "risk", True),
        ("x" * 70 + "1", "x" * 70 + "2", True),
    ],
)
def test_cuts_of_two_scores_live_side_by_side(one, other, two_cuts):
    frame = made()
    second = np.round(np.random.default_rng(0).normal(0.3 + 0.35 * frame["fraud"], 0.12), 3)
    events = dataset(frame.rename(columns={"risk": one}).assign(**{other: second}), score=one)
    book = rb.calibrate(events, score=one).apply()
    found = rb.calibrate(events, score=other, given=book, two_cuts=two_cuts)
    both = found.apply()
    assert set(book.rules) <= set(both.rules)
    assert len(both.rules) == len({rule.id for rule in both.rules}) > len(book.rules)
    window = events.between(*found.window.split(" to before "))
    row = found.curve[found.curve["threshold"] == found.threshold].iloc[0]
    assert rb.simulate(both, window).alerts == row["alerts"]
    assert rb.simulate(book, window).alerts == row["alerts"] - row["added_alerts"]
    again = rb.calibrate(events, score=other, given=both, two_cuts=two_cuts)
    assert again.today == found.threshold
    assert again.apply().hash == both.hash


def test_a_plain_name_keeps_its_plain_id_and_an_edited_cut_is_a_rule_like_any_other():
    events = dataset(made())
    book = rb.calibrate(events).apply()
    assert [rule.id for rule in book.rules] == ["CUT-risk"]
    text = book.to_yaml().replace("""'"risk" >= :cut'""", "risk >= :cut")
    assert "when: risk >= :cut" in text
    assert rb.calibrate(events, given=rb.RuleBook.from_yaml(text)).apply().hash == book.hash
    edited = rb.RuleBook.from_yaml(text.replace("risk >= :cut", "risk >= :cut AND amount > 50"))
    both = rb.calibrate(events, given=edited).apply()
    assert both.rules[0] == edited.rules[0]
    assert len(both.rules) == 2


WORDS = "select null case like map current_date true and in not between array date interval order 日本 1st".split()


@pytest.mark.parametrize("name", [*WORDS, 'a "b" c', "it's", ":cut"])
def test_a_score_of_any_name_is_cut(name):
    events = dataset(made(1500).rename(columns={"risk": name}), score=name)
    found = rb.calibrate(events, by=None)
    window = events.between(*found.window.split(" to before "))
    row = found.curve[found.curve["threshold"] == found.threshold].iloc[0]
    assert rb.simulate(found.apply(), window).alerts == row["alerts"] > 0
    assert rb.RuleBook.from_yaml(found.apply().to_yaml()).hash == found.apply().hash
