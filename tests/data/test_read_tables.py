"""Tables in memory: converted once, whatever they are made of, and never changed."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riskbench as rb
from riskbench.errors import DataError, ParameterError

ROLES = {"id": "id"}


def values(dataset: rb.Dataset, name: str) -> list[object]:
    return dataset.table.to_arrow([name]).column(0).to_pylist()


def test_one_table_in_every_form_is_one_dataset() -> None:
    frame = pd.DataFrame(
        {"id": [1, 2, 3], "w": ["a", None, "b"], "x": [1.5, float("nan"), 2.0], "b": [True, False, True]}
    )
    table = pa.Table.from_pandas(frame, preserve_index=False)
    forms = [frame, table, table.to_batches()[0], table.to_reader(), pl.from_arrow(table), pl.from_arrow(table).lazy()]
    assert len({rb.read(form, roles=ROLES).fingerprint for form in forms}) == 1
    assert values(rb.read(frame, roles=ROLES), "x") == [1.5, None, 2.0]


def test_a_frame_is_not_changed_and_changes_nothing_afterwards() -> None:
    frame = pd.DataFrame({"id": [1, 2], "x": [1.0, 2.0]})
    before = frame.copy(deep=True)
    dataset = rb.read(frame, roles=ROLES)
    frame.loc[0, "x"] = 9.0
    assert before.loc[0, "x"] == 1.0
    assert values(dataset, "x") == [1.0, 2.0]


def test_odd_pandas_columns() -> None:
    frame = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "mixed": pd.Series([1, "a", None], dtype=object),
            "flags": pd.Series([True, None, 0], dtype=object),
            "huge": pd.Series([2**70, 1, 2], dtype=object),
            "lists": pd.Series([[1], [2], None], dtype=object),
            "category": pd.Categorical(["x", "y", None]),
            "numbers": pd.Categorical([1, 2, None]),
            "period": pd.period_range("2026", periods=3, freq="D"),
            "complex": np.array([1j, 2, 3]),
            "decimal": [decimal.Decimal("1.10"), None, decimal.Decimal("2.20")],
            "day": [dt.date(2026, 1, 1)] * 3,
            "nullable": pd.array([1, None, 2**62 + 1], dtype="Int64"),
            "unsigned": np.array([2**63 + 1, 1, 2], dtype="uint64"),
            "half": np.array([1, 2, 3], dtype="float16"),
            "nothing": [None] * 3,
            "bytes": [b"a", b"b", None],
        }
    )
    frame[("a", 1)] = [1, 2, 3]
    dataset = rb.read(frame, roles=ROLES)
    assert values(dataset, "mixed") == ["1", "a", None]
    assert values(dataset, "flags") == ["true", None, "0"]
    assert values(dataset, "huge") == [str(2**70), "1", "2"]
    assert values(dataset, "category") == ["x", "y", None]
    assert values(dataset, "numbers") == [1, 2, None]
    assert values(dataset, "decimal") == [1.1, None, 2.2]
    assert values(dataset, "nullable") == [1, None, 2**62 + 1]
    assert values(dataset, "unsigned") == [float(2**63), 1.0, 2.0]
    assert values(dataset, "nothing") == [None] * 3
    assert values(dataset, "('a', 1)") == [1, 2, 3]
    assert {"lists", "period", "complex", "bytes"}.isdisjoint(dataset.names)
    assert any("'mixed' holds mixed kinds" in note for note in dataset.notes)
    with pytest.raises(DataError, match="cannot be used: it holds lists"):
        rb.read(frame, roles={"id": "id", "entities": ["lists"]})


def test_columns_of_one_name_are_left_out() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["id", "x", "x"])
    assert rb.read(frame, roles=ROLES).names == ("id",)


def test_a_named_index_can_play_a_role() -> None:
    frame = pd.DataFrame({"x": [1.0]}, index=pd.Index([7], name="id"))
    assert values(rb.read(frame, roles=ROLES), "id") == [7]


def test_polars_types_of_its_own() -> None:
    frame = pl.DataFrame(
        {
            "id": [1, 2],
            "c": pl.Series(["a", "b"], dtype=pl.Categorical),
            "wide": pl.Series([1, 2], dtype=pl.Int128),
            "list": [[1], [2]],
        }
    )
    dataset = rb.read(frame, roles=ROLES)
    assert values(dataset, "c") == ["a", "b"]
    assert values(dataset, "wide") == ["1", "2"]
    assert "list" not in dataset.names


def test_an_empty_table_has_no_events() -> None:
    assert rb.read(pd.DataFrame({"id": [], "x": []}), roles=ROLES).rows == 0
    with pytest.raises(DataError, match="no columns"):
        rb.read(pd.DataFrame(), roles=ROLES)


def test_roles_that_hold_no_numbers_are_refused() -> None:
    frame = pd.DataFrame({"id": [1], "w": ["x"]})
    for role in ("amount", "score", "let_through"):
        with pytest.raises(DataError, match=f"role '{role}', holds no numbers"):
            rb.read(frame, roles={"id": "id", role: "w"})
    with pytest.raises(DataError, match=r"role 'measures\.loss', holds no numbers"):
        rb.read(frame, roles={"id": "id", "measures": {"loss": "w"}})


def test_a_query_needs_a_database_and_labels_their_recipe() -> None:
    frame = pd.DataFrame({"id": [1]})
    with pytest.raises(ParameterError, match="database URL"):
        rb.read(frame, roles=ROLES, query="select 1")
    with pytest.raises(ParameterError, match="table of labels"):
        rb.read(frame, roles=ROLES, label_recipe={})
    with pytest.raises(ParameterError, match="number of days"):
        rb.read(frame, roles=ROLES, mature_after=-1)


# Money -------------------------------------------------------------------------------------------------------


MIXED = {"id": [1, 2, 3], "total": [15_000.0, 10.5, 3.0], "ccy": ["IDR", "USD", None], "loss": [1, 0, 2]}
MONEY = {"id": "id", "amount": "total", "currency": "ccy", "measures": {"loss": "loss"}}


def test_mixed_currencies_are_converted_beside_the_old_column() -> None:
    dataset = rb.read(pd.DataFrame(MIXED), roles=MONEY, rates={"IDR": 1 / 15_000, "USD": 1})
    assert dataset.roles.amount == "total_USD"
    assert dataset.roles.measures["loss"] == "loss_USD"
    assert dataset.currency.code == "USD"
    assert values(dataset, "total_USD") == [1.0, 10.5, None]
    assert values(dataset, "total") == [15_000.0, 10.5, 3.0]
    assert dataset.minor("amount").tolist() == [100, 1050, 0]
    notes = " | ".join(dataset.notes)
    assert "converted to USD" in notes
    assert "1 events have no currency" in notes


def test_rates_must_be_clear_and_complete() -> None:
    frame = pd.DataFrame(MIXED)
    with pytest.raises(DataError, match="Some currencies have no rate"):
        rb.read(frame, roles=MONEY, rates={"USD": 1})
    with pytest.raises(ParameterError, match="reporting currency is not clear"):
        rb.read(frame, roles=MONEY, rates={"USD": 2, "IDR": 3})
    for rate in (0, -1, float("nan"), float("inf"), "1", True):
        with pytest.raises(ParameterError, match="not a positive number"):
            rb.read(frame, roles=MONEY, rates={"USD": 1, "IDR": rate})
    with pytest.raises(DataError, match="needs a currency column"):
        rb.read(frame, roles={**MONEY, "currency": "USD"}, rates={"USD": 1})


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20), st.sampled_from([0.5, 1.0, 0.0625, 3.0]))
def test_converted_money_is_what_exact_fractions_say(cents: list[int], rate: float) -> None:
    frame = pd.DataFrame({"id": range(len(cents)), "a": [one / 100 for one in cents], "ccy": ["EUR"] * len(cents)})
    rates = {"EUR": rate, "USD": 1} if rate != 1 else {"EUR": 1}
    dataset = rb.read(frame, roles={"id": "id", "amount": "a", "currency": "ccy"}, rates=rates)
    exact = [decimal.Decimal(one) / 100 * decimal.Decimal(rate) * 100 for one in cents]
    got = dataset.minor("amount").tolist()
    assert all(
        abs(decimal.Decimal(one) - want) <= decimal.Decimal("0.5000001") for one, want in zip(got, exact, strict=True)
    )


def test_a_currency_that_is_neither_column_nor_code_names_the_nearest() -> None:
    frame = pd.DataFrame({"id": [1], "currency_code": ["USD"]})
    with pytest.raises(DataError, match="did you mean 'currency_code'"):
        rb.read(frame, roles={"id": "id", "currency": "currency_cod"})


def test_more_decimals_than_the_currency_has_are_noted() -> None:
    frame = pd.DataFrame({"id": [1, 2], "a": [10.0, 10.555]})
    roles = {"id": "id", "amount": "a", "currency": "USD"}
    assert "1 values of 'a' have more than the 2 decimals of USD" in rb.read(frame, roles=roles).notes
    assert not rb.read(frame, roles={**roles, "currency": "KWD"}).notes


@pytest.mark.parametrize(
    "source", [None, 42, {"id": [1]}, np.array([1, 2]), pd.Series([1], name="id"), "file:///etc/x"]
)
def test_what_is_no_table_is_refused(source: object) -> None:
    with pytest.raises(DataError):
        rb.read(source, roles=ROLES)


@pytest.mark.parametrize(
    "options",
    [
        {"roles": None},
        {"roles": "id"},
        {"roles": {}},
        {"roles": {"id": 1}},
        {"epoch": "s"},
        {"rates": "USD"},
        {"known_at": ["id"]},
        {"mature_after": "30"},
        {"mature_after": float("inf")},
        {"domain": "transaction"},
        {"time_zone": 7},
        {"label_recipe": {"silence": "good"}},
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        rb.read(pd.DataFrame({"id": [1]}), **{"roles": ROLES, **options})
