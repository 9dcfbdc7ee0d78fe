"""Who is linked to whom, by which evidence, and do they fare otherwise than the rest?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import BLOCKED, FRAUD, GOOD
from riskbench.display import Fact, Result, number, result
from riskbench.display.mask import masked
from riskbench.errors import ParameterError, listed
from riskbench.incidents.links import Links
from riskbench.incidents.measure import Measure
from riskbench.incidents.ring import Ring, ring_of
from riskbench.incidents.ring_tables import (
    EDGES,
    HUBS,
    MEMBERS,
    RINGS,
    burdened,
    edges_of,
    hubs_of,
    hubs_page,
    joined,
    members_of,
    rings_of,
    rings_page,
)
from riskbench.incidents.ringed import Ringed
from riskbench.incidents.rings import Grouped, grouped
from riskbench.incidents.scope import Scope
from riskbench.incidents.web import Web, web_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Found:
    """What a result keeps to answer further questions: no events, only who they were of.

    Attributes
    ----------
    web : Web
        What links the accounts.
    groups : Grouped
        The rings.
    rows : ndarray of intp
        The positions of the rings' events of the window.
    ring : ndarray of int64
        The ring of each of them.
    suspicious : ndarray of bool
        Which rings bear more fraud (or more of the measure) than chance allows.
    """

    web: Web
    groups: Grouped
    rows: npt.NDArray[np.intp]
    ring: npt.NDArray[np.int64]
    suspicious: Mask


@result
class Entities(Result):
    """Who is linked in the window of an incident, by which evidence, and how they fare beside the rest.

    Dense is not fraud: families, boarding houses and agencies are dense too. A ring is called suspicious only
    where it bears more fraud told (or, where that cannot be told yet, more of the incident's measure) than chance
    allows among all rings looked at.

    Attributes
    ----------
    rings : DataFrame
        One row a ring, the suspicious first: ring, kind (`new`: nothing before the window; `faster`: more than
        its own earlier pace; `standing`: there before, at its usual pace), told (what the verdicts say, in
        words), suspicious, members (accounts), events and money (of the window), evidence, meeting (whom most of
        its events meet), frauds, good, unlabelled, fraud_share with lower and upper, share_elsewhere (of the rest of
        the window), usual_share (of the baseline), enrichment (over elsewhere) with lower and upper,
        p_value and q_value (against the rest or the usual, each account counted once; false findings among all
        rings), measure_p (the same of the measure), share_in_window (of all its events), first_seen, last_seen,
        density, parts (groups that share nothing with one another), joined_by (columns of the places whose meeting
        joins them; empty where they are linked), found_by (`component`: all are linked by what they share;
        `meeting`: several such groups that keep meeting at one place; `dense block`).
    members : DataFrame
        Who and what belongs to a ring: entity, column, ring, role (`account`, `shared`, `meeting`), events,
        evidence.
    edges : DataFrame
        Each link of a ring: a, b, evidence, ring, events, since.
    hubs : DataFrame
        What joins nobody because too many share it: value, column, degree (accounts), in_window (accounts of the
        window), groups (that it would have joined), events, frauds, labelled, reason.
    accounts, linked : int
        The accounts of the window, and those in a ring.
    found_rings, suspicious_rings, cut : int
        How many rings were looked at, how many are suspicious, and how many hubs were cut.
    densest, bound : float
        The density of the densest block found; no block is denser than the bound, which is at most twice that.
    account : str
        The column of those who are linked.
    currency : str
        The ISO code of the money.
    time_zone : str
        Where the clocks go by which pages tell moments; tables hold UTC.
    found : Found
        What further questions need.
    """

    kind: ClassVar[str] = "entities"
    title: ClassVar[str] = "Who is linked?"
    main: ClassVar[str] = "rings"
    next_step: ClassVar[str] = (
        '.ring(2) shows another ring; .frame("members") has the full ids; .why(a, b) tells why two are linked'
    )
    repr_rows: ClassVar[int] = 8
    repr_tables: ClassVar[tuple[str, ...]] = ("hubs",)

    rings: pd.DataFrame
    members: pd.DataFrame
    edges: pd.DataFrame
    hubs: pd.DataFrame
    accounts: int
    linked: int
    found_rings: int
    suspicious_rings: int
    cut: int
    densest: float
    bound: float
    account: str
    currency: str
    time_zone: str = "UTC"
    found: Found | None = None

    def headline(self) -> tuple[Fact, ...]:
        """Return how many rings there are, what the worst is, and what was cut."""
        facts = [
            Fact("Suspicious rings", self.suspicious_rings, "count", note=f"of {self.found_rings:,} looked at"),
        ]
        held = self.rings[self.rings["suspicious"].astype(bool)] if len(self.rings) else self.rings
        if len(held):
            top = held.iloc[0]
            who, _, what = str(top["evidence"]).partition(" share ")
            said = "; ".join(part for part in (f"share {what}" if what else "", joined(top.to_dict())) if part)
            facts.append(Fact("The first", who, "text", note=said))
            facts.append(Fact("Money of the suspicious", _money(held), "money", currency=self.currency))
            share, rest = top["fraud_share"], top["share_elsewhere"]
            if pd.notna(share):
                told = round(float(top["frauds"] / share)) if share > 0 else None
                facts.append(
                    Fact(
                        "Fraud told in the first", float(share), "share",
                        lower=float(top["fraud_share_lower"]), upper=float(top["fraud_share_upper"]), n=told,
                        note=f"elsewhere {number(float(rest), 'share')}" if pd.notna(rest) else "",
                    )
                )  # fmt: skip
        facts.append(Fact("Hubs that join nobody", self.cut, "count", note="values that too many share"))
        return tuple(facts[:6])

    @property
    def drawable(self) -> bool:
        """Whether there is a ring to draw."""
        return bool(len(self.rings)) and bool(len(self.edges))

    @property
    def height(self) -> float:
        """The picture's height in inches."""
        return 5.0

    @property
    def alt(self) -> str:
        """The picture in words."""
        if not self.drawable:
            return f"{self.title} No ring was found."
        top = self.rings.iloc[0]
        return f"Ring {top['ring']}: {top['evidence']}. {str(top['told']).capitalize()}."

    def _draw(self, ax: Axes) -> None:
        from riskbench.incidents.ring_picture import draw

        top = self.rings.iloc[0]
        inside = (self.edges["ring"] == top["ring"]).to_numpy()
        draw(ax, self.edges[inside], members=self.members[self.members["ring"] == top["ring"]], top=top)

    def ring(self, number: int = 1) -> Ring:
        """Return one ring: its picture, its members, what they share, and what honest people it could be.

        Parameters
        ----------
        number : int
            The ring's number in `rings`, the suspicious first.

        Raises
        ------
        ParameterError
            When there is no ring of that number.
        """
        return ring_of(
            self.rings, self.members, self.edges,
            number=number, source=self, currency=self.currency, time_zone=self.time_zone,
        )  # fmt: skip

    def why(self, a: str, b: str) -> pd.DataFrame:
        """Return the cheapest chain of evidence between two accounts or values: why they are linked.

        A value that few share is cheap to pass, one that many share is dear. Read it from top to bottom.

        Parameters
        ----------
        a, b : str
            Two accounts, or values that accounts share, as they were given.

        Returns
        -------
        DataFrame
            step, a, b, evidence (the column), shared_by (accounts), events, since; empty where only hubs, or
            nothing, link them.

        Raises
        ------
        ParameterError
            When one of them is in none of the events up to the end of the window.
        """
        from riskbench.incidents.evidence import chain

        if self.found is None:
            raise ParameterError("There is nobody to link", hint="name the role 'entities', or links=[column, ...]")
        return chain(self.found.web, str(a), str(b))


def _money(rings: pd.DataFrame) -> float | None:
    held = rings["money"].dropna()
    return float(held.sum()) if len(held) else None


def who(
    scope: Scope,
    *,
    links: Links | Sequence[str] | pd.DataFrame | None = None,
    measure: Measure | None = None,
    focus: Mask | None = None,
    most: int = 10,
) -> Entities:
    """Return who is linked in the window: rings with their evidence, money, labels and what was cut.

    Links rest on all events up to the end of the window; rings are made of accounts that are active in it. What
    nobody could know by then plays no part.

    Parameters
    ----------
    scope : Scope
        The incident's events.
    links : Links, sequence of str or DataFrame, optional
        What links: columns, a table of edges (a, b, evidence, since), or a `Links`. By default the entities.
    measure : Measure, optional
        What the incident moved; it judges rings on which no verdict is told yet.
    focus : ndarray of bool, shape (rows,), optional
        Only these events of the window are looked at.
    most : int
        How many rings beside the suspicious ones are told in full.

    Raises
    ------
    ParameterError
        When nothing names who is linked.
    """
    begun = time.perf_counter()
    dataset, times = scope.dataset, scope.times
    present = dataset.column("time").present & (times <= scope.asof)
    start, end = scope.incident.window
    history = present & (times < end)
    before = history & (times < start)
    current = scope.current & present if focus is None else scope.current & present & focus
    given = Links.of(links)
    if not dataset.roles.entities and given.columns is None and given.edges is None:
        return _nobody(scope, begun)
    state = scope.state.state
    usual = before if before.any() else scope.baseline & present
    web = web_of(dataset, given, times=times, history=history, usual=usual & (state != FRAUD))
    active = np.zeros(web.account.size, dtype=bool)
    active[web.account.codes[current & (web.account.codes >= 0)]] = True
    groups = grouped(web, active, current=current, before=before)
    held = Ringed(
        scope,
        web,
        groups,
        current=current,
        history=history,
        fraud=state == FRAUD,
        good=state == GOOD,
        tellable=state != BLOCKED,
        measure=measure,
    )
    rings = rings_of(held)
    suspicious = rings["suspicious"].to_numpy(dtype=bool)
    shown = rings.iloc[: int(suspicious.sum()) + most] if len(rings) else rings
    order = held.ranked[: len(shown)]
    hubs = hubs_of(held)
    of = held.ring_of_event
    rows = np.flatnonzero(of >= 0)
    by_number = np.zeros(groups.rings, dtype=bool)
    by_number[held.ranked[suspicious]] = True
    provenance = dict(scope.provenance)
    stated = provenance.get("parameters")
    provenance["parameters"] = {
        **(stated if isinstance(stated, Mapping) else {}),
        "links": repr(given),
        "account": web.account.name,
        "hub_limits": {kind.name: kind.limit for kind in web.kinds},
        "measure": measure.name if measure is not None else None,
    }
    members = members_of(held, order)
    currency = dataset.currency.code if dataset.has("amount") else ""
    loaded = _burdened(held, hubs)
    pages = {"hubs": hubs_page(hubs, look=loaded)} if len(hubs) else {}
    if len(shown):
        pages["rings"] = rings_page(shown, members, currency=currency, zone=dataset.time_zone)
    return Entities(
        rings=shown.reset_index(drop=True),
        members=members,
        edges=edges_of(held, order),
        hubs=hubs,
        accounts=int(active.sum()),
        linked=int((groups.ring >= 0).sum()),
        found_rings=groups.rings,
        suspicious_rings=int(suspicious.sum()),
        cut=int(sum(int(kind.hub.sum()) for kind in web.kinds)),
        densest=groups.densest,
        bound=groups.bound,
        account=web.account.name,
        currency=currency,
        time_zone=dataset.time_zone,
        pages=pages,
        found=Found(web, groups, rows, of[rows], by_number),
        notes=(
            *scope.notes,
            *_notes(web, groups, active, rings),
            *_joined(groups, held.ranked, shown),
            *_loaded(loaded),
        ),
        provenance={**provenance, "seconds": round(time.perf_counter() - begun, 3)},
    )


def rows_of(scope: Scope, entities: Entities, *, suspicious_only: bool = True) -> npt.NDArray[np.intp]:
    """Return the positions of the window's events of the rings that were found, ascending.

    Parameters
    ----------
    scope : Scope
        The scope in which they were found.
    entities : Entities
        What was found.
    suspicious_only : bool
        Only rings that bear more fraud, or more of the measure, than chance allows.
    """
    held = entities.found
    if held is None:
        return np.zeros(0, dtype=np.intp)
    keep = scope.current[held.rows]
    if suspicious_only:
        keep &= held.suspicious[held.ring]
    return held.rows[keep]


def _nobody(scope: Scope, begun: float) -> Entities:
    """Return the answer where nothing names who acted."""
    return Entities(
        rings=pd.DataFrame(columns=list(RINGS)),
        members=pd.DataFrame(columns=list(MEMBERS)),
        edges=pd.DataFrame(columns=list(EDGES)),
        hubs=pd.DataFrame(columns=list(HUBS)),
        accounts=0,
        linked=0,
        found_rings=0,
        suspicious_rings=0,
        cut=0,
        densest=0.0,
        bound=0.0,
        account="",
        currency="",
        notes=(*scope.notes, "Who is linked is not measurable: no entities are named in the roles."),
        provenance={**scope.provenance, "seconds": round(time.perf_counter() - begun, 3)},
    )


def _joined(groups: Grouped, ranked: npt.NDArray[np.int64], shown: pd.DataFrame) -> tuple[str, ...]:
    """Return the remark on rings that are several groups, and what joined them."""
    said = [
        f"ring {row['ring']} is {joined(row, sizes=groups.parts[number])}"
        for number, row in zip(ranked.tolist(), shown.to_dict("records"), strict=False)
        if row["parts"] > 1
    ]
    if not said:
        return ()
    more = f"; and {len(said) - 5} more, told in the column joined_by" if len(said) > 5 else ""
    return (
        (
            "Not all of a ring need be linked by what they share; groups that keep meeting at one place, far beyond "
            f"its usual share, are shown as one ring: {'; '.join(said[:5])}{more}."
        ),
    )


def _burdened(held: Ringed, hubs: pd.DataFrame) -> list[str]:
    """Return the hubs that bear far more fraud than the window does."""
    known = held.current & (held.fraud | held.good)
    return burdened(hubs, frauds=int((known & held.fraud).sum()), labelled=int(known.sum()))


def _loaded(names: Sequence[str]) -> tuple[str, ...]:
    """Return the remark on hubs that bear far more fraud than the window does."""
    if not names:
        return ()
    told = listed([masked(name) for name in names], most=5)
    return (
        (
            "Hubs with far more fraud than the window (a hub can itself be the fraud), to be looked at by "
            f"themselves: {told}."
        ),
    )


def _notes(web: Web, groups: Grouped, active: Mask, rings: pd.DataFrame) -> tuple[str, ...]:
    """Return what a reader must know: how hubs were cut, what the search promises, that dense is not fraud."""
    notes = list(web.notes)
    accounts = int(active.sum())
    cut = {kind.name: int(kind.hub.sum()) for kind in web.kinds if kind.hub.any()}
    if cut:
        said = ", ".join(f"{count:,} of {name}" for name, count in cut.items())
        notes.append(
            f"Hubs, values that too many share, join nobody: {said}. With them the largest group would have "
            f"{groups.joined:,} of {accounts:,} accounts; without them, linked by what they share, it has "
            f"{groups.largest:,}."
        )
        if groups.joined > accounts / 2 and groups.largest <= 1:
            notes.append("What was shared links everybody and so tells nobody apart; no ring can be found by it.")
    if web.places:
        notes.append(
            f"{', '.join(kind.name for kind in web.places)}: many unrelated accounts meet there; meeting "
            "there links no two accounts."
        )
    if not groups.rings:
        notes.append("No three accounts of the window share anything that links.")
        return tuple(notes)
    notes.append(
        f"The densest block has density {groups.densest:.3g}; none exceeds {groups.bound:.3g} (greedy peeling, at "
        "least half of the best). Dense is not fraud: families, boarding houses and agencies are dense too."
    )
    if len(rings) and rings["p_value"].isna().all():
        notes.append("Whether rings bear more fraud is not measurable: no fraud is told in the window yet.")
    return tuple(notes)
