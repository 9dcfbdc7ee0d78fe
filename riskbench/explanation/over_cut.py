"""What pushed an event over the cut? The smallest set of features found whose reference values bring it under."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import number
from riskbench.errors import DataError, ParameterError
from riskbench.explanation.game import Game
from riskbench.metrics.intervals import wilson

if TYPE_CHECKING:
    from riskbench.explanation.explanation import Explanation

_COLUMNS = "event score features count under_share under_share_lower under_share_upper n enough text".split()


def over_cut(held: Explanation, cut: float, *, share: float, draws: int, most: int, seed: int) -> pd.DataFrame:
    """Return one row an event at or over the cut, the highest score first."""
    game = held.game
    if game is None or game.reference is None:
        raise DataError("What brings an event under a cut needs a reference", hint="explain with reference=")
    if not 0 < share <= 1 or draws < 10 or most < 1:
        raise ParameterError(
            "'share', 'draws' or 'most' is out of range", allowed="0 < share <= 1, draws >= 10, most >= 1"
        )
    has_probability = held.scale != "margin"
    if has_probability and not 0 < cut < 1:
        raise ParameterError("'cut' is a probability", got=cut, allowed="between 0 and 1")
    limit = float(np.log(cut / (1 - cut))) if held.scale == "log-odds" else float(cut)
    scores = held.scores
    over = np.flatnonzero(scores >= limit)
    over = over[np.argsort(-scores[over], kind="stable")][:most]
    rng = np.random.default_rng(seed)
    drawn = game.reference[rng.integers(0, len(game.reference), draws)]
    shown = held.probabilities if has_probability else scores
    rows = []
    for row in over:
        chosen, under = _smallest(game, held.values[row], game.cells[row], drawn, limit=limit, share=share)
        hits = round(under * draws)
        low, high = (float(end) for end in wilson(hits, draws)[1:])
        names = [held.features[j] for j in chosen]
        text = _text(float(shown[row]), cut, names, under, held.reference.name)
        rows.append((held.events[row], float(shown[row]), "; ".join(names), len(names), under, low, high, draws,
                     under >= share, text))  # fmt: skip
    return pd.DataFrame(rows, columns=_COLUMNS)


def _smallest(
    game: Game, values: npt.NDArray[np.float64], row: npt.NDArray[np.float64], drawn: npt.NDArray[np.float64],
    *, limit: float, share: float,
) -> tuple[list[int], float]:  # fmt: skip
    """Return the players replaced and the share of draws that falls under; greedy, then tried without each."""

    def under(chosen: list[int]) -> float:
        mixed = np.where(np.isin(game.player, chosen)[None, :], drawn, row[None, :])
        return float((game.sums(mixed) < limit).mean())

    chosen: list[int] = []
    reached = 0.0
    for j in np.argsort(-values, kind="stable"):
        if values[j] <= 0 or reached >= share:
            break
        chosen.append(int(j))
        reached = under(chosen)
    for j in reversed(chosen[:-1]):
        rest = [other for other in chosen if other != j]
        if reached >= share and (without := under(rest)) >= share:
            chosen, reached = rest, without
    return chosen, reached


def _text(score: float, cut: float, names: list[str], under: float, reference: str) -> str:
    if not names:
        return f"Score {score:.2f}, cut {cut:.2f}: no feature raises it above {reference}."
    return (
        f"Score {score:.2f}, cut {cut:.2f}: with {', '.join(names)} as in {reference}, "
        f"{number(under, 'share')} of draws fall under the cut."
    )
