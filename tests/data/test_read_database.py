"""Databases: rows come out of a real PostgreSQL server, passwords and writes do not get through."""

from __future__ import annotations

import builtins
import datetime as dt
import traceback

import pytest

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, DataError, EngineError, MissingDependencyError

pytestmark = pytest.mark.postgres

ROLES = {"id": "id", "time": "placed", "amount": "price", "region": "region"}
TABLE = """
CREATE TABLE orders (
    id bigint, placed timestamptz, price numeric(18,2), exact numeric, whole numeric(30,0), local timestamp,
    day date, region text, vip boolean, small smallint, ratio real, tags int[], extra jsonb, token uuid, cash money,
    note varchar(9)
)
"""
ROWS = """
INSERT INTO orders VALUES
(9007199254740993, '2026-01-01 07:00+07', 1234567.89, 'NaN', 9007199254740993, '2026-01-01 07:00', '2026-01-01', 'NO',
 true, 1, 0.5, '{1,2}', '{"a": 1}', '6f1f6f6e-0000-4000-8000-000000000000', 12.5, 'ünï 雪'),
(2, NULL, NULL, 0.1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
"""


@pytest.fixture(scope="module")
def orders(postgres):
    import psycopg

    with psycopg.connect(postgres.url()) as connection:
        connection.execute("DROP TABLE IF EXISTS orders")
        connection.execute(TABLE)
        connection.execute(ROWS)
    return postgres


def rows_left(server) -> int:
    import psycopg

    with psycopg.connect(server.url()) as connection:
        return connection.execute("SELECT count(*) FROM orders").fetchone()[0]


def values(dataset: rb.Dataset, name: str) -> list[object]:
    return dataset.table.to_arrow([name]).column(0).to_pylist()


def test_rows_come_out_as_they_are(orders) -> None:
    dataset = rb.read(orders.url(), roles=ROLES, query="SELECT * FROM orders ORDER BY id DESC;")
    assert dataset.rows == 2
    assert dataset.name == "postgres"
    assert values(dataset, "id") == [9007199254740993, 2]
    assert values(dataset, "placed") == [dt.datetime(2026, 1, 1), None]  # noqa: DTZ001
    assert values(dataset, "price") == [1234567.89, None]
    assert values(dataset, "exact") == [None, 0.1]
    assert values(dataset, "whole") == [9007199254740993, None]
    assert values(dataset, "region") == ["NO", None]
    assert values(dataset, "vip") == [True, None]
    assert values(dataset, "ratio") == [0.5, None]
    assert values(dataset, "note") == ["ünï 雪", None]
    assert values(dataset, "token")[0] == "6f1f6f6e-0000-4000-8000-000000000000"
    assert {"tags", "extra", "cash"}.isdisjoint(dataset.names)
    assert any("cast it to numeric" in note for note in dataset.notes)


def test_labels_may_come_from_a_database_free_table(orders) -> None:
    labels = {"subject": ["2"], "verdict": ["fraud"], "time": ["2026-02-01"], "source": ["chargeback"]}
    import pandas as pd

    dataset = rb.read(orders.url(), roles=ROLES, query="SELECT * FROM orders", labels=pd.DataFrame(labels))
    assert sorted(values(dataset, "label"), key=str) == [1, None]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS id; DROP TABLE orders",
        "SELECT 1 AS id) AS q; DROP TABLE orders; --",
        "DELETE FROM orders",
        "DELETE FROM orders RETURNING id",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
        "COMMIT; DROP TABLE orders",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT id INTO copied FROM orders",
        "COPY orders TO PROGRAM 'id'",
        "SELECT nope FROM orders",
        "SELECT 'x'::int AS id",
        "SELECT 1\0 AS id",
    ],
)
def test_a_query_that_is_not_one_plain_select_is_refused(orders, query: str) -> None:
    with pytest.raises(DataError):
        rb.read(orders.url(), roles={"id": "id"}, query=query)
    assert rows_left(orders) == 2


def test_a_query_is_needed_and_its_columns_are_checked(orders) -> None:
    for query in (None, " ; "):
        with pytest.raises(DataError, match="needs a query"):
            rb.read(orders.url(), roles=ROLES, query=query)
    with pytest.raises(ColumnNotFoundError, match="did you mean 'region'"):
        rb.read(orders.url(), roles={"id": "id", "region": "regoin"}, query="SELECT * FROM orders")


def test_a_slow_query_is_stopped(orders) -> None:
    with pytest.raises(EngineError, match=r"longer than 0\.2 seconds"):
        rb.read(orders.url(), roles={"id": "id"}, query="SELECT 1 AS id, pg_sleep(30)", deadline=0.2)


def test_no_error_and_no_repr_shows_the_password(orders) -> None:
    secret, coded = orders.password, "s3cr3t%40pa%2Fss"
    wrong = [
        orders.url(port=1),
        orders.url(database="nope"),
        orders.url(password="hunter2 hunter2"),
        f"postgresql://analyst:{coded}@127.0.0.1:notaport/x",
        f"postgresql://127.0.0.1:1/x?user=a&password={coded}",
        f"mysql://analyst:{coded}@127.0.0.1/x",
        f"https://analyst:{coded}@example.invalid/x.parquet",
    ]
    for url in wrong:
        with pytest.raises(DataError) as caught:
            rb.read(url, roles=ROLES, query="SELECT 1")
        told = str(caught.value) + "".join(traceback.format_exception_only(caught.value))
        assert not any(word in told for word in (secret, coded, "hunter2", "pa/ss")), told
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    with pytest.raises(DataError) as caught:
        rb.read(orders.url(), roles=ROLES, query=f"SELECT '{secret}'::int FROM nope")
    assert secret not in str(caught.value)
    dataset = rb.read(orders.url(), roles=ROLES, query="SELECT * FROM orders")
    shown = repr(dataset) + dataset._repr_html_() + str(dataset.notes) + dataset.name
    assert secret not in shown
    assert coded not in shown


@pytest.mark.parametrize("info", ["me:s3c@r3t/pw", "me:s3c/r3tpw", "me:s3c%r3tpw", "s3c/r3tpw"])
def test_a_password_that_is_not_encoded_is_told_without_a_part_of_it(info: str) -> None:
    with pytest.raises(DataError, match="%2F") as caught:
        rb.read(f"postgresql://{info}@127.0.0.1:1/db", roles=ROLES, query="SELECT 1")
    assert not any(part in str(caught.value) for part in ("s3c", "r3t"))


def test_without_the_driver_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: object, **options: object) -> object:
        if name.startswith("adbc_driver_postgresql"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError, match=r"riskbench\[postgres\]"):
        rb.read("postgresql://localhost/x", roles=ROLES, query="SELECT 1")
