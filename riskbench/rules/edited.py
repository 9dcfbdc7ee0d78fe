"""What changes in the signature table when one rule is edited? Only events that it hits anew, or no more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from riskbench.engine.bits import Words
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import Hits, apply
from riskbench.rules.signature import Cells, Signatures

#: The marks by which a changed set is looked up; a set found so is compared line by line.
_SEED = 0x5161


def edited(table: Signatures, held: Hits, place: int, line: Words) -> Signatures:
    """Return the signature table after one rule hits other events; the table that is given stays as it is.

    Use it while a threshold is dragged: counts and money equal those of a table built anew, in any order of patterns.
    The old patterns keep their numbers; some may be empty, and new ones follow.

    Parameters
    ----------
    table : Signatures
        The table today.
    held : Hits
        The hits it was made of; only labels, money and the rule's own line are read.
    place : int
        The rule's place in the book.
    line : ndarray of uint64
        The events that it hits now, as packed bits.
    """
    return _carried(table, held, place, held.bits.words[place] ^ line)


def edited_many(held: Hits, book: RuleBook) -> Signatures:
    """Return the signature table of a book with the same rules, some with other conditions or values.

    Only rules whose condition, values or lists changed are applied anew.
    """
    table = held.signatures
    for place in changed_places(held.book, book):
        table = edited(table, held, place, apply((book.rules[place],), held.dataset).words[0])
    return table


def changed_places(before: RuleBook, after: RuleBook) -> Iterable[int]:
    """Return the places of the rules whose condition, values or lists differ."""
    for place, (old, new) in enumerate(zip(before.rules, after.rules, strict=True)):
        if (old.when, old.params, old.regions, old.lists) != (new.when, new.params, new.regions, new.lists):
            yield place


def _carried(table: Signatures, held: Hits, place: int, flipped: Words) -> Signatures:
    from riskbench.engine.toggles import moved, toggled

    marks = np.random.default_rng(_SEED).integers(1, 2**63, size=table.size, dtype=np.uint64)
    to, starts, lines = toggled(table.starts, table.rules, marks, table.pattern, flipped, line=place)
    code, new = table.pattern.copy(), len(starts) - len(table.starts)
    own, worth = table.cells, held.worth
    cells = Cells(
        _longer(own.count, new),
        _longer(own.value, new),
        _longer(own.stake, new),
        _longer(own.value_squares, new),
        _longer(own.stake_squares, new),
    )
    moved(
        flipped,
        to,
        code,
        kinds=held.labels.state,
        money=(worth.value, worth.loss, worth.margin),
        sums=(cells.count, cells.value, cells.stake, cells.value_squares, cells.stake_squares),
    )
    touched = np.flatnonzero(to >= 0)
    # What rounding leaves of the squares of a set that has lost its events.
    for part in (cells.value_squares, cells.stake_squares):
        part[touched] = np.where(cells.count[touched] > 0, np.maximum(part[touched], 0.0), 0.0)
    return Signatures(starts, lines, code, cells, table.size)


def _longer(part: npt.NDArray[Any], more: int) -> npt.NDArray[Any]:
    """Return a copy with some more rows of zeros."""
    return np.concatenate([part, np.zeros((more, part.shape[1]), dtype=part.dtype)])
