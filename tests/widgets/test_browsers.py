"""Do the browsers of runs and playbooks show what was picked, and no more than may be shown?"""

from __future__ import annotations

import pytest

import riskbench as rb
from riskbench.errors import ParameterError, StoreError
from riskbench.store import Ledger
from riskbench.widgets.writing import BookWriter

HOSTILE = "<script>alert(1)</script>\"'&"
FACT = {"name": f"Cut {HOSTILE}", "value": 0.5, "unit": "share", "text": f"50 % {HOSTILE}", "note": ""}


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "good"
    folder.mkdir(parents=True)
    for page in ("lead.html", "full.html"):
        (folder / page).touch()
    with Ledger(str(tmp_path / "runs" / "riskbench.db")) as ledger:
        ledger.begin("r-1", "rule_health", {"region": "ID", "weeks": 4, "costs": {}, "source": None})
        ledger.end("r-1", "done", folder=str(folder), seconds=2.5, headline=[FACT])
        ledger.begin("r-2", "rule_health", {"region": "NO", "weeks": 6, "source": "postgresql://u:pa55word@h/d"})
        ledger.end("r-2", "failed", error=f"The data does not fit {HOSTILE}\nWhere: step 2")
        ledger.begin("s-3", "incident_scan", {"region": HOSTILE})
        ledger.end("s-3", "interrupted", error="It was interrupted.")
    return tmp_path / "runs"


def shown(browser):
    return sorted(run for _, run in browser.pick.options)


def test_runs_are_filtered_by_playbook_status_and_words(out):
    browser = rb.run_browser(out=out)
    assert shown(browser) == ["r-1", "r-2", "s-3"]
    assert browser.result.kind == "run_list"
    assert set(browser.result.frame()["run"]) == {"r-1", "r-2", "s-3"}
    browser.playbook.value = "rule_health"
    assert shown(browser) == ["r-1", "r-2"]
    browser.status.value = "failed"
    assert shown(browser) == ["r-2"]
    browser.playbook.value = browser.status.value = "all"
    browser.search.value = "FIT no"
    assert shown(browser) == ["r-2"]
    browser.search.value = "pa55word"
    assert shown(browser) == []
    browser.search.value = "nothing like it"
    assert "Runs: 0" in repr(browser)


def test_one_picked_is_its_summary(out):
    browser = rb.run_browser(out=out)
    heard = []
    browser.observe(lambda change: heard.append(change["new"]), names="value")
    browser.select("r-1")
    assert browser.value == "r-1"
    summary = browser.result
    assert summary.kind == "run_summary"
    assert summary.frame("files").to_dict("list") == {
        "page": ["lead", "full"],
        "path": ["runs/good/lead.html", "runs/good/full.html"],
    }
    assert dict(summary.frame().itertuples(index=False, name=None)) == {
        "region": "ID", "weeks": "4", "costs": "–", "source": "–"
    }  # fmt: skip
    browser.select("r-2")
    assert heard == ["r-1", "r-2"]
    assert "What went wrong: The data does not fit" in repr(browser)
    assert "Where: step 2" in browser.result.notes


def test_two_picked_are_held_against_each_other(out):
    browser = rb.run_browser(out=out)
    browser.select("r-2", "r-1")
    assert browser.picked == ("r-1", "r-2"), "the earlier first"
    assert browser.value is None
    rows = {row[0]: row[1:] for row in browser.result.frame("parameters").itertuples(index=False, name=None)}
    assert rows["region"][:2] == ("ID", "NO")
    assert rows["weeks"][:2] == ("4", "6")
    assert rows["source"][:2] == ("–", "postgresql://u:***@h/d")
    assert browser.result.kind == "runs_apart"
    browser.pick.value = ("r-1", "r-2", "s-3")
    assert "one run to read, or two to compare" in browser.errors


def test_two_good_runs_of_one_playbook_are_compared_without_running_anything(out, monkeypatch):
    from riskbench.runner import difference

    asked = []

    def compared(before, after, **how):
        asked.append((before, after, how["explain"]))
        raise ParameterError("A folder is gone")

    monkeypatch.setattr(difference, "diff_runs", compared)
    with Ledger(str(out / "riskbench.db")) as ledger:
        ledger.begin("t-5", "rule_health", {"region": "BR", "weeks": 4})
        ledger.end("t-5", "done", headline=[FACT])
    browser = rb.run_browser(out=out)
    browser.select("t-5", "r-1")
    assert asked == [("r-1", "t-5", False)]
    assert browser.result.notes == ("A folder is gone",)


def test_nothing_hostile_and_no_secret_is_shown(out):
    browser = rb.run_browser(out=out)
    for runs in ((), ("r-1",), ("r-2",), ("s-3",), ("r-1", "s-3")):
        browser.pick.value = runs
        page = browser._repr_mimebundle_()["text/html"] + browser._detail.value
        assert "<script>" not in page
        assert "pa55word" not in page + repr(browser)


