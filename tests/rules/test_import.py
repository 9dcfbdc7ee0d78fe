# ruff: noqa: E501 - sources, one rule a line
"""Rules of a foreign source: what was read means the same, and what was not is named with its reason."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, ParameterError, RiskbenchError, RuleError


def read(source, **more):
    return rb.import_rules(source, **more)


def conditions(found):
    return dict(zip(found.frame()["rule"], found.frame()["condition"], strict=True))


def reasons(found):
    return dict(zip(found.frame("unread")["place"], found.frame("unread")["reason"], strict=True))


# -- SQL --------------------------------------------------------------------------------------------------

PRODUCTION = """
-- production, checkout
SELECT t.order_id AS id, amount,
  CASE
    -- card testing
    WHEN pay = 'card' AND attempts >= 4 THEN 'DECLINE'
    WHEN amount > 1e6 OR note = 'it''s; --' THEN 'manual_review' -- large
    WHEN regexp_matches(mail, '^x') THEN 'block'
    WHEN CASE WHEN land = 'SG' THEN amount > 5 ELSE FALSE END THEN 'otp'
    WHEN amount > 7 THEN concat('a', 'b')
    WHEN amount < 3 THEN 'hold_it'
    ELSE 'review'
  END AS decision
FROM risk.events t
WHERE amount > 0;
"""


def test_a_case_is_read_when_by_when():
    found = read(PRODUCTION)
    assert conditions(found) == {
        "R-001": "pay = 'card' AND attempts >= 4",
        "R-002": "amount > 1e6 OR note = 'it''s; --'",
        "R-003": "CASE WHEN land = 'SG' THEN amount > 5 ELSE FALSE END",
        "ELSE": "TRUE",
    }
    assert [rule.outcome for rule in found.book.rules] == ["block", "review", "challenge", "review"]
    assert [rule.priority for rule in found.book.rules] == [10, 20, 30, 40]
    assert all(rule.status == "live" for rule in found.book.rules)
    told = reasons(found)
    assert "regexp_matches() is not part of the rule language" in told["line 8"]
    assert "no plain word" in told["line 10"]
    assert "'hold_it' is none of" in told["line 11"]
    assert "leave out or double events" in told["line 15"]
    assert found.rest == "review"
    assert any("not 'approve': rule ELSE says so" in note for note in found.notes), "a harsh ELSE is said"
    assert found.book.rules[0].title == "card testing"


def test_words_are_mapped_on_request():
    found = read(PRODUCTION, outcomes={"HOLD_IT": "challenge"})
    assert found.frame()["outcome"].tolist()[3] == "challenge"
    with pytest.raises(ParameterError, match="did you mean 'block'"):
        read(PRODUCTION, outcomes={"x": "blok"})


def test_a_simple_case_and_numbers_as_parameters():
    found = read("CASE pay WHEN 'cod' THEN 'review' WHEN 'card' THEN 'block' END")
    assert list(conditions(found).values()) == ["(pay) = ('cod')", "(pay) = ('card')"]
    found = read("CASE WHEN amount > 500 AND fee <= -2.5 AND amount < 500 + 3 THEN 'block' END", params=True)
    rule = found.book.rules[0]
    assert rule.when == "amount > :amount_above AND fee <= :fee_to AND amount < 500 + 3"
    assert rule.values() == {"amount_above": 500, "fee_to": -2.5}


def test_long_lists_become_parameters():
    values = ", ".join(f"'d{k}''x'" for k in range(3_000))
    found = read(f"CASE WHEN device NOT IN ({values}) THEN 'block' END")
    rule = found.book.rules[0]
    assert rule.when == "device NOT IN :list"
    assert len(rule.values()["list"]) == 3_000
    assert rule.values()["list"][1] == "d1'x"
    assert "list of 3,000 values" in found.frame()["notes"].iloc[0]


def test_other_spellings():
    found = read("SELECT CASE WHEN `order total` > 5 THEN 'block' END AS x FROM t", dialect="spark")
    assert conditions(found) == {"R-001": '"order total" > 5'}


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "UPDATE t SET a = 1", "CASE WHEN", "CASE END", "CASE WHEN a THEN 'b'", "CASE WHEN a = 'x THEN", ";", "WITH x",
     "CASE WHEN a > 1 THEN 'block' END; SELECT 1", "SELECT", "SELECT FROM t", "CASE " * 500],
)  # fmt: skip
def test_what_is_no_case_is_refused_or_named(text):
    try:
        found = read(text, format="sql")
    except RuleError:
        return
    assert not found.book.rules
    assert len(found.frame("unread"))


# -- tables -----------------------------------------------------------------------------------------------


def table(rows, header=("Rule ID", "Field", "Operator", "Value", "Action")):
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue()


def test_a_table_of_conditions_by_rule():
    found = read(
        table(
            [
                ("R1", "amount", ">=", "1500000", "review"),
                ("R1", "country", "not in", "ID | it's | NO", ""),
                ("R2", 'odd "näme"', "equals", "0815", "DECLINE"),
                ("", "note", "is null", "", "block"),
                ("R3", "at", "between", "2026-01-01 and 2026-02-01", "otp"),
                ("R4", "is_new", "=", "true", "block"),
                ("R5", "code", "=", "'5'", "block"),
            ]
        )
    )
    assert list(conditions(found).values()) == [
        "amount >= 1500000 AND country NOT IN ('ID', 'it''s', 'NO')",
        '"odd ""näme""" = \'0815\'',
        "note IS NULL",
        "at BETWEEN '2026-01-01' AND '2026-02-01'",
        "is_new",
        "code = '5'",
    ]
    assert any("Rule ID as rule" in note for note in found.notes), "how the headers were read is said"
    assert not len(found.frame("unread"))


