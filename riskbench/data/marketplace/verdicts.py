"""Who told what about each event, and when: verdicts by source, with delay, error, and silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.marketplace.people import Floats, Ints, Rng
from riskbench.data.marketplace.region import DAY, HOUR, SECOND, Region

Mask = npt.NDArray[np.bool_]

SOURCES = (
    "chargeback",
    "instant_dispute",
    "complaint",
    "refused_delivery",
    "return_verdict",
    "investigation",
    "ban",
    "appeal_overturned",
)
CHARGEBACK, DISPUTE, COMPLAINT, REFUSED, RETURNED, INVESTIGATION, BAN, OVERTURNED = range(len(SOURCES))


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Single verdicts, one row each, in no order: event, source, time, verdict (1 fraud), rule that caused it."""

    event: Ints
    source: npt.NDArray[np.int8]
    time: Ints
    verdict: npt.NDArray[np.int8]
    rule: npt.NDArray[np.int8]

    @classmethod
    def joined(cls, parts: Sequence[Told]) -> Told:
        """Return several lots of verdicts as one."""
        return cls(
            *(np.concatenate([getattr(p, n) for p in parts]) for n in ("event", "source", "time", "verdict", "rule"))
        )

    def where(self, keep: Mask) -> Told:
        """Return the verdicts at which a mask is true."""
        return Told(self.event[keep], self.source[keep], self.time[keep], self.verdict[keep], self.rule[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Each event's latest verdict.

    Attributes
    ----------
    fraud : ndarray of int8
        1 fraud, 0 good or silence, -1 nobody could tell.
    time : ndarray of int64
        When it became known; 0 for silence.
    source, rule : ndarray of int8
        Who told, and the rule that caused it; -1 for nobody.
    """

    fraud: npt.NDArray[np.int8]
    time: Ints
    source: npt.NDArray[np.int8]
    rule: npt.NDArray[np.int8]


def tell(event: Ints, source: Ints | int, time: Ints, verdict: int, *, rule: Ints | int = -1) -> Told:
    """Return verdicts about some events."""
    size = len(event)
    return Told(
        event,
        np.broadcast_to(np.asarray(source, dtype=np.int8), size),
        time,
        np.full(size, verdict, dtype=np.int8),
        np.broadcast_to(np.asarray(rule, dtype=np.int8), size),
    )


def medians(regions: Sequence[Region]) -> Floats:
    """Return the median days to a verdict, regions x sources."""
    return np.array([[region.delays[source] for source in SOURCES] for region in regions])


def delayed(rng: Rng, moment: Ints, days: Floats, *, spread: float = 0.55) -> Ints:
    """Return moments some days later, the days being a median."""
    wait = days * np.exp(rng.normal(0.0, spread, len(moment)))
    return moment + np.maximum(wait * DAY, HOUR).astype(np.int64) // SECOND * SECOND


def pick_sources(rng: Rng, kinds: Ints, weights: Mapping[int, Mapping[str, float]]) -> Ints:
    """Return a source for each event by the weights of its kind."""
    drawn = np.full(len(kinds), INVESTIGATION, dtype=np.int64)
    for kind, held in weights.items():
        rows = np.flatnonzero(kinds == kind)
        if not len(rows):
            continue
        names = [SOURCES.index(name) for name in held]
        share = np.cumsum(np.array(list(held.values()), dtype=float))
        place = np.searchsorted(share / share[-1], rng.random(len(rows)), side="right")
        drawn[rows] = np.array(names)[np.minimum(place, len(names) - 1)]
    return drawn


def reviewed(rng: Rng, rows: Ints, moment: Ints, fraud: Mask, rule: Ints, *, catch: float) -> tuple[Told, Mask]:
    """Return the verdicts of reviewers, and which of the events they called fraud."""
    called = np.where(fraud, rng.random(len(rows)) < catch, rng.random(len(rows)) < 0.02)
    when = moment + ((2.0 + 46.0 * rng.random(len(rows)) ** 1.5) * HOUR).astype(np.int64) // SECOND * SECOND
    told = Told.joined(
        [
            tell(rows[called], INVESTIGATION, when[called], 1, rule=rule[called]),
            tell(rows[~called], INVESTIGATION, when[~called], 0, rule=rule[~called]),
        ]
    )
    return told, called


def settle(told: Told, rows: int, snapshot: Ints, *, silent: Mask) -> tuple[Labels, Told]:
    """Return each event's latest verdict known at its snapshot, and those verdicts in order of time.

    Parameters
    ----------
    told : Told
        All verdicts, those after the snapshot too.
    rows : int
        The number of events.
    snapshot : ndarray of int64
        The moment of each event's region at which the data ends.
    silent : ndarray of bool
        Where no verdict means no verdict, rather than good.
    """
    known = told.where(told.time < snapshot[told.event])
    order = np.lexsort((known.event, known.time))
    known = known.where(order)  # type: ignore[arg-type]
    fraud = np.where(silent, np.int8(-1), np.int8(0))
    time = np.zeros(rows, dtype=np.int64)
    source, rule = np.full(rows, -1, dtype=np.int8), np.full(rows, -1, dtype=np.int8)
    # Later verdicts stand behind earlier ones, so that they stay. A good verdict never hides a fraud already
    # told, unless an appeal overturned it.
    goods = known.verdict == 0
    for part in (goods & (known.source != OVERTURNED), ~goods, known.source == OVERTURNED):
        event = known.event[part]
        fraud[event], time[event] = known.verdict[part], known.time[part]
        source[event], rule[event] = known.source[part], known.rule[part]
    return Labels(fraud, time, source, rule), known
