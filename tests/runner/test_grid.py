"""Does a grid run what was asked, keep what still stands and nothing else, and survive being killed?"""

from __future__ import annotations

import json
import os
import shutil
import threading
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.display import Fact
from riskbench.errors import ParameterError, RiskbenchError, StoreError
from riskbench.runner import Run, find, grid, resume, seal
from riskbench.runner.combinations import combine, grid_from_command
from riskbench.runner.run import prepare, stamp_of
from riskbench.store import Ledger


@pytest.fixture
def played(light, monkeypatch) -> list[tuple]:
    """Runs are not made but played: by their region, each ends as its mode says."""
    calls: list[tuple] = []

    def play(job, out, ledger, progress=None, *, stop=None):
        region, seed = job.values["region"], job.values["seed"]
        calls.append((region, seed, threading.current_thread() is threading.main_thread()))
        mode = job.values["mode"] if job.values["mode"] != "done" else {"XX": "failed", "II": "infeasible"}.get(region)
        if mode == "disk":
            raise OSError(28, "No space left on device")
        if mode == "store":
            raise StoreError("The store does not answer: postgresql://ana:pa55word@db")
        if mode == "stop":
            raise KeyboardInterrupt
        status = mode or "done"
        facts = (Fact("Cut", seed / 10, "share", lower=0.0, upper=1.0), Fact("Rule", "<b>x</b>", "text"))
        return Run(
            id=f"r-{region}-{seed}",
            playbook="light",
            status=status,
            folder=out / f"light-{region}-{seed}",
            headline=facts if status == "done" else (),
            seconds=1.0,
            message="" if status == "done" else f"It {status}.\nWhere: somewhere",
            parameters=job.shown,
        )

    monkeypatch.setattr(grid, "carry_out", play)
    return calls


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_every_combination_is_run_in_the_order_of_the_grid(light, played):
    seen = []
    told = rb.run_grid(
        light, grid={"region": ["ID", "VN"], "seed": ("1", 2)}, out="out", progress=lambda *said: seen.append(said)
    )
    assert told.frame()[["region", "seed"]].to_numpy().tolist() == [["ID", 1], ["ID", 2], ["VN", 1], ["VN", 2]]
    assert [run.id for run in told.runs] == ["r-ID-1", "r-ID-2", "r-VN-1", "r-VN-2"]
    assert [(count, runs) for count, runs, _ in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert told.exit_code == 0
    assert [str(fact) for fact in told.headline()] == ["Done: 4"]
    row = told.frame().iloc[3]
    assert (row["fact"], row["answer"], row["value"], row["lower"], row["upper"], row["unit"]) == (
        *("Cut", "20.0 % (0.00 to 100.0 %)", 0.2),
        *(0.0, 1.0, "share"),
    )
    assert told.drawable
    assert told.png()[:4] == b"\x89PNG"
    assert "&lt;b&gt;" in told._repr_html_()


@pytest.mark.parametrize(
    ("regions", "code", "words"),
    [
        (["ID", "II"], 3, ["Done: 1", "Infeasible: 1"]),
        (["ID", "II", "XX"], 1, ["Failed: 1"]),
        (["XX"], 1, ["Done: 0"]),
    ],
)
def test_the_gravest_end_is_the_grids(light, played, regions, code, words):
    told = rb.run_grid(light, grid={"region": regions}, out="out")
    assert told.exit_code == code
    for text in words:
        assert text in [str(fact) for fact in told.headline()]


def test_one_that_fails_stops_no_other_and_what_they_share_is_said(light, played):
    told = rb.run_grid(light, grid={"region": ["ID", "XX", "VN"], "seed": [1, 2]}, out="out", jobs=3)
    assert told.frame()["status"].to_list() == ["done", "done", "failed", "failed", "done", "done"]
    assert told.notes[0] == "2 of 6 runs failed: for region XX only; done for ID, VN."
    assert told.notes[1] == "All for the same reason: It failed."
    assert not any(main for _, _, main in played)


@pytest.mark.parametrize(("mode", "status"), [("disk", "failed"), ("store", "failed"), ("stop", "interrupted")])
def test_a_run_that_cannot_even_start_is_a_row(light, played, mode, status):
    told = rb.run_grid(light, {"mode": mode}, grid={"region": ["ID", "VN"]}, out="out")
    assert told.frame()["status"].to_list() == [status, status]
    assert told.exit_code == {"failed": 1, "interrupted": 130}[status]
    assert all(told.frame()["message"])
    assert "pa55word" not in str(told.to_dict()) + told._repr_html_()


def test_the_overview_is_a_page_that_runs_nothing_and_a_file_that_says_the_same(light, played):
    told = rb.run_grid(light, grid={"region": ["ID", "XX", "<script>bad()</script>"]}, out="out")
    tags: list[tuple[str, dict]] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attrs: tags.append((tag, dict(attrs)))
    reader.feed(told.page.read_text("utf-8"))
    assert "script" not in [tag for tag, _ in tags]
    assert [attrs["scope"] for tag, attrs in tags if tag == "th"][-3:] == ["row"] * 3
    links = [attrs["href"] for tag, attrs in tags if tag == "a"]
    assert links[0] == "light-ID-1/lead.html"
    assert len(links) == 6
    assert "bad()" not in "".join(href for href in links if "%3Cscript%3E" not in href)
    held = json.loads(told.page.with_suffix(".json").read_text("utf-8"))
    assert [row["status"] for row in held["runs"]] == told.frame()["status"].to_list()
    assert sorted(path.name for path in Path("out").iterdir() if not path.name.startswith("riskbench.")) == sorted(
        [told.page.name, told.page.with_suffix(".json").name]
    )


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"grid": {}}, "at least one"),
        ({"grid": []}, "at least one"),
        ({"grid": {"region": []}}, "no values"),
        ({"grid": {"region": "ID"}}, "not a list"),
        ({"grid": {"region": {"ID": 1}}}, "not a list"),
        ({"grid": {"region": {"ID", "VN"}}}, "not a list"),
        ({"grid": {"region": 3}}, "not a list"),
        ({"grid": {"regoin": ["ID"]}}, "did you mean 'region'"),
        ({"grid": {"region; import os": ["ID"]}}, "There is no parameter"),
        ({"grid": {"seed": ["1", 1]}}, "same run twice"),
        ({"grid": {"seed": ["1", "01"]}}, "same run twice"),
        ({"grid": {"region": ["ID", "ID"]}}, "same run twice"),
        ({"grid": {"seed": range(40), "region": [str(n) for n in range(40)]}}, "1,600 runs"),
        ({"grid": {"seed": range(10**9)}}, "at most 1,000"),
        ({"grid": {"seed": [1]}, "parameters": {"seed": 2}}, "among the parameters"),
        ({"grid": {"seed": ["a", 1, "b"], "region": ["ID"]}}, "2 cannot be made"),
        ({"grid": {"seed": [1]}, "jobs": 0}, "jobs"),
        ({"grid": {"seed": [1]}, "jobs": True}, "jobs"),
        ({"grid": {"seed": [1]}, "jobs": 1000}, "jobs"),
        ({"grid": {"seed": [1]}, "timeout": 0}, "timeout"),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(light, played, asked, words):
    with pytest.raises(ParameterError, match=words):
        rb.run_grid(light, out="out", **{"grid": {"seed": [1]}, **asked})
    assert not played
    assert not Path("out").exists()


