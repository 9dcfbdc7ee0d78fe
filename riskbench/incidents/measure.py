"""What can go wrong: each event's share in a sum or a rate that an incident may move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, stopped
from riskbench.data.outcomes import ladder
from riskbench.engine.columns import DAY, MINUTE
from riskbench.errors import ParameterError, listed, nearest
from riskbench.incidents.scope import Scope
from riskbench.metrics.maturity.curve import FEWEST, DelayCurve, delay_curve

Unit = Literal["share", "count", "money", "score"]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Below this expected share of the window's verdicts, what is told says nothing yet.
LEAST_TOLD = 0.05
#: Unless so many are told all the same.
ENOUGH_TOLD = 5
#: An event is flagged when its score is above that of this share of the baseline.
FLAGGED_ABOVE = 0.99


@dataclass(frozen=True, eq=False)
class Measure:
    """One quantity that an incident may move.

    Attributes
    ----------
    name : str
        What parameters call it: `fraud`, `fraud:<label source>`, `events`, `amount`, `alerts`, `score`, `flagged`, or
        a money measure such as `commission`.
    title : str
        What pages call it.
    unit : {"share", "count", "money", "score"}
        How to read it; a share is a rate, and a score a mean, the others are sums.
    amount : ndarray of int64 (of float64 for the score), shape (rows,)
        Each event's share in the numerator: a count, minor units of money, or the share of the baseline's events
        with a lower score. 0 where the exposure is 0.
    exposure : ndarray of float64, shape (rows,) or None
        Each event's share in the denominator; 0 where it is not measurable, and for frauds the chance that the verdict
        would have been told by the as-of moment. None: a sum.
    delays : DelayCurve or None
        How fast the verdicts come that the exposure rests on.
    unmeasurable : str or None
        Why it is not measurable in the window; None where it is.
    measurable_from : str or None
        The date from which it will be, where only time is missing.
    """

    name: str
    title: str
    unit: Unit
    amount: npt.NDArray[np.int64] | Floats
    exposure: Floats | None = None
    delays: DelayCurve | None = None
    unmeasurable: str | None = None
    measurable_from: str | None = None


def measures(scope: Scope) -> tuple[Measure, ...]:
    """Return every measure that the events allow, the fraud told first, then that of each label source."""
    dataset = scope.dataset
    found: list[Measure] = []
    if dataset.roles.label is not None:
        found += _frauds(scope)
    found.append(Measure("events", "events", "count", np.ones(dataset.rows, dtype=np.int64)))
    if dataset.has("amount"):
        found.append(Measure("amount", "amount", "money", dataset.minor("amount")))
    for meaning, column in dataset.roles.measures.items():
        if meaning not in ("loss", "margin"):
            found.append(Measure(meaning, meaning, "money", dataset.minor(column)))
    if dataset.roles.outcome is not None:
        codes, names = dataset.segment(dataset.roles.outcome)
        steps = ladder(dataset.domain)
        alerted = np.array([name != "(missing)" and steps.effect(name) != "none" for name in names], dtype=bool)
        ones = np.ones(dataset.rows)
        found.append(Measure("alerts", "events not waved through", "share", alerted[codes].astype(np.int64), ones))
    if dataset.roles.score is not None:
        found += _scores(scope)
    return tuple(found)


def measure_of(scope: Scope, name: str) -> Measure:
    """Return a measure by its name.

    Raises
    ------
    ParameterError
        When the events do not allow a measure of that name.
    """
    held = {measure.name: measure for measure in measures(scope)}
    if name not in held:
        close = nearest(name, held)
        raise ParameterError(
            f"{name!r} is not a measure of these events",
            allowed=listed(held, most=20),
            hint=f"did you mean {close!r}?" if close else None,
        )
    return held[name]


def ages(scope: Scope) -> Floats:
    """Return each event's age in days at the as-of moment; below 0 for what came later."""
    return (scope.asof - scope.times) / DAY


def _frauds(scope: Scope) -> list[Measure]:
    """Return the fraud told, as a whole and by label source; what history stopped is in neither part of the rate."""
    dataset = scope.dataset
    open_ = ~stopped(dataset) & (scope.times <= scope.asof)
    fraud = (scope.state.state == FRAUD) & open_
    found = [_told(scope, "fraud", "fraud told", fraud, open_)]
    if dataset.roles.label_source is not None:
        codes, names = dataset.segment(dataset.roles.label_source)
        count = np.bincount(codes[fraud & (scope.current | scope.baseline)], minlength=len(names))
        for code in np.flatnonzero(count):
            source = names[code]
            if source != "(missing)":
                said = f"fraud told by {source.replace('_', ' ')}"
                found.append(_told(scope, f"fraud:{source}", said, fraud & (codes == code), open_))
    return found


