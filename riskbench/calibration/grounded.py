"""What does a calibration rest on? What is measured, estimated, bounded, and not measurable."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.ripe import LITTLE, YOUNG_WEEKS, rests_on
from riskbench.calibration.study import Study
from riskbench.data.labels import BLOCKED, YOUNG
from riskbench.data.labels import unheard as never_told
from riskbench.data.windows import Window
from riskbench.display import Grounds, number
from riskbench.display.fact import Unit
from riskbench.metrics.curve import FRAUD, GOOD, UNLABELLED

Small = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]

PROMISE, CHANGE = "promised net value", "change in net value"
COLUMNS = "what inferred unheard lower upper".split()


def rests_frame(study: Study, *, before: Small, after: Small, judged: Window) -> pd.DataFrame:
    """Return how much of the promise, and of the change against today, rests on inference.

    Parameters
    ----------
    study : Study
        The events, priced.
    before, after : ndarray of int8, shape (rows,)
        Each event's ladder level today and as proposed.
    judged : Window
        The window that the change is told of.

    Returns
    -------
    DataFrame
        what, inferred (share of what single events add, without sign, that rests on weights), unheard (events that the
        figure turns on and of which no verdict and nothing that stands for one is known), lower, upper (what these
        would add to net value, for a week, if all were good, and if all were fraud).
    """
    price, chosen = study.price(), study.windows.choose
    rows = np.flatnonzero(chosen.mask & (after > 0))
    promised = rests_on(study, price.each(study.kinds[rows], study.money[rows], after[rows]), rows)
    moved = np.flatnonzero(judged.mask & (before != after))
    gains = price.gain(study.kinds[moved], study.money[moved], before=before[moved], after=after[moved])
    nothing = np.zeros_like(after)
    made = [
        (PROMISE, promised, *unheard(study, nothing, after, chosen)),
        (CHANGE, rests_on(study, gains, moved), *unheard(study, before, after, judged)),
    ]
    return pd.DataFrame(made, columns=COLUMNS)


def unheard(study: Study, before: Small, after: Small, window: Window) -> tuple[int, float, float]:
    """Return how many events without any verdict two decisions treat differently, and what they could add a week.

    Events that history stopped while others like them passed at random are not among them: those stand for them.
    """
    rows = np.flatnonzero(window.mask & (before != after) & (study.kinds == UNLABELLED) & ~stood_for(study))
    if not len(rows):
        return 0, 0.0, 0.0
    price, low, high = study.price(), before[rows].astype(np.intp), after[rows].astype(np.intp)
    loss = study.worth.loss[rows].astype(np.float64)
    unit = 1 if study.worth.money else study.scale
    if study.worth.loss_measured:  # a loss is on record for known frauds only: theirs stands in
        known = window.mask & (before != after) & (study.kinds == FRAUD)
        loss = np.full(len(rows), study.worth.loss[known].mean() if known.any() else 0.0)
    fraud = (price.slope[FRAUD, high] - price.slope[FRAUD, low]) * loss * unit
    good = (price.slope[GOOD, high] - price.slope[GOOD, low]) * study.worth.margin[rows] * unit
    ends = np.minimum(fraud, good).sum(), np.maximum(fraud, good).sum()
    return len(rows), float(ends[0]) / window.length, float(ends[1]) / window.length


def stood_for(study: Study) -> Mask:
    """Return the events that history stopped and for which others stand that it let pass at random."""
    if study.standing is None:
        return np.zeros(len(study.kinds), dtype=bool)
    return (study.labels.state == BLOCKED) & (study.standing.let.chance > 0)


def grounds_of(study: Study, rests: pd.DataFrame, matured: pd.DataFrame) -> Grounds:
    """Return what a calibration rests on, one line each."""
    return Grounds(
        measured=_measured(study),
        estimated=_estimated(study, rests) + _account(study),
        bounded=_bounded(study, rests),
        not_measurable=_not_measurable(study, matured),
    )


def _measured(study: Study) -> str:
    windows = study.windows
    inside = windows.choose.mask | windows.report.mask
    frauds, goods = (int(np.count_nonzero(inside & (study.kinds == kind))) for kind in (FRAUD, GOOD))
    span = windows.choose.words if windows.choose.start is None else f"{windows.choose.start} to {windows.choose.end}"
    later = f", judged to {windows.report.end}" if windows.report.mask.any() and windows.report.end else ""
    return f"{frauds:,} known frauds and {goods:,} good events at every cut, chosen on {span}{later}."


def _account(study: Study) -> str:
    """Return where the value of an account comes from, as one more sentence."""
    said = study.worth.source(study.costs, study.currency)
    return f" {said[0].upper()}{said[1:]}." if said else ""


def _estimated(study: Study, rests: pd.DataFrame) -> str:
    if study.standing is None or study.weight is None:
        return "What comes later: the range of the promise, by chance and by how weeks differ."
    standing, inside = study.standing, study.windows.choose.mask | study.windows.report.mask
    parts = []
    frauds = inside & (study.kinds == FRAUD)
    late = standing.told.weight[frauds & standing.ripe]
    if len(late) and float(late.sum()) > len(late) * (1 + LITTLE):
        parts.append(f"late verdicts ({number(1 - len(late) / float(late.sum()), 'share')} of frauds still untold)")
    stopped = int(np.count_nonzero(inside & stood_for(study)))
    if stopped:
        parts.append(f"{stopped:,} stopped events, by those let through at random")
    shares = dict(zip(rests["what"], rests["inferred"], strict=True))
    told = f"{number(shares[PROMISE], 'share')} of the promise, {number(shares[CHANGE], 'share')} of the change"
    return f"{' and '.join(parts).capitalize() or 'Some verdicts by weight'}: {told}."


def _bounded(study: Study, rests: pd.DataFrame) -> str:
    held = {row["what"]: row for row in rests.to_dict("records")}
    what = CHANGE if held[CHANGE]["unheard"] else PROMISE
    row = held[what]
    if not row["unheard"]:
        return ""
    unit: Unit = "money" if study.worth.money else "number"
    ends = " to ".join(
        number(float(row[end]), unit, currency=study.currency, signed=True) for end in ("lower", "upper")
    )
    about = "that the change turns on" if what == CHANGE else "at the cut"
    return f"{row['unheard']:,} events {about} have no verdict: worth {ends} per {study.windows.per}."


def _not_measurable(study: Study, matured: pd.DataFrame) -> str:
    parts = []
    until, labels = None if study.standing is None else study.standing.told.until, study.labels
    young = labels.state == YOUNG
    if study.standing is not None and until is not None and bool((young & ~study.standing.told.measurable).any()):
        times = study.sweep.dataset.column("time").values[young & ~study.standing.told.measurable]
        last = pd.Timestamp(int(times.max()), unit="us")
        parts.append(f"{len(times):,} events {study.standing.told.too_young(last)}")
    elif (
        study.windows.report.end is not None
        and YOUNG_WEEKS not in set(matured["window"])
        and bool((labels.state == YOUNG).any())
    ):
        parts.append(f"events from {study.windows.report.end} on are too young")
    if not study.windows.report.mask.any():
        parts.append("whether the cut keeps its promise, since no event lies in a later window")
    parts.append("how customers and attackers react to the cut")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}. {never_told(study.sweep.dataset, labels)}".strip()


def inferred_note(rests: pd.DataFrame, what: str) -> str:
    """Return how much of a figure rests on inference, for a headline; nothing where it is little."""
    share = float(rests.loc[rests["what"] == what, "inferred"].iloc[0])
    return f"{number(share, 'share')} rests on correction" if math.isfinite(share) and share > LITTLE else ""
