"""What does somebody else's SQL say of the same events? Taken apart, checked word by word, and only then run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from riskbench.data.outcomes import ladder
from riskbench.engine.cases import Branch, Case, Condition, Query, read_query
from riskbench.engine.columns import Kind
from riskbench.engine.duck import quoted
from riskbench.engine.literals import quoted as literal
from riskbench.errors import RiskbenchError, RuleError, listed
from riskbench.rules.book import RuleBook
from riskbench.rules.exchange.drafted import Outcomes
from riskbench.rules.exchange.imports_case import chosen_case, decider_of


@dataclass(frozen=True, slots=True)
class Foreign:
    """A foreign query that was checked, and may be run.

    Attributes
    ----------
    query : str
        What is run: columns `outcome` and `rule` where it tells them, `branch` (the place of the WHEN that decides,
        -1 for none), and `h0`, `h1` and so on for the rules whose hits it tells.
    columns : tuple of str
        The columns that it reads.
    hits : mapping of str to str
        The column of each rule whose hits it tells.
    decides : bool
        Whether it tells the deciding rule.
    lines : tuple of int
        The line of each WHEN.
    notes : tuple of str
        What of it is not compared.
    """

    query: str
    columns: tuple[str, ...]
    hits: Mapping[str, str]
    decides: bool
    lines: tuple[int, ...]
    notes: tuple[str, ...]


def checked(
    text: str,
    book: RuleBook,
    *,
    kinds: Mapping[str, Kind],
    aliases: Mapping[str, str],
    names: Mapping[str, str],
    outcomes: Mapping[str, str] | None,
    table: str,
) -> Foreign:
    """Return a foreign query as one that may be run.

    Raises
    ------
    RuleError
        For everything that is not on the allow-list: says what, and on which line.
    """
    words = Outcomes.of(ladder(book.domain), outcomes)
    query = read_query(text)
    for part in query.skipped:
        raise RuleError(f"Line {part.line} of the SQL is refused: {part.reason}", got=part.text[:200])
    chosen = chosen_case(query, words)
    if chosen is None:
        raise RuleError("The SQL holds no CASE that gives an outcome")
    read: dict[str, None] = {}

    def own(held: Condition) -> str:
        try:
            said, columns = _own_words(held, kinds, aliases)
        except RiskbenchError as wrong:
            what = wrong.sentence if isinstance(wrong, RuleError) else wrong.what
            raise RuleError(
                f"Line {held.line} of the SQL is refused: {what}", got=held.source[:200], allowed=wrong.allowed,
                hint=wrong.hint,
            ) from None  # fmt: skip
        read.update(dict.fromkeys(columns))
        return said

    told = [(own(branch.condition), _outcome(branch, words)) for branch in chosen.branches]
    other = _rest(chosen, words)
    parts = [f"{_case([(said, literal(word)) for said, word in told], literal(other))} AS {quoted('outcome')}"]
    parts.append(f"{_case([(said, str(place)) for place, (said, _) in enumerate(told)], '-1')} AS {quoted('branch')}")
    notes = [] if chosen.other is not None or not told else [f"Without an ELSE the SQL decides {other!r}."]
    decider = decider_of(query, chosen)
    ids = {rule.id for rule in book.rules}
    decides = decider is not None and {branch.word for branch in decider.branches} <= ids
    if decider is not None and decides:
        pairs = [(own(branch.condition), literal(str(branch.word))) for branch in decider.branches]
        parts.append(f"{_case(pairs, 'NULL')} AS {quoted('rule')}")
    hits, left = _hits(query, {column: rule for rule, column in names.items()})
    parts += [f"CAST(({own(flag)}) AS BOOLEAN) AS {quoted(f'h{place}')}" for place, flag in enumerate(hits.values())]
    others = [case.name or f"line {case.line}" for case in query.cases if case is not chosen and case is not decider]
    if left or others:
        notes.append(f"Not compared, as no rule bears the name: {listed([*left, *others])}.")
    return Foreign(
        query=f"SELECT {', '.join(parts)} FROM {table}",
        columns=tuple(read),
        hits={rule: f"h{place}" for place, rule in enumerate(hits)},
        decides=decides,
        lines=tuple(branch.condition.line for branch in chosen.branches),
        notes=tuple(notes),
    )


def _own_words(held: Condition, kinds: Mapping[str, Kind], aliases: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    from riskbench.engine.parse import parse
    from riskbench.engine.verbatim import verbatim

    return verbatim(parse(held.text), kinds, params=held.params, aliases=aliases)


def _case(pairs: Sequence[tuple[str, str]], other: str) -> str:
    if not pairs:
        return other if other != "NULL" else "CAST(NULL AS VARCHAR)"
    return f"CASE {' '.join(f'WHEN ({said}) THEN {word}' for said, word in pairs)} ELSE {other} END"


def _outcome(branch: Branch, words: Outcomes) -> str:
    line = branch.condition.line
    if branch.word is None:
        raise RuleError(
            f"Line {line} of the SQL is refused: what stands after THEN is no plain word", got=branch.said[:200]
        )
    try:
        return words.read(branch.word)
    except RuleError as wrong:
        raise RuleError(f"Line {line} of the SQL is refused: {wrong.sentence}") from None


def _rest(chosen: Case, words: Outcomes) -> str:
    if chosen.other is not None:
        return words.read(chosen.other)
    if chosen.other_said.strip().upper() not in ("", "NULL"):
        raise RuleError("The ELSE of the SQL is refused: it is no plain word", got=chosen.other_said[:200])
    return words.steps.names[0]


def _hits(query: Query, rules: Mapping[str, str]) -> tuple[dict[str, Condition], list[str]]:
    """Return the condition of each rule whose hits the query tells, and the names that no rule bears."""
    hits: dict[str, Condition] = {}
    left: list[str] = []
    for flag in query.flags:
        rule = rules.get(str(flag.name))
        if rule is None:
            left.append(str(flag.name))
        else:
            hits[rule] = flag
    return hits, left
