"""Does a segment deserve a cut of its own, and what does one cut for all cost?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.curve import Curve, best, curve, violation
from riskbench.calibration.plateau import apart, plateau_ends, plateau_frame, redrawn
from riskbench.calibration.study import Study
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.intervals import Z95

Mask = npt.NDArray[np.bool_]

#: A segment with fewer known frauds to choose on inherits the common cut.
FEWEST_FRAUDS = 20

OWN, SAME, INHERITS = "own cut pays", "no difference shown", "inherits the common cut"

COLUMNS = (
    "segment n frauds own_threshold uniform_threshold net_own net_uniform uniform_cost lower upper p_value status"
).split()


def segments_frame(
    study: Study,
    codes: npt.NDArray[np.int32],
    names: Sequence[str],
    cut: float,
    constraints: Sequence[Constraint],
    *,
    bounds: tuple[float, float],
) -> pd.DataFrame:
    """Return each segment's own best cut, chosen on the first window, and what it gains on the later one.

    The gain is paired: only events between the two cuts count. Over all segments with enough frauds the share
    of false "own cut pays" is held at 5 % (Benjamini and Hochberg).

    Returns
    -------
    DataFrame
        segment, n and frauds (on the choose window), own_threshold, uniform_threshold, net_own and net_uniform
        (on the later window; on the choose window where there is no later one), uniform_cost with lower and
        upper (95 %), p_value (one-sided, that the own cut is no better), status.

    Source: Benjamini, Y. and Hochberg, Y. (1995), Controlling the false discovery rate, JRSS B 57, 289-300.
    """
    windows, price = study.windows, study.price()
    judged = windows.report.mask if (windows.report.mask).any() else windows.choose.mask
    rows: list[tuple[object, ...]] = []
    pooled = curve(study.table(judged), price, study.steps)
    chosen_rows, judged_rows = _by_code(codes, windows.choose.mask, len(names)), _by_code(codes, judged, len(names))
    for code, name in enumerate(names):
        chosen_on = chosen_rows[code]
        frauds, count = int(np.count_nonzero(study.kinds[chosen_on] == 1)), len(chosen_on)
        later = curve(study.table(judged_rows[code]), price, study.steps)
        uniform = later.table.point(cut)
        if frauds < FEWEST_FRAUDS:
            rows.append((name, count, frauds, None, cut, None, later.net[uniform], None, None, None, None, INHERITS))
            continue
        own_curve = curve(study.table(chosen_on), price, study.steps)
        own = own_cut(own_curve, constraints, bounds)
        if own is None:
            rows.append((name, count, frauds, None, cut, None, later.net[uniform], None, None, None, None, INHERITS))
            continue
        point = later.table.point(own)
        gain = float(later.net[point] - later.net[uniform])
        sd = math.sqrt(max(float(apart(later, uniform)[point]), _usual(pooled, later, own, cut)))
        p_value = 0.5 * math.erfc(gain / sd / math.sqrt(2)) if sd > 0 else 1.0
        rows.append(
            (
                name,
                count,
                frauds,
                own,
                cut,
                later.net[point],
                later.net[uniform],
                gain,
                gain - Z95 * sd,
                gain + Z95 * sd,
                p_value,
                SAME,
            )
        )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    for column in COLUMNS[3:11]:
        frame[column] = frame[column].astype(np.float64)
    frame.loc[discoveries(frame["p_value"].to_numpy(np.float64)), "status"] = OWN
    return frame


PLATEAU_COLUMNS = (
    "segment n frauds threshold strictest loosest net_value critical below_n below_frauds below_fraud_share status"
).split()


def plateaus_frame(
    study: Study,
    codes: npt.NDArray[np.int32],
    names: Sequence[str],
    constraints: Sequence[Constraint],
    *,
    bounds: tuple[float, float],
    seed: int,
) -> pd.DataFrame:
    """Return each segment's own best cut with its plateau, and what lies just beside it on the safe side.

    Returns
    -------
    DataFrame
        segment, n and frauds (on the choose window), threshold (its own best cut), strictest and loosest (the ends
        of its plateau, joint 95 %), net_value, critical (the joint quantile); below_n, below_frauds and
        below_fraud_share of the events that 5 % more alerts would add; status.
    """
    rows: list[tuple[object, ...]] = []
    for code, name in enumerate(names):
        own = np.flatnonzero(study.windows.choose.mask & (codes == code))
        frauds = int(np.count_nonzero(study.kinds[own] == 1))
        nothing = (name, len(own), frauds, *[None] * 8)
        if frauds < FEWEST_FRAUDS:
            rows.append((*nothing, "not measurable: fewer than 20 known frauds"))
            continue
        drawn = curve(study.table(own), study.price(), study.steps)
        cuts = drawn.table.cuts
        feasible = (violation(drawn, constraints) <= 0) & (cuts >= bounds[0]) & (cuts <= bounds[1])
        if not feasible.any():
            rows.append((*nothing, "not measurable: no cut keeps to the limits"))
            continue
        point = best(drawn.net, feasible)
        again = redrawn(drawn, point, feasible, seed=seed)
        first, last = plateau_ends(drawn, point, feasible, again.critical)
        beside = plateau_frame(drawn, point, (first, last), critical=again.critical).set_index("point")
        near = beside.to_dict("index")["5% more alerts"]
        ends = (float(cuts[point]), float(cuts[first]), float(cuts[last]), float(drawn.net[point]), again.critical)
        added = (int(near["n"]), int(near["frauds_between"]), float(near["fraud_share"]))
        rows.append((name, len(own), frauds, *ends, *added, "measured"))
    return pd.DataFrame(rows, columns=PLATEAU_COLUMNS)


def paying(segments: pd.DataFrame) -> dict[str, float]:
    """Return the cut of each segment whose own cut pays and can stand in a rule book."""
    held = segments[(segments["status"] == OWN) & (segments["segment"] != "(missing)")]
    return {
        str(name): float(cut)
        for name, cut in zip(held["segment"], held["own_threshold"], strict=True)
        if math.isfinite(cut)
    }


def _usual(pooled: Curve, later: Curve, one: float, other: float) -> float:
    """Return the variance between two cuts if a segment's events there were worth what those of all segments are.

    A few lucky events look both better and steadier than they are; this keeps them from being believed.
    """
    a, b = pooled.table.point(one), pooled.table.point(other)
    events = int(np.abs(pooled.table.counts[:, a] - pooled.table.counts[:, b]).sum())
    own = np.abs(later.table.counts[:, later.table.point(one)] - later.table.counts[:, later.table.point(other)]).sum()
    return abs(float(pooled.moved[a] - pooled.moved[b])) * float(own) / events if events else 0.0


def _by_code(codes: npt.NDArray[np.int32], mask: Mask, size: int) -> list[npt.NDArray[np.intp]]:
    """Return the rows of each code within a mask."""
    rows = np.flatnonzero(mask)
    order = rows[np.argsort(codes[rows], kind="stable")]
    return np.split(order, np.cumsum(np.bincount(codes[rows], minlength=size))[:-1])


def own_cut(drawn: Curve, constraints: Sequence[Constraint], bounds: tuple[float, float]) -> float | None:
    """Return a segment's best cut under the constraints held within it, or None where none keeps them."""
    cuts = drawn.table.cuts
    feasible = (violation(drawn, constraints) <= 0) & (cuts >= bounds[0]) & (cuts <= bounds[1])
    return float(cuts[best(drawn.net, feasible)]) if feasible.any() else None


def discoveries(p_values: npt.NDArray[np.float64], *, rate: float = 0.05) -> Mask:
    """Return which p-values are discoveries at a false discovery rate; NaN never is.

    >>> discoveries(np.array([0.001, 0.04, 0.9, np.nan])).tolist()
    [True, False, False, False]
    """
    found = np.zeros(len(p_values), dtype=bool)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    under = p_values[order] <= rate * np.arange(1, len(order) + 1) / max(1, len(order))
    if under.any():
        found[order[: int(np.flatnonzero(under)[-1]) + 1]] = True
    return found
