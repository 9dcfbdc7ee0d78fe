"""Which rules does production run? Read from a CASE, a table of conditions or a rule engine's JSON, nothing dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, get_args

import pandas as pd

from riskbench.data.outcomes import ladder
from riskbench.data.roles import DOMAINS, Domain
from riskbench.display import Fact, Result, result
from riskbench.display.wording import private
from riskbench.errors import DataError, ParameterError, RuleError, listed, nearest
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import a_text, mapping, yes_or_no
from riskbench.rules.exchange.drafted import NO_OUTCOME, Draft, Drafted, Outcomes, made, shortened
from riskbench.rules.rule import STATUSES, Rule, Status

Format = Literal["sql", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
#: A source may be this large.
MAX_BYTES = 4_000_000
_SUFFIXES: Mapping[str, Format] = {".sql": "sql", ".csv": "csv", ".tsv": "csv", ".json": "json"}


@result
class ImportedRules(Result):
    """A rule book made of a foreign source, with what of it could not be read.

    Attributes
    ----------
    read : DataFrame
        One row a rule of the book: rule, place (the line or the path in the source), text (as it stands there),
        condition (as rule text), outcome, priority, notes (what was put otherwise).
    unread : DataFrame
        One row a piece of the source that is not in the book: place, text, reason. Empty when all was read.
    book : RuleBook
        The rules that were read.
    format : str
        sql, csv or json.
    rest : str or None
        What the source decides where no rule hits, as an outcome; None where it does not say.
    """

    kind: ClassVar[str] = "imported_rules"
    title: ClassVar[str] = "Imported rules"
    main: ClassVar[str] = "read"
    repr_rows: ClassVar[int] = 30
    repr_columns: ClassVar[tuple[str, ...]] = ("rule", "place", "condition", "outcome", "priority", "notes")
    repr_tables: ClassVar[tuple[str, ...]] = ("unread",)
    next_step: ClassVar[str] = ".book is the rule book; rb.prove(imported.book, events, sql=text) compares both"

    read: pd.DataFrame
    unread: pd.DataFrame
    book: RuleBook
    format: str
    rest: str | None

    def headline(self) -> tuple[Fact, ...]:
        """Return how many rules were read, and what was not."""
        mildest = ladder(self.book.domain).names[0]
        said = "not told" if self.rest is None else self.rest
        note = "" if self.rest in (None, mildest) else "harsher than the mildest: kept as the last rule"
        return (
            Fact("Rules read", len(self.book.rules), "count"),
            Fact("Pieces not read", len(self.unread), "count", note="each with its reason" if len(self.unread) else ""),
            Fact("Where no rule hits", said, "text", note=note),
        )


def import_rules(
    source: str | Path,
    *,
    format: Format | None = None,  # noqa: A002 - what a source is in
    name: str = "imported",
    domain: Domain = "transactions",
    outcomes: Mapping[str, str] | None = None,
    outcome: str | None = None,
    params: bool = False,
    status: Status = "live",
    dialect: str = "duckdb",
) -> ImportedRules:
    """Read rules that were written elsewhere: a SQL CASE, a CSV of conditions, or JSON as rule engines export it.

    Use it to bring production's rules to where they can be measured. Nothing is run and nothing is dropped: what
    cannot be read stands in the table `unread` with its place and the reason, and what was put otherwise is told beside
    its rule. Where one line of a rule cannot be read the rule is left out whole, as without it the rule would hit more.

    Parameters
    ----------
    source : path or text
        A file of at most 4 MB, or its text.
    format : {"sql", "csv", "json"}, optional
        Told by the file's name or the text's form when not given.
    name, domain : str
        Of the book that is made.
    outcomes : mapping, optional
        What the source's words mean, such as `{"DECLINE": "block"}`; words of the domain's ladder, and usual other
        words for them, are known.
    outcome : str, optional
        What rules decide that tell no outcome themselves.
    params : bool
        Whether numbers that a column of a CASE is compared with become parameters.
    status : {"live", "shadow", "draft", "retired"}
        Of every rule.
    dialect : str
        Whose spelling a CASE is in.

    Returns
    -------
    ImportedRules
        `.book`; tables `read` and `unread`.

    Raises
    ------
    DataError
        When there is no such file, or it is no text of that size.
    RuleError
        When the source as a whole cannot be read: no CASE, no known column, no JSON.
    ParameterError
        For a format, domain, outcome or dialect that does not exist.

    Examples
    --------
    >>> from riskbench import import_rules
    >>> found = import_rules('''
    ... CASE WHEN amount > 900 AND country NOT IN ('ID') THEN 'DECLINE'
    ...      WHEN regexp_like(email, 'x') THEN 'review'
    ...      ELSE 'approve' END
    ... ''')
    >>> found.book.rule("R-001").when, found.book.rule("R-001").outcome
    ("amount > 900 AND country NOT IN ('ID')", 'block')
    >>> found.frame("unread")["place"].tolist()
    ['line 3']
    """
    mapping(outcomes, name="outcomes", allowed='{"DECLINE": "block"}')
    for name_, value in (("status", status), ("domain", domain), ("format", format), ("outcome", outcome)):
        a_text(value, name=name_)
    yes_or_no(params, name="params")
    if status not in STATUSES:
        raise _no("status", str(status), STATUSES)
    if domain not in DOMAINS:
        raise _no("domain", str(domain), DOMAINS)
    text, told_by_name = _source(source)
    form = _format(format, told_by_name, text)
    words = Outcomes.of(ladder(domain), outcomes)
    if outcome is not None:
        words.steps.level(outcome) if outcome.strip().casefold() not in words.mapping else None
    draft = _draft(text, form, words, dialect=dialect, params=params)
    good, bad = made(draft.rules, words, default=outcome, status=status)
    rest, notes = _rest(draft, words, good, bad, status=status)
    if any(entry.reason != NO_OUTCOME for entry in bad):
        notes.append("Events that an unread piece decides are decided by the rules after it here, or by none.")
    book = RuleBook(name=name, domain=domain, rules=tuple(rule for _, rule in good))
    return ImportedRules(
        read=_read(good),
        unread=pd.DataFrame(
            [(entry.place, private(shortened(entry.text)), entry.reason) for entry in bad],
            columns=["place", "text", "reason"],
        ),
        book=book,
        format=form,
        rest=rest,
        notes=(*draft.told, *notes),
        provenance={
            "book": book.hash,
            "parameters": {
                "format": form,
                "source": hashlib.sha256(text.encode()).hexdigest(),
                "outcomes": dict(outcomes or {}),
                "outcome": outcome,
                "params": params,
                "status": status,
                "dialect": dialect,
            },
        },
    )


def _draft(text: str, form: Format, words: Outcomes, *, dialect: str, params: bool) -> Draft:
    if form == "sql":
        from riskbench.rules.exchange.imports_case import from_case

        return from_case(text, words, dialect=dialect, numbers=params)
    if form == "csv":
        from riskbench.rules.exchange.imports_table import from_table

        return from_table(text)
    from riskbench.rules.exchange.imports_json import from_json

    return from_json(text)


def _rest(
    draft: Draft, words: Outcomes, good: list[tuple[Drafted, Rule]], bad: list[Drafted], *, status: Status
) -> tuple[str | None, list[str]]:
    """Return what is decided where no rule hits; one that is not the mildest becomes the last rule."""
    if draft.other is None:
        return None, []
    entry = Drafted(draft.other_place, f"ELSE {draft.other!r}", "TRUE", draft.other, rule="ELSE")
    taken = {rule.id for _, rule in good}
    found, wrong = made([entry], words, default=None, status=status)
    if wrong:
        bad += wrong
        return None, ["What is decided where no rule hits could not be read: see the table unread."]
    (said, rule) = found[0]
    mildest = words.steps.names[0]
    if rule.outcome == mildest:
        return mildest, []
    last = max((held.priority for _, held in good), default=0) + 10
    name = "ELSE"
    while name in taken:
        name += "-"
    good.append((said, Rule(name, "TRUE", rule.outcome, priority=last, status=status, title="Where no rule hits")))
    said_so = f"the source decides {rule.outcome!r}, not {mildest!r}: rule {name} says so, after all others."
    return rule.outcome, [f"Where no rule hits {said_so}"]


def _read(good: list[tuple[Drafted, Rule]]) -> pd.DataFrame:
    rows = [
        (
            rule.id,
            entry.place,
            private(shortened(entry.text)),
            shortened(rule.when),
            rule.outcome,
            rule.priority,
            "; ".join(entry.notes),
        )
        for entry, rule in good
    ]
    return pd.DataFrame(rows, columns=["rule", "place", "text", "condition", "outcome", "priority", "notes"])


def _source(source: str | Path) -> tuple[str, Format | None]:
    """Return a source's text, and the format that its name tells."""
    if not isinstance(source, str | Path):
        raise ParameterError("A source is a path or text", got=type(source).__name__)
    if isinstance(source, Path) or _is_path(source):
        path = Path(source)
        try:
            if not path.is_file():
                raise DataError("There is no such file of rules", got=str(path)[:200])
            with path.open("rb") as stream:
                held = stream.read(MAX_BYTES + 1)
        except (OSError, ValueError):
            raise DataError("The file of rules cannot be opened", got=str(path)[:200]) from None
        if len(held) > MAX_BYTES:
            raise DataError("The source is too large", got=str(path)[:200], allowed=f"at most {MAX_BYTES:,} bytes")
        try:
            return held.decode("utf-8-sig"), _SUFFIXES.get(path.suffix.casefold())
        except UnicodeDecodeError:
            raise DataError("The file of rules is not UTF-8 text", got=str(path)[:200]) from None
    if len(source) > MAX_BYTES:
        raise DataError("The source is too large", got=f"{len(source):,} letters", allowed=f"at most {MAX_BYTES:,}")
    return source.encode("utf-8", "replace").decode().removeprefix("\ufeff"), None


def _is_path(text: str) -> bool:
    """Tell a path from a text: one short line that ends as the file of a known format does, or that is a file."""
    if "\n" in text or len(text) > 500 or not text.strip() or not text.isprintable():
        return False
    if text.strip().casefold().endswith(tuple(_SUFFIXES)):
        return True
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _format(given: str | None, told_by_name: Format | None, text: str) -> Format:
    if given is not None:
        if given not in FORMATS:
            raise _no("format", str(given), FORMATS)
        return given
    if told_by_name is not None:
        return told_by_name
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return "json"
    words = set(text.casefold().split())
    if "when" in words and any(word.endswith(("case", "(case")) for word in words):
        return "sql"
    first = text.lstrip().partition("\n")[0]
    if any(mark in first for mark in (",", ";", "\t", "|")):
        return "csv"
    raise RuleError("What the source is cannot be told", allowed=listed(FORMATS), hint='say it with format="sql"')


def _no(what: str, name: str, choices: tuple[str, ...]) -> ParameterError:
    close = nearest(name, choices)
    return ParameterError(
        f"There is no {what} {name[:60]!r}", allowed=listed(choices), hint=f"did you mean {close!r}?" if close else None
    )
