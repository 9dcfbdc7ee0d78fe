"""How much of the fraud is known by now, and what will be known in the end?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.doors import a_dataset, column_names
from riskbench.data.labels import FEWEST_DELAYS, FRAUD, NO_CHANNEL, LabelState, label_state, stopped, unheard
from riskbench.display import Fact, Grounds, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.display.fact import Unit, number
from riskbench.engine.columns import DAY
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.costs import Costs, worth
from riskbench.metrics.estimate import Estimate
from riskbench.metrics.maturity.cohorts import (
    ESTIMATED,
    MEASURED,
    NOT_BEFORE,
    Grouped,
    Money,
    cohort_table,
    curve_table,
    group_table,
    grouped,
    ladder_table,
)
from riskbench.metrics.maturity.groups import ALL
from riskbench.metrics.maturity.weights import Matured, matured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

#: The columns that tell how late verdicts come, where the events have them.
USUAL = ("region", "label_source", "payment_method")
#: No more groups than this are told one by one.
MOST_GROUPS = 50
#: The weeks whose frauds the headline speaks of.
_RECENT = 28
#: Where the last verdicts came so late, by the age of the oldest event, later ones may well come.
_UNSEEN_FROM = 0.75
#: Cohorts on a page; the table holds all.
_SHOWN = 10
_GRAIN = re.compile(r"([1-9]\d{0,2})d", re.ASCII)


@result
class Maturity(Result):
    """How much of the fraud is known by now, and what will be known in the end.

    Attributes
    ----------
    cohorts : DataFrame
        One row a cohort: cohort (its first day), events, eligible (not stopped in history), frauds_known,
        frauds_matured with frauds_lower and frauds_upper (95 % interval of what will be known in the end),
        known_rate, matured_rate with ends, loss_known, loss_matured with ends (major units), share_told, corrected
        (the share of the matured figure that is inference), status: measured, estimated or not measurable before a
        day (of the cohort as a whole; a single event may have to wait longer); with `caught=` also recall with ends.
    curve : DataFrame
        group, age_days, share (told by that age), lower, upper, fitted.
    groups : DataFrame
        One row a delay curve: group, verdicts, median_days, days_to_90, longest_days, later_share (told later still,
        by the fitted shape) with ends, shape, pace_p, overstated, reading.
    ladder : DataFrame
        The weekly chain ladder as a second opinion: age_steps, events, frauds_known, frauds_matured with ends,
        share_told, loss_matured with ends, way.
    loss, frauds : Estimate
        The loss and the number of frauds in the end, of the cohorts old enough.
    """

    kind: ClassVar[str] = "maturity"
    title: ClassVar[str] = "Label maturity"
    main: ClassVar[str] = "cohorts"
    next_step: ClassVar[str] = ".frame('groups') tells how late each source is; every verb takes asof="
    cohorts: pd.DataFrame
    curve: pd.DataFrame
    groups: pd.DataFrame
    ladder: pd.DataFrame
    loss: Estimate
    frauds: Estimate
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the share told of the last weeks, known and matured money, and what is not measurable yet."""
        return self.facts

    @property
    def drawable(self) -> bool:
        """Whether there are cohorts in time."""
        return len(self._drawn) > 1

    @property
    def _drawn(self) -> pd.DataFrame:
        frame = self.cohorts[self.cohorts["eligible"] > 0]
        return frame[frame["cohort"].str.match(r"\d{4}-")].tail(40)

    def _draw(self, ax: Axes) -> None:
        frame = self._drawn
        when = pd.to_datetime(frame["cohort"]).to_numpy()
        rate = 100 * frame[["matured_rate", "matured_rate_lower", "matured_rate_upper"]].astype("float64").to_numpy()
        young = ~frame["status"].isin([MEASURED, ESTIMATED]).to_numpy()
        ax.fill_between(when, rate[:, 1], rate[:, 2], color=BLUE, alpha=0.2, linewidth=0)
        ax.plot(when, rate[:, 0], color=BLUE, marker="o", markersize=3.5, label="in the end, 95 %")
        known = 100 * frame["known_rate"].astype("float64").to_numpy()
        ax.plot(when, known, color=ORANGE, linestyle="--", marker="s", markersize=3, label="told so far")
        if young.any():
            first = when[int(np.flatnonzero(young)[0])]
            step = when[1] - when[0]
            ax.axvspan(first - step / 2, when[-1] + step / 2, color=GREY, alpha=0.18, linewidth=0, label="too young")
        style(ax, title="Fraud rate by cohort", x="first day of the cohort", y="frauds (% of events)")
        top = np.nanmax(np.concatenate((rate[:, 2], known, [0.01])))
        ax.set_ylim(0, 1.25 * top)
        ax.legend(frameon=False, ncols=3, loc="upper left", fontsize=9)
        ax.figure.autofmt_xdate(rotation=30)


