"""A calibration part by part: each segment's own cut, and what changes where regions get theirs."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.choose import bounds_of
from riskbench.calibration.segments import COLUMNS as SEGMENT_COLUMNS
from riskbench.calibration.segments import PLATEAU_COLUMNS, paying, plateaus_frame, segments_frame
from riskbench.calibration.study import Study
from riskbench.errors import ParameterError
from riskbench.metrics.constraints import Constraint

#: A column of more values than this is no segment.
MOST_SEGMENTS = 1_000


def own_levels(study: Study, cut: float, segments: pd.DataFrame) -> npt.NDArray[np.int8] | None:
    """Return each event's ladder level where each region whose own cut pays gets it; None where none does."""
    own_cuts = paying(segments) if math.isfinite(cut) else {}
    if not own_cuts:
        return None
    codes, names = study.sweep.dataset.regions
    levels = study.levels(cut)
    for name, own in own_cuts.items():
        inside = codes == names.index(name)
        levels[inside] = study.levels(own)[inside]
    return levels


def segments_of(study: Study, cut: float, constraints: tuple[Constraint, ...], by: str | None) -> pd.DataFrame:
    """Return each segment's own best cut and what one cut for all costs it."""
    if by is None:
        return pd.DataFrame(columns=SEGMENT_COLUMNS)
    return segments_frame(study, *parts_of(study, by), cut, constraints, bounds=bounds_of(study))


def segment_plateaus(study: Study, constraints: tuple[Constraint, ...], by: str | None, seed: int) -> pd.DataFrame:
    """Return each segment's own plateau."""
    if by is None:
        return pd.DataFrame(columns=PLATEAU_COLUMNS)
    return plateaus_frame(study, *parts_of(study, by), constraints, bounds=bounds_of(study), seed=seed)


def parts_of(study: Study, by: str) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    """Return each event's segment, and the segments' names.

    Raises
    ------
    ParameterError
        When the column has too many values for segments.
    """
    events = study.sweep.dataset
    codes, names = events.regions if by == "region" and "region" not in events.names else events.segment(by)
    if by == "region" and events.roles.region is not None:
        codes, names = events.regions
    if len(names) > MOST_SEGMENTS:
        raise ParameterError(
            f"{by!r} has {len(names):,} values, too many for segments", allowed=f"at most {MOST_SEGMENTS:,}"
        )
    return codes, names
