"""Where do the parts of a YAML text stand: their lines, their comments, their commas?"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from riskbench.rules.document import Item

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_COMMENT = re.compile(r"[ \t]*#")
_BLANK = re.compile(r"[ \t]*")
_REST = re.compile(r"[ \t]*(#.*)?")


@dataclass(frozen=True, slots=True)
class Span:
    """Where an entry of a map or list stands.

    Attributes
    ----------
    start, end : int
        From its key or dash to its last character.
    """

    start: int
    end: int


class Layout:
    """The lines of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        found = list(_BREAK.finditer(text))
        self.starts = [0, *(match.end() for match in found)]
        self.ends = [*(match.start() for match in found), len(text)]

    # Lines

    def line(self, at: int) -> int:
        """Return the number of the line that a character stands on."""
        return bisect_right(self.starts, at) - 1

    def column(self, at: int) -> int:
        """Return how far into its line a character stands."""
        return at - self.starts[self.line(at)]

    def next_line(self, at: int) -> int:
        """Return where the next line begins; the text's end on the last."""
        line = self.line(at)
        return self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)

    def begins_line(self, at: int) -> bool:
        """Whether a line begins here."""
        return self.starts[self.line(at)] == at

    def shown(self, line: int) -> str:
        """Return a line's text."""
        return self.text[self.starts[line] : self.ends[line]]

    def broken(self, start: int, end: int) -> bool:
        """Whether a span runs over several lines."""
        return self.line(start) != self.line(max(start, end - 1))

    def indent(self, line: int) -> str:
        """Return the blanks that a line begins with."""
        found = _BLANK.match(self.shown(line))
        return found.group() if found else ""

    def first_filled(self, at: int) -> int:
        """Return the first line from here on that holds anything."""
        line = self.line(at)
        while line + 1 < len(self.starts) and not self.shown(line).strip():
            line += 1
        return line

    def words(self, start: int, end: int) -> list[tuple[str, int, int]]:
        """Return the words of a span and where each stands."""
        return [(m.group(), m.start(), m.end()) for m in re.compile(r"\S+").finditer(self.text, start, end)]

    def shares_line(self, at: int) -> bool:
        """Whether something stands before it on its line: a dash, or the bracket of what holds it."""
        return bool(self.text[self.starts[self.line(at)] : at].strip())

    # Parts

    def span(self, item: Item) -> tuple[int, int]:
        """Return where a part stands, without the blank lines and comments behind it."""
        if item.kind == "map" and not item.flow and item.pairs:
            return item.pairs[0][0].start, self.pair(*item.pairs[-1]).end
        if item.kind == "list" and not item.flow and item.items:
            return item.start, max(item.start + 1, self.span(item.items[-1])[1])
        if item.block:
            return item.start, item.start + len(self.text[item.start : item.end].rstrip())
        return item.start, item.end

    def pair(self, key: Item, value: Item) -> Span:
        """Return where a key with its value stands."""
        if value.empty and value.end == value.start:
            return Span(key.start, self.colon(key))
        return Span(key.start, self.span(value)[1])

    def colon(self, key: Item) -> int:
        """Return the place behind a key's colon."""
        return self.text.index(":", key.end) + 1

    def entries(self, item: Item) -> list[Span]:
        """Return where each entry of a list stands, from its dash if it has one."""
        spans: list[Span] = []
        for entry in item.items:
            start, end = self.span(entry)
            spans.append(Span(start if item.flow else self.dash(start, self.column(item.start)), end))
        return spans

    def dash(self, at: int, column: int) -> int:
        """Return the dash of an entry."""
        for line in range(self.line(at), -1, -1):
            place = self.starts[line] + column
            if place < at and self.text[place] == "-" and not self.text[self.starts[line] : place].strip(" \t-"):
                return place
        raise ValueError("an entry without a dash")

    def bracketed(self, at: int) -> bool:
        """Whether a scalar must be written as in brackets: something other than a key or dash stands around it."""
        line = self.shown(self.line(at))
        return bool(re.search(r"[\[{]", line[: self.column(at)]) or re.match(r"[^\r\n]*[\]}]", self.text[at:]))

    # Entries in lines

    def lines_of(self, spans: Sequence[Span], place: int) -> tuple[int, int]:
        """Return the lines of an entry as (start, end): with its own comments above, within and on its lines."""
        span = spans[place]
        column = self.column(span.start)
        top = self.line(span.start)
        floor = self.line(max(spans[place - 1].start, spans[place - 1].end - 1)) + 1 if place else 0
        floor = self.below(floor, column, top) if place else floor
        while top > floor and _COMMENT.match(self.shown(top - 1)):
            top -= 1
        last = self.line(max(span.start, span.end - 1)) + 1
        limit = self.line(spans[place + 1].start) if place + 1 < len(spans) else len(self.starts)
        last = self.below(last, column, limit)
        end = self.starts[last] if last < len(self.starts) else len(self.text)
        return self.starts[top], end

    def below(self, line: int, column: int, limit: int) -> int:
        """Return the line after the comments that stand further in, right below an entry."""
        while line < min(limit, len(self.starts)):
            found = _COMMENT.match(self.shown(line))
            if found is None or len(found.group()) - 1 <= column:
                break
            line += 1
        return line

    def cut(self, spans: Sequence[Span], place: int, *, last: bool) -> tuple[int, int, str]:
        """Return the change that takes an entry out, with one of the gaps around it."""
        top, end = self.lines_of(spans, place)
        if not last:
            line = self.line(end)
            while line + 1 < len(self.starts) and self.starts[line] == end and not self.shown(line).strip():
                line += 1
                end = self.starts[line]
            return top, end, ""
        floor = self.line(spans[place - 1].end) + 1 if place else self.line(top)
        line = self.line(top)
        while place and line > floor and not self.shown(line - 1).strip():
            line -= 1
        return self.starts[line], end, ""

    def airy(self, spans: Sequence[Span], *, blocks: bool) -> bool:
        """Whether blank lines stand between the entries of a list."""
        if len(spans) < 2:
            return blocks and self.line(spans[0].end) - self.line(spans[0].start) > 2
        pairs = pairwise(spans)
        gaps = (range(self.line(a.end - 1) + 1, self.line(b.start)) for a, b in pairs)
        return any(not self.shown(line).strip() for gap in gaps for line in gap)

    # Entries in brackets

    def comma(self, at: int) -> int | None:
        """Return the comma behind an entry in brackets; None for the last one."""
        while at < len(self.text):
            mark = self.text[at]
            if mark == ",":
                return at
            if mark == "#":
                at = self.ends[self.line(at)]
            elif not mark.isspace():
                return None
            else:
                at += 1
        return None

    def alone(self, span: Span) -> bool:
        """Whether an entry in brackets has its lines for itself."""
        end = self.comma(span.end)
        after = span.end if end is None or self.line(end) != self.line(span.end) else end + 1
        line = self.line(span.end)
        return not self.shares_line(span.start) and bool(_REST.fullmatch(self.text[after : self.ends[line]]))

    def without(self, spans: Sequence[Span], place: int) -> tuple[int, int, str]:
        """Return the change that takes an entry and its comma out of brackets."""
        span = spans[place]
        if self.alone(span):
            top = self.line(span.start)
            while place and top > self.line(spans[place - 1].end) + 1 and _COMMENT.match(self.shown(top - 1)):
                top -= 1
            return self.starts[top], self.next_line(span.end), ""
        comma = self.comma(span.end)
        if comma is None:
            return span.start, span.end, ""
        if place + 1 < len(spans) and not self.broken(span.start, spans[place + 1].start + 1):
            return span.start, spans[place + 1].start, ""
        start = span.start
        while start and self.text[start - 1] in " \t":
            start -= 1
        return start, comma + 1, ""

    def follow(
        self, put: Callable[[int, int, str], None], at: Span, item: Item, texts: Sequence[str], *, last: bool
    ) -> None:
        """Put entries behind another one in brackets: below it where each has its own line."""
        line = self.line(at.end)
        if not self.alone(at) or line == self.line(item.end):
            put(at.end, at.end, "".join(f", {text}" for text in texts))
            return
        comma = self.comma(at.end)
        if comma is None:
            put(at.end, at.end, ",")
        indent = self.newline + self.indent(self.line(at.start))
        ending = "" if last and comma is None else ","
        put(self.ends[line], self.ends[line], indent + f",{indent}".join(texts) + ending)
