"""Is a rule text one harmless condition? Reads it and allows only what means the same in every engine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from riskbench.engine.words import ALLOWED, FUNCTIONS, HINTS, NAMES, REFUSED, SIGNS
from riskbench.errors import RuleError, listed, nearest

#: A rule text may hold this many characters, nodes, and brackets inside brackets.
MAX_LENGTH, MAX_NODES, MAX_DEPTH = 4_000, 400, 40
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CURLY = re.compile("[\u2018\u2019\u201c\u201d\u00a0]")
_OPENERS = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE}
_CLOSERS = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END}
_BARE = {TokenType.NULL, TokenType.TRUE, TokenType.FALSE}
#: What stands beside or inside these is judged by itself, though they are refused.
_OPEN = (exp.Anonymous, exp.Xor, exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseNot)
_UNARY = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE}


@dataclass(frozen=True, slots=True)
class Predicate:
    """A rule text that was read and holds nothing but allowed words.

    Attributes
    ----------
    text : str
        The text as it was written.
    columns : tuple of str
        The column names in it, as written, in order of first use.
    params : tuple of str
        The names of its `:param` placeholders, in order of first use.
    """

    text: str
    columns: tuple[str, ...]
    params: tuple[str, ...]
    tree: Any = field(repr=False, compare=False, hash=False)


def parse(text: str, *, rule: str | None = None) -> Predicate:
    """Read one condition and refuse everything that is not on the allow-list.

    Use it to check the spelling of a rule before there is data; `bind` then checks it against the columns.

    Parameters
    ----------
    text : str
        One condition in the rule language, at most 4,000 characters.
    rule : str, optional
        The rule's id, for the message.

    Raises
    ------
    RuleError
        When the text is not one condition or holds a word that is not allowed; points at the place.

    Examples
    --------
    >>> found = parse("amount > :limit AND country IN ('ID', 'BR')")
    >>> found.columns, found.params
    (('amount', 'country'), ('limit',))
    """
    if not isinstance(text, str):
        raise RuleError(
            "The condition is not text", rule=rule, got=type(text).__name__, allowed='text such as "amount > 100"'
        )
    try:
        return _read(text)
    except RuleError as wrong:
        raise wrong.of(rule) from None


@dataclass(frozen=True, slots=True)
class Examination:
    """What a rule text names, and everything in it that is refused.

    Attributes
    ----------
    params : tuple of (str, int, int)
        Each parameter with its first character and one past its last, at its first use.
    refused : tuple of RuleError
        What is not part of the rule language, in the order of the text; a text that cannot be read at all has one.
    """

    params: tuple[tuple[str, int, int], ...]
    refused: tuple[RuleError, ...]


def examine(text: str) -> Examination:
    """Find everything that `parse` would refuse in one condition, not only the first.

    Examples
    --------
    >>> [wrong.sentence for wrong in examine("foo() OR bar() OR :x").refused]
    ['The function foo() is not part of the rule language', 'The function bar() is not part of the rule language']
    """
    refused: list[RuleError] = []
    try:
        nodes = list(_read(text).tree.walk())
    except RuleError:
        try:
            _, nodes, refused = _surveyed(text)
        except RuleError as wrong:
            return Examination((), (wrong,))
    params: dict[str, tuple[int, int]] = {}
    for node in sorted((n for n in nodes if type(n) is exp.Placeholder and isinstance(n.this, str)), key=span):
        params.setdefault(node.this, span(node))
    ordered = tuple(sorted(refused, key=lambda wrong: wrong.start or 0))
    return Examination(tuple((name, *place) for name, place in params.items()), ordered)


def refuse(
    what: str, text: str, place: tuple[int, int], *, allowed: object = None, hint: str | None = None
) -> RuleError:
    """Return the error for one place of a text."""
    return RuleError(what, text=text, start=place[0], end=place[1], allowed=allowed, hint=hint)


def words(text: str) -> list[str]:
    """Return a text's words and signs, so that blanks between them do not count."""
    return [text[token.start : token.end + 1] for token in _dialect().tokenize(text)]


def conjuncts(text: str) -> list[str]:
    """Return the conditions that a text joins with AND, as they are written; the whole text where it joins with OR.

    >>> conjuncts("a > 1 AND b BETWEEN 2 AND 3 AND (c OR d)"), conjuncts("a OR b AND c")
    (['a > 1', 'b BETWEEN 2 AND 3', '(c OR d)'], ['a OR b AND c'])
    """
    cuts, depth, between = [(0, 0)], 0, 0
    for token in _dialect().tokenize(text):
        word = text[token.start : token.end + 1].upper()
        if word in ("(", "CASE"):
            depth += 1
        elif word in (")", "END"):
            depth -= 1
        elif depth == 0 and word == "BETWEEN":
            between += 1
        elif depth == 0 and word == "OR":
            return [text.strip()]
        elif depth == 0 and word == "AND":
            between, cut = max(0, between - 1), between == 0
            if cut:
                cuts.append((token.start, token.end + 1))
    ends = [start for start, _ in cuts[1:]] + [len(text)]
    return [text[begin:end].strip() for (_, begin), end in zip(cuts, ends, strict=True)]


