"""Every query runs behind a fence: no files, no network, no settings, and a deadline."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskbench.engine.duck import quoted, session
from riskbench.errors import EngineError


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_parquet('{path}')",
        "SELECT * FROM '{path}'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{path}.copy'",
        "ATTACH '{path}.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 7",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET enable_external_access",
        "PRAGMA memory_limit = '99GB'",
        "SELECT * FROM hidden_frame",
        "EXPORT DATABASE '{path}.out'",
    ],
)
def test_nothing_outside_can_be_reached(tmp_path: Path, sql: str) -> None:
    hidden_frame = pa.table({"a": [1]})
    assert hidden_frame.num_rows == 1
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with session() as duck, pytest.raises(EngineError):
        duck.table(sql.format(path=path))
    assert [one.name for one in tmp_path.iterdir()] == ["t.parquet"]


def test_only_the_files_that_were_named_can_be_read(tmp_path: Path) -> None:
    for name in ("it's mine.parquet", "other.parquet"):
        pq.write_table(pa.table({"a": [1, 2]}), tmp_path / name)
    mine = str(tmp_path / "it's mine.parquet")
    with session(files=[mine], memory_limit="200MB", threads=1) as duck:
        assert duck.row("SELECT count(*) FROM read_parquet($path)", {"path": mine}) == (2,)
        with pytest.raises(EngineError):
            duck.row("SELECT count(*) FROM read_parquet($path)", {"path": str(tmp_path / "other.parquet")})
        with pytest.raises(EngineError):
            duck.table("SET enable_external_access = true")


def test_a_query_past_its_deadline_is_stopped_and_the_next_one_runs() -> None:
    with session(deadline=0.2) as duck:
        with pytest.raises(EngineError, match=r"longer than 0\.2 seconds"):
            duck.table("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range % 7 = b.range % 5")
        assert duck.row("SELECT 1 + 1") == (2,)


def test_names_are_quoted_and_values_bound() -> None:
    odd = 'a "b"; DROP TABLE t; --'
    with session() as duck:
        duck.register("t", pa.table({odd: [1, 2, 3]}))
        assert duck.table(f"SELECT {quoted(odd)} AS x FROM t WHERE {quoted(odd)} > ?", [1])["x"].to_pylist() == [2, 3]
        assert duck.row("SELECT $text AS x", {"text": "'; DROP TABLE t; --"}) == ("'; DROP TABLE t; --",)
        duck.empty("e", {odd: "time", "b": "string"})
        assert duck.table("SELECT * FROM e").schema.names == [odd, "b"]


def test_a_fault_is_one_line() -> None:
    with session() as duck, pytest.raises(EngineError) as caught:
        duck.table("SELECT nope FROM (SELECT 1 AS a)")
    assert "nope" in str(caught.value)
    assert "\n" not in caught.value.what
