"""Is what a run has told still true?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.errors import RiskbenchError, listed
from riskbench.runner import today
from riskbench.runner.kept import Kept, recall
from riskbench.runner.run import Run
from riskbench.runner.untouched import touched

if TYPE_CHECKING:
    from riskbench.rules.book import RuleBook

Verdict = Literal[
    "edited by hand",
    "data moved",
    "rules moved",
    "code moved",
    "numbers differ",
    "cannot be checked",
    "still true",
]
#: Most serious first.
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_SAME, _OPEN = "no", "cannot be checked"
_FACT = ("value", "lower", "upper", "n", "unit", "currency")


@result
class Verification(Result):
    """Whether a run's numbers still hold, made by `riskbench.verify_run`.

    Attributes
    ----------
    run, playbook : str
        What was checked.
    verdict : str
        The most serious of: edited by hand, data moved, rules moved, code moved, numbers differ, cannot be checked,
        still true.
    answers : DataFrame
        question, answer (no, yes, cannot be checked), why: one row a question.
    files : DataFrame
        file, state: one row a file that is not as sealed. States: changed, gone, no plain file, added since.
    rules : DataFrame
        rule, change: what moved in the rule book.
    numbers : DataFrame
        fact, then, now, same: the headline, when it was run again.
    """

    kind: ClassVar[str] = "verification"
    title: ClassVar[str] = "Is this run still true?"
    main: ClassVar[str] = "answers"
    repr_rows: ClassVar[int] = 40
    repr_tables: ClassVar[tuple[str, ...]] = ("files", "rules", "numbers")

    run: str
    playbook: str
    verdict: str
    answers: pd.DataFrame
    files: pd.DataFrame
    rules: pd.DataFrame
    numbers: pd.DataFrame

    @property
    def ok(self) -> bool:
        """Whether it is still true."""
        return self.verdict == "still true"

    def headline(self) -> tuple[Fact, ...]:
        """Return the verdict, and how many questions are open."""
        found = self.answers["answer"].to_numpy()
        return (
            Fact("Verdict", self.verdict, "text"),
            Fact("Moved", int((found == "yes").sum()), "count"),
            Fact("Could not be checked", int((found == _OPEN).sum()), "count"),
        )


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What one question comes to: moved, not, or None where that cannot be told; and a table with it."""

    question: str
    moved: bool | None
    why: str
    verdict: Verdict
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def told(self) -> str:
        return _OPEN if self.moved is None else "yes" if self.moved else _SAME


def verify_run(
    run: Run | str | Path, *, out: str | Path = "runs", store: str | None = None, rerun: bool = False
) -> Verification:
    """Return whether a run is still true: its files untouched, and data, rules and code as they were.

    Use it before a page is signed, cited or acted on again. What the ledger says of a run is believed; a folder can be
    changed by anybody, so no file is read on the word of a folder that no ledger knows.

    Parameters
    ----------
    run : Run, str or Path
        The run: its id or the beginning of it, its folder, or a page or notebook of it, wherever that lies.
    out : str or Path
        The folder of the run folders.
    store : str, optional
        The URL of the store that keeps the ledger; `riskbench.db` beside the run folder when not given.
    rerun : bool
        Whether the headline is worked out again, by running the playbook apart, and compared figure by figure.

    Returns
    -------
    Verification
        `.verdict`, `.ok`, table `answers`: question, answer, why.

    Raises
    ------
    RiskbenchError
        When there is no such run.

    Examples
    --------
    >>> from pathlib import Path
    >>> from riskbench import verify_run
    >>> import json, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> record = {"id": "20260102-0000000a", "playbook": "watch", "status": "done"}
    >>> _ = (folder / "run.json").write_text(json.dumps(record))
    >>> found = verify_run(folder, out=folder)
    >>> found.verdict
    'cannot be checked'
    >>> print(found.frame()["why"][0])
    no ledger knows this run, so nobody vouches for its record (there is no ledger here)
    """
    kept = recall(run, out=out, store=store)
    files = touched(kept)
    asked = [
        _Answer(question="edited by hand", moved=files.moved, why=files.why, verdict="edited by hand", rows=files.rows),
        _data(kept),
        _rules(kept),
        *_code(kept),
        *([_numbers(kept)] if rerun else []),
    ]
    moved = {held.verdict for held in asked if held.moved}
    if any(held.moved is None for held in asked):
        moved.add("cannot be checked")
    verdict = next((one for one in VERDICTS if one in moved), "still true")
    rows = {held.verdict: held.rows for held in asked}
    return Verification(
        run=kept.id,
        playbook=kept.playbook,
        verdict=verdict,
        answers=pd.DataFrame(
            [(held.question, held.told, held.why) for held in asked], columns=["question", "answer", "why"]
        ),
        files=_frame(rows["edited by hand"], ("file", "state")),
        rules=_frame(rows["rules moved"], ("rule", "change")),
        numbers=_frame(rows.get("numbers differ", ()), ("fact", "then", "now", "same")),
        notes=tuple(_remarks(kept)),
        provenance={"dataset": kept.mark("data").get("fingerprint"), "book": kept.mark("book").get("hash")},
    )


