"""What would a rule change if it were live: counts and money a week, given all the others?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import micros
from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import Effect, ladder
from riskbench.engine.columns import DAY
from riskbench.errors import DataError
from riskbench.metrics.constraints import Rate
from riskbench.metrics.costs import Costs
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity import Matured, matured
from riskbench.metrics.money import Parts, clumping, money_reach
from riskbench.metrics.price import Price
from riskbench.rules.book import RuleBook
from riskbench.rules.hits import Hits, resolve

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int8]

#: The upper 97.5 % limit of a count when none was seen (Poisson, exact).
_NONE_SEEN = 3.689
#: Fewer whole weeks than this say nothing about how weeks differ.
_FEWEST_WEEKS = 4
#: The rates that need a verdict.
TOLD: tuple[Rate, ...] = ("insult_rate", "precision", "recall")


@dataclass(frozen=True, eq=False)
class Trial:
    """One rule tried beside the live book: each event's outcome without and with it, and what is known of it.

    Attributes
    ----------
    rule : str
        The rule on trial.
    held : Hits
        The hits of the rules in force: the book's, and its lists'.
    """

    rule: str
    held: Hits

    @property
    def book(self) -> RuleBook:
        """The rules in force, so that a list decides here what it decides in a simulation."""
        return self.held.book

    @cached_property
    def before(self) -> Small:
        """Each event's ladder level without the rule."""
        return resolve(self.book.with_status(self.rule, "shadow"), self.held.bits).level

    @cached_property
    def after(self) -> Small:
        """Each event's ladder level with the rule live."""
        return resolve(self.book.with_status(self.rule, "live"), self.held.bits).level

    @cached_property
    def changed(self) -> Mask:
        """The events whose outcome the rule changes."""
        return np.asarray(self.before != self.after)

    @cached_property
    def effects(self) -> npt.NDArray[np.str_]:
        """What each ladder level does."""
        return np.array([rung.effect for rung in ladder(self.book.domain).rungs])

    @property
    def effect(self) -> Effect:
        """What the rule's outcome does to an event."""
        return ladder(self.book.domain).effect(self.book.rule(self.rule).outcome)

    @cached_property
    def times(self) -> Ints:
        """Each event's time in microseconds (UTC).

        Raises
        ------
        DataError
            Without times.
        """
        if not self.held.dataset.has("time"):
            raise DataError("A launch is planned in weeks, and there is no time", hint="name the role 'time'")
        column = self.held.dataset.column("time")
        return np.where(column.present, column.values.astype(np.int64), np.iinfo(np.int64).min)

    @cached_property
    def matures(self) -> float:
        """Days until an event's verdict is told or its silence means good; 0 where verdicts bear no time."""
        return float(self.held.labels.mature_after or 0.0)

    @cached_property
    def asof(self) -> int:
        """The moment up to which verdicts are known, in microseconds."""
        told = self.held.labels.asof
        latest = int(self.times.max(initial=0)) + 1
        return micros(told) if told is not None else latest if self.held.asof is None else micros(self.held.asof)

    @cached_property
    def mature(self) -> Mask:
        """The events old enough for their verdict."""
        return np.asarray(self.times + math.ceil(self.matures * DAY) <= self.asof)

    @cached_property
    def matured(self) -> Matured:
        """What each known fraud stands for among those told later."""
        return matured(self.held.dataset, self.held.labels)

    @cached_property
    def late(self) -> Floats:
        """How many frauds each event stands for: above 1 where others of its age are told later."""
        return np.where(self.kinds == FRAUD, np.maximum(self.matured.weight, 1.0), 1.0)

    @cached_property
    def kinds(self) -> Small:
        """0 good, 1 fraud, 2 without a verdict; a young event has none, also where fraud is told early."""
        state = self.held.labels.state
        kinds = np.full(len(state), 2, dtype=np.int8)
        kinds[(state == GOOD) & self.mature] = 0
        kinds[(state == FRAUD) & self.mature] = 1
        return kinds

    @cached_property
    def money(self) -> Ints:
        """The loss of frauds and the margin of good events, in minor units."""
        worth = self.held.worth
        return np.where(self.kinds == 1, worth.loss, np.where(self.kinds == 0, worth.margin, 0))

    def price(self, costs: Costs) -> Price:
        """Return what each ladder level is worth under stated costs."""
        worth = self.held.worth
        return Price.of(
            costs,
            [rung.effect for rung in ladder(self.book.domain).rungs],
            loss_weight=worth.loss_weight(costs),
            margin_weight=worth.margin_weight(costs),
            scale=self.held.dataset.currency.scale if worth.money else 1,
            money=worth.money,
            account=worth.account,
        )

    def rate(self, name: Rate, levels: Small) -> tuple[Mask, Mask]:
        """Return which events a rate counts, and among which; levels are what is decided."""
        effect = self.effects[levels]
        alert, hard = effect != "none", np.isin(effect, ["review", "stop"])
        everyone = np.ones(len(levels), dtype=bool)
        if name == "alert_rate":
            return alert, everyone
        if name == "review_rate":
            return effect == "review", everyone
        if name == "approval_rate":
            return ~hard, everyone
        if name == "insult_rate":
            return hard & (self.kinds == 0), self.kinds == 0
        if name == "precision":
            return alert & (self.kinds == 1), alert & (self.kinds != 2)
        return alert & (self.kinds == 1), self.kinds == 1

    def added(self, name: Rate) -> tuple[Mask, Mask]:
        """Return which events the rule adds to a rate, and among which; of the approval rate, which it takes away."""
        (was, _), (now, among) = self.rate(name, self.before), self.rate(name, self.after)
        return (was & ~now if name == "approval_rate" else now & ~was), among

    def gain(self, costs: Costs, rows: npt.NDArray[np.intp]) -> Floats:
        """Return what the rule changes in the worth of some events, in major units."""
        price, kinds, money = self.price(costs), self.kinds[rows], self.money[rows]
        return price.gain(kinds, money, before=self.before[rows], after=self.after[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A guardrail of a launch: a limit on a rate under the rule, or on what the rule adds to it.

    Attributes
    ----------
    rate : str
        One of the rates that can be constrained.
    side : {"at_most", "at_least"}
        Which side of the bound is allowed.
    bound : float, 0..1
        The limit.
    added : bool
        Whether it is on what the rule adds to the rate (of the approval rate: takes away).
    source : str
        Where it comes from.
    """

    rate: Rate
    side: Literal["at_most", "at_least"]
    bound: float
    added: bool
    source: str

    @property
    def measure(self) -> str:
        """What is limited, as a table names it."""
        if not self.added:
            return self.rate
        return f"lost_{self.rate}" if self.rate == "approval_rate" else f"added_{self.rate}"

    def counted(self, trial: Trial, *, live: bool = True) -> tuple[Mask, Mask]:
        """Return which events are counted, and among which, with the rule live or without it."""
        if self.added:
            counted, among = trial.added(self.rate)
            return counted & live, among
        return trial.rate(self.rate, trial.after if live else trial.before)

    def share(self, trial: Trial, rows: npt.NDArray[np.intp], *, live: bool = True) -> float | None:
        """Return the rate on some events; None where it has no base."""
        counted, among = self.counted(trial, live=live)
        base = int(np.count_nonzero(among[rows]))
        return int(np.count_nonzero(counted[rows] & among[rows])) / base if base else None


def break_even(trial: Trial, rows: npt.NDArray[np.intp], costs: Costs, *, fewest: int = 10) -> float | None:
    """Return the precision above which a rule pays: the cost of a good event over that and the gain of a fraud.

    From the frauds and good events that it adds; where there are fewer than `fewest` of a kind, from all of `rows`
    as if their outcome went from the mildest to the rule's. None where not even a fraud pays, or none is known.
    """
    level = np.int8(ladder(trial.book.domain).level(trial.book.rule(trial.rule).outcome))
    price, means = trial.price(costs), []
    for kind in (0, 1):
        known = rows[trial.kinds[rows] == kind]
        own = known[trial.changed[known]]
        if len(own) >= fewest:
            worth = trial.gain(costs, own)
        else:
            kinds, money = trial.kinds[known], trial.money[known]
            worth = price.gain(kinds, money, before=np.zeros_like(kinds), after=np.full(len(known), level))
        means.append(float(worth.mean()) if len(worth) else math.nan)
    cost, gain = -means[0], means[1]
    if not (math.isfinite(cost) and math.isfinite(gain)) or gain <= 0:
        return None
    return min(max(cost / (cost + gain), 0.0), 1.0) if cost > 0 else 0.0


def design_effect(counted: Mask, among: Mask, units: npt.NDArray[np.integer]) -> float:
    """Return how many times more a share varies because events of one unit come together; 1 at least."""
    own = units[among]
    if not len(own):
        return 1.0
    x = counted[among].astype(np.float64)
    share = float(x.mean())
    spread = share * (1 - share) * len(x)
    if spread <= 0:
        return 1.0
    sums = np.bincount(own, weights=x - share)
    return max(1.0, float((sums * sums).sum()) / spread)


def effect_table(
    trial: Trial,
    rows: npt.NDArray[np.intp],
    costs: Costs,
    *,
    units: npt.NDArray[np.integer],
    start: int,
    weeks: float,
) -> pd.DataFrame:
    """Return what the rule would change a week: measure, unit, today, change, lower, upper, n, inferred_share.

    A fraud counts for those of its age that are told later, too; `inferred_share` is what that adds.

    Parameters
    ----------
    trial : Trial
        The rule beside the book.
    rows : ndarray of int
        The events of the window.
    costs : Costs
        The stated costs.
    units : ndarray of int
        The unit of each of those events: what one unit does counts as one in the interval.
    start : int
        The window's first moment, in microseconds.
    weeks : float
        Its length.
    """
    effect = trial.effects
    alert, review, hard = effect != "none", effect == "review", np.isin(effect, ["review", "stop"])
    was, now, kinds = trial.before[rows], trial.after[rows], trial.kinds[rows]
    fraud, good = kinds == 1, kinds == 0
    scale = trial.held.scale
    value = trial.held.worth.value[rows] / scale if math.isfinite(scale) else None
    fresh = fraud & ~alert[was] & alert[now]
    told = bool(fraud.any() or good.any())
    week = (trial.times[rows] - start) // (7 * DAY)
    moved = trial.changed[rows]
    gain = np.zeros(len(rows))
    gain[moved] = trial.gain(costs, rows[moved])
    price, more = trial.price(costs), trial.late[rows] - 1.0
    lost = trial.held.worth.margin[rows]
    as_good = price.gain(np.zeros_like(kinds), lost, before=was, after=now)
    net = gain + more * (gain - as_good)
    late = trial.late[rows]
    entries: list[tuple[str, str, Floats | None, float | None]] = [
        ("alerts", "count", _step(alert, was, now), float(alert[was].sum())),
        ("reviews", "count", _step(review, was, now), float(review[was].sum())),
        ("frauds that nothing else catches", "count", fresh * late, float((fraud & alert[was]).sum())),
        (
            "fraud value that nothing else catches",
            "money",
            None if value is None else fresh * late * value,
            None if value is None else float((value * (fraud & alert[was])).sum()),
        ),
        ("good customers hit", "count", (good - more) * _step(alert, was, now), float((good & alert[was]).sum())),
        (
            "good customers held or stopped",
            "count",
            (good - more) * _step(hard, was, now),
            float((good & hard[was]).sum()),
        ),
        ("net value", "money", net, float(price.each(kinds, trial.money[rows], was).sum())),
    ]
    found: list[tuple[object, ...]] = []
    for place, (measure, unit, change, today) in enumerate(entries):
        if change is None or (place > 1 and not told):
            found.append((measure, unit, None, None, None, None, 0, 0.0))
            continue
        low, high = _interval(change, week, weeks, units, count=unit == "count")
        if measure == "net value" and moved.any():
            wide = _money(trial, rows[moved], change[moved], units=units[moved], price=price)
            rate = float(change.sum())
            low, high = min(low, (rate - wide[0]) / weeks), max(high, (rate + wide[1]) / weeks)
        n = int(np.count_nonzero(change))
        share = _inferred(change, more) if place > 1 else 0.0
        if unit == "money" and not n:
            found.append((measure, unit, today / weeks if today is not None else None, None, None, None, 0, 0.0))
            continue
        found.append((measure, unit, (today or 0.0) / weeks, float(change.sum()) / weeks, low, high, n, share))
    return pd.DataFrame(found, columns=["measure", "unit", "today", "change", "lower", "upper", "n", "inferred_share"])


def _inferred(change: Floats, more: Floats) -> float:
    """Return the share of a change that stands for frauds told later."""
    whole = float(np.abs(change).sum())
    return float((np.abs(change) * more / (1.0 + more)).sum()) / whole if whole > 0 else 0.0


def _money(
    trial: Trial,
    rows: npt.NDArray[np.intp],
    change: Floats,
    *,
    units: npt.NDArray[np.integer],
    price: Price,
) -> tuple[float, float]:
    """Return how far net value reaches down and up: for large events, those of one unit, and late verdicts."""
    level = np.int8(ladder(trial.book.domain).level(trial.book.rule(trial.rule).outcome))
    known = np.flatnonzero(trial.kinds < 2)
    first = np.zeros(len(known), dtype=np.int8)
    usual = price.gain(trial.kinds[known], trial.money[known], before=first, after=np.full_like(first, level))
    parts = Parts.alone(change, trial.kinds[rows], usual=(usual, trial.kinds[known]))
    down, up = (float(end) for end in money_reach(parts, together=clumping(change, units)))
    late = 0.0
    if bool((trial.late[rows] > 1).any()):
        values, picked = np.zeros(len(trial.kinds)), np.zeros(len(trial.kinds), dtype=bool)
        values[rows] = change / trial.late[rows]
        picked[rows] = True
        late = Z95 * trial.matured.deviation(values, rows=picked)
    return math.hypot(down, late), math.hypot(up, late)


def _step(counted: Mask, was: Small, now: Small) -> Floats:
    return counted[now].astype(np.float64) - counted[was]


def _interval(
    change: Floats, week: Ints, weeks: float, units: npt.NDArray[np.integer], *, count: bool
) -> tuple[float, float]:
    """Return the 95 % interval of a weekly sum: the wider of chance, unit by unit, and of how weeks differ."""
    sums = np.bincount(units, weights=change) if len(units) else np.zeros(1)
    total, squares = float(change.sum()), float((sums * sums).sum())
    half = Z95 * math.sqrt(squares) / weeks
    whole = int(weeks)
    if whole >= _FEWEST_WEEKS:
        from scipy.special import stdtrit

        inside = week < whole
        sums = np.bincount(week[inside], weights=change[inside], minlength=whole)
        half = max(half, float(stdtrit(whole - 1, 0.975)) * math.sqrt(float(np.var(sums, ddof=1)) / whole))
    rate = total / weeks
    if count and not squares:
        return 0.0, _NONE_SEEN / weeks
    if count and bool((change >= 0).all()):
        return max(0.0, rate - half), rate + half
    return rate - half, rate + half


def window_of(trial: Trial, measure_on: Iterable[object] | None) -> tuple[int, int]:
    """Return the window to measure on: the one named, else the last third of the events old enough for a verdict.

    Raises
    ------
    DataError
        When no event is old enough, or none lies in the window.
    """
    timed = trial.times[trial.times > np.iinfo(np.int64).min]
    if not len(timed):
        raise DataError("There are no events to plan a launch on")
    first, last = int(timed.min()), int(timed.max()) + 1
    if measure_on is not None:
        start, end = measure_on
        low = first if start is None else micros(start)  # type: ignore[arg-type]
        high = last if end is None else micros(end)  # type: ignore[arg-type]
    else:
        ripe = min(last, trial.asof - math.ceil(trial.matures * DAY) + 1)
        if ripe <= first:
            raise DataError(
                "No event is old enough for its verdict, so what the rule is worth is not measurable.",
                got=f"verdicts are complete after {trial.matures:.0f} days",
                hint="use older events",
            )
        low, high = first + 2 * (ripe - first) // 3, ripe
    if not ((trial.times >= low) & (trial.times < high)).any():
        raise DataError("No event lies in the window to measure on", hint="name another with measure_on=")
    return low, high
