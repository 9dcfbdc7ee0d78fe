"""Rule books: read with every mistake found, changed safely, written back equal, known by their content."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, RiskbenchError, RuleError
from riskbench.rules.book import RuleBook
from riskbench.rules.param import Param
from riskbench.rules.rule import STATUSES, Rule

BOOK = """
book: id-transactions
domain: transactions
scope: region
features:
  device_orders_1h: {count: "*", by: device_id, window: 1h}
  buyer_spend_24h:  {sum: amount, by: buyer_id, window: 24h}
lists:
  bad_devices: {values: [d1, "no", d2], owner: ana, expires: 2026-12-31}
rules:
  - id: TX-001
    title: New device, high amount
    when: amount > :limit AND device_age_days < 2
    params: {limit: {default: 1500000, min: 100000, max: 20000000, unit: IDR}}
    regions: {JKT: {limit: 2000000}, NO: {limit: 300000}, 123: {limit: 400000}, on: {limit: 500000}}
    outcome: review
    priority: 20
    status: live
  - id: TX-002
    when: |
      device_id IN :bad_devices
      AND device_orders_1h >= :many
    params: {many: 3}
    outcome: block
    status: shadow
    owner: ana
    references: [INC-7, https://wiki.invalid/x]
    falsepositives: boarding houses
"""


@pytest.fixture
def book() -> RuleBook:
    return RuleBook.from_yaml(BOOK)


def test_what_is_read(book):
    first, second = book.rules
    assert (book.name, book.domain, book.scope) == ("id-transactions", "transactions", "region")
    assert first.params["limit"] == Param(1500000, min=100000, max=20000000, unit="IDR")
    assert second.params["many"] == Param(3)
    assert (first.priority, second.priority, first.status, second.status) == (20, 100, "live", "shadow")
    assert second.references == ("INC-7", "https://wiki.invalid/x")
    assert second.falsepositives == ("boarding houses",)
    assert book.live == (first,)
    assert book.provides == ("device_orders_1h", "buyer_spend_24h")
    assert set(book.columns) == {"amount", "device_age_days", "device_id", "buyer_id"}
    assert book.rule("TX-002") is second


def test_region_keys_stay_as_written(book):
    rule = book.rule("TX-001")
    assert list(rule.regions) == ["JKT", "NO", "123", "on"]
    assert rule.values("NO") == {"limit": 300000}
    assert rule.values("elsewhere") == rule.values() == {"limit": 1500000}


def test_a_rule_binds_with_its_region_its_lists_and_other_values(book):
    kinds = {"amount": "float", "device_age_days": "int", "device_id": "string", "device_orders_1h": "int"}
    first, second = book.rules
    assert "2000000e0" in first.bind(kinds, region="JKT").parts[0].sql
    assert "7e0" in first.bind(kinds, values={"limit": 7}).parts[0].sql
    assert second.bind(kinds).parts[0].values == ("d1", "d2", "no")


def test_round_trip(book):
    again = RuleBook.from_yaml(book.to_yaml())
    assert again == book
    assert again.hash == book.hash
    assert again.to_yaml() == book.to_yaml()
    assert pickle.loads(pickle.dumps(book)) == book


def test_the_hash_knows_meaning_from_spelling(book):
    spelled = BOOK.replace("amount > :limit AND", "'amount   > :limit\n\n      AND").replace("< 2\n", "< 2'\n")
    spelled = spelled.replace("{default: 1500000, min: 100000, max", "{min: 100000.0, default: 1500000, max")
    spelled = spelled.replace("title: New device, high amount", "title: Other words")
    assert RuleBook.from_yaml(spelled).hash == book.hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("amount > :limit", "amount >= :limit"),
        ("1500000", "1500001"),
        ("max: 20000000", "max: 20000001"),
        ("JKT: {limit: 2000000}", "JKT: {limit: 2000001}"),
        ("outcome: review", "outcome: block"),
        ("priority: 20", "priority: 21"),
        ("status: live", "status: shadow"),
        ("window: 1h", "window: 2h"),
        ("[d1,", "[d3,"),
        ("id: TX-001", "id: TX-003"),
        ("domain: transactions", "domain: transactions\nscope: global"),
    ],
)
def test_the_hash_changes_with_the_meaning(book, old, new):
    text = BOOK.replace("scope: region\n", "") if "scope" in new else BOOK
    assert RuleBook.from_yaml(text.replace(old, new, 1)).hash != book.hash


def test_order_of_rules_is_meaning(book):
    turned = replace(book, rules=tuple(reversed(book.rules)))
    assert turned.hash != book.hash
    assert book.diff(turned) == ["the order of the rules changed: TX-002 now first"]


def test_changes_are_new_books_and_told_plainly(book):
    changed = (
        book.with_params({"TX-001": {"limit": 1_800_000}})
        .with_region_params("TX-001", {"JKT": {"limit": 1_000_000}, "BDG": {"limit": 900_000}})
        .with_status("TX-002", "live")
        .with_rule(Rule("TX-003", "amount > 5", "review"))
    )
    assert book.diff(changed) == [
        "TX-001: limit 1,500,000 -> 1,800,000",
        "TX-001: limit in JKT 2,000,000 -> 1,000,000",
        "TX-001: limit in BDG default -> 900,000",
        "TX-002: status shadow -> live",
        "TX-003: added (review, draft): amount > 5",
    ]
    assert book.rule("TX-001").params["limit"].default == 1_500_000
    assert book.diff(book) == []
    assert changed.diff(changed.without("TX-001")) == ["TX-001: removed"]
    assert book.with_params({"TX-001": {"limit": 1_800_000.0}}).rule("TX-001").values()["limit"] == 1_800_000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda book: book.with_params({"TX-01": {"limit": 1}}), "did you mean 'TX-001'"),
        (lambda book: book.with_params({"TX-001": {"limt": 1}}), "did you mean 'limit'"),
        (lambda book: book.with_params({"TX-001": {"limit": 1}}), "from 100,000 up to 20,000,000 IDR"),
        (lambda book: book.with_params({"TX-001": {"limit": "many"}}), "is text, the default is a number"),
        (lambda book: book.with_params({"TX-001": {"limit": True}}), "true/false"),
        (lambda book: book.with_params({"TX-001": {"limit": float("nan")}}), "a number"),
        (lambda book: book.with_params({"TX-001": {"limit": None}}), "a number"),
        (lambda book: book.with_params({"TX-001": 5}), "names the parameter"),
        (lambda book: book.with_region_params("TX-001", {"JKT": {"limit": 1}}), "outside what is allowed"),
        (lambda book: book.without("TX-9"), "no rule 'TX-9'"),
        (lambda book: book.with_status("TX-001", "lvie"), "did you mean 'live'"),
        (lambda book: book.with_rule(Rule("TX-9", "amount > 1", "reviw")), "did you mean 'review'"),
        (lambda book: book.with_rule(Rule("TX-9", "amount >", "review")), "not complete"),
        (lambda book: replace(book, rules=(*book.rules, book.rules[0])), "bear the id"),
        (lambda book: Rule("a b", "x", "review"), "needs an id"),
        (lambda book: Rule("A", "x", "review", params={"a b": 1}), "name is a word"),
        (lambda book: Rule("A", "x", "review", regions={5: {}}), "in quotes"),
        (lambda book: Rule("A", "x", "review", regions={"a\nb": {}}), "one line"),
        (lambda book: Rule("A", "x", "review", priority=True), "whole number"),
        (lambda book: Param(5, min=7), "outside"),
        (lambda book: Param(5, min=7, max=3), "above max"),
        (lambda book: Param("x", min=7), "Only a number"),
        (lambda book: Param([1, "a"]), "one type"),
    ],
)
def test_wrong_changes_are_refused(book, change, says):
    with pytest.raises(RuleError) as wrong:
        change(book)
    assert says in str(wrong.value)


def test_every_mistake_is_listed_at_once():
    text = (
        BOOK.replace("amount > :limit", "amuont >> :limit")
        .replace("outcome: block", "outcome: blok")
        .replace("status: shadow", "status: shadow\n    prio: 3")
        .replace("window: 24h", "window: soon")
        .replace("params: {many: 3}", "params: {may: 3}")
    )
    with pytest.raises(RuleError) as wrong:
        RuleBook.from_yaml(text)
    message = str(wrong.value)
    assert "5 mistakes" in message
    for said in (
        "line 7",
        "line 13, rule TX-001",
        "'blok'",
        "did you mean 'priority'",
        ":many is not declared",
        "^^^^",
    ):
        assert said in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("- a", "is a mapping"),
        ("book: x", "'domain' is missing"),
        ("domain: kyc", "'book' is missing"),
        ("book: x\ndomain: transaction", "did you mean 'transactions'"),
        ("book: x\ndomain: kyc\nrules: 5", "'rules' is a list"),
        ("book: x\ndomain: kyc\nrules: [5]", "A rule is a mapping"),
        ("book: x\ndomain: kyc\nrules: [{when: a, outcome: review}]", "needs an id"),
        ("book: x\ndomain: kyc\nrules: [{id: A, outcome: review}]", "'when' is missing"),
        ("book: x\ndomain: kyc\nrules: [{id: A, when: a}]", "'outcome' is missing"),
        ("book: x\ndomain: kyc\nrules: [{id: A, when: [a], outcome: review}]", "'when' is text"),
        ("book: x\ndomain: kyc\nrules: [{id: A, when: a, outcome: block}]", "no outcome 'block'"),
        ("book: x\ndomain: kyc\nrules: [{id: A, when: a, outcome: review, status: on}]", "no status 'on'"),
        ("book: x\ndomain: kyc\nrules: [{id: A, when: a, outcome: review, priority: high}]", "whole number"),
        ("book: x\ndomain: kyc\nrules: [{id: A, when: a, outcome: review, params: {p: .inf}}]", "never used"),
        ("book: x\ndomain: kyc\nrules: [{id: A, when: 'a > :p', outcome: review, params: {p: 1e999}}]", "a number"),
        (
            "book: x\ndomain: kyc\nrules: [{id: A, when: 'a > :p', outcome: review, params: {p: {defalt: 1}}}]",
            "'default'",
        ),
        ("book: x\ndomain: kyc\nrules: [{id: A, when: 'a > :p', outcome: review, params: {p: ~}}]", "a number"),
        (
            "book: x\ndomain: kyc\nrules: [{id: A, when: a, outcome: review}, {id: A, when: b, outcome: review}]",
            "stands twice (first on line 3)",
        ),
        ("book: x\nbook: y\ndomain: kyc", "'book' stands twice (first on line 1)"),
        ("book: &a x\ndomain: *a", "Anchors and aliases"),
        ("book: !!python/object/apply:os.system [id]\ndomain: kyc", "Tags"),
        ("book: !x y\ndomain: kyc", "Tags"),
        ("book: x\ndomain: kyc\n---\nbook: y", "one document"),
        ("book: x\n\tdomain: kyc", "tabs"),
        ("book: x: y", "in quotes"),
        ("book: x\ndomain: kyc\nrules:\n  - id: A\n   when: b", "cannot be read"),
        ("[" * 5_000, "nested too deeply"),
        ("book: " + "x" * 1_000_001, "too large"),
        ("book: x\ndomain: kyc\nlists: {a: 5}", "several values"),
        ("book: x\ndomain: kyc\nlists: {a: {values: [1], expires: soon}}", "not a date"),
        ("book: x\ndomain: kyc\nfeatures: {f: {cuont: '*', by: a, window: 1h}}", "did you mean 'count'"),
        ("book: \ud800", "cannot be read"),
        ("book: \x00", "cannot be read"),
    ],
)
def test_broken_books_are_refused_plainly(text, says):
    if says == "never used":
        RuleBook.from_yaml(text)  # .inf is text in this YAML, and text is a value
        return
    with pytest.raises(RuleError) as wrong:
        RuleBook.from_yaml(text)
    assert says in str(wrong.value)
    assert len(str(wrong.value)) < 5_000


def test_lines_of_mistakes_inside_blocks():
    text = "book: x\ndomain: kyc\nrules:\n  - id: A\n    outcome: review\n    when: |\n      a > 1\n      AND foo(b)\n"
    with pytest.raises(RuleError, match="line 8, rule A"):
        RuleBook.from_yaml(text)


def test_files(tmp_path, book):
    path = tmp_path / "book.yaml"
    path.write_text("\ufeff" + BOOK, encoding="utf-8")
    assert RuleBook.read(path) == RuleBook.read(str(path)) == book
    for name, content in (("latin.yaml", b"book: \xe9"), ("huge.yaml", b"#" * 1_000_001)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError):
            RuleBook.read(tmp_path / name)
    for wrong in (tmp_path, tmp_path / "none.yaml", "a\x00b"):
        with pytest.raises(DataError):
            RuleBook.read(wrong)


def test_it_shows_itself_in_words(book):
    page = book._repr_html_()
    assert "amount &gt; 1,500,000 IDR AND device_age_days &lt; 2" in page
    assert "<script" not in replace(book, name="<script>")._repr_html_()
    assert repr(book).startswith("RuleBook('id-transactions', transactions, 2 rules, 1 live, ")
    assert list(book.frame()["rule"]) == ["TX-001", "TX-002"]


def test_a_title_is_one_line():
    assert Rule("A", "x", "review", title="a\n-- b; DROP TABLE c").title == "a -- b; DROP TABLE c"


def test_nouns_are_frozen(book):
    for noun, name in ((book, "name"), (book.rules[0], "when"), (book.rules[0].params["limit"], "default")):
        with pytest.raises(AttributeError):
            setattr(noun, name, "x")
    with pytest.raises(TypeError):
        book.rules[0].params["limit"] = 5
    assert len({book, RuleBook.from_yaml(BOOK)}) == 1
    assert len({book.rules[0], replace(book.rules[0])}) == 1
    assert rb.RuleBook is RuleBook
    assert rb.Rule is Rule


ODD = [
    *"NO no on y ~ null 123 1e5 0x1f 1_000 2026-01-01 #x ' \" \\ %a @a *a &a !a = << ? 12:30:00 .inf".split(),
    *("- a", "a: b", "| x", "a\nb", "a\n b", "a \nb", "\u2028x", "x\x85y", "\ufeffx", "\ttab\t"),
]
WORD = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(str.strip),
    st.sampled_from(ODD),
)
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
NUMBER = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
VALUE = st.one_of(NUMBER, st.booleans(), WORD, st.lists(WORD, max_size=3), st.lists(NUMBER, max_size=3))


@st.composite
def rules(draw, rule_id):
    names = draw(st.lists(NAME, unique=True, max_size=3))
    params = {name: Param(draw(VALUE), unit=draw(st.none() | WORD)) for name in names}
    when = draw(st.sampled_from(["amount > 5", "amount > 5\n  AND is_new", '"odd ""name""" = \'it\'\'s: # {x}\'']))
    kept = [name for name in names if isinstance(params[name].default, str)]
    regions = draw(
        st.dictionaries(WORD.filter(str.isprintable), st.fixed_dictionaries(dict.fromkeys(kept, WORD)), max_size=2)
    )
    return Rule(
        rule_id,
        when,
        draw(st.sampled_from(["approve", "review", "block"])),
        params=params,
        regions=regions,
        priority=draw(st.integers(0, 1000)),
        status=draw(st.sampled_from(STATUSES)),
        title=draw(st.none() | WORD.map(str.strip).filter(bool)),
        owner=draw(st.none() | WORD.map(str.strip).filter(bool)),
        references=tuple(draw(st.lists(WORD, max_size=2))),
    )


