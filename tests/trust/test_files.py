"""Are the files behind parameters that are neither data nor rules held to what they were?"""

from __future__ import annotations

import json

import pytest
from watched import Place

import riskbench as rb


@pytest.fixture
def extra(place: Place):
    """A run that reads a number from a file, which is named from where it was started."""
    (place.root / "extra.txt").write_text("10", encoding="utf-8")
    return place.run(extra="extra.txt")


def test_a_file_is_looked_up_from_where_the_run_was_started(place: Place, extra, tmp_path, monkeypatch):
    assert rb.verify_run(extra.folder.resolve()).verdict == "still true"
    folder = extra.folder.resolve()
    monkeypatch.chdir(tmp_path)
    found = rb.verify_run(folder, rerun=True)
    assert found.verdict == "still true", found.answers.to_dict("records")
    (tmp_path / "extra.txt").write_text("11", encoding="utf-8")
    assert rb.verify_run(folder).verdict == "still true", "another file of that name lies here"
    (place.root / "extra.txt").write_text("12", encoding="utf-8")
    found = rb.verify_run(folder)
    assert found.verdict == "data moved"
    assert found.answers["why"][1] == "the file of extra holds something else"


def test_a_change_is_not_shared_out_with_a_file_of_today(place: Place, extra):
    (place.root / "extra.txt").write_text("50", encoding="utf-8")
    later = place.run(extra="extra.txt", source="data/later.csv", out=place.root / "later")
    found = rb.diff_runs(extra, later)
    assert found.factors == ("data", "parameters")
    assert found.why == "What `extra` held in the run before is not there any more"
    assert not len(found.parts)
    assert any("not measurable: What `extra` held" in note for note in found.notes)


def test_two_files_that_are_both_there_are_shared_out(place: Place, extra):
    (place.root / "more.txt").write_text("50", encoding="utf-8")
    later = place.run(extra="more.txt", source="data/later.csv")
    found = rb.diff_runs(extra, later)
    assert found.why == ""
    own = found.parts[found.parts["fact"] == "Alerts"].set_index("part")["change"]
    assert own["parameters"] == 40
    assert json.loads((later.folder / "run.json").read_text("utf-8"))["stamp"]["inputs"]["extra"]
