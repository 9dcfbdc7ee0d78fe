"""Do the reviewers keep up? Backlog, waiting, service level, and what one more reviewer is worth."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Grounds, Result, result
from riskbench.display.chart import BLUE, GREY, style
from riskbench.metrics.costs import Costs
from riskbench.metrics.queue.asked import FEW_BLOCKS, money, plan_of
from riskbench.metrics.queue.cases import Cases, cases_of
from riskbench.metrics.queue.names import TOGETHER
from riskbench.metrics.queue.replay import Plan, replay
from riskbench.metrics.queue.staff import Hours, Reviewers, Team, teams
from riskbench.metrics.queue.tables import hours_frame, money_page, queues_frame, worth_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.data.dataset import Dataset

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@result
class Queue(Result):
    """How a review queue fares with its reviewers.

    Attributes
    ----------
    hours : DataFrame
        One row an hour of the week and queue, local time: queue, hour (0 to 167, from Monday 00:00), clock, arrivals
        (cases a week), reviewers (there in that hour), backlog (cases that wait at the full hour), backlog_lower,
        backlog_upper (95 % of the simulated weeks lie between).
    queues : DataFrame
        One row a queue: queue, team, cases (a week), within_share (of cases verified in time), breaches (a week),
        expired (cases a week that went before anybody began), wait_p50, wait_p90 (hours until a review begins),
        utilisation (minutes of review over paid minutes), value_per_review, value_per_hour (saved money per review, and
        per paid hour of a reviewer); each with `_lower` and `_upper` (95 %, of what is expected in such weeks).
        backlog_end (cases that wait at the end of the last week; 95 % of the replications lie between its ends).
    staffing : DataFrame
        One row a queue and change: queue, change ("one more", "one fewer"), breaches, expired, saved_value, cost,
        worth (a week, against today; same arrivals), with interval. One fewer is what it would change.
    weeks, replications : int
        How long each replication lasts, and how many there are.
    level : str
        The service level in words.
    """

    kind: ClassVar[str] = "queue"
    title: ClassVar[str] = "Review queue"
    main: ClassVar[str] = "queues"
    next_step: ClassVar[str] = '.frame("hours"), "staffing"; rb.staffing(...) says how many reviewers are enough'
    repr_columns: ClassVar[tuple[str, ...]] = (
        "queue",
        "team",
        "cases",
        "within_share",
        "within_share_lower",
        "within_share_upper",
        "breaches",
        "expired",
        "wait_p50",
        "wait_p90",
        "utilisation",
        "backlog_end",
    )
    repr_tables: ClassVar[tuple[str, ...]] = ("staffing",)

    hours: pd.DataFrame
    queues: pd.DataFrame
    staffing: pd.DataFrame
    weeks: int
    replications: int
    level: str
    currency: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the share within the service level, the backlog, and what one more reviewer is worth."""
        return self.facts

    def _draw(self, ax: Axes) -> None:
        total = self.hours.groupby("hour", sort=True)[["backlog", "backlog_lower", "backlog_upper", "reviewers"]].sum()
        x, there = total.index.to_numpy() / 24, total["reviewers"].to_numpy() > 0
        top = max(1.0, float(total["backlog_upper"].max()) * 1.08)
        ax.fill_between(
            x, 0, top, where=there, step="post", color=GREY, alpha=0.13, linewidth=0, label="reviewers are there"
        )
        ax.fill_between(
            x,
            total["backlog_lower"],
            total["backlog_upper"],
            color=BLUE,
            alpha=0.25,
            linewidth=0,
            label="95 % of weeks",
        )
        ax.plot(x, total["backlog"], color=BLUE, linewidth=1.8, label="mean backlog")
        ax.set_xticks(np.arange(7) + 0.5, _WEEKDAYS)
        ax.set_xlim(0, 7)
        ax.set_ylim(0, top)
        ax.legend(loc="upper right", fontsize=8, frameon=True, framealpha=0.9)
        style(ax, title="Cases waiting, by hour of the week", x="local time", y="cases waiting")
        ax.grid(visible=False, axis="x")


