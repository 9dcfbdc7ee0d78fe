"""`riskbench rules check`: errors with line and caret, and what a reviewer would ask."""

from __future__ import annotations

import pytest

from riskbench.rules.inspection import inspect

HEAD = "book: b\ndomain: transactions\nrules:\n"
KINDS = {"amount": "float", "is_new": "bool", "country": "string"}


def lines(*entries: str) -> str:
    return HEAD + "".join(f"  - {{{entry}}}\n" for entry in entries)


def said(text: str, kinds=None) -> list[tuple[int, str, str]]:
    frame = inspect(text, kinds).frame()
    return [(row.line, row.severity, row.what) for row in frame.itertuples()]


GOOD = "id: A, when: amount > 5, outcome: review, status: live"


def test_a_good_book_has_no_findings():
    check = inspect(lines(GOOD), KINDS)
    assert check.ok
    assert check.frame().empty
    assert check.text() == "b: 1 rules, 0 errors, 0 warnings"
    assert check._repr_html_()
    assert check.to_dict()["headline"]


def test_errors_against_the_data_have_line_and_caret():
    check = inspect(lines(GOOD, "id: B, when: amuont > 5, outcome: review, status: live"), KINDS)
    assert not check.ok
    row = check.frame().iloc[0]
    assert (row["line"], row["rule"], row["severity"]) == (5, "B", "error")
    assert "^^^^^^" in row["place"]
    assert row["hint"] == "did you mean amount?"


def test_without_data_the_kinds_are_guessed():
    assert inspect(lines("id: A, when: \"a > 5 AND b = 'x' AND c\", outcome: review, status: live")).ok
    check = inspect(lines("id: A, when: \"a > 5 AND a = 'x'\", outcome: review, status: live"))
    assert check.errors == 1


def test_every_mistake_and_the_good_rules_beside():
    check = inspect(
        lines(
            "id: A, when: amount >, outcome: review", "id: B, when: country > 5, outcome: blok", GOOD.replace("A", "C")
        )
    )
    assert (check.rules, check.errors) == (3, 2)
    assert inspect("a: b: c").errors == 1
    assert inspect("").errors == 1


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("id: A, when: amount > 5, outcome: review, status: live, params: {p: 1}", "'p' is never used"),
        ("id: A, when: amount > 5, outcome: review", "has no status"),
        ("id: A, when: \"country NOT IN ('a', NULL)\", outcome: review, status: live", "NOT IN with NULL"),
        ("id: A, when: 1 = 1, outcome: review, status: live", "hits every event"),
        ("id: A, when: is_new OR TRUE, outcome: review, status: live", "hits every event"),
        ("id: A, when: is_new AND NULL, outcome: review, status: live", "never hits"),
        ("id: A, when: NOT (TRUE), outcome: review, status: live", "never hits"),
        ("id: A, when: amount BETWEEN 5 AND 1, outcome: review, status: live", "never hits"),
        ("id: A, when: \"country BETWEEN 'b' AND 'a'\", outcome: review, status: live", "never hits"),
        ("id: A, when: is_new AND amount BETWEEN 5 AND 1, outcome: review, status: live", "never hits"),
        ("id: A, when: amount > 5 AND amount < 5, outcome: review, status: live", "never hits"),
        ("id: A, when: amount >= 7 AND is_new AND amount BETWEEN 1 AND 6, outcome: review, status: live", "never hits"),
        ("id: A, when: amount > 5, outcome: approve, status: live", "nobody owns it"),
        (
            "id: A, when: 'amount > :p', outcome: review, status: live, params: {p: 1}, regions: {X: {p: 1}}",
            "to its default",
        ),
        (
            (
                "id: A, when: 'amount > :p AND amount < 9', outcome: review, status: live, params: {p: 1},"
                " regions: {X: {p: 9}}"
            ),
            "never hits in region X",
        ),
    ],
)
def test_lints(entry, expected):
    found = said(lines(entry), KINDS)
    assert [severity for _, severity, _ in found] == ["warning"]
    assert expected in found[0][2]
    assert found[0][0] == 4


