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
    by : {"segments", "rings", "segments and rings", "labels", "nothing"}
        What they were found by; `labels`: nothing stands out, so all frauds told of the window; `nothing`: none is.
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

    The events of suspicious rings are taken, and of a segment all events where, without the rings, at least `MOSTLY`
    of them are beyond what the baseline would have brought, or `HALF` are told fraud; else only its told frauds: what
    the rings explain is no reason to suspect the honest beside them. All of a segment is taken where no ring was
    found. Where neither found anything it is all that the incident's own condition picks, if `HALF` of it is told
    fraud; else all frauds told of the window, and where none is told yet, all of the window.
    """
    from riskbench.incidents import entities as who

    good, fraud = scope.state.state == GOOD, scope.state.state == FRAUD
    ringed = np.zeros(scope.dataset.rows, dtype=bool)
    ringed[who.rows_of(scope, entities)] = True
    by_rings = ringed & scope.current
    picked, whole, parted = by_rings.copy(), [], False
    for row in segments.frame().to_dict("records"):
        inside = matching(scope.dataset, str(row["condition"]))
        rest = inside & ~by_rings
        told = float((rest & scope.current & fraud).sum()) / max(1, int((rest & scope.current).sum()))
        if _beyond(scope, rest, scope.current & ~by_rings) >= MOSTLY or told >= HALF or not ringed.any():
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
    return _cluster(told, "no event: nothing in the window stands out, and no fraud of it is told", None, "nothing")


def _beyond(scope: Scope, inside: npt.NDArray[np.bool_], current: npt.NDArray[np.bool_]) -> float:
    """Return the share of a segment's events of the window that its usual part of all events would not have brought."""
    now, before = int((inside & current).sum()), int((inside & scope.baseline).sum())
    rest_now, rest_before = int(current.sum()) - now, int(scope.baseline.sum()) - before
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
