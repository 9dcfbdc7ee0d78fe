"""What will a cut's figures be once all verdicts are told? As counted now, and as they are expected in the end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.study import Study
from riskbench.data.dataset import micros
from riskbench.data.labels import BLOCKED, FRAUD, GOOD, YOUNG
from riskbench.engine.columns import DAY
from riskbench.metrics.curve import FRAUD as FRAUD_CLASS
from riskbench.metrics.curve import GOOD as GOOD_CLASS
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity import Matured
from riskbench.metrics.maturity.spread import curve_variance
from riskbench.metrics.maturity.weights import HEAVIEST
from riskbench.metrics.selection import weighted_total

Floats = npt.NDArray[np.float64]
Small = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

COLUMNS = "window start end cut measure per counted value lower upper corrected n status".split()
LATER, YOUNG_WEEKS = "later window", "young weeks"
#: A figure that owes less to correction counts as counted, one that owes more as mostly inference.
LITTLE, MOST = 0.005, 0.5
#: How unsure the spread of few let-through events is, by how few and uneven they are; by `benchmarks/chosen_cut.py`.
_SPREAD = 0.5
_WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time that a cut is judged on.

    Attributes
    ----------
    name : str
        "later window", or "young weeks" where silence does not count as good yet.
    mask : ndarray of bool, shape (rows,)
        Its events.
    start, end : str or None
        Its first moment, and the first after it.
    length : float
        Weeks, or thousands of events without time.
    """

    name: str
    mask: Mask
    start: str | None
    end: str | None
    length: float


