"""What would a new decision about each event be worth, given what the live rules decide already?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.checks import check
from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.leakage import ENOUGH
from riskbench.data.outcomes import Ladder, ladder
from riskbench.data.velocity import Feature, velocity
from riskbench.data.windows import Windows, split
from riskbench.engine.columns import Column
from riskbench.errors import DataError
from riskbench.metrics.costs import Costs
from riskbench.metrics.price import Price, price
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import Hits, hits
from riskbench.rules.placing import raisable
from riskbench.rules.usable import sharing, usable

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Small = npt.NDArray[np.int8]

#: A word that so large a share of the frauds bears, and so few good events, is seldom there before the verdict.
_ALL_FRAUDS, _FEW_GOODS = 0.99, 0.1


@dataclass(frozen=True, eq=False)
class Field:
    """Events with the live decisions, the stated costs, and the two windows.

    Attributes
    ----------
    held : Hits
        The book's hits.
    events : Dataset
        The events, with counts of sharing added.
    costs : Costs
        The stated costs.
    windows : Windows
        The earlier and the later events.
    columns : mapping of str to Column
        What a new condition may read.
    left_out : mapping of str to str
        Why each other column may not be read.
    shared : mapping of str to Feature
        The velocity features that were added.
    leaks : mapping of str to str
        Those of the columns left out that a check calls leakage, or that tell too much, and why.
    """

    held: Hits
    events: Dataset
    costs: Costs
    windows: Windows
    columns: Mapping[str, Column]
    left_out: Mapping[str, str]
    shared: Mapping[str, Feature]
    leaks: Mapping[str, str] = field(default_factory=dict)
    _worths: dict[int, Floats] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        book: RuleBook,
        dataset: Dataset,
        *,
        costs: Costs | Mapping[str, float] | None,
        asof: str | pd.Timestamp | None,
        exclude: tuple[str, ...],
        share: bool,
        seed: int,
    ) -> Field:
        """Return the field of a book on events.

        Raises
        ------
        DataError
            When there are no events, no label, or no column that a condition may read.
        """
        if dataset.roles.label is None:
            raise DataError("There is no label to learn from", hint="name the role 'label'")
        stated = Costs.from_mapping(costs)
        held = hits(book, dataset, asof=asof).at(stated)
        state = held.labels.state
        if not held.dataset.rows:
            raise DataError("There are no events to search")
        everything = np.ones(held.dataset.rows, dtype=bool)
        windows = split(
            held.dataset, everything, mature_until=held.labels.mature_until, seed=seed, what="a new condition"
        )
        added = sharing(held.dataset, features=book.features) if share else {}
        events = velocity(held.dataset, added.values()) if added else held.dataset
        known = np.where(windows.choose.mask, state, np.int8(-1))
        own = {*book.features, *added}
        columns, why = usable(events, exclude=exclude, state=known, own=own)
        given = {*dataset.roles.columns(), *map(dataset.resolve, exclude)}
        leaks = {name: reason for name, reason in check(dataset, asof=asof).why.items() if name not in given}
        leaks |= _too_telling(held.dataset, columns, known, own)
        columns, why = {name: one for name, one in columns.items() if name not in leaks}, why | leaks
        if not columns:
            raise DataError(
                "No column can be read by a new condition.",
                hint="; ".join(f"{name}: {reason}" for name, reason in list(why.items())[:5]) or None,
            )
        return cls(held, events, stated, windows, columns, why, added, leaks)

    @property
    def steps(self) -> Ladder:
        """The outcomes."""
        return ladder(self.held.book.domain)

    @property
    def effects(self) -> tuple[str, ...]:
        """What each outcome does."""
        return tuple(rung.effect for rung in self.steps.rungs)

    @property
    def scale(self) -> int:
        """Minor units in one major unit; 1 where each event counts as one."""
        return self.held.dataset.currency.scale if self.held.worth.money else 1

    @property
    def counted(self) -> str:
        """What net value is counted in: the currency, or events where there is no money."""
        if self.held.worth.money:
            return self.held.dataset.currency.code
        return "events" if self.held.worth.margin_weight(self.costs) == 1 else "weighted events"

    @property
    def kinds(self) -> Small:
        """What is known of each event: 0 good, 1 fraud, 2 unlabelled."""
        return self.held.kinds

    @property
    def stake(self) -> npt.NDArray[np.int64]:
        """What is at stake in each event, in minor units."""
        return self.held.stake

    @cached_property
    def price(self) -> Price:
        """What an event is worth at each outcome."""
        return price(self.held.worth, self.costs, [rung.effect for rung in self.steps.rungs], scale=self.scale)

    @property
    def level(self) -> Small:
        """What the live rules decide about each event."""
        return self.held.resolution.level

    @cached_property
    def now(self) -> Floats:
        """What each event is worth as it is decided today, in major units."""
        return self.price.each(self.kinds, self.stake, self.level)

    def raised(self, level: int) -> Mask:
        """Return the events that a new rule of some outcome can raise to it."""
        return raisable(self.held, level)

    def worth_of(self, level: int) -> Floats:
        """Return what raising each event to an outcome is worth, in major units; 0 where it cannot be raised."""
        if level not in self._worths:
            other = np.full(len(self.level), level, dtype=np.int8)
            change = self.price.each(self.kinds, self.stake, other) - self.now
            self._worths[level] = np.where(self.raised(level), change, 0.0)
        return self._worths[level]

    @cached_property
    def groups(self) -> tuple[npt.NDArray[np.int32], ...]:
        """Each event's code of each entity; -1 where there is none."""
        made = []
        for name in self.held.dataset.roles.entities:
            column = self.held.dataset.column(name)
            codes = column.values.astype(np.int32) if column.words is not None else self.held.dataset.segment(name)[0]
            made.append(np.where(column.present, codes, np.int32(-1)))
        return tuple(made)


def _too_telling(dataset: Dataset, columns: Mapping[str, Column], state: Small, own: Collection[str]) -> dict[str, str]:
    """Return the columns of words of which one stands at nearly every fraud and few good events.

    A status written when the verdict was told looks so. A column of which `known_at` says when it is known is
    believed.
    """
    fraud, good = state == FRAUD, state == GOOD
    found: dict[str, str] = {}
    if fraud.sum() < ENOUGH or good.sum() < ENOUGH:
        return found
    for name, column in columns.items():
        if column.words is None or name in own or name in dataset.known_at:
            continue
        size = max(1, len(column.words))
        frauds, goods = (np.bincount(column.values[part & column.present], minlength=size) for part in (fraud, good))
        top = int(np.argmax(frauds))
        if frauds[top] >= _ALL_FRAUDS * fraud.sum() and goods[top] <= _FEW_GOODS * good.sum():
            word = str(column.words[top].as_py())[:60]
            found[name] = (
                f"{word!r} stands at {frauds[top] / fraud.sum():.0%} of the frauds and {goods[top] / good.sum():.1%} "
                "of the good events, as a status does that is written with the verdict; name it in known_at where it "
                "is known at the decision"
            )
    return found
