"""Does verify say what moved, and only then?"""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from watched import BOOK, Place, edit_ledger, events

import riskbench as rb
from riskbench.errors import PlaybookError, RiskbenchError
from riskbench.runner import seal, today
from riskbench.runner.verification import VERDICTS

FILES = ("lead.html", "full.html", "notebook.ipynb", "results.json", "tables/watch-rules.parquet", "inputs/book.yaml")


def why(held: rb.Verification, question: str) -> tuple[str, str]:
    row = held.answers[held.answers["question"] == question].iloc[0]
    return row["answer"], row["why"]


def moved(held: rb.Verification) -> list[str]:
    return held.answers.loc[held.answers["answer"] == "yes", "question"].to_list()


def test_an_untouched_run_is_still_true_and_keeps_what_it_needs(place: Place):
    held = rb.verify_run(place.first)
    assert held.verdict == "still true"
    assert held.ok
    assert set(held.answers["answer"]) == {"no"}
    assert not len(held.files)
    assert (place.first / "inputs" / "book.yaml").read_text("utf-8") == BOOK
    record = place.record()
    on_disk = {str(path.relative_to(place.first)) for path in place.first.rglob("*") if path.is_file()}
    assert set(record["seal"]) == on_disk - {"run.json"}
    assert set(FILES) <= on_disk
    assert record["stamp"]["book"]["kept"] == "yes"


@pytest.mark.parametrize("name", FILES)
def test_one_byte_changed_by_hand_shows(place: Place, name):
    path = place.first / name
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)
    found = rb.verify_run(place.first)
    assert found.verdict == "edited by hand"
    assert found.files.to_numpy().tolist() == [[name, "changed"]]
    path.unlink()
    assert rb.verify_run(place.first).files.to_numpy().tolist() == [[name, "gone"]]


def test_an_edited_record_shows_also_when_its_seal_is_made_new(place: Place):
    page = place.first / "lead.html"
    page.write_text(page.read_text("utf-8").replace("IDR 89", "IDR 9"), encoding="utf-8")
    record = place.record()
    record["headline"][1]["value"] = 9
    record["seal"]["lead.html"] = seal.digest(place.first, "lead.html")
    (place.first / "run.json").write_text(json.dumps(record), encoding="utf-8")
    found = rb.verify_run(place.first)
    assert found.verdict == "edited by hand"
    assert sorted(found.files["file"]) == ["lead.html", "run.json"]


def test_a_file_more_is_told_and_no_edit(place: Place):
    (place.first / "lead.pdf").write_bytes(b"%PDF")
    (place.first / ".ipynb_checkpoints").mkdir()
    (place.first / ".ipynb_checkpoints" / "x.ipynb").write_text("{}")
    found = rb.verify_run(place.first)
    assert found.ok
    assert found.files.to_numpy().tolist() == [["lead.pdf", "added since"]]


def test_without_a_ledger_nobody_vouches_and_nothing_is_read(place: Place, monkeypatch):
    (place.out / "riskbench.db").unlink()
    monkeypatch.setattr(today.Session, "dataset", lambda *_, **__: pytest.fail("it read the data"))
    found = rb.verify_run(place.first)
    assert found.verdict == "cannot be checked"
    assert "no ledger" in why(found, "edited by hand")[1]
    assert why(found, "data moved")[0] == why(found, "rules moved")[0] == "cannot be checked"
    assert not (place.out / "riskbench.db").exists(), "a look makes no ledger"
    (place.first / "lead.html").write_text("other")
    assert rb.verify_run(place.first).verdict == "edited by hand"


def test_rows_appended_are_data_moved(place: Place):
    events(410).to_csv(place.root / "data" / "events.csv", index=False)
    found = rb.verify_run(place.first)
    assert found.verdict == "data moved"
    assert moved(found) == ["data moved"]
    assert "400 events then, 410 now" in why(found, "data moved")[1]


def test_one_value_edited_is_data_moved(place: Place):
    frame = events(400)
    frame.loc[7, "amount"] += 1
    frame.to_csv(place.root / "data" / "events.csv", index=False)
    found = rb.verify_run(place.first)
    assert found.verdict == "data moved"
    assert "other content" in why(found, "data moved")[1]


