"""Reading a rule text: what is allowed, what is refused, and that nothing else ever happens."""

from __future__ import annotations

import contextlib
import pickle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from riskbench.engine.bind import bind
from riskbench.engine.parse import MAX_LENGTH, parse, words
from riskbench.engine.words import FUNCTIONS
from riskbench.errors import RuleError
from tests.engine.hostile import BOUND, REFUSED, UNBOUND
from tests.strategies import KINDS, conditions

PARAMS = {"limit": 5, "list": [1, 2]}


def test_there_are_enough_hostile_texts():
    assert len(REFUSED) + len(UNBOUND) + len(BOUND) > 150


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_refused_when_read(text):
    with pytest.raises(RuleError) as wrong:
        parse(text, rule="TX-1")
    assert_plain(wrong.value)


@pytest.mark.parametrize("text", UNBOUND.values(), ids=UNBOUND)
def test_refused_when_bound(text):
    predicate = parse(text)
    with pytest.raises(RuleError) as wrong:
        bind(predicate, KINDS, params=PARAMS, rule="TX-1")
    assert_plain(wrong.value)
    assert "^" in str(wrong.value)


@pytest.mark.parametrize("text", BOUND.values(), ids=BOUND)
def test_odd_and_harmless(text):
    bind(parse(text), KINDS, params=PARAMS)


def assert_plain(wrong: RuleError) -> None:
    """The message names the rule and speaks of the text, not of the machine inside."""
    message = str(wrong)
    assert message.startswith("Rule TX-1: ")
    for inside in ("Traceback", "sqlglot", "<class", "duckdb", "Expected", "exp.", "Catalog Error", "Binder Error"):
        assert inside not in message.replace(wrong.text or "\x00", "")
    assert len(message) < 2_000


@pytest.mark.parametrize(
    ("text", "under"),
    [
        ("amount > 5 AND foo(x) > 1", "foo"),
        ("amount > $limit", "$limit"),
        ("amount > 5; DROP TABLE x", ";"),
        ("amount > 5 -- no", "--"),
        ("amount >> 5 = 1", "amount >> 5"),
        ("is_new XOR is_new", "XOR"),
        ("amount > 5) AND x", ")"),
        ("a = 1 AND now() > b", "now"),
        ("x = 1 AND events.amount > 5", "events.amount"),
        ("amount > \x00", "�"),
    ],
)
def test_the_caret_stands_under_the_place(text, under):
    with pytest.raises(RuleError) as wrong:
        parse(text)
    assert (wrong.value.text or "")[wrong.value.start : wrong.value.end] == under


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("lenght(country) > 5", "did you mean length()?"),
        ("dayofweek(t) = 1", "isodow"),
        ("regexp_matches(a, 'x')", "LIKE"),
        ("concat(a, b) = 'x'", "||"),
        ("count(*) > 5", "velocity feature"),
        ("now() > t", "same answer on every run"),
        ("amount > $limit", "write :limit"),
        ("country = ‘ID’ AND (", "straight quotes"),
        ("a XOR b", "(a AND NOT b)"),
    ],
)
def test_the_hint_says_what_to_write(text, hint):
    with pytest.raises(RuleError) as wrong:
        parse(text)
    assert hint in (wrong.value.hint or "")


def test_columns_and_parameters_in_order_of_first_use():
    found = parse('b > :y AND a IN :x AND b < :y AND "c d" = :z')
    assert found.columns == ("b", "a", "c d")
    assert found.params == ("y", "x", "z")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_listed_function_is_read(name):
    texts = {
        "extract": "extract(hour FROM t) = 1",
        "try_cast": "try_cast(a AS DOUBLE) = 1",
        "substr": "substr(a, 1, 2) = 'x'",
    }
    two = ("contains", "ends_with", "starts_with", "left", "right", "nullif", "coalesce", "greatest", "least")
    parse(texts.get(name, f"{name}(a, 'b') = 'x'" if name in two else f"{name}(a) = 'x'"))


def test_not_text():
    for wrong in (None, 5, b"amount > 5", ["amount > 5"]):
        with pytest.raises(RuleError, match="is not text"):
            parse(wrong)


def test_reading_is_pure():
    found = parse("amount > 5")
    assert parse("amount > 5") == found
    assert hash(found) == hash(parse("amount > 5"))
    with pytest.raises(AttributeError):
        found.text = "x"
    assert pickle.loads(pickle.dumps(found)) == found


def test_longest_text():
    parse("amount > 5" + " " * (MAX_LENGTH - 10))
    with pytest.raises(RuleError, match="too long"):
        parse("amount > 5" + " " * (MAX_LENGTH - 9))


_PIECES = [
    *"()[]{}<>=!+-*/%|&^~@#$:;,.'\"?\\`\n\t\x00",
    *"amount country is_new placed_at items x y 1 2.5 1e5 'a' NULL TRUE FALSE".split(),
    *"AND OR NOT IN BETWEEN LIKE ILIKE IS CASE WHEN THEN ELSE END CAST AS DOUBLE DATE INTERVAL".split(),
    *"SELECT FROM WHERE EXISTS UNION OVER FILTER lower( abs( coalesce( hour( :limit E' $$ -- /* */ :: -> ..".split(),
    "é",
    "日",
    "\u202e",
    "\ud800",
    "\U0001f389",
]


@settings(max_examples=20000, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from(_PIECES), max_size=25).map(" ".join),
        st.lists(st.sampled_from(_PIECES), max_size=25).map("".join),
    )
)
@example("$1$")
@example("'\\")
@example("a::")
@example("CASE")
@example("x IN")
@example("U&''")
def test_any_text_is_bound_or_refused(text):
    with contextlib.suppress(RuleError):
        bind(parse(text), KINDS, params=PARAMS)


@settings(max_examples=200, deadline=None)
@given(conditions(), st.data())
def test_a_damaged_condition_is_bound_or_refused(condition, data):
    text = condition.text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    damaged = text[:start] + data.draw(st.sampled_from(_PIECES)) + text[end:]
    with contextlib.suppress(RuleError):
        bind(parse(damaged), KINDS, params=PARAMS)


def test_words_leave_out_blanks():
    assert words("a  >\n 5") == words("a > 5") == ["a", ">", "5"]
