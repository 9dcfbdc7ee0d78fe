"""By how much do two books differ on the same events? Every measure before, after, and the paired difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import Effect, ladder
from riskbench.metrics.costs import Costs
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import Z95, sum_interval
from riskbench.metrics.paired import mcnemar, share_difference
from riskbench.metrics.price import Price, price
from riskbench.rules.hits import Hits
from riskbench.rules.moves import Moves, changes_of, net_change
from riskbench.rules.signature import KINDS, events_by

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Fewer flips with a verdict than this are no evidence.
FEWEST = 10
#: A region is named as surely better or worse at this rate of false discoveries.
LEVEL = 0.05
BETTER, WORSE, NOT_SHOWN, NO_MEASURE = "surely better", "surely worse", "not shown", "not measurable"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two books' decisions on the same events, summed by outcome before and after.

    Attributes
    ----------
    old, new : Hits
        What each book hits and decides.
    was, now : ndarray of int64, shape (rows,)
        The ladder level of each event before and after.
    rows : ndarray of intp
        The events whose outcome changes.
    moves : Moves
        Counts and money of every pair of outcomes, one group.
    price : Price
        What an event is worth at each level.
    effects : tuple of str
        The effect of each level.
    """

    old: Hits
    new: Hits
    was: Ints
    now: Ints
    rows: npt.NDArray[np.intp]
    moves: Moves
    price: Price
    effects: tuple[Effect, ...]

    @classmethod
    def of(cls, old: Hits, new: Hits, costs: Costs) -> Pair:
        """Return the decisions of two books side by side."""
        effects = tuple(rung.effect for rung in ladder(old.book.domain).rungs)
        was, now = old.resolution.level.astype(np.int64), new.resolution.level.astype(np.int64)
        levels = len(effects)
        cells = events_by(new, was * levels + now, levels * levels)
        worth = price(new.worth, costs, effects, scale=new.scale)
        return cls(old, new, was, now, np.flatnonzero(was != now), Moves(cells, 1, levels), worth, effects)

    @property
    def names(self) -> tuple[str, ...]:
        """The outcomes' words."""
        return ladder(self.old.book.domain).names

    @property
    def count(self) -> Ints:
        """Events by outcome before, outcome after, and what is known."""
        return self.moves.shaped(self.moves.cells.count)[0].astype(np.int64)

    def marks(self, *effects: Effect) -> Mask:
        """Return which levels have one of some effects."""
        return np.isin(self.effects, effects)

    def by(self, codes: npt.NDArray[np.integer], groups: int) -> Moves:
        """Return the moves of each group of events."""
        levels = len(self.effects)
        own = (codes.astype(np.int64) * levels + self.was) * levels + self.now
        return Moves(events_by(self.new, own, groups * levels * levels), groups, levels)


def net_by_pair(held: Moves, worth: Price) -> tuple[Floats, Floats]:
    """Return the change in net value of each group and pair of outcomes, in major units, and its variance."""
    count, stake, squares = (
        held.shaped(part).astype(np.float64) for part in (held.cells.count, held.cells.stake, held.cells.stake_squares)
    )
    slope = worth.slope.T[None, :, :] - worth.slope.T[:, None, :]
    work = (worth.handling[None, :] - worth.handling[:, None])[..., None]
    net = (slope * stake - work * count).sum(axis=-1)
    second = (slope**2 * squares - 2 * slope * work * stake + work**2 * count).sum(axis=-1)
    return net + 0.0, np.maximum(second, 0.0)


def matrix(pair: Pair) -> pd.DataFrame:
    """Return one row a pair of outcomes, the unchanged ones too, with what moving there changes in net value."""
    names, scale, held = pair.names, pair.new.scale, pair.moves
    count, value = pair.count, held.shaped(held.cells.value)[0].astype(np.float64)
    net, variance = net_by_pair(held, pair.price)
    net, half = net[0].ravel(), Z95 * np.sqrt(variance[0].ravel())
    money = pair.new.worth.money
    return pd.DataFrame(
        {
            "before": np.repeat(list(names), len(names)),
            "after": np.tile(list(names), len(names)),
            "events": count.sum(axis=-1).ravel(),
            "frauds": count[..., FRAUD].ravel(),
            "good": count[..., GOOD].ravel(),
            "unlabelled": count[..., KINDS - 1].ravel(),
            "fraud_value": value[..., FRAUD].ravel() / scale,
            "good_value": value[..., GOOD].ravel() / scale,
            "net_value": net if money else np.nan,
            "net_value_lower": net - half if money else np.nan,
            "net_value_upper": net + half if money else np.nan,
        }
    )


