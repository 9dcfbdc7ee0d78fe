"""What would a rule book have done: every rule's hits, frauds, money and harm, with intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset
from riskbench.data.labels import FRAUD, GOOD
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Grounds, Result, result
from riskbench.display.chart import BLUE, GREY, style
from riskbench.engine.bits import Words, first_hits, hit_by_one, positions, union
from riskbench.metrics.costs import Costs
from riskbench.rules.appraisal.credit import credit
from riskbench.rules.appraisal.leave_one_out import leave_one_out, leave_one_out_regions, marginal
from riskbench.rules.appraisal.overlap import overlap, signatures
from riskbench.rules.appraisal.redundancy import contradictions, redundancy
from riskbench.rules.appraisal.retirement import retirement, together
from riskbench.rules.appraisal.what_if import WhatIf, what_if
from riskbench.rules.book import RuleBook
from riskbench.rules.cases import case_codes, case_measures
from riskbench.rules.doors import book_and_events
from riskbench.rules.fairness.reads import group_notes
from riskbench.rules.headline import facts, grounds, notes, page
from riskbench.rules.hits import Hits, hits
from riskbench.rules.maturing import Maturing, Told, matured_table
from riskbench.rules.standing import Standing
from riskbench.rules.tally import Tally, crossed, framed, measures, tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@result
class Simulation(Result):
    """What a rule book would have done on events.

    Attributes
    ----------
    rules : DataFrame
        One row a rule, whatever its status: rule, outcome, status, priority, hits, frauds, unlabelled and why
        (unlabelled_blocked, unlabelled_young, unlabelled_no_channel, unlabelled_no_verdict, which add up to it);
        precision, recall, alert_rate, insult_rate, each with `_lower` and `_upper` (95 %); value_hit,
        value_caught with interval, good_value_hit (major units); unique_hits, unique_frauds, unique_value:
        what no other live rule hits; first_hits, first_frauds, first_value: what the rule decides. With a
        unit also cases, fraud_cases, case_precision with interval, open_cases (a young event in it may still turn
        out to be fraud), unlabelled_cases and why.
    whole : DataFrame
        The same measures for the live rules together: one row for all alerts, one for those that are reviewed
        or stopped.
    outcomes : DataFrame
        One row an outcome of the domain's ladder: what live rules decide about all events.
    book : RuleBook
        The book as it is written; `hits.book` is the one in force on the day.
    events, frauds, good, unlabelled : int
        All events, and how many of each label.
    alerts : int
        Events that get an outcome above the mildest.
    """

    kind: ClassVar[str] = "simulation"
    title: ClassVar[str] = "Rule simulation"
    main: ClassVar[str] = "rules"
    next_step: ClassVar[str] = (
        '.frame("matured"), "outcomes", "regions", "weeks", "overlap", "matrix"; .what_if(off=[...]) tries a change; '
        "rb.appraise(simulation) says what each rule is worth"
    )
    repr_rows: ClassVar[int] = 20
    repr_columns: ClassVar[tuple[str, ...]] = (
        "rule",
        "outcome",
        "status",
        "hits",
        "frauds",
        "unlabelled",
        "precision",
        "precision_lower",
        "precision_upper",
        "insult_rate",
        "value_caught",
        "unique_hits",
        "first_hits",
    )

    rules: pd.DataFrame
    whole: pd.DataFrame
    outcomes: pd.DataFrame
    book: RuleBook
    events: int
    frauds: int
    good: int
    unlabelled: int
    alerts: int
    currency: str
    hits: Hits
    standing: Standing
    maturing: Maturing

    def __post_init__(self) -> None:
        super().__post_init__()
        vars(self).pop("grounds", None)  # told when asked for: delay curves take longer than all counts together

    def headline(self) -> tuple[Fact, ...]:
        """Return what the live rules together do, with the frauds that are told later in the figures."""
        if "facts" not in self._cache:
            whole = tally(self.hits)
            self._cache["facts"] = facts(self.maturing, whole, self.whole, self._told)
        held: tuple[Fact, ...] = self._cache["facts"]
        return held

    @cached_property  # type: ignore[misc]
    def grounds(self) -> Grounds:
        """What the figures of all alerts rest on."""
        row = dict(zip(self.whole.columns, self.whole.iloc[0], strict=True))
        return grounds(self.maturing, row, self._alerts)

    @cached_property
    def _alerts(self) -> Told:
        return self.maturing.of(self.hits.alerts)

    @property
    def _told(self) -> Told | None:
        return None if self.maturing.plain else self._alerts

    def what_if(
        self,
        *,
        off: Iterable[str] = (),
        on: Iterable[str] = (),
        outcomes: Mapping[str, str] | None = None,
        priorities: Mapping[str, int] | None = None,
        params: Mapping[str, Mapping[str, object]] | None = None,
        costs: Costs | Mapping[str, float] | None = None,
    ) -> WhatIf:
        """Return what would change if rules were off or on, or had other outcomes, priorities or values.

        Use it while thinking: the answer comes from the signature table, exactly as a new simulation would give it.
        Intervals are on the paired difference: only events whose outcome changes count.

        Parameters
        ----------
        off, on : iterable of str
            Rules that shall not decide, and rules that shall be live. A list that acts is the rule `LIST-<name>`:
            off, it no longer acts by itself, and rules that ask for it keep its values.
        outcomes : mapping of str to str, optional
            Other outcomes, by rule.
        priorities : mapping of str to int, optional
            Other priorities, by rule; the smallest decides first.
        params : mapping of str to mapping, optional
            Other default values, such as `{"TX-1": {"limit": 400}}`; only these rules are applied anew.
        costs : Costs or mapping, optional
            Other costs than those of the simulation.

        Returns
        -------
        WhatIf
            Tables `changes` and `rules`; on request `measures` (rates too), `swaps`, `hits` and `regions`; `book` is
            the written book, so changed.

        Raises
        ------
        RuleError
            For a rule or parameter that is not in the book, a rule both on and off, or a list that cannot act so.
        ParameterError
            For an outcome that is not on the ladder, or a cost that does not exist.

        Examples
        --------
        >>> import pandas as pd, riskbench as rb
        >>> events = rb.read(
        ...     pd.DataFrame({"id": [1, 2, 3], "amount": [10.0, 700.0, 900.0], "fraud": [0, 0, 1]}),
        ...     roles=rb.Roles(id="id", amount="amount", label="fraud"),
        ... )
        >>> book = rb.RuleBook.from_yaml('''
        ... book: demo
        ... domain: transactions
        ... rules:
        ...   - {id: TX-1, when: amount > 500, outcome: review, status: live}
        ... ''')
        >>> found = rb.simulate(book, events).what_if(outcomes={"TX-1": "block"})
        >>> found.frame()[["measure", "before", "after", "difference"]].head(4)
                               measure  before  after  difference
        0                       alerts     2.0    2.0         0.0
        1               frauds alerted     1.0    1.0         0.0
        2  good events held or stopped     1.0    1.0         0.0
        3                      reviews     2.0    0.0        -2.0
        """
        standing = self.standing if costs is None else Standing(self.hits, Costs.from_mapping(costs))
        return what_if(standing, off=off, on=on, outcomes=outcomes, priorities=priorities, params=params)

    @property
    def drawable(self) -> bool:
        """Whether any rule has a precision to show."""
        return bool(self.rules["precision"].notna().any())

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of rules."""
        return 1.2 + 0.32 * min(15, max(1, int(self.rules["precision"].notna().sum())))

    def _draw(self, ax: Axes) -> None:
        shown = self.rules[self.rules["hits"] > 0].nlargest(15, "hits").iloc[::-1]
        shown = shown[shown["precision"].notna()]
        place = np.arange(len(shown))
        rate = 100 * shown["precision"].to_numpy()
        ends = np.abs(np.stack([100 * shown["precision_lower"], 100 * shown["precision_upper"]]) - rate)
        colours = [BLUE if status == "live" else GREY for status in shown["status"]]
        ax.hlines(place, rate - ends[0], rate + ends[1], color=colours, linewidth=2)
        ax.scatter(rate, place, color=colours, zorder=3)
        ax.set_yticks(
            place, [f"{rule} ({hits:,} hits)" for rule, hits in zip(shown["rule"], shown["hits"], strict=True)]
        )
        ax.set_xlim(-2, 102)
        ax.margins(y=0.08)
        style(
            ax,
            title="Precision of each rule, 95 % interval (grey: not live)",
            x="labelled hits that are fraud (%)",
            y="",
        )


