"""Which incidents are there, and do their histories hold?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.errors import ParameterError, listed, nearest
from riskbench.incidents.history import Standing
from riskbench.incidents.lifecycle import CLOSED, STATES
from riskbench.incidents.record import record_of
from riskbench.incidents.severity import SEVERITIES


@result
class IncidentList(Result):
    """All incidents, the open ones first, the severe ones first among them.

    Attributes
    ----------
    incidents : DataFrame
        incident, name, state, severity, owner, region, domain, opened, actions_open.
    """

    kind: ClassVar[str] = "incident_list"
    title: ClassVar[str] = "Incidents"
    main: ClassVar[str] = "incidents"
    repr_rows: ClassVar[int] = 30

    incidents: pd.DataFrame

    def headline(self) -> tuple[Fact, ...]:
        """Return how many are open, how many of these are severe, and how many nobody leads."""
        open_ = self.incidents[~self.incidents["state"].isin(CLOSED)]
        severe = open_["severity"].isin(["high", "critical"])
        return (
            Fact("Open", len(open_), "count", note=f"of {len(self.incidents)}"),
            Fact("Open, high or critical", int(severe.sum()), "count"),
            Fact("Open, led by nobody", int((open_["owner"] == "").sum()), "count"),
        )


def incident_list(
    standings: Mapping[str, Standing], *, state: str | None = None, region: str | None = None, notes: Sequence[str] = ()
) -> IncidentList:
    """Return the incidents of a casebook as a list."""
    if state is not None and state not in (*STATES, "open"):
        close = nearest(state, (*STATES, "open"))
        raise ParameterError(
            f"There is no state {state[:40]!r}",
            allowed=listed((*STATES, "open")),
            hint=f"did you mean {close!r}?" if close else None,
        )
    rows = []
    for held in standings.values():
        if state is not None and held.state != state and not (state == "open" and held.state not in CLOSED):
            continue
        if region is not None and held.facts.get("region") != region:
            continue
        record = record_of(held)
        waiting = sum(action["status"] in ("open", "doing") for action in held.actions.values())
        place, domain = held.facts.get("region", ""), held.facts.get("domain", "")
        row = (held.id, record.name, held.state, record.severity, record.owner, place, domain, held.opened, waiting)
        rows.append((not record.open, -SEVERITIES.index(record.severity), held.id, row))
    columns = ["incident", "name", "state", "severity", "owner", "region", "domain", "opened", "actions_open"]
    shown = pd.DataFrame([row for *_, row in sorted(rows)], columns=columns)
    return IncidentList(incidents=shown, notes=tuple(notes))


@result
class HistoryCheck(Result):
    """Whether histories still hold: nothing changed, put in or taken out.

    Attributes
    ----------
    faults : DataFrame
        incident, what: what does not hold; empty where everything does.
    heads : DataFrame
        incident, head: the place and hash of the last event, to be kept elsewhere.
    guarded : bool
        Whether the database itself still refuses a change.
    """

    kind: ClassVar[str] = "history_check"
    title: ClassVar[str] = "Do the histories hold?"
    main: ClassVar[str] = "faults"

    faults: pd.DataFrame
    heads: pd.DataFrame
    guarded: bool

    @property
    def holds(self) -> bool:
        """Whether every history holds."""
        return not len(self.faults)

    def headline(self) -> tuple[Fact, ...]:
        """Return whether all hold, and how many were looked at."""
        wrong = self.faults["incident"].nunique()
        told = "they hold" if self.holds else f"{wrong} of {len(self.heads)} were changed outside of riskbench"
        guards = "on" if self.guarded else "off: the database no longer refuses a change"
        return (
            Fact("Histories", told, "text"),
            Fact("Guards", guards, "text"),
            Fact("Looked at", len(self.heads), "count"),
        )


def history_check(
    faults: Mapping[str, Sequence[str]], heads: Mapping[str, str], *, guarded: bool = True
) -> HistoryCheck:
    """Return what does not hold, by incident, and whether the database still guards the histories."""
    rows = [(name, what) for name, found in faults.items() for what in found]
    return HistoryCheck(
        faults=pd.DataFrame(rows, columns=["incident", "what"]),
        heads=pd.DataFrame(list(heads.items()), columns=["incident", "head"]),
        guarded=guarded,
        notes=("A chain alone does not show what was cut off at the end: keep the heads elsewhere.",),
    )
