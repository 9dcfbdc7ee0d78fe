"""How far could a whole curve be off? Poisson resamples of every cut at once, from binned counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.metrics.curve import FRAUD, GOOD, TruthTable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A 95 % band of precision and recall at every point of a truth table.

    Attributes
    ----------
    precision_lower, precision_upper, recall_lower, recall_upper : ndarray of float64, shape (points,)
        The ends at each point; NaN where there is nothing to divide by.
    """

    precision_lower: Floats
    precision_upper: Floats
    recall_lower: Floats
    recall_upper: Floats


def resample(table: TruthTable, *, resamples: int = 1_000, bins: int = 256, seed: int = 0) -> Band:
    """Return the bootstrap band of precision and recall at every distinct cut.

    A row that is drawn Poisson(1) times makes a bin of n rows count Poisson(n): bins are drawn in the place of
    rows, exact in law at the bins' edges. Between two edges the ends are carried on in units of the standard
    error, which is known in closed form at every cut.

    Parameters
    ----------
    table : TruthTable
        Counts by cut.
    resamples : int
        How many draws.
    bins : int
        How many edges, spread evenly over the events.
    seed : int
        Of the draws.

    Examples
    --------
    >>> from riskbench.metrics.curve import truth_table
    >>> rng = np.random.default_rng(0)
    >>> fraud = rng.random(2000) < 0.2
    >>> table = truth_table(
    ...     rng.normal(fraud, 1.0), op=">=", base=np.zeros(2000, np.int8), hit=np.ones(2000, np.int8),
    ...     kinds=fraud.astype(np.int8), money=np.ones(2000, np.int64), levels=2)
    >>> band = resample(table)
    >>> point = table.point(1.0)
    >>> bool(0.4 < band.recall_lower[point] < band.recall_upper[point] < 0.6)
    True

    Source: Hanley, J. A. and MacGibbon, B. (2006), Creating non-parametric bootstrap samples using Poisson
    frequencies, Computer Methods and Programs in Biomedicine 83, 57-62.
    """
    frauds, goods = _reached(table, FRAUD), _reached(table, GOOD)
    events = frauds + goods
    edges = np.unique(np.searchsorted(events, np.linspace(0, events[-1], bins + 1)).clip(0, len(events) - 1))
    rng = np.random.default_rng(seed)
    caught = _draws(rng, frauds[edges], resamples)
    missed = rng.poisson(_never(table, FRAUD), (resamples, 1))
    alerts = _draws(rng, goods[edges], resamples)
    alerts += caught
    whole = caught[:, -1:] + missed
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = _ends(np.where(alerts > 0, caught / alerts, np.nan))
        recall = _ends(np.where(whole > 0, caught / whole, np.nan))
        rate, share = frauds / events, frauds / (frauds[-1] + _never(table, FRAUD))
        spread = np.sqrt(rate * (1 - rate) / events)
        scatter = np.sqrt(share * (1 - share) / (frauds[-1] + _never(table, FRAUD)))
    return Band(
        *_carried(precision, rate, spread, edges),
        *_carried(recall, share, scatter, edges),
    )


def _reached(table: TruthTable, kind: int) -> Ints:
    """Return how many events of a class each cut has made alerts."""
    total = np.zeros(table.points, dtype=np.int64)
    for row, (own, before, after) in enumerate(table.moves):
        if own == kind:
            total += table.counts[row] * (int(after > 0) - int(before > 0))
    return total + int(table.fixed_counts[kind, 1:].sum())


def _never(table: TruthTable, kind: int) -> int:
    """Return how many events of a class stay without an alert at the last cut."""
    return int(table.at(table.points - 1)[0][kind, 0])


def _draws(rng: np.random.Generator, cumulative: Ints, resamples: int) -> npt.NDArray[np.int32]:
    """Return resampled cumulative counts, one row a draw."""
    drawn = rng.poisson(np.diff(cumulative, prepend=0), (resamples, len(cumulative)))
    return np.cumsum(drawn, axis=1, dtype=np.int32)


def _ends(values: Floats) -> tuple[Floats, Floats]:
    """Return the 2.5 % and 97.5 % order statistics of each column."""
    low, high = int(0.025 * len(values)), int(np.ceil(0.975 * len(values))) - 1
    parted = np.partition(values, (low, high), axis=0)
    return parted[low], parted[high]


def _carried(
    ends: tuple[Floats, Floats], value: Floats, spread: Floats, edges: npt.NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Return the ends at every point: the distance to an edge's ends, in standard errors, interpolated."""
    points = np.arange(len(value))
    out = []
    for end in ends:
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (end - value[edges]) / spread[edges]
        known = np.isfinite(distance)
        carried = np.interp(points, edges[known], distance[known]) if known.any() else np.zeros(len(value))
        out.append(np.clip(value + carried * spread, 0.0, 1.0))
    return out[0], out[1]
