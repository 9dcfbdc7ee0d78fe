"""Binding a condition: names, kinds, parameters, shapes, and what each function means."""

from __future__ import annotations

import pytest

from riskbench.engine.bind import bind
from riskbench.engine.parse import parse
from riskbench.engine.tree import And, Atom, Constant, Not, to_sql
from riskbench.errors import RuleError
from tests.strategies import KINDS


def bound(text, **params):
    return bind(parse(text), KINDS, params=params)


def only(text, **params) -> Atom:
    node = bound(text, **params)
    assert isinstance(node, Atom)
    return node


@pytest.mark.parametrize(
    ("text", "shape", "values", "sql"),
    [
        ("amount > 5", ">", (5.0,), '"amount" > 5e0'),
        ("5 < amount", ">", (5.0,), '"amount" > 5e0'),
        ("items > 5", ">", (5,), '"items" > 5'),
        ("items > 5.0", ">", (5,), '"items" > 5'),
        ("items >= -5", ">=", (-5,), '"items" >= (-5)'),
        ("items > 2 * 3 + 1", ">", (7,), '"items" > 7'),
        ("country = 'it''s'", "=", ("it's",), "\"country\" = 'it''s'"),
        ("country <> 'ID'", "<>", ("ID",), "\"country\" <> 'ID'"),
        ("country IN ('b', 'a', 'b')", "in", ("a", "b"), "\"country\" IN ('a', 'b')"),
        ("items BETWEEN 1 AND 2.5", "between", (1, 2), '"items" BETWEEN 1 AND 2'),
        ("is_new", "is_true", (), '"is_new"'),
        ("is_new = TRUE", "is_true", (), '"is_new"'),
        ("TRUE = is_new", "is_true", (), '"is_new"'),
        ("country IS NULL", "is_null", (), '"country" IS NULL'),
        (
            "placed_at >= '1970-01-02'",
            ">=",
            (86_400_000_000,),
            "\"placed_at\" >= TIMESTAMP '1970-01-02 00:00:00.000000'",
        ),
        (
            "placed_at < DATE '1970-01-02'",
            "<",
            (86_400_000_000,),
            "\"placed_at\" < TIMESTAMP '1970-01-02 00:00:00.000000'",
        ),
        ('"odd ""näme""" > 1', ">", (1.0,), '"odd ""näme""" > 1e0'),
    ],
)
def test_simple_shapes(text, shape, values, sql):
    atom = only(text)
    assert (atom.shape, atom.values, atom.sql) == (shape, values, sql)
    assert [type(value) for value in atom.values] == [type(value) for value in values]
    assert atom.columns == (atom.column,)


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("country IS NOT NULL", '"country" IS NULL'),
        ("country NOT IN ('a')", "\"country\" IN ('a')"),
        ("items NOT BETWEEN 1 AND 2", '"items" BETWEEN 1 AND 2'),
        ("is_new = FALSE", '"is_new"'),
        ("is_new <> TRUE", '"is_new"'),
        ("NOT is_new", '"is_new"'),
    ],
)
def test_negations_are_a_not_around_an_atom(text, inner):
    node = bound(text)
    assert isinstance(node, Not)
    assert isinstance(node.part, Atom)
    assert node.part.sql == inner


def test_a_chain_is_one_and():
    node = bound("amount > 1 AND (items > 2 AND is_new) AND NOT is_new")
    assert isinstance(node, And)
    assert len(node.parts) == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 = 1", True),
        ("'a' > 'b'", False),
        ("TRUE", True),
        ("NULL", None),
        ("lower('A') = 'a'", True),
        ("1 IN (2)", False),
    ],
)
def test_what_needs_no_event_is_a_constant(text, value):
    assert bound(text) == Constant(value)


