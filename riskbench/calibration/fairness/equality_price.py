"""What would it cost that every group has the same rate? The verb and its answer."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, get_args

import numpy as np
import pandas as pd

from riskbench.calibration.applied import applied, earlier
from riskbench.calibration.calibration import Calibration
from riskbench.calibration.choose import bounds_of
from riskbench.calibration.fairness.equal import Rate, common_cuts, measurable
from riskbench.calibration.fairness.page import draw_frontier, grounds_of, groups_page, options_page
from riskbench.calibration.fairness.tables import Case, frontier_frame, groups_frame, options_frame
from riskbench.calibration.fairness.written import with_group_cuts
from riskbench.calibration.pages import a_week, money_name
from riskbench.calibration.pooled.pooled_cuts import by_code
from riskbench.calibration.segments import OWN, SAME
from riskbench.display import Fact, Result, result
from riskbench.errors import DataError, ParameterError, listed
from riskbench.rules.fairness.groups import FOLDED, Grouping, asked_groups, grouping
from riskbench.rules.fairness.reads import group_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.book import RuleBook


@result
class EqualityPrice(Result):
    """What equal rates for groups would cost, and what a common cut does to the gap instead.

    Attributes
    ----------
    options : DataFrame
        One row a way: option, cut (of a common one), gap (highest rate less lowest, on the window to choose on),
        gap_later (on the later one), cost with lower and upper (money lost a week on the later window against the
        common cut, paired, 95 %), keeps (whether the limits hold).
    groups : DataFrame
        One row a group: group, events, good_events; before with `_lower` and `_upper` (the rate at the common cut, on
        the later window); equal_cut; after with `_lower` and `_upper`; cost with `_lower` and `_upper`; reading.
    frontier : DataFrame
        way ("one cut for all", "cuts by group"), gap, net (a week, on the window to choose on), cut.
    by : str
        The column or condition that makes the groups.
    rate : str
        Which rate is brought to one level.
    target : float
        That level: the rate of all events at the common cut.
    """

    kind: ClassVar[str] = "equality_price"
    title: ClassVar[str] = "The price of equal rates"
    main: ClassVar[str] = "options"
    next_step: ClassVar[str] = ".apply(book, acknowledge=column) writes cuts by group; never without naming the column"
    repr_tables: ClassVar[tuple[str, ...]] = ("groups",)

    options: pd.DataFrame
    groups: pd.DataFrame
    frontier: pd.DataFrame
    by: str
    rate: Rate
    target: float
    tolerance: float
    currency: str
    per: str
    calibration: Calibration
    grouping: Grouping

    def headline(self) -> tuple[Fact, ...]:
        """Return the price of equal rates, and what it buys."""
        name, unit = self.rate.replace("_", " "), "money" if self.currency else "number"
        counted = self.calibration.counted
        today, equal, narrowed = (self.options.iloc[place] for place in range(3))
        facts = [
            Fact(
                money_name(f"Equal {name}s cost {a_week(self.per)}", self.currency, counted),
                float(equal["cost"]),
                "money" if unit == "money" else "number",
                lower=float(equal["lower"]),
                upper=float(equal["upper"]),
                currency=self.currency,
                signed=True,
            ),
            Fact("Gap today", float(today["gap_later"]), "share", note="highest group less lowest, on later events"),
            Fact("Gap with cuts by group", float(equal["gap_later"]), "share", note="on later events"),
        ]
        if pd.notna(narrowed["cost"]):
            facts.append(
                Fact(
                    money_name(f"Half the gap by one common cut costs {a_week(self.per)}", self.currency, counted),
                    float(narrowed["cost"]),
                    "money" if unit == "money" else "number",
                    lower=float(narrowed["lower"]),
                    upper=float(narrowed["upper"]),
                    currency=self.currency,
                    signed=True,
                )
            )
        else:
            facts.append(Fact("Half the gap by one common cut", "no common cut does that", "text"))
        return tuple(facts)

    def _draw(self, ax: Axes) -> None:
        draw_frontier(ax, self.frontier, rate=self.rate, unit=f"{self.calibration.counted} {a_week(self.per)}")

    def apply(self, book: RuleBook | None = None, *, acknowledge: str | None = None) -> RuleBook:
        """Return a rule book with the cuts by group in place.

        Parameters
        ----------
        book : RuleBook, optional
            The book to change; by default the one that the calibration was given.
        acknowledge : str, optional
            The column (or condition) by which cuts differ, named by whoever answers for it. Needed for every group but
            the region: a cut by country, language or age of an account treats people by what they are, and may be
            against the law.

        Raises
        ------
        ParameterError
            When the group is not the region and is not named, or there is no book to change.
        """
        held, chosen = self.calibration, dict(zip(self.groups["group"], self.groups["equal_cut"], strict=True))
        common = float(held.threshold)
        own = {str(name): float(cut) for name, cut in chosen.items() if math.isfinite(cut) and float(cut) != common}
        region = held.reader.study.sweep.dataset.roles.region
        base = held.given if book is None else book
        if self.grouping.columns == (region,) and self.grouping.by_column:
            told = pd.DataFrame({"segment": list(own), "own_threshold": list(own.values()), "status": OWN})
            return applied(replace(held, by="region", segments=told, _cache={}), base, per_segment=True)
        if acknowledge != self.by:
            raise ParameterError(
                f"Cuts that differ by {self.by!r} treat people by the group that they belong to: they are written only "
                "where somebody owns up to it",
                got=f"acknowledge={acknowledge!r}",
                allowed=f"acknowledge={self.by!r}",
                hint="a common cut narrows the gap without: see .frame('options')",
            )
        made = applied(replace(held, segments=held.segments.assign(status=SAME), _cache={}), base)
        if held.rule_param is not None:
            rule_id, _, param = held.rule_param.partition(".")
            rules = [made.rule(rule_id)]
        else:
            param = "cut"
            rules = [rule for rule in earlier(made, held.name) if rule.outcome == held.outcome]
        dataset = held.reader.study.sweep.dataset
        for rule in rules:
            made = made.with_rule(with_group_cuts(rule, param, self.grouping, own, dataset))
        return made


def price_equality(
    calibration: Calibration, *, by: str | None = None, rate: Rate = "insult_rate", tolerance: float | None = None
) -> EqualityPrice:
    """Say what it costs that groups have the same insult or approval rate, and what a common cut does instead.

    Use it when `rb.fairness` shows a gap. Cuts by group bring each group's rate to that of all events at the common
    cut; the price is what they lose on the later window, paired. Beside it stands the cheapest common cut with half
    the gap: it treats nobody by the group. Equal rates of groups that differ in fraud are unequal cuts: whether that
    is just, or allowed, no figure says.

    Parameters
    ----------
    calibration : Calibration
        The common cut, with its events, costs and limits.
    by : str, optional
        A column, or a condition such as `"seller_age_days < 30"`; by default the first of the role `groups`. Missing
        is a group.
    rate : {"insult_rate", "approval_rate"}
        Which rate shall be equal.
    tolerance : float, 0..1, optional
        How far from it is near enough; by default a tenth of it (of the share not approved, for approvals).

    Returns
    -------
    EqualityPrice
        Tables `options`, `groups` and `frontier`.

    Raises
    ------
    ParameterError
        For another rate, or a tolerance that is no share.
    DataError
        When no group is named, fewer than two groups have enough events, or the common cut hits nobody.

    Source: Hardt, M., Price, E. and Srebro, N. (2016), Equality of opportunity in supervised learning, NeurIPS 29 (an
    equal insult rate is its equal false positive rate).

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(7)
    >>> fraud, new = rng.random(6000) < 0.05, rng.random(6000) < 0.3
    >>> frame = pd.DataFrame({"id": np.arange(6000), "fraud": fraud.astype(int), "amount": 100.0, "new": new,
    ...     "risk": np.round(np.clip(rng.normal(0.3 + 0.4 * fraud + 0.1 * new, 0.1), 0, 1), 2),
    ...     "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(6000) // 60, unit="D")})
    >>> events = rb.read(frame, roles=rb.Roles(id="id", time="at", label="fraud", amount="amount", score="risk"))
    >>> price = rb.price_equality(rb.calibrate(events), by="new")
    >>> price.frame("groups")[["group", "before", "equal_cut", "after", "reading"]].round(3)
       group  before  equal_cut  after           reading
    0  False   0.004       0.51   0.02  a cut of its own
    1   True   0.034       0.62   0.01  a cut of its own
    """
    if not isinstance(calibration, Calibration):
        raise ParameterError(
            "price_equality takes a calibration",
            got=type(calibration).__name__,
            hint="rb.price_equality(rb.calibrate(...), by=...)",
        )
    if not isinstance(rate, str) or rate not in get_args(Rate):
        raise ParameterError(f"{repr(rate)[:80]} is no rate to be equal", allowed=listed(get_args(Rate)))
    if tolerance is not None and not (isinstance(tolerance, int | float) and 0 <= tolerance <= 1):
        raise ParameterError("tolerance is a share", got=repr(tolerance)[:80], allowed="0..1")
    begun = time.perf_counter()
    study, cut = calibration.reader.study, float(calibration.threshold)
    if by is None:
        by = asked_groups(None, study.sweep.dataset)[0]
    if not math.isfinite(cut):
        raise DataError("The common cut hits nobody, so no group is treated otherwise by it.")
    held = grouping(by, study.sweep.dataset).folded()
    windows, bounds = study.windows, bounds_of(study)
    judged = windows.report if windows.report.mask.any() else windows.choose
    first, later = (by_code(held.codes, window.mask, len(held.names)) for window in (windows.choose, judged))
    drawn, after = ([study.curve(rows) for rows in held_rows] for held_rows in (first, later))
    told = measurable(drawn, rate) & measurable(after, rate) & np.array([name != FOLDED for name in held.names])
    if np.count_nonzero(told) < 2:
        raise DataError(f"Fewer than two groups of {by!r} have enough events to compare their {rate}.")
    whole = study.curve(np.flatnonzero(windows.choose.mask))
    target = float(whole.rate(rate)[whole.table.point(cut)])
    near = 0.1 * (target if rate == "insult_rate" else 1 - target) if tolerance is None else float(tolerance)
    earlier_rows = first if windows.report.mask.any() else [rows[:0] for rows in first]
    case = Case(
        study=study,
        names=held.names,
        drawn=drawn,
        after=after,
        later=later,
        earlier=earlier_rows,
        told=told,
        cut=cut,
        target=target,
        tolerance=near,
        rate=rate,
        judged=judged,
    )
    equal, limits = case.equal(bounds), calibration.reader.constraints
    common = common_cuts(drawn, whole, limits, rate, cut=cut, told=told, bounds=bounds)
    narrowed = common.cheapest(case.gap(drawn, np.full(len(drawn), cut)) / 2)
    options = options_frame(case, equal, narrowed, limits)
    groups = groups_frame(case, equal)
    return EqualityPrice(
        options=options,
        groups=groups,
        frontier=frontier_frame(case, common, bounds, length=windows.choose.length),
        by=by,
        rate=rate,
        target=target,
        tolerance=near,
        currency=calibration.currency,
        per=calibration.per,
        calibration=calibration,
        grouping=held,
        pages={
            "options": options_page(options, counted=study.counted, per=windows.per, rate=rate),
            "groups": groups_page(groups, counted=study.counted, per=windows.per, rate=rate, by=by),
        },
        notes=_notes(calibration, held),
        grounds=grounds_of(groups, rate=rate, window=judged.words),
        provenance={
            **{key: calibration.provenance.get(key) for key in ("dataset", "book", "label_recipe")},
            "parameters": {"by": by, "rate": rate, "tolerance": near},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


def _notes(calibration: Calibration, held: Grouping) -> tuple[str, ...]:
    study = calibration.reader.study
    notes = [f"A cut that differs by {held.said!r} treats people by the group that they belong to."]
    notes.append("None is applied unless somebody names the column: .apply(book, acknowledge=...).")
    if not study.windows.report.mask.any():
        notes.append("There is no later window: rates and costs are told on the events that set the cuts, and flatter.")
    if (np.array(held.names) == FOLDED).any():
        notes.append("Groups of fewer than five events stand together and keep the common cut.")
    book = calibration.given
    live = group_notes(study.sweep.dataset, book=book, columns=held.columns)
    return (*notes, *live, *study.windows.notes)
