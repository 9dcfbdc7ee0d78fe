"""What is seen of a launch day by day: rates under the rule, and the precision of what it adds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.outcomes import ladder
from riskbench.display import number
from riskbench.engine.columns import DAY
from riskbench.metrics.costs import Costs
from riskbench.metrics.sequential import (
    Sequence,
    difference_sequence,
    drifting_share_sequence,
    mean_sequence,
    share_sequence,
)
from riskbench.rules.launch.effect import TOLD, Limit, Trial

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: With fewer labelled events the money of a launch has no interval.
ENOUGH = 200
BENEFIT = "precision of what it adds"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """One figure of a launch at every day so far.

    Attributes
    ----------
    measure, side : str
        What is watched, and which side of the bound is allowed.
    bound : float
        The limit.
    days : ndarray of int64
        Local days since 1970, one a look.
    hits, total : ndarray of int64
        What is counted so far, and among how many.
    seen : Sequence
        The share with its interval at all times, were it one share throughout: what the launch is stopped by.
    shown : Sequence
        The share of all events so far with its interval at all times, whatever it did meanwhile: what is printed.
    difference : tuple of float or None
        Treated less control, with its interval; None where there is no control.
    on : str
        Which events it is measured on.
    """

    measure: str
    side: str
    bound: float
    days: Ints
    hits: Ints
    total: Ints
    seen: Sequence
    shown: Sequence
    difference: tuple[float, float, float] | None
    on: str

    @property
    def n(self) -> int:
        """How many events it rests on."""
        return int(self.total[-1]) if len(self.total) else 0

    @property
    def broken(self) -> bool:
        """Whether the bound is surely left, at any look so far."""
        return self.broken_at is not None

    @property
    def broken_at(self) -> int | None:
        """The first look at which the bound is surely left."""
        lower, upper = self.seen.running()
        left = lower > self.bound if self.side == "at_most" else upper < self.bound
        return int(left.argmax()) if left.any() else None

    @property
    def still_broken(self) -> bool:
        """Whether the rate of all events so far surely lies beyond the bound, as printed."""
        return self._now(beyond=True)

    @property
    def kept(self) -> bool:
        """Whether the figure surely lies on the allowed side: told so far, and not taken back by what is printed."""
        lower, upper = self.seen.running()
        told = (upper < self.bound).any() if self.side == "at_most" else (lower > self.bound).any()
        return bool(told) and self._now(beyond=False)

    def _now(self, *, beyond: bool) -> bool:
        if not len(self.days):
            return False
        if (self.side == "at_most") == beyond:
            return bool(self.shown.lower[-1] > self.bound)
        return bool(self.shown.upper[-1] < self.bound)

    def date(self, look: int) -> str:
        """Return the local day of a look."""
        return str(np.datetime64(int(self.days[look]), "D"))

    def moved(self) -> str | None:
        """Return in words that the rate surely moved since the launch; None where one rate may have made all days."""
        if not self.seen.moved:
            return None
        looks = sorted((int(self.seen.lower.argmax()), int(self.seen.upper.argmin())))
        then = ", ".join(f"{number(float(self.seen.value[at]), 'share')} up to {self.date(at)}" for at in looks)
        name = self.measure.replace("_", " ")
        return f"{name}: it surely moved since the launch ({then}); what is shown is the rate of all its events so far."

    def frame(self) -> pd.DataFrame:
        """Return one row a day: measure, date, n, hits, value, lower, upper, bound; the value lies in its interval."""
        return pd.DataFrame(
            {
                "measure": self.measure,
                "date": [self.date(look) for look in range(len(self.days))],
                "n": self.total,
                "hits": self.hits,
                "value": self.shown.value,
                "lower": self.shown.lower,
                "upper": self.shown.upper,
                "bound": self.bound,
            }
        )


def watch(
    trial: Trial,
    *,
    since: int,
    treated: Mask,
    share: float,
    limits: tuple[tuple[Limit, float], ...],
    break_even: float | None,
    swell: float,
) -> tuple[list[Watched], Watched | None]:
    """Return every guardrail and the benefit, day by day since the launch.

    Parameters
    ----------
    trial : Trial
        The rule beside the live book, on all events.
    since : int
        When the stage began, in microseconds.
    treated : ndarray of bool
        Which events the rule decides.
    share : float
        The stage's share of traffic.
    limits : tuple of (Limit, float)
        The guardrails, each with its design effect.
    break_even : float or None
        The precision above which the rule pays.
    swell : float
        The design effect of the precision.
    """
    launched = trial.times >= since
    days = trial.held.dataset.local_times // DAY
    told = days + math.ceil(trial.matures)
    shadow = share == 0.0
    arm = launched if shadow else launched & treated
    control = launched & ~treated
    speaking = telling(trial, launched=launched, treated=treated, share=share)
    spoilt = trial.effect != "review"
    word = "all traffic, as if live" if shadow else "treated"
    word_told = "all traffic, as if live" if shadow else "control, as if live" if spoilt else "all traffic, as if live"
    span = _span(days, launched)
    alpha = 0.05 / max(1, len(limits))
    rails = []
    for limit, own_swell in limits:
        late = limit.rate in TOLD
        counted, among = limit.counted(trial)
        rows = (speaking if late else arm) & among
        hits, total = _daily(told if late else days, rows, counted, span)
        seen = share_sequence(hits / own_swell, total / own_swell, alpha=alpha, bound=limit.bound)
        other = None
        if not late and not limit.added and 0 < share < 1:
            own, base = limit.counted(trial, live=False)
            other = _against(counted, rows, own, control & base, own_swell)
        rails.append(
            Watched(
                measure=limit.measure,
                side=limit.side,
                bound=limit.bound,
                days=span,
                hits=hits,
                total=total,
                seen=seen,
                shown=drifting_share_sequence(hits / own_swell, total / own_swell, alpha=alpha),
                difference=other,
                on=word_told if late else word,
            )
        )
    if break_even is None:
        return rails, None
    rows = speaking & trial.changed & (trial.kinds != 2)
    hits, total = _daily(told, rows, trial.kinds == 1, span)
    seen = share_sequence(hits / swell, total / swell, bound=min(max(break_even, 1e-6), 1 - 1e-6))
    return rails, Watched(
        measure=BENEFIT,
        side="at_least",
        bound=break_even,
        days=span,
        hits=hits,
        total=total,
        seen=seen,
        shown=drifting_share_sequence(hits / swell, total / swell),
        difference=None,
        on=word_told,
    )


def telling(trial: Trial, *, launched: Mask, treated: Mask, share: float) -> Mask:
    """Return the events whose verdicts the rule does not spoil."""
    return launched if share == 0 or trial.effect == "review" else launched & ~treated


def _span(days: Ints, launched: Mask) -> Ints:
    """Return every local day from the launch to the last event."""
    own = days[launched]
    return np.arange(own.min(), own.max() + 1) if len(own) else np.zeros(0, dtype=np.int64)


def _daily(days: Ints, rows: Mask, counted: Mask, span: Ints) -> tuple[Ints, Ints]:
    """Return the counts so far at each day; what is told after the last day is not in them."""
    if not len(span):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    place = np.minimum(days[rows] - span[0], len(span) - 1).astype(np.intp)
    total = np.bincount(place, minlength=len(span))
    hits = np.bincount(place, weights=counted[rows].astype(np.float64), minlength=len(span))
    return np.cumsum(hits).astype(np.int64), np.cumsum(total).astype(np.int64)


def _against(counted: Mask, rows: Mask, other: Mask, control: Mask, swell: float) -> tuple[float, float, float] | None:
    """Return a rate under the rule less the rate in the control group, with an interval that holds at all times."""
    n1, n0 = int(rows.sum()), int(control.sum())
    if not n1 or not n0:
        return None
    k1, k0 = int((counted & rows).sum()), int((other & control).sum())
    held = difference_sequence([k1 / swell], [n1 / swell], [k0 / swell], [n0 / swell])
    return float(held.value[0]), float(held.lower[0]), float(held.upper[0])


def worth_so_far(trial: Trial, rows: Mask, costs: Costs) -> pd.DataFrame:
    """Return what the labelled events that the rule changes have brought so far: one row.

    The mean's interval holds at all looks in the long run only, so it is left out below `ENOUGH` events.
    """
    told = np.flatnonzero(rows & trial.changed & (trial.kinds != 2))
    order = told[np.argsort(trial.times[told], kind="stable")]
    gain = trial.gain(costs, order)
    n = len(gain)
    entry: dict[str, Any] = {"events": n, "frauds": int((trial.kinds[order] == 1).sum())}
    entry |= {"net_value": float(gain.sum()) if n else None, "each": float(gain.mean()) if n else None}
    entry |= {"lower": None, "upper": None, "reading": f"no interval below {ENOUGH} labelled events"}
    if n >= ENOUGH:
        held = mean_sequence([n], [gain.sum()], [(gain * gain).sum()], best_at=2.0 * ENOUGH)
        lower, upper = float(held.lower[0]), float(held.upper[0])
        entry |= {"lower": lower, "upper": upper, "reading": "holds at all looks in the long run"}
    return pd.DataFrame([entry])


def against(trial: Trial, *, launched: Mask, treated: Mask, swell: float) -> pd.DataFrame:
    """Return treated against control: source, measure, treated, control, difference, lower, upper, n.

    By what the stage's book decides, and by what history shows, where it is known: only that tells what really
    happened to customers.
    """
    found = []
    effect = trial.effects
    sources = [("stage's book", np.where(treated, trial.after, trial.before))]
    done = history_levels(trial)
    if done is not None:
        sources.append(("history", done))
    for source, levels in sources:
        known = launched & (levels >= 0)
        own = effect[np.maximum(levels, 0)]
        hard = np.isin(own, ["review", "stop"])
        for measure, counted in (
            ("alert_rate", own != "none"),
            ("review_rate", own == "review"),
            ("approval_rate", ~hard),
        ):
            arm, control = known & treated, known & ~treated
            apart = _against(counted, arm, counted, control, swell)
            if apart is not None:
                shares = (float(counted[arm].mean()), float(counted[control].mean()))
                found.append((source, measure, *shares, *apart, int(arm.sum())))
    names = ["source", "measure", "treated", "control", "difference", "lower", "upper", "n"]
    return pd.DataFrame(found, columns=names)


def history_levels(trial: Trial) -> npt.NDArray[np.int64] | None:
    """Return the ladder level that history shows for each event, -1 where it is missing; None without the role."""
    dataset = trial.held.dataset
    if dataset.roles.outcome is None:
        return None
    codes, names = dataset.segment(dataset.roles.outcome)
    steps = ladder(trial.book.domain)
    levels = np.array([-1 if name == "(missing)" else steps.level(name) for name in names] or [-1])
    return np.asarray(levels[codes])
