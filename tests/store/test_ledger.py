"""Is no run lost, whatever kills it?"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, text

from riskbench.errors import StoreError
from riskbench.store import Ledger, Owner, address, schema


def test_a_run_is_there_from_its_start(url):
    with Ledger(url) as ledger:
        ledger.begin("20260101-aa", "tiny", {"region": "NO", "source": "postgresql://ana:pw@db"})
        (entry,) = ledger.entries()
        assert (entry.status, entry.ended, entry.parameters["region"]) == ("running", None, "NO")
        assert entry.parameters["source"] == "postgresql://ana:***@db"
        ledger.end("20260101-aa", "done", folder="/x", seconds=1.5, headline=[{"name": "n"}], stamp={"code": "c"})
    with Ledger(url) as ledger:
        entry = ledger.entry("20260101")
        assert (entry.status, entry.folder, entry.seconds) == ("done", "/x", 1.5)
        assert entry.headline == ({"name": "n"},)
        assert entry.stamp == {"code": "c"}
        assert entry.ended > entry.started


def test_the_newest_comes_first_and_an_id_is_unique(url):
    with Ledger(url) as ledger:
        for name in ("a1", "a2", "b1"):
            ledger.begin(name, "one" if name < "b" else "two", {})
            ledger.end(name, "done")
        assert {entry.id for entry in ledger.entries(playbook="one")} == {"a1", "a2"}
        assert len(ledger.entries(limit=2)) == 2
        assert ledger.entry("b").id == "b1"
        for wrong in ("a", "x", "%", "_1"):
            with pytest.raises(StoreError):
                ledger.entry(wrong)


def test_a_run_whose_process_has_died_is_interrupted(url):
    code = f"from riskbench.store import Ledger; Ledger({url!r}).begin('dead', 'tiny', {{}})"
    subprocess.run([sys.executable, "-c", code], check=True)
    with Ledger(url) as ledger:
        ledger.begin("alive", "tiny", {})
        held = {entry.id: entry for entry in ledger.entries()}
        assert held["dead"].status == "interrupted"
        assert "died" in held["dead"].error
        assert held["alive"].status == "running"
        assert ledger.sweep() == 0


def test_a_number_that_is_used_again_is_another_process():
    here = Owner.here()
    assert not here.gone
    assert here.started
    assert Owner(here.host, os.getpid(), "another boot:1").gone
    assert not Owner("another-host", 1, "x").gone


def test_a_store_of_the_future_is_refused(url):
    Ledger(url).close()
    engine = create_engine(address(url))
    with engine.begin() as connection:
        connection.execute(text("insert into riskbench_schema values (999)"))
    engine.dispose()
    with pytest.raises(StoreError, match="newer"):
        Ledger(url)


def test_many_may_open_a_new_store_at_once(url):
    with ThreadPoolExecutor(8) as pool:
        for ledger in pool.map(lambda _: Ledger(url), range(8)):
            assert ledger.entries() == ()
            ledger.close()


def test_opening_twice_changes_nothing(url):
    for _ in range(2):
        Ledger(url).close()
    engine = create_engine(address(url))
    with engine.connect() as connection:
        held = [row[0] for row in connection.execute(text("select version from riskbench_schema order by version"))]
    assert held == [*range(1, schema.VERSION + 1)]
    engine.dispose()


@pytest.mark.parametrize(
    "wrong",
    ["nonsense://x", "postgresql://ana:pa55word@127.0.0.1:1/none?connect_timeout=2", "sqlite:////proc/none/x.db"],
)
def test_a_store_that_cannot_be_opened_is_one_message_without_a_password(wrong):
    with pytest.raises(StoreError) as caught:
        Ledger(wrong)
    assert "pa55word" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "x.db"
    path.write_text("not a database, but long enough to look like one " * 40)
    with pytest.raises(StoreError):
        Ledger(str(path))


def test_addresses():
    assert address("postgresql://h/d") == "postgresql+psycopg://h/d"
    assert address("postgresql+psycopg2://h/d") == "postgresql+psycopg2://h/d"
    assert address("sqlite:///x.db") == "sqlite:///x.db"


def test_a_hostile_text_is_kept_as_text(url):
    hostile = "'; drop table riskbench_runs; --\u202e<script>"
    with Ledger(url) as ledger:
        ledger.begin(hostile, hostile, {hostile: hostile})
        ledger.end(hostile, "failed", error=hostile)
        (entry,) = ledger.entries()
        assert (entry.playbook, entry.error, dict(entry.parameters)) == (hostile, hostile, {hostile: hostile})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3c@r3t/pw@127.0.0.1:1/db?connect_timeout=2",
        "postgresql://me:s3c/r3tpw@127.0.0.1:nope/db",
        "postgres//me:s3cr3tpw@h/db",
    ],
)
def test_no_part_of_a_password_that_is_slightly_off_is_told(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError) as caught:
        Ledger(url)
    assert not any(part in str(caught.value) for part in ("s3c", "r3t"))
    assert not list(tmp_path.iterdir())
