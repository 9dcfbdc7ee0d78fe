"""What will the hits turn out to be once all verdicts are in? Late labels and random let-through, weighed together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import BLOCKED, FRAUD, NO_CHANNEL, YOUNG, has_verdict, stopped, without_channel
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.intervals import Z95, wilson
from riskbench.metrics.maturity import Matured, matured
from riskbench.metrics.selection import Inclusion, enough_drawn, inclusion
from riskbench.rules.hits import Hits

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Half a fraud that was not seen is allowed for where a ratio rests on few.
_UNSEEN = 0.5
#: So many frauds' worth of the usual spread of sizes is mixed with the spread of a few.
_USUAL = 10.0
MEASURES = ("frauds", "precision", "recall", "value", "loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What some hits will turn out to be, on those old enough.

    Attributes
    ----------
    hits, n, too_young, left_out : int
        All hits: those that bear the figures, those too young, and those that will never have a verdict.
    frauds : int
        Known frauds among the `n`.
    matured, precision, recall, value, loss : Estimate
        In the end, with what is told later and what stopped events hide; value and loss in minor units.
    late, let_through : float
        The share of the matured frauds that stands for later verdicts, and for stopped events.
    base : float
        How many hits the precision is a share of, stopped ones that are stood for included.
    hidden, drawn : int
        Hits that history stopped and for which none stands that was let through; hits that were let through at random.
    since, last : Timestamp or None
        The first and the last of the hits that are too young.
    """

    hits: int
    n: int
    too_young: int
    left_out: int
    frauds: int
    matured: Estimate
    precision: Estimate
    recall: Estimate
    value: Estimate
    loss: Estimate
    late: float
    let_through: float
    base: float
    hidden: int
    drawn: int
    since: pd.Timestamp | None
    last: pd.Timestamp | None

    @property
    def status(self) -> str:
        """Whether the figures are as counted, matured, or not measurable."""
        if not self.matured.measurable:
            return "not measurable"
        return "matured" if self.late or self.let_through else "as counted"


