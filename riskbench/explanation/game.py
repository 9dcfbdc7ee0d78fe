"""What is needed to ask an explanation further: the rows, the reference, and the model's sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.explanation.engine import Shares, margin, share_out
from riskbench.explanation.ensemble import Floats
from riskbench.explanation.fitted import Fitted


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the dataset that explained events came from: its columns' kinds, and its domain."""

    kinds: Mapping[str, str]
    domain: str


@dataclass(frozen=True, slots=True, eq=False)
class Game:
    """A model on some rows against a reference: a handle, never written out.

    Attributes
    ----------
    score : Fitted
        The model.
    frame, others : DataFrame
        The explained events and the reference; `others` is None for the path-dependent game.
    cells, reference : ndarray of float64
        The same as the trees or weights see them.
    player : ndarray of int64
        The player of each column of `cells`.
    players : int
        How many players.
    source : Source or None
        Where the events came from; None for frames and arrays.
    """

    score: Fitted
    frame: pd.DataFrame
    others: pd.DataFrame | None
    cells: Floats
    reference: Floats | None
    player: npt.NDArray[np.int64]
    players: int
    source: Source | None = None

    def where(self, mask: npt.NDArray[np.bool_]) -> Game:
        """Return the same on some of the explained events."""
        return replace(self, frame=self.frame[mask], cells=self.cells[mask])

    def sums(self, cells: Floats) -> Floats:
        """Return the model's sum for some rows."""
        if self.score.trees is not None:
            return margin(self.score.trees, cells)
        assert self.score.weights is not None
        return self.score.offset + cells @ self.score.weights

    def shares(self, cells: Floats, reference: Floats | None) -> Shares:
        """Return the Shapley values of some rows against some reference."""
        if self.score.trees is not None:
            found = share_out(self.score.trees, cells, reference=reference, player=self.player)
            missing = self.players - found.values.shape[1]
            return Shares(np.pad(found.values, ((0, 0), (0, missing))), found.base) if missing else found
        assert self.score.weights is not None
        assert reference is not None
        apart = (cells - reference.mean(axis=0)) * self.score.weights
        values = np.zeros((len(cells), self.players))
        np.add.at(values.T, self.player, apart.T)
        return Shares(values, float(self.sums(reference).mean()))
