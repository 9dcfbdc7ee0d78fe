"""Does the command line say one clear thing, and end with the right number?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from riskbench import cli
from riskbench.store import Ledger

BOOK = """
book: demo
domain: transactions
features:
  buyer_orders_1h: {count: "*", by: buyer_id, window: 1h}
rules:
  - id: TX-1
    title: High amount
    when: amount > :limit AND buyer_orders_1h > 2
    params: {limit: 500}
    regions: {"NO": {limit: 300}}
    outcome: review
    status: live
"""


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    """Return a function that runs a command in a fresh folder and returns its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("RISKBENCH_OUT", "RISKBENCH_STORE", "RISKBENCH_TIMEOUT", "RISKBENCH_PLAYBOOKS", "RISKBENCH_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cli.entry.signal, "signal", lambda *_: None)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["riskbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        held = capsys.readouterr()
        assert "Traceback" not in held.err
        return ended.value.code, held.out, held.err

    return run


def test_the_catalogue_and_what_a_playbook_takes(told):
    code, out, _ = told("playbooks")
    assert code == 0
    assert "threshold_calibration" in out
    code, out, _ = told("describe", "threshold_calibration")
    assert code == 0
    assert "max_review_rate" in out
    assert "off with a source" in out
    assert " 8. What the rules do today" in out
    code, out, err = told("playbooks", "cut", "review", "--domain", "kyc", "--owner", "analyst")
    assert (code, err) == (0, "")
    assert out.startswith("threshold_calibration")
    code, out, err = told("playbooks", "tresholds")
    assert (code, out) == (0, "")
    assert "the nearest word is 'threshold'" in err


def test_a_workspace_is_made_and_its_playbooks_are_told_by_their_place(told, monkeypatch):
    code, out, _ = told("new", "my bench")
    assert (code, "cd 'my bench'" in out) == (0, True)
    assert all((Path("my bench") / line.strip()).is_file() for line in out.splitlines() if line.startswith("  rules"))
    assert told("new", "my bench")[0] == 2
    code, out, _ = told("new", "my bench", "--fill")
    assert (code, "README.md  (was there, left alone)" in out) == (0, True)
    monkeypatch.chdir("my bench")
    Path("playbooks/broken.ipynb").write_text("nonsense")
    code, out, err = told("playbooks")
    assert code == 0
    assert "My calibration  (workspace)" in out
    assert "broken (workspace) cannot be read: broken.ipynb is not a notebook" in err
    assert told("describe", "broken")[0] == 2
    assert "rules/{domain}.yaml in this workspace" in told("describe", "my_calibration")[1]
    code, out, _ = told("playbooks", "calibration", "--html", "index.html")
    assert (code, out) == (0, "  index.html\n")
    assert "riskbench run my_calibration" in Path("index.html").read_text("utf-8")
    Path("riskbench.toml").write_text("[run")
    for command in (("playbooks",), ("run", "my_calibration"), ("describe", "my_calibration"), ("runs",)):
        code, out, err = told(*command)
        assert (code, out, "riskbench.toml cannot be read" in err) == (2, "", True)


def test_lab_hands_on_what_stands_behind_two_dashes(told, monkeypatch):
    asked = []
    monkeypatch.setattr("riskbench.runner.lab.open_lab", lambda *given, **more: asked.append((given, more)) or 5)
    assert told("lab")[0] == 5
    assert told("lab", "--", "--debug", "x")[0] == 5
    assert told("lab", "there", "--port", "9999", "--no-browser", "--", "--a", "--", "b")[0] == 5
    nothing = {"port": None, "browser": True}
    assert asked == [
        ((Path(),), {**nothing, "more": []}),
        ((Path(),), {**nothing, "more": ["--debug", "x"]}),
        ((Path("there"),), {"port": 9999, "browser": False, "more": ["--a", "--", "b"]}),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nonsense",), 2, "No such command"),
        (("run",), 2, "Missing argument"),
        (("run", "threshold_calibraton"), 2, "did you mean 'threshold_calibration'"),
        (("run", "threshold_calibration", "-p", "regoin=BR"), 2, "did you mean 'region'"),
        (("run", "threshold_calibration", "-p", "max_review_rate=3"), 2, "0 to 1"),
        (("run", "threshold_calibration", "-p", "orders=many"), 2, "a whole number"),
        (("run", "threshold_calibration", "-p", "source=nowhere.csv"), 2, "names no file"),
        (("run", "threshold_calibration", "-p", "region"), 2, "key=value"),
        (("run", "threshold_calibration", "-f", "nowhere.yaml"), 2, "cannot be read"),
        (("run", "threshold_calibration", "--timeout", "-1"), 2, "above 0"),
        (("run", "threshold_calibration", "--store", "nonsense://x"), 1, "cannot be opened"),
        (("describe", "nothing"), 2, "There is no playbook"),
        (("playbooks", "--domain", "kycc"), 2, "did you mean 'kyc'"),
        (("playbooks", "--owner", "nobody"), 2, "owner 'nobody'"),
        (("playbooks", "--html", "index.txt"), 2, "ends in .html"),
        (("playbooks", "--html", "/proc/index.html"), 2, "cannot be written"),
        (("new",), 2, "Missing argument"),
        (("new", "/proc/there"), 2, "cannot be written"),
        (("new", "a\nb"), 2, "one line"),
        (("lab",), 2, "is no workspace"),
        (("lab", "nowhere"), 2, "There is no folder"),
        (("lab", "--port", "0"), 2, "--port"),
        (("runs",), 1, "no runs"),
        (("runs", "--limit", "0"), 2, "--limit"),
        (("run", "threshold_calibration", "--out", "/proc"), 2, "'/proc' cannot be written"),
        (("show", "x"), 1, "no runs"),
        (("incidents", "list"), 1, "no incidents"),
        (("incidents", "show", "7"), 1, "no incidents"),
        (("incidents", "show"), 2, "Missing argument"),
        (("rules", "check", "nowhere.yaml"), 2, "no such rule book"),
        (("rules", "diff", "nowhere.yaml", "there.yaml"), 2, "no such rule book"),
        (("rules", "diff", "nowhere.yaml"), 2, "Missing argument"),
        (("sample", "there", "--region", "XX"), 2, "XX"),
        (("sample", "there", "--orders", "3"), 2, "out of range"),
    ],
)
def test_wrong_use_is_one_message(told, arguments, code, words):
    ended, out, err = told(*arguments)
    assert ended == code
    assert words.lower() in err.lower()
    assert not out