@dataclass(frozen=True, eq=False)
class Maturing:
    """What each event stands for, read once for all sets of hits.

    Attributes
    ----------
    held : Hits
        The book's hits.
    told : Matured or None
        What each known fraud stands for, where more events than these tell it.
    """

    held: Hits
    told: Matured | None = None

    @cached_property
    def matured(self) -> Matured:
        """What each known fraud stands for among those told later."""
        return matured(self.held.dataset, self.held.labels) if self.told is None else self.told

    @cached_property
    def inclusion(self) -> Inclusion:
        """What each event stands for among those that history stopped."""
        return inclusion(self.held.dataset, self.held.labels)

    @cached_property
    def _verdicts(self) -> tuple[Mask, bool]:
        return has_verdict(self.held.dataset, self.held.labels)

    @property
    def due(self) -> Mask:
        """Which events have a verdict, or will have one by waiting."""
        return self._verdicts[0]

    @property
    def silence(self) -> bool:
        """Whether silence is a verdict in this data, so that a share of good events can be told."""
        return self._verdicts[1]

    @cached_property
    def drawn(self) -> Mask:
        """Which events were let through at random and may stand for stopped ones; none where they are too few."""
        found = self._passed
        return found if enough_drawn(found & self.due, self.stopped) else np.zeros(len(found), dtype=bool)

    @cached_property
    def _passed(self) -> Mask:
        return self.inclusion.drawn & self.matured.measurable & ~without_channel(self.held.dataset)

    @cached_property
    def stopped(self) -> Mask:
        """Which stopped events are old enough, and of a kind of which some were let through."""
        blocked = self.held.labels.state == BLOCKED
        return blocked & self.matured.measurable & ~self.inclusion.never & ~without_channel(self.held.dataset)

    @cached_property
    def mute(self) -> Mask:
        """Known frauds whose silent fellows have no verdict: they were stopped, or have no dispute channel."""
        dataset = self.held.dataset
        known = self.held.labels.state == FRAUD
        return known & (without_channel(dataset) | (stopped(dataset) if known.any() else False)) & ~self.drawn

    @cached_property
    def plain(self) -> bool:
        """Whether every figure is the counted one: nothing is young, told late, or stands for another event."""
        if (self.held.labels.state == YOUNG).any() or not self.silence:
            return False
        found = self.matured
        if self.drawn.any():
            return False
        return bool(found.measurable.all()) and bool((found.weight[found.known] == 1).all())

    @cached_property
    def typical_square(self) -> float:
        """The mean squared value of the known frauds, in minor units."""
        value = self.held.worth.value[self.held.labels.state == FRAUD].astype(np.float64)
        return float((value**2).mean()) if len(value) else 0.0

    def of(self, rows: Mask) -> Told:
        """Return what some hits will turn out to be."""
        found, state = self.matured, self.held.labels.state
        due = rows & self.due
        old = due & found.measurable
        young, known = due & ~found.measurable, old & found.known
        share = self._stood(rows)
        frauds, value, loss = (self._total(name, rows, share) for name in (None, "value", "loss"))
        extra = float((found.weight - 1)[known & self.mute].sum()) if frauds.measurable else 0.0
        n, blocked = int(np.count_nonzero(old)), int(np.count_nonzero(rows & (state == BLOCKED)))
        base = n + share.stopped + extra
        late, passed = self._parts(known, share)
        told = Told(
            hits=int(np.count_nonzero(rows)),
            n=n,
            too_young=int(np.count_nonzero(young)),
            left_out=int(np.count_nonzero(rows & ~self.due)),
            frauds=int(np.count_nonzero(known)),
            matured=frauds,
            precision=self._precision(frauds, base),
            recall=self._recall(rows, share),
            value=value,
            loss=loss,
            late=late,
            let_through=passed,
            base=base,
            hidden=blocked - share.stopped,
            drawn=int(np.count_nonzero(rows & self._passed & self.due)),
            since=self._moment(young, first=True),
            last=self._moment(young, first=False),
        )
        return told if n else self._none(told)

    def _moment(self, rows: Mask, *, first: bool) -> pd.Timestamp | None:
        if not rows.any():
            return None
        times = self.held.dataset.column("time").values[rows]
        return pd.Timestamp(int(times.min() if first else times.max()), unit="us")

    def _none(self, told: Told) -> Told:
        """Return hits of which none is old enough, and why nothing is measurable."""
        if told.since is not None and self.matured.until is not None:
            why = self.matured.not_before(told.since)
        elif not told.hits:
            why = "no hits"
        elif int(np.count_nonzero(self.held.labels.state == NO_CHANNEL)) and not told.hidden:
            why = "no hit can have a verdict"
        else:
            why = "no hit has a verdict"
        gone = Estimate.none(why)
        return replace(
            told, matured=gone, precision=gone, recall=gone, value=gone, loss=gone, late=0.0, let_through=0.0
        )

    def _stood(self, rows: Mask) -> _Stood:
        """Return which of some events stand for stopped ones among them, and for how many each."""
        drawn = np.flatnonzero(rows & self.drawn)
        own, halted = self.due[drawn], rows & self.stopped
        stopped_ = int(np.count_nonzero(halted))
        excess = self.inclusion.weight[drawn][own] - 1.0
        if not enough_drawn(own, halted) or not float(excess.sum()):
            return _Stood(drawn[:0], excess[:0], 0)
        return _Stood(drawn[own], excess * (stopped_ / float(excess.sum())), stopped_)

    def _sizes(self, name: str | None) -> Floats | None:
        """Return what each fraud counts for; None for 1."""
        return None if name is None else getattr(self.held.worth, name).astype(np.float64)

    def _weighed(self, name: str | None, *shares: _Stood) -> Floats | None:
        """Return what each event counts for, with the stopped ones that it stands for."""
        sizes = self._sizes(name)
        if not any(len(share.rows) for share in shares):
            return sizes
        stands = np.ones(self.held.dataset.rows)
        for share in shares:
            stands[share.rows] += share.excess
        return stands if sizes is None else stands * sizes

    def _parts(self, known: Mask, share: _Stood) -> tuple[float, float]:
        """Return which share of the matured frauds stands for later verdicts, and which for stopped events."""
        late = self.matured.weight[known]
        own = known[share.rows]
        passed = float((share.excess[own] * self.matured.weight[share.rows[own]]).sum())
        whole = float(late.sum()) + passed
        return (0.0, 0.0) if whole <= 0 else (float((late - 1).sum()) / whole, passed / whole)

    def _total(self, name: str | None, rows: Mask, share: _Stood) -> Estimate:
        """Return the matured sum of a measure over the frauds among some hits."""
        if name is not None and not self.held.worth.money:
            return Estimate.none("no amount")
        found = self.matured.total(self._weighed(name, share), rows=rows & self.due)
        if found.value is None or found.lower is None or found.upper is None or not len(share.rows):
            return found
        sizes = self._sizes(name)
        known = self.matured.known[share.rows]
        excess, late = share.excess, self.matured.weight[share.rows]
        seen = rows & self.due & self.matured.measurable & self.matured.known
        if sizes is None:
            counted = float(np.count_nonzero(seen))
            down, up = _share_ends(excess, np.where(known, late, 0.0), share.stopped)
        else:
            counted = float(sizes[seen].sum())
            usual, own = sizes[self.matured.known], sizes[share.rows[known]]
            typical = float(usual.mean() * excess.mean()) if len(usual) else 0.0
            weights = excess[known] * late[known]
            heavy = _heavier(own, usual)
            down, up = drawn_ends(weights * own, weights * own**2, typical, heavier=heavy)
        lower = found.value - float(np.hypot(found.value - found.lower, down))
        upper = found.value + float(np.hypot(found.upper - found.value, up))
        rest = 0.0 if found.value <= 0 else max(0.0, 1 - counted / found.value)
        return replace(found, lower=min(found.value, max(counted, lower)), upper=upper, corrected=rest)

    def _precision(self, frauds: Estimate, base: float) -> Estimate:
        """Return the matured frauds as a share of the hits that can have a verdict."""
        if not self.silence:
            return Estimate.none("silence is no verdict here, so that late frauds have no good fellows")
        if frauds.value is None or frauds.lower is None or frauds.upper is None or base <= 0:
            return Estimate.none(frauds.why or "no hit can have a verdict")
        value, lower, upper = (min(1.0, end / base) for end in (frauds.value, frauds.lower, frauds.upper))
        return Estimate(value, lower, upper, frauds.n, frauds.corrected)

    def _recall(self, rows: Mask, share: _Stood) -> Estimate:
        """Return the matured frauds among some hits as a share of all matured frauds."""
        others = self._stood(~rows) if self.drawn.any() else _Stood(share.rows[:0], share.excess[:0], 0)
        every = self._weighed(None, share, others)
        own = (rows & self.due).astype(np.float64) * (1.0 if every is None else every)
        found = self.matured.ratio(own, every, rows=self.due)
        if found.value is None or found.lower is None or found.upper is None or every is None:
            return found
        spread, below = 0.0, float((every * self.matured.weight)[self.matured.known & self.due].sum())
        middle = min(max(found.value, _UNSEEN / len(rows)), 1 - _UNSEEN / len(rows))
        for part, off in ((share, 1 - middle), (others, middle)):
            if len(part.rows):
                known = self.matured.known[part.rows]
                weights, late = part.excess[known], self.matured.weight[part.rows[known]]
                spread += off**2 * float(((weights * late) ** 2 + weights * late).sum())
                spread += off**2 * _UNSEEN * float(part.excess.mean()) ** 2
        half = Z95 * float(np.sqrt(spread)) / below
        down, up = np.hypot(found.value - found.lower, half), np.hypot(found.upper - found.value, half)
        return replace(found, lower=max(0.0, found.value - float(down)), upper=min(1.0, found.value + float(up)))


