"""Is the page of playbooks one file that shows what came of each, asks nobody, and bears any text?"""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

import riskbench as rb
from riskbench.display.thumbnail import size, thumbnail
from riskbench.errors import ParameterError
from riskbench.runner import index
from riskbench.runner.index import write_index
from riskbench.store import Ledger

HOSTILE = "<script>alert(1)</script>\"'&</td> ana.bell@example.com"


def png(width: int, height: int, *, noise: bytes = b"") -> bytes:
    """Return a grey PNG, heavy where its rows are noise."""
    rows = b"".join(b"\0" + (noise[row * width : (row + 1) * width] or b"\x80" * width) for row in range(height))

    def chunk(kind: bytes, held: bytes) -> bytes:
        return struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict]:
        return [held for name, held in self.tags if name == tag]


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    for name in ("RISKBENCH_PLAYBOOKS", "RISKBENCH_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(number: int, status: str, *, playbook: str = "rule_health", lead: str | None = "", **more) -> Path:
    """Write a run into the ledger of `runs`, with a leader's page where there is one."""
    folder = Path(f"runs/{playbook}-{number} ä#?").resolve()
    with Ledger("runs/riskbench.db") as ledger:
        ledger.begin(f"2026010{number}-aaaa", playbook, {})
        ledger.end(f"2026010{number}-aaaa", status, folder=str(folder), **more)
    if lead is not None:
        folder.mkdir(parents=True)
        (folder / "lead.html").write_text(lead, encoding="utf-8")
    return folder


def image(held: bytes, alt: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(held).decode()}">'


def shown(path: Path) -> tuple[str, Page]:
    text = path.read_text("utf-8")
    return text, Page(text)


def test_every_shipped_playbook_has_a_picture_and_the_page_asks_nobody(work):
    text, page = shown(write_index(rb.find_playbooks(), "index.html"))
    held = rb.find_playbooks().held
    assert len(page.all("img")) == len(page.all("article")) == len(held)
    assert all(picture["alt"] and picture["src"].startswith("data:image/png;base64,") for picture in page.all("img"))
    assert len(text.encode()) < 1_000_000
    assert "default-src 'none'" in page.all("meta")[1]["content"]
    assert not {"script", "link", "iframe", "object", "svg", "form"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?://|@import|url\(", text)
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text
    for book in held:
        assert f"riskbench run {book.id}" in text
        assert all(f"<code>{parameter.name}</code>" in text for parameter in book.parameters)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)
    assert {head["scope"] for head in page.all("th")} == {"col", "row"}
    assert [tag for tag, _ in page.tags if tag in ("h1", "main", "html")] == ["html", "h1", "main"]


def test_the_pictures_that_are_shipped_are_those_of_shipped_playbooks_and_light(work):
    pictures = {path.stem: path.read_bytes() for path in (index._TEMPLATES / "pictures").glob("*.png")}
    assert set(pictures) == {book.id for book in rb.find_playbooks().held}
    assert all(size(held) and len(held) < 90_000 for held in pictures.values())


def test_the_picture_is_that_of_the_newest_good_run_and_the_status_that_of_the_newest(work):
    first, second = png(300, 100), png(301, 100)
    ran(1, "done", lead=image(first, "Rule health. Look first"), headline=[{"name": "Work", "text": "1"}])
    done = ran(2, "done", lead=image(first, "Something") + image(second, "Rule health. <b> & x"), headline=[])
    failed = ran(3, "failed", lead="<p>no picture</p>", error=f"{HOSTILE}\nand a trace")
    text, page = shown(write_index(rb.find_playbooks("rule health").search("rule_health"), "there.html"))
    (picture,) = [held for held in page.all("img") if "Rule health." in held["alt"]]
    assert base64.b64decode(picture["src"].partition(",")[2]) == second
    assert picture["alt"] == "Rule health. <b> & x"
    assert '<span class="status">failed</span>' in text
    assert "and a trace" not in text
    (link,) = [held["href"] for held in page.all("a") if not held["href"].startswith("#")]
    assert link == f"runs/{'rule_health-3%20%C3%A4%23%3F'}/lead.html"
    assert failed != done


def test_the_headline_of_a_good_run_is_told(work):
    ran(
        1, "done", headline=[{"name": f"Fact {n}", "value": HOSTILE, "text": HOSTILE, "unit": "text"} for n in range(6)]
    )
    text, _ = shown(write_index(rb.find_playbooks("rule_health"), "index.html"))
    assert text.count("Fact ") == 4
    assert "<script" not in text
    assert "ana.bell@" not in text


@pytest.mark.parametrize(
    "lead",
    [None, "", '<img src="data:image/png;base64,AAAA" alt="x">', '<img src="data:image/png;base64,A" alt="x">',
     image(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 60_000, 60_000), "bomb"),
     '<img src="https://evil.invalid/x.png" alt="x">', image(b"GIF89a", "x")],
)  # fmt: skip
def test_a_run_without_a_good_picture_shows_the_shipped_one(work, lead):
    ran(1, "done", lead=lead)
    text, page = shown(write_index(rb.find_playbooks("rule_health"), "index.html"))
    assert "On the embedded sample" in text
    assert "evil" not in text
    assert len(page.all("img")) == len(page.all("article"))
    assert bool([link for link in page.all("a") if "lead.html" in link["href"]]) == (lead is not None)


