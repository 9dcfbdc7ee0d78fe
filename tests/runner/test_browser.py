"""How do the pages behave in Chromium? Silent on the network, open to everybody, movable from a file, printable."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from paper import notebook, shown
from typer.testing import CliRunner

import riskbench as rb
from riskbench.display.steps import Steps
from riskbench.errors import MissingDependencyError, ParameterError
from riskbench.runner.index import write_index
from riskbench.runner.pdf import print_page
from riskbench.runner.publication import page_of

pytestmark = pytest.mark.browser

SERIOUS = {"serious", "critical"}
TABLE = pd.DataFrame({"cut": [0.1, 0.2, 0.3], "alerts": [1_300, 1_200, 900], "value_caught": [5e6, 4e6, 2e6]})
STEPS = Steps(label="Cut of <score>", table=TABLE, at=1).html()


@pytest.fixture(scope="module")
def opened(chromium):
    """Return a function that opens a page offline and gives it with what it asked for and complained of."""
    contexts = []

    def open_(path, *, scheme="light", script=True, audit=False):
        context = chromium.new_context(
            color_scheme=scheme,
            offline=True,
            java_script_enabled=script,
            bypass_csp=audit,
            viewport={"width": 1200, "height": 900},
        )
        contexts.append(context)
        page, asked, said = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(Path(path).as_uri())
        return page, asked, said

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Both pages of both main playbooks, and a page with steps: as a run leaves them."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for name, asked in (
        ("threshold_calibration", {"orders": 6_000}),
        ("incident_deep_dive", {"orders": 6_000}),
    ):
        run = rb.run(name, asked, out=folder / "runs")
        assert run.status == "done", run.message
        made |= {f"{name} {page.stem}": page for page in run.pages}
    steps = folder / "steps.html"
    held = notebook(
        ("markdown", "# Where?\n\n## Move it"),
        ("code", "x = 1  # a comment", shown(html=f"<p>The answer</p>{STEPS}")),
        ("markdown", "#### Deep\n\n# Shallow"),
        ("code", "pd", shown(html=TABLE.to_html())),
        ("code", "bad", {"output_type": "error", "ename": "KeyError", "evalue": "x", "traceback": ["one", "two"]}),
    )
    steps.write_text(page_of(held, audience="full"), encoding="utf-8")
    index = write_index(rb.find_playbooks(), folder / "index.html", out=folder / "runs")
    return {**made, "index": index, "steps": steps}


MAIN = [f"{name} {page}" for name in ("threshold_calibration", "incident_deep_dive") for page in ("lead", "full")]
NAMES = [*MAIN, "index", "steps"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_no_serious_fault_in_either_theme(pages, opened, axe, name, scheme):
    page, _, _ = opened(pages[name], scheme=scheme, audit=True)
    page.add_script_tag(path=axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    told = [(one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in found]
    assert not [one for one in told if one[1] in SERIOUS], told
    assert not [one for one in told if one[0] in ("heading-order", "landmark-one-main", "region", "image-alt")], told


def test_the_audit_sees_what_it_looks_for(tmp_path, opened, axe):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<html><body><img src='data:image/png;base64,x'><p style='color:#ccc;background:#fff'>pale</p></body></html>"
    )
    page, _, _ = opened(bad, audit=True)
    page.add_script_tag(path=axe)
    found = {one["id"] for one in page.evaluate("axe.run(document)")["violations"]}
    assert {"image-alt", "color-contrast", "html-has-lang"} <= found


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_for_itself_alone(pages, opened, name):
    page, asked, said = opened(pages[name])
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith("data:image/")] == [pages[name].as_uri()]
    assert said == []


@pytest.mark.parametrize("name", NAMES)
def test_what_a_reader_who_does_not_see_needs_is_there(pages, opened, name):
    page, _, _ = opened(pages[name])
    seen = page.evaluate(
        """() => ({
            lang: document.documentElement.lang, title: document.title.length,
            marks: ["header", "main", "footer"].map((tag) => document.querySelectorAll("body > " + tag).length),
            levels: [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map((one) => Number(one.tagName[1])),
            noAlt: [...document.images].filter((one) => !one.alt.trim()).length,
            noScope: [...document.querySelectorAll("th")].filter((one) => !one.scope).length,
            inkless: [...document.images].map((one) => getComputedStyle(one).backgroundColor)
              .filter((paper) => paper !== "rgb(255, 255, 255)").length,
        })"""
    )
    assert seen["lang"] == "en"
    assert seen["title"] > 3
    assert seen["marks"] == [1, 1, 1]
    assert seen["levels"][0] == 1
    assert seen["levels"].count(1) == 1
    assert all(after <= before + 1 for before, after in zip(seen["levels"], seen["levels"][1:], strict=False))
    assert (seen["noAlt"], seen["noScope"], seen["inkless"]) == (0, 0, 0)


@pytest.mark.parametrize("name", MAIN)
def test_the_keyboard_goes_through_a_page_from_top_to_bottom(pages, opened, name):
    page, _, _ = opened(pages[name])
    tops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        held = page.evaluate(
            "() => { const at = document.activeElement; "
            "return at === document.body ? null : at.getBoundingClientRect().top + scrollY; }"
        )
        if held is None:
            break
        tops.append(held)
    assert len(tops) > 2
    assert tops == sorted(tops)


# -- the slider --------------------------------------------------------------------------------------------


def test_the_slider_moves_by_keyboard_and_tells_the_rows_numbers(pages, opened):
    page, asked, said = opened(pages["steps"])
    slider = page.get_by_role("slider")
    assert slider.get_attribute("aria-label") == "Cut of <score>"
    rows = page.locator("details.riskbench-steps tbody tr")
    assert slider.input_value() == "1"
    slider.focus()
    for key, row in (("ArrowRight", 2), ("ArrowRight", 2), ("Home", 0), ("ArrowRight", 1), ("End", 2)):
        page.keyboard.press(key)
        cells = rows.nth(row).locator("td").all_text_contents()
        assert slider.get_attribute("aria-valuetext") == cells[0]
        assert page.locator(".steps dd").all_text_contents() == cells[1:]
        assert page.locator(".steps dt").all_text_contents() == ["alerts:", "value caught:"]
    assert page.locator(".steps [aria-live=polite]").count() == 1
    assert [url for url in asked if not url.startswith("data:")] == [pages["steps"].as_uri()]
    assert said == []


def test_without_script_the_table_is_there(pages, opened):
    page, _, _ = opened(pages["steps"], script=False)
    assert page.locator("input").count() == 0
    folded = page.locator("details.riskbench-steps")
    assert folded.locator("tbody tr").count() == 3
    folded.locator("summary").click()
    assert folded.locator("td").first.is_visible()


def test_the_policy_lets_no_other_script_run(pages, opened, tmp_path):
    text = pages["steps"].read_text("utf-8")
    hostile = tmp_path / "hostile.html"
    hostile.write_text(
        text.replace(
            "</main>",
            "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\"></main>",
        )
    )
    page, _, said = opened(hostile)
    assert page.title() != "taken"
    assert any("Content Security Policy" in one for one in said)
    assert page.get_by_role("slider").count() == 1


def test_the_script_is_small():
    from riskbench.runner.tidy import _script

    assert len(_script()) <= 3_000
    assert not re.search(r"innerHTML|eval|fetch|http|import\b", _script())


# -- on paper ----------------------------------------------------------------------------------------------


def test_a_page_is_printed(pages, program, tmp_path):
    program("chromium", "chromium", "chromium-browser", "google-chrome")
    from riskbench.cli import pages as commands

    folder = pages["threshold_calibration lead"].parent
    target = tmp_path / "page.pdf"
    done = CliRunner().invoke(commands.app, ["pdf", str(folder), str(target)])
    assert done.exit_code == 0, done.output
    assert target.read_bytes().startswith(b"%PDF-")
    assert [path.name for path in tmp_path.iterdir()] == ["page.pdf"]


def test_what_cannot_be_printed_is_said(pages, tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match="no such page"):
        print_page(tmp_path / "nothing.html")
    with pytest.raises(ParameterError, match="ends so"):
        print_page(pages["steps"], tmp_path / "page.html")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("RISKBENCH_CHROMIUM", raising=False)
    with pytest.raises(MissingDependencyError, match="none is installed") as told:
        print_page(pages["steps"], tmp_path / "page.pdf")
    assert told.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []
