"""What does the cut promise for a week, and what does it change? Weekly sums and rates at a cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.holdout import mean_interval, promise_ratio, promise_sum
from riskbench.calibration.study import Study
from riskbench.data.windows import Window
from riskbench.metrics.curve import FRAUD, GOOD

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
        The Poisson variance of each sum over the whole window.
    """

    window: Window
    parts: dict[str, Floats]
    variance: dict[str, float]

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
    parts = {
        "net_value": price.worth(counts, money),
        "loss_prevented": (price.saved * money[:, FRAUD]).sum(axis=-1),
        "frauds": counts[:, FRAUD, alert].sum(axis=-1),
        "goods": counts[:, GOOD, alert].sum(axis=-1),
        "insults": counts[:, GOOD, hard].sum(axis=-1),
        "reviews": counts[..., review].sum(axis=(-2, -1)),
        "alerts": counts[..., alert].sum(axis=(-2, -1)),
        "approved": counts[..., ~hard].sum(axis=(-2, -1)),
        "labelled_alerts": counts[:, (GOOD, FRAUD)][..., alert].sum(axis=(-2, -1)),
        "all_frauds": counts[:, FRAUD].sum(axis=-1),
        "all_goods": counts[:, GOOD].sum(axis=-1),
        "all": counts.sum(axis=(-2, -1)),
    }
    exact = {name: np.asarray(values, dtype=np.float64) for name, values in parts.items()}
    variance = {name: float(values.sum()) for name, values in exact.items()}
    variance["net_value"] = float(price.second(counts, money, squares).sum())
    variance["loss_prevented"] = float((price.saved**2 * squares[:, FRAUD]).sum())
    if study.windows.clustered:
        variance = {name: float((values * values).sum()) for name, values in exact.items()}
    return Weeks(window, exact, variance)


def holdout_frame(study: Study, cut: float, *, optimism: float) -> pd.DataFrame:
    """Return what the cut promises for the later window, and what came.

    Returns
    -------
    DataFrame
        measure, per ("week", "1,000 events", or empty for rates), value (on the choose window; net value less what
        the choice owes to luck), lower, upper
        (95 % prediction interval for the later window), observed (on the later window), kept (whether it lies
        inside), n (events behind the value), weeks (whole weeks behind the interval).
    """
    levels = study.levels(cut)
    first = weeks_at(study, levels, study.windows.choose)
    later = weeks_at(study, levels, study.windows.report)
    seen = later.total("all") > 0
    rows: list[dict[str, object]] = []

    def add(measure: str, per: str, ends: tuple[float, float, float] | None, observed: float | None, n: float) -> None:
        value, lower, upper = ends if ends is not None else (None, None, None)
        kept = None if ends is None or observed is None else bool(ends[1] <= observed <= ends[2])
        row = {"measure": measure, "per": per, "value": value, "lower": lower, "upper": upper}
        rows.append({**row, "observed": observed, "kept": kept, "n": int(n), "weeks": first.window.whole})

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
        )
        lower = lower if name == "net_value" else max(0.0, lower)
        count = {"net_value": "alerts", "loss_prevented": "frauds"}.get(name, name)
        observed = later.total(name) / later.window.length if seen else None
        add(words, study.windows.per, (value, lower, upper), observed, first.total(count))
    for name, (part, whole) in RATIOS.items():
        ratio = promise_ratio(
            first.whole(part),
            first.whole(whole),
            part=first.total(part),
            whole=first.total(whole),
            later_whole=first.total(whole) / first.window.length * later.window.length,
            later=later.window.length,
            clustered=first.residuals(part, whole) if study.windows.clustered else None,
        )
        base = later.total(whole)
        observed = later.total(part) / base if base > 0 else None
        add(name.replace("_", " "), "", ratio, observed, first.total(whole))
    frame = pd.DataFrame(rows)
    for column in ("value", "lower", "upper", "observed"):
        frame[column] = frame[column].astype(np.float64)
    frame["kept"] = frame["kept"].astype("boolean")
    return frame


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
    low, high, kinds = low[differ], high[differ], study.kinds[window.mask][differ]
    variances = _paired(study, kinds, study.money[window.mask][differ], low, high)
    rows = []
    for name, words in SUMS.items():
        change = after.parts[name] - before.parts[name]
        variance = float((change * change).sum()) if study.windows.clustered else variances[name]
        value, lower, upper = mean_interval(change[: window.whole], float(change.sum()), variance, length=window.length)
        ends = before.total(name) / window.length, after.total(name) / window.length
        rows.append((words, study.windows.per, *ends, value, lower, upper, len(kinds)))
    return pd.DataFrame(rows, columns=["measure", "per", "today", "proposed", "change", "lower", "upper", "n"])


def _paired(study: Study, kinds: Small, money: Ints, low: Small, high: Small) -> dict[str, float]:
    """Return the Poisson variance of each sum's change, from the events that change level."""
    alert, review, _ = _marks(study)
    price = study.price()
    net = (price.slope[kinds, high] - price.slope[kinds, low]) * money - (price.handling[high] - price.handling[low])
    saved = np.where(kinds == FRAUD, (price.saved[high] - price.saved[low]) * money, 0.0)

    def flips(mark: Mask, kind: int | None = None) -> float:
        flipped = mark[low] != mark[high]
        return float(np.count_nonzero(flipped if kind is None else flipped & (kinds == kind)))

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
