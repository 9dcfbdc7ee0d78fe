"""Which events are the incident: those of the window in the segments and rings that were found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.incidents.scope import Scope

if TYPE_CHECKING:
    from riskbench.incidents.entities import Entities
    from riskbench.incidents.segments import Segments


@dataclass(frozen=True, eq=False)
class Cluster:
    """The events of the window that are suspected, and why.

    Attributes
    ----------
    rows : ndarray of intp
        Their positions in the scope's dataset, ascending.
    said : str
        In words, how they were found.
    condition : str or None
        The rule text that picks them; None where links and not columns do.
    by : {"segments", "rings", "segments and rings", "labels", "window"}
        What they were found by; `labels`: nothing was found, so all frauds of the window; `window`: all of it.
    cleared : ndarray of intp
        Positions of the events found in the same way that are told good: not suspected, but they show how many are.
    """

    rows: npt.NDArray[np.intp]
    said: str
    condition: str | None
    by: str
    cleared: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    def __len__(self) -> int:
        return len(self.rows)


def cluster_of(scope: Scope, segments: Segments, entities: Entities) -> Cluster:
    """Return the events that the segments and the rings point at, without those told good.

    Where neither found anything it is all frauds told of the window, and where none is told yet, all of the window.
    """
    from riskbench.incidents import entities as who
    from riskbench.incidents import segments as where

    good = scope.state.state == GOOD
    found = np.zeros(scope.dataset.rows, dtype=bool)
    ringed = np.zeros(scope.dataset.rows, dtype=bool)
    found[where.rows_of(scope, segments)] = True
    ringed[who.rows_of(scope, entities)] = True
    picked = (found | ringed) & scope.current
    both = picked & ~good
    if both.any():
        by = "segments and rings" if found.any() and ringed.any() else "segments" if found.any() else "rings"
        names = [str(name) for name in segments.frame()["condition"]] if found.any() else []
        condition = " OR ".join(f"({name})" for name in names) if len(names) > 1 else "".join(names)
        said = {"segments": "the segments found", "rings": "the rings found"}.get(by, "the segments and rings found")
        return _cluster(
            both, f"events of the window in {said}, those told good left out", condition or None, by, picked & good
        )
    told = scope.current & (scope.state.state == FRAUD)
    if told.any():
        return _cluster(told, "frauds told of the window, as no segment and no ring stands out", None, "labels")
    return _cluster(scope.current, "all events of the window, as nothing in it stands out", None, "window")


def _cluster(
    mask: npt.NDArray[np.bool_],
    said: str,
    condition: str | None,
    by: str,
    cleared: npt.NDArray[np.bool_] | None = None,
) -> Cluster:
    none = np.zeros(0, dtype=np.intp)
    return Cluster(np.flatnonzero(mask), said, condition, by, none if cleared is None else np.flatnonzero(cleared))
