"""What decides in a query that somebody else wrote? Its CASEs taken apart, word by word, and nothing run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from riskbench.engine.case_words import (
    NAMES,
    Value,
    blanks_of_trim,
    closing,
    comment_of,
    depths,
    flag_of,
    fresh,
    is_null_boolean,
    line_of,
    named_item,
    plain_values,
    plain_word,
    split_at,
    tokenised,
    translated,
)
from riskbench.engine.transpile import check_dialect
from riskbench.errors import RuleError

#: A list of more values than this becomes a list parameter.
LONG_LIST = 20
_SIGNS = {
    TokenType.GT: "above",
    TokenType.GTE: "from",
    TokenType.LT: "below",
    TokenType.LTE: "to",
    TokenType.EQ: "is",
    TokenType.NEQ: "not",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a foreign query, as rule text.

    Attributes
    ----------
    text : str
        It, without comments, its long lists and on request its numbers as `:name`.
    source : str
        It, as it stands in the query.
    line : int
        Its line, counted from 1.
    params : mapping of str to number, text or tuple
        The values behind `:name`.
    name : str or None
        The name that the query itself gives to it.
    comment : str
        What a comment beside it says.
    told : tuple of str
        What was put otherwise.
    """

    text: str
    source: str
    line: int
    params: Mapping[str, Value | tuple[Value, ...]] = field(default_factory=dict)
    name: str | None = None
    comment: str = ""
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """One WHEN of a CASE: its condition, and what follows; `word` is None where that is no plain word."""

    condition: Condition
    word: str | None
    said: str


@dataclass(frozen=True, slots=True)
class Case:
    """One CASE: its WHENs in order, and what its ELSE says; None for none, or NULL."""

    name: str | None
    line: int
    branches: tuple[Branch, ...]
    other: str | None
    other_said: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """What of a query was not read."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart.

    Attributes
    ----------
    cases : tuple of Case
        The CASEs that give words.
    flags : tuple of Condition
        The conditions that it gives as columns of their own.
    plain : tuple of str
        The columns that it only hands on.
    skipped : tuple of Skipped
        What was not read.
    """

    cases: tuple[Case, ...]
    flags: tuple[Condition, ...]
    plain: tuple[str, ...]
    skipped: tuple[Skipped, ...]


def read_query(text: str, *, dialect: str = "duckdb", numbers: bool = False) -> Query:
    """Take a query apart: `CASE WHEN ... END`, or a SELECT of them from one table, behind one WITH at most.

    Parameters
    ----------
    text : str
        One query or one CASE.
    dialect : str
        Whose spelling it is in.
    numbers : bool
        Whether numbers that a column is compared with become parameters.

    Raises
    ------
    RuleError
        When it is something else; points at the place.

    Examples
    --------
    >>> query = read_query("CASE WHEN amount > 5 THEN 'block' ELSE 'approve' END AS decision")
    >>> [(branch.condition.text, branch.word) for branch in query.cases[0].branches], query.cases[0].other
    ([('amount > 5', 'block')], 'approve')
    """
    check_dialect(dialect)
    return _Reader(text, dialect, numbers=numbers).query()


