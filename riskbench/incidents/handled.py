"""What was decided about some events, what did reviewers say, and what did the score?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import BLOCKED, FRAUD, GOOD
from riskbench.data.outcomes import Ladder
from riskbench.engine.columns import DAY
from riskbench.engine.tree import atoms
from riskbench.incidents.reading import NONE, plain, ranged
from riskbench.incidents.scope import Scope
from riskbench.metrics.intervals import Z95, wilson
from riskbench.rules.hits import variants
from riskbench.rules.near import NEAR_WORDS

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

_OUTCOMES = "by outcome effect events n share share_lower share_upper".split()
_REVIEWED = "verdict events n share share_lower share_upper median_days".split()
_SCORES = "events n mean mean_lower mean_upper cut over_share over_share_lower over_share_upper".split()


def pages(
    rules: pd.DataFrame, near: pd.DataFrame, decided: pd.DataFrame, scored: pd.DataFrame
) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return what was done about some events as a reader's tables."""
    told = {}
    if len(rules):
        told["rules"] = ("What each rule did: suspected events, others of the window, and before it", pd.DataFrame([
            {
                "rule": row["rule"],
                "decides": row["outcome"] if row["status"] == "live" else f"{row['outcome']} ({row['status']})",
                "suspected hit": row["hits"],
                "share hit": ranged(row["hit_share"], row["hit_share_lower"], row["hit_share_upper"], unit="share"),
                "failed one condition only": row["one_part"],
                "of them near": row["near_misses"],
                "others hit": row["elsewhere"],
                "a day before": plain(row["baseline_per_day"]),
            }
            for row in rules.to_dict("records")
        ]))  # fmt: skip
    if len(near):
        caption = "Events that failed one condition of a live rule only, those with most near events first; near: "
        told["findings"] = (f"{caption}{NEAR_WORDS}", pd.DataFrame([
            {
                "finding": row["finding"],
                "near": f"{row['near_events']:,} of {row['events']:,}",
                "got through": row["got_through"],
                "cut for half of them": _cut(row["cut_50"]),
                "cut for 90 %": _cut(row["cut_90"]),
            }
            for row in near.to_dict("records")
        ]))  # fmt: skip
    if len(decided):
        by = list(dict.fromkeys(decided["by"]))
        held = {key: group.set_index("outcome") for key, group in decided.groupby("by")}
        names = list(dict.fromkeys(decided.loc[decided["events"] > 0, "outcome"]))
        told["outcomes"] = ("What was decided about them", pd.DataFrame([
            {"outcome": name, **{key: _of(held[key], name) for key in by}} for name in names
        ], columns=["outcome", *by]))  # fmt: skip
    if len(scored):
        told["scores"] = ("The score", pd.DataFrame([
            {
                "events": row["events"],
                "how many": row["n"],
                "mean score": ranged(row["mean"], row["mean_lower"], row["mean_upper"], unit="score"),
                _over(row["cut"]): ranged(
                    row["over_share"], row["over_share_lower"], row["over_share_upper"], unit="share"
                ),
            }
            for row in scored.to_dict("records")
        ]))  # fmt: skip
    return told


def _cut(value: float | None) -> str:
    return NONE if value is None or pd.isna(value) else f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _of(held: pd.DataFrame, outcome: str) -> str:
    if outcome not in held.index:
        return NONE
    row = held.loc[[outcome]].to_dict("records")[0]
    share = ranged(row["share"], row["share_lower"], row["share_upper"], unit="share")
    return f"{int(row['events']):,}: {share}"


def _over(cut: float | None) -> str:
    return "over the cut" if cut is None or pd.isna(cut) else f"over the cut {float(cut):g}"


def waved_through(scope: Scope, steps: Ladder) -> Mask:
    """Return which events history let through; the book now where there is no history."""
    if scope.dataset.roles.outcome is None:
        return np.asarray(scope.hits.resolution.level == 0)
    codes, names = scope.dataset.segment(scope.dataset.roles.outcome)
    waved = np.array([name != "(missing)" and steps.effect(name) == "none" for name in names], dtype=bool)
    return np.asarray(waved[codes])


def outcomes(scope: Scope, rows: Rows, now: npt.NDArray[np.int8], steps: Ladder) -> pd.DataFrame:
    """Return what history and the book now decide about some events."""
    made: list[tuple[object, ...]] = []
    if scope.dataset.roles.outcome is not None:
        codes, names = scope.dataset.segment(scope.dataset.roles.outcome)
        counts = np.bincount(codes[rows], minlength=len(names))
        levels = np.zeros(len(steps.rungs), dtype=np.int64)
        absent = 0
        for count, name in zip(counts.tolist(), names, strict=True):
            if name == "(missing)":
                absent += count
            else:
                levels[steps.level(name)] += count
        made += [("history", rung.name, rung.effect, int(n)) for rung, n in zip(steps.rungs, levels, strict=True)]
        made += [("history", "not recorded", "none", absent)] if absent else []
    if scope.book.rules:
        counts = np.bincount(now, minlength=len(steps.rungs))
        made += [("the book now", rung.name, rung.effect, int(n)) for rung, n in zip(steps.rungs, counts, strict=True)]
    return _shared(made, len(rows), _OUTCOMES)


