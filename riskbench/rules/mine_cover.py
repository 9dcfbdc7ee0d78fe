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
from riskbench.rules.mine_field import Field
from riskbench.rules.mine_figures import kept, rates, with_rules
from riskbench.rules.mine_search import Ground, State, searched
from riskbench.rules.pieces import Piece, binned

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: At most so many events that are no target are searched; more are drawn by lot and weighted.
MOST_OTHERS = 60_000
#: So many of a search's conjunctions are weighed by their spread before one is taken.
_WEIGHED = 40
#: What is taken is worth most after so many standard errors are taken off: luck looks best in small numbers.
_CAUTION = 1.0
#: How often the charge on a hit is halved or doubled until a limit is just kept.
_STEPS = 6


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
        can = np.logical_or.reduce([field.raised(level) for level in self.levels]) & field.parts.earlier
        gentle = np.array([effect == "none" for effect in field.effects])
        self.let = (field.kinds == FRAUD) & gentle[field.level]
        self.rows = np.flatnonzero(can)
        target = self.let[self.rows]
        self.sought, self.others = int(target.sum()), int((~target).sum())
        self.at_least = max(fewest, self.sought // 100)
        self.columns = tuple(
            binned(name, column, self.rows, target, way=monotone.get(name, 0)) for name, column in field.columns.items()
        )
        self.lot, self.weight = _lot(field, self.rows, target, seed=seed)
        self.target = target[self.lot]
        self.searched = tuple(replace(column, codes=column.codes[self.lot]) for column in self.columns)

    @property
    def drawn(self) -> int:
        """How many other events were drawn by lot; 0 where all are searched."""
        return len(self.lot) - self.sought if len(self.lot) < len(self.rows) else 0

    @property
    def dearest(self) -> float:
        """The largest worth of a hit: at such a charge nothing pays."""
        return max(float(self.worth(level).max(initial=0.0)) for level in self.levels)

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

    def picks(self, most: int, *, charge: float = 0.0, fits: Callable[[list[Pick]], bool] | None = None) -> list[Pick]:
        """Return the rules, the most valuable first, each on the events that those before it leave.

        Parameters
        ----------
        most : int
            The most rules.
        charge : float
            What each hit costs beside what it is worth, in major units: the price of a limit on alerts.
        fits : callable, optional
            Whether a list keeps to the limits.
        """
        rows = np.arange(len(self.lot))
        made: list[Pick] = []
        worths = {level: (self.worth(level)[self.lot] - charge) * self.weight for level in self.levels}
        for _ in range(most):
            best = self._best(rows, worths)
            if best is None:
                break
            state, level = best
            made.append(Pick(state.pieces, level, self._every(state)))
            if fits is not None and not fits(made):
                made.pop()
                break
            rows = np.setdiff1d(rows, state.hit, assume_unique=True)
            if int(self.target[rows].sum()) < self.at_least:
                break
        return made

    def _every(self, state: State) -> Rows:
        """Return all events that a conjunction hits, those that rules before it hit too."""
        hit = np.arange(len(self.rows))
        codes = {column.name: column.codes for column in self.columns}
        for piece in state.pieces:
            hit = hit[piece.meets(codes[piece.column][hit])]
        return hit

    def _best(self, rows: Rows, worths: Mapping[int, Floats]) -> tuple[State, int] | None:
        if int(self.target[rows].sum()) < self.at_least:
            return None
        held: list[tuple[float, int, tuple[int, str], State, int]] = []
        for level in self.levels:
            worth = worths[level]
            ground = Ground.of(self.searched, self.target, worth, at_least=self.at_least)
            found = searched(ground, terms=self.terms, rows=rows)
            for state in sorted(found, key=lambda one: (-one.score(1.0), one.order))[:_WEIGHED]:
                each = np.sort(worth[state.hit])
                score = float(each.sum()) - _CAUTION * float(np.sqrt((each**2).sum()))
                if score > 0:
                    held.append((-score, len(state.pieces), state.order, state, level))
        if not held:
            return None
        best = min(held, key=lambda one: one[:3])
        return best[3], best[4]


def _lot(field: Field, rows: Rows, target: Mask, *, seed: int) -> tuple[Rows, Floats]:
    """Return the places of the events that are searched, and each one's weight: all targets, others by lot."""
    others = np.flatnonzero(~target)
    if len(others) <= MOST_OTHERS:
        return np.arange(len(rows)), np.ones(len(rows))
    marks = hashes(field.events, field.events.roles.id, seed)[rows[others]]
    drawn = others[np.argsort(marks, kind="stable")[:MOST_OTHERS]]
    chosen = np.sort(np.concatenate([np.flatnonzero(target), drawn]))
    return chosen, np.where(target[chosen], 1.0, len(others) / MOST_OTHERS)


def picked(field: Field, cover: Cover, most: int, limits: tuple[Constraint, ...]) -> list[Pick]:
    """Return the rules found; under limits those worth most, by a charge on each hit that makes room."""

    def fits(picks: list[Pick]) -> bool:
        level = with_rules(field, [(cover.mask(pick), pick.level) for pick in picks])
        return kept(rates(field, level, field.parts.earlier), limits)

    if not limits:
        return cover.picks(most)
    if not fits([]):
        raise DataError(
            "The live book alone breaks the limits on the earlier events, so there is no room for new rules.",
            got=", ".join(str(limit) for limit in limits),
        )
    best = cover.picks(most, fits=fits)
    most_paid, low, high = cover.worth_together(best), 0.0, cover.dearest
    for _ in range(_STEPS):
        charge = (low + high) / 2 if low else high / 16
        found = cover.picks(most, charge=charge, fits=None)
        if fits(found):
            high = charge
        else:
            low, found = charge, cover.picks(most, charge=charge, fits=fits)
        worth = cover.worth_together(found)
        if worth > most_paid:
            best, most_paid = found, worth
    return best
