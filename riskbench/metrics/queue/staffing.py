"""How many reviewers are enough? Every number of them on the same arrivals."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, SKY, style
from riskbench.errors import ParameterError
from riskbench.metrics.costs import Costs
from riskbench.metrics.queue.asked import FEW_BLOCKS, money, plan_of, real
from riskbench.metrics.queue.cases import cases_of
from riskbench.metrics.queue.hours import said, whole
from riskbench.metrics.queue.queue import grounds, hours_words, notes_of, provenance
from riskbench.metrics.queue.replay import Plan, Replayed, Told, replay
from riskbench.metrics.queue.staff import MOST, Hours, Team, teams
from riskbench.metrics.queue.tables import money_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.data.dataset import Dataset

#: As many numbers of reviewers as are tried at most.
_MOST_TRIED = 60
#: The columns that a page shows.
_SHOWN = (
    "queue",
    "reviewers",
    "within_share",
    "within_share_lower",
    "within_share_upper",
    "breaches",
    "utilisation",
    "worth",
    "worth_lower",
    "worth_upper",
    "enough",
)


@result
class Staffing(Result):
    """What each number of reviewers would reach.

    Attributes
    ----------
    levels : DataFrame
        One row a queue and number of reviewers: queue, reviewers, within_share (of cases verified in time),
        breaches (a week), expired (a week), saved_value and cost (a week), worth (saved value less breaches and
        cost, a week, against the smallest number tried; same arrivals), weeks_met_share (of simulated stretches in
        which the service level was met), utilisation, enough (whether the lower end reaches the level); within_share,
        breaches and worth with `_lower` and `_upper` (95 %, of what is expected in such weeks).
    enough : DataFrame
        One row a queue: queue, reviewers (the smallest number that meets the level with confidence; missing where
        none tried does), best_reviewers (the number worth most; missing without money), reason.
    target : float
        The share that is to be verified in time.
    level : str
        The service level in words.
    """

    kind: ClassVar[str] = "staffing"
    title: ClassVar[str] = "Reviewers needed"
    main: ClassVar[str] = "levels"
    next_step: ClassVar[str] = "rb.simulate_queue(..., reviewers=...) shows one number by hour of the week"
    repr_rows: ClassVar[int] = 15
    repr_columns: ClassVar[tuple[str, ...]] = _SHOWN

    levels: pd.DataFrame
    enough: pd.DataFrame
    target: float
    level: str
    currency: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the smallest number of reviewers that is enough, queue by queue."""
        return self.facts

    def _draw(self, ax: Axes) -> None:
        for colour, (name, rows) in zip(
            (BLUE, ORANGE, GREY, SKY), self.levels.groupby("queue", sort=False), strict=False
        ):
            x, y = rows["reviewers"].to_numpy(), 100 * rows["within_share"].to_numpy()
            ends = 100 * rows[["within_share_lower", "within_share_upper"]].to_numpy().T
            ax.fill_between(x, *ends, color=colour, alpha=0.2, linewidth=0)
            ax.plot(x, y, marker="o", markersize=4, color=colour, label=str(name)[:40].replace("$", r"\$"))
        ax.axhline(100 * self.target, color=GREY, linestyle="--", linewidth=1.2)
        ax.set_ylim(-2, 104)
        if len(self.enough) > 1:
            ax.legend(loc="lower right", fontsize=8)
        ax.locator_params(axis="x", integer=True)
        style(
            ax,
            title=f"Verified within {self.level}, by number of reviewers",
            x="reviewers",
            y="cases verified in time (%)",
        )


