"""What must the next shift know: what changed, what is open, what is due, in both places' time?"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from riskbench.data.times import zone_of
from riskbench.display import Fact
from riskbench.display.page import Section
from riskbench.errors import ParameterError
from riskbench.incidents.facts import local, moment, seconds_between
from riskbench.incidents.lifecycle import allowed, span_words
from riskbench.incidents.page import IncidentPage, make_page
from riskbench.incidents.record import IncidentRecord
from riskbench.incidents.severity import SEVERITIES
from riskbench.store import now


def handover(
    records: Sequence[IncidentRecord],
    *,
    since: str,
    to_time_zone: str,
    from_time_zone: str | None = None,
    until: str | None = None,
    notes: Sequence[str] = (),
) -> IncidentPage:
    """Return the hand-over note on some incidents: those that are open, and those that changed in the shift.

    Parameters
    ----------
    records : sequence of IncidentRecord
        The incidents.
    since, until : str
        The shift, ISO; it ends now by default. Times without a zone are UTC.
    to_time_zone, from_time_zone : str
        The IANA zones of those who take over and who hand over; the first incident's own by default.

    Raises
    ------
    ParameterError
        When a zone or a moment is none, or the shift ends before it begins.
    """
    start, end = moment(since, "since"), now() if until is None else moment(until, "until")
    if seconds_between(start, end) < 0:
        raise ParameterError("The shift ends before it begins", got=f"{start} to {end}")
    there = zone_of(to_time_zone)
    here = zone_of(from_time_zone or (records[0].time_zone if records else "UTC"))
    shown = [record for record in records if record.open or len(_changed(record, start, end))]
    shown.sort(key=lambda record: (not record.open, -SEVERITIES.index(record.severity), record.id))
    due = sorted(row for record in shown if record.open for row in _due(record, start))
    parts = [_deadlines(due, end, here, there)]
    for record in shown:
        parts += _sections(record, start, end, here, there)
    if not shown:
        parts.append(Section(name="Incidents", texts=("None is open, and none changed.",)))
    open_ = [record for record in shown if record.open]
    coming = [row for row in due if seconds_between(end, row[0]) >= 0]
    facts = [
        Fact("Open incidents", len(open_), "count", note=f"{sum(not record.owner for record in open_)} led by nobody"),
        Fact("Next deadline", _next(coming[0], end) if coming else "none", "text", note=coming[0][2] if coming else ""),
        Fact(
            "Shift",
            span_words(seconds_between(start, end)),
            "text",
            note=f"{_both(start, here, there)} to {_both(end, here, there)}",
        ),
    ]
    return make_page(
        f"Hand-over, {here} to {there}",
        parts,
        about="hand-over note",
        facts=facts,
        foot=" · ".join(f"{record.id} {record.held.head[:24]}" for record in shown) or "no incident",
        notes=notes,
    )


def _changed(record: IncidentRecord, start: str, end: str) -> pd.DataFrame:
    """Return what was written in a shift; by when it was written, so that late entries are handed over too."""
    written = record.timeline["recorded_at"]
    inside = [
        seconds_between(start, at) >= 0 and seconds_between(at, end) >= 0 if isinstance(at, str) else False
        for at in written
    ]
    return record.timeline[inside]


def _due(record: IncidentRecord, start: str) -> list[tuple[str, str, str]]:
    """Return what is due: deadlines from the shift's start on, and every action that is not done."""
    rows = [
        (row["at"], record.id, row["what"])
        for row in record.deadlines.to_dict("records")
        if seconds_between(start, row["at"]) >= 0
    ]
    told = dict(zip(record.actions["action"], record.actions["what"], strict=True))
    for name, action in record.held.actions.items():
        if action["due"] and action["status"] in ("open", "doing"):
            who = f" ({action['owner']})" if action["owner"] else ""
            rows.append((action["due"], record.id, f"action {name}: {told[name]}{who}"))
    return rows


def _deadlines(due: Sequence[tuple[str, str, str]], end: str, here: str, there: str) -> Section:
    rows = [(_in(at, end), name, what, local(at, here), local(at, there)) for at, name, what in due]
    table = pd.DataFrame(rows, columns=["left", "incident", "what", f"time_{here}", f"time_{there}"])
    table = table.rename(columns={f"time_{here}": f"in {here}", f"time_{there}": f"in {there}"})
    table = table.loc[:, ~table.columns.duplicated()]
    return Section(name="Next deadlines", table=table, missing="no deadline is known: is there no payout run ahead?")


def _sections(record: IncidentRecord, start: str, end: str, here: str, there: str) -> list[Section]:
    changed = _changed(record, start, end)
    rows = [
        (local(row["at"], here), local(row["at"], there), row["actor"], row["what"])
        for row in changed.to_dict("records")
    ]
    names = [f"in {here}", f"in {there}", "who", "what"]
    table = pd.DataFrame(rows, columns=names)
    table = table.loc[:, ~table.columns.duplicated()]
    waiting = record.actions[record.actions["status"].isin(["open", "doing"])]
    points = [
        f"{row['action']} ({row['status']}): {row['what']}, {row['owner'] or 'nobody has it'}"
        for row in waiting.to_dict("records")
    ]
    steps = [
        step
        for step in allowed(record.held.state)
        if step not in ("dismissed", "triaged") or record.state == "detected"
    ]
    onward = f"Next step: {' or '.join(steps)}." if steps and record.open else ""
    lead = record.owner or "nobody"
    return [
        Section(
            name=f"{record.id} {record.name}",
            texts=(f"{record.severity}, {record.state}, led by {lead}. {onward}".strip(),),
            points=tuple(points),
        ),
        Section(
            name=f"{record.id}: what changed in this shift",
            table=table,
            texts=() if len(table) else ("Nothing was written down in this shift.",),
        ),
    ]


def _in(at: str, end: str) -> str:
    seconds = seconds_between(end, at)
    return f"in {span_words(seconds)}" if seconds >= 0 else f"overdue by {span_words(-seconds)}"


def _next(row: tuple[str, str, str], end: str) -> str:
    return _in(row[0], end)


def _both(at: str, here: str, there: str) -> str:
    return local(at, here) if here == there else f"{local(at, here)} = {local(at, there)}"
