"""How firm is a cut? The cuts that are statistically no worse, and what lies just beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.curve import Curve
from riskbench.metrics.curve import FRAUD
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Cells in which the curve is redrawn, and how often.
CELLS, RESAMPLES = 400, 1_000

#: Frauds in a stretch of the curve over which variance is smoothed.
STRETCH = 20


@dataclass(frozen=True, slots=True)
class Redrawn:
    """What redrawing the events says about the chosen cut.

    Attributes
    ----------
    lower, upper : float
        Where the chosen cut falls in 95 % of the draws.
    optimism : float
        By how much a chosen cut looks better on the draw that chose it, in units of net value.
    critical : float
        The joint 95 % quantile of the standardised differences between the chosen cut and all others.
    """

    lower: float
    upper: float
    optimism: float
    critical: float


def redrawn(drawn: Curve, chosen: int, feasible: Mask, *, seed: int) -> Redrawn:
    """Choose again on 1,000 redrawn curves.

    Events come by chance, so the worth between two neighbouring cuts is redrawn by its first two moments
    (Poisson counts: the variance is the sum of squared worths), in 400 cells.

    Parameters
    ----------
    drawn : Curve
        The curve on the window that the cut was chosen on.
    chosen : int
        The chosen point.
    feasible : ndarray of bool, shape (points,)
        The points that keep the constraints.
    seed : int
        Of the draws.
    """
    points, moved = drawn.table.points, drawn.moved
    if points <= 2:
        cut = float(drawn.table.cuts[chosen])
        return Redrawn(cut, cut, 0.0, Z95)
    edges = np.unique(
        np.concatenate(
            [
                np.minimum(np.searchsorted(moved, np.linspace(0.0, moved[-1], CELLS // 2)), points - 1),
                np.geomspace(1, points - 1, CELLS // 2).astype(np.intp),
                [0, chosen, points - 1],
            ]
        ).astype(np.intp)
    )
    place = int(np.searchsorted(edges, chosen))
    mean, spread = np.diff(drawn.net[edges]), np.maximum(np.diff(moved[edges]), 0.0)
    rng = np.random.default_rng(seed)
    noise = np.zeros((RESAMPLES, len(edges)))
    np.cumsum(rng.standard_normal((RESAMPLES, len(mean))) * np.sqrt(spread), axis=1, out=noise[:, 1:])
    walks = np.concatenate([[0.0], np.cumsum(mean)]) + noise
    walks[:, ~feasible[edges]] = -np.inf
    winner = np.argmax(walks, axis=1)
    draws = np.arange(RESAMPLES)
    optimism = float(np.mean(noise[draws, winner]))
    cuts = np.sort(drawn.table.cuts[edges[winner]])
    width = np.sqrt(apart(drawn, chosen)[edges])
    others = feasible[edges] & (width > 0)
    critical = Z95
    if others.any():
        gaps = (noise[:, others] - noise[:, [place]]) / width[others]
        critical = max(Z95, float(np.quantile(gaps.max(axis=1), 0.95)))
    return Redrawn(
        float(cuts[int(0.025 * RESAMPLES)]), float(cuts[int(0.975 * RESAMPLES)]), max(0.0, optimism), critical
    )


def apart(drawn: Curve, point: int) -> Floats:
    """Return the variance of the net value between one point and every other.

    Between two near cuts often no fraud was seen, which does not mean that none could have been: where it is
    larger, the variance of an average event counts, taken from stretches of the curve that hold 20 frauds.
    """
    events, frauds = drawn.table.counts.sum(axis=0), np.zeros(drawn.table.points, np.int64)
    for row, (kind, _, _) in enumerate(drawn.table.moves):
        frauds += drawn.table.counts[row] if kind == FRAUD else 0
    steps = np.searchsorted(frauds, np.arange(STRETCH, int(frauds[-1]) - STRETCH + 1, STRETCH))
    edges = np.unique(np.concatenate([[0], steps, [len(events) - 1]]).astype(np.intp))
    smooth = np.interp(events, events[edges], drawn.moved[edges])
    return np.maximum(np.abs(drawn.moved - drawn.moved[point]), np.abs(smooth - smooth[point]))


def plateau_ends(drawn: Curve, chosen: int, feasible: Mask, critical: float) -> tuple[int, int]:
    """Return the strictest and the loosest point of the range around `chosen` that is statistically no worse.

    The difference between two cuts rests only on the events between them, so its variance is the difference of
    cumulative sums. The chosen cut is the best of many, and the ones beside it look worse for that alone: the
    difference is held against the joint quantile of all differences, not against that of one.

    Source: Hsu, J. C. (1984), Constrained simultaneous confidence intervals for multiple comparisons with the
    best, Annals of Statistics 12, 1136-1144.
    """
    out = ((drawn.net[chosen] - drawn.net) > critical * np.sqrt(apart(drawn, chosen))) | ~feasible
    before, after = np.flatnonzero(out[:chosen]), np.flatnonzero(out[chosen + 1 :])
    first = int(before[-1]) + 1 if len(before) else 0
    last = chosen + int(after[0]) if len(after) else drawn.table.points - 1
    return first, last


def plateau_frame(
    drawn: Curve, chosen: int, ends: tuple[int, int], *, critical: float, share: float = 0.05
) -> pd.DataFrame:
    """Return how the value changes beside the chosen cut.

    Parameters
    ----------
    drawn : Curve
        The curve on the window that the cut was chosen on.
    chosen : int
        The chosen point.
    ends : (int, int)
        The plateau's strictest and loosest point.
    critical : float
        The joint quantile of `redrawn`.
    share : float
        How many more (fewer) alerts count as "just under" ("just over") the cut.

    Returns
    -------
    DataFrame
        point, threshold, alerts, alert_rate, net_value, change, change_lower, change_upper (paired, against the
        chosen cut; joint 95 % for all cuts at once), n (events between the two cuts), frauds_between, fraud_share.
    """
    first, last = ends
    end, alerts = drawn.table.points - 1, drawn.alerts.astype(np.float64)
    near = max(1.0, share * alerts[chosen])
    looser = np.flatnonzero(alerts[chosen:] >= alerts[chosen] + near)
    stricter = np.flatnonzero(alerts[: chosen + 1] <= alerts[chosen] - near)
    rows = [
        ("plateau, strictest", first),
        (f"{share:.0%} fewer alerts", int(stricter[-1]) if len(stricter) else 0),
        ("one step stricter", max(0, chosen - 1)),
        ("chosen", chosen),
        ("one step looser", min(end, chosen + 1)),
        (f"{share:.0%} more alerts", chosen + int(looser[0]) if len(looser) else end),
        ("plateau, loosest", last),
    ]
    at = np.array([point for _, point in rows])
    moved = np.zeros(drawn.table.points, np.int64)
    frauds = np.zeros(drawn.table.points, np.int64)
    for row, (kind, _, _) in enumerate(drawn.table.moves):
        moved += drawn.table.counts[row]
        if kind == FRAUD:
            frauds += drawn.table.counts[row]
    between = np.abs(moved[at] - moved[chosen])
    frauds_between = np.abs(frauds[at] - frauds[chosen])
    change = drawn.net[at] - drawn.net[chosen]
    half = critical * np.sqrt(apart(drawn, chosen)[at])
    with np.errstate(divide="ignore", invalid="ignore"):
        fraud_share = np.where(between > 0, frauds_between / between, np.nan)
    return pd.DataFrame(
        {
            "point": [name for name, _ in rows],
            "threshold": drawn.table.cuts[at],
            "alerts": drawn.alerts[at],
            "alert_rate": drawn.rate("alert_rate")[at],
            "net_value": drawn.net[at],
            "change": change,
            "change_lower": change - half,
            "change_upper": change + half,
            "n": between,
            "frauds_between": frauds_between,
            "fraud_share": fraud_share,
        }
    )