def changes(pair: Pair) -> pd.DataFrame:
    """Return each measure before and after, and the paired difference with its interval.

    Returns
    -------
    DataFrame
        measure, before, after, difference, lower, upper (95 %), n (the events that the two books treat differently
        in this measure); money in major units, rates as shares.
    """
    count, cells, scale = pair.count, pair.moves.cells, pair.new.scale
    value, squares = (pair.moves.shaped(held)[0].astype(np.float64) for held in (cells.value, cells.value_squares))
    alert, hard, review = pair.marks("friction", "review", "stop"), pair.marks("review", "stop"), pair.marks("review")
    every, fraud, good = np.arange(KINDS), np.array([FRAUD]), np.array([GOOD])
    rows = [_net(pair)]
    for measure, counted, kinds in (
        ("alerts", alert, every),
        ("frauds alerted", alert, fraud),
        ("good events held or stopped", hard, good),
        ("reviews", review, every),
    ):
        own = count[..., kinds].sum(axis=-1)
        rows.append(_sum(measure, counted, own, own, own))
    for measure, counted, kind in (
        ("fraud value alerted", alert, FRAUD),
        ("good value held or stopped", hard, GOOD),
    ):
        rows.append(_sum(measure, counted, value[..., kind] / scale, squares[..., kind] / scale**2, count[..., kind]))
    for measure, counted, kinds in (
        ("alert rate", alert, every),
        ("review rate", review, every),
        ("approval rate", ~hard, every),
        ("insult rate", hard, good),
        ("recall", alert, fraud),
    ):
        own = count[..., kinds].sum(axis=-1)
        whole = float(own.sum())
        told = _sum(measure, counted, own, own, own)
        rows.append((measure, *(part / whole if whole else np.nan for part in told[1:-1]), told[-1]))  # type: ignore[arg-type]
    rows.append(_precision(count, alert))
    return pd.DataFrame(rows, columns=["measure", "before", "after", "difference", "lower", "upper", "n"])


Row = tuple[str, float, float, float, float, float, int]


def _sum(measure: str, counted: Mask, own: npt.NDArray, squares: npt.NDArray, n: Ints) -> Row:
    """Return a sum before and after; only events that begin or cease to be counted are in the interval."""
    differ = counted[:, None] != counted[None, :]
    first, last = float(own[counted].sum()), float(own[:, counted].sum())
    sign = counted[None, :].astype(np.int64) - counted[:, None]
    difference = float((own * sign).sum())
    low, high = sum_interval(difference, float(squares[differ].sum()))
    return measure, first, last, difference, float(low), float(high), int(n[differ].sum())


def _net(pair: Pair) -> Row:
    """Return net value before, after, and its paired difference."""
    count, n = pair.count, len(pair.rows)
    if not measured(pair):
        return ("net value", *(np.nan,) * 5, n)
    stake = pair.moves.shaped(pair.moves.cells.stake)[0]
    first, last = (float(pair.price.worth(count.sum(axis=axis).T, stake.sum(axis=axis).T)) for axis in (1, 0))
    net, variance = net_change(pair.moves, pair.price)
    half = Z95 * float(np.sqrt(variance[0]))
    return "net value", first, last, float(net[0]) + 0.0, float(net[0]) - half, float(net[0]) + half, n


def _precision(count: Ints, alert: Mask) -> Row:
    """Return the precision of all alerts before, after, and its paired difference."""
    labelled = count[..., [GOOD, FRAUD]]
    kept, lost, gained = (
        labelled[first][:, last].sum(axis=(0, 1)) for first, last in ((alert, alert), (alert, ~alert), (~alert, alert))
    )
    difference, low, high = (float(end) for end in share_difference(kept, lost, gained))
    before, after = (float(part[1] / part.sum()) if part.sum() else np.nan for part in (kept + lost, kept + gained))
    return "precision", before, after, difference, low, high, int(lost.sum() + gained.sum())


def mcnemar_frame(pair: Pair) -> pd.DataFrame:
    """Return McNemar's test on frauds alerted and on good events held or stopped.

    Returns
    -------
    DataFrame
        measure, before_only, after_only, both, neither (events), statistic, p_value (mid-p), p_exact, n (the events
        that only one of the two books picks).
    """
    count, rows = pair.count, []
    for measure, counted, kind in (
        ("frauds alerted", pair.marks("friction", "review", "stop"), FRAUD),
        ("good events held or stopped", pair.marks("review", "stop"), GOOD),
    ):
        own = count[..., kind]
        b, c = int(own[counted][:, ~counted].sum()), int(own[~counted][:, counted].sum())
        both, neither = int(own[counted][:, counted].sum()), int(own[~counted][:, ~counted].sum())
        rows.append((measure, b, c, both, neither, *mcnemar(b, c), b + c))
    names = ["measure", "before_only", "after_only", "both", "neither", "statistic", "p_value", "p_exact", "n"]
    return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(("statistic", "p_value", "p_exact"), np.float64))


