"""How does HTML look without what tells who somebody is? Texts by the detectors, cells of tables by their columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from riskbench.privacy import Key, current_key, find, hide, is_value, personal_kind, plain_name
from riskbench.runner.markup import Attributes, Rewriter

#: Attributes that hold no words.
_WORDLESS = frozenset(("src", "style", "class", "scope", "width", "height", "colspan", "rowspan", "http-equiv"))
#: Headers of what a row is about, where another column of the row says which column it is of.
_OF_ROW = frozenset(("value", "values", "entity value", "id", "name", "entry"))
_MOST_SPAN = 1000


#: Below these a column of a second header row still holds what the one above names.
_SAME = frozenset(("first", "last", "min", "max", "top", "mode", "unique"))
_LIKE_A_VALUE = re.compile(r"(?=.*\d)[^a-z]{4,}\Z")
_TOKEN = re.compile(r"[^\W_](?:[\w.:@-]*\w)?")


@dataclass
class _Table:
    """What is known of a table so far: its headers, and the cells of the row that is being read."""

    headers: list[list[str]] = field(default_factory=list)
    row: list[tuple[str, int, int]] = field(default_factory=list)
    below: dict[int, int] = field(default_factory=dict)
    axis: list[tuple[str, int, int]] = field(default_factory=list)
    plain: bool = True
    column: int = 0
    about: str | None = None
    label: str | None = None
    body: bool = False
    head: bool = False

    def header(self, column: int) -> str:
        """Return the header in force: the lowest that says something, but for the first of many."""
        held = [row[column] for row in self.headers if column < len(row) and row[column]]
        return next((name for name in reversed(held) if name.lower() not in _SAME), "")

    def skip(self) -> None:
        """Go past the columns in which a cell of a row above still stands."""
        while self.below.get(self.column, 0) > 0:
            self.row.append(("", -1, -1))
            self.column += 1


@dataclass
class _Cell:
    """A cell that is being read: where it began, in how many columns and rows it stands, and its words."""

    tag: str
    begun: int
    span: int
    rows: int
    words: list[str] = field(default_factory=list)


class Veil(Rewriter):
    """Hides personal details in HTML.

    Parameters
    ----------
    personal : mapping
        The columns whose values name a person or a device, and the kind of each, as the roles say.
    key : Key
        What makes pseudonyms.
    """

    def __init__(self, personal: Mapping[str, str], key: Key) -> None:
        super().__init__()
        self._personal = {plain_name(name): kind for name, kind in personal.items()}
        self._key = key
        self._tables: list[_Table] = []
        self._cells: list[_Cell | None] = []
        self.values: dict[str, str] = {}

    def tag(self, name: str, attributes: Attributes) -> Attributes | None:
        """Follow the tables, and hide what an attribute tells."""
        if name in ("td", "th", "tr"):
            self._end_cell()
        if name == "table":
            self._tables.append(_Table())
            self._cells.append(None)
        elif name in ("thead", "tbody") and self._tables:
            self._tables[-1].head = name == "thead"
        elif name == "tr" and self._tables:
            self._end_row()
        elif name in ("td", "th") and self._tables:
            self._tables[-1].plain &= name == "th"
            self._cells[-1] = _Cell(name, len(self._parts), _span(attributes), _span(attributes, "rowspan"))
        told: Attributes = []
        for key, value in attributes:
            hidden = value if value is None or key in _WORDLESS else hide(value, key=self._key)
            if (key != "href" or hidden == value) and not find(key):
                told.append((key, hidden))
        return None if told == attributes else told

    def end(self, name: str) -> str:
        """Follow the tables."""
        if name in ("td", "th", "tr", "table"):
            self._end_cell()
        if name == "tr" and self._tables:
            self._end_row()
        if name == "thead" and self._tables:
            self._tables[-1].head = False
        if name == "table" and self._tables:
            self._tables.pop()
            self._cells.pop()
        return self.start(name)

    def start(self, name: str) -> str:
        """Return a tag's name, unless somebody's details stand where a tag was never meant."""
        return "span" if find(name) else name

    def text(self, text: str) -> str:
        """Return a text without personal details."""
        if self._cells and self._cells[-1] is not None:
            self._cells[-1].words.append(text)
        return hide(text, key=self._key)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """Write a start tag; a cell's content begins after it."""
        super().handle_starttag(tag, attrs)
        if tag in ("td", "th") and self._cells and self._cells[-1] is not None:
            self._cells[-1].begun = len(self._parts)

    def _end_row(self) -> None:
        table = self._tables[-1]
        if table.row:
            words = [held for held, *_ in table.row]
            named = not table.headers and not table.body and any(self._kind(word) for word in words)
            if table.plain or (named and not any(map(is_code, words))):
                if table.plain and len(words) > 1 and not any(words[1:]) and table.axis:
                    self._hide_axis(table, _any)
                table.headers = [*([] if table.body else table.headers), words]
                table.body, table.axis = False, table.row if self._kind(words[0]) else []
            else:
                if not table.body and table.axis and table.label is not None:
                    self._hide_axis(table, _LIKE_A_VALUE.match)
                table.body, table.axis = True, []
            table.below = {at: rows - 1 for at, rows in table.below.items() if rows > 1}
        table.row, table.plain, table.column, table.about, table.label = [], True, 0, None, None

    def _hide_axis(self, table: _Table, like: Callable[[str], object]) -> None:
        """Hide headers that are values of the column that the first of them names."""
        column = table.axis[0][0]
        kind = self._kind(column)
        for words, begun, end in table.axis[1:]:
            if kind is not None and begun >= 0 and like(words) and is_value(words, column):
                self._parts[begun:end] = [self._stands_for(words, kind), *[""] * (end - begun - 1)]

    def _stands_for(self, words: str, kind: str) -> str:
        told = self._key.pseudonym(words, kind)
        self.values[words] = told
        return told

    def _end_cell(self) -> None:
        if not self._cells or self._cells[-1] is None:
            return
        self._flush()
        cell, table = self._cells[-1], self._tables[-1]
        self._cells[-1] = None
        table.skip()
        words = "".join(cell.words).strip()
        header = table.header(table.column)
        kind = self._kind(header)
        if kind is None and plain_name(header) in _OF_ROW:
            kind, header = table.about, f"{header} id"
        elif kind is None and table.label and cell.tag == "td" and _numbered(header):
            kind, header = self._kind(table.label), "device"  # a count stays one
        elif kind is None and table.headers and self._kind(words) is not None:
            table.about = self._kind(words)
        if table.label is None and (table.column == 0 and (cell.tag == "th" or not table.headers)):
            table.label = words
        value = self._kind(words) is None and is_value(words, header) and (bool(table.headers) or is_code(words))
        if kind is not None and value and not (table.head and cell.tag == "th"):
            self._parts[cell.begun :] = [self._stands_for(words, kind)]
        table.row += [(words, cell.begun, len(self._parts))] + [(words, -1, -1)] * (cell.span - 1)
        for column in range(table.column, table.column + cell.span) if cell.rows > 1 else ():
            table.below[column] = cell.rows
        table.column += cell.span

    def _kind(self, header: str) -> str | None:
        return self._personal.get(plain_name(header)) or personal_kind(header)


