"""What does a text say? YAML in which each word stays as it was written until its type is known."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from riskbench.errors import ParameterError

#: The most characters of a parameter.
LONGEST = 200_000
#: The deepest that lists and mappings may stand inside each other.
_DEEPEST = 50
_CORE = "tag:yaml.org,2002:"


class Written(str):
    """A word of YAML or JSON without quotes: the text as it stands, and the value that YAML 1.2 reads in it.

    Where the declared type is known, the text counts: `007` stays an id, `NO` Norway, `2026-11-10` a date's text.
    Where anything goes, the value does.
    """

    __slots__ = ("value",)

    value: Any

    def __new__(cls, text: str, value: Any) -> Self:
        """Return the word."""
        made = super().__new__(cls, text)
        made.value = value
        return made


def plain(value: object) -> Any:
    """Return read YAML as plain values, each word as YAML 1.2 reads it."""
    if isinstance(value, Written):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def structure(text: str, *, name: str) -> Any:
    """Return YAML 1.2 text (so also JSON) as lists, mappings and words.

    >>> plain(structure("{limit: 007, country: NO, at: 12:30, on: 2026-11-10}", name="x"))
    {'limit': 7, 'country': 'NO', 'at': '12:30', 'on': '2026-11-10'}

    Raises
    ------
    ParameterError
        When it is not YAML, is too long, names a thing twice, or uses anchors or tags.
    """
    if len(text) > LONGEST:
        raise too_long(name, len(text))
    with contextlib.suppress(ValueError, RecursionError):
        return _words(
            json.loads(
                text,
                parse_constant=_refused,
                parse_int=_whole,
                parse_float=lambda word: Written(word, float(word)),
                object_pairs_hook=lambda pairs: _once(pairs, name),
            )
        )
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        _look(YAML(typ="safe", pure=True).parse(text), name)
        node = YAML(typ="safe", pure=True).compose(text)
        return Written("", None) if node is None else _made(node, name)
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:
        first = str(getattr(error, "problem", None) or error).splitlines()[0][:200]
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ParameterError(f"{name}: cannot be read as YAML: {first}{where}") from None


def _look(events: Iterable[Any], name: str) -> None:
    """Refuse what says something else than what stands there, or blows up: anchors, tags, nesting without end."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent

    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, NodeEvent) and (event.anchor or str(getattr(event, "tag", None) or "")):
            anchor = f"{'*' if isinstance(event, AliasEvent) else '&'}{event.anchor}"
            raise ParameterError(
                f"{name}: YAML anchors, aliases and tags (&name, *name, !name) are not read",
                got=(anchor if event.anchor else str(event.tag))[:80],
                hint="write the value out, or put quotes around it",
            )
        if depth > _DEEPEST:
            raise ParameterError(f"{name}: cannot be read as YAML: it is nested too deep", allowed=f"{_DEEPEST} levels")


def too_long(name: str, characters: int) -> ParameterError:
    """Return the error for a text that no parameter needs."""
    return ParameterError(
        f"The parameter {name!r} is too long", got=f"{characters:,} characters", allowed=f"{LONGEST:,}"
    )


def _made(node: Any, name: str) -> Any:
    """Return what a node of YAML says."""
    kind = str(node.tag).removeprefix(_CORE)
    if node.id == "mapping" and kind == "map":
        return _once(((_made(key, name), _made(inner, name)) for key, inner in node.value), name)
    if node.id == "sequence" and kind == "seq":
        return [_made(inner, name) for inner in node.value]
    if node.id == "scalar" and not node.style and kind in _READERS:
        return Written(node.value, _READERS[kind](node.value))
    if node.id == "scalar" and kind in {"str", "timestamp", "value", "merge"}:
        return _joined(node.value)
    raise ParameterError(f"{name}: YAML tags are not read", got=str(node.tag)[:80], hint="write the value out")


def _once(pairs: Iterable[tuple[Any, Any]], name: str) -> dict[str, Any]:
    """Return a mapping in which nothing is named twice."""
    made: dict[str, Any] = {}
    for key, inner in pairs:
        if not isinstance(key, str):
            raise ParameterError(f"{name}: cannot be read as YAML: a name is text", got=str(key)[:80])
        if str(key) in made:
            raise ParameterError(f"{name}: cannot be read as YAML: {str(key)[:80]!r} stands there twice")
        made[str(key)] = inner
    return made


def _words(value: Any) -> Any:
    """Return read JSON with its bare words as words."""
    if value is None or isinstance(value, bool):
        return Written(json.dumps(value), value)
    if isinstance(value, dict):
        return {key: _words(inner) for key, inner in value.items()}
    return [_words(inner) for inner in value] if isinstance(value, list) else value


def _joined(text: str) -> str:
    """Return a text with the halves of a letter, as JSON escapes it, put together."""
    with contextlib.suppress(UnicodeDecodeError):
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    return text


def _whole(word: str) -> Written:
    return Written(word, _int(word))


def _int(word: str) -> int:
    digits = word.replace("_", "")
    try:
        return int(digits)
    except ValueError:
        return int(digits, 0)


def _float(word: str) -> float:
    return float(word.replace("_", "").casefold().replace(".inf", "inf").replace(".nan", "nan"))


#: What YAML 1.2 reads in a word, by its kind.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "int": _int,
    "float": _float,
    "bool": lambda word: word.casefold() == "true",
    "null": lambda _: None,
}


def _refused(word: str) -> object:
    raise ValueError(word)
