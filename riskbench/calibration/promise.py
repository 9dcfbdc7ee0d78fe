"""What does the cut promise for a week, and what does it change? Weekly sums and rates at a cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.holdout import mean_interval, promise_ratio, promise_sum
from riskbench.calibration.reach import Reach, reaches
from riskbench.calibration.study import Study
from riskbench.data.windows import Window
from riskbench.metrics.curve import FRAUD, GOOD
from riskbench.metrics.intervals import Z95

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]

#: Sums by the week, and what a reader calls them.
SUMS = {
    "net_value": "net value",
    "loss_prevented": "loss prevented",
    "frauds": "frauds alerted",
    "goods": "good customers alerted",
    "reviews": "reviews",
    "alerts": "alerts",
}
#: Rates as part and whole of `Weeks.parts`.
RATIOS = {
    "precision": ("frauds", "labelled_alerts"),
    "recall": ("frauds", "all_frauds"),
    "alert_rate": ("alerts", "all"),
    "review_rate": ("reviews", "all"),
    "insult_rate": ("insults", "all_goods"),
    "approval_rate": ("approved", "all"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Weeks:
    """Sums by 7-day block of one window at one cut.

    Attributes
    ----------
    window : Window
        The window.
    parts : dict of ndarray of float64, shape (blocks,)
        Each measure's sums.
    variance : dict of float
        The variance with which each sum over the whole window is known: Poisson, more where events stand for others.
    realised : dict of float
        The Poisson variance of what comes true.
    borne : dict of float
        How many events of equal weight tell each rate as surely; nothing where all weights are 1.
    """

    window: Window
    parts: dict[str, Floats]
    variance: dict[str, float]
    realised: dict[str, float]
    borne: dict[str, float]

    def whole(self, name: str) -> Floats:
        """Return the sums of the whole weeks."""
        return self.parts[name][: self.window.whole]

    def residuals(self, part: str, whole: str) -> float:
        """Return the sum of squared differences between a part and its share of the whole, over blocks."""
        share = self.total(part) / max(self.total(whole), 1.0)
        return float(((self.parts[part] - share * self.parts[whole]) ** 2).sum())

    def total(self, name: str) -> float:
        """Return the sum over the window."""
        return float(self.parts[name].sum())


def weeks_at(study: Study, levels: Small, window: Window) -> Weeks:
    """Return the weekly sums of every measure when each event gets its ladder level."""
    alert, review, hard = _marks(study)
    price = study.price()
    counts, money, squares = study.weekly(levels, window)
    stands = study.weekly_weights(levels, window)
    told, doubled = (counts, counts) if stands is None else stands
    parts = {
        "net_value": price.worth(counts, money),
        "loss_prevented": (price.saved * money[:, FRAUD]).sum(axis=-1),
        "frauds": told[:, FRAUD, alert].sum(axis=-1),
        "goods": told[:, GOOD, alert].sum(axis=-1),
        "insults": told[:, GOOD, hard].sum(axis=-1),
        "reviews": counts[..., review].sum(axis=(-2, -1)),
        "alerts": counts[..., alert].sum(axis=(-2, -1)),
        "approved": counts[..., ~hard].sum(axis=(-2, -1)),
        "labelled_alerts": told[:, (GOOD, FRAUD)][..., alert].sum(axis=(-2, -1)),
        "all_frauds": told[:, FRAUD].sum(axis=-1),
        "all_goods": told[:, GOOD].sum(axis=-1),
        "all": counts.sum(axis=(-2, -1)),
    }
    exact = {name: np.asarray(values, dtype=np.float64) for name, values in parts.items()}
    variance = {name: float(values.sum()) for name, values in exact.items()}
    variance["net_value"] = float(price.second(counts, money, squares).sum())
    variance["loss_prevented"] = float((price.saved**2 * squares[:, FRAUD]).sum())
    realised = dict(variance)
    borne: dict[str, float] = {}
    if stands is not None:
        realised |= _realised(study, levels, window)
        own = doubled.sum(axis=0)
        variance |= {"frauds": float(own[FRAUD, alert].sum()), "goods": float(own[GOOD, alert].sum())}
        for rate, inside, outside in (
            ("precision", own[FRAUD, alert], own[GOOD, alert]),
            ("recall", own[FRAUD, alert], own[FRAUD, ~alert]),
            ("insult_rate", own[GOOD, hard], own[GOOD, ~hard]),
        ):
            part, whole = (float(exact[name].sum()) for name in RATIOS[rate])
            borne[rate] = equal_weights(part, whole, float(inside.sum()), float(outside.sum()))
    if study.windows.clustered:
        variance = {name: float((values * values).sum()) for name, values in exact.items()}
        realised = variance
    return Weeks(window, exact, variance, realised, borne)


def equal_weights(part: float, whole: float, inside: float, outside: float) -> float:
    """Return how many events of equal weight tell a share as surely as some with unequal ones.

    Parameters
    ----------
    part, whole : float
        Sums of weights.
    inside, outside : float
        Sums of squared weights of the part, and of the rest of the whole.

    >>> equal_weights(20.0, 40.0, 20.0, 20.0), equal_weights(20.0, 40.0, 400.0, 400.0)
    (40.0, 2.0)
    """
    if whole <= 0 or inside + outside <= 0:
        return whole
    share = part / whole
    spread = (1 - share) ** 2 * inside + share**2 * outside
    return whole**2 * share * (1 - share) / spread if 0 < share < 1 and spread > 0 else whole**2 / (inside + outside)


def _realised(study: Study, levels: Small, window: Window) -> dict[str, float]:
    """Return the Poisson variance of each sum as it comes true: each event counts once for each that it stands for."""
    assert study.weight is not None
    rows = np.flatnonzero(window.mask & (levels > 0))
    kinds, own, stands = study.kinds[rows], levels[rows], np.maximum(study.weight[rows], 1e-12)
    price, money = study.price(), study.money[rows] / stands
    net = price.slope[kinds, own] * money - price.handling[own] / stands
    saved = np.where(kinds == FRAUD, price.saved[own] * money, 0.0)
    return {"net_value": float((stands * net**2).sum()), "loss_prevented": float((stands * saved**2).sum())}


def holdout_frame(study: Study, cut: float, *, optimism: float) -> pd.DataFrame:
    """Return what the cut promises for the later window, and what came.

    Returns
    -------
    DataFrame
        measure, per ("week", "1,000 events", or empty for rates), value (on the choose window; net value less what
        the choice owes to luck), lower, upper
        (95 % prediction interval for what comes on the later window), observed (on the later window, as far as it is
        known), kept (whether it lies inside, given how surely it is known), n (events behind the value), weeks (whole
        weeks behind the interval).
    """
    levels = study.levels(cut)
    first = weeks_at(study, levels, study.windows.choose)
    later = weeks_at(study, levels, study.windows.report)
    seen = later.total("all") > 0
    rows: list[dict[str, object]] = []

    def add(
        measure: str,
        per: str,
        ends: tuple[float, float, float] | None,
        observed: float | None,
        n: float,
        *,
        unsure: float,
    ) -> None:
        value, lower, upper = ends if ends is not None else (None, None, None)
        kept = None
        if ends is not None and observed is not None:
            # What came is itself estimated where events stand for others.
            low, high = (math.hypot(end - ends[0], unsure) for end in ends[1:])
            kept = bool(ends[0] - low <= observed <= ends[0] + high) if unsure else bool(ends[1] <= observed <= ends[2])
        row = {"measure": measure, "per": per, "value": value, "lower": lower, "upper": upper}
        rows.append({**row, "observed": observed, "kept": kept, "n": int(n), "weeks": first.window.whole})

    ends = _money_reaches(study, levels, ahead=later.window.length / first.window.length)
    for name, words in SUMS.items():
        money = name in ("net_value", "loss_prevented")
        value, lower, upper = promise_sum(
            first.whole(name),
            first.total(name),
            # Where nothing happened yet, one event might have: the variance of a count is never zero.
            first.variance[name] if money else max(first.variance[name], 1.0),
            length=first.window.length,
            later=later.window.length,
            optimism=optimism if name == "net_value" else 0.0,
            realised=first.realised[name] if money else max(first.realised[name], 1.0),
            reach=ends.get(name),
        )
        lower = lower if name == "net_value" else max(0.0, lower)
        count = {"net_value": "alerts", "loss_prevented": "frauds"}.get(name, name)
        observed = later.total(name) / later.window.length if seen else None
        unsure = Z95 * math.sqrt(max(later.variance[name] - later.realised[name], 0.0)) / later.window.length
        add(words, study.windows.per, (value, lower, upper), observed, first.total(count), unsure=unsure)
    for name, (part, whole) in RATIOS.items():
        ratio = promise_ratio(
            first.whole(part),
            first.whole(whole),
            part=first.total(part),
            whole=first.total(whole),
            later_whole=first.total(whole) / first.window.length * later.window.length,
            later=later.window.length,
            clustered=first.residuals(part, whole) if study.windows.clustered else None,
            borne=first.borne.get(name),
        )
        base = later.total(whole)
        observed = later.total(part) / base if base > 0 else None
        unsure = 0.0
        if observed is not None and name in later.borne:
            each = max(1 / max(later.borne[name], 1e-9) - 1 / base, 0.0)
            unsure = Z95 * math.sqrt(max(observed * (1 - observed), 0.0) * each)
        add(name.replace("_", " "), "", ratio, observed, first.total(whole), unsure=unsure)
    frame = pd.DataFrame(rows)
    for column in ("value", "lower", "upper", "observed"):
        frame[column] = frame[column].astype(np.float64)
    frame["kept"] = frame["kept"].astype("boolean")
    return frame


def _money_reaches(study: Study, levels: Small, *, ahead: float) -> dict[str, tuple[Reach, Reach] | None]:
    """Return how far net value and loss prevented may lie off, over the first window and ahead of it."""
    window, price = study.windows.choose, study.price()
    rows = np.flatnonzero(window.mask & (levels > 0))
    kinds, own, money = study.kinds[rows], levels[rows], study.money[rows]
    frauds = kinds == FRAUD
    saved = price.saved[own[frauds]] * money[frauds]
    worths = {
        "net_value": (rows, price.each(kinds, money, own), price.slope[kinds, own] * money),
        "loss_prevented": (rows[frauds], saved, saved),
    }
    return {name: reaches(study, *held, window=window, ahead=ahead) for name, held in worths.items()}


def weekly_frame(study: Study, today: Small, proposed: Small, window: Window) -> pd.DataFrame:
    """Return what changes a week from today's ladder levels to the proposed ones, on one window, paired.

    Only events that the two treat differently count, and weeks are compared with themselves.

    Returns
    -------
    DataFrame
        measure, per, today, proposed, change, lower, upper (95 %, of the change), n (events treated
        differently).
    """
    before, after = weeks_at(study, today, window), weeks_at(study, proposed, window)
    low, high = today[window.mask], proposed[window.mask]
    differ = low != high
    places = np.flatnonzero(window.mask)[differ]
    low, high, kinds, money = low[differ], high[differ], study.kinds[places], study.money[places]
    variances = _paired(study, places, low, high)
    price = study.price()
    frauds = kinds == FRAUD
    gross = (price.slope[kinds, high] - price.slope[kinds, low]) * money
    moved = {
        "net_value": (places, price.gain(kinds, money, before=low, after=high), gross),
        "loss_prevented": (places[frauds], gross[frauds], gross[frauds]),
    }
    rows = []
    for name, words in SUMS.items():
        change = after.parts[name] - before.parts[name]
        variance = float((change * change).sum()) if study.windows.clustered else variances[name]
        far = reaches(study, *moved[name], window=window) if name in moved else None
        value, lower, upper = mean_interval(
            change[: window.whole],
            float(change.sum()),
            variance,
            length=window.length,
            reach=None if far is None else far[0],
        )
        ends = before.total(name) / window.length, after.total(name) / window.length
        rows.append((words, study.windows.per, *ends, value, lower, upper, len(kinds)))
    return pd.DataFrame(rows, columns=["measure", "per", "today", "proposed", "change", "lower", "upper", "n"])


def _paired(study: Study, rows: npt.NDArray[np.intp], low: Small, high: Small) -> dict[str, float]:
    """Return the variance of each sum's change, from the events that change level."""
    alert, review, _ = _marks(study)
    price, kinds, money = study.price(), study.kinds[rows], study.money[rows]
    net = price.gain(kinds, money, before=low, after=high)
    saved = np.where(kinds == FRAUD, (price.saved[high] - price.saved[low]) * money, 0.0)
    squares = None if study.weight is None else study.weight[rows] ** 2

    def flips(mark: Mask, kind: int | None = None) -> float:
        flipped = mark[low] != mark[high]
        if kind is None or squares is None:
            return float(np.count_nonzero(flipped if kind is None else flipped & (kinds == kind)))
        return float(squares[flipped & (kinds == kind)].sum())

    return {
        "net_value": float((net * net).sum()),
        "loss_prevented": float((saved * saved).sum()),
        "frauds": flips(alert, FRAUD),
        "goods": flips(alert, GOOD),
        "reviews": flips(review),
        "alerts": flips(alert),
    }


def _marks(study: Study) -> tuple[Mask, Mask, Mask]:
    """Return which ladder levels are alerts, reviews, and reviews or stops."""
    effects = [rung.effect for rung in study.steps.rungs]
    review = np.array([effect == "review" for effect in effects])
    hard = np.array([effect in ("review", "stop") for effect in effects])
    return np.arange(len(effects)) > 0, review, hard
