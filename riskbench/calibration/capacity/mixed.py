"""What does each limit on capacity come to where parts of the events each have a cut of their own?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from riskbench.calibration.capacity.levels import levels_of
from riskbench.metrics.constraints import Constraint

if TYPE_CHECKING:
    from riskbench.calibration.study import Study

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


def limits_at(study: Study, parts: Sequence[Rows], cuts: Sequence[float]) -> dict[Constraint, Floats]:
    """Return what all parts together make of each limit that a study was asked for, each part at its own cut.

    Reviewers and payouts belong to all parts together, so that no sum of the parts' own figures tells it.

    Parameters
    ----------
    study : Study
        The events, priced; without limits on capacity the answer is empty.
    parts : sequence of ndarray of int
        The events of each part, of one window.
    cuts : sequence of float
        The cut of each.
    """
    if not study.asked:
        return {}
    decided = study.sweep.base.copy()
    for cut in set(cuts):
        levels = study.levels(cut)
        for rows in (part for part, own in zip(parts, cuts, strict=True) if own == cut):
            decided[rows] = levels[rows]
    nobody = np.zeros(len(decided), dtype=bool)
    fixed = replace(study.sweep, base=decided, hit=decided, value=np.zeros(len(decided)), always=nobody, never=nobody)
    rows = np.sort(np.concatenate(list(parts)))
    still = replace(study, sweep=fixed, block=None)
    return {limit: line[:1] for limit, line in levels_of(still, still.table(rows), rows).items()}
