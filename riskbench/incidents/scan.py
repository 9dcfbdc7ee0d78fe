"""Is something going wrong anywhere? A sweep of all segments and entities, with its false alarms counted."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.doors import a_dataset
from riskbench.data.labels import FRAUD
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, style
from riskbench.display.mask import masked
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError
from riskbench.incidents.burst import EntityBurst, draft, grouped, swept_entities
from riskbench.incidents.incident import Incident
from riskbench.incidents.scope import Scope, set_aside
from riskbench.incidents.survey import columns_of, hours_of, looked_at, measures_of, too_little, utc, whole
from riskbench.incidents.sweep import Alarm, Hours, alarms, covers, part_of
from riskbench.metrics.costs import Costs, worth
from riskbench.rules.mining.pieces import column_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, GREY)
#: A finding whose end is as near to the end of the events is still running, in microseconds.
_RUNNING = DAY
#: With less before it, in microseconds, an incident is compared with what came after it.
_SHORT = 7 * DAY
#: The title of the measure that a draft takes where it is among those that rose.
_FRAUD = "fraud told"
#: What counts as a hit of an entity, the first that is measurable.
_HITS = ("fraud", "flagged", "alerts")
_ANOMALIES = (
    "measure", "segment", "condition", "start", "end", "still_running", "n", "observed", "expected", "effect",
    "effect_lower", "effect_upper", "excess", "money", "q_value", "also",
)  # fmt: skip
_ENTITIES = ("column", "value", "start", "end", "still_running", "n", "frauds", "expected", "money", "q_value")


@result
class Scan(Result):
    """What a sweep found: segments and entities that left their own history, and draft incidents made of them.

    Attributes
    ----------
    anomalies : DataFrame
        One row a finding, the strongest first: measure, segment (in words), condition (rule text; missing where a
        value cannot be written as one), start and end (UTC, the end exclusive), still_running, n (events),
        observed and expected (counts, or money in major units), effect (observed over expected, with lower and
        upper), excess, money (what the excess is worth, major units), q_value, also (measures it explains too).
    entities : DataFrame
        One row a burst: column, value, start, end, still_running, n (events), frauds (or flagged events, as the
        notes say), expected, money, q_value.
    drafts : tuple of Incident
        Findings as incidents to investigate, the strongest first.
    found, found_entities : int
        How many findings there are, beyond those shown.
    series, windows, entity_tests : int
        How much was swept: series, windows of all lengths, entities.
    level : float
        The rate of false discoveries.
    why_not : str or None
        Why nothing is measurable; None where it is.
    """

    kind: ClassVar[str] = "scan"
    title: ClassVar[str] = "Scan for incidents"
    main: ClassVar[str] = "anomalies"
    repr_columns: ClassVar[tuple[str, ...]] = (
        "measure", "segment", "start", "end", "observed", "expected", "effect", "money", "q_value", "also",
    )  # fmt: skip
    repr_tables: ClassVar[tuple[str, ...]] = ("entities",)
    next_step: ClassVar[str] = "riskbench.investigate(scan.strongest, events)"

    anomalies: pd.DataFrame
    entities: pd.DataFrame
    drafts: tuple[Incident, ...] = ()
    found: int = 0
    found_entities: int = 0
    series: int = 0
    windows: int = 0
    entity_tests: int = 0
    level: float = 0.05
    currency: str = ""
    why_not: str | None = None
    span: tuple[pd.Timestamp, pd.Timestamp] | None = None
    groups: tuple[tuple[str, pd.Timestamp, pd.Timestamp, str], ...] = ()

    @property
    def strongest(self) -> Incident | None:
        """The strongest finding as an incident; None where nothing was found."""
        return self.drafts[0] if self.drafts else None

    def headline(self) -> tuple[Fact, ...]:
        """Return what was found first, and how much of it chance alone would bring."""
        if self.why_not is not None:
            return (Fact("Findings", None, "count", note=self.why_not),)
        many = self.found + self.found_entities
        swept = f"{self.windows:,} windows of {self.series:,} series, {self.entity_tests:,} entities"
        if not many:
            return (Fact("Findings", 0, "count", note="nothing found"), Fact("Swept", swept, "text"))
        facts = [Fact("Strongest", self.drafts[0].name if self.drafts else "not to be put in words", "text")]
        facts.append(Fact("Segments", self.found, "count", note=f"at most {self.level * many:.1f} of all by chance"))
        facts.append(Fact("Entities", self.found_entities, "count"))
        if len(self.anomalies):
            top = self.anomalies.iloc[0]
            said = Fact(
                "Times the usual", float(top["effect"]), "average", lower=float(top["effect_lower"]),
                upper=float(top["effect_upper"]), n=int(top["n"]),
                note=f"{top['measure']}: {self._segments()[0]}"[:120],
            )  # fmt: skip
            facts.append(said)
            if top["money"] is not None and np.isfinite(top["money"]):
                facts.append(Fact("Its excess", float(top["money"]), "money", currency=self.currency))
        return (*facts, Fact("Swept", swept, "text"))

    @property
    def height(self) -> float:
        """The picture's height in inches: a line a finding."""
        return 1.5 + 0.28 * max(4, len(self._bars()))

    def _bars(self) -> list[tuple[str, pd.Timestamp, pd.Timestamp, str]]:
        rows = self.anomalies[["start", "end", "measure"]].itertuples(index=False, name=None)
        return [*[(said, *row) for said, row in zip(self._segments(), rows, strict=True)][:10], *self.groups[:8]]

    def _segments(self) -> list[str]:
        """Return each finding's segment as the page tells it: without whole ids."""
        return list((self.pages["anomalies"][1] if "anomalies" in self.pages else self.anomalies)["segment"])

    def _draw(self, ax: Axes) -> None:
        bars = self._bars()
        kinds = list(dict.fromkeys(bar[3] for bar in bars))
        colour = {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(kinds)}
        seen: set[str] = set()
        for line, (_, start, end, name) in enumerate(bars):
            told = {"label": _short(name, 30)} if name not in seen else {}
            seen.add(name)
            begin, stop = _days(start), _days(end)
            ax.hlines(line, begin, stop, color=colour[name], linewidth=7, **told)
            ax.plot([begin], [line], marker="|", markersize=11, color=colour[name], markeredgewidth=2)
        ax.set_yticks(range(len(bars)), [_short(bar[0], 34) for bar in bars], parse_math=False)
        ax.set_ylim(max(len(bars), 1) - 0.4, -0.6)
        if self.span is not None:
            first, last = (_days(moment) for moment in self.span)
            wide = max(last - first, 0.05) * 0.02
            ax.set_xlim(first - wide, last + wide)
            ax.xaxis_date()
            ax.tick_params(axis="x", labelsize=8)
        style(ax, title=self.title, x="time (UTC)", y="")
        if bars:
            ax.legend(
                loc="upper center",
                bbox_to_anchor=(0.4, -0.55 / (self.height - 1.2)),
                ncols=min(3, len(kinds)),
                frameon=False,
                fontsize=8,
            )
        else:
            said = "not measurable" if self.why_not is not None else "nothing found"
            ax.text(0.5, 0.5, said, transform=ax.transAxes, ha="center", va="center", color=GREY)