def split(pair: Pair, axis: str) -> pd.DataFrame:
    """Return the flips of each region or week, and what they change, with intervals; they add up to the whole.

    Returns
    -------
    DataFrame
        The axis, events, flips, frauds, good, unlabelled, fraud_value (of the flips); frauds_alerted, insults,
        reviews, net_value: what changes, each with `_lower` and `_upper`; p_value, q_value and reading, of net value.
    """
    codes, names = pair.new.dataset.regions if axis == "region" else pair.new.dataset.weeks
    held, levels = pair.by(codes, len(names)), len(pair.effects)
    moved = 1 - np.eye(levels, dtype=np.int64)[None, :, :, None]
    counts = held.shaped(held.cells.count).astype(np.int64)
    own = (counts * moved).sum(axis=(1, 2))
    value = (held.shaped(held.cells.value).astype(np.float64) * moved).sum(axis=(1, 2)) / pair.new.scale
    told = changes_of(held, pair.price, pair.effects, scale=pair.new.scale)
    columns: dict[str, object] = {
        axis: list(names),
        "events": counts.sum(axis=(1, 2, 3)),
        "flips": own.sum(axis=1),
        "frauds": own[:, FRAUD],
        "good": own[:, GOOD],
        "unlabelled": own[:, KINDS - 1],
        "fraud_value": value[:, FRAUD],
    }
    for name, out in (("frauds", "frauds_alerted"), ("insults", "insults"), ("reviews", "reviews")):
        columns |= {f"{out}{end}": told[f"{name}{end}"] for end in ("", "_lower", "_upper")}
    net, variance = net_change(held, pair.price)
    half = Z95 * np.sqrt(variance)
    if not pair.new.worth.money:
        net = half = np.full(len(names), np.nan)
    columns |= {"net_value": net, "net_value_lower": net - half, "net_value_upper": net + half}
    p = _p_values(net, variance)
    labelled = own[:, FRAUD] + own[:, GOOD]
    q = q_values(p)
    columns |= {"p_value": p, "q_value": q}
    columns["reading"] = _readings(net, q, labelled, own.sum(axis=1), known=measured(pair))
    return pd.DataFrame(columns)


def _p_values(net: Floats, variance: Floats) -> Floats:
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(net) / np.sqrt(variance)
    return np.where(variance > 0, np.nan_to_num(2 * ndtr(-z), nan=1.0), 1.0)


def _readings(net: Floats, q: Floats, labelled: Ints, flips: Ints, *, known: bool) -> list[str]:
    if not known:
        return [NO_MEASURE] * len(net)
    enough = (labelled >= FEWEST) & (2 * labelled >= flips) & (q <= LEVEL)
    return [
        (BETTER if gain > 0 else WORSE) if sure else ("no flip" if not flipped else NOT_SHOWN)
        for gain, sure, flipped in zip(net, enough, flips, strict=True)
    ]


def measured(pair: Pair) -> bool:
    """Return whether net value can be told: there is money, and a verdict on some event."""
    return bool(pair.new.worth.money and pair.count[..., [GOOD, FRAUD]].sum())


def verdict(pair: Pair, net: Sequence[float]) -> tuple[str, str]:
    """Return whether the second book is better, and why; `net` is the difference in net value and its ends."""
    flips = len(pair.rows)
    labelled = int(
        (pair.count[..., [GOOD, FRAUD]].sum(axis=-1) * (1 - np.eye(len(pair.effects), dtype=np.int64))).sum()
    )
    if not flips:
        return NOT_SHOWN, "no event's outcome changes"
    if not pair.new.worth.money:
        return NO_MEASURE, "there is no amount, so no net value"
    if not measured(pair):
        return NO_MEASURE, "no event has a verdict"
    if labelled < FEWEST:
        return NOT_SHOWN, f"only {labelled:,} of {flips:,} flips have a verdict"
    if 2 * labelled < flips:
        return NOT_SHOWN, f"most flips have no verdict: {flips - labelled:,} of {flips:,}"
    if net[1] > 0:
        return BETTER, "the interval lies above 0"
    if net[2] < 0:
        return WORSE, "the interval lies below 0"
    return NOT_SHOWN, "the interval holds 0"


def bounds(pair: Pair) -> pd.DataFrame:
    """Return what changes if the flips without a verdict were all good, as counted, or all fraud.

    Returns
    -------
    DataFrame
        assumed, unlabelled (flips without a verdict), frauds_alerted, insults, net_value: what changes.
    """
    state, rows = np.minimum(pair.new.labels.state, KINDS - 1), pair.rows
    own = rows[state[rows] == KINDS - 1]
    first, last = pair.was[own], pair.now[own]
    told = changes_of(pair.moves, pair.price, pair.effects, scale=pair.new.scale)
    frauds, insults, net = (float(told[name][0]) for name in ("frauds", "insults", "net_value"))
    alert, hard = pair.marks("friction", "review", "stop").astype(int), pair.marks("review", "stop").astype(int)
    slope, worth = pair.price.slope, pair.new.worth
    as_fraud = float(((slope[FRAUD, last] - slope[FRAUD, first]) * worth.loss[own]).sum())
    as_good = float(((slope[GOOD, last] - slope[GOOD, first]) * worth.margin[own]).sum())
    nets = [net + as_good, net, net + as_fraud] if measured(pair) else [np.nan] * 3
    return pd.DataFrame(
        {
            "assumed": ["all good", "left out", "all fraud"],
            "unlabelled": len(own),
            "frauds_alerted": [frauds, frauds, frauds + float((alert[last] - alert[first]).sum())],
            "insults": [insults + float((hard[last] - hard[first]).sum()), insults, insults],
            "net_value": nets,
        }
    )
