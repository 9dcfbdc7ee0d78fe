"""Which sets of rules hit together? The small table on which every question about a whole book is exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.engine.bits import Bits
from riskbench.errors import EngineError
from riskbench.rules.hits import Hits

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: What is known of an event, as the cells tell it apart: good, fraud, unlabelled.
KINDS = 3
#: Two distinct sets of rules get one 64-bit mark in fewer than one of a million books; then other marks are drawn.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Counts and money of disjoint groups of events, by what is known of them.

    Attributes
    ----------
    count, value, stake : ndarray of int64, shape (groups, 3)
        Events, their value, and what is at stake in them (a fraud's loss, a good event's margin, else 0), in minor
        units; good, fraud, unlabelled.
    value_squares, stake_squares : ndarray of float64, shape (groups, 3)
        The sums of the squares of both.
    """

    count: Ints
    value: Ints
    stake: Ints
    value_squares: Floats
    stake_squares: Floats

    def summed(self, codes: npt.NDArray[np.integer], size: int, *, picked: npt.NDArray[np.intp] | None = None) -> Cells:
        """Return the cells of coarser groups: group k goes to `codes[k]`; of `picked` groups, in their order."""
        from riskbench.engine.patterns import groups_summed

        parts = (self.count, self.value, self.stake, self.value_squares, self.stake_squares)
        return Cells(*groups_summed(codes, parts, size, picked=picked))

    def take(self, groups: npt.NDArray[np.integer]) -> Cells:
        """Return the cells of some groups."""
        return Cells(
            self.count[groups],
            self.value[groups],
            self.stake[groups],
            self.value_squares[groups],
            self.stake_squares[groups],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Signatures:
    """The distinct sets of rules that hit an event, whatever the rules' status, with exact counts and money.

    Attributes
    ----------
    starts : ndarray of int64, shape (patterns + 1,)
        Pattern p is hit by the rules `rules[starts[p]:starts[p + 1]]`; pattern 0 is hit by none.
    rules : ndarray of int32
        Places in the book, ascending within a pattern.
    pattern : ndarray of int32, shape (rows,)
        Each event's pattern.
    cells : Cells
        Counts and money, one group a pattern.
    size : int
        How many rules the book has.
    """

    starts: Ints
    rules: npt.NDArray[np.int32]
    pattern: npt.NDArray[np.int32]
    cells: Cells
    size: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def compresses(self) -> bool:
        """Whether patterns are at most a third of the events, so that the table is quicker than the events."""
        return len(self) * 3 <= max(len(self.pattern), 3)

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """The pattern of each entry of `rules`."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def members(self, pattern: int) -> npt.NDArray[np.int32]:
        """Return the rules of one pattern."""
        return self.rules[self.starts[pattern] : self.starts[pattern + 1]]


def signatures(held: Hits) -> Signatures:
    """Return the signature table of a book's hits.

    Use it to answer any question about the whole set of rules: events with equal signatures are decided alike under
    every change of status, priority and outcome.

    Parameters
    ----------
    held : Hits
        The book's hits.

    Raises
    ------
    EngineError
        When there are more patterns than fit in a few GiB.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(pd.DataFrame({"id": [1, 2, 3], "amount": [1.0, 7.0, 9.0]}), roles=rb.Roles(id="id"))
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: A, when: amount > 5, outcome: review, status: live}
    ...   - {id: B, when: amount > 8, outcome: block, status: live}
    ... ''')
    >>> table = signatures(rb.simulate(book, events).hits)
    >>> table.pattern.tolist(), [table.members(p).tolist() for p in range(len(table))]
    ([0, 1, 2], [[], [0], [0, 1]])
    """
    from riskbench.engine.patterns import patterns

    for attempt in range(_ATTEMPTS):
        marks = np.random.default_rng(0x5161 + attempt).integers(1, 2**63, size=len(held.bits), dtype=np.uint64)
        pattern, starts, rules = patterns(held.bits.words, held.bits.rows, marks)
        cells = events_by(held, pattern, len(starts) - 1)
        if _whole(held.bits, rules, starts, cells.count.sum(axis=1)):
            return Signatures(starts, rules, pattern, cells, len(held.bits))
    raise EngineError("The signatures of the rules could not be told apart", hint="simulate fewer rules at once")


def events_by(
    held: Hits, codes: npt.NDArray[np.integer], size: int, *, rows: npt.NDArray[np.intp] | None = None
) -> Cells:
    """Return counts and money of events, all or some, by a code each."""
    from riskbench.engine.patterns import patterns_summed

    kinds, value, stake = held.kinds, held.worth.value, held.stake
    if rows is not None:
        kinds, value, stake = kinds[rows], value[rows], stake[rows]
    own = codes.astype(np.int32, copy=False)
    count, total, squares = patterns_summed(own, kinds, value, size, states=KINDS)
    _, at_stake, stake_squares = patterns_summed(own, kinds, stake, size, states=KINDS)
    return Cells(count, total, at_stake, squares, stake_squares)


def _whole(bits: Bits, rules: npt.NDArray[np.int32], starts: Ints, counts: Ints) -> bool:
    """Return whether every rule hits as many events by the table as by its bits: no two sets share a mark."""
    each = np.repeat(counts, np.diff(starts))
    told = np.bincount(rules, weights=each, minlength=len(bits)).astype(np.int64)
    return bool((told[: len(bits)] == bits.count()).all())
