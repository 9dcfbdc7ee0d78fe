"""All answers of an investigation on one page: what is known, how surely, and what cannot be said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.incidents.reading import told
from riskbench.incidents.wording import masked_after

if TYPE_CHECKING:
    from riskbench.incidents.investigation import Investigation

#: The questions in their order: the attribute that answers it, and how a page asks it.
QUESTIONS = (
    ("timeline", "When did it start?"),
    ("segments", "Where is it concentrated?"),
    ("entities", "Who is linked?"),
    ("coverage", "What did we do?"),
    ("causes", "Why was it missed?"),
    ("containment", "What would contain it?"),
    ("exposure", "What did it cost?"),
)
#: The questions whose first fact stands on top of the page.
_ON_TOP = ("timeline", "segments", "entities", "coverage", "containment", "exposure")


@result
class Findings(Result):
    """What an investigation found, one line a question.

    Attributes
    ----------
    incident : str
        What is investigated.
    cluster : str
        Which events are suspected, and how many.
    events : int
        How many.
    answers : DataFrame
        question, answer, n (what the first figure rests on; missing where it is text).
    facts : tuple of Fact
        The first fact of each question.
    """

    kind: ClassVar[str] = "findings"
    title: ClassVar[str] = "Findings"
    main: ClassVar[str] = "answers"
    repr_columns: ClassVar[tuple[str, ...]] = ("question", "answer")
    next_step: ClassVar[str] = "investigation.containment.book(...), then the incident record"

    incident: str
    cluster: str
    events: int
    answers: pd.DataFrame
    facts: tuple[Fact, ...] = ()

    def headline(self) -> tuple[Fact, ...]:
        """Return when, where, who, what got through, what contains it and what it costs."""
        return self.facts


def found(investigation: Investigation) -> Findings:
    """Return all answers of an investigation; what was not asked yet is asked now."""
    rows, tops = [], []
    notes: list[str] = []
    hidden = investigation.scope.dataset.roles.entities
    for name, question in QUESTIONS:
        answer: Result = getattr(investigation, name)
        facts = answer.headline()
        answered = "; ".join(map(told, facts[:3])) if facts else "not measurable"
        rows.append((question, masked_after(answered, hidden), facts[0].n if facts else None))
        if name in _ON_TOP and facts:
            top = facts[0]
            value = masked_after(top.value, hidden) if isinstance(top.value, str) else top.value
            tops.append(replace(top, value=value, note=masked_after(top.note, hidden)))
        notes += [note for note in answer.notes if "not measurable" in note.casefold()]
    cluster = investigation.cluster
    return Findings(
        incident=investigation.given.incident.name,
        cluster=cluster.said,
        events=len(cluster),
        answers=pd.DataFrame(rows, columns=["question", "answer", "n"]),
        facts=tuple(tops),
        notes=(
            f"Suspected: {len(cluster):,} events, {cluster.said}. A cluster is a suspicion, not a verdict.",
            *dict.fromkeys(notes),
            *investigation.given.notes,
        ),
        provenance=investigation.given.provenance,
    )
