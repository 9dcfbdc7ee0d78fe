"""What the tests of the store share: the address of a new store, in a file and on a server."""

from __future__ import annotations

import secrets

import pytest
from sqlalchemy import create_engine, text

from riskbench.store import address


@pytest.fixture
def file(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/deep/er/riskbench.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request) -> str:
    if request.param == "sqlite":
        return request.getfixturevalue("file")
    server = request.getfixturevalue("postgres")
    name = f"store_{secrets.token_hex(4)}"
    engine = create_engine(address(server.url()), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    return server.url(database=name)
