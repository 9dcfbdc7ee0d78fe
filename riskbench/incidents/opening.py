"""How does an investigation become an incident record? Its answers as facts, links, actions and people to put right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from riskbench.data.dataset import micros
from riskbench.data.labels import FRAUD, GOOD, stopped
from riskbench.display import NOT_MEASURABLE
from riskbench.engine.columns import DAY
from riskbench.incidents.casebook import Casebook
from riskbench.incidents.facts import MOST_LINKS
from riskbench.incidents.reading import told
from riskbench.incidents.record import IncidentRecord
from riskbench.incidents.remedies import MOST
from riskbench.incidents.signals import reference
from riskbench.incidents.wording import masked_after

if TYPE_CHECKING:
    from riskbench.incidents.investigation import Investigation
    from riskbench.incidents.scope import Scope

#: Label sources by which somebody says to be a victim.
COMPLAINED = ("complaint", "chargeback", "instant_dispute", "return_verdict")
#: Columns that name whom a remedy is for, by the word they hold.
_ROLES = ("buyer", "seller", "creator")
_WEEK = 7.0


def open_record(
    casebook: Casebook, investigation: Investigation, *, by: str = "riskbench", run: str | None = None
) -> IncidentRecord:
    """Open the record of what an investigation found, or add to the one that is open for the same window.

    Use it after the investigation; a person then moves the record on. What it writes are facts, links, proposed
    actions, the draft parts of the post-mortem and a list of people to put right, never a decision.

    Parameters
    ----------
    casebook : Casebook
        Where it is kept.
    investigation : Investigation
        What was found.
    by : str
        Who says so.
    run : str, optional
        The run that found it.

    Examples
    --------
    >>> from riskbench import open_record
    >>> import riskbench as rb
    >>> found = rb.investigate(rb.Incident("2026-11-10", "2026-11-13"), rb.sample(orders=5_000))
    >>> with rb.open_casebook("sqlite://") as casebook:
    ...     open_record(casebook, found).state
    'detected'
    """
    facts, links = stated(investigation), linked(investigation, run)
    title = _title(investigation, facts)
    known = _same(casebook, title, facts)
    if known is not None:
        held = casebook.state(known, {**facts, "detected": _first(casebook.record(known), facts)}, by=by)
        for section, text in _sections(investigation).items():
            if _by_whom(held, section) == by and held.held.sections.get(section) != text:
                held = casebook.write(held, section, text=text, by=by)
        return casebook.link(held, by=by, **links) if links else held
    held = casebook.open(title, by=by, facts={**facts, **links})
    for section, text in _sections(investigation).items():
        held = casebook.write(held, section, text=text, by=by)
    for what, due in _actions(investigation):
        held = casebook.act(held, what, by=by, purpose="contain", due=due)
    rows = to_put_right(investigation)
    return casebook.put_right(held, rows, by=by) if rows else held


def found_something(investigation: Investigation) -> bool:
    """Return whether there is anything to open a record for: a change that is dated, or events that stand out."""
    return investigation.timeline.start is not None or investigation.cluster.by not in ("labels", "nothing")


def _title(investigation: Investigation, facts: Mapping[str, Any]) -> str:
    """Return what the record is called: the incident's own title, or its day with region and domain."""
    incident = investigation.given.incident
    return incident.title or f"{incident.name}, {facts.get('region', 'all regions')}, {facts['domain']}"


def _first(held: IncidentRecord, facts: Mapping[str, Any]) -> str:
    """Return the earlier of two detections: looking again later does not make an incident be seen later."""
    before = held.held.facts.get("detected")
    return str(facts["detected"]) if before is None else min(str(before), str(facts["detected"]), key=pd.Timestamp)


def _by_whom(held: IncidentRecord, section: str) -> str:
    """Return who wrote a section last; nobody yet is an empty name."""
    told = held.frame("timeline")
    wrote = told[told["what"] == f"wrote {section.replace('_', ' ')}"]
    return str(wrote["actor"].iloc[-1]) if len(wrote) else ""


