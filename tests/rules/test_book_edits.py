"""A changed book is written into its own text: what did not change stays as it stood, comments and all."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskbench.errors import DataError
from riskbench.rules.book import RuleBook
from riskbench.rules.rule import STATUSES, Rule

TEXT = """\
# The book of the region
book: demo   # the name
domain: transactions

features:
  # how many orders
  device_orders_1h: {count: "*", by: device_id, window: 1h}   # fast\tand cheap
lists:
  vips: [b1, "NO", 'b3']   # friends
  bad:
    - d1    # ring of March
    - d2
    # the next is odd
    - d3
  long: {values: [a, b,   # first
         c, d], owner: "ana"}
rules:
  # the main rule
  - id: TX-1   # main
    title: 'It''s big'
    when: >-
      amount > :limit
      AND device_age_days < 2
      AND country NOT IN ('ID', 'BR')
    params: {limit: {default: 500, min: 1, max: 900000}, }  # see memo
    regions:
      JKT: {limit: 600}   # Jakarta
      "NO": {limit: 700}
    outcome: review
    status: live
    # priority: 30 tried in May

  # loose words between

  # about two
  - {id: TX-2, when: "device_id IN :bad", outcome: block, status: live}

  - id: TX-3
    when: buyer_id IN :vips
    outcome: approve
    status: live    # on since June
# the end
"""


@pytest.fixture
def book() -> RuleBook:
    return RuleBook.from_yaml(TEXT)


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that went and those that came."""
    old, new = before.splitlines(), after.splitlines()
    gone, come = list(old), list(new)
    for line in old:
        if line in come:
            come.remove(line)
            gone.remove(line)
    return gone, come


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_an_unchanged_book_is_its_text(newline, mark):
    text = mark + TEXT.replace("\n", newline)
    assert RuleBook.from_yaml(text).to_yaml() == text


def test_one_value_changes_in_its_place(book):
    gone, come = changed(TEXT, book.with_params({"TX-1": {"limit": 800}}).to_yaml())
    assert gone == ["    params: {limit: {default: 500, min: 1, max: 900000}, }  # see memo"]
    assert come == ["    params: {limit: {default: 800, min: 1, max: 900000}, }  # see memo"]


def test_regions_change_and_come(book):
    text = book.with_region_params("TX-1", {"JKT": {"limit": 1}, "SBY": {"limit": 3}}).to_yaml()
    assert '      JKT: {limit: 1}   # Jakarta\n      "NO": {limit: 700}\n      SBY: {limit: 3}\n' in text


def test_a_rule_takes_its_own_comment_along_and_no_other(book):
    text = book.without("TX-1").to_yaml()
    for own in ("the main rule", "see memo", "Jakarta", "tried in May", "TX-1"):
        assert own not in text
    for other in ("The book of", "the name", "fast\tand", "ring of March", "loose words", "about two", "on since June"):
        assert other in text
    assert "# about two" not in book.without("TX-2").to_yaml()
    assert book.without("TX-3").to_yaml().endswith("status: live}\n# the end\n")


def test_a_rule_comes_at_the_end_in_the_house_form(book):
    rule = Rule("TX-9", "amount > :x AND city = 'NO'", "block", params={"x": 5}, status="live", title="a: b")
    text = book.with_rule(rule).to_yaml()
    assert changed(TEXT, text)[0] == []
    assert text.endswith(
        "    status: live    # on since June\n"
        "\n"
        "  - id: TX-9\n"
        "    title: 'a: b'\n"
        "    when: amount > :x AND city = 'NO'\n"
        "    params: {x: 5}\n"
        "    outcome: block\n"
        "    priority: 100\n"
        "    status: live\n"
        "# the end\n"
    )


def test_a_condition_over_several_lines_keeps_its_lines(book):
    when = "amount > :limit AND device_age_days < 3 AND country NOT IN ('ID', 'BR') AND is_new"
    gone, come = changed(TEXT, book.with_rule(replace(book.rule("TX-1"), when=when)).to_yaml())
    assert gone == ["      AND device_age_days < 2", "      AND country NOT IN ('ID', 'BR')"]
    assert come == ["      AND device_age_days < 3", "      AND country NOT IN ('ID', 'BR') AND is_new"]


def test_a_rule_that_moves_keeps_its_words(book):
    text = replace(book, rules=(book.rules[2], book.rules[0], book.rules[1])).to_yaml()
    assert changed(TEXT, text) == ([], [])
    assert text.index("TX-3") < text.index("the main rule") < text.index("about two")


def test_a_rule_under_another_name_stays_where_it_was(book):
    text = replace(book, rules=tuple(replace(r, id="TX-7") if r.id == "TX-2" else r for r in book.rules)).to_yaml()
    assert text == TEXT.replace("TX-2", "TX-7")