@dataclass(frozen=True, slots=True, eq=False)
class _Stood:
    """Which events stand for stopped ones, for how many each, and how many those are together."""

    rows: npt.NDArray[np.intp]
    excess: Floats
    stopped: int


def _share_ends(excess: Floats, frauds: Floats, stopped: int) -> tuple[float, float]:
    """Return how far below and above their estimate the frauds among stopped events may lie."""
    whole = float(excess.sum())
    share = min(1.0, float((excess * frauds).sum()) / whole)
    counts = whole**2 / float((excess**2).sum())
    _, low, high = (float(end) for end in wilson(share * counts, counts))
    wider = float(np.sqrt(1 + counts / max(stopped, 1)))
    return wider * whole * (share - low), wider * whole * (high - share)


def _heavier(own: Floats, usual: Floats) -> float:
    """Return by how much the squares of a few sizes are too small: few seldom hold one of the rare large ones."""
    if not len(own) or not own.mean() > 0 or not usual.mean() > 0:
        return 1.0
    here, everywhere = (float((sizes**2).mean() / sizes.mean() ** 2) for sizes in (own, usual))
    return max(1.0, (len(own) * here + _USUAL * everywhere) / ((len(own) + _USUAL) * here))


def drawn_ends(weights: Floats, spread: Floats, typical: float, *, heavier: float = 1.0) -> tuple[float, float]:
    """Return how far a sum over frauds that were let through at random may lie below and above what it stands for.

    Parameters
    ----------
    weights : ndarray of float64, shape (frauds,)
        What each of them adds to the sum.
    spread : ndarray of float64, shape (frauds,)
        What the stopped frauds that it stands for add to the variance of the sum, by their sizes.
    typical : float
        What one fraud that was not seen would have added.
    heavier : float, 1 or more
        By how much the squares of the weights are too small.

    >>> down, up = drawn_ends(np.full(4, 20.0), np.full(4, 20.0), 20.0)
    >>> round(down), round(up), round(drawn_ends(np.zeros(0), np.zeros(0), 20.0)[1])
    (60, 128, 74)
    """
    from scipy.special import gammaincinv

    whole = float(weights.sum())
    if whole <= 0:
        return 0.0, float(gammaincinv(1.0, 0.975)) * typical
    squares = float((weights**2).sum()) * heavier
    counts, wider = whole**2 / squares, float(np.sqrt(1 + heavier * float(spread.sum()) / squares))
    low, high = float(gammaincinv(counts, 0.025)), float(gammaincinv(counts + 1, 0.975))
    return wider * whole * (1 - low / counts), wider * whole * (high / counts - 1)


