"""How does a book stand: who decides which events, and what is that worth at stated costs?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import REASONS, STATES
from riskbench.data.outcomes import Effect, Ladder, ladder
from riskbench.metrics.costs import Costs
from riskbench.metrics.price import Price, price
from riskbench.rules.comparison.together import Together, together, weeks_of
from riskbench.rules.decisions import Decided, Setting, decide_all
from riskbench.rules.hits import Hits
from riskbench.rules.maturing import Maturing
from riskbench.rules.moves import Moves, Usual, changes_of
from riskbench.rules.signature import Cells, Signatures, events_by

Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[np.generic]]

#: What is not measurable where no event that moves has a verdict; frauds and insults are then 0 known ones.
DARK = (
    "net_value",
    *(f"{name}_{end}" for name in ("frauds", "insults", "value_caught", "net_value") for end in ("lower", "upper")),
)


@dataclass(frozen=True, eq=False)
class Standing:
    """A book's hits at stated costs: what every question about its rules reads.

    Attributes
    ----------
    held : Hits
        The book's hits on events.
    costs : Costs
        The stated costs.
    """

    held: Hits
    costs: Costs

    def __post_init__(self) -> None:
        object.__setattr__(self, "held", self.held.at(self.costs))

    @property
    def table(self) -> Signatures:
        """The signature table."""
        return self.held.signatures

    @cached_property
    def setting(self) -> Setting:
        """Which rules are live, in what order, at which outcome."""
        return Setting.of(self.held.book)

    @cached_property
    def decided(self) -> Decided:
        """What the live rules decide about each pattern."""
        return decide_all(self.table, self.setting)

    @property
    def steps(self) -> Ladder:
        """The domain's outcomes."""
        return ladder(self.held.book.domain)

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The effect of each outcome."""
        return tuple(rung.effect for rung in self.steps.rungs)

    @cached_property
    def price(self) -> Price:
        """What an event is worth at each outcome."""
        return price(self.held.worth, self.costs, self.effects, scale=self.held.scale)

    @property
    def ids(self) -> npt.NDArray[np.object_]:
        """The rules' ids, in book order."""
        return np.array([rule.id for rule in self.held.book.rules], dtype=object)

    @cached_property
    def hits(self) -> Ints:
        """How many events each rule hits."""
        return self.held.bits.count()

    @cached_property
    def decisions(self) -> Ints:
        """How many events each rule decides."""
        own = self.decided.rule
        counts = self.table.cells.count.sum(axis=1)
        return np.bincount(own[own >= 0], weights=counts[own >= 0], minlength=self.table.size).astype(np.int64)

    @cached_property
    def levels(self) -> Cells:
        """Counts and money of the events at each outcome."""
        return self.table.cells.summed(self.decided.level, len(self.effects))

    @cached_property
    def usual(self) -> Usual:
        """What is at stake in all events, by kind."""
        return Usual.of(self.table.cells)

    @cached_property
    def regions(self) -> Split:
        """The patterns, parted by region."""
        codes, names = self.held.dataset.regions
        return split(self.held, codes, names)

    @cached_property
    def maturing(self) -> Maturing:
        """What each event stands for."""
        return Maturing(self.held)

    @cached_property
    def _weeks(self) -> tuple[Ints, int]:
        return weeks_of(self.maturing)

    def together(
        self,
        rows: npt.NDArray[np.intp],
        *,
        was: npt.NDArray[np.integer],
        now: npt.NDArray[np.integer],
        named: npt.NDArray[np.integer] | None = None,
    ) -> Together:
        """Return how much more a change of some events varies because they come together; as a comparison tells it."""
        week = self._weeks if len(rows) and self.held.dataset.has("time") and self.held.worth.money else None
        return together(self.maturing, self.price, rows, was=was, now=now, week=week, named=named)

    def each_together(
        self,
        group: npt.NDArray[np.integer],
        groups: int,
        *,
        was: npt.NDArray[np.integer],
        now: npt.NDArray[np.integer],
    ) -> npt.NDArray[np.float64]:
        """Return the same for groups of events, by the group of each event; those below 0 are in none."""
        found = np.ones(groups)
        rows = np.flatnonzero((group >= 0) & (was != now))
        rows = rows[np.argsort(group[rows], kind="stable")]
        ends = np.searchsorted(group[rows], np.arange(groups + 1))
        for place in np.flatnonzero(np.diff(ends)):
            found[place] = self.together(rows[ends[place] : ends[place + 1]], was=was, now=now).all
        return found

    def unlabelled(
        self,
        group: npt.NDArray[np.integer],
        groups: int,
        *,
        was: npt.NDArray[np.integer],
        now: npt.NDArray[np.integer],
    ) -> Columns:
        """Return why the events of groups that move have no verdict: `unlabelled`, and its four reasons."""
        rows = np.flatnonzero((group >= 0) & (was != now))
        states = len(STATES)
        codes = group[rows].astype(np.int64) * states + self.held.labels.state[rows]
        count = np.bincount(codes, minlength=groups * states).reshape(groups, states)
        return {"unlabelled": count[:, 2:].sum(axis=1), **{name: count[:, state] for name, state in REASONS.items()}}

    def changes(self, held: Moves, *, together: npt.ArrayLike = 1.0) -> Columns:
        """Return what moves change, in the columns of `moves.COLUMNS`; `together` as `changes_of` takes it.

        Where none of the events that move has a verdict, net value and the intervals of all that needs one are NaN.
        """
        columns = changes_of(held, self.price, self.effects, scale=self.held.scale, usual=self.usual, together=together)
        flips, dark = (columns[name].astype(np.int64) for name in ("flips", "unlabelled"))
        unknown = (flips > 0) & (dark == flips)
        for name in DARK:
            columns[name] = np.where(unknown, np.nan, columns[name].astype(np.float64))
        return columns


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Patterns parted by a code an event: one group a pair of pattern and part that has events.

    Attributes
    ----------
    cells : Cells
        Counts and money of each group.
    pattern, part : ndarray of int64, shape (groups,)
        What each group is.
    names : tuple of str
        The parts' names.
    """

    cells: Cells
    pattern: Ints
    part: Ints
    names: tuple[str, ...]


def split(held: Hits, codes: npt.NDArray[np.integer], names: tuple[str, ...]) -> Split:
    """Return the patterns parted by a code an event, a region's say."""
    table, width = held.signatures, max(1, len(names))
    own = table.pattern.astype(np.int64) * width + codes
    seen = np.zeros(len(table) * width, dtype=bool)
    seen[own] = True
    kept = np.flatnonzero(seen)
    place = np.zeros(len(seen), dtype=np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    return Split(events_by(held, place[own], len(kept)), kept // width, kept % width, tuple(names))


def counted(text: npt.NDArray[np.generic], names: tuple[str, ...]) -> str:
    """Return counts by name as words, the largest first.

    >>> counted(np.array([3, 0, 1200]), ("approve", "challenge", "review"))
    'review 1,200, approve 3'
    """
    order = np.argsort(-text.astype(np.int64), kind="stable")
    return ", ".join(f"{names[k]} {int(text[k]):,}" for k in order if text[k])


def table_of(keys: dict[str, Any], columns: Columns, rows: npt.NDArray[np.intp]) -> pd.DataFrame:
    """Return some rows of keys and columns as a frame; keys are given for these rows, columns for all rules."""
    return pd.DataFrame({**keys, **{name: held[rows] for name, held in columns.items()}})
