"""How does one incident stand: state, severity, owners, times, timeline, decisions, actions, links?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, style
from riskbench.incidents.facts import completed, local, seconds_between
from riskbench.incidents.history import Standing
from riskbench.incidents.lifecycle import CLOSED, MEANING, STAGES, allowed, span_words
from riskbench.incidents.record_page import pages
from riskbench.incidents.remedies import RemedyList, remedy_list
from riskbench.incidents.severity import RULE, SEVERITIES, assess, reason
from riskbench.incidents.wording import Scrubber

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.incidents.page import IncidentPage


@result
class IncidentRecord(Result):
    """How an incident stands, as its history says.

    Times to detect, contain and resolve are read so: to detect runs from the start to the detection; to contain and
    to resolve run from the detection. Where an incident was opened again, the last time that it was contained counts.

    Attributes
    ----------
    id, name : str
        The incident's id (INC-0007) and what it is called.
    state : str
        detected, triaged, contained, eradicated, resolved, reviewed; or dismissed, merged.
    severity : str
        low, medium, high or critical: by the rule in the notes, unless a person has set it with a reason.
    timeline : DataFrame
        at, local, incident, actor, kind, what, recorded_at (UTC ISO), in the order in which things were so.
    stages : DataFrame
        stage, at, local, by, hours (since the detection), meaning; no time where it is not reached.
    criteria : DataFrame
        Why it is that severe: criterion, stated, says.
    owners, decisions, actions, links, deadlines : DataFrame
        Who owned it and from when; what was decided and why; what is done by whom until when; runs, rules, segments,
        columns, rings and duplicates; what has to be done before when.
    """

    kind: ClassVar[str] = "incident_record"
    title: ClassVar[str] = "Incident record"
    main: ClassVar[str] = "timeline"
    repr_rows: ClassVar[int] = 15
    repr_tables: ClassVar[tuple[str, ...]] = ("criteria", "actions", "decisions", "deadlines", "links")
    next_step: ClassVar[str] = '.postmortem(), .handover(...), .update("leadership"), .remedies()'

    id: str
    name: str
    state: str
    severity: str
    timeline: pd.DataFrame
    stages: pd.DataFrame
    criteria: pd.DataFrame
    owners: pd.DataFrame
    decisions: pd.DataFrame
    actions: pd.DataFrame
    links: pd.DataFrame
    deadlines: pd.DataFrame
    held: Standing
    time_zone: str
    show_ids: bool = False

    def headline(self) -> tuple[Fact, ...]:
        """Return the state, the severity and the three times."""
        owner = self.owner
        by = "set by a person" if self.held.rated else reason(self.criteria)
        return (
            Fact(self.id, self.state, "text", note=self.name),
            Fact("Severity", self.severity, "text", note=by),
            _span("Time to detect", self.seconds_to_detect, "not measurable: the start is not stated"),
            _span("Time to contain", self.seconds_to_contain, "not yet"),
            _span("Time to resolve", self.seconds_to_resolve, "not yet"),
            Fact("Owner", owner or "nobody yet", "text"),
        )

    @property
    def owner(self) -> str:
        """Who leads it now; empty when nobody does."""
        found = [row["owner"] for row in self.held.owners if row["role"] == "lead" and row["until"] is None]
        return found[-1] if found else ""

    @property
    def open(self) -> bool:
        """Whether it still needs work."""
        return self.held.state not in CLOSED

    @property
    def next_states(self) -> tuple[str, ...]:
        """Where it may go from here."""
        return allowed(self.held.state)

    @property
    def window(self) -> tuple[str | None, str | None]:
        """The window that it concerns, ISO, UTC."""
        return self.held.facts.get("window_start"), self.held.facts.get("window_end")

    @property
    def seconds_to_detect(self) -> float | None:
        """Seconds from the start to the detection; None while the start is not stated."""
        start = self.held.facts.get("started") or self.held.facts.get("window_start")
        return None if start is None else seconds_between(start, self.held.stages["detected"][0])

    @property
    def seconds_to_contain(self) -> float | None:
        """Seconds from the detection to the containment; None while it is not contained."""
        return self._since_detection("contained")

    @property
    def seconds_to_resolve(self) -> float | None:
        """Seconds from the detection until it was resolved; None while it is not."""
        return self._since_detection("resolved")

    def _since_detection(self, stage: str) -> float | None:
        reached = {name: at for name, (at, _) in self.held.stages.items()}
        return seconds_between(reached["detected"], reached[stage]) if stage in reached else None

    def remedies(self, *, show_ids: bool = False) -> RemedyList:
        """Return whom to put right: who was wrongly acted on, and which victims are to be refunded."""
        currency = completed(self.held.facts).get("currency") or ""
        return remedy_list(self.held.remedies.values(), show_ids=show_ids, currency=currency)

    def postmortem(self) -> IncidentPage:
        """Return the post-mortem in the blameless form: roles for names, and what is still to be written."""
        from riskbench.incidents.postmortem import postmortem

        return postmortem(self)

    def handover(self, *, since: str, to_time_zone: str, from_time_zone: str | None = None) -> IncidentPage:
        """Return the note for the next shift: what changed since, what is open, what is due, in both zones' times."""
        from riskbench.incidents.handover import handover

        return handover([self], since=since, to_time_zone=to_time_zone, from_time_zone=from_time_zone)

    def update(self, audience: str = "leadership") -> IncidentPage:
        """Return the update for one audience, with what it may see and nothing else."""
        from riskbench.incidents.updates import update

        return update(self, audience)

    @property
    def height(self) -> float:
        """The picture's height in inches."""
        return 2.6

    @property
    def alt(self) -> str:
        """The picture in words."""
        reached = [stage for stage in STAGES if stage in self.held.stages]
        return f"{self.id}, hours from one stage to the next; reached: {', '.join(reached)}. " + ". ".join(
            str(fact) for fact in self.headline()[2:5]
        )

    def _draw(self, ax: Axes) -> None:
        reached = [(stage, self.held.stages[stage][0]) for stage in STAGES if stage in self.held.stages]
        start = self.held.facts.get("started") or self.held.facts.get("window_start")
        named = [*([("started", start)] if start else []), *reached]
        hours = np.array([seconds_between(named[0][1], at) / 3600 for _, at in named])
        ax.plot(hours, np.arange(len(named)), color=GREY, linewidth=1)
        ax.scatter(hours, np.arange(len(named)), color=BLUE, zorder=3)
        ax.set_yticks(np.arange(len(named)), [name for name, _ in named])
        ax.invert_yaxis()
        ax.margins(x=0.05, y=0.15)
        style(ax, title=f"{self.id}: how far it is", x=f"hours since it {'started' if start else 'was detected'}", y="")


