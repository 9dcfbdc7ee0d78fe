"""Is the engine right? A plain second way, row by row, and the model's own score of mixed rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import factorial

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.errors import EngineError
from riskbench.explanation.engine import margin, share_out
from riskbench.explanation.ensemble import SET, TINY, ZERO_MISSING, Ensemble, Floats
from riskbench.explanation.fitted import Fitted

#: How far the engine may be from the oracle, in units of the largest leaf sum.
CLOSE = 1e-9
#: How far the trees as read may be from the model's own score; XGBoost sums in single precision.
CLOSE_SINGLE, CLOSE_DOUBLE = 2e-5, 1e-8
#: About how many comparisons a check may take.
_BUDGET = 30_000_000
#: About how many comparisons a second run of the engine may take, its units cut at another number of bits.
_AGAIN, OTHER_LIMIT = 300_000_000, 8
#: How many reference rows the oracle takes when all are too many.
_PART = 500

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What was checked and how far it was off.

    Attributes
    ----------
    rows, trees : int
        How many rows and trees the oracle went through.
    apart : float
        The largest difference between the engine and the oracle.
    mixed : int
        How many rows, mixed from explained and reference rows, were scored by the model itself.
    score_apart : float
        The largest difference between the trees as read and the model's own score.
    added_apart : float
        The largest difference between a row's score and base plus values, over all rows.
    """

    rows: int
    trees: int
    apart: float
    mixed: int
    score_apart: float
    added_apart: float


def plain(ensemble: Ensemble, row: Floats, reference: Floats | None, player: npt.NDArray[np.int64]) -> Floats:
    """Return one row's Shapley values leaf by leaf: the definition in closed form, without tables or patterns.

    Against a reference: a leaf counts for a reference row when each player on its path meets its conditions in
    the row or in the reference row; those that only the row meets share (a-1)! b! / (a+b)! each, those that
    only the reference row meets lose a! (b-1)! / (a+b)!. Path-dependent: by the definition over all sets.
    """
    out = np.zeros(int(player.max(initial=-1)) + 1)
    others = np.zeros((1, len(row))) if reference is None else reference
    waiting: list[tuple[int, dict[int, tuple[bool, Mask, float]]]] = [(int(root), {}) for root in ensemble.roots]
    while waiting:
        node, asked = waiting.pop()
        if ensemble.feature[node] >= 0:
            column = int(ensemble.feature[node])
            own = int(player[column])
            here = bool(_left(ensemble, node, row[[column]])[0])
            there = _left(ensemble, node, others[:, column])
            for child, side in ((int(ensemble.left[node]), True), (int(ensemble.right[node]), False)):
                whole = ensemble.cover[node]
                share = float(ensemble.cover[child] / whole) if whole > 0 else 0.0
                met, mets, chance = asked.get(own, (True, np.ones(len(others), dtype=bool), 1.0))
                waiting.append((child, {**asked, own: (met and here == side, mets & (there == side), chance * share)}))
            continue
        if asked:
            values = _leaf_by_path(asked) if reference is None else _leaf_by_rows(asked)
            for own, value in values.items():
                out[own] += float(ensemble.value[node]) * value
    return out


def _leaf_by_rows(asked: dict[int, tuple[bool, Mask, float]]) -> dict[int, float]:
    reached = np.ones(len(next(iter(asked.values()))[1]), dtype=bool)
    alone = np.zeros(len(reached), dtype=np.int64)
    against = 0
    for met, mets, _ in asked.values():
        if met:
            alone += ~mets
        else:
            reached &= mets
            against += 1
    held, total = np.bincount(alone[reached], minlength=1), len(reached)
    out = {}
    for own, (met, mets, _) in asked.items():
        if met:
            counts = np.bincount(alone[reached & ~mets], minlength=1)
            out[own] = sum(int(c) * _weight(a, against) for a, c in enumerate(counts) if c) / total
        else:
            out[own] = -sum(int(c) * _weight(against, a) for a, c in enumerate(held) if c) / total
    return out


