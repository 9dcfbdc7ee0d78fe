"""How far from the limits of the card schemes' dispute programmes? Month by month, on the card share only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.dataset import Dataset, micros
from riskbench.data.doors import a_dataset
from riskbench.data.labels import stopped, verdicts
from riskbench.data.programmes import Programme, read_programmes
from riskbench.display import Fact, Grounds, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError, listed, nearest
from riskbench.metrics.constraints import Constraint, at_most
from riskbench.metrics.disputes.months import Seen, by_month, months_of
from riskbench.metrics.intervals import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

OVER, UNDER, FLOOR = "over the limit", "under the limit", "over, but under the floor of {floor:,}"
AT_LEAST, NOT_WHOLE, NO_LIMIT = "at least this: ask your acquirer", "the month is not whole", "no limit in force"
EARLY = "at least this: the data begin too late"
_BPS = 10_000


@result
class DisputeProgrammes(Result):
    """Each programme's ratio by month, and how far it is from the limit.

    Attributes
    ----------
    months : DataFrame
        One row a programme and month: programme, month, disputes (that came in), transactions, ratio_bps with lower
        and upper (95 %), limit_bps, floor, distance_bps (limit less ratio; below 0 is over), room (disputes that may
        still come before the programme acts: its limit, or its floor where that is more), whole (whether the data
        spans the month), status.
    programmes : DataFrame
        programme, name, counted, over, limit_bps, floor, since, checked, source, note.
    card_transactions, transactions : int
        Events that were paid by card and not stopped, and all that were not stopped.
    """

    kind: ClassVar[str] = "dispute_programmes"
    title: ClassVar[str] = "Dispute programmes"
    main: ClassVar[str] = "months"
    repr_tables: ClassVar[tuple[str, ...]] = ("programmes",)
    repr_columns: ClassVar[tuple[str, ...]] = (
        "programme",
        "month",
        "disputes",
        "transactions",
        "ratio_bps",
        "lower",
        "upper",
        "limit_bps",
        "status",
    )
    repr_rows: ClassVar[int] = 12
    next_step: ClassVar[str] = "rb.read_programmes(path) reads your own contract's limits"

    months: pd.DataFrame
    programmes: pd.DataFrame
    card_transactions: int
    transactions: int
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the last whole month's ratio of each programme, against its limit."""
        return self.facts

    @property
    def drawable(self) -> bool:
        """Whether there is a month with a ratio."""
        return bool(self.months["ratio_bps"].notna().any())

    def _draw(self, ax: Axes) -> None:
        shown = self.months[self.months["ratio_bps"].notna()]
        names = sorted(set(shown["month"]))
        series: dict[tuple[object, ...], list[str]] = {}
        for name, part in shown.groupby("programme", sort=False):
            series.setdefault(tuple(part[["month", "ratio_bps"]].itertuples(index=False, name=None)), []).append(
                str(name)
            )
        for colour, held in zip((BLUE, ORANGE, GREY, "black"), series.values(), strict=False):
            part = shown[shown["programme"] == held[0]]
            place = [names.index(month) for month in part["month"]]
            ends = np.abs(part[["lower", "upper"]].to_numpy().T - part["ratio_bps"].to_numpy())
            ax.errorbar(place, part["ratio_bps"], yerr=ends, color=colour, marker="o", capsize=2, label=", ".join(held))
            for name in held:
                own = shown[shown["programme"] == name]
                ax.plot([names.index(m) for m in own["month"]], own["limit_bps"], color=colour, ls="--", lw=1)
        ax.set_xticks(range(len(names)), names)
        top = max(
            float(shown["upper"].max()), float(shown["limit_bps"].max() if shown["limit_bps"].notna().any() else 0)
        )
        ax.set_ylim(0, 1.35 * top)
        ax.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
        style(ax, title="Disputes over card transactions; dashed: the limit", x="month", y="basis points")


