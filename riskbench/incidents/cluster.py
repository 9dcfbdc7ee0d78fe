"""Which events are the incident: those of the window in the segments and rings that were found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.incidents.scope import Scope, matching

#: The least share of a segment's events that has to be beyond the usual for all of them to be suspected.
MOSTLY = 0.8
#: Or the least share of them that is told fraud.
HALF = 0.5

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
    """Return the events that the rings and the segments point at, without those told good.

    The events of suspicious rings are taken, and of a segment all events where at least `MOSTLY` of them are beyond
    what the baseline would have brought, or `HALF` are told fraud; else only its told frauds, and all of it only
    where no ring was found. Where neither found anything it is all frauds told of the window, and where none is told
    yet, all of the window.
    """
    from riskbench.incidents import entities as who

    good, fraud = scope.state.state == GOOD, scope.state.state == FRAUD
    ringed = np.zeros(scope.dataset.rows, dtype=bool)
    ringed[who.rows_of(scope, entities)] = True
    picked, whole, parted = ringed & scope.current, [], False
    for row in segments.frame().to_dict("records"):
        inside = matching(scope.dataset, str(row["condition"]))
        told = float((inside & scope.current & fraud).sum()) / max(1, int((inside & scope.current).sum()))
        if _beyond(scope, inside) >= MOSTLY or told >= HALF or not ringed.any():
            picked |= inside & scope.current
            whole.append(str(row["condition"]))
        else:
            picked |= inside & scope.current & fraud
            parted = True
    kept = picked & ~good
    if kept.any():
        parts = ["the rings found"] if ringed.any() else []
        parts += ["the segments found"] if whole else []
        parts += ["frauds told of the segments found"] if parted else []
        condition = " OR ".join(f"({text})" for text in whole) if len(whole) > 1 else "".join(whole)
        by = "segments and rings" if whole and ringed.any() else "rings" if ringed.any() else "segments"
        said = f"events of the window in {' and '.join(parts)}, those told good left out"
        return _cluster(kept, said, condition or None, by, picked & good)
    told = scope.current & fraud
    if scope.incident.where is not None and told.sum() >= HALF * scope.current.sum():
        said = f"events of the window with {scope.incident.where}, as most are told fraud; those told good left out"
        return _cluster(scope.current & ~good, said, scope.incident.where, "segments", scope.current & good)
    if told.any():
        return _cluster(told, "frauds told of the window, as no segment and no ring stands out", None, "labels")
    return _cluster(scope.current, "all events of the window, as nothing in it stands out", None, "window")


def _beyond(scope: Scope, inside: npt.NDArray[np.bool_]) -> float:
    """Return the share of a segment's events that its usual part of all events would not have brought."""
    now, before = int((inside & scope.current).sum()), int((inside & scope.baseline).sum())
    rest_now, rest_before = int(scope.current.sum()) - now, int(scope.baseline.sum()) - before
    if not now or not rest_before:
        return 0.0
    return max(0.0, 1.0 - before * rest_now / rest_before / now)


def _cluster(
    mask: npt.NDArray[np.bool_],
    said: str,
    condition: str | None,
    by: str,
    cleared: npt.NDArray[np.bool_] | None = None,
) -> Cluster:
    none = np.zeros(0, dtype=np.intp)
    return Cluster(np.flatnonzero(mask), said, condition, by, none if cleared is None else np.flatnonzero(cleared))
