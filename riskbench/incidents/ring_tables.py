"""What is told of each ring: its figures, its members, its links, and the hubs that were cut."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.incidents.measure import Measure
from riskbench.incidents.rings import Fared, Grouped, Tied, discovered, fared, faster, outranks, tied
from riskbench.incidents.scope import Scope
from riskbench.incidents.web import Kind, Web

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

RINGS = (
    "ring", "kind", "told", "suspicious", "members", "events", "money", "evidence", "meeting", "frauds", "good",
    "unlabelled", "fraud_share", "fraud_share_lower", "fraud_share_upper", "elsewhere", "enrichment",
    "enrichment_lower", "enrichment_upper", "p_value", "q_value", "measure_p", "share_in_window", "first_seen",
    "last_seen", "density", "found_by",
)  # fmt: skip
MEMBERS = ("entity", "column", "ring", "role", "events", "evidence")
EDGES = ("a", "b", "evidence", "ring", "events", "since")
HUBS = ("value", "column", "degree", "in_window", "groups", "events", "frauds", "labelled", "reason")

#: A finding is believed when the share of false ones among those like it is at most this.
BELIEVED = 0.05
#: A ring is faster than before when its own pace would bring as many events less often than this.
FASTER = 0.01
#: Most of a ring's events meet one value: so many at least, so large a share, and so many times the rest's.
MEETING = (4, 0.5, 5.0)
#: The most hubs that are listed, and the most links.
MOST_HUBS, MOST_EDGES = 25, 5_000


@dataclass(frozen=True, eq=False)
class Ringed:
    """Rings with the events they are measured on.

    Attributes
    ----------
    scope : Scope
        The incident's events.
    web, groups : Web and Grouped
        What links, and the rings.
    current, history : ndarray of bool, shape (rows,)
        The events of the window, and all up to its end.
    fraud, good, tellable : ndarray of bool, shape (rows,)
        What is known of each event.
    measure : Measure or None
        What the incident moved.
    """

    scope: Scope
    web: Web
    groups: Grouped
    current: Mask
    history: Mask
    fraud: Mask
    good: Mask
    tellable: Mask
    measure: Measure | None

    @cached_property
    def accounts(self) -> Mask:
        """Which accounts are active in the window."""
        codes = self.web.account.codes[self.current]
        held = np.zeros(self.web.account.size, dtype=bool)
        held[codes[codes >= 0]] = True
        return held

    @cached_property
    def tied(self) -> Tied:
        """The links of the window's accounts."""
        return tied(self.web, self.accounts)

    def of_event(self, ring: Ints, rows: Mask) -> Ints:
        """Return each event's ring among some events, -1 elsewhere."""
        codes = self.web.account.codes
        found = np.full(len(codes), -1, dtype=np.int64)
        at = np.flatnonzero(rows & (codes >= 0))
        found[at] = ring[codes[at]]
        return found

    @cached_property
    def ring_of_event(self) -> Ints:
        """The ring of each event of the window, -1 for none."""
        return self.of_event(self.groups.ring, self.current)

    @cached_property
    def wider(self) -> Ints:
        """Each account's ring, also of accounts that are not active but share a ring's values."""
        ring = self.groups.ring.copy()
        of_value = np.full(max(1, self.tied.values), -1, dtype=np.int64)
        own = ring[self.tied.account] >= 0
        of_value[self.tied.value[own]] = ring[self.tied.account[own]]
        for place, kind in enumerate(self.web.kinds):
            keep = ~kind.hub[kind.value] & ~self.accounts[kind.account]
            found = of_value[kind.value[keep] + self.tied.offset[place]]
            ring[kind.account[keep][found >= 0]] = found[found >= 0]
        return ring

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Each ring's figures, in the order of the groups, without evidence."""
        groups, of = self.groups, self.ring_of_event
        rings, times = groups.rings, self.scope.times
        inside = of >= 0

        def count(rows: Mask) -> Ints:
            return np.bincount(of[rows & inside], minlength=rings)

        now = count(self.current)
        frauds, good = count(self.fraud), count(self.good)
        whole = self.of_event(groups.ring, self.history)
        wide = self.of_event(self.wider, self.history & ~self.current)
        before = np.bincount(wide[wide >= 0], minlength=rings)
        everything = np.bincount(whole[whole >= 0], minlength=rings)
        first = np.full(rings, np.iinfo(np.int64).max)
        last = np.full(rings, np.iinfo(np.int64).min)
        np.minimum.at(first, whole[whole >= 0], times[whole >= 0])
        np.maximum.at(last, whole[whole >= 0], times[whole >= 0])
        first_wide = first.copy()
        np.minimum.at(first_wide, wide[wide >= 0], times[wide >= 0])
        order = np.sort(times[self.history & ~self.current])
        since = (len(order) - np.searchsorted(order, first_wide)).astype(np.float64)
        pace = faster(now, before, all_now=int(self.current.sum()), all_before=since)
        kind = np.where(before == 0, "new", np.where(pace < FASTER, "faster", "standing"))
        measured = self._fared()
        q = discovered(measured.p_value)
        ranks = self._outranks()
        frame = pd.DataFrame(
            {
                "number": np.arange(rings),
                "kind": kind.astype(object),
                "members": np.bincount(groups.ring[groups.ring >= 0], minlength=rings),
                "events": now,
                "money": self._money(),
                "frauds": frauds,
                "good": good,
                "unlabelled": now - frauds - good,
                "fraud_share": measured.share,
                "fraud_share_lower": measured.share_lower,
                "fraud_share_upper": measured.share_upper,
                "elsewhere": measured.rest,
                "enrichment": measured.ratio,
                "enrichment_lower": measured.ratio_lower,
                "enrichment_upper": np.where(np.isfinite(measured.ratio_upper), measured.ratio_upper, np.nan),
                "p_value": measured.p_value,
                "q_value": q,
                "measure_p": ranks,
                "share_in_window": now / np.maximum(1, everything),
                "first_seen": pd.to_datetime(np.where(everything > 0, first, 0), unit="us"),
                "last_seen": pd.to_datetime(np.where(everything > 0, last, 0), unit="us"),
                "density": groups.density,
                "found_by": np.where(groups.whole, "component", "dense block").astype(object),
            }
        )
        told, suspicious = self._told(frame, discovered(ranks))
        frame.insert(2, "told", told)
        frame.insert(3, "suspicious", suspicious)
        return frame

    def _money(self) -> npt.NDArray[np.float64] | None:
        dataset = self.scope.dataset
        if not dataset.has("amount"):
            return np.full(self.groups.rings, np.nan)
        of = self.ring_of_event
        at = np.flatnonzero(of >= 0)
        total = np.zeros(self.groups.rings, dtype=np.int64)
        np.add.at(total, of[at], dataset.minor("amount")[at])
        return np.array([dataset.currency.major(int(sum_)) for sum_ in total], dtype=np.float64)

    def _fared(self) -> Fared:
        at = np.flatnonzero(self.current)
        codes = self.web.account.codes[at]
        return fared(
            self.groups.ring,
            codes,
            self.fraud[at],
            tellable=self.tellable[at] | self.fraud[at],
            rings=self.groups.rings,
        )

    def _outranks(self) -> npt.NDArray[np.float64]:
        """Return how likely chance is to give a ring's accounts so much of the measure."""
        measure, rings = self.measure, self.groups.rings
        if measure is None or measure.name == "fraud":
            return np.full(rings, np.nan)
        at = np.flatnonzero(self.current & (self.web.account.codes >= 0))
        codes, size = self.web.account.codes[at], self.web.account.size
        amount = np.bincount(codes, measure.amount[at], size)
        if measure.name == "events":
            weight = np.where(self.accounts, 1.0, 0.0)
        else:
            weight = np.bincount(codes, None if measure.exposure is None else measure.exposure[at], size)
        with np.errstate(divide="ignore", invalid="ignore"):
            return outranks(self.groups.ring, amount / weight, rings=rings)

    def _told(self, frame: pd.DataFrame, measure_q: npt.NDArray[np.float64]) -> tuple[list[str], Mask]:
        by_label = frame["q_value"].to_numpy() <= BELIEVED
        unknown = frame["p_value"].isna().to_numpy()
        by_measure = unknown & (measure_q <= BELIEVED) & (frame["kind"] != "standing").to_numpy()
        young = (frame["unlabelled"] > frame["events"] / 2).to_numpy()
        said = []
        for label, missing, moved, is_young in zip(by_label, unknown, by_measure, young, strict=True):
            if label:
                said.append("more fraud than elsewhere")
            elif not missing:
                said.append("no more fraud than elsewhere" + (", so far" if is_young else ""))
            elif moved:
                assert self.measure is not None
                said.append(f"no fraud told yet; more {self.measure.title} than elsewhere")
            else:
                said.append("not measurable")
        return said, by_label | by_measure

    @cached_property
    def ranked(self) -> Ints:
        """The rings in the order in which they are told: the suspicious first, then the surest, then the largest."""
        frame = self.frame
        keys = (
            frame["number"],
            -frame["events"],
            frame["kind"] == "standing",
            frame["p_value"].fillna(1.0),
            ~frame["suspicious"].astype(bool),
        )
        return np.lexsort([np.asarray(key) for key in keys]).astype(np.int64)

    def shared(self, number: int) -> list[tuple[Kind, Ints, Ints, Ints, Ints]]:
        """Return the links inside a ring, kind by kind: accounts, values, events, first time."""
        found = []
        for kind in self.web.kinds:
            at = self._by_ring[kind.name].get(number)
            if at is None:
                continue
            counts = np.unique(kind.value[at], return_counts=True)
            at = at[np.isin(kind.value[at], counts[0][counts[1] > 1])]
            if len(at):
                found.append((kind, kind.account[at], kind.value[at], kind.events[at], kind.first[at]))
        return found

    @cached_property
    def _by_ring(self) -> dict[str, dict[int, npt.NDArray[np.intp]]]:
        held: dict[str, dict[int, npt.NDArray[np.intp]]] = {}
        for kind in self.web.kinds:
            of = self.groups.ring[kind.account]
            at = np.flatnonzero((of >= 0) & ~kind.hub[kind.value])
            order = at[np.argsort(of[at], kind="stable")]
            numbers, starts = np.unique(of[order], return_index=True)
            held[kind.name] = dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)) if len(at) else {}
        return held

    @cached_property
    def meetings(self) -> dict[int, tuple[str, str, int, int]]:
        """Whom most of a ring's events meet, where few others do: column, value, events met, events."""
        found: dict[int, tuple[str, str, int, int]] = {}
        least, share, times_rest = MEETING
        total = int(self.current.sum())
        for place in self.web.places:
            codes, of = place.coded.codes, self.ring_of_event
            everywhere = np.bincount(codes[self.current & (codes >= 0)], minlength=place.coded.size)
            at = np.flatnonzero((of >= 0) & (codes >= 0))
            keys, n = np.unique(of[at] * np.int64(max(1, place.coded.size)) + codes[at], return_counts=True)
            ring, code = keys // max(1, place.coded.size), keys % max(1, place.coded.size)
            events = self.frame["events"].to_numpy()[ring]
            rest = (everywhere[code] - n) / np.maximum(1, total - events)
            for where in np.flatnonzero((n >= least) & (n >= share * events) & (n / events > times_rest * rest)):
                number = int(ring[where])
                if number not in found or n[where] > found[number][2]:
                    found[number] = (
                        place.name,
                        place.coded.written(code[[where]])[0],
                        int(n[where]),
                        int(events[where]),
                    )
        return found


