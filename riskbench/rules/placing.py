"""Where does a new rule stand among the live ones? Where it can raise a decision and never soften one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.data.outcomes import ladder
from riskbench.engine.bits import union, unpack
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import Hits, deciding_order


def priority_for(book: RuleBook, outcome: str) -> int:
    """Return the priority at which a new live rule never softens what a live rule decides.

    It comes after every live rule that is as harsh or harsher, and of equal priorities the harsher decides. Where
    there is none it comes after the allow lists.
    """
    steps = ladder(book.domain)
    live = [book.rules[place] for place in deciding_order(book)]
    own = steps.level(outcome)
    harsher = [rule.priority for rule in live if steps.level(rule.outcome) >= own]
    if harsher:
        return max(harsher)
    allowed = [rule.priority for rule in live if steps.level(rule.outcome) == 0]
    if allowed:
        return max(allowed) + 1
    return min((rule.priority for rule in live), default=100)


def raisable(held: Hits, level: int) -> npt.NDArray[np.bool_]:
    """Return the events whose decision a new live rule of some outcome would make or raise.

    A live rule that decides before it, an allow list say, keeps its events.
    """
    book = held.book
    own = priority_for(book, ladder(book.domain).names[level])
    ahead = [
        place
        for place in deciding_order(book)
        if (book.rules[place].priority, -ladder(book.domain).level(book.rules[place].outcome)) <= (own, -level)
    ]
    decided = unpack(union(held.bits.words[ahead]), held.dataset.rows)
    return np.asarray(~decided & (held.resolution.level < level))
