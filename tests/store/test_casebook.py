"""Does the history of incidents only grow, whoever writes, and is it seen when somebody changed it?"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DatabaseError

from riskbench.errors import StoreError
from riskbench.store import Journal, Ledger, address, incident_id, incident_number, schema
from riskbench.store.journal import LARGEST_BODY, faults

TABLE = schema.incident_events.name
GUARDS = ("update", "delete", "insert")


def _grown(url: str, *texts: str) -> str:
    with Journal(url) as journal:
        name = journal.open(("opened", {"title": "one"}), actor="ana").incident
        for said in texts:
            journal.append([name], lambda _, said=said: {name: [("noted", {"text": said})]}, actor="bo")
    return name


def _unguarded(url: str, *statements: str) -> None:
    """Change a store as one would who owns the database, its guards taken off."""
    engine = create_engine(address(url))
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for guard in GUARDS:
                connection.execute(text(f"drop trigger {TABLE}_{guard}"))
        else:
            connection.execute(text(f"alter table {TABLE} disable trigger user"))
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_what_was_written_is_read_back_in_order_and_chained(url):
    name = _grown(url, "two", "three")
    with Journal(url) as journal:
        lines = journal.history("1")
        assert journal.incidents() == (name,) == ("INC-0001",)
    assert [line.sequence for line in lines] == [1, 2, 3]
    assert [line.body for line in lines] == [{"title": "one"}, {"text": "two"}, {"text": "three"}]
    assert [line.previous for line in lines] == ["", lines[0].hash, lines[1].hash]
    assert [line.actor for line in lines] == ["ana", "bo", "bo"]
    assert faults(lines) == ()


@pytest.mark.parametrize(
    "statement",
    [
        f"update {TABLE} set body = '{{}}'",
        f"delete from {TABLE}",
        f"delete from {TABLE} where sequence = 2",
        "REPLACE",
        "TRUNCATE",
    ],
)
def test_the_database_itself_refuses_a_change(url, statement):
    name = _grown(url, "two")
    engine = create_engine(address(url))
    values = "(1, 2, '', '', '', '{}', '', '')"
    insert = f"into {TABLE} (incident, sequence, at, actor, kind, body, previous, hash) values {values}"
    ways = {
        "sqlite": {"REPLACE": f"insert or replace {insert}", "TRUNCATE": f"delete from {TABLE}"},
        "postgresql": {
            "REPLACE": f"insert {insert} on conflict (incident, sequence) do update set body = ''",
            "TRUNCATE": f"truncate {TABLE}",
        },
    }
    with Journal(url) as journal:
        assert journal.guarded()
    with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
        connection.execute(text(ways[engine.dialect.name].get(statement, statement)))
    engine.dispose()
    with Journal(url) as journal:
        assert [line.body for line in journal.history(name)] == [{"title": "one"}, {"text": "two"}]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f'update {TABLE} set body = \'{{"text": "other"}}\' where sequence = 2', "event 2 was changed"),
        (f"update {TABLE} set actor = 'eve' where sequence = 2", "event 2 was changed"),
        (f"update {TABLE} set at = '2020-01-01T00:00:00.000+00:00' where sequence = 1", "event 1 was changed"),
        (f"update {TABLE} set body = 'no json' where sequence = 3", "event 3 was changed"),
        (f"update {TABLE} set hash = previous where sequence = 2", "event 2 was changed"),
        (f"delete from {TABLE} where sequence = 2", "event 2 is missing"),
        (f"delete from {TABLE} where sequence = 1", "event 1 is missing"),
    ],
)
def test_a_change_behind_our_back_is_seen_and_nothing_is_added_to_it(url, statement, told):
    name = _grown(url, "two", "three")
    _unguarded(url, statement)
    with Journal(url) as journal:
        assert not journal.guarded()
        assert told in " ".join(faults(journal.history(name)))
        with pytest.raises(StoreError, match="changed outside"):
            journal.append([name], lambda _: {name: [("noted", {})]}, actor="bo")


def test_what_was_cut_off_at_the_end_is_seen_with_a_head_that_was_kept(url):
    name = _grown(url, "two", "three")
    with Journal(url) as journal:
        head = journal.history(name)[-1].head
        for kept in (head, head[:24]):
            assert faults(journal.history(name), head=kept) == ()
        for wrong in (head[:12], "3:", "3", "", f"2:{head[2:]}"):
            assert faults(journal.history(name), head=wrong)
    _unguarded(url, f"delete from {TABLE} where sequence = 3")
    with Journal(url) as journal:
        left = journal.history(name)
        assert faults(left) == ()
        assert "ends before event 3" in faults(left, head=head)[0]
        journal.append([name], lambda _: {name: [("noted", {"text": "another three"})]}, actor="eve")
        assert "event 3 is not the one" in faults(journal.history(name), head=head)[0]


def test_many_write_to_one_incident_at_once_and_no_line_is_lost(url):
    name, writers, each = _grown(url), 6, 8

    def write(writer: int) -> None:
        with Journal(url) as journal:
            for turn in range(each):
                journal.append(
                    [name], lambda _, t=turn: {name: [("noted", {"text": f"{writer}.{t}"})]}, actor=str(writer)
                )

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    with Journal(url) as journal:
        lines = journal.history(name)
    assert faults(lines) == ()
    said = [line.body["text"] for line in lines[1:]]
    assert sorted(said) == sorted(f"{writer}.{turn}" for writer in range(writers) for turn in range(each))
    for writer in range(writers):
        own = [text_ for text_ in said if text_.startswith(f"{writer}.")]
        assert own == [f"{writer}.{turn}" for turn in range(each)]


def test_many_open_incidents_at_once_and_each_gets_its_own_id(url):
    Journal(url).close()

    def open_(place: int) -> str:
        with Journal(url) as journal:
            return journal.open(("opened", {"title": str(place)}), actor="x").incident

    with ThreadPoolExecutor(6) as pool:
        names = list(pool.map(open_, range(12)))
    assert sorted(names) == [incident_id(number) for number in range(1, 13)]


def test_who_is_slower_decides_again_on_what_is_true_by_then(url):
    name, seen = _grown(url), []

    with Journal(url) as slow, Journal(url) as fast:

        def plan(held):
            seen.append(len(held[name]))
            if len(seen) == 1:
                fast.append([name], lambda _: {name: [("noted", {"text": "first"})]}, actor="fast")
            return {name: [("noted", {"text": "second"})]}

        after = slow.append([name], plan, actor="slow")[name]
    assert seen == [1, 2]
    assert [line.body.get("text") for line in after] == [None, "first", "second"]


def test_a_writer_who_is_always_beaten_is_told_so(url):
    name = _grown(url)
    with Journal(url) as slow, Journal(url) as fast:

        def plan(_):
            fast.append([name], lambda __: {name: [("noted", {})]}, actor="fast")
            return {name: [("noted", {"text": "never"})]}

        with pytest.raises(StoreError, match="keep writing") as caught:
            slow.append([name], plan, actor="slow")
        assert caught.value.exit_code == 1
        assert all(line.actor != "slow" for line in slow.history(name))


def test_lines_of_two_incidents_are_written_together_or_not_at_all(url):
    first, second = _grown(url), _grown(url)
    with Journal(url) as slow, Journal(url) as fast:
        turns = []

        def plan(held):
            turns.append({name: len(lines) for name, lines in held.items()})
            if len(turns) == 1:
                fast.append([second], lambda _: {second: [("noted", {})]}, actor="fast")
            return {first: [("merged", {})], second: [("absorbed", {})]}

        slow.append([first, second], plan, actor="slow")
        assert turns == [{first: 1, second: 1}, {first: 1, second: 2}]
        assert [line.kind for line in slow.history(first)] == ["opened", "merged"]
        assert [line.kind for line in slow.history(second)] == ["opened", "noted", "absorbed"]


def test_an_older_store_is_brought_forward_with_its_runs(url):
    if url.startswith("sqlite"):
        Ledger(url).close()  # makes the folder
        engine = create_engine(address(url))
        with engine.begin() as connection:
            for table in (TABLE, "riskbench_runs", "riskbench_schema"):
                connection.execute(text(f"drop table {table}"))
    else:
        engine = create_engine(address(url))
    with engine.begin() as connection:
        schema.metadata.create_all(connection, tables=[schema.versions])
        schema.STEPS[0](connection)
        connection.execute(schema.versions.insert().values(version=1))
        row = {"id": "20260101-old", "playbook": "tiny", "status": "done", "parameters": "{}", "started": "2026-01-01"}
        owner = {"host": "h", "pid": 1, "pid_started": "x", "version": metadata.version("riskbench")}
        connection.execute(schema.runs.insert().values(**row, **owner))
        assert not inspect(connection).has_table(TABLE)
    engine.dispose()
    with Ledger(url) as ledger:
        assert ledger.entry("20260101").playbook == "tiny"
    assert _grown(url, "two") == "INC-0001"
    engine = create_engine(address(url))
    with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
        connection.execute(text(f"delete from {TABLE}"))
    engine.dispose()


def test_a_hostile_text_is_kept_as_text_and_a_password_is_not_kept(url):
    hostile = "'; drop table riskbench_incident_events; --<script>\u202e\U0001f600"
    name = _grown(url, hostile, "see postgresql://ana:pa55word@db/x")
    with Journal(url) as journal:
        lines = journal.history(name)
    assert lines[1].body["text"] == hostile
    assert "pa55word" not in json.dumps([dict(line.body) for line in lines])
    assert faults(lines) == ()


def test_a_line_that_is_too_long_is_refused(url):
    name = _grown(url)
    with Journal(url) as journal, pytest.raises(StoreError, match="too long"):
        journal.append([name], lambda _: {name: [("noted", {"text": "x" * LARGEST_BODY})]}, actor="bo")


@pytest.mark.parametrize("wrong", ["", "INC-", "0", "INC-0", "x", "1; drop", "INC-99999999999", "-1", "１"])
def test_what_is_no_id_is_told(url, wrong):
    with Journal(url) as journal, pytest.raises(StoreError):
        journal.history(wrong)


def test_an_id_that_is_not_there_names_the_nearest(url):
    _grown(url)
    with Journal(url) as journal, pytest.raises(StoreError, match="INC-0001"):
        journal.history("INC-0011")
    assert incident_number(" inc0007 ") == 7


@pytest.mark.parametrize("wrong", ["nonsense://x", "postgresql://ana:pa55word@127.0.0.1:1/none?connect_timeout=2"])
def test_a_store_that_cannot_be_opened_is_one_message_without_a_password(wrong):
    with pytest.raises(StoreError) as caught:
        Journal(wrong)
    assert "pa55word" not in str(caught.value)