@st.composite
def books(draw):
    ids = draw(st.lists(st.from_regex(r"[A-Za-z0-9-]{1,6}", fullmatch=True), unique=True, max_size=3))
    return RuleBook(
        name=draw(WORD.map(str.strip).filter(bool)),
        domain="transactions",
        rules=tuple(draw(rules(rule_id)) for rule_id in ids),
        lists=draw(st.dictionaries(NAME, st.lists(WORD, max_size=3), max_size=2)),
        features=draw(st.dictionaries(WORD, st.just({"count": "*", "by": "device_id", "window": "1h"}), max_size=2)),
    )


@settings(max_examples=150, deadline=None)
@given(books())
def test_any_book_is_written_and_read_back_equal(book):
    again = RuleBook.from_yaml(book.to_yaml())
    assert again == book
    assert again.hash == book.hash


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_book_is_read_or_refused(data):
    start = data.draw(st.integers(0, len(BOOK)))
    end = data.draw(st.integers(start, min(len(BOOK), start + 30)))
    text = BOOK[:start] + data.draw(st.text(max_size=8) | WORD) + BOOK[end:]
    try:
        RuleBook.from_yaml(text)
    except RiskbenchError as wrong:
        assert isinstance(wrong, RuleError)  # noqa: PT017


def test_a_text_that_begins_with_a_question_mark_is_read_back():
    book = RuleBook.from_yaml(
        "book: b\ndomain: transactions\nrules:\n"
        "  - {id: A, when: a > 5, outcome: review, references: ['?0', '? x'], title: '?'}\n"
    )
    assert RuleBook.from_yaml(book.to_yaml()) == book