def excludes_missing(predicate: Predicate) -> bool:
    """Return whether a text holds NOT IN with a missing value in its list, so that it can never be true."""
    for node in predicate.tree.find_all(exp.In):
        above = node.parent
        while isinstance(above, exp.Paren):
            above = above.parent
        if isinstance(above, exp.Not) and any(type(part) is exp.Null for part in node.expressions):
            return True
    return False


@lru_cache(maxsize=4096)
def _read(text: str) -> Predicate:
    tree, nodes, refused = _surveyed(text)
    if refused:
        raise refused[0]
    columns = sorted((n for n in nodes if type(n) is exp.Column), key=lambda n: span(n)[0])
    params = sorted((n for n in nodes if type(n) is exp.Placeholder), key=lambda n: span(n)[0])
    return Predicate(
        text,
        tuple(dict.fromkeys(n.this.this for n in columns)),
        tuple(dict.fromkeys(n.this for n in params)),
        tree,
    )


def _surveyed(text: str) -> tuple[exp.Expr, list[exp.Expr], list[RuleError]]:
    """Return a text's tree, its nodes from the top, and what is refused in it."""
    _check_characters(text)
    tokens = _tokens(text)
    try:
        tree = _parsed(text)
        nodes = _positioned(tree, tokens, text)
        return tree, nodes, _refused(nodes, text)
    except RecursionError:
        raise refuse("The condition is nested too deeply", text, (0, 1), allowed=f"{MAX_DEPTH} levels") from None


def _refused(nodes: list[exp.Expr], text: str) -> list[RuleError]:
    """Return what is refused; nothing inside a refused part, but for what a function or a sign is given."""
    found: list[RuleError] = []
    inside: set[int] = set()
    for node in nodes:
        if id(node.parent) in inside:
            inside.add(id(node))
            continue
        try:
            _check_node(node, text)
        except RuleError as wrong:
            found.append(wrong)
            if type(node) not in _OPEN:
                inside.add(id(node))
    return found


def _check_characters(text: str) -> None:
    if not text.strip():
        raise RuleError("The condition is empty", allowed="one condition, such as amount > :limit")
    if len(text) > MAX_LENGTH:
        raise RuleError(
            "The condition is too long",
            got=f"{len(text):,} characters",
            allowed=f"at most {MAX_LENGTH:,}",
            hint="put long lists into a parameter: device_id IN :devices",
        )
    bad = _CONTROL.search(text)
    if bad:
        code = f"U+{ord(bad.group()):04X}"
        shown = _CONTROL.sub("\ufffd", text)
        raise refuse(
            f"The condition holds an invisible control character ({code})",
            shown,
            bad.span(),
            hint="type the place again by hand",
        )


def _tokens(text: str) -> list[Token]:
    try:
        tokens = _dialect().tokenize(text)
    except (TokenError, SqlglotError, ValueError):
        quote = max(text.rfind("'"), text.rfind('"'), text.rfind("$"), 0)
        raise refuse("The condition cannot be read: a quotation is not closed", text, (quote, quote + 1)) from None
    depth, run = 0, 0
    for token in tokens:
        if token.comments:
            raise refuse(
                "A comment is not part of a rule's condition",
                text,
                _comment_span(text, token),
                hint="use the rule's title or references",
            )
        if token.token_type is TokenType.SEMICOLON:
            raise refuse("A rule holds exactly one condition", text, (token.start, token.end + 1), hint="remove the ;")
        depth += (token.token_type in _OPENERS) - (token.token_type in _CLOSERS)
        run = run + 1 if token.token_type in _UNARY else 0
        if depth > MAX_DEPTH or run > MAX_DEPTH:
            raise refuse(
                "The condition is nested too deeply", text, (token.start, token.end + 1), allowed=f"{MAX_DEPTH} levels"
            )
    if not tokens:
        raise refuse("The condition is empty", text, (0, 1))
    return tokens


def _comment_span(text: str, token: Token) -> tuple[int, int]:
    places = [place for mark in ("--", "/*", "#") if (place := text.find(mark)) >= 0]
    return (min(places), min(places) + 2) if places else (token.start, token.end + 1)


@lru_cache(maxsize=1)
def _dialect() -> Dialect:
    return Dialect.get_or_raise("duckdb")


def _parsed(text: str) -> exp.Expr:
    try:
        trees = _dialect().parse_into(exp.Condition, text, error_message_context=len(text))
    except ParseError as wrong:
        raise _unreadable(text, wrong) from None
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - whatever the parser trips over, the text is what is wrong
        raise refuse("The condition cannot be read", text, (0, len(text))) from None
    if len(trees) != 1 or trees[0] is None:
        raise refuse("A rule holds exactly one condition", text, (0, len(text)))
    return trees[0]


