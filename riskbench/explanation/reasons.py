"""Why this event? The strongest reasons in plain words, with stable codes and how firm they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display import number
from riskbench.errors import ParameterError

if TYPE_CHECKING:
    from riskbench.explanation.explanation import Explanation

Floats = npt.NDArray[np.float64]
#: On how many events flips are measured.
MOST_FLIPPED = 1_000
#: Against how many random halves of the reference.
HALVES = 4
_COLUMNS = ("event", "rank", "code", "feature", "value", "norm", "contribution", "share", "flips", "text")


def reasons(held: Explanation, k: int, *, codes: Mapping[str, str], seed: int) -> pd.DataFrame:
    """Return the reasons of every event, one a row."""
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= 20:
        raise ParameterError("'k' is a number of reasons", got=k, allowed="1 to 20")
    order = np.argsort(-held.values, axis=1, kind="stable")[:, :k]
    top = np.take_along_axis(held.values, order, axis=1)
    flips = _flips(held, order, seed=seed)
    risen = np.maximum(held.values, 0).sum(axis=1)
    row, rank = np.nonzero(top > 0)
    feature = order[row, rank]
    names = np.array(held.features, dtype=object)
    norms = [norm_of(held, name) for name in held.features]
    told = {name: codes.get(name, code(name)) for name in held.features}
    values = [value_of(held, int(r), held.features[f]) for r, f in zip(row, feature, strict=True)]
    frame = pd.DataFrame(
        {
            "event": held.events[row],
            "rank": rank + 1,
            "code": [told[str(name)] for name in names[feature]],
            "feature": names[feature],
            "value": values,
            "norm": [norms[f] for f in feature],
            "contribution": top[row, rank],
            "share": top[row, rank] / risen[row] if len(row) else np.zeros(0),
            "flips": flips[row, rank],
        }
    )
    text = [_text(*cells, held.reference.name) for cells in zip(names[feature], values, frame["norm"], strict=True)]
    return frame.assign(text=text)[list(_COLUMNS)]


def code(name: str) -> str:
    """Return a reason code that depends on the feature's name alone.

    >>> code("amount") == code("amount") != code("age")
    True
    """
    return "R-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6].upper()


def _flips(held: Explanation, order: npt.NDArray[np.intp], *, seed: int) -> Floats:
    """Return how often each reason is not among the strongest against half of the reference; NaN: not measured."""
    out = np.full(order.shape, np.nan)
    game = held.game
    if game is None or game.reference is None or len(game.reference) < 20:
        return out
    rng = np.random.default_rng(seed)
    rows = np.arange(len(order))
    if len(rows) > MOST_FLIPPED:
        rows = np.sort(np.argsort(-held.scores, kind="stable")[:MOST_FLIPPED])
    gone = np.zeros((len(rows), order.shape[1]))
    for _ in range(HALVES):
        half = np.sort(rng.permutation(len(game.reference))[: len(game.reference) // 2])
        again = game.shares(game.cells[rows], game.reference[half]).values
        top = np.argsort(-again, axis=1, kind="stable")[:, : order.shape[1]]
        gone += ~(order[rows][:, :, None] == top[:, None, :]).any(axis=2)
    out[rows] = gone / HALVES
    return out


def value_of(held: Explanation, row: int, name: str) -> str:
    """Return an event's value of a feature, in words; empty for a group of features."""
    if held.game is None or name not in held.game.frame.columns:
        return ""
    return _cell(held.game.frame[name].iloc[row])


def _cell(value: object) -> str:
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124
        return "missing"
    if isinstance(value, float | int) and not isinstance(value, bool):
        held = float(value)
        return f"{held:,.0f}" if held == round(held) and abs(held) < 1e15 else number(held)
    return str(value)[:80]


def norm_of(held: Explanation, name: str) -> str:
    """Return the reference's usual value: the median of a number, the most common word."""
    if held.game is None or held.game.others is None or name not in held.game.others.columns:
        return ""
    column = held.game.others[name].dropna()
    if not len(column):
        return "missing"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _cell(float(np.median(column.to_numpy(np.float64))))
    return _cell(column.astype(str).value_counts().sort_index().idxmax())


def _text(feature: str, value: str, norm: str, reference: str) -> str:
    said = f"{feature} is {value}" if value else f"{feature} taken together"
    usual = f" (usual in {reference}: {norm})" if norm else ""
    return f"{said}{usual}: raises the score"
