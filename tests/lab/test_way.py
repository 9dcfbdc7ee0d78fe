"""An analyst's way through JupyterLab, in a real one: open, run, drag, apply, save; and who opens the file later."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from browser import Screen, jupyterlab

import riskbench as rb
from riskbench.runner.workspace import new_workspace

pytestmark = pytest.mark.browser

#: What the analyst writes; the panel is the last cell.
CELLS = (
    "import riskbench as rb",
    'book = rb.RuleBook.read("rules/transactions.yaml")\nevents = rb.velocity(rb.sample(orders=8_000), book.features)',
    "calibration = rb.calibrate(events, given=book)\ncalibration",
    "panel = rb.threshold_panel(calibration, book=book)\npanel",
)
PANEL = ".jp-Cell:last-child"


def numbers(screen: Screen) -> str:
    """The panel's table as text."""
    return screen.page.inner_text(f"{PANEL} .jp-OutputArea-output table >> nth=0")


@pytest.fixture(scope="module")
def way(chromium, shots, tmp_path_factory):
    """Walk the way once, and return what was seen on it."""
    folder = tmp_path_factory.mktemp("way")
    root = folder / "workspace"
    new_workspace(root)
    notebook = root / "cut.ipynb"
    held = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(held, notebook)
    seen: dict[str, object] = {"root": root, "notebook": notebook}
    (folder / "home").mkdir()
    with jupyterlab(root, folder / "home", ours=True) as lab:
        page = chromium.new_page(viewport={"width": 1400, "height": 1600})
        screen = Screen(page, shots, "lab")
        screen.open(lab, "notebooks/start.ipynb")
        screen.run_all()
        seen["start"] = (screen.errors(), screen.text())
        screen.shot("1-start")
        screen.open(lab, "cut.ipynb")
        screen.run_all()
        seen["run"] = screen.errors()
        page.wait_for_selector(f"{PANEL} .noUi-handle")
        screen.shot("2-panel")
        before = numbers(screen)
        page.focus(f"{PANEL} .noUi-handle")
        for _ in range(12):
            page.keyboard.press("ArrowRight")
        page.wait_for_function(
            "([place, text]) => document.querySelector(place).innerText !== text",
            arg=[f"{PANEL} .jp-OutputArea-output table", before],
            timeout=20_000,
        )
        handle = page.locator(f"{PANEL} .noUi-handle").bounding_box()
        assert handle is not None
        page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
        page.mouse.down()
        page.mouse.move(handle["x"] - 150, handle["y"] + handle["height"] / 2, steps=8)
        page.mouse.up()
        page.wait_for_timeout(1500)
        seen["dragged"] = (before, numbers(screen), page.input_value(f"{PANEL} input[type=text] >> nth=0"))
        page.get_by_placeholder("books/proposed.yaml").fill("rules/proposed.yaml")
        page.get_by_placeholder("books/proposed.yaml").press("Tab")
        page.get_by_role("button", name="apply to a rule book").click()
        page.wait_for_selector(f"{PANEL} [role=status]")
        seen["applied"] = page.inner_text(f"{PANEL} [role=status]")
        page.get_by_role("button", name="apply to a rule book").click()
        page.wait_for_selector(f"{PANEL} [role=alert]")
        seen["refused"] = page.inner_text(f"{PANEL} [role=alert]")
        screen.shot("3-applied")
        screen.do_with("apputils:change-theme", {"theme": "JupyterLab Dark"})
        page.wait_for_timeout(800)
        screen.shot("4-dark")
        seen["saved"] = screen.save(notebook)
        seen["outside"], seen["broken"] = screen.outside(lab), screen.broken
        page.close()
    (folder / "stranger").mkdir()
    with jupyterlab(root, folder / "stranger") as lab:
        page = chromium.new_page(viewport={"width": 1400, "height": 1600})
        screen = Screen(page, shots, "stranger")
        screen.open(lab, "cut.ipynb", kernel=False)
        page.wait_for_selector(f"{PANEL} .jp-OutputArea-output img")
        page.locator(f"{PANEL} .jp-OutputArea-output img").scroll_into_view_if_needed()
        screen.shot("5-untrusted")
        seen["twin"] = (
            page.get_attribute(f"{PANEL} .jp-OutputArea-output img", "alt"),
            page.locator(f"{PANEL} .noUi-handle").count(),
            page.inner_text(f"{PANEL} .jp-OutputArea-output"),
        )
        page.close()
    return seen


def test_the_starter_notebook_runs_from_top_to_bottom(way):
    errors, text = way["start"]
    assert errors == []
    assert "threshold_calibration" in text


def test_the_cells_run_and_nothing_breaks_in_the_page(way):
    assert way["run"] == []
    assert way["broken"] == []


def test_nothing_is_asked_of_any_other_machine(way):
    assert way["outside"] == []


def test_dragging_the_cut_shows_the_exact_numbers_of_that_cut(way):
    before, after, cut = way["dragged"]
    assert before != after
    book = rb.RuleBook.read(way["root"] / "rules" / "transactions.yaml")
    events = rb.velocity(rb.sample(orders=8_000), book.features)
    panel = rb.threshold_panel(rb.calibrate(events, given=book), book=book)
    panel.value = float(cut)
    told = re.sub(r"<[^>]+>", " ", panel._numbers.value)
    words = [part for line in after.splitlines() for part in line.split("\t") if part.strip()]
    assert words
    assert [word for word in words if word.strip() not in told] == []


def test_the_book_with_the_dragged_cut_is_written_and_not_overwritten_unasked(way):
    assert "rules/proposed.yaml" in way["applied"]
    written = rb.RuleBook.read(way["root"] / "rules" / "proposed.yaml")
    before = rb.RuleBook.read(way["root"] / "rules" / "transactions.yaml")
    assert written.hash != before.hash
    cut = float(way["dragged"][2])
    assert any(cut in {param.default for param in rule.params.values()} for rule in written.rules)
    assert "stands there already" in way["refused"]


def test_the_saved_notebook_holds_the_live_view_and_the_picture(way):
    held = json.loads(way["saved"])
    kinds = set(held["cells"][-1]["outputs"][0]["data"])
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "image/png", "text/plain"} <= kinds
    assert held["metadata"].get("widgets"), "the workspace's settings keep the widgets' state"


def test_who_opens_it_without_trusting_it_sees_the_static_twin(way):
    alt, handles, text = way["twin"]
    assert alt
    assert handles == 0
    assert "Loading widget" not in text
    assert "Error" not in text
