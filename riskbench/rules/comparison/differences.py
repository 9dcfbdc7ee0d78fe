"""By how much do two books differ on the same events? Every measure before, after, and the paired difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD, REASONS
from riskbench.data.outcomes import Effect, ladder
from riskbench.metrics.costs import Costs
from riskbench.metrics.intervals import sum_interval
from riskbench.metrics.maturity import Matured
from riskbench.metrics.money import money_interval
from riskbench.metrics.paired import mcnemar, share_difference
from riskbench.metrics.price import Price, price
from riskbench.rules.comparison.together import ALONE, Together, together
from riskbench.rules.hits import Hits
from riskbench.rules.maturing import Maturing
from riskbench.rules.moves import Moves, Usual, net_by_pair, net_change, parts_of
from riskbench.rules.signature import KINDS, events_by

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


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
    together : Together
        How many times net value varies because flips come together: by entity, and in weeks that differ.
    own_maturing : Maturing or None
        What each event stands for, where it was read already.
    """

    old: Hits
    new: Hits
    was: Ints
    now: Ints
    rows: npt.NDArray[np.intp]
    moves: Moves
    price: Price
    effects: tuple[Effect, ...]
    together: Together = ALONE
    own_maturing: Maturing | None = None

    @classmethod
    def of(cls, old: Hits, new: Hits, costs: Costs, *, told: Matured | None = None) -> Pair:
        """Return the decisions of two books side by side."""
        effects = tuple(rung.effect for rung in ladder(old.book.domain).rungs)
        was, now = old.resolution.level.astype(np.int64), new.resolution.level.astype(np.int64)
        levels = len(effects)
        cells = events_by(new, was * levels + now, levels * levels)
        worth = price(new.worth, costs, effects, scale=new.scale)
        rows = np.flatnonzero(was != now)
        maturing = Maturing(new, told)
        spread = together(maturing, worth, rows, was=was, now=now)
        return cls(old, new, was, now, rows, Moves(cells, 1, levels), worth, effects, spread, maturing)

    @property
    def maturing(self) -> Maturing:
        """What each event stands for."""
        return Maturing(self.new) if self.own_maturing is None else self.own_maturing

    @property
    def names(self) -> tuple[str, ...]:
        """The outcomes' words."""
        return ladder(self.old.book.domain).names

    @property
    def count(self) -> Ints:
        """Events by outcome before, outcome after, and what is known."""
        return self.moves.shaped(self.moves.cells.count)[0].astype(np.int64)

    @property
    def usual(self) -> Usual:
        """What is at stake in all events, by kind."""
        return Usual.of(self.moves.cells)

    @property
    def reasons(self) -> Ints:
        """Events without a verdict by pair of outcomes and why they have none: (pairs, reasons)."""
        levels, state = len(self.effects), self.new.labels.state
        own = np.flatnonzero(state > FRAUD)
        width = len(REASONS)
        codes = (self.was[own] * levels + self.now[own]) * width + state[own] - FRAUD - 1
        counts = np.bincount(codes, minlength=levels**2 * width).reshape(levels**2, width)
        return counts[:, [state - FRAUD - 1 for state in REASONS.values()]]

    def marks(self, *effects: Effect) -> Mask:
        """Return which levels have one of some effects."""
        return np.isin(self.effects, effects)

    def by(self, codes: npt.NDArray[np.integer], groups: int) -> Moves:
        """Return the moves of each group of events."""
        levels = len(self.effects)
        own = (codes.astype(np.int64) * levels + self.was) * levels + self.now
        return Moves(events_by(self.new, own, groups * levels * levels), groups, levels)


def matrix(pair: Pair) -> pd.DataFrame:
    """Return one row a pair of outcomes, the unchanged ones too, with what moving there changes in net value."""
    names, scale, held = pair.names, pair.new.scale, pair.moves
    count, value = pair.count, held.shaped(held.cells.value)[0].astype(np.float64)
    levels = held.levels
    each = Moves(held.cells.summed(_apart(levels), levels**4, picked=np.arange(levels**2)), levels**2, levels)
    net = net_by_pair(held, pair.price)[0].ravel()
    low, high = money_interval(net, parts_of(each, pair.price, pair.usual), together=pair.together.all)
    money = pair.new.worth.money
    reasons = pair.reasons
    return pd.DataFrame(
        {
            "before": np.repeat(list(names), len(names)),
            "after": np.tile(list(names), len(names)),
            "events": count.sum(axis=-1).ravel(),
            "frauds": count[..., FRAUD].ravel(),
            "good": count[..., GOOD].ravel(),
            "unlabelled": count[..., KINDS - 1].ravel(),
            **{name: reasons[:, place] for place, name in enumerate(REASONS)},
            "fraud_value": value[..., FRAUD].ravel() / scale,
            "good_value": value[..., GOOD].ravel() / scale,
            "net_value": net if money else np.nan,
            "net_value_lower": low if money else np.nan,
            "net_value_upper": high if money else np.nan,
        }
    )


def _apart(levels: int) -> Ints:
    """Return for each pair of outcomes, one group a pair, the cell that it fills."""
    pairs = np.arange(levels**2)
    return pairs * levels**2 + pairs


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
    net, low, high = net_change(pair.moves, pair.price, pair.usual, together=pair.together.all)
    return "net value", first, last, float(net[0]) + 0.0, float(low[0]), float(high[0]), n


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


def measured(pair: Pair) -> bool:
    """Return whether net value can be told: there is money, and a verdict on some event."""
    return bool(pair.new.worth.money and pair.count[..., [GOOD, FRAUD]].sum())
