"""Can a reviewer sign a change request, and does any altered figure, word or rule break the signature?"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import FrozenInstanceError, fields, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, ParameterError

HOSTILE = "<script>alert(1)</script><svg onload=x>\"'&</td> [x](javascript:y) \u202eabc\x07"
SECRET = "see postgresql://ana:pa55word@db/risk"


def _events(rows: int = 600, **roles) -> rb.Dataset:
    rng = np.random.default_rng(4)
    score = rng.random(rows).round(3)
    frame = pd.DataFrame(
        {
            "id": [f"ORDER-{k:06d}" for k in range(rows)],
            "score": score,
            "amount": rng.integers(100, 90_000, rows) / 100,
            "fraud": pd.array(
                np.where(rng.random(rows) < 0.1, None, (rng.random(rows) < score**3).astype(int)), "Int64"
            ),
            "land": rng.choice(["ID", "日本", HOSTILE], rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 60, rows), unit="D"),
        }
    )
    told = {"amount": "amount", "label": "fraud", "region": "land", "time": "at", "currency": "EUR"} | roles
    return rb.read(frame, roles=rb.Roles(id="id", **{name: role for name, role in told.items() if role}))


def _books() -> tuple[rb.RuleBook, rb.RuleBook]:
    book = rb.RuleBook.from_yaml(
        """
        book: b
        domain: transactions
        rules:  # the live ones
          - {id: A, when: score > :cut, params: {cut: 0.9}, outcome: block, status: live}
          - {id: B, when: amount > 800, outcome: review, status: shadow}
        """
    )
    return book, book.with_params({"A": {"cut": 0.7}}).with_status("B", "live")


def _request(**told) -> rb.ChangeRequest:
    events = told.pop("events", None) or _events()
    old, new = _books()
    words = {"reason": "The cut is too mild", "requested_by": "Ana", "chosen_on": "November"} | told
    return rb.request_change(rb.simulate(old, events), rb.simulate(new, events), **words)


@pytest.fixture(scope="module")
def asked() -> rb.ChangeRequest:
    return _request()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((name, value or "") for name, value in attrs)

    def handle_data(self, data):
        self.text.append(data)


def test_a_request_tells_what_changes_and_what_it_does(asked):
    assert asked.frame("rules")["change"].tolist() == ["A: cut 0.9 -> 0.7", "B: status shadow -> live"]
    effect = asked.frame().set_index("measure")
    whole = rb.compare(*(rb.simulate(book, _events()) for book in _books())).frame("changes").set_index("measure")
    weeks = 59 / 7
    assert effect.loc["net value", "per"] == "week"
    assert effect.loc["net value", "change"] == pytest.approx(whole.loc["net value", "difference"] / weeks)
    assert effect.loc["net value", "lower"] == pytest.approx(whole.loc["net value", "lower"] / weeks)
    assert effect.loc["reviews", "per"] == "day"
    assert effect.loc["reviews", "change"] == pytest.approx(whole.loc["reviews", "difference"] / 59)
    assert effect.loc["recall", "change"] == pytest.approx(whole.loc["recall", "difference"])
    assert asked.book_after == _books()[1].hash
    assert rb.RuleBook.from_yaml(asked.book_yaml).hash == asked.book_after
    assert asked.dataset == _events().fingerprint
    assert asked.frame("assumptions")["cost"].tolist() == list(rb.Costs().to_dict())


def test_the_method_and_the_verb_say_the_same(asked):
    sides = [rb.simulate(book, _events()) for book in _books()]
    told = {"reason": "The cut is too mild", "requested_by": "Ana", "chosen_on": "November"}
    assert rb.compare(*sides).request(**told).checksum == asked.checksum
    assert rb.request_change(*sides, costs={"margin": 0.2}, **told).checksum != asked.checksum


def test_the_largest_flips_are_named_so_that_nobody_can_look_them_up(asked):
    largest = asked.frame("largest")
    events = rb.compare(*(rb.simulate(book, _events()) for book in _books())).frame("events")
    assert largest["amount"].tolist() == events["amount"].nlargest(10).tolist()
    assert largest["event"].str.fullmatch(r"ORD…\d\d").all()
    assert "ORDER-" not in asked.page + asked.markdown + json.dumps(asked.to_dict())


def test_values_of_lists_are_left_out(asked):
    old, new = _books()
    listed = {"blocked": ["DEVICE-0001", "DEVICE-0002"]}
    rule = rb.Rule("L", "land IN :blocked", "block", status="live", lists=listed)
    held = rb.RuleBook(name="b", domain="transactions", rules=(*new.rules, rule), lists=listed)
    asked = rb.request_change(rb.simulate(old, _events()), rb.simulate(held, _events()), reason="r")
    assert "DEVICE-" not in asked.page + json.dumps(asked.to_dict())
    assert "2 values, left out here" in asked.book_yaml


# -- the page ---------------------------------------------------------------------------------------------


def test_the_page_is_whole_in_itself_and_escapes_what_people_wrote():
    asked = _request(reason=HOSTILE, requested_by=HOSTILE, title=HOSTILE, chosen_on=HOSTILE, reported_on=HOSTILE)
    signed = asked.sign(reviewer=f"Bo {HOSTILE}", decision="revise", note=HOSTILE, at="2026-02-01")
    for text in (asked.page, asked._html(signed)):
        seen = _Tags()
        seen.feed(text)
        assert not {"script", "svg", "link", "iframe", "object", "embed", "form", "base"} & set(seen.tags)
        assert not [name for name, _ in seen.attributes if name.startswith("on")]
        sources = [value for name, value in seen.attributes if name in ("src", "href")]
        assert all(value.startswith("data:image/png;base64,") for value in sources)
        assert len(sources) == 1
        assert "default-src 'none'" in dict(seen.attributes)["content"] or "default-src 'none'" in text
        assert "url(" not in text
        assert "\u202e" not in text
        assert "nan" not in re.sub(r"data:image/png;base64,[^\"]*", "", text).lower().split()
        assert "@page{size:A4" in text
    assert "<script" not in asked.markdown


def test_the_lines_to_sign_are_empty_until_signed(asked):
    seen = _Tags()
    seen.feed(asked.page)
    place = seen.text.index("Reviewer")
    assert seen.text[place + 1] == "Decision"
    assert "approve / reject / revise" in seen.text
    signed = asked.sign(reviewer="Bo", decision="approve", at="2026-02-01T09:00+07:00")
    told = _Tags()
    told.feed(asked._html(signed))
    assert told.text[told.text.index("Reviewer") + 1] == "Bo"
    assert "2026-02-01T02:00:00Z" in told.text
    assert f"seal {signed.seal}" in told.text
    assert asked.checksum in asked.page


def test_secrets_stay_out(tmp_path):
    asked = _request(reason=SECRET, requested_by=SECRET, title=SECRET, chosen_on=SECRET)
    signed = asked.sign(reviewer=f"Bo {SECRET}", decision="approve", note=SECRET)
    whole = asked.page + asked.markdown + json.dumps(asked.to_dict()) + json.dumps(signed.to_dict()) + repr(asked)
    assert "pa55word" not in whole


def test_a_page_is_saved_whole_by_its_ending(asked, tmp_path):
    for name in ("change.html", "change.md", "CHANGE.HTM"):
        path = asked.save(tmp_path / name)
        assert path.read_text(encoding="utf-8") == (asked.markdown if name.endswith("md") else asked.page)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CHANGE.HTM", "change.html", "change.md"]
    with pytest.raises(ParameterError, match="HTML or Markdown"):
        asked.save(tmp_path / "change.pdf")
    with pytest.raises(ParameterError, match="cannot be written"):
        asked.save(tmp_path / "none" / "change.html")
    other = _request(reason="another").sign(reviewer="Bo", decision="approve")
    with pytest.raises(ParameterError, match="not of this request"):
        asked.save(tmp_path / "signed.html", signed=other)
    assert not (tmp_path / "signed.html").exists()


def test_showing_twice_gives_the_same(asked):
    assert asked.page == asked.page
    assert _request().checksum == asked.checksum


def test_the_regions_say_that_they_are_no_figures_a_week(asked):
    assert {"week", "day"} <= set(asked.effect["per"])
    held = rb.compare(*(rb.simulate(book, _events()) for book in _books()))
    row = held.frame("changes").set_index("measure").loc["net value"]
    assert asked.regions["net_value"].sum() == pytest.approx(row["difference"])
    for text in (asked.page, asked.markdown, asked._repr_html_()):
        assert "Changes in all, over the events told on; not a week." in text
    assert "net value, in all" in asked.page


# -- signing ----------------------------------------------------------------------------------------------


def test_a_signature_holds_for_what_was_shown_only(asked):
    signed = asked.sign(reviewer="Bo", decision="approve", note="fine", at="2026-02-01")
    assert signed.verify(asked)
    assert signed.verify(_request())
    assert not signed.verify(_request(reason="another"))
    assert not signed.verify(_request(costs={"margin": 0.11}))
    with pytest.raises(FrozenInstanceError):
        signed.decision = "reject"  # type: ignore[misc]


def test_any_altered_figure_or_word_breaks_it(asked):
    signed = asked.sign(reviewer="Bo", decision="approve")
    for spec in fields(rb.ChangeRequest):
        held = getattr(asked, spec.name)
        if spec.name in {"notes", "provenance", "pages", "lazy", "_cache"}:
            continue
        if isinstance(held, pd.DataFrame):
            for column in held.columns:
                if not len(held):
                    continue
                frame = held.copy()
                number = pd.api.types.is_numeric_dtype(frame[column])
                frame[column] = frame[column].fillna(0) + 1 if number else frame[column].astype(str) + "x"
                assert not signed.verify(replace(asked, **{spec.name: frame})), (spec.name, column)
        elif spec.name == "grounds":
            assert not signed.verify(replace(asked, grounds=replace(held, measured=held.measured + "x")))
        else:
            assert not signed.verify(replace(asked, **{spec.name: held + (1 if isinstance(held, int) else "x")}))
    altered = replace(asked, effect=asked.effect.copy())
    altered.effect.loc[0, "change"] = np.nextafter(altered.effect.loc[0, "change"], np.inf)
    assert not signed.verify(altered)


def test_any_altered_signature_is_found(asked):
    signed = asked.sign(reviewer="Bo", decision="approve")
    told = signed.to_dict()
    assert rb.SignedChange.from_dict(json.loads(json.dumps(told))) == signed
    for name in told:
        with pytest.raises(DataError):
            rb.SignedChange.from_dict(told | {name: "reject"})
        assert not replace(signed, **{name: "reject"}).verify(asked)
    for wrong in ({}, {"seal": 1}, None, told | {"more": "x"}, {**told, "note": 5}):
        with pytest.raises(DataError):
            rb.SignedChange.from_dict(wrong)  # type: ignore[arg-type]


def test_what_cannot_be_signed_is_refused(asked):
    with pytest.raises(ParameterError, match="did you mean 'approve'"):
        asked.sign(reviewer="Bo", decision="aprove")
    with pytest.raises(ParameterError, match="their own request"):
        asked.sign(reviewer=" ANA ", decision="approve")
    assert asked.sign(reviewer="Ana", decision="reject").decision == "reject"
    for told in ({"reviewer": ""}, {"reviewer": "x" * 200}, {"reviewer": 5}, {"note": "x" * 3_000}, {"at": "soon"}):
        with pytest.raises(ParameterError):
            asked.sign(**({"reviewer": "Bo", "decision": "approve"} | told))
    for told in ({"reason": ""}, {"reason": None}, {"reason": "x" * 9_000}, {"title": "x" * 300}):
        with pytest.raises(ParameterError):
            _request(**told)


# -- the machine's form -----------------------------------------------------------------------------------


def test_a_request_comes_back_from_its_dictionary(asked):
    back = rb.ChangeRequest.from_dict(json.loads(json.dumps(asked.to_dict(), allow_nan=False)))
    assert back.checksum == asked.checksum
    assert back.page == asked.page
    assert asked.sign(reviewer="Bo", decision="approve").verify(back)


@pytest.mark.parametrize("events", [{"label": None}, {"amount": None}, {"time": None}, {"region": None}])
def test_a_request_without_labels_money_time_or_regions_says_so_and_comes_back(events):
    asked = _request(events=_events(**events))
    back = rb.ChangeRequest.from_dict(json.loads(json.dumps(asked.to_dict(), allow_nan=False)))
    assert back.checksum == asked.checksum
    assert "nan" not in re.sub(r"data:image/png;base64,[^\"]*", "", asked.page).lower().split()
    if "label" in events or "amount" in events:
        assert asked.answer == "not measurable"
        assert "net value" in asked.frame("unmeasured")["what"].tolist()
    if "time" in events:
        assert set(asked.effect["per"]) == {"window", ""}


def test_a_change_of_nothing_says_so():
    held = rb.simulate(_books()[0], _events())
    asked = rb.request_change(held, held, reason="nothing")
    assert asked.frame("rules")["change"].tolist() == ["Nothing changes in the rules."]
    assert asked.flips == 0
    assert asked.png() is None
    assert "No event flips." in asked.page
    assert "nan" not in asked.page.lower().split()


def _paths(value, path=()):
    """Yield the place of every plain value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _paths(inner, (*path, place))
    else:
        yield path


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_dictionary_altered_anywhere_is_refused(draw):
    told = json.loads(json.dumps(_HELD))
    places = list(_paths(told["provenance"]["request"]))
    path = draw.draw(st.sampled_from(places))
    wrong = draw.draw(st.sampled_from(["x", 7, 0.5, None, [], {}, True]))
    inner = told["provenance"]["request"]
    for key in path[:-1]:
        inner = inner[key]
    if inner[path[-1]] == wrong and type(inner[path[-1]]) is type(wrong):
        return
    inner[path[-1]] = wrong
    with pytest.raises(DataError):
        rb.ChangeRequest.from_dict(told)


