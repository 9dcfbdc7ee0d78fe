# ruff: noqa: E501 - rules in YAML, one a line
"""The exported SQL says what the kernel says, on events full of traps; a wrong one is named, event by event."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import KINDS, conditions, rows, table_of

import riskbench as rb
from riskbench.data.dataset import Dataset
from riskbench.engine.transpile import dialects
from riskbench.errors import EngineError, ParameterError, RuleError

ROLES = rb.Roles(id="order id", time="at", region="land", entities=("device",))


@pytest.fixture(scope="module")
def events():
    times = [0, None, 1, -1, 1_767_225_600_000_000, 1_767_225_600_000_001, 1_772_323_199_000_000, 5]
    return rb.read(
        pa.table(
            {
                "order id": ["o'1", 'o"2', "日本", "o;4", "o5", "o6", "o7", "o8"],
                "at": pa.array(times, type=pa.int64()).cast(pa.timestamp("us")),
                "land": ["JKT", None, "it's", "NO", "JKT", "(missing)", "Ä", "SG"],
                "amount": [1.0, float("nan"), None, float("inf"), -0.0, 0.1, 1e300, 500.0],
                "big": pa.array([2**63 - 1, -(2**63), None, 2**53 + 1, 2**53, 0, -1, 1], type=pa.int64()),
                'odd "näme"': ["it's", '"', None, "日本", "a%", "", "--", "'; DROP TABLE events; --"],
                "is_new": [True, False, None, True, False, None, True, True],
                "day": pa.array([0, None, 20_000, 1, 2, 3, 20_454, 5], type=pa.date32()),
                "device": ["d1", "d1", None, "d2", "d2", "d1", "d3", "d3"],
            }
        ),
        roles=ROLES,
        name="traps",
    )


@pytest.fixture(scope="module")
def book():
    return rb.RuleBook.from_yaml(
        r"""
        book: "traps; DROP TABLE x\n-- two lines"
        domain: transactions
        features:
          device_events_1d: {count: "*", by: device, window: 1d}
        lists:
          words: ["it's", '"', "日本", "'; DROP TABLE events; --"]
          many: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 9007199254740993]
        rules:
          - {id: "quote'1", when: "\"odd \"\"näme\"\"\" IN :words", outcome: review, status: live}
          - id: région
            when: amount > :limit
            params: {limit: 400}
            regions: {JKT: {limit: 0.5}, "it's": {limit: 1}, "NO": {limit: 1000000}, "(missing)": {limit: -1}, Zz: {limit: 2}}
            outcome: block
            priority: 5
            status: live
          - {id: limits, when: "big >= 9223372036854775807 OR big = -9223372036854775808", outcome: challenge, status: live}
          - {id: LIMITS, when: "big = 9007199254740993", outcome: block, status: shadow}
          - {id: many, when: "big IN :many", outcome: block, priority: 7, status: live}
          - {id: outcome, when: "NOT is_new", outcome: approve, priority: 1, status: live}
          - {id: days, when: "day > '2024-10-04' OR at < '1970-01-01'", outcome: review, priority: 50, status: live}
          - {id: never, when: "NULL", outcome: block, priority: 2, status: live}
          - {id: always, when: "TRUE", outcome: challenge, priority: 900, status: draft}
          - {id: ratio, when: "amount / big > 1 OR trim(\"odd \"\"näme\"\"\") = ''", outcome: review, status: live}
          - {id: speed, when: "device_events_1d >= 1 AND hour(at) < 5", outcome: block, priority: 60, status: live}
          - {id: cast, when: "try_cast(\"odd \"\"näme\"\"\" AS DOUBLE) > 0 OR big % 2 = 1", outcome: review, status: retired}
        """
    )


def test_quotes_nulls_unicode_regions_lists_dates_and_limits(book, events):
    proof = rb.prove(book, events)
    assert proof.equal, proof.frame()
    assert (proof.rows, proof.compared, proof.differing) == (8, len(book.rules), 0)
    counted = proof.frame("rules").set_index("rule")
    assert counted.loc["quote'1", "book_hits"] == 4
    assert counted.loc["limits", "sql_hits"] == 2
    assert counted.loc["never", "sql_hits"] == 0
    assert counted.loc["always", "sql_hits"] == 8
    assert (counted["book_hits"] == counted["sql_hits"]).all()


def test_a_given_text_of_our_own_proves_equal(book, events):
    text = rb.prove(book, events).text
    given_ = rb.prove(book, events, sql=text)
    assert given_.equal, given_.frame()
    assert given_.compared == len(book.rules)
    spread = "\n".join(f"  {line}  -- 'comment'" for line in text.splitlines() if not line.startswith("--"))
    assert rb.prove(book, events, sql=spread).equal


def test_an_imported_export_proves_equal(book, events):
    from riskbench.rules.hits import prepared

    held = prepared(book, events)
    text = rb.prove(book, events).text
    imported = rb.import_rules(text)
    idle = {rule.id for rule in book.rules if rule.status != "live"}
    assert len(imported.frame("unread")) == len(idle), "what decides nothing is named"
    names = {rule.id for rule in imported.book.rules}
    assert names == {rule.id for rule in book.rules} - idle
    for proof in (rb.prove(imported.book, held), rb.prove(imported.book, held, sql=text)):
        assert proof.equal, proof.frame()
    before, after = (rb.simulate(b, held).hits.resolution.level for b in (book, imported.book))
    assert np.array_equal(before, after)


def test_a_wrong_text_is_named_event_by_event(events):
    held = rb.RuleBook(
        name="b",
        domain="transactions",
        rules=(
            rb.Rule("A", "big > 0", "review", priority=1, status="live"),
            rb.Rule("B", "is_new", "block", priority=2, status="live"),
        ),
    )
    right = "CASE WHEN big > 0 THEN 'review' WHEN is_new THEN 'DECLINE' ELSE 'approve' END"
    assert rb.prove(held, events, sql=right).equal
    wrong = right.replace("big > 0", "big >= 0")
    proof = rb.prove(held, events, sql=wrong)
    assert not proof.equal
    assert proof.frame().to_dict("records") == [
        {"event": "o6", "about": "outcome", "book": "approve (no rule)", "sql": "review (line 1)"}
    ]
    flags = 'SELECT (big >= 0) AS "A", is_new IS TRUE AS "B", CASE WHEN big > 0 THEN \'review\' END AS outcome FROM t'
    proof = rb.prove(held, events, sql=flags)
    assert proof.frame("rules").set_index("rule")["differing"].to_dict() == {"A": 1, "B": 0}
    told = proof.frame()
    assert told.query("about == 'rule A'")["event"].tolist() == ["o6"]
    assert proof.differing == 1 + int((told["about"] == "outcome").sum())
    assert len(rb.prove(held, events, sql=wrong, limit=0).frame()) == 0
    assert rb.prove(held, events, sql=wrong, limit=0).differing == 1


def test_a_given_text_is_computed_literally(events):
    held = rb.RuleBook(
        name="b", domain="transactions", rules=(rb.Rule("A", "500 / amount > 1", "review", status="live"),)
    )
    assert rb.prove(held, events).equal
    literal = rb.prove(held, events, sql="CASE WHEN 500 / amount > 1 THEN 'review' END")
    assert literal.frame()["event"].tolist() in ([], ["o5"]), "only what divides by zero may differ"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CASE WHEN read_csv('/etc/passwd') IS NULL THEN 'block' END", "read_csv"),
        ("SELECT CASE WHEN big > 5 THEN 'block' END FROM events WHERE 1 = 1", "leave out or double events"),
        ("SELECT CASE WHEN big > 5 THEN 'block' END FROM a JOIN b ON 1 = 1", "leave out or double events"),
        ("SELECT CASE WHEN big > 5 THEN 'block' END FROM (SELECT 1)", "one table"),
        ("SELECT CASE WHEN big > 5 THEN 'block' END FROM read_csv('x')", "leave out or double"),
        ("CASE WHEN big > 5 THEN 'blok' END", "did you mean 'block'"),
        ("CASE WHEN big > 5 THEN upper('block') END", "no plain word"),
        ("CASE WHEN big > 5 THEN 'block' ELSE concat('a') END", "ELSE"),
        ("DROP TABLE events", "neither a CASE nor a SELECT"),
        ("COPY events TO 'x'", "neither a CASE nor a SELECT"),
        ("CASE WHEN big > 5 THEN 'block' END; DROP TABLE events", "One query at a time"),
        ("CASE WHEN nope > 5 THEN 'block' END", "There is no column 'nope'"),
        ("CASE WHEN big > (SELECT 1) THEN 'block' END", "query of its own"),
        ("CASE WHEN big > 'x' THEN 'block' END", "cannot be compared"),
        ("SELECT 1", "gives no outcome"),
        ("SELECT a FROM t", "no CASE"),
        ("WITH a AS (DELETE FROM x) SELECT 1", "WITH"),
        ("", "empty"),
        ("CASE WHEN 'a", "not closed"),
        ("SELECT * EXCLUDE (a) FROM t", "."),
        ("(" * 300, "nested too deeply"),
    ],
)
def test_what_is_not_on_the_allow_list_is_refused(events, text, reason):
    held = rb.RuleBook(name="b", domain="transactions", rules=(rb.Rule("A", "big > 5", "block", status="live"),))
    with pytest.raises(RuleError) as told:
        rb.prove(held, events, sql=text)
    assert reason in str(told.value)


def test_without_events_nothing_is_proven(book, events):
    proof = rb.prove(book, events.where(np.zeros(8, dtype=bool)))
    assert not proof.equal
    assert "nothing to compare" in repr(proof)
    assert rb.prove(rb.RuleBook(name="b", domain="kyc"), events).equal


def test_doubled_ids_and_no_region_role(book):
    frame = pd.DataFrame({"id": [1, 1, 1], "amount": [1.0, 3.0, None]})
    rule = rb.Rule("A", "amount > :cut", "block", params={"cut": 2}, regions={"all": {"cut": 0.5}}, status="live")
    held = rb.RuleBook(name="b", domain="transactions", rules=(rule,))
    proof = rb.prove(held, rb.read(frame, roles=rb.Roles(id="id")))
    assert proof.equal
    assert proof.frame("rules")["sql_hits"].tolist() == [2]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(conditions(most=5), min_size=1, max_size=4), rows(most=8), st.data())
def test_any_book_proves_equal(held, found, data):
    outcomes = st.sampled_from(["approve", "challenge", "review", "block"])
    rules = tuple(
        rb.Rule(f"R{k}", part.text, data.draw(outcomes), priority=data.draw(st.integers(1, 2)), status="live")
        for k, part in enumerate(held)
    )
    book = rb.RuleBook(name="b", domain="transactions", rules=rules)
    dataset = Dataset(table=table_of(found), roles=rb.Roles(id="country"))
    try:
        for rule in rules:
            rule.bind(KINDS)
    except RuleError:
        assume(False)
    proof = rb.prove(book, dataset)
    assert proof.differing == 0, proof.frame()
    imported = rb.import_rules(proof.text).book
    assert rb.prove(imported, dataset, sql=proof.text).differing == 0


# -- the text ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", dialects())
def test_every_dialect_prints_or_names_the_rule(book, events, dialect):
    try:
        text = book.to_sql(dialect, kinds=events.kinds, aliases=events.roles.named())
    except EngineError as wrong:
        told = str(wrong)
        assert told.startswith("Rule ")
        return
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    assert "DROP TABLE x" not in body
    assert len(sqlglot.parse(text, dialect=dialect)) == 1, "one query, whatever the names hold"


def test_the_header_tells_what_is_needed_and_cannot_break_out(book, events):
    text = book.to_sql(kinds=events.kinds, aliases=events.roles.named(), table="risk.events")
    head = [line for line in text.splitlines() if line.startswith("--")]
    assert len(head) >= 5
    assert "device_events_1d = count(*) by device over the 1d before" in text
    assert "LIMITS as LIMITS_2" in text, "an engine that ignores capitals would mix them up"
    assert "outcome as outcome_2" in text
    assert 'FROM "risk"."events"' in text


def test_wrong_use_is_told(book, events):
    with pytest.raises(ParameterError, match="did you mean 'spark'"):
        book.to_sql("sparc", kinds=events.kinds, aliases=events.roles.named())
    with pytest.raises(ParameterError, match="no column of regions"):
        book.to_sql(kinds={name: kind for name, kind in events.kinds.items() if name != "land"})
    for table in ("", " ", "a..b", "x\ny", 5):
        with pytest.raises(ParameterError):
            book.to_sql(table=table, kinds=events.kinds, aliases=events.roles.named())
    right = rb.RuleBook(name="b", domain="kyc", rules=(rb.Rule("TX-9", "right(c, 2) = 'ID'", "review"),))
    with pytest.raises(EngineError, match="Rule TX-9"):
        right.to_sql("trino")
    capitals = rb.RuleBook(name="b", domain="kyc", rules=(rb.Rule("A", "x > X", "review"),))
    with pytest.raises(EngineError, match="capitals only"):
        capitals.to_sql()
    for limit in (-1, True, 1.5, 10**9):
        with pytest.raises(ParameterError, match="limit"):
            rb.prove(book, events, limit=limit)


def test_a_book_without_kinds_is_guessed():
    held = rb.RuleBook(name="b", domain="kyc", rules=(rb.Rule("A", "note = 'x' AND n > 1", "review", status="live"),))
    assert '"note" = ' in held.to_sql()
    assert "`note`" in held.to_sql("mysql")


LAPSING = """
book: lapsing
domain: transactions
lists:
  bad: {kind: block, column: buyer, values: [a, {value: b, expires: 2026-03-02}], expires: 2026-03-10}
  old: {kind: allow, column: buyer, values: [c], expires: 2026-01-01}