def test_a_rule_book_is_checked_and_shown_as_sql(told):
    Path("book.yaml").write_text(BOOK)
    code, out, _ = told("rules", "check", "book.yaml")
    assert (code, "0 errors" in out) == (0, True)
    code, out, _ = told("rules", "sql", "book.yaml", "--dialect", "spark")
    assert code == 0
    assert "`amount` > 500" in out
    assert "-- TX-1 in NO: High amount" in out
    assert "`amount` > 300" in out
    code, _, err = told("rules", "sql", "book.yaml", "--dialect", "sparc")
    assert (code, "spark" in err) == (2, True)
    Path("book.yaml").write_text(BOOK.replace("amount > :limit", "amount >> :limit"))
    code, out, _ = told("rules", "check", "book.yaml")
    assert (code, "^" in out) == (1, True)


def test_two_rule_books_are_compared_rule_by_rule(told):
    Path("a.yaml").write_text(BOOK)
    Path("b.yaml").write_text("# words\n" + BOOK)
    assert told("rules", "diff", "a.yaml", "a.yaml")[:2] == (0, "same rules\n")
    code, out, _ = told("rules", "diff", "a.yaml", "b.yaml")
    assert (code, out) == (0, "same rules; only comments or the form differ\n")
    Path("b.yaml").write_text(BOOK.replace("amount > :limit", "amount > :limit AND is_new"))
    code, out, _ = told("rules", "diff", "a.yaml", "b.yaml")
    assert (code, out) == (1, "TX-1  High amount\n  condition added: is_new\n")
    Path("b.yaml").write_text(BOOK.replace("amount", "amount >>"))
    code, out, err = told("rules", "diff", "a.yaml", "b.yaml")
    assert (code, out) == (2, "")
    assert "^" in err


