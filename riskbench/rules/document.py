"""What does a YAML text say, and on which line? Reads YAML 1.2 as plain text and numbers, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from riskbench.errors import RuleError

#: A document may hold this many bytes, parts, and levels.
MAX_BYTES, MAX_PARTS, MAX_DEPTH = 1_000_000, 200_000, 20
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Item:
    """One part of a document, with its place.

    Attributes
    ----------
    kind : {"scalar", "map", "list"}
        What it is.
    line, column : int
        Its first character, both counted from 0.
    text : str
        A scalar as it was written, without quotes.
    plain : bool
        Whether a scalar stood without quotes, so that it may be a number, a boolean or null.
    block : bool
        Whether a scalar stood as a block of lines.
    pairs : tuple of (Item, Item)
        A map's keys and values.
    items : tuple of Item
        A list's parts.
    start, end : int
        Its first character in the text, and the one after its last, both counted from 0.
    flow : bool
        Whether a map or list stood in brackets.
    """

    kind: str
    line: int
    column: int
    text: str = ""
    plain: bool = False
    block: bool = False
    pairs: tuple[tuple[Item, Item], ...] = ()
    items: tuple[Item, ...] = ()
    start: int = 0
    end: int = 0
    flow: bool = False

    @property
    def value(self) -> Any:
        """The part as plain Python: keys are always text, as they were written."""
        if self.kind == "map":
            return {key.text: value.value for key, value in self.pairs}
        if self.kind == "list":
            return [item.value for item in self.items]
        if not self.plain:
            return self.text
        if self.text in _WORDS:
            return _WORDS[self.text]
        if _WHOLE.fullmatch(self.text):
            return int(self.text) if len(self.text) < 40 else float(self.text)
        return float(self.text) if _DECIMAL.fullmatch(self.text) else self.text

    @property
    def empty(self) -> bool:
        """Whether it says nothing (null)."""
        return self.kind == "scalar" and self.plain and self.text in _WORDS and _WORDS[self.text] is None

    @property
    def as_text(self) -> str | None:
        """A scalar as it was written; None for null, a map or a list."""
        return self.text if self.kind == "scalar" and not self.empty else None

    def get(self, name: str) -> Item | None:
        """Return a map's value by its key."""
        return next((value for key, value in self.pairs if key.text == name), None)


def read_document(text: str) -> Item:
    """Read one YAML document.

    Keys stay as they were written (`NO`, `on`, `123` are text). Refused: two equal keys, anchors and aliases,
    tags, more than one document, more than a megabyte.

    Raises
    ------
    RuleError
        When the text is not such a document; names line and column.
    """
    if not isinstance(text, str):
        raise RuleError("A rule book is text", got=type(text).__name__)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise RuleError("The rule book is too large", got=f"{size:,} bytes", allowed=f"at most {MAX_BYTES:,}")
    return _Builder(text).document()


