"""Is nobody forgotten who is to be put right, and nobody paid twice?"""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.money import Currency
from riskbench.errors import ParameterError
from riskbench.incidents.remedies import REMEDIES, ROLES, STATUSES, checked_rows, remedy_list

ROW = {"remedy": "refund", "role": "buyer", "subject": "BUY-000123", "what": "card", "amount": 12.5, "currency": "BRL"}


@pytest.fixture
def book(tmp_path):
    with rb.open_casebook(str(tmp_path / "book.db")) as held:
        yield held


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "remedy": st.sampled_from(REMEDIES),
            "role": st.sampled_from(ROLES),
            "subject": st.text(alphabet="abcXYZ0123456789-=+@店", min_size=1, max_size=12).filter(str.strip),
            "what": st.sampled_from(["", "hold", "card"]),
            "amount": st.none() | st.integers(0, 10**12).map(lambda cents: Decimal(cents).scaleb(-2)),
            "currency": st.sampled_from(["BRL", "IDR"]),
            "status": st.sampled_from(STATUSES),
        }
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_totals_add_up_exactly_and_the_csv_holds_every_row(rows):
    held = remedy_list(checked_rows(rows))
    totals = held.frame("totals")
    for code in ("BRL", "IDR"):
        want = sum((row["amount"] for row in rows if row["amount"] is not None and row["currency"] == code), Decimal(0))
        got = sum(row["minor"] or 0 for row in held.held if row["currency"] == code)
        assert got == want * Currency.of(code).scale
        shown = totals[totals["currency"] == code]["amount"].fillna(0).sum()
        assert shown == pytest.approx(float(want), rel=1e-12)
    back = list(csv.DictReader(io.StringIO(held.csv(), newline="")))
    assert [row["subject"].removeprefix("'") for row in back] == [row["subject"].strip() for row in rows]
    assert not [cell for row in back for cell in row.values() if cell[:1] in ("=", "+", "-", "@")]
    assert [Decimal(row["amount"]) if row["amount"] else None for row in back] == [row["amount"] for row in rows]


def test_ids_are_masked_on_pages_and_whole_in_the_csv(book):
    row = {**ROW, "what": "order of BUY-000123", "note": "buy-000123 wrote from ana@shop.example"}
    record = book.put_right(book.open("x", by="ana"), [row], by="ana")
    held = record.remedies()
    assert held.frame()[["what", "note"]].values.tolist() == [["order of [id]", "[id] wrote from [address]"]]
    assert "BUY-000123" not in held._repr_html_() + str(held.to_dict()) + repr(held)
    assert "BUY-000123" not in record._repr_html_() + str(record.to_dict())
    assert "BUY-000123" in held.csv()
    assert record.remedies(show_ids=True).frame()["subject"].tolist() == ["BUY-000123"]


def test_the_same_refund_counts_once(book):
    record = book.open("x", by="ana")
    book.put_right(record, [ROW], by="ana")
    record = book.put_right(record, [{**ROW, "amount": 20}], by="ana")
    assert record.remedies().frame()["amount"].tolist() == [20.0]
    record = book.put_right(record, [{**ROW, "what": "voucher"}], by="ana")
    assert record.remedies().frame("totals")[["people", "amount"]].values.tolist() == [[1, 32.5]]
    assert [row.kind for row in record.held.timeline] == ["opened", "listed", "listed", "listed"]


def test_settling_keeps_the_amount_and_names_who_is_not_listed(book):
    record = book.put_right(book.open("x", by="ana"), [ROW, {**ROW, "subject": "BUY-2", "amount": 1}], by="ana")
    record = book.settle(record, "BUY-000123", by="bo", remedy="refund", note="paid")
    assert record.remedies().frame()[["amount", "status", "note"]].values.tolist() == [
        [12.5, "done", "paid"],
        [1.0, "open", ""],
    ]
    for subjects, remedy in ((["BUY-9"], "refund"), (["BUY-2"], "reverse"), ([], "refund")):
        with pytest.raises(ParameterError, match="lists no"):
            book.settle(record, subjects, by="bo", remedy=remedy)
    facts = {fact.name: fact.value for fact in record.remedies().headline()}
    assert facts == {"To reverse": 0, "To refund": 1, "Money still owed": 1.0}


def test_thousands_are_listed_in_one_call(book):
    rows = pd.DataFrame({**{name: [value] * 1234 for name, value in ROW.items()}, "subject": range(1234), "note": None})
    record = book.put_right(book.open("x", by="ana"), rows, by="ana")
    assert record.remedies().frame("totals")["people"].tolist() == [1234]
    assert [row.kind for row in record.held.timeline] == ["opened", "listed", "listed", "listed"]
    assert book.verify().holds


@pytest.mark.parametrize(
    "change",
    [
        {"remedy": "refnd"},
        {"role": "agent"},
        {"subject": ""},
        {"subject": None},
        {"subject": "x" * 201},
        {"amount": -1},
        {"amount": "NaN"},
        {"amount": float("inf")},
        {"amount": 0.001},
        {"amount": True},
        {"amount": 10**30},
        {"amount": "1,5"},
        {"currency": "XXY"},
        {"amount": 1.5, "currency": "JPY"},
        {"status": "paid"},
        {"iban": "DE00"},
    ],
    ids=str,
)
def test_a_wrong_row_is_refused_by_its_number_and_nothing_is_written(book, change):
    record = book.open("x", by="ana")
    with pytest.raises(ParameterError):
        book.put_right(record, [ROW, {**ROW, **change}], by="ana")
    assert len(book.record(record.id).frame()) == 1


@pytest.mark.parametrize("rows", [[], "x", ROW, 7, ["x"]], ids=str)
def test_what_is_no_list_of_rows_is_refused(rows):
    with pytest.raises(ParameterError):
        checked_rows(rows)


@pytest.mark.parametrize("subject", ["=1+1", "+7", "-7", "@x", "|x", "%0", "=cmd|' /C calc'!A0", "\uff1d1"])
def test_no_cell_of_the_csv_is_a_formula(subject):
    held = remedy_list(checked_rows([{**ROW, "subject": subject, "what": subject, "note": subject}]))
    (row,) = csv.DictReader(io.StringIO(held.csv(), newline=""))
    assert row["subject"] == row["what"] == row["note"] == f"'{subject}"