def noun(column: str, count: int = 2) -> str:
    """Return what a column's values are called.

    >>> noun("device_id"), noun("address_id"), noun("ip", 1), noun("bank_account_id", 1)
    ('devices', 'addresses', 'IP', 'bank account')
    """
    word = column.removesuffix("_id").replace("_", " ").strip() or column
    word = word.upper() if len(word) <= 2 else word
    if count == 1:
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def evidence_of(held: Ringed, number: int) -> str:
    """Return in words what a ring's accounts share, what ties most first."""
    members = int(held.frame["members"].iloc[number])
    ties = [(len(np.unique(who)), kind.name, len(np.unique(what))) for kind, who, what, _, _ in held.shared(number)]
    ties.sort(key=lambda tie: (-tie[0], tie[1]))
    parts = [f"{count:,} {noun(name, count)}" for _, name, count in ties[:4]]
    said = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nothing"
    return f"{members:,} {noun(held.web.account.name, members)} share {said}"


def rings_of(held: Ringed) -> pd.DataFrame:
    """Return the table of rings, best first; evidence is told of the first hundred and of all suspicious ones."""
    if not held.groups.rings:
        return pd.DataFrame(columns=list(RINGS))
    frame = held.frame.iloc[held.ranked].reset_index(drop=True)
    told = max(100, int(frame["suspicious"].sum()))
    numbers = frame["number"].to_numpy()[:told]
    words = [evidence_of(held, int(number)) for number in numbers]
    meets = [held.meetings.get(int(number)) for number in numbers]
    blank = [""] * (len(frame) - len(words))
    frame["evidence"] = [*words, *blank]
    frame["meeting"] = [
        *(f"{met[2]} of {met[3]} events meet {noun(met[0], 1)} {met[1]}" if met else "" for met in meets),
        *blank,
    ]
    frame["ring"] = np.arange(1, len(frame) + 1)
    return frame[list(RINGS)]


