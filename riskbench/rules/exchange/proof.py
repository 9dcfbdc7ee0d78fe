"""Does the exported SQL say what the book says? Both on the same events, every difference named."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, result
from riskbench.engine.duck import quoted, session
from riskbench.errors import ParameterError
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import book_and_events, mapping
from riskbench.rules.exchange.export import DECIDER, OUTCOME, columns_read, hit_names, query_of, tell_apart
from riskbench.rules.exchange.foreign import checked
from riskbench.rules.force import DAY_OF, day_told, lapsed_between
from riskbench.rules.hits import Hits, hits

#: Seconds after which the query is stopped.
DEADLINE = 120.0
_TABLE = "events"


@result
class Proof(Result):
    """Whether SQL and kernel say the same of every event.

    Attributes
    ----------
    differences : DataFrame
        One row an event and column that differs, at most `limit` of them, in order of the events: event, about
        (a rule, "outcome" or "deciding rule"), book (what the kernel says), sql (what DuckDB says).
    rules : DataFrame
        One row a rule: rule, status, book_hits, sql_hits, differing (events on which they differ). `sql_hits` is
        missing where the SQL does not tell that rule's hits.
    rows : int
        Events compared.
    compared : int
        Rules whose hits were compared.
    differing : int
        Events on which anything differs.
    text : str
        The SQL that was run.
    """

    kind: ClassVar[str] = "proof"
    title: ClassVar[str] = "Does the SQL say what the book says?"
    main: ClassVar[str] = "differences"
    repr_tables: ClassVar[tuple[str, ...]] = ("rules",)
    repr_rows: ClassVar[int] = 20
    next_step: ClassVar[str] = '.text is the SQL; .frame("rules") counts both sides'

    differences: pd.DataFrame
    rules: pd.DataFrame
    rows: int
    compared: int
    differing: int
    text: str

    @property
    def equal(self) -> bool:
        """Whether there were events, and none differs."""
        return self.rows > 0 and self.differing == 0

    def headline(self) -> tuple[Fact, ...]:
        """Return the answer, and what it rests on."""
        said = "nothing to compare" if not self.rows else "yes" if self.equal else "no"
        return (
            Fact("The same", said, "text", note="" if self.rows else "there are no events"),
            Fact("Events that differ", self.differing, "count", n=self.rows),
            Fact("Events compared", self.rows, "count"),
            Fact("Rules compared", self.compared, "count"),
        )


@dataclass(frozen=True, eq=False)
class _Answer:
    """What SQL says of each event: the outcome, the deciding rule and some rules' hits; None where it does not."""

    outcome: npt.NDArray[np.object_] | None
    decider: npt.NDArray[np.object_] | None
    hits: Mapping[str, npt.NDArray[np.bool_]]
    notes: tuple[str, ...] = ()
    #: What decides in the SQL, in words; empty where it is the rule.
    branch: npt.NDArray[np.object_] | None = None


def prove(
    book: RuleBook,
    dataset: Dataset,
    *,
    sql: str | None = None,
    outcomes: Mapping[str, str] | None = None,
    limit: int = 20,
) -> Proof:
    """Run a book's exported SQL in DuckDB on the same events, and name every event and rule that differs.

    Use it before a book goes into a warehouse, or, with `sql`, to hold what production runs against the book. "yes"
    means: on these events the query says what `simulate` says, for the outcome, the deciding rule and every rule's
    hits, as far as it tells them. Other engines are not run.

    Parameters
    ----------
    book : RuleBook
        The rules; velocity features are computed on the way.
    dataset : Dataset
        The events.
    sql : str, optional
        A text of one's own in DuckDB's spelling: a CASE, or a SELECT of one, as `import_rules` reads it. It is never
        run as it stands: each condition must be on the rule language's allow-list, fit the columns, and is
        printed anew; anything else is refused with the reason. It is computed literally: what a division by zero
        makes there, it makes here.
    outcomes : mapping, optional
        What the words of `sql` mean, such as `{"DECLINE": "block"}`.
    limit : int
        How many differences are listed, 0 to 10,000; all are counted.

    Returns
    -------
    Proof
        Tables `differences` and `rules`.

    Raises
    ------
    RuleError
        When a rule does not fit the events' columns, or `sql` is refused.
    EngineError
        When the query fails, or takes longer than two minutes.

    Examples
    --------
    >>> import pandas as pd
    >>> import riskbench as rb
    >>> frame = pd.DataFrame({"id": [1, 2, 3], "note": ["it's", None, "ok"]})
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "note = 'it''s'", outcome: review, status: live}
    ... ''')
    >>> rb.prove(book, rb.read(frame, roles=rb.Roles(id="id")))
    Proof(The same: yes; Events that differ: 0; Events compared: 3; Rules compared: 1)
    """
    book_and_events(book, dataset)
    mapping(outcomes, name="outcomes", allowed='{"DECLINE": "block"}')
    begun = time.perf_counter()
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= 10_000:
        raise ParameterError("The limit is a whole number", got=repr(limit)[:60], allowed="0 to 10,000")
    if sql is not None and not isinstance(sql, str):
        raise ParameterError("The SQL is text", got=type(sql).__name__)
    held = hits(book, dataset)
    plain, text = _exported(held)
    if sql is None:
        answer = _answered(plain, held.dataset, text)
    else:
        answer, text = _foreign(plain, held.dataset, sql, outcomes), sql
    return _compared(held, answer, text, limit=limit, begun=begun)


