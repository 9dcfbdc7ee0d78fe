"""How is an ensemble's score shared out among players, exactly and fast?"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.errors import DataError
from riskbench.explanation.ensemble import Ensemble, Floats

Perturbation = Literal["interventional", "path"]
#: A dense unit's most bits: its tables fit the first cache.
LIMIT = 10
#: Rows explained together: bounds the memory, whatever the number of rows.
_CHUNK = 32_768
#: Trees are shared out in this many fixed slices, so that the sum's last bit is the same for any number of threads.
_SLICES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """A score shared out.

    Attributes
    ----------
    values : ndarray of float64, shape (rows, players)
        What each player adds.
    base : float
        What the score is without knowing the row.
    """

    values: Floats
    base: float


def threads() -> int:
    """Return how many threads to use: NUMBA_NUM_THREADS, or the machine's processors."""
    told = os.environ.get("NUMBA_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) > 0 else min(_SLICES, os.cpu_count() or 1)


def margin(ensemble: Ensemble, cells: Floats) -> Floats:
    """Return the ensemble's sum for each row of `cells` (rows x columns, as `Ensemble.cells` gives them)."""
    from riskbench.explanation.kernels import margins

    out = np.full(len(cells), ensemble.offset)
    parts = np.array_split(np.arange(len(cells)), max(1, min(threads(), len(cells) // 1_000)))

    def one(part: npt.NDArray[np.intp]) -> None:
        if len(part):
            held = np.ascontiguousarray(cells[part[0] : part[-1] + 1].T)
            margins(ensemble.nodes, held, out[part[0] : part[-1] + 1])

    _spread(one, parts)
    return out


def share_out(
    ensemble: Ensemble,
    cells: Floats,
    *,
    reference: Floats | None,
    player: npt.NDArray[np.int64],
    limit: int = LIMIT,
) -> Shares:
    """Return the exact Shapley values of every row.

    Against a reference each value set S is scored as the row's values in S and a reference row's elsewhere,
    averaged over all reference rows; without one, by the shares of training weight below each node.

    Parameters
    ----------
    ensemble : Ensemble
        The trees.
    cells : ndarray of float64, shape (rows, columns)
        The rows, as `Ensemble.cells` gives them.
    reference : ndarray of float64, shape (others, columns), or None
        The reference rows; None: path-dependent.
    player : ndarray of int64, shape (columns,)
        Which player each column belongs to, 0 to players - 1.
    limit : int
        The most bits of a table that is made for all patterns.

    Raises
    ------
    DataError
        When one path of a tree asks more than 60 players.

    Source: Lundberg, S. M. et al. (2020), From local explanations to global understanding with explainable AI
    for trees, Nature Machine Intelligence 2, 56-67 (both games); Jullum, M., Redelmeier, A. and Aas, K. (2021),
    groupShapley (groups as players).
    """
    from riskbench.explanation.loops import explain_deep, explain_dense

    players = int(player.max(initial=-1)) + 1
    if players > 60:
        _refuse_long_paths(ensemble, player)
    values = np.zeros((len(cells), players))
    others = np.zeros((ensemble.columns, 0)) if reference is None else np.ascontiguousarray(reference.T)
    edges = np.linspace(0, ensemble.trees, min(_SLICES, ensemble.trees) + 1).astype(np.int64)
    for low in range(0, len(cells), _CHUNK):
        held = np.ascontiguousarray(cells[low : low + _CHUNK].T)
        sums = np.zeros((len(edges) - 1, players, held.shape[1]))

        def one(part: int, held: Floats = held, sums: Floats = sums) -> None:
            given = (ensemble.nodes, edges[part], edges[part + 1], player, held, others, _rules())
            if explain_dense(*given, reference is None, limit, sums[part]):
                explain_deep(*given, reference is None, limit, sums[part])

        _spread(one, range(len(edges) - 1))
        values[low : low + _CHUNK] = sums.sum(axis=0).T
    base = expected(ensemble) if reference is None else float(margin(ensemble, reference).mean())
    return Shares(values, base)


def expected(ensemble: Ensemble) -> float:
    """Return the ensemble's mean over its training weight, by the covers of its nodes."""
    weight = np.zeros(len(ensemble.feature))
    weight[ensemble.roots] = 1.0
    level = ensemble.roots[ensemble.feature[ensemble.roots] >= 0]
    while len(level):
        below = []
        for child in (ensemble.left[level], ensemble.right[level]):
            whole = ensemble.cover[level]
            weight[child] = weight[level] * np.divide(ensemble.cover[child], whole, out=whole * 0, where=whole > 0)
            below.append(child)
        level = np.concatenate(below)
        level = level[ensemble.feature[level] >= 0]
    leaf = ensemble.feature < 0
    return ensemble.offset + float(np.dot(weight[leaf], ensemble.value[leaf]))


def _spread(work: object, parts: object) -> None:
    """Run `work` on each part, on as many threads as there are."""
    held = list(parts)  # type: ignore[call-overload]
    if threads() == 1 or len(held) == 1:
        for part in held:
            work(part)  # type: ignore[operator]
        return
    with ThreadPoolExecutor(min(threads(), len(held))) as pool:
        list(pool.map(work, held))  # type: ignore[arg-type]


@cache
def _rules() -> tuple[Floats, Floats, Floats]:
    """Return Gauss and Legendre's rules on (0, 1) by number of points, and (a-1)! b! / (a+b)! by a and b."""
    points, weights = np.zeros((33, 33)), np.zeros((33, 33))
    for n in range(1, 33):
        x, w = np.polynomial.legendre.leggauss(n)
        points[n, :n], weights[n, :n] = (x + 1) / 2, w / 2
    pairs = np.zeros((64, 64))
    for a in range(1, 64):
        for b in range(64):
            pairs[a, b] = math.factorial(a - 1) * math.factorial(b) / math.factorial(a + b)
    return points, weights, pairs


def _refuse_long_paths(ensemble: Ensemble, player: npt.NDArray[np.int64]) -> None:
    """Raise when a path asks more players than a 64-bit index holds."""
    for root in ensemble.roots:
        waiting: list[tuple[int, frozenset[int]]] = [(int(root), frozenset())]
        while waiting:
            node, asked = waiting.pop()
            if len(asked) > 60:
                raise DataError("A path of a tree asks more than 60 players", hint="give groups=, or limit the depth")
            if ensemble.feature[node] >= 0:
                below = asked | {int(player[ensemble.feature[node]])}
                waiting += [(int(ensemble.left[node]), below), (int(ensemble.right[node]), below)]