def maturity(
    events: Dataset,
    *,
    by: Sequence[str] = USUAL,
    asof: str | pd.Timestamp | None = None,
    grain: str = "7d",
    caught: str | npt.ArrayLike | None = None,
    costs: Costs | None = None,
) -> Maturity:
    """Return how much of the fraud is known by now, and what will be known in the end.

    Use it before any recent figure is believed: last week looks clean because its verdicts have not come. Read
    `frauds_matured` as the frauds that will have been told of a cohort once all are told, and its interval as one
    for that number; read "not measurable before" as it stands. That day is one for a cohort as a whole, of which
    enough is told by then; a single event, as every other verb judges it, has to wait until enough would be told of
    its own group, which may be the slowest and so take longer. What is told later than the longest age seen is in
    no figure; `later_share` says how much that may be.

    Parameters
    ----------
    events : Dataset
        The events, with a label and, to see any delay, a time and a time of the label.
    by : sequence of str
        Columns or roles that tell how late verdicts come. Of the usual three those are used that the events have;
        others must exist. A group with fewer than 60 verdicts joins the next wider one.
    asof : str or Timestamp, optional
        UTC; by default the last moment the data knows of. Later events are left out.
    grain : str
        The length of a cohort in whole days, such as "7d".
    caught : str or array of bool, optional
        A column, or one value an event, that is true where a rule or score caught the event: adds matured recall.
    costs : Costs, optional
        For the share of an amount that is lost, where no loss is measured.

    Returns
    -------
    Maturity
        Tables cohorts, curve, groups, ladder.

    Raises
    ------
    ParameterError
        When `grain` is not whole days, or `caught` does not fit the events.
    ColumnNotFoundError
        When a column of `by` or `caught` is missing.
    DataError
        When there is no label, or `caught` does not hold true and false.

    Examples
    --------
    >>> import riskbench as rb
    >>> told = rb.maturity(rb.sample("transactions", region="ID", orders=5_000, seed=7))
    >>> told.frame().columns[:4].tolist()
    ['cohort', 'events', 'eligible', 'frauds_known']
    >>> told.frame()["status"].iloc[0]
    'measured'

    Source: Lagakos, S. W. and others (1988), Biometrika 75, 515-523; Mack, T. (1993), ASTIN Bulletin 23, 213-225.
    """
    a_dataset(events, name="events")
    days, costs = _days(grain), Costs.from_mapping(costs)
    flags = _caught(events, caught)
    columns, chosen = _columns(events, by)
    notes: list[str] = []
    if asof is not None and events.has("time"):
        time = events.column("time")
        inside = ~(time.present & (time.values > micros(asof)))
        if not inside.all():
            notes.append(f"{int((~inside).sum()):,} events after the as-of moment are left out.")
            events, flags = events.where(inside), None if flags is None else flags[inside]
    chosen = chosen & set(events.roles.named().values()) if chosen else chosen
    read = _as_grouped(events, columns)
    labels = label_state(read, asof=asof)
    held = _borne(matured(read, labels, [name for name in columns if name in read.table]))
    eligible = ~stopped(events)
    money = _money(events, costs)
    delays = _delays(read)
    groups, left = grouped(held, delays, most=MOST_GROUPS)
    if left:
        notes.append(f"{left} groups with fewer verdicts are not told one by one; their figures are in the cohorts.")
    cohorts, ready = cohort_table(events, held, eligible, days=days, money=money, caught=flags)
    held = replace(held, measurable=ready)
    young, short = _young(cohorts)
    notes += _notes(events, labels, held, eligible)
    loss = held.total(money.loss, rows=eligible) if money.loss is not None else Estimate.none("no amount")
    frauds = held.total(rows=eligible)
    return Maturity(
        cohorts=cohorts,
        curve=curve_table(groups),
        groups=group_table(groups),
        pages=_pages(cohorts),
        ladder=ladder_table(held, delays, eligible, days=days, money=money),
        loss=loss,
        frauds=frauds,
        facts=_facts(held, groups, (eligible, short), (money, loss), timed=not _untimed(events)),
        notes=tuple(notes),
        grounds=_grounds(labels, held, groups, (eligible, young, unheard(events, labels)), frauds),
        provenance={
            "dataset": events.fingerprint,
            "label_recipe": labels.recipe,
            "parameters": {"by": columns, "asof": asof, "grain": grain, "caught": caught is not None},
        },
    )