def staffing(
    cases: Dataset | Any,
    *,
    reviewers: Iterable[int] | None = None,
    level: float = 0.95,
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
) -> Staffing:
    """Try numbers of reviewers on the same arrivals, and name the smallest that meets the service level.

    Use it to ask for reviewers, or to show that there are enough. "Enough" means that the lower end of the interval
    reaches the level, not that the middle does. Read `worth` where each review saves money: it rises to the number
    that pays, and then falls by the cost of each further reviewer.

    Parameters
    ----------
    cases : Simulation or Dataset
        As in `simulate_queue`.
    reviewers : iterable of int, optional
        The numbers to try in each queue; by default from one to twice what the work alone asks for.
    level : float, 0..1
        The share of cases that is to be verified in time.
    minutes, verify_within, hours, queue, language, order, value, costs, breach_cost, expires_after
        As in `simulate_queue`.
    lost_per_hour, absence, spread, arrivals, weeks, replications, seed
        As in `simulate_queue`.

    Returns
    -------
    Staffing
        Tables levels and enough.

    Raises
    ------
    ParameterError
        For a number of reviewers that is none, or anything that `simulate_queue` refuses.
    DataError
        When there is no time, no case, or less than two whole weeks.

    Examples
    --------
    >>> import numpy as np, pandas as pd, riskbench as rb
    >>> rng = np.random.default_rng(1)
    >>> at = pd.Timestamp("2026-03-02") + pd.to_timedelta(np.sort(rng.integers(0, 56 * 86_400, 4_000)), unit="s")
    >>> cases = rb.read(pd.DataFrame({"id": np.arange(4_000), "at": at}), roles=rb.Roles(id="id", time="at"))
    >>> found = rb.staffing(cases, minutes=8, hours="24x7", reviewers=range(1, 4), replications=50)
    >>> print(found.headline()[0])
    Reviewers needed: 1
    """
    begun = time.perf_counter()
    stated = Costs.from_mapping(costs)
    fee = money("breach_cost", breach_cost)
    target = real(level)
    if target is None or not 0 < target <= 1:
        raise ParameterError("level is the share to be verified in time", got=said(level), allowed="above 0, up to 1")
    column = minutes if isinstance(minutes, str) else None
    seen = cases_of(cases, minutes=column, value=value, queue=queue, language=language, costs=stated)
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
    one = teams(1, hours, seen.names)
    tried = _tried(plan, one, reviewers)
    variants = [[team.changed(count - 1) for count in tried] for team in one]
    replayed = replay(plan, variants, whole=False)
    levels = _levels(plan, replayed, variants, target=target, minute_cost=stated.minute_cost, breach_cost=fee)
    enough = _enough(levels, plan, target)
    return Staffing(
        levels=levels,
        enough=enough,
        target=target,
        level=hours_words(plan.within),
        currency=seen.currency,
        facts=_facts(levels, enough, plan),
        pages={"levels": money_page(levels[list(_SHOWN)], seen.currency)},
        notes=(*notes_of(plan, few=few, stated=stated, fee=fee), *seen.notes),
        grounds=grounds(plan),
        provenance=provenance(plan, one, begun, stated),
    )


def _tried(plan: Plan, one: tuple[Team, ...], reviewers: Iterable[int] | None) -> list[int]:
    if reviewers is None:
        return list(range(1, _work_asks(plan, one) + 1))
    if isinstance(reviewers, str | bytes | Mapping) or not isinstance(reviewers, Iterable):
        raise ParameterError("reviewers are the numbers to try", got=said(reviewers), allowed="range(1, 9), [2, 4, 8]")
    try:
        given = [whole(number) for number in islice(reviewers, MOST + 2)]
    except TypeError:
        given = []  # what says that it can be gone through, and cannot
    counts = [number for number in given if number is not None and 0 <= number <= MOST]
    if not counts or len(counts) < len(given):
        raise ParameterError(
            "reviewers are whole numbers", got=said(reviewers), allowed=f"0 to {MOST:,}, one or more: range(1, 9)"
        )
    held = sorted(set(counts))
    if len(held) > _MOST_TRIED:
        raise ParameterError(
            "So many numbers of reviewers are not tried", got=len(held), allowed=f"up to {_MOST_TRIED}"
        )
    return held


def _work_asks(plan: Plan, one: tuple[Team, ...]) -> int:
    """Return twice the reviewers that the work alone asks for, in the queue that asks for most; at least 3."""
    seen, most = plan.cases, 3
    for place, team in enumerate(one):
        mine = seen.queue == place
        mean = float(np.nanmean(seen.minutes)) if plan.minutes is None and seen.minutes is not None else 0.0
        mean = plan.minutes[place] if plan.minutes is not None else mean
        need = mine.sum() / seen.blocks * mean / max(team.paid() * (1 - plan.absence), 1.0)
        most = max(most, int(np.ceil(2 * need)) + 1)
    return min(most, _MOST_TRIED)