@pytest.mark.parametrize(
    ("text", "params", "values"),
    [
        ("amount > :p", {"p": 5}, (5.0,)),
        ("items > :p", {"p": 5}, (5,)),
        ("country = :p", {"p": "it's"}, ("it's",)),
        ("placed_at > :p", {"p": "1970-01-02"}, (86_400_000_000,)),
        ("country IN :p", {"p": ["b", "a"]}, ("a", "b")),
        ("country IN (:p, 'c')", {"p": ["b", "a"]}, ("a", "b", "c")),
        ("country IN (:p)", {"p": "a"}, ("a",)),
        ("items BETWEEN :p AND :q", {"p": 1, "q": 2}, (1, 2)),
        ("amount > :p * 2", {"p": 5}, (10.0,)),
        ("amount > -:p", {"p": 5}, (-5.0,)),
    ],
)
def test_parameters_are_put_in_as_typed_values(text, params, values):
    atom = only(text, **params)
    assert atom.values == values
    assert atom.params == tuple(params)


def test_an_empty_list_is_never_hit_and_its_opposite_always():
    assert bound("country IN :p", p=[]) == Constant(value=False)
    assert bound("country NOT IN :p", p=()) == Not(Constant(value=False))


def test_a_hostile_parameter_stays_text():
    atom = only("country = :p", p="'; DROP TABLE events; --")
    assert atom.sql == "\"country\" = '''; DROP TABLE events; --'"


def test_role_names_are_aliases_and_a_column_of_that_name_wins():
    kinds = {"order_total": "float", "time": "string"}
    aliases = {"amount": "order_total", "time": "order_total"}
    node = bind(parse("amount > 5"), kinds, aliases=aliases)
    assert isinstance(node, Atom)
    assert node.column == "order_total"
    other = bind(parse("time = 'x'"), kinds, aliases=aliases)
    assert isinstance(other, Atom)
    assert other.column == "time"


@pytest.mark.parametrize(
    ("text", "params", "under", "says", "hint"),
    [
        ("is_new AND amuont > 5", {}, "amuont", "no column 'amuont'", "did you mean amount?"),
        ("amount > :limt", {"limit": 5}, ":limt", "no parameter :limt", "did you mean :limit?"),
        ("amount > limit", {"limit": 5}, "limit", "no column 'limit'", "write :limit"),
        ("amount > :items", {}, ":items", "no parameter", "write items without :"),
        ("is_new AND amount > 'abc'", {}, "'abc'", "a number and text", None),
        ("amount > '5'", {}, "'5'", "a number and text", "without quotes"),
        ("country = 5", {}, "5", "text and a number", "'5'"),
        ('country = "ID"', {}, '"ID"', "no column 'ID'", "for text write 'ID'"),
        ("is_new > 3", {}, "3", "true/false and a number", "alone"),
        ("amount AND is_new", {}, "amount", "not a condition", "amount > 0"),
        ("items > 1e400", {}, "1e400", "not finite", None),
        ("placed_at > 'soon'", {}, "'soon'", "not a moment", None),
        ("country = NULL", {}, "NULL", "never true", "IS NULL"),
        ("amount > :p", {"p": "abc"}, ":p", "a number and text", None),
        ("amount > :p", {"p": [1]}, ":p", "is a list", None),
        ("amount > :p", {"p": float("nan")}, ":p", "cannot be used", None),
        ("amount > 1 AND lower(items) = 'a'", {}, "items", "text is needed", None),
        ("hour(country) > 5", {}, "country", "a time is needed", None),
        ("amount / 0 > 1", {}, "0", "divides by zero", None),
        ("CAST(items AS INT) = 1", {}, "items", "rounds in one engine", "floor(x)"),
        ("extract(dow FROM placed_at) = 1", {}, "placed_at", "no part 'dow'", "isodow"),
    ],
)
def test_faults_point_at_the_place_and_say_what_to_do(text, params, under, says, hint):
    with pytest.raises(RuleError) as wrong:
        bind(parse(text), KINDS, params=params, rule="TX-1")
    assert text[wrong.value.start : wrong.value.end] == under
    assert says in str(wrong.value)
    assert str(wrong.value).startswith("Rule TX-1: ")
    if hint is not None:
        assert hint in (wrong.value.hint or "")


