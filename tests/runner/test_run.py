"""Does a run end honestly, whatever happens to it?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

import riskbench as rb
from riskbench.errors import ParameterError, PlaybookError
from riskbench.runner import find, settle
from riskbench.runner.folder import folder_name
from riskbench.store import Ledger

OUT = "runs"
PASSWORD = "hunter2-s3cret"


class Page(HTMLParser):
    """What a browser would see of a page: its tags, attributes and words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += data


def ledger():
    with Ledger(f"{OUT}/riskbench.db") as held:
        return held.entries()


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def good(**more) -> rb.Run:
    run = rb.run("tiny", more, out=OUT)
    assert run.status == "done", run.message
    return run


def test_a_good_run_leaves_everything_and_nothing_else(tiny):
    Path("papermill.py").write_text("raise SystemExit('a file of the user stands for a library')")
    seen = []
    run = rb.run("tiny", {"seconds": "0", "region": "NO"}, out=OUT, progress=lambda at, of: seen.append((at, of)))
    assert run.status == "done"
    assert run.exit_code == 0
    assert run.folder.name.startswith("tiny-NO-")
    assert [str(fact) for fact in run.headline] == ["Events: 3", "Share: 25.0 % (20.0 to 30.0 %)"]
    assert sorted(path.name for path in run.folder.iterdir()) == sorted(
        ["run.json", "notebook.ipynb", "lead.html", "full.html", "results.json", "tables"]
    )
    assert sorted(path.name for path in Path(OUT).iterdir()) == sorted(
        [run.folder.name, "riskbench.db", "riskbench.key"]
    )
    assert seen[-1] == (11, 11)
    told = json.loads((run.folder / "run.json").read_text("utf-8"))
    assert (told["status"], told["parameters"]["region"], told["passed"]) == ("done", "NO", ["region", "seconds"])
    assert told["stamp"]["versions"]["riskbench"] == rb.__version__
    (entry,) = ledger()
    assert (entry.status, entry.folder, entry.id) == ("done", str(run.folder.resolve()), run.id)
    assert entry.headline[0]["value"] == 3

    results = run.results()
    assert sorted(results) == ["count", "count_2"]
    assert results["count"].frame()["name"].to_list()[:2] == ["a", "<b>b</b>"]

    lead, full = Page(run.folder / "lead.html"), Page(run.folder / "full.html")
    assert "rb.start" not in lead.words
    assert "rb.start" in full.words
    for page in (lead, full):
        assert "25.0 %" in page.words
        assert not {"script", "iframe", "link", "form", "object", "embed", "svg"} & set(page.tags)
        assert page.tags.count("h1") == 1
        assert ("lang", "en") in page.attributes
        assert "default-src 'none'" in dict(page.attributes).get("content", "") or any(
            "default-src 'none'" in value for _, value in page.attributes
        )
    held = json.loads((run.folder / "notebook.ipynb").read_text("utf-8"))
    assert [cell["execution_count"] for cell in held["cells"] if cell["cell_type"] == "code"] == [1, 2, 3, 4, 5, 6]
    assert "papermill" not in held["metadata"]


@pytest.mark.parametrize(
    ("mode", "status", "code", "told"),
    [
        ("infeasible", "infeasible", 3, ["No cut meets the constraints", "The nearest is 0.02", "parameter share"]),
        ("data", "failed", 1, ["The data does not fit", "Column 'amuont' is empty", "Work on them"]),
        ("crash", "failed", 1, ["unexpected", "KeyError"]),
        ("exit", "failed", 1, ["stopped early"]),
        ("unfinished", "failed", 1, ["stopped early", "Finish"]),
        ("die", "failed", 1, ["died", "memory", "Work on them"]),
    ],
)
def test_a_run_that_does_not_end_well_says_so_on_its_pages(tiny, mode, status, code, told):
    run = rb.run("tiny", {"mode": mode}, out=OUT)
    assert (run.status, run.exit_code, run.headline) == (status, code, ())
    assert len(run.pages) == 2
    for path in run.pages:
        page = Page(path)
        for words in told:
            assert words.lower() in page.words.lower(), words
        assert page.words.index(told[0]) < page.words.index("Count"), "what went wrong stands above the cells"
    assert "Traceback" not in Page(run.pages[0]).words
    assert all(words.lower() in run.message.lower() for words in told)
    assert not (run.folder / "results.json").exists()
    assert [entry.status for entry in ledger()] == [status]
    assert not list(Path(OUT).glob(".*"))