def _exported(held: Hits) -> tuple[RuleBook, str]:
    """Return the book as its own events have it, and its SQL."""
    roles = held.dataset.roles.named()
    book = held.book if "region" in roles else _without_regions(held.book)
    written = held.written
    told = (f"Rule book {written.name} ({written.domain}, {written.hash[:12]})", *day_told(written, held.day))
    return book, query_of(book, "duckdb", table=_TABLE, kinds=held.dataset.kinds, aliases=roles, told=told)


def _without_regions(book: RuleBook) -> RuleBook:
    """Return a book for events of one region, called all: only the values of that region hold."""
    rules = []
    for rule in book.rules:
        own = rule.with_params(rule.regions["all"]) if "all" in rule.regions else rule
        rules.append(
            replace(own, regions={}, off=(), when=f"({rule.when}) AND FALSE" if "all" in rule.off else rule.when)
        )
    return replace(book, rules=tuple(rules))


def _answered(book: RuleBook, dataset: Dataset, text: str) -> _Answer:
    """Run the query on the events."""
    roles = dataset.roles.named()
    identity = roles["id"]
    wanted = columns_read(book, dataset.kinds, roles)
    events = dataset.table.to_arrow(dict.fromkeys([identity, *wanted]))
    with session(deadline=DEADLINE) as open_:
        open_.register(_TABLE, events)
        found = open_.table(text)
    names = hit_names(book, identity)
    flags = {rule: _true(found.column(column)) for rule, column in names.items()}
    return _Answer(_texts(found.column(OUTCOME)), _texts(found.column(DECIDER)), flags)


def _foreign(book: RuleBook, dataset: Dataset, sql: str, outcomes: Mapping[str, str] | None) -> _Answer:
    """Run a foreign query on the events, after it was checked."""
    roles = dataset.roles.named()
    names = hit_names(book, roles["id"])
    found = checked(sql, book, kinds=dataset.kinds, aliases=roles, names=names, outcomes=outcomes, table=quoted(_TABLE))
    tell_apart(found.columns)
    events = dataset.table.to_arrow(dict.fromkeys([roles["id"], *found.columns]))
    with session(deadline=DEADLINE) as open_:
        open_.register(_TABLE, events)
        answer = open_.table(found.query)
    lines = [f"line {line}" for line in found.lines]
    branch = np.array([*lines, "no WHEN"], dtype=object)[np.asarray(answer.column("branch").to_numpy(), dtype=np.int64)]
    return _Answer(
        _texts(answer.column(OUTCOME)),
        _texts(answer.column(DECIDER)) if found.decides else None,
        {rule: _true(answer.column(column)) for rule, column in found.hits.items()},
        found.notes,
        branch,
    )


def _true(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.fill_null(fill_value=False).combine_chunks().to_numpy(zero_copy_only=False), dtype=bool)


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.array(column.to_pylist(), dtype=object)


