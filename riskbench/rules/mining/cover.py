"""Which few rules, one after the other, are worth most on the events that they are found on?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD
from riskbench.data.lot import hashes
from riskbench.errors import DataError
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.paying import clustered
from riskbench.rules.mining.field import Field
from riskbench.rules.mining.figures import kept, rates, with_rules
from riskbench.rules.mining.pieces import Piece, binned
from riskbench.rules.mining.refine import holds, refined
from riskbench.rules.mining.search import Ground, State, foremost, searched

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: At most so many events that are no target are searched; more are drawn by lot and weighted.
MOST_OTHERS = 60_000
#: So many of a search's conjunctions are weighed by their spread before one is taken.
_WEIGHED = 200
#: What is taken is worth most after so many standard errors are taken off: luck looks best in small numbers.
_CAUTION = 1.0
#: Under a limit on alerts, a search each charges a hit so much of what catching a fraud is worth on average.
_CHARGES = (0.0, 0.05, 0.15, 0.35)


@dataclass(frozen=True, eq=False)
class Pick:
    """One conjunction that was taken.

    Attributes
    ----------
    pieces : tuple of Piece
        Its conditions.
    level : int
        The outcome that it is worth most at.
    hit : ndarray of intp
        The events that it hits, as places in the cover's rows.
    """

    pieces: tuple[Piece, ...]
    level: int
    hit: Rows


class Cover:
    """The search for a list of rules: bins are made once, the events hit are taken away after each rule.

    Parameters
    ----------
    field : Field
        The events.
    levels : sequence of int
        The outcomes that a rule may have.
    terms : int
        The most conditions in a rule.
    monotone : mapping of str to int
        Which way a cut may point.
    fewest : int
        Target events that a rule must hit at least.
    seed : int
        Of the lot, where there are many events.
    """

    def __init__(
        self, field: Field, levels: Sequence[int], *, terms: int, monotone: Mapping[str, int], fewest: int, seed: int
    ) -> None:
        self.field, self.levels, self.terms = field, tuple(levels), terms
        can = np.logical_or.reduce([field.raised(level) for level in self.levels]) & field.windows.choose.mask
        gentle = np.array([effect == "none" for effect in field.effects])
        self.let = (field.kinds == FRAUD) & gentle[field.level]
        self.rows = np.flatnonzero(can)
        target = self.let[self.rows]
        self.sought, self.others = int(target.sum()), int((~target).sum())
        self.at_least = max(fewest, self.sought // 100)
        self.columns = tuple(
            binned(name, column, self.rows, target, way=monotone.get(name, 0), fine=True)
            for name, column in field.columns.items()
        )
        self.bins = {column.name: column for column in self.columns}
        self.lot, self.weight = _lot(field, self.rows, target, seed=seed)
        self.target = target[self.lot]
        self.searched = tuple(replace(column, codes=column.codes[self.lot]) for column in self.columns)

    @property
    def drawn(self) -> int:
        """How many other events were drawn by lot; 0 where all are searched."""
        return len(self.lot) - self.sought if len(self.lot) < len(self.rows) else 0

    @property
    def charges(self) -> tuple[float, ...]:
        """What a hit is charged in turn: nothing, and shares of what catching a fraud is worth."""
        gain = max(float(self.worth(level)[self.let[self.rows]].mean()) for level in self.levels)
        return tuple(share * max(gain, 0.0) for share in _CHARGES)

    def worth(self, level: int) -> Floats:
        """Return what raising each event to an outcome is worth."""
        return self.field.worth_of(level)[self.rows]

    def mask(self, pick: Pick) -> Mask:
        """Return which of all events a pick hits."""
        hit = np.zeros(self.field.events.rows, dtype=bool)
        hit[self.rows[pick.hit]] = True
        return hit

    def worth_together(self, picks: Sequence[Pick]) -> float:
        """Return what picks are worth together where they were found."""
        open_ = np.ones(len(self.rows), dtype=bool)
        total = 0.0
        for pick in picks:
            own = pick.hit[open_[pick.hit]]
            total += float(np.sort(self.worth(pick.level)[own]).sum())
            open_[own] = False
        return total

    def picks(self, most: int, *, charge: float = 0.0) -> list[Pick]:
        """Return the rules, the most valuable first, each on the events that those before it leave.

        Parameters
        ----------
        most : int
            The most rules.
        charge : float
            What each hit costs beside what it is worth, in major units: the price of a limit on alerts.
        """
        rows = np.arange(len(self.lot))
        worths = {level: (self.worth(level)[self.lot] - charge) * self.weight for level in self.levels}
        grounds = {
            level: Ground.of(self.searched, self.target, worth, at_least=self.at_least)
            for level, worth in worths.items()
        }
        made: list[Pick] = []
        while len(made) < most and int(self.target[rows].sum()) >= self.at_least:
            best = self._best(rows, grounds, worths)
            if best is None:
                break
            state, level = best
            places = self.lot[rows]
            pieces, hit = refined(
                state.pieces,
                self.field.columns,
                self.bins,
                rows=self.rows[places],
                places=places,
                worth=worths[level][rows],
            )
            if not hit.any():
                break
            made.append(Pick(pieces, level, self._every(pieces)))
            rows = rows[~hit]
        return made

    def chosen(
        self, pool: Sequence[Pick], most: int, fits: Callable[[Sequence[tuple[Mask, int]]], bool], *, by_hit: bool
    ) -> list[Pick]:
        """Return picks of a pool, one after the other by worth (or by worth a hit), while limits are kept."""
        left, open_ = list(pool), np.ones(len(self.rows), dtype=bool)
        made: list[Pick] = []
        while left and len(made) < most:
            ranked = []
            for place, pick in enumerate(left):
                fresh = pick.hit[open_[pick.hit]]
                worth = np.sort(self.worth(pick.level)[fresh])
                sure = float(worth.sum()) - _CAUTION * float(np.sqrt((worth**2).sum()))
                if sure > 0:
                    ranked.append((-(sure / len(fresh) if by_hit else sure), place))
            best = next(
                (place for _, place in sorted(ranked) if fits([(self.mask(p), p.level) for p in (*made, left[place])])),
                None,
            )
            if best is None:
                break
            pick = left.pop(best)
            made.append(pick)
            open_[pick.hit] = False
        return made

    def needed(self, picks: Sequence[Pick]) -> list[Pick]:
        """Return the picks without those all of whose hits others decide as harshly: narrow forms of a wider rule."""
        left = list(picks)
        for pick in picks:
            others = np.zeros(len(self.rows), dtype=bool)
            for other in left:
                if other is not pick and other.level >= pick.level:
                    others[other.hit] = True
            if others[pick.hit].all():
                left = [other for other in left if other is not pick]
        return left

    def _every(self, pieces: tuple[Piece, ...]) -> Rows:
        """Return all events that conditions hit, those that rules before them hit too."""
        hit = np.arange(len(self.rows))
        for piece in pieces:
            column, own = self.field.columns[piece.column], self.bins[piece.column]
            hit = hit[holds(piece, column, own, self.rows[hit], hit)]
        return hit

    def _best(
        self, rows: Rows, grounds: Mapping[int, Ground], worths: Mapping[int, Floats]
    ) -> tuple[State, int] | None:
        """Return the conjunction that is most surely worth something on some events, and its outcome."""
        held = []
        for level, ground in grounds.items():
            for state in foremost(searched(ground, terms=self.terms, rows=rows), _WEIGHED):
                score = self.sure(worths[level][state.hit], state.hit)
                if score > 0:
                    held.append((-score, state.order, level, state))
        if not held:
            return None
        best = min(held, key=lambda one: one[:3])
        return best[3], best[2]

    def sure(self, worth: Floats, places: Rows) -> float:
        """Return what some searched events are worth, less its standard error: by event, by entity and by week."""
        rows = self.rows[self.lot[places]]
        groups = [*self.field.groups, self.field.events.weeks[0]]
        spread = max([float((np.sort(worth) ** 2).sum()), *(clustered(worth, codes[rows]) for codes in groups)])
        return float(np.sort(worth).sum()) - _CAUTION * spread**0.5


def _lot(field: Field, rows: Rows, target: Mask, *, seed: int) -> tuple[Rows, Floats]:
    """Return the places of the events that are searched, and each one's weight: all targets, others by lot."""
    others = np.flatnonzero(~target)
    if len(others) <= MOST_OTHERS:
        return np.arange(len(rows)), np.ones(len(rows))
    marks = hashes(field.events, field.events.roles.id, seed)[rows[others]]
    drawn = others[np.argsort(marks, kind="stable")[:MOST_OTHERS]]
    chosen = np.sort(np.concatenate([np.flatnonzero(target), drawn]))
    return chosen, np.where(target[chosen], 1.0, len(others) / MOST_OTHERS)


def picked(field: Field, cover: Cover, most: int, limits: Sequence[Constraint]) -> list[Pick]:
    """Return the rules found; under limits those of many searches that are worth most within them.

    Each search charges a hit more, so that its rules hit fewer events more surely; of all of them the one worth
    most, or worth most a hit, is taken while the limits are kept.

    Raises
    ------
    DataError
        When the live book alone breaks the limits.
    """
    if not limits:
        return cover.picks(most)

    def fits(hit: Sequence[tuple[Mask, int]]) -> bool:
        return kept(rates(field, with_rules(field, hit), field.windows.choose.mask), limits)

    if not fits([]):
        raise DataError(
            "The live book alone breaks the limits on the earlier events, so there is no room for new rules.",
            got=", ".join(str(limit) for limit in limits),
        )
    pool: dict[tuple[tuple[Piece, ...], int], Pick] = {}
    for charge in cover.charges:
        for pick in cover.picks(most, charge=charge):
            pool.setdefault((pick.pieces, pick.level), pick)
    chosen = [cover.chosen(list(pool.values()), most, fits, by_hit=way) for way in (False, True)]
    return cover.needed(max(chosen, key=cover.worth_together))