def _span(attributes: Attributes, name: str = "colspan") -> int:
    held = dict(attributes).get(name) or "1"
    return max(1, min(int(held), _MOST_SPAN)) if held.isdecimal() else 1


def _any(_: str) -> bool:
    return True


def _numbered(header: str) -> bool:
    return not header or any(letter.isdigit() for letter in header)


def is_code(words: str) -> bool:
    """Return whether a text looks like an id: it holds a digit, and is one word."""
    return any(letter.isdigit() for letter in words) and " " not in words


def veiled(html: str, *, personal: Mapping[str, str], key: Key | None = None) -> str:
    """Return HTML without personal details: texts and attributes by the detectors, cells by their columns.

    >>> from riskbench.privacy import Key
    >>> page = "<table><tr><th>buyer id</th><th>seller id</th></tr><tr><td>B1</td><td>S1</td></tr></table>"
    >>> print(veiled(page, personal={}, key=Key(b"sixteen bytes or more")))
    <table><tr><th>buyer id</th><th>seller id</th></tr><tr><td>person-5c0dca74</td><td>S1</td></tr></table>
    """
    return Veil(personal, key or current_key()).rewritten(html)


def veiled_notebook(notebook: dict[str, Any], *, personal: Mapping[str, str], key: Key | None = None) -> dict[str, Any]:
    """Return a notebook's cells without personal details: sources, streams, tables and texts; pictures stay."""
    key = key or current_key()
    values: dict[str, str] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            for bundle in ("data", "metadata"):
                output[bundle] = _veiled_bundle(output[bundle], personal, key, values) if bundle in output else {}
                if not output[bundle] and output["output_type"] in ("stream", "error"):
                    del output[bundle]
    plain = Plain(personal, key, values)
    for cell in notebook["cells"]:
        cell["source"] = plain.hidden(_joined(cell.get("source", "")))
        for output in cell.get("outputs", ()):
            for part in ("text", "evalue", "ename"):
                if part in output:
                    output[part] = plain.printed(_joined(output[part]))
            if "traceback" in output:
                output["traceback"] = [plain.printed(str(line)) for line in output["traceback"]]
            data = output.get("data", {})
            if "text/plain" in data:
                data["text/plain"] = plain.printed(_joined(data["text/plain"]))
            if "text/html" in data and plain.knows(data["text/html"]):
                data["text/html"] = _Known(plain).rewritten(data["text/html"])
    return notebook