def scan(
    events: Dataset,
    *,
    measures: Iterable[str] | None = None,
    segments: Iterable[str] | None = None,
    entities: Iterable[str] | None = None,
    asof: str | pd.Timestamp | None = None,
    since: str | pd.Timestamp | None = None,
    exclude: Iterable[str] = (),
    level: float = 0.05,
    most: int = 10,
    costs: Costs | None = None,
    seed: int = 0,
) -> Scan:
    """Return which segments and entities left their own history, from when to when, and draft incidents of them.

    Use it each morning with `since` the day before, or without it over a whole span to find past incidents. Each
    segment is held against its own history, hour by hour and over windows up to a week, with its usual hours and
    weekdays and its own scatter. What lifts all segments alike, growth or a campaign, is no alarm for a sum; a rate
    that rises everywhere is one. Frauds are counted against the chance that they would be told by now, so that
    young events neither hide nor feign anything. Read a q-value of 0.01 as: of a hundred findings as strong as this
    one, about one is chance. Only rises are found, not falls.

    Parameters
    ----------
    events : Dataset
        The events, with a time.
    measures : iterable of str, optional
        What may rise: fraud, events, amount, alerts, flagged, commission and so on; by default all that the roles
        allow, except the mean score and single label sources.
    segments : iterable of str, optional
        The columns whose values are swept; by default the region and segment roles, entity columns with few
        values, and where no segments are named, other columns with few values.
    entities : iterable of str, optional
        Columns of many entities, swept for bursts of frauds (without labels, of flagged events or alerts); by
        default the entity role.
    asof : str or Timestamp, optional
        What was known by then counts, UTC; by default all.
    since : str or Timestamp, optional
        Only what happens from here on is looked for, and what came before is the history, UTC; by default all of
        the span is looked through, each part held against the rest around it.
    exclude : iterable of str
        Columns that are not swept unless they are named: hand over `riskbench.check(events).leaks`.
    level : float, 0..1
        The rate of false discoveries, among segments and among entities.
    most : int, 1 or more
        How many findings and drafts are returned at most.
    costs : Costs, optional
        The stated costs; the share of an amount that a fraud loses.
    seed : int
        Kept in the provenance; nothing is drawn.

    Returns
    -------
    Scan
        Tables `anomalies` and `entities`; `drafts` and `strongest` are incidents to investigate.

    Raises
    ------
    DataError
        When the events bear no time.
    ParameterError
        When a measure or column is unknown, or a number is out of range.

    Examples
    --------
    >>> from riskbench import scan
    >>> import riskbench as rb
    >>> found = scan(rb.sample("transactions", "ID", orders=5000, seed=1), measures=["alerts"], entities=[])
    >>> found.frame().columns[:3].tolist()
    ['measure', 'segment', 'condition']
    """
    a_dataset(events, name="events")
    began = time.process_time()
    _checked(level, most)
    exclude = exclude if isinstance(exclude, str) else tuple(exclude)
    fingerprint = events.fingerprint
    scope, inside, notes = looked_at(set_aside(events, exclude), asof=asof, since=since, costs=costs, seed=seed)
    events = scope.dataset
    wanted, more = measures_of(scope, measures)
    columns, many = columns_of(events, segments, entities)
    given = {"measures": measures, "segments": segments, "entities": entities}
    provenance = {
        "dataset": fingerprint,
        "label_recipe": scope.state.recipe,
        "parameters": {
            **{name: None if names is None else [str(name) for name in names] for name, names in given.items()},
            "asof": None if asof is None else str(asof), "since": None if since is None else str(since),
            "exclude": list(exclude),
            "level": level, "most": most,
        },
        "seed": seed,
    }  # fmt: skip
    why = too_little(scope) or (None if wanted else "none of the measures can be measured in these events")
    if why is not None:
        return Scan(
            anomalies=_table([], _ANOMALIES), entities=_table([], _ENTITIES), level=level, currency=_code(events),
            why_not=why, span=events.span, notes=(*notes, *more), provenance=provenance,
        )  # fmt: skip
    cut = micros(since) if since is not None else None
    hours = hours_of(scope, inside, cut)
    held = [part_of(events, name, inside) for name in columns]
    left = [f"{part.column}: {part.left_out:,} values with few events are not swept." for part in held if part.left_out]
    parts = [whole(inside), *(part for part in held if len(part.names) > 1)]
    hit = next((measure for name in _HITS for measure in wanted if measure.name == name), None)
    found, series, windows = alarms(wanted, parts, hours, level=level)
    bursts: list[EntityBurst] = []
    tests = 0
    if many and hit is not None:
        bursts, tests = swept_entities(scope, hit, many, inside, since=cut, level=level)
        more += (f"What is counted for entities: {hit.title}.",)
    elif many:
        more += ("Entities are not swept: there is neither a label nor an outcome nor a score to count.",)
    money = _money(scope)
    covered = [covers(alarm, hours) for alarm in found]
    rows = [_row(alarm, mask, hours, scope, money) for alarm, mask in zip(found, covered, strict=True)]
    told = [_said(alarm, hide=alarm.part.column in events.roles.entities) for alarm in found]
    drafts = [
        (alarm.strength, _incident(alarm, row, said, scope)) for alarm, row, said in zip(found, rows, told, strict=True)
    ]
    groups = grouped(bursts, explained=covered)
    if hit is not None:
        drafts += [(group.strength, draft(group, hit, _baseline(scope, *group.ends))) for group in groups]
    drafts.sort(key=lambda held: -held[0])
    anomalies = _table(rows[:most], _ANOMALIES)
    who = _table([_burst_row(burst, scope, money) for burst in bursts], _ENTITIES)
    return Scan(
        anomalies=anomalies,
        entities=who,
        pages=_pages(anomalies, told[:most], who),
        drafts=tuple(incident for _, incident in drafts[:most]),
        found=len(found),
        found_entities=len(bursts),
        series=series,
        windows=windows,
        entity_tests=tests,
        level=level,
        currency=_code(events),
        span=events.span,
        groups=tuple(_bar(group.said, group.ends, hit.title) for group in groups[:8]) if hit is not None else (),
        notes=tuple(dict.fromkeys((*notes, *more, *left))),
        provenance={**provenance, "seconds": round(time.process_time() - began, 3)},
    )


