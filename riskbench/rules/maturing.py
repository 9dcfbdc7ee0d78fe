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
from riskbench.metrics.selection import Inclusion, inclusion
from riskbench.rules.hits import Hits

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: With fewer events that were let through at random, the let-through says nothing.
FEWEST_LET_THROUGH = 10
#: Half a fraud that was not seen is allowed for where a ratio rests on few.
_UNSEEN = 0.5
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
    hidden : int
        Hits that history stopped and for which none stands that was let through.
    since : Timestamp or None
        The first of the hits that are too young.
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
    since: pd.Timestamp | None

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
    """

    held: Hits

    @cached_property
    def matured(self) -> Matured:
        """What each known fraud stands for among those told later."""
        return matured(self.held.dataset, self.held.labels)

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
        """Which events stand for stopped ones; none where too few were let through."""
        found = self.inclusion.drawn & self.due
        return found if int(found.sum()) >= FEWEST_LET_THROUGH else np.zeros(len(found), dtype=bool)

    @cached_property
    def weight(self) -> Floats | None:
        """How many events each one stands for, itself included; None where each stands for itself alone."""
        return np.where(self.drawn, self.inclusion.weight, 1.0) if self.drawn.any() else None

    @cached_property
    def mute(self) -> Mask:
        """Known frauds whose silent fellows have no verdict: they were stopped, or have no dispute channel."""
        dataset = self.held.dataset
        known = self.held.labels.state == FRAUD
        return known & (without_channel(dataset) | (stopped(dataset) if known.any() else False)) & ~self.drawn

    @cached_property
    def plain(self) -> bool:
        """Whether every figure is the counted one: nothing is young, told late, or stands for another event."""
        if (self.held.labels.state == YOUNG).any() or not self.silence or self.weight is not None:
            return False
        if self.held.labels.asof is None:
            return True
        found = self.matured
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
        drawn = old & self.drawn
        count = int(np.count_nonzero(known))
        blocked = rows & (state == BLOCKED)
        stood = blocked & ~self.inclusion.never if drawn.any() else np.zeros(len(rows), dtype=bool)
        frauds, value, loss = (self._total(values, rows, drawn, stood) for values in (None, "value", "loss"))
        extra = float((found.weight - 1)[known & self.mute].sum()) if frauds.measurable else 0.0
        n = int(np.count_nonzero(old))
        base = extra + (float(n) if self.weight is None else float(self.weight[old].sum()))
        late, passed = self._parts(known)
        start = self._first(young)
        told = Told(
            hits=int(np.count_nonzero(rows)),
            n=n,
            too_young=int(np.count_nonzero(young)),
            left_out=int(np.count_nonzero(rows & ~self.due)),
            frauds=count,
            matured=frauds,
            precision=self._precision(frauds, base, rows, drawn),
            recall=self._recall(rows),
            value=value,
            loss=loss,
            late=late,
            let_through=passed,
            base=base,
            hidden=int(np.count_nonzero(blocked & ~stood)),
            since=start,
        )
        return told if n else self._none(told)

    def ready(self, since: pd.Timestamp | None) -> pd.Timestamp | None:
        """Return from when on events of a moment are old enough."""
        asof, until = self.held.labels.asof, self.matured.until
        return None if since is None or asof is None or until is None else since + (asof - until)

    def _first(self, rows: Mask) -> pd.Timestamp | None:
        if not rows.any():
            return None
        return pd.Timestamp(int(self.held.dataset.column("time").values[rows].min()), unit="us")

    def _none(self, told: Told) -> Told:
        """Return hits of which none is old enough, and why nothing is measurable."""
        ready = self.ready(told.since)
        if ready is not None:
            why = f"not measurable before {ready:%Y-%m-%d}"
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

    def _values(self, name: str | None) -> Floats | None:
        """Return what each fraud counts for; None for 1."""
        own = None if name is None else getattr(self.held.worth, name).astype(np.float64)
        if self.weight is None:
            return own
        return self.weight if own is None else own * self.weight

    def _parts(self, known: Mask) -> tuple[float, float]:
        """Return which share of the matured frauds stands for later verdicts, and which for stopped events."""
        late = self.matured.weight[known]
        stands = np.ones(len(late)) if self.weight is None else self.weight[known]
        whole = float((late * stands).sum())
        if whole <= 0:
            return 0.0, 0.0
        return float(((late - 1) * stands).sum()) / whole, float((stands - 1).sum()) / whole

    def _total(self, name: str | None, rows: Mask, drawn: Mask, stood: Mask) -> Estimate:
        """Return the matured sum of a measure over the frauds among some hits."""
        if name is not None and not self.held.worth.money:
            return Estimate.none("no amount")
        values = self._values(name)
        found = self.matured.total(values, rows=rows & self.due)
        if found.value is None or found.lower is None or found.upper is None or values is None or not drawn.any():
            return found
        known = drawn & self.matured.known
        weights = self.matured.weight * values
        sizes = np.ones(len(rows)) if name is None else getattr(self.held.worth, name).astype(np.float64)
        counted = float(sizes[rows & self.due & self.matured.measurable & self.matured.known].sum())
        typical = sizes[self.matured.known]
        each = float(typical.mean()) if len(typical) else 1.0
        down, up = drawn_ends(
            weights[known], self.inclusion.chance[known], float(self.inclusion.weight[drawn].mean()) * each
        )
        highest = found.upper + float(sizes[stood].sum())
        lower = found.value - float(np.hypot(found.value - found.lower, down))
        upper = found.value + float(np.hypot(found.upper - found.value, up))
        rest = 0.0 if found.value <= 0 else max(0.0, 1 - counted / found.value)
        return replace(
            found,
            lower=min(found.value, max(counted, lower)),
            upper=max(found.value, min(upper, highest)),
            corrected=rest,
        )

    def _precision(self, frauds: Estimate, base: float, rows: Mask, drawn: Mask) -> Estimate:
        """Return the matured frauds as a share of the hits that can have a verdict."""
        if not self.silence:
            return Estimate.none("silence is no verdict here, so that late frauds have no good fellows")
        if frauds.value is None or base <= 0:
            return Estimate.none(frauds.why or "no hit can have a verdict")
        late = self.matured.total(self._values(None), rows=rows & self.due)
        share = min(1.0, frauds.value / base)
        ends = [min(1.0, max(0.0, float(end or 0.0) / base)) for end in (late.lower, late.upper)]
        down, up = share - ends[0], ends[1] - share
        if drawn.any() and self.weight is not None:
            stands = self.weight[drawn]
            own = stands * np.where(self.matured.known[drawn], self.matured.weight[drawn], 0.0)
            whole, chance = float(stands.sum()), self.inclusion.chance[drawn]
            q = min(1.0, float(own.sum()) / whole)
            counts = whole**2 / float((stands**2).sum())
            _, low, high = (float(x) for x in wilson(q * counts, counts))
            thin = float(np.sqrt(1 - chance.mean()))
            mix = Z95 * float(np.sqrt((stands**2 * (1 - chance)).sum())) * abs(q - share) / base
            down = float(np.sqrt(down**2 + (thin * whole / base * (q - low)) ** 2 + mix**2))
            up = float(np.sqrt(up**2 + (thin * whole / base * (high - q)) ** 2 + mix**2))
        return Estimate(share, max(0.0, share - down), min(1.0, share + up), frauds.n, frauds.corrected)

    def _recall(self, rows: Mask) -> Estimate:
        """Return the matured frauds among some hits as a share of all matured frauds."""
        every = self._values(None)
        own = (rows & self.due).astype(np.float64) * (1.0 if every is None else every)
        found = self.matured.ratio(own, every, rows=self.due)
        if found.value is None or found.lower is None or found.upper is None or self.weight is None:
            return found
        known = self.drawn & self.matured.measurable & self.matured.known
        all_ = self.due & self.matured.measurable & self.matured.known
        weights = self.matured.weight * self.weight
        below = float(weights[all_].sum())
        middle = min(max(found.value, _UNSEEN / (len(rows) + 1)), 1 - _UNSEEN / (len(rows) + 1))
        off = weights[known] * ((rows[known] * 1.0) - middle)
        heavy = float(self.inclusion.weight[self.drawn].mean())
        spread = float((off**2 * (1 - self.inclusion.chance[known])).sum())
        spread += 2 * _UNSEEN * heavy**2 * middle * (1 - middle)
        half = Z95 * float(np.sqrt(spread)) / below
        down, up = np.hypot(found.value - found.lower, half), np.hypot(found.upper - found.value, half)
        return replace(found, lower=max(0.0, found.value - float(down)), upper=min(1.0, found.value + float(up)))


def drawn_ends(weights: Floats, chance: Floats, typical: float) -> tuple[float, float]:
    """Return how far a sum over frauds that were let through at random may lie below and above what it stands for.

    Parameters
    ----------
    weights : ndarray of float64, shape (frauds,)
        What each of them adds to the sum.
    chance : ndarray of float64, shape (frauds,)
        The chance with which it was let through.
    typical : float
        What one fraud that was not seen would have added.

    >>> down, up = drawn_ends(np.full(4, 20.0), np.full(4, 0.05), 20.0)
    >>> round(down), round(up), round(drawn_ends(np.zeros(0), np.zeros(0), 20.0)[1])
    (57, 122, 74)
    """
    from scipy.special import gammaincinv

    if not len(weights) or not float(weights.sum()):
        return 0.0, float(gammaincinv(1.0, 0.975)) * typical
    whole = float(weights.sum())
    counts = whole**2 / float((weights**2).sum())
    thin = float(np.sqrt(1 - (chance * weights).sum() / whole))
    low, high = float(gammaincinv(counts, 0.025)), float(gammaincinv(counts + 1, 0.975))
    return thin * whole * (1 - low / counts), thin * whole * (high / counts - 1)


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
