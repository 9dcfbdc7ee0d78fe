"""Is the course one a newcomer can follow on any host: in order, a question a cell, answers that survive everywhere?"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import house
import nbformat
import pytest

COURSE = house.ROOT / "notebooks"
NOTEBOOKS = sorted(COURSE.glob("*.ipynb"))
CHECKED = "nbval-check-output"
KILOBYTE = 1000
#: What untrusted hosts show or drop without harm.
HARMLESS = set(
    "a abbr b br caption code dd details div dl dt em h3 h4 hr i img li ol p pre small span strong sub summary sup "
    "table tbody td tfoot th thead tr ul".split()
)
FIXED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.For | ast.While | ast.Lambda | ast.If
#: A date written as a fact, money or a share in prose would go stale when the data change.
_FIGURE = re.compile(r"\d+(?:[.,]\d+)? ?(?:%|k\b|M\b)|\bIDR \d")


@cache
def _held(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _code(path: Path) -> list[dict]:
    return [cell for cell in _held(path)["cells"] if cell["cell_type"] == "code"]


def _text(value: object) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _outputs(path: Path) -> list[dict]:
    return [output for cell in _code(path) for output in cell["outputs"]]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


# -- order ---------------------------------------------------------------------------------------------------


def test_the_course_is_six_to_eight_notebooks_in_order():
    assert 6 <= len(NOTEBOOKS) <= 8
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(1, len(NOTEBOOKS) + 1)]


def test_each_bears_its_number_a_question_and_what_it_needs(path):
    first = _source(_held(path)["cells"][0])
    assert re.match(rf"# {int(path.name[:2])}\. [A-Z]", first)
    assert re.search(r"^\*\*Question\.\*\* .+\?$", first, re.MULTILINE)
    assert re.search(r"^\*\*You need\*\* .+\.$", first, re.MULTILINE)


def test_each_leads_to_the_next_and_back(path):
    cells = _held(path)["cells"]
    place = NOTEBOOKS.index(path)
    links = [f"Previous: {_link(NOTEBOOKS[place - 1])}"] if place else []
    links += [f"Next: {_link(NOTEBOOKS[place + 1])}"] if place + 1 < len(NOTEBOOKS) else []
    assert _source(cells[0]).splitlines()[-1] == _source(cells[-1]).splitlines()[-1] == " · ".join(links)


def _link(path: Path) -> str:
    return f"[{_source(_held(path)['cells'][0]).splitlines()[0].removeprefix('# ')}]({path.name})"


def test_links_lead_somewhere(path):
    for cell in _held(path)["cells"]:
        for target in re.findall(r"\]\(([^)\s]+)\)", _source(cell)):
            assert target.startswith("http") or (COURSE / target.split("#")[0]).exists(), target


def test_the_readme_lists_them_in_order():
    readme = (house.ROOT / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| \[[^\]]+\]\(notebooks/([^)]+)\)", readme, re.MULTILINE)
    assert listed == [path.name for path in NOTEBOOKS]
    for path in NOTEBOOKS:
        assert _link(path).replace("](", "](notebooks/") in readme


# -- form ----------------------------------------------------------------------------------------------------


def test_it_is_valid_and_every_cell_has_an_id_and_a_text(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    cells = _held(path)["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert not [cell["id"] for cell in cells if not _source(cell).strip()]
    assert set(_held(path)["metadata"]) == {"kernelspec", "language_info"}
    assert not [cell["id"] for cell in cells if set(cell["metadata"]) - {"tags"}]


def test_a_cell_is_short_and_one_step(path):
    for cell in _code(path):
        source = _source(cell)
        tree = ast.parse(source)
        assert len(source.splitlines()) <= 24 if "from_yaml" in source else len(source.splitlines()) <= 8, cell["id"]
        assert max(map(len, source.splitlines())) <= 120, cell["id"]
        assert not [node for node in ast.walk(tree) if isinstance(node, FIXED)], cell["id"]
        assert len([node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]) <= 3, cell["id"]
        assert not re.search(r"^\s*[%!]", source, re.MULTILINE), f"{cell['id']}: no magics"


def test_an_answer_stands_between_its_question_and_how_to_read_it(path):
    cells = _held(path)["cells"]
    kinds = [cell["cell_type"] for cell in cells]
    assert kinds[0] == kinds[-1] == "markdown"
    for place, cell in enumerate(cells):
        if cell["cell_type"] == "code" and cell["outputs"]:
            assert kinds[place + 1] == "markdown", f"{cell['id']}: says how to read the answer"
            before = next(place - back for back in range(1, place + 1) if kinds[place - back] == "markdown")
            assert place - before <= 4, f"{cell['id']}: says what is asked"


def test_prose_holds_no_figure_that_could_go_stale(path):
    for cell in _held(path)["cells"]:
        if cell["cell_type"] == "markdown":
            told = re.sub(r"`[^`]*`|95 %", "", _source(cell))
            assert not _FIGURE.findall(told), cell["id"]


def test_no_paths_addresses_or_places_of_one_machine(path):
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", path.read_text("utf-8"))
    found = re.findall(r"(?<![\w.:/<~-])/(?:tmp|home|root|opt|usr|var|Users|private)/[\w./-]*", text)
    found += re.findall(r"\b0x[0-9a-f]{6,}|[A-Z]:\\\\\w+|file://\S+|/tmp", text)
    assert not found


# -- outputs -------------------------------------------------------------------------------------------------


def test_it_was_run_from_top_to_bottom(path):
    assert [cell["execution_count"] for cell in _code(path)] == list(range(1, len(_code(path)) + 1))
    assert len([cell for cell in _code(path) if cell["outputs"]]) >= 5


def test_outputs_are_of_the_kinds_that_every_host_shows(path):
    for output in _outputs(path):
        assert output["output_type"] in ("stream", "execute_result", "display_data")
        if output["output_type"] == "stream":
            assert output["name"] == "stdout", "no warnings"
        else:
            assert set(output["data"]) <= {"text/html", "text/plain", "image/png"}
            assert output["metadata"] == {}


class _Page(HTMLParser):
    """What is left of a page on a host that drops styles and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {name: value for name, value in attrs if name != "style"}))

    def handle_data(self, data):
        self.words.append(data)

    def pictures(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]