def _borne(held: Matured) -> Matured:
    """Return the same, without a figure where few verdicts bear a time: the next may come after all of them.

    Of n verdicts and a further one, the further one is the latest with a chance of 1 in n + 1.
    """
    if held.why or held.bearer is None:
        return held
    dated = int(np.count_nonzero(held.bearer >= 0))
    if dated >= FEWEST_DELAYS:
        return held
    return replace(held, why=f"only {dated} dated verdict{'s' if dated != 1 else ''}, {FEWEST_DELAYS} are needed")


def _untimed(events: Dataset) -> bool:
    """Return whether labels bear no time, so that no delay can be seen."""
    return not (events.has("time") and events.has("label_time"))


def _later(held: Matured) -> str:
    """Return what no event is old enough to show, in words; empty where the latest verdicts came well before."""
    curve = held.curves.get(ALL)
    if curve is None or not curve.n or held.ages is None:
        return ""
    ages = held.ages[np.isfinite(held.ages)]
    oldest = float(ages.max()) if len(ages) else 0.0
    if curve.horizon < _UNSEEN_FROM * oldest:
        return ""
    late = f"verdicts later than {oldest:.0f} days after the event"
    return f"{late}: none is older, and the last came on day {curve.horizon:.0f}."


def _days(grain: str) -> int:
    found = _GRAIN.fullmatch(grain.strip()) if isinstance(grain, str) else None
    if found is None:
        raise ParameterError("A cohort is a number of whole days", got=repr(grain), allowed='"1d" to "999d"')
    return int(found.group(1))


def _caught(events: Dataset, caught: str | npt.ArrayLike | None) -> Mask | None:
    if caught is None:
        return None
    if isinstance(caught, str):
        column = events.column(caught)
        if column.kind != "bool":
            raise DataError(f"The column {caught!r} does not say what was caught", got=column.kind, allowed="booleans")
        return column.present & column.values
    mask = np.asarray(caught) if isinstance(caught, np.ndarray | pd.Series) else np.array(caught, dtype=object)
    mask = mask.astype(bool) if mask.dtype == object and all(isinstance(one, bool) for one in mask.flat) else mask
    if mask.dtype != bool or mask.shape != (events.rows,):
        raise ParameterError(
            "What was caught is one boolean an event", got=f"{mask.shape} of {mask.dtype}", allowed=f"{events.rows}"
        )
    return mask


