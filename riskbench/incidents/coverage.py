"""What did our rules, the score and the reviewers do about the suspected events, and what got through?"""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, number, result
from riskbench.display.chart import BLUE, GREY, ORANGE, style
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.handled import median, outcomes, pages, reviewed, scores, waved_through
from riskbench.incidents.scope import Scope
from riskbench.metrics.intervals import wilson
from riskbench.rules.near import NEAR_WORDS, NearMiss, near_misses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

_STATUS = {"live": 0, "shadow": 1, "draft": 2, "retired": 3}
_RULES = (
    "rule title outcome status hits n hit_share hit_share_lower hit_share_upper decided elsewhere baseline_per_day "
    "one_part near_misses nearest"
).split()
_NEAR = (
    "rule status part param cut op events near_events got_through unknown n median_gap median_gap_share cut_50 cut_90 "
    "finding"
).split()


@result
class Coverage(Result):
    """What was done about the suspected events.

    Attributes
    ----------
    rules : DataFrame
        One row a rule, live ones first: rule, title, outcome, status, hits (suspected events hit), n (suspected
        events), hit_share with interval, decided (suspected events that this rule decides), elsewhere (hits on
        other events of the window), baseline_per_day, one_part (suspected events that failed one part of its
        condition only), near_misses (of them, those near the cut), nearest (the part that lies nearest).
    near : DataFrame
        One row a rule and part of its condition, live rules first, then by how many events are near, then by the
        median distance: rule, status, part, param (`RULE.parameter`), cut, op, events (failed this part only),
        near_events (of them, within a quarter of the cut, or one step from it for whole numbers),
        got_through (of the events, let through today), unknown (missed only because a value is missing),
        n, median_gap and median_gap_share (distance of the value from the cut, and as a share of the cut),
        cut_50, cut_90 (the cut that would have caught so many per cent of them), finding (all that in words).
    outcomes : DataFrame
        by (history, or the book now), outcome, effect, events, n, share with interval.
    reviewed : DataFrame
        Of the suspected events that history reviewed: verdict (fraud, good, none yet), events, n, share with
        interval, median_days from event to verdict.
    events : int
        Suspected events.
    through : int or None
        Of them, let through by history; by the book now where there is no history; None with neither.
    through_by : str
        Which of the two.
    """

    kind: ClassVar[str] = "coverage"
    title: ClassVar[str] = "What we did"
    main: ClassVar[str] = "rules"
    next_step: ClassVar[str] = '.frame("near"), "outcomes", "reviewed", "scores"'
    repr_tables: ClassVar[tuple[str, ...]] = ("findings", "outcomes", "scores")

    rules: pd.DataFrame
    near: pd.DataFrame
    findings: pd.DataFrame
    outcomes: pd.DataFrame
    reviewed: pd.DataFrame
    scores: pd.DataFrame
    events: int
    through: int | None
    through_by: str
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return how many got through, what the best rule hit, and the nearest miss."""
        return self.facts

    @property
    def drawable(self) -> bool:
        """Whether any rule hit or just missed a suspected event."""
        return bool(len(self.rules)) and bool((self.rules["hits"] + self.rules["one_part"]).any())

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of rules."""
        return 1.5 + 0.34 * len(_drawn(self.rules))

    @property
    def alt(self) -> str:
        """The picture in words."""
        told = [
            f"{row.rule} hit {row.hits} and just missed {row.near_misses} of {row.one_part} that failed one part only"
            for row in _drawn(self.rules).itertuples()
        ]
        return f"A bar for each rule, of {self.events} suspected events: {'; '.join(told) or 'no rule hit any'}."

    def _draw(self, ax: Axes) -> None:
        shown = _drawn(self.rules).iloc[::-1]
        place = np.arange(len(shown))
        hit, near = 100 * shown["hit_share"].to_numpy(), 100 * (shown["near_misses"] / shown["n"]).to_numpy()
        colours = [BLUE if status == "live" else GREY for status in shown["status"]]
        ax.barh(place, hit, color=colours, height=0.6)
        far = 100 * (shown["one_part"] / shown["n"]).to_numpy() - near
        ax.barh(place, near, left=hit, color=ORANGE, height=0.6)
        ax.barh(place, far, left=hit + near, color=ORANGE, height=0.6, alpha=0.25)
        ax.hlines(place, 100 * shown["hit_share_lower"], 100 * shown["hit_share_upper"], color="black", linewidth=1)
        ax.set_yticks(place, [_short(rule, 24) for rule in shown["rule"]])
        ax.set_xlim(0, 104)
        style(ax, title="Hit (blue; grey: not live), just missed (orange), one part far off (pale)",
              x="% of the suspected events; line: 95 % interval of the hits", y="")  # fmt: skip


