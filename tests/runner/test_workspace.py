"""Does a workspace work at once, and is nothing ever overwritten or half-written?"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import riskbench as rb
from riskbench.config import settings, workspace
from riskbench.errors import ConfigError, ParameterError, PlaybookError
from riskbench.runner import find, from_command
from riskbench.runner.run import prepare
from riskbench.runner.workspace import LAB, new_workspace, with_defaults


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return new_workspace(tmp_path_factory.mktemp("held") / "bench").folder


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    """A fresh copy of the workspace, which is the working folder."""
    for name in [name for name in os.environ if name.startswith("RISKBENCH_")]:
        monkeypatch.delenv(name)
    folder = shutil.copytree(made, tmp_path / "bench")
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_workspace_holds_what_its_readme_says(here):
    held = files(here)
    for name in (
        "riskbench.toml",
        ".gitignore",
        "README.md",
        "notebooks/start.ipynb",
        "playbooks/my_calibration.ipynb",
    ):
        assert held[name]
    assert [rb.RuleBook.read(path).domain for path in sorted(Path("rules").glob("*.yaml"))] == [
        "affiliation", "kyc", "onboarding", "transactions",
    ]  # fmt: skip
    assert "runs/" in held[".gitignore"].decode().split()
    assert b"{name}" not in held["README.md"]
    assert held["README.md"].startswith(b"# bench\n")
    assert sum(map(len, held.values())) < 2_000_000
    for name, value in LAB.items():
        assert json.loads(held[f".jupyter/lab/user-settings/{name}"]) == value
    given = from_command([], "data/transactions.yaml")
    events = rb.read(given["source"], roles=given["roles"], domain=given["domain"])
    assert (
        events.fingerprint
        == rb.read("data/transactions.parquet", roles=given["roles"], domain="transactions").fingerprint
    )
    assert events.rows > 3_000
    assert events.currency.code == "IDR"


def test_its_own_playbook_is_a_copy_that_stands_beside_the_shipped_one(here):
    found = rb.find_playbooks()
    rows = found.playbooks.set_index("id")
    assert rows.at["my_calibration", "origin"] == "workspace"
    assert rows.at["threshold_calibration", "origin"] == "shipped"
    assert found.shadowed.empty
    own, shipped = find("my_calibration"), find("threshold_calibration")
    assert own.parameters == shipped.parameters
    assert own.steps == shipped.steps
    assert own.title == "My calibration"


# -- what it adds to every run -----------------------------------------------------------------------------


def test_its_defaults_hold_where_nothing_else_is_asked_for(here, tmp_path):
    held = find("threshold_calibration")
    assert with_defaults(held, {}) == {"book": "rules/transactions.yaml"}
    assert with_defaults(held, {"domain": "kyc"}) == {"domain": "kyc", "book": "rules/kyc.yaml"}
    assert with_defaults(held, {"book": None}) == {"book": None}
    assert prepare(held, {}, out=tmp_path).shown["book"] == "rules/transactions.yaml"
    Path("riskbench.toml").write_text(
        '[defaults]\nbook = "rules/{domain}.yaml"\ndomain = "kyc"\nstart = 2026-09-01\ncosts = {minute_cost = 0.5}\n'
        'rule = "KY-001"\n'
    )
    given = with_defaults(held, {"region": "BR"})
    assert given == {
        "book": "rules/kyc.yaml", "domain": "kyc", "start": "2026-09-01", "costs": {"minute_cost": 0.5}, "region": "BR",
    }  # fmt: skip
    assert "rule" in with_defaults(find("rule_launch"), {}), "what only some playbooks take is given to those"
    assert prepare(held, {}, out=tmp_path).values["domain"] == "kyc"


def test_below_the_workspace_its_paths_are_its_own(here, monkeypatch):
    monkeypatch.chdir("notebooks")
    assert workspace() == here
    assert settings().out == str(here / "runs")
    assert with_defaults(find("my_calibration"), {})["book"] == str(here / "rules" / "transactions.yaml")
    assert (here / "playbooks").samefile(settings().playbooks[0])
    monkeypatch.setenv("RISKBENCH_OUT", "elsewhere")
    assert settings().out == "elsewhere"


def test_a_workspace_above_counts_only_when_it_is_ones_own(here, monkeypatch):
    (here / "riskbench.toml").unlink()
    monkeypatch.chdir("notebooks")
    assert workspace() is None
    assert settings().playbooks == ()
    with pytest.raises(PlaybookError):
        find("my_calibration")
    (here / "riskbench.toml").touch()
    assert workspace() == here
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert workspace() is None
    assert workspace(here) == here, "the folder itself is named by standing in it"
    monkeypatch.setenv("RISKBENCH_WORKSPACE", str(here))
    assert workspace() == here
    monkeypatch.setenv("RISKBENCH_WORKSPACE", "/nowhere")
    with pytest.raises(ConfigError, match="names no folder"):
        workspace()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[run", "cannot be read"),
        ("\xff\xfe", "cannot be read"),
        ("[runs]\nout = 'x'", "did you mean 'run'"),
        ("run = 3", "is a table"),
        ("[run]\nplaybooks = 'x'", "list of folders"),
        ("[run]\nplaybooks = ['nowhere']", "not there"),
        ("[run]\nplaybooks = ['a\\u0000b']", "not there"),
        ("[run]\ntimeout = 'soon'", "number of seconds"),
        ("[defaults]\nregoin = 'ID'", "did you mean 'region'"),
        ("a = " + "[" * 100_000, "cannot be read"),
        ("x" * 2_000_000, "too large"),
    ],
)
def test_wrong_settings_are_one_message(here, text, words):
    Path("riskbench.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=words):
        with_defaults(find("threshold_calibration"), {})


# -- making one --------------------------------------------------------------------------------------------


def test_what_is_there_is_never_overwritten(here, made):
    before = files(here)
    with pytest.raises(ParameterError, match="not empty") as told:
        new_workspace(here)
    assert "--fill" in str(told.value)
    assert files(here) == before
    Path("README.md").write_text("mine")
    shutil.rmtree("rules")
    Path("riskbench.toml").unlink()
    ended = new_workspace(here, fill=True)
    assert ended.written == tuple(
        sorted(["riskbench.toml", *(f"rules/{path.name}" for path in (made / "rules").iterdir())])
    )
    assert "README.md" in ended.kept
    assert files(here) == {**before, "README.md": b"mine"}
    assert new_workspace(here, fill=True).written == ()


@pytest.mark.parametrize(
    "name", ["", " ", "a\nb", "a\x00b", "\x1b[31m", "file", "file/below", "x" * 300, "/proc/x", "..", "."]
)
def test_a_folder_that_cannot_be_is_one_message_and_leaves_nothing(tmp_path, monkeypatch, name):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    Path("file").write_text("mine")
    with pytest.raises(ParameterError):
        new_workspace(name)
    assert {path.name for path in tmp_path.rglob("*")} == {"work", "file"}


def test_an_empty_folder_is_filled_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = tmp_path.stat().st_ino
    assert "riskbench.toml" in new_workspace(".").written
    assert tmp_path.stat().st_ino == there
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".riskbench")]


def test_a_fault_on_the_way_takes_everything_back(tmp_path, monkeypatch):
    linked = os.link
    held = tmp_path / "held"
    held.mkdir()
    (held / "mine").write_text("mine")

    def full(source, place, **more):
        if Path(place).name == "start.ipynb":
            raise OSError(28, "No space left on device")
        return linked(source, place, **more)

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(ParameterError, match="No space left"):
        new_workspace(held, fill=True)
    assert files(tmp_path) == {"held/mine": b"mine"}
    assert [path.name for path in held.iterdir()] == ["mine"]
    monkeypatch.setattr("riskbench.runner.workspace.write_events", lambda *_, **__: full("", "start.ipynb"))
    with pytest.raises(ParameterError, match="No space left"):
        new_workspace(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["held"]


def test_a_link_does_not_lead_it_elsewhere(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    elsewhere.mkdir()
    folder.mkdir()
    (folder / "rules").symlink_to(elsewhere)
    with pytest.raises(ParameterError, match="leads out"):
        new_workspace(folder, fill=True)
    assert not list(elsewhere.iterdir())
    assert [path.name for path in folder.iterdir()] == ["rules"]