class Plain:
    """Hides what stands in plain texts: details, values that a table of the notebook names, and printed columns."""

    def __init__(self, personal: Mapping[str, str], key: Key, values: Mapping[str, str]) -> None:
        self._personal = {plain_name(name): kind for name, kind in personal.items()}
        self._key = key
        self._values = {value: told for value, told in values.items() if _sure(value)}

    def knows(self, text: str) -> bool:
        """Return whether a text holds a value of a personal column."""
        return bool(self._values) and any(found[0] in self._values for found in _TOKEN.finditer(text))

    def hidden(self, text: str) -> str:
        """Return a text without details, and without values that a table has named."""
        told = hide(text, key=self._key)
        return _TOKEN.sub(lambda found: self._values.get(found[0], found[0]), told) if self._values else told

    def printed(self, text: str) -> str:
        """Return an output without what `hidden` hides, pairs of a personal column and its value, and columns."""
        named = _NAME.search(text)
        column = named[1] if named else ""
        kind = self._kind(column)
        lines, ends = [], dict[int, str]()
        for line in text.split("\n"):
            if kind is not None and not line.startswith("Name:"):
                line = _LAST.sub(lambda found: self._of(found[0], kind, column), line)  # noqa: PLW2901
            told = line
            if ends and line.strip():
                for found in reversed(list(_WORD.finditer(line))):
                    if (name := ends.get(found.end())) is not None:
                        value = self._of(found[0], self._kind(name), name)
                        told = told[: found.start()] + value + told[found.end() :]
            heads = {found.end(): found[0] for found in _WORD.finditer(line) if self._kind(found[0]) is not None}
            if not line.strip() or (heads and not _PAIR.search(line)):
                ends = heads
            lines.append(_PAIR.sub(self._pair, told))
        return self.hidden("\n".join(lines))

    def _pair(self, found: re.Match[str]) -> str:
        kind = self._kind(found["name"])
        return found[0] if kind is None else found["before"] + self._of(found["value"], kind, found["name"])

    def _of(self, value: str, kind: str | None, column: str) -> str:
        return self._key.pseudonym(value, kind) if kind is not None and is_value(value, column) else value

    def _kind(self, column: str) -> str | None:
        return self._personal.get(plain_name(column)) or personal_kind(column)


class _Known(Rewriter):
    """Hides what a table of the notebook has named, wherever it stands in HTML."""

    def __init__(self, plain: Plain) -> None:
        super().__init__()
        self._plain = plain

    def text(self, text: str) -> str:
        """Return a text without it."""
        return self._plain.hidden(text)


_NAME = re.compile(r"^Name: ([^,\n]{1,100})(?:, Length: \d+)?, dtype: ", re.MULTILINE)
_WORD, _LAST = re.compile(r"\S+"), re.compile(r"\S+$")
_PAIR = re.compile(
    r"(?P<before>(?<![\w.])[\"']?(?P<name>[A-Za-z][\w.]{1,60})[\"']?\s?[:=]\s?[\"']?)(?P<value>[\w-][\w.@:-]*)"
)
_TOLD = "(the table of this output, with people and devices hidden, is its HTML)"


def _sure(value: str) -> bool:
    """Return whether a value can be no other word or figure of the notebook."""
    return len(value) >= 5 and is_code(value) and (not value.isdecimal() or len(value) >= 8)


def _veiled_bundle(
    bundle: Mapping[str, Any], personal: Mapping[str, str], key: Key, values: dict[str, str]
) -> dict[str, Any]:
    told: dict[str, Any] = {}
    named = False
    for kind, value in bundle.items():
        if kind == "text/html":
            veil = Veil(personal, key)
            told[kind] = veil.rewritten(_joined(value))
            values |= veil.values
            named |= bool(veil.values)
        elif kind.startswith("image/") and isinstance(value, str | list):
            told[kind] = value
        else:
            told[kind] = _hidden(value, key)
    if named and "text/plain" in told:
        told["text/plain"] = _TOLD
    return told


def hide_all(value: Any, *, key: Key | None = None) -> Any:
    """Return nested mappings and lists with every text in them hidden."""
    return _hidden(value, key or current_key())


def _hidden(value: Any, key: Key) -> Any:
    if isinstance(value, str):
        return hide(value, key=key)
    if isinstance(value, Mapping):
        return {hide(str(name), key=key): _hidden(inner, key) for name, inner in value.items()}
    if isinstance(value, list):
        parts = [_hidden(inner, key) for inner in value]
        whole = "".join(part for part in parts if isinstance(part, str))  # a text in lines
        return [hide(whole, key=key)] if find(whole) else parts
    return value


def _joined(text: object) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