def members_of(held: Ringed, order: Ints) -> pd.DataFrame:
    """Return who and what belongs to the rings shown."""
    rows: list[tuple[object, ...]] = []
    at = np.flatnonzero(held.ring_of_event >= 0)
    now = np.bincount(held.web.account.codes[at], minlength=held.web.account.size)
    for rank, number in enumerate(order.tolist(), 1):
        links = held.shared(number)
        accounts = np.flatnonzero(held.groups.ring == number)
        said: dict[int, list[str]] = {int(account): [] for account in accounts}
        values: list[tuple[object, ...]] = []
        for kind, who, what, events, _ in links:
            held_by = np.bincount(np.unique(what, return_inverse=True)[1])
            names = dict(zip(np.unique(what).tolist(), kind.coded.written(np.unique(what)), strict=True))
            sharing = dict(zip(np.unique(what).tolist(), held_by.tolist(), strict=True))
            for account, value in zip(who.tolist(), what.tolist(), strict=True):
                said[account].append(f"{noun(kind.name, 1)} {names[value]} with {sharing[value] - 1}")
            values += [
                (name, kind.name, rank, "shared", int(events[what == value].sum()), f"{sharing[value]} accounts")
                for value, name in names.items()
            ]
        rows += [
            (name, held.web.account.name, rank, "account", int(now[account]), "; ".join(said[account][:4]))
            for name, account in zip(held.web.account.written(accounts), accounts.tolist(), strict=True)
        ]
        rows += sorted(values, key=lambda row: (-int(str(row[5]).split()[0]), str(row[1]), str(row[0])))
        if number in held.meetings:
            column, value_name, met, events_all = held.meetings[number]
            rows.append((value_name, column, rank, "meeting", met, f"{met} of {events_all} events"))
    return pd.DataFrame(rows, columns=list(MEMBERS))