def simulate_queue(
    cases: Dataset | Any,
    *,
    reviewers: Reviewers,
    minutes: float | str | Mapping[str, float] | None = None,
    verify_within: str = "24h",
    hours: Hours = "mon-fri 09:00-18:00",
    queue: str | None = None,
    language: str | None = None,
    order: str = "first come",
    value: str | None = None,
    costs: Costs | Mapping[str, float] | None = None,
    breach_cost: float = 0.0,
    expires_after: str | None = None,
    lost_per_hour: float = 0.0,
    absence: float = 0.0,
    spread: str = "lognormal",
    arrivals: str = "weeks",
    weeks: int | None = None,
    replications: int = 200,
    seed: int = 0,
) -> Queue:
    """Simulate a review queue: arrivals as they came, reviewers by shift, a service level, ageing.

    Use it before a cut or a book sends more cases to review. Read the share within the service level first, then
    the backlog: one that ends the week higher than it began never comes down. A case goes to the first reviewer who
    is free; a review once begun is finished, past the end of the shift if need be.

    Source: arrivals by the bootstrap (Efron and Tibshirani, 1993), of whole weeks; waiting by the recursion over cases
    of Kiefer and Wolfowitz (1955), Transactions of the AMS 78.

    Parameters
    ----------
    cases : Simulation or Dataset
        The cases: what the live rules send to review, or a dataset with one row a case.
    reviewers : int or mapping
        How many there are: a number for every queue, a number or shifts by queue, or shifts such as
        `{"mon-fri 06:00-14:00": 3, "mon-fri 14:00-22:00": 2}`.
    minutes : float, str or mapping, optional
        Minutes of a review: the mean, a column of measured minutes, or means by queue; by default that of `costs`.
    verify_within : str
        The service level, on the wall clock from a case's arrival to its verdict: "24h", "90m", "2d".
    hours : str or mapping of str to str
        When reviewers are there, local time: "24x7", "mon-fri 09:00-18:00, sat 10:00-14:00", or by queue.
    queue, language : str, optional
        Columns that part the cases into queues; with both, the queue is named "queue / language".
    order : {"first come", "value"}
        Who is served first: the first to come, or the most money (the amount, or `value`).
    value : str, optional
        A column that says what a review in time saves, in major units. By default the loss of a known fraud times
        `review_catch`, and the same share of the money of cases without a verdict.
    costs : Costs or mapping, optional
        Costs of a minute, and what a review catches.
    breach_cost : float
        What one case beyond the service level costs, in major units.
    expires_after : str, optional
        How long after its arrival a case is gone if nobody began it (the payout leaves, the parcel ships): "48h".
    lost_per_hour : float, 0..1
        The share of what is left to be saved that each hour until the verdict takes away.
    absence : float, 0..0.9
        The chance that a reviewer does not come on a day; they are paid all the same.
    spread : {"lognormal", "exponential", "none"}
        How minutes scatter about a stated mean.
    arrivals : {"weeks", "poisson"}
        Whole weeks of the history drawn again, campaign peaks and all; or a Poisson stream by hour of the week.
        With fewer than four whole weeks it is the second.
    weeks : int, optional
        How long each replication lasts, beginning with empty queues; by default as many weeks as were seen, at
        most 13.
    replications : int
        How often the weeks are drawn.
    seed : int
        Of all draws.

    Returns
    -------
    Queue
        Tables queues, hours, staffing.

    Raises
    ------
    ParameterError
        For a queue that is not there, hours that were not understood, a number out of range.
    DataError
        When there is no time, no case, or less than two whole weeks.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(1)
    >>> at = pd.Timestamp("2026-03-02") + pd.to_timedelta(np.sort(rng.integers(0, 56 * 86_400, 4_000)), unit="s")
    >>> cases = rb.read(pd.DataFrame({"id": np.arange(4_000), "at": at}), roles=rb.Roles(id="id", time="at"))
    >>> found = rb.simulate_queue(cases, reviewers=2, minutes=8, verify_within="24h", replications=50)
    >>> print(found.headline()[0])
    Verified within 24 hours: 61.7 % (57.8 to 64.3 %)
    >>> found.frame("hours").loc[[9, 10], ["hour", "reviewers"]]
        hour  reviewers
    9      9        2.0
    10    10        2.0

    """
    begun = time.perf_counter()
    stated = Costs.from_mapping(costs)
    fee = money("breach_cost", breach_cost)
    seen = cases_of(
        cases,
        minutes=minutes if isinstance(minutes, str) else None,
        value=value,
        queue=queue,
        language=language,
        costs=stated,
    )
    few = seen.blocks < FEW_BLOCKS and isinstance(arrivals, str) and arrivals == "weeks"
    plan = plan_of(
        seen,
        costs=stated,
        minutes=minutes,
        spread=spread,
        verify_within=verify_within,
        expires_after=expires_after,
        lost_per_hour=lost_per_hour,
        absence=absence,
        order=order,
        arrivals="poisson" if few else arrivals,
        weeks=weeks,
        replications=replications,
        seed=seed,
    )
    staff = teams(reviewers, hours, seen.names)
    tried = [
        [team, team.changed(1), team.changed(-1 if team.size and team.shifts[team.at][1] else 0)] for team in staff
    ]
    replayed = replay(plan, tried)
    queues = queues_frame(plan, replayed, staff)
    change = worth_frame(plan, replayed, tried, minute_cost=stated.minute_cost, breach_cost=fee)
    level = hours_words(plan.within)
    return Queue(
        hours=hours_frame(plan, replayed, staff),
        queues=queues,
        staffing=change,
        weeks=plan.weeks,
        replications=plan.replications,
        level=level,
        currency=seen.currency,
        facts=_facts(queues, change, level, seen),
        pages={"staffing": _changes_page(change, seen.currency)},
        notes=(*notes_of(plan, few=few, stated=stated, fee=fee), *_heavy(plan, queues), *seen.notes),
        grounds=grounds(plan),
        provenance=provenance(plan, staff, begun, stated),
    )