def test_all_that_is_wrong_is_told_at_once(light, played):
    with pytest.raises(ParameterError) as caught:
        rb.run_grid(light, grid={"seed": ["x", 1, "y"], "mode": ["done", "nonsense"]}, out="out")
    told = str(caught.value)
    assert "6 runs, 5 cannot be made" in told
    for words in ("seed='x'", "seed='y'", "mode='nonsense'"):
        assert words in told
    assert "seed=1" in told
    assert not played


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["region"], "name=value,value"),
        (["=ID"], "name=value,value"),
        (["region=ID,"], "empty value"),
        (["region="], "empty value"),
        (["region=ID", "region=VN"], "twice"),
        (["region=[ID"], "region"),
        (["region=[!!python/object:os.system x]"], "region"),
    ],
)
def test_a_grid_that_cannot_be_read_is_one_message(texts, words):
    with pytest.raises(RiskbenchError, match=words):
        grid_from_command(texts)


def test_values_with_commas_and_words_that_yaml_would_turn():
    assert grid_from_command(["region=ID, NO", 'names=["a,b", NO]']) == {"region": ("ID", "NO"), "names": ("a,b", "NO")}


def test_none_is_a_value_of_a_grid(light):
    Path("events.csv").write_text("id\n1\n")
    jobs = combine(find(light), {}, grid_from_command(["source=[null, events.csv]"]), out="out")
    assert [job.values["source"] for job in jobs] == [None, "events.csv"]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["region", "mode", "other"]),
        st.lists(st.text("ABCabc_. -", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=5),
        min_size=1,
    )
)
def test_what_is_written_as_a_grid_is_read_as_it_was_meant(asked):
    plain = {name: [text for text in texts if not text.startswith("[")] or ["x"] for name, texts in asked.items()}
    assert grid_from_command(f"{name}={','.join(texts)}" for name, texts in plain.items()) == {
        name: tuple(texts) for name, texts in plain.items()
    }
    listed = (f"{name}={json.dumps(texts)}" for name, texts in asked.items())
    assert grid_from_command(listed) == {name: tuple(texts) for name, texts in asked.items()}


