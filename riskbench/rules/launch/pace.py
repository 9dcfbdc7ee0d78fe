"""When is a launch measurable? Events needed, how fast they come, and how late their verdicts are told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD
from riskbench.engine.columns import DAY
from riskbench.metrics.constraints import Constraint, Rate
from riskbench.metrics.intervals import Z95
from riskbench.metrics.maturity import DelayCurve, delay_curve
from riskbench.metrics.sequential import share_events_needed
from riskbench.rules.launch.effect import TOLD, Limit, Trial, design_effect
from riskbench.rules.launch.stage import Stage

#: What takes longer than this is called not measurable.
HORIZON = 26
#: What a stage does a week, by the measure of the whole.
_TOLD_BY_STAGE = {
    "alerts": "alerts",
    "reviews": "reviews",
    "frauds": "frauds that nothing else catches",
    "good_hit": "good customers hit",
}
_ENDS = {"": "change", "_lower": "lower", "_upper": "upper"}
#: A default guardrail allows so many times what is expected.
_ROOM = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the benefit of a launch is told by: the precision of what the rule adds, against its break-even.

    Attributes
    ----------
    precision : float or None
        Frauds as a share of the labelled events whose outcome the rule changes, in the window measured on.
    n : int
        Those events.
    break_even : float or None
        The precision above which the rule pays under the stated costs.
    weekly : float
        Labelled events a week whose outcome the rule would change, if all were in the evidence.
    design_effect : float
        How many times more the precision varies because events of one unit come together.
    needed : float
        Labelled events until the precision is told from its break-even, above or below it.
    """

    precision: float | None
    n: int
    break_even: float | None
    weekly: float
    design_effect: float
    needed: float


def evidence_of(
    trial: Trial,
    rows: npt.NDArray[np.intp],
    units: npt.NDArray[np.integer],
    *,
    break_even: float | None,
    weeks: float,
    power: float,
) -> Evidence:
    """Return what tells the benefit, from the window measured on."""
    told = rows[trial.changed[rows] & (trial.kinds[rows] != 2)]
    fraud = trial.kinds[told] == 1
    precision = float(fraud.mean()) if len(told) else None
    swell = design_effect(fraud, np.ones(len(told), dtype=bool), units[told])
    needed = math.inf
    if precision is not None and break_even is not None:
        needed = swell * share_events_needed(precision, max(break_even, 1e-6), power=power)
    return Evidence(
        precision=precision,
        n=len(told),
        break_even=break_even,
        weekly=len(told) / weeks,
        design_effect=swell,
        needed=needed,
    )


def kept(effect: str, stage: Stage) -> float:
    """Return the share of what a rule changes whose verdicts it does not spoil at a stage.

    A reviewed event gets its verdict from the reviewer. A stopped or challenged one gets none that tells what it
    would have been, so only the control group tells.
    """
    return 1.0 if effect == "review" or stage.share == 0 else 1.0 - stage.share


def delays(trial: Trial) -> DelayCurve | None:
    """Return how fast frauds are told; None where verdicts bear no time."""
    dataset = trial.held.dataset
    if dataset.roles.label_time is None:
        return None
    told = dataset.column("label_time")
    rows = np.flatnonzero((trial.held.labels.state == FRAUD) & told.present)
    spent = (told.values.astype(np.int64)[rows] - trial.times[rows]) / DAY
    return delay_curve(spent, (trial.asof - trial.times[rows]) / DAY)


def guardrails_of(trial: Trial, rows: npt.NDArray[np.intp], given: tuple[Constraint, ...]) -> tuple[Limit, ...]:
    """Return the limits of a launch: those given, else on what the rule adds, twice what is expected of it.

    A rule that adds what was expected must not be stopped for it, so the limit lies no lower than what chance alone
    may make of the expected number of events.
    """
    if given:
        return tuple(
            Limit(rate=held.rate, side=held.side, bound=held.bound, added=False, source="given") for held in given
        )
    by_effect: dict[str, tuple[Rate, ...]] = {
        "review": ("review_rate", "insult_rate"),
        "stop": ("approval_rate", "insult_rate"),
    }
    found = []
    for rate in by_effect.get(trial.effect, ("alert_rate",)):
        counted, among = trial.added(rate)
        base, own = int(np.count_nonzero(among[rows])), int(np.count_nonzero((counted & among)[rows]))
        if not base:
            continue
        bound = max(_ROOM * own, own + Z95 * math.sqrt(own) + 4.0) / base
        source = f"twice what the rule adds in the window measured on ({own:,} of {base:,})"
        found.append(Limit(rate=rate, side="at_most", bound=min(_up(bound), 1.0), added=True, source=source))
    return tuple(found)


