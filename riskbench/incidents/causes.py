"""Why these events: what sets them apart, and what did the score see of it?"""

from __future__ import annotations

import re
import time as clock
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.calibration.inputs import inputs
from riskbench.data.checks import check
from riskbench.data.dataset import Dataset
from riskbench.data.labels import GOOD
from riskbench.data.outcomes import ladder
from riskbench.display import Fact, Result, chart, number, result
from riskbench.errors import DataError, RiskbenchError
from riskbench.explanation.explanation import Explanation, explain
from riskbench.explanation.inputs import Reference
from riskbench.incidents.apart import FEWEST, Apart, apart_by, drawn, told_apart, usual
from riskbench.incidents.cluster import Cluster
from riskbench.incidents.reading import NONE, cut, rounded
from riskbench.incidents.ring_tables import noun
from riskbench.incidents.scope import Scope
from riskbench.metrics.intervals import wilson
from riskbench.rules.rule import Rule
from riskbench.rules.usable import telling_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
#: At most so many events of the cluster, and of the baseline, are looked at.
MOST, MOST_OTHERS = 5_000, 10_000
#: The score's cut is not known here: it is asked at a cut that alerts this share of the reference.
ALERTED = 0.01
#: A feature with less than this share of all that the score says is not seen.
SLIGHT = 0.01
#: Reasons are shown for so many cases.
CASES = 5
#: Days from event to verdict, where the data does not say.
DELAY = 7.0
#: Made from the time alone: they tell the window and not the events.
_CLOCK = ("event_weekday", "event_hour")
#: So many events are enough to see which other columns the clock decides.
_ENOUGH = 20_000
_COLUMNS = "feature said seen_as in_cluster in_baseline apart apart_lower apart_upper seen seen_lower seen_upper n"


@result
class Causes(Result):
    """What sets an incident's events apart from the baseline, and what the score saw of it.

    Attributes
    ----------
    events, others : int
        How many events of the cluster and of the baseline were looked at.
    reference : Reference or None
        Whom both are compared with; None where there is nobody.
    told_apart : float or None
        The AUC with which a model learnt for this alone, cross-fitted by entity, tells cluster from baseline
        events, with `_lower` and `_upper`; 0.5 is chance. It is not the fraud model.
    score_difference : float or None
        The cluster's mean score less the reference's, with `_lower` and `_upper`.
    score_alerts : float or None
        The share of the cluster that the score alerts at a cut that alerts 1 % of the reference, with ends.
    missed : str
        What the score did about these events, in words.
    features : DataFrame
        feature, said (how the cluster differs, in words), seen_as ("seen by the score"; "not seen": within
        chance, or less than 1 % of what the score says; "lowers the score", "no input of the score", "no model
        given"; "found by": the cluster was picked by it, or it only tells the time of the window), in_cluster,
        in_baseline, apart (difference of mean contributions to the log-odds of being in the cluster), seen (the
        same to the score), each with `_lower` and `_upper`, n; the strongest first.
    cases : DataFrame
        event, rank, feature, text: why a few of the cases stand out, or score high where a model was given.
    """

    kind: ClassVar[str] = "causes"
    title: ClassVar[str] = "Why these events"
    main: ClassVar[str] = "features"
    repr_rows: ClassVar[int] = 8
    repr_tables: ClassVar[tuple[str, ...]] = ("cases",)

    events: int
    others: int
    reference: Reference | None
    told_apart: float | None
    told_apart_lower: float | None
    told_apart_upper: float | None
    score_difference: float | None
    score_difference_lower: float | None
    score_difference_upper: float | None
    score_alerts: float | None
    score_alerts_lower: float | None
    score_alerts_upper: float | None
    missed: str
    features: pd.DataFrame
    cases: pd.DataFrame

    def headline(self) -> tuple[Fact, ...]:
        """Return what sets the events apart, how surely, and what the score saw."""
        free = self.features[self.features["seen_as"] != "found by"]
        top = free.iloc[0] if len(free) else None
        few = "too few events, or none to compare with" if self.told_apart is None else "0.5 is chance"
        none = "no score was given" if self.score_difference is None else ""
        rare = none or "too few events to compare with have a score"
        did, _, more = self.missed.partition(": " if self.missed.startswith("not measurable") else "; ")
        held = self.reference
        return (
            Fact("What sets them apart", None if top is None else cut(str(top["feature"]), 40), "text",
                 n=self.events, note="nothing to compare" if top is None else rounded(str(top["said"]))),
            Fact("Told from the baseline (AUC)", self.told_apart, "score", lower=self.told_apart_lower,
                 upper=self.told_apart_upper, n=self.events, note=few),
            Fact("Mean score, less the reference's", self.score_difference, "score", lower=self.score_difference_lower,
                 upper=self.score_difference_upper, n=self.events, note=none, signed=True),
            Fact("Alerted by the score at 1 % of the reference", self.score_alerts, "share",
                 lower=self.score_alerts_lower, upper=self.score_alerts_upper, n=self.events,
                 note=rare if self.score_alerts is None else ""),
            Fact("What the score did", did, "text", note=more),
            Fact("Compared with", None if held is None else f"{held.size:,} events", "text",
                 note="no events" if held is None else str(held)),
        )  # fmt: skip

    @property
    def drawable(self) -> bool:
        """Whether anything sets the events apart."""
        return bool(self.features["apart"].notna().any())

    @property
    def alt(self) -> str:
        """The picture in words."""
        top = self.features[self.features["apart"].notna()].head(10)
        told = [f"{name} {value:+z.2f}" for name, value in zip(top["feature"], top["apart"], strict=True)]
        return f"A bar for each feature by how much it sets the events apart, in log-odds: {'; '.join(told) or 'none'}."

    def _draw(self, ax: Axes) -> None:
        top = self.features[self.features["apart"].notna()].head(10).iloc[::-1]
        place = np.arange(len(top))
        ax.barh(place, top["apart"], color=[chart.RED if v > 0 else chart.BLUE for v in top["apart"]])
        ax.errorbar(
            top["apart"], place, xerr=[top["apart"] - top["apart_lower"], top["apart_upper"] - top["apart"]],
            fmt="none", ecolor=chart.GREY, elinewidth=1,
        )  # fmt: skip
        if top["seen"].notna().any():
            ax.plot(top["seen"], place, "D", color=chart.ORANGE, label="to the fraud score", markersize=5)
            ax.legend(frameon=False, loc="lower right")
        ax.axvline(0, color=chart.GREY, linewidth=0.8)
        ax.set_yticks(place, [str(name)[:36] for name in top["feature"]])
        chart.style(
            ax,
            title="What sets these events apart",
            x="difference of mean contributions (log-odds); line: 95 % interval",
            y="",
        )


