"""What would contain it, at what collateral, and does that hold on events it was not found on?"""

from __future__ import annotations

import time as clock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.display.fact import Unit
from riskbench.errors import ParameterError, listed, nearest
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.proposals import Proposal
from riskbench.incidents.reading import cut, plain, ranged
from riskbench.incidents.scope import Scope
from riskbench.incidents.stakes import Stakes, measured, stakes_of
from riskbench.incidents.trials import Plan, Trial, plan_of, proposals_of, shortlist, trials_of, weights
from riskbench.incidents.wording import masked_after
from riskbench.rules.book import RuleBook
from riskbench.rules.rule import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: At most so many lists stand beside the rules.
LISTS = 3
_ENDS = ("", "_lower", "_upper")
_MEASURES = (
    "n caught caught_share caught_share_lower caught_share_upper value_prevented good_hit good_told_hit "
    "good_hit_per_day good_hit_per_day_lower good_hit_per_day_upper insult_rate insult_rate_lower insult_rate_upper "
    "alerts_per_day reviews_per_day net_value_day net_value_day_lower net_value_day_upper net_value_day_told "
    "net_value_day_all"
).split()
_BASELINE = (
    "good_hit good_told_hit good_hit_per_day good_hit_per_day_lower good_hit_per_day_upper insult_rate "
    "insult_rate_lower insult_rate_upper alerts_per_day reviews_per_day"
).split()
_AFTER = "caught good_hit_per_day good_hit_per_day_lower good_hit_per_day_upper alerts_per_day".split()