def _drawn(rules: pd.DataFrame) -> pd.DataFrame:
    some = rules[(rules["hits"] > 0) | (rules["one_part"] > 0)]
    return some.head(12)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def coverage(scope: Scope, cluster: Cluster) -> Coverage:
    """Return what rules, score and reviewers did about the suspected events.

    Use it to see why an incident was not stopped: which rules hit, which just missed and by how much, what was
    decided, and what reviewers said. Events that failed one part of a rule's condition only are told with
    their distance from the cut, and which cut would have caught them; a near miss is one close to it. Simulate such
    a cut before trusting it: it also hits others.

    Parameters
    ----------
    scope : Scope
        The events, the book and what is known.
    cluster : Cluster
        The suspected events.

    Returns
    -------
    Coverage
        Tables `rules`, `near`, `outcomes`, `reviewed`, `scores`.
    """
    begun = clock.perf_counter()
    rows = cluster.rows
    steps = ladder(scope.dataset.domain)
    got_through = waved_through(scope, steps)[rows]
    near, missed = _near(scope, rows, got_through=got_through)
    rules = _rules(scope, rows, near, missed)
    has_history, has_book = scope.dataset.roles.outcome is not None, bool(scope.book.rules)
    by = "history" if has_history else "the book now" if has_book else "not measurable"
    through = int(got_through.sum()) if has_history or has_book else None
    seen, scored = reviewed(scope, rows, steps), scores(scope, rows)
    decided = outcomes(scope, rows, scope.hits.resolution.level[rows], steps)
    facts = [
        _through_fact(through, len(rows), by),
        *_rule_facts(scope, rules, near, len(rows)),
        *_review_facts(seen),
        *_score_facts(scored),
    ]
    return Coverage(
        rules=rules,
        near=near,
        findings=_findings(near),
        outcomes=decided,
        reviewed=seen,
        scores=scored,
        events=len(rows),
        through=through,
        through_by=by,
        facts=tuple(facts),
        pages=pages(rules, _findings(near), decided, scored),
        notes=_notes(scope, cluster),
        provenance={**scope.provenance, "seconds": round(clock.perf_counter() - begun, 3)},
    )