def test_a_good_folder_makes_way_for_a_good_run_only(tiny):
    first = good()
    before = everything(first.folder)
    tiny.write_text(tiny.read_text("utf-8").replace('raise KeyError(\\"internal\\")', "pass"), encoding="utf-8")
    broken = json.loads(tiny.read_text("utf-8"))
    broken["cells"][-1]["source"] = "1 / 0"
    tiny.write_text(json.dumps(broken), encoding="utf-8")
    bad = rb.run("tiny", out=OUT)
    assert bad.status == "failed"
    assert bad.folder != first.folder
    assert bad.folder.name == f"{first.folder.name}-failed"
    assert everything(first.folder) == before
    broken["cells"][-1]["source"] = "run.finish(count)"
    tiny.write_text(json.dumps(broken), encoding="utf-8")
    again = good()
    assert again.folder == first.folder
    assert everything(again.folder) != before
    assert [entry.status for entry in ledger()] == ["done", "failed", "done"]


@pytest.mark.parametrize("deaf", [False, True])
def test_a_run_that_takes_too_long_is_stopped_and_says_where(tiny, deaf):
    if deaf:
        ignoring = tiny.read_text("utf-8").replace(
            "time.sleep(seconds)", "signal.signal(2, signal.SIG_IGN); time.sleep(300)"
        )
        tiny.write_text(ignoring.replace("time.sleep(300)", "[time.sleep(1) for _ in range(300)]"), encoding="utf-8")
    run = rb.run("tiny", {"mode": "sleep", "seconds": 300}, out=OUT, timeout=10)
    assert run.status == "failed"
    assert run.seconds < 200
    assert "10 seconds" in run.message
    assert "Work on them" in run.message
    assert len(run.pages) == 2
    assert gone(int(Path("started.txt").read_text()))


def test_a_run_may_have_no_time_at_all(tiny):
    run = rb.run("tiny", {"mode": "sleep", "seconds": 300}, out=OUT, timeout=0.01)
    assert run.status == "failed"
    assert "took too long" in run.message
    assert not list(Path(OUT).glob(".*"))


def test_a_password_is_written_nowhere(tiny):
    url = f"postgresql://ana:{PASSWORD}@db.invalid/risk"
    run = rb.run("tiny", {"source": url, "mode": "data"}, out=OUT)
    assert run.status == "failed"
    assert "env:RISKBENCH_SECRET_SOURCE" in run.message or "***" in run.message
    for name, held in everything(Path(OUT)).items():
        assert PASSWORD.encode() not in held, name
    assert PASSWORD not in run.message
    assert run.parameters["source"] == "postgresql://ana:***@db.invalid/risk"


@pytest.mark.parametrize(
    "url", ["postgresql://me:s3c@r3t/pw9@127.0.0.1:1/db", "postgresql://me:s3cr/3tpw9@127.0.0.1:1/db"]
)
def test_no_part_of_a_password_that_is_slightly_off_is_written(tiny, url):
    run = rb.run("tiny", {"source": url, "mode": "data"}, out=OUT)
    assert run.status == "failed"
    assert run.parameters["source"] == "postgresql://me:***@127.0.0.1:1/db"
    for name, held in everything(Path(OUT)).items():
        for part in (b"s3c", b"r3t", b"3tpw9", b"pw9@"):
            assert part not in held, (name, part)