def _shared(made: list[tuple[object, ...]], n: int, columns: list[str]) -> pd.DataFrame:
    """Return rows that end in a count, with the count's share of n and its interval."""
    told = [(*row, n, *(float(x) for x in wilson(row[-1], n))) for row in made]  # type: ignore[arg-type]
    return pd.DataFrame(told, columns=columns)


def reviewed(scope: Scope, rows: Rows, steps: Ladder) -> pd.DataFrame:
    """Return what became of the events that history reviewed."""
    role = scope.dataset.roles.outcome
    if role is None:
        return pd.DataFrame(columns=_REVIEWED)
    codes, names = scope.dataset.segment(role)
    review = np.array([name != "(missing)" and steps.effect(name) == "review" for name in names], dtype=bool)
    chosen = rows[review[codes[rows]]]
    if not len(chosen):
        return pd.DataFrame(columns=_REVIEWED)
    state = scope.state.state[chosen]
    days = np.full(len(chosen), np.nan)
    if scope.dataset.roles.label_time is not None:
        told = scope.dataset.column("label_time")
        known = told.present[chosen] & (told.values[chosen] <= scope.asof)
        days = np.where(known, (told.values[chosen] - scope.times[chosen]) / DAY, np.nan)
    made = []
    for verdict, mask in (("fraud", state == FRAUD), ("good", state == GOOD), ("none yet", state >= BLOCKED)):
        n = int(mask.sum())
        share, low, high = (float(x) for x in wilson(n, len(chosen)))
        made.append((verdict, n, len(chosen), share, low, high, None if verdict == "none yet" else median(days[mask])))
    frame = pd.DataFrame(made, columns=_REVIEWED)
    frame["median_days"] = frame["median_days"].astype("Float64")
    return frame


def scores(scope: Scope, rows: Rows) -> pd.DataFrame:
    """Return the mean score of the suspected and of other events, and the share over each live cut of it."""
    role = scope.dataset.roles.score
    if role is None or scope.dataset.kinds[role] not in ("int", "float"):
        return pd.DataFrame(columns=_SCORES)
    held = scope.dataset.column("score")
    value = np.where(held.present, held.values, np.nan).astype(np.float64)
    cut, reached = _score_cut(scope, role, value)
    inside = np.zeros(len(value), dtype=bool)
    inside[rows] = True
    groups = (("suspected", inside), ("rest of the window", scope.current & ~inside), ("baseline", scope.baseline))
    made = []
    for name, group in groups:
        mask = group & np.isfinite(value)
        some = value[mask]
        mean = float(some.mean()) if len(some) else None
        half = Z95 * float(some.std(ddof=1)) / np.sqrt(len(some)) if len(some) > 1 else None
        over = [None, None, None]
        if cut is not None and len(some):
            over = [float(x) for x in wilson(int(reached[mask].sum()), len(some))]  # type: ignore[misc]
        ends = (None, None) if mean is None or half is None else (mean - half, mean + half)
        made.append((name, len(some), mean, *ends, cut, *over))
    frame = pd.DataFrame(made, columns=_SCORES)
    for name in _SCORES[2:]:
        frame[name] = frame[name].astype("Float64")
    return frame


def _score_cut(scope: Scope, role: str, value: npt.NDArray[np.float64]) -> tuple[float | None, Mask]:
    """Return the lowest number that a live rule asks the score to reach, and which events reach that of their region.

    The number is that of regions without one of their own; None without one.
    """
    held = [variants(rule, scope.dataset) for rule in scope.book.live]

    def lowest(region: str | None) -> tuple[float, bool] | None:
        nodes = [own.get(region, own[None]) for own in held]
        cuts = [
            (float(atom.values[0]), atom.shape == ">")
            for node in nodes
            for atom in atoms(node)
            if atom.column == role and atom.shape in (">=", ">") and not isinstance(atom.values[0], str | bool)
        ]
        return min(cuts, default=None)

    usual = lowest(None)
    if usual is None:
        return None, np.zeros(len(value), dtype=bool)
    reached = value > usual[0] if usual[1] else value >= usual[0]
    codes, names = scope.dataset.regions
    for region in sorted({name for own in held for name in own if name is not None}):
        cut, above = lowest(region) or usual
        reached = np.where(codes == names.index(region), value > cut if above else value >= cut, reached)
    return usual[0], np.asarray(reached, dtype=bool)


def median(values: npt.NDArray[np.float64]) -> float | None:
    """Return the median of the finite values, None without any."""
    held = values[np.isfinite(values)]
    return float(np.median(held)) if len(held) else None
