"""Does a run folder that somebody prepared never crash us, nor make us read outside of it?"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from watched import Place

import riskbench as rb
from riskbench.errors import PlaybookError, RiskbenchError
from riskbench.runner import seal
from riskbench.runner.apart import compared, cuts_between, on_the_same_events
from riskbench.runner.kept import facts_of, recall

SECRET = "the content of a file that is none of the run's"

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["../../x", "/etc/passwd", "tables/../../x", "a\x00b", "sample", "done"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["id", "playbook", "status", "parameters", "headline", "stamp", "seal", "failure", "passed", "started"]
records = st.dictionaries(st.sampled_from(KEYS), anything, max_size=len(KEYS))


@pytest.fixture
def outside(tmp_path) -> Path:
    path = tmp_path / "outside.txt"
    path.write_text(SECRET)
    return path


def asked(folder: Path, *, pages: bool = True) -> None:
    """Ask everything of a folder: an answer or one of our own errors, and no word of any other file."""
    told = []
    try:
        held = rb.verify_run(folder)
        assert held.verdict != "still true"
        told += [held._repr_html_(), repr(held)]
    except RiskbenchError as error:
        told.append(str(error))
    try:
        found = rb.diff_runs(folder, folder, explain=False)
        told += [found._repr_html_(), found.page()] if pages else [repr(found), str(found.to_dict())]
    except RiskbenchError as error:
        told.append(str(error))
    assert SECRET not in "".join(told)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(records)
def test_a_record_of_wrong_shapes(tmp_path, record):
    folder = tmp_path / "runs" / "watch-x"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    asked(folder, pages=False)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(KEYS), anything)
def test_a_record_with_one_odd_part_beside_a_real_ledger(place: Place, name, value):
    record = {**place.record(), name: value}  # odd parts gather, one example after the other
    (place.first / "run.json").write_text(json.dumps(record), encoding="utf-8")
    asked(place.first, pages=False)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(anything)
def test_results_of_wrong_shapes(place: Place, value):
    results = place.first / "results.json"
    for held in (
        value,
        {"results": value},
        {"results": [{"name": "watch", "kind": "watch", "main": "rules", "tables": value}]},
    ):
        results.write_text(json.dumps(held), encoding="utf-8")
        kept = recall(place.first)
        compared(kept, kept)
        cuts_between(kept, kept)
        on_the_same_events(kept, kept, lowest="approve")


@pytest.mark.parametrize("text", ["", "[]", "7", "{", "[" * 100_000, '{"id": NaN}', "\udcff"])
def test_a_record_that_is_none(place: Place, text):
    (place.first / "run.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    asked(place.first)


@pytest.mark.parametrize(
    "name", ["../../outside.txt", "tables/../../../outside.txt", "{absolute}", "a\\..\\b", "", "."]
)
def test_a_seal_that_names_a_file_elsewhere(place: Place, outside, name):
    name = name.replace("{absolute}", str(outside))
    mark = hashlib.sha256(SECRET.encode()).hexdigest()
    record = place.record()
    record["seal"][name] = mark
    (place.first / "run.json").write_text(json.dumps(record), encoding="utf-8")
    found = rb.verify_run(place.first)
    assert found.verdict == "edited by hand"
    states = dict(found.files.to_numpy().tolist())
    assert states[name] not in ("as sealed", "changed"), "it was not even looked at"
    with pytest.raises(PlaybookError):
        seal.digest(place.first, name)


@pytest.mark.parametrize(
    "name", ["lead.html", "run.json", "results.json", "inputs/book.yaml", "tables/watch-rules.parquet"]
)
def test_a_link_is_never_followed(place: Place, outside, name):
    path = place.first / name
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(PlaybookError, match="no plain file"):
        seal.digest(place.first, name)
    asked(place.first)


def test_a_linked_folder_is_never_followed(place: Place, tmp_path):
    target = tmp_path / "tables"
    (place.first / "tables").rename(target)
    (place.first / "tables").symlink_to(target)
    found = rb.verify_run(place.first)
    assert found.verdict == "edited by hand"
    kept = recall(place.first)
    assert all(kept.table(held, name) is None for held in kept.results for name in held["tables"])


def test_a_pipe_and_a_huge_file_are_not_read(place: Place):
    (place.first / "lead.html").unlink()
    os.mkfifo(place.first / "lead.html")
    with (place.first / "full.html").open("r+b") as held:
        held.truncate(seal.LARGEST + 1)
    found = rb.verify_run(place.first)
    assert found.verdict == "edited by hand"
    assert {"lead.html", "full.html"} <= set(found.files["file"])


def test_a_table_that_is_no_table(place: Place):
    for held in (b"", b"PAR1", b"PAR1" + b"\xff" * 200 + b"PAR1"):
        (place.first / "tables" / "watch-rules.parquet").write_bytes(held)
        asked(place.first)


def test_a_ledger_that_is_none(place: Place):
    (place.out / "riskbench.db").write_bytes(b"not a database" * 100)
    found = rb.verify_run(place.first)
    assert found.verdict == "cannot be checked"


def test_too_many_files_end_somewhere(place: Place, monkeypatch):
    monkeypatch.setattr(seal, "MOST_FILES", 20)
    for number in range(40):
        (place.first / f"more{number}.txt").write_text("x")
    assert len(seal.files(place.first)) <= 20


@given(anything)
def test_facts_are_facts_or_left_out(held):
    for fact in (*facts_of(held), *facts_of([held]), *facts_of([{"name": "a", "value": held, "unit": "money"}])):
        assert str(fact)
        json.dumps(fact.to_dict(), allow_nan=False)