def test_a_page_runs_and_loads_nothing_that_a_cell_has_printed(tiny):
    run = good(mode="hostile")
    for path in run.pages:
        page = Page(path)
        assert not {"script", "iframe", "svg", "object", "embed", "form", "link", "base"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        for name, value in page.attributes:
            if name in ("src", "href"):
                assert value.startswith(("data:image/png;base64,", "#", "https://")), (name, value)
            if name == "style":
                assert "url" not in value
        assert "kept" in page.words
    full = Page(run.folder / "full.html")
    assert full.tags.count("meta") == 5


def test_what_is_wrong_is_refused_before_a_kernel_starts(tiny):
    with pytest.raises(ParameterError, match="did you mean 'share'"):
        rb.run("tiny", {"shaer": 0.1}, out=OUT)
    with pytest.raises(ParameterError, match="0 to 1"):
        rb.run("tiny", {"share": 2}, out=OUT)
    with pytest.raises(PlaybookError, match="did you mean 'tiny'"):
        rb.run("tinny", out=OUT)
    with pytest.raises(ParameterError, match="timeout"):
        rb.run("tiny", out=OUT, timeout=0)
    with pytest.raises(ParameterError, match="password"):
        rb.run("tiny", {"names": [f"a://b:{PASSWORD}@c"]}, out=OUT)
    assert not list(Path(OUT).glob("tiny*"))
    assert not Path(OUT, "riskbench.db").exists()


def gone(pid: int) -> bool:
    """Whether a process has ended, within a few seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def started(process: subprocess.Popen) -> int:
    """Return the kernel's pid once the playbook works."""
    for _ in range(600):
        if Path("started.txt").is_file() and (text := Path("started.txt").read_text()):
            return int(text)
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError("it did not start")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_run_leaves_the_good_folder_and_no_process(tiny, name):
    asked = {"mode": "sleep", "seconds": 300}
    first = Path(OUT, folder_name("tiny", settle(find("tiny").parameters, asked)))
    first.mkdir(parents=True)
    (first / "run.json").write_text('{"status": "done"}')
    command = [sys.executable, "-m", "riskbench", "run", "tiny", "-p", "mode=sleep", "-p", "seconds=300", "--out", OUT]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    kernel = started(process)
    (worker,) = children(process.pid)
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if name == "SIGKILL" else 130)
    assert "Traceback" not in errors
    assert gone(kernel)
    assert gone(worker)
    assert everything(first) == {"run.json": b'{"status": "done"}'}
    assert [entry.status for entry in ledger()] == ["interrupted"]
    assert not list(Path(OUT).glob(".run-*"))


def test_a_killed_worker_counts_as_interrupted(tiny):
    process = subprocess.Popen(
        [sys.executable, "-m", "riskbench", "run", "tiny", "-p", "mode=sleep", "-p", "seconds=300", "--out", OUT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    kernel = started(process)
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "killed" in errors
    assert gone(kernel)
    assert [entry.status for entry in ledger()] == ["interrupted"]
    assert not list(Path(OUT).glob("*tiny*"))
    assert not list(Path(OUT).glob(".run-*"))


def test_the_domain_stands_in_the_folder_unless_it_is_transactions():
    assert folder_name("tiny", {"domain": "kyc", "region": "ID"})[:-8] == "tiny-kyc-ID-"
    assert folder_name("tiny", {"domain": "transactions", "region": "ID"})[:-8] == "tiny-ID-"
    assert "/" not in folder_name("tiny", {"domain": "../x", "region": None})


def test_a_run_that_did_not_end_well_says_why_on_one_line(tmp_path):
    message = "The data does not fit: no rows\nGot: 0\nWhere: step 2, Data\nWhat to try: a longer window"
    for status in ("failed", "infeasible", "interrupted"):
        told = repr(rb.Run(id="a", playbook="tiny", status=status, message=message, seconds=1.5))
        assert told == f"Run(tiny: {status}, 1.5 s, The data does not fit: no rows; Where: step 2, Data)"
    assert repr(rb.Run(id="a", playbook="tiny", status="done", seconds=1.5)) == "Run(tiny: done, 1.5 s)"
    assert len(repr(rb.Run(id="a", playbook="tiny", status="failed", message="x\r" * 5000))) < 400