def test_a_rule_book_is_checked_against_data(told):
    Path("book.yaml").write_text(BOOK)
    Path("events.csv").write_text("buyer_id,amuont\na,1.5\n")
    code, out, _ = told("rules", "check", "book.yaml", "--data", "events.csv")
    assert code == 1
    assert "amuont" in out
    Path("events.csv").write_text("buyer_id,total\na,1.5\n")
    code, out, _ = told("rules", "check", "book.yaml", "--data", "events.csv", "--roles", "{amount: total}")
    assert code == 0, out


def test_the_sample_on_disk_reads_back_as_it_is(told):
    import riskbench as rb
    from riskbench.runner import from_command

    code, out, _ = told("sample", "there", "--orders", "800", "--region", "BR")
    assert code == 0
    written = out.split()
    assert all(Path(path).is_file() for path in written)
    assert {"there/labels.parquet", "there/tables/labels.parquet"} & set(written)
    for domain, made in rb.marketplace(orders=800, region="BR").datasets.items():
        assert f"there/{domain}.yaml" in written
        assert f"there/{domain}/book.yaml" in written
        held = from_command([], f"there/{domain}.yaml")
        assert rb.RuleBook.read(held["book"]).domain == domain
        back = rb.read(held["source"], roles=held["roles"], domain=held["domain"])
        assert (back.rows, back.names, dict(back.kinds)) == (made.rows, made.names, dict(made.kinds))
        assert back.roles == made.roles
        assert back.currency == made.currency


def test_a_sample_never_overwrites_what_is_there(told):
    Path("mine/transactions").mkdir(parents=True)
    Path("mine/transactions/events.parquet").write_text("mine")
    for folder in ("mine", "mine/transactions/events.parquet"):
        code, out, _ = told("sample", folder, "--orders", "800")
        assert (code, out) == (2, "")
    assert "new folder" in told("sample", "mine")[2]
    assert [path.read_text() for path in Path("mine").rglob("*.parquet")] == ["mine"]
    Path("empty").mkdir()
    assert told("sample", "empty", "--orders", "800", "--region", "NO")[0] == 0


def test_runs_are_listed_and_shown(told):
    with Ledger("runs/riskbench.db") as ledger:
        ledger.begin("20260101-aaaa", "tiny", {"region": "NO", "source": "postgresql://ana:pw@db"})
        ledger.end(
            "20260101-aaaa",
            "done",
            folder="/there",
            seconds=2.0,
            headline=[{"name": "Cut", "text": "0.5"}],
            stamp={"data": {"name": "events", "fingerprint": "f1"}},
        )
        ledger.begin("20260102-bbbb", "tiny", {})
    code, out, _ = told("runs")
    assert code == 0
    assert out.index("20260102-bbbb") < out.index("20260101-aaaa")
    code, out, _ = told("show", "20260101")
    assert code == 0
    for words in ("done", "NO", "Cut: 0.5", "events f1", "/there", "ana:***@db"):
        assert words in out
    assert told("show", "2026")[0] == 1


def test_a_run_is_found_by_its_folder_or_the_hash_in_its_name(told):
    with Ledger("runs/riskbench.db") as ledger:
        for number, name in (
            ("1", "tiny-ID-0a1b2c3d"),
            ("2", "tiny-kyc-ID-99998888"),
            ("3", "tiny-NO-77776666-failed"),
        ):
            ledger.begin(f"2026010{number}-aaaa", "tiny", {})
            ledger.end(f"2026010{number}-aaaa", "done", folder=f"/there/runs/{name}")
    for asked in ("0a1b2c3d", "tiny-ID-0a1b2c3d", "runs/tiny-ID-0a1b2c3d/"):
        code, out, _ = told("show", asked)
        assert (code, "20260101-aaaa" in out) == (0, True)
        code, out, _ = told("runs", asked)
        assert (code, "20260101-aaaa" in out, "20260102" in out) == (0, True, False)
    assert "20260103-aaaa" in told("show", "77776666")[1]
    assert told("show", "1b2c3d")[0] == 1
    assert told("show", "%")[0] == 1
    assert told("show", "/")[0] == 1


def test_the_version_and_the_help(told):
    from importlib.metadata import version

    assert told("--version") == (0, f"riskbench {version('riskbench')}\n", "")
    _, out, _ = told("run", "--help")
    assert "`runs` when not given" in " ".join(out.replace("│", " ").split())
    assert "incidents" in told("--help")[1]