def record_of(standing: Standing, *, faults: Sequence[str] = (), show_ids: bool = False) -> IncidentRecord:
    """Return the record of how an incident stands."""
    facts = completed(standing.facts)
    zone = facts.get("time_zone") or "UTC"
    told: Callable[[str], str] = str if show_ids else Scrubber(standing.ids)
    severity, criteria = assess(facts, stopped="contained" in standing.stages or standing.state in CLOSED)
    notes = [f"The history does not hold: {fault}." for fault in faults]
    if standing.rated is not None:
        by_rule, (severity_set, reason, actor) = severity, standing.rated
        severity = SEVERITIES[SEVERITIES.index(severity_set)]
        notes.append(f"Severity was set to {severity} by {actor}: {told(reason)} (the rule says {by_rule}).")
    notes.append(RULE)
    if standing.merged_into:
        notes.append(f"It is the same as {standing.merged_into}: go on there.")
    if standing.reopened:
        notes.append(f"It was opened again {standing.reopened} times; the last containment counts.")
    if standing.facts.get("detected") is None:
        notes.append("The moment of detection is when the incident was opened here.")
    timeline, actions, links = _timeline(standing, zone, told), _actions(standing, zone, told), _links(standing, told)
    deadlines = pd.DataFrame(
        [(told(what), at, local(at, zone)) for at, what in sorted(standing.deadlines)], columns=["what", "at", "local"]
    )
    return IncidentRecord(
        id=standing.id,
        name=told(standing.name),
        state=standing.state,
        severity=severity,
        timeline=timeline,
        stages=_stages(standing, zone),
        criteria=criteria,
        owners=pd.DataFrame(standing.owners, columns=["role", "owner", "at", "until", "by"]),
        decisions=_decisions(standing, zone, told),
        actions=actions,
        links=links,
        deadlines=deadlines,
        pages=pages(
            timeline,
            actions=actions,
            links=links,
            criteria=criteria,
            deadlines=deadlines,
            zone=zone,
            severity=severity,
            hidden=() if show_ids else standing.columns,
        ),
        held=standing,
        time_zone=zone,
        show_ids=show_ids,
        notes=tuple(notes),
        provenance={
            "book": next((book for book, _ in standing.rules if book), None),
            "parameters": {"incident": standing.id, "head": standing.head},
        },
    )


