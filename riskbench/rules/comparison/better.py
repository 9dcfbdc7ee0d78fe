"""Is the second of two books better, where, and what could the events without a verdict change about that?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD
from riskbench.metrics.discovery import q_values
from riskbench.metrics.intervals import Z95
from riskbench.rules.comparison.differences import Pair, measured
from riskbench.rules.moves import Moves, changes_of, net_change
from riskbench.rules.signature import KINDS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Fewer flips with a verdict than this are no evidence.
FEWEST = 10
#: A region is named as surely better or worse at this rate of false discoveries.
LEVEL = 0.05
BETTER, WORSE, NOT_SHOWN, NO_MEASURE = "surely better", "surely worse", "not shown", "not measurable"


def answer(pair: Pair, net: Sequence[float], *, rare: float, together: float) -> tuple[str, str]:
    """Return whether the second book is better, and why.

    Parameters
    ----------
    pair : Pair
        The decisions.
    net : sequence of three numbers
        The difference in net value, and the ends of its interval.
    rare, together : float
        By how much its variance grows with `cautious` and with `swell`.
    """
    flips = len(pair.rows)
    moved = pair.count * (1 - np.eye(len(pair.effects), dtype=np.int64))[..., None]
    labelled = int(moved[..., [GOOD, FRAUD]].sum())
    if not flips:
        return NOT_SHOWN, "no event's outcome changes"
    if not pair.new.worth.money:
        return NO_MEASURE, "there is no amount, so no net value"
    if not measured(pair):
        return NO_MEASURE, "no event has a verdict"
    if labelled < FEWEST:
        return NOT_SHOWN, f"only {labelled:,} of {flips:,} flips have a verdict"
    if 2 * labelled < flips:
        return NOT_SHOWN, f"most flips have no verdict: {flips - labelled:,} of {flips:,}"
    value, low, high = net
    half = (high - low) / 2
    for factor, why in (
        (1.0, "the interval holds 0"),
        (rare, "allowing for rare large events, a wider interval than the one printed holds 0"),
        (rare * together, "as events come together, a wider interval than the one printed holds 0"),
    ):
        if abs(value) <= half * np.sqrt(factor):
            return NOT_SHOWN, why
    return (BETTER, "the interval lies above 0") if value > 0 else (WORSE, "the interval lies below 0")


def cautious(held: Moves, pair: Pair) -> Floats:
    """Return each group's variance of the change in net value, at least that of as many average events.

    A few flips may hold none of the rare large frauds that others like them would: the sum of their own squares is
    then too small. So each labelled flip counts with the mean square of all events of its kind in the data, moved as
    it was, and one made-up event of each kind is added, spread as the flips are.
    """
    cells, every = held.cells, pair.moves.cells
    count = held.shaped(cells.count).astype(np.float64) * (1 - np.eye(held.levels))[None, :, :, None]
    _, seen = net_change(held, pair.price)
    n, first, second = (
        part.sum(axis=0).astype(np.float64) / np.maximum(every.count.sum(axis=0), 1)
        for part in (every.count, every.stake, every.stake_squares)
    )
    slope = pair.price.slope.T[None, :, :] - pair.price.slope.T[:, None, :]
    work = (pair.price.handling[None, :] - pair.price.handling[:, None])[..., None]
    square = slope**2 * second - 2 * slope * work * first + work**2 * n
    labelled = count[..., [GOOD, FRAUD]]
    of_all = labelled.sum(axis=-1, keepdims=True)
    made = of_all / np.maximum(of_all.sum(axis=(1, 2), keepdims=True), 1.0)
    least = ((labelled + made) * square[..., [GOOD, FRAUD]]).sum(axis=(1, 2, 3))
    return np.maximum(seen, least + (count[..., KINDS - 1] * work[..., 0] ** 2).sum(axis=(1, 2)))


def bounds(pair: Pair) -> pd.DataFrame:
    """Return what changes if the flips without a verdict were all good, as counted, or all fraud.

    Returns
    -------
    DataFrame
        assumed, unlabelled (flips without a verdict), frauds_alerted, insults, net_value: what changes.
    """
    state, rows = np.minimum(pair.new.labels.state, KINDS - 1), pair.rows
    own = rows[state[rows] == KINDS - 1]
    first, last = pair.was[own], pair.now[own]
    told = changes_of(pair.moves, pair.price, pair.effects, scale=pair.new.scale)
    frauds, insults, net = (float(told[name][0]) for name in ("frauds", "insults", "net_value"))
    alert, hard = pair.marks("friction", "review", "stop").astype(int), pair.marks("review", "stop").astype(int)
    slope, worth = pair.price.slope, pair.new.worth
    as_fraud = float(((slope[FRAUD, last] - slope[FRAUD, first]) * worth.loss[own]).sum())
    as_good = float(((slope[GOOD, last] - slope[GOOD, first]) * worth.margin[own]).sum())
    # A measured loss is that of a confirmed fraud: what these events would have lost is not known.
    unknown = worth.loss_measured and not worth.loss[own].any() and len(own) > 0
    nets = [net + as_good, net, np.nan if unknown else net + as_fraud] if measured(pair) else [np.nan] * 3
    return pd.DataFrame(
        {
            "assumed": ["all good", "left out", "all fraud"],
            "unlabelled": len(own),
            "frauds_alerted": [frauds, frauds, frauds + float((alert[last] - alert[first]).sum())],
            "insults": [insults + float((hard[last] - hard[first]).sum()), insults, insults],
            "net_value": nets,
        }
    )


def rarity(pair: Pair) -> float:
    """Return by how much `cautious` widens the variance of net value; 1 where nothing flips."""
    seen = float(net_change(pair.moves, pair.price)[1][0])
    return float(cautious(pair.moves, pair)[0]) / seen if seen > 0 else 1.0


def swell(pair: Pair) -> tuple[float, str]:
    """Return by how much events that come together spread net value more than if each came alone, and by whom.

    The variance of the sum of each entity's events over that of the events, for the role of entities in which it is
    largest; 1 and no name where there is none above 1.
    """
    worst, name = 1.0, ""
    rows = pair.rows
    if not len(rows) or not measured(pair):
        return worst, name
    value = worths(pair)
    alone = float((value**2).sum())
    for column in pair.new.dataset.roles.entities:
        held = pair.new.dataset.column(column).take(rows)
        known = held.present
        sums = np.bincount(pd.factorize(held.values[known])[0], weights=value[known])
        ratio = float((sums**2).sum() + (value[~known] ** 2).sum()) / alone if alone > 0 else 1.0
        if ratio > worst:
            worst, name = ratio, column
    return worst, name


def worths(pair: Pair) -> Floats:
    """Return what each flip changes in net value, in major units."""
    rows = pair.rows
    kinds, stake = pair.new.kinds[rows], pair.new.stake[rows]
    first, last = (levels[rows].astype(np.int8) for levels in (pair.was, pair.now))
    return pair.price.gain(kinds, stake, before=first, after=last)


def split(pair: Pair, axis: str, *, together: float = 1.0) -> pd.DataFrame:
    """Return the flips of each region or week, and what they change, with intervals; they add up to the whole.

    Returns
    -------
    DataFrame
        The axis, events, flips, frauds, good, unlabelled, fraud_value (of the flips); frauds_alerted, insults,
        reviews, net_value: what changes, each with `_lower` and `_upper`; p_value, q_value and reading, of net value,
        with the variance of `cautious` and `swell`.
    """
    codes, names = pair.new.dataset.regions if axis == "region" else pair.new.dataset.weeks
    held, levels = pair.by(codes, len(names)), len(pair.effects)
    moved = 1 - np.eye(levels, dtype=np.int64)[None, :, :, None]
    counts = held.shaped(held.cells.count).astype(np.int64)
    own = (counts * moved).sum(axis=(1, 2))
    value = (held.shaped(held.cells.value).astype(np.float64) * moved).sum(axis=(1, 2)) / pair.new.scale
    told = changes_of(held, pair.price, pair.effects, scale=pair.new.scale)
    columns: dict[str, object] = {
        axis: list(names),
        "events": counts.sum(axis=(1, 2, 3)),
        "flips": own.sum(axis=1),
        "frauds": own[:, FRAUD],
        "good": own[:, GOOD],
        "unlabelled": own[:, KINDS - 1],
        "fraud_value": value[:, FRAUD],
    }
    for name, out in (("frauds", "frauds_alerted"), ("insults", "insults"), ("reviews", "reviews")):
        columns |= {f"{out}{end}": told[f"{name}{end}"] for end in ("", "_lower", "_upper")}
    net, variance = net_change(held, pair.price)
    half = Z95 * np.sqrt(variance)
    if not pair.new.worth.money:
        net = half = np.full(len(names), np.nan)
    columns |= {"net_value": net, "net_value_lower": net - half, "net_value_upper": net + half}
    p = _p_values(net, together * cautious(held, pair))
    labelled = own[:, FRAUD] + own[:, GOOD]
    q = q_values(p)
    columns |= {"p_value": p, "q_value": q}
    columns["reading"] = _readings(net, q, labelled, own.sum(axis=1), known=measured(pair))
    return pd.DataFrame(columns)


def _p_values(net: Floats, variance: Floats) -> Floats:
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(net) / np.sqrt(variance)
    return np.where(variance > 0, np.nan_to_num(2 * ndtr(-z), nan=1.0), 1.0)


def _readings(net: Floats, q: Floats, labelled: Ints, flips: Ints, *, known: bool) -> list[str]:
    if not known:
        return [NO_MEASURE] * len(net)
    enough = (labelled >= FEWEST) & (2 * labelled >= flips) & (q <= LEVEL)
    return [
        (BETTER if gain > 0 else WORSE) if sure else ("no flip" if not flipped else NOT_SHOWN)
        for gain, sure, flipped in zip(net, enough, flips, strict=True)
    ]
