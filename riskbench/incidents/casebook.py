"""Which incidents are there, and what happens in each? The book that analysts write in, and never rub out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from riskbench.display.wording import LINE, TEXT, TITLE, clean
from riskbench.errors import ParameterError, StoreError, listed
from riskbench.incidents.facts import LINKS, checked, links, moment, seconds_between
from riskbench.incidents.history import SECTIONS, Standing, fold
from riskbench.incidents.lifecycle import STAGES, check_move
from riskbench.incidents.listing import HistoryCheck, IncidentList, history_check, incident_list
from riskbench.incidents.page import IncidentPage
from riskbench.incidents.record import IncidentRecord, record_of
from riskbench.incidents.remedies import STATUSES as REMEDY_STATUSES
from riskbench.incidents.remedies import checked_rows, one_of
from riskbench.incidents.severity import SEVERITIES
from riskbench.incidents.similar import SimilarIncidents, similar
from riskbench.store import Happening, Journal, Ledger, incident_id, incident_number, now
from riskbench.store.journal import Line, faults

#: What an action is for, and how it stands.
PURPOSES = ("contain", "eradicate", "recover", "prevent", "find out")
ACTION_STATUSES = ("open", "doing", "done", "dropped")
#: Rows of remedies in one line of a history.
_CHUNK = 500
#: How far a clock may be ahead of ours.
_AHEAD = 300

Which = str | IncidentRecord


@dataclass(frozen=True, eq=False)
class Casebook:
    """All incidents in a store; each verb writes one line of a history and returns the record as it then stands.

    Nothing is ever changed or rubbed out: a mistake is put right by writing what is right. Two people may write to
    the same incident at once. Everything takes `by=`, who says so, and most take `when=`, the moment at which it was
    so, where that is not now.

    Parameters
    ----------
    journal : Journal
        The histories.
    ledger : Ledger
        The runs, by which linked runs are checked.
    """

    journal: Journal
    ledger: Ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Casebook({repr(self.journal).partition('(')[2]}"

    def close(self) -> None:
        """Give the connections back."""
        self.journal.close()
        self.ledger.close()

    # -- reading ---------------------------------------------------------------------------------------------

    def record(self, incident: str, *, show_ids: bool = False) -> IncidentRecord:
        """Return how an incident stands; the ids of buyers and sellers in its texts are masked unless asked for."""
        return self._record(incident_id(incident_number(incident)), show_ids=show_ids)

    def incidents(self, *, state: str | None = None, region: str | None = None) -> IncidentList:
        """Return all incidents, the open and the severe first; `state` may also be "open"."""
        held, broken = self._standings()
        return incident_list(held, state=state, region=region, notes=broken)

    def similar(self, incident: Which, *, most: int = 5) -> SimilarIncidents:
        """Return the incidents that resemble one, with why."""
        (held, broken), name = self._standings(), _id(incident)
        if name not in held:
            held[name] = self._folded(name, self.journal.history(name))
        return similar(held[name], [other for key, other in held.items() if key != name], most=most, notes=broken)

    def handover(
        self, *, since: str, to_time_zone: str, from_time_zone: str | None = None, until: str | None = None
    ) -> IncidentPage:
        """Return the note for the next shift on all incidents that are open or changed since a moment."""
        from riskbench.incidents.handover import handover

        held, broken = self._standings()
        records = [record_of(standing) for standing in held.values() if standing.merged_into is None]
        return handover(
            records,
            since=since,
            to_time_zone=to_time_zone,
            from_time_zone=from_time_zone,
            until=until,
            notes=broken,
        )

    def verify(self, incident: str | None = None, *, heads: Mapping[str, str] | None = None) -> HistoryCheck:
        """Return whether histories still hold; `heads` are kept elsewhere: `{"INC-0007": "12:ab34..."}`.

        A chain shows what was changed, put in or taken out in the middle. What was cut off at the end is seen only
        with a head that was kept: each record's provenance and each page's foot name it.
        """
        named = None if incident is None else [incident_id(incident_number(incident))]
        known = {incident_id(incident_number(name)): head for name, head in (heads or {}).items()}
        held = self.journal.histories(named)
        missing = [name for name in known if name not in held and named is None]
        return history_check(
            {name: faults(lines, head=known.get(name)) for name, lines in held.items()}
            | dict.fromkeys(missing, ("the incident is gone",)),
            {name: lines[-1].head for name, lines in held.items()},
            guarded=self.journal.guarded(),
        )

    # -- writing ---------------------------------------------------------------------------------------------

    def open(
        self, title: str, *, by: str, facts: Mapping[str, Any] | None = None, when: str | None = None
    ) -> IncidentRecord:
        """Open an incident: state `detected`.

        Parameters
        ----------
        title : str
            What it is called; without names or ids of people.
        by : str
            Who opens it; a scan says its own name.
        facts : mapping, optional
            What is known: see `riskbench.incidents.facts.FACTS`, and the links `runs`, `rules`, `book`, `segments`,
            `rings`, `columns`, `deadlines`.
        when : str, optional
            When it was detected; now by default.
        """
        given = {} if facts is None else facts
        if not isinstance(given, Mapping):
            raise ParameterError("Facts are a mapping", got=type(given).__name__)
        tied = {name: value for name, value in given.items() if name in LINKS}
        held = checked({name: value for name, value in given.items() if name not in LINKS})
        at = held.get("detected") or _when(None)
        if when is not None:
            held["detected"] = at = _when(when)
        body = {"title": clean(title, "The title", most=TITLE), "facts": held, "when": at, **self._tied(tied)}
        line = self.journal.open(("opened", body), actor=_who(by))
        return self._record(line.incident)

    def note(self, incident: Which, text: str, *, by: str, when: str | None = None) -> IncidentRecord:
        """Write down what was seen, said or done."""
        return self._add(incident, by, ("noted", {"text": clean(text, "The note", most=TEXT), **_at(when)}))

    def move(self, incident: Which, to: str, *, by: str, reason: str = "", when: str | None = None) -> IncidentRecord:
        """Move an incident on; only the next step is allowed, or opening it again (to `triaged`) with a reason.

        Where a record is handed in and somebody else has moved the incident since it was read, nothing is written.
        """
        seen = len(incident.held.steps) if isinstance(incident, IncidentRecord) else None
        who = _who(by)
        why = clean(reason, "The reason", most=LINE, empty=True)

        def plan(held: Standing) -> list[Line]:
            since = [] if seen is None else held.steps[seen:]
            last = next((row for row in reversed(since) if row.actor != who), None)
            if last is not None:
                raise StoreError(
                    f"{held.id} was moved since you read it: {last.what}",
                    got=f"by {last.actor}, {last.recorded[:16].replace('T', ' ')} UTC",
                    hint="read it again with record(), then decide",
                )
            target, at = check_move(held.state, to, reason=why), _when(when)
            before = max(held.stages[stage][0] for stage in STAGES if stage in held.stages)
            if when is None:
                at = max(at, before)
            elif at < before and target in STAGES:
                raise ParameterError(
                    f"{held.id} cannot be {target} before it was {held.state}", got=at, allowed=f"{before} or later"
                )
            return [("moved", {"from": held.state, "to": target, "reason": why, "when": at})]

        return self._plan(incident, by, plan)

    def assign(
        self, incident: Which, owner: str, *, by: str, role: str = "lead", when: str | None = None
    ) -> IncidentRecord:
        """Hand a role to a person; who held it before is kept in the history."""
        body = {"owner": _who(owner), "role": clean(role, "The role", most=60), **_at(when)}
        return self._add(incident, by, ("assigned", body))

    def decide(
        self,
        incident: Which,
        what: str,
        *,
        by: str,
        reason: str,
        alternatives: Sequence[str] = (),
        when: str | None = None,
    ) -> IncidentRecord:
        """Write down a decision, why it was taken, and what was not chosen."""
        others = [
            clean(other, "An alternative")
            for other in ([alternatives] if isinstance(alternatives, str) else alternatives)
        ]
        body = {"what": clean(what, "The decision"), "reason": clean(reason, "The reason"), "alternatives": others}
        return self._add(incident, by, ("decided", {**body, **_at(when)}))

    def act(
        self,
        incident: Which,
        what: str,
        *,
        by: str,
        purpose: str = "contain",
        owner: str | None = None,
        due: str | None = None,
        when: str | None = None,
    ) -> IncidentRecord:
        """Add an action: contain, eradicate, recover, prevent or find out; it gets a number (A1, A2, ...)."""
        body = {
            "what": clean(what, "The action"),
            "purpose": one_of(purpose, PURPOSES, "The purpose"),
            "owner": None if owner is None else _who(owner),
            "due": None if due is None else moment(due, "due"),
            **_at(when),
        }
        return self._add(incident, by, ("acted", body))

    def progress(
        self, incident: Which, action: str, *, by: str, status: str = "done", note: str = "", when: str | None = None
    ) -> IncidentRecord:
        """Say how an action stands: open, doing, done, or dropped (with a note why)."""
        one_of(status, ACTION_STATUSES, "The status")
        told = clean(note, "The note", empty=True)
        if status == "dropped" and not told:
            raise ParameterError("An action is dropped for a reason", hint="note='...'")

        def plan(held: Standing) -> list[Line]:
            name = one_of(action, tuple(held.actions), f"{held.id}: the action")
            return [("progressed", {"action": name, "status": status, "note": told, **_at(when)})]

        return self._plan(incident, by, plan)

    def state(self, incident: Which, facts: Mapping[str, Any], *, by: str) -> IncidentRecord:
        """State facts anew: money exposed, people affected, whether it still runs; the severity follows."""
        held = checked(facts)
        if not held:
            raise ParameterError("There is no fact")
        return self._add(incident, by, ("stated", {"facts": held}))

    def rate(self, incident: Which, severity: str, *, by: str, reason: str) -> IncidentRecord:
        """Set the severity against the rule, with a reason; both stand on the record."""
        level = one_of(severity, SEVERITIES, "The severity")
        return self._add(incident, by, ("rated", {"severity": level, "reason": clean(reason, "The reason")}))

    def link(self, incident: Which, *, by: str, **what: Any) -> IncidentRecord:
        """Link `runs`, `rules` (with `book`, its hash), `segments`, `columns`, `rings` or `deadlines`.

        A run must be in the ledger, where the store has one. Deadlines, such as the next payout run, are
        `{"what": ..., "at": ...}`.
        """
        for name in what:
            one_of(name, LINKS, "What is linked")
        body = self._tied(what)
        if not body:
            raise ParameterError("There is nothing to link", allowed=listed(LINKS))
        return self._add(incident, by, ("linked", body))

    def write(self, incident: Which, section: str, *, text: str, by: str) -> IncidentRecord:
        """Write a section of the post-mortem; the newest text of a section counts, older ones stay in the history."""
        body = {"section": one_of(section, SECTIONS, "The section"), "text": clean(text, "The text", most=TEXT)}
        return self._add(incident, by, ("written", body))

    def put_right(self, incident: Which, rows: Any, *, by: str) -> IncidentRecord:
        """List whom to put right: rows with remedy (reverse, refund), role, subject, what, amount, currency, status.

        The same remedy for the same subject and thing counts once: listing it again changes its amount or status.
        """
        held = checked_rows(rows)
        lines = [("listed", {"rows": held[start : start + _CHUNK]}) for start in range(0, len(held), _CHUNK)]
        return self._add(incident, by, *lines)

    def settle(
        self, incident: Which, subjects: Sequence[str], *, by: str, remedy: str, status: str = "done", note: str = ""
    ) -> IncidentRecord:
        """Say that the remedy for some subjects is done, or refused."""
        one_of(status, REMEDY_STATUSES, "The status")
        wanted = {str(subject) for subject in ([subjects] if isinstance(subjects, str) else subjects)}
        told = clean(note, "The note", most=500, empty=True)

        def plan(held: Standing) -> list[Line]:
            rows = [row for key, row in held.remedies.items() if key[0] == remedy and key[2] in wanted]
            gone = wanted - {row["subject"] for row in rows}
            if gone or not rows:
                raise ParameterError(
                    f"{held.id} lists no {remedy} for {len(gone) or 'any'} of these subjects",
                    hint="list them first with put_right()",
                )
            kept = [
                {k: v for k, v in row.items() if k != "at"} | {"status": status, "note": told or row["note"]}
                for row in rows
            ]
            return [("listed", {"rows": kept[start : start + _CHUNK]}) for start in range(0, len(kept), _CHUNK)]

        return self._plan(incident, by, plan)

    def merge(self, duplicate: Which, survivor: Which, *, by: str, reason: str = "") -> IncidentRecord:
        """Merge a duplicate into the incident that goes on; return the survivor, from which both can be read."""
        gone, stays = _id(duplicate), _id(survivor)
        if gone == stays:
            raise ParameterError("An incident is no duplicate of itself", got=gone)
        why = clean(reason, "The reason", empty=True)

        def plan(held: Mapping[str, Sequence[Happening]]) -> dict[str, list[Line]]:
            standings = {name: self._folded(name, held[name]) for name in (gone, stays)}
            for standing in standings.values():
                _writable(standing)
            head = held[gone][-1].head
            return {
                gone: [("merged", {"into": stays, "reason": why})],
                stays: [("absorbed", {"other": gone, "head": head, "reason": why})],
            }

        self.journal.append([gone, stays], plan, actor=_who(by))
        return self._record(stays)

    # -- inside ----------------------------------------------------------------------------------------------

    def _add(self, incident: Which, by: str, *lines: Line) -> IncidentRecord:
        return self._plan(incident, by, lambda _: list(lines))

    def _plan(self, incident: Which, by: str, plan: Callable[[Standing], list[Line]]) -> IncidentRecord:
        name = _id(incident)

        def planned(held: Mapping[str, Sequence[Happening]]) -> dict[str, list[Line]]:
            standing = self._folded(name, held[name])
            _writable(standing)
            return {name: plan(standing)}

        self.journal.append([name], planned, actor=_who(by))
        return self._record(name, show_ids=isinstance(incident, IncidentRecord) and incident.show_ids)

    def _record(self, name: str, *, show_ids: bool = False) -> IncidentRecord:
        lines = self.journal.history(name)
        return record_of(self._folded(name, lines), faults=faults(lines), show_ids=show_ids)

    def _folded(self, name: str, lines: Sequence[Happening]) -> Standing:
        """Return how an incident stands, with those that were merged into it."""
        held, waiting = {name: tuple(lines)}, [*_absorbed(lines)]
        while waiting:
            found = self.journal.histories([other for other in waiting if other not in held])
            held.update(found)
            waiting = [other for lines_ in found.values() for other in _absorbed(lines_) if other not in held]
        return fold(name, held)

    def _standings(self) -> tuple[dict[str, Standing], list[str]]:
        """Return how all incidents stand, and a remark on each whose history cannot be read."""
        lines, broken = self.journal.histories(), []
        held: dict[str, Standing] = {}
        for name in lines:
            try:
                held[name] = fold(name, lines)
            except StoreError as error:
                broken.append(error.what)
        return held, broken

    def _tied(self, given: Mapping[str, Any]) -> dict[str, Any]:
        held = links(given)
        if "runs" in held:
            held["runs"] = [self._run(run) for run in held["runs"]]
        return held

    def _run(self, run: str) -> dict[str, Any]:
        """Return a run's full id, checked where the ledger holds any run."""
        if not self.ledger.entries(limit=1):
            return {"id": run, "checked": False}
        return {"id": self.ledger.entry(run).id, "checked": True}