@pytest.mark.parametrize(
    "when",
    [
        "amount >= 5 AND amount <= 5",
        "amount > 5 OR amount < 5",
        "amount > 5 AND is_new",
        "amount BETWEEN 5 AND 5",
        "amount NOT BETWEEN 5 AND 1",
        "NOT (amount > 3 AND amount < 2)",
        "is_new OR amount BETWEEN 5 AND 1",
    ],
)
def test_no_false_alarm(when):
    assert said(lines(f"id: A, when: {when}, outcome: review, status: live"), KINDS) == []


def test_equal_conditions_and_unused_parts():
    text = HEAD.replace("rules:", 'features: {f: {count: "*", by: d, window: 1h}}\nlists: {l: [a]}\nrules:')
    text += "  - {id: A, when: amount > 5, outcome: review, status: live}\n"
    text += "  - {id: B, when: AMOUNT  >  5, outcome: block, status: live}\n"
    found = said(text)
    assert [(line, what.split()[0]) for line, _, what in found] == [(3, "The"), (4, "The"), (7, "The")]
    assert "that of rule A" in found[2][2]


def test_a_bad_id_is_told_once_and_every_written_rule_is_counted():
    check = inspect(lines(GOOD, "id: 'a b', when: amount > 5, outcome: review, status: live"), KINDS)
    assert (check.rules, check.errors) == (2, 1)
    assert check.text().endswith("b: 2 rules, 1 errors, 0 warnings")


@pytest.mark.parametrize(
    ("text", "line", "shown"),
    [
        (lines(GOOD).replace("}", "") + "\n", 4, "  - {id: A"),
        ("book: b\nname: 'abc\n\n", 2, "name: 'abc"),
        ("book: b\ndomain\n\n\nrules: []\n", 2, "domain"),
        ("book: b\nrules: [\n\n\n", 2, "rules: ["),
    ],
)
def test_a_yaml_mistake_shows_its_line_and_never_an_empty_one(text, line, shown):
    (found,) = inspect(text).found
    first, caret = found.place.split("\n")
    assert found.line == line
    assert first.strip().startswith(shown.strip())
    assert caret.strip() == "^"
    assert found.hint


def test_every_refusal_of_one_condition_is_told_with_its_caret():
    check = inspect(lines("id: A, when: 'pg_sleep(1) OR foo(bar(2)) OR :x', outcome: review, status: live"), KINDS)
    assert [finding.what.split(" is not")[0] for finding in check.found] == [
        "The function pg_sleep()",
        "The function foo()",
        "The function bar()",
        "The parameter :x",
    ]
    texts = [finding.place.split("\n") for finding in check.found]
    marked = [line[caret.index("^") : caret.rindex("^") + 1] for line, caret in texts]
    assert marked == ["pg_sleep", "foo", "bar", ":x"]


@pytest.mark.parametrize(
    ("when", "count"),
    [
        ("amount > (SELECT max(amount) FROM t) AND foo()", 2),
        ("amount & foo() = 1", 2),
        ("amount >", 1),
        ("foo() OR amount >", 1),
        ("foo() = ':x'", 1),
    ],
)
def test_independent_refusals(when, count):
    check = inspect(lines(f'id: A, when: "{when}", outcome: review, status: live, params: {{p: 1}}'), KINDS)
    assert check.errors == count


def test_a_refusal_in_a_block_stands_on_its_own_line():
    text = HEAD + "  - id: A\n    when: |\n      foo()\n      OR :x\n    outcome: review\n    status: live\n"
    assert [line for line, _, _ in said(text)] == [6, 7]


def named(book: str, severity: str = "error") -> list[str]:
    return [finding.rule for finding in inspect(book).found if finding.severity == severity]


def rules(*conditions: str) -> str:
    return lines(
        *(
            f'id: {name}, when: "{when}", outcome: review, status: live'
            for name, when in zip("ABCDEF", conditions, strict=False)
        )
    )


