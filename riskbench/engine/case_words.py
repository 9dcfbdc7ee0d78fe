"""How are the words of a foreign query grouped? Brackets, items, plain values and comments, nothing understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from riskbench.errors import RuleError

#: A query may hold this many words and signs, and brackets inside brackets.
MAX_WORDS, MAX_DEPTH = 200_000, 200
OPEN = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
CLOSE = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})
_TRIMS = frozenset({"trim", "ltrim", "rtrim"})
Value = int | float | str


def tokenised(text: str, dialect: str) -> list[Token]:
    """Return a query's words.

    Raises
    ------
    RuleError
        When it cannot be cut into words, or is too long or too deep.
    """
    try:
        tokens = list(Dialect.get_or_raise(dialect).tokenize(text))
    except (SqlglotError, ValueError):
        raise RuleError("The query cannot be read: a quotation or comment is not closed") from None
    if len(tokens) > MAX_WORDS:
        raise RuleError("The query is too long", got=f"{len(tokens):,} words", allowed=f"at most {MAX_WORDS:,}")
    depth = 0
    for token in tokens:
        depth += (token.token_type in OPEN) - (token.token_type in CLOSE)
        if depth > MAX_DEPTH:
            raise RuleError("The query is nested too deeply", text=text, start=token.start, end=token.end + 1)
    return tokens


def depths(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Yield each word's place and how many brackets and CASEs are open there; a CASE's own words count inside it."""
    depth = 0
    for place, token in enumerate(tokens):
        if token.token_type in CLOSE:
            depth -= 1
        yield place, depth
        if token.token_type in OPEN:
            depth += 1


def closing(tokens: Sequence[Token], start: int) -> int | None:
    """Return the place of the bracket or END that closes the one at a place."""
    depth = 0
    for place in range(start, len(tokens)):
        depth += (tokens[place].token_type in OPEN) - (tokens[place].token_type in CLOSE)
        if depth == 0:
            return place
    return None


def split_at(tokens: list[Token], at: TokenType) -> list[list[Token]]:
    """Return the parts between signs that stand outside of brackets."""
    parts: list[list[Token]] = [[]]
    for place, depth in depths(tokens):
        if depth == 0 and tokens[place].token_type is at:
            parts.append([])
        else:
            parts[-1].append(tokens[place])
    return parts


def named_item(item: list[Token]) -> tuple[str | None, list[Token]]:
    """Return the name that an item gives to its value, and the value."""
    if len(item) > 2 and item[-2].token_type is TokenType.ALIAS:
        return item[-1].text, item[:-2]
    behind = len(item) > 1 and item[-2].token_type in (TokenType.END, TokenType.R_PAREN)
    if behind and item[-1].token_type in NAMES:
        return item[-1].text, item[:-1]
    return None, item


def flag_of(tokens: list[Token]) -> list[Token] | None:
    """Return the condition of `CASE WHEN condition THEN TRUE ELSE FALSE END` (or 1 and 0); None for another."""
    marks = [
        (place, tokens[place].token_type)
        for place, depth in depths(tokens)
        if depth == 1 and tokens[place].token_type in (TokenType.WHEN, TokenType.THEN, TokenType.ELSE)
    ]
    if [mark for _, mark in marks] not in (
        [TokenType.WHEN, TokenType.THEN, TokenType.ELSE],
        [TokenType.WHEN, TokenType.THEN],
    ):
        return None
    if marks[0][0] != 1:
        return None
    ends = [*(place for place, _ in marks[1:]), len(tokens) - 1]
    parts = [tokens[place + 1 : end] for (place, _), end in zip(marks, ends, strict=True)]
    words = [[token.text.upper() for token in part] for part in parts[1:]]
    if words[0] not in (["TRUE"], ["1"]) or (len(words) > 1 and words[1] not in (["FALSE"], ["0"], ["NULL"])):
        return None
    return parts[0] or None


def plain_word(tokens: Sequence[Token]) -> str | None:
    """Return what a THEN or ELSE gives: a word in quotes, a number, true or false; None for NULL and all else."""
    if len(tokens) == 1 and tokens[0].token_type in (TokenType.STRING, TokenType.NUMBER):
        return str(tokens[0].text)
    if len(tokens) == 1 and tokens[0].token_type in (TokenType.TRUE, TokenType.FALSE):
        return str(tokens[0].text).upper()
    return None


def plain_values(tokens: Sequence[Token]) -> list[Value] | None:
    """Return plain numbers or texts between commas; None where there is anything else, or both kinds."""
    found: list[Value] = []
    minus, due = False, True
    for token in tokens:
        if due and token.token_type is TokenType.DASH and not minus:
            minus = True
        elif due and token.token_type is TokenType.NUMBER:
            try:
                number = float(token.text) if set(token.text) & set(".eE") else int(token.text)
            except ValueError:
                return None
            found.append(-number if minus else number)
            minus, due = False, False
        elif due and token.token_type is TokenType.STRING and not minus:
            found.append(str(token.text))
            due = False
        elif not due and token.token_type is TokenType.COMMA:
            due = True
        else:
            return None
    if due or len({isinstance(value, str) for value in found}) != 1:
        return None
    return found


def blanks_of_trim(tokens: Sequence[Token]) -> set[int]:
    """Return the places of `, ' '` in `trim(x, ' ')`: the rule language's trim takes off blanks and nothing else."""
    found: set[int] = set()
    for place, token in enumerate(tokens[:-1]):
        if token.text.casefold() in _TRIMS and tokens[place + 1].token_type is TokenType.L_PAREN:
            end = closing(tokens, place + 1)
            if end is None or tokens[end - 1].token_type is not TokenType.STRING or tokens[end - 1].text != " ":
                continue
            if tokens[end - 2].token_type is TokenType.COMMA:
                found |= {end - 2, end - 1}
    return found


def is_null_boolean(tokens: Sequence[Token], place: int) -> bool:
    """Return whether `NULL::BOOLEAN` begins at a place."""
    shape = [token.token_type for token in tokens[place : place + 3]]
    return shape == [TokenType.NULL, TokenType.DCOLON, TokenType.BOOLEAN]


def fresh(stem: str, taken: Mapping[str, object]) -> str:
    """Return a name that is not taken."""
    name, more = stem, 2
    while name in taken:
        name, more = f"{stem}_{more}", more + 1
    return name


def comment_of(tokens: Sequence[Token]) -> str:
    """Return what comments beside some words say."""
    said = [" ".join(str(line).split()) for token in tokens for line in token.comments or ()]
    return " ".join(line for line in said if line)[:200]


def line_of(text: str, token: Token) -> int:
    """Return a word's line, counted from 1."""
    return text.count("\n", 0, token.start) + 1


def translated(text: str, dialect: str) -> str:
    """Return a condition of another engine in DuckDB's spelling; the text itself where that cannot be done."""
    from sqlglot import exp, parse_one

    try:
        return str(parse_one(text, into=exp.Condition, dialect=dialect).sql(dialect="duckdb", comments=False))
    except (SqlglotError, RecursionError, ValueError):
        return text
