"""What is each cut worth? Rates, money and intervals from an exact truth table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.outcomes import Ladder
from riskbench.metrics.constraints import RATES, Constraint
from riskbench.metrics.curve import CLASSES, FRAUD, GOOD, UNLABELLED, TruthTable
from riskbench.metrics.intervals import Z95
from riskbench.metrics.price import Price

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]

#: How many rows of a curve are shown and stored; the exact one stays behind `curve_exact`.
SHOWN = 2_000

#: The columns of a curve.
COLUMNS = (
    "threshold alerts frauds unlabelled precision recall alert_rate review_rate insult_rate approval_rate "
    "value_caught net_value lower upper loss_prevented added_alerts added_frauds added_net_value "
    "added_lower added_upper"
).split()


class Rated:
    """What has counts, and so rates, at each of its points: cuts of a curve, settings of a surface."""

    __slots__ = ()

    alerts: Ints
    frauds: Ints
    goods: Ints
    insults: Ints
    reviews: Ints
    approved: Ints
    net: Floats
    total: int
    total_frauds: int
    total_goods: int

    def rate(self, name: str) -> Floats:
        """Return a rate at every point; NaN where its denominator is zero."""
        part, whole = {
            "alert_rate": (self.alerts, self.total),
            "review_rate": (self.reviews, self.total),
            "approval_rate": (self.approved, self.total),
            "insult_rate": (self.insults, self.total_goods),
            "recall": (self.frauds, self.total_frauds),
            "precision": (self.frauds, self.frauds + self.goods),
        }[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(part / np.asarray(whole, dtype=np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Curve(Rated):
    """Everything a cut does, at every point of a truth table.

    Attributes
    ----------
    table : TruthTable
        The exact counts and money.
    alerts, frauds, goods, unlabelled, insults, reviews, approved : ndarray of int64, shape (points,)
        Alerted events (any outcome above the mildest), and of these labelled fraud, labelled good, unlabelled;
        good events reviewed or stopped; events under review; events approved straight through.
    net, saved : ndarray of float64, shape (points,)
        Net value and loss prevented, in major units.
    caught : ndarray of float64, shape (points,)
        The value of the alerted frauds, in major units; NaN without money.
    spread : ndarray of float64, shape (points,)
        The variance of `net`.
    moved : ndarray of float64, shape (points,)
        The variance of `net` less `net` at point 0; that between two points is the difference.
    total, total_frauds, total_goods : int
        How many events there are, and how many are labelled fraud and good.
    """

    table: TruthTable
    alerts: Ints
    frauds: Ints
    goods: Ints
    unlabelled: Ints
    insults: Ints
    reviews: Ints
    approved: Ints
    net: Floats
    saved: Floats
    caught: Floats
    spread: Floats
    moved: Floats
    total: int
    total_frauds: int
    total_goods: int


def curve(table: TruthTable, price: Price, steps: Ladder) -> Curve:
    """Return what every cut does under stated prices, exactly, from cumulative counts and money."""
    effects = [rung.effect for rung in steps.rungs]
    review = np.array([effect == "review" for effect in effects])
    stop = np.array([effect == "stop" for effect in effects])
    alert = np.arange(len(effects)) > 0
    passed = ~(review | stop)
    fixed = table.fixed_counts
    spread0 = price.second(table.fixed_counts, table.fixed_money, table.fixed_squares)
    shape = table.points

    def start(levels: npt.NDArray[np.bool_], kind: int | None = None) -> Ints:
        held = fixed if kind is None else fixed[kind]
        return np.full(shape, int(held[..., levels].sum()), dtype=np.int64)

    alerts, reviews, approved = start(alert), start(review), start(passed)
    insults = start(~passed, GOOD)
    by_kind = [start(alert, kind) for kind in range(CLASSES)]
    net, saved = net_value(table, price), np.full(shape, float((price.saved * table.fixed_money[FRAUD]).sum()))
    spread, moved = np.full(shape, spread0), np.zeros(shape)
    for row, (kind, a, b) in enumerate(table.moves):
        n, m, q = table.counts[row], table.money[row], table.squares[row]
        alerts += n * (int(alert[b]) - int(alert[a]))
        reviews += n * (int(review[b]) - int(review[a]))
        approved += n * (int(passed[b]) - int(passed[a]))
        by_kind[kind] += n * (int(alert[b]) - int(alert[a]))
        if kind == GOOD:
            insults += n * (int(passed[a]) - int(passed[b]))
        slope_a, slope_b = price.slope[kind, a], price.slope[kind, b]
        hand_a, hand_b = price.handling[a], price.handling[b]
        slope, hand = slope_b - slope_a, hand_b - hand_a
        moved += slope * slope * q - 2 * slope * hand * m + hand * hand * n
        spread += (slope_b**2 - slope_a**2) * q - 2 * (slope_b * hand_b - slope_a * hand_a) * m
        spread += (hand_b**2 - hand_a**2) * n
        if kind == FRAUD:
            saved += (price.saved[b] - price.saved[a]) * m
    return Curve(
        table,
        alerts,
        by_kind[FRAUD],
        by_kind[GOOD],
        by_kind[UNLABELLED],
        insults,
        reviews,
        approved,
        net,
        saved,
        np.full(shape, np.nan) if table.caught is None else table.caught,
        np.maximum(spread, 0.0),
        np.maximum(moved, 0.0),
        int(fixed.sum()),
        int(fixed[FRAUD].sum()),
        int(fixed[GOOD].sum()),
    )


def net_value(table: TruthTable, price: Price) -> Floats:
    """Return the net value of every point alone."""
    net = np.full(table.points, price.worth(table.fixed_counts, table.fixed_money))
    for row, (kind, a, b) in enumerate(table.moves):
        net += (price.slope[kind, b] - price.slope[kind, a]) * table.money[row]
        net -= (price.handling[b] - price.handling[a]) * table.counts[row]
    return net


def violation(drawn: Rated, constraints: Sequence[Constraint]) -> Floats:
    """Return by how much each point breaks the constraints in total; 0 where it keeps them all.

    A rate that cannot be measured at a point (precision without alerts) does not keep an `at_least`.
    """
    broken = np.zeros(drawn.net.shape)
    for limit in constraints:
        rate = drawn.rate(limit.rate)
        over = rate - limit.bound if limit.side == "at_most" else limit.bound - rate
        # Rates are ratios of counts: a last-bit difference is not a breach.
        over = np.where(over <= 1e-12, 0.0, over)
        undefined = 0.0 if limit.side == "at_most" else limit.bound
        broken += np.where(np.isnan(rate), undefined, over)
    return broken


@dataclass(frozen=True, slots=True)
class Today:
    """Where the book stands today: what a cut adds is counted from here.

    Attributes
    ----------
    alerts, frauds : int
        Alerted events, and labelled frauds among them.
    net : float
        Net value, in major units.
    apart : ndarray of float64, shape (points,)
        The variance of the net value of each point less today's: the events that the two treat differently.
    """

    alerts: int
    frauds: int
    net: float
    apart: Floats


def frame_at(drawn: Curve, points: npt.NDArray[np.intp], today: Today) -> pd.DataFrame:
    """Return the rows of a curve at some points, with what each adds to the book as it stands today.

    The added columns are paired: only events that the two cuts treat differently count, in value and interval.
    """
    half = Z95 * np.sqrt(drawn.spread[points])
    apart = today.apart[points]
    added = np.where(apart > 0, drawn.net[points] - today.net, 0.0)
    paired = Z95 * np.sqrt(apart)
    frame = pd.DataFrame(
        {
            "threshold": drawn.table.cuts[points],
            "alerts": drawn.alerts[points],
            "frauds": drawn.frauds[points],
            "unlabelled": drawn.unlabelled[points],
            **{str(name): drawn.rate(name)[points] for name in RATES},
            "value_caught": drawn.caught[points],
            "net_value": drawn.net[points],
            "lower": drawn.net[points] - half,
            "upper": drawn.net[points] + half,
            "loss_prevented": drawn.saved[points],
            "added_alerts": drawn.alerts[points] - today.alerts,
            "added_frauds": drawn.frauds[points] - today.frauds,
            "added_net_value": added,
            "added_lower": added - paired,
            "added_upper": added + paired,
        }
    )
    return frame[list(COLUMNS)]


def thin(drawn: Curve, keep: Sequence[int], *, most: int = SHOWN) -> npt.NDArray[np.intp]:
    """Return at most `most` points to show: evenly by alerts, by order, and every point of `keep`.

    Half are spread evenly over the alerts' logarithm, so that the strict end, where cuts are chosen, stays fine.
    """
    points = drawn.table.points
    if points <= most:
        return np.arange(points)
    budget = (most - len(keep) - 2) // 2
    evenly = np.linspace(0, points - 1, budget).astype(np.intp)
    fine = np.unique(np.geomspace(1, points - 1, budget).astype(np.intp))
    return np.unique(np.concatenate([evenly, fine, np.asarray([0, points - 1, *keep], dtype=np.intp)]))


def best(net: Floats, feasible: npt.NDArray[np.bool_]) -> int:
    """Return the feasible point of highest net value; of equals the one with the fewest hits."""
    return int(np.argmax(np.where(feasible, net, -np.inf)))


def exact_frame(table: TruthTable, price: Price, steps: Ladder, today: Today) -> pd.DataFrame:
    """Return every point of a curve."""
    return frame_at(curve(table, price, steps), np.arange(table.points), today)


def later_frame(table: TruthTable | None, price: Price, steps: Ladder, cut: float, today: Today | None) -> pd.DataFrame:
    """Return the curve of the later window; no rows where there is none."""
    if table is None or today is None:
        return pd.DataFrame(columns=["threshold"])
    later = curve(table, price, steps)
    points = thin(later, [later.table.point(cut)])
    return frame_at(later, points, today)