class _Builder:
    """Builds the tree from the parser's events, without recursion."""

    def __init__(self, text: str) -> None:
        self.text = text

    def wrong(self, what: str, mark: Any, *, hint: str | None = None, allowed: object = None) -> RuleError:
        line, column = int(getattr(mark, "line", 0)), int(getattr(mark, "column", 0))
        return placed(self.text, what, line, column, hint=hint, allowed=allowed)

    def document(self) -> Item:
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        try:
            return self.built()
        except MarkedYAMLError as wrong:
            what = str(wrong.problem or wrong.context or "it is not YAML").strip()
            line, column = self.told(what, wrong.problem_mark, wrong.context_mark)
            what = f"The YAML cannot be read: {what}"
            raise placed(self.text, what, line, column, hint=_yaml_hint(what)) from None
        except YAMLError as wrong:
            what = str(wrong).partition("\n")[0]
            raise RuleError(f"The YAML cannot be read: {what[:200]}") from None
        except RuleError:
            raise
        except (RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError, AssertionError):
            raise RuleError("The YAML cannot be read") from None

    def told(self, what: str, problem: Any, context: Any) -> tuple[int, int]:
        """Return the line and column to show: where the unfinished part begins, and never an empty line."""
        lines = self.text.splitlines()
        marks = [context, problem] if "could not find expected" in what else [problem, context]
        places = [(int(mark.line), int(mark.column)) for mark in marks if mark is not None]
        for line, column in places:
            if line < len(lines) and lines[line].strip():
                return line, column
        last = min(places[0][0] if places else 0, len(lines) - 1)
        while last > 0 and not lines[last].strip():
            last -= 1
        return (last, max(0, len(lines[last].rstrip()) - 1)) if last >= 0 else (0, 0)

    def events(self) -> Iterator[Any]:
        from ruamel.yaml import YAML

        return iter(YAML(typ="safe", pure=True).parse(self.text))

    def built(self) -> Item:
        open_parts: list[tuple[Any, list[Item]]] = []
        root: Item | None = None
        documents = 0
        for count, event in enumerate(self.events()):
            name, mark = type(event).__name__, event.start_mark
            if count > MAX_PARTS:
                raise self.wrong("The rule book has too many parts", mark, allowed=f"at most {MAX_PARTS:,}")
            if name == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self.wrong("A rule book is one document", mark, hint="remove the line ---")
                continue
            if name not in _PARTS:
                continue
            self.check_plain(event, name, mark)
            if name in ("MappingStartEvent", "SequenceStartEvent"):
                if len(open_parts) >= MAX_DEPTH:
                    raise self.wrong("The rule book is nested too deeply", mark, allowed=f"{MAX_DEPTH} levels")
                open_parts.append((event, []))
                continue
            if name == "ScalarEvent":
                item = Item(
                    "scalar",
                    mark.line,
                    mark.column,
                    text=event.value,
                    plain=event.style is None or event.style == "",
                    block=event.style in ("|", ">"),
                    start=mark.index,
                    end=event.end_mark.index,
                )
            else:
                item = self.closed(*open_parts.pop(), event.end_mark.index)
            if open_parts:
                open_parts[-1][1].append(item)
            else:
                root = item
        if root is None:
            raise RuleError("The rule book is empty", allowed="book, domain, rules")
        return root

    def check_plain(self, event: Any, name: str, mark: Any) -> None:
        if name == "AliasEvent" or getattr(event, "anchor", None) is not None:
            raise self.wrong(
                "Anchors and aliases (& and *) are not allowed", mark, hint="write the value again, or put it in quotes"
            )
        if getattr(event, "tag", None) is not None or getattr(event, "ctag", None) is not None:
            raise self.wrong("Tags (!) are not allowed", mark, hint="put text that begins with ! in quotes")

    def closed(self, start: Any, items: list[Item], end: int) -> Item:
        mark = start.start_mark
        place = {"start": mark.index, "end": end, "flow": bool(start.flow_style)}
        if type(start).__name__ == "SequenceStartEvent":
            return Item("list", mark.line, mark.column, items=tuple(items), **place)
        keys, values = items[::2], items[1::2]
        seen: dict[str, Item] = {}
        for key in keys:
            if key.kind != "scalar":
                raise placed(self.text, "A key is text", key.line, key.column, hint="put it in quotes")
            if key.text in seen:
                first = seen[key.text].line + 1
                raise placed(
                    self.text, f"The key {key.text!r} stands twice (first on line {first})", key.line, key.column
                )
            seen[key.text] = key
        return Item("map", mark.line, mark.column, pairs=tuple(zip(keys, values, strict=True)), **place)


_PARTS = frozenset(
    {"ScalarEvent", "AliasEvent", "MappingStartEvent", "MappingEndEvent", "SequenceStartEvent", "SequenceEndEvent"}
)


def placed(
    text: str, what: str, line: int, column: int, *, allowed: object = None, hint: str | None = None, width: int = 1
) -> RuleError:
    """Return an error that names a line and column of a text, both counted from 0, and shows the place."""
    lines = text.splitlines(keepends=True)
    start = sum(len(part) for part in lines[:line]) + column
    start = min(start, len(text))
    return RuleError(
        f"Line {line + 1}, column {column + 1}: {what}",
        text=text,
        start=start,
        end=start + width,
        allowed=allowed,
        hint=hint,
    )


def _yaml_hint(what: str) -> str | None:
    if "mapping values are not allowed" in what:
        return "put text that holds ': ' in quotes"
    if "found character '\\t'" in what or "tab" in what.casefold():
        return "indent with spaces, not tabs"
    if "cannot start any token" in what:
        return "put the text in quotes"
    if "stream end" in what or "end of stream" in what:
        return "a bracket or a quotation is not closed"
    if "could not find expected ':'" in what:
        return "write name: value"
    if "<block end>" in what or "block" in what:
        return "check the indentation"
    return None
