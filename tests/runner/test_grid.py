"""Does a grid run what was asked, keep what still stands and nothing else, and survive being killed?"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from light import light_notebook

import riskbench as rb
from riskbench.display import Fact
from riskbench.errors import ParameterError, RiskbenchError, StoreError
from riskbench.runner import Run, find, grid, resume, seal
from riskbench.runner.combinations import combine, grid_from_command
from riskbench.runner.run import prepare, stamp_of
from riskbench.store import Ledger


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a playbook that does next to nothing; the working folder is fresh."""
    path = tmp_path / "light.ipynb"
    path.write_text(json.dumps(light_notebook()), encoding="utf-8")
    monkeypatch.setattr(seal, "sources", dict)  # somebody may be editing the library while this runs
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return path


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


# --- kills -----------------------------------------------------------------------------------------------------------

DRIVER = """
import sys
from riskbench.runner import seal
seal.sources = dict  # somebody may be editing the library while this runs
from riskbench.cli import main
main()
"""


def family(pid: int) -> list[int]:
    """Return all processes below one."""
    found, waiting = [], [pid]
    while waiting:
        at = waiting.pop()
        for task in Path(f"/proc/{at}/task").glob("*/children"):
            try:
                below = [int(child) for child in task.read_text().split()]
            except OSError:
                continue
            found += below
            waiting += below
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_grid_killed_at_random_moments_ends_with_the_same_results(light):
    random_ = random.Random(20261123)
    regions, seeds = ["ID", "VN", "TH"], [1, 2]
    command = [sys.executable, "-c", DRIVER, "run", str(light), "--grid", f"region={','.join(regions)}"]
    command += ["--grid", "seed=1,2", "--jobs", "2", "--resume", "--out", "out"]
    seen: set[int] = set()
    for kill in ("group", "worker", "kernel", "interrupt", ""):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        until = time.monotonic() + random_.uniform(4, 7)
        while kill and time.monotonic() < until and process.poll() is None:
            seen.update(family(process.pid))
            time.sleep(0.1)
        below = family(process.pid)
        if kill == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif kill == "interrupt":
            process.send_signal(signal.SIGINT)
        elif kill and below:
            at = below[0] if kill == "worker" else below[-1]
            os.kill(at, signal.SIGKILL)
        out, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors
        seen.update(below)
        if kill == "interrupt" and process.returncode:
            assert (process.returncode, "--resume goes on" in errors) == (130, True)
        if kill in ("worker", "kernel") and below:
            assert process.returncode in {0, 1, 130}, errors
    assert process.returncode == 0, out + errors
    for _ in range(100):
        left = [pid for pid in seen if alive(pid)]
        if not left:
            break
        time.sleep(0.1)
    assert not left
    with Ledger("out/riskbench.db") as ledger:
        entries = ledger.entries(limit=1000)
    assert "running" not in {entry.status for entry in entries}
    done = [(entry.parameters["region"], entry.parameters["seed"]) for entry in entries if entry.status == "done"]
    assert sorted(done) == sorted((region, seed) for region in regions for seed in seeds), "each done once"
    held = json.loads(next(Path("out").glob("grid-*.json")).read_text("utf-8"))
    assert {(row["region"], row["seed"]): row["value"] for row in held["runs"]} == {
        (region, seed): zlib.crc32(f"{region}{seed}".encode()) % 1000 for region in regions for seed in seeds
    }
    folders = [path for path in Path("out").iterdir() if path.is_dir()]
    assert sorted(json.loads((path / "run.json").read_text("utf-8"))["status"] for path in folders) == ["done"] * 6
    assert not [path for mark in (".run-*", ".old-*", ".*.part") for path in Path("out").glob(mark)]