def _facts(queues: pd.DataFrame, change: pd.DataFrame, level: str, seen: Cases) -> tuple[Fact, ...]:
    row = {name: queues[name].iloc[-1] for name in queues.columns}  # the last row is of all queues together

    def fact(name: str, column: str, unit: Any, **more: Any) -> Fact:
        value = float(row[column])
        if np.isnan(value):
            return Fact(name, None, unit, n=len(seen.moment), note=more.get("none", "no case"))
        low, high = float(row[f"{column}_lower"]), float(row[f"{column}_upper"])
        return Fact(name, value, unit, lower=low, upper=high, n=len(seen.moment), note=more.get("note", ""))

    more = change[change["change"] == "one more"].sort_values("worth", ascending=False, kind="stable").iloc[0]
    where = "" if len(seen.names) == 1 else f"in {more['queue']}"
    worth: Fact
    if np.isnan(more["worth"]):
        worth = Fact("One more reviewer is worth, a week", None, "money", note="no money in the cases")
    else:
        worth = Fact(
            "One more reviewer is worth, a week",
            float(more["worth"]),
            "money",
            lower=float(more["worth_lower"]),
            upper=float(more["worth_upper"]),
            n=len(seen.moment),
            currency=seen.currency,
            note=where,
            signed=True,
        )
    return (
        fact(f"Verified within {level}", "within_share", "share"),
        fact("Breaches a week", "breaches", "average"),
        fact("Backlog at the end", "backlog_end", "average", note="cases waiting"),
        worth,
        fact("Nine of ten reviews begin within (hours)", "wait_p90", "average", none="no review begins"),
        fact("Utilisation", "utilisation", "share", none="nobody is paid"),
    )


def _changes_page(change: pd.DataFrame, currency: str) -> tuple[str, pd.DataFrame]:
    shown = ["queue", "change", "reviewers", "breaches", "expired", "saved_value", "cost"]
    caption, page = money_page(change[[*shown, "worth", "worth_lower", "worth_upper"]], currency)
    return f"One reviewer more or fewer{'; ' if caption else ''}{caption[:1].lower()}{caption[1:]}", page


