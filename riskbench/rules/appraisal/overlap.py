"""Which rules hit the same events? Pairs counted exactly, and the signature table to read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.data.labels import FRAUD, GOOD, STATES
from riskbench.engine.sums import cell_counts, cell_squares, cell_sums
from riskbench.errors import EngineError
from riskbench.rules.hits import Hits
from riskbench.rules.signature import KINDS

Ints = npt.NDArray[np.int64]

#: What a step costs, in nanoseconds: a pair of one event or pattern, a word of two lines, a hit and an event of the
#: signature table. Measured on one processor; only their ratios matter.
_PAIR, _WORD, _HIT, _EVENT = 4.0, 0.6, 3.0, 12.0
#: Words a line on which the number of pairs is estimated.
_SAMPLE = 1024


def pairs(held: Hits) -> tuple[Ints, Ints]:
    """Return count and value of what each two rules hit together, by what is known: shape (rules, rules, 3).

    The second rule is never before the first in book order; a rule with itself is what it hits. Counted on the
    signature table where there is one or building it is cheaper, else on the bits; the answers are equal.
    """
    if "signatures" not in vars(held) and bits_are_cheaper(held):
        return pairs_by_bits(held)
    try:
        return pairs_by_table(held)
    except EngineError:  # more patterns than memory
        return pairs_by_bits(held)


def pairs_by_table(held: Hits) -> tuple[Ints, Ints]:
    """Return `pairs` from the signature table."""
    from riskbench.engine.pairs import pairs_of_sets

    table = held.signatures
    return pairs_of_sets(table.starts, table.rules, table.cells.count, table.cells.value, table.size)


def pairs_by_bits(held: Hits) -> tuple[Ints, Ints]:
    """Return `pairs` from the bits."""
    from riskbench.engine.pairs import pairs_of_bits

    return pairs_of_bits(held.bits.words, held.kinds, held.worth.value, states=KINDS)


def bits_are_cheaper(held: Hits) -> bool:
    """Return whether pairs cost less on the bits than a signature table would: few rules, or sets that all differ."""
    size, width = held.bits.words.shape
    if not size or not width:
        return True
    step = max(1, width // _SAMPLE)
    sample = np.ascontiguousarray(held.bits.words[:, ::step])
    together = np.zeros(sample.shape[1] * 64, dtype=np.int64)
    for line in sample:
        together += np.unpackbits(line.view(np.uint8), bitorder="little")
    joint = float((together * (together + 1) // 2).sum()) * step
    hits = float(held.bits.count().sum())
    by_bits = size * (size + 1) / 2 * width * _WORD + joint * _PAIR
    return by_bits < hits * _HIT + held.bits.rows * _EVENT


def overlap(held: Hits) -> pd.DataFrame:
    """Return each pair of rules with the events that both hit.

    Columns: rule, other, hits, frauds, good, unlabelled (what both hit), fraud_value, good_value, value_hit (major
    units), share, other_share (of each rule's hits).
    """
    counts, values = pairs(held)
    rules, scale = held.book.rules, held.scale
    a, b = np.triu_indices(len(rules), k=1)
    both = counts.sum(axis=2)
    kept = both[a, b] > 0
    a, b = a[kept], b[kept]
    own = np.diagonal(both)
    ids = np.array([rule.id for rule in rules], dtype=object)
    frame = pd.DataFrame(
        {
            "rule": ids[a],
            "other": ids[b],
            "hits": both[a, b],
            "frauds": counts[a, b, FRAUD],
            "good": counts[a, b, GOOD],
            "unlabelled": counts[a, b, KINDS - 1],
            "fraud_value": values[a, b, FRAUD] / scale,
            "good_value": values[a, b, GOOD] / scale,
            "value_hit": values[a, b].sum(axis=1) / scale,
            "share": both[a, b] / own[a],
            "other_share": both[a, b] / own[b],
        }
    )
    return frame.sort_values(["hits", "rule", "other"], ascending=[False, True, True], ignore_index=True)


def signatures(held: Hits) -> pd.DataFrame:
    """Return the distinct (rules hit, label state, region, week) with n, sum and sum of squares of value.

    Every question about the whole set is exact on this table.
    """
    table = held.signatures
    region, regions = held.dataset.regions
    week, weeks = held.dataset.weeks
    state, scale = held.labels.state, held.scale
    cell = (state.astype(np.int64) * len(regions) + region) * len(weeks) + week
    width = len(STATES) * len(regions) * len(weeks)
    kept, group = np.unique(table.pattern.astype(np.int64) * width + cell, return_inverse=True)
    pattern, cell = kept // width, kept % width
    ids = [rule.id for rule in held.book.rules]
    return pd.DataFrame(
        {
            "rules": [" ".join(ids[k] for k in table.members(int(p))) for p in pattern],
            "label": [STATES[s] for s in cell // (len(regions) * len(weeks))],
            "region": [regions[r] for r in cell // len(weeks) % len(regions)],
            "week": [weeks[w] for w in cell % len(weeks)],
            "n": cell_counts(group, len(kept)),
            "value": cell_sums(group, held.worth.value, len(kept)) / scale,
            "value_squares": cell_squares(group, held.worth.value, len(kept)) / scale**2,
        }
    )