def why(scope: Scope, cluster: Cluster, *, model: Any = None, reference_name: str | None = None) -> Causes:
    """Return what sets a cluster's events apart from the baseline, and what the score saw and did not see of it.

    A small model is learnt for one question, which events are in the cluster, from columns that are known when
    the decision is taken; each event is asked of a model that saw none of its entity. Its exact contributions,
    cluster against baseline, say what sets the events apart; the fraud model's, where it is given, what the
    score saw of it. What the cluster was picked by is left out of the learning, and told apart.

    Parameters
    ----------
    scope : Scope
        The investigation's events.
    cluster : Cluster
        The suspected ones.
    model : object, optional
        The model behind the score: fitted, a `Baseline`, or read from a file.
    reference_name : str, optional
        What pages call the baseline's good events.

    Raises
    ------
    ColumnNotFoundError
        When the model takes a column that the events lack.
    """
    begun = clock.perf_counter()
    dataset = scope.dataset
    others, called = _reference(scope, cluster)
    name = reference_name or called
    notes = [
        f"Compared with {name}.",
        "What sets events apart is learnt for this question alone, and is not the fraud model.",
        "Intervals take events as independent: where events clump they are too narrow.",
    ]
    mine = drawn(dataset, cluster.rows, MOST, seed=scope.seed)
    theirs = drawn(dataset, others, MOST_OTHERS, seed=scope.seed)
    if min(len(mine), len(theirs)) < FEWEST:
        said = f"{len(mine)} suspected events and {len(theirs)} to compare with"
        notes.append(f"What sets the events apart is not measurable: {said} (at least {FEWEST} of each).")
        return _empty(scope, len(mine), len(theirs), notes, begun)
    rows = np.concatenate([mine, theirs])
    inside = np.arange(len(rows)) < len(mine)
    taken, learnt = _apart(scope, cluster, rows, inside, name)
    notes += learnt[1]
    apart: Apart | None = learnt[0]
    seen, refused = _seen(model, dataset, rows, theirs, name, seed=scope.seed)
    notes += refused
    by = _found_by(scope, cluster) | _timely(scope, map(str, taken.columns))
    features = _features(
        taken, inside, apart, seen, given=model is not None, by=by, lacks=_lacks(scope, map(str, taken.columns))
    )
    score, alerts = _scores(dataset, cluster.rows, others)
    described = _described(dataset, theirs, name, seen, apart)
    cases = _cases(seen, apart, len(mine))
    held = apart.auc if apart is not None and apart.auc is not None else (None, None, None)
    return Causes(
        events=len(mine),
        others=len(theirs),
        reference=described,
        told_apart=held[0],
        told_apart_lower=held[1],
        told_apart_upper=held[2],
        score_difference=score[0],
        score_difference_lower=score[1],
        score_difference_upper=score[2],
        score_alerts=alerts[0],
        score_alerts_lower=alerts[1],
        score_alerts_upper=alerts[2],
        missed=_missed(score, alerts, features, given=model is not None),
        features=features,
        cases=cases,
        pages=_pages(features, cases, given=model is not None),
        notes=tuple(notes),
        provenance={
            **scope.provenance,
            "parameters": {
                **dict(scope.provenance["parameters"]),  # type: ignore[call-overload]
                "cluster": cluster.said,
                "reference": {field: getattr(described, field) for field in described.__slots__},
            },
            "seconds": round(clock.perf_counter() - begun, 3),
        },
    )


