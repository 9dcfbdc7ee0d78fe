"""Can anything that a cell prints run, load, or hide something in a page?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper import ATTACKS, RUN, Seen, harmless, notebook, shown

from riskbench.display import Fact
from riskbench.runner.clean import clean
from riskbench.runner.failure import Failure
from riskbench.runner.pages import render, settle


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