rules:
  - {id: TX-1, when: "amount > :cut", params: {cut: 5}, outcome: review, status: live}
deviations:
  - {rule: TX-1, region: b, params: {cut: 10}, reason: r, approver: ada, expires: 2026-03-20}
"""


def lapsing_events() -> rb.Dataset:
    frame = pd.DataFrame(
        {"id": range(4), "at": pd.date_range("2026-02-25", periods=4), "amount": [1.0, 9.0, 9.0, 1.0]}
    ).assign(buyer=["a", "c", "b", "b"])
    return rb.read(frame, roles=rb.Roles(id="id", time="at", amount="amount", region="buyer"))


def test_the_query_says_its_day_and_what_lapses():
    book, events = rb.RuleBook.from_yaml(LAPSING), lapsing_events()
    kinds = {"kinds": events.kinds, "aliases": events.roles.named()}
    early, late = book.to_sql(on="2026-02-28", **kinds), book.to_sql(on="2026-04-01", **kinds)
    head = [line for line in early.splitlines() if line.startswith("--")]
    assert book.hash[:12] in head[0]
    assert "2026-02-28" in head[1]
    assert any("old expired on 2026-01-01" in line for line in head)
    assert any("until 2026-03-02" in line and "list bad" in line for line in head)
    assert '"LIST-bad"' in early
    assert "LIST-" not in late
    assert "10e0" in early
    assert "10e0" not in late
    assert "bad expired on 2026-03-10" in late
    # Without a day it is today's: what has lapsed by now is not shipped.
    assert book.to_sql(**kinds) == book.to_sql(on=str(pd.Timestamp.now("UTC").date()), **kinds)
    assert "LIST-bad" not in book.with_list("bad", {"values": ["a"], "kind": "block", "column": "buyer",
                                                    "expires": "2020-01-01"}).to_sql(**kinds)  # fmt: skip
    with pytest.raises(rb.ParameterError):
        book.to_sql(on="soon", **kinds)
    plain = rb.RuleBook(name="p", domain="transactions", rules=(rb.Rule("A", "amount > 5", "review", status="live"),))
    assert "deviations" not in plain.to_sql(**kinds)


def test_a_proof_judges_both_sides_by_the_day_of_the_events():
    book, events = rb.RuleBook.from_yaml(LAPSING), lapsing_events()
    kinds = {"kinds": events.kinds, "aliases": events.roles.named()}
    own = rb.prove(book, events)
    assert own.equal
    assert own.provenance["parameters"]["on"] == "2026-02-28"
    assert any("as of 2026-02-28" in note for note in own.notes)
    assert own.text == book.to_sql(on="2026-02-28", **kinds)
    assert rb.prove(book, events, sql=own.text).equal
    other = rb.prove(book, events, sql=book.to_sql(on="2026-04-01", **kinds))
    assert not other.equal
    said = " ".join(other.notes)
    assert "written for 2026-04-01" in said
    assert "The list bad expired on 2026-03-10" in said
    assert "deviation of b from TX-1" in said
    bare = "\n".join(line for line in book.to_sql(on="2026-04-01", **kinds).splitlines() if not line.startswith("--"))
    assert "to_sql(on='2026-02-28')" in " ".join(rb.prove(book, events, sql=bare).notes)
