"""What lies beside a rule's cut, given the live rules: events and frauds in bands, and one step either way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.bunching import Bunching, bunching
from riskbench.metrics.curve import FRAUD, GOOD, hit_at
from riskbench.metrics.intervals import Z95, wilson
from riskbench.metrics.price import Price
from riskbench.rules.sweep import Sweep

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Row = dict[str, object]

#: Where "further away" begins and ends, as shares of the cut.
FURTHER = (0.10, 0.50)
#: What crowding is told from where too few events meet the rule's other conditions.
EVERYONE = "all events"
#: "Just beside": a share of the cut, or one step where that is more.
JUST, NEAR = 0.05, "just beside: 5 % or one step"


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """A cut with the events that it matters to.

    Attributes
    ----------
    sweep : Sweep
        What the cut does to each event.
    cut : float
        Where it stands.
    within : ndarray of bool, shape (rows,)
        The events for which it stands there: a region may have its own.
    kinds : ndarray of int8, shape (rows,)
        0 good, 1 fraud, 2 unlabelled.
    money : ndarray of int64, shape (rows,)
        The loss of frauds and the margin of good events, in minor units.
    price : Price
        What an event is worth at each level.
    whole : bool
        Whether the quantity is a whole number for every event.
    """

    sweep: Sweep
    cut: float
    within: Mask
    kinds: npt.NDArray[np.int8]
    money: npt.NDArray[np.int64]
    price: Price
    whole: bool

    @property
    def asked(self) -> Mask:
        """Events that the rule hits or not by the cut alone, whatever other rules do."""
        sweep = self.sweep
        return self.within & ~sweep.always & ~sweep.never & np.isfinite(sweep.value)

    @property
    def decided(self) -> Mask:
        """Events for which the cut changes the outcome: no live rule before it or beside it decides the same."""
        return self.asked & (self.sweep.base != self.sweep.hit)

    @property
    def outside(self) -> Floats:
        """How far each event lies on the safe side of the cut; below 0 (or at it) where it is hit."""
        return self.cut - self.sweep.value if self.sweep.op in (">", ">=") else self.sweep.value - self.cut

    @property
    def size(self) -> float:
        """What shares are taken of: the cut; where it is zero, the spread of the middle half."""
        if self.cut:
            return abs(self.cut)
        seen = self.sweep.value[self.asked]
        spread = float(np.subtract(*np.percentile(seen, [75, 25]))) if len(seen) else 0.0
        return spread or 1.0

    @property
    def step(self) -> float:
        """The next readable value: one for whole numbers, else the largest of 1, 2, 5, 10, ... up to 5 % of the cut."""
        return 1.0 if self.whole else readable_step(0.05 * self.size)


def readable_step(most: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is at most a number.

    >>> readable_step(0.2), readable_step(75_000.0)
    (0.2, 50000.0)
    """
    power = math.floor(math.log10(most) + 1e-12)
    lead = max(lead for lead in (1, 2, 5) if lead * 10.0**power <= most * (1 + 1e-12))
    return float(f"{lead}e{power}")


def band_rows(beside: Beside, bands: Sequence[float]) -> list[Row]:
    """Return one row a band on the safe side, then one step, further away, and the rule's own hits.

    Only events for which no other live rule decides the same count. Fraud shares are of labelled events.
    """
    size, outside = beside.size, beside.outside
    safe = beside.decided & ~hit_at(beside.sweep.value, beside.sweep.op, beside.cut)
    hit = beside.decided & hit_at(beside.sweep.value, beside.sweep.op, beside.cut)
    near = 1e-9 * size
    parts = [
        (f"{share:g}".rstrip("0") and f"{100 * share:g} %", safe & (outside <= share * size + near)) for share in bands
    ]
    parts.append(("one step", safe & (outside <= beside.step + near)))
    parts.append((NEAR, safe & (outside <= max(JUST * size, beside.step) + near)))
    further = safe & (outside > FURTHER[0] * size + near) & (outside <= FURTHER[1] * size + near)
    parts += [(f"further, {100 * FURTHER[0]:g} to {100 * FURTHER[1]:g} %", further), ("hit by it alone", hit)]
    hits = int(np.count_nonzero(hit))
    return [_counted(name, beside, inside, hits=hits) for name, inside in parts]


