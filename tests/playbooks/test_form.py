"""Is every playbook thin: one question a cell, one call of the library, and nothing to debug?"""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path

import nbformat
import pytest

import riskbench as rb
from riskbench.data.roles import DOMAINS
from riskbench.runner.catalogue import catalogue, shipped_folder

FOLDER = shipped_folder()
assert FOLDER is not None
PLAYBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: What every playbook takes (DESIGN: names that users rely on).
EVERYWHERE = ("source", "roles", "domain", "region", "asof", "seed", "currency", "costs")
#: Defaults that are meant for the sample only.
SAMPLE_ONLY = {"region", "book", "score", "start", "end", "max_review_rate", "min_approval_rate"}
BANNED = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.For,
    ast.While,
    ast.Try,
    ast.With,
    ast.If,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


def test_there_are_playbooks():
    assert "threshold_calibration" in {path.stem for path in PLAYBOOKS}
    assert len(catalogue()) >= len(PLAYBOOKS)


@pytest.fixture(params=PLAYBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def held(path) -> dict:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def code(held) -> list[dict]:
    return [
        {**cell, "source": "".join(cell["source"]), "tags": cell["metadata"].get("tags", [])}
        for cell in held["cells"]
        if cell["cell_type"] == "code"
    ]


@pytest.fixture
def book(path):
    return next(book for book in catalogue() if book.path == path.resolve())


def test_it_is_a_valid_notebook_without_outputs(path, held, code):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    assert set(held["metadata"]) == {"kernelspec", "language_info", "riskbench"}
    assert held["metadata"]["kernelspec"]["name"] == "python3", "schedulers need it"
    for cell in held["cells"]:
        assert set(cell["metadata"]) <= {"tags"}


def test_it_has_one_parameters_cell_first(code):
    assert [place for place, cell in enumerate(code) if "parameters" in cell["tags"]] == [0]


def test_every_parameter_has_a_type_and_help(book):
    for parameter in book.parameters:
        assert parameter.help, parameter.name
        assert len(parameter.help) <= 120, parameter.name
    names = [parameter.name for parameter in book.parameters]
    assert set(EVERYWHERE) <= set(names)
    assert {parameter.name for parameter in book.parameters if parameter.sample_only} == SAMPLE_ONLY & set(names)


def test_a_default_works_when_python_runs_the_cell(code, book):
    """Annotations are evaluated when the cell runs, so they name built-in types only."""
    space: dict[str, object] = {}
    exec(compile(code[0]["source"], "parameters", "exec"), space)
    assert {p.name: p.default for p in book.parameters} == {p.name: space[p.name] for p in book.parameters}


def test_a_cell_is_one_call_that_ends_in_its_result(code):
    for cell in code[1:]:
        tree = ast.parse(cell["source"])
        assert not [node for node in ast.walk(tree) if isinstance(node, BANNED)], cell["id"]
        assert len(cell["source"].splitlines()) <= 8, cell["id"]
        assert max(map(len, cell["source"].splitlines())) <= 120, cell["id"]
        assert isinstance(tree.body[-1], ast.Expr), f"{cell['id']} ends in a bare result"
        assert len([node for node in tree.body if isinstance(node, ast.Assign)]) <= 1, cell["id"]
        assert not re.search(r"^\s*[%!]", cell["source"], re.MULTILINE), f"{cell['id']}: no magics"


def test_it_starts_and_finishes_its_run(code, book):
    starts = [cell["source"] for cell in code if "rb.start(" in cell["source"]]
    assert len(starts) == 1
    assert f'rb.start("{book.id}", globals())' in starts[0]
    assert code[1]["source"] == starts[0], "nothing runs before the parameters are checked"
    assert code[-1]["source"].startswith("run.finish(")
    assert sum("run.finish(" in cell["source"] for cell in code) == 1


def test_values_come_from_the_run_and_not_from_raw_names(code, book):
    """A scheduler may hand over raw text: only what the run has checked is used."""
    names = {parameter.name for parameter in book.parameters}
    for cell in code[1:]:
        loads = {
            node.id
            for node in ast.walk(ast.parse(cell["source"]))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        own = {"book"}  # a step may name its result like the parameter that it comes from
        assert not (loads & names) - own, cell["id"]


def test_stated_costs_reach_every_verb_that_takes_them(code, book):
    """A verb that is not told the costs counts with defaults, and one page then gives two answers."""
    if "costs" not in {parameter.name for parameter in book.parameters}:
        return
    asked = 0
    for cell in code[1:]:
        for node in ast.walk(ast.parse(cell["source"])):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            verb = node.args[0] if ast.unparse(node.func) == "run.measured" else node.func
            assert isinstance(verb, ast.Attribute)
            if not (isinstance(verb.value, ast.Name) and verb.value.id == "rb"):
                continue
            if "costs" not in inspect.signature(getattr(rb, verb.attr)).parameters:
                continue
            asked += 1
            told = {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert told.get("costs") == "run.costs", f"{cell['id']}: rb.{verb.attr} is not told the stated costs"
    assert asked, "some verb of the playbook counts costs"


def test_every_step_has_its_question_above(held):
    cells = held["cells"]
    assert cells[0]["cell_type"] == "markdown"
    first = "".join(cells[0]["source"])
    assert first.startswith("# ")
    for word in ("**Question.**", "**Takes**", "**Ends in**", "**How to read it.**"):
        assert word in first
    steps = ["".join(cell["source"]) for cell in cells[1:] if cell["cell_type"] == "markdown"]
    assert all(re.match(r"## .+\n\n.+", step) for step in steps)
    assert cells[2]["cell_type"] == "markdown"


def test_it_says_what_it_is(book):
    assert set(book.domain) <= set(DOMAINS)
    assert book.question.endswith("?")
    assert re.fullmatch(r"[a-z][a-z_]*", book.id)
