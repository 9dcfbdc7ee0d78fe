"""What would every setting of two parameters do? The whole surface, given the live rules, and what to choose on it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from riskbench.calibration.choose import limits
from riskbench.calibration.idle import idle
from riskbench.calibration.surface.cells import CHOOSE, REPORT, against_today, cells_of, grounded, measure
from riskbench.calibration.surface.central import central
from riskbench.calibration.surface.frames import (
    frame_of,
    later_frame,
    plateau_frame,
    today_place,
    values_at,
    windows_frame,
)
from riskbench.calibration.surface.measures import feasible
from riskbench.calibration.surface.regions import COLUMNS as REGION_COLUMNS
from riskbench.calibration.surface.regions import regions_frame
from riskbench.calibration.surface.words import asleep, facts, infeasible, pages, provenance, remarks
from riskbench.data.dataset import Dataset
from riskbench.data.windows import Span
from riskbench.display import Fact, Result, result
from riskbench.errors import ParameterError
from riskbench.metrics.constraints import Constraint, plain
from riskbench.metrics.costs import Costs
from riskbench.metrics.lattice import states
from riskbench.rules.axis import stated
from riskbench.rules.doors import book_and_events, seeded
from riskbench.rules.hits import acting, prepared
from riskbench.rules.plane import plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.rules.book import RuleBook


@result
class Surface(Result):
    """Every setting of one or two parameters, given the live rules, and the setting to choose.

    Attributes
    ----------
    settings : DataFrame
        One row a setting, on the window that is chosen on: first and second (the parameters' values); alerts,
        frauds, unlabelled; precision, recall, alert_rate, review_rate, insult_rate, approval_rate; value_caught
        (of alerted frauds), net_value with lower and upper (95 %), added_net_value with added_lower and
        added_upper (against the book as it stands, paired); feasible, on_plateau, depth (grid steps from the
        plateau's edge). Rates are of the whole system: the live rules and the setting together.
    plateau : DataFrame
        Today's setting, the best, the chosen one and the plateau's ends: point, first, second, alerts, frauds,
        net_value, change against the best with change_lower and change_upper (paired, joint 95 %), depth.
    windows : DataFrame
        Today's, the best and the chosen setting on both windows: point, window, first, second, alerts, frauds,
        net_value with lower and upper, added_net_value with added_lower and added_upper.
    regions : DataFrame
        Each region's own best setting and what one setting for all costs it: region, n, frauds, own_first,
        own_second, uniform_first, uniform_second, net_own, net_uniform, uniform_cost with lower and upper,
        p_value, status. Empty without `by`.
    params : tuple of str
        The swept parameters.
    chosen : tuple of float
        The proposed setting.
    """

    kind: ClassVar[str] = "surface"
    title: ClassVar[str] = "Surface of two parameters"
    main: ClassVar[str] = "settings"
    repr_table: ClassVar[str] = "plateau"
    repr_tables: ClassVar[tuple[str, ...]] = ("windows", "regions")
    next_step: ClassVar[str] = '.apply() gives the book with the chosen setting; .frame("settings"), "settings_later"'

    settings: pd.DataFrame
    plateau: pd.DataFrame
    windows: pd.DataFrame
    regions: pd.DataFrame
    params: tuple[str, ...]
    labels: tuple[str, ...]
    today: tuple[float, ...]
    best: tuple[float, ...]
    chosen: tuple[float, ...]
    book: RuleBook
    counted: str
    per: str
    window_weeks: float
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the setting, what it changes, how wide the plateau is, and what customers feel."""
        return self.facts

    def apply(self, setting: Sequence[float] | None = None) -> RuleBook:
        """Return the book with the chosen setting, or another one; its rules are made live.

        Regions that have a value of their own keep it.

        Parameters
        ----------
        setting : sequence of float, optional
            One value a parameter; by default the chosen ones.
        """
        values = self.chosen if setting is None else tuple(setting)
        if len(values) != len(self.params):
            raise ParameterError(
                "A setting has one value for each parameter", got=len(values), allowed=len(self.params)
            )
        book = self.book
        for name, value in zip(self.params, values, strict=True):
            rule_id, _, param = name.partition(".")
            book = book.with_params({rule_id: {param: stated(value)}}).with_status(rule_id, "live")
        return book

    @property
    def height(self) -> float:
        """The picture's height in inches."""
        return 4.4 if len(self.params) == 2 else 3.6

    def _draw(self, ax: Axes) -> None:
        from riskbench.calibration.surface.picture import draw_line, draw_map

        draw = draw_map if len(self.params) == 2 else draw_line
        draw(
            ax,
            self.settings,
            labels=self.labels,
            unit=f"{self.counted} {'a week' if self.per == 'week' else 'per 1,000 events'}",
            scale=self.window_weeks,
            marks={"today": self.today, "best": self.best, "chosen": self.chosen},
        )


def surface(
    book: RuleBook,
    dataset: Dataset,
    *,
    params: str | Sequence[str],
    grid: Sequence[Sequence[float]] | int | None = None,
    costs: Costs | Mapping[str, float] | None = None,
    subject_to: Constraint | Iterable[Constraint] = (),
    by: str | None = None,
    choose_on: Span | None = None,
    report_on: Span | None = None,
    asof: str | pd.Timestamp | None = None,
    seed: int = 0,
) -> Surface:
    """Return what every setting of two parameters does, given the live rules, and which one to choose.

    Use it where two values of a rule, or of two rules, pull against each other: a cut moved alone finds a ridge,
    not the top. Read the plateau before the chosen setting: all settings on it are statistically no worse, and
    where today's is one of them nothing needs to change.

    Every cell is exact: what `simulate` would count with that setting put into the book. A region that has a value
    of its own keeps it, as it would. The swept rules count as live whatever their status.

    Parameters
    ----------
    book : RuleBook
        The live rules, the swept ones among them.
    dataset : Dataset
        Events with a label.
    params : sequence of str
        Two of `RULE.parameter`, of one rule or of two rules; one gives a curve on a grid, for any condition.
    grid : int, or one list of settings for each parameter, optional
        By default 50 settings each: half are quantiles of the events, half of the known frauds, rounded to three
        digits, within the parameter's bounds. Today's value is always among them.
    costs : Costs or mapping, optional
        What fraud, insults and reviews cost.
    subject_to : Constraint or sequence of Constraint
        Limits that the whole system must keep to, on the window that is chosen on.
    by : {"region"}, optional
        Each region's own best setting, and the price of one for all.
    choose_on, report_on : (start, end), optional
        Windows, start <= time < end, UTC. By default the first two thirds of the span, and the rest.
    asof : str or Timestamp, optional
        Only events and verdicts known by then count.
    seed : int
        Of the draws, and of the split without time.

    Returns
    -------
    Surface
        Tables settings, plateau, windows, regions; on request settings_later (the later window).

    Raises
    ------
    InfeasibleError
        When no setting keeps to the constraints; `nearest_point` names the one that comes closest.
    DataError
        When there is no known fraud or no known good event to choose on.
    ParameterError
        When a parameter does not exist, is no number, or a setting lies outside its bounds.
    RuleError
        When both parameters stand in one condition, or one stands in several.

    Examples
    --------
    >>> import riskbench as rb
    >>> events = rb.sample("transactions", region="ID", orders=4_000, seed=7)
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: R, when: "amount_index > :limit AND device_age_days < :days", outcome: review, status: live,
    ...      params: {limit: {default: 4, min: 0.1, max: 50}, days: {default: 2, min: 0, max: 30}}}
    ... ''')
    >>> found = rb.surface(book, events, params=("R.limit", "R.days"), grid=10)
    >>> len(found.frame()) <= 100
    True
    >>> found.apply().diff(book) == [] or len(found.chosen) == 2
    True
    """
    book_and_events(book, dataset)
    seeded(seed)
    begun = time.perf_counter()
    names = (params,) if isinstance(params, str) else tuple(params)
    if by not in (None, "region"):
        raise ParameterError("A rule's setting can differ by region only", got=repr(by), allowed='None or "region"')
    stated_costs, constraints = Costs.from_mapping(costs), limits(subject_to)
    plain(constraints, what="a surface of two parameters")
    events = prepared(book, dataset, asof=asof)
    ground = grounded(
        events, "the setting", stated_costs, choose_on=choose_on, report_on=report_on, asof=asof, seed=seed
    )
    acts = acting(book, events, asof=asof)
    swept = plane(
        acts,
        events,
        names,
        grid=None if isinstance(grid, int) else grid,
        size=_size(grid),
        sample=ground.windows.choose.mask,
        frauds=ground.kinds == 1,
    )
    cells = cells_of(swept, ground)
    held = states(cells)
    price = ground.price()
    chosen_on = measure(held.of(CHOOSE), ground)
    fits = feasible(chosen_on, constraints)
    if not fits.any():
        raise infeasible(chosen_on, constraints, swept)
    found = central(cells, chosen_on.net, fits, price=price, groups=[CHOOSE], seed=seed, alerts=chosen_on.alerts)
    later = measure(held.of(REPORT), ground) if ground.windows.report.mask.any() else None
    against = against_today(cells, ground, CHOOSE)
    frame = frame_of(swept, chosen_on, against)
    frame["feasible"] = fits.reshape(-1)
    frame["on_plateau"] = found.plateau.reshape(-1)
    frame["depth"] = found.depth.reshape(-1)
    windows = windows_frame(swept, ground, cells, held, found)
    regions = pd.DataFrame(columns=REGION_COLUMNS)
    if by is not None and len(events.regions[1]) > 1:
        regions = regions_frame(swept, ground, found.chosen, constraints)
    plateau = plateau_frame(swept, chosen_on, found)
    unused = idle(swept, acts, ground.windows.choose.mask | ground.windows.report.mask)
    return Surface(
        settings=frame,
        plateau=plateau,
        windows=windows,
        regions=regions,
        params=swept.params,
        labels=tuple(axis.label for axis in swept.axes if axis.name),
        today=tuple(float(axis.values[axis.today]) for axis in swept.axes if axis.name),
        best=values_at(swept, found.best),
        chosen=values_at(swept, found.chosen),
        book=book,
        counted=ground.counted,
        per=ground.windows.per,
        window_weeks=ground.windows.choose.length,
        facts=facts(
            swept,
            ground,
            found,
            windows,
            chosen_on=chosen_on,
            later=later,
            unused=unused,
            asleep=asleep(swept, book),
            fits=bool(fits[today_place(swept)]),
        ),
        pages=pages(swept, ground, plateau, windows, regions),
        lazy={"settings_later": partial(later_frame, swept, later, against_today(cells, ground, REPORT))},
        notes=remarks(swept, ground, found, book=acts, constraints=constraints, later=later, by=by, unused=unused),
        provenance=provenance(ground, book, names, constraints, shape=swept.shape, asof=asof, seed=seed, begun=begun),
    )


def _size(grid: object) -> int:
    if grid is None or not isinstance(grid, int):
        return 50
    if isinstance(grid, bool) or not 2 <= grid <= 200:
        raise ParameterError("A grid has 2 to 200 settings a parameter", got=repr(grid))
    return grid