def _columns(events: Dataset, by: Sequence[str]) -> tuple[list[str], set[str]]:
    """Return the columns to group by; the usual ones only where they exist."""
    wanted = column_names(by)
    here = {*events.table.names, *events.roles.named()}
    held = [events.resolve(name) for name in wanted if name in here or name not in USUAL]
    return list(dict.fromkeys(held)), set(held)


def _as_grouped(events: Dataset, columns: list[str]) -> Dataset:
    """Return the events without the roles by which they are not to be grouped."""
    dropped = {
        role: None
        for role in ("region", "label_source")
        if getattr(events.roles, role) is not None and events.resolve(role) not in columns
    }
    return events.with_roles(**dropped) if dropped else events


def _delays(events: Dataset) -> Floats:
    if not (events.has("time") and events.has("label_time")):
        return np.full(events.rows, np.nan)
    time, told = events.column("time"), events.column("label_time")
    both = time.present & told.present
    return np.maximum(np.where(both, (told.values - time.values) / DAY, np.nan), 0.0)


def _money(events: Dataset, costs: Costs | None) -> Money:
    held = worth(events)
    if not held.money:
        return Money(None)
    weight = held.loss_weight(costs or Costs())
    return Money(np.abs(held.loss) * weight / 10.0**events.currency.decimals, events.currency.code)


def _notes(events: Dataset, labels: LabelState, held: Matured, eligible: Mask) -> list[str]:
    notes = []
    if _untimed(events):
        missing = "label_time" if events.has("time") else "time"
        notes.append(f"Without {missing} there are no delays to see: labels count as mature.")
    if held.why:
        notes.append(f"Nothing can be corrected: {held.why}.")
    if not eligible.all():
        notes.append(f"{int((~eligible).sum()):,} events that history stopped have no verdict and are left out.")
    mute = int(np.count_nonzero(labels.state == NO_CHANNEL))
    if mute:
        notes.append(f"{mute:,} events have no dispute channel: of their frauds only those told all the same are here.")
    if labels.asof is not None and events.has("time") and events.has("label_time"):
        time, told = events.column("time"), events.column("label_time")
        early = (labels.state == FRAUD) & time.present & told.present & (told.values < time.values)
        if early.any():
            notes.append(f"{int(early.sum()):,} frauds were told before their event: they count as told at once.")
    if held.clumped > 1:
        notes.append(f"Frauds are told in clumps: intervals are {held.clumped**0.5:.1f} times as wide as by chance.")
    return notes


def _facts(
    held: Matured, groups: list[Grouped], shown: tuple[Mask, str], lost: tuple[Money, Estimate], *, timed: bool
) -> tuple[Fact, ...]:
    (eligible, young), (money, loss) = shown, lost
    whole = groups[0] if groups and groups[0].curve.n else None
    facts = []
    if held.ages is not None and not held.why:
        recent = eligible & (held.ages < _RECENT)
        told = held.told(recent)
        facts.append(Fact("Frauds of the last 4 weeks told so far", told, "share", note="" if told else "no event"))
    if money.loss is not None:
        known = held.known & eligible & held.measurable
        counted = float(money.loss[known].sum())
        named = "Loss known, of cohorts old enough"
        facts.append(Fact(named, counted, "money", n=int(known.sum()), currency=money.currency))
        facts.append(
            Fact(
                "Loss of these in the end",
                loss.value,
                "money",
                lower=loss.lower,
                upper=loss.upper,
                n=loss.n,
                currency=money.currency,
                note=loss.why,
            )
        )
    if whole is not None:
        facts.append(Fact("Half of the frauds are told within", whole.curve.age_of(0.5), "days", n=whole.curve.n))
        facts.append(Fact("Pace of verdicts", whole.pace.reading, "text"))
    if held.why:
        facts.append(Fact("Frauds in the end", None, "count", note=held.why))
    elif young:
        facts.append(Fact("Not measurable yet", young, "text", note="each cohort as a whole"))
    elif not timed:
        facts.append(Fact("Labels", "bear no time and count as mature", "text"))
    return tuple(facts)


