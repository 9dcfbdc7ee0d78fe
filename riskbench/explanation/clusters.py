"""Which cases are alike in why they score as they do? Clusters of events by their contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import Fact, Result, chart, number, result
from riskbench.errors import DataError, ParameterError
from riskbench.metrics.intervals import Z95

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from riskbench.explanation.explanation import Explanation

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: With fewer events nothing is clustered.
FEWEST = 20
#: On at most so many events centres are sought, and silhouettes measured.
MOST, MOST_PAIRS = 20_000, 1_500
#: A split whose mean silhouette is below this is no split: one cluster is told.
CLEAR = 0.25
#: A feature with less than this share of the cluster's largest mean contribution is not told.
SLIGHT = 0.1
#: So many half samples tell how stable a cluster is; so many starts are tried.
HALVES, STARTS = 10, 4


@result
class CaseClusters(Result):
    """Groups of events whose scores come about alike.

    Attributes
    ----------
    clusters : DataFrame
        cluster (1 is the largest), events, share, stability (0 to 1: how much of the cluster comes again in
        half samples; below 0.6 it is doubtful), score_mean with `_lower` and `_upper`, signature (the features
        that set it apart, with direction, in words).
    features : DataFrame
        cluster, feature, mean (contribution) with `_lower` and `_upper`, others_mean, usual (value, in words), n.
    members : ndarray of int64, shape (rows,)
        The cluster of each event, 1 to k.
    silhouette : float or None
        How clear the split is: the mean over events, 1 at best; None where there is one cluster.
    scale : str
        What contributions are shares of.
    reference : str
        Whom the events were compared with.
    """

    kind: ClassVar[str] = "case_clusters"
    title: ClassVar[str] = "Cases that are alike"
    main: ClassVar[str] = "clusters"
    next_step: ClassVar[str] = "explanation.candidate_rules(clusters.members)"

    clusters: pd.DataFrame
    features: pd.DataFrame
    members: Ints
    silhouette: float | None
    scale: str
    reference: str

    def headline(self) -> tuple[Fact, ...]:
        """Return how many clusters there are, how clear they are, and what the largest is."""
        top = self.clusters.iloc[0]
        alone = "" if self.silhouette is not None else "one cluster only"
        return (
            Fact("Clusters", len(self.clusters), "count", n=len(self.members)),
            Fact("Largest", str(top["signature"]), "text"),
            Fact("Its share of the events", float(top["share"]), "share", n=int(top["events"])),
            Fact("How clear the split is (silhouette)", self.silhouette, "score", note=alone),
            Fact("Compared with", self.reference, "text"),
        )

    def _draw(self, ax: Axes) -> None:
        wide = self.features.pivot_table(index="feature", columns="cluster", values="mean", sort=False)
        wide = wide.loc[wide.abs().max(axis=1).sort_values(kind="stable").index[-8:]]
        most = float(np.abs(wide.to_numpy()).max()) or 1.0
        drawn = ax.imshow(wide.to_numpy(), cmap="PuOr_r", vmin=-most, vmax=most, aspect="auto")
        ax.set_yticks(range(len(wide)), [str(name)[:36] for name in wide.index])
        sizes = dict(zip(self.clusters["cluster"], self.clusters["events"], strict=True))
        ax.set_xticks(range(wide.shape[1]), [f"{name}\n{sizes[name]:,} events" for name in wide.columns])
        ax.figure.colorbar(drawn, ax=ax, label=f"mean contribution ({self.scale})")
        chart.style(ax, title=self.title, x="cluster", y="")
        ax.grid(visible=False)


def clustered(held: Explanation, *, k: int | None, most: int, seed: int) -> CaseClusters:
    """Return the clusters of an explanation's events."""
    values = held.values
    if len(values) < FEWEST:
        raise DataError("There are too few events to cluster.", got=len(values), allowed=f"at least {FEWEST}")
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= 20):
        raise ParameterError("'k' is a number of clusters", got=k, allowed="1 to 20")
    if isinstance(most, bool) or not isinstance(most, int) or not 2 <= most <= 20:
        raise ParameterError("'most' is a number of clusters", got=most, allowed="2 to 20")
    rng = np.random.default_rng(seed)
    order = np.lexsort(values.T)
    sample = values[order[np.sort(rng.choice(len(values), min(MOST, len(values)), replace=False))]]
    distinct = len(np.unique(sample, axis=0))
    sizes = [k] if k is not None else range(2, min(most, distinct - 1, len(sample) // 10) + 1)
    best: tuple[float, Floats] | None = None
    for size in sizes:
        if size > distinct:
            raise ParameterError(
                "There are fewer different events than clusters", got=size, allowed=f"up to {distinct}"
            )
        centres = sought(sample, size, rng=rng)
        clear = silhouette(sample, centres, rng=rng) if size > 1 else -1.0
        if best is None or clear > best[0]:
            best = (clear, centres)
    if best is None or (k is None and best[0] < CLEAR):
        best = (-1.0, sample.mean(axis=0, keepdims=True))
    clear, centres = best
    label = nearest_centre(values, centres)
    counts = np.bincount(label, minlength=len(centres))
    rank = np.lexsort((*centres.T[::-1], -counts))
    rank = rank[counts[rank] > 0]
    place = np.empty(len(centres), dtype=np.int64)
    place[rank] = np.arange(1, len(rank) + 1)
    members, centres = place[label], centres[rank]
    stable = stability(sample, centres, rng=rng)
    features = _features(held, members, len(centres))
    return CaseClusters(
        clusters=_table(held, members, stable, features),
        features=features,
        members=members,
        silhouette=None if len(centres) == 1 else float(clear),
        scale=held.scale,
        reference=str(held.reference),
        notes=_notes(k, clear, len(centres)),
        provenance={
            **{name: held.provenance[name] for name in ("dataset", "parameters")},
            "parameters": {"explanation": held.provenance["parameters"], "k": k, "most": most},
            "seed": seed,
        },
    )


def sought(values: Floats, k: int, *, rng: np.random.Generator) -> Floats:
    """Return k centres with a small sum of squared distances: Lloyd's steps from several far-apart starts.

    Source: Arthur, D. and Vassilvitskii, S. (2007), k-means++: the advantages of careful seeding, SODA.
    """
    best: tuple[float, Floats] | None = None
    for _ in range(STARTS):
        centres = _started(values, k, rng)
        for _ in range(100):
            label = nearest_centre(values, centres)
            counts = np.bincount(label, minlength=k).astype(np.float64)
            sums = np.stack([np.bincount(label, weights=column, minlength=k) for column in values.T], axis=1)
            moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1.0)[:, None], centres)
            done = np.array_equal(moved, centres)
            centres = moved
            if done:
                break
        cost = float(_squares(values, centres).min(axis=1).sum())
        if best is None or cost < best[0] - 1e-12:
            best = (cost, centres)
    assert best is not None
    return best[1]