def test_a_source_that_is_gone_cannot_be_checked(place: Place):
    (place.root / "data" / "events.csv").unlink()
    found = rb.verify_run(place.first)
    assert found.verdict == "cannot be checked"
    assert "events.csv" in why(found, "data moved")[1] or "no file" in why(found, "data moved")[1].lower()


def test_a_rule_that_changed_is_named_and_a_comment_is_no_change(place: Place):
    path = place.root / "book.yaml"
    path.write_text("# a remark\n" + BOOK, encoding="utf-8")
    assert rb.verify_run(place.first).ok
    path.write_text(BOOK.replace("title: High", "title: Higher"), encoding="utf-8")
    found = rb.verify_run(place.first)
    assert found.verdict == "rules moved", "titles stand on the pages"
    assert why(found, "rules moved")[1] == "titles only, which stand on the pages: W-1"
    assert found.rules.to_numpy().tolist() == [["W-1", "title High -> Higher"]]
    path.write_text(BOOK.replace("limit: 400", "limit: 300"), encoding="utf-8")
    found = rb.verify_run(place.first)
    assert found.verdict == "rules moved"
    assert found.rules.to_numpy().tolist() == [["W-1", "limit 400 -> 300"]]
    path.write_text("book: [", encoding="utf-8")
    assert why(rb.verify_run(place.first), "rules moved")[0] == "cannot be checked"
    path.unlink()
    assert rb.verify_run(place.first).verdict == "cannot be checked"


def test_code_that_moved_is_named(place: Place, monkeypatch):
    path = place.root / "playbooks" / "watch.ipynb"
    path.write_text(path.read_text("utf-8").replace("amount > 300", "amount > 301"), encoding="utf-8")
    found = rb.verify_run(place.first)
    assert found.verdict == "code moved"
    assert why(found, "playbook moved") == ("yes", "code changed under 'Count'")
    monkeypatch.setattr(seal, "sources", lambda: {"runner": "as it was", "rules": "new"})
    monkeypatch.setattr(today, "versions", lambda: {**place.record()["stamp"]["versions"], "numpy": "99.0"})
    found = rb.verify_run(place.first)
    assert why(found, "riskbench moved") == ("yes", "other code in rules")
    assert "-> 99.0" in why(found, "packages moved")[1]
    path.unlink()
    assert why(rb.verify_run(place.first), "playbook moved")[0] == "cannot be checked"


def test_the_most_serious_comes_first(place: Place):
    (place.root / "data" / "events.csv").unlink()
    assert rb.verify_run(place.first).verdict == "cannot be checked"
    path = place.root / "playbooks" / "watch.ipynb"
    path.write_text(path.read_text("utf-8").replace("amount > 300", "amount > 301"), encoding="utf-8")
    assert rb.verify_run(place.first).verdict == "code moved"
    (place.root / "book.yaml").write_text(BOOK.replace("400", "401"), encoding="utf-8")
    assert rb.verify_run(place.first).verdict == "rules moved"
    events(401).to_csv(place.root / "data" / "events.csv", index=False)
    assert rb.verify_run(place.first).verdict == "data moved"
    (place.first / "full.html").write_text("", encoding="utf-8")
    assert rb.verify_run(place.first).verdict == "edited by hand"
    assert VERDICTS[0] == "edited by hand"
    assert VERDICTS[-1] == "still true"


def test_runs_are_found_from_anywhere_and_after_a_move(place: Place, tmp_path, monkeypatch):
    number, name = place.record()["id"], place.first.name
    for asked in (number, number[:13], name, name[-8:], place.first, f"runs/{name}", f"runs/{name}/run.json"):
        assert rb.verify_run(asked, out=place.out).verdict == "still true", asked
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert rb.verify_run(number, out=place.out).verdict == "still true"
    shutil.move(place.out, elsewhere / "moved")
    for asked in (number, elsewhere / "moved" / name, f"moved/{name}"):
        assert rb.verify_run(asked, out="moved").verdict == "still true", asked
    assert sorted(path.name for path in elsewhere.iterdir()) == ["moved"], "a look writes nothing"
    with pytest.raises(RiskbenchError, match="No run has an id"):
        rb.verify_run("20990101-00000000", out="moved")


