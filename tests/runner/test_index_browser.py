"""Can everybody read the page of playbooks in Chromium, on a wide screen, a telephone and paper, and is it silent?"""

from __future__ import annotations

from pathlib import Path

import pytest

import riskbench as rb
from riskbench.runner.index import write_index

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_of(program, tmp_path_factory):
    """Return a function that opens the page of all shipped playbooks, and what it asked for."""
    from playwright.sync_api import sync_playwright

    found = program("chromium", "chromium", "chromium-browser", "google-chrome")
    written = write_index(rb.find_playbooks(), tmp_path_factory.mktemp("page") / "index.html")
    with sync_playwright() as play:
        held = play.chromium.launch(executable_path=found, args=["--no-sandbox"])

        def open_(*, scheme: str = "light", width: int = 1200, audit: bool = False):
            context = held.new_context(
                color_scheme=scheme, offline=True, bypass_csp=audit, viewport={"width": width, "height": 900}
            )
            page, asked = context.new_page(), []
            page.on("request", lambda request: asked.append(request.url))
            page.goto(written.as_uri())
            return page, asked

        yield open_
        held.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 380)])
def test_the_page_has_no_fault_that_an_audit_finds_and_does_not_scroll_sideways(page_of, scheme, width):
    import axe_playwright_python

    page, asked = page_of(scheme=scheme, width=width, audit=True)
    assert [url.partition(":")[0] for url in asked if not url.startswith("data:")] == ["file"]
    page.evaluate("document.querySelectorAll('details').forEach(held => held.open = true)")
    page.add_script_tag(path=str(next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js"))))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert not [(one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_what_is_folded_is_open(page_of):
    page, _ = page_of()
    table = page.locator("details table").first
    folded = table.evaluate("held => held.checkVisibility()")
    page.emulate_media(media="print")
    assert (folded, table.evaluate("held => held.checkVisibility()")) == (False, True)
    assert table.evaluate("held => held.getBoundingClientRect().height") > 100
