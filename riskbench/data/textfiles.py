"""CSV and JSON lines as a source: read whole, each column typed only where every value agrees."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pacsv

from riskbench.data.infer import infer
from riskbench.data.parquet import digest_of
from riskbench.data.sources import Source, note_left_out
from riskbench.errors import DataError, listed

_DELIMITERS = (",", ";", "\t", "|")
_EXACT = 2**53
#: No line of a CSV file may be longer, in bytes.
_BLOCK = 1 << 25


def csv_source(paths: Sequence[Path], *, words_only: Collection[str] = ()) -> Source:
    """Return CSV files of one header as a source.

    Parameters
    ----------
    paths : sequence of Path
        UTF-8 text with a header line; `;`, tab and `|` are seen in the header.
    words_only : collection of str
        Columns that stay text whatever they hold.

    Raises
    ------
    DataError
        When a file is empty, is not UTF-8, has lines of another length than its header, or no rows at all.
    """
    heads = [_header(path) for path in paths]
    names = heads[0][0]
    for path, (other, *_) in zip(paths, heads, strict=True):
        if sorted(other) != sorted(names):
            missing, more = sorted(set(names) - set(other)), sorted(set(other) - set(names))
            raise DataError(
                f"The columns of {path.name!r} differ from those of {paths[0].name!r}",
                got=f"missing: {listed(missing)}; more: {listed(more)}",
                hint="read files of one header together",
            )
    doubled = {name for name in names if names.count(name) > 1}
    kept = [name for name in names if name not in doubled]
    parts = [_cells(path, *head) for path, head in zip(paths, heads, strict=True)]
    columns: dict[str, pa.Array] = {}
    notes = [f"fields are separated by {head[1]!r}" for head in heads[:1] if head[1] != ","]
    for name in kept:
        chunks = [chunk for part in parts for chunk in part[name].chunks]
        whole = pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string())).unify_dictionaries().combine_chunks()
        columns[name], found = infer(_single(whole), name=name, words_only=name in words_only)
        notes.extend(found)
    left_out = dict.fromkeys(sorted(doubled), "two columns bear this name")
    return _in_memory(paths, columns, left_out, notes)


def json_source(paths: Sequence[Path], *, words_only: Collection[str] = ()) -> Source:
    """Return files of one JSON object a line as a source; a key that a line lacks is missing there.

    Raises
    ------
    DataError
        When a file is empty, a line is no JSON object, or there are no rows at all.
    """
    rows = 0
    values: dict[str, list[Any]] = {}
    for path in paths:
        for row in _objects(path):
            for key, value in row.items():
                column = values.get(key)
                if column is None:
                    column = values[key] = []
                if len(column) < rows:
                    column.extend([None] * (rows - len(column)))
                column.append(value)
            rows += 1
    for column in values.values():
        column.extend([None] * (rows - len(column)))
    columns: dict[str, pa.Array] = {}
    left_out: dict[str, str] = {}
    notes: list[str] = []
    for name, cells in values.items():
        made, found = _typed(cells, name=name, words_only=name in words_only)
        notes.extend(found)
        if made is None:
            left_out[name] = "it holds lists or objects, which no rule can compare"
        else:
            columns[name] = made
    if not rows:
        raise DataError(f"The file {paths[0].name!r} has no rows")
    return _in_memory(paths, columns, left_out, notes)


def _in_memory(
    paths: Sequence[Path], columns: dict[str, pa.Array], left_out: dict[str, str], notes: Sequence[str]
) -> Source:
    rows = max((len(column) for column in columns.values()), default=0)
    if not rows and not left_out:
        raise DataError(f"The file {paths[0].name!r} has no rows, or rows without columns")
    digest = digest_of(paths)
    return Source(
        name=paths[0].name.partition(".")[0] if len(paths) == 1 else f"{paths[0].stem} and {len(paths) - 1} more",
        rows=rows,
        types={name: column.type for name, column in columns.items()},
        load=lambda names: {name: pa.chunked_array([columns[name]]) for name in names},
        digest=lambda: digest,
        left_out=left_out,
        notes=(*note_left_out(left_out), *notes),
    )


def _single(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(array, pa.ChunkedArray):
        return array
    return pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)


def _opened(path: Path) -> IO[str]:
    if path.stat().st_size == 0:
        raise DataError(f"The file {path.name!r} is empty")
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _header(path: Path) -> tuple[list[str], str, int]:
    """Return the names of the columns, what separates fields, and how many lines the header takes."""
    try:
        with _opened(path) as file:
            first = file.readline(1_000_000)
            if not first.strip():
                raise DataError(f"The file {path.name!r} has no header line")
            if "\0" in first:
                raise DataError(f"The file {path.name!r} is not text", hint="write it as UTF-8")
            counts = {mark: len(next(csv.reader([first], delimiter=mark))) for mark in _DELIMITERS}
            mark = max(counts, key=counts.__getitem__)
            file.seek(0)
            reader = csv.reader(file, delimiter=mark)
            cells = next(reader)
            lines = reader.line_num
    except UnicodeDecodeError as error:
        raise DataError(f"The file {path.name!r} is not UTF-8 text", hint="write it as UTF-8") from error
    except (OSError, EOFError) as error:
        raise DataError(f"The file {path.name!r} is cut off or damaged", hint="copy it again") from error
    except csv.Error as error:
        raise DataError(f"The header of {path.name!r} cannot be read: {error}") from error
    return [cell.strip() or f"unnamed_{place}" for place, cell in enumerate(cells, 1)], mark, lines


def _cells(path: Path, names: list[str], mark: str, lines: int) -> dict[str, pa.ChunkedArray]:
    """Return the cells of a CSV file as coded text; of two columns of one name, the first."""
    ragged: list[tuple[int | None, int]] = []

    def refuse(row: Any) -> str:
        ragged.append((row.number, row.actual_columns))
        return "error"

    places = [f"c{place}" for place in range(len(names))]
    try:
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(column_names=places, skip_rows=lines, use_threads=False, block_size=_BLOCK),
            parse_options=pacsv.ParseOptions(delimiter=mark, newlines_in_values=True, invalid_row_handler=refuse),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.dictionary(pa.int32(), pa.string())), strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, OSError, EOFError) as error:
        if ragged:
            number, got = ragged[0]
            where = f"Line {number + lines}" if number else "A line"
            raise DataError(
                f"{where} of {path.name!r} has {got} fields and the header {len(names)}",
                hint="is a quote not closed, or the file cut off?",
            ) from None
        if "utf8" in str(error).casefold() or "utf-8" in str(error).casefold():
            raise DataError(f"The file {path.name!r} is not UTF-8 text", hint="write it as UTF-8") from None
        if "Empty CSV" in str(error):
            raise DataError(f"The file {path.name!r} has no rows under its header") from None
        raise DataError(f"The file {path.name!r} is cut off or damaged", hint="write or copy it again") from None
    last = [column[-1].as_py() or "" for column in table.columns] if table.num_rows else []
    if any("\n" in cell for cell in last) and _quotes(path) % 2:
        raise DataError(f"A quote in {path.name!r} is not closed", hint="is the file cut off?")
    return dict(reversed([(name, table.column(place)) for place, name in enumerate(names)]))


def _quotes(path: Path) -> int:
    with _opened(path) as file:
        return sum(block.count('"') for block in iter(lambda: file.read(1 << 20), ""))


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    line = 0
    try:
        with _opened(path) as file:
            for line, text in enumerate(file, 1):
                if text.isspace():
                    continue
                row = json.loads(text)
                if not isinstance(row, dict):
                    raise DataError(
                        f"Line {line} of {path.name!r} is not a JSON object", hint="write one object a line"
                    )
                yield row
    except UnicodeDecodeError as error:
        raise DataError(f"The file {path.name!r} is not UTF-8 text", hint="write it as UTF-8") from error
    except (ValueError, RecursionError):
        raise DataError(
            f"Line {line} of {path.name!r} is not JSON", hint="write one object a line; is the file cut off?"
        ) from None
    except (OSError, EOFError) as error:
        raise DataError(f"The file {path.name!r} is cut off or damaged", hint="copy it again") from error


def _typed(cells: list[Any], *, name: str, words_only: bool) -> tuple[pa.Array | None, tuple[str, ...]]:
    """Return JSON values as one column, None where they are lists or objects."""
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds & {dict, list}:
        return None, ()
    if not kinds:
        return pa.nulls(len(cells)), ()
    if kinds == {str}:
        texts = _texts(cells)
        return _moments(texts) if not words_only else texts.dictionary_encode(), ()
    if words_only or (len(kinds) > 1 and kinds != {int, float}) or not _exact(cells, kinds):
        texts = [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells]
        remark = "" if words_only else "mixed kinds of values" if len(kinds) > 1 else "whole numbers past 64 bits"
        note = (f"{name!r} holds {remark} and was left as text",) if remark else ()
        return _texts(texts).dictionary_encode(), note
    if kinds == {bool}:
        return pa.array(cells, pa.bool_()), ()
    if kinds == {int}:
        return pa.array(cells, pa.int64()), ()
    return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64(), from_pandas=True), ()


def _texts(cells: list[Any]) -> pa.Array:
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and UTF-8 cannot
        whole = [None if cell is None else cell.encode("utf-8", "replace").decode() for cell in cells]
        return pa.array(whole, pa.string())


def _exact(cells: list[Any], kinds: set[type]) -> bool:
    """Tell whether whole numbers stay what they are in the column's kind."""
    if int not in kinds or bool in kinds:
        return True
    most = _EXACT if float in kinds else 2**63 - 1
    return all(not isinstance(cell, int) or -most <= cell <= most for cell in cells)


def _moments(texts: pa.Array) -> pa.Array:
    """Return texts as moments where all of them are; text that looks like a number stays text."""
    from riskbench.data.times import parse_iso

    coded = texts.dictionary_encode()
    stamps = parse_iso(coded.dictionary)
    return coded if stamps is None else stamps.take(coded.indices)