def test_refresh_keeps_what_is_picked_and_finds_what_is_new(out):
    browser = rb.run_browser(out=out)
    browser.select("r-1")
    with Ledger(str(out / "riskbench.db")) as ledger:
        ledger.begin("n-4", "rule_launch", {})
    browser.refresh_button.click()
    assert browser.value == "r-1"
    assert "n-4" in shown(browser)
    assert "rule_launch" in browser.playbook.options


def test_a_folder_without_runs_is_no_error_and_is_not_made(tmp_path):
    browser = rb.run_browser(out=tmp_path / "none")
    assert browser.errors == ""
    assert "No runs yet in" in browser._count.value
    assert "No runs yet in" in browser.result._repr_html_()
    assert str(tmp_path / "none") in browser.result.notes[0]
    assert not (tmp_path / "none").exists()


def test_a_store_that_cannot_be_read_is_an_error_and_is_not_made(tmp_path):
    (tmp_path / "riskbench.db").write_text("not a database")
    with pytest.raises(StoreError, match="cannot be opened"):
        rb.run_browser(out=tmp_path)
    nowhere = tmp_path / "none"
    for store in ("foo://x", str(nowhere / "ledger.db"), f"sqlite:///{nowhere}/ledger.db"):
        with pytest.raises(StoreError) as error:
            rb.run_browser(out=tmp_path / "runs", store=store)
        assert "store" in str(error.value)
    unused = rb.run_browser(store=str(tmp_path / "x.db"))
    assert unused.result.notes == (f"No runs yet in {tmp_path / 'x.db'}",)
    assert {path.name for path in tmp_path.iterdir()} == {"riskbench.db"}
    for wrong in ({"out": 3}, {"out": None}, {"store": 3}, {"store": " "}):
        with pytest.raises(ParameterError):
            rb.run_browser(**wrong)


def test_a_store_that_goes_away_is_told_inside(out):
    browser = rb.run_browser(out=out)
    (out / "riskbench.db").write_text("not a database")
    browser.refresh_button.click()
    assert "store" in browser.errors
    assert browser.result.kind == "run_list"


@pytest.mark.parametrize("name", ["x", "", "r-"])
def test_a_run_that_is_not_one_is_refused(out, name):
    with pytest.raises(ParameterError, match="run"):
        rb.run_browser(out=out).select(name)


# -- playbooks ---------------------------------------------------------------------------------------------


def test_playbooks_are_searched_and_opened_as_a_form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    browser = rb.playbook_browser(out=tmp_path / "runs")
    assert browser.result.kind == "catalogue"
    browser.search.value = "launch draft"
    assert browser.pick.options[0][1] == "rule_launch"
    browser.select("rule_launch")
    assert browser.value == "rule_launch"
    card = browser.result
    assert card.kind == "playbook_card"
    assert "max_insult_rate" in set(card.frame()["name"])
    browser.form_button.click()
    assert browser.form.playbook.id == "rule_launch"
    assert browser.form.box in browser._place.children
    browser.search.value = "xyzzy"
    assert browser.value is None
    assert browser.form is None
    assert browser.form_button.disabled
    browser.form_button.click()
    assert "No playbook is picked" in browser.errors
    with pytest.raises(ParameterError):
        browser.select("rule_launch")


def test_a_hostile_playbook_is_escaped(tmp_path, monkeypatch):
    from riskbench.runner.catalogue import Playbook
    from riskbench.runner.parameters import read_cell
    from riskbench.widgets.catalogue import PlaybookCard
    from riskbench.widgets.form import PlaybookForm

    book = Playbook(
        id="evil", title=HOSTILE, question=HOSTILE, owner=HOSTILE, inputs=(HOSTILE,), path=tmp_path / "evil.ipynb",
        parameters=read_cell(f"x: str = {HOSTILE!r}  # {HOSTILE}"), code_hash="0",
    )  # fmt: skip
    form = PlaybookForm(book, {})
    texts = [PlaybookCard.of(book)._repr_html_(), form._repr_mimebundle_()["text/html"], *_html(form.box)]
    assert not [text for text in texts if "<script>" in text]
    assert form.value == {}


def _html(widget):
    """Yield what every HTML widget below a box says."""
    if type(widget).__name__ == "HTML":
        yield widget.value
    for child in getattr(widget, "children", ()):
        yield from _html(child)


@pytest.mark.parametrize("folder", [3, True, b"books", ["books"]])
def test_the_folder_of_rule_books_is_a_path(folder):
    with pytest.raises(ParameterError, match="folder of rule books"):
        BookWriter(None, folder=folder)
