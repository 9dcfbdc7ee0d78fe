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
_LINES = re.compile(r"[^\s\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff][^\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff]*")


def to_yaml(book: Mapping[str, Any]) -> str:
    """Return a book's mapping as YAML 1.2 text."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100_000
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_map(book, depth=0), stream)
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
        if key != "rules":
            listed.fa.set_flow_style()
        else:
            for rule in listed:
                rule.fa.set_block_style()
        return listed
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if "\n" in text and _LINES.fullmatch(text) and not re.search(r" \n|\n$|\n ", text):
        return LiteralScalarString(text)
    if "\n" in text or _TAKEN.fullmatch(text) or text.startswith("?") or not text.isprintable():
        return DoubleQuotedScalarString(text)
    return text
