"""Whose is what the live rules earn together? Credit to the rule that decides, and shared fairly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.metrics.intervals import Z95
from riskbench.rules.decisions import IDLE
from riskbench.rules.moves import Moves, moves
from riskbench.rules.standing import Columns, Standing

Floats = npt.NDArray[np.float64]


def shapley(standing: Standing) -> dict[str, Floats]:
    """Return each rule's Shapley credit: net value, frauds alerted and reviews, each with the sum of squares.

    A rule's credit is what it adds to the rules that are there already, on average over all orders in which they
    could be made live. Where k live rules hit an event, in the order of deciding, with g_i the worth of the i-th
    one's outcome and g_0 that of the mildest, it is g_i / i - sum over j > i of g_j / (j (j - 1)) - g_0 / k: the i-th
    adds something only where none before it is live, and then it replaces the first live one after it.

    Source: Shapley, L. S. (1953), A value for n-person games, Contributions to the Theory of Games II, 307-317.
    """
    from riskbench.engine.credits import credits_of_lines

    table, price, setting = standing.table, standing.price, standing.setting
    alert = np.array([effect != "none" for effect in standing.effects], dtype=np.float64)
    review = np.array([effect == "review" for effect in standing.effects], dtype=np.float64)
    steps = np.stack([*price.slope, price.handling, alert, review], axis=1)
    found = credits_of_lines(
        (table.starts, table.rules), setting.rank, steps[setting.level], steps[0], idle=int(IDLE),
        cells=(table.cells.count, table.cells.stake, table.cells.stake_squares),
    )  # fmt: skip
    names = ("net_value", "frauds", "reviews")
    return dict(zip((*names, *(f"{name}_squares" for name in names)), found.T, strict=True))


def credit(standing: Standing) -> pd.DataFrame:
    """Return what each live rule is credited with: all to the rule that decides, or shared by Shapley.

    Columns: rule, outcome, decides; first_net_value, first_frauds, first_reviews (what it decides, against no book)
    and shapley_net_value, shapley_frauds, shapley_reviews, each with `_lower` and `_upper` (95 %). Both add up to
    what the live book earns beyond no book; they differ where rules overlap.
    """
    table, decided, setting = standing.table, standing.decided, standing.setting
    picked = np.flatnonzero(decided.rule >= 0)
    nothing = np.zeros(len(picked), dtype=np.int8)
    made = moves(
        table.cells, nothing, decided.level[picked], levels=len(standing.effects),
        group=decided.rule[picked], groups=table.size, picked=picked,
    )  # fmt: skip
    now = decided.level[table.pattern]
    spread = standing.each_together(
        decided.rule[table.pattern], table.size, was=np.broadcast_to(np.int8(0), now.shape), now=now
    )
    first = standing.changes(made, together=spread)
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
        down, up = _reaches(standing, made, first, half) if name == "net_value" else (half, half)
        for end, held in (("", fair[name]), ("_lower", fair[name] - down), ("_upper", fair[name] + up)):
            columns[f"shapley_{name}{end}"] = held[live]
    return pd.DataFrame(columns)


def _reaches(standing: Standing, made: Moves, first: Columns, half: Floats) -> tuple[Floats, Floats]:
    """Return how far the interval of a shared net value reaches down and up.

    It is that of the net value of the events that the rule decides, by as much shorter as its plain width is: where
    no other rule hits them, both say the same. A rule that decides no event with a verdict keeps its plain width.
    """
    count, stake, squares = (
        made.shaped(part).astype(np.float64) for part in (made.cells.count, made.cells.stake, made.cells.stake_squares)
    )
    price = standing.price
    slope = price.slope.T[None, None, :, :] - price.slope.T[None, :1, None, :]
    work = (price.handling - price.handling[0])[None, None, :, None]
    second = (slope**2 * squares - 2 * slope * work * stake + work**2 * count)[:, :1].sum(axis=(1, 2, 3))
    plain = Z95 * np.sqrt(np.maximum(second, 0.0))
    net, low, high = (first[f"net_value{end}"].astype(np.float64) for end in ("", "_lower", "_upper"))
    known = (plain > 0) & np.isfinite(net)
    share = np.divide(half, plain, out=np.zeros_like(half), where=known)
    return np.where(known, share * (net - low), half), np.where(known, share * (high - net), half)
