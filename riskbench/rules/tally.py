"""How many, how much, how sure: one row of counts, money and rates for any set of hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD, REASONS, STATES
from riskbench.engine.sums import cell_counts, cell_squares, cell_sums
from riskbench.metrics.intervals import sum_interval, wilson
from riskbench.rules.hits import Hits

_SIZE = len(STATES)
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Tally:
    """Counts, money and squares of money by group and label state.

    Parameters
    ----------
    count, value : ndarray of int64, shape (groups, states)
        How many events, and their value in minor units.
    squares : ndarray of float64, shape (groups, states)
        The sum of squared values.
    """

    def __init__(self, count: Ints, value: Ints, squares: Floats) -> None:
        self.count, self.value, self.squares = count, value, squares

    @classmethod
    def stack(cls, tallies: Sequence[Tally]) -> Tally:
        """Return several tallies as one, group after group."""
        if not tallies:
            empty = np.zeros((0, _SIZE))
            return cls(empty.astype(np.int64), empty.astype(np.int64), empty)
        return cls(
            np.concatenate([t.count for t in tallies]),
            np.concatenate([t.value for t in tallies]),
            np.concatenate([t.squares for t in tallies]),
        )

    @property
    def hits(self) -> Ints:
        """Events in any state."""
        return self.count.sum(axis=1)

    @property
    def frauds(self) -> Ints:
        """Events known as fraud."""
        return self.count[:, FRAUD]

    @property
    def good(self) -> Ints:
        """Events known as good."""
        return self.count[:, GOOD]

    @property
    def unlabelled(self) -> Ints:
        """Events without a verdict."""
        return self.hits - self.frauds - self.good

    @property
    def reasons(self) -> dict[str, Ints]:
        """Events without a verdict, and why each has none: the first is the sum of the others."""
        return {"unlabelled": self.unlabelled} | {name: self.count[:, state] for name, state in REASONS.items()}


def tally(
    held: Hits, rows: npt.NDArray[np.intp] | None = None, *, codes: npt.NDArray[np.integer] | None = None, size: int = 1
) -> Tally:
    """Return the tally of some events (all when None), split by a code an event."""
    state, value = held.labels.state, held.worth.value
    if rows is not None:
        state, value = state[rows], value[rows]
    cells: npt.NDArray[np.integer] = state
    if codes is not None:
        picked = codes if rows is None else codes[rows]
        cells = picked.astype(np.intp) * _SIZE + state
    total = _SIZE * size
    shape = (size, _SIZE)
    return Tally(
        cell_counts(cells, total).reshape(shape),
        cell_sums(cells, value, total).reshape(shape),
        cell_squares(cells, value, total).reshape(shape),
    )


def measures(part: Tally, whole: Tally, *, scale: float) -> dict[str, npt.NDArray[np.generic]]:
    """Return the measures of each group against the whole that it lies in.

    Parameters
    ----------
    part : Tally
        Hits, one group a row.
    whole : Tally
        All events: one group for all rows of `part`, or one for each.
    scale : float
        Minor units in one major unit; NaN without money.
    """
    precision = wilson(part.frauds, part.frauds + part.good)
    recall = wilson(part.frauds, np.broadcast_to(whole.frauds, part.frauds.shape))
    alert = wilson(part.hits, np.broadcast_to(whole.hits, part.hits.shape))
    insult = wilson(part.good, np.broadcast_to(whole.good, part.good.shape))
    caught = part.value[:, FRAUD]
    low, high = sum_interval(caught / scale, part.squares[:, FRAUD] / scale**2)
    columns: dict[str, npt.NDArray[np.generic]] = {
        "hits": part.hits,
        "frauds": part.frauds,
        **part.reasons,
    }
    rates = {"precision": precision, "recall": recall, "alert_rate": alert, "insult_rate": insult}
    for name, (rate, lower, upper) in rates.items():
        columns |= {name: rate, f"{name}_lower": lower, f"{name}_upper": upper}
    columns |= {
        "value_hit": part.value.sum(axis=1) / scale,
        "value_caught": caught / scale,
        "value_caught_lower": np.maximum(0.0, low),
        "value_caught_upper": high,
        "good_value_hit": part.value[:, GOOD] / scale,
    }
    return columns


def framed(keys: Mapping[str, Sequence[object]], columns: Mapping[str, npt.NDArray[np.generic]]) -> pd.DataFrame:
    """Return keys and measures as one tidy frame."""
    return pd.DataFrame({**{name: list(values) for name, values in keys.items()}, **columns})


def crossed(split: Tally, keys: Mapping[str, Sequence[str]], *, scale: float) -> pd.DataFrame:
    """Return a tally over all pairs of two keys as one row a pair that has events.

    Parameters
    ----------
    split : Tally
        One group a pair, the second key's values running fastest.
    keys : mapping
        The two columns' names and their values.
    scale : float
        Minor units in one major unit; NaN without money.
    """
    (first, rows), (second, columns) = keys.items()
    frame = pd.DataFrame(
        {
            first: np.repeat(list(rows), len(columns)),
            second: np.tile(list(columns), len(rows)),
            "events": split.hits,
            "frauds": split.frauds,
            "good": split.good,
            **split.reasons,
            "fraud_value": split.value[:, FRAUD] / scale,
            "good_value": split.value[:, GOOD] / scale,
        }
    )
    return frame[frame["events"] > 0].reset_index(drop=True)