def _span(name: str, seconds: float | None, otherwise: str) -> Fact:
    if seconds is None:
        return Fact(name, otherwise.partition(":")[0], "text", note=otherwise.partition(": ")[2])
    if seconds < 0:
        return Fact(name, "seen before it began", "text")
    return Fact(name, span_words(seconds), "text")


def _timeline(held: Standing, zone: str, told: Callable[[str], str]) -> pd.DataFrame:
    rows = sorted(held.timeline, key=lambda row: (row.at, row.recorded, row.incident, row.sequence))
    return pd.DataFrame(
        [(r.at, local(r.at, zone), r.incident, r.actor, r.kind, told(r.what), r.recorded) for r in rows],
        columns=["at", "local", "incident", "actor", "kind", "what", "recorded_at"],
    )


def _stages(held: Standing, zone: str) -> pd.DataFrame:
    detected = held.stages["detected"][0]
    ended = [state for state in ("dismissed", "merged") if state in held.stages]
    rows = []
    for stage in (*STAGES, *ended):
        at, by = held.stages.get(stage, (None, None))
        hours = None if at is None else round(seconds_between(detected, at) / 3600, 2)
        rows.append((stage, at, None if at is None else local(at, zone), by, hours, MEANING[stage]))
    return pd.DataFrame(rows, columns=["stage", "at", "local", "by", "hours", "meaning"])


def _decisions(held: Standing, zone: str, told: Callable[[str], str]) -> pd.DataFrame:
    rows = [
        (
            d["decision"],
            local(d["at"], zone),
            d["by"],
            told(d["what"]),
            told(d["reason"]),
            _joined(d["alternatives"], told),
        )
        for d in held.decisions
    ]
    return pd.DataFrame(rows, columns=["decision", "local", "by", "what", "reason", "alternatives"])


def _joined(items: Iterable[str], told: Callable[[str], str]) -> str:
    return "; ".join(told(item) for item in items)


def _actions(held: Standing, zone: str, told: Callable[[str], str]) -> pd.DataFrame:
    rows = [
        (
            name,
            told(a["what"]),
            a["purpose"],
            a["status"],
            a["owner"],
            a["due"] and local(a["due"], zone),
            told(a["note"]),
        )
        for name, a in held.actions.items()
    ]
    return pd.DataFrame(rows, columns=["action", "what", "purpose", "status", "owner", "due", "note"])


def _links(held: Standing, told: Callable[[str], str]) -> pd.DataFrame:
    rows = [
        ("run", run, "in the ledger" if checked else "not checked: no ledger at hand")
        for run, checked in held.runs.items()
    ]
    rows += [("rule", rule, f"book {book[:16]}" if book else "no book named") for book, rule in held.rules]
    rows += [("segment", told(segment), "") for segment in held.segments]
    rows += [("column", column, "evidence") for column in held.columns]
    rows += [
        (
            "ring",
            told(ring["id"]),
            f"{ring['size']} members{', by ' + told(ring['evidence']) if ring['evidence'] else ''}",
        )
        for ring in held.rings.values()
    ]
    rows += [("duplicate", other, "merged into this one") for other in held.duplicates]
    if held.merged_into:
        rows.append(("survivor", held.merged_into, "this one was merged into it"))
    return pd.DataFrame(rows, columns=["kind", "name", "detail"])