def _reference(scope: Scope, cluster: Cluster) -> tuple[Rows, str]:
    """Return whom the cluster is compared with: the baseline's good events, else the approved, else all."""
    outside = scope.baseline.copy()
    outside[cluster.rows] = False
    good = outside & (scope.state.state == GOOD)
    if np.count_nonzero(good) >= max(FEWEST, 0.05 * np.count_nonzero(outside)):
        return np.flatnonzero(good), "good events of the baseline"
    dataset = scope.dataset
    if dataset.roles.outcome is not None:
        codes, names = dataset.segment(dataset.roles.outcome)
        steps = ladder(dataset.domain)
        passed = np.array([name != "(missing)" and steps.effect(name) == "none" for name in names], dtype=bool)
        approved = outside & passed[codes]
        if np.count_nonzero(approved) >= FEWEST:
            return np.flatnonzero(approved), "approved events of the baseline"
    return np.flatnonzero(outside), "events of the baseline"


def _found_by(scope: Scope, cluster: Cluster) -> set[str]:
    """Return the columns that the cluster was picked by."""
    if cluster.condition is None:
        return set()
    try:
        named = Rule("CLUSTER", cluster.condition, ladder(scope.dataset.domain).names[-1]).columns
        return {scope.dataset.resolve(name) for name in named}
    except RiskbenchError:
        return set()


def _timely(scope: Scope, names: Iterable[str]) -> set[str]:
    """Return the columns that only tell the time, and so the window."""
    rows = np.unique(np.linspace(0, scope.dataset.rows - 1, min(scope.dataset.rows, _ENOUGH)).astype(np.intp))
    return telling_time(scope.dataset.take(rows), names) | {*_CLOCK}


def _lacks(scope: Scope, names: Iterable[str]) -> dict[str, str]:
    """Return what an event lacks where a count of its entity is missing: `a creator`, `an address`."""
    told = {}
    for name in names:
        entity = next((held for held in scope.dataset.roles.entities if name.startswith(f"{held}_")), None)
        if entity is not None and name.removeprefix(f"{entity}_").startswith(("events_", "sum_")):
            word = noun(entity, 1)
            told[name] = f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"
    return told