def hours_words(hours: float) -> str:
    """Return a number of hours in words."""
    return f"{hours:g} hour{'' if hours == 1 else 's'}" if hours >= 1 else f"{60 * hours:g} minutes"


def notes_of(plan: Plan, *, few: bool, stated: Costs, fee: float) -> list[str]:
    """Return what a reader must know of how the weeks were drawn, and what was stated."""
    seen = plan.cases
    drawn = "whole weeks, drawn again" if plan.arrivals == "weeks" else "a Poisson stream by hour of the week"
    notes = [
        f"{len(seen.moment):,} cases from {seen.span} ({seen.blocks} whole weeks); arrivals: {drawn}.",
        f"{plan.replications} replications of {plan.weeks} weeks, each begun with empty queues.",
    ]
    if few:
        notes.append(f"Fewer than {FEW_BLOCKS} whole weeks were seen: they are too few to be drawn from as weeks.")
    if plan.arrivals == "poisson":
        notes.append(
            "The intervals hold only the chance of single cases, not that weeks differ (campaigns, holidays): the "
            "truth lies outside them more often than 1 time in 20."
        )
    if plan.minutes is not None:
        said = (
            ", ".join(f"{m:g} ({n})" for m, n in zip(plan.minutes, seen.names, strict=True))
            if len(set(plan.minutes)) > 1
            else f"{plan.minutes[0]:g}"
        )
        notes.append(f"Minutes of a review are stated, not measured: {said} on average, spread {plan.spread}.")
    if seen.money:
        late = f"; a breach costs {fee:,.2f}" if fee else ""
        notes.append(f"A reviewer's paid minute costs {seen.currency} {stated.minute_cost:g}{late}.")
    return notes


def _heavy(plan: Plan, queues: pd.DataFrame) -> list[str]:
    heavy = queues[(queues["utilisation"] >= 1) & (queues["queue"] != TOGETHER)]["queue"]
    if not len(heavy) or np.isfinite(plan.expires):
        return []
    said = ", ".join(map(str, heavy))
    return [
        f"More work comes than reviewers can do ({said}): the figures are of {plan.weeks} weeks of growing backlog."
    ]


def grounds(plan: Plan) -> Grounds:
    """Return what a queue's figures rest on."""
    seen = plan.cases
    stated = "stated minutes of a review" if plan.minutes is not None else "measured minutes of a review"
    part = (
        f" {100 * seen.inferred:.0f} % of the saved money stands for cases without a verdict: taken to save as much of "
        "their money as cases with one do."
        if seen.inferred
        else ""
    )
    unknown = [] if seen.valued else ["what a review saves"]
    unknown += ["by how much weeks differ"] if plan.arrivals == "poisson" else []
    said = ", and ".join(unknown)
    return Grounds(
        measured=f"When {len(seen.moment):,} cases came, {seen.span}.",
        estimated=f"Backlog, waiting and breaches, by simulation with {stated}.{part}",
        not_measurable=f"{said[0].upper()}{said[1:]}." if said else "",
    )


def provenance(plan: Plan, staff: tuple[Team, ...], begun: float, costs: Costs) -> dict[str, object]:
    """Return where a queue's figures come from."""
    return {
        "dataset": plan.cases.fingerprint,
        "parameters": {
            "reviewers": {name: team.told() for name, team in zip(plan.cases.names, staff, strict=True)},
            "minutes": plan.minutes,
            "spread": plan.spread,
            "verify_within_hours": plan.within,
            "expires_hours": plan.expires,
            "lost_per_hour": plan.lost,
            "absence": plan.absence,
            "order": plan.order,
            "arrivals": plan.arrivals,
            "weeks": plan.weeks,
            "replications": plan.replications,
            "costs": costs.to_dict(),
        },
        "seed": plan.seed,
        "seconds": round(time.perf_counter() - begun, 3),
    }
