"""What does the store hold? One schema for SQLite and PostgreSQL, moved forward step by step."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Connection, Engine, Float, Integer, MetaData, Table, Text, inspect, select, text

from riskbench.errors import StoreError

#: The number of the newest step.
VERSION = 2

metadata = MetaData()

versions = Table("riskbench_schema", metadata, Column("version", Integer, primary_key=True))

runs = Table(
    "riskbench_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("playbook", Text, nullable=False, index=True),
    Column("status", Text, nullable=False, index=True),
    Column("parameters", Text, nullable=False),
    Column("folder", Text),
    Column("started", Text, nullable=False, index=True),
    Column("ended", Text),
    Column("seconds", Float),
    Column("headline", Text),
    Column("stamp", Text),
    Column("error", Text),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started", Text, nullable=False),
    Column("version", Text, nullable=False),
)

#: One row is one event of one incident. Rows are added; nothing is ever changed or taken away.
incident_events = Table(
    "riskbench_incident_events",
    metadata,
    Column("incident", Integer, primary_key=True, autoincrement=False),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

_KEEP = "the history of incidents is append-only"
_TAKEN = f"SELECT 1 FROM {incident_events.name} WHERE incident = NEW.incident AND sequence = NEW.sequence"


def _sqlite_guard(before: str, when: str = "") -> str:
    name = f"riskbench_incident_events_{before.lower()}"
    head = f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {before} ON {incident_events.name}"
    return f"{head} {when} BEGIN SELECT RAISE(ABORT, '{_KEEP}'); END"


def _postgresql_guard(name: str, before: str, each: str) -> tuple[str, str]:
    name, table = f"riskbench_incident_events_{name}", incident_events.name
    made = f"CREATE TRIGGER {name} BEFORE {before} ON {table} FOR EACH {each} EXECUTE FUNCTION riskbench_refuse()"
    return f"DROP TRIGGER IF EXISTS {name} ON {table}", made


_REFUSE = f"$$ BEGIN RAISE EXCEPTION '{_KEEP}'; END $$"
#: What refuses a change below us. SQLite's REPLACE takes rows away without telling a DELETE trigger, so an insert on
#: a taken place is refused too.
_GUARDS = {
    "sqlite": (
        _sqlite_guard("UPDATE"),
        _sqlite_guard("DELETE"),
        _sqlite_guard("INSERT", f"WHEN EXISTS ({_TAKEN})"),
    ),
    "postgresql": (
        f"CREATE OR REPLACE FUNCTION riskbench_refuse() RETURNS trigger LANGUAGE plpgsql AS {_REFUSE}",
        *_postgresql_guard("rows", "UPDATE OR DELETE", "ROW"),
        *_postgresql_guard("all", "TRUNCATE", "STATEMENT"),
    ),
}

#: How each database tells which guards are on, and which there must be.
WATCH = {
    "sqlite": (
        f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{incident_events.name}'",
        {f"{incident_events.name}_{before}" for before in ("update", "delete", "insert")},
    ),
    "postgresql": (
        f"SELECT tgname FROM pg_trigger WHERE tgrelid = '{incident_events.name}'::regclass AND tgenabled IN ('O', 'A')",
        {f"{incident_events.name}_rows", f"{incident_events.name}_all"},
    ),
}


def _first(connection: Connection) -> None:
    metadata.create_all(connection, tables=[runs])


def _second(connection: Connection) -> None:
    metadata.create_all(connection, tables=[incident_events])
    for line in _GUARDS.get(connection.dialect.name, ()):
        connection.execute(text(line))


#: Step n brings a store from version n - 1 to n. Steps are never edited, only added.
STEPS: tuple[Callable[[Connection], None], ...] = (_first, _second)
assert len(STEPS) == VERSION


def migrate(engine: Engine) -> None:
    """Bring a store to the newest version.

    Raises
    ------
    StoreError
        When a newer riskbench has written it.
    """
    with engine.begin() as connection:
        if not inspect(connection).has_table(versions.name):
            metadata.create_all(connection, tables=[versions])
        held = max((row.version for row in connection.execute(select(versions))), default=0)
        if held > VERSION:
            raise StoreError(
                "The store was written by a newer riskbench.",
                got=f"schema version {held}",
                allowed=f"up to {VERSION}",
                hint="update riskbench, or name another store",
            )
        for number in range(held, VERSION):
            STEPS[number](connection)
            connection.execute(versions.insert().values(version=number + 1))