def _checked(level: float, most: int) -> None:
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise ParameterError("The level is a share of false discoveries", got=repr(level)[:80], allowed="0.001 to 0.5")
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ParameterError("The number of findings is whole", got=repr(most)[:80], allowed="1 or more")


def _table(rows: list[dict[str, object]], names: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame([tuple(row[name] for name in names) for row in rows], columns=list(names))


def _bar(said: str, ends: tuple[int, int], kind: str) -> tuple[str, pd.Timestamp, pd.Timestamp, str]:
    return said, pd.Timestamp(ends[0], unit="us"), pd.Timestamp(ends[1], unit="us"), kind


def _code(events: Dataset) -> str:
    try:
        return events.currency.code
    except DataError:
        return ""


def _money(scope: Scope) -> npt.NDArray[np.float64] | None:
    """Return each event's money in minor units: the loss of a fraud, else the amount; None without money."""
    dataset = scope.dataset
    if not (dataset.has("amount") or "loss" in dataset.roles.measures):
        return None
    held = worth(dataset)
    loss = np.asarray(held.loss, dtype=np.float64) * held.loss_weight(scope.costs)
    # The loss of a fraud not told yet may stand in the data already.
    return np.where(scope.state.state == FRAUD, loss, 0.0) if held.loss_measured and dataset.has("label") else loss


def _row(
    alarm: Alarm, mask: Mask, hours: Hours, scope: Scope, money: npt.NDArray[np.float64] | None
) -> dict[str, object]:
    dataset, measure = scope.dataset, alarm.measure
    effect, lower, upper = alarm.interval
    unit = dataset.currency.scale if measure.unit == "money" else 1
    observed, expected = (value * alarm.unit / unit for value in (alarm.observed, alarm.expected))
    start, end = utc(hours.first + alarm.start, dataset), utc(hours.first + alarm.stop, dataset)
    last = int(scope.times[hours.place >= 0].max())
    share = max(0.0, 1.0 - expected / observed) if observed > 0 else 0.0
    worth_of = None
    if measure.unit == "money":
        worth_of = observed - expected
    elif money is not None:
        amount = (
            money if measure.name.startswith("fraud") else dataset.minor("amount") if dataset.has("amount") else money
        )
        held = mask & (np.asarray(measure.amount) > 0)
        worth_of = float(np.asarray(amount, dtype=np.float64)[held].sum()) / dataset.currency.scale * share
    return {
        "measure": measure.title,
        "segment": _said(alarm),
        "condition": _condition(alarm),
        "start": start,
        "end": end,
        "still_running": end.value // 1000 + _RUNNING > last,
        "n": int(mask.sum()),
        "observed": observed,
        "expected": expected,
        "effect": effect,
        "effect_lower": lower,
        "effect_upper": upper,
        "excess": observed - expected,
        "money": worth_of,
        "q_value": alarm.q,
        "also": ", ".join(alarm.also),
    }


def _pages(anomalies: pd.DataFrame, told: list[str], who: pd.DataFrame) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the tables as the page shows them: no id of an entity stands there whole."""
    pages = {}
    if len(anomalies):
        pages["anomalies"] = ("", anomalies.assign(segment=told)[list(Scan.repr_columns)])
    if len(who):
        pages["entities"] = ("Entities", who.assign(value=[masked(str(value)) for value in who["value"]]))
    return pages


def _said(alarm: Alarm, *, hide: bool = False) -> str:
    """Return an alarm's segment in words; with `hide`, its values only so far that they can be told apart."""
    names = [alarm.part.names[value] for value in alarm.values]
    if hide:
        names = [name if name.startswith("(") else masked(name) for name in names]
    if alarm.part.column is None:
        return names[0]
    return f"{alarm.part.column} {', '.join(names[:4])}" + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _condition(alarm: Alarm) -> str | None:
    """Return an alarm's segment as rule text; None for all events, or where a value cannot be written as one."""
    said = [alarm.part.said[value] for value in alarm.values]
    if alarm.part.column is None or any(text is None for text in said):
        return None
    known = [str(text) for text in said]
    head = f"{column_text(alarm.part.column)} = "
    if len(known) == 1 or not all(text.startswith(head) for text in known):
        return " OR ".join(known)
    return f"{head.removesuffix(' = ')} IN ({', '.join(text.removeprefix(head) for text in known)})"


def _incident(alarm: Alarm, row: dict[str, object], said: str, scope: Scope) -> Incident:
    start, end = pd.Timestamp(str(row["start"])), pd.Timestamp(str(row["end"]))
    where = row["condition"]
    return Incident(
        start.isoformat(),
        end.isoformat(),
        baseline=_baseline(scope, start.value // 1000, end.value // 1000),
        where=None if where is None else str(where),
        title=f"{alarm.measure.title}: {said}"[:120],
        measure="fraud" if _FRAUD in alarm.also else alarm.measure.name,
    )


def _baseline(scope: Scope, start: int, end: int) -> tuple[str, str] | None:
    """Return the time after an incident as what it is compared with, where there is too little before it."""
    times = scope.times[scope.current | scope.baseline]
    first, last = int(times.min()), int(times.max())
    before, after = start - first, last - end
    if before >= _SHORT or after <= before:
        return None
    ends = (pd.Timestamp(moment, unit="us").isoformat() for moment in (end, last + 1_000_000))
    return tuple(ends)  # type: ignore[return-value]


def _burst_row(burst: EntityBurst, scope: Scope, money: npt.NDArray[np.float64] | None) -> dict[str, object]:
    end = pd.Timestamp(burst.last, unit="us")
    last = int(scope.times[scope.current | scope.baseline].max())
    return {
        "column": burst.column,
        "value": burst.value,
        "start": pd.Timestamp(burst.first, unit="us"),
        "end": end,
        "still_running": burst.last + _RUNNING > last,
        "n": len(burst.rows),
        "frauds": burst.frauds,
        "expected": burst.expected,
        "money": None if money is None else float(money[burst.hits].sum()) / scope.dataset.currency.scale,
        "q_value": burst.q,
    }


def _days(moment: pd.Timestamp) -> float:
    """Return a moment in days since 1970, as a time axis counts."""
    return moment.value / 86_400e9


def _short(text: str, most: int) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