def _counted(name: str, beside: Beside, inside: Mask, *, hits: int) -> Row:
    count = np.bincount(beside.kinds[inside], minlength=3)
    frauds, goods = int(count[FRAUD]), int(count[GOOD])
    share, lower, upper = (float(part) for part in wilson(frauds, frauds + goods))
    events = int(count.sum())
    return {
        "band": name,
        "events": events,
        "of_hits": events / hits if hits else None,
        "frauds": frauds,
        "goods": goods,
        "unlabelled": int(count[2]),
        "fraud_share": share,
        "lower": lower,
        "upper": upper,
    }


def step_rows(beside: Beside) -> list[Row]:
    """Return what moving the cut by one step changes: looser (hits more) and stricter (hits fewer).

    The change is paired: only events between the two cuts count, in value and interval.
    """
    sweep, low, high = beside.sweep, beside.sweep.minimum, beside.sweep.maximum
    looser = -beside.step if sweep.op in (">", ">=") else beside.step
    now = hit_at(sweep.value, sweep.op, beside.cut)
    rows: list[Row] = []
    for word, move in (("looser", looser), ("stricter", -looser)):
        cut = float(f"{beside.cut + move:.12g}")
        row: Row = {"step": word, "cut": cut}
        if (low is not None and cut < low) or (high is not None and cut > high):
            rows.append(row | {"why": "beyond what the rule book allows"})
            continue
        at = np.flatnonzero(beside.decided & (hit_at(sweep.value, sweep.op, cut) != now))
        count = np.bincount(beside.kinds[at], minlength=3)
        sign = 1 if word == "looser" else -1
        row |= {
            "events": sign * len(at),
            "frauds": sign * int(count[FRAUD]),
            "goods": sign * int(count[GOOD]),
            "n": len(at),
        }
        if not len(at):
            rows.append(row | {"why": "no event lies between the two cuts"})
            continue
        if not count[FRAUD] + count[GOOD]:
            rows.append(row | {"why": "no event between the two cuts has a verdict"})
            continue
        kinds, money = beside.kinds[at], beside.money[at]
        gain = beside.price.gain(kinds, money, before=sweep.base[at], after=sweep.hit[at])
        change, half = sign * float(gain.sum()), Z95 * math.sqrt(float((gain**2).sum()))
        rows.append(row | {"net_value": change, "lower": change - half, "upper": change + half})
    return rows


def crowding(beside: Beside, before: Mask | None) -> tuple[Bunching, str]:
    """Return whether events crowd just under the cut, and which events say so.

    Those that the cut matters to say it best; where they are too few, all events do.

    Parameters
    ----------
    beside : Beside
        The cut.
    before : ndarray of bool, optional
        Events from before the rule was there.
    """
    value = beside.sweep.value
    found = Bunching(0, why="no events")
    for mask, words in (
        (beside.asked, "events the cut matters to"),
        (beside.within & np.isfinite(value), "all events"),
    ):
        if beside.sweep.gridded:
            return Bunching(0, why="the parameter stands in no simple comparison"), words
        if before is None:
            found = bunching(value[mask], beside.cut, beside.sweep.op)
        else:
            past = value[mask & before]
            found = bunching(value[mask & ~before], beside.cut, beside.sweep.op, before=past)
        if found.why is None:
            return found, words
    return found, EVERYONE


def density_rows(beside: Beside, *, everyone: bool, bins: int = 24, reach: float = 0.5) -> list[Row]:
    """Return events and frauds by windows on both sides of the cut; the cut itself is an edge.

    Of the events that the cut matters to, or with `everyone` of all.
    """
    size = beside.size
    width = max(1.0, round(2 * reach * size / bins)) if beside.whole else 2 * reach * size / bins
    outside = beside.outside
    counted = beside.within & np.isfinite(beside.sweep.value) if everyone else beside.asked
    exclusive = beside.sweep.op in (">=", "<=")
    steps = np.ceil(outside / width - 1e-12) - 1 if exclusive else np.floor(outside / width + 1e-12)
    half = bins // 2
    inside = counted & (steps >= -half) & (steps < half)
    at = (steps[inside] + half).astype(np.int64)
    events = np.bincount(at, minlength=2 * half)
    frauds = np.bincount(at[beside.kinds[inside] == FRAUD], minlength=2 * half)
    sign = -1.0 if beside.sweep.op in (">", ">=") else 1.0
    rows: list[Row] = []
    for place in range(2 * half):
        ends = sorted((beside.cut + sign * width * (place - half), beside.cut + sign * width * (place - half + 1)))
        rows.append(
            {
                "low": ends[0],
                "high": ends[1],
                "hit": place < half,
                "events": int(events[place]),
                "frauds": int(frauds[place]),
            }
        )
    return sorted(rows, key=lambda row: float(row["low"]))  # type: ignore[arg-type]
