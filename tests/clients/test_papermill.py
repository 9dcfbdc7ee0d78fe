"""Does bare papermill run a playbook, with the answer that our own runner gives?"""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path

import papermill
import pytest
from clients.outside import end, errors, headline, start

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.runner import catalogue
from riskbench.runner.injected import passed
from riskbench.runner.parameters import given, read_cell

ASKED = {"region": "NO", "orders": 2000, "weeks": 2, "costs": {"margin": 0.2}}


@pytest.fixture(scope="module")
def ended(elsewhere) -> dict[str, tuple[int, str]]:
    """Four runs of papermill's own command, side by side."""
    file = elsewhere / "p.yaml"
    file.write_text(json.dumps(ASKED), encoding="utf-8")
    asked = {
        "options": ("-r", "region", "NO", "-p", "orders", "2000", "-y", "{weeks: 2, costs: {margin: 0.2}}"),
        "file": ("-f", str(file)),
        "norway": ("-y", "region: NO"),
        "unknown": ("-p", "regoin", "BR"),
    }
    started = {
        name: start("papermill", "rule_health.ipynb", f"{name}.ipynb", *options, folder=elsewhere)
        for name, options in asked.items()
    }
    return {name: end(program) for name, program in started.items()}


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> list[str]:
    ended = rb.run("rule_health", ASKED, out=tmp_path_factory.mktemp("runs"))
    assert ended.status == "done", ended.message
    return [str(fact) for fact in ended.headline]


@pytest.mark.parametrize("door", ["options", "file"])
def test_papermill_gives_the_answer_of_our_own_runner(ended, ours, elsewhere, door):
    code, said = ended[door]
    assert code == 0, said[-2000:]
    assert "unknown parameter" not in said
    assert headline(elsewhere / f"{door}.ipynb") == ours
    assert errors(elsewhere / f"{door}.ipynb") == []


def test_a_name_that_is_no_parameter_ends_the_first_call(ended, elsewhere):
    code, said = ended["unknown"]
    assert code == 1
    assert "Passed unknown parameter: regoin" in said
    (error,) = errors(elsewhere / "unknown.ipynb")
    assert error.startswith("ParameterError: There is no parameter 'regoin'")
    assert "did you mean 'region'?" in error
    assert headline(elsewhere / "unknown.ipynb") == []


def test_norway_that_papermill_made_false_is_refused_in_words(ended, elsewhere):
    code, _ = ended["norway"]
    assert code == 1
    (error,) = errors(elsewhere / "norway.ipynb")
    assert "The parameter 'region' has a wrong type" in error
    assert "put quotes around it" in error


@pytest.mark.parametrize("book", catalogue(), ids=lambda book: book.id)
def test_papermills_own_reader_sees_the_same_parameters(book):
    """What it misses it calls unknown, and leaves out of its help."""
    seen = papermill.inspect_notebook(str(book.path))
    assert list(seen) == [parameter.name for parameter in book.parameters]
    for parameter in book.parameters:
        assert seen[parameter.name]["help"] == parameter.help


# -- what papermill does to a value on its way -------------------------------------------------------------

CELL = """
when: "Optional[str]" = None  # a moment
share: "Optional[float]" = None  # a share
names: "Optional[list[str]]" = None  # names
things: list = []  # things
costs: dict[str, float] = {}  # costs
text: str = ""  # a text
flag: bool = False  # whether
orders: int = 5  # a number
"""


def injected(tmp_path: Path, values: dict) -> dict:
    """Return what a playbook is asked after papermill has written its cell and Python has run it."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    nb = new_notebook(cells=[new_code_cell(CELL, metadata={"tags": ["parameters"]})])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nb.metadata["language_info"] = {"name": "python"}
    nbformat.write(nb, tmp_path / "in.ipynb")
    out = papermill.execute_notebook(
        str(tmp_path / "in.ipynb"),
        str(tmp_path / "out.ipynb"),
        parameters=values,
        prepare_only=True,
        progress_bar=False,
    )
    cells = [cell.source for cell in out.cells]
    space: dict = {"In": ["", *cells, "rb.start(...)"]}
    for source in cells:
        exec(compile(source, "cell", "exec"), space)
    parameters = read_cell(CELL, {"when": {"format": "moment"}})
    return given(parameters, passed(parameters, space))


@pytest.mark.parametrize(
    "values",
    [
        {"when": "2026-11-10"},
        {"when": "2026-11-10T12:30:00+07:00"},
        {"share": 0.1},
        {"share": 1e-9},
        {"share": None},
        {"names": ["NO", "007", "1e5", "it's", 'a "b"', "\\n", "é\U0001f389", "a # b"]},
        {"things": ["shadow", 0.1, 5, True, None, {"a": [1]}]},
        {"costs": {"margin": 0.2}},
        {"text": "1; import os"},
        {"text": "line\nline\t\\ \"q\" 'q' {x} %s"},
        {"text": "x" * 100_000},
        {"flag": True, "orders": 50_000},
    ],
    ids=lambda values: next(iter(values)),
)
def test_values_survive_papermills_injection(tmp_path, values):
    assert injected(tmp_path, values) == values


def test_a_tuple_that_papermill_made_text_is_a_list_again(tmp_path):
    assert injected(tmp_path, {"names": ("NO", "a,b"), "things": (1, 2.5, "x")}) == {
        "names": ["NO", "a,b"],
        "things": [1, 2.5, "x"],
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_number_is_refused(tmp_path, number):
    with pytest.raises(ParameterError, match="'share' has a wrong type"):
        injected(tmp_path, {"share": number})


@pytest.mark.parametrize("value", [dt.date(2026, 11, 10), dt.datetime(2026, 11, 10, tzinfo=dt.UTC), {1}, Path("x")])
def test_what_papermill_cannot_hand_over_it_refuses_itself(tmp_path, value):
    """Our own runner takes a date and a path; papermill's notebook cannot hold them."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        injected(tmp_path, {"when": value})