def simulate(
    book: RuleBook,
    dataset: Dataset,
    *,
    asof: str | pd.Timestamp | None = None,
    unit: str | None = None,
    per: str | None = None,
    costs: Costs | Mapping[str, float] | None = None,
    on: str | pd.Timestamp | None = None,
) -> Simulation:
    """Apply a rule book to events and measure every rule and the whole set.

    Use it to see what the rules do today, or what a changed book would do. Read precision as the share of
    labelled hits that are fraud, and look at `unlabelled` before trusting it. Hits are counted for every rule;
    outcomes are decided by live rules only: the smallest priority first, then the harsher outcome.

    A young event is known as fraud before its silent fellows are known as good, so counted precision flatters where
    labels come late. The headline's Precision, Recall and Value caught therefore say what the alerts will turn out
    to be, on those old enough; `.frame("matured")` says it for every rule, with what of it rests on correction, and
    its intervals hold what is still to come. The headline's hold the chance of the events too. Where all is mature
    and nothing was stopped both are as counted.

    Parameters
    ----------
    book : RuleBook
        The rules; velocity features that it names are computed on the way.
    dataset : Dataset
        The events.
    asof : str or Timestamp, optional
        Only events and verdicts up to then count (UTC).
    unit : str, optional
        A column of who is judged (a seller): hits of one unit in one period are one case.
    per : str, optional
        The period of a case: "1d", "7d", "12h"; without it a unit is one case.
    costs : Costs or mapping, optional
        The stated costs by which tables on request tell net value.
    on : str or Timestamp, optional
        The day whose lists and regional deviations act: by default that of `asof`, else of the last event.

    Returns
    -------
    Simulation
        Tables `rules`, `whole`, `outcomes`; on request `matured`, `regions`, `weeks`, `matrix`, `signatures`, and what
        each rule is worth given all others: `leave_one_out`, `marginal`, `retirement`, `together`, `overlap`,
        `contradictions`, `redundancy`, `credit`, `leave_one_out_regions`.

    Raises
    ------
    RuleError
        When a rule does not fit the events' columns.
    ColumnNotFoundError
        When the unit is not a column.
    ParameterError
        For a cost that does not exist or is out of range, or a day that is none.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(
    ...     pd.DataFrame({"id": [1, 2, 3, 4], "amount": [10.0, 900.0, 950.0, None], "fraud": [0, 1, 0, 1]}),
    ...     roles=rb.Roles(id="id", amount="amount", label="fraud"),
    ... )
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
    ... ''')
    >>> rb.simulate(book, events).frame()[["rule", "hits", "frauds", "precision", "recall"]]
       rule  hits  frauds  precision  recall
    0  TX-1     2       1        0.5     0.5
    """
    book_and_events(book, dataset)
    begun = time.perf_counter()
    stated = Costs.from_mapping(costs)
    held = hits(book, dataset, asof=asof, on=on)
    standing = Standing(held, stated)
    scale = held.scale
    whole = tally(held)
    codes = case_codes(held.dataset, unit=unit, per=per) if unit is not None else None
    rules = _rules(held, whole, scale=scale, codes=codes)
    effects = np.array([rung.effect for rung in ladder(book.domain).rungs])
    level = held.resolution.level
    by_level = tally(held, codes=level, size=len(effects))
    alerted = effects != "none"
    insulting = np.isin(effects, ["review", "stop"])
    both = _whole(held, whole, alerted=alerted, insulting=insulting, codes=codes)
    maturing = Maturing(held)
    lazy: Mapping[str, Callable[[], pd.DataFrame]] = {
        "matured": partial(_matured, maturing, insulting),
        "regions": partial(_split, held, "region"),
        "weeks": partial(_split, held, "week"),
        "overlap": partial(overlap, held),
        "matrix": partial(_matrix, held),
        "signatures": partial(signatures, held),
        "leave_one_out": partial(leave_one_out, standing),
        "leave_one_out_regions": partial(leave_one_out_regions, standing),
        "marginal": partial(marginal, standing),
        "retirement": partial(retirement, standing),
        "together": partial(together, standing),
        "contradictions": partial(contradictions, standing),
        "redundancy": partial(redundancy, standing),
        "credit": partial(credit, standing),
    }
    return Simulation(
        rules=rules,
        whole=both,
        outcomes=_outcomes(held, by_level),
        book=held.written,
        events=int(whole.hits[0]),
        frauds=int(whole.frauds[0]),
        good=int(whole.good[0]),
        unlabelled=int(whole.unlabelled[0]),
        alerts=int(by_level.hits[alerted].sum()),
        currency=held.dataset.currency.code,
        hits=held,
        standing=standing,
        maturing=maturing,
        pages={"rules": ("", page(rules, Simulation.repr_columns))},
        lazy=lazy,
        notes=(*notes(held, whole), *_account(standing), *group_notes(held.dataset, book=held.book)),
        provenance=_provenance(held, unit=unit, per=per, seconds=time.perf_counter() - begun),
    )


