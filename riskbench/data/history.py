"""What was already known to be fraud about an entity, at the moment of an event?"""

from __future__ import annotations

import numpy as np

from riskbench.data.dataset import Dataset
from riskbench.data.labels import verdicts
from riskbench.data.velocity import Feature, coded
from riskbench.engine.columns import DAY, Column
from riskbench.engine.windows import Clock, History, counts
from riskbench.errors import DataError


def known_frauds(dataset: Dataset, feature: Feature, *, delay: float) -> Column:
    """Return how many frauds of an entity became known in the window before each event.

    A fraud counts from the moment it was told, never from the moment it happened. Use it as a feature: an
    entity with a confirmed fraud is likely to see another.

    Parameters
    ----------
    dataset : Dataset
        The events, with the roles `time` and `label`.
    feature : Feature
        A `count` by the entity; the window is `[t - W, t)` on the clock of the verdicts.
    delay : float
        Days from event to verdict where the role `label_time` is not filled: an assumption to print.

    Returns
    -------
    Column
        Missing where the entity or the time is.

    Raises
    ------
    DataError
        When there is no time or no label.
    """
    if dataset.roles.time is None:
        raise DataError("There is no time, and so no history", hint="name the role 'time'")
    time, codes = dataset.column("time"), coded(dataset, feature.by)
    rows = np.flatnonzero(verdicts(dataset)[0] & time.present)
    if dataset.roles.label_time is None:
        told = time.values[rows] + int(delay * DAY)
    else:
        verdict = dataset.column("label_time")
        rows = rows[verdict.present[rows]]
        told = np.maximum(verdict.values[rows], time.values[rows])
    moments = np.concatenate([time.values, told])
    valid = None if time.valid is None else np.concatenate([time.valid, np.ones(len(rows), dtype=bool)])
    history = History.of(Clock.of(moments, valid), np.concatenate([codes, codes[rows]]))
    is_verdict = np.arange(len(moments)) >= dataset.rows
    found = history.scatter(counts(is_verdict, history, history.lower(feature.seconds * 1_000_000)))
    covered = history.covered
    return Column("int", found[: dataset.rows], None if covered is None else covered[: dataset.rows])
