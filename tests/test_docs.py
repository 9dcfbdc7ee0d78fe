"""Do the documents say what the code does, in our own words, and does what they show run?"""

from __future__ import annotations

import ast
import builtins
import doctest
import importlib.util
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import house
import pytest

import riskbench as rb
from riskbench.data.checks import CHECKS
from riskbench.data.outcomes import LADDERS
from riskbench.data.roles import DOMAINS, MEASURES
from riskbench.errors import RiskbenchError
from riskbench.metrics.constraints import RATES

DOCS = house.ROOT / "docs"
PAGES = (*sorted(house.ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))
PAGE_PARAMS = [pytest.param(path, id=house.name_of(path)) for path in PAGES]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^( *)```.*?^\1```", "", _text(path), flags=re.MULTILINE | re.DOTALL)


def _blocks(path: Path, language: str = "") -> list[str]:
    return re.findall(rf"^ *```{language}[^\n]*\n(.*?)^ *```", _text(path), flags=re.MULTILINE | re.DOTALL)


@cache
def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"documents_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGE_PARAMS)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", _prose(page))
    inside = [target.split("#")[0] for target in targets if not re.match(r"https?://|#|mailto:", target)]
    assert not [target for target in inside if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGE_PARAMS)
def test_examples_run(page):
    examples = "\n".join(block for block in _blocks(page, "python") if ">>>" in block)
    test = doctest.DocTestParser().get_doctest(examples, {}, house.name_of(page), house.name_of(page), 0)
    told: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=told.append)
    assert not failed, "".join(told)


def test_the_first_hour_is_one_of_them():
    assert any(">>>" in block for block in _blocks(house.ROOT / "README.md", "python"))


@pytest.mark.parametrize("page", PAGE_PARAMS)
def test_make_targets_exist(page):
    there = set(re.findall(r"^([a-z]+):", _text(house.ROOT / "Makefile"), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", _text(page), flags=re.MULTILINE))
    assert not named - there


def test_every_page_is_in_an_index():
    listed = {
        (page.parent / target.split("#")[0]).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", _text(page))
        if not target.startswith("http")
    }
    listed |= {folder / "README.md" for folder in listed}
    assert not [house.name_of(page) for page in PAGES if page.parent != house.ROOT and page not in listed]


def test_documents_that_the_code_names_exist():
    named = {
        (house.name_of(path), target)
        for path in house.SOURCES
        for target in re.findall(r"\bdocs/[\w/-]+\.\w+", path.read_text(encoding="utf-8"))
    }
    assert not sorted((path, target) for path, target in named if not (house.ROOT / target).exists())


def test_the_page_on_the_rule_language_names_every_function():
    from riskbench.engine.words import FUNCTIONS

    page = _text(DOCS / "rule-language.md")
    assert not [name for name in FUNCTIONS if name not in page]


# -- reference ---------------------------------------------------------------------------------------------


def test_reference_is_what_the_code_says():
    script = _load(DOCS / "reference.py")
    page = _text(DOCS / "reference.md")
    assert script.page(page) == page, "run: make docs"
    listed = set(re.findall(r"^\| `rb\.(\w+)", page, flags=re.MULTILINE))
    assert listed == set(house.public())


def test_readme_tells_the_exit_codes():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", _text(house.ROOT / "README.md"), flags=re.MULTILINE)}
    raised = {RiskbenchError.exit_code, *(sub.exit_code for sub in _family(RiskbenchError))}
    assert told == {0, 130} | raised


def _family(cls: type[RiskbenchError]) -> set[type[RiskbenchError]]:
    return {cls} | {deep for sub in cls.__subclasses__() for deep in _family(sub)}


def _commands() -> dict[str, set[str]]:
    """Return every command with its options."""
    import typer

    from riskbench import cli

    def leaves(command: Any, path: tuple[str, ...] = ()) -> dict[str, set[str]]:
        children = getattr(command, "commands", {})
        if not children:
            options = [option for held in command.params for option in (*held.opts, *held.secondary_opts)]
            return {" ".join(path): set(options)}
        shown = {name: child for name, child in children.items() if not child.hidden}
        return {leaf: held for name, child in shown.items() for leaf, held in leaves(child, (*path, name)).items()}

    return leaves(typer.main.get_command(cli.app.app))


def test_readme_tells_every_command_and_only_options_that_there_are():
    there, told = _commands(), set()
    for line in re.findall(r"^riskbench (.+)$", "\n".join(_blocks(house.ROOT / "README.md")), flags=re.MULTILINE):
        words = line.split()
        names = [name for name in there if words[: len(name.split())] == name.split()]
        assert names, f"there is no command {line!r}"
        assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)) <= there[names[0]], line
        told.add(names[0])
    assert told == set(there)


# -- words -------------------------------------------------------------------------------------------------


def _entries() -> list[str]:
    rows = re.findall(r"^\| ([^|]+) \|", _text(DOCS / "glossary.md"), flags=re.MULTILINE)
    words = [word.strip() for row in rows for word in row.split(" / ")]
    return [word for word in words if word != "word" and not set(word) <= {"-"}]


def test_glossary_has_each_word_once():
    words = _entries()
    assert len(words) > 80
    assert len(words) == len(set(words))