# --- resume ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def one(light):
    """One run that was really made, and a function that says whether it stands."""
    Path("events.csv").write_text("id\n1\n")
    asked = {"region": "ID", "source": "events.csv"}
    told = rb.run_grid(light, {"source": "events.csv"}, grid={"region": ["ID"]}, out="out")
    assert told.exit_code == 0, told.notes

    def stands(out="out", **more) -> str:
        playbook = find(light)
        job = prepare(playbook, {**asked, **more}, out="out")
        with Ledger(job.store) as ledger:
            run, why = resume.standing(job, Path(out), ledger, today=stamp_of(playbook, {}))
        assert (run is None) == bool(why)
        return why

    stands.run = told.runs[0]
    return stands


def test_a_run_stands_only_while_nothing_that_it_rests_on_has_moved(one, light, monkeypatch):
    assert one() == ""
    assert "no run with these parameters" in one(seed=2)
    assert "no run with these parameters" in one(region="VN")
    assert "lies elsewhere" in one(out="other")

    Path("events.csv").touch()
    assert one() == "", "the same content is the same data"
    told = Path("events.csv").stat()
    Path("events.csv").write_text("id\n2\n")
    os.utime("events.csv", ns=(told.st_atime_ns, told.st_mtime_ns))
    assert "'source' names has changed" in one(), "same size and time, other content"
    Path("events.csv").write_text("id\n1\n")
    assert one() == ""

    before = light.read_text("utf-8")
    light.write_text(before.replace("% 1000", "% 1001"), encoding="utf-8")
    assert "code has changed" in one()
    light.write_text(before.replace("# Light", "# Lighter"), encoding="utf-8")
    assert one() == "", "words are no code"

    monkeypatch.setattr(seal, "sources", lambda: {"rules": "other"})
    assert "own code has changed" in one()
    monkeypatch.setattr(seal, "sources", dict)
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "9" if name == "numpy" else version(name))
    assert "the version of numpy has changed" in one()


def test_neither_the_ledger_nor_the_folder_alone_is_believed(one):
    folder = one.run.folder
    spare = folder.with_name("spare")
    shutil.copytree(folder, spare)

    def broken(path: str, change) -> str:
        held = (folder / path).read_bytes()
        change(folder / path)
        why = one()
        (folder / path).write_bytes(held)
        assert one() == ""
        return why

    assert "lead.html" in broken("lead.html", lambda path: path.write_text("<p>better figures</p>"))
    assert "full.html" in broken("full.html", Path.unlink)
    assert "run.json" in broken("run.json", Path.unlink)
    assert "run.json" in broken("run.json", lambda path: path.write_text(path.read_text().replace("ID", "VN")))
    assert "results.json" in broken("results.json", lambda path: path.write_text("{}"))
    shutil.rmtree(folder)
    assert "gone" in one()
    shutil.copytree(spare, folder)
    assert one() == ""
    with Ledger("out/riskbench.db") as ledger:
        ledger.end(one.run.id, "failed", error="no")
    assert "no run with these parameters" in one(), "a folder that says done is not believed without the ledger"


def test_what_cannot_be_looked_at_is_run_again(light, monkeypatch):
    monkeypatch.setenv("DB", "postgresql://ana:pa55word@db/risk")
    for source in ("postgresql://db/risk", "env:DB", "https://x.invalid/events.csv"):
        job = prepare(find(light), {"source": source}, out="out")
        stamp = {**stamp_of(job.playbook, {}), "inputs": {"source": None}}
        assert resume.what_moved(stamp, job, today=stamp_of(job.playbook, {})) == [
            "what 'source' holds cannot be known without reading it"
        ]


def test_a_resumed_grid_keeps_what_stands_and_says_why_not(one, light):
    told = rb.run_grid(light, {"source": "events.csv"}, grid={"region": ["ID"]}, out="out", resume=True)
    assert [run.id for run in told.runs] == [one.run.id]
    assert told.frame()["skipped"].to_list() == [True]
    assert [str(fact) for fact in told.headline()] == ["Done: 1", "Skipped: 1"]
    assert told.runs[0].headline == one.run.headline
    (told.runs[0].folder / "lead.html").write_text("touched")
    again = rb.run_grid(light, {"source": "events.csv"}, grid={"region": ["ID"]}, out="out", resume=True)
    assert again.runs[0].id != one.run.id
    assert again.exit_code == 0
    assert "lead.html is not what was written" in again.frame()["again"][0]
