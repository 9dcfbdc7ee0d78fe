"""What does each fraud known so far stand for? Frauds of its age that are told later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, LabelState
from riskbench.engine.columns import DAY
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity.curve import DelayCurve
from riskbench.metrics.maturity.groups import LEAST_SHARE, Cells, cells
from riskbench.metrics.maturity.spread import (
    UNSEEN,
    clumping,
    curve_variance,
    one_more,
    share_interval,
    unseen_interval,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: No known fraud stands for more than so many.
HEAVIEST = 20.0
#: So many frauds' worth of the usual spread of values is mixed with the spread of those at hand.
_USUAL = 20.0
#: So many frauds of the usual size lean the size of those at hand.
_LEANT = 4.0
#: The chance on one side of a 95 % interval.
_RARE = 0.025


@dataclass(frozen=True, slots=True, eq=False)
class Matured:
    """What each known fraud stands for, and which events are old enough to say anything.

    Attributes
    ----------
    weight : ndarray of float64, shape (rows,)
        1 / (share told by its age) of a known fraud that is old enough; 0 of one that is not; 1 of every other event.
    share : ndarray of float64, shape (rows,)
        The share of an event's frauds that is told by its age: of a known fraud by its source, of another event by
        the sources of its group together; 1 where labels bear no time.
    measurable : ndarray of bool, shape (rows,)
        Whether the event is old enough.
    until : Timestamp or None
        The moment from which on events of the group told latest are too young; None where all are old enough.
    curves : mapping of str to DelayCurve
        The delay curve of each group.
    known : ndarray of bool, shape (rows,)
        The known frauds.
    ages : ndarray of float64, shape (rows,), or None
        Each event's age in days; None where labels bear no time.
    bearer : ndarray of int64, shape (rows,), or None
        Which curve corrects each known fraud; -1 where none does.
    edge : float
        The age in days from which on events of every group are old enough; 0 where labels bear no time.
    clumped : float
        How many times more than chance alone delays vary within a cohort: 1, or more where told in clumps.
    why : str
        Why nothing can be corrected; empty where it can.
    due : ndarray of float64, shape (rows,), or None
        The frauds an event comes to in the end, by its group; None where all groups are alike.
    odds : ndarray of float64, shape (rows,), or None
        What a fraud of the event adds to the variance of the corrected count: 1 / (share told) - 1, by its sources.
    group : ndarray of int64, shape (rows,), or None
        Each event's group, as a place in `parts`.
    parts : tuple of tuple of (str, int, float)
        Each group's label sources; see `Cells`.
    """

    weight: Floats
    share: Floats
    measurable: Mask
    until: pd.Timestamp | None
    curves: dict[str, DelayCurve]
    known: Mask
    ages: Floats | None = None
    bearer: Ints | None = None
    edge: float = 0.0
    clumped: float = 1.0
    why: str = ""
    due: Floats | None = None
    odds: Floats | None = None
    group: Ints | None = None
    parts: tuple[tuple[tuple[str, int, float], ...], ...] = ()

    def total(self, values: npt.ArrayLike | None = None, *, rows: Mask | None = None) -> Estimate:
        """Return the sum of a value over the frauds that will have been told in the end, of the events old enough.

        The interval is one for what will be known: it holds the verdicts not yet seen, the sizes of those frauds,
        the uncertain delay curve, and half a fraud of which nothing was seen.

        Parameters
        ----------
        values : array of float, shape (rows,), optional
            What each fraud counts for, such as its loss; by default 1.
        rows : ndarray of bool, optional
            The events; by default all.
        """
        held = self._held(values, rows)
        if isinstance(held, Estimate):
            return held
        value, share = held
        total, counted = float((value / share).sum()), float(value.sum())
        mean, variance = self._unseen(value, share, values, rows)
        if (value < 0).any():
            lower, upper = total - Z95 * variance**0.5, total + Z95 * variance**0.5
        else:
            low, high = unseen_interval(mean, variance)
            if self._none_left(rows) or low <= 0:
                low = 0.0
            if values is None:
                low, high = float(np.round(low)), float(np.round(high))
            lower, upper = min(counted + low, total), max(counted + high, total)
        return Estimate(total, lower, upper, len(value), _rest(counted, total))

    def rate(self, part: npt.ArrayLike | None, whole: npt.ArrayLike, *, rows: Mask | None = None) -> Estimate:
        """Return a sum over the frauds known in the end over a sum over all events: a precision, basis points of GMV.

        Parameters
        ----------
        part : array of float, shape (rows,), or None
            What each fraud counts for; None counts 1.
        whole : array of float, shape (rows,)
            What every event counts for, fraud or not: 1 for a precision, its amount for basis points.
        rows : ndarray of bool, optional
            The events, such as a rule's hits; by default all. Only those old enough count.
        """
        picked = self.measurable if rows is None else self.measurable & rows
        size = float(np.asarray(whole, dtype=np.float64)[picked].sum())
        held = self.total(part, rows=rows)
        if held.value is None:
            return held
        if size <= 0:
            return Estimate.none("nothing to hold the frauds against", n=held.n)
        lower, upper = (None if end is None else end / size for end in (held.lower, held.upper))
        return Estimate(held.value / size, lower, upper, held.n, held.corrected)

    def ratio(self, part: npt.ArrayLike, whole: npt.ArrayLike | None = None, *, rows: Mask | None = None) -> Estimate:
        """Return one sum over the frauds known in the end over another: a recall.

        Parameters
        ----------
        part : array of float, shape (rows,)
            What each fraud counts for above the line, such as its loss if it was caught and else 0; at most `whole`.
        whole : array of float, shape (rows,), optional
            What it counts for below the line; by default 1.
        rows : ndarray of bool, optional
            The events; by default all.
        """
        held = self._held(whole, rows)
        if isinstance(held, Estimate):
            return held
        base, share = held
        over, _ = self._values(part, rows)
        below = float((base / share).sum())
        if below <= 0:
            return Estimate.none("no fraud to hold the part against", n=len(base))
        value = float((over / share).sum()) / below
        counted = float(base.sum())
        middle = float((over / share).sum() + UNSEEN * base.mean()) / float(below + 2 * UNSEEN * base.mean())
        off = over - middle * base
        square = self._usual_square(base, whole) * middle * (1 - middle)
        square = (float((off**2).sum()) + _USUAL * square) / (len(base) + _USUAL)
        seen, even = float(((1 - share) / share**2).sum()), self._even(len(base), rows)[1]
        spread = square * (seen if even is None else (seen + even) / 2) * self.clumped
        open_ = float(((1 - share) / share).sum()) / max(len(base), 1)
        spread += 2 * UNSEEN * float((base**2).mean()) * middle * (1 - middle) * open_ * (1 + open_)
        spread += self._curves(rows, off / share)
        if 0 < middle < 1:
            lower, upper = share_interval(middle, spread**0.5 / below)
        else:
            half = Z95 * spread**0.5 / below
            lower, upper = middle - half, middle + half
        low, high = one_more(float(over.sum()), counted, middle, below - counted, float(base.mean()))
        return Estimate(value, min(lower, value, low), max(upper, value, high), len(base), _rest(counted, below))

    def deviation(self, values: npt.ArrayLike | None = None, *, rows: Mask | None = None) -> float:
        """Return the standard error of `total`, to be added to that of another source of error."""
        held = self._held(values, rows)
        return 0.0 if isinstance(held, Estimate) else self._unseen(*held, values, rows)[1] ** 0.5

    def taken(self, rows: npt.NDArray[np.intp]) -> Matured:
        """Return the same of some rows, given by their places."""
        ages = None if self.ages is None else self.ages[rows]
        bearer = None if self.bearer is None else self.bearer[rows]
        return replace(
            self,
            weight=self.weight[rows],
            share=self.share[rows],
            measurable=self.measurable[rows],
            known=self.known[rows],
            ages=ages,
            bearer=bearer,
            due=None if self.due is None else self.due[rows],
            odds=None if self.odds is None else self.odds[rows],
            group=None if self.group is None else self.group[rows],
        )

    def told(self, rows: Mask) -> float | None:
        """Return the share of some events' frauds that is told by now: a group with more fraud counts for more."""
        due = self._due(rows)
        return float((due * self.share[rows]).sum() / due.sum()) if len(due) else None

    def _due(self, rows: Mask) -> Floats:
        return np.ones(int(np.count_nonzero(rows))) if self.due is None else self.due[rows]

    def measurable_from(self, start: str | pd.Timestamp) -> pd.Timestamp:
        """Return from when on events of a moment are old enough, in every group: the one way to tell such a date.

        It is the moment itself where labels bear no time; events at `until` are old enough at the as-of moment.
        """
        return pd.Timestamp(start) + pd.Timedelta(days=self.edge)

    def not_before(self, start: str | pd.Timestamp) -> str:
        """Return from which day on events of a moment are old enough, as every page says it."""
        return f"not measurable before {self.measurable_from(start):%Y-%m-%d}"

    def too_young(self, last: str | pd.Timestamp) -> str:
        """Return from when on events are too young, and when the last can be measured, as every page says it."""
        since = "" if self.until is None else f"from {self.until:%Y-%m-%d} on "
        return f"{since}are too young: {self.not_before(last)}"

    def _rows(self, rows: Mask | None) -> npt.NDArray[np.intp]:
        return np.flatnonzero(self.known & self.measurable & (True if rows is None else np.asarray(rows, dtype=bool)))

    def _values(self, values: npt.ArrayLike | None, rows: Mask | None) -> tuple[Floats, npt.NDArray[np.intp]]:
        picked = self._rows(rows)
        return (np.ones(len(picked)) if values is None else np.asarray(values, dtype=np.float64)[picked]), picked

    def _held(self, values: npt.ArrayLike | None, rows: Mask | None) -> tuple[Floats, Floats] | Estimate:
        if self.why:
            return Estimate.none(self.why)
        value, picked = self._values(values, rows)
        if not len(picked) and not bool((self.measurable if rows is None else self.measurable & rows).any()):
            return Estimate.none("no event is old enough" if self.until is not None else "no event")
        return value, self.share[picked]

    def _unseen(
        self, value: Floats, share: Floats, values: npt.ArrayLike | None, rows: Mask | None
    ) -> tuple[float, float]:
        """Return the mean and variance of what is not seen yet, with half a fraud more than was seen."""
        rest = (1 - share) / share
        usual, _ = self._values(values, None)
        size = float(value.mean()) if len(value) else float(usual.mean()) if len(usual) else 1.0
        squares = value**2
        second = float((squares.sum() + _USUAL * self._usual_square(value, values)) / (len(value) + _USUAL))
        if values is not None and second > 0 and len(value):
            # The spread of a few sizes is itself uncertain, most where one of them makes up much of the sum.
            second *= 1.0 + 2.0 * float(squares.sum()) / max(float(np.abs(value).sum()) ** 2, 1e-300)
        open_, even = self._even(len(value), rows)
        seen = float((rest / share).sum())
        variance = second * (seen if even is None else (seen + even) / 2)
        # Half by the ages at which large ones lie: a large young one stands for much that may never be.
        variance = (variance + max(variance, float((squares * rest / share).sum()))) / 2
        if even is None:
            variance += UNSEEN * second * open_ * (1 + open_)
        mean = float((value * rest).sum()) + UNSEEN * size * open_
        return mean, self.clumped * variance + self._curves(rows, value / share)

    def _even(self, known: int, rows: Mask | None) -> tuple[float, float | None]:
        """Return how many are untold for each one told, and the variance of the untold were frauds spread as events.

        By what is seen alone, few frauds told among the young make the estimate small and its error small with it, so
        that the upper end is too low just where it is needed. The ages of all events say how many might be unseen.
        """
        around = self.measurable if rows is None else self.measurable & np.asarray(rows, dtype=bool)
        share = np.maximum(self.share[around], 1.0 / HEAVIEST)
        if not len(share):
            return 0.0, None
        due = self._due(around)
        told = float((due * share).sum())
        open_ = float((due * (1 - share)).sum()) / told
        if self.known[around].all():
            return open_, None
        odds = (1 - share) / share if self.odds is None else self.odds[around]
        return open_, (known + UNSEEN) * float((due * odds).sum()) / told

    def _usual_square(self, value: Floats, values: npt.ArrayLike | None) -> float:
        """Return the mean square of values of this size, were they spread as those of all known frauds.

        The size itself is leant on that of all where few are at hand, by factors and not by sums.
        """
        usual, _ = self._values(values, None)
        here = float(value.mean()) if len(value) else 0.0
        if values is None or not len(usual) or usual.mean() <= 0 or here <= 0:
            return float((value**2).mean()) if len(value) else float((usual**2).mean()) if len(usual) else 1.0
        own = len(value) / (len(value) + _LEANT)
        size = here**own * float(usual.mean()) ** (1 - own)
        return float((usual**2).mean() / usual.mean() ** 2) * size**2

    def _none_left(self, rows: Mask | None) -> bool:
        """Return whether it may well be that no fraud is left to be told."""
        mean, variance = self._unseen(*self._of_ones(rows), None, rows)
        if mean <= 0 or variance <= 0:
            return True
        from scipy.special import gammainc

        return float(gammainc(mean**2 / variance, 0.5 * mean / variance)) >= _RARE

    def _of_ones(self, rows: Mask | None) -> tuple[Floats, Floats]:
        picked = self._rows(rows)
        return np.ones(len(picked)), self.share[picked]

    def _curves(self, rows: Mask | None, weights: Floats) -> float:
        if self.bearer is None or self.ages is None:
            return 0.0
        picked = self._rows(rows)
        bearer, ages = self.bearer[picked], self.ages[picked]
        return self.clumped * curve_variance(list(self.curves.values()), bearer, ages, weights)


