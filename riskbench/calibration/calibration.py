"""Where the cut should be: the whole curve, the chosen cut, and whether it keeps its promise."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.capacity.answer import limits_frame, without_capacity
from riskbench.calibration.capacity.levels import checked
from riskbench.calibration.choose import (
    Pair,
    choose,
    choose_or,
    choose_pair,
    costs_frame,
    limits,
    pair_frame,
)
from riskbench.calibration.curve import exact_frame, frame_at, later_frame, thin
from riskbench.calibration.grounded import grounds_of, rests_frame
from riskbench.calibration.pages import Page, a_week, matured_page, plateau_page, promise_page, segments_page, untold
from riskbench.calibration.parts import own_levels, parts_of, segment_plateaus, segments_of
from riskbench.calibration.picture import draw_curve
from riskbench.calibration.plateau import plateau_ends, plateau_frame, redrawn
from riskbench.calibration.promise import holdout_frame, weekly_frame
from riskbench.calibration.reader import Reader
from riskbench.calibration.ripe import matured_frame
from riskbench.calibration.study import Study
from riskbench.calibration.swept import swept, today_cut
from riskbench.calibration.words import facts, promise_words, provenance, remarks
from riskbench.data.dataset import Dataset
from riskbench.data.doors import a_dataset
from riskbench.data.roles import Domain
from riskbench.data.windows import Span, Window
from riskbench.display import Fact, Result, result
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.costs import GIVEN, Costs
from riskbench.rules.fairness.reads import group_notes
from riskbench.rules.hits import acting, apply, resolve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.calibration.reading import CutReading
    from riskbench.rules.book import RuleBook
    from riskbench.rules.comparison.comparison import Comparison
    from riskbench.rules.simulation import Simulation
    from riskbench.rules.sweep import Sweep


@result
class Calibration(Result):
    """A cut, why it was chosen, and what it promises.

    Attributes
    ----------
    threshold : float
        The chosen cut: an observed value, the last one that is hit. Infinite when no cut pays.
    threshold_lower, threshold_upper : float
        Its 95 % interval: where the cut would fall on other draws of the same events.
    threshold_review, threshold_block : float or None
        With two cuts: review from the first, block from the second.
    today : float or None
        Today's cut; None where none is live.
    curve : DataFrame
        At most 2,000 rows, from nobody hit (with two cuts: from the block cut alone, and below it the review cut)
        to everybody hit, on the window the cut was chosen on: threshold,
        alerts, frauds, unlabelled (and by why: unlabelled_blocked, unlabelled_young, unlabelled_no_verdict,
        unlabelled_no_channel), precision, recall, alert_rate, review_rate, insult_rate, approval_rate,
        value_caught (of the alerted frauds), net_value with lower and upper (95 %), loss_prevented, added_alerts,
        added_frauds, added_net_value with added_lower and added_upper (against the book as it stands, paired).
        Rates are of the whole system: the live rules and the cut together. Frauds, good events and money are what the
        verdicts stand for: late ones to come, and stopped events by those let through at random.
    holdout : DataFrame
        The promise: measure, per, value, lower, upper (95 % prediction interval), observed on the later window,
        kept, n, weeks.
    promise : DataFrame
        The same in words, for a page; within_range says whether what came lies inside the promised range, which
        may be wide.
    weekly : DataFrame
        What changes a week against today on the later window: measure, per, today, proposed, change, lower,
        upper, n.
    weekly_own : DataFrame
        The same where each region whose own cut pays gets it; empty where none does. The later window also decided
        which ones pay, so its gain is a little flattering.
    matured : DataFrame
        What the chosen cut and today's come to on the later window, and on the young weeks after it, once all verdicts
        are told: window, start, end, cut, measure, per, counted, value, lower, upper, corrected, n, status.
    rests : DataFrame
        How much of the promise and of the change rests on inference: what, inferred, unheard, lower, upper.
    plateau : DataFrame
        The cuts beside the chosen one: point, threshold, alerts, alert_rate, net_value, change with interval,
        n, frauds_between, fraud_share.
    segments : DataFrame
        Each segment's own best cut and what one cut for all costs it; see `status`.
    given_costs : tuple of str
        The costs that were given; the others are defaults.
    counted : str
        What net value is counted in: the currency, or "events" or "weighted events" where there is no money.
    costs : DataFrame
        The best cut with each cost halved and doubled, and the regret of the chosen one.
    pair : DataFrame
        With two cuts: the pair beside the best single cut, on both windows.
    """

    kind: ClassVar[str] = "calibration"
    title: ClassVar[str] = "Threshold calibration"
    main: ClassVar[str] = "curve"
    next_step: ClassVar[str] = '.frame("holdout"), "matured", "weekly", "plateau", "segments", "costs"; .apply(book)'
    repr_table: ClassVar[str] = "promise"
    repr_tables: ClassVar[tuple[str, ...]] = ("matured", "plateau", "segments")
    repr_rows: ClassVar[int] = 12

    name: str
    op: str
    outcome: str
    rule_param: str | None
    threshold: float
    threshold_lower: float
    threshold_upper: float
    threshold_review: float | None
    threshold_block: float | None
    today: float | None
    curve: pd.DataFrame
    holdout: pd.DataFrame
    promise: pd.DataFrame
    weekly: pd.DataFrame
    weekly_own: pd.DataFrame
    matured: pd.DataFrame
    rests: pd.DataFrame
    plateau: pd.DataFrame
    segments: pd.DataFrame
    costs: pd.DataFrame
    pair: pd.DataFrame
    currency: str
    counted: str
    assumptions: Costs
    given_costs: tuple[str, ...]
    by: str | None
    facts: tuple[Fact, ...]
    domain: Domain
    window: str
    window_weeks: float
    judged_weeks: float
    per: str
    given: RuleBook | None
    reader: Reader

    def headline(self) -> tuple[Fact, ...]:
        """Return the cut, its promise, what came, and what it does to customers."""
        return self.facts

    def apply(self, book: RuleBook | None = None, *, per_segment: bool = False) -> RuleBook:
        """Return a rule book with the cut in place; a score's cut becomes the rule `CUT-<score>`.

        Parameters
        ----------
        book : RuleBook, optional
            The book to change; by default the one that the calibration was given.
        per_segment : bool
            Give each region whose own cut pays its own value. Only for `by="region"`.

        Raises
        ------
        ParameterError
            When there is no book to change, or segments are not regions.
        """
        from riskbench.calibration.applied import applied

        return applied(self, self.given if book is None else book, per_segment=per_segment)

    def compare(self, before: Simulation, after: Simulation, *, checks: Result | None = None) -> Comparison:
        """Return what changes from one book to another on the later window, which the choice of the cut did not see.

        Use it instead of `rb.compare` where the second book holds the cut: events that chose a cut flatter it. It is
        called surely better only where the decision record recommends it. The simulations are of the calibration's
        own events; without a later window the page says that the events are those of the choice.

        Raises
        ------
        DataError
            When the simulations are of other events than the calibration.
        """
        from riskbench.calibration.judged import compared

        return compared(self, before, after, checks=checks)

    def at(self, threshold: float) -> CutReading:
        """Return what another cut does, exactly; with two cuts, what starting to review there does.

        Use it to hold a cut that somebody asks for against the proposed one; `rb.threshold_panel` moves it by mouse.

        Raises
        ------
        ParameterError
            When it is no number, or lies outside the bounds that the rule book sets.
        """
        from riskbench.calibration.reading import read

        return read(self, self.reader, threshold)

    def _draw(self, ax: Axes) -> None:
        draw_curve(
            ax,
            self.curve,
            name=self.name,
            unit=f"{self.counted} {a_week(self.per)}",
            scale=self.window_weeks,
            plateau=self.plateau,
            cuts={"chosen": self.threshold, "block from": self.threshold_block, "today": self.today},
        )


def calibrate(
    dataset: Dataset,
    *,
    score: str | None = None,
    rule_param: str | None = None,
    given: RuleBook | None = None,
    costs: Costs | Mapping[str, float] | None = None,
    subject_to: Constraint | Iterable[Constraint] = (),
    by: str | None = "region",
    choose_on: Span | None = None,
    report_on: Span | None = None,
    two_cuts: bool = False,
    outcome: str = "review",
    asof: str | pd.Timestamp | None = None,
    seed: int = 0,
) -> Calibration:
    """Find the cut of a score, or of a rule's parameter, that is worth most given the live rules.

    Use it to set or to question a threshold. The cut is chosen on the first two thirds of the span and judged
    on the rest: read `holdout` before believing it, `plateau` before arguing about its last digit, and
    `segments` before giving a region a cut of its own.

    Parameters
    ----------
    dataset : Dataset
        Events with a label.
    score : str, optional
        The score's column; by default the role `score`.
    rule_param : str, optional
        Instead of a score: `"RULE.parameter"` of the book.
    given : RuleBook, optional
        The live rules that decide beside the cut; none by default. Required for a rule's parameter.
    costs : Costs or mapping, optional
        What fraud, insults and reviews cost.
    subject_to : Constraint or sequence of Constraint
        Limits that the whole system must keep to, on the window that is chosen on.
    by : str or None
        A column to break down by; "region" stands for the role.
    choose_on, report_on : (start, end), optional
        Windows, start <= time < end, UTC. By default the first two thirds of the span, and the rest.
    two_cuts : bool
        Review above one cut, block above a second. Only for a score.
    outcome : str
        What the score's cut decides.
    asof : str or Timestamp, optional
        Only events and verdicts known by then count.
    seed : int
        Of the resampling, and of the split without time.

    Returns
    -------
    Calibration
        Tables curve, holdout, matured, weekly, rests, plateau, segments, costs, pair; on request curve_exact (every
        distinct cut), curve_later (the later window) and segment_plateaus (each segment's own plateau, and the events
        and frauds just beside its own cut).

    Raises
    ------
    InfeasibleError
        When no cut keeps to the constraints; `nearest_point` names the one that comes closest.
    DataError
        When there is no known fraud or no known good event to choose on, or nothing to cut.
    ParameterError
        When it is not clear what is to be cut.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(7)
    >>> fraud = rng.random(4000) < 0.05
    >>> frame = pd.DataFrame({"id": np.arange(4000), "fraud": fraud.astype(int), "amount": 100.0,
    ...     "risk": np.round(np.clip(rng.normal(0.3 + 0.4 * fraud, 0.15), 0, 1), 2),
    ...     "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(4000) // 40, unit="D")})
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk"))
    >>> found = rb.calibrate(events)
    >>> 0.4 < found.threshold < 0.6
    True
    >>> found.frame("holdout").head(3)[["measure", "kept"]]
              measure  kept
    0       net value  True
    1  loss prevented  True
    2  frauds alerted  True
    """
    a_dataset(dataset)
    begun = time.perf_counter()
    sweep = swept(
        dataset, score=score, rule_param=rule_param, given=given, outcome=outcome, asof=asof, two_cuts=two_cuts
    )
    stands = None if given is None else acting(given, sweep.dataset, asof=asof)
    return calibrate_sweep(
        sweep,
        given=given,
        before=None if stands is None else resolve(stands, apply(stands.rules, sweep.dataset)).level,
        costs=Costs.from_mapping(costs),
        given_costs=tuple(costs) if isinstance(costs, Mapping) else (),
        constraints=limits(subject_to),
        by=by,
        choose_on=choose_on,
        report_on=report_on,
        two_cuts=two_cuts,
        rule_param=rule_param,
        asof=asof,
        seed=seed,
        begun=begun,
    )


def calibrate_sweep(
    sweep: Sweep,
    *,
    given: RuleBook | None,
    before: npt.NDArray[np.int8] | None,
    costs: Costs,
    given_costs: tuple[str, ...] = (),
    constraints: tuple[Constraint, ...] = (),
    by: str | None = "region",
    choose_on: Span | None = None,
    report_on: Span | None = None,
    two_cuts: bool = False,
    rule_param: str | None = None,
    asof: str | pd.Timestamp | None = None,
    seed: int = 0,
    begun: float | None = None,
) -> Calibration:
    """Calibrate a sweep that is already made; `before` is what the book decides today. See `calibrate`."""
    begun = time.perf_counter() if begun is None else begun
    single = Study.of(sweep, costs, choose_on=choose_on, report_on=report_on, asof=asof, seed=seed)
    single = replace(single, asked=checked(single, constraints, two_cuts=two_cuts))
    levels = sweep.base if before is None else before
    pair: Pair | None = None
    study, picked = single, None
    if two_cuts:
        pair = choose_pair(single, constraints)
        study = single.with_block(pair.block)
    picked = choose(study, constraints)
    if pair is not None:
        pair = replace(pair, review=min(picked.cut, pair.block))
        picked = replace(picked, point=picked.drawn.table.point(pair.review))
    windows, drawn = study.windows, picked.drawn

    today = study.today(levels, drawn.table, windows.choose.mask)
    cut = picked.cut if pair is None else pair.review
    again = redrawn(drawn, picked.point, picked.feasible, seed=seed)
    lower, upper, optimism = again.lower, again.upper, again.optimism
    judged = windows.report if windows.report.mask.any() else windows.choose
    after = study.levels(cut)
    weekly = weekly_frame(study, levels, after, judged)
    holdout = holdout_frame(study, cut, optimism=optimism)
    alone, own_limits = without_capacity(study, constraints)
    segments = segments_of(alone, cut, own_limits, by)
    each = own_levels(study, cut, segments) if by == "region" else None
    own = pd.DataFrame() if each is None else weekly_frame(study, levels, each, judged)
    matured = matured_frame(study, {"chosen": after, "today": levels})
    rests = rests_frame(study, before=levels, after=after if each is None else each, judged=judged)
    ends = plateau_ends(drawn, picked.point, picked.feasible, again.critical)
    promise = promise_words(holdout, study.counted)
    plateau = plateau_frame(drawn, picked.point, ends, critical=again.critical)
    codes, names = parts_of(study, by) if by is not None else (None, ())
    keep = [picked.point, *ends, drawn.table.point(today_cut(sweep, given))]
    later = study.curve(windows.report.mask) if windows.report.mask.any() else None
    return Calibration(
        name=sweep.name,
        op=sweep.op,
        outcome=sweep.outcome,
        rule_param=rule_param,
        threshold=cut,
        threshold_lower=lower,
        threshold_upper=upper,
        threshold_review=None if pair is None else pair.review,
        threshold_block=None if pair is None else pair.block,
        today=sweep.default if math.isfinite(today_cut(sweep, given)) else None,
        curve=frame_at(drawn, thin(drawn, keep), today),
        holdout=holdout,
        promise=promise,
        weekly=weekly,
        weekly_own=own,
        matured=matured,
        rests=rests,
        plateau=plateau,
        segments=segments,
        costs=costs_frame(study, picked),
        pair=pd.DataFrame()
        if pair is None
        else pair_frame(single, pair, choose_or(single, constraints, picked), levels),
        currency=study.currency,
        counted=study.counted,
        assumptions=costs,
        given_costs=_given(costs, given_costs),
        by=by,
        facts=facts(study, picked, cut, pair=pair, ends=(lower, upper), holdout=holdout, weekly=weekly, rests=rests),
        domain=sweep.dataset.domain,
        window=windows.choose.words,
        window_weeks=windows.choose.length,
        judged_weeks=judged.length,
        per=windows.per,
        given=given,
        reader=Reader(study, drawn, today, levels, constraints, codes, names, cut),
        lazy={
            "segment_plateaus": partial(segment_plateaus, *without_capacity(study, constraints), by, seed),
            "limits": partial(limits_frame, study, picked, cut, constraints),
            "curve_exact": partial(exact_frame, drawn.table, study.price(), study.steps, today),
            "curve_later": partial(
                later_frame,
                None if later is None else later.table,
                study.price(),
                study.steps,
                cut,
                None if later is None else study.today(levels, later.table, windows.report.mask),
            ),
        },
        pages=_pages(study, promise, plateau, segments, judged) | {"matured": matured_page(matured, study.counted)},
        grounds=grounds_of(study, rests, matured),
        notes=group_notes(sweep.dataset, book=given, cut_by=by, sweeps=sweep.name)
        + tuple(untold(matured))
        + remarks(
            study,
            picked,
            given=given,
            constraints=constraints,
            later=later,
            pair=pair,
            optimism=optimism,
            segments=segments,
            by=by,
        ),
        provenance=provenance(study, given, constraints, by=by, asof=asof, seed=seed, begun=begun),
    )


def _given(costs: Costs, named: tuple[str, ...]) -> tuple[str, ...]:
    """Return the costs that were given: those named, and those that are not at their default."""
    usual = Costs().to_dict()
    told = costs.origins
    return tuple(
        name
        for name, value in costs.to_dict().items()
        if told.get(name, GIVEN if name in named or value != usual.get(name) else "") == GIVEN
    )


def _pages(
    study: Study, promise: pd.DataFrame, plateau: pd.DataFrame, segments: pd.DataFrame, judged: Window
) -> dict[str, Page]:
    counted, per, first, later = study.counted, study.windows.per, study.windows.choose, study.windows.report
    return {
        "promise": promise_page(promise, chosen=first.words, judged=later.words if later.mask.any() else None),
        "plateau": plateau_page(plateau, counted=counted, per=per, window=first.words, length=first.length),
        "segments": segments_page(segments, counted=counted, per=per, window=judged.words, length=judged.length),
    }
