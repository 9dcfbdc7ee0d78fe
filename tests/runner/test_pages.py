"""Can anything that a cell prints run, load, or hide something in a page?"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.display import Fact
from riskbench.runner.clean import clean
from riskbench.runner.failure import Failure
from riskbench.runner.pages import render, settle

RUN = {
    "id": "20260101-abc",
    "playbook": "tiny",
    "title": "Tiny <b>title</b>",
    "question": "How <i>many</i>?",
    "parameters": {"region": "<script>"},
    "passed": ["region"],
    "started": "2026-01-01T10:00:00+00:00",
    "code": "abc",
}


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.words.append(data)


def harmless(text: str) -> None:
    seen = Seen(text)
    bad = {"script", "iframe", "object", "embed", "form", "svg", "math", "link", "base", "input", "video", "audio"}
    assert not bad & set(seen.tags)
    for tag, name, value in seen.attributes:
        assert not name.startswith("on")
        assert name not in ("srcset", "background", "formaction", "xlink:href", "id", "name")
        if name == "style":
            assert not re.search(r"url|expression|@import", value, re.IGNORECASE)
            assert "position" not in value
        if name == "src":
            assert value.startswith("data:image/")
        if name == "href":
            assert value.startswith(("http://", "https://", "mailto:", "#")), (tag, value)


ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//x.invalid></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    '<img src="data:text/html;base64,PHNjcmlwdD4=">',
    '<img src="data:image/svg+xml;base64,PHN2Zz4=">',
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="jAvAsCrIpT&colon;alert(1)">x</a>',
    '<a href=" &#1; javascript:alert(1)">x</a>',
    '<a href="data:text/html,x">x</a>',
    '<div style="background:url(https://x.invalid)">x</div>',
    '<div style="background:u\\72l(https://x.invalid)">x</div>',
    "<div style=\"background-image:image-set('https://x.invalid' 1x)\">x</div>",
    '<div style="position:fixed;top:0;left:0;width:100%;height:100%">x</div>',
    '<div style="width:expression(alert(1))">x</div>',
    "<style>body{display:none}</style>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "<form action=https://x.invalid><input name=p></form>",
    '<meta http-equiv="refresh" content="0;url=https://x.invalid">',
    '<base href="https://x.invalid/">',
    '<link rel=stylesheet href="https://x.invalid/x.css">',
    "<object data=x></object><embed src=x>",
    "<!--><script>alert(1)</script>-->",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<table background=https://x.invalid><td background=x>y</table>",
    '</div></section></main><h1 class="status">done</h1>',
    "<b id=failed class=summary>x</b>",
    "<details open ontoggle=alert(1)>x</details>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_gets_into_a_page(attack):
    harmless(clean(attack))
    harmless(clean(f"<p>before {attack} after</p>"))


@given(st.lists(st.sampled_from([*ATTACKS, "<", ">", '"', "'", "&", "<p>", "</p>", "x", "<!--", "-->"]), max_size=6))
def test_no_mixture_gets_into_a_page(parts):
    made = clean("".join(parts))
    harmless(made)
    assert clean(made) == made


def test_the_look_of_results_stays():
    text = (
        '<div style="max-width: 70em;"><b>x</b><table style="border-collapse: collapse;"><caption>c</caption><thead>'
        '<tr><th scope="col" style="text-align: right;">n</th></tr></thead><tbody><tr><td>1 &lt; 2</td></tr></tbody>'
        '</table><img alt="a &quot;b&quot;" src="data:image/png;base64,iVBORw0KGgo="></div>'
    )
    seen, kept = Seen(text), Seen(clean(text))
    assert kept.tags == seen.tags
    assert kept.words == seen.words
    assert sorted(kept.attributes) == sorted(seen.attributes)


def test_colours_follow_the_theme():
    assert "var(--jp-ui-font-color1" in clean('<p style="color:var(--jp-ui-font-color1,inherit)">x</p>')


def notebook(*cells):
    made = []
    for kind, source, *outputs in cells:
        made.append({"cell_type": kind, "id": f"c{len(made)}", "metadata": {}, "source": source})
        if kind == "code":
            made[-1] |= {"execution_count": 1, "outputs": list(outputs)}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": made}


def shown(**data):
    kinds = {"html": "text/html", "plain": "text/plain", "png": "image/png", "svg": "image/svg+xml", "js": "text/x"}
    return {
        "output_type": "execute_result",
        "execution_count": 1,
        "metadata": {},
        "data": {kinds[kind]: value for kind, value in data.items()},
    }


def pages(held, *, failure=None, session=None):
    settled = settle(held, failure, secrets=("s3cret-word",), run=RUN)
    return render(settled, run=RUN, session=session or {}, failure=failure)


def test_every_text_of_a_run_is_escaped():
    hostile = "<script>alert(1)</script>"
    session = {
        "headline": [Fact(hostile, hostile, "text", note=hostile).to_dict(), Fact("none", None, note="few").to_dict()],
        "data": {"name": hostile, "rows": 3, "first": hostile, "last": hostile, "label_recipe": hostile},
        "book": {"name": hostile, "rules": 2, "hash": hostile},
        "score": hostile,
    }
    failure = Failure(status="failed", title=hostile, what=hostile, where=hostile, hint=hostile, cell=0, error=hostile)
    held = notebook(("markdown", f"# {hostile}\n\n{hostile}"), ("code", f"'{hostile}'", shown(plain=hostile)))
    for end in (None, failure):
        for page in pages(held, failure=end, session=session).values():
            seen = Seen(page)
            assert "script" not in seen.tags
            assert seen.tags.count("style") == 1


def test_a_picture_without_html_has_words(capsys):
    held = notebook(("code", "x", shown(png="iVBO\n<script>Rw0=", plain="<Figure size 1x1>")))
    for page in pages(held).values():
        ((_, _, words),) = [one for one in Seen(page).attributes if one[:2] == ("img", "alt")]
        assert words == "Figure"
        assert "script" not in Seen(page).tags


def test_pages_ask_the_network_for_nothing():
    held = notebook(("markdown", "# T\n\n$x$ ![p](https://x.invalid/p.png) `c`\n\n```mermaid\nx\n```"), ("code", "x"))
    for page in pages(held).values():
        loads = [
            value
            for tag, name, value in Seen(page).attributes
            if name in ("src", "srcset", "data") or (name == "href" and tag != "a")
        ]
        assert not [value for value in loads if not value.startswith("data:")]
        assert "@import" not in page
        assert "url(" not in page
        assert len(page) < 30_000


def test_leaders_see_no_code_and_each_remark_once():
    remarks = '<ul style="x"><li>same</li></ul><ul style="x"><li>Next: .frame()</li></ul>'
    held = notebook(
        ("markdown", "# Title\n\n**Question.** Q?\n\nIntro."),
        ("code", "SOURCE = 1", shown(html=f"<p>one</p>{remarks}")),
        ("markdown", "## Empty step"),
        ("code", "print(1)", {"output_type": "stream", "name": "stdout", "text": "STREAM"}),
        ("markdown", "## Step"),
        ("code", "SOURCE = 2", shown(html=f"<p>two</p>{remarks}")),
    )
    made = pages(held)
    assert "SOURCE" in made["full.html"]
    assert "STREAM" in made["full.html"]
    for word in ("SOURCE", "STREAM", "Next:", "Empty step", "Question."):
        assert word not in made["lead.html"]
    assert made["lead.html"].count(">same<") == 1
    assert made["full.html"].count(">same<") == 1
    assert "Intro." in made["lead.html"]


def test_after_a_failure_nothing_pretends_to_have_run():
    held = notebook(("code", "one", shown(plain="1")), ("code", "two"), ("code", "three", shown(plain="stale")))
    failure = Failure(status="failed", title="t", what="w", cell=1)
    settled = settle(held, failure, secrets=(), run=RUN)
    assert settled["cells"][2]["outputs"] == []
    assert settled["cells"][2]["execution_count"] is None
    for page in pages(held, failure=failure).values():
        assert "stale" not in page
        assert "1 more steps were not run" in page


def test_secrets_do_not_get_into_a_notebook():
    held = notebook(("code", "x = 's3cret-word'", shown(plain="at postgresql://a:other@b and s3cret-word")))
    for page in pages(held).values():
        assert "s3cret-word" not in page
        assert ":other@" not in page


def test_hints_are_told_as_they_were_written():
    from riskbench.errors import ParameterError
    from riskbench.runner.failure import describe

    class At:
        cell, notebook = None, None

    for hint in ('roles={"id": "order_id"}', "pip install 'riskbench[postgres]'", "did you mean 'amount'?"):
        error = ParameterError("it does not fit", got="amuont", allowed="amount", hint=hint)
        failure = describe(error, At, session={})
        assert failure.text.splitlines()[-1] == f"What to try: {hint}"
        assert "Got: amuont\nAllowed: amount" in failure.text


def test_the_reason_and_the_errors_of_the_data_stand_in_the_summary():
    from riskbench.runner.pages import _summary

    run = {**RUN, "parameters": {}}
    head = [{"name": "Recommendation", "value": "Keep <it>", "unit": "text"}]
    session = {"headline": head, "notes": ["RB1: a leak.", "Keep <it>: within chance."], "data_errors": 2}
    told = _summary(run, session, None)
    assert "Why: within chance." in told
    assert "Data: 2 errors found, see “Can the data be trusted?”." in told
    noted = _summary(run, {"headline": [{**head[0], "note": "within chance"}], "notes": session["notes"]}, None)
    assert noted.count("within chance") == 1
    assert "errors found" not in noted


@pytest.mark.parametrize("page", ["lead.html", "full.html"])
def test_each_remark_is_told_once(page):
    remarks = '<ul style="color: red;"><li>a &lt; b</li><li>%s</li></ul>'
    cells = [("code", "x", shown(html=remarks % text)) for text in ("first", "second", "first")]
    cells.append(("code", "x", shown(html="<div><ul><li>a &lt; b</li></ul></div>")))
    told = pages(notebook(*cells))[page]
    for text in ("<li>a &lt; b</li>", "<li>first</li>", "<li>second</li>"):
        assert told.count(text) == 1