def _pages(path: Path) -> list[tuple[str, _Page]]:
    shown = [(cell["id"], output) for cell in _code(path) for output in cell["outputs"]]
    return [
        (cell, _Page(_text(output["data"]["text/html"])))
        for cell, output in shown
        if "text/html" in output.get("data", {})
    ]


def test_without_styles_and_scripts_every_answer_is_still_there(path):
    assert _pages(path)
    for cell, page in _pages(path):
        tags = {tag for tag, _ in page.tags}
        assert tags <= HARMLESS, cell
        assert tags & {"table", "img", "ul"}, f"{cell}: a table, a picture or a list is left"
        assert "".join(page.words).strip(), cell
        assert not {"nan", "None", "NaT", "<NA>"} & {word.strip() for word in page.words}, cell
    for picture in [picture for _, page in _pages(path) for picture in page.pictures()]:
        assert len(picture["alt"] or "") >= 20
        assert (picture["src"] or "").startswith("data:image/png;base64,")


def test_most_have_pictures():
    drawn = {path: sum(len(page.pictures()) for _, page in _pages(path)) for path in NOTEBOOKS}
    assert sum(number > 0 for number in drawn.values()) >= len(NOTEBOOKS) - 1
    assert sum(drawn.values()) >= 15


def test_tables_have_headers(path):
    for cell, page in _pages(path):
        names = [tag for tag, _ in page.tags]
        assert ("table" in names) <= ("th" in names), cell


def test_it_is_small_enough_to_open(path):
    assert path.stat().st_size < 800 * KILOBYTE
    assert sum(each.stat().st_size for each in NOTEBOOKS) < 4000 * KILOBYTE


def test_no_personal_details(path):
    shown = re.sub(r"base64,[A-Za-z0-9+/=]+", "", json.dumps([_held(path)["cells"]], ensure_ascii=False))
    assert not re.findall(r"[\w.+-]+@[\w-]+\.\w+|\+\d{2}[ \d-]{8,}\d", shown)


# -- what nbval compares -------------------------------------------------------------------------------------


def test_several_cells_are_held_to_their_stored_answer(path):
    held = [cell for cell in _code(path) if CHECKED in cell["metadata"].get("tags", [])]
    assert len(held) >= 3
    for cell in held:
        assert cell["outputs"], cell["id"]
        for output in cell["outputs"]:
            assert set(output.get("data", {"text/plain"})) <= {"text/plain", "text/html"}, (
                "nothing that is not compared"
            )


def test_what_the_sanitiser_takes_away_is_no_answer(path):
    """A changed digit in a held answer is still seen after the sanitiser."""
    rules = re.findall(
        r"^regex: (.+)$\n^replace: (.*)$", (Path(__file__).parent / "sanitize.cfg").read_text(), re.MULTILINE
    )
    assert rules

    def clean(text: str) -> str:
        for pattern, new in rules:
            text = re.sub(pattern, new.strip(), text)
        return text

    for cell in _code(path):
        if CHECKED in cell["metadata"].get("tags", []):
            told = "".join(_text(o.get("text", o.get("data", {}).get("text/plain", ""))) for o in cell["outputs"])
            digits = [found.start() for found in re.finditer(r"\d", told)]
            for place in digits:
                other = told[:place] + str((int(told[place]) + 1) % 10) + told[place + 1 :]
                assert clean(other) != clean(told)


# -- the script that writes them -----------------------------------------------------------------------------


@cache
def _script():
    spec = importlib.util.spec_from_file_location("documents_course", house.ROOT / "docs" / "course.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_settling_what_is_settled_changes_nothing(path):
    read = nbformat.read(path, as_version=4)
    assert nbformat.writes(_script().settled(read)) + "\n" == path.read_text("utf-8")


@pytest.mark.parametrize(
    "output",
    [
        nbformat.v4.new_output("stream", name="stderr", text="a warning"),
        nbformat.v4.new_output("error", ename="E", evalue="x", traceback=[]),
    ],
    ids=["a warning", "an error"],
)
def test_a_notebook_that_warns_or_fails_is_not_written(output):
    held = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
    with pytest.raises(ValueError, match="cell 1 writes"):
        _script().settled(held)


def test_what_only_this_machine_or_a_program_can_use_is_left_out():
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    data = {
        "text/html": f'<style>p {{}}</style><p>x</p><img alt="a picture" src="data:image/png;base64,{picture}">',
        "image/png": picture,
        "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
        "application/vnd.riskbench.simulation.v1+json": {},
        "text/plain": "x",
    }
    output = nbformat.v4.new_output("execute_result", data=data, metadata={"needs_background": "light"})
    held = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("1", outputs=[output], metadata={"execution": {"iopub": "now"}, "tags": ["t"]})
        ],
        metadata={
            "kernelspec": _script().KERNEL,
            "language_info": {"name": "python", "version": "3.11"},
            "widgets": {},
        },
    )
    kept = _script().settled(held)
    assert set(kept.cells[0].outputs[0].data) == {"text/html", "text/plain"}
    assert "<style" not in kept.cells[0].outputs[0].data["text/html"]
    assert kept.cells[0].metadata == {"tags": ["t"]}
    assert kept.metadata == {"kernelspec": _script().KERNEL, "language_info": {"name": "python"}}