def _frame(rows: Iterable[tuple[str, ...]], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _remarks(kept: Kept) -> Iterator[str]:
    if kept.status != "done":
        yield f"The run ended as {kept.status or 'nobody knows what'}: there was no answer to verify."
    if kept.problem and kept.folder is None:
        yield f"Of its folder: {kept.problem}."
    yield from today.lapsed(kept)


def _data(kept: Kept) -> _Answer:
    def answer(*, moved: bool | None, why: str) -> _Answer:
        return _Answer(question="data moved", moved=moved, why=why, verdict="data moved")

    then = kept.mark("data")
    if not then.get("fingerprint"):
        return answer(moved=None, why="the run has read no data that it tells of")
    try:
        now = today.data_of(kept)
    except RiskbenchError as error:
        return answer(moved=None, why=_one_line(error))
    if now["fingerprint"] != then["fingerprint"]:
        return answer(moved=True, why="; ".join(_moved(then, now)) or "other content in as many rows of the same span")
    other = today.inputs_moved(kept)
    if other:
        return answer(moved=True, why=f"the file of {listed(other)} holds something else")
    return answer(moved=False, why=f"{now['rows']:,} events, read again, have the same fingerprint")


def _moved(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if then.get("rows") != now["rows"]:
        yield f"{_count(then.get('rows'))} events then, {now['rows']:,} now"
    for name, word in (("first", "begin"), ("last", "end")):
        if then.get(name) != now[name]:
            yield f"they {word} at {now[name]}, then at {str(then.get(name))[:40]}"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"


def _rules(kept: Kept) -> _Answer:
    def answer(*, moved: bool | None, why: str, rows: Iterable[tuple[str, ...]] = ()) -> _Answer:
        return _Answer(question="rules moved", moved=moved, why=why, verdict="rules moved", rows=tuple(rows))

    then = kept.mark("book")
    if not then:
        return answer(moved=False, why="the run has read no rule book")
    if then.get("path") is None:
        return answer(moved=False, why="no rule book was given")
    try:
        book = today.book_of(kept)
    except RiskbenchError as error:
        return answer(moved=None, why=_one_line(error))
    from riskbench.rules.changes import told

    if book.hash == then.get("hash"):
        titles = [] if kept.book is None else _titles(kept.book, book)
        if titles:
            why = f"titles only, which stand on the pages: {listed([name for name, _ in titles], most=5)}"
            return answer(moved=True, why=why, rows=titles)
        if kept.book is None:
            return answer(
                moved=False,
                why=f"{len(book.rules)} rules, read again, say the same; no text was kept, so titles may not",
            )
        return answer(moved=False, why=f"{len(book.rules)} rules, read again, say the same")
    if kept.book is None:
        return answer(moved=True, why="the book says something else; which rules cannot be told, as no text was kept")
    found = told(kept.book.to_mapping(), book.to_mapping())
    about = list(dict.fromkeys(change.about or "the book" for change in found))
    return answer(
        moved=True,
        why=f"the book has changed in {listed(about)}",
        rows=[(change.about or "the book", change.what) for change in found],
    )


def _titles(then: RuleBook, now: RuleBook) -> list[tuple[str, str]]:
    """Return the rules whose titles moved: they change no figure, but pages name rules by them."""
    from riskbench.display.wording import private

    old = {rule.id: rule.title for rule in then.rules}
    return [
        (rule.id, f"title {private(old[rule.id] or 'none')} -> {private(rule.title or 'none')}")
        for rule in now.rules
        if rule.id in old and old[rule.id] != rule.title
    ]


def _code(kept: Kept) -> Iterator[_Answer]:
    for question, (moved, why) in today.code_of(kept).items():
        yield _Answer(question=question, moved=moved, why=why, verdict="code moved")


def _numbers(kept: Kept) -> _Answer:
    """Run the playbook again, apart, and compare the headline figure by figure."""

    def answer(*, moved: bool | None, why: str, rows: Iterable[tuple[str, ...]] = ()) -> _Answer:
        return _Answer(question="numbers differ", moved=moved, why=why, verdict="numbers differ", rows=tuple(rows))

    if not kept.facts:
        return answer(moved=None, why="the run has no headline")
    try:
        with tempfile.TemporaryDirectory(prefix="riskbench-verify-") as apart:
            again = today.again(kept, Path(apart))
    except RiskbenchError as error:
        return answer(moved=None, why=_one_line(error))
    if again.status != "done":
        return answer(moved=None, why=f"run again, it {again.status}: {' '.join(again.message.split())[:300]}")
    rows = list(_compared(kept.facts, again.headline))
    differ = [row[0] for row in rows if row[3] == "no"]
    why = f"run again, {listed(differ)} came out otherwise" if differ else f"run again, all {len(rows)} are equal"
    return answer(moved=bool(differ), why=why, rows=rows)


def _compared(then: tuple[Fact, ...], now: tuple[Fact, ...]) -> Iterator[tuple[str, ...]]:
    """Yield each fact of either headline: its name, its text then and now, and whether every figure is equal."""
    old, new = ({fact.name: fact for fact in facts} for facts in (then, now))
    for name in dict.fromkeys([*old, *new]):
        was, came = old.get(name), new.get(name)
        same = was is not None and came is not None and all(getattr(was, one) == getattr(came, one) for one in _FACT)
        yield name, was.text if was else "–", came.text if came else "–", "yes" if same else "no"


def _one_line(error: RiskbenchError) -> str:
    return " ".join(f"{error.what}{f'; {error.hint}' if error.hint else ''}".split())[:400]
