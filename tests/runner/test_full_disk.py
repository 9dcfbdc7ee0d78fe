"""Is a disk or store that cannot be written one clear message, with nothing half-written left?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from light import ANSWER

import riskbench as rb
from riskbench.errors import StoreError
from riskbench.runner import folder as folders
from riskbench.store import Ledger


def ends() -> list[str]:
    with Ledger("out/riskbench.db") as ledger:
        return [entry.status for entry in ledger.entries()]


def nothing_but_the_ledger() -> bool:
    return {path.name for path in Path("out").iterdir()} <= {"riskbench.db", "riskbench.key"}


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from riskbench.cli import main
main()
"""


def limited(path: Path, limit: int) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", LIMITED.format(limit=limit), "run", str(path), "--out", "out"]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.parametrize(
    ("code", "whole_"), [("print('x' * 400_000)", False), ("(here / 'big').write_bytes(bytes(400_000))", True)]
)
def test_a_file_that_may_not_grow_is_one_message_and_leaves_no_half_page(light_of, code, whole_):
    ended = limited(light_of(f"{ANSWER}\n{code}"), 250_000)
    assert ended.returncode == 1
    assert "A file may not grow further" in ended.stderr
    assert "Make room" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ends() == ["failed"]
    assert whole_ or nothing_but_the_ledger()
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]


def test_a_ledger_that_cannot_grow_starts_nothing(light_of):
    ended = limited(light_of(), 2_000)
    assert ended.returncode == 1
    assert "store" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert {path.name for path in Path("out").iterdir()} <= {"riskbench.db", "riskbench.db-journal", "riskbench.key"}


def test_a_full_disk_is_one_message(light_of, tmp_path, program, without):
    program("mount", "mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(disk)], capture_output=True, check=False
    )
    if made.returncode:
        without(f"a small disk cannot be mounted, which takes root: {made.stderr.decode(errors='replace').strip()}")
    try:
        run = rb.run(light_of(f"{ANSWER}\nprint('x' * 800_000)"), out=disk, store="ledger.db")
        assert (run.status, run.exit_code, run.folder) == ("failed", 1, None)
        assert run.message.startswith("The disk is full: No space left on device")
        assert {path.name for path in disk.iterdir()} <= {"ledger.key", "riskbench.key"}
        with Ledger("ledger.db") as ledger:
            assert [entry.status for entry in ledger.entries()] == ["failed"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_store_that_may_only_be_read_starts_nothing(light_of):
    with Ledger("kept.db"):
        pass
    with pytest.raises(StoreError, match="readonly"):
        rb.run(light_of(), out="out", store=f"sqlite:///file:{Path('kept.db').resolve()}?mode=ro&uri=true")
    assert nothing_but_the_ledger()


def test_a_folder_that_cannot_be_put_in_its_place_is_a_failed_run(light_of, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.os, "replace", full)
    monkeypatch.setattr(folders.time, "sleep", lambda _: None)
    run = rb.run(light_of(), out="out")
    assert (run.status, run.folder) == ("failed", None)
    monkeypatch.undo()
    assert not list(Path("out").glob(".run-*"))
