"""Can the events be trusted? Coded checks, each with a page that says what to do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import ClassVar

import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.doors import a_dataset
from riskbench.data.event_checks import EVENT_CHECKS
from riskbench.data.finding import SEVERITIES, Case, Check, Finding, NotApplicable
from riskbench.data.label_checks import LABEL_CHECKS, post_verdict
from riskbench.display import Fact, Result, result

#: Every check, in the order of its code.
CHECKS: tuple[Check, ...] = tuple(sorted((*EVENT_CHECKS, *LABEL_CHECKS), key=lambda one: one.code))


@result
class Checks(Result):
    """What the checks found in a dataset.

    Attributes
    ----------
    findings : DataFrame
        code, severity (error, warning, info), title, count, examples, advice; the gravest first.
    all : DataFrame
        Every check: code, title, answer (found, passed, not applicable), why, page.
    leaks : tuple of str
        Columns that no model may learn from: found as leakage, or known after the verdict by their role.
    why : mapping of str to str
        Why each of them leaks.
    events : int
        How many events were looked at.
    """

    kind: ClassVar[str] = "checks"
    title: ClassVar[str] = "Checks of the data"
    main: ClassVar[str] = "findings"
    repr_rows: ClassVar[int] = 30
    repr_columns: ClassVar[tuple[str, ...]] = ("code", "severity", "title", "count", "examples", "advice")

    findings: pd.DataFrame
    all: pd.DataFrame
    leaks: tuple[str, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)
    events: int = 0

    def count(self, severity: str) -> int:
        """Return how many checks found something of a severity."""
        return int((self.findings["severity"] == severity).sum())

    @property
    def ok(self) -> bool:
        """Whether no check found an error."""
        return self.count("error") == 0

    def headline(self) -> tuple[Fact, ...]:
        """Return how many errors, warnings and remarks there are, and which columns leak."""
        answers = self.all["answer"].value_counts()
        found = self.findings.loc[self.findings["code"].isin(("RB008", "RB010", "RB011")), "examples"]
        facts = [
            Fact("Errors", self.count("error"), "count"),
            Fact("Warnings", self.count("warning"), "count"),
            Fact("Remarks", self.count("info"), "count"),
            Fact("Passed", int(answers.get("passed", 0)), "count"),
            Fact("Not applicable", int(answers.get("not applicable", 0)), "count"),
        ]
        if len(found):
            facts.append(Fact("Leaking columns", "; ".join(found), "text"))
        return tuple(facts)


def check(
    dataset: Dataset,
    *,
    asof: str | pd.Timestamp | None = None,
    now: str | pd.Timestamp | None = None,
    book: object = (),
    score: str | None = None,
) -> Checks:
    """Return what the checks find in a dataset.

    Use it right after reading, and read the errors before any other number: each says what to do, and its code
    names a page in `docs/checks/`. Examples are ids of events or names of columns, never other values.

    Parameters
    ----------
    dataset : Dataset
        The events.
    asof : str or Timestamp, optional
        The moment as of which the data is judged (UTC): the age of events counts from it, by default from the
        last moment in the data.
    now : str or Timestamp, optional
        Where the future begins (UTC): by default at `asof`, else when the data was taken, else at the present.
    book : sequence of str or rule book, optional
        The rules under test, by their ids.
    score : str, optional
        The score under test, as a verdict's `caused_by` would name it; the score's role counts too.

    Returns
    -------
    Checks
        `.frame()`: code, severity, title, count, examples, advice. `.frame("all")`: every check and its answer.

    Examples
    --------
    >>> import pandas as pd
    >>> from riskbench import check
    >>> from riskbench.data.read import read
    >>> frame = pd.DataFrame({"id": [1, 1], "placed": ["2024-01-02", "2024-01-01"]})
    >>> print(check(read(frame, roles={"id": "id", "time": "placed"})).frame()[["code", "count"]].to_string())
        code  count
    0  RB002      2
    1  RB004      1
    """
    a_dataset(dataset)
    begun = time.perf_counter()
    named = next((moment for moment in (now, asof, dataset.taken_at) if moment is not None), None)
    case = Case(
        dataset=dataset,
        now=micros(named if named is not None else pd.Timestamp.now("UTC")),
        asof=None if asof is None else micros(asof),
        book=_ids(book),
        score=score,
    )
    answers: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    leaks: dict[str, str] = post_verdict(case)
    for one in CHECKS:
        finding, why = _answer(one, case)
        answer = "found" if finding is not None else "not applicable" if why else "passed"
        answers.append({"code": one.code, "title": one.title, "answer": answer, "why": why, "page": one.page})
        if finding is None:
            continue
        leaks |= {column: why for column, why in finding.leaks.items() if column not in leaks}
        found.append(
            {
                "code": one.code,
                "severity": finding.severity or one.severity,
                "title": one.title,
                "count": finding.count,
                "examples": ", ".join(finding.examples),
                "advice": one.advice,
            }
        )
    found.sort(key=lambda row: (SEVERITIES.index(row["severity"]), row["code"]))
    frame = pd.DataFrame(found, columns=["code", "severity", "title", "count", "examples", "advice"])
    return Checks(
        findings=frame.astype({"count": "int64"}),
        all=pd.DataFrame(answers),
        leaks=tuple(leaks),
        why=leaks,
        events=dataset.rows,
        notes=dataset.notes,
        provenance={
            "dataset": dataset.fingerprint,
            "label_recipe": dataset.label_recipe,
            "parameters": {
                "asof": None if case.asof is None else str(pd.Timestamp(case.asof, unit="us")),
                "now": "the present" if named is None else str(pd.Timestamp(case.now, unit="us")),
                "rules": sorted(case.book),
                "score": score,
            },
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _answer(one: Check, case: Case) -> tuple[Finding | None, str]:
    """Return what a check found, and where it has nothing to look at why."""
    if not case.dataset.rows:
        return None, "there are no events"
    try:
        return one.look(case), ""
    except NotApplicable as why:
        return None, str(why)


def _ids(book: object) -> frozenset[str]:
    """Return the ids of a rule book, or of a sequence of ids."""
    rules = getattr(book, "rules", book)
    if isinstance(rules, str):
        rules = (rules,)
    if not isinstance(rules, Iterable):
        return frozenset()
    return frozenset(str(getattr(rule, "id", rule)) for rule in rules)
