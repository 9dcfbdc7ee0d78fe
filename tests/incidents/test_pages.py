"""Do the pages on an incident say what each reader needs, and nothing that the reader may not see?"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import mistune
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import ParameterError
from riskbench.incidents.facts import local
from riskbench.incidents.handover import handover
from riskbench.incidents.history import SECTIONS
from riskbench.incidents.page import IncidentPage
from riskbench.incidents.postmortem import ASKS
from riskbench.incidents.updates import AUDIENCES
from riskbench.incidents.wording import Scrubber

HOSTILE = "<script>alert(1)</script><svg onload=x>\"'&</td> [x](javascript:y) # *b* `c` | ~~d~~ $e$ \u202eabc"
OUTSIDE = ("sellers", "creators", "buyers", "regulator")
RING = ["SEL-000123", "CRE-00077", "BUY-99881"]


@pytest.fixture
def book(tmp_path):
    with rb.open_casebook(str(tmp_path / "book.db")) as held:
        yield held


@pytest.fixture
def full(book) -> rb.IncidentRecord:
    """An incident with everything, and an id of a ring member, a name and a rule in every text."""
    said = "ana.putri saw SEL-000123 and CRE-00077 near TX-014, buyer BUY-99881, ana@shop.example, 10.1.2.3"
    facts = {
        "region": "ID",
        "started": "2026-11-10T17:20Z",
        "exposed": 9e8,
        "lost": 1e8,
        "sellers": 14,
        "source": "alarm of ana.putri",
        "segments": [{"payment": "cod", "district": "JKT-EAST"}],
        "rings": [{"id": "R1", "members": RING, "evidence": "bank account of SEL-000123"}],
        "rules": ["TX-014"],
        "columns": ["device_id"],
        "deadlines": [{"what": f"payout run, {said}"[:180], "at": "2026-11-11T09:00+07:00"}],
    }
    record = book.open(f"Refusals, {said}"[:150], by="ana.putri", facts=facts, when="2026-11-10T22:20Z")
    book.move(record, "triaged", by="ana.putri", reason=said, when="2026-11-10T22:41Z")
    book.assign(record, "ana.putri", by="ana.putri")
    book.assign(record, "bo", by="ana.putri", role="communications")
    book.note(record, said, by="chi")
    book.decide(record, said, by="bo", reason=said, alternatives=[said])
    book.act(record, said, by="ana.putri", owner="payments team", due="2026-11-11T01:00Z")
    book.act(record, said, by="bo", purpose="prevent", owner="ana.putri", due="2026-12-01")
    book.progress(record, "A1", by="bo", note=said)
    book.put_right(
        record,
        [
            {"remedy": "refund", "role": "buyer", "subject": "BUY-55555", "what": "x", "amount": 10, "currency": "IDR"},
            {"remedy": "reverse", "role": "seller", "subject": "SEL-77777", "what": "hold"},
        ],
        by="bo",
    )
    for section in SECTIONS:
        record = book.write(record, section, text=f"{said} and SEL-77777, BUY-55555.", by="ana.putri")
    return record


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend((name, value or "") for name, value in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def _seen(page: str) -> _Tags:
    seen = _Tags()
    seen.feed(page)
    return seen


def _texts(page: IncidentPage) -> list[str]:
    plain = page.markdown.replace("\\", "").replace("&#46;", ".")
    return [plain, _seen(page.page).text, page._repr_html_(), str(page.to_dict())]


# -- updates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", sorted(AUDIENCES))
def test_no_update_holds_an_id_of_a_person_or_the_name_of_a_colleague(full, audience):
    page = full.update(audience)
    for text in _texts(page):
        for hidden in (*RING, "BUY-55555", "SEL-77777", "ana.putri", "ana@shop", "10.1.2.3"):
            assert hidden.lower() not in text.lower(), (audience, hidden)


@pytest.mark.parametrize("audience", OUTSIDE)
def test_outsiders_see_no_rule_no_segment_and_no_internal_text(full, audience):
    for text in _texts(full.update(audience)):
        for hidden in ("TX-014", "JKT-EAST", "device_id", "payments team", "Severity"):
            assert hidden not in text, (audience, hidden)
    assert "A1" not in full.update(audience).markdown


def test_a_program_is_named_and_a_person_is_not(book):
    record = book.open("x", by="riskbench scan")
    said = "riskbench scan saw it, Maria.Lopez and maria confirmed, Lopez closed"
    record = book.write(record, "summary", text=said, by="maria.lopez@shop.example")
    assert "riskbench scan saw it, a colleague and a colleague confirmed" in record.update("leadership").markdown
    assert "riskbench scan saw it, analyst A and analyst A confirmed, analyst A closed" in record.postmortem().markdown


def test_each_audience_gets_what_it_needs(full):
    told = {audience: full.update(audience).markdown for audience in AUDIENCES}
    assert "IDR 900 M" in told["leadership"]
    assert "IDR 900 M" in told["regulator"]
    assert "IDR" not in told["sellers"] + told["buyers"] + told["creators"] + told["operations"]
    assert "TX-014" in told["operations"]
    assert "JKT-EAST" in told["operations"]
    assert "we pay it back" in told["buyers"]
    assert "we lift it" in told["sellers"]
    assert "2026-11-10 22:20 UTC" in told["regulator"]


def test_an_update_without_its_text_says_what_is_missing(book):
    page = book.open("x", by="ana").update("sellers")
    assert "public_summary" in page.frame()["missing"][0]
    assert "To be written" in page.markdown
    assert "To be written" in page.page


def test_an_unknown_audience_is_answered_with_the_nearest(book):
    with pytest.raises(ParameterError, match="'leadership'"):
        book.open("x", by="ana").update("leaders")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    member=st.text(alphabet="QZqz719-_. @店é/", min_size=3, max_size=12).filter(
        lambda name: (
            len(name.strip()) > 2 and any(letter in "QZqz店é" for letter in name) and name == " ".join(name.split())
        )
    ),
    before=st.sampled_from(["", " ", "(", "buyer:", "卖家", "id_", "\n"]),
    after=st.sampled_from(["", " ", ").", ",", "在", "_x", "\n"]),
    twist=st.sampled_from([str, str.upper, str.lower]),
)
def test_no_id_leaks_whatever_it_is_made_of_and_wherever_it_stands(member, before, after, twist):
    said = f"Seen {before}{twist(member)}{after} today"
    with rb.open_casebook("sqlite://") as book:
        record = book.open("x", by="ana", facts={"rings": [{"id": "R1", "members": [member]}]})
        book.decide(record, said, by="ana", reason=said)
        for section in ("summary", "public_summary", "root_causes"):
            record = book.write(record, section, text=said, by="ana")
        pages = [*(record.update(audience) for audience in AUDIENCES), record.postmortem()]
        texts = [" ".join(page.frame()["text"]) for page in pages]
    kept = member.strip().lower()
    assert not [text for text in texts if kept in text.lower()]


# -- the post-mortem -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["20261123-5bfbfe1c", "20261123-12345678", "20261123-1234567f"])
def test_ids_of_runs_stay_and_numbers_after_a_day_do_not(run):
    scrub = Scrubber([])
    assert scrub(f"linked runs {run} 12, {run}.") == f"linked runs {run} 12, {run}."
    assert scrub("call 0812-3456-7890 or 20261123-4111111111111111") == "call [number] or 20261123-[number]"
    assert scrub("81234567-12345678") == "[number]"


def test_a_post_mortem_has_every_section_in_the_blameless_order(full):
    page = full.postmortem()
    assert page.frame()["section"].tolist() == [
        "Summary",
        "Impact",
        "Timeline",
        "Detection",
        "Trigger",
        "Root causes",
        "Contributing factors",
        "What our defences saw",
        "Decisions and resolution",
        "What went well",
        "What went wrong",
        "Where we were lucky",
        "Putting right",
        "Action items",
        "Lessons",
    ]
    assert page.markdown.count("\n## ") == 15
    assert _seen(page.page).tags.count("h2") == 15


def test_roles_stand_for_names(full):
    page = full.postmortem()
    for text in (page.markdown, _seen(page.page).text):
        assert not re.search(r"\bana\b|\bputri\b|\bchi\b|\bbo\b", text.lower())
        for role in ("the lead", "communications", "analyst A"):
            assert role in text
    assert not [hidden for hidden in (*RING, "BUY-55555") if hidden in page.page + page.markdown]


def test_an_empty_post_mortem_says_what_is_missing(book):
    page = book.open("x", by="scan").postmortem()
    gaps = dict(zip(page.frame()["section"], page.frame()["missing"], strict=True))
    assert all(gap for section, gap in gaps.items()), gaps
    for ask in ASKS.values():
        assert ask in page.markdown
    assert "draft" in page.about


def test_a_whole_post_mortem_has_no_gap(book, full):
    book.state(full, {"people": 14}, by="bo")
    for state, when in (("contained", "2026-11-11"), ("eradicated", "2026-11-12"), ("resolved", "2026-11-13")):
        full = book.move(full.id, state, by="bo", when=when)
    page = full.postmortem()
    assert not page.frame()["missing"].any(), page.frame()[["section", "missing"]]
    assert page.about == "post-mortem, blameless"


def test_a_page_runs_nothing_and_fetches_nothing(book):
    record = book.open(
        HOSTILE[:150], by=HOSTILE[:60], facts={"scheme": HOSTILE, "rules": [HOSTILE], "segments": [HOSTILE]}
    )
    book.assign(record, HOSTILE[:70], by="x", role=HOSTILE[:50])
    book.decide(record, HOSTILE, by="x", reason=HOSTILE, alternatives=[HOSTILE])
    book.act(record, HOSTILE, by="x", owner=HOSTILE[:70])
    for section in SECTIONS:
        record = book.write(
            record, section, text=f"{HOSTILE}\n# h\n- l\n1. n\n> q\n```\n![i](http://a.b/c)\n---", by="x"
        )
    pages = [record.postmortem(), *(record.update(who) for who in AUDIENCES)]
    pages.append(record.handover(since="2026-01-01", to_time_zone="UTC"))
    for page in pages:
        seen = _seen(page.page)
        assert not {"script", "svg", "img", "link", "iframe", "a", "form", "base", "object"} & set(seen.tags)
        assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("src", "href")]
        assert "\u202e" not in page.page + page.markdown
        assert seen.tags.count("meta") == 3
        assert "default-src 'none'" in page.page
        assert "prefers-color-scheme:dark" in page.page


def _rendered(text: str) -> _Tags:
    return _seen(mistune.create_markdown(escape=False, plugins=["strikethrough", "table", "url", "footnotes"])(text))


def test_markdown_shows_hostile_text_as_it_stands(book):
    record = book.open(HOSTILE[:150], by="x")
    text = f"{HOSTILE}\n# h\n- l\n1. n\n1) n\n> q\n===\n```\n    code\n"
    text += "![i](http://a.b/c) www.a.b <http://c.d> [r]: x\n---\n+ p\na|b"
    for section in SECTIONS:
        record = book.write(record, section, text=text, by="x")
    record = book.decide(record, f"{HOSTILE} a|b", by="x", reason="r|s")
    page = record.postmortem()
    seen = _rendered(page.markdown)
    assert not {"script", "svg", "img", "a", "pre", "code", "ol", "del"} & set(seen.tags)
    assert seen.tags.count("h1") == 1
    assert seen.tags.count("h2") == 15
    assert seen.tags.count("hr") == 1
    for line in ("# h", "- l", "1. n", "> q", "===", "---", "+ p", "a|b", "![i](http://a.b/c) www.a.b"):
        assert line in seen.text
    assert {
        len(row)
        for row in (re.findall(r"(?<!\\)\|", line) for line in page.markdown.split("\n") if line.startswith("|"))
    } <= {3, 4, 6, 7}


def test_pages_are_saved_by_their_ending(full, tmp_path):
    page = full.postmortem()
    assert page.save(tmp_path / "p.html").read_text(encoding="utf-8") == page.page
    assert page.save(str(tmp_path / "p.MD")).read_text(encoding="utf-8") == page.markdown
    for wrong in ("p.pdf", "p", "none/p.md"):
        with pytest.raises(ParameterError):
            page.save(tmp_path / wrong)
    assert sorted(Path(tmp_path).glob("p*")) == [tmp_path / "p.MD", tmp_path / "p.html"]


def test_showing_a_page_twice_gives_the_same(full):
    assert full.postmortem().page == full.postmortem().page
    assert full.update("finance").markdown == full.update("finance").markdown


# -- hand-over -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "zone", "shown"),
    [
        ("2026-03-29T00:59:00.000+00:00", "Europe/Warsaw", "2026-03-29 01:59 (UTC+01:00)"),
        ("2026-03-29T01:00:00.000+00:00", "Europe/Warsaw", "2026-03-29 03:00 (UTC+02:00)"),
        ("2026-10-25T00:30:00.000+00:00", "Europe/Warsaw", "2026-10-25 02:30 (UTC+02:00)"),
        ("2026-10-25T01:30:00.000+00:00", "Europe/Warsaw", "2026-10-25 02:30 (UTC+01:00)"),
        ("2026-11-10T17:20:00.000+00:00", "Asia/Jakarta", "2026-11-11 00:20 (UTC+07:00)"),
        ("2026-11-10T17:20:00.000+00:00", "America/St_Johns", "2026-11-10 13:50 (UTC-03:30)"),
        ("2026-11-10T17:20:00.000+00:00", "UTC", "2026-11-10 17:20 (UTC+00:00)"),
    ],
)
def test_local_times_also_when_the_clocks_change(at, zone, shown):
    assert local(at, zone) == shown


def test_a_hand_over_across_a_change_of_clocks(book):
    """A night in Warsaw that has 02:30 twice, handed over to Singapore: each time stands in both zones."""
    facts = {"region": "PL", "deadlines": [{"what": "payout run", "at": "2026-10-25T02:30+01:00"}]}
    record = book.open("cards", by="ana", facts=facts, when="2026-10-24T22:00Z")
    book.note(record, "first 02:30", by="ana", when="2026-10-25T02:30+02:00")
    book.note(record, "second 02:30", by="ana", when="2026-10-25T02:30+01:00")
    record = book.act(record, "hold", by="ana", owner="bo", due="2026-10-25T10:00+08:00")
    page = handover([record], since="2026-10-24T20:00Z", until="2026-11-30", to_time_zone="Asia/Singapore")
    for told in (
        "2026-10-25 02:30 (UTC+02:00) | 2026-10-25 08:30 (UTC+08:00)",
        "2026-10-25 02:30 (UTC+01:00) | 2026-10-25 09:30 (UTC+08:00)",
        "2026-10-25 03:00 (UTC+01:00) | 2026-10-25 10:00 (UTC+08:00)",
    ):
        assert told in page.markdown
    assert "A1 (open): hold, bo" in page.markdown
    early = handover([record], since="2026-10-24T20:00Z", until="2026-10-25T00:00Z", to_time_zone="Asia/Singapore")
    assert "in 1 h 30 min" in early.markdown
    late = handover([record], since="2026-10-24T20:00Z", until="2026-10-25T03:00Z", to_time_zone="Asia/Singapore")
    assert "overdue by 1 h 30 min" in late.markdown
    assert "overdue by 1 h" in late.markdown


def test_a_hand_over_tells_the_open_and_the_changed_and_no_others(book):
    old = book.open("old and closed", by="ana", when="2026-01-01")
    book.move(old, "dismissed", by="ana", reason="a test")
    open_ = book.open("open", by="ana", facts={"rings": [{"id": "R", "members": RING}]})
    book.note(open_, f"saw {RING[0]}", by="ana")
    page = book.handover(since="2026-01-01", to_time_zone="America/Sao_Paulo")
    sections = " ".join(page.frame()["section"])
    assert "INC-0001" in sections
    assert "INC-0002" in sections
    assert RING[0] not in page.page + page.markdown
    from riskbench.store import now

    later = book.handover(since=now(), to_time_zone="America/Sao_Paulo")
    assert not [name for name in later.frame()["section"] if "INC-0001" in name]
    assert "Nothing was written down in this shift." in later.markdown


def test_a_hand_over_of_nothing(book):
    page = book.handover(since="2026-01-01", to_time_zone="UTC")
    assert "None is open" in page.markdown


@pytest.mark.parametrize(
    "wrong",
    [
        {"since": "x", "to_time_zone": "UTC"},
        {"since": "2026-01-01", "to_time_zone": "Asia/Jakatra"},
        {"since": "2999-01-01", "to_time_zone": "UTC"},
    ],
)
def test_a_wrong_shift_is_refused(book, wrong):
    record = book.open("x", by="ana")
    with pytest.raises(ParameterError):
        record.handover(**wrong)