def _unreadable(text: str, wrong: ParseError) -> RuleError:
    first = wrong.errors[0] if wrong.errors else {}
    start = len(first.get("start_context") or "")
    width = len(first.get("highlight") or "") or 1
    said = str(first.get("description") or "")
    place = (start, start + width)
    curly = _CURLY.search(text)
    if curly:
        return refuse(
            "The condition cannot be read", text, curly.span(), hint="use straight quotes ' and ordinary spaces"
        )
    if said.startswith("Expecting"):
        return refuse(f"The condition cannot be read after here: {said.rsplit(maxsplit=1)[-1]} is missing", text, place)
    if said.startswith("Required keyword"):
        return refuse("The condition is not complete after here", text, place)
    word = text[start : start + width].strip()
    hint = HINTS.get(word.casefold())
    return refuse("The condition cannot be read here", text, place, hint=hint)


def span(node: exp.Expr) -> tuple[int, int]:
    """Return the first character of a node's place in the text, and one past its last."""
    low, high = 1 << 30, -1
    for part in node.walk():
        start = part.meta.get("start")
        if start is not None:
            low, high = min(low, start), max(high, part.meta["end"] + 1)
    return (low, high) if high >= 0 else (0, 1)


def _positioned(tree: exp.Expr, tokens: list[Token], text: str) -> list[exp.Expr]:
    """Return every node, after giving each placeholder its place."""
    marks: dict[str, list[tuple[int, int]]] = {}
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and before.token_type in (TokenType.COLON, TokenType.PARAMETER, TokenType.DOLLAR):
            marks.setdefault(text[token.start : token.end + 1], []).append((before.start, token.end))
        elif token.token_type in _BARE:
            marks.setdefault(token.token_type.name, []).append((token.start, token.end))
    nodes: list[exp.Expr] = []
    for node in tree.walk(bfs=False):
        nodes.append(node)
        if len(nodes) > MAX_NODES:
            raise refuse(
                "The condition is too long",
                text,
                (0, len(text)),
                allowed=f"at most {MAX_NODES} words and signs",
                hint="put long lists into a parameter: device_id IN :devices",
            )
        if type(node) in (exp.Placeholder, exp.Null, exp.Boolean):
            name = "NULL" if type(node) is exp.Null else str(node.this)
            name = name.upper() if type(node) is exp.Boolean else name
            if marks.get(name):
                node.meta["start"], node.meta["end"] = marks[name].pop(0)
    return nodes


def _check_node(node: exp.Expr, text: str) -> None:
    kind = type(node)
    if kind is exp.Placeholder:
        if not isinstance(node.this, str) or not node.this.isidentifier() or node.args.get("kind"):
            raise refuse("A parameter needs a name", text, span(node), allowed=":name, such as :limit")
        start = node.meta.get("start")
        if start is not None and text[start] != ":":
            raise refuse("A parameter is written with a colon", text, span(node), hint=f"write :{node.this}")
        return
    if kind is exp.Anonymous or (isinstance(node, exp.Func) and kind not in ALLOWED):
        raise _unknown_function(node, text)
    allowed = ALLOWED.get(kind)
    if allowed is None:
        what, hint = REFUSED.get(kind.__name__, (None, None))
        raise refuse(
            what or f"{_plain(kind.__name__)} is not part of the rule language",
            text,
            span(node),
            allowed="comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, arithmetic and the listed functions",
            hint=hint,
        )
    if any(needed and node.args.get(key) is None for key, needed in kind.arg_types.items()):
        raise refuse("The condition is not complete here", text, span(node) if span(node)[1] > 1 else (0, len(text)))
    if kind is exp.DataType and set(node.args) - {"this", "nested"} and (node.expressions or node.args.get("nested")):
        raise refuse(
            f"A cast to {node.sql('duckdb')[:60]} is not part of the rule language",
            text,
            span(node.parent or node),
            allowed="DOUBLE, VARCHAR, DATE, TIMESTAMP",
        )
    for key, value in node.args.items():
        if key not in allowed and value not in (None, False, []):
            raise refuse(f"{_plain(kind.__name__)} with {key!r} is not part of the rule language", text, span(node))
    if kind is exp.Column and type(node.this) is not exp.Identifier:
        raise refuse("The rule language has no *", text, span(node))


def _unknown_function(node: exp.Expr, text: str) -> RuleError:
    if isinstance(node, exp.Anonymous):
        name = str(node.this)
    else:
        start = node.meta.get("start")
        name = text[start : node.meta["end"] + 1] if start is not None else node.key
    place = span(node)
    if node.meta.get("start") is not None:
        place = (node.meta["start"], node.meta["end"] + 1)
    hint = HINTS.get(name.casefold())
    if hint is None:
        close = nearest(name, NAMES)
        hint = f"did you mean {close}()?" if close else None
    return refuse(
        f"The function {name[:60]}() is not part of the rule language",
        text,
        place,
        allowed=listed(FUNCTIONS, most=60),
        hint=hint,
    )


def _plain(name: str) -> str:
    return SIGNS.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().capitalize()