@result
class Containment(Result):
    """Changes of the rule book that would contain an incident, the most valuable first.

    Attributes
    ----------
    candidates : DataFrame
        One row a change: rule, source (segment, mined, parameter, promoted, attribution, list), condition,
        outcome, verdict (worth it, may pay, not worth it, catches nothing later, not held out, not checked), decays
        (a list of members, which attackers leave behind), held_out (found without the events that it is checked on;
        what was found with them never reads as worth it). In the
        window, beyond what the live book does: n (suspected events), caught, caught_share with interval,
        value_prevented, good_hit (good events decided more harshly, by chance), good_told_hit (told good),
        good_hit_per_day with interval, insult_rate with interval, alerts_per_day, reviews_per_day, net_value_day
        with interval, net_value_day_told (only frauds told are fraud) and net_value_day_all (all suspected are). The
        same under `check_` on the events that no rule was found on, the collateral under `baseline_` on days of the
        baseline that no rule was found on, and alerts and collateral under `after_` on the days after the window.
    checked_on : str
        What the check is: the days after the window, the later part of the window, or nothing.
    tried : int
        How many changes were looked at.
    """

    kind: ClassVar[str] = "containment"
    title: ClassVar[str] = "What would contain it"
    main: ClassVar[str] = "candidates"
    next_step: ClassVar[str] = '.book("RULE", status="shadow") is the rule book with it; .best is the first worth it'
    repr_rows: ClassVar[int] = 12

    candidates: pd.DataFrame
    checked_on: str
    tried: int
    currency: str
    proposals: tuple[Proposal, ...]
    given: RuleBook
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return the best containment, what it catches, its collateral and its net value a day."""
        return self.facts

    @property
    def best(self) -> str | None:
        """The first candidate that is worth it and is no list; None where none is."""
        worth = self.candidates[(self.candidates["verdict"] == "worth it") & ~self.candidates["decays"]]
        return str(worth["rule"].iloc[0]) if len(worth) else None

    def book(self, *rules: str, status: Status = "shadow") -> RuleBook:
        """Return the rule book with one or more candidates in it; the best one when none is named.

        Parameters
        ----------
        *rules : str
            Names in the column `rule`.
        status : {"shadow", "draft", "live"}
            What they become; a moved cut that is not live stands beside its rule under an id of its own.

        Raises
        ------
        ParameterError
            When there is no candidate of that name, or none is named and none is worth it.
        """
        held = {proposal.name: proposal for proposal in self.proposals}
        if not rules and self.best is None:
            raise ParameterError("No containment is worth it, so one has to be named", allowed=listed(held))
        book = self.given
        for name in rules or (str(self.best),):
            if name not in held:
                close = nearest(name, held)
                raise ParameterError(
                    f"{name!r} is not a containment that was looked at",
                    allowed=listed(held),
                    hint=f"did you mean {close!r}?" if close else None,
                )
            book = held[name].in_book(book, status)
        return book

    @property
    def drawable(self) -> bool:
        """Whether there is a candidate with a measured catch."""
        return bool(len(self.candidates)) and bool(self.candidates["caught_share"].notna().any())

    def _draw(self, ax: Axes) -> None:
        pre = "check_" if self.candidates["check_caught_share"].notna().any() else ""
        shown = self.candidates[self.candidates[f"{pre}caught_share"].notna()]
        right = shown[f"{pre}good_hit_per_day"].to_numpy(dtype=float)
        up, low, high = (100 * shown[f"{pre}caught_share{end}"].to_numpy(dtype=float) for end in _ENDS)
        groups: dict[str, list[int]] = {"worth it": [], "may pay, or not worth it": [], "not held out, or a list": []}
        for place, (verdict, decays) in enumerate(zip(shown["verdict"], shown["decays"], strict=True)):
            apart = decays or verdict == "not held out"
            groups[list(groups)[2 if apart else 0 if verdict in ("worth it", "not checked") else 1]].append(place)
        for (name, places), colour in zip(groups.items(), (BLUE, ORANGE, GREY), strict=True):
            if places:
                ax.vlines(right[places], low[places], high[places], color=colour, linewidth=1, alpha=0.5)
                said = "not checked" if not pre and colour == BLUE else name
                ax.scatter(right[places], up[places], color=colour, s=90, zorder=3, label=said, clip_on=False,
                           edgecolors="white")  # fmt: skip
        most = float(right.max(initial=1.0))
        width = np.log10(1 + 1.9 * most) + 0.25
        spots = _beside(np.log10(1 + right) / width, up / 118)
        for place, (x, y) in enumerate(spots):
            ax.annotate(str(place + 1), (right[place], up[place]), xytext=(10 * x, 9 * y), ha="center", va="center",
                        textcoords="offset points", fontsize=9, fontweight="bold", zorder=4)  # fmt: skip
        ax.set_ylim(-9, 118)
        ax.set_yticks(range(0, 101, 20))
        ax.set_xscale("symlog", linthresh=1)
        ticks = [0, *(k * 10**power for power in range(7) for k in (1, 3) if k * 10**power <= 1.6 * most)]
        ticks = ticks if len(ticks) <= 9 else [tick for tick in ticks if not str(tick).startswith("3")]
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], minor=False)
        ax.minorticks_off()
        ax.set_xlim(-0.25, 1.9 * max(1.0, most))
        ax.legend(loc="upper left", fontsize=8, frameon=False, ncols=3)
        style(ax, title="Catch and collateral; the numbers are places in the table",
              x="other events hit a day (log scale)", y="suspected events caught (%)")  # fmt: skip

    @property
    def alt(self) -> str:
        """The picture in words."""
        return (
            f"{len(self.candidates)} changes of the rule book by the share of the suspected events that each catches "
            f"and the other events that it hits a day. {super().alt}"
        )


def _beside(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return on which side of each point its number stands, where it is furthest from other points and numbers."""
    taken = [np.column_stack([x, y])[place] for place in range(len(x))]
    chosen: list[tuple[float, float]] = []
    for place in range(len(x)):
        best, spot = -1.0, (1.0, 1.0)
        for side in ((1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (1.3, 0.0), (-1.3, 0.0)):
            at = np.array([x[place] + 0.024 * side[0], y[place] + 0.05 * side[1]])
            others = [np.hypot(*((at - other) / (1.0, 1.8))) for k, other in enumerate(taken) if k != place]
            free = min(others, default=1.0)
            if free > best + 1e-9:
                best, spot = float(free), side
        chosen.append(spot)
        taken.append(np.array([x[place] + 0.024 * spot[0], y[place] + 0.05 * spot[1]]))
    return chosen


def contain(
    scope: Scope,
    cluster: Cluster,
    *,
    causes: object | None = None,
    segments: Result | None = None,
    entities: Result | None = None,
    most: int = 8,
    outcome: str | None = None,
) -> Containment:
    """Return the changes of the rule book that would contain an incident, judged on events they were not found on.

    Use it before anything is switched on. Candidates are the conditions of the segments found, mined rules, cuts of
    live and shadow rules moved to their near misses, shadow rules made live, rules from attributions, and lists of
    ring members. Each is added to the live book, and only what it changes counts. Rules are found on one part of
    the events and measured on another: the days after the window where they hold suspected events, else the later
    part of the window. Trust the `check_` figures; those of the window are flattered. A suspected event counts
    as fraud by its chance, which rests on the verdicts told so far and how fast they come; as if only frauds told
    were fraud, and as if all suspected were, stands beside. Events outside the cluster that nobody called fraud are
    presumed good, verdict or not.

    Parameters
    ----------
    scope : Scope
        The events, the book, the costs.
    cluster : Cluster
        The suspected events.
    causes : object, optional
        Attributions with candidate rules in `rules`.
    segments, entities : Result, optional
        The segments found (column `condition`), and the rings found (tables `rings` and `members`).
    most : int
        The most rules to check; lists come beside them.
    outcome : str, optional
        What all new rules decide; by default each decides what is worth most where it was found.

    Returns
    -------
    Containment
        Table `candidates`; `.best` and `.book(...)`.

    Raises
    ------
    ParameterError
        When the domain has no such outcome, or `most` is below 1.
    """
    begun = clock.perf_counter()
    steps = ladder(scope.dataset.domain)
    if most < 1:
        raise ParameterError("At least one candidate is checked", got=most, allowed="1 or more")
    if outcome is not None and steps.effect(outcome) == "none":
        raise ParameterError(f"{outcome!r} contains nothing", got=outcome, allowed=listed(steps.names[1:]))
    stakes = stakes_of(scope, cluster)
    plan = plan_of(scope, stakes, cluster)
    weight = weights(scope, stakes, plan)
    proposals, notes = proposals_of(
        scope,
        stakes,
        plan,
        cluster,
        causes=causes,
        segments=segments,
        entities=entities,
        outcome=outcome,
        weight=weight,
    )
    trials = trials_of(scope, stakes, proposals, weight, outcome=outcome)
    rules = shortlist([trial for trial in trials if trial.proposal.source != "list"], most)
    lists = [trial for trial in trials if trial.proposal.source == "list"][:LISTS]
    table = _table(scope, stakes, plan, [*rules, *lists])
    code = scope.dataset.currency.code if scope.worth.money else ""
    on = plan.said if plan.check is not None else None
    page = _page(table, currency=code, checked_on=on, hidden=scope.dataset.roles.entities)
    held = {trial.proposal.name: trial.proposal for trial in (*rules, *lists)}
    return Containment(
        candidates=table,
        checked_on=plan.said,
        tried=len(trials),
        currency=code,
        pages={"candidates": page} if len(table) else {},
        proposals=tuple(held[str(name)] for name in table["rule"]),
        given=scope.book,
        facts=_facts(scope, table, plan, len(trials)),
        notes=_notes(scope, stakes, plan, notes, len(table)),
        provenance={**scope.provenance, "seconds": round(clock.perf_counter() - begun, 3)},
    )


def _table(scope: Scope, stakes: Stakes, plan: Plan, trials: list[Trial]) -> pd.DataFrame:
    """Return one row a trial: by its net value where it is checked; what is not held out after that, lists last."""
    rows: list[dict[str, Any]] = []
    for trial in trials:
        one = trial.proposal
        window = measured(scope, stakes, trial.level, plan.window)
        usual = measured(scope, stakes, trial.level, plan.baseline) if plan.baseline.mask.any() else {}
        check = (
            measured(scope, stakes, trial.level, plan.check, candidates=len(trials)) if plan.check is not None else {}
        )
        later = measured(scope, stakes, trial.level, plan.after) if plan.after.mask.any() else {}
        told: dict[str, Any] = {
            "rule": one.name,
            "source": one.source,
            "condition": one.condition,
            "outcome": one.rule.outcome,
            "verdict": _verdict(check, held_out=one.blind),
            "decays": one.source == "list",
            "held_out": one.blind and plan.check is not None,
        }
        told |= {name: window[name] for name in _MEASURES}
        told |= {f"check_{name}": check.get(name) for name in _MEASURES}
        told |= {f"baseline_{name}": usual.get(name) for name in _BASELINE}
        told |= {f"after_{name}": later.get(name) for name in _AFTER}
        rows.append({**told, "found_net_value_day": trial.found})
    columns = [
        *("rule source condition outcome verdict decays held_out".split()),
        *_MEASURES,
        *(f"check_{name}" for name in _MEASURES),
        *(f"baseline_{name}" for name in _BASELINE),
        *(f"after_{name}" for name in _AFTER),
        "found_net_value_day",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    for name in columns[7:]:
        frame[name] = frame[name].astype("Float64")
    key = "check_net_value_day" if plan.check is not None else "found_net_value_day"
    value = frame[key].fillna(-np.inf).to_numpy(dtype=float)
    flattered = (frame["verdict"] == "not held out").to_numpy()
    order = sorted(range(len(frame)), key=lambda i: (bool(frame["decays"].iloc[i]), bool(flattered[i]), -value[i], i))
    return frame.iloc[order].reset_index(drop=True)


def _verdict(check: dict[str, Any], *, held_out: bool) -> str:
    if not check:
        return "not checked"
    if not check["caught"]:
        return "catches nothing later"
    if check["net_value_day"] <= 0:
        return "not worth it"
    if not held_out:
        return "not held out"
    return "worth it" if check["net_value_day_lower"] > 0 else "may pay"


def _facts(scope: Scope, table: pd.DataFrame, plan: Plan, tried: int) -> tuple[Fact, ...]:
    rules = table[~table["decays"].astype(bool)]
    worth = rules[rules["verdict"] == "worth it"]
    if not len(rules):
        return (Fact("Best containment", None, "text", note="no change of the rule book catches a suspected event"),)
    fair = rules[rules["verdict"] != "not held out"]
    row = (worth if len(worth) else fair if len(fair) else rules).iloc[0].to_dict()
    pre = "check_" if plan.check is not None else ""
    name, told = (
        f"{row['rule']} → {row['outcome']}",
        cut(masked_after(str(row["condition"]), scope.dataset.roles.entities), 120),
    )
    if not len(worth):
        name, told = "none is surely worth it", f"nearest: {name}, {told}"
        if plan.check is None:
            name, told = "none could be checked", f"found: {told.removeprefix('nearest: ')}"
    n, caught = int(row[f"{pre}n"]), int(row[f"{pre}caught"])
    currency = scope.dataset.currency.code if scope.worth.money else ""
    unit: Any = "money" if scope.worth.money else "average"
    facts = [
        Fact("Best containment", name, "text", n=n, note=told),
        Fact("It would catch", _number(row[f"{pre}caught_share"]), "share", n=n,
             lower=_number(row[f"{pre}caught_share_lower"]), upper=_number(row[f"{pre}caught_share_upper"]),
             note=f"{caught:,} of {n:,} suspected events, on {plan.said if pre else 'the window it was found on'}"),
        Fact("Other events hit a day", _number(row[f"{pre}good_hit_per_day"]), "average",
             lower=_number(row[f"{pre}good_hit_per_day_lower"]), upper=_number(row[f"{pre}good_hit_per_day_upper"]),
             note="good by their chance"),
        Fact("Net value a day", _number(row[f"{pre}net_value_day"]), unit, currency=currency, signed=True,
             lower=_number(row[f"{pre}net_value_day_lower"]), upper=_number(row[f"{pre}net_value_day_upper"]),
             note="suspected events by their chance of fraud"),
        Fact("If only frauds told count", _number(row[f"{pre}net_value_day_told"]), unit, currency=currency,
             signed=True, note="net value a day"),
        Fact("Changes tried", tried, "count",
             note=f"{int((table['verdict'] == 'catches nothing later').sum())} of those shown catch nothing later"),
    ]  # fmt: skip
    return tuple(facts)


def _page(
    table: pd.DataFrame, *, currency: str, checked_on: str | None, hidden: tuple[str, ...]
) -> tuple[str, pd.DataFrame]:
    """Return the candidates as a reader's table."""
    pre = "check_" if checked_on else ""
    money: Unit = "money" if currency else "average"
    rows = [
        {
            "no.": place,
            "rule": row["rule"],
            "hits": cut(masked_after(str(row["condition"]), hidden), 160),
            "decides": row["outcome"],
            "verdict": f"list; {row['verdict']}" if row["decays"] else row["verdict"],
            "catches": ranged(*(row[f"{pre}caught_share{end}"] for end in _ENDS), unit="share"),
            "good hit a day": plain(*(row[f"{pre}good_hit_per_day{end}"] for end in _ENDS)),
            f"net value a day{f' ({currency})' if currency else ''}": ranged(
                *(row[f"{pre}net_value_day{end}"] for end in _ENDS), unit=money, signed=True
            ),
        }
        for place, row in enumerate(table.to_dict("records"), 1)
    ]
    on = f"measured on {checked_on}" if checked_on else "measured on the events they were found on, and flattered"
    return f"Changes of the rule book, {on}; lists last", pd.DataFrame(rows)


def _number(value: object) -> float | None:
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]


def _notes(scope: Scope, stakes: Stakes, plan: Plan, said: list[str], shown: int) -> tuple[str, ...]:
    notes = [f"Checked on: {plan.said}."]
    if not scope.after.any():
        notes.append("There are no events after the window.")
    elif plan.check is None or not plan.whole:
        notes.append("The days after the window hold too few suspected events to check a catch on.")
    if plan.check is None:
        notes.append("No figure is held out: what is shown was found on the same events and is flattered.")
    else:
        if not plan.whole:
            notes.append(
                "Not held out: what segments, rings and attributions say was found on the whole window, so on the "
                "events of the check as well."
            )
        notes.append(f"Intervals of the check's net value are widened to hold for all {shown} candidates at once.")
    if not scope.book.rules:
        notes.append("No book given: candidates are judged as if no rule decided anything.")
    notes.append("Events outside the cluster that nobody told fraud are presumed good, verdict or not.")
    notes += stakes.said
    told = ", ".join(f"{name} {value:g}" for name, value in scope.costs.to_dict().items())
    notes.append(f"Costs assumed: {told}.")
    notes.append("A list of members decays: attackers come back under other names. It is ranked apart.")
    return (*notes, *said)