@pytest.mark.parametrize(("ended", "code"), [("done", 0), ("failed", 1), ("infeasible", 3), ("interrupted", 130)])
def test_the_exit_code_says_how_the_run_ended(told, monkeypatch, tmp_path, ended, code):
    from riskbench.display import Fact
    from riskbench.runner import Run, run

    (tmp_path / "lead.html").touch()
    asked = {}

    def played(name, parameters, **more):
        asked.update(name=name, parameters=parameters, **more)
        return Run(id="a", playbook=name, status=ended, folder=tmp_path, headline=(Fact("Cut", 0.5),), message="why")

    monkeypatch.setattr("riskbench.runner.run", played)
    Path("p.yaml").write_text("region: NO\nshare: 0.1\n")
    Path("riskbench.toml").write_text('[run]\nout = "elsewhere"\n')
    got, out, err = told("run", "tiny", "-f", "p.yaml", "-p", "share=0.2", "--timeout", "9")
    assert got == code
    assert asked["parameters"] == {"region": "NO", "share": "0.2"}
    assert (asked["out"], asked["timeout"]) == ("elsewhere", 9.0)
    assert ("Cut: 0.5" in out) == (ended == "done")
    assert ("why" in err) == (ended != "done")
    assert "run a" in out + err
    assert "lead.html" in out
    assert run is not played


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Runs of a grid are not made but played: VN fails, TH finds no cut, XX is interrupted by Ctrl-C."""
    from riskbench.display import Fact
    from riskbench.runner import Run

    def play(job, out, ledger, progress=None, *, stop=None):
        region = job.values["region"]
        status = {"VN": "failed", "TH": "infeasible"}.get(region, "done")
        facts = (Fact("Cut", 0.5),) if status == "done" else ()
        return Run(
            id=f"r{region}", playbook="x", status=status, headline=facts, message="why\nmore", parameters=job.shown
        )

    monkeypatch.setattr("riskbench.runner.grid.carry_out", play)


@pytest.mark.parametrize(
    ("regions", "code", "words"),
    [
        ("ID", 0, ["1/1 region=ID: done, Cut: 0.5", "Done: 1"]),
        ("ID,TH", 3, ["infeasible, why", "Infeasible: 1"]),
        ("ID,TH,VN", 1, ["/3 region=VN: failed, why", "Failed: 1", "for region VN only; done for ID"]),
    ],
)
def test_a_grid_tells_one_line_a_run_and_ends_as_its_gravest(told, played, regions, code, words):
    ended, out, err = told("run", "threshold_calibration", "--grid", f"region={regions}", "--jobs", "2")
    assert (ended, err) == (code, "")
    for text in words:
        assert text in out
    assert list(Path("runs").glob("grid-threshold_calibration-*.html"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--grid", "region"), "name=value"),
        (("--grid", "region=ID,,VN"), "empty value"),
        (("--grid", "region=ID", "--grid", "region=VN"), "twice"),
        (("--grid", "region=ID,ID"), "same run twice"),
        (("--grid", "region=ID", "-p", "region=VN"), "among the parameters"),
        (("--grid", "region=ID,QQ,ZZ"), "3 runs, 2 cannot be made"),
        (("--grid", "region=ID", "--jobs", "0"), "jobs"),
        (("--grid", "region=ID", "--jobs", "many"), "--jobs"),
        (("--resume",), "belongs to a grid"),
        (("--jobs", "2"), "belongs to a grid"),
    ],
)
def test_a_wrong_grid_starts_nothing(told, played, arguments, words):
    ended, out, err = told("run", "threshold_calibration", *arguments)
    assert (ended, out) == (2, "")
    assert words in err
    assert not Path("runs").exists()


def test_a_grid_that_is_interrupted_says_how_it_goes_on(told, monkeypatch):
    def stopped(*_: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("riskbench.runner.grid.run_grid", stopped)
    ended, out, err = told("run", "threshold_calibration", "--grid", "region=ID,VN")
    assert (ended, out) == (130, "")
    assert "--resume" in err


def test_on_a_terminal_a_bar_shows_how_far_a_grid_is(told, played, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    ended, out, err = told("run", "threshold_calibration", "--grid", "region=ID,BR")
    assert ended == 0
    assert "2/2 region=" in out
    assert "2/2 [" in err or "50%" in err


def test_the_demo_runs_the_main_jobs_that_there_are(told, monkeypatch):
    from riskbench.runner import Run

    seen = []
    monkeypatch.setattr(
        "riskbench.runner.run",
        lambda name, parameters, **more: (
            seen.append((name, parameters, more["out"])) or Run(id="a", playbook=name, status="done")
        ),
    )
    assert told("demo", "--out", "there")[0] == 0
    assert ("threshold_calibration", {}, "there") in seen
    assert told("demo")[0] == 0
    assert seen[-1][2] == "demo-out"


def test_an_unexpected_fault_is_told_without_a_password(told, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise OSError("cannot reach postgresql://ana:pa55@db")

    monkeypatch.setattr("riskbench.runner.find_playbooks", broken)
    code, _, err = told("playbooks")
    assert code == 1
    assert "pa55" not in err
    assert "--debug" in err


def test_help_is_fast_to_load():
    """The command line loads no heavy library before it needs one."""
    import subprocess

    code = (
        "import sys, riskbench.cli; print([m for m in ('pandas', 'numpy', 'duckdb', 'papermill') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_module_is_the_command():
    import subprocess

    done = subprocess.run([sys.executable, "-m", "riskbench", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    for name in ("demo", "sample", "playbooks", "describe", "run", "runs", "show", "rules"):
        assert name in done.stdout
    assert json.dumps(done.stderr) == '""'


def test_the_book_of_incidents_is_read(told):
    import riskbench as rb

    Path("runs").mkdir()
    with rb.open_casebook("runs/riskbench.db") as book:
        book.open("Refusals <b>jump</b>", by="ana", facts={"region": "ID", "people": 7}, when="2026-01-01")
        book.open("Stolen cards", by="bo", facts={"region": "BR"})
        book.write("1", "public_summary", text="Some parcels were refused in bad faith.", by="ana")
    code, out, _ = told("incidents", "list", "--region", "ID")
    assert (code, "INC-0001" in out, "INC-0002" in out) == (0, True, False)
    code, out, _ = told("incidents", "show", "inc-1")
    assert (code, "Refusals <b>jump</b>" in out, "ana: opened" in out) == (0, True, True)
    code, out, _ = told("incidents", "postmortem", "1", "page.html")
    assert code == 0
    assert "Refusals &lt;b&gt;jump" in Path("page.html").read_text()
    code, out, _ = told("incidents", "postmortem", "1")
    assert (code, out.startswith("# Post-mortem INC-0001")) == (0, True)
    code, out, _ = told("incidents", "update", "1", "sellers")
    assert (code, "refused in bad faith" in out, "Refusals" in out) == (0, True, False)
    code, out, _ = told("incidents", "handover", "2026-01-01", "America/Sao_Paulo", "--from", "Asia/Jakarta")
    assert (code, "INC-0002" in out, "UTC-03:00" in out) == (0, True, True)
    code, out, _ = told("incidents", "verify")
    assert (code, "they hold" in out) == (0, True)
    for arguments, end, words in (
        (("show", "9"), 1, "no incident INC-0009"),
        (("show", "x"), 1, "no incident's id"),
        (("postmortem", "1", "page.pdf"), 2, ".html or .md"),
        (("update", "1", "leaders"), 2, "leadership"),
        (("list", "--state", "opne"), 2, "'open'"),
        (("handover", "now", "UTC"), 2, "no moment"),
    ):
        code, out, err = told("incidents", *arguments)
        assert (code, out) == (end, "")
        assert words in err


def test_a_history_that_was_changed_ends_with_one(told):
    import sqlite3

    import riskbench as rb

    with rb.open_casebook("book.db") as book:
        book.open("x", by="ana")
    with sqlite3.connect("book.db") as changed:
        changed.execute("drop trigger riskbench_incident_events_update")
        changed.execute("update riskbench_incident_events set actor = 'eve'")
    changed.close()
    code, out, _ = told("incidents", "verify", "--store", "book.db")
    assert (code, "event 1 was changed" in out) == (1, True)


def test_a_page_without_findings_is_told_what_is_not_looked_for(told, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>Ana Silva called.</p>", encoding="utf-8")
    code, out, _ = told("check-page", str(page))
    assert code == 0
    assert out.strip().endswith("nothing found; names of people in free text are not looked for")
