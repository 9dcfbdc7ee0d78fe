"""Does a column give the label away? Ranks, purity and presence, on arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskbench.engine.columns import Column, Mask

#: A column that ranks frauds above good events this well equals the label or nearly orders it.
NEARLY_ORDERS = 0.995
#: Values of which so large a share is fraud, and which hold so many of the frauds, are the label by another name.
PURE, COVERED = 0.98, 0.5
#: Below so many frauds or good events chance alone may order them.
ENOUGH = 30
#: A column of two values that splits the classes without a fault needs fewer.
ENOUGH_FOR_A_COPY = 5
_MOST_WORDS = 200
_MOST_GOODS = 200_000


def ranking(values: npt.NDArray[np.generic], fraud: Mask) -> float:
    """Return the chance that a fraud's value is above a good event's, ties counted half (the AUC).

    >>> ranking(np.array([1, 2, 2, 3]), np.array([False, False, True, True]))
    0.875
    """
    _, place = np.unique(values, return_inverse=True)
    size = int(place.max()) + 1 if len(place) else 0
    frauds = np.bincount(place[fraud], minlength=size).astype(np.float64)
    goods = np.bincount(place[~fraud], minlength=size).astype(np.float64)
    pairs = frauds.sum() * goods.sum()
    if not pairs:
        return 0.5
    below = np.cumsum(goods) - goods
    return float((frauds * (below + goods / 2)).sum() / pairs)


def strength(values: npt.NDArray[np.generic], fraud: Mask) -> float:
    """Return how well a column orders the label, whichever way round: 0.5 for chance, 1 for a copy."""
    one_way = ranking(values, fraud)
    return max(one_way, 1.0 - one_way)


def encoded(codes: npt.NDArray[np.int64], fraud: Mask, *, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return each row's category as its fraud rate in the other half of the rows.

    Each half is scored by the other, so that a category seen once says nothing about itself.
    """
    half = np.random.default_rng(seed).random(len(codes)) < 0.5
    size = int(codes.max()) + 1 if len(codes) else 1
    base = float(fraud.mean()) if len(fraud) else 0.0
    out = np.empty(len(codes), dtype=np.float64)
    for side in (half, ~half):
        seen = np.bincount(codes[~side], minlength=size)
        hits = np.bincount(codes[~side], weights=fraud[~side], minlength=size)
        out[side] = ((hits + base) / (seen + 1.0))[codes[side]]
    return out


def pure_share(codes: npt.NDArray[np.int64], fraud: Mask) -> float:
    """Return the share of the frauds that lies in categories that are almost all fraud."""
    size = int(codes.max()) + 1 if len(codes) else 1
    seen = np.bincount(codes, minlength=size)
    hits = np.bincount(codes[fraud], minlength=size)
    pure = hits >= PURE * np.maximum(seen, 1)
    return float(hits[pure & (hits >= ENOUGH_FOR_A_COPY)].sum() / max(1, hits.sum()))


def gives_away(column: Column, fraud: Mask, good: Mask, *, since: npt.NDArray[np.int64] | None = None) -> str | None:
    """Return how a column gives the label away, None where it does not.

    Parameters
    ----------
    column : Column
        The column to judge.
    fraud, good : ndarray of bool
        The labelled events.
    since : ndarray of int64, optional
        The events' times: a column of times is judged by its distance from them.
    """
    rows = np.flatnonzero(fraud | good)
    is_fraud = fraud[rows]
    frauds = int(is_fraud.sum())
    goods = len(rows) - frauds
    if frauds < ENOUGH_FOR_A_COPY or goods < ENOUGH:
        return None
    if goods > _MOST_GOODS:
        kept = np.random.default_rng(0).permutation(np.flatnonzero(~is_fraud))[:_MOST_GOODS]
        keep = np.sort(np.concatenate((np.flatnonzero(is_fraud), kept)))
        rows, is_fraud = rows[keep], is_fraud[keep]
    present = column.present[rows]
    told = _by_presence(present, is_fraud)
    if told is not None:
        return told
    if present[is_fraud].mean() < COVERED:
        return None
    values, is_fraud = column.values[rows][present], is_fraud[present]
    if not is_fraud.any() or is_fraud.all():
        return None
    if column.kind == "time":
        if since is None:
            return None
        values = values - since[rows][present]
    if column.kind == "string":
        return _by_words(values.astype(np.int64), is_fraud)
    return _by_order(values, is_fraud, few=column.kind == "bool")


def _by_presence(present: Mask, fraud: Mask) -> str | None:
    if present.all() or not present.any() or int(fraud.sum()) < ENOUGH or fraud.mean() > COVERED:
        return None
    for side, word in ((present, "filled"), (~present, "missing")):
        caught = int((side & fraud).sum())
        if caught >= COVERED * fraud.sum() and caught >= PURE * side.sum():
            return f"{word} almost only where there is fraud"
    return None


def _by_words(codes: npt.NDArray[np.int64], fraud: Mask) -> str | None:
    distinct, codes = np.unique(codes, return_inverse=True)
    if len(distinct) == 1 or len(distinct) > _MOST_WORDS:
        return None
    if len(distinct) == 2 and strength(codes, fraud) == 1.0:
        return "equals the label"
    frauds = int(fraud.sum())
    if frauds < ENOUGH:
        return None
    found = ranking(encoded(codes, fraud), fraud)
    if found >= NEARLY_ORDERS:
        return f"nearly orders the label, AUC {found:.3f}"
    covered = pure_share(codes, fraud)
    if covered >= COVERED and fraud.mean() <= COVERED:
        return f"words that mean fraud hold {covered:.0%} of the frauds"
    return None


def _by_order(values: npt.NDArray[np.generic], fraud: Mask, *, few: bool) -> str | None:
    if few:
        return _by_words(values.astype(np.int64), fraud)
    found = strength(values, fraud)
    distinct, codes = np.unique(values, return_inverse=True)
    if found == 1.0 and len(distinct) == 2:
        return "equals the label"
    if int(fraud.sum()) < ENOUGH:
        return None
    if found >= NEARLY_ORDERS:
        return f"nearly orders the label, AUC {found:.3f}"
    if len(distinct) <= _MOST_WORDS:
        coded = ranking(encoded(codes.astype(np.int64), fraud), fraud)
        if coded >= NEARLY_ORDERS:
            return f"its values nearly tell the label, AUC {coded:.3f}"
    return None
