"""What did it cost, what is still to be told, and what can still be frozen before the next payout run?"""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.roles import MEASURES
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, RED, style
from riskbench.display.fact import Unit, number
from riskbench.engine.columns import HOUR
from riskbench.incidents.balance import PAYEE_COLUMNS, RUN_COLUMNS, Balances, due_table, schedule
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.exposure_page import pages
from riskbench.incidents.losses import Losses, Rate, losses, rate_of
from riskbench.incidents.scope import Scope

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Points of the picture.
_POINTS = 160
PER_DAY = "per day without containment"
_PARTS = "part events loss lower upper likely_lower likely_upper basis".split()
_SOURCES = "source meaning events so_far pending expected".split()
_DAYS = "day events told open told_by_now so_far expected upper".split()


@result
class Exposure(Result):
    """What the suspected events cost. Money in major units; events instead where there is no money.

    Attributes
    ----------
    parts : DataFrame
        One row a part: part (lost so far, still pending, lost and pending, stopped, caught in review, told good, per
        day without containment), events, loss, lower, upper, likely_lower, likely_upper, basis. What is pending is
        expected to cost `loss`: `lower` if none of it is fraud, `upper` if all is; the likely ends are those of the
        95 % interval of the share of frauds. Per day, lower and upper are the ends of a 95 % interval.
    sources : DataFrame
        By source of loss: source, meaning, events, so_far (in told frauds), pending (in events without verdict),
        expected (of the pending). The loss stands first; the others are the events' money of that kind.
    pending : DataFrame
        By local day of the event: day, events, told (frauds), open (without verdict), told_by_now (share of frauds
        of that age told by now), so_far, expected (of the pending), upper (all of it).
    runs : DataFrame
        One row a payout run: run (UTC), run_local, status (paid, next, later), hours (from the as-of moment),
        events and payees due at it, due (accrued since the run before), paid_before (by earlier runs), frozen
        (what a hold before it freezes, or would have frozen), frozen_share (of all accrued).
    payees : DataFrame
        run, payee, events, due, due_share (of the run's): the largest first, the rest as `(others)`.
    curve : DataFrame
        at (local), so_far, expected, upper: cumulative, by the events' time.
    currency : str
        The money's ISO code; empty where events are counted.
    zone : str
        The time zone of local times.
    """

    kind: ClassVar[str] = "exposure"
    title: ClassVar[str] = "What it cost"
    main: ClassVar[str] = "parts"
    repr_tables: ClassVar[tuple[str, ...]] = ("runs", "payees", "sources")
    next_step: ClassVar[str] = '.frame("payees") has the ids to hold before the next run; then the incident record'

    parts: pd.DataFrame
    sources: pd.DataFrame
    pending: pd.DataFrame
    runs: pd.DataFrame
    payees: pd.DataFrame
    curve: pd.DataFrame
    currency: str
    zone: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return what is lost, pending, lost per day, freezable before the next run, and when that is."""
        return self.facts

    @property
    def drawable(self) -> bool:
        """Whether there are events to draw."""
        return len(self.curve) > 1

    @property
    def alt(self) -> str:
        """The picture in words."""
        if not self.drawable:
            return f"{self.title}. Nothing to draw."
        last = self.curve.iloc[-1]
        unit: Unit = "money" if self.currency else "count"
        told, most = (number(float(last[name]), unit, currency=self.currency) for name in ("so_far", "upper"))
        return (
            f"What it cost, added up by the time of the event: {told} in told frauds, {most} if all that is pending is "
            f"fraud. {'. '.join(str(fact) for fact in self.headline()[1:])}"
        )

    def _draw(self, ax: Axes) -> None:
        origin = self.curve["at"].iloc[0].normalize()
        hours = ((self.curve["at"] - origin) / pd.Timedelta(hours=1)).to_numpy()
        first, last = float(hours[0]), float(hours[-1])
        so_far, expected, upper = (self.curve[name].to_numpy() for name in ("so_far", "expected", "upper"))
        ax.fill_between(hours, so_far, upper, color=ORANGE, alpha=0.18, linewidth=0, label="if all pending is fraud")
        if not np.isnan(expected).all():
            ax.plot(hours, expected, color=ORANGE, linestyle="--", label="with what is expected of the pending")
        ax.plot(hours, so_far, color=BLUE, linewidth=2, label="told fraud so far")
        top = max(float(np.nanmax(upper)), 1e-9)
        told: set[str] = set()
        for run in self.runs.itertuples():
            at = (pd.Timestamp(str(run.run_local)) - origin) / pd.Timedelta(hours=1)
            if first <= at <= last + max(12.0, last - first):
                paid = run.status == "paid"
                mark = "" if run.status in told else f"payout run, {run.status}"
                ax.vlines(at, 0, 1.02 * top, color=GREY if paid else RED, linestyle=":", linewidth=1.8, label=mark)
                told, last = told | {str(run.status)}, max(last, float(at))
        ticks, words = _ticks(origin, first, last)
        ax.set_xticks(ticks, words)
        ax.set_xlim(first, last + 0.02 * (last - first))
        ax.set_ylim(0, 1.32 * top)
        ax.yaxis.set_major_formatter(lambda value, _: number(float(value), "money").replace(".00 ", " "))
        ax.legend(loc="upper left", fontsize=8, frameon=False, ncols=2)
        unit = f"cumulative loss ({self.currency})" if self.currency else "cumulative events"
        ahead = self.runs.loc[self.runs["status"] == "next", "run_local"].tolist()
        more = f"; next payout run {ahead[0]}" if ahead and "next" not in told else ""
        style(ax, title=self.title, x=f"time of the event ({self.zone}){more}", y=unit)


def cost(scope: Scope, cluster: Cluster, *, payouts: Mapping[str, Any] | None = None) -> Exposure:
    """Return what the suspected events cost, what is still to come, and what can be frozen before each payout run.

    Use it when the suspected events are known. Read the pending loss with its bounds: none of the events without a
    verdict is fraud, or all are. A hold before a run freezes what is accrued and not paid by an earlier run.

    Parameters
    ----------
    scope : Scope
        The events, up to the as-of moment.
    cluster : Cluster
        Those suspected.
    payouts : mapping, optional
        payee (a column), money (a measure or a column), runs (ISO moments; without a zone UTC). An event's money is
        accrued at its time, and paid by the first run from then on; what is stopped or told good is in no balance.

    Returns
    -------
    Exposure
        Tables parts, sources, pending (by day), runs, payees, curve.

    Raises
    ------
    ParameterError
        When a part of the payouts is missing, unknown or no moment.
    ColumnNotFoundError
        When the payee or the money is no column.

    Examples
    --------
    >>> import riskbench as rb
    >>> from riskbench.incidents.scope import scope_of
    >>> events = rb.sample(orders=5_000)
    >>> scope = scope_of(rb.Incident("2026-11-10T17:00", "2026-11-13"), events, asof="2026-11-12")
    >>> rows = np.flatnonzero(scope.current & scope.dataset.column("is_live_session").values)
    >>> found = cost(scope, Cluster(rows, "live sessions", "is_live_session", "segments"), payouts={
    ...     "payee": "creator_id", "money": "commission", "runs": ["2026-11-11T02:20Z", "2026-11-18T02:20Z"]})
    >>> found.frame("runs")["status"].tolist()
    ['paid', 'next']
    """
    began = clock.perf_counter()
    held = losses(scope, cluster)
    money = held.loss is not None
    scale = scope.dataset.currency.scale if money else 1
    currency = scope.dataset.currency.code if money else ""
    notes = [f"Suspected: {len(cluster):,} events, {cluster.said}. A suspicion, not a verdict.", *held.notes]
    if not held.known:
        notes.append(f"What is still pending is not measurable: {held.chances.why}. Its bounds are none and all of it.")
    rate = rate_of(scope, held)
    plan, run_rows, payee_rows = None, pd.DataFrame(columns=RUN_COLUMNS), pd.DataFrame(columns=PAYEE_COLUMNS)
    balance: Balances | None = None
    if payouts is None:
        notes.append("No payout runs given: what can still be frozen is not measurable.")
    else:
        plan = schedule(scope.dataset, payouts)
        balance, run_rows, payee_rows, more = due_table(scope, held, plan)
        notes += more
    paid_in = "" if plan is None else scope.dataset.currency.code
    parts, sources = _parts(held, rate, scale), _sources(scope, held, scale)
    return Exposure(
        parts=parts,
        pages=pages(parts, run_rows, payee_rows, sources, currency=currency),
        sources=sources,
        pending=_by_day(scope, held, scale),
        runs=run_rows,
        payees=payee_rows,
        curve=_curve(scope, held, scale),
        currency=currency,
        zone=scope.dataset.time_zone,
        facts=_facts(scope, held, rate, run_rows, balance, scale=scale, currency=currency, paid_in=paid_in),
        notes=(*notes, f"Labels: {scope.state.recipe}."),
        provenance={**scope.provenance, "seconds": round(clock.perf_counter() - began, 3)},
    )


def _parts(held: Losses, rate: Rate | None, scale: int) -> pd.DataFrame:
    """Return what is lost, pending, stopped, caught and good with what each costs, and what a day costs."""
    value = held.value
    so_far = float(value[held.lost].sum()) / scale
    open_ = float(value[held.open].sum()) / scale if held.known or held.open.any() else None
    likely = [
        float(held.expected(end)[held.open].sum()) / scale if held.known else None
        for end in ("expected", "expected_lower", "expected_upper")
    ]
    both = [None if money is None else so_far + money for money in (*likely, open_)]
    basis = "expected of the events without verdict; none or all of them"
    rows: list[tuple[object, ...]] = [
        ("lost so far", held.lost, so_far, so_far, so_far, so_far, so_far, "told fraud, and let through"),
        ("still pending", held.open, likely[0], 0.0, open_, likely[1], likely[2], basis),
        ("lost and pending", held.lost | held.open, both[0], so_far, both[3], both[1], both[2], "both"),
    ]
    nothing = (
        ("stopped", held.stopped, "stopped by history: nothing lost"),
        ("caught in review", held.caught, "told fraud by the review that held it: nothing lost"),
        ("told good", held.good, "nothing lost"),
    )
    rows += [(name, mask, *[0.0] * 5, said) for name, mask, said in nothing]
    made = [(name, int(np.count_nonzero(mask)), *rest) for name, mask, *rest in rows]  # type: ignore[call-overload]
    if rate is not None:
        ends = (rate.lower / scale, rate.upper / scale)
        day = rate.per_day / scale if held.known else None
        made.append((PER_DAY, rate.events, day, *ends, *ends, f"as in the last {rate.hours:.0f} hours of the window"))
    return pd.DataFrame(made, columns=_PARTS).astype(dict.fromkeys(_PARTS[2:-1], "Float64"))


def _sources(scope: Scope, held: Losses, scale: int) -> pd.DataFrame:
    """Return each kind of money in told frauds and in events without verdict."""
    if held.loss is None:
        return pd.DataFrame(columns=_SOURCES)
    roles = scope.dataset.roles
    kinds: list[tuple[str, str, Floats]] = [("loss", "what the events cost if fraud", held.loss)]
    if roles.amount is not None:
        kinds.append(("amount", "the events' amount", scope.dataset.minor(roles.amount)[held.rows].astype(np.float64)))
    for meaning, column in roles.measures.items():
        if meaning not in ("loss", "margin"):
            kinds.append((meaning, MEASURES[meaning], scope.dataset.minor(column)[held.rows].astype(np.float64)))
    made = []
    for name, meaning, value in kinds:
        open_ = value[held.open]
        expected = float((open_ * held.chances.expected[held.open]).sum()) / scale if held.known else None
        some = int(np.count_nonzero(value[held.lost | held.open]))
        made.append((name, meaning, some, float(value[held.lost].sum()) / scale, float(open_.sum()) / scale, expected))
    return pd.DataFrame(made, columns=_SOURCES).astype({"expected": "Float64"})


def _by_day(scope: Scope, held: Losses, scale: int) -> pd.DataFrame:
    """Return the exposure by the local day of the events: the younger, the less is told."""
    if not len(held.rows):
        return pd.DataFrame(columns=_DAYS)
    local = scope.dataset.local_times[held.rows] // (24 * HOUR)
    days, code = np.unique(local, return_inverse=True)

    def per_day(values: Floats) -> Floats:
        return np.bincount(code, weights=values, minlength=len(days)).astype(np.float64)

    count = per_day(np.ones(len(code)))
    running = per_day((~held.stopped).astype(np.float64))
    with np.errstate(invalid="ignore"):
        by_now = per_day(held.chances.told_by_now) / running
    value, expected = held.value, held.expected()
    so_far = per_day(np.where(held.lost, value, 0.0)) / scale
    frame = pd.DataFrame(
        {
            "day": np.datetime_as_string(days.astype("datetime64[D]")),
            "events": count.astype(np.int64),
            "told": per_day((held.lost | held.caught).astype(np.float64)).astype(np.int64),
            "open": per_day(held.open.astype(np.float64)).astype(np.int64),
            "told_by_now": pd.array(
                np.where(running > 0, by_now, np.nan) if held.known else [None] * len(days), "Float64"
            ),
            "so_far": so_far,
            "expected": pd.array(
                per_day(np.where(held.open, expected, 0.0)) / scale if held.known else [None] * len(days), "Float64"
            ),
            "upper": per_day(np.where(held.open, value, 0.0)) / scale,
        }
    )
    return frame[_DAYS]


def _curve(scope: Scope, held: Losses, scale: int) -> pd.DataFrame:
    """Return the cumulative loss by the events' time at evenly spaced moments."""
    times = scope.times[held.rows]
    if not len(times):
        return pd.DataFrame(columns=["at", "so_far", "expected", "upper"])
    first, last = int(times[0]), max(int(times[-1]), int(times[0]) + HOUR)
    at = np.unique(np.linspace(first, last, _POINTS).astype(np.int64))
    place = np.searchsorted(times, at, side="right")
    value = held.value

    def cumulative(values: Floats) -> Floats:
        return np.concatenate([[0.0], np.cumsum(values)])[place] / scale

    so_far = cumulative(np.where(held.lost, value, 0.0))
    zone = scope.dataset.time_zone
    return pd.DataFrame(
        {
            "at": pd.to_datetime(at, unit="us", utc=True).tz_convert(zone).tz_localize(None),
            "so_far": so_far,
            "expected": cumulative(held.expected()) if held.known else np.full(len(at), np.nan),
            "upper": cumulative(np.where(held.lost | held.open, value, 0.0)),
        }
    )