def _weight(own: int, other: int) -> float:
    return factorial(own - 1) * factorial(other) / factorial(own + other)


def _leaf_by_path(asked: dict[int, tuple[bool, Mask, float]]) -> dict[int, float]:
    """Return the Shapley values of a product game by the elementary symmetric sums of the other players."""
    out = {}
    count = len(asked)
    for own, (met, _, chance) in asked.items():
        by_size = np.zeros(count)
        by_size[0] = 1.0
        for other, (other_met, _, other_chance) in asked.items():
            if other != own:
                by_size[1:] = by_size[1:] * other_chance + by_size[:-1] * float(other_met)
                by_size[0] *= other_chance
        weights = [factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)]
        out[own] = (float(met) - chance) * float(np.dot(by_size, weights))
    return out


def _left(ensemble: Ensemble, node: int, values: Floats) -> Mask:
    """Tell which values go left at a node."""
    missing = np.isnan(values)
    kind = int(ensemble.kind[node])
    if kind == SET:
        start, words = int(ensemble.set_start[node]), int(ensemble.set_words[node])
        held = np.unpackbits(ensemble.bits[start : start + words].view(np.uint8), bitorder="little").astype(bool)
        code = np.where(missing | (values < 0) | (values >= len(held)), -1, values).astype(np.int64)
        left = np.where(code >= 0, held[code], False) != bool(ensemble.set_right[node])
    else:
        left = values <= ensemble.threshold[node]
        if kind == ZERO_MISSING:
            missing = missing | (np.abs(values) <= TINY)
    return np.where(missing, bool(ensemble.missing_left[node]), left)


def check(
    score: Fitted,
    values: Floats,
    base: float,
    *,
    frame: pd.DataFrame,
    cells: Floats,
    others: pd.DataFrame | None,
    reference: Floats | None,
    player: npt.NDArray[np.int64],
    seed: int,
) -> Checked:
    """Check an explanation by sampled rows, and raise when it is wrong.

    Three ways, none of which uses the engine's tables: the plain oracle on sampled rows and trees (all trees
    where that is little work); the model's own score of rows mixed column by column from explained and
    reference rows, which walks paths that no real row takes; and base + values against each row's score.

    Raises
    ------
    EngineError
        When any of them is further off than rounding explains.
    """
    rng = np.random.default_rng(seed)
    mixed, score_apart = _own_score(score, frame, frame if others is None else others, rng)
    sums = _sums(score, cells)
    added = float(np.abs(base + values.sum(axis=1) - sums).max(initial=0.0))
    size = max(1.0, float(np.abs(sums).max(initial=0.0)))
    trees, rows, apart = 0, 0, 0.0
    if score.trees is not None and len(cells):
        rows = min(2, len(cells))
        picked = np.sort(rng.choice(len(cells), rows, replace=False))
        trees, apart = _by_oracle(score.trees, values, cells, reference, player, picked=picked, rng=rng)
    for what, off, allowed in (
        ("The engine and the oracle differ", apart, CLOSE * size),
        ("Base and values do not add up to the score", added, CLOSE * size),
        ("The trees as read and the model's own score differ", score_apart, _allowed(score) * size),
    ):
        if not off <= allowed:
            raise EngineError(
                what,
                got=f"{off:.3g}",
                allowed=f"{allowed:.1g}",
                hint="this is a mistake in riskbench: please report it",
            )
    return Checked(rows, trees, apart, mixed, score_apart, added)


def _allowed(score: Fitted) -> float:
    return CLOSE_SINGLE if score.trees is not None and score.trees.single else CLOSE_DOUBLE


def _sums(score: Fitted, cells: Floats) -> Floats:
    if score.trees is not None:
        return margin(score.trees, cells)
    assert score.weights is not None
    return score.offset + cells @ score.weights