def test_a_list_is_bounded():
    with pytest.raises(RuleError, match="too long"):
        bound("items IN :p", p=list(range(10_001)))


ROW = (
    "SELECT 7.5::DOUBLE AS amount, (-7)::BIGINT AS items, ' Ab'::VARCHAR AS country, "
    'TIMESTAMP \'2026-01-04 23:30:15\' AS placed_at, true AS is_new, NULL::DOUBLE AS "odd ""näme"""'
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("amount / items < -1", True),
        ("amount / (items + 7) > 0", None),
        ("items % 4 = -3", True),
        ("items % (items + 7) = 0", None),
        ("items // 2 = -3", True),
        ("amount % 5 = 2.5", True),
        ("0.1 + 0.2 = 0.3", False),
        ("items * 9223372036854775807 < 0", True),
        ("abs(items) = 7 AND -items = 7", True),
        ("round(amount) = 8 AND floor(amount) = 7 AND ceil(amount) = 8", True),
        ("length(country) = 3 AND lower(country) = ' ab' AND upper(country) = ' AB'", True),
        ("trim(country) = 'Ab' AND ltrim(country) = 'Ab' AND rtrim(country) = country", True),
        ("substr(country, 2, 1) = 'A' AND left(country, 2) = ' A' AND right(country, 1) = 'b'", True),
        ("starts_with(country, ' ') AND ends_with(country, 'b') AND contains(country, 'A')", True),
        ("country LIKE '%b' AND country ILIKE '% aB'", True),
        ("country || '!' = ' Ab!'", True),
        ("hour(placed_at) = 23 AND minute(placed_at) = 30 AND second(placed_at) = 15", True),
        ("extract(year FROM placed_at) = 2026 AND month(placed_at) = 1 AND day(placed_at) = 4", True),
        ("isodow(placed_at) = 7", True),
        ("CAST(placed_at AS DATE) = '2026-01-04'", True),
        ("try_cast('nan' AS DOUBLE) IS NULL", True),
        ("try_cast(country AS DOUBLE) > 1", None),
        ("try_cast('1.5' AS DOUBLE) = 1.5", True),
        ("try_cast('2026-01-04' || ' 23:30:15' AS TIMESTAMP) = placed_at", True),
        ("CAST(items AS VARCHAR) = '-7'", True),
        ('coalesce("odd ""näme""", amount) = 7.5', True),
        ('greatest("odd ""näme""", items) = -7', True),
        ('least(amount, items, "odd ""näme""") = -7', True),
        ("nullif(items, -7) IS NULL", True),
        ('"odd ""näme""" > 1', None),
        ('"odd ""näme""" > 1 OR is_new', True),
        ('NOT ("odd ""näme""" > 1)', None),
        ('"odd ""näme""" IS DISTINCT FROM amount', True),
        ("country IN ('x', NULL)", None),
        ("country NOT IN ('x', NULL)", None),
        ("CASE WHEN items > 0 THEN 'a' WHEN is_new THEN 'b' ELSE 'c' END = 'b'", True),
        ("CASE items WHEN -7 THEN 1 ELSE 0.5 END = 1", True),
        ("if(is_new, amount, items) = 7.5", True),
        ("(amount > 5) = is_new", True),
        ("is_new IS NOT TRUE", False),
        ('("odd ""näme""" > 1) IS TRUE', False),
        ("amount > items", True),
        ("amount BETWEEN items AND 8", True),
        ('ifnull("odd ""näme""", 0) = 0', True),
    ],
)
def test_what_functions_mean(duck, text, value):
    assert duck.row(f"SELECT {to_sql(bound(text))} FROM ({ROW})")[0] == value
