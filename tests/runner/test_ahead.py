"""Is a page the same whether or not it was made ready beside the kernel, and is what is made ready what it needs?"""

from __future__ import annotations

import json

from paper import ATTACKS, RUN, notebook, shown

from riskbench.runner import clean
from riskbench.runner.ahead import Ahead
from riskbench.runner.publication import publish

REMARKS = '<ul style="x"><li>same</li></ul><ul style="x"><li>Next: .frame()</li></ul>'
CELLS = (
    ("markdown", "# Title\n\nIntro."),
    ("code", "one", shown(html=f"<p style='color:red'>one</p>{REMARKS}", plain="1")),
    ("code", "two", shown(html=f"<table><tr><th>wallet</th></tr><tr><td>W-77</td></tr></table>{REMARKS}")),
    ("code", "three", *[shown(html=attack) for attack in ATTACKS]),
)


def published(held):
    return publish(held, None, secrets=("one",), run=RUN, session={"personal": {"wallet": "wallet"}})


def ready(tmp_path, held):
    (tmp_path / "session.json").write_text(json.dumps({"personal": {"wallet": "wallet"}}))
    ahead = Ahead(tmp_path, RUN, ("one",))
    for number in range(len(held["cells"]) + 1):
        ahead.reached(held["cells"], number)
    ahead.rest()


def test_a_page_is_the_same_and_nothing_is_left_to_clean(tmp_path, monkeypatch):
    monkeypatch.setenv("RISKBENCH_PRIVACY_KEY", "a key for tests only")
    held = notebook(*CELLS)
    before = json.dumps(held)
    clean._cleaned.cache_clear()
    alone = published(held)
    clean._cleaned.cache_clear()
    ready(tmp_path, held)
    assert json.dumps(held) == before
    missed = []
    whole = clean._cleaner()
    monkeypatch.setattr(clean, "_cleaner", lambda: missed.append(1) or whole)
    assert published(held) == alone
    # what is left: the texts and the code, which cost little
    assert len(missed) <= 1 + 3
    assert "W-77" not in alone[0]["full.html"]


def test_what_cannot_be_made_ready_disturbs_nothing(tmp_path):
    ahead = Ahead(tmp_path, {}, ())
    ahead.reached([{"cell_type": "code"}, None, 7], 3)
    ahead.rest()
    Ahead(tmp_path, RUN, ()).rest()


def test_a_picture_without_words_says_that_it_has_none():
    files, _ = publish(notebook(("code", "x", shown(html='<img src="data:image/png;base64,iVBO">'))), None,
                       secrets=(), run=RUN, session={})  # fmt: skip
    for name in ("lead.html", "full.html"):
        assert 'alt="No description has been provided for this image"' in files[name]
