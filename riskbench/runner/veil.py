"""How does HTML look without what tells who somebody is? Texts by the detectors, cells of tables by their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from riskbench.privacy import Key, current_key, find, hide, is_value, personal_kind, plain_name
from riskbench.runner.markup import Attributes, Rewriter

#: Attributes that hold no words.
_WORDLESS = frozenset(("src", "style", "class", "scope", "width", "height", "colspan", "rowspan", "http-equiv"))
#: Headers of what a row is about, where another column of the row says which column it is of.
_OF_ROW = frozenset(("value", "values", "entity value", "id", "name", "entry"))
_MOST_SPAN = 1000


@dataclass
class _Table:
    """What is known of a table so far: its headers, and the cells of the row that is being read."""

    headers: list[str] = field(default_factory=list)
    row: list[str] = field(default_factory=list)
    plain: bool = True
    column: int = 0
    about: str | None = None


@dataclass
class _Cell:
    """A cell that is being read: where it began, in how many columns it stands, and its words."""

    tag: str
    begun: int
    span: int
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

    def tag(self, name: str, attributes: Attributes) -> Attributes | None:
        """Follow the tables, and hide what an attribute tells."""
        if name in ("td", "th", "tr"):
            self._end_cell()
        if name == "table":
            self._tables.append(_Table())
            self._cells.append(None)
        elif name == "tr" and self._tables:
            self._end_row()
        elif name in ("td", "th") and self._tables:
            self._tables[-1].plain &= name == "th"
            self._cells[-1] = _Cell(name, len(self._parts), _span(attributes))
        told: Attributes = []
        for key, value in attributes:
            hidden = value if value is None or key in _WORDLESS else hide(value, key=self._key)
            if key != "href" or hidden == value:
                told.append((key, hidden))
        return None if told == attributes else told

    def end(self, name: str) -> str:
        """Follow the tables."""
        if name in ("td", "th", "tr", "table"):
            self._end_cell()
        if name == "tr" and self._tables:
            self._end_row()
        if name == "table" and self._tables:
            self._tables.pop()
            self._cells.pop()
        return name

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
        if table.row and table.plain:
            table.headers = table.row
        table.row, table.plain, table.column, table.about = [], True, 0, None

    def _end_cell(self) -> None:
        if not self._cells or self._cells[-1] is None:
            return
        self._flush()
        cell, table = self._cells[-1], self._tables[-1]
        self._cells[-1] = None
        words = "".join(cell.words).strip()
        header = table.headers[table.column] if table.column < len(table.headers) else ""
        kind = self._kind(header)
        if kind is None and plain_name(header) in _OF_ROW:
            kind, header = table.about, f"{header} id"
        elif kind is None and table.headers and self._kind(words) is not None:
            table.about = self._kind(words)
        if kind is not None and table.headers and is_value(words, header):
            self._parts[cell.begun :] = [self._key.pseudonym(words, kind)]
        table.row += [words] * cell.span
        table.column += cell.span

    def _kind(self, header: str) -> str | None:
        return self._personal.get(plain_name(header)) or personal_kind(header)


def _span(attributes: Attributes) -> int:
    held = dict(attributes).get("colspan") or "1"
    return min(int(held), _MOST_SPAN) if held.isdecimal() else 1


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
    for cell in notebook["cells"]:
        cell["source"] = hide(_joined(cell.get("source", "")), key=key)
        for output in cell.get("outputs", ()):
            for part in ("text", "evalue", "ename"):
                if part in output:
                    output[part] = hide(_joined(output[part]), key=key)
            if "traceback" in output:
                output["traceback"] = [hide(str(line), key=key) for line in output["traceback"]]
            for bundle in ("data", "metadata"):
                output[bundle] = _veiled_bundle(output[bundle], personal, key) if bundle in output else {}
                if not output[bundle] and output["output_type"] in ("stream", "error"):
                    del output[bundle]
    return notebook


def _veiled_bundle(bundle: Mapping[str, Any], personal: Mapping[str, str], key: Key) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for kind, value in bundle.items():
        if kind == "text/html":
            told[kind] = veiled(_joined(value), personal=personal, key=key)
        elif kind.startswith("image/") and isinstance(value, str | list):
            told[kind] = value
        else:
            told[kind] = _hidden(value, key)
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