def _account(standing: Standing) -> tuple[str, ...]:
    """Return what troubling a good account costs, in words."""
    held, code = standing.held.worth, standing.held.dataset.currency.code
    return (f"Assumed: {held.told(standing.costs, code)}.",) if held.account else ()


def _rules(held: Hits, whole: Tally, *, scale: float, codes: npt.NDArray[np.int64] | None) -> pd.DataFrame:
    book, bits = held.book, held.bits
    rows = [bits.positions(place) for place in range(len(book.rules))]
    parts = Tally.stack([tally(held, picked) for picked in rows])
    columns = measures(parts, whole, scale=scale)
    for name, lines in (("unique", _unique(held)), ("first", _first(held))):
        own = Tally.stack([tally(held, positions(line)) for line in lines])
        columns |= {
            f"{name}_hits": own.hits,
            f"{name}_frauds": own.frauds,
            f"{name}_value": own.value[:, FRAUD] / scale,
        }
    if codes is not None:
        columns |= case_measures([codes[picked] for picked in rows], [held.labels.state[picked] for picked in rows])
    keys: dict[str, list[object]] = {
        "rule": [rule.id for rule in book.rules],
        "outcome": [rule.outcome for rule in book.rules],
        "status": [rule.status for rule in book.rules],
        "priority": [rule.priority for rule in book.rules],
    }
    return framed(keys, columns)