@pytest.mark.parametrize("name", ["lead.html", "full.html", "notebook.ipynb"])
def test_a_page_handed_over_alone_is_held_against_the_ledger(place: Place, tmp_path, monkeypatch, name):
    mail = tmp_path / "mail"
    mail.mkdir()
    page = shutil.copy(place.first / name, mail / f"from a colleague{Path(name).suffix}")
    monkeypatch.chdir(mail)
    with_ledger = {"store": str(place.out / "riskbench.db")}
    found = rb.verify_run(page, **with_ledger)
    assert found.verdict == "still true"
    assert f"it is {name} of run {place.record()['id']}" in why(found, "edited by hand")[1]
    assert rb.verify_run(page).verdict == "cannot be checked"
    Path(page).write_text(Path(page).read_text("utf-8").replace("Alerts", "Alarms"), encoding="utf-8")
    assert rb.verify_run(page, **with_ledger).verdict == "edited by hand"
    shutil.rmtree(place.first)
    shutil.copy(page, mail / "again.html")
    assert rb.verify_run(page, **with_ledger).verdict == "edited by hand", "the ledger alone is enough"


def test_a_file_that_is_no_page_of_a_run_is_refused(place: Place, tmp_path):
    for name, text in (("a.html", "<p>hello</p>"), ("b.ipynb", "{"), ("c.ipynb", '{"metadata": []}')):
        (tmp_path / name).write_text(text)
        with pytest.raises(PlaybookError, match="does not say which run"):
            rb.verify_run(tmp_path / name)
    with pytest.raises(PlaybookError):
        rb.verify_run("")
    with pytest.raises(PlaybookError):
        rb.verify_run(7)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlaybookError, match="no run folder"):
        rb.verify_run(tmp_path / "empty")


def forged(held):
    held[2]["value"] = 9


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("headline", forged),
        ("parameters", lambda held: held.update(weight=9.0)),
        ("stamp", lambda held: held["data"].update(fingerprint="another")),
        ("status", "infeasible"),
        ("playbook", "other"),
    ],
)
def test_a_ledger_that_says_otherwise_than_the_record_it_vouches_for_was_edited(place: Place, column, change):
    with sqlite3.connect(place.out / "riskbench.db") as held:
        (text,) = held.execute(f"SELECT {column} FROM riskbench_runs").fetchone()
        value = change
        if not isinstance(change, str):
            change(told := json.loads(text))
            value = json.dumps(told)
        held.execute(f"UPDATE riskbench_runs SET {column} = ?", (value,))
    held.close()
    found = rb.verify_run(place.first)
    assert found.verdict == "edited by hand"
    assert why(found, "edited by hand")[1] == (
        f"the ledger's {column} of this run are not what its sealed run.json says"
    )
    assert found.files.to_numpy().tolist() == [["run.json", f"the ledger says another {column}"]]
    assert found.playbook == "watch", "facts are those of the sealed record"
    assert why(found, "data moved")[0] == why(found, "rules moved")[0] == "no"


@pytest.mark.parametrize("name", ["lead.html", "notebook.ipynb"])
def test_an_edited_copy_among_the_files_of_its_run_shows(place: Place, name):
    copy = place.first / f"signed{Path(name).suffix}"
    shutil.copy(place.first / name, copy)
    found = rb.verify_run(copy)
    assert found.verdict == "still true", "byte for byte"
    copy.write_text(copy.read_text("utf-8").replace("Alerts", "Alarms"), encoding="utf-8")
    found = rb.verify_run(copy)
    assert found.verdict == "edited by hand"
    assert found.files.to_numpy().tolist() == [[copy.name, "unlike every sealed page of its run"]]
    assert rb.verify_run(place.first).verdict == "still true", "the run itself is whole"
    shutil.copy(place.first / name, copy)
    (place.first / "results.json").write_text("{}")
    assert rb.verify_run(copy).verdict == "edited by hand", "a good copy does not make the others good"


def test_a_run_of_before_there_were_seals_says_so(place: Place):
    edit_ledger(place, lambda stamp, _: [stamp.pop(name) for name in ("seal", "at", "sources")])
    found = rb.verify_run(place.first)
    assert found.verdict == "cannot be checked"
    assert "bears no seal" in why(found, "edited by hand")[1]
    assert why(found, "riskbench moved")[0] == "cannot be checked"