def _levels(
    plan: Plan, held: Replayed, variants: list[list[Team]], *, target: float, minute_cost: float, breach_cost: float
) -> pd.DataFrame:
    rows = []
    weeks = plan.weeks
    for place, name in enumerate(plan.cases.names):
        for number, team in enumerate(variants[place]):
            kept = held.of("kept")[:, place]
            seen, other = (_of_level(plan, told, place, number, breach_cost) for told in (held.seen, held.other))
            cost = (team.paid() - variants[place][0].paid()) * minute_cost
            row: dict[str, object] = {"queue": name, "reviewers": team.size}
            for column, values in seen.items():
                mean, low, high = held.interval(plan, values, other[column], place)
                floor, top = (-np.inf if column == "worth" else 0.0), (1.0 if column == "late_share" else np.inf)
                row |= {
                    column: mean,
                    f"{column}_lower": float(np.maximum(low, floor)),
                    f"{column}_upper": float(np.minimum(high, top)),
                }
            share = 1 - seen["late_share"]
            late_ends = [row.pop(f"late_share{end}") for end in ("", "_upper", "_lower")]
            for end, value in zip(("", "_lower", "_upper"), late_ends, strict=True):
                row |= {f"within_share{end}": 1 - value, f"worth{end}": row[f"worth{end}"] - cost}  # type: ignore[operator]
            paid = team.paid() * weeks
            rows.append(
                {
                    **row,
                    "expired": float(held.of("expired")[:, place, number].mean()) / weeks,
                    "saved_value": float(kept[:, number].mean()) / weeks,
                    "cost": team.paid() * minute_cost,
                    "weeks_met_share": float(np.nanmean(share >= target)) if len(share) else np.nan,
                    "utilisation": float(held.of("busy")[:, place, number].mean()) / paid if paid else np.nan,
                    "enough": bool(row["within_share_lower"] >= target),  # type: ignore[operator]
                }
            )
    return pd.DataFrame(rows)


def _of_level(plan: Plan, told: Told, queue: int, number: int, breach_cost: float) -> dict[str, Any]:
    """Return late share, breaches and worth before its cost with one number of reviewers, in every replication."""
    late, kept = told.of("late")[:, queue], told.of("kept")[:, queue]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = late[:, number] / told.of("cases")[:, queue, number]
    gain = kept[:, number] - kept[:, 0] - breach_cost * (late[:, number] - late[:, 0])
    return {"late_share": share, "breaches": late[:, number] / plan.weeks, "worth": gain / plan.weeks}


def _enough(levels: pd.DataFrame, plan: Plan, target: float) -> pd.DataFrame:
    rows = []
    for name in plan.cases.names:
        mine = levels[levels["queue"] == name]
        met = mine[mine["enough"]]
        paying = mine[mine["worth"].notna()]
        best = int(paying["reviewers"].iloc[int(paying["worth"].to_numpy().argmax())]) if len(paying) else None
        top = mine.iloc[-1]
        if len(met):
            sure = 100 * float(met["within_share_lower"].iloc[0])
            reason = f"{int(met['reviewers'].iloc[0])} reach {sure:.1f} % at least"
        elif pd.isna(top["within_share"]):
            reason = "too few cases in the weeks that were drawn"
        else:
            reason = (
                f"{int(top['reviewers'])} reach {100 * float(top['within_share']):.1f} % "
                f"({100 * float(top['within_share_lower']):.1f} to {100 * float(top['within_share_upper']):.1f} %), "
                f"short of {100 * target:g} %"
            )
        rows.append((name, int(met["reviewers"].iloc[0]) if len(met) else None, best, reason))
    frame = pd.DataFrame(rows, columns=["queue", "reviewers", "best_reviewers", "reason"])
    return frame.astype({"reviewers": "Int64", "best_reviewers": "Int64"})


def _facts(levels: pd.DataFrame, enough: pd.DataFrame, plan: Plan) -> tuple[Fact, ...]:
    n, facts = len(plan.cases.moment), []
    for row in enough.head(4).to_dict("records"):
        name = "Reviewers needed" if len(enough) == 1 else f"Reviewers needed: {row['queue']}"
        missing = bool(pd.isna(row["reviewers"]))
        facts.append(Fact(name, None if missing else int(row["reviewers"]), "count", n=n, note=str(row["reason"])))
    if len(enough) == 1:
        at = enough["reviewers"].iloc[0]
        shown = levels[levels["reviewers"] == at] if not pd.isna(at) else levels.tail(1)
        held = shown.iloc[0]
        facts.append(
            Fact(
                f"Verified within {hours_words(plan.within)} by {int(held['reviewers'])}",
                float(held["within_share"]),
                "share",
                lower=float(held["within_share_lower"]),
                upper=float(held["within_share_upper"]),
                n=n,
            )
        )
        best = enough["best_reviewers"].iloc[0]
        if not pd.isna(best):
            facts.append(Fact("Worth most", int(best), "count", n=n, note="reviewers, by saved money less their cost"))
    return tuple(facts)