def _unique(held: Hits) -> Words:
    """Return each rule's hits that no other live rule has."""
    lines, live = held.bits.words, list(held.live)
    if not len(lines):
        return lines
    alone, any_live = hit_by_one(lines[live]), union(lines[live])
    return np.stack([line & (alone if place in live else ~any_live) for place, line in enumerate(lines)])


def _first(held: Hits) -> Words:
    """Return each live rule's hits that no rule before it in deciding order has."""
    return first_hits(held.bits.words, held.live)


def _outcomes(held: Hits, by_level: Tally) -> pd.DataFrame:
    scale = held.scale
    total = max(1, int(by_level.hits.sum()))
    return pd.DataFrame(
        {
            "outcome": list(ladder(held.book.domain).names),
            "effect": [rung.effect for rung in ladder(held.book.domain).rungs],
            "events": by_level.hits,
            "event_share": by_level.hits / total,
            "frauds": by_level.frauds,
            "good": by_level.good,
            **by_level.reasons,
            "fraud_value": by_level.value[:, FRAUD] / scale,
            "good_value": by_level.value[:, GOOD] / scale,
        }
    )


def _whole(
    held: Hits,
    whole: Tally,
    *,
    alerted: npt.NDArray[np.bool_],
    insulting: npt.NDArray[np.bool_],
    codes: npt.NDArray[np.int64] | None,
) -> pd.DataFrame:
    """Return the measures of all alerts, and of the alerts that are reviewed or stopped."""
    level = held.resolution.level
    rows = [np.flatnonzero(alerted[level]), np.flatnonzero(insulting[level])]
    parts = Tally.stack([tally(held, picked) for picked in rows])
    columns = measures(parts, whole, scale=held.scale)
    if codes is not None:
        columns |= case_measures([codes[picked] for picked in rows], [held.labels.state[picked] for picked in rows])
    return framed({"set": ["all alerts", "reviewed or stopped"]}, columns)