def test_a_masked_password_and_an_environment_variable(place: Place, monkeypatch):
    def source(value):
        return lambda _, values: values.update(source=value)

    edit_ledger(place, source("postgresql://ana:***@db.invalid/risk"))
    assert "was masked" in why(rb.verify_run(place.first), "data moved")[1]
    edit_ledger(place, source("env:WATCHED_EVENTS"))
    assert why(rb.verify_run(place.first), "data moved")[0] == "cannot be checked"
    monkeypatch.setenv("WATCHED_EVENTS", str(place.root / "data" / "events.csv"))
    assert rb.verify_run(place.first).verdict == "still true"
    monkeypatch.setenv("WATCHED_EVENTS", "postgresql://ana:hunter2-s3cret@127.0.0.1:1/risk")
    found = rb.verify_run(place.first)
    assert why(found, "data moved")[0] == "cannot be checked"
    assert "hunter2" not in repr(found) + found._repr_html_()


def test_the_sample_is_made_again_from_its_seed(place: Place):
    from riskbench.runner.session import Session

    values = {"source": None, "domain": "transactions", "region": "ID", "orders": 500, "seed": 7, "book": "sample"}
    session = Session(playbook="watch", values=values, parameters=pd.DataFrame())
    session.dataset()
    session.rule_book()

    def change(stamp, held, **more):
        held.clear()
        held.update({**values, **more})
        stamp["data"], stamp["book"] = session._record["data"], session._record["book"]

    edit_ledger(place, change)
    found = rb.verify_run(place.first)
    assert why(found, "data moved")[0] == why(found, "rules moved")[0] == "no"
    edit_ledger(place, lambda stamp, held: change(stamp, held, seed=8))
    assert why(rb.verify_run(place.first), "data moved")[0] == "yes"


def test_the_headline_is_worked_out_again(place: Place):
    """One real run: record and ledger are made to tell of a figure that does not come out again."""
    edit_ledger(place, lambda *_: None, headline=lambda facts: facts[2].update(value=facts[2]["value"] + 1))
    before = sorted(path.name for path in place.out.iterdir())
    found = rb.verify_run(place.first, rerun=True)
    assert found.verdict == "numbers differ"
    assert found.numbers["same"].to_list() == ["yes", "yes", "no", "yes", "yes"]
    assert "Alerts came out otherwise" in why(found, "numbers differ")[1]
    assert sorted(path.name for path in place.out.iterdir()) == before


def test_what_has_lapsed_since_is_remarked(place: Place, monkeypatch):
    text = BOOK + (
        "deviations:\n"
        "  - {rule: W-1, region: 'NO', params: {limit: 9}, reason: payday, approver: ana, expires: '2026-01-31'}\n"
    )
    (place.root / "book.yaml").write_text(text, encoding="utf-8")
    book = rb.RuleBook.read(place.root / "book.yaml")
    (place.first / "inputs" / "book.yaml").write_text(text, encoding="utf-8")

    def change(stamp, _):
        stamp["book"] |= {"hash": book.hash}
        stamp["seal"]["inputs/book.yaml"] = seal.digest(place.first, "inputs/book.yaml")

    edit_ledger(place, change)
    with sqlite3.connect(place.out / "riskbench.db") as held:
        held.execute("UPDATE riskbench_runs SET started = '2026-01-15T00:00:00+00:00'")
    held.close()
    assert any("Since the run" in note for note in rb.verify_run(place.first).notes)


def test_a_book_with_a_password_is_not_kept(tmp_path):
    assert seal.keep_book(tmp_path, "book: a # password=hunter2") == "it holds what looks like a password"
    assert not (tmp_path / "inputs").exists()
    assert seal.keep_book(tmp_path, "x" * 1_000_001) is not None
    assert seal.keep_book(None, "x") is not None
    assert seal.keep_book(tmp_path, BOOK) is None
    (tmp_path / "run.json").write_text("{}")
    assert list(seal.seal(tmp_path)) == ["inputs/book.yaml"]
    assert seal.seal(tmp_path, secrets=["amount > :limit"]) == {}, "a text with a known secret goes"