@pytest.mark.parametrize(
    ("conditions", "wrong"),
    [
        (("amount", "amount > 5", "amount > 6", "amount > 7"), ["A"]),
        (("amount", "amount > 5"), ["A"]),
        (("amount > 5", "x AND amount", "x IS TRUE"), ["B"]),
        (("amount", "amount > floor_price"), ["A"]),
        (("is_new", "is_new AND a > 5", "is_new AND a > 6", "is_new > 5"), ["D"]),
        (("c = 'ID'", "c = 'BR'", "c > 5"), ["C"]),
        (("hour(c) > 5", "c = 'ID'", "c = 'BR'"), ["A"]),
        (("hour(c) > 5", "c > '2026-01-01'", "c < paid_at"), []),
        (("amount > is_new", "is_new", "is_new", "amount > 5", "amount > 6"), ["A"]),
    ],
)
def test_a_conflict_is_told_at_the_rule_that_stands_alone(conditions, wrong):
    assert named(rules(*conditions)) == wrong
    last_first = lines(*(part[5:-1] for part in reversed(rules(*conditions).splitlines()[3:])))
    assert named(last_first) == wrong


def test_a_column_that_only_stands_alone_is_asked_about_once():
    check = inspect(rules("x > 5 OR amount", "amount AND x > 6", "is_new OR x > 7"))
    (asked,) = check.found
    assert (asked.rule, asked.severity, asked.line) == ("A", "warning", 4)
    assert "is it a true/false column?" in asked.what
    assert asked.place == "    x > 5 OR amount\n             ^^^^^^"
    assert inspect(rules("amount"), {"amount": "bool"}).findings.empty


@pytest.mark.parametrize(
    ("conditions", "asked"),
    [
        (("same_network AND x > 5", "NOT same_network"), ["B"]),
        (("same_network AND x > 5", "NOT complete OR x > 5"), []),
        (("is_new",), []),
        (("total_value OR x > 5",), ["A"]),
        (("f OR x > 5", "f = TRUE"), []),
    ],
)
def test_only_doubtful_columns_are_asked_about(conditions, asked):
    assert named(rules(*conditions), "warning") == asked


def quoted(*conditions: str) -> list[str]:
    entries = (
        f"id: {name}, when: '{when}', outcome: review, status: live"
        for name, when in zip("ABCDEF", conditions, strict=False)
    )
    return [finding.rule for finding in inspect(lines(*entries)).found]


@pytest.mark.parametrize(
    ("conditions", "asked"),
    [
        (('method = "card"',), ["A"]),
        (('method IN ("card", "cash")',), ["A", "A"]),
        (('lower(method) = "card"', 'method = "card"'), ["A", "B"]),
        (('"card" = method',), ["A"]),
        (('method = "card"', "card = 5"), []),
        (('"odd name" > 5',), []),
        (('"odd name" = method',), []),
    ],
)
def test_text_in_double_quotes_is_asked_about(conditions, asked):
    assert quoted(*conditions) == asked


def test_the_question_about_double_quotes_says_what_to_write():
    (found,) = inspect(lines("id: A, when: 'm = \"card\"', outcome: review, status: live")).found
    assert found.severity == "warning"
    assert found.hint == "for text write 'card', in single quotes"
    assert found.place.endswith("^^^^^^")
    text = HEAD.replace("rules:", "features: {f: {sum: card, by: d, window: 1h}}\nrules:")
    assert inspect(text + "  - {id: A, when: 'f > 5 AND m = \"card\"', outcome: review, status: live}\n").found == ()


LISTED = """
book: demo
domain: transactions
lists:
  vips: {values: [b1], kind: vip, column: buyr_id}
  bad: {values: [1, 2], kind: block, column: device_id, owner: ana}
  lone: [a]
rules:
  - {id: TX-1, when: amount > :limit AND amount < 9, params: {limit: 5}, outcome: review, status: live}
deviations:
  - {rule: TX-1, region: JKT, params: {limit: 20}, reason: x, approver: y, expires: 2027-01-01}
"""


def test_lists_that_act_are_checked_like_rules():
    check = inspect(LISTED, {"amount": "float", "buyer_id": "string", "device_id": "string"})
    found = check.frame()[["line", "severity", "what"]].values.tolist()
    assert [5, "error", "There is no column 'buyr_id'"] in found
    assert [5, "warning", "The list 'vips' exempts, and has no owner and no expires"] in found
    assert any(line == 6 and severity == "error" and "text and a number" in what for line, severity, what in found)
    assert [7, "warning", "The list 'lone' is never used"] in found
    assert [9, "warning", "The rule never hits in region JKT"] in found
    assert len(found) == 5