class _Reader:
    """One query on its way to its conditions."""

    def __init__(self, text: str, dialect: str, *, numbers: bool) -> None:
        self.text, self.dialect, self.numbers = text, dialect, numbers
        self.tokens = tokenised(text, dialect)
        while self.tokens and self.tokens[-1].token_type is TokenType.SEMICOLON:
            self.tokens.pop()
        self.skipped: list[Skipped] = []
        self.inner: dict[str, list[Token]] = {}

    def query(self) -> Query:
        tokens = self.tokens
        if not tokens:
            raise RuleError("The query is empty", allowed="CASE WHEN ... THEN 'outcome' ... END, or a SELECT of one")
        for token in tokens:
            if token.token_type is TokenType.SEMICOLON:
                raise self.wrong("One query at a time", token)
        if tokens[0].token_type is TokenType.WITH:
            tokens = self.behind_with(tokens)
        if tokens[0].token_type is TokenType.SELECT:
            items = self.selected(tokens)
        elif tokens[0].token_type is TokenType.CASE:
            items = [tokens]
        else:
            raise self.wrong("This is neither a CASE nor a SELECT", tokens[0], hint="give the SELECT alone")
        cases: list[Case] = []
        flags: list[Condition] = []
        plain: list[str] = []
        for item in items:
            self.sort(item, cases, flags, plain)
        return Query(tuple(cases), tuple(flags), tuple(plain), tuple(self.skipped))

    def behind_with(self, tokens: list[Token]) -> list[Token]:
        """Remember what one WITH calls what, and return the query behind it."""
        shape = [token.token_type for token in tokens[1:4]]
        if len(tokens) < 6 or shape[0] not in NAMES or shape[1:] != [TokenType.ALIAS, TokenType.L_PAREN]:
            raise self.wrong("A WITH reads WITH name AS (SELECT ...)", tokens[0])
        end = closing(tokens, 3)
        if end is None or end + 1 >= len(tokens) or tokens[4].token_type is not TokenType.SELECT:
            raise self.wrong("A WITH reads WITH name AS (SELECT ...)", tokens[0])
        if tokens[end + 1].token_type is not TokenType.SELECT:
            raise self.wrong("Only one WITH is read, and then a SELECT", tokens[end + 1])
        for item in self.selected(tokens[4:end]):
            name, core = named_item(item)
            if name is not None and len(core) > 1:
                self.inner[name] = core
        return tokens[end + 1 :]

    def selected(self, tokens: list[Token]) -> list[list[Token]]:
        """Return the items of a SELECT from one table, and note what stands behind it."""
        ends = [place for place, depth in depths(tokens) if depth == 0 and tokens[place].token_type is TokenType.FROM]
        body = tokens[1 : ends[0]] if ends else tokens[1:]
        if not body:
            raise self.wrong("The SELECT is empty", tokens[0])
        if body[0].token_type in (TokenType.DISTINCT, TokenType.ALL):
            self.skip(body[:1], "a query of rules keeps every row")
            body = body[1:]
        if ends:
            rest = tokens[ends[0] + 1 :]
            count = 0
            while count < len(rest) and rest[count].token_type in (*NAMES, TokenType.DOT, TokenType.ALIAS):
                count += 1
            if count == 0:
                raise self.wrong("The SELECT reads from one table", rest[0] if rest else tokens[-1])
            if rest[count:]:
                self.skip(rest[count:], "it would leave out or double events; rules see every event once")
        return split_at(body, TokenType.COMMA)

    def sort(self, item: list[Token], cases: list[Case], flags: list[Condition], plain: list[str]) -> None:
        """Put one item of a SELECT where it belongs."""
        if not item:
            return
        name, core = named_item(item)
        if [token.token_type in NAMES for token in core] == [True, False, True] and core[1].text == ".":
            plain.append(core[2].text)
            return
        if len(core) == 1 and (core[0].token_type in NAMES or core[0].token_type is TokenType.STAR):
            held = self.inner.get(core[0].text)
            if held is None:
                plain.append(core[0].text)
                return
            name, core = name or core[0].text, held
        if core[0].token_type is TokenType.CASE and closing(core, 0) == len(core) - 1:
            hit = flag_of(core)
            if hit is None:
                cases.append(self.case(core, name))
                return
            core = hit
        if name is None:
            self.skip(core, "it gives no outcome and has no name")
            return
        flags.append(self.condition(core, name=name))

    def case(self, tokens: list[Token], name: str | None) -> Case:
        """Return a CASE's branches."""
        marks = [
            (place, tokens[place].token_type)
            for place, depth in depths(tokens)
            if depth == 1 and tokens[place].token_type in (TokenType.WHEN, TokenType.THEN, TokenType.ELSE)
        ]
        if not marks or marks[0][1] is not TokenType.WHEN:
            raise self.wrong("A CASE reads CASE WHEN condition THEN 'outcome' ... END", tokens[0])
        subject = tokens[1 : marks[0][0]]
        ends = [place for place, _ in marks[1:]] + [len(tokens) - 1]
        branches: list[Branch] = []
        other: str | None = None
        said = ""
        waiting: list[Token] | None = None
        for (place, mark), end in zip(marks, ends, strict=True):
            part = tokens[place + 1 : end]
            if mark is TokenType.WHEN and waiting is None:
                waiting = part
                comment = comment_of(tokens[max(0, place - 1) : place + 1])
            elif mark is TokenType.THEN and waiting:
                branches.append(
                    Branch(self.when(subject, waiting, comment), plain_word(part), self.source(part) if part else "")
                )
                waiting = None
            elif mark is TokenType.ELSE and waiting is None and place == marks[-1][0]:
                other, said = plain_word(part), self.source(part) if part else ""
            else:
                raise self.wrong("A CASE reads CASE WHEN condition THEN 'outcome' ... END", tokens[place])
        if waiting is not None:
            raise self.wrong("A WHEN has no THEN", tokens[-1])
        return Case(name, line_of(self.text, tokens[0]), tuple(branches), other, said)

    def when(self, subject: list[Token], part: list[Token], comment: str) -> Condition:
        """Return one WHEN's condition; `CASE x WHEN 1` is `x = 1`."""
        if subject:
            return self.condition(part, before=f"({self.spelled(subject)}) = (", after=")", comment=comment)
        name = None
        if len(part) == 1 and part[0].token_type in NAMES and part[0].text in self.inner:
            name, inner = part[0].text, self.inner[part[0].text]
            held = flag_of(inner) if inner[0].token_type is TokenType.CASE else None
            return self.condition(held or inner, name=name, comment=comment)
        if len(part) == 3 and part[0].text in self.inner and [t.text for t in part[1:]] == ["=", "1"]:
            name, inner = part[0].text, self.inner[part[0].text]
            held = flag_of(inner) if inner[0].token_type is TokenType.CASE else None
            if held is not None:
                return self.condition(held, name=name, comment=comment)
        return self.condition(part, comment=comment)

    def condition(
        self, tokens: list[Token], *, name: str | None = None, before: str = "", after: str = "", comment: str = ""
    ) -> Condition:
        """Return some words as rule text."""
        told: list[str] = []
        params: dict[str, Value | tuple[Value, ...]] = {}
        text = before + self.spelled(tokens, params, told) + after
        if self.dialect != "duckdb":
            text = translated(text, self.dialect)
        return Condition(
            text,
            self.source(tokens),
            line_of(self.text, tokens[0]),
            params,
            name,
            comment or comment_of(tokens),
            tuple(dict.fromkeys(told)),
        )

    def spelled(
        self,
        tokens: list[Token],
        params: dict[str, Value | tuple[Value, ...]] | None = None,
        told: list[str] | None = None,
    ) -> str:
        """Return words as text without comments; names that a WITH gave are replaced by what they stand for."""
        out: list[str] = []
        last: Token | None = None
        place = 0
        dropped = blanks_of_trim(tokens)
        if dropped and told is not None:
            told.append("trim(x, ' ') is trim(x)")
        while place < len(tokens):
            token = tokens[place]
            if last is not None and token.start > last.end + 1:
                out.append(" ")
            last = token
            if place in dropped:
                place += 1
                continue
            if params is not None:
                count, word = self.parameter(tokens, place, params, told)
                if count:
                    out.append(word)
                    last = tokens[place + count - 1]
                    place += count
                    continue
            if is_null_boolean(tokens, place):
                out.append("NULL")
                last = tokens[place + 2]
                place += 3
                continue
            alone = place == 0 or tokens[place - 1].token_type is not TokenType.DOT
            if token.token_type in NAMES and alone and token.text in self.inner:
                out.append(f"({self.spelled(self.inner[token.text])})")
            else:
                out.append(self.text[token.start : token.end + 1])
            place += 1
        return "".join(out).strip()

    def parameter(
        self,
        tokens: list[Token],
        place: int,
        params: dict[str, Value | tuple[Value, ...]],
        told: list[str] | None,
    ) -> tuple[int, str]:
        """Return how many words from a place on become a parameter, and what stands for them."""
        before = tokens[place - 1] if place else None
        if tokens[place].token_type is TokenType.L_PAREN and before is not None and before.token_type is TokenType.IN:
            end = closing(tokens, place)
            values = plain_values(tokens[place + 1 : end]) if end is not None else None
            if values is not None and end is not None and len(values) > LONG_LIST:
                name = fresh("list", params)
                params[name] = tuple(values)
                if told is not None:
                    told.append(f"a list of {len(values):,} values is the parameter :{name}")
                return end - place + 1, f":{name}"
        if not self.numbers or before is None or place < 2:
            return 0, ""
        sign, column = before, tokens[place - 2]
        if sign.token_type not in _SIGNS or column.token_type not in NAMES:
            return 0, ""
        if place >= 3 and tokens[place - 3].token_type in (TokenType.PLUS, TokenType.DASH, TokenType.STAR):
            return 0, ""
        size = 2 if tokens[place].token_type is TokenType.DASH else 1
        values = plain_values(tokens[place : place + size])
        if values is None or len(values) != 1 or isinstance(values[0], str):
            return 0, ""
        after = tokens[place + size].token_type if place + size < len(tokens) else None
        if after not in (None, TokenType.AND, TokenType.OR, TokenType.R_PAREN):
            return 0, ""
        stem = "".join(
            letter if letter.isascii() and (letter.isalnum() or letter == "_") else "_" for letter in column.text
        )
        stem = stem[:50] if stem and not stem[0].isdigit() else f"c_{stem[:50]}"
        name = fresh(f"{stem}_{_SIGNS[sign.token_type]}", params)
        params[name] = values[0]
        return size, f":{name}"

    def source(self, tokens: Sequence[Token]) -> str:
        """Return the query's own text from the first word to the last."""
        return self.text[tokens[0].start : tokens[-1].end + 1]

    def skip(self, tokens: Sequence[Token], reason: str) -> None:
        """Note what is not read."""
        self.skipped.append(Skipped(line_of(self.text, tokens[0]), self.source(tokens), reason))

    def wrong(self, what: str, token: Token, *, hint: str | None = None) -> RuleError:
        """Return an error that points at a word."""
        return RuleError(what, text=self.text, start=token.start, end=token.end + 1, hint=hint)