def _matured(maturing: Maturing, insulting: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Return what every rule's hits will turn out to be, and those of all live rules together."""
    held = maturing.held
    sets = chain(
        ((rule.id, held.bits.mask(place)) for place, rule in enumerate(held.book.rules)),
        (("(all alerts)", held.alerts), ("(reviewed or stopped)", insulting[held.resolution.level])),
    )
    return matured_table(maturing, sets)


def _split(held: Hits, axis: str) -> pd.DataFrame:
    """Return every rule's measures by region or week, and those of all live rules together."""
    codes, names = held.dataset.regions if axis == "region" else held.dataset.weeks
    whole = tally(held, codes=codes, size=len(names))
    scale = held.scale
    effects = np.array([rung.effect for rung in ladder(held.book.domain).rungs])
    alerts = np.flatnonzero((effects != "none")[held.resolution.level])
    sets = [(rule.id, held.bits.positions(place)) for place, rule in enumerate(held.book.rules)]
    sets.append(("(live rules)", alerts))
    frames = []
    for rule, rows in sets:
        part = tally(held, rows, codes=codes, size=len(names))
        keys: dict[str, list[object]] = {axis: list(names), "rule": [rule] * len(names)}
        frames.append(framed(keys, {"events": whole.hits, **measures(part, whole, scale=scale)}))
    return pd.concat(frames, ignore_index=True)


def _matrix(held: Hits) -> pd.DataFrame:
    """Return what history decided against what the live rules decide now, in counts and money."""
    names = ladder(held.book.domain).names
    if held.dataset.roles.outcome is None:
        before = np.zeros(held.bits.rows, dtype=np.int64)
        said: tuple[str, ...] = ("(no history)",)
    else:
        codes, said = held.dataset.segment(held.dataset.roles.outcome)
        before = codes.astype(np.int64)
    cells = before * len(names) + held.resolution.level
    split = tally(held, codes=cells, size=len(said) * len(names))
    return crossed(split, {"history": said, "simulated": names}, scale=held.scale)


def _provenance(held: Hits, *, unit: str | None, per: str | None, seconds: float) -> dict[str, object]:
    from riskbench import __version__

    return {
        "dataset": held.dataset.fingerprint,
        "book": held.book.hash,
        "label_recipe": held.labels.recipe,
        "parameters": {
            "asof": str(held.asof) if held.asof is not None else None,
            "on": held.day,
            "unit": unit,
            "per": per,
        },
        "sql": {rule.id: rule.when for rule in held.book.rules},
        "version": __version__,
        "seconds": round(seconds, 3),
    }