def test_one_line_that_cannot_be_read_takes_its_rule_with_it():
    found = read(
        table(
            [
                ("R1", "amount", ">", "1,000", "block"),
                ("R1", "country", "=", "ID", ""),
                ("R2", "amount", "resembles", "5", "block"),
                ("R3", "amount", ">", "5", "blok"),
                ("R4", "amount", ">", "5", "block"),
                ("R4", "amount", "<", "9", "review"),
                ("R5", "amount", ">", "", "block"),
                ("R6", "", ">", "5", "block"),
                ("R7", "a", "=", "1", "block"),
            ]
        )
    )
    assert list(conditions(found)) == ["R7"]
    told = reasons(found)
    assert "neither a number nor a date" in told["line 2"]
    assert "another line of this rule could not be read: line 2" in told["line 3"]
    assert "'resembles' is not known" in told["line 4"]
    assert "did you mean 'block'" in told["line 5"]
    assert "different outcomes" in told["line 6"]
    assert set(told) == {f"line {line}" for line in range(2, 10)}


def test_a_table_of_whole_conditions():
    text = 'id;when;action;priority;Weight\nA;"a > 5 OR b";block;7;x\nA;"c = 1) OR (d";;;\nB;b;review;;\n'
    found = read(text)
    assert list(conditions(found)) == ["B"], "a bracket in one line closes none of ours"
    assert any("Weight" in note for note in found.notes)
    text = "id,when,join,action\nA,a > 5 OR b,and,block\nA,c,and,\n"
    assert list(conditions(read(text)).values()) == ["(a > 5 OR b) AND (c)"]
    text = "id,when,join,action\nA,a > 5,and,block\nA,c,or,\n"
    assert "no brackets say which first" in reasons(read(text))["line 2"]


@pytest.mark.parametrize(
    ("text", "what"),
    [("a,b\n1,2\n", "no column of conditions"), ("rule,id,when\n", "mean the same"), ("\n\n", "empty")],
)
def test_a_table_without_conditions_is_refused(text, what):
    with pytest.raises(RuleError, match=what):
        read(text, format="csv")


def test_broken_rows_are_named():
    found = read('rule,when,outcome\nA,a > 5,block\nB,a > 5,block,x\nC,"a > 5\n', format="csv")
    assert list(conditions(found)) == ["A"]
    assert "4 cells" in reasons(found)["line 3"]
    assert "cannot be read" in reasons(found)["line 4"]