def open_casebook(store: str, *, ledger: str | None = None) -> Casebook:
    """Open the book of incidents in a store.

    Use it to keep what happened in an incident, who decided what and why, and to read it back as a record, a
    hand-over note, an update for an audience, a post-mortem.

    Parameters
    ----------
    store : str
        A SQLite file (made if there is none) or a PostgreSQL URL; `env:NAME` reads it from the environment.
    ledger : str, optional
        The store of the runs, where it is another one.

    Returns
    -------
    Casebook
        With the verbs open, note, move, assign, decide, act, progress, state, rate, link, write, put_right, settle,
        merge; and record, incidents, similar, handover, verify.

    Raises
    ------
    StoreError
        When the store cannot be opened.

    Examples
    --------
    >>> import riskbench as rb
    >>> book = rb.open_casebook("sqlite://")
    >>> facts = {"region": "ID", "started": "2026-11-10T17:20Z", "exposed": 9e8, "weekly_value": 6e10, "people": 420}
    >>> record = book.open("Refused deliveries jump", by="scan", facts=facts, when="2026-11-10T22:20Z")
    >>> record
    IncidentRecord(INC-0001: detected; Severity: critical; Time to detect: 5 h; Time to contain: not yet; ...)
    >>> record = book.move(record, "triaged", by="ana", when="2026-11-10T22:40Z")
    >>> record = book.assign(record, "ana", by="ana")
    >>> record = book.decide(record, "hold settlements of new shops", by="ana", reason="payout in nine hours")
    >>> record.next_states
    ('contained', 'dismissed')
    >>> book.verify().holds
    True
    >>> book.close()
    """
    from riskbench.config import resolve

    journal = Journal(resolve(store))
    try:
        runs = Ledger(resolve(ledger or store))
    except BaseException:
        journal.close()
        raise
    return Casebook(journal, runs)


def _id(incident: Which) -> str:
    if isinstance(incident, IncidentRecord):
        return incident.id
    return incident_id(incident_number(incident))


def _who(name: str) -> str:
    return clean(name, "Who says so (by=, owner=)", most=80)


def _when(when: str | None) -> str:
    """Return a moment that is not yet to come."""
    at = now() if when is None else moment(when, "when")
    if seconds_between(now(), at) > _AHEAD:
        raise ParameterError("That moment is still to come", got=at, hint="a deadline is linked: deadlines=[...]")
    return at


def _at(when: str | None) -> dict[str, str]:
    return {} if when is None else {"when": _when(when)}


def _absorbed(lines: Sequence[Happening]) -> list[str]:
    return [str(line.body.get("other")) for line in lines if line.kind == "absorbed"]


def _writable(held: Standing) -> None:
    if held.merged_into is not None:
        raise ParameterError(f"{held.id} was merged into {held.merged_into}", hint=f"write to {held.merged_into}")
