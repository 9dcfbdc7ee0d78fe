"""How long before an event did something else happen? Each further time column as a delay in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from riskbench.data.dataset import Dataset
from riskbench.engine.columns import DAY, HOUR, MINUTE, Column

#: From which delay on, in microseconds, each word holds.
STEPS = (
    (0, "under 1 minute"),
    (MINUTE, "1 minute to 1 hour"),
    (HOUR, "1 hour to 1 day"),
    (DAY, "1 to 7 days"),
    (7 * DAY, "7 to 30 days"),
    (30 * DAY, "30 to 90 days"),
    (90 * DAY, "90 days and more"),
)
#: The delay since the column `signup_time` is the column `since_signup_time`.
PREFIX = "since_"


def elapsed(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """Return the events with the delay from every further time column as a column of words, and what to know of them.

    A column that holds moments after the event is left out: it would tell the future. A delay is known when its
    column is. Where a moment is missing, so is the delay.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> frame = pd.DataFrame({"id": [1, 2], "paid": ["2026-01-02", "2026-01-03"], "joined": ["2026-01-02"] * 2})
    >>> frame["joined"] = pd.to_datetime(frame["joined"])
    >>> made, _ = elapsed(rb.read(frame, roles={"id": "id", "time": "paid"}))
    >>> made.frame(["since_joined"])["since_joined"].tolist()
    ['under 1 minute', '1 to 7 days']
    """
    roles, notes = dataset.roles, []
    made: dict[str, Column] = {}
    known: dict[str, str] = {}
    if roles.time is None:
        return dataset, ()
    time = dataset.column("time")
    for name, kind in dataset.kinds.items():
        added = f"{PREFIX}{name}"
        if kind != "time" or name in roles.columns() or added in dataset.table:
            continue
        other = dataset.table.column(name)
        both = time.present & other.present
        delay = np.where(both, time.values.astype(np.int64) - other.values.astype(np.int64), 0)
        if not both.any():
            continue
        if (delay < 0).any():
            notes.append(f"{name} holds moments after the event: the time since it is not looked at.")
            continue
        code = np.searchsorted([start for start, _ in STEPS], delay, side="right") - 1
        words = pa.array([word for _, word in STEPS])
        made[added] = Column("string", code.astype(np.int32), None if both.all() else both, words)
        if name in dataset.known_at:
            known[added] = dataset.known_at[name]
        notes.append(f"{added} is made here: the time from {name} to the event. A live rule needs it as a column.")
    if not made:
        return dataset, tuple(notes)
    return replace(dataset.with_columns(made), known_at={**dataset.known_at, **known}), tuple(notes)