def _own_score(score: Fitted, frame: pd.DataFrame, others: pd.DataFrame, rng: np.random.Generator) -> tuple[int, float]:
    """Return how far the model's own score is from the trees on mixed rows."""
    count = 200 if len(frame) and len(others) else 0
    if not count:
        return 0, 0.0
    mine = frame.iloc[rng.integers(0, len(frame), count)].reset_index(drop=True)
    theirs = others.iloc[rng.integers(0, len(others), count)].reset_index(drop=True)
    from_mine = rng.random((count, frame.shape[1])) < rng.random((count, 1))
    from_mine[: count // 4] = True
    both = {name: mine[name].where(from_mine[:, i], theirs[name]) for i, name in enumerate(frame.columns)}
    made = pd.DataFrame(both).astype({name: frame[name].dtype for name in frame.columns})
    trees = score.trees
    cells = score.encode(made) if trees is None else trees.cells(score.encode(made))
    return count, float(np.abs(_sums(score, cells) - score.raw(made)).max())


def _by_oracle(
    ensemble: Ensemble,
    values: Floats,
    cells: Floats,
    reference: Floats | None,
    player: npt.NDArray[np.int64],
    *,
    picked: npt.NDArray[np.intp],
    rng: np.random.Generator,
) -> tuple[int, float]:
    """Return how many trees the oracle went through, and the largest difference."""
    width = 1 if reference is None else len(reference)
    each = max(60, 3 * width) * len(picked)
    if len(ensemble.feature) * each <= _BUDGET:
        told = np.array([plain(ensemble, row, reference, player) for row in cells[picked]])
        return ensemble.trees, float(np.abs(told - values[picked]).max(initial=0.0))
    # Too much for the oracle: it takes a part, and the values handed out are held to tables cut another way.
    again = 0.0
    if len(ensemble.feature) * width <= _AGAIN:
        other = share_out(ensemble, cells[picked], reference=reference, player=player, limit=OTHER_LIMIT).values
        again = float(np.abs(other - values[picked, : other.shape[1]]).max(initial=0.0))
    if reference is not None and len(reference) > _PART:
        reference = reference[np.sort(rng.choice(len(reference), _PART, replace=False))]
        each = 3 * _PART * len(picked)
    trees, apart = _by_parts(ensemble, cells[picked], reference, player, rng=rng, each=each)
    return trees, max(apart, again)


def _by_parts(
    ensemble: Ensemble,
    rows: Floats,
    reference: Floats | None,
    player: npt.NDArray[np.int64],
    *,
    rng: np.random.Generator,
    each: int,
) -> tuple[int, float]:
    """Check engine against oracle on some of the trees (and a part of the reference)."""
    most = max(1, int(_BUDGET / each / (len(ensemble.feature) / ensemble.trees)))
    order = rng.permutation(ensemble.trees)[: min(most, ensemble.trees)]
    part = replace(ensemble, roots=np.sort(ensemble.roots[order]), offset=0.0)
    mine = share_out(_packed(part, ensemble), rows, reference=reference, player=player).values
    told = np.array([plain(part, row, reference, player) for row in rows])
    return part.trees, float(np.abs(told - mine).max(initial=0.0))


def _packed(part: Ensemble, whole: Ensemble) -> Ensemble:
    """Return some trees of an ensemble with their nodes moved together."""
    ends = np.append(whole.roots[1:], len(whole.feature))
    places = np.searchsorted(whole.roots, part.roots)
    keep = np.concatenate([np.arange(whole.roots[p], ends[p]) for p in places])
    moved = np.full(len(whole.feature) + 1, -1, dtype=np.int32)
    moved[keep] = np.arange(len(keep), dtype=np.int32)
    names = ("feature", "threshold", "missing_left", "value", "cover", "kind", "set_start", "set_words", "set_right")
    held = {name: getattr(whole, name)[keep] for name in names}
    return replace(part, roots=moved[part.roots], left=moved[whole.left[keep]], right=moved[whole.right[keep]], **held)