def test_lists_lose_and_gain_entries(book):
    lists = {"vips": ["b1", "b3", "x: y"], "bad": ["d0", "d1", "d3", "d4"]}
    text = replace(book, lists={**lists, "long": {"values": ["a", "c", "e"], "owner": "ben"}}).to_yaml()
    assert """  vips: [b1, 'b3', "x: y"]   # friends\n""" in text
    assert "    - d0\n    - d1    # ring of March\n    # the next is odd\n    - d3\n    - d4\n" in text
    assert """  long: {values: [a,   # first\n         c, e], owner: "ben"}\n""" in text


def test_no_rule_is_left(book):
    text = replace(book, rules=()).to_yaml()
    assert RuleBook.from_yaml(text) == replace(book, rules=())
    assert "rules: []" in text
    assert "loose words" in text
    assert "ring of March" in text


def test_a_part_that_goes_and_a_part_that_comes(book):
    text = replace(book, features={}, scope="region").to_yaml()
    assert "domain: transactions\nscope: region\n" in text
    assert "features" not in text
    assert "friends" in text


def test_the_text_is_no_part_of_what_a_book_is(book):
    plain = replace(book, source=None)
    assert plain == book
    assert plain.hash == book.hash
    assert hash(plain) == hash(book)
    assert "# the main rule" not in plain.to_yaml()
    assert pickle.loads(pickle.dumps(book)).to_yaml() == TEXT
    assert RuleBook.from_yaml(plain.to_yaml()) == book


def test_a_source_that_is_no_book_is_left_aside(book):
    for source in ("", "book: [", "other: 1", TEXT.replace("domain: transactions", "domain: kyc")):
        assert RuleBook.from_yaml(replace(book, source=source).to_yaml()) == book


# -- laws -------------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
layouts = st.sampled_from(["block", "flow", "long"])


@st.composite
def books(draw) -> tuple[str, list[str]]:
    """Return a book's text in some of the forms that people write, and its rules."""
    names = draw(st.lists(st.sampled_from([f"TX-{n}" for n in range(8)]), min_size=1, max_size=5, unique=True))
    dash = draw(st.sampled_from(["", "  ", "    "]))
    lines = ["# c-top", "book: demo", "domain: transactions  # c-domain"]
    if draw(st.booleans()):
        lines += ["lists:", "  blocked:", "    - d1  # c-d1", "    - 'NO'", "    # c-between", '    - "x: y"']
    else:
        lines += ["lists: {blocked: [d1, 'NO', \"x: y\"]}  # c-lists"]
    lines += ["rules:"]
    for name in names:
        lines += [""] * draw(st.integers(0, 2))
        if draw(st.booleans()):
            lines += [f"{dash}# c-loose-{name}", ""]
        if draw(st.booleans()):
            lines += [f"{dash}# c-own-{name}"]
        title = draw(st.sampled_from(["plain title", "'it''s'", '"a: b"', "é😀 漢字"]))
        form = draw(layouts)
        if form == "flow":
            lines += [
                (
                    f'{dash}- {{id: {name}, title: {title}, when: "amount > :limit", params: {{limit: 5}},'
                    f" outcome: review}}  # c-line-{name}"
                )
            ]
            continue
        pad = dash + "  "
        lines += [f"{dash}- id: {name}  # c-line-{name}", f"{pad}title: {title}"]
        if form == "long":
            mark = draw(st.sampled_from([">", "|", ">-", "|-"]))
            lines += [f"{pad}when: {mark}", f"{pad}  amount > :limit", f"{pad}  AND device IN :blocked"]
            lines += [f"{pad}params:", f"{pad}  # c-param-{name}", f"{pad}  limit: {{default: 5, max: 900}}"]
            lines += [f"{pad}regions:", f'{pad}  "NO": {{limit: 7}}  # c-no-{name}', f"{pad}  JKT: {{limit: 8}}"]
        else:
            lines += [f"{pad}when: amount > :limit", f"{pad}params: {{limit: 5}}"]
        lines += [f"{pad}outcome: review", f"{pad}status: live"]
        if draw(st.booleans()):
            lines += [f"{pad}  # c-in-{name}"]
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    ending = draw(st.sampled_from(["", newline, f"{newline}# c-end{newline}"]))
    return newline.join(lines) + ending, names


edits = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "param",
                "region",
                "no_regions",
                "title",
                "status",
                "outcome",
                "priority",
                "when",
                "rule",
                "without",
                "list",
                "owner",
                "move",
                "rename",
                "feature",
                "references",
            ]
        ),
        st.integers(0, 7),
        st.integers(1, 900),
        words,
    ),
    max_size=5,
)