def test_glossary_has_the_words_of_the_code():
    effects = {rung.effect for ladder in LADDERS.values() for rung in ladder.rungs} - {"none"}
    spoken = {*(rate.replace("_", " ") for rate in RATES), *MEASURES, *effects}
    assert not spoken - set(_entries())


def test_glossary_names_every_domain_and_the_ladder():
    text = _text(DOCS / "glossary.md")
    assert not [domain for domain in DOMAINS if domain not in text]
    assert ", ".join(LADDERS["transactions"].names) in text


# -- decisions, checks, changelog --------------------------------------------------------------------------


def test_decisions_are_numbered_listed_and_complete():
    pages = sorted(DOCS.glob("decisions/[0-9]*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    headings = [*re.findall(r"^## (.+)$", _text(DOCS / "templates" / "decision.md"), flags=re.MULTILINE)]
    for page in pages:
        assert re.match(rf"# {int(page.name[:4])}\. \S", _text(page)), page.name
        assert re.findall(r"^## (.+)$", _text(page), flags=re.MULTILINE) == headings, page.name
        assert f"({page.name})" in _text(DOCS / "decisions" / "README.md")


def test_every_check_has_a_page_that_bears_its_title():
    pages = {page.stem: _text(page).split("\n", 1)[0] for page in DOCS.glob("checks/RB*.md")}
    assert pages == {one.code: f"# {one.code}: {one.title}" for one in CHECKS}


def test_changelog_lines_are_short_outcomes():
    lines = re.findall(r"^- (.+)$", _text(house.ROOT / "CHANGELOG.md"), flags=re.MULTILINE)
    assert lines
    assert not [line for line in lines if len(line.split()) > 30 or not line.endswith(".")]


# -- templates ---------------------------------------------------------------------------------------------


def test_python_templates_run(tmp_path):
    folder = DOCS / "templates"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, "-c", "/dev/null"]
    command += ["--doctest-modules", "-o", "doctest_optionflags=NORMALIZE_WHITESPACE", *sorted(folder.glob("*.py"))]
    done = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"[6-9] passed", done.stdout), done.stdout


def test_the_result_template_keeps_the_convention():
    module = _load(DOCS / "templates" / "result.py")
    assert module.Census.__dataclass_params__.frozen
    assert "Examples" in (inspect.getdoc(module.census) or "")


def test_the_rule_template_is_a_rule_book():
    import riskbench as rb

    book = rb.RuleBook.from_yaml(_text(DOCS / "templates" / "rule.yaml"))
    assert [rule.status for rule in book.rules] == ["shadow"]


# -- the project speaks of itself alone --------------------------------------------------------------------

_ELSEWHERE = re.compile(
    r"(?<![\w.~<>-])/(?:" + "wo" + r"rk|root|opt|home)/|"
    r"pypi\.org|python" + r"hosted|find-" + r"links|"
    r"\b(?:cla" + r"ude|anth" + r"ropic|chat" + r"gpt|co" + r"pilot|ai assist" + r"ant|sub-?ag" + r"ent)\b",
    re.IGNORECASE,
)


def _own_files() -> list[Path]:
    folders = ("riskbench", "tests", "docs", "playbooks", "notebooks", "benchmarks", ".ci")
    found = [path for folder in folders for path in (house.ROOT / folder).rglob("*")]
    found += [house.ROOT / name for name in ("Makefile", "LICENSE", ".gitignore")]
    found += [path for path in house.ROOT.glob("*.*") if path.suffix in (".md", ".toml", ".yml", ".txt")]
    binary = (".png", ".parquet", ".pyc", ".woff2", ".db", ".ttf")
    skipped = ("__pycache__", ".ipynb_checkpoints")
    return [p for p in found if p.is_file() and p.suffix not in binary and not set(skipped) & set(p.parts)]


def test_no_file_speaks_of_the_place_it_was_written_in():
    told = {house.name_of(path): _ELSEWHERE.findall(path.read_text(encoding="utf-8")) for path in _own_files()}
    assert len(told) > 50
    assert not {name: found for name, found in told.items() if found}


def test_the_place_is_recognised():
    assert _ELSEWHERE.search("see /" + "work/main")
    assert not _ELSEWHERE.search("in docs/work/ and https://example.org/home/")


def test_only_the_machine_that_tests_knows_where_public_data_lies():
    place = "shared/" + "data"
    assert [house.name_of(path) for path in _own_files() if place in path.read_text(encoding="utf-8")] == [".ci/run"]


def _unbound(example: str) -> set[str]:
    """Names that an example uses and neither imports nor makes."""
    made, used = set(dir(builtins)) | {"rb"}, set()
    for node in ast.walk(ast.parse(example)):
        if isinstance(node, ast.Name):
            (made if isinstance(node.ctx, ast.Store) else used).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            made |= {(name.asname or name.name).partition(".")[0] for name in node.names}
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
    return used - made


def test_the_example_of_every_public_name_runs_alone():
    assert _unbound("frame = pd.DataFrame()\nf = lambda x: x + y") == {"pd", "y"}
    told = {}
    for name in rb.__all__:
        held = getattr(rb, name)
        if inspect.isclass(held) or inspect.isfunction(held):
            examples = doctest.DocTestParser().get_examples(held.__doc__ or "")
            told[name] = _unbound("\n".join(example.source for example in examples))
    assert {name: names for name, names in told.items() if names} == {}