def test_many_heavy_pictures_stay_under_a_megabyte(work, monkeypatch):
    import numpy as np

    heavy = png(400, 500, noise=np.random.default_rng(1).bytes(200_000))
    assert len(heavy) > 190_000
    for number, book in enumerate(rb.find_playbooks().held, start=1):
        ran(number, "done", playbook=book.id, lead=image(heavy, book.title))
    text, page = shown(write_index(rb.find_playbooks(), "index.html"))
    assert len(text.encode()) < 1_000_000
    assert 1 <= len(page.all("img")) < len(page.all("article"))
    assert "too heavy" in text
    assert "No picture yet" not in text


def test_a_picture_is_scaled_down_only_where_that_makes_it_lighter():
    import numpy as np

    heavy = png(1000, 400, noise=np.random.default_rng(1).bytes(400_000))
    small = thumbnail(heavy)
    assert size(small) == (480, 192)
    assert len(small) < len(heavy)
    assert thumbnail(png(1000, 400)) == png(1000, 400)
    assert thumbnail(heavy[:2000] + b"x" * 90_000) is None
    assert thumbnail(b"") is None


def test_hostile_playbooks_are_shown_as_text(work):
    cell = {"cell_type": "code", "source": f"x: str = {HOSTILE!r}  # {HOSTILE}", "metadata": {"tags": ["parameters"]}}
    told = dict.fromkeys(("title", "question", "owner", "cadence", "domain", "inputs", "produces"), HOSTILE)
    Path("riskbench.toml").touch()
    Path("playbooks").mkdir()
    for name, more in (("odd name", {}), ("odd-name", {}), ("broken", {"id": HOSTILE})):
        held = {"nbformat": 4, "cells": [cell], "metadata": {"riskbench": {**told, **more}}}
        Path(f"playbooks/{name}.ipynb").write_text(json.dumps(held), encoding="utf-8")
    text, page = shown(write_index(rb.find_playbooks(), "index.html"))
    assert "script" not in {tag for tag, _ in page.tags}
    assert "ana.bell@" not in text
    assert len({held["id"] for held in page.all("article")}) == len(rb.find_playbooks().held)
    assert "Not in the catalogue" in text
    assert "broken (workspace)" in text


def test_nothing_found_says_so(work):
    text, page = shown(write_index(rb.find_playbooks("tresholds"), "index.html"))
    assert "No playbook speaks of" in text
    assert not page.all("article")


@pytest.mark.parametrize("name", ["index.txt", "index", "nowhere/index.html", "/proc/index.html", "a\x00.html"])
def test_a_page_that_cannot_be_written_is_one_message(work, name):
    with pytest.raises(ParameterError):
        write_index(rb.find_playbooks("rule_health"), name)
    assert list(work.iterdir()) == []


def test_the_last_run_says_its_region_and_what_was_asked_unlike_the_default(work):
    asked = {"region": "NO", "weeks": 6, "domain": "transactions", "source": "postgresql://u:pa55word@h/<d>"}
    with Ledger("runs/riskbench.db" if Path("runs").mkdir() is None else "") as ledger:
        ledger.begin("20260101-aaaa", "rule_health", asked)
        ledger.end("20260101-aaaa", "done")
    text, _ = shown(write_index(rb.find_playbooks(), "index.html"))
    line = next(line for line in re.findall(r"<p>Last run.*?</p>", text))
    assert "region NO" in line
    assert "weeks 6" in line
    assert "domain" not in line, "as the default"
    assert "pa55word" not in text
    assert "<d>" not in line
