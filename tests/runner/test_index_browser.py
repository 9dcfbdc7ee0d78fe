"""Can everybody read the page of playbooks in Chromium, on a wide screen, a telephone and paper, and is it silent?"""

from __future__ import annotations

import pytest

import riskbench as rb
from riskbench.runner.index import write_index

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_of(chromium, tmp_path_factory):
    """Return a function that opens the page of all shipped playbooks, and what it asked for."""
    written = write_index(rb.find_playbooks(), tmp_path_factory.mktemp("page") / "index.html")
    contexts = []

    def open_(*, scheme: str = "light", width: int = 1200, audit: bool = False):
        context = chromium.new_context(
            color_scheme=scheme, offline=True, bypass_csp=audit, viewport={"width": width, "height": 900}
        )
        contexts.append(context)
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(written.as_uri())
        return page, asked

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 380)])
def test_the_page_has_no_fault_that_an_audit_finds_and_does_not_scroll_sideways(page_of, axe, scheme, width):
    page, asked = page_of(scheme=scheme, width=width, audit=True)
    assert [url.partition(":")[0] for url in asked if not url.startswith("data:")] == ["file"]
    page.evaluate("document.querySelectorAll('details').forEach(held => held.open = true)")
    page.add_script_tag(path=axe)
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