def _rules(scope: Scope, rows: Rows, near: pd.DataFrame, missed: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    held = scope.hits
    days = scope.days[1]
    inside = np.zeros(scope.dataset.rows, dtype=bool)
    inside[rows] = True
    nearest = near.drop_duplicates("rule").set_index("rule") if len(near) else None
    made = []
    for place, rule in enumerate(scope.book.rules):
        hit = held.bits.positions(place)
        n = int(inside[hit].sum())
        share, low, high = (float(x) for x in wilson(n, len(rows)))
        decided = int((held.resolution.rule[rows] == place).sum())
        elsewhere = int((scope.current[hit] & ~inside[hit]).sum())
        before = int(scope.baseline[hit].sum())
        part = str(nearest.loc[rule.id, "finding"]) if nearest is not None and rule.id in nearest.index else ""
        made.append((rule.id, rule.title or "", rule.outcome, rule.status, n, len(rows), share, low, high, decided,
                     elsewhere, before / days if days > 0 else None, *missed.get(rule.id, (0, 0)), part))  # fmt: skip
    frame = pd.DataFrame(made, columns=_RULES)
    order = sorted(range(len(frame)), key=lambda i: (_STATUS[frame["status"][i]], -frame["hits"][i], i))
    return frame.iloc[order].reset_index(drop=True)


def _near(scope: Scope, rows: Rows, *, got_through: Mask) -> tuple[pd.DataFrame, dict[str, tuple[int, int]]]:
    """Return what each rule's parts alone kept off; by rule, events that failed one part only, and the near ones."""
    events = scope.dataset.take(rows)
    made: list[tuple[object, ...]] = []
    missed = {}
    for rule in scope.book.rules:
        found = near_misses(rule, events)
        anywhere, nearly = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
        for miss in found:
            anywhere |= miss.missed
            nearly |= miss.near
            n, through = int(miss.missed.sum()), int((miss.missed & got_through).sum())
            param = f"{miss.rule}.{miss.param}" if miss.param else ""
            gaps = (median(miss.gap[miss.missed]), median(miss.share[miss.missed]))
            cuts = (miss.cut_for(0.5), miss.cut_for(0.9))
            unknown = int(miss.unknown.sum())
            row = (
                miss.rule,
                rule.status,
                miss.part,
                param,
                miss.cut,
                miss.op,
                n,
                int(miss.near.sum()),
                through,
                unknown,
                len(rows),
            )
            made.append((*row, *gaps, *cuts, _finding(miss)))
        missed[rule.id] = (int(anywhere.sum()), int(nearly.sum()))
    frame = pd.DataFrame(made, columns=_NEAR)
    for name in ("cut", "median_gap", "median_gap_share", "cut_50", "cut_90"):
        frame[name] = frame[name].astype("Float64")
    ranks = frame.assign(
        _status=frame["status"].map(_STATUS), _far=frame["median_gap_share"].astype(float), _at=range(len(frame))
    )
    keys = ["_status", "near_events", "_far", "got_through", "_at"]
    ranks = ranks.sort_values(keys, ascending=[True, False, True, False, True], na_position="last")
    return frame.loc[ranks.index].reset_index(drop=True), missed


def _finding(miss: NearMiss) -> str:
    """Return what a part alone kept off in words: `TX-003.limit 1500000: 41 events lie under it, median 12 % below`."""
    n, unknown = int(miss.missed.sum()), int(miss.unknown.sum())
    name = f"{miss.rule}.{miss.param}" if miss.param else f"{miss.rule}: {miss.part}"
    events = "1 event" if n == 1 else f"{n:,} events"
    if miss.cut is None:
        said = f"{name}: {events} failed this part alone"
    else:
        rising = miss.op in (">=", ">")
        told = f"{name} {miss.cut:.15g}" if miss.param else name
        said = f"{told}: {events} {'lies' if n == 1 else 'lie'} {'under' if rising else 'over'} it"
        share, value = median(miss.share[miss.missed]), median(miss.value[miss.missed])
        if share is not None and share <= 1:
            said += f", median {number(share, 'share')} {'below' if rising else 'above'}"
        elif value is not None:
            said += f", median at {value:.6g}"
    return f"{said}; {unknown:,} more have no value there" if unknown else said


def _findings(near: pd.DataFrame) -> pd.DataFrame:
    """Return the nearest parts of live rules, for the page; its first row is the headline's."""
    some = near[(near["status"] == "live") & (near["events"] + near["unknown"] > 0)]
    return some[["finding", "events", "near_events", "got_through", "cut_50", "cut_90"]].head(5).reset_index(drop=True)


def _through_fact(through: int | None, n: int, by: str) -> Fact:
    if through is None:
        return Fact("Got through", None, "share", n=n, note="no book given, and no history of outcomes")
    share, low, high = _ends(through, n)
    note = f"{through:,} of {n:,} suspected events, by {by}"
    return Fact("Got through", share, "share", lower=low, upper=high, n=n, note=note)


def _rule_facts(scope: Scope, rules: pd.DataFrame, near: pd.DataFrame, n: int) -> list[Fact]:
    """Return the best live rule, and the nearest miss: the first row of the table, if any event of it is near."""
    if not scope.book.rules:
        return [Fact("Best rule", "no book given", "text")]
    live = rules[rules["status"] == "live"]
    if not len(live):
        return [Fact("Best rule", "no rule is live", "text")]
    hits = int(live["hits"].iloc[0])
    share, low, high = _ends(hits, n)
    facts = [Fact("Best live rule hit", share, "share", lower=low, upper=high, n=n, note=str(live["rule"].iloc[0]))]
    some = near[(near["status"] == "live") & (near["near_events"] > 0)]
    if len(some):
        first = some.iloc[0]
        name = str(first["param"]) or f"{first['rule']}: {first['part']}"
        said = str(first["finding"]).removeprefix(name).lstrip(": ")
        said = (
            f"{int(first['near_events']):,} of {int(first['events']):,} near; {'cut ' if first['param'] else ''}{said}"
        )
        facts.append(Fact("Nearest miss", _short(name, 40), "text", note=_short(said, 160)))
    else:
        facts.append(Fact("Nearest miss", "none", "text", note=f"no live rule missed one {NEAR_WORDS}"))
    return facts


def _review_facts(seen: pd.DataFrame) -> list[Fact]:
    if not len(seen):
        return []
    n, frauds = int(seen["n"].sum()) // len(seen), int(seen.loc[seen["verdict"] == "fraud", "events"].sum())
    share, low, high = _ends(frauds, n)
    note = f"{frauds:,} of {n:,} reviewed"
    return [Fact("Reviewed and told fraud", share, "share", lower=low, upper=high, n=n, note=note)]


def _score_facts(scored: pd.DataFrame) -> list[Fact]:
    if not len(scored) or not int(scored["n"].iloc[0]):
        return []
    first = scored.iloc[0]
    n = int(first["n"])
    if pd.isna(first["over_share"]):
        return [Fact("Mean score", float(first["mean"]), "score", n=n, note="no live rule cuts it")]
    low, high = float(first["over_share_lower"]), float(first["over_share_upper"])
    note = f"cut {float(first['cut']):g}"
    return [Fact("Over the score cut", float(first["over_share"]), "share", lower=low, upper=high, n=n, note=note)]


def _ends(part: int, n: int) -> tuple[float | None, float | None, float | None]:
    if not n:
        return None, None, None
    share, low, high = wilson(part, n)
    return float(share), float(low), float(high)


def _notes(scope: Scope, cluster: Cluster) -> tuple[str, ...]:
    notes = [f"Suspected: {len(cluster):,} events, {cluster.said}. A suspicion, not a verdict."]
    if not scope.book.rules:
        notes.append("No book given: what rules did is not measurable; history and verdicts are.")
    else:
        notes.append(
            "Some events failed one part of a rule's condition and no other; a near miss is such an event whose value "
            f"lies {NEAR_WORDS}. A part without a number has no distance. An event can miss several rules."
        )
    if scope.dataset.roles.outcome is None:
        notes.append("No history of outcomes: what was decided at the time is not measurable.")
    if scope.dataset.roles.score is None:
        notes.append("No score: what it said is not measurable.")
    return (*notes, f"Labels: {scope.state.recipe}.")
