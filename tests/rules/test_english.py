"""Every condition of the language reads as a sentence, and hostile words stay as they are."""

from __future__ import annotations

import fuzz_texts
import pytest
from engine import hostile

import riskbench as rb
from riskbench.engine.parse import parse
from riskbench.engine.sayings import said
from riskbench.errors import RuleError


def told(text, **params):
    return rb.Rule("A", text, "review", params=params).in_english()


def test_every_text_that_is_read_can_be_said():
    writer = fuzz_texts.Writer(7)
    spoken = 0
    for text in (*(writer.text() for _ in range(1_500)), *hostile.BOUND.values()):
        try:
            predicate = parse(text)
        except RuleError:
            continue
        sentence = said(predicate, values={}, lists={})
        assert sentence
        assert "exp." not in sentence
        assert "object at" not in sentence
        for column in predicate.columns:
            assert column.replace("_", " ") in sentence, "no column is left out"
        spoken += 1
    assert spoken > 700


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("amount > 1500000", "amount is above 1,500,000"),
        ("NOT (a > 1 OR b)", "it is not so that (a is above 1, or b is true)"),
        ("a > 1 AND (b OR NOT c)", "a is above 1, and (b is true, or c is false)"),
        ("pay NOT IN ('cod', 'it''s')", "pay is none of 'cod', 'it''s'"),
        ("x IS NOT NULL AND y IS NULL", "x is there, and y is missing"),
        ("lower(note) LIKE '%a'", "the small-letter form of note is like '%a'"),
        ("(a + b) * c >= -2", "(a plus b) times c is at least -2"),
        ("CASE WHEN a THEN 1 ELSE 2 END = 2", "(1 where a is true, else 2) is 2"),
        ("coalesce(a, 0) <> nullif(b, 1)", "the first that is there of (a, 0) is not b (missing where it is 1)"),
        ("isodow(at) BETWEEN 6 AND 7", "the weekday (1 is Monday) of at is between 6 and 7"),
        ("a IS NOT DISTINCT FROM b", "a is the same as b"),
        ("(a > 1) IS NOT TRUE", "that a is above 1 is not certainly true"),
        ("TRUE", "always so"),
    ],
)
def test_sentences(text, sentence):
    assert told(text) == f"Review when {sentence}."


def test_parameters_units_lists_and_regions():
    rule = rb.Rule(
        "A", "amount > :limit AND pay IN :ways", "block",
        params={"limit": {"default": 5, "unit": "IDR"}, "ways": ["a", "b"]},
        regions={"it's": {"limit": 7}},
    )  # fmt: skip
    assert rule.in_english() == (
        "Block when amount is above 5 IDR, and pay is in the list ways (2 values). In it's the limit is 7 IDR."
    )


def test_a_book_tells_its_rules_in_the_order_in_which_they_decide():
    held = rb.RuleBook(
        name="b",
        domain="transactions",
        rules=(
            rb.Rule("A", "a > 1", "review", status="live"),
            rb.Rule("B", "note = '<script>'", "block", status="live"),
            rb.Rule("C", "a > 3", "block"),
        ),
    )
    lines = held.in_english().splitlines()
    assert lines[1].startswith("1. B: Block when note is '<script>'")
    assert lines[2].startswith("2. A: ")
    assert lines[-1] == "- C: Block when a is above 3. (draft)"
