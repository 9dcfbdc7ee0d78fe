"""How is a rule book written? Tidy YAML that every reader takes as it was meant."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

#: Text that some YAML reader takes for a boolean, a number, a date or nothing.
_TAKEN = re.compile(
    r"(?i)y|n|yes|no|on|off|true|false|null|~||[-+]?[0-9][0-9_.,:eExXa-fA-F+-]*|[-+]?\.[0-9]+|[-+]?\.(inf|nan)|"
    r"\.nan|[0-9-]+([Tt ].*)?|<<|="
)
#: What a text without quotes cannot begin with.
_SIGNS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_LINES = re.compile(r"[^\s\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff][^\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff]*")
#: The lists of a book whose entries stand one below the other.
BLOCKS = ("rules", "deviations")


def to_yaml(book: Mapping[str, Any], *, depth: int = 0) -> str:
    """Return a book's mapping, or a part of one that lies deeper, as YAML 1.2 text."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100_000
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_map(book, depth=depth), stream)
    return stream.getvalue()


def _map(entry: Mapping[str, Any], *, depth: int) -> Any:
    from ruamel.yaml.comments import CommentedMap

    made = CommentedMap()
    for key, value in entry.items():
        made[_text(key)] = _value(value, depth=depth + 1, key=key)
    return made


def _value(value: Any, *, depth: int, key: str) -> Any:
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, Mapping):
        made = _map(value, depth=depth)
        assert isinstance(made, CommentedMap)
        if depth >= 2 or (depth == 1 and key == "never"):
            made.fa.set_flow_style()
        return made
    if isinstance(value, list | tuple):
        listed = CommentedSeq(_value(inner, depth=depth + 1, key=key) for inner in value)
        if depth == 1 and key in BLOCKS:
            for entry in listed:
                entry.fa.set_block_style()
        else:
            listed.fa.set_flow_style()
        return listed
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if "\n" in text and _LINES.fullmatch(text) and not re.search(r" \n|\n$|\n ", text):
        return LiteralScalarString(text)
    if "\n" in text or _TAKEN.fullmatch(text) or text.startswith(("?", ":")) or not text.isprintable():
        return DoubleQuotedScalarString(text)
    return text


def inline(value: Any, *, flow: bool = False) -> str:
    """Return a value on one line, as it may stand after a colon or a dash; within brackets when `flow` says so.

    >>> inline({"limit": 5, "region": "NO"}), inline(["a", 1.5, True])
    ('{limit: 5, region: "NO"}', '[a, 1.5, true]')
    """
    if isinstance(value, Mapping):
        told = (f"{scalar(str(name), flow=True)}: {inline(held, flow=True)}" for name, held in value.items())
        return "{" + ", ".join(told) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(held, flow=True) for held in value) + "]"
    return scalar(value, flow=flow)


def scalar(value: Any, *, flow: bool, quote: str | None = None) -> str:
    """Return one value on one line, in the quotes that are asked for, or in none where that means the same.

    >>> scalar("NO", flow=False), scalar("a > :x", flow=True), scalar("it's", flow=False, quote="'")
    ('"NO"', '"a > :x"', "'it''s'")
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str):
        return repr(value)
    if quote is None and _plain(value, flow=flow):
        return value
    if value.isprintable() and (quote == "'" or (quote is None and ('"' in value or "\\" in value))):
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escaped(letter) for letter in value) + '"'


def _plain(text: str, *, flow: bool) -> bool:
    if _TAKEN.fullmatch(text) or not text.isprintable() or text != text.strip() or text[0] in _SIGNS:
        return False
    if ": " in text or " #" in text or text.endswith(":"):
        return False
    return not (flow and re.search(r"[,\[\]{}:]", text))


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