def stated(investigation: Investigation) -> dict[str, Any]:
    """Return the facts of an incident as its record takes them; what is not measurable is left out."""
    scope, cluster = investigation.scope, investigation.cluster
    dataset, timeline = scope.dataset, investigation.timeline
    codes, names = dataset.regions
    places = [names[code] for code in np.unique(codes[scope.current])]
    start, end = investigation.given.incident.window
    facts: dict[str, Any] = {
        "domain": dataset.domain,
        "measure": timeline.measure,
        "time_zone": dataset.time_zone,
        "source": "incident deep-dive",
        "window_start": _iso(start),
        "window_end": _iso(end),
        "started": timeline.start,
        "detected": _iso(max(scope.asof, start)),
        "running": timeline.still_running,
        "events": len(cluster),
    }
    if len(places) == 1 and places[0] not in ("all", "(missing)"):
        facts["region"] = places[0]
    for role in _ROLES:
        column = _column(scope, role)
        if column is not None:
            held = dataset.column(column)
            facts[f"{role}s"] = len(np.unique(held.values[cluster.rows][held.present[cluster.rows]]))
    if scope.worth.money:
        facts["currency"] = dataset.currency.code
        facts |= _money(investigation)
    return {name: value for name, value in facts.items() if value is not None}


def _money(investigation: Investigation) -> dict[str, float]:
    scope, exposure = investigation.scope, investigation.exposure
    parts = {str(row["part"]): row for row in exposure.frame("parts").to_dict("records")}
    found: dict[str, float] = {}
    for name, part, column in (("lost", "lost so far", "loss"), ("exposed", "lost and pending", "upper")):
        value = parts[part][column] if part in parts else None
        if value is not None and pd.notna(value):
            found[name] = max(0.0, float(value))
    runs = exposure.frame("runs") if "runs" in exposure.tables else pd.DataFrame()
    if len(runs):
        coming = runs[runs["status"] == "next"]
        if len(coming) and pd.notna(coming["frozen"].iloc[0]):
            found["freezable"] = max(0.0, float(coming["frozen"].iloc[0]))
    first, last = reference(scope)  # of all events: what is accepted to be lost is no matter of a segment
    days = (last - first) / DAY
    if scope.baseline.any() and days >= 1 and scope.dataset.has("amount"):
        usual = scope.dataset.column("time").present & (scope.times >= first) & (scope.times < last)
        total = int(scope.dataset.minor("amount")[usual].sum())
        found["weekly_value"] = max(0.0, scope.dataset.currency.major(total) * _WEEK / days)
    return found


def linked(investigation: Investigation, run: str | None) -> dict[str, Any]:
    """Return what an incident is linked to: run, book, containing rule, segments, rings, next payout."""
    segments, entities = investigation.segments.frame(), investigation.entities
    rings = entities.frame("rings")
    held: dict[str, Any] = {
        "runs": [run] if run else None,
        "book": investigation.scope.book.hash if investigation.scope.book.rules else None,
        "segments": [str(said) for said in segments["segment"]] if len(segments) else None,
    }
    if len(rings):
        members = entities.frame("members")
        held["rings"] = [
            {
                "id": f"ring {row['ring']}",
                "members": [str(name) for name in members.loc[members["ring"] == row["ring"], "entity"]],
                "evidence": str(row["evidence"]),
            }
            for row in rings[rings["suspicious"].astype(bool)].head(MOST_LINKS).to_dict("records")
        ]
        held["columns"] = sorted({str(name) for name in members["column"]})
    due = _next_run(investigation)
    if due is not None:
        held["deadlines"] = [{"what": "payout run", "at": due}]
    return {name: value for name, value in held.items() if value}


def to_put_right(investigation: Investigation) -> list[dict[str, Any]]:
    """Return whom to put right: the honest who were stopped in the window, and victims who complained of a fraud.

    A member of a suspicious ring is no victim. Each is proposed, and stays open until a person settles it.
    """
    scope = investigation.scope
    dataset, state = scope.dataset, scope.state.state
    column = _column(scope, "buyer")
    if column is None:
        return []
    people = dataset.column(column)
    wrong = scope.current & stopped(dataset) & (state == GOOD) & people.present
    members, rings = (investigation.entities.frame(name) for name in ("members", "rings"))
    suspicious = rings.loc[rings["suspicious"].astype(bool), "ring"]
    ringed = set(members.loc[members["ring"].isin(suspicious), "entity"].astype(str))
    told = scope.current & (state == FRAUD) & people.present & _complained(scope)
    rows = _rows(scope, np.flatnonzero(wrong), column, remedy="reverse", what="stopped and then told good")
    refunds = _rows(scope, np.flatnonzero(told), column, remedy="refund", what="complained of a fraud")
    return [*rows, *(row for row in refunds if row["subject"] not in ringed)][:MOST]


