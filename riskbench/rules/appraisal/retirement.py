"""Which live rules can go? Sorted by how little is lost, with what may go together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD
from riskbench.display import number
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import Z95
from riskbench.metrics.money import money_chance
from riskbench.rules.appraisal.leave_one_out import deciding, removed, taking_over
from riskbench.rules.decisions import Decided, decide_all
from riskbench.rules.moves import COLUMNS, moves
from riskbench.rules.standing import Columns, Standing

Ints = npt.NDArray[np.int64]

#: What is said of a live rule, the one whose removal costs least first.
VERDICTS = (
    "dead",
    "shadowed",
    "redundant",
    "costs more than it saves",
    "not shown to pay",
    "not measurable",
    "keeps",
)
#: Verdicts by which a rule's removal changes no outcome.
FREE = VERDICTS[:3]
#: The rate of false discoveries at which rules are said to cost more than they save.
LEVEL = 0.05
#: Where more than this share of the events that a removal moves has no verdict, nothing is said against the rule.
MOSTLY = 0.5
#: With fewer events, or a shorter time, a rule without a hit is not shown to have none.
FEWEST_EVENTS, FEWEST_DAYS = 1_000, 7.0
#: Rules named in one cell.
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Judged:
    """What is said of each rule of a book.

    Attributes
    ----------
    verdict : ndarray of str, shape (rules,)
        One of `VERDICTS`; empty for rules that are not live.
    changes : mapping
        What removing each rule alone changes, by `moves.COLUMNS`.
    q : ndarray of float64, shape (rules,)
        The q value of "removing it gains nothing"; NaN where not measurable.
    order : tuple of int
        The places of the rules that can go together without any change, in an order in which each step is free.
    """

    verdict: npt.NDArray[np.object_]
    changes: Columns
    q: npt.NDArray[np.float64]
    order: tuple[int, ...]


def judged(standing: Standing) -> Judged:
    """Return the verdict on each live rule, and the rules that can go together."""
    changes = removed(standing)
    live, hit, decides = standing.setting.live, standing.hits > 0, standing.decisions > 0
    flips = changes["flips"].astype(np.int64)
    net, lower, upper = (changes[f"net_value{end}"].astype(np.float64) for end in ("", "_lower", "_upper"))
    dark = changes["unlabelled"].astype(np.int64) > MOSTLY * flips
    known = live & (flips > 0) & np.isfinite(net)
    q = np.full(len(live), np.nan)
    q[known] = q_values(_gains_nothing(net[known], lower[known], upper[known]))
    surely = (lower > 0) & (np.nan_to_num(q, nan=1.0) <= LEVEL) & (net > _unseen(standing))
    verdict = np.full(len(live), "", dtype=object)
    for word, mask in (
        ("keeps", live),
        ("not shown to pay", known & (upper >= 0)),
        ("costs more than it saves", known & surely),
        ("not measurable", live & (flips > 0) & (~known | (dark & (upper >= 0)))),
        ("redundant", live & decides & (flips == 0)),
        ("shadowed", live & hit & ~decides),
        ("dead", live & ~hit),
    ):
        verdict[mask] = word
    for place in np.flatnonzero(live & ~hit):
        if too_few(standing) or _missing(standing, int(place)):
            verdict[place] = "not measurable"
    return Judged(verdict, changes, q, safe_order(standing, np.flatnonzero(np.isin(verdict, FREE))))


def too_few(standing: Standing) -> str:
    """Return why the events are too few to call a rule dead; empty where they are enough."""
    rows, span = standing.held.bits.rows, standing.held.dataset.span
    if rows < FEWEST_EVENTS:
        return f"only {rows:,} events"
    days = (span[1] - span[0]).total_seconds() / 86_400 if span else FEWEST_DAYS
    return f"only {days:.1f} days of events" if days < FEWEST_DAYS else ""


def _missing(standing: Standing, place: int) -> str:
    """Return a column that a rule reads and no event has a value of; empty where there is none."""
    dataset = standing.held.dataset
    names = (dataset.roles.named().get(name, name) for name in standing.held.book.rules[place].columns)
    return next((name for name in names if name in dataset.names and not dataset.column(name).present.any()), "")


def safe_order(standing: Standing, free: npt.NDArray[np.intp]) -> tuple[int, ...]:
    """Return an order in which rules can be removed, one after the other, without any event's outcome changing.

    Two rules that cover each other are each redundant, but not both: after the first has gone the second stays.
    Greedy: the rule that decides least goes first, then the one with the fewest hits, so that what stays does most.
    """
    table, setting = standing.table, standing.setting
    hits = standing.hits
    decisions = standing.decisions
    order = sorted((int(k) for k in free), key=lambda k: (int(decisions[k]), int(hits[k]), k))
    if not order:
        return ()
    rank, level = setting.rank.copy(), np.append(setting.level, np.int8(0))
    winner, outcome = standing.decided.rule.copy(), standing.decided.level
    asked = np.zeros(table.size, dtype=bool)
    asked[order] = True
    at = np.flatnonzero(asked[table.rules])
    at = at[np.argsort(table.rules[at], kind="stable")]
    owners = np.searchsorted(table.starts, at, side="right") - 1
    ends = np.concatenate([[0], np.cumsum(np.bincount(table.rules[at], minlength=table.size))])
    idle = len(rank)
    rank[~setting.live] = idle
    of_rank = np.full(idle + 1, -1)
    of_rank[rank[setting.live]] = np.flatnonzero(setting.live)
    gone = []
    for place in order:
        own = owners[ends[place] : ends[place + 1]]
        own = own[winner[own] == place]
        kept, rank[place] = rank[place], idle
        heirs = of_rank[_least(rank, table.rules, table.starts, own)] if len(own) else np.zeros(0, dtype=np.int64)
        if (level[heirs] == outcome[own]).all():
            winner[own] = heirs
            gone.append(place)
        else:
            rank[place] = kept
    return tuple(gone)


def _least(
    values: Ints, members: npt.NDArray[np.integer], starts: Ints, groups: npt.NDArray[np.integer]
) -> npt.NDArray[np.int64]:
    """Return the least value among the members of some groups, none of which is empty."""
    size = starts[groups + 1] - starts[groups]
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    at = np.arange(size.sum()) - np.repeat(first, size) + np.repeat(starts[groups], size)
    return np.minimum.reduceat(values[members[at]], first)


def retirement(standing: Standing, told: Judged | None = None) -> pd.DataFrame:
    """Return the live rules, those whose removal costs least first.

    Columns: rule, outcome, verdict; why (the rules that decide or take over, or what is at stake); goes (the step at
    which it can go with the others without any change; none for those that cannot); hits, decides; frauds (let
    through, of the known ones), insults and reviews freed; and the change in net value by removing it alone with
    interval, q (of "it gains nothing", over all rules judged), n (flips).
    """
    told = judged(standing) if told is None else told
    live = np.flatnonzero(standing.setting.live)
    heirs = taking_over(standing)
    deciders = deciding(standing) if (told.verdict == "shadowed").any() else heirs
    step = {place: k + 1 for k, place in enumerate(told.order)}
    rules, changes = standing.held.book.rules, told.changes
    frame = pd.DataFrame(
        {
            "rule": standing.ids[live],
            "outcome": [rules[k].outcome for k in live],
            "verdict": told.verdict[live],
            "why": [_why(standing, told, int(k), heirs, deciders) for k in live],
            "goes": pd.array([step.get(int(k)) for k in live], dtype="Int64"),
            "hits": standing.hits[live],
            "decides": standing.decisions[live],
            "frauds_let_through": -changes["frauds"][live].astype(np.int64),
            "insults_freed": -changes["insults"][live].astype(np.int64),
            "reviews_freed": -changes["reviews"][live].astype(np.int64),
            "net_value": changes["net_value"][live],
            "net_value_lower": changes["net_value_lower"][live],
            "net_value_upper": changes["net_value_upper"][live],
            "q": told.q[live],
            "n": changes["flips"][live],
        }
    )
    frame["_least"] = [VERDICTS.index(word) for word in frame["verdict"]]
    frame["_lost"] = -frame["net_value"].fillna(0.0)
    frame = frame.sort_values(["_least", "_lost", "goes", "hits", "rule"], ignore_index=True)
    return frame.drop(columns=["_least", "_lost"])


def together(standing: Standing, told: Judged | None = None) -> pd.DataFrame:
    """Return what removing several rules at once changes.

    Columns: set (those that can go without any change; all that could go alone; with those that cost more than they
    save; with those not shown to pay), removed (how many rules), rules, and the columns of a change.
    """
    told = judged(standing) if told is None else told
    free = [int(k) for k in np.flatnonzero(np.isin(told.verdict, FREE))]
    costly, open_ = (
        [int(k) for k in np.flatnonzero(told.verdict == word)] for word in ("costs more than it saves", VERDICTS[4])
    )
    sets = {
        "can go together": list(told.order),
        "each could go alone": free,
        "and those that cost more than they save": [*told.order, *costly],
        "and those not shown to pay": [*told.order, *costly, *open_],
    }
    rows = []
    for name, gone in sets.items():
        decided = without(standing, gone)
        before, after = standing.decided.level, decided.level
        picked = np.flatnonzero(before != after)
        pattern = standing.table.pattern
        flips = np.flatnonzero((before != after)[pattern])
        made = standing.changes(
            moves(
                standing.table.cells, before[picked], after[picked], levels=len(standing.effects), picked=picked
            ),
            together=standing.together(flips, was=before[pattern], now=after[pattern]).all,
        )  # fmt: skip
        ids = ", ".join(str(standing.ids[k]) for k in gone)
        rows.append({"set": name, "removed": len(gone), "rules": ids, **{c: made[c][0] for c in COLUMNS}})
    return pd.DataFrame(rows)


def without(standing: Standing, gone: list[int]) -> Decided:
    """Return what the book decides without some rules."""
    live = standing.setting.live.copy()
    live[gone] = False
    return decide_all(standing.table, replace(standing.setting, live=live))


def _gains_nothing(
    net: npt.NDArray[np.float64], lower: npt.NDArray[np.float64], upper: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the p-values of "removing it gains nothing", one-sided, as the interval tells them."""
    half = money_chance(net, lower, upper) / 2
    return np.where(net > 0, half, 1.0 - half)


