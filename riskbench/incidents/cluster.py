"""Which events are the incident: those of the window in the segments and rings that were found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
    """

    rows: npt.NDArray[np.intp]
    said: str
    condition: str | None
    by: str

    def __len__(self) -> int:
        return len(self.rows)