def _apart(
    scope: Scope, cluster: Cluster, rows: Rows, inside: npt.NDArray[np.bool_], name: str
) -> tuple[pd.DataFrame, tuple[Apart | None, list[str]]]:
    """Return the columns that are compared, and what tells the two apart."""
    dataset = scope.dataset
    try:
        known = inputs(
            dataset, leaks=dict(check(dataset, asof=pd.Timestamp(scope.asof, unit="us")).why), exclude=(), delay=DELAY
        )
    except DataError as wrong:
        return pd.DataFrame(index=range(len(rows))), (
            None,
            [f"What sets the events apart is not measurable: {wrong.what}"],
        )
    picked, timely = _found_by(scope, cluster), _timely(scope, known.columns)
    made = dict(zip(known.features["feature"], known.features["source"], strict=True))
    left_out = picked | timely
    names = tuple(name for name in known.columns if name not in left_out and made.get(name) not in left_out)
    frame = known.frame(rows)
    entity = dataset.roles.entities[0] if dataset.roles.entities else dataset.roles.id
    group = dataset.segment(entity)[0][rows]
    ids = dataset.table.column(dataset.roles.id).take(rows).to_arrow().to_pandas().astype(object).to_numpy()
    found = told_apart(
        known, rows, inside, group, names=names, reference=rows[~inside], reference_name=name, events=ids,
        seed=scope.seed,
    )  # fmt: skip
    notes = [
        f"{said} {', '.join(left)}: left out of the learning."
        for said, left in (
            ("The events were picked by", sorted(picked & {*known.columns, *dataset.names})),
            ("The time, and so the window, decides", sorted((timely - picked) & {*known.columns})),
        )
        if left
    ]
    if found is None:
        notes.append("What sets the events apart is not measurable by learning: too few events or entities.")
    elif found.auc is not None and found.auc[1] <= 0.5:
        notes.append("The two cannot be told apart: what follows may be chance.")
    return frame, (found, notes)


def _seen(
    model: Any, dataset: Dataset, rows: Rows, others: Rows, name: str, *, seed: int
) -> tuple[Explanation | None, list[str]]:
    """Return the score's own explanation of the events; None without a model."""
    if model is None:
        return None, ["No model was given: what the score looked at is not measurable."]
    try:
        found = explain(model, dataset.take(rows), reference=dataset.take(others), reference_name=name, seed=seed)
    except DataError as wrong:
        if "not explained" not in wrong.what:
            raise
        return None, [f"What the score looked at is not measurable: {wrong.what}"]
    return found, list(found.notes[:1])


def _features(
    frame: pd.DataFrame, inside: npt.NDArray[np.bool_], apart: Apart | None, seen: Explanation | None, *,
    given: bool, by: set[str], lacks: Mapping[str, str],
) -> pd.DataFrame:  # fmt: skip
    """Return one row a feature: how it differs, and whether the score saw it."""
    mine = _by_name(apart.features, *apart_by(apart.values, inside)) if apart is not None else {}
    theirs = _by_name(seen.features, *apart_by(seen.values, inside)) if seen is not None else {}
    own = {} if seen is None or seen.game is None else {name: seen.game.frame[name] for name in seen.game.frame}
    least = SLIGHT * sum(abs(value) for value, _ in theirs.values())
    rows: list[tuple[object, ...]] = []
    for name in dict.fromkeys([*frame.columns, *theirs]):
        column = frame[name] if name in frame.columns else own.get(name)
        told = (
            ("", "", "")
            if column is None
            else usual(column.reset_index(drop=True), inside, of=lacks.get(name, "a value"))
        )
        value, half = mine.get(name, (np.nan, np.nan))
        saw, wide = theirs.get(name, (np.nan, np.nan))
        if name in by:
            status = "found by"
        elif seen is None:
            status = "no model given" if not given else "not measurable"
        elif name not in theirs:
            status = "no input of the score"
        else:
            clear = abs(saw) > max(wide, least)
            status = "not seen" if not clear else "seen by the score" if saw > 0 else "lowers the score"
        rows.append((name, told[2], status, told[0], told[1], value, value - half, value + half,
                     saw, saw - wide, saw + wide, int(inside.sum())))  # fmt: skip
    made = pd.DataFrame(rows, columns=_COLUMNS.split())
    size = np.maximum(made["apart"].abs().fillna(0), 1e-9 * made["seen"].abs().fillna(0))
    return made.iloc[np.lexsort((made["feature"], -size))].reset_index(drop=True)


def _by_name(names: tuple[str, ...], value: Floats, half: Floats) -> dict[str, tuple[float, float]]:
    return {name: (float(v), float(h)) for name, v, h in zip(names, value, half, strict=True)}


def _scores(
    dataset: Dataset, mine: Rows, others: Rows
) -> tuple[tuple[float | None, float | None, float | None], tuple[float | None, float | None, float | None]]:
    """Return how much higher the cluster's mean score is, and its share over the reference's top one per cent."""
    none = (None, None, None)
    if dataset.roles.score is None:
        return none, none
    column = dataset.column("score")
    a, b = (column.values[rows][column.present[rows]].astype(np.float64) for rows in (mine, others))
    if min(len(a), len(b)) < FEWEST:
        return none, none
    value, half = apart_by(np.concatenate([a, b])[:, None], np.arange(len(a) + len(b)) < len(a))
    apart = (float(value[0]), float(value[0] - half[0]), float(value[0] + half[0]))
    if len(b) * ALERTED < FEWEST:
        return apart, none
    cut = float(np.sort(b)[::-1][int(ALERTED * len(b))])
    share, lower, upper = (float(x) for x in wilson(int((a > cut).sum()), len(a)))
    return apart, (share, lower, upper)


