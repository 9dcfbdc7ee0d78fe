"""How is a changed rule book written into the text that it was read from? Only what changed is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from riskbench.errors import RiskbenchError
from riskbench.rules.document import Item, read_document
from riskbench.rules.layout import Layout, Span
from riskbench.rules.writing import BLOCKS, inline, scalar, to_yaml

#: The part of an entry that stands for the whole where the rest is left out: `{default: 5}` is `5`.
_WHOLE = ("default", "values", "value")
#: What tells one entry of a list of mappings from the others.
_NAMES = ("id", "value", "rule", "region")
#: Passes until a text says what it shall: entries move in one, and change in the next.
_PASSES = 3
#: Lists that differ in more pairs than this are written anew where they differ.
_PAIRS = 4_000_000
_GONE = object()
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

Book = Mapping[str, Any]


def edited(text: str, wanted: Book, said: Callable[[str], Book], *, words: bool = True) -> str | None:
    """Return a book's text with the fewest changes that make it say something else.

    Comments, blank lines, the order of keys, quotes and brackets stay where nothing changes. A part that goes
    takes with it the comment on its line and those right above it; a part that comes is written in the house form.

    Parameters
    ----------
    text : str
        The YAML as it was read.
    wanted : mapping
        What it shall say, as `RuleBook.to_mapping` gives it.
    said : callable
        Returns what a text says, in the same form; raises where it is no book.
    words : bool
        Whether a text over several lines is changed word by word.

    Returns
    -------
    str or None
        The text; None where it could not be changed so.
    """
    for _ in range(_PASSES):
        try:
            now = said(text)
            if now == wanted:
                return text
            text = _Editor(text, words=words).change(read_document(text), now, wanted)
        except (ValueError, RiskbenchError):
            return None
    try:
        return text if said(text) == wanted else None
    except (ValueError, RiskbenchError):
        return None


class _Editor:
    """Collects the changes of one pass."""

    def __init__(self, text: str, *, words: bool) -> None:
        self.layout = Layout(text)
        self.words = words
        self.edits: list[tuple[int, int, str]] = []

    def change(self, root: Item, old: Book, new: Book) -> str:
        self.mapping(root, old, new, depth=0)
        return self.applied()

    def applied(self) -> str:
        """Return the text with the changes made; ValueError where two of them meet."""
        text, parts, at = self.layout.text, [], 0
        for start, end, put in sorted(self.edits, key=lambda edit: (edit[0], edit[1])):
            if start < at:
                raise ValueError("two changes meet")
            parts += [text[at:start], put]
            at = end
        return "".join([*parts, text[at:]])

    def put(self, start: int, end: int, text: str) -> None:
        self.edits.append((start, end, text))

    # One value

    def value(self, item: Item, old: Any, new: Any, *, after: int, depth: int, name: str) -> None:
        """Change one value; `after` is where it may begin: behind the colon or the dash."""
        if old == new and type(old) is type(new):
            return
        if item.kind == "map":
            whole = next((key for key in _WHOLE if item.get(key) is not None), None)
            if whole is not None:
                old, new = (held if isinstance(held, dict) else {whole: held} for held in (old, new))
            if isinstance(old, dict) and isinstance(new, dict) and new and item.pairs:
                self.mapping(item, old, new, depth=depth)
                return
        if item.kind == "list" and isinstance(old, list) and isinstance(new, list) and item.items:
            if not new and not item.flow:
                self.in_lines(self.layout.entries(item), set(range(len(item.items))), {})
                self.put(after, after, " []")
                return
            if len(old) == len(item.items) and new:
                self.listed(item, old, new, depth=depth, name=name)
                return
        if item.kind == "scalar" and isinstance(old, list) and isinstance(new, list) and len(new) == 1:
            new = new[0]
        self.written(item, new, after=after)

    def written(self, item: Item, new: Any, *, after: int) -> None:
        """Write a value anew in the place of another."""
        start, end = self.layout.span(item)
        if item.kind == "scalar" and not item.empty and isinstance(new, str):
            if item.block:
                self.block(item, new)
                return
            if self.words and self.by_words(start, end, item.text, new):
                return
            if item.plain and _DATE.fullmatch(item.text) and _DATE.fullmatch(new):
                self.put(start, end, new)
                return
            first = self.layout.text[start]
            flow = self.layout.bracketed(start)
            self.put(start, end, scalar(new, flow=flow, quote=first if first in "'\"" else None))
        elif item.empty or (item.kind in ("map", "list") and not item.flow):
            begin = max(after, 0)
            self.put(begin, max(begin, end if not item.empty else begin), " " + inline(new))
        elif item.block:
            self.put(start, end, inline(new))
        else:
            self.put(start, end, inline(new, flow=self.layout.bracketed(start)))

    def block(self, item: Item, new: str) -> None:
        """Write a text that stands as a block of lines."""
        layout = self.layout
        start, end = layout.span(item)
        body = layout.next_line(start)
        if body < end:
            if self.words and self.by_words(body, end, item.text, new):
                return
            indent = layout.indent(layout.first_filled(body))
            folded = layout.text[start] == ">" and "\n" in new
            if folded:
                self.put(start, start + 1, "|")
            lines = [indent + line if line else "" for line in new.split("\n")]
            self.put(body, end, layout.newline.join(lines))
        else:
            self.put(start, end, scalar(new, flow=False, quote='"'))

    def by_words(self, start: int, end: int, old: str, new: str) -> bool:
        """Change the words that differ, so that the lines stay; False where the text is on one line."""
        held = self.layout.words(start, end)
        if not self.layout.broken(start, end) or [word for word, _, _ in held] != old.split():
            return False
        was, now = old.split(), new.split()
        if not now or len(was) * len(now) > _PAIRS:
            return False
        for tag, i, j, k, m in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
            told = " ".join(now[k:m])
            if tag == "replace":
                self.put(held[i][1], held[j - 1][2], told)
            elif tag == "insert":
                at = held[i - 1][2] if i else held[0][1]
                self.put(at, at, f" {told}" if i else f"{told} ")
            elif tag == "delete":
                first = held[i - 1][2] if i else held[0][1]
                self.put(first, held[j - 1][2] if i else held[j][1], "")
        return True

    # Maps

    def mapping(self, item: Item, old: Mapping[str, Any], new: Mapping[str, Any], *, depth: int) -> None:
        layout = self.layout
        keys = [key.text for key, _ in item.pairs]
        spans = [layout.pair(key, value) for key, value in item.pairs]
        gone = {place for place, key in enumerate(keys) if key in old and key not in new}
        come: dict[int, list[str]] = {}
        anchor = -1
        for key, value in new.items():
            if key in keys:
                anchor = keys.index(key)
                held = item.pairs[anchor][1]
                colon = layout.colon(item.pairs[anchor][0])
                self.value(held, old.get(key, _GONE), value, after=colon, depth=depth + 1, name=key)
            elif old.get(key, _GONE) != value:
                if item.flow:
                    told = f"{scalar(key, flow=True)}: {inline(value, flow=True)}"
                else:
                    told = to_yaml({key: value}, depth=depth)
                come.setdefault(anchor, []).append(told)
        if item.flow:
            self.in_brackets(item, spans, gone, come, inline(new, flow=True))
        else:
            column = layout.column(spans[0].start)
            self.in_lines(
                spans, gone, {at: [self.indented(text, column) for text in texts] for at, texts in come.items()}
            )

    # Lists

    def listed(self, item: Item, old: list[Any], new: list[Any], *, depth: int, name: str) -> None:
        layout = self.layout
        spans = layout.entries(item)
        blocks = depth == 1 and name in BLOCKS
        was, now = [_name(entry) for entry in old], [_name(entry) for entry in new]
        if blocks and name == "rules":
            was = _renamed(was, now, old, new)
        gone: set[int] = set()
        come: dict[int, list[str]] = {}
        places = {key: place for place, key in enumerate(was)}
        for tag, i, j, k, m in _opcodes(was, now):
            if tag == "equal":
                for place, at in zip(range(i, j), range(k, m), strict=True):
                    after = spans[place].start + (0 if item.flow else 1)
                    self.value(item.items[place], old[place], new[at], after=after, depth=depth + 1, name=name)
                continue
            gone.update(range(i, j))
            for at in range(k, m):
                moved = places.get(now[at])
                text = self.entry(item, spans, new[at], moved, blocks=blocks)
                come.setdefault(i - 1, []).append(text)
        if item.flow:
            self.in_brackets(item, spans, gone, come, inline(new, flow=True))
        elif len(gone) == len(spans) and not come:
            raise ValueError("nothing is left of the list")
        else:
            self.in_lines(spans, gone, come, airy=layout.airy(spans, blocks=blocks))

    def entry(self, item: Item, spans: Sequence[Span], new: Any, moved: int | None, *, blocks: bool) -> str:
        """Return the text of an entry that comes, or of one that stood elsewhere."""
        layout = self.layout
        if moved is not None:
            span = spans[moved]
            if item.flow:
                return layout.text[span.start : span.end]
            top, below = layout.lines_of(spans, moved)
            text = layout.text[top:below]
            return text if text.endswith(("\n", "\r")) else text + layout.newline
        if item.flow:
            return inline(new, flow=True)
        column = layout.column(spans[0].start)
        if not blocks or not isinstance(new, dict):
            return " " * column + "- " + inline(new) + layout.newline
        text = self.indented(to_yaml(new, depth=2), column + 2)
        return text[:column] + "- " + text[column + 2 :]

    # Where they stand

    def in_brackets(
        self, item: Item, spans: Sequence[Span], gone: set[int], come: Mapping[int, list[str]], whole: str
    ) -> None:
        """Take parts out of brackets and put others in, each with its comma."""
        layout = self.layout
        if not gone and not come:
            return
        kept = [place for place in range(len(spans)) if place not in gone]
        if not kept:
            self.put(item.start, item.end, whole)
            return
        last = spans[kept[-1]]
        together = not layout.broken(last.end, spans[-1].end)
        for place in gone:
            if place < kept[-1] or not together:
                self.put(*layout.without(spans, place))
        if kept[-1] < len(spans) - 1:
            comma = layout.comma(last.end)
            if together:
                self.put(last.end, spans[-1].end, "")
            elif comma is not None:
                self.put(comma, comma + 1, "")
        for anchor, texts in come.items():
            before = [place for place in kept if place <= anchor]
            if not before:
                first = spans[kept[0]].start
                self.put(first, first, "".join(f"{text}, " for text in texts))
                continue
            at = spans[before[-1]]
            self.layout.follow(self.put, at, item, texts, last=before[-1] == kept[-1])

    def in_lines(
        self, spans: Sequence[Span], gone: set[int], come: Mapping[int, list[str]], *, airy: bool = False
    ) -> None:
        """Take lines out and put others in."""
        layout = self.layout
        for place in sorted(gone):
            if place + 1 < len(spans) and layout.shares_line(spans[place].start):
                self.put(spans[place].start, spans[place + 1].start, "")
            else:
                self.put(*layout.cut(spans, place, last=all(p in gone for p in range(place, len(spans)))))
        space = layout.newline if airy else ""
        for anchor, texts in come.items():
            if anchor < 0:
                top = layout.lines_of(spans, 0)[0]
                if layout.shares_line(spans[0].start):
                    indent = " " * layout.column(spans[0].start)
                    self.put(spans[0].start, spans[0].start, "".join(t.lstrip(" ") + indent for t in texts))
                else:
                    self.put(top, top, "".join(text + space for text in texts))
                continue
            below = layout.lines_of(spans, anchor)[1]
            start = "" if layout.begins_line(below) else layout.newline
            self.put(below, below, start + "".join(space + text for text in texts))

    def indented(self, text: str, column: int) -> str:
        lines = text.rstrip("\n").split("\n")
        return "".join(f"{' ' * column}{line}{self.layout.newline}" if line else self.layout.newline for line in lines)


def _name(entry: Any) -> str:
    """Return what tells an entry from the others of its list."""
    if isinstance(entry, dict):
        named = [entry[key] for key in _NAMES if key in entry]
        return json.dumps(named[:1] if "id" in entry or "value" in entry else named)
    return json.dumps([entry])


def _renamed(was: list[str], now: list[str], old: list[Any], new: list[Any]) -> list[str]:
    """Return the names of the old rules, where one that only bears another name now has the new one."""
    free: dict[str, str] = {}
    for key, entry in zip(now, new, strict=True):
        if key not in was:
            free.setdefault(_rest(entry), key)
    return [key if key in now else free.pop(_rest(entry), key) for key, entry in zip(was, old, strict=True)]


def _rest(entry: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in entry.items() if name != "id"}, sort_keys=True)


def _opcodes(was: list[str], now: list[str]) -> list[tuple[str, int, int, int, int]]:
    """Return what changes between two lists; what they begin and end with alike is found at once."""
    head = 0
    while head < min(len(was), len(now)) and was[head] == now[head]:
        head += 1
    tail = 0
    while tail < min(len(was), len(now)) - head and was[-1 - tail] == now[-1 - tail]:
        tail += 1
    first, last = was[head : len(was) - tail], now[head : len(now) - tail]
    found: list[tuple[str, int, int, int, int]] = [("equal", 0, head, 0, head)]
    if len(first) * len(last) > _PAIRS:
        found.append(("replace", head, len(was) - tail, head, len(now) - tail))
    else:
        codes = SequenceMatcher(None, first, last, autojunk=False).get_opcodes()
        found += [(tag, i + head, j + head, k + head, m + head) for tag, i, j, k, m in codes]
    return [*found, ("equal", len(was) - tail, len(was), len(now) - tail, len(now))]