def stretches(study: Study) -> tuple[Stretch, ...]:
    """Return the later window, and the young weeks after it that are old enough to be corrected."""
    windows, standing = study.windows, study.standing
    later = windows.report
    held = [Stretch(LATER, later.mask, later.start, later.end, later.length)] if later.mask.any() else []
    events, labels = study.sweep.dataset, study.labels
    if standing is None or labels.asof is None or later.end is None or not events.has("label_time"):
        return tuple(held)
    ends = [labels.asof if standing.told.until is None else standing.told.until, labels.asof]
    start = max(micros(end) for end in (later.end, windows.choose.end) if end is not None)
    end = int(min(ends).value // 1000)
    if end - start < DAY:
        return tuple(held)
    time = events.column("time")
    mask = time.present & (time.values >= start) & (time.values < end) & standing.told.measurable
    if mask.any():
        first, last = (f"{pd.Timestamp(moment, unit='us'):%Y-%m-%d}" for moment in (start, end))
        held.append(Stretch(YOUNG_WEEKS, mask, first, last, (end - start) / _WEEK))
    return tuple(held)


def matured_frame(study: Study, cuts: Mapping[str, Small]) -> pd.DataFrame:
    """Return what each cut comes to on the later window and on the young weeks after it, in the end.

    Parameters
    ----------
    study : Study
        The events, priced.
    cuts : mapping of str to ndarray of int8, shape (rows,)
        The ladder level of each event under each cut.

    Returns
    -------
    DataFrame
        window, start, end, cut, measure, per, counted (as if no more verdicts came and none were missing), value with
        lower and upper (95 % prediction interval for what will be known in the end), corrected (the share of the value
        that was not counted), n (known frauds behind it), status.
    """
    rows: list[tuple[object, ...]] = []
    for stretch in stretches(study):
        out = left_out(study, stretch)
        beside = f"; {out:,} stopped events left out" if out else ""
        for cut, levels in cuts.items():
            for measure, per, counted, found, over in _measures(study, stretch, levels):
                value, lower, upper = (
                    None if end is None else end / over for end in (found.value, found.lower, found.upper)
                )
                naive = None if counted is None else counted / over
                rows.append(
                    (
                        *(stretch.name, stretch.start, stretch.end, cut, measure, per),
                        *(naive, value, lower, upper, found.corrected if found.measurable else None),
                        *(found.n, status(found) + (beside if found.measurable else "")),
                    )
                )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    for column in ("counted", "value", "lower", "upper", "corrected"):
        frame[column] = frame[column].astype(np.float64)
    return frame


def status(found: Estimate) -> str:
    """Return what an estimate rests on, in a word or two."""
    if not found.measurable:
        return f"not measurable: {found.why}" if found.why else "not measurable"
    if found.corrected <= LITTLE:
        return "counted"
    return "mostly inference" if found.corrected > MOST else "estimated"


def _measures(study: Study, stretch: Stretch, levels: Small) -> list[tuple[str, str, float | None, Estimate, float]]:
    """Return measure, per, what is counted, the estimate, and what to divide by, of one stretch at one cut."""
    study = _borne(study, stretch)
    assert study.standing is not None
    standing, state, price = study.standing, study.labels.state, study.price()
    young = state == YOUNG if standing.silence else np.zeros(len(state), dtype=bool)
    settled = (state == GOOD) | (state == FRAUD) | young
    open_ = (state == BLOCKED) & (standing.let.chance > 0)
    people = stretch.mask & (settled | open_)
    alert = people & (levels > 0)
    view = _View.of(
        study, np.flatnonzero(people & ((levels > 0) | (state == FRAUD) | (standing.let.chance < 1))), people
    )
    own = levels[view.rows].astype(np.intp)
    unit = 1 if study.worth.money else study.scale
    loss, margin = (part[view.rows] * float(unit) for part in (study.worth.loss, study.worth.margin))
    spoiled, saved = price.slope[GOOD_CLASS, own] * margin, price.slope[FRAUD_CLASS, own] * loss
    alerted, known = own > 0, view.known
    passed = (standing.let.weight > 0)[view.rows]
    counted_frauds = known & alerted & passed
    length, per = stretch.length, study.windows.per
    made: list[tuple[str, str, float | None, Estimate, float]] = []

    def add(measure: str, counted: float | None, found: Estimate, *, over: float, rate: bool = False) -> None:
        made.append((measure, "" if rate else per, counted, found, over))

    ripe = stretch.name == LATER or standing.silence
    waiting = Estimate.none("good verdicts of these weeks are still to come")
    hit = study.steps.level(study.sweep.outcome) if study.sweep.outcome else len(study.steps.rungs) - 1
    usual = price.saved[hit] * study.worth.loss[view.others] * float(unit)
    less = price.slope[GOOD_CLASS, hit] * study.worth.margin[view.others] * float(unit)
    frauds = view.total(alerted.astype(np.float64))
    prevented = view.total(price.saved[own] * loss, usual)
    handling = float(price.handling[levels[stretch.mask]].sum())
    silent = alerted & ~known & passed
    gained = view.total(saved - spoiled, usual - less)
    base = float(spoiled[alerted].sum())
    if study.worth.margin_measured:  # what a stopped event would have earned is then not on record
        base = float((spoiled * standing.let.weight[view.rows])[alerted & (passed | known)].sum())
    counted_net = float(saved[counted_frauds].sum() + spoiled[silent].sum()) - handling
    net = _shifted(gained, base - handling, counted_net) if ripe else waiting
    add("net value", counted_net if ripe else None, net, over=length)
    add("loss prevented", float((price.saved[own] * loss)[counted_frauds].sum()), prevented, over=length)
    add("frauds alerted", float(counted_frauds.sum()), frauds, over=length)
    size, seen = int(np.count_nonzero(alert)), int((alerted & passed).sum())
    share = frauds if size else Estimate.none("no alert that can have a verdict")
    add(
        "precision",
        float(counted_frauds.sum()) / seen * size if seen and ripe else None,
        (_over(share, counted_frauds.sum() / seen if seen else 0.0, size)) if ripe else waiting,
        over=max(size, 1),
        rate=True,
    )
    caught = float(counted_frauds.sum())
    every = float((known & passed).sum())
    add("recall", caught / every if every else None, view.share(alerted), over=1.0, rate=True)
    return made


def _borne(study: Study, stretch: Stretch) -> Study:
    """Return the study with let-through events that stand for the stopped ones of a stretch, or for themselves alone.

    Where the size of a stopped event is known, so is what it may add at most, and the interval holds however few were
    let through. Where losses are measured it is not, and enough of the let-through ones must be frauds, so that their
    losses tell it; else the stopped ones are left out.
    """
    assert study.standing is not None
    standing, let = study.standing, study.standing.every
    if study.worth.loss_measured:
        let = let.within(stretch.mask, standing.bears & (study.labels.state == FRAUD))
    return study if let is standing.let else replace(study, standing=replace(standing, let=let))


def left_out(study: Study, stretch: Stretch) -> int:
    """Return how many stopped events of a stretch are in no figure: none, or too few like them, were let through."""
    standing = _borne(study, stretch).standing
    if standing is None:
        return 0
    return int(np.count_nonzero(stretch.mask & (study.labels.state == BLOCKED) & (standing.let.chance <= 0)))


def _shifted(found: Estimate, more: float, counted: float) -> Estimate:
    """Return an estimate with a known sum added, and what share of it was not counted."""
    if found.value is None or found.lower is None or found.upper is None:
        return found
    value = found.value + more
    moved = abs(value - counted) / max(abs(value), abs(counted), 1e-12)
    return Estimate(value, found.lower + more, found.upper + more, found.n, min(1.0, moved))


def _over(found: Estimate, counted: float, size: int) -> Estimate:
    """Return an estimate that is to be divided by a known size, with the share of the ratio that was not counted."""
    if found.value is None or found.upper is None or not size:
        return found
    most = float(size)
    value = min(found.value / size, 1.0)
    moved = abs(value - counted) / max(abs(value), counted, 1e-12)
    ends = (min(found.value, most), min(found.lower or 0.0, most), min(found.upper, most))
    return Estimate(*ends, found.n, min(1.0, moved))


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """Some events that a cut or a fraud makes matter, with what their verdicts stand for.

    Attributes
    ----------
    rows : ndarray of int
        The events.
    others : ndarray of int
        The known frauds of other times, which say how large a fraud usually is.
    every : Matured
        What each known fraud of all events stands for, for late verdicts.
    quiet : ndarray of bool, shape (all rows,)
        The events of the stretch that are among `rows`, or good ones that no cut touches.
    told : Matured
        What each known fraud among them stands for, for late verdicts.
    chance : ndarray of float64
        The chance with which history let each pass.
    drawn, open : ndarray of bool
        Events that were let pass at random, and those that might have been.
    known : ndarray of bool
        The known frauds.
    sized : bool
        Whether the size of a stopped event is known.
    """

    rows: Rows
    others: Rows
    every: Matured
    quiet: Mask
    told: Matured
    chance: Floats
    drawn: Mask
    open: Mask
    known: Mask
    sized: bool

    @classmethod
    def of(cls, study: Study, rows: Rows, people: Mask) -> _View:
        """Return the view of some rows of a stretch's people."""
        assert study.standing is not None
        told, let = study.standing.told, study.standing.let
        cut = told.taken(rows)
        chance = let.chance[rows]
        open_ = (chance < 1) & (chance > 0)
        away = told.known & told.measurable
        away[rows] = False
        others = np.flatnonzero(away)
        return cls(
            rows,
            others,
            told,
            people,
            cut,
            chance,
            let.drawn[rows],
            open_,
            told.known[rows],
            not study.worth.loss_measured,
        )

    def total(self, values: Floats, usual: Floats | None = None) -> Estimate:
        """Return what a value sums to over the frauds in the end, stopped ones included.

        `usual` is what the frauds of other times would count for.
        """
        first = self._late(values, usual)
        lone = bool(self.open.any())
        if first.value is None:
            if not lone and not self.told.why:
                return Estimate(0.0, 0.0, 0.0, 0)
            if self.told.why:
                return first
            first = Estimate(0.0, 0.0, 0.0, 0)
        n = int(np.count_nonzero(self.known & (values != 0)))
        if not lone:
            return replace(first, n=n)
        own, size = np.flatnonzero(self.open), np.abs(values)
        second = weighted_total(
            (values * self.known)[own],
            self.drawn[own],
            self.chance[own],
            weight=1 / np.maximum(self.told.share[own], 1 / HEAVIEST),
            size=size[own] if self.sized else None,
        )
        if second.value is None or second.lower is None or second.upper is None:
            return second
        assert first.value is not None
        assert first.lower is not None
        assert first.upper is not None
        value = first.value + second.value
        curves, wider = self._curves(values), self._uneven(size)
        lower = value - math.hypot(first.value - first.lower, wider * (second.value - second.lower), curves)
        upper = value + math.hypot(first.upper - first.value, wider * (second.upper - second.value), curves)
        counted = float(values[self.known & (self.drawn | ~self.open)].sum())
        rest = 0.0 if value == 0 else min(1.0, max(0.0, 1.0 - counted / value))
        return Estimate(value, lower, upper, n, rest)

    def _uneven(self, size: Floats) -> float:
        """Return by how much few let-through events, or few large ones, widen what they tell: so is their spread."""
        held = size[self.drawn & self.open & (size > 0)]
        if not self.sized or not len(held):
            return 1.0
        return math.sqrt(1.0 + _SPREAD * float((held**2).sum()) / float(held.sum()) ** 2)

    def _late(self, values: Floats, usual: Floats | None) -> Estimate:
        """Return the same of the events that were not let through at random, from those that count for something."""
        rows = ~self.open & (values != 0)
        if not rows.any():
            rows = ~self.open
        each = np.unique(values[rows])
        if len(each) != 1 or each[0] <= 0:
            if usual is None or not len(usual) or not rows.any():
                return self.told.total(values, rows=rows)
            wider = self.every.taken(np.concatenate((self.rows, self.others)))
            none = np.zeros(len(self.others), dtype=bool)
            return wider.total(np.concatenate((values, usual)), rows=np.concatenate((rows, none)))
        found = self.told.total(rows=rows)
        if found.value is None or found.lower is None or found.upper is None:
            return found
        one = float(each[0])
        return Estimate(one * found.value, one * found.lower, one * found.upper, found.n, found.corrected)

    def _curves(self, values: Floats) -> float:
        """Return how far the uncertain delay curves move what let-through frauds stand for, beyond all the others."""
        told = self.told
        if told.bearer is None or told.ages is None:
            return 0.0
        weight = np.where(self.open, np.where(self.drawn, 1 / np.maximum(self.chance, 1e-12), 0.0), 1.0)
        known = self.known & told.measurable
        alone, whole = (
            curve_variance(list(told.curves.values()), told.bearer[rows], told.ages[rows], held[rows])
            for rows, held in (
                (known & ~self.open, values / np.maximum(told.share, 1e-12)),
                (known, values * weight / np.maximum(told.share, 1e-12)),
            )
        )
        return Z95 * math.sqrt(max(told.clumped * (whole - alone), 0.0))

    def share(self, marked: Mask) -> Estimate:
        """Return which share of the frauds in the end is marked."""
        if not self.known.any():
            return Estimate.none("no known fraud")
        if not self.open.any():
            return self.told.ratio(marked.astype(np.float64))
        inside, outside = self.total(marked.astype(np.float64)), self._unmarked(marked)
        for part in (inside, outside):
            if part.value is None:
                return part
        one, two = (self._ends(part) for part in (inside, outside))
        if one[0] + two[0] <= 0:
            return Estimate.none("no known fraud")
        value = one[0] / (one[0] + two[0])
        ends = (_odds_end(one, two, -1), _odds_end(one, two, 1))
        rest = (inside.corrected * one[0] + outside.corrected * two[0]) / (one[0] + two[0])
        return Estimate(value, min(ends[0], value), max(ends[1], value), int(self.known.sum()), rest)

    def _unmarked(self, marked: Mask) -> Estimate:
        """Return how many frauds in the end are not marked, though none of them may be known yet."""
        found = self.total((~marked).astype(np.float64))
        if found.value is None or found.upper is None or bool((self.known & ~self.open & ~marked).any()):
            return found
        quiet = self.quiet.copy()
        quiet[self.rows[marked | self.open]] = False
        unseen = self.every.total(rows=quiet)
        if unseen.upper is None:
            return found
        return replace(found, upper=found.value + math.hypot(found.upper - found.value, unseen.upper))

    @staticmethod
    def _ends(found: Estimate) -> tuple[float, float, float]:
        return float(found.value or 0.0), float(found.lower or 0.0), float(found.upper or 0.0)


def _odds_end(one: tuple[float, float, float], two: tuple[float, float, float], sign: int) -> float:
    """Return an end of the share that one sum has in two, from the ends of both, on the scale of its odds."""
    top, base = (max(part[0], 0.5) for part in (one, two))
    far = (one[2], two[1]) if sign > 0 else (one[1], two[2])
    gap = math.hypot(*(math.log(max(end, 0.25) / start) for end, start in zip(far, (top, base), strict=True)))
    odds = math.log(top / base) + sign * gap
    return 1 / (1 + math.exp(-odds))


def rests_on(study: Study, values: Floats, rows: Rows) -> float:
    """Return which share of what some events add, without sign, rests on weights and was not counted.

    Parameters
    ----------
    study : Study
        The events.
    values : ndarray of float64, shape (events,)
        What each adds, times what it stands for.
    rows : ndarray of int
        The events.
    """
    if study.weight is None or not len(rows):
        return 0.0
    size, weight = np.abs(values), study.weight[rows]
    whole = float(size.sum())
    return float((size * (1 - 1 / np.maximum(weight, 1.0))).sum()) / whole if whole else 0.0