def _told(scope: Scope, name: str, title: str, fraud: Mask, open_: Mask) -> Measure:
    dataset = scope.dataset
    can = open_.astype(np.float64)
    curve = None
    if dataset.roles.label_time is not None:
        curve = _curve(scope, fraud)
        if curve is not None:
            can *= curve.at(ages(scope))
    amount = (fraud & (can > 0)).astype(np.int64)
    why, since = _enough(scope, fraud, open_, can, curve)
    return Measure(name, title, "share", amount, can, curve, why, since)


def _curve(scope: Scope, fraud: Mask) -> DelayCurve | None:
    """Return how fast the baseline's frauds were told; where too few were, that of all events looked at."""
    told = scope.dataset.column("label_time")
    timed = fraud & told.present
    if not timed.any():
        return None
    delay, age = (told.values.astype(np.int64) - scope.times) / DAY, ages(scope)
    rows = timed & scope.baseline
    if np.count_nonzero(rows) < FEWEST:
        rows = timed & (scope.baseline | scope.current | scope.after)
    return delay_curve(delay[rows], age[rows]) if rows.any() else None


def _enough(
    scope: Scope, fraud: Mask, open_: Mask, can: Floats, curve: DelayCurve | None
) -> tuple[str | None, str | None]:
    """Return why the window's frauds are not measurable, and from which date they will be."""
    window = scope.current & open_
    if not window.any():
        return "history stopped every event of the window, so no verdict could be told", None
    if not (fraud & (scope.current | scope.baseline)).any():
        return "no fraud is told, neither in the window nor in the baseline", None
    told = int(np.count_nonzero(fraud & window & (can > 0)))
    if curve is None or float(can[window].mean()) >= LEAST_TOLD or told >= ENOUGH_TOLD:
        return None, None
    times = np.sort(scope.times[window])[:: max(1, int(np.count_nonzero(window)) // 500)]
    low, high = scope.asof, int(times[-1] + (curve.horizon + 1) * DAY)
    while high - low > MINUTE:
        middle = (low + high) // 2
        enough = float(curve.at((middle - times) / DAY).mean()) >= LEAST_TOLD
        low, high = (low, middle) if enough else (middle, high)
    since = f"{pd.Timestamp(high, unit='us').ceil('D'):%Y-%m-%d}"
    share = 100 * float(can[window].mean())
    return f"not measurable before {since}: only {share:.1f} % of the window's verdicts would be told by now", since


def _scores(scope: Scope) -> list[Measure]:
    """Return the mean score, as its rank among the baseline's, and the share that is flagged."""
    score, there = _score(scope.dataset)
    held = np.sort(score[there & scope.baseline])
    titles = ("mean score (share of baseline scores below)", "flagged: score above 99 % of the baseline")
    if not len(held):
        none = "there is no score in the baseline to compare with"
        nothing = np.zeros(scope.dataset.rows)
        return [
            Measure("score", titles[0], "score", nothing, nothing, None, none),
            Measure("flagged", titles[1], "share", nothing.astype(np.int64), nothing, None, none),
        ]
    exposure = there.astype(np.float64)
    order, rank = np.argsort(score), np.empty(len(score))
    rising = score[order]  # a sorted search is many times faster than one that jumps
    rank[order] = (np.searchsorted(held, rising, "left") + np.searchsorted(held, rising, "right")) / (2 * len(held))
    cut = held[min(len(held) - 1, int(FLAGGED_ABOVE * len(held)))]
    flagged = (score > cut) if bool((held > cut).any()) else (score >= cut)
    why = None if (there & scope.current).any() else "no event of the window bears a score"
    return [
        Measure("score", titles[0], "score", np.where(there, rank, 0.0), exposure, None, why),
        Measure("flagged", titles[1], "share", (flagged & there).astype(np.int64), exposure, None, why),
    ]


def _score(dataset: Dataset) -> tuple[Floats, Mask]:
    column = dataset.column("score")
    values = column.values.astype(np.float64)
    there = column.present & np.isfinite(values)
    return np.where(there, values, 0.0), there