_HELD = json.loads(json.dumps(_request().to_dict()))


def _altered(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return "altered" if value is None else f"{value}x"


#: What no page shows: how long it took.
_UNSEALED = {("provenance", "seconds")}


def test_every_altered_leaf_of_the_whole_dictionary_is_refused():
    assert rb.ChangeRequest.from_dict(_HELD).to_dict() == _HELD
    places = [path for path in _paths(_HELD) if path[:2] != ("provenance", "request")]
    assert {"kind", "title", "headline", "grounds", "tables", "notes", "provenance"} == {path[0] for path in places}
    assert len(places) > 300
    passed = set()
    for path in places:
        told = copy.deepcopy(_HELD)
        inner = told
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = _altered(inner[path[-1]])
        try:
            rb.ChangeRequest.from_dict(told)
        except DataError:
            continue
        passed.add(path)
    assert passed == _UNSEALED


@pytest.mark.parametrize("name", ["kind", "title", "headline", "tables", "notes"])
def test_a_part_that_is_taken_away_or_put_in_is_refused(name):
    for told in ({key: value for key, value in _HELD.items() if key != name}, _HELD | {f"{name}_2": _HELD[name]}):
        with pytest.raises(DataError, match="was altered"):
            rb.ChangeRequest.from_dict(told)


@pytest.mark.parametrize("wrong", [None, {}, {"provenance": None}, {"provenance": {"request": {}}}, [], "x"])
def test_what_is_no_request_is_refused(wrong):
    with pytest.raises(DataError, match="no change request"):
        rb.ChangeRequest.from_dict(wrong)


@pytest.mark.parametrize("name", ["tables", "reason", "events", "book_yaml"])
def test_what_is_not_whole_is_refused(name):
    told = copy.deepcopy(_HELD)
    del told["provenance"]["request"][name]
    with pytest.raises(DataError, match="not whole"):
        rb.ChangeRequest.from_dict(told)


def test_signing_writes_nothing(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked.sign(reviewer="Bo", decision="approve")
    assert not list(Path().iterdir())