def _rest(counted: float, total: float) -> float:
    return 0.0 if total == 0 else max(0.0, 1.0 - counted / total)


def matured(dataset: Dataset, labels: LabelState, by: Sequence[str] = ()) -> Matured:
    """Return what each known fraud stands for at the moment of the labels.

    Delay curves are one a label source and group where enough verdicts bear one, else of the next wider group. A
    silent event has no source: the share told by its age is that of its group's sources together. An event is old
    enough when three of ten frauds of its group are told by its age, and one of ten of each source that matters.

    Parameters
    ----------
    dataset : Dataset
        The events.
    labels : LabelState
        What is known of them, and when.
    by : sequence of str
        Columns that tell how fast verdicts come, such as the payment method; the region is always one.
    """
    known = labels.state == FRAUD
    ones = np.ones(dataset.rows)
    if labels.asof is None or not (dataset.has("time") and dataset.has("label_time")):
        return Matured(ones, ones, np.ones(dataset.rows, dtype=bool), None, {}, known)
    time, told = dataset.column("time"), dataset.column("label_time")
    now = int(labels.asof.value // 1000)
    age = np.where(time.present, (now - time.values) / DAY, np.nan)
    timed = known & told.present & time.present
    delay = np.maximum(np.where(timed, (told.values - time.values) / DAY, 0.0), 0.0)
    held: Cells = cells(dataset, timed, delay, age, by)
    if not any(curve.n for curve in held.curves.values()):
        why = "no fraud has been told yet, so how late they are told is not known" if dataset.rows else ""
        return Matured(ones, ones, np.ones(dataset.rows, dtype=bool), None, held.curves, known, why=why)
    share = np.where(np.isnan(age), 1.0, held.share)
    bearer = np.where(timed, held.bearer, -1)
    share = np.where(known & ~timed, 1.0, share)
    measurable = np.isnan(age) | (age >= held.edges[held.group])
    weight = np.where(known, np.where(measurable, 1.0 / np.maximum(share, 1.0 / HEAVIEST), 0.0), 1.0)
    share = np.where(timed, np.maximum(share, 1.0 / HEAVIEST), share)
    edge = float(held.edges[np.unique(held.group)].max()) if dataset.rows else 0.0
    until = None if measurable.all() else labels.asof - pd.Timedelta(days=edge)
    curves = list(held.curves.values())
    clumped = clumping(curves, bearer[timed], np.nan_to_num(age[timed]), delay[timed])
    ages = np.nan_to_num(age, nan=np.inf)
    odds = _odds(curves, held, np.nan_to_num(age, nan=np.inf))
    return Matured(
        weight,
        share,
        measurable,
        until,
        held.curves,
        known,
        ages,
        bearer,
        edge,
        clumped,
        due=held.rate[held.group],
        odds=odds,
        group=held.group,
        parts=held.parts,
    )


def _odds(curves: Sequence[DelayCurve], held: Cells, age: Floats) -> Floats:
    """Return 1 / (share told) - 1 of each event's frauds, on average over the sources of its group."""
    out = np.zeros(len(age))
    order = np.argsort(held.group, kind="stable")
    ends = np.searchsorted(held.group[order], np.arange(len(held.parts) + 1))
    for number, parts in enumerate(held.parts):
        rows = order[ends[number] : ends[number + 1]]
        for _, place, part in parts:
            out[rows] += part * (1.0 / np.maximum(curves[place].at(age[rows]), 1.0 / HEAVIEST) - 1.0)
    return out


__all__ = ["LEAST_SHARE", "Matured", "matured"]