def after(book: RuleBook, edit: tuple[str, int, int, str]) -> tuple[RuleBook, set[str]]:
    """Return the book with one change, and the ids of the rules that it touches."""
    kind, place, number, text = edit
    if kind == "rule":
        rule = Rule(f"NEW-{place}", "amount > :x", "block", params={"x": number}, title=text)
        return book.with_rule(rule), {rule.id}
    if kind == "list":
        held = [value for value in book.lists["blocked"].values if place % 2 or value != "d1"]
        return replace(book, lists={"blocked": [*held, text]}), {"d1"}
    if kind == "feature":
        return replace(book, features={f"f{place}": {"count": "*", "by": "device", "window": "1h"}}), set()
    if not book.rules:
        return book, set()
    rule = book.rules[place % len(book.rules)]
    if kind == "without":
        return book.without(rule.id), {rule.id}
    if kind == "move":
        return replace(book, rules=(rule, *(held for held in book.rules if held is not rule))), set()
    if kind in ("param", "region", "no_regions"):
        if "limit" not in rule.params:
            return book, set()
        if kind == "no_regions":
            return book.with_rule(replace(rule, regions={})), {rule.id}
        if kind == "param":
            return book.with_params({rule.id: {"limit": number}}), {rule.id}
        return book.with_region_params(rule.id, {["NO", "JKT", "on", "123"][place % 4]: {"limit": number}}), {rule.id}
    if kind == "rename":
        name = f"REN-{place}-{number}"
        return replace(book, rules=tuple(replace(r, id=name) if r is rule else r for r in book.rules)), {rule.id, name}
    change = {
        "title": {"title": text},
        "status": {"status": STATUSES[number % 4]},
        "outcome": {"outcome": "block"},
        "priority": {"priority": number},
        "when": {"when": rule.when + f" AND city <> '{number}'"},
        "owner": {"owner": text},
        "references": {"references": (text, "INC-7")[: 1 + number % 2]},
    }[kind]
    return book.with_rule(replace(rule, **change)), {rule.id}


@settings(max_examples=80, deadline=None)
@given(books(), edits)
def test_whatever_is_changed_the_rest_stays(drawn, changes):
    text, names = drawn
    book = RuleBook.from_yaml(text)
    assert book.to_yaml() == text
    touched: set[str] = set()
    for change in changes:
        book, ids = after(book, change)
        touched |= ids
        told = book.to_yaml()
        again = RuleBook.from_yaml(told)
        assert again == book
        assert again.hash == book.hash
        assert again.to_yaml() == told
    told = book.to_yaml()
    for line in text.splitlines():
        comment = line[line.find("# c-") :] if "# c-" in line else ""
        own = [name for name in (*names, "d1") if comment.endswith(name)]
        if comment and ("loose" in comment or not set(own) & touched):
            assert comment in told
    for name in set(names) - touched:
        own = [line for line in text.splitlines() if line.endswith(f"-{name}")]
        assert all(line in told.splitlines() for line in own)


@settings(max_examples=20, deadline=None)
@given(books(), edits)
def test_changes_one_at_a_time_or_all_at_once_mean_the_same(drawn, changes):
    book = stepped = RuleBook.from_yaml(drawn[0])
    for change in changes:
        book = after(book, change)[0]
        stepped = RuleBook.from_yaml(after(stepped, change)[0].to_yaml())
    assert stepped == book


# -- files ------------------------------------------------------------------------------------------------


def test_a_book_is_saved_where_it_was_read(tmp_path):
    file = tmp_path / "book.yaml"
    text = "\ufeff" + TEXT.replace("\n", "\r\n")
    file.write_bytes(text.encode())
    book = RuleBook.read(file)
    book.save(file)
    assert file.read_bytes() == text.encode()
    book.with_status("TX-1", "shadow").save(file)
    assert file.read_bytes() == text.replace("    status: live\r\n", "    status: shadow\r\n", 1).encode()
    assert [held.name for held in tmp_path.iterdir()] == ["book.yaml"]


def test_nobodys_work_is_lost(tmp_path, book):
    file = tmp_path / "book.yaml"
    book.save(file)
    file.write_text(TEXT + "# a colleague's words\n")
    with pytest.raises(DataError, match="Another text stands") as wrong:
        book.with_status("TX-1", "shadow").save(file)
    assert "overwrite=True" in str(wrong.value)
    assert "colleague" in file.read_text()
    book.save(file, overwrite=True)
    assert file.read_text() == TEXT


def test_a_file_that_cannot_be_written_is_told(tmp_path, book):
    for place in (tmp_path / "nowhere" / "book.yaml", tmp_path):
        with pytest.raises(DataError):
            book.save(place)
    with pytest.raises(DataError):
        book.save("a\0b.yaml")
    assert not list(tmp_path.iterdir())
