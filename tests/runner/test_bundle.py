"""Does what a run leaves behind read back as it was?"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from riskbench.display import Fact, Result, result
from riskbench.errors import PlaybookError
from riskbench.runner import bundle
from riskbench.runner.folder import folder_name, place, sweep
from riskbench.store import Owner


def kind(name: str, frame: pd.DataFrame) -> Result:
    @result
    class Kept(Result):
        kind = name
        title = "Kept"
        main = "rows"
        rows: pd.DataFrame

        def headline(self):
            return (Fact("n", 3, "count", n=3), Fact("x", None, note="too few"), Fact("s", 0.5, "share", lower=0.4))

    return Kept(rows=frame, notes=("a note",), provenance={"at": pd.Timestamp("2026-01-01"), "nan": float("nan")})


FRAME = pd.DataFrame(
    {
        "text": ["a", None, "<b>"],
        "number": [1.5, float("nan"), float("inf")],
        "whole": pd.array([1, None, 2**60], dtype="Int64"),
        "at": pd.to_datetime(["2026-01-01", None, "2026-01-02"]),
        "flag": [True, False, True],
    }
)


def test_what_is_written_is_read_back(tmp_path):
    bundle.write(tmp_path, [kind("count", FRAME), kind("count", FRAME.iloc[:0]), kind("other", FRAME)])
    held = bundle.read(tmp_path)
    assert list(held) == ["count", "count_2", "other"]
    first = held["count"]
    pd.testing.assert_frame_equal(first.frame("rows"), FRAME, check_dtype=False)
    pd.testing.assert_frame_equal(first.frame(), first.frame("rows"))
    assert len(held["count_2"].frame()) == 0
    assert [str(fact) for fact in first.headline()] == ["n: 3", "x: not measurable: too few", "s: 50.0 %"]
    assert first.notes == ("a note",)
    assert first.provenance.items() >= {"at": "2026-01-01 00:00:00", "nan": None}.items()
    text = (tmp_path / "results.json").read_text("utf-8")
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_a_column_of_mixed_things_is_kept_as_text(tmp_path):
    bundle.write(tmp_path, [kind("x", pd.DataFrame({"mixed": [1, "a", (2, 3)]}))])
    assert bundle.read(tmp_path)["x"].frame()["mixed"].to_list() == ["1", "a", "(2, 3)"]


def test_a_name_cannot_leave_the_folder(tmp_path):
    bundle.write(tmp_path, [kind("../../evil/../x", FRAME)])
    assert {path.parent for path in tmp_path.rglob("*.parquet")} == {tmp_path / "tables"}
    told = json.loads((tmp_path / "results.json").read_text("utf-8"))
    (tmp_path / "outside.parquet").write_bytes(b"x")
    told["results"][0]["tables"]["rows"] = "tables/../outside.parquet"
    (tmp_path / "results.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(PlaybookError, match="outside"):
        bundle.read(tmp_path)


@pytest.mark.parametrize("text", [None, "", "{}", '{"format": 99, "results": []}', "[]"])
def test_a_folder_without_results_says_so(tmp_path, text):
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(PlaybookError):
        bundle.read(tmp_path)


@pytest.mark.parametrize("region", ["../../x", "a/b", "NO", None, "", "東京", "x" * 500, "..", "\x00"])
def test_a_region_cannot_leave_the_folder(region):
    name = folder_name("tiny", {"region": region})
    assert Path(name).name == name
    assert not name.startswith(".")
    assert len(name) < 120
    assert name.startswith("tiny-NO-" if region == "NO" else "tiny-")


def test_other_parameters_give_another_folder():
    one = folder_name("tiny", {"region": "NO", "share": 0.1})
    assert one == folder_name("tiny", {"share": 0.1, "region": "NO"})
    assert one != folder_name("tiny", {"region": "NO", "share": 0.2})
    assert folder_name("tiny", {"source": "a://b:one@c"}) == folder_name("tiny", {"source": "a://b:two@c"})


def run_folder(path: Path, status: str, mark: str, **more) -> Path:
    path.mkdir()
    (path / "run.json").write_text(json.dumps({"status": status, "mark": mark, **more}))
    return path


def mark(path: Path) -> str:
    return json.loads((path / "run.json").read_text())["mark"]


@pytest.mark.parametrize(
    ("held", "new", "name"),
    [
        (None, "done", "x"),
        (None, "failed", "x"),
        ("done", "done", "x"),
        ("failed", "done", "x"),
        ("failed", "infeasible", "x"),
        ("done", "failed", "x-failed"),
        ("done", "infeasible", "x-infeasible"),
    ],
)
def test_only_a_good_run_replaces_a_good_one(tmp_path, held, new, name):
    if held:
        run_folder(tmp_path / "x", held, "old")
    placed = place(run_folder(tmp_path / ".run-20260101-00000000", new, "new"), tmp_path / "x", new)
    assert placed == tmp_path / name
    assert mark(placed) == "new"
    if name != "x":
        assert mark(tmp_path / "x") == "old"
    assert not list(tmp_path.glob(".*"))
    again = place(run_folder(tmp_path / ".run-20260101-00000001", new, "newer"), tmp_path / "x", new)
    assert (again, mark(again)) == (placed, "newer")


def test_what_killed_runs_have_left_is_cleared_away(tmp_path):
    dead, alive = {"host": Owner.here().host, "pid": 2**22 + 1, "started": "x"}, asdict(Owner.here())
    run_folder(tmp_path / ".run-20260101-0000000b", "running", "dead", owner=dead)
    run_folder(tmp_path / ".run-20260101-0000000d", "running", "alive", owner=alive)
    run_folder(tmp_path / ".run-20260101-0000000e", "running", "elsewhere", owner={**dead, "host": "another-host"})
    (tmp_path / ".run-20260101-0000000f").mkdir()
    run_folder(tmp_path / ".old-20260101-0000000a-tiny-ID-abc", "done", "good")
    run_folder(tmp_path / ".old-20260101-0000000c-tiny-NO-abc", "done", "older")
    run_folder(tmp_path / "tiny-NO-abc", "done", "newer")
    sweep(tmp_path)
    assert len(list(tmp_path.glob(".*"))) == 5, "what has just changed is left alone"
    sweep(tmp_path, moment=time.time() + 60)
    assert mark(tmp_path / "tiny-ID-abc") == "good"
    assert mark(tmp_path / "tiny-NO-abc") == "newer"
    assert sorted(path.name[-1] for path in tmp_path.glob(".*")) == ["d", "e"]