def dispute_programmes(
    events: Dataset,
    *,
    card: Mapping[str, Sequence[str] | str] | None = None,
    programmes: Mapping[str, Programme] | Sequence[str] | str | None = None,
    region: str | None = None,
    asof: str | pd.Timestamp | None = None,
) -> DisputeProgrammes:
    """Return how far each card scheme's dispute programme is from its limit, month by month.

    Use it before a card rule is relaxed, and each month for the report. The schemes count a dispute in the month in
    which it comes in, so late labels do not flatter this ratio, and only card transactions count. Read `room` as the
    disputes that may still come before the programme acts, and `status` before the figure: a month that is not
    whole, a ratio that lacks the fraud reports which only the acquirer sees, or the disputes of events from before the
    data begin, is told as such.

    Parameters
    ----------
    events : Dataset
        Events with the roles time, label, label_time and label_source.
    card : mapping of a column to its values, optional
        Which events were paid by card; by default `payment_method` (or a segment so named) with "card".
    programmes : mapping, or one or more ids, optional
        What `rb.read_programmes` returned, or ids among the shipped ones; by default all that are shipped.
    region : str, optional
        The region whose limits hold, where a programme tells them apart.
    asof : str or Timestamp, optional
        Only what was known by then counts (UTC).

    Returns
    -------
    DisputeProgrammes
        Tables `months` and `programmes`.

    Raises
    ------
    DataError
        When a role is missing, or no event was paid by card.
    ParameterError
        For a programme that does not exist.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> at = pd.date_range("2026-08-01", "2026-10-31 23:00", freq="h")
    >>> frame = pd.DataFrame({"id": range(len(at)), "at": at, "pay": "card", "fraud": 0, "source": None})
    >>> frame["told"] = pd.NaT
    >>> frame.loc[::40, ["fraud", "source"]] = [1, "chargeback"]
    >>> frame.loc[::40, "told"] = frame["at"] + pd.Timedelta(days=20)
    >>> roles = rb.Roles(id="id", time="at", label="fraud", label_time="told", label_source="source")
    >>> found = rb.dispute_programmes(rb.read(frame, roles=roles), card={"pay": "card"}, programmes="mastercard-ecm")
    >>> found.frame()[["month", "disputes", "transactions", "limit_bps", "status"]].tail(2)
         month  disputes  transactions  limit_bps                            status
    1  2026-10        19           720        150  over, but under the floor of 100
    2  2026-11        12           744        150            the month is not whole

    Source: the schemes' programmes as told by secondary sources, each named in the shipped file.
    """
    a_dataset(events)
    for role in ("time", "label", "label_time", "label_source"):
        if not events.has(role):
            raise DataError(f"There is no {role}, and so no disputes by month", hint=f"name the role {role!r}")
    held = _programmes(programmes)
    paid, words = _card(events, card)
    if not paid.any():
        raise DataError(f"No event was paid by card ({words})", hint='card={"payment_method": "card"}')
    end = None if asof is None else micros(asof)
    time, told = events.column("time"), events.column("label_time")
    known = time.present if end is None else time.present & (time.values <= end)
    passed = known & ~stopped(events)
    fraud = verdicts(events)[0] & told.present & paid & known
    fraud &= np.ones(events.rows, dtype=bool) if end is None else told.values <= end
    codes, sources = events.segment(str(events.roles.label_source))
    wanted = {name for programme in held.values() for name in programme.numerator}
    counted = np.isin(codes, [place for place, name in enumerate(sources) if name in wanted])
    seen = Seen.of(events, known, end=end, waits=(told.values - time.values)[fraud & counted])
    made, came = months_of(events, time.values), months_of(events, told.values)
    usual = np.flatnonzero(passed & paid)
    span = seen.months
    counts = by_month(made[usual], span)
    rows, facts, silent = [], [], []
    for programme in held.values():
        missing = [name for name in programme.numerator if name not in sources]
        own = np.isin(codes, [sources.index(name) for name in programme.numerator if name in sources])
        disputes = by_month(came[np.flatnonzero(fraud & own)], span)
        if missing:
            silent.append((programme, missing))
        lines = _lines(programme, seen, disputes=disputes, counts=counts, region=region, at_least=bool(missing))
        rows += lines
        facts += _facts(programme, lines)
    months = pd.DataFrame(rows, columns=_COLUMNS)
    total = int((passed).sum())
    return DisputeProgrammes(
        months=months,
        programmes=_told(held, region, seen.last),
        card_transactions=len(usual),
        transactions=total,
        facts=tuple(facts[:6]),
        pages={"months": _page(months)},
        grounds=_grounds(months, silent, len(usual), total),
        notes=_notes(words, silent, held),
        provenance={
            "dataset": events.fingerprint,
            "label_recipe": events.label_recipe,
            "parameters": {"asof": None if asof is None else str(asof), "region": region, "programmes": list(held)},
        },
    )