def _started(values: Floats, k: int, rng: np.random.Generator) -> Floats:
    centres = [values[rng.integers(len(values))]]
    apart = _squares(values, np.array(centres))[:, 0]
    while len(centres) < k:
        total = apart.sum()
        chosen = rng.choice(len(values), p=apart / total) if total > 0 else rng.integers(len(values))
        centres.append(values[chosen])
        apart = np.minimum(apart, _squares(values, values[chosen][None, :])[:, 0])
    return np.array(centres)


def _squares(values: Floats, centres: Floats) -> Floats:
    return np.stack([((values - centre) ** 2).sum(axis=1) for centre in centres], axis=1)


def nearest_centre(values: Floats, centres: Floats) -> Ints:
    """Return the nearest centre of each event."""
    return _squares(values, centres).argmin(axis=1).astype(np.int64)


def silhouette(values: Floats, centres: Floats, *, rng: np.random.Generator) -> float:
    """Return how much nearer events are to their own cluster than to the next, 1 at best.

    Source: Rousseeuw, P. J. (1987), Silhouettes, J. Computational and Applied Mathematics 20, 53-65.
    """
    rows = np.sort(rng.choice(len(values), min(MOST_PAIRS, len(values)), replace=False))
    held = values[rows]
    label = nearest_centre(held, centres)
    k = len(centres)
    counts = np.bincount(label, minlength=k).astype(np.float64)
    if np.count_nonzero(counts) < 2:
        return -1.0
    out = np.zeros(len(held))
    for low in range(0, len(held), 200):
        part = slice(low, low + 200)
        apart = np.sqrt(((held[part, None, :] - held[None, :, :]) ** 2).sum(axis=2))
        sums = apart @ np.eye(k)[label]
        own = label[part]
        at = np.arange(len(own))
        inner = sums[at, own] / np.maximum(counts[own] - 1, 1.0)
        mean = np.where(counts > 0, sums / np.maximum(counts, 1.0), np.inf)
        mean[at, own] = np.inf
        outer = mean.min(axis=1)
        most = np.maximum(inner, outer)
        out[part] = np.where((counts[own] > 1) & (most > 0), (outer - inner) / np.where(most > 0, most, 1.0), 0.0)
    return float(out.mean())