def guardrail_table(
    trial: Trial,
    rows: npt.NDArray[np.intp],
    units: npt.NDArray[np.integer],
    limits: tuple[Limit, ...],
    *,
    weeks: float,
    power: float,
) -> pd.DataFrame:
    """Return one row a limit: measure, side, bound, source, today, expected, design_effect, week_events, needed.

    `needed` is the number of events until a clear breach is told: a rate twice as far from today as its bound.
    """
    alpha = 0.05 / max(1, len(limits))
    found = []
    for limit in limits:
        counted, among = limit.counted(trial)
        base = int(np.count_nonzero(among[rows]))
        today, live = limit.share(trial, rows, live=False), limit.share(trial, rows)
        swell = design_effect((counted & among)[rows], among[rows], units[rows])
        needed = math.inf
        if today is not None:
            beyond = min(max(2 * limit.bound - today, 0.0), 1.0)
            needed = swell * share_events_needed(beyond, limit.bound, alpha=alpha, power=power)
        found.append((limit.measure, limit.side, limit.bound, limit.source, today, live, swell, base / weeks, needed))
    names = ["measure", "side", "bound", "source", "today", "expected", "design_effect", "week_events", "needed"]
    return pd.DataFrame(found, columns=names)


def stage_table(
    trial: Trial,
    stages: tuple[Stage, ...],
    evidence: Evidence,
    guardrails: pd.DataFrame,
    effects: pd.DataFrame,
    *,
    start: pd.Timestamp,
) -> pd.DataFrame:
    """Return one row a stage: its share, what it would do a week, how long it lasts, and which verdicts it will have.

    A stage lasts until its benefit is told and every guardrail would tell a clear breach; once the benefit is told, a
    later stage lasts as long as its guardrails take.
    """
    change = {row["measure"]: row for row in effects.to_dict("records")}
    found = []
    curve = delays(trial)
    begins: pd.Timestamp | None = start
    told = False
    for stage in stages:
        pace = evidence.weekly * kept(trial.effect, stage)
        gather = evidence.needed / pace if pace > 0 else math.inf
        benefit, harm = _within(gather + trial.matures / 7), _within(_harm_weeks(guardrails, stage, trial))
        lasts = harm if told else None if benefit is None else max(benefit, harm or 0.0)
        told = told or benefit is not None
        ends = begins + pd.Timedelta(days=math.ceil(7 * lasts)) if begins is not None and lasts is not None else None
        found.append(
            {
                "stage": stage.name,
                "share": stage.share,
                **{name: _times(change[measure]["change"], stage.share) for name, measure in _TOLD_BY_STAGE.items()},
                **{f"net{end}": _times(change["net value"][column], stage.share) for end, column in _ENDS.items()},
                "told_a_week": pace,
                "gather_weeks": _within(gather),
                "benefit_weeks": benefit,
                "harm_weeks": harm,
                "lasts": lasts,
                "labels_told": told_by_end(curve, lasts),
                "starts": None if begins is None else f"{begins:%Y-%m-%d}",
                "ends": None if ends is None else f"{ends:%Y-%m-%d}",
            }
        )
        begins = ends
    frame = pd.DataFrame(found)
    numbers = [name for name in frame.columns if name not in ("stage", "starts", "ends")]
    return frame.astype(dict.fromkeys(numbers, np.float64))


def told_by_end(curve: DelayCurve | None, weeks: float | None) -> float | None:
    """Return the share of a stage's frauds that is told by its end; None where that is not measurable."""
    if curve is None or not curve.n or weeks is None or weeks <= 0:
        return None
    return float(np.mean(curve.at(np.linspace(0.0, 7.0 * weeks, 57))))


def _within(weeks: float | None) -> float | None:
    """Return a number of weeks; None where it lies beyond what is called measurable."""
    return weeks if weeks is not None and math.isfinite(weeks) and weeks <= HORIZON else None


def _harm_weeks(guardrails: pd.DataFrame, stage: Stage, trial: Trial) -> float | None:
    """Return the weeks until every guardrail would tell a clear breach; None where one never would."""
    spent = []
    for row in guardrails.to_dict("records"):
        late = str(row["measure"]).endswith(TOLD)
        seen = kept(trial.effect, stage) if late else stage.share or 1.0
        spent.append(row["needed"] / max(row["week_events"] * seen, 1e-12) + (trial.matures / 7 if late else 0.0))
    return max(spent) if spent and all(math.isfinite(weeks) for weeks in spent) else None


def _times(value: float | None, share: float) -> float | None:
    return None if value is None or pd.isna(value) else float(value) * share + 0.0


def _up(value: float) -> float:
    """Return a rate rounded up to two digits that count."""
    if value <= 0:
        return 0.0
    digits = 1 - math.floor(math.log10(value))
    return math.ceil(round(value * 10**digits, 9)) / 10**digits