def _grounds(
    labels: LabelState, held: Matured, groups: list[Grouped], shown: tuple[Mask, str, str], frauds: Estimate
) -> Grounds:
    eligible, young, never = shown
    known = int((held.known & eligible).sum())
    at = f" by {labels.asof:%Y-%m-%d}" if labels.asof is not None else ""
    measured = f"{known:,} frauds told{at}."
    estimated = ""
    if frauds.value is not None and held.ages is not None:
        estimated = f"{frauds.corrected:.0%} of the frauds in the end are those still to be told, by delays so far."
        estimated = estimated.replace("%", " %")
    flagged = [group for group in groups if group.pace.flagged]
    if groups and groups[0].pace.flagged:
        estimated = f"{estimated} Verdicts come {groups[0].pace.reading}.".strip()
    elif flagged:
        estimated = f"{estimated} The pace changed of late in {len(flagged)} of {len(groups)} delay curves.".strip()
    if young and (single := _single(labels, held)):
        young = f"{young} {single}"
    if held.why:
        young = f"everything: {held.why}."
    elif later := _later(held):
        young = f"{young.removesuffix('.')}; {later}" if young else later
    young = f"{young} {never}".strip()
    return Grounds(measured=measured, estimated=estimated, not_measurable=young)


def _pages(cohorts: pd.DataFrame) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the youngest cohorts as a reader meets them, the youngest first."""
    shown = cohorts.iloc[::-1].head(_SHOWN)
    page = pd.DataFrame(
        {"cohort": shown["cohort"], "events": shown["eligible"], "frauds so far": shown["frauds_known"]}
    )
    page["frauds in the end"] = [
        _between(row, "count") for row in shown[["frauds_matured", "frauds_lower", "frauds_upper"]].to_numpy()
    ]
    if "loss_matured" in cohorts:
        page["loss so far"] = [number(value, "money") for value in shown["loss_known"]]
        page["loss in the end"] = [
            _between(row, "money") for row in shown[["loss_matured", "loss_lower", "loss_upper"]].to_numpy()
        ]
    if "recall" in cohorts:
        page["recall"] = [
            _between(row, "share") for row in shown[["recall", "recall_lower", "recall_upper"]].to_numpy()
        ]
    page["told by now"] = [number(value, "share") for value in shown["share_told"]]
    page["status"] = shown["status"]
    caption = f"The {len(shown)} youngest cohorts, 95 % intervals" if len(cohorts) > len(shown) else "Cohorts"
    return {"cohorts": (caption, page)}


def _between(held: npt.NDArray[np.object_] | Floats, unit: Unit) -> str:
    """Return a value with its interval, or a dash."""
    if pd.isna(held).any():
        return "–"
    value, lower, upper = (float(end) for end in held)
    if round(lower) == round(upper) and unit == "count":
        return number(value, unit)
    ends = [number(end, unit).removesuffix(" %") for end in (lower, upper)]
    return f"{number(value, unit)} ({ends[0]} to {ends[1]})"


def _young(cohorts: pd.DataFrame) -> tuple[str, str]:
    """Return which cohorts are too young: as a sentence, and in a few words for the headline."""
    waiting = cohorts[cohorts["status"].str.startswith(NOT_BEFORE)]
    if not len(waiting):
        return "", ""
    first, last = waiting.iloc[0], waiting.iloc[-1]
    ends = [row["status"].removeprefix(NOT_BEFORE).strip() for row in (first, last)]
    until = f"{ends[0]} to {ends[1]}" if ends[0] != ends[1] else ends[0]
    sentence = f"cohorts since {first['cohort']}, each as a whole, before {until}."
    return sentence, f"since {first['cohort']}, until {ends[1]}"


def _single(labels: LabelState, held: Matured) -> str:
    """Return when single events are old enough, in words; later than their cohort as a whole."""
    if held.until is None or labels.asof is None:
        return ""
    return f"Single events, as in a simulation, {held.too_young(labels.asof)}: the slowest source sets that day."
