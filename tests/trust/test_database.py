"""Does verify read a database again, though no ledger knows its password?"""

from __future__ import annotations

import pandas as pd
import pytest
from watched import ROLES, Place, edit_ledger, events

import riskbench as rb
from riskbench.runner.session import Session

QUERY = 'SELECT "order", placed, amount, buyer, fraud, land FROM watched ORDER BY "order"'


@pytest.mark.postgres
def test_a_database_named_by_the_environment(place: Place, postgres, monkeypatch):
    import sqlalchemy

    url = postgres.url()
    monkeypatch.setenv("WATCHED_DATABASE", url)
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    frame = events(50)
    frame["placed"] = pd.to_datetime(frame["placed"])
    frame.to_sql("watched", engine, index=False)

    values = {"source": "env:WATCHED_DATABASE", "query": QUERY, "roles": ROLES, "book": "book.yaml"}
    session = Session(playbook="watch", values=values, parameters=pd.DataFrame())
    session.dataset()

    def change(stamp, held):
        stamp["data"] = session._record["data"]
        held.clear()
        held.update(values)

    edit_ledger(place, change)
    assert rb.verify_run(place.first).verdict == "still true"

    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM watched WHERE \"order\" = 'o7'"))
    found = rb.verify_run(place.first)
    assert found.verdict == "data moved"
    assert "50 events then, 49 now" in found.answers["why"].iloc[1]

    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE watched"))
    engine.dispose()
    found = rb.verify_run(place.first)
    assert found.verdict == "cannot be checked"
    assert postgres.password not in repr(found.answers.to_numpy().tolist())
