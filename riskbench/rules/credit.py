"""Whose is what the live rules earn together? Credit to the rule that decides, and shared fairly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD
from riskbench.metrics.intervals import Z95
from riskbench.rules.moves import moves
from riskbench.rules.standing import Standing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Entries (a pattern and one of its rules) that are shared out at once.
_BLOCK = 1 << 19


def shares(level: npt.NDArray[np.integer], starts: Ints, *, levels: int) -> Floats:
    """Return how many times each outcome's worth each rule is credited with, where several rules hit together.

    A rule's Shapley credit is what it adds to the rules before it, on average over all orders in which they could
    be made live. Of k rules in the order of deciding, with g_i the worth of the i-th one's outcome and g_0 that of
    the mildest, it is g_i / i - sum over j > i of g_j / (j (j - 1)) - g_0 / k: the i-th adds something only where
    none before it is live, and then it replaces the first live one after it.

    Parameters
    ----------
    level : ndarray of int, shape (entries,)
        The outcome of each rule, the first to decide first within a pattern.
    starts : ndarray of int64, shape (patterns + 1,)
        Where each pattern begins.
    levels : int
        The length of the ladder.

    Returns
    -------
    ndarray of float64, shape (entries, levels)

    Source: Shapley, L. S. (1953), A value for n-person games, Contributions to the Theory of Games II, 307-317.

    Examples
    --------
    >>> shares(np.array([3, 2]), np.array([0, 2]), levels=4).tolist()  # blocks first, then reviews
    [[-0.5, 0.0, -0.5, 1.0], [-0.5, 0.0, 0.5, 0.0]]
    """
    size = np.diff(starts)
    place = np.arange(len(level)) - np.repeat(starts[:-1], size) + 1
    later = np.zeros(len(level))
    np.divide(1.0, place * (place - 1.0), out=later, where=place > 1)
    ends = np.repeat(starts[1:], size)
    out = np.empty((len(level), levels))
    for step in range(levels):
        running = np.concatenate([[0.0], np.cumsum(np.where(level == step, later, 0.0))])
        out[:, step] = running[1:] - running[ends]
    out[np.arange(len(level)), level] += 1.0 / place
    out[:, 0] -= 1.0 / np.repeat(size, size)
    return out


def shapley(standing: Standing) -> dict[str, Floats]:
    """Return each rule's Shapley credit: net value, frauds alerted and reviews, each with the sum of squares."""
    table, price = standing.table, standing.price
    rank = standing.setting.rank
    live = np.flatnonzero(standing.setting.live[table.rules])
    owner = table.owners[live]
    live = live[np.lexsort((rank[table.rules[live]], owner))]
    rules = table.rules[live]
    starts = np.searchsorted(owner, np.arange(len(table) + 1))
    alert = np.array([effect != "none" for effect in standing.effects], dtype=np.float64)
    review = np.array([effect == "review" for effect in standing.effects], dtype=np.float64)
    names = ("net_value", "frauds", "reviews")
    out = {name: np.zeros(table.size) for name in (*names, *(f"{name}_squares" for name in names))}
    for first, last in _blocks(starts):
        part = slice(starts[first], starts[last])
        own = rules[part]
        share = shares(
            standing.setting.level[own], starts[first : last + 1] - starts[first], levels=len(standing.effects)
        )
        cells = table.cells.take(owner[part])
        # Not by a matrix product: on many short rows its threads cost more than they save.
        slope, work = np.einsum("el,kl->ek", share, price.slope), np.einsum("el,l->e", share, price.handling)[:, None]
        count, stake = cells.count.astype(np.float64), cells.stake.astype(np.float64)
        net = (slope * stake - work * count).sum(axis=1)
        squares = (slope**2 * cells.stake_squares - 2 * slope * work * stake + work**2 * count).sum(axis=1)
        alerted, reviewed = np.einsum("el,l->e", share, alert), np.einsum("el,l->e", share, review)
        frauds, events = count[:, FRAUD], count.sum(axis=1)
        found = (net, alerted * frauds, reviewed * events, squares, alerted**2 * frauds, reviewed**2 * events)
        for name, held in zip(out, found, strict=True):
            out[name] += np.bincount(own, weights=held, minlength=table.size)
    return out


def credit(standing: Standing) -> pd.DataFrame:
    """Return what each live rule is credited with: all to the rule that decides, or shared by Shapley.

    Columns: rule, outcome, decides; first_net_value, first_frauds, first_reviews (what it decides, against no book)
    and shapley_net_value, shapley_frauds, shapley_reviews, each with `_lower` and `_upper` (95 %). Both add up to
    what the live book earns beyond no book; they differ where rules overlap.
    """
    table, decided, setting = standing.table, standing.decided, standing.setting
    picked = np.flatnonzero(decided.rule >= 0)
    nothing = np.zeros(len(picked), dtype=np.int8)
    first = standing.changes(
        moves(
            table.cells, nothing, decided.level[picked], levels=len(standing.effects),
            group=decided.rule[picked], groups=table.size, picked=picked,
        )
    )  # fmt: skip
    fair = shapley(standing)
    live = np.flatnonzero(setting.live)
    columns: dict[str, object] = {
        "rule": standing.ids[live],
        "outcome": [standing.held.book.rules[k].outcome for k in live],
        "decides": standing.decisions[live],
    }
    for name in ("net_value", "frauds", "reviews"):
        for end in ("", "_lower", "_upper"):
            columns[f"first_{name}{end}"] = first[f"{name}{end}"][live]
        half = Z95 * np.sqrt(np.maximum(fair[f"{name}_squares"], 0.0))
        for end, held in (("", fair[name]), ("_lower", fair[name] - half), ("_upper", fair[name] + half)):
            columns[f"shapley_{name}{end}"] = held[live]
    return pd.DataFrame(columns)


def _blocks(starts: Ints) -> list[tuple[int, int]]:
    """Return runs of whole patterns of some `_BLOCK` entries each."""
    cuts = [0]
    while cuts[-1] < len(starts) - 1:
        after = int(np.searchsorted(starts, starts[cuts[-1]] + _BLOCK, side="right")) - 1
        cuts.append(min(len(starts) - 1, max(after, cuts[-1] + 1)))
    return list(pairwise(cuts))