# -- JSON -------------------------------------------------------------------------------------------------


def test_json_rules_engine():
    rules = [
        {
            "name": "low",
            "priority": 1,
            "conditions": {"any": [{"fact": "amount", "operator": "lessThanInclusive", "value": 5}]},
            "event": {"type": "review"},
        },
        {
            "name": "high one",
            "priority": 10,
            "conditions": {
                "all": [
                    {"fact": "order total", "operator": "greaterThan", "value": 5.5},
                    {"any": [{"fact": "pay", "operator": "in", "value": ["cod", "it's"]}, {"fact": "x", "operator": "notEqual", "value": {"fact": "y"}}]},
                    {"not": {"fact": "is_new", "operator": "equal", "value": True}},
                ]
            },
            "event": {"type": "DECLINE"},
        },
        {"name": "own", "conditions": {"all": [{"fact": "a", "operator": "isOdd", "value": 1}]}, "event": {"type": "block"}},
        {"name": "path", "conditions": {"all": [{"fact": "a", "path": "$.b", "operator": "equal", "value": 1}]}, "event": {"type": "block"}},
        {"name": "empty", "conditions": {"all": []}, "event": {"type": "block"}},
    ]  # fmt: skip
    found = read(json.dumps(rules))
    assert conditions(found) == {
        "high-one": "\"order total\" > 5.5 AND (pay IN ('cod', 'it''s') OR x <> y) AND NOT (is_new)",
        "low": "amount <= 5",
    }, "the largest priority runs first there"
    assert "missing value" in found.frame()["notes"].iloc[0]
    told = reasons(found)
    assert "isOdd" in told["$[2]"]
    assert "path" in told["$[3]"]
    assert "no conditions" in told["$[4]"]


def test_json_logic():
    rules = {"rules": [
        {"id": "A", "logic": {"and": [{"<": [1, {"var": "amount"}, 9]}, {"in": [{"var": "pay"}, ["cod"]]}]}, "outcome": "block"},
        {"id": "B", "logic": {"or": [{"==": [{"var": "a"}, None]}, {"!": [{"var": "b"}]}]}, "outcome": "review"},
        {"id": "C", "logic": {">": [{"+": [{"var": "a"}, {"*": [2, {"var": ["b", 0]}]}]}, 3]}, "outcome": "review"},
        {"id": "D", "logic": {"in": ["x'y", {"var": "note"}]}, "outcome": "review"},
        {"id": "E", "logic": {"reduce": [1, 2]}, "outcome": "review"},
        {"id": "F", "logic": {"missing": ["a", "b"]}, "outcome": "review"},
        {"id": "G", "logic": {"==": [{"var": "a"}, 1]}},
    ], "version": 3}  # fmt: skip
    found = read(json.dumps(rules))
    assert conditions(found) == {
        "A": "(1 < amount AND amount < 9) AND pay IN ('cod')",
        "B": "a IS NULL OR NOT (b)",
        "C": "(a + (2 * coalesce(b, 0))) > 3",
        "D": "contains(note, 'x''y')",
        "F": "a IS NULL OR b IS NULL",
    }
    assert "'reduce' cannot be said" in reasons(found)["$.rules[4]"]
    assert "no outcome" in reasons(found)["$.rules[6]"]
    assert "version" in found.notes[0]
    assert "G" in conditions(read(json.dumps(rules), outcome="block"))


def test_half_a_character_is_named():
    text = '[{"id": "\\ud800", "when": "a > 1", "outcome": "block"}, {"id": "B", "when": "a > 1", "outcome": "block"}]'
    found = read(text)
    assert list(conditions(found)) == ["B"]
    assert "half a character" in reasons(found)["$[0]"]


def test_json_logic_that_chooses():
    logic = {"if": [{">": [{"var": "a"}, 9]}, "block", {">": [{"var": "a"}, 5]}, "review", "challenge"]}
    found = read(json.dumps(logic))
    assert list(conditions(found).values()) == ["a > 9", "a > 5", "TRUE"]
    assert found.rest == "challenge"


