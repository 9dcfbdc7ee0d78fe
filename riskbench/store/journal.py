"""What happened in each incident? A list that only grows, each line holding the hash of the one before."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from riskbench.config import redact_all
from riskbench.errors import StoreError, listed, nearest
from riskbench.store.connection import Opened, now

if TYPE_CHECKING:
    from sqlalchemy import Row

#: The most bytes that one line's body may hold.
LARGEST_BODY = 4_000_000
#: How often a writer looks again when others write to the same incident at this moment.
TRIES = 20
_WAIT = 0.002
#: A kept head may be cut short, as on the foot of a page, but not below so many letters of the hash.
SHORTEST_HEAD = 16
_ID = re.compile(r"(?:inc-?)?0*([1-9][0-9]{0,8})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One line of an incident's history.

    Attributes
    ----------
    incident : str
        The incident's id.
    sequence : int
        Its place in the history, from 1.
    at : str
        When it was written, ISO, UTC.
    actor : str
        Who wrote it.
    kind : str
        What kind of thing happened.
    body : mapping
        What is said about it.
    previous, hash : str
        The hash of the line before, and of this one; the first line's previous is empty.
    """

    incident: str
    sequence: int
    at: str
    actor: str
    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
    previous: str = ""
    hash: str = ""

    @property
    def head(self) -> str:
        """The place and the hash, to be kept elsewhere: a history that was cut short no longer holds it."""
        return f"{self.sequence}:{self.hash}"


#: What a writer adds: a kind and a body.
Line = tuple[str, Mapping[str, Any]]
#: What a writer decides once it has seen the histories as they stand: lines by incident.
Plan = Callable[[Mapping[str, Sequence[Happening]]], Mapping[str, Sequence[Line]]]