def programme_limit(
    programme: Programme | str,
    *,
    on: str | date,
    region: str | None = None,
    card: Mapping[str, str] | None = None,
    margin: float = 1.0,
) -> Constraint:
    """Return a dispute programme's limit as a constraint of a calibration, on the card share only.

    Use it in `rb.calibrate(..., subject_to=[...])`: the cut then keeps the disputes that come of card events let
    through, over card events not stopped, under the limit. The schemes count by the month in which a dispute comes in,
    a calibration by the events themselves: the same ratio where volume is steady, an approximation where it grows.

    Parameters
    ----------
    programme : Programme or str
        One that `rb.read_programmes` returned, or the id of a shipped one.
    on : str or date
        The day whose limit holds, ISO.
    region : str, optional
        The region whose limit holds, where the programme tells them apart.
    card : mapping of a column to its value, optional
        Which events were paid by card; by default `payment_method` "card".
    margin : float, above 0 to 1
        The share of the limit to keep to: 0.8 leaves a fifth of room.

    Returns
    -------
    Constraint
        A limit on `dispute_rate`.

    Raises
    ------
    ParameterError
        For a programme that does not exist, a day that is none or before its first limit, or a margin out of range.

    Examples
    --------
    >>> import riskbench as rb
    >>> print(rb.programme_limit("mastercard-ecm", on="2026-11-01"))
    dispute_rate at most 0.015 (payment_method card)
    """
    if not isinstance(programme, Programme | str):
        raise ParameterError("The programme is one, or its id", got=repr(programme)[:80], hint="rb.read_programmes()")
    held = programme if isinstance(programme, Programme) else _programmes(programme)[programme]
    try:
        day = date.fromisoformat(on) if isinstance(on, str) else on
    except ValueError as error:
        raise ParameterError("The day of the limit is none", got=repr(on), allowed="an ISO date") from error
    day = day.date() if isinstance(day, datetime) else day
    if not isinstance(day, date) or pd.isna(day):
        raise ParameterError("The day of the limit is none", got=repr(on)[:80], allowed="an ISO date")
    limit = held.on(day, region=region)
    if limit is None:
        raise ParameterError(
            f"{held.id} has no limit in force", got=str(day), allowed=f"from {held.thresholds[0].since}"
        )
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin <= 1:
        raise ParameterError("The margin is a share of the limit", got=repr(margin), allowed="above 0, up to 1")
    return at_most(
        "dispute_rate", margin * limit.bps / _BPS, where={"payment_method": "card"} if card is None else card
    )


_COLUMNS = (
    "programme month disputes transactions ratio_bps lower upper limit_bps floor distance_bps room whole status"
).split()


def _programmes(given: Mapping[str, Programme] | Sequence[str] | str | None) -> dict[str, Programme]:
    if isinstance(given, Mapping):
        for name, one in given.items():
            if not isinstance(one, Programme):
                raise ParameterError(f"{str(name)[:80]!r} is no programme", got=type(one).__name__)
        return {str(name): one for name, one in given.items()}
    shipped = read_programmes()
    if given is None:
        return shipped
    if not isinstance(given, Iterable):
        raise ParameterError("Programmes are named by their ids", got=repr(given)[:80], allowed=listed(shipped))
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if not isinstance(name, str) or name not in shipped:
            close = nearest(str(name), shipped)
            raise ParameterError(
                f"{repr(name)[:80]} is not a shipped programme",
                allowed=listed(shipped),
                hint=f"did you mean {close!r}?" if close else "rb.read_programmes(path) reads others",
            )
    return {name: shipped[name] for name in names}


def _card(events: Dataset, card: Mapping[str, Sequence[str] | str] | None) -> tuple[Mask, str]:
    """Return which events were paid by card, and how that is told."""
    if card is None:
        if "payment_method" not in events.table:
            raise DataError("It is not told which events were paid by card", hint='card={"payment_method": "card"}')
        card = {"payment_method": "card"}
    if not isinstance(card, Mapping) or not card:
        raise ParameterError("card maps a column to its values", got=repr(card), allowed='{"payment_method": "card"}')
    paid = np.ones(events.rows, dtype=bool)
    for column, values in card.items():
        if column not in events.table:
            raise ColumnNotFoundError.among(column, events.names)
        each = values if isinstance(values, Iterable) and not isinstance(values, str | bytes) else [values]
        wanted = {str(word) for word in each}
        codes, names = events.segment(column)
        paid &= np.isin(codes, [place for place, name in enumerate(names) if name in wanted])
    return paid, ", ".join(f"{c} = {v if isinstance(v, str) else listed(v)}" for c, v in card.items())


