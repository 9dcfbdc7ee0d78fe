"""What does the store hold? One schema for SQLite and PostgreSQL, moved forward step by step."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Connection, Engine, Float, Integer, MetaData, Table, Text, inspect, select

from riskbench.errors import StoreError

#: The number of the newest step.
VERSION = 1

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


def _first(connection: Connection) -> None:
    metadata.create_all(connection, tables=[runs])


#: Step n brings a store from version n - 1 to n. Steps are never edited, only added.
STEPS: tuple[Callable[[Connection], None], ...] = (_first,)
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
