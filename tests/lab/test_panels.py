"""Do the other panels live in a real JupyterLab: shown, moved, answering, and without a word in the log?"""

from __future__ import annotations

import nbformat
import pytest
from browser import Screen, jupyterlab

from riskbench.runner.workspace import new_workspace

pytestmark = pytest.mark.browser

CELLS = {
    "data": "import riskbench as rb\n"
    'book = rb.RuleBook.read("rules/transactions.yaml")\n'
    "events = rb.velocity(rb.sample(orders=20_000), book.features)\n"
    'asked = rb.investigate(rb.Incident("2026-11-10", "2026-11-14"), events, book=book)\n'
    "scored = rb.score_baseline(events)\n"
    "later = scored.dataset.between(scored.train_until, None)",
    "rules": "lab = rb.rule_lab(rb.simulate(book, events))\nlab",
    "segments": "explorer = rb.segment_explorer(asked)\nexplorer",
    "rings": "rings = rb.ring_viewer(asked.entities)\nrings",
    "scores": "scores = rb.explanation_browser(rb.explain(scored, later), dataset=later)\nscores",
    "form": 'form = rb.playbook_form("rule_health")\nform',
    "playbooks": "rb.playbook_browser()",
}


@pytest.fixture(scope="module")
def seen(chromium, shots, tmp_path_factory):
    """Open a notebook of panels, move some of them, and return what was seen."""
    folder = tmp_path_factory.mktemp("panels")
    root = folder / "workspace"
    new_workspace(root)
    held = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in CELLS.values()],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(held, root / "panels.ipynb")
    (folder / "home").mkdir()
    told: dict[str, object] = {}
    with jupyterlab(root, folder / "home", ours=True) as lab:
        page = chromium.new_page(viewport={"width": 1400, "height": 1300})
        screen = Screen(page, shots, "panels")
        screen.open(lab, "panels.ipynb")
        screen.run_all()
        page.wait_for_timeout(2000)
        told["errors"] = screen.errors()
        cells = {name: page.locator(".jp-Notebook .jp-Cell").nth(place) for place, name in enumerate(CELLS)}
        told["live"] = {name: cell.locator(".jupyter-widgets").count() for name, cell in cells.items()}
        told["text"] = {name: cell.locator(".jp-OutputArea").inner_text() for name, cell in cells.items()}
        for theme in ("light", "dark"):
            if theme == "dark":
                screen.do_with("apputils:change-theme", {"theme": "JupyterLab Dark"})
                page.wait_for_timeout(800)
            for name, cell in cells.items():
                if name != "data":
                    cell.scroll_into_view_if_needed()
                    screen.shot(f"{name}-{theme}")
        cells["rules"].scroll_into_view_if_needed()
        before = cells["rules"].inner_text()
        cells["rules"].get_by_role("checkbox", name="live").first.click()
        page.wait_for_timeout(1500)
        told["switched"] = (before, cells["rules"].inner_text())
        screen.shot("rules-switched")
        box = cells["form"].locator("input[type=text]").first
        box.scroll_into_view_if_needed()
        box.fill("no such file.parquet")
        box.press("Tab")
        page.wait_for_timeout(1000)
        screen.shot("form-wrong")
        told["form"] = cells["form"].inner_text()
        told["outside"], told["broken"] = screen.outside(lab), screen.broken
        page.close()
    return told


def test_every_panel_is_live_and_nothing_broke(seen):
    assert seen["errors"] == []
    assert seen["broken"] == []
    assert all(count for name, count in seen["live"].items() if name != "data"), seen["live"]
    assert [name for name, text in seen["text"].items() if "Error displaying widget" in text] == []


def test_nothing_is_asked_of_any_other_machine(seen):
    assert seen["outside"] == []


def test_switching_a_rule_changes_the_answer(seen):
    before, after = seen["switched"]
    assert before != after
    assert "Change in net value" in after