def _complained(scope: Scope) -> np.ndarray:
    dataset = scope.dataset
    if dataset.roles.label_source is None:
        return np.zeros(dataset.rows, dtype=bool)
    codes, names = dataset.segment(dataset.roles.label_source)
    return np.array([name in COMPLAINED for name in names], dtype=bool)[codes]


def _rows(scope: Scope, rows: np.ndarray, column: str, *, remedy: str, what: str) -> list[dict[str, Any]]:
    dataset = scope.dataset
    named = dataset.take(rows).frame([column, dataset.roles.id])
    ids = named[dataset.resolve(dataset.roles.id)].astype(str)
    money = dataset.minor("amount")[rows] if dataset.has("amount") and remedy == "refund" else None
    code = dataset.currency.code if money is not None else ""
    found = []
    for place, (subject, event) in enumerate(zip(named[dataset.resolve(column)].astype(str), ids, strict=True)):
        row: dict[str, Any] = {"remedy": remedy, "role": "buyer", "subject": subject, "what": f"{what}: {event}"}
        if money is not None and money[place] > 0:
            row |= {"amount": dataset.currency.major(int(money[place])), "currency": code}
        found.append(row)
    return found


def _sections(investigation: Investigation) -> dict[str, str]:
    """Return the parts of the post-mortem that the answers can begin."""

    def begun(name: str, most: int = 4) -> str:
        facts = getattr(investigation, name).headline()[:most]
        text = ". ".join(told(fact) for fact in facts if fact.value is not None and NOT_MEASURABLE not in fact.text)
        return masked_after(text, investigation.scope.dataset.roles.entities)

    drafts = {
        "summary": begun("timeline", 3) + ". " + begun("segments", 2),
        "detection": begun("timeline", 5),
        "defences": begun("coverage"),
        "contributing": begun("causes"),
    }
    return {name: text.strip(". ") + "." for name, text in drafts.items() if text.strip(". ")}


def _actions(investigation: Investigation) -> list[tuple[str, str | None]]:
    due = _next_run(investigation)
    found: list[tuple[str, str | None]] = []
    if due is not None and len(investigation.cluster):
        found.append(("Decide whether to hold the suspected payees before the next payout run", due))
    best = investigation.containment.best
    if best is not None:
        found.append((f"Decide whether to launch the containment {getattr(best, 'id', best)} as shadow", None))
    return found


def _next_run(investigation: Investigation) -> str | None:
    runs = investigation.exposure.frame("runs") if "runs" in investigation.exposure.tables else pd.DataFrame()
    coming = runs[runs["status"] == "next"] if len(runs) else runs
    return _iso(micros(pd.Timestamp(coming["run"].iloc[0]))) if len(coming) else None


def _same(casebook: Casebook, title: str, facts: Mapping[str, Any]) -> str | None:
    """Return the open incident of the same name, place, domain and window, if there is one."""
    held = casebook.incidents(state="open").frame()
    for name in held.loc[held["name"] == title, "incident"] if len(held) else ():
        record = casebook.record(str(name))
        if any(record.held.facts.get(key) != facts.get(key) for key in ("domain", "region", "currency")):
            continue
        known = record.window
        if all(
            left is not None and pd.Timestamp(left) == pd.Timestamp(right)
            for left, right in zip(known, (facts["window_start"], facts["window_end"]), strict=True)
        ):
            return str(name)
    return None


def _column(scope: Scope, role: str) -> str | None:
    return next((name for name in scope.dataset.roles.entities if role in name.casefold()), None)


def _iso(moment: int) -> str:
    return f"{pd.Timestamp(moment, unit='us').isoformat(timespec='milliseconds')}Z"