def edges_of(held: Ringed, order: Ints) -> pd.DataFrame:
    """Return the links of the rings shown."""
    parts: list[pd.DataFrame] = []
    total = 0
    for rank, number in enumerate(order.tolist(), 1):
        for kind, who, what, events, first in held.shared(number):
            parts.append(
                pd.DataFrame(
                    {
                        "a": held.web.account.written(who),
                        "b": kind.coded.written(what),
                        "evidence": kind.name,
                        "ring": rank,
                        "events": events,
                        "since": pd.to_datetime(first, unit="us"),
                    }
                )
            )
            total += len(who)
        if total > MOST_EDGES:
            break
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(EDGES))


def hubs_of(held: Ringed) -> pd.DataFrame:
    """Return the values that join nobody, those of most accounts in the window first, and the meeting places."""
    rows: list[tuple[object, ...]] = []
    component = held.groups.ring
    for kind in held.web.kinds:
        active = held.accounts[kind.account] & kind.hub[kind.value]
        in_window = np.bincount(kind.value[active], minlength=kind.coded.size)
        top = np.argsort(-in_window, kind="stable")[:MOST_HUBS]
        top = top[in_window[top] > 1]
        names = kind.coded.written(top) if len(top) else []
        at = (
            np.flatnonzero(held.current & (kind.coded.codes >= 0))
            if len(kind.coded.codes) == len(held.current)
            else None
        )
        for value, name in zip(top.tolist(), names, strict=True):
            accounts = kind.account[active & (kind.value == value)]
            own = component[accounts]
            groups = len(np.unique(own[own >= 0])) + int((own < 0).sum())
            events = at[kind.coded.codes[at] == value] if at is not None else np.zeros(0, dtype=np.intp)
            frauds, labelled = int(held.fraud[events].sum()), int((held.fraud | held.good)[events].sum())
            reason = f"joins {int(kind.degree[value]):,} accounts, more than {kind.limit:,}: {kind.reason}"
            joined = int(kind.degree[value]), int(in_window[value]), groups
            rows.append((name, kind.name, *joined, len(events), frauds, labelled, reason))
    rows.sort(key=lambda row: (-int(str(row[3])), str(row[1]), str(row[0])))
    rows = rows[:MOST_HUBS]
    for place in held.web.places:
        used = held.accounts[place.account]
        rows.append(
            ("(all values)", place.name, int(place.degree.max(initial=0)), len(np.unique(place.account[used])),
             len(np.unique(place.value[used])), int((held.current & (place.coded.codes >= 0)).sum()),
             int((held.fraud & held.current).sum()), int(((held.fraud | held.good) & held.current).sum()), place.reason)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(HUBS))
