"""What the tests of pages share: small notebooks, what a browser would see of a page, and attacks on it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

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