def matured_table(maturing: Maturing, sets: Iterable[tuple[str, Mask]]) -> pd.DataFrame:
    """Return what each set of hits will turn out to be, one row a set; money in major units."""
    scale, lines = maturing.held.scale, []
    for name, rows in sets:
        told = maturing.of(rows)
        line: dict[str, object] = {
            "rule": name,
            "hits": told.hits,
            "n": told.n,
            "too_young": told.too_young,
            "left_out": told.left_out,
            "frauds": told.frauds,
        }
        for column, found, unit in (
            ("frauds_matured", told.matured, 1.0),
            ("precision", told.precision, 1.0),
            ("recall", told.recall, 1.0),
            ("value_caught", told.value, scale),
            ("loss", told.loss, scale),
        ):
            for end, number in (("", found.value), ("_lower", found.lower), ("_upper", found.upper)):
                line[f"{column}{end}"] = np.nan if number is None else number / unit
        why = next((one.why for one in (told.matured, told.precision) if one.why), "")
        line |= {
            "corrected": told.late + told.let_through,
            "corrected_late": told.late,
            "corrected_let_through": told.let_through,
            "status": told.status,
            "why": why,
        }
        lines.append(line)
    return pd.DataFrame(lines, columns=list(COLUMNS))


COLUMNS = (
    "rule",
    "hits",
    "n",
    "too_young",
    "left_out",
    "frauds",
    *(
        f"{name}{end}"
        for name in ("frauds_matured", "precision", "recall", "value_caught", "loss")
        for end in ("", "_lower", "_upper")
    ),
    "corrected",
    "corrected_late",
    "corrected_let_through",
    "status",
    "why",
)
