"""What does each carve-out do on later events, and which of them hold?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD
from riskbench.metrics.intervals import share_at_most
from riskbench.metrics.paying import chance_of_luck
from riskbench.rules.hits import apply
from riskbench.rules.mining.exceptions_search import Carved, carve_text, excepted
from riskbench.rules.mining.field import Field
from riskbench.rules.mining.figures import Change, change
from riskbench.rules.rule import Rule

Mask = npt.NDArray[np.bool_]
Small = npt.NDArray[np.int8]

#: What becomes of a carve-out on the later events.
HOLDS, LOSES, UNSURE = "holds", "loses fraud", "not sure"


@dataclass(frozen=True, eq=False)
class Tried:
    """A carve-out, and what it does on both windows."""

    found: Carved
    text: str
    terms: int
    rule: Rule
    columns: tuple[str, ...]
    off: Mask
    earlier: Change
    later: Change
    p: float


def tried_on(field: Field, rule: Rule, hit: Mask, gone: Small, found: list[Carved]) -> list[Tried]:
    """Return each carve-out with what it changes; the events come from the rule as it is written, not from bins."""
    made = []
    windows, kinds = field.windows, field.kinds
    later = hit & windows.report.mask
    frauds, good = int((later & (kinds == FRAUD)).sum()), int((later & (kinds == GOOD)).sum())
    cost = field.price.each(kinds, field.stake, gone) - field.now
    costs = cost[later & (kinds == FRAUD)]
    for one in found:
        written, alone = excepted(rule, one.pieces, field), carve_text(one.pieces, field)
        if written is None or alone is None:
            continue
        off = hit & ~apply([written], field.events).mask(0)
        after = np.where(off, gone, field.level)
        changed = [change(field, field.level, after, part.mask) for part in (windows.choose, windows.report)]
        own = kinds[changed[1].rows]
        p = chance_of_luck(
            changed[1].value,
            own == GOOD,
            (own == GOOD) | (own == FRAUD),
            loss=-float(np.sort(costs).mean()) if len(costs) else 0.0,
            base=good / max(1, frauds + good),
            groups=tuple(codes[changed[1].rows] for codes in field.groups),
        )
        made.append(
            Tried(one, alone.in_words(), len(one.pieces), written, alone.columns, off, changed[0], changed[1], p)
        )
    return made


def framed(
    field: Field,
    tried: list[Tried],
    values: npt.NDArray[np.float64],
    counts: list[int],
    *,
    lose: int,
    q: float,
) -> pd.DataFrame:
    """Return one row a carve-out; `counts` are the rule's known frauds and good events on the later events."""
    frauds, good = counts
    windows, kinds, worth = field.windows, field.kinds, field.held.worth
    off = [one.off & windows.report.mask for one in tried]
    freed = np.array([int((own & (kinds == GOOD)).sum()) for own in off], dtype=np.int64)
    lost = np.array([int((own & (kinds == FRAUD)).sum()) for own in off], dtype=np.int64)
    scale = field.held.scale
    verdicts = [
        LOSES if gone > lose else HOLDS if value <= q else UNSURE for gone, value in zip(lost, values, strict=True)
    ]
    return pd.DataFrame(
        {
            "condition": [one.text for one in tried],
            "terms": [one.terms for one in tried],
            "verdict": verdicts,
            "found_good": [one.found.good for one in tried],
            "found_frauds": [one.found.frauds for one in tried],
            "found_value": [one.earlier.net for one in tried],
            "freed": freed,
            "freed_share": freed / good if good else np.full(len(tried), np.nan),
            "lost": lost,
            "lost_share": lost / frauds if frauds else np.full(len(tried), np.nan),
            "lost_share_upper": [share_at_most(int(gone), frauds) for gone in lost],
            "unlabelled": [int((own & (kinds > FRAUD)).sum()) for own in off],
            "good_value": [float(worth.value[own & (kinds == GOOD)].sum()) / scale for own in off],
            "n": [len(one.later.rows) for one in tried],
            "net_value": [one.later.net for one in tried],
            "net_value_lower": [one.later.lower for one in tried],
            "net_value_upper": [one.later.upper for one in tried],
            "p": [one.p for one in tried],
            "q": values,
        }
    )


def ordered(frame: pd.DataFrame) -> list[int]:
    """Return the rows: those that hold first, then by what was gained where they were found, then the shorter."""
    rank = {HOLDS: 0, UNSURE: 1, LOSES: 2}
    rows = zip(frame["verdict"], frame["found_value"], frame["terms"], strict=True)
    keys = [(rank[verdict], -value, terms, k) for k, (verdict, value, terms) in enumerate(rows)]
    return [key[3] for key in sorted(keys)]
