"""How does each ring fare? Figures of rings on the events of the window and the time before it."""

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

#: A finding is believed when the share of false ones among those like it is at most this.
BELIEVED = 0.05
#: A ring is faster than before when its own pace would bring as many events less often than this.
FASTER = 0.01
#: Most of a ring's events meet one value: so many at least, so large a share, and so many times the rest's.
MEETING = (4, 0.5, 5.0)


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
        q = discovered(measured.either)
        usual_events, usual_frauds = self._usual[2:]
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
                "share_elsewhere": measured.rest,
                "usual_share": np.full(rings, usual_frauds / usual_events if usual_events else np.nan),
                "enrichment": measured.ratio,
                "enrichment_lower": measured.ratio_lower,
                "enrichment_upper": np.where(np.isfinite(measured.ratio_upper), measured.ratio_upper, np.nan),
                "p_value": measured.either,
                "q_value": q,
                "measure_p": ranks,
                "share_in_window": now / np.maximum(1, everything),
                "first_seen": pd.to_datetime(np.where(everything > 0, first, 0), unit="us"),
                "last_seen": pd.to_datetime(np.where(everything > 0, last, 0), unit="us"),
                "density": groups.density,
                "parts": np.array([len(sizes) for sizes in groups.parts], dtype=np.int64),
                "joined_by": np.array(groups.joined_by, dtype=object),
                "found_by": np.array(
                    [
                        "dense block" if not whole else "component" if len(sizes) == 1 else "meeting"
                        for whole, sizes in zip(groups.whole, groups.parts, strict=True)
                    ],
                    dtype=object,
                ),
            }
        )
        told, suspicious = self._told(frame, discovered(ranks), measured)
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
        return fared(
            self.groups.ring,
            self.web.account.codes[at],
            self.fraud[at],
            tellable=self.tellable[at] | self.fraud[at],
            rings=self.groups.rings,
            usual=self._usual[:2],
        )

    @cached_property
    def _usual(self) -> tuple[int, int, int, int]:
        """The baseline's accounts in spans as long as the window: those with fraud, all; and its events, its frauds."""
        scope, codes = self.scope, self.web.account.codes
        start, end = scope.incident.window
        could = scope.baseline & (self.tellable | self.fraud) & ~self.current
        at = np.flatnonzero(could & (codes >= 0))
        span = (scope.times[at] - start) // max(1, end - start)
        keys = codes[at] + (span - span.min(initial=0)) * max(1, self.web.account.size)
        units, unit = np.unique(keys, return_inverse=True)
        ill = np.unique(unit[self.fraud[at]])
        return len(ill), len(units), int(could.sum()), int((could & self.fraud).sum())

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

    def _told(self, frame: pd.DataFrame, measure_q: npt.NDArray[np.float64], measured: Fared) -> tuple[list[str], Mask]:
        by_label = frame["q_value"].to_numpy() <= BELIEVED
        as_rest = by_label & ~(measured.p_value <= BELIEVED)
        unknown = frame["p_value"].isna().to_numpy()
        by_measure = unknown & (measure_q <= BELIEVED) & (frame["kind"] != "standing").to_numpy()
        young = (frame["unlabelled"] > frame["events"] / 2).to_numpy()
        said = []
        for label, only_usual, missing, moved, is_young in zip(
            by_label, as_rest, unknown, by_measure, young, strict=True
        ):
            if label:
                said.append("more fraud than usual" if only_usual else "more fraud than elsewhere")
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
