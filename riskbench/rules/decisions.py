"""What would a book decide if its rules stood otherwise: on or off, in another order, with other outcomes?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from riskbench.data.outcomes import ladder
from riskbench.errors import RuleError, listed
from riskbench.rules.book import RuleBook
from riskbench.rules.doors import whole
from riskbench.rules.param import unknown
from riskbench.rules.rule import FURTHEST
from riskbench.rules.signature import Signatures

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]

#: The rank of a rule that decides nothing.
IDLE = np.int64(2**40)


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Which rules decide, in which order, and what: all of a book but its conditions.

    Attributes
    ----------
    live : ndarray of bool, shape (rules,)
        Whether each rule decides.
    priority : ndarray of int64, shape (rules,)
        The smallest decides first; equal ones by the harsher outcome, then by place.
    level : ndarray of int8, shape (rules,)
        The ladder level of each rule's outcome.
    """

    live: npt.NDArray[np.bool_]
    priority: Ints
    level: Small

    @classmethod
    def of(cls, book: RuleBook) -> Setting:
        """Return a book's setting."""
        steps = ladder(book.domain)
        return cls(
            np.array([rule.status == "live" for rule in book.rules], dtype=bool),
            np.array([rule.priority for rule in book.rules], dtype=np.int64),
            np.array([steps.level(rule.outcome) for rule in book.rules], dtype=np.int8),
        )

    @property
    def order(self) -> npt.NDArray[np.intp]:
        """The places of the rules that decide, the first to decide first."""
        order = np.lexsort((np.arange(len(self.live)), -self.level.astype(np.int64), self.priority))
        return order[self.live[order]]

    @property
    def rank(self) -> Ints:
        """Each rule's place in the order of deciding; `IDLE` for those that do not decide."""
        rank = np.full(len(self.live), IDLE)
        rank[self.order] = np.arange(len(self.order))
        return rank

    def changed(
        self,
        book: RuleBook,
        *,
        off: Iterable[str] = (),
        on: Iterable[str] = (),
        outcomes: Mapping[str, str] | None = None,
        priorities: Mapping[str, int] | None = None,
    ) -> Setting:
        """Return the setting with some rules off or on, or with other outcomes or priorities.

        Raises
        ------
        RuleError
            For a rule that is not in the book, or one that is to be both on and off.
        ParameterError
            For an outcome that is not on the ladder.
        """
        places = {rule.id: place for place, rule in enumerate(book.rules)}

        def place_of(name: str) -> int:
            if name not in places:
                raise unknown("rule", str(name), list(places))
            return places[name]

        off, on = list(off), list(on)
        both = sorted(set(off) & set(on))
        if both:
            raise RuleError("A rule cannot be both on and off", got=listed(both))
        live, priority, level = self.live.copy(), self.priority.copy(), self.level.copy()
        for names, decides in ((off, False), (on, True)):
            for name in names:
                live[place_of(name)] = decides
        for name, outcome in (outcomes or {}).items():
            level[place_of(name)] = ladder(book.domain).level(outcome)
        for name, number in (priorities or {}).items():
            if not whole(number, low=-FURTHEST, high=FURTHEST):
                got = repr(number)[:200]
                raise RuleError("'priority' is a whole number", rule=str(name), got=got, allowed=f"to {FURTHEST:,}")
            priority[place_of(name)] = number
        return replace(self, live=live, priority=priority, level=level)


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What a setting decides about each pattern.

    Attributes
    ----------
    rule, next_rule : ndarray of int64, shape (patterns,)
        The place of the rule that decides, and of the one that would without it; -1 where there is none.
    level, next_level : ndarray of int8, shape (patterns,)
        The ladder level of both; 0 where there is none.
    """

    rule: Ints
    next_rule: Ints
    level: Small
    next_level: Small


def decide_all(table: Signatures, setting: Setting) -> Decided:
    """Return which rule decides each pattern under a setting, and which would without it."""
    from riskbench.engine.pairs import two_first

    order = np.append(setting.order, -1)
    rank = np.minimum(setting.rank, len(order) - 1)
    first, second = two_first(table.starts, table.rules, rank, idle=len(order) - 1)
    levels = np.append(setting.level, np.int8(0))
    rule, next_rule = order[first], order[second]
    return Decided(rule, next_rule, levels[rule], levels[next_rule])