def stability(values: Floats, centres: Floats, *, rng: np.random.Generator) -> Floats:
    """Return how much of each cluster comes again when centres are sought on half of the events.

    The mean over half samples of the largest overlap (Jaccard's) with any cluster found there.
    Source: Hennig, C. (2007), Cluster-wise assessment of cluster stability, Computational Statistics and Data
    Analysis 52, 258-271.
    """
    k = len(centres)
    if k == 1:
        return np.ones(1)
    label = nearest_centre(values, centres)
    total = np.zeros(k)
    for _ in range(HALVES):
        half = values[np.sort(rng.choice(len(values), max(k, len(values) // 2), replace=False))]
        again = nearest_centre(values, sought(half, k, rng=rng))
        both = np.zeros((k, k))
        np.add.at(both, (label, again), 1.0)
        union = both.sum(axis=1)[:, None] + both.sum(axis=0)[None, :] - both
        total += np.divide(both, union, out=np.zeros_like(both), where=union > 0).max(axis=1)
    return total / HALVES


def _features(held: Explanation, members: Ints, k: int) -> pd.DataFrame:
    parts = []
    for own in range(1, k + 1):
        inside = members == own
        values, rest = held.values[inside], held.values[~inside]
        mean = values.mean(axis=0)
        half = (
            Z95 * values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.full(len(mean), np.nan)
        )
        others = rest.mean(axis=0) if len(rest) else np.zeros(len(mean))
        usual = [_usual(held, name, inside) for name in held.features]
        parts.append(pd.DataFrame({"cluster": own, "feature": list(held.features), "mean": mean,
                                   "mean_lower": mean - half, "mean_upper": mean + half, "others_mean": others,
                                   "usual": usual, "n": len(values)}))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _usual(held: Explanation, name: str, inside: npt.NDArray[np.bool_]) -> str:
    """Return the cluster's usual value of a feature in words."""
    if held.game is None or name not in held.game.frame.columns:
        return ""
    column = held.game.frame[name][inside]
    known = column.dropna()
    if len(known) < 0.5 * len(column):
        return "missing"
    if pd.api.types.is_numeric_dtype(known.dtype):
        return f"median {number(float(np.median(known.to_numpy(np.float64))))}"
    counts = known.astype(str).value_counts().sort_index()
    return f"{str(counts.idxmax())[:40]} in {number(float(counts.max() / len(column)), 'share')}"


def _table(held: Explanation, members: Ints, stable: Floats, features: pd.DataFrame) -> pd.DataFrame:
    scores, rows = held.scores, []
    for own in range(1, len(stable) + 1):
        mine = scores[members == own]
        half = float(Z95 * mine.std(ddof=1) / np.sqrt(len(mine))) if len(mine) > 1 else np.nan
        mean = float(mine.mean())
        part = features[features["cluster"] == own]
        rows.append((own, len(mine), len(mine) / len(scores), float(stable[own - 1]), mean, mean - half, mean + half,
                     _signature(part, alone=len(stable) == 1)))  # fmt: skip
    columns = ["cluster", "events", "share", "stability", "score_mean", "score_mean_lower", "score_mean_upper"]
    return pd.DataFrame(rows, columns=[*columns, "signature"])


def _signature(part: pd.DataFrame, *, alone: bool) -> str:
    """Return the three features that set a cluster apart most, in words."""
    apart = part["mean"] if alone else part["mean"] - part["others_mean"]
    # What does next to nothing here is no sign of the cluster, however much it does elsewhere.
    apart = apart.where(part["mean"].abs() >= SLIGHT * part["mean"].abs().max(), 0.0)
    top = part.assign(apart=apart).iloc[np.lexsort((part["feature"], -np.abs(apart)))].head(3)
    top = top[top["apart"] != 0]
    said = [
        f"{name} {'raises' if mean > 0 else 'lowers'} the score" + (f" ({usual})" if usual else "")
        for name, mean, usual in zip(top["feature"], top["mean"], top["usual"], strict=True)
    ]
    return "; ".join(said) or "nothing stands out"


def _notes(k: int | None, clear: float, found: int) -> tuple[str, ...]:
    notes = ["Events are alike when the same features raise or lower their scores, not when their values are equal."]
    if k is not None:
        notes.append(f"The number of clusters, {k}, was given.")
    elif found == 1:
        notes.append(f"No split is clear (mean silhouette below {CLEAR}): one cluster is told.")
    else:
        notes.append(f"The number of clusters has the largest mean silhouette, {clear:.2f}.")
    return tuple(notes)
