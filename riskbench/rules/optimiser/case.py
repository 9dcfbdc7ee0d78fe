"""What does an edit change on events that it was not chosen on? Paired, with an interval and a chance of luck."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import Effect, ladder
from riskbench.errors import DataError
from riskbench.metrics.costs import Costs
from riskbench.metrics.paying import chance_of_luck
from riskbench.metrics.price import Price, price
from riskbench.rules.hits import Hits
from riskbench.rules.moves import Usual, changes_of, moves, swell
from riskbench.rules.optimiser.edit import Forms
from riskbench.rules.optimiser.search import Stand, decided
from riskbench.rules.signature import KINDS, Cells, Signatures, events_by, signatures

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int8]

#: An edit surely pays where luck would look so good in at most so many of a hundred searches.
LEVEL = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The events of both windows, by the set of forms of rules that hits them.

    Attributes
    ----------
    held : Hits
        The hits of every form.
    forms : Forms
        Which forms there are.
    table : Signatures
        The distinct sets of forms.
    choose, report : Cells
        Counts and money of each set, on the window to choose on and on the later one.
    later : ndarray of bool, shape (rows,)
        The events of the later window.
    price : Price
        What each outcome is worth.
    effects : tuple of str
        The effect of each outcome.
    """

    held: Hits
    forms: Forms
    table: Signatures
    choose: Cells
    report: Cells
    later: Mask
    price: Price
    effects: tuple[Effect, ...]
    known: dict[bytes, Small] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, held: Hits, made: Forms, costs: Costs, *, first: Mask, later: Mask) -> Ground:
        """Return the ground of a book's hits."""
        own = Hits(made.book, held.dataset, made.bits, held.asof, held.lapsed, held.day, made.written).at(costs)
        table = signatures(own)
        codes = table.pattern * np.int32(KINDS) + np.where(
            first, np.int32(1), np.where(later, np.int32(2), np.int32(0))
        )
        cells = events_by(own, codes, len(table) * KINDS)
        places = np.arange(len(table)) * KINDS
        effects = tuple(rung.effect for rung in ladder(made.book.domain).rungs)
        priced = price(own.worth, costs, effects, scale=held.scale)
        return cls(own, made, table, cells.take(places + 1), cells.take(places + 2), later, priced, effects)

    def levels(self, stand: Stand) -> Small:
        """Return the ladder level of each set under a stand; counted once."""
        if stand.key not in self.known:
            level = decided(self.table.starts, self.table.rules, self.forms.slot, stand)[1]
            self.known[stand.key] = level.astype(np.int8)
        return self.known[stand.key]

    def changes(self, before: Stand, after: Stand) -> dict[str, float]:
        """Return what changes on the later window, in the columns of `moves.COLUMNS`, as comparing the books tells."""
        was, now = self.levels(before), self.levels(after)
        picked = np.flatnonzero(was != now)
        cells = self.report
        held = moves(cells, was[picked], now[picked], levels=len(self.effects), picked=picked)
        scale = self.held.dataset.currency.scale if self.held.worth.money else np.nan
        rows, value = self._flips(was, now)
        together, _ = swell(self.held, rows, value)
        made = changes_of(held, self.price, self.effects, scale=scale, usual=Usual.of(cells), together=together)
        return {name: column[0].item() for name, column in made.items()}

    def totals(self, cells: Cells, stand: Stand) -> Cells:
        """Return the cells of each ladder level under a stand."""
        return cells.summed(self.levels(stand), len(self.effects))

    def luck(self, before: Stand, after: Stand) -> float | None:
        """Return the chance that a change worth nothing looks so good on the later window; None without a verdict."""
        was, now = self.levels(before), self.levels(after)
        rows, value = self._flips(was, now)
        kinds = self.held.kinds[rows]
        if not (kinds < KINDS - 1).any():
            return None
        known = kinds < KINDS - 1
        lost = -value[known & (value < 0)]
        loss = float(lost.mean()) if len(lost) else self._typical_loss(was, now)
        return chance_of_luck(value, known & (value > 0), known, loss=loss, base=0.0, groups=self._groups(rows))

    def _flips(self, was: Small, now: Small) -> tuple[npt.NDArray[np.intp], Floats]:
        """Return the later events whose outcome changes, and what each is worth more."""
        rows = np.flatnonzero(self.later & (was != now)[self.table.pattern])
        pattern = self.table.pattern[rows]
        kinds, stake = self.held.kinds[rows], self.held.stake[rows]
        return rows, self.price.gain(kinds, stake, before=was[pattern], after=now[pattern])

    def _typical_loss(self, was: Small, now: Small) -> float:
        """Return what one wrong event would cost where none was seen: the mean of all later events, so moved."""
        picked = np.flatnonzero(was != now)
        if not len(picked):
            return 0.0
        pairs = np.unique(np.stack([was[picked], now[picked]]), axis=1)
        costs = [0.0]
        for kind in (GOOD, FRAUD):
            count = max(1, int(self.report.count[:, kind].sum()))
            mean = float(self.report.stake[:, kind].sum()) / count
            slope = self.price.slope[kind, pairs[1]] - self.price.slope[kind, pairs[0]]
            work = self.price.handling[pairs[1]] - self.price.handling[pairs[0]]
            costs += (work - slope * mean).tolist()
        return max(costs)

    def _groups(self, rows: npt.NDArray[np.intp]) -> tuple[Ints, ...]:
        dataset = self.held.dataset
        found = []
        for name in dataset.roles.entities:
            column = dataset.column(name)
            codes = np.unique(column.values[rows], return_inverse=True)[1]
            found.append(np.where(column.present[rows], codes, -1).astype(np.int64))
        return tuple(found)


def verdict(change: float | None, lower: float | None, upper: float | None, q: float | None) -> str:
    """Return whether a change pays: "surely pays", "not shown", "costs", or "not measurable".

    >>> verdict(5.0, 1.0, 9.0, 0.01), verdict(5.0, -1.0, 11.0, 0.2), verdict(-5.0, -9.0, -1.0, 1.0)
    ('surely pays', 'not shown', 'costs')
    """
    if change is None or lower is None or upper is None:
        return "not measurable"
    if upper < 0:
        return "costs"
    return "surely pays" if lower > 0 and q is not None and q <= LEVEL else "not shown"


def check_events(kinds: npt.NDArray[np.int8], first: Mask, *, words: str) -> None:
    """Check that the window to choose on has known frauds and known good events.

    Raises
    ------
    DataError
        When it lacks either.
    """
    for kind, name, hint in (
        (FRAUD, "fraud", "choose on a longer window, or a later asof"),
        (GOOD, "good event", "label good events too, or say after how many days silence means good"),
    ):
        if not (kinds[first] == kind).any():
            raise DataError(
                f"No known {name} lies in the window to choose on ({words}): what an edit is worth is not measurable.",
                hint=hint,
            )
