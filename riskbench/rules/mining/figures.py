"""What does a new rule change on some events, given the live book and the rules above it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.labels import FRAUD, GOOD
from riskbench.metrics.constraints import Constraint
from riskbench.metrics.intervals import Z95
from riskbench.metrics.paying import chance_of_luck, clustered
from riskbench.rules.mining.field import Field

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Small = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What changes when some events get other outcomes.

    Attributes
    ----------
    rows : ndarray of intp
        The events whose outcome changes.
    value : ndarray of float64, shape (rows,)
        What each change is worth, in major units.
    frauds, good, unlabelled : int
        How many of them are of each kind.
    net, lower, upper : float
        What they are worth together, with the 95 % interval of the paired difference; events of one entity come
        together where that is wider.
    """

    rows: Rows
    value: Floats
    frauds: int
    good: int
    unlabelled: int
    net: float
    lower: float
    upper: float


def change(field: Field, before: Small, after: Small, within: Mask) -> Change:
    """Return what changes between two decisions on some events."""
    rows = np.flatnonzero((before != after) & within)
    kinds, stake = field.kinds[rows], field.stake[rows]
    value = field.price.gain(kinds, stake, before=before[rows], after=after[rows])
    counts = np.bincount(kinds, minlength=3)
    net = float(np.sort(value).sum())
    spread = max([float((np.sort(value) ** 2).sum()), *(clustered(value, codes[rows]) for codes in field.groups)])
    half = Z95 * float(np.sqrt(spread))
    return Change(rows, value, int(counts[FRAUD]), int(counts[GOOD]), int(counts[2]), net, net - half, net + half)


def with_rules(field: Field, hit: Sequence[tuple[Mask, int]]) -> Small:
    """Return what is decided about each event with new rules live beside the book."""
    level = field.level.copy()
    for mask, own in hit:
        raised = mask & field.raised(own) & (level < own)
        level[raised] = own
    return level


def luck(field: Field, level: int, held: Change, within: Mask) -> float:
    """Return the p-value of "the rule pays nothing, or finds fraud no better than any hit" on some events."""
    open_ = within & field.raised(level)
    kinds = field.kinds[open_]
    frauds, good = int((kinds == FRAUD).sum()), int((kinds == GOOD).sum())
    goods = field.worth_of(level)[open_ & (field.kinds == GOOD)]
    own = field.kinds[held.rows]
    return chance_of_luck(
        held.value,
        own == FRAUD,
        own <= FRAUD,
        loss=-float(np.sort(goods).mean()) if len(goods) else 0.0,
        base=frauds / max(1, frauds + good),
        groups=tuple(codes[held.rows] for codes in field.groups),
    )


def rates(field: Field, level: Small, within: Mask) -> dict[str, float | None]:
    """Return the rates that can be limited, of all events of a window under some decisions."""
    own, kinds = level[within], field.kinds[within]
    effects = np.array(field.effects)[own]
    total, goods = len(own), int((kinds == GOOD).sum())
    hard = np.isin(effects, ["review", "stop"])
    parts: Mapping[str, tuple[int, int]] = {
        "alert_rate": (int((effects != "none").sum()), total),
        "review_rate": (int((effects == "review").sum()), total),
        "approval_rate": (int((~hard).sum()), total),
        "insult_rate": (int((hard & (kinds == GOOD)).sum()), goods),
    }
    return {name: part / whole if whole else None for name, (part, whole) in parts.items()}


def kept(found: Mapping[str, float | None], limits: Sequence[Constraint]) -> bool:
    """Return whether rates keep to their limits; a rate that cannot be measured does."""
    for limit in limits:
        rate = found[limit.rate]
        if rate is None:
            continue
        over = rate - limit.bound if limit.side == "at_most" else limit.bound - rate
        if over > 1e-12:
            return False
    return True
