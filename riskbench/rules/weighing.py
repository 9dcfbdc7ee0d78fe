"""What is it worth that some events are decided otherwise? One row of counts and money, with a paired interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import ladder
from riskbench.engine.bits import Bits, Words
from riskbench.metrics.costs import Costs
from riskbench.metrics.discovery import q_values
from riskbench.metrics.money import money_chance, money_interval
from riskbench.metrics.price import Price, price
from riskbench.rules.hits import Hits, resolve
from riskbench.rules.moves import Moves, Usual, parts_of
from riskbench.rules.signature import events_by
from riskbench.rules.standing import Standing

Levels = npt.NDArray[np.int8]
Rows = npt.NDArray[np.intp]

#: Fewer events with a verdict than this are no evidence of money.
FEWEST = 10
#: What surely earns or costs does so at this rate of false discoveries.
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Weighed:
    """What changes where the outcome of events changes.

    Attributes
    ----------
    flips : int
        Events whose outcome changes.
    frauds, good, unlabelled : int
        What is known of them.
    fraud_value, good_value : float
        Their value, in major units; NaN without money.
    insults, reviews : int
        By how many good events held or stopped, and how many reviews, there are more.
    net_value, lower, upper : float or None
        The change in net value, in major units, with its 95 % interval; None with too few verdicts.
    """

    flips: int
    frauds: int
    good: int
    unlabelled: int
    fraud_value: float
    good_value: float
    insults: int
    reviews: int
    net_value: float | None
    lower: float | None
    upper: float | None

    @property
    def n(self) -> int:
        """The events that the net value rests on: those with a verdict."""
        return self.frauds + self.good

    @property
    def p_value(self) -> float | None:
        """How often chance alone would change net value so much; None with too few verdicts."""
        if self.net_value is None or self.lower is None:
            return None
        return float(money_chance(self.net_value, self.lower, self.upper or 0.0))


def readings(held: Sequence[Weighed]) -> tuple[list[float | None], list[str]]:
    """Return the q-value of each change that was weighed in one look, and what its numbers say in words.

    A change surely earns or costs at a rate of false discoveries of 5 % among all that are looked at together.
    """
    p = [one.p_value for one in held]
    measured = [place for place, value in enumerate(p) if value is not None]
    q: list[float | None] = [None] * len(held)
    for place, value in zip(measured, q_values([p[place] for place in measured]).tolist(), strict=True):  # type: ignore[arg-type]
        q[place] = value
    said = []
    for one, value in zip(held, q, strict=True):
        if not one.flips:
            said.append("changes no outcome")
        elif value is None or one.net_value is None:
            said.append(f"not measurable: {one.n:,} with a verdict, {FEWEST} needed")
        elif value > LEVEL:
            said.append("not shown")
        else:
            said.append("surely earns" if one.net_value > 0 else "surely costs")
    return q, said


class Scale:
    """What weighs changes of outcome on one book's hits."""

    def __init__(self, held: Hits, costs: Costs) -> None:
        self.held = held
        self.effects = tuple(rung.effect for rung in ladder(held.book.domain).rungs)
        self.price: Price = price(held.worth, costs, self.effects, scale=held.scale)
        self.kinds, self.stake = held.kinds, held.stake
        self.standing = Standing(held, costs)
        self.usual = Usual.of(events_by(held, np.zeros(held.bits.rows, dtype=np.int64), 1))
        self.hard = np.isin(self.effects, ["review", "stop"])
        self.review = np.array([effect == "review" for effect in self.effects])

    def weigh(
        self,
        was: Levels,
        now: Levels,
        rows: Rows | None = None,
        *,
        named: npt.NDArray[np.integer] | None = None,
    ) -> Weighed:
        """Return what changes when outcomes go from one level to another, among some events or all.

        `named` says which entity that is named beforehand each event belongs to, below 0 where to none: its events
        are what is judged, and no draw of one among others.
        """
        rows = np.flatnonzero(was != now) if rows is None else rows[was[rows] != now[rows]]
        first, last = was[rows], now[rows]
        kinds, value = self.kinds[rows], self.held.worth.value[rows]
        fraud, good = kinds == FRAUD, kinds == GOOD
        each = self.each(rows, first, last)
        net = float(each.sum()) + 0.0
        levels = len(self.effects)
        cells = events_by(self.held, first.astype(np.int64) * levels + last, levels**2, rows=rows)
        parts = parts_of(Moves(cells, 1, levels), self.price, self.usual)
        told = self.standing.together(rows, was=was, now=now, named=None if named is None else named[rows])
        low, high = (float(end[0]) for end in money_interval(np.array([net]), parts, together=told.all))
        enough = int(fraud.sum() + good.sum()) >= FEWEST
        scale = self.held.scale
        hard = self.hard.astype(np.int64)
        review = self.review.astype(np.int64)
        return Weighed(
            flips=len(rows),
            frauds=int(fraud.sum()),
            good=int(good.sum()),
            unlabelled=int(len(rows) - fraud.sum() - good.sum()),
            fraud_value=float(value[fraud].sum()) / scale,
            good_value=float(value[good].sum()) / scale,
            insults=int((hard[last] - hard[first])[good].sum()),
            reviews=int((review[last] - review[first]).sum()),
            net_value=net if enough else None,
            lower=low if enough else None,
            upper=high if enough else None,
        )

    def each(self, rows: Rows, first: Levels, last: Levels) -> npt.NDArray[np.float64]:
        """Return what each of some events is worth more, in major units."""
        kinds, stake = self.kinds[rows], self.stake[rows]
        return self.price.gain(kinds, stake, before=first, after=last)

    def levels(self, lines: dict[int, Words]) -> Levels:
        """Return what the book decides when some rules hit other events."""
        if not lines:
            return self.held.resolution.level
        words = self.held.bits.words.copy()
        for place, line in lines.items():
            words[place] = line
        return resolve(self.held.book, Bits(words, self.held.bits.rows)).level
