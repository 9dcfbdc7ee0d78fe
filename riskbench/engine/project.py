"""What DuckDB says about conditions that numpy does not answer: one boolean column each, unknown apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from riskbench.engine.duck import session

Mask = npt.NDArray[np.bool_]


def booleans(conditions: Sequence[str], events: pa.Table | None, *, rows: int | None = None) -> list[tuple[Mask, Mask]]:
    """Return, for each condition, where it is true and where it is known.

    Parameters
    ----------
    conditions : sequence of str
        Canonical DuckDB text of bound atoms.
    events : pyarrow.Table or None
        The columns that they read; None when they read none.
    rows : int, optional
        The number of events, for conditions that read no column.

    Raises
    ------
    EngineError
        When DuckDB fails or takes too long.
    """
    count = events.num_rows if events is not None else int(rows or 0)
    source = events if events is not None else pa.table({"row": pa.array(np.arange(count))})
    chosen = ", ".join(f"({text})::BOOLEAN AS a{place}" for place, text in enumerate(conditions))
    with session() as open_:
        open_.register("events", source)
        answer = open_.table(f"SELECT {chosen} FROM events")
    found = []
    for place in range(len(conditions)):
        column = answer.column(place).combine_chunks()
        known = np.asarray(column.is_valid())
        found.append((np.asarray(column.fill_null(False)), known))
    return found