def _facts(
    scope: Scope, held: Losses, rate: Rate | None, runs: pd.DataFrame, balance: Balances | None, *, scale: int,
    currency: str, paid_in: str,
) -> tuple[Fact, ...]:  # fmt: skip
    unit: Unit = "money" if currency else "count"
    value, told, pending = held.value, int(held.lost.sum()), int(held.open.sum())
    so_far, most = float(value[held.lost].sum()) / scale, float(value[held.open].sum()) / scale
    facts = [Fact("Lost so far", so_far, unit, n=told, currency=currency, note=f"{told:,} frauds told")]
    expected = float(held.expected()[held.open].sum()) / scale if held.known else None
    shown = number(most, unit, currency=currency)
    said = f"{pending:,} events without verdict: none or all of them"
    if not held.known:
        said = f"up to {shown}" if pending else "only told frauds are suspected"
    facts.append(Fact("Still pending", expected, unit, lower=0.0, upper=most, n=pending, currency=currency, note=said))
    name = PER_DAY.capitalize()
    if rate is None:
        facts.append(Fact(name, None, unit, currency=currency, note="less than an hour of the window has passed"))
    elif not held.known:
        top = number(rate.upper / scale, unit, currency=currency)
        facts.append(Fact(name, None, unit, n=rate.events, currency=currency, note=f"up to {top}"))
    else:
        facts.append(
            Fact(name, rate.per_day / scale, unit, lower=rate.lower / scale, upper=rate.upper / scale, n=rate.events,
                 currency=currency, note=f"as in the last {rate.hours:.0f} hours of the window")
        )  # fmt: skip
    if balance is None:
        return (*facts, Fact("Still freezable", None, "money", note="no payout runs given"))
    nxt = runs[runs["status"] == "next"]
    paid = float(runs.loc[runs["status"] == "paid", "due"].sum())
    left = balance.total / scope.dataset.currency.scale - paid
    if len(nxt):
        run = nxt.iloc[0]
        facts.append(Fact("Freezable before the next run", float(run["frozen"]), "money", n=int(run["events"]),
                          currency=paid_in, note=f"{int(run['payees']):,} payees due at it"))  # fmt: skip
        said = f"{run['run_local']} {scope.dataset.time_zone}"
        facts.append(Fact("Next payout run in", _span(float(run["hours"])), "text", note=said))
    else:
        facts.append(Fact("Still freezable", left, "money", currency=paid_in, note="no run given lies ahead"))
    facts.append(Fact("Paid out already", paid, "money", currency=paid_in))
    return tuple(facts)


def _span(hours: float) -> str:
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def _ticks(origin: pd.Timestamp, first: float, last: float) -> tuple[list[float], list[str]]:
    """Return at most eight round local hours between two, and how they are written."""
    step = next((s for s in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336) if (last - first) / s <= 7), 720)
    places = np.arange(np.ceil(first / step) * step, last + 1e-9, step)
    form = "%d %b" if step >= 24 else "%d %b\n%H:%M"
    return places.tolist(), [f"{origin + pd.Timedelta(hours=float(p)):{form}}" for p in places]
