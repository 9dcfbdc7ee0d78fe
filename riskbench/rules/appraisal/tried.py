"""How does a change that is tried stand beside today: in every measure, outcome by outcome, rule by rule?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.rules.comparison.differences import Pair, changes, matrix
from riskbench.rules.decisions import Decided
from riskbench.rules.moves import Moves, moves
from riskbench.rules.signature import Signatures
from riskbench.rules.standing import Standing


@dataclass(frozen=True, eq=False)
class Tried:
    """What a book decides today and under a change, on the same events.

    Attributes
    ----------
    standing : Standing
        The book as it stands today.
    table : Signatures
        The signature table under the change; today's own where no condition or value changes.
    decided : Decided
        What the changed book decides about each pattern of that table.
    made : Moves or None
        The moves of all events; needed where the table is not today's.
    """

    standing: Standing
    table: Signatures
    decided: Decided
    made: Moves | None = None

    @cached_property
    def pair(self) -> Pair:
        """Both decisions about every event, as two simulations would be compared."""
        standing, table, decided = self.standing, self.table, self.decided
        was, now = standing.decided.level[standing.table.pattern], decided.level[table.pattern]
        levels, made = len(standing.effects), self.made
        if made is None:
            made = moves(table.cells, standing.decided.level, decided.level, levels=levels)
        rows = np.flatnonzero(was != now)
        return Pair(
            standing.held, standing.held, was.astype(np.int64), now.astype(np.int64), rows, made, standing.price,
            standing.effects, standing.together(rows, was=was, now=now), standing.maturing,
        )  # fmt: skip

    def measures(self) -> pd.DataFrame:
        """Return each measure before and after, and the paired difference, as a comparison of two simulations does."""
        return changes(self.pair)

    def swaps(self) -> pd.DataFrame:
        """Return one row a pair of outcomes between which any event moves, as a comparison does."""
        full = matrix(self.pair)
        return full[(full["before"] != full["after"]) & (full["events"] > 0)].reset_index(drop=True)

    def hits(self) -> pd.DataFrame:
        """Return what each rule hits and decides: rule, hits_before, hits_after, decides_before, decides_after."""
        standing, table = self.standing, self.table
        return pd.DataFrame(
            {
                "rule": standing.ids,
                "hits_before": standing.hits,
                "hits_after": standing.hits if table is standing.table else _hits(table),
                "decides_before": standing.decisions,
                "decides_after": decisions(table, self.decided),
            }
        )


def decisions(table: Signatures, decided: Decided) -> npt.NDArray[np.int64]:
    """Return how many events each rule decides."""
    counts = table.cells.count.sum(axis=1)
    return np.bincount(decided.rule + 1, weights=counts, minlength=table.size + 1)[1:].astype(np.int64)


def _hits(table: Signatures) -> npt.NDArray[np.int64]:
    counts = np.repeat(table.cells.count.sum(axis=1), np.diff(table.starts))
    return np.bincount(table.rules, weights=counts, minlength=table.size).astype(np.int64)