def _compared(held: Hits, answer: _Answer, text: str, *, limit: int, begun: float) -> Proof:
    book, rows = held.book, held.bits.rows
    parts: list[tuple[str, npt.NDArray[np.object_], npt.NDArray[np.object_]]] = []
    levels = np.array([*ladder(book.domain).names], dtype=object)
    ids = np.array([rule.id for rule in book.rules] + [None], dtype=object)  # -1: no rule decides
    if answer.outcome is not None:
        parts.append(("outcome", levels[held.resolution.level], answer.outcome))
    if answer.decider is not None:
        parts.append(("deciding rule", ids[held.resolution.rule], answer.decider))
    counted = []
    wrong = np.zeros(rows, dtype=bool)
    told: list[tuple[int, str, object, object]] = []
    for place, rule in enumerate(book.rules):
        ours = held.bits.mask(place)
        theirs = answer.hits.get(rule.id)
        other = np.zeros(rows, dtype=bool) if theirs is None else ours != theirs
        wrong |= other
        told += [(int(row), f"rule {rule.id}", _hit(ours[row]), _hit(not ours[row])) for row in _first(other, limit)]
        counted.append(
            {
                "rule": rule.id,
                "status": rule.status,
                "book_hits": int(ours.sum()),
                "sql_hits": None if theirs is None else int(theirs.sum()),
                "differing": None if theirs is None else int(other.sum()),
            }
        )
    for about, mine, said in parts:
        other = np.array(mine != said, dtype=bool)
        wrong |= other
        for row in _first(other, limit):
            by = answer.branch[row] if answer.branch is not None and about == "outcome" else None
            pair = (_word(mine[row]), _word(said[row]))
            if by is not None:
                pair = (f"{pair[0]} ({ids[held.resolution.rule[row]] or 'no rule'})", f"{pair[1]} ({by})")
            told.append((int(row), about, *pair))
    order = {name: place for place, name in enumerate(["outcome", "deciding rule"])}
    told.sort(key=lambda line: (line[0], order.get(line[1], 2)))
    rules = pd.DataFrame(counted, columns=["rule", "status", "book_hits", "sql_hits", "differing"])
    compared = int(rules["sql_hits"].notna().sum())
    return Proof(
        differences=_listed(held.dataset, told[:limit]),
        rules=rules.astype({"sql_hits": "Int64", "differing": "Int64"}),
        rows=rows,
        compared=compared,
        differing=int(wrong.sum()),
        text=text,
        notes=(*_notes(held, answer, compared), *_day_notes(held, text, differing=bool(wrong.any()))),
        provenance={
            "dataset": held.dataset.fingerprint,
            "book": book.hash,
            "parameters": {
                "on": held.day,
                "limit": limit,
                "engine": "duckdb",
                "sql": "exported" if answer.branch is None else "given",
            },
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _first(mask: npt.NDArray[np.bool_], limit: int) -> npt.NDArray[np.intp]:
    return np.flatnonzero(mask)[:limit]


def _hit(value: object) -> str:
    return "hit" if value else "no hit"


def _word(value: object) -> str:
    return "(none)" if value is None else str(value)


def _listed(dataset: Dataset, told: list[tuple[int, str, object, object]]) -> pd.DataFrame:
    rows = np.array([line[0] for line in told], dtype=np.intp)
    ids = dataset.take(rows).frame(["id"]).iloc[:, 0].tolist() if len(rows) else []
    lines = [(identity, *line[1:]) for identity, line in zip(ids, told, strict=True)]
    return pd.DataFrame(lines, columns=["event", "about", "book", "sql"])


def _notes(held: Hits, answer: _Answer, compared: int) -> tuple[str, ...]:
    notes = ["Run in DuckDB on the same events; the spellings for other engines are tested as text only."]
    if not held.bits.rows:
        notes.append("There are no events, so nothing is proven.")
    if answer.outcome is None:
        notes.append("The SQL tells no outcome.")
    if answer.decider is None:
        notes.append("The SQL does not tell the deciding rule.")
    if compared < len(held.book.rules):
        notes.append(f"The SQL tells the hits of {compared} of {len(held.book.rules)} rules.")
    return (*notes, *answer.notes, *held.dataset.notes)


def _day_notes(held: Hits, text: str, *, differing: bool) -> tuple[str, ...]:
    """Return as of which day the book is judged, and whether the SQL was written for another."""
    told = day_told(held.written, held.day)
    if not told or held.day is None:
        return ()
    notes = [f"The book is judged as of {held.day}, the day of the last event.", *held.lapsed]
    found = re.search(rf"^-- {DAY_OF} (\d{{4}}-\d\d-\d\d)", text, re.MULTILINE)
    if found is not None and found[1] != held.day:
        apart = lapsed_between(held.written, found[1], held.day)
        notes.append(
            f"The SQL was written for {found[1]}"
            + (", so it differs by what lapses between:" if apart else "; nothing lapses between.")
        )
        notes += apart
    elif found is None and differing:
        notes.append(f"Lists and deviations that lapse may be why it differs: to_sql(on='{held.day}') writes that day.")
    return tuple(notes)