def test_nested_groups():
    group = {
        "id": "Q",
        "outcome": "block",
        "condition": "AND",
        "rules": [
            {"field": "price", "type": "double", "operator": "less", "value": "10.25"},
            {"condition": "OR", "not": True, "rules": [
                {"field": "a", "type": "integer", "operator": "between", "value": ["1", "5"]},
                {"field": "s", "type": "string", "operator": "not_begins_with", "value": "x'"},
                {"field": "e", "operator": "is_empty", "value": None},
            ]},
        ],
    }  # fmt: skip
    found = read(json.dumps(group))
    assert list(conditions(found).values()) == [
        "price < 10.25 AND (NOT ((a BETWEEN 1 AND 5) OR NOT starts_with(s, 'x''') OR e = ''))"
    ]


@pytest.mark.parametrize(
    "text",
    ["{", "[1, 2", "[" * 100, '{"a": 1, "a": 2}', '[{"id": "A", "logic": {">": [{"var": "a"}, NaN]}, "outcome": "block"}]', "5", '"x"'],
)  # fmt: skip
def test_json_that_is_none_is_refused(text):
    with pytest.raises(RuleError):
        read(text, format="json")


# -- all --------------------------------------------------------------------------------------------------


def test_what_was_read_decides_as_the_source_says():
    frame = pd.DataFrame({"id": range(6), "a": [1.0, 5.0, 6.0, 9.0, 12.0, None]})
    events = rb.read(frame, roles=rb.Roles(id="id"))
    logic = {"if": [{">": [{"var": "a"}, 9]}, "block", {">": [{"var": "a"}, 5]}, "review", "approve"]}
    sources = [
        "CASE WHEN a > 9 THEN 'block' WHEN a > 5 THEN 'review' ELSE 'approve' END",
        "rule,column,op,value,outcome\nA,a,>,9,block\nB,a,>,5,review\n",
        json.dumps(logic),
    ]
    for source in sources:
        level = rb.simulate(read(source).book, events).hits.resolution.level
        assert np.array_equal(level, [0, 0, 2, 2, 3, 0])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=80), st.text(max_size=20), st.sampled_from(["sql", "csv", "json"]))
def test_any_text_is_read_or_refused(value, column, form):
    quoted = "'" + value.replace("'", "''") + "'"
    name = '"' + column.replace('"', '""') + '"'
    source = {
        "sql": f"CASE WHEN {name} = {quoted} THEN 'block' END",
        "csv": table([("A", column, "contains", value, "block")]),
        "json": json.dumps({"id": "A", "logic": {"==": [{"var": column}, value]}, "outcome": "block"}),
    }[form]
    try:
        found = read(source, format=form)
    except RiskbenchError:
        return
    assert len(found.frame()) + len(found.frame("unread")) >= 1
    for rule in found.book.rules:
        rule.bind({column: "string", column.strip(): "string", **dict.fromkeys(rule.columns, "string")})
    found._repr_html_()


def test_files_and_wrong_use(tmp_path):
    path = tmp_path / "prod.sql"
    path.write_text("\ufeffCASE WHEN a > 1 THEN 'block' END")
    assert len(read(path).book.rules) == len(read(str(path)).book.rules) == 1
    with pytest.raises(DataError, match="no such file"):
        read("nothing.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        read(tmp_path / "x.csv")
    with pytest.raises(DataError, match="too large"):
        read("CASE WHEN a THEN 'b' END" + " " * 4_000_001)
    for wrong in ({"format": "xml"}, {"domain": "x"}, {"status": "lively"}, {"dialect": "sparc"}, {"outcome": "blok"}):
        with pytest.raises(ParameterError):
            read("CASE WHEN a > 1 THEN 'block' END", **wrong)
    with pytest.raises(RuleError, match="cannot be told"):
        read("hello world")
    with pytest.raises(ParameterError, match="path or text"):
        read(5)