def _missed(
    score: tuple[float | None, ...], alerts: tuple[float | None, ...], features: pd.DataFrame, *, given: bool
) -> str:
    """Return what the score did about the events, in words."""
    value, lower, upper = score
    if value is None or lower is None or upper is None:
        return "not measurable: no score was given"
    rose = "rose" if lower > 0 else "fell" if upper < 0 else "did not move"
    if alerts[0] is None:
        return f"it {rose}"
    said = f"it {rose}; at a cut that alerts 1 % of the reference it alerts {number(alerts[0], 'share')}"
    if alerts[0] >= 0.5 or not given:
        return said
    blind = features[features["seen_as"].isin(["not seen", "no input of the score", "lowers the score"])]
    blind = blind[(blind["apart_lower"] > 0) & (blind["apart"] > 5 * SLIGHT * features["apart"].abs().sum())].head(3)
    parts = [f"{name} ({status})" for name, status in zip(blind["feature"], blind["seen_as"], strict=True)]
    return said + (f"; it missed {', '.join(parts)}" if parts else "")


def _cases(seen: Explanation | None, apart: Apart | None, inside: int) -> pd.DataFrame:
    """Return why a few of the cluster's events stand out."""
    columns = ["event", "rank", "feature", "text"]
    held = seen if seen is not None else None if apart is None else apart.explained
    if held is None:
        return pd.DataFrame(columns=columns, dtype=object)
    best = np.zeros(len(held.values), dtype=bool)
    within = np.arange(inside if seen is not None else len(best))
    best[within[np.argsort(-held.scores[within], kind="stable")[:CASES]]] = True
    told = held.where(best).reasons(k=3)
    if seen is None:
        told["text"] = told["text"].str.removesuffix(": raises the score")
    return told[columns].reset_index(drop=True)


def _pages(features: pd.DataFrame, cases: pd.DataFrame, *, given: bool) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return what sets the events apart, and why a few stand out, as a reader's tables."""
    free = features[features["seen_as"] != "found by"]
    made = {
        "feature": free["feature"],
        "the suspected events": [rounded(str(said)) for said in free["said"]],
        "weight (log-odds)": [
            NONE if pd.isna(apart) else f"{apart:+z.2f} ({lower:+z.2f} to {upper:+z.2f})"
            for apart, lower, upper in zip(free["apart"], free["apart_lower"], free["apart_upper"], strict=True)
        ],
    }
    if given:
        made["the score"] = free["seen_as"]
    told = {"features": ("What sets them apart, the strongest first", pd.DataFrame(made))}
    if len(cases):
        rows = [
            {
                "event": event,
                "what stands out": "; ".join(
                    rounded(re.sub(r"\(usual in .{1,200}: ", "(usual ", str(text))) for text in group["text"]
                ),
            }
            for event, group in cases.groupby("event", sort=False)
        ]
        told["cases"] = ("Why a few of them stand out", pd.DataFrame(rows))
    return told


def _described(dataset: Dataset, others: Rows, name: str, seen: Explanation | None, apart: Apart | None) -> Reference:
    """Return the reference with its name, hash, size and dates."""
    held = seen.reference if seen is not None else apart.explained.reference if apart is not None else None
    span = dataset.take(others).span
    start, end = (None, None) if span is None else (span[0].isoformat(), span[1].isoformat())
    return Reference(name, None if held is None else held.hash, len(others), start, end)


def _empty(scope: Scope, mine: int, theirs: int, notes: list[str], begun: float) -> Causes:
    nothing: dict[str, Any] = {
        f"{name}{end}": None
        for name in ("told_apart", "score_difference", "score_alerts")
        for end in ("", "_lower", "_upper")
    }
    return Causes(
        events=mine,
        others=theirs,
        reference=None,
        missed="not measurable: too few events",
        features=pd.DataFrame(columns=_COLUMNS.split(), dtype=object),
        cases=pd.DataFrame(columns=["event", "rank", "feature", "text"], dtype=object),
        notes=tuple(notes),
        provenance={**scope.provenance, "seconds": round(clock.perf_counter() - begun, 3)},
        **nothing,
    )
