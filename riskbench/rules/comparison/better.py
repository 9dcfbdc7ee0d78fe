"""Is the second of two books better, where, and what could the events without a verdict change about that?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD
from riskbench.metrics.discovery import q_values
from riskbench.metrics.money import money_chance
from riskbench.rules.comparison.differences import Pair, measured
from riskbench.rules.comparison.inference import BOUNDED, Inference
from riskbench.rules.moves import changes_of
from riskbench.rules.signature import KINDS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Fewer flips with a verdict than this are no evidence.
FEWEST = 10
#: A region is named as surely better or worse at this rate of false discoveries.
LEVEL = 0.05
BETTER, WORSE, NOT_SHOWN, NO_MEASURE = "surely better", "surely worse", "not shown", "not measurable"


def answer(pair: Pair, told: Inference) -> tuple[str, str]:
    """Return whether the second book is better, by the interval that is told, and why."""
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
    if labelled < FEWEST * pair.together.entities:
        few = f"{labelled:,} tell as much as {labelled / pair.together.entities:.0f}"
        return NOT_SHOWN, f"flips come together by {pair.together.whose}: {few}"
    if 2 * told.covered < flips:
        return NOT_SHOWN, f"most flips have no verdict: {flips - labelled:,} of {flips:,}"
    _, low, high = told.net
    what = "interval" if told.told != BOUNDED else "bounded interval"
    if low > 0:
        return BETTER, f"the {what} lies above 0"
    if high < 0:
        return WORSE, f"the {what} lies below 0"
    if told.told == BOUNDED:
        return NOT_SHOWN, f"{told.dark:,} flips were stopped by history: with them at worst and best, 0 is possible"
    return NOT_SHOWN, f"the {what} holds 0"


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
    told = changes_of(pair.moves, pair.price, pair.effects, scale=pair.new.scale, usual=pair.usual)
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


def split(pair: Pair, axis: str) -> pd.DataFrame:
    """Return the flips of each region or week, and what they change, with intervals; they add up to the whole.

    Returns
    -------
    DataFrame
        The axis, events, flips, frauds, good, unlabelled, fraud_value (of the flips); frauds_alerted, insults,
        reviews, net_value: what changes, each with `_lower` and `_upper`; p_value, q_value and reading, of net value;
        why (what the reading rests on).
    """
    codes, names = pair.new.dataset.regions if axis == "region" else pair.new.dataset.weeks
    held, levels = pair.by(codes, len(names)), len(pair.effects)
    moved = 1 - np.eye(levels, dtype=np.int64)[None, :, :, None]
    counts = held.shaped(held.cells.count).astype(np.int64)
    own = (counts * moved).sum(axis=(1, 2))
    value = (held.shaped(held.cells.value).astype(np.float64) * moved).sum(axis=(1, 2)) / pair.new.scale
    # A region's figure says what such weeks bring, as the whole does; a week's own says what it did.
    wide = pair.together.all if axis == "region" else pair.together.entities
    told = changes_of(held, pair.price, pair.effects, scale=pair.new.scale, usual=pair.usual, together=wide)
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
    net, low, high = (
        told[f"net_value{end}"].astype(np.float64) if pair.new.worth.money else np.full(len(names), np.nan)
        for end in ("", "_lower", "_upper")
    )
    columns |= {"net_value": net, "net_value_lower": low, "net_value_upper": high}
    p = money_chance(net, low, high)
    labelled = own[:, FRAUD] + own[:, GOOD]
    q = q_values(p)
    columns |= {"p_value": p, "q_value": q}
    columns["reading"], columns["why"] = _readings(net, p, q, labelled, own.sum(axis=1), known=measured(pair))
    return pd.DataFrame(columns)


def _readings(
    net: Floats, p: Floats, q: Floats, labelled: Ints, flips: Ints, *, known: bool
) -> tuple[list[str], list[str]]:
    """Return the reading of each part, and why it reads so."""
    if not known:
        return [NO_MEASURE] * len(net), [""] * len(net)
    said, why = [], []
    for gain, chance, false, n, moved in zip(net, p, q, labelled, flips, strict=True):
        word, reason = NOT_SHOWN, "the interval holds 0"
        if not moved:
            word, reason = "no flip", ""
        elif n < FEWEST:
            reason = f"only {n:,} with a verdict, {FEWEST} needed"
        elif 2 * n < moved:
            reason = "most flips have no verdict"
        elif false <= LEVEL:
            word, reason = (BETTER, "the interval lies above 0") if gain > 0 else (WORSE, "the interval lies below 0")
        elif chance <= LEVEL:
            reason = "one of so many looked at may leave 0 out by chance"
        said.append(word)
        why.append(reason)
    return said, why