class Journal(Opened):
    """The histories of all incidents in a store.

    Parameters
    ----------
    url : str
        The address of the store, as the ledger takes it.

    Raises
    ------
    StoreError
        When the store cannot be opened.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        from riskbench.store import schema

        self._lines = schema.incident_events

    def incidents(self) -> tuple[str, ...]:
        """Return the ids of all incidents, oldest first."""
        from sqlalchemy import select

        column = self._lines.c.incident
        with self._transaction() as connection:
            found = connection.execute(select(column).distinct().order_by(column))
            return tuple(incident_id(number) for (number,) in found)

    def history(self, incident: str) -> tuple[Happening, ...]:
        """Return all that happened in one incident, in order.

        Raises
        ------
        StoreError
            When there is no such incident.
        """
        return self.histories([incident])[incident_id(incident_number(incident))]

    def histories(self, incidents: Iterable[str] | None = None) -> dict[str, tuple[Happening, ...]]:
        """Return the histories of some incidents, or of all, by id.

        Raises
        ------
        StoreError
            When one of them is not there.
        """
        from sqlalchemy import select

        table, wanted = self._lines, None
        query = select(table).order_by(table.c.incident, table.c.sequence)
        if incidents is not None:
            wanted = [incident_number(incident) for incident in incidents]
            query = query.where(table.c.incident.in_(wanted))
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        held: dict[str, list[Happening]] = {}
        for row in rows:
            held.setdefault(incident_id(row.incident), []).append(_happening(row))
        for number in wanted or ():
            if incident_id(number) not in held:
                known = self.incidents()
                close = nearest(incident_id(number), known)
                there = f"the casebook holds {listed(known, most=5)}" if known else "the casebook is empty"
                raise StoreError(
                    f"There is no incident {incident_id(number)}", hint=f"did you mean {close!r}?" if close else there
                )
        return {incident: tuple(lines) for incident, lines in held.items()}

    def guarded(self) -> bool:
        """Return whether the database itself still refuses to change or take away a line."""
        from sqlalchemy import text

        from riskbench.store.schema import WATCH

        watch = WATCH.get(self._engine.dialect.name)
        if watch is None:
            return False
        query, wanted = watch
        with self._transaction() as connection:
            return {name for (name,) in connection.execute(text(query))} >= wanted

    def open(self, line: Line, *, actor: str) -> Happening:
        """Give the next id to an incident and write its first line.

        Raises
        ------
        StoreError
            When the store does not answer, or others keep taking the same id.
        """
        from sqlalchemy import func, select

        for turn in range(TRIES):
            time.sleep(_WAIT * turn)
            with self._transaction() as connection:
                newest = connection.execute(select(func.max(self._lines.c.incident))).scalar() or 0
            made = _chained(incident_id(newest + 1), (), [line], actor)
            if self._written(made):
                return made[0]
        raise _crowded("the next id")

    def append(self, incidents: Sequence[str], plan: Plan, *, actor: str) -> dict[str, tuple[Happening, ...]]:
        """Write what `plan` makes of the histories as they stand; where another writer was faster, look again.

        All lines of a plan are written, or none. `plan` is called with the newest histories each time, so that
        what it refuses is refused for what is true at that moment.

        Returns
        -------
        dict
            The histories with the new lines.

        Raises
        ------
        StoreError
            When an incident is not there, its history was tampered with, or others keep being faster.
        """
        for turn in range(TRIES):
            time.sleep(_WAIT * turn)
            held = self.histories(incidents)
            for incident, lines in held.items():
                broken = faults(lines)
                if broken:
                    raise StoreError(
                        f"Nothing is added to {incident}: its history was changed outside of riskbench",
                        got=broken[0],
                        hint="bring the store back from a backup; verify() shows all that is wrong",
                    )
            added = {
                incident: _chained(incident, held[incident], lines, actor)
                for incident, lines in sorted(plan(held).items())
            }
            if self._written([line for lines in added.values() for line in lines]):
                return {incident: (*held[incident], *added.get(incident, ())) for incident in held}
        raise _crowded(" and ".join(incidents))

    def _written(self, lines: Sequence[Happening]) -> bool:
        """Write all lines, or none where another writer has taken one of their places."""
        from sqlalchemy.exc import IntegrityError

        rows = [
            {
                "incident": incident_number(line.incident),
                "sequence": line.sequence,
                "at": line.at,
                "actor": line.actor,
                "kind": line.kind,
                "body": _text(line.body),
                "previous": line.previous,
                "hash": line.hash,
            }
            for line in lines
        ]
        try:
            with self._transaction() as connection:
                try:
                    for row in rows:
                        connection.execute(self._lines.insert().values(row))
                except IntegrityError:
                    raise _TakenError from None
        except _TakenError:
            return False
        return True


class _TakenError(Exception):
    """Another writer was faster."""


def faults(lines: Sequence[Happening], *, head: str | None = None) -> tuple[str, ...]:
    """Return what does not hold in a history: a line that was changed, put in, or taken out.

    Lines that were cut off at the end leave no trace in what is left: only a `head` kept elsewhere shows them.
    """
    found, before, expected = [], "", 1
    for line in lines:
        if line.sequence != expected:
            found.append(f"event {expected} is missing: event {line.sequence} follows")
        elif line.previous != before:
            found.append(f"event {line.sequence} does not follow from the event before it")
        if line.hash != _hash(line):
            found.append(f"event {line.sequence} was changed after it was written")
        before, expected = line.hash, line.sequence + 1
    if head is not None:
        place, _, known = head.partition(":")
        held = next((line for line in lines if str(line.sequence) == place), None)
        if held is None:
            found.append(f"the history ends before event {place[:12]}, which the kept head names")
        elif len(known) < SHORTEST_HEAD or not held.hash.startswith(known):
            found.append(f"event {place[:12]} is not the one that the kept head names")
    return tuple(found)


def incident_id(number: int) -> str:
    """Return an incident's id from its number.

    >>> incident_id(7)
    'INC-0007'
    """
    return f"INC-{number:04d}"


def incident_number(incident: str) -> int:
    """Return an incident's number from its id as a person may type it.

    >>> incident_number("inc-7"), incident_number("7"), incident_number("INC-0007")
    (7, 7, 7)

    Raises
    ------
    StoreError
        When it is no id.
    """
    found = _ID.fullmatch(str(incident).strip())
    if found is None:
        raise StoreError(f"{str(incident)[:40]!r} is no incident's id", allowed="such as INC-0007, inc-7 or 7")
    return int(found[1])


def _chained(incident: str, held: Sequence[Happening], lines: Sequence[Line], actor: str) -> list[Happening]:
    """Return new lines with their places and hashes."""
    made, previous, sequence = [], held[-1].hash if held else "", held[-1].sequence if held else 0
    for kind, body in lines:
        sequence += 1
        text = _text(body)
        if len(text.encode()) > LARGEST_BODY:
            raise StoreError(f"That is too long for one event of {incident}", allowed=f"{LARGEST_BODY:,} bytes")
        bare = Happening(
            incident=incident,
            sequence=sequence,
            at=now(),
            actor=actor,
            kind=kind,
            body=json.loads(text),
            previous=previous,
        )
        previous = _hash(bare)
        made.append(
            Happening(
                incident=incident,
                sequence=sequence,
                at=bare.at,
                actor=actor,
                kind=kind,
                body=bare.body,
                previous=bare.previous,
                hash=previous,
            )
        )
    return made


def _hash(line: Happening) -> str:
    parts = [line.incident, line.sequence, line.at, line.actor, line.kind, line.body, line.previous]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True, sort_keys=True).encode()).hexdigest()


def _text(body: Mapping[str, Any]) -> str:
    """Return a body as JSON without secrets; the same body always gives the same text."""
    return json.dumps(redact_all(body), ensure_ascii=True, allow_nan=False, sort_keys=True)


def _crowded(what: str) -> StoreError:
    return StoreError(f"Others keep writing to {what} at this moment", hint="try again")


def _happening(row: Row[Any]) -> Happening:
    try:
        body = json.loads(row.body)
    except ValueError:
        body = None
    return Happening(
        incident=incident_id(row.incident),
        sequence=row.sequence,
        at=row.at,
        actor=row.actor,
        kind=row.kind,
        body=body if isinstance(body, dict) else {},
        previous=row.previous,
        hash=row.hash,
    )
