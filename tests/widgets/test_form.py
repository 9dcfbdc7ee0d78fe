"""Does a form say beside each field what is wrong with it, and run what it shows?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import riskbench as rb
from riskbench.errors import ParameterError, PlaybookError
from riskbench.runner.catalogue import catalogue
from riskbench.runner.run import Run
from riskbench.widgets import form as module

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def form(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return rb.playbook_form("threshold_calibration", out=tmp_path / "runs")


def typed(form, name, value):
    form.fields[name].control.value = value


def said(form, name):
    return form.fields[name].error


def given(form):
    rows = form.result.frame()
    return dict(zip(rows["name"], zip(rows["value"], rows["given"], strict=True), strict=True))


def test_each_type_has_its_control(form):
    kinds = {name: type(field.control).__name__ for name, field in form.fields.items()}
    assert kinds["two_cuts"] == "Checkbox"
    assert kinds["domain"] == "Dropdown"
    assert kinds["region"] == "Combobox"
    assert kinds["costs"] == kinds["roles"] == "Textarea"
    assert kinds["start"] == kinds["orders"] == kinds["max_review_rate"] == "Text"
    assert form.fields["start"].control.placeholder.startswith("2026-11-10")
    for field in form.fields.values():
        assert field.parameter.help in field.about


@pytest.mark.parametrize("book", catalogue(), ids=lambda book: book.id)
def test_the_form_of_every_playbook_begins_with_its_defaults(book):
    form = rb.playbook_form(book.id)
    assert form.value == {}
    assert form.errors == ""
    assert not form._button.disabled
    assert [name for name, field in form.fields.items() if field.error] == []


def test_what_is_typed_is_a_checked_python_value(form):
    typed(form, "orders", "5_000")
    typed(form, "max_review_rate", " 0.1 ")
    typed(form, "two_cuts", True)
    typed(form, "domain", "kyc")
    typed(form, "region", "NO")
    typed(form, "costs", "margin: 0.2\nreview_minutes: 4")
    typed(form, "start", "2026-10-01 12:30")
    assert form.value == {
        "domain": "kyc",
        "region": "NO",
        "start": "2026-10-01T12:30:00",
        "two_cuts": True,
        "max_review_rate": 0.1,
        "costs": {"margin": 0.2, "review_minutes": 4.0},
        "orders": 5000,
    }
    typed(form, "max_review_rate", "")
    assert form.value["max_review_rate"] is None
    typed(form, "orders", "50000")
    assert "orders" not in form.value, "as the default: nothing is asked"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("orders", "80", "Is out of range"),
        ("orders", "many", "a whole number, 500 to 20,000,000"),
        ("orders", "", "Has a wrong type"),
        ("max_review_rate", "3%", "write it as a share: 0.03"),
        ("start", "tomorrow", "Is not a date or time"),
        ("costs", "[1", "cannot be read as YAML"),
        ("costs", "margn: 0.1", "did you mean"),
        ("source", "nowhere.parquet", "Names no file"),
        ("book", "x" * 5000, "Names no rule book"),
        ("start", HOSTILE, "Is not a date or time"),
    ],
)
def test_a_wrong_field_says_so_beside_it_and_cannot_run(form, name, text, words):
    first = form.fields[name].control.value
    typed(form, "seed", "8")
    typed(form, name, text)
    assert words in said(form, name)
    assert "<script>" not in form.fields[name]._said.value
    assert form._button.disabled
    assert form.value == {"seed": 8, name: text}, "as typed, so that it cannot run"
    assert not form.ready
    assert form.errors.startswith(f"{name}: ")
    assert given(form)[name][1] == "wrong"
    assert "no: 1 to mend" in repr(form)
    with pytest.raises(ParameterError, match=name):
        form.run()
    typed(form, name, first)
    assert said(form, name) == ""
    assert (form.ready, form.errors, form.value) == (True, "", {"seed": 8})
    assert not form._button.disabled


@pytest.fixture
def no_process(monkeypatch):
    def started(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(sys.modules["riskbench.runner.run"], "carry_out", started)


WRONG = ("abc", "", "-1", "[1", "a: [", "3%", "1e999", "tomorrow", "{a: 1}", "x" * 5000, HOSTILE, "env:NOT_SET", "–")


@pytest.mark.parametrize("book", catalogue(), ids=lambda book: book.id)
def test_a_value_with_a_wrong_field_is_refused_before_a_process_starts(book, tmp_path, monkeypatch, no_process):
    monkeypatch.chdir(tmp_path)
    form = rb.playbook_form(book.id, out=tmp_path / "runs")
    wrong = 0
    for name, field in form.fields.items():
        if not hasattr(field.control, "placeholder"):  # a box or a list holds no wrong value
            continue
        first = field.control.value
        for text in WRONG:
            typed(form, name, text)
            if not form.ready:
                wrong += 1
                assert form.errors
                kind = ParameterError if field.cause is None else type(field.cause)
                with pytest.raises(kind) as refused:
                    rb.run(book.id, form.value, out=tmp_path / "runs")
                if field.error:
                    assert field.error.splitlines()[0].casefold() in str(refused.value).casefold()
        typed(form, name, first)
        assert form.ready
    assert wrong > len(form.fields)
    assert not (tmp_path / "runs").exists()


def test_a_value_whose_password_was_wiped_is_refused(form, no_process):
    for name, field in form.fields.items():
        if hasattr(field.control, "placeholder"):
            first = field.control.value
            typed(form, name, "postgresql://ana:pa55word@db/risk")
            assert "pa55word" not in repr(form.value)
            with pytest.raises(ParameterError, match="wiped") as refused:
                rb.run("threshold_calibration", form.value)
            assert "pa55word" not in str(refused.value)
            typed(form, name, "x")
            typed(form, name, first)
    with pytest.raises(ParameterError, match="mapping"):
        rb.playbook_form("threshold_calibration", values=[1])


def test_observers_hear_of_each_checked_value(form):
    heard = []
    form.observe(lambda change: heard.append(change["new"]), names="value")
    typed(form, "seed", "8")
    typed(form, "seed", "x")
    typed(form, "seed", "9")
    assert heard == [{"seed": 8}, {"seed": "x"}, {"seed": 9}], "a wrong one is heard of as it was typed"


def test_with_a_source_the_samples_defaults_are_off_and_come_back(form, tmp_path):
    (tmp_path / "events.csv").write_text("id\n1\n", encoding="utf-8")
    typed(form, "source", "events.csv")
    assert "A source needs roles" in form.errors
    assert form._button.disabled
    typed(form, "roles", "id: id")
    assert form.errors == ""
    assert form.value == {"source": "events.csv", "roles": {"id": "id"}}
    assert form.fields["region"].control.value == ""
    assert given(form)["region"] == ("–", "off: own data")
    typed(form, "region", "ID")
    assert form.value["region"] == "ID", "asked for, though it is the sample's default"
    typed(form, "region", "")
    typed(form, "source", "")
    assert form.fields["region"].control.value == "ID"
    assert form.value == {"roles": {"id": "id"}}


def test_what_the_workspace_sets_is_the_default_and_can_be_undone(tmp_path, monkeypatch):
    (tmp_path / "riskbench.toml").write_text(
        '[defaults]\nregion = "BR"\nbook = "books/{domain}.yaml"\n', encoding="utf-8"
    )
    (tmp_path / "books").mkdir()
    for domain in ("transactions", "kyc"):
        (tmp_path / "books" / f"{domain}.yaml").touch()
    monkeypatch.chdir(tmp_path)
    form = rb.playbook_form("rule_health")
    assert form.fields["region"].control.value == "BR"
    assert given(form)["region"] == ("BR", "workspace")
    assert form.value == {}
    typed(form, "region", "ID")
    assert form.value == {"region": "ID"}, "the playbook's default, which the workspace would change"
    typed(form, "region", "")
    assert form.value == {"region": None}
    assert form.fields["book"].control.value == "books/transactions.yaml"
    typed(form, "domain", "kyc")
    assert form.fields["book"].control.value == "books/kyc.yaml"
    assert form.value == {"domain": "kyc", "region": None}


def test_a_password_is_wiped_from_the_field_and_told_nowhere(form):
    typed(form, "source", "postgresql://ana:pa55word@db/risk")
    assert form.fields["source"].control.value == ""
    assert "env:NAME" in said(form, "source")
    shown = json.dumps(form._repr_mimebundle_(), default=str) + repr(form) + form.fields["source"]._said.value
    assert "pa55word" not in shown
    with pytest.raises(ParameterError, match="password") as caught:
        rb.playbook_form("rule_health", values={"source": "postgresql://ana:pa55word@db/risk"})
    assert "pa55word" not in str(caught.value)


def test_values_begin_the_form_and_are_checked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    form = rb.playbook_form("rule_health", values={"weeks": "6", "costs": {"margin": 0.2}})
    assert form.value == {"weeks": 6, "costs": {"margin": 0.2}}
    assert form.fields["costs"].control.value == '"margin": 0.2'
    with pytest.raises(ParameterError, match="did you mean 'weeks'"):
        rb.playbook_form("rule_health", values={"week": 6})
    with pytest.raises(ParameterError, match="out of range"):
        rb.playbook_form("rule_health", values={"weeks": 600})
    with pytest.raises(PlaybookError, match="did you mean 'rule_health'"):
        rb.playbook_form("rule_helth")


def test_the_static_twin_is_the_table_of_parameters(form):
    typed(form, "region", HOSTILE)
    bundle = form._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    for word in ("region", "max_review_rate", "Planned run", "one region; none: all"):
        assert word in bundle["text/html"]
    assert "<script>" not in bundle["text/html"]
    assert " at 0x" not in bundle["text/plain"]


def test_a_run_in_the_background_moves_the_bar_and_ends_in_its_summary(form, tmp_path, monkeypatch):
    asked, here = [], Path.cwd()

    def ran(path, values, *, out, store, progress):
        progress(3, 9)
        asked.append((path.stem, values, form._bar.value, form._bar.max, form._button.disabled, form.running))
        return Run(
            id="r1", playbook="threshold_calibration", status="failed", message=f"No {HOSTILE}\npassword=hunter2"
        )

    monkeypatch.setattr(module, "run", ran)
    typed(form, "seed", "8")
    form._button.click()
    ended = form.wait(30)
    assert ended is form.finished
    assert asked == [("threshold_calibration", {"seed": 8}, 3, 9, True, True)]
    assert not form._button.disabled
    assert "threshold_calibration: failed" in repr(form.result)
    assert "<script>" not in form._answer.value
    assert "hunter2" not in form._answer.value
    assert "hunter2" not in str(form.result.to_dict())
    assert Path.cwd() == here
    typed(form, "seed", "9")
    assert form.finished is None
    assert form.result.kind == "planned_run"


def test_an_error_of_the_runner_is_shown_inside_the_form(form, monkeypatch):
    def fails(*_, **__):
        raise ParameterError("The folder cannot be written", hint="name another")

    monkeypatch.setattr(module, "run", fails)
    form.run()
    form.wait(30)
    assert "The folder cannot be written" in form.errors
    assert not form._button.disabled
    assert form.finished is None


def test_two_runs_at_once_are_refused(form, monkeypatch):
    import threading

    gate = threading.Event()
    monkeypatch.setattr(module, "run", lambda *_, **__: gate.wait(30))
    form.run()
    with pytest.raises(ParameterError, match="under way"):
        form.run()
    gate.set()
    form.wait(30)


def test_no_widget_library_is_loaded_before_a_form_is_made():
    import subprocess

    code = "import riskbench as rb, sys; rb.playbook_form, rb.run_browser; print('ipywidgets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
