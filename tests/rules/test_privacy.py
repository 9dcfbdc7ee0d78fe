"""Does any page, repr or error tell a password, an e-mail address, a card number or a foreign file's text?"""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riskbench as rb
from riskbench.display.wording import private

CARD = "4111 1111 1111 1111"
MAIL = "ana.putri@shop.example"
BOOK = f"""
book: demo
domain: transactions
rules:
  - id: TX-1
    title: "large, password=hunter2, ask {MAIL}"
    owner: {MAIL}
    when: amount > :limit
    params: {{limit: 500}}
    outcome: review
    status: live
"""


@pytest.fixture(scope="module")
def book():
    return rb.RuleBook.from_yaml(BOOK)


@pytest.fixture(scope="module")
def events():
    frame = pd.DataFrame(
        {"id": range(40), "amount": [100.0 * n for n in range(40)], "fraud": [n % 2 for n in range(40)]}
    )
    return rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud"))


@given(st.text(), st.text())
def test_a_text_once_made_private_stays_as_it_is(left, right):
    told = private(f"{left} {MAIL} {right}")
    assert MAIL not in told
    assert private(told) == told


def test_dates_order_numbers_and_money_stay():
    text = "2026-05-17 2026-11-15, order 4111111111111112, 1,234,567,890,123.00, rule @ 3, 20261123-5bfbfe1c"
    assert private(text) == text


def test_a_book_page_tells_no_password_and_its_yaml_keeps_all(book):
    for page in (book._repr_html_(), repr(book), str(book.frame().to_dict())):
        assert "hunter2" not in page
        assert MAIL not in page
    assert "password=hunter2" in book.to_yaml()
    assert MAIL in book.to_yaml()


def test_a_change_request_shows_no_address_and_no_card(book, events):
    before, after = rb.simulate(book, events), rb.simulate(book.with_params({"TX-1": {"limit": 900}}), events)
    asked = rb.request_change(before, after, reason=f"asked by {MAIL} for {CARD}", requested_by=MAIL)
    with pytest.raises(rb.errors.ParameterError, match="own request"):
        asked.sign(reviewer=MAIL, decision="approve")
    signed = asked.sign(reviewer="bo@shop.example", decision="approve", note=f"card {CARD}")
    for page in (asked.page, asked.markdown, asked._repr_html_(), asked._html(signed), asked._markdown(signed)):
        assert MAIL not in page
        assert "ana.putri" not in page
        assert "bo@shop" not in page
        assert CARD not in page
        assert "hunter2" not in page
    assert signed.verify(asked)


def test_an_imported_comment_brings_no_password():
    found = rb.import_rules("CASE\n-- password=hunter2\nWHEN amount > 5 THEN 'review' ELSE 'approve' END")
    assert len(found.book.rules) == 1
    assert "hunter2" not in found.book.to_yaml() + found._repr_html_() + str(found.frame().to_dict())


@pytest.mark.parametrize(("name", "most"), [("passwd", 0), ("passwd.yaml", 40), ("passwd.yml", 40)])
@pytest.mark.parametrize(
    "text", ["root:x:0:0:root:/root:/bin/bash\nme: z\n", "k: [1\nroot: x: y", "S" * 300, "- secret", ""]
)
def test_a_file_that_is_no_rule_book_is_not_shown(tmp_path, name, most, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(rb.errors.RiskbenchError) as told:
        rb.RuleBook.read(path)
    said = str(told.value).replace(str(path), "")
    shown = max(
        (n for n in range(2, len(text) + 1) if any(text[i : i + n] in said for i in range(len(text) - n + 1))),
        default=0,
    )
    assert shown <= max(most, 6)
    assert "root:x:0:0:root:/root:/bin/bash\n" not in said


def test_a_book_with_a_mistake_still_shows_its_place(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(BOOK.replace("amount > :limit", "amount >> :limit"))
    with pytest.raises(rb.errors.RuleError, match="amount >> :limit"):
        rb.RuleBook.read(path)
