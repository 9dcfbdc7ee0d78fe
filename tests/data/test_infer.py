"""Text becomes a number, a moment or a yes only where nothing is lost: round trips and laws."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskbench as rb
from riskbench.data.infer import NOTHING, infer

cells = (
    st.text(alphabet="0123456789.-+eE ", max_size=8)
    | st.sampled_from(["", "true", "False", "NO", "NA", "nan", "inf", "007", "1e5", "1e-5", "2026-01-01", "2026-02-30"])
    | st.integers(-(2**70), 2**70).map(str)
    | st.floats(allow_nan=False).map(repr)
    | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)).map(lambda moment: moment.isoformat(" "))  # noqa: DTZ001
)


@settings(max_examples=400)
@given(st.lists(cells, max_size=6) | st.lists(st.integers(-99, 99).map(str), max_size=6))
def test_a_typed_value_says_what_its_text_said(words: list[str]) -> None:
    made, _ = infer(pa.array(words, pa.string()), name="x")
    values = made.to_pylist()
    assert len(values) == len(words)
    for word, value in zip(words, values, strict=True):
        if value is None:
            assert word == "" or (word in NOTHING and not pa.types.is_dictionary(made.type))
        elif isinstance(value, str):
            assert value == word
        elif isinstance(value, bool):
            assert word.lower() == str(value).lower()
        elif isinstance(value, int):
            assert str(value) == word or word == "-0"
        elif isinstance(value, float):
            assert not re.match(r"-?0\d", word)
            assert value == float(word)
        else:
            assert value == dt.datetime.fromisoformat(word)


@given(st.lists(cells, max_size=6), st.randoms())
def test_the_order_of_rows_does_not_change_a_type(words: list[str], random) -> None:
    order = list(range(len(words)))
    random.shuffle(order)
    one, _ = infer(pa.array(words, pa.string()), name="x")
    two, _ = infer(pa.array([words[place] for place in order], pa.string()), name="x")
    assert two.to_pylist() == [one.to_pylist()[place] for place in order]


@given(st.lists(cells, max_size=5))
def test_words_only_leaves_every_word(words: list[str]) -> None:
    made, notes = infer(pa.array(words, pa.string()), name="x", words_only=True)
    assert made.to_pylist() == [word or None for word in words]
    assert notes == ()


names = st.text(min_size=1, max_size=6).filter(
    lambda text: text.strip() == text and "\0" not in text and "\r" not in text
)
texts = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=6
).filter(lambda text: text not in NOTHING)
columns = st.lists(
    st.one_of(
        st.tuples(st.just("i"), st.lists(st.none() | st.integers(-(2**53), 2**53), min_size=4, max_size=4)),
        st.tuples(st.just("f"), st.lists(st.none() | st.floats(allow_nan=False), min_size=4, max_size=4)),
        st.tuples(st.just("s"), st.lists(st.none() | texts.map("w".__add__), min_size=4, max_size=4)),
        st.tuples(st.just("b"), st.lists(st.none() | st.booleans(), min_size=4, max_size=4)),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns, st.lists(names, min_size=3, max_size=3, unique=True))
def test_what_is_written_is_read_in_every_format(tmp_path: Path, held: list, words: list[str]) -> None:
    """Odd names, quotes, newlines, unicode, nulls: the values come back from Parquet, CSV and JSON lines."""
    data = {"key": [1, 2, 3, 4]}
    for (_, values), word in zip(held, words, strict=False):
        data[f"{word}_"] = values
    pq.write_table(pa.table(data), tmp_path / "e.parquet")
    with (tmp_path / "e.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(data)
        writer.writerows(
            ["" if cell is None else repr(cell) if isinstance(cell, float) else str(cell) for cell in row]
            for row in zip(*data.values(), strict=True)
        )
    lines = [json.dumps(dict(zip(data, row, strict=True))) for row in zip(*data.values(), strict=True)]
    (tmp_path / "e.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for name in ("e.parquet", "e.csv", "e.jsonl"):
        dataset = rb.read(tmp_path / name, roles={"id": "key"})
        for column, values in data.items():
            found = dataset.table.to_arrow([column]).column(0).to_pylist()
            assert [_same(one) for one in found] == [_same(one) for one in values], (name, column)


def _same(value: object) -> object:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.mark.parametrize("row", ["1,2\n", "1,2", "1,2\r\n", '1,"2"\n'])
def test_line_ends_do_not_matter(tmp_path: Path, row: str) -> None:
    (tmp_path / "e.csv").write_bytes(("id,x\r\n" + row).encode())
    assert rb.read(tmp_path / "e.csv", roles={"id": "id"}).table.to_arrow(["x"]).column(0).to_pylist() == [2]