def _lines(
    programme: Programme, seen: Seen, *, disputes: Ints, counts: Ints, region: str | None, at_least: bool
) -> list[tuple[object, ...]]:
    back = 1 if programme.denominator_month == "previous" else 0
    lines: list[tuple[object, ...]] = []
    for place in range(back, len(counts)):
        month = seen.months[0] + place
        name = f"{1970 + month // 12}-{month % 12 + 1:02d}"
        limit = programme.on(date(1970 + month // 12, month % 12 + 1, 1), region=region)
        n, over = int(disputes[place]), int(counts[place - back])
        whole = seen.whole(month, month - back)
        ratio = n / over * _BPS if over else 0.0
        _, lower, upper = (float(x) * _BPS for x in wilson(min(n, over), over))
        if not over:
            lines.append(
                (programme.id, name, n, 0, None, None, None, None, None, None, None, whole, "no card transactions")
            )
            continue
        if limit is None:
            lines.append((programme.id, name, n, over, ratio, lower, upper, None, None, None, None, whole, NO_LIMIT))
            continue
        allowed = max(limit.bps / _BPS * over, float(limit.floor))
        status = (
            (OVER if n >= limit.floor else FLOOR.format(floor=limit.floor))
            if ratio >= limit.bps
            else (AT_LEAST if at_least else EARLY if seen.lacks(month) else UNDER)
        )
        lines.append(
            (
                programme.id,
                name,
                n,
                over,
                ratio,
                lower,
                upper,
                limit.bps,
                limit.floor,
                limit.bps - ratio,
                max(0, int(np.ceil(allowed)) - 1 - n),
                whole,
                status if whole else NOT_WHOLE,
            )
        )
    return lines


def _facts(programme: Programme, lines: list[tuple[object, ...]]) -> list[Fact]:
    whole = [dict(zip(_COLUMNS, line, strict=True)) for line in lines]
    whole = [line for line in whole if line["whole"] and line["ratio_bps"] is not None]
    if not whole:
        return [Fact(programme.id, None, "number", note="no whole month")]
    line = whole[-1]
    limit = "no limit in force" if line["limit_bps"] is None else f"limit {line['limit_bps']:g}, {line['status']}"
    return [
        Fact(
            f"{programme.id}, {line['month']}, basis points",
            float(line["ratio_bps"]),  # type: ignore[arg-type]
            "number",
            lower=float(line["lower"]),  # type: ignore[arg-type]
            upper=float(line["upper"]),  # type: ignore[arg-type]
            n=int(line["transactions"]),  # type: ignore[call-overload]
            note=limit,
        )
    ]


def _told(held: Mapping[str, Programme], region: str | None, last: int) -> pd.DataFrame:
    day = pd.Timestamp(last, unit="us").date()
    rows = []
    for programme in held.values():
        limit = programme.on(day, region=region)
        told = (None, None, None) if limit is None else (limit.bps, limit.floor, str(limit.since))
        rows.append(
            (
                programme.id,
                programme.name,
                programme.numerator_words,
                programme.denominator_words,
                *told,
                str(programme.checked),
                programme.source,
                programme.note,
            )
        )
    return pd.DataFrame(rows, columns="programme name counted over limit_bps floor since checked source note".split())


def _page(months: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Return the last three whole months of each programme, newest first."""
    whole = months[months["whole"].astype(bool)]
    shown = whole.iloc[::-1].groupby("programme", sort=False).head(3)
    order = list(dict.fromkeys(months["programme"]))
    shown = shown.iloc[np.argsort([order.index(name) for name in shown["programme"]], kind="stable")]
    return "The last whole months", shown[list(DisputeProgrammes.repr_columns)]


def _grounds(months: pd.DataFrame, silent: list[tuple[Programme, list[str]]], card: int, total: int) -> Grounds:
    whole = int(months.loc[months["whole"].astype(bool), "month"].nunique())
    share = card / total if total else 0.0
    told = [f"{p.id} is at least what is shown: {listed(names)} not in the data" for p, names in silent]
    early = sorted(set(months.loc[months["status"].eq(EARLY), "month"]))
    if early:
        told.append(f"to {early[-1]} also disputes of events from before the data would count")
    return Grounds(
        measured=f"disputes by the month they came in, over {card:,} card events ({share:.0%} of those not stopped), "
        f"{whole} whole months.",
        bounded="; ".join(told) + ("." if told else ""),
        not_measurable="months that the data does not span" + ("." if len(months) else "; there is none at all."),
    )


def _notes(words: str, silent: list[tuple[Programme, list[str]]], held: Mapping[str, Programme]) -> tuple[str, ...]:
    notes = [
        f"Paid by card: {words}. Other payment methods are in no ratio.",
        "Card schemes are not told apart: each programme is read as if every card were of its scheme.",
        "Limits come from secondary sources, each with the day it was looked up; the contract with the acquirer wins.",
    ]
    notes += [
        f"{p.id}: {listed(names)} not among the label sources: unknown, ask your acquirer." for p, names in silent
    ]
    return (*notes, *(f"{p.id}: {p.note}." for p in held.values() if p.note))
