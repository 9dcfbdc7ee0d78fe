"""Does each rule still do what it did? Its precision and its hits in recent weeks against its reference."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import micros
from riskbench.data.labels import BLOCKED, FRAUD, GOOD, UNKNOWN, verdicts
from riskbench.display import Fact, Result, number, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.display.fact import Unit
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import wilson
from riskbench.metrics.share_change import ShareChange, share_change
from riskbench.rules.doors import span, wanted
from riskbench.rules.hits import Hits
from riskbench.rules.simulation import Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Fewer labelled hits than this in either period bear no precision.
FEWEST = 10
#: Fewer weeks than this are no reference.
FEWEST_WEEKS = 4
LEVEL = 0.05
_WEEK = 7 * DAY
#: Days before the last one that say when a whole day ends, and how many of them must have events.
_DAYS_BEFORE, _FEWEST_DAYS = 28, 14


@result
class RuleDrift(Result):
    """How each rule's precision and hits moved.

    Attributes
    ----------
    rules : DataFrame
        One row a rule that is not retired: rule, status, outcome; precision_reference, precision_current with
        `_lower` and `_upper`, n_reference, n_current (labelled hits); change with lower and upper (95 %), p, q,
        precision (fell, rose, no change seen, not measurable: why); hits_reference, hits_current (a week),
        hits_change (times as many) with hits_lower and hits_upper, hits_p, hits_q, hits (fell, rose, no change seen);
        blocked_reference, blocked_current (share of mature hits that history stopped, so without a verdict).
    weeks : DataFrame
        One row a rule and mature week: rule, week (its first day), period, hits, labelled, frauds.
    fell, rose, moved, unmeasured : int
        Rules whose precision fell or rose, whose hits moved, and whose precision is not measurable.
    """

    kind: ClassVar[str] = "rule_drift"
    title: ClassVar[str] = "Drift of the rules"
    main: ClassVar[str] = "rules"
    repr_rows: ClassVar[int] = 20
    next_step: ClassVar[str] = '.frame("weeks") holds every week'

    rules: pd.DataFrame
    weeks: pd.DataFrame
    fell: int
    rose: int
    moved: int
    unmeasured: int
    current: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return how many rules moved."""
        return self.facts

    @property
    def _drawn(self) -> pd.DataFrame:
        return self.rules[self.rules["change"].notna()].sort_values("change", ascending=False).tail(15)

    @property
    def drawable(self) -> bool:
        """Whether any precision is measurable in both periods."""
        return bool(len(self._drawn))

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of rules."""
        return 1.5 + 0.34 * len(self._drawn)

    def _draw(self, ax: Axes) -> None:
        shown = self._drawn
        place = np.arange(len(shown))
        change, low, high = (100 * shown[name].to_numpy(dtype=np.float64) for name in ("change", "lower", "upper"))
        sure = shown["precision"].isin(["fell", "rose"]).to_numpy()
        colours = np.where(sure, np.where(change < 0, ORANGE, BLUE), GREY)
        ax.hlines(place, low, high, color=colours, linewidth=2)
        ax.scatter(change, place, color=colours, zorder=3)
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set_yticks(place, [f"{rule} ({n:,} now)" for rule, n in zip(shown["rule"], shown["n_current"], strict=True)])
        ax.margins(y=0.12)
        style(
            ax,
            title="Change of each rule's precision, 95 % interval (grey: within chance)",
            x="percentage points against the reference",
            y="",
        )


def watch_rules(
    simulation: Simulation,
    *,
    weeks: int = 4,
    reference: tuple[str | pd.Timestamp | None, str | pd.Timestamp | None] | None = None,
) -> RuleDrift:
    """Hold each rule's precision and hits in recent weeks against its reference, false discoveries controlled.

    Use it every week. Read `precision` as told by all rules together: where nothing changed, a look at a whole book
    names any rule's precision in at most 5 % of weeks, and any rule's hits in as many. Young weeks have no precision
    yet, so its recent weeks end where verdicts are complete; hits need no verdict, so theirs end with the data.

    Parameters
    ----------
    simulation : Simulation
        The rules on their events.
    weeks : int, 1..26
        How many recent weeks.
    reference : (start, end), optional
        The reference, UTC; by default all weeks before the recent ones.

    Returns
    -------
    RuleDrift
        Tables rules, weeks.

    Raises
    ------
    ParameterError
        When the weeks are no number of weeks.
    DataError
        Without times, or with too short a reference.

    Examples
    --------
    >>> import riskbench as rb
    >>> events = rb.sample("transactions", region="ID", orders=20_000)
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "model_score >= 0.3", outcome: challenge, status: live}
    ... ''')
    >>> drift = rb.watch_rules(rb.simulate(book, events))
    >>> drift.frame()[["rule", "precision"]].to_numpy().tolist()
    [['TX-1', 'no change seen']]

    Source: metrics/share_change.py names the papers; the sweep is held by Benjamini and Hochberg (1995).
    """
    wanted(simulation, "Simulation", name="simulation")
    span(reference, name="reference")
    begun = time.perf_counter()
    if isinstance(weeks, bool) or not isinstance(weeks, int) or not 1 <= weeks <= 26:
        raise ParameterError("The recent weeks are a whole number", got=repr(weeks)[:40], allowed="1..26")
    held = simulation.hits
    if not held.dataset.has("time"):
        raise DataError("There is no time, so no weeks to compare", hint="name the role 'time'")
    spans = _Spans.of(held, weeks, reference)
    state = _equal_ears(held)
    rules = [(place, rule) for place, rule in enumerate(held.book.rules) if rule.status != "retired"]
    rows, lines = [], []
    for place, rule in rules:
        picked = held.bits.positions(place)
        entry, own = _rule(rule.id, spans, state, picked)
        rows.append({"rule": rule.id, "status": rule.status, "outcome": rule.outcome, **entry})
        lines += own
    table = _judged(pd.DataFrame(rows))
    fell, rose, unmeasured = (int(table["precision"].str.startswith(word).sum()) for word in ("fell", "rose", "not me"))
    moved = int(table["hits"].isin(["fell", "rose"]).sum())
    return RuleDrift(
        rules=table,
        weeks=pd.DataFrame(lines, columns=["rule", "week", "period", "hits", "labelled", "frauds"]),
        fell=fell,
        rose=rose,
        moved=moved,
        unmeasured=unmeasured,
        current=spans.words,
        pages={"rules": ("Each rule against its reference", _page(table))},
        facts=_facts(table, spans),
        notes=_notes(held, spans, table),
        provenance={
            **{name: simulation.provenance.get(name) for name in ("dataset", "book", "label_recipe")},
            "parameters": {"weeks": weeks, "reference": None if reference is None else [str(end) for end in reference]},
            "seconds": round(time.perf_counter() - begun, 3),
        },
    )


class _Spans:
    """The reference and the recent weeks: of verdicts, and of hits."""

    def __init__(self, week: Ints, *, ripe: int, last: int, weeks: int, days: float, fixed: Mask | None) -> None:
        self.week, self.days, self.weeks = week, days, weeks
        self.ripe, self.last, self.fixed = ripe, last, fixed

    @classmethod
    def of(cls, held: Hits, weeks: int, reference: tuple[Any, Any] | None) -> _Spans:
        column = held.dataset.column("time")
        local = held.dataset.local_times
        present = column.present
        if not present.any():
            raise DataError("No event has a time")
        days = float(held.labels.mature_after or 0.0)
        times = column.values.astype(np.int64)
        moment = held.labels.asof
        now = micros(moment) if moment is not None else int(times[present].max())
        # Weeks are counted back from the last whole day, so that the last one is whole.
        end, broken_off = _whole_until(local[present].astype(np.int64))
        week = np.where(present, (local - end) // _WEEK, np.iinfo(np.int64).min)
        shift = int((local - times)[present][-1])
        told_until = -(-(now + shift) // DAY) * DAY
        if broken_off is not None and now + shift <= end + DAY:
            told_until = end
        ripe = (told_until - math.ceil(days * DAY) - end) // _WEEK - 1 if days else -1
        fixed = None
        if reference is not None:
            start, until = reference
            fixed = present.copy()
            fixed &= times >= (micros(start) if start is not None else np.iinfo(np.int64).min)
            fixed &= times < (micros(until) if until is not None else np.iinfo(np.int64).max)
        made = cls(week, ripe=min(int(ripe), -1), last=-1, weeks=weeks, days=days, fixed=fixed)
        made.end, made.broken_off = end, broken_off
        first = int(week[present].min())
        if made.ripe - weeks + 1 - first < FEWEST_WEEKS and fixed is None:
            raise DataError(
                "There are too few weeks with complete verdicts to compare with.",
                got=f"{max(0, made.ripe - weeks + 1 - first)} before the last {weeks}",
                allowed=f"{FEWEST_WEEKS} or more",
                hint="use a longer span, or fewer recent weeks",
            )
        return made

    end: int = 0
    #: The local moment at which the last day breaks off; None where it is whole.
    broken_off: int | None = None

    def recent(self, *, told: bool) -> Mask:
        """Return the events of the recent weeks: with complete verdicts, or up to the last."""
        top = self.ripe if told else self.last
        return np.asarray((self.week <= top) & (self.week > top - self.weeks))

    def before(self, *, told: bool) -> Mask:
        """Return the events of the reference."""
        top = self.ripe if told else self.last
        if self.fixed is not None:
            return np.asarray(self.fixed & (self.week <= (self.ripe if told else self.last)))
        return np.asarray((self.week <= top - self.weeks) & (self.week > np.iinfo(np.int64).min))

    def day(self, week: int) -> str:
        """Return a week's first day."""
        return str(np.datetime64((self.end + week * _WEEK) // DAY, "D"))

    @property
    def words(self) -> str:
        """The recent weeks of verdicts."""
        return f"{self.day(self.ripe - self.weeks + 1)} to before {self.day(self.ripe + 1)}"

    @property
    def words_hits(self) -> str:
        """The recent weeks of hits."""
        return f"{self.day(self.last - self.weeks + 1)} to before {self.day(self.last + 1)}"


def _whole_until(local: Ints) -> tuple[int, int | None]:
    """Return the end of the last whole day, and where the day after breaks off; None where none does.

    Data often end in the middle of a day. A last day is taken for broken off where its last event comes more than an
    hour earlier than that of each of the four weeks of days before.
    """
    last = int(local.max())
    today = last // DAY
    days = local // DAY
    recent = (days < today) & (days >= today - _DAYS_BEFORE)
    if recent.any():
        latest = np.full(_DAYS_BEFORE, -1, dtype=np.int64)
        np.maximum.at(latest, (days[recent] - (today - _DAYS_BEFORE)).astype(np.intp), local[recent] % DAY)
        seen = latest[latest >= 0]
        if len(seen) >= _FEWEST_DAYS and last % DAY < int(seen.min()) - DAY // 24:
            return today * DAY, last
    return (today + 1) * DAY, None


def _equal_ears(held: Hits) -> npt.NDArray[np.int8]:
    """Return what was told of each event within the maturity window, so that older weeks are heard no longer."""
    state = held.labels.state.copy()
    dataset, days = held.dataset, held.labels.mature_after
    if dataset.roles.label is None or dataset.roles.label_time is None or days is None:
        return state
    time_, told = dataset.column("time"), dataset.column("label_time")
    late = told.present & (told.values.astype(np.int64) - time_.values.astype(np.int64) > math.ceil(days * DAY))
    silence = bool((verdicts(dataset)[1] & ~told.present).any())
    state[(state == FRAUD) & late] = GOOD if silence else UNKNOWN
    if not silence:
        state[(state == GOOD) & late] = UNKNOWN
    return state


def _rule(
    name: str, spans: _Spans, state: npt.NDArray[np.int8], picked: npt.NDArray[np.intp]
) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    week = spans.week
    told, own = state[picked], week[picked]
    fraud, labelled = told == FRAUD, (told == FRAUD) | (told == GOOD)
    periods = {"reference": spans.before(told=True)[picked], "current": spans.recent(told=True)[picked]}
    changed, counts = _change(own, fraud & labelled, labelled, periods)
    entry: dict[str, Any] = {}
    for period, mask in periods.items():
        frauds, n = int((fraud & mask).sum()), int((labelled & mask).sum())
        value, low, high = (float(x) for x in wilson(frauds, n))
        shown = (value, low, high) if n else (None, None, None)
        entry |= dict(zip((f"precision_{period}{end}" for end in ("", "_lower", "_upper")), shown, strict=True))
        entry[f"n_{period}"] = n
        stopped = int((mask & (told == BLOCKED)).sum())
        entry[f"blocked_{period}"] = stopped / int(mask.sum()) if mask.any() else None
    fewest = min(entry["n_reference"], entry["n_current"])
    short = fewest < FEWEST
    entry |= {
        "change": None if short else changed.change,
        "lower": None if short else changed.lower,
        "upper": None if short else changed.upper,
        "p": None if short else changed.p,
    }
    entry |= _hits_change(spans, picked)
    lines = [(name, spans.day(int(w)), period, int(h), int(n), int(k)) for period, w, h, n, k in _lines(counts)]
    return entry, lines


def _change(
    own: Ints, hit: Mask, among: Mask, periods: dict[str, Mask]
) -> tuple[ShareChange, dict[str, tuple[Ints, Ints, Ints, Ints]]]:
    """Return how a share changed between two periods, and its weeks."""
    weekly = {period: _weekly(own[mask], hit[mask], among[mask]) for period, mask in periods.items()}
    _, _, total, hits = weekly["reference"]
    _, _, now, caught = weekly["current"]
    return share_change(hits, total, current_hits=float(caught.sum()), current_total=float(now.sum())), weekly


def _weekly(week: Ints, hit: Mask, among: Mask) -> tuple[Ints, Ints, Ints, Ints]:
    """Return by week: week, events, those that count, those that are hit."""
    if not len(week):
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    first = int(week.min())
    size = int(week.max()) - first + 1
    events, base, hits = (np.bincount(week[mask] - first, minlength=size) for mask in (among | True, among, hit))
    return np.arange(first, first + size), events, base, hits


def _hits_change(spans: _Spans, picked: npt.NDArray[np.intp]) -> dict[str, Any]:
    """Return how a rule's share of all events changed."""
    hit = np.zeros(len(spans.week), dtype=bool)
    hit[picked] = True
    periods = {"reference": spans.before(told=False), "current": spans.recent(told=False)}
    changed, weekly = _change(spans.week, hit, np.ones(len(hit), dtype=bool), periods)
    base = changed.reference or 0.0
    times = [None if not base or end is None else max(0.0, 1 + end / base) for end in
             (changed.change, changed.lower, changed.upper)]  # fmt: skip
    lengths = {period: max(1, len(held[0])) for period, held in weekly.items()}
    return {
        "hits_reference": float(weekly["reference"][3].sum()) / lengths["reference"],
        "hits_current": float(weekly["current"][3].sum()) / lengths["current"],
        "hits_change": times[0],
        "hits_lower": times[1],
        "hits_upper": times[2],
        "hits_p": changed.p if changed.change is not None else None,
    }


def _lines(counts: dict[str, tuple[Ints, Ints, Ints, Ints]]) -> Sequence[tuple[Any, ...]]:
    return [(period, *line) for period, held in counts.items() for line in zip(*held, strict=True)]


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with q values over all rules, and a word for each."""
    if not len(table):
        return pd.DataFrame(columns=["rule", "status", "outcome", "change", "precision", "hits", "n_current"])
    for p, q, size, word in (("p", "q", "change", "precision"), ("hits_p", "hits_q", "hits_change", "hits")):
        known = table[p].notna()
        table[q] = None
        table.loc[known, q] = q_values(table.loc[known, p].to_numpy(dtype=np.float64))
        table[q] = table[q].astype(np.float64)
        middle = 0.0 if p == "p" else 1.0
        sure = known & (table[q] <= LEVEL)
        below = table[size].astype(np.float64) < middle
        table[word] = np.select(
            [~known, sure & below, sure], ["not measurable", "fell", "rose"], default="no change seen"
        )
    few = (table["precision"] == "not measurable").to_numpy()
    why = [
        f"not measurable: {now} labelled hits now, {then} before"
        for now, then in zip(table["n_current"], table["n_reference"], strict=True)
    ]
    table["precision"] = np.where(few, why, table["precision"])
    numbers = [name for name in table.columns if name not in ("rule", "status", "outcome", "precision", "hits")]
    table[numbers] = table[numbers].astype(np.float64)
    for name in ("n_reference", "n_current"):
        table[name] = table[name].astype(np.int64)
    return table


def _page(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rules in a reader's words."""
    return pd.DataFrame(
        [
            {
                "rule": row["rule"],
                "status": row["status"],
                "precision before": _shown(row["precision_reference"], "share"),
                "now": _shown(row["precision_current"], "share"),
                "labelled hits now": row["n_current"],
                "change": _shown(row["change"], "share", signed=True),
                "95 % interval": (
                    ""
                    if pd.isna(row["change"])
                    else f"{_shown(row['lower'], 'share', signed=True)} to {_shown(row['upper'], 'share', signed=True)}"
                ),
                "precision": str(row["precision"]).split(":")[0],
                "hits a week before": _shown(row["hits_reference"], "average"),
                "hits now": _shown(row["hits_current"], "average"),
                "hits": row["hits"],
            }
            for row in table.to_dict("records")
        ]
    )


def _shown(value: float, unit: Unit, *, signed: bool = False) -> str:
    return "–" if pd.isna(value) else number(float(value), unit, signed=signed)


def _facts(table: pd.DataFrame, spans: _Spans) -> tuple[Fact, ...]:
    def named(column: str, word: str) -> Fact:
        found = list(table.loc[table[column] == word, "rule"])
        what = "Precision" if column == "precision" else "Hits"
        shown = ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
        return Fact(f"{what} {word}", len(found), "count", n=len(table), note=shown)

    return (
        named("precision", "fell"),
        named("precision", "rose"),
        named("hits", "fell"),
        named("hits", "rose"),
        Fact(
            "Precision not measurable",
            int(table["precision"].astype(str).str.startswith("not me").sum()),
            "count",
            n=len(table),
            note=f"fewer than {FEWEST} labelled hits",
        ),
        Fact("Weeks judged", spans.words, "text"),
    )


def _notes(held: Hits, spans: _Spans, table: pd.DataFrame) -> tuple[str, ...]:
    notes = [
        f"Precision: {spans.words} against all before. Hits: {spans.words_hits} against all before."
        if spans.fixed is None
        else f"Precision: {spans.words}, hits: {spans.words_hits}, against the reference that was named.",
    ]
    if spans.broken_off is not None:
        stops = np.datetime64(spans.broken_off, "us").astype("datetime64[m]").item()
        notes.append(
            f"The events break off on {stops:%Y-%m-%d} at {stops:%H:%M}: that day is not whole, so it is in no week."
        )
    level = f"{100 * LEVEL:.0f} %"
    notes.append(
        f"Where nothing changed, a look at the whole book names any rule's precision in at most {level} of looks, "
        "and any rule's hits in as many: looked at every week, each may be a false alarm two or three times a year."
    )
    if spans.days:
        notes.append(
            f"The weeks since {spans.day(spans.ripe + 1)} are too young for a precision. In all weeks only what was "
            f"told within {spans.days:.0f} days counts, so that old weeks are heard no longer than recent ones."
        )
    both = table[["blocked_reference", "blocked_current"]].dropna() if len(table) else table
    moved = int((np.abs(both.iloc[:, 0] - both.iloc[:, 1]) > 0.2).sum()) if len(both) else 0
    if moved:
        notes.append(
            f"Of {moved} rules, history stopped quite another share of the hits than before: those have no verdict, so "
            "part of a change of precision may be a change of what was stopped."
        )
    return (f"Labels: {held.labels.recipe}.", *notes)