def _unseen(standing: Standing) -> npt.NDArray[np.float64]:
    """Return, for each rule, what the frauds that chance may have kept out of sight would be worth.

    A rule that decided few known frauds may decide more: the upper end of the exact 95 % interval of their number,
    less those seen, each at the mean worth of a fraud caught by the rule's outcome.
    """
    from scipy.special import gammaincinv

    decided, cells = standing.decided, standing.table.cells
    own = decided.rule >= 0
    seen = np.bincount(decided.rule[own], weights=cells.count[own, FRAUD], minlength=standing.table.size)
    frauds = max(1, int(cells.count[:, FRAUD].sum()))
    each = float(cells.stake[:, FRAUD].sum()) / frauds
    more = gammaincinv(seen + 1.0, 0.975) - seen - Z95 * np.sqrt(seen)
    return np.asarray(np.maximum(more, 0.0) * standing.price.saved[standing.setting.level] * each)


def _why(standing: Standing, told: Judged, place: int, heirs: Ints, deciders: Ints) -> str:
    """Return in words what a verdict rests on."""
    word, went = told.verdict[place], told.changes
    rows = standing.held.bits.rows
    if word == "dead":
        return f"no hit in {rows:,} events: below {number(3 / rows, 'share')} of events, at 95 %"
    if word == "not measurable" and not standing.hits[place]:
        few, column = too_few(standing), _missing(standing, place)
        bound = f", its rate may be up to {number(min(1.0, 3 / rows), 'share')}" if rows else ""
        return f"no hit, but {few}{bound}" if few else f"no hit, but {column} is missing in every event"
    if word == "shadowed":
        return f"always decided by {_named(standing, deciders[place])}"
    if word == "redundant":
        after = _named(standing, heirs[place])
        return f"{after} would decide the same" if after else "its outcome is the mildest, as without any rule"
    if word == "not measurable":
        return f"{int(went['unlabelled'][place]):,} of {int(went['flips'][place]):,} events have no verdict"
    lost, freed = -int(went["frauds"][place]), -int(went["insults"][place])
    good = f"spares {freed:,}" if freed >= 0 else f"holds or stops {-freed:,} more"
    fraud = f"lets {lost:,} known frauds through" if lost >= 0 else f"alerts {-lost:,} more known frauds"
    return f"removal {fraud} and {good} good events"


def _named(standing: Standing, counts: Ints) -> str:
    order = np.argsort(-counts[:-1], kind="stable")
    names = [str(standing.ids[k]) for k in order if counts[k]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
