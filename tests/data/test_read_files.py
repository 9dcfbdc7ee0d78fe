# ruff: noqa: DTZ001 -- moments without a zone are what is tested
"""Files: Parquet, CSV and JSON lines come in whole and typed, or not at all."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import riskbench as rb
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError

ROLES = {"id": "id"}


def values(dataset: rb.Dataset, name: str) -> list[object]:
    return dataset.table.to_arrow([name]).column(0).to_pylist()


def parquet(folder: Path, name: str = "events.parquet", **columns: object) -> Path:
    pq.write_table(pa.table(columns), folder / name)
    return folder / name


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_parquet_column_is_loaded_when_it_is_asked_for(tmp_path: Path) -> None:
    path = parquet(tmp_path, id=[1, 2], word=["a", "b"], t=[dt.datetime(2026, 1, 1), None])
    dataset = rb.read(path, roles={"id": "id", "time": "t"})
    assert dataset.kinds == {"id": "int", "word": "string", "t": "time"}
    assert not dataset.table._columns
    assert values(dataset, "word") == ["a", "b"]
    assert set(dataset.table._columns) == {"word"}


def test_a_parquet_fingerprint_follows_the_bytes(tmp_path: Path) -> None:
    one, two = parquet(tmp_path, "1.parquet", id=[1, 2]), parquet(tmp_path, "2.parquet", id=[1, 3])
    first = rb.read(one, roles=ROLES).fingerprint
    assert first == rb.read(one, roles=ROLES).fingerprint
    assert first != rb.read(two, roles=ROLES).fingerprint
    assert first != rb.read(one, roles=ROLES, epoch={"id": "s"}).fingerprint


def test_a_file_that_changes_behind_our_back_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, id=[1, 2], x=[1, 2])
    dataset = rb.read(path, roles=ROLES)
    parquet(tmp_path, id=[1, 2, 3], x=[4, 5, 6])
    with pytest.raises(DataError, match="has changed since"):
        dataset.column("x")
    with pytest.raises(DataError, match="has changed since"):
        _ = dataset.fingerprint


def test_files_by_glob_and_list_are_stacked_in_order(tmp_path: Path) -> None:
    parquet(tmp_path, "b.parquet", id=pa.array([3], pa.int32()), w=["z"], n=pa.nulls(1))
    parquet(tmp_path, "a.parquet", id=[1, 2], w=pa.array(["x", "y"]).dictionary_encode(), n=["q", None])
    by_glob = rb.read(str(tmp_path / "*.parquet"), roles=ROLES)
    assert values(by_glob, "id") == [1, 2, 3]
    assert values(by_glob, "w") == ["x", "y", "z"]
    assert values(by_glob, "n") == ["q", None, None]
    by_list = rb.read([tmp_path / "b.parquet", tmp_path / "a.parquet"], roles=ROLES)
    assert values(by_list, "id") == [3, 1, 2]
    assert by_list.rows == 3


@pytest.mark.parametrize(
    ("other", "told"),
    [({"id": [1], "y": [1]}, "missing: x; more: y"), ({"id": [1], "x": ["a"]}, "is int64 in 'a.parquet' and string")],
)
def test_files_of_differing_schemas_are_refused(tmp_path: Path, other: dict[str, object], told: str) -> None:
    parquet(tmp_path, "a.parquet", id=[1], x=[1])
    parquet(tmp_path, "b.parquet", **other)
    with pytest.raises(DataError, match=told):
        rb.read(str(tmp_path / "*.parquet"), roles=ROLES)


def test_odd_parquet_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([2**63 - 1, 1], pa.uint64()),
            "huge": pa.array([2**63, 1], pa.uint64()),
            "day": pa.array([dt.date(2026, 1, 1), None], pa.date32()),
            "price": pa.array([decimal.Decimal("12.30"), None], pa.decimal128(10, 2)),
            "large": pa.array(["ü", None], pa.large_string()),
            "code": pa.array(["a", "a"]).dictionary_encode(),
            "number_code": pa.array([5, 7]).dictionary_encode(),
            "zoned": pa.array([dt.datetime(2026, 1, 1), None], pa.timestamp("ms", tz="Asia/Jakarta")),
            "list": [[1], [2]],
            "struct": [{"a": 1}, {"a": 2}],
            "nothing": pa.nulls(2),
            "nan": [float("nan"), 1.0],
            "uuid": pa.array([b"0123456789abcdef", None], pa.uuid()),
            'a "b".c é': ["x", "y"],
            "a": [1, 2],
            "a.b": [3, 4],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    dataset = rb.read(tmp_path / "t.parquet", roles=ROLES)
    assert dataset.kinds["huge"] == "float"
    assert values(dataset, "id") == [2**63 - 1, 1]
    assert values(dataset, "day") == [dt.datetime(2026, 1, 1), None]
    assert values(dataset, "price") == [12.3, None]
    assert values(dataset, "large") == ["ü", None]
    assert values(dataset, "number_code") == [5, 7]
    assert values(dataset, "zoned") == [dt.datetime(2026, 1, 1), None]
    assert values(dataset, "nothing") == [None, None]
    assert values(dataset, "nan") == [None, 1.0]
    assert values(dataset, 'a "b".c é') == ["x", "y"]
    assert values(dataset, "uuid") == ["30313233-3435-3637-3839-616263646566", None]
    assert values(dataset, "a") == [1, 2]
    assert values(dataset, "a.b") == [3, 4]
    for name in dataset.names:
        assert dataset.table.column(name).kind == dataset.kinds[name]
    assert "list" not in dataset.names
    assert any("'list' was left out" in note for note in dataset.notes)
    with pytest.raises(DataError, match="'struct', named for the role 'amount', cannot be used"):
        rb.read(tmp_path / "t.parquet", roles={"id": "id", "amount": "struct"})


def test_two_columns_of_one_name_are_left_out_and_refused_as_a_role(tmp_path: Path) -> None:
    pq.write_table(
        pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["id", "x", "x"]),
        tmp_path / "t.parquet",
    )
    path = tmp_path / "t.parquet"
    assert rb.read(path, roles=ROLES).names == ("id",)
    with pytest.raises(DataError, match="two columns bear this name"):
        rb.read(path, roles={"id": "id", "amount": "x"})
    with pytest.raises(DataError, match="two columns bear this name"):
        rb.read(write(tmp_path, "t.csv", "id,x,x\n1,2,3\n"), roles={"id": "id", "amount": "x"})


@pytest.mark.parametrize("name", ["e.parquet", "e.csv", "e.jsonl"])
def test_an_empty_file_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        rb.read(tmp_path / name, roles=ROLES)


@pytest.mark.parametrize(("name", "text"), [("e.csv", "id,x\n"), ("e.jsonl", "\n\n")])
def test_a_file_without_rows_is_told(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(DataError, match="no rows"):
        rb.read(write(tmp_path, name, text), roles=ROLES)


def test_a_parquet_file_without_rows_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        rb.read(parquet(tmp_path, id=pa.array([], pa.int64())), roles=ROLES)


def test_a_truncated_or_false_parquet_file_is_told(tmp_path: Path) -> None:
    whole = parquet(tmp_path, id=list(range(5000))).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut off or damaged"):
        rb.read(tmp_path / "cut.parquet", roles=ROLES)
    with pytest.raises(DataError, match="not a Parquet file"):
        rb.read(write(tmp_path, "false.parquet", "id,x\n1,2\n"), roles=ROLES)


def test_a_missing_path_names_the_nearest(tmp_path: Path) -> None:
    parquet(tmp_path, "orders_2026.parquet", id=[1])
    with pytest.raises(DataError, match="did you mean 'orders_2026"):
        rb.read(tmp_path / "order_2026.parquet", roles=ROLES)
    with pytest.raises(DataError, match="No file matches"):
        rb.read(str(tmp_path / "*.csv"), roles=ROLES)
    with pytest.raises(DataError, match="is a folder"):
        rb.read(tmp_path, roles=ROLES)
    with pytest.raises(DataError, match="not a kind of file"):
        rb.read(write(tmp_path, "a.xlsx", "x"), roles=ROLES)
    with pytest.raises(DataError, match="more than one format"):
        rb.read([tmp_path / "orders_2026.parquet", write(tmp_path, "a.csv", "id\n1\n")], roles=ROLES)
    with pytest.raises(DataError, match="empty"):
        rb.read([], roles=ROLES)
    with pytest.raises(DataError, match="cannot be read"):
        rb.read(42, roles=ROLES)


def test_a_role_without_its_column_names_the_nearest(tmp_path: Path) -> None:
    path = parquet(tmp_path, id=[1], amount=[1.0])
    with pytest.raises(ColumnNotFoundError, match="did you mean 'amount'"):
        rb.read(path, roles={"id": "id", "amount": "amuont"})
    with pytest.raises(ParameterError, match="'amout' is not a role"):
        rb.read(path, roles={"id": "id", "amout": "amount"})
    with pytest.raises(ParameterError, match="'id' is required"):
        rb.read(path, roles={"amount": "amount"})
    with pytest.raises(ColumnNotFoundError):
        rb.read(path, roles=ROLES, known_at={"nope": "delivery"})


CSV = """id,code,region,vip,price,when,mixed,big,na,blank,note
1,007,NO,true,10.50,2026-01-01,1,99999999999999999999,1,,"a, b"
2,08,on,False,-3,2026-01-02 10:00,x,1,NA,,"line
break"
3,9,true,TRUE,1e-05,2026-01-03T10:00:00.5,3,2,3,,
"""


def test_csv_types_are_strict(tmp_path: Path) -> None:
    dataset = rb.read(write(tmp_path, "e.csv", CSV), roles={"id": "id", "region": "region"})
    assert values(dataset, "id") == [1, 2, 3]
    assert values(dataset, "code") == ["007", "08", "9"]
    assert values(dataset, "region") == ["NO", "on", "true"]
    assert values(dataset, "vip") == [True, False, True]
    assert values(dataset, "price") == [10.5, -3.0, 1e-05]
    assert values(dataset, "when")[2] == dt.datetime(2026, 1, 3, 10, 0, 0, 500000)
    assert values(dataset, "mixed") == ["1", "x", "3"]
    assert values(dataset, "big") == ["99999999999999999999", "1", "2"]
    assert values(dataset, "na") == [1, None, 3]
    assert values(dataset, "blank") == [None, None, None]
    assert values(dataset, "note") == ["a, b", "line\nbreak", None]
    notes = " | ".join(dataset.notes)
    for told in (
        "'code' holds numbers with leading zeros",
        "'big' holds whole numbers past 64 bits",
        "1 values 'NA' in 'na'",
    ):
        assert told in notes


@pytest.mark.parametrize(
    ("word", "held"),
    [("12E3", "12E3"), ("1,5", "1,5"), ("+1", "+1"), ("1_000", "1_000"), (" 1", " 1"), ("0x1F", "0x1F"), ("00", "00")],
)
def test_what_only_looks_like_a_number_stays_text(tmp_path: Path, word: str, held: str) -> None:
    dataset = rb.read(write(tmp_path, "e.csv", f'id,x\n1,"{word}"\n'), roles=ROLES)
    assert values(dataset, "x") == [held]


def test_region_words_stay_words_in_every_file(tmp_path: Path) -> None:
    roles = {"id": "id", "region": "region"}
    for text, held in (("true\n2,false", ["true", "false"]), ("01\n2,2", ["01", "2"]), ("NA\n2,NO", ["NA", "NO"])):
        dataset = rb.read(write(tmp_path, "e.csv", f"id,region\n1,{text}\n"), roles=roles)
        assert values(dataset, "region") == held
    lines = '{"id": 1, "region": true}\n{"id": 2, "region": "NO"}\n'
    assert values(rb.read(write(tmp_path, "e.jsonl", lines), roles=roles), "region") == ["true", "NO"]


def test_csv_separators_byte_order_mark_and_gzip(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_bytes("id;näme\n1;x,y\n".encode("utf-8-sig"))
    dataset = rb.read(tmp_path / "e.csv", roles=ROLES)
    assert dataset.names == ("id", "näme")
    assert values(dataset, "näme") == ["x,y"]
    assert "fields are separated by ';'" in dataset.notes
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(b"id,x\n1,2\n"))
    assert values(rb.read(tmp_path / "e.csv.gz", roles=ROLES), "x") == [2]
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"id,x\n" + b"1,2\n" * 5000)[:-20])
    with pytest.raises(DataError, match="cut off or damaged"):
        rb.read(tmp_path / "cut.csv.gz", roles=ROLES)


def test_a_ragged_csv_is_refused_without_showing_its_content(tmp_path: Path) -> None:
    path = write(tmp_path, "e.csv", "id,x\n1,2\nann@example.org,3,4\n")
    with pytest.raises(DataError, match="has 3 fields and the header 2") as caught:
        rb.read(path, roles=ROLES)
    assert "ann@example.org" not in str(caught.value)
    assert caught.value.__suppress_context__
    with pytest.raises(DataError, match="is not closed"):
        rb.read(write(tmp_path, "open.csv", 'id,x\n1,"2\n3,4\n'), roles=ROLES)


def test_text_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    for name, body in (("e.csv", b"id,x\n1,\xe9\n"), ("h.csv", b"id,\xe9\n1,2\n"), ("e.jsonl", b'{"id": "\xe9"}\n')):
        (tmp_path / name).write_bytes(body)
        with pytest.raises(DataError, match="not UTF-8"):
            rb.read(tmp_path / name, roles=ROLES)


def test_csv_files_are_typed_together(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,code\n1,7\n")
    write(tmp_path, "b.csv", "code,id\n007,2\n")
    dataset = rb.read(str(tmp_path / "*.csv"), roles=ROLES)
    assert values(dataset, "code") == ["7", "007"]
    write(tmp_path, "c.csv", "id,other\n1,7\n")
    with pytest.raises(DataError, match="missing: code; more: other"):
        rb.read(str(tmp_path / "*.csv"), roles=ROLES)


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "zip": "01", "n": 1, "x": 1, "ok": True, "at": "2026-01-01T00:00:00Z", "mixed": 1, "big": 2**70},
        {
            "id": 2,
            "zip": "7",
            "n": 2.5,
            "nest": {"a": 1},
            "ok": None,
            "at": None,
            "mixed": "a",
            "big": 1,
            "s": "\ud800",
        },
    ]
    dataset = rb.read(write(tmp_path, "e.jsonl", "\n".join(map(json.dumps, rows))), roles=ROLES)
    assert values(dataset, "zip") == ["01", "7"]
    assert values(dataset, "n") == [1.0, 2.5]
    assert values(dataset, "x") == [1, None]
    assert values(dataset, "ok") == [True, None]
    assert values(dataset, "at") == [dt.datetime(2026, 1, 1), None]
    assert values(dataset, "mixed") == ["1", "a"]
    assert values(dataset, "big") == [str(2**70), "1"]
    assert values(dataset, "s") == [None, "?"]
    assert "nest" not in dataset.names
    assert any("'mixed' holds mixed kinds" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id": 1}\n{"id": 2', "Line 2 of 'e.jsonl' is not JSON"),
        ("[1, 2]\n", "not a JSON object"),
        ("[" * 100_000 + "\n", "is not JSON"),
        ("id,x\n1,2\n", "Line 1 of 'e.jsonl' is not JSON"),
    ],
)
def test_broken_json_lines_are_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        rb.read(write(tmp_path, "e.jsonl", text), roles=ROLES)


def test_an_amount_of_words_is_told_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, "e.csv", 'id,amount\n1,10.50\n2,"1.234,50"\n')
    with pytest.raises(DataError, match="1 values are none, the first in row 2"):
        rb.read(path, roles={"id": "id", "amount": "amount"})


@pytest.mark.parametrize("name", ["a\0b.parquet", "a" * 5000 + ".parquet", "/dev/zero", "nowhere/e.parquet"])
def test_a_path_that_is_none_is_told_shortly(name: str) -> None:
    with pytest.raises(DataError, match="There is no file") as caught:
        rb.read(name, roles=ROLES)
    assert len(str(caught.value)) < 500


def test_a_long_field_and_many_columns_are_read(tmp_path: Path) -> None:
    names = ["id", *(f"c{place}" for place in range(500))]
    text = ",".join(names) + "\n" + ",".join(["1", "x" * 2_000_000, *["3"] * 499]) + "\n"
    dataset = rb.read(write(tmp_path, "e.csv", text), roles=ROLES)
    assert len(values(dataset, "c0")[0]) == 2_000_000
    assert len(dataset.names) == 501


@pytest.mark.parametrize("body", [b"\n\n", b"PK\x03\x04\xff\xfe", "id,x\n1,2\n".encode("utf-16")])
def test_what_is_no_csv_is_told(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "e.csv").write_bytes(body)
    with pytest.raises(DataError):
        rb.read(tmp_path / "e.csv", roles=ROLES)
