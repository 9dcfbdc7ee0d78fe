"""What happened? One question per call: when, where, who, what we did, why, what would contain it, what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_dataset
from riskbench.display import Result
from riskbench.errors import ParameterError
from riskbench.incidents.cluster import Cluster, cluster_of
from riskbench.incidents.incident import Incident
from riskbench.incidents.measure import Measure, measure_of
from riskbench.incidents.scope import Scope, scope_of
from riskbench.metrics.costs import Costs
from riskbench.rules.book import RuleBook

if TYPE_CHECKING:
    from riskbench.incidents.causes import Causes
    from riskbench.incidents.containment import Containment
    from riskbench.incidents.coverage import Coverage
    from riskbench.incidents.entities import Entities
    from riskbench.incidents.exposure import Exposure
    from riskbench.incidents.findings import Findings
    from riskbench.incidents.segments import Segments
    from riskbench.incidents.timeline import Timeline

#: Where rates explain less than this share of a rise, segments that hold as much of it in number, and twice as much
#: as the rates, are told instead: a segment that is new in the window has no rate to compare with.
MOST_OF_IT = 0.5


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Investigation:
    """An incident's questions, each answered when it is first asked and then kept.

    Make one with `riskbench.investigate`. Ask in the order of the attributes: each answer rests on those before.

    Attributes
    ----------
    given : Scope
        The events, as the incident's window was given.
    model, links, payouts, calendar : object
        What the questions were handed.
    """

    given: Scope
    model: Any = None
    links: Any = None
    payouts: Mapping[str, Any] | None = None
    calendar: Any = None

    @cached_property
    def timeline(self) -> Timeline:
        """When did it start, and is it still running?"""
        from riskbench.incidents.timeline import when

        return when(self.given, measure=self.given.incident.measure, calendar=self.calendar)

    @cached_property
    def scope(self) -> Scope:
        """The events, the window narrowed to what the timeline found."""
        from riskbench.incidents.timeline import settled_window

        start, end = settled_window(self.given, self.timeline)
        inside = self.given.current | self.given.after
        times = self.given.times
        current = inside & (times >= start) & (times < end)
        if not current.any():
            return self.given
        incident = replace(self.given.incident, start=_iso(start), end=_iso(end))
        return replace(self.given, incident=incident, current=current, after=inside & (times >= end))

    @cached_property
    def measure(self) -> Measure:
        """The measure that the timeline settled on."""
        return measure_of(self.given, self.timeline.measure)

    @cached_property
    def segments(self) -> Segments:
        """Where is it concentrated?"""
        from riskbench.incidents.segments import where

        found = where(self.scope, self.measure)
        told = (found.explained or 0.0) if len(found.segments) else 0.0
        if told >= MOST_OF_IT or not found.searched or self.measure.unit != "share":
            return found
        counted = replace(self.measure, title=f"{self.measure.title} (number)", unit="count", exposure=None)
        number = where(self.scope, counted)
        said = f"The rate of {self.measure.title} says little of where; its number does: segments grew, or are new."
        whole = len(number.segments) and (number.explained or 0.0) >= max(MOST_OF_IT, 2 * told)
        return replace(number, notes=(said, *number.notes)) if whole else found

    @cached_property
    def entities(self) -> Entities:
        """Who is linked?"""
        from riskbench.incidents.entities import who

        return who(self.scope, links=self.links, measure=self.measure)

    @cached_property
    def cluster(self) -> Cluster:
        """The events that the answers so far point at."""
        return cluster_of(self.scope, self.segments, self.entities)

    @cached_property
    def coverage(self) -> Coverage:
        """What did our rules, the score and the reviewers do?"""
        from riskbench.incidents.coverage import coverage

        return coverage(self.scope, self.cluster)

    @cached_property
    def causes(self) -> Causes:
        """What sets these events apart, and why did the score miss them?"""
        from riskbench.incidents.causes import why

        return why(self.scope, self.cluster, model=self.model)

    @cached_property
    def containment(self) -> Containment:
        """What would contain it, and at what collateral?"""
        from riskbench.incidents.containment import contain

        return contain(self.scope, self.cluster, causes=self.causes, segments=self.segments, entities=self.entities)

    @cached_property
    def exposure(self) -> Exposure:
        """What did it cost, what is still to come, and what can still be frozen?"""
        from riskbench.incidents.exposure import cost

        return cost(self.scope, self.cluster, payouts=self.payouts)

    @cached_property
    def findings(self) -> Findings:
        """All answers on one page."""
        from riskbench.incidents.findings import found

        return found(self)

    @property
    def answers(self) -> tuple[Result, ...]:
        """The answers to all questions, in their order."""
        from riskbench.incidents.findings import QUESTIONS

        return tuple(getattr(self, name) for name, _ in QUESTIONS)

    def __repr__(self) -> str:
        events = int(self.given.current.sum())
        return f"Investigation({self.given.incident.name}: {events:,} events in the window)"


def investigate(
    incident: Incident,
    dataset: Dataset,
    *,
    book: RuleBook | None = None,
    score: str | None = None,
    model: Any = None,
    links: Sequence[str] | pd.DataFrame | None = None,
    payouts: Mapping[str, Any] | None = None,
    calendar: pd.DataFrame | None = None,
    costs: Costs | Mapping[str, float] | None = None,
    asof: str | pd.Timestamp | None = None,
    exclude: Iterable[str] = (),
    seed: int = 0,
) -> Investigation:
    """Return an incident's questions: when, where, who, what we did, why, what contains it, what it cost.

    Use it when an alarm, a complaint or `riskbench.scan` points at a window. Nothing is computed before it is
    asked: `.timeline`, `.segments`, `.entities`, `.coverage`, `.causes`, `.containment`, `.exposure`, and all on
    one page `.findings`. Only what was known by `asof` counts.

    Parameters
    ----------
    incident : Incident
        The window, what it is compared with, and the part of the events it concerns.
    dataset : Dataset
        Events of the window and of the time before it, with a time.
    book : RuleBook, optional
        The rules in force; without one the questions about rules say so.
    score : str, optional
        The column of the score in force, higher is riskier; by default the role `score`.
    model : object, optional
        The fitted model behind the score, for what it saw.
    links : sequence of str or DataFrame, optional
        Columns whose shared values link events; or a table of edges: a, b, evidence, since. By default the entities.
    payouts : mapping, optional
        Who is paid and when: payee (a column), money (a measure or column), runs (ISO moments).
    calendar : DataFrame, optional
        Campaigns: name, first, last (local days); by default double days and paydays.
    costs : Costs or mapping, optional
        The stated costs.
    asof : str or Timestamp, optional
        UTC; by default the last moment that the data knows of.
    exclude : iterable of str
        Columns that no segment, cause or candidate rule may read: hand over `riskbench.check(events).leaks`.
    seed : int
        Of every draw.

    Raises
    ------
    DataError
        When the events bear no time, or there is none in the window.
    RuleError
        When the book or the incident's condition does not fit the events.
    ParameterError
        When what is handed over is no incident or no dataset, or the seed is no whole number of 0 or more.

    Examples
    --------
    >>> from riskbench import Incident, investigate
    >>> import riskbench as rb
    >>> events = rb.sample(orders=5_000)
    >>> found = investigate(Incident("2026-11-09", "2026-11-13"), events, asof="2026-11-15")
    >>> type(found.timeline).__name__
    'Timeline'
    """
    if not isinstance(incident, Incident):
        raise ParameterError(
            "What is investigated is an Incident",
            got=type(incident).__name__,
            hint='rb.Incident("2026-11-11", "2026-11-13")',
        )
    a_dataset(dataset)
    if isinstance(model, str | bytes | Path):
        raise ParameterError(
            "The model is the fitted model and not the name of its file",
            got=repr(model)[:100],
            hint="the playbook incident_deep_dive reads model files: -p model=FILE",
        )
    scope = scope_of(
        incident, dataset, book=book, score=score, costs=Costs.from_mapping(costs), asof=asof, exclude=exclude,
        seed=_seed(seed),
    )  # fmt: skip
    return Investigation(given=scope, model=model, links=links, payouts=payouts, calendar=calendar)


def _seed(seed: object) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ParameterError("A seed is a whole number, 0 or more", got=repr(seed)[:100])
    return int(seed)


def _iso(moment: int) -> str:
    return str(pd.Timestamp(moment, unit="us").isoformat())
