"""What is each cut worth? Rates, money and intervals from an exact truth table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.outcomes import Ladder
from riskbench.errors import ParameterError
from riskbench.metrics.constraints import RATES, CapacityLimit, Constraint
from riskbench.metrics.curve import CLASSES, FRAUD, GOOD, UNLABELLED, TruthTable
from riskbench.metrics.intervals import Z95
from riskbench.metrics.price import Price

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
#: Whole numbers, or sums of weights.
Counted = npt.NDArray[Any]

#: How many rows of a curve are shown and stored; the exact one stays behind `curve_exact`.
SHOWN = 2_000

#: The columns of a curve.
COLUMNS = (
    "threshold alerts frauds unlabelled unlabelled_blocked unlabelled_young unlabelled_no_verdict "
    "unlabelled_no_channel precision recall alert_rate review_rate insult_rate approval_rate "
    "value_caught net_value lower upper loss_prevented added_alerts added_frauds added_net_value "
    "added_lower added_upper"
).split()


#: Why an alert has no verdict, in the order of the label states from "blocked" on.
REASONS = ("unlabelled_blocked", "unlabelled_young", "unlabelled_no_verdict", "unlabelled_no_channel")

#: What each rate with a verdict in it is a part of, and what of the whole is no part.
SPLIT = {
    "precision": ("frauds", "goods"),
    "recall": ("frauds", "missed"),
    "insult_rate": ("insults", "spared"),
}


class Rated:
    """What has counts, and so rates, at each of its points: cuts of a curve, settings of a surface.

    Counts by label are whole numbers where each event stands for itself, else sums of what they stand for.
    """

    __slots__ = ()

    alerts: Ints
    frauds: Counted
    goods: Counted
    insults: Counted
    reviews: Ints
    approved: Ints
    net: Floats
    total: int
    total_frauds: float
    total_goods: float
    squared: dict[str, Floats] | None

    def at_limit(self, limit: Constraint) -> Floats:
        """Return what a constraint limits, at every point; NaN where it is not measurable.

        Raises
        ------
        ParameterError
            When it is a limit that was not asked for when this was drawn.
        """
        if not isinstance(limit, CapacityLimit):
            return self.rate(limit.rate)
        held = getattr(self, "limits", None) or {}
        if limit not in held:
            raise ParameterError(f"{limit.rate} limits the one cut of a whole calibration, and nothing else")
        return held[limit]

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

    def bearing(self, name: str) -> Floats:
        """Return how many events with equal weights would tell a rate as surely as these do."""
        whole = {
            "insult_rate": self.total_goods,
            "recall": self.total_frauds,
            "precision": self.frauds + self.goods,
        }.get(name, self.total)
        base = np.broadcast_to(np.asarray(whole, dtype=np.float64), self.net.shape)
        if self.squared is None or name not in SPLIT:
            return base
        inside, outside = (self.squared[part] for part in SPLIT[name])
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = self.rate(name)
            borne = base**2 * rate * (1 - rate) / ((1 - rate) ** 2 * inside + rate**2 * outside)
            plain = base**2 / (inside + outside)
        return np.where((rate > 0) & (rate < 1), borne, np.where(inside + outside > 0, plain, base))


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
    total : int
        How many events there are.
    total_frauds, total_goods : float
        How many are labelled fraud and good. These, and frauds, goods and insults, are what the events stand for where
        that is not one each.
    squared : dict of ndarray of float64, or None
        The sums of squared weights of frauds and goods alerted, frauds missed, goods insulted and spared; None where
        each event stands for itself.
    limits : dict of Constraint to ndarray of float64, shape (points,), or None
        What each limit on capacity that was asked for comes to; NaN where it is not measurable.
    """

    table: TruthTable
    alerts: Ints
    frauds: Counted
    goods: Counted
    unlabelled: Ints
    insults: Counted
    reviews: Ints
    approved: Ints
    net: Floats
    saved: Floats
    caught: Floats
    spread: Floats
    moved: Floats
    total: int
    total_frauds: float
    total_goods: float
    squared: dict[str, Floats] | None = None
    limits: dict[Constraint, Floats] | None = None


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
    told = (by_kind[FRAUD], by_kind[GOOD], insults, int(fixed[FRAUD].sum()), int(fixed[GOOD].sum()))
    frauds, goods, insulted, total_frauds, total_goods = (
        told if table.weights is None else _weighted(table, alert, ~passed)
    )
    return Curve(
        table,
        alerts,
        frauds,
        goods,
        by_kind[UNLABELLED],
        insulted,
        reviews,
        approved,
        net,
        saved,
        np.full(shape, np.nan) if table.caught is None else table.caught,
        np.maximum(spread, 0.0),
        np.maximum(moved, 0.0),
        int(fixed.sum()),
        total_frauds,
        total_goods,
        None if table.weights is None else _squared(table, alert, ~passed),
    )


def _moved(table: TruthTable, held: Floats, fixed: Floats, kind: int, mark: npt.NDArray[np.bool_]) -> Floats:
    """Return the sum over the events of one class whose level is marked, at every point."""
    total = np.full(table.points, float(fixed[kind, mark].sum()))
    for row, (own, a, b) in enumerate(table.moves):
        if own == kind and mark[a] != mark[b]:
            total += held[row] if mark[b] else -held[row]
    return np.maximum(total, 0.0)


def _weighted(
    table: TruthTable, alert: npt.NDArray[np.bool_], hard: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats, float, float]:
    """Return what frauds and goods alerted, goods insulted, and all frauds and goods stand for."""
    assert table.weights is not None
    assert table.fixed_weights is not None
    fixed = table.fixed_weights
    parts = ((FRAUD, alert), (GOOD, alert), (GOOD, hard))
    frauds, goods, insults = (_moved(table, table.weights, fixed, kind, mark) for kind, mark in parts)
    return frauds, goods, insults, float(fixed[FRAUD].sum()), float(fixed[GOOD].sum())


def _squared(table: TruthTable, alert: npt.NDArray[np.bool_], hard: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """Return the sums of squared weights that rates rest on."""
    assert table.weight_squares is not None
    assert table.fixed_weight_squares is not None
    held, fixed = table.weight_squares, table.fixed_weight_squares
    parts = {
        "frauds": (FRAUD, alert),
        "goods": (GOOD, alert),
        "missed": (FRAUD, ~alert),
        "insults": (GOOD, hard),
        "spared": (GOOD, ~hard),
    }
    return {name: _moved(table, held, fixed, kind, mark) for name, (kind, mark) in parts.items()}


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
        rate = drawn.at_limit(limit)
        over = rate - limit.bound if limit.side == "at_most" else limit.bound - rate
        if isinstance(limit, CapacityLimit):
            over = np.where(np.isnan(over), 1.0, over / max(limit.bound, 1.0))
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
    alerts : int
        Alerted events.
    frauds : float
        Labelled frauds among them, or what they stand for.
    net : float
        Net value, in major units.
    apart : ndarray of float64, shape (points,)
        The variance of the net value of each point less today's: the events that the two treat differently.
    """

    alerts: int
    frauds: float
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
            **{name: count[points] for name, count in zip(REASONS, reasons(drawn.table), strict=True)},
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


def reasons(table: TruthTable) -> Ints:
    """Return how many alerts have no verdict at each point, by why; nothing where it was not asked for."""
    return np.zeros((len(REASONS), table.points), np.int64) if table.reasons is None else table.reasons


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
